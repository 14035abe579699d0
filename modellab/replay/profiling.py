"""What the Data page shows: columns, what is worth knowing, and the split in rows and times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from modellab.data.dataset import Dataset
from modellab.errors import LabError
from modellab.learners.base import no_progress
from modellab.replay.predictions import label_text
from modellab.replay.protocol import ProfileSummary
from modellab.replay.telemetry import sampled_times

if TYPE_CHECKING:
    from modellab.data.store import Store
    from modellab.experiment import Experiment
    from modellab.learners.base import Progress


def profiled(
    store: Store, experiment: Experiment, progress: Progress = no_progress
) -> ProfileSummary:
    """Profile an open data set for an experiment.

    An experiment that does not fit the data is no error here: its sentence is in ``error``, and
    the columns are told all the same.
    """
    from modellab.data.notes import worth_knowing
    from modellab.data.profile import profile

    dataset, error = None, None
    try:
        dataset = Dataset.build(store, experiment.data, experiment.split)
    except LabError as found:
        error = found.sentence
    train = 0 if dataset is None else dataset.train_rows
    data = experiment.data
    columns = profile(
        store,
        kinds=data.kinds,
        train_rows=train,
        target=data.target if data.target in store else None,
        progress=progress,
    )
    notes = worth_knowing(store, columns, data, train)
    return ProfileSummary(
        columns=[msgspec.to_builtins(column) for column in columns],
        notes=[msgspec.to_builtins(note) for note in notes],
        task="" if dataset is None else dataset.task.kind,
        classes=[] if dataset is None else [label_text(c) for c in dataset.task.classes],
        train_rows=train,
        test_rows=0 if dataset is None else dataset.test_rows,
        n_rows=store.n_rows,
        times_ns=[] if dataset is None else sampled_times(store.n_rows, dataset.times),
        error=error,
    )
