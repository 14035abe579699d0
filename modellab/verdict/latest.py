"""Whether something changed in the last rows, too late for the verdict to see it.

A break in the last twentieth is beyond the search for breaks (see `breaks.SHORTEST`), and so few
rows weigh little in a mean. What can be told is whether the lane did worse there than in any
twentieth before, by more than these vary: their spread holds what comes in runs, unless the runs
are longer than a twentieth (then about one caveat in twenty is a false one).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modellab.evaluation.paired import Floats, LossArrays

PARTS = 20
FEWEST_ROWS = 30
LEVEL = 0.001
WORSE = 1.2
"""It must have been so many times the loss before: less is not worth a caveat."""


@dataclass(frozen=True)
class Latest:
    """Mean losses in the last twentieth, `rows` of them, and before; from row `start` on."""

    start: int
    rows: int
    now: float
    before: float


def latest(losses: LossArrays) -> Latest | None:
    """Tell if the last twentieth went worse than any before it, beyond chance; else None.

    Its mean is compared with those of the twentieths before by Student's t for one new value of a
    normal sample.
    """
    found = _last_part(losses)
    if found is None:
        return None
    told, earlier = found
    spread = float(earlier.std(ddof=1)) * math.sqrt(1 + 1 / len(earlier))
    apart = told.now - told.before
    if told.now <= max(float(earlier.max()), WORSE * told.before):
        return None
    if spread > 0.0:
        from scipy.stats import t

        if float(t.sf(apart / spread, len(earlier) - 1)) >= LEVEL:
            return None
    return told


def last_error(losses: LossArrays, start: int) -> float:
    """Mean loss from row `start` on; NaN if there is none."""
    here = losses.starts >= start
    count = int(losses.counts[here].sum())
    return float(losses.sums[here].sum()) / count if count else math.nan


def _last_part(losses: LossArrays) -> tuple[Latest, Floats] | None:
    size = len(losses.starts) // PARTS
    if not size:
        return None
    skip = len(losses.starts) % size  # at the beginning, so that the last part is whole
    sums = losses.sums[skip:].reshape(-1, size).sum(axis=1)
    counts = losses.counts[skip:].reshape(-1, size).sum(axis=1)
    rows = int(counts[-1])
    there = counts[:-1] > 0
    if rows < FEWEST_ROWS or there.sum() < PARTS // 2:
        return None
    earlier = sums[:-1][there] / counts[:-1][there]
    before = float(losses.sums[:-size].sum()) / max(int(losses.counts[:-size].sum()), 1)
    told = Latest(int(losses.starts[-size]), rows, float(sums[-1]) / rows, before)
    return told, earlier
