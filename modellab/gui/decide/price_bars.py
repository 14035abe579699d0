"""Would another price change it? One bar per price, coloured by the lane that would win."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from modellab.gui.decide import words
from modellab.gui.decide.looks import Looks, look_of
from modellab.gui.decide.price_scale import PriceScale, merged, winner_at
from modellab.gui.decide.terms import explain
from modellab.gui.kit import Card, Label, describe, one_line, short_number, tip_text
from modellab.gui.plots.labels import beside
from modellab.gui.theme import font, mix, px, set_height, theme

if TYPE_CHECKING:
    from modellab.verdict.values import PriceBar, Verdict

NAMES = 84
STEP = 0.02
TIP = (
    "Which lane would be recommended at other values of this price, all else unchanged. Drag the "
    "handle, or use the arrow keys, to set the price."
)


class PriceBarRow(QWidget):
    """One price: its bar, the lanes under it, and the present price as a handle."""

    changed = Signal(str, float)
    """The person moved the handle: price and value."""

    def __init__(self, price: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.price = price
        self._bar: PriceBar | None = None
        self._scale = PriceScale(0.0, 1.0, 0.1)
        self._looks: Looks = {}
        self._faint = False
        self._held = False
        self._now = 0.0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        set_height(self, 36)
        describe(self, self._title(), TIP)
        self.setToolTip("")

    def _title(self) -> str:
        return f"Price: {words.PRICE_WORDS[self.price][1]}"

    def set_bar(self, bar: PriceBar, looks: Looks, *, faint: bool) -> None:
        """Show another bar; a handle that is held stays under the hand."""
        self._bar, self._looks, self._faint = bar, looks, faint
        if not self._held:
            self._scale = PriceScale.of(bar)
            self._now = bar.now
        self._tell()
        self.update()

    def _tell(self) -> None:
        if self._bar is None:
            return
        parts = [
            f"{short_number(low, 3)} to {short_number(high, 3)}: {one_line(lane)}"
            for low, high, lane in merged(self._bar.segments)
        ]
        now = f"Now {short_number(self._now, 4)}."
        describe(self, self._title(), f"{TIP} {now} {'; '.join(parts)}.")
        self.setToolTip("")

    def sizeHint(self) -> QSize:
        return QSize(px(300), px(36))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(200), px(36))

    # ------------------------------------------------------------------ the handle

    def _area(self) -> QRectF:
        left = px(NAMES)
        return QRectF(left, px(6), max(px(40), self.width() - left - px(6)), px(10))

    def _price_at(self, x: float) -> float:
        area = self._area()
        return self._scale.price((x - area.left()) / area.width())

    def _set(self, value: float) -> None:
        if value != self._now:
            self._now = value
            self.update()
            self.changed.emit(self.price, value)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._bar is not None:
            self._held = True
            self._set(self._price_at(event.position().x()))
            event.accept()
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held:
            self._set(self._price_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._held:
            self._held = False
            if self._bar is not None:
                self.set_bar(self._bar, self._looks, faint=self._faint)
        super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        steps = {
            Qt.Key.Key_Left: -1.0,
            Qt.Key.Key_Down: -1.0,
            Qt.Key.Key_Right: 1.0,
            Qt.Key.Key_Up: 1.0,
            Qt.Key.Key_PageDown: -5.0,
            Qt.Key.Key_PageUp: 5.0,
        }
        if self._bar is not None and key in steps:
            share = self._scale.share(self._now) + steps[Qt.Key(key)] * STEP
            self._set(self._scale.price(share))
        elif self._bar is not None and key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            ends = self._scale.low, self._scale.high
            self._set(ends[key == Qt.Key.Key_End])
        else:
            super().keyPressEvent(event)
            return
        event.accept()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            told = f"{explain('price_' + self.price)}\n{TIP}"
            if self._bar is not None and event.pos().x() >= px(NAMES):
                price = self._price_at(event.pos().x())
                lane = winner_at(self._bar, price)
                if lane:
                    told = f"At {short_number(price, 3)}: {lane}"
            QToolTip.showText(event.globalPos(), tip_text(told), self)
            return True
        return super().event(event)

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self._area()
        painter.setFont(font(12))
        painter.setPen(QColor(tokens.second if self.isEnabled() else tokens.third))
        name = QRectF(0, area.top() - px(5), px(NAMES) - px(6), px(20))
        vertical = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(name, vertical, words.PRICE_WORDS[self.price][1])
        bar = self._bar
        if bar is None:
            painter.fillRect(area, QColor(tokens.selected))
            return
        painter.save()
        if self._faint or not self.isEnabled():
            painter.setOpacity(0.5)
        shape = QPainterPath()
        shape.addRoundedRect(area, px(3), px(3))
        painter.setClipPath(shape)
        painter.fillRect(area, QColor(tokens.selected))
        segments = merged(bar.segments)
        places = []
        for low, high, lane in segments:
            first = area.left() + self._scale.share(low) * area.width()
            last = area.left() + self._scale.share(high) * area.width()
            box = QRectF(first, area.top(), max(0.0, last - first), area.height())
            places.append((box, lane))
            colour = mix(look_of(self._looks, lane).colour, tokens.surface, 0.22)
            painter.fillRect(box.adjusted(0, 0, -1.5 if high < bar.high else 0, 0), QColor(colour))
        painter.restore()
        self._words(painter, area, bar, places)
        self._handle(painter, area)

    def _words(
        self, painter: QPainter, area: QRectF, bar: PriceBar, places: list[tuple[QRectF, str]]
    ) -> None:
        tokens = theme()
        painter.setFont(font(11))
        metrics = painter.fontMetrics()
        below = QRectF(area.left(), area.bottom() + px(4), area.width(), px(15))
        ends = short_number(self._scale.low, 3), short_number(self._scale.high, 3)
        painter.setPen(QColor(tokens.third))
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, ends[0])
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, ends[1])
        left = below.left() + metrics.horizontalAdvance(ends[0]) + px(6)
        right = below.right() - metrics.horizontalAdvance(ends[1]) - px(6)
        painter.setFont(font(11, 600))
        metrics = painter.fontMetrics()
        most = (right - left) / max(1, len(places)) - px(8)
        told = []
        for box, lane in places:
            room = round(max(most, min(right, box.right()) - max(left, box.left()) - px(4)))
            shown = metrics.elidedText(one_line(lane), Qt.TextElideMode.ElideRight, room)
            if len(shown) >= 4 or shown == lane:
                told.append((box.center().x(), metrics.horizontalAdvance(shown) + 2.0, shown, lane))
        begins = beside([(centre, wide) for centre, wide, _, _ in told], left, right, px(8))
        for begin, (_, wide, shown, lane) in zip(begins, told, strict=True):
            painter.setPen(QColor(tokens.lane_text(look_of(self._looks, lane).colour)))
            word = QRectF(begin, below.top(), wide, below.height())
            painter.drawText(word, Qt.AlignmentFlag.AlignHCenter, shown)

    def _handle(self, painter: QPainter, area: QRectF) -> None:
        tokens = theme()
        x = area.left() + self._scale.share(self._now) * area.width()
        knob = QRectF(x - px(3.5), area.top() - px(4), px(7), area.height() + px(8))
        focus = self.hasFocus()
        painter.setPen(QPen(QColor(tokens.link if focus else tokens.ink), 2 if focus else 1.6))
        painter.setBrush(QColor(tokens.surface))
        painter.drawRoundedRect(knob, px(3.5), px(3.5))
        if focus:
            painter.setPen(QPen(QColor(tokens.link), 1))
            painter.drawLine(
                QPointF(0, self.height() - 1.0), QPointF(px(NAMES) - px(12), self.height() - 1.0)
            )


class PriceBarsCard(Card):
    """All price bars."""

    changed = Signal(str, float)
    """The person moved a handle: price and value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Would another price change it?", spacing=2, parent=parent)
        self.rows: dict[str, PriceBarRow] = {}
        for price in words.PRICE_WORDS:
            row = PriceBarRow(price)
            row.changed.connect(self.changed)
            self.rows[price] = row
            self.body.addWidget(row)
        self._nothing = Label(
            "Told once there is a lane to recommend.", 12, 400, "second", wrap=True
        )
        self.body.addWidget(self._nothing)
        self.body.addStretch(1)

    def set_verdict(self, verdict: Verdict | None, looks: Looks, *, faint: bool) -> None:
        """Show another verdict."""
        bars = {bar.price: bar for bar in verdict.price_bars} if verdict is not None else {}
        for price, row in self.rows.items():
            bar = bars.get(price)  # type: ignore[call-overload]
            row.setVisible(bar is not None and bool(bar.segments))
            if bar is not None and bar.segments:
                row.set_bar(bar, looks, faint=faint)
        self._nothing.setVisible(not any(bar.segments for bar in bars.values()))

    def set_reason(self, reason: str | None) -> None:
        """Let prices be moved, or not."""
        for row in self.rows.values():
            row.setEnabled(reason is None)
