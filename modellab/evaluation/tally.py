"""What is added up of one lane's scored rows: sums along them, totals, and the last rows.

All of it is done in one pass over the rows (`modellab.evaluation.compiled._tally`), and gives the
same bits however the stream is cut into calls, because every addition happens in an order that
follows from the number of rows so far alone. All sums are stable: nothing is ever subtracted.

The loss after each row
-----------------------
Its mean over the last `window` rows: the stream is cut into runs of `window` rows. A window covers
the end of one run and the beginning of the next, so its sum is a suffix sum of the one plus a
prefix sum of the other (van Herk 1992; Gil and Werman 1993, there for maxima). Narrow windows are
summed directly.

Its fading mean, in which a row of age `a` weighs ``alpha ** a``: within a tile of rows,
``S(k) = alpha^(k+1) S(before) + alpha^k * sum x(j) alpha^-j``; the tile is short enough that no
power leaves the floating-point range.

Totals
------
Weighted totals over all rows so far, cumulative and fading: rows wait until there are `TILE` of
them and are then added up together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.compiled import _tally
from modellab.evaluation.sums import NARROW, TILE, WindowSums, fading_powers, powers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.evaluation.losses import Summary

    Floats = NDArray[np.float64]
    Flags = NDArray[np.uint8]

_NO_PROBA = np.empty((0, 0))
_NO_LOGS = np.empty(0)
_UNKNOWN = np.empty(0, dtype=np.uint8)
_LEAST_RUN = 4096


class Tally:
    """Sums, totals and last rows of one lane.

    Parameters
    ----------
    summary
        What the totals are of.
    stored
        Fields that wait for their totals; a row may have more, which are only kept.
    kept
        Fields of the last rows that are told by `recent`.
    window
        Rows of the window, at least 1.
    fading
        Factor of the fading mean and totals, in [0, 1]; 1 never forgets, 0 knows the last row only.
    """

    def __init__(
        self, summary: Summary, stored: int, kept: slice, window: int, fading: float
    ) -> None:
        self._summary, self._stored, self._kept = summary, stored, kept
        self.window = window
        fields = max(stored, kept.stop)
        up, down = fading_powers(fading)
        # The largest power first: rows that came first weigh least.
        self._weights = np.array([powers(alpha, TILE + 1)[::-1] for alpha in (1.0, fading)])
        self._narrow = WindowSums(window) if window <= NARROW else None
        self._core = _tally.Core(
            fields,
            summary.fields,
            summary.classes,
            0 if window <= NARROW else window,
            self._weights,
            up,
            down,
        )
        # The ring holds the window and the tile that waits; it grows as far as it is used.
        self._most = -(-window // TILE) * TILE + TILE
        self._ring = np.empty((fields, TILE))
        self._before = np.zeros((2, summary.fields + 3 * summary.classes))
        self._run = np.empty(0 if window <= NARROW else min(window, _LEAST_RUN))
        self._suffix = np.empty(0)
        self._lend()

    def _lend(self) -> None:
        core = self._core
        core.ring, core.before, core.run = self._ring, self._before, self._run
        core.suffix = self._suffix

    def _make_room(self, more: int) -> None:
        """Room for so many more rows, and for the window's suffix sums once a run is over."""
        count, room = self._core.count, self._ring.shape[1]
        if count + more > room and room < self._most:
            need = -(-max(count + more, 2 * room) // TILE) * TILE
            grown = np.empty((len(self._ring), min(need, self._most)))
            grown[:, :count] = self._ring[:, :count]
            self._ring = self._core.ring = grown
        if self._narrow is not None:
            return
        at = count % self.window
        need = min(self.window, at + more)
        if need > len(self._run):
            run = np.empty(min(self.window, max(need, 2 * len(self._run))))
            run[:at] = self._run[:at]
            self._run = self._core.run = run
        if not len(self._suffix) and count + more >= self.window:
            self._suffix = self._core.suffix = np.zeros(self.window + 1)

    # ------------------------------------------------------------ adding

    def add_classes(
        self,
        y: NDArray[np.int64],
        guess: NDArray[np.int64],
        proba: Floats | None,
        logs: Floats | None,
        majority: Flags | None,
        nochange: Flags | None,
        fading: bool = True,
    ) -> Floats:
        """Add rows of a classification that have a label and an answer.

        Parameters
        ----------
        y, guess
            Codes (n,), all of them classes.
        proba, logs
            Probabilities (n, K), and the logarithm of that of the label, clipped (n,); or None.
        majority, nochange
            Whether the references are right, 0 or 1 (n,); None where that is not known.
        fading
            Whether the fading mean after each row is wanted.

        Returns
        -------
        The mean loss after each row: over the window, over all rows, and fading, (3 or 2, n).
        """
        out = np.empty((2 + fading, len(y)))
        self._make_room(len(y))
        self._core.add_classes(
            y,
            guess,
            _NO_PROBA if proba is None else proba,
            _NO_LOGS if logs is None else logs,
            _UNKNOWN if majority is None else majority,
            _UNKNOWN if nochange is None else nochange,
            out,
        )
        if self._narrow is not None:
            self._windowed(self._narrow, (y != guess).astype(np.float64), out[0])
        return out

    def add_numbers(self, y: Floats, guess: Floats, origin: float, fading: bool = True) -> Floats:
        """Add rows of a regression, all numbers finite; labels are counted from `origin`."""
        out = np.empty((2 + fading, len(y)))
        self._make_room(len(y))
        self._core.add_numbers(y, guess, origin, out)
        if self._narrow is not None:
            self._windowed(self._narrow, np.abs(guess - y), out[0])
        return out

    def _windowed(self, sums: WindowSums, losses: Floats, out: Floats) -> None:
        counts = np.arange(sums.count + 1, sums.count + len(losses) + 1)
        np.divide(sums.update(losses), np.minimum(counts, self.window), out=out)

    # ------------------------------------------------------------ asking

    def fading(self) -> float:
        """Return the fading mean after the last row; NaN before the first."""
        return self._core.fading()

    def now(self, kind: int) -> Floats:
        """Return the totals after the last row: cumulative (0) or fading (1), (t,)."""
        n = self._core.count % TILE
        before: Floats = self._before[kind]
        if n == 0:
            return before.copy()
        added = self._summary(self._last(n), self._weights[kind, TILE + 1 - n :])
        factor = self._weights[kind, TILE - n]
        # What weighs nothing any more is left out: it might have been infinite.
        return added + before * factor if factor else added

    def of_window(self) -> Floats:
        """Return the totals over the window, each row weighing 1."""
        found = np.empty(self._before.shape[1])
        self._core.last_totals(self._in_window, found)
        return found

    def recent(self) -> Floats:
        """Return the fields of the rows in the window, oldest first (f, m)."""
        return self._last(self._in_window)[self._kept]

    @property
    def _in_window(self) -> int:
        return min(self._core.count, self.window)

    def _last(self, n: int) -> Floats:
        room = self._ring.shape[1]
        at = (self._core.count - n) % room if n else 0
        if at + n <= room:
            return self._ring[:, at : at + n].copy()
        return np.concatenate([self._ring[:, at:], self._ring[:, : at + n - room]], axis=1)

    # ------------------------------------------------------------ state

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        core = self._core
        sums: dict[str, Any]
        if self._narrow is not None:
            sums = self._narrow.state()
        else:
            sums = {
                "count": core.count,
                "recent": np.zeros(0),
                "run": self._run[: core.count % self.window].copy(),
                "suffix": self._suffix.copy(),
                "prefix": core.prefix,
            }
        return {
            "loss_sum": core.total,
            "totals": {
                "waiting": self._last(core.count % TILE)[: self._stored],
                "before": [before.copy() for before in self._before],
            },
            "window_sums": sums,
            "fading_mean": {
                "at": core.place,
                "before": [core.faded, core.weighed],
                "within": [core.within, core.within_ones()],
            },
            "recent": self.recent(),
        }

    def load_state(self, state: Mapping[str, Any], count: int) -> None:
        """Take over a state after `count` rows, made with the same settings."""
        core = self._core
        core.count = count
        core.total = float(state["loss_sum"])
        waiting = np.asarray(state["totals"]["waiting"], dtype=np.float64)
        recent = np.asarray(state["recent"], dtype=np.float64)
        room = min(self._most, -(-max(count, 1) // TILE) * TILE)
        self._ring = np.empty((len(self._ring), room))
        for rows, place in ((recent, self._kept), (waiting, slice(0, self._stored))):
            n = rows.shape[1]
            self._ring[place, np.arange(count - n, count) % room] = rows
        shape = self._before.shape
        self._before = np.array(state["totals"]["before"], dtype=np.float64).reshape(shape)
        sums = state["window_sums"]
        if self._narrow is not None:
            self._narrow.load_state(sums)
        else:
            run = np.array(sums["run"], dtype=np.float64)
            self._run = np.empty(max(min(self.window, _LEAST_RUN), len(run)))
            self._run[: len(run)] = run
            self._suffix = np.array(sums["suffix"], dtype=np.float64)
            core.prefix = sums["prefix"]
        fading = state["fading_mean"]
        core.place = fading["at"]
        core.faded, core.weighed = fading["before"]
        core.within = fading["within"][0]
        self._lend()
