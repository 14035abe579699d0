"""Breaks in a mean along the stream: where a difference between lanes becomes another one.

Where the data drift, one lane becomes worse than another from some row on. That is no chance, and
it is no autocorrelation: taken for either, it would hide what a drift does to lanes. So the mean
may change a few times, at positions found by least squares (dynamic programming; Bai and Perron
2003), and chance is judged by what is left over (Juhl and Xiao 2009). Losses that merely come in
long runs must not be taken for breaks: a break counts only if it explains more than an
autoregression does, by an information criterion on what both leave over (Yao 1988; Liu, Wu and
Zidek 1997 for a penalty as heavy as this).
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_BREAKS = 8
MOST_POINTS = 256
SHORTEST = 20
"""A mean holds for at least one in so many of the points."""
LAGS = 6
PENALTY = 3.0


def local_means(values: Floats) -> tuple[Floats, int]:
    """Mean of the segment that each value belongs to (n,), and the number of breaks."""
    n = len(values)
    wide = -(-n // MOST_POINTS)
    points = _averaged(values, wide)
    shortest = max(LAGS + 2, len(points) // SHORTEST)
    if len(points) < 4 * shortest:
        return np.full(n, values.mean()), 0
    best, chosen = math.inf, [0, len(points)]
    for edges in _segmentations(points, shortest):
        score = _criterion(points, edges)
        if score < best - 1e-9:
            best, chosen = score, edges
    edges = [min(edge * wide, n) for edge in chosen]
    means = np.empty(n)
    for start, stop in itertools.pairwise(edges):
        means[start:stop] = values[start:stop].mean()
    return means, len(edges) - 2


def _averaged(values: Floats, wide: int) -> Floats:
    if wide == 1:
        return values
    firsts = np.arange(0, len(values), wide)
    counts = np.diff(np.append(firsts, len(values)))
    found: Floats = np.add.reduceat(values, firsts) / counts
    return found


def _segmentations(points: Floats, shortest: int) -> list[list[int]]:
    """Best edges for 0, 1, ... breaks, by least squares."""
    n = len(points)
    sums = np.concatenate([[0.0], np.cumsum(points)])
    squares = np.concatenate([[0.0], np.cumsum(points**2)])
    start, stop = np.arange(n + 1)[:, None], np.arange(n + 1)[None, :]
    length = stop - start
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = (squares[stop] - squares[start]) - (sums[stop] - sums[start]) ** 2 / length
    cost[length < shortest] = np.inf
    reached = cost[0].copy()
    came: list[NDArray[np.int64]] = []
    found = [[0, n]]
    for breaks in range(1, MOST_BREAKS + 1):
        if n < (breaks + 1) * shortest:
            break
        ways = reached[:, None] + cost
        from_where = ways.argmin(axis=0)
        reached = ways[from_where, np.arange(n + 1)]
        came.append(from_where)
        if not math.isfinite(reached[n]):
            break
        edges = [n]
        for before in reversed(came):
            edges.append(int(before[edges[-1]]))
        found.append([0, *edges[::-1]])
    return found


def _criterion(points: Floats, edges: list[int]) -> float:
    """How badly breaks at these edges and an autoregression explain the points; less is better."""
    left = points.copy()
    for start, stop in itertools.pairwise(edges):
        left[start:stop] -= left[start:stop].mean()
    n = len(left) - LAGS
    past = np.column_stack([left[LAGS - k : len(left) - k] for k in range(1, LAGS + 1)])
    weights, *_ = np.linalg.lstsq(past, left[LAGS:], rcond=None)
    rest = float(((left[LAGS:] - past @ weights) ** 2).sum())
    return n * math.log(max(rest, 1e-300) / n) + PENALTY * math.log(n) * (len(edges) - 2)
