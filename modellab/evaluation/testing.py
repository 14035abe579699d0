"""Test one trained model on rows it has not seen: everything that the Test page shows."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation import testing_curves as curves
from modellab.evaluation import testing_importance as importance
from modellab.evaluation import testing_slices as slicing
from modellab.evaluation.losses import CLIP
from modellab.evaluation.testing_rows import RowSource, StreamRows, gather, joined, pieces_of
from modellab.evaluation.testing_scores import Seen, Tested
from modellab.evaluation.testing_values import (
    Cell,
    ColumnSlices,
    Importance,
    TestReport,
    Weight,
    WorstRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.learners.base import Inputs, Learner, Progress

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WORST_ROWS = 50
WEIGHTS_SHOWN = 200
COLUMNS_SLICED = 300
LABEL_ROWS = 65_536


def _tell_nobody(done: float, total: float, text: str = "") -> None:
    pass


def test_report(  # not a test; pytest is told below
    learner: Learner,
    stream: Any,
    start: int,
    stop: int,
    inputs: Inputs,
    *,
    fit_seconds: float | None = None,  # noqa: PT028
    repeats: int = importance.REPEATS,  # noqa: PT028
    progress: Progress = _tell_nobody,  # noqa: PT028
) -> TestReport:
    """Test a trained learner on rows ``[start, stop)`` of an encoded stream.

    The baselines predict the same rows, each from the labels of all rows before it. Rows without a
    label, or without an answer, are counted and not scored.

    Parameters
    ----------
    learner
        Trained on rows before `start`.
    stream
        `modellab.data.stream.EncodedStream`.
    start, stop
        The test part.
    inputs
        What the learner was built with: encoded columns, task, seed.
    fit_seconds
        How long the training took, to be told in the report.
    repeats
        Shuffles of each column for the permutation importance.
    progress
        Told how far it is; may raise `Cancelled`.
    """
    return report_on(
        learner,
        StreamRows(stream, learner.view),
        start,
        stop,
        inputs,
        fit_seconds=fit_seconds,
        repeats=repeats,
        progress=progress,
    )


# Its name begins with "test": keep pytest from collecting it where it is imported.
test_report.__test__ = False  # type: ignore[attr-defined]


def report_on(
    learner: Learner,
    source: RowSource,
    start: int,
    stop: int,
    inputs: Inputs,
    *,
    fit_seconds: float | None = None,
    repeats: int = importance.REPEATS,
    progress: Progress = _tell_nobody,
) -> TestReport:
    """Test a trained learner on any source of rows (see `test_report`)."""
    task = inputs.task
    pieces = pieces_of(start, stop)
    tested = Tested(inputs)
    _predict_all(learner, source, pieces, tested, progress)
    seen = tested.rows()
    metrics = tested.metrics(seen)
    classification = task.kind == "classification"
    chosen = _importance_rows(seen, source, learner, repeats)
    ranking = _importances(learner, source, chosen, inputs, repeats, progress)
    progress(0, 0, "Looking for where the errors are")
    report = TestReport(
        task=task.kind,
        classes=[str(c) for c in task.classes],
        start=start,
        stop=stop,
        rows=tested.model.rows,
        scored=tested.model.scored,
        unlabelled=tested.model.unlabelled,
        unanswered=tested.model.unanswered,
        metric="error" if classification else "mae",
        value=metrics[0].metrics["error" if classification else "mae"],
        scores=metrics,
        **(_classification(seen, tested, inputs) if classification else _regression(seen, inputs)),
        importance=ranking,
        importance_rows=len(chosen),
        importance_repeats=repeats if ranking else 0,
        coefficients=_weights(_coefficients(learner, inputs)),
        model_importance=_weights(getattr(learner, "feature_importance", None) or {}),
        slices=_slices(source, pieces, seen, classification, progress),
        worst=_worst(seen, inputs),
        fit_seconds=fit_seconds,
        predict_seconds=tested.seconds,
        model_bytes=learner.size_bytes(),
        warnings=[str(w) for w in getattr(learner, "warnings", [])],
    )
    progress(1, 1, "Tested")
    return report


def _predict_all(
    learner: Learner,
    source: RowSource,
    pieces: list[tuple[int, int]],
    tested: Tested,
    progress: Progress,
) -> None:
    counts = np.zeros(tested.task.n_classes, dtype=np.int64)
    for a, b in pieces:
        y = source.labels(a, b)
        if tested.classification:
            counts += np.bincount(y[y >= 0], minlength=len(counts))
    tested.classes = curves.shown_classes(counts) if tested.classification else []
    references = tested.references
    total = sum(b - a for a, b in pieces)
    done = 0
    for a, b in pieces:
        progress(done, total, "Predicting the test rows")
        # Also the labels of rows between the pieces: the baselines know every label so far.
        for at in range(references.known, a, LABEL_ROWS):
            references.learn(source.labels(at, min(at + LABEL_ROWS, a)))
        y = source.labels(a, b)
        found = references.predict(np.arange(a + 1, b + 1, dtype=np.int64), y)
        rows = source.rows(a, b)
        begin = time.perf_counter()
        prediction = learner.predict(rows)
        tested.seconds += time.perf_counter() - begin
        tested.add(a, y, prediction, found)
        done += b - a


# ---------------------------------------------------------------- parts of the report


def _classification(seen: Seen, tested: Tested, inputs: Inputs) -> dict[str, Any]:
    names = [str(c) for c in inputs.task.classes]
    parts: dict[str, Any] = {"confusion": curves.confusion(tested.table, names)}
    if not tested.has_proba:
        return parts
    known = ~np.isnan(seen.p_true)
    y, shown = seen.y[known], seen.shown[known]
    drawn = [
        curves.curves(names[code], y == code, shown[:, column])
        for column, code in enumerate(tested.classes)
    ]
    parts["roc"] = [pair[0] for pair in drawn if pair is not None]
    parts["precision_recall"] = [pair[1] for pair in drawn if pair is not None]
    if not len(y):
        return parts
    if len(names) == 2:
        parts["calibration"] = curves.calibration(names[1], y == 1, shown[:, 0])
    else:
        parts["calibration"] = curves.calibration(
            "the answer given", seen.value[known] == y, seen.p_top[known]
        )
    return parts


def _regression(seen: Seen, inputs: Inputs) -> dict[str, Any]:
    if not len(seen.y):
        return {}
    return {"residuals": curves.residuals(seen.position, seen.y, seen.value, inputs.seed)}


def _importance_rows(seen: Seen, source: RowSource, learner: Learner, repeats: int) -> Ints:
    """Positions for the permutation importance, evenly spread over the scored rows."""
    groups = source.groups()
    if repeats < 1 or not groups or len(seen.y) < 2:
        return np.empty(0, dtype=np.int64)
    wanted = importance.rows_wanted(len(groups), repeats, bool(getattr(learner, "heavy", False)))
    if len(seen.position) <= wanted:
        return seen.position
    return seen.position[np.arange(wanted) * len(seen.position) // wanted]


def _importances(
    learner: Learner,
    source: RowSource,
    positions: Ints,
    inputs: Inputs,
    repeats: int,
    progress: Progress,
) -> list[Importance]:
    if not len(positions):
        return []
    rows, y = gather(source, positions)

    def loss(value: NDArray[Any], labels: NDArray[Any]) -> float:
        if inputs.task.kind == "classification":
            return float((value != labels).mean())
        with np.errstate(invalid="ignore", over="ignore"):
            return float(np.abs(value - labels).mean())

    def predict(part: Any) -> NDArray[Any]:
        return np.asarray(learner.predict(part).value)

    found = importance.permutation_importance(
        predict,
        rows,
        y,
        loss,
        source.groups(),
        inputs.names,
        seed=inputs.seed,
        repeats=repeats,
        progress=progress,
    )
    return [item for item in found if math.isfinite(item.mean) and math.isfinite(item.std)]


def _coefficients(learner: Learner, inputs: Inputs) -> dict[str, float]:
    """Weights of a linear model; where a learner does not tell them apart, parameters by column."""
    told = getattr(learner, "coefficients", None)
    if isinstance(told, dict):
        return told
    known = dict.fromkeys(inputs.names)
    prefixes = tuple(f"{c}: " for c in inputs.task.classes)
    return {
        name: value
        for name, value in learner.parameters().items()
        if name in known
        or any(name.startswith(p) and name.removeprefix(p) in known for p in prefixes)
    }


def _weights(values: Mapping[str, float]) -> list[Weight]:
    """The largest values, by size."""
    finite = [(name, v) for name, v in values.items() if math.isfinite(v)]
    finite.sort(key=lambda item: -abs(item[1]))
    return [Weight(name, float(v)) for name, v in finite[:WEIGHTS_SHOWN]]


def _slices(
    source: RowSource,
    pieces: list[tuple[int, int]],
    seen: Seen,
    classification: bool,
    progress: Progress,
) -> list[ColumnSlices]:
    if not len(seen.y):
        return []
    columns = source.columns()[:COLUMNS_SLICED]
    error = None if classification else seen.value - seen.y
    found = []
    for number, name in enumerate(columns):
        progress(number, len(columns), "Looking for where the errors are")
        parts = [source.values(name, a, b) for a, b in pieces]
        sliced = slicing.slices(name, joined(parts, seen.kept), seen.loss, error)
        if sliced is not None:
            found.append(sliced)
    return sorted(found, key=lambda item: -item.telling)


def _worst(seen: Seen, inputs: Inputs) -> list[WorstRow]:
    """Rows with the greatest loss: log loss where there are probabilities, else the error."""
    loss = seen.loss
    with_proba = ~np.isnan(seen.p_true)
    if with_proba.any():
        loss = np.where(with_proba, -np.log(np.clip(seen.p_true, CLIP, 1.0)), loss)
    order = np.argsort(-loss, kind="stable")[:WORST_ROWS]
    return [
        WorstRow(
            position=int(seen.position[i]),
            true=_cell(seen.y[i], inputs),
            predicted=_cell(seen.value[i], inputs),
            loss=float(loss[i]),
            probability=float(seen.p_true[i]) if with_proba[i] else None,
        )
        for i in order.tolist()
        if loss[i] > 0
    ]


def _cell(value: Any, inputs: Inputs) -> Cell:
    if inputs.task.kind == "classification":
        return inputs.task.classes[int(value)]
    return float(value)
