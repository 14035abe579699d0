"""The answer in a sentence or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.verdict import words

if TYPE_CHECKING:
    from modellab.verdict.values import LaneRow, Verdict


SAME_COST = 0.001
"""Costs that differ by less than this share are told to be the same: compute is measured."""
COMPUTE_SHARE = 0.01
"""Compute is told where it is at least this share of what the other lane costs in all."""
COMPUTE_SECONDS = 60.0
"""Where compute costs nothing, a difference of less than this is not worth a word."""


def compute_matters(verdict: Verdict, one: LaneRow, other: LaneRow) -> bool:
    """Whether the compute of two lanes differs by something, in money or (unpriced) in time."""
    apart = abs(sum(one.cpu_seconds.values()) - sum(other.cpu_seconds.values()))
    price = verdict.prices.get("cpu_hour", 0.0)
    if price > 0:
        return price * apart / 3600.0 >= COMPUTE_SHARE * max(one.cost["total"], other.cost["total"])
    return apart >= COMPUTE_SECONDS


def row_named(verdict: Verdict, name: str | None) -> LaneRow | None:
    """Return the line of a lane."""
    return next((row for row in verdict.lanes if row.name == name), None)


def best_baseline(verdict: Verdict) -> LaneRow | None:
    """Return the baseline with the least loss."""
    there = [row for row in verdict.lanes if row.baseline and row.error is not None]
    return min(there, key=lambda row: row.error.value if row.error else 0.0, default=None)


def fewer(verdict: Verdict, mine: LaneRow, other: LaneRow, than: str | None = None) -> str:
    """How many errors `mine` made against `other`, as ``609 fewer errors than Retrained``.

    For regression: ``a mean absolute error 1.2 lower than Retrained``. `than`: another name for
    the other one; empty: it is left out.
    """
    than = words.name(other.name) if than is None else than
    less = _difference(mine, other)
    way = f" than {than}" if than else ""
    if verdict.unit == "error rate":
        count = round(abs(less) * min(mine.rows, other.rows))
        if count == 0:
            return f"as many errors as {than}" if than else "as many errors"
        noun = "error" if count == 1 else "errors"
        return f"{count:,} {'fewer' if less > 0 else 'more'} {noun}{way}"
    if less == 0:
        return f"the same mean absolute error as {than}" if than else "the same error"
    return (
        f"a mean absolute error {words.number(abs(less))} {'lower' if less > 0 else 'higher'}{way}"
    )


def _difference(mine: LaneRow, other: LaneRow) -> float:
    """Mean loss of `other` less that of `mine`."""
    if other.difference is not None and mine.outcome == "best":
        return other.difference.value
    if mine.error is None or other.error is None:
        return 0.0
    return other.error.value - mine.error.value


def verb(verdict: Verdict) -> str:
    """Return what a lane does to its errors."""
    return "made" if verdict.unit == "error rate" else "had"


def sentence(verdict: Verdict, tied: list[str], as_simple: list[str]) -> str:
    """Say which lane to deploy, and the one fact that decides it.

    `tied`: the lanes that tie with the recommended one; `as_simple`: those of them that are as
    simple to keep (the others take more upkeep).
    """
    best = row_named(verdict, verdict.recommended)
    assert best is not None
    better = [row for row in verdict.lanes if row.baseline and row.outcome == "better"]
    head = f"Deploy {words.name(best.name)}."
    rows = f"the same {words.rows(verdict.rows)}"
    if better:
        base = min(better, key=lambda row: row.error.value if row.error else 0.0)
        name = words.baseline(base.name, base.learner)
        mine = words.name(best.name)
        did = fewer(verdict, base, best)
        return (
            f"No lane is better than {name}: it {verb(verdict)} {did} on {rows}, without a model. "
            f"Of the lanes, {mine} is the one to take."
        )
    return f"{head} {_decides(verdict, best, tied, as_simple)}{_but(verdict, best)}"


def _but(verdict: Verdict, best: LaneRow) -> str:
    """Say if a baseline made fewer errors, though not beyond chance."""
    base = best_baseline(verdict)
    if base is None or base.outcome != "tie" or _difference(base, best) <= 0:
        return ""
    who = words.baseline(base.name, base.learner)
    return f" But {who} {verb(verdict)} {fewer(verdict, base, best, 'that')}, without a model."


def _decides(verdict: Verdict, best: LaneRow, tied: list[str], as_simple: list[str]) -> str:
    """Say the fact that decides it."""
    rows = f"the same {words.rows(verdict.rows)}"
    if tied:
        return _tie(verdict, best, tied, as_simple)
    other = row_named(verdict, verdict.runner_up)
    if other is None:
        base_row = best_baseline(verdict)
        if base_row is None:
            return "It is the only lane that could be deployed."
        return (
            f"It is the only lane that could be deployed; it {verb(verdict)} "
            f"{fewer(verdict, best, base_row)} on {rows}."
        )
    compute = ""
    if compute_matters(verdict, best, other):
        compute = words.compute(sum(best.cpu_seconds.values()), sum(other.cpu_seconds.values()))
    did = f"It {verb(verdict)} {fewer(verdict, best, other)}, on {rows}"
    if verdict.sure == "likely" and other.outcome != "worse":
        saved = other.cost["total"] - best.cost["total"]
        did = (
            f"It costs {words.number(saved)} less than {words.name(other.name)} on {rows}, "
            f"with {fewer(verdict, best, other, '')}"
        )
    return f"{did}, {compute}." if compute else f"{did}."


def _tie(verdict: Verdict, best: LaneRow, tied: list[str], as_simple: list[str]) -> str:
    """The lanes that tie, and why this one of them."""
    rows, mine = words.rows(verdict.rows), words.name(best.name)
    head = f"It ties with {words.listed(tied)}: on {rows} their difference is within chance, and"
    if not as_simple:
        return f"{head} {mine} needs the least upkeep of them."
    equals = [row for row in verdict.lanes if row.name in as_simple]
    apart = max(abs(row.cost["total"] - best.cost["total"]) for row in equals)
    costs = "costs less" if len(equals) == 1 else "costs least"
    about = "the same" if apart == 0.0 else "about the same"
    alike = apart < SAME_COST * abs(best.cost["total"]) or apart == 0.0
    if len(as_simple) < len(tied):
        why = f"of those as simple to keep, {mine} {costs}"
        if alike:
            why = f"those as simple to keep cost {about}"
        return f"{head} none needs less upkeep than {mine}; {why}."
    if apart == 0.0:
        return f"{head} {mine} comes first: they cost the same and are as simple to keep."
    if alike:
        return f"{head} {mine} stands for them: they cost {about} and are as simple to keep."
    return f"{head} {mine} {costs}, and is as simple to keep."
