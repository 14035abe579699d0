"""What serves between two changes of a model: it stays as it is, or it learns online."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.experiment import LearnerSpec, OnlinePolicy, StaticPolicy
from modellab.learners.catalogue import entry
from modellab.policies.base import NEVER, Policy
from modellab.policies.online import Online

if TYPE_CHECKING:
    from modellab.learners.base import Learner, Prediction
    from modellab.policies.base import Surroundings


class Still(Policy):
    """A model that stays as it is until somebody puts another one in its place.

    Attributes
    ----------
    change
        Position at which that will happen next, as far as it is known.
    present
        Whether there is a model.
    """

    def __init__(self, learner: Learner, around: Surroundings) -> None:
        super().__init__(StaticPolicy(), learner, around)
        self.change = NEVER
        self.present = around.train_rows > 0

    @property
    def has_model(self) -> bool:
        """Whether there is a model."""
        return self.present

    def step(self, start: int, stop: int) -> Prediction:
        """Predict; nothing is learned."""
        return self.predict_piece(start, stop, self.change)


def serve(spec: LearnerSpec, learner: Learner, around: Surroundings, *, learn: bool) -> Policy:
    """Return what serves with `learner`: online if it is wanted and the learner can, else still."""
    if learn and entry(spec).online:
        return Online(OnlinePolicy(), learner, around)
    return Still(learner, around)


def hand_over(inner: Policy, learner: Learner, learned_to: int) -> None:
    """Let `learner` serve, which knows the labels of rows before `learned_to`.

    If it learns online, it goes on with the labels from there on, whether they have arrived
    before or not.
    """
    inner.learner = learner
    inner.cache.forget()
    inner.version += 1
    inner.trained_to = learned_to
    if isinstance(inner, Online):
        inner.next_row = inner.first_waiting = learned_to
        inner.waiting = 0
    elif isinstance(inner, Still):
        inner.present = True
