"""Scores of one lane along the stream: cumulative, over a window, and fading.

Prequential error (Gama, Sebastião, Rodrigues 2013): each row is scored with the prediction that was
made when it came. Rows without a label and rows without an answer are counted but not scored; the
window is the last `w` scored rows.

The update is done for blocks of rows at once and gives the same bits however the stream is cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
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
from modellab.evaluation.tally_two import Buckets, TwoTally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.data.task import Task
    from modellab.evaluation.history import Series

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
class Followed:
    """What `Scores.follow` tells.

    Attributes
    ----------
    losses
        float64 (n,): the loss of each row alone, wrong (1) or not (0), or its absolute error; NaN
        at rows without a label or an answer.
    samples
        All metrics over the window, as of `Scores.metrics`, at each place that was asked for.
    """

    losses: Floats
    samples: list[dict[str, float | None]]


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
    samples: list[dict[str, float | None]]


@dataclass(frozen=True)
class _Rows:
    """Rows to be scored: arrays of the same length, as the compiled loops want them."""

    y: NDArray[Any]
    value: NDArray[Any]
    proba: Floats | None
    majority: NDArray[np.uint8] | None
    nochange: NDArray[np.uint8] | None

    @classmethod
    def of(
        cls,
        y: NDArray[Any],
        prediction: Predictions,
        majority: Bools | None,
        nochange: Bools | None,
        codes: bool,
    ) -> _Rows:
        dtype = np.int64 if codes else np.float64
        found = cls(
            np.ascontiguousarray(y, dtype=dtype),
            np.ascontiguousarray(prediction.value, dtype=dtype),
            None if prediction.proba is None else np.ascontiguousarray(prediction.proba, float),
            flags(majority),
            flags(nochange),
        )
        if any(len(given) != len(y) for given in found._all() if given is not None):
            raise ValueError("the rows differ in number")
        return found

    def _all(self) -> tuple[NDArray[Any] | None, ...]:
        return self.y, self.value, self.proba, self.majority, self.nochange

    def __getitem__(self, own: slice | Bools) -> _Rows:
        y, value, *others = (None if given is None else given[own] for given in self._all())
        assert y is not None
        assert value is not None
        return _Rows(y, value, *others)


class _Along:
    """The histories that take the errors after each row, from position `start` on."""

    def __init__(self, start: int, error: Series, cumulative: Series) -> None:
        self._start, self._error, self._cumulative = start, error, cumulative

    def open(self, at: int, due: int) -> int:
        """Make room for rows `at` to `due` at most; return the end of those that there is."""
        end = self._error.open(self._start + at, self._start + due)
        return self._cumulative.open(self._start + at, end) - self._start

    def buckets(self, at: int) -> Buckets:
        """Where the errors after rows from `at` on go."""
        error, base, width = self._error.buckets
        return Buckets(error, self._cumulative.buckets[0], base, width, self._start + at)


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
        self._tally: Tally | TwoTally
        if self._classes == 2:
            self._tally = TwoTally(window, fading)
        else:
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
        found = np.empty((2 + fading, len(y)))
        told = self._score(y, prediction, majority_correct, nochange_correct, samples, found)
        return RowScores(
            found[0], found[1], found[2] if fading else None, told.losses, told.samples
        )

    def follow(
        self,
        start: int,
        y: NDArray[Any],
        prediction: Predictions,
        majority_correct: Bools | None = None,
        nochange_correct: Bools | None = None,
        *,
        error: Series,
        cumulative: Series,
        samples: Ints | None = None,
    ) -> Followed:
        """Score the next rows, and append the errors after each to histories.

        As `update`, and appending its `window` to `error` and its `cumulative` to `cumulative`, but
        faster: the errors after each row need not be written down.

        Parameters
        ----------
        start
            Position of the first row.
        y, prediction, majority_correct, nochange_correct, samples
            As for `update`.
        error, cumulative
            Histories of the error over the window, and over all rows. They take the same rows.

        Raises
        ------
        ValueError
            As `update`, and if a history has rows from `start` on already.
        """
        if self._classes == 2 and len(y) and error.like(cumulative):
            return self._score(
                y,
                prediction,
                majority_correct,
                nochange_correct,
                samples,
                None,
                _Along(start, error, cumulative),
            )
        found = np.empty((2, len(y)))
        told = self._score(y, prediction, majority_correct, nochange_correct, samples, found)
        error.append(start, found[0])
        cumulative.append(start, found[1])
        return told

    def _score(
        self,
        y: NDArray[Any],
        prediction: Predictions,
        majority_correct: Bools | None,
        nochange_correct: Bools | None,
        samples: Ints | None,
        found: Floats | None,
        along: _Along | None = None,
    ) -> Followed:
        """Score rows; write the errors after each into `found`, or append them `along`."""
        n = len(y)
        ends = [] if samples is None else samples.tolist()
        if ends and (ends[0] < 1 or ends[-1] > n or any(a >= b for a, b in pairwise(ends))):
            raise ValueError(f"samples are wanted after 1 to {n} rows, in order")
        rows = _Rows.of(y, prediction, majority_correct, nochange_correct, self._is_classification)
        losses = np.empty(n)
        taken: list[dict[str, float | None]] = []
        at = 0
        with np.errstate(over="ignore", invalid="ignore"):
            while at < n:
                due = ends[len(taken)] if len(taken) < len(ends) else n
                end = due if along is None else along.open(at, due)
                room = None if found is None else found[:, at:end]
                if isinstance(self._tally, TwoTally):
                    buckets = None if along is None else along.buckets(at)
                    self._update_two(self._tally, rows[at:end], losses[at:end], room, buckets)
                elif room is not None:
                    room[:] = self._update(self._tally, rows[at:end], len(room) == 3)
                if end == due and len(taken) < len(ends):
                    taken.append(self.metrics("window"))
                at = end
        if self._classes != 2:
            losses = (class_losses if self._is_classification else number_losses)(
                rows.value, rows.y
            )
        return Followed(losses, taken)

    def _update_two(
        self,
        tally: TwoTally,
        rows: _Rows,
        losses: Floats,
        out: Floats | None,
        buckets: Buckets | None,
    ) -> None:
        n = len(rows.y)
        unlabelled, unanswered = tally.add(
            rows.y, rows.value, rows.proba, rows.majority, rows.nochange, losses, out, buckets
        )
        self.rows += n
        self.scored += n - unlabelled - unanswered
        self.unlabelled += unlabelled
        self.unanswered += unanswered
        self._last = tally.means()

    def _update(self, tally: Tally, rows: _Rows, fading: bool) -> Floats:
        """Add rows of another task; return the errors after each."""
        if self._is_classification:
            # The usual case is that all are scored.
            if _tally.codes_there(rows.y, rows.value, self._classes):
                scored = None
                self.rows += len(rows.y)
                self.scored += len(rows.y)
            else:
                scored = self._scored_rows(rows.y >= 0, rows.value >= 0)
                rows = rows[scored]
            logs = None if rows.proba is None else own_logs(rows.y, rows.proba)
            found = tally.add_classes(
                rows.y, rows.value, rows.proba, logs, rows.majority, rows.nochange, fading
            )
            return self._told(tally, found, scored)
        scored = self._scored_rows(np.isfinite(rows.y), np.isfinite(rows.value))
        if not scored.all():
            rows = rows[scored]
        if math.isnan(self._origin) and len(rows.y):
            self._origin = float(rows.y[0])
        found = tally.add_numbers(rows.y, rows.value, self._origin, fading)
        return self._told(tally, found, scored)

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

    def _told(self, tally: Tally, found: Floats, scored: Bools | None) -> Floats:
        """Tell the errors after the rows that were just added.

        `scored`: which of the rows asked for these are; None for all.
        """
        n = found.shape[1]
        if n:
            window, cumulative = found[:2, -1].tolist()
            self._last = (window, cumulative, tally.fading())
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
        tally = self._tally
        if isinstance(tally, TwoTally):
            return {**of_two_classes(tally.of_window().tolist()), "roc_auc": tally.curve()}
        return summary.totals(tally.of_window()).metrics()

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
