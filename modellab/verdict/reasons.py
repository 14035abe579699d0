"""The evidence behind a verdict, and what to beware of, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.verdict import words
from modellab.verdict.sentence import (
    COMPUTE_SECONDS,
    SAME_COST,
    best_baseline,
    fewer,
    row_named,
    verb,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modellab.experiment import LaneSpec
    from modellab.verdict.latest import Latest
    from modellab.verdict.values import Hindsight, LaneRow, PriceBar, Verdict

FEW_ROWS = 1000
SENSITIVE = 0.1
"""A rise of the error by this share of it, or more, is worth a warning."""
NEAR = 1000.0
"""A lower price at which another lane would be taken is told if it is within this factor."""
FORGETS = 0.05
UNLEARNED = 0.05

_PRICES = {
    "error": ("an error", "costs"),
    "retrain": ("a retrain", "costs"),
    "cpu_hour": ("an hour of compute", "costs"),
    "downtime_hour": ("an hour of downtime", "costs"),
}


def reasons(verdict: Verdict, tied: list[str]) -> list[str]:
    """Sentences of evidence on the recommended lane, the weightiest first."""
    best = row_named(verdict, verdict.recommended)
    assert best is not None
    told = [
        _error(verdict, best),
        _tests(verdict, best, tied),
        _baselines(verdict, best),
        _costs(verdict, best),
        _hindsight(verdict, best),
        _drift(best),
        *_other_prices(verdict),
    ]
    return [text for text in told if text]


def _error(verdict: Verdict, best: LaneRow) -> str:
    if best.error is None:
        return ""
    classes = verdict.unit == "error rate"
    low, high = (words.loss(value, classes) for value in (best.error.low, best.error.high))
    sure = f"{100 * (1 - verdict.level):g} %"
    what = "error rate" if classes else "mean absolute error"
    return (
        f"Its {what} is {words.loss(best.error.value, classes)} "
        f"({sure} interval {low} to {high}, allowing for errors that come in runs)."
    )


def _tests(verdict: Verdict, best: LaneRow, tied: list[str]) -> str:
    others = [row for row in verdict.lanes if row.deployable and row.name != best.name]
    tested = [row for row in others if row.p_value is not None]
    if not tested:
        return ""
    count = len(tested)
    how = "Diebold-Mariano test"
    if count > 1:
        how += f", corrected for {words.small(count)} comparisons by Holm's method"
    worse = [row for row in tested if row.outcome == "worse"]
    if len(worse) == count:
        most = max(row.p_value or 0.0 for row in worse)
        whom = (
            words.name(worse[0].name) if count == 1 else f"each of the {words.small(count)} others"
        )
        return f"Fewer errors than {whom}, beyond chance: {words.p_value(most)} ({how})."
    names = [row.name for row in tested if row.outcome == "tie"]
    better = [row.name for row in tested if row.outcome == "better"]
    parts = []
    if names:
        parts.append(f"no difference in errors beyond chance to {words.listed(names)}")
    if worse:
        parts.append(f"fewer errors than {words.listed([r.name for r in worse])}")
    if better:
        parts.append(f"more errors than {words.listed(better)}, whose upkeep costs more than that")
        if any(name in tied for name in better):
            parts[-1] = f"more errors than {words.listed(better)}"
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]} ({how})."


def _baselines(verdict: Verdict, best: LaneRow) -> str:
    base = best_baseline(verdict)
    if base is None:
        return ""
    name = words.baseline(base.name, base.learner)
    if base.outcome != "worse":
        return ""
    beating = [
        row
        for row in verdict.lanes
        if row.deployable and row.error and base.error and row.error.value < base.error.value
    ]
    count = sum(row.deployable and row.rows > 0 for row in verdict.lanes)
    only = "It is the only lane that beats" if len(beating) == 1 and count > 1 else "It beats"
    return f"{only} the best baseline, {name}: {fewer(verdict, best, base, '')}."


def _costs(verdict: Verdict, best: LaneRow) -> str:
    other = row_named(verdict, verdict.runner_up)
    total = best.cost["total"]
    if other is None or not any(verdict.prices[key] for key in verdict.prices if key != "error"):
        return ""
    return (
        f"In all it costs {words.number(total)}, of which "
        f"{words.part(best.upkeep, total)} is upkeep, "
        f"against {words.number(other.cost['total'])} for {words.name(other.name)} "
        f"({words.part(other.upkeep, other.cost['total'])} upkeep)."
    )


def _hindsight(verdict: Verdict, best: LaneRow) -> str:
    found = verdict.hindsight
    if found is None or best.regret is None:
        return ""
    count = len(found.at)
    schedule = "never retrained" if count == 0 else f"retrained {words.times(count)}"
    if len(set(found.keeps)) > 1 or (found.keeps and found.keeps[0] != "all"):
        schedule += f", on {words.listed([_kept_words(keep) for keep in _distinct(found.keeps)])}"
    if abs(best.regret) < SAME_COST * best.cost["total"]:
        return (
            f"It costs as much as the best schedule of retrains known only in hindsight "
            f"({schedule})."
        )
    if best.regret < 0:
        return (
            f"Even the best schedule of retrains known only in hindsight ({schedule}) would have "
            f"cost {words.number(-best.regret)} more than it{_beyond(found)}."
        )
    return (
        f"The best schedule of retrains known only in hindsight ({schedule}) would have cost "
        f"{words.number(best.regret)} less: that is its regret."
    )


def _distinct(keeps: Sequence[int | str]) -> list[int | str]:
    return list(dict.fromkeys(keeps))


def _kept_words(keep: int | str) -> str:
    return f"the newest {words.rows(keep)}" if isinstance(keep, int) else "all rows"


def _beyond(found: Hindsight) -> str:
    """How a lane can cost less than the best schedule: it did what was not among those tried."""
    if not found.left_out:
        return ", which learned in another way"
    left = words.listed([_kept_words(keep) for keep in found.left_out])
    return f", which learned in another way (keeping {left} was not tried)"


def _drift(best: LaneRow) -> str:
    score = best.drift
    if score is None or not score.known:
        return ""
    text = (
        f"Its alarms found {words.small(score.detected)} of {words.small(score.known)} known drifts"
    )
    if score.delay is not None:
        text += f", on average {words.rows(round(score.delay))} late"
    return f"{text}, with {score.false_per_1000:.2g} false alarms per 1,000 rows."


def _other_prices(verdict: Verdict) -> list[str]:
    """The nearest price on either side at which another lane would be recommended."""
    told = [text for bar in verdict.price_bars for text in _switches(verdict, bar)]
    if not told:
        return ["No other price within reach would change the recommendation."]
    return told


def _switches(verdict: Verdict, bar: PriceBar) -> list[str]:
    here = next(
        (k for k, (low, high, lane) in enumerate(bar.segments)
         if lane == verdict.recommended and low <= bar.now <= high), None
    )  # fmt: skip
    if here is None:
        return []
    what, does = _PRICES[bar.price]
    told = []
    if here > 0 and bar.segments[here][0] >= bar.now / NEAR:
        told.append((bar.segments[here][0], "less", bar.segments[here - 1][2]))
    if here + 1 < len(bar.segments):
        told.append((bar.segments[here][1], "more", bar.segments[here + 1][2]))
    return [
        f"If {what} {does} {way} than {words.number(price)}, take {words.name(lane)} instead."
        for price, way, lane in told
        if bar.price != "cpu_hour" or _apart(verdict, lane) >= COMPUTE_SECONDS
    ]


def _apart(verdict: Verdict, lane: str) -> float:
    """CPU seconds between the recommended lane and another: a few are measured, not decided by."""
    rows = [row_named(verdict, name) for name in (verdict.recommended, lane)]
    spent = [sum(row.cpu_seconds.values()) for row in rows if row is not None]
    return max(spent) - min(spent)


# ---------------------------------------------------------------- warnings


def warnings(
    verdict: Verdict,
    specs: Mapping[str, LaneSpec],
    late: Latest | None = None,
    there: Mapping[str, float] | None = None,
) -> list[str]:
    """What to beware of, the weightiest first.

    `late`: how the recommended lane did at the very end, if that is worse than ever before;
    `there`: the mean loss of each lane in these rows.
    """
    best = row_named(verdict, verdict.recommended)
    assert best is not None
    told = [
        _baseline_wins(verdict, best),
        _late(verdict, best, late, there or {}),
        _few_rows(verdict),
        *_sensitive(verdict, best, specs[best.name].guard is not None),
        _missing_prices(verdict),
        _unanswered(verdict),
        _forgets(verdict, best),
        _down(best),
        _kept_back(best),
    ]
    return [text for text in told if text]


def _baseline_wins(verdict: Verdict, best: LaneRow) -> str:
    for row in verdict.lanes:
        if row.baseline and row.outcome == "better":
            return (
                f"{words.baseline(row.name, row.learner)} {verb(verdict)} "
                f"{fewer(verdict, row, best)}: as it is, the model is of no use."
            )
    for row in verdict.lanes:
        if row.baseline and row.outcome == "tie":
            return (
                f"It is not better beyond chance than {words.baseline(row.name, row.learner)}, "
                f"which needs no model: that {verb(verdict)} {fewer(verdict, row, best)}."
            )
    return ""


def _late(verdict: Verdict, best: LaneRow, late: Latest | None, there: Mapping[str, float]) -> str:
    if late is None:
        return ""
    classes = verdict.unit == "error rate"
    now, before = (words.loss(value, classes) for value in (late.now, late.before))
    text = (
        f"In the last {words.rows(late.rows)} its {verdict.unit} was {now}, against {before} "
        "before, and higher than in any stretch as long: something may have changed too late for "
        "this verdict."
    )
    others = {name: loss for name, loss in there.items() if name != best.name and loss < late.now}
    if not others:
        return text
    name = min(others, key=lambda one: others[one])
    return f"{text} There, {words.name(name)} had {words.loss(others[name], classes)}."


def _few_rows(verdict: Verdict) -> str:
    if verdict.rows >= FEW_ROWS:
        return ""
    return f"Only {words.rows(verdict.rows)} were compared: more would make it surer."


def _sensitive(verdict: Verdict, best: LaneRow, guarded: bool) -> list[str]:
    if best.error is None:
        return []
    classes = verdict.unit == "error rate"
    limit = SENSITIVE * best.error.value
    told = []
    for kind, rise in sorted(best.sensitivity.items(), key=lambda item: -item[1]):
        if rise < limit or rise <= 0:
            continue
        if classes:
            much = f"its error rate rose by {100 * rise:.1f} points"
        else:
            much = f"its mean absolute error rose by {words.number(rise)}"
        then = "keep the guard" if guarded else "consider a guard"
        learns = best.updates > 0 or best.retrains > 0
        advice = f": {then}" if learns else ""
        told.append(f"Sensitive to bad data: with {words.fault(kind)}, {much}{advice}.")
    return told[:2]


def _missing_prices(verdict: Verdict) -> str:
    lanes = [row for row in verdict.lanes if row.deployable]
    prices = verdict.prices
    if not any(prices.values()):
        return "No price is set: lanes are ranked by their errors alone."
    missing = []
    if prices["error"] == 0:
        missing.append("errors")
    if prices["retrain"] == 0 and any(row.retrains for row in lanes):
        missing.append("retrains")
    if prices["cpu_hour"] == 0 and _computes_differ(lanes):
        missing.append("compute")
    if prices["downtime_hour"] == 0 and any(row.downtime_seconds for row in lanes):
        missing.append("downtime")
    if not missing:
        return ""
    text = words.listed(missing, most=4)
    return f"{text[0].upper()}{text[1:]} cost nothing here: set their prices if they do."


def _computes_differ(lanes: list[LaneRow]) -> bool:
    """Whether one lane takes over ten times the compute of another, and more than a minute."""
    spent = [sum(row.cpu_seconds.values()) for row in lanes]
    return bool(spent) and max(spent) > 60 and max(spent) > 10 * min(spent)


def _unanswered(verdict: Verdict) -> str:
    short = [row for row in verdict.lanes if row.deployable and row.rows < verdict.rows]
    if not short:
        return ""
    row = min(short, key=lambda r: r.rows)
    return (
        f"{words.name(row.name)} answered {words.rows(row.rows)} of {verdict.rows:,}; its errors "
        "are reckoned for all of them at the same rate."
    )


def _forgets(verdict: Verdict, best: LaneRow) -> str:
    if best.forgetting is None or best.error is None:
        return ""
    limit = FORGETS if verdict.unit == "error rate" else SENSITIVE * best.error.value
    if best.forgetting < limit:
        return ""
    much = words.loss(best.forgetting, verdict.unit == "error rate").replace(" %", " points")
    return f"It forgets: on old rows it is {much} worse than it once was."


def _down(best: LaneRow) -> str:
    if not best.downtime_rows:
        return ""
    return (
        f"While it was redeployed, {words.rows(best.downtime_rows)} were answered by the baseline."
    )


def _kept_back(best: LaneRow) -> str:
    if best.rows == 0 or best.quarantined <= UNLEARNED * best.rows:
        return ""
    return (
        f"Its guard kept {words.rows(best.quarantined)} back from learning: look at them before "
        "it goes live."
    )
