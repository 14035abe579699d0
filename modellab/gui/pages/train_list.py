"""The list of trainings: which learner, how good, against which baseline, which one goes live."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QAbstractListModel,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from modellab.gui.kit import describe, duration_text, short_number, tip_text
from modellab.gui.pages.report_facts import headline
from modellab.gui.theme import font, px, theme

if TYPE_CHECKING:
    from modellab.experiment import Experiment, LearnerSpec
    from modellab.gui.pages.text_model import Index
    from modellab.gui.session_training import Training

TRAINING_ROLE = Qt.ItemDataRole.UserRole
STALE_ROLE = Qt.ItemDataRole.UserRole + 1


def settings_text(learner: LearnerSpec) -> str:
    """What of a learner is not as usual, in a line."""
    if not learner.params:
        return "usual settings"
    parts = []
    for key, value in learner.params.items():
        shown = short_number(float(value)) if isinstance(value, int | float) else str(value)
        if isinstance(value, bool):
            shown = "on" if value else "off"
        parts.append(f"{key.replace('_', ' ')} {shown}")
    return ", ".join(parts)


class TrainingModel(QAbstractListModel):
    """Trainings, newest first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: list[tuple[Training, bool]] = []

    def set_trainings(self, trainings: list[Training], experiment: Experiment | None) -> bool:
        """Show other trainings; returns whether rows came or went."""
        new = [(t, t.stale(experiment)) for t in reversed(trainings)]
        if [t.id for t, _ in new] != [t.id for t, _ in self._shown]:
            self.beginResetModel()
            self._shown = new
            self.endResetModel()
            return True
        self._shown = new
        if new:
            self.dataChanged.emit(self.index(0), self.index(len(new) - 1))
        return False

    def row_of(self, training: Training | None) -> int | None:
        """Row of a training."""
        return next((i for i, (t, _) in enumerate(self._shown) if t is training), None)

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        training, stale = self._shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return training.name
        if role == TRAINING_ROLE:
            return training
        if role == STALE_ROLE:
            return stale
        head = headline(training.report)
        told = (
            f"{training.name}\n{settings_text(training.learner)}\n"
            f"{head.words}\n{training.result.rows:,} rows trained on"
        )
        if stale:
            told += "\nThe data or the split were changed since: train it again to compare."
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_text(told)
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return told
        return None


class TrainingDelegate(QStyledItemDelegate):
    """Paints one training as a small card."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(px(220), px(66))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        tokens = theme()
        training, stale = index.data(TRAINING_ROLE), index.data(STALE_ROLE)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        focus = bool(option.state & QStyle.StateFlag.State_HasFocus)
        colour, _ = tokens.lane_style(training.index)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(option.rect).adjusted(2.5, 2.5, -2.5, -3.5)
        edge = tokens.link if chosen and focus else colour if chosen else tokens.hairline
        painter.setPen(QPen(QColor(edge), 1.5 if chosen else 1.0))
        painter.setBrush(QColor(tokens.tint(colour) if chosen else tokens.surface))
        painter.drawRoundedRect(box, 7, 7)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(
            QRectF(box.left() + px(11), box.top() + px(12), px(11), px(11)), 3, 3
        )
        left = round(box.left()) + px(30)
        self._words(
            painter,
            training,
            stale,
            QRect(left, round(box.top()), round(box.right()) - left - px(11), round(box.height())),
        )
        painter.restore()

    def _words(self, painter: QPainter, training: Training, stale: bool, box: QRect) -> None:
        tokens = theme()
        head = headline(training.report)
        faint = tokens.third if stale else tokens.text
        right = Qt.AlignmentFlag.AlignRight
        painter.setFont(font(16, 600))
        painter.setPen(QColor(faint))
        wide = painter.fontMetrics().horizontalAdvance(head.value)
        painter.drawText(
            QRect(box.right() - wide - 2, box.top() + px(7), wide + 4, px(22)), right, head.value
        )
        painter.setFont(font(13, 600))
        metrics = painter.fontMetrics()
        name = metrics.elidedText(
            training.name, Qt.TextElideMode.ElideRight, box.width() - wide - px(10)
        )
        painter.drawText(QPointF(box.left(), box.top() + px(10) + metrics.ascent()), name)
        painter.setFont(font(12))
        metrics = painter.fontMetrics()
        painter.setPen(QColor(tokens.second))
        told = "stale: data or split changed" if stale else settings_text(training.learner)
        against = head.against
        used = metrics.horizontalAdvance(against)
        line = box.top() + px(33) + metrics.ascent()
        if head.better is not None and not stale:
            painter.setPen(QColor(tokens.ok if head.better else tokens.warning))
        painter.drawText(QPointF(box.right() - used, line), against)
        painter.setPen(QColor(tokens.second))
        if stale:
            painter.setPen(QColor(tokens.warning))
        when = time.strftime("%H:%M", time.localtime(training.when))
        shown = f"{when} · {duration_text(training.result.fit_seconds)} · {told}"
        shown = metrics.elidedText(shown, Qt.TextElideMode.ElideRight, box.width() - used - px(10))
        painter.drawText(QPointF(box.left(), line), shown)


class TrainingList(QListView):
    """Trainings; the current one is the one that Test shows and Deploy takes live."""

    chosen = Signal(int)
    """The person chose the training of this id."""
    removed = Signal(int)
    """The person wants the training of this id out of the list."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        describe(
            self,
            "Trainings",
            "Every model trained so far. The chosen one is shown on Test and goes live on Deploy. "
            "Delete takes one out of the list.",
        )
        self.setToolTip("")
        self.model_of = TrainingModel(self)
        self.setModel(self.model_of)
        self.setItemDelegate(TrainingDelegate(self))
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.selectionModel().currentChanged.connect(self._current)
        self._quiet = False

    def show_trainings(
        self, trainings: list[Training], chosen: Training | None, experiment: Experiment | None
    ) -> None:
        """Show the trainings with one of them chosen."""
        self._quiet = True
        self.model_of.set_trainings(trainings, experiment)
        row = self.model_of.row_of(chosen)
        if row is not None and self.currentIndex().row() != row:
            self.setCurrentIndex(self.model_of.index(row))
        self._quiet = False

    def _current(self, index: Index, _before: Index) -> None:
        training = index.data(TRAINING_ROLE)
        if training is not None and not self._quiet:
            self.chosen.emit(training.id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        training = self.currentIndex().data(TRAINING_ROLE)
        if event.key() == Qt.Key.Key_Delete and training is not None:
            self.removed.emit(training.id)
            return
        super().keyPressEvent(event)
