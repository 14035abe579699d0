"""Categories whose levels have an order that the person gave (`[data.encoding]`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.categories import MISSING, OTHER, category_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from modellab.data.categories import View

    Floats = NDArray[np.float64]


class OrderedColumn:
    """A category as the place of its level, the methods of `encoding.ColumnEncoder`.

    Dense views: the place from -1 (first) to 1 (last), 0 for every other value, and a column of
    0/1 that says so. Ordinal view: the place from 0, -1 for others. Dict view: the level's name.

    Parameters
    ----------
    name
        The column.
    levels
        In order; two at least.
    """

    kind = "ordered"

    def __init__(self, name: str, levels: Sequence[str]) -> None:
        self.name = name
        self.levels = tuple(levels)
        self._place = {level: place for place, level in enumerate(self.levels)}

    def names(self, view: View) -> list[str]:
        """Return ``size`` or ``size (order)``, ``size other``."""
        if view in ("ordinal", "dict"):
            return [self.name]
        return [f"{self.name} (order)", f"{self.name} other"]

    def _places(self, column: pa.ChunkedArray[Any]) -> tuple[Floats, NDArray[np.bool_]]:
        """Place of every cell (-1: no level of the order), and which of them are missing."""
        places, missing = [np.zeros(0)], [np.zeros(0, bool)]
        for codes, dictionary in category_chunks(column):
            known = [float(self._place.get(str(level), -1)) for level in dictionary.to_pylist()]
            places.append(np.array([*known, -1.0])[codes])
            missing.append(codes < 0)
        return np.concatenate(places), np.concatenate(missing)

    def fill(self, column: pa.ChunkedArray[Any], view: View, out: Floats) -> None:
        """Write the rows."""
        places, _ = self._places(column)
        if view == "ordinal":
            out[:, 0] = places
            return
        there = places >= 0
        out[:, 0] = np.where(there, 2.0 * places / (len(self.levels) - 1) - 1.0, 0.0)
        out[:, 1] = ~there

    def values(self, column: pa.ChunkedArray[Any]) -> list[list[Any]]:
        """Return the names of the levels."""
        texts = [*self.levels, OTHER]
        places, missing = self._places(column)
        cells = zip(places.tolist(), missing.tolist(), strict=True)
        return [[MISSING if gone else texts[int(place)] for place, gone in cells]]

    def unseen(self, column: pa.ChunkedArray[Any]) -> int:
        """Count cells that hold no level of the order (missing is none)."""
        places, missing = self._places(column)
        return int(np.count_nonzero((places < 0) & ~missing))

    def state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"kind": self.kind, "name": self.name, "levels": list(self.levels)}
