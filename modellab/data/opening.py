"""Opening data files: one file, several, a folder or a glob, by what they hold.

A part of a file is named after two colons: ``book.xlsx::Sheet1``, ``file.sqlite::table`` (or a
query there), ``archive.zip::member.csv``.
"""

from __future__ import annotations

import glob as globbing
import hashlib
import os
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from modellab.data.endings import READABLE
from modellab.data.hive_source import partition_of, with_partitions
from modellab.data.packed_source import TextFile, encoding_of, packing_of, zip_texts
from modellab.data.places import INNER, is_pattern, names_data, split_inner
from modellab.data.reading_source import as_told
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
from modellab.experiment_reading import ReadingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "INNER",
    "JoinedSource",
    "expand",
    "is_pattern",
    "names_data",
    "open_source",
    "split_inner",
]

HEAD_BYTES = 65_536


def open_source(
    paths: str | Path | Sequence[str | Path], reading: ReadingSpec | None = None
) -> Source:
    """Open one file, a list of files, a folder, or a glob pattern as one data set.

    Several files are read one after the other in the order given (folders and patterns: by name,
    numbers in names counted as numbers); they must have the same columns. A folder of folders
    called ``key=value`` (Hive partitions) is read whole, each key a column. `reading`: what the
    person said about how texts are written; the rest is found out.

    Raises
    ------
    DataError
        If nothing is there, a file cannot be read, or the files do not fit together.
    """
    reading = reading or ReadingSpec()
    wanted = [paths] if isinstance(paths, str | Path) else list(paths)
    if not wanted:
        raise DataError("No data file was named.")
    files: list[tuple[Path, str]] = []
    roots: dict[Path, Path] = {}
    for path in wanted:
        file, inner = split_inner(path)
        found = [file] if inner else expand(path)
        files += [(one, inner) for one in found]
        if file.is_dir():
            roots.update(dict.fromkeys(found, file))
    sources = [
        with_partitions(source, path, roots.get(path))
        for path, inner in files
        for source in _open_file(path, inner, reading)
    ]
    if len(sources) == 1:
        return as_told(sources[0], reading)
    name = sources[0].name
    only = Path(wanted[0])
    label = only.name if len(wanted) == 1 and only.exists() else f"{name} + {len(sources) - 1} more"
    return as_told(_joined(sources, label), reading)


def expand(path: str | Path) -> list[Path]:
    """Return the files behind a path: itself, a folder's readable files, or a pattern's matches."""
    text = os.path.expanduser(os.fspath(path))  # noqa: PTH111 - keeps a pattern as it is
    here = Path(text)
    try:
        if here.is_dir():
            found = sorted(_partitions(here), key=_natural_path) or sorted(
                filter(_is_data, here.iterdir()), key=_natural
            )
            if not found:
                raise DataError(
                    f"The folder {quote(here.name or here)} holds no data file that can be read: "
                    "choose the files themselves."
                )
            return found
        if here.exists():
            return [here]
    except OSError as error:
        raise cannot_read(here, error) from error
    except ValueError as error:
        raise DataError(f"{quote(text)} is no name of a file.", detail=str(error)) from error
    if is_pattern(text):
        names = globbing.glob(text, recursive=True)  # noqa: PTH207 - absolute patterns too
        matches = [Path(name) for name in names if Path(name).is_file()]
        if not matches:
            raise DataError(f"No file matches {quote(text)}.")
        return sorted(matches, key=_natural)
    raise DataError(f"There is no file {quote(here.name or text)} in {quote(here.parent, 200)}.")


def _is_data(path: Path) -> bool:
    hidden = path.name.startswith((".", "_"))
    return not hidden and path.name.lower().endswith(READABLE) and path.is_file()


def _partitions(folder: Path) -> list[Path]:
    """Files below folders called ``key=value``; links to folders are not followed."""
    found: list[Path] = []
    for here in folder.iterdir():
        if partition_of(here.name) and here.is_dir() and not here.is_symlink():
            below = _partitions(here)
            found += below or [path for path in here.iterdir() if _is_data(path)]
    return found


def _natural(path: Path) -> list[tuple[int, int, str]]:
    return _counted(path.name)


def _natural_path(path: Path) -> list[list[tuple[int, int, str]]]:
    return [_counted(part) for part in path.parts]


def _counted(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(0, int(p), "") if p.isdigit() and p.isascii() else (1, 0, p) for p in parts]


def _open_file(path: Path, inner: str, reading: ReadingSpec) -> list[Source]:
    try:
        size = path.stat().st_size
        if not path.is_file():
            # To open a pipe that nobody writes to would never come back.
            raise DataError(f"{quote(path.name)} is not a file of data, but a pipe or a device.")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise cannot_read(path, error) from error
    if not size:
        raise DataError(f"{quote(path.name)} is empty: it has neither a header nor rows.")
    if head.startswith(b"PAR1"):
        _no_inner(path, inner, "a Parquet file")
        _no_reading(path, reading, "a Parquet file")
        from modellab.data.parquet_source import ParquetSource

        return [ParquetSource(path)]
    binary = _open_binary(path, head, inner, reading)
    if binary is not None:
        return [binary]
    packing = packing_of(head)
    texts = zip_texts(path, inner) if packing == "zip" else [TextFile(path, packing)]
    if packing != "zip":
        _no_inner(path, inner, "a file of one table")
    return [_open_text(text, reading) for text in texts]


def _open_binary(path: Path, head: bytes, inner: str, reading: ReadingSpec) -> Source | None:
    """Open a file that tells by its first bytes that it is no text; None if it does not."""
    if head.startswith((b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")):
        _no_inner(path, inner, "an Arrow file")
        _no_reading(path, reading, "an Arrow file")
        from modellab.data.arrow_source import ArrowSource

        return ArrowSource(path)
    if head.startswith(b"SQLite format 3\0"):
        _no_reading(path, reading, "an SQLite database")
        from modellab.data.sqlite_source import SqliteSource

        return SqliteSource(path, inner)
    if head[8:12] == b"DUCK":
        _no_reading(path, reading, "a DuckDB database")
        from modellab.data.duckdb_source import DuckdbSource

        return DuckdbSource(path, inner)
    if head.startswith(b"PK\x03\x04"):
        from modellab.data.workbook_source import WorkbookSource, workbook_kind

        kind = workbook_kind(path)
        if kind:
            _no_reading(path, reading, "a workbook", header=True)
            return WorkbookSource(path, inner, kind, reading.header)
    return None


def _no_inner(path: Path, inner: str, what: str) -> None:
    if inner:
        raise DataError(
            f"{quote(path.name)} is {what}: leave {quote(INNER + inner)} away from its name."
        )


def _no_reading(path: Path, reading: ReadingSpec, what: str, header: bool = False) -> None:
    """Refuse what was said about texts for a file that is none."""
    said = {
        "delimiter": reading.delimiter is not None,
        "quote": reading.quote is not None,
        "comment": reading.comment is not None,
        "encoding": reading.encoding is not None,
        "header": reading.header is not None and not header,
    }
    key = next((key for key, given in said.items() if given), None)
    if key:
        raise DataError(
            f"{quote(path.name)} is {what}, which has no {key} to choose: leave "
            f"data.reading.{key} away."
        )


def _open_text(file: TextFile, reading: ReadingSpec) -> Source:
    raw = file.head(HEAD_BYTES)
    file = file.encoded(reading.codec or encoding_of(raw))
    head = file.head(HEAD_BYTES) if file.encoding != "utf-8" else raw
    refuse_unless_text(file.path, head, file.packing, file.name)
    from modellab.data.arff_source import ArffSource, is_arff
    from modellab.data.json_source import JsonArraySource, JsonLinesSource, json_kind
    from modellab.data.libsvm_source import LibsvmSource, is_libsvm

    if reading.delimited or reading.header is not None:
        return _delimited(file, reading, head)
    if is_arff(head):
        return ArffSource(file)
    kind = json_kind(head, file.ending)
    if kind == "lines":
        return JsonLinesSource(file)
    if kind == "array":
        return JsonArraySource(file)
    if kind:
        raise DataError(
            f"{quote(file.name)} is one JSON value, not a list of rows: save the rows as an array "
            "of objects, or as JSON lines."
        )
    return LibsvmSource(file) if is_libsvm(head) else _delimited(file, reading, head)


def _delimited(file: TextFile, reading: ReadingSpec, head: bytes) -> Source:
    """Open a delimited text; one whose cells stand in single quotation marks as such."""
    from modellab.data.csv_sniff import single_quoted
    from modellab.data.csv_source import CsvSource

    if reading.quote is None and b"'" in head:
        source = CsvSource(file, reading=msgspec.structs.replace(reading, quote="'"))
        if single_quoted(head, source.options["delimiter"]):
            source.options["quote"] = "'"
            source.warnings.append(
                f"Cells of {quote(source.name)} stand in single quotation marks, which are left "
                "out."
            )
            return source
    return CsvSource(file, reading=reading)


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
