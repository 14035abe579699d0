"""The references know what a lane knows, and nothing of how the stream was cut."""

from __future__ import annotations

import csv
import itertools
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.evaluation.references import References
from modellab.learners.base import Task

REGRESSION = Task("regression", target="y")


def task_of(k: int) -> Task:
    return Task("classification", tuple(f"class {c}" for c in range(k))) if k else REGRESSION


def make_labels(n: int, k: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if k:
        return rng.integers(-1, k, n)
    return np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n) * 10.0)


def slow(y: np.ndarray, k: int) -> tuple[float, float]:
    """Majority or mean, and last, of the labels known so far."""
    known = [v for v in y.tolist() if (v >= 0 if k else math.isfinite(v))]
    if not known:
        return (-1, -1) if k else (math.nan, math.nan)
    # Of classes as frequent, the one that came first.
    common = max(known, key=lambda c: (known.count(c), -known.index(c))) if k else np.mean(known)
    return common, known[-1]


@given(
    n=st.integers(1, 120),
    train=st.integers(0, 60),
    k=st.sampled_from([0, 2, 3, 9]),
    seed=st.integers(0, 999),
    delay=st.sampled_from([0, 1, 5, 1000]),
    cuts=st.lists(st.integers(0, 120), max_size=6),
)
def test_each_row_is_predicted_from_the_labels_known_before_it(
    n: int, train: int, k: int, seed: int, delay: int, cuts: list[int]
) -> None:
    train = min(train, n)
    y = make_labels(n, k, seed)
    upto = np.maximum(train, np.arange(n) + 1 - delay)
    whole = References(task_of(k))
    whole.learn(y[:train])
    once = whole.predict(upto[train:], y[train : int(upto[-1])] if train < n else y[:0])
    refs = References(task_of(k))
    for part in np.split(y[:train], sorted(min(c, train) for c in cuts)):
        refs.learn(part)
    at_once = References(task_of(k))
    at_once.load_state(refs.state())
    edges = sorted({train, n, *[c for c in cuts if train <= c <= n]})
    common, last = [], []
    for start, stop in itertools.pairwise(edges):
        again = References(task_of(k))
        again.load_state(pickle.loads(pickle.dumps(refs.state())))
        refs = again
        arrived = y[refs.known : int(upto[stop - 1])]
        found = refs.predict(upto[start:stop], arrived)
        if k and delay == 0:
            prompt = References(task_of(k))
            prompt.load_state(at_once.state())
            both = prompt.right_at_once(y[start:stop])
            assert np.array_equal(both, found.correct(y[start:stop]))
            assert repr(prompt.state()) == repr(refs.state())
        if k:
            told = at_once.right(upto[start:stop], arrived, y[start:stop])
            assert np.array_equal(told, found.correct(y[start:stop]))
            assert repr(at_once.state()) == repr(refs.state())
        common.append(found.common)
        last.append(found.last)
    if common:
        assert np.concatenate(common).tobytes() == once.common.tobytes()
        assert np.concatenate(last).tobytes() == once.last.tobytes()
    assert repr(refs.state()) == repr(whole.state())
    for i in range(train, n):
        known = int(upto[i - 1]) if i > train else train
        expected = slow(y[:known], k)
        assert once.common[i - train] == pytest.approx(expected[0], rel=1e-9, nan_ok=True)
        assert once.last[i - train] == pytest.approx(expected[1], nan_ok=True)


def test_a_cold_start_gives_no_answer_before_the_first_label() -> None:
    refs = References(task_of(2))
    found = refs.predict(np.array([1, 2, 3]), np.array([-1, 1, 0]))
    assert found.common.tolist() == [-1, -1, 1]
    assert found.last.tolist() == [-1, -1, 1]
    right, same = found.correct(np.array([-1, 1, 1]))
    assert right.tolist() == same.tolist() == [False, False, True]
    assert refs.predict(np.array([4]), np.array([0])).common.tolist() == [1]  # a tie
    means = References(REGRESSION)
    assert np.isnan(means.predict(np.array([1]), np.array([3.0])).common).all()
    assert means.predict(np.array([2]), np.array([5.0])).common.tolist() == [3.0]


def test_labels_that_do_not_fit_are_refused() -> None:
    for seen in ([], [0, 1]):
        refs = References(task_of(2))
        refs.learn(np.array(seen, dtype=np.int64))
        with pytest.raises(ValueError, match="not one of the classes"):
            refs.right_at_once(np.array([0, 2, 1]))
    refs = References(task_of(2))
    with pytest.raises(ValueError, match=r"labels \[0, 2\) are wanted, 1 were given"):
        refs.predict(np.array([1, 2]), np.array([0]))
    with pytest.raises(ValueError, match="are wanted"):
        refs.right(np.array([1, 2]), np.array([0]), np.array([0, 0]))
    assert len(refs.predict(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)).last) == 0


def test_electricity_has_the_known_baselines(electricity: Path) -> None:
    from river import dummy

    with electricity.open(newline="") as file:
        texts = [row["class"] for row in csv.DictReader(file)]
    y = np.array([text == "UP" for text in texts]).astype(np.int64)
    assert len(y) == 45_312
    refs = References(task_of(2))
    right, same = refs.predict(np.arange(1, len(y) + 1), y).correct(y)
    assert round(100 * right.mean(), 2) == 57.53
    assert round(100 * same.mean(), 2) == 85.33
    model = dummy.PriorClassifier()
    for label, ours in zip(y.tolist(), right.tolist(), strict=True):
        assert (model.predict_one({}) == label) == ours
        model.learn_one({}, label)
