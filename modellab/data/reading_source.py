"""A source read as the person said: the words for missing values, and a fingerprint of its own."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from modellab.data.arrow import Array, RecordBatch, arrow
from modellab.data.convert import is_text
from modellab.data.csv_source import CsvSource
from modellab.data.source import BadRowSink, Chunk, ReadProgress, Source, no_progress
from modellab.experiment_reading import ReadingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator


def as_told(source: Source, reading: ReadingSpec) -> Source:
    """Return the source as `reading` says; itself where nothing was said."""
    return source if reading == ReadingSpec() else ToldSource(source, reading)


def recoded(source: Source, reading: ReadingSpec) -> Source | None:
    """Return a text that is not UTF-8 as Windows-1252; None if that is not to be tried."""
    inner = source.source if isinstance(source, ToldSource) else source
    if not isinstance(inner, CsvSource) or inner.encoding != "utf-8":
        return None
    again = inner.with_encoding("cp1252")
    return None if again is None else as_told(again, reading)


class ToldSource:
    """A source whose words for missing values are nulls, where the person named them.

    Parameters
    ----------
    source
        The source, opened with the same `reading`.
    reading
        What the person said. It is a part of the fingerprint: the same file read otherwise is
        another data set.
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
        text = f"{source.fingerprint}\n".encode() + msgspec.json.encode(_settled(reading))
        self.fingerprint = hashlib.sha256(text).hexdigest()

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows of the source."""
        for chunk in self.source.chunks(on_bad, progress):
            if self._reading.missing is None:
                yield chunk
            else:
                words = [*self._reading.missing, ""]
                yield Chunk(without(chunk.batch, words), chunk.file, chunk.line_of)


def _settled(reading: ReadingSpec) -> ReadingSpec:
    """Two ways of writing the same thing make one fingerprint."""
    return msgspec.structs.replace(
        reading,
        delimiter=reading.separator,
        quote=reading.mark,
        encoding=reading.codec,
        missing=None if reading.missing is None else sorted({m.strip() for m in reading.missing}),
    )


def without(batch: RecordBatch, words: list[str]) -> RecordBatch:
    """Return rows whose texts are null where they are one of `words`, blanks around not counted."""
    pa, pc = arrow()
    gone = sorted({word.strip() for word in words})

    def kept(values: Array) -> Array:
        if not is_text(values.type) or pa.types.is_dictionary(values.type):
            return values
        texts = values if pa.types.is_large_string(values.type) else values.cast(pa.string())
        found = pc.is_in(pc.utf8_trim_whitespace(texts), value_set=pa.array(gone, texts.type))
        return pc.if_else(found, pa.scalar(None, texts.type), texts)

    return pa.RecordBatch.from_arrays([kept(c) for c in batch.columns], names=batch.schema.names)
