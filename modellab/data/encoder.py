"""The encoder: from the columns of a data set to what learners take.

It is fitted on the training window and never sees a row outside it. What each kind of column
becomes is told in `modellab.data.encoding`, `modellab.data.categories` and `modellab.data.text`.
Text columns come last, and make the linear views sparse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.categories import HashedColumn
from modellab.data.encoding import (
    BooleanColumn,
    ColumnEncoder,
    NumberColumn,
    TimeColumn,
    column_from_state,
    fill_numbers,
    number_array,
)
from modellab.data.fitting import BooleanTally, CategoryTally, NumberTally, TimeTally
from modellab.data.ordered import OrderedColumn
from modellab.data.sparse import SparseRows, beside
from modellab.data.text import TextColumn, TextForm, TextTally
from modellab.experiment import EncodingSpec, TextSpec, stream_rng

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from modellab.data.categories import View
    from modellab.data.dataset import Dataset
    from modellab.experiment import Kind

    Tally = NumberTally | BooleanTally | CategoryTally | TimeTally | TextTally

FIT_ROWS = 65_536
"""Rows read at a time while fitting."""
MEDIAN_ROWS = 1_000_000
"""Medians are exact for windows of up to so many rows, else of a sample of about so many."""
_FILL_ROWS = 4096  # encoded at a time: they stay in the processor's cache
_MEDIAN_VALUES = 10_000_000  # over all columns: 80 MB

_TALLIES: dict[str, Callable[[str], Tally]] = {
    "number": NumberTally,
    "boolean": BooleanTally,
    "category": CategoryTally,
    "time": TimeTally,
}
_COLD: dict[str, Callable[[str], ColumnEncoder]] = {
    "number": NumberColumn,
    "boolean": BooleanColumn,
    "category": HashedColumn,
    "time": TimeColumn,
    "text": TextForm,
}


class Encoder:
    """Turns rows of a data set into the numbers that learners take.

    Parameters
    ----------
    columns
        An encoder for each source column, in the order of the encoded columns.
    kinds
        The kind of each source column, as which the store is asked for it.
    """

    def __init__(self, columns: Sequence[ColumnEncoder], kinds: Mapping[str, Kind]) -> None:
        self._columns = tuple(columns)
        self._texts = tuple(c for c in self._columns if isinstance(c, TextColumn))
        self.columns: tuple[str, ...] = tuple(dict.fromkeys(c.name for c in self._columns))
        """Source columns that are read, in order."""
        self.kinds: dict[str, Kind] = {name: kinds[name] for name in self.columns}
        """The kind of each source column."""
        self._names: dict[str, tuple[str, ...]] = {}
        self._spans: dict[str, list[slice]] = {}

    @classmethod
    def fit(
        cls,
        dataset: Dataset,
        start: int,
        stop: int,
        seed: int,
        progress: Callable[[float, float, str], None] | None = None,
    ) -> Encoder:
        """Fit on rows [start, stop) in two bounded passes.

        Parameters
        ----------
        dataset
            Its features are encoded, then its time column if that is not a feature already.
        start, stop
            The training window. Empty for a cold start: numbers stay as they are (a missing one is
            0), categories are hashed, all parts of times are used.
        seed
            Of the sample for the medians, where the window is longer than `MEDIAN_ROWS`.
        progress
            Told ``(rows done, rows in all, text)``; may raise `Cancelled`.
        """
        names = list(dataset.features)
        if dataset.time is not None and dataset.time not in names:
            names.append(dataset.time)
        names.sort(key=lambda name: dataset.kinds[name] == "text")  # stable: texts come last
        kinds: dict[str, Kind] = {name: dataset.kinds[name] for name in names}
        how = dataset.text or TextSpec()
        words = (how.words, how.characters, how.columns, how.tfidf)
        if start >= stop:
            ordered = (dataset.encoding or EncodingSpec()).ordered
            cold: list[ColumnEncoder] = [
                OrderedColumn(name, ordered[name])
                if kind == "category" and name in ordered
                else _COLD[kind](name)
                for name, kind in kinds.items()
            ]
            cold += [TextColumn(name, *words) for name, kind in kinds.items() if kind == "text"]
            return cls(cold, kinds)
        tallies: list[Tally] = [
            TextTally(name, *words) if kind == "text" else _TALLIES[kind](name)
            for name, kind in kinds.items()
        ]
        numbers = [t for t in tallies if isinstance(t, NumberTally)]
        passes = 2 if numbers else 1
        budget = min(MEDIAN_ROWS, max(10_000, _MEDIAN_VALUES // max(1, len(numbers))))
        share = min(1.0, budget / (stop - start))

        def tell(rows: int) -> None:
            if progress is not None:
                progress(float(rows), float(passes * (stop - start)), "Preparing columns")

        for at, table in _chunks(dataset, list(kinds), kinds, start, stop):
            keep = None
            if share < 1.0:
                keep = stream_rng(seed, "encoder median", at).random(table.num_rows) < share
            for tally in tallies:
                tally.first(table.column(tally.name), keep)
            tell(at + table.num_rows - start)
        for number in numbers:
            number.between()
        if numbers:
            for at, table in _chunks(dataset, [t.name for t in numbers], kinds, start, stop):
                for number in numbers:
                    number.second(table.column(number.name))
                tell(at + table.num_rows - start + stop - start)
        texts = [tally for tally in tallies if isinstance(tally, TextTally)]
        fitted = [_fitted(tally, dataset.encoding or EncodingSpec()) for tally in tallies]
        return cls([*fitted, *(text.encoder() for text in texts)], kinds)

    def names(self, view: View) -> tuple[str, ...]:
        """Names of the encoded columns in order (for ``dict``: the keys), each only once."""
        if view not in self._names:
            taken: dict[str, int] = {}
            for name in (n for column in self._columns for n in column.names(view)):
                unique, count = name, 1
                while unique in taken:
                    count += 1
                    unique = f"{name} ({count})"
                taken[unique] = 1
            self._names[view] = tuple(taken)
        return self._names[view]

    def groups(self, view: View) -> dict[str, slice]:
        """Which encoded columns each source column became: slices of `names(view)`.

        A text is there twice: with its words, and as ``"… (form)"`` with what it looks like.
        """
        found = {}
        for column, part in zip(self._columns, self._parts(view), strict=True):
            form = isinstance(column, TextForm)
            found[f"{column.name} (form)" if form else column.name] = part
        return found

    def _parts(self, view: View) -> list[slice]:
        """Encoded columns of each column encoder."""
        found = self._spans.get(view)
        if found is None:
            found, at = [], 0
            for column in self._columns:
                width = len(column.names(view))
                found.append(slice(at, at + width))
                at += width
            self._spans[view] = found
        return found

    def sparse(self, view: View) -> bool:
        """Whether rows are `SparseRows` in a view: there are texts, and it is a linear view."""
        return bool(self._texts) and view in ("scaled", "raw")

    def sparse_from(self, view: View) -> int | None:
        """First column of words in a view whose rows are `SparseRows`, else None."""
        return self.groups(view)[self._texts[0].name].start if self.sparse(view) else None

    def transform(
        self, table: pa.Table, view: View
    ) -> NDArray[np.float64] | SparseRows | list[dict[str, Any]]:
        """Encode the rows of a table that holds at least the source columns, in their kinds.

        Returns
        -------
        float64 (n, d), C-contiguous and free of NaN; for the view ``dict`` a list of n dicts; where
        there are texts, `SparseRows` for the linear views. A cell depends on its own row alone.
        """
        if view == "dict":
            return self._dicts(table)
        width = self.sparse_from(view)
        out = np.empty((table.num_rows, len(self.names(view)) if width is None else width))
        self.fill(table, view, out)
        if not self.sparse(view):
            return out
        return beside(out, [c.sparse(table.column(c.name)) for c in self._texts])

    def fill(self, table: pa.Table, view: View, out: NDArray[np.float64]) -> None:
        """Encode the rows of a table into `out` (n, d), whatever it held; words are left out."""
        numbers: list[tuple[NumberColumn, NDArray[np.float64], int]] = []
        for column, part in zip(self._columns, self._parts(view), strict=True):
            if isinstance(column, NumberColumn):
                values = number_array(table.column(column.name))
                numbers.append((column, values, part.start))
            elif not isinstance(column, TextColumn):
                for at in range(0, len(out), _FILL_ROWS):
                    rows = table.column(column.name).slice(at, _FILL_ROWS)
                    cells = out[at : at + _FILL_ROWS, part]
                    cells[:] = 0.0
                    column.fill(rows, view, cells)
        if numbers:
            columns, arrays, places = zip(*numbers, strict=True)
            fill_numbers(columns, arrays, places, view, out)

    def _dicts(self, table: pa.Table) -> list[dict[str, Any]]:
        keys = self.names("dict")
        if not keys:
            return [{} for _ in range(table.num_rows)]
        lists = [cells for c in self._columns for cells in c.values(table.column(c.name))]
        return [dict(zip(keys, row, strict=True)) for row in zip(*lists, strict=True)]

    def unseen(self, table: pa.Table) -> dict[str, int]:
        """Count cells that hold what the training window did not: categories, words of texts."""
        return {
            column.name: column.unseen(table.column(column.name))
            for column in self._columns
            if self.kinds[column.name] == "category" or isinstance(column, TextColumn)
        }

    def state(self) -> dict[str, Any]:
        """Plain values (msgpack or JSON) that hold all of the encoder."""
        return {
            "version": 1,
            "kinds": dict(self.kinds),
            "columns": [column.state() for column in self._columns],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Encoder:
        """Rebuild an encoder that gives the same bits as the one whose `state()` this is."""
        return cls([column_from_state(column) for column in state["columns"]], state["kinds"])


def _fitted(tally: Tally, how: EncodingSpec) -> ColumnEncoder:
    if isinstance(tally, TextTally):
        return tally.form()
    if isinstance(tally, CategoryTally):
        if tally.name in how.ordered:
            return OrderedColumn(tally.name, how.ordered[tally.name])
        return tally.encoder(how.hashed)
    return tally.encoder(how.elapsed) if isinstance(tally, TimeTally) else tally.encoder()


def _chunks(
    dataset: Dataset, columns: list[str], kinds: Mapping[str, Kind], start: int, stop: int
) -> Iterator[tuple[int, pa.Table]]:
    """Tables of rows [start, stop) and where each begins; the boundaries follow from `start`."""
    wanted = {name: kinds[name] for name in columns}
    for at in range(start, stop, FIT_ROWS):
        yield at, dataset.store.read(at, min(at + FIT_ROWS, stop), columns=columns, kinds=wanted)
