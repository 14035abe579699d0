"""The transport: play, step, restart, speed, and where the replay is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from modellab.gui.kit import (
    ElidedLabel,
    IconButton,
    Label,
    LogSlider,
    NumberField,
    PlainButton,
    Rule,
    SegmentedControl,
    StatFigure,
    count_text,
    describe,
    duration_text,
    short_number,
)
from modellab.gui.plots.ticks import full_date, short_texts
from modellab.gui.theme import font, mix, paint_icon, px, set_font, set_height, set_size, theme

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.replay.protocol import SpeedMode

HEIGHT = 72
_EIGHTS = str.maketrans("012345679", "888888888")
_TO_END = ("Run to the end", "To the end", "")
_TIME = ("× real time", "× time")
LEAST = 760
"""So narrow it can be, in pixels at 100 % text."""
_TIGHTEST = 11
"""How often something can be left out before nothing more can."""
_RANGES = {"rows": (1.0, 100_000.0), "time": (1.0, 10_000_000.0)}


class RoundButton(QAbstractButton):
    """A round button with an icon, like those of a player; `filled` for the main one."""

    def __init__(
        self,
        icon: str,
        name: str,
        tip: str,
        *,
        size: int = 32,
        filled: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon, self._filled, self._side = icon, filled, size
        set_size(self, size + 4, size + 4)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        describe(self, name, tip)

    def set_icon(self, icon: str, name: str, tip: str) -> None:
        """Show another icon, with its name and explanation."""
        if (icon, name) != (self._icon, self.accessibleName()):
            self._icon = icon
            describe(self, name, tip)
            self.update()

    def icon_name(self) -> str:
        """Return the icon as shown."""
        return self._icon

    def sizeHint(self) -> QSize:
        return QSize(px(self._side + 4), px(self._side + 4))

    def enterEvent(self, event: object) -> None:
        self.update()

    def leaveEvent(self, event: object) -> None:
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        disc = QRectF(self.rect()).adjusted(2.5, 2.5, -2.5, -2.5)
        ground = tokens.ink if self._filled else tokens.surface
        ink = tokens.on_ink if self._filled else tokens.text
        if not self.isEnabled():
            ground = tokens.selected if self._filled else tokens.surface
            ink = mix(tokens.third, tokens.surface, 0.35)
        elif self.isDown() or self.underMouse():
            ground = mix(ground, tokens.text if not self._filled else tokens.surface, 0.1)
        painter.setPen(Qt.PenStyle.NoPen if self._filled else QPen(QColor(tokens.border), 1))
        painter.setBrush(QColor(ground))
        painter.drawEllipse(disc)
        side = disc.width() * 0.46
        middle = disc.center()
        place = QRectF(middle.x() - side / 2, middle.y() - side / 2, side, side)
        paint_icon(painter, self._icon, place, ink)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(tokens.link), 2))
            painter.drawEllipse(QRectF(self.rect()).adjusted(1, 1, -1, -1))


class SpeedSlider(LogSlider):
    """The slider with its powers of ten in short: ``1 k``, ``10 k``, ``1 M``."""

    def _paint_decades(self, painter: QPainter, middle: int) -> None:
        tokens = theme()
        painter.setFont(font(10))
        metrics = painter.fontMetrics()
        edge = -1e9
        powers = range(round(self._low), round(self._high) + 1)
        last = self._decade(powers[-1])
        most = self.width() - metrics.horizontalAdvance(last)
        for power in powers:
            x = self._x_of_value(10.0**power)
            painter.setPen(QPen(QColor(tokens.border), 1))
            painter.drawLine(QPointF(x, middle + 10), QPointF(x, middle + 13))
            text = self._decade(power)
            wide = metrics.horizontalAdvance(text)
            left = min(max(0.0, x - wide / 2), self.width() - wide)
            crowded = power != powers[-1] and left + wide > most - 4
            if left < edge + 5 or crowded:
                continue
            edge = left + wide
            painter.setPen(QColor(tokens.second))
            painter.drawText(QPointF(left, middle + px(24)), text)

    @staticmethod
    def _decade(power: int) -> str:
        return ("1", "10", "100")[power % 3] + ("", " k", " M")[power // 3]


class Transport(QWidget):
    """The bar over the Deploy page."""

    play_clicked = Signal()
    end_clicked = Signal()
    step_clicked = Signal()
    chunk_clicked = Signal()
    restart_clicked = Signal()
    faults_clicked = Signal()
    settings_clicked = Signal()

    def __init__(self, session: Session, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        set_height(self, HEIGHT)
        self.play = RoundButton(
            "play-fill", "Play", "Replay the stream.\nSpace", size=42, filled=True
        )
        self.step = RoundButton("skip-forward", "Step one row", "Replay one row, then pause.\nF8")
        self.chunk = RoundButton(
            "fast-forward", "Step one chunk", "Replay one chunk of rows, then pause.\nShift+F8"
        )
        self.restart = RoundButton(
            "stop-fill",
            "Stop",
            "Go back to the deployment point; what you changed stays in the journal and happens "
            "again at its rows.\nCtrl+Shift+Backspace",
        )
        for button, signal in (
            (self.play, self.play_clicked),
            (self.step, self.step_clicked),
            (self.chunk, self.chunk_clicked),
            (self.restart, self.restart_clicked),
        ):
            button.clicked.connect(signal)
        self.mode = SegmentedControl(
            "Speed",
            [
                ("rows", "rows/s", "So many rows a second."),
                ("time", "× real time", "So many times as fast as the events really came."),
                ("max", "max", "As fast as the lanes can."),
            ],
            changed=self._mode_chosen,
        )
        self.rate = NumberField(
            "Speed",
            "Rows per second, or times real time. Enter sets it.",
            value=1000,
            minimum=0.1,
            maximum=1e7,
            log=True,
            committed=self._rate_typed,
        )
        self.sliders = {
            mode: SpeedSlider(
                "Speed",
                f"{'Rows per second' if mode == 'rows' else 'Times real time'}, by powers of ten.",
                minimum=low,
                maximum=high,
                value=1000,
                changed=self._rate_dragged,
            )
            for mode, (low, high) in _RANGES.items()
        }
        self._tight = 0
        self._fitted: object = None
        self._rates = {"rows": 1000.0, "time": 3600.0}
        self.position = Label("0", 32, 600)
        self.of_rows = Label("", 13, 400, "second")
        self.date = ElidedLabel("", 12, 500, "second")
        self.speed = StatFigure("–", "actual speed", size=16, tip="Rows replayed each second, now.")
        self.left = StatFigure("–", "to the end", size=16, tip="At the actual speed.")
        self.to_end = PlainButton(
            "Run to the end",
            "Replay all rows that are left as fast as the lanes can, and come to the verdict.\n"
            "Shift+F5",
            icon="fast-forward-circle",
            clicked=self.end_clicked.emit,
        )
        self.faults = PlainButton(
            "What if",
            "Let something go wrong: wrong labels, missing values, an outage, drift … from the "
            "next row on, and see which lanes get over it.\nCtrl+I",
            icon="lightning",
            clicked=self.faults_clicked.emit,
        )
        self.settings = IconButton(
            "sliders-horizontal",
            "Settings of the replay",
            "How drift is watched, when labels arrive, and what things cost.",
            outlined=True,
            clicked=self.settings_clicked.emit,
        )
        self._build()
        self.show_state()

    def _build(self) -> None:
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(px(8), 0, px(8), 0)
        row.setSpacing(px(8))
        for button in (self.play, self.step, self.chunk, self.restart):
            row.addWidget(button)
        row.addSpacing(px(6))
        self._rule = Rule(vertical=True)
        self._rule.setFixedHeight(px(36))
        row.addWidget(self._rule)
        row.addSpacing(px(6))
        self._speed_label = Label("Speed", 12, 400, "second")
        row.addWidget(self._speed_label)
        row.addWidget(self.mode)
        for slider in self.sliders.values():
            row.addWidget(slider)
        row.addWidget(self.rate)
        row.addSpacing(px(10))
        self._words = words = QVBoxLayout()
        words.setSpacing(0)
        words.addStretch(1)
        self._top = top = QHBoxLayout()
        top.setSpacing(px(10))
        top.addWidget(self.position)
        top.addWidget(self.of_rows, 0, Qt.AlignmentFlag.AlignBottom)
        top.addStretch(1)
        self.of_rows.setContentsMargins(0, 0, 0, px(5))
        words.addLayout(top)
        words.addWidget(self.date)
        words.addStretch(1)
        row.addLayout(words, 1)
        for figure in (self.speed, self.left):
            figure.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        row.addWidget(self.speed)
        row.addWidget(self.left)
        row.addWidget(self.to_end)
        row.addWidget(self.faults)
        row.addWidget(self.settings)
        # Whatever it shows now: else no window could become narrow.
        self.setMinimumWidth(px(LEAST))

    # ------------------------------------------------------------------ room

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "_top"):
            self.fit()

    def fit(self) -> None:
        """Leave out, the lesser things first, what there is no room for; numbers stay whole.

        Room is kept for the greatest number that the position can become, and for what is shown
        while it plays as well as before, so that nothing moves when the replay begins.
        """
        live = self.session.deployment
        stop = 0 if live is None else live.stop
        key = (self.width(), stop, px(100), bool(self.date.text()), self.font().key())
        if key == self._fitted:
            return
        self._fitted = key
        wide = QFontMetrics(font(16, 600)).horizontalAdvance("8,880,000 /s")
        for figure in (self.speed, self.left):
            figure.setMinimumWidth(wide)
        digits = self.rate.fontMetrics().horizontalAdvance("1,000,000")
        self.rate.setFixedWidth(digits + px(36))
        for tight in range(_TIGHTEST + 1):
            self._tighten(tight, stop)
            if self._least() <= self.width():
                break
        self.setMinimumWidth(px(LEAST))
        self._show_figures()
        self.show_numbers()

    def _tighten(self, tight: int, stop: int) -> None:
        """Leave out so many of the lesser things."""
        self._tight = tight
        self._speed_label.setVisible(tight < 1)
        for slider in self.sliders.values():
            slider.setFixedWidth(px(170 if tight < 2 else 110))
        set_font(self.position, 32 if tight < 5 else 24, 600)
        widest = count_text(stop).translate(_EIGHTS)
        self.position.setMinimumWidth(self.position.fontMetrics().horizontalAdvance(widest))
        self.of_rows.setText(self._of_rows(stop))
        self._say(self.to_end, _TO_END[min(2, (tight >= 6) + (tight >= 11))], "fast-forward-circle")
        self._show_sliders()
        self.of_rows.setVisible(tight < 8)
        self._say(self.faults, "What if" if tight < 10 else "", "lightning")
        self.mode.button("time").setText(_TIME[tight >= 9])
        dated = self.date.fontMetrics().horizontalAdvance(self._date_words()) if stop else 0
        self.date.setMinimumWidth(max(24, dated + 4))

    @staticmethod
    def _say(button: PlainButton, text: str, icon: str) -> None:
        if text != button.text():
            button.setText(text)
            button.set_icon(icon)

    def _least(self) -> int:
        """Return how wide it must be for what it shows, before it plays and while it does."""
        found = 0
        for playing in (True, False):
            self.to_end.setVisible(not playing)
            self.left.setVisible(playing)
            self.speed.setVisible(playing and self._tight < 3)
            for layout in (self._top, self._words, self._row):
                layout.invalidate()
            found = max(found, self._row.minimumSize().width())
        return found

    def _date_words(self) -> str:
        """Return when the present row came; without its weekday where it is narrow."""
        live = self.session.deployment
        if live is None:
            return ""
        when = live.time_ns if live.time_ns is not None else live.time_at(live.position)
        words = full_date(when)
        return words if self._tight < 9 else words.partition(" ")[2]

    def _of_rows(self, stop: int) -> str:
        if not stop:
            return ""
        if self._tight >= 4 and stop >= 100_000:
            return f"of {short_texts([stop])[0]}"
        return f"of {count_text(stop)} rows"

    # ------------------------------------------------------------------ speed

    def _mode_chosen(self, mode: str) -> None:
        self._show_speed_mode()
        self._send(self._rates.get(mode, 1000.0))

    def _rate_typed(self, value: float) -> None:
        mode = self.mode.current()
        if mode in self.sliders:
            self._rates[mode] = value
            self.sliders[mode].set_real(value)
        self._send(value)

    def _rate_dragged(self, value: float) -> None:
        self._rates[self.mode.current()] = value
        self.rate.set_number(value)
        self._send(value)

    def _send(self, rate: float) -> None:
        mode: SpeedMode = self.mode.current()  # type: ignore[assignment]
        self.session.set_speed(mode, rate)

    def _show_speed_mode(self) -> None:
        mode = self.mode.current()
        self._show_sliders()
        self.rate.setEnabled(mode != "max")
        if mode in self._rates:
            self.rate.set_number(self._rates[mode])

    def _show_sliders(self) -> None:
        mode = self.mode.current()
        for key, slider in self.sliders.items():
            shown = key == (mode if mode != "max" else "rows")
            slider.setVisible(shown and self._tight < 7)
            slider.setEnabled(mode != "max")

    # ------------------------------------------------------------------ showing

    def show_state(self) -> None:
        """Show what can be pressed, and the speed that was set."""
        live = self.session.deployment
        ready = live is not None and not live.lost
        if live is not None:
            if live.speed_mode in self._rates:
                self._rates[live.speed_mode] = live.speed_rate
            if self.mode.current() != live.speed_mode:
                self.mode.set_current(live.speed_mode)
            for key, slider in self.sliders.items():
                if not slider.isSliderDown() and slider.real() != self._rates[key]:
                    slider.set_real(self._rates[key])
            timed = len(live.times_ns) > 0
            self.mode.set_reason(
                "time",
                None if timed else "There is no time column.",
                "So many times as fast as the events really came.",
            )
        if not self.rate.hasFocus():
            self._show_speed_mode()
        else:
            self.rate.setEnabled(self.mode.current() != "max")
        playing = live is not None and live.playing
        finished = live is not None and live.position >= live.stop
        if playing:
            self.play.set_icon("pause-fill", "Pause", "Stop at the next row.\nSpace")
        else:
            self.play.set_icon("play-fill", "Play", "Replay the stream.\nSpace")
        busy = self.session.job_of("seek", "lane", "deploy") is not None
        self.play.setEnabled(ready and not finished)
        self.step.setEnabled(ready and not finished and not busy)
        self.chunk.setEnabled(ready and not finished and not busy)
        self.faults.setEnabled(ready)
        self.restart.setEnabled(ready and live is not None and live.started and not busy)
        self.to_end.setEnabled(not busy)
        self._show_figures()
        self.show_numbers()

    def _show_figures(self) -> None:
        """Tell how fast it goes and what is left while it plays; before, the way not to wait."""
        live = self.session.deployment
        playing = live is not None and live.playing
        waits = live is not None and not live.lost and not playing and live.position < live.stop
        self.to_end.setVisible(waits)
        self.left.setVisible(playing)
        self.speed.setVisible(playing and self._tight < 3)

    def show_numbers(self) -> None:
        """Show where the replay is."""
        live = self.session.deployment
        if live is None:
            self.position.setText("–")
            self.of_rows.setText("")
            self.date.setText("")
            self.speed.set_value("–")
            self.left.set_value("–")
            return
        self.position.setText(count_text(live.position))
        self.position.setAccessibleName(f"Row {count_text(live.position)}")
        self.of_rows.setText(self._of_rows(live.stop))
        words = self._date_words()
        if live.busy:
            words = live.busy
        elif live.position >= live.stop:
            told = "end of what is read" if live.coming else "end of the stream"
            words = f"{words} · {told}" if words else told.capitalize()
        self.date.setText(words)
        self.date.setVisible(bool(words))
        rate = live.rows_per_second if live.playing else 0.0
        self.speed.set_value(f"{short_number(rate, 3)} /s" if rate > 0 else "–")
        rest = (live.stop - live.position) / rate if rate > 0 else float("nan")
        self.left.set_value(duration_text(rest) if rest == rest else "–")
        self.fit()
