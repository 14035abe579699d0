"""A live plot: curves over rows with direct labels, marks and the shared crosshair.

All is painted in pixels. Data are reduced to two points a pixel and made into polygons when they,
the range or the size change (`curves`), not at every paint.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from modellab.gui.kit import describe, short_number
from modellab.gui.plots import curves, live_marks, live_paint, shades
from modellab.gui.plots.line_labels import LineLabels
from modellab.gui.plots.mark_groups import MarkGroups
from modellab.gui.plots.series import AutoRange
from modellab.gui.plots.ticks import nice_step
from modellab.gui.theme import px, theme, theme_hub

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modellab.gui.plots.parts import HeatMap, LiveLine, Mark, Shade
    from modellab.gui.plots.view_range import ViewRange

LEFT = 48
"""Width of the left axis, the same for all plots of a stack, so that they line up."""
WIDE = 780
"""Wider plots give the names in their labels more room."""
NARROW = 560
"""Narrower plots keep only the values in their labels."""
RICH_POINTS = 7000
"""With more points than this in a plot, lines are drawn once: the frame's time goes first."""


def gutter(width: int) -> int:
    """Return the room for labels right of the curves in a plot of `width` pixels."""
    return px((172 if width >= WIDE else 138) if width >= NARROW else 60)


class LivePlot(QWidget):
    """One plot of a stack; it shares its range and its cursors with the others.

    Parameters
    ----------
    name, tip
        Accessible name and explanation.
    view
        The shared range.
    date_of
        Words for the date of a row; empty where there is none.
    words
        A value in words, for labels and the readout.
    tick_prefix
        Written before tick numbers, such as a currency.
    axis_range
        How the y axis follows the values.
    """

    readout_wanted = Signal()
    """The cursor moved over this plot: it is the one that shows the readout."""
    menu_wanted = Signal(object, object)
    """A menu is asked for: the row, and where on the screen."""

    def __init__(
        self,
        name: str,
        tip: str,
        view: ViewRange,
        *,
        date_of: Callable[[int], str],
        words: Callable[[float], str] = short_number,
        axis_range: AutoRange | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        describe(self, name, tip)
        self.setToolTip("")
        self.view = view
        self.date_of, self.words = date_of, words
        self.axis_range = axis_range or AutoRange()
        self.lines: list[LiveLine] = []
        self.marks: Sequence[Mark] = ()
        self.shades: Sequence[Shade] = ()
        self._groups: MarkGroups | None = None
        self._grouped: Sequence[Mark] = ()
        self.heat: HeatMap | None = None
        self.empty_text = ""
        self.zero_line = False
        self.mark_texts = False
        self.shows_readout = False
        self.manual: tuple[float, float] | None = None
        """The y range that the person set; None while it follows the values."""
        self._area = QRectF(0, 0, 10, 10)
        self.paint_ms = 0.0
        """Milliseconds that the last paint took."""
        self.hurried = False
        """Rows run by: labels may stay for a moment as they are."""
        self.label_turn = True
        """Whether they may be written anew with this frame: plots of a stack take turns."""
        self._ground = live_paint.Ground()
        self._labels = LineLabels()
        self._curves: list[curves.Curve] = []
        self._rich = True
        self._drag: tuple[QPointF, float, float] | None = None
        self._dragged = False
        self._heat_cache: live_paint.HeatPicture = live_paint.HeatPicture()
        # It paints all of itself: nothing behind it need be painted first.
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumHeight(px(60))
        self._place_box()
        theme_hub().theme_changed.connect(self._themed)

    def viewport(self) -> QWidget:
        """Return what is painted on: the widget itself."""
        return self

    # ------------------------------------------------------------------ what is shown

    def set_lines(self, lines: Sequence[LiveLine]) -> None:
        """Show these lines; `refresh` draws them."""
        self.lines = list(lines)

    def refresh(self) -> None:
        """Draw what is visible now: call it when data, range or size changed."""
        low, high = self.view.low, self.view.high
        area = self.area()
        wide = max(1, int(area.width()))
        drawn = [line for line in self.lines if line.shown and self.heat is None]
        reduced = curves.reduce(drawn, low, high, wide)
        if self.manual is None and self.heat is None:
            self.axis_range.update([seen.y for seen in reduced], time.monotonic())
        bottom, top = self.y_range()
        tall = top - bottom
        across, up = area.width() / (high - low), area.height() / tall
        self._curves = []
        for seen in reduced:
            self._curves += curves.made(seen, low, across, bottom, up, tall, area)
        order = {line.key: at for at, line in enumerate(drawn)}
        self._curves.sort(key=lambda curve: order[curve.key])
        self._rich = sum(curve.points for curve in self._curves) <= RICH_POINTS
        self.update()

    def y_range(self) -> tuple[float, float]:
        """Return the least and the greatest value on the axis."""
        return self.manual or (self.axis_range.low, self.axis_range.high)

    def follow_y(self) -> None:
        """Let the y axis follow the values again."""
        self.manual = None
        self.axis_range.reset()

    def mark_groups(self) -> MarkGroups:
        """Return the marks ready to be grouped, made anew when other ones were set."""
        if self._groups is None or self._grouped is not self.marks:
            self._groups = MarkGroups(self.marks, self._groups)
            self._grouped = self.marks
        return self._groups

    # ------------------------------------------------------------------ geometry

    def area(self) -> QRectF:
        """Return where the curves are, in pixels."""
        return self._area

    def _place_box(self) -> None:
        wide, high = self.width(), self.height()
        left = px(LEFT)
        self._area = QRectF(left, 6, max(10, wide - left - gutter(wide)), max(10, high - 12))

    def x_of(self, row: float) -> float:
        """Return the pixel of a row."""
        area = self.area()
        span = self.view.high - self.view.low
        return area.left() + (row - self.view.low) / span * area.width()

    def row_at(self, x: float) -> float:
        """Return the row of a pixel."""
        area = self.area()
        span = self.view.high - self.view.low
        return self.view.low + (x - area.left()) / area.width() * span

    def y_of(self, value: float) -> float:
        """Return the pixel of a value."""
        area = self.area()
        low, high = self.y_range()
        return area.bottom() - (value - low) / (high - low) * area.height()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if hasattr(self, "lines"):
            self._place_box()
            self.refresh()

    # ------------------------------------------------------------------ painting

    def _themed(self) -> None:
        self._heat_cache.forget()
        self._place_box()  # the text size may have changed too
        self.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        began = time.perf_counter()
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:
            painter.end()  # one that is left active brings the next one down
        self.paint_ms = (time.perf_counter() - began) * 1000

    def _paint(self, painter: QPainter) -> None:
        self._ground.paint(self, painter)
        if self.heat is not None:
            self._heat_cache.paint(self, self.heat, painter)
        shades.paint(self, painter)
        curves.paint(painter, self._curves, self._area, rich=self._rich)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        live_marks.marks(self, painter)
        if self.mark_texts:
            shades.paint_words(self, painter)
        live_paint.head(self, painter)
        live_paint.cursors(self, painter)
        self.paint_labels(painter)
        if self.shows_readout and self.view.hover is not None:
            self.paint_readout(painter)
        if self.empty_text and not self.lines and self.heat is None:
            live_paint.empty(self, painter)
        if self.hasFocus():
            painter.setPen(QPen(QColor(theme().link), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)

    def paint_labels(self, painter: QPainter) -> None:
        """Paint the names at the right end of lines or of rows of cells."""
        if self.heat is None:
            self._labels.paint(self, painter)
        else:
            live_paint.heat_labels(self, self.heat, painter)

    def paint_readout(self, painter: QPainter) -> None:
        """Paint the values at the crosshair."""
        live_paint.readout(self, painter)

    # ------------------------------------------------------------------ by mouse

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        here = event.position()
        if self._drag is not None:
            began, low, high = self._drag
            moved = here.x() - began.x()
            if self._dragged or abs(moved) > 4:
                self._dragged = True
                rows = moved / self.area().width() * (high - low)
                self.view.place(low - rows, high - rows)
            event.accept()
            return
        inside = self.area().adjusted(-2, -20, 2, 20).contains(here)
        self._take_readout()
        self.view.set_hover(round(self.row_at(here.x())) if inside else None)
        event.accept()

    def _take_readout(self) -> None:
        if not self.shows_readout:
            self.readout_wanted.emit()
            self.shows_readout = True

    def leaveEvent(self, event: QEvent) -> None:
        self.view.set_hover(None)
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = (event.position(), self.view.low, self.view.high)
            self._dragged = False
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._drag is not None:
            if not self._dragged and self.area().contains(event.position()):
                self._pin(round(self.row_at(event.position().x())))
            self._drag = None
        event.accept()

    def _pin(self, row: int) -> None:
        near = (
            self.view.pinned is not None and abs(self.x_of(self.view.pinned) - self.x_of(row)) < 6
        )
        inside = self.view.start <= row <= self.view.head
        self.view.pin(None if near or not inside else row)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        view = self.view
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            row, at = round(self.row_at(event.pos().x())), event.globalPos()
        else:
            row = view.hover if view.hover is not None else view.head
            place = QPoint(round(self.x_of(row)), round(self.area().center().y()))
            at = self.mapToGlobal(place)
        self.menu_wanted.emit(min(max(row, view.start), view.head), at)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.follow_y()
        self.view.pin(None)
        self.view.set_follow(True)
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn, aside = event.angleDelta().y() / 120.0, event.angleDelta().x() / 120.0
        here = event.position()
        if here.x() < px(LEFT) and turn and self.heat is None:
            self._zoom_y(0.85**turn, here.y())
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier or (aside and not turn):
            self.view.pan(-(turn or aside) * 0.1 * (self.view.high - self.view.low))
        elif turn:
            self.view.zoom(0.8**turn, self.row_at(here.x()))
        event.accept()

    def _zoom_y(self, factor: float, y: float) -> None:
        low, high = self.y_range()
        area = self.area()
        centre = low + (area.bottom() - y) / area.height() * (high - low)
        self.manual = (centre + (low - centre) * factor, centre + (high - centre) * factor)
        self.refresh()

    # ------------------------------------------------------------------ by keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._key(event):
            # Not the scene's: the window's shortcuts and Tab go on.
            event.ignore()

    def _key(self, event: QKeyEvent) -> bool:
        view, key = self.view, Qt.Key(event.key())
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        wide = view.high - view.low
        centre = view.hover if view.hover is not None else view.low + wide / 2
        side = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(key, 0)
        if side and control:
            view.pan(side * 0.1 * wide)
        elif side:
            step = 1 if shift else max(1, round(nice_step(wide, 200)))
            start = view.hover if view.hover is not None else view.head
            self._take_readout()
            view.set_hover(start + side * step)
            self.setAccessibleDescription(live_paint.readout_words(self))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            view.zoom(0.8, centre)
        elif key == Qt.Key.Key_Minus:
            view.zoom(1.25, centre)
        elif key == Qt.Key.Key_Home:
            view.place(view.start, view.start + wide)
        elif key == Qt.Key.Key_End:
            self.follow_y()
            view.set_follow(True)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and view.hover is not None:
            self._pin(view.hover)
        elif key == Qt.Key.Key_Escape and (view.hover is not None or view.pinned is not None):
            view.pin(None)
            view.set_hover(None)
        else:
            return False
        event.accept()
        return True

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()
