"""One lane: a learner under a policy on the stream, with its scores, history and journal."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from modellab.data.stream import BLOCK
from modellab.errors import ExperimentError, LabError, quote
from modellab.evaluation.costs import Spent, cost
from modellab.evaluation.forgetting import Forgetting, choose_memory_set, score
from modellab.evaluation.history import Series
from modellab.evaluation.metrics import Scores
from modellab.evaluation.parameter_history import ParameterHistory
from modellab.evaluation.references import References
from modellab.experiment import (
    Intervention,
    LaneSpec,
    OnlinePolicy,
    Scalar,
    ScheduledPolicy,
    StaticPolicy,
)
from modellab.learners.base import Learner, Prediction, Progress, no_progress
from modellab.learners.catalogue import entry
from modellab.policies.base import Policy, PolicyEvent, block_end
from modellab.policies.online import Online
from modellab.policies.scheduled import Scheduled
from modellab.policies.static import Static
from modellab.replay.context import Context, LaneSurroundings

POLICIES: dict[type, Callable[..., Policy]] = {
    StaticPolicy: Static,
    ScheduledPolicy: Scheduled,
    OnlinePolicy: Online,
}

_PIECE = 65_536

Metrics = dict[str, dict[str, float | None]]

Sink = Callable[[int, NDArray[Any], Prediction], None]
"""Called with (first position, labels, predictions) of every piece, in order."""


def check_lane(spec: LaneSpec, context: Context) -> None:
    """Check that the learner does the task and supports the policy (a training has no lane name).

    Raises
    ------
    ExperimentError
        With the catalogue's reason.
    """
    line = entry(spec.learner)
    where = f"Lane {quote(spec.name)}: {line.title}" if spec.name else line.title
    if context.task.kind not in line.tasks:
        reason = line.why_not.get(context.task.kind, f"it does {' and '.join(line.tasks)} only.")
        raise ExperimentError(f"{where} cannot do {context.task.kind}: {reason}")
    if isinstance(spec.policy, OnlinePolicy) and not line.online:
        reason = line.why_not.get("online", "it can only be trained all at once.")
        raise ExperimentError(f"{where} cannot learn online: {reason}")
    if (
        context.experiment.training.mode == "chunks"
        and (context.train_rows or isinstance(spec.policy, ScheduledPolicy))
        and not line.chunks
        and line.family != "baseline"
    ):
        reason = line.why_not.get("chunks", "it needs all rows at once.")
        raise ExperimentError(
            f"{where} cannot be trained out of core: {reason} Train it in memory on a sample, "
            "or choose another learner."
        )


@dataclass
class LaneState:
    """What can be told of a lane at its present position."""

    spec: LaneSpec
    baseline: bool
    position: int
    status: str
    error: float | None
    cumulative: float | None
    settings: dict[str, Scalar]
    counters: dict[str, float]
    model_bytes: int
    cost: dict[str, float]
    forgetting: float | None
    rates: dict[str, Any] | None
    metrics: Metrics | None = None


class LaneRunner:
    """A lane at work. Lanes never see each other, so each may run at a position of its own.

    Parameters
    ----------
    spec
        Name, policy and learner.
    context
        The stream and what belongs to it.
    baseline
        Whether this is one of the baselines that are always there.
    journal
        Interventions known in advance for this lane (of an experiment file), in order.
    """

    def __init__(
        self,
        spec: LaneSpec,
        context: Context,
        *,
        baseline: bool = False,
        journal: list[Intervention] | None = None,
    ) -> None:
        check_lane(spec, context)
        self.spec = spec
        self.context = context
        self.baseline = baseline
        self.position = context.train_rows
        self.journal = list(journal or [])
        self.applied = 0
        self.events: list[PolicyEvent] = []
        self.status = ""
        learner: Learner = context.build(spec.learner)
        around = LaneSurroundings(context, spec.learner)
        self.policy = POLICIES[type(spec.policy)](spec.policy, learner, around)
        ev = context.experiment.evaluation
        self.scores = Scores(context.task, window=ev.window, fading=ev.fading)
        self.references = References(context.task)
        self.error = Series()
        self.cumulative = Series()
        self.samples = ParameterHistory(stride=BLOCK)
        self.parameters = ParameterHistory()
        self.forgetting = Forgetting(ev.memory_set.every)
        self._memory: Any = None
        self._bytes = (-1, 0)
        self._shown_parameters: tuple[int, dict[str, float]] = (-1, {})
        self._blob: tuple[int, bytes] | None = None

    @property
    def learner(self) -> Learner:
        """The deployed model."""
        return self.policy.learner

    def prepare(self, progress: Progress = no_progress) -> None:
        """Train the first model on the training window, offline."""
        with self.policy.counters.clock("fit"):
            self.context.first_fit(self.spec.learner, self.learner, progress)
        for start in range(0, self.context.train_rows, _PIECE):
            stop = min(start + _PIECE, self.context.train_rows)
            self.references.learn(self.context.stream.labels(start, stop))
        told = [*getattr(self.learner, "warnings", [])]
        if not self.policy.has_model and isinstance(self.spec.policy, StaticPolicy):
            told = ["There is no training window, so this lane has no model and gives no answer."]
        self.events += [PolicyEvent(self.position, "warning", sentence) for sentence in told]
        self._record_parameters()

    def advance(self, stop: int, sink: Sink | None = None) -> None:
        """Replay rows up to `stop`, exclusive, journal entries included."""
        while self.position < stop:
            self._apply_journal()
            end = min(stop, block_end(self.position), self._next_pause())
            self._step(self.position, end, sink)

    def _next_pause(self) -> int:
        """Next position at which something other than rows happens: a journal entry, a sample."""
        ends = [
            self.parameters.next_due(self.position + 1),
            self.samples.next_due(self.position + 1),
        ]
        if self.applied < len(self.journal):
            ends.append(self.journal[self.applied].position)
        if self._remembers:
            ends.append(self.forgetting.next_due(self.position + 1))
        return min(ends)

    @property
    def _remembers(self) -> bool:
        """Whether forgetting is measured: there was a training window, and it is a real model."""
        wanted = self.context.experiment.evaluation.memory_set.rows > 0
        return wanted and not self.baseline and self.context.train_rows > 0

    def _step(self, start: int, stop: int, sink: Sink | None) -> None:
        prediction = self.policy.step(start, stop)
        labels = self.context.stream.labels(start, stop)
        rows = self.scores.update(labels, prediction, *self._references_right(start, stop, labels))
        self.error.append(start, rows.window)
        self.cumulative.append(start, rows.cumulative)
        if sink is not None:
            sink(start, labels, prediction)
        self.position = stop
        if self.policy.events:
            self.events.extend(self.policy.events)
            self.policy.events = []
        self._sample()

    def _references_right(
        self, start: int, stop: int, labels: NDArray[Any]
    ) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """Whether the majority class and the last label known were right, row by row."""
        if self.context.task.kind != "classification":
            return None, None
        stream = self.context.stream
        upto = np.maximum(stream.label_upto(start, stop), self.references.known)
        arrived = stream.labels(self.references.known, int(upto[-1]))
        return self.references.predict(upto, arrived).correct(labels)

    def _sample(self) -> None:
        at = self.position
        self._record_parameters()
        if self.samples.due(at):
            window = self.scores.values()["window"]
            self.samples.record(at, {k: np.nan if v is None else v for k, v in window.items()})
        if self._remembers and self.forgetting.next_due(at) == at:
            self._score_memory()

    def _record_parameters(self) -> None:
        if not self.parameters.due(self.position):
            return
        if self._shown_parameters[0] != self.policy.version:
            self._shown_parameters = (self.policy.version, self.learner.parameters())
        self.parameters.record(self.position, self._shown_parameters[1])

    def _score_memory(self) -> None:
        context = self.context
        if self._memory is None:
            positions = choose_memory_set(
                context.task,
                context.stream.labels,
                0,
                context.train_rows,
                context.experiment.evaluation.memory_set.rows,
                context.seed,
            )
            self._memory = context.stream.matrix(
                self.learner.view, 0, context.train_rows, positions
            )
        rows, labels = self._memory
        value = score(context.task, labels, self.learner.predict(rows)) if len(labels) else None
        self.forgetting.record(self.position, value)

    # -- the journal

    def _apply_journal(self) -> None:
        due = sum(1 for e in self.journal if e.position <= self.position)
        self.settle(due)

    def settle(self, count: int) -> None:
        """Apply the first `count` journal entries, as far as they were not yet."""
        while self.applied < count:
            entry_ = self.journal[self.applied]
            self.applied += 1
            # Of several changes all are made, or none; one alone is refused by itself.
            saved = self.state() if len(entry_.set) > 1 else None
            try:
                self._apply(entry_)
            except LabError as error:
                if saved is not None:
                    self.load_state(saved)
                self.events.append(
                    PolicyEvent(self.position, "warning", f"Not changed: {error.sentence}")
                )

    def _apply(self, entry_: Intervention) -> None:
        before = self.settings()
        for name, value in entry_.set.items():
            self.policy.set(name, value)
        changes = ", ".join(
            f"{name} {_shown(before.get(name))} \N{RIGHTWARDS ARROW} {_shown(value)}"
            for name, value in entry_.set.items()
        )
        self.events.append(
            PolicyEvent(self.position, "intervention", f"You set {changes}", dict(entry_.set))
        )

    def intervene(self, changes: dict[str, Scalar]) -> Intervention:
        """Change settings from the present position on; return the journal entry.

        Raises
        ------
        LabError
            If a setting does not exist or a value is not allowed; then nothing is changed.
        """
        self._apply_journal()
        made = Intervention(self.position, self.spec.name, dict(changes))
        saved = self.state()
        try:
            self._apply(made)
        except LabError:
            self.load_state(saved)
            raise
        self.journal.insert(self.applied, made)
        self.applied += 1
        return made

    def settings(self) -> dict[str, Scalar]:
        """Present values of what can be changed: of the policy and of the learner."""
        own: dict[str, Scalar] = {}
        live = getattr(self.learner, "settings", None)
        if callable(live):
            own.update(live())
        return {**own, **self.policy.settings()}

    # -- telling

    def describe(self, *, metrics: bool = False, size: bool = True) -> LaneState:
        """Tell the present state."""
        window, cumulative = self.scores.error(), self.scores.error("cumulative")
        rates = getattr(self.learner, "rates", None)
        counters = dict(vars(self.policy.counters))
        return LaneState(
            spec=self.spec,
            baseline=self.baseline,
            position=self.position,
            status=self.status,
            error=window,
            cumulative=cumulative,
            settings=self.settings(),
            counters=counters,
            model_bytes=self.model_bytes() if size else self._bytes[1],
            cost=cost(
                Spent(
                    errors=(cumulative or 0.0) * self.scores.scored,
                    retrains=self.policy.counters.retrains,
                    cpu_seconds=sum(v for k, v in counters.items() if k.startswith("cpu")),
                ),
                self.context.experiment.prices,
            ),
            forgetting=self.forgetting.value,
            rates=rates() if callable(rates) else None,
            metrics=cast("Metrics", self.scores.values()) if metrics else None,
        )

    def model_bytes(self) -> int:
        """Size of the deployed model, measured again only when it has changed."""
        if self._bytes[0] != self.policy.version:
            self._bytes = (self.policy.version, self.learner.size_bytes())
        return self._bytes[1]

    # -- state

    def learner_blob(self) -> bytes:
        """State of the deployed model (kept while the model does not change)."""
        if self._blob is None or self._blob[0] != self.policy.version:
            self._blob = (self.policy.version, self.learner.state())
        return self._blob[1]

    def state(self) -> dict[str, bytes]:
        """The whole lane as two blobs: the model, and all the rest."""
        rest = {
            "position": self.position,
            "applied": self.applied,
            "journal": self.journal,
            "events": self.events,
            "policy": self.policy.state(),
            "scores": self.scores.state(),
            "references": self.references.state(),
            "error": self.error.state(),
            "cumulative": self.cumulative.state(),
            "samples": self.samples.state(),
            "parameters": self.parameters.state(),
            "forgetting": self.forgetting.state(),
        }
        return {"learner": self.learner_blob(), "rest": pickle.dumps(rest, protocol=5)}

    def load_state(self, state: dict[str, bytes]) -> None:
        """Take over a state made by `state`.

        It is a pickle: of this process or of our own cache, never of a file that somebody gave us.
        """
        rest = pickle.loads(state["rest"])
        fresh = self.context.build(self.spec.learner)
        fresh.load_state(state["learner"])
        self.policy.learner = fresh
        self.policy.load_state(rest["policy"])
        self.policy.events = []
        self.position = rest["position"]
        self.applied = rest["applied"]
        self.journal = list(rest["journal"])
        self.events = list(rest["events"])
        self.scores.load_state(rest["scores"])
        self.references.load_state(rest["references"])
        self.error.load_state(rest["error"])
        self.cumulative.load_state(rest["cumulative"])
        self.samples.load_state(rest["samples"])
        self.parameters.load_state(rest["parameters"])
        self.forgetting.load_state(rest["forgetting"])
        self._blob = (self.policy.version, state["learner"])
        self._bytes = (-1, 0)
        self._shown_parameters = (-1, {})


def _shown(value: Scalar | None) -> str:
    if value is None:
        return "(unset)"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
