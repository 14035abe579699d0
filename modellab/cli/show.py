"""How the command line shows things: tables, JSON, a progress bar with the lanes' errors."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from modellab.replay.run import RunProgress, RunResult

_STAGES = {
    "import": "Reading the data",
    "train": "Training",
    "replay": "Replaying",
    "sensitivity": "Replaying with bad data",
}


def out() -> Console:
    """Console on standard output; wide enough for a table where it is no terminal."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(file=sys.stdout, highlight=False, width=None if known else 120, emoji=False)


def plain(value: object) -> Text:
    """Text from a file, exactly as it is: no markup, control characters shown."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
    return Text(shown)


def lines(texts: list[str]) -> Text:
    """Texts from a file, each on a line of its own."""
    return Text("\n").join(plain(text) for text in texts)


def write_json(value: Any) -> None:
    """Print a value as JSON."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain_value), indent=2)
    sys.stdout.write(text.decode() + "\n")


def _plain_value(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__dict__"):
        return dict(vars(value))
    raise NotImplementedError(f"a {type(value).__name__} is no JSON")


class RunBar:
    """Progress of a replay on standard error, the lanes' present errors beside it.

    Parameters
    ----------
    quiet
        Show nothing.
    lines
        Where standard error is no terminal: a line for every tenth, instead of nothing.
    """

    def __init__(self, quiet: bool, lines: bool = False) -> None:
        self._lines = lines and not quiet and not sys.stderr.isatty()
        self._told = ("", -1)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(file=sys.stderr, highlight=False, emoji=False),
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
            refresh_per_second=8,
        )
        self._task = self._bar.add_task("Starting", total=None, note="")

    def __enter__(self) -> RunBar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(self, told: RunProgress) -> None:
        """Show how far it is."""
        if self._lines:
            self._line(told)
            return
        note = told.text
        if told.lanes is not None:
            errors = [
                f"{name} {lane.error:.4g}"
                for name, lane in told.lanes.items()
                if lane.error is not None and not lane.baseline
            ]
            note = "  ".join(errors)
        self._bar.update(
            self._task,
            description=_STAGES[told.stage],
            completed=int(told.done),
            total=int(told.total) or None,
            note="".join(c if c.isprintable() else " " for c in note)[:80],
        )

    def _line(self, told: RunProgress) -> None:
        tenth = int(10 * told.done / told.total) if told.total else 0
        if (told.stage, tenth) != self._told:
            self._told = (told.stage, tenth)
            share = f", {10 * tenth} %" if told.total else ""
            sys.stderr.write(f"{_STAGES[told.stage]}{share}\n")


_CLASSES = (("kappa_m", "Kappa M"), ("kappa_temporal", "Kappa temporal"))
_NUMBERS = (("rmse", "RMSE"), ("r2", "R²"))


def lanes_table(result: RunResult) -> Table:
    """Table of the lanes, best first, baselines last."""
    classes = result.task.kind == "classification"
    shown = _CLASSES if classes else _NUMBERS
    key = "error" if classes else "mae"
    table = Table(title_justify="left")
    table.add_column("Lane", no_wrap=True)
    table.add_column("Learner", min_width=12)
    table.add_column("Policy", no_wrap=True)
    for title in ("Error" if classes else "Mean abs. error", "Newest", *(t for _, t in shown)):
        table.add_column(title, justify="right")
    for title in ("Updates", "Retrains", "CPU s"):
        table.add_column(title, justify="right", no_wrap=True)

    def error(metrics: dict[str, dict[str, float | None]], view: str) -> float | None:
        return metrics.get(view, {}).get(key)

    def rank(lane: Any) -> tuple[bool, float]:
        value = error(lane.metrics, "cumulative")
        return lane.baseline, float("inf") if value is None else value

    for lane in sorted(result.lanes, key=rank):
        cumulative = lane.metrics.get("cumulative", {})
        table.add_row(
            plain(lane.name),
            plain(lane.spec.learner.class_name or lane.spec.learner.kind.replace("_", " ")),
            "baseline" if lane.baseline else str(type(lane.spec.policy).__struct_config__.tag),
            number(error(lane.metrics, "cumulative"), classes),
            number(error(lane.metrics, "window"), classes),
            *(number(cumulative.get(name)) for name, _ in shown),
            f"{lane.updates:,}",
            f"{lane.retrains:,}",
            f"{sum(lane.cpu_seconds.values()):.1f}",
            style="dim" if lane.baseline else None,
        )
    return table


def number(value: float | None, percent: bool = False) -> str:
    """Show a metric."""
    if value is None:
        return "–"
    if percent:
        return f"{100 * value:.2f} %"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
