"""Tests of lanes keep their level on autocorrelated losses, and find clear differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from modellab.verdict.comparison import (
    autocovariance,
    block_length,
    compare,
    holm,
    mcnemar,
    mean_interval,
)

PAIRS = 200
LEVEL = 0.05
# With 200 pairs at the level, more than this happens once in a thousand series of pairs.
MOST = int(stats.binom.isf(0.001, PAIRS, LEVEL))


@pytest.mark.parametrize(
    ("n", "persistence", "binary"),
    [
        (2000, 0.0, True),
        (2000, 0.9, True),
        (2000, 0.98, False),
        (10_000, 0.98, True),
    ],
)
def test_equal_lanes_are_told_apart_no_more_often_than_the_level_says(
    make, n: int, persistence: float, binary: bool
) -> None:
    intervals = tests = 0
    for seed in range(PAIRS):
        common, one, two = (
            _series(1000 * seed + k, n, persistence) for k in range(3)
        )  # what is hard is hard for both
        lanes = [0.5 * common + one, 0.5 * common + two]
        values = [(lane > 1.0).astype(float) if binary else np.abs(lane) for lane in lanes]
        found = compare(*(make.losses(v) for v in values), LEVEL)
        intervals += found.low > 0 or found.high < 0
        tests += found.dm_p < LEVEL
    assert tests <= MOST
    assert intervals <= MOST


def _series(seed: int, n: int, persistence: float) -> np.ndarray:
    from scipy.signal import lfilter

    noise = np.random.default_rng(seed).standard_normal(n + 200)
    return lfilter([np.sqrt(1 - persistence**2)], [1, -persistence], noise)[200:]


def test_clear_differences_are_found(make) -> None:
    covered = 0
    for seed in range(20):
        a = make.losses(make.errors(2 * seed, 5000, 0.20, 0.8))
        b = make.losses(make.errors(2 * seed + 1, 5000, 0.30, 0.8))
        found = compare(a, b)
        covered += found.low < -0.10 < found.high
        assert found.high < 0
        assert found.dm_p < 0.03
        assert found.mcnemar_p < 0.001
        assert found.mean == pytest.approx(a.mean - b.mean)
        assert found.rows == 5000
    assert covered >= 16


def test_the_interval_is_that_of_independent_rows_where_they_are(make) -> None:
    rng = np.random.default_rng(5)
    d = rng.standard_normal(1000) + 0.2
    found = compare(make.losses(d + 10), make.losses(np.full(1000, 10.0)))
    half = stats.norm.isf(0.025) * d.std() / np.sqrt(1000)
    assert found.mean == pytest.approx(d.mean())
    assert found.high - found.mean == pytest.approx(half, rel=0.15)
    assert found.mean - found.low == pytest.approx(half, rel=0.15)
    assert found.dm_p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=1e-6)


def test_dependent_rows_give_a_wider_interval(make) -> None:
    rng = np.random.default_rng(0)
    rough = rng.standard_normal(20_000)
    smooth = np.sort(rough.reshape(-1, 100), axis=0).ravel()  # as many of each, in long runs
    zero = make.losses(np.zeros(20_000))
    one, other = (compare(make.losses(values), zero) for values in (rough, smooth))
    assert other.high - other.low > 2 * (one.high - one.low)


def test_turned_round_the_comparison_is_its_mirror(make) -> None:
    a, b = (make.losses(make.errors(k, 3000, 0.3, 0.9)) for k in range(2))
    one, two = compare(a, b), compare(b, a)
    assert (two.mean, two.low, two.high) == pytest.approx((-one.mean, -one.high, -one.low))
    assert two.dm_p == pytest.approx(one.dm_p)
    assert two.mcnemar_p == one.mcnemar_p
    assert one == compare(a, b)


def test_equal_losses_and_a_constant_difference(make) -> None:
    same = make.losses(make.errors(0, 500, 0.2))
    found = compare(same, same)
    assert (found.mean, found.low, found.high, found.dm_p) == (0, 0, 0, 1.0)
    always = compare(make.losses(np.ones(500)), make.losses(np.zeros(500)))
    assert (always.low, always.high) == (1, 1)
    assert always.dm_p < 1e-20
    assert compare(same, make.losses(np.full(500, np.nan))) is None
    few = compare(make.losses(np.array([1.0, 0, 1])), make.losses(np.zeros(3)))
    assert few.dm_p is None
    assert few.low == -np.inf


def test_only_rows_that_both_answered_are_compared(make) -> None:
    a = make.errors(1, 4000, 0.2)
    b = a.copy()
    b[1000:] = np.nan
    found = compare(make.losses(a), make.losses(b))
    assert found.rows == 1000
    assert found.mean == 0


def test_mcnemar_is_exact_for_few_and_chi_square_for_many(make) -> None:
    a, b = np.zeros(1000), np.zeros(1000)
    a[:3], b[3:15] = 1, 1
    p = mcnemar(make.losses(a), make.losses(b))
    assert p == pytest.approx(stats.binomtest(3, 15, 0.5).pvalue)
    a[:100], b[100:250] = 1, 1
    b[:100] = a[100:] = 0
    p = mcnemar(make.losses(a), make.losses(b))
    assert p == pytest.approx(stats.chi2.sf((50 - 1) ** 2 / 250, 1))
    assert mcnemar(make.losses(a), make.losses(a)) == 1.0
    assert mcnemar(make.losses(a * 0.5), make.losses(b)) is None


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, None, 0.03]) == pytest.approx([0.03, 0.06, None, 0.06], abs=1e-12)
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_autocovariances_are_those_of_the_definition() -> None:
    values = np.random.default_rng(0).standard_normal(50)
    centred = values - values.mean()
    for lag, got in enumerate(autocovariance(values, 5)):
        assert got == pytest.approx((centred[lag:] * centred[: 50 - lag]).sum() / 50)


def test_blocks_are_as_long_as_the_dependence() -> None:
    lengths = []
    for persistence in (0.0, 0.6, 0.95):
        found = [block_length(_series(k, 1000, persistence)) for k in range(20)]
        lengths.append(np.median(found))
    assert lengths[0] <= 3
    assert lengths[0] < lengths[1] < lengths[2]
    # For a first-order autoregression the best length is known (Politis and White 2004, 3.2).
    best = (1.5 * (2 * 0.6 / (1 - 0.36)) ** 2 * 1000) ** (1 / 3)
    assert lengths[1] == pytest.approx(best, rel=0.35)


def test_the_interval_of_one_lane_covers_its_rate(make) -> None:
    missed = 0
    for seed in range(100):
        found = mean_interval(make.losses(make.errors(seed, 3000, 0.2, 0.7)))
        missed += not found.low <= 0.2 <= found.high
    assert missed <= 13  # of 100 at 5 %: once in a thousand
    assert mean_interval(make.losses(np.zeros(0))) is None
