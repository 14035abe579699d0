"""Tiny painted curves and histograms, as widgets and as functions for table delegates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from modellab.gui.kit import polylines
from modellab.gui.kit.polylines import polygon
from modellab.gui.kit.text import tip_text
from modellab.gui.theme import mix, theme
from modellab.gui.theme.icons import role_colour

if TYPE_CHECKING:
    from collections.abc import Sequence

MANY = 60
"""Curves of more points are painted with thin pens."""
Values = NDArray[np.float64]


def as_values(values: ArrayLike) -> Values:
    """Return `values` as a flat array of float64 (None and text that is no number become NaN)."""
    return np.asarray(values, dtype=np.float64).ravel()


def value_range(values: Values) -> tuple[float, float]:
    """Return the least and the greatest finite value; (0, 1) where there is none."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    return float(finite.min()), float(finite.max())


def spark_points(values: Values, rect: QRectF, low: float, high: float) -> list[QPolygonF]:
    """Return the curve of `values` in `rect` as unbroken runs; NaN breaks the line.

    A series longer than the rectangle is wide is reduced to the least and the greatest value of
    every pixel, in their order.
    """
    count = values.size
    if count == 0 or rect.width() <= 0:
        return []
    wide = max(1, int(rect.width()))
    xs = (
        np.linspace(rect.left(), rect.right(), count)
        if count > 1
        else np.array([rect.center().x()])
    )
    ys = values
    if count > 2 * wide:
        chosen = _ends_of_pixels(values, wide)
        xs, ys = xs[chosen], values[chosen]
    span = high - low
    share = (ys - low) / span if span > 0 else np.where(np.isfinite(ys), 0.5, np.nan)
    heights = rect.bottom() - np.clip(share, 0.0, 1.0) * rect.height()
    good = np.isfinite(heights)
    if good.all():
        return [polygon(xs, heights)]
    edges = np.flatnonzero(np.diff(np.pad(good.astype(np.int8), 1)))
    return [
        polygon(xs[begin:end], heights[begin:end])
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    ]


def _ends_of_pixels(values: Values, wide: int) -> NDArray[np.intp]:
    """Return where values are least and greatest within each of `wide` equal parts."""
    count = values.size
    edges = np.linspace(0, count, wide + 1).astype(int)
    longest = int(np.diff(edges).max())
    at = edges[:-1, None] + np.arange(longest)
    inside = (at < edges[1:, None]) & (at < count)
    part = values[np.minimum(at, count - 1)]
    known = inside & np.isfinite(part)
    least = edges[:-1] + np.where(known, part, np.inf).argmin(axis=1)
    most = edges[:-1] + np.where(known, part, -np.inf).argmax(axis=1)
    # A part without any value keeps its first place: the line breaks there.
    empty = ~known.any(axis=1)
    least[empty] = most[empty] = edges[:-1][empty]
    kept = np.zeros(count, dtype=bool)
    kept[least] = kept[most] = True
    return np.flatnonzero(kept)


def paint_spark(
    painter: QPainter,
    rect: QRectF,
    values: ArrayLike,
    colour: str,
    *,
    low: float | None = None,
    high: float | None = None,
    width: float = 1.3,
    dash: Sequence[float] = (),
    area: bool = False,
    end_dot: bool = False,
) -> None:
    """Paint the curve of `values` into `rect`, between `low` and `high` (else its own range)."""
    data = as_values(values)
    least, greatest = value_range(data)
    low = least if low is None else low
    high = greatest if high is None else high
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    runs = spark_points(data, rect, low, high)
    many = sum(run.size() for run in runs) > MANY
    pen = QPen(QColor(colour), 1.0 if many else width)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    if dash:
        pen.setDashPattern([d * width for d in dash] if many else list(dash))
    times = (4 if width > 1.8 else 2) if many else 1
    if area:
        fill = QColor(colour)
        fill.setAlphaF(0.16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        for run in runs:
            shape = QPolygonF(run)
            shape.append(QPointF(run.last().x(), rect.bottom()))
            shape.append(QPointF(run.first().x(), rect.bottom()))
            painter.drawPolygon(shape)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(pen)
    for run in runs:
        if run.size() == 1:
            painter.setBrush(QColor(colour))
            painter.drawEllipse(run.first(), width / 2, width / 2)
            painter.setBrush(Qt.BrushStyle.NoBrush)
        else:
            polylines.paint(painter, [run], times)
    if end_dot and runs and np.isfinite(data[-1]):
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawEllipse(runs[-1].last(), 2.4, 2.4)
    painter.restore()


def paint_histogram(
    painter: QPainter, rect: QRectF, counts: ArrayLike, colour: str, *, marked: int | None = None
) -> None:
    """Paint bars for `counts` into `rect`; bar `marked` stands out."""
    data = np.nan_to_num(as_values(counts), nan=0.0)
    top = float(data.max()) if data.size else 0.0
    if top <= 0:
        return
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    step = rect.width() / data.size
    gap = 1.0 if step >= 3 else 0.0
    faint, strong = QColor(colour), QColor(theme().text)
    for place, count in enumerate(data.tolist()):
        if count <= 0:
            continue
        high = max(1.0, count / top * rect.height())
        painter.setBrush(QBrush(strong if place == marked else faint))
        left = rect.left() + place * step
        painter.drawRect(QRectF(left, rect.bottom() - high, max(1.0, step - gap), high))
    painter.restore()


class SparkLine(QWidget):
    """A small curve without axes.

    Parameters
    ----------
    values
        The series; NaN breaks the line.
    colour
        A colour token's name or ``#RRGGBB``.
    shaded
        The share of the width (from the left) that is the training window.
    name
        Accessible name: what the curve shows.
    """

    def __init__(
        self,
        values: ArrayLike = (),
        *,
        name: str,
        colour: str = "second",
        shaded: float = 0.0,
        area: bool = False,
        end_dot: bool = False,
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._values = as_values(values)
        self._colour, self._shaded = colour, shaded
        self._area, self._end_dot = area, end_dot
        self._dash: Sequence[float] = ()
        self._limits: tuple[float | None, float | None] = (None, None)
        self.setAccessibleName(name)
        self.setToolTip(tip_text(tip))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_values(
        self, values: ArrayLike, *, low: float | None = None, high: float | None = None
    ) -> None:
        """Show another series, between `low` and `high` (else its own range)."""
        self._values, self._limits = as_values(values), (low, high)
        self.update()

    def set_style(self, colour: str, dash: Sequence[float] = ()) -> None:
        """Change colour and dash."""
        self._colour, self._dash = colour, tuple(dash)
        self.update()

    def set_shaded(self, share: float) -> None:
        """Shade the first `share` of the width: the training window."""
        self._shaded = share
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(96, 24)

    def minimumSizeHint(self) -> QSize:
        return QSize(32, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        rect = QRectF(self.rect())
        if self._shaded > 0:
            part = QRectF(rect.left(), rect.top(), rect.width() * self._shaded, rect.height())
            painter.fillRect(part, QColor(tokens.selected))
        low, high = self._limits
        paint_spark(
            painter,
            rect.adjusted(3, 3, -3, -3),
            self._values,
            role_colour(self._colour),
            low=low,
            high=high,
            dash=self._dash,
            area=self._area,
            end_dot=self._end_dot,
        )


class HistogramStrip(QWidget):
    """A small histogram without axes."""

    def __init__(
        self, counts: ArrayLike = (), *, name: str, tip: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._counts = as_values(counts)
        self._marked: int | None = None
        self.setAccessibleName(name)
        self.setToolTip(tip_text(tip))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_counts(self, counts: ArrayLike, marked: int | None = None) -> None:
        """Show other counts; bar `marked` stands out."""
        self._counts, self._marked = as_values(counts), marked
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(96, 24)

    def minimumSizeHint(self) -> QSize:
        return QSize(32, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colour = mix(theme().third, theme().surface, 0.35)
        rect = QRectF(self.rect()).adjusted(0, 2, 0, -1)
        paint_histogram(painter, rect, self._counts, colour, marked=self._marked)
