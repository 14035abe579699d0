"""Acts when conditions hold: drift, error, new rows, features; any, all or so many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.experiment import LearnerSpec, OnlinePolicy, TriggeredPolicy, rows_or_span
from modellab.learners.base import Prediction, Progress, no_progress
from modellab.learners.catalogue import entry
from modellab.policies.base import NEVER, Policy, PolicyEvent, Surroundings
from modellab.policies.conditions import Conditions
from modellab.policies.online import Online
from modellab.policies.rivals import Rivals
from modellab.policies.serving import Still, hand_over, serve
from modellab.policies.watched import Watched

if TYPE_CHECKING:
    from modellab.learners.base import Learner
    from modellab.policies.own_errors import Arrived
    from modellab.policies.rivals import Answer


class Triggered(Watched):
    """Acts when its conditions are met, from the row on at which that is known.

    ``retrain``: the cycle (see `Cycle`); no other one begins while a model waits. ``alert``: an
    event when they begin to be met. ``reset``: an untrained model takes over and learns the labels
    that arrive from then on. ``switch``: the challenger, which has learned alongside if it can,
    takes over if it is better from then on (see `Rivals`: on `collect` labelled rows that both
    answer, or on fewer where there is no doubt), and the other becomes the challenger (with
    `learn`, each of them learns if it can). If it is not, that is told and counted; with a `level`,
    it is asked again on twice as many rows. Never sooner than `warmup` after the deployment and
    `cooldown` after the last action. Detectors and the window error see the errors of the present
    model only; an action uses up what called for it.
    """

    live = frozenset(
        {
            "combine",
            "within",
            "cooldown",
            "keep",
            "test_rows",
            "margin",
            "level",
            "delay",
            "downtime",
        }
    )

    def __init__(self, spec: TriggeredPolicy, learner: Learner, around: Surroundings) -> None:
        inner: Policy
        if spec.action == "switch":
            inner = serve(around.spec, learner, around, learn=spec.learn)
        else:
            inner = (
                Online(OnlinePolicy(), learner, around) if spec.learn else Still(learner, around)
            )
        self.conditions = Conditions(spec, around)
        self._has_detector = self.conditions.has_detector
        self._changes_model = spec.action != "alert"
        self.shadow: Policy | None = None
        self.switched = False  # the challenger serves, the lane's own learner shadows
        self.rivals: Rivals | None = None  # while it is asked whether to switch
        if spec.challenger is not None and spec.action == "switch":
            challenger = around.build(spec.challenger)
            self.shadow = serve(spec.challenger, challenger, around, learn=spec.learn)
        super().__init__(spec, learner, around, inner)
        if self.shadow is not None:
            self.shadow.counters = self.counters
        self._warm = self._warm_at()

    def _warm_at(self) -> int:
        rows, span = rows_or_span(self.spec.warmup, "The warm-up")
        return self.around.position_at(self.around.train_rows, rows, span)

    def prepare(self, progress: Progress = no_progress) -> None:
        """Train the first model, and the challenger if there is one."""
        super().prepare(progress)
        if self.shadow is not None:
            self.around.first_fit(self.shadow.learner, self.spec.challenger, progress)
        self.conditions.prepare()

    @property
    def has_model(self) -> bool:
        """Whether there is a model to answer with."""
        return self.inner.has_model

    def rows_stored(self, position: int) -> int:
        """Rows that are kept at `position`, for the next retrain or until they are learned."""
        kept = super().rows_stored(position) if self.spec.action == "retrain" else 0
        sides = [self.inner] if self.shadow is None else [self.inner, self.shadow]
        return max(kept, *(side.rows_stored(position) for side in sides))

    def rows_changed(self, position: int) -> None:
        """Compute again what was computed ahead."""
        super().rows_changed(position)
        if self.shadow is not None:
            self.shadow.rows_changed(position)

    def learner_spec(self, saved: dict[str, Any] | None = None) -> LearnerSpec | None:
        """Which learner is deployed now, or in a `saved` state; None for the lane's own."""
        switched = self.switched if saved is None else saved["switched"]
        return self.spec.challenger if switched else None

    # -- acting

    def _armed_from(self) -> int:
        return max(super()._armed_from(), self._warm)

    def _watch(self, arrived: Arrived, armed: int) -> int | None:
        hit = self.conditions.watch(arrived, self.spec, armed)
        for alarm in self.conditions.take_alarms():
            self.counters.alarms += 1
            if alarm.risen:
                self._alarmed(alarm.row)
            values = {
                "detector": alarm.detector,
                "row": alarm.row,
                "estimate": alarm.estimate,
                "risen": alarm.risen,
            }
            self.events.append(PolicyEvent(alarm.position, "drift", alarm.words, values))
        return hit

    def _action(self, at: int) -> None:
        spec = self.spec
        cause = self.conditions.words(at, spec.within)
        self.conditions.acted(at)
        if spec.action == "alert":
            self.events.append(PolicyEvent(at, "warning", f"Alert: {cause}", {"cause": cause}))
        elif spec.action == "reset":
            self._reset(at, cause)
        elif spec.action == "switch":
            self._begin_switch(at, cause)
        else:
            self._begin_cycle(at, cause)

    def _reset(self, at: int, cause: str) -> None:
        hand_over(self.inner, self.around.build(), self.known_before(at))
        self.version += 1
        self.events.append(
            PolicyEvent(at, "reset", f"Learns from nothing: {cause}", {"cause": cause})
        )
        self._model_changed(at)

    def _begin_switch(self, at: int, cause: str) -> None:
        """Find out from here on, where both answer, which of them is better."""
        assert self.shadow is not None
        self.rivals = Rivals(self.around, at, self.spec.collect)
        self.collecting, self.again = (self.rivals.due, f"{cause} at row {at:,}"), False

    def _cycle(self, at: int, cause: str, *, collected: bool) -> None:
        if self.rivals is None:
            super()._cycle(at, cause, collected=collected)
            return
        assert self.shadow is not None
        spec, rivals = self.spec, self.rivals
        answer = rivals.ask(spec.margin, spec.level)
        if answer.yes and self.shadow.has_model:
            self._switch(at, cause, answer)
            return
        if rivals.last:
            self.counters.rejected += 1
            self._tell_rivals(at, "reject", "does not take over", cause, answer)
        if rivals.last and spec.level >= 1.0:
            self.rivals = None
            return
        self.again = rivals.last
        rivals.go_on()
        self.collecting = (rivals.due, cause)

    def _switch(self, at: int, cause: str, answer: Answer) -> None:
        assert self.shadow is not None
        self._tell_rivals(at, "switch", "takes over", cause, answer)
        self.inner, self.shadow = self.shadow, self.inner
        self.switched = not self.switched
        if isinstance(self.shadow, Still):
            self.shadow.change = NEVER
        self.version += 1
        self._model_changed(at)

    def _tell_rivals(self, at: int, kind: str, does: str, cause: str, answer: Answer) -> None:
        """Tell how the model that shadows did against the one that serves."""
        to = self.around.spec if self.switched else self.spec.challenger
        title = entry(to).title
        text = f"{title} {does}: no row that both answered"
        if answer.rows:
            text = (
                f"{title} {does}: error {answer.rival:.4g} against {answer.own:.4g} over "
                f"{answer.rows:,} rows"
            )
        values = {
            "cause": cause,
            "to": title,
            "champion_error": answer.own if answer.rows else None,
            "challenger_error": answer.rival if answer.rows else None,
            "rows": answer.rows,
            "p_value": answer.p_value if answer.rows else None,
        }
        self.events.append(PolicyEvent(at, kind, text, values))

    def _model_changed(self, at: int, error: float = np.nan) -> None:
        super()._model_changed(at, error)
        self.conditions.restart(error)
        if self.rivals is not None:
            self.rivals = self.collecting = None

    def _observe(self, part: Prediction, arrived: Arrived) -> None:
        super()._observe(part, arrived)
        if self.shadow is None or (self.rivals is None and not isinstance(self.shadow, Online)):
            return  # one that does not learn answers only when it is asked
        answers = self.shadow.step(arrived.start, arrived.stop)
        if self.rivals is not None:
            self.rivals.observe(arrived, answers)

    # -- state

    def state(self) -> dict[str, Any]:
        """Everything but the learner."""
        own: dict[str, Any] = {
            "conditions": self.conditions.state(),
            "switched": self.switched,
            "shadow": None,
            "rivals": None if self.rivals is None else self.rivals.state(),
        }
        if self.shadow is not None:
            own["shadow"] = (self.shadow.learner.state(), self.shadow.state())
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        if self.shadow is not None and state["switched"] != self.switched:
            learner = self.inner.learner  # put there for the model that serves in `state`
            self.inner, self.shadow = self.shadow, self.inner
            self.inner.learner = learner
            self.switched = state["switched"]
        super().load_state(state)
        self.conditions.load_state(state["conditions"])
        rivals = state["rivals"]
        self.rivals = None if rivals is None else Rivals.of(self.around, rivals)
        if self.shadow is not None:
            blob, rest = state["shadow"]
            other = None if self.switched else self.spec.challenger
            self.shadow.learner = self.around.build(other)
            self.shadow.learner.load_state(blob)
            self.shadow.load_state(rest)
            self.shadow.counters = self.counters
