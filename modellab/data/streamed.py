"""Rows straight from the files, where the disk has no room for a stored copy of them.

The first pass leaves an index: where in the files each block of rows begins. Any rows are found
again by it, and converted as they would have been stored: the same rows, to the bit.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from modellab.data.arrow import Array, DataType, RecordBatch, arrow
from modellab.data.convert import MISSING_TEXTS, ONLY_EMPTY, convert
from modellab.data.feeds import Columns, Job, Mark, Piece, feeds_of
from modellab.data.places import split_inner
from modellab.data.reading_source import ToldSource
from modellab.data.segments import BATCH_ROWS, file_type
from modellab.data.source import BadRowSink, Chunk, FileState, ReadProgress, no_progress
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modellab.data.feeds import Feed
    from modellab.data.source import BadRow, Source
    from modellab.data.store import StoreMeta

INDEX_FILE = "index.msgpack"
_ASKED_FILE = "asked.json"
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


class _ChunkFeed:
    """The rows of a source of any format, which can only be read from its beginning.

    Reading on is as fast as ever; to go back, the file is read again up to there.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def jobs(self, start: Mark | None, columns: Columns) -> Iterator[Job]:
        """Yield the chunks of the source in order."""
        bad: list[BadRow] = []
        so_far = 0.0

        def note(done: float, total: float, text: str = "") -> None:  # noqa: ARG001
            nonlocal so_far
            so_far = done

        row = 0
        last: Piece | None = None
        for chunk in self._source.chunks(bad.append, note):
            last = piece = Piece(chunk.file, chunk.line_of, chunk.batch.columns, list(bad))
            if start is None or row >= start.at:
                yield Job(Mark(0, row), partial(_same, piece), partial(_same, piece), so_far)
            bad.clear()
            row += len(chunk.batch)
        if bad and last is not None:
            # They may be the last of a file.
            none = [column.slice(0, 0) for column in last.columns]
            piece = Piece(bad[0].file, last.line_of, none, list(bad))
            yield Job(Mark(0, row), partial(_same, piece), partial(_same, piece), so_far)

    def verify(self) -> None:
        """Do nothing: the source looks itself."""


def _same(piece: Piece) -> Piece:
    return piece


def _feeds(source: Source) -> list[Feed]:
    plain = source.source if isinstance(source, ToldSource) else source
    return feeds_of(plain, any_letters=True) or [_ChunkFeed(plain)]


def states_of(source: Source) -> list[tuple[str, int, int]]:
    """Path (with the part of the file that is meant), size and date of a source's files."""
    found = [(path, FileState.of(split_inner(path)[0])) for path in source.paths]
    return [(str(path.absolute()), s.size, s.modified_ns) for path, s in found]


def note_asked(folder: Path, paths: str | Path | Sequence[str | Path]) -> None:
    """Keep beside an index how its files were named: a folder may say more than its files."""
    wanted = [paths] if isinstance(paths, str | Path) else list(paths)
    here = Path.cwd()
    # Not tidied up: there may be a query in it.
    asked = [os.path.join(here, os.path.expanduser(os.fspath(p))) for p in wanted]  # noqa: PTH111, PTH118
    (folder / _ASKED_FILE).write_bytes(msgspec.json.encode(asked))


class IndexedSource:
    """A source that notes where its rows are, whatever is done to them on their way in.

    Parameters
    ----------
    source
        Read by its blocks, texts as texts.

    Notes
    -----
    Where nothing is rewritten and all kinds follow from the file, `one_pass.read_once` gives the
    index, and is faster.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.format, self.paths = source.name, source.format, source.paths
        self.size_bytes, self.fingerprint = source.size_bytes, source.fingerprint
        self.columns, self.warnings = source.columns, source.warnings
        self.options = source.options
        self._marks: list[tuple[int, Mark]] = []

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows of the source."""
        pa, _ = arrow()
        names = [column.name for column in self.columns]
        columns = Columns([pa.string()] * len(names), MISSING_TEXTS)
        sizes = [size for _, size, _ in states_of(self)]
        marks: list[tuple[int, Mark]] = []
        row = 0
        for feed in _feeds(self._source):
            for job in feed.jobs(None, columns):
                piece = job.careful()
                if on_bad is not None:
                    for bad in piece.bad:
                        on_bad(bad)
                batch = pa.RecordBatch.from_arrays(piece.columns, names=names)
                if isinstance(self._source, ToldSource):
                    batch = self._source.rewritten(batch)
                if len(batch):
                    marks.append((row, job.mark))
                row += len(batch)
                yield Chunk(batch, piece.file, piece.line_of)
                progress(float(sum(sizes[: job.mark.part])) + job.done, float(self.size_bytes))
            feed.verify()
        self._marks = marks

    def index(self) -> Index:
        """Return where the rows are; they were read to their end before."""
        return Index(
            states=states_of(self),
            options=self.options,
            rows=[row for row, _ in self._marks],
            marks=[mark for _, mark in self._marks],
            types=[""] * len(self.columns),
        )


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
        pa, _ = arrow()
        raw = (folder / INDEX_FILE).read_bytes()
        self._index = index = msgspec.msgpack.decode(raw, type=Index)
        self._source = _reopened(folder, meta, index)
        if states_of(self._source) != index.states:
            raise DataError(
                f"{quote(meta.name)} changed since it was opened: open it again.",
                detail="the index of its rows is of another state of the file",
            )
        self._feeds = _feeds(self._source)
        self._missing = ONLY_EMPTY if meta.own_missing else MISSING_TEXTS
        told = isinstance(self._source, ToldSource) and self._source.rewrites
        self._meta = meta
        self._starts = np.array([*index.rows, meta.n_rows], np.int64)
        self._columns = Columns(
            [type_named(name) for name in index.types],
            self._missing,
            frozenset()
            if told
            else frozenset(
                k for k, c in enumerate(meta.columns) if c.kind in ("category", "boolean")
            ),
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
        given = job.run().columns
        if isinstance(self._source, ToldSource):
            names = [column.name for column in self._meta.columns]
            batch = pa.RecordBatch.from_arrays(given, names=names)
            given = self._source.rewritten(batch).columns
        settings = zip(self._meta.columns, self._levels, self._index.commas, strict=True)
        for values, (column, levels, comma) in zip(given, settings, strict=True):
            done = convert(values, column.kind, levels, comma, missing=self._missing).values
            arrays.append(done.indices if pa.types.is_dictionary(done.type) else done)
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._blocks.clear()
            self._going = None


def _reopened(folder: Path, meta: StoreMeta, index: Index) -> Source:
    """Open the files as they were read."""
    from modellab.data.opening import open_source
    from modellab.data.reading_source import recoded
    from modellab.experiment_reading import ReadingSpec

    reading = msgspec.convert(meta.reading, ReadingSpec)
    asked = msgspec.json.decode((folder / _ASKED_FILE).read_bytes(), type=list[str])
    source = open_source(asked, reading)
    if source.options != index.options:
        source = recoded(source, reading) or source
    return source
