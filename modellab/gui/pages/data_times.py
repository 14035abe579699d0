"""Event times in words. Times are nanoseconds since 1970, UTC."""

from __future__ import annotations

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NS = 1_000_000_000


def moment(time_ns: int) -> dt.datetime | None:
    """Return a time as a date-time in UTC; None outside the years 1 to 9999."""
    try:
        return _EPOCH + dt.timedelta(microseconds=time_ns // 1000)
    except OverflowError:
        return None


def date_text(time_ns: int) -> str:
    """Return the day: ``14 Feb 1997``."""
    when = moment(time_ns)
    return "" if when is None else f"{when.day} {when:%b} {when.year}"


def month_text(time_ns: int) -> str:
    """Return the month: ``Feb 1997``."""
    when = moment(time_ns)
    return "" if when is None else f"{when:%b} {when.year}"


def time_text(time_ns: int) -> str:
    """Return day and minute: ``14 Feb 1997, 13:30``."""
    when = moment(time_ns)
    return "" if when is None else f"{date_text(time_ns)}, {when:%H:%M}"


def nanoseconds(when: dt.datetime) -> int:
    """Return a date-time (UTC where it has no zone) as nanoseconds since 1970."""
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    gone = when - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * NS + gone.microseconds * 1000
