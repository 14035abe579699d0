"""Take it with you: what can be written to disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QPushButton, QSizePolicy, QWidget

from modellab.gui.kit import Card, describe
from modellab.gui.theme import font, paint_icon, px, set_height, theme

if TYPE_CHECKING:
    from modellab.gui.session import Session


class TakeButton(QPushButton):
    """A wide button: icon, what, and what is in it."""

    def __init__(self, icon: str, title: str, under: str, tip: str) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self._icon, self._title, self._under, self._tip = icon, title, under, tip
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAutoDefault(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        set_height(self, 54)
        describe(self, title, tip)

    def set_reason(self, reason: str | None) -> None:
        """Enable it, or say why not."""
        self.setEnabled(reason is None)
        describe(self, self._title, self._tip if reason is None else f"{self._tip}\n{reason}")

    def sizeHint(self) -> QSize:
        return QSize(px(190), px(54))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(150), px(54))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        tokens = theme()
        painter = QPainter(self)
        on = self.isEnabled()
        side = px(18)
        where = QRectF(px(14), (self.height() - side) / 2, side, side)
        paint_icon(painter, self._icon, where, tokens.text if on else tokens.third)
        left = px(44)
        room = self.width() - left - px(8)
        middle = self.height() / 2
        for text, size, weight, colour, top in (
            (self._title, 13, 600, tokens.text if on else tokens.third, middle - px(18)),
            (self._under, 12, 400, tokens.second if on else tokens.third, middle),
        ):
            painter.setFont(font(size, weight))
            painter.setPen(QColor(colour))
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
            box = QRectF(left, top, room, px(18))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, shown)


class TakeAwayCard(Card):
    """The ways to keep what was found."""

    wanted = Signal(str)
    """Do the action with this id."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Take it with you", parent=parent)
        self.session = session
        self.results = TakeButton(
            "folder-open",
            "Results folder",
            "tables and curves",
            "Write the results of the replay so far into a folder: open formats, and what "
            "“modellab verdict” needs.",
        )
        self.experiment = TakeButton(
            "flask",
            "Experiment file",
            "opens and replays",
            "Save everything as one .mlab file: the experiment with its journal, trainings, "
            "results and a picture.",
        )
        self.results.clicked.connect(lambda: self.wanted.emit("file.results"))
        self.experiment.clicked.connect(lambda: self.wanted.emit("file.save_as"))
        grid = QGridLayout()
        grid.setSpacing(px(8))
        grid.addWidget(self.results, 0, 0)
        grid.addWidget(self.experiment, 0, 1)
        self.body.addLayout(grid)
        self.body.addStretch(1)

    def refresh(self) -> None:
        """Offer what is possible now."""
        live = self.session.deployment
        ready = live is not None and live.started and not live.lost
        self.results.set_reason(None if ready else "There is no running replay to write of.")
        known = self.session.experiment is not None
        self.experiment.set_reason(None if known else "Open data first.")
