"""DuckDB databases: a table or a query, read-only, as chunks of typed rows in bounded memory.

The library runs in a process of its own (`modellab.data.duckdb_inside`): what a damaged database
does to it does nothing to this one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab.data.arrow import arrow
from modellab.data.database_source import database_warning
from modellab.data.duckdb_inside import FAILED
from modellab.data.source import (
    BadRowSink,
    Chunk,
    FileState,
    ReadProgress,
    fingerprint_of,
    no_progress,
)
from modellab.data.typed_source import TypedColumns
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDERR_BYTES = 2**16


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
        self.path = path
        self._state = FileState.of(path)
        self.size_bytes = self._state.size
        with _Asked(path, "open", inner) as asked:
            self._query = str(asked.answer)
            schema = asked.stream().schema
            self.name = f"{path.name}::{inner}" if inner else path.name
            try:
                self._columns = TypedColumns(schema, self.name)
            except ValueError as error:
                raise asked.broken(error) from error
        self.paths = [Path(f"{path}::{inner}") if inner else path]
        self.columns = self._columns.columns
        self.warnings = self._columns.warnings + database_warning(path, (".wal",))
        self.options = {"query": self._query}
        whole = f"{fingerprint_of(path)}\n{self._query}"
        self.fingerprint = hashlib.sha256(whole.encode()).hexdigest()

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows in order, up to 65,536 at a time."""
        self._state.verify()
        done = 0
        with _Asked(self.path, "rows", self._query) as asked:
            for batch in asked.batches():
                yield from self._columns.chunks(batch, self.name, done)
                done += len(batch)
                self._state.verify()
                progress(0, self.size_bytes, f"{done:,} rows")
        self._state.verify()
        progress(self.size_bytes, self.size_bytes)


def tables_of(path: Path) -> list[tuple[str, int | None, int | None]]:
    """Return name, rows and columns of the tables, then of the views (whose rows are not known).

    Raises
    ------
    DataError
        If the database is damaged or in use.
    """
    with _Asked(path, "parts") as asked:
        return [(str(name), rows, columns) for name, rows, columns in asked.answer]


class _Asked:
    """A request to a process that reads the database; it ends with the block."""

    def __init__(self, path: Path, what: str, query: str = "") -> None:
        self._path = path
        self._said = b""
        try:
            self._process = subprocess.Popen(
                _command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            raise DataError(
                f"{quote(path.name)} cannot be read: no process can be started for it.",
                detail=str(error),
            ) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out, self._errors = self._process.stdout, self._process.stderr
        self._listener = threading.Thread(target=self._listen, name="duckdb errors", daemon=True)
        self._listener.start()
        request = {"what": what, "path": str(path.absolute()), "query": query}
        with contextlib.suppress(OSError):  # it has ended already: its answer says why
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.close()
        line = self._out.readline()
        if not line.endswith(b"\n"):
            wrong = self.broken()
            self.close()
            raise wrong
        self.answer: Any = json.loads(line)

    def __enter__(self) -> _Asked:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def stream(self) -> Any:
        """Return the Arrow stream that follows the answer."""
        pa, _ = arrow()
        try:
            return pa.ipc.open_stream(self._out)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self.broken(error) from error

    def batches(self) -> Iterator[Any]:
        """Yield all batches of the stream."""
        pa, _ = arrow()
        reader = self.stream()
        while True:
            try:
                batch = reader.read_next_batch()
                # Damage may show only when the values are looked at.
                batch.validate(full=True)
            except StopIteration:
                break
            except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
                raise self.broken(error) from error
            yield batch
        # An end in the middle looks like an end: only the process knows.
        if self._process.wait() != 0:
            raise self.broken()

    def broken(self, error: BaseException | None = None) -> DataError:
        """Return the sentence that the process left, or that it fell over the database."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._listener.join(5)
        text = self._said.decode("utf-8", "replace")
        _, found, rest = text.rpartition(FAILED)
        if found:
            try:
                told = json.loads(rest.partition("\n")[0])
                return DataError(str(told["sentence"]), detail=str(told["detail"]))
            except (ValueError, KeyError, TypeError):
                pass
        return DataError(
            f"{quote(self._path.name)} is a damaged DuckDB database: it cannot be read.",
            detail=f"{error or ''}\n{text[-2000:]}".strip(),
        )

    def _listen(self) -> None:
        while piece := self._errors.read(4096):
            self._said = (self._said + piece)[-_STDERR_BYTES:]

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._out.close()
        self._errors.close()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


def _command() -> list[str]:
    own = ["--worker", "duckdb"]
    if getattr(sys, "frozen", False):
        return [sys.executable, *own]
    # -P: a data folder in which the program was started must not shadow a module.
    return [sys.executable, "-P", "-m", "modellab", *own]


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    if not getattr(sys, "frozen", False):
        root = str(Path(__file__).resolve().parent.parent.parent)
        known = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = root + (os.pathsep + known if known else "")
    return environment
