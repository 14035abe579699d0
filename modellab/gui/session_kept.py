"""Trainings in a ``.mlab`` file: ``trainings.json``, plain values that are checked when read.

What is read here comes from a file that anyone may have written: only the known shape is taken,
and whatever is wrong with it leaves the trainings out, never the experiment.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from modellab.errors import LabError, quote
from modellab.evaluation.testing_values import TestReport
from modellab.experiment import (
    DataSpec,
    Experiment,
    LearnerSpec,
    SplitSpec,
    TrainSpec,
    check,
    replace,
)
from modellab.gui.session_training import Training
from modellab.replay.protocol import TrainingResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERSION = 1
MAX_BYTES = 32 * 2**20
"""More than this is neither written nor read; a report has some tens of kilobytes."""
_MOST = 1000
_EXACT = 2**53
"""Whole numbers beyond are no counts or rows."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=_EXACT)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=250_000_000_000)]
_Text = Annotated[str, msgspec.Meta(max_length=2000)]


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    """One training. `data` without its path: the data are those of the experiment beside it."""

    id: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    index: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    when: _Seconds
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    learner: LearnerSpec
    data: DataSpec
    split: SplitSpec
    training: TrainSpec
    seed: int
    fit_seconds: _Seconds
    rows: _Count
    features: _Count
    warnings: Annotated[list[_Text], msgspec.Meta(max_length=1000)]
    report: TestReport


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    trainings: Annotated[list[_Kept], msgspec.Meta(max_length=_MOST)]


def encode_trainings(trainings: Sequence[Training]) -> tuple[bytes | None, int]:
    """Return ``trainings.json`` and how many trainings are in it: the newest that fit.

    None and 0 when there are none.
    """
    pieces: list[bytes] = []
    size = 0
    for training in reversed(trainings[-_MOST:]):
        piece = msgspec.json.encode(_kept(training))
        size += len(piece) + 1
        if size > MAX_BYTES - 100:
            break
        pieces.append(piece)
    if not pieces:
        return None, 0
    listed = [msgspec.Raw(piece) for piece in reversed(pieces)]
    return msgspec.json.encode({"version": VERSION, "trainings": listed}), len(pieces)


def decode_trainings(content: bytes, experiment: Experiment) -> list[Training]:
    """Return the trainings of ``trainings.json``; their data are where those of `experiment` are.

    Raises
    ------
    ValueError, LabError
        They are of another version, or not what this program writes.
    """
    file = msgspec.json.decode(content, type=_File)
    if file.version != VERSION:
        raise ValueError(f"version {file.version} is not known")
    if len({kept.id for kept in file.trainings}) < len(file.trainings):
        raise ValueError("two trainings have the same number")
    return [_training(kept, experiment) for kept in file.trainings]


def read_trainings(path: Path, experiment: Experiment) -> tuple[list[Training], LabError | None]:
    """Return the trainings of a ``.mlab`` file, or none and what to tell the person."""
    from modellab.export import mlab

    try:
        content = mlab.read_trainings(path, MAX_BYTES)
        return ([] if content is None else decode_trainings(content, experiment)), None
    except (LabError, ValueError, RecursionError) as error:
        told = LabError(
            f"The trainings in {quote(path.name)} cannot be read, so they were left out; "
            "train the models again to have them back.",
            detail=getattr(error, "detail", "") or str(error),
        )
        return [], told


def moved(trainings: Sequence[Training], path: str | list[str]) -> list[Training]:
    """Return the same trainings, of data that are now at `path`."""
    return [Training(t.id, t.index, t.result, _at(t.experiment, path), t.when) for t in trainings]


def _at(experiment: Experiment, path: str | list[str]) -> Experiment:
    changed: Experiment = replace(experiment, data=replace(experiment.data, path=path))
    return changed


def _kept(training: Training) -> _Kept:
    result, made_with = training.result, training.experiment
    return _Kept(
        id=training.id,
        index=training.index,
        when=training.when,
        title=result.title,
        learner=result.learner,
        data=replace(made_with.data, path=""),
        split=made_with.split,
        training=made_with.training,
        seed=made_with.replay.seed,
        fit_seconds=result.fit_seconds,
        rows=result.rows,
        features=result.features,
        warnings=result.warnings,
        report=training.report,
    )


def _training(kept: _Kept, experiment: Experiment) -> Training:
    from modellab.learners.catalogue import CATALOGUE

    if kept.learner.kind not in CATALOGUE:
        raise ValueError(f"there is no learner called {quote(kept.learner.kind)}")
    made_with = replace(
        experiment,
        data=replace(kept.data, path=experiment.data.path),
        split=kept.split,
        training=kept.training,
        replay=replace(experiment.replay, seed=kept.seed),
    )
    report = msgspec.to_builtins(kept.report)
    _check_numbers(report)
    _check_shapes(kept.report)
    result = TrainingResult(
        learner=kept.learner,
        title=kept.title,
        report=report,
        fit_seconds=kept.fit_seconds,
        rows=kept.rows,
        features=kept.features,
        warnings=kept.warnings,
    )
    return Training(kept.id, kept.index, result, check(made_with), kept.when)


def _check_numbers(value: Any) -> None:
    """Refuse numbers that no plot can draw."""
    if isinstance(value, dict):
        for part in value.values():
            _check_numbers(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _check_numbers(part)
    elif isinstance(value, int):
        _sound(abs(value) <= _EXACT, "a number is too large")
    elif isinstance(value, float):
        _sound(math.isfinite(value), "a number is not finite")


def _check_shapes(report: TestReport) -> None:
    """Refuse what types alone allow: lists that belong together and have different lengths."""
    _sound(0 <= report.start <= report.stop, "the test part ends before it begins")
    _sound(bool(report.scores), "there are no scores")
    table = report.confusion
    if table is not None:
        size = len(table.labels)
        sizes = [len(table.counts), *(len(row) for row in table.counts)]
        _sound(all(n == size for n in sizes), "the confusion matrix is not square")
    for curve in (*report.roc, *report.precision_recall):
        _sound(len(curve.x) == len(curve.y), "a curve has more x than y, or fewer")
    rest = report.residuals
    if rest is not None:
        edges, counts = rest.histogram.edges, rest.histogram.counts
        _sound(len(edges) == len(counts) + 1, "the histogram's edges do not fit its counts")
        sizes = [len(rest.positions), len(rest.true), len(rest.predicted)]
        _sound(len(set(sizes)) == 1, "the residuals have different lengths")
    _sound(all(row.position >= 0 for row in report.worst), "a row lies before the data")


def _sound(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
