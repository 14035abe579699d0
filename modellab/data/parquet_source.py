"""Parquet files as chunks of typed rows, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.data.arrow import arrow
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
    from pathlib import Path


class ParquetSource:
    """One Parquet file.

    Columns of lists, structs or maps cannot be a feature and are left out, with a warning.

    Raises
    ------
    DataError
        If the file is damaged or holds no column that can be used.
    """

    format = "Parquet"

    def __init__(self, path: Path) -> None:
        pa, _ = arrow()
        import pyarrow.parquet as pq

        self.path = path
        self.paths = [path]
        self.name = path.name
        self.options: dict[str, str] = {}
        self._state = FileState.of(path)
        self.size_bytes = self._state.size
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                self._columns = TypedColumns(file.schema_arrow, self.name)
                self.n_rows = file.metadata.num_rows
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise DataError(
                f"{quote(path.name)} is a damaged Parquet file: it cannot be read.",
                detail=str(error),
            ) from error
        self.fingerprint = fingerprint_of(path)
        self.columns = self._columns.columns
        self.warnings = self._columns.warnings

    @property
    def kept(self) -> list[int]:
        """Positions in the file of the columns that can be used."""
        return self._columns.kept

    def verify(self) -> None:
        """Raise `DataError` if the file is gone or no longer the same."""
        self._state.verify()

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows in order, up to 65,536 at a time."""
        pa, _ = arrow()
        import pyarrow.parquet as pq

        self._state.verify()
        done = 0
        try:
            # Without pre_buffer a full pass stays at one row group's memory.
            with pq.ParquetFile(self.path, pre_buffer=False) as file:
                for batch in file.iter_batches(ROWS):
                    # Cheap beside reading; damaged texts would fail far from here.
                    batch.validate(full=True)
                    yield from self._columns.chunks(batch, self.name, done)
                    done += len(batch)
                    self._state.verify()
                    progress(self.size_bytes * done / max(self.n_rows, 1), self.size_bytes)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            self._state.verify()
            raise DataError(
                f"{quote(self.name)} is damaged: it cannot be read beyond row {done:,}.",
                detail=str(error),
            ) from error
        self._state.verify()
