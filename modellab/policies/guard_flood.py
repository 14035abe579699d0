"""Whether a guard keeps back so much that the rows are hardly the ones to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.learners.base import Ints

ARRIVED = 1000
"""So many rows whose labels came last are looked at."""
MOST = ARRIVED // 2
"""More of them left out than this: something is to be told."""
OVER = ARRIVED // 4
"""No more of them left out than this: it has recovered."""


class Flood:
    """Counts the rows left out among the last `ARRIVED` that arrived with a label.

    Attributes
    ----------
    count
        How many they are.
    rising
        Whether there were more than `MOST`, and never so few as `OVER` since.
    row
        At which row that began and was not told yet; else -1.
    """

    def __init__(self) -> None:
        self.count = 0
        self.rising = False
        self.row = -1
        self._flags = np.zeros(0, dtype=bool)  # from the first that was left out on

    def take(self, rows: Ints, left_out: NDArray[np.bool_]) -> None:
        """Take in rows with a label, in order, and which of them are left out."""
        flags = np.concatenate([self._flags, left_out])
        new = int(np.count_nonzero(left_out))
        if self.rising or self.count + new > MOST:
            sums = np.cumsum(flags)
            sums[ARRIVED:] -= sums[:-ARRIVED].copy()
            self._look(rows, sums[len(self._flags) :])
        flags = flags[-ARRIVED:]
        self.count = int(np.count_nonzero(flags))
        self._flags = flags[int(np.argmax(flags)) :].copy() if self.count else flags[:0].copy()

    def _look(self, rows: Ints, counts: NDArray[np.int64]) -> None:
        at = 0
        while at < len(counts):
            change = counts[at:] <= OVER if self.rising else counts[at:] > MOST
            if not change.any():
                return
            at += int(np.argmax(change))
            self.rising = not self.rising
            if self.rising:
                self.row = int(rows[at])

    def state(self) -> dict[str, Any]:
        """Plain values and an array."""
        return {"rising": self.rising, "row": self.row, "flags": self._flags.copy()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.rising, self.row = state["rising"], state["row"]
        self._flags = np.array(state["flags"], dtype=bool)
        self.count = int(np.count_nonzero(self._flags))


__all__ = ["ARRIVED", "Flood"]
