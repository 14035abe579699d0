"""The rows that a lane's guard kept back: position, reason, cells; saved as CSV on request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from modellab.gui.kit import DataTable, Label, PlainButton, count_text, one_line
from modellab.gui.pages.text_model import TextModel
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.replay.protocol import QuarantinePage

SHOWN = 1000


class QuarantineDialog(QDialog):
    """Shows the first thousand; all of them can be saved."""

    def __init__(self, session: Session, lane: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self.lane = session, lane
        self.setWindowTitle(f"Rows that {one_line(lane)} kept back")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(px(860), px(520))
        self.story = Label("Reading…", 13, 400, "second", wrap=True)
        self.table = DataTable(
            "Rows that were kept back", "Rows that the lane did not learn from, and why."
        )
        self._model: TextModel | None = None
        self.save = PlainButton(
            "Save as CSV…",
            "Write all of them, with position and reason, to a CSV file.",
            icon="floppy-disk",
            clicked=self._ask_save,
        )
        close = PlainButton("Close", "Close this window.", clicked=self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(16), px(16), px(16), px(16))
        column.setSpacing(px(12))
        column.addWidget(self.story)
        column.addWidget(self.table, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.save)
        row.addWidget(close)
        column.addLayout(row)
        self._open = True
        self.finished.connect(self._closed)
        session.read_quarantine(lane, 0, SHOWN, self._came)

    def _closed(self, _result: int) -> None:
        self._open = False

    def _came(self, page: QuarantinePage) -> None:
        if not self._open:
            return
        self._model = TextModel(("Row", "Why", *page.columns), self)
        self.table.setModel(self._model)
        self.table.set_widths([90, 240, *(110 for _ in page.columns)], stretch=1)
        rows = [
            (count_text(at), reason, *("–" if cell is None else cell for cell in cells))
            for at, reason, cells in page.rows
        ]
        self._model.set_rows(rows, right={0})
        shown = "" if page.total <= len(rows) else f" Shown are the first {count_text(len(rows))}."
        one = page.total == 1
        self.story.setText(
            f"{count_text(page.total)} row{'' if one else 's'} looked wrong to the guard: the lane "
            f"answered {'it' if one else 'them'}, but did not learn from "
            f"{'it' if one else 'them'}.{shown}"
        )

    def _ask_save(self) -> None:
        dialog = QFileDialog(self, "Save the rows that were kept back")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(["Comma-separated values (*.csv)"])
        dialog.setDefaultSuffix("csv")
        dialog.selectFile("quarantine.csv")
        dialog.fileSelected.connect(self.save_to)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def save_to(self, name: str) -> None:
        """Write all of them to a file."""

        def saved(page: QuarantinePage) -> None:
            rows = count_text(page.total)
            self.session.tell("info", f"{rows} rows were written to {Path(name).name}.")

        self.session.read_quarantine(self.lane, 0, 1, saved, save_to=name)
