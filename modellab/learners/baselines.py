"""Baselines: what anybody could predict without looking at a single column."""

from __future__ import annotations

import copy
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.errors import LearnerError, quote
from modellab.learners.base import Inputs, Prediction, Progress, Rows, View, no_progress
from modellab.learners.compiled import _baselines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from modellab.learners.base import Floats, Ints


def _before(rows: int, upto: Ints | None) -> Ints:
    """How many labels were known before each row: what arrives after row i serves row i + 1."""
    if upto is None:
        return np.arange(rows, dtype=np.int64)
    known = np.zeros(rows, dtype=np.int64)
    known[1:] = upto[:-1]
    return known


def _arrived(y: NDArray[Any], rows: int, upto: Ints | None) -> NDArray[Any]:
    """Labels that are known after the last row."""
    return y[: rows if upto is None else int(upto[-1]) if rows else 0]


def _codes(values: NDArray[Any]) -> Ints:
    return np.ascontiguousarray(values, dtype=np.int64)


def _ends(upto: Ints | None) -> Ints | None:
    return None if upto is None else _codes(upto)


class Baseline:
    """What the baselines share: they ignore the rows, and learn each label as it arrives.

    `run` is exact with late labels and costs next to nothing for a whole block. Settings of the
    cadence (`every`, `batch`) have no meaning here: a baseline knows every label that has arrived.
    """

    view: View = "raw"
    title = "A baseline"

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self.warnings: list[str] = []
        self.heavy = False
        self._reset()

    # What each baseline says: its state, and how labels change it.
    def _reset(self) -> None:
        raise NotImplementedError

    def _take(self, y: NDArray[Any]) -> None:
        """Learn labels in order of arrival."""
        raise NotImplementedError

    def _along(self, rows: int, y: NDArray[Any], upto: Ints | None) -> Prediction:
        """Predict each row, then learn what has arrived: the labels of `y` before ``upto[i]``.

        None: each row's own, right after it.
        """
        raise NotImplementedError

    fit_passes = 1
    labels_only = True
    """`fit` and `fit_chunks` never look at the rows: they need not be encoded."""

    def fit(self, rows: Rows, y: NDArray[Any], progress: Progress = no_progress) -> None:
        """Learn all labels, from scratch."""
        self._reset()
        self._take(y)
        progress(len(y), len(y))

    def fit_chunks(
        self, chunks: Callable[[], Any], passes: int, progress: Progress = no_progress
    ) -> None:
        """Learn the labels of all chunks, once (more passes would say the same)."""
        self._reset()
        done = 0
        for _, y in chunks():
            self._take(y)
            done += len(y)
            progress(done, 0, f"{done:,} rows read")

    def learn(self, rows: Rows, y: NDArray[Any], batch: int = 1) -> int:
        """Learn labels in order."""
        self._take(y)
        return len(y)

    def predict(self, rows: Rows) -> Prediction:
        """The same prediction for each row; -1 or NaN before the first label."""
        return self._along(len(rows), self._no_labels(), np.zeros(len(rows), dtype=np.int64))

    def run(
        self,
        rows: Floats,
        learn_rows: Floats,
        learn_y: NDArray[Any],
        upto: Ints,
        every: int,
        batch: int,
        frozen: bool,
    ) -> tuple[Prediction, int]:
        """Predict each row from the labels that came before it (see `PrequentialLearner.run`)."""
        if frozen or len(rows) == 0:
            return self.predict(rows), 0
        return self._along(len(rows), learn_y, np.asarray(upto)), int(upto[-1])

    can_look = True

    def run_looked(
        self, rows: Floats, y: NDArray[Any], at: Ints, batch: int
    ) -> tuple[Prediction, int, Sequence[Baseline]]:
        """Predict each row, then learn its label at once (see `LooksBack.run_looked`)."""
        looks = []
        here, done = self, 0
        for rows_learned in at.tolist():
            here = copy.copy(here)  # what was learned is replaced, never changed in place
            here._take(y[done:rows_learned])
            looks.append(here)
            done = rows_learned
        return self._along(len(rows), y, None), len(y), looks

    def set(self, name: str, value: float | str | bool) -> None:
        """A baseline has no settings."""
        raise LearnerError(f"{self.title} has no setting called {quote(name)}.")

    def size_bytes(self) -> int:
        """Length of the state."""
        return len(self.state())

    def state(self) -> bytes:
        """All that was learned."""
        raise NotImplementedError

    def _no_labels(self) -> NDArray[Any]:
        kind = np.int64 if self._inputs.task.kind == "classification" else np.float64
        return np.empty(0, dtype=kind)


class MajorityClass(Baseline):
    """The most frequent class so far (of several: the one seen first, as in river).

    Probabilities are the shares of the classes so far.
    """

    title = "Majority class"

    def _reset(self) -> None:
        self._counts = np.zeros(self._inputs.task.n_classes, dtype=np.int64)
        self._seen: list[int] = []

    def _take(self, y: NDArray[Any]) -> None:
        counts = np.bincount(y, minlength=len(self._counts))
        new = np.flatnonzero((counts > 0) & (self._counts == 0)).tolist()
        self._counts = self._counts + counts
        if new:
            self._seen = self._seen + sorted(new, key=lambda code: int(np.argmax(y == code)))

    def _along(self, rows: int, y: NDArray[Any], upto: Ints | None) -> Prediction:
        counts = self._counts.copy()
        late = np.full(len(counts), -1, dtype=np.int64)
        late[self._seen] = np.arange(len(self._seen))
        value = np.empty(rows, dtype=np.int64)
        proba = np.empty((rows, len(counts)))
        _baselines.majorities(_codes(y), _ends(upto), counts, late, value, proba)
        self._counts = counts
        order = np.argsort(late, kind="stable")
        self._seen = order[late[order] >= 0].tolist()
        return Prediction(value, proba)

    def parameters(self) -> dict[str, float]:
        """Share of each class so far."""
        total = int(self._counts.sum())
        if total == 0:
            return {}
        classes = self._inputs.task.classes
        return {
            f"share of {c}": n / total for c, n in zip(classes, self._counts.tolist(), strict=True)
        }

    def state(self) -> bytes:
        """The counts, then the classes in the order in which they were seen."""
        return self._counts.tobytes() + np.array(self._seen, dtype=np.int64).tobytes()

    def load_state(self, state: bytes) -> None:
        """Take over the counts."""
        values = np.frombuffer(state, dtype=np.int64)
        size = self._inputs.task.n_classes
        self._counts, self._seen = values[:size].copy(), values[size:].tolist()


class NoChange(Baseline):
    """The last label that has arrived."""

    title = "No change"

    def _reset(self) -> None:
        self._last = -1

    def _take(self, y: NDArray[Any]) -> None:
        if len(y):
            self._last = int(y[-1])

    def _along(self, rows: int, y: NDArray[Any], upto: Ints | None) -> Prediction:
        value = np.empty(rows, dtype=np.int64)
        self._last = _baselines.last_labels(_codes(y), _ends(upto), self._last, value)
        return Prediction(value)

    def parameters(self) -> dict[str, float]:
        """Nothing that a plot would show."""
        return {}

    def state(self) -> bytes:
        """The last label."""
        return struct.pack("<q", self._last)

    def load_state(self, state: bytes) -> None:
        """Take over the last label."""
        (self._last,) = struct.unpack("<q", state)


class RunningMean(Baseline):
    """The mean of the target so far."""

    title = "Running mean"

    def _reset(self) -> None:
        self._sum = 0.0
        self._count = 0

    def _sums(self, y: NDArray[Any]) -> Floats:
        # Added up one after the other, so that any split into calls gives the same bits.
        return np.add.accumulate(np.concatenate([[self._sum], y]))

    def _take(self, y: NDArray[Any]) -> None:
        self._sum = float(self._sums(y)[-1])
        self._count += len(y)

    def _along(self, rows: int, y: NDArray[Any], upto: Ints | None) -> Prediction:
        known = _before(rows, upto)
        with np.errstate(invalid="ignore"):
            found = Prediction(self._sums(y)[known] / (self._count + known))
        self._take(_arrived(y, rows, upto))
        return found

    def parameters(self) -> dict[str, float]:
        """The mean so far."""
        return {"mean": self._sum / self._count} if self._count else {}

    def state(self) -> bytes:
        """Sum and count."""
        return struct.pack("<dq", self._sum, self._count)

    def load_state(self, state: bytes) -> None:
        """Take over sum and count."""
        self._sum, self._count = struct.unpack("<dq", state)


class LastValue(Baseline):
    """The last value of the target that has arrived."""

    title = "Last value"

    def _reset(self) -> None:
        self._last = math.nan

    def _take(self, y: NDArray[Any]) -> None:
        if len(y):
            self._last = float(y[-1])

    def _along(self, rows: int, y: NDArray[Any], upto: Ints | None) -> Prediction:
        found = Prediction(np.concatenate([[self._last], y])[_before(rows, upto)])
        self._take(_arrived(y, rows, upto))
        return found

    def parameters(self) -> dict[str, float]:
        """The last value."""
        return {} if math.isnan(self._last) else {"last value": self._last}

    def state(self) -> bytes:
        """The last value."""
        return struct.pack("<d", self._last)

    def load_state(self, state: bytes) -> None:
        """Take over the last value."""
        (self._last,) = struct.unpack("<d", state)
