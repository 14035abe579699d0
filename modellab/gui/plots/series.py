"""Series for the screen: reduced to what pixels can show, and bounded recordings (no Qt)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def decimate(x: Floats, y: Floats, low: float, high: float, pixels: int) -> tuple[Floats, Floats]:
    """Return what of a series can be seen between `low` and `high`, at most two points a pixel.

    Every group of about a pixel's width keeps its least and its greatest value, in their order, so
    that no peak is lost; the first and the last point stay where they are, and so do gaps (NaN).

    Parameters
    ----------
    x
        Increasing positions (n,).
    y
        Values (n,), NaN where there is none.
    low, high
        The visible range of x; one point beyond either end is kept, so that lines reach the edge.
    pixels
        Width of the range on screen.

    Returns
    -------
    tuple of ndarray
        Positions and values, both (m,) with m at most about three times `pixels`.
    """
    first = max(0, int(np.searchsorted(x, low, side="left")) - 1)
    last = min(len(x), int(np.searchsorted(x, high, side="right")) + 1)
    x, y = x[first:last], y[first:last]
    count, pixels = len(x), max(1, pixels)
    if count <= 2 * pixels + 4:
        return x, y
    # Groups begin at fixed multiples of their size, so that a growing series does not shimmer.
    size = -(-count // pixels)
    begin = min(-first % size, count)
    groups = (count - begin) // size
    end = begin + groups * size
    inner = y[begin:end].reshape(groups, size)
    starts = np.arange(begin, end, size)
    # The groups at either end may be cut.
    parts = [np.array([0, count - 1]), _extremes(y, 0, begin), _extremes(y, end, count)]
    gaps = np.isnan(inner)
    if gaps.any():
        # A group with a gap in it keeps one missing point.
        holed = np.flatnonzero(gaps.any(axis=1))
        parts.append(starts[holed] + gaps[holed].argmax(axis=1))
        parts.append(starts + np.where(gaps, np.inf, inner).argmin(axis=1))
        parts.append(starts + np.where(gaps, -np.inf, inner).argmax(axis=1))
    else:
        parts.append(starts + inner.argmin(axis=1))
        parts.append(starts + inner.argmax(axis=1))
    mask = np.zeros(count, dtype=bool)
    mask[np.concatenate(parts)] = True
    return x[mask], y[mask]


def decimate_all(
    x: Floats, ys: Floats, low: float, high: float, pixels: int
) -> tuple[Floats, Floats]:
    """Return what `decimate` would of several series with the same positions, all in one go.

    Parameters
    ----------
    x
        Increasing positions (n,).
    ys
        Values (k, n) without gaps.
    low, high, pixels
        As for `decimate`.

    Returns
    -------
    tuple of ndarray
        Positions and values, both (k, m): as many for each series, so that a point may come twice.
    """
    first = max(0, int(np.searchsorted(x, low, side="left")) - 1)
    last = min(len(x), int(np.searchsorted(x, high, side="right")) + 1)
    x, ys = x[first:last], ys[:, first:last]
    count, pixels = len(x), max(1, pixels)
    if count <= 2 * pixels + 4:
        return np.broadcast_to(x, ys.shape), ys
    size = -(-count // pixels)
    begin = min(-first % size, count)
    groups = (count - begin) // size
    end = begin + groups * size
    inner = ys[:, begin:end].reshape(len(ys), groups, size)
    starts = np.arange(begin, end, size)
    least, most = inner.argmin(axis=2) + starts, inner.argmax(axis=2) + starts
    # The groups at either end may be cut: they are less than a pixel wide, and stay whole.
    chosen = np.empty((len(ys), 2 + count - groups * (size - 2)), np.intp)
    chosen[:, 0], chosen[:, -1] = 0, count - 1
    chosen[:, 1 : begin + 1] = np.arange(begin)
    inside = chosen[:, begin + 1 : begin + 1 + 2 * groups]
    np.minimum(least, most, out=inside[:, ::2])
    np.maximum(least, most, out=inside[:, 1::2])
    chosen[:, begin + 1 + 2 * groups : -1] = np.arange(end, count)
    return x[chosen], np.take_along_axis(ys, chosen, axis=1)


def _extremes(y: Floats, start: int, stop: int) -> NDArray[np.int64]:
    """Return where `y` is least, greatest and (if so) missing between two places."""
    part = y[start:stop]
    if not len(part):
        return np.empty(0, np.int64)
    gap = np.isnan(part)
    found = [np.where(gap, np.inf, part).argmin(), np.where(gap, -np.inf, part).argmax()]
    if gap.any():
        found.append(gap.argmax())
    return start + np.array(found, np.int64)


class Recording:
    """Values over positions, at most `capacity` points: when full, every other one is dropped.

    The newest point always stays until a newer one comes, so the end of the line is true.

    Parameters
    ----------
    names
        What is recorded at every position.
    capacity
        Largest number of points, an even number of at least 4.
    """

    def __init__(self, names: tuple[str, ...], capacity: int = 4096) -> None:
        self.names = names
        self.capacity = capacity
        self._x = np.empty(capacity)
        self._values = np.empty((len(names), capacity))
        self._n = 0
        self._step = 0.0
        self.version = 0
        """Grows with every change."""

    def __len__(self) -> int:
        return self._n

    def add(self, position: int, *values: float) -> None:
        """Record values at `position`; what was recorded there or later before is forgotten."""
        n = self._n
        if n and position <= self._x[n - 1]:
            same = position == self._x[n - 1] and np.array_equal(values, self._values[:, n - 1])
            if same:
                return
            n = int(np.searchsorted(self._x[:n], position, side="left"))
        # The last point gives way while it is nearer to its neighbour than the series is wide.
        if n >= 2 and position - self._x[n - 2] < self._step:
            n -= 1
        if n == self.capacity:
            n = self._thin()
        self._x[n] = position
        self._values[:, n] = values
        self._n = n + 1
        self.version += 1

    def _thin(self) -> int:
        half = self.capacity // 2
        self._x[:half] = self._x[: self.capacity : 2]
        self._values[:, :half] = self._values[:, : self.capacity : 2]
        self._step = (self._x[half - 1] - self._x[0]) / half
        return half

    def forget_after(self, position: int) -> None:
        """Drop what was recorded beyond `position`: the replay went back."""
        n = int(np.searchsorted(self._x[: self._n], position, side="right"))
        if n != self._n:
            self._n = n
            self.version += 1

    @property
    def x(self) -> Floats:
        """Positions (n,)."""
        return self._x[: self._n]

    def values(self, name: str) -> Floats:
        """Return the values (n,) of one thing."""
        return self._values[self.names.index(name), : self._n]


class AutoRange:
    """A robust range for an axis: it grows at once, shrinks slowly, and does not follow outliers.

    Parameters
    ----------
    floor
        A value that is always inside, such as 0 for costs; None for none.
    limits
        Values beyond which the range never goes, such as (0, 1) for error rates.
    """

    def __init__(
        self,
        *,
        floor: float | None = None,
        limits: tuple[float | None, float | None] = (None, None),
    ) -> None:
        self.floor, self.limits = floor, limits
        self.low, self.high = 0.0, 1.0
        self._known = False
        self._shrunk = 0.0

    def reset(self) -> None:
        """Take the next range as it comes."""
        self._known = False

    def update(self, parts: list[Floats], now: float) -> bool:
        """Follow the visible values; returns whether the range changed.

        Parameters
        ----------
        parts
            Visible values of every line (n,), or of several lines (k, n); NaN are passed over.
        now
            Seconds of any clock: shrinking happens at most twice a second.
        """
        if self._known and now - self._shrunk < 0.5 and self._inside(parts):
            return False
        wanted = self._wanted(parts)
        if wanted is None:
            return False
        low, high = wanted
        before = (self.low, self.high)
        if not self._known:
            self.low, self.high, self._known, self._shrunk = low, high, True, now
        else:
            span = self.high - self.low
            # In steps, as what is written beside the axis must be written again: as soon as the
            # room between the values and the edge is used up but for a third.
            if low < self.low - 0.04 * span:
                self.low = low
            if high > self.high + 0.04 * span:
                self.high = high
            if now - self._shrunk >= 0.5:
                self._shrunk = now
                # Only where a good part of the room is unused, and then half way.
                if low > self.low + 0.12 * span:
                    self.low += 0.5 * (low - self.low)
                if high < self.high - 0.12 * span:
                    self.high -= 0.5 * (self.high - high)
        return before != (self.low, self.high)

    def _inside(self, parts: list[Floats]) -> bool:
        """Whether nothing lies outside the range: then there is nothing to grow for."""
        low, high = self.low, self.high
        return not any(bool(((part < low) | (part > high)).any()) for part in parts)

    def _wanted(self, parts: list[Floats]) -> tuple[float, float] | None:
        lows, highs = [], []
        for part in (row for rows in parts for row in np.atleast_2d(rows)):
            good = part[np.isfinite(part)]
            if not good.size:
                continue
            if good.size > 40:
                cut = int(0.005 * good.size)
                ordered = np.partition(good, (cut, good.size - 1 - cut))
                least, greatest = ordered[cut], ordered[good.size - 1 - cut]
            else:
                least, greatest = good.min(), good.max()
            # The present value is always in sight.
            lows.append(min(float(least), float(good[-1])))
            highs.append(max(float(greatest), float(good[-1])))
        if not lows:
            return None
        low, high = min(lows), max(highs)
        if self.floor is not None:
            low, high = min(low, self.floor), max(high, self.floor)
        span = high - low
        if span <= 0:
            span = max(abs(high) * 0.1, 1e-9 if self.limits[1] is None else 0.01)
            low, high = low - span / 2, high + span / 2
        pad = 0.06 * span
        low = low if self.floor is not None and low == self.floor else low - pad
        high = high if self.floor is not None and high == self.floor else high + pad
        least_limit, most_limit = self.limits
        if least_limit is not None:
            low = max(low, least_limit)
        if most_limit is not None:
            high = min(high, most_limit)
        return (low, high) if high > low else (low, low + pad + 1e-9)
