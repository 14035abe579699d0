"""Forgetting: how much worse a lane has become on a fixed set of old rows.

A memory set is chosen once from the training window and scored now and then without learning from
it. ``forgetting = best score so far - score now``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.experiment import stream_rng

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from modellab.data.task import Task
    from modellab.evaluation.losses import Predictions

    Ints = NDArray[np.int64]

_PIECE = 65_536
_SPARE = (
    8  # candidates for each row of a regression's set, from which the spread of labels is taken
)


def choose_memory_set(
    task: Task,
    labels: Callable[[int, int], NDArray[Any]],
    start: int,
    stop: int,
    rows: int,
    seed: int,
) -> Ints:
    """Choose a memory set from the labelled rows [start, stop), stratified by label.

    Each class has its share of the window (rounded by largest remainders, but at least one row of
    every class as far as there is room); for regression the set is spread evenly over the order of
    the labels of a larger random sample. Random numbers are keyed by seed and position, and memory
    is bounded.

    Parameters
    ----------
    task
        The task.
    labels
        ``labels(start, stop)``: int64 codes, -1 missing; or float64, missing where not finite.
    start, stop
        The training window.
    rows
        At most so many rows are chosen.
    seed
        The experiment's seed.

    Returns
    -------
    Positions, int64 (m,), increasing.
    """
    classes = task.n_classes if task.kind == "classification" else 1
    limit = rows if task.kind == "classification" else rows * _SPARE
    counts = np.zeros(classes, dtype=np.int64)
    keys, at, y = np.empty(0), np.empty(0, dtype=np.int64), np.empty(0)
    for low in range(start, stop, _PIECE):
        piece = labels(low, min(low + _PIECE, stop))
        present = np.isfinite(piece) if task.kind == "regression" else piece >= 0
        strata = np.where(present, piece, 0).astype(np.int64) if classes > 1 else present * 0
        counts += np.bincount(strata[present], minlength=classes)
        drawn = stream_rng(seed, "memory set", low).random(len(piece))
        keys = np.concatenate([keys, drawn[present]])
        at = np.concatenate([at, np.flatnonzero(present) + low])
        y = np.concatenate([y, piece[present]])
        # Of each class, the rows with the smallest keys stay.
        kept = _smallest(keys, y if classes > 1 else np.zeros(len(y)), limit)
        keys, at, y = keys[kept], at[kept], y[kept]
    if rows <= 0 or not len(at):
        return np.empty(0, dtype=np.int64)
    if task.kind == "regression":
        order = np.lexsort([at, y])
        take = min(rows, len(order))
        # The middle of each of `take` equal parts.
        middles = (2 * np.arange(take) + 1) * len(order) // (2 * take)
        return np.sort(at[order[middles]])
    shares = _shares(counts, min(rows, int(counts.sum())))
    order = np.lexsort([keys, y])
    ordered = y[order].astype(np.int64)
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return np.sort(at[order[rank < shares[ordered]]])


def _smallest(keys: NDArray[np.float64], strata: NDArray[Any], limit: int) -> Ints:
    """Indices of the `limit` smallest keys of each stratum, in order of index."""
    order = np.lexsort([keys, strata])
    ordered = strata[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    kept: Ints = np.sort(order[rank < limit])
    return kept


def _shares(counts: Ints, rows: int) -> Ints:
    """How many of `rows` fall to each class, by largest remainders, never 0 if there is room."""
    exact = counts * (rows / max(1, int(counts.sum())))
    shares: Ints = np.floor(exact).astype(np.int64)
    present = np.flatnonzero(counts)
    if len(present) <= rows:
        shares[present] = np.maximum(shares[present], 1)
    by_remainder = np.lexsort([np.arange(len(counts)), shares - exact])
    for k in by_remainder[: max(0, rows - int(shares.sum()))].tolist():
        shares[k] += shares[k] < counts[k]
    while shares.sum() > rows:  # the rows given to rare classes come from the largest
        shares[np.argmax(shares)] -= 1
    return shares


def score(task: Task, y: NDArray[Any], prediction: Predictions) -> float | None:
    """Score on a memory set, the higher the better; None without rows.

    Accuracy, where an unanswered row counts as wrong; for regression, minus the mean absolute error
    of the answered rows.
    """
    if task.kind == "classification":
        right = int(np.count_nonzero(np.asarray(prediction.value) == y))
        return right / len(y) if len(y) else None
    answered = np.isfinite(prediction.value)
    if not answered.any():
        return None
    with np.errstate(over="ignore"):
        return -float(np.mean(np.abs(prediction.value[answered] - y[answered])))


class Forgetting:
    """Keeps the best and the present score of one lane on the memory set.

    Parameters
    ----------
    every
        The set is scored at positions that are multiples of this.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.best: float | None = None
        self.now: float | None = None
        self.position: int | None = None
        """Where the set was scored last."""

    def next_due(self, position: int) -> int:
        """Return the first position from `position` on at which the set is to be scored."""
        return -(-position // self.every) * self.every

    def record(self, position: int, value: float | None) -> float | None:
        """Take in a score and return the forgetting."""
        self.position = position
        self.now = value if value is not None and math.isfinite(value) else None
        if self.now is not None and (self.best is None or self.now > self.best):
            self.best = self.now
        return self.value

    @property
    def value(self) -> float | None:
        """Best score so far minus the score now; None as long as there is none."""
        if self.best is None or self.now is None:
            return None
        return self.best - self.now

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"best": self.best, "now": self.now, "position": self.position}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        self.best, self.now, self.position = state["best"], state["now"], state["position"]
