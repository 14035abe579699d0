"""How cells of the column table are painted: choices, histograms, curves over the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from modellab.gui.kit import paint_histogram, paint_spark
from modellab.gui.theme import font, mix, paint_icon, px, theme

if TYPE_CHECKING:
    from modellab.gui.pages.data_columns import ColumnsModel
    from modellab.gui.pages.data_facts import ColumnFacts
    from modellab.gui.pages.text_model import Index


_GROUND = QStyle.ControlElement.CE_ItemViewItem
_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_OVER, _CHOSEN = QStyle.StateFlag.State_MouseOver, QStyle.StateFlag.State_Selected


class NameDelegate(QStyledItemDelegate):
    """Cuts long names in the middle: what tells them apart is often at their end."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideMiddle


class _Cell(QStyledItemDelegate):
    """Paints the usual ground (selection, hairline, focus), then `content`."""

    def __init__(self, facts_role: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._facts_role = facts_role

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        # As the view made it, without the text and its looks: ten questions to the model.
        style = option.widget.style()
        style.drawControl(_GROUND, option, painter, option.widget)
        facts = index.data(self._facts_role)
        if facts is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.content(painter, option, facts)
        painter.restore()

    def content(self, painter: QPainter, option: QStyleOptionViewItem, facts: ColumnFacts) -> None:
        """Paint the cell."""
        raise NotImplementedError


class ChoiceDelegate(_Cell):
    """An icon, a word and a caret; `boxed` looks like a field."""

    def __init__(
        self,
        texts: dict[str, tuple[str, str]],
        facts_role: int,
        attribute: str,
        parent: QWidget,
        *,
        boxed: bool = False,
    ) -> None:
        super().__init__(facts_role, parent)
        self._texts, self._attribute, self._boxed = texts, attribute, boxed

    def content(self, painter: QPainter, option: QStyleOptionViewItem, facts: ColumnFacts) -> None:
        tokens = theme()
        key = getattr(facts, self._attribute)
        words, picture = self._texts[key]
        over = bool(option.state & _OVER)
        strong = self._boxed and key in ("target", "time")
        changed = self._attribute == "kind" and facts.kind != facts.detected
        colour = tokens.text if strong or changed else tokens.second
        if facts.role == "ignored":
            colour = tokens.third
        box = QRectF(option.rect).adjusted(px(4), px(6), -px(4), -px(6))
        if self._boxed or over:
            painter.setPen(QPen(QColor(tokens.third if over else tokens.border), 1))
            painter.setBrush(QColor(tokens.surface))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        side = px(14)
        middle = box.center().y()
        left = box.left() + px(8)
        paint_icon(painter, picture, QRectF(left, middle - side / 2, side, side), colour)
        caret = px(9)
        if self._boxed or over:
            where = QRectF(box.right() - caret - px(7), middle - caret / 2, caret, caret)
            paint_icon(painter, "caret-down", where, tokens.third)
        painter.setFont(font(13, 600 if strong or changed else 400))
        painter.setPen(QColor(colour))
        text = QRectF(left + side + px(6), box.top(), 0, box.height())
        text.setRight(box.right() - (caret + px(9) if self._boxed else 0))
        shown = painter.fontMetrics().elidedText(
            words, Qt.TextElideMode.ElideRight, round(text.width())
        )
        painter.drawText(text, _LEFT, shown)


def paint_pairs(
    painter: QPainter, rect: QRectF, pairs: list[tuple[float, float]], colour: str
) -> None:
    """Paint bars of the training window, and over each a line where the rest has it."""
    most = max((max(pair) for pair in pairs), default=0.0)
    if most <= 0 or not pairs:
        return
    wide = rect.width() / len(pairs)
    gap = min(px(1), wide * 0.15)
    for at, (train, rest) in enumerate(pairs):
        left, inner = rect.left() + at * wide, wide - gap
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        high = train / most * rect.height()
        painter.drawRect(QRectF(left, rect.bottom() - high, inner, high))
        y = rect.bottom() - rest / most * rect.height()
        painter.setPen(QPen(QColor(theme().lanes[0]), 2))
        painter.drawLine(QPointF(left, y), QPointF(left + inner, y))


def paint_diamond(painter: QPainter, x: float, y: float) -> None:
    """Paint the sign of an alarm."""
    side = px(4)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme().alarm))
    painter.drawPolygon(
        QPolygonF(
            [
                QPointF(x, y - side), QPointF(x + side, y),
                QPointF(x, y + side), QPointF(x - side, y),
            ]
        )
    )  # fmt: skip


class BarsDelegate(_Cell):
    """A histogram, or the most frequent values with their shares; a diamond if they shift."""

    def content(self, painter: QPainter, option: QStyleOptionViewItem, facts: ColumnFacts) -> None:
        tokens = theme()
        colour = mix(tokens.third, tokens.surface, 0.35)
        rect = QRectF(option.rect).adjusted(px(8), px(8), -px(8), -px(8))
        if facts.top and len(facts.top) <= 2 and not facts.bars:
            self._top(painter, rect, facts.top, colour)
        elif facts.pairs:
            paint_pairs(painter, rect, facts.pairs, colour)
        elif facts.bars:
            paint_histogram(painter, rect, facts.bars, colour)
        elif facts.top:
            paint_histogram(painter, rect, [share for _, share in facts.top], colour)
        if facts.shifted:
            paint_diamond(painter, rect.right() - px(3), rect.top() + px(1))

    def _top(
        self, painter: QPainter, rect: QRectF, top: list[tuple[str, float]], colour: str
    ) -> None:
        tokens = theme()
        painter.setFont(font(11))
        high = rect.height() / len(top)
        most = max(share for _, share in top) or 1.0
        wide = rect.width() * 0.34
        for number, (value, share) in enumerate(top):
            y = rect.top() + number * high
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour))
            painter.drawRect(QRectF(rect.left(), y + 1, max(1.0, share / most * wide), high - 2))
            painter.setPen(QColor(tokens.second))
            text = QRectF(rect.left() + wide + px(5), y, rect.width() - wide - px(5), high)
            figure = f"{share * 100:.0f} %"
            metrics = painter.fontMetrics()
            room = round(text.width()) - metrics.horizontalAdvance(f" {figure}")
            name = metrics.elidedText(value, Qt.TextElideMode.ElideRight, max(room, 0))
            painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, f"{name} {figure}")


class CourseDelegate(_Cell):
    """How the column runs over the file, the training window shaded up to a line."""

    def __init__(self, facts_role: int, model: ColumnsModel, parent: QWidget) -> None:
        super().__init__(facts_role, parent)
        self._model = model

    def content(self, painter: QPainter, option: QStyleOptionViewItem, facts: ColumnFacts) -> None:
        tokens = theme()
        whole = QRectF(option.rect).adjusted(px(8), 0, -px(8), -1)
        share = min(1.0, max(0.0, self._model.split_share))
        line = whole.left() + share * whole.width()
        chosen = bool(option.state & _CHOSEN)
        shade = QRectF(
            whole.left(), whole.top() + px(5), line - whole.left(), whole.height() - px(10)
        )
        painter.fillRect(
            shade, QColor(mix(tokens.selected, tokens.text, 0.06) if chosen else tokens.selected)
        )
        faint = facts.role == "ignored"
        if facts.course:
            colour = tokens.third if faint else tokens.second
            paint_spark(painter, whole.adjusted(0, px(8), 0, -px(8)), _values(facts.course), colour)
        painter.setPen(QPen(QColor(tokens.second), 1.2))
        painter.drawLine(round(line), round(whole.top()), round(line), round(whole.bottom()) + 1)
        if facts.constant_in_training and share > 0 and not faint:
            side = px(15)
            where = QRectF(whole.left() + px(4), whole.center().y() - side / 2, side, side)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.selected))
            painter.drawEllipse(where.adjusted(-2, -2, 2, 2))
            paint_icon(painter, "warning-fill", where, tokens.warning)


def _values(course: list[float | None]) -> list[float]:
    return [float("nan") if v is None else v for v in course]
