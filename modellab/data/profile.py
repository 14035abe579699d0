"""What the Data page shows of each column: computed block by block, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.arrow import Array, arrow
from modellab.data.convert import as_texts
from modellab.data.profile_parts import (
    Course,
    Distinct,
    Histogram,
    Moments,
    finite,
    hash_numbers,
    hash_texts,
    histogram,
)
from modellab.data.source import ReadProgress, no_progress
from modellab.data.store import BATCH_ROWS, Store, StoredColumn
from modellab.errors import quote
from modellab.experiment import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

EXACT_DISTINCT = 10_000
SAMPLE_ROWS = 1_000_000
"""Quantiles and histograms come from all rows up to so many, else from every k-th row."""
TOP_VALUES = 10
_FOLLOWED = 3
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class TopValue(msgspec.Struct, frozen=True):
    """A frequent value.

    Attributes
    ----------
    label, count, share
        Its text, its rows, and their share of the rows with a value.
    target
        Mean of the target over its rows: the number, or the share of the second of two classes.
        None if no target was named, or it has more than two classes.
    """

    label: str
    count: int
    share: float
    target: float | None = None


class ColumnProfile(msgspec.Struct, frozen=True):
    """All that is shown of one column (plain values; JSON-able).

    Attributes
    ----------
    name, kind, reason
        The column, the kind it is used as, and why it was detected as what it is.
    rows, missing, missing_share
        Number of rows, and of those without a value.
    distinct, distinct_exact
        Number of different values, and whether it is exact or an estimate (within about 2 %).
    minimum, maximum, mean, std
        Numbers; times as seconds since 1970 UTC (`std` in seconds). None for other kinds.
    minimum_text, maximum_text
        The same as a person reads them.
    quantiles
        Pairs of share and value; `sampled` if from every k-th row only.
    histogram
        Bars (numbers and times).
    top, other
        The most frequent values (categories and booleans), and how many rows hold others.
    course, course_what
        Mean in each of about 160 equal stretches of the file, and of what: the number itself, or
        the share of the most frequent value. None where a stretch has no value.
    course_missing
        Share of rows without a value in each stretch.
    first, last
        First and last value of the file, as texts.
    first_present
        First row that has a value.
    first_change
        First row whose value differs from the first one (missing values left aside); None if all
        are the same.
    constant_in_training
        Whether the training window holds no two different values of it.
    unfit
        Values that did not fit the kind and count as missing.
    """

    name: str
    kind: Kind
    reason: str
    rows: int
    missing: int
    missing_share: float
    distinct: int
    distinct_exact: bool
    minimum: float | None = None
    maximum: float | None = None
    minimum_text: str = ""
    maximum_text: str = ""
    mean: float | None = None
    std: float | None = None
    quantiles: list[tuple[float, float]] = []
    sampled: bool = False
    histogram: Histogram | None = None
    top: list[TopValue] = []
    other: int = 0
    course: list[float | None] = []
    course_what: str = ""
    course_missing: list[float] = []
    first: str = ""
    last: str = ""
    first_present: int | None = None
    first_change: int | None = None
    constant_in_training: bool = False
    unfit: int = 0


def profile(
    store: Store,
    *,
    kinds: Mapping[str, Kind] | None = None,
    train_rows: int = 0,
    target: str | None = None,
    progress: ReadProgress = no_progress,
) -> list[ColumnProfile]:
    """Profile every column.

    Parameters
    ----------
    store
        The data.
    kinds
        Kinds that differ from the stored ones.
    train_rows
        Length of the training window, for `constant_in_training` (0: none).
    target
        Name of the target, to tell its mean for each frequent value of the other columns.
    progress
        Told rows times columns done; may raise `Cancelled`.

    Returns
    -------
    list of ColumnProfile
        In file order. A column that was profiled before as the same kind is not read again.
    """
    chosen = kinds or {}
    total = float(store.n_rows * len(store.columns))
    result = []
    for number, column in enumerate(store.columns):
        kind: Kind = chosen.get(column.name, column.kind)
        goal = _goal(store, target, chosen) if target != column.name else None
        key = ("profile", column.name, kind, *(goal or ()))
        found = store.memo.get(key)
        if found is None:
            before = number * store.n_rows

            def told(rows: int, before: int = before, name: str = column.name) -> None:
                progress(before + rows, total, name)

            found = _Profiler(store, column, kind, goal).run(told)
            store.memo[key] = found
        change = found.first_change
        constant = train_rows > 0 and (change is None or change >= train_rows)
        result.append(msgspec.structs.replace(found, constant_in_training=constant))
    progress(total, total)
    return result


def _goal(store: Store, target: str | None, kinds: Mapping[str, Kind]) -> tuple[str, Kind] | None:
    """Target and kind, if its mean means something."""
    if target is None or target not in store:
        return None
    kind = kinds.get(target, store.column(target).kind)
    if kind == "category" and len(store.levels(target, kind)) != 2:
        return None
    return (target, kind) if kind in ("number", "boolean", "category") else None


class _Profiler:
    """Profiles one column in one pass."""

    def __init__(
        self, store: Store, column: StoredColumn, kind: Kind, goal: tuple[str, Kind] | None
    ) -> None:
        self.store = store
        self._goal = goal
        self.column = column
        self.kind: Kind = kind
        self.rows = store.n_rows
        self.course = Course(self.rows)
        self.missing = 0
        self.first: str | None = None
        self.first_present: int | None = None
        self.last = ""
        self.first_change: int | None = None
        self._first_value: Any = None

    def run(self, told: Any) -> ColumnProfile:
        """Read the column and return its profile."""
        if self.kind in ("number", "time"):
            return self._numeric(told)
        if self.kind == "text":
            return self._text(told)
        return self._coded(told)

    def _blocks(self, told: Any) -> Iterator[tuple[int, Array, NDArray[np.bool_]]]:
        for start in range(0, self.rows, BATCH_ROWS):
            values = self.store.column_as(self.column.name, self.kind, start, start + BATCH_ROWS)
            valid = values.is_valid().to_numpy(zero_copy_only=False)
            self.missing += values.null_count
            self._ends(start, values, valid)
            yield start, values, valid
            told(start + len(values))

    def _ends(self, start: int, values: Array, valid: NDArray[np.bool_]) -> None:
        """Keep the first and the last value, and where the value first changes."""
        _, pc = arrow()
        there = np.flatnonzero(valid)
        if not len(there):
            return
        if self.first is None:
            self.first_present = start + int(there[0])
            self._first_value = values[int(there[0])]
            self.first = self._shown(values, int(there[0]))
        self.last = self._shown(values, int(there[-1]))
        if self.first_change is None:
            plain, same = values, self._first_value
            if self.kind == "category":
                plain, same = values.indices, self._first_value.index
            elif self.kind == "text":
                same = self._first_value.cast(values.type)
            differs = pc.fill_null(pc.not_equal(plain, same), False)
            at = np.flatnonzero(differs.to_numpy(zero_copy_only=False))
            if len(at):
                self.first_change = start + int(at[0])

    def _shown(self, values: Array, row: int) -> str:
        if self.kind == "boolean":
            spelled = self.store.levels(self.column.name, "boolean")
            return spelled[int(values[row].as_py())]
        return str(as_texts(values[row : row + 1])[0].as_py())[:200]

    def _numeric(self, told: Any) -> ColumnProfile:
        pa, pc = arrow()
        every = -(-self.rows // SAMPLE_ROWS)
        moments, distinct = Moments(), Distinct(EXACT_DISTINCT)
        picked: list[NDArray[np.float64]] = []
        whole = True
        for start, values, valid in self._blocks(told):
            if self.kind == "time":
                values = pc.divide(pc.cast(pc.cast(values, pa.int64()), "float64", safe=False), 1e9)
            floats = np.asarray(pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False))
            present = floats if valid.all() else floats[valid]
            moments.update(present)
            # Where values come again, each is hashed once.
            each = pc.unique(pa.array(present)).to_numpy() if distinct.exact else present
            distinct.update(hash_numbers(each))
            whole = whole and bool(np.all(present == np.floor(present)))
            self.course.update(start, floats, valid)
            offset = -start % every
            picked.append(floats[offset::every][valid[offset::every]])
        ordered = np.sort(np.concatenate(picked)) if picked else np.empty(0)
        shares = np.quantile(ordered, _QUANTILES).tolist() if len(ordered) else []
        low, high = (moments.low, moments.high) if moments.count else (None, None)
        return self._profile(
            distinct=distinct.count,
            distinct_exact=distinct.exact,
            minimum=low,
            maximum=high,
            minimum_text=self._number_text(low),
            maximum_text=self._number_text(high),
            mean=finite(moments.mean) if moments.count else None,
            std=moments.std,
            quantiles=[(p, float(q)) for p, q in zip(_QUANTILES, shares, strict=False)],
            sampled=every > 1,
            histogram=histogram(ordered, whole and self.kind == "number"),
            course_what="mean time" if self.kind == "time" else "mean",
        )

    def _number_text(self, value: float | None) -> str:
        pa, _ = arrow()
        if value is None:
            return ""
        if self.kind == "time":
            stamps = pa.array([round(value * 1000)], pa.timestamp("ms", "UTC"))
            return str(as_texts(stamps)[0].as_py())
        return str(as_texts(pa.array([value]))[0].as_py())

    def _text(self, told: Any) -> ColumnProfile:
        _, pc = arrow()
        distinct = Distinct(EXACT_DISTINCT)
        for start, values, valid in self._blocks(told):
            distinct.update(hash_texts(pc.unique(values.drop_null())))
            lengths = pc.fill_null(pc.utf8_length(values), 0)
            sizes = np.asarray(lengths.to_numpy(zero_copy_only=False), np.float64)
            self.course.update(start, sizes, valid)
        return self._profile(
            distinct=distinct.count,
            distinct_exact=distinct.exact,
            course_what="mean length in characters",
        )

    def _coded(self, told: Any) -> ColumnProfile:
        """Categories and booleans: count every level; the course follows the most frequent one."""
        levels = self.store.levels(self.column.name, self.kind)
        counts = np.zeros(len(levels), np.int64)
        known_counts = np.zeros(len(levels), np.int64)
        goals = np.zeros(len(levels))
        # Share of every level in every stretch, as far as that is small; else only of the leader.
        courses = [Course(self.rows) for _ in levels] if len(levels) <= _FOLLOWED else []
        for start, values, valid in self._blocks(told):
            plain = self._codes(values)
            counts += np.bincount(plain[valid], minlength=len(levels))
            if self._goal is not None:
                outcome = self._outcome(start, len(plain))
                known = valid & ~np.isnan(outcome)
                goals += np.bincount(plain[known], outcome[known], minlength=len(levels))
                known_counts += np.bincount(plain[known], minlength=len(levels))
            for code, course in enumerate(courses):
                course.update(start, (plain == code).astype(np.float64), valid)
        order = sorted(range(len(levels)), key=lambda k: (-counts[k], k))
        order = [k for k in order if counts[k]]
        lead = 1 if self.kind == "boolean" else order[0] if order else 0
        if courses:
            self.course = courses[lead]
        else:
            for start in range(0, self.rows, BATCH_ROWS):
                name, stop = self.column.name, start + BATCH_ROWS
                values = self.store.column_as(name, self.kind, start, stop)
                valid = values.is_valid().to_numpy(zero_copy_only=False)
                here = (self._codes(values) == lead).astype(np.float64)
                self.course.update(start, here, valid)
        present = max(int(counts.sum()), 1)
        top = [
            TopValue(
                label=levels[k],
                count=int(counts[k]),
                share=float(counts[k] / present),
                target=finite(goals[k] / known_counts[k]) if known_counts[k] else None,
            )
            for k in order[:TOP_VALUES]
        ]
        return self._profile(
            distinct=len(order),
            distinct_exact=True,
            minimum_text=levels[min(order)] if order else "",
            maximum_text=levels[max(order)] if order else "",
            top=top,
            other=int(counts.sum()) - sum(t.count for t in top),
            course_what=f"share of {quote(levels[lead], 30)}" if levels else "",
        )

    def _outcome(self, start: int, rows: int) -> NDArray[np.float64]:
        """Target of some rows as a number, NaN where it is missing."""
        pa, pc = arrow()
        assert self._goal is not None
        name, kind = self._goal
        values = self.store.column_as(name, kind, start, start + rows)
        if kind == "category":
            values = values.indices
        elif kind == "boolean":
            values = pc.cast(values, pa.int8())
        numbers = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        return np.asarray(numbers, np.float64)

    def _codes(self, values: Array) -> NDArray[np.int64]:
        """Level of each row, 0 where it is missing."""
        _, pc = arrow()
        codes = values.indices if self.kind == "category" else pc.cast(values, "int8")
        return np.asarray(pc.fill_null(codes, 0).to_numpy(zero_copy_only=False), np.int64)

    def _profile(self, **facts: Any) -> ColumnProfile:
        return ColumnProfile(
            name=self.column.name,
            kind=self.kind,
            reason=self.column.reason,
            rows=self.rows,
            missing=self.missing,
            missing_share=self.missing / max(self.rows, 1),
            course=self.course.means(),
            course_missing=self.course.missing(),
            first=self.first or "",
            last=self.last,
            first_present=self.first_present,
            first_change=self.first_change,
            unfit=self.column.unfit,
            **facts,
        )
