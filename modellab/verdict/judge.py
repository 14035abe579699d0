"""The verdict: which lane to deploy, why, how sure, and what to beware of.

The rule is in `ranking`; here it is applied, and told. A winner is named only where the interval of
the loss difference excludes zero and the cost agrees; else the lanes are told to tie, and the one
that needs the least upkeep is recommended, in the order of `evidence.upkeep_rank`: static before
scheduled before triggered before cost-aware before online before champion and challenger.
Baselines and the hindsight optimum are never recommended; a baseline that no lane beats is told.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from modellab.evaluation.costs import Spent, cost
from modellab.verdict import words
from modellab.verdict.comparison import mean_interval
from modellab.verdict.evidence import (
    KnownDrifts,
    deployable,
    learner_name,
    policy_name,
    upkeep_rank,
)
from modellab.verdict.hindsight import at_prices
from modellab.verdict.latest import last_error, latest
from modellab.verdict.prices import price_bars
from modellab.verdict.ranking import PRICES, Choice, Comparisons, Ranking, usage
from modellab.verdict.reasons import reasons, warnings
from modellab.verdict.sentence import sentence
from modellab.verdict.values import DriftScore, Interval, LaneRow, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from modellab.evaluation.evidence import LaneEvidence
    from modellab.experiment import PriceSpec
    from modellab.verdict.comparison import Comparison, Floats
    from modellab.verdict.values import Hindsight, Sure

    Outcome = Literal["best", "better", "tie", "worse", "unknown"]

FEWEST_ROWS = 100
"""With fewer rows there is no verdict yet."""
_KEPT = 4
_known: OrderedDict[bytes, Comparisons] = OrderedDict()


def judge(
    lanes: Sequence[LaneEvidence],
    *,
    prices: PriceSpec,
    task_kind: str,
    level: float = 0.05,
    seed: int = 0,
    hindsight: Hindsight | None = None,
    sensitivity: Mapping[str, Mapping[str, float]] | None = None,
    known: KnownDrifts | None = None,
) -> Verdict:
    """Judge lanes that were replayed on the same rows.

    Comparisons of the same losses are done once: other prices re-rank at once.

    Parameters
    ----------
    lanes
        In the order of the experiment; baselines and the hindsight lane included.
    prices
        What things cost.
    task_kind
        ``classification`` or ``regression``.
    level
        Of the tests and intervals.
    seed
        Of the bootstrap.
    hindsight
        The hindsight optimum, if it was found: it gives the lanes' regret.
    sensitivity
        By lane and by kind of fault, how much the mean loss rose.
    known
        Drifts that are known to be there, to score alarms by, and the rows that were replayed.
    """
    known = known or KnownDrifts()
    comparisons = _comparisons(lanes, level, seed)
    if hindsight is not None:
        hindsight = at_prices(hindsight, prices)
    members = [k for k, lane in enumerate(lanes) if deployable(lane) and lane.losses.rows]
    used = usage(lanes)
    table = [
        _row(lane, used[k], prices, (sensitivity or {}).get(lane.name, {}), known)
        for k, lane in enumerate(lanes)
    ]
    yardstick = _yardstick(table, hindsight, known)
    for k, row in enumerate(table):
        row.error = _interval(comparisons, k)
        if yardstick is not None and row.rows:
            row.regret = row.cost["total"] - yardstick
    compared = max((lane.losses.rows for lane in lanes), default=0)
    verdict = Verdict(
        recommended=None,
        sentence="",
        sure="too early",
        reasons=[],
        warnings=[],
        level=level,
        unit="error rate" if task_kind == "classification" else "absolute error",
        rows=compared,
        lanes=table,
        prices={key: float(getattr(prices, key)) for key in PRICES},
        hindsight=hindsight,
    )
    if not members:
        only = all(lane.baseline for lane in lanes)
        verdict.sentence = (
            "There is no lane that could be deployed: add one."
            if lanes and only and compared
            else "Nothing has been replayed yet."
        )
        return verdict
    ranking = Ranking(comparisons, members)
    choice = ranking.choose(prices)
    best = choice.recommended
    _compare_with(best, lanes, comparisons, table, members)
    _mark_pareto(table, members)
    verdict.runner_up = _runner_up(best, members, lanes, table)
    _sort(table, best, lanes)
    if compared < FEWEST_ROWS:
        leader = min(members, key=lambda k: (lanes[k].losses.mean or 0.0, k))
        verdict.sentence = (
            f"Too early to say: {words.rows(compared)} with a label so far. "
            f"{words.name(lanes[leader].name)} makes the fewest errors up to now."
        )
        return verdict
    verdict.recommended = lanes[best].name
    verdict.sure = _sure(choice, comparisons, members, table)
    verdict.price_bars = price_bars(ranking, prices)
    tied = [lanes[k].name for k in choice.tied if k != best]
    _tell(verdict, lanes, tied)
    return verdict


def _yardstick(
    table: list[LaneRow], hindsight: Hindsight | None, known: KnownDrifts
) -> float | None:
    """Total cost of the hindsight optimum: as found on these rows, else of the lanes of it."""
    if hindsight is not None and hindsight.stop == known.stop:
        return hindsight.total
    followed = [row.cost["total"] for row in table if row.policy == "hindsight" and row.rows]
    return min(followed, default=None)


def _tell(verdict: Verdict, lanes: Sequence[LaneEvidence], tied: list[str]) -> None:
    best = next(lane for lane in lanes if lane.name == verdict.recommended)
    rank = upkeep_rank(best.spec)
    as_simple = [x.name for x in lanes if x.name in tied and upkeep_rank(x.spec) == rank]
    verdict.sentence = sentence(verdict, tied, as_simple)
    verdict.reasons = reasons(verdict, tied)
    late = latest(best.losses)
    there = {} if late is None else {
        lane.name: last_error(lane.losses, late.start) for lane in lanes if deployable(lane)
    }  # fmt: skip
    verdict.warnings = warnings(
        verdict, {lane.name: lane.spec for lane in lanes}, late, there
    )  # fmt: skip


def _comparisons(lanes: Sequence[LaneEvidence], level: float, seed: int) -> Comparisons:
    """Comparisons of these very losses, from the last few that were asked for, or new ones."""
    digest = hashlib.blake2b(repr((level, seed)).encode(), digest_size=16)
    for lane in lanes:
        losses = lane.losses
        # The sample follows from what the tiles sum up and the seed; its size tells the rest.
        digest.update(f"{len(losses.starts)} {losses.width} {len(losses.sample_losses)} ".encode())
        for values in (losses.starts[:1], losses.sums, losses.counts):
            digest.update(np.ascontiguousarray(values).tobytes())
        digest.update(str(float(np.nansum(losses.sample_losses))).encode())
    key = digest.digest()
    found = _known.pop(key, None) or Comparisons(lanes, level, seed)
    found.lanes = list(lanes)
    _known[key] = found
    while len(_known) > _KEPT:
        _known.popitem(last=False)
    return found


def _interval(comparisons: Comparisons, index: int) -> Interval | None:
    if index not in comparisons.means:
        comparisons.means[index] = mean_interval(
            comparisons.lanes[index].losses, comparisons.level, comparisons.seed
        )
    return comparisons.means[index]


def _row(
    lane: LaneEvidence,
    used: Floats,
    prices: PriceSpec,
    sensitivity: Mapping[str, float],
    known: KnownDrifts,
) -> LaneRow:
    count = lane.counters
    spent = Spent(float(used[0]), int(used[1]), float(used[2]) * 3600, lane.downtime_seconds)
    items = cost(spent, prices)
    return LaneRow(
        name=lane.name,
        policy=policy_name(lane.spec),
        learner=learner_name(lane.spec),
        baseline=lane.baseline,
        deployable=deployable(lane),
        rows=lane.losses.rows,
        updates=int(count.get("updates", 0)),
        retrains=int(count.get("retrains", 0)),
        redeploys=int(count.get("redeploys", 0)),
        rollbacks=int(count.get("rollbacks", 0)),
        alarms=int(count.get("alarms", len(lane.alarms))),
        quarantined=int(count.get("quarantined", 0)),
        downtime_rows=int(count.get("downtime_rows", 0)),
        downtime_seconds=lane.downtime_seconds,
        cpu_seconds=dict(lane.cpu),
        model_bytes=lane.bytes,
        rows_stored=lane.rows_stored,
        staleness_rows=lane.staleness,
        forgetting=lane.forgetting,
        sensitivity=dict(sensitivity),
        drift=_drift(lane, known),
        cost=items,
        upkeep=items["total"] - items["errors"],
    )


def _drift(lane: LaneEvidence, known: KnownDrifts) -> DriftScore | None:
    if not known.positions or lane.baseline:
        return None
    from modellab.evaluation.drift_scores import score_alarms

    found = score_alarms(
        lane.alarms, known.positions, known.start, known.stop, known.tolerance
    )  # fmt: skip
    return DriftScore(
        known=found.known,
        detected=found.detected,
        missed=found.missed,
        alarms=found.alarms,
        false_alarms=found.false_alarms,
        recall=found.recall,
        delay=found.delay,
        false_per_1000=found.false_per_1000,
    )


def _compare_with(
    best: int,
    lanes: Sequence[LaneEvidence],
    comparisons: Comparisons,
    table: list[LaneRow],
    members: list[int],
) -> None:
    """Fill in every lane's difference to the recommended one.

    Holm's correction is over the deployable lanes, and apart from them over all others.
    """
    rest = [k for k in range(len(lanes)) if k not in members and lanes[k].losses.rows]
    for group in ([k for k in members if k != best], rest):
        for k, found in zip(group, comparisons.family(best, group), strict=True):
            pair = comparisons.pair(k, best)
            if found is None or pair is None:
                continue
            decided, p = found
            row = table[k]
            if np.isfinite(pair.low):
                row.difference = Interval(pair.mean, pair.low, pair.high)
            row.p_value = p if pair.dm_p is not None else None
            row.mcnemar_p = pair.mcnemar_p
            row.outcome = _outcome(decided)
    table[best].outcome = "best"


def _outcome(best_less_lane: Comparison) -> Outcome:
    """What the lane is against the recommended one, by errors alone."""
    if best_less_lane.high < 0:
        return "worse"
    return "better" if best_less_lane.low > 0 else "tie"


def _sure(
    choice: Choice, comparisons: Comparisons, members: list[int], table: list[LaneRow]
) -> Sure:
    if len(choice.tied) > 1:
        return "tie"
    best = choice.recommended
    others = [k for k in members if k != best]
    clear = all(
        found is not None and found[0].high < 0 for found in comparisons.family(best, others)
    )
    baselines = [row for row in table if row.baseline and row.outcome != "unknown"]
    return "clear" if clear and all(row.outcome == "worse" for row in baselines) else "likely"


def _mark_pareto(table: list[LaneRow], members: list[int]) -> None:
    """Mark deployable lanes that no other one beats both in error and in the cost of upkeep."""
    points = {k: (table[k].cost["errors"], table[k].upkeep) for k in members}
    means = {k: row.value if (row := table[k].error) is not None else 0.0 for k in members}
    for k in members:
        mine = (means[k], points[k][1])
        table[k].pareto = not any(
            means[j] <= mine[0] and points[j][1] <= mine[1] and (means[j], points[j][1]) != mine
            for j in members
        )


def _runner_up(
    best: int, members: list[int], lanes: Sequence[LaneEvidence], table: list[LaneRow]
) -> str | None:
    others = [k for k in members if k != best]
    if not others:
        return None
    return lanes[min(others, key=lambda k: (table[k].cost["total"], k))].name


def _sort(table: list[LaneRow], best: int, lanes: Sequence[LaneEvidence]) -> None:
    """Put the recommended lane first, then by total cost; lanes without a row last."""
    order = {lane.name: k for k, lane in enumerate(lanes)}
    chosen = lanes[best].name
    table.sort(
        key=lambda row: (
            row.name != chosen, row.rows == 0, row.cost["total"], order[row.name]
        )
    )  # fmt: skip
