"""The losses of single rows, and their totals: what `modellab.evaluation.metrics` adds up.

Rows are a table float64 (fields, n); the first field is the loss that is plotted.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

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
    """Fields of rows that have a label and an answer, (10, n)."""
    n = len(y)
    rows = np.zeros((len(ClassField), n))
    rows[ClassField.WRONG] = y != guess
    rows[ClassField.ROWS] = 1.0
    rows[ClassField.LABEL], rows[ClassField.GUESS] = y, guess
    rows[ClassField.POSITIVE] = np.nan
    if proba is not None and n:
        _probabilities(rows, y, np.ascontiguousarray(proba, dtype=np.float64))
    for field, correct in (
        (ClassField.MAJORITY_WRONG, majority_correct),
        (ClassField.NOCHANGE_WRONG, nochange_correct),
    ):
        rows[field] = np.nan if correct is None else ~correct
    return rows


def _probabilities(rows: Floats, y: NDArray[np.int64], proba: Floats) -> None:
    """Fill in log loss and Brier score where there are probabilities."""
    classes = proba.shape[1]
    own = proba[np.arange(len(y)), y]
    if classes <= 8:  # column by column is much the faster way for few
        squares = np.square(proba[:, 0])
        for k in range(1, classes):
            squares += np.square(proba[:, k])
    else:
        squares = np.square(proba).sum(axis=1)
    present = np.isfinite(squares)
    # Sum of squared differences from the one-hot label; halved for two classes, where it is then
    # the usual squared difference of one probability (as in scikit-learn).
    brier = np.maximum(squares - 2.0 * own + 1.0, 0.0)
    if classes == 2:
        brier *= 0.5
        rows[ClassField.POSITIVE] = proba[:, 1]
    rows[ClassField.WITH_PROBA] = present
    rows[ClassField.LOG_LOSS] = -np.log(np.clip(own, CLIP, 1.0 - CLIP))
    rows[ClassField.BRIER] = brier
    if not present.all():
        rows[ClassField.POSITIVE, ~present] = np.nan
        rows[ClassField.LOG_LOSS, ~present] = 0.0
        rows[ClassField.BRIER, ~present] = 0.0


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

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def __call__(self, rows: Floats, weights: Floats) -> Floats:
        """Return weighted totals (7 + 3 K,) of rows (10, n)."""
        sums = (rows[: ClassField.LABEL] * weights).sum(axis=1)
        y, guess = codes_of(rows)
        right = weights * (1.0 - rows[ClassField.WRONG])
        counts = [
            np.bincount(codes, by, self.classes)
            for codes, by in ((y, weights), (guess, weights), (y, right))
        ]
        return np.concatenate([sums, *counts])

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

    def __call__(self, rows: Floats, weights: Floats) -> Floats:
        """Return weighted totals (6,) of rows (6, n)."""
        sums: Floats = (rows * weights).sum(axis=1)
        return sums

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
