"""Ensembles of compiled trees, and naive Bayes: changes, peers' figures, sameness."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("modellab.learners.compiled._forests")

from modellab.learners.compiled._forests import weights_of_rows
from modellab.learners.compiled.forests import forest
from modellab.learners.compiled.trees import tree

QUICK = {"grace_period": 40, "delta": 0.01}


def prequential(core, x, y, cuts=()):
    n = len(y)
    codes, out = np.empty(n, np.int64), np.empty((n, core.outputs))
    for a, b in itertools.pairwise([0, *cuts, n]):
        upto = np.arange(1, b - a + 1)
        core.run(x[a:b], x[a:b], y[a:b], upto, 1, False, codes[a:b], out[a:b])
    return codes, out


def drifting(n=3000):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n, 4))
    x[:, 3] = rng.integers(0, 4, n)
    side = np.where(np.arange(n) < n // 2, x[:, 0], -x[:, 0]) + 0.3 * x[:, 1]
    return x, (side > 0).astype(float) + (x[:, 3] == 2)


def of_kind(adapts, models=5, **given_):
    own = {**QUICK, "subset": 3 if adapts == "own" else 0, "seed": given_.pop("seed", 0)}
    return forest(4, 3, (0, 0, 0, 4), own, n_models=models, adapts=adapts, **given_)


@pytest.mark.parametrize("mean", [0.5, 1.0, 6.0, 50.0])
def test_weights_are_poisson_and_differ_between_trees_and_seeds(mean):
    from scipy import stats

    drawn = np.empty(20_000)
    weights_of_rows(7, 0, mean, drawn)
    assert drawn.mean() == pytest.approx(mean, rel=0.03)
    assert drawn.var() == pytest.approx(mean, rel=0.06)
    ks = np.arange(int(mean * 2) + 3)
    expected = stats.poisson.pmf(ks, mean)
    found = np.array([(drawn == k).mean() for k in ks])
    assert np.abs(found - expected).max() < 0.012
    for seed, member in ((7, 1), (8, 0)):
        other = np.empty(20_000)
        weights_of_rows(seed, member, mean, other)
        assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.03


def test_a_tree_of_a_bag_learns_each_row_so_many_times():
    # All rows alike in weight 0 or 1 at a small mean: such a tree is a tree of the rows drawn.
    x, y = drifting(400)
    weights = np.empty(400)
    weights_of_rows(3, 0, 0.1, weights)
    assert set(weights.tolist()) <= {0.0, 1.0, 2.0}
    keep = np.flatnonzero(weights == 2.0)
    kept = np.repeat(np.arange(400), weights.astype(int))
    if len(keep):  # twice the same row, learned as weight 2 and as two rows: equal up to rounding
        assert len(kept) == int(weights.sum())
    bag = forest(
        4, 3, (0, 0, 0, 4), {"seed": 3, "answer": "naive_bayes"}, n_models=1, adapts="nothing",
        weighted=False, mean_weight=0.1,
    )  # fmt: skip
    alone = tree(4, 3, (0, 0, 0, 4), answer="naive_bayes")
    bag.learn(x, y)
    alone.learn(np.ascontiguousarray(x[kept]), y[kept])
    asked = x[:50]
    shares = []
    for core in (bag, alone):
        codes, out = np.empty(50, np.int64), np.empty((50, 3))
        core.predict(asked, codes, out)
        shares.append(out)
    np.testing.assert_allclose(shares[0], shares[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("adapts", ["own", "worst"])
def test_it_gets_over_a_change_that_plain_bagging_does_not(adapts):
    x, y = drifting(6000)
    late = slice(3200, 4500)
    wrong = {}
    for how in (adapts, "nothing"):
        core = of_kind(how)
        wrong[how] = (prequential(core, x, y)[0] != y)[late].mean()
        replaced = core.measure()[7]
        assert (replaced > 0) == (how != "nothing")
    assert wrong[adapts] < 0.75 * wrong["nothing"]


def test_a_warning_starts_a_young_tree_that_takes_over_at_the_alarm():
    x, y = drifting(4000)
    core = of_kind("own", models=1, alarm_delta=1e-4, warning_delta=0.2)
    seen = []
    for i in range(4000):
        core.learn(x[i : i + 1], y[i : i + 1])
        _, _, _, nodes, growing, warnings, alarms, replaced, _ = core.measure()
        seen.append((growing, warnings, alarms, replaced, nodes))
    growing, warnings, alarms, replaced, nodes = map(np.array, zip(*seen, strict=True))
    at = int(np.flatnonzero(np.diff(alarms))[0])  # the first alarm comes at row at + 1
    assert 2000 < at < 2600
    assert growing[at] == 1
    assert growing[at + 1] == 0
    assert replaced[at + 1] == 1
    assert warnings[at] >= 1
    assert nodes[at + 1] < nodes[at]  # what took over is younger


@pytest.mark.parametrize("adapts", ["own", "worst", "nothing"])
@settings(max_examples=6, deadline=None)
@given(cuts=st.lists(st.integers(0, 3000), max_size=6).map(sorted), cut=st.integers(0, 3000))
def test_cuts_and_states_do_not_matter(adapts, cuts, cut):
    x, y = drifting()
    whole, parts, other = of_kind(adapts), of_kind(adapts), of_kind(adapts)
    expected, found = prequential(whole, x, y)[1], prequential(parts, x, y, cuts)[1]
    assert expected.tobytes() == found.tobytes()
    assert whole.state() == parts.state()
    half = of_kind(adapts)
    prequential(half, x[:cut], y[:cut])
    prequential(other, x[:500], y[:500])
    other.load_state(half.state())
    rest = prequential(other, x[cut:], y[cut:])[1]
    assert rest.tobytes() == expected[cut:].tobytes()
    assert other.state() == whole.state()


def test_seeds_differ():
    x, y = drifting()
    first, again, other = (prequential(of_kind("own", seed=s), x, y)[1] for s in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_naive_bayes_that_fades_follows_a_change():
    x, y = drifting(8000)
    wrong = []
    for fading in (1.0, 0.995):
        core = tree(4, 3, (0, 0, 0, 4), answer="naive_bayes", max_depth=0, fading=fading)
        wrong.append((prequential(core, x, y)[0] != y)[5000:].mean())
        assert core.measure()[0] == 1
        kept = sum(core.bayes())
        assert kept == pytest.approx(8000 if fading == 1 else 1 / (1 - fading), rel=1e-6)
    assert wrong[1] < 0.5 * wrong[0]


# MOA 2024.07 by CapyMOA: cumulative per cent right, prequential.
@pytest.mark.parametrize(
    ("moa", "below", "above", "make"),
    [
        (73.3625, 0.1, 0.1, lambda codes: tree(8, 2, codes, answer="naive_bayes", max_depth=0)),
        (82.4175, 0.5, 0.5, lambda codes: forest(8, 2, codes, adapts="nothing", weighted=False,
                                                 mean_weight=1.0)),
        (89.7996, 0.5, 0.5, lambda codes: forest(8, 2, codes, adapts="worst", weighted=False)),
        # Its forest watches its trees' errors after they have learned the row: ours is told before.
        (89.3295, 0.5, 2.0, lambda codes: forest(8, 2, codes, {"grace_period": 50, "delta": 0.01,
                                                               "subset": 5})),
    ],
)  # fmt: skip
def test_electricity_is_as_good_as_moa(half_hours, moa, below, above, make):
    x, y = half_hours
    codes, _ = prequential(make((0, 7, 0, 0, 0, 0, 0, 0)), x, y)
    assert -below <= 100 * (codes == y).mean() - moa <= above
