"""Compiled nearest neighbours against the plain definition, written out with numpy."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("modellab.learners.compiled._neighbours")

from modellab.learners.compiled._neighbours import NeighboursCore


def make(outputs, window=60, neighbours=5, by_distance=True, scaled=True):
    settings = {
        "window": window,
        "neighbours": neighbours,
        "by_distance": by_distance,
        "scaled": scaled,
    }
    return NeighboursCore(np.array([0, 0, 4], np.int32), outputs, settings)


def rows(n=200, seed=0):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.normal(size=n) * 40 + 7, rng.integers(-1, 4, n)])
    x[rng.random(x.shape) < 0.05] = np.nan
    return np.ascontiguousarray(x), rng.integers(0, 3, n).astype(float)


def plainly(x, y, i, outputs, window, k, by_distance, scaled):
    """Answer for row i from the rows before it."""
    seen, kept = x[:i], slice(max(0, i - window), i)
    apart = np.zeros(i - kept.start)
    for j in (0, 1):
        known = seen[~np.isnan(seen[:, j]), j]
        unit = (known.std() or np.inf) if scaled and len(known) else 1.0
        step = ((x[i, j] - x[kept, j]) / unit) ** 2
        apart += np.where(np.isnan(step), 1.0, step)
    codes = np.nan_to_num(x[:, 2], nan=-1.0)
    apart += codes[kept] != codes[i]
    newest_first = np.arange(len(apart))[::-1]
    order = newest_first[np.argsort(apart[::-1], kind="stable")][:k]
    weight = 1 / np.maximum(np.sqrt(apart[order]), 1e-9) if by_distance else np.ones(len(order))
    labels = y[kept][order]
    if outputs == 1:
        return np.array([(weight * labels).sum() / weight.sum()])
    return np.array([weight[labels == c].sum() for c in range(outputs)]) / weight.sum()


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("by_distance", [True, False])
@pytest.mark.parametrize("scaled", [True, False])
def test_the_nearest_of_the_newest_rows_vote(outputs, by_distance, scaled):
    x, y = rows()
    core = make(outputs, by_distance=by_distance, scaled=scaled)
    n = len(y)
    codes, out = np.empty(n, np.int64), np.empty((n, outputs))
    core.run(x, x, y, np.arange(1, n + 1), 1, False, codes, out)
    assert np.all(out[0] == (0.0 if outputs == 1 else 1 / 3))
    for i in range(1, n):
        expected = plainly(x, y, i, outputs, 60, 5, by_distance, scaled)
        np.testing.assert_allclose(out[i], expected, rtol=1e-9)
    if outputs > 1:
        assert (codes == out.argmax(axis=1)).all()
    assert core.measure() == (60, 60 * 4 * 8 + 96)


def test_more_neighbours_than_rows_and_only_the_window_counts():
    x, y = rows(400)
    wide = make(3, window=10, neighbours=500, by_distance=False)
    wide.learn(x, y)
    codes, out = np.empty(1, np.int64), np.empty((1, 3))
    wide.predict(x[:1], codes, out)
    assert out[0].tolist() == pytest.approx([(y[-10:] == c).mean() for c in range(3)])
    with pytest.raises(ValueError, match="another model"):
        make(3, window=11).load_state(wide.state())
