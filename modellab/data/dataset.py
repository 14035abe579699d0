"""The data set of an experiment: a store, and what its columns and rows are for."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.arrow import arrow
from modellab.data.convert import as_times
from modellab.data.guess import guess_target, guess_time
from modellab.data.store import BATCH_ROWS, OrderCheck, Store, StoredColumn
from modellab.data.task import Task
from modellab.errors import DataError, ExperimentError, nearest, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from modellab.experiment import DataSpec, EncodingSpec, Kind, SplitSpec, TextSpec

__all__ = ["Dataset", "guess_target", "guess_time", "train_rows_of"]

MAX_CLASSES = 1000
"""More classes than this are not predicted."""
CODED_CLASSES = 10
"""A target of whole numbers 0, 1, 2 ... or 1, 2, 3 ... up to so many is taken as classes."""


@dataclass
class Dataset:
    """A store with the roles, the task and the split of an experiment.

    Made by `Dataset.build`.

    Attributes
    ----------
    store
        The stored rows.
    target, time
        Names of the columns with these roles (`time` may be None).
    features
        Names of the columns that a model sees, in file order: neither target, time nor ignored.
    kinds
        The kind of every column, the experiment's choices included.
    task
        What is predicted. Classes are in code order: categories as sorted, false before true.
    n_rows
        Rows in all (N): rows ``[0, train_rows)`` are the training window, the rest is the stream.
    train_rows, test_rows
        Length of the training window (T), and of its last part that the Test page scores on.
    first_out_of_order
        First row that is earlier than a row before it, or None.
    text
        How text columns are encoded; None: as usual.
    encoding
        How categories and times are; None: as usual.
    """

    store: Store
    target: str
    time: str | None
    features: tuple[str, ...]
    kinds: dict[str, Kind]
    task: Task
    n_rows: int
    train_rows: int
    test_rows: int
    first_out_of_order: int | None = None
    text: TextSpec | None = None
    encoding: EncodingSpec | None = None
    _codes: NDArray[np.float64] | None = field(default=None, repr=False)

    @classmethod
    def build(cls, store: Store, data: DataSpec, split: SplitSpec) -> Dataset:
        """Give the columns their roles and cut the rows, checking that a model can be made.

        A target is predicted as classes if it is a category or boolean, or if it holds the whole
        numbers 0, 1, 2 ... or 1, 2, 3 ... without gaps, up to 10 of them; ``kinds`` decides
        otherwise. Other numbers are a regression.

        Raises
        ------
        DataError, ExperimentError
            If a column is not there or cannot have its role, the target has no two values, or the
            split leaves no rows.
        """
        target = _column(store, data.target)
        for name in (*data.ignore, *data.kinds):
            _known(store, name, "data.ignore" if name in data.ignore else "data.kinds")
        kinds: dict[str, Kind] = {c.name: data.kinds.get(c.name, c.kind) for c in store.columns}
        time = data.time
        first = None
        if time is not None:
            _check_time(store, _column(store, time), kinds[time])
            kinds[time] = "time"
            first = _out_of_order(store, store.column(time))
        left_out = {data.target, time, *data.ignore}
        features = tuple(c.name for c in store.columns if c.name not in left_out)
        if not features and time is None:
            raise ExperimentError(
                f"{quote(store.name)} has no column left to predict {quote(data.target)} from: "
                "all others are ignored."
            )
        task, codes = _task(store, target, kinds[data.target], data.target in data.kinds)
        dataset = cls(
            store=store,
            target=data.target,
            time=time,
            features=features,
            kinds=kinds,
            task=task,
            n_rows=store.n_rows,
            train_rows=0,
            test_rows=0,
            first_out_of_order=first,
            text=data.text,
            encoding=data.encoding,
            _codes=codes,
        )
        dataset.train_rows = train_rows_of(dataset, split.train)
        dataset.test_rows = _test_rows(dataset.train_rows, split.test)
        return dataset

    def labels(self, start: int, stop: int) -> NDArray[Any]:
        """Return the target of rows ``[start, stop)``.

        Returns
        -------
        ndarray
            Classification: int64 codes into `task.classes`, -1 where the label is missing.
            Regression: float64, NaN where it is missing.
        """
        _, pc = arrow()
        kind = self.kinds[self.target]
        if self.task.kind == "regression" or self._codes is not None:
            values = self.store.column_as(self.target, "number", start, stop)
            numbers = values.to_numpy(zero_copy_only=False)
            if self._codes is None:
                return np.asarray(numbers, np.float64)
            found = np.searchsorted(self._codes, numbers)  # NaN goes behind the last
            found[np.isnan(numbers)] = -1
            return np.asarray(found, np.int64)
        values = self.store.column_as(self.target, kind, start, stop)
        codes = values.indices if kind == "category" else pc.cast(values, "int8")
        found = pc.cast(codes, "int64")
        if found.null_count:  # else it would be copied
            found = pc.fill_null(found, -1)
        return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)

    def times(self, start: int, stop: int) -> NDArray[np.int64] | None:
        """Return event times of rows ``[start, stop)`` in nanoseconds since 1970 UTC.

        A row without a time has the time of the last row before it that has one (at the start of
        the file: of the first row that has one). None if there is no time column.
        """
        if self.time is None:
            return None
        stop = min(max(stop, 0), self.n_rows)
        start = min(max(start, 0), stop)
        nanos, valid = self._raw_times(start, stop)
        if valid.all():
            return nanos
        index = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
        filled = nanos[np.maximum(index, 0)]
        filled[index < 0] = self._time_before(start)
        return filled

    def _raw_times(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        _, pc = arrow()
        assert self.time is not None
        values = self.store.column_as(self.time, "time", start, stop)
        valid = values.is_valid().to_numpy(zero_copy_only=False)
        nanos = pc.fill_null(pc.cast(values, "int64"), 0)
        return np.array(nanos.to_numpy(zero_copy_only=False), np.int64), valid

    def _time_before(self, position: int) -> int:
        """Time of the last row before `position` that has one, else of the first one after."""
        spans: Iterable[tuple[int, int]] = [
            (max(stop - BATCH_ROWS, 0), stop) for stop in range(position, 0, -BATCH_ROWS)
        ]
        for start, stop in spans:
            nanos, valid = self._raw_times(start, stop)
            if valid.any():
                return int(nanos[np.flatnonzero(valid)[-1]])
        for start in range(position, self.n_rows, BATCH_ROWS):
            nanos, valid = self._raw_times(start, min(start + BATCH_ROWS, self.n_rows))
            if valid.any():
                return int(nanos[np.flatnonzero(valid)[0]])
        return 0

    def time_at(self, position: int) -> int | None:
        """Event time of one row in nanoseconds, or None without a time column."""
        times = self.times(position, position + 1)
        return None if times is None or not len(times) else int(times[0])

    def position_at(self, time_ns: int) -> int:
        """First row whose time is not before `time_ns` (N if there is none).

        By bisection where the rows are in order of time, else by looking at every row.
        """
        if self.time is None:
            raise ExperimentError("There is no time column to look a time up in.")
        if self.first_out_of_order is None:
            return bisect.bisect_left(
                range(self.n_rows), time_ns, key=lambda row: self.time_at(row) or 0
            )
        for start in range(0, self.n_rows, BATCH_ROWS):
            times = self.times(start, start + BATCH_ROWS)
            assert times is not None
            reached = np.flatnonzero(times >= time_ns)
            if len(reached):
                return start + int(reached[0])
        return self.n_rows


def _column(store: Store, name: str) -> StoredColumn:
    try:
        return store.column(name)
    except DataError as error:  # the data are as they are: it is the experiment that is wrong
        raise ExperimentError(error.sentence) from error


def _known(store: Store, name: str, where: str) -> None:
    if name not in store:
        like = nearest(name, store.names)
        hint = f" Did you mean {quote(like)}?" if like else ""
        raise ExperimentError(
            f"{where} names {quote(name)}, but {quote(store.name)} has no such column.{hint}"
        )


def _check_time(store: Store, column: StoredColumn, kind: Kind) -> None:
    if column.missing == store.n_rows:
        raise DataError(f"Column {quote(column.name)} has no value: it cannot tell the time.")
    if kind == "boolean" or column.kind == "boolean":
        raise DataError(f"Column {quote(column.name)} is true or false: it cannot tell the time.")
    if column.kind in ("time", "number"):
        return
    texts = store.column_as(column.name, "text", 0, BATCH_ROWS).drop_null()
    for start in range(BATCH_ROWS, store.n_rows, BATCH_ROWS):
        if len(texts):
            break
        texts = store.column_as(column.name, "text", start, start + BATCH_ROWS).drop_null()
    if as_times(texts).values.null_count * 2 > len(texts):
        raise DataError(
            f"Column {quote(column.name)} cannot tell the time: {quote(texts[0].as_py())} is not a "
            "date or time such as 2024-05-31 or 2024-05-31 17:30."
        )


def _out_of_order(store: Store, column: StoredColumn) -> int | None:
    if column.kind == "time":
        return column.out_of_order
    check = OrderCheck()
    for start in range(0, store.n_rows, BATCH_ROWS):
        check.update(store.column_as(column.name, "time", start, start + BATCH_ROWS), start)
        if check.first is not None:
            break
    return check.first


def _task(
    store: Store, column: StoredColumn, kind: Kind, chosen: bool
) -> tuple[Task, NDArray[np.float64] | None]:
    """The task, and the numbers that stand for the classes if the target is stored as numbers."""
    name = quote(column.name)
    if column.missing == store.n_rows:
        raise DataError(f"Column {name} has no value in any row: it cannot be the target.")
    if kind == "text":
        raise DataError(
            f"Column {name} is text with too many different values to be the target: "
            "choose another column."
        )
    if kind == "time":
        raise DataError(f"Column {name} holds times: it cannot be the target.")
    if kind == "number":
        numbers = column.few_numbers
        if column.kind != "number":
            numbers = _distinct_numbers(store, column)
        if numbers is not None and len(numbers) <= 1:
            raise _one_value(name, [f"{number:g}" for number in numbers])
        if not chosen and numbers is not None and _are_codes(numbers):
            classes = tuple(int(number) for number in numbers)
            return Task("classification", classes, column.name), np.asarray(numbers)
        return Task("regression", (), column.name), None
    if kind == "boolean":
        return _boolean_task(store, column), None
    levels = store.levels(column.name, "category")
    if len(levels) < 2:
        raise _one_value(name, levels)
    if len(levels) > MAX_CLASSES:
        raise DataError(
            f"Column {name} has {len(levels):,} different values: too many classes to predict "
            f"(at most {MAX_CLASSES:,})."
        )
    return Task("classification", tuple(levels), column.name), None


def _boolean_task(store: Store, column: StoredColumn) -> Task:
    seen: set[bool] = set()
    for start in range(0, store.n_rows, BATCH_ROWS):
        values = store.column_as(column.name, "boolean", start, start + BATCH_ROWS)
        seen.update(values.drop_null().unique().to_pylist())
        if len(seen) == 2:
            break
    spelled = store.levels(column.name, "boolean")
    if len(seen) < 2:
        raise _one_value(quote(column.name), [spelled[int(value)] for value in seen])
    lowered = [word.lower() for word in spelled]
    if lowered == ["0", "1"]:
        return Task("classification", (0, 1), column.name)
    if lowered == ["false", "true"]:
        return Task("classification", (False, True), column.name)
    return Task("classification", tuple(spelled), column.name)


def _one_value(name: str, values: list[str]) -> DataError:
    for value in values:
        return DataError(
            f"Column {name} has only one value, {quote(value)}: there is nothing to predict. "
            "Choose another target."
        )
    return DataError(f"Column {name} has no value that can be predicted: choose another one.")


def _distinct_numbers(store: Store, column: StoredColumn) -> list[float] | None:
    """All different numbers of a column stored as another kind, None if more than 20."""
    found: set[float] = set()
    for start in range(0, store.n_rows, BATCH_ROWS):
        values = store.column_as(column.name, "number", start, start + BATCH_ROWS)
        found.update(values.drop_null().unique().to_pylist())
        if len(found) > 20:
            return None
    return sorted(found)


def _are_codes(numbers: list[float]) -> bool:
    low = numbers[0]
    return (
        2 <= len(numbers) <= CODED_CLASSES
        and low in (0.0, 1.0)
        and numbers == [low + k for k in range(len(numbers))]
    )


def train_rows_of(dataset: Dataset, train: int | float | str) -> int:
    """Return the length of the training window in rows.

    Parameters
    ----------
    dataset
        The data set (its rows and times).
    train
        A fraction of the rows, a number of rows, a date-time (the window ends before the first row
        at or after it), or 0.

    Raises
    ------
    ExperimentError
        If it is no date-time, or leaves no row for the stream.
    """
    n = dataset.n_rows
    if isinstance(train, str):
        rows = _rows_before(dataset, train)
    elif isinstance(train, float) and 0 < train < 1:
        rows = max(int(np.floor(n * train + 1e-9)), 1)
    else:
        rows = int(train)
    if rows >= n:
        raise ExperimentError(
            f"The training window of {rows:,} rows leaves no row to replay: "
            f"{quote(dataset.store.name)} has {n:,} rows. Make it shorter."
        )
    return rows


def _rows_before(dataset: Dataset, text: str) -> int:
    pa, _ = arrow()
    stamp = as_times(pa.array([text])).values
    if stamp.null_count:
        raise ExperimentError(
            f"split.train {quote(text)} is not understood: write a fraction such as 0.2, a number "
            "of rows, or a date such as 2024-05-31."
        )
    if dataset.time is None:
        raise ExperimentError(
            f"split.train is the date {quote(text)}, but the data have no time column: "
            "choose one, or give a number of rows."
        )
    rows = dataset.position_at(int(stamp.cast(pa.int64())[0].as_py()))
    if rows == 0:
        raise ExperimentError(
            f"split.train {quote(text)} is not after the first row: no row would be trained on."
        )
    return rows


def _test_rows(train_rows: int, share: float) -> int:
    if not share or train_rows < 2:
        return 0
    return min(max(int(np.floor(train_rows * share + 1e-9)), 1), train_rows - 1)
