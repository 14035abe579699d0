"""A small replay in memory for tests of policies: real learners on streams whose truth is known."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modellab.experiment import LaneSpec, LearnerSpec, PriceSpec
from modellab.learners.base import Inputs, Prediction, Task
from modellab.learners.catalogue import build
from modellab.policies.base import NEVER, Policy, block_end, labelled
from modellab.policies.make import make

CLASSES = Task("classification", ("no", "yes"), "y")
NUMBER = Task("regression", (), "y")
LINEAR = LearnerSpec("linear", params={"learning_rate": 0.05})
BATCH = LearnerSpec("logistic_regression")
BAYES = LearnerSpec("naive_bayes")


@dataclass
class Bench:
    """Rows `x`, labels `y` as they arrive; see `modellab.policies.base.Surroundings`.

    `times`: event times in seconds; `delay`: of labels, in rows, or in seconds where there are
    times. `alarms`: feature columns in alarm from each checked position on.
    """

    x: np.ndarray
    y: np.ndarray
    train_rows: int
    spec: LearnerSpec = LINEAR
    delay: int = 0
    times: np.ndarray | None = None
    prices: PriceSpec = field(default_factory=PriceSpec)
    window: int = 200
    test_rows: int = 0
    seed: int = 7
    alarms: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.task = CLASSES if self.y.dtype.kind == "i" else NUMBER
        self.n_rows = self.stop = len(self.y)
        self.fit_rows = self.train_rows
        self._lead = np.cumsum((self.y == 1).astype(int) - (self.y == 0))
        self.fits: list[tuple[int, int]] = []

    def rows(self, view: str, start: int, stop: int) -> np.ndarray:
        assert 0 <= start <= stop <= self.n_rows
        return self.x[start:stop]

    def labels(self, start: int, stop: int) -> np.ndarray:
        assert 0 <= start <= stop <= self.n_rows
        return self.y[start:stop]

    def label_upto(self, start: int, stop: int) -> np.ndarray:
        assert 0 <= start < stop <= self.n_rows
        if self.times is None:
            ends = np.arange(start, stop) + 1 - self.delay
        else:
            due = self.times[start:stop] - self.delay
            ends = np.minimum(
                np.searchsorted(self.times, due, side="right"), np.arange(start, stop) + 1
            )
        return np.maximum(ends, self.train_rows)

    def next_link(self, position: int) -> int:
        return position

    def position_at(self, start: int, rows: int, span_ns: int) -> int:
        if not span_ns:
            return start + rows
        assert self.times is not None
        if start >= self.n_rows:
            return NEVER
        found = int(np.searchsorted(self.times, self.times[start] + span_ns / 1e9))
        return max(found, start + 1) if found < self.n_rows else NEVER

    def build(self, spec: LearnerSpec | None = None) -> Any:
        spec = spec or self.spec
        names = tuple(f"x{k}" for k in range(self.x.shape[1]))
        return build(spec, Inputs(names, self.task, self.seed))

    def first_fit(self, learner: Any, spec: Any = None, progress: Any = None) -> None:
        if self.fit_rows:
            self.fit(learner, 0, self.fit_rows)

    def fit(self, learner: Any, start: int, stop: int) -> int:
        here = labelled(self.task, self.y[start:stop])
        learner.fit(self.x[start:stop][here], self.y[start:stop][here])
        self.fits.append((start, stop))
        return int(here.sum())

    def fit_chunks(
        self, learner: Any, start: int, stop: int, chunk_rows: int, passes: int, order: Any = None
    ) -> int:
        starts = list(range(start, stop, chunk_rows))
        turn = iter(range(passes))

        def chunks() -> Any:
            passing = next(turn)
            taken = range(len(starts)) if order is None else order(passing, len(starts))
            for k in taken:
                end = min(starts[k] + chunk_rows, stop)
                yield self.x[starts[k] : end], self.y[starts[k] : end]

        learner.fit_chunks(chunks, passes)
        return stop - start

    def losses(
        self, start: int, stop: int, prediction: Prediction, labels: np.ndarray
    ) -> np.ndarray:
        assert len(prediction) == len(labels) == stop - start
        known = labelled(self.task, labels)
        if self.task.kind == "classification":
            known = known & (prediction.value >= 0)
            return np.where(known, (prediction.value != labels).astype(float), np.nan)
        return np.where(known, np.abs(prediction.value - labels), np.nan)

    def loss(self, learner: Any, start: int, stop: int) -> float:
        prediction = learner.predict(self.x[start:stop])
        found = self.losses(start, stop, prediction, self.y[start:stop])
        return float(np.nanmean(found)) if (~np.isnan(found)).any() else float("nan")

    def first_test_error(self) -> float:
        if not self.test_rows:
            return float("nan")
        learner = self.build()
        stop = self.train_rows - self.test_rows
        learner.fit(self.x[:stop], self.y[:stop])
        return self.loss(learner, stop, self.train_rows)

    def baseline(self, start: int, stop: int) -> Prediction:
        """The majority class of the labels known before each row."""
        known = self.label_upto(start, stop) if start else np.zeros(stop, dtype=int)
        upto = np.concatenate([[known[0] if start == 0 else self._known(start)], known[:-1]])
        return Prediction((self._lead[upto - 1] > 0).astype(np.int64))

    def _known(self, position: int) -> int:
        return int(self.label_upto(position - 1, position)[0])

    def feature_alarms(self, position: int) -> int:
        return max([(p, n) for p, n in self.alarms.items() if p <= position], default=(0, 0))[1]

    def next_feature_check(self, position: int) -> int:
        return min([p for p in self.alarms if p > position], default=NEVER)


def lane(bench: Bench, policy: Any, guard: Any = None) -> Policy:
    """Make the policy of a lane and train its first model."""
    made = make(LaneSpec("lane", policy, bench.spec, guard), bench.build(), bench)
    made.prepare()
    return made


def play(policy: Policy, start: int, stop: int, cuts: Any = ()) -> np.ndarray:
    """Step through [start, stop) with extra cuts; blocks are respected as the lane does."""
    values = []
    ends = sorted({*cuts, stop})
    at = start
    while at < stop:
        end = min(block_end(at), next(e for e in ends if e > at))
        values.append(policy.step(at, end).value)
        assert len(values[-1]) == end - at
        at = end
    return np.concatenate(values)


def moved(policy: Policy, bench: Bench, spec: Any) -> Policy:
    """The same policy after a checkpoint: another object, from the saved state."""
    blob, state = policy.learner.state(), pickle.loads(pickle.dumps(policy.state()))
    fresh = make(LaneSpec("lane", spec, bench.spec), bench.build(), bench)
    fresh.restore(blob, state)
    fresh.events = list(policy.events)
    return fresh


def exact(policy: Policy) -> dict[str, Any]:
    """The counters that are not measured."""
    return {k: v for k, v in vars(policy.counters).items() if not k.startswith("cpu")}


def events(policy: Policy, *kinds: str) -> list[Any]:
    """Events of these kinds."""
    return [event for event in policy.events if event.kind in kinds]


def concepts(
    rows: int, angle: np.ndarray, *, noise: float = 0.05, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Two classes split by a line through 0 at `angle` (rows,); labels wrong at rate `noise`."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2))
    side = x[:, 0] * np.cos(angle) + x[:, 1] * np.sin(angle) > 0
    wrong = rng.random(rows) < noise
    return x, np.asarray(side ^ wrong, dtype=np.int64)


def steady(rows: int, **more: Any) -> tuple[np.ndarray, np.ndarray]:
    """No drift."""
    return concepts(rows, np.zeros(rows), **more)


def abrupt(rows: int, at: int, **more: Any) -> tuple[np.ndarray, np.ndarray]:
    """From row `at` on the classes change places."""
    return concepts(rows, np.where(np.arange(rows) < at, 0.0, np.pi), **more)


def recurring(rows: int, period: int, **more: Any) -> tuple[np.ndarray, np.ndarray]:
    """The classes change places every `period` rows."""
    return concepts(rows, np.where(np.arange(rows) // period % 2 == 0, 0.0, np.pi), **more)


def slow(rows: int, turn: float = np.pi, **more: Any) -> tuple[np.ndarray, np.ndarray]:
    """The line turns all the time, by `turn` over all rows."""
    return concepts(rows, np.linspace(0.0, turn, rows), **more)
