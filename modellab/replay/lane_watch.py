"""What is noted of a lane beside its scores: single losses, drift alarms, staleness, downtime."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.encoding import NO_TIME
from modellab.data.stream import BLOCK
from modellab.evaluation.detectors import Detector, make_detector
from modellab.evaluation.losses import class_losses, number_losses
from modellab.evaluation.paired import LossTrack
from modellab.experiment import TriggeredPolicy
from modellab.policies.base import PolicyEvent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.experiment import LaneSpec
    from modellab.learners.base import Prediction
    from modellab.policies.base import Policy
    from modellab.replay.context import Context
    from modellab.replay.lane_state import PolicyThen

    Seen = Policy | PolicyThen

TITLES = {
    "adwin": "ADWIN",
    "ddm": "DDM",
    "eddm": "EDDM",
    "hddm_a": "HDDM-A",
    "hddm_w": "HDDM-W",
    "page_hinkley": "Page-Hinkley",
    "kswin": "KSWIN",
}
_SERVES = frozenset({"redeploy", "rollback", "switch", "reset"})
"""Events after which another model serves."""


def has_own_alarms(spec: LaneSpec) -> bool:
    """Whether the lane's policy looks for drift of its error itself, and tells its alarms."""
    policy = spec.policy
    return isinstance(policy, TriggeredPolicy) and any(c.drift is not None for c in policy.when)


class LaneWatch:
    """Notes of one lane, the same however its stream is cut into steps.

    Parameters
    ----------
    context
        The stream and what belongs to it.
    spec
        The lane. A triggered lane with a drift condition tells its own alarms: then, and for
        `baseline` lanes, there is no other detector.
    """

    def __init__(self, context: Context, spec: LaneSpec, *, baseline: bool = False) -> None:
        self._context = context
        self.losses = LossTrack(context.train_rows, context.seed)
        self.alarms: list[int] = []
        drift = context.experiment.drift
        self.detector: Detector | None = None
        if drift.detector != "none" and not baseline and not has_own_alarms(spec):
            bounded = context.task.kind == "classification"
            self.detector = make_detector(drift.detector, drift.settings, bounded=bounded)
            self._title = TITLES[drift.detector]
        self._waiting: deque[NDArray[Any]] = deque()  # predictions whose label has not come
        self._known = context.train_rows
        self.pace = Staleness(context)
        self.down = Downtime(context)

    def note(
        self,
        start: int,
        prediction: Prediction,
        losses: NDArray[np.float64],
        policy: Seen,
        events: list[PolicyEvent],
    ) -> list[PolicyEvent]:
        """Take in a step: rows from `start` on, with what the policy did in it.

        Parameters
        ----------
        start
            First position of the step.
        prediction, losses
            What was answered, and by how much it was wrong: as of `Context.losses`.
        policy, events
            The policy after the step, and its events in it, in order.

        Returns
        -------
        Alarms, as events; each at the first row that could be predicted knowing of it.
        """
        stop = start + len(prediction)
        self.losses.update(start, losses)
        self.pace.note(stop, policy, events)
        self.down.note(policy)
        self.alarms += [e.position for e in events if e.kind == "drift"]
        if self.detector is None:
            return []
        self._waiting.append(prediction.value)
        return self._watch(start, stop, losses)

    def _watch(self, start: int, stop: int, own: NDArray[np.float64]) -> list[PolicyEvent]:
        """Give the detector the errors that became known in [start, stop).

        `own`: those of the rows [start, stop) themselves, by the true labels.
        """
        assert self.detector is not None
        stream = self._context.stream
        end = int(stream.label_upto(stop - 1, stop)[-1])
        if end <= self._known:
            return []
        if end == stop and self._known == start and stream.truthful:
            self._waiting.clear()
            losses = own
        else:
            losses = self._known_losses(end)
        found: list[PolicyEvent] = []
        at = 0
        while at < len(losses):
            alarm = self.detector.update(losses[at:])
            if alarm < 0:
                break
            at += alarm + 1
            row = self._known + at - 1
            upto = stream.label_upto(start, stop)
            position = start + int(np.searchsorted(upto, row, side="right")) + 1
            risen = self.detector.risen
            text = f"{self._title}: the error has {'risen' if risen else 'fallen'}"
            values = {"detector": self._title, "row": row, "risen": risen}
            found.append(PolicyEvent(position, "drift", text, values))
            self.alarms.append(position)
        self._known = end
        return found

    def _known_losses(self, end: int) -> NDArray[np.float64]:
        """Losses of rows [known, end), by their labels as they arrived."""
        need = end - self._known
        parts = []
        while need > 0:
            values = self._waiting.popleft()
            if len(values) > need:
                self._waiting.appendleft(values[need:])
                values = values[:need]
            parts.append(values)
            need -= len(values)
        answered = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return self._losses(answered, self._context.stream.seen(self._known, end))

    def _losses(self, value: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float64]:
        """Loss of each row, as of `Context.losses`."""
        if self._context.task.kind == "classification":
            return class_losses(value, labels)
        return number_losses(value, labels)

    # -- state

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        waiting = np.concatenate(list(self._waiting)) if self._waiting else None
        return {
            "losses": self.losses.state(),
            "alarms": list(self.alarms),
            "detector": None if self.detector is None else self.detector.state(),
            "waiting": waiting,
            "known": self._known,
            "pace": self.pace.state(),
            "down": self.down.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.losses.load_state(state["losses"])
        self.alarms = list(state["alarms"])
        if self.detector is not None:
            self.detector.load_state(state["detector"])
        self._waiting = deque() if state["waiting"] is None else deque([state["waiting"]])
        self._known = state["known"]
        self.pace.load_state(state["pace"])
        self.down.load_state(state["down"])


class Staleness:
    """How old the model's knowledge is, and the rows that it must keep.

    A model is asked how far it was trained at the end of each aligned block, where every replay
    stops, however it is cut. In between, one that learns is taken to have learned each label when
    it arrived; one that is replaced, to have been replaced at the last event that said so.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.rows_stored = 0
        self._sum = 0.0
        self._rows = 0
        self._start = context.train_rows  # of the present block
        self._from = context.train_rows if context.train_rows else -1
        self._changed = -1

    def changed(self, position: int) -> None:
        """Know that from `position` on another model serves."""
        self._changed = position

    def note(self, stop: int, policy: Seen, events: list[PolicyEvent]) -> None:
        """Take in a step of the policy that ended at `stop`."""
        for event in events:
            if event.kind in _SERVES:
                self.changed(event.position)
        if stop % BLOCK and stop != self._context.stop:
            return
        self._sum, self._rows = self._total(stop, policy)
        self.rows_stored = max(self.rows_stored, policy.rows_stored(stop))
        self._start, self._from, self._changed = stop, _trained_to(policy), -1

    def mean(self, position: int, policy: Seen) -> float | None:
        """Mean over the rows up to `position`; None before the first, or without a model."""
        total, rows = self._total(position, policy)
        return total / rows if rows else None

    def stored(self, position: int, policy: Seen) -> int:
        """Most rows that had to be kept so far."""
        return max(self.rows_stored, policy.rows_stored(position))

    def _total(self, stop: int, policy: Seen) -> tuple[float, int]:
        """Sum of staleness and number of rows with a model, up to `stop`."""
        start, old, new = self._start, self._from, _trained_to(policy)
        if stop <= start:
            return self._sum, self._rows
        if old == start and new == stop and self._changed < 0 and self._context.stream.prompt:
            return self._sum, self._rows + stop - start  # each row was learned at once
        if old == new:
            trained = np.full(stop - start, old)
        else:
            known = self._known_before(start, stop)
            if self._changed >= 0:
                later = np.arange(start, stop) >= self._changed
                trained = np.where(later, np.minimum(known, new), old)
            else:
                trained = np.clip(known, min(old, new), new)
        there = trained >= 0
        age = np.arange(start, stop)[there] - trained[there]
        return self._sum + float(age.sum()), self._rows + int(there.sum())

    def _known_before(self, start: int, stop: int) -> NDArray[np.int64]:
        """For each row, the exclusive end of the labels known before it was predicted."""
        upto = self._context.stream.label_upto(max(start - 1, 0), stop - 1)
        if start == 0:  # a cold start: before the first row nothing is known
            return np.concatenate([np.zeros(1, dtype=np.int64), upto])
        return upto

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "stored": self.rows_stored,
            "sum": self._sum,
            "rows": self._rows,
            "start": self._start,
            "from": self._from,
            "changed": self._changed,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.rows_stored, self._sum, self._rows = state["stored"], state["sum"], state["rows"]
        self._start, self._from, self._changed = state["start"], state["from"], state["changed"]


def _trained_to(policy: Seen) -> int:
    """Exclusive end of the newest row that the model learned from; -1 without a model."""
    return int(policy.trained_to) if policy.has_model else -1


class Downtime:
    """Event time in which nothing served, and the baseline answered."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ns = 0

    def note(self, policy: Seen) -> None:
        """Take the spans that the policy says were answered by the baseline."""
        for start, stop in policy.down_spans:
            self._ns += self._span(start, stop)
        policy.down_spans = []

    @property
    def seconds(self) -> float:
        """Seconds so far; 0 where the data have no time."""
        return max(self._ns, 0) / 1e9

    def _span(self, start: int, stop: int) -> int:
        """Nanoseconds from the first row to the one after the last (or to the last of all)."""
        times = self._context.stream.times
        first, last = times(start, start + 1), None
        if stop > start:
            at = min(stop, self._context.n_rows - 1)
            last = times(at, at + 1)
        if first is None or last is None:
            return 0
        begin, end = int(first[0]), int(last[0])
        if NO_TIME in (begin, end):
            return 0
        return end - begin

    def state(self) -> int:
        """Everything."""
        return self._ns

    def load_state(self, state: int) -> None:
        """Take over a state made by `state`."""
        self._ns = state
