"""Rows that equal an earlier one in every column, counted in bounded time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.arrow import Array, arrow
from modellab.data.segments import BATCH_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from modellab.data.store import Store

LOOKED_ROWS = 2**20
"""At most so many rows are looked at: all of them, or evenly spaced stretches."""
_STRETCH = 2**14
_SAMPLE_ROWS = 2**15
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MISSING = np.uint64(0x5851F42D4C957F2D)


class DuplicateRows(msgspec.Struct, frozen=True):
    """How many of the rows looked at are there again.

    Attributes
    ----------
    count, looked
        Rows that equal an earlier one of those looked at, and how many these are.
    first, of
        The first such row, and the row that it equals; None if there is none.
    by_chance
        How many would be expected if the columns had nothing to do with each other: few columns of
        few values make many equal rows.
    """

    count: int
    looked: int
    first: int | None = None
    of: int | None = None
    by_chance: float = 0.0


def duplicate_rows(store: Store) -> DuplicateRows:
    """Count rows that equal an earlier one in all columns, by hashes of 64 bits.

    Two missing values are equal. Of more than `LOOKED_ROWS` rows, evenly spaced stretches are
    looked at, so that what is delivered twice within a stretch is found, and less of what lies far
    apart.
    """
    hashes, places = [], []
    stretches = list(_stretches(store.n_rows))
    step = -(-sum(stop - start for start, stop in stretches) // _SAMPLE_ROWS)
    samples: list[list[NDArray[np.uint64]]] = []
    for start, stop in stretches:
        table = store.read(start, stop)
        found = np.zeros(stop - start, np.uint64)
        columns = [_hashed(column.combine_chunks()) for column in table.columns]
        samples.append([column[::step] for column in columns])
        for column in columns:
            found = _mixed(found ^ column)
        hashes.append(found)
        places.append(np.arange(start, stop))
    if not hashes:
        return DuplicateRows(0, 0)
    all_hashes, rows = np.concatenate(hashes), np.concatenate(places)
    order = np.argsort(all_hashes, kind="stable")
    ordered = all_hashes[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    if not len(same):
        return DuplicateRows(0, len(rows))
    # Stable: of equal ones the earlier row stands first.
    first = same[np.argmin(order[same])]
    begin = int(np.searchsorted(ordered, ordered[first]))
    pairs = len(rows) * (len(rows) - 1) / 2
    chance = pairs * float(
        np.prod([_alike(np.concatenate(parts)) for parts in zip(*samples, strict=True)])
    )
    where = int(rows[order[first]]), int(rows[order[begin]])
    return DuplicateRows(len(same), len(rows), *where, by_chance=chance)


def _alike(values: NDArray[np.uint64]) -> float:
    """How probable it is that two of these values are equal."""
    _, counts = np.unique(values, return_counts=True)
    pairs = len(values) * (len(values) - 1)
    return float((counts * (counts - 1)).sum() / pairs) if pairs else 0.0


def _stretches(rows: int) -> Iterator[tuple[int, int]]:
    if rows <= LOOKED_ROWS:
        for start in range(0, rows, BATCH_ROWS):
            yield start, min(start + BATCH_ROWS, rows)
        return
    count = max(1, LOOKED_ROWS // _STRETCH)
    for number in range(count):
        start = (rows - _STRETCH) * number // max(count - 1, 1)
        yield start, start + _STRETCH


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = values * _MULTIPLIER
    return mixed ^ (mixed >> np.uint64(29))


def _hashed(values: Array) -> NDArray[np.uint64]:
    """A number for each value, the same for equal ones."""
    pa, pc = arrow()
    t, kind = pa.types, values.type
    missing = values.is_null().to_numpy(zero_copy_only=False) if values.null_count else None
    numbers: NDArray[Any]
    if t.is_dictionary(kind):
        numbers = values.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
    elif t.is_floating(kind):
        # Adding zero makes one zero of two.
        floats = values.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0
        numbers = floats.astype(np.float64).view(np.uint64)
    elif t.is_timestamp(kind):
        numbers = pc.cast(values, pa.int64()).fill_null(0).to_numpy().view(np.uint64)
    elif t.is_boolean(kind):
        numbers = pc.cast(values, pa.uint8()).fill_null(0).to_numpy().astype(np.uint64)
    else:
        import pandas as pd

        texts = values.fill_null("").to_numpy(zero_copy_only=False).astype(object)
        numbers = pd.util.hash_array(texts, categorize=False)
    mixed = _mixed(numbers + np.uint64(1))
    return mixed if missing is None else np.where(missing, _MISSING, mixed)
