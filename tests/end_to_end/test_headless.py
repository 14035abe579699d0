"""The whole way without a window: a file, an experiment, a replay, its results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modellab.replay.process import worker_environment

pytestmark = pytest.mark.end_to_end


def modellab(*arguments: object, folder: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "modellab", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**worker_environment(), "QT_QPA_PLATFORM": "offscreen"},
        check=False,
        timeout=280,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_from_a_file_to_results_and_back(tmp_path: Path) -> None:
    from modellab.data.samples import sample_path

    modellab(
        "new", sample_path("flights"), "--target", "late", "--time", "time", "--train", 5000,
        "-o", "flights.toml", folder=tmp_path,
    )  # fmt: skip
    changes = ("--set", "replay.limit=2000", "--set", 'data.ignore=["arr_delay", "dep_delay"]')
    first = json.loads(modellab("run", "flights.toml", "--json", *changes, folder=tmp_path))
    assert (first["rows"], first["train_rows"], first["stream_rows"]) == (327_346, 5000, 2000)
    names = [lane["name"] for lane in first["lanes"]]
    assert names == [
        "Static",
        "Retrained",
        "On alarm",
        "Online",
        "Online tree",
        "Majority class",
        "No change",
    ]
    for lane in first["lanes"]:
        assert 0.5 < lane["metrics"]["cumulative"]["accuracy"] < 1
    # The second time the data are there already, and the numbers are the same.
    again = json.loads(
        modellab("run", "flights.toml", "--json", "--workers", 2, *changes, folder=tmp_path)
    )
    assert [lane["metrics"] for lane in again["lanes"]] == [
        lane["metrics"] for lane in first["lanes"]
    ]


def test_the_demo_leaves_a_picture(tmp_path: Path) -> None:
    few = ("--set", "split.train=4000", "--set", "replay.limit=1500")
    shown = modellab("demo", "--out", "demo", *few, folder=tmp_path)
    assert "Online tree" in shown
    picture = tmp_path / "demo" / "deploy.png"
    assert str(Path("demo") / "deploy.png") in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
    assert (tmp_path / "demo" / "summary.json").exists()
    assert json.loads(
        modellab("run", "demo/experiment.toml", "--json", "--set", "replay.limit=10",
                 folder=tmp_path)
    )["stream_rows"] == 10  # fmt: skip
