"""What to say when later rows of a file make another data set of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.errors import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

AGAIN = "Train and deploy again to go on with all rows."

_SHOWN = 3


def kinds_changed(changed: Sequence[tuple[str, str, str | None]]) -> str:
    """Say which columns turned out to be another kind: (name, before, now; None: gone)."""
    shown = [
        f"{quote(name)} is {_a(now)}, not {_a(before)}"
        if now is not None
        else f"{quote(name)} is not there"
        for name, before, now in changed[:_SHOWN]
    ]
    more = len(changed) - len(shown)
    rest = f", and {more:,} more" if more else ""
    columns = "a column" if len(changed) == 1 else "columns"
    return f"Later rows show another kind of {columns}: {', '.join(shown)}{rest}."


def classes_changed(target: str, before: Sequence[str], now: Sequence[str]) -> str:
    """Say that a target has other classes than its first rows had."""
    known = set(before)
    fresh = [quote(name, 40) for name in now if name not in known]
    if not fresh:
        return f"The classes of {quote(target)} are others now that more rows are read."
    more = f" and {len(fresh) - _SHOWN:,} more" if len(fresh) > _SHOWN else ""
    return f"Later rows hold other classes of {quote(target)}: {', '.join(fresh[:_SHOWN])}{more}."


def _a(kind: str) -> str:
    return {"text": "text", "boolean": "true or false"}.get(kind, f"a {kind}")


__all__ = ["AGAIN", "classes_changed", "kinds_changed"]
