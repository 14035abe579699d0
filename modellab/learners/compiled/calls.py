"""What the calls of all compiled learners share: the cells of sparse rows, and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.data.sparse import SparseRows

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


def check_arrivals(upto: Ints, rows: int, learn_rows: int, labels: int, every: int = 1) -> None:
    """Check what a compiled loop is to go over (see `PrequentialLearner.run`).

    Parameters
    ----------
    upto
        So many labelled rows have arrived once each row was predicted, (rows,).
    rows, learn_rows, labels
        How many there are.
    every
        The number of rows of an update.

    Raises
    ------
    ValueError
        If shapes do not fit, `upto` decreases or points beyond the labelled rows, or `every` is
        below 1.
    """
    if every < 1 or labels != learn_rows or upto.shape != (rows,):
        raise ValueError("labels or arrivals do not fit the rows")
    if len(upto) and (upto[0] < 0 or upto[-1] > learn_rows or bool((upto[1:] < upto[:-1]).any())):
        raise ValueError("upto must not decrease or point beyond the labelled rows")


def cells(rows: SparseRows) -> tuple[Floats, NDArray[np.int32], Ints]:
    """Values, columns and ends of sparse rows, as the compiled loops take them."""
    return (
        np.ascontiguousarray(rows.values, np.float64),
        np.ascontiguousarray(rows.columns, np.int32),
        np.ascontiguousarray(rows.ends, np.int64),
    )


def check_cells(rows: SparseRows, labels: int) -> None:
    """Raise ValueError where rows of a state point beyond what there is."""
    ends, columns = rows.ends, rows.columns
    fits = (
        len(ends) == labels + 1
        and ends[0] == 0
        and ends[-1] == len(columns) == len(rows.values)
        and bool((np.diff(ends) >= 0).all())
        and (not len(columns) or 0 <= columns.min() <= columns.max() < rows.width)
    )
    if not fits:
        raise ValueError("the rows that wait do not fit")
