"""Opening data files: one file, several, a folder or a glob, by what they hold."""

from __future__ import annotations

import glob as globbing
import gzip
import hashlib
import os
import re
import zlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modellab.data.source import (
    BadRowSink,
    Chunk,
    ReadProgress,
    Source,
    SourceColumn,
    cannot_read,
    no_progress,
    refuse_unless_text,
)
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_READABLE = (".csv", ".tsv", ".txt", ".tab", ".csv.gz", ".tsv.gz", ".txt.gz", ".gz",
             ".parquet", ".pq")  # fmt: skip


def open_source(paths: str | Path | Sequence[str | Path]) -> Source:
    """Open one file, a list of files, a folder, or a glob pattern as one data set.

    Several files are read one after the other in the order given (folders and patterns: by name,
    numbers in names counted as numbers); they must have the same columns.

    Raises
    ------
    DataError
        If nothing is there, a file cannot be read, or the files do not fit together.
    """
    wanted = [paths] if isinstance(paths, str | Path) else list(paths)
    if not wanted:
        raise DataError("No data file was named.")
    files = [found for path in wanted for found in expand(path)]
    sources = [_open_file(path) for path in files]
    if len(sources) == 1:
        return sources[0]
    name = sources[0].name
    only = Path(wanted[0])
    label = only.name if len(wanted) == 1 and only.is_dir() else f"{name} + {len(files) - 1} more"
    return _joined(sources, label)


def expand(path: str | Path) -> list[Path]:
    """Return the files behind a path: itself, a folder's readable files, or a pattern's matches."""
    text = os.path.expanduser(os.fspath(path))  # noqa: PTH111 - keeps a pattern as it is
    here = Path(text)
    try:
        if here.is_dir():
            found = [
                p for p in here.iterdir()
                if p.is_file() and not p.name.startswith(".") and p.name.lower().endswith(_READABLE)
            ]  # fmt: skip
            if not found:
                raise DataError(
                    f"The folder {quote(here.name or here)} holds no data file that can be read "
                    "(CSV, TSV or Parquet)."
                )
            return sorted(found, key=_natural)
        if here.exists():
            return [here]
    except OSError as error:
        raise cannot_read(here, error) from error
    if any(sign in text for sign in "*?["):
        names = globbing.glob(text, recursive=True)  # noqa: PTH207 - absolute patterns too
        matches = [Path(name) for name in names if Path(name).is_file()]
        if not matches:
            raise DataError(f"No file matches {quote(text)}.")
        return sorted(matches, key=_natural)
    raise DataError(f"There is no file {quote(here.name or text)} in {quote(here.parent, 200)}.")


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(p), "") if p.isdigit() and p.isascii() else (1, 0, p) for p in parts]


def _open_file(path: Path) -> Source:
    try:
        size = path.stat().st_size
        if not path.is_file():
            # To open a pipe that nobody writes to would never come back.
            raise DataError(f"{quote(path.name)} is not a file of data, but a pipe or a device.")
        with path.open("rb") as file:
            head = file.read(65_536)
    except OSError as error:
        raise cannot_read(path, error) from error
    if size == 0:
        raise DataError(f"{quote(path.name)} is empty: it has neither a header nor rows.")
    if head.startswith(b"PAR1"):
        from modellab.data.parquet_source import ParquetSource

        return ParquetSource(path)
    packed = head.startswith(b"\x1f\x8b")
    text = _unpacked_head(path) if packed else head
    refuse_unless_text(path, text, packed)
    from modellab.data.csv_source import CsvSource

    return CsvSource(path, packed=packed)


def _unpacked_head(path: Path) -> bytes:
    try:
        with gzip.open(path, "rb") as file:
            return file.read(65_536)
    except (EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"{quote(path.name)} is a damaged gzip file: it cannot be unpacked.", detail=str(error)
        ) from error


@dataclass
class JoinedSource:
    """Several files of the same columns, one after the other."""

    name: str
    parts: list[Source]
    format: str = ""
    paths: list[Path] = field(default_factory=list)
    size_bytes: int = 0
    fingerprint: str = ""
    columns: list[SourceColumn] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield the rows of all files in order, columns in the first file's order."""
        names = [column.name for column in self.columns]
        before = 0
        for part in self.parts:
            for chunk in part.chunks(on_bad, partial(_told, progress, before, self.size_bytes)):
                yield Chunk(chunk.batch.select(names), chunk.file, chunk.line_of)
            before += part.size_bytes


def _told(
    progress: ReadProgress, before: int, whole: int, done: float, _: float, text: str = ""
) -> None:
    progress(before + done, whole, text)


def _joined(sources: list[Source], label: str) -> Source:
    first = sources[0]
    names = [column.name for column in first.columns]
    for other in sources[1:]:
        theirs = [column.name for column in other.columns]
        if other.format != first.format:
            raise DataError(
                f"{quote(first.name)} is {first.format} and {quote(other.name)} is {other.format}: "
                "files read as one data set must have one format."
            )
        lacking = [name for name in names if name not in theirs]
        extra = [name for name in theirs if name not in names]
        if lacking or extra:
            problem = f"lacks the column {quote(lacking[0])}" if lacking else (
                f"has a column {quote(extra[0])} more"
            )  # fmt: skip
            raise DataError(
                f"{quote(other.name)} does not fit {quote(first.name)}: it {problem}. "
                "Files read as one data set must have the same columns."
            )
    digest = hashlib.sha256("\n".join(source.fingerprint for source in sources).encode())
    options: dict[str, str] = {}
    for number, source in enumerate(sources):
        options.update({f"{number}.{key}": value for key, value in source.options.items()})
    return JoinedSource(
        name=label,
        parts=sources,
        format=first.format,
        paths=[path for source in sources for path in source.paths],
        size_bytes=sum(source.size_bytes for source in sources),
        fingerprint=digest.hexdigest(),
        columns=first.columns,
        warnings=[warning for source in sources for warning in source.warnings],
        options=options,
    )
