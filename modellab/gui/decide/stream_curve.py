"""The error of all lanes over the stream, small: the course of the race beside its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from modellab.gui.decide.looks import Looks, look_of
from modellab.gui.kit import describe, one_line, paint_spark
from modellab.gui.kit.text import count_text
from modellab.gui.plots.labels import push_apart
from modellab.gui.plots.ticks import date_words
from modellab.gui.theme import font, px, theme

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.gui.session_deployment import CurveView, Deployment
    from modellab.verdict.values import Verdict

MOST = 5
"""So many lanes have room for a label; the best by error are taken, lanes before baselines."""
POINTS = 320
NAME = "Error over the stream"
TIP = (
    "The windowed error of each lane along the stream: how often it was wrong lately. Lower is "
    "better. The Deploy page shows it large."
)


@dataclass(frozen=True)
class _Course:
    name: str
    values: NDArray[np.float64]
    best: bool


class StreamCurve(QWidget):
    """Painted curves with their names at the right end."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._courses: list[_Course] = []
        self._looks: Looks = {}
        self._ends = ("", "")
        self._range = (0.0, 1.0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        describe(self, NAME, TIP)

    def show_courses(self, live: Deployment | None, verdict: Verdict | None, looks: Looks) -> None:
        """Take the curves of the lanes that matter, thinned to what can be seen."""
        self._looks = looks
        self._courses = []
        settled: list[NDArray[np.float64]] = []
        if live is not None and verdict is not None:
            order = sorted(
                (row for row in verdict.lanes if row.name in live.lanes),
                key=lambda row: (
                    row.name != verdict.recommended,
                    row.baseline,
                    row.error.value if row.error else 1e300,
                ),
            )
            for row in order[:MOST]:
                curve = live.lanes[row.name].curves.get("error")
                if curve is not None and len(curve):
                    thin = max(1, -(-len(curve) // POINTS))
                    # The last one stays: it is where the lane is now.
                    values = np.asarray(curve.mean[::-1][::thin][::-1], dtype=np.float64)
                    settled.append(_settled(curve, live))
                    self._courses.append(_Course(row.name, values, row.name == verdict.recommended))
            self._ends = _ends(live)
        known = np.concatenate(settled) if settled else np.empty(0)
        if known.size:
            # Quantiles; numpy's own import half of it at first.
            known.sort()
            places = (known.size - 1) * np.array([0.002, 0.998])
            low, high = np.interp(places, np.arange(known.size), known)
            self._range = (float(low), float(max(high, low + 1e-9)))
        told = ", ".join(one_line(c.name) for c in self._courses)
        describe(self, NAME, f"{TIP} Shown: {told}." if told else TIP)
        self.update()

    def names(self) -> list[str]:
        """Return the lanes that are drawn."""
        return [course.name for course in self._courses]

    def sizeHint(self) -> QSize:
        return QSize(px(380), px(128))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(220), px(110))

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font(12, 500))
        painter.setPen(QColor(tokens.second))
        painter.drawText(QRectF(0, 0, self.width(), px(18)), Qt.AlignmentFlag.AlignLeft, NAME)
        if not self._courses:
            painter.setFont(font(12))
            painter.setPen(QColor(tokens.third))
            painter.drawText(QRectF(0, px(22), self.width(), px(18)), 0, "No curve is known yet.")
            return
        painter.setFont(font(12, 600))
        metrics = painter.fontMetrics()
        widest = max(metrics.horizontalAdvance(one_line(c.name)) for c in self._courses)
        names = min(widest, round(self.width() * 0.34))
        area = QRectF(0, px(24), self.width() - names - px(14), self.height() - px(24) - px(20))
        painter.setPen(QPen(QColor(tokens.border), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        low, high = self._range
        for course in reversed(self._courses):
            look = look_of(self._looks, course.name)
            paint_spark(
                painter, area, course.values, look.colour, low=low, high=high,
                width=2.2 if course.best else 1.3, dash=look.dash,
            )  # fmt: skip
        self._names(painter, area, names)
        painter.setFont(font(11))
        painter.setPen(QColor(tokens.third))
        below = QRectF(0, area.bottom() + px(3), area.width(), px(16))
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, self._ends[0])
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, self._ends[1])

    def _names(self, painter: QPainter, area: QRectF, room: int) -> None:
        low, high = self._range
        wanted = []
        for course in self._courses:
            finite = course.values[np.isfinite(course.values)]
            share = (float(finite[-1]) - low) / (high - low) if finite.size else 0.0
            wanted.append(area.bottom() - min(1.0, max(0.0, share)) * area.height())
        places = push_apart(wanted, px(15), area.top(), area.bottom())
        for course, y in zip(self._courses, places, strict=True):
            colour = look_of(self._looks, course.name).colour
            painter.setFont(font(12, 600 if course.best else 500))
            painter.setPen(QColor(theme().lane_text(colour)))
            shown = painter.fontMetrics().elidedText(
                one_line(course.name), Qt.TextElideMode.ElideMiddle, room
            )
            painter.drawText(QPointF(area.right() + px(8), y + px(4)), shown)


def _settled(curve: CurveView, live: Deployment) -> NDArray[np.float64]:
    """Return the values of whole windows: the first rows wander, and would press curves flat."""
    full = curve.start >= live.train_rows + live.experiment.evaluation.window
    values = curve.mean[full] if np.count_nonzero(full) >= len(curve) / 4 else curve.mean
    return np.asarray(values[np.isfinite(values)], dtype=np.float64)


def _ends(live: Deployment) -> tuple[str, str]:
    first, last = live.time_at(live.train_rows), live.time_at(max(live.position - 1, 0))
    if first is not None and last is not None:
        return date_words(first, last - first), date_words(last, last - first)
    return f"row {count_text(live.train_rows)}", f"row {count_text(live.position)}"
