"""The store: a data set read once into a memory-mapped Arrow file, any rows in microseconds."""

from __future__ import annotations

import csv
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.arrow import Array, RecordBatch, Table, arrow
from modellab.data.convert import (
    MISSING_TEXTS,
    ONLY_EMPTY,
    as_texts,
    convert,
    number_time_unit,
    present_texts,
    stored_type,
)
from modellab.data.kinds import MAX_LEVELS, sort_levels
from modellab.data.leases import Lease
from modellab.data.segments import BATCH_ROWS, SEGMENT_BATCHES, SegmentReader, segment_name
from modellab.data.source import BadRow
from modellab.errors import DataError, nearest, quote
from modellab.experiment import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modellab.data.growing import PartialStore
    from modellab.data.streamed import StreamedRows

__all__ = ["BATCH_ROWS", "OrderCheck", "Store", "StoreMeta", "StoredColumn", "segment_name"]

STORE_VERSION = 2
META_FILE = "store.json"
BAD_ROWS_FILE = "bad_rows.csv"
BAD_ROWS_LISTED = 10_000
_KEPT_BATCHES = 32
_KEPT_BYTES = 2**26


class StoredColumn(msgspec.Struct, frozen=True):
    """A column of a store.

    Attributes
    ----------
    name, kind
        Its name and the kind it is stored as.
    reason
        Why it is of that kind, as a short phrase.
    nullable
        Whether some values are missing.
    levels
        Category: all values, in code order. Boolean: how false and true are written. Else None.
    missing
        Rows without a value, unfit and infinite ones included.
    few_numbers
        All different numbers if there are at most 20, else None.
    whole, low, high
        Whether all numbers are whole; the smallest and the largest.
    inexact
        Whether whole numbers beyond 2**53 were rounded.
    lossless
        Whether the stored values tell as much as the texts of the file.
    unfit, unfit_line, unfit_text, unfit_file
        Values that did not fit the kind and are missing now: how many, and the first one.
    infinite
        Infinite numbers, missing now.
    missing_words
        Words such as NA that were taken as missing.
    out_of_order
        Time: the first row that is earlier than one before it, or None if all are in order.
    order
        Category: place in `levels` of each code in the file; None if they are the same.
    """

    name: str
    kind: Kind
    reason: str
    nullable: bool = False
    levels: list[str] | None = None
    missing: int = 0
    few_numbers: list[float] | None = None
    whole: bool = False
    low: float | None = None
    high: float | None = None
    inexact: bool = False
    lossless: bool = True
    unfit: int = 0
    unfit_line: int | None = None
    unfit_text: str = ""
    unfit_file: str = ""
    infinite: int = 0
    missing_words: int = 0
    out_of_order: int | None = None
    order: list[int] | None = None


class StoreMeta(msgspec.Struct, frozen=True):
    """All about a store but its values (``store.json``).

    `own_missing`: the person named the words for missing values, so that no other word is one.
    `streamed`: the rows are not in the folder but in the files, read as `reading` says.
    `unfinished`: these are the first rows of an import that goes on (`modellab.data.growing`).
    """

    version: int
    name: str
    format: str
    fingerprint: str
    source_paths: list[str]
    size_bytes: int
    n_rows: int
    columns: list[StoredColumn]
    warnings: list[str] = []
    bad_row_count: int = 0
    sort_by: str | None = None
    sorted_missing: int = 0
    own_missing: bool = False
    segment_batches: int = SEGMENT_BATCHES
    streamed: bool = False
    reading: dict[str, Any] = {}
    unfinished: bool = False


class Store:
    """A data set in columns, memory-mapped and read-only; every process can open the same one.

    What is worked out from the unchanging rows and worth keeping (profiles) is put into `memo`.

    Parameters
    ----------
    folder
        A folder made by `modellab.data.importer.import_dataset`.

    Raises
    ------
    DataError
        If the folder holds no complete store.
    """

    def __init__(self, folder: str | Path) -> None:
        pa, _ = arrow()
        self.path = Path(folder)
        self._lease: Lease | None = Lease(self.path)
        self._lock = threading.Lock()
        self._batches: OrderedDict[int, RecordBatch] = OrderedDict()
        self._levels: dict[tuple[str, Kind], list[str]] = {}
        self.memo: dict[tuple[str, ...], Any] = {}
        # What keeps the folder of an unfinished store from being deleted.
        self.partial: PartialStore | None = None
        try:
            raw = (self.path / META_FILE).read_bytes()
            self.meta = msgspec.json.decode(raw, type=StoreMeta)
            self._rows = self._opened_rows()
        except DataError:
            self._lease.release()
            raise
        except (OSError, msgspec.DecodeError, pa.ArrowException) as error:
            self._lease.release()
            raise DataError(
                f"The stored copy of the data in {quote(self.path, 200)} is not complete: "
                "open the data file again.",
                detail=str(error),
            ) from error
        self._missing = ONLY_EMPTY if self.meta.own_missing else MISSING_TEXTS
        self._by_name = {column.name: column for column in self.meta.columns}
        self._index = {column.name: k for k, column in enumerate(self.meta.columns)}
        self._coded = [
            (
                k,
                column.order is not None,
                pa.array(column.order or [], pa.int32()),
                pa.array(column.levels, pa.string()),
            )
            for k, column in enumerate(self.meta.columns)
            if column.kind == "category"
        ]

    def _opened_rows(self) -> SegmentReader | StreamedRows:
        if self.meta.streamed:
            from modellab.data.streamed import StreamedRows

            return StreamedRows(self.path, self.meta)
        return SegmentReader(self.path, self.meta.n_rows, self.meta.segment_batches)

    # What it is

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the source files (sha256, hex)."""
        return self.meta.fingerprint

    @property
    def name(self) -> str:
        """Name of the data set: its file's name."""
        return self.meta.name

    @property
    def source_paths(self) -> list[str]:
        """The files it was read from."""
        return list(self.meta.source_paths)

    @property
    def size_bytes(self) -> int:
        """Size of the source files in bytes."""
        return self.meta.size_bytes

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.meta.n_rows

    @property
    def columns(self) -> list[StoredColumn]:
        """The columns in file order."""
        return self.meta.columns

    @property
    def names(self) -> list[str]:
        """The columns' names in file order."""
        return list(self._by_name)

    @property
    def unfinished(self) -> bool:
        """Whether these are only the first rows: their import went on (`modellab.data.growing`)."""
        return self.meta.unfinished

    @property
    def warnings(self) -> list[str]:
        """Sentences about what was unusual in the files."""
        return self.meta.warnings

    @property
    def bad_row_count(self) -> int:
        """Number of rows that were set aside."""
        return self.meta.bad_row_count

    @property
    def bad_rows_path(self) -> Path:
        """A CSV file of all rows that were set aside: file, line, reason, text."""
        return self.path / BAD_ROWS_FILE

    @property
    def bad_rows(self) -> list[BadRow]:
        """The rows that were set aside, at most the first 10,000 (all are in `bad_rows_path`)."""
        rows: list[BadRow] = []
        if not self.bad_row_count:
            return rows
        with self.bad_rows_path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            next(reader)
            for name, line, reason, text in reader:
                rows.append(BadRow(name, int(line), reason, text))
                # The file of an unfinished store goes on beyond its own rows.
                if len(rows) >= min(BAD_ROWS_LISTED, self.bad_row_count):
                    break
        return rows

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def column(self, name: str) -> StoredColumn:
        """Return a column by its name.

        Raises
        ------
        DataError
            If there is none; names the most similar one.
        """
        try:
            return self._by_name[name]
        except KeyError:
            like = nearest(name, self._by_name)
            hint = f" Did you mean {quote(like)}?" if like else ""
            raise DataError(f"{quote(self.name)} has no column {quote(name)}.{hint}") from None

    # Its rows

    def read(
        self,
        start: int,
        stop: int,
        columns: Sequence[str] | None = None,
        kinds: Mapping[str, Kind] | None = None,
    ) -> Table:
        """Return rows ``[start, stop)``, without copying where nothing is converted.

        Parameters
        ----------
        start, stop
            Positions from 0; cut to the rows there are.
        columns
            Names in the order wanted; all in file order if None.
        kinds
            Kinds to convert to, by name; others come as stored.

        Raises
        ------
        DataError
            If there is no such column, or it has too many different values for a category.
        """
        pa, _ = arrow()
        names = self.names if columns is None else list(columns)
        wanted = [self.column(name) for name in names]
        start = min(max(int(start), 0), self.n_rows)
        stop = min(max(int(stop), start), self.n_rows)
        pieces: list[RecordBatch] = []
        number = start // BATCH_ROWS
        positions = [self._index[name] for name in names]
        while start < stop:
            batch = self._batch(number)
            offset = start - number * BATCH_ROWS
            length = min(stop - start, len(batch) - offset)
            pieces.append(batch.select(positions).slice(offset, length))
            start += length
            number += 1
        changed = {
            column.name: kinds[column.name]
            for column in wanted
            if kinds and kinds.get(column.name, column.kind) != column.kind
        }
        schema = pa.schema([(column.name, stored_type(column.kind)) for column in wanted])
        table = pa.Table.from_batches(pieces, schema)
        for name, kind in changed.items():
            chunks = [self._converted(name, chunk, kind) for chunk in table.column(name).chunks]
            fresh = pa.chunked_array(chunks, stored_type(kind))
            table = table.set_column(names.index(name), name, fresh)
        return table

    def column_as(self, name: str, kind: Kind, start: int, stop: int) -> Array:
        """Return one column of rows ``[start, stop)`` as one array of a kind's stored type."""
        pa, _ = arrow()
        chunks = self.read(start, stop, [name], {name: kind}).column(0).chunks
        if len(chunks) == 1:
            return chunks[0]
        return pa.concat_arrays(chunks) if chunks else pa.array([], stored_type(kind))

    def levels(self, name: str, kind: Kind | None = None) -> list[str]:
        """Return the values that a column takes as a category, in code order.

        For booleans: how false and true are written. For other kinds: none.

        Raises
        ------
        DataError
            If the column has more than 100,000 different values.
        """
        column = self.column(name)
        kind = kind or column.kind
        if kind == column.kind or (kind == "category" and column.kind == "boolean"):
            return list(column.levels or [])
        if kind == "boolean":
            return ["false", "true"]
        if kind != "category":
            return []
        known = self._levels.get((name, kind))
        if known is None:
            known = self._levels[name, kind] = self._scan_levels(column)
        return known

    def _scan_levels(self, column: StoredColumn) -> list[str]:
        _, pc = arrow()
        found: set[str] = set()
        for start in range(0, self.n_rows, BATCH_ROWS):
            values = self.column_as(column.name, column.kind, start, start + BATCH_ROWS)
            texts = present_texts(as_texts(pc.unique(values.drop_null())), self._missing)
            found.update(pc.unique(texts.drop_null()).to_pylist())
            if len(found) > MAX_LEVELS:
                raise DataError(
                    f"Column {quote(column.name)} has more than {MAX_LEVELS:,} different values: "
                    "it cannot be a category."
                )
        return sort_levels(found)

    def time_unit(self, name: str) -> str:
        """Return what the numbers of a column mean as times (see `number_time_unit`)."""
        column = self.column(name)
        if column.low is None or column.high is None:
            return "s"
        return number_time_unit(column.low, column.high, column.whole)

    def _converted(self, name: str, values: Array, kind: Kind) -> Array:
        pa, pc = arrow()
        column = self.column(name)
        levels = self.levels(name, kind) if kind == "category" else ()
        unit = self.time_unit(name) if kind == "time" else "s"
        if column.kind == "boolean" and kind in ("category", "text"):
            spelled = pa.array(column.levels or ["false", "true"])
            values = spelled.take(pc.cast(pc.cast(values, pa.int8()), pa.int32()))
        if column.kind == "category" and kind != "category":
            # Every value is converted once, not every row.
            every = convert(values.dictionary, kind, levels, time_unit=unit, missing=self._missing)
            return every.values.take(values.indices)
        return convert(values, kind, levels, time_unit=unit, missing=self._missing).values

    def _batch(self, number: int) -> RecordBatch:
        with self._lock:
            batch = self._batches.get(number)
            if batch is None:
                batch = self._batches[number] = self._with_levels(self._rows.batch(number))
                most = max(2, min(_KEPT_BATCHES, _KEPT_BYTES // max(batch.nbytes, 1)))
                while len(self._batches) > most:
                    self._batches.popitem(last=False)
            else:
                self._batches.move_to_end(number)
        return batch

    def _with_levels(self, batch: RecordBatch) -> RecordBatch:
        """Put the categories' values to their codes."""
        pa, _ = arrow()
        columns = batch.columns
        for position, moved, codes, levels in self._coded:
            indices = codes.take(columns[position]) if moved else columns[position]
            columns[position] = pa.DictionaryArray.from_arrays(indices, levels, safe=False)
        return pa.RecordBatch.from_arrays(columns, names=self.names) if self._coded else batch

    # End

    def close(self) -> None:
        """Give the file back; tables that were read stay valid."""
        with self._lock:
            self._batches.clear()
            self._rows.close()
        if self._lease is not None:
            self._lease.release()
            self._lease = None
        self.partial = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


class OrderCheck:
    """Finds the first row of a time column that is earlier than a row before it."""

    def __init__(self) -> None:
        self._latest: int | None = None
        self.first: int | None = None

    def update(self, times: Array, position: int) -> None:
        """Take in times (``timestamp[ns]``, nulls skipped) of rows from `position` on."""
        pa, pc = arrow()
        if self.first is not None:
            return
        valid = times.is_valid().to_numpy(zero_copy_only=False)
        nanos: Any = pc.cast(times.drop_null(), pa.int64()).to_numpy(zero_copy_only=False)
        if not len(nanos):
            return
        before = nanos[:-1] if self._latest is None else np.append(self._latest, nanos[:-1])
        after = nanos[1:] if self._latest is None else nanos
        late = np.flatnonzero(after < before)
        if len(late):
            index = int(late[0]) + (1 if self._latest is None else 0)
            self.first = position + int(np.flatnonzero(valid)[index])
        self._latest = int(nanos[-1])
