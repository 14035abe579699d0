"""How cells of the table of lanes are painted: the lane's sign, the difference, the cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QHeaderView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from modellab.gui.decide import words
from modellab.gui.decide.columns import COLUMNS
from modellab.gui.decide.lanes_model import ROW_ROLE, Index, LanesModel, cell_font
from modellab.gui.decide.looks import paint_sign
from modellab.gui.kit import one_line
from modellab.gui.theme import font, mix, paint_icon, px, theme

if TYPE_CHECKING:
    from PySide6.QtWidgets import QTableView

    from modellab.gui.decide.columns import Column
    from modellab.verdict.values import LaneRow

_V = Qt.AlignmentFlag.AlignVCenter
_CUT = 1.6
"""A cost (or a difference) so many times the next smaller one is cut, so that the rest is seen."""


def cut_limit(values: list[float]) -> float:
    """Return up to where bars of these sizes are drawn whole: the largest, or the one before it."""
    known = sorted(v for v in values if np.isfinite(v) and v > 0)
    if len(known) > 2 and known[-1] > _CUT * known[-2]:
        return known[-2] * 1.12
    return known[-1] if known else 1.0


class LaneCell(QStyledItemDelegate):
    """Paints ground (recommended lane, selection, focus), then the content of the cell."""

    def __init__(self, model: LanesModel, parent: QTableView) -> None:
        super().__init__(parent)
        self.model = model

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        # Painted by hand throughout: the style's way asks the model a dozen times for each cell.
        row: LaneRow | None = index.data(ROW_ROLE)
        verdict = self.model.verdict
        if row is None or verdict is None:
            return
        tokens = theme()
        column = COLUMNS[index.column()]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(option.rect)
        ground = tokens.surface
        if option.state & QStyle.StateFlag.State_Selected:
            ground = tokens.selected
        elif row.name == verdict.recommended:
            ground = tokens.tint(self.model.look(row).colour, 0.08)
        painter.fillRect(box, QColor(ground))
        painter.fillRect(QRectF(box.left(), box.bottom() - 1, box.width(), 1),
                         QColor(tokens.hairline))  # fmt: skip
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(tokens.link), 1))
            painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -1.5))
        if self.model.faint:
            painter.setOpacity(0.6)
        text = one_line(column.text(row, verdict))
        self.content(painter, box.adjusted(px(8), 0, -px(8), -1), row, text, column)
        painter.restore()

    def content(
        self, painter: QPainter, box: QRectF, row: LaneRow, text: str, column: Column
    ) -> None:
        """Paint the text of an ordinary cell."""
        painter.setFont(cell_font(column.id))
        painter.setPen(self.model.colour(row, column.id))
        side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
        shown = painter.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideRight, round(box.width()) + 1
        )
        painter.drawText(box, _V | side, shown)


class NameCell(LaneCell):
    """The lane's sign and its name, cut in the middle."""

    def content(
        self, painter: QPainter, box: QRectF, row: LaneRow, text: str, column: Column
    ) -> None:
        side = px(12)
        wide = side + (px(4) if self.model.look(row).kind == "baseline" else 0)
        sign = QRectF(box.left() + px(4), box.center().y() - side / 2, wide, side)
        paint_sign(painter, sign, self.model.look(row))
        left = box.left() + px(28)
        painter.setFont(cell_font(column.id))
        painter.setPen(self.model.colour(row, column.id))
        room = QRectF(left, box.top(), box.right() - left, box.height())
        shown = painter.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideMiddle, round(room.width())
        )
        painter.drawText(room, _V, shown)


class ErrorCell(LaneCell):
    """The error, strong, and half of its interval beside it."""

    def content(
        self, painter: QPainter, box: QRectF, row: LaneRow, text: str, column: Column
    ) -> None:
        value, _, half = text.partition(" ")
        faint = font(12)
        metrics = QFontMetrics(faint)
        unit = self.model.verdict.unit if self.model.verdict is not None else ""
        # As wide as the widest: the values stand below each other.
        wide = max(
            (
                metrics.horizontalAdvance(words.half_text(r.error, unit))
                for r in self.model.lanes()
                if r.error is not None
            ),
            default=0,
        )
        painter.setFont(faint)
        painter.setPen(QColor(theme().third))
        painter.drawText(box, _V | Qt.AlignmentFlag.AlignRight, half)
        painter.setFont(cell_font(column.id))
        painter.setPen(self.model.colour(row, column.id))
        room = box.adjusted(0, 0, -(wide + px(7) if wide else 0), 0)
        painter.drawText(room, _V | Qt.AlignmentFlag.AlignRight, value)


class AgainstCell(LaneCell):
    """The paired difference to the recommended lane with its interval, all rows on one scale."""

    def scale(self) -> tuple[float, float]:
        """Return the least and the greatest difference of the axis; zero is always on it."""
        ends = [0.0]
        rows = self.model.lanes()
        limit = cut_limit([abs(r.difference.value) for r in rows if r.difference is not None])
        for row in rows:
            if row.difference is not None and abs(row.difference.value) <= limit:
                ends += [row.difference.low, row.difference.high]
        low, high = min(ends), max(ends)
        return (low, high) if high > low else (low, low + 1.0)

    def content(
        self, painter: QPainter, box: QRectF, row: LaneRow, text: str, column: Column
    ) -> None:
        tokens = theme()
        verdict = self.model.verdict
        assert verdict is not None
        painter.setFont(font(12, 500))
        metrics = painter.fontMetrics()
        told = (
            words.difference_text(row.difference.value, verdict.unit)
            if row.difference is not None
            else text
        )
        room = max(
            (
                metrics.horizontalAdvance(words.difference_text(r.difference.value, verdict.unit))
                for r in self.model.lanes()
                if r.difference is not None
            ),
            default=px(40),
        )
        low, high = self.scale()
        left, right = box.left() + px(10), box.right() - room - px(16)
        step = max(1.0, right - left) / (high - low)
        zero = left - low * step
        middle = box.center().y()
        painter.setPen(QPen(QColor(tokens.border), 1))
        painter.drawLine(QPointF(zero, box.top()), QPointF(zero, box.bottom() + 1))
        colour = self.model.look(row).colour
        if row.outcome == "best" and verdict.recommended is not None:
            self._dot(painter, zero, middle, colour)
            painter.setPen(QColor(tokens.lane_text(colour)))
            painter.setFont(font(12, 600))
            painter.drawText(QRectF(zero + px(12), box.top(), px(110), box.height()), _V, text)
            return
        if row.difference is None:
            painter.setPen(QColor(tokens.third))
            painter.drawText(QRectF(zero + px(12), box.top(), px(80), box.height()), _V, told)
            return
        beyond = row.difference.value > high or row.difference.value < low
        if beyond:
            end = right + px(4)
            side = px(14)
            where = QRectF(end - side, middle - side / 2, side, side)
            paint_icon(painter, "arrow-right", where, tokens.second)
        else:
            self._whisker(painter, row, zero, step, middle, colour)
            end = zero + max(row.difference.high, row.difference.value) * step
        certain = row.outcome in ("better", "worse")
        painter.setPen(QColor(tokens.text if certain else tokens.third))
        painter.setFont(font(12, 500))
        painter.drawText(QRectF(end + px(8), box.top(), box.right() - end, box.height()), _V, told)

    def _whisker(
        self,
        painter: QPainter,
        row: LaneRow,
        zero: float,
        step: float,
        middle: float,
        colour: str,
    ) -> None:
        assert row.difference is not None
        first, last = zero + row.difference.low * step, zero + row.difference.high * step
        painter.setPen(QPen(QColor(colour), 2.2))
        painter.drawLine(QPointF(first, middle), QPointF(last, middle))
        self._dot(
            painter,
            zero + row.difference.value * step,
            middle,
            colour,
            hollow=row.outcome in ("tie", "unknown"),
        )

    def _dot(
        self, painter: QPainter, x: float, y: float, colour: str, *, hollow: bool = False
    ) -> None:
        tokens = theme()
        painter.setPen(QPen(QColor(colour if hollow else tokens.surface), 1.5))
        painter.setBrush(QColor(tokens.surface if hollow else colour))
        painter.drawEllipse(QPointF(x, y), px(3.2), px(3.2))


class CostCell(LaneCell):
    """The total cost, and a bar of its parts: the errors strongest, the rest fainter."""

    def content(
        self, painter: QPainter, box: QRectF, row: LaneRow, text: str, column: Column
    ) -> None:
        tokens = theme()
        strong = cell_font(column.id)
        metrics = QFontMetrics(strong)
        texts = (words.money_text(words.total_cost(r)) for r in self.model.lanes())
        room = max((metrics.horizontalAdvance(t) for t in texts), default=0)
        painter.setFont(strong)
        painter.setPen(self.model.colour(row, column.id))
        painter.drawText(box, _V | Qt.AlignmentFlag.AlignRight, text)
        left, right = box.left() + px(4), box.right() - room - px(12)
        limit = cut_limit([words.total_cost(r) for r in self.model.lanes()])
        step = max(0.0, right - left) / limit
        colour = self.model.look(row).colour
        high = px(12)
        top = box.center().y() - high / 2
        x, done = left, 0.0
        for number, (_name, value) in enumerate(words.cost_parts(row)):
            wide = min(value, max(0.0, limit - done)) * step
            done += value
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(mix(colour, tokens.surface, (0.3, 0.55, 0.7, 0.8)[number % 4])))
            painter.drawRect(QRectF(x, top, max(1.0, wide), high))
            x += wide
        if done > limit * 1.0001:
            painter.setPen(QPen(QColor(tokens.surface), 2.5))
            painter.drawLine(
                QPointF(right - px(14), top + high + 2), QPointF(right - px(9), top - 2)
            )


CELLS: dict[str, type[LaneCell]] = {
    "lane": NameCell,
    "error": ErrorCell,
    "against": AgainstCell,
    "cost": CostCell,
}


class LaneHeadings(QHeaderView):
    """Headings of two lines: the title, and under it how it is measured."""

    def paintSection(self, painter: QPainter, rect: object, section: int) -> None:
        tokens = theme()
        column = COLUMNS[section]
        box = QRectF(rect)  # type: ignore[call-overload]
        painter.save()
        painter.fillRect(box, QColor(tokens.surface))
        painter.setPen(QPen(QColor(tokens.hairline), 1))
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
        inner = box.adjusted(px(12 if column.id == "lane" else 8), px(5), -px(8), -px(5))
        sorted_by = self.isSortIndicatorShown() and self.sortIndicatorSection() == section
        painter.setFont(font(12, 600 if sorted_by else 500))
        painter.setPen(QColor(tokens.text if sorted_by else tokens.second))
        title = column.title
        if sorted_by:
            down = self.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder
            title += " \N{DOWNWARDS ARROW}" if down else " \N{UPWARDS ARROW}"
        painter.drawText(inner, Qt.AlignmentFlag.AlignTop | side, one_line(title))
        painter.setFont(font(11))
        painter.setPen(QColor(tokens.third))
        painter.drawText(inner, Qt.AlignmentFlag.AlignBottom | side, column.under)
        painter.restore()
