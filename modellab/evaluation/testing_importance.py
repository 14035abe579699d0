"""Which columns matter: how much worse the model gets when one column is shuffled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.sparse import SparseRows, shuffled
from modellab.evaluation.testing_values import Importance
from modellab.experiment import stream_rng

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 5000
REPEATS = 5
LEAST_ROWS = 200
LIGHT_PREDICTIONS = 2_000_000
HEAVY_PREDICTIONS = 20_000
"""So many rows are predicted at most, in all, for learners that predict fast or slowly."""

Loss = Callable[[Any, "NDArray[Any]"], float]


def rows_wanted(columns: int, repeats: int, heavy: bool) -> int:
    """Rows to shuffle, so that the work stays bounded whatever the number of columns."""
    budget = HEAVY_PREDICTIONS if heavy else LIGHT_PREDICTIONS
    return int(np.clip(budget // max(1, columns * repeats), LEAST_ROWS, ROWS))


def permutation_importance(
    predict: Callable[[Any], Any],
    rows: Any,
    y: NDArray[Any],
    loss: Loss,
    groups: Mapping[str, slice],
    names: Sequence[str],
    *,
    seed: int,
    repeats: int = REPEATS,
    progress: Callable[[float, float, str], None],
) -> list[Importance]:
    """Permutation importance of source columns (Breiman 2001), most important first.

    The encoded columns of one source column are shuffled together, so that what the encoder made
    of it stays consistent.

    Parameters
    ----------
    predict
        Gives predictions for rows.
    rows, y
        float64 (n, d) or n dicts, and their labels.
    loss
        Mean loss of predictions against labels.
    groups
        Source column -> its encoded columns, as slices of `names`.
    names
        Encoded columns (the keys of dicts).
    seed
        Seed of the shuffles; each (column, repeat) has its own.
    progress
        Called before each column.
    """
    base = loss(predict(rows), y)
    found = []
    columns = [(name, part) for name, part in groups.items() if part.stop > part.start]
    for number, (name, part) in enumerate(columns):
        progress(number, len(columns), "Shuffling columns to see which matter")
        changes = []
        for repeat in range(repeats):
            # Keyed by the column's name, so that another column more changes nothing.
            order = stream_rng(seed, f"importance {name}", repeat).permutation(len(y))
            changes.append(loss(predict(_shuffled(rows, part, names, order)), y) - base)
        found.append(Importance(name, float(np.mean(changes)), float(np.std(changes))))
    return sorted(found, key=lambda item: -item.mean)


def _shuffled(rows: Any, part: slice, names: Sequence[str], order: NDArray[np.int64]) -> Any:
    if isinstance(rows, SparseRows):
        return shuffled(rows, part, order)
    if isinstance(rows, np.ndarray):
        changed = rows.copy()
        changed[:, part] = rows[order][:, part]
        return changed
    keys = names[part]
    return [
        {**row, **{key: rows[other][key] for key in keys}}
        for row, other in zip(rows, order.tolist(), strict=True)
    ]
