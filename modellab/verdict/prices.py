"""Would another price change it? For each price, which lane the rule recommends along its range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from modellab.verdict.ranking import PRICES, Ranking
from modellab.verdict.values import PriceBar

if TYPE_CHECKING:
    from modellab.experiment import PriceSpec

WIDE = 20.0
"""A bar reaches to about so many times the present price."""
FREE = {"error": 1.0, "retrain": 100.0, "cpu_hour": 10.0, "downtime_hour": 100.0}
"""Where the bar of a price ends that is 0 now, when no value of it changes anything."""


def price_bars(ranking: Ranking, prices: PriceSpec) -> list[PriceBar]:
    """Bars of all four prices, each with the others as they are.

    Where a bar changes its lane is exact: there the rule's own sums are equal.
    """
    return [_bar(ranking, prices, name) for name in PRICES]


def _bar(ranking: Ranking, prices: PriceSpec, name: str) -> PriceBar:
    now = float(getattr(prices, name))
    switches = _switches(ranking, prices, name)
    high = _end(now, name, [value for value, _ in switches[1:]])
    segments: list[tuple[float, float, str]] = []
    for k, (start, lane) in enumerate(switches):
        if start >= high:
            break
        stop = switches[k + 1][0] if k + 1 < len(switches) else math.inf
        segments.append((start, min(stop, high), lane))
    return PriceBar(price=name, now=now, low=0.0, high=high, segments=segments)  # type: ignore[arg-type]


def _switches(ranking: Ranking, prices: PriceSpec, name: str) -> list[tuple[float, str]]:
    """From which value on which lane is recommended; the first one from 0 on."""
    points = ranking.switching_points(prices, name)
    edges = np.concatenate([[0.0], points])
    probes = np.append((edges[:-1] + edges[1:]) / 2, edges[-1] * 2 + 1)
    tried = np.tile([float(getattr(prices, key)) for key in PRICES], (len(probes), 1))
    tried[:, PRICES.index(name)] = probes
    _, recommended, _ = ranking.at(tried)
    found: list[tuple[float, str]] = []
    for edge, member in zip(edges.tolist(), recommended.tolist(), strict=True):
        lane = ranking.comparisons.lanes[ranking.members[member]].name
        if not found or found[-1][1] != lane:
            found.append((edge, lane))
    return found


def _end(now: float, name: str, switches: list[float]) -> float:
    """Where the bar ends: beyond the present price; for a price of 0, beyond the first switch."""
    if now > 0:
        return round_up(WIDE * now)
    return round_up(2.0 * switches[0]) if switches else FREE[name]


def round_up(value: float) -> float:
    """Return the next number that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    for factor in (1.0, 2.0, 5.0):
        if value <= factor * power * (1 + 1e-9):
            return factor * power
    return 10.0 * power
