"""Scores of one lane along the stream: cumulative, over a window, and fading.

Prequential error (Gama, Sebastião, Rodrigues 2013): each row is scored with the prediction that was
made when it came. Rows without a label and rows without an answer are counted but not scored; the
window is the last `w` scored rows.

The update is done for blocks of rows at once and gives the same bits however the stream is cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from modellab.evaluation.compiled import _tally
from modellab.evaluation.formulas import (
    CLASSIFICATION_METRICS,
    REGRESSION_METRICS,
    RegressionTotals,
    of_two_classes,
)
from modellab.evaluation.losses import (
    ClassField,
    ClassSummary,
    NumberField,
    NumberSummary,
    Predictions,
    class_losses,
    codes_of,
    flags,
    number_losses,
    own_logs,
)
from modellab.evaluation.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.data.task import Task

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

Scope = Literal["cumulative", "window", "fading"]
SCOPES: tuple[Scope, ...] = ("cumulative", "window", "fading")
_CUMULATIVE, _FADING = 0, 1
_NO_CLASSES: dict[str, float | None] = dict.fromkeys(CLASSIFICATION_METRICS)


class Values(TypedDict):
    """Metrics by scope and name; None where a metric is undefined."""

    cumulative: dict[str, float | None]
    window: dict[str, float | None]
    fading: dict[str, float | None]


@dataclass(frozen=True)
class RowScores:
    """The error after each row: share wrong, or mean absolute error. NaN at rows not scored.

    Attributes
    ----------
    window, cumulative, fading
        float64 (n,). `fading` is None where it was not asked for.
    losses
        float64 (n,): the loss of each row alone, wrong (1) or not (0), or its absolute error.
    samples
        All metrics over the window, as of `Scores.metrics`, at each place that was asked for.
    """

    window: Floats
    cumulative: Floats
    fading: Floats | None
    losses: Floats
    samples: list[dict[str, float | None]] = field(default_factory=list)


class Scores:
    """Scores of one lane.

    Parameters
    ----------
    task
        Its kind and classes decide on the metrics.
    window
        Scored rows in the window, at least 1.
    fading
        Weight of a row of age `a` is ``fading ** a``.
    """

    def __init__(self, task: Task, window: int = 1000, fading: float = 0.999) -> None:
        self.task = task
        self.window = window
        self.fading = fading
        self.rows = 0
        """Rows seen."""
        self.scored = 0
        """Rows scored."""
        self.unlabelled = 0
        """Rows whose label is missing."""
        self.unanswered = 0
        """Rows with a label but without an answer."""
        self._classes = task.n_classes
        self._is_classification = task.kind == "classification"
        self._summary: ClassSummary | NumberSummary
        if self._is_classification:
            self._summary = ClassSummary(self._classes)
            stored, kept = len(ClassField), slice(0, len(ClassField))
        else:
            self._summary = NumberSummary()
            stored, kept = int(NumberField.TRUTH), slice(NumberField.TRUTH, len(NumberField))
        self._tally = Tally(self._summary, stored, kept, window, fading)
        self._last = (math.nan, math.nan, math.nan)
        self._origin = math.nan  # the first label of a regression

    # ------------------------------------------------------------ updating

    def update(
        self,
        y: NDArray[Any],
        prediction: Predictions,
        majority_correct: Bools | None = None,
        nochange_correct: Bools | None = None,
        *,
        fading: bool = True,
        samples: Ints | None = None,
    ) -> RowScores:
        """Score the next rows.

        Parameters
        ----------
        y
            Labels (n,): int64 codes, -1 missing; or float64, missing where not finite.
        prediction
            The n predictions made when the rows came.
        majority_correct, nochange_correct
            Whether the majority class and the last label known were right at these rows; without
            them the kappas that refer to them stay undefined.
        fading
            Whether the fading error after each row is wanted; that after the last row, and all
            metrics, are there in any case.
        samples
            After how many of these rows, 1 to n and increasing, all metrics over the window are
            wanted. None: nowhere.

        Raises
        ------
        ValueError
            If arrays differ in length, a code is not one of the classes, or `samples` are not such
            numbers.
        """
        n = len(y)
        ends = [] if samples is None else samples.tolist()
        if ends and (ends[0] < 1 or ends[-1] > n or any(a >= b for a, b in pairwise(ends))):
            raise ValueError(f"samples are wanted after 1 to {n} rows, in order")
        found = np.empty((2 + fading, n))
        taken = []
        at = 0
        with np.errstate(over="ignore", invalid="ignore"):
            for end in [*ends, n] if not ends or ends[-1] < n else ends:
                own = slice(at, end)
                if self._is_classification:
                    found[:, own] = self._update_classes(
                        y[own],
                        prediction.value[own],
                        None if prediction.proba is None else prediction.proba[own],
                        None if majority_correct is None else majority_correct[own],
                        None if nochange_correct is None else nochange_correct[own],
                        fading,
                    )
                else:
                    found[:, own] = self._update_numbers(y[own], prediction.value[own], fading)
                if len(taken) < len(ends):
                    taken.append(self.metrics("window"))
                at = end
        if self._is_classification:
            losses = class_losses(prediction.value, y)
        else:
            losses = number_losses(prediction.value, y)
        return RowScores(found[0], found[1], found[2] if fading else None, losses, taken)

    def _scored_rows(self, labelled: Bools, answered: Bools) -> Bools:
        """Count the rows, and say which are scored."""
        scored = labelled & answered
        n = len(labelled)
        with_label, both = int(np.count_nonzero(labelled)), int(np.count_nonzero(scored))
        self.rows += n
        self.scored += both
        self.unlabelled += n - with_label
        self.unanswered += with_label - both
        return scored

    def _update_classes(
        self,
        y: NDArray[Any],
        value: NDArray[Any],
        proba: Floats | None,
        majority_correct: Bools | None,
        nochange_correct: Bools | None,
        fading: bool,
    ) -> Floats:
        y = np.ascontiguousarray(y, dtype=np.int64)
        guess = np.ascontiguousarray(value, dtype=np.int64)
        scored = None
        if _tally.codes_there(y, guess, self._classes):  # the usual case
            self.rows += len(y)
            self.scored += len(y)
        else:
            scored = self._scored_rows(y >= 0, guess >= 0)
            y, guess = y[scored], guess[scored]
            proba = None if proba is None else proba[scored]
            majority_correct, nochange_correct = (
                None if correct is None else correct[scored]
                for correct in (majority_correct, nochange_correct)
            )
        logs = None
        if proba is not None:
            proba = np.ascontiguousarray(proba, dtype=np.float64)
            logs = own_logs(y, proba)
        majority, nochange = flags(majority_correct), flags(nochange_correct)
        return self._told(
            self._tally.add_classes(y, guess, proba, logs, majority, nochange, fading), scored
        )

    def _update_numbers(self, y: NDArray[Any], value: NDArray[Any], fading: bool) -> Floats:
        y = np.ascontiguousarray(y, dtype=np.float64)
        guess = np.ascontiguousarray(value, dtype=np.float64)
        scored = self._scored_rows(np.isfinite(y), np.isfinite(guess))
        if not scored.all():
            y, guess = y[scored], guess[scored]
        if math.isnan(self._origin) and len(y):
            self._origin = float(y[0])
        return self._told(self._tally.add_numbers(y, guess, self._origin, fading), scored)

    def _told(self, found: Floats, scored: Bools | None) -> Floats:
        """Tell the errors after the rows that were just added.

        `scored`: which of the rows asked for these are; None for all.
        """
        n = found.shape[1]
        if n:
            window, cumulative = found[:2, -1].tolist()
            self._last = (window, cumulative, self._tally.fading())
        if scored is not None and n < len(scored):
            spread = np.full((len(found), len(scored)), np.nan)
            spread[:, scored] = found
            return spread
        return found

    # ------------------------------------------------------------ asking

    def error(self, scope: Scope = "window") -> float | None:
        """Return the error after the last row; None before any row was scored. Costs nothing."""
        value = self._last[("window", "cumulative", "fading").index(scope)]
        return value if math.isfinite(value) else None

    def values(self) -> Values:
        """All metrics in all scopes. The window's are computed anew, which takes a moment."""
        return {
            "cumulative": self.metrics("cumulative"),
            "window": self.metrics("window"),
            "fading": self.metrics("fading"),
        }

    def metrics(self, scope: Scope) -> dict[str, float | None]:
        """All metrics of one scope by name; ROC AUC only over the window."""
        if self._is_classification:
            return {**_NO_CLASSES, **self._classification(scope)}
        with np.errstate(over="ignore", invalid="ignore"):
            return dict.fromkeys(REGRESSION_METRICS) | self._regression(scope)

    def _classification(self, scope: Scope) -> dict[str, float | None]:
        summary = self._summary
        assert isinstance(summary, ClassSummary)
        if scope != "window":
            kind = _CUMULATIVE if scope == "cumulative" else _FADING
            return summary.totals(self._tally.now(kind)).metrics()
        totals = self._tally.of_window()
        if self._classes != 2:
            return summary.totals(totals).metrics()
        return {**of_two_classes(totals.tolist()), "roc_auc": self._tally.curve()}

    def _regression(self, scope: Scope) -> dict[str, float | None]:
        summary = self._summary
        assert isinstance(summary, NumberSummary)
        if scope == "window":
            y, guess = self._tally.recent()
            return RegressionTotals.of_rows(y, guess).metrics()
        kind = _CUMULATIVE if scope == "cumulative" else _FADING
        return summary.totals(self._tally.now(kind)).metrics()

    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix over the window, (K, K): rows are labels, columns predictions."""
        y, guess = codes_of(self._tally.recent())
        table = np.bincount(y * self._classes + guess, minlength=self._classes**2)
        return table.reshape(self._classes, self._classes)

    # ------------------------------------------------------------ state

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays (picklable)."""
        return {
            "rows": self.rows,
            "scored": self.scored,
            "unlabelled": self.unlabelled,
            "unanswered": self.unanswered,
            **self._tally.state(),
            "last": self._last,
            "origin": self._origin,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state of scores made with the same task, window and fading."""
        self.rows, self.scored = state["rows"], state["scored"]
        self.unlabelled, self.unanswered = state["unlabelled"], state["unanswered"]
        self._tally.load_state(state, self.scored)
        window, cumulative, fading = state["last"]
        self._last = (window, cumulative, fading)
        self._origin = state["origin"]
