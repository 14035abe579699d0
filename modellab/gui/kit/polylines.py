"""Polylines of many points, made and painted fast.

A pen wider than 1 px, or a translucent one, is 10 to 50 times slower than an opaque one of 1 px
(measured): a stronger line is a thin one painted again a pixel aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shiboken6
from PySide6.QtGui import QPolygonF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PySide6.QtGui import QPainter

ASIDE = ((0.0, 0.0), (0.3, -0.6), (0.8, 0.6), (-0.8, -0.6))
"""Where a line is painted, in pixels: once when thin, at two of these as usual, at four if strong.
"""


def polygon(x: NDArray[np.float64], y: NDArray[np.float64]) -> QPolygonF:
    """Return a polygon of these points, without a Python object for each."""
    return polygon_of(np.column_stack((x, y)))


def polygon_of(points: NDArray[np.float64]) -> QPolygonF:
    """Return a polygon of points (n, 2)."""
    made = QPolygonF()
    count = len(points)
    if count:
        made.resize(count)
        data: Any = made.data()  # the address of its points: pairs of doubles
        memory: Any = shiboken6.VoidPtr(data, 16 * count, True)  # type: ignore[call-arg]
        np.frombuffer(memory, np.float64)[:] = points.ravel()
    return made


def paint(painter: QPainter, lines: Sequence[QPolygonF], times: int) -> None:
    """Paint lines with the painter's pen, `times` times (1, 2 or 4) beside each other."""
    for dx, dy in ASIDE[:times]:
        painter.translate(dx, dy)
        for line in lines:
            painter.drawPolyline(line)
        painter.translate(-dx, -dy)
