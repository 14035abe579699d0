"""The file of the rows that were set aside: any number of them takes no memory."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from modellab.data.source import BadRow


class BadRowsFile:
    """Spools bad rows to a CSV file.

    Parameters
    ----------
    path
        The file.
    kept, count
        Bytes of it that stay, and the rows in them; what lies beyond is cut off.
    """

    def __init__(self, path: Path, kept: int = 0, count: int = 0) -> None:
        self._file = path.open(
            "r+" if kept else "w", newline="", encoding="utf-8", errors="replace"
        )
        self._out = csv.writer(self._file)
        self.count = count
        if kept:
            self._file.seek(kept)
            self._file.truncate()
        else:
            self._out.writerow(["file", "line", "reason", "text"])

    def __call__(self, row: BadRow) -> None:
        """Take a row."""
        self._out.writerow([row.file, row.line, row.reason, row.text])
        self.count += 1

    def flushed(self) -> int:
        """Write what is waiting; return the file's size in bytes."""
        self._file.flush()
        return self._file.tell()

    def __enter__(self) -> BadRowsFile:
        return self

    def __exit__(self, *args: object) -> None:
        self._file.close()
