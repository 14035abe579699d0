"""JSON lines, and one JSON array of objects, as chunks of texts in bounded memory.

Numbers keep the digits of the file. Objects inside of rows become columns with a dotted name, lists
become texts.
"""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

from modellab.data.csv_records import MAX_LINE
from modellab.data.packed_source import PackedError, TextFile, TextStream
from modellab.data.source import BadRowSink, Chunk, SourceColumn, unique_names
from modellab.data.text_source import (
    BLOCK_BYTES,
    NOT_UTF8,
    Cursor,
    TextSource,
    bad_row,
    ignore_bad,
    texts_chunk,
    whole_lines,
)
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SCAN_BYTES = 2**24
"""Columns are collected from so much of the file; later ones are left out, with a warning."""
MAX_COLUMNS = 10_000
MAX_DEPTH = 8
"""Objects nested deeper stay texts."""
_ARRAY_ROWS = 10_000

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_BAD_JSON = (ValueError, RecursionError)


def _flat(row: dict[str, Any], into: dict[str, str | None], before: str, depth: int) -> None:
    for key, value in row.items():
        name = before + key
        if type(value) is str and value.isascii():
            into[name] = value  # most values by far
        elif isinstance(value, dict) and value and depth < MAX_DEPTH:
            _flat(value, into, name + ".", depth + 1)
        else:
            into[name] = _text(value)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value if value is None else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


class _JsonSource(TextSource):
    """The columns, and rows into chunks; a subclass finds the objects."""

    def __init__(self, file: TextFile | Path) -> None:
        super().__init__(file)
        self._keys: dict[str, int] = {}
        self._told: set[str] = set()
        self._scan()
        if not self._keys:
            raise DataError(f"{quote(self.name)} holds no JSON object with a value: no row.")
        if len(self._keys) > MAX_COLUMNS:
            raise DataError(
                f"{quote(self.name)} has more than {MAX_COLUMNS:,} different keys, which cannot be "
                "columns: save it with the keys as values."
            )
        names, changed = unique_names(list(self._keys), self.name)
        self.warnings += changed
        self.columns = [SourceColumn(name) for name in names]

    def _rows(
        self, stream: TextStream, on_bad: BadRowSink, at: Cursor
    ) -> Iterator[list[tuple[int, dict[str, Any]]]]:
        """Yield blocks of rows with their lines."""
        raise NotImplementedError

    def _scan(self) -> None:
        at = Cursor(1)
        try:
            with self.file.open() as stream:
                used = 0
                for block in self._rows(stream, ignore_bad, at):
                    for _, row in block:
                        flat: dict[str, str | None] = {}
                        _flat(row, flat, "", 1)
                        for key in flat:
                            self._keys.setdefault(key, len(self._keys))
                        if len(self._keys) > MAX_COLUMNS:
                            return
                    used = max(used + BLOCK_BYTES, stream.tell())
                    if used >= SCAN_BYTES:
                        return
        except (PackedError, OSError) as error:
            if not self._keys:
                raise self.file.broken(error, at.line) from error

    def _pieces(self, stream: TextStream, on_bad: BadRowSink, at: Cursor) -> Iterator[Chunk]:
        names = [column.name for column in self.columns]
        for block in self._rows(stream, on_bad, at):
            yield texts_chunk(names, *self._columns_of(block))

    def _columns_of(
        self, block: list[tuple[int, dict[str, Any]]]
    ) -> tuple[Sequence[Sequence[str | None]], str, list[int]]:
        columns: list[list[str | None]] = [[None] * len(block) for _ in self._keys]
        for k, (line, row) in enumerate(block):
            flat: dict[str, str | None] = {}
            _flat(row, flat, "", 1)
            for key, value in flat.items():
                place = self._keys.get(key)
                if place is not None:
                    columns[place][k] = value
                elif key not in self._told and len(self._told) < 100:
                    self._told.add(key)
                    self.warnings.append(
                        f"The key {quote(key)} comes up for the first time in line {line:,} of "
                        f"{quote(self.name)}: it is left out, as the columns are collected from "
                        f"the first {SCAN_BYTES // 2**20} MB."
                    )
        return columns, self.name, [line for line, _ in block]


class JsonLinesSource(_JsonSource):
    """One JSON object a line; lines that are none are set aside.

    Raises
    ------
    DataError
        If no line at the start is an object.
    """

    format = "JSON lines"

    def _rows(
        self, stream: TextStream, on_bad: BadRowSink, at: Cursor
    ) -> Iterator[list[tuple[int, dict[str, Any]]]]:
        for lines in whole_lines(stream.read, 1):
            at.line = lines.first
            rows: list[tuple[int, dict[str, Any]]] = []
            for number, raw in enumerate(lines.data.split(b"\n"), lines.first):
                line = raw.strip()
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                if not line:
                    continue
                try:
                    row = _DECODER.decode(line.decode())
                except UnicodeDecodeError:
                    on_bad(bad_row(self.name, number, NOT_UTF8, raw))
                    continue
                except _BAD_JSON:
                    on_bad(bad_row(self.name, number, "the line is not valid JSON", raw))
                    continue
                if isinstance(row, dict):
                    rows.append((number, row))
                else:
                    on_bad(bad_row(self.name, number, "the line is no JSON object", raw))
            yield rows


class JsonArraySource(_JsonSource):
    """One JSON array of objects, however it is broken into lines.

    Elements that are no objects are set aside. Behind broken JSON no next row can be found for
    sure, so reading ends there.

    Raises
    ------
    DataError
        If the file is not a whole array of objects.
    """

    format = "JSON"

    def _rows(
        self, stream: TextStream, on_bad: BadRowSink, at: Cursor
    ) -> Iterator[list[tuple[int, dict[str, Any]]]]:
        reader = _ArrayReader(stream, self.name, at)
        rows: list[tuple[int, dict[str, Any]]] = []
        for line, value, text in reader.elements():
            if isinstance(value, dict):
                rows.append((line, value))
            else:
                on_bad(bad_row(self.name, line, "the element is no JSON object", text))
            if len(rows) >= _ARRAY_ROWS:
                yield rows
                rows = []
        yield rows


class _ArrayReader:
    """Elements of a JSON array, read on only as far as the element in work needs."""

    def __init__(self, stream: TextStream, name: str, at: Cursor) -> None:
        self._stream = stream
        self._name = name
        self._at = at
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text = ""
        self._place = 0
        self._ended = False

    def elements(self) -> Iterator[tuple[int, Any, str]]:
        """Yield line, value and text of every element."""
        self._expect("[")
        if self._peek() == "]":
            self._end()
            return
        while True:
            self._peek()
            line = self._at.line
            value, text = self._element()
            yield line, value, text
            sign = self._peek()
            if sign == "]":
                self._end()
                return
            self._expect(",")

    def _end(self) -> None:
        self._expect("]")
        if self._peek():
            raise self._wrong("text follows the end of the array")

    def _element(self) -> tuple[Any, str]:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._place)
                # A number that ends with what was read may go on.
                if end < len(self._text) or self._ended:
                    text = self._text[self._place : min(end, self._place + 2000)]
                    self._at.line += self._text.count("\n", self._place, end)
                    self._place = end
                    return value, text
            except RecursionError as error:
                raise self._wrong("objects are nested too deeply") from error
            except ValueError as error:
                if self._ended:
                    reached = isinstance(error, json.JSONDecodeError) and (
                        error.pos >= len(self._text) or error.msg.startswith("Unterminated")
                    )
                    raise self._wrong(
                        "the array breaks off" if reached else "the JSON is not valid"
                    ) from error
            if len(self._text) - self._place > MAX_LINE:
                raise self._wrong("an element is longer than 64 MB, or the JSON is not valid")
            self._more(len(self._text) - self._place)

    def _more(self, size: int = 0) -> None:
        piece = self._stream.read(max(BLOCK_BYTES // 2, size))
        self._ended = not piece
        try:
            fresh = self._decode(piece, self._ended)
        except UnicodeDecodeError as error:
            raise self._wrong("there are bytes that are not UTF-8 text") from error
        self._text = self._text[self._place :] + fresh
        self._place = 0

    def _peek(self) -> str:
        """Skip blanks; return the next character, empty at the end."""
        while True:
            while self._place < len(self._text):
                sign = self._text[self._place]
                if sign not in " \t\r\n":
                    return sign
                self._at.line += sign == "\n"
                self._place += 1
            if self._ended:
                return ""
            self._more()

    def _expect(self, sign: str) -> None:
        found = self._peek()
        if found != sign:
            raise self._wrong("the array breaks off" if not found else "the JSON is not valid")
        self._place += 1

    def _wrong(self, what: str) -> DataError:
        return DataError(
            f"{quote(self._name)} is damaged: {what} near line {self._at.line:,}. "
            "Mend it, or save the rows as JSON lines, of which single ones may be broken."
        )


def json_kind(head: bytes, ending: str) -> str:
    """Return ``lines``, ``array``, ``other`` JSON, or nothing, by the first bytes of a text."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    named = ending in (".json", ".jsonl", ".ndjson")
    if start[:1] == b"[":
        first = start[1:].lstrip()[:1]
        return "array" if first == b"{" or (named and first in b"]") else "other" if named else ""
    if start[:1] != b"{":
        return ""
    lines = [line.strip() for line in start.split(b"\n")][:20]
    objects = sum(_is_object(line) for line in lines)
    if objects and (objects > 1 or _is_object(lines[0]) or named):
        return "lines"
    if ending in (".jsonl", ".ndjson"):
        return "lines"
    return "other" if named else ""


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(_DECODER.decode(line.decode("utf-8", "replace")), dict)
    except _BAD_JSON:
        return False
