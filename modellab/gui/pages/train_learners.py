"""The list of learners to choose from: grouped, each with its story, and why not where not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractListModel, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from modellab.gui.kit import describe, tip_text
from modellab.gui.theme import font, px, theme

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modellab.gui.pages.text_model import Index
    from modellab.learners.base import CatalogueEntry

KIND_ROLE = Qt.ItemDataRole.UserRole
ITEM_ROLE = Qt.ItemDataRole.UserRole + 1

BATCH, BOTH, STREAM = "Learn once, from all rows", "Can go on learning", "Made for streams"
STREAM_FAMILIES = {"compiled", "river"}


@dataclass(frozen=True)
class Item:
    """A line of the list: a group's heading (`entry` None) or a learner."""

    text: str
    entry: CatalogueEntry | None = None
    why_not: str = ""


def why_not(entry: CatalogueEntry, task: str, chunks: bool) -> str:
    """Why a learner cannot be trained now, as a sentence; empty when it can."""
    if task not in entry.tasks:
        return sentence(entry.why_not.get(task, f"it does no {task}."))
    if chunks and not entry.chunks:
        reason = sentence(entry.why_not.get("chunks", "it needs all rows at once."))
        return f"{reason} Train it in memory, on a sample if need be (Data page)."
    return ""


def sentence(text: str) -> str:
    """Return a reason of the catalogue as a sentence of its own."""
    return text[:1].upper() + text[1:]


def group_of(entry: CatalogueEntry) -> str:
    """The group that a learner is listed in."""
    if entry.family in STREAM_FAMILIES:
        return STREAM
    return BOTH if entry.online else BATCH


def items_for(entries: Iterable[CatalogueEntry], task: str, chunks: bool) -> list[Item]:
    """Lines of the list: groups in order, what can be trained first in each."""
    items: list[Item] = []
    known = [e for e in entries if e.family != "baseline"]
    for group in (BATCH, BOTH, STREAM):
        inside = [Item(e.title, e, why_not(e, task, chunks)) for e in known if group_of(e) == group]
        # What does another task altogether would only be in the way.
        inside = [i for i in inside if i.entry is not None and task in i.entry.tasks]
        if inside:
            items.append(Item(group))
            items.extend(sorted(inside, key=lambda i: bool(i.why_not)))
    return items


class LearnerModel(QAbstractListModel):
    """The list's lines."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[Item] = []

    def set_items(self, items: list[Item]) -> None:
        """Show other lines."""
        if items == self._items:
            return
        self.beginResetModel()
        self._items = items
        self.endResetModel()

    def item(self, row: int) -> Item:
        """Return line `row`."""
        return self._items[row]

    def row_of(self, kind: str) -> int | None:
        """Row of a learner; None when it is not listed."""
        for row, item in enumerate(self._items):
            if item.entry is not None and item.entry.kind == kind:
                return row
        return None

    def first_row(self) -> int | None:
        """Row of the first learner that can be trained."""
        for row, item in enumerate(self._items):
            if item.entry is not None and not item.why_not:
                return row
        return None

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._items)

    def flags(self, index: Index) -> Qt.ItemFlag:
        item = self._items[index.row()]
        if item.entry is None:
            return Qt.ItemFlag.NoItemFlags
        # What cannot be trained can still be looked at: its page says why.
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        item = self._items[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return item.text
        if role == ITEM_ROLE:
            return item
        if item.entry is None:
            return None
        if role == KIND_ROLE:
            return item.entry.kind
        told = "\n".join(part for part in (item.entry.story, item.why_not) if part)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_text(told)
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return told
        return None


class LearnerDelegate(QStyledItemDelegate):
    """Paints a heading, or a learner with its story."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        item = index.data(ITEM_ROLE)
        return QSize(px(200), px(34) if item.entry is None else px(60))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        tokens = theme()
        item = index.data(ITEM_ROLE)
        rect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if item.entry is None:
            painter.setFont(font(12, 500))
            painter.setPen(QColor(tokens.second))
            inner = rect.adjusted(px(10), 0, -px(8), -px(5))
            painter.drawText(inner, Qt.AlignmentFlag.AlignBottom, item.text)
            painter.restore()
            return
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        focus = bool(option.state & QStyle.StateFlag.State_HasFocus)
        over = bool(option.state & QStyle.StateFlag.State_MouseOver)
        box = rect.adjusted(2, 1, -2, -1)
        if chosen or over:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.selected if chosen else tokens.sub))
            painter.drawRoundedRect(box, 6, 6)
        if chosen and focus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(tokens.link), 1.5))
            painter.drawRoundedRect(box, 6, 6)
        self._words(painter, item, box.adjusted(px(10), px(6), -px(8), -px(5)))
        painter.restore()

    def _words(self, painter: QPainter, item: Item, box: QRect) -> None:
        tokens = theme()
        assert item.entry is not None
        out = bool(item.why_not)
        painter.setFont(font(13, 600))
        painter.setPen(QColor(tokens.third if out else tokens.text))
        high = painter.fontMetrics().height()
        title = painter.fontMetrics().elidedText(
            item.text, Qt.TextElideMode.ElideRight, box.width()
        )
        painter.drawText(QRect(box.left(), box.top(), box.width(), high), 0, title)
        painter.setFont(font(12))
        painter.setPen(QColor(tokens.warning if out else tokens.second))
        told = item.why_not or item.entry.story
        rest = QRect(box.left(), box.top() + high, box.width(), box.height() - high)
        lines = two_lines(told, rest.width(), painter)
        painter.drawText(rest, 0, "\n".join(lines))


def two_lines(text: str, width: int, painter: QPainter) -> list[str]:
    """Break `text` into at most two lines of `width` pixels, the second one cut."""
    metrics = painter.fontMetrics()
    words = text.split()
    first = ""
    while words:
        longer = f"{first} {words[0]}".strip()
        if first and metrics.horizontalAdvance(longer) > width:
            break
        first = longer
        words.pop(0)
    second = metrics.elidedText(" ".join(words), Qt.TextElideMode.ElideRight, width)
    return [first, second] if second else [first]


class LearnerList(QListView):
    """The list; arrow keys move, and what is current is chosen."""

    chosen = Signal(str)
    """The person chose the learner of this kind."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        describe(self, "Learners", "What can be trained. The chosen one is described beside.")
        self.setToolTip("")
        self._model = LearnerModel(self)
        self.setModel(self._model)
        self.setItemDelegate(LearnerDelegate(self))
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.selectionModel().currentChanged.connect(self._current)
        self._quiet = False

    def set_items(self, items: list[Item], current: str) -> str | None:
        """Show lines, learner `current` chosen (else the first); returns the chosen kind."""
        self._quiet = True
        self._model.set_items(items)
        row = self._model.row_of(current)
        if row is None:
            row = self._model.first_row()
        if row is not None:
            self.setCurrentIndex(self._model.index(row))
        self._quiet = False
        return None if row is None else str(self._model.index(row).data(KIND_ROLE))

    def choose(self, kind: str) -> None:
        """Choose a learner as if by hand."""
        row = self._model.row_of(kind)
        if row is not None:
            self.setCurrentIndex(self._model.index(row))

    def current_item(self) -> Item | None:
        """Return the chosen line."""
        index = self.currentIndex()
        return index.data(ITEM_ROLE) if index.isValid() else None

    def _current(self, index: Index, _before: Index) -> None:
        kind = index.data(KIND_ROLE)
        if kind and not self._quiet:
            self.chosen.emit(kind)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        # Headings are stepped over.
        row = self.currentIndex().row() + step
        while 0 <= row < self._model.rowCount():
            if self._model.item(row).entry is not None:
                self.setCurrentIndex(self._model.index(row))
                return
            row += step
