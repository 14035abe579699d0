"""Champion and challenger: one answers, the other shadows it and may take over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.sums import Recent
from modellab.experiment import ChampionPolicy, LearnerSpec, rows_or_span
from modellab.learners.base import Prediction, Progress, join, no_progress
from modellab.learners.catalogue import entry
from modellab.policies.base import Policy, PolicyEvent, Surroundings
from modellab.policies.own_errors import OwnErrors
from modellab.policies.serving import serve
from modellab.policies.takeover import takeover_p

if TYPE_CHECKING:
    from modellab.experiment import Scalar
    from modellab.learners.base import Learner

LOOKS = 4
"""The test is made so many times while the window moves on by its length."""


class Champion(Policy):
    """The champion answers; the challenger shadows it on the same rows.

    Both are trained on the training window, and with `learn` both learn online where they can.
    `LOOKS` times per `window` labelled rows on which both answered, it is asked whether the
    challenger's mean loss over the last `window` of them is lower by more than `margin`, at
    ``level / LOOKS`` each time, so that equal learners change roles at most with chance `level` in
    as many rows as the window is long (see `takeover_p`). Then the roles are changed from the next
    row on, and the comparison begins anew. `demote`: they may be changed back, by the same test.
    A champion that has no model yields to a challenger that has one.
    """

    live = frozenset({"window", "margin", "level", "cooldown", "demote"})

    def __init__(self, spec: ChampionPolicy, learner: Learner, around: Surroundings) -> None:
        other = around.build(spec.challenger)
        self.own = serve(around.spec, learner, around, learn=spec.learn)
        self.other = serve(spec.challenger, other, around, learn=spec.learn)
        self.champion = 0
        super().__init__(spec, learner, around)
        self.errors = [OwnErrors(around), OwnErrors(around)]
        for side in self.sides:
            side.counters = self.counters
        self.changed_at: int | None = None
        self.changes = 0
        self.hit: tuple[int, float, float, float] | None = None
        self._begin_anew()
        self._cooled(around.train_rows)  # a span that cannot be kept is told before the replay

    # -- the two sides

    @property
    def sides(self) -> tuple[Policy, Policy]:
        """The lane's own learner at work, and the challenger of its settings."""
        return self.own, self.other

    @property
    def inner(self) -> Policy:
        """What answers now."""
        return self.sides[self.champion]

    @property
    def learner(self) -> Learner:
        """The deployed model."""
        return self.inner.learner

    @learner.setter
    def learner(self, learner: Learner) -> None:
        self.inner.learner = learner

    @property
    def trained_to(self) -> int:
        """Exclusive end of the newest row that the deployed model learned from."""
        return self.inner.trained_to

    @trained_to.setter
    def trained_to(self, position: int) -> None:
        self.inner.trained_to = position

    @property
    def has_model(self) -> bool:
        """Whether one of the two can answer."""
        return any(side.has_model for side in self.sides)

    def learner_spec(self, saved: dict[str, Any] | None = None) -> LearnerSpec | None:
        """Which learner is deployed now, or in a `saved` state; None for the lane's own."""
        champion = self.champion if saved is None else saved["champion"]
        return self.spec.challenger if champion else None

    def prepare(self, progress: Progress = no_progress) -> None:
        """Train both."""
        self.around.first_fit(self.sides[0].learner, None, progress)
        self.around.first_fit(self.sides[1].learner, self.spec.challenger, progress)

    def rows_stored(self, position: int) -> int:
        """Rows that wait to be learned, by either."""
        return max(side.rows_stored(position) for side in self.sides)

    def rows_changed(self, position: int) -> None:
        """Compute again what was computed ahead."""
        for side in self.sides:
            side.rows_changed(position)

    # -- a step

    def step(self, start: int, stop: int) -> Prediction:
        """Let both answer; what the champion says is the answer."""
        parts = []
        at = start
        before = self.inner.version
        answers = [side.step(start, stop) for side in self.sides]
        self.version += self.inner.version - before
        for side in self.sides:
            self.events += side.events
            side.events = []
        while at < stop:
            self._change_if_due(at)
            end = self._compare(at, [a[at - start :] for a in answers])
            parts.append(answers[self.champion][at - start : end - start])
            at = end
        return join(parts)

    def _change_if_due(self, at: int) -> None:
        mine, other = self.inner, self.sides[1 - self.champion]
        if self.hit is not None and self.hit[0] == at:
            _, p_value, own, others = self.hit
            self.hit = None
            title = self._change(at)
            self.events.append(
                PolicyEvent(
                    at,
                    "switch",
                    f"{title} takes over: error {others:.4g} against {own:.4g} over the last "
                    f"{self.spec.window:,} labelled rows",
                    {
                        "to": title,
                        "champion_error": own,
                        "challenger_error": others,
                        "p_value": p_value,
                        "rows": self.spec.window,
                    },
                )
            )
        elif not mine.has_model and other.has_model:
            title = self._change(at)
            text = f"{title} answers: the champion has no model"
            self.events.append(PolicyEvent(at, "switch", text, {"to": title}))

    def _change(self, at: int) -> str:
        self.champion = 1 - self.champion
        self.changed_at = at
        self.changes += 1
        self.version += 1
        self._begin_anew()
        return entry(self.learner_spec() or self.around.spec).title

    def _begin_anew(self) -> None:
        self.recent = Recent(self.spec.window, 2)  # losses of both, lane's own learner first
        self.compared = 0

    def _compare(self, at: int, answers: list[Prediction]) -> int:
        """Take in what becomes known; return the end, or where the roles change before it."""
        peeks = [e.peek(at, a) for e, a in zip(self.errors, answers, strict=True)]
        losses = np.stack([p.losses for p in peeks])
        positions = peeks[0].positions
        both = np.flatnonzero(~np.isnan(losses).any(axis=0))
        end = at + len(answers[0])
        armed = self._armed_from()
        done = 0
        every = -(-self.spec.window // LOOKS)
        while done < len(both):
            take = min(len(both) - done, every - self.compared % every)
            self.recent.append(losses[:, both[done : done + take]])
            self.compared += take
            done += take
            if self.compared % every or self.compared < self.spec.window:
                continue
            position = int(positions[both[done - 1]])
            if position >= armed and self._takes_over(position):
                end = position
                break
        for errors, answer, peek in zip(self.errors, answers, peeks, strict=True):
            errors.take(answer[: end - at], peek.until(end))
        return end

    def _armed_from(self) -> int:
        if self.changed_at is None:
            return self.around.train_rows
        return self._cooled(self.changed_at)

    def _cooled(self, position: int) -> int:
        rows, span = rows_or_span(self.spec.cooldown, "The cool-down")
        return self.around.position_at(position, rows, span)

    def _takes_over(self, position: int) -> bool:
        if self.changes % 2 and not self.spec.demote:
            return False
        losses = self.recent.rows()
        own, others = losses[self.champion], losses[1 - self.champion]
        p_value = takeover_p(own - others, self.spec.margin)
        if float(np.mean(own - others)) <= self.spec.margin or p_value >= self.spec.level / LOOKS:
            return False
        self.hit = (position, p_value, float(own.mean()), float(others.mean()))
        return True

    # -- settings and state

    def set(self, name: str, value: Scalar) -> None:
        """Change a setting; another window begins the comparison anew."""
        before = self.spec
        super().set(name, value)
        if name == "cooldown":
            try:
                self._cooled(self.around.train_rows)
            except Exception:
                self.spec = before
                raise
        if name == "window":
            self._begin_anew()

    def roll_back(self, blob: bytes, saved: dict[str, Any] | None = None) -> None:
        """Let the deployed model be again what it was; the comparison begins anew."""
        if saved is not None and saved["champion"] != self.champion:
            self.champion = saved["champion"]
            self.changes += 1
        super().roll_back(blob, saved)
        self.inner.cache.forget()
        self.inner.version += 1
        self.hit = None
        self._begin_anew()

    def state(self) -> dict[str, Any]:
        """Everything but the champion's model."""
        other = self.sides[1 - self.champion]
        own = {
            "champion": self.champion,
            "sides": [side.state() for side in self.sides],
            "other": other.learner.state(),
            "errors": [errors.state() for errors in self.errors],
            "changed_at": self.changed_at,
            "changes": self.changes,
            "hit": self.hit,
            "recent": self.recent.state(),
            "compared": self.compared,
        }
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        served = self.learner  # put there for the model that serves in `state`
        self.champion = state["champion"]
        super().load_state(state)
        self.learner = served
        shadow = 1 - self.champion
        self.sides[shadow].learner = self.around.build(self.spec.challenger if shadow else None)
        self.sides[shadow].learner.load_state(state["other"])
        for side, saved in zip(self.sides, state["sides"], strict=True):
            side.load_state(saved)
            side.counters = self.counters
        for errors, kept in zip(self.errors, state["errors"], strict=True):
            errors.load_state(kept)
        self.changed_at, self.changes = state["changed_at"], state["changes"]
        self.hit = state["hit"]
        self.recent = Recent(self.spec.window, 2)
        self.recent.load_state(state["recent"])
        self.compared = state["compared"]
