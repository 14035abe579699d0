"""Ticks: round numbers and round dates for axes (no Qt)."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from modellab.gui.kit.text import MINUS, short_number

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND_NS = 1_000_000_000
_DAY = 86_400 * SECOND_NS
_SECONDS: tuple[int, ...] = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
    *(86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nice_step(span: float, count: int) -> float:
    """Return the step among 1, 2, 5 times a power of ten that cuts `span` into about `count`."""
    raw = span / max(1, count)
    if not raw > 0 or not math.isfinite(raw):
        return 1.0
    base = 10.0 ** math.floor(math.log10(raw))
    return next(m * base for m in (1.0, 2.0, 5.0, 10.0) if m * base >= raw * 0.72)


def number_ticks(low: float, high: float, count: int) -> list[float]:
    """Return round values between `low` and `high`, about `count` of them."""
    step = nice_step(high - low, count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    if last - first > 10 * max(count, 1):
        return []
    return [k * step for k in range(first, last + 1)]


def row_ticks(low: float, high: float, count: int) -> list[int]:
    """Return round row numbers between `low` and `high`."""
    return [round(v) for v in number_ticks(low, high, count) if abs(v - round(v)) < 1e-6]


def tick_texts(values: list[float], *, prefix: str = "") -> list[str]:
    """Return ticks as words: the same number of decimals, thousands as ``k`` and ``M``."""
    if not values:
        return []
    step = abs(values[1] - values[0]) if len(values) > 1 else abs(values[0]) or 1.0
    largest = max(abs(v) for v in values)
    factor, unit = 1.0, ""
    for limit, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if largest >= limit:
            factor = {"G": 1e9, "M": 1e6, "k": 1e3}[name]
            unit = f"\N{NO-BREAK SPACE}{name}"
            break
    near = 1e-3 * step / factor
    shown = [v / factor for v in values]
    decimals = next((d for d in range(6) if all(abs(round(v, d) - v) < near for v in shown)), 6)
    if decimals > 5:
        return [prefix + short_number(v) for v in values]
    texts = []
    for value in values:
        size = abs(value) / factor
        sign = MINUS if value < -1e-12 * largest else ""
        texts.append(f"{sign}{prefix}{size:,.{decimals}f}{unit if value else ''}")
    return texts


def short_texts(values: list[float]) -> list[str]:
    """Return values in at most seven characters, thousands and millions in short: ``129.7 k``."""
    texts = []
    for value in values:
        size = abs(value)
        if not 1e4 <= size < 1e12:
            texts.append(short_number(value, 3))
            continue
        power = 3 if size < 999_950 else 6 if size < 999_950_000 else 9
        sign = "\N{MINUS SIGN}" if value < 0 else ""
        texts.append(f"{sign}{size / 10**power:.1f} {' kMG'[power // 3]}")
    return texts


def moment(ns: int) -> datetime:
    """Return a time in ns since 1970 (UTC) as a date-time, clipped to the years 1 to 9999."""
    try:
        return EPOCH + timedelta(microseconds=ns // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if ns > 0 else datetime.min.replace(tzinfo=UTC)


def date_words(ns: int | None, span_ns: int) -> str:
    """Return a date as short as `span_ns` on the axis allows: ``Mar 1997``, ``3 Jul 1997``."""
    if ns is None:
        return ""
    when = moment(ns)
    if span_ns > 300 * _DAY:
        return f"{when:%b} {when.year}"
    if span_ns > 4 * _DAY:
        return f"{when.day} {when:%b} {when.year}"
    if span_ns > 600 * SECOND_NS:
        return f"{when.day} {when:%b}, {when:%H:%M}"
    return f"{when.day} {when:%b}, {when:%H:%M:%S}"


def full_date(ns: int | None) -> str:
    """Return a date-time in full: ``Mon 2 Mar 1998, 15:30``; empty without a time."""
    if ns is None:
        return ""
    when = moment(ns)
    clock = f"{when:%H:%M:%S}" if when.second else f"{when:%H:%M}"
    return f"{when:%a} {when.day} {when:%b} {when.year}, {clock}"


def short_date(ns: int | None) -> str:
    """Return the day: ``2 Mar 1998``; empty without a time."""
    if ns is None:
        return ""
    when = moment(ns)
    return f"{when.day} {when:%b} {when.year}"


def date_ticks(
    low: int, high: int, count: int, row_of: Callable[[int], int | None]
) -> list[tuple[int, str]]:
    """Return (row, words) at round dates between two times (ns), about `count` of them."""
    span = high - low
    if span <= 0 or count < 1:
        return []
    found: list[tuple[int, str]] = []
    for when, words in _round_dates(low, high, span / count):
        row = row_of(when)
        if row is not None:
            found.append((row, words))
    return found


def _ns(when: datetime) -> int:
    gap = when - EPOCH
    return (gap.days * 86_400 + gap.seconds) * SECOND_NS


def _round_dates(low: int, high: int, step: float) -> list[tuple[int, str]]:
    months = step / (30.4 * _DAY)
    if months > 0.75:
        every = next((m for m in (1, 2, 3, 6, 12, 24, 60, 120, 600) if m >= months * 0.8), 1200)
        begin = moment(low)
        number = -(-(begin.year * 12 + begin.month - 1) // every) * every
        dates: list[tuple[int, str]] = []
        while number // 12 <= 9999 and len(dates) < 200:
            when = datetime(max(1, number // 12), number % 12 + 1, 1, tzinfo=UTC)
            if _ns(when) > high:
                break
            if _ns(when) >= low:
                words = f"{when.year}" if every >= 12 else f"{when:%b} {when.year}"
                dates.append((_ns(when), words))
            number += every
        return dates
    seconds = step / SECOND_NS
    every = next((s for s in _SECONDS if s >= seconds * 0.8), _SECONDS[-1])
    unit = every * SECOND_NS
    dates = []
    for at in range(-(-low // unit) * unit, high + 1, unit):
        when = moment(at)
        if every >= 86_400:
            words = f"{when.day} {when:%b}"
        elif every >= 60:
            words = f"{when:%H:%M}" if when.hour or when.minute else f"{when.day} {when:%b}"
        else:
            words = f"{when:%H:%M:%S}"
        dates.append((at, words))
        if len(dates) > 200:
            break
    return dates
