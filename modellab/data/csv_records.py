"""Cutting CSV text into records: exact line numbers, quotation marks that may be wrong.

Well-formed text is cut into large blocks that end between records and is left to Arrow's parser.
Only where quotation marks do not fit are records read one by one, so that one bad mark costs one
row and not the rest of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUOTE = 0x22
_NEWLINE = 0x0A
_RETURN = 0x0D
MAX_RECORD = 2**20
"""A quoted cell that runs on for longer than this (bytes) is taken as an unclosed mark."""
MAX_LINE = 2**26
"""A longer line (bytes) is no row of a table."""


class LineTooLong(ValueError):
    """A line is longer than `MAX_LINE`; holds its number."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is longer than {MAX_LINE} bytes")
        self.line = line


@dataclass(frozen=True)
class Block:
    """Whole records of one file.

    Attributes
    ----------
    data
        The text, from the start of a record to the end of a record.
    first_line
        Line of the file where it starts, from 1.
    quoted
        Whether it holds quotation marks (all well-formed).
    size
        Bytes of the stream that it takes.
    rows, lines, bad
        If not None, the records were read one by one: their cells as bytes, the line of each, and
        ``(line, reason, raw text)`` of those that could not be read.
    """

    data: bytes
    first_line: int
    quoted: bool = False
    rows: list[list[bytes]] | None = None
    lines: list[int] = field(default_factory=list)
    bad: list[tuple[int, str, bytes]] = field(default_factory=list)
    size: int = 0

    def record_lines(self) -> list[int]:
        """Line of every record that is not blank (well-formed blocks)."""
        view = np.frombuffer(self.data, np.uint8)
        newlines = np.flatnonzero(view == _NEWLINE)
        ends = newlines
        if self.quoted:
            inside = np.searchsorted(np.flatnonzero(view == QUOTE), newlines) % 2 == 1
            ends = newlines[~inside]
        starts = np.concatenate(([0], ends + 1))
        stops = np.concatenate((ends, [len(view)]))
        lengths = stops - starts
        if len(view):
            before = view[np.maximum(stops - 1, 0)]
            lengths = lengths - ((lengths > 0) & (before == _RETURN))
        filled = lengths > 0
        line = self.first_line + np.searchsorted(newlines, starts[filled])
        return [int(n) for n in line]


def cut_blocks(
    read: Callable[[int], bytes],
    delimiter: bytes,
    columns: int,
    first_line: int,
    block_bytes: int = 2**21,
    comment: bytes = b"",
) -> Iterator[Block]:
    """Cut a byte stream into blocks of whole records.

    Parameters
    ----------
    read
        Returns up to so many bytes, and none at the end.
    delimiter
        One byte between cells.
    columns
        Number of cells of a good record.
    first_line
        Line of the file where the stream starts.
    block_bytes
        About how many bytes make a block; bounds the memory together with `MAX_RECORD`.
    comment
        Lines that begin so are left out; empty: there are none.
    """
    carry = b""
    line = first_line
    at_end = False
    while not at_end:
        piece = read(block_bytes)
        at_end = not piece
        end = 0 if comment or b'"' in piece or b"\r" in piece else piece.rfind(b"\n") + 1
        if end and b'"' not in carry and b"\r" not in carry:
            # By far the most: not even copied twice.
            data = b"".join((carry, memoryview(piece)[:end]))
            yield Block(data, line, size=len(data))
            line += int(np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE))
            carry = piece[end:]
            continue
        data = carry + piece if carry else piece
        if not data:
            return
        block, used = _next_block(data, delimiter, columns, line, at_end, comment)
        if used:
            yield replace(block, size=used)
            line += int(np.count_nonzero(np.frombuffer(data, np.uint8, used) == _NEWLINE))
        carry = data[used:]
        if len(carry) > MAX_LINE:
            raise LineTooLong(line)


def _next_block(
    data: bytes, delimiter: bytes, columns: int, line: int, at_end: bool, comment: bytes
) -> tuple[Block, int]:
    if comment and (data.startswith(comment) or b"\n" + comment in data):
        trusted = _well_formed(data, delimiter, at_end) is not None
        return one_by_one(data, delimiter, columns, line, at_end, trusted, comment)
    # A return without a newline ends a line for Arrow, but is only a character of a cell here.
    simple_ends = b"\r" not in data or (
        data.count(b"\r") == data.count(b"\r\n") + data.endswith(b"\r")
    )
    if b'"' not in data and simple_ends:
        used = len(data) if at_end else data.rfind(b"\n") + 1
        return Block(data[:used], line), used
    if simple_ends:
        whole = _well_formed(data, delimiter, at_end)
        if whole is not None and (whole or len(data) < MAX_RECORD):
            return Block(data[:whole], line, quoted=True), whole
    return one_by_one(data, delimiter, columns, line, at_end)


def _well_formed(data: bytes, delimiter: bytes, at_end: bool) -> int | None:
    """Length of the whole records in `data`, or None if a quotation mark stands in a wrong place.

    Marks open and close in turn. An opening one must stand at the start of a cell, a closing one at
    its end; two side by side inside a cell mean one mark.
    """
    view = np.frombuffer(data, np.uint8)
    marks = np.flatnonzero(view == QUOTE)
    if at_end:
        used = len(data)
        if len(marks) % 2:
            return None
    else:
        newlines = np.flatnonzero(view == _NEWLINE)
        outside = newlines[np.searchsorted(marks, newlines) % 2 == 0]
        used = int(outside[-1]) + 1 if len(outside) else 0
        marks = marks[marks < used]
    if not len(marks):
        return used
    edge = np.zeros(256, bool)
    edge[[delimiter[0], _NEWLINE, _RETURN]] = True
    padded = np.concatenate(([_NEWLINE], view[:used], [_NEWLINE]))
    opening, closing = marks[0::2], marks[1::2]
    doubled = closing[:-1] + 1 == opening[1:]
    starts_cell = edge[padded[opening]]
    starts_cell[1:] |= doubled
    ends_cell = edge[padded[closing + 2]]
    ends_cell[:-1] |= doubled
    return used if bool(starts_cell.all() and ends_cell.all()) else None


def one_by_one(
    data: bytes,
    delimiter: bytes,
    columns: int,
    line: int,
    at_end: bool,
    trusted: bool = False,
    comment: bytes = b"",
) -> tuple[Block, int]:
    """Read records one at a time; returns the block and the number of bytes used.

    `trusted`: all quotation marks are known to be well-formed.
    """
    rows: list[list[bytes]] = []
    lines: list[int] = []
    bad: list[tuple[int, str, bytes]] = []
    at = 0
    while at < len(data):
        if comment and data.startswith(comment, at):
            end = data.find(b"\n", at) + 1 or len(data) + 1
            if end > len(data) and not at_end:
                break
            line, at = line + 1, min(end, len(data))
            continue
        record = _record(data, at, delimiter, columns, at_end, trusted)
        if record is None:
            break
        cells, end, reason = record
        text = data[at:end]
        if reason:
            bad.append((line, reason, text.rstrip(b"\r\n")))
        elif cells is not None:
            rows.append(cells)
            lines.append(line)
        line += text.count(b"\n")
        at = end
    return Block(b"", line, rows=rows, lines=lines, bad=bad), at


def _record(
    data: bytes, at: int, delimiter: bytes, columns: int, at_end: bool, trusted: bool
) -> tuple[list[bytes] | None, int, str] | None:
    """Return one record's ``(cells, end, reason it is bad)``, or None if more text is needed.

    Blank lines give neither cells nor a reason.
    """
    newline = data.find(b"\n", at)
    if newline < 0 and not at_end:
        return None
    line_end = newline + 1 if newline >= 0 else len(data)
    line = data[at:line_end].rstrip(b"\n").removesuffix(b"\r")
    if not line:
        return None, line_end, ""
    plain = line.split(delimiter)
    if b'"' not in line:
        return _counted(plain, line_end, columns)
    cells, end, state = read_quoted(data, at, delimiter, min(len(data), at + MAX_RECORD))
    if trusted and state == "done":
        return _counted(cells, end, columns)
    several = end > line_end
    if state == "done" and len(cells) == columns and not (several and columns > 1):
        return cells, end, ""
    if state == "open" and not at_end and len(data) - at < MAX_RECORD:
        return None  # the cell may be closed in the text that follows
    if state == "done" and several and len(cells) == columns:
        # Marks around here are known to be wrong: if every line is a whole record by itself, the
        # mark that joined them was a stray one.
        physical = data[at:end].rstrip(b"\r\n").split(b"\n")
        if any(part.count(delimiter) != columns - 1 for part in physical):
            return cells, end, ""
    if len(plain) == columns:
        return [_literal(cell) for cell in plain], line_end, ""
    if state == "done" and not several:
        return _counted(cells, end, columns)
    reason = (
        "text follows a closing quotation mark" if state == "stray"
        else "a quotation mark is not closed"
    )  # fmt: skip
    return None, line_end, reason


def _counted(cells: list[bytes], end: int, columns: int) -> tuple[list[bytes] | None, int, str]:
    if len(cells) == columns:
        return cells, end, ""
    return None, end, ragged_reason(columns, len(cells))


def ragged_reason(expected: int, found: int) -> str:
    """Say that a row has another number of cells than the header."""
    cells = "1 cell" if found == 1 else f"{found:,} cells"
    return f"{cells} instead of {expected:,}"


def _literal(cell: bytes) -> bytes:
    """Take the marks off a cell that is enclosed by them; other marks are part of the text."""
    if len(cell) >= 2 and cell[0] == QUOTE and cell[-1] == QUOTE:
        inner = cell[1:-1]
        if b'"' not in inner.replace(b'""', b""):
            return inner.replace(b'""', b'"')
    return cell


def read_quoted(data: bytes, at: int, delimiter: bytes, limit: int) -> tuple[list[bytes], int, str]:
    """Read one record by the rules of RFC 4180 from `at`.

    Returns
    -------
    tuple
        Cells, position after the record, and ``"done"``, ``"open"`` (a cell is not closed before
        `limit`) or ``"stray"`` (text follows a closing mark).
    """
    cells: list[bytes] = []
    while True:
        if at < limit and data[at] == QUOTE:
            close = at + 1
            while True:
                close = data.find(b'"', close, limit)
                if close < 0:
                    return cells, limit, "open"
                if data[close + 1 : close + 2] != b'"':
                    break
                close += 2
            cells.append(data[at + 1 : close].replace(b'""', b'"'))
            at = close + 1
        else:
            stop = data.find(delimiter, at, limit)
            newline = data.find(b"\n", at, limit if stop < 0 else stop)
            end = newline if newline >= 0 else stop if stop >= 0 else limit
            cell = data[at:end]
            cells.append(cell.removesuffix(b"\r") if end in (newline, len(data)) else cell)
            at = end
        following = data[at : at + 1]
        if following == delimiter and at < limit:
            at += 1
            continue
        if not following:
            return cells, at, "done"
        if at >= limit:
            return cells, limit, "open"
        if following == b"\n":
            return cells, at + 1, "done"
        if data[at : at + 2] == b"\r\n":
            return cells, at + 2, "done"
        if following == b"\r" and at + 1 == len(data):
            return cells, at + 1, "done"
        return cells, at, "stray"
