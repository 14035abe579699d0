"""Undo and redo: entries with a text and two callables; entries of one drag merge."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MERGE_SECONDS = 2.0
LIMIT = 200


@dataclass
class UndoEntry:
    """One thing that was done.

    `merge`: entries with the same non-empty key that follow each other within `MERGE_SECONDS` are
    merged. `scope`: entries of a scope can be forgotten together.
    """

    text: str
    undo: Callable[[], object]
    redo: Callable[[], object]
    merge: str = ""
    scope: str = "experiment"
    at: float = field(default_factory=time.monotonic)


class UndoStack:
    """What can be undone and redone."""

    def __init__(self) -> None:
        self._done: list[UndoEntry] = []
        self._undone: list[UndoEntry] = []
        self._busy = False

    @property
    def undo_text(self) -> str | None:
        """What the next undo takes back; None when there is nothing."""
        return self._done[-1].text if self._done else None

    @property
    def redo_text(self) -> str | None:
        """What the next redo does again; None when there is nothing."""
        return self._undone[-1].text if self._undone else None

    def push(self, entry: UndoEntry) -> None:
        """Remember what was just done (ignored while an undo or redo is running)."""
        if self._busy:
            return
        self._undone.clear()
        last = self._done[-1] if self._done else None
        if (
            last is not None
            and entry.merge
            and last.merge == entry.merge
            and entry.at - last.at < MERGE_SECONDS
        ):
            last.redo, last.at, last.text = entry.redo, entry.at, entry.text
            return
        self._done.append(entry)
        del self._done[:-LIMIT]

    def undo(self) -> str | None:
        """Take back the last thing; returns its text."""
        return self._move(self._done, self._undone, lambda e: e.undo())

    def redo(self) -> str | None:
        """Do the last undone thing again; returns its text."""
        return self._move(self._undone, self._done, lambda e: e.redo())

    def _move(
        self,
        source: list[UndoEntry],
        target: list[UndoEntry],
        act: Callable[[UndoEntry], object],
    ) -> str | None:
        if not source:
            return None
        entry = source.pop()
        entry.merge = ""  # what comes next is a new act
        self._busy = True
        try:
            act(entry)
        finally:
            self._busy = False
        target.append(entry)
        return entry.text

    def forget(self, scope: str | None = None) -> None:
        """Forget all entries, or those of one scope."""
        for entries in (self._done, self._undone):
            entries[:] = [e for e in entries if scope is not None and e.scope != scope]
