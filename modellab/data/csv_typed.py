"""One block of delimited text, parsed at once into numbers, times and texts.

What a typed parse loses of the texts is found in the bytes: words for missing values, and numbers
written like 007. Whatever is unusual in a block is left to the careful way of `CsvSource.parse`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.arrow import Array, DataType, arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modellab.data.csv_records import Block
    from modellab.data.feeds import Columns

_NEWLINE = 0x0A
_ZERO = ord("0")
_SLICE = 2**17
_MARK = b"\xef\xbb\xbf"

Found = tuple[list[Array], dict[int, int], set[int]]


def typed(block: Block, delimiter: str, columns: Columns) -> Found | None:
    """Parse a block.

    Returns
    -------
    tuple or None
        The columns; by column, how many words for missing values were taken as such; the columns
        that have a number written like 007. None if the block needs care.
    """
    pa, _ = arrow()
    data = block.data
    if block.rows is not None or data.startswith(_MARK) or not data.strip(b"\r\n"):
        return None
    try:
        arrays = _parsed(block, delimiter, columns, list(range(len(columns.types))), columns.types)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    rows = len(arrays[0])
    text = [pa.types.is_string(kind) for kind in columns.types]
    lacking = [k for k, array in enumerate(arrays) if not text[k] and array.null_count]
    if all(text):
        return arrays, {}, set()
    look = _Look(data, delimiter)
    recheck: list[int] = []
    if lacking:
        empty = sum(arrays[k].null_count for k in lacking)
        empty += sum(_empty(array) for k, array in enumerate(arrays) if text[k])
        if block.quoted or look.lines != rows or look.empty != empty:
            recheck = lacking
    zeros: set[int] = set()
    if len(look.zeros):
        numbers = [k for k, kind in enumerate(columns.types) if pa.types.is_floating(kind)]
        if block.quoted or look.lines != rows:
            recheck = sorted({*recheck, *numbers})
        else:
            zeros = look.columns_of_zeros(len(arrays)).intersection(numbers)
    words: dict[int, int] = {}
    if recheck:
        from modellab.data.convert import has_leading_zeros

        kinds = [pa.string()] * len(recheck)
        for k, texts in zip(
            recheck, _parsed(block, delimiter, columns, recheck, kinds), strict=True
        ):
            words[k] = arrays[k].null_count - _empty(texts)
            there = texts.filter(arrays[k].is_valid())
            if pa.types.is_floating(columns.types[k]) and has_leading_zeros(there):
                zeros.add(k)
    return arrays, words, zeros


def _parsed(
    block: Block,
    delimiter: str,
    columns: Columns,
    wanted: Sequence[int],
    types: Sequence[DataType],
) -> list[Array]:
    pa, _ = arrow()
    from pyarrow import csv

    keys = [f"c{k}" for k in range(len(columns.types))]
    names = [keys[k] for k in wanted]
    table = csv.read_csv(
        pa.BufferReader(block.data),
        read_options=csv.ReadOptions(
            column_names=keys, use_threads=False, block_size=len(block.data) + 1
        ),
        parse_options=csv.ParseOptions(
            delimiter=delimiter,
            quote_char='"' if block.quoted else False,
            newlines_in_values=block.quoted,
        ),
        convert_options=csv.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            include_columns=names,
            null_values=list(columns.missing),
            strings_can_be_null=False,
        ),
    )
    return [_one(column) for column in table.columns]


def _one(column: Any) -> Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _empty(texts: Array) -> int:
    """How many texts are empty."""
    _, pc = arrow()
    return int(pc.sum(pc.equal(pc.binary_length(texts), 0)).as_py() or 0)


class _Look:
    """What the bytes of a block without quotation marks tell of its cells."""

    def __init__(self, data: bytes, delimiter: str) -> None:
        self._view = view = np.frombuffer(data, np.uint8)
        self._delimiter = ord(delimiter)
        self.lines = int(view[-1] != _NEWLINE)
        self.empty = 0
        zeros: list[NDArray[np.int64]] = []
        # Slice by slice, so that all stays in the processor's cache.
        ends, other = np.empty(_SLICE + 1, bool), np.empty(_SLICE + 1, bool)
        ends[0] = True  # a cell begins with the block
        for start in range(0, len(view), _SLICE):
            piece = view[start : start + _SLICE]
            size = len(piece)
            here, more = ends[1 : size + 1], other[:size]
            np.equal(piece, _NEWLINE, out=here)
            self.lines += int(np.count_nonzero(here))
            np.equal(piece, self._delimiter, out=more)
            np.logical_or(here, more, out=here)
            before = ends[:size]
            np.logical_and(here, before, out=more)
            self.empty += int(np.count_nonzero(more))
            np.equal(piece, _ZERO, out=more)
            np.logical_and(more, before, out=more)
            zeros.append(np.flatnonzero(more) + start)
            ends[0] = ends[size]
        if view[-1] == self._delimiter:
            self.empty += 1
        at = np.concatenate(zeros)
        at = at[at < len(view) - 1]
        after = view[at + 1]
        self.zeros = at[(after >= _ZERO) & (after <= _ZERO + 9)]

    def columns_of_zeros(self, columns: int) -> set[int]:
        """Columns of these zeros; every line has all cells."""
        view = self._view
        ends = np.flatnonzero((view == _NEWLINE) | (view == self._delimiter))
        return set((np.searchsorted(ends, self.zeros) % columns).tolist())
