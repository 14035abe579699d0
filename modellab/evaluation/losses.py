"""The losses of single rows, and their totals: what `modellab.evaluation.metrics` adds up.

Rows are a table float64 (fields, n); the first field is the loss that is plotted.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modellab.evaluation.compiled import _scoring
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
_NO_PROBA = np.empty((0, 0))
_UNKNOWN = np.empty(0, dtype=np.uint8)


class ClassField(IntEnum):
    """Fields of a scored row of a classification."""

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


def class_rows(
    y: NDArray[np.int64],
    guess: NDArray[np.int64],
    proba: NDArray[Any] | None,
    majority_correct: Bools | None,
    nochange_correct: Bools | None,
) -> Floats:
    """Fields of rows that have a label and an answer, (10, n).

    Log loss: of the label's probability. Brier score: the sum of squared differences from the
    one-hot label; halved for two classes, where it is then the usual squared difference of one
    probability (as in scikit-learn).
    """
    n = len(y)
    rows = np.empty((len(ClassField), n))
    likely = np.ascontiguousarray(_NO_PROBA if proba is None else proba, dtype=np.float64)
    _scoring.class_rows(
        np.ascontiguousarray(y, dtype=np.int64),
        np.ascontiguousarray(guess, dtype=np.int64),
        likely,
        _flags(majority_correct),
        _flags(nochange_correct),
        CLIP,
        rows,
    )
    own = rows[ClassField.LOG_LOSS]
    if likely.shape[1]:
        np.log(own, out=own)
        np.subtract(0.0, own, out=own)
    else:
        own[:] = 0.0
    return rows


def _flags(correct: Bools | None) -> NDArray[np.uint8]:
    if correct is None:
        return _UNKNOWN
    return np.ascontiguousarray(correct, dtype=np.bool_).view(np.uint8)


def number_rows(y: Floats, guess: Floats, origin: float) -> Floats:
    """Fields of rows that have a label and an answer, (6, n)."""
    error = guess - y
    rows = np.empty((len(NumberField), len(y)))
    rows[NumberField.ABSOLUTE] = np.abs(error)
    rows[NumberField.ROWS] = 1.0
    rows[NumberField.SQUARED] = np.square(error)
    rows[NumberField.ERROR] = error
    rows[NumberField.LABEL] = y - origin
    rows[NumberField.LABEL_SQUARED] = np.square(y - origin)
    return rows


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
        _scoring.totals(
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

    fields = len(NumberField)
    """Fields that are summed."""
    classes = 0

    def __call__(self, rows: Floats, weights: Floats) -> Floats:
        """Return weighted totals (6,) of rows (6, n)."""
        found = np.empty(self.fields)
        _scoring.totals(
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


def codes_of(rows: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels and predictions of rows of a classification, as codes."""
    return rows[ClassField.LABEL].astype(np.int64), rows[ClassField.GUESS].astype(np.int64)
