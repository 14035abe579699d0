"""What is painted over and under the curves of a live plot: axes, labels, marks, cursors."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen, QPixmap

from modellab.gui.kit import count_text
from modellab.gui.plots import live_marks
from modellab.gui.plots.parts import paint_chip, paint_mark
from modellab.gui.plots.text import colour, cut, elided, font, write
from modellab.gui.plots.ticks import number_ticks, row_ticks, tick_texts
from modellab.gui.theme import px, theme
from modellab.gui.theme.tokens import rgb

if TYPE_CHECKING:
    from modellab.gui.plots.live import LivePlot
    from modellab.gui.plots.parts import HeatMap, LiveLine

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
READOUT_LINES = 12
SIGNS = 3
"""At most so many signs are told of under the values."""


def y_ticks(plot: LivePlot) -> list[float]:
    """Return the values at which the y axis has numbers; none while there is nothing to read."""
    if not plot.lines:
        return []
    low, high = plot.y_range()
    return number_ticks(low, high, max(2, int(plot.area().height() / 34)))


def x_tick_count(width: float) -> int:
    """Return about how many row numbers fit under a plot of this width."""
    return max(2, int(width / 110))


class Ground:
    """What is behind everything and moves only with the values: ground, grid, numbers at the left.

    Kept as a picture until the range, the size or the colours change.
    """

    def __init__(self) -> None:
        self._key: object = None
        self._picture = QPixmap()

    def paint(self, plot: LivePlot, painter: QPainter) -> None:
        """Paint it, and over it the grid lines of rows."""
        ratio = plot.devicePixelRatioF()
        values = None if plot.heat is not None else (plot.y_range(), bool(plot.lines))
        key = (plot.width(), plot.height(), ratio, theme().name, px(100), values)
        if key != self._key:
            self._key = key
            self._picture = QPixmap(round(plot.width() * ratio), round(plot.height() * ratio))
            self._picture.setDevicePixelRatio(ratio)
            self._picture.fill(QColor(theme().surface))
            if values is not None:
                inner = QPainter(self._picture)
                try:
                    _values(plot, inner)
                finally:
                    inner.end()
        painter.drawPixmap(0, 0, self._picture)
        _rows(plot, painter)


def _values(plot: LivePlot, painter: QPainter) -> None:
    """Paint grid lines of the y axis, and its numbers."""
    area, tokens = plot.area(), theme()
    ticks = y_ticks(plot)
    painter.setPen(QPen(QColor(tokens.grid), 1))
    for value in ticks:
        y = round(plot.y_of(value)) + 0.5
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
    half = px(8)
    right = area.left() - px(7)
    for value, text in zip(ticks, tick_texts(ticks), strict=True):
        box = QRectF(0, plot.y_of(value) - half, right, 2 * half)
        write(painter, box, Qt.AlignmentFlag.AlignRight, text, tokens.second, 11)


def _rows(plot: LivePlot, painter: QPainter) -> None:
    """Paint grid lines of rows, and the line of zero."""
    area, tokens, view = plot.area(), theme(), plot.view
    painter.setPen(colour(tokens.grid))
    top, bottom = area.top(), area.bottom()
    lines = []
    for row in _row_ticks(view.low, view.high, x_tick_count(area.width())):
        x = round(plot.x_of(row)) + 0.5
        lines.append(QLineF(x, top, x, bottom))
    painter.drawLines(lines)
    if plot.zero_line and plot.heat is None:
        low, high = plot.y_range()
        if low < 0 < high:
            painter.setPen(colour(tokens.border))
            y = round(plot.y_of(0.0)) + 0.5
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))


@lru_cache(maxsize=8)
def _row_ticks(low: float, high: float, count: int) -> tuple[int, ...]:
    """Return round row numbers: all plots of a stack ask for the same."""
    return tuple(row_ticks(low, high, count))


def head(plot: LivePlot, painter: QPainter) -> None:
    """Paint the line of the present row."""
    area, x = plot.area(), round(plot.x_of(plot.view.head)) + 0.5
    if plot.view.head > plot.view.start and area.left() <= x <= area.right() + 1:
        painter.setPen(QPen(QColor(theme().ink), 1))
        painter.drawLine(QPointF(x, area.top() - 2), QPointF(x, area.bottom() + 2))


def shown_lines(plot: LivePlot) -> list[LiveLine]:
    """Return the lines that are drawn."""
    return [line for line in plot.lines if line.shown]


def cursors(plot: LivePlot, painter: QPainter) -> None:
    """Paint the crosshair and the pinned cursor through the plot, with a dot on every line."""
    area, view, tokens = plot.area(), plot.view, theme()
    for row, tone, style in (
        (view.pinned, tokens.link, Qt.PenStyle.DashLine),
        (view.hover, tokens.third, Qt.PenStyle.SolidLine),
    ):
        if row is None:
            continue
        x = plot.x_of(row)
        if not area.left() - 1 <= x <= area.right() + 1:
            continue
        painter.setPen(QPen(QColor(tone), 1, style))
        place = round(x) + 0.5
        painter.drawLine(QPointF(place, area.top() - 4), QPointF(place, area.bottom() + 4))
        if plot.heat is not None:
            continue
        painter.setPen(QPen(QColor(tokens.surface), 1))
        for line in shown_lines(plot):
            value = line.value_at(row)
            if math.isfinite(value):
                y = plot.y_of(value)
                if area.top() <= y <= area.bottom():
                    painter.setBrush(QColor(line.colour))
                    painter.drawEllipse(QPointF(x, y), 3, 3)


def readout_rows(plot: LivePlot) -> list[tuple[LiveLine, float, float]]:
    """Return (line, value at the crosshair, value at the pinned cursor), largest value first."""
    row = plot.view.hover
    if row is None:
        return []
    pinned = plot.view.pinned
    rows = []
    for line in shown_lines(plot):
        value = line.value_at(row)
        if math.isfinite(value):
            before = line.value_at(pinned) if pinned is not None else math.nan
            rows.append((line, value, before))
    rows.sort(key=lambda r: -r[1])
    if len(rows) > READOUT_LINES:
        # The largest by size, whatever the sign.
        kept = sorted(rows, key=lambda r: -abs(r[1]))[:READOUT_LINES]
        keys = {r[0].key for r in kept}
        rows = [r for r in rows if r[0].key in keys]
    return rows


def readout_words(plot: LivePlot) -> str:
    """Return the readout as a sentence, for screen readers."""
    row = plot.view.hover
    if row is None:
        return ""
    parts = [f"{line.name} {plot.words(value)}" for line, value, _ in readout_rows(plot)]
    parts += [live_marks.group_words(group) for group in live_marks.near(plot, row)]
    date = plot.date_of(row)
    return f"Row {count_text(row)}{', ' + date if date else ''}: {'; '.join(parts)}."


def readout(plot: LivePlot, painter: QPainter) -> None:
    """Paint the box with all values at the crosshair; with differences to the pinned cursor."""
    rows = readout_rows(plot)
    hover = plot.view.hover
    if hover is None or not rows:
        return
    tokens, area = theme(), plot.area()
    pinned = plot.view.pinned
    bold, plain = font(12, 600), font(12)
    bold_width, plain_width = QFontMetricsF(bold), QFontMetricsF(plain)
    values = [plot.words(value) for _, value, _ in rows]
    changes = [_change(plot, v, before) for _, v, before in rows] if pinned is not None else []
    title, date = count_text(hover), plot.date_of(hover)
    name_wide = min(px(150), max(plain_width.horizontalAdvance(line.name) for line, _, _ in rows))
    value_wide = max(bold_width.horizontalAdvance(text) for text in values)
    change_wide = max((plain_width.horizontalAdvance(t) for t in changes), default=0.0)
    pad = px(10)
    signs = live_marks.near(plot, hover)[-SIGNS:]
    sign_words = [elided(live_marks.group_words(sign), plain_width, px(210)) for sign in signs]
    view_high = plot.height()
    # In a low plot the lines move together, and the last ones are left out.
    extra = (2 if changes else 1) + len(signs)
    line_high = min(px(18), max(px(14), int((view_high - 6 - 1.6 * pad) / (len(rows) + extra))))
    fitting = max(1, int((view_high - 6 - 1.6 * pad) / line_high) - extra)
    left_out = len(rows) - fitting
    rows = rows[:fitting]
    wide = px(20) + name_wide + px(14) + value_wide + (px(12) + change_wide if changes else 0)
    head_wide = bold_width.horizontalAdvance(title) + px(16) + plain_width.horizontalAdvance(date)
    sign_wide = max((plain_width.horizontalAdvance(w) for w in sign_words), default=0.0)
    wide = max(wide, head_wide, px(18) + sign_wide) + 2 * pad
    high = pad * 1.6 + line_high * (len(rows) + extra)
    x = plot.x_of(hover)
    left = x - wide - px(14) if x - wide - px(14) > area.left() - px(30) else x + px(14)
    top = min(max(2.0, area.top() + px(6)), max(2.0, view_high - high - 2))
    box = QRectF(left, top, wide, min(high, view_high - 4))
    shadow = QColor(0, 0, 0, 26 if not tokens.dark else 90)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(shadow)
    painter.drawRoundedRect(box.adjusted(-1, 0, 1, 3), 7, 7)
    painter.setPen(QPen(QColor(tokens.border), 1))
    painter.setBrush(QColor(tokens.surface))
    painter.drawRoundedRect(box, 6, 6)
    painter.setClipRect(box)
    y = box.top() + pad * 0.7
    inner = QRectF(box.left() + pad, y, box.width() - 2 * pad, line_high)
    painter.setFont(bold)
    painter.setPen(QColor(tokens.text))
    painter.drawText(inner, int(_LEFT), title)
    painter.setFont(plain)
    painter.setPen(QColor(tokens.second))
    painter.drawText(inner, int(_RIGHT), date if left_out <= 0 else f"{left_out} more")
    if changes and pinned is not None:
        inner.translate(0, line_high)
        painter.drawText(inner, int(_RIGHT), f"since {count_text(pinned)}")
    for at, (line, _, _) in enumerate(rows):
        inner.translate(0, line_high)
        chip = QRectF(inner.left(), inner.center().y() - px(5), px(10), px(10))
        paint_chip(painter, chip, line.colour, line.dash)
        painter.setFont(plain)
        painter.setPen(QColor(tokens.text))
        words = elided(line.name, plain_width, name_wide)
        painter.drawText(inner.adjusted(px(18), 0, 0, 0), int(_LEFT), words)
        right = inner.right()
        if changes:
            painter.setPen(QColor(tokens.second))
            painter.drawText(inner, int(_RIGHT), changes[at])
            right -= change_wide + px(12)
        painter.setFont(bold)
        painter.setPen(QColor(tokens.text))
        place = QRectF(inner.left(), inner.top(), right - inner.left(), line_high)
        painter.drawText(place, int(_RIGHT), values[at])
    painter.setFont(plain)
    painter.setPen(QColor(tokens.second))
    for sign, words in zip(signs, sign_words, strict=True):
        inner.translate(0, line_high)
        at_sign = QPointF(inner.left() + px(5), inner.center().y())
        paint_mark(painter, sign.last.kind, at_sign, sign.last.colour, px(9))
        painter.drawText(inner.adjusted(px(18), 0, 0, 0), int(_LEFT), words)
    painter.setClipping(False)


def _change(plot: LivePlot, value: float, before: float) -> str:
    if not math.isfinite(before):
        return "–"
    text = plot.words(value - before)
    return text if value < before or text.startswith(("+", "−")) else f"+{text}"


def empty(plot: LivePlot, painter: QPainter) -> None:
    """Say why there is nothing."""
    painter.setFont(font(12))
    painter.setPen(QColor(theme().second))
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    painter.drawText(plot.area().adjusted(20, 0, -20, 0), int(flags), plot.empty_text)


# ---------------------------------------------------------------------- heat map


def diverging(values: np.ndarray, limit: float) -> np.ndarray:
    """Return colours (uint32 ARGB) of values around 0: blue below, ochre above, ground at 0."""
    tokens = theme()
    blue, ochre = ("#4DA3F0", "#F0A030") if tokens.dark else ("#1B5E9E", "#B3610B")
    ground = tokens.sub
    share = np.clip(np.nan_to_num(values / limit, nan=0.0), -1.0, 1.0)
    size = np.sqrt(np.abs(share))[..., None]
    low, mid, high = (np.array(rgb(c), dtype=np.float64) for c in (blue, ground, ochre))
    end = np.where(share[..., None] < 0, low, high)
    colour = (mid + (end - mid) * size).astype(np.uint32)
    blank = np.isnan(values)
    packed = (255 << 24) | (colour[..., 0] << 16) | (colour[..., 1] << 8) | colour[..., 2]
    return np.where(blank, np.uint32(0), packed).astype(np.uint32)


class HeatPicture:
    """The heat map as a picture, kept while nothing changes."""

    def __init__(self) -> None:
        self._key: object = None
        self._image: QImage | None = None
        self._pixels: np.ndarray | None = None

    def forget(self) -> None:
        """Draw anew: the colours changed."""
        self._key = None

    def paint(self, plot: LivePlot, heat: HeatMap, painter: QPainter) -> None:
        """Paint the visible part into the plot's area."""
        area = plot.area()
        wide = max(1, int(area.width()))
        key = (heat.version, plot.view.low, plot.view.high, wide, theme().name, len(heat.names))
        if key != self._key:
            self._key = key
            self._draw(plot, heat, wide)
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
            painter.drawImage(area, self._image)

    def _draw(self, plot: LivePlot, heat: HeatMap, wide: int) -> None:
        if not len(heat.positions) or not heat.names:
            self._image = None
            return
        view = plot.view
        rows = view.low + (np.arange(wide) + 0.5) / wide * (view.high - view.low)
        at = np.searchsorted(heat.positions, rows, side="right") - 1
        known = (at >= 0) & (rows <= view.head)
        shown = np.where(known[:, None], heat.values[np.maximum(at, 0)], np.nan)
        pixels = np.ascontiguousarray((heat.colours or diverging)(shown, heat.limit).T)
        self._pixels = pixels  # QImage does not own it
        self._image = QImage(
            pixels.data, wide, len(heat.names), wide * 4, QImage.Format.Format_ARGB32
        )


def heat_labels(plot: LivePlot, heat: HeatMap, painter: QPainter) -> None:
    """Write the names of the rows of cells beside them, as many as there is room for."""
    area, tokens = plot.area(), theme()
    if not heat.names:
        return
    high = area.height() / len(heat.names)
    every = max(1, math.ceil(px(13) / high))
    left = area.right() + px(8)
    room = plot.width() - left - px(4)
    at = int(np.searchsorted(heat.positions, min(plot.view.head, plot.view.high), "right")) - 1
    for number in range(0, len(heat.names), every):
        y = area.top() + (number + 0.5) * high
        value = float(heat.values[at, number]) if at >= 0 else math.nan
        text = heat.names[number]
        if room > px(100) and math.isfinite(value):
            text = f"{plot.words(value)}  {text}"
        box = QRectF(left, y - px(7), room, px(14))
        words = cut(text, 11, 400, room)
        write(painter, box, Qt.AlignmentFlag.AlignLeft, words, tokens.second, 11)
