"""The whole way without a window: a file, an experiment, a replay, its results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modellab.experiment import (
    DataSpec,
    Experiment,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    ReplaySpec,
    SplitSpec,
    replace,
)
from modellab.replay.process import worker_environment
from modellab.replay.run import run_experiment

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
    assert names == ["Static", "Retrained", "Online", "Online tree", "Majority class", "No change"]
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


@pytest.fixture(scope="module")
def cold(electricity: Path) -> Experiment:
    """Electricity from its first row, without any training."""
    return Experiment(
        data=DataSpec(path=str(electricity), target="class"), split=SplitSpec(train=0)
    )


def _accuracy(result: Any, name: str) -> float:
    lane = next(lane for lane in result.lanes if lane.name == name)
    found: float = lane.metrics["cumulative"]["accuracy"]
    return found


def test_electricity_from_a_cold_start(cold: Experiment) -> None:
    lane = LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear"))
    result = run_experiment(replace(cold, lane=[lane]), base=Path("/"))
    assert result.position == 45_312
    assert round(100 * _accuracy(result, "Majority class"), 2) == 57.53
    assert round(100 * _accuracy(result, "No change"), 2) == 85.33


def test_river_lanes_equal_rivers_own_loop(cold: Experiment) -> None:
    import csv

    from river import metrics, naive_bayes, tree
    from river.evaluate import progressive_val_score

    rows = 4000
    with Path(cold.data.paths[0]).open(newline="") as file:
        reader = csv.DictReader(file)
        stream = []
        for row, _ in zip(reader, range(rows), strict=False):
            label = row.pop("class")
            stream.append(({key: float(value) for key, value in row.items()}, label))
    models = {
        "tree.HoeffdingTreeClassifier": tree.HoeffdingTreeClassifier(),
        "naive_bayes.GaussianNB": naive_bayes.GaussianNB(),
    }
    lanes = [
        LaneSpec(name, OnlinePolicy(), LearnerSpec("river", name, {"scale": False}))
        for name in models
    ]
    result = run_experiment(
        replace(cold, lane=lanes, replay=ReplaySpec(limit=rows)), base=Path("/")
    )
    for name, model in models.items():
        score = progressive_val_score(stream, model, metrics.Accuracy())
        # River counts no row that its model cannot answer yet; so does the lane.
        assert _accuracy(result, name) == pytest.approx(score.get(), abs=0), name
