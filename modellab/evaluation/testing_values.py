"""The test report as plain values: bounded in size, and JSON as it stands."""

from __future__ import annotations

from typing import Literal

import msgspec

Cell = str | bool | int | float | None


class NamedScores(msgspec.Struct, frozen=True):
    """All metrics of one contestant; `baseline` marks those that know no column."""

    name: str
    baseline: bool
    metrics: dict[str, float | None]


class Confusion(msgspec.Struct, frozen=True):
    """Counts of rows by label (outer) and prediction (inner); rare classes joined as "other"."""

    labels: list[str]
    counts: list[list[int]]


class Curve(msgspec.Struct, frozen=True):
    """A curve of one class against the rest, and the area below it.

    ROC: `x` false positive rate, `y` true positive rate. Precision-recall: `x` recall, `y`
    precision, the area is the average precision.
    """

    label: str
    x: list[float]
    y: list[float]
    area: float | None


class CalibrationBin(msgspec.Struct, frozen=True):
    """Rows with a probability in ``[low, high)``: their mean, and how often it came true."""

    low: float
    high: float
    rows: int
    predicted: float
    observed: float


class Calibration(msgspec.Struct, frozen=True):
    """Calibration over ten bins of equal width.

    Attributes
    ----------
    of
        The class whose probability is meant (two classes: the second), or ``"the answer given"``.
    error
        Mean distance of predicted and observed, weighted by rows (expected calibration error).
    """

    of: str
    bins: list[CalibrationBin]
    error: float | None


class Histogram(msgspec.Struct, frozen=True):
    """Counts between `edges`; `below` and `above` count what lies outside."""

    edges: list[float]
    counts: list[int]
    below: int
    above: int


class Residuals(msgspec.Struct, frozen=True):
    """Prediction less truth: histogram, quantiles (share and value), and a sample of rows."""

    histogram: Histogram
    quantiles: list[tuple[float, float]]
    positions: list[int]
    true: list[float]
    predicted: list[float]


class Importance(msgspec.Struct, frozen=True):
    """How much worse the model gets when one source column is shuffled: mean and spread."""

    column: str
    mean: float
    std: float


class Weight(msgspec.Struct, frozen=True):
    """A number that the model itself gives for an encoded column."""

    name: str
    value: float


class Slice(msgspec.Struct, frozen=True):
    """Rows with one value, or in one range of values, of a column.

    Attributes
    ----------
    label
        The value or range, in words.
    rows
        Number of scored rows.
    value
        Error rate, or mean absolute error.
    low, high
        95 % interval: Wilson's for rates, normal for means.
    bias
        Regression: mean of prediction less truth.
    """

    label: str
    rows: int
    value: float
    low: float
    high: float
    bias: float | None = None


class ColumnSlices(msgspec.Struct, frozen=True):
    """The error by the values of one column.

    `telling` is the share of the differences between rows' errors that the slices account for
    (between-slice sum of squares over total), in [0, 1].
    """

    column: str
    kind: str
    slices: list[Slice]
    telling: float


class WorstRow(msgspec.Struct, frozen=True):
    """A row that went badly: its position in the data set, and what was said about it.

    `probability` is what the model gave to the true class.
    """

    position: int
    true: Cell
    predicted: Cell
    loss: float
    probability: float | None = None


class TestReport(msgspec.Struct, frozen=True):
    """All that the Test page shows of one trained model.

    Attributes
    ----------
    task, classes
        ``"classification"`` or ``"regression"``; the classes as texts, in code order.
    start, stop
        The test part is rows ``[start, stop)`` of the data set.
    rows
        Rows looked at: all of them, or evenly spread pieces of a very long test part.
    scored, unlabelled, unanswered
        Rows with label and answer; without label; with label but without answer.
    metric
        What slices and importances are measured in: ``"error"`` or ``"mae"``.
    value
        That metric over all scored rows.
    scores
        The model first, then the baselines on the same rows.
    confusion, roc, precision_recall, calibration
        Classification only; the last three where the model gives probabilities.
    residuals
        Regression only.
    importance
        Permutation importance of the source columns, most important first, on `importance_rows`
        rows with `importance_repeats` shuffles each (Breiman 2001).
    coefficients
        Weights of a linear model by encoded column, largest first (at most 200).
    model_importance
        The model's own importances by encoded column, if it has any (at most 200).
    slices
        The error by the values of each column, most telling column first.
    worst
        The rows with the greatest loss.
    fit_seconds, predict_seconds
        Wall time of the fit (if told) and of predicting the rows.
    model_bytes
        Size of the model.
    warnings
        What the learner warned of while training.
    """

    __test__ = False  # not a pytest class

    task: Literal["classification", "regression"]
    classes: list[str]
    start: int
    stop: int
    rows: int
    scored: int
    unlabelled: int
    unanswered: int
    metric: Literal["error", "mae"]
    value: float | None
    scores: list[NamedScores]
    confusion: Confusion | None = None
    roc: list[Curve] = []
    precision_recall: list[Curve] = []
    calibration: Calibration | None = None
    residuals: Residuals | None = None
    importance: list[Importance] = []
    importance_rows: int = 0
    importance_repeats: int = 0
    coefficients: list[Weight] = []
    model_importance: list[Weight] = []
    slices: list[ColumnSlices] = []
    worst: list[WorstRow] = []
    fit_seconds: float | None = None
    predict_seconds: float = 0.0
    model_bytes: int = 0
    warnings: list[str] = []
