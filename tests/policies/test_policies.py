"""Policies on a small stream that is known row by row."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.errors import ExperimentError, LabError, LearnerError
from modellab.experiment import OnlinePolicy, ScheduledPolicy, StaticPolicy
from modellab.learners.base import Prediction, Task
from modellab.policies.base import NEVER, Policy, block_end
from modellab.policies.online import Online
from modellab.policies.scheduled import Scheduled
from modellab.policies.static import Static

TASK = Task("regression", (), "y")


class MeanOfSeen:
    """Predicts the mean of all labels it was taught; remembers what it was taught, in order."""

    view = "raw"

    def __init__(self) -> None:
        self.taught: list[float] = []
        self.groups: list[int] = []
        self.shapes: list[int] = []

    def fit(self, rows: Any, y: Any, progress: Any = None) -> None:
        if len(y) and y[-1] == 666:
            raise LearnerError("The number of the beast cannot be learned.")
        self.taught = list(y)

    def learn(self, rows: Any, y: Any, batch: int = 1) -> int:
        assert list(rows[:, 0]) == list(y)
        self.taught += list(y)
        self.groups.append(len(y))
        return -(-len(y) // batch)

    def predict(self, rows: Any) -> Prediction:
        self.shapes.append(len(rows))
        mean = float(np.mean(self.taught)) if self.taught else np.nan
        return Prediction(np.full(len(rows), mean))

    def set(self, name: str, value: Any) -> None:
        raise LearnerError(f"no {name}")

    def state(self) -> bytes:
        return pickle.dumps(self.taught)

    def load_state(self, state: bytes) -> None:
        self.taught = pickle.loads(state)


class Stream:
    """Labels that arrive `delay` rows late; row i's only feature is its label."""

    def __init__(self, y: np.ndarray, train_rows: int, delay: int = 0) -> None:
        self.y, self.train_rows, self.delay, self.task = y, train_rows, delay, TASK
        self.n_rows = len(y)
        self.fit_rows, self.test_rows = train_rows, 0

    def rows(self, view: str, start: int, stop: int) -> np.ndarray:
        return self.y[start:stop, None]

    def labels(self, start: int, stop: int) -> np.ndarray:
        return self.y[start:stop]

    def label_upto(self, start: int, stop: int) -> np.ndarray:
        return np.maximum(np.arange(start, stop) + 1 - self.delay, self.train_rows)

    def next_link(self, position: int) -> int:
        return position

    def position_at(self, start: int, rows: int, span_ns: int) -> int:
        return start + rows if not span_ns else min(start + span_ns // 10**9, NEVER)

    def build(self, spec: Any = None) -> MeanOfSeen:
        return MeanOfSeen()

    def fit(self, learner: Any, start: int, stop: int) -> int:
        y = self.y[start:stop]
        y = y[~np.isnan(y)]
        learner.fit(y[:, None], y)
        return len(y)

    def loss(self, learner: Any, start: int, stop: int) -> float:
        if stop <= start:
            return float("nan")
        y = self.y[start:stop]
        return float(np.nanmean(np.abs(learner.predict(y[:, None]).value - y)))


def play(policy: Policy, start: int, stop: int, cuts: list[int]) -> np.ndarray:
    """Step through [start, stop) with extra cuts; blocks are respected as the lane does."""
    values = []
    ends = sorted({*cuts, stop})
    at = start
    while at < stop:
        end = min(block_end(at), next(e for e in ends if e > at))
        values.append(policy.step(at, end).value)
        at = end
    return np.concatenate(values)


def test_static_never_changes() -> None:
    y = np.arange(3000.0)
    learner = MeanOfSeen()
    learner.taught = [5.0]
    policy = Static(StaticPolicy(), learner, Stream(y, 100))  # type: ignore[arg-type]
    assert set(play(policy, 100, 3000, [])) == {5.0}
    assert learner.shapes == [924, 1024, 952]  # whole pieces, not what was asked for
    assert policy.counters.updates == 0


def test_online_tests_each_row_and_then_learns_it() -> None:
    y = np.array([4.0, 2.0, 6.0, 8.0])
    policy = Online(OnlinePolicy(), MeanOfSeen(), Stream(y, 0))  # type: ignore[arg-type]
    got = play(policy, 0, 4, [])
    assert np.isnan(got[0])
    assert list(got[1:]) == [4.0, 3.0, 4.0]
    assert policy.counters.updates == 4


@given(
    every=st.integers(1, 7),
    batch=st.integers(1, 5),
    delay=st.integers(0, 40),
    gaps=st.sets(st.integers(0, 199), max_size=60),
    cuts=st.lists(st.integers(11, 199), max_size=30),
)
def test_online_by_its_definition_however_it_is_cut(
    every: int, batch: int, delay: int, gaps: set[int], cuts: list[int]
) -> None:
    y = np.arange(200.0)
    y[sorted(gaps)] = np.nan
    train = 10
    learner = MeanOfSeen()
    policy = Online(OnlinePolicy(every=every, batch=batch), learner, Stream(y, train, delay))  # type: ignore[arg-type]
    got = play(policy, train, 200, cuts)

    taught: list[float] = []
    waiting: list[float] = []
    updates = 0
    for i in range(train, 200):
        expected = np.mean(taught) if taught else np.nan
        np.testing.assert_equal(got[i - train], expected)
        arrived = i - delay
        if arrived >= train and not np.isnan(y[arrived]):
            waiting.append(y[arrived])
        if len(waiting) == every:
            taught += waiting
            updates += -(-every // batch)
            waiting = []
    assert learner.taught == taught
    assert policy.counters.updates == updates


def test_rows_wait_for_their_labels_and_for_the_next_update() -> None:
    policy = Online(OnlinePolicy(every=7), MeanOfSeen(), Stream(np.arange(90.0), 0, 20))  # type: ignore[arg-type]
    play(policy, 0, 60, [])
    assert policy.counters.updates == 35  # 40 labels have come, 5 of them wait
    assert policy.rows_stored(60) == 25


def test_frozen_rows_are_never_learned() -> None:
    y = np.arange(30.0)
    learner = MeanOfSeen()
    policy = Online(OnlinePolicy(), learner, Stream(y, 0, 2))  # type: ignore[arg-type]
    play(policy, 0, 10, [])
    policy.set("frozen", True)
    play(policy, 10, 20, [])
    policy.set("frozen", False)
    play(policy, 20, 30, [])
    assert learner.taught == [*range(8), *range(18, 28)]


@pytest.mark.parametrize(("name", "value"), [("every", 0), ("batch", -1), ("every", "soon")])
def test_wrong_settings_are_refused(name: str, value: Any) -> None:
    policy = Online(OnlinePolicy(), MeanOfSeen(), Stream(np.arange(5.0), 0))  # type: ignore[arg-type]
    with pytest.raises(ExperimentError):
        policy.set(name, value)
    with pytest.raises(LabError):
        policy.set("nothing", 1)
    assert policy.settings() == {"batch": 1, "every": 1, "frozen": False}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("every", -5, "every is -5, but must be at least 1"),
        ("every", "banana", "every “banana” is not understood"),
        ("every", 2.5, "every is 2.5, but must be a whole number or a text"),
        ("delay", "soon", "delay “soon” is not understood"),
        (
            "keep",
            "most",
            'keep must be "all", "alarm" (what came since the last alarm), "better" (that, or',
        ),
        ("keep", 0, "keep is 0, but must be at least 1"),
        ("margin", -1.0, "margin is -1, but must be at least 0"),
        ("test_rows", True, "test_rows is true, but must be a whole number"),
    ],
)
def test_wrong_schedules_are_refused_as_in_a_file(name: str, value: Any, words: str) -> None:
    policy = scheduled(np.zeros(300), 100, every=50)
    before = policy.settings()
    with pytest.raises(ExperimentError, match=re.escape(words)) as caught:
        policy.set(name, value)
    assert "`" not in caught.value.sentence
    assert policy.settings() == before
    play(policy, 100, 300, [])
    assert policy.counters.retrains == 3


class NoTime(Stream):
    """A stream whose data have no time column."""

    def position_at(self, start: int, rows: int, span_ns: int) -> int:
        if span_ns:
            raise ExperimentError("no column is the time")
        return start + rows


def test_a_span_without_a_time_column_is_told_at_once() -> None:
    around: Any = NoTime(np.zeros(300), 100)
    for spec in (ScheduledPolicy(every="7d"), ScheduledPolicy(every=50, delay="2d")):
        with pytest.raises(ExperimentError, match="no column is the time"):
            Scheduled(spec, MeanOfSeen(), around)  # type: ignore[arg-type]
    policy = Scheduled(ScheduledPolicy(every=50), MeanOfSeen(), around)  # type: ignore[arg-type]
    for name in ("every", "delay"):
        with pytest.raises(ExperimentError, match="no column is the time"):
            policy.set(name, "2d")
    assert (policy.spec.every, policy.spec.delay) == (50, 0)


def test_online_state_goes_on_as_if_nothing_had_happened() -> None:
    y = np.arange(60.0)
    whole = Online(OnlinePolicy(every=4), MeanOfSeen(), Stream(y, 0, 3))  # type: ignore[arg-type]
    expected = play(whole, 0, 60, [])
    first = Online(OnlinePolicy(every=4), MeanOfSeen(), Stream(y, 0, 3))  # type: ignore[arg-type]
    head = play(first, 0, 33, [])
    second = Online(OnlinePolicy(every=4), MeanOfSeen(), Stream(y, 0, 3))  # type: ignore[arg-type]
    second.learner.load_state(first.learner.state())
    second.load_state(pickle.loads(pickle.dumps(first.state())))
    tail = play(second, 33, 60, [])
    np.testing.assert_equal(np.concatenate([head, tail]), expected)


def scheduled(y: np.ndarray, train: int, delay_labels: int = 0, **spec: Any) -> Scheduled:
    stream = Stream(y, train, delay_labels)
    learner = stream.build()
    stream.fit(learner, 0, train)
    return Scheduled(ScheduledPolicy(**spec), learner, stream)  # type: ignore[arg-type]


def test_the_cycle_collects_tests_and_redeploys() -> None:
    y = np.concatenate([np.zeros(100), np.full(300, 10.0)])
    policy = scheduled(y, 100, every=100, keep="all", test_rows=20)
    got = play(policy, 100, 400, [])
    assert set(got[:100]) == {0.0}
    # At row 200: rows 0 to 180 are fitted, rows 180 to 200 test.
    assert got[100] == pytest.approx(800 / 180)
    assert got[200] == pytest.approx(1800 / 280)
    assert policy.counters.retrains == 2
    assert policy.counters.redeploys == 2
    first = policy.events[0]
    assert (first.position, first.kind) == (200, "retrain")
    assert first.values["old_error"] == pytest.approx(10.0)
    assert first.values["new_error"] == pytest.approx(10 - 800 / 180)


def test_a_worse_model_is_rejected_unless_the_margin_allows_it() -> None:
    y = np.concatenate([np.zeros(50), np.full(100, 9.0), np.zeros(50)])
    strict = scheduled(y, 50, every=110, keep=100, test_rows=10)
    play(strict, 50, 200, [])
    assert strict.counters.rejected == 1
    assert strict.counters.redeploys == 0
    assert strict.events[0].kind == "reject"
    lax = scheduled(y, 50, every=110, keep=100, test_rows=10, margin=9.0)
    play(lax, 50, 200, [])
    assert lax.counters.redeploys == 1


def test_the_old_model_serves_until_the_delay_is_over() -> None:
    y = np.concatenate([np.zeros(100), np.full(200, 10.0)])
    policy = scheduled(y, 100, every=100, test_rows=0, delay=30)
    got = play(policy, 100, 300, [])
    assert set(got[:130]) == {0.0}
    assert set(got[130:]) == {5.0}
    kinds = [(e.position, e.kind) for e in policy.events]
    assert kinds[:2] == [(200, "retrain"), (230, "redeploy")]


def test_labels_that_have_not_arrived_are_not_trained_on() -> None:
    y = np.concatenate([np.zeros(100), np.full(200, 10.0)])
    policy = scheduled(y, 100, 40, every=100, test_rows=0)
    got = play(policy, 100, 300, [])
    assert got[150] == pytest.approx(600 / 160)


def test_keep_takes_the_newest_rows() -> None:
    y = np.concatenate([np.zeros(100), np.full(200, 10.0)])
    policy = scheduled(y, 100, every="100s", test_rows=0, keep=50)
    assert set(play(policy, 100, 300, [])[100:]) == {10.0}


def test_a_retrain_that_fails_leaves_the_old_model() -> None:
    y = np.concatenate([np.zeros(199), [666.0], np.zeros(100)])
    policy = scheduled(y, 100, every=100, test_rows=0)
    got = play(policy, 100, 300, [])
    assert set(got) == {0.0}
    assert policy.events[0].kind == "warning"
    assert "beast" in policy.events[0].text


def test_rows_that_the_running_model_was_trained_on_are_no_test() -> None:
    """Else the old model, which knows them, would win against a better one."""
    y = np.concatenate([np.zeros(100), np.full(40, 10.0), np.zeros(60), np.full(40, 10.0)])
    policy = scheduled(y, 100, every=20, keep=40, test_rows=30)
    play(policy, 100, 160, [])
    first, second = (e.values for e in policy.events if e.kind == "retrain")
    # At row 120, rows 80 to 120 are kept; half of those after the training window are the test.
    assert (first["first_row"], first["last_row"], first["test_rows"]) == (80, 110, 10)
    assert first["old_error"] == 10.0
    # Deployed is a model of rows up to 110: from there on all rows may test it.
    assert (second["last_row"], second["test_rows"]) == (125, 15)


def test_without_any_unseen_label_a_retrain_goes_untested() -> None:
    policy = scheduled(np.zeros(200), 100, 90, every=50, test_rows=20)
    play(policy, 100, 160, [])
    values = policy.events[0].values
    assert (values["last_row"], values["test_rows"], values["new_error"]) == (100, 0, None)


@given(cuts=st.lists(st.integers(101, 299), max_size=12))
def test_a_schedule_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    y = np.sin(np.arange(300.0))
    spec: dict[str, Any] = {"every": 41, "test_rows": 7, "keep": 90, "delay": 5}
    whole, cut = scheduled(y, 100, **spec), scheduled(y, 100, **spec)
    assert play(whole, 100, 300, []).tobytes() == play(cut, 100, 300, cuts).tobytes()
    assert whole.events == cut.events


def test_a_schedule_goes_on_from_its_state() -> None:
    y = np.cos(np.arange(300.0))
    spec: dict[str, Any] = {"every": 50, "test_rows": 9, "delay": 20}
    whole, first = scheduled(y, 100, **spec), scheduled(y, 100, **spec)
    expected = play(whole, 100, 300, [])
    head = play(first, 100, 160, [])  # between a retrain and its redeployment
    second = scheduled(y, 100, **spec)
    second.learner.load_state(first.learner.state())
    second.load_state(pickle.loads(pickle.dumps(first.state())))
    np.testing.assert_equal(np.concatenate([head, play(second, 160, 300, [])]), expected)
