"""The retraining cycle on a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab.experiment import ScheduledPolicy, rows_or_span
from modellab.policies.cycle import Cycle, Waiting

if TYPE_CHECKING:
    from modellab.learners.base import Learner
    from modellab.policies.base import Surroundings


class Scheduled(Cycle):
    """Retrains offline every so many rows, or every so much event time (see `Cycle`)."""

    live = frozenset({"every", "keep", "test_rows", "margin", "level", "delay", "downtime"})

    def __init__(self, spec: ScheduledPolicy, learner: Learner, around: Surroundings) -> None:
        super().__init__(spec, learner, around)
        self.last_trigger = around.train_rows
        self.next_trigger = self._after(self.last_trigger)

    def _after(self, position: int) -> int:
        rows, span = rows_or_span(self.spec.every, "The interval")
        return max(self.around.position_at(position, rows, span), position + 1)

    def _setting_changed(self, name: str) -> None:
        """A new interval counts from the last retrain."""
        super()._setting_changed(name)
        if name == "every":
            self.next_trigger = self._after(self.last_trigger)

    def _next_act(self, at: int) -> int:
        del at
        return self.next_trigger

    def _act(self, at: int) -> None:
        if at < self.next_trigger:
            return
        self.last_trigger = at
        self.next_trigger = self._after(at)
        every = self.spec.every
        self._retrain(
            at, f"Due every {every:,} rows" if isinstance(every, int) else f"Due every {every}"
        )

    def state(self) -> dict[str, Any]:
        """Everything but the learner."""
        own = {"last_trigger": self.last_trigger, "next_trigger": self.next_trigger}
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        super().load_state(state)
        self.last_trigger = state["last_trigger"]
        self.next_trigger = state["next_trigger"]


__all__ = ["Scheduled", "Waiting"]
