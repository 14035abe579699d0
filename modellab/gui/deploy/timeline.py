"""The timeline: the whole data set, what was replayed of it, what happened, and the present row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QContextMenuEvent,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolTip, QWidget

from modellab.gui.deploy.lines import Marks, own_events, shades
from modellab.gui.deploy.words import event_text, lane_style
from modellab.gui.kit import count_text, describe, tip_text
from modellab.gui.kit.polylines import polygon
from modellab.gui.plots.mark_groups import MarkGroups
from modellab.gui.plots.parts import MARK_WORDS, Mark, MarkKind, Shade, paint_mark
from modellab.gui.plots.series import decimate
from modellab.gui.plots.shades import paint_shade
from modellab.gui.plots.text import cut, elided, font, width_of, write
from modellab.gui.plots.ticks import date_ticks, row_ticks
from modellab.gui.session_deployment import row_at
from modellab.gui.theme import mix, px, set_height, theme

if TYPE_CHECKING:
    from modellab.gui.session_deployment import Deployment

_LEFT = Qt.AlignmentFlag.AlignLeft
HEIGHT = 92
_MORE = 116
"""Width of what tells that more rows are being read."""
_ALARM_PIXELS = 20.0
"""With more alarms than one for so many pixels they are bars, else signs."""
_TIP = (
    "The whole data set. Drag the handle to go to another row, exactly as if the replay had just "
    "got there; click elsewhere to look at it in the plots. Arrow keys move the handle, Enter goes "
    "there, Escape leaves it."
)
_ORDER: tuple[MarkKind, ...] = (
    "drift",
    "retrain",
    "reject",
    "redeploy",
    "switch",
    "rollback",
    "reset",
    "quarantine",
    "change",
    "fault",
    "fork",
    "warning",
)


def _about(rows: int) -> str:
    """Return a number of rows of which the first digits are known."""
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if rows >= size:
            return f"{rows / size:.3g} {word}"
    return count_text(rows)


class Timeline(QFrame):
    """The card over the plots.

    Signals
    -------
    seek_wanted
        The handle was put down at this row.
    look_wanted
        This row was clicked: the plots should show it.
    menu_wanted
        A menu is asked for: the row, and where on the screen.
    """

    seek_wanted = Signal(object)
    look_wanted = Signal(object)
    menu_wanted = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "card")
        set_height(self, HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        describe(self, "Stream", _TIP)
        self.setToolTip("")
        self._live: Deployment | None = None
        self._marks: list[Mark] = []
        self._shades: list[Shade] = []
        self._marks_of = Marks()
        self._groups = MarkGroups([])
        self._counts: list[tuple[MarkKind, int]] = []
        self._alarms = np.empty(0)
        self._key: object = None
        self._dates: list[tuple[float, str]] = []
        self._dates_key: object = None
        self._seen = (-1, -1)
        self._handle: int | None = None
        """Where the handle is held, while it is."""
        self._by_mouse = False
        self._shown: tuple[float, float] | None = None
        self._busy = False

    def sizeHint(self) -> QSize:
        return QSize(600, px(HEIGHT))

    # ------------------------------------------------------------------ what is shown

    def show_deployment(self, live: Deployment | None, *, busy: bool = False) -> None:
        """Show a replay as it is now; `busy`: the handle rests."""
        self._live, self._busy = live, busy
        self._take_marks(live)
        if live is not None and not self._by_mouse and self._handle is not None and busy:
            self._handle = None
        self.update()

    def _take_marks(self, live: Deployment | None) -> None:
        """Make marks and spans anew, if anything happened."""
        if live is None:
            self._key, self._marks, self._shades = None, [], []
            self._groups, self._counts, self._alarms = MarkGroups([]), [], np.empty(0)
            return
        found = self._marks_of.of(live)
        last = live.events[-1] if live.events else None
        faults = tuple(live.experiment.fault)
        key = (id(found), len(live.events), id(last), live.selected, faults, live.stop)
        if key != self._key:
            self._key, self._marks, self._shades = key, found, shades(live)
            self._groups = MarkGroups(found, self._groups)
            self._alarms = np.array([m.position for m in found if m.kind == "drift"], float)
            kinds = Counter(mark.kind for mark in found)
            kinds["fault"] = sum(shade.kind != "down" for shade in self._shades)
            self._counts = [(kind, kinds[kind]) for kind in _ORDER if kinds[kind]]

    def show_range(self, shown: tuple[float, float] | None) -> None:
        """Frame the rows that the plots show; None: they show all."""
        if shown != self._shown:
            self._shown = shown
            self.update()

    def counts(self) -> list[tuple[MarkKind, int]]:
        """Return how often each kind of thing happened, those that did."""
        return self._counts

    # ------------------------------------------------------------------ geometry

    def band(self) -> QRectF:
        """Return the band of rows, in pixels; where more come, there is room for that beside it."""
        more = px(_MORE) if self._live is not None and self._live.coming else 0
        return QRectF(px(16), px(45), max(10, self.width() - px(32) - more), px(20))

    def x_of(self, row: float) -> float:
        """Return the pixel of a row of the data set."""
        band = self.band()
        total = max(1, self._live.n_rows if self._live is not None else 1)
        return band.left() + row / total * band.width()

    def row_of(self, x: float) -> int:
        """Return the row at a pixel, within the stream."""
        live = self._live
        if live is None:
            return 0
        band = self.band()
        row = round((x - band.left()) / band.width() * live.n_rows)
        return min(max(row, live.train_rows), live.stop)

    def handle_row(self) -> int:
        """Return the row of the handle: held, or the present one."""
        if self._handle is not None:
            return self._handle
        return self._live.position if self._live is not None else 0

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:
            painter.end()  # one that is left active brings the next one down

    def _paint(self, painter: QPainter) -> None:
        live = self._live
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_head(painter)
        if live is not None:
            self._paint_band(painter, live)
            if live.coming:
                self._paint_more(painter, live)
            self._paint_dates(painter, live)
            self._paint_marks(painter)
            self._paint_handle(painter, live)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme().link), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)

    def _paint_head(self, painter: QPainter) -> None:
        tokens = theme()
        line = QRectF(px(16), px(7), self.width() - px(32), px(20))
        write(painter, line, _LEFT, "Stream", tokens.text, 13, 600)
        begin = line.left() + width_of("Stream", 13, 600) + px(12)
        x = line.right()
        for kind, count in reversed(self.counts()):
            text = f"{count_text(count)} {MARK_WORDS[kind][count != 1]}"
            wide = width_of(text, 12)
            x -= wide
            box = QRectF(x, line.top(), wide + 2, line.height())
            write(painter, box, _LEFT, text, tokens.second, 12)
            x -= px(12)
            colour = next((m.colour for m in self._marks if m.kind == kind), theme().second)
            paint_mark(painter, kind, QPointF(x, line.center().y()), colour, px(9))
            x -= px(18)
        live = self._live
        if live is None:
            return
        words = f"{live.selected or 'No lane'}: error over the rows seen"
        words += " · drag the handle to go back"
        room = QRectF(begin, line.top(), max(0.0, x - begin - px(8)), line.height())
        write(painter, room, _LEFT, cut(words, 12, 400, room.width()), tokens.second, 12)

    def _paint_band(self, painter: QPainter, live: Deployment) -> None:
        tokens, band = theme(), self.band()
        train, now = self.x_of(live.train_rows), self.x_of(live.position)
        stop = self.x_of(live.stop)
        painter.save()
        painter.setClipRect(band)
        painter.fillRect(band, QColor(tokens.sub))
        ground = mix(tokens.selected, tokens.border, 0.5)
        painter.fillRect(
            QRectF(band.left(), band.top(), train - band.left(), band.height()), ground
        )
        lane = live.lanes.get(live.selected or "")
        if lane is not None and now > train:
            colour = lane_style(lane)[0]
            seen = QRectF(train, band.top(), now - train, band.height())
            painter.fillRect(seen, QColor(mix(tokens.surface, colour, 0.12)))
            curve = lane.curves.get("error")
            if curve is not None and len(curve):
                x = curve.start.astype(np.float64)
                self._paint_area(painter, x, curve.mean, colour, live)
        for shade in self._shades:
            left, right = self.x_of(shade.start), self.x_of(shade.stop)
            box = QRectF(left, band.top(), max(2.0, right - left), band.height())
            if shade.kind != "down":
                paint_shade(painter, box, shade, hatch=5)
            elif not shade.strip:
                painter.fillRect(box.adjusted(0, band.height() - px(4), 0, 0), shade.colour)
        if stop < band.right() - 1:
            rest = QRectF(stop, band.top(), band.right() - stop, band.height())
            painter.fillRect(rest, QBrush(QColor(tokens.border), Qt.BrushStyle.BDiagPattern))
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(tokens.hairline), 1))
        painter.drawRoundedRect(band, 4, 4)
        self._paint_range(painter, live)
        self._band_words(painter, live, train, now, stop)

    def _paint_more(self, painter: QPainter, live: Deployment) -> None:
        """Paint that more rows are being read, beside those that are there (not to scale)."""
        tokens, band = theme(), self.band()
        box = QRectF(band.right() + px(4), band.top(), px(_MORE) - px(4), band.height())
        painter.fillRect(box, QBrush(QColor(tokens.border), Qt.BrushStyle.BDiagPattern))
        pen = QPen(QColor(tokens.third), 1, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 4, 4)
        painter.setFont(font(11, 500))
        painter.setPen(QColor(tokens.second))
        centre = int(Qt.AlignmentFlag.AlignCenter)
        painter.drawText(box, centre, "more being read")
        under = QRectF(box.left(), box.bottom() + px(3), box.width(), px(18))
        painter.setFont(font(11))
        metrics = QFontMetricsF(painter.font())
        words = elided(f"of about {_about(live.coming)}", metrics, under.width())
        painter.drawText(under, int(Qt.AlignmentFlag.AlignRight), words)

    def _paint_area(
        self, painter: QPainter, x: np.ndarray, y: np.ndarray, colour: str, live: Deployment
    ) -> None:
        band = self.band()
        # A point for every other pixel is enough of so low an area.
        wide = self.x_of(live.position) - self.x_of(live.train_rows)
        x, y = decimate(x, y, live.train_rows, live.position, max(2, int(wide / 4)))
        good = np.isfinite(y)
        if good.sum() < 2:
            return
        x, y = x[good], y[good]
        place = int(0.98 * (len(y) - 1))
        top = float(np.partition(y, place)[place]) * 1.15 or 1.0
        heights = np.clip(y / top, 0.0, 1.0) * (band.height() - 2)
        places = band.left() + x * (band.width() / max(1, live.n_rows))
        end, foot = self.x_of(live.position), band.bottom()
        tops = foot - heights
        shape = polygon(
            np.concatenate([places[:1], places, [end, end]]),
            np.concatenate([[foot], tops, tops[-1:], [foot]]),
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(theme().surface, colour, 0.55)))
        painter.drawPolygon(shape)

    def _paint_range(self, painter: QPainter, live: Deployment) -> None:
        """Frame what the plots show, unless that is everything."""
        if self._shown is None or live.position <= live.train_rows:
            return
        low = max(self._shown[0], live.train_rows)
        high = min(self._shown[1], live.position)
        if high - low >= 0.985 * (live.position - live.train_rows) or high <= low:
            return
        band = self.band()
        left, right = self.x_of(low), max(self.x_of(high), self.x_of(low) + 3)
        painter.setPen(QPen(QColor(theme().link), 1.5))
        painter.drawRoundedRect(QRectF(left, band.top() - 2, right - left, band.height() + 4), 2, 2)

    def _band_words(
        self, painter: QPainter, live: Deployment, train: float, now: float, stop: float
    ) -> None:
        tokens, band = theme(), self.band()
        rows = count_text(live.train_rows)
        parts = [
            (
                band.left(),
                train,
                (f"Training window · rows 1 – {rows}", f"{rows} rows", "training"),
            ),
            (now, stop, ("not yet seen",)),
            (stop, band.right(), ("beyond the limit", "limit")),
        ]
        for left, right, choices in parts:
            for words in choices:
                if width_of(words, 11, 500) + px(16) > right - left:
                    continue
                place = QRectF(left, band.top(), right - left, band.height())
                side = Qt.AlignmentFlag.AlignHCenter
                if choices[0] == "not yet seen":
                    place.setLeft(left + px(12))
                    side = _LEFT
                write(painter, place, side, words, tokens.second, 11, 500)
                break

    def _paint_dates(self, painter: QPainter, live: Deployment) -> None:
        tokens, band = theme(), self.band()
        key = (id(live.times_ns), live.n_rows, band.width(), self.width())
        if key != self._dates_key:
            self._dates_key, self._dates = key, self._place_dates(live, band.width())
        top = band.bottom() + px(3)
        for left, words in self._dates:
            box = QRectF(left, top, px(200), px(18))
            write(painter, box, _LEFT, words, tokens.second, 11)

    def _place_dates(self, live: Deployment, wide: float) -> list[tuple[float, str]]:
        """Return dates, or rows where there are none, and where they begin."""
        count = max(2, int(wide / 110))
        if len(live.times_ns) > 1:
            times = live.times_ns
            found = date_ticks(
                int(times[0]), int(times[-1]), count, lambda t: row_at(times, live.n_rows, t)
            )
        else:
            found = [(row, count_text(row)) for row in row_ticks(0, live.n_rows, count)]
        edge, placed = 0.0, []
        for row, words in found:
            long = width_of(words, 11)
            left = self.x_of(row) - long / 2
            if left < max(edge, 4) or left + long > self.width() - 4:
                continue
            edge = left + long + px(12)
            placed.append((left, words))
        return placed

    def _paint_marks(self, painter: QPainter) -> None:
        y = self.band().top() - px(8)
        if self._alarm_bars():
            self._paint_alarms(painter, y + px(5))
        bars = self._alarm_bars()
        for group in self._groups.groups(self.x_of):
            mark = group.last
            if bars and mark.kind == "drift":
                continue
            paint_mark(painter, mark.kind, QPointF(self.x_of(mark.position), y), mark.colour, px(9))

    def _alarm_bars(self) -> bool:
        """Whether there are more alarms than there is room for signs."""
        return len(self._alarms) > self.band().width() / _ALARM_PIXELS

    def _paint_alarms(self, painter: QPainter, foot: float) -> None:
        """Paint a bar for the alarms of every few pixels: the higher, the more there are."""
        band, live = self.band(), self._live
        if live is None:
            return
        slots = max(1, int(band.width() / px(5)))
        counts, _ = np.histogram(self._alarms, bins=slots, range=(0, max(1, live.n_rows)))
        wide, high = band.width() / slots, px(12)
        colour = QColor(mix(theme().surface, theme().alarm, 0.72))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        most = counts.max()
        slim, begin = max(1, int(wide) - 1), band.left()
        boxes = [
            QRectF(round(begin + slot * wide), foot - tall, slim, tall)
            for slot, tall in enumerate(np.ceil(high * counts / most).tolist())
            if tall
        ]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRects(boxes)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _paint_handle(self, painter: QPainter, live: Deployment) -> None:
        tokens, band = theme(), self.band()
        now = round(self.x_of(live.position)) + 0.5
        ink = QColor(tokens.ink)
        held = self._handle is not None
        if held:
            painter.setPen(QPen(QColor(tokens.third), 1))
            painter.drawLine(QPointF(now, band.top() - 3), QPointF(now, band.bottom() + 3))
        x = round(self.x_of(self.handle_row())) + 0.5
        painter.setPen(QPen(ink, 2))
        painter.drawLine(QPointF(x, band.top() - px(6)), QPointF(x, band.bottom() + 3))
        painter.setPen(QPen(QColor(tokens.surface), 1.5))
        painter.setBrush(ink)
        painter.drawEllipse(QPointF(x, band.top() - px(7)), 6, 6)
        if held:
            painter.setFont(font(11, 600))
            text = f"row {count_text(self.handle_row())}"
            wide = QFontMetricsF(painter.font()).horizontalAdvance(text) + px(14)
            left = min(max(4.0, x - wide / 2), self.width() - wide - 4)
            box = QRectF(left, band.bottom() + 4, wide, px(19))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ink)
            painter.drawRoundedRect(box, 4, 4)
            painter.setPen(QColor(tokens.on_ink))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    # ------------------------------------------------------------------ by mouse

    def _may_seek(self) -> bool:
        return self._live is not None and not self._live.lost and not self._busy

    def mousePressEvent(self, event: QMouseEvent) -> None:
        live = self._live
        if live is None or event.button() != Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        if abs(x - self.x_of(live.position)) <= 9 and self._may_seek():
            self._by_mouse, self._handle = True, live.position
        elif self.band().adjusted(0, -14, 0, 20).contains(event.position()):
            row = min(self.row_of(x), live.position)
            self.look_wanted.emit(row)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._by_mouse:
            self._handle = self.row_of(x)
            self.update()
            return
        live = self._live
        near = live is not None and abs(x - self.x_of(live.position)) <= 9
        self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._by_mouse:
            self._by_mouse = False
            self._go()

    def _go(self) -> None:
        row, self._handle = self._handle, None
        live = self._live
        self.update()
        if row is not None and live is not None and row != live.position and self._may_seek():
            self.seek_wanted.emit(row)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), tip_text(self.tip_at(event.pos().x())), self)
            return True
        return super().event(event)

    def tip_at(self, x: float) -> str:
        """Return what to say of the place: the marks there, else how it works."""
        live = self._live
        if live is None:
            return _TIP
        near = {m.position for m in self._marks if abs(self.x_of(m.position) - x) < 6}
        lines = [
            f"{s.text}, rows {count_text(s.start)} – {count_text(s.stop - 1)}"
            for s in self._shades
            if s.text and self.x_of(s.start) - 2 <= x <= self.x_of(s.stop) + 2
        ]
        found = [e for e in own_events(live) if e.position in near]
        alarms = Counter(e.lane for e in found if e.kind == "drift")
        if sum(alarms.values()) > 4:
            # Which of many alarms it was is for the list of events.
            rows = [e.position for e in found if e.kind == "drift"]
            lines.append(
                f"{len(rows)} drift alarms, rows {count_text(rows[0])} – {count_text(rows[-1])}: "
                + ", ".join(f"{lane} {count}" for lane, count in sorted(alarms.items()))
            )
            found = [e for e in found if e.kind != "drift"]
        lines += [f"{count_text(e.position)}  {e.lane}: {event_text(e)}" for e in found]
        if len(lines) > 8:
            lines = [*lines[:8], f"and {len(lines) - 8} more"]
        return "\n".join(lines) or _TIP

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        live = self._live
        if live is None:
            return
        mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        row = min(self.row_of(event.pos().x()) if mouse else self.handle_row(), live.position)
        at = event.globalPos()
        if not mouse:
            at = self.mapToGlobal(QPoint(round(self.x_of(row)), round(self.band().bottom())))
        self.menu_wanted.emit(row, at)
        event.accept()

    # ------------------------------------------------------------------ by keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        live, key = self._live, Qt.Key(event.key())
        if live is None or not self._may_seek():
            super().keyPressEvent(event)
            return
        side = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(key, 0)
        if side:
            fine = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            step = 1 if fine else max(1, (live.stop - live.train_rows) // 200)
            row = self.handle_row() + side * step
            self._handle = min(max(row, live.train_rows), live.stop)
            self.setAccessibleDescription(f"Handle at row {count_text(self._handle)}.")
        elif key == Qt.Key.Key_Home:
            self._handle = live.train_rows
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._handle is not None:
            self._go()
        elif key == Qt.Key.Key_Escape and self._handle is not None:
            self._handle = None
        else:
            super().keyPressEvent(event)
            return
        self.update()
        event.accept()

    def focusOutEvent(self, event: object) -> None:
        if not self._by_mouse:
            self._handle = None
        self.update()
