"""A side of the page that can be folded to a narrow strip."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from modellab.gui.kit import IconButton
from modellab.gui.plots.text import font
from modellab.gui.theme import px, theme

STRIP = 40


class _Strip(QWidget):
    """The folded side: its name, upright, and the button that unfolds it."""

    def __init__(self, title: str, button: IconButton) -> None:
        super().__init__()
        self._title = title
        column = QVBoxLayout(self)
        column.setContentsMargins(px(4), px(4), px(4), px(4))
        column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(tokens.hairline), 1))
        painter.setBrush(QColor(tokens.surface))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.setFont(font(13, 600))
        painter.setPen(QColor(tokens.second))
        painter.translate(self.width() / 2, px(52))
        painter.rotate(90)
        place = QRectF(0, -px(10), px(240), px(20))
        painter.drawText(
            place, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), self._title
        )


class Side(QWidget):
    """Content with a strip beside it; one of them is shown.

    Parameters
    ----------
    title
        What the side is called.
    content
        What it holds.
    shortcut
        The shortcut that folds it, for tooltips.
    left
        Whether it is the left side.
    least, most
        Its widths when unfolded, in pixels at 100 % text.
    """

    folded_changed = Signal(bool)

    def __init__(
        self,
        title: str,
        content: QWidget,
        shortcut: str,
        *,
        left: bool,
        least: int,
        most: int,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._least, self._most = least, most
        self.content = content
        out = IconButton(
            "caret-double-right" if left else "caret-double-left",
            f"Unfold {title}",
            f"Show this side again.\n{shortcut}",
            clicked=lambda: self._by_hand(False),
        )
        self.fold = IconButton(
            "caret-double-left" if left else "caret-double-right",
            f"Fold {title}",
            f"Fold this side to a strip, to give the plots its room.\n{shortcut}",
            size=28,
            clicked=lambda: self._by_hand(True),
        )
        """Put this button into the content's heading."""
        self.strip = _Strip(title, out)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(content)
        column.addWidget(self.strip)
        self.strip.hide()
        self._folded = False
        self._apply()

    @property
    def folded(self) -> bool:
        """Whether only the strip is there."""
        return self._folded

    def set_folded(self, folded: bool) -> None:
        """Fold or unfold."""
        if folded != self._folded:
            self._folded = folded
            self._apply()

    def set_least(self, least: int) -> None:
        """Change the least width."""
        if least != self._least:
            self._least = least
            self._apply()

    def _by_hand(self, folded: bool) -> None:
        self.set_folded(folded)
        self.folded_changed.emit(folded)

    def _apply(self) -> None:
        self.content.setVisible(not self._folded)
        self.strip.setVisible(self._folded)
        if self._folded:
            self.setFixedWidth(px(STRIP))
        else:
            self.setMinimumWidth(0)
            self.setMaximumWidth(max(px(self._most), self.minimumSizeHint().width()))
        self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        least = super().minimumSizeHint()
        if self._folded:
            return least
        return QSize(max(px(self._least), least.width()), least.height())
