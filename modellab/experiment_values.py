"""What all parts of an experiment are made of: strict frozen values, spans, and their checks."""

from __future__ import annotations

import re
from typing import Literal

import msgspec
import numpy as np

from modellab.errors import ExperimentError, quote

Kind = Literal["number", "category", "text", "time", "boolean"]
KINDS: tuple[Kind, ...] = ("number", "category", "text", "time", "boolean")

Scalar = bool | int | float | str

_NS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
    "w": 7 * 86400 * 10**9,
}
_ANY = 10**7
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ns|us|ms|s|min|m|h|d|w)\s*")


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all parts of an experiment: frozen, strict."""


def parse_span(text: str, where: str = "A time span") -> int:
    """Nanoseconds of a span such as ``"2h"`` or ``"1d 12h"``.

    Raises
    ------
    ExperimentError
        If the text is no span.
    """
    total = 0.0
    at = 0
    while at < len(text):
        found = _SPAN.match(text, at)
        if found is None:
            break
        total += float(found[1]) * _NS[found[2]]
        at = found.end()
    if not text.strip() or at < len(text) or total <= 0:
        raise ExperimentError(
            f"{where} {quote(text)} is not understood: write a number and a unit, "
            "such as 90s, 30min, 2h, 7d or 1w."
        )
    return round(total)


def rows_or_span(value: int | str, where: str) -> tuple[int, int]:
    """Split ``rows or span`` into ``(rows, nanoseconds)``, one of which is 0."""
    if isinstance(value, str):
        return 0, parse_span(value, where)
    return int(value), 0


def check_setting(where: str, key: str, value: Scalar) -> None:
    """Refuse a number that is not finite, or that 64 bits cannot hold."""
    if isinstance(value, float):
        require(np.isfinite(value).item(), f"{where}: {key} must be a finite number.")
    elif isinstance(value, int):
        # What 64 bits cannot hold could not even be sent to the engine.
        require(abs(value) < 2**63, f"{where}: {key} is too large a number.")


def check_rows_or_span(where: str, value: int | str, low: int) -> None:
    """Check a number of rows, or a span of time."""
    if isinstance(value, str):
        parse_span(value, where)
    else:
        check_range(where, value, low, 10**15)


def check_range(where: str, value: float, low: float, high: float) -> None:
    """Refuse a value outside [low, high], naming it as `where`."""
    inside = low <= value <= high  # False for NaN
    allowed = f"lie between {shown(low)} and {shown(high)}"
    if high >= _ANY and value < low:  # the upper bound only keeps overflows away
        allowed = f"be at least {shown(low)}"
    require(inside, f"{where} is {shown(value)}, but must {allowed}.")


def shown(value: float) -> str:
    """Write a number as sentences show it."""
    return f"{value:,.15g}"


def require(condition: bool, sentence: str) -> None:
    """Raise `ExperimentError` with the sentence unless the condition holds."""
    if not condition:
        raise ExperimentError(sentence)
