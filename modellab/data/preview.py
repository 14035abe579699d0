"""The first rows of a file, read as told: what was found out, what is bad, what looks doubtful.

Nothing is stored: a person looks at this before, or after, the whole file is read.
"""

from __future__ import annotations

from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from modellab.data.arrow import Array, arrow
from modellab.data.convert import MISSING_TEXTS, ONLY_EMPTY, as_texts, is_text
from modellab.data.csv_source import CsvSource
from modellab.data.kinds import KindDetector, NeedsRecount
from modellab.data.opening import open_source
from modellab.data.reading_source import ToldSource, points_group, recoded, without
from modellab.data.source import BadRow, Chunk, ReadProgress, Source, no_progress
from modellab.data.text_source import NOT_UTF8
from modellab.errors import quote
from modellab.experiment_reading import ReadingSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOOKED_ROWS = 20_000
"""After so many rows the look ends."""
LOOKED_SECONDS = 1.0
"""After so long the look ends, with what it has."""
SHOWN_BAD = 50
KEPT_CELL = 500
"""Characters of a cell that are shown."""
LIKELY_MISSING = (
    "-", "--", ".", "..", "...", "*", "-1", "-9", "-99", "-999", "-9999", "999", "9999", "99999",
    "na", "nil", "NIL", "none", "NONE", "missing", "Missing", "unknown", "Unknown", "UNKNOWN",
    "(null)", "<NA>", "#REF!", "#VALUE!", "#DIV/0!", "inf", "nd", "ND", "k.A.",
)  # fmt: skip
"""Texts that are counted as well, because they often stand for a missing value."""
_WORDS_TOLD = 40
_DOUBT_SHARE = 0.02
"""Above this share of bad rows, the layout is doubtful."""


class MissingWord(msgspec.Struct, frozen=True):
    """A text that stands, or may stand, for a missing value; `cells` holding it were seen."""

    text: str
    cells: int
    used: bool


class Preview(msgspec.Struct, frozen=True):
    """What the first rows of a file tell.

    Attributes
    ----------
    name, format
        What is read, and as what.
    delimited
        It is delimited text: delimiter, quote, comment and header can be chosen.
    delimiter, quote, decimal, encoding, comment, header
        As it is read, found out or told; empty where the format has none.
    columns, kinds
        Names, and what the rows seen make of them.
    rows, lines
        The first rows as the file has them (None: missing), and the line of each.
    seen, bad_seen
        Rows that were looked at, and rows that cannot be read among them.
    bad
        The first of these.
    whole
        All rows were looked at.
    missing
        Words for missing values.
    doubts
        Why it may be read wrongly, in sentences; none if nothing speaks for it.
    warnings
        What reading the file would warn of.
    thousands
        The sign between thousands that is left out of numbers; empty: none is.
    """

    name: str
    format: str
    delimited: bool
    delimiter: str
    quote: str
    decimal: str
    encoding: str
    comment: str
    header: bool
    columns: list[str]
    kinds: list[str]
    rows: list[list[str | None]]
    lines: list[int]
    seen: int
    bad_seen: int
    bad: list[BadRow]
    whole: bool
    missing: list[MissingWord]
    doubts: list[str]
    warnings: list[str]
    thousands: str = ""


def preview(
    path: str | Path,
    reading: ReadingSpec | None = None,
    rows: int = 100,
    progress: ReadProgress = no_progress,
) -> Preview:
    """Look at the first rows of a file, read as `reading` says.

    Parameters
    ----------
    path
        A file, or a part of one.
    reading
        What the person says about it; the rest is found out.
    rows
        Rows to show.
    progress
        May raise `Cancelled`.

    Raises
    ------
    DataError
        If the file cannot be opened.
    """
    reading = reading or ReadingSpec()
    source = open_source(path, reading)
    look = _Look(source, reading, rows, progress)
    if look.undecodable > 0.01 * (look.seen + look.bad_seen):
        again = recoded(source, reading)
        if again is not None:
            source, look = again, _Look(again, reading, rows, progress)
    inner = source.source if isinstance(source, ToldSource) else source
    csv = inner if isinstance(inner, CsvSource) else None
    kinds, comma = look.kinds()
    sentences = _doubts(look, csv, reading) if csv is not None else []
    return Preview(
        name=source.name,
        format=source.format,
        delimited=csv is not None,
        delimiter=inner.options.get("delimiter", ""),
        quote=_mark(csv) if csv is not None else "",
        decimal="," if comma else ".",
        encoding=str(getattr(getattr(inner, "file", None), "encoding", "")),
        comment=inner.options.get("comment", ""),
        header=csv.layout.has_header if csv is not None else bool(getattr(inner, "_header", True)),
        columns=[column.name for column in source.columns],
        kinds=kinds,
        rows=look.shown,
        lines=look.lines,
        seen=look.seen,
        bad_seen=look.bad_seen,
        bad=look.bad,
        whole=look.whole,
        missing=look.missing_words(),
        doubts=sentences,
        warnings=list(source.warnings),
        thousands=source.thousands if isinstance(source, ToldSource) else "",
    )


def _mark(csv: CsvSource) -> str:
    return '"' if csv.reading.mark is None else csv.reading.mark


class _Look:
    """One pass over the first rows."""

    def __init__(
        self, source: Source, reading: ReadingSpec, rows: int, progress: ReadProgress
    ) -> None:
        self._reading = reading
        self._source = source
        self._words: Counter[str] = Counter()
        told = reading.missing
        self._used = list(MISSING_TEXTS) if told is None else [*{m.strip() for m in told}, ""]
        self._sought = sorted({*self._used, *MISSING_TEXTS, *LIKELY_MISSING})
        self.shown: list[list[str | None]] = []
        self.lines: list[int] = []
        self.seen = self.bad_seen = self.undecodable = 0
        self.bad: list[BadRow] = []
        self.whole = False
        # Words that were named are counted before they are gone.
        inner = source.source if isinstance(source, ToldSource) else source
        delimiter = inner.options.get("delimiter", "")
        comma = points_group(source) or (bool(delimiter) and delimiter != ",")
        meant = reading.decimal == ","
        if reading.decimal is not None:
            comma = meant
        missing = MISSING_TEXTS if told is None else ONLY_EMPTY
        self._detectors = [
            KindDetector(c.type is not None, comma, True, comma_meant=meant, missing=missing)
            for c in source.columns
        ]
        begun = None
        for chunk in inner.chunks(self._note_bad, progress):
            begun = monotonic() if begun is None else begun
            if self.seen >= LOOKED_ROWS or monotonic() - begun > LOOKED_SECONDS:
                break
            self._take(chunk, rows)
        else:
            self.whole = True

    def _note_bad(self, row: BadRow) -> None:
        self.bad_seen += 1
        self.undecodable += row.reason == NOT_UTF8
        if len(self.bad) < SHOWN_BAD:
            self.bad.append(row)

    def _take(self, chunk: Chunk, rows: int) -> None:
        batch = chunk.batch.slice(0, max(0, LOOKED_ROWS - self.seen))
        for values in batch.columns:
            self._count_words(values)
        if self._reading.missing is not None:
            batch = without(batch, self._used)
        room = rows - len(self.shown)
        if room > 0 and len(batch):
            head = [self._cells(values) for values in batch.slice(0, room).columns]
            self.shown += [list(row) for row in zip(*head, strict=True)]
            self.lines += [chunk.line_of(k) for k in range(min(room, len(batch)))]
        if isinstance(self._source, ToldSource):
            batch = self._source.ungrouped(batch)
        for detector, values in zip(self._detectors, batch.columns, strict=True):
            detector.update(values)
        self.seen += len(batch)

    def _cells(self, values: Array) -> list[str | None]:
        """Cells as the file has them, missing ones None."""
        gone = {""} if self._reading.missing is not None else set(MISSING_TEXTS)
        texts = as_texts(values).to_pylist()
        return [None if t is None or t.strip() in gone else t[:KEPT_CELL] for t in texts]

    def _count_words(self, values: Array) -> None:
        pa, pc = arrow()
        if not is_text(values.type):
            return
        texts = pc.utf8_trim_whitespace(as_texts(values))
        found = texts.filter(pc.is_in(texts, value_set=pa.array(self._sought, texts.type)))
        for pair in pc.value_counts(found):
            self._words[str(pair["values"].as_py())] += int(pair["counts"].as_py())

    def missing_words(self) -> list[MissingWord]:
        """Words for missing values that occur or were named, most frequent first."""
        used = set(self._used)
        named = set(self._reading.missing or ())
        words = [
            MissingWord(text, self._words[text], text in used)
            for text in self._sought
            if text and (self._words[text] or text in named)
        ]
        words.sort(key=lambda word: (not word.used, -word.cells, word.text))
        return words[:_WORDS_TOLD]

    def kinds(self) -> tuple[list[str], bool]:
        """What the rows seen make of each column, and whether numbers have a decimal comma."""
        found, comma = [], False
        for detector in self._detectors:
            try:
                told = detector.finish()
            except NeedsRecount:
                found.append("text")
                continue
            found.append(str(told.kind))
            comma = comma or told.decimal_comma
        return found, comma


def _doubts(look: _Look, csv: CsvSource, reading: ReadingSpec) -> list[str]:
    """Why delimited text may be read wrongly, where the person has not said otherwise."""
    found = []
    if len(csv.columns) == 1 and reading.delimiter is None:
        found.append("Only one column was found: the delimiter is perhaps another.")
    if look.bad_seen > _DOUBT_SHARE * (look.seen + look.bad_seen):
        share = look.bad_seen / (look.seen + look.bad_seen)
        found.append(
            f"{share:.0%} of the rows seen cannot be read: {look.bad[0].reason} in line "
            f"{look.bad[0].line:,}, for one."
        )
    if csv.encoding == "cp1252" and reading.encoding is None:
        found.append(
            "It is not UTF-8, so it is read as Windows-1252: letters beyond A to Z may be others."
        )
    grouped = csv.layout.thousands
    if grouped and not grouped.sure and (reading.thousands, reading.decimal) == (None, None):
        found.append(
            f"The commas in the numbers of {quote(csv.columns[grouped.columns[0]].name)} are taken "
            "as decimal signs; perhaps they stand between thousands."
        )
    if not csv.layout.has_header and reading.header is None:
        found.append("No header was found: the first row is taken as data.")
    wide = [name for name in csv.layout.names if len(name) > 200]
    if wide and reading.header is None:
        found.append(f"A column would be called {quote(wide[0])}.")
    return found


def head_of(
    path: str | Path, rows: int, progress: ReadProgress = no_progress
) -> tuple[list[str], Sequence[list[str | None]]]:
    """Return the columns' names and the first rows of a file, or of a part of one, as texts.

    Raises
    ------
    DataError
        If it cannot be opened, or a query fails.
    """
    source = open_source(path)
    shown: list[list[str | None]] = []
    for chunk in source.chunks(None, progress):
        batch = chunk.batch.slice(0, rows - len(shown))
        columns = [as_texts(values).to_pylist() for values in batch.columns]
        shown += [
            [None if cell is None else cell[:KEPT_CELL] for cell in row]
            for row in zip(*columns, strict=True)
        ]
        if len(shown) >= rows:
            break
    return [column.name for column in source.columns], shown
