"""The real window on a real engine process, for tests: drops, words on screen, waiting."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QEventLoop, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from modellab.gui import notify
from modellab.gui.kit.frames import Banner
from modellab.gui.settings import use_settings
from modellab.gui.stages import PAGES

PATIENCE = 60.0


class LiveWindow:
    """A window with its session and engine, as the program makes them."""

    def __init__(self) -> None:
        from modellab.gui.session import Session
        from modellab.gui.theme import apply_theme
        from modellab.gui.window import MainWindow

        apply_theme("light")
        self.session = Session()
        self.window = MainWindow(self.session)
        self.notices: list[notify.Notice] = []
        notify.notifications().noticed.connect(self.notices.append)
        self.window.resize(1280, 800)
        self.window.show()
        self.until(lambda: len(self.window._pages) + len(self.window._failed) == len(PAGES) + 1)
        assert not self.window._failed

    # ------------------------------------------------------------------ waiting

    def until(self, ready: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Let the window live until `ready()` is something, and return it."""
        end = time.monotonic() + seconds
        while True:
            found = ready()
            if found:
                return found
            assert time.monotonic() < end, (self.said(), self.state())
            # The window's own timer ends the waiting every 100 ms at the latest.
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)

    def rest(self) -> None:
        """Wait until no job and no answer is outstanding and all is painted."""
        self.until(lambda: not self.session.jobs and not self.session._acks)
        for _ in range(5):
            QCoreApplication.processEvents()

    def state(self) -> str:
        """Return what is known when waiting was in vain."""
        live = self.session.deployment
        replay = live and f"{live.state} at {live.position} of {live.stop}, lost: {live.lost}"
        jobs = [(job.kind, job.text) for job in self.session.jobs.values()]
        return f"engine {self.session.engine_state}, jobs {jobs}, replay {replay}"

    # ------------------------------------------------------------------ what a person does

    def drop(self, *paths: Path) -> None:
        """Drop files on the middle of the window."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        copy, left, none = (
            Qt.DropAction.CopyAction,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        # As Qt gets it from the system: the overlay catches the drag, and then gets the drop.
        enter = QDragEnterEvent(QPoint(300, 300), copy, data, left, none)
        QApplication.sendEvent(self.window.windowHandle(), enter)
        assert self.window.overlay.isVisible()
        event = QDropEvent(QPointF(300, 300), copy, data, left, none)
        QApplication.sendEvent(self.window.windowHandle(), event)
        assert not self.window.overlay.isVisible()

    def open(self, *paths: Path) -> None:
        """Open files as the file dialog does (which lets any ending pass)."""
        self.window.open_files(list(paths))

    def toast(self, part: str = "") -> Any:
        """Wait for a message in the corner that contains `part`."""
        return self.until(
            lambda: next((t for t in self.window.toasts.toasts() if part in t.notice.text), None)
        )

    # ------------------------------------------------------------------ what a person sees

    def said(self) -> list[str]:
        """Return every message so far."""
        return [notice.text for notice in self.notices]

    def shown(self) -> list[str]:
        """Return the messages that are on screen."""
        return [toast.notice.text for toast in self.window.toasts.toasts()]

    def banners(self) -> list[str]:
        """Return what banners on screen say."""
        found = self.window.findChildren(Banner)
        return [banner.text() for banner in found if banner.isVisible()]

    def clear(self) -> None:
        """Take all messages away."""
        self.window.toasts.clear()
        self.notices.clear()
        notify.notifications()._last.clear()

    # ------------------------------------------------------------------ engine

    @property
    def engine_pid(self) -> int:
        """Process id of the engine."""
        pid = self.session._client.pid
        assert pid is not None
        return pid

    def kill_engine(self) -> None:
        """End the engine as the system's out-of-memory killer does."""
        os.kill(self.engine_pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the window; unsaved work is kept."""
        self.window.toasts.clear()
        self.window.close()
        self.window.deleteLater()


@contextmanager
def live_window() -> Iterator[LiveWindow]:
    """A window with settings of its own, closed afterwards."""
    use_settings(None)
    made = LiveWindow()
    try:
        yield made
    finally:
        made.close()
        use_settings(None)
        notify.notifications().uninstall()
        notify._manager = None


def prices(path: Path, rows: int) -> Path:
    """Write a small data set in time order whose rule turns round half-way."""
    rng = random.Random(3)
    lines = ["when,a,b,city,y"]
    for i in range(rows):
        a, b = rng.gauss(0, 1), rng.gauss(0, 1)
        up = (a + 0.3 * b + rng.gauss(0, 0.4)) * (1 if i < rows // 2 else -1) > 0
        day, minute = divmod(i, 480)
        stamp = f"2024-01-{1 + day:02d} {minute // 60:02d}:{minute % 60:02d}:00"
        lines.append(f"{stamp},{a:.4f},{b:.4f},{rng.choice('ABC')},{'up' if up else 'down'}")
    path.write_text("\n".join(lines) + "\n")
    return path
