"""Compiled regression trees: a split checked by hand, linear leaves, river, sameness."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("modellab.learners.compiled._trees")

from modellab.learners.compiled.trees import tree

NO_CODES = np.empty(0, np.int64)


def prequential(core, x, y, cuts=()):
    n = len(y)
    out = np.empty((n, 1))
    for a, b in itertools.pairwise([0, *cuts, n]):
        upto = np.arange(1, b - a + 1)
        core.run(x[a:b], x[a:b], y[a:b], upto, 1, False, NO_CODES, out[a:b])
    return out[:, 0]


def steps(n=3000, seed=0):
    """A step in the first column; the second says nothing."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (n, 2))
    return x, np.where(x[:, 0] > 0.5, 10.0, 2.0) + rng.normal(0, 0.5, n)


def best_edge(values, y, low, high):
    """Merit and threshold of the best of 39 edges, by the module's description."""
    found = (0.0, math.nan)
    for k in range(1, 40):
        edge = low + (high - low) * k / 40
        left, right = y[values <= edge], y[values > edge]
        if min(len(left), len(right)) < max(5, 0.01 * len(y)):
            continue
        merit = y.std() - (len(left) * left.std() + len(right) * right.std()) / len(y)
        if merit > found[0]:
            found = (merit, edge)
    return found


def test_a_split_comes_where_the_bound_says():
    x, y = steps()
    # Bins reach 3 deviations to both sides of the mean of the first 100 rows, and hold later rows.
    binned = slice(100, None)
    due, at = None, None
    for n in range(200, 3000, 100):
        seen = x[binned][: n - 100]
        merits = []
        for j in (0, 1):
            m, s = x[:100, j].mean(), x[:100, j].std()
            merits.append(best_edge(seen[:, j], y[binned][: n - 100], m - 3 * s, m + 3 * s))
        bound = math.sqrt(math.log(1e7) / (2 * n))
        if merits[1][0] < (1 - bound) * merits[0][0]:
            due, at = n, merits[0][1]
            break
    assert due is not None
    core = tree(2, 1, grace_period=100)
    core.learn(x[: due - 1], y[: due - 1])
    assert core.measure()[0] == 1
    core.learn(x[due - 1 : due], y[due - 1 : due])
    feature, form, threshold, children = core.questions()
    assert (feature, form) == (0, 0)
    assert threshold == pytest.approx(at, rel=1e-9)
    low = x[binned][: due - 100, 0] <= threshold
    own = y[binned][: due - 100]
    expected = [[low.sum(), own[low].mean()], [(~low).sum(), own[~low].mean()]]
    np.testing.assert_allclose(children, expected, rtol=1e-9)


def test_a_category_is_set_apart():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 5, 1000).astype(float)
    y = np.where(codes == 3, 7.0, 1.0) + rng.normal(0, 0.1, 1000)
    core = tree(1, 1, codes=(5,), grace_period=500)
    core.learn(codes[:, None].copy(), y)
    feature, form, slot, children = core.questions()
    assert (feature, form, slot) == (0, 1, 3.0)
    assert children[0][1] == pytest.approx(7.0, abs=0.05)
    assert children[1][1] == pytest.approx(1.0, abs=0.05)


def test_the_mean_is_the_mean_and_a_linear_leaf_learns_a_line():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6000, 3)) * [1, 50, 1e-3] + [5, -400, 0]
    y = 3 * x[:, 0] - 0.2 * x[:, 1] + 2000 * x[:, 2] + 12
    means = tree(3, 1, answer="mean", max_depth=0)
    found = prequential(means, x, y)
    expected = np.cumsum(y)[:-1] / np.arange(1, len(y))
    np.testing.assert_allclose(found[1:], expected, rtol=1e-9, atol=1e-9)
    assert found[0] == 0.0
    line = prequential(tree(3, 1, answer="linear", max_depth=0), x, y)
    assert np.abs(line - y)[5000:].mean() < 0.05 * np.abs(y - y.mean()).mean()
    adaptive = prequential(tree(3, 1, max_depth=0), x, y)
    assert np.abs(adaptive - y)[5000:].mean() < 0.05 * np.abs(y - y.mean()).mean()


def test_outliers_and_missing_values_do_not_run_away():
    x, y = steps()
    y[::97] = 1e12
    x[::31, 0] = np.nan
    x[::37, 1] = 1e99
    x[5] = np.inf
    found = prequential(tree(2, 1, grace_period=50, adaptive=True), x, y)
    assert np.isfinite(found).all()
    core = tree(2, 1)
    core.learn(np.zeros((3, 2)), np.array([np.nan, np.inf, 1.0]))
    assert (core.learned, core.skipped) == (1, 2)


def test_at_the_memory_bound_it_stops_growing():
    x, y = steps(8000)
    y = np.sin(x[:, 0] * 20) + x[:, 1]
    core = tree(2, 1, grace_period=50, delta=0.1, tau=0.5, most_bytes=30_000.0)
    core.learn(x, y)
    assert core.measure()[4] >= 3
    assert core.measure()[7] <= 30_000 + 2_500


def drifting(n=9000, seed=2):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    x[:, 2] = rng.integers(0, 4, n)
    level = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    y = level * (8 * (x[:, 0] > 0) + 4 * (x[:, 1] > 0.5)) + (x[:, 2] == 2) + rng.normal(size=n)
    return np.ascontiguousarray(x), y


KIND = {"codes": (0, 0, 4), "grace_period": 60, "delta": 0.01}


def test_an_adaptive_tree_replaces_what_no_longer_holds():
    x, y = drifting()
    plain, adaptive = tree(3, 1, **KIND), tree(3, 1, adaptive=True, **KIND)
    off = [np.abs(prequential(core, x, y) - y)[6000:].mean() for core in (plain, adaptive)]
    assert adaptive.measure()[6] >= 1
    assert off[1] < off[0] + 0.02


@pytest.mark.parametrize("adaptive", [False, True])
@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 9000), max_size=6).map(sorted), cut=st.integers(0, 9000))
def test_cuts_and_states_do_not_matter(adaptive, cuts, cut):
    x, y = drifting()
    whole, parts, half, other = (tree(3, 1, adaptive=adaptive, **KIND) for _ in range(4))
    expected, found = prequential(whole, x, y), prequential(parts, x, y, cuts)
    assert expected.tobytes() == found.tobytes()
    assert whole.state() == parts.state()
    prequential(half, x[:cut], y[:cut])
    prequential(other, x[:700], y[:700])
    other.load_state(half.state())
    assert prequential(other, x[cut:], y[cut:]).tobytes() == expected[cut:].tobytes()
    assert other.state() == whole.state()


@pytest.mark.parametrize("adaptive", [False, True])
def test_it_errs_no_more_than_rivers(adaptive):
    from river import preprocessing
    from river import tree as river_tree
    from river.datasets import synth

    data = list(synth.FriedmanDrift(seed=1, position=(1500, 3000, 4500)).take(6000))
    x = np.array([list(row.values()) for row, _ in data], float)
    y = np.array([label for _, label in data])
    theirs = (
        river_tree.HoeffdingAdaptiveTreeRegressor(seed=1)
        if adaptive
        else river_tree.HoeffdingTreeRegressor()
    )
    model = preprocessing.StandardScaler() | theirs
    off = 0.0
    for row, label in data:
        off += abs(model.predict_one(row) - label)
        model.learn_one(row, label)
    own = np.abs(prequential(tree(10, 1, adaptive=adaptive), x, y) - y).mean()
    assert own < 1.02 * off / len(y)
