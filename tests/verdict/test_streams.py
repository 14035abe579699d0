"""Verdicts on replays of streams where the right answer is known; sensitivity to bad data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.errors import ExperimentError
from modellab.experiment import (
    DataSpec,
    DriftSpec,
    EvaluationSpec,
    Experiment,
    HindsightPolicy,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    SplitSpec,
    StaticPolicy,
)
from modellab.experiment_faults import DriftFault
from modellab.export.verdicts import judge_result
from modellab.replay.run import open_data, run_experiment
from modellab.verdict.sensitivity import measure
from modellab.verdict.values import Verdict

ROWS, TRAIN = 5000, 1000
ONLINE = LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear"))
STATIC = LaneSpec("Static", StaticPolicy(), LearnerSpec("logistic_regression"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    rng = np.random.default_rng(2)
    x = rng.standard_normal((ROWS, 2))
    y = np.where(x[:, 0] - x[:, 1] + 0.5 * rng.standard_normal(ROWS) > 0.3, "yes", "no")
    kind = np.where(rng.random(ROWS) < 0.5, "a", "b")
    table = pa.table({"x0": x[:, 0], "x1": x[:, 1], "kind": kind, "y": y})
    pq.write_table(table, folder / "data.parquet")
    return folder


def _experiment(lanes: list[LaneSpec], faults: list[DriftFault]) -> Experiment:
    return Experiment(
        data=DataSpec(path="data.parquet", target="y"),
        split=SplitSpec(train=TRAIN),
        evaluation=EvaluationSpec(memory_set=MemorySet(rows=0)),
        drift=DriftSpec(features=False),
        fault=faults,
        lane=lanes,
    )


def _verdict(data: Path, faults: list[DriftFault]) -> Verdict:
    return judge_result(run_experiment(_experiment([ONLINE, STATIC], faults), base=data))


def test_without_drift_the_static_lane_is_recommended(data: Path) -> None:
    verdict = _verdict(data, [])
    assert verdict.recommended == "Static"
    assert "Static needs the least upkeep" in verdict.sentence or verdict.sure == "clear"


@pytest.mark.parametrize("shape", ["sudden", "recurring", "gradual"])
def test_with_drift_the_lane_that_learns_is_recommended(data: Path, shape: str) -> None:
    verdict = _verdict(data, [DriftFault(start=2000, shape=shape, width=1500)])
    assert verdict.recommended == "Online"
    assert verdict.sure == "clear"
    assert "fewer errors than Static, on the same 4,000 rows" in verdict.sentence


def test_sensitivity_is_the_rise_of_the_loss_with_a_fault(data: Path) -> None:
    lanes = [STATIC, ONLINE, LaneSpec("H", HindsightPolicy(at=[3000]), STATIC.learner)]
    experiment = _experiment(lanes, [])
    store = open_data(experiment, data)
    told: list[float] = []
    found = measure(
        experiment,
        store,
        progress=lambda done, total, text="": told.append(done / total),
        rows=1500,
    )
    assert list(found) == ["Static", "Online", "Majority class", "No change"]
    for rises in found.values():
        assert list(rises) == ["label_noise", "missing_values", "unit_error"]
    # What arrives wrong is not what is true: a model that does not learn does not suffer from it.
    assert found["Static"]["label_noise"] == 0
    assert found["Static"]["unit_error"] > 0.05
    assert found["Static"]["missing_values"] > 0
    assert found["No change"]["missing_values"] == 0
    assert told == sorted(told)
    assert 0.9 < told[-1] <= 1
    assert measure(experiment, store, ["label_noise"], rows=1500) == {
        name: {"label_noise": rises["label_noise"]} for name, rises in found.items()
    }


def test_faults_of_every_kind_can_be_tried(data: Path) -> None:
    experiment = _experiment([STATIC], [])
    store = open_data(experiment, data)
    kinds = [
        "feature_noise",
        "swapped_columns",
        "label_delay",
        "outage",
        "duplicated_rows",
        "drift",
    ]
    found = measure(experiment, store, kinds, rows=600)
    assert list(found["Static"]) == kinds
    assert found["Static"]["drift"] > 0.2
    with pytest.raises(ExperimentError, match=r"no fault called .label_nois.. Did you mean"):
        measure(experiment, store, ["label_nois"])
