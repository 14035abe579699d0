"""Curves, calibration, confusion and residuals of a tested model, from one number per row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modellab.evaluation.formulas import area_under_curve
from modellab.evaluation.testing_values import (
    Calibration,
    CalibrationBin,
    Confusion,
    Curve,
    Histogram,
    Residuals,
)
from modellab.experiment import stream_rng

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

CURVE_POINTS = 200
CLASSES_SHOWN = 10
CONFUSION_CLASSES = 30
CALIBRATION_BINS = 10
SAMPLE_ROWS = 2000
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def shown_classes(counts: Ints) -> list[int]:
    """Codes of the classes that get a curve: of two the second, else the most frequent ones."""
    if len(counts) == 2:
        return [1]
    order = np.argsort(-counts, kind="stable")[:CLASSES_SHOWN]
    return sorted(int(code) for code in order if counts[code] > 0)


def curves(label: str, positive: NDArray[np.bool_], score: Floats) -> tuple[Curve, Curve] | None:
    """ROC and precision-recall curve of one class against the rest.

    Parameters
    ----------
    label
        Name of the class.
    positive, score
        (n,) whether a row is of the class, and the probability given to it.

    Returns
    -------
    Both curves with at most 200 points each; None where all rows are of one kind.
    """
    area = area_under_curve(positive, score)
    if area is None:
        return None
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

    false_rate, true_rate, _ = roc_curve(positive, score)
    precision, recall, _ = precision_recall_curve(positive, score)
    average = float(average_precision_score(positive, score))
    return (
        Curve(label, *_thinned(false_rate, true_rate), area),
        # From recall 0 on, like every other curve.
        Curve(label, *_thinned(recall[::-1], precision[::-1]), average),
    )


def _thinned(x: Floats, y: Floats) -> tuple[list[float], list[float]]:
    """At most `CURVE_POINTS` points, evenly spaced along the curve, both ends kept."""
    if len(x) > CURVE_POINTS:
        along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        wanted = np.linspace(0.0, along[-1], CURVE_POINTS)
        chosen = np.unique(np.searchsorted(along, wanted).clip(0, len(x) - 1))
        chosen[0], chosen[-1] = 0, len(x) - 1
        x, y = x[chosen], y[chosen]
    return x.tolist(), y.tolist()


def calibration(of: str, came_true: NDArray[np.bool_], probability: Floats) -> Calibration:
    """Ten bins of equal width; empty bins are left out."""
    edges = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)
    place = np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, CALIBRATION_BINS - 1)
    rows = np.bincount(place, minlength=CALIBRATION_BINS)
    predicted = np.bincount(place, weights=probability, minlength=CALIBRATION_BINS)
    observed = np.bincount(place, weights=came_true, minlength=CALIBRATION_BINS)
    bins = [
        CalibrationBin(
            float(edges[i]),
            float(edges[i + 1]),
            int(rows[i]),
            float(predicted[i] / rows[i]),
            float(observed[i] / rows[i]),
        )
        for i in np.flatnonzero(rows)
    ]
    total = int(rows.sum())
    error = float(np.abs(predicted - observed).sum() / total) if total else None
    return Calibration(of, bins, error)


def confusion(table: Ints, labels: Sequence[str]) -> Confusion:
    """The confusion matrix as lists; beyond 30 classes the rare ones are joined as "other"."""
    names = list(labels)
    if len(names) > CONFUSION_CLASSES:
        weight = table.sum(axis=0) + table.sum(axis=1)
        kept = np.sort(np.argsort(-weight, kind="stable")[: CONFUSION_CLASSES - 1])
        place = np.full(len(names), len(kept))
        place[kept] = np.arange(len(kept))
        joined = np.zeros((len(kept) + 1, len(kept) + 1), dtype=np.int64)
        np.add.at(joined, (place[:, None], place[None, :]), table)
        table, names = joined, [*(names[k] for k in kept), "other"]
    return Confusion(names, table.tolist())


def residuals(positions: Ints, true: Floats, predicted: Floats, seed: int) -> Residuals:
    """Histogram of the middle 99 % of the residuals, quantiles, and up to 2,000 seeded rows."""
    error = predicted - true
    low, high = np.quantile(error, (0.005, 0.995))
    if low == high:
        low, high = low - 0.5, high + 0.5
    inside = error[(error >= low) & (error <= high)]
    bins = int(np.clip(np.sqrt(len(error)), 5, 60))
    counts, edges = np.histogram(inside, bins=bins, range=(low, high))
    chosen = np.arange(len(error))
    if len(error) > SAMPLE_ROWS:
        drawn = stream_rng(seed, "residual sample").permutation(len(error))
        chosen = np.sort(drawn[:SAMPLE_ROWS])
    return Residuals(
        Histogram(
            edges.tolist(),
            counts.tolist(),
            int((error < low).sum()),
            int((error > high).sum()),
        ),
        [(q, float(v)) for q, v in zip(QUANTILES, np.quantile(error, QUANTILES), strict=True)],
        positions[chosen].tolist(),
        true[chosen].tolist(),
        predicted[chosen].tolist(),
    )
