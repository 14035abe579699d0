"""Fonts of painted plots, and texts cut to their room; what was measured once is kept."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontMetricsF

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


@lru_cache(maxsize=512)
def colour(name: str) -> QColor:
    """Return the colour ``#RRGGBB``: the same object each time, not to be changed."""
    return QColor(name)
