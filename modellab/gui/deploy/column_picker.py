"""A button that opens a list of columns with check boxes and a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QListView, QVBoxLayout, QWidget

from modellab.gui.kit import LinkButton, PlainButton, describe, one_line
from modellab.gui.theme import px, set_font, set_height

if TYPE_CHECKING:
    from collections.abc import Sequence


class ColumnPicker(PlainButton):
    """Which columns; none ticked means all of them.

    Parameters
    ----------
    name, tip
        Accessible name and explanation.
    """

    picked = Signal(object)
    """The names that are ticked now (list of str)."""

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__("all columns", tip, icon="funnel-simple", parent=parent)
        self._name, self._tip = name, tip
        set_font(self, 13, 500)
        set_height(self, 30)
        self._columns: list[str] = []
        self._chosen: list[str] = []
        self._popup: _Popup | None = None
        self.clicked.connect(lambda: self.open_list())
        self._say()

    def set_columns(self, columns: Sequence[str]) -> None:
        """Offer these; what was ticked and is not there any more is forgotten."""
        self._columns = list(columns)
        self._chosen = [name for name in self._chosen if name in self._columns]
        self._say()

    def names(self) -> list[str]:
        """Return what is ticked, in the order of the columns."""
        return list(self._chosen)

    def set_names(self, names: Sequence[str]) -> None:
        """Tick these without a signal."""
        self._chosen = [name for name in self._columns if name in set(names)]
        self._say()

    def _say(self) -> None:
        if not self._chosen:
            text = "all columns"
        elif len(self._chosen) == 1:
            text = one_line(self._chosen[0])
            text = text if len(text) <= 24 else text[:23] + "…"
        else:
            text = f"{len(self._chosen)} of {len(self._columns)} columns"
        self.setText(text)
        describe(self, f"{self._name}: {text}", self._tip)
        self.setEnabled(bool(self._columns))

    def open_list(self) -> _Popup:
        """Open the list under the button."""
        if self._popup is None:
            self._popup = _Popup(self)
        self._popup.fill(self._columns, self._chosen)
        self._popup.move(self.mapToGlobal(QPoint(0, self.height() + 4)))
        self._popup.show()
        self._popup.filter.setFocus()
        return self._popup

    def choose(self, names: list[str]) -> None:
        """Tick these as if by hand."""
        self._chosen = names
        self._say()
        self.picked.emit(names)


class _Popup(QFrame):
    """The list; it closes when clicked outside, or by Escape."""

    def __init__(self, picker: ColumnPicker) -> None:
        super().__init__(picker, Qt.WindowType.Popup)
        self.setProperty("kind", "card")
        self._picker = picker
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Find a column")
        describe(self.filter, "Find a column", "Show only names that contain this.")
        self._model = QStandardItemModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._model)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter.textChanged.connect(self._proxy.setFilterFixedString)
        self.list = QListView()
        self.list.setModel(self._proxy)
        describe(self.list, "Columns", "None ticked means all of them.")
        self.list.setToolTip("")
        self._model.itemChanged.connect(lambda _item: self._changed())
        every = LinkButton("All of them", "Tick none: all columns.", clicked=self._all)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(10), px(10), px(10), px(10))
        column.setSpacing(px(8))
        column.addWidget(self.filter)
        column.addWidget(self.list, 1)
        row = QHBoxLayout()
        row.addWidget(every)
        row.addStretch(1)
        column.addLayout(row)
        self.resize(px(260), px(320))

    def fill(self, columns: Sequence[str], chosen: Sequence[str]) -> None:
        """List all columns, some ticked."""
        blocked = self._model.blockSignals(True)
        self._model.clear()
        ticked = set(chosen)
        for name in columns:
            item = QStandardItem(one_line(name))
            item.setData(name)
            item.setEditable(False)
            item.setCheckable(True)
            on = name in ticked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self._model.appendRow(item)
        self._model.blockSignals(blocked)
        self._proxy.invalidate()

    def _changed(self) -> None:
        items = [self._model.item(row) for row in range(self._model.rowCount())]
        self._picker.choose(
            [str(i.data()) for i in items if i.checkState() == Qt.CheckState.Checked]
        )

    def _all(self) -> None:
        self._picker.choose([])
        self.hide()
