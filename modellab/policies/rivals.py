"""Two models on the same rows: whether the one that shadows should take over from the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.policies.own_errors import OwnErrors
from modellab.policies.takeover import takeover_p

if TYPE_CHECKING:
    from modellab.learners.base import Floats, Prediction
    from modellab.policies.base import Surroundings
    from modellab.policies.own_errors import Arrived

LOOKS = 4
"""The question is put so many times until all rows have come: after an eighth, a quarter, ..."""
EARLY = 0.01
"""Before all rows have come only what is this sure (over all looks) decides."""


@dataclass(frozen=True)
class Answer:
    """Whether the rival takes over; mean losses of both, rows both answered, and the p-value."""

    yes: bool
    own: float
    rival: float
    rows: int
    p_value: float


class Rivals:
    """Collects the losses of both from row `start` on, where both answered.

    Parameters
    ----------
    around
        The replay.
    start
        First row that counts.
    rows
        Labelled rows until the question is answered one way or the other.
    """

    def __init__(self, around: Surroundings, start: int, rows: int) -> None:
        self.around, self.start, self.rows = around, start, rows
        self.look = 0
        self._errors = OwnErrors(around)
        self._errors.next_row = self._errors.since = start
        self._parts: list[Floats] = [np.empty((2, 0))]

    @property
    def due(self) -> int:
        """The labels of all rows before this one must be known at the next look."""
        return self.start + max(1, self.rows >> max(0, LOOKS - 1 - self.look))

    @property
    def last(self) -> bool:
        """Whether the next look is the last one."""
        return self.look >= LOOKS - 1

    def observe(self, own: Arrived, answers: Prediction) -> None:
        """Rows from ``own.start`` on were answered like this by the rival; `own`: the losses."""
        rival = self._errors.peek(own.start, answers)
        self._errors.take(answers, rival)
        mine = own.losses[max(0, rival.first - own.first) :]
        pair = np.stack([mine, rival.losses])
        self._parts.append(pair[:, ~np.isnan(pair).any(axis=0)])

    def ask(self, margin: float, level: float) -> Answer:
        """Whether the rival is better, or not worse by more than `margin`.

        At the last look by their means and, with a `level` below 1, a paired test; before it, by
        the test at ``min(level, EARLY) / LOOKS``. Without any row in common there is nothing
        against it.
        """
        losses = np.concatenate(self._parts, axis=1)
        self._parts = [losses]
        rows = losses.shape[1]
        if not rows:
            return Answer(self.last, math.nan, math.nan, 0, math.nan)
        own, rival = (float(mean) for mean in losses.mean(axis=1))
        p_value = takeover_p(losses[0] - losses[1], -margin)
        limit = level if self.last else min(level, EARLY) / LOOKS
        sure = p_value < limit or (self.last and level >= 1.0)
        return Answer(bool(rival <= own + margin and sure), own, rival, rows, p_value)

    def go_on(self) -> None:
        """Look again later: with the next share of the rows, or after twice as many."""
        if self.last:
            self.rows *= 2
        else:
            self.look += 1

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        return {
            "start": self.start,
            "rows": self.rows,
            "look": self.look,
            "errors": self._errors.state(),
            "losses": np.concatenate(self._parts, axis=1),
        }

    @staticmethod
    def of(around: Surroundings, state: dict[str, Any]) -> Rivals:
        """Make again what gave this state."""
        made = Rivals(around, state["start"], state["rows"])
        made.look = state["look"]
        made._errors.load_state(state["errors"])
        made._parts = [state["losses"]]
        return made
