"""The way from a replay to its verdict, offered on the Deploy page when the stream is finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from modellab.gui.kit import ElidedLabel, IconButton, IconLabel, PrimaryButton, count_text
from modellab.gui.theme import mix, px, theme

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.gui.session_deployment import Deployment


class VerdictOffer(QWidget):
    """A line with one button; it hides itself while there is nothing to offer."""

    wanted = Signal()
    """The person wants to see the verdict."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._closed: Deployment | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(px(12), px(6), px(6), px(6))
        row.setSpacing(px(10))
        self.words = ElidedLabel("", 13, 500)
        self.button = PrimaryButton(
            "See the verdict",
            "Which way to keep the model alive, why, and how sure.",
            icon="scales",
            clicked=self.wanted.emit,
        )
        self.dismiss = IconButton(
            "x", "Dismiss", "Close this line; the verdict stays on the Decide page.", size=28,
            clicked=self._close,
        )  # fmt: skip
        row.addWidget(IconLabel("check-circle-fill", role="ok"))
        row.addWidget(self.words, 1)
        row.addWidget(self.button)
        row.addWidget(self.dismiss)
        self.setAccessibleName("The stream is finished")
        self.hide()

    def refresh(self) -> None:
        """Show it while the replay is at its end, and hide it otherwise."""
        live = self.session.deployment
        over = live is not None and not live.lost and live.started and live.position >= live.stop
        if live is None or not over:
            # Who goes back and plays again has earned another offer.
            self._closed = None
            self.setVisible(False)
            return
        rows = count_text(live.stop - live.train_rows)
        if live.coming:
            told = f"All {rows} rows that are read by now were replayed; it goes on when more are."
        else:
            told = f"The stream is finished: {rows} rows were replayed."
        self.words.setText(told)
        self.setVisible(self._closed is not live)

    def _close(self) -> None:
        self._closed = self.session.deployment
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(tokens.surface, tokens.ok, 0.09)))
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
