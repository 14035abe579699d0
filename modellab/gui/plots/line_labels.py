"""The names and values at the right end of lines: a picture, kept for a moment while rows run by.

A person reads so many figures a second and not more; writing them anew for every frame took half of
its time. The dots at the ends of lines go with the lines in every frame.
"""

from __future__ import annotations

import math
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from modellab.gui.plots.labels import push_apart
from modellab.gui.plots.text import colour, cut, width_of, write
from modellab.gui.plots.ticks import short_texts
from modellab.gui.theme import mix, px, theme

if TYPE_CHECKING:
    from modellab.gui.plots.live import LivePlot
    from modellab.gui.plots.parts import LiveLine

    Found = list[tuple[LiveLine, float, float]]
    """Lines with their present value and its pixel."""

KEPT_SECONDS = 0.1
_RIGHT, _LEFT = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignLeft
_DOT = 3.0


class LineLabels:
    """The labels of one plot."""

    def __init__(self) -> None:
        self._picture: QPixmap | None = None
        self._left = 0
        self._key: object = None
        self._made = 0.0

    def forget(self) -> None:
        """Write everything anew with the next painting."""
        self._key = None

    def paint(self, plot: LivePlot, painter: QPainter) -> None:
        """Write value and name at the end of every line, pushed apart, with thin leaders.

        While the plot is `hurried`, what was written stays for a moment, and until it is its turn.
        """
        end = min(plot.view.head, plot.view.high)
        found: Found = []
        for line in plot.lines:
            if line.shown:
                value = line.value_at(end)
                if math.isfinite(value):
                    found.append((line, value, plot.y_of(value)))
        if not found:
            self._key = None
            return
        ratio = plot.devicePixelRatioF()
        lines = [(line.name, line.colour, line.strong) for line, _, _ in found]
        reaching = plot.x_of(end) > plot.area().right() - px(60)
        range_ = plot.y_range()
        key = (plot.width(), plot.height(), ratio, theme().name, px(100), range_, lines, reaching)
        now = time.monotonic()
        due = plot.label_turn and now - self._made > KEPT_SECONDS
        if not plot.hurried or key != self._key or due:
            self._key, self._made = key, now
            self._write(plot, found, end, ratio, reaching=reaching)
        if self._picture is not None:
            painter.drawPixmap(self._left, 0, self._picture)
        _dots(plot, painter, found, end, ratio)

    def _write(
        self, plot: LivePlot, found: Found, end: float, ratio: float, *, reaching: bool
    ) -> None:
        area = plot.area()
        begins = (plot.x_of(min(end, line.last_row())) for line, _, _ in found)
        left = min(begins) if reaching else area.right()
        self._left = max(0, int(max(left, area.left())) - 2)
        wide = max(1, plot.width() - self._left)
        picture = QPixmap(math.ceil(wide * ratio), math.ceil(plot.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.translate(-self._left, 0)
            _words(plot, painter, found, end, reaching=reaching)
        finally:
            painter.end()
        self._picture = picture


def _words(plot: LivePlot, painter: QPainter, found: Found, end: float, *, reaching: bool) -> None:
    area, tokens = plot.area(), theme()
    top, bottom = area.top() + 2, area.bottom() - 2
    gap, size = float(px(15)), 12
    if len(found) * gap > area.height():
        # Closer together, and over the plot's edges, before any is left out.
        top, bottom = px(7), plot.height() - px(8)
        gap = max(px(11), min(px(13), (bottom - top) / max(1, len(found) - 1)))
        size = 12 if gap >= px(12) else 11
    kept = _fitting(found, gap, bottom - top)
    left_out = len(found) - len(kept)
    found = kept
    wanted = [min(max(y, area.top()), area.bottom()) for _, _, y in found]
    if left_out:
        wanted.append(float(bottom))
    places = push_apart(wanted, gap, top, bottom)
    texts = [plot.words(value) for _, value, _ in found]
    widest = max(width_of(text, size, 600) for text in texts)
    left = area.right() + px(18)
    room = plot.width() - left - px(6)
    if widest > room:
        # Six digits do not fit beside a narrow plot: thousands in short, as on the axis.
        texts = short_texts([value for _, value, _ in found])
        widest = max(width_of(text, size, 600) for text in texts)
    named = room > widest + px(44)
    name_left, name_room = left + widest + 2 + px(6), room - widest - px(8)
    high, low, elbow = area.top(), area.bottom(), area.right() + px(6)
    side = _RIGHT if named else _LEFT
    for (line, _, y), place, text in zip(found, places, texts, strict=False):
        if reaching:
            # From where the line really ends: snapshots of parameters are rarer than rows.
            known = plot.x_of(min(end, line.last_row()))
            painter.setPen(colour(mix(line.colour, tokens.surface, 0.45)))
            level = min(max(y, high), low)
            begin = QPointF(max(known, area.left()) + 3, level)
            painter.drawPolyline([begin, QPointF(elbow, level), QPointF(left - px(3), place)])
        tone = tokens.lane_text(line.colour)
        box = QRectF(left, place - gap / 2, widest + 2, gap)
        write(painter, box, side, text, tone, size, 700 if line.strong else 600)
        if named:
            weight = 600 if line.strong else 500
            words = cut(line.name, size, weight, name_room)
            box = QRectF(name_left, place - gap / 2, name_room, gap)
            write(painter, box, _LEFT, words, tone, size, weight)
    if left_out:
        box = QRectF(left, places[-1] - gap / 2, room, gap)
        write(painter, box, _LEFT, f"+{left_out}", tokens.second, 11)


def _fitting(found: Found, gap: float, height: float) -> Found:
    """Return the labels that there is room for: strong ones first, then those drawn first."""
    most = max(1, int(height / gap) + 1)
    if len(found) <= most:
        return found
    most = max(1, most - 1)  # the last place tells how many are left out
    order = sorted(range(len(found)), key=lambda i: not found[i][0].strong)
    return [found[i] for i in sorted(order[:most])]


def _dots(plot: LivePlot, painter: QPainter, found: Found, end: float, ratio: float) -> None:
    """Paint a dot at the end of every line."""
    area = plot.area()
    left, top, bottom = area.left(), area.top() - 1, area.bottom() + 1
    ring = theme().surface
    half = _DOT + 2
    for line, _, y in found:
        known = plot.x_of(min(end, line.last_row()))
        if top <= y <= bottom and known >= left:
            dot = _dot(line.colour, ring, ratio)
            painter.drawPixmap(QPointF(round(known) - half, round(y) - half), dot)


@lru_cache(maxsize=128)
def _dot(fill: str, ring: str, ratio: float) -> QPixmap:
    """Draw a dot once: there are dozens in a frame."""
    side = 2 * (_DOT + 2)
    made = QPixmap(round(side * ratio), round(side * ratio))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(ring), 1))
    painter.setBrush(QColor(fill))
    painter.drawEllipse(QPointF(side / 2, side / 2), _DOT, _DOT)
    painter.end()
    return made
