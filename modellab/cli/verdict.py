"""``modellab verdict``, and how a verdict is shown in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.cli import show

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from modellab.verdict.values import Interval, LaneRow, Verdict

_SURE = {
    "clear": "This is clear: its errors are fewer beyond chance, and its cost agrees.",
    "likely": "This is likely, not clear: see the evidence.",
    "tie": "This is a tie: the data do not decide between them.",
}
_PRICES = {
    "error": "an error",
    "retrain": "a retrain",
    "cpu_hour": "an hour of compute",
    "downtime_hour": "an hour of downtime",
}


def show_verdict(folder: Path, *, prices: Mapping[str, float], as_json: bool) -> None:
    """Judge a results folder, at other prices where given, and print the verdict.

    Raises
    ------
    LabError
        If it is no results folder, or was written without what a verdict needs.
    """
    from modellab.experiment import replace
    from modellab.export.verdicts import read_evidence, verdict_value

    found = read_evidence(folder)
    verdict = found.judge(replace(found.experiment.prices, **prices) if prices else None)
    if as_json:
        show.write_json(verdict_value(verdict))
        return
    print_verdict(show.out(), verdict)


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Print the sentence, the evidence, and the table of lanes."""
    console.print()
    console.print(show.plain(verdict.sentence), style="bold")
    if verdict.recommended is not None:
        console.print(show.plain(_SURE[verdict.sure]))
    for text in verdict.reasons:
        console.print(show.plain(f"  {text}"))
    for text in verdict.warnings:
        console.print(show.plain(f"  Beware: {text}"))
    told = ", ".join(
        f"{_PRICES[key]} costs {value:,.12g}" for key, value in verdict.prices.items() if value
    )
    console.print(show.plain(f"  Prices: {told or 'none'}."))
    if any(row.rows for row in verdict.lanes):
        console.print(_table(verdict))


def _table(verdict: Verdict) -> Table:
    from rich.table import Table

    classes = verdict.unit == "error rate"
    table = Table(title_justify="left")
    table.add_column("Lane", no_wrap=True)
    against = "Against best, points" if classes else "Against best"
    for title in ("Error" if classes else "Mean abs. error", against, "p (Holm)"):
        table.add_column(title, justify="right")
    for title in ("Retrains", "Down", "CPU s", "Upkeep", "Cost", "Regret"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in verdict.lanes:
        table.add_row(
            show.plain(row.name),
            _interval(row.error, classes),
            "best" if row.outcome == "best" else _interval(row.difference, classes, signed=True),
            "\u2013" if row.p_value is None else _p(row.p_value),
            f"{row.retrains:,}",
            f"{row.downtime_rows:,}",
            f"{sum(row.cpu_seconds.values()):.1f}",
            _money(row.upkeep),
            _money(row.cost["total"]),
            "\u2013" if row.regret is None else _money(row.regret),
            style=_style(row),
        )
    return table


def _style(row: LaneRow) -> str | None:
    if row.outcome == "best":
        return "bold"
    return None if row.deployable else "dim"


def _interval(value: Interval | None, classes: bool, *, signed: bool = False) -> str:
    """Return ``13.2 % ± 0.5``: half the interval after the sign."""
    if value is None:
        return "\u2013"
    factor = 100.0 if classes else 1.0
    half = factor * (value.high - value.low) / 2
    sign = "+" if signed else ""
    unit = " %" if classes and not signed else ""
    return f"{factor * value.value:{sign}.4g}{unit} \u00b1 {half:.2g}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _money(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return "0" if abs(value) < 1e-4 else f"{value:,.4g}"
