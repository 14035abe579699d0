"""One lane: a learner under a policy on the stream, with its scores, history and journal."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from modellab.data.stream import BLOCK
from modellab.errors import LabError
from modellab.evaluation.costs import Spent, cost
from modellab.evaluation.evidence import LaneEvidence
from modellab.evaluation.forgetting import Forgetting, choose_memory_set, score
from modellab.evaluation.history import Series
from modellab.evaluation.metrics import Scores
from modellab.evaluation.parameter_history import ParameterHistory
from modellab.evaluation.references import References
from modellab.experiment import Intervention, LaneSpec, Scalar, StaticPolicy
from modellab.learners.base import Learner, Look, Prediction, Progress, join, no_progress
from modellab.policies.base import NEVER, PolicyEvent
from modellab.policies.guard import Guarded
from modellab.policies.make import make
from modellab.replay.lane_checks import check_lane
from modellab.replay.lane_state import LaneState, Metrics, PolicyThen, Sink
from modellab.replay.lane_watch import LaneWatch
from modellab.replay.pins import pack_pin, pin_key, pins_of, unpack_pin
from modellab.replay.strides import single_model, step_end
from modellab.replay.surroundings import LaneSurroundings, common_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modellab.replay.beside import Beside
    from modellab.replay.context import Context

_PIECE = 65_536


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
    pins
        Positions at which the model is set aside, for rollbacks to come.
    """

    def __init__(
        self,
        spec: LaneSpec,
        context: Context,
        *,
        baseline: bool = False,
        journal: Sequence[Intervention] = (),
        pins: Sequence[int] = (),
    ) -> None:
        check_lane(spec, context)
        self.spec = spec
        self.context = context
        self.baseline = baseline
        self.position = context.train_rows
        self.journal = list(journal)
        self.pins = list(pins)
        self.pinned: dict[int, bytes] = {}
        self.applied = 0
        self.events: list[PolicyEvent] = []
        self.status = ""
        learner: Learner = context.build(spec.learner)
        around = LaneSurroundings(context, spec.learner, self._common)
        self.policy = make(spec, learner, around)
        self.watch = LaneWatch(context, spec, baseline=baseline)
        ev = context.experiment.evaluation
        self.scores = Scores(context.task, window=ev.window, fading=ev.fading)
        self.references = References(context.task)
        self.error = Series()
        self.cumulative = Series()
        self.samples = ParameterHistory(stride=BLOCK)
        self.parameters = ParameterHistory()
        self.forgetting = Forgetting(ev.memory_set.every)
        self._looks_wait = False  # looks that have maybe not been noted yet
        self._memory: dict[str, Any] = {}
        self._memory_score: tuple[int, float | None] = (-1, None)  # of which version
        self._bytes = (-1, 0)
        self._rates: dict[str, Any] | None = None
        self._shown_parameters: tuple[int, dict[str, float]] = (-1, {})
        self._blob: tuple[int, bytes] | None = None

    @property
    def learner(self) -> Learner:
        """The deployed model."""
        return self.policy.learner

    def prepare(self, progress: Progress = no_progress) -> None:
        """Train the first model on the training window, offline."""
        with self.policy.counters.clock("fit"):
            self.policy.prepare(progress)
        for start in range(0, self.context.train_rows, _PIECE):
            stop = min(start + _PIECE, self.context.train_rows)
            self.references.learn(self.context.stream.seen(start, stop))
        told = [*getattr(self.learner, "warnings", [])]
        if not self.policy.has_model and isinstance(self.spec.policy, StaticPolicy):
            told = ["There is no training window, so this lane has no model and gives no answer."]
        self.events += [PolicyEvent(self.position, "warning", sentence) for sentence in told]
        self.events += self.policy.events
        self.policy.events = []
        self._record_parameters(self.position)
        self._pin()

    def _common(self, start: int, stop: int) -> NDArray[Any]:
        """Majority class or running mean for rows from the present one on."""
        known = References(self.context.task)
        known.load_state(self.references.state())
        found = common_answers(self.context, known, self.position, stop)
        return found[start - self.position :]

    def advance(self, stop: int, sink: Sink | None = None, beside: Beside | None = None) -> None:
        """Replay rows up to `stop`, exclusive, journal entries included.

        `beside`: where answers may be scored while the lane goes on. Then all is there once that
        has finished.
        """
        while self.position < stop:
            if self.applied < len(self.journal):
                if beside is not None and self.journal[self.applied].position <= self.position:
                    beside.finish()
                self._apply_journal()
            reach = step_end(self.policy, self.context, self.position, stop)
            self._step(self.position, min(stop, reach, self._next_pause()), sink, beside)

    def _next_pause(self) -> int:
        """Next position at which something other than rows happens: a journal entry, a pin."""
        ends = [at for at in self.pins if at > self.position]
        if self.applied < len(self.journal):
            ends.append(self.journal[self.applied].position)
        return min(ends, default=NEVER)

    def _next_look(self, position: int) -> int:
        """Next position, after this one, at which the model is looked at."""
        due = self.parameters.next_due(position + 1)
        return min(due, self.forgetting.next_due(position + 1)) if self._remembers else due

    def _looks(self, start: int, stop: int) -> list[int]:
        """All positions in (start, stop] at which the model is looked at.

        Maybe more: that snapshots of parameters are due less often may not be known yet.
        """
        found = []
        at = self._next_look(start)
        while at <= stop:
            found.append(at)
            at = self._next_look(at)
        return found

    def foresee(self) -> None:
        """Leave out of the histories what would be dropped from them by the end of the replay.

        For a replay that nobody looks at before its end, of a lane that has a single model.
        """
        if single_model(self.policy):
            self.parameters.foresee(self.context.stop, self.context.train_rows)
            self.samples.foresee(self.context.stop, self.context.train_rows + 1)

    @property
    def _remembers(self) -> bool:
        """Whether forgetting is measured: there was a training window, and it is a real model."""
        wanted = self.context.experiment.evaluation.memory_set.rows > 0
        return wanted and not self.baseline and self.context.train_rows > 0

    def _step(self, start: int, stop: int, sink: Sink | None, beside: Beside | None) -> None:
        prediction, looks = self._predict(start, stop, beside)
        labels = self.context.stream.labels(start, stop)
        if sink is not None:
            sink(start, labels, prediction)
        self.position = stop
        told, self.policy.events = self.policy.events, []
        then = PolicyThen.of(self.policy, stop)

        def note() -> None:
            for position, look in looks:
                self._look(position, look)
            self._evaluate(start, prediction, labels, told, then)

        if beside is None:
            note()
        else:
            self._looks_wait = self._looks_wait or bool(looks)
            beside.do(note)
        self._pin()

    def _evaluate(
        self,
        start: int,
        prediction: Prediction,
        labels: NDArray[Any],
        told: list[PolicyEvent],
        then: PolicyThen,
    ) -> None:
        """Score a step, and note what there is to note of it; does not look at the model."""
        stop = start + len(prediction)
        majority, nochange = self._references_right(start, stop)
        due = self.samples.due_between(start, stop)
        rows = self.scores.follow(
            start,
            labels,
            prediction,
            majority,
            nochange,
            error=self.error,
            cumulative=self.cumulative,
            samples=due - start,
        )
        for position, window in zip(due.tolist(), rows.samples, strict=True):
            known = {name: np.nan if v is None else v for name, v in window.items()}
            self.samples.record(position, known)
        alarms = self.watch.note(start, prediction, rows.losses, then, told)
        # An alarm comes with the row that ends at its position; what a policy does there, after.
        self.events += sorted([*alarms, *told], key=lambda e: e.position) if alarms else told

    def _predict(
        self, start: int, stop: int, beside: Beside | None
    ) -> tuple[Prediction, list[tuple[int, Look]]]:
        """Let the policy do its step; tell also what is to be seen of the model where, if known.

        Otherwise it has been looked at where that is due.
        """
        self.policy.expect(start, stop)
        due = self._looks(start, stop)
        if self.policy.unchanging:
            prediction = self.policy.step(start, stop)
            for at in due:
                self._look(at)
            return prediction, []
        if due:
            told = self.policy.step_looked(start, stop, np.array(due) - start)
            if told is not None:
                return told[0], list(zip(due, told[1], strict=True))
        if beside is not None and self._looks_wait:  # those before come first
            beside.finish()
            self._looks_wait = False
        parts = []
        at = start
        for end in due if due and due[-1] == stop else [*due, stop]:
            parts.append(self.policy.step(at, end))
            self._look(end)
            at = end
        return join(parts), []

    def _look(self, position: int, look: Look | None = None) -> None:
        """Note what is due at `position`: the model is there, or was as `look` shows it."""
        self._record_parameters(position, look)
        if self._remembers and self.forgetting.next_due(position) == position:
            self._score_memory(position, look)

    def _references_right(
        self, start: int, stop: int
    ) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """Whether the majority class and the last label known were right, row by row."""
        if self.context.task.kind != "classification":
            return None, None
        return self.context.shared.references_right(self.references, start, stop)

    def _record_parameters(self, position: int, look: Look | None = None) -> None:
        if not self.parameters.due(position):
            return
        if look is not None:
            self.parameters.record(position, look.parameters())
            return
        if self._shown_parameters[0] != self.policy.version:
            self._shown_parameters = (self.policy.version, self.learner.parameters())
        self.parameters.record(position, self._shown_parameters[1])

    def _score_memory(self, position: int, look: Look | None = None) -> None:
        if look is None and self._memory_score[0] == self.policy.version:
            self.forgetting.record(position, self._memory_score[1])
            return
        context, view = self.context, self.learner.view
        if view not in self._memory:  # another learner may have taken over
            positions = choose_memory_set(
                context.task,
                context.stream.labels,
                0,
                context.train_rows,
                context.experiment.evaluation.memory_set.rows,
                context.seed,
            )
            self._memory[view] = context.stream.matrix(view, 0, context.train_rows, positions)
        rows, labels = self._memory[view]
        seen = look or self.learner
        value = score(context.task, labels, seen.predict(rows)) if len(labels) else None
        if look is None:
            self._memory_score = (self.policy.version, value)
        self.forgetting.record(position, value)

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
        if entry_.rollback is not None:
            self._roll_back(entry_.rollback)
            return
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
        return self._do(Intervention(self.position, self.spec.name, dict(changes)))

    def roll_back(self, to: int, pin: bytes) -> Intervention:
        """Make the model what it was at position `to` (`pin`: see `pinned`); return the entry.

        Raises
        ------
        LabError
            If the policy cannot take it over; then nothing is changed.
        """
        self.pinned[to] = pin
        if to not in self.pins:
            self.pins.append(to)
        return self._do(Intervention(self.position, self.spec.name, rollback=to))

    def _do(self, made: Intervention) -> Intervention:
        self._apply_journal()
        saved = self.state()
        try:
            self._apply(made)
        except LabError:
            self.load_state(saved)
            raise
        self.journal.insert(self.applied, made)
        self.applied += 1
        return made

    def _pin(self) -> None:
        """Set the model aside where a later rollback wants it: before anything is done here."""
        if self.position in self.pins:
            self.pinned[self.position] = pack_pin(self.learner_blob(), self.policy.state())

    def _roll_back(self, to: int) -> None:
        blob, kept = unpack_pin(self.pinned[to])
        self.policy.roll_back(blob, kept)
        text = f"You rolled the model back to what it was at row {to:,}"
        self.events.append(PolicyEvent(self.position, "rollback", text, {"to": to}))
        self.watch.pace.changed(self.position)

    def settings(self) -> dict[str, Scalar | None]:
        """Present values of what can be changed: of the policy and of the learner."""
        own: dict[str, Scalar | None] = {}
        live = getattr(self.learner, "settings", None)
        if callable(live):
            own.update(live())
        return {**own, **self.policy.settings()}

    # -- telling

    def describe(self, *, metrics: bool = False, size: bool = True) -> LaneState:
        """Tell the present state.

        Parameters
        ----------
        metrics
            Whether all metrics are told.
        size
            Whether the model is measured; else it is told as large as it was last. Without either,
            the carried learning rates are told as they last were, too.
        """
        window, cumulative = self.scores.error(), self.scores.error("cumulative")
        rates = getattr(self.learner, "rates", None)
        if metrics or size:
            self._rates = rates() if callable(rates) else None
        counters = self._counters()
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
                    downtime_seconds=counters["downtime_seconds"],
                ),
                self.context.prices,
            ),
            forgetting=self.forgetting.value,
            rates=self._rates,
            metrics=cast("Metrics", self.scores.values()) if metrics else None,
            rows_stored=self.watch.pace.stored(self.position, self.policy),
            staleness=self._staleness(),
            down=self.policy.down,
        )

    def _staleness(self) -> float | None:
        return None if self.baseline else self.watch.pace.mean(self.position, self.policy)

    def _counters(self) -> dict[str, float]:
        counters = dict(vars(self.policy.counters))
        counters["alarms"] = len(self.watch.alarms)
        counters["downtime_seconds"] = self.watch.down.seconds
        return counters

    def evidence(self) -> LaneEvidence:
        """Tell what a verdict needs to know."""
        counters = self._counters()
        clocks = {key[4:]: value for key, value in counters.items() if key.startswith("cpu_")}
        seconds = counters.pop("downtime_seconds")
        return LaneEvidence(
            name=self.spec.name,
            spec=self.spec,
            baseline=self.baseline,
            losses=self.watch.losses.arrays(),
            counters={k: v for k, v in counters.items() if not k.startswith("cpu_")},
            cpu=clocks,
            bytes=self.model_bytes(),
            rows_stored=self.watch.pace.stored(self.position, self.policy),
            staleness=self._staleness(),
            forgetting=self.forgetting.value,
            downtime_seconds=seconds,
            alarms=list(self.watch.alarms),
        )

    def model_bytes(self) -> int:
        """Size of the deployed model, measured again only when it has changed."""
        if self._bytes[0] != self.policy.version:
            self._bytes = (self.policy.version, self.learner.size_bytes())
        return self._bytes[1]

    def quarantine(self) -> tuple[int, list[tuple[int, str]]]:
        """Rows that the guard kept back: how many, and position and reason of the first."""
        if not isinstance(self.policy, Guarded):
            return 0, []
        kept = [(row.position, row.sentence) for row in self.policy.quarantine]
        return sum(self.policy.quarantined.values()), kept

    # -- state

    def learner_blob(self) -> bytes:
        """State of the deployed model (kept while the model does not change)."""
        if self._blob is None or self._blob[0] != self.policy.version:
            self._blob = (self.policy.version, self.learner.state())
        return self._blob[1]

    def state(self) -> dict[str, bytes]:
        """The whole lane as blobs: the model, all the rest, and models set aside (`pinned`)."""
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
            "watch": self.watch.state(),
        }
        blobs = {"learner": self.learner_blob(), "rest": pickle.dumps(rest, protocol=5)}
        return blobs | {pin_key(at): blob for at, blob in self.pinned.items()}

    def load_state(self, state: dict[str, bytes]) -> None:
        """Take over a state made by `state`.

        It is a pickle: of this process or of our own cache, never of a file that somebody gave us.
        """
        rest = pickle.loads(state["rest"])
        self.policy.restore(state["learner"], rest["policy"])
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
        self.watch.load_state(rest["watch"])
        self.pinned = pins_of(state)
        self.rows_changed()
        self._blob = (self.policy.version, state["learner"])
        self._bytes = (-1, 0)
        self._shown_parameters = (-1, {})
        self._memory_score = (-1, None)

    def rows_changed(self) -> None:
        """Rows from here on arrive otherwise than they did: predictions made ahead are void."""
        self.policy.rows_changed(self.position)


def _shown(value: Scalar | None) -> str:
    if value is None:
        return "(unset)"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


__all__ = ["LaneRunner", "LaneState", "Metrics", "Sink", "check_lane"]
