"""The rule by which a lane is recommended, at any prices.

1. The total cost of every deployable lane is a sum of what it used up times prices.
2. The lane that costs least is compared with each of the others. Another lane is *behind* if it
   would cost more even at the end of the interval of their difference in errors that is best for
   it. (Holm's correction widens the intervals; where the Diebold-Mariano test does not agree, the
   interval is taken to include zero.) Without upkeep to pay, that is: the interval of the paired
   loss difference excludes zero. Where upkeep is to be paid, the cost must agree.
3. If all others are behind, the lane that costs least is recommended. Else it ties with those that
   are not, and of them the one that needs the least upkeep is recommended (see
   `evidence.upkeep_rank`; of equal ones, the one that costs less).

Lanes that are twins (set up alike, the same errors on the same rows) are taken to have needed the
same compute, so that the first of them is recommended at every price.

Everything here is linear in each price, so where the recommendation changes is known exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modellab.verdict.comparison import Comparison, compare, holm, normal_quantile
from modellab.verdict.evidence import upkeep_rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modellab.evaluation.evidence import LaneEvidence
    from modellab.experiment import PriceSpec
    from modellab.verdict.values import Interval

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

PRICES = ("error", "retrain", "cpu_hour", "downtime_hour")
_ROUNDING = 1e-12


class Comparisons:
    """Paired comparisons of lanes, each done once.

    Parameters
    ----------
    lanes
        The lanes, in the order of the experiment.
    level
        Of the tests and intervals.
    seed
        Of the bootstrap.
    """

    def __init__(self, lanes: Sequence[LaneEvidence], level: float, seed: int) -> None:
        self.lanes, self.level, self.seed = list(lanes), level, seed
        self.means: dict[int, Interval | None] = {}
        self._pairs: dict[tuple[int, int], Comparison | None] = {}

    def pair(self, a: int, b: int) -> Comparison | None:
        """Lane number `a` less lane number `b`; None where they have no row in common."""
        if (a, b) not in self._pairs:
            found = compare(self.lanes[a].losses, self.lanes[b].losses, self.level, self.seed)
            self._pairs[a, b] = found
            self._pairs[b, a] = None if found is None else found.reversed()
        return self._pairs[a, b]

    def family(self, a: int, others: Sequence[int]) -> list[tuple[Comparison, float] | None]:
        """Compare lane `a` with others, with p-values corrected for their number by Holm.

        The interval is that of the decision: of level ``level / m`` where Holm multiplies this
        p-value by m, and made to include zero where the corrected p-value is above the level.
        """
        pairs = [self.pair(a, b) for b in others]
        corrected = holm([None if pair is None else pair.dm_p for pair in pairs])
        found: list[tuple[Comparison, float] | None] = []
        for pair, p in zip(pairs, corrected, strict=True):
            found.append(None if pair is None else self._widened(pair, 1.0 if p is None else p))
        return found

    def _widened(self, pair: Comparison, p: float) -> tuple[Comparison, float]:
        times = max(1.0, p / pair.dm_p) if pair.dm_p else 1.0
        wider = normal_quantile(self.level / times) / normal_quantile(self.level)
        low = pair.mean - (pair.mean - pair.low) * wider
        high = pair.mean + (pair.high - pair.mean) * wider
        if p > self.level:
            low, high = min(low, 0.0), max(high, 0.0)
        return Comparison(pair.mean, low, high, pair.dm_p, pair.mcnemar_p, pair.rows), p


@dataclass(frozen=True)
class Choice:
    """What the rule says at some prices: numbers of lanes.

    `cheapest` costs least; `tied`: it and those that are not behind it; `recommended` is of them.
    """

    recommended: int
    cheapest: int
    tied: list[int]


class Ranking:
    """The rule, for given lanes and any prices.

    Parameters
    ----------
    comparisons
        Of all lanes.
    members
        Numbers of the lanes that can be recommended, at least one.
    """

    def __init__(self, comparisons: Comparisons, members: Sequence[int]) -> None:
        self.comparisons = comparisons
        self.members = list(members)
        lanes = [comparisons.lanes[k] for k in self.members]
        self.usage = _alike(usage(comparisons.lanes)[self.members], lanes)
        self._ranks = np.array([upkeep_rank(lane.spec) for lane in lanes])
        self._slack: dict[int, Floats] = {}

    def choose(self, prices: PriceSpec) -> Choice:
        """Apply the rule."""
        vector = np.array([[getattr(prices, name) for name in PRICES]])
        cheapest, recommended, tied = self.at(vector)
        return Choice(
            self.members[int(recommended[0])],
            self.members[int(cheapest[0])],
            [self.members[k] for k in np.flatnonzero(tied[0])],
        )

    def slack(self, member: int) -> Floats:
        """By how many errors each lane might do better against this one than it did, (members,).

        That is rows times (upper end of the interval of the difference less its mean).
        """
        if member not in self._slack:
            others = [k for k in range(len(self.members)) if k != member]
            found = self.comparisons.family(self.members[member], [self.members[k] for k in others])
            slack = np.zeros(len(self.members))
            for k, one in zip(others, found, strict=True):
                slack[k] = math.inf if one is None else (one[0].high - one[0].mean) * one[0].rows
            self._slack[member] = slack
        return self._slack[member]

    def at(self, prices: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Bools]:
        """Apply the rule at prices (m, 4): cheapest (m,), recommended (m,), tied (m, members)."""
        prices = np.where((prices == 0).all(axis=1)[:, None], [[1.0, 0.0, 0.0, 0.0]], prices)
        # Sums in a fixed order, not a matrix product: equal lanes must come out exactly equal.
        totals = sum(prices[:, k, None] * self.usage[None, :, k] for k in range(len(PRICES)))
        totals = np.asarray(totals)
        order = np.arange(len(self.members))
        cheapest = _first(totals, self._ranks, order)
        least = totals[np.arange(len(totals)), cheapest]
        slack = np.zeros_like(totals)
        for member in sorted(set(cheapest.tolist())):
            slack[cheapest == member] = self.slack(member)
        price = prices[:, 0, None]
        room = np.where(price > 0, price * np.where(price > 0, slack, 0.0), 0.0)
        small = _ROUNDING * np.maximum(np.abs(least)[:, None], np.abs(totals))
        tied = totals - least[:, None] <= room + small
        among = np.where(tied, self._ranks, np.inf)
        simplest = tied & (among == among.min(axis=1)[:, None])
        recommended = _first(np.where(simplest, totals, np.inf), self._ranks, order)
        return cheapest, recommended, tied

    def switching_points(self, prices: PriceSpec, name: str) -> Floats:
        """All values above 0 of one price, the others unchanged, where the rule may change.

        Two kinds: where two lanes cost the same; where a lane is just behind the one that is
        cheapest there. Ascending, each once.
        """
        which = PRICES.index(name)
        base = np.array([getattr(prices, key) for key in PRICES], dtype=np.float64)
        base[which] = 0.0
        slope = self.usage[:, which]
        level = self.usage @ base
        # Where two lanes cost the same: level_i + slope_i p = level_j + slope_j p.
        points = [_roots(level[:, None] - level[None, :], slope[:, None] - slope[None, :])]
        edges = np.concatenate([[0.0], points[0]])
        for member in sorted({int(k) for k in self._cheapest_between(base, which, edges)}):
            slack = self.slack(member)
            finite = np.isfinite(slack)
            if which == 0:
                tilt = slope - slope[member] - np.where(finite, slack, 0.0)
                lift = level - level[member]
            else:
                tilt = slope - slope[member]
                lift = level - level[member] - base[0] * np.where(finite, slack, 0.0)
            points.append(_roots(lift[finite], tilt[finite]))
        return np.unique(np.concatenate(points))

    def _cheapest_between(self, base: Floats, which: int, edges: Floats) -> NDArray[np.int64]:
        probes = np.append((edges[:-1] + edges[1:]) / 2, edges[-1] * 2 + 1)
        tried = np.tile(base, (len(probes), 1))
        tried[:, which] = probes
        return _first(tried @ self.usage.T, self._ranks, np.arange(len(self.members)))


def usage(lanes: Sequence[LaneEvidence]) -> Floats:
    """What each lane used up, in the order of `PRICES` (lanes, 4): errors, retrains, hours, hours.

    Errors are the mean loss times the rows of the lane that answered most: not to answer is no way
    to make fewer errors.
    """
    rows = max((lane.losses.rows for lane in lanes), default=0)
    found = np.zeros((len(lanes), len(PRICES)))
    for k, lane in enumerate(lanes):
        losses = lane.losses
        errors = losses.total
        if 0 < losses.rows < rows:
            errors *= rows / losses.rows
        found[k] = (
            errors,
            lane.counters.get("retrains", 0),
            sum(lane.cpu.values()) / 3600.0,
            lane.downtime_seconds / 3600.0,
        )
    return found


def _alike(used: Floats, lanes: Sequence[LaneEvidence]) -> Floats:
    """Let twins use up the same.

    A fork in which nothing was changed does what its parent does, row by row; the compute of the
    two is measured apart, and differs by chance. That must decide nothing, at no price.
    """
    found = used.copy()
    cpu = PRICES.index("cpu_hour")
    for k, lane in enumerate(lanes):
        for j in range(k):
            if _twins(lanes[j], lane) and (used[j, :cpu] == used[k, :cpu]).all():
                found[k] = found[j]
                break
    return found


def _twins(one: LaneEvidence, other: LaneEvidence) -> bool:
    """Whether two lanes are set up alike and made the same errors on the same rows."""
    a, b = one.losses, other.losses
    return (
        (one.spec.policy, one.spec.learner, one.spec.guard)
        == (other.spec.policy, other.spec.learner, other.spec.guard)
        and one.downtime_seconds == other.downtime_seconds
        and all(
            np.array_equal(x, y, equal_nan=True)
            for x, y in (
                (a.starts, b.starts),
                (a.sums, b.sums),
                (a.counts, b.counts),
                (a.sample_positions, b.sample_positions),
                (a.sample_losses, b.sample_losses),
            )
        )
    )


def _first(totals: Floats, ranks: Floats, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lane with the least total of each line (m, lanes); of equal ones the simplest, the first."""
    least = totals.min(axis=1)[:, None]
    close = totals - least <= _ROUNDING * np.maximum(np.abs(least), 1e-300)
    key = np.where(close, ranks[None, :] * (len(order) + 1.0) + order[None, :], np.inf)
    found: NDArray[np.int64] = key.argmin(axis=1)
    return found


def _roots(level: Floats, slope: Floats) -> Floats:
    """Values above 0 where ``level + slope p`` is 0, ascending, each once."""
    level, slope = np.broadcast_arrays(level, slope)
    there = slope != 0
    found = -level[there] / slope[there]
    return np.unique(found[(found > 0) & np.isfinite(found)])
