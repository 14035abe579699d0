"""What the scores and weights of a linear model say: answers, probabilities, parameters by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modellab.learners.base import Prediction
from modellab.learners.weights import MOST_WEIGHTS, largest

if TYPE_CHECKING:
    from modellab.learners.base import Floats, Inputs, Ints, Rows
    from modellab.learners.compiled.linear_looks import KernelLook


@dataclass(frozen=True)
class LinearAnswers:
    """How decision values and weights are read.

    Attributes
    ----------
    inputs
        The encoded columns and the task.
    outputs
        Weight vectors *K* of the model.
    loss
        Its loss; "log" and "modified_huber" give probabilities.
    softmax
        Several classes share one distribution.
    """

    inputs: Inputs
    outputs: int
    loss: str
    softmax: bool

    @property
    def _two(self) -> bool:
        # The usual case: one vector of weights, two classes, probabilities.
        task = self.inputs.task
        return (
            task.kind != "regression"
            and self.outputs == 1
            and task.n_classes == 2
            and self.loss in ("log", "modified_huber")
        )

    def room_for_two(self, n: int) -> tuple[Ints, Floats] | None:
        """Room for class codes (n,) and probabilities (n, 2) of two classes; None: not of those."""
        return (np.empty(n, np.int64), np.empty((n, 2))) if self._two else None

    def of(self, scores: Floats, centre: float, unit: float) -> Prediction:
        """Return what decision values (n, K) say; a number is in units of `unit` from `centre`."""
        from modellab.learners.compiled import _math

        task = self.inputs.task
        if task.kind == "regression":
            return Prediction(scores[:, 0] * unit + centre)
        two = self.room_for_two(len(scores))
        if two is not None:
            _math.two_class_answers(scores, *two, self.loss == "modified_huber")
            return Prediction(*two)
        if self.outputs == 1:
            value = (scores[:, 0] > 0.0).astype(np.int64)
        else:
            value = np.argmax(scores, axis=1).astype(np.int64)
        value = np.minimum(value, task.n_classes - 1)  # a target with one class only
        if self.loss not in ("log", "modified_huber"):
            return Prediction(value)
        proba = np.empty((len(scores), max(2, self.outputs)))
        if self.softmax:
            _math.softmax(scores, proba)
        else:
            _math.class_probabilities(scores, proba, self.loss == "modified_huber")
        return Prediction(value, proba if task.n_classes > 1 else np.ones((len(scores), 1)))

    def coefficients(self, weights: Floats) -> dict[str, float]:
        """Weights (K, d) by name of the column, for several classes by class and column."""
        return {
            f"{prefix}{name}": weight
            for prefix, row in zip(self._prefixes(), weights.tolist(), strict=True)
            for name, weight in zip(self.inputs.names, row, strict=True)
        }

    def named(self, weights: Floats, intercept: Floats, step_size: float) -> dict[str, float]:
        """`LinearLearner.parameters` of weights (K, d), intercepts (K,), size of the next step."""
        found = self.coefficients(weights)
        if len(found) > MOST_WEIGHTS:
            found = largest(found)
        for prefix, value in zip(self._prefixes(), intercept.tolist(), strict=True):
            found[f"{prefix}intercept"] = value
        found["step size"] = step_size
        return found

    def _prefixes(self) -> list[str]:
        if self.outputs == 1:
            return [""]
        return [f"{label}: " for label in self.inputs.task.classes]


@dataclass(frozen=True)
class LinearLook:
    """What a linear learner was after one of its rows (see `modellab.learners.base.Look`)."""

    answers: LinearAnswers
    centre: float
    unit: float
    noted: KernelLook

    def parameters(self) -> dict[str, float]:
        """Weights and intercepts by name, and the size of the next step."""
        noted = self.noted
        return self.answers.named(noted.weights, noted.intercept, noted.step_size)

    def predict(self, rows: Rows) -> Prediction:
        """Predict each row (n, d)."""
        return self.answers.of(self.noted.predict(rows), self.centre, self.unit)
