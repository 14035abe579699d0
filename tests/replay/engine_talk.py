"""What is asked of an engine process again and again, and the numbers of a replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modellab.experiment import (
    Experiment,
)
from modellab.export.results import LANE_MEASURED, MEASURED, write_results
from modellab.replay.protocol import (
    DataSummary,
    Deploy,
    Deployed,
    OpenData,
    Play,
    Ready,
    Step,
    Telemetry,
    WriteResults,
    Written,
)
from modellab.replay.run import run_experiment

NUMBERS = (
    "history.parquet",
    "parameters.parquet",
    "losses.parquet",
    "paired.parquet",
    "feature_drift.parquet",
    "events.jsonl",
    "bad_rows.csv",
)


def opened(engine: Any, path: Path) -> DataSummary:
    found: DataSummary = engine.job(OpenData(paths=[str(path)]), DataSummary)
    return found


def deployed(engine: Any, experiment: Experiment, folder: Path, **named: Any) -> Deployed:
    opened(engine, Path(experiment.data.paths[0]))
    command = Deploy(experiment=experiment, session_dir=str(folder), **named)
    found: Deployed = engine.job(command, Deployed)
    # From here on, all that is told is of this replay.
    engine.client.send(Ready(reset=True))
    engine.until(lambda t: t.curves_reset and t.state == "paused")
    return found


def played(engine: Any, rows: int) -> None:
    """Replay so many rows and wait until they are done."""
    start = engine.do(Step(rows=rows)).position
    engine.until(lambda t: t.position >= start + rows and t.state != "playing")


def played_out(engine: Any) -> Telemetry:
    engine.do(Play(mode="max"))
    told: Telemetry = engine.until(lambda t: t.state == "finished")
    return told


def results(engine: Any, folder: Path) -> dict[str, Any]:
    written = engine.job(WriteResults(folder=str(folder)), Written)
    assert set(written.files) == {*NUMBERS, "summary.json"}
    return numbers(folder)


def numbers(folder: Path) -> dict[str, Any]:
    """All that a replay gave, but for what was measured with a clock."""
    found: dict[str, Any] = {name: (folder / name).read_bytes() for name in NUMBERS}
    summary = json.loads((folder / "summary.json").read_text())
    for key in MEASURED:
        del summary[key]
    for lane in summary["lanes"]:
        for key in LANE_MEASURED:
            del lane[key]
    found["summary"] = summary
    return found


def headless(experiment: Experiment, folder: Path) -> dict[str, Any]:
    write_results(run_experiment(experiment, base=Path("/")), folder)
    return numbers(folder)
