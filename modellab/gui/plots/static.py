"""Plots that stand still: lines, points and bars on the Test page, in the theme's colours.

The painted ones that need words more than axes (bar lists, heat grids) are in
`modellab.gui.plots.painted`. Each plot can tell its numbers as a table (`rows`), for the table view
beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Slot
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QFrame, QGraphicsItem, QToolTip, QWidget

from modellab.gui.kit import describe, short_number, tip_text
from modellab.gui.theme import font, theme, theme_hub
from modellab.gui.theme.icons import role_colour

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass
class Line:
    """One line: `colour` is a theme role or ``#RRGGBB``; `sizes` are those of the markers."""

    name: str
    x: ArrayLike
    y: ArrayLike
    colour: str = "text"
    dash: tuple[float, ...] = ()
    width: float = 1.8
    markers: bool = False
    label: bool = True
    sizes: ArrayLike | None = None


@dataclass
class _Drawn:
    """Arrays of a line as drawn, for the readout."""

    line: Line
    x: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    y: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


class _Axis(pg.AxisItem):
    """Ticks as people write numbers."""

    percent = False

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.percent:
            return [f"{short_number(v * scale * 100)} %" for v in values]
        tiny = spacing * scale * 1e-6
        return [short_number(0.0 if abs(v * scale) < tiny else v * scale) for v in values]


class StaticPlot(pg.GraphicsView):
    """A plot without mouse zoom, of fixed ranges; the readout follows the mouse as a tooltip.

    Parameters
    ----------
    name, tip
        Accessible name and explanation.
    x_title, y_title
        What the axes show, with units.
    """

    def __init__(
        self,
        name: str,
        tip: str,
        *,
        x_title: str = "",
        y_title: str = "",
        x_percent: bool = False,
        y_percent: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        self._axes = {"bottom": _Axis("bottom"), "left": _Axis("left")}
        self._axes["bottom"].percent = x_percent
        self._axes["left"].percent = y_percent
        super().__init__(parent)
        describe(self, name, tip)
        self.setToolTip("")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        # Not a PlotItem: its menus, never shown here, cost more than all the rest.
        self.box = pg.ViewBox(enableMenu=False, enableMouse=False)
        """What the lines are drawn in."""
        self.box.disableAutoRange()
        place = pg.GraphicsLayout()
        # Room at the right for the outermost tick's text.
        place.layout.setContentsMargins(2, 6, 18, 2)
        place.layout.setSpacing(0)
        place.addItem(self._axes["left"], 0, 0)
        place.addItem(self.box, 0, 1)
        place.addItem(self._axes["bottom"], 1, 1)
        for axis in self._axes.values():
            axis.linkToView(self.box)
        self.setCentralItem(place)
        self._titles = {"bottom": x_title, "left": y_title}
        self._drawn: list[_Drawn] = []
        self._columns: tuple[str, ...] = ("series", x_title or "x", y_title or "y")
        self._words: list[pg.TextItem] = []
        self._spacing: float | None = None
        self.scene().sigMouseMoved.connect(self._hover)
        theme_hub().theme_changed.connect(self._restyle)
        self._restyle()

    # ------------------------------------------------------------------ looks

    @Slot()
    def _restyle(self) -> None:
        tokens = theme()
        self.setBackground(QColor(tokens.surface))
        for side, axis in self._axes.items():
            axis.setPen(QPen(QColor(tokens.hairline), 1))
            axis.setTextPen(QPen(QColor(tokens.second)))
            axis.setTickFont(font(11))
            axis.setStyle(tickLength=0, tickTextOffset=6, hideOverlappingLabels=False)
            if self._titles[side]:
                axis.setLabel(self._titles[side])
                axis.label.setFont(font(12))
                axis.label.setDefaultTextColor(QColor(tokens.second))
        self._repaint_content()

    def set_titles(self, x_title: str, y_title: str) -> None:
        """Change what the axes say."""
        self._titles = {"bottom": x_title, "left": y_title}
        self._columns = ("series", x_title, y_title)
        self._restyle()

    def _repaint_content(self) -> None:
        """Draw again in the colours of the moment; overridden."""

    def _pen(self, colour: str, width: float, dash: tuple[float, ...] = ()) -> QPen:
        pen = QPen(QColor(role_colour(colour)), width)
        pen.setCosmetic(True)
        if dash:
            pen.setDashPattern(list(dash))
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        return pen

    def _start(self) -> None:
        self.box.clear()
        self._words = []
        # The axis' own grid would lie over the lines and cut the outermost labels.
        grid = pg.GridItem(pen=QPen(QColor(theme().grid), 1), textPen=None)
        grid.setZValue(-100)
        if self._spacing is not None:
            grid.setTickSpacing(x=[self._spacing], y=[self._spacing])
        self._add(grid)

    def _add(self, item: QGraphicsItem) -> None:
        self.box.addItem(item, ignoreBounds=True)

    def set_ranges(
        self, x: tuple[float, float], y: tuple[float, float], *, padding: float = 0.02
    ) -> None:
        """Show exactly this part of the plane."""
        low, high = x
        if not high > low:
            low, high = low - 0.5, high + 0.5
        under, over = y
        if not over > under:
            under, over = under - 0.5, over + 0.5
        self.box.setXRange(low, high, padding=padding)
        self.box.setYRange(under, over, padding=padding)

    def _word(
        self,
        text: str,
        at: QPointF,
        colour: str,
        anchor: tuple[float, float],
    ) -> None:
        """Put plain text at a point of the plane."""
        item = pg.TextItem(color=QColor(theme().lane_text(role_colour(colour))), anchor=anchor)
        item.setPlainText(text)
        item.setFont(font(12, 600))
        item.setPos(at)
        self._add(item)
        self._words.append(item)

    # ------------------------------------------------------------------ readout

    def _hover(self, place: object) -> None:
        box = self.box
        if not isinstance(place, QPointF) or not box.sceneBoundingRect().contains(place):
            QToolTip.hideText()
            return
        point = box.mapSceneToView(place)
        text = self.readout(point.x(), point.y())
        if text:
            where = self.mapToGlobal(self.mapFromScene(place))
            QToolTip.showText(where, tip_text(text), self)
        else:
            QToolTip.hideText()

    def readout(self, x: float, y: float) -> str:
        """Return what the plot says at a point, as plain text."""
        lines = []
        for drawn in self._drawn:
            finite = np.flatnonzero(np.isfinite(drawn.x) & np.isfinite(drawn.y))
            if not finite.size:
                continue
            near = finite[int(np.argmin(np.abs(drawn.x[finite] - x)))]
            shown = self._shown("left", drawn.y[near]), self._shown("bottom", drawn.x[near])
            lines.append(f"{drawn.line.name}: {shown[0]} at {shown[1]}")
        return "\n".join(lines)

    def _shown(self, side: str, value: float) -> str:
        if self._axes[side].percent:
            return f"{short_number(value * 100, 3)} %"
        return short_number(float(value))

    # ------------------------------------------------------------------ table

    def columns(self) -> tuple[str, ...]:
        """Headings of `rows`."""
        return self._columns

    def rows(self) -> list[tuple[str, ...]]:
        """What is drawn, as texts for a table."""
        return [
            (drawn.line.name, self._shown("bottom", x), self._shown("left", y))
            for drawn in self._drawn
            for x, y in zip(drawn.x.tolist(), drawn.y.tolist(), strict=True)
        ]


class LinePlot(StaticPlot):
    """Lines over an optional diagonal; the names of several stand in a corner."""

    def __init__(
        self,
        *args: object,
        diagonal: bool = False,
        corner: Literal["top", "bottom"] = "bottom",
        right: bool = True,
        **kwargs: object,
    ) -> None:
        self._diagonal = diagonal
        self._corner, self._right = corner, right
        self._lines: list[Line] = []
        self._ranges: tuple[tuple[float, float], tuple[float, float]] | None = None
        self._level: tuple[str, float] | None = None
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def set_lines(
        self,
        lines: list[Line],
        *,
        ranges: tuple[tuple[float, float], tuple[float, float]] | None = None,
        level: tuple[str, float] | None = None,
    ) -> None:
        """Draw other lines; `level` is a dashed horizontal line with a name."""
        self._lines, self._ranges, self._level = lines, ranges, level
        self._repaint_content()

    def _repaint_content(self) -> None:
        unit = self._ranges == ((0.0, 1.0), (0.0, 1.0))
        self._spacing = 0.2 if unit else None
        for axis in self._axes.values():
            axis.setTickSpacing(0.2, 0.2) if unit else axis.setTickSpacing()
        self._start()
        self._drawn = []
        if self._ranges is not None:
            self.set_ranges(*self._ranges)
        else:
            self.set_ranges(*_bounds([(line.x, line.y) for line in self._lines]))
        (left, right), _ = self._view()
        if self._diagonal:
            pen = self._pen("border", 1.2, (3.0, 3.0))
            self._add(pg.PlotCurveItem([left, right], [left, right], pen=pen))
        if self._level is not None:
            name, value = self._level
            pen = self._pen("third", 1.2, (3.0, 3.0))
            self._add(pg.PlotCurveItem([left, right], [value, value], pen=pen))
            self._word(name, QPointF(right, value), "third", (1.0, 1.0))
        for line in self._lines:
            self._draw(line)
        named = [line for line in self._lines if line.label]
        if len(named) > 1:
            self._names(named)

    def _names(self, lines: list[Line]) -> None:
        """Write the names of several lines into the emptiest corner, in their colours."""
        (left, right), (low, high) = self._view()
        box = self.box
        step = (high - low) * 17 / max(60.0, float(box.height()))
        x = right - (right - left) * 0.02 if self._right else left + (right - left) * 0.03
        side = 1.0 if self._right else 0.0
        for number, line in enumerate(lines):
            if self._corner == "bottom":
                y = low + step * (len(lines) - number)
            else:
                y = high - step * number
            shown = f"– – {line.name}" if line.dash else line.name
            self._word(shown, QPointF(x, y), line.colour, (side, 0.0))

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        # The names are placed in pixels.
        if getattr(self, "_lines", None) and len(self._lines) > 1:
            self._repaint_content()

    def _view(self) -> tuple[tuple[float, float], tuple[float, float]]:
        (left, right), (low, high) = self.box.viewRange()
        return (left, right), (low, high)

    def _draw(self, line: Line) -> None:
        x = np.asarray(line.x, dtype=np.float64)
        y = np.asarray(line.y, dtype=np.float64)
        drawn = _Drawn(line, x, y)
        self._drawn.append(drawn)
        if not len(x):
            return
        curve = pg.PlotCurveItem(
            x,
            y,
            pen=self._pen(line.colour, line.width, line.dash),
            connect="finite",
            antialias=True,
        )
        self._add(curve)
        if line.markers:
            sizes = 7 if line.sizes is None else np.asarray(line.sizes, dtype=np.float64)
            dots = pg.ScatterPlotItem(
                x,
                y,
                size=sizes,
                brush=QColor(role_colour(line.colour)),
                pen=self._pen("surface", 1.0),
            )
            self._add(dots)


class PointPlot(StaticPlot):
    """A cloud of points over the diagonal or the zero line (predicted against true; residuals)."""

    def __init__(
        self, *args: object, diagonal: bool = False, zero: bool = False, **kwargs: object
    ) -> None:
        self._diagonal, self._zero = diagonal, zero
        self._clouds: list[Line] = []
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def set_points(self, clouds: list[Line]) -> None:
        """Draw other points (``Line`` without lines)."""
        self._clouds = clouds
        self._repaint_content()

    def _repaint_content(self) -> None:
        self._start()
        self._drawn = []
        x_range, y_range = _bounds([(c.x, c.y) for c in self._clouds])
        if self._diagonal:
            low, high = min(x_range[0], y_range[0]), max(x_range[1], y_range[1])
            x_range = y_range = (low, high)
        self.set_ranges(x_range, y_range, padding=0.04)
        for cloud in self._clouds:
            x = np.asarray(cloud.x, dtype=np.float64)
            y = np.asarray(cloud.y, dtype=np.float64)
            self._drawn.append(_Drawn(cloud, x, y))
            good = np.isfinite(x) & np.isfinite(y)
            fill = QColor(role_colour(cloud.colour))
            fill.setAlphaF(0.35)
            self._add(pg.ScatterPlotItem(x[good], y[good], size=5, brush=fill, pen=None))
        if self._diagonal:
            pen = self._pen("third", 1.2, (3.0, 3.0))
            self._add(pg.PlotCurveItem(list(x_range), list(x_range), pen=pen))
        if self._zero:
            pen = self._pen("third", 1.2, (3.0, 3.0))
            self._add(pg.PlotCurveItem(list(x_range), [0.0, 0.0], pen=pen))

    def readout(self, x: float, y: float) -> str:
        (left, right), (low, high) = self.box.viewRange()
        best, text = 0.0009, ""
        for drawn in self._drawn:
            if not len(drawn.x):
                continue
            far = ((drawn.x - x) / (right - left)) ** 2 + ((drawn.y - y) / (high - low)) ** 2
            if not np.isfinite(far).any():
                continue
            near = int(np.nanargmin(far))
            if far[near] < best:
                best = float(far[near])
                x_shown = self._shown("bottom", drawn.x[near])
                y_shown = self._shown("left", drawn.y[near])
                text = f"{self._columns[1]}: {x_shown}\n{self._columns[2]}: {y_shown}"
        return text


class HistogramPlot(StaticPlot):
    """Bars over the edges of bins."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self._edges: NDArray[np.float64] = np.empty(0)
        self._counts: NDArray[np.float64] = np.empty(0)
        self._colour = "third"
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def set_bars(self, edges: ArrayLike, counts: ArrayLike, colour: str = "third") -> None:
        """Draw ``len(edges) - 1`` bars."""
        self._edges = np.asarray(edges, dtype=np.float64)
        self._counts = np.asarray(counts, dtype=np.float64)
        self._colour = colour
        self._repaint_content()

    def _repaint_content(self) -> None:
        self._start()
        self._drawn = []
        if len(self._counts) == 0 or len(self._edges) != len(self._counts) + 1:
            return
        middle = (self._edges[:-1] + self._edges[1:]) / 2
        self._drawn = [_Drawn(Line("rows", middle, self._counts), middle, self._counts)]
        top = float(np.nanmax(self._counts))
        self.set_ranges((float(self._edges[0]), float(self._edges[-1])), (0.0, max(top, 1.0)))
        bars = pg.BarGraphItem(
            x0=self._edges[:-1],
            x1=self._edges[1:],
            y0=0,
            height=self._counts,
            brush=QColor(role_colour(self._colour)),
            pen=self._pen("surface", 1.0),
        )
        self._add(bars)
        if self._edges[0] < 0 < self._edges[-1]:
            pen = self._pen("text", 1.2, (3.0, 3.0))
            self._add(pg.PlotCurveItem([0.0, 0.0], [0.0, top], pen=pen))

    def readout(self, x: float, y: float) -> str:
        at = int(np.searchsorted(self._edges, x, side="right")) - 1
        if not 0 <= at < len(self._counts):
            return ""
        low, high = short_number(float(self._edges[at])), short_number(float(self._edges[at + 1]))
        return f"{low} to {high}: {self._counts[at]:,.0f} rows"


def _bounds(
    pairs: list[tuple[ArrayLike, ArrayLike]],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the finite range of all x and of all y; (0, 1) where there is nothing."""
    found: list[tuple[float, float]] = []
    for which in (0, 1):
        low, high = math.inf, -math.inf
        for pair in pairs:
            values = np.asarray(pair[which], dtype=np.float64)
            finite = values[np.isfinite(values)]
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        found.append((low, high) if low <= high else (0.0, 1.0))
    return found[0], found[1]
