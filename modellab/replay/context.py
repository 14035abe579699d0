"""What the lanes of one process share: the stream, its encoder, the task, and offline fitting."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.arrivals import TimeArrivals
from modellab.data.codes import category_codes
from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.stream import BLOCK, EncodedStream
from modellab.errors import ExperimentError, LearnerError
from modellab.experiment import PriceSpec, replace
from modellab.lanes import with_default_lanes
from modellab.learners.base import (
    Inputs,
    Ints,
    Learner,
    Prediction,
    Progress,
    Rows,
    Task,
    View,
    no_progress,
)
from modellab.learners.catalogue import build, entry
from modellab.policies.base import NEVER, labelled
from modellab.replay.strides import Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from modellab.data.store import Store
    from modellab.evaluation.feature_drift import FeatureDrift
    from modellab.experiment import Experiment, Fault, LearnerSpec

WHOLE_BYTES = 2**26
"""Rows that take more are learned in pieces where that changes no bit."""
PIECE_ROWS = 2**16
_LOSS_ROWS = 4096
_SPARSE_CELLS = 400  # of 12 bytes, taken for a row of hashed words


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
    prices
        What lanes' costs are counted at. They may be changed at any time; what a policy decides by
        are the prices of the experiment as it was deployed, else going back would change the past.
    """

    experiment: Experiment
    dataset: Dataset
    encoder: Encoder
    stream: EncodedStream
    train_rows: int
    stop: int
    first_fits: dict[bytes, bytes] = field(default_factory=dict)
    prices: PriceSpec = field(default_factory=PriceSpec)
    _clocks: dict[int, TimeArrivals] = field(default_factory=dict)
    _test_errors: dict[bytes, float] = field(default_factory=dict)
    _drift: FeatureDrift | None = None
    _drift_known: bool = False

    def __post_init__(self) -> None:
        self.prices = self.experiment.prices
        self._clocks_lock = threading.Lock()
        self.shared = Shared(self)
        """What all lanes find out alike about the same rows."""

    @property
    def task(self) -> Task:
        """The task."""
        return self.dataset.task

    @property
    def n_rows(self) -> int:
        """Rows of the data set."""
        return self.dataset.n_rows

    @property
    def fit_rows(self) -> int:
        """Rows [0, this) are what a first model is fitted on."""
        if self.experiment.split.refit:
            return self.train_rows
        return self.train_rows - self.dataset.test_rows

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.experiment.replay.seed

    def inputs(self, view: View) -> Inputs:
        """Return the columns that a learner sees in `view`."""
        names, words = self.encoder.names(view), self.encoder.sparse_from(view)
        codes = category_codes(self.encoder) if view == "ordinal" else ()
        return Inputs(tuple(names), self.task, self.seed, words, codes)

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
            with self._clocks_lock:
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
                lambda: self._pieces(learner, start, stop, how.chunk_rows),
                how.passes,
                progress,
            )
            return count
        keep = self._sample(start, stop, how.sample_rows)
        passes: int = getattr(learner, "fit_passes", 0)
        if passes and keep is None and self._need(learner.view, stop - start) > WHOLE_BYTES:
            return self._fit_in_pieces(learner, start, stop, passes, progress)
        self._check_memory(learner.view, stop - start if keep is None else len(keep))
        rows, y = self.stream.matrix(learner.view, start, stop, keep)
        _need_rows(len(y))
        learner.fit(rows, y, progress)
        return len(y)

    def _fit_in_pieces(
        self, learner: Learner, start: int, stop: int, passes: int, progress: Progress
    ) -> int:
        """Give a learner that goes over the rows in order the same bits, not all at once."""
        counts: list[int] = []

        def pieces() -> Iterator[tuple[Rows, NDArray[Any]]]:
            counts.append(0)
            for rows, y in self._pieces(learner, start, stop, PIECE_ROWS):
                counts[-1] += len(y)
                yield rows, y

        learner.fit_chunks(pieces, passes, progress)
        return counts[-1]

    def _pieces(
        self, learner: Learner, start: int, stop: int, rows: int
    ) -> Iterator[tuple[Rows, NDArray[Any]]]:
        """Chunks of rows and labels; for learners that never look at the rows, only labels."""
        if not getattr(learner, "labels_only", False):
            yield from self.stream.chunks(learner.view, start, stop, rows)
            return
        nothing = np.empty((0, 0))
        for a in range(start, stop, rows):
            y = self.stream.answers(a, min(a + rows, stop))
            if len(y):
                yield nothing, y

    def _labelled_count(self, start: int, stop: int) -> int:
        step = 65_536
        return sum(
            int(labelled(self.task, self.stream.seen(a, min(a + step, stop))).sum())
            for a in range(start, stop, step)
        )

    def _sample(self, start: int, stop: int, rows: int) -> Ints | None:
        """Evenly spaced positions, or None for all rows."""
        if not rows or rows >= stop - start:
            return None
        return start + np.arange(rows, dtype=np.int64) * (stop - start) // rows

    def _need(self, view: View, rows: int) -> int:
        """Bytes that encoded rows take in memory."""
        width = len(self.encoder.names(view))
        if self.encoder.sparse(view):
            width = min(width, _SPARSE_CELLS)
        return rows * width * (8 if view != "dict" else 200)

    def _check_memory(self, view: View, rows: int) -> None:
        width = len(self.encoder.names(view))
        need = self._need(view, rows)
        budget = memory_budget()
        if need > budget:
            raise LearnerError(
                f"{rows:,} rows of {width:,} encoded columns take about {_size(need)}, more "
                f"than the memory budget of {_size(budget)}. Train in chunks (out of core: "
                "training.mode), on a sample (training.sample_rows), or raise the budget in "
                "Preferences."
            )

    def fit_chunks(
        self,
        learner: Learner,
        start: int,
        stop: int,
        chunk_rows: int,
        passes: int,
        order: Callable[[int, int], Sequence[int]] | None = None,
        progress: Progress = no_progress,
    ) -> int:
        """Fit out of core on the labelled rows of [start, stop); return how many there are.

        Parameters
        ----------
        chunk_rows
            Rows of a chunk; chunks end at multiples of it, rounded up to whole blocks.
        passes
            How often all chunks are read.
        order
            ``order(pass, n_chunks)`` gives the numbers of the chunks in the order in which pass
            0, 1, ... reads them; None: as they come.

        Raises
        ------
        LearnerError
            If the learner cannot be trained so, or there are no rows with a label.
        """
        count = self._labelled_count(start, stop)
        _need_rows(count)
        step = max(1, -(-chunk_rows // BLOCK)) * BLOCK
        inner = list(range((start // step + 1) * step, stop, step))
        bounds = list(zip([start, *inner], [*inner, stop], strict=True))
        # A learner may go over the labels before its first pass, where no order matters.
        calls = -1 if getattr(learner, "reads_labels_first", False) else 0

        def chunks() -> Iterator[tuple[Rows, NDArray[Any]]]:
            nonlocal calls
            turn, calls = max(calls, 0), calls + 1
            for i in range(len(bounds)) if order is None else order(turn, len(bounds)):
                rows, y = self.stream.matrix(learner.view, *bounds[i])
                if len(y):
                    yield rows, y

        learner.fit_chunks(chunks, passes, progress)
        return count

    def losses(self, prediction: Prediction, labels: NDArray[Any]) -> NDArray[np.float64]:
        """Loss of each row: 0/1 error or absolute error; NaN without a label or an answer.

        Parameters
        ----------
        prediction
            Of n rows.
        labels
            int64 codes (n,), -1 missing; or float64 (n,), NaN missing.
        """
        value = prediction.value
        if self.task.kind == "classification":
            wrong = (value != labels).astype(np.float64)
            wrong[(labels < 0) | (value < 0)] = np.nan
            return np.asarray(wrong, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            absolute: NDArray[np.float64] = np.abs(value - labels).astype(np.float64)
            return absolute

    def loss(self, learner: Learner, start: int, stop: int) -> float:
        """Mean loss of a model on the rows of [start, stop) that have a label.

        Against the labels as they arrived: those that the model could have learned from.
        """
        total, count = 0.0, 0
        for a in range(start, stop, _LOSS_ROWS):
            b = min(a + _LOSS_ROWS, stop)
            found = learner.predict(self.stream.rows(learner.view, a, b))
            losses = self.losses(found, self.stream.seen(a, b))
            known = losses[~np.isnan(losses)]
            total += float(known.sum())
            count += len(known)
        return total / count if count else float("nan")

    def first_test_error(self, spec: LearnerSpec) -> float:
        """Mean loss on the test part of a model that was fitted on the rest of the window.

        NaN where the training window is too short for that. Fitted when first asked for.
        """
        key = msgspec.msgpack.encode(spec)
        if key not in self._test_errors:
            cut = self.train_rows - self.dataset.test_rows
            found = float("nan")
            if 0 < cut < self.train_rows:
                learner = self.build(spec)
                self.fit(learner, 0, cut)
                found = self.loss(learner, cut, self.train_rows)
            self._test_errors[key] = found
        return self._test_errors[key]

    # -- faults and drift

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Let these faults happen from now on, in place of those before.

        What was computed ahead from rows that now arrive otherwise is the caller's matter.
        """
        self.experiment = replace(self.experiment, fault=list(faults))
        self.stream.set_faults(faults)
        self.shared.forget()
        if self._drift is not None:
            self._drift.forget()

    @property
    def feature_drift(self) -> FeatureDrift | None:
        """What compares the features with the training window; None where there is none.

        It is calibrated when first asked for.
        """
        return self.calibrated()

    def calibrated(self, progress: Progress = no_progress) -> FeatureDrift | None:
        """Give `feature_drift`, telling that it is calibrated if it has to be."""
        if not self._drift_known:
            wanted = self.experiment.drift.features and self.train_rows > 0
            if wanted:
                progress(0, 0, "Calibrating what watches the features")
            self._drift = self._watch_features() if wanted else None
            self._drift_known = True
        return self._drift

    def _watch_features(self) -> FeatureDrift | None:
        from modellab.evaluation.feature_drift import FeatureDrift

        kinds = {name: self.dataset.kinds[name] for name in self.dataset.features}
        return FeatureDrift.fit(
            self.stream.read, kinds, self.train_rows, self.experiment.drift, self.seed
        )

    def first_fit(
        self, spec: LearnerSpec, learner: Learner, progress: Progress = no_progress
    ) -> None:
        """Train a lane's first model on the training window; equal learners are fitted once."""
        if self.train_rows == 0:
            return
        key = msgspec.msgpack.encode(spec)
        if key in self.first_fits:
            learner.load_state(self.first_fits[key])
            return
        self.fit(learner, 0, self.fit_rows, progress)
        self.first_fits[key] = learner.state()


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
    stream = open_stream(experiment, dataset, encoder)
    span = 0
    times = stream.times(train, train + 1)
    last = stream.times(stop - 1, stop)
    if times is not None and last is not None:
        span = max(int(last[0]) - int(times[0]), 0)
    experiment = with_default_lanes(
        experiment, dataset.task.kind, stream_rows=stop - train, span_ns=span
    )
    return Context(experiment, dataset, encoder, stream, train, stop)


def open_stream(experiment: Experiment, dataset: Dataset, encoder: Encoder) -> EncodedStream:
    """Open the stream of an experiment, with the faults that happen on it."""
    return EncodedStream(
        dataset,
        encoder,
        experiment.evaluation.label_delay,
        faults=experiment.fault,
        seed=experiment.replay.seed,
    )


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _need_rows(count: int) -> None:
    if count == 0:
        raise LearnerError("There are no rows with a label to train on.")
