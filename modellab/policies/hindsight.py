"""Retrains at given positions: the schedule that is best when all the stream is known."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from modellab.policies.base import NEVER
from modellab.policies.cycle import Cycle

if TYPE_CHECKING:
    from modellab.experiment import HindsightPolicy
    from modellab.learners.base import Learner
    from modellab.policies.base import Surroundings


class Hindsight(Cycle):
    """Retrains exactly at the positions `spec.at`; nothing is tested, held back or rejected.

    At position *p* it fits on the labels known before row *p* is predicted, of the rows that its
    entry of `keeps`, else `keep`, says (``"alarm"`` and ``"any"``: all, for alarms would depend on
    the schedule that is looked for), and the new model answers from row *p* on. Positions before
    the stream are passed over.
    """

    def __init__(self, spec: HindsightPolicy, learner: Learner, around: Surroundings) -> None:
        super().__init__(spec, learner, around)
        keeps = spec.keeps or [spec.keep] * len(spec.at)
        least = max(1, around.train_rows)
        self._plan = [(p, keep) for p, keep in zip(spec.at, keeps, strict=True) if p >= least]
        self._positions = [position for position, _ in self._plan]

    def _needs_errors(self) -> bool:
        return False

    def _next_act(self, at: int) -> int:
        index = bisect_right(self._positions, at)
        return self._positions[index] if index < len(self._positions) else NEVER

    def _first_rows(self, known: int) -> list[int]:
        """First row of the retrain that is due at the next row, or of the greediest yet to come."""
        index = bisect_left(self._positions, self.at)
        due = index < len(self._plan) and self._positions[index] == self.at
        wanted = self._plan[index : index + 1] if due else self._plan[index:]
        keeps = [keep for _, keep in wanted] or [self.spec.keep]
        return [min(max(0, known - keep) if isinstance(keep, int) else 0 for keep in keeps)]

    def _act(self, at: int) -> None:
        index = bisect_left(self._positions, at)
        if index < len(self._positions) and self._positions[index] == at:
            self._retrain(at, "Best with all the stream known", tested=False)
