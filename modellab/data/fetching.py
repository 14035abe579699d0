"""Fetching one file from the internet when a person asks: checked, limited, all or nothing.

Of an archive only the one member that is wanted is read, by its own name: no name in an archive is
ever used as a path, and what unpacks to more than was declared is stopped.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlsplit

from modellab.data.source import ReadProgress, no_progress
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPMessage

TIMEOUT = 15.0
"""Seconds that a server may be silent."""
SLACK = 2**16
"""So many bytes may a file differ from what was declared before it is refused unread."""
_PIECE = 2**16
_LOCAL = ("127.0.0.1", "localhost", "::1")
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError, NotImplementedError, RuntimeError,
    ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes
    ----------
    url
        Where it is; only ``https`` (but for this computer itself).
    name
        Name of the file here; in a zip archive also that of the member, folders left away.
    size
        Bytes of the file, unpacked.
    sha256
        Checksum of the file, unpacked, in hex; None where its publisher told only the size.
    """

    url: str
    name: str
    size: int
    sha256: str | None = None


def fetch(remote: Remote, folder: Path, progress: ReadProgress = no_progress) -> Path:
    """Have a file in `folder`: at once if it was fetched before and is still the same.

    Its checksum is compared with the publisher's, where one is known. Else it is recorded beside
    the file (``.sha256``) when it is fetched first: a file that changed here is fetched again, and
    must then be what it was.

    Parameters
    ----------
    remote
        The file.
    folder
        Where it is kept.
    progress
        Told bytes done of bytes to do; may raise `Cancelled`, and nothing is left behind.

    Raises
    ------
    DataError
        If there is no connection, the server refuses, or it is not the file that was expected.
    """
    target = folder / remote.name
    first = recorded(remote, folder)
    if _is_whole(target, remote):
        return target
    packed = folder / f".{remote.name}.{os.getpid()}.download"
    part = folder / f".{remote.name}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _download(remote, packed, progress)
        digest = _unpack(remote, packed, part, progress)
        if remote.sha256 is None and first not in (None, digest):
            raise _other(
                remote,
                "its checksum is another than when it was fetched first; delete "
                f"{quote(_beside(target).name)} in {quote(folder, 200)} to take it all the same",
            )
        part.replace(target)
        _beside(target).write_text(digest + "\n", encoding="ascii")
    except OSError as error:
        raise DataError(
            f"{quote(remote.name)} cannot be kept in {quote(folder, 200)}: "
            f"{error.strerror or error}.",
            detail=str(error),
        ) from error
    finally:
        packed.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
    return target


def is_fetched(remote: Remote, folder: Path) -> bool:
    """Whether a file was fetched before (its size is looked at, not its content)."""
    target = folder / remote.name
    try:
        return target.stat().st_size > 0 and _beside(target).is_file()
    except OSError:
        return False


def recorded(remote: Remote, folder: Path) -> str | None:
    """Return the checksum (sha256, in hex) that a file had when it was fetched first, if it was."""
    try:
        told = _beside(folder / remote.name).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return told if len(told) == 64 and set(told) <= set("0123456789abcdef") else None


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _is_whole(target: Path, remote: Remote) -> bool:
    try:
        with target.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return False
    return found == recorded(remote, target.parent) and remote.sha256 in (None, found)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect to a place that would not have been asked first."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        try:
            if before.hostname not in _LOCAL and after.hostname in _LOCAL:
                raise urllib.error.URLError("the server points to this computer itself")
            _check_url(newurl)
        except urllib.error.URLError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise urllib.error.URLError(f"{parts.scheme or 'no'} connection, where https is wanted")


def _download(remote: Remote, packed: Path, progress: ReadProgress) -> None:
    host = urlsplit(remote.url).hostname or remote.url
    name = quote(remote.name)
    opener = urllib.request.build_opener(_SafeRedirects)
    request = urllib.request.Request(
        remote.url, headers={"User-Agent": "ModelLab", "Accept-Encoding": "identity"}
    )
    done = 0
    try:
        _check_url(remote.url)
        progress(0, 0, f"Connecting to {host}")
        with opener.open(request, timeout=TIMEOUT) as answer, packed.open("wb") as file:
            total = int(answer.headers.get("Content-Length") or 0)
            # Packed or not, it is at most as large as the file that comes out.
            limit = remote.size + SLACK
            if total > limit:
                raise _other(remote, f"the server wants to send {total:,} bytes")
            while piece := answer.read(_PIECE):
                done += len(piece)
                if done > limit:
                    raise _other(remote, f"the server sends more than {limit:,} bytes")
                file.write(piece)
                progress(done, total or remote.size, f"Fetching {remote.name} from {host}")
            if total and done < total:
                raise DataError(f"{name} broke off after {done:,} of {total:,} bytes: try again.")
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(
            f"{name} could not be fetched: {host} answers {error.code} ({error.reason}). "
            "Perhaps it has moved; a newer Model Lab may know where to.",
            detail=str(error),
        ) from error
    except ssl.SSLError as error:
        raise _unsafe(name, host, error) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            raise _unsafe(name, host, error) from error
        raise DataError(
            f"{name} could not be fetched: there is no connection to {host}. Everything else works "
            "without one; try again when you are online.",
            detail=str(error.reason),
        ) from error
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise DataError(
            f"{name} could not be fetched: the connection to {host} broke off. Try again.",
            detail=str(error),
        ) from error


def _unsafe(name: str, host: str, error: Exception) -> DataError:
    return DataError(
        f"{name} was not fetched: the connection to {host} is not secure.", detail=str(error)
    )


def _other(remote: Remote, why: str) -> DataError:
    return DataError(
        f"{quote(remote.name)} is not the file that was expected ({why}): nothing was kept."
    )


def _unpack(remote: Remote, packed: Path, part: Path, progress: ReadProgress) -> str:
    """Write the file that is wanted; return its sha256."""
    digest = hashlib.sha256()
    size = 0
    limit = remote.size + SLACK
    try:
        with part.open("wb") as target:
            for piece in _pieces(remote, packed):
                size += len(piece)
                if size > limit:
                    raise _other(remote, f"it unpacks to more than {limit:,} bytes")
                digest.update(piece)
                target.write(piece)
                progress(size, remote.size, f"Unpacking {remote.name}")
    except _DAMAGE as error:
        raise DataError(
            f"What came as {quote(remote.name)} is damaged: try again.", detail=str(error)
        ) from error
    if abs(size - remote.size) > SLACK:
        raise _other(remote, f"it has {size:,} bytes instead of {remote.size:,}")
    found = digest.hexdigest()
    if remote.sha256 is not None and found != remote.sha256:
        raise _other(remote, "its checksum is another")
    return found


def _pieces(remote: Remote, packed: Path) -> Iterator[bytes]:
    with packed.open("rb") as file:
        magic = file.read(4)
    if magic.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(packed) as archive:
            fitting = [
                info
                for info in archive.infolist()
                if PurePosixPath(info.filename.replace("\\", "/")).name == remote.name
                and not info.is_dir()
            ]
            if len(fitting) != 1:
                raise _other(remote, f"the archive holds {len(fitting)} files of that name")
            if fitting[0].file_size > remote.size + SLACK:
                raise _other(remote, f"it unpacks to {fitting[0].file_size:,} bytes")
            with archive.open(fitting[0]) as member:
                yield from _read(member)
    elif magic.startswith(b"\x1f\x8b") and not remote.name.endswith(".gz"):
        with gzip.open(packed) as unpacked:
            yield from _read(cast("IO[bytes]", unpacked))
    else:
        with packed.open("rb") as plain:
            yield from _read(plain)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
