"""Fonts of painted plots, and texts cut to their room; what was measured or written is kept."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPixmap

from modellab.gui.kit import one_line
from modellab.gui.theme import font as make_font
from modellab.gui.theme import px

if TYPE_CHECKING:
    from PySide6.QtGui import QFont


@cache
def _font_at(size: int, weight: int, _pixels: int) -> QFont:
    return make_font(size, weight)


def font(size: int, weight: int = 400) -> QFont:
    """Return a font of the theme, the same object each time: Qt resolves each object anew."""
    return _font_at(size, weight, px(100))


@cache
def _metrics_at(size: int, weight: int, pixels: int) -> QFontMetricsF:
    return QFontMetricsF(_font_at(size, weight, pixels))


def elided(text: str, metrics: QFontMetricsF, width: float) -> str:
    """Return `text` on one line, cut to `width` pixels."""
    line = one_line(text)
    if metrics.horizontalAdvance(line) <= width:
        return line
    return metrics.elidedText(line, Qt.TextElideMode.ElideRight, width)


@lru_cache(maxsize=4096)
def _width(text: str, size: int, weight: int, pixels: int) -> float:
    return _metrics_at(size, weight, pixels).horizontalAdvance(text)


def width_of(text: str, size: int, weight: int = 400) -> float:
    """Return how wide a text is."""
    return _width(text, size, weight, px(100))


@lru_cache(maxsize=2048)
def _cut(text: str, size: int, weight: int, width: int, pixels: int) -> str:
    return elided(text, _metrics_at(size, weight, pixels), width)


def cut(text: str, size: int, weight: int, width: float) -> str:
    """Return `text` on one line, cut to `width` pixels in that font."""
    return _cut(text, size, weight, int(width), px(100))


_RIGHT, _CENTRE = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignHCenter


def write(
    painter: QPainter,
    box: QRectF,
    align: Qt.AlignmentFlag,
    text: str,
    tone: str,
    size: int,
    weight: int = 400,
) -> None:
    """Write one line that fits its box, in the middle of its height.

    Shaping a text takes longer than painting its picture: pictures of texts are kept. For texts
    that come again and again. `align`: AlignLeft, AlignRight or AlignHCenter.
    """
    if not text:
        return
    ratio = painter.device().devicePixelRatioF()
    made, wide, high = _written(text, tone, size, weight, ratio, px(100))
    left = box.left()
    if align is _RIGHT:
        left = box.right() - wide
    elif align is _CENTRE:
        left += (box.width() - wide) / 2
    # On whole pixels, or the picture would be blurred.
    at = QPointF(round(left), round(box.top() + (box.height() - high) / 2))
    painter.drawPixmap(at, made)


@lru_cache(maxsize=4096)
def _written(
    text: str, tone: str, size: int, weight: int, ratio: float, pixels: int
) -> tuple[QPixmap, float, float]:
    metrics = _metrics_at(size, weight, pixels)
    wide, high = metrics.horizontalAdvance(text), metrics.height()
    made = QPixmap(math.ceil((wide + 2) * ratio), math.ceil((high + 1) * ratio))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    try:
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        painter.setFont(_font_at(size, weight, pixels))
        painter.setPen(QColor(tone))
        painter.drawText(QPointF(0, metrics.ascent()), text)
    finally:
        painter.end()
    return made, wide, high


@lru_cache(maxsize=512)
def colour(name: str) -> QColor:
    """Return the colour ``#RRGGBB``: the same object each time, not to be changed."""
    return QColor(name)
