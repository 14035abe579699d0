"""Inside the process that reads a DuckDB database: the library may fail there without harm.

A damaged database can bring the library to its knees, and the process it runs in with it. So it
runs in one of its own (``--worker duckdb``), which `modellab.data.duckdb_source` starts: a request
comes in as JSON, the answer goes out as a line of JSON, for rows followed by an Arrow stream. What
fails is told in one line of JSON on standard error.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab.data.database_source import as_query, choose_table
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedWriter

ROWS = 65_536
"""Rows of a batch."""
FAILED = "modellab failed: "
"""Begins the line that tells what failed."""
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


def main() -> int:
    """Answer one request (``--worker duckdb``)."""
    request = json.loads(sys.stdin.buffer.readline())
    out = _own_output()
    path, query = Path(request["path"]), str(request.get("query", ""))
    try:
        work: Callable[[], None] = {
            "parts": lambda: _parts(path, out),
            "open": lambda: _open(path, query, out),
            "rows": lambda: _rows(path, query, out),
        }[request["what"]]
        work()
        out.flush()
    except BrokenPipeError:
        return 0  # whoever asked wants no more
    except DataError as error:
        return _told(error)
    except Exception as error:  # noqa: BLE001 - the library fails in many ways
        return _told(failed(path, error, bool(as_query(query))))
    return 0


def _own_output() -> BufferedWriter:
    """Keep the real output for answers: what the library prints goes to standard error."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(1, os.O_BINARY)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


def _told(error: DataError) -> int:
    line = json.dumps({"sentence": error.sentence, "detail": error.detail[:4000]})
    sys.stderr.write(f"\n{FAILED}{line}\n")
    sys.stderr.flush()
    return 3


def failed(path: Path, error: Exception, query: bool = False) -> DataError:
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
    return DataError(f"{name} is a damaged DuckDB database: it cannot be read.", detail=text)


def _line(out: BufferedWriter, answer: object) -> None:
    out.write(json.dumps(answer).encode() + b"\n")


def _parts(path: Path, out: BufferedWriter) -> None:
    with _connect(path) as connection:
        counted = {
            str(name): (int(rows), int(columns))
            for name, rows, columns in connection.execute(
                "SELECT table_name, estimated_size, column_count FROM duckdb_tables() "
                "WHERE schema_name = 'main'"
            ).fetchall()
        }
        found = [[name, *counted.get(name, (None, None))] for name in _tables(connection)]
    _line(out, found)


def _open(path: Path, inner: str, out: BufferedWriter) -> None:
    """Answer with the query that gives the rows, and their schema."""
    import pyarrow as pa

    with _connect(path) as connection:
        query = as_query(inner)
        if query:
            _one_select(query)
        else:
            table = choose_table(path, inner, _tables(connection)).replace('"', '""')
            query = f'SELECT * FROM "{table}"'
        schema = _reader(connection, f"SELECT * FROM ({query}) LIMIT 0").schema
    _line(out, query)
    with pa.ipc.new_stream(out, schema):
        pass


def _rows(path: Path, query: str, out: BufferedWriter) -> None:
    import pyarrow as pa

    with _connect(path) as connection:
        reader = _reader(connection, query)
        _line(out, None)
        with pa.ipc.new_stream(out, reader.schema) as stream:
            for batch in reader:
                stream.write_batch(batch)


def _tables(connection: Any) -> list[str]:
    """Names of the tables, then of the views."""
    found = connection.execute(
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'main' ORDER BY table_type, table_name"
    ).fetchall()
    return [str(row[0]) for row in found]


def _connect(path: Path) -> Any:
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
