"""How a category column becomes numbers: fitted levels, or hashing where nothing was seen yet.

The methods are those of `modellab.data.encoding.ColumnEncoder`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

    View = Literal["scaled", "raw", "ordinal", "dict"]

ONE_HOT_LIMIT = 40
"""At most so many levels of a category get a column of their own."""
LEVEL_LIMIT = 10_000
"""At most so many levels (the most frequent) have a code of their own in the ordinal view."""
HASH_COLUMNS = 32
"""Columns per category column when there was no training window to learn the levels from."""
DICT_LIMIT = 20
"""At most so many levels of a category keep their name in the ``dict`` view.

river's trees keep statistics for every level at every node: with thousands of levels a model of
kilobytes takes many megabytes, learns many times slower, and errs more (measured on flights).
"""
OTHER = "(other)"
"""What the ``dict`` view holds for the levels beyond `DICT_LIMIT`, and for unseen ones."""
MISSING = "(missing)"
"""What the ``dict`` view holds for a missing category."""


def category_chunks(column: pa.ChunkedArray[Any]) -> list[tuple[Ints, pa.Array[Any]]]:
    """Chunks of a category column as (codes, dictionary); code -1 is missing."""
    import pyarrow as pa

    found = []
    for chunk in column.chunks:
        coded: Any = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        indices = coded.indices
        if indices.null_count:
            indices = indices.fill_null(pa.scalar(-1, indices.type))
        found.append((indices.to_numpy().astype(np.int64, copy=False), coded.dictionary))
    return found


class _LookUp:
    """A table over a dictionary's levels, made anew only when the dictionary changes.

    A store has one dictionary for all its rows, so in practice the table is made once. The
    dictionary itself is kept, so that its address can't come to mean another one.
    """

    def __init__(self, make: Callable[[pa.Array[Any]], NDArray[Any]]) -> None:
        self._make = make
        self._key: tuple[int, ...] = ()
        self._dictionary: pa.Array[Any] | None = None
        self._table: NDArray[Any] = np.empty(0)

    def __call__(self, dictionary: pa.Array[Any]) -> NDArray[Any]:
        """Return the table; its last entry (index -1) is for missing."""
        addresses = [0 if b is None else b.address for b in dictionary.buffers()]
        key = (len(dictionary), dictionary.offset, *addresses)
        if key != self._key or self._dictionary is None:
            self._table = self._make(dictionary)
            self._key, self._dictionary = key, dictionary
        return self._table


class _Category:
    """What fitted and hashed categories share: every cell goes through a table of slots."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._slots = _LookUp(self._slot_table)
        self._texts = _LookUp(self._text_table)

    def _slot_table(self, dictionary: pa.Array[Any]) -> Ints:
        raise NotImplementedError

    def _text_table(self, dictionary: pa.Array[Any]) -> NDArray[Any]:
        return np.array([*dictionary.to_pylist(), MISSING], dtype=object)

    def _look_up(self, column: pa.ChunkedArray[Any]) -> Ints:
        parts = [self._slots(levels)[codes] for codes, levels in category_chunks(column)]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def values(self, column: pa.ChunkedArray[Any]) -> list[list[Any]]:
        """Return the strings (see `DICT_LIMIT`), `MISSING` where there is none."""
        texts: list[Any] = []
        for codes, levels in category_chunks(column):
            texts.extend(self._texts(levels)[codes].tolist())
        return [texts]


class CategoryColumn(_Category):
    """A category with the levels of the training window, most frequent first.

    Dense views: one 0/1 column for each of the `ONE_HOT_LIMIT` most frequent levels, one for
    missing if that occurred in training, and one for every other value, unseen ones included (it is
    always there, so that a learner can learn online what a new level means).
    Dict view: the level's name, `OTHER` beyond the `DICT_LIMIT` most frequent ones.
    Ordinal view: the rank by frequency (missing among the others if it occurred), -1 for unseen.

    Parameters
    ----------
    name
        The column.
    levels
        By descending frequency, ties in code-point order; at most `LEVEL_LIMIT`.
    missing_rank
        Rank of "missing" among the levels; None when nothing was missing.
    hashed
        Dense views: into so many columns every other value is hashed (CRC-32, as in
        `HashedColumn`); 0: they share one.
    """

    kind = "category"

    def __init__(
        self,
        name: str,
        levels: Sequence[str],
        missing_rank: int | None = None,
        hashed: int = 0,
    ) -> None:
        super().__init__(name)
        self.hashed = hashed
        self._buckets = _LookUp(self._bucket_table)
        self.levels = tuple(levels)
        self.missing_rank = missing_rank
        known, shown = len(self.levels), min(len(self.levels), ONE_HOT_LIMIT)
        has_missing = missing_rank is not None
        # Slot k < known is level k; slot `known` is missing; slot `known` + 1 is unseen.
        self._shown = shown
        self._column_of = np.full(known + 2, shown + has_missing, dtype=np.int64)
        self._column_of[:shown] = np.arange(shown)
        self._column_of[known] = shown  # its own column, or else the one of all others
        self._code_of = np.full(known + 2, -1.0)
        self._code_of[:known] = np.arange(known)
        if missing_rank is not None:
            self._code_of[missing_rank:known] += 1.0
            self._code_of[known] = missing_rank

    def _text_table(self, dictionary: pa.Array[Any]) -> NDArray[Any]:
        named = set(self.levels[:DICT_LIMIT])
        texts = [t if t in named else OTHER for t in dictionary.to_pylist()]
        return np.array([*texts, MISSING], dtype=object)

    def names(self, view: View) -> list[str]:
        """Return ``carrier`` or ``carrier = AA``, …, ``carrier missing``, ``carrier other``."""
        if view in ("ordinal", "dict"):
            return [self.name]
        names = [f"{self.name} = {level}" for level in self.levels[: self._shown]]
        if self.missing_rank is not None:
            names.append(f"{self.name} missing")
        if self.hashed:
            return [*names, *(f"{self.name} other #{k}" for k in range(self.hashed))]
        return [*names, f"{self.name} other"]

    def fill(self, column: pa.ChunkedArray[Any], view: View, out: Floats) -> None:
        """Write the rows."""
        slots = self._look_up(column)
        if view == "ordinal":
            out[:, 0] = self._code_of[slots]
            return
        columns = self._column_of[slots]
        if self.hashed:
            parts = [self._buckets(levels)[codes] for codes, levels in category_chunks(column)]
            other = self._shown + (self.missing_rank is not None)
            hashed = np.concatenate(parts) if parts else np.empty(0, np.int64)
            columns = np.where(columns == other, other + hashed, columns)
        out[np.arange(len(slots)), columns] = 1.0

    def _bucket_table(self, dictionary: pa.Array[Any]) -> Ints:
        return _buckets(dictionary) % max(self.hashed, 1)

    def unseen(self, column: pa.ChunkedArray[Any]) -> int:
        """Count cells whose level has no code of its own (missing is no level)."""
        return int(np.count_nonzero(self._look_up(column) == len(self.levels) + 1))

    def _slot_table(self, dictionary: pa.Array[Any]) -> Ints:
        import pyarrow as pa
        import pyarrow.compute as pc

        unseen = len(self.levels) + 1
        known = pa.array(self.levels, type=pa.string())
        found = pc.index_in(dictionary.cast(pa.string()), value_set=known)
        table = np.full(len(dictionary) + 1, unseen, dtype=np.int64)
        table[:-1] = found.cast(pa.int64()).fill_null(unseen).to_numpy(zero_copy_only=False)
        table[-1] = len(self.levels)
        return table

    def state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "levels": list(self.levels),
            "missing_rank": self.missing_rank,
            **({"hashed": self.hashed} if self.hashed else {}),
        }


def _buckets(dictionary: pa.Array[Any]) -> Ints:
    """CRC-32 of every level, and of missing."""
    hashes = [zlib.crc32(str(level).encode()) for level in dictionary.to_pylist()]
    hashes.append(zlib.crc32(b"\x00missing"))
    return np.array(hashes, dtype=np.int64)


class HashedColumn(_Category):
    """A category whose levels are not known beforehand: hashed into `HASH_COLUMNS` columns.

    The hash is CRC-32 of the level's UTF-8 bytes, the same in every process and on every system.
    Missing is hashed too, as a text that no file holds.
    """

    kind = "hashed"

    def names(self, view: View) -> list[str]:
        """Return ``carrier``, or ``carrier #0`` to ``carrier #31``."""
        if view in ("ordinal", "dict"):
            return [self.name]
        return [f"{self.name} #{k}" for k in range(HASH_COLUMNS)]

    def fill(self, column: pa.ChunkedArray[Any], view: View, out: Floats) -> None:
        """Write the rows: the bucket's number, or 1 in the bucket's column."""
        slots = self._look_up(column)
        if view == "ordinal":
            out[:, 0] = slots
        else:
            out[np.arange(len(slots)), slots] = 1.0

    def unseen(self, column: pa.ChunkedArray[Any]) -> int:
        """Return 0: nothing was seen before, so nothing counts as new."""
        return 0

    def _slot_table(self, dictionary: pa.Array[Any]) -> Ints:
        return _buckets(dictionary) % HASH_COLUMNS

    def state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"kind": self.kind, "name": self.name}
