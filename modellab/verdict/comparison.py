"""Comparing two lanes on the same rows.

Losses along a stream depend on each other: where the data drift, a lane is wrong many times in a
row. Tests that take rows as independent find differences where there are none. So:

- the interval of the mean paired difference comes from a *moving-block bootstrap* (Kuensch 1989;
  Liu and Singh 1992): blocks of neighbouring tiles are drawn, as long as the autocorrelation of the
  differences asks for (Politis and White 2004, corrected by Patton, Politis and White 2009);
- where one lane becomes worse than the other from some row on, as after a drift, chance is judged
  by what is left around the mean before and the mean after (see `breaks`);
- the *Diebold-Mariano* test (1995) divides the mean by an autocorrelation-consistent standard error
  (Newey and West 1987; Andrews and Monahan 1992) and corrects for small samples (Harvey, Leybourne
  and Newbold 1997);
- *McNemar's* test on 0/1 errors of single rows, exact where few rows differ, is told beside them:
  it takes rows as independent;
- over several lanes, p-values are corrected by *Holm's* step-down method (1979).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from modellab.evaluation.paired import LossArrays, coarser
from modellab.experiment import stream_rng
from modellab.verdict.breaks import local_means
from modellab.verdict.values import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

RESAMPLES = 2000
MOST_TILES = 512
FEWEST_TILES = 10
MOST_PERSISTENT = 0.99
FEWEST_COSINES = 4
FEWEST_FOR_BREAKS = 1000
FEW_DISCORDANT = 50


@dataclass(frozen=True)
class Comparison:
    """Lane a less lane b, on rows where both have a loss.

    Attributes
    ----------
    mean, low, high
        Mean difference of their losses, and its confidence interval; negative: a is better.
    dm_p
        Two-sided p-value of the Diebold-Mariano test; None where too few rows differ to tell.
    mcnemar_p
        Of McNemar's test, on the sample of single rows; None unless losses are 0 or 1.
    rows
        Rows that were compared.
    """

    mean: float
    low: float
    high: float
    dm_p: float | None
    mcnemar_p: float | None
    rows: int

    def reversed(self) -> Comparison:
        """Lane b less lane a."""
        return Comparison(
            -self.mean, -self.high, -self.low, self.dm_p, self.mcnemar_p, self.rows
        )  # fmt: skip


def compare(a: LossArrays, b: LossArrays, level: float = 0.05, seed: int = 0) -> Comparison | None:
    """Compare two lanes; None if there is no row on which both have a loss.

    Parameters
    ----------
    a, b
        Their losses, of tracks with the same seed.
    level
        Of the interval: 0.05 gives 95 %.
    seed
        Of the bootstrap.
    """
    difference, weights = _paired_tiles(a, b)
    rows = int(weights.sum())
    if rows == 0:
        return None
    mean, low, high, dm_p = _mean_with_interval(difference, weights, level, seed)
    return Comparison(mean, low, high, dm_p, mcnemar(a, b), rows)


def mean_interval(losses: LossArrays, level: float = 0.05, seed: int = 0) -> Interval | None:
    """Mean loss of one lane, with its interval by the same bootstrap; None with too few losses."""
    if losses.rows == 0:
        return None
    tiles = _at_most(losses, MOST_TILES)
    mean, low, high, _ = _mean_with_interval(
        tiles.sums, tiles.counts.astype(np.float64), level, seed
    )
    return Interval(mean, low, high) if math.isfinite(low) else None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values for their number (Holm 1979); None stays None and does not count."""
    there = [(p, k) for k, p in enumerate(p_values) if p is not None]
    found: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, k) in enumerate(sorted(there)):
        least = max(least, min(1.0, p * (len(there) - rank)))
        found[k] = least
    return found


def mcnemar(a: LossArrays, b: LossArrays) -> float | None:
    """McNemar's test on the single rows that both lanes kept; None unless losses are 0 or 1.

    Exact (binomial) where fewer than 50 rows differ, else chi-square with the continuity correction
    of Edwards (1948).
    """
    _, at_a, at_b = np.intersect1d(
        a.sample_positions, b.sample_positions, assume_unique=True, return_indices=True
    )
    one, two = a.sample_losses[at_a], b.sample_losses[at_b]
    there = ~(np.isnan(one) | np.isnan(two))
    one, two = one[there], two[there]
    if not len(one) or not _binary(one) or not _binary(two):
        return None
    only_a, only_b = int((one > two).sum()), int((two > one).sum())
    count = only_a + only_b
    if count == 0:
        return 1.0
    if count < FEW_DISCORDANT:
        tail = sum(math.comb(count, k) for k in range(min(only_a, only_b) + 1)) / 2**count
        return min(1.0, 2.0 * float(tail))
    statistic = max(abs(only_a - only_b) - 1, 0) ** 2 / count
    return math.erfc(math.sqrt(statistic / 2))  # chi-square with one degree of freedom


def _binary(losses: Floats) -> bool:
    return bool(np.all((losses == 0) | (losses == 1)))


# ---------------------------------------------------------------- tiles


def _at_most(losses: LossArrays, tiles: int) -> LossArrays:
    width = losses.width
    while len(losses.starts) > tiles:
        width *= 2
        losses = coarser(losses, width)
    return losses


def _paired_tiles(a: LossArrays, b: LossArrays) -> tuple[Floats, Floats]:
    """Difference of the sums and number of rows, tile by tile, of tiles that both have.

    Where one lane has fewer losses in a tile (it did not answer), its mean stands for the rest.
    """
    if not len(a.starts) or not len(b.starts):
        return np.zeros(0), np.zeros(0)
    width = max(a.width, b.width)
    a, b = (_at_most(coarser(x, width), MOST_TILES) for x in (a, b))
    width = max(a.width, b.width)
    a, b = coarser(a, width), coarser(b, width)
    _, at_a, at_b = np.intersect1d(a.starts, b.starts, assume_unique=True, return_indices=True)
    n_a, n_b = a.counts[at_a].astype(np.float64), b.counts[at_b].astype(np.float64)
    both = np.minimum(n_a, n_b)
    sum_a, sum_b = a.sums[at_a], b.sums[at_b]
    some = both > 0
    scaled_a = np.where(n_a == both, sum_a, sum_a * both / np.maximum(n_a, 1))
    scaled_b = np.where(n_b == both, sum_b, sum_b * both / np.maximum(n_b, 1))
    return np.where(some, scaled_a - scaled_b, 0.0)[some], both[some]


def _mean_with_interval(
    sums: Floats, weights: Floats, level: float, seed: int
) -> tuple[float, float, float, float | None]:
    """Weighted mean of tiles, its bootstrap interval, and the p-value of the DM test."""
    n = len(sums)
    total = float(weights.sum())
    mean = float(sums.sum()) / total
    # What each tile adds to the error of the mean: a ratio of sums, linearised.
    residual = (sums - mean * weights) * (n / total)
    if n < FEWEST_TILES:
        return mean, -math.inf, math.inf, None
    if not np.any(np.abs(residual) > 1e-12 * max(abs(mean), 1e-300)):
        # The same difference everywhere: all n signs are equal.
        return mean, mean, mean, 1.0 if mean == 0 else 2.0 ** (1 - n)
    length = block_length(residual)
    if length > 1 and total >= FEWEST_FOR_BREAKS:
        means, breaks = local_means(residual)
        if breaks:
            # Chance is judged by what is left when the mean may change where the data drift.
            residual = residual - means
            sums = sums - means * (total / n)
            length = block_length(residual)
    errors = standard_errors(residual, length)
    low, high = _bootstrap(sums, weights, mean, length, level, seed, errors)
    return mean, low, high, diebold_mariano(n, mean, length, errors)


# ---------------------------------------------------------------- block length, bootstrap, test


def autocovariance(values: Floats, lags: int) -> Floats:
    """Autocovariances (lags + 1,) of values (n,), divided by n; by fast Fourier transform."""
    n = len(values)
    centred = values - values.mean()
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    found: Floats = np.fft.irfft(spectrum * np.conj(spectrum), size)[: lags + 1] / n
    return found


def block_length(values: Floats) -> int:
    """Block length for the bootstrap of the mean of values (n,), by Politis and White's rule.

    The autocovariances up to where they can no longer be told from nothing, under a flat-top lag
    window, give the spectral density at zero and its curvature; the length balances bias against
    variance. Between 1 and a third of n.
    """
    n = len(values)
    run = max(5, math.ceil(math.sqrt(math.log10(n))))
    most = min(math.ceil(math.sqrt(n)) + run, n - 1)
    covariance = autocovariance(values, most)
    if covariance[0] <= 0:
        return 1
    small = np.abs(covariance[1:] / covariance[0]) < 2 * math.sqrt(math.log10(n) / n)
    last = 0  # newest lag that matters: after it, `run` in a row do not
    quiet = 0
    for lag, is_small in enumerate(small, 1):
        quiet = quiet + 1 if is_small else 0
        if quiet == 0:
            last = lag
        elif quiet >= run:
            break
    width = min(2 * last, most)
    if width == 0:
        return 1
    lags = np.arange(1, width + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - lags / width))
    weighted = window * covariance[1 : width + 1]
    density = covariance[0] + 2 * weighted.sum()
    curvature = 2 * float((lags * weighted).sum())
    if density <= 0:
        return 1
    length = (1.5 * (curvature / density) ** 2 * n) ** (1 / 3)  # 2 g^2 / (4/3 density^2)
    longest = math.ceil(min(3 * math.sqrt(n), n / 3))
    return int(max(1, min(math.ceil(length), longest)))


def standard_errors(values: Floats, length: int) -> list[tuple[float, float]]:
    """Standard errors of the mean of autocorrelated values (n,), each with degrees of freedom.

    Three estimates of the long-run variance, because each of them is too small for some kind of
    losses, most of all where there are few rows; who tests takes the least sure of them:

    - Newey and West's, with Bartlett weights over `length` lags;
    - the same of what an autoregression of order one leaves over, recoloured (Andrews and
      Monahan 1992); of both, the degrees of freedom are the number of values that independent ones
      would be worth, less one;
    - the mean square of the ``n / (2 length)`` slowest cosines, which are about independent
      (Mueller 2007; Lazarus, Lewis, Stock and Watson 2018), with as many degrees of freedom.
    """
    n = len(values)
    lags = min(length, n - 2)
    covariance = autocovariance(values, lags + 1)
    plain = recoloured = _bartlett(covariance, lags)
    if covariance[0] > 0:
        persistence = float(covariance[1] / covariance[0])
        persistence += (1 + 3 * persistence) / n  # its bias in small samples (Kendall 1954)
        persistence = max(0.0, min(persistence, MOST_PERSISTENT))
        centred = values - values.mean()
        left = centred[1:] - persistence * centred[:-1]
        recoloured = _bartlett(autocovariance(left, lags), lags) / (1 - persistence) ** 2
    variance = max(plain, recoloured, 0.0)
    worth = n * float(covariance[0]) / variance if variance > 0 else n
    slow = max(FEWEST_COSINES, n // (2 * length))
    slow = min(slow, n - 1)
    cosines = _cosines(values - values.mean(), slow)
    return [
        (math.sqrt(variance / n), max(1.0, min(worth, n / length) - 1)),
        (math.sqrt(float((cosines**2).mean()) / n), float(slow)),
    ]


def _cosines(values: Floats, count: int) -> Floats:
    """Projections of values (n,) on the slowest cosines (count,), each of unit length."""
    from scipy import fft

    found: Floats = fft.dct(values, type=2)[1 : count + 1] / math.sqrt(2 * len(values))
    return found


def _bartlett(covariance: Floats, lags: int) -> float:
    weights = 1.0 - np.arange(1, lags + 1) / (lags + 1)
    return float(covariance[0] + 2 * (weights * covariance[1 : lags + 1]).sum())


@lru_cache(maxsize=8)
def _drawn(seed: int, starts: int, blocks: int) -> NDArray[np.int32]:
    """First tiles of the blocks of every resample: the same for all pairs of lanes."""
    rng = stream_rng(seed, "verdict bootstrap")
    return rng.integers(0, starts, (RESAMPLES, blocks), dtype=np.int32)


def _bootstrap(
    sums: Floats,
    weights: Floats,
    mean: float,
    length: int,
    level: float,
    seed: int,
    errors: list[tuple[float, float]],
) -> tuple[float, float]:
    """Interval of the mean: quantiles over moving blocks, widened where they are too sure.

    Few blocks vary less than the truth does: deviations are made at least as large as Student's
    interval with any of the standard errors.
    """
    n = len(sums)
    drawn = _drawn(seed, n - length + 1, max(2, round(n / length)))
    block = _block_sums(sums, length)
    size = _block_sums(weights, length)
    taken = size[drawn].sum(axis=1) if np.ptp(size) else size[0] * drawn.shape[1]
    means = block[drawn].sum(axis=1) / taken
    # Rows at the ends lie in fewer blocks: the quantiles are of deviations from the blocks' mean.
    deviations = means - float(block.sum() / size.sum())
    spread = float(deviations.std())
    wanted = max(error * student_quantile(level, freedom) for error, freedom in errors)
    wider = max(1.0, wanted / (spread * normal_quantile(level))) if spread > 0 else 1.0
    low, high = np.quantile(deviations, [level / 2, 1 - level / 2])
    return mean + float(low) * wider, mean + float(high) * wider


def _block_sums(values: Floats, length: int) -> Floats:
    running = np.concatenate([[0.0], np.cumsum(values)])
    found: Floats = running[length:] - running[:-length]
    return found


def diebold_mariano(
    n: int, mean: float, length: int, errors: list[tuple[float, float]]
) -> float | None:
    """Two-sided p-value that a mean of n tiles is zero: the largest over its standard errors.

    Harvey, Leybourne and Newbold's correction takes the block length for the horizon.
    """
    from scipy import special

    small = math.sqrt(max((n + 1 - 2 * length + length * (length - 1) / n) / n, 1 / n))
    found = [
        float(2 * special.stdtr(freedom, -abs(mean / error * small)))
        for error, freedom in errors
        if error > 0
    ]
    return max(found) if found else None


def normal_quantile(level: float) -> float:
    """Two-sided: 1.96 at 0.05."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - level / 2)


def student_quantile(level: float, freedom: float) -> float:
    """Two-sided quantile of Student's distribution."""
    from scipy import special

    return float(special.stdtrit(freedom, 1 - level / 2))
