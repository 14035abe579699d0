"""The retraining cycle: collect, merge, retrain, test, redeploy (or reject)."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.stream import BLOCK
from modellab.errors import LabError
from modellab.experiment import rows_or_span
from modellab.experiment_policies import SINCE_ALARM
from modellab.learners.base import Floats, Learner, Prediction, join
from modellab.policies.base import Policy, PolicyEvent, Surroundings, labelled, no_answer
from modellab.policies.online import Online
from modellab.policies.serving import Still, hand_over
from modellab.policies.takeover import takeover_p

if TYPE_CHECKING:
    from modellab.evaluation.detectors import Detector
    from modellab.experiment import Policy as PolicySpec
    from modellab.experiment import Scalar
    from modellab.policies.own_errors import Arrived, OwnErrors

LEAST_ROWS = 500
"""A schedule that keeps what came since an alarm takes the newest with so many labels after it."""
MORE = 8
"""``keep = "better"`` also tries so many times the rows that came since the alarm."""
_ALARMS_KEPT = 64


@dataclass
class Waiting:
    """A retrained model that will serve from `position` on; `error`: on the test, NaN untested."""

    position: int
    state: bytes
    trained_to: int
    error: float


@dataclass(frozen=True)
class Candidate:
    """A model trained on `rows` labelled rows from `start` on; `error`: on the test, or NaN."""

    start: int
    rows: int
    error: float
    learner: Learner


class Cycle(Policy):
    """What all policies that retrain have in common.

    *Collect and merge*: the labelled rows that `keep` says, up to the newest label known. *Retrain*
    offline on them, less the newest `test_rows` labelled rows. *Test* on these: rows that the
    running model was trained on are left out, for they would flatter it. A model that learns
    online has seen them all; its error there is that of its predictions before it learned them.
    *Redeploy* the new model, as tested, from ``trigger + delay`` on, if it is not worse by more
    than `margin`; with a `level` below 1, if a paired test at that level says so (`takeover_p`: a
    stretch of luck is no reason to change). While the cycle runs, with `downtime`, the baseline
    answers, whatever its outcome.

    ``keep = "alarm"`` takes what came since a drift detector last said that the policy's own error
    has risen (ADWIN of its own, unless it has one), or since the time before if fewer than
    `collect` rows (schedules: `LEAST_ROWS`) came since then; without any alarm, all.
    ``keep = "better"`` trains both on that and on `MORE` times as many rows, and the one with fewer
    errors on the test rows is the new model: what came before an alarm misleads if a drift was its
    reason, and is sorely missed if it was a bad week.

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
        return position - self._first_rows(self.known_before(position))[0]

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

    def still_to(self, position: int) -> int:
        """Up to where no model changes and nothing is to be done, from `position` on.

        `position` itself where that is not known, because it depends on answers yet to be given.
        """
        waits = not isinstance(self.inner, Still) or self._needs_errors() or self.down
        if waits or position < self.down_until or self._next_act(position - 1) <= position:
            return position
        return self._next_change(position)

    # -- its own errors

    def _needs_errors(self) -> bool:
        return self.learns or (
            self._since_alarm and not self._has_detector  # ADWIN of its own
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
        if self._since_alarm and not self._has_detector:
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

    @property
    def _since_alarm(self) -> bool:
        """Whether it matters when the last alarm was."""
        return self.spec.keep in SINCE_ALARM

    def _first_rows(self, known: int) -> list[int]:
        """First rows to train on, one for each candidate, if labels are known up to `known`.

        The candidate of the most rows comes first.
        """
        keep = self.spec.keep
        if isinstance(keep, int):
            return [max(0, known - keep)]
        if keep == "all":
            return [0]
        newest = (row for row in reversed(self.alarm_rows) if known - row >= self._collects)
        since = next(newest, 0)
        more = max(0, known - MORE * (known - since))
        return [more, since] if keep == "better" and since else [since]

    def _retrain(self, at: int, cause: str, *, tested: bool = True) -> bool:
        """Go through the cycle; return whether a new model will serve."""
        spec = self.spec
        known = self.known_before(at)
        starts = self._first_rows(known)
        held = self._held_out(starts[-1], known) if tested else known
        if held == known:  # no test could choose between them
            starts = starts[-1:]
        serves = self._serve_at(at)
        downtime = bool(getattr(spec, "downtime", False)) and serves > at
        if downtime:
            self.down_until = max(self.down_until, min(serves, self.around.n_rows))
        begin = time.thread_time()
        try:
            made = [self._candidate(start, held, known) for start in starts]
            seconds = time.thread_time() - begin
            new = min(made, key=lambda one: one.error)  # of equal ones, that of the most rows
            old = self._running_error(held, known)
            p_value = self._doubt(new.learner, held, known) if not np.isnan(old) else np.nan
        except LabError as error:
            text = f"The retrain failed, and the old model goes on. {error.sentence}"
            self.events.append(PolicyEvent(at, "warning", text, {"cause": cause}))
            return False
        self.counters.retrains += 1
        margin = getattr(spec, "margin", 0.0)
        better = held == known or np.isnan(old) or new.error <= old + margin
        unsure = bool(better and p_value >= getattr(spec, "level", 1.0))
        better = better and not unsure
        number = self.counters.retrains
        outcome = "deployed" if better else "kept the old model"
        if unsure:
            outcome += ": it may be chance"
        untested = held == known
        result = "untested" if untested else f"test error {new.error:.4g} against {old:.4g}"
        if not untested and np.isnan(old):
            result = f"test error {new.error:.4g}, no model before it"
        first = self.around.next_link(serves)
        values = {
            "retrain": number,
            "cause": cause,
            "rows": new.rows,
            "first_row": new.start,
            "last_row": held,
            "test_rows": known - held,
            "new_error": None if np.isnan(new.error) else float(new.error),
            "old_error": None if np.isnan(old) else float(old),
            "deployed": bool(better),
            "serves_from": first if better and first < self.around.n_rows else None,
            "downtime": downtime,
            "fit_seconds": seconds,
        }
        if len(made) > 1:
            values["other_error"] = float(max(one.error for one in made))
        if not np.isnan(p_value):
            values["p_value"] = p_value
        kind = "retrain" if better else "reject"
        self.events.append(PolicyEvent(at, kind, f"Retrain {number}: {result}, {outcome}", values))
        for sentence in getattr(new.learner, "warnings", []):
            if sentence not in getattr(self.learner, "warnings", []):  # else it was told before
                self.events.append(PolicyEvent(at, "warning", sentence))
        if not better:
            self.counters.rejected += 1
            return False
        self.waiting.append(Waiting(serves, new.learner.state(), held, float(new.error)))
        self.waiting.sort(key=lambda w: w.position)
        return True

    def _candidate(self, start: int, held: int, known: int) -> Candidate:
        """Train a new model on [start, held), and test it on [held, known)."""
        fresh = self.around.build(self.learner_spec())
        with self.counters.clock("fit"):
            used = self.around.fit(fresh, start, held)
        error = self.around.loss(fresh, held, known) if held < known else np.nan
        return Candidate(start, used, float(error), fresh)

    def _doubt(self, fresh: Learner, held: int, known: int) -> float:
        """p-value of the test that `fresh` is not worse by more than the margin; NaN: not asked."""
        if getattr(self.spec, "level", 1.0) >= 1.0:
            return float("nan")
        new = self._losses(fresh, held, known)
        old = (
            self._recent[len(self._recent) - (known - held) :]
            if self.learns
            else self._losses(self.learner, held, known)
        )
        both = old - new
        return takeover_p(both[~np.isnan(both)], -float(self.spec.margin))

    def _losses(self, learner: Learner, start: int, stop: int) -> Floats:
        """Losses of a model on rows [start, stop), piece by piece."""
        around = self.around
        found = []
        for at in range(start, stop, BLOCK):
            end = min(at + BLOCK, stop)
            answers = learner.predict(around.rows(learner.view, at, end))
            found.append(around.losses(at, end, answers, around.labels(at, end)))
        return np.concatenate(found)

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
