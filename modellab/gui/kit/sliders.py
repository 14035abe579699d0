"""The learning-rate slider (log scale) and the bar that splits training window from stream."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QEnterEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QSlider, QWidget

from modellab.gui.kit.small_plots import as_values, paint_spark, value_range
from modellab.gui.kit.text import count_text, describe, short_number
from modellab.gui.theme import font, mix, px, theme
from modellab.gui.theme.icons import role_colour

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

_STEPS_PER_DECADE = 100


def _rounded(value: float) -> float:
    """Return `value` at three significant digits: what a hand can mean on a slider."""
    return float(f"{value:.3g}")


class _PaintedSlider(QSlider):
    """A horizontal slider that is dragged from where it is pressed, and paints itself."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)

    def _left(self) -> float:
        raise NotImplementedError

    def _right(self) -> float:
        raise NotImplementedError

    def _x_of(self, place: float) -> float:
        span = max(1, self.maximum() - self.minimum())
        return self._left() + (place - self.minimum()) / span * (self._right() - self._left())

    def _place_of(self, x: float) -> int:
        wide = max(1.0, self._right() - self._left())
        share = min(1.0, max(0.0, (x - self._left()) / wide))
        return round(self.minimum() + share * (self.maximum() - self.minimum()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self.setSliderDown(True)
        self.setSliderPosition(self._place_of(event.position().x()))
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setSliderPosition(self._place_of(event.position().x()))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setSliderDown(False)
            self.update()
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # As with number fields: the wheel scrolls the page unless the slider has the focus.
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.update()
        super().leaveEvent(event)


class LogSlider(_PaintedSlider):
    """A slider over powers of ten, with labelled decades and room for a mark.

    It keeps the exact value that it was given; dragging and keys choose values of three digits.

    Parameters
    ----------
    name, tip
        Accessible name and explanation.
    minimum, maximum
        The ends, both greater than zero.
    """

    value_changed = Signal(float)
    """The person moved the handle; sent while dragging."""
    value_committed = Signal(float)
    """The person let go of the handle, or moved it by keyboard."""

    def __init__(
        self,
        name: str,
        tip: str,
        *,
        minimum: float = 1e-4,
        maximum: float = 1.0,
        value: float = 0.05,
        colour: str = "second",
        changed: Callable[[float], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        if not 0 < minimum < maximum:
            raise ValueError("a log slider needs 0 < minimum < maximum")
        super().__init__(parent)
        self._name, self._tip = name, tip
        self._low, self._high = math.log10(minimum), math.log10(maximum)
        self._exact = value
        self._mark: float | None = None
        self._mark_tip = ""
        self._colour = colour
        self._setting = False
        steps = max(1, round((self._high - self._low) * _STEPS_PER_DECADE))
        self.setRange(0, steps)
        self.setSingleStep(5)
        self.setPageStep(_STEPS_PER_DECADE // 2)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_real(value)
        self.valueChanged.connect(self._moved)
        self.sliderReleased.connect(lambda: self.value_committed.emit(self._exact))
        if changed is not None:
            self.value_changed.connect(changed)

    def real(self) -> float:
        """Return the chosen value."""
        return self._exact

    def set_real(self, value: float) -> None:
        """Move the handle to `value` without sending a signal; the exact value is kept."""
        self._exact = value
        self._setting = True
        self.setValue(self._place(value))
        self._setting = False
        self._describe()
        self.update()

    def set_mark(self, value: float | None, tip: str = "") -> None:
        """Put the small mark at `value` (None: no mark), explained by `tip`."""
        self._mark, self._mark_tip = value, tip
        self._describe()
        self.update()

    def set_colour(self, colour: str) -> None:
        """Use a lane's colour (``#RRGGBB``) or a colour token."""
        self._colour = colour
        self.update()

    def _describe(self) -> None:
        words = [f"{short_number(self._exact)}.", self._tip]
        if self._mark is not None and self._mark_tip:
            words.append(self._mark_tip)
        describe(self, self._name, "\n".join(words))

    def _place(self, value: float) -> int:
        if value <= 0:
            return self.minimum()
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return round(min(1.0, max(0.0, share)) * self.maximum())

    def _moved(self, place: int) -> None:
        if self._setting:
            return
        share = place / self.maximum()
        self._exact = _rounded(10 ** (self._low + share * (self._high - self._low)))
        self._describe()
        self.update()
        self.value_changed.emit(self._exact)
        if not self.isSliderDown():
            self.value_committed.emit(self._exact)

    def sizeHint(self) -> QSize:
        return QSize(px(250), px(42))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(140), px(42))

    def _left(self) -> float:
        return 10.0

    def _right(self) -> float:
        return self.width() - 10.0

    def _x_of_value(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low) if value > 0 else 0.0
        return self._left() + min(1.0, max(0.0, share)) * (self._right() - self._left())

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = role_colour(self._colour)
        if not self.isEnabled():
            colour = mix(colour, tokens.surface, 0.5)
        middle = px(16)
        here = self._x_of_value(self._exact)
        groove = QRectF(self._left(), middle - 2, self._right() - self._left(), 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.border))
        painter.drawRoundedRect(groove, 2, 2)
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(QRectF(groove.left(), groove.top(), here - groove.left(), 4), 2, 2)
        self._paint_decades(painter, middle)
        if self._mark is not None:
            x = self._x_of_value(self._mark)
            tip = QPolygonF([QPointF(x - 4.5, 0), QPointF(x + 4.5, 0), QPointF(x, 6.5)])
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.second))
            painter.drawPolygon(tip)
        radius = 8.0
        if self.hasFocus():
            painter.setPen(QPen(QColor(tokens.link), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(here, middle), radius + 2.5, radius + 2.5)
        painter.setPen(QPen(QColor(colour), 2))
        painter.setBrush(QColor(tokens.surface))
        painter.drawEllipse(QPointF(here, middle), radius - 1, radius - 1)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawEllipse(QPointF(here, middle), 3, 3)

    def _paint_decades(self, painter: QPainter, middle: int) -> None:
        tokens = theme()
        painter.setFont(font(10))
        metrics = painter.fontMetrics()
        last_right = -1e9
        for power in range(math.ceil(self._low - 1e-9), math.floor(self._high + 1e-9) + 1):
            x = self._x_of_value(10.0**power)
            painter.setPen(QPen(QColor(tokens.border), 1))
            painter.drawLine(QPointF(x, middle + 10), QPointF(x, middle + 13))
            text = short_number(10.0**power)
            wide = metrics.horizontalAdvance(text)
            left = min(max(0.0, x - wide / 2), self.width() - wide)
            if left < last_right + 4:
                continue
            last_right = left + wide
            painter.setPen(QColor(tokens.second))
            painter.drawText(QPointF(left, middle + px(24)), text)


class SplitBar(_PaintedSlider):
    """Where training ends and the stream begins: a handle over the whole file, a curve behind it.

    Arrow keys move by a thousandth of the file, with Shift by one row, Page keys by a twentieth.
    """

    moved = Signal(object)
    """Rows of the training window, while the handle moves."""
    committed = Signal(object)
    """Rows of the training window, once the handle was let go or moved by keyboard."""

    def __init__(self, name: str, tip: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._tip = name, tip
        self._rows = 1
        self._scale = 1
        self._exact = 0
        self._least, self._most = 0, 1
        self._test_rows = 0
        self._curve = as_values(())
        self._setting = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.valueChanged.connect(self._changed)
        self.sliderReleased.connect(lambda: self.committed.emit(self._exact))
        self.set_split(1, 0)

    def set_split(
        self,
        n_rows: int,
        train_rows: int,
        *,
        test_rows: int = 0,
        least: int = 0,
        most: int | None = None,
    ) -> None:
        """Show a file of `n_rows` rows of which the first `train_rows` train, without a signal.

        Parameters
        ----------
        n_rows, train_rows
            Rows of the file, and of its training window.
        test_rows
            The last rows of the training window that are held back for the Test page.
        least, most
            The range that the handle may take; all of the file unless given.
        """
        self._rows = max(1, n_rows)
        self._least, self._most = least, self._rows if most is None else most
        self._test_rows = test_rows
        # Qt's sliders count in 32 bits.
        self._scale = max(1, math.ceil(self._rows / 2**30))
        self._exact = min(self._most, max(self._least, train_rows))
        self._setting = True
        self.setRange(0, self._rows // self._scale)
        self.setSingleStep(max(1, self.maximum() // 1000))
        self.setPageStep(max(1, self.maximum() // 20))
        self.setValue(self._exact // self._scale)
        self._setting = False
        self._describe()
        self.update()

    def set_curve(self, values: ArrayLike) -> None:
        """Draw `values` (over the whole file) behind the handle."""
        self._curve = as_values(values)
        self.update()

    def train_rows(self) -> int:
        """Return the rows of the training window."""
        return self._exact

    def _describe(self) -> None:
        share = self._exact / self._rows
        words = f"{count_text(self._exact)} of {count_text(self._rows)} rows train, {share:.0%}."
        describe(self, self._name, f"{words}\n{self._tip}")

    def _take(self, rows: int) -> None:
        rows = min(self._most, max(self._least, rows))
        if rows == self._exact and self.value() == rows // self._scale:
            return
        self._exact = rows
        self._setting = True
        self.setValue(rows // self._scale)
        self._setting = False
        self._describe()
        self.update()
        self.moved.emit(rows)
        if not self.isSliderDown():
            self.committed.emit(rows)

    def _changed(self, place: int) -> None:
        if not self._setting:
            self._exact = -1
            self._take(place * self._scale)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        fine = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if fine and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._take(self._exact + (1 if event.key() == Qt.Key.Key_Right else -1))
            return
        super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(px(340), px(56))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(180), px(56))

    def _left(self) -> float:
        return 7.0

    def _right(self) -> float:
        return self.width() - 7.0

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = QRectF(self._left(), px(8), self._right() - self._left(), self.height() - px(16))
        here = self._left() + self._exact / self._rows * bar.width()
        stream = tokens.lanes[0]
        ground = tokens.border if tokens.dark else tokens.ink
        ink = tokens.text if tokens.dark else tokens.on_ink
        clip = QPainterPath()
        clip.addRoundedRect(bar, 5, 5)
        painter.save()
        painter.setClipPath(clip)
        train = QRectF(bar.left(), bar.top(), here - bar.left(), bar.height())
        rest = QRectF(here, bar.top(), bar.right() - here, bar.height())
        painter.fillRect(train, QColor(ground))
        painter.fillRect(rest, QColor(mix(tokens.surface, stream, 0.2)))
        if self._test_rows and self._exact:
            wide = min(1.0, self._test_rows / self._exact) * train.width()
            part = QRectF(here - wide, bar.top(), wide, bar.height())
            hatch = QColor(ink)
            hatch.setAlphaF(0.25)
            painter.fillRect(part, QBrush(hatch, Qt.BrushStyle.BDiagPattern))
        low, high = value_range(self._curve)
        inside = bar.adjusted(0, 7, 0, -7)
        for part, colour in ((train, mix(ground, ink, 0.75)), (rest, stream)):
            painter.save()
            painter.setClipRect(part, Qt.ClipOperation.IntersectClip)
            paint_spark(painter, inside, self._curve, colour, low=low, high=high, width=1.2)
            painter.restore()
        painter.restore()
        self._paint_handle(painter, here)

    def _paint_handle(self, painter: QPainter, x: float) -> None:
        tokens = theme()
        grip = QRectF(x - 6, 2, 12, self.height() - 4)
        focus = self.hasFocus()
        outline = tokens.link if focus else tokens.text
        painter.setPen(QPen(QColor(outline), 2.4 if focus else 1.8))
        painter.setBrush(QColor(tokens.selected if self.underMouse() else tokens.surface))
        painter.drawRoundedRect(grip, 5, 5)
        painter.setPen(QPen(QColor(tokens.text), 1.2))
        middle = grip.center().y()
        for offset in (-2.0, 2.0):
            painter.drawLine(QPointF(x + offset, middle - 6), QPointF(x + offset, middle + 6))
