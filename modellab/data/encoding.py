"""How one column becomes numbers: one small class per kind, each with its state as plain values.

Every class has the same methods:

``names(view)``
    Names of the encoded columns (for ``dict``: of the keys).
``fill(column, view, out)``
    Write `n` rows into `out`, float64 (n, d) of zeros, with one column per name.
``values(column)``
    For the ``dict`` view: one list of `n` Python values per key.
``unseen(column)``
    How many cells hold a category that the training window did not.
``state()``
    Plain values that `column_from_state` turns back into the same encoder, to the bit.

All operations are exact per cell (comparisons, look-ups, one subtraction and one division), so the
bits of a cell do not depend on which other rows were asked for with it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from modellab.data.categories import CategoryColumn, HashedColumn
from modellab.data.ordered import OrderedColumn
from modellab.data.text import TextColumn, TextForm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from modellab.data.categories import View

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NO_TIME = int(np.iinfo(np.int64).min)
"""What a missing time is in an int64 array."""
_MINUTE = 60 * 10**9
_DAY = 86_400 * 10**9
TIME_PARTS = ("hour of day", "weekday", "month")
_CYCLES = {"hour of day": 1440, "weekday": 7, "month": 12}


class ColumnEncoder(Protocol):
    """What every column encoder can do (see the module's docstring)."""

    @property
    def name(self) -> str: ...  # noqa: D102
    def names(self, view: View) -> list[str]: ...  # noqa: D102
    def fill(self, column: pa.ChunkedArray[Any], view: View, out: Floats) -> None: ...  # noqa: D102
    def values(self, column: pa.ChunkedArray[Any]) -> list[list[Any]]: ...  # noqa: D102
    def unseen(self, column: pa.ChunkedArray[Any]) -> int: ...  # noqa: D102
    def state(self) -> dict[str, Any]: ...  # noqa: D102


def number_array(column: pa.ChunkedArray[Any]) -> Floats:
    """Numbers as float64 (n,), NaN where missing."""
    import pyarrow as pa

    if not pa.types.is_float64(column.type):
        column = column.cast(pa.float64())
    if column.num_chunks == 1:  # not copied where none is missing
        numbers = column.chunk(0).to_numpy(zero_copy_only=False)
    else:
        numbers = column.to_numpy()
    return np.asarray(numbers, dtype=np.float64)


def boolean_array(column: pa.ChunkedArray[Any]) -> NDArray[np.int8]:
    """Booleans as int8 (n,): 0, 1, or -1 where missing."""
    import pyarrow as pa

    codes = column.cast(pa.int8())
    if codes.null_count:
        codes = codes.fill_null(pa.scalar(-1, pa.int8()))
    return np.asarray(codes.to_numpy(), dtype=np.int8)


def time_array(column: pa.ChunkedArray[Any]) -> Ints:
    """Times as int64 nanoseconds since 1970 UTC (n,), the smallest int64 where missing."""
    import pyarrow as pa

    ticks = column.cast(pa.int64())
    if ticks.null_count:
        ticks = ticks.fill_null(pa.scalar(NO_TIME, pa.int64()))
    return np.asarray(ticks.to_numpy(), dtype=np.int64)


@dataclass(frozen=True)
class NumberColumn:
    """A number: imputed with the training median; standardised in the ``scaled`` view.

    Infinite values count as missing. When a value was missing in the training window there is a
    second column, 1 where the value is missing.

    Attributes
    ----------
    median, mean, std
        Of the training window; mean and (population) standard deviation are those of the imputed
        column, as of scikit-learn's `StandardScaler` after `SimpleImputer`. A cold start has
        0, 0 and 1, which changes nothing.
    missing
        Whether a value was missing in the training window.
    """

    kind: ClassVar[str] = "number"
    name: str
    median: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    missing: bool = False

    def names(self, view: View) -> list[str]:
        """Return the names: the column's own, and ``… missing``."""
        return [self.name, f"{self.name} missing"] if self.missing else [self.name]

    def fill(self, column: pa.ChunkedArray[Any], view: View, out: Floats) -> None:
        """Write the rows."""
        fill_numbers([self], [number_array(column)], [0], view, out)

    def values(self, column: pa.ChunkedArray[Any]) -> list[list[Any]]:
        """Return floats, and booleans for what was missing."""
        known, absent = self._imputed(number_array(column))
        if not self.missing:
            return [known.tolist()]
        return [known.tolist(), [False] * len(known) if absent is None else absent.tolist()]

    def unseen(self, column: pa.ChunkedArray[Any]) -> int:
        """Return 0: a number is no category."""
        return 0

    def _imputed(self, numbers: Floats) -> tuple[Floats, NDArray[np.bool_] | None]:
        """Numbers without gaps, and where the gaps were; None if there were none."""
        there = np.isfinite(numbers)
        if there.all():
            return numbers, None
        return np.where(there, numbers, self.median), ~there

    def state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"kind": self.kind, **asdict(self)}


def fill_numbers(
    columns: Sequence[NumberColumn],
    arrays: Sequence[Floats],
    places: Sequence[int],
    view: View,
    out: Floats,
) -> None:
    """Write rows of several number columns in one pass.

    Parameters
    ----------
    columns, arrays, places
        The columns, their numbers (n,) with NaN where missing, and which cell of a row each
        becomes (the next one, too, where it has a column of what was missing).
    view, out
        Rows (n, width) of cells in this view.
    """
    from modellab.data.compiled import _fill

    _fill.fill_numbers(
        [np.ascontiguousarray(values) for values in arrays],
        np.array([(c.median, c.mean, c.std) for c in columns], dtype=np.float64).reshape(-1, 3),
        np.array(places, dtype=np.int64),
        np.array([c.missing for c in columns], dtype=np.uint8),
        view == "scaled",
        out,
    )


@dataclass(frozen=True)
class BooleanColumn:
    """A boolean as 0 or 1; a missing one as what was more frequent in the training window."""

    kind: ClassVar[str] = "boolean"
    name: str
    usual: bool = False
    missing: bool = False

    def names(self, view: View) -> list[str]:
        """Return the names: the column's own, and ``… missing``."""
        return [self.name, f"{self.name} missing"] if self.missing else [self.name]

    def fill(self, column: pa.ChunkedArray[Any], view: View, out: Floats) -> None:
        """Write the rows."""
        codes = boolean_array(column)
        absent = codes < 0
        out[:, 0] = np.where(absent, self.usual, codes)
        if self.missing:
            out[:, 1] = absent

    def values(self, column: pa.ChunkedArray[Any]) -> list[list[Any]]:
        """Return booleans."""
        codes = boolean_array(column)
        absent = codes < 0
        known = np.where(absent, self.usual, codes == 1).tolist()
        return [known, absent.tolist()] if self.missing else [known]

    def unseen(self, column: pa.ChunkedArray[Any]) -> int:
        """Return 0."""
        return 0

    def state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class TimeColumn:
    """A time as its place in the day, in the week and in the year, in UTC.

    Dense views: sine and cosine of each part; ordinal and dict: hours with fractions (to the
    minute), weekday from Monday = 0, month from 1. A missing time is 0 in all dense columns (the
    middle of the circle) and -1 in the ordinal ones.

    Time elapsed since the start is left out of every view unless it is asked for: the stream lies
    beyond all that was seen of it in training, so a linear model would extrapolate and a tree could
    not use it.

    Attributes
    ----------
    parts
        The parts that are used, from `TIME_PARTS`.
    missing
        Whether a value was missing in the training window.
    elapsed
        None, or since when (ns since 1970) and how long the training window is (ns): dense views
        have 0 to 1 within it, the others days.
    """

    kind: ClassVar[str] = "time"
    name: str
    parts: tuple[str, ...] = TIME_PARTS
    missing: bool = False
    elapsed: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if self.elapsed is not None:
            object.__setattr__(self, "elapsed", tuple(self.elapsed))

    def names(self, view: View) -> list[str]:
        """Return ``time: weekday (sin)`` and so on, and ``… missing``."""
        names = []
        for part in self.parts:
            if view in ("ordinal", "dict"):
                names.append(f"{self.name}: {part}")
            else:
                names += [f"{self.name}: {part} (sin)", f"{self.name}: {part} (cos)"]
        if self.elapsed is not None:
            names.append(f"{self.name}: elapsed")
        return [*names, f"{self.name} missing"] if self.missing else names

    def fill(self, column: pa.ChunkedArray[Any], view: View, out: Floats) -> None:
        """Write the rows."""
        ticks = time_array(column)
        absent = ticks == NO_TIME
        at = 0
        for part in self.parts:
            steps = time_part(ticks, part)
            if view == "ordinal":
                out[:, at] = _plain(steps, absent, part)
                at += 1
                continue
            circle = _circle(_CYCLES[part])[steps]
            circle[absent] = 0.0
            out[:, at : at + 2] = circle
            at += 2
        if self.elapsed is not None:
            out[:, at] = self._elapsed(ticks, absent, view != "ordinal")
            at += 1
        if self.missing:
            out[:, at] = absent

    def _elapsed(self, ticks: Ints, absent: NDArray[np.bool_], dense: bool) -> Floats:
        assert self.elapsed is not None
        since, span = self.elapsed
        known = np.where(absent, since, ticks) - since
        passed = known / (max(span, 1) if dense else _DAY)
        return np.where(absent, 0.0 if dense else -1.0, passed)

    def values(self, column: pa.ChunkedArray[Any]) -> list[list[Any]]:
        """Return the same numbers as the ordinal view."""
        ticks = time_array(column)
        absent = ticks == NO_TIME
        found = [_plain(time_part(ticks, part), absent, part).tolist() for part in self.parts]
        if self.elapsed is not None:
            found.append(self._elapsed(ticks, absent, False).tolist())
        return [*found, absent.tolist()] if self.missing else found

    def unseen(self, column: pa.ChunkedArray[Any]) -> int:
        """Return 0."""
        return 0

    def state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "parts": list(self.parts),
            "missing": self.missing,
            **({} if self.elapsed is None else {"elapsed": list(self.elapsed)}),
        }


def time_part(ticks: Ints, part: str) -> Ints:
    """Place in the cycle, from 0: minute of the day, day of the week from Monday, or month."""
    if part == "hour of day":
        return ticks // _MINUTE % 1440
    if part == "weekday":
        return (ticks // _DAY + 3) % 7  # 1 January 1970 was a Thursday
    # A missing time is numpy's "not a time", whose month number is as good as any.
    return ticks.view("datetime64[ns]").astype("datetime64[M]").astype(np.int64) % 12


def _plain(steps: Ints, absent: NDArray[np.bool_], part: str) -> Floats:
    scale, first = (60.0, 0.0) if part == "hour of day" else (1.0, float(part == "month"))
    return np.where(absent, -1.0, steps / scale + first)


@cache
def _circle(steps: int) -> Floats:
    """Sine and cosine of each step of a cycle, (steps, 2).

    Rounded to 12 decimals, so that they are the same whatever mathematics library a system has.
    """
    angles = [2.0 * math.pi * k / steps for k in range(steps)]
    return np.array([[round(math.sin(a), 12), round(math.cos(a), 12)] for a in angles]) + 0.0


_KINDS: dict[str, Callable[..., Any]] = {
    c.kind: c
    for c in (
        NumberColumn,
        BooleanColumn,
        CategoryColumn,
        HashedColumn,
        OrderedColumn,
        TimeColumn,
        TextColumn,
        TextForm,
    )
}


def column_from_state(state: dict[str, Any]) -> ColumnEncoder:
    """Rebuild a column encoder from `state()`."""
    fields = dict(state)
    encoder: ColumnEncoder = _KINDS[fields.pop("kind")](**fields)
    return encoder
