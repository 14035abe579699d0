"""The same bits whatever the chunks and the processes: all files of a run, byte for byte.

`test_invariants` asks the same of the replay inside one process; this goes through the whole
headless run, on real flights, with learners of every family.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from modellab.experiment import (
    DataSpec,
    EvaluationSpec,
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
    replace,
)
from modellab.export.results import LANE_MEASURED, MEASURED, write_results
from modellab.paths import resources
from modellab.replay.run import run_experiment

LANES = [
    LaneSpec(
        "Logistic", StaticPolicy(), LearnerSpec("logistic_regression", None, {"max_iter": 40})
    ),
    LaneSpec(
        "Retrained",
        ScheduledPolicy(every="12h", keep=900, test_rows=100, delay=37),
        LearnerSpec("naive_bayes"),
    ),
    LaneSpec(
        "Forest",
        ScheduledPolicy(every=500, test_rows=150, delay="2h"),
        LearnerSpec("random_forest", None, {"n_estimators": 5}),
    ),
    LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear")),
    LaneSpec(
        "Batches", OnlinePolicy(every=7, batch=3), LearnerSpec("linear", None, {"loss": "hinge"})
    ),
    LaneSpec("SGD", OnlinePolicy(every=5), LearnerSpec("linear_sgd")),
    LaneSpec("Tree", OnlinePolicy(), LearnerSpec("hoeffding_adaptive_tree")),
    LaneSpec(
        "River", OnlinePolicy(every=3), LearnerSpec("river", "linear_model.LogisticRegression")
    ),
]
JOURNAL = [
    Intervention(1333, "Online", {"learning_rate": 0.2}),
    Intervention(1500, "Batches", {"every": 2}),
    Intervention(1700, "Online", fork="Fork"),
    Intervention(1700, "Fork", {"frozen": True}),
    Intervention(2048, "Tree", {"every": 4}),
]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    path = tmp_path_factory.mktemp("data") / "flights.parquet"
    pq.write_table(pq.read_table(resources() / "samples" / "flights.parquet").slice(0, 3000), path)
    return Experiment(
        data=DataSpec(
            path=str(path),
            target="late",
            time="time",
            ignore=["dep_delay", "arr_delay", "flight"],
        ),
        split=SplitSpec(train=1000),
        evaluation=EvaluationSpec(window=200, label_delay="45min", memory_set=MemorySet(100, 400)),
        replay=ReplaySpec(limit=1100, seed=5),
        lane=LANES,
        intervention=JOURNAL,
    )


def run(experiment: Experiment, folder: Path, *, chunk_rows: int, workers: int) -> dict[str, bytes]:
    """All files that a run writes, without what was measured."""
    folder.mkdir()
    changed = replace(experiment, replay=replace(experiment.replay, chunk_rows=chunk_rows))
    result = run_experiment(
        changed, base=Path("/"), workers=workers, predictions=folder / "predictions.parquet"
    )
    write_results(result, folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    summary = json.loads(files["summary.json"])
    for key in MEASURED:
        del summary[key]
    for lane in summary["lanes"]:
        for key in LANE_MEASURED:
            del lane[key]
    files["summary.json"] = json.dumps(summary).encode()
    return files


@pytest.fixture(scope="module")
def reference(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("bits") / "reference"
    return run(experiment, folder, chunk_rows=8192, workers=1)


def test_the_reference_is_worth_comparing_with(reference: dict[str, bytes]) -> None:
    summary = json.loads(reference["summary.json"])
    assert len(summary["lanes"]) == len(LANES) + 3
    by_name = {lane["name"]: lane for lane in summary["lanes"]}
    assert by_name["Retrained"]["retrains"] >= 2
    assert by_name["Forest"]["retrains"] >= 2
    assert by_name["Fork"]["metrics"] != by_name["Online"]["metrics"]
    errors = {lane["metrics"]["cumulative"]["error"] for lane in summary["lanes"]}
    assert len(errors) >= 8
    kinds = {json.loads(line)["kind"] for line in reference["events.jsonl"].splitlines()}
    assert {"retrain", "intervention", "fork"} <= kinds


# Single rows are what `test_invariants` does.
@pytest.mark.parametrize(("chunk_rows", "workers"), [(3, 1), (100, 2)])
def test_chunks_and_processes_change_no_bit(
    experiment: Experiment,
    reference: dict[str, bytes],
    tmp_path: Path,
    chunk_rows: int,
    workers: int,
) -> None:
    found = run(experiment, tmp_path / "run", chunk_rows=chunk_rows, workers=workers)
    assert sorted(found) == sorted(reference)
    for name in sorted(found):
        assert found[name] == reference[name], name
