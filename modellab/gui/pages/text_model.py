"""A table of texts: what small tables of results are shown with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from modellab.gui.kit import tip_text
from modellab.gui.theme import font, theme

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


Index = QModelIndex | QPersistentModelIndex
"""What Qt hands to models and delegates."""
# Qt asks thousands of times while a table is painted; joining flags takes 20 microseconds.
AT_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
AT_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


class TextModel(QAbstractTableModel):
    """Rows of texts under headings.

    Parameters
    ----------
    headings
        Of the columns.
    """

    def __init__(self, headings: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._headings = tuple(headings)
        self._rows: list[Sequence[str]] = []
        self._right: Collection[int] = ()
        self._strong: Collection[int] = ()
        self._faint: Collection[int] = ()
        self._tips: Mapping[int, str] = {}

    def set_rows(
        self,
        rows: Sequence[Sequence[str]],
        headings: Sequence[str] | None = None,
        *,
        right: Collection[int] = (),
        strong: Collection[int] = (),
        faint: Collection[int] = (),
        tips: Mapping[int, str] | None = None,
    ) -> None:
        """Show other rows.

        Parameters
        ----------
        right
            Columns of figures, aligned to the right.
        strong, faint
            Rows that stand out, and rows that step back.
        tips
            A plain text per row for the tooltip.
        """
        self.beginResetModel()
        self._rows = list(rows)
        if headings is not None:
            self._headings = tuple(headings)
        self._right, self._strong, self._faint = right, strong, faint
        self._tips = tips or {}
        self.endResetModel()

    def row(self, number: int) -> Sequence[str]:
        """Return the texts of a row."""
        return self._rows[number]

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._headings)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        cells = self._rows[row]
        text = cells[column] if column < len(cells) else ""
        if role == Qt.ItemDataRole.DisplayRole:
            return " ".join(text.split())
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_text(self._tips.get(row, text))
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return self._tips.get(row)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return AT_RIGHT if column in self._right else AT_LEFT
        if role == Qt.ItemDataRole.FontRole and row in self._strong:
            return font(13, 600)
        if role == Qt.ItemDataRole.ForegroundRole and row in self._faint:
            return QColor(theme().second)
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return AT_RIGHT if section in self._right else AT_LEFT
        return None
