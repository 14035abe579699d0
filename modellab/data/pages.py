"""Pages of encoded rows: many blocks at a time, in memory that is used again and again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_MOST = 3
_IDLE_BYTES = 2**25
_NOBODY = 3


class Page(NamedTuple):
    """Values of rows [start, stop)."""

    start: int
    stop: int
    values: NDArray[Any]


class OldPages:
    """Memory of pages that are not asked for any more. Fresh memory costs more.

    One thread at a time may use it.
    """

    def __init__(self) -> None:
        self._pages: list[NDArray[np.float64]] = []

    def add(self, values: NDArray[np.float64]) -> None:
        """Keep a page's memory until nobody has rows of it; of many, that of the last ones."""
        self._pages = [*self._pages, values][-_MOST:]

    def rest(self, pages: Iterable[NDArray[np.float64]]) -> None:
        """Keep these, too, while no rows are to come: little memory, or none."""
        for values in pages:
            self.add(values)
        if sum(values.nbytes for values in self._pages) > _IDLE_BYTES:
            self._pages.clear()

    def room(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Give memory for a page, whatever it holds."""
        for k in range(len(self._pages)):
            # Whoever has rows of it, has it: this list, `page` and the call are three.
            page = self._pages[k]
            if page.shape == shape and sys.getrefcount(page) <= _NOBODY:
                del self._pages[k]
                page.flags.writeable = True
                return page
        return np.empty(shape)


__all__ = ["OldPages", "Page"]
