"""The heat map of feature drift: columns by positions, with a bar through what is in alarm.

Colours are cividis (Nuñez, Anderton and Renslow 2018), made to read the same with impaired colour
vision, from dark blue (as in training) to yellow (twice the threshold). An alarm is a bar, too.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from modellab.gui.kit import count_text, describe, number_text, one_line, short_number
from modellab.gui.plots.cividis import cividis
from modellab.gui.plots.live import LivePlot
from modellab.gui.plots.parts import HeatMap, LiveLine
from modellab.gui.plots.text import cut, elided, font, write
from modellab.gui.theme import px, theme

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.gui.session_deployment import FeatureDriftView

TOP = 2.0
"""The score at which the scale ends: twice the threshold."""
BAR = "#10141A"
"""The bar of an alarm: dark on yellow in both themes."""
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def score_colours(values: NDArray[np.float64], _limit: float) -> NDArray[np.uint32]:
    """Return colours (ARGB) of scores; nothing where none is known."""
    steps = np.clip(np.nan_to_num(values, nan=0.0) / TOP * 255, 0, 255).astype(np.intp)
    return np.where(np.isnan(values), np.uint32(0), cividis()[steps])


def drift_map(view: FeatureDriftView) -> HeatMap | None:
    """Return the heat map of what was checked so far; None before the first check."""
    if not len(view) or not view.columns:
        return None
    return HeatMap(
        [one_line(name) for name in view.columns],
        view.positions.astype(np.float64),
        view.score,
        TOP,
        ("drift", view.version),
        colours=score_colours,
    )


class DriftMap(LivePlot):
    """A row of cells for each column; Up and Down choose one, the cursor is the shared one."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.drift: FeatureDriftView | None = None
        self.column: int | None = None
        """Number of the column under the cursor."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def show_drift(self, view: FeatureDriftView) -> None:
        """Show these checks; `refresh` draws them."""
        if view is not self.drift or self.heat is None or self.heat.version[-1] != view.version:  # type: ignore[index]
            self.drift, self.heat = view, drift_map(view)
            x = view.positions.astype(np.float64)
            self.lines = [
                LiveLine(f"c{i}", name, x, view.score[:, i], theme().second)
                for i, name in enumerate(view.columns if len(view) else [])
            ]
        if self.column is not None and self.column >= len(view.columns):
            self.column = None

    # ------------------------------------------------------------------ in words

    def check_at(self, row: int) -> int | None:
        """Return the number of the newest check at `row`; None before the first."""
        if self.drift is None:
            return None
        at = int(np.searchsorted(self.drift.positions, row, side="right")) - 1
        return at if at >= 0 else None

    def cell_words(self, row: int, column: int) -> list[str]:
        """Return what is known of a column at a row, in a few lines; empty before the first check.

        The statistic of its test and the calibrated threshold, PSI, and what follows.
        """
        view, at = self.drift, self.check_at(row)
        if view is None or at is None or column >= len(view.columns):
            return []
        score, psi = float(view.score[at, column]), float(view.psi[at, column])
        threshold = view.thresholds[column]
        if not math.isfinite(score):
            verdict, statistic = "Cannot be told here.", "–"
        else:
            verdict = f"{number_text(score, 2)} × its threshold"
            verdict += ": an alarm" if score > 1 else ": no alarm"
            statistic = short_number(score * threshold, 3)
        told = short_number(psi, 3) if math.isfinite(psi) else "–"
        return [
            f"{view.tests[column]} {statistic}, threshold {short_number(threshold, 3)}",
            f"PSI {told}, checked at row {count_text(int(view.positions[at]))}",
            verdict,
        ]

    def sentence(self) -> str:
        """Return the cell under the cursor as a sentence, for screen readers."""
        row, column = self.view.hover, self.column
        if row is None or column is None or self.drift is None:
            return ""
        parts = self.cell_words(row, column)
        name = one_line(self.drift.columns[column])
        return f"{name} at row {count_text(row)}: {'; '.join(parts) or 'not checked yet'}."

    # ------------------------------------------------------------------ by hand

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        area = self.area()
        count = len(self.heat.names) if self.heat is not None else 0
        share = (event.position().y() - area.top()) / area.height()
        self.column = int(share * count) if count and 0 <= share < 1 else None
        super().mouseMoveEvent(event)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        count = len(self.heat.names) if self.heat is not None else 0
        if step and count:
            self.column = 0 if self.column is None else (self.column + step) % count
            self._take_readout()
            if self.view.hover is None:
                self.view.set_hover(self.view.head)
            event.accept()
        else:
            super().keyPressEvent(event)
            if self.column is None and count and self.view.hover is not None:
                self.column = 0
        if event.isAccepted():
            self.setAccessibleDescription(self.sentence())
            self.update()

    # ------------------------------------------------------------------ painting

    def paint_labels(self, painter: QPainter) -> None:
        """Paint the bars of alarms, and the names of columns: first of those in alarm now."""
        heat, area, tokens = self.heat, self.area(), theme()
        if heat is None:
            return
        high = area.height() / len(heat.names)
        self._paint_bars(painter, heat, high)
        # By what is drawn: more checks may have come since.
        end = round(min(self.view.head, self.view.high))
        at = int(np.searchsorted(heat.positions, end, side="right")) - 1
        now = heat.values[at] if at >= 0 else np.full(len(heat.names), np.nan)
        alarmed = [i for i in range(len(heat.names)) if now[i] > 1]
        left, room = area.right() + px(8), self.width() - area.right() - px(12)
        taken: list[float] = []
        for number in [*alarmed, *(i for i in range(len(heat.names)) if i not in alarmed)]:
            y = area.top() + (number + 0.5) * high
            if any(abs(y - other) < px(13) for other in taken):
                continue
            taken.append(y)
            ring = number in alarmed
            text = f"{heat.names[number]} {number_text(float(now[number]), 1)}×" if ring else ""
            words = cut(text or heat.names[number], 11, 400, room)
            box = QRectF(left, y - px(7), room, px(14))
            tone = tokens.alarm if ring else tokens.second
            write(painter, box, Qt.AlignmentFlag.AlignLeft, words, tone, 11)
        if self.column is not None and self.view.hover is not None:
            box = QRectF(area.left(), area.top() + self.column * high, area.width(), high)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(tokens.ink), 1))
            painter.drawRect(box)

    def _paint_bars(self, painter: QPainter, heat: HeatMap, high: float) -> None:
        """Paint a bar through every run of cells above their threshold."""
        view, area = self.view, self.area()
        first = max(0, int(np.searchsorted(heat.positions, view.low, side="right")) - 1)
        last = int(np.searchsorted(heat.positions, min(view.high, view.head), side="right"))
        if last <= first:
            return
        ends = np.append(heat.positions[first + 1 : last], min(view.head, view.high))
        starts = heat.positions[first:last]
        over = np.nan_to_num(heat.values[first:last], nan=0.0) > 1
        edges = np.diff(np.pad(over.astype(np.int8), ((1, 1), (0, 0))), axis=0)
        scale = area.width() / (view.high - view.low)
        left = np.maximum(area.left() + (starts - view.low) * scale, area.left())
        right = np.maximum(area.left() + (ends - view.low) * scale, left + 2)
        right = np.minimum(right, area.right())
        lines = []
        for column in np.flatnonzero(over.any(axis=0)).tolist():
            y = area.top() + (column + 0.5) * high
            begins = np.flatnonzero(edges[:, column] == 1)
            stops = np.flatnonzero(edges[:, column] == -1) - 1
            lefts, rights = left[begins], np.maximum.accumulate(right[stops])
            # What is nearer than a pixel is one bar.
            apart = np.flatnonzero(lefts[1:] > rights[:-1] + 1.0)
            lefts, rights = lefts[np.append(0, apart + 1)], rights[np.append(apart, -1)]
            for a, b in zip(lefts.tolist(), rights.tolist(), strict=True):
                lines.append(QLineF(a, y, b, y))
        pen = QPen(QColor(BAR), max(1.0, min(2.5, high / 4)))
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.drawLines(lines)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def paint_readout(self, painter: QPainter) -> None:
        """Paint the box with what is known of the cell under the cursor."""
        row, column = self.view.hover, self.column
        if row is None or column is None or self.drift is None:
            return
        lines = self.cell_words(row, column)
        if not lines:
            return
        tokens, area = theme(), self.area()
        bold, plain = QFontMetricsF(font(12, 600)), QFontMetricsF(font(12))
        title = elided(self.drift.columns[column], bold, px(220))
        line, pad = px(16), px(9)
        widest = max(plain.horizontalAdvance(text) for text in lines)
        wide = max(widest, bold.horizontalAdvance(title)) + 2 * pad
        shown = max(1, int((self.height() - pad) / line) - 1)
        lines = lines[-shown:]  # what follows stands last, and stays where it is low
        high = line * (len(lines) + 1) + pad * 1.2
        x = self.x_of(row)
        left = x - wide - px(14) if x - wide - px(14) > area.left() - px(30) else x + px(14)
        box = QRectF(left, max(1.0, (self.height() - high) / 2), wide, high)
        painter.setPen(QPen(QColor(tokens.border), 1))
        painter.setBrush(QColor(tokens.surface))
        painter.drawRoundedRect(box, 6, 6)
        inner = QRectF(box.left() + pad, box.top() + pad * 0.6, wide - 2 * pad, line)
        painter.setFont(font(12, 600))
        painter.setPen(QColor(tokens.text))
        painter.drawText(inner, int(_LEFT), title)
        painter.setFont(font(12))
        painter.setPen(QColor(tokens.second))
        for text in lines:
            inner.translate(0, line)
            painter.drawText(inner, int(_LEFT), text)


@cache
def _scale() -> QPixmap:
    """The colours as a strip, a pixel each."""
    colours = np.ascontiguousarray(cividis())
    return QPixmap.fromImage(QImage(colours.data, 256, 1, 1024, QImage.Format.Format_ARGB32))


class ScaleKey(QWidget):
    """What the colours mean: from 0 over the threshold to twice of it, and the bar of an alarm."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        describe(
            self,
            "Key of the colours",
            "Dark blue: as in the training window. Yellow with a bar: above the column's "
            "threshold, an alarm. The thresholds follow from how many false alarms are accepted.",
        )

    def sizeHint(self) -> QSize:
        return QSize(px(178), px(28))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setFont(font(11))
        painter.setPen(QColor(tokens.second))
        words = "as trained", "alarm"
        metrics = QFontMetricsF(painter.font())
        left = metrics.horizontalAdvance(words[0]) + px(6)
        right = self.width() - metrics.horizontalAdvance(words[1]) - px(6)
        full = QRectF(self.rect())
        painter.drawText(full, int(_LEFT), words[0])
        painter.drawText(full, int(_RIGHT), words[1])
        band = QRectF(left, full.center().y() - px(5), right - left, px(10))
        painter.drawPixmap(band.toRect(), _scale())
        middle = band.center()
        painter.setPen(QPen(QColor(tokens.surface), 1.5))
        painter.drawLine(
            QPointF(middle.x(), band.top() - 2), QPointF(middle.x(), band.bottom() + 2)
        )
        painter.setPen(QPen(QColor(BAR), 2))
        painter.drawLine(QPointF(middle.x() + 2, middle.y()), QPointF(band.right(), middle.y()))
