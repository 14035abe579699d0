"""Files as blocks that can be parsed beside each other, and found again by where they begin."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from operator import add
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from modellab.data.arrow import Array, DataType, RecordBatch, arrow
from modellab.data.csv_records import Block, LineTooLong, cut_blocks
from modellab.data.csv_source import NOT_UTF8, CsvSource
from modellab.data.opening import JoinedSource
from modellab.data.packed_source import PackedError
from modellab.data.parquet_source import ParquetSource
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modellab.data.source import BadRow, Source
    from modellab.data.takers import Taker

CSV_BLOCK = 2**22
ROWS = 65_536
WHOLE_GROUP_BYTES = 2**26
"""Row groups up to so many bytes are read whole, several beside each other."""


class Mark(msgspec.Struct, frozen=True):
    """Where a block begins.

    Attributes
    ----------
    part
        File, of several.
    at
        Byte of the text, or row of the file.
    line
        Line of the text, from 1.
    """

    part: int = 0
    at: int = 0
    line: int = 0


@dataclass
class Piece:
    """Rows of one file, parsed.

    Attributes
    ----------
    file, line_of
        Where the rows come from.
    columns
        Their values.
    bad
        Rows that could not be read.
    words, zeros
        Of columns that were parsed as numbers or times: how many values are words for missing
        ones, and in which some number is written like 007.
    """

    file: str
    line_of: Callable[[int], int]
    columns: list[Array]
    bad: list[BadRow] = field(default_factory=list)
    words: dict[int, int] = field(default_factory=dict)
    zeros: set[int] = field(default_factory=set)

    @property
    def undecodable(self) -> int:
        """Rows that are no UTF-8."""
        return sum(row.reason == NOT_UTF8 for row in self.bad)


@dataclass(frozen=True)
class Job:
    """A block to be parsed, on any thread.

    Attributes
    ----------
    mark
        Where it begins.
    run, careful
        Parse it; parse it as texts, where typed values do not tell enough.
    done
        Bytes of its file up to its end.
    """

    mark: Mark
    run: Callable[[], Piece]
    careful: Callable[[], Piece]
    done: float


class Feed(Protocol):
    """The blocks of one file."""

    def jobs(self, start: Mark | None, columns: Columns) -> Iterator[Job]:
        """Yield the blocks in order, from the beginning or from the mark of one."""
        ...

    def verify(self) -> None:
        """Raise `DataError` if the file is no longer the same."""
        ...


@dataclass(frozen=True)
class Columns:
    """How columns are wanted: types for a parser of texts, which texts are missing values.

    `coded`: columns whose different values are looked at once.
    """

    types: Sequence[DataType]
    missing: Sequence[str]
    coded: frozenset[int] = frozenset()

    @classmethod
    def of(cls, takers: Sequence[Taker], missing: Sequence[str]) -> Columns:
        """As takers want them."""
        from modellab.data.takers import WordTaker

        coded = frozenset(k for k, taker in enumerate(takers) if isinstance(taker, WordTaker))
        return cls([taker.parsed_type for taker in takers], missing, coded)


def feeds_of(source: Source, any_letters: bool = False) -> list[Feed] | None:
    """Return the feeds of a source; None if it can only be read from its beginning.

    `any_letters`: delimited text that is rewritten on its way in has feeds, too; slower ones.
    """
    if isinstance(source, JoinedSource):
        names = [column.name for column in source.columns]
        types = [column.type for column in source.columns]
        found: list[Feed] = []
        for number, part in enumerate(source.parts):
            same = [c.name for c in part.columns] == names and [
                c.type for c in part.columns
            ] == types
            feed = _feed(part, number, any_letters) if same else None
            if feed is None:
                return None
            found.append(feed)
        return found
    feed = _feed(source, 0, any_letters)
    return None if feed is None else [feed]


def _feed(source: Source, part: int, any_letters: bool) -> Feed | None:
    if isinstance(source, CsvSource) and (source.as_it_stands or any_letters):
        return CsvFeed(source, part)
    if isinstance(source, ParquetSource):
        return ParquetFeed(source, part)
    return None


class CsvFeed:
    """The blocks of a delimited text: typed by Arrow's parser, as texts where that fails."""

    def __init__(self, source: CsvSource, part: int) -> None:
        self.source = source
        self._part = part
        self.verify = source.verify

    def jobs(self, start: Mark | None, columns: Columns) -> Iterator[Job]:
        """Yield the blocks of the text."""
        source, layout = self.source, self.source.layout
        source.verify()
        line = start.line if start else source.first_line()
        try:
            with source.file.open() as stream:
                at = start.at if start else layout.skip_bytes
                if start:
                    stream.skip(at)
                else:
                    stream.read_fully(at)
                delimiter, comment = layout.delimiter.encode(), layout.comment.encode()
                read = partial(_with_newlines, stream.read) if layout.return_ends else stream.read
                cut = cut_blocks(read, delimiter, len(source.columns), line, CSV_BLOCK, comment)
                for block in cut:
                    line = block.first_line
                    mark = Mark(self._part, at, line)
                    at += block.size
                    yield Job(
                        mark,
                        partial(self._load, block, columns),
                        partial(self.texts, block),
                        stream.tell(),
                    )
                    # At once: a file that grows while it is read would never end.
                    source.verify()
        except LineTooLong as error:
            raise DataError(
                f"{quote(source.name)} is not a table: line {error.line:,} is longer than 64 MB."
            ) from error
        except (PackedError, OSError) as error:
            source.verify()
            raise source.file.broken(error, line) from error
        source.verify()

    def _load(self, block: Block, columns: Columns) -> Piece:
        from modellab.data.csv_typed import typed

        if not self.source.as_it_stands:
            return self.texts(block)
        found = typed(block, self.source.layout.delimiter, columns)
        if found is not None:
            arrays, words, zeros = found
            line_of = _LineOf(self.source, block)
            return Piece(self.source.name, line_of, arrays, words=words, zeros=zeros)
        return self.texts(block)

    def texts(self, block: Block) -> Piece:
        """Return a block's rows as texts."""
        bad: list[BadRow] = []
        chunk = self.source.parse(block, bad.append)
        return Piece(chunk.file, chunk.line_of, chunk.batch.columns, bad)


def _with_newlines(read: Callable[[int], bytes], size: int) -> bytes:
    return read(size).replace(b"\r", b"\n")


class _LineOf:
    """Line of a row, worked out when the first is asked for."""

    def __init__(self, source: CsvSource, block: Block) -> None:
        self._source, self._block = source, block
        self._of: Callable[[int], int] | None = None

    def __call__(self, row: int) -> int:
        if self._of is None:
            self._of = self._source.parse(self._block, lambda _: None).line_of
        return self._of(row)


class ParquetFeed:
    """The rows of a Parquet file, row groups after one another."""

    def __init__(self, source: ParquetSource, part: int) -> None:
        self.source = source
        self._part = part
        self.verify = source.verify

    def jobs(self, start: Mark | None, columns: Columns) -> Iterator[Job]:
        """Yield the blocks of the file: row groups, or batches of those that are large."""
        pa, _ = arrow()

        source = self.source
        source.verify()
        coded = [
            source.columns[k].name
            for k in sorted(columns.coded)
            if not pa.types.is_dictionary(source.columns[k].type)
        ]
        done = 0
        try:
            handles = _Handles(source, coded)
            for groups, rows, size in _groups(handles.metadata):
                if start and done + rows <= start.at:
                    done += rows
                    continue
                if max(8 * rows * len(source.kept), size) <= WHOLE_GROUP_BYTES:
                    load = partial(self._group, handles, groups, done)
                    share = (done + rows) / max(source.n_rows, 1)
                    yield Job(Mark(self._part, done), load, load, source.size_bytes * share)
                    done += rows
                    source.verify()
                    continue
                # All threads at the columns of one batch.
                for batch in handles.get().iter_batches(ROWS, row_groups=groups):
                    if not start or done >= start.at:
                        share = (done + len(batch)) / max(source.n_rows, 1)
                        load = partial(self._load, batch, done)
                        mark = Mark(self._part, done)
                        yield Job(mark, load, load, source.size_bytes * share)
                        source.verify()
                    done += len(batch)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise self._damaged(done, error) from error
        source.verify()

    def _group(self, handles: _Handles, groups: list[int], before: int) -> Piece:
        """Read row groups as they are, beside others."""
        pa, _ = arrow()
        try:
            table = handles.get().read_row_groups(groups, use_threads=False)
            arrays = [_one(column) for column in table.columns]
            batch = pa.RecordBatch.from_arrays(arrays, names=table.schema.names)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise self._damaged(before, error) from error
        return self._load(batch, before)

    def _damaged(self, done: int, error: Exception) -> DataError:
        self.source.verify()
        return DataError(
            f"{quote(self.source.name)} is damaged: it cannot be read beyond row {done:,}.",
            detail=str(error),
        )

    def _load(self, batch: RecordBatch, before: int) -> Piece:
        pa, _ = arrow()
        try:
            # Cheap beside reading; damaged texts would fail far from here.
            batch.validate(full=True)
        except (pa.ArrowException, ValueError) as error:
            raise self._damaged(before, error) from error
        columns = [batch.column(position) for position in self.source.kept]
        return Piece(self.source.name, partial(add, before + 1), columns)


class _Handles:
    """A Parquet file opened once for each thread that reads it."""

    def __init__(self, source: ParquetSource, coded: list[str]) -> None:
        self._path = source.path
        self._coded = coded
        self._local = threading.local()
        self.metadata: Any = None
        self.metadata = self.get().metadata

    def get(self) -> Any:
        """Return this thread's."""
        file = getattr(self._local, "file", None)
        if file is None:
            import pyarrow.parquet as pq

            # Without pre_buffer a full pass stays at one row group's memory.
            file = self._local.file = pq.ParquetFile(
                self._path, pre_buffer=False, read_dictionary=self._coded, metadata=self.metadata
            )
        return file


def _one(column: Any) -> Array:
    """A column's values in one piece."""
    pa, pc = arrow()
    if column.num_chunks == 1:
        return column.chunk(0)
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        # More text than 32 bits can count.
        whole = pc.cast(column, pa.large_string()).combine_chunks()
    return whole


def _groups(metadata: Any) -> Iterator[tuple[list[int], int, int]]:
    """Row groups to be read together (small ones until they make a batch), their rows and bytes."""
    groups: list[int] = []
    rows = size = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        groups.append(number)
        rows += group.num_rows
        size += group.total_byte_size
        if rows >= ROWS:
            yield groups, rows, size
            groups, rows, size = [], 0, 0
    if groups:
        yield groups, rows, size
