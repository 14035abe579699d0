"""LIBSVM (svmlight) files as chunks of numbers.

A column for every feature: memory is bounded, but features by the hundred thousand are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from modellab.data.arrow import arrow
from modellab.data.packed_source import PackedError, TextFile, TextStream
from modellab.data.source import BadRowSink, Chunk, SourceColumn
from modellab.data.text_source import Cursor, TextSource, bad_row, whole_lines
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MAX_FEATURES = 10_000
_CELLS = 2**22

_PAIR = rb"\d+:[+-]?(?:\d+(?:\.\d*)?|\.\d+|inf|nan)(?:[eE][+-]?\d+)?"
_ROW = re.compile(
    rb"[+-]?[\d.]+(?:[eE][+-]?\d+)?(?:\s+qid:\d+)?((?:\s+" + _PAIR + rb")*)\s*(?:#.*)?"
)


class LibsvmSource(TextSource):
    """One LIBSVM file: ``label place:value place:value``; places left out are zero.

    The file is read once when opened, for its largest place.

    Raises
    ------
    DataError
        If it has no features, or more than `MAX_FEATURES`.
    """

    format = "LIBSVM"

    def __init__(self, file: TextFile | Path) -> None:
        super().__init__(file)
        self._from_zero = False
        at = Cursor(1)
        try:
            last = self._largest(at)
        except (PackedError, OSError) as error:
            raise self.file.broken(error, at.line) from error
        if last < 0:
            raise DataError(f"{quote(self.name)} holds no feature: there are only labels.")
        self._first = 0 if self._from_zero else 1
        count = last + 1 - self._first
        if count > MAX_FEATURES:
            raise DataError(
                f"{quote(self.name)} has {count:,} features: up to {MAX_FEATURES:,} can be columns."
                " Choose fewer, or keep the words the features were made of in a text column."
            )
        pa, _ = arrow()
        names = ["label", *(f"feature_{k}" for k in range(self._first, last + 1))]
        self.columns = [SourceColumn(name, pa.float64()) for name in names]

    def _largest(self, at: Cursor) -> int:
        last = -1
        with self.file.open() as stream:
            for block in whole_lines(stream.read, 1):
                at.line = block.first
                for raw in block.data.split(b"\n"):
                    found = _ROW.fullmatch(raw.strip())
                    if found is None or not found[1]:
                        continue
                    places = [int(pair[: pair.index(b":")][:12]) for pair in found[1].split()]
                    last = max(last, *places)
                    self._from_zero = self._from_zero or 0 in places
        return last

    def _pieces(self, stream: TextStream, on_bad: BadRowSink, at: Cursor) -> Iterator[Chunk]:
        most = max(1, _CELLS // len(self.columns))
        for block in whole_lines(stream.read, 1):
            at.line = block.first
            raw_lines = block.data.split(b"\n")
            for start in range(0, len(raw_lines), most):
                piece = raw_lines[start : start + most]
                yield self._chunk(piece, block.first + start, on_bad)

    def _chunk(self, raw_lines: list[bytes], first: int, on_bad: BadRowSink) -> Chunk:
        pa, _ = arrow()
        values = np.zeros((len(self.columns), len(raw_lines)))
        lines: list[int] = []
        for number, raw in enumerate(raw_lines, first):
            text = raw.strip()
            if not text or text.startswith(b"#"):
                continue
            reason = self._read(text, values[:, len(lines)])
            if reason:
                values[:, len(lines)] = 0.0
                on_bad(bad_row(self.name, number, reason, raw))
            else:
                lines.append(number)
        arrays = [pa.array(column[: len(lines)]) for column in values]
        names = [column.name for column in self.columns]
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        return Chunk(batch, self.name, lines.__getitem__)

    def _read(self, text: bytes, row: NDArray[np.float64]) -> str:
        """Fill a row; returns why it cannot be read, if so."""
        found = _ROW.fullmatch(text)
        if found is None:
            return "the line is not a label and pairs of place and value"
        try:
            row[0] = float(text.split(None, 1)[0])
        except ValueError:
            return "the label is no number"
        for pair in found[1].split():
            place, _, value = pair.partition(b":")
            row[int(place) - self._first + 1] = float(value)
        return ""


def is_libsvm(head: bytes) -> bool:
    """Whether the first lines of a text are a label and pairs of place and value."""
    lines = [line.strip() for line in head.split(b"\n")[:-1][:50]] or [head.strip()]
    lines = [line for line in lines if line and not line.startswith(b"#")][:20]
    found = [_ROW.fullmatch(line) for line in lines]
    return bool(lines) and all(found) and any(match and match[1] for match in found)
