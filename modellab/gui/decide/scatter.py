"""What upkeep buys: error (or total cost) of every lane against what it takes to keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from modellab.gui.decide import words
from modellab.gui.decide.looks import Looks, look_of
from modellab.gui.decide.terms import explain
from modellab.gui.kit import describe, one_line, tip_text
from modellab.gui.kit.text import count_text
from modellab.gui.plots.ticks import number_ticks, tick_texts
from modellab.gui.theme import font, mix, paint_icon, px, theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.verdict.values import LaneRow, Verdict

Across = Literal["upkeep", "cpu", "retrains"]
Up = Literal["error", "total"]
NAME = "What upkeep buys"
NEAR_SPOTS = 6
"""Names stand at one of so many places beside their dots, else farther off with a line to it."""
CURVE = "best retraining dates, chosen in hindsight"
CURVE_UNDER = "number = how many retrains"
ACROSS_TITLES = {"upkeep": "cost of upkeep", "cpu": "CPU seconds", "retrains": "retrains"}


@dataclass(frozen=True, slots=True)
class Dot:
    """A lane's place: `low` and `high` of its interval upwards, where there is one."""

    row: LaneRow
    x: float
    y: float
    low: float
    high: float


def usual_across(verdict: Verdict) -> Across:
    """Return what to draw across: upkeep, unless it costs nothing at these prices."""
    if any(row.upkeep > 0 for row in verdict.lanes):
        return "upkeep"
    return "retrains" if verdict.hindsight is not None else "cpu"


def dots_of(verdict: Verdict, across: Across, up: Up) -> list[Dot]:
    """Return the places of all lanes whose error is known."""
    found = []
    for row in verdict.lanes:
        if row.error is None:
            continue
        x = {
            "upkeep": row.upkeep,
            "cpu": sum(v for k, v in row.cpu_seconds.items() if k != "total"),
            "retrains": float(row.retrains),
        }[across]
        if up == "error":
            found.append(Dot(row, x, row.error.value, row.error.low, row.error.high))
        else:
            total = words.total_cost(row)
            found.append(Dot(row, x, total, total, total))
    return found


def curve_of(verdict: Verdict, across: Across, up: Up) -> list[tuple[float, float, int]]:
    """Return the hindsight optimum for each number of retrains: (across, up, retrains)."""
    hindsight = verdict.hindsight
    if hindsight is None or across == "cpu":
        return []
    return [
        (
            p.upkeep if across == "upkeep" else float(p.retrains),
            p.error if up == "error" else p.total,
            p.retrains,
        )
        for p in hindsight.points
    ]


def front_of(dots: Sequence[Dot]) -> list[tuple[float, float]]:
    """Return the steps of the Pareto front from left to right."""
    steps: list[tuple[float, float]] = []
    for dot in sorted((d for d in dots if d.row.pareto), key=lambda d: (d.x, d.y)):
        if steps and dot.y >= steps[-1][1]:
            continue
        if steps:
            steps.append((dot.x, steps[-1][1]))
        steps.append((dot.x, dot.y))
    return steps


class ScatterPlot(QWidget):
    """Painted, with the numbers as `rows` for the table beside it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._verdict: Verdict | None = None
        self._looks: Looks = {}
        self._faint = False
        self.across: Across = "upkeep"
        self.up: Up = "error"
        self._told = f"{explain('upkeep')}\n\n{explain('pareto')}"
        describe(self, NAME, self._told)
        self.setToolTip("")
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_verdict(self, verdict: Verdict | None, looks: Looks, *, faint: bool) -> None:
        """Show another verdict."""
        self._verdict, self._looks, self._faint = verdict, looks, faint
        lanes = "; ".join(", ".join(row) for row in self.rows()[:12])
        describe(self, NAME, f"{self._told}\n{lanes}")
        self.setToolTip("")
        self.update()

    def set_axes(self, across: Across, up: Up) -> None:
        """Choose what is drawn across and upwards."""
        self.across, self.up = across, up
        self.update()

    # ------------------------------------------------------------------ table

    def columns(self) -> tuple[str, ...]:
        """Headings of `rows`."""
        return ("lane", ACROSS_TITLES[self.across], self._up_title(), "on the Pareto front")

    def rows(self) -> list[tuple[str, ...]]:
        """What is drawn, as texts for a table."""
        verdict = self._verdict
        if verdict is None:
            return []
        told: list[tuple[str, ...]] = [
            (d.row.name, self._x_text(d.x), self._y_text(d.y), "yes" if d.row.pareto else "no")
            for d in dots_of(verdict, self.across, self.up)
        ]
        for x, y, count in curve_of(verdict, self.across, self.up):
            name = f"in hindsight, {count} retrain{'s' if count != 1 else ''}"
            told.append((name, self._x_text(x), self._y_text(y), ""))
        return told

    def _up_title(self) -> str:
        if self.up == "total":
            return "total cost"
        return self._verdict.unit if self._verdict is not None else "error"

    def _x_text(self, value: float) -> str:
        if self.across == "cpu":
            return words.span_text(value)
        return words.money_text(value) if self.across == "upkeep" else count_text(value)

    def _y_text(self, value: float) -> str:
        if self.up == "total" or self._verdict is None:
            return words.money_text(value)
        return words.error_text(value, self._verdict.unit)

    # ------------------------------------------------------------------ places

    def sizeHint(self) -> QSize:
        return QSize(px(560), px(296))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(320), px(220))

    def _frame(self) -> tuple[QRectF, tuple[float, float], tuple[float, float]]:
        """Return the rectangle of the plane and the ranges across and upwards."""
        verdict = self._verdict
        assert verdict is not None
        dots = dots_of(verdict, self.across, self.up)
        curve = curve_of(verdict, self.across, self.up)
        xs = [d.x for d in dots] + [c[0] for c in curve]
        ys = [c[1] for c in curve]
        for d in dots:
            ys += [d.low, d.y, d.high]
        ys = _without_outlier(ys, dots)
        right, low, high = max([*xs, 0.0]), min(ys, default=0.0), max(ys, default=1.0)
        right = right if right > 0 else 1.0
        gap = (high - low) * 0.1 or abs(high) * 0.1 or 0.5
        area = QRectF(px(54), px(12), self.width() - px(54) - px(20), self.height() - px(12 + 40))
        return area, (-0.05 * right, 1.12 * right), (low - gap, high + gap)

    def _place(
        self,
        frame: tuple[QRectF, tuple[float, float], tuple[float, float]],
        x: float,
        y: float,
    ) -> QPointF:
        area, (left, right), (low, high) = frame
        return QPointF(
            area.left() + (x - left) / (right - left) * area.width(),
            area.bottom() - (y - low) / (high - low) * area.height(),
        )

    def dot_at(self, where: QPointF) -> Dot | None:
        """Return the lane whose dot is under `where`."""
        verdict = self._verdict
        if verdict is None:
            return None
        frame = self._frame()
        near: tuple[float, Dot] | None = None
        for dot in dots_of(verdict, self.across, self.up):
            gap = self._place(frame, dot.x, dot.y) - where
            far = gap.x() ** 2 + gap.y() ** 2
            if far < px(13) ** 2 and (near is None or far < near[0]):
                near = far, dot
        return near[1] if near else None

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            dot = self.dot_at(QPointF(event.pos()))
            if dot is None:
                told = self._told
            else:
                told = (
                    f"{dot.row.name}\n{self._up_title()}: {self._y_text(dot.y)}\n"
                    f"{ACROSS_TITLES[self.across]}: {self._x_text(dot.x)}"
                )
                if dot.row.pareto:
                    told += "\nOn the Pareto front: nothing is better in both."
            QToolTip.showText(event.globalPos(), tip_text(told), self)
            return True
        return super().event(event)

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        verdict = self._verdict
        dots = dots_of(verdict, self.across, self.up) if verdict is not None else []
        if verdict is None or not dots:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = self._frame()
        self._axes(painter, frame)
        if self._faint:
            painter.setOpacity(0.55)
        taken = [_around(self._place(frame, d.x, d.y)) for d in dots]
        for d in dots:
            low, high = self._place(frame, d.x, d.low), self._place(frame, d.x, d.high)
            taken.append(QRectF(low.x() - 2, high.y(), 4, low.y() - high.y()))
        painter.setClipRect(QRectF(frame[0]).adjusted(-px(8), -px(12), px(20), px(1)))
        self._curve(painter, frame, curve_of(verdict, self.across, self.up), taken)
        self._front(painter, frame, front_of(dots), taken)
        for dot in dots:
            self._whisker(painter, frame, dot)
        for dot in dots:
            self._dot(painter, frame, dot, dot.row.name == verdict.recommended)
        painter.setClipping(False)
        self._labels(painter, frame, dots, taken)
        painter.setPen(QColor(theme().third))
        painter.setFont(font(12))
        corner = QPointF(frame[0].right() - px(52), frame[0].bottom() - px(10))
        side = px(13)
        where = QRectF(corner.x() - px(18), corner.y() - side + px(2), side, side)
        paint_icon(painter, "arrow-down-left", where, theme().third)
        painter.drawText(corner, "better")

    def _axes(
        self, painter: QPainter, frame: tuple[QRectF, tuple[float, float], tuple[float, float]]
    ) -> None:
        tokens = theme()
        area, (left, right), (low, high) = frame
        painter.setFont(font(11))
        ups = number_ticks(low, high, max(2, round(area.height() / px(52))))
        for value, text in zip(ups, tick_texts(ups), strict=True):
            y = self._place(frame, 0.0, value).y()
            painter.setPen(QPen(QColor(tokens.grid), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(tokens.second))
            box = QRectF(0, y - px(8), area.left() - px(8), px(16))
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        overs = [
            v for v in number_ticks(left, right, max(2, round(area.width() / px(120)))) if v >= 0
        ]
        if self.across == "retrains":
            overs = [v for v in overs if abs(v - round(v)) < 1e-9]
        for value, text in zip(overs, tick_texts(overs), strict=True):
            x = self._place(frame, value, low).x()
            painter.setPen(QPen(QColor(tokens.grid), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.setPen(QColor(tokens.second))
            box = QRectF(x - px(50), area.bottom() + px(4), px(100), px(16))
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, text)
        painter.setPen(QPen(QColor(tokens.border), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.setFont(font(12))
        painter.setPen(QColor(tokens.third))
        title = QRectF(area.left(), area.bottom() + px(21), area.width(), px(17))
        painter.drawText(title, Qt.AlignmentFlag.AlignRight, ACROSS_TITLES[self.across])

    def _front(
        self,
        painter: QPainter,
        frame: tuple[QRectF, tuple[float, float], tuple[float, float]],
        steps: list[tuple[float, float]],
        taken: list[QRectF],
    ) -> None:
        if not steps:
            return
        area = frame[0]
        points = [self._place(frame, x, y) for x, y in steps]
        points = [
            QPointF(points[0].x(), area.top()),
            *points,
            QPointF(area.right(), points[-1].y()),
        ]
        pen = QPen(QColor(theme().border), 1.4)
        pen.setDashPattern([4.0, 3.0])
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF(points))
        painter.setFont(font(11))
        painter.setPen(QColor(theme().third))
        word = QRectF(area.left(), points[-1].y() - px(16), area.width() - px(4), px(14))
        wide = painter.fontMetrics().horizontalAdvance("Pareto front")
        box = word.adjusted(word.width() - wide, 0, 0, 0)
        if not any(box.adjusted(-px(4), 0, px(4), 0).intersects(other) for other in taken):
            painter.drawText(box, Qt.AlignmentFlag.AlignRight, "Pareto front")
            taken.append(box)

    def _curve(
        self,
        painter: QPainter,
        frame: tuple[QRectF, tuple[float, float], tuple[float, float]],
        curve: list[tuple[float, float, int]],
        taken: list[QRectF],
    ) -> None:
        if not curve:
            return
        tokens = theme()
        area = frame[0]
        points = [self._place(frame, x, y) for x, y, _count in sorted(curve)]
        if len(points) > 1:
            shade = QColor(mix(tokens.surface, tokens.second, 0.06))
            ground = QPolygonF([*points, QPointF(points[-1].x(), area.bottom()),
                                QPointF(points[0].x(), area.bottom())])  # fmt: skip
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(shade)
            painter.drawPolygon(ground)
        painter.setPen(QPen(QColor(tokens.second), 1.4))
        painter.drawPolyline(QPolygonF(points))
        painter.setBrush(QColor(tokens.surface))
        for point in points:
            painter.drawEllipse(point, px(3), px(3))
        painter.setFont(font(11))
        painter.setPen(QColor(tokens.second))
        high = px(14)
        for point, (_x, _y, count) in zip(points, sorted(curve), strict=True):
            box = QRectF(point.x() - px(14), point.y() + px(4), px(28), high)
            if count and not any(box.adjusted(8, 0, -8, 0).intersects(other) for other in taken):
                painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, str(count))
                taken.append(box.adjusted(px(7), 0, -px(7), 0))
        self._curve_name(painter, area, points, taken)

    def _curve_name(
        self, painter: QPainter, area: QRectF, points: list[QPointF], taken: list[QRectF]
    ) -> None:
        strong = font(12, 600)
        wide = QFontMetrics(strong).horizontalAdvance(CURVE) + px(6)
        middle = points[len(points) // 3]
        for point in (middle, points[-1], points[0]):
            x = min(point.x() + px(10), area.right() - wide)
            for y in (point.y() - px(46), point.y() + px(26)):
                box = QRectF(x, y, wide, px(32))
                free = area.contains(box) and not any(box.intersects(other) for other in taken)
                # No point of the curve may run through its own name.
                if free and not any(box.contains(p) for p in points):
                    painter.setFont(strong)
                    painter.setPen(QColor(theme().second))
                    painter.drawText(box, Qt.AlignmentFlag.AlignTop, CURVE)
                    painter.setFont(font(11))
                    painter.drawText(box, Qt.AlignmentFlag.AlignBottom, CURVE_UNDER)
                    taken.append(box)
                    return

    def _whisker(
        self,
        painter: QPainter,
        frame: tuple[QRectF, tuple[float, float], tuple[float, float]],
        dot: Dot,
    ) -> None:
        tokens = theme()
        look = look_of(self._looks, dot.row.name)
        if dot.high > dot.low:
            painter.setPen(QPen(QColor(mix(look.colour, tokens.surface, 0.45)), 1.6))
            painter.drawLine(
                self._place(frame, dot.x, dot.low), self._place(frame, dot.x, dot.high)
            )

    def _dot(
        self,
        painter: QPainter,
        frame: tuple[QRectF, tuple[float, float], tuple[float, float]],
        dot: Dot,
        best: bool,
    ) -> None:
        tokens = theme()
        look = look_of(self._looks, dot.row.name)
        place = self._place(frame, dot.x, dot.y)
        if best:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(mix(tokens.surface, look.colour, 0.25)))
            painter.drawEllipse(place, px(10), px(10))
        hollow = not dot.row.deployable and not dot.row.baseline
        painter.setPen(QPen(QColor(look.colour if hollow else tokens.surface), 1.6))
        painter.setBrush(QColor(tokens.surface if hollow else look.colour))
        if dot.row.baseline:
            painter.drawRect(QRectF(place.x() - px(4), place.y() - px(4), px(8), px(8)))
        else:
            painter.drawEllipse(place, px(5.5), px(5.5))

    def _labels(
        self,
        painter: QPainter,
        frame: tuple[QRectF, tuple[float, float], tuple[float, float]],
        dots: list[Dot],
        taken: list[QRectF],
    ) -> None:
        area = frame[0]
        painter.setFont(font(12, 600))
        metrics = painter.fontMetrics()
        order = sorted(dots, key=lambda d: (d.row.baseline, d.y))
        for dot in order:
            place = self._place(frame, dot.x, dot.y)
            if not area.adjusted(-px(4), -px(12), px(20), px(2)).contains(place):
                self._outside(painter, area, dot, place)
                continue
            name = metrics.elidedText(one_line(dot.row.name), Qt.TextElideMode.ElideMiddle, px(150))
            wide, high = metrics.horizontalAdvance(name) + 2, metrics.height()
            own = _around(place)
            spots = [
                QRectF(place.x() + px(12), place.y() - high / 2, wide, high),
                QRectF(place.x() - px(12) - wide, place.y() - high / 2, wide, high),
                QRectF(place.x() + px(8), place.y() - high - px(5), wide, high),
                QRectF(place.x() + px(8), place.y() + px(6), wide, high),
                QRectF(place.x() - wide - px(8), place.y() - high - px(5), wide, high),
                QRectF(place.x() - wide - px(8), place.y() + px(6), wide, high),
            ]
            # Farther off, with a thin line from dot to name.
            spots += [
                QRectF(
                    place.x() + side, place.y() + turn * step * (high + 1) - high / 2, wide, high
                )
                for step in range(1, 9)
                for side in (px(26), -px(26) - wide)
                for turn in (-1, 1)
            ]
            room = QRectF(area).adjusted(0, -px(10), px(18), 0)
            others = [t for t in taken if t != own and not t.contains(place)]
            for number, box in enumerate(spots):
                if room.contains(box) and not any(box.intersects(t) for t in others):
                    colour = look_of(self._looks, dot.row.name).colour
                    if number >= NEAR_SPOTS:
                        self._leader(painter, place, box, colour)
                    painter.setPen(QColor(theme().lane_text(colour)))
                    painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, name)
                    taken.append(box)
                    break

    def _leader(self, painter: QPainter, place: QPointF, box: QRectF, colour: str) -> None:
        right = box.left() > place.x()
        end = QPointF(box.left() - px(3) if right else box.right() + px(3), box.center().y())
        painter.setPen(QPen(QColor(mix(colour, theme().surface, 0.35)), 1))
        painter.drawLine(place, end)

    def _outside(self, painter: QPainter, area: QRectF, dot: Dot, place: QPointF) -> None:
        """Tell of a lane that is far above all others, at the upper edge."""
        tokens = theme()
        look = look_of(self._looks, dot.row.name)
        painter.setPen(QColor(tokens.lane_text(look.colour)))
        told = f"{one_line(dot.row.name)} {self._y_text(dot.y)}"
        side = px(13)
        left = min(max(place.x(), area.left() + px(4)), area.right() - px(160))
        paint_icon(painter, "arrow-up", QRectF(left, area.top() - px(6), side, side), look.colour)
        box = QRectF(left + px(17), area.top() - px(8), px(220), px(17))
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, told)


def _around(place: QPointF) -> QRectF:
    return QRectF(place.x() - px(8), place.y() - px(8), px(16), px(16))


def _without_outlier(ys: list[float], dots: list[Dot]) -> list[float]:
    """Cut off above the others where the worst lane alone would press them flat."""
    tops = sorted(d.y for d in dots)
    if len(tops) < 4:
        return ys
    spread = tops[-2] - tops[0]
    if spread > 0 and tops[-1] - tops[-2] > 1.5 * spread:
        return [min(y, tops[-2] + 0.35 * spread) for y in ys]
    return ys
