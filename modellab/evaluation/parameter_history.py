"""The parameters of a lane's model along the stream: snapshots of bounded number and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.versions import new_filling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ParameterArrays:
    """Snapshots of parameters.

    Attributes
    ----------
    positions
        Where the snapshots were taken, int64 (s,), increasing.
    names
        The parameters (p of them).
    values
        float64 (s, p), NaN where a snapshot did not have a parameter.
    """

    positions: Ints
    names: tuple[str, ...]
    values: Floats


@dataclass(frozen=True)
class ParameterDelta:
    """News of a parameter history: replace all snapshots from `from_index` on by these.

    With `from_index` 0 the names may be others than before. `version` is what to ask the next delta
    with.
    """

    from_index: int
    positions: Ints
    names: tuple[str, ...]
    values: Floats
    version: int


class ParameterHistory:
    """Snapshots of a model's parameters at positions that are multiples of a stride.

    When there are `capacity` snapshots, the stride doubles and those between are dropped, so which
    snapshots there are depends on positions alone. The first one is always kept, wherever it was
    taken: it shows the model as it was deployed.

    Parameters
    ----------
    capacity
        Largest number of snapshots, at least 2.
    max_parameters
        Largest number of parameters. If the first snapshot has more, those with the largest
        absolute values are kept; names that come later are added as long as there is room.
    stride
        The first stride.
    """

    def __init__(self, capacity: int = 1024, max_parameters: int = 256, stride: int = 256) -> None:
        self.capacity = capacity
        self.max_parameters = max_parameters
        self.stride = stride
        self.left_out = 0
        """Parameters of the last snapshot that were not kept."""
        self._columns: dict[str, int] = {}
        self._usual: list[str] | None = None
        self._positions = np.empty(capacity, dtype=np.int64)
        self._values = np.empty((capacity, 0))
        self._n = 0
        self._filling = new_filling()

    def __len__(self) -> int:
        return self._n

    @property
    def version(self) -> int:
        """Ask `delta` with it later, to get what came after now."""
        return self._filling | self._n

    def due(self, position: int) -> bool:
        """Whether a snapshot is to be taken at this position."""
        return self._n == 0 or position % self.stride == 0

    def next_due(self, position: int) -> int:
        """Return the first position from `position` on at which a snapshot is due."""
        return position if self._n == 0 else -(-position // self.stride) * self.stride

    def due_between(self, start: int, stop: int) -> Ints:
        """Positions in (start, stop] at which snapshots are due, as far as is known now.

        All that will be due are among them: taking them may make later ones due less often.
        """
        begin, first = start + 1, []
        if self._n == 0 and start < stop:
            first, begin = [begin], begin + 1
        low = -(-begin // self.stride) * self.stride
        return np.array([*first, *range(low, stop + 1, self.stride)], dtype=np.int64)

    def foresee(self, end: int, first: int) -> None:
        """Take only the snapshots that are still there at `end`: the others would be dropped.

        For a stream that is gone through without anybody looking. What there is at `end` is the
        same; what there is before it, is less.

        Parameters
        ----------
        end
            Last position at which a snapshot may be taken.
        first
            Position of the first snapshot, if none was taken yet.
        """
        first = int(self._positions[0]) if self._n else first
        while 1 + end // self.stride - first // self.stride > self.capacity:
            if self._n:
                self._thin()
            else:
                self.stride *= 2

    def record(self, position: int, parameters: Mapping[str, float]) -> None:
        """Take a snapshot, if one is due.

        Raises
        ------
        ValueError
            If there is one at this position or later already.
        """
        if self._n and position <= self._positions[self._n - 1]:
            raise ValueError(f"there is a snapshot at {self._positions[self._n - 1]} already")
        if not self.due(position):
            return
        if self._n == self.capacity:
            self._thin()
            if not self.due(position):
                return
        self._positions[self._n] = position
        if list(parameters) == self._usual:  # those of the last one, one for each column
            self._values[self._n] = list(parameters.values())
        else:
            self._record(parameters)
        self._n += 1

    def _record(self, parameters: Mapping[str, float]) -> None:
        self._name(parameters)
        row = np.full(len(self._columns), np.nan)
        for name, value in parameters.items():
            column = self._columns.get(name)
            if column is not None:
                row[column] = value
        self.left_out = sum(name not in self._columns for name in parameters)
        self._values[self._n] = row
        self._usual = list(parameters) if list(parameters) == list(self._columns) else None

    def _name(self, parameters: Mapping[str, float]) -> None:
        """Give new parameters a column, the largest first if there is not room for all."""
        new = [name for name in parameters if name not in self._columns]
        room = self.max_parameters - len(self._columns)
        if not new or room <= 0:
            return
        if len(new) > room and not self._n:
            sizes = [-abs(parameters[name]) for name in new]
            largest = sorted(np.argsort(np.nan_to_num(sizes, nan=0.0), kind="stable")[:room])
            new = [new[k] for k in largest]
        for name in new[:room]:
            self._columns[name] = len(self._columns)
        grown = np.full((self.capacity, len(self._columns)), np.nan)
        grown[: self._n, : self._values.shape[1]] = self._values[: self._n]
        self._values = grown
        self._filling = new_filling()

    def _thin(self) -> None:
        """Double the stride, and drop what no longer lies on it."""
        self.stride *= 2
        keep = self._positions[: self._n] % self.stride == 0
        keep[0] = True
        kept = int(np.count_nonzero(keep))
        self._positions[:kept] = self._positions[: self._n][keep]
        self._values[:kept] = self._values[: self._n][keep]
        self._n = kept
        self._filling = new_filling()

    def arrays(self) -> ParameterArrays:
        """Return all snapshots."""
        return ParameterArrays(
            self._positions[: self._n].copy(),
            tuple(self._columns),
            self._values[: self._n].copy(),
        )

    def delta(self, since: int) -> ParameterDelta:
        """Return what changed since the version `since` (0: everything)."""
        low = since - self._filling
        if not 0 <= low <= self._n:
            low = 0
        return ParameterDelta(
            low,
            self._positions[low : self._n].copy(),
            tuple(self._columns),
            self._values[low : self._n].copy(),
            self.version,
        )

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        return {
            "stride": self.stride,
            "left_out": self.left_out,
            "names": list(self._columns),
            "positions": self._positions[: self._n].copy(),
            "values": self._values[: self._n].copy(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state made with the same settings; the next delta holds everything."""
        self.stride, self.left_out = state["stride"], state["left_out"]
        self._columns = {name: k for k, name in enumerate(state["names"])}
        self._usual = None
        self._n = len(state["positions"])
        self._positions[: self._n] = state["positions"]
        self._values = np.full((self.capacity, len(self._columns)), np.nan)
        self._values[: self._n] = np.reshape(state["values"], (self._n, len(self._columns)))
        self._filling = new_filling()


class ParameterView:
    """A copy of a parameter history on the receiving side, brought up to date by deltas."""

    def __init__(self) -> None:
        self.version = 0
        """Version of the last delta applied: what to ask the next one with."""
        self.names: tuple[str, ...] = ()
        self.positions: Ints = np.empty(0, dtype=np.int64)
        self.values: Floats = np.empty((0, 0))

    def apply(self, delta: ParameterDelta) -> None:
        """Take in news.

        Raises
        ------
        ValueError
            If an earlier delta is missing: ask for one since version 0.
        """
        low = delta.from_index
        if low > len(self.positions) or (low and delta.names != self.names):
            raise ValueError("the news do not follow what is there")
        shape = len(delta.positions), len(delta.names)
        kept = self.values[:low] if low else np.empty((0, len(delta.names)))
        self.positions = np.concatenate([self.positions[:low], delta.positions])
        self.values = np.concatenate([kept, np.reshape(delta.values, shape)])
        self.names, self.version = delta.names, delta.version
