"""Spans of rows in which something was not as usual, painted under the curves with their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from modellab.gui.plots.text import elided, font
from modellab.gui.theme import px, theme

if TYPE_CHECKING:
    from modellab.gui.plots.live import LivePlot
    from modellab.gui.plots.parts import Shade

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
HATCH = 7
"""Pixels between two lines of the hatch."""
STRIP = 5
_STEPS = 3
"""Words are written on at most so many lines."""


def colour_of(shade: Shade) -> QColor:
    """Return the colour that a shade is mixed from."""
    return QColor(shade.colour or theme().text)


def paint_shade(painter: QPainter, box: QRectF, shade: Shade, *, hatch: float = HATCH) -> None:
    """Shade `box`: hatched for faults, denser for outages, plain in its colour for a lane down."""
    colour = colour_of(shade)
    ground = QColor(colour)
    ground.setAlphaF(0.10 if shade.kind == "down" else 0.035)
    painter.save()
    painter.setClipRect(box)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.fillRect(box, ground)
    if shade.kind != "down":
        line = QColor(colour)
        line.setAlphaF(0.15 if shade.kind == "outage" else 0.11)
        painter.setPen(QPen(line, 1))
        step = px(hatch) * (0.5 if shade.kind == "outage" else 1.0)
        high = box.height()
        # The hatch is fixed to the screen: it does not crawl as the span grows.
        at = box.left() - high - (box.left() - high) % step
        while at < box.right():
            painter.drawLine(QPointF(at, box.bottom()), QPointF(at + high, box.top()))
            at += step
    edge = QColor(colour)
    edge.setAlphaF(0.35)
    painter.setPen(QPen(edge, 1))
    for x in (round(box.left()) + 0.5, round(box.right()) - 0.5):
        painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
    painter.restore()


def paint(plot: LivePlot, painter: QPainter) -> None:
    """Paint all shades of a plot up to the present row."""
    area = plot.area()
    head = plot.x_of(plot.view.head)
    for shade in plot.shades:
        left = max(area.left(), plot.x_of(shade.start))
        right = min(area.right(), plot.x_of(shade.stop), head)
        if right - left < 0.5:
            continue
        box = QRectF(left, area.top(), right - left, area.height())
        if plot.heat is not None:
            # Cells are colours already: only a strip over them.
            box.setBottom(area.top() + px(STRIP))
        elif shade.strip:
            box.setTop(area.bottom() - px(STRIP))
        paint_shade(painter, box, shade)


def paint_words(plot: LivePlot, painter: QPainter) -> None:
    """Write what the shades are, below the signs of marks, on as many lines as are needed."""
    area, tokens = plot.area(), theme()
    if area.height() < px(70):
        return
    painter.setFont(font(11))
    metrics = QFontMetricsF(painter.font())
    head = min(area.right(), plot.x_of(plot.view.head))
    edges = [area.left() - 1.0] * _STEPS
    for shade in plot.shades:
        left = max(area.left(), plot.x_of(shade.start))
        right = min(head, plot.x_of(shade.stop))
        if shade.strip or not shade.text or right - left < 0.5:
            continue
        words = elided(shade.text, metrics, 0.4 * area.width())
        wide = metrics.horizontalAdvance(words)
        begin = left + px(4)
        if right - left > wide + px(8):
            begin = (left + right - wide) / 2
        begin = min(begin, area.right() - wide - 2)
        line = next((n for n, edge in enumerate(edges) if begin > edge + 6), None)
        if line is None or begin < area.left():
            continue
        edges[line] = begin + wide
        box = QRectF(begin, area.top() + px(30 + 16 * line), wide + 2, px(16))
        if box.bottom() > area.bottom() - px(14):
            continue
        ground = QColor(tokens.surface)
        ground.setAlphaF(0.8)
        painter.fillRect(box.adjusted(-2, 1, 2, -1), ground)
        painter.setPen(QColor(tokens.second))
        painter.drawText(box, int(_LEFT), words)
