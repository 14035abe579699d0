"""Marks too near each other to be told apart are one sign with a number; thousands are cheap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from modellab.gui.plots.parts import Mark

SIGN_PIXELS, DRAG_PIXELS = 12.0, 16.0
"""Signs of one kind that stand nearer than this are one; for changes, each to the one before."""
CROWDED = 4.0
"""Where some are one, all of their kind are cut into pieces so many times as wide: there is room
for a number. Pieces are powers of two, so that they stay in place while the view is zoomed.
"""
ARROW = " \N{RIGHTWARDS ARROW} "


@dataclass(frozen=True)
class Group:
    """Marks that are one sign: the first and the last of them, and how many they are."""

    first: Mark
    last: Mark
    count: int = 1
    strong: bool = True
    """Whether one of them is of the selected lane, or of all."""

    def text(self) -> str:
        """Return the words of all: ``learning rate 0.01 → 1`` for steps between the two."""
        first, last = self.first.text, self.last.text
        if self.count > 1 and ARROW in first and ARROW in last:
            return first.split(ARROW)[0] + ARROW + last.split(ARROW)[-1]
        return last


def _key(mark: Mark) -> tuple[str, str, str]:
    if mark.kind == "drift":
        return mark.kind, "", ""  # an alarm is an alarm, whatever the lane
    return mark.kind, mark.lane, mark.what


class MarkGroups:
    """Marks in order of position, ready to be grouped again and again as the view moves.

    Changes of one setting of one lane make a group while each is close to the one before: a handle
    that was dragged is one change from where it was to where it came to rest. Others are grouped
    by rows, so that signs stand still while the view moves.

    Parameters
    ----------
    marks
        The marks.
    before
        What was made of the first of them: only those that came since are looked at.
    """

    def __init__(self, marks: Sequence[Mark], before: MarkGroups | None = None) -> None:
        self.marks = list(marks)
        known = 0
        self._keys: dict[tuple[str, str, str], int] = {}
        told: NDArray[np.float64] = np.empty((4, 0))
        if before is not None and 0 < len(before.marks) <= len(marks):
            last = len(before.marks) - 1
            if marks[last] is before.marks[last] and marks[0] is before.marks[0]:
                known, self._keys, told = last + 1, before._keys, before._told
        keys = self._keys
        new = [
            (keys.setdefault(_key(m), len(keys)), m.position, m.kind == "change", m.strong)
            for m in self.marks[known:]
        ]
        if new:
            told = np.concatenate([told, np.array(new, np.float64).T], axis=1)
        self._told: NDArray[np.float64] = told
        self._order = np.lexsort((told[1], told[0]))
        ordered = told[:, self._order]
        self._group, self._at = ordered[0], ordered[1]
        self._drag, self._strong = ordered[2] != 0, ordered[3] != 0

    def groups(
        self, x_of: Callable[[float], float], low: float = -math.inf, high: float = math.inf
    ) -> list[Group]:
        """Return the groups whose marks lie within pixels `low` to `high`, by their last mark.

        Parameters
        ----------
        x_of
            The pixel of a row; of many rows when it is given an array (a straight line).
        """
        if not self.marks:
            return []
        x = np.asarray(x_of(self._at))
        inside = np.flatnonzero((x >= low) & (x <= high))
        if not len(inside):
            return []
        x, at, group = x[inside], self._at[inside], self._group[inside]
        per_row = max((x_of(1e6) - x_of(0.0)) / 1e6, 1e-12)
        rows = 2.0 ** math.ceil(math.log2(SIGN_PIXELS / per_row))
        drag = self._drag[inside]
        same = group[1:] == group[:-1]
        place = np.floor(at / rows)
        crowded = group[1:][same & ~drag[1:] & (place[1:] == place[:-1])]
        if len(crowded):
            place = np.where(np.isin(group, crowded), np.floor(at / (CROWDED * rows)), place)
        far = np.where(drag[1:], np.diff(x) >= DRAG_PIXELS, place[1:] != place[:-1])
        begins = np.flatnonzero(np.append(True, far | ~same))
        ends = np.append(begins[1:], len(x)) - 1
        strong = np.logical_or.reduceat(self._strong[inside], begins)
        number = self._order[inside]
        found = [
            Group(self.marks[number[a]], self.marks[number[b]], b - a + 1, own)
            for a, b, own in zip(begins.tolist(), ends.tolist(), strong.tolist(), strict=True)
        ]
        found.sort(key=lambda g: g.last.position)
        return found
