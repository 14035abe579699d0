"""One plot of the stack with its header: what it shows, choices, fold, the values as a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from modellab.gui.kit import (
    DataTable,
    ElidedLabel,
    IconButton,
    Label,
    count_text,
    describe,
    one_line,
)
from modellab.gui.theme import px, set_height

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QResizeEvent

    from modellab.gui.plots.live import LivePlot
    from modellab.gui.plots.parts import LiveLine

HEAD = 42
_TABLE_ROWS = 500


class ValuesModel(QAbstractTableModel):
    """The visible values of a plot: a row for each of at most 500 positions, newest first."""

    def __init__(self, plot: LivePlot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = plot
        self._rows = np.empty(0, np.int64)
        self._lines: list[LiveLine] = []

    def update_values(self) -> None:
        """Take the lines and the range that the plot shows now."""
        plot = self._plot
        low, high = max(plot.view.low, plot.view.start), min(plot.view.high, plot.view.head)
        lines = [line for line in plot.lines if line.shown]
        rows = np.empty(0, np.int64)
        if lines and high > low:
            known = max((line.x for line in lines), key=len)
            inside = known[(known >= low) & (known <= high)].astype(np.int64)
            step = max(1, math.ceil(len(inside) / _TABLE_ROWS))
            rows = inside[::-1][::step]
        self.beginResetModel()
        self._lines, self._rows = lines, rows
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else 2 + len(self._lines)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return ("Row", "Date")[section] if section < 2 else one_line(self._lines[section - 2].name)

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() != 1:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        row = int(self._rows[index.row()])
        if index.column() == 0:
            return count_text(row)
        if index.column() == 1:
            return self._plot.date_of(row)
        value = self._lines[index.column() - 2].value_at(row)
        return self._plot.words(value) if math.isfinite(value) else "–"


class PlotPanel(QWidget):
    """A header over a plot.

    Parameters
    ----------
    title
        What the plot is called.
    plot
        The plot.
    actions
        Choices at the right of the header.
    """

    folded_changed = Signal(bool)
    """The person folded the plot to its header, or unfolded it."""

    def __init__(
        self,
        title: str,
        plot: LivePlot,
        actions: Sequence[QWidget] = (),
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.plot = plot
        self._folded = False
        self._name = title
        self.title = Label(title, 14, 600)
        self.subtitle = ElidedLabel("", 12, 400, "second")
        self.table_button = IconButton(
            "table",
            f"{title}: values as a table",
            "Show the values of this plot as a table: those in the visible range, newest first.",
            checkable=True,
            size=28,
        )
        self.table_button.toggled.connect(self._table_toggled)
        self.fold_button = IconButton(
            "caret-up", f"Fold {title}", "Fold this plot to its header.", size=28
        )
        self.fold_button.clicked.connect(lambda: self._fold_clicked())
        self.header = QWidget()
        row = QHBoxLayout(self.header)
        row.setContentsMargins(px(16), 0, px(6), 0)
        row.setSpacing(px(5))
        row.addWidget(self.title)
        row.addSpacing(px(3))
        row.addWidget(self.subtitle, 1)
        self._actions = list(actions)
        self._row = row
        for action in actions:
            row.addWidget(action)
        row.addWidget(self.table_button)
        row.addWidget(self.fold_button)
        set_height(self.header, HEAD)
        self.second = QWidget()
        """Under the header, for choices that have no room in it."""
        self._below = QHBoxLayout(self.second)
        self._below.setContentsMargins(px(16), 0, px(8), px(6))
        self._below.setSpacing(px(8))
        self._below.addStretch(1)
        self.second.hide()
        self._under = False
        self.body = QStackedWidget()
        self.body.addWidget(plot)
        self._model = ValuesModel(plot, self)
        self.table: DataTable | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.second)
        column.addWidget(self.body, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_title(self, title: str, subtitle: str) -> None:
        """Say what is shown: quantity, unit and window."""
        if title != self.title.text():
            self.title.setText(title)
            self._name = title
            self.fit()
        if subtitle != self.subtitle.text():
            self.subtitle.setText(subtitle)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def fit(self) -> None:
        """Put the choices under the header where they would cut its title."""
        if self._folded:
            return
        margins = self._row.contentsMargins()
        parts = (self.title, *self._actions, self.table_button, self.fold_button)
        needed = margins.left() + margins.right() + (len(parts) + 2) * self._row.spacing()
        needed += sum(part.sizeHint().width() for part in parts if not part.isHidden())
        under = needed > self.width()
        if under == self._under:
            return
        self._under = under
        for number, action in enumerate(self._actions):
            if under:
                self._below.addWidget(action)
            else:
                self._row.insertWidget(3 + number, action)
        self.second.setVisible(under)

    @property
    def folded(self) -> bool:
        """Whether only the header is there."""
        return self._folded

    def set_folded(self, folded: bool) -> None:
        """Fold to the header, or unfold (without `folded_changed`)."""
        if folded == self._folded:
            return
        self._folded = folded
        self.body.setVisible(not folded)
        self.second.setVisible(self._under and not folded)
        for action in (*self._actions, self.table_button):
            action.setVisible(not folded)
        self.fold_button.set_icon("caret-down" if folded else "caret-up")
        words = (
            ("Unfold", "Show this plot.") if folded else ("Fold", "Fold this plot to its header.")
        )
        describe(self.fold_button, f"{words[0]} {self._name}", words[1])
        if folded:
            self.setFixedHeight(px(HEAD))
        else:
            self.setMinimumHeight(px(HEAD + 60))
            self.setMaximumHeight(16_777_215)
            self.fit()

    def _fold_clicked(self) -> None:
        self.set_folded(not self._folded)
        self.folded_changed.emit(self._folded)

    def _table_toggled(self, on: bool) -> None:
        if on and self.table is None:
            self.table = DataTable(
                f"{self._name}: values", "The values in the visible range, newest first."
            )
            self.table.setModel(self._model)
            self.body.addWidget(self.table)
        if on and self.table is not None:
            self.update_table()
            self.table.set_widths([84, 196])
            self.body.setCurrentWidget(self.table)
        else:
            self.body.setCurrentWidget(self.plot)
            self.plot.refresh()

    def update_table(self) -> None:
        """Bring the table up to date, if it is shown."""
        if self.table is not None and self.table_button.isChecked():
            at = self.table.verticalScrollBar().value()
            self._model.update_values()
            self.table.verticalScrollBar().setValue(at)

    def needs_drawing(self) -> bool:
        """Whether the plot itself can be seen."""
        return not self._folded and not self.table_button.isChecked() and self.isVisible()
