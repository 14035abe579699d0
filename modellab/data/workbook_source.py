"""Excel (.xlsx) and OpenDocument (.ods) workbooks: one sheet as chunks of texts.

A sheet is held in memory while it is read; sheets with more than `MAX_CELLS` are refused. The whole
archive is checked first: no path in it is ever used, and nothing is unpacked beyond a limit.
Formulas count as the values that were saved with them. A tab inside of an OpenDocument cell is lost
in the library that reads it.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from datetime import date, datetime, time, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from modellab.data.csv_sniff import is_header
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
from modellab.data.text_source import texts_chunk
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAX_UNPACKED = 2**30
"""Bytes that all parts of a workbook may have."""
MAX_CELLS = 2**24
"""Cells of a sheet, empty ones between others counted: about 32 bytes of memory each."""
_ROWS = 10_000
_REFERENCE = re.compile(rb'r="([A-Z]{1,3})(\d{1,8})"')
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError,
    expat.ExpatError, ValueError,
)  # fmt: skip


def workbook_kind(path: Path) -> str:
    """Return ``xlsx`` or ``ods`` if a zip archive is such a workbook, ``xlsb``, or nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "xl/workbook.xml" in names:
                return "xlsx"
            if "xl/workbook.bin" in names:
                return "xlsb"
            if "mimetype" in names and "content.xml" in names:
                with archive.open("mimetype") as file:
                    return "ods" if b"opendocument.spreadsheet" in file.read(200) else ""
    except _DAMAGE:
        pass
    return ""


class _Workbook:
    """A workbook that was checked: not damaged, not too large."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.format = "ODS" if kind == "ods" else "Excel"
        self._state = FileState.of(path)
        self.size_bytes = self._state.size
        if kind == "xlsb":
            raise DataError(
                f"{quote(path.name)} is a binary Excel workbook, which is not read: "
                "save it as .xlsx or CSV."
            )
        try:
            self._check(kind)
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def sheet_names(self) -> list[str]:
        """Names of all sheets, in the book's order."""
        return [str(name) for name in self._guarded(lambda: list(self._book().sheet_names))]

    def size_of(self, name: str) -> tuple[int, int]:
        """Rows and columns that are filled in a sheet, header counted."""
        sheet = self._guarded(lambda: self._book().get_sheet_by_name(name))
        first, last = sheet.start, sheet.end
        if first is None or last is None:
            return 0, 0
        return int(last[0]) - int(first[0]) + 1, int(last[1]) - int(first[1]) + 1

    def _damaged(self, error: BaseException) -> DataError:
        return DataError(
            f"{quote(self.path.name)} is a damaged {self.format} workbook: it cannot be read. "
            "Save it again, or save the sheet as CSV.",
            detail=str(error),
        )

    def _too_large(self) -> DataError:
        return DataError(
            f"{quote(self.path.name)} is too large to be read as a workbook "
            f"(more than {MAX_CELLS:,} cells in a sheet, or {MAX_UNPACKED // 2**20:,} MB "
            "unpacked): save the sheet as CSV."
        )

    def _check(self, kind: str) -> None:
        """Read every part once: checksums, the size unpacked, and how far the cells reach."""
        unpacked = 0
        with zipfile.ZipFile(self.path) as archive:
            for info in archive.infolist():
                if info.flag_bits & 1:
                    raise DataError(
                        f"{quote(self.path.name)} is locked with a password: save it without one."
                    )
                reach = _reach_of(kind, info.filename)
                with archive.open(info) as part:
                    while piece := part.read(2**18):
                        unpacked += len(piece)
                        if unpacked > MAX_UNPACKED or (reach and reach(piece) > MAX_CELLS):
                            raise self._too_large()

    def _book(self) -> Any:
        from python_calamine import CalamineWorkbook

        return CalamineWorkbook.from_path(str(self.path))

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Do something with the workbook library, whose failures are of many kinds."""
        try:
            return work()
        except DataError:
            raise
        except BaseException as error:
            # Failures inside the compiled library are no ordinary exceptions.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise self._damaged(error) from error
            raise


class WorkbookSource(_Workbook):
    """One sheet of a workbook.

    Parameters
    ----------
    path
        The file.
    sheet
        Name of the sheet; empty: the only one that is filled.
    kind
        As `workbook_kind` tells it.
    header
        Whether the first row that is filled holds the names; None: found out.

    Raises
    ------
    DataError
        If the workbook is damaged or too large, or it is not clear which sheet is meant.
    """

    def __init__(
        self, path: Path, sheet: str = "", kind: str = "xlsx", header: bool | None = None
    ) -> None:
        super().__init__(path, kind)
        self.warnings: list[str] = []
        names = self.sheet_names()
        self.sheet = self._chosen(names, sheet)
        chosen = bool(sheet)
        self.paths = [path.parent / f"{path.name}::{self.sheet}" if chosen else path]
        self.name = f"{path.name}::{self.sheet}" if chosen else path.name
        rows = self._rows()
        first = self._guarded(lambda: [next(rows, None) for _ in range(200)])
        head = [cells for _, cells in filter(None, first)]
        if not head:
            raise DataError(f"{quote(self.name)} is empty: it has neither a header nor rows.")
        texts = [[cell or "" for cell in row] for row in head]
        if header is None:
            header = is_header(texts[0], texts[1:])
        width = len(texts[0])
        given = texts[0] if header else [f"column_{k + 1}" for k in range(width)]
        names, self.warnings = unique_names(given, self.name)
        if not header:
            self.warnings.append(
                f"{quote(self.name)} has no header: its columns are called column_1 to "
                f"column_{width}."
            )
        self._header = header
        self.columns = [SourceColumn(name) for name in names]
        self.options = {"sheet": self.sheet}
        whole = f"{fingerprint_of(path)}\n{self.sheet}"
        self.fingerprint = hashlib.sha256(whole.encode()).hexdigest()

    def _chosen(self, names: list[str], wanted: str) -> str:
        if wanted:
            if wanted not in names:
                raise DataError(
                    f"{quote(self.path.name)} has no sheet {quote(wanted)}: {_listed(names)}."
                )
            return wanted
        if len(names) > 1:
            filled = [name for name in names[:50] if self._guarded(partial(self._filled, name))]
            names = filled or names[:1]
        if len(names) != 1:
            raise DataError(
                f"{quote(self.path.name)} has several sheets: choose one by adding its name, as in "
                f"{quote(f'{self.path.name}::{names[0]}', 100)} ({_listed(names)})."
                if names
                else f"{quote(self.path.name)} has no sheet."
            )
        return names[0]

    def _filled(self, name: str) -> bool:
        return bool(self._book().get_sheet_by_name(name).total_height)

    def _rows(self) -> Iterator[tuple[int, list[str | None]]]:
        """Yield the sheet's rows that are not empty, with their numbers."""
        sheet = self._book().get_sheet_by_name(self.sheet)
        start = sheet.start
        if start is None:
            return
        for number, row in enumerate(sheet.to_python(skip_empty_area=True), start[0] + 1):
            cells = [_text(value) for value in row]
            if any(cell is not None for cell in cells):
                yield number, cells

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows in order, up to 10,000 at a time."""
        self._state.verify()
        names = [column.name for column in self.columns]
        rows = self._rows()
        if self._header:
            self._guarded(lambda: next(rows, None))
        waiting: list[list[str | None]] = []
        lines: list[int] = []
        while (found := self._guarded(lambda: next(rows, None))) is not None:
            lines.append(found[0])
            waiting.append(found[1])
            if len(waiting) == _ROWS:
                yield texts_chunk(names, list(zip(*waiting, strict=True)), self.name, lines)
                waiting, lines = [], []
                self._state.verify()
                progress(0, self.size_bytes, "Reading the sheet")
        if waiting:
            yield texts_chunk(names, list(zip(*waiting, strict=True)), self.name, lines)
        self._state.verify()
        progress(self.size_bytes, self.size_bytes)


def sheets_of(path: Path, seconds: float) -> list[tuple[str, int | None, int | None]]:
    """Return name, rows and columns of the sheets, hidden ones too.

    Rows are told of the sheets that are read within `seconds`, header and empty rows counted.

    Raises
    ------
    DataError
        If the workbook is damaged or too large.
    """
    book = _Workbook(path, workbook_kind(path))
    until = monotonic() + seconds
    return [
        (name, *(book.size_of(name) if monotonic() < until else (None, None)))
        for name in book.sheet_names()
    ]


def _listed(names: list[str]) -> str:
    shown = ", ".join(quote(name, 40) for name in names[:10])
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"its sheets are {shown}{more}"


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime):
        whole = value.time() == time(0) and value.tzinfo is None
        return value.date().isoformat() if whole else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    return str(value).encode("utf-8", "replace").decode()


def _reach_of(kind: str, part: str) -> Callable[[bytes], int] | None:
    """Return what follows a sheet's text and tells how many cells it reaches over, so far."""
    if kind == "xlsx" and part.startswith("xl/worksheets/"):
        return _ExcelReach()
    return _OdsReach() if kind == "ods" and part == "content.xml" else None


class _ExcelReach:
    def __init__(self) -> None:
        self._rest = b""
        self._rows = 0
        self._columns: set[bytes] = set()

    def __call__(self, piece: bytes) -> int:
        text = self._rest + piece
        found = _REFERENCE.findall(text)
        self._rest = text[-20:]
        if found:
            self._rows = max(self._rows, max(int(row) for _, row in found))
            self._columns.update(column for column, _ in found)
        return self._rows * max(map(_column_number, self._columns), default=0)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


class _OdsReach:
    """Counts cells with their repetitions; empty ones at the ends do not count."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._area = self._rows = self._empty_rows = self._width = 0
        self._repeat = self._at = self._filled = 0

    def __call__(self, piece: bytes) -> int:
        self._parser.Parse(piece, False)
        return self._area

    def _refuse(self, *args: object) -> None:
        raise ValueError("a document type declaration has no place in a workbook")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table:table":
            self._rows = self._empty_rows = self._width = 0
        elif name == "table:table-row":
            self._repeat = int(attributes.get("table:number-rows-repeated", "1")[:9])
            self._at = self._filled = 0
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self._at += int(attributes.get("table:number-columns-repeated", "1")[:9])
            if "office:value-type" in attributes or "calcext:value-type" in attributes:
                self._filled = self._at
        elif name == "text:p":
            self._filled = max(self._filled, self._at)

    def _end(self, name: str) -> None:
        if name != "table:table-row":
            return
        if self._filled:
            self._rows += self._empty_rows + self._repeat
            self._empty_rows = 0
            self._width = max(self._width, self._filled)
            self._area = max(self._area, self._rows * self._width)
        else:
            self._empty_rows += self._repeat
