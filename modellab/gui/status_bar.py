"""The status bar: what is going on, what the page has to say, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
from PySide6.QtCore import QElapsedTimer, QPointF, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from modellab.gui.kit.bars import QuietBar
from modellab.gui.kit.buttons import LinkButton
from modellab.gui.kit.text import ElidedLabel, Label, duration_text, size_text, tip_text
from modellab.gui.theme import px, set_height, theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.gui.session import Session
    from modellab.gui.session_jobs import Job

HEIGHT = 28
_MEMORY_MS = 5000
_PROGRESS_MS = 100


def _set_text(label: Label, text: str) -> bool:
    """Show `text`; what is shown already costs no layout. Returns whether it is another."""
    if label.text() == text:
        return False
    label.setText(text)
    return True


class Dot(QWidget):
    """A small disc in the colour of a state."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = "ok"
        self.setFixedSize(px(8), px(8))

    def set_role(self, role: str) -> None:
        """Take another colour token."""
        if role != self._role:
            self._role = role
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(getattr(theme(), self._role)))
        painter.setBrush(QColor(getattr(theme(), self._role)))
        middle = self.width() / 2
        painter.drawEllipse(QPointF(middle, middle), middle - 1, middle - 1)


class StatusBar(QFrame):
    """Shows the session's state; the window tells it the page's texts and passing remarks."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "status")
        self._session = session
        set_height(self, HEIGHT)
        self._dot = Dot()
        self._state = Label("Ready", 12, 400)
        self._bar = QuietBar()
        self._bar.setFixedWidth(px(120))
        self._bar.setAccessibleName("Progress")
        self._left = Label("", 12, 400, "second")
        self.cancel = LinkButton("Cancel", "Stop this work; what was there before stays.")
        """Cancels the job that is shown."""
        self.cancel.clicked.connect(self._cancel)
        self._middle = ElidedLabel("", 12, 400, "second")
        self._memory = Label("", 12, 400, "second")
        self._memory.setToolTip(
            tip_text("Memory of this window and of the engine processes that it started.")
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), 1, px(16), 0)
        row.setSpacing(px(8))
        row.addWidget(self._dot)
        row.addWidget(self._state)
        row.addSpacing(px(8))
        row.addWidget(self._bar)
        row.addWidget(self._left)
        row.addWidget(self.cancel)
        row.addSpacing(px(8))
        row.addWidget(self._middle, 1)
        row.addWidget(self._memory)
        for widget in (self._bar, self._left, self.cancel):
            widget.hide()
        self._texts: list[str] = []
        self._remark = ""
        self._remark_timer = QTimer(self)
        self._remark_timer.setSingleShot(True)
        self._remark_timer.timeout.connect(self._remark_over)
        self._memory_timer = QTimer(self)
        self._memory_timer.setInterval(_MEMORY_MS)
        self._memory_timer.timeout.connect(self.measure)
        self._told: Job | None = None
        """The job whose progress was shown last, and how long ago."""
        self._since = QElapsedTimer()
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(_PROGRESS_MS)
        self._again.timeout.connect(self.refresh)

    def start(self) -> None:
        """Begin to measure memory now and then."""
        self.measure()
        self._memory_timer.start()

    def stop(self) -> None:
        """End measuring."""
        for timer in (self._memory_timer, self._remark_timer, self._again):
            timer.stop()

    def measure(self) -> None:
        """Show the memory in use now."""
        own = psutil.Process()
        used = own.memory_info().rss
        if self._session.engine_alive:
            for child in own.children(recursive=True):
                try:
                    used += child.memory_info().rss
                except psutil.Error:
                    continue
        if _set_text(self._memory, f"memory {size_text(used)}"):
            self._memory.setMinimumWidth(self._memory.sizeHint().width())

    def state(self) -> str:
        """Return the state as shown."""
        return self._state.text()

    def middle(self) -> str:
        """Return the middle text as shown."""
        return self._middle.text()

    def set_texts(self, texts: Sequence[str]) -> None:
        """Show the page's texts."""
        self._texts = list(texts)
        self._show_middle()

    def remark(self, text: str, seconds: float = 5.0) -> None:
        """Show `text` instead of the page's texts for a while."""
        self._remark = text
        self._show_middle()
        self._remark_timer.start(round(seconds * 1000))

    def _remark_over(self) -> None:
        self._remark = ""
        self._show_middle()

    def _show_middle(self) -> None:
        _set_text(self._middle, self._remark or " · ".join(self._texts))

    def refresh(self) -> None:
        """Show the session's state."""
        jobs = self._session.running_jobs
        job = jobs[-1] if jobs else None
        for widget in (self._bar, self._left, self.cancel):
            if widget.isHidden() != (job is None):
                widget.setVisible(job is not None)
        if job is None:
            self._say_state()
            return
        # People need no sixty a second.
        if self._since.isValid() and self._since.elapsed() < _PROGRESS_MS and self._told is job:
            if not self._again.isActive():
                self._again.start()
            return
        self._since.start()
        self._told = job
        more = f" (and {len(jobs) - 1} more)" if len(jobs) > 1 else ""
        words = f"{job.title}: {job.text}" if job.text else job.title
        self._say("warning", f"{words}{more}")
        self._bar.set_share(job.fraction)
        rest = job.seconds_left()
        _set_text(self._left, "" if rest is None else f"{duration_text(rest)} left")
        if self.cancel.isEnabled() == job.cancelling:
            self.cancel.setEnabled(not job.cancelling)
            self.cancel.set_text("Cancelling…" if job.cancelling else "Cancel")
        tip = tip_text(
            "Read no further; the rows read so far stay the data set."
            if job.usable
            else "Stop this work; what was there before stays."
        )
        if self.cancel.toolTip() != tip:
            self.cancel.setToolTip(tip)

    def _say_state(self) -> None:
        live = self._session.deployment
        if self._session.engine_state == "down":
            self._say("alarm", "The engine is not running")
        elif self._session.engine_state == "restarting":
            self._say("warning", "Starting the engine again")
        elif live is not None and live.lost:
            self._say("alarm", "Stream interrupted")
        elif live is not None and live.playing:
            self._say("ok", "Streaming")
        elif live is not None and live.coming and live.position >= live.stop:
            self._say("warning", "Waiting for rows that are being read")
        elif live is not None and live.started and live.position >= live.stop:
            self._say("ok", "Stream finished")
        elif live is not None and live.started:
            self._say("warning", "Stream paused")
        else:
            self._say("ok", "Ready")

    def _say(self, role: str, text: str) -> None:
        self._dot.set_role(role)
        _set_text(self._state, text)

    def _cancel(self) -> None:
        jobs = self._session.running_jobs
        if jobs:
            self._session.cancel(jobs[-1])
