"""Policies on streams whose right answer is known, from a file to the verdict.

Two classes by a plane in four dimensions, 3 % of the labels wrong, 2,000 rows to train on and
10,000 to replay. What drifts is the plane.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellab.experiment import (
    Condition,
    DataSpec,
    DriftSpec,
    EvaluationSpec,
    Experiment,
    GuardSpec,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    PriceSpec,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
    TriggeredPolicy,
    check,
    replace,
)
from modellab.experiment_faults import DriftFault, LabelNoise, Outage
from modellab.replay.run import RunResult, run_experiment
from modellab.verdict.services import judge
from modellab.verdict.values import LaneRow, Verdict

pytestmark = pytest.mark.end_to_end

TRAIN, ROWS = 2000, 12_000
LOGISTIC = LearnerSpec("logistic_regression")
ONLINE = LearnerSpec("linear", params={"learning_rate": 0.05})

STATIC = LaneSpec("Static", StaticPolicy(), LOGISTIC)
SCHEDULED = LaneSpec("Scheduled", ScheduledPolicy(every=1000, keep=2000, test_rows=200), LOGISTIC)
ALARM = LaneSpec(
    "Alarm",
    TriggeredPolicy(when=[Condition(drift="adwin")], keep="alarm", test_rows=100, cooldown=400),
    LOGISTIC,
)
LEARNS = LaneSpec("Online", OnlinePolicy(), ONLINE)

Plane = Callable[[int], float]
"""Angle of the plane, in turns, by row."""


def write(path: Path, angle: Plane, *, seed: int = 1, hours: float = 0.0) -> Path:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, 4))
    turn = 2 * np.pi * np.array([angle(row) for row in range(ROWS)])
    side = np.cos(turn) * (x[:, 0] + x[:, 2]) + np.sin(turn) * (x[:, 1] - x[:, 3])
    y = (side > 0) ^ (rng.random(ROWS) < 0.03)
    lines = ["a,b,c,d,y" + (",when" if hours else "")]
    begin = dt.datetime(2024, 1, 1)
    for row in range(ROWS):
        cells = [f"{value:.5f}" for value in x[row]] + ["yes" if y[row] else "no"]
        if hours:
            cells.append((begin + dt.timedelta(hours=hours * row)).isoformat())
        lines.append(",".join(cells))
    path.write_text("\n".join(lines))
    return path


def run(path: Path, *lanes: LaneSpec, **parts: Any) -> RunResult:
    ends = parts.pop("evaluation", EvaluationSpec(memory_set=MemorySet(200, 5000)))
    experiment = check(
        Experiment(
            data=parts.pop("data", DataSpec(str(path), "y")),
            split=SplitSpec(train=TRAIN),
            evaluation=ends,
            prices=parts.pop("prices", PriceSpec(error=1.0, retrain=15.0)),
            drift=parts.pop("drift", DriftSpec(features=False)),
            lane=list(lanes),
            **parts,
        )
    )
    return run_experiment(experiment, base=path.parent)


def verdict(result: RunResult) -> Verdict:
    return judge(
        [lane.evidence for lane in result.lanes],
        result.experiment,
        task_kind=result.task.kind,
        start=result.train_rows,
        stop=result.position,
    )


def row(told: Verdict, name: str) -> LaneRow:
    return next(lane for lane in told.lanes if lane.name == name)


def error(result: RunResult, lane: str, start: int, stop: int) -> float:
    """Error rate of a lane on rows [start, stop)."""
    losses = next(one for one in result.lanes if one.name == lane).losses
    inside = (losses.sample_positions >= start) & (losses.sample_positions < stop)
    assert inside.sum() == stop - start  # every row of a short stream is in the sample
    return float(losses.sample_losses[inside].mean())


def happened(result: RunResult, lane: str, kind: str) -> list[int]:
    return [event.position for name, event in result.events if (name, event.kind) == (lane, kind)]


def test_nothing_drifts_static_wins_and_the_verdict_says_so(tmp_path: Path) -> None:
    result = run(write(tmp_path / "a.csv", lambda _: 0.0), STATIC, SCHEDULED, ALARM, LEARNS)
    told = verdict(result)
    assert told.recommended == "Static"
    assert told.sentence.startswith("Deploy Static")
    assert error(result, "Static", TRAIN, ROWS) < 0.045
    # What is retrained or learns cannot be told from it by its errors, or is worse.
    assert all(row(told, name).outcome in ("tie", "worse") for name in ("Alarm", "Online"))
    assert row(told, "Alarm").retrains <= 1


def test_abrupt_drift_is_found_and_repaired(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", lambda r: 0.0 if r < 6000 else 0.25)
    drift = DriftSpec(features=False, known=[6000], tolerance=1500)
    result = run(path, STATIC, SCHEDULED, ALARM, LEARNS, drift=drift)
    told = verdict(result)
    assert error(result, "Static", 6500, ROWS) > 0.4
    first = next(at for at in happened(result, "Alarm", "retrain") if at >= 6000)
    assert first < 6700  # the alarm, then 500 rows to learn the new state from
    assert error(result, "Alarm", 8500, ROWS) < 0.06
    assert error(result, "Online", 8500, ROWS) < 0.08
    assert told.recommended in ("Alarm", "Online", "Scheduled")
    assert told.sure in ("clear", "likely")
    assert row(told, "Static").outcome == "worse"
    score = row(told, "Static").drift
    assert score is not None
    assert (score.known, score.detected, score.missed) == (1, 1, 0)
    assert score.delay is not None
    assert score.delay < 500


def test_recurring_drift(tmp_path: Path) -> None:
    """Every 2,000 rows the plane turns over and back: half the time a static model is wrong."""
    path = write(tmp_path / "a.csv", lambda r: 0.5 * (r // 2000 % 2 == 0) if r >= TRAIN else 0.0)
    told = verdict(result := run(path, STATIC, ALARM, LEARNS, prices=PriceSpec(error=1.0)))
    assert 0.4 < error(result, "Static", TRAIN, ROWS) < 0.7
    assert error(result, "Online", TRAIN, ROWS) < 0.2
    assert error(result, "Alarm", TRAIN, ROWS) < 0.25
    assert len(happened(result, "Alarm", "retrain")) >= 4
    assert told.recommended in ("Online", "Alarm")
    assert row(told, "Static").outcome == "worse"


def test_slow_drift(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", lambda r: 0.25 * max(0, r - TRAIN) / (ROWS - TRAIN))
    told = verdict(result := run(path, STATIC, SCHEDULED, LEARNS))
    assert error(result, "Static", 10_000, ROWS) > 0.35
    assert error(result, "Scheduled", 10_000, ROWS) < 0.15
    assert error(result, "Online", 10_000, ROWS) < 0.12
    assert told.recommended in ("Online", "Scheduled")
    assert row(told, "Static").outcome == "worse"


def test_a_burst_of_wrong_labels(tmp_path: Path) -> None:
    """Half an hour of wrong labels: who learns from everything suffers, who is guarded recovers."""
    path = write(tmp_path / "a.csv", lambda _: 0.0)
    guarded = replace(LEARNS, name="Guarded", guard=GuardSpec(rollback=0.05, check_every=500))
    strict = replace(LEARNS, name="Strict", guard=GuardSpec(loss=0.9, window=4000))
    noise = LabelNoise(start=6000, stop=7000, rate=0.9)
    result = run(path, STATIC, LEARNS, guarded, strict, fault=[noise])
    assert error(result, "Online", 6500, 7000) > 0.5
    assert error(result, "Static", 6000, 7200) < 0.06  # it is scored against what is true
    assert happened(result, "Guarded", "rollback")
    assert error(result, "Guarded", 6500, 7500) < error(result, "Online", 6500, 7500)
    assert error(result, "Strict", 6500, 7500) < error(result, "Online", 6500, 7500) - 0.2
    assert error(result, "Guarded", 9000, ROWS) < 0.06
    told = verdict(result)
    assert row(told, "Strict").quarantined > 300
    assert row(told, "Guarded").rollbacks >= 1


def test_labels_that_come_a_day_late(tmp_path: Path) -> None:
    """A row an hour, so that labels are 24 rows late; an alarm is later by as much."""
    path = write(tmp_path / "a.csv", lambda r: 0.0 if r < 6000 else 0.25, hours=1.0)
    data = DataSpec(str(path), "y", time="when")
    alarms = {}
    for delay in (0, "1d", "20d"):
        ends = EvaluationSpec(label_delay=delay, memory_set=MemorySet(200, 5000))
        result = run(path, STATIC, ALARM, LEARNS, data=data, evaluation=ends)
        alarms[delay] = next(at for at in happened(result, "Static", "drift") if at >= 6000)
        assert error(result, "Alarm", 9000, ROWS) < 0.08
    # The same errors reach the detector in the same order, only later.
    assert alarms["1d"] == alarms[0] + 24
    assert alarms["20d"] == alarms[0] + 480


@pytest.mark.parametrize("backlog", ["arrives", "lost"])
def test_an_outage(tmp_path: Path, backlog: str) -> None:
    """The plane turns while no label gets through: nobody can learn it before the link is back."""
    path = write(tmp_path / "a.csv", lambda r: 0.0 if r < 6000 else 0.25)
    outage = Outage(start=5500, stop=7500, backlog=backlog)
    result = run(path, STATIC, ALARM, LEARNS, fault=[outage])
    assert error(result, "Online", 6000, 7500) > 0.4
    assert error(result, "Online", 9500, ROWS) < 0.1
    assert not [at for at in happened(result, "Alarm", "retrain") if 5501 < at < 7500]
    online = next(lane for lane in result.lanes if lane.name == "Online")
    assert online.updates == 10_000 - (2000 if backlog == "lost" else 0)
    spans = [e.position for _, e in result.events if e.kind in ("fault", "fault_end")]
    assert spans == [5500, 7500]


def test_drift_that_is_injected_is_a_drift(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", lambda _: 0.0)
    fault = DriftFault(start=6000, how="relabel", shape="sudden")
    told = verdict(result := run(path, STATIC, ALARM, LEARNS, fault=[fault]))
    assert error(result, "Static", 6000, ROWS) > 0.9
    assert error(result, "Alarm", 8000, ROWS) < 0.08
    score = row(told, "Static").drift
    assert score is not None
    assert score.detected == 1


def test_the_same_to_the_last_bit_whatever_the_chunks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", lambda r: 0.0 if r < 6000 else 0.25)
    noise = LabelNoise(start=7000, stop=7300, rate=0.5)
    results = [
        run(path, STATIC, ALARM, LEARNS, fault=[noise], replay=ReplaySpec(chunk_rows=rows))
        for rows in (8192, 101)
    ]
    for one, other in zip(results[0].lanes, results[1].lanes, strict=True):
        assert one.losses.sample_losses.tobytes() == other.losses.sample_losses.tobytes()
        assert one.metrics == other.metrics
    told = [verdict(result) for result in results]
    assert told[0].recommended == told[1].recommended
    assert [lane.error for lane in told[0].lanes] == [lane.error for lane in told[1].lanes]
