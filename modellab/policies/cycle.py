"""The retraining cycle: collect, merge, retrain, test, redeploy (or reject)."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.errors import LabError
from modellab.experiment import rows_or_span
from modellab.learners.base import Learner, Prediction, join
from modellab.policies.base import Policy, PolicyEvent, Surroundings, labelled, no_answer
from modellab.policies.online import Online
from modellab.policies.serving import Still, hand_over

if TYPE_CHECKING:
    from modellab.evaluation.detectors import Detector
    from modellab.experiment import Policy as PolicySpec
    from modellab.experiment import Scalar
    from modellab.policies.own_errors import Arrived, OwnErrors

LEAST_ROWS = 500
"""``keep = "alarm"`` goes back to the newest alarm since which the labels of so many rows came."""
_ALARMS_KEPT = 64


@dataclass
class Waiting:
    """A retrained model that will serve from `position` on; `error`: on the test, NaN untested."""

    position: int
    state: bytes
    trained_to: int
    error: float


class Cycle(Policy):
    """What all policies that retrain have in common.

    *Collect and merge*: the labelled rows that `keep` says, up to the newest label known. *Retrain*
    offline on them, less the newest `test_rows` labelled rows. *Test* on these: rows that the
    running model was trained on are left out, for they would flatter it. A model that learns
    online has seen them all; its error there is that of its predictions before it learned them.
    *Redeploy* the new model, as tested, from ``trigger + delay`` on, if it is not worse by more
    than `margin`. While the cycle runs, with `downtime`, the baseline answers, whatever its
    outcome.

    ``keep = "alarm"`` takes what came since a drift detector last said that the policy's own error
    has risen (ADWIN of its own, unless it has one), or since the time before if fewer than
    `collect` rows (schedules: `LEAST_ROWS`) came since then; without any alarm, all.

    Attributes
    ----------
    inner
        What serves between the changes.
    at
        The next row to predict.
    model_from
        First row that the present model answers.
    """

    def __init__(
        self,
        spec: PolicySpec,
        learner: Learner,
        around: Surroundings,
        inner: Policy | None = None,
    ) -> None:
        self.inner: Policy = inner or Still(learner, around)
        super().__init__(spec, learner, around)
        self.inner.counters = self.counters
        self.at = self.model_from = around.train_rows
        self.waiting: list[Waiting] = []
        self.down_until = 0
        self.errors: OwnErrors | None = None
        self.alarm_rows: list[int] = []
        self._adwin: Detector | None = None
        self._recent = np.empty(0)  # own losses of the newest rows before errors.next_row
        self._serve_at(self.at)  # a delay that cannot be kept is told before the replay

    # -- the model that serves

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
    def learns(self) -> bool:
        """Whether the model also learns online."""
        return isinstance(self.inner, Online)

    @property
    def has_model(self) -> bool:
        """Whether a model was trained: on the training window, or since then."""
        return self.inner.has_model

    def rows_stored(self, position: int) -> int:
        """Rows that are kept at `position` for the next retrain, and those that wait for labels."""
        return position - self._first_row(self.known_before(position))

    def rows_changed(self, position: int) -> None:
        """Compute again what was computed ahead."""
        self.inner.rows_changed(position)

    def known_before(self, position: int) -> int:
        """Exclusive end of the labels known before row `position` is predicted."""
        if position <= self.around.train_rows:
            return self.around.train_rows
        return int(self.around.label_upto(position - 1, position)[-1])

    # -- a step

    def step(self, start: int, stop: int) -> Prediction:
        """Predict; retrain and redeploy where it falls due."""
        parts = []
        at = start
        while at < stop:
            self._deploy_due(at)
            self._act(at)
            self._deploy_due(at)
            part = self._run(at, min(stop, self._next_change(at)))
            parts.append(part)
            at += len(part)
            self.at = at
        return join(parts)

    def _next_change(self, at: int) -> int:
        """First position after `at` at which something happens, as far as it is known."""
        ends = [self.around.next_link(w.position) for w in self.waiting]
        if at < self.down_until:
            ends.append(self.down_until)
        return min([self._next_act(at), *ends])

    @abstractmethod
    def _act(self, at: int) -> None:
        """Do what is due before row `at` is predicted."""

    @abstractmethod
    def _next_act(self, at: int) -> int:
        """Next position at which `_act` must be called, as far as it is known; after `at`."""

    def _run(self, at: int, end: int) -> Prediction:
        """Predict rows from `at` on, up to `end` or to where there is something to do before."""
        part = self._answer(at, end)
        if self._needs_errors():
            own = self._own_errors()
            self._observe(part, own.peek(at, self._own(at, part)))
        else:
            self.errors = self._adwin = None
        return part

    def _answer(self, at: int, end: int) -> Prediction:
        """What is answered for [at, end): all of it by the model, or all by the baseline."""
        self.down = at < self.down_until
        if self.down:
            self.counters.downtime_rows += end - at
            self._tell_down(at, end)
            return self.around.baseline(at, end)
        inner, version = self.inner, self.inner.version
        if isinstance(inner, Still):
            inner.change = self._next_change(at)
        part = inner.step(at, end)
        self.version += inner.version - version
        if inner.events:
            self.events += inner.events
            inner.events = []
        return part

    def _tell_down(self, at: int, end: int) -> None:
        if self.down_spans and self.down_spans[-1][1] == at:
            self.down_spans[-1] = (self.down_spans[-1][0], end)
        else:
            self.down_spans.append((at, end))

    def _own(self, at: int, part: Prediction) -> Prediction:
        """The model's own answers: none where the baseline stood in."""
        return no_answer(self.around.task, len(part)) if at < self.down_until else part

    # -- its own errors

    def _needs_errors(self) -> bool:
        return self.learns or (
            self.spec.keep == "alarm" and not self._has_detector  # ADWIN of its own
        )

    _has_detector = False
    """Whether the policy itself watches for drift, and tells `_alarmed`."""

    def _own_errors(self) -> OwnErrors:
        if self.errors is None:
            from modellab.policies.own_errors import OwnErrors

            self.errors = OwnErrors(self.around)
            if self.at > self.around.train_rows:  # wanted from here on only
                self.errors.next_row = self.errors.since = self.at
        return self.errors

    def _observe(self, part: Prediction, arrived: Arrived) -> None:
        """Take in errors that became known, now that these rows are answered for good."""
        assert self.errors is not None
        self.errors.take(self._own(arrived.start, part), arrived)
        if self.learns:
            keep = 4 * max(self.spec.test_rows, 1)
            self._recent = np.concatenate([self._recent, arrived.losses])[-keep:]
        if self.spec.keep == "alarm" and not self._has_detector:
            self._watch_alarms(arrived)

    def _watch_alarms(self, arrived: Arrived) -> None:
        if self._adwin is None:
            self._adwin = self._make_detector("adwin", {})
        done = 0
        while (found := self._adwin.update(arrived.losses[done:])) >= 0:
            done += found + 1
            if self._adwin.risen:
                self._alarmed(arrived.first + done - 1)

    def _make_detector(self, name: str, params: dict[str, Scalar]) -> Detector:
        from modellab.evaluation.detectors import make_detector

        return make_detector(name, params, bounded=self.around.task.kind == "classification")

    def _alarmed(self, row: int) -> None:
        """An alarm on the error of this row."""
        self.alarm_rows = [*self.alarm_rows, row][-_ALARMS_KEPT:]

    def _model_changed(self, at: int, error: float = np.nan) -> None:
        """Another model answers from row `at` on; `error`: that of its test, if it had one."""
        del error
        self.model_from = at
        if self.errors is not None:
            self.errors.since = at
        if self._adwin is not None:
            self._adwin.reset()

    # -- the cycle

    def _serve_at(self, trigger: int) -> int:
        """From where on a model serves whose training began at `trigger`."""
        rows, span = rows_or_span(getattr(self.spec, "delay", 0), "The delay")
        return self.around.position_at(trigger, rows, span) if rows or span else trigger

    def _deploy_due(self, at: int) -> None:
        # During an outage no new model reaches the place where it is to serve.
        while self.waiting and self.around.next_link(self.waiting[0].position) <= at:
            ready = self.waiting.pop(0)
            fresh = self.around.build(self.learner_spec())
            fresh.load_state(ready.state)
            hand_over(self.inner, fresh, ready.trained_to)
            self.version += 1
            self.counters.redeploys += 1
            self.events.append(PolicyEvent(at, "redeploy", "The retrained model serves from here."))
            self._model_changed(at, ready.error)

    @property
    def _collects(self) -> int:
        """Rows that must have come since an alarm, before it is worth while to learn from them."""
        rows: int = getattr(self.spec, "collect", LEAST_ROWS)
        return rows

    def _first_row(self, known: int) -> int:
        """First row to train on, if labels are known up to `known`."""
        keep = self.spec.keep
        if isinstance(keep, int):
            return max(0, known - keep)
        if keep == "alarm":
            for row in reversed(self.alarm_rows):
                if known - row >= self._collects:
                    return row
        return 0

    def _retrain(self, at: int, cause: str, *, tested: bool = True) -> bool:
        """Go through the cycle; return whether a new model will serve."""
        spec = self.spec
        known = self.known_before(at)
        start = self._first_row(known)
        held = self._held_out(start, known) if tested else known
        serves = self._serve_at(at)
        downtime = bool(getattr(spec, "downtime", False)) and serves > at
        if downtime:
            self.down_until = max(self.down_until, min(serves, self.around.n_rows))
        begin = time.thread_time()
        try:
            fresh = self.around.build(self.learner_spec())
            with self.counters.clock("fit"):
                used = self.around.fit(fresh, start, held)
            seconds = time.thread_time() - begin
            new = self.around.loss(fresh, held, known) if held < known else np.nan
            old = self._running_error(held, known)
        except LabError as error:
            text = f"The retrain failed, and the old model goes on. {error.sentence}"
            self.events.append(PolicyEvent(at, "warning", text, {"cause": cause}))
            return False
        self.counters.retrains += 1
        better = held == known or np.isnan(old) or new <= old + getattr(spec, "margin", 0.0)
        number = self.counters.retrains
        outcome = "deployed" if better else "kept the old model"
        result = "untested" if held == known else f"test error {new:.4g} against {old:.4g}"
        if held < known and np.isnan(old):
            result = f"test error {new:.4g}, no model before it"
        first = self.around.next_link(serves)
        event = PolicyEvent(
            at,
            "retrain" if better else "reject",
            f"Retrain {number}: {result}, {outcome}",
            {
                "retrain": number,
                "cause": cause,
                "rows": used,
                "first_row": start,
                "last_row": held,
                "test_rows": known - held,
                "new_error": None if np.isnan(new) else float(new),
                "old_error": None if np.isnan(old) else float(old),
                "deployed": bool(better),
                "serves_from": first if better and first < self.around.n_rows else None,
                "downtime": downtime,
                "fit_seconds": seconds,
            },
        )
        self.events.append(event)
        for sentence in getattr(fresh, "warnings", []):
            if sentence not in getattr(self.learner, "warnings", []):  # else it was told before
                self.events.append(PolicyEvent(at, "warning", sentence))
        if not better:
            self.counters.rejected += 1
            return False
        self.waiting.append(Waiting(serves, fresh.state(), held, float(new)))
        self.waiting.sort(key=lambda w: w.position)
        return True

    def _running_error(self, held: int, known: int) -> float:
        """Error of the running model on rows [held, known); NaN if there is none."""
        if not self.has_model or held == known:
            return float("nan")
        if not self.learns:
            return self.around.loss(self.learner, held, known)
        losses = self._recent[len(self._recent) - (known - held) :]
        losses = losses[~np.isnan(losses)]
        return float(losses.mean()) if len(losses) else float("nan")

    def _held_out(self, start: int, known: int) -> int:
        """Where the newest `test_rows` labelled rows begin that the running model has not seen.

        Never more than half of those, so that the new model has something new to learn from;
        `known` if there are none.
        """
        unseen = max(start, self.trained_to)
        if self.learns:  # what it answered before it learned it
            unseen = max(start, self.model_from, known - len(self._recent))
        wanted: int = min(self.spec.test_rows, (known - unseen) // 2)
        if wanted <= 0:
            return known
        lo = max(unseen, known - 4 * wanted)
        marks = np.flatnonzero(labelled(self.around.task, self.around.labels(lo, known)))
        if not len(marks):
            return known
        return lo + int(marks[-min(wanted, len(marks))])

    # -- settings and state

    def set(self, name: str, value: Scalar) -> None:
        """Change a setting; one that the data do not allow is refused, and nothing changed."""
        before = self.spec
        super().set(name, value)
        try:
            self._setting_changed(name)
        except LabError:
            self.spec = before
            raise

    def _setting_changed(self, name: str) -> None:
        """Take over what follows from a changed setting; raises `LabError` to refuse it."""
        if name == "delay":
            self._serve_at(self.at)

    def roll_back(self, blob: bytes, saved: dict[str, Any] | None = None) -> None:
        """Let the deployed model be again what it was; what it learns next stays the same."""
        super().roll_back(blob, saved)
        self.inner.cache.forget()
        self.inner.version += 1
        if isinstance(self.inner, Still):
            self.inner.present = True
        self._model_changed(self.at)

    def state(self) -> dict[str, Any]:
        """Everything but the learner."""
        own = {
            "inner": self.inner.state(),
            "present": self.inner.has_model,
            "at": self.at,
            "model_from": self.model_from,
            "waiting": [astuple(w) for w in self.waiting],
            "down_until": self.down_until,
            "errors": None if self.errors is None else self.errors.state(),
            "alarm_rows": list(self.alarm_rows),
            "adwin": None if self._adwin is None else self._adwin.state(),
            "recent": self._recent.copy(),
        }
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        super().load_state(state)
        self.inner.load_state(state["inner"])
        self.inner.counters = self.counters
        if isinstance(self.inner, Still):
            self.inner.present = state["present"]
        self.at, self.model_from = state["at"], state["model_from"]
        self.waiting = [Waiting(*w) for w in state["waiting"]]
        self.down_until = state["down_until"]
        self.errors = None
        if state["errors"] is not None:
            self._own_errors().load_state(state["errors"])
        self.alarm_rows = list(state["alarm_rows"])
        self._adwin = None
        if state["adwin"] is not None:
            self._adwin = self._make_detector("adwin", {})
            self._adwin.load_state(state["adwin"])
        self._recent = np.array(state["recent"], dtype=np.float64)
