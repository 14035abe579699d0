"""Automatic rollback: when a model has got much worse than it once was, it becomes that again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.policies.base import PolicyEvent
from modellab.policies.guard_window import RowValues

if TYPE_CHECKING:
    from modellab.experiment import GuardSpec
    from modellab.learners.base import Learner, Prediction
    from modellab.policies.base import Policy, Surroundings

TRIES = 3
"""After so many rollbacks in a row that did not help, a state is given up."""


@dataclass
class Best:
    """The state of a model with the least window error so far.

    `mark`: tells whether the deployed model is still this one (see `_mark`). `tries`: rollbacks to
    it in a row that did not help.
    """

    position: int
    error: float
    mark: tuple[Any, ...]
    blob: bytes
    saved: dict[str, Any]
    tries: int = 0


class Rollback:
    """Looks every ``check_every`` rows at the mean error of the last ``window`` labelled rows.

    Errors are those of what the lane answered against the labels as they arrived: 0/1, or absolute.
    The state with the least is kept. Where the error exceeds that one's by more than ``rollback``,
    the model becomes it again, and the errors of the rows before are let go: the next look that
    counts comes when `window` rows were answered since. A rollback that did not help (labels are
    still wrong, or the world has changed for good) is tried again after twice as many rows, then
    four times as many; after `TRIES` of them the state is given up, and a new best is looked for.
    """

    def __init__(self, spec: GuardSpec, around: Surroundings) -> None:
        assert spec.rollback is not None
        self._margin, self._window = spec.rollback, spec.window
        self._every = spec.check_every
        self._around = around
        self._errors = RowValues(around.train_rows)
        self._least = spec.window  # labelled rows that are needed before an error counts
        self.best: Best | None = None

    def next_check(self, position: int) -> int:
        """First position after `position` at which it looks."""
        first = self._around.train_rows
        return first + ((position - first) // self._every + 1) * self._every

    def record(self, start: int, prediction: Prediction) -> None:
        """Rows from `start` on were answered like this."""
        labels = self._around.labels(start, start + len(prediction))
        losses = self._around.losses(start, start + len(prediction), prediction, labels)
        self._errors.put(start, losses)

    def check(self, policy: Policy, position: int) -> PolicyEvent | None:
        """Look, after row `position` - 1 was answered; return what was done."""
        error = self._error(position)
        if error is None:
            return None
        best = self.best
        if best is None or error < best.error:
            self._keep(policy, position, error)
            return None
        if error <= best.error + self._margin:
            best.tries, self._least = 0, self._window
            return None
        if best.tries >= TRIES:
            self._keep(policy, position, error)
            text = (
                f"The model of row {best.position:,} is no better on these rows, {TRIES} rollbacks "
                "to it did not help: the guard takes the present one as its best"
            )
            return PolicyEvent(position, "warning", text)
        if best.mark == _mark(policy):
            return None
        self._back(policy, best)
        best.mark = _mark(policy)
        best.tries += 1
        self._least = self._window * 2 ** (best.tries - 1)
        self._errors.drop(position)
        return PolicyEvent(
            position,
            "rollback",
            f"Rolled back by itself to the model of row {best.position:,}: window error "
            f"{error:.4g} against {best.error:.4g}",
            {"to": best.position, "error": error, "best_error": best.error, "automatic": True},
        )

    def _error(self, position: int) -> float | None:
        """Mean error of the last rows whose label is known; None while there are too few."""
        start = self._errors.start
        known = max(int(self._around.label_upto(position - 1, position)[-1]), start)
        errors = self._errors.values(start, known)
        there = np.flatnonzero(~np.isnan(errors) & self._labelled(start, known))
        if len(there) < self._least:
            return None
        last = there[len(there) - self._window :]
        self._least = self._window
        # Rows that are older than the window are no longer needed.
        self._errors.drop(start + int(last[0]))
        return float(np.mean(errors[last]))

    def _labelled(self, start: int, stop: int) -> Any:
        from modellab.policies.base import labelled

        return labelled(self._around.task, self._around.labels(start, stop))

    def _keep(self, policy: Policy, position: int, error: float) -> None:
        best = self.best
        if best is not None and best.mark == _mark(policy) and best.tries < TRIES:
            best.error = min(error, best.error)
            return
        saved = {k: v for k, v in policy.state().items() if k != "cache"}
        self._least = self._window
        self.best = Best(position, error, _mark(policy), policy.learner.state(), saved)

    def _back(self, policy: Policy, best: Best) -> None:
        """Go back; settings that were changed since then stay as they are."""
        before = live_settings(policy.learner)
        policy.roll_back(best.blob, best.saved)
        after = live_settings(policy.learner)
        for name, value in before.items():
            if name in after and after[name] != value:
                policy.learner.set(name, value)

    def went_back(self) -> None:
        """A person rolled the lane back: the errors before tell nothing of what serves now."""
        self._errors.drop(self._errors.stop)
        self._least = self._window

    def state(self) -> dict[str, Any]:
        """Plain values and arrays."""
        best = self.best
        return {
            "errors": self._errors.state(),
            "least": self._least,
            "best": None if best is None else dict(vars(best)),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self._errors.load_state(state["errors"])
        self._least = state["least"]
        self.best = None if state["best"] is None else Best(**state["best"])


def _mark(policy: Policy) -> tuple[Any, ...]:
    """What changes whenever the deployed model does, and does not depend on chunks or restarts."""
    counters = policy.counters
    return (counters.updates, counters.redeploys, counters.rollbacks, policy.trained_to)


def live_settings(learner: Learner) -> dict[str, Any]:
    """Settings of a learner that can be changed while it runs, with their values."""
    told = getattr(learner, "settings", None)
    return dict(told()) if callable(told) else {}
