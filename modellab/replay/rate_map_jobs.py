"""The engine's job behind the map of learning rates: one pass over the training window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.stream import EncodedStream
from modellab.errors import ExperimentError, LearnerError
from modellab.learners.catalogue import entry
from modellab.replay.context import Context
from modellab.replay.data_protocol import RatesMapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.data.store import Store
    from modellab.learners.base import View
    from modellab.replay.data_protocol import MapRates

STEP_ROWS = 4096
"""Rows between two looks at whether it was cancelled: 64 rates take them in about 20 ms."""


def map_rates(command: MapRates, store: Store, progress: Callable[..., Any]) -> RatesMapped:
    """Answer, score and learn each labelled row of the training window at 64 learning rates.

    Every rate is to the bit what an online lane with that rate alone would be which began at the
    first row without a training (`modellab.learners.rate_map`).

    Raises
    ------
    ExperimentError
        Without a training window.
    LearnerError
        Where the learner has no learning rate to map.
    Cancelled
        By `progress`.
    """
    from modellab.learners.rate_map import RateMap

    experiment, learner = command.experiment, command.learner
    if learner.kind != "linear":
        raise LearnerError("Only the compiled linear learner has a map of learning rates.")
    dataset = Dataset.build(store, experiment.data, experiment.split)
    train = dataset.train_rows
    if train == 0:
        raise ExperimentError(
            "The training window is empty, so there is nothing to try learning rates on: move "
            "the split."
        )
    progress(0, 0, "Learning how to encode the columns")
    encoder = Encoder.fit(dataset, 0, train, experiment.replay.seed)
    stream = EncodedStream(dataset, encoder)
    context = Context(experiment, dataset, encoder, stream, train, dataset.n_rows)
    view = entry(learner).view
    inputs = context.inputs(view)
    centre, unit = 0.0, 1.0
    if dataset.task.kind == "regression" and _standardised(learner.params):
        centre, unit = _target(stream, view, train, progress)
    rates = RateMap(inputs, learner.params, centre=centre, unit=unit)
    for start in range(0, train, STEP_ROWS):
        stop = min(start + STEP_ROWS, train)
        rows, y = stream.matrix(view, start, stop)
        if len(y):
            rates.run(rows, y)
        progress(stop, train, "64 learning rates")
    found = rates.error_by_rate()
    if not found:
        raise ExperimentError("No row of the training window has a label to learn from.")
    return RatesMapped(
        rates=list(found), errors=list(found.values()), best=rates.best, rows=rates.rows
    )


def _standardised(params: dict[str, Any]) -> bool:
    from modellab.learners.linear import PARAMETERS

    usual = next((p.default for p in PARAMETERS if p.name == "target"), None)
    return bool(params.get("target", usual) == "standardise")


def _target(
    stream: EncodedStream, view: View, train: int, progress: Callable[..., Any]
) -> tuple[float, float]:
    """Mean and deviation of the target over the window, as a training finds them."""
    from modellab.learners.linear import mean_and_deviation

    def labels() -> Any:
        for start in range(0, train, 8 * STEP_ROWS):
            progress(0, 0, "Reading the target")
            yield stream.matrix(view, start, min(start + 8 * STEP_ROWS, train))[1]

    return mean_and_deviation(labels())
