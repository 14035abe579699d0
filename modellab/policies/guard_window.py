"""Values of rows until they are needed, and the exact quantile of the last so many of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.learners.base import Floats


class RowValues:
    """One number for each of the rows [start, stop); what was put before may be put again.

    Memory: the rows between `start` and `stop`.
    """

    def __init__(self, start: int) -> None:
        self.start = self.stop = start
        self._offset = 0  # where row `start` is in the buffer
        self._buffer = np.empty(64)

    def put(self, row: int, values: Floats) -> None:
        """Set the values of rows from `row` on; later ones are forgotten, rows between are NaN."""
        if row < self.start:
            values, row = values[self.start - row :], self.start
        end = row + len(values)
        self._make_room(end)
        base = self._offset - self.start
        if row > self.stop:
            self._buffer[base + self.stop : base + row] = np.nan
        self._buffer[base + row : base + end] = values
        self.stop = max(end, self.start)

    def _make_room(self, end: int) -> None:
        if self._offset + end - self.start <= len(self._buffer):
            return
        kept = self.values(self.start, self.stop)
        fresh = np.empty(max(2 * (end - self.start), 64))
        fresh[: len(kept)] = kept
        self._buffer, self._offset = fresh, 0

    def values(self, start: int, stop: int) -> Floats:
        """Values of rows [start, stop), start not before `start`; NaN where none was put."""
        base = self._offset - self.start
        inside = self._buffer[base + min(start, self.stop) : base + min(stop, self.stop)]
        if len(inside) == stop - start:
            return inside
        return np.concatenate([inside, np.full(stop - start - len(inside), np.nan)])

    def drop(self, row: int) -> None:
        """Forget the rows before `row`."""
        if row > self.start:
            self._offset += min(row, self.stop) - self.start
            self.start, self.stop = row, max(row, self.stop)

    def state(self) -> dict[str, Any]:
        """Plain values and an array."""
        return {"start": self.start, "values": self.values(self.start, self.stop).copy()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.__init__(state["start"])  # type: ignore[misc]
        self.put(state["start"], state["values"])


class QuantileWindow:
    """Which values exceed the quantile of the `window` values before them; never changed.

    The quantile at level q of w values is the ceil(q * w)-th smallest of them (the inverse of the
    empirical distribution function). The first `window` values are never said to exceed it.

    Parameters
    ----------
    window, level
        w and q.
    values
        The last values in their order, at most w.
    """

    def __init__(
        self, window: int, level: float, values: Floats | None = None, order: Floats | None = None
    ) -> None:
        self.window, self.level = window, level
        self.rank = max(1, math.ceil(level * window - 1e-9))
        self.values = np.empty(0) if values is None else values
        self._order = np.sort(self.values) if order is None else order

    @property
    def quantile(self) -> float:
        """The quantile as it is now; infinite while there are too few values."""
        return float(self._order[self.rank - 1]) if len(self.values) >= self.window else math.inf

    def judge(self, values: Floats) -> tuple[NDArray[np.bool_], QuantileWindow]:
        """Tell which of the next values exceed it, each after those before it joined the window.

        Returns
        -------
        bool (n,), and the window after them.
        """
        over = np.zeros(len(values), dtype=bool)
        at = min(self.window - len(self.values), len(values))
        now = self._filled(values[:at]) if at else self
        if at == len(values):
            return over, now
        return over, now._joined(values[at:], over[at:], first=False)[1]

    def first_over(self, values: Floats) -> tuple[int, QuantileWindow]:
        """Tell which of the next values is the first that exceeds it.

        Returns
        -------
        Its index and the window before it; or -1 and the window after all.
        """
        at = min(self.window - len(self.values), len(values))
        now = self._filled(values[:at]) if at else self
        if at == len(values):
            return -1, now
        done, now = now._joined(values[at:], np.zeros(len(values) - at, dtype=bool), first=True)
        return (-1 if at + done == len(values) else at + done), now

    def _joined(
        self, part: Floats, over: NDArray[np.bool_], *, first: bool
    ) -> tuple[int, QuantileWindow]:
        """Let values join a full window, all of them or up to the first that exceeds it."""
        from modellab.policies.compiled import _quantile

        order = self._order.copy()
        part = np.ascontiguousarray(part, dtype=np.float64)
        done = _quantile.judge(self.values, order, self.rank, part, over.view(np.uint8), first)
        values = part[max(done - self.window, 0) : done].copy()
        if done < self.window:
            values = np.concatenate([self.values[done:], part[:done]])
        return done, QuantileWindow(self.window, self.level, values, order)

    def _filled(self, part: Floats) -> QuantileWindow:
        """Let values join while there are too few."""
        return QuantileWindow(self.window, self.level, np.concatenate([self.values, part]))


def last_known(values: Floats, count: int) -> Floats:
    """The last `count` values that are not NaN, in their order."""
    known = values[~np.isnan(values)]
    return known[len(known) - min(count, len(known)) :]


__all__ = ["QuantileWindow", "RowValues", "last_known"]
