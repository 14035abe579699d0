"""Baselines: what anybody could predict without looking at a single column."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.errors import LearnerError, quote
from modellab.learners.base import Inputs, Prediction, Progress, Rows, View, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from modellab.learners.base import Floats, Ints


class Baseline:
    """What the baselines share: they ignore the rows, and learn each label as it arrives.

    `run` is exact with late labels and costs a few numpy calls for a whole block. Settings of the
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

    def _after(self, y: NDArray[Any], known: Ints) -> Prediction:
        """Predictions for rows before which the first ``known[i]`` labels of `y` were learned."""
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
        return self._after(self._no_labels(), np.zeros(len(rows), dtype=np.int64))

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
        # What arrives after row i serves row i + 1.
        known = np.concatenate([np.zeros(1, dtype=np.int64), np.asarray(upto)[:-1]])
        prediction = self._after(learn_y, known)
        arrived = int(upto[-1])
        self._take(learn_y[:arrived])
        return prediction, arrived

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
        self._counts = self._counts + np.bincount(y, minlength=len(self._counts))
        self._seen = self._order(y)

    def _order(self, y: NDArray[Any]) -> list[int]:
        """Classes in the order in which they were seen, those of `y` included."""
        if len(self._seen) == len(self._counts):
            return self._seen
        codes, first = np.unique(y, return_index=True)
        new = [int(c) for c in codes[np.argsort(first)] if int(c) not in self._seen]
        return self._seen + new

    def _after(self, y: NDArray[Any], known: Ints) -> Prediction:
        classes = len(self._counts)
        counts = np.empty((len(known), classes))
        steps = np.zeros(len(y) + 1, dtype=np.int64)
        for k in range(classes):
            np.cumsum(y == k, out=steps[1:])
            counts[:, k] = steps[known] + self._counts[k]
        total = known + int(self._counts.sum())
        value = np.full(len(known), -1, dtype=np.int64)
        most = np.zeros(len(known))
        for k in self._order(y):  # of classes as frequent, the one seen first
            more = counts[:, k] > most
            value[more] = k
            most = np.where(more, counts[:, k], most)
        with np.errstate(invalid="ignore"):
            return Prediction(value, counts / total[:, None])

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

    def _after(self, y: NDArray[Any], known: Ints) -> Prediction:
        return Prediction(np.concatenate([[self._last], y]).astype(np.int64)[known])

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

    def _after(self, y: NDArray[Any], known: Ints) -> Prediction:
        with np.errstate(invalid="ignore"):
            return Prediction(self._sums(y)[known] / (self._count + known))

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

    def _after(self, y: NDArray[Any], known: Ints) -> Prediction:
        return Prediction(np.concatenate([[self._last], y])[known])

    def parameters(self) -> dict[str, float]:
        """The last value."""
        return {} if math.isnan(self._last) else {"last value": self._last}

    def state(self) -> bytes:
        """The last value."""
        return struct.pack("<d", self._last)

    def load_state(self, state: bytes) -> None:
        """Take over the last value."""
        (self._last,) = struct.unpack("<d", state)
