"""Delimited text as chunks of texts in bounded memory; bad rows are set aside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from modellab.data.arrow import arrow
from modellab.data.csv_letters import Letters
from modellab.data.csv_records import Block, cut_blocks, one_by_one, ragged_reason
from modellab.data.csv_sniff import DELIMITERS, SNIFF_BYTES, Layout, Told, sniff
from modellab.data.packed_source import TextFile, TextStream, encoding_of
from modellab.data.source import BadRowSink, Chunk, SourceColumn, unique_names
from modellab.data.text_source import (
    KEPT_TEXT,
    NOT_UTF8,
    Cursor,
    TextSource,
    bad_row,
    undecodable,
)
from modellab.errors import quote
from modellab.experiment_reading import ReadingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["KEPT_TEXT", "NOT_UTF8", "CsvSource"]

_MARK = b"\xef\xbb\xbf"


class CsvSource(TextSource):
    """One delimited text file, packed or not.

    Parameters
    ----------
    file
        The file.
    encoding
        A codec's name (``"cp1252"`` for a file that turned out not to be UTF-8); None: UTF-8, or
        UTF-16 and UTF-32 where the first bytes say so.
    reading
        What the person said about how it is written.

    Raises
    ------
    DataError
        If the layout cannot be read.
    """

    format = "CSV"

    def __init__(
        self,
        file: TextFile | Path,
        encoding: str | None = None,
        reading: ReadingSpec | None = None,
    ) -> None:
        super().__init__(file)
        self.reading = reading = reading or ReadingSpec()
        encoding = reading.codec or encoding
        if encoding is not None:
            self.file = self.file.encoded(encoding)
        elif self.file.encoding == "utf-8":
            self.file = self.file.encoded(encoding_of(self.file.head(4096)))
        self.encoding = self.file.encoding
        self._letters = Letters(reading.separator, '"' if reading.mark is None else reading.mark)
        self.file = replace(self.file, letters=self._letters)
        head = self.file.head(SNIFF_BYTES)
        tabs = self.file.ending in (".tsv", ".tab")
        comment = None if reading.comment is None else self._letters.to_read(reading.comment)
        told = Told(self._letters.between, comment, reading.header)
        self.layout: Layout = sniff(head, tabs, whole=len(head) < SNIFF_BYTES, told=told)
        self.layout = replace(
            self.layout, names=[self._letters.back(name) for name in self.layout.names]
        )
        names, self.warnings = unique_names(self.layout.names, self.name)
        if self.path.suffix.lower() in (".parquet", ".pq"):
            self.warnings.append(f"{quote(self.name)} is not Parquet but text: it is read as CSV.")
        if not self.layout.has_header:
            self.warnings.append(
                f"{quote(self.name)} has no header: its columns are called column_1 to "
                f"column_{len(names)}."
            )
        if self.layout.row_names:
            self.warnings.append(
                f"The header of {quote(self.name)} has one name fewer than its rows have cells: "
                "the first column is taken as the names of the rows."
            )
        if self.encoding == "cp1252" and reading.encoding is None:
            self.warnings.append(
                f"{quote(self.name)} is not UTF-8: it is read as Windows-1252 (Western European)."
            )
        if self.layout.comment and reading.comment is None:
            self.warnings.append(
                f"Lines of {quote(self.name)} that begin with {self.layout.comment} are taken as "
                "comments."
            )
        self.columns = [SourceColumn(name) for name in names]
        self.options = {
            "delimiter": self._letters.delimiter or self.layout.delimiter,
            "header": str(self.layout.has_header),
            "encoding": self.encoding,
        }
        if self.layout.comment:
            self.options["comment"] = self.layout.comment

    @property
    def delimiter_name(self) -> str:
        """The delimiter in words."""
        return DELIMITERS.get(self.layout.delimiter, quote(self.options["delimiter"]))

    @property
    def as_it_stands(self) -> bool:
        """Whether the file's letters need no rewriting before they are read."""
        return self._letters.plain and not self.layout.return_ends

    def first_line(self) -> int:
        """Line of the file where the rows begin, from 1."""
        return self._first_line()

    def verify(self) -> None:
        """Raise `DataError` if the file is gone or no longer the same."""
        self._state.verify()

    def with_encoding(self, encoding: str) -> CsvSource | None:
        """Return the same file read in another encoding; None if the person chose one."""
        if self.reading.encoding is not None:
            return None
        return CsvSource(self.file, encoding, self.reading)

    def _first_line(self) -> int:
        return self.layout.skip_lines + 1

    def _pieces(self, stream: TextStream, on_bad: BadRowSink, at: Cursor) -> Iterator[Chunk]:
        layout = self.layout

        def read(size: int) -> bytes:
            piece = stream.read(size)
            return piece.replace(b"\r", b"\n") if layout.return_ends else piece

        stream.read_fully(layout.skip_bytes)
        delimiter, comment = layout.delimiter.encode(), layout.comment.encode()
        for block in cut_blocks(read, delimiter, len(self.columns), at.line, comment=comment):
            at.line = block.first_line
            yield self.parse(block, on_bad)

    def parse(self, block: Block, on_bad: BadRowSink) -> Chunk:
        """Return a block's rows as texts; those that cannot be read go to `on_bad`."""
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
            text = self._letters.back(text)
            on_bad(bad_row(self.name, lines.of_record(number), reason, text))
        names = [column.name for column in self.columns]
        columns = [self._letters.cells_back(column.combine_chunks()) for column in table.columns]
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
                joined = self.layout.delimiter.encode().join(cells)
                bad.append((line, undecodable(self.encoding), joined))
        for line, reason, raw in sorted(bad):
            text = self._letters.back(raw.decode("utf-8", "replace"))
            on_bad(bad_row(self.name, line, reason, text))
        names = [column.name for column in self.columns]
        columns = zip(*rows, strict=True) if rows else ([] for _ in names)
        arrays = [self._letters.cells_back(pa.array(list(c), pa.string())) for c in columns]
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
