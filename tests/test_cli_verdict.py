"""``modellab verdict``, and what ``modellab run`` tells of the verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from modellab.cli import main
from modellab.paths import resources
from modellab.replay.process import worker_environment

EXPERIMENT = """\
modellab = 1
[data]
path = "flights.csv"
target = "late"
time = "time"
ignore = ["dep_delay", "arr_delay"]
[split]
train = 1000
[replay]
limit = 1500
[drift]
features = false
[evaluation]
memory_set = { rows = 0, every = 1000 }
[[lane]]
name = "Static"
policy = "static"
learner = "naive_bayes"
[[lane]]
name = "Often"
policy = { kind = "scheduled", every = 300, test_rows = 50 }
learner = "naive_bayes"
[[lane]]
name = "Online"
policy = "online"
learner = "linear"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with flights, an experiment and its results."""
    folder = tmp_path_factory.mktemp("verdict project")
    table = pq.read_table(resources() / "samples" / "flights.parquet").slice(0, 3000)
    pyarrow.csv.write_csv(table, folder / "flights.csv")
    (folder / "x.toml").write_text(EXPERIMENT)
    ended = subprocess.run(
        [
            sys.executable, "-P", "-m", "modellab", "run", "x.toml", "--out", "out",
            "--hindsight", "4", "--sensitivity",
        ],
        capture_output=True, text=True, cwd=folder, check=False, timeout=200,
        env={**worker_environment(), "COLUMNS": "150"},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    (folder / "shown.txt").write_text(ended.stdout)
    return folder


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    status = main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    assert (status, told.err) == (0, "")
    return told.out


def test_run_ends_with_the_verdict(project: Path) -> None:
    text = " ".join((project / "shown.txt").read_text().split())
    summary = json.loads((project / "out" / "summary.json").read_text())
    verdict = summary["verdict"]
    assert {"recommended", "sentence", "sure", "reasons"} <= set(verdict)
    assert verdict["recommended"] in {"Static", "Often", "Online"}
    assert verdict["sentence"] in text
    for reason in verdict["reasons"]:
        assert reason in text
    assert "Prices: an error costs 1." in text
    names = [lane["name"] for lane in summary["lanes"]]
    assert names[:4] == ["Static", "Often", "Online", "Hindsight"]
    assert len(verdict["hindsight"]["grid"]) == 4
    assert summary["lanes"][3]["policy"]["at"] == verdict["hindsight"]["at"]
    row = next(row for row in verdict["lanes"] if row["name"] == "Online")
    assert set(row["sensitivity"]) == {"label_noise", "missing_values", "unit_error"}
    assert all(lane["regret"] is not None for lane in summary["lanes"])
    # Retrains had no price, so no schedule makes fewer errors than the best in hindsight.
    never = next(row for row in verdict["lanes"] if row["name"] == "Static")
    assert never["regret"] >= 0


def test_the_verdict_of_the_folder_is_the_runs_own(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = json.loads((project / "out" / "summary.json").read_text())
    assert json.loads(shown(capsys, "verdict", project / "out", "--json")) == summary["verdict"]
    text = " ".join(shown(capsys, "verdict", project / "out").split())
    assert summary["verdict"]["sentence"] in text
    assert "Regret" in text


def test_other_prices_are_taken(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(
        shown(
            capsys, "verdict", project / "out", "--json", "--price-error", 0, "--price-retrain", 2,
            "--price-cpu-hour", 0, "--price-downtime-hour", 7,
        )
    )  # fmt: skip
    assert told["prices"] == {"error": 0, "retrain": 2, "cpu_hour": 0, "downtime_hour": 7}
    assert told["recommended"] == "Static"
    often = next(row for row in told["lanes"] if row["name"] == "Often")
    assert often["cost"]["total"] == 2 * often["retrains"] > 0
    assert told["hindsight"]["at"] == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nowhere"], 1, "There are no results in"),
        (["out", "--price-error", "-1"], 2, "-1 is not a price from 0"),
        (["out", "--price-error", "nan"], 2, "nan is not a price from 0"),
        (["out", "--price-retrain", "much"], 2, "invalid price value"),
    ],
)
def test_what_is_wrong_is_told(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["verdict", *arguments]) == status
    assert words in " ".join(capsys.readouterr().err.split())
