"""The pieces of a column's profile: distinct values, histograms, the course over the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

COURSE_POINTS = 160
HISTOGRAM_BARS = 30
_SKETCH = 4096


class Histogram(msgspec.Struct, frozen=True):
    """Bars over a range of numbers (times: seconds since 1970).

    Attributes
    ----------
    counts
        Rows in each bar.
    edges
        One more than bars; bar `k` holds ``edges[k] <= x < edges[k + 1]`` (the last: ``<=``).
    below, above
        Rows outside the edges, which lie at the 0.5 % and 99.5 % quantiles when the tails are long.
    """

    counts: list[int]
    edges: list[float]
    below: int = 0
    above: int = 0


class Moments:
    """Mean and variance, merged block by block (Chan, Golub, LeVeque 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0
        self.low = np.inf
        self.high = -np.inf

    def update(self, values: Floats) -> None:
        """Take in values without NaN."""
        n = len(values)
        if not n:
            return
        mean = float(values.mean())
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(np.square(values - mean).sum())
            shift = mean - self.mean
            total = self.count + n
            self._squares += squares + shift * shift * self.count * n / total
            self.mean += shift * n / total
        self.count = total
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))

    @property
    def std(self) -> float | None:
        """Standard deviation (of the rows as a whole)."""
        return finite(np.sqrt(self._squares / self.count)) if self.count else None


class Course:
    """A mean for each of about 160 equal stretches of the file.

    Parameters
    ----------
    rows
        Number of rows of the file.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.points = min(COURSE_POINTS, max(rows, 1))
        self._sums = np.zeros(self.points)
        self._counts = np.zeros(self.points, np.int64)
        self._rows = np.zeros(self.points, np.int64)

    def update(self, start: int, values: Floats, valid: Mask) -> None:
        """Take in the values of rows from `start` on."""
        at = np.arange(start, start + len(values)) * self.points // self.rows
        self._rows += np.bincount(at, minlength=self.points)
        self._counts += np.bincount(at[valid], minlength=self.points)
        self._sums += np.bincount(at[valid], weights=values[valid], minlength=self.points)

    def means(self) -> list[float | None]:
        """Return the mean of each stretch, None where no row has a value."""
        return [
            # The digits beyond are rounding, which would look like movement where there is none.
            finite(f"{total / count:.12g}") if count else None
            for total, count in zip(self._sums.tolist(), self._counts.tolist(), strict=True)
        ]

    def missing(self) -> list[float]:
        """Return the share of rows without a value in each stretch."""
        return [float(x) for x in 1 - self._counts / np.maximum(self._rows, 1)]


class Distinct:
    """How many different values there are: exact up to a limit, then estimated.

    Beyond the limit the 4,096 smallest of the values' 64-bit hashes are kept; where the largest of
    them lies tells how many there are (Bar-Yossef et al. 2002), within about 2 %.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._all: NDArray[np.uint64] | None = np.empty(0, np.uint64)
        self._least = np.empty(0, np.uint64)

    def update(self, hashes: NDArray[np.uint64]) -> None:
        """Take in the hashes of some values."""
        if self._all is None and len(self._least) == _SKETCH:
            # Those beyond the largest that is kept change nothing: by far the most.
            hashes = hashes[hashes < self._least[-1]]
        fresh = np.unique(hashes)
        if self._all is not None:
            merged = np.union1d(self._all, fresh)
            self._all = merged if len(merged) <= self._limit else None
        self._least = np.union1d(self._least, fresh[:_SKETCH])[:_SKETCH]

    @property
    def exact(self) -> bool:
        """Whether `count` is exact (but for a chance of hash collisions of about one in 10**11)."""
        return self._all is not None

    @property
    def count(self) -> int:
        """Number of different values."""
        if self._all is not None:
            return len(self._all)
        return round((_SKETCH - 1) / (float(self._least[-1]) / 2.0**64))


def hash_numbers(values: Floats) -> NDArray[np.uint64]:
    """64-bit hashes of float64 values (the finaliser of SplitMix64; Steele et al. 2014)."""
    bits = (np.asarray(values, np.float64) + 0.0).view(np.uint64).copy()
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    return np.asarray(bits ^ (bits >> np.uint64(31)), np.uint64)


def hash_texts(values: Any) -> NDArray[np.uint64]:
    """64-bit hashes of an Arrow array of texts, the same on every machine and run."""
    from pandas.util import hash_array

    return np.asarray(hash_array(np.array(values.to_pylist(), object), categorize=False), np.uint64)


def histogram(ordered: Floats, whole: bool) -> Histogram | None:
    """Bars over sorted values; one bar for each value where few whole numbers occur."""
    if not len(ordered):
        return None
    low, high = float(ordered[0]), float(ordered[-1])
    if whole and high - low < HISTOGRAM_BARS and max(abs(low), abs(high)) < 2**50:
        edges = np.arange(np.floor(low), np.floor(high) + 2) - 0.5
    else:
        # An order statistic each: interpolating could overflow.
        inner = np.quantile(ordered, [0.005, 0.995], method="nearest")
        spread, reach = (float(x) for x in (inner[1] / 2 - inner[0] / 2, high / 2 - low / 2))
        if 0 < spread < reach / 3:
            low, high = float(inner[0]), float(inner[1])
        share = np.linspace(0, 1, HISTOGRAM_BARS + 1)
        edges = np.unique(low * (1 - share) + high * share)
        if len(edges) == 1:
            edges = np.repeat(edges, 2)  # one value: a bar without width
    cuts = np.searchsorted(ordered, edges, side="left")
    cuts[-1] = np.searchsorted(ordered, edges[-1], side="right")
    return Histogram(
        counts=[int(n) for n in np.diff(cuts)],
        edges=[float(edge) for edge in edges],
        below=int(cuts[0]),
        above=len(ordered) - int(cuts[-1]),
    )


def finite(value: Any) -> float | None:
    """Return a float, or None where it is not finite (JSON has no word for it)."""
    number = float(value)
    return number if np.isfinite(number) else None
