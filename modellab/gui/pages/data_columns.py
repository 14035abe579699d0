"""The table of columns: kind and role can be changed in their cells, the rest is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QAbstractTableModel,
    QPoint,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QMenu, QWidget

from modellab.gui.kit import DataTable, tip_text
from modellab.gui.pages.data_cells import BarsDelegate, ChoiceDelegate, CourseDelegate, NameDelegate
from modellab.gui.pages.data_edits import KIND_TEXTS, ROLE_TEXTS
from modellab.gui.pages.text_model import AT_LEFT, AT_RIGHT
from modellab.gui.theme import font, icon, px, theme

if TYPE_CHECKING:
    from modellab.gui.pages.data_facts import ColumnFacts
    from modellab.gui.pages.text_model import Index

NAME, KIND, ROLE, MISSING, DISTINCT, RANGE, VALUES, COURSE = range(8)
HEADINGS = ("Column", "Kind", "Role", "Missing", "Distinct", "Range", "Values", "Over the file")
HEADING_TIPS = (
    "Name as in the file. Click to sort; a third click goes back to the file's order.",
    "What the values are. Click a cell to read the column as something else.",
    "What the column is for: something to learn from, what is predicted, the time, or nothing.",
    "Share of rows without a value.",
    "How many different values there are.",
    "Least and greatest value, or the most frequent values.",
    "How often which values occur: bars in the training window, lines after it. A diamond: it is "
    "another after the training window.",
    "How the column runs from the first row to the last; the shaded part is the training window.",
)
FACTS_ROLE = Qt.ItemDataRole.UserRole
SORT_ROLE = Qt.ItemDataRole.UserRole + 1
RIGHT = {MISSING, DISTINCT}
WIDE = (142, 114, 116, 76, 94, 166, 122, 150)
NARROW = (104, 104, 106, 66, 74, 104, 82, 110)
NARROW_BELOW = 860
"""Width of the table, in pixels of 100 % text, below which columns are narrow."""


class ColumnsModel(QAbstractTableModel):
    """One row per column of the data."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: list[ColumnFacts] = []
        self.split_share = 0.0
        """Share of the file that trains, for the curves' shade."""

    def set_columns(self, columns: list[ColumnFacts]) -> None:
        """Show other columns; the same names keep selection and scroll."""
        if [c.name for c in columns] != [c.name for c in self._columns]:
            self.beginResetModel()
            self._columns = columns
            self.endResetModel()
            return
        changed = [i for i, (a, b) in enumerate(zip(self._columns, columns, strict=True)) if a != b]
        self._columns = columns
        if changed:
            self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], COURSE))

    def set_split(self, share: float) -> None:
        """Move the line in the curves."""
        if share != self.split_share and self._columns:
            self.split_share = share
            last = len(self._columns) - 1
            self.dataChanged.emit(self.index(0, COURSE), self.index(last, COURSE))

    def facts(self, row: int) -> ColumnFacts:
        """Return a column's facts."""
        return self._columns[row]

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._columns)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(HEADINGS)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        facts, column = self._columns[index.row()], index.column()
        if role == FACTS_ROLE:
            return facts
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(facts, column)
        if role == SORT_ROLE:
            return self._sort_key(facts, column, index.row())
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_text(self._tip(facts, column))
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return self._tip(facts, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return AT_RIGHT if column in RIGHT else AT_LEFT
        if role == Qt.ItemDataRole.FontRole and column == NAME:
            return font(13, 600)
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._colour(facts, column)
        return None

    def _text(self, facts: ColumnFacts, column: int) -> str:
        if column == NAME:
            return " ".join(facts.name[:200].split()) or "(no name)"
        if column == KIND:
            return KIND_TEXTS[facts.kind][0]
        if column == ROLE:
            return ROLE_TEXTS[facts.role][0]
        return {MISSING: facts.missing_text, DISTINCT: facts.distinct, RANGE: facts.range}.get(
            column, ""
        )

    def _sort_key(self, facts: ColumnFacts, column: int, row: int) -> object:
        if column == MISSING:
            return -1.0 if facts.missing_share is None else facts.missing_share
        if column == DISTINCT:
            return facts.distinct_count
        if column == ROLE:
            return ("target", "time", "feature", "ignored").index(facts.role)
        if column in (VALUES, COURSE):
            return row
        return self._text(facts, column).casefold()

    def _tip(self, facts: ColumnFacts, column: int) -> str:
        if column == KIND:
            told = f"{facts.name} is read as {KIND_TEXTS[facts.kind][0]}."
            if facts.kind != facts.detected:
                detected = KIND_TEXTS[facts.detected][0]
                return f"{told} Detected was {detected}: {facts.reason}."
            return f"{told} Detected: {facts.reason}."
        if column == MISSING and facts.missing:
            told = f"{facts.missing:,} rows have no value here."
            if facts.unfit:
                told += f" {facts.unfit:,} of them have one that does not fit the kind."
            return told
        if column == VALUES and (facts.top or facts.shift_text):
            shares = [f"{value}: {share * 100:.1f} %" for value, share in facts.top]
            return "\n".join([*shares, facts.shift_text]).strip()
        if column == COURSE:
            told = facts.course_text
            if facts.constant_in_training:
                told += "\nIt never varies in the training window: nothing can be learned from it."
            return told.strip()
        if column == RANGE:
            return facts.range
        return facts.name

    def _colour(self, facts: ColumnFacts, column: int) -> QColor | None:
        if column == MISSING and facts.missing:
            return QColor(theme().warning)
        if facts.role == "ignored":
            return QColor(theme().third)
        return None if column == NAME else QColor(theme().second)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_text(HEADING_TIPS[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return AT_RIGHT if section in RIGHT else AT_LEFT
        return None


class ColumnsTable(DataTable):
    """The table; Enter or a click on kind or role opens the choice, the menu key offers all."""

    kind_chosen = Signal(str, str)
    """Column and kind."""
    role_chosen = Signal(str, str)
    """Column and role."""
    ignore_wanted = Signal(list)
    """The selected columns are not to be used."""
    details_wanted = Signal(str)
    """More is to be told about a column."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Columns",
            "The columns of the data. Enter opens the choice of kind or role, "
            "Delete ignores the selected columns, the menu key offers everything.",
            row_height=38,
            parent=parent,
        )
        self.source = ColumnsModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self.source)
        self._proxy.setSortRole(SORT_ROLE)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setModel(self._proxy)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setMouseTracking(True)
        header = self.horizontalHeader()
        header.setSortIndicatorClearable(True)
        header.setSortIndicatorShown(True)
        header.setSectionsClickable(True)
        self.setSortingEnabled(True)
        self._proxy.sort(-1)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setItemDelegateForColumn(NAME, NameDelegate(self))
        self.setItemDelegateForColumn(KIND, ChoiceDelegate(KIND_TEXTS, FACTS_ROLE, "kind", self))
        self.setItemDelegateForColumn(
            ROLE, ChoiceDelegate(ROLE_TEXTS, FACTS_ROLE, "role", self, boxed=True)
        )
        self.setItemDelegateForColumn(VALUES, BarsDelegate(FACTS_ROLE, self))
        self._course = CourseDelegate(FACTS_ROLE, self.source, self)
        self.setItemDelegateForColumn(COURSE, self._course)
        self._narrow: bool | None = None
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._menu_at)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.viewport().width() < px(NARROW_BELOW)
        if narrow != self._narrow:
            # Only when crossing the line: widths set by hand stay.
            self._narrow = narrow
            self.set_widths(NARROW if narrow else WIDE, stretch=COURSE)

    def set_filter(self, text: str) -> None:
        """Show only columns whose name contains `text`."""
        self._proxy.setFilterFixedString(text)

    def facts_at(self, index: Index) -> ColumnFacts | None:
        """Return the facts of the column in a row."""
        found = index.data(FACTS_ROLE)
        return found if index.isValid() else None

    def selected_names(self) -> list[str]:
        """Return the names of the selected columns."""
        rows = sorted(self.selectionModel().selectedRows(), key=lambda i: i.row())
        return [f.name for f in (self.facts_at(i) for i in rows) if f is not None]

    def show_role_of(self, name: str) -> None:
        """Make the role cell of a column current and open its choice."""
        for row in range(self._proxy.rowCount()):
            index = self._proxy.index(row, ROLE)
            facts = self.facts_at(index)
            if facts is not None and facts.name == name:
                self.setCurrentIndex(index)
                self.scrollTo(index)
                self.setFocus()
                return

    # ------------------------------------------------------------------ choosing

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if event.button() == Qt.MouseButton.LeftButton and plain and index.isValid():
            self._open_choice(index)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        facts = self.facts_at(index)
        if facts is not None and index.column() not in (KIND, ROLE):
            self.details_wanted.emit(facts.name)
            return
        super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2, Qt.Key.Key_Space):
            if index.isValid():
                if index.column() in (KIND, ROLE):
                    self._open_choice(index)
                else:
                    self._menu_for(index)
            return
        if event.key() == Qt.Key.Key_Delete and self.selected_names():
            self.ignore_wanted.emit(self.selected_names())
            return
        super().keyPressEvent(event)

    def _open_choice(self, index: Index) -> None:
        facts = self.facts_at(index)
        if facts is None or index.column() not in (KIND, ROLE):
            return
        menu = QMenu(self)
        self._fill(menu, facts, index.column())
        self._popup(menu, index)

    def _menu_at(self, place: QPoint) -> None:
        index = self.indexAt(place)
        self._menu_for(index if index.isValid() else self.currentIndex())

    def _menu_for(self, index: Index) -> None:
        facts = self.facts_at(index)
        if facts is None:
            return
        self._popup(self.menu_for(facts), index)

    def menu_for(self, facts: ColumnFacts) -> QMenu:
        """Return the menu of a column: more about it, its role, its kind."""
        menu = QMenu(self)
        more = menu.addAction(icon("info", "second"), "More about this column…")
        more.triggered.connect(lambda: self.details_wanted.emit(facts.name))
        menu.addSeparator()
        self._fill(menu, facts, ROLE)
        menu.addSeparator()
        self._fill(menu, facts, KIND)
        return menu

    def _fill(self, menu: QMenu, facts: ColumnFacts, column: int) -> None:
        texts = KIND_TEXTS if column == KIND else ROLE_TEXTS
        now = facts.kind if column == KIND else facts.role
        signal = self.kind_chosen if column == KIND else self.role_chosen
        for key, (words, picture) in texts.items():
            told = f"{words} (detected)" if column == KIND and key == facts.detected else words
            action = menu.addAction(icon(picture, "second"), told)
            action.setCheckable(True)
            action.setChecked(key == now)
            action.triggered.connect(lambda _on=False, n=facts.name, k=key, s=signal: s.emit(n, k))

    def _popup(self, menu: QMenu, index: Index) -> None:
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        place = self.visualRect(index).bottomLeft() + QPoint(px(4), 0)
        menu.popup(self.viewport().mapToGlobal(place))
