"""What a text may name: a file, a part of one behind two colons, a folder, a pattern; light."""

from __future__ import annotations

import os
from pathlib import Path

INNER = "::"
"""Between a file and the part of it that is meant."""


def split_inner(path: str | Path) -> tuple[Path, str]:
    """Return the file that a path names, and the part of the file that is meant (may be empty)."""
    text = os.path.expanduser(os.fspath(path))  # noqa: PTH111 - keeps a pattern as it is
    at = text.find(INNER)
    try:
        while at >= 0:
            if Path(text[:at]).is_file() and not Path(text).exists():
                return Path(text[:at]), slashes(text[at + len(INNER) :])
            at = text.find(INNER, at + 1)
    except (OSError, ValueError):
        pass  # too long for a path, or with a NUL: what it is named will say so
    return Path(text), ""


def slashes(inner: str, sep: str = os.sep) -> str:
    """Return the part of a file as it was written, if it went through a path of Windows.

    There a path turns slashes, which members of archives and divisions in queries have, into
    backslashes, which neither has. (A query that needs one writes ``char(92)``; ``chr(92)`` in
    DuckDB.)
    """
    return inner.replace("\\", "/") if sep == "\\" else inner


def names_data(path: str | Path) -> bool:
    """Whether a path, a part of a file, or a pattern stands for something that is there."""
    file, _ = split_inner(path)
    try:
        return file.exists() or is_pattern(file)
    except (OSError, ValueError):
        return False  # too long for a path, or with a NUL


def is_pattern(path: str | Path) -> bool:
    """Whether a path is a glob pattern: it has its signs, in a file's or a folder's name."""
    return any(sign in os.fspath(path) for sign in "*?[")
