"""The card with the table of lanes: which columns, in which order, as high as it has rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from PySide6.QtCore import QSortFilterProxyModel, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from modellab.gui.decide.columns import BY_ID, COLUMNS, shown_columns
from modellab.gui.decide.lane_cells import CELLS, LaneCell, LaneHeadings
from modellab.gui.decide.lanes_model import NUMBER, SORT_ROLE, LanesModel, cell_font
from modellab.gui.kit import Card, DataTable, PlainButton, count_text
from modellab.gui.settings import settings
from modellab.gui.theme import font, px, set_height

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QResizeEvent, QWheelEvent

    from modellab.gui.decide.looks import Looks
    from modellab.verdict.values import Verdict

ROW, HEAD = 36, 44
MOST_ROWS = 16
"""More rows than this scroll inside the table."""
TIP = (
    "One row for each lane, the recommended one tinted. Click a heading to sort, a third click "
    "goes back to the verdict's order; Ctrl+C copies the selected rows."
)
COLUMNS_TIP = "Choose which columns are shown; what has no room is left out unless it is chosen."


class LanesTable(DataTable):
    """The table itself; it never scrolls up and down by the wheel while all rows are seen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Strategies", TIP, row_height=ROW, parent=parent)
        headings = LaneHeadings(Qt.Orientation.Horizontal, self)
        self.setHorizontalHeader(headings)
        headings.setHighlightSections(False)
        headings.setMinimumSectionSize(px(40))
        headings.setSectionsClickable(True)
        headings.setSortIndicatorShown(True)
        headings.setSortIndicatorClearable(True)
        headings.setAccessibleName("Strategies: column headings")
        set_height(headings, HEAD)
        self.source = LanesModel(self)
        """What is shown."""
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self.source)
        self._proxy.setSortRole(SORT_ROLE)
        self.setModel(self._proxy)
        self.setSortingEnabled(True)
        self._proxy.sort(-1)
        headings.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        usual = LaneCell(self.source, self)
        self.setItemDelegate(usual)
        for column in COLUMNS:
            if column.id in CELLS:
                cell = CELLS[column.id](self.source, self)
                self.setItemDelegateForColumn(NUMBER[column.id], cell)
        self.chosen: dict[str, bool] = _remembered()
        """Columns that the person wants, or does not want, to see."""
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.arrange()

    # ------------------------------------------------------------------ what is shown

    def set_verdict(self, verdict: Verdict | None, looks: Looks, *, faint: bool) -> None:
        """Show another verdict."""
        self.source.set_verdict(verdict, looks, faint=faint)
        self.arrange()

    def shown(self) -> list[str]:
        """Return the ids of the columns on screen, in order."""
        return [c.id for c in COLUMNS if not self.isColumnHidden(NUMBER[c.id])]

    def arrange(self) -> None:
        """Show what there is room for, and share the room out."""
        room = self.width() - 2
        per_pixel = px(1000) / 1000
        ids = shown_columns(self.source.lanes(), self.chosen, room / per_pixel)
        wide = {i: max(px(BY_ID[i].wide), self._needed(i)) for i in ids}
        spare = room - sum(wide.values())
        if spare > 0:
            # What is left goes to what can use it: the bars first, then everyone.
            stretch: list[str] = [i for i in ("against", "cost", "lane") if i in wide]
            per_bar = min(spare * 0.6 / max(1, len(stretch)), px(130))
            for i in stretch:
                wide[i] += int(per_bar)
            spare -= int(per_bar) * len(stretch)
            for i in wide:
                wide[i] += int(spare / len(wide))
        for column in COLUMNS:
            number = NUMBER[column.id]
            self.setColumnHidden(number, column.id not in wide)
            if column.id in wide:
                self.setColumnWidth(number, wide[column.id])
        rows = min(MOST_ROWS, max(1, self.source.rowCount()))
        more = px(14) if sum(wide.values()) > room else 0
        self.setFixedHeight(px(HEAD) + rows * px(ROW) + more + 2)

    def _needed(self, column: str) -> int:
        """Return the pixels that the errors need, which may be six digits and an interval."""
        verdict = self.source.verdict
        if column != "error" or verdict is None:
            return 0
        value, half = QFontMetrics(cell_font(column)), QFontMetrics(font(12))
        parts = [BY_ID[column].text(r, verdict).partition(" ") for r in self.source.lanes()]
        widest = max((value.horizontalAdvance(p[0]) for p in parts), default=0)
        beside = max((half.horizontalAdvance(p[2]) for p in parts), default=0)
        return widest + beside + px(8 + 8 + 7 + 3)

    def choose(self, column: str, shown: bool) -> None:
        """Show a column, or do not, and remember it."""
        self.chosen[column] = shown
        settings().remember_layout("decide.columns", json.dumps(self.chosen))
        self.arrange()

    def forget_choice(self) -> None:
        """Show the usual columns."""
        self.chosen.clear()
        settings().remember_layout("decide.columns", "{}")
        self.arrange()

    # ------------------------------------------------------------------ copying, events

    def selected_text(self) -> str:
        """Return headings and the selected rows, cells between tabs."""
        text = super().selected_text()
        if not text:
            return ""
        heads = [str(self.source.headerData(NUMBER[i], Qt.Orientation.Horizontal)) for i in
                 self.shown()]  # fmt: skip
        return "\n".join(["\t".join(heads), text])

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.arrange()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # The page scrolls, unless there is something to scroll here.
        if self.verticalScrollBar().maximum() == 0 and not event.angleDelta().x():
            event.ignore()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bare = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if bare and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            column = self.currentIndex().column()
            if column >= 0:
                header = self.horizontalHeader()
                ascending = header.sortIndicatorSection() != column or (
                    header.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder
                )
                order = Qt.SortOrder.AscendingOrder if ascending else Qt.SortOrder.DescendingOrder
                self.sortByColumn(column, order)
            event.accept()
            return
        super().keyPressEvent(event)


class LanesCard(Card):
    """The table with its title and the choice of columns."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.columns = PlainButton("Columns", COLUMNS_TIP, icon="columns")
        """Opens the choice of columns."""
        super().__init__("Strategies", "", [self.columns], parent=parent)
        self.table = LanesTable()
        """The table."""
        self.body.setContentsMargins(1, 0, 1, 6)
        self.body.addWidget(self.table)
        self.columns.clicked.connect(self.open_columns)

    def set_verdict(self, verdict: Verdict | None, looks: Looks, *, faint: bool) -> None:
        """Show another verdict."""
        self.table.set_verdict(verdict, looks, faint=faint)
        rows = verdict.rows if verdict is not None else 0
        told = f"same {count_text(rows)} rows, each row predicted before it was learned"
        self.set_subtitle(told if rows else "")

    def columns_menu(self) -> QMenu:
        """Return the menu of columns, those on screen ticked."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        shown = self.table.shown()
        for column in COLUMNS:
            if column.shown == "always":
                continue
            words = f"{column.title}, {column.under}" if column.under else column.title
            entry = menu.addAction(words)
            entry.setCheckable(True)
            entry.setChecked(column.id in shown)
            entry.triggered.connect(lambda on, c=column.id: self.table.choose(c, bool(on)))
        menu.addSeparator()
        usual = menu.addAction("The usual columns")
        usual.triggered.connect(self.table.forget_choice)
        return menu

    def open_columns(self) -> None:
        """Open the choice of columns."""
        menu = self.columns_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.columns.mapToGlobal(self.columns.rect().bottomLeft()))


def _remembered() -> dict[str, bool]:
    try:
        saved = json.loads(settings().layout("decide.columns") or "{}")
        return {str(k): bool(v) for k, v in saved.items() if k in BY_ID}
    except (ValueError, AttributeError):
        return {}
