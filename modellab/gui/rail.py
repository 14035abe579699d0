"""The rail at the left: the way from data to deployment, and how far one is."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFrame, QSizePolicy, QVBoxLayout, QWidget

from modellab.gui.kit.buttons import IconButton
from modellab.gui.kit.text import describe
from modellab.gui.theme import font, mix, paint_icon, px, theme

WIDTH = 80
StageState = Literal["current", "done", "open", "not reached"]


class RailButton(QAbstractButton):
    """One stage: icon tile and name; a tick when done, faint when it cannot be reached yet.

    It can always be pressed: the window says why a stage cannot be reached.
    """

    def __init__(self, title: str, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._icon = title, icon
        self._state: StageState = "not reached"
        self.setText(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    @property
    def state(self) -> StageState:
        """How the stage stands."""
        return self._state

    def set_state(self, state: StageState, tip: str) -> None:
        """Show another state, explained by `tip`."""
        self._state = state
        words = {"current": "shown now", "done": "done", "open": "", "not reached": "not yet"}[
            state
        ]
        describe(self, self._title + (f", {words}" if words else ""), tip)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(px(72), px(64))

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.update()
        super().leaveEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = px(40)
        tile = QRectF((self.width() - side) / 2, 2, side, side)
        current = self._state == "current"
        shade = {"not reached": tokens.third, "current": tokens.on_ink}.get(
            self._state, tokens.text
        )
        if current or self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.ink if current else tokens.selected))
            painter.drawRoundedRect(tile, 12, 12)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(tokens.link), 2))
            painter.drawRoundedRect(tile.adjusted(-1, -1, 1, 1), 12, 12)
        inset = side * 0.25
        name = f"{self._icon}-fill" if current else self._icon
        paint_icon(painter, name, tile.adjusted(inset, inset, -inset, -inset), shade)
        if self._state == "done":
            self._paint_tick(painter, QPointF(tile.right() - 3, tile.top() + 5))
        painter.setFont(font(12, 600))
        words = tokens.text if self._state in ("current", "done", "open") else tokens.third
        painter.setPen(QColor(words))
        below = QRectF(0, tile.bottom() + 2, self.width(), self.height() - tile.bottom() - 2)
        painter.drawText(
            below, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, self._title
        )

    def _paint_tick(self, painter: QPainter, centre: QPointF) -> None:
        tokens = theme()
        radius = 6.5
        painter.setPen(QPen(QColor(tokens.surface), 1.5))
        painter.setBrush(QColor(tokens.ok))
        painter.drawEllipse(centre, radius, radius)
        painter.setPen(QPen(QColor(tokens.surface), 1.4))
        x, y = centre.x(), centre.y()
        painter.drawPolyline(
            [QPointF(x - 2.8, y), QPointF(x - 0.8, y + 2.2), QPointF(x + 3, y - 2)]
        )


class _Link(QWidget):
    """The short line between two stages."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(px(72), px(20))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        tokens = theme()
        painter.setPen(QPen(QColor(mix(tokens.border, tokens.surface, 0.2)), 1))
        middle = self.width() // 2
        painter.drawLine(middle, 1, middle, self.height() - 1)


class Rail(QFrame):
    """The stages from top to bottom; preferences and help at the foot."""

    chosen = Signal(str)
    """The person asks for the page with this id."""

    def __init__(self, stages: list[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "rail")
        self.setAccessibleName("Stages")
        self.setFixedWidth(px(WIDTH))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, px(22), 1, px(14))
        layout.setSpacing(0)
        centre = Qt.AlignmentFlag.AlignHCenter
        self._buttons: dict[str, RailButton] = {}
        for place, (page_id, title, icon) in enumerate(stages):
            if place:
                layout.addWidget(_Link(), 0, centre)
            button = RailButton(title, icon)
            button.clicked.connect(lambda _=False, wanted=page_id: self.chosen.emit(wanted))
            self._buttons[page_id] = button
            layout.addWidget(button, 0, centre)
        layout.addStretch(1)
        self.preferences = IconButton(
            "gear-six", "Preferences", "Theme, text size, memory and processes.", size=36
        )
        self.help = IconButton("question", "Help", "Shortcuts and what the words mean.", size=36)
        layout.addWidget(self.preferences, 0, centre)
        layout.addSpacing(2)
        layout.addWidget(self.help, 0, centre)

    def button(self, page_id: str) -> RailButton:
        """Return the button of a stage."""
        return self._buttons[page_id]

    def set_state(self, page_id: str, state: StageState, tip: str) -> None:
        """Show how a stage stands."""
        self._buttons[page_id].set_state(state, tip)
