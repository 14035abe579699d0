"""The memory set is a fair and fixed sample; forgetting is the distance from the best score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.evaluation import forgetting
from modellab.evaluation.forgetting import Forgetting, choose_memory_set, score
from modellab.learners.base import Prediction, Task

TWO = Task("classification", ("no", "yes"))
REGRESSION = Task("regression")


def choose(task: Task, y: np.ndarray, rows: int, seed: int = 0, start: int = 0) -> np.ndarray:
    return choose_memory_set(task, lambda a, b: y[a:b], start, len(y), rows, seed)


@given(
    counts=st.lists(st.integers(0, 400), min_size=2, max_size=6),
    missing=st.integers(0, 50),
    rows=st.integers(0, 300),
    seed=st.integers(0, 99),
)
def test_each_class_has_its_share(counts: list[int], missing: int, rows: int, seed: int) -> None:
    y = np.repeat(np.arange(-1, len(counts)), [missing, *counts])
    np.random.default_rng(seed).shuffle(y)
    task = Task("classification", tuple(range(len(counts))))
    at = choose(task, y, rows, seed)
    total = sum(counts)
    assert len(at) == min(rows, total)
    assert (np.diff(at) > 0).all()
    assert (y[at] >= 0).all()
    chosen = np.bincount(y[at], minlength=len(counts))
    present = sum(c > 0 for c in counts)
    for count, found in zip(counts, chosen.tolist(), strict=True):
        share = min(rows, total) * count / total if total else 0
        # Whole rows, and what the rarest classes are given for nothing.
        assert share - 1 - present <= found <= math.ceil(share) + 1
        if count and min(rows, total) >= present:
            assert found >= 1


def test_the_set_depends_on_the_seed_and_on_nothing_else() -> None:
    y = np.random.default_rng(0).integers(0, 2, 200_000)
    one = choose(TWO, y, 2000)
    assert len(one) == 2000
    np.testing.assert_array_equal(one, choose(TWO, y, 2000))
    assert (one != choose(TWO, y, 2000, seed=1)).any()
    assert abs(y[one].mean() - y.mean()) < 1e-3
    # Spread over the whole window.
    assert np.histogram(one, 10, (0, 200_000))[0].min() > 140


def test_rows_before_the_start_are_not_taken() -> None:
    y = np.zeros(1000, dtype=int)
    assert choose(TWO, y, 10, start=990).tolist() == list(range(990, 1000))


def test_a_regression_set_is_spread_over_the_labels() -> None:
    rng = np.random.default_rng(1)
    y = rng.lognormal(size=100_000)
    y[::10] = np.nan
    at = choose(REGRESSION, y, 500)
    assert len(at) == 500
    assert np.isfinite(y[at]).all()
    for q in (0.1, 0.5, 0.9):
        assert np.nanquantile(y[at], q) == pytest.approx(np.nanquantile(y, q), rel=0.1)
    assert len(choose(REGRESSION, y[:50], 500)) == 45


def test_a_long_window_needs_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    smallest = forgetting._smallest

    def watched(keys: np.ndarray, strata: np.ndarray, limit: int) -> np.ndarray:
        sizes.append(len(keys))
        return smallest(keys, strata, limit)

    monkeypatch.setattr(forgetting, "_smallest", watched)
    choose(TWO, np.zeros(500_000, dtype=int), 100)
    assert max(sizes) <= 65_536 + 200


def test_nothing_to_choose_from() -> None:
    assert choose(TWO, np.full(10, -1), 5).tolist() == []
    assert choose(TWO, np.zeros(10, dtype=int), 0).tolist() == []
    assert choose(REGRESSION, np.full(3, np.nan), 5).tolist() == []


def test_scores() -> None:
    y = np.array([0, 1, 1, 0])
    assert score(TWO, y, Prediction(np.array([0, 1, 0, -1]))) == 0.5
    assert score(TWO, y[:0], Prediction(y[:0])) is None
    guess = Prediction(np.array([1.0, 2.0, np.nan]))
    assert score(REGRESSION, np.array([0.0, 4.0, 1.0]), guess) == -1.5
    assert score(REGRESSION, np.zeros(1), Prediction(np.array([np.nan]))) is None


@given(st.lists(st.one_of(st.none(), st.floats(-10, 10)), min_size=1, max_size=20))
def test_forgetting_is_the_best_so_far_less_the_score_now(values: list[float | None]) -> None:
    lane = Forgetting(every=5)
    for k, value in enumerate(values):
        found = lane.record(5 * k, value)
        known = [v for v in values[: k + 1] if v is not None]
        assert found == (max(known) - value if value is not None else None)
        assert found is None or found >= 0
        again = Forgetting(every=5)
        again.load_state(lane.state())
        lane = again
    assert lane.position == 5 * (len(values) - 1)


def test_it_is_scored_at_multiples() -> None:
    lane = Forgetting(every=5000)
    assert [lane.next_due(p) for p in (0, 1, 4999, 5000, 5001)] == [0, 5000, 5000, 5000, 10000]
    assert lane.value is None
