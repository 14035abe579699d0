"""Preview of rows: a model over pages that the engine reads, and the card that shows it."""

from __future__ import annotations

import random
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from modellab.gui.kit import (
    NumberField,
    PlainButton,
    SegmentedControl,
    TableCard,
    count_text,
    tip_text,
)
from modellab.gui.pages.text_model import AT_LEFT, AT_RIGHT
from modellab.gui.theme import font, px, theme

if TYPE_CHECKING:
    from modellab.gui.pages.text_model import Index
    from modellab.gui.session import Session
    from modellab.replay.protocol import RowsPage

PAGE = 200
PAGES_KEPT = 60
IN_FLIGHT = 2
MOST_ROWS = 50_000_000
"""Qt's tables count pixels in 32 bits; further rows are reached by their number."""

WIDTHS = {"time": 178, "text": 240, "category": 120, "number": 100, "boolean": 84}


class RowsModel(QAbstractTableModel):
    """The rows; the first column is the row's number. Pages come when they are needed."""

    loaded = Signal()
    """A page came."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._names: list[str] = []
        self._kinds: list[str] = []
        self._roles: list[str] = []
        self._rows = 0
        self._fingerprint = ""
        self._pages: OrderedDict[int, list[list[str | None]]] = OrderedDict()
        self._wanted: list[int] = []
        self._asked: set[int] = set()
        self._split = 0

    # ------------------------------------------------------------------ what is shown

    def set_data(self, fingerprint: str, names: list[str], n_rows: int) -> None:
        """Show other data (nothing happens when they are the same)."""
        if (fingerprint, names, n_rows) == (self._fingerprint, self._names, self._rows):
            return
        same = bool(self._names) and (fingerprint, names) == (self._fingerprint, self._names)
        if same and n_rows > self._rows:
            self._add_rows(n_rows)
            return
        self.beginResetModel()
        self._fingerprint, self._names, self._rows = fingerprint, names, n_rows
        self._kinds, self._roles = [""] * len(names), [""] * len(names)
        self._pages.clear()
        self._wanted.clear()
        self._asked.clear()
        self.endResetModel()

    def _add_rows(self, n_rows: int) -> None:
        """Take rows that came at the end: what is looked at stays where it is."""
        first, last = self.rowCount(), min(n_rows, MOST_ROWS) - 1
        self._pages.pop(self._rows // PAGE, None)  # it may have been cut short
        if last < first:
            self._rows = n_rows
            return
        self.beginInsertRows(QModelIndex(), first, last)
        self._rows = n_rows
        self.endInsertRows()

    def set_roles(self, kinds: list[str], roles: list[str], split: int) -> None:
        """Say what the columns are and where the training window ends: only looks change."""
        new = (kinds, roles, split)
        if new == (self._kinds, self._roles, self._split) or len(kinds) != len(self._names):
            return
        self._kinds, self._roles, self._split = kinds, roles, split
        if self.rowCount():
            self.dataChanged.emit(
                self.index(0, 0), self.index(self.rowCount() - 1, self.columnCount() - 1)
            )
            last = self.columnCount() - 1
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, last)

    def is_split(self, row: int) -> bool:
        """Whether the stream begins at this row."""
        return 0 < self._split == row

    # ------------------------------------------------------------------ pages

    def _cells(self, row: int) -> list[str | None] | None:
        number = row // PAGE
        page = self._pages.get(number)
        if page is None:
            self._want(number)
            return None
        self._pages.move_to_end(number)
        at = row - number * PAGE
        return page[at] if at < len(page) else None

    def _want(self, number: int) -> None:
        if number in self._asked:
            return
        if number in self._wanted:
            self._wanted.remove(number)
        # The newest wish first: it is what is on screen now.
        self._wanted.append(number)
        del self._wanted[:-8]
        self._ask()

    def _ask(self) -> None:
        while self._wanted and len(self._asked) < IN_FLIGHT:
            number = self._wanted.pop()
            self._asked.add(number)
            stop = min((number + 1) * PAGE, self._rows)
            came = partial(self._came, number, self._fingerprint)
            self._session.read_rows(number * PAGE, stop, came)

    def _came(self, number: int, fingerprint: str, page: RowsPage | None) -> None:
        self._asked.discard(number)
        if fingerprint != self._fingerprint:
            return
        if page is not None:
            self._pages[number] = page.cells
            while len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
            first = number * PAGE
            last = min(first + PAGE, self.rowCount()) - 1
            if first <= last:
                self.dataChanged.emit(
                    self.index(first, 0), self.index(last, self.columnCount() - 1)
                )
            self.loaded.emit()
        self._ask()

    # ------------------------------------------------------------------ Qt

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else min(self._rows, MOST_ROWS)

    def columnCount(self, parent: Index | None = None) -> int:
        if parent is not None and parent.isValid():
            return 0
        return len(self._names) + 1 if self._names else 0

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row, column = index.row(), index.column() - 1
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._side(column)
        if column < 0:
            if role == Qt.ItemDataRole.DisplayRole:
                return f"{row:,}"
            if role == Qt.ItemDataRole.ForegroundRole:
                return QColor(theme().third)
            if role == Qt.ItemDataRole.ToolTipRole:
                return "training window" if row < self._split else "stream"
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            cells = self._cells(row)
            if cells is None:
                return "" if role == Qt.ItemDataRole.ToolTipRole else "…"
            cell = cells[column]
            if role == Qt.ItemDataRole.ToolTipRole:
                return tip_text(cell) if cell else None
            return "missing" if cell is None else " ".join(cell[:400].split())
        if role == Qt.ItemDataRole.FontRole and self._roles[column] == "target":
            return font(13, 600)
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._colour(row, column)
        return None

    def _colour(self, row: int, column: int) -> QColor | None:
        page = self._pages.get(row // PAGE)
        at = row % PAGE
        missing = page is None or at >= len(page) or page[at][column] is None
        if missing or self._roles[column] == "ignored":
            return QColor(theme().third)
        return None

    def _side(self, column: int) -> int:
        return AT_RIGHT if column < 0 or self._kinds[column] == "number" else AT_LEFT

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal or section > len(self._names):
            return None
        name = self._names[section - 1] if section else "row"
        if role == Qt.ItemDataRole.DisplayRole:
            return " ".join(name[:200].split())
        if role == Qt.ItemDataRole.ToolTipRole:
            told = f"{name}\n{self._roles[section - 1]}, {self._kinds[section - 1]}"
            return tip_text(told if section else "Rows count from 0, as positions do everywhere.")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._side(section - 1)
        return None

    def widths(self, kinds: list[str]) -> list[int]:
        """Column widths that suit names and kinds."""
        return [
            76,
            *(
                max(WIDTHS[k], 26 + 8 * min(len(n), 22))
                for n, k in zip(self._names, kinds, strict=True)
            ),
        ]


class _SplitLine(QStyledItemDelegate):
    """Draws the line where the stream begins."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        model = index.model()
        if isinstance(model, RowsModel) and model.is_split(index.row()):
            rect = QRectF(option.rect)
            painter.save()
            painter.setPen(QPen(QColor(theme().lanes[0]), 2))
            painter.drawLine(rect.topLeft(), rect.topRight())
            if index.column() == 0:
                small = QFont(font(10, 600))
                painter.setFont(small)
                painter.setPen(QColor(theme().lane_text(theme().lanes[0])))
                inner = rect.adjusted(px(3), 1, 0, 0)
                where = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
                painter.drawText(inner, where, "live")
            painter.restore()


class RowsCard(TableCard):
    """The preview with its ways to get about."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        self._session = session
        self.where = SegmentedControl(
            "Rows shown",
            [
                ("first", "first", "The first rows of the file."),
                ("split", "at the split", "Where the training window ends and the stream begins."),
                ("last", "last", "The last rows of the file."),
                ("random", "random", "Somewhere in the file; press again for another place."),
            ],
        )
        self.go = NumberField(
            "Go to row",
            "Show this row; rows count from 0.",
            maximum=0,
            committed=self._go_to,
        )
        self.go.setFixedWidth(px(112))
        self.go.setPrefix("row ")
        self.bad = PlainButton(
            "Set-aside rows", "Rows that could not be read, with the reason; they can be saved."
        )
        super().__init__(
            "Rows",
            "",
            [self.where, self.go, self.bad],
            tip="The data as they are in the file. Ctrl+C copies the selected rows.",
            row_height=27,
            parent=parent,
        )
        self.model = RowsModel(session, self)
        self.table.setModel(self.model)
        self.table.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setItemDelegate(_SplitLine(self.table))
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        for key in ("first", "split", "last", "random"):
            self.where.button(key).clicked.connect(lambda _on=False, k=key: self.show_place(k))
        self._widths_for = ""

    def refresh(self) -> None:
        """Show what the session holds."""
        session = self._session
        data, experiment = session.data, session.experiment
        if data is None or experiment is None:
            return
        names = [c.name for c in data.columns]
        kinds = [str(session.kind_of(n)) for n in names]
        # The file's rows in another order are other rows.
        stamp = f"{data.fingerprint} {experiment.data.sort} {experiment.data.kinds}"
        self.model.set_data(stamp, names, data.n_rows)
        roles = [session.role_of(n) for n in names]
        self.model.set_roles(kinds, roles, session.train_rows)
        if self._widths_for != data.fingerprint:
            self._widths_for = data.fingerprint
            self.table.set_widths(self.model.widths(kinds))
        self.go.setRange(0, max(0, data.n_rows - 1))
        bad = data.bad_rows
        self.bad.set_text(f"Set-aside rows · {count_text(bad)}")
        self.bad.setVisible(bad > 0)

    def show_place(self, key: str) -> None:
        """Go to the first rows, the split, the last rows, or anywhere."""
        rows = self._session.n_rows
        if rows == 0:
            return
        if key == "first":
            self.show_row(0)
        elif key == "last":
            self.show_row(rows - 1)
        elif key == "split":
            self.show_row(self._session.train_rows, context=3)
        else:
            self.show_row(random.randrange(rows))  # only a place to look at
        self.where.set_current(key)

    def _go_to(self, row: float) -> None:
        self.show_row(int(row))

    def show_row(self, row: int, context: int = 0) -> None:
        """Scroll to a row (with `context` rows above it) and make it current."""
        row = max(0, min(row, self.model.rowCount() - 1))
        top = self.model.index(max(0, row - context), 0)
        self.table.scrollTo(top, QAbstractItemView.ScrollHint.PositionAtTop)
        self.table.setCurrentIndex(self.model.index(row, 0))
        self.table.scrollTo(top, QAbstractItemView.ScrollHint.PositionAtTop)
        self.go.set_number(row)
