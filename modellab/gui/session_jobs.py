"""Long work in the engine as the window sees it: progress, time left, cancel, what comes after."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.replay.growing_protocol import RowsReady

JobState = Literal["running", "done", "failed", "cancelled"]


@dataclass
class Job:
    """One job.

    `kind` is ``open``, ``profile``, ``rows``, ``bad rows``, ``train``, ``deploy``, ``lane``,
    ``seek``, ``grow``, ``results``, ``judge``, ``hindsight``, ``sensitivity`` or ``rollback``;
    `quiet` jobs are not shown. `position`: where the replay was when the engine took it.
    """

    id: int
    kind: str
    title: str
    quiet: bool = False
    done: float = 0.0
    total: float = 0.0
    text: str = ""
    state: JobState = "running"
    sentence: str = ""
    cancelling: bool = False
    position: int = 0
    started: float = field(default_factory=time.monotonic)
    on_done: Callable[[dict[str, Any]], None] | None = None
    on_failed: Callable[[str, str, bool], None] | None = None
    again: Callable[[], object] | None = None
    """Begins it anew, should the engine stop in the middle of it."""
    on_news: Callable[[RowsReady], None] | None = None
    """Gets what is ready before it ends."""
    usable: bool = False
    """Whether what it has ready is in use: nothing waits for its end."""

    @property
    def fraction(self) -> float | None:
        """Share done, 0 to 1; None while the total is not known."""
        return min(1.0, self.done / self.total) if self.total > 0 else None

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.state == "running"

    def seconds(self, now: float | None = None) -> float:
        """Seconds since it began."""
        return (time.monotonic() if now is None else now) - self.started

    def seconds_left(self, now: float | None = None) -> float | None:
        """Estimated seconds to the end; None before there is anything to go by."""
        share = self.fraction
        gone = self.seconds(now)
        if share is None or share < 0.02 or gone < 0.5:
            return None
        return gone * (1.0 - share) / share
