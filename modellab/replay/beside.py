"""Work of one lane that is done in its order, on another thread, while the lane goes on."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    Work = Callable[[], None]

_MOST = 3
"""So much work may wait: then whoever brings more does some of it, or waits until some is done."""


class Errand:
    """A piece of work that whoever comes first does: a thread of a pool, or who needs it done.

    Parameters
    ----------
    work
        What is to be done, once.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._taken = threading.Lock()
        self._done = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do it, unless somebody is at it or it is done."""
        if not self._taken.acquire(blocking=False):
            return
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001  # raised by `finish`
            self._error = error
        self._done.set()

    @property
    def done(self) -> bool:
        """Whether it is done, or went wrong."""
        return self._done.is_set()

    def finish(self) -> None:
        """Return when it is done; raise what went wrong."""
        self.run()
        self._done.wait()
        if self._error is not None:
            raise self._error


class Beside:
    """Does pieces of work one after the other, in the order in which they are brought.

    No thread of the pool ever waits for work that none is at, so any number of these can share a
    pool.

    Parameters
    ----------
    pool
        Whose threads do the work.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._changed = threading.Condition()
        self._waiting: deque[Work] = deque()
        self._running = False
        self._error: BaseException | None = None

    def do(self, work: Work) -> None:
        """Have a piece of work done, after all that was brought before it."""
        with self._changed:
            self._waiting.append(work)
            nobody = not self._running and len(self._waiting) == 1
            full = len(self._waiting) > _MOST
        if nobody:
            self._pool.submit(self._work)
        if full:
            self._work()
            with self._changed:
                while self._running and len(self._waiting) > _MOST:
                    self._changed.wait()

    def help(self) -> None:
        """Do what waits, unless somebody is at it."""
        self._work()

    def finish(self) -> None:
        """Return when all is done; raise what went wrong first (what came after was left out)."""
        self._work()
        with self._changed:
            while self._running:
                self._changed.wait()
            error, self._error = self._error, None
        if error is not None:
            raise error

    def _work(self) -> None:
        """Do what waits, unless another thread is at it."""
        with self._changed:
            if self._running:
                return
            self._running = True
        while True:
            with self._changed:
                self._changed.notify_all()
                if not self._waiting:
                    self._running = False
                    return
                work = self._waiting.popleft()
            if self._error is not None:
                continue
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # raised by `finish`
                self._error = error


__all__ = ["Beside", "Errand"]
