"""The curves of a live plot as polygons in pixels, made once for each change and then painted.

Painted straight into the widget: as items of a `QGraphicsScene` they took three times as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPen

from modellab.gui.kit import polylines
from modellab.gui.kit.polylines import polygon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QPolygonF

    from modellab.gui.plots.series import Floats

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
        polylines.paint(painter, curve.stretches, (2 if rich else 1) + (2 if curve.strong else 0))
    painter.restore()
