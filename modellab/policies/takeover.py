"""Whether one model is better than another on the same rows: the test before a takeover."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modellab.learners.base import Floats


def takeover_p(differences: Floats, margin: float) -> float:
    """One-sided p-value that the mean difference of losses exceeds `margin`.

    Losses of neighbouring rows depend on each other, so the test is that of batch means: the
    differences (n,) are cut into about ``sqrt(n)`` tiles of as many rows, whose means are tested
    with Student's t (Law and Kelton 2000, chapter 9).
    """
    from scipy.stats import t

    size = max(1, math.isqrt(len(differences)))
    count = len(differences) // size
    if count < 2:
        return 1.0
    tiles = differences[len(differences) - size * count :].reshape(count, size).mean(axis=1)
    mean = float(tiles.mean()) - margin
    spread = float(tiles.std(ddof=1)) / math.sqrt(count)
    if spread == 0.0:
        return 0.0 if mean > 0.0 else 1.0
    return float(t.sf(mean / spread, count - 1))
