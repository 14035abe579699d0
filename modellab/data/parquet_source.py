"""Parquet files as chunks of typed rows, in bounded memory."""

from __future__ import annotations

from functools import partial
from operator import add
from typing import TYPE_CHECKING

from modellab.data.arrow import arrow
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
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 65_536


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
                schema = file.schema_arrow
                self.n_rows = file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{quote(path.name)} is a damaged Parquet file: it cannot be read.",
                detail=str(error),
            ) from error
        self.fingerprint = fingerprint_of(path)
        names, self.warnings = unique_names(schema.names, path.name)
        self._kept: list[int] = []
        self.columns: list[SourceColumn] = []
        for position, (name, column) in enumerate(zip(names, schema, strict=True)):
            if pa.types.is_nested(column.type):
                self.warnings.append(
                    f"Column {quote(name)} of {quote(path.name)} holds {column.type} values, "
                    "which cannot be used: it is left out."
                )
                continue
            self._kept.append(position)
            self.columns.append(SourceColumn(name, column.type))
        if not self.columns:
            raise DataError(f"{quote(path.name)} has no column that can be used.")

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows in order, up to 65,536 at a time."""
        pa, _ = arrow()
        import pyarrow.parquet as pq

        self._state.verify()
        names = [column.name for column in self.columns]
        done = 0
        try:
            # Without pre_buffer a full pass stays at one row group's memory.
            with pq.ParquetFile(self.path, pre_buffer=False) as file:
                for batch in file.iter_batches(ROWS):
                    columns = [batch.column(position) for position in self._kept]
                    kept = pa.RecordBatch.from_arrays(columns, names=names)
                    first = done + 1
                    yield Chunk(kept, self.name, partial(add, first))
                    done += len(batch)
                    self._state.verify()
                    progress(self.size_bytes * done / max(self.n_rows, 1), self.size_bytes)
        except (pa.ArrowException, OSError) as error:
            self._state.verify()
            raise DataError(
                f"{quote(self.name)} is damaged: it cannot be read beyond row {done:,}.",
                detail=str(error),
            ) from error
        self._state.verify()
