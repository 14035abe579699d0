"""A table of the first rows as a file has them; missing cells say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from modellab.gui.kit import count_text, tip_text
from modellab.gui.theme import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

Index = QModelIndex | QPersistentModelIndex
MISSING = "missing"


class CellsModel(QAbstractTableModel):
    """Rows of cells under names; with `lines`, the first column is the line in the file."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._names: Sequence[str] = ()
        self._kinds: Sequence[str] = ()
        self._rows: Sequence[Sequence[str | None]] = ()
        self._lines: Sequence[int] = ()
        self._first = 0

    def set_cells(
        self,
        names: Sequence[str],
        rows: Sequence[Sequence[str | None]],
        *,
        kinds: Sequence[str] = (),
        lines: Sequence[int] = (),
    ) -> None:
        """Show other rows."""
        self.beginResetModel()
        self._names, self._rows, self._kinds, self._lines = names, rows, kinds, lines
        self._first = 1 if lines else 0
        self.endResetModel()

    def widths(self) -> list[int]:
        """Column widths that suit names and first cells."""
        found = [64] if self._first else []
        for at, name in enumerate(self._names):
            cells = [len(row[at] or "") for row in self._rows[:20]]
            longest = max([len(name) + 2, *cells], default=8)
            found.append(min(260, round(36 + 8.2 * min(longest, 26))))
        return found

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        if parent is not None and parent.isValid():
            return 0
        return len(self._names) + self._first if self._names else 0

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        column = index.column() - self._first
        if column < 0:
            if role == Qt.ItemDataRole.DisplayRole:
                return count_text(self._lines[index.row()])
            if role == Qt.ItemDataRole.ForegroundRole:
                return QColor(theme().third)
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            return None
        cell = self._rows[index.row()][column]
        if role == Qt.ItemDataRole.DisplayRole:
            return MISSING if cell is None else " ".join(cell[:200].split())
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_text(cell) if cell else None
        if role == Qt.ItemDataRole.ForegroundRole and cell is None:
            return QColor(theme().third)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            number = column < len(self._kinds) and self._kinds[column] == "number"
            side = Qt.AlignmentFlag.AlignRight if number else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        at = section - self._first
        name = "line" if at < 0 else self._names[at] if at < len(self._names) else ""
        if role == Qt.ItemDataRole.DisplayRole:
            return " ".join(name[:200].split())
        if role == Qt.ItemDataRole.ToolTipRole:
            if at < 0:
                return tip_text("Where the row begins in the file.")
            kind = self._kinds[at] if at < len(self._kinds) else ""
            return tip_text(f"{name}\n{kind}, by the rows seen" if kind else name)
        return None
