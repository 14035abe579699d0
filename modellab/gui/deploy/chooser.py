"""Which parameters are drawn: a list with check boxes and a filter, under a button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QListView, QVBoxLayout, QWidget

from modellab.gui.kit import LinkButton, PlainButton, describe, one_line
from modellab.gui.theme import px, set_font, set_height

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 16


class ParameterPopup(QFrame):
    """The list; it closes when clicked outside, or by Escape."""

    def __init__(self, chooser: ParameterChooser) -> None:
        super().__init__(chooser, Qt.WindowType.Popup)
        self.setProperty("kind", "card")
        self._chooser = chooser
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Find a parameter")
        describe(self.filter, "Find a parameter", "Show only names that contain this.")
        self._model = QStandardItemModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._model)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter.textChanged.connect(self._proxy.setFilterFixedString)
        self.list = QListView()
        self.list.setModel(self._proxy)
        describe(self.list, "Parameters", f"Those that are drawn; at most {MOST}.")
        self.list.setToolTip("")
        self._model.itemChanged.connect(self._changed)
        largest = LinkButton(
            "The largest by size",
            "Let the plot show the eight parameters that are largest now.",
            clicked=self._largest,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(px(10), px(10), px(10), px(10))
        column.setSpacing(px(8))
        column.addWidget(self.filter)
        column.addWidget(self.list, 1)
        row = QHBoxLayout()
        row.addWidget(largest)
        row.addStretch(1)
        column.addLayout(row)
        self.resize(px(260), px(340))

    def fill(self, names: Sequence[str], shown: Sequence[str]) -> None:
        """List all parameters, those that are drawn ticked."""
        blocked = self._model.blockSignals(True)
        self._model.clear()
        present = set(shown)
        for name in names:
            item = QStandardItem(one_line(name))
            item.setData(name)
            item.setEditable(False)
            item.setCheckable(True)
            on = name in present
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self._model.appendRow(item)
        self._model.blockSignals(blocked)
        self._proxy.invalidate()

    def _ticked(self) -> list[str]:
        items = [self._model.item(row) for row in range(self._model.rowCount())]
        return [str(i.data()) for i in items if i.checkState() == Qt.CheckState.Checked]

    def _changed(self, item: QStandardItem) -> None:
        names = self._ticked()
        if len(names) > MOST:
            item.setCheckState(Qt.CheckState.Unchecked)
            return
        self._chooser.choose(names or None)

    def _largest(self) -> None:
        self._chooser.choose(None)
        self.hide()


class ParameterChooser(PlainButton):
    """The button: how many of how many are drawn."""

    chosen = Signal(object)
    """Names to draw (list of str), or None for the largest by size."""
    counted = Signal()
    """Other numbers are told: the button wants another width."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "0 of 0",
            "Choose which parameters are drawn; unless you choose, the largest by size.",
            icon="funnel-simple",
            parent=parent,
        )
        set_font(self, 12, 500)
        set_height(self, 28)
        self._names: list[str] = []
        self._shown: list[str] = []
        self._popup: ParameterPopup | None = None
        self.clicked.connect(lambda: self.open_list())

    def set_counts(self, names: Sequence[str], shown: Sequence[str]) -> None:
        """Tell what there is and what is drawn."""
        self._names, self._shown = list(names), list(shown)
        text = f"{len(self._shown)} of {len(self._names)}"
        if text != self.text():
            self.setText(text)
            describe(
                self,
                f"Parameters drawn: {text}",
                "Choose which parameters are drawn; unless you choose, the largest by size.",
            )
            self.counted.emit()
        self.setEnabled(bool(self._names))

    def open_list(self) -> ParameterPopup:
        """Open the list under the button."""
        if self._popup is None:
            self._popup = ParameterPopup(self)
        self._popup.fill(self._names, self._shown)
        corner = self.mapToGlobal(QPoint(self.width() - self._popup.width(), self.height() + 4))
        self._popup.move(corner)
        self._popup.show()
        self._popup.filter.setFocus()
        return self._popup

    def choose(self, names: list[str] | None) -> None:
        """Draw these, or the largest by size."""
        self.chosen.emit(names)
