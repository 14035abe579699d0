"""The curves of a live plot as polygons in pixels, made once for each change and then painted.

Opaque pens of 1 px: thicker or translucent ones are 10 to 50 times slower (measured). A stronger
line is the same one painted again a pixel aside. Painted straight into the widget: as items of a
`QGraphicsScene` they took three times as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtCore import QRectF

    from modellab.gui.plots.series import Floats

_OFFSETS = ((0.0, 0.0), (0.3, -0.6), (0.8, 0.6), (-0.8, -0.6))
"""Lines are drawn at one or two of these, in pixels; strong ones at two more."""
FAR = 20.0
"""Values farther outside than so many heights of the plot are drawn there."""


@dataclass
class Curve:
    """One line as it is painted: a polygon for each stretch without gaps."""

    key: str
    colour: str
    dash: tuple[float, ...]
    strong: bool
    stretches: list[QPolygonF] = field(default_factory=list)
    points: int = 0


def polygon(x: Floats, y: Floats) -> QPolygonF:
    """Return a polygon of these points, without a Python object for each."""
    made = QPolygonF()
    made.resize(len(x))
    if len(x):
        data: Any = made.data()  # the address of its points: pairs of doubles
        memory: Any = shiboken6.VoidPtr(data, 16 * len(x), True)  # type: ignore[call-arg]
        points = np.frombuffer(memory, np.float64).reshape(-1, 2)
        points[:, 0], points[:, 1] = x, y
    return made


def stretches(x: Floats, y: Floats) -> list[QPolygonF]:
    """Return polygons in pixels, broken where a value is missing; a lone value is a short dash."""
    good = np.isfinite(y)
    if good.all():
        return [polygon(x, y)] if len(x) > 1 else []
    edges = np.flatnonzero(np.diff(np.pad(good.astype(np.int8), 1)))
    found = []
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if end - begin > 1:
            found.append(polygon(x[begin:end], y[begin:end]))
        else:
            found.append(polygon(np.array([x[begin] - 0.5, x[begin] + 0.5]), y[[begin, begin]]))
    return found


@lru_cache(maxsize=128)
def _pen(colour: str, dash: tuple[float, ...]) -> QPen:
    pen = QPen(QColor(colour), 1.0)
    pen.setCosmetic(True)
    if dash:
        # A dash is written for lines of 1.4 px.
        pen.setDashPattern([d * 1.4 for d in dash])
    return pen


def paint(painter: QPainter, curves: Sequence[Curve], area: QRectF, *, rich: bool) -> None:
    """Paint the curves inside `area`, strong ones last; `rich`: each of them twice."""
    painter.save()
    painter.setClipRect(area)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for curve in sorted(curves, key=lambda c: c.strong):
        painter.setPen(_pen(curve.colour, curve.dash))
        for dx, dy in _OFFSETS[: (2 if rich else 1) + (2 if curve.strong else 0)]:
            painter.translate(dx, dy)
            for stretch in curve.stretches:
                painter.drawPolyline(stretch)
            painter.translate(-dx, -dy)
    painter.restore()
