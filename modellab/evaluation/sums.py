"""Sums along a stream: cumulative and over a sliding window, for blocks of rows at once.

All of them give the same bits however the stream is cut into calls, because every addition happens
in an order that follows from the number of rows so far alone. All are stable: nothing is ever
subtracted, so no rounding error stays behind when a large value has left the window.

State is a dict of numbers and arrays (picklable).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.compiled import _scoring

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TILE = 1024
"""Rows that are added up together."""
NARROW = 48
"""Windows of so many values are summed directly."""
_SMALLEST_WEIGHT = 1e-60


def running_sums(carry: Floats, values: Floats) -> Floats:
    """Sums after each row, one addition after the other: carry (m,), values (m, n) -> (m, n)."""
    sums = np.empty((len(values), values.shape[1] + 1))
    for k in range(len(values)):
        sums[k, 0] = carry[k]
        sums[k, 1:] = values[k]
        np.add.accumulate(sums[k], out=sums[k])
    return sums[:, 1:]


def powers(alpha: float, count: int) -> Floats:
    """``alpha ** 0`` to ``alpha ** (count - 1)``, by repeated multiplication."""
    return np.concatenate([[1.0], np.cumprod(np.full(count - 1, alpha))])


def fading_powers(fading: float) -> tuple[Floats, Floats]:
    """Powers of a fading mean's factor for a tile (length + 1,), and what undoes them (length,).

    A tile is so short that no power leaves the floating-point range.
    """
    length = TILE
    if fading == 0.0:
        length = 1
    elif fading < 1.0:
        length = max(1, min(length, int(math.log(_SMALLEST_WEIGHT) / math.log(fading))))
    up = powers(fading, length + 1)
    return up, 1.0 / up[:length]


class WindowSums:
    """Sum of the last `window` values after each value.

    The stream is cut into runs of `window` values. A window covers the end of one run and the
    beginning of the next, so its sum is a suffix sum of the one plus a prefix sum of the other
    (van Herk 1992; Gil and Werman 1993, there for maxima). Narrow windows are summed directly.

    Parameters
    ----------
    window
        Number of values, at least 1.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.count = 0
        narrow = window <= NARROW
        self._recent = np.zeros(window - 1 if narrow else 0)  # oldest first
        self._run = np.empty(0 if narrow else min(window, 4096))
        self._suffix = np.zeros(0)
        self._prefix = 0.0

    def update(self, values: Floats) -> Floats:
        """Add values (n,); return the window's sum after each (n,)."""
        if self.window <= NARROW:
            sums = self._update_narrow(values)
            self.count += len(values)
            return sums
        sums = np.empty(len(values))
        self._make_room(len(values))
        self._prefix = _scoring.window_sums(
            np.ascontiguousarray(values),
            self.window,
            self.count,
            self._prefix,
            self._run,
            self._suffix,
            sums,
        )
        self.count += len(values)
        return sums

    def _update_narrow(self, values: Floats) -> Floats:
        lined = np.concatenate([self._recent, values])
        sums = lined[: len(values)].copy()
        for age in range(1, self.window):
            sums += lined[age : age + len(values)]
        self._recent = lined[len(values) :].copy()
        return sums

    def _make_room(self, more: int) -> None:
        """Room for so many more values of the run, and for the suffix sums once it is over."""
        at = self.count % self.window
        need = min(self.window, at + more)
        if need > len(self._run):
            grown = np.empty(min(self.window, max(need, 2 * len(self._run))))
            grown[:at] = self._run[:at]
            self._run = grown
        if not len(self._suffix) and self.count + more >= self.window:
            self._suffix = np.zeros(self.window + 1)

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        at = self.count % self.window
        return {
            "count": self.count,
            "recent": self._recent.copy(),
            "run": self._run[:at].copy(),
            "suffix": self._suffix.copy(),
            "prefix": self._prefix,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state of sums with the same window."""
        self.count = state["count"]
        self._recent = np.array(state["recent"], dtype=np.float64)
        self._suffix = np.array(state["suffix"], dtype=np.float64)
        self._prefix = state["prefix"]
        if self.window > NARROW:
            run = np.array(state["run"], dtype=np.float64)
            self._run = np.empty(max(min(self.window, 4096), len(run)))
            self._run[: len(run)] = run


class Recent:
    """The last `size` rows of some series, exactly; memory grows only as far as it is used.

    Parameters
    ----------
    size
        Rows kept.
    fields
        Number of series.
    """

    def __init__(self, size: int, fields: int) -> None:
        self.size = size
        self._rows = np.empty((fields, min(size, 1024)))
        self._count = 0

    def append(self, values: Floats) -> None:
        """Add rows (fields, n)."""
        values = values[:, -self.size :] if values.shape[1] > self.size else values
        n = values.shape[1]
        room = self._rows.shape[1]
        if room < self.size and self._count + n > room:
            grown = np.empty((len(self._rows), min(self.size, max(self._count + n, 2 * room))))
            grown[:, : self._count] = self._rows[:, : self._count]
            self._rows, room = grown, grown.shape[1]
        # Until it is full, rows are in order from 0; from then on it is a ring of `size` rows.
        at = self._count % self.size
        first = min(n, room - at)
        self._rows[:, at : at + first] = values[:, :first]
        self._rows[:, : n - first] = values[:, first:]
        self._count += n
        if self._count >= 2 * self.size:
            self._count -= self.size

    def rows(self) -> Floats:
        """Return what is kept, oldest first (fields, m)."""
        if self._count < self.size:
            return self._rows[:, : self._count].copy()
        at = self._count % self.size
        return np.concatenate([self._rows[:, at : self.size], self._rows[:, :at]], axis=1)

    def state(self) -> Floats:
        """Return what is kept."""
        return self.rows()

    def load_state(self, rows: Floats) -> None:
        """Take over what was kept."""
        rows = np.array(rows, dtype=np.float64)
        self._rows = np.empty((len(rows), max(min(self.size, 1024), rows.shape[1])))
        self._rows[:, : rows.shape[1]] = rows
        self._count = rows.shape[1]
