"""The rows that a model is tested on, by position in the data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modellab.data.sparse import SparseRows, join_rows
from modellab.evaluation import testing_slices as slicing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

PIECE = 8192
"""Rows predicted at once."""
MAX_ROWS = 500_000
"""A longer test part is looked at in so many rows, in evenly spread pieces."""


class RowSource(Protocol):
    """Rows to test on, by position in the data set (`EncodedStream` behind `StreamRows`)."""

    def rows(self, start: int, stop: int) -> Any:
        """Encoded rows in the learner's view."""
        ...

    def labels(self, start: int, stop: int) -> NDArray[Any]:
        """Labels: codes (-1 missing) or numbers (NaN missing)."""
        ...

    def groups(self) -> Mapping[str, slice]:
        """Source column -> its encoded columns."""
        ...

    def columns(self) -> list[str]:
        """Source columns by which errors can be sliced."""
        ...

    def values(self, column: str, start: int, stop: int) -> slicing.Values:
        """The values of a source column."""
        ...


class StreamRows:
    """The rows of an `EncodedStream` in one view."""

    def __init__(self, stream: Any, view: str) -> None:
        self._stream = stream
        self._view = view

    def rows(self, start: int, stop: int) -> Any:
        """Encoded rows in the learner's view."""
        return self._stream.rows(self._view, start, stop)

    def labels(self, start: int, stop: int) -> NDArray[Any]:
        """Labels: codes (-1 missing) or numbers (NaN missing)."""
        labels: NDArray[Any] = self._stream.dataset.labels(start, stop)
        return labels

    def groups(self) -> Mapping[str, slice]:
        """Source column -> its encoded columns."""
        groups: Mapping[str, slice] = self._stream.encoder.groups(self._view)
        return groups

    def columns(self) -> list[str]:
        """All columns but the target, ignored ones included: errors may hide there."""
        dataset = self._stream.dataset
        return [c.name for c in dataset.store.columns if c.name != dataset.target]

    def values(self, column: str, start: int, stop: int) -> slicing.Values:
        """The values of a source column in its present kind."""
        dataset = self._stream.dataset
        kind = dataset.kinds[column]
        array = dataset.store.column_as(column, kind, start, stop)
        return slicing.read_values(array, kind)


def pieces_of(start: int, stop: int) -> list[tuple[int, int]]:
    """Runs of rows to look at: all of them, or evenly spread ones of a long test part."""
    ends = [*range(start // PIECE * PIECE + PIECE, stop, PIECE), stop]
    found = [(a, b) for a, b in zip([start, *ends[:-1]], ends, strict=True) if b > a]
    most = max(1, MAX_ROWS // PIECE)
    if len(found) <= most:
        return found
    return [found[i * len(found) // most] for i in range(most)]


def gather(source: RowSource, positions: Ints) -> tuple[Any, NDArray[Any]]:
    """Rows and labels at increasing positions."""
    rows: list[Any] = []
    labels = []
    for block in np.unique(positions // PIECE).tolist():
        inside = positions[positions // PIECE == block]
        a, b = int(inside[0]), int(inside[-1]) + 1
        part = source.rows(a, b)
        labels.append(source.labels(a, b)[inside - a])
        rows.append(
            [part[i] for i in (inside - a).tolist()] if isinstance(part, list) else part[inside - a]
        )
    if isinstance(rows[0], SparseRows):
        return join_rows(rows), np.concatenate(labels)
    if isinstance(rows[0], np.ndarray):
        return np.concatenate(rows), np.concatenate(labels)
    return [row for part in rows for row in part], np.concatenate(labels)


def joined(parts: list[slicing.Values], kept: NDArray[np.bool_]) -> slicing.Values:
    """The values of one column over several pieces, where `kept`."""
    first = parts[0]
    if first.numbers is not None:
        numbers = np.concatenate([p.numbers for p in parts if p.numbers is not None])
        return slicing.Values(first.kind, numbers=numbers[kept])
    # Texts are numbered anew in each piece; put them on one list.
    levels: dict[str, int] = {}
    codes = []
    for part in parts:
        assert part.codes is not None
        renumber = np.array(
            [*(levels.setdefault(level, len(levels)) for level in part.levels), -1],
            dtype=np.int64,
        )
        codes.append(renumber[part.codes])
    return slicing.Values(first.kind, codes=np.concatenate(codes)[kept], levels=list(levels))
