"""Toasts: quiet messages in the window's lower right corner, with details on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QEnterEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from modellab.gui.kit.buttons import IconButton, LinkButton, PlainButton, PrimaryButton
from modellab.gui.kit.frames import SEVERITY_ICONS, IconLabel
from modellab.gui.kit.text import Label, describe
from modellab.gui.theme import px, set_font

if TYPE_CHECKING:
    from modellab.gui.notify import Notice

MOST = 4
"""Toasts that are shown at once; older ones make room."""
_SECONDS = {"info": 6.0, "ok": 6.0, "warning": 12.0, "error": 0.0}
"""How long a toast stays; 0: until it is dismissed."""
_MARGIN = 16


class DetailDialog(QDialog):
    """The long, technical part of a notice, to read and to copy."""

    def __init__(self, title: str, detail: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Details")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(px(720), px(440))
        words = Label(title, 14, 600, wrap=True)
        self.text = QPlainTextEdit(detail)
        """The detail, read-only."""
        self.text.setReadOnly(True)
        set_font(self.text, 12)
        describe(self.text, "Details", "The technical message, as it stands in the log.")
        self.text.setToolTip("")
        copy = PlainButton(
            "Copy", "Copy the details to the clipboard.", icon="copy", clicked=self._copy
        )
        close = PrimaryButton("Close", "Close the details.", clicked=self.accept)
        row = QHBoxLayout()
        row.addWidget(copy)
        row.addStretch(1)
        row.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(words)
        layout.addWidget(self.text, 1)
        layout.addLayout(row)
        close.setDefault(True)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())


class Toast(QFrame):
    """One notice on screen."""

    def __init__(self, notice: Notice, area: ToastArea) -> None:
        super().__init__(area.host)
        self.notice = notice
        self._area = area
        self.setProperty("kind", "toast")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(f"{notice.severity}: {notice.text}")
        name, role = SEVERITY_ICONS[notice.severity]
        row = QHBoxLayout(self)
        row.setContentsMargins(px(12), px(10), px(8), px(10))
        row.setSpacing(px(10))
        row.addWidget(IconLabel(name, size=18, role=role), 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(4)
        self._text = Label(notice.text, 13, 400, wrap=True)
        words.addWidget(self._text)
        links = QHBoxLayout()
        links.setSpacing(14)
        if notice.action and notice.run is not None:
            links.addWidget(LinkButton(notice.action, notice.action + ".", clicked=self._act))
        if notice.detail:
            links.addWidget(
                LinkButton("Details", "Show the technical message.", clicked=self._details)
            )
        links.addStretch(1)
        if links.count() > 1:
            words.addLayout(links)
        row.addLayout(words, 1)
        row.addWidget(
            IconButton("x", "Dismiss", "Close this message.", size=24, clicked=self.dismiss),
            0,
            Qt.AlignmentFlag.AlignTop,
        )
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self._seconds = _SECONDS[notice.severity]
        self._wait()

    def _wait(self) -> None:
        if self._seconds > 0:
            self._timer.start(round(self._seconds * 1000))

    def _act(self) -> None:
        run = self.notice.run
        self.dismiss()
        if run is not None:
            run()

    def _details(self) -> None:
        DetailDialog(self.notice.text, self.notice.detail, self.window()).open()

    def dismiss(self) -> None:
        """Take the toast away."""
        self._timer.stop()
        self._area.remove(self)

    def enterEvent(self, event: QEnterEvent) -> None:
        # What is being read does not go away.
        self._timer.stop()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._wait()
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
            return
        super().keyPressEvent(event)


class ToastArea(QObject):
    """Places toasts over `host`, newest at the bottom, and keeps them there when it is resized."""

    def __init__(self, host: QWidget, *, bottom: int = 28) -> None:
        super().__init__(host)
        self.host = host
        self._bottom = bottom
        self._toasts: list[Toast] = []
        host.installEventFilter(self)

    def toasts(self) -> list[Toast]:
        """Return the toasts on screen, oldest first."""
        return list(self._toasts)

    @Slot(object)
    def show_notice(self, notice: Notice) -> None:
        """Show `notice` as a toast."""
        toast = Toast(notice, self)
        self._toasts.append(toast)
        while len(self._toasts) > MOST:
            self._toasts[0].dismiss()
        toast.show()
        self._place()

    def remove(self, toast: Toast) -> None:
        """Take one toast away."""
        if toast in self._toasts:
            self._toasts.remove(toast)
            toast.hide()
            toast.deleteLater()
            self._place()

    def clear(self) -> None:
        """Take all toasts away."""
        for toast in self.toasts():
            self.remove(toast)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.host and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        wide = min(px(400), self.host.width() - 2 * _MARGIN)
        under = self.host.height() - px(self._bottom) - _MARGIN
        for toast in reversed(self._toasts):
            toast.ensurePolished()
            layout, edge = toast.layout(), toast.contentsMargins()
            inner = wide - edge.left() - edge.right()
            high = layout.totalHeightForWidth(inner) if layout is not None else 0
            high += edge.top() + edge.bottom()
            size = QSize(wide, max(high, px(44)))
            toast.setGeometry(
                self.host.width() - wide - _MARGIN, under - size.height(), wide, size.height()
            )
            toast.raise_()
            under -= size.height() + 8
