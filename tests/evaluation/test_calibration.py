"""The parts of the calibration: autocorrelation, block lengths, quantiles, factors."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

from modellab.evaluation.calibration import (
    TAIL,
    autocorrelation_time,
    block_length,
    calibrate,
    quantile_above,
    shown_time,
    student_factor,
)
from modellab.evaluation.feature_columns import watch


def autoregressive(rows: int, phi: float, seed: int) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).normal(size=rows)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise))


def as_codes(x: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.searchsorted(np.quantile(x, np.linspace(0.02, 0.98, 49)), x).astype(np.uint8)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_the_autocorrelation_time_of_an_autoregressive_stream(phi: float) -> None:
    time, rho = autocorrelation_time(as_codes(autoregressive(60_000, phi, 3)))
    assert time == pytest.approx((1 + phi) / (1 - phi), rel=0.2)
    if phi:
        assert rho[0] == pytest.approx(phi, abs=0.03)


def test_constant_and_short_streams_have_time_one() -> None:
    assert autocorrelation_time(np.full(500, 3, np.uint8))[0] == 1.0
    assert autocorrelation_time(np.array([1, 2, 3], np.uint8))[0] == 1.0


def test_what_blocks_show_of_it() -> None:
    rho = 0.8 ** np.arange(1, 200)
    assert shown_time(rho, 1) == 1.0
    by_hand = 1.0 + 2.0 * sum((1 - k / 10) * 0.8**k for k in range(1, 10))
    assert shown_time(rho, 10) == pytest.approx(by_hand)
    assert shown_time(rho, 100_000) == pytest.approx(9.0, rel=1e-3)


def test_block_lengths() -> None:
    assert block_length(19.0, 2000, 100_000) == 256  # 190, up to a power of two
    assert block_length(1000.0, 2000, 100_000) == 500  # a quarter of the window
    assert block_length(1000.0, 2000, 800) == 100  # an eighth of the rows
    assert block_length(1.0, 100_000, 131_072) == 256  # as long as costs nothing
    assert block_length(1.0, 10, 20_480) == 10  # never longer than the window
    assert block_length(1.0, 10, 2) == 1


def test_a_quantile_with_enough_values_is_read_off() -> None:
    values = np.random.default_rng(0).normal(size=2000)
    level = quantile_above(values, 0.05)
    assert np.count_nonzero(values > level) == 100


def test_a_quantile_beyond_them_is_extrapolated() -> None:
    n = 2000
    values = stats.expon.ppf((np.arange(n) + 0.5) / n)  # an exponential tail is continued exactly
    for chance in (1e-3, 1e-5, 1e-8):
        assert chance * n < TAIL
        assert quantile_above(values, chance) == pytest.approx(-math.log(chance), rel=0.03)
    # A lighter tail: on the safe side.
    normal = stats.norm.ppf((np.arange(n) + 0.5) / n)
    assert quantile_above(normal, 1e-5) > stats.norm.isf(1e-5)
    # Rarer is never lower.
    levels = [quantile_above(normal, chance) for chance in np.geomspace(0.5, 1e-9, 60)]
    assert all(a <= b for a, b in itertools.pairwise(levels))


def test_student_s_factor() -> None:
    for freedom in (20, 60, 500):
        for chance in (0.05, 0.005, 0.0005):
            exact = stats.t.isf(chance, freedom) / stats.norm.isf(chance)
            assert student_factor(freedom, chance) == pytest.approx(exact, rel=5e-3)


def test_independent_rows_get_the_threshold_of_independent_draws() -> None:
    """One column, a long training window: what drawing row by row gives, below Kolmogorov's."""
    import pyarrow as pa

    window, rows = 1000, 40_000
    values = pa.array(np.random.default_rng(1).normal(size=rows))
    column = watch("number", [values], window)
    assert column is not None
    codes = column.codes(values)
    column.settle(np.bincount(codes, minlength=column.cells).astype(float))
    (threshold,) = calibrate([column], [codes], window, 0.02, 0)
    shares = np.bincount(codes, minlength=column.cells) / rows
    drawn = np.random.default_rng(4).multinomial(window, shares, 20_000) / window

    def exact(chance: float) -> float:
        return float(np.quantile(column.statistic(drawn), 1.0 - chance))

    assert threshold == pytest.approx(exact(0.02), rel=0.04)
    # Looked at in 128 points, the largest distance is a little smaller than looked at in all.
    assert 0.9 * stats.kstwo.isf(0.02, window) < threshold < stats.kstwo.isf(0.02, window)
    # More columns: each gets less of the chance of a false alarm, so its threshold rises.
    many = [column] * 8
    other = [np.random.default_rng(k).permutation(codes) for k in range(8)]
    shared = calibrate(many, other, window, 0.02, 0)
    assert shared.min() > threshold
    assert shared.mean() == pytest.approx(exact(0.02 / 8), rel=0.05)
    # Columns that are copies of each other cost nothing.
    same = calibrate(many, [codes] * 8, window, 0.02, 0)
    assert same == pytest.approx(np.full(8, threshold), rel=0.01)


def test_autocorrelated_rows_raise_the_threshold() -> None:
    import pyarrow as pa

    window, rows, phi = 1000, 60_000, 0.8
    found = []
    for p in (0.0, phi):
        values = pa.array(autoregressive(rows, p, 2))
        column = watch("number", [values], window)
        assert column is not None
        codes = column.codes(values)
        column.settle(np.bincount(codes, minlength=column.cells).astype(float))
        found.append(calibrate([column], [codes], window, 0.02, 0)[0])
    # By the square root of the autocorrelation time, (1 + phi) / (1 - phi) = 9.
    assert 2.0 < found[1] / found[0] < 3.3


def test_the_same_seed_gives_the_same_thresholds() -> None:
    import pyarrow as pa

    values = pa.array(autoregressive(3000, 0.5, 5))
    column = watch("number", [values], 200)
    assert column is not None
    codes = column.codes(values)
    column.settle(np.bincount(codes, minlength=column.cells).astype(float))
    first = calibrate([column], [codes], 200, 0.01, 7)
    assert np.array_equal(first, calibrate([column], [codes], 200, 0.01, 7))
    assert not np.array_equal(first, calibrate([column], [codes], 200, 0.01, 8))
