"""The map of learning rates: the error that each of 64 would have made over the training window."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from shiboken6 import isValid

from modellab.gui.deploy.words import error_text, error_unit
from modellab.gui.kit import (
    Label,
    LogSlider,
    ProgressLine,
    QuietButton,
    count_text,
    describe,
    short_number,
)
from modellab.gui.session_rates import KIND, map_key, map_rates, why_no_map
from modellab.gui.theme import font, mix, px, theme

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtCore import QEvent

    from modellab.experiment import Experiment, LearnerSpec
    from modellab.gui.session import Session
    from modellab.gui.session_jobs import Job
    from modellab.replay.data_protocol import RatesMapped

LOW, HIGH = 1e-5, 10.0
_TIP = (
    "How wrong each learning rate would have been over the training window, each row predicted "
    "first and then learned. Click, drag or use the arrows to choose a rate."
)
_BUTTON = "Map of rates"
_BUTTON_TIP = (
    "Try 64 learning rates in one pass over the training window and see which would have done "
    "best. It changes nothing."
)


class RatePlot(LogSlider):
    """Error over learning rate; the present rate is the handle, the best has a mark."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Learning rate", _TIP, minimum=LOW, maximum=HIGH, parent=parent)
        self.task = "classification"
        self.stale = False
        self._rates = np.empty(0)
        self._errors = np.empty(0)
        self._hover: float | None = None

    def set_map(self, found: RatesMapped | None, task: str) -> None:
        """Show these errors; None: none."""
        self.task = task
        self._rates = np.asarray(found.rates if found is not None else (), np.float64)
        self._errors = np.asarray(found.errors if found is not None else (), np.float64)
        best = found.best if found is not None else None
        self.set_mark(best, "" if best is None else f"{short_number(best, 3)} did best.")

    def error_at(self, rate: float) -> float | None:
        """Return the error of the mapped rate that is nearest; None without a map."""
        if not len(self._rates):
            return None
        return float(self._errors[np.argmin(np.abs(np.log(self._rates) - math.log(rate)))])

    def bounds(self) -> tuple[float, float]:
        """Return the errors at the foot and at the top: rates that diverge are cut off."""
        good = self._errors[np.isfinite(self._errors)]
        if not len(good):
            return 0.0, 1.0
        low, middle = float(good.min()), float(np.median(good))
        high = min(float(good.max()), low + 3.0 * max(middle - low, 0.02 * abs(low), 1e-12))
        return low, max(high, low + 1e-12)

    def sizeHint(self) -> QSize:
        return QSize(px(300), px(136))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(200), px(136))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        wide = max(1.0, self._right() - self._left())
        share = min(1.0, max(0.0, (event.position().x() - self._left()) / wide))
        self._hover = 10.0 ** (math.log10(LOW) + share * math.log10(HIGH / LOW))
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = None
        super().leaveEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = mix(tokens.lanes[0], tokens.surface, 0.55) if self.stale else tokens.lanes[0]
        foot = self.height() - px(30)
        box = QRectF(self._left(), px(22), self._right() - self._left(), foot - px(28))
        painter.setPen(QPen(QColor(tokens.hairline), 1))
        for y in (box.top(), box.bottom()):
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
        self._paint_decades(painter, foot - 8)
        low, high = self.bounds()

        def y_of(error: float) -> float:
            share = (error - low) / (high - low) if math.isfinite(error) else 1.0
            return box.bottom() - min(1.0, max(0.0, share)) * box.height()

        places = [
            QPointF(self._x_of_value(float(rate)), y_of(float(error)))
            for rate, error in zip(self._rates, self._errors, strict=True)
        ]
        painter.setPen(QPen(QColor(colour), 1.5))
        painter.drawPolyline(QPolygonF(places))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        for place in places:
            painter.drawEllipse(place, 1.8, 1.8)
        if self._mark is not None:
            x = self._x_of_value(self._mark)
            tip = [QPointF(x - 4.5, box.bottom() + 8), QPointF(x + 4.5, box.bottom() + 8)]
            painter.setBrush(QColor(tokens.second))
            painter.drawPolygon(QPolygonF([*tip, QPointF(x, box.bottom() + 2)]))
        self._paint_here(painter, box, y_of)
        self._paint_words(painter, box, (low, high))

    def _paint_here(self, painter: QPainter, box: QRectF, y_of: Callable[[float], float]) -> None:
        tokens = theme()
        x = self._x_of_value(self.real())
        painter.setPen(QPen(QColor(tokens.text), 1))
        painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
        error = self.error_at(self.real())
        if error is not None:
            place = QPointF(x, y_of(error))
            painter.setPen(QPen(QColor(tokens.link if self.hasFocus() else tokens.text), 2))
            painter.setBrush(QColor(tokens.surface))
            painter.drawEllipse(place, 5.5, 5.5)

    def _paint_words(self, painter: QPainter, box: QRectF, bounds: tuple[float, float]) -> None:
        painter.setFont(font(11, 500))
        painter.setPen(QColor(theme().second))
        low, high = bounds
        metrics = painter.fontMetrics()
        rate = self._hover if self._hover is not None else self.real()
        error = self.error_at(rate)
        told = f"η {short_number(rate, 3)}"
        if error is not None:
            told += f": {error_text(error, self.task) if math.isfinite(error) else 'diverges'}"
        painter.drawText(QPointF(box.left(), px(14)), told)
        top = error_text(high, self.task)
        painter.drawText(QPointF(box.right() - metrics.horizontalAdvance(top), px(14)), top)
        foot = error_text(low, self.task)
        wide = metrics.horizontalAdvance(foot)
        painter.drawText(QPointF(box.right() - wide, box.bottom() - 4), foot)


class RateMapBox(QWidget):
    """The map with its button, progress and words; hidden for learners that have none."""

    rate_chosen = Signal(float)
    """The person chose this rate on the map."""

    def __init__(self, session: Session, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._learner: LearnerSpec | None = None
        self._experiment: Experiment | None = None
        self._key: object = None
        self._found: RatesMapped | None = None
        self._asked = 0
        self._failed = ""
        self.title = Label("Error by learning rate", 13, 600)
        self.button = QuietButton(_BUTTON, _BUTTON_TIP, icon="chart-line", clicked=self.compute)
        self.plot = RatePlot()
        self.plot.value_committed.connect(self._chosen)
        self.progress = ProgressLine()
        self.progress.cancelled.connect(self.cancel)
        self.words = Label("", 12, 400, "second", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(4))
        row = QHBoxLayout()
        row.addWidget(self.title, 1)
        row.addWidget(self.button)
        column.addLayout(row)
        column.addWidget(self.plot)
        column.addWidget(self.progress)
        column.addWidget(self.words)
        self.plot.hide()
        self.progress.hide()
        self._stop = session.subscribe("jobs", self._show_job)
        self.destroyed.connect(self._stop)
        self.hide()

    def found(self) -> RatesMapped | None:
        """Return the map as it is shown."""
        return self._found

    def set_learner(
        self, experiment: Experiment | None, learner: LearnerSpec | None, rate: float | None
    ) -> None:
        """Tell which learner is being set up, on which experiment, at which rate."""
        self._experiment, self._learner = experiment, learner
        self.setVisible(experiment is not None and learner is not None and learner.kind == "linear")
        if rate is not None and rate > 0 and not self.plot.isSliderDown():
            self.plot.set_real(rate)
        self._show()

    def compute(self) -> None:
        """Ask for the map."""
        if self._experiment is None or self._learner is None or self._job() is not None:
            return
        self._failed = ""
        key = map_key(self._experiment, self._learner)
        self._asked = map_rates(
            self.session,
            self._experiment,
            self._learner,
            lambda found: self._take(found, key),
            self._fail,
        ).id
        self._show_job()

    def cancel(self) -> None:
        """Stop computing; a map that was there stays."""
        job = self._job()
        if job is not None:
            self.session.cancel(job)

    def _job(self) -> Job | None:
        job = self.session.job_of(KIND)
        return job if job is not None and job.id == self._asked else None

    def _take(self, found: RatesMapped, key: object) -> None:
        if not isValid(self):  # its dialog was closed meanwhile
            return
        self._found, self._key = found, key
        self.plot.set_map(found, self.session.task_kind)
        self._show()

    def _fail(self, sentence: str) -> None:
        if not isValid(self):
            return
        self._failed = sentence
        self._show()

    def _chosen(self, rate: float) -> None:
        self.rate_chosen.emit(rate)
        self._show()

    def _show_job(self) -> None:
        job = self._job()
        if job is not None:
            if not self.progress.active():
                self.progress.start(job.title)
            self.progress.set_progress(job.fraction, job.text or job.title)
        elif self.progress.active():
            self.progress.finish()
        self._show()

    def _show(self) -> None:
        learner, experiment, found = self._learner, self._experiment, self._found
        if learner is None or experiment is None:
            return
        why = why_no_map(learner) or self.session.why_no_training
        if self._job() is not None:
            why = "It is being computed."
        self.button.set_reason(why, _BUTTON_TIP)
        self.plot.stale = found is not None and map_key(experiment, learner) != self._key
        self.plot.setVisible(found is not None)
        self.plot.update()
        words = self._failed or why_no_map(learner) or ""
        if not words and found is not None:
            words = self._story(found)
        self.words.setText(words)
        self.words.setVisible(bool(words))
        self.words.set_tone("alarm" if self._failed else "second")
        describe(self.plot, "Learning rate", f"{words}\n{_TIP}")

    def _story(self, found: RatesMapped) -> str:
        task = self.session.task_kind
        rows = count_text(found.rows)
        words = f"{error_unit(task)} over the {rows} rows of the training window".capitalize()
        if found.best is not None:
            least = self.plot.error_at(found.best)
            best = error_text(least, task) if least is not None else "–"
            words += f": ▴ {short_number(found.best, 3)} did best ({best})"
        if self.plot.stale:
            return f"{words}. Data or settings were changed since: map again."
        return f"{words}."
