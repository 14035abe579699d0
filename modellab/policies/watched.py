"""Policies that watch their own errors and act when these say so, to the row."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.stream import BLOCK
from modellab.experiment import rows_or_span
from modellab.learners.base import Prediction, PrequentialLearner
from modellab.policies.base import NEVER, Surroundings, put_back, take
from modellab.policies.cycle import Cycle

if TYPE_CHECKING:
    from modellab.experiment import Policy as PolicySpec
    from modellab.learners.base import Learner
    from modellab.policies.base import Policy
    from modellab.policies.own_errors import Arrived

_FIRST_TRY = 16
AGAIN = "; rejected before, tried again on more rows"
HEAVY = 200_000
"""A state of so many bytes costs more to keep than rows one by one do."""


class Watched(Cycle):
    """Watches its errors, and acts before the first row at which what it watches for is known.

    Rows are tried ahead. Where it turns out that something is to be done before one of them, the
    answers from there on are void: a still model has not changed meanwhile, and one that learned
    them online is taken back and goes through them again as far as that row. So neither the length
    of a try nor that of a chunk ever matters.

    With ``keep = "alarm"`` (or ``"better"``), the cycle first collects: right after an alarm there
    is nothing yet to learn the new state of things from. It waits until the labels of `collect`
    rows have come since the alarm that called for it. With a `level`, a new model that is rejected
    may only have had too few rows: it is trained again once twice as many have come, and so on,
    unless something else calls for a cycle before.

    Attributes
    ----------
    hit
        Position before whose prediction it must act, if that is known.
    acted_at
        Position of its last action.
    collecting
        While it collects: the row before which all labels must be known, and why it retrains.
    again
        Whether it collects for a model that was rejected before: it may act meanwhile.
    """

    def __init__(
        self,
        spec: PolicySpec,
        learner: Learner,
        around: Surroundings,
        inner: Policy | None = None,
    ) -> None:
        super().__init__(spec, learner, around, inner)
        self.hit: int | None = None
        self.acted_at: int | None = None
        self.collecting: tuple[int, str] | None = None
        self.again = False
        self._try = _FIRST_TRY
        self._weight = 0  # bytes of the learner's state when it was last kept
        self._cooled(self.at)  # a span that cannot be kept is told before the replay

    # -- what it watches for

    @abstractmethod
    def _watch(self, arrived: Arrived, armed: int) -> int | None:
        """First position in (start, stop], from `armed` on, before which to act; else None.

        Takes in what is known before that position, or all; nothing later.
        """

    @abstractmethod
    def _action(self, at: int) -> None:
        """Act before row `at` is predicted."""

    def _kept(self, at: int) -> None:
        """A cycle is over, and the old model goes on."""
        return

    _changes_model = True
    """Whether an action may change the model, so that answers given ahead are void."""

    # -- when it may act

    def _armed_from(self) -> int:
        """First position at which it may act."""
        collects = self.collecting is not None and not self.again
        if self.waiting or collects or self.at < self.down_until:
            return NEVER  # one cycle at a time
        if self.acted_at is None:
            return self.around.train_rows
        return self._cooled(self.acted_at)

    def _cooled(self, position: int) -> int:
        rows, span = rows_or_span(self.spec.cooldown, "The cool-down")
        return max(self.around.position_at(position, rows, span), position + 1)

    def _setting_changed(self, name: str) -> None:
        super()._setting_changed(name)
        if name == "cooldown":
            self._cooled(self.at)

    def _needs_errors(self) -> bool:
        return True

    def _next_act(self, at: int) -> int:
        if self.collecting is None:
            return NEVER
        end = self.piece_end(at)
        upto = self.around.label_upto(at, end)
        return at + 1 + int(np.searchsorted(upto, self.collecting[0])) if len(upto) else end

    def _act(self, at: int) -> None:
        if self.collecting is not None and self.known_before(at) >= self.collecting[0]:
            _, cause = self.collecting
            self.collecting = None
            self._cycle(at, cause, collected=True)
        if self.hit != at:
            return
        self.hit = None
        self.acted_at = at
        self._weight = 0
        self._try = _FIRST_TRY
        self._action(at)

    def _begin_cycle(self, at: int, cause: str) -> None:
        """Retrain now, or once there is enough to learn from."""
        self.collecting, self.again = None, False
        newest = self.alarm_rows[-1] if self.alarm_rows and self._since_alarm else None
        if newest is None or self.known_before(at) - newest >= self._collects:
            self._cycle(at, cause, collected=False)
            return
        told = f"{cause} at row {at:,}; then {self._collects:,} rows were collected"
        self.collecting = (newest + self._collects, told)

    def _cycle(self, at: int, cause: str, *, collected: bool) -> None:
        """Retrain; where that is rejected after it collected, again on twice as many rows."""
        known = self.known_before(at)
        first = self._first_rows(known)[-1]
        if self._retrain(at, cause):
            return
        self._kept(at)
        if collected and self.spec.level < 1.0:
            told = cause.removesuffix(AGAIN) + AGAIN
            self.collecting, self.again = (2 * known - first, told), True

    # -- rows, tried ahead

    def _run(self, at: int, end: int) -> Prediction:
        self.at = at
        armed = self._armed_from()
        end = min(end, at + self._try)
        careful = self.learns and self._changes_model and armed <= end
        heavy = self._weight > HEAVY or not isinstance(self.learner, PrequentialLearner)
        if careful and heavy:
            # What it learned cannot be taken back at a fair price: no row is tried ahead.
            end = at + 1 if armed <= at + 1 else min(end, armed - 1)
            careful = False
        saved = self._save() if careful and end > at + 1 else None
        part = self._answer(at, end)
        peek = self._own_errors().peek(at, self._own(at, part))
        hit = self._watch(peek, armed)
        if not self._changes_model:
            while hit is not None:
                self.acted_at = hit
                self._action(hit)
                armed, rest = self._armed_from(), peek.after(hit)
                hit = self._watch(rest, armed) if hit < end else None
        elif hit is not None and hit < end:
            if saved is not None:
                self._load(saved)
                part = self._answer(at, hit)
            else:
                part = part[: hit - at]
                self._undo_down(at, end, hit)
            peek = peek.until(hit)
        self.hit = hit
        self._try = min(2 * self._try, BLOCK)
        self._observe(part, peek)
        return part

    def _undo_down(self, at: int, end: int, hit: int) -> None:
        """Rows from `hit` on were not answered after all."""
        if at < self.down_until:
            self.counters.downtime_rows -= end - hit
            self.down_spans[-1] = (self.down_spans[-1][0], hit)

    def _save(self) -> tuple[Any, dict[str, Any], int, int]:
        taken = take(self.learner)
        self._weight = len(taken) if isinstance(taken, bytes) else self.learner.size_bytes()
        return taken, self.inner.state(), self.counters.updates, self.version

    def _load(self, saved: tuple[Any, dict[str, Any], int, int]) -> None:
        taken, inner, self.counters.updates, self.version = saved
        put_back(self.learner, taken)
        self.inner.load_state(inner)
        self.inner.counters = self.counters

    # -- state

    def roll_back(self, blob: bytes, saved: dict[str, Any] | None = None) -> None:
        """Let the deployed model be again what it was; what its errors called for is void."""
        super().roll_back(blob, saved)
        self.hit = None

    def state(self) -> dict[str, Any]:
        """Everything but the learner."""
        own = {
            "hit": self.hit,
            "acted_at": self.acted_at,
            "collecting": self.collecting,
            "again": self.again,
        }
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        super().load_state(state)
        self.hit, self.acted_at = state["hit"], state["acted_at"]
        self.collecting, self.again = state["collecting"], state["again"]
