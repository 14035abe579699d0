"""The retraining cycle on a schedule: collect, merge, retrain, test, redeploy (or reject)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modellab.errors import LabError
from modellab.experiment import ScheduledPolicy, rows_or_span
from modellab.learners.base import Learner, Prediction, join
from modellab.policies.base import Policy, PolicyEvent, Surroundings, labelled


@dataclass
class Waiting:
    """A retrained model that will serve from `position` on."""

    position: int
    state: bytes
    trained_to: int


class Scheduled(Policy):
    """Retrains offline every so many rows, or every so much event time.

    The new model is fitted on what is kept, less the newest `test_rows` labelled rows, on which it
    is then compared with the model that runs. Rows that the running model was trained on do not
    count as a test: they would flatter it. The new model is redeployed as tested, from
    `trigger + delay` on, if it is not worse by more than `margin`.
    """

    live = frozenset({"every", "keep", "test_rows", "margin", "delay"})

    def __init__(self, spec: ScheduledPolicy, learner: Learner, around: Surroundings) -> None:
        super().__init__(spec, learner, around)
        self.last_trigger = around.train_rows
        self.trained_to = around.train_rows
        self.waiting: list[Waiting] = []
        self.next_trigger = self._after(self.last_trigger)
        self._serve(self.last_trigger)  # a delay that cannot be kept is told before the replay

    @property
    def has_model(self) -> bool:
        """Whether a model was trained: on the training window, or since then."""
        return self.around.train_rows > 0 or self.counters.redeploys > 0

    def _serve(self, trigger: int) -> int:
        rows, span = rows_or_span(self.spec.delay, "The delay")
        return self.around.position_at(trigger, rows, span) if rows or span else trigger

    def _after(self, position: int) -> int:
        rows, span = rows_or_span(self.spec.every, "The interval")
        return max(self.around.position_at(position, rows, span), position + 1)

    def set(self, name: str, value: Any) -> None:
        """Change the schedule or a limit; a new interval counts from the last retrain."""
        before = self.spec
        super().set(name, value)
        try:
            if name == "delay":
                self._serve(self.last_trigger)
            if name == "every":
                self.next_trigger = self._after(self.last_trigger)
        except LabError:
            self.spec = before
            raise

    def step(self, start: int, stop: int) -> Prediction:
        """Predict; retrain where it falls due."""
        parts = []
        at = start
        while at < stop:
            self._deploy_due(at)
            if at >= self.next_trigger:
                self._retrain(at)
                self._deploy_due(at)
            change = min([self.next_trigger, *(w.position for w in self.waiting)])
            end = min(stop, change)
            parts.append(self.predict_piece(at, end, change))
            at = end
        return join(parts)

    def _deploy_due(self, at: int) -> None:
        while self.waiting and self.waiting[0].position <= at:
            ready = self.waiting.pop(0)
            fresh = self.around.build()
            fresh.load_state(ready.state)
            self.learner = fresh
            self.trained_to = ready.trained_to
            self.version += 1
            self.counters.redeploys += 1
            self.cache.forget()
            self.events.append(PolicyEvent(at, "redeploy", "The retrained model serves from here."))

    def _retrain(self, at: int) -> None:
        self.last_trigger = at
        self.next_trigger = self._after(at)
        spec: ScheduledPolicy = self.spec
        known = int(self.around.label_upto(at - 1, at)[-1])
        start = 0 if isinstance(spec.keep, str) else max(0, known - spec.keep)
        held = self._held_out(start, known)
        try:
            fresh = self.around.build()
            with self.counters.clock("fit"):
                used = self.around.fit(fresh, start, held)
            new = self.around.loss(fresh, held, known)
            old = self.around.loss(self.learner, held, known) if self.has_model else np.nan
        except LabError as error:
            text = f"The retrain failed, and the old model goes on. {error.sentence}"
            self.events.append(PolicyEvent(at, "warning", text))
            return
        self.counters.retrains += 1
        better = held == known or np.isnan(old) or new <= old + spec.margin
        number = self.counters.retrains
        outcome = "deployed" if better else "kept the old model"
        tested = "untested" if held == known else f"test error {new:.4g} against {old:.4g}"
        event = PolicyEvent(
            at,
            "retrain" if better else "reject",
            f"Retrain {number}: {tested}, {outcome}",
            {
                "retrain": number,
                "rows": used,
                "first_row": start,
                "last_row": held,
                "test_rows": known - held,
                "new_error": None if np.isnan(new) else new,
                "old_error": None if np.isnan(old) else old,
                "deployed": bool(better),
            },
        )
        self.events.append(event)
        for sentence in getattr(fresh, "warnings", []):
            if sentence not in getattr(self.learner, "warnings", []):  # else it was told before
                self.events.append(PolicyEvent(at, "warning", sentence))
        if not better:
            self.counters.rejected += 1
            return
        self.waiting.append(Waiting(self._serve(at), fresh.state(), held))
        self.waiting.sort(key=lambda w: w.position)

    def _held_out(self, start: int, known: int) -> int:
        """Where the newest `test_rows` labelled rows begin that the running model has not seen.

        Never more than half of those, so that the new model has something new to learn from;
        `known` if there are none.
        """
        unseen = max(start, self.trained_to)
        wanted: int = min(self.spec.test_rows, (known - unseen) // 2)
        if wanted <= 0:
            return known
        lo = max(unseen, known - 4 * wanted)
        marks = np.flatnonzero(labelled(self.around.task, self.around.labels(lo, known)))
        if not len(marks):
            return known
        return lo + int(marks[-min(wanted, len(marks))])

    def state(self) -> dict[str, Any]:
        """Everything but the learner."""
        own = {
            "last_trigger": self.last_trigger,
            "next_trigger": self.next_trigger,
            "trained_to": self.trained_to,
            "waiting": [(w.position, w.state, w.trained_to) for w in self.waiting],
        }
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        super().load_state(state)
        self.last_trigger = state["last_trigger"]
        self.next_trigger = state["next_trigger"]
        self.trained_to = state["trained_to"]
        self.waiting = [Waiting(*w) for w in state["waiting"]]
