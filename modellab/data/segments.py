"""The files of a store: segments of fixed-size batches, written one by one and mapped on demand.

A segment is an Arrow IPC file of its own, complete once it is closed: what an interrupted import
wrote of them is whole. Categories are stored as bare codes; their values are in ``store.json``.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.arrow import Array, DataType, RecordBatch, arrow
from modellab.data.convert import stored_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from modellab.experiment import Kind

BATCH_ROWS = 65_536
"""Rows of every batch of a store but the last."""
SEGMENT_BYTES = 2**25
"""About how many bytes a segment has; never more than `SEGMENT_BATCHES` batches."""
SEGMENT_BATCHES = 4
_OPEN_SEGMENTS = 4
_CACHED_BYTES = 2**31
"""So much of what was written last stays in the system's file cache."""
_OPEN_BYTES = 2**27
"""Of segments that are mapped, as far as they were read: they count as this process's memory."""


def segment_name(number: int) -> str:
    """File name of a segment."""
    return f"data-{number:05}.arrow"


def file_type(kind: Kind) -> DataType:
    """Arrow type of a kind in a segment: as stored, but categories are codes."""
    pa, _ = arrow()
    return pa.int32() if kind == "category" else stored_type(kind)


def batches_for(kinds: Sequence[Kind]) -> int:
    """Batches of a segment, so that very wide data do not make very large files."""
    row_bytes = max(8 * len(kinds), 1)
    return max(1, min(SEGMENT_BATCHES, SEGMENT_BYTES // (row_bytes * BATCH_ROWS)))


class SegmentWriter:
    """Writes rows into segments.

    Parameters
    ----------
    folder
        Where the segments go.
    names, kinds
        The columns.
    committed
        Rows of the whole segments that are there already.
    on_commit
        Called after each segment is complete, with the number of rows in all of them.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        kinds: Sequence[Kind],
        committed: int = 0,
        on_commit: Callable[[int], None] | None = None,
    ) -> None:
        pa, _ = arrow()
        self._folder = folder
        self.schema = pa.schema(
            [(name, file_type(kind)) for name, kind in zip(names, kinds, strict=True)]
        )
        self.batches = batches_for(kinds)
        # Memory to join pieces in, for numbers, times and codes.
        sizes: dict[Kind, type] = {"number": np.int64, "time": np.int64, "category": np.int32}
        self._places: list[NDArray[Any] | None] = [
            np.empty(BATCH_ROWS, sizes[kind]) if kind in sizes else None for kind in kinds
        ]
        self._on_commit = on_commit
        self._number = committed // (self.batches * BATCH_ROWS)
        self._written = 0
        self._file: Any = None
        self._out: Any = None
        self._waiting: deque[RecordBatch] = deque()
        self._waiting_rows = 0
        self.committed = committed
        self.rows = committed

    def add(self, arrays: Sequence[Array]) -> None:
        """Take rows; whole batches are written at once."""
        pa, _ = arrow()
        batch = pa.RecordBatch.from_arrays(list(arrays), schema=self.schema)
        if not len(batch):
            return
        self._waiting.append(batch)
        self._waiting_rows += len(batch)
        self.rows += len(batch)
        while self._waiting_rows >= BATCH_ROWS:
            self._write(BATCH_ROWS)

    def _write(self, rows: int) -> None:
        pa, _ = arrow()
        taken: list[RecordBatch] = []
        need = rows
        while need:
            front = self._waiting.popleft()
            if len(front) > need:
                self._waiting.appendleft(front.slice(need))
                front = front.slice(0, need)
            taken.append(front)
            need -= len(front)
        self._waiting_rows -= rows
        batch = taken[0] if len(taken) == 1 else self._joined(taken)
        if self._out is None:
            self._file = pa.OSFile(str(self._folder / segment_name(self._number)), "wb")
            self._out = pa.ipc.new_file(self._file, self.schema)
        self._out.write_batch(batch)
        self._written += 1
        if self._written == self.batches or rows < BATCH_ROWS:
            self._commit()

    def _joined(self, pieces: list[RecordBatch]) -> RecordBatch:
        """Pieces as one batch, in memory that is used again and again."""
        pa, _ = arrow()
        columns: list[Array] = []
        for k, field in enumerate(self.schema):
            parts = [piece.column(k) for piece in pieces]
            place = self._places[k]
            if place is None or any(part.null_count for part in parts):
                columns.append(pa.concat_arrays(parts))
                continue
            at = 0
            for part in parts:
                values = np.frombuffer(part.buffers()[1], place.dtype)
                end = at + len(part)
                place[at:end] = values[part.offset : part.offset + len(part)]
                at = end
            buffers = [None, pa.py_buffer(place[:at])]
            columns.append(pa.Array.from_buffers(field.type, at, buffers, 0))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _commit(self) -> None:
        self._close()
        self._number += 1
        self.committed = self.rows - self._waiting_rows
        if self._on_commit is not None:
            self._on_commit(self.committed)

    def _close(self) -> None:
        out, file = self._out, self._file
        self._out = self._file = None
        self._written = 0
        if out is not None:
            out.close()
            file.close()
            self._let_go(self._number)

    def _let_go(self, newest: int) -> None:
        """Take an old segment out of the system's file cache, so that it need not be searched for.

        Else a large store would crowd out all other files, the one that is read among them.
        """
        path = self._folder / segment_name(newest)
        behind = _CACHED_BYTES // max(path.stat().st_size, 1)
        if newest < behind or not hasattr(os, "posix_fadvise"):
            return
        with suppress(OSError):
            file = os.open(self._folder / segment_name(newest - behind), os.O_RDONLY)
            try:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *args: object) -> None:
        if kind is None and self._waiting_rows:
            self._on_commit = None
            self._write(self._waiting_rows)
        # After a failure the files are thrown away: their end must not raise another error.
        with suppress(*([Exception] if kind else [])):
            self._close()


class NoSegments:
    """Counts rows instead of writing them."""

    batches = 1

    def __init__(self) -> None:
        self.rows = 0

    def add(self, arrays: Sequence[Array]) -> None:
        """Count rows."""
        self.rows += len(arrays[0])

    def __enter__(self) -> NoSegments:
        return self

    def __exit__(self, *args: object) -> None:
        pass


class SegmentReader:
    """The batches of a store by number, memory-mapped; only a few segments are mapped at a time.

    Parameters
    ----------
    folder
        Folder of the segments.
    n_rows, batches
        Rows of the store, and batches of every segment but the last.
    """

    def __init__(self, folder: Path, n_rows: int, batches: int) -> None:
        self._folder = folder
        self._per_segment = batches
        self._lock = threading.Lock()
        self._open: OrderedDict[int, Any] = OrderedDict()
        self._most = _OPEN_SEGMENTS
        count = -(-n_rows // BATCH_ROWS)
        self.segments = -(-count // batches)
        # A file that is not there or was cut off is noticed now, not in the middle of a replay.
        for number in range(self.segments):
            with self._mapped(number) as reader:
                whole = reader.num_record_batches
            if number == 0:
                size = (folder / segment_name(number)).stat().st_size
                self._most = max(2, min(_OPEN_SEGMENTS, _OPEN_BYTES // max(size, 1)))
            if whole != min(batches, count - number * batches):
                pa, _ = arrow()
                raise pa.ArrowInvalid(f"{segment_name(number)} is not complete")

    def _mapped(self, number: int) -> Any:
        pa, _ = arrow()
        return pa.ipc.open_file(pa.memory_map(str(self._folder / segment_name(number)), "r"))

    def batch(self, number: int) -> RecordBatch:
        """Return batch `number` as it is in its file."""
        segment, inside = divmod(number, self._per_segment)
        with self._lock:
            reader = self._open.get(segment)
            if reader is None:
                reader = self._open[segment] = self._mapped(segment)
                if len(self._open) > self._most:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(segment)
            return reader.get_batch(inside)

    def close(self) -> None:
        """Let go of the files; batches that were read stay valid."""
        with self._lock:
            self._open.clear()
