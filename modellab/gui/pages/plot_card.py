"""A card around a plot, with its numbers as a table one click away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtWidgets import QStackedWidget, QWidget

from modellab.gui.kit import Card, DataTable, IconButton, Label
from modellab.gui.pages.scroll import scrolled
from modellab.gui.pages.text_model import TextModel

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tabular(Protocol):
    """A plot that can tell its numbers."""

    def columns(self) -> tuple[str, ...]:
        """Headings of `rows`."""
        ...

    def rows(self) -> Sequence[tuple[str, ...]]:
        """What is drawn, as texts."""
        ...


class PlotCard(Card):
    """Shows `plot`, or its numbers; `scroll` puts the plot into a scroll area."""

    def __init__(
        self,
        title: str,
        subtitle: str,
        plot: QWidget,
        *,
        scroll: bool = False,
        actions: Sequence[QWidget] = (),
        parent: QWidget | None = None,
    ) -> None:
        self.plot: Any = plot
        """The plot."""
        self.as_table = IconButton(
            "table",
            f"{title}: as a table",
            "Show the numbers behind this plot; Ctrl+C copies what is selected.",
            on_icon="table-fill",
            checkable=True,
            size=28,
        )
        super().__init__(title, subtitle, [*actions, self.as_table], parent=parent)
        self.as_table.toggled.connect(self._toggled)
        self._stack = QStackedWidget()
        self._stack.addWidget(scrolled(plot) if scroll else plot)
        self.table = DataTable(title, f"The numbers behind the plot “{title}”.")
        """The numbers."""
        self._model = TextModel((), self)
        self.table.setModel(self._model)
        self._stack.addWidget(self.table)
        self._nothing = Label("", 13, 400, "second", wrap=True)
        self._stack.addWidget(self._nothing)
        self.body.addWidget(self._stack, 1)
        self.body.setContentsMargins(14, 0, 10, 10)

    def told(self) -> None:
        """The plot shows something else now."""
        self.as_table.setEnabled(True)
        self._toggled(self.as_table.isChecked())

    def nothing(self, reason: str) -> None:
        """Say why there is nothing to draw."""
        self._nothing.setText(reason)
        self._stack.setCurrentIndex(2)
        self.as_table.setEnabled(False)

    def _toggled(self, table: bool) -> None:
        if table:
            plot: Tabular = self.plot
            columns = plot.columns()
            self._model.set_rows(plot.rows(), columns, right=range(1, len(columns)))
            self.table.set_widths([140, *[100] * (len(columns) - 1)])
        self._stack.setCurrentIndex(1 if table else 0)
