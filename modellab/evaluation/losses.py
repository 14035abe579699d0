"""The losses of single rows, and their totals: what `modellab.evaluation.metrics` adds up.

Rows are a table float64 (fields, n); the first field is the loss that is plotted.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modellab.evaluation.compiled import _scoring, _tally
from modellab.evaluation.formulas import ClassTotals, RegressionTotals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]


class Predictions(Protocol):
    """The predictions of n rows, as of `modellab.learners.base.Prediction`."""

    @property
    def value(self) -> NDArray[Any]:
        """Class codes int64 (n,), -1 for no answer; or numbers float64 (n,), NaN for none."""

    @property
    def proba(self) -> Floats | None:
        """Class probabilities (n, K), rows of NaN where there are none; or None."""


CLIP = 1e-15
"""Probabilities are kept away from 0 and 1 by this much in the log loss."""


class ClassField(IntEnum):
    """Fields of a scored row of a classification.

    Log loss: of the label's probability. Brier score: the sum of squared differences from the
    one-hot label; halved for two classes, where it is then the usual squared difference of one
    probability (as in scikit-learn).
    """

    WRONG = 0
    ROWS = 1
    WITH_PROBA = 2
    LOG_LOSS = 3
    BRIER = 4
    MAJORITY_WRONG = 5  # NaN when the reference is not known, and so the next one
    NOCHANGE_WRONG = 6
    # Not summed:
    LABEL = 7
    GUESS = 8
    POSITIVE = 9  # probability of the second of two classes, NaN when there is none


class NumberField(IntEnum):
    """Fields of a scored row of a regression."""

    ABSOLUTE = 0
    ROWS = 1
    SQUARED = 2
    ERROR = 3
    LABEL = 4  # counted from an origin, to keep digits
    LABEL_SQUARED = 5
    # Not summed:
    TRUTH = 6
    ANSWER = 7


def own_logs(y: NDArray[np.int64], proba: Floats) -> Floats:
    """Logarithm of the (clipped) probability of each row's label (n,); 0 where there is none."""
    logs = np.empty(len(y))
    _tally.own_shares(y, proba, CLIP, logs)
    return np.log(logs, out=logs)


def flags(correct: Bools | None) -> NDArray[np.uint8] | None:
    """Whether references are right, as bytes."""
    if correct is None:
        return None
    return np.ascontiguousarray(correct, dtype=np.bool_).view(np.uint8)


class Summary(Protocol):
    """Weighted totals of rows (fields, n): of the first `fields` fields, and counts of classes."""

    fields: int
    classes: int

    def __call__(self, rows: Floats, weights: Floats) -> Floats:
        """Totals (fields + 3 classes,) of rows with weights (n,)."""
        ...


class ClassSummary:
    """Totals of rows of a classification: sums of the fields, then three counts for each class.

    Parameters
    ----------
    classes
        Number of classes K.
    """

    fields = int(ClassField.LABEL)
    """Fields that are summed."""

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def __call__(self, rows: Floats, weights: Floats) -> Floats:
        """Return weighted totals (7 + 3 K,) of rows (10, n)."""
        found = np.empty(self.fields + 3 * self.classes)
        _tally.totals(
            np.ascontiguousarray(rows),
            np.ascontiguousarray(weights),
            self.fields,
            self.classes,
            found,
        )
        return found

    def totals(self, values: Floats) -> ClassTotals:
        """Name the totals."""
        true, guessed, right = values[ClassField.LABEL :].reshape(3, self.classes)
        return ClassTotals(
            rows=float(values[ClassField.ROWS]),
            wrong=float(values[ClassField.WRONG]),
            true=true,
            guessed=guessed,
            right=right,
            with_proba=float(values[ClassField.WITH_PROBA]),
            log_loss=float(values[ClassField.LOG_LOSS]),
            brier=float(values[ClassField.BRIER]),
            majority_wrong=float(values[ClassField.MAJORITY_WRONG]),
            nochange_wrong=float(values[ClassField.NOCHANGE_WRONG]),
        )


class NumberSummary:
    """Totals of rows of a regression: sums of the fields."""

    fields = int(NumberField.TRUTH)
    """Fields that are summed."""
    classes = 0

    def __call__(self, rows: Floats, weights: Floats) -> Floats:
        """Return weighted totals (6,) of rows (6, n)."""
        found = np.empty(self.fields)
        _tally.totals(
            np.ascontiguousarray(rows), np.ascontiguousarray(weights), self.fields, 0, found
        )
        return found

    def totals(self, values: Floats) -> RegressionTotals:
        """Name the totals."""
        rows = float(values[NumberField.ROWS])
        labels, squares = float(values[NumberField.LABEL]), float(values[NumberField.LABEL_SQUARED])
        spread = squares - labels * (labels / rows) if rows else 0.0
        return RegressionTotals(
            rows=rows,
            absolute=float(values[NumberField.ABSOLUTE]),
            squared=float(values[NumberField.SQUARED]),
            error=float(values[NumberField.ERROR]),
            # Where the subtraction left no digits, there is no spread.
            spread=spread if spread > 1e-12 * squares else 0.0,
        )


def class_losses(value: NDArray[Any], y: NDArray[Any]) -> Floats:
    """Loss of each row of a classification (n,): wrong or not; NaN without label or answer."""
    losses = np.empty(len(y))
    _scoring.wrong_rows(
        np.ascontiguousarray(value, np.int64), np.ascontiguousarray(y, np.int64), losses
    )
    return losses


def number_losses(value: NDArray[Any], y: NDArray[Any]) -> Floats:
    """Absolute error of each row of a regression (n,); NaN without label or answer."""
    with np.errstate(over="ignore", invalid="ignore"):
        losses: Floats = np.abs(value - y).astype(np.float64, copy=False)
    return losses


def codes_of(rows: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels and predictions of rows of a classification, as codes."""
    return rows[ClassField.LABEL].astype(np.int64), rows[ClassField.GUESS].astype(np.int64)
