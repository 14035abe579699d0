"""The static policy: trained once, deployed, and left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.policies.base import NEVER, Policy

if TYPE_CHECKING:
    from modellab.learners.base import Prediction


class Static(Policy):
    """Never changes the deployed model."""

    def step(self, start: int, stop: int) -> Prediction:
        """Predict; nothing is learned."""
        return self.predict_piece(start, stop, NEVER)
