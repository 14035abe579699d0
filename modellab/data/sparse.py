"""Encoded rows that are mostly zeros: what text columns become.

A table of 100,000 hashed words is never written out: every row keeps the columns that are not zero
(compressed sparse rows). Slices, masks and positions give rows of the same kind, as arrays do, so
that replay and policies handle both alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class SparseRows:
    """Rows of a sparse table.

    Parameters
    ----------
    values, columns
        The cells that are not zero, row by row, columns in increasing order: float64 and int32.
    ends
        int64 (n + 1,): row *i* has the cells ``ends[i]`` to ``ends[i + 1]``, less ``ends[0]``.
    width
        Number of columns.
    dense
        The first `dense` columns are those of numbers, categories and times; the rest are words.
    """

    __slots__ = ("columns", "dense", "ends", "values", "width")

    def __init__(
        self,
        values: Floats,
        columns: NDArray[np.int32],
        ends: NDArray[np.int64],
        width: int,
        dense: int,
    ) -> None:
        self.values, self.columns, self.ends = values, columns, ends
        self.width, self.dense = width, dense

    def __len__(self) -> int:
        return len(self.ends) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), self.width

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return int(self.values.nbytes + self.columns.nbytes + self.ends.nbytes)

    def __getitem__(self, which: slice | NDArray[Any]) -> SparseRows:
        """Rows of a slice (a view), of a boolean mask, or at positions."""
        if isinstance(which, slice):
            start, stop, step = which.indices(len(self))
            if step == 1:
                stop = max(start, stop)
                first, last = int(self.ends[start]), int(self.ends[stop])
                return SparseRows(
                    self.values[first:last],
                    self.columns[first:last],
                    self.ends[start : stop + 1] - first,
                    self.width,
                    self.dense,
                )
            which = np.arange(start, stop, step)
        at = np.asarray(which)
        if at.dtype == np.bool_:
            at = np.flatnonzero(at)
        lengths = self.ends[at + 1] - self.ends[at]
        ends = np.zeros(len(at) + 1, np.int64)
        np.cumsum(lengths, out=ends[1:])
        cells = np.repeat(self.ends[at] - ends[:-1], lengths) + np.arange(ends[-1])
        return SparseRows(self.values[cells], self.columns[cells], ends, self.width, self.dense)

    def csr(self) -> Any:
        """Return the rows as scipy's ``csr_matrix`` (n, width), sharing the cells."""
        from scipy import sparse

        return sparse.csr_matrix((self.values, self.columns, self.ends), shape=self.shape)


def join_rows(parts: Sequence[SparseRows]) -> SparseRows:
    """Put consecutive rows together; there must be at least one part."""
    if len(parts) == 1:
        return parts[0]
    ends = [np.zeros(1, np.int64)]
    at = 0
    for part in parts:
        ends.append(part.ends[1:] + at)
        at += int(part.ends[-1])
    return SparseRows(
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.columns for p in parts]),
        np.concatenate(ends),
        parts[0].width,
        parts[0].dense,
    )


def beside(left: Floats, right: Sequence[Any]) -> SparseRows:
    """Put a dense table (n, d) and sparse ones (scipy CSR, n rows each) side by side."""
    from scipy import sparse

    whole = sparse.hstack([sparse.csr_matrix(left), *right], format="csr", dtype=np.float64)
    whole.sort_indices()
    return SparseRows(
        whole.data,
        whole.indices.astype(np.int32, copy=False),
        whole.indptr.astype(np.int64),
        whole.shape[1],
        left.shape[1],
    )


def shuffled(rows: SparseRows, part: slice, order: NDArray[np.int64]) -> SparseRows:
    """Rows whose columns `part` are those of the rows `order` (a permutation)."""
    from scipy import sparse

    whole = rows.csr()
    parts = [whole[:, : part.start], whole[order][:, part], whole[:, part.stop :]]
    mixed = sparse.hstack(parts, format="csr", dtype=np.float64)
    mixed.sort_indices()
    ends = mixed.indptr.astype(np.int64)
    columns = mixed.indices.astype(np.int32, copy=False)
    return SparseRows(mixed.data, columns, ends, rows.width, rows.dense)


def as_matrix(rows: Any) -> Any:
    """Rows as scikit-learn takes them: a float64 array, or a scipy matrix of sparse ones."""
    return rows.csr() if isinstance(rows, SparseRows) else np.asarray(rows, dtype=np.float64)
