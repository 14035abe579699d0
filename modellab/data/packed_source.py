"""Text files as UTF-8 bytes, whatever they are packed in and however they are encoded.

Nothing is ever unpacked to disk: members of archives are read as streams, so that no path in an
archive can reach outside it. What unpacks to suspiciously much is stopped.
"""

from __future__ import annotations

import bz2
import codecs
import errno
import gzip
import lzma
import os
import re
import zipfile
import zlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from modellab.data.csv_letters import AS_IT_IS, Letters
from modellab.data.source import FileState, cannot_read
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Callable

FREE_BYTES = 2**31
"""So much may come out of any file, however small."""
MAX_RATIO = 200
"""Beyond `FREE_BYTES`, at most so many bytes may come out of one byte of the file."""
MAX_DICTIONARY = 2**28
"""Memory (bytes) that unpacking xz may take."""
MAX_MEMBERS = 10_000
"""An archive with more members is not read."""

_PACKINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)
_ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zstd", ".lz4", ".zip")
_PIECE = 2**16


class PackedError(Exception):
    """Packed data are damaged or break off."""


def packing_of(head: bytes) -> str:
    """Return how a file that starts with `head` is packed; empty if it is not."""
    for magic, packing in _PACKINGS:
        if head.startswith(magic):
            return packing
    return ""


def encoding_of(head: bytes) -> str:
    """Return the encoding that the first bytes of a text speak for: UTF-8 unless they say other."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    start = head[:4096]
    half = len(start) // 2
    # Mostly Latin letters in UTF-16: every other byte is zero.
    if half >= 4 and start[1::2].count(0) > 0.7 * half and start[0::2].count(0) < 0.05 * half:
        return "utf-16-le"
    if half >= 4 and start[0::2].count(0) > 0.7 * half and start[1::2].count(0) < 0.05 * half:
        return "utf-16-be"
    return "utf-8"


@dataclass(frozen=True)
class TextFile:
    """A text file, or one of an archive.

    Attributes
    ----------
    path
        The file on disk.
    packing
        As `packing_of` tells it.
    member
        Zip only: the member's name in the archive.
    encoding
        A codec's name; ``cp1252`` reads any bytes.
    chosen
        The member is one of several, so that its name counts.
    letters
        How its delimiters and quotation marks are rewritten.
    """

    path: Path
    packing: str = ""
    member: str = ""
    encoding: str = "utf-8"
    chosen: bool = False
    letters: Letters = AS_IT_IS

    @property
    def name(self) -> str:
        """What the file is called in sentences."""
        return f"{self.path.name}::{self.member}" if self.chosen else self.path.name

    @property
    def place(self) -> Path:
        """The path by which `open_source` finds it again."""
        return Path(f"{self.path}::{self.member}") if self.chosen else self.path

    @property
    def ending(self) -> str:
        """The ending of the text's own name, in small letters, packing left away."""
        name = (self.member or self.path.name).lower()
        for ending in _ENDINGS:
            name = name.removesuffix(ending)
        dot = name.rfind(".")
        return name[dot:] if dot >= 0 else ""

    def encoded(self, encoding: str) -> TextFile:
        """Return the same file read in another encoding."""
        return replace(self, encoding=encoding)

    def open(self) -> TextStream:
        """Open it from the start.

        Raises
        ------
        DataError
            If it cannot be opened or is damaged at its start.
        """
        try:
            return TextStream(self)
        except PackedError as error:
            raise self.broken(error, 0) from error
        except OSError as error:
            raise cannot_read(self.path, error) from error

    def head(self, size: int) -> bytes:
        """Return the first `size` bytes of the text, fewer if it is shorter."""
        try:
            with self.open() as stream:
                return stream.read_fully(size)
        except (PackedError, OSError) as error:
            raise self.broken(error, 0) from error

    def broken(self, error: Exception, line: int) -> DataError:
        """Return one sentence for a text that breaks off after `line` (0: at its start)."""
        if isinstance(error, OSError):
            return cannot_read(self.path, error)
        name = quote(self.name)
        if not line:
            return DataError(
                f"{name} is a damaged {self.packing} file: it cannot be unpacked.",
                detail=str(error),
            )
        return DataError(
            f"{name} is a damaged {self.packing} file: it breaks off after line {line:,}. "
            "Perhaps it was not copied to its end.",
            detail=str(error),
        )


class TextStream:
    """The text of a `TextFile` as UTF-8 bytes, from the start to the end."""

    def __init__(self, file: TextFile) -> None:
        self._file = file
        self._raw = file.path.open("rb")
        try:
            self._bytes = _unpacked(file, self._raw)
        except BaseException:
            self._raw.close()
            raise
        self._size = FileState.of(file.path).size
        self._out = 0
        self._recode = _rewritten(_recoder(file.encoding), file.letters)
        self._ahead = b""

    def __enter__(self) -> TextStream:
        return self

    def __exit__(self, *args: object) -> None:
        self._bytes.close()
        self._raw.close()

    def tell(self) -> int:
        """Return how much of the file on disk was read, in bytes."""
        return min(self._raw.tell(), self._size)

    def read(self, size: int) -> bytes:
        """Return about `size` bytes, none only at the end.

        Raises
        ------
        PackedError
            If packed data are damaged or break off.
        DataError
            If far more is unpacked than a table would be.
        """
        if self._ahead:
            text, self._ahead = self._ahead[:size], self._ahead[size:]
            return text
        while True:
            piece = self._next(size)
            text = self._recode(piece, not piece)
            if text or not piece:
                return text

    def read_fully(self, size: int) -> bytes:
        """Return exactly `size` bytes, fewer only at the end."""
        pieces: list[bytes] = []
        need = size
        while need > 0 and (piece := self.read(need)):
            pieces.append(piece)
            need -= len(piece)
        # Another encoding may give more bytes than were asked for.
        text = b"".join(pieces)
        self._ahead = text[size:] + self._ahead
        return text[:size]

    def skip(self, size: int) -> None:
        """Go on `size` bytes further: at once where the text's bytes are the file's."""
        file = self._file
        if not file.packing and file.encoding == "utf-8" and file.letters.plain and not self._ahead:
            self._raw.seek(size, os.SEEK_CUR)
            return
        while size > 0 and (piece := self.read(min(size, _PIECE))):
            if len(piece) > size:
                self._ahead = piece[size:] + self._ahead
            size -= len(piece)

    def _next(self, size: int) -> bytes:
        if not self._file.packing:
            return self._bytes.read(size)
        try:
            piece = self._bytes.read(size)
        except OSError as error:
            damage = not error.errno or error.errno == errno.EINVAL
            if not damage and self._file.packing not in ("zstd", "lz4"):
                raise
            raise PackedError(str(error)) from error
        except _DAMAGE as error:
            raise PackedError(str(error)) from error
        self._out += len(piece)
        if self._out > FREE_BYTES and self._out > MAX_RATIO * self._size:
            raise DataError(
                f"{quote(self._file.name)} unpacks to more than {self._out // 2**20:,} MB, over "
                f"{MAX_RATIO} times its size, and was stopped: "
                "if it really is a table, unpack it first."
            )
        return piece


_DAMAGE = (
    EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError,
    ValueError, MemoryError, AssertionError,
)  # fmt: skip


def _unpacked(file: TextFile, raw: IO[bytes]) -> IO[bytes]:
    if file.packing == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if file.packing == "bzip2":
        return cast("IO[bytes]", _Streams(raw, bz2.BZ2Decompressor))
    if file.packing == "xz":
        make = partial(lzma.LZMADecompressor, memlimit=MAX_DICTIONARY)
        return cast("IO[bytes]", _Streams(raw, make))
    if file.packing in ("zstd", "lz4"):
        from modellab.data.arrow import arrow

        pa, _ = arrow()
        return cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(raw, "r"), file.packing))
    if file.packing == "zip":
        try:
            return zipfile.ZipFile(raw).open(file.member)
        except (*_DAMAGE, KeyError) as error:
            raise PackedError(str(error)) from error
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise PackedError(str(error)) from error
            raise
    return raw


class _Streams:
    """One or several packed streams after one another (bzip2, xz), zeros between them."""

    def __init__(self, raw: IO[bytes], make: Callable[[], Any]) -> None:
        self._raw = raw
        self._make = make
        self._now = make()
        self._waiting = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none only at the end."""
        while True:
            if self._now.eof:
                rest = (self._now.unused_data or self._waiting).lstrip(b"\0")
                while not rest and (piece := self._raw.read(_PIECE)):
                    rest = piece.lstrip(b"\0")
                if not rest:
                    return b""
                self._now, self._waiting = self._make(), rest
            if self._now.needs_input and not self._waiting:
                self._waiting = self._raw.read(_PIECE)
                if not self._waiting:
                    raise EOFError("the data end before the stream does")
            try:
                piece = cast("bytes", self._now.decompress(self._waiting, size))
            except OSError as error:
                raise EOFError(str(error)) from error
            self._waiting = b""
            if piece:
                return piece

    def close(self) -> None:
        """Close nothing: the file is its opener's."""


def _recoder(encoding: str) -> Callable[[bytes, bool], bytes]:
    if encoding == "utf-8":
        return lambda data, _: data
    if encoding == "cp1252":
        # Each byte is a character; the five that Windows-1252 leaves open are as in Latin-1.
        table = [bytes([b]).decode("cp1252", "replace") for b in range(256)]
        letters = {b: chr(b) if c == "\ufffd" else c for b, c in enumerate(table)}
        return lambda data, _: data.decode("latin-1").translate(letters).encode()
    decoder = codecs.getincrementaldecoder(encoding)(_FLAG)
    return lambda data, final: decoder.decode(data, final).encode("utf-8", "surrogatepass")


def _flag(error: UnicodeError) -> tuple[str, int]:
    """Let what cannot be decoded become what is no UTF-8: its row is then set aside."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


_FLAG = "modellab.flag"
codecs.register_error(_FLAG, _flag)


def _rewritten(
    recode: Callable[[bytes, bool], bytes], letters: Letters
) -> Callable[[bytes, bool], bytes]:
    if letters.plain:
        return recode
    rewrite = letters.rewriter()
    return lambda data, final: rewrite(recode(data, final), final)


def zip_members(path: Path) -> list[zipfile.ZipInfo]:
    """Return an archive's members, without folders and hidden files.

    Raises
    ------
    DataError
        If the archive is damaged, or has far too many members.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MAX_MEMBERS:
                raise DataError(
                    f"{quote(path.name)} holds more than {MAX_MEMBERS:,} files: "
                    "pack the ones that belong to the data set into an archive of their own."
                )
            return [info for info in archive.infolist() if _is_data(info.filename)]
    except (OSError, *_DAMAGE) as error:
        # An offset that is no place in the file is damage, too.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise cannot_read(path, error) from error
        raise DataError(
            f"{quote(path.name)} is a damaged zip file: it cannot be unpacked.", detail=str(error)
        ) from error


def _is_data(name: str) -> bool:
    parts = re.split(r"[\\/]", name)
    hidden = any(part.startswith(".") and part not in (".", "..") for part in parts)
    return bool(parts[-1]) and not hidden and parts[0] != "__MACOSX"


def zip_texts(path: Path, wanted: str = "") -> list[TextFile]:
    """Return the texts of an archive: the member `wanted`, the only one, or all of them.

    Raises
    ------
    DataError
        If the archive is damaged, empty, locked with a password, or has no such member.
    """
    members = zip_members(path)
    name = quote(path.name)
    if wanted:
        members = [info for info in members if info.filename == wanted]
        if not members:
            raise DataError(f"{name} holds no file {quote(wanted)}.")
    if not members:
        raise DataError(f"{name} is empty: there is no file in the archive.")
    for info in members:
        if info.flag_bits & 1:
            raise DataError(f"{name} is locked with a password: unpack it first.")
    several = bool(wanted) or len(members) > 1
    return [TextFile(path, "zip", info.filename, chosen=several) for info in members]
