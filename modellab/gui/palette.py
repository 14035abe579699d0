"""The command palette: every action of the window, found by typing a few of its letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from modellab.gui.kit.frames import Rule
from modellab.gui.kit.text import Label, describe
from modellab.gui.theme import font, paint_icon, px, set_font, theme

if TYPE_CHECKING:
    from modellab.gui.actions import Action, ActionRegistry

Index = QModelIndex | QPersistentModelIndex
_ROW = 46
_TEXT = Qt.ItemDataRole.DisplayRole
REASON = Qt.ItemDataRole.UserRole
ACTION = Qt.ItemDataRole.UserRole + 1


def match_score(typed: str, text: str) -> float | None:
    """Return how well `typed` is found in `text` (lower is better), or None when it is not.

    The letters must occur in order. Whole words and beginnings of words count most.
    """
    wanted = typed.casefold().split()
    have = text.casefold()
    score = 0.0
    for word in wanted:
        at = have.find(word)
        if at == 0 or (at > 0 and not have[at - 1].isalnum()):
            score += 0.1 * at / (len(have) + 1)
            continue
        if at > 0:
            score += 1.0 + 0.1 * at / len(have)
            continue
        place, first = -1, -1
        for letter in word:
            place = have.find(letter, place + 1)
            if place < 0:
                return None
            first = place if first < 0 else first
        score += 3.0 + (place - first) / len(have)
    return score


class _Commands(QAbstractListModel):
    """The actions that fit what was typed: what can be done now first, the rest with reasons."""

    def __init__(self, registry: ActionRegistry, parent: QObject) -> None:
        super().__init__(parent)
        self._registry = registry
        self._rows: list[tuple[Action, str | None]] = []

    def find(self, typed: str) -> None:
        found: list[tuple[bool, float, int, Action, str | None]] = []
        for place, action in enumerate(self._registry):
            where = action.menu.replace("/", " ")
            score = match_score(typed, action.full_name)
            if score is None:
                score = match_score(typed, f"{where} {action.full_name} {action.tip}")
                if score is None:
                    continue
                score += 5.0
            why = action.enabled()
            found.append((why is not None, score if typed.strip() else 0.0, place, action, why))
        found.sort(key=lambda row: row[:3])
        self.beginResetModel()
        self._rows = [(row[3], row[4]) for row in found]
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = _TEXT) -> Any:
        if not index.isValid():
            return None
        action, why = self._rows[index.row()]
        if role == _TEXT:
            return action.full_name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return action.full_name if why is None else f"{action.full_name}, not now: {why}"
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return action.tip
        if role == REASON:
            return why
        if role == ACTION:
            return action
        return None


class _Row(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(px(200), px(_ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        tokens = theme()
        action, why = index.data(ACTION), index.data(REASON)
        rect = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.selected))
            painter.drawRoundedRect(rect.adjusted(6, 1, -6, -1), 6, 6)
        left = rect.left() + px(18)
        shade = tokens.third if why else tokens.second
        if action.icon:
            side = px(18)
            place = QRectF(left, rect.center().y() - side / 2, side, side)
            paint_icon(painter, action.icon, place, shade)
        left += px(32)
        right = rect.right() - px(18)
        painter.setFont(font(12, 500))
        keys = action.shortcut_text
        if keys:
            wide = painter.fontMetrics().horizontalAdvance(keys)
            painter.setPen(QColor(tokens.third))
            box = QRectF(right - wide, rect.top(), wide, rect.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, keys)
            right -= wide + px(16)
        for text, style, colour, top in (
            (action.full_name, font(13, 500), tokens.third if why else tokens.text, 6),
            (why or action.tip, font(12), tokens.warning if why else tokens.second, 24),
        ):
            painter.setFont(style)
            painter.setPen(QColor(colour))
            shown = painter.fontMetrics().elidedText(
                text, Qt.TextElideMode.ElideRight, int(right - left)
            )
            box = QRectF(left, rect.top() + px(top), right - left, px(18))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.restore()


class CommandPalette(QDialog):
    """Type to find a command, Enter to do it. Commands that cannot be done now say why."""

    def __init__(self, registry: ActionRegistry, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setAccessibleName("Commands")
        self.setWindowTitle("Commands")
        self._registry = registry
        self._model = _Commands(registry, self)
        frame = QFrame(self)
        frame.setProperty("kind", "card")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(0, 0, 0, 6)
        layout.setSpacing(0)
        self.field = QLineEdit()
        """Where the person types."""
        self.field.setPlaceholderText("Search commands")
        self.field.setFrame(False)
        bare = f"border: none; background: transparent; min-height: {px(46)}px;"
        self.field.setStyleSheet(f"QLineEdit, QLineEdit:focus {{ {bare} }}")
        set_font(self.field, 16, 400)
        self.field.setTextMargins(px(10), 0, px(10), 0)
        describe(self.field, "Search commands", "Type part of a command's name, then Enter.")
        self.field.setToolTip("")
        self.list = QListView()
        """The commands found."""
        describe(self.list, "Commands", "Enter does the selected command.")
        self.list.setToolTip("")
        self.list.setModel(self._model)
        self.list.setItemDelegate(_Row(self.list))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._none = Label("No command is called that.", 13, 400, "second")
        self._none.setContentsMargins(px(18), px(12), px(18), px(12))
        layout.addWidget(self.field)
        layout.addWidget(Rule())
        layout.addSpacing(5)
        layout.addWidget(self.list)
        layout.addWidget(self._none)
        self._none.hide()
        self.field.textChanged.connect(self._find)
        self.field.installEventFilter(self)
        self.list.clicked.connect(self._run)
        self.list.entered.connect(self.list.setCurrentIndex)

    def show_over(self) -> None:
        """Open over the upper part of the window, emptied."""
        self.field.clear()
        self._find("")
        parent = self.parentWidget()
        assert parent is not None
        wide = min(px(620), parent.width() - 40)
        self.setFixedSize(wide, min(px(46 + 11 + 9 * _ROW), parent.height() - 90))
        corner = parent.mapToGlobal(parent.rect().topLeft())
        self.move(corner.x() + (parent.width() - wide) // 2, corner.y() + 52)
        self.show()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def _find(self, typed: str) -> None:
        self._model.find(typed)
        found = self._model.rowCount() > 0
        self.list.setVisible(found)
        self._none.setVisible(not found)
        if found:
            self.list.setCurrentIndex(self._model.index(0))
            self.list.scrollToTop()

    def shown(self) -> list[tuple[str, str | None]]:
        """Return ids and reasons of the commands listed now."""
        rows = range(self._model.rowCount())
        indexes = (self._model.index(row) for row in rows)
        return [(index.data(ACTION).id, index.data(REASON)) for index in indexes]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and isinstance(event, QKeyEvent) and self._steer(event):
            return True
        return super().eventFilter(watched, event)

    def _steer(self, event: QKeyEvent) -> bool:
        if event.type() != QEvent.Type.KeyPress:
            return False
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: 8,
            Qt.Key.Key_PageUp: -8,
        }
        key = Qt.Key(event.key())
        if key in steps and self._model.rowCount():
            row = self.list.currentIndex().row() + steps[key]
            row = max(0, min(self._model.rowCount() - 1, row))
            self.list.setCurrentIndex(self._model.index(row))
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._run(self.list.currentIndex())
            return True
        return False

    def _run(self, index: QModelIndex) -> None:
        if not index.isValid():
            return
        action: Action = index.data(ACTION)
        # Closed first: what the command opens must not be closed with the palette.
        self.close()
        self._registry.run(action.id)
