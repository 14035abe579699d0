"""When labels arrive: after a number of rows, or after a span of event time.

A label of row *j* arrives at a row *i* >= *j*, and is known once row *i* was predicted. Labels
become known in order of their rows, so what is known after row *i* is told by one number: the
position before which all labels are known. Faults change when: late labels and outages, each over
what was before it.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Protocol

import numpy as np

from modellab.data.encoding import NO_TIME

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_STRIDE = 1024
_SCAN = 64 * _STRIDE
_LONGEST = 2**62  # ns, 146 years: longer than any stream, and no sum overflows


class Arrivals(Protocol):
    """When labels arrive, told both ways."""

    def upto(self, start: int, stop: int) -> Ints:
        """For each row in [start, stop), the exclusive end of the labels known after it."""
        ...

    def upto_at(self, positions: Ints) -> Ints:
        """Return the same for any non-decreasing positions."""
        ...

    def arrival(self, position: int) -> int:
        """Return the first row after which the label of row `position` is known; N if none."""
        ...


class RowArrivals:
    """Labels arrive `delay` rows after their own row (0: right after it was predicted)."""

    def __init__(self, n_rows: int, train_rows: int, delay: int) -> None:
        self._n_rows, self._train_rows, self.delay = n_rows, train_rows, delay

    def upto(self, start: int, stop: int) -> Ints:
        """For each row in [start, stop), the exclusive end of the labels known after it."""
        ends = np.arange(start + 1 - self.delay, stop + 1 - self.delay, dtype=np.int64)
        # They rise: where the first is not before the deployment point, none is.
        if len(ends) and ends[0] < self._train_rows:
            np.maximum(ends, self._train_rows, out=ends)
        return ends

    def upto_at(self, positions: Ints) -> Ints:
        """Return the same for any non-decreasing positions."""
        return np.maximum(positions + (1 - self.delay), self._train_rows)

    def arrival(self, position: int) -> int:
        """Return the first row after which the label of row `position` is known."""
        if position < self._train_rows:
            return position
        return min(position + self.delay, self._n_rows)


class TimeArrivals:
    """Labels arrive at the first row whose time is `span` or more after the label's own row.

    The clock is the latest time of all rows so far, so that it never runs backwards where rows are
    out of order or have no time. Only the clock at the end of every 1,024th row is kept (8 bytes
    each), read as far as it is needed; everything else is looked up again in the store.

    Parameters
    ----------
    times
        ``times(start, stop)``: int64 nanoseconds, the smallest int64 where missing.
    n_rows, train_rows
        N and T.
    span
        Nanoseconds, not negative.
    """

    def __init__(
        self, times: Callable[[int, int], Ints], n_rows: int, train_rows: int, span: int
    ) -> None:
        self._times, self._n_rows = times, n_rows
        self._train_rows, self._span = train_rows, min(span, _LONGEST)
        self._ends = array("q")
        self._block: tuple[int, Ints] = (-1, np.empty(0, dtype=np.int64))

    def upto(self, start: int, stop: int) -> Ints:
        """For each row in [start, stop), the exclusive end of the labels known after it."""
        return self.upto_at(np.arange(start, stop, dtype=np.int64))

    def upto_at(self, positions: Ints) -> Ints:
        """Return the same for any non-decreasing positions."""
        if not len(positions):
            return np.empty(0, dtype=np.int64)
        clock = self._clock(positions)
        # Written so that it can't pass below the smallest int64.
        due = np.where(clock >= NO_TIME + self._span, clock - self._span, NO_TIME)
        known = self._count_upto(due)
        known[clock == NO_TIME] = 0  # before the first time there is no telling
        known = np.minimum(known, positions + 1)
        return np.maximum(known, self._train_rows)

    def arrival(self, position: int) -> int:
        """Return the first row after which the label of row `position` is known; N if none."""
        if position < self._train_rows:
            return position
        due = int(self._clock_of(position // _STRIDE)[position % _STRIDE])
        # Rows before the first time are known as soon as there is any time.
        due = NO_TIME + 1 if due == NO_TIME else due + self._span
        block = position // _STRIDE
        while block * _STRIDE < self._n_rows:
            self._extend(block + 1)
            if self._ends[block] >= due:
                found = block * _STRIDE + int(np.searchsorted(self._clock_of(block), due))
                return max(found, position)
            block += 1
        return self._n_rows

    def _count_upto(self, due: Ints) -> Ints:
        """For each non-decreasing time, how many rows have a clock that is not later."""
        ends = np.frombuffer(self._ends, dtype=np.int64)
        blocks = np.searchsorted(ends, due, side="right")
        del ends  # an array that is looked at can't grow
        counts = np.empty(len(due), dtype=np.int64)
        edges = np.flatnonzero(np.diff(blocks)) + 1
        for lo, hi in zip([0, *edges.tolist()], [*edges.tolist(), len(due)], strict=True):
            block = int(blocks[lo])
            if block < len(self._ends):
                within = np.searchsorted(self._clock_of(block), due[lo:hi], side="right")
                counts[lo:hi] = block * _STRIDE + within
            else:
                counts[lo:hi] = min(block * _STRIDE, self._n_rows)
        return counts

    def _extend(self, blocks: int) -> None:
        """Know the clock at the end of the first `blocks` blocks."""
        while len(self._ends) < blocks:
            start = len(self._ends) * _STRIDE
            stop = min(start + _SCAN, max(blocks * _STRIDE, start + _STRIDE), self._n_rows)
            times = self._times(start, stop)
            latest = np.maximum.reduceat(times, np.arange(0, stop - start, _STRIDE))
            latest[0] = max(int(latest[0]), self._ends[-1] if self._ends else NO_TIME)
            self._ends.extend(np.maximum.accumulate(latest).tolist())

    def _clock_of(self, block: int) -> Ints:
        """Clock after each row of a block (the last one asked for is kept)."""
        if self._block[0] != block:
            start = block * _STRIDE
            self._extend(block + 1)
            times = np.array(self._times(start, min(start + _STRIDE, self._n_rows)))
            if block:
                times[0] = max(int(times[0]), self._ends[block - 1])
            self._block = block, np.maximum.accumulate(times)
        return self._block[1]

    def _clock(self, positions: Ints) -> Ints:
        blocks = positions // _STRIDE
        edges = (np.flatnonzero(np.diff(blocks)) + 1).tolist()
        parts = []
        for lo, hi in zip([0, *edges], [*edges, len(positions)], strict=True):
            block = int(blocks[lo])
            parts.append(self._clock_of(block)[positions[lo:hi] - block * _STRIDE])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class LateArrivals:
    """Labels of rows [start, stop) arrive later than before, by `shift`.

    Labels become known in order, so later ones wait for them.

    Parameters
    ----------
    before
        When labels arrive without this fault.
    start, stop
        The rows whose labels are late, start >= T.
    shift
        When what happens at a row comes to be known: arrivals with a training window of 0 rows.
    train_rows, n_rows
        T and N.
    """

    def __init__(
        self,
        before: Arrivals,
        start: int,
        stop: int,
        shift: Arrivals,
        train_rows: int,
        n_rows: int,
    ) -> None:
        self._before, self._shift = before, shift
        self._start, self._stop = start, min(stop, n_rows)
        self._train_rows, self._n_rows = train_rows, n_rows
        self._last = self._late(self._stop - 1) if self._start < self._stop else 0

    def _late(self, position: int) -> int:
        usual = self._before.arrival(position)
        return usual if usual >= self._n_rows else self._shift.arrival(usual)

    def upto(self, start: int, stop: int) -> Ints:
        """For each row in [start, stop), the exclusive end of the labels known after it."""
        return self.upto_at(np.arange(start, stop, dtype=np.int64))

    def upto_at(self, positions: Ints) -> Ints:
        """Return the same for any non-decreasing positions."""
        usual = self._before.upto_at(positions)
        if self._start >= self._stop or not len(usual) or usual[-1] <= self._start:
            return usual
        # A late label is known after row i if it was usually known after a row q whose news are
        # through by then: the last such q.
        through = self._shift.upto_at(positions) - 1
        late = self._before.upto_at(np.maximum(through, 0))
        late[through < 0] = self._train_rows
        held = np.where(late < self._stop, np.maximum(late, self._start), usual)
        return np.where(usual <= self._start, usual, held)

    def arrival(self, position: int) -> int:
        """Return the first row after which the label of row `position` is known; N if none."""
        if position < self._start or self._start >= self._stop:
            return self._before.arrival(position)
        if position < self._stop:
            return self._late(position)
        return max(self._before.arrival(position), self._last)


class OutageArrivals:
    """No label arrives during rows [start, stop); all that waited are known once row `stop` was.

    Parameters
    ----------
    before
        When labels arrive without this fault.
    start, stop
        The rows of the outage, start >= T.
    train_rows, n_rows
        T and N.
    """

    def __init__(
        self, before: Arrivals, start: int, stop: int, train_rows: int, n_rows: int
    ) -> None:
        self._before = before
        self._start, self._stop = start, min(stop, n_rows)
        self._n_rows = n_rows
        edges = np.array([max(start - 1, 0), max(self._stop - 1, 0)], dtype=np.int64)
        if self._start >= self._stop:
            self.held = (train_rows, train_rows)
        else:
            first, last = before.upto_at(edges).tolist()
            self.held = (first if start else train_rows, last)

    def upto(self, start: int, stop: int) -> Ints:
        """For each row in [start, stop), the exclusive end of the labels known after it."""
        return self.upto_at(np.arange(start, stop, dtype=np.int64))

    def upto_at(self, positions: Ints) -> Ints:
        """Return the same for any non-decreasing positions."""
        usual = self._before.upto_at(positions)
        out = (positions >= self._start) & (positions < self._stop)
        return np.where(out, self.held[0], usual) if out.any() else usual

    def arrival(self, position: int) -> int:
        """Return the first row after which the label of row `position` is known; N if none."""
        usual = self._before.arrival(position)
        return self._stop if self._start <= usual < self._stop else usual
