"""Folders called ``key=value`` (Hive partitions): each key is a column of the files below."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import unquote

from modellab.data.arrow import arrow
from modellab.data.source import (
    BadRowSink,
    Chunk,
    ReadProgress,
    Source,
    SourceColumn,
    no_progress,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MISSING = "__HIVE_DEFAULT_PARTITION__"


def partition_of(name: str) -> tuple[str, str | None] | None:
    """Return key and value of a folder called ``key=value``; the value None is missing."""
    key, sign, value = name.partition("=")
    if not sign or not key or key.startswith((".", "_")):
        return None
    return unquote(key), None if value == _MISSING else unquote(value)


def with_partitions(source: Source, path: Path, root: Path | None) -> Source:
    """Return a source with the keys of the folders between `root` and its file as columns."""
    if root is None:
        return source
    folders = path.relative_to(root).parts[:-1]
    known = {column.name for column in source.columns}
    keys = {found[0]: found[1] for found in map(partition_of, folders) if found is not None}
    # Some writers keep the key in the file as well: there it has its type.
    keys = {key: value for key, value in keys.items() if key not in known}
    return PartitionSource(source, keys) if keys else source


class PartitionSource:
    """A source whose rows all have the same values in the columns of `keys`."""

    def __init__(self, source: Source, keys: dict[str, str | None]) -> None:
        self._source = source
        self._keys = keys
        self.name = source.name
        self.format = source.format
        self.paths = source.paths
        self.size_bytes = source.size_bytes
        self.warnings = source.warnings
        self.options = source.options
        self.columns = [*source.columns, *map(SourceColumn, keys)]
        text = "\n".join([source.fingerprint, *(f"{k}={v}" for k, v in keys.items())])
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows of the file, with the keys' values behind them."""
        pa, _ = arrow()
        names = [column.name for column in self.columns]
        for chunk in self._source.chunks(on_bad, progress):
            size = len(chunk.batch)
            fixed = [pa.array([value] * size, pa.string()) for value in self._keys.values()]
            batch = pa.RecordBatch.from_arrays([*chunk.batch.columns, *fixed], names=names)
            yield Chunk(batch, chunk.file, chunk.line_of)
