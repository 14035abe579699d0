"""What is added up of one lane's rows where there are two classes: the usual case, and the fastest.

The same sums as those of `modellab.evaluation.tally`, to the bit. A row is kept as a byte (label,
answer, whether the references err) and three numbers that follow from its probabilities, and the
errors after each row go into the buckets of their histories without being written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.compiled import _two_classes
from modellab.evaluation.formulas import area_between
from modellab.evaluation.losses import CLIP, ClassField, ClassSummary
from modellab.evaluation.sums import TILE, fading_powers, powers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.uint8]

_NOTHING = np.empty((0, 0))
_UNKNOWN = np.empty(0, dtype=np.uint8)
_FIELDS = len(ClassField)
_SUMS = int(ClassField.LABEL) + 6
# Bits of a row's code, as in `_two_classes`.
_SECOND, _SAYS_SECOND, _MAJORITY, _NOCHANGE, _SHARES, _NO_MAJORITY, _NO_NOCHANGE = (
    1 << bit for bit in range(7)
)


@dataclass(frozen=True)
class Buckets:
    """Where the mean losses after each row go: the buckets of two histories that are alike.

    Attributes
    ----------
    error, cumulative
        (5, m): count, sum, least, most and last, of the means over the window and over all rows.
    base, width
        Number of the first bucket, and rows in each.
    start
        Position of the first row.
    """

    error: Floats
    cumulative: Floats
    base: int
    width: int
    start: int


_NO_BUCKETS = Buckets(_NOTHING, _NOTHING, 0, 1, 0)


class TwoTally:
    """Sums, totals and last rows of one lane of a task with two classes.

    Parameters
    ----------
    window
        Rows of the window, at least 1.
    fading
        Factor of the fading mean and totals, in [0, 1].
    """

    def __init__(self, window: int, fading: float) -> None:
        self.window = window
        self._summary = ClassSummary(2)
        up, down = fading_powers(fading)
        # The largest power first: rows that came first weigh least.
        self._weights = powers(fading, TILE + 1)[::-1].copy()
        self._core = _two_classes.Core(window, self._weights, up, down)
        # The ring holds the window and the tile that waits; it grows as far as it is used.
        self._most = -(-window // TILE) * TILE + TILE
        self._before = np.zeros((2, _SUMS))
        self._lend(np.zeros(TILE, dtype=np.uint8), np.zeros((3, TILE)))
        self._logs = np.empty(0)

    def _lend(self, codes: Flags, shares: Floats) -> None:
        self._codes, self._shares = codes, shares
        core = self._core
        core.codes, core.shares, core.before = codes, shares, self._before

    def _make_room(self, more: int) -> None:
        count, room = self._core.count, len(self._codes)
        if count + more <= room or room == self._most:
            return
        need = min(-(-max(count + more, 2 * room) // TILE) * TILE, self._most)
        codes, shares = np.zeros(need, dtype=np.uint8), np.zeros((3, need))
        codes[:count], shares[:, :count] = self._codes[:count], self._shares[:, :count]
        self._lend(codes, shares)

    # ------------------------------------------------------------ adding

    def add(
        self,
        y: Ints,
        guess: Ints,
        proba: Floats | None,
        majority: Flags | None,
        nochange: Flags | None,
        losses: Floats,
        out: Floats | None = None,
        buckets: Buckets | None = None,
    ) -> tuple[int, int]:
        """Add rows, scored or not.

        Parameters
        ----------
        y, guess
            Codes (n,) of labels and answers, below 0 where there is none.
        proba
            Probabilities (n, 2), or None.
        majority, nochange
            Whether the references are right, 0 or 1 (n,); None where that is not known.
        losses
            Written: the loss of each row (n,), NaN where it is not scored.
        out
            Written: the mean loss after each row: over the window, over all rows, and fading, if
            there is a third line (2 or 3, n). None: not wanted.
        buckets
            What the mean losses are added to; None: nothing.

        Returns
        -------
        How many rows have no label, and how many have one, but no answer.

        Raises
        ------
        ValueError
            If arrays differ in length, or a code is not one of the classes.
        """
        self._make_room(len(y))
        if len(self._logs) < len(y):
            self._logs = np.empty(len(y))
        shares, logs = _NOTHING, self._logs[:0]
        if proba is not None:
            shares, logs = proba, self._logs[: len(y)]
            _two_classes.own_shares(y, proba, CLIP, logs)
            np.log(logs, out=logs)
        to = buckets or _NO_BUCKETS
        return self._core.add(
            y,
            guess,
            shares,
            logs,
            _UNKNOWN if majority is None else majority,
            _UNKNOWN if nochange is None else nochange,
            losses,
            _NOTHING if out is None else out,
            to.error,
            to.cumulative,
            to.base,
            to.width,
            to.start,
        )

    # ------------------------------------------------------------ asking

    def means(self) -> tuple[float, float, float]:
        """Mean loss after the last row: over the window, over all rows, and fading; NaN before."""
        core = self._core
        if not core.count:
            return (np.nan, np.nan, np.nan)
        return core.recent / self._in_window, core.wrong / core.count, core.fading()

    def now(self, kind: int) -> Floats:
        """Return the totals after the last row: cumulative (0) or fading (1), (t,)."""
        n = self._core.count % TILE
        before: Floats = self._before[kind]
        if n == 0:
            return before.copy()
        weights = self._weights if kind else np.ones(TILE + 1)
        added = self._summary(self._rows(n), weights[TILE + 1 - n :])
        factor = weights[TILE - n]
        # What weighs nothing any more is left out: it might have been infinite.
        return added + before * factor if factor else added

    def of_window(self) -> Floats:
        """Return the totals over the window, each row weighing 1."""
        found = np.empty(_SUMS)
        self._core.last_totals(self._in_window, found)
        return found

    def curve(self) -> float | None:
        """Area under the ROC curve over the window; None when all rows are of one class."""
        if not self._core.shared:
            return None
        n = self._in_window
        shares = np.empty((2, n + 1))
        none, some = self._core.last_shares(n, shares[0], shares[1])
        return area_between(shares[0, :none], shares[1, :some])

    def recent(self) -> Floats:
        """Return the fields of the rows in the window, oldest first (10, m)."""
        return self._rows(self._in_window)

    @property
    def _in_window(self) -> int:
        return min(self._core.count, self.window)

    def _last(self, n: int) -> tuple[Flags, Floats]:
        """Codes and shares of the last `n` rows (copies)."""
        places = np.arange(self._core.count - n, self._core.count) % len(self._codes)
        return self._codes[places], self._shares[:, places]

    def _rows(self, n: int) -> Floats:
        """The fields of the last `n` rows, as of `ClassField`."""
        codes, shares = self._last(n)
        rows = np.empty((_FIELDS, n))
        label, guess = (codes & bit > 0 for bit in (_SECOND, _SAYS_SECOND))
        there = codes & _SHARES > 0
        rows[ClassField.WRONG] = label != guess
        rows[ClassField.ROWS] = 1.0
        rows[ClassField.WITH_PROBA] = there
        rows[ClassField.LOG_LOSS], rows[ClassField.BRIER] = shares[:2]
        for field, errs, unknown in (
            (ClassField.MAJORITY_WRONG, _MAJORITY, _NO_MAJORITY),
            (ClassField.NOCHANGE_WRONG, _NOCHANGE, _NO_NOCHANGE),
        ):
            rows[field] = np.where(codes & unknown, np.nan, codes & errs > 0)
        rows[ClassField.LABEL], rows[ClassField.GUESS] = label, guess
        rows[ClassField.POSITIVE] = np.where(there, shares[2], np.nan)
        return rows

    # ------------------------------------------------------------ state

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        core = self._core
        codes, shares = self._last(min(max(core.count % TILE, self._in_window), len(self._codes)))
        return {
            "wrong": core.wrong,
            "recent": core.recent,
            "codes": codes,
            "shares": shares if core.shared else None,
            "before": self._before.copy(),
            "place": core.place,
            "fading": [core.within, core.faded, core.weighed],
        }

    def load_state(self, state: Mapping[str, Any], count: int) -> None:
        """Take over a state after `count` rows, made with the same settings."""
        core = self._core
        core.count = count
        core.wrong, core.recent, core.place = state["wrong"], state["recent"], state["place"]
        core.within, core.faded, core.weighed = state["fading"]
        self._before = np.array(state["before"], dtype=np.float64)
        room = min(self._most, -(-max(count, 1) // TILE) * TILE)
        codes, shares = np.zeros(room, dtype=np.uint8), np.zeros((3, room))
        kept = np.asarray(state["codes"])
        places = np.arange(count - len(kept), count) % room
        codes[places] = kept
        core.shared = state["shares"] is not None
        if core.shared:
            shares[:, places] = state["shares"]
        self._lend(codes, shares)
