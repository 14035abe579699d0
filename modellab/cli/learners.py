"""``modellab learners``: the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modellab.learners.base import Parameter


def show_learners(*, as_json: bool) -> None:
    """Print all learners with their settings."""
    from modellab.cli import show
    from modellab.learners.catalogue import CATALOGUE, as_plain

    if as_json:
        show.write_json(as_plain())
        return
    from rich.table import Table

    table = Table()
    for title in ("Name", "What it is", "Tasks", "Online", "In chunks", "Settings"):
        table.add_column(title)
    for line in CATALOGUE.values():
        table.add_row(
            show.plain(line.kind),
            show.plain(f"{line.title} ({line.family})"),
            ", ".join(line.tasks),
            "yes" if line.online else "no",
            "yes" if line.chunks else "no",
            show.lines([told(parameter) for parameter in line.parameters] or ["none"]),
            end_section=True,
        )
    show.out().print(table)


def told(parameter: Parameter) -> str:
    """One setting with its default and range."""
    text = f"{parameter.name} = {_value(parameter.default)}"
    if parameter.choices:
        return f"{text} ({', '.join(parameter.choices)})"
    if parameter.low is not None or parameter.high is not None:
        low = "" if parameter.low is None else f"{parameter.low:g}"
        high = "" if parameter.high is None else f"{parameter.high:g}"
        text += f" ({low} to {high}{' ' + parameter.unit if parameter.unit else ''})"
    return text


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
