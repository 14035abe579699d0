"""The lanes that an experiment has when nobody chose any."""

from __future__ import annotations

import pytest

from modellab.experiment import (
    DataSpec,
    Experiment,
    LaneSpec,
    LearnerSpec,
    ScheduledPolicy,
    StaticPolicy,
    TrainSpec,
    TriggeredPolicy,
    check,
    replace,
)
from modellab.lanes import baseline_lanes, default_lanes, with_default_lanes
from modellab.learners.catalogue import entry

HOUR = 3600 * 10**9


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("mode", ["memory", "chunks"])
def test_default_lanes_can_be_run(task: str, mode: str) -> None:
    plain = Experiment(data=DataSpec("a.csv", "y"), training=TrainSpec(mode=mode))  # type: ignore[arg-type]
    experiment = check(with_default_lanes(plain, task, stream_rows=5000, span_ns=0))
    assert [lane.policy.__class__.__name__ for lane in experiment.lane] == [
        "StaticPolicy",
        "ScheduledPolicy",
        "TriggeredPolicy",
        "OnlinePolicy",
        "OnlinePolicy",
    ]
    for lane in [*experiment.lane, *baseline_lanes(task, [])]:
        line = entry(lane.learner)
        assert task in line.tasks
        if mode == "chunks" and line.family != "baseline":
            assert line.chunks


def test_lanes_of_ones_own_stay() -> None:
    mine = [LaneSpec("Mine", StaticPolicy(), LearnerSpec("knn"))]
    plain = Experiment(data=DataSpec("a.csv", "y"), lane=mine)
    assert with_default_lanes(plain, "regression", stream_rows=10, span_ns=0).lane == mine
    assert replace(plain, lane=[]).lane == []


@pytest.mark.parametrize(
    ("rows", "span", "every"),
    [
        (274_971, 304 * 24 * HOUR, "30d"),
        (50_000, 70 * 24 * HOUR, "7d"),
        (50_000, 10 * HOUR, "1h"),
        (50_000, 40 * HOUR, "6h"),
        (36_000, 0, 3000),
        (36_000, HOUR // 60, 3000),
        (9, 0, 1),
        (1, 0, 1),
    ],
)
def test_about_ten_retrains_at_a_round_interval(rows: int, span: int, every: int | str) -> None:
    lanes = default_lanes("classification", stream_rows=rows, span_ns=span)
    policy = lanes[1].policy
    assert isinstance(policy, ScheduledPolicy)
    assert policy.every == every


def test_baselines_give_way_to_names_that_are_taken() -> None:
    names = [lane.name for lane in baseline_lanes("classification", ["No change"])]
    assert names == ["Majority class", "No change (baseline)"]


@pytest.mark.parametrize("rows", [3000, 40_000, 1_000_000])
def test_an_alarm_is_not_answered_in_haste(rows: int) -> None:
    """What was learned from few rows, and was better by chance, must not be deployed."""
    lanes = default_lanes("classification", stream_rows=rows)
    policy = next(lane.policy for lane in lanes if isinstance(lane.policy, TriggeredPolicy))
    assert policy.keep == "better"
    assert policy.level <= 0.05
    assert isinstance(policy.cooldown, int)
    assert policy.collect < policy.cooldown
    assert policy.test_rows >= policy.collect // 2
    assert rows < 50_000 or rows // policy.cooldown <= 25
