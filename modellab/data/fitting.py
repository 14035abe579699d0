"""What a column encoder learns from the training window: tallies that are fed chunk by chunk.

Memory is bounded: nothing grows with the number of rows but the sample for the medians, which is
capped (exact up to the cap), and the levels of a category, of which there is one dictionary anyway.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.categories import LEVEL_LIMIT, CategoryColumn, category_chunks
from modellab.data.encoding import (
    NO_TIME,
    TIME_PARTS,
    BooleanColumn,
    NumberColumn,
    TimeColumn,
    boolean_array,
    number_array,
    time_array,
    time_part,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

_DAY = 86_400 * 10**9
# A part of a time is used when the training window holds nearly a whole cycle of it.
_CYCLE_DAYS = {"hour of day": 0.9, "weekday": 6.3, "month": 330.0}


class NumberTally:
    """Median, mean and spread of a number in two passes.

    The first pass finds the median (of a sample given by the caller) and the sum; the second the
    squared deviations around the mean of the imputed column, which loses no digits to cancellation.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._known = self._missing = 0
        self._sum = 0.0
        self._low, self._high = math.inf, -math.inf
        self._sample: list[NDArray[np.float64]] = []
        self._median = self._mean = 0.0
        self._squares = 0.0

    def first(self, column: pa.ChunkedArray[Any], keep: NDArray[np.bool_] | None) -> None:
        """Take a chunk in the first pass; `keep` marks the rows of the median's sample."""
        numbers = number_array(column)
        finite = np.isfinite(numbers)
        known = numbers[finite]
        self._known += len(known)
        self._missing += len(numbers) - len(known)
        if len(known):
            with np.errstate(over="ignore"):
                self._sum += float(known.sum())
            self._low = min(self._low, float(known.min()))
            self._high = max(self._high, float(known.max()))
            self._sample.append(known if keep is None else numbers[finite & keep])

    def between(self) -> None:
        """End the first pass."""
        sample = np.concatenate(self._sample) if self._sample else np.empty(0)
        self._sample = []
        if len(sample):
            # Halved first: the middle of two huge numbers must not overflow.
            self._median = float(np.median(sample / 2.0)) * 2.0
        total = self._known + self._missing
        if total:
            # Not (sum + missing * median) / total: the parts may be huge.
            self._mean = self._sum / total + self._median * (self._missing / total)
        if not math.isfinite(self._mean):
            self._mean = self._median

    def second(self, column: pa.ChunkedArray[Any]) -> None:
        """Take a chunk in the second pass."""
        numbers = number_array(column)
        known = numbers[np.isfinite(numbers)]
        with np.errstate(over="ignore"):
            self._squares += float(np.square(known - self._mean).sum())

    def encoder(self) -> NumberColumn:
        """Return the fitted encoder."""
        return NumberColumn(self.name, self._median, self._mean, self._std(), self._missing > 0)

    def _std(self) -> float:
        total = self._known + self._missing
        if not total or self._low == self._high == self._median:
            return 1.0
        try:
            squares = self._squares + self._missing * (self._median - self._mean) ** 2
        except OverflowError:
            squares = math.inf
        std = math.sqrt(squares / total)
        if not math.isfinite(std):
            # Numbers near the end of the floating-point range: their range serves as well.
            return max(abs(self._low), abs(self._high))
        # As in scikit-learn: a spread that is all rounding error counts as none.
        rounding = total * np.finfo(np.float64).eps * abs(self._mean)
        return std if std > rounding else 1.0


class BooleanTally:
    """How often a boolean is true, false and missing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._counts = np.zeros(3, dtype=np.int64)

    def first(self, column: pa.ChunkedArray[Any], keep: NDArray[np.bool_] | None) -> None:
        """Take a chunk."""
        self._counts += np.bincount(boolean_array(column) + 1, minlength=3)

    def encoder(self) -> BooleanColumn:
        """Return the fitted encoder."""
        missing, false, true = self._counts.tolist()
        return BooleanColumn(self.name, true > false, missing > 0)


class CategoryTally:
    """How often each level of a category occurs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._missing = 0
        self._counts: dict[str, int] = {}
        self._dictionary: pa.Array[Any] | None = None
        self._by_code = np.zeros(0, dtype=np.int64)

    def first(self, column: pa.ChunkedArray[Any], keep: NDArray[np.bool_] | None) -> None:
        """Take a chunk."""
        for codes, dictionary in category_chunks(column):
            if self._dictionary is None or not dictionary.equals(self._dictionary):
                self._settle()
                self._dictionary = dictionary
                self._by_code = np.zeros(len(dictionary), dtype=np.int64)
            counts = np.bincount(codes + 1, minlength=len(dictionary) + 1)
            self._missing += int(counts[0])
            self._by_code += counts[1:]

    def _settle(self) -> None:
        """Count by text what was counted by code, before another dictionary comes."""
        if self._dictionary is None:
            return
        used = np.flatnonzero(self._by_code)
        levels = self._dictionary.take(used).to_pylist()
        for level, count in zip(levels, self._by_code[used].tolist(), strict=True):
            if level is None:
                self._missing += count
            else:
                self._counts[level] = self._counts.get(level, 0) + count
        self._dictionary = None

    def encoder(self, hashed: int = 0) -> CategoryColumn:
        """Return the fitted encoder; `hashed`: columns that all other values are hashed into."""
        self._settle()
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))[:LEVEL_LIMIT]
        rank = sum(count >= self._missing for _, count in ranked) if self._missing else None
        return CategoryColumn(self.name, [level for level, _ in ranked], rank, hashed)


class TimeTally:
    """Which parts of a time vary in the training window, over at least a cycle.

    A part that has not gone round once can't be told from a trend: the months of a training window
    from January to March would say nothing about July, but a model would use them for it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._missing = 0
        self._low, self._high = np.iinfo(np.int64).max, NO_TIME
        self._ranges = dict.fromkeys(TIME_PARTS, (10**9, -1))

    def first(self, column: pa.ChunkedArray[Any], keep: NDArray[np.bool_] | None) -> None:
        """Take a chunk."""
        ticks = time_array(column)
        known = ticks[ticks != NO_TIME]
        self._missing += len(ticks) - len(known)
        if not len(known):
            return
        self._low = min(self._low, int(known.min()))
        self._high = max(self._high, int(known.max()))
        for part, (low, high) in self._ranges.items():
            steps = time_part(known, part)
            self._ranges[part] = min(low, int(steps.min())), max(high, int(steps.max()))

    def encoder(self, elapsed: bool = False) -> TimeColumn:
        """Return the fitted encoder; `elapsed`: with the time elapsed since the start."""
        days = (self._high - self._low) / _DAY
        parts = tuple(
            part
            for part, (low, high) in self._ranges.items()
            if low < high and days >= _CYCLE_DAYS[part]
        )
        since = (self._low, self._high - self._low) if elapsed and self._low <= self._high else None
        return TimeColumn(self.name, parts, self._missing > 0, since)
