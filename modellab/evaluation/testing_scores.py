"""Scores of a tested model and of the baselines, and what is kept of each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.formulas import area_under_curve
from modellab.evaluation.metrics import Scores
from modellab.evaluation.references import References
from modellab.evaluation.testing_values import NamedScores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.learners.base import Inputs

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass
class Seen:
    """What is kept of the scored rows, (n,) each; `shown` has a column for each class drawn."""

    position: Ints
    y: NDArray[Any]
    value: NDArray[Any]
    p_true: Floats
    p_top: Floats
    shown: Floats
    kept: NDArray[np.bool_]
    """Which of all rows looked at are scored."""

    @property
    def loss(self) -> Floats:
        """0/1 errors or absolute errors."""
        if self.y.dtype.kind == "f":
            return np.asarray(np.abs(self.value - self.y), dtype=np.float64)
        return np.asarray(self.value != self.y, dtype=np.float64)


@dataclass(frozen=True)
class _Answers:
    """Predictions of a baseline, shaped like `Prediction`."""

    value: NDArray[Any]
    proba: None = None

    def __len__(self) -> int:
        return len(self.value)


class Tested:
    """Scores that grow piece by piece, and what is kept of each row."""

    def __init__(self, inputs: Inputs) -> None:
        task = inputs.task
        self.task = task
        self.classification = task.kind == "classification"
        self.model = Scores(task, window=1)
        self.common = Scores(task, window=1)
        self.last = Scores(task, window=1)
        self.references = References(task)
        self.table = np.zeros((task.n_classes, task.n_classes), dtype=np.int64)
        self.classes: list[int] = []
        self.has_proba = False
        self.seconds = 0.0
        self._parts: list[Seen] = []

    def add(self, position: int, y: NDArray[Any], prediction: Any, found: Any) -> None:
        """Score a piece that begins at `position`."""
        value, proba = np.asarray(prediction.value), prediction.proba
        right = found.correct(y) if self.classification else (None, None)
        contestants = (
            (self.model, prediction),
            (self.common, _Answers(found.common)),
            (self.last, _Answers(found.last)),
        )
        for scores, answers in contestants:
            scores.update(y, answers, *right)
        if self.classification:
            both = (y >= 0) & (prediction.value >= 0)
            np.add.at(self.table, (y[both], prediction.value[both]), 1)
        known = y >= 0 if self.classification else np.isfinite(y)
        kept = known & (value >= 0 if self.classification else np.isfinite(value))
        n = int(kept.sum())
        p_true, p_top, shown = np.full(n, np.nan), np.full(n, np.nan), np.empty((n, 0))
        if proba is not None:
            self.has_proba = True
            given = proba[kept]
            p_true, p_top = given[np.arange(n), y[kept]], given.max(axis=1, initial=0.0)
            shown = given[:, self.classes]
        self._parts.append(
            Seen(position + np.flatnonzero(kept), y[kept], value[kept], p_true, p_top, shown, kept)
        )

    def rows(self) -> Seen:
        """What was kept of all pieces."""
        names = ("position", "y", "value", "p_true", "p_top", "shown", "kept")
        return Seen(**{n: np.concatenate([getattr(p, n) for p in self._parts]) for n in names})

    def metrics(self, seen: Seen) -> list[NamedScores]:
        """Metrics of the model and of the baselines."""
        names = (
            ("Majority class", "No change")
            if self.classification
            else ("Running mean", "Last value")
        )
        found = []
        contestants = zip(("Model", *names), (self.model, self.common, self.last), strict=True)
        for number, (name, scores) in enumerate(contestants):
            metrics = scores.metrics("cumulative")
            if number == 0 and self.has_proba and self.task.n_classes == 2:
                with_proba = ~np.isnan(seen.shown[:, 0])
                metrics["roc_auc"] = area_under_curve(
                    seen.y[with_proba] == 1, seen.shown[with_proba, 0]
                )
            found.append(NamedScores(name, number > 0, metrics))
        return found
