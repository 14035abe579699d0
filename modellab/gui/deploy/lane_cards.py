"""The lane cards: who runs, how well, what it costs; selected, hidden, edited from here."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtGui import QPen as Pen
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from modellab.gui.deploy.rollback_dialog import why_no_rollback
from modellab.gui.deploy.words import (
    chip_kind,
    difference_text,
    error_text,
    error_unit,
    guard_words,
    lane_style,
    lane_words,
    notes_words,
    task_of,
    work_words,
)
from modellab.gui.kit import (
    ElidedLabel,
    FigureLabel,
    IconButton,
    IconLabel,
    Label,
    LaneChip,
    Pill,
    SparkLine,
    count_text,
    describe,
    tip_text,
)
from modellab.gui.theme import icon as themed_icon
from modellab.gui.theme import px, set_font, theme

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.gui.session import Session
    from modellab.gui.session_deployment import LaneView

SPARK_WIDTH = 88
TURNS = 4
_SPARK_ROWS = 0.25
"""Share of the rows so far that the small curve shows."""


class LaneCard(QFrame):
    """One lane. Baselines are smaller and dashed."""

    chosen = Signal(str)
    hidden_changed = Signal(str, bool)
    menu_wanted = Signal(str, object)

    def __init__(self, lane: LaneView, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = lane.name
        self.baseline = lane.baseline
        self._selected = False
        self._faint = False
        self._colour = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.chip = LaneChip(lane_style(lane)[0], chip_kind(lane))
        self.title = ElidedLabel(lane.name, 13 if lane.baseline else 14, 600)
        self.best = Pill("best", tip="The least error of the lanes now.")
        self.eye = IconButton(
            "eye",
            f"Hide {lane.name}",
            "Leave this lane out of the plots; it runs on.",
            size=24,
            clicked=lambda: self.hidden_changed.emit(self.name, not self._faint),
        )
        self.more = IconButton(
            "dots-three-vertical",
            f"More for {lane.name}",
            "Edit, duplicate, fork, roll back or remove this lane.",
            size=24,
        )
        self.more.clicked.connect(lambda: self._ask_menu(self.more))
        self.words = ElidedLabel("", 12, 400, "second")
        self.error = FigureLabel("–", 14 if lane.baseline else 20, 600)
        self.difference = FigureLabel("", 12, 500, "second")
        self.spark = SparkLine(name=f"Error of {lane.name} lately", end_dot=True)
        self.spark.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.spark.setFixedSize(px(SPARK_WIDTH), px(26))
        self.work = ElidedLabel("", 11, 400, "second")
        self.notes = ElidedLabel("", 11, 500, "second")
        self.shield = IconLabel("shield-check", role="second")
        self.status = ElidedLabel("", 12, 500, "warning")
        self._build()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(px(12), px(7), px(6), px(8))
        column.setSpacing(px(1))
        top = QHBoxLayout()
        top.setSpacing(px(8))
        top.addWidget(self.chip)
        top.addWidget(self.title, 1)
        if self.baseline:
            top.addWidget(self.error)
            top.addWidget(self.eye)
            self.more.setParent(self)
            self.more.hide()
            for label in (
                self.best,
                self.shield,
                self.difference,
                self.spark,
                self.work,
                self.notes,
                self.status,
            ):
                label.setParent(self)
                label.hide()
            column.addLayout(top)
            row = QHBoxLayout()
            row.addSpacing(px(24))
            row.addWidget(self.words, 1)
            column.addLayout(row)
            return
        top.addWidget(self.shield)
        top.addWidget(self.best)
        top.addWidget(self.eye)
        top.addWidget(self.more)
        column.addLayout(top)
        inner = QVBoxLayout()
        inner.setContentsMargins(px(20), 0, px(6), 0)
        inner.setSpacing(px(1))
        inner.addWidget(self.words)
        middle = QHBoxLayout()
        middle.setSpacing(px(8))
        middle.addWidget(self.error)
        middle.addWidget(self.difference)
        middle.addStretch(1)
        middle.addWidget(self.spark)
        inner.addLayout(middle)
        inner.addWidget(self.work)
        inner.addWidget(self.notes)
        inner.addWidget(self.status)
        column.addLayout(inner)
        for label in (self.best, self.shield, self.notes, self.status):
            label.hide()

    def selected(self) -> bool:
        """Return whether this is the selected lane."""
        return self._selected

    def show_lane(
        self,
        lane: LaneView,
        *,
        selected: bool,
        best: LaneView | None,
        task: str,
        whole: bool = True,
    ) -> None:
        """Show the lane as it is now; not `whole`: without what it has done so far."""
        colour, dash = lane_style(lane)
        if (selected, lane.hidden, colour) != (self._selected, self._faint, self._colour):
            self._selected, self._faint, self._colour = selected, lane.hidden, colour
            self.chip.set_colour(colour)
            self.best.set_colour(colour)
            self.spark.set_style(colour, dash)
            words = ("Show", "eye-slash") if lane.hidden else ("Hide", "eye")
            self.eye.set_icon(words[1])
            describe(
                self.eye,
                f"{words[0]} {lane.name}",
                "Draw this lane again."
                if lane.hidden
                else "Leave this lane out of the plots; it runs on.",
            )
            for label in (self.title, self.error):
                label.set_tone("third" if lane.hidden else "")
            self.update()
        error = lane.news.error if lane.news is not None else None
        _set(self.words, lane_words(lane) + (" · hidden" if lane.hidden and lane.baseline else ""))
        _set(self.error, error_text(error, task))
        self._name_it(lane, error, task)
        if lane.baseline:
            return
        is_best = best is not None and best.name == lane.name
        self.best.setVisible(is_best)
        gap = ""
        if best is not None and not is_best and error is not None and best.news is not None:
            gap = difference_text(error - (best.news.error or 0.0), task)
        _set(self.difference, gap)
        if whole:
            _set(self.work, work_words(lane))
        notes, at_length = notes_words(lane)
        if notes != self.notes.text():
            self.notes.setText(notes)
            self.notes.set_tip(at_length)
        self.notes.setVisible(bool(notes))
        guard = lane.spec.guard
        self.shield.setVisible(guard is not None)
        if guard is not None:
            self.shield.setToolTip(tip_text(guard_words(guard)))
        status = lane.news.status if lane.news is not None else ""
        if lane.news is not None and lane.news.down:
            status = f"Down: the baseline answers. {status}".strip()
        _set(self.status, status)
        self.status.setVisible(bool(status))

    def _name_it(self, lane: LaneView, error: float | None, task: str) -> None:
        kind = "Baseline" if lane.baseline else "Lane"
        name = f"{kind} {lane.name}, {error_unit(task)} {error_text(error, task)}"
        if name != self.accessibleName():
            self.setAccessibleName(name)
            self.setAccessibleDescription(lane_words(lane))

    def show_spark(self, lane: LaneView) -> None:
        """Show the error of the last quarter of the rows so far."""
        curve = lane.curves.get("error")
        if self.baseline or curve is None or not self.spark.isVisibleTo(self):
            return
        rows = max(1, int(len(curve) * _SPARK_ROWS)) if len(curve) > 80 else len(curve)
        values = curve.mean[-rows:]
        if len(values) > SPARK_WIDTH:
            usable = len(values) // SPARK_WIDTH * SPARK_WIDTH
            tail = values[-usable:].reshape(SPARK_WIDTH, -1)
            good = np.isfinite(tail)
            sums = np.where(good, tail, 0.0).sum(axis=1)
            counts = good.sum(axis=1)
            values = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        self.spark.set_values(values)

    # ------------------------------------------------------------------ by hand

    def _ask_menu(self, at: QWidget) -> None:
        self.menu_wanted.emit(self.name, at.mapToGlobal(QPoint(0, at.height())))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self.baseline:
            self.chosen.emit(self.name)
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if not self.baseline:
            self.menu_wanted.emit(self.name, event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not self.baseline:
            self.chosen.emit(self.name)
        elif key == Qt.Key.Key_H:
            self.hidden_changed.emit(self.name, not self._faint)
        elif key == Qt.Key.Key_Menu and not self.baseline:
            self._ask_menu(self)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: object) -> None:
        self.update()

    def focusOutEvent(self, event: object) -> None:
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        if self._selected:
            painter.setBrush(QColor(tokens.tint(self._colour)))
            painter.setPen(Pen(QColor(self._colour), 1.5))
        else:
            painter.setBrush(QColor(tokens.surface))
            painter.setPen(Pen(QColor(tokens.hairline), 1))
        painter.drawRoundedRect(box, 8, 8)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(Pen(QColor(tokens.link), 2))
            painter.drawRoundedRect(box, 8, 8)


class AddLaneButton(QPushButton):
    """The dashed place at the end of the list where another lane can go."""

    def __init__(self, clicked: Callable[[], object]) -> None:
        super().__init__("Add lane")
        self.setProperty("kind", "quiet")
        set_font(self, 13, 500)
        self.setIcon(themed_icon("plus", "second"))
        self.setIconSize(QSize(px(20), px(14)))
        self.setMinimumHeight(px(36))
        describe(self, "Add lane", "Run another learner or policy on the same rows.\nCtrl+L")
        self.clicked.connect(lambda: clicked())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = Pen(QColor(theme().border), 1.3)
        pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)
        painter.end()
        super().paintEvent(event)


def _set(label: Label, text: str) -> None:
    if label.text() != text:
        label.setText(text)


class _Cards(QScrollArea):
    """As high as the cards in it where there is room; else they scroll."""

    def __init__(self, inside: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._inside = inside
        self.setWidget(inside)

    def sizeHint(self) -> QSize:
        return self._inside.sizeHint()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().event(event)


class LaneList(QWidget):
    """All cards, with a heading; forwards what is done to them."""

    edit_wanted = Signal(str)
    fork_wanted = Signal(str)
    rollback_wanted = Signal(str)
    add_wanted = Signal()

    def __init__(self, session: Session, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.cards: dict[str, LaneCard] = {}
        self._order: list[str] = []
        self._sparks = True
        self._beat = 0
        self.heading = Label("Lanes", 14, 600)
        self.caption = ElidedLabel("", 12, 400, "second")
        self.head = QHBoxLayout()
        self.head.setContentsMargins(px(2), 0, 0, 0)
        self.head.setSpacing(px(10))
        self.head.addWidget(self.heading)
        self.head.addWidget(self.caption, 1)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, px(2), 0)
        self._column.setSpacing(px(8))
        self._column.addStretch(1)
        self.add = AddLaneButton(self.add_wanted.emit)
        self.area = _Cards(inside)
        self.area.setAccessibleName("Lanes")
        self.area.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(6))
        column.addLayout(self.head)
        column.addWidget(self.area)
        # Under the list, not in it: however many lanes there are, it is in sight.
        foot = QHBoxLayout()
        foot.setContentsMargins(0, 0, px(2), 0)
        foot.addWidget(self.add)
        column.addLayout(foot)
        column.addStretch(1)

    def set_sparks(self, shown: bool) -> None:
        """Show the small curves, or leave them out on a narrow window."""
        if shown != self._sparks:
            self._sparks = shown
            for card in self.cards.values():
                if not card.baseline:
                    card.spark.setVisible(shown)

    def structure_changed(self) -> None:
        """Lanes came, went, were renamed, selected or hidden."""
        live = self.session.deployment
        lanes = dict(live.lanes) if live is not None else {}
        wanted = list(lanes)
        for name in [n for n in self.cards if n not in lanes or self._stale(n, lanes[n])]:
            card = self.cards.pop(name)
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        for name, lane in lanes.items():
            if name not in self.cards:
                self.cards[name] = self._card(lane)
        if wanted != self._order or self._column.count() != len(wanted) + 1:
            self._order = wanted
            for at, name in enumerate(wanted):
                self._column.removeWidget(self.cards[name])
                self._column.insertWidget(at, self.cards[name])
            for earlier, later in itertools.pairwise(wanted):
                QWidget.setTabOrder(self.cards[earlier], self.cards[later])
        if live is not None:
            _set(
                self.caption,
                f"error now, last {count_text(live.experiment.evaluation.window)} rows",
            )
        job = self.session.job_of("lane")
        self.add.setEnabled(live is not None and not live.lost and job is None)
        self._show_numbers(None)

    def _stale(self, name: str, lane: LaneView) -> bool:
        card = self.cards[name]
        return card.baseline != lane.baseline or card.property("fork") != (lane.fork_of or "")

    def _card(self, lane: LaneView) -> LaneCard:
        card = LaneCard(lane, parent=self.area.widget())
        card.setProperty("fork", lane.fork_of or "")
        card.chosen.connect(self.session.select_lane)
        card.hidden_changed.connect(self.session.hide_lane)
        card.menu_wanted.connect(self._menu)
        if not lane.baseline:
            card.spark.setVisible(self._sparks)
        card.show()
        return card

    def numbers_changed(self) -> None:
        """Show the present errors; while rows run by, all else of a few cards at a time."""
        live = self.session.deployment
        self._beat = (self._beat + 1) % TURNS
        self._show_numbers(None if live is None or not live.playing else self._beat)

    def _show_numbers(self, turn: int | None) -> None:
        live = self.session.deployment
        if live is None:
            return
        best, task = live.best(), task_of(self.session)
        for number, (name, card) in enumerate(self.cards.items()):
            lane = live.lanes.get(name)
            if lane is not None:
                whole = turn is None or (number + turn) % TURNS == 0
                chosen = name == live.selected
                card.show_lane(lane, selected=chosen, best=best, task=task, whole=whole)
                if whole:
                    card.show_spark(lane)

    def menu_for(self, name: str) -> QMenu:
        """Return the menu of a lane."""
        live = self.session.deployment
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        lane = live.lanes.get(name) if live is not None else None
        fork = lane is not None and lane.fork_of is not None
        lost = live is None or live.lost
        playing = "" if not lost else "The engine that ran this replay is gone."
        entries: list[tuple[str, str, str, Callable[[], object], str]] = [
            (
                "Edit…",
                "pencil-simple",
                "Change learner, policy or name; the lane is replayed anew.",
                lambda: self.edit_wanted.emit(name),
                playing or ("A fork goes on from its parent: edit that one." if fork else ""),
            ),
            (
                "Duplicate",
                "copy",
                "Add a copy, replayed from the deployment point up to here.",
                lambda: self.session.duplicate_lane(name),
                playing,
            ),
            (
                "Fork here…",
                "git-branch",
                "Begin a second lane here with this one's model, to try something else.",
                lambda: self.fork_wanted.emit(name),
                playing,
            ),
            (
                "Roll back…",
                "arrow-counter-clockwise",
                "Make its model again what it was at an earlier row.",
                lambda: self.rollback_wanted.emit(name),
                why_no_rollback(self.session, name) or "",
            ),
            (
                "Hide" if lane is None or not lane.hidden else "Show",
                "eye-slash" if lane is None or not lane.hidden else "eye",
                "Leave the lane out of the plots, or draw it again; it runs on.",
                lambda: self.session.hide_lane(name, not (lane is not None and lane.hidden)),
                "",
            ),
            (
                "Remove",
                "trash",
                "Take the lane out, with its changes; undo brings it back.",
                lambda: self.session.remove_lane(name),
                playing,
            ),
        ]
        for title, picture, tip, act, why in entries:
            if title == "Remove":
                menu.addSeparator()
            entry = menu.addAction(themed_icon(picture, "second"), title)
            entry.setToolTip(tip_text(f"{tip}\n{why}".strip()))
            entry.setEnabled(not why)
            entry.triggered.connect(lambda _=False, act=act: act())
        return menu

    def _menu(self, name: str, at: QPoint) -> None:
        menu = self.menu_for(name)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)
