"""Rows that a guard kept back, page by page, as they arrived."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.errors import LabError, quote
from modellab.replay.protocol import QuarantinePage, ReadQuarantine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.replay.context import Context
    from modellab.replay.replay import Replay

PAGE_ROWS = 1000

Kept = tuple[int, str]
"""Position and reason."""


def quarantine_page(replay: Replay, command: ReadQuarantine) -> QuarantinePage:
    """Read a page of a lane's quarantine; with `save_to`, write all that is kept as CSV too.

    Raises
    ------
    LabError
        If there is no such lane, or the file cannot be written.
    """
    total, kept = replay.ask(command.lane, "quarantine")
    context = replay.context
    columns = _columns(context)
    if command.save_to is not None:
        _save(context, columns, kept, Path(command.save_to))
    stop = min(command.stop, command.start + PAGE_ROWS)
    page = kept[command.start : stop]
    cells = cells_at(context, [position for position, _ in page])
    rows = [(at, reason, row) for (at, reason), row in zip(page, cells, strict=True)]
    return QuarantinePage(start=command.start, total=total, columns=columns, rows=rows)


def _columns(context: Context) -> list[str]:
    dataset = context.dataset
    return [*dataset.features, dataset.target]


def cells_at(context: Context, positions: Sequence[int]) -> list[list[str | None]]:
    """Cells of some rows as texts: the features, then the label, all as they arrived."""
    from modellab.data.convert import as_texts

    rows: list[list[str | None]] = []
    features = list(context.dataset.features)
    for first, stop in _runs(positions):
        table = context.stream.read(first, stop, features)
        texts = [
            [text for chunk in column.chunks for text in as_texts(chunk).to_pylist()]
            for column in table.columns
        ]
        labels = [_label(context, value) for value in context.stream.seen(first, stop).tolist()]
        rows += [list(row) for row in zip(*texts, labels, strict=True)]
    return rows


def _runs(positions: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending positions as ranges of neighbours."""
    if not positions:
        return []
    at = np.asarray(positions, dtype=np.int64)
    cuts = np.flatnonzero(np.diff(at) != 1) + 1
    return [(int(run[0]), int(run[-1]) + 1) for run in np.split(at, cuts)]


def _label(context: Context, value: Any) -> str | None:
    if context.task.kind == "classification":
        return _word(context.task.classes[value]) if value >= 0 else None
    return None if value != value else repr(float(value))


def _word(value: Any) -> str:
    """A class as it stands in a table."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _save(context: Context, columns: list[str], kept: Sequence[Kept], target: Path) -> None:
    try:
        with target.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["row", "reason", *columns])
            for first in range(0, len(kept), PAGE_ROWS):
                part = kept[first : first + PAGE_ROWS]
                cells = cells_at(context, [position for position, _ in part])
                for (position, reason), row in zip(part, cells, strict=True):
                    writer.writerow([position, reason, *("" if c is None else c for c in row)])
    except OSError as error:
        raise LabError(f"{quote(target)} cannot be written: {error.strerror}.") from error
