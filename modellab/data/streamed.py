"""Rows straight from the files, where the disk has no room for a stored copy of them.

The first pass leaves an index: where in the files each block of rows begins. Any rows are found
again by it, and converted as they would have been stored: the same rows, to the bit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from modellab.data.arrow import Array, DataType, RecordBatch, arrow
from modellab.data.convert import MISSING_TEXTS, convert
from modellab.data.feeds import Columns, Mark, feeds_of
from modellab.data.segments import BATCH_ROWS, file_type
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modellab.data.feeds import Job
    from modellab.data.source import Source
    from modellab.data.store import StoreMeta

INDEX_FILE = "index.msgpack"
_KEPT_BLOCKS = 8


class Index(msgspec.Struct, frozen=True):
    """Where the rows of a data set are in its files.

    Attributes
    ----------
    states, options
        Path, size and date of the files; how they are read.
    rows, marks
        First row of every block, and where it begins.
    types
        What a parser of texts should make of each column (`type_named`).
    commas
        Whether the numbers of each column have a decimal comma.
    """

    states: list[tuple[str, int, int]]
    options: dict[str, str]
    rows: list[int]
    marks: list[Mark]
    types: list[str]
    commas: list[bool] = []


def type_named(name: str) -> DataType:
    """Return an Arrow type by the name it gives itself, of those that blocks are parsed as."""
    pa, _ = arrow()
    known = (pa.string(), pa.float64(), pa.timestamp("ns"), pa.timestamp("ns", "UTC"))
    return next((kind for kind in known if str(kind) == name), pa.string())


class StreamedRows:
    """The batches of a data set by number, read from its files.

    Parameters
    ----------
    folder
        Folder of the index.
    meta
        All that is known of the data set.

    Raises
    ------
    DataError
        If a file is gone, or is no longer what it was.
    """

    def __init__(self, folder: Path, meta: StoreMeta) -> None:
        from modellab.data.one_pass import states_of

        pa, _ = arrow()
        raw = (folder / INDEX_FILE).read_bytes()
        self._index = index = msgspec.msgpack.decode(raw, type=Index)
        self._source = _reopened(meta, index)
        if states_of(self._source) != index.states:
            raise DataError(
                f"{quote(meta.name)} changed since it was opened: open it again.",
                detail="the index of its rows is of another state of the file",
            )
        self._feeds = feeds_of(self._source) or []
        self._meta = meta
        self._starts = np.array([*index.rows, meta.n_rows], np.int64)
        self._columns = Columns(
            [type_named(name) for name in index.types],
            MISSING_TEXTS,
            frozenset(k for k, c in enumerate(meta.columns) if c.kind in ("category", "boolean")),
        )
        self._levels = [pa.array(column.levels or [], pa.string()) for column in meta.columns]
        self._schema = pa.schema([(c.name, file_type(c.kind)) for c in meta.columns])
        self._lock = threading.Lock()
        self._blocks: OrderedDict[int, RecordBatch] = OrderedDict()
        self._going: tuple[int, Iterator[Job]] | None = None

    def batch(self, number: int) -> RecordBatch:
        """Return batch `number` as a segment would hold it."""
        pa, _ = arrow()
        start = number * BATCH_ROWS
        stop = min(start + BATCH_ROWS, self._meta.n_rows)
        pieces: list[RecordBatch] = []
        with self._lock:
            block = int(np.searchsorted(self._starts, start, side="right")) - 1
            while start < stop:
                rows = self._block(block)
                inside = start - int(self._starts[block])
                piece = rows.slice(inside, stop - start)
                if len(piece):
                    pieces.append(piece)
                start += len(piece)
                block += 1
        return pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces)

    def _block(self, number: int) -> RecordBatch:
        known = self._blocks.get(number)
        if known is not None:
            self._blocks.move_to_end(number)
            return known
        job = self._job(number)
        rows = self._converted(job)
        if len(rows) != self._starts[number + 1] - self._starts[number]:
            raise DataError(f"{quote(self._meta.name)} changed since it was opened: open it again.")
        self._blocks[number] = rows
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return rows

    def _job(self, number: int) -> Job:
        """Return the job of a block: the next one at once, others after a search in the file."""
        mark = self._index.marks[number]
        if self._going is None or self._going[0] != number:
            self._going = (number, self._feeds[mark.part].jobs(mark, self._columns))
        _, jobs = self._going
        job = next(jobs, None)
        if job is None or job.mark != mark:
            self._going = (number, self._feeds[mark.part].jobs(mark, self._columns))
            job = next(self._going[1], None)
        if job is None:
            raise DataError(f"{quote(self._meta.name)} changed since it was opened: open it again.")
        self._going = (number + 1, self._going[1])
        return job

    def _converted(self, job: Job) -> RecordBatch:
        pa, _ = arrow()
        arrays: list[Array] = []
        settings = zip(self._meta.columns, self._levels, self._index.commas, strict=True)
        for values, (column, levels, comma) in zip(job.run().columns, settings, strict=True):
            done = convert(values, column.kind, levels, comma).values
            arrays.append(done.indices if pa.types.is_dictionary(done.type) else done)
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._blocks.clear()
            self._going = None


def _reopened(meta: StoreMeta, index: Index) -> Source:
    """Open the files as they were read."""
    from modellab.data.opening import open_source
    from modellab.data.reading_source import ToldSource, recoded
    from modellab.experiment_reading import ReadingSpec

    reading = msgspec.convert(meta.reading, ReadingSpec)
    source = open_source([path for path, _, _ in index.states], reading)
    if source.options != index.options:
        source = recoded(source, reading) or source
    return source.source if isinstance(source, ToldSource) else source
