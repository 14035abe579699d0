"""What a file consists of that could be a data set each: sheets, tables, members of an archive.

Told without reading the rows, as far as that is cheap; nothing is ever written.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Literal

import msgspec

from modellab.data.opening import split_inner
from modellab.data.source import cannot_read
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from pathlib import Path

PartKind = Literal["sheet", "table", "file"]

MAX_PARTS = 1000
COUNT_SECONDS = 1.0
"""Within this time rows are counted; the other parts have no count."""
MAX_SHEETS_BYTES = 20 * 2**20
"""Sheets of larger workbooks are not read to count their rows."""


class Part(msgspec.Struct, frozen=True):
    """One sheet, table or member: `rows` None if not counted, `size` in bytes None if unknown."""

    name: str
    rows: int | None = None
    columns: int | None = None
    size: int | None = None


class Parts(msgspec.Struct, frozen=True):
    """What a file consists of.

    Attributes
    ----------
    path, kind
        The file, and what its parts are.
    parts
        In the file's order.
    queries
        A query can be asked instead of a table.
    together
        All parts can be read as one data set, if they have the same columns.
    more
        Parts beyond `MAX_PARTS`, which are not listed.
    """

    path: str
    kind: PartKind
    parts: list[Part]
    queries: bool = False
    together: bool = False
    more: int = 0


def parts_of(path: str | Path) -> Parts | None:
    """Return what a file consists of; None for a file of one table.

    Raises
    ------
    DataError
        If the file cannot be read or is damaged.
    """
    file, _ = split_inner(path)
    try:
        with file.open("rb") as opened:
            head = opened.read(64)
    except OSError as error:
        raise cannot_read(file, error) from error
    if head.startswith(b"SQLite format 3\0"):
        return _limited(file, "table", _sqlite(file), queries=True)
    if head[8:12] == b"DUCK":
        return _limited(file, "table", _duckdb(file), queries=True)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        from modellab.data.workbook_source import workbook_kind

        kind = workbook_kind(file)
        if kind in ("xlsx", "ods"):
            return _limited(file, "sheet", _sheets(file))
        return None if kind else _limited(file, "file", _members(file), together=True)
    return None


def _limited(
    file: Path, kind: PartKind, found: list[Part], *, queries: bool = False, together: bool = False
) -> Parts:
    more = max(0, len(found) - MAX_PARTS)
    return Parts(str(file), kind, found[:MAX_PARTS], queries, together, more)


def _sqlite(file: Path) -> list[Part]:
    import sqlite3

    from modellab.data.sqlite_source import Reading, quoted, tables_of

    try:
        with Reading(file) as reading:
            names = tables_of(reading)
            until = monotonic() + COUNT_SECONDS
            found: list[Part] = []
            for name in names:
                rows = columns = None
                if monotonic() < until and len(found) < MAX_PARTS:
                    try:
                        cursor = reading.rows(f"SELECT * FROM {quoted(name)} LIMIT 0")
                        columns = len(cursor.description or ())
                        cursor = reading.rows(
                            f"SELECT count(*) FROM {quoted(name)}", until - monotonic()
                        )
                        rows = int(str(reading.next(cursor, 1, until - monotonic())[0][0]))
                    except (sqlite3.Error, ValueError, IndexError):
                        rows = None  # too large to be counted quickly, or a view that fails
                found.append(Part(name, rows, columns))
            return found
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise DataError(
            f"{quote(file.name)} is a damaged SQLite database: it cannot be read.",
            detail=str(error),
        ) from error


def _duckdb(file: Path) -> list[Part]:
    from modellab.data.duckdb_source import tables_of

    return [Part(*facts) for facts in tables_of(file)]


def _sheets(file: Path) -> list[Part]:
    from modellab.data.workbook_source import sheets_of

    count = file.stat().st_size <= MAX_SHEETS_BYTES
    return [Part(*facts) for facts in sheets_of(file, COUNT_SECONDS if count else 0.0)]


def _members(file: Path) -> list[Part]:
    from modellab.data.packed_source import zip_members

    return [Part(info.filename, size=info.file_size) for info in zip_members(file)]
