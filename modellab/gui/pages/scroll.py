"""A scroll area without a frame, for columns of cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

from modellab.gui.kit.areas import UprightArea

if TYPE_CHECKING:
    from PySide6.QtWidgets import QScrollArea, QWidget


def scrolled(inner: QWidget) -> QScrollArea:
    """Return a scroll area around `inner` that scrolls up and down only and paints no ground."""
    area = UprightArea(inner)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
