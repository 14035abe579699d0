"""Histories of bounded size: what a metric was along the stream, in buckets.

A `Series` is kept in the engine; a `SeriesView` in the window is brought up to date with a
`SeriesDelta`, which holds only the buckets that changed. Neither grows with the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.compiled import _scoring
from modellab.evaluation.parameter_history import (
    ParameterArrays,
    ParameterDelta,
    ParameterHistory,
    ParameterView,
)
from modellab.evaluation.versions import SIZE_BITS, new_filling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "ParameterArrays",
    "ParameterDelta",
    "ParameterHistory",
    "ParameterView",
    "Series",
    "SeriesArrays",
    "SeriesDelta",
    "SeriesView",
]

_FIELDS = ("count", "sum", "min", "max", "last")
_COUNT, _SUM, _MIN, _MAX, _LAST = range(5)
_EMPTY = np.array([0.0, 0.0, np.inf, -np.inf, np.nan])[:, None]


@dataclass(frozen=True)
class SeriesArrays:
    """A whole series. All arrays have one entry for each bucket; NaN where no row has a value.

    Attributes
    ----------
    width
        Rows in a bucket, a power of two.
    starts
        First position of each bucket, int64.
    mean, min, max, last
        Of the values in the bucket, float64.
    count
        Number of values, int64.
    """

    width: int
    starts: Ints
    mean: Floats
    min: Floats
    max: Floats
    last: Floats
    count: Ints

    @property
    def centres(self) -> Floats:
        """Middle position of each bucket."""
        return np.asarray(self.starts + (self.width - 1) / 2.0, dtype=np.float64)


@dataclass(frozen=True)
class SeriesDelta:
    """News of a series: replace all buckets from `from_index` on by these.

    `version` is what to ask the next delta with. The other fields are as in `SeriesArrays`.
    """

    width: int
    from_index: int
    starts: Ints
    mean: Floats
    min: Floats
    max: Floats
    version: int


class Series:
    """A value for each row, kept as at most `capacity` buckets of consecutive rows.

    Buckets are as wide as a power of two and begin at multiples of their width. When there would be
    more than `capacity`, the width doubles and pairs are merged: this depends on positions alone,
    so the buckets are the same, to the bit, however the rows were appended.

    Parameters
    ----------
    capacity
        Largest number of buckets, at least 2.
    """

    def __init__(self, capacity: int = 4096) -> None:
        self.capacity = capacity
        self.width = 1
        self._first: int | None = None
        self._end = 0
        self._widened = 0  # end of the rows when the width last changed
        self._base = 0  # number of the first bucket: its position divided by the width
        self._n = 0
        self._buckets = np.empty((len(_FIELDS), capacity))
        self._filling = new_filling()

    def __len__(self) -> int:
        return self._n

    @property
    def version(self) -> int:
        """Ask `delta` with it later, to get what came after now."""
        return self._filling | self._end

    def append(self, start: int, values: Floats) -> None:
        """Add values (n,) of the rows from position `start` on; NaN where a row has none.

        Raises
        ------
        ValueError
            If `start` lies before the end of what was appended so far.
        """
        at, stop = start, start + len(values)
        while at < stop:
            upto = self.open(at, stop)
            # One addition after the other, the sum so far first, so that any cut gives the same
            # bits.
            _scoring.fill_series(
                self._buckets,
                self._base,
                self.width,
                at,
                np.ascontiguousarray(values[at - start : upto - start]),
            )
            at = upto

    def open(self, start: int, stop: int) -> int:
        """Make room for values of rows from `start` on, which are to be added to the buckets.

        Returns
        -------
        The end of the rows that `buckets` can take as they are, at most `stop` and after `start`;
        they count as added from now on.

        Raises
        ------
        ValueError
            If `start` lies before the end of what was appended so far.
        """
        if self._first is not None and start < self._end:
            raise ValueError(f"rows up to {self._end} are there already, not to be added: {start}")
        if self._first is None:
            self._first, self._base = start, start
        # As many rows as fit into the buckets that there may be at this width.
        while start >= (self._base + self.capacity) * self.width:
            self._widen()
        stop = min(stop, (self._base + self.capacity) * self.width)
        number = (stop - 1) // self.width - self._base + 1
        if number > self._n:
            self._buckets[:, self._n : number] = _EMPTY
            self._n = number
        self._end = stop
        return stop

    def like(self, other: Series) -> bool:
        """Whether the buckets of both are, and will be, of the same rows."""
        return (self.capacity, self.width, self._first, self._base, self._end) == (
            other.capacity,
            other.width,
            other._first,
            other._base,
            other._end,
        )

    @property
    def buckets(self) -> tuple[Floats, int, int]:
        """Where values go: count, sum, least, most and last (5, m); first bucket's number; width.

        The array is changed in place.
        """
        return self._buckets, self._base, self.width

    def _widen(self) -> None:
        """Double the width and merge pairs of buckets."""
        old = self._buckets.copy()
        self._n = _scoring.merge_series(old, self._buckets, self._base, self._n)
        self._base //= 2
        self.width *= 2
        self._widened = self._end

    def arrays(self) -> SeriesArrays:
        """Return the whole series."""
        return self._arrays(0)

    def _arrays(self, low: int) -> SeriesArrays:
        count, total, least, most, last = self._buckets[:, low : self._n]
        starts = np.arange(self._base + low, self._base + self._n, dtype=np.int64) * self.width
        if low == 0 and self._n and self._first is not None:
            starts[0] = self._first
        filled = count > 0
        return SeriesArrays(
            width=self.width,
            starts=starts,
            mean=np.where(filled, total / np.maximum(count, 1.0), np.nan),
            min=np.where(filled, least, np.nan),
            max=np.where(filled, most, np.nan),
            last=last.copy(),
            count=count.astype(np.int64),
        )

    def delta(self, since: int) -> SeriesDelta:
        """Return what changed since the version `since` (0: everything)."""
        low = 0
        position = since & ((1 << SIZE_BITS) - 1)
        if since - position == self._filling and position > self._widened:
            low = min(max(0, position // self.width - self._base), self._n)
        news = self._arrays(low)
        return SeriesDelta(
            self.width, low, news.starts, news.mean, news.min, news.max, self.version
        )

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        return {
            "width": self.width,
            "first": self._first,
            "end": self._end,
            "widened": self._widened,
            "base": self._base,
            "buckets": self._buckets[:, : self._n].copy(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state of a series with the same capacity; the next delta holds everything."""
        self.width, self._first, self._end = state["width"], state["first"], state["end"]
        self._widened, self._base = state["widened"], state["base"]
        buckets = np.asarray(state["buckets"])
        self._n = buckets.shape[1]
        self._buckets[:, : self._n] = buckets
        self._filling = new_filling()


class SeriesView:
    """A copy of a series on the receiving side, brought up to date by deltas."""

    def __init__(self) -> None:
        self.width = 1
        self.version = 0
        """Version of the last delta applied: what to ask the next one with."""
        self._starts = np.empty(0, dtype=np.int64)
        self._values = np.empty((3, 0))
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def apply(self, delta: SeriesDelta) -> None:
        """Take in news.

        Raises
        ------
        ValueError
            If an earlier delta is missing: ask for one since version 0.
        """
        low, n = delta.from_index, delta.from_index + len(delta.starts)
        if low > self._n or (low and delta.width != self.width):
            raise ValueError("the news do not follow what is there")
        if n > len(self._starts):
            room = max(n, 2 * len(self._starts))
            self._starts = np.concatenate(
                [self._starts[:low], np.empty(room - low, dtype=np.int64)]
            )
            self._values = np.concatenate([self._values[:, :low], np.empty((3, room - low))], 1)
        self._starts[low:n] = delta.starts
        self._values[:, low:n] = delta.mean, delta.min, delta.max
        self._n, self.width, self.version = n, delta.width, delta.version

    @property
    def starts(self) -> Ints:
        """First position of each bucket."""
        return self._starts[: self._n]

    @property
    def centres(self) -> Floats:
        """Middle position of each bucket."""
        return np.asarray(self.starts + (self.width - 1) / 2.0, dtype=np.float64)

    @property
    def mean(self) -> Floats:
        """Mean of each bucket, NaN where there is none."""
        return self._values[0, : self._n]

    @property
    def min(self) -> Floats:
        """Least value of each bucket."""
        return self._values[1, : self._n]

    @property
    def max(self) -> Floats:
        """Largest value of each bucket."""
        return self._values[2, : self._n]
