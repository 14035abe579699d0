"""Painted plots that need words more than axes: bars by name, and a grid of shares.

Each can tell its numbers as a table (`columns`, `rows`), for the table view beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from modellab.gui.kit import count_text, describe, one_line, tip_text
from modellab.gui.theme import font, mix, px, theme
from modellab.gui.theme.icons import role_colour

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


CELL_WIDE, CELL_HIGH = 260, 110
"""Greatest size of a cell of a heat grid, in pixels of 100 % text."""


@dataclass(frozen=True)
class Bar:
    """One bar: `low` and `high` make a whisker; `other` is the same of another model.

    `note` is written at the right end, `tip` told on hover.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    other: float | None = None
    note: str = ""
    tip: str = ""


class BarList(QWidget):
    """Horizontal bars, one below the other, of one scale; negative ones go to the left.

    Parameters
    ----------
    value_text
        How a value is written.
    value_title
        What the bars show, for the table.
    """

    ROW = 27

    def __init__(
        self,
        name: str,
        tip: str,
        *,
        value_title: str,
        value_text: Callable[[float], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._name, self._tip = name, tip
        describe(self, name, tip)
        self.setToolTip("")
        self._title, self._text = value_title, value_text
        self._bars: list[Bar] = []
        self._colour, self._other_colour = "third", "third"
        self._level: tuple[str, float] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_bars(
        self,
        bars: Sequence[Bar],
        *,
        colour: str = "third",
        other_colour: str = "third",
        level: tuple[str, float] | None = None,
    ) -> None:
        """Show other bars; `level` is a dashed line with a name through all of them."""
        self._bars = list(bars)
        self._colour, self._other_colour, self._level = colour, other_colour, level
        told = "; ".join(f"{b.label} {self._text(b.value)}" for b in self._bars[:5])
        describe(self, self._name, f"{self._tip} {told}")
        self.setToolTip("")
        self.updateGeometry()
        self.update()

    def set_value_text(self, title: str, text: Callable[[float], str]) -> None:
        """Change what the bars show and how it is written."""
        self._title, self._text = title, text

    # ------------------------------------------------------------------ table

    def columns(self) -> tuple[str, ...]:
        """Headings of `rows`."""
        return ("name", self._title, "from", "to", "note")

    def rows(self) -> list[tuple[str, ...]]:
        """What is drawn, as texts for a table."""

        def shown(value: float | None) -> str:
            return "" if value is None else self._text(value)

        return [
            (b.label, self._text(b.value), shown(b.low), shown(b.high), b.note) for b in self._bars
        ]

    # ------------------------------------------------------------------ painting

    def _top(self) -> int:
        return px(20) if self._level is not None else px(2)

    def sizeHint(self) -> QSize:
        return QSize(px(320), self._top() + px(self.ROW) * max(1, len(self._bars)) + px(4))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(220), self.sizeHint().height())

    def _range(self) -> tuple[float, float]:
        ends = [0.0]
        for bar in self._bars:
            ends += [v for v in (bar.value, bar.low, bar.high, bar.other) if v is not None]
        if self._level is not None:
            ends.append(self._level[1])
        low, high = min(ends), max(ends)
        return (low, high) if high > low else (low, low + 1.0)

    def _layout(self) -> tuple[QRectF, float, float]:
        """Return the bars' rectangle, the width of the names and of the notes."""
        metrics = QFontMetrics(font(12, 500))
        notes = max((metrics.horizontalAdvance(b.note) for b in self._bars), default=0)
        figures = max(
            (metrics.horizontalAdvance(self._text(b.value)) for b in self._bars), default=0
        )
        names = min(
            max((metrics.horizontalAdvance(b.label) for b in self._bars), default=0) + px(6),
            round(self.width() * 0.36),
        )
        right = figures + px(10) + (notes + px(14) if notes else 0)
        wide = max(px(40), self.width() - names - px(10) - right)
        top = self._top()
        return QRectF(names + px(10), top, wide, self.height() - top), names, notes

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._bars:
            return
        area, names, notes = self._layout()
        low, high = self._range()
        scale = area.width() / (high - low)
        zero = area.left() - low * scale
        clip = event.rect()
        step = px(self.ROW)
        for number, bar in enumerate(self._bars):
            y = area.top() + number * step
            if y + step < clip.top() or y > clip.bottom():
                continue
            self._row(painter, bar, y, (area, names, notes), zero, scale)
        self._lines(painter, area, zero, scale)

    def _row(
        self,
        painter: QPainter,
        bar: Bar,
        y: float,
        places: tuple[QRectF, float, float],
        zero: float,
        scale: float,
    ) -> None:
        tokens = theme()
        area, names, notes = places
        step = px(self.ROW)
        middle = y + step / 2
        vertical = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(font(12, 500))
        painter.setPen(QColor(tokens.text))
        label = painter.fontMetrics().elidedText(
            one_line(bar.label), Qt.TextElideMode.ElideMiddle, round(names)
        )
        painter.drawText(QRectF(0, y, names, step), vertical, label)
        end = zero + bar.value * scale
        box = QRectF(min(zero, end), middle - px(7), max(1.0, abs(end - zero)), px(14))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(role_colour(self._colour), tokens.surface, 0.25)))
        painter.drawRoundedRect(box, 2, 2)
        if bar.low is not None and bar.high is not None:
            left, right = zero + bar.low * scale, zero + bar.high * scale
            painter.setPen(QPen(QColor(tokens.text), 1.2))
            painter.drawLine(QPointF(left, middle), QPointF(right, middle))
            for x in (left, right):
                painter.drawLine(QPointF(x, middle - 3.5), QPointF(x, middle + 3.5))
        if bar.other is not None:
            x = zero + bar.other * scale
            painter.setPen(QPen(QColor(tokens.surface), 1))
            painter.setBrush(QColor(role_colour(self._other_colour)))
            painter.save()
            painter.translate(x, middle)
            painter.rotate(45)
            painter.drawRect(QRectF(-4, -4, 8, 8))
            painter.restore()
        painter.setFont(font(12))
        painter.setPen(QColor(tokens.second))
        right_end = self.width() - (notes + px(14) if notes else 0)
        figure = QRectF(area.right() + px(8), y, right_end - area.right() - px(8), step)
        painter.drawText(figure, vertical | Qt.AlignmentFlag.AlignRight, self._text(bar.value))
        if bar.note:
            painter.setPen(QColor(tokens.third))
            note = QRectF(self.width() - notes - px(2), y, notes + px(2), step)
            painter.drawText(note, vertical | Qt.AlignmentFlag.AlignRight, bar.note)

    def _lines(self, painter: QPainter, area: QRectF, zero: float, scale: float) -> None:
        tokens = theme()
        bottom = area.top() + px(self.ROW) * len(self._bars)
        painter.setPen(QPen(QColor(tokens.third), 1))
        painter.drawLine(QPointF(zero, area.top()), QPointF(zero, bottom))
        if self._level is None:
            return
        name, value = self._level
        x = zero + value * scale
        pen = QPen(QColor(tokens.text), 1.2)
        pen.setDashPattern([3.0, 3.0])
        painter.setPen(pen)
        painter.drawLine(QPointF(x, area.top()), QPointF(x, bottom))
        painter.setFont(font(11, 500))
        painter.setPen(QColor(tokens.second))
        wide = painter.fontMetrics().horizontalAdvance(name)
        left = min(max(0.0, x - wide / 2), self.width() - wide - 1.0)
        painter.drawText(QPointF(left, area.top() - px(6)), name)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = int((event.pos().y() - self._top()) // px(self.ROW))
            if 0 <= number < len(self._bars):
                bar = self._bars[number]
                told = bar.tip or f"{bar.label}: {self._text(bar.value)}"
                QToolTip.showText(event.globalPos(), tip_text(told), self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)


class HeatGrid(QWidget):
    """Counts by true class (rows) and predicted class (columns), coloured by share of the row."""

    def __init__(self, name: str, tip: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._tip = name, tip
        describe(self, name, tip)
        self.setToolTip("")
        self._labels: list[str] = []
        self._counts: list[list[int]] = []
        self._colour = "link"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_counts(
        self, labels: Sequence[str], counts: Sequence[Sequence[int]], colour: str
    ) -> None:
        """Show other counts; right answers are tinted in `colour`."""
        self._labels = [str(x) for x in labels]
        self._counts = [list(row) for row in counts]
        self._colour = colour
        right = sum(row[i] for i, row in enumerate(self._counts))
        total = sum(sum(row) for row in self._counts)
        told = f"{count_text(right)} of {count_text(total)} rows right."
        describe(self, self._name, f"{self._tip} {told}")
        self.setToolTip("")
        self.update()

    # ------------------------------------------------------------------ table

    def columns(self) -> tuple[str, ...]:
        """Headings of `rows`."""
        return ("is", *(f"said {label}" for label in self._labels), "all")

    def rows(self) -> list[tuple[str, ...]]:
        """What is drawn, as texts for a table."""
        return [
            (label, *(count_text(c) for c in row), count_text(sum(row)))
            for label, row in zip(self._labels, self._counts, strict=True)
        ]

    # ------------------------------------------------------------------ painting

    def full_height(self) -> int:
        """Return the height beyond which it grows no further."""
        return px(48) + px(CELL_HIGH) * max(1, len(self._labels))

    def sizeHint(self) -> QSize:
        return QSize(px(380), px(300))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(220), px(170))

    def _grid(self) -> tuple[QRectF, float]:
        """Return the cells' rectangle and the width of the row names."""
        count = max(1, len(self._labels))
        metrics = QFontMetrics(font(12, 600))
        widest = max((metrics.horizontalAdvance(x) for x in self._labels), default=0)
        names = min(widest + px(12), round(self.width() * 0.3)) + px(20)
        top = px(42)
        wide = self.width() - names - px(4)
        high = self.height() - top - px(6)
        side_w = min(wide / count, px(CELL_WIDE))
        side_h = min(high / count, px(CELL_HIGH))
        return QRectF(names, top, side_w * count, side_h * count), names

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._labels:
            return
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        grid, names = self._grid()
        count = len(self._labels)
        wide, high = grid.width() / count, grid.height() / count
        self._headings(painter, grid, names, wide, high)
        gap = 1.5 if min(wide, high) > 12 else 0.5
        for i, row in enumerate(self._counts):
            total = sum(row)
            for j, cell in enumerate(row):
                box = QRectF(grid.left() + j * wide, grid.top() + i * high, wide, high)
                share = cell / total if total else 0.0
                hue = role_colour(self._colour if i == j else "alarm")
                fill = mix(tokens.sub, hue, 0.06 + 0.72 * share if cell else 0.0)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(fill))
                painter.drawRoundedRect(box.adjusted(gap, gap, -gap, -gap), 3, 3)
                self._figures(painter, box, cell, share, fill)

    def _headings(
        self, painter: QPainter, grid: QRectF, names: float, wide: float, high: float
    ) -> None:
        tokens = theme()
        painter.setFont(font(12))
        painter.setPen(QColor(tokens.second))
        centre = Qt.AlignmentFlag.AlignCenter
        painter.drawText(QRectF(grid.left(), 0, grid.width(), px(20)), centre, "model says")
        painter.save()
        painter.translate(px(8), grid.center().y())
        painter.rotate(-90)
        painter.drawText(QRectF(-px(60), -px(8), px(120), px(16)), centre, "really is")
        painter.restore()
        painter.setFont(font(12, 600))
        painter.setPen(QColor(tokens.text))
        metrics = painter.fontMetrics()
        shown = [one_line(label) for label in self._labels]
        if wide > px(22):
            for j, label in enumerate(shown):
                text = metrics.elidedText(label, Qt.TextElideMode.ElideRight, round(wide) - 4)
                box = QRectF(grid.left() + j * wide, px(20), wide, px(20))
                painter.drawText(box, centre, text)
        if high > px(13):
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            room = round(names) - px(28)
            for i, label in enumerate(shown):
                text = metrics.elidedText(label, Qt.TextElideMode.ElideRight, room)
                painter.drawText(QRectF(px(20), grid.top() + i * high, room, high), side, text)

    def _figures(self, painter: QPainter, box: QRectF, cell: int, share: float, fill: str) -> None:
        if box.width() < px(46) or box.height() < px(20):
            return
        light = sum(int(fill[k : k + 2], 16) * w for k, w in ((1, 0.3), (3, 0.59), (5, 0.11))) > 140
        ink = "#18202C" if light else "#FFFFFF"
        painter.setPen(QColor(ink))
        centre = Qt.AlignmentFlag.AlignCenter
        if box.height() > px(44):
            painter.setFont(font(16, 600))
            upper = QRectF(box.left(), box.top(), box.width(), box.height() / 2 + px(2))
            painter.drawText(upper, centre | Qt.AlignmentFlag.AlignBottom, f"{share * 100:.1f} %")
            painter.setFont(font(12))
            lower = QRectF(box.left(), box.center().y() + px(2), box.width(), box.height() / 2)
            top = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
            painter.drawText(lower, top, f"{count_text(cell)} rows")
        else:
            painter.setFont(font(12, 500))
            painter.drawText(box, centre, f"{share * 100:.0f} %")

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), tip_text(self._told(event)), self)
            return True
        return super().event(event)

    def _told(self, event: QHelpEvent) -> str:
        grid, _ = self._grid()
        place = QPointF(event.pos())
        if not self._labels or not grid.contains(place):
            return self._tip
        count = len(self._labels)
        j = min(count - 1, int((place.x() - grid.left()) / grid.width() * count))
        i = min(count - 1, int((place.y() - grid.top()) / grid.height() * count))
        cell, total = self._counts[i][j], sum(self._counts[i])
        share = f" ({cell / total * 100:.1f} % of them)" if total else ""
        really, said = self._labels[i], self._labels[j]
        return f"{count_text(cell)} rows that are {really} were called {said}{share}."
