"""Many learning rates on sparse rows: each is to the bit what one model with that rate is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.data.sparse import SparseRows, beside
from modellab.learners.compiled import sparse_rate_map
from modellab.learners.compiled.rate_map import RateMap
from modellab.learners.compiled.sparse_kernel import SparseKernel
from modellab.learners.compiled.sparse_rate_map import SparseRateMap

WIDTH, DENSE = 30, 3
RATES = np.geomspace(1e-4, 1.0, 5)


def rows_of(n: int, seed: int) -> tuple[SparseRows, np.ndarray]:
    rng = np.random.default_rng(seed)
    words = rng.random((n, WIDTH - DENSE)) * (rng.random((n, WIDTH - DENSE)) < 0.2)
    numbers = rng.normal(3.0, 2.0, (n, DENSE))
    numbers[rng.random((n, DENSE)) < 0.02] = np.nan
    return beside(numbers, [scipy.sparse.csr_matrix(words)]), np.hstack([numbers, words])


def labels_of(loss: str, outputs: int, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if loss == "squared":
        y = rng.normal(size=n)
        y[::17] = np.nan
        return y
    y = rng.integers(0, max(2, outputs), n).astype(float)
    y[::17] = -1.0
    return y


@pytest.mark.parametrize("how", [{}, {"schedule": "adagrad"}, {"penalty": "l1"}, {"average": True}])
@pytest.mark.parametrize(("loss", "outputs"), [("log", 1), ("hinge", 3), ("squared", 1)])
def test_every_rate_is_a_model_of_its_own(loss: str, outputs: int, how: dict[str, Any]) -> None:
    rows, _ = rows_of(2500, 4)
    y = labels_of(loss, outputs, 2500, 5)
    kept = {"loss": loss, "scale": "online", **how}
    many = SparseRateMap(WIDTH, outputs, DENSE, RATES, **kept)
    many.learn(rows[:200], y[:200])
    assert many.best is None
    assert np.isnan(many.errors).all()
    told = many.run(rows[200:], y[200:])
    known = np.isfinite(y[200:]) & ((y[200:] >= 0.0) | (loss == "squared"))
    assert many.asked == np.count_nonzero(known)
    for i, rate in enumerate(RATES.tolist()):
        one = SparseKernel(WIDTH, outputs, DENSE, learning_rate=rate, **kept)
        one.learn(rows[:200], y[:200])
        scores = one.run(rows[200:], rows[200:], y[200:], np.arange(1, 2301))
        np.testing.assert_array_equal(many.weights[i], one.weights)
        np.testing.assert_array_equal(many.intercepts[i], one.intercept)
        assert many.skipped == one.skipped > 0
        if loss == "squared":
            wrong = np.abs(scores[:, 0] - y[200:])
        elif outputs == 1:
            wrong = (scores[:, 0] > 0.0) != y[200:]
        else:
            wrong = scores.argmax(axis=1) != y[200:]
        assert told[i] == pytest.approx(np.mean(wrong[known]), rel=1e-12)
    assert many.best == RATES[int(np.argmin(many.errors))]
    np.testing.assert_allclose(many.errors, told, rtol=1e-15)


def test_it_says_what_the_dense_map_says() -> None:
    rows, table = rows_of(1500, 6)
    y = labels_of("log", 1, 1500, 7)
    rates = RATES[:3]  # larger ones make a mountain of every rounding error
    sparse = SparseRateMap(WIDTH, 1, DENSE, rates, loss="log", penalty="none")
    dense = RateMap(WIDTH, 1, rates, loss="log", penalty="none")
    whole = np.isfinite(table).all(axis=1)  # a gap is another thing to a row of words
    sparse.run(rows[whole], y[whole])
    dense.run(table[whole], y[whole])
    np.testing.assert_allclose(sparse.weights, dense.weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(sparse.errors, dense.errors)
    assert sparse.asked == dense.asked


@settings(max_examples=20, deadline=None)
@given(cuts=st.sets(st.integers(1, 299), max_size=4), chunk=st.integers(1, 400))
def test_no_cut_changes_a_bit(cuts: set[int], chunk: int) -> None:
    rows, _ = rows_of(300, 8)
    y = np.where(np.arange(300) % 5 == 0, -1.0, 0.0)  # one class is never seen
    whole, cut = (SparseRateMap(WIDTH, 1, DENSE, RATES[:2], scale="online") for _ in range(2))
    whole.run(rows, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_rate_map, "CHUNK", chunk)
        ends = [0, *sorted(cuts), 300]
        for start, stop in itertools.pairwise(ends):
            cut.run(rows[start:stop], y[start:stop])
    np.testing.assert_array_equal(whole.weights, cut.weights)
    np.testing.assert_array_equal(whole.intercepts, cut.intercepts)
    np.testing.assert_array_equal(whole.errors, cut.errors)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one learning rate"):
        SparseRateMap(WIDTH, 1, DENSE, [])
    with pytest.raises(ValueError, match="has no learning rate"):
        SparseRateMap(WIDTH, 1, DENSE, RATES, schedule="optimal")
    rows, _ = rows_of(5, 1)
    with pytest.raises(ValueError, match="labels do not fit"):
        SparseRateMap(WIDTH, 1, DENSE, RATES).run(rows, np.zeros(4))
