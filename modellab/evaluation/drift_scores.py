"""How well alarms found drifts that are known to be there.

An *episode* is what follows a known drift: the rows from its position up to `tolerance` rows after
it, or up to the next known drift if that comes sooner. The drift is *detected* if there is an alarm
in its episode, its *delay* is the distance to the first one, and further alarms of the same episode
are neither false nor counted again. All other alarms are *false*. A drift without an alarm is
*missed* once its episode is over; one whose episode is still running is neither.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class AlarmScore:
    """Alarms against known drifts.

    Attributes
    ----------
    known, detected, missed
        Known drifts in the rows looked at; those with an alarm in their episode; those whose
        episode is over without one.
    alarms, false_alarms
        Alarms in the rows looked at; those outside all episodes.
    recall
        Detected drifts among those detected and missed; None where there are none.
    delay
        Mean rows from a detected drift to its first alarm; None where none was detected.
    false_per_1000
        False alarms per 1,000 rows looked at (0 where there are no rows).
    """

    known: int
    detected: int
    missed: int
    alarms: int
    false_alarms: int
    recall: float | None
    delay: float | None
    false_per_1000: float


def score_alarms(
    alarms: Iterable[int], known: Iterable[int], start: int, stop: int, tolerance: int
) -> AlarmScore:
    """Score alarms in the rows [start, stop).

    Parameters
    ----------
    alarms
        Positions of alarms, in any order; each position counts once.
    known
        Positions of known drifts (the first row of the new concept); those outside [start, stop)
        are left out.
    start, stop
        The rows looked at: the stream up to where it was replayed.
    tolerance
        An alarm at most so many rows after a drift found it.
    """
    given = sorted({int(alarm) for alarm in alarms if start <= alarm < stop})
    drifts = sorted({int(drift) for drift in known if start <= drift < stop})
    delays: list[int] = []
    missed = found = 0
    for k, drift in enumerate(drifts):
        following = drifts[k + 1] if k + 1 < len(drifts) else None
        last = drift + tolerance if following is None else min(drift + tolerance, following - 1)
        first = bisect_left(given, drift)
        after = bisect_right(given, last)
        found += after - first
        if after > first:
            delays.append(given[first] - drift)
        elif last < stop:
            missed += 1
    false = len(given) - found
    over = len(delays) + missed
    rows = max(stop - start, 0)
    return AlarmScore(
        known=len(drifts),
        detected=len(delays),
        missed=missed,
        alarms=len(given),
        false_alarms=false,
        recall=len(delays) / over if over else None,
        delay=sum(delays) / len(delays) if delays else None,
        false_per_1000=1000.0 * false / rows if rows else 0.0,
    )
