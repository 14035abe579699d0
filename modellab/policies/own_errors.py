"""What a policy knows of its own errors: each once its label has arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.learners.base import Floats, Ints, Prediction
from modellab.policies.base import Surroundings, labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Arrived:
    """Labels that arrive while rows [start, stop) are predicted.

    Attributes
    ----------
    start, stop
        The rows that are predicted meanwhile.
    first
        Row of the first label.
    losses
        float64 (m,): the model's error on rows [first, first + m), in order; NaN where there is no
        label, no answer, or where another model than the present one answered.
    known
        bool (m,): which of them have a label.
    positions
        int64 (m,), non-decreasing: the first row before whose prediction each is known.
    """

    start: int
    stop: int
    first: int
    losses: Floats
    known: NDArray[np.bool_]
    positions: Ints

    def until(self, position: int) -> Arrived:
        """Return what is known before row `position` is predicted."""
        count = int(np.searchsorted(self.positions, position, side="right"))
        return Arrived(
            self.start,
            position,
            self.first,
            self.losses[:count],
            self.known[:count],
            self.positions[:count],
        )

    def after(self, position: int) -> Arrived:
        """Return the rest: what is not known yet before row `position` is predicted."""
        count = int(np.searchsorted(self.positions, position, side="right"))
        return Arrived(
            position,
            self.stop,
            self.first + count,
            self.losses[count:],
            self.known[count:],
            self.positions[count:],
        )


class OwnErrors:
    """Keeps predictions until their labels arrive.

    Attributes
    ----------
    next_row
        First row whose label has not arrived yet.
    since
        Rows before it were answered by an earlier model: their losses are left out.
    """

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.next_row = around.train_rows
        self.since = around.train_rows
        self._values: list[NDArray[Any]] = []  # of rows from next_row on

    def peek(self, start: int, prediction: Prediction) -> Arrived:
        """Errors that become known while rows from `start` on are predicted like this."""
        stop = start + len(prediction)
        upto = self.around.label_upto(start, stop)
        first, end = self.next_row, max(int(upto[-1]), self.next_row)
        labels = self.around.labels(first, end)
        losses = self.around.losses(first, end, self._pending(end - first, prediction), labels)
        if first < self.since:
            losses = np.where(np.arange(first, end) < self.since, np.nan, losses)
        rows = np.arange(first, end)
        positions = start + 1 + np.searchsorted(upto, rows, side="right")
        return Arrived(start, stop, first, losses, labelled(self.around.task, labels), positions)

    def _pending(self, count: int, prediction: Prediction) -> Prediction:
        parts: list[NDArray[Any]] = []
        have = 0
        for values in [*self._values, prediction.value]:
            if have >= count:
                break
            parts.append(values[: count - have])
            have += len(parts[-1])
        return Prediction(np.concatenate(parts) if parts else prediction.value[:0])

    def take(self, prediction: Prediction, arrived: Arrived) -> None:
        """Go on: these rows were predicted like this, and these labels arrived meanwhile."""
        self._values.append(prediction.value)
        count = len(arrived.losses)
        self.next_row += count
        while count:
            head = self._values[0]
            if len(head) > count:
                self._values[0] = head[count:]
                return
            count -= len(head)
            self._values.pop(0)

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        values = np.concatenate(self._values) if self._values else None
        return {"next_row": self.next_row, "since": self.since, "values": values}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.next_row, self.since = state["next_row"], state["since"]
        self._values = [] if state["values"] is None else [state["values"]]
