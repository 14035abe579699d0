"""The static policy: trained once, deployed, and left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.policies.base import NEVER, Policy

if TYPE_CHECKING:
    from modellab.learners.base import Prediction


class Static(Policy):
    """Never changes the deployed model. After a cold start there is none, so it never answers."""

    unchanging = True

    @property
    def has_model(self) -> bool:
        """Whether it was trained on a training window."""
        return self.around.train_rows > 0

    def step(self, start: int, stop: int) -> Prediction:
        """Predict; nothing is learned."""
        return self.predict_piece(start, stop, NEVER)
