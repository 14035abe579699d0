"""The metrics' formulas, from sums that may be counts or weights. Undefined metrics are None."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.compiled import _tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSIFICATION_METRICS = (
    "accuracy",
    "error",
    "balanced_accuracy",
    "f1_macro",
    "f1_weighted",
    "precision",
    "recall",
    "log_loss",
    "brier",
    "roc_auc",
    "kappa",
    "kappa_m",
    "kappa_temporal",
)
_FEW = 7
"""Up to so many values NumPy adds up one after the other, too."""
REGRESSION_METRICS = ("mae", "rmse", "r2", "bias")


@dataclass(frozen=True)
class ClassTotals:
    """Sums over scored rows of a classification, each row weighing 1 or less.

    Attributes
    ----------
    rows, wrong
        Weight of all rows, and of those predicted wrongly.
    true, guessed, right
        (K,): weight of each class among labels, among predictions, and where both agree.
    with_proba, log_loss, brier
        Weight of the rows with probabilities, and sums over them.
    majority_wrong, nochange_wrong
        Weight of the rows where the references are wrong; NaN when that is not known.
    """

    rows: float
    wrong: float
    true: NDArray[Any]
    guessed: NDArray[Any]
    right: NDArray[Any]
    with_proba: float = 0.0
    log_loss: float = 0.0
    brier: float = 0.0
    majority_wrong: float = math.nan
    nochange_wrong: float = math.nan

    def metrics(self) -> dict[str, float | None]:
        """All metrics that follow from the sums.

        ``balanced_accuracy``: mean recall of the classes that occur among the labels.
        ``f1_macro``: mean F1 of the classes that occur among labels or predictions.
        ``f1_weighted``: mean F1 of the classes, weighted by their labels.
        ``precision``, ``recall``: those of the second class where there are two, else the mean over
        the classes that occur; a class never predicted has precision 0, one never there recall 0
        (``zero_division=0`` in scikit-learn).
        ``kappa``: Cohen's. ``kappa_m``, ``kappa_temporal``: (p - p_ref) / (1 - p_ref), with p_ref
        the accuracy of the majority class (Bifet et al. 2015) and of the last label known
        (Zliobaite et al. 2015), both predicted along the same rows.
        """
        if not self.rows > 0:
            return {}
        error = self.wrong / self.rows
        return {
            "accuracy": 1.0 - error,
            "error": error,
            "balanced_accuracy": self._balanced_accuracy(),
            **self._precision_and_recall(),
            "log_loss": _ratio(self.log_loss, self.with_proba),
            "brier": _ratio(self.brier, self.with_proba),
            "kappa": self._kappa(error),
            # With errors e = 1 - p, (p - p_ref) / (1 - p_ref) is 1 - e / e_ref.
            "kappa_m": _one_less(_ratio(self.wrong, self.majority_wrong)),
            "kappa_temporal": _one_less(_ratio(self.wrong, self.nochange_wrong)),
        }

    def _balanced_accuracy(self) -> float:
        if len(self.true) <= _FEW:
            pairs = zip(self.right.tolist(), self.true.tolist(), strict=True)
            return _mean([right / true for right, true in pairs if true > 0])
        occurs = self.true > 0
        return float(np.mean(self.right[occurs] / self.true[occurs]))

    def _precision_and_recall(self) -> dict[str, float | None]:
        if len(self.true) <= _FEW:
            return self._few_precision_and_recall()
        occurs = self.true + self.guessed > 0
        right, true, guessed = self.right[occurs], self.true[occurs], self.guessed[occurs]
        f1 = 2.0 * right / (true + guessed)
        precision, recall = _share(right, guessed), _share(right, true)
        return {
            "f1_macro": float(np.mean(f1)),
            "f1_weighted": float((f1 * true).sum() / true.sum()),
            "precision": float(np.mean(precision)),
            "recall": float(np.mean(recall)),
        }

    def _few_precision_and_recall(self) -> dict[str, float | None]:
        """The same, where calls for arrays would take longer than the sums (to the bit)."""
        rows = list(
            zip(self.right.tolist(), self.true.tolist(), self.guessed.tolist(), strict=True)
        )
        there = [row for row in rows if row[1] + row[2] > 0]
        f1 = [2.0 * right / (true + guessed) for right, true, guessed in there]
        meant = rows[1:] if len(rows) == 2 else there  # two: the second, which need not occur
        return {
            "f1_macro": _mean(f1),
            "f1_weighted": sum(f * row[1] for f, row in zip(f1, there, strict=True))
            / sum(row[1] for row in there),
            "precision": _mean([right / g if g > 0 else 0.0 for right, _, g in meant]),
            "recall": _mean([right / true if true > 0 else 0.0 for right, true, _ in meant]),
        }

    def _kappa(self, error: float) -> float | None:
        if len(self.true) <= _FEW:
            pairs = list(zip(self.true.tolist(), self.guessed.tolist(), strict=True))
            occur = sum(true + guessed != 0 for true, guessed in pairs)
            by_chance = sum((true / self.rows) * (guessed / self.rows) for true, guessed in pairs)
        else:
            occur = np.count_nonzero(self.true + self.guessed)
            by_chance = float(np.sum((self.true / self.rows) * (self.guessed / self.rows)))
        if occur < 2:
            return None  # one class only: chance agrees everywhere
        return _finite(1.0 - error / (1.0 - by_chance)) if by_chance < 1.0 else None


def of_two_classes(totals: list[float]) -> dict[str, float | None]:
    """`ClassTotals.metrics` of two classes, to the bit: asked for very often.

    Parameters
    ----------
    totals
        Wrong, rows, with probabilities, log loss, Brier score, majority wrong, no change wrong;
        then for either class the weight among labels, among predictions, and where both agree.
    """
    wrong, rows, with_proba, log_loss, brier, majority, nochange = totals[:7]
    true0, true1, guessed0, guessed1, right0, right1 = totals[7:]
    if not rows > 0:
        return {}
    error = wrong / rows
    recall1 = right1 / true1 if true1 > 0 else 0.0
    if true0 > 0:
        recall0 = right0 / true0
        balanced = (recall0 + recall1) / 2 if true1 > 0 else recall0
    else:
        balanced = recall1
    both0, both1 = true0 + guessed0, true1 + guessed1
    if both0 > 0 and both1 > 0:
        first, second = 2.0 * right0 / both0, 2.0 * right1 / both1
        macro = (first + second) / 2
        weighted = (first * true0 + second * true1) / (true0 + true1)
        by_chance = (true0 / rows) * (guessed0 / rows) + (true1 / rows) * (guessed1 / rows)
        kappa = _finite(1.0 - error / (1.0 - by_chance)) if by_chance < 1.0 else None
    else:  # one class only: chance agrees everywhere
        true, right, both = (true0, right0, both0) if both0 > 0 else (true1, right1, both1)
        macro = 2.0 * right / both
        weighted = macro * true / true
        kappa = None
    return {
        "accuracy": 1.0 - error,
        "error": error,
        "balanced_accuracy": balanced,
        "f1_macro": macro,
        "f1_weighted": weighted,
        "precision": right1 / guessed1 if guessed1 > 0 else 0.0,
        "recall": recall1,
        "log_loss": _ratio(log_loss, with_proba),
        "brier": _ratio(brier, with_proba),
        "kappa": kappa,
        "kappa_m": _one_less(_ratio(wrong, majority)),
        "kappa_temporal": _one_less(_ratio(wrong, nochange)),
    }


@dataclass(frozen=True)
class RegressionTotals:
    """Sums over scored rows of a regression.

    Attributes
    ----------
    rows
        Weight of all rows.
    absolute, squared, error
        Sums of |prediction - label|, of its square, and of prediction - label.
    spread
        Sum of squared differences of the labels from their mean.
    """

    rows: float
    absolute: float
    squared: float
    error: float
    spread: float

    @classmethod
    def of_rows(cls, y: NDArray[np.float64], guess: NDArray[np.float64]) -> RegressionTotals:
        """Sums over labels and predictions (n,)."""
        error = guess - y
        spread = 0.0
        if len(y) and y.min() < y.max():
            spread = float(np.square(y - y.mean()).sum())
        return cls(
            float(len(y)),
            float(np.abs(error).sum()),
            float(np.square(error).sum()),
            float(error.sum()),
            spread,
        )

    def metrics(self) -> dict[str, float | None]:
        """MAE, RMSE, R2 (1 - squared errors / spread of the labels) and bias, the mean error."""
        if not self.rows > 0:
            return {}
        return {
            "mae": _finite(self.absolute / self.rows),
            "rmse": _finite(math.sqrt(self.squared / self.rows)),
            "r2": _one_less(_ratio(self.squared, self.spread)),
            "bias": _finite(self.error / self.rows),
        }


def area_under_curve(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float | None:
    """Area under the ROC curve, exactly: ties count half (Mann and Whitney 1947).

    Parameters
    ----------
    positive
        (n,) whether a row is of the positive class.
    score
        (n,) the higher, the more likely positive.

    Returns
    -------
    None when all rows are of one class.
    """
    return area_between(score[~positive], score[positive])


def area_between(negative: NDArray[np.float64], positive: NDArray[np.float64]) -> float | None:
    """`area_under_curve`, given the scores of the rows of either class."""
    if not len(negative) or not len(positive):
        return None
    # Whole numbers: no rounding before the division.
    twice = _tally.curve_places(np.sort(negative), np.sort(positive))
    return twice / (2 * len(positive) * len(negative))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    share: NDArray[np.float64] = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return share


def _ratio(above: float, below: float) -> float | None:
    return _finite(above / below) if below > 0 else None


def _one_less(value: float | None) -> float | None:
    return None if value is None else 1.0 - value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
