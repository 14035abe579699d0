"""Train one model on the training window less its test part, and test it there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.stream import EncodedStream
from modellab.errors import ExperimentError
from modellab.evaluation.testing import test_report
from modellab.experiment import Experiment, LaneSpec, LearnerSpec, StaticPolicy, replace
from modellab.learners.base import Progress, no_progress
from modellab.learners.catalogue import entry
from modellab.replay.context import Context
from modellab.replay.lane_checks import check_lane
from modellab.replay.protocol import TrainingResult

if TYPE_CHECKING:
    from modellab.data.store import Store


def train_and_test(
    experiment: Experiment,
    store: Store,
    learner_spec: LearnerSpec,
    progress: Progress = no_progress,
) -> TrainingResult:
    """Fit `learner_spec` on the first part of the training window and test it on the rest.

    The encoder, too, sees only the first part.

    Raises
    ------
    DataError, ExperimentError, LearnerError
        With a sentence, when the data, the settings or the learner do not allow it.
    """
    dataset = Dataset.build(store, experiment.data, experiment.split)
    if dataset.train_rows == 0:
        raise ExperimentError(
            "The training window is empty (a cold start), so there is nothing to train on: "
            "move the split, or go on to Deploy, where online lanes start from nothing."
        )
    fit_stop = dataset.train_rows - dataset.test_rows
    if fit_stop <= 0 or dataset.test_rows <= 0:
        raise ExperimentError(
            "The training window is too short to hold a test part back: make it longer."
        )
    progress(0, 0, "Learning how to encode the columns")
    encoder = Encoder.fit(dataset, 0, fit_stop, experiment.replay.seed)
    stream = EncodedStream(dataset, encoder)
    context = Context(experiment, dataset, encoder, stream, dataset.train_rows, dataset.n_rows)
    check_lane(LaneSpec("", StaticPolicy(), learner_spec), context)
    learner = context.build(learner_spec)
    begin = time.perf_counter()
    rows = context.fit(learner, 0, fit_stop, progress)
    fit_seconds = time.perf_counter() - begin
    progress(0, 0, "Testing")
    report = test_report(
        learner,
        stream,
        fit_stop,
        dataset.train_rows,
        context.inputs(learner.view),
        progress=progress,
    )
    return TrainingResult(
        learner=replace(learner_spec),
        title=entry(learner_spec).title,
        report=msgspec.to_builtins(report),
        fit_seconds=fit_seconds,
        rows=rows,
        features=len(dataset.features),
        warnings=[*getattr(learner, "warnings", [])],
    )
