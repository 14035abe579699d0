"""A test report in words: what every score means, and how a model stands against the baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from modellab.gui.kit import number_text, short_number

if TYPE_CHECKING:
    from modellab.evaluation.testing_values import NamedScores, TestReport


@dataclass(frozen=True)
class MetricWords:
    """How a metric is shown.

    Attributes
    ----------
    title, plain
        Its name, and what it says in plain words.
    exact
        The exact definition.
    better
        Whether low or high values are better; ``zero``: near nought.
    percent
        Whether it is a share, shown in per cent.
    """

    title: str
    plain: str
    exact: str
    better: Literal["low", "high", "zero"]
    percent: bool = False


METRICS: dict[str, MetricWords] = {
    "error": MetricWords(
        "Error rate", "Share of rows answered wrong.", "wrong / all", "low", percent=True
    ),
    "accuracy": MetricWords(
        "Accuracy", "Share of rows answered right.", "right / all", "high", percent=True
    ),
    "balanced_accuracy": MetricWords(
        "Balanced accuracy",
        "Share answered right, every class counting the same, however rare it is.",
        "mean of the recalls of all classes",
        "high",
        percent=True,
    ),
    "f1_macro": MetricWords(
        "F1 (macro)",
        "Balance of finding a class and being right about it, every class counting the same.",
        "mean over classes of 2·precision·recall / (precision + recall)",
        "high",
    ),
    "f1_weighted": MetricWords(
        "F1 (weighted)",
        "Balance of finding a class and being right about it, classes counting by their rows.",
        "mean over classes of F1, weighted by rows",
        "high",
    ),
    "precision": MetricWords(
        "Precision",
        "When it names a class: how often that is right.",
        "right / named; of the second class where there are two, else the mean over classes",
        "high",
        percent=True,
    ),
    "recall": MetricWords(
        "Recall",
        "Of the rows of a class: how many are found.",
        "found / there; of the second class where there are two, else the mean over classes",
        "high",
        percent=True,
    ),
    "log_loss": MetricWords(
        "Log loss",
        "How far the probabilities are off; being sure and wrong costs most.",
        "mean of −ln(probability of the true class), clipped to [1e−15, 1 − 1e−15]",
        "low",
    ),
    "brier": MetricWords(
        "Brier score",
        "Squared distance of the probabilities from what happened.",
        "mean squared error of the probabilities",
        "low",
    ),
    "roc_auc": MetricWords(
        "ROC AUC",
        "Chance that a row of the class gets a higher probability than a row that is not.",
        "area under the ROC curve; 0.5 is guessing",
        "high",
    ),
    "kappa": MetricWords(
        "Cohen’s kappa",
        "How much better than chance with the same answers: 0 is chance, 1 perfect.",
        "(accuracy − chance) / (1 − chance)",
        "high",
    ),
    "kappa_m": MetricWords(
        "Kappa-M",
        "How much better than always naming the most frequent class: 0 is no better.",
        "(accuracy − majority’s) / (1 − majority’s), Bifet et al. 2015",
        "high",
    ),
    "kappa_temporal": MetricWords(
        "Kappa-temporal",
        "How much better than repeating the last label: 0 is no better.",
        "(accuracy − no-change’s) / (1 − no-change’s), Žliobaitė et al. 2015",
        "high",
    ),
    "mae": MetricWords(
        "Mean absolute error",
        "How far off a prediction is on average, in the target’s own unit.",
        "mean of |prediction − truth|",
        "low",
    ),
    "rmse": MetricWords(
        "Root mean squared error",
        "How far off, large misses counting more, in the target’s own unit.",
        "square root of the mean of (prediction − truth)²",
        "low",
    ),
    "r2": MetricWords(
        "R²",
        "Share of the target’s ups and downs that is explained: 1 is all, 0 none.",
        "1 − squared error / squared deviation from the mean",
        "high",
    ),
    "bias": MetricWords(
        "Bias",
        "Whether predictions are too high (above 0) or too low on average.",
        "mean of prediction − truth",
        "zero",
    ),
}


def metric_words(name: str) -> MetricWords:
    """Return the words of a metric; an unknown one is told by its name."""
    known = METRICS.get(name)
    return known or MetricWords(name.replace("_", " "), "", "", "low")


def score_text(name: str, value: float | None) -> str:
    """Return a score as it is shown."""
    if value is None:
        return "–"
    if metric_words(name).percent:
        return f"{number_text(value * 100, 2)} %"
    return number_text(value, 3) if abs(value) < 1000 else short_number(value, 6)


def difference_text(name: str, value: float | None, other: float | None) -> str:
    """Return how much `value` differs from `other`, with its sign; points for shares."""
    if value is None or other is None:
        return ""
    gap = value - other
    if metric_words(name).percent:
        return f"{number_text(gap * 100, 2, signed=True)} points"
    return number_text(gap, 3, signed=True) if abs(gap) < 1000 else short_number(gap)


def is_better(name: str, value: float | None, other: float | None) -> bool | None:
    """Return whether `value` is better than `other`; None when that cannot be said."""
    if value is None or other is None or value == other:
        return None
    better = metric_words(name).better
    if better == "zero":
        return abs(value) < abs(other)
    return value < other if better == "low" else value > other


@dataclass(frozen=True)
class Headline:
    """One number for a model: as shown, in words, and against the best baseline."""

    value: str
    words: str
    against: str
    better: bool | None = None


def best_baseline(report: TestReport) -> NamedScores | None:
    """Return the baseline with the best headline score."""
    known = [s for s in report.scores if s.baseline and s.metrics.get(report.metric) is not None]
    return min(known, key=lambda s: s.metrics[report.metric] or 0.0, default=None)


def headline(report: TestReport) -> Headline:
    """Return a model's headline: error rate or mean absolute error on the test part."""
    name = report.metric
    shown = score_text(name, report.value)
    words = f"{metric_words(name).title} {shown} on {report.scored:,} test rows"
    best = best_baseline(report)
    if best is None or report.value is None:
        return Headline(shown, words, "")
    other = best.metrics[name]
    gap = difference_text(name, report.value, other)
    told = f"{gap} vs {best.name.lower()}"
    better = is_better(name, report.value, other)
    if other is not None and abs(report.value - other) <= 2 * _noise(report):
        better = None
    return Headline(shown, f"{words}; {best.name} has {score_text(name, other)}", told, better)


def score_rows(report: TestReport) -> list[tuple[str, str]]:
    """Return the model's scores as (title, text), those that are known."""
    own = report.scores[0].metrics if report.scores else {}
    return [
        (metric_words(name).title, score_text(name, value))
        for name, value in own.items()
        if value is not None
    ]


def _noise(report: TestReport) -> float:
    """Return the standard error of the difference of two independent scores on so many rows."""
    value, rows = report.value or 0.0, max(1, report.scored)
    if report.metric == "error":
        spread = value * (1 - value)
    else:
        own = report.scores[0].metrics if report.scores else {}
        spread = max(0.0, (own.get("rmse") or 0.0) ** 2 - value**2)
    return (2 * spread / rows) ** 0.5


def verdict(report: TestReport) -> tuple[str, str]:
    """Return how the model stands against the best baseline: severity, and a sentence."""
    best = best_baseline(report)
    if report.value is None or report.scored == 0:
        return "warning", "No test row could be scored."
    if best is None:
        return "info", ""
    other = best.metrics[report.metric]
    own, base = score_text(report.metric, report.value), score_text(report.metric, other)
    name = best.name.lower()
    if other is not None and abs(report.value - other) <= 2 * _noise(report):
        return (
            "info",
            f"About as good as the baseline “{name}”: {own} against {base} may be chance.",
        )
    if is_better(report.metric, report.value, other):
        return "ok", f"Better than the baseline “{name}”: {own} against {base}."
    if report.value == other:
        return "warning", f"No better than the baseline “{name}”: both have {own}."
    return "warning", f"Worse than the baseline “{name}”: {own} against {base}."
