"""SQLite databases: a table or a query, read-only, as chunks of texts in bounded memory."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from modellab.data.database_source import as_query, choose_table, database_warning
from modellab.data.source import (
    BadRowSink,
    Chunk,
    FileState,
    ReadProgress,
    SourceColumn,
    fingerprint_of,
    no_progress,
    unique_names,
)
from modellab.data.text_source import texts_chunk
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0
"""Seconds within which a query must give its next rows."""
_CELLS = 2**18
_MAX_LENGTH = 2**26
_ALLOWED = (
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
)  # fmt: skip


class SqliteSource:
    """One table, view or query of an SQLite database.

    Parameters
    ----------
    path
        The file; it is opened read-only.
    inner
        Name of the table, or a query (``SELECT ...``); empty: the only table.

    Raises
    ------
    DataError
        If the file is damaged, the query fails, or it is not clear which table is meant.
    """

    format = "SQLite"

    def __init__(self, path: Path, inner: str = "") -> None:
        self.path = path
        self._state = FileState.of(path)
        self.size_bytes = self._state.size
        try:
            with Reading(path) as reading:
                tables = tables_of(reading)
                self._query = as_query(inner) or (
                    f"SELECT * FROM {quoted(choose_table(path, inner, tables))}"
                )
                cursor = reading.rows(self._query)
                found = [str(column[0]) for column in cursor.description or ()]
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise self._failed(error, inner, 0) from error
        if not found:
            raise DataError(f"The query of {quote(path.name)} gives no columns: use SELECT.")
        self._inner = inner
        self.paths = [Path(f"{path}::{inner}") if inner else path]
        self.name = f"{path.name}::{inner}" if inner else path.name
        names, self.warnings = unique_names(found, self.name)
        self.warnings += database_warning(path, ("-wal", "-journal"))
        self.columns = [SourceColumn(name) for name in names]
        self.options = {"query": self._query}
        whole = f"{fingerprint_of(path)}\n{self._query}"
        self.fingerprint = hashlib.sha256(whole.encode()).hexdigest()

    def _failed(self, error: Exception, inner: str, done: int) -> DataError:
        text = str(error).partition("\n")[0]
        name = quote(self.path.name)
        if "interrupted" in text:
            return DataError(
                f"The query of {name} gave no rows for {PATIENCE:.0f} seconds and was stopped: "
                "make it simpler, or save its result as a file.",
                detail=text,
            )
        damaged = ("malformed", "not a database", "corrupt", "disk I/O")
        if as_query(inner) and not any(word in text for word in damaged):
            return DataError(
                f"The query of {name} fails: {quote(text, 200)}. Only SELECT is allowed.",
                detail=text,
            )
        where = f" beyond row {done:,}" if done else ""
        return DataError(
            f"{name} is a damaged SQLite database: it cannot be read{where}.", detail=text
        )

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows in order, in chunks of about 260,000 cells."""
        self._state.verify()
        names = [column.name for column in self.columns]
        size = max(1, _CELLS // len(names))
        done = 0
        try:
            with Reading(self.path) as reading:
                cursor = reading.rows(self._query)
                while rows := reading.next(cursor, size):
                    columns = [list(map(_text, column)) for column in zip(*rows, strict=True)]
                    lines = list(range(done + 1, done + len(rows) + 1))
                    yield texts_chunk(names, columns, self.name, lines)
                    done += len(rows)
                    self._state.verify()
                    progress(0, self.size_bytes, f"{done:,} rows")
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            self._state.verify()
            raise self._failed(error, self._inner, done) from error
        self._state.verify()
        progress(self.size_bytes, self.size_bytes)


class Reading:
    """A connection that can read tables and nothing else."""

    def __init__(self, path: Path) -> None:
        # A log beside the file belongs to it; without one nothing may be written beside it.
        wal = Path(f"{path}-wal")
        fixed = "" if wal.is_file() and wal.stat().st_size else "&immutable=1"
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro{fixed}", uri=True, check_same_thread=False
        )
        self._connection.text_factory = lambda data: data.decode("utf-8", "replace")
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_LENGTH)
        self._connection.execute("PRAGMA trusted_schema = OFF")
        self._connection.execute("PRAGMA temp_store = MEMORY")
        self._connection.set_authorizer(_judge)
        self._deadline = monotonic() + PATIENCE
        self._connection.set_progress_handler(lambda: monotonic() > self._deadline, 10_000)

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *args: object) -> None:
        self._connection.close()

    def rows(self, query: str, patience: float | None = None) -> sqlite3.Cursor:
        """Ask a query; it is stopped when nothing comes within `patience` (else `PATIENCE`) s."""
        self._deadline = monotonic() + (PATIENCE if patience is None else patience)
        return self._connection.execute(query)

    def next(
        self, cursor: sqlite3.Cursor, size: int, patience: float | None = None
    ) -> list[tuple[object, ...]]:
        """Return up to `size` further rows; none at the end."""
        self._deadline = monotonic() + (PATIENCE if patience is None else patience)
        return cursor.fetchmany(size)


def tables_of(reading: Reading) -> list[str]:
    """Names of the tables and views, in the order they were made."""
    found = reading.rows(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, rowid"
    )
    return [str(name) for (name,) in found]


def _judge(action: int, *about: object) -> int:
    if action == sqlite3.SQLITE_FUNCTION and str(about[1]).lower() == "load_extension":
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def quoted(table: str) -> str:
    """Return a table's name as a query takes it."""
    return '"' + table.replace('"', '""') + '"'


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bytes):
        return value.hex()
    return repr(value)
