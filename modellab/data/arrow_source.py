"""Arrow IPC files and streams, and Feather, as chunks of typed rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab.data.arrow import RecordBatch, arrow
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
    from pathlib import Path

STREAM_MAGIC = b"\xff\xff\xff\xff"


class ArrowSource:
    """One Arrow IPC file or stream; Feather files are one or the other.

    In memory is one record batch of the file: its writer chose how large. Every batch is checked
    before it is used, as damaged ones would otherwise be read beyond their end. Feather's first
    version, which Arrow is about to give up, is refused.

    Raises
    ------
    DataError
        If the file is damaged, or holds no column that can be used.
    """

    format = "Arrow"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.paths = [path]
        self.name = path.name
        self.options: dict[str, str] = {}
        self._state = FileState.of(path)
        self.size_bytes = self._state.size
        with path.open("rb") as file:
            head = file.read(8)
        self._stream = head.startswith(STREAM_MAGIC)
        if head.startswith(b"FEA1"):
            raise DataError(
                f"{quote(self.name)} is a Feather file of the first version, which is not read: "
                "save it again with a newer library, or as Parquet."
            )
        pa, _ = arrow()
        try:
            with pa.OSFile(str(path), "rb") as file:
                # Names of columns may be damaged, too.
                self._columns = TypedColumns(self._open(file).schema, self.name)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise DataError(
                f"{quote(path.name)} is a damaged Arrow file: it cannot be read.",
                detail=str(error),
            ) from error
        self.columns = self._columns.columns
        self.warnings = self._columns.warnings
        self.fingerprint = fingerprint_of(path)

    def _open(self, file: Any) -> Any:
        pa, _ = arrow()
        return pa.ipc.open_stream(file) if self._stream else pa.ipc.open_file(file)

    def _batches(self, file: Any) -> Iterator[RecordBatch]:
        opened = self._open(file)
        if self._stream:
            yield from opened
        else:
            for number in range(opened.num_record_batches):
                yield opened.get_batch(number)

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows in order, up to 65,536 at a time."""
        pa, _ = arrow()
        self._state.verify()
        done = 0
        try:
            with pa.OSFile(str(self.path), "rb") as file:
                for batch in self._batches(file):
                    batch.validate(full=True)
                    yield from self._columns.chunks(batch, self.name, done)
                    done += len(batch)
                    self._state.verify()
                    progress(min(file.tell(), self.size_bytes), self.size_bytes)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            self._state.verify()
            raise DataError(
                f"{quote(self.name)} is damaged: it cannot be read beyond row {done:,}.",
                detail=str(error),
            ) from error
        self._state.verify()
