"""The table view that every table of the window is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from modellab.gui.kit.frames import Card
from modellab.gui.kit.text import describe
from modellab.gui.theme import px, set_font

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_COPIED = 100_000
"""Cells that one Ctrl+C may copy."""


class DataTable(QTableView):
    """A read-mostly table: fixed row height, column widths given (never fitted to contents).

    Ctrl+C copies the selected cells as tab-separated plain text.

    Parameters
    ----------
    name, tip
        Accessible name and explanation.
    row_height
        Pixels at 100 % text: 27 for previews, 38 for columns, 36 for results.
    """

    def __init__(
        self, name: str, tip: str, *, row_height: int = 27, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._stretch: tuple[int, int] | None = None
        describe(self, name, tip)
        self.setToolTip("")
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        rows = self.verticalHeader()
        rows.setVisible(False)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(1)
        rows.setDefaultSectionSize(px(row_height))
        columns = self.horizontalHeader()
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        columns.setHighlightSections(False)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        columns.setMinimumSectionSize(px(40))
        columns.setDefaultSectionSize(px(110))
        columns.setFixedHeight(px(34))
        set_font(columns, 12, 500)
        columns.setAccessibleName(f"{name}: column headings")

    def set_widths(self, widths: Sequence[int], *, stretch: int | None = None) -> None:
        """Set column widths (pixels at 100 % text).

        Column `stretch` takes what is left, but no less than its width.
        """
        header = self.horizontalHeader()
        for column, width in enumerate(widths):
            self.setColumnWidth(column, px(width))
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
        self._stretch = None
        if stretch is not None:
            self._stretch = (stretch, px(widths[stretch]) if stretch < len(widths) else px(80))
            self._share_width()

    def _share_width(self) -> None:
        """Give the stretched column what is left, but never less than its own width."""
        if self._stretch is None or self._stretch[0] >= self.horizontalHeader().count():
            return
        column, least = self._stretch
        header = self.horizontalHeader()
        others = sum(header.sectionSize(i) for i in range(header.count()) if i != column)
        roomy = self.viewport().width() - others >= least
        mode = QHeaderView.ResizeMode.Stretch if roomy else QHeaderView.ResizeMode.Interactive
        if header.sectionResizeMode(column) != mode:
            header.setSectionResizeMode(column, mode)
        if not roomy and header.sectionSize(column) < least:
            header.resizeSection(column, least)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_width()

    def selected_text(self) -> str:
        """Return the selected cells, rows in lines, cells between tabs."""
        model: QAbstractItemModel | None = self.model()
        if model is None:
            return ""
        chosen: list[QModelIndex] = sorted(
            self.selectedIndexes()[:_MOST_COPIED], key=lambda index: (index.row(), index.column())
        )
        lines: dict[int, list[str]] = {}
        for index in chosen:
            value = model.data(index, Qt.ItemDataRole.DisplayRole)
            lines.setdefault(index.row(), []).append("" if value is None else str(value))
        return "\n".join("\t".join(line) for line in lines.values())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.selected_text())
            event.accept()
            return
        super().keyPressEvent(event)


class TableCard(Card):
    """A card that is filled by a table."""

    def __init__(
        self,
        title: str,
        subtitle: str = "",
        actions: Sequence[QWidget] = (),
        *,
        tip: str,
        row_height: int = 27,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, subtitle, actions, parent=parent)
        self.body.setContentsMargins(8, 0, 8, 8)
        self.table = DataTable(title, tip, row_height=row_height)
        """The table."""
        self.body.addWidget(self.table)
