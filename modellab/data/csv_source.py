"""CSV files, plain or gzip, as chunks of texts in bounded memory; bad rows are set aside."""

from __future__ import annotations

import gzip
import zlib
from typing import IO, TYPE_CHECKING, Literal, cast

from modellab.data.arrow import arrow
from modellab.data.csv_records import (
    Block,
    LineTooLong,
    cut_blocks,
    one_by_one,
    ragged_reason,
)
from modellab.data.csv_sniff import DELIMITERS, SNIFF_BYTES, Layout, sniff
from modellab.data.source import (
    BadRow,
    BadRowSink,
    Chunk,
    FileState,
    ReadProgress,
    SourceColumn,
    cannot_read,
    fingerprint_of,
    no_progress,
    unique_names,
)
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT_TEXT = 2000
"""Characters of a bad row that are kept."""
_MARK = b"\xef\xbb\xbf"
NOT_UTF8 = "bytes that are not UTF-8 text"


class CsvSource:
    """One CSV file: UTF-8 (or, if asked, Windows-1252) text, plain or gzip.

    Parameters
    ----------
    path
        The file.
    packed
        Whether it is gzip.
    encoding
        ``"utf-8"``, or ``"cp1252"`` for a file that turned out not to be UTF-8.

    Raises
    ------
    DataError
        If the layout cannot be read, or the file holds a header and nothing else.
    """

    format = "CSV"

    def __init__(self, path: Path, packed: bool = False, encoding: str = "utf-8") -> None:
        self.path = path
        self.paths = [path]
        self.name = path.name
        self.packed = packed
        self.encoding = encoding
        self._state = FileState.of(path)
        self.size_bytes = self._state.size
        head = self._head()
        tabs = path.name.lower().removesuffix(".gz").endswith((".tsv", ".tab"))
        self.layout: Layout = sniff(head, tabs, whole=len(head) < SNIFF_BYTES)
        names, self.warnings = unique_names(self.layout.names, path.name)
        if path.suffix.lower() in (".parquet", ".pq"):
            self.warnings.append(f"{quote(path.name)} is not Parquet but text: it is read as CSV.")
        if not self.layout.has_header:
            self.warnings.append(
                f"{quote(path.name)} has no header: its columns are called column_1 to "
                f"column_{len(names)}."
            )
        if self.layout.row_names:
            self.warnings.append(
                f"The header of {quote(path.name)} has one name fewer than its rows have cells: "
                "the first column is taken as the names of the rows."
            )
        if encoding != "utf-8":
            self.warnings.append(
                f"{quote(path.name)} is not UTF-8: it is read as Windows-1252 (Western European)."
            )
        self.columns = [SourceColumn(name) for name in names]
        self.options = {
            "delimiter": self.layout.delimiter,
            "header": str(self.layout.has_header),
            "encoding": encoding,
        }
        self.fingerprint = fingerprint_of(path)

    @property
    def delimiter_name(self) -> str:
        """The delimiter in words."""
        return DELIMITERS[self.layout.delimiter]

    def with_encoding(self, encoding: str) -> CsvSource:
        """Return the same file read in another encoding."""
        return CsvSource(self.path, self.packed, encoding)

    def _head(self) -> bytes:
        try:
            with self.path.open("rb") as raw, self._unpack(raw) as stream:
                head = stream.read(SNIFF_BYTES)
        except (EOFError, zlib.error, OSError) as error:
            raise self._broken(error, 0) from error
        return self._recoded(head)

    def _unpack(self, raw: IO[bytes]) -> IO[bytes]:
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if self.packed else raw

    def _recoded(self, data: bytes) -> bytes:
        if self.encoding != "utf-8":
            # Each byte is a character; the five that Windows-1252 leaves open are as in Latin-1.
            table = [bytes([b]).decode("cp1252", "replace") for b in range(256)]
            table = [chr(b) if c == "\ufffd" else c for b, c in enumerate(table)]
            data = data.decode("latin-1").translate(dict(enumerate(table))).encode()
        return data

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows in order as texts, some ten thousand at a time."""
        self._state.verify()
        layout = self.layout
        line = layout.skip_lines + 1
        try:
            with self.path.open("rb") as raw, self._unpack(raw) as stream:

                def read(size: int) -> bytes:
                    piece = self._recoded(stream.read(size))
                    return piece.replace(b"\r", b"\n") if layout.return_ends else piece

                self._skip(stream, layout.skip_bytes)
                blocks = cut_blocks(read, layout.delimiter.encode(), len(self.columns), line)
                for block in blocks:
                    line = block.first_line
                    chunk = self._parse(block, on_bad or _ignore)
                    if len(chunk.batch):
                        yield chunk
                    # At once: a file that grows while it is read would never end.
                    self._state.verify()
                    progress(min(raw.tell(), self.size_bytes), self.size_bytes)
        except LineTooLong as error:
            raise DataError(
                f"{quote(self.name)} is not a table: line {error.line:,} is longer than 64 MB."
            ) from error
        except (EOFError, zlib.error, OSError) as error:
            self._state.verify()
            raise self._broken(error, line) from error
        self._state.verify()

    def _skip(self, stream: IO[bytes], count: int) -> None:
        # In recoded text the header may be longer than in the file: skip by lines there.
        if self.encoding == "utf-8":
            stream.read(count)
            return
        taken = b""
        while len(self._recoded(taken)) < count:
            taken += stream.read(1)

    def _broken(self, error: Exception, line: int) -> DataError:
        if self.packed and not (isinstance(error, OSError) and error.errno):
            where = f" after line {line:,}" if line else ""
            return DataError(
                f"{quote(self.name)} is a damaged gzip file: it breaks off{where}. "
                "Perhaps it was not copied to its end.",
                detail=str(error),
            )
        assert isinstance(error, OSError)
        return cannot_read(self.path, error)

    def _parse(self, block: Block, on_bad: BadRowSink) -> Chunk:
        if block.rows is not None:
            return self._from_rows(block, on_bad)
        pa, _ = arrow()
        from pyarrow import csv

        keys = [f"c{k}" for k in range(len(self.columns))]
        ragged: list[tuple[int, str, str]] = []

        def set_aside(row: csv.InvalidRow) -> Literal["skip"]:
            reason = ragged_reason(row.expected_columns, row.actual_columns)
            ragged.append((int(row.number or 1) - 1, reason, row.text))
            return "skip"

        if not block.data.strip(b"\r\n"):
            return self._from_rows(Block(b"", block.first_line, rows=[]), on_bad)
        if self._needs_care(block.data):
            delimiter = self.layout.delimiter.encode()
            rows, _ = one_by_one(
                block.data, delimiter, len(keys), block.first_line, True, trusted=True
            )
            return self._from_rows(rows, on_bad)
        table = csv.read_csv(
            pa.BufferReader(block.data),
            read_options=csv.ReadOptions(
                column_names=keys, use_threads=False, block_size=len(block.data) + 1
            ),
            parse_options=csv.ParseOptions(
                delimiter=self.layout.delimiter,
                quote_char='"' if block.quoted else False,
                newlines_in_values=block.quoted,
                invalid_row_handler=set_aside,
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.string()), strings_can_be_null=False
            ),
        )
        lines = _Lines(block, [number for number, _, _ in ragged])
        for number, reason, text in ragged:
            on_bad(BadRow(self.name, lines.of_record(number), reason, text[:KEPT_TEXT]))
        names = [column.name for column in self.columns]
        columns = [column.combine_chunks() for column in table.columns]
        return Chunk(pa.RecordBatch.from_arrays(columns, names=names), self.name, lines)

    @staticmethod
    def _needs_care(data: bytes) -> bool:
        """Whether Arrow's parser would fail at this text, or lose something of it.

        It takes a byte order mark at the start of any block for one of the file's, and cannot show
        a ragged row that is not UTF-8.
        """
        pa, _ = arrow()
        if data.startswith(_MARK):
            return True
        try:
            pa.array([data], pa.large_binary()).cast(pa.large_string())
        except pa.ArrowInvalid:
            return True
        return False

    def _from_rows(self, block: Block, on_bad: BadRowSink) -> Chunk:
        pa, _ = arrow()

        bad = list(block.bad)
        rows: list[list[str]] = []
        lines: list[int] = []
        for cells, line in zip(block.rows or [], block.lines, strict=True):
            try:
                rows.append([cell.decode() for cell in cells])
                lines.append(line)
            except UnicodeDecodeError:
                bad.append((line, NOT_UTF8, self.layout.delimiter.encode().join(cells)))
        for line, reason, text in sorted(bad):
            on_bad(BadRow(self.name, line, reason, text.decode("utf-8", "replace")[:KEPT_TEXT]))
        names = [column.name for column in self.columns]
        columns = zip(*rows, strict=True) if rows else ([] for _ in names)
        arrays = [pa.array(list(column), pa.string()) for column in columns]
        return Chunk(pa.RecordBatch.from_arrays(arrays, names=names), self.name, lines.__getitem__)


class _Lines:
    """Line of every row of a well-formed block, worked out only when asked for."""

    def __init__(self, block: Block, dropped: list[int]) -> None:
        self._block = block
        self._dropped = dropped
        self._records: list[int] | None = None
        self._rows: list[int] = []

    def of_record(self, number: int) -> int:
        """Line of record `number`, counting the dropped ones."""
        self._work_out()
        assert self._records is not None
        return self._records[number]

    def __call__(self, row: int) -> int:
        self._work_out()
        return self._rows[row]

    def _work_out(self) -> None:
        if self._records is None:
            self._records = self._block.record_lines()
            gone = set(self._dropped)
            self._rows = [line for k, line in enumerate(self._records) if k not in gone]


def _ignore(row: BadRow) -> None:
    """Leave a bad row out (it is reported in another pass)."""
