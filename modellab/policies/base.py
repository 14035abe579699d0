"""What every policy has in common: predictions piece by piece, clocks, counters and state."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeGuard

import msgspec
import numpy as np

from modellab.data.stream import BLOCK
from modellab.errors import ExperimentError, nearest, quote
from modellab.experiment_file import change_policy
from modellab.learners.base import (
    Floats,
    Ints,
    Learner,
    Look,
    Prediction,
    Progress,
    Rows,
    Snapshots,
    Task,
    View,
    join,
    no_progress,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from modellab.experiment import LearnerSpec, PriceSpec, Scalar
    from modellab.experiment import Policy as PolicySpec

    ChunkOrder = Callable[[int, int], Sequence[int]]
    """``order(pass, n_chunks)``: the chunks' numbers in the order in which a pass takes them."""

NEVER = 1 << 62


class Surroundings(Protocol):
    """What a policy may ask of the replay that it runs in; positions are absolute.

    Attributes
    ----------
    task, seed, prices
        Of the experiment.
    spec
        The lane's own learner.
    train_rows, test_rows, fit_rows, n_rows, stop
        Deployment point T; rows of the test part at the end of the training window; rows [0, this)
        are what the first model is fitted on (T, or less without refit); rows of the data set;
        where the replay ends.
    window
        Rows of the window error (``evaluation.window``).
    """

    task: Task
    spec: LearnerSpec
    prices: PriceSpec
    seed: int
    train_rows: int
    test_rows: int
    fit_rows: int
    n_rows: int
    stop: int
    window: int

    def rows(self, view: View, start: int, stop: int) -> Rows:
        """Encoded rows [start, stop), as they arrive."""
        ...

    def labels(self, start: int, stop: int) -> NDArray[Any]:
        """Labels of rows [start, stop) as they arrive; lost and missing ones as -1 or NaN.

        What is true may be another thing (label noise): policies never see that.
        """
        ...

    def label_upto(self, start: int, stop: int) -> Ints:
        """For each row: the exclusive end of the labels known once it was predicted."""
        ...

    def next_link(self, position: int) -> int:
        """First row, from `position` on, at which updates reach the model: after an outage."""
        ...

    def position_at(self, start: int, rows: int, span_ns: int) -> int:
        """First position that is `rows` rows, or `span_ns` of event time, after `start`."""
        ...

    def build(self, spec: LearnerSpec | None = None) -> Learner:
        """Build a new, untrained learner: of `spec`, or of this lane's settings."""
        ...

    def first_fit(
        self, learner: Learner, spec: LearnerSpec | None = None, progress: Progress = no_progress
    ) -> None:
        """Train offline on the training window, if there is one; `spec`: which learner it is."""
        ...

    def fit(self, learner: Learner, start: int, stop: int) -> int:
        """Fit offline on the labelled rows of [start, stop); return how many."""
        ...

    def fit_chunks(
        self,
        learner: Learner,
        start: int,
        stop: int,
        chunk_rows: int,
        passes: int,
        order: ChunkOrder | None = None,
    ) -> int:
        """Fit out of core on the labelled rows of [start, stop); return how many those are."""
        ...

    def loss(self, learner: Learner, start: int, stop: int) -> float:
        """Error rate or mean absolute error of a model on the labelled rows of [start, stop)."""
        ...

    def losses(self, start: int, stop: int, prediction: Prediction, labels: NDArray[Any]) -> Floats:
        """0/1 error or absolute error of each row (n,); NaN without a label or an answer."""
        ...

    def first_test_error(self) -> float:
        """Error on the test part of this lane's learner, fitted on the training window less it.

        NaN where there is no test part. Computed when asked for, once.
        """
        ...

    def baseline(self, start: int, stop: int) -> Prediction:
        """What answers while nothing serves: majority class or running mean, row by row."""
        ...

    def numbers(self, start: int, stop: int) -> tuple[tuple[str, ...], Floats]:
        """Names of the number features, and their values (n, d) as they arrive; NaN is missing."""
        ...

    def without(self, positions: Ints) -> AbstractContextManager[None]:
        """Leave these rows (in order) out of all fits that are done meanwhile."""
        ...

    def feature_alarms(self, position: int) -> int:
        """Feature columns in alarm at the last check at or before `position`."""
        ...

    def next_feature_check(self, position: int) -> int:
        """First check of the features after `position`; `NEVER` if there is none."""
        ...


@dataclass
class Counters:
    """What a lane did so far. CPU seconds are measured (thread clock), all else is exact.

    `downtime_seconds` (event time) is for the lane to count, and so are `alarms` of its own
    detector and what its guard `quarantined`.
    """

    updates: int = 0
    retrains: int = 0
    redeploys: int = 0
    rejected: int = 0
    rollbacks: int = 0
    alarms: int = 0
    quarantined: int = 0
    downtime_rows: int = 0
    downtime_seconds: float = 0.0
    cpu_predict: float = 0.0
    cpu_learn: float = 0.0
    cpu_fit: float = 0.0

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        """Add the CPU time of this thread to `cpu_<name>`."""
        begin = time.thread_time()
        try:
            yield
        finally:
            key = f"cpu_{name}"
            setattr(self, key, getattr(self, key) + time.thread_time() - begin)


MEASURED = frozenset({"fit_seconds"})
"""Values of events that are measured, so that they differ from run to run."""


@dataclass(eq=False)
class PolicyEvent:
    """Something a policy did, at a position.

    Two events are equal if all is that does not depend on the machine (see `MEASURED`).
    """

    position: int
    kind: str
    text: str
    values: dict[str, Any] = field(default_factory=dict)

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PolicyEvent) and self._exact() == other._exact()

    def _exact(self) -> tuple[int, str, str, dict[str, Any]]:
        values = {k: v for k, v in self.values.items() if k not in MEASURED}
        return self.position, self.kind, self.text, values


class PieceCache:
    """Predictions of one piece of the stream, computed whole and handed out row by row.

    Linear algebra rounds differently for different shapes of the same call. A piece therefore ends
    at a multiple of `BLOCK` or where the model changes, never where a chunk happens to end.
    """

    def __init__(self) -> None:
        self.start = 0
        self.stop = 0
        self.prediction: Prediction | None = None

    def forget(self) -> None:
        """The model has changed: what was computed ahead is void."""
        self.start = self.stop = 0
        self.prediction = None

    def get(self, start: int, stop: int) -> Prediction | None:
        """Return the predictions for [start, stop) as far as this piece holds them."""
        if self.prediction is None or not self.start <= start < self.stop:
            return None
        return self.prediction[start - self.start : min(stop, self.stop) - self.start]

    def put(self, start: int, prediction: Prediction) -> None:
        """Keep the piece that begins at `start`."""
        self.start = start
        self.stop = start + len(prediction)
        self.prediction = prediction


def refresh(cache: PieceCache, learner: Learner, around: Surroundings, position: int) -> None:
    """Compute a piece again if it reaches beyond `position`."""
    if cache.prediction is not None and cache.stop > position:
        start, stop = cache.start, cache.stop
        cache.put(start, learner.predict(around.rows(learner.view, start, stop)))


def block_end(position: int) -> int:
    """End of the aligned block that holds `position`."""
    return (position // BLOCK + 1) * BLOCK


_TAKEN_BACK: dict[type, bool] = {}


def _snapshots(learner: Learner) -> TypeGuard[Snapshots]:
    """Whether a learner has snapshots (asked of its class once: asking takes long)."""
    kind = type(learner)
    if kind not in _TAKEN_BACK:
        _TAKEN_BACK[kind] = isinstance(learner, Snapshots)
    return _TAKEN_BACK[kind]


def take(learner: Learner) -> Any:
    """What `put_back` needs to make a learner again what it is now, as cheaply as it can."""
    return learner.snapshot() if _snapshots(learner) else learner.state()


def put_back(learner: Learner, taken: Any) -> None:
    """Let a learner be again what it was, before anything but learning changed it."""
    if _snapshots(learner):
        learner.restore(taken)
    else:
        learner.load_state(taken)


class Policy(ABC):
    """A policy at work on one lane.

    Parameters
    ----------
    spec
        The policy's settings.
    learner
        The deployed model, already trained on the training window if there is one.
    around
        The replay that it runs in.

    Attributes
    ----------
    trained_to
        Exclusive end of the newest row that the deployed model learned from.
    down
        Whether nothing serves now, so that the baseline answers.
    down_spans
        Spans [start, stop) answered by the baseline; the lane takes them away, like `events`.
    version
        Changes whenever the deployed model does.
    """

    live: ClassVar[frozenset[str]] = frozenset()
    """Settings that can be changed during a replay."""
    unchanging: ClassVar[bool] = False
    """Whether no row ever changes the deployed model."""

    def __init__(self, spec: PolicySpec, learner: Learner, around: Surroundings) -> None:
        self.spec: Any = spec
        self.learner = learner
        self.around = around
        self.counters = Counters()
        self.events: list[PolicyEvent] = []
        self.down = False
        self.down_spans: list[tuple[int, int]] = []
        self.version = 0
        self.cache = PieceCache()
        self._trained_to = around.fit_rows

    @property
    def trained_to(self) -> int:
        """Exclusive end of the newest row that the deployed model learned from."""
        return self._trained_to

    @trained_to.setter
    def trained_to(self, position: int) -> None:
        self._trained_to = position

    @property
    def has_model(self) -> bool:
        """Whether there is a model to answer with: after a cold start, not before it is trained."""
        return True

    def prepare(self, progress: Progress = no_progress) -> None:
        """Train the first model (or models), offline, before the first row is replayed."""
        self.around.first_fit(self.learner, progress=progress)

    def rows_stored(self, position: int) -> int:
        """Rows that must be kept at `position` for later training; 0 if it never trains again."""
        del position
        return 0

    @abstractmethod
    def step(self, start: int, stop: int) -> Prediction:
        """Predict rows [start, stop), then do all learning whose labels have arrived by then.

        Both lie in one block. The rows come in order, each once.
        """

    def step_looked(
        self, start: int, stop: int, at: Ints
    ) -> tuple[Prediction, Sequence[Look]] | None:
        """Do as `step` does, and tell what the model was after some of the rows.

        Parameters
        ----------
        at
            Rising numbers of rows, from 1 to ``stop - start``.

        Returns
        -------
        Predictions, and a look after so many rows for each of `at`; None, and nothing is done,
        where it is to be stepped from look to look.
        """
        del start, stop, at
        return None

    def expect(self, start: int, stop: int) -> None:
        """Know that rows [start, stop) are stepped through next, maybe in several steps.

        More than a block only where `modellab.replay.strides` says that it may. Changes no result.
        """
        del start, stop

    def set(self, name: str, value: Scalar) -> None:
        """Change a setting of the policy or of the learner from the next row on.

        Raises
        ------
        ExperimentError, LearnerError
            If there is no such setting, or the value is not allowed.
        """
        if name in self.live:
            self.spec = change_policy(self.spec, name, value)
            return
        self.learner.set(name, value)
        self.version += 1

    def settings(self) -> dict[str, Scalar]:
        """Present values of the settings that can be changed."""
        return {name: getattr(self.spec, name) for name in sorted(self.live)}

    def piece_end(self, position: int) -> int:
        """Where a piece that holds `position` ends at the latest."""
        return min(block_end(position), self.around.n_rows)

    def predict_piece(self, start: int, stop: int, change: int) -> Prediction:
        """Predict [start, stop) of the unchanged model; `change`: where it changes next."""
        if not self.has_model:
            return no_answer(self.around.task, stop - start)
        parts: list[Prediction] = []
        at = start
        while at < stop:
            part = self.cache.get(at, stop)
            if part is None:
                end = min(self.piece_end(at), change)
                with self.counters.clock("predict"):
                    whole = self.learner.predict(self.around.rows(self.learner.view, at, end))
                self.cache.put(at, whole)
                continue
            parts.append(part)
            at += len(part)
        return join(parts)

    def rows_changed(self, position: int) -> None:
        """Rows from `position` on arrive otherwise than before (a fault came or went).

        What was computed ahead is computed again, in pieces of the same shape: so the bits are as
        if the fault had always been known.
        """
        refresh(self.cache, self.learner, self.around, position)

    def roll_back(self, blob: bytes, saved: dict[str, Any] | None = None) -> None:
        """Let the deployed model be again what it was.

        Parameters
        ----------
        blob
            An earlier state of the deployed model.
        saved
            What `state` gave at that time, if known: how far that model had learned, and which
            learner it was where there are several.
        """
        fresh = self.around.build(self.learner_spec(saved))
        fresh.load_state(blob)
        self.learner = fresh
        if saved is not None:
            self.trained_to = saved["trained_to"]
        self.version += 1
        self.cache.forget()
        self.counters.rollbacks += 1

    def learner_spec(self, saved: dict[str, Any] | None = None) -> LearnerSpec | None:
        """Which learner is deployed now, or in a `saved` state; None for the lane's own."""
        del saved
        return None

    def restore(self, blob: bytes, state: dict[str, Any]) -> None:
        """Take over a whole state: that of the deployed model, and what `state` gave."""
        fresh = self.around.build(self.learner_spec(state))
        fresh.load_state(blob)
        self.learner = fresh
        self.load_state(state)

    def state(self) -> dict[str, Any]:
        """Everything but the learner."""
        return {
            "spec": msgspec.to_builtins(self.spec),
            "counters": dict(vars(self.counters)),
            "version": self.version,
            "trained_to": self.trained_to,
            "down": self.down,
            "cache": (self.cache.start, self.cache.prediction),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.spec = msgspec.convert(state["spec"], type(self.spec))
        self.counters = Counters(**state["counters"])
        self.version = state["version"]
        self.trained_to = state["trained_to"]
        self.down = state["down"]
        self.down_spans = []
        start, prediction = state["cache"]
        self.cache.forget()
        if prediction is not None:
            self.cache.put(start, prediction)


def unknown_setting(name: str, known: frozenset[str]) -> ExperimentError:
    """Error for a setting that a policy does not have."""
    near = nearest(name, known)
    hint = f" Did you mean {near}?" if near else ""
    return ExperimentError(f"There is no setting {quote(name)} that can be changed here.{hint}")


def labelled(task: Task, labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows have a label."""
    if task.kind == "classification":
        return np.asarray(labels >= 0, dtype=np.bool_)
    return np.asarray(~np.isnan(labels), dtype=np.bool_)


def no_answer(task: Task, rows: int) -> Prediction:
    """Predictions of what has no model yet: none, for `rows` rows."""
    if task.kind == "classification":
        return Prediction(np.full(rows, -1, dtype=np.int64))
    return Prediction(np.full(rows, np.nan))


def pick(rows: Rows, mask: NDArray[np.bool_]) -> Rows:
    """Return the rows where `mask` is true, for any view."""
    if mask.all():
        return rows
    if not isinstance(rows, list):
        return rows[mask]
    return [row for row, keep in zip(rows, mask, strict=True) if keep]


__all__ = [
    "MEASURED",
    "NEVER",
    "Counters",
    "Floats",
    "PieceCache",
    "Policy",
    "PolicyEvent",
    "Surroundings",
    "block_end",
    "labelled",
    "no_answer",
    "pick",
    "put_back",
    "refresh",
    "take",
    "unknown_setting",
]
