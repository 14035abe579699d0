"""Fonts and heights of widgets that follow the text size when it is changed."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication, QWidget

from modellab.gui.theme.fonts import font, px

_FONT = "labFont"
_HEIGHT = "labHeight"
_SIZE = "labSize"


def set_font(widget: QWidget, size: int, weight: int = 400, *, tabular: bool = True) -> None:
    """Give `widget` Inter at `size` and `weight`, kept at that role when the text size changes."""
    widget.setProperty(_FONT, f"{size}/{weight}/{int(tabular)}")
    widget.setFont(font(size, weight, tabular=tabular))


def set_height(widget: QWidget, height: int) -> None:
    """Fix the height of `widget` to `height` pixels of 100 % text."""
    widget.setProperty(_HEIGHT, height)
    widget.setFixedHeight(px(height))


def set_size(widget: QWidget, width: int, height: int) -> None:
    """Fix the size of `widget` to so many pixels of 100 % text."""
    widget.setProperty(_SIZE, f"{width}/{height}")
    widget.setFixedSize(px(width), px(height))


def rescale() -> None:
    """Give every widget of the process its font and height again, at the current text scale."""
    for widget in QApplication.allWidgets():
        role = widget.property(_FONT)
        if role:
            points, weight, tabular = str(role).split("/")
            widget.setFont(font(int(points), int(weight), tabular=tabular == "1"))
        size = widget.property(_SIZE)
        if size:
            wide, high = str(size).split("/")
            widget.setFixedSize(px(int(wide)), px(int(high)))
        height = widget.property(_HEIGHT)
        if height:
            widget.setFixedHeight(px(int(height)))
