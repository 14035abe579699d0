"""Which columns have a range that is worth guarding: what the training window tells of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from modellab.learners.base import Floats

USUAL = 0.95
"""Where one value takes this share of a column, the others are too few to tell its range."""
LEAST = 30
"""So many values must be in order before a column is taken to only ever grow, or fall."""


class TrainingRange:
    """Lowest and highest value of each column, and whether they say what is to be expected.

    They do not where one value takes at least `USUAL` of a column's values (a sensor that was not
    connected yet, a flag that was hardly ever set), or where at least `LEAST` values never fell, or
    never rose (a clock, a counter, a number given in order): such a column leaves its range with
    time, and no row is bad for that.

    The usual value is found in one pass: in each piece a value that more than half of it have is
    its median; of different ones, as many are struck out in pairs (Boyer and Moore 1991). It is
    counted in another pass, where it can be usual enough.

    Parameters
    ----------
    columns
        How many there are.
    """

    def __init__(self, columns: int) -> None:
        self.low = np.full(columns, np.inf)
        self.high = np.full(columns, -np.inf)
        self._rows = np.zeros(columns, dtype=np.int64)
        self._usual = np.full(columns, np.nan)
        self._ahead = np.zeros(columns, dtype=np.int64)  # of the usual value, less what it met
        self._count = np.zeros(columns, dtype=np.int64)
        self._last = np.full(columns, np.nan)
        self._grows = np.ones(columns, dtype=bool)
        self._falls = np.ones(columns, dtype=bool)

    def take(self, values: Floats) -> None:
        """Take in rows (n, d), in order; NaN is missing."""
        for k in range(values.shape[1]):
            column = values[:, k]
            column = column[~np.isnan(column)]
            if not len(column):
                continue
            self.low[k] = min(self.low[k], column.min())
            self.high[k] = max(self.high[k], column.max())
            self._rows[k] += len(column)
            before = np.concatenate([self._last[k : k + 1], column[:-1]])
            self._grows[k] &= not (column < before).any()
            self._falls[k] &= not (column > before).any()
            self._last[k] = column[-1]
            middle = np.partition(column, len(column) // 2)[len(column) // 2]
            ahead = 2 * int(np.count_nonzero(column == middle)) - len(column)
            if ahead <= 0:
                continue
            if self._usual[k] == middle:
                self._ahead[k] += ahead
            elif ahead > self._ahead[k]:
                self._usual[k], self._ahead[k] = middle, ahead - self._ahead[k]
            else:
                self._ahead[k] -= ahead

    def count(self, values: Floats) -> None:
        """Count the usual values among the same rows, in another pass."""
        self._count += np.count_nonzero(values == self._usual, axis=0)

    def _idle(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns that hardly vary (or have no value), and those that only grow or only fall."""
        with np.errstate(invalid="ignore"):
            still = ~(self.low < self.high) | (self._count >= USUAL * self._rows)
        return still, (self._grows | self._falls) & (self._rows >= LEAST) & ~still

    def widened(self, factor: float) -> tuple[Floats, Floats]:
        """Each range about its middle, `factor` times as wide; unbounded where it says nothing."""
        still, moves = self._idle()
        idle = still | moves
        low, high = np.where(idle, 0.0, self.low), np.where(idle, 0.0, self.high)
        with np.errstate(over="ignore"):
            middle, half = low / 2 + high / 2, (high / 2 - low / 2) * factor
            low, high = middle - half, middle + half
        low[idle], high[idle] = -np.inf, np.inf
        return low, high

    def unguarded(self, names: tuple[str, ...]) -> dict[str, str]:
        """Columns without a range: name to reason, in the order of the columns."""
        still, moves = self._idle()
        found = {}
        for k, name in enumerate(names):
            if still[k]:
                found[name] = "hardly varies in it"
            elif moves[k]:
                found[name] = f"only ever {'grows' if self._grows[k] else 'falls'} in it"
        return found


__all__ = ["TrainingRange"]
