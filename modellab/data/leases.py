"""The cache of stores: which are in use, which may go when the disk budget is full."""

from __future__ import annotations

import os
import shutil
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from modellab.paths import cache_dir

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_BUDGET = 20 * 2**30
"""Bytes of disk for all stores together."""
NOTE_FILE = "so_far.msgpack"
"""In a half made store: what is needed to go on with it."""
_LEASE = "lease-"
_PART = ".part-"
_GONE = ".gone-"
_PARTIAL = ".rows-"


def stores_folder(cache: Path | None = None) -> Path:
    """Return the folder of all stores (private to the person; made on use)."""
    folder = (cache or cache_dir()) / "stores"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


class Lease:
    """Says that this process uses a store, so that no other one deletes it meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{_LEASE}{os.getpid()}-{uuid4().hex[:8]}"
        with suppress(OSError):  # a read-only cache cannot be evicted either
            self._file.touch()
        with suppress(OSError):
            os.utime(folder)
        self._finalizer = weakref.finalize(self, _remove, self._file)

    def release(self) -> None:
        """Give the store free."""
        self._finalizer()


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)


def part_folder(folder: Path, key: str) -> Path:
    """Return a folder to build the store `key` in; `complete` gives it its name.

    If a process that is no more left one that can be gone on with, it is that one.
    """
    part = folder / f"{key}{_PART}{os.getpid()}-{uuid4().hex[:8]}"
    for left in abandoned(folder):
        if left.name.startswith(f"{key}{_PART}"):
            with suppress(OSError):  # another process was first
                left.rename(part)
                return part
    part.mkdir(mode=0o700)
    return part


def partial_folder(part: Path) -> Path:
    """Make a folder for the rows that are already in a store that is being made in `part`."""
    key = part.name.partition(_PART)[0]
    path = part.parent / f"{key}{_PARTIAL}{os.getpid()}-{uuid4().hex[:8]}"
    path.mkdir(mode=0o700)
    return path


def drop_partial(path: Path) -> None:
    """Delete such a folder, unless a process reads it: then `evict` will when it ended."""
    with suppress(OSError):
        if path.is_dir() and not _in_use(path):
            shutil.rmtree(path, ignore_errors=True)


def abandoned(folder: Path) -> list[Path]:
    """Return the half made stores that nobody works at and that can be gone on with."""
    return [
        part
        for part in sorted(folder.glob(f"*{_PART}*"))
        if (part / NOTE_FILE).is_file() and not _alive(_owner(part))
    ]


def _owner(part: Path) -> str:
    """Process that makes a store."""
    return part.name.rsplit("-", 2)[-2]


def complete(part: Path, final: Path) -> None:
    """Rename a finished folder; if another process was first, its store stands."""
    try:
        part.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(part, ignore_errors=True)


def evict(folder: Path, budget_bytes: int, keep: Path) -> list[str]:
    """Delete the stores not used for longest until all fit in the budget.

    Stores in use by a living process and `keep` stay. What a killed process left half made counts
    as a store if it can be gone on with, and is deleted if not.

    Returns
    -------
    list of str
        Names of the deleted stores.
    """
    entries: list[tuple[float, Path, int]] = []
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir():
            continue
        if _PARTIAL in entry.name:
            # Its files are links: they take no room of their own while the store is there.
            if not _alive(_owner(entry)):
                drop_partial(entry)
            continue
        if _PART in entry.name or _GONE in entry.name:
            living = _alive(_owner(entry))
            if not living and (_GONE in entry.name or not (entry / NOTE_FILE).is_file()):
                shutil.rmtree(entry, ignore_errors=True)
                continue
            if living or _GONE in entry.name:
                continue
        with suppress(OSError):
            size = sum(file.stat().st_size for file in entry.iterdir())
            entries.append((entry.stat().st_mtime, entry, size))
    total = sum(size for _, _, size in entries)
    deleted: list[str] = []
    for _, entry, size in sorted(entries):
        if total <= budget_bytes:
            break
        if entry == keep or _in_use(entry):
            continue
        # Renamed first, so that no one opens a store that is half gone.
        gone = folder / f"{entry.name}{_GONE}{os.getpid()}-{uuid4().hex[:8]}"
        with suppress(OSError):
            entry.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
            total -= size
            deleted.append(entry.name)
    return deleted


def used_bytes(cache: Path | None = None) -> int:
    """Return the bytes that all stores take."""
    total = 0
    for file in stores_folder(cache).glob("*/*"):
        with suppress(OSError):
            total += file.stat().st_size
    return total


def clear(cache: Path | None = None) -> list[str]:
    """Delete all stores that no living process uses; returns their names."""
    folder = stores_folder(cache)
    return evict(folder, -1, folder / "none")


def _in_use(store: Path) -> bool:
    used = False
    for lease in store.glob(f"{_LEASE}*"):
        if _alive(lease.name.split("-")[1]):
            used = True
        else:
            _remove(lease)
    return used


def _alive(pid: str) -> bool:
    import psutil

    return pid.isdigit() and psutil.pid_exists(int(pid))


def write_json(file: Path, value: msgspec.Struct) -> None:
    """Write a value as readable JSON."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1))
