"""How a verdict speaks: plain sentences of numbers and names, without markup."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_NAME = 60
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_BASELINES = {
    "majority_class": "always saying the commonest class",
    "no_change": "repeating the last label",
    "running_mean": "always saying the mean so far",
    "last_value": "repeating the last value",
}


def name(text: str) -> str:
    """Name of a lane in a sentence: on one line, not too long."""
    shown = "".join(c if c.isprintable() else " " for c in text).strip()
    return shown if len(shown) <= LONGEST_NAME else shown[: LONGEST_NAME - 1] + "…"


def baseline(lane: str, learner: str) -> str:
    """A baseline by what it does: ``No change (repeating the last label)``."""
    does = _BASELINES.get(learner)
    return name(lane) if does is None else f"{name(lane)} ({does})"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return ``A``, ``A and B``, ``A, B and C``, ``A, B and 4 others``."""
    shown = [name(text) for text in names]
    if len(shown) > most:
        shown = [*shown[: most - 1], f"{len(shown) - most + 1} others"]
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def number(value: float) -> str:
    """A number with about four digits that matter, grouped by thousands."""
    if not math.isfinite(value):
        return "an unknown number of"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 12)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def part(value: float, total: float) -> str:
    """A part of a cost; what is less than a ten-thousandth of it is almost nothing."""
    if value == 0:
        return "nothing"
    return "almost nothing" if abs(value) < 1e-4 * abs(total) else number(value)


def small(count: int) -> str:
    """Count in words up to ten."""
    return _SMALL[count] if 0 <= count <= 10 else f"{count:,}"


def rows(count: int) -> str:
    """Return ``1 row`` or ``30,918 rows``."""
    return "1 row" if count == 1 else f"{count:,} rows"


def times(count: int) -> str:
    """Return ``once``, ``twice`` or ``14 times``."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def loss(value: float, is_classes: bool) -> str:
    """A mean loss: an error rate in percent, or an absolute error in the target's unit."""
    return f"{100 * value:.2f} %" if is_classes else number(value)


def p_value(p: float) -> str:
    """Return ``p < 0.001`` or ``p = 0.03``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def compute(own: float, other: float) -> str:
    """Compute against another's: ``at a 33rd of the compute``; empty where it is about as much."""
    if own <= 0 or other <= 0:
        return ""
    ratio = other / own
    if ratio >= 1.75:
        whole = round(ratio)
        share = {2: "half", 3: "a third", 4: "a quarter"}.get(
            whole, f"{_article(whole)} {_th(whole)}"
        )
        return f"at {share} of the compute"
    if ratio <= 1 / 1.75:
        more = 1 / ratio
        return f"with {number(round(more) if more >= 10 else round(more, 1))} times the compute"
    return "at about the same compute"


def _article(count: int) -> str:
    """Return ``an`` before what is spoken with a vowel: eight, eleven, eighteen, eighty."""
    text = str(count)
    head = text[: len(text) % 3 or 3]
    return "an" if text[0] == "8" or head in ("11", "18") else "a"


def _th(count: int) -> str:
    tens, ones = count // 10 % 10, count % 10
    end = "th" if tens == 1 else {1: "st", 2: "nd", 3: "rd"}.get(ones, "th")
    return f"{count:,}{end}"


def fault(kind: str) -> str:
    """What was done to measure a sensitivity, as it stands in a sentence."""
    known = {
        "label_noise": "one label in twenty wrong",
        "feature_noise": "noise on the features",
        "missing_values": "one cell in ten missing",
        "unit_error": "a column in another unit",
        "swapped_columns": "two columns swapped",
        "label_delay": "labels that come later",
        "outage": "an outage",
        "duplicated_rows": "rows delivered twice",
        "drift": "a sudden drift",
    }
    return known.get(kind, kind.replace("_", " "))
