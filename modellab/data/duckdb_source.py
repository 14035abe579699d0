"""DuckDB databases: a table or a query, read-only, as chunks of typed rows in bounded memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab.data.arrow import arrow
from modellab.data.database_source import as_query, choose_table, database_warning
from modellab.data.source import (
    BadRowSink,
    Chunk,
    FileState,
    ReadProgress,
    fingerprint_of,
    no_progress,
)
from modellab.data.typed_source import ROWS, TypedColumns
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    # A query must not reach other files, the network or extensions.
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "temp_directory": "",
    "memory_limit": "512MB",
    "threads": "1",
    "preserve_insertion_order": "true",
}


class DuckdbSource:
    """One table, view or query of a DuckDB database.

    Parameters
    ----------
    path
        The file; it is opened read-only.
    inner
        Name of the table, or a query (``SELECT ...``); empty: the only table.

    Raises
    ------
    DataError
        If the file is damaged or in use, the query fails, or it is not clear which table is meant.
    """

    format = "DuckDB"

    def __init__(self, path: Path, inner: str = "") -> None:
        import duckdb

        self.path = path
        self._inner = inner
        self._state = FileState.of(path)
        self.size_bytes = self._state.size
        try:
            with connect(path) as connection:
                tables = tables_of(connection)
                self._query = as_query(inner)
                if self._query:
                    _one_select(self._query)
                else:
                    table = choose_table(path, inner, tables).replace('"', '""')
                    self._query = f'SELECT * FROM "{table}"'
                schema = _reader(connection, f"SELECT * FROM ({self._query}) LIMIT 0").schema
        except (duckdb.Error, ValueError, MemoryError, RuntimeError) as error:
            raise failed(path, error, bool(as_query(inner))) from error
        self.paths = [Path(f"{path}::{inner}") if inner else path]
        self.name = f"{path.name}::{inner}" if inner else path.name
        self._columns = TypedColumns(schema, self.name)
        self.columns = self._columns.columns
        self.warnings = self._columns.warnings + database_warning(path, (".wal",))
        self.options = {"query": self._query}
        whole = f"{fingerprint_of(path)}\n{self._query}"
        self.fingerprint = hashlib.sha256(whole.encode()).hexdigest()

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows in order, up to 65,536 at a time."""
        import duckdb

        pa, _ = arrow()
        self._state.verify()
        done = 0
        try:
            with connect(self.path) as connection:
                for batch in _reader(connection, self._query):
                    yield from self._columns.chunks(batch, self.name, done)
                    done += len(batch)
                    self._state.verify()
                    progress(0, self.size_bytes, f"{done:,} rows")
        except (duckdb.Error, pa.ArrowException, ValueError, OSError, MemoryError) as error:
            self._state.verify()
            raise failed(self.path, error, bool(as_query(self._inner)), done) from error
        self._state.verify()
        progress(self.size_bytes, self.size_bytes)


def failed(path: Path, error: Exception, query: bool = False, done: int = 0) -> DataError:
    """Return one sentence for a database that fails; `query`: perhaps it is the person's query."""
    import duckdb

    text = str(error)
    name = quote(path.name)
    first = text.partition("\n")[0]
    damaged = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException,
               duckdb.InternalException)  # fmt: skip
    if "lock" in first and isinstance(error, duckdb.IOException):
        return DataError(f"{name} is in use by another program: close it there first.", detail=text)
    if "version number" in first or "newer version" in first:
        return DataError(
            f"{name} was written by another version of DuckDB, which cannot be read here: "
            "export the table as Parquet.",
            detail=text,
        )
    if query and not isinstance(error, damaged):
        return DataError(
            f"The query of {name} fails: {quote(first, 200)}. Only SELECT is allowed.",
            detail=text,
        )
    where = f" beyond row {done:,}" if done else ""
    return DataError(f"{name} is a damaged DuckDB database: it cannot be read{where}.", detail=text)


def tables_of(connection: Any) -> list[str]:
    """Names of the tables, then of the views."""
    found = connection.execute(
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'main' ORDER BY table_type, table_name"
    ).fetchall()
    return [str(row[0]) for row in found]


def connect(path: Path) -> Any:
    """Open a database read-only, shut off from everything else."""
    import duckdb

    return duckdb.connect(str(path), read_only=True, config=_SETTINGS)


def _reader(connection: Any, query: str) -> Any:
    # `execute(...)` would hold the whole result in memory; a relation streams it.
    return connection.sql(query).to_arrow_reader(ROWS)


def _one_select(query: str) -> None:
    """Refuse anything but one statement that only reads."""
    import duckdb

    found = duckdb.extract_statements(query)
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        raise ValueError("the text is not one SELECT statement")
