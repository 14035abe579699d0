"""What the lanes of one process share: the stream, its encoder, the task, and offline fitting."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.arrivals import TimeArrivals
from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.stream import EncodedStream
from modellab.errors import ExperimentError, LearnerError
from modellab.lanes import with_default_lanes
from modellab.learners.base import (
    Inputs,
    Ints,
    Learner,
    Progress,
    Rows,
    Task,
    View,
    no_progress,
)
from modellab.learners.catalogue import build, entry
from modellab.policies.base import NEVER, labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.data.store import Store
    from modellab.experiment import Experiment, LearnerSpec

_LOSS_ROWS = 4096


def memory_budget() -> int:
    """Bytes that data may take in memory: a quarter of this machine's, unless set.

    The environment variable ``MODELLAB_MEMORY_BUDGET`` (bytes) sets another. It decides only
    whether a fit is refused, never a number.
    """
    given = os.environ.get("MODELLAB_MEMORY_BUDGET")
    if given and given.isdigit():
        return int(given)
    import psutil

    return int(psutil.virtual_memory().total // 4)


@dataclass
class Context:
    """The stream and all that belongs to it, for the lanes of one process.

    Attributes
    ----------
    experiment
        The experiment, default lanes included.
    train_rows, stop, n_rows
        Deployment point T, end of the replay, and rows of the data set.
    """

    experiment: Experiment
    dataset: Dataset
    encoder: Encoder
    stream: EncodedStream
    train_rows: int
    stop: int
    first_fits: dict[bytes, bytes] = field(default_factory=dict)
    _clocks: dict[int, TimeArrivals] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """The task."""
        return self.dataset.task

    @property
    def n_rows(self) -> int:
        """Rows of the data set."""
        return self.dataset.n_rows

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.experiment.replay.seed

    def inputs(self, view: View) -> Inputs:
        """Return the columns that a learner sees in `view`."""
        return Inputs(tuple(self.encoder.names(view)), self.task, self.seed)

    def build(self, spec: LearnerSpec) -> Learner:
        """Build a new, untrained learner."""
        return build(spec, self.inputs(entry(spec).view))

    def position_at(self, start: int, rows: int, span_ns: int) -> int:
        """First position `rows` rows or `span_ns` after `start`; `NEVER` beyond the data.

        Where rows are not in order of time, the clock is the latest time of all rows so far, as
        for labels: it never runs backwards.
        """
        if not span_ns:
            return start + rows
        if self.dataset.time is None:
            raise ExperimentError(
                "A span of time is asked for, but no column is the time: choose a time column, "
                "or give the span in rows."
            )
        if start >= self.n_rows:
            return NEVER
        if self.dataset.first_out_of_order is not None:
            clock = self._clocks.setdefault(
                span_ns, TimeArrivals(self._times, self.n_rows, 0, span_ns)
            )
            found = clock.arrival(start)
            return found if found < self.n_rows else NEVER
        wanted = self._time(start) + span_ns
        low, high = start + 1, self.n_rows
        while low < high:
            middle = (low + high) // 2
            if self._time(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < self.n_rows else NEVER

    def _times(self, start: int, stop: int) -> Ints:
        times = self.stream.times(start, stop)
        assert times is not None
        return times

    def _time(self, position: int) -> int:
        return int(self._times(position, position + 1)[0])

    def fit(self, learner: Learner, start: int, stop: int, progress: Progress = no_progress) -> int:
        """Fit offline on the labelled rows of [start, stop) as `[training]` says; return how many.

        Raises
        ------
        LearnerError
            If the rows do not fit the memory budget, or there are none.
        """
        how = self.experiment.training
        if how.mode == "chunks":
            count = int(self._labelled_count(start, stop))
            _need_rows(count)
            learner.fit_chunks(
                lambda: self.stream.chunks(learner.view, start, stop, how.chunk_rows),
                how.passes,
                progress,
            )
            return count
        keep = self._sample(start, stop, how.sample_rows)
        self._check_memory(learner.view, stop - start if keep is None else len(keep))
        rows, y = self.stream.matrix(learner.view, start, stop, keep)
        _need_rows(len(y))
        learner.fit(rows, y, progress)
        return len(y)

    def _labelled_count(self, start: int, stop: int) -> int:
        step = 65_536
        return sum(
            int(labelled(self.task, self.stream.labels(a, min(a + step, stop))).sum())
            for a in range(start, stop, step)
        )

    def _sample(self, start: int, stop: int, rows: int) -> Ints | None:
        """Evenly spaced positions, or None for all rows."""
        if not rows or rows >= stop - start:
            return None
        return start + np.arange(rows, dtype=np.int64) * (stop - start) // rows

    def _check_memory(self, view: View, rows: int) -> None:
        width = len(self.encoder.names(view))
        need = rows * width * (8 if view != "dict" else 200)
        budget = memory_budget()
        if need > budget:
            raise LearnerError(
                f"{rows:,} rows of {width:,} encoded columns take about {_size(need)}, more "
                f"than the memory budget of {_size(budget)}. Train in chunks (out of core: "
                "training.mode), on a sample (training.sample_rows), or raise the budget in "
                "Preferences."
            )

    def loss(self, learner: Learner, start: int, stop: int) -> float:
        """Error rate, or mean absolute error, of a model on the labelled rows of [start, stop)."""
        wrong, count = 0.0, 0
        for a in range(start, stop, _LOSS_ROWS):
            b = min(a + _LOSS_ROWS, stop)
            y = self.stream.labels(a, b)
            value = learner.predict(self.stream.rows(learner.view, a, b)).value
            known = labelled(self.task, y)
            if self.task.kind == "classification":
                known &= value >= 0
                wrong += float((value[known] != y[known]).sum())
            else:
                known &= ~np.isnan(value)
                wrong += float(np.abs(value[known] - y[known]).sum())
            count += int(known.sum())
        return wrong / count if count else float("nan")

    def first_fit(
        self, spec: LearnerSpec, learner: Learner, progress: Progress = no_progress
    ) -> None:
        """Train a lane's first model on the training window; equal learners are fitted once."""
        if self.train_rows == 0:
            return
        stop = self.train_rows
        if not self.experiment.split.refit:
            stop -= self.dataset.test_rows
        key = msgspec.msgpack.encode(spec)
        if key in self.first_fits:
            learner.load_state(self.first_fits[key])
            return
        self.fit(learner, 0, stop, progress)
        self.first_fits[key] = learner.state()


class LaneSurroundings:
    """The view that one lane's policy has of the context (see `policies.base.Surroundings`)."""

    def __init__(self, context: Context, spec: LearnerSpec) -> None:
        self.context = context
        self.spec = spec
        self.task = context.task
        self.train_rows = context.train_rows
        self.n_rows = context.n_rows

    def rows(self, view: View, start: int, stop: int) -> Rows:
        """Encoded rows [start, stop)."""
        return self.context.stream.rows(view, start, stop)

    def labels(self, start: int, stop: int) -> NDArray[Any]:
        """Labels of rows [start, stop)."""
        return self.context.stream.labels(start, stop)

    def label_upto(self, start: int, stop: int) -> Ints:
        """Exclusive ends of the labels known once each row was predicted."""
        return self.context.stream.label_upto(start, stop)

    def position_at(self, start: int, rows: int, span_ns: int) -> int:
        """First position so many rows, or so much event time, after `start`."""
        return self.context.position_at(start, rows, span_ns)

    def build(self) -> Learner:
        """Build a new learner of this lane."""
        return self.context.build(self.spec)

    def fit(self, learner: Learner, start: int, stop: int) -> int:
        """Fit offline."""
        return self.context.fit(learner, start, stop)

    def loss(self, learner: Learner, start: int, stop: int) -> float:
        """Error of a model on past rows."""
        return self.context.loss(learner, start, stop)


def build_context(
    experiment: Experiment,
    store: Store,
    *,
    encoder_state: dict[str, Any] | None = None,
    progress: Progress = no_progress,
) -> Context:
    """Build the context of an experiment over its store.

    `encoder_state` (made by another process of the same replay) saves fitting the encoder again.
    """
    dataset = Dataset.build(store, experiment.data, experiment.split)
    train = dataset.train_rows
    stop = dataset.n_rows
    if experiment.replay.limit:
        stop = min(stop, train + experiment.replay.limit)
    if stop <= train:
        raise ExperimentError(
            "There are no rows after the training window to replay: make the window shorter."
        )
    if encoder_state is None:
        progress(0, 0, "Learning how to encode the columns")
        encoder = Encoder.fit(dataset, 0, train, experiment.replay.seed)
    else:
        encoder = Encoder.from_state(encoder_state)
    stream = EncodedStream(dataset, encoder, experiment.evaluation.label_delay)
    span = 0
    times = stream.times(train, train + 1)
    last = stream.times(stop - 1, stop)
    if times is not None and last is not None:
        span = max(int(last[0]) - int(times[0]), 0)
    experiment = with_default_lanes(
        experiment, dataset.task.kind, stream_rows=stop - train, span_ns=span
    )
    return Context(experiment, dataset, encoder, stream, train, stop)


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _need_rows(count: int) -> None:
    if count == 0:
        raise LearnerError("There are no rows with a label to train on.")
