"""Fonts of painted plots, and texts cut to their room."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

from modellab.gui.kit import one_line
from modellab.gui.theme import font as make_font
from modellab.gui.theme import px

if TYPE_CHECKING:
    from PySide6.QtGui import QFont, QFontMetricsF


@cache
def _font_at(size: int, weight: int, _pixels: int) -> QFont:
    return make_font(size, weight)


def font(size: int, weight: int = 400) -> QFont:
    """Return a font of the theme, the same object each time: Qt resolves each object anew."""
    return _font_at(size, weight, px(100))


def elided(text: str, metrics: QFontMetricsF, width: float) -> str:
    """Return `text` on one line, cut to `width` pixels."""
    line = one_line(text)
    if metrics.horizontalAdvance(line) <= width:
        return line
    return metrics.elidedText(line, Qt.TextElideMode.ElideRight, width)
