"""A source read as the person said: words for missing values, signs between thousands.

Such a source has a fingerprint of its own.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from modellab.data.arrow import Array, RecordBatch, arrow
from modellab.data.convert import is_text
from modellab.data.csv_source import CsvSource
from modellab.data.source import BadRowSink, Chunk, ReadProgress, Source, no_progress
from modellab.data.thousands import Grouped, without_thousands
from modellab.errors import quote
from modellab.experiment_reading import ReadingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = {",": "commas", ".": "points", " ": "blanks", "'": "apostrophes"}


def as_told(source: Source, reading: ReadingSpec) -> Source:
    """Return the source as `reading` says; itself where nothing was said, and nothing found out."""
    plain = reading == ReadingSpec() and _grouped(source, reading) is None
    return source if plain else ToldSource(source, reading)


def recoded(source: Source, reading: ReadingSpec) -> Source | None:
    """Return a text that is not UTF-8 as Windows-1252; None if that is not to be tried."""
    inner = source.source if isinstance(source, ToldSource) else source
    if not isinstance(inner, CsvSource) or inner.encoding != "utf-8":
        return None
    again = inner.with_encoding("cp1252")
    return None if again is None else as_told(again, reading)


def rewrites(source: Source) -> bool:
    """Whether cells are rewritten on their way in, so that only the chunks show them as meant."""
    return isinstance(source, ToldSource) and source.rewrites


def points_group(source: Source) -> bool:
    """Whether points stand between thousands, so that a comma may be the decimal sign."""
    return isinstance(source, ToldSource) and source.thousands == "."


def _grouped(source: Source, reading: ReadingSpec) -> Grouped | None:
    """What was found out about thousands, where the person said nothing."""
    parts = getattr(source, "parts", [source])
    if reading.thousands is not None or not all(isinstance(part, CsvSource) for part in parts):
        return None
    found = {part.layout.thousands for part in parts}
    grouped: Grouped | None = found.pop() if len(found) == 1 else None
    # Whoever names the decimal sign means that no other use is made of it.
    if grouped is None or not grouped.sure or grouped.sign == reading.decimal:
        return None
    return grouped


class ToldSource:
    """A source whose cells are rewritten as the person said, or as was found out.

    Parameters
    ----------
    source
        The source, opened with the same `reading`.
    reading
        What the person said. It is a part of the fingerprint: the same file read otherwise is
        another data set.

    Attributes
    ----------
    thousands
        The sign between thousands that is left out of numbers; empty: none is.
    """

    def __init__(self, source: Source, reading: ReadingSpec) -> None:
        self.source = source
        self._reading = reading
        self.name = source.name
        self.format = source.format
        self.paths = source.paths
        self.size_bytes = source.size_bytes
        self.columns = source.columns
        self.warnings = source.warnings
        self.options = source.options
        grouped = _grouped(source, reading)
        self.thousands = grouped.sign if grouped else reading.grouping or ""
        self._grouped = range(len(self.columns)) if grouped is None else grouped.columns
        said = msgspec.to_builtins(_settled(reading))
        text = f"{source.fingerprint}\n".encode() + msgspec.json.encode(
            {key: value for key, value in said.items() if key != "thousands"}
        )
        if self.thousands:
            text += msgspec.json.encode([self.thousands, grouped and list(grouped.columns)])
        self.fingerprint = hashlib.sha256(text).hexdigest()
        if grouped:
            names = [column.name for column in self.columns]
            shown = ", ".join(quote(names[k]) for k in grouped.columns[:3])
            more = len(grouped.columns) - 3
            shown += f" and {more:,} more columns" if more > 0 else ""
            self.warnings.append(
                f"The {_WORDS[self.thousands]} in the numbers of {shown} are taken as signs "
                "between thousands."
            )

    @property
    def rewrites(self) -> bool:
        """Whether cells are rewritten."""
        return self._reading.missing is not None or bool(self.thousands)

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows of the source."""
        for chunk in self.source.chunks(on_bad, progress):
            yield Chunk(self.rewritten(chunk.batch), chunk.file, chunk.line_of)

    def rewritten(self, batch: RecordBatch) -> RecordBatch:
        """Return rows of the source, columns in its order, as they are meant."""
        if self._reading.missing is not None:
            batch = without(batch, [*self._reading.missing, ""])
        return self.ungrouped(batch) if self.thousands else batch

    def ungrouped(self, batch: RecordBatch) -> RecordBatch:
        """Return rows with numbers written without signs between thousands."""
        if not self.thousands:
            return batch
        pa, _ = arrow()
        columns = list(batch.columns)
        for k in self._grouped:
            if is_text(columns[k].type):
                columns[k] = without_thousands(_texts(columns[k]), self.thousands)
        return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _settled(reading: ReadingSpec) -> ReadingSpec:
    """Two ways of writing the same thing make one fingerprint."""
    return msgspec.structs.replace(
        reading,
        delimiter=reading.separator,
        quote=reading.mark,
        encoding=reading.codec,
        missing=None if reading.missing is None else sorted({m.strip() for m in reading.missing}),
    )


def _texts(values: Array) -> Array:
    """Texts as ``string`` or ``large_string``."""
    pa, _ = arrow()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values if pa.types.is_large_string(values.type) else values.cast(pa.string())


def without(batch: RecordBatch, words: list[str]) -> RecordBatch:
    """Return rows whose texts are null where they are one of `words`, blanks around not counted."""
    pa, pc = arrow()
    gone = sorted({word.strip() for word in words})

    def kept(values: Array) -> Array:
        if not is_text(values.type):
            return values
        try:
            texts = _texts(values)
        except pa.ArrowInvalid:
            return values  # bytes that are no text
        found = pc.is_in(pc.utf8_trim_whitespace(texts), value_set=pa.array(gone, texts.type))
        return pc.if_else(found, pa.scalar(None, texts.type), texts)

    return pa.RecordBatch.from_arrays([kept(c) for c in batch.columns], names=batch.schema.names)
