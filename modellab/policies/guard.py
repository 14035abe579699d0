"""A policy behind its guard: bad rows are not learned, and a spoilt model becomes what it was.

What a guard leaves out is decided row by row (`modellab.policies.guard_judge`), when it goes back
in `modellab.policies.guard_rollback`. A model that learns online does not learn the rows left out;
one that is retrained is not fitted on them. Everything else, drift alarms and tests among it, sees
all rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab.experiment import (
    CostAwarePolicy,
    HindsightPolicy,
    ScheduledPolicy,
    TriggeredPolicy,
)
from modellab.learners.base import Learner, Prediction, Progress, join, no_progress
from modellab.policies.base import Policy, PolicyEvent, Surroundings, block_end
from modellab.policies.guard_flood import ARRIVED
from modellab.policies.guard_judge import Judge, Quarantined, Ranges
from modellab.policies.guard_rollback import Rollback, live_settings
from modellab.policies.online import Online

if TYPE_CHECKING:
    from modellab.experiment import GuardSpec, LearnerSpec, Scalar


FAR = 65_536
"""Rows kept back are looked for so far back, to tell why most of them were."""
MOST = 1e12
"""A larger slope is cut off by the learners themselves."""


class _Around:
    """The replay as a guarded policy sees it: fits leave out what the guard does."""

    def __init__(self, around: Surroundings, guarded: Guarded) -> None:
        self._around, self._guarded = around, guarded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._around, name)

    def build(self, spec: LearnerSpec | None = None) -> Learner:
        """Build a new learner, gradients clipped if it can."""
        learner = self._around.build(spec)
        self._guarded.clip(learner)
        return learner

    def fit(self, learner: Learner, start: int, stop: int) -> int:
        """Fit offline on the labelled rows of [start, stop) that are not left out."""
        judge = self._guarded.judge_for_fits()
        if judge is None or stop <= self._around.train_rows:
            return self._around.fit(learner, start, stop)
        judge.settle(stop)
        with self._around.without(judge.left_out(start, stop)):
            return self._around.fit(learner, start, stop)


class Guarded(Policy):
    """A policy, guarded.

    It is a policy itself: what it does not do is done by the one inside, whose counters, events and
    model are its own.

    Parameters
    ----------
    policy
        Just made; not prepared yet.
    spec
        Its guard.
    around
        The replay that it runs in.

    Attributes
    ----------
    policy
        The policy inside.
    """

    policy: Policy
    guard_spec: GuardSpec
    _outside: Surroundings
    _ranges: Ranges | None
    _online: list[Online]
    _still: list[tuple[Policy, Judge]]
    _told: dict[int, dict[str, int]]
    _unclipped: bool
    _blind_told: bool
    _back: Rollback | None

    def __init__(self, policy: Policy, spec: GuardSpec, around: Surroundings) -> None:
        own = vars(self)  # all else is set on the policy inside (see __setattr__)
        own["policy"] = policy
        own["guard_spec"] = spec
        own["_outside"] = around
        own["_ranges"] = None
        own["_online"] = []
        own["_still"] = []
        own["_told"] = {}
        own["_unclipped"] = False
        own["_blind_told"] = False
        own["_back"] = None if spec.rollback is None else Rollback(spec, around)
        policy.around = _Around(around, self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "policy" not in vars(self):
            raise AttributeError(name)
        return getattr(vars(self)["policy"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self):
            vars(self)[name] = value
        else:
            setattr(self.policy, name, value)

    # -- what is guarded

    def prepare(self, progress: Progress = no_progress) -> None:
        """Train the first model, and learn the ranges of the training window."""
        spec, around = self.guard_spec, self._outside
        self.policy.prepare(progress)
        told = []
        if spec.range is not None:
            if around.train_rows:
                self._ranges = Ranges(around, spec.range)
                told += _unguarded(self._ranges)
            else:
                told.append("There is no training window, so there is no range to guard.")
        self._attach()
        for part in _parts(self.policy):
            self.clip(part.learner)
        if spec.clip is not None and self._unclipped:
            told.append("Gradients are not clipped: this learner has no such setting.")
        if (spec.range is not None or spec.loss is not None) and not self._judges():
            told.append("This lane never learns, so its guard keeps no row back.")
        at = around.train_rows
        self.policy.events += [PolicyEvent(at, "warning", f"Guard: {text}") for text in told]

    def _attach(self) -> None:
        """Put a judge beside everything inside that learns, or is retrained."""
        spec = self.guard_spec
        if self._online or self._still or (spec.range is None and spec.loss is None):
            return
        if spec.range is not None and self._outside.train_rows and self._ranges is None:
            self._ranges = Ranges(self._outside, spec.range)  # of a lane taken up from a state
        for part in _parts(self.policy):
            judge = Judge(spec, self._outside, self._ranges)
            if isinstance(part, Online):
                part.guard = judge
                self._online.append(part)
            elif part is not self.policy and _retrains(self.policy.spec):
                _overhear(part, judge)
                self._still.append((part, judge))

    def _judges(self) -> list[tuple[Policy, Judge]]:
        learning = [(part, part.guard) for part in self._online if part.guard is not None]
        return [*learning, *self._still]

    def _deployed_judge(self) -> Judge | None:
        """The judge of the model that is deployed."""
        judges = self._judges()
        for part, judge in judges:
            if part.learner is self.policy.learner:
                return judge
        return judges[0][1] if judges else None

    def judge_for_fits(self) -> Judge | None:
        """The judge that says on which rows a new model is not fitted."""
        return self._deployed_judge()

    def clip(self, learner: Learner) -> None:
        """Let no gradient of a learner be larger than the guard says, if it can do that.

        The first training, which lanes of equal learners share, is not clipped.
        """
        limit = self.guard_spec.clip
        if limit is None:
            return
        if "clip" not in live_settings(learner):
            self._unclipped = True
            return
        learner.set("clip", min(limit, MOST))

    @property
    def quarantine(self) -> list[Quarantined]:
        """Rows that the deployed model did not learn: the first 10,000, in order."""
        judge = self._deployed_judge()
        return [] if judge is None else judge.quarantine

    @property
    def quarantined(self) -> dict[str, int]:
        """How many those are in all, by reason."""
        judge = self._deployed_judge()
        return {"range": 0, "loss": 0} if judge is None else dict(judge.count)

    # -- a step

    def step(self, start: int, stop: int) -> Prediction:
        """Let the policy inside predict and learn, cut where the guard looks."""
        parts = []
        at = start
        back = self._back
        while at < stop:
            end = stop if back is None else min(stop, back.next_check(at))
            part = self.policy.step(at, end)
            parts.append(part)
            self._settle(end)
            if back is not None:
                back.record(at, part)
                if end == back.next_check(at):
                    event = back.check(self.policy, end)
                    if event is not None:
                        self.policy.events.append(event)
            at = end
        if at == min(block_end(start), self._outside.stop):
            self._tell(at)
        return join(parts)

    def _settle(self, end: int) -> None:
        judges = self._judges()
        if not judges:
            return
        if self._still:
            known = int(self._outside.label_upto(end - 1, end)[-1])
            for _, judge in self._still:
                judge.settle(known)
        deployed = self._deployed_judge()
        assert deployed is not None
        self.policy.counters.quarantined = deployed.total
        if deployed.blind and not self._blind_told:
            self._blind_told = True
            text = (
                "Guard: this learner gives no probabilities, so how wrong it was cannot be told; "
                "no row is left out by its loss"
            )
            self.policy.events.insert(0, PolicyEvent(self._outside.train_rows, "warning", text))

    def _tell(self, position: int) -> None:
        """One event for all rows of a block."""
        for k, (_, judge) in enumerate(self._judges()):
            before = self._told.get(k, {"range": 0, "loss": 0})
            new = {reason: judge.count[reason] - before[reason] for reason in before}
            self._told[k] = dict(judge.count)
            count = sum(new.values())
            if count and judge is self._deployed_judge():
                rows = "1 row was" if count == 1 else f"{count:,} rows were"
                text = f"{rows} kept back: {new['loss']:,} by loss, {new['range']:,} out of range"
                values = {"rows": count, **new, "total": judge.total}
                self.policy.events.append(PolicyEvent(position, "quarantine", text, values))
            self._tell_flood(judge, position)

    def _tell_flood(self, judge: Judge, position: int) -> None:
        """Tell once if the guard keeps back most of what arrives."""
        flood = judge.flood
        if flood.row < 0:
            return
        if judge is not self._deployed_judge():
            flood.row = flood.row if flood.rising else -1
            return
        left = judge.left_out(max(0, flood.row + 1 - FAR), flood.row + 1)[-ARRIVED // 2 :]
        column = "" if self._ranges is None else self._ranges.most_outside(left)
        why = f", most often for the column {column}" if column else ""
        text = (
            f"Guard: by row {flood.row:,}, more than half of the last {ARRIVED:,} rows with a "
            f"label were kept back{why}. This may be drift rather than bad data, and the model "
            "learns nothing of it: look at the rows kept back, and if they are good, widen the "
            "range (or raise the quantile of the loss), retrain, or roll back by hand."
        )
        values = {"row": flood.row, "column": column}
        self.policy.events.append(PolicyEvent(position, "warning", text, values))
        flood.row = -1

    # -- what is done by the policy inside

    @property
    def trained_to(self) -> int:
        """Exclusive end of the newest row that the deployed model learned from."""
        return self.policy.trained_to

    @trained_to.setter
    def trained_to(self, position: int) -> None:
        self.policy.trained_to = position

    @property
    def has_model(self) -> bool:
        """Whether there is a model to answer with."""
        return self.policy.has_model

    def rows_stored(self, position: int) -> int:
        """Rows that must be kept at `position` for later training."""
        return self.policy.rows_stored(position)

    def rows_changed(self, position: int) -> None:
        """Rows from `position` on arrive otherwise than before."""
        self.policy.rows_changed(position)
        for _, judge in self._still:
            judge.rows_changed()

    def set(self, name: str, value: Scalar) -> None:
        """Change a setting of the policy or of the learner from the next row on."""
        self.policy.set(name, value)

    def settings(self) -> dict[str, Scalar]:
        """Present values of the settings that can be changed."""
        return self.policy.settings()

    def piece_end(self, position: int) -> int:
        """Where a piece that holds `position` ends at the latest."""
        return self.policy.piece_end(position)

    def predict_piece(self, start: int, stop: int, change: int) -> Prediction:
        """Predict rows of the unchanged model."""
        return self.policy.predict_piece(start, stop, change)

    def learner_spec(self, saved: dict[str, Any] | None = None) -> LearnerSpec | None:
        """Which learner is deployed now, or in a `saved` state; None for the lane's own."""
        return self.policy.learner_spec(None if saved is None else saved["policy"])

    def roll_back(self, blob: bytes, saved: dict[str, Any] | None = None) -> None:
        """Let the deployed model be again what it was, as a person asked for."""
        self.policy.roll_back(blob, None if saved is None else saved["policy"])
        if self._back is not None:
            self._back.went_back()

    # -- state

    def restore(self, blob: bytes, state: dict[str, Any]) -> None:
        """Take over a whole state: that of the deployed model, and what `state` gave."""
        self._attach()
        self.policy.restore(blob, state["policy"])
        self._load_own(state)

    def state(self) -> dict[str, Any]:
        """Everything but the learner."""
        return {
            "policy": self.policy.state(),
            "still": [judge.state() for _, judge in self._still],
            "rollback": None if self._back is None else self._back.state(),
            "told": {k: dict(v) for k, v in self._told.items()},
            "blind_told": self._blind_told,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self._attach()
        self.policy.load_state(state["policy"])
        self._load_own(state)

    def _load_own(self, state: dict[str, Any]) -> None:
        for (_, judge), saved in zip(self._still, state["still"], strict=True):
            judge.load_state(saved)
        if self._back is not None and state["rollback"] is not None:
            self._back.load_state(state["rollback"])
        self._told = {k: dict(v) for k, v in state["told"].items()}
        self._blind_told = state["blind_told"]


def _parts(policy: Policy) -> list[Policy]:
    """The policy and those that it is made of, in the order in which it holds them."""
    found: list[Policy] = [policy]
    for value in vars(policy).values():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, Policy):
                found += _parts(part)
    return found


def _unguarded(ranges: Ranges) -> list[str]:
    """Sentences on the columns whose range in the training window is not guarded."""
    told = []
    reasons = sorted(set(ranges.unguarded.values()))
    for reason in reasons:
        names = [name for name, why in ranges.unguarded.items() if why == reason]
        some = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
        told.append(
            f"The range of the training window is not guarded where a column {reason}: {some}."
        )
    return told


def _retrains(spec: Any) -> bool:
    """Whether a policy fits new models along the stream."""
    if isinstance(spec, TriggeredPolicy):
        return spec.action == "retrain"
    return isinstance(spec, ScheduledPolicy | CostAwarePolicy | HindsightPolicy)


def _overhear(part: Policy, judge: Judge) -> None:
    """Let a judge know what a model that does not learn by itself answers."""
    answer = part.step

    def step(start: int, stop: int) -> Prediction:
        prediction = answer(start, stop)
        judge.record(start, prediction)
        return prediction

    vars(part)["step"] = step


__all__ = ["Guarded"]
