"""ARFF files, dense and sparse, as WEKA and MOA write them, in bounded memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modellab.data.arrow import DataType, arrow
from modellab.data.csv_records import ragged_reason
from modellab.data.packed_source import PackedError, TextFile, TextStream
from modellab.data.source import BadRowSink, Chunk, SourceColumn, unique_names
from modellab.data.text_source import (
    NOT_UTF8,
    Cursor,
    TextSource,
    bad_row,
    texts_chunk,
    whole_lines,
)
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_HEADER = 2**24
"""A header longer than this (bytes) is not read."""
_BLOCK = 2**20
_CELLS = 2**22
"""Cells of a chunk, for sparse rows of many columns."""

_NAME = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s{]+)"""
_ATTRIBUTE = re.compile(rf"@attribute\s+{_NAME}\s*(.*)", re.IGNORECASE)
_CELL = re.compile(r"""[ \t]*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^,\t]*))[ \t]*(,|\t|$)""")
_SPARSE_CELL = re.compile(
    r"""\s*(\d+)\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s,{}]+))\s*(,|$)"""
)
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_NUMERIC = ("numeric", "real", "integer")


@dataclass(frozen=True)
class _Attribute:
    name: str
    kind: str
    levels: tuple[str, ...] = ()

    @property
    def absent(self) -> str:
        """What a sparse row means by leaving the attribute out: zero, or the first value."""
        return self.levels[0] if self.levels else "0"


class ArffSource(TextSource):
    """One ARFF file.

    Nominal and string attributes are declared texts; the others are read by what they hold. A
    nominal value that was not declared, and a row with another number of cells, is set aside.
    Weights of rows (``{5}`` behind a row) are left out, with a warning.

    Raises
    ------
    DataError
        If the header cannot be read.
    """

    format = "ARFF"

    def __init__(self, file: TextFile | Path) -> None:
        super().__init__(file)
        self._attributes: list[_Attribute] = []
        self._skip = 0
        self._header_lines = 0
        self._weighted = False
        try:
            self._read_header()
        except PackedError as error:
            raise self.file.broken(error, 0) from error
        names, self.warnings = unique_names([a.name for a in self._attributes], self.name)
        self.columns = [
            SourceColumn(name, _declared(attribute))
            for name, attribute in zip(names, self._attributes, strict=True)
        ]

    def _first_line(self) -> int:
        return self._header_lines + 1

    def _read_header(self) -> None:
        head = self.file.head(MAX_HEADER)
        at = 0
        while at < len(head):
            end = head.find(b"\n", at) + 1 or len(head)
            self._header_lines += 1
            line = head[at:end].decode("utf-8", "replace").lstrip("\ufeff").strip()
            at = end
            word = line.lower()
            if word.startswith("@data"):
                self._skip = at
                if not self._attributes:
                    raise self._wrong("there is no @attribute before @data")
                return
            if word.startswith("@attribute"):
                self._attributes.append(self._attribute(line))
            elif line and not word.startswith(("%", "@relation")):
                raise self._wrong(f"{quote(line, 30)} is neither @attribute nor @data")
        raise self._wrong("there is no @data")

    def _attribute(self, line: str) -> _Attribute:
        found = _ATTRIBUTE.match(line)
        if found is None or not found[2]:
            raise self._wrong(f"the attribute {quote(line, 30)} has no name or no type")
        name, rest = _unquoted(found[1]), found[2].strip()
        if rest.startswith("{"):
            inner, closed, _ = rest[1:].rpartition("}")
            if not closed:
                raise self._wrong(f"the values of {quote(name)} have no closing brace")
            levels = tuple(cell or "" for cell in _cells(inner) or ())
            return _Attribute(name, "nominal", levels)
        kind = rest.split()[0].lower()
        if kind == "relational":
            raise self._wrong(
                f"the attribute {quote(name)} is relational, a table in itself, which is not read"
            )
        if kind not in (*_NUMERIC, "string", "date"):
            raise self._wrong(f"the attribute {quote(name)} has the unknown type {quote(kind, 30)}")
        return _Attribute(name, kind)

    def _wrong(self, what: str) -> DataError:
        return DataError(
            f"{quote(self.name)} is no ARFF file that can be read: in line "
            f"{self._header_lines:,}, {what}. Mend its header, or save it as CSV."
        )

    def _pieces(self, stream: TextStream, on_bad: BadRowSink, at: Cursor) -> Iterator[Chunk]:
        stream.read_fully(self._skip)
        names = [column.name for column in self.columns]
        most = max(1, _CELLS // len(names))
        for block in whole_lines(stream.read, at.line, _BLOCK):
            at.line = block.first
            rows: list[list[str | None]] = []
            lines: list[int] = []
            for number, raw in enumerate(block.data.split(b"\n"), block.first):
                row = self._row(raw, number, on_bad)
                if row is not None:
                    rows.append(row)
                    lines.append(number)
                if len(rows) >= most:
                    yield texts_chunk(names, list(zip(*rows, strict=True)), self.name, lines)
                    rows, lines = [], []
            if rows:
                yield texts_chunk(names, list(zip(*rows, strict=True)), self.name, lines)

    def _row(self, raw: bytes, line: int, on_bad: BadRowSink) -> list[str | None] | None:
        """Return a row's cells; None for comments, blank lines, and rows set aside."""
        text = raw.strip()
        if not text or text.startswith(b"%"):
            return None
        try:
            shown = text.decode()
        except UnicodeDecodeError:
            on_bad(bad_row(self.name, line, NOT_UTF8, raw))
            return None
        reason = ""
        cells: list[str | None] | None
        if shown.startswith("{"):
            cells, reason = self._sparse(shown)
        else:
            cells = _cells(self._unweighted(shown))
            if cells is None:
                reason = "a quotation mark is not closed, or text follows it"
            elif len(cells) != len(self._attributes):
                reason = ragged_reason(len(self._attributes), len(cells))
        if cells is None or reason:
            on_bad(bad_row(self.name, line, reason, raw))
            return None
        for attribute, cell in zip(self._attributes, cells, strict=True):
            if attribute.levels and cell is not None and cell not in attribute.levels:
                reason = f"{quote(cell, 30)} is no declared value of {quote(attribute.name)}"
                on_bad(bad_row(self.name, line, reason, raw))
                return None
        return cells

    def _unweighted(self, text: str) -> str:
        """Take the weight off a row (``, {5}`` at its end)."""
        if not text.endswith("}"):
            return text
        row, sign, weight = text.rpartition("{")
        if not sign or not re.fullmatch(r"[\d.eE+-]+", weight[:-1].strip()):
            return text
        if not self._weighted:
            self._weighted = True
            self.warnings.append(f"The rows of {quote(self.name)} have weights: they are left out.")
        return row.rstrip().removesuffix(",")

    def _sparse(self, text: str) -> tuple[list[str | None] | None, str]:
        if text.count("{") > 1:
            text = self._unweighted(text)
        if not text.endswith("}"):
            return None, "the sparse row has no closing brace"
        cells: list[str | None] = [attribute.absent for attribute in self._attributes]
        inner = text[1:-1].strip()
        at = 0
        while at < len(inner):
            found = _SPARSE_CELL.match(inner, at)
            if found is None:
                return None, "the sparse row is not made of pairs of place and value"
            place = int(found[1][:9])
            if place >= len(cells):
                return None, f"place {place:,} is beyond the last attribute"
            cells[place] = _value(found[2], found[3], found[4])
            at = found.end()
        return cells, ""


def _declared(attribute: _Attribute) -> DataType | None:
    pa, _ = arrow()
    return pa.string() if attribute.kind in ("nominal", "string") else None


def _unquoted(text: str) -> str:
    return _escaped(text[1:-1]) if text[:1] in "'\"" and len(text) > 1 else text


def _escaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), text)


def _value(single: str | None, double: str | None, plain: str | None) -> str | None:
    if single is not None:
        return _escaped(single)
    if double is not None:
        return _escaped(double)
    plain = (plain or "").strip()
    return None if plain in ("?", "") else plain


def _cells(text: str) -> list[str | None] | None:
    """Cells of a dense row; None if quotation marks do not fit."""
    if "'" not in text and '"' not in text:
        sign = "," if "," in text else "\t"
        cells = [cell.strip() for cell in text.split(sign)]
        return [None if cell in ("?", "") else cell for cell in cells]
    found: list[str | None] = []
    at = 0
    while True:
        match = _CELL.match(text, at)
        if match is None or (match[3] or "").startswith(("'", '"')):
            return None
        found.append(_value(match[1], match[2], match[3]))
        at = match.end()
        if not match[4]:
            return found


def is_arff(head: bytes) -> bool:
    """Whether the first bytes of a text are an ARFF header."""
    for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()[:500]:
        word = line.strip().lower()
        if word and not word.startswith(b"%"):
            return word.startswith((b"@relation", b"@attribute"))
    return False
