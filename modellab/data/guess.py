"""Guesses about a fresh data set: which column to predict, which one tells the time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modellab.errors import quote

if TYPE_CHECKING:
    from modellab.data.store import Store, StoredColumn

_TARGETS = (
    "target", "class", "label", "y", "outcome", "late", "response", "churn", "churned", "fraud",
    "is_fraud", "spam", "default", "survived", "result", "classification", "category", "diagnosis",
    "price", "delay", "demand", "income", "quality", "rating",
)  # fmt: skip
_TIMES = re.compile(
    r"(time|date|datetime|timestamp|ts|when|day|epoch|unix)|.*(_|\b)(time|date|datetime|timestamp|at"
    r"|hour)|(time|date|datetime|timestamp)(_|\b).*",
    re.IGNORECASE,
)
_STAMPS = re.compile(r".*(timestamp|epoch|unix|_ts|\bts)\b.*|time|datetime", re.IGNORECASE)


def is_constant(column: StoredColumn) -> bool:
    """Whether a column has no value, or the same one in every row that has one."""
    # Yes and no are told apart by their levels: they have no numbers, only an empty list of them.
    if column.few_numbers:
        return len(column.few_numbers) <= 1
    if column.kind in ("category", "boolean"):
        return len(column.levels or []) <= 1
    return False


def guess_target(store: Store) -> tuple[str, str]:
    """Return the column that is most likely meant to be predicted, and why.

    A telling name counts first (``target``, ``class``, ``label`` ...), then the last column. Texts,
    times and columns of one value cannot be predicted.
    """
    usable = [
        c for c in store.columns
        if c.kind not in ("text", "time") and not is_constant(c) and c.missing < store.n_rows
    ]  # fmt: skip
    if not usable:
        return store.columns[-1].name, "no column can be predicted; this is the last one"
    by_name = {column.name.strip().lower(): column.name for column in reversed(usable)}
    for word in _TARGETS:
        if word in by_name:
            return by_name[word], f"guessed from its name, {quote(by_name[word])}"
    for word in ("target", "label", "class"):
        for column in reversed(usable):
            if word in re.split(r"[^a-z]+", column.name.lower()):
                return column.name, f"guessed from its name, {quote(column.name)}"
    last = usable[-1].name
    if last == store.columns[-1].name:
        return last, "guessed: it is the last column"
    return last, "guessed: it is the last column that can be predicted"


def guess_time(store: Store) -> str | None:
    """Return the column that most likely tells when each row happened, or None.

    A time column whose rows are in order counts first, then one with a telling name, then numbers
    called a timestamp that are seconds (or milliseconds ...) of this time.
    """
    times = [c for c in store.columns if c.kind == "time" and c.missing < store.n_rows]
    ordered = [c for c in times if c.out_of_order is None and c.missing == 0]
    named = [c for c in times if _TIMES.fullmatch(c.name)]
    for candidates in ([c for c in ordered if c in named], ordered, named):
        if candidates:
            return candidates[0].name
    for column in store.columns:
        if column.kind == "number" and _STAMPS.fullmatch(column.name):
            low, high = column.low, column.high
            if low is not None and high is not None and low >= 3e8 and high > low:
                return column.name
    return None
