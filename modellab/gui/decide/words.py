"""Figures of a verdict in words (no widgets)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from modellab.gui.deploy import words as deploy_words
from modellab.gui.kit.text import MINUS, count_text, number_text, short_number
from modellab.verdict.words import name as shown_name

if TYPE_CHECKING:
    from modellab.verdict.values import Interval, LaneRow, Verdict

NONE = "\N{EN DASH}"
SURE_WORDS = {
    "clear": ("Recommended", "clear: fewer errors beyond chance, and the cost agrees", "ok"),
    "likely": ("Probably best", "it costs least, but that may be chance", "ok"),
    "tie": ("A tie", "the data do not decide; the simplest is named", "neutral"),
    "too early": ("Too early", "too few rows yet for a verdict that would hold", "warning"),
}
"""How sure -> the word in the pill, the words beside it, the pill's tone."""
PRICE_WORDS = {
    "error": ("One error", "per error"),
    "retrain": ("One retrain", "per retrain"),
    "cpu_hour": ("CPU hour", "CPU hour"),
    "downtime_hour": ("Hour down", "hour down"),
}
COST_WORDS = {
    "errors": "errors",
    "error": "errors",
    "retrains": "retrains",
    "retrain": "retrains",
    "cpu": "compute",
    "compute": "compute",
    "cpu_hour": "compute",
    "cpu_hours": "compute",
    "downtime": "downtime",
    "downtime_hour": "downtime",
    "downtime_hours": "downtime",
}
FAULT_WORDS = {
    "label_noise": "flipped labels",
    "feature_noise": "noise in the columns",
    "missing_values": "missing values",
    "unit_error": "a wrong unit",
    "swapped_columns": "swapped columns",
    "label_delay": "late labels",
    "outage": "an outage",
    "duplicated_rows": "repeated rows",
    "drift": "a drift",
}


def task_of_unit(unit: str) -> str:
    """Return the task whose errors are told in `unit`."""
    return "classification" if unit == "error rate" else "regression"


def error_text(value: float | None, unit: str) -> str:
    """Return an error: a share with three decimals, or a mean absolute error."""
    return deploy_words.error_text(value, task_of_unit(unit))


def half_width(interval: Interval) -> float:
    """Return half of the interval's width: the larger of its two sides."""
    return max(interval.high - interval.value, interval.value - interval.low)


def half_text(interval: Interval, unit: str) -> str:
    """Return ``± 0.005``."""
    half = half_width(interval)
    if unit == "error rate":
        return f"± {number_text(half)}"
    return f"± {figures_text(half, 2)}"


def difference_text(value: float, unit: str) -> str:
    """Return a difference of errors with its sign."""
    if unit == "error rate":
        return number_text(value, signed=abs(value) >= 0.0005)
    return figures_text(value, 3, signed=True)


def figures_text(value: float, figures: int, *, signed: bool = False) -> str:
    """Return a value with so many figures that count; zeros at the end stay."""
    size = abs(value)
    if not math.isfinite(value) or not 1e-4 <= size < 1e6:
        text = short_number(value, figures)
        return f"+{text}" if signed and value > 0 else text
    return number_text(value, max(0, figures - 1 - math.floor(math.log10(size))), signed=signed)


def p_text(p: float | None) -> str:
    """Return a p-value: ``< 0.001``, ``0.03``."""
    if p is None or math.isnan(p):
        return NONE
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def money_text(value: float) -> str:
    """Return an amount of money in the person's own currency, which has no sign here."""
    if math.isnan(value):
        return NONE
    size = abs(value)
    if size >= 100 or size == 0:
        return count_text(value)
    if size >= 1:
        return number_text(value, 2)
    return short_number(value, 2)


def rows_text(value: float) -> str:
    """Return a number of rows: ``1 row``, ``3,400 rows``."""
    whole = round(value)
    return "1 row" if whole == 1 else f"{count_text(whole)} rows"


def span_text(seconds: float) -> str:
    """Return a span of time in one unit, as a narrow column has room for: ``356 s``, ``30 min``."""
    if seconds <= 0:
        return "0"
    if seconds < 0.05:
        return "< 0.1 s"
    for limit, unit, name in ((600, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            value = seconds / unit
            return f"{value:.1f} {name}" if value < 9.95 else f"{count_text(value)} {name}"
    days = seconds / 86_400
    return f"{days:.1f} d" if days < 9.95 else f"{count_text(days)} d"


def downtime_text(row: LaneRow) -> str:
    """Return how long nothing served: event time if it is known, else rows."""
    if row.downtime_seconds > 0:
        return span_text(row.downtime_seconds)
    return rows_text(row.downtime_rows) if row.downtime_rows else "0"


def cost_parts(row: LaneRow) -> list[tuple[str, float]]:
    """Return the parts of the cost that are not nothing, in order; without the total."""
    return [
        (COST_WORDS.get(name, name.replace("_", " ")), value)
        for name, value in row.cost.items()
        if name != "total" and value > 0
    ]


def total_cost(row: LaneRow) -> float:
    """Return the total cost."""
    if "total" in row.cost:
        return row.cost["total"]
    return math.fsum(row.cost.values())


def worst_fault(row: LaneRow) -> tuple[str, float] | None:
    """Return the kind of fault that hurts a lane most and how much; None when not measured."""
    if not row.sensitivity:
        return None
    return max(row.sensitivity.items(), key=lambda item: item[1])


def fault_word(kind: str) -> str:
    """Return a kind of fault in words."""
    return FAULT_WORDS.get(kind, kind.replace("_", " "))


def signed_money(value: float) -> str:
    """Return a difference of money with its sign."""
    text = money_text(abs(value))
    return text if value == 0 else f"{'+' if value > 0 else MINUS}{text}"


def title_size(sentence: str) -> int:
    """Return the text size of the recommendation: long sentences are set smaller."""
    return next((s for limit, s in ((60, 28), (110, 22), (190, 18)) if len(sentence) <= limit), 16)


def headline(verdict: Verdict) -> tuple[str, str]:
    """Return the verdict's sentence in two parts: what to do, and the rest of it.

    A lane's name may contain anything, so that the first full stop says nothing.
    """
    sentence = verdict.sentence
    if verdict.recommended is not None:
        head = f"Deploy {shown_name(verdict.recommended)}."
        if sentence.startswith(head):
            return head, sentence[len(head) :].strip()
    return sentence, ""


def row_of(verdict: Verdict, name: str | None) -> LaneRow | None:
    """Return a lane's row; None when there is none."""
    return next((row for row in verdict.lanes if row.name == name), None)


def key_figures(verdict: Verdict) -> list[tuple[str, str, str]]:
    """Return the figures beside the recommendation: (figure, caption, term)."""
    row = row_of(verdict, verdict.recommended)
    if row is None:
        return []
    figures: list[tuple[str, str, str]] = []
    if row.error is not None:
        what = "error" if verdict.unit == "error rate" else verdict.unit
        caption = f"{what}, {half_text(row.error, verdict.unit)}"
        figures.append((error_text(row.error.value, verdict.unit), caption, "error"))
    tests = [r.p_value for r in verdict.lanes if r.deployable and r.p_value is not None]
    if tests:
        worst = max(tests)
        text = p_text(worst)
        each = "against each other lane" if worst < verdict.level else "against the closest rival"
        caption = each if len(tests) > 1 else "against the other lane"
        figures.append((f"p {text}" if text[0] == "<" else f"p = {text}", caption, "dm"))
    if row.drift is not None and row.drift.known:
        found = f"{row.drift.detected} of {row.drift.known}"
        figures.append((found, "known drifts found", "drift"))
    total = total_cost(row)
    caption = "cost in all"
    second = row_of(verdict, verdict.runner_up)
    if second is not None:
        gap = total_cost(second) - total
        side = "below" if gap >= 0 else "above"
        far = f"{money_text(abs(gap))} {side} next" if gap else "as much as the next"
        caption = f"cost in all, {far}"
    figures.append((money_text(total), caption, "cost"))
    if row.regret is not None:
        figures.append((signed_money(row.regret), "regret to hindsight", "regret"))
    return figures


def best_word(verdict: Verdict) -> str:
    """Return what to call the recommended lane: the best, unless one that ties errs less."""
    gaps = [row.difference.value for row in verdict.lanes if row.difference is not None]
    return "best" if all(gap >= 0 for gap in gaps) else "recommended"


def against_text(row: LaneRow, verdict: Verdict) -> str:
    """Return the difference to the recommended lane with its interval, in words."""
    unit = verdict.unit
    if row.outcome == "best":
        return best_word(verdict) if verdict.recommended is not None else NONE
    if row.difference is None:
        return NONE
    low, high = (difference_text(v, unit) for v in (row.difference.low, row.difference.high))
    words = {"better": ", errs less", "worse": ", errs more", "tie": ", may be chance"}
    told = words.get(row.outcome, "")
    return f"{difference_text(row.difference.value, unit)} ({low} to {high}){told}"
