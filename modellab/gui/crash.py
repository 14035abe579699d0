"""Knowing that the last run ended badly: a file per running window, with what could still be said.

While the program runs, ``running-<pid>.txt`` in the state folder is open; ``faulthandler`` writes
the stacks into it when the process is killed by a fault. A clean exit removes it. A file of a
process that no longer lives is therefore a crash, and the next start offers it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PREFIX = "running-"
_MOST_TEXT = 200_000
_KEPT = 5
"""Reports that stay in the folder; older ones go."""


@dataclass(frozen=True, slots=True)
class CrashReport:
    """What was left of a run that did not end by itself."""

    path: Path
    text: str

    @property
    def faulted(self) -> bool:
        """Whether Python itself saw the fault (else the process was ended from outside)."""
        return "Fatal Python error" in self.text or "Windows fatal exception" in self.text


class CrashGuard:
    """Marks this run in `folder` until `close`."""

    def __init__(self, folder: Path, version: str) -> None:
        self._path = folder / f"{_PREFIX}{os.getpid()}.txt"
        self._file = None
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding="utf-8")
            started = datetime.now(UTC).isoformat(timespec="seconds")
            self._file.write(
                f"Model Lab {version}, Python {platform.python_version()}, {sys.platform}\n"
                f"started {started}\n"
            )
            self._file.flush()
            faulthandler.enable(self._file)

    def close(self) -> None:
        """End the run cleanly: the file goes."""
        if self._file is None:
            return
        faulthandler.disable()
        self._file.close()
        self._file = None
        with contextlib.suppress(OSError):
            self._path.unlink()


def take_crash_reports(folder: Path) -> list[CrashReport]:
    """Return the reports of runs that ended badly, oldest first, and remove their files.

    Files of processes that still live are left alone.
    """
    found: list[CrashReport] = []
    for path in sorted(folder.glob(f"{_PREFIX}*.txt")):
        number = path.stem[len(_PREFIX) :]
        if not number.isdigit() or _lives(int(number)):
            continue
        with contextlib.suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")[:_MOST_TEXT]
            kept = path.with_name(f"crash-{number}.txt")
            path.replace(kept)
            found.append(CrashReport(kept, text))
    with contextlib.suppress(OSError):
        kept_files = sorted(folder.glob("crash-*.txt"), key=lambda file: file.stat().st_mtime)
        for old in kept_files[:-_KEPT]:
            old.unlink(missing_ok=True)
    return found


def _lives(pid: int) -> bool:
    if pid == os.getpid():
        # Our own number, used before by a process that is gone: ours is not marked yet.
        return False
    import psutil

    return bool(psutil.pid_exists(pid))
