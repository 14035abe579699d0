"""What all sources that are text files have in common: opening, reading on, breaking off."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from modellab.data.arrow import arrow
from modellab.data.csv_records import MAX_LINE, LineTooLong
from modellab.data.packed_source import PackedError, TextFile, TextStream
from modellab.data.source import (
    BadRow,
    BadRowSink,
    Chunk,
    FileState,
    ReadProgress,
    SourceColumn,
    fingerprint_of,
    no_progress,
)
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

KEPT_TEXT = 2000
"""Characters of a bad row that are kept."""
NOT_UTF8 = "bytes that are not UTF-8 text"
BLOCK_BYTES = 2**21


def undecodable(encoding: str) -> str:
    """Return the reason for setting a row aside that cannot be decoded."""
    return NOT_UTF8 if encoding == "utf-8" else f"bytes that are not {encoding} text"


@dataclass
class Cursor:
    """Where reading is: the line at which the piece in work begins, from 1."""

    line: int


@dataclass(frozen=True)
class Lines:
    """Whole lines of a text, and the number of the first."""

    data: bytes
    first: int


class TextSource:
    """One text file, packed or not; `_pieces` of a subclass says what its rows are.

    Parameters
    ----------
    file
        The file.
    """

    format = ""

    def __init__(self, file: TextFile | Path) -> None:
        self.file = file if isinstance(file, TextFile) else TextFile(file)
        self.path = self.file.path
        self.paths = [self.file.place]
        self.name = self.file.name
        self._state = FileState.of(self.path)
        self.size_bytes = self._state.size
        self.columns: list[SourceColumn] = []
        self.warnings: list[str] = []
        self.options: dict[str, str] = {}
        # The sha256 of the content, and of the member's name in an archive of several.
        self.fingerprint = (
            _member_fingerprint(self._state, self.file.member)
            if self.file.chosen
            else fingerprint_of(self.path)
        )

    def _first_line(self) -> int:
        return 1

    def _pieces(self, stream: TextStream, on_bad: BadRowSink, at: Cursor) -> Iterator[Chunk]:
        raise NotImplementedError

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows in order, some ten thousand at a time."""
        self._state.verify()
        at = Cursor(self._first_line())
        try:
            with self.file.open() as stream:
                for chunk in self._pieces(stream, on_bad or ignore_bad, at):
                    if len(chunk.batch):
                        yield chunk
                    # At once: a file that grows while it is read would never end.
                    self._state.verify()
                    progress(stream.tell(), self.size_bytes)
        except LineTooLong as error:
            raise DataError(
                f"{quote(self.name)} is not a table: line {error.line:,} is longer than 64 MB."
            ) from error
        except (PackedError, OSError) as error:
            self._state.verify()
            raise self.file.broken(error, at.line) from error
        self._state.verify()


@lru_cache(maxsize=4)
def _archive_fingerprint(state: FileState) -> str:
    """Fingerprint of an archive, worked out once for all of its members."""
    return fingerprint_of(state.path)


def _member_fingerprint(state: FileState, member: str) -> str:
    return hashlib.sha256(f"{_archive_fingerprint(state)}\n{member}".encode()).hexdigest()


def whole_lines(
    read: Callable[[int], bytes], first_line: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[Lines]:
    """Cut a byte stream into blocks of whole lines.

    Raises
    ------
    LineTooLong
        If a line is longer than `MAX_LINE`.
    """
    carry: list[bytes] = []
    waiting = 0
    line = first_line
    while piece := read(block_bytes):
        end = piece.rfind(b"\n") + 1
        if not end:
            carry.append(piece)
            waiting += len(piece)
            if waiting > MAX_LINE:
                raise LineTooLong(line)
            continue
        data = b"".join([*carry, piece[:end]])
        yield Lines(data, line)
        line += data.count(b"\n")
        carry, waiting = [piece[end:]], len(piece) - end
    rest = b"".join(carry)
    if rest:
        yield Lines(rest, line)


def texts_chunk(
    names: Sequence[str], columns: Sequence[Sequence[str | None]], file: str, lines: list[int]
) -> Chunk:
    """Return columns of texts as a chunk."""
    pa, _ = arrow()
    arrays = [pa.array(column, pa.string()) for column in columns]
    return Chunk(pa.RecordBatch.from_arrays(arrays, names=list(names)), file, lines.__getitem__)


def bad_row(file: str, line: int, reason: str, text: bytes | str) -> BadRow:
    """Return a bad row, its text cut to `KEPT_TEXT` characters."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return BadRow(file, line, reason, shown.rstrip("\r\n")[:KEPT_TEXT])


def ignore_bad(row: BadRow) -> None:
    """Leave a bad row out (it is reported in another pass)."""
