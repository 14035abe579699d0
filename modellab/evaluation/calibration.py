"""Thresholds for many test statistics at once, by a block bootstrap on the training window.

The question: how large do the statistics of all columns get in windows of `w` rows where nothing
has changed? Rows of a stream depend on each other, so the answer of textbooks (which need
independent rows) gives far too many false alarms. Here it comes from the training window itself.

1. *Windows are drawn* by joining blocks of `L` consecutive rows that begin anywhere in the training
   window (circular moving blocks: Kunsch 1989; Politis and Romano 1992). All columns are taken from
   the same rows, so their dependence on each other is kept. `L` is ten times the autocorrelation
   time of the slowest column (rounded up to a power of two), but at most a quarter of the window
   and an eighth of the rows there are.
2. *What blocks leave out* is added: the reference is a sample of `N` rows itself, and blocks are
   drawn around its own mean: the variance of shares grows by ``(1 + w / N) / (1 - L / N)``; and
   where a column's autocorrelation time `t` is long for the blocks (they show ``t_L`` of it), by
   ``t / t_L``, at most fourfold. Few blocks tell a variance badly, which makes false alarms more
   likely than not: as Student's t does for few values, the scale grows by the ratio of the t to
   the normal quantile, with ``3 N / (2 L)`` degrees of freedom (the precision of a variance by
   overlapping blocks: Kunsch 1989), at the chance that each column has.
3. *One scale for all columns*: each statistic is raised to the power that makes it roughly normal
   (two thirds for Kolmogorov-Smirnov, the cube root for chi-square: Wilson and Hilferty 1931), and
   standardised by its mean and deviation over the drawn windows; neither is taken smaller than what
   one and a few odd rows make, so that a constant column does not alarm at the first odd row.
4. *One threshold*: the quantile of the largest standardised statistic over all columns, at the
   chance of a false alarm that each check may have. So the columns together keep the rate of false
   alarms, however many they are and however they hang together.

The tail: with fewer than `TAIL` drawn windows beyond it, a quantile is not read off but continued
from the largest tenth with an exponential tail of their mean excess. For statistics that are
roughly normal that tail is too heavy: the threshold errs towards fewer false alarms. No bootstrap
shows what the training window does not hold: a season or a trend longer than it will be an alarm.
No threshold is so high that a window with nothing in common with the training window passes.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from modellab.experiment import stream_rng
from modellab.learners.threads import single_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modellab.evaluation.feature_columns import WatchedColumn

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Codes = NDArray[np.uint8]

RESAMPLES = 2000
"""So many windows are drawn (a quarter of it for more than 64 columns, where it takes long)."""
TAIL = 20
"""Below so many drawn windows beyond the threshold its place is extrapolated."""
_BLOCKS = 2048
_LARGEST_INFLATION = 4.0
_AUTOCORRELATION_ROWS = 65_536
_AT_ONCE = 250  # resamples drawn in one go: bounds memory


def calibrate(
    columns: Sequence[WatchedColumn],
    codes: Sequence[Codes],
    window: int,
    chance: float,
    seed: int,
) -> Floats:
    """Find each column's threshold so that all together alarm in a share `chance` of checks.

    Parameters
    ----------
    columns
        The columns (d >= 1), settled on the counts of `codes`.
    codes
        For each column the cells of the same N rows of the training window, in order: uint8 (N,).
    window
        Rows w of a window that is checked.
    chance
        Share of checks without a change that may find at least one column above its threshold.
    seed
        Of the drawing of blocks.

    Returns
    -------
    float64 (d,)
        Thresholds of the statistics.
    """
    single_thread()  # others would go on looking for work long after the products below
    rows = len(codes[0])
    times = [autocorrelation_time(column) for column in codes]
    length = block_length(max(t for t, _ in times), window, rows)
    resamples = RESAMPLES if len(columns) <= 64 else RESAMPLES // 4
    starts, times_drawn = _draw(rows, window, length, resamples, seed)
    joined = int(times_drawn[0].sum())
    few_blocks = student_factor(1.5 * rows / length, chance / max(len(columns), 1)) ** 2
    scores = np.empty((len(columns), len(times_drawn)))
    moments = np.empty((len(columns), 2))
    for k, column in enumerate(columns):
        time, shown = times[k][0], shown_time(times[k][1], length)
        growth = (1.0 + window / rows) / (1.0 - length / rows)
        growth *= min(max(time / shown, 1.0), _LARGEST_INFLATION) * few_blocks
        growth *= joined * length / window
        counts = _counts(codes[k], column.cells, starts, length)
        # Whole numbers: the sums are exact in any order.
        shares = (times_drawn @ counts).astype(np.float64) / (joined * length)
        # The blocks cover the rows nearly evenly: compare with what they hold together.
        expected = counts.sum(axis=0, dtype=np.float64) / (len(starts) * length)
        drawn = column.statistic(shares, expected)
        drawn = (drawn * growth**column.spread_power) ** column.power
        one, some = (value**column.power for value in column.least())
        moments[k] = max(drawn.mean(), one), max(drawn.std(), some - one)
        scores[k] = (drawn - moments[k, 0]) / moments[k, 1]
    level = quantile_above(scores.max(axis=0), chance)
    # Where all columns are constant nothing was drawn that tells a level.
    level = max(level, NormalDist().inv_cdf(1.0 - min(chance, 0.5)))
    powers = np.array([column.power for column in columns])
    few = np.array([column.least()[1] for column in columns])
    most = np.array([column.most() for column in columns])
    found = (moments[:, 0] + level * moments[:, 1]) ** (1.0 / powers)
    found = np.clip(found, few, np.maximum(few, most))
    # Without the last digits, in which processors differ.
    return np.array([float(f"{threshold:.11g}") for threshold in found])


def quantile_above(values: Floats, chance: float) -> float:
    """The value that a share `chance` of what `values` (n,) were drawn from lies above.

    Read off where at least `TAIL` values lie beyond it, else extrapolated from the largest tenth
    with an exponential tail of the same mean excess.
    """
    chance = min(max(chance, 1e-12), 1.0)
    ordered = np.sort(values)
    n = len(ordered)
    if chance * n >= TAIL:
        return float(ordered[max(n - 1 - int(chance * n), 0)])
    tenth = max(n // 10, 1)
    start = float(ordered[n - 1 - tenth])
    excess = float((ordered[n - tenth :] - start).mean())
    return start + excess * math.log(tenth / n / chance)


def autocorrelation_time(codes: Codes) -> tuple[float, Floats]:
    """How many rows in a row say as much as one independent row.

    ``t = 1 + 2 sum of autocorrelations``, up to the first lag M with ``M >= 5 t(M)`` (Sokal 1997),
    of the first 65,536 codes taken as numbers (cells of numbers are in order, so these are ranks).

    Returns
    -------
    float
        At least 1; 1 for a constant column.
    float64 (M,)
        The autocorrelations at lags 1 to M.
    """
    x = codes[:_AUTOCORRELATION_ROWS].astype(np.float64)
    n = len(x)
    x -= x.mean() if n else 0.0
    none = np.zeros(0)
    if n < 8 or not np.any(x):
        return 1.0, none
    power = np.abs(np.fft.rfft(x, 2 * n)) ** 2
    lagged = np.fft.irfft(power)[: n // 4 + 1]
    rho = lagged[1:] / lagged[0]
    times = 1.0 + 2.0 * np.cumsum(rho)
    enough = np.flatnonzero(np.arange(1, len(rho) + 1) >= 5.0 * times)
    last = int(enough[0]) if len(enough) else len(rho) - 1
    return max(float(times[last]), 1.0), rho[: last + 1]


def shown_time(rho: Floats, length: int) -> float:
    """The part of the autocorrelation time that blocks of `length` rows show (at least 1)."""
    lags = np.arange(1, min(len(rho), length - 1) + 1)
    return max(1.0 + 2.0 * float(((1.0 - lags / length) * rho[: len(lags)]).sum()), 1.0)


def student_factor(freedom: float, chance: float) -> float:
    """Upper quantile of Student's t over that of the normal distribution (Cornish and Fisher)."""
    z2 = NormalDist().inv_cdf(1.0 - min(max(chance, 1e-12), 0.4)) ** 2
    first = (z2 + 1.0) / 4.0
    second = (5.0 * z2 * z2 + 16.0 * z2 + 3.0) / 96.0
    return 1.0 + first / freedom + second / freedom**2


def block_length(time: float, window: int, rows: int) -> int:
    """Rows of a block, for an autocorrelation time; see the module."""
    most = max(min(window // 4, rows // 8), 1)
    wanted = 1 << max(math.ceil(math.log2(max(10.0 * time, 1.0)) - 1e-6), 0)
    # Longer than needed where that costs nothing: more than 64 blocks in a window, or 512 in all,
    # only take time. Not so short that a bounded number of blocks leaves rows out.
    free = min(window // 64, rows // 512)
    least = max(-(-rows // _BLOCKS), window // 4096, free, 1)
    return min(max(min(wanted, most), least), max(window, 1))


def _draw(
    rows: int, window: int, length: int, resamples: int, seed: int
) -> tuple[NDArray[np.int64], Singles]:
    """Where blocks may begin (G,), and how often each is in each drawn window, (resamples, G)."""
    blocks = min(_BLOCKS, rows, max(4 * rows // length, 8))
    starts = np.arange(blocks, dtype=np.int64) * rows // blocks
    joined = max(round(window / length), 1)
    drawn = np.zeros((resamples, blocks), np.float32)
    rng = stream_rng(seed, "feature drift")
    for first in range(0, resamples, _AT_ONCE):
        picks = rng.integers(0, blocks, (_AT_ONCE, joined))
        picks += np.arange(_AT_ONCE)[:, None] * blocks
        counts = np.bincount(picks.ravel(), minlength=_AT_ONCE * blocks)
        drawn[first : first + _AT_ONCE] = counts.reshape(_AT_ONCE, blocks)
    return starts, drawn


def _counts(codes: Codes, cells: int, starts: NDArray[np.int64], length: int) -> Singles:
    """Counts of cells in each block, (G, K); blocks run over the end to the beginning."""
    counts = np.empty((len(starts), cells), np.float32)
    circle = np.concatenate([codes, codes[:length]])
    for k, start in enumerate(starts.tolist()):
        counts[k] = np.bincount(circle[start : start + length], minlength=cells)
    return counts
