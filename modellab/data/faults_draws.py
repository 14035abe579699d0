"""Random numbers of faults by position, and what the training window says about a column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.encoding import number_array
from modellab.experiment import stream_rng
from modellab.experiment_faults import fault_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from modellab.data.dataset import Dataset
    from modellab.experiment import Fault

    Floats = NDArray[np.float64]

DRAW_BLOCK = 1024
"""Random numbers are drawn for whole blocks of so many rows."""
COLD_ROWS = 10_000
"""Without a training window, so many first rows stand in for it."""
_READ_ROWS = 65_536


def fault_keys(faults: Sequence[Fault]) -> list[str]:
    """Return what a fault's random numbers are keyed by: its kind and start.

    Of several with the same, the second is told from the first. Where other faults are added or
    taken away, or a fault ends earlier, it goes on with the same numbers.
    """
    counts: dict[str, int] = {}
    keys = []
    for fault in faults:
        key = f"fault {fault_kind(fault)} {fault.start}"
        counts[key] = counts.get(key, 0) + 1
        keys.append(f"{key} {counts[key]}")
    return keys


class Draws:
    """Random numbers of one fault: for every purpose one number for each row.

    Parameters
    ----------
    seed
        Of the experiment.
    key
        Of the fault (see `fault_keys`).
    """

    def __init__(self, seed: int, key: str) -> None:
        self._seed, self._key = seed, key

    def uniform(self, purpose: str, start: int, stop: int) -> Floats:
        """Return uniform numbers in [0, 1) of rows [start, stop)."""
        return self._rows(purpose, start, stop, lambda rng: rng.random(DRAW_BLOCK))

    def normal(self, purpose: str, start: int, stop: int) -> Floats:
        """Return standard normal numbers of rows [start, stop)."""
        return self._rows(purpose, start, stop, lambda rng: rng.standard_normal(DRAW_BLOCK))

    def _rows(
        self, purpose: str, start: int, stop: int, draw: Callable[[np.random.Generator], Floats]
    ) -> Floats:
        if stop <= start:
            return np.empty(0)
        first, last = start // DRAW_BLOCK, (stop - 1) // DRAW_BLOCK
        name = f"{self._key} {purpose}"
        parts = [draw(stream_rng(self._seed, name, block)) for block in range(first, last + 1)]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return whole[start - first * DRAW_BLOCK : stop - first * DRAW_BLOCK]


class TrainingFacts:
    """What faults need to know of the training window (or of `COLD_ROWS` first rows).

    Each fact is worked out when it is first asked for, in bounded memory.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._rows = dataset.train_rows or min(COLD_ROWS, dataset.n_rows)
        self._moments: dict[str, tuple[float, float]] = {}
        self._levels: dict[str, list[str]] = {}
        self._target: tuple[float, float] | None = None

    def deviation(self, column: str) -> float:
        """Return the standard deviation of a number column (0 if it never varies)."""
        if column not in self._moments:
            self._moments[column] = _moments(self._numbers(column))
        return self._moments[column][1]

    def levels(self, column: str) -> list[str]:
        """Return the categories that occur, in code-point order."""
        if column not in self._levels:
            found: set[str] = set()
            for table in self._tables(column):
                found.update(table.column(0).unique().drop_null().to_pylist())
            self._levels[column] = sorted(found)
        return self._levels[column]

    def target(self) -> tuple[float, float]:
        """Return mean and standard deviation of a target of numbers."""
        if self._target is None:
            read = self._dataset.labels
            self._target = _moments(
                np.asarray(read(a, min(a + _READ_ROWS, self._rows)), dtype=np.float64)
                for a in range(0, self._rows, _READ_ROWS)
            )
        return self._target

    def _tables(self, column: str) -> Iterator[Any]:
        kinds = {column: self._dataset.kinds[column]}
        for a in range(0, self._rows, _READ_ROWS):
            stop = min(a + _READ_ROWS, self._rows)
            yield self._dataset.store.read(a, stop, columns=[column], kinds=kinds)

    def _numbers(self, column: str) -> Iterator[Floats]:
        for table in self._tables(column):
            yield number_array(table.column(0))


def _moments(parts: Iterator[Floats]) -> tuple[float, float]:
    """Mean and standard deviation of all finite numbers (Chan et al. 1979)."""
    count, mean, squares = 0, 0.0, 0.0
    for part in parts:
        known = part[np.isfinite(part)]
        if not len(known):
            continue
        own = float(known.mean())
        step, total = own - mean, count + len(known)
        squares += float(np.square(known - own).sum()) + step * step * count * len(known) / total
        mean += step * len(known) / total
        count = total
    return mean, math.sqrt(squares / count) if count else 0.0
