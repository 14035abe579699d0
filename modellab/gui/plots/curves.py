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
from modellab.gui.kit.polylines import polygon, polygon_of
from modellab.gui.plots.series import decimate, decimate_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QPolygonF

    from modellab.gui.plots.parts import LiveLine
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


@dataclass
class Reduced:
    """What can be seen of some lines: positions and values (k, m), those of a line in each row."""

    lines: list[LiveLine]
    x: Floats
    y: Floats
    whole: bool
    """Whether no value is missing."""


def reduce(lines: Sequence[LiveLine], low: float, high: float, pixels: int) -> list[Reduced]:
    """Return the lines as far as pixels can show them; those at the same rows in one go."""
    found: list[Reduced] = []
    for x, group in _alike(lines):
        ys = np.stack([line.y for line in group])
        whole = np.logical_and.reduce(np.isfinite(ys), axis=1)
        smooth = [line for line, good in zip(group, whole.tolist(), strict=True) if good]
        if smooth:
            some = ys if len(smooth) == len(group) else ys[whole]
            found.append(Reduced(smooth, *decimate_all(x, some, low, high, pixels), whole=True))
        for line, good in zip(group, whole.tolist(), strict=True):
            if not good:
                seen, values = decimate(x, line.y, low, high, pixels)
                found.append(Reduced([line], seen[None], values[None], whole=False))
    return found


def _alike(lines: Sequence[LiveLine]) -> list[tuple[Floats, list[LiveLine]]]:
    """Return the lines by their rows."""
    found: list[tuple[Floats, list[LiveLine]]] = []
    for line in lines:
        for x, group in found:
            if line.x is x or (
                len(x) == len(line.x)
                and len(x) > 0
                and x[-1] == line.x[-1]
                and bool(np.array_equal(x, line.x))
            ):
                group.append(line)
                break
        else:
            found.append((line.x, [line]))
    return found


def made(
    seen: Reduced, low: float, across: float, bottom: float, up: float, tall: float, area: QRectF
) -> list[Curve]:
    """Return the curves of some lines in pixels.

    Parameters
    ----------
    low, across
        The row at the left edge of `area`, and pixels a row.
    bottom, up, tall
        The value at the foot, pixels for 1, and the height in values.
    """
    points = np.empty((*seen.x.shape, 2))
    points[..., 0] = area.left() + (seen.x - low) * across
    # A model that diverges has values without end: Qt must not see them.
    y = np.clip(seen.y, bottom - FAR * tall, bottom + (1 + FAR) * tall)
    points[..., 1] = area.bottom() - (y - bottom) * up
    found = []
    for line, pairs in zip(seen.lines, points, strict=True):
        curve = Curve(line.key, line.colour, tuple(line.dash), line.strong, points=len(pairs))
        if not seen.whole:
            curve.stretches = stretches(pairs[:, 0], pairs[:, 1])
        elif len(pairs) > 1:
            curve.stretches = [polygon_of(pairs)]
        found.append(curve)
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
