"""Rows that were set aside while reading: file, line, reason, text; saved as CSV on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from modellab.gui.kit import DataTable, Label, PlainButton, count_text
from modellab.gui.pages.data_remedies import ask_save_bad_rows
from modellab.gui.pages.text_model import TextModel
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.replay.protocol import BadRowsPage

SHOWN = 1000


class BadRowsDialog(QDialog):
    """Shows the first thousand; all of them can be saved."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setWindowTitle("Rows that were set aside")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(px(820), px(520))
        self.story = Label("Reading…", 13, 400, "second", wrap=True)
        self.table = DataTable(
            "Rows that were set aside", "Rows that could not be read, with file, line and reason."
        )
        self._model = TextModel(("File", "Line", "Reason", "Text"), self)
        self.table.setModel(self._model)
        self.table.set_widths([170, 80, 260, 240], stretch=3)
        save = PlainButton(
            "Save as CSV…",
            "Write all of them, with file, line and reason, to a CSV file.",
            icon="floppy-disk",
            clicked=self._ask_save,
        )
        close = PlainButton("Close", "Close this window.", clicked=self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.story)
        column.addWidget(self.table, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(save)
        row.addWidget(close)
        column.addLayout(row)
        self._open = True
        self.finished.connect(self._closed)
        session.read_bad_rows(0, SHOWN, self._came)

    def _closed(self, _result: int) -> None:
        self._open = False

    def _came(self, page: BadRowsPage | None) -> None:
        if not self._open:
            return
        if page is None:
            self.story.setText("The rows that were set aside cannot be read.")
            return
        rows = [(file, f"{line:,}", reason, text) for file, line, reason, text in page.rows]
        self._model.set_rows(rows, right={1})
        shown = "" if page.total <= len(rows) else f" Shown are the first {count_text(len(rows))}."
        one = page.total == 1
        self.story.setText(
            f"{count_text(page.total)} row{'' if one else 's'} could not be read and "
            f"{'is' if one else 'are'} not used for anything. "
            f"The file itself was not changed.{shown}"
        )

    def _ask_save(self) -> None:
        ask_save_bad_rows(self._session, self)
