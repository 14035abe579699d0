"""Retrains at given positions: the schedule that is best when all the stream is known."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from modellab.policies.base import NEVER
from modellab.policies.cycle import Cycle

if TYPE_CHECKING:
    from modellab.experiment import HindsightPolicy
    from modellab.learners.base import Learner
    from modellab.policies.base import Surroundings


class Hindsight(Cycle):
    """Retrains exactly at the positions `spec.at`; nothing is tested, held back or rejected.

    At position *p* it fits on the labels known before row *p* is predicted, of the rows that `keep`
    says (``"alarm"``: all, for alarms would depend on the schedule that is looked for), and the
    new model answers from row *p* on. Positions before the stream are passed over.
    """

    def __init__(self, spec: HindsightPolicy, learner: Learner, around: Surroundings) -> None:
        super().__init__(spec, learner, around)
        self._positions = [p for p in spec.at if p >= max(1, around.train_rows)]

    def _needs_errors(self) -> bool:
        return False

    def _next_act(self, at: int) -> int:
        index = bisect_right(self._positions, at)
        return self._positions[index] if index < len(self._positions) else NEVER

    def _act(self, at: int) -> None:
        index = bisect_right(self._positions, at) - 1
        if index >= 0 and self._positions[index] == at:
            self._retrain(at, "Best with all the stream known", tested=False)
