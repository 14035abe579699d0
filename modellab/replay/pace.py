"""How far a replay that is played at a speed should be by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from modellab.replay.protocol import SpeedMode

    Times = Callable[[int, int], NDArray[np.int64] | None]

BEHIND_SECONDS = 0.1
LOOK_AHEAD = 4096
NO_WAIT = 0.0


class Pace:
    """A speed, from a position and a moment on.

    Parameters
    ----------
    mode
        ``"rows"``: `rate` rows per second; ``"time"``: `rate` times as fast as event time passed;
        ``"max"``: as fast as possible.
    rate
        Greater than 0.
    position, now
        Where the replay is, and the clock's reading in seconds.
    times
        ``times(start, stop)`` gives event times in ns; used in mode ``"time"``.
    """

    def __init__(
        self, mode: SpeedMode, rate: float, position: int, now: float, times: Times
    ) -> None:
        self.mode = mode
        self.rate = rate
        self._times = times
        self._ahead = (0, np.empty(0, np.int64))
        self.rebase(position, now)

    def rebase(self, position: int, now: float) -> None:
        """Count from here: what was missed is not caught up in a burst."""
        self._position, self._now = position, now
        if self.mode == "time":
            ahead = self._ahead_of(position)
            self._time = int(ahead[0]) if len(ahead) else 0

    def due(self, position: int, now: float) -> int:
        """Position (exclusive) up to which rows should be replayed by now."""
        elapsed = now - self._now
        if self.mode == "rows":
            return self._position + int(self.rate * elapsed + 1e-9)
        if self.mode == "time":
            ahead = self._ahead_of(position)
            clock = self._time + elapsed * self.rate * 1e9
            return position + int(np.searchsorted(ahead, clock, side="right"))
        return position + (1 << 40)

    def wait(self, position: int, now: float) -> float:
        """Seconds until the next row is due."""
        elapsed = now - self._now
        if self.mode == "rows":
            return max((position + 1 - self._position) / self.rate - elapsed, 0.0)
        if self.mode == "time":
            ahead = self._ahead_of(position)
            if not len(ahead):
                return NO_WAIT
            return float(max((int(ahead[0]) - self._time) / 1e9 / self.rate - elapsed, 0.0))
        return NO_WAIT

    def behind(self, position: int, now: float) -> bool:
        """Whether the replay cannot keep up with the speed."""
        if self.mode == "max":
            return False
        return self.due(position, now - BEHIND_SECONDS) > position

    def _ahead_of(self, position: int) -> NDArray[np.int64]:
        """Event times from `position` on, made non-decreasing; empty at the end."""
        start, found = self._ahead
        if not start <= position < start + len(found):
            read = self._times(position, position + LOOK_AHEAD)
            found = np.empty(0, np.int64) if read is None else np.maximum.accumulate(read)
            start = position
            self._ahead = (start, found)
        return found[position - start :]
