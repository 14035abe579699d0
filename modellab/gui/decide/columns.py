"""The columns of the table of lanes: what each shows, how it sorts, what it means (no widgets)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from modellab.gui.decide import words
from modellab.gui.decide.terms import explain
from modellab.gui.kit.text import count_text, number_text, size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from modellab.verdict.values import LaneRow, Verdict

LAST = math.inf
"""Sort key of what is not known."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    `title` and `under` are the two lines of its heading, `term` its explanation, `wide` its width
    in pixels of 100 % text, `text` a cell in words, `key` what it sorts by, and `rank` tells which
    columns give way first in a narrow window (the highest).
    """

    id: str
    title: str
    under: str
    terms: tuple[str, ...]
    wide: int
    rank: int
    text: Callable[[LaneRow, Verdict], str]
    key: Callable[[LaneRow, Verdict], float | str]
    right: bool = True
    shown: Literal["always", "usual", "if known", "on request"] = "usual"
    known: Callable[[LaneRow], bool] = lambda _row: True
    detail: Callable[[LaneRow, Verdict], str] | None = None

    @property
    def tip(self) -> str:
        """The explanation of its heading."""
        return explain(*self.terms)


def _number(value: float | None) -> float:
    return LAST if value is None or math.isnan(value) else value


def _error(row: LaneRow, verdict: Verdict) -> str:
    if row.error is None:
        return words.NONE
    value = words.error_text(row.error.value, verdict.unit)
    return f"{value} {words.half_text(row.error, verdict.unit)}"


def _error_detail(row: LaneRow, verdict: Verdict) -> str:
    if row.error is None:
        return f"{row.name}: no row could be scored yet."
    low, high = (words.error_text(v, verdict.unit) for v in (row.error.low, row.error.high))
    return (
        f"{row.name}: {words.error_text(row.error.value, verdict.unit)}, "
        f"95 % interval {low} to {high}, on {count_text(row.rows)} rows."
    )


def _against_detail(row: LaneRow, verdict: Verdict) -> str:
    if row.outcome == "best":
        return f"{row.name} is the recommended lane: the others are compared with it."
    if row.difference is None:
        return f"{row.name} could not be compared yet."
    told = f"{row.name} against {verdict.recommended}: {words.against_text(row, verdict)}."
    if row.p_value is not None:
        told += f"\nDiebold-Mariano test, corrected: p {_equals(row.p_value)}."
    if row.mcnemar_p is not None:
        told += f"\nMcNemar's test: p {_equals(row.mcnemar_p)}."
    return told


def _equals(p: float) -> str:
    text = words.p_text(p)
    return text if text[0] == "<" else f"= {text}"


def _cpu(row: LaneRow) -> float:
    return math.fsum(v for k, v in row.cpu_seconds.items() if k != "total")


def _cpu_detail(row: LaneRow, _verdict: Verdict) -> str:
    parts = [f"{k} {words.span_text(v)}" for k, v in row.cpu_seconds.items() if k != "total"]
    return f"{row.name}: {', '.join(parts) or 'no CPU time'}."


def _staleness(row: LaneRow, _verdict: Verdict) -> str:
    if row.staleness_rows is None:
        return words.NONE
    return words.rows_text(row.staleness_rows)


def _forgetting(row: LaneRow, verdict: Verdict) -> str:
    if row.forgetting is None:
        return words.NONE
    return words.difference_text(row.forgetting, verdict.unit)


def _bad(row: LaneRow, verdict: Verdict) -> str:
    worst = words.worst_fault(row)
    return words.NONE if worst is None else words.difference_text(worst[1], verdict.unit)


def _bad_detail(row: LaneRow, verdict: Verdict) -> str:
    if not row.sensitivity:
        return f"{row.name}: not measured yet. The button below the table measures it."
    parts = [
        f"{words.fault_word(kind)}: {words.difference_text(rise, verdict.unit)}"
        for kind, rise in row.sensitivity.items()
    ]
    return f"{row.name}, rise of the error with\n" + "\n".join(parts)


def _drift(row: LaneRow, _verdict: Verdict) -> str:
    if row.drift is None or not row.drift.known:
        return words.NONE
    return f"{row.drift.detected} of {row.drift.known}"


def _drift_detail(row: LaneRow, _verdict: Verdict) -> str:
    score = row.drift
    if score is None:
        return f"{row.name}: no detector watches it."
    delay = "" if score.delay is None else f", on average {words.rows_text(score.delay)} late"
    return (
        f"{row.name}: {score.detected} of {score.known} known drifts found{delay}; "
        f"{count_text(score.false_alarms)} of {count_text(score.alarms)} alarms were false, "
        f"{number_text(score.false_per_1000, 2)} per 1,000 rows."
    )


def _cost_detail(row: LaneRow, _verdict: Verdict) -> str:
    parts = [f"{name}: {words.money_text(value)}" for name, value in words.cost_parts(row)]
    total = words.money_text(words.total_cost(row))
    return f"{row.name}, total {total}\n" + "\n".join(parts)


def _regret(row: LaneRow, _verdict: Verdict) -> str:
    if row.regret is None:
        return words.NONE
    # CPU time is measured: the optimum itself differs from what was computed by a trifle.
    trifle = abs(row.regret) < 1e-5 * words.total_cost(row)
    return "0" if trifle else words.signed_money(row.regret)


def _count(name: str) -> Callable[[LaneRow, Verdict], str]:
    def text(row: LaneRow, _verdict: Verdict) -> str:
        value = getattr(row, name)
        return words.NONE if row.baseline and not value else count_text(value)

    return text


def _by(name: str) -> Callable[[LaneRow, Verdict], float | str]:
    return lambda row, _verdict: _number(getattr(row, name))


def _counted(
    name: str, title: str, under: str, term: str, wide: int, rank: int, shown: str = "usual"
) -> Column:
    return Column(
        id=name,
        title=title,
        under=under,
        terms=(term,),
        wide=wide,
        rank=rank,
        text=_count(name),
        key=_by(name),
        shown=shown,  # type: ignore[arg-type]
        known=lambda row: bool(getattr(row, name)),
    )


COLUMNS: tuple[Column, ...] = (
    Column(
        "lane", "Strategy", "", ("lane",), 168, 0, lambda row, _v: row.name,
        lambda row, _v: row.name.casefold(), right=False, shown="always",
    ),
    Column(
        "error", "Error", "± 95 %", ("error", "interval"), 118, 0, _error,
        lambda row, _v: _number(row.error.value if row.error else None),
        shown="always", detail=_error_detail,
    ),
    Column(
        "against", "Difference", "to the recommended", ("against", "holm"), 210, 1,
        lambda row, v: words.against_text(row, v),
        lambda row, _v: (
            -LAST if row.outcome == "best"
            else _number(row.difference.value if row.difference else None)
        ),
        right=False, detail=_against_detail,
    ),
    Column(
        "p", "Chance", "p, corrected", ("dm", "holm"), 92, 14,
        lambda row, _v: words.p_text(row.p_value), _by("p_value"), shown="on request",
    ),
    Column(
        "mcnemar", "McNemar", "p", ("mcnemar",), 84, 15,
        lambda row, _v: words.p_text(row.mcnemar_p), _by("mcnemar_p"), shown="on request",
    ),
    _counted("updates", "Updates", "", "updates", 80, 7),
    _counted("retrains", "Retrains", "", "retrains", 76, 4),
    _counted("redeploys", "Deployed", "", "redeploys", 80, 13, "on request"),
    _counted("rollbacks", "Rollbacks", "", "rollbacks", 82, 12, "if known"),
    Column(
        "downtime", "Down", "", ("downtime",), 84, 9,
        lambda row, _v: words.downtime_text(row),
        lambda row, _v: row.downtime_seconds or row.downtime_rows * 1e-6,
        shown="if known", known=lambda row: bool(row.downtime_rows or row.downtime_seconds),
    ),
    Column(
        "cpu", "CPU", "", ("cpu",), 84, 5,
        lambda row, _v: words.span_text(_cpu(row)), lambda row, _v: _cpu(row), detail=_cpu_detail,
    ),
    Column(
        "memory", "Memory", "model", ("memory",), 84, 8,
        lambda row, _v: size_text(row.model_bytes) if row.model_bytes else "0",
        _by("model_bytes"),
    ),
    _counted("rows_stored", "Rows kept", "most", "stored", 90, 11, "on request"),
    Column(
        "staleness", "Staleness", "mean", ("staleness",), 106, 6, _staleness,
        _by("staleness_rows"), known=lambda row: row.staleness_rows is not None,
    ),
    Column(
        "forgetting", "Forgetting", "", ("forgetting",), 88, 10, _forgetting,
        _by("forgetting"), known=lambda row: row.forgetting is not None,
    ),
    Column(
        "bad", "Bad data", "Δ error", ("sensitivity",), 84, 3, _bad,
        lambda row, _v: _number((words.worst_fault(row) or ("", LAST))[1]),
        shown="if known", known=lambda row: bool(row.sensitivity), detail=_bad_detail,
    ),
    _counted("alarms", "Alarms", "", "alarms", 76, 13, "on request"),
    Column(
        "drift", "Drifts", "found", ("drift",), 76, 9, _drift,
        lambda row, _v: -row.drift.detected if row.drift else LAST,
        shown="if known", known=lambda row: row.drift is not None and row.drift.known > 0,
        detail=_drift_detail,
    ),
    _counted("quarantined", "Kept back", "rows", "quarantined", 84, 12, "if known"),
    Column(
        "upkeep", "Upkeep", "", ("upkeep",), 84, 13,
        lambda row, _v: words.money_text(row.upkeep), _by("upkeep"), shown="on request",
    ),
    Column(
        "regret", "Regret", "to hindsight", ("regret", "hindsight"), 88, 2, _regret,
        _by("regret"), shown="if known", known=lambda row: row.regret is not None,
    ),
    Column(
        "cost", "Cost", "total", ("cost",), 190, 1,
        lambda row, _v: words.money_text(words.total_cost(row)),
        lambda row, _v: words.total_cost(row), shown="always", detail=_cost_detail,
    ),
)  # fmt: skip
BY_ID = {column.id: column for column in COLUMNS}


def shown_columns(
    rows: Collection[LaneRow], chosen: Mapping[str, bool], room: float | None
) -> list[str]:
    """Return the ids of the columns to show, in order.

    Parameters
    ----------
    rows
        The lanes: some columns are shown only when there is something to show in them.
    chosen
        What the person chose: these are shown, or not, whatever the rest says.
    room
        Pixels of 100 % text that there are; None: enough. What has no room gives way by `rank`.
    """
    wanted = []
    for column in COLUMNS:
        if column.shown == "always" or chosen.get(column.id):
            wanted.append(column)
        elif column.id in chosen or column.shown == "on request":
            continue
        elif column.shown == "usual" or any(column.known(row) for row in rows):
            wanted.append(column)
    if room is not None:
        giving = sorted(
            (c for c in wanted if c.shown != "always" and not chosen.get(c.id)),
            key=lambda c: -c.rank,
        )
        for column in giving:
            if sum(c.wide for c in wanted) <= room:
                break
            wanted.remove(column)
    return [column.id for column in wanted]
