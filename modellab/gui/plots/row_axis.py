"""The x axis that the plots of a stack share: row numbers, and dates under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from modellab.gui.kit import count_text
from modellab.gui.plots.live import LEFT, gutter
from modellab.gui.plots.live_paint import x_tick_count
from modellab.gui.plots.text import colour, width_of, write
from modellab.gui.plots.ticks import row_ticks
from modellab.gui.theme import font, px, theme

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.gui.plots.view_range import ViewRange

_MIDDLE = Qt.AlignmentFlag.AlignHCenter


class RowAxis(QWidget):
    """The axis; `date_of` gives the words under a row number for a span of so many rows."""

    def __init__(
        self,
        view: ViewRange,
        date_of: Callable[[int, float], str],
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.view, self._date_of = view, date_of
        self.setAccessibleName("Rows shown")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        view.listen(self.update)

    def sizeHint(self) -> QSize:
        return QSize(200, px(36))

    def _area(self) -> tuple[float, float]:
        left = px(LEFT)
        return left, max(left + 10, self.width() - gutter(self.width()))

    def _x_of(self, row: float) -> float:
        left, right = self._area()
        return left + (row - self.view.low) / (self.view.high - self.view.low) * (right - left)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, right = self._area()
        painter.setPen(QPen(QColor(tokens.border), 1))
        painter.drawLine(QPointF(left, 0.5), QPointF(right, 0.5))
        span = self.view.high - self.view.low
        edge = -1e9
        border = colour(tokens.border)
        for row in row_ticks(self.view.low, self.view.high, x_tick_count(right - left)):
            x = self._x_of(row)
            date = self._date_of(row, span) if row <= self.view.stop else ""
            number = count_text(row)
            wide = max(width_of(number, 11), width_of(date, 11))
            if x - wide / 2 < edge + px(10) or x + wide / 2 > self.width():
                continue
            edge = x + wide / 2
            painter.setPen(border)
            painter.drawLine(QPointF(round(x) + 0.5, 0), QPointF(round(x) + 0.5, 4))
            for top, words in ((px(5), number), (px(19), date)):
                write(painter, QRectF(x - 80, top, 160, px(14)), _MIDDLE, words, tokens.second, 11)
        pinned, hover = self.view.pinned, self.view.hover
        if pinned is not None:
            on_link = tokens.on_ink if tokens.dark else "#FFFFFF"
            self._chip(painter, pinned, tokens.link, on_link)
        if hover is not None:
            self._chip(painter, hover, tokens.ink, tokens.on_ink)

    def _words(self, painter: QPainter, x: float, number: str, date: str) -> None:
        middle = Qt.AlignmentFlag.AlignCenter
        painter.drawText(QRectF(x - 80, px(5), 160, px(14)), int(middle), number)
        if date:
            painter.drawText(QRectF(x - 80, px(19), 160, px(14)), int(middle), date)

    def _chip(self, painter: QPainter, row: int, ground: str, ink: str) -> None:
        if not self.view.low <= row <= self.view.high:
            return
        number = count_text(row)
        date = self._date_of(row, 0.0)
        painter.setFont(font(11, 600))
        metrics = QFontMetricsF(painter.font())
        wide = max(metrics.horizontalAdvance(number), metrics.horizontalAdvance(date)) + px(16)
        x = min(max(self._x_of(row), wide / 2), self.width() - wide / 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(QRectF(x - wide / 2, 2, wide, self.height() - 3), 5, 5)
        painter.setPen(QColor(ink))
        self._words(painter, x, number, date)
