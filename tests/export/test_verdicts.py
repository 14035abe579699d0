"""A verdict from files alone: the run's own, and others at other prices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.errors import LabError
from modellab.experiment import (
    DataSpec,
    DriftSpec,
    EvaluationSpec,
    Experiment,
    GuardSpec,
    HindsightPolicy,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    PriceSpec,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
)
from modellab.experiment_faults import DriftFault
from modellab.export.recorded import read_recorded
from modellab.export.results import write_results
from modellab.export.verdicts import judge_result, read_evidence, verdict_value
from modellab.replay.run import RunResult, run_experiment
from modellab.verdict.hindsight import find_hindsight

LOGISTIC = LearnerSpec("logistic_regression")
ROWS, TRAIN, TURN = 6000, 1000, 3000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    """Two numbers and a class that turns round at row 3,000."""
    folder = tmp_path_factory.mktemp("verdict")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, 2))
    y = np.where(x[:, 0] + 0.5 * rng.standard_normal(ROWS) > 0, "yes", "no")
    pq.write_table(pa.table({"a": x[:, 0], "b": x[:, 1], "y": y}), folder / "data.parquet")
    found = []

    def find(context, learner, **how):
        found.append(find_hindsight(context, learner, **how))
        return found[-1]

    experiment = Experiment(
        data=DataSpec(path="data.parquet", target="y"),
        split=SplitSpec(train=TRAIN),
        evaluation=EvaluationSpec(memory_set=MemorySet(rows=50, every=2000)),
        replay=ReplaySpec(seed=4),
        drift=DriftSpec(tolerance=1500, features=False),
        prices=PriceSpec(error=1.0, retrain=3.0),
        fault=[DriftFault(start=TURN)],
        lane=[
            LaneSpec("Static", StaticPolicy(), LOGISTIC),
            LaneSpec("Every 1,000", ScheduledPolicy(every=1000, test_rows=200), LOGISTIC),
            LaneSpec(
                "Online", OnlinePolicy(), LearnerSpec("linear"), GuardSpec(range=1.0, loss=0.95)
            ),
            LaneSpec("Optimum", HindsightPolicy(grid=4), LOGISTIC),
        ],
    )
    result = run_experiment(experiment, base=folder, find=find)
    verdict = judge_result(
        result, hindsight=found[-1], sensitivity={"Online": {"label_noise": 0.01}}
    )
    write_results(result, folder / "out", verdict=verdict)
    return result, folder / "out"


def test_the_folder_gives_the_runs_own_verdict(run: tuple[RunResult, Path]) -> None:
    result, folder = run
    found = read_evidence(folder)
    again = found.judge()
    summary = json.loads((folder / "summary.json").read_text())
    assert json.loads(json.dumps(verdict_value(again))) == summary["verdict"]
    assert again == found.verdict == read_recorded(folder).verdict
    assert again.recommended == "Online"
    assert list(summary["verdict"])[:4] == ["recommended", "sentence", "sure", "reasons"]
    assert next(row for row in again.lanes if row.name == "Online").sensitivity == {
        "label_noise": 0.01
    }
    for lane, recorded in zip(result.lanes, found.lanes, strict=True):
        assert recorded.spec == lane.spec
        assert recorded.alarms == lane.evidence.alarms
        for name in ("starts", "sums", "counts", "sample_positions", "sample_losses"):
            np.testing.assert_array_equal(
                getattr(recorded.losses, name), getattr(lane.losses, name)
            )  # fmt: skip


def test_other_prices_give_another_verdict(run: tuple[RunResult, Path]) -> None:
    _, folder = run
    found = read_evidence(folder)
    verdict = found.judge(PriceSpec(error=0.0, retrain=1.0))
    # Errors cost nothing: never to retrain is best, and Static the simplest that does not.
    assert verdict.recommended == "Static"
    assert verdict.prices == {"error": 0, "retrain": 1, "cpu_hour": 0, "downtime_hour": 0}
    assert verdict.hindsight.at == []
    assert found.judge(PriceSpec(error=5.0)).hindsight.at != []


def test_known_drifts_are_scored(run: tuple[RunResult, Path]) -> None:
    _, folder = run
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["drift"] == {"known": [TURN], "tolerance": 1500}
    static = next(lane for lane in summary["lanes"] if lane["name"] == "Static")
    assert static["drift"]["known"] == static["drift"]["detected"] == 1
    assert static["drift"]["missed"] == 0
    assert 0 < static["drift"]["delay"] < 1500
    assert any(TURN < position < TURN + 1500 for position in static["alarm_positions"])


def test_rows_that_guards_kept_back_are_listed(run: tuple[RunResult, Path]) -> None:
    result, folder = run
    lines = (folder / "quarantine.csv").read_text().splitlines()
    assert lines[0] == "lane,row,reason"
    online = next(lane for lane in result.lanes if lane.name == "Online")
    assert online.quarantined > 0
    assert len(lines) - 1 == min(online.quarantined, 10_000)
    assert all(line.startswith("Online,") for line in lines[1:])


def test_the_optimums_lane_costs_what_was_found(run: tuple[RunResult, Path]) -> None:
    result, folder = run
    verdict = read_evidence(folder).verdict
    lane = next(row for row in verdict.lanes if row.name == "Optimum")
    assert lane.cost["total"] == pytest.approx(verdict.hindsight.total)
    assert lane.regret == pytest.approx(0)
    assert lane.retrains == len(verdict.hindsight.at) > 0
    assert not lane.deployable
    static = next(row for row in verdict.lanes if row.name == "Static")
    never = next(point for point in verdict.hindsight.points if point.retrains == 0)
    assert never.error == pytest.approx(static.error.value)
    assert static.regret > 0
    assert sorted(result.lanes[3].spec.policy.at) == verdict.hindsight.at


@pytest.mark.parametrize("broken", ["nothing", "damaged", "older", "torn"])
def test_what_cannot_be_judged_is_told_in_a_sentence(
    run: tuple[RunResult, Path], tmp_path: Path, broken: str
) -> None:
    _, folder = run
    if broken == "nothing":
        with pytest.raises(LabError, match="There are no results"):
            read_evidence(tmp_path)
        return
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    if broken == "damaged":
        (copy / "losses.parquet").write_bytes(b"not this")
        match = "cannot be read"
    elif broken == "torn":
        (copy / "summary.json").write_bytes((folder / "summary.json").read_bytes()[:500])
        match = "cannot be read"
    else:
        summary = msgspec.json.decode((folder / "summary.json").read_bytes())
        del summary["verdict"]
        (copy / "summary.json").write_bytes(msgspec.json.encode(summary))
        match = "older Model Lab"
    with pytest.raises(LabError, match=match):
        read_evidence(copy)
    if broken == "older":
        assert read_recorded(copy).verdict is None
