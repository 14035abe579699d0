"""The lanes of a verdict as a model: every cell is text too, also where it is painted."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont

from modellab.gui.decide import words
from modellab.gui.decide.columns import COLUMNS
from modellab.gui.decide.looks import Look, Looks, look_of
from modellab.gui.decide.terms import POLICY_TERMS, explain
from modellab.gui.kit import one_line, tip_text
from modellab.gui.theme import font, theme
from modellab.gui.theme.fonts import text_scale

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from modellab.verdict.values import LaneRow, Verdict

Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = Qt.ItemDataRole.UserRole
SORT_ROLE = Qt.ItemDataRole.UserRole + 1
NUMBER = {column.id: number for number, column in enumerate(COLUMNS)}

STRONG = ("lane", "error", "cost")
"""Columns that are read first."""


def cell_font(column: str) -> QFont:
    """Return the font of a column's cells."""
    return _font(600 if column in STRONG else 400, column != "lane", text_scale())


@lru_cache(maxsize=16)
def _font(weight: int, tabular: bool, _scale: float) -> QFont:
    return font(13, weight, tabular=tabular)


class LanesModel(QAbstractTableModel):
    """One row per lane, one column per `COLUMNS`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.verdict: Verdict | None = None
        self.looks: Looks = {}
        self.faint = False
        """Whether the verdict is stale."""

    def set_verdict(self, verdict: Verdict | None, looks: Looks, *, faint: bool) -> None:
        """Show another verdict; the same lanes in the same order keep the selection."""
        if (verdict, looks, faint) == (self.verdict, self.looks, self.faint):
            return
        names = [row.name for row in self.lanes()]
        new = [row.name for row in verdict.lanes] if verdict is not None else []
        if names != new:
            self.beginResetModel()
        self.verdict, self.looks, self.faint = verdict, looks, faint
        if names != new:
            self.endResetModel()
        elif new:
            last = self.index(len(new) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def lanes(self) -> list[LaneRow]:
        """Return the rows in the verdict's order."""
        return self.verdict.lanes if self.verdict is not None else []

    def look(self, row: LaneRow) -> Look:
        """Return how a lane looks."""
        return look_of(self.looks, row.name)

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.lanes())

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        verdict = self.verdict
        if not index.isValid() or verdict is None:
            return None
        row, column = verdict.lanes[index.row()], COLUMNS[index.column()]
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return one_line(column.text(row, verdict))
        if role == SORT_ROLE:
            return column.key(row, verdict)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_text(self.told(row, index.column()))
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return self.told(row, index.column())
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.FontRole:
            return cell_font(column.id)
        if role == Qt.ItemDataRole.ForegroundRole:
            return self.colour(row, column.id)
        return None

    def told(self, row: LaneRow, number: int) -> str:
        """Return a cell's tooltip."""
        verdict, column = self.verdict, COLUMNS[number]
        assert verdict is not None
        if column.id == "lane":
            return self._lane_told(row)
        if column.detail is not None:
            return column.detail(row, verdict)
        return f"{row.name}, {column.title.lower()}: {column.text(row, verdict)}"

    def _lane_told(self, row: LaneRow) -> str:
        parts = [row.name]
        if row.learner or row.policy:
            named = [text.replace("_", " ") for text in (row.learner, row.policy) if text]
            parts.append(", ".join(named))
        if row.baseline:
            parts.append("A baseline: what any model must beat.")
        elif not row.deployable:
            parts.append("It cannot be deployed: a yardstick.")
        if row.pareto:
            parts.append("On the Pareto front: nothing is better both in error and in upkeep.")
        terms = POLICY_TERMS.get(row.policy)
        if terms is not None and not row.baseline:
            parts.append(explain(*terms))
        return "\n".join(part for part in parts if part)

    def colour(self, row: LaneRow, column: str) -> QColor:
        """Return the colour of a cell's text."""
        tokens = theme()
        if self.faint:
            return QColor(tokens.third)
        if column == "bad":
            rises = [worst[1] for x in self.lanes() if (worst := words.worst_fault(x)) is not None]
            worst = words.worst_fault(row)
            own = bool(self.verdict and row.name == self.verdict.recommended)
            if own and worst is not None and worst[1] > 0 and len(rises) > 1:
                return QColor(tokens.warning)
        if column in STRONG:
            return QColor(tokens.text)
        return QColor(tokens.second)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{column.title}, {column.under}" if column.under else column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_text(column.tip)
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return column.tip
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None
