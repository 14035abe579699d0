"""The experiment's values: spans, random numbers, and the checks that types cannot make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.errors import ExperimentError
from modellab.experiment import (
    DataSpec,
    EvaluationSpec,
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    PriceSpec,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    TrainSpec,
    check,
    parse_span,
    replace,
    rows_or_span,
    stream_rng,
)

HOUR = 3600 * 10**9
LANE = LaneSpec("A", OnlinePolicy(), LearnerSpec("linear"))
GOOD = Experiment(data=DataSpec(path="x.csv", target="y"), lane=[LANE])


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2h", 2 * HOUR),
        ("90s", 90 * 10**9),
        ("1d12h", 36 * HOUR),
        (" 1w 1d ", 8 * 24 * HOUR),
        ("1.5h", 90 * 60 * 10**9),
        ("5m", 5 * 60 * 10**9),
        ("5min", 5 * 60 * 10**9),
        ("250ms", 250 * 10**6),
    ],
)
def test_spans_are_understood(text: str, nanoseconds: int) -> None:
    assert parse_span(text) == nanoseconds
    assert rows_or_span(text, "x") == (0, nanoseconds)


@pytest.mark.parametrize("text", ["", " ", "2", "h", "2 hours", "-2h", "0h", "2h x", "1e3s"])
def test_what_is_no_span_is_told(text: str) -> None:
    with pytest.raises(ExperimentError, match="such as 90s, 30min, 2h, 7d or 1w"):
        parse_span(text, "evaluation.label_delay")


@given(st.integers(1, 10**6), st.sampled_from(["s", "min", "h", "d", "w"]))
def test_every_span_is_positive(count: int, unit: str) -> None:
    assert parse_span(f"{count}{unit}") == count * parse_span(f"1{unit}")


def test_rows_stay_rows() -> None:
    assert rows_or_span(250, "x") == (250, 0)


def test_random_numbers_are_keyed_by_what_they_are_for() -> None:
    keys = [
        (0, "a", 0),
        (1, "a", 0),
        (0, "b", 0),
        (0, "a", 1),
        (2**62, "a", 0),
        (2**62 + 1, "a", 0),
    ]
    drawn = [stream_rng(*key).integers(0, 2**62, 4).tolist() for key in keys]
    assert len({tuple(numbers) for numbers in drawn}) == len(keys)
    again = [stream_rng(*key).integers(0, 2**62, 4).tolist() for key in reversed(keys)]
    assert again[::-1] == drawn


def test_a_good_experiment_passes() -> None:
    assert check(GOOD) is GOOD


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"modellab": 2}, "newer Model Lab"),
        ({"data": DataSpec(path="", target="y")}, "data.path is empty"),
        ({"data": DataSpec(path=[], target="y")}, "data.path is empty"),
        ({"data": DataSpec(path="x", target="")}, "data.target is empty"),
        ({"data": DataSpec(path="x", target="y", time="y")}, "the same column"),
        ({"data": DataSpec(path="x", target="y", ignore=["y"])}, "also listed in data.ignore"),
        ({"split": SplitSpec(train=1.5)}, "fraction between 0 and 1"),
        ({"split": SplitSpec(train=-0.1)}, "fraction between 0 and 1"),
        ({"split": SplitSpec(train=float("nan"))}, "fraction between 0 and 1"),
        ({"split": SplitSpec(train=-1)}, "negative"),
        ({"split": SplitSpec(train=1.0)}, "fraction between 0 and 1"),  # all rows, or one?
        ({"split": SplitSpec(test=1.0)}, "split.test is 1, but must lie between 0 and 0.9"),
        ({"training": TrainSpec(chunk_rows=0)}, "training.chunk_rows is 0"),
        ({"training": TrainSpec(passes=0)}, "training.passes"),
        ({"evaluation": EvaluationSpec(window=0)}, "evaluation.window is 0"),
        ({"evaluation": EvaluationSpec(fading=1.5)}, "evaluation.fading"),
        ({"evaluation": EvaluationSpec(label_delay=-1)}, "evaluation.label_delay"),
        ({"evaluation": EvaluationSpec(label_delay="soon")}, "is not understood"),
        ({"evaluation": EvaluationSpec(memory_set=MemorySet(every=0))}, "memory_set.every"),
        ({"replay": ReplaySpec(chunk_rows=0)}, "replay.chunk_rows is 0, but must be at least 1"),
        ({"replay": ReplaySpec(seed=-1)}, "replay.seed"),
        ({"prices": PriceSpec(error=float("inf"))}, "prices.error"),
        ({"prices": PriceSpec(cpu_hour=float("nan"))}, "prices.cpu_hour"),
        ({"lane": [replace(LANE, name=" ")]}, "no name"),
        ({"lane": [LANE, LANE]}, "Two lanes are called"),
        ({"lane": [replace(LANE, policy=OnlinePolicy(every=0))]}, "every"),
        ({"lane": [replace(LANE, policy=OnlinePolicy(batch=0))]}, "batch"),
        ({"lane": [replace(LANE, policy=ScheduledPolicy(every=0))]}, "every"),
        ({"lane": [replace(LANE, policy=ScheduledPolicy(keep="some"))]}, "keep"),
        ({"lane": [replace(LANE, policy=ScheduledPolicy(keep=0))]}, "keep"),
        ({"lane": [replace(LANE, policy=ScheduledPolicy(delay="x"))]}, "is not understood"),
        ({"lane": [replace(LANE, learner=LearnerSpec("l", None, {"C": float("inf")}))]}, "finite"),
        ({"lane": [replace(LANE, learner=LearnerSpec("l", None, {"C": 2**64}))]}, "too large"),
        ({"split": SplitSpec(train=10**30)}, "too large"),
        ({"intervention": [Intervention(1, "A", {"x": -(2**70)})]}, "too large"),
        ({"intervention": [Intervention(1, "A", {"x": float("nan")})]}, "finite"),
        ({"intervention": [Intervention(1, "B", {"x": 1})]}, "which the experiment does not have"),
        ({"intervention": [Intervention(1, "A")]}, "one of set, fork and rollback"),
        ({"intervention": [Intervention(1, "A", {"x": 1}, "F")]}, "one of set, fork and rollback"),
        ({"intervention": [Intervention(1, "A", fork="A")]}, "a name of its own"),
        (
            {"intervention": [Intervention(2, "A", {"x": 1}), Intervention(1, "A", {"x": 1})]},
            "not in order",
        ),
    ],
)
def test_what_is_not_allowed_is_told(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ExperimentError, match=words) as caught:
        check(replace(GOOD, **changes))
    assert "\n" not in caught.value.sentence


def test_a_fork_may_be_changed_and_forked() -> None:
    journal = [
        Intervention(5, "A", fork="F"),
        Intervention(5, "F", {"learning_rate": 0.1}),
        Intervention(9, "F", fork="G"),
    ]
    assert check(replace(GOOD, intervention=journal))
    with pytest.raises(ExperimentError, match="which the experiment does not have"):
        check(replace(GOOD, intervention=journal[1:]))


def test_lanes_are_found_by_name() -> None:
    assert GOOD.lane_named("A") is LANE
    with pytest.raises(ExperimentError, match="no lane called “B”"):
        GOOD.lane_named("B")
