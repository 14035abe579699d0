"""What one lane's policy may ask of the replay that it runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.references import References
from modellab.learners.base import (
    Ints,
    Learner,
    Prediction,
    Progress,
    Rows,
    View,
    no_progress,
)
from modellab.policies.base import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from modellab.experiment import LearnerSpec
    from modellab.replay.context import Context

    Common = Callable[[int, int], NDArray[Any]]
    Order = Callable[[int, int], Sequence[int]]

_PIECE = 65_536


class LaneSurroundings:
    """The view that one lane's policy has of the context (see `policies.base.Surroundings`).

    Labels are those that arrive (noisy, late or lost where a fault says so), never the truth that
    a lane is scored against.

    Parameters
    ----------
    context
        The stream and what belongs to it.
    spec
        The lane's learner.
    common
        ``common(start, stop)``: what the majority class or the running mean answers, row by row,
        where the lane keeps it anyway; else it is counted anew for every question.
    """

    def __init__(self, context: Context, spec: LearnerSpec, common: Common | None = None) -> None:
        self.context = context
        self.spec = spec
        self.task = context.task
        self.train_rows = context.train_rows
        self.n_rows = context.n_rows
        self.stop = context.stop
        self.test_rows = context.dataset.test_rows
        self.fit_rows = context.fit_rows
        self.seed = context.seed
        self.prices = context.experiment.prices  # as deployed (see `Context.prices`)
        self.window = context.experiment.evaluation.window
        self._common = common or self._counted

    def rows(self, view: View, start: int, stop: int) -> Rows:
        """Encoded rows [start, stop), as they arrive."""
        return self.context.stream.rows(view, start, stop)

    def labels(self, start: int, stop: int) -> NDArray[Any]:
        """Labels of rows [start, stop), as they arrive."""
        return self.context.stream.seen(start, stop)

    def label_upto(self, start: int, stop: int) -> Ints:
        """Exclusive ends of the labels known once each row was predicted."""
        return self.context.stream.label_upto(start, stop)

    def next_link(self, position: int) -> int:
        """First row, from `position` on, at which updates reach the model: after an outage."""
        return self.context.stream.next_link(position)

    def position_at(self, start: int, rows: int, span_ns: int) -> int:
        """First position so many rows, or so much event time, after `start`."""
        return self.context.position_at(start, rows, span_ns)

    def build(self, spec: LearnerSpec | None = None) -> Learner:
        """Build a new learner of this lane, or of another `spec`."""
        return self.context.build(spec or self.spec)

    def first_fit(
        self, learner: Learner, spec: LearnerSpec | None = None, progress: Progress = no_progress
    ) -> None:
        """Train on the training window, offline; nothing happens where there is none."""
        self.context.first_fit(spec or self.spec, learner, progress)

    def fit(self, learner: Learner, start: int, stop: int) -> int:
        """Fit offline on the labelled rows of [start, stop); return how many."""
        return self.context.fit(learner, start, stop)

    def fit_chunks(
        self,
        learner: Learner,
        start: int,
        stop: int,
        chunk_rows: int,
        passes: int,
        order: Order | None = None,
    ) -> int:
        """Fit out of core; `order` as in `Context.fit_chunks`."""
        return self.context.fit_chunks(learner, start, stop, chunk_rows, passes, order)

    def loss(self, learner: Learner, start: int, stop: int) -> float:
        """Mean loss of a model on past rows, against their labels as they arrived."""
        return self.context.loss(learner, start, stop)

    def losses(
        self, start: int, stop: int, prediction: Prediction, labels: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Loss of each row of [start, stop), float64 (n,); NaN without a label or an answer."""
        del start, stop
        return self.context.losses(prediction, labels)

    def first_test_error(self) -> float:
        """Mean loss on the test part of a model of the rest of the training window."""
        return self.context.first_test_error(self.spec)

    def baseline(self, start: int, stop: int) -> Prediction:
        """What answers while nothing serves: majority class or running mean of labels known."""
        return Prediction(self._common(start, stop))

    def numbers(self, start: int, stop: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """Names of the number features, and their values (n, d) as they arrive; NaN is missing."""
        stream = self.context.stream
        return stream.number_columns, stream.numbers(start, stop)

    def without(self, positions: Ints) -> AbstractContextManager[None]:
        """Leave these rows (in order) out of all fits that are done meanwhile."""
        return self.context.stream.without(positions)

    def feature_alarms(self, position: int) -> int:
        """Feature columns in alarm at the last check at or before `position`."""
        drift = self.context.feature_drift
        return 0 if drift is None else int(drift.alarms(position))

    def next_feature_check(self, position: int) -> int:
        """First position after `position` at which the features are checked."""
        drift = self.context.feature_drift
        return NEVER if drift is None else int(drift.next_check(position))

    def _counted(self, start: int, stop: int) -> NDArray[Any]:
        found = References(self.task)
        known = self.train_rows
        if start > 0:
            known = max(known, int(self.label_upto(start - 1, start)[-1]))
        for at in range(0, known, _PIECE):
            found.learn(self.labels(at, min(at + _PIECE, known)))
        return common_answers(self.context, found, start, stop)


def common_answers(context: Context, known: References, start: int, stop: int) -> NDArray[Any]:
    """Majority class or running mean for rows [start, stop), given what is known before `start`.

    `known` is used up.
    """
    stream = context.stream
    upto = np.maximum(stream.label_upto(start, stop), known.known)
    return known.predict(upto, stream.seen(known.known, int(upto[-1]))).common


__all__ = ["LaneSurroundings", "common_answers"]
