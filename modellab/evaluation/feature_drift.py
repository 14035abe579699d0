"""Feature drift: every column's last rows against the training window, at fixed positions.

Which test a column has is told in `modellab.evaluation.feature_columns`, where the thresholds come
from in `modellab.evaluation.calibration`. What is found at a position depends on the rows before it
only, so it does not matter when, or in which order, positions are asked for.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.calibration import calibrate
from modellab.evaluation.feature_columns import WatchedColumn, only_moves_on, stability, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from modellab.experiment import DriftSpec, Kind

    Read = Callable[[int, int, Sequence[str]], Any]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

REFERENCE_ROWS = 131_072
"""At most so many rows stand for the training window: all of it, or evenly spaced runs of rows."""
REFERENCE_CELLS = 64 * 2**20
"""At most so many values are kept while thresholds are found (one byte each)."""
_RUNS = 16
_KEPT_CHECKS = 2048
_PIECE = 65_536
_CELLS = 2**20
"""About so many values are looked at together: a few milliseconds."""
_COUNTS = 2**21
"""At most about so many counts are kept of what is looked at together."""


@dataclass(frozen=True)
class FeatureCheck:
    """What one check found.

    Attributes
    ----------
    position
        The window checked is that of the last rows before it.
    statistic
        Test statistic of each column, (d,).
    score
        Statistic divided by its threshold, (d,): above 1 the column is in alarm.
    psi
        Population stability index of each column, (d,).
    """

    position: int
    statistic: Floats
    score: Floats
    psi: Floats

    @property
    def alarms(self) -> int:
        """Number of columns in alarm."""
        return int(np.count_nonzero(self.score > 1.0))


class FeatureDrift:
    """Checks of the feature columns of one stream. One thread at a time may use an instance.

    Made by `FeatureDrift.fit`.

    Attributes
    ----------
    columns, tests
        The columns that are watched, and the name of each one's test.
    thresholds
        Calibrated threshold of each statistic, (d,).
    window, every
        Rows of a window that is checked; rows from check to check.
    first_check
        Position of the first check: the first window that lies wholly in the stream, at a multiple
        of `every` rows after the training window.
    """

    def __init__(
        self,
        read: Read,
        names: Sequence[str],
        watched: Sequence[WatchedColumn],
        thresholds: Floats,
        train_rows: int,
        window: int,
        every: int,
    ) -> None:
        self._read = read
        self._watched = list(watched)
        self.columns = tuple(names)
        self.tests = tuple(column.test for column in watched)
        self.thresholds = thresholds
        self.window, self.every = window, every
        self.first_check = train_rows + every * max(-(-window // every), 1)
        self._checks: OrderedDict[int, FeatureCheck] = OrderedDict()

    @classmethod
    def fit(
        cls,
        read: Read,
        columns: Mapping[str, Kind],
        train_rows: int,
        spec: DriftSpec,
        seed: int,
    ) -> FeatureDrift | None:
        """Summarise the training window and calibrate the thresholds on it.

        Parameters
        ----------
        read
            ``read(start, stop, columns)``: an Arrow table of the rows as they arrive.
        columns
            Feature columns and their kinds. Left out is what is always new: times, and numbers that
            only rise or only fall along the training window (counters, dates).
        train_rows
            Length T of the training window, the rows [0, T).
        spec
            Window, distance of checks, and rows per false alarm.
        seed
            The experiment's.

        Returns
        -------
        FeatureDrift or None
            None where there is nothing to compare with (fewer than two rows of training window), or
            no column that can be watched.
        """
        if train_rows < 2:
            return None
        budget = max(REFERENCE_CELLS // max(len(columns), 1), 4096)
        # Few blocks must not leave out many rows: see `calibration.block_length`.
        runs = reference_runs(train_rows, min(REFERENCE_ROWS, budget, 2048 * spec.window))
        names: list[str] = []
        watched: list[WatchedColumn] = []
        codes: list[NDArray[np.uint8]] = []
        for name, kind in columns.items():
            column = watch(kind, _parts(read, name, runs), spec.window)
            if column is None:
                continue
            cells = np.concatenate([column.codes(part) for part in _parts(read, name, runs)])
            if only_moves_on(cells, column.cells):
                continue
            column.settle(np.bincount(cells, minlength=column.cells).astype(np.float64))
            names.append(name)
            watched.append(column)
            codes.append(cells)
        if not watched:
            return None
        chance = min(spec.every / spec.false_alarm_every, 0.5)
        thresholds = calibrate(watched, codes, spec.window, chance, seed)
        return cls(read, names, watched, thresholds, train_rows, spec.window, spec.every)

    def twin(self) -> FeatureDrift:
        """Return one that finds the same, for another thread."""
        other = copy.copy(self)
        other._watched = [copy.copy(column) for column in self._watched]
        other._checks = OrderedDict()
        return other

    def check(self, position: int) -> FeatureCheck:
        """Compare the last `window` rows before `position` with the training window."""
        found = self._checks.get(position)
        if found is not None:
            self._checks.move_to_end(position)
            return found
        return self._look([position])[0]

    def between(self, start: int, stop: int) -> Iterator[FeatureCheck]:
        """Do the checks that are due after position `start` and up to `stop`, in order.

        Several are done together, which is much quicker than `check` for one after the other. Rows
        from `stop` on are not looked at.
        """
        reach = _CELLS // (self.every * len(self.columns))
        reach = max(min(reach, _COUNTS // sum(column.cells for column in self._watched)), 1)
        at = self.next_check(start)
        while at <= stop:
            known = self._checks.get(at)
            if known is not None:
                self._checks.move_to_end(at)
                yield known
                at = self.next_check(at)
                continue
            due: list[int] = []
            while at <= stop and len(due) < reach and at not in self._checks:
                due.append(at)
                at = self.next_check(at)
            yield from self._look(due)

    def _look(self, positions: list[int]) -> list[FeatureCheck]:
        """Do the checks at these positions (rising), all of them not known yet."""
        stops = np.array(positions, np.int64)
        starts = np.maximum(stops - self.window, 0)
        rows = np.maximum(stops - starts, 1).astype(np.float64)
        counts = [np.zeros((len(positions), c.cells), np.int64) for c in self._watched]
        # Windows that touch are read together.
        runs = np.split(np.arange(len(stops)), np.flatnonzero(starts[1:] > stops[:-1]) + 1)
        for run in runs:
            self._count(starts[run], stops[run], [c[run[0] : run[-1] + 1] for c in counts])
        compared = [c.compared(n, rows) for c, n in zip(self._watched, counts, strict=True)]
        found, coarse, expected = zip(*compared, strict=True)
        statistic = np.stack(found, axis=1)
        psi = np.stack(stability(coarse, expected), axis=1)
        score = statistic / self.thresholds
        for values in (statistic, score, psi):
            values.flags.writeable = False
        found_at = zip(positions, statistic, score, psi, strict=True)
        checks = [FeatureCheck(*one) for one in found_at]
        for check in checks:
            self._checks[check.position] = check
        while len(self._checks) > _KEPT_CHECKS:
            self._checks.popitem(last=False)
        return checks

    def _count(self, starts: Ints, stops: Ints, counts: list[Ints]) -> None:
        """Count the cells (m, K) of each column in windows [start, stop), none apart."""
        first, last = int(starts[0]), int(stops[-1])
        in_turn = bool((starts[1:] == stops[:-1]).all())  # each ends where the next one begins
        edges = np.append(starts, last) if in_turn else np.union1d(starts, stops)
        table = self._read(first, last, self.columns)
        inside: dict[tuple[int, int], Ints] = {}  # chunks are the same for all columns, mostly
        for k, column in enumerate(self._watched):
            held = counts[k] if in_turn else np.zeros((len(edges) - 1, column.cells), np.int64)
            at = first
            for chunk in _chunks(table.column(k)):
                place = at, len(chunk)
                if place not in inside:
                    inside[place] = np.minimum(np.maximum(edges - at, 0), len(chunk))
                column.count(chunk, inside[place], held)
                at += len(chunk)
            if not in_turn:
                # Whole numbers: windows are differences of sums to their ends.
                sums = np.concatenate([np.zeros_like(held[:1]), np.cumsum(held, axis=0)])
                counts[k] += sums[np.searchsorted(edges, stops)]
                counts[k] -= sums[np.searchsorted(edges, starts)]

    def next_check(self, position: int) -> int:
        """Position of the first check after `position`."""
        if position < self.first_check:
            return self.first_check
        return position + self.every - (position - self.first_check) % self.every

    def last_check(self, position: int) -> int | None:
        """Position of the last check at or before `position`; None before the first."""
        if position < self.first_check:
            return None
        return position - (position - self.first_check) % self.every

    def alarms(self, position: int) -> int:
        """Columns in alarm at the last check at or before `position` (0 before the first)."""
        last = self.last_check(position)
        return 0 if last is None else self.check(last).alarms

    def forget(self) -> None:
        """Drop remembered checks: the rows arrive otherwise now (faults were changed)."""
        self._checks.clear()


def reference_runs(train_rows: int, most: int) -> list[tuple[int, int]]:
    """Rows of the training window that stand for it: evenly spaced runs, at most `most` rows."""
    if train_rows <= most:
        return [(0, train_rows)]
    length = max(most // _RUNS, 1)
    starts = [k * (train_rows - length) // (_RUNS - 1) for k in range(_RUNS)]
    return [(start, start + length) for start in starts]


def _parts(read: Read, name: str, runs: Sequence[tuple[int, int]]) -> Iterator[Any]:
    """One column of the given runs of rows, in bounded pieces."""
    for start, stop in runs:
        for first in range(start, stop, _PIECE):
            yield _whole(read(first, min(first + _PIECE, stop), [name]).column(0))


def _chunks(values: Any) -> list[Any]:
    """The arrays that a table's column consists of."""
    return list(values.chunks) if hasattr(values, "chunks") else [values]


def _whole(column: Any) -> Any:
    """A table's column as one array."""
    return column.combine_chunks() if hasattr(column, "combine_chunks") else column
