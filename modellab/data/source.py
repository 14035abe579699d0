"""Opening data files: what they are, their fingerprint, and their rows in bounded chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from pathlib import Path

    from modellab.data.arrow import DataType, RecordBatch

WHOLE_HASH_BYTES = 64 * 2**20
"""Files up to this size are hashed whole; larger ones by head, tail and samples."""

_SAMPLE_BYTES = 2**20
_SAMPLES = 32

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"PK\x03\x04", "a zip archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ARROW1", "an Arrow file"),
    (b"FEA1", "a Feather file"),
    (b"ORC", "an ORC file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x9d", "compressed with compress"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\x80\x05\x95", "a Python pickle"),
    (b"$FL2", "an SPSS file"),
    (b"RDX", "an R file"),
    (b"<!DOCTYPE html", "a web page"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML file"),
)


class ReadProgress(Protocol):
    """Told how far a long piece of work is; may raise `Cancelled` to stop it."""

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """Report `done` of `total` (bytes, unless said otherwise)."""
        ...


def no_progress(done: float, total: float, text: str = "") -> None:
    """Ignore progress."""


class BadRow(msgspec.Struct, frozen=True):
    """A row that could not be read and was set aside.

    Attributes
    ----------
    file
        Name of the file, without its folder.
    line
        Line in the file where the row begins, from 1.
    reason
        Why, in words.
    text
        The row as it stands in the file (cut to 2,000 characters).
    """

    file: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class SourceColumn:
    """A column as the file has it; `type` is None where every value is text (CSV)."""

    name: str
    type: DataType | None = None


@dataclass(frozen=True)
class Chunk:
    """Consecutive good rows of one file.

    Attributes
    ----------
    batch
        The rows: texts (CSV) or typed columns (Parquet), in the source's column order.
    file
        Name of the file.
    line_of
        Line in the file of the chunk's row `i` (for Parquet: its row number, from 1).
    """

    batch: RecordBatch
    file: str
    line_of: Callable[[int], int]


BadRowSink = Callable[[BadRow], None]


class Source(Protocol):
    """One data set as its files hold it: read from the start, in order, as often as needed."""

    name: str
    format: str
    paths: list[Path]
    size_bytes: int
    fingerprint: str
    columns: list[SourceColumn]
    warnings: list[str]
    options: dict[str, str]

    def chunks(
        self, on_bad: BadRowSink | None = None, progress: ReadProgress = no_progress
    ) -> Iterator[Chunk]:
        """Yield all good rows in order; rows that cannot be read go to `on_bad`.

        Raises
        ------
        DataError
            If the file vanishes, changes, or breaks off.
        """
        ...


def cannot_read(path: Path, error: OSError) -> DataError:
    """Return one sentence for a file that the system refuses."""
    why = error.strerror or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return DataError(f"{quote(path.name)} is no longer there.", detail=str(error))
    if isinstance(error, PermissionError):
        return DataError(
            f"{quote(path.name)} may not be read: permission denied.", detail=str(error)
        )
    return DataError(f"{quote(path.name)} cannot be read: {why}.", detail=str(error))


def refuse_unless_text(path: Path, head: bytes, packing: str = "", name: str = "") -> None:
    """Raise one clear sentence if `head`, the first bytes, is not the text of a table.

    `name` is what the text is called if not as its file.
    """
    name = quote(name or path.name)
    if not head:
        raise DataError(f"{name} is empty: it has neither a header nor rows.")
    inside = f" inside {packing}" if packing else ""
    if head.startswith(b"PAR1"):
        raise DataError(f"{name} is Parquet{inside}: unpack it first.")
    if packing and head.startswith((b"PK\x03\x04", b"SQLite format 3", b"ARROW1", b"FEA1")):
        what = next(what for magic, what in _MAGIC if head.startswith(magic))
        raise DataError(f"{name} is {what}{inside}: unpack it first.")
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise DataError(
                f"{name} is {what}{inside}, which is not read: save it as CSV (UTF-8) or Parquet."
            )
    control = sum(head.count(bytes([c])) for c in (*range(9), *range(14, 31)) if c not in (1, 27))
    if b"\x00" in head or control > len(head) // 20:
        raise DataError(f"{name} is not a text file: it holds binary data, not rows of a table.")
    if not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise DataError(f"{name} is empty: it has neither a header nor rows.")


def fingerprint_of(path: Path) -> str:
    """Return the sha256 of a file's size and content, in hex.

    Up to 64 MB the whole content counts; beyond, the first and last megabyte and 32 samples of one
    megabyte evenly between them. Name, folder and dates do not count.
    """
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            if size <= WHOLE_HASH_BYTES:
                while piece := file.read(_SAMPLE_BYTES):
                    digest.update(piece)
            else:
                for k in range(_SAMPLES + 2):
                    file.seek((size - _SAMPLE_BYTES) * k // (_SAMPLES + 1))
                    digest.update(file.read(_SAMPLE_BYTES))
    except OSError as error:
        raise cannot_read(path, error) from error
    return digest.hexdigest()


@dataclass(frozen=True)
class FileState:
    """Size and date of a file, to notice that it changed while it was read."""

    path: Path
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """Look at the file now."""
        try:
            now = path.stat()
        except OSError as error:
            raise cannot_read(path, error) from error
        return cls(path, now.st_size, now.st_mtime_ns)

    def verify(self) -> None:
        """Raise `DataError` if the file is gone or no longer the same."""
        try:
            now = self.path.stat()
        except OSError as error:
            raise DataError(
                f"{quote(self.path.name)} disappeared while it was being read.", detail=str(error)
            ) from error
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified_ns):
            raise DataError(
                f"{quote(self.path.name)} changed while it was being read: "
                "open it again when it is complete."
            )


def unique_names(names: Sequence[str], file: str) -> tuple[list[str], list[str]]:
    """Give every column a name of its own; returns the names and a sentence for each change."""
    result: list[str] = []
    warnings: list[str] = []
    for position, raw in enumerate(names):
        name = raw.strip() or f"column_{position + 1}"
        if name in result:
            number = 2
            while f"{name}_{number}" in result or f"{name}_{number}" in names:
                number += 1
            warnings.append(
                f"{quote(file)} has more than one column called {quote(name)}: "
                f"column {position + 1} is called {quote(f'{name}_{number}')} here."
            )
            name = f"{name}_{number}"
        result.append(name)
    return result, warnings
