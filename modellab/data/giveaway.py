"""Columns that give the target away: one column alone predicts it almost perfectly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.arrow import arrow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from modellab.data.dataset import Dataset

_BLOCKS = 64
_BLOCK_ROWS = 1024
_BINS = 256
_MIN_ROWS = 200
SURE_CLASSES = 0.95
"""Share of the majority class's errors that one column must avoid."""
SURE_NUMBERS = 0.98
"""Share of the target's variance that one column must explain."""


class GiveAway(msgspec.Struct, frozen=True):
    """A column and how well it alone predicts the target on rows it was not fitted on.

    `score` is the share of correct predictions (classification) or R2 (regression).
    """

    column: str
    score: float


def give_aways(dataset: Dataset) -> list[GiveAway]:
    """Find the features that alone predict the target almost perfectly.

    Each feature is cut into up to 256 bins of equal count (categories: their values), and each bin
    predicts its majority or mean (between the bins of a number, along the line through their
    means). Up to 64 blocks of 1,024 rows, spread over the training window
    (over the file if there is none), are used: every other block fits, the rest is scored, so that
    a column in which neighbouring rows are alike does not pass for one that knows the answer.
    """
    window = dataset.train_rows or dataset.n_rows
    blocks = list(_blocks(window))
    y = np.concatenate([dataset.labels(start, stop) for start, stop in blocks])
    tests = np.concatenate([np.full(stop - start, k % 2) for k, (start, stop) in enumerate(blocks)])
    classify = dataset.task.kind == "classification"
    known = y >= 0 if classify else np.isfinite(y)
    fit, test = known & (tests == 0), known & (tests == 1)
    if min(fit.sum(), test.sum()) < _MIN_ROWS:
        return []
    found = []
    for name in dataset.features:
        binned = _bins(dataset, name, blocks, fit)
        if binned is None:
            continue
        bins, values = binned
        if classify:
            score = _judge_classes(bins, y, fit, test)
        else:
            score = _judge_numbers(bins, values, y, fit, test)
        if score is not None:
            found.append(GiveAway(name, score))
    return sorted(found, key=lambda item: (-item.score, item.column))


def _blocks(window: int) -> Iterator[tuple[int, int]]:
    size = min(max(window // _BLOCKS, 1), _BLOCK_ROWS)
    for k in range(_BLOCKS):
        start = window * k // _BLOCKS
        if start < window:
            yield start, min(start + size, window)


def _bins(
    dataset: Dataset, name: str, blocks: list[tuple[int, int]], fit: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None] | None:
    """Bin of each row, from 0 (missing values have their own), and its number if it is one.

    None if all rows are alike, and for texts.
    """
    pa, pc = arrow()
    kind = dataset.kinds[name]
    if kind == "text":
        return None  # read by words: there is no one value that could be sorted into bins
    if kind == "boolean":
        kind = "number"
    if kind == "time":
        kind = "number"
    numbers = None
    parts = [dataset.store.column_as(name, kind, start, stop) for start, stop in blocks]
    if kind == "category":
        codes = [pc.fill_null(part.indices, -1).to_numpy(zero_copy_only=False) for part in parts]
        bins = np.concatenate(codes).astype(np.int64) + 1
    else:
        values: Any = pa.concat_arrays(parts).to_numpy(zero_copy_only=False)
        there = values[fit & ~np.isnan(values)]
        if not len(there):
            return None
        edges = np.unique(np.quantile(there, np.linspace(0, 1, _BINS + 1), method="lower"))
        bins = np.searchsorted(edges, values, side="right") + 1
        bins[np.isnan(values)] = 0
        numbers = np.asarray(values, np.float64)
    if bins.min() == bins.max():
        return None
    # Identifiers would have more bins than a table of counts should hold.
    _, dense = np.unique(bins, return_inverse=True)
    return np.asarray(dense, np.int64), numbers


def _judge_classes(
    bins: NDArray[np.int64], y: NDArray[Any], fit: NDArray[np.bool_], test: NDArray[np.bool_]
) -> float | None:
    classes, codes = np.unique(y, return_inverse=True)
    k = len(classes)
    counts = np.bincount(bins[fit] * k + codes[fit], minlength=(bins.max() + 1) * k)
    table = counts.reshape(-1, k)
    total = table.sum(axis=0)
    best = np.where(table.any(axis=1), table.argmax(axis=1), total.argmax())
    right = float(np.mean(best[bins[test]] == codes[test]))
    majority = float(np.mean(total.argmax() == codes[test]))
    if majority >= 1 or (right - majority) / (1 - majority) < SURE_CLASSES:
        return None
    return right


def _judge_numbers(
    bins: NDArray[np.int64],
    values: NDArray[np.float64] | None,
    y: NDArray[Any],
    fit: NDArray[np.bool_],
    test: NDArray[np.bool_],
) -> float | None:
    counts = np.bincount(bins[fit], minlength=bins.max() + 1)
    filled = np.maximum(counts, 1)
    means = np.bincount(bins[fit], weights=y[fit], minlength=len(counts)) / filled
    guesses = np.where(counts > 0, means, float(y[fit].mean()))[bins]
    if values is not None:
        known = np.isfinite(values)
        inner = fit & known
        held = np.bincount(bins[inner], minlength=len(counts))
        centres = np.bincount(bins[inner], weights=values[inner], minlength=len(counts))
        at = held > 0
        line = np.interp(values[known], centres[at] / held[at], means[at])
        guesses[known] = line
    spread = float(np.square(y[test] - y[test].mean()).sum())
    if spread <= 0:
        return None
    score = 1 - float(np.square(y[test] - guesses[test]).sum()) / spread
    return score if score >= SURE_NUMBERS else None
