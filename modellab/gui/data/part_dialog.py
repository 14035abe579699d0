"""Which part of a file is meant: a sheet, a table, a member of an archive, or a query."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QItemSelectionModel, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from modellab.errors import quote
from modellab.gui.data.cells import CellsModel
from modellab.gui.kit import (
    Banner,
    DataTable,
    Label,
    PlainButton,
    PrimaryButton,
    SegmentedControl,
    count_text,
    describe,
    size_text,
)
from modellab.gui.pages.text_model import TextModel
from modellab.gui.session_core import NO_ENGINE
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.data.parts import Part, Parts
    from modellab.gui.session import Session
    from modellab.gui.session_jobs import Job
    from modellab.replay.data_protocol import HeadPage

INNER = "::"
TOGETHER = "All together, as one data set"
LOOK_MS = 150
_WORDS = {"sheet": "sheet", "table": "table", "file": "file"}
MAX_QUERY = 10_000


class PartDialog(QDialog):
    """The parts with their rows at the left, the first rows of the chosen one at the right.

    Parameters
    ----------
    session
        Looks at the parts.
    parts
        What the file consists of.
    chosen
        Gets the path with the part behind two colons.
    """

    def __init__(
        self,
        session: Session,
        parts: Parts,
        chosen: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._parts, self._chosen = parts, chosen
        self._job: Job | None = None
        word = _WORDS[parts.kind]
        self.setWindowTitle(f"Choose a {word}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.table = DataTable(f"{word.capitalize()}s of the file", "Choose one of them.")
        self._list = TextModel((word.capitalize(), "Rows", "Columns"), self)
        self.table.setModel(self._list)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._all = [TOGETHER] if parts.together else []
        self._list.set_rows([*([t, "", ""] for t in self._all), *map(_cells, parts.parts)],
                            right={1, 2})  # fmt: skip
        if parts.kind == "file":
            self._list.set_rows(
                [*([t, ""] for t in self._all), *map(_member, parts.parts)],
                ("File", "Size"),
                right={1},
            )
            self.table.set_widths([240, 90], stretch=0)
        else:
            self.table.set_widths([180, 90, 90], stretch=0)
        self.way = SegmentedControl(
            "What is read",
            [
                ("part", "A table", "One of the tables and views."),
                ("query", "A query", "What a query gives: only SELECT, and only of this file."),
            ],
        )
        self.way.setVisible(parts.queries)
        self.query = QPlainTextEdit()
        self.query.setPlaceholderText("SELECT … FROM …")
        describe(
            self.query, "Query", "One SELECT statement; the database is opened read-only.\n"
            "Its rows are the data set."
        )  # fmt: skip
        self.query.setTabChangesFocus(True)
        self.query.hide()
        self.run = PlainButton(
            "Show its first rows", "Ask the query, for its first rows.", clicked=self.look
        )
        self.run.hide()
        self.story = Label("", 13, 400, "second", wrap=True)
        self.problem = Banner("warning", "")
        self.problem.hide()
        self.rows = DataTable("First rows", "The first rows of what is chosen.")
        self.model = CellsModel(self)
        self.rows.setModel(self.model)
        self.ok = PrimaryButton("Open", "Open it as the data set.", clicked=self.accept)
        self.cancel = PlainButton("Cancel", "Open nothing.", clicked=self.reject)
        self._build(word)
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(LOOK_MS)
        self._wait.timeout.connect(self.look)
        self.table.selectionModel().currentRowChanged.connect(lambda *_rows: self._wait.start())
        self.table.doubleClicked.connect(lambda _index: self.accept())
        for key in ("part", "query"):
            self.way.button(key).clicked.connect(lambda _on=False, k=key: self.show_way(k))
        self.query.textChanged.connect(self._typed)
        self.finished.connect(self._ended)
        self.select(self._first())
        self.table.setFocus()
        self.look()

    def _build(self, word: str) -> None:
        left = QVBoxLayout()
        left.setSpacing(px(8))
        left.addWidget(self.way, 0, Qt.AlignmentFlag.AlignLeft)
        left.addWidget(self.table, 1)
        left.addWidget(self.query, 1)
        left.addWidget(self.run, 0, Qt.AlignmentFlag.AlignLeft)
        side = QWidget()
        side.setLayout(left)
        left.setContentsMargins(0, 0, 0, 0)
        side.setFixedWidth(px(384))
        right = QVBoxLayout()
        right.setSpacing(px(8))
        right.addWidget(self.story)
        right.addWidget(self.problem)
        right.addWidget(self.rows, 1)
        both = QHBoxLayout()
        both.setSpacing(px(16))
        both.addWidget(side)
        both.addLayout(right, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(px(20), px(16), px(20), px(14))
        outer.setSpacing(px(12))
        count = len(self._parts.parts) + self._parts.more
        more = (
            f"; the first {count_text(len(self._parts.parts))} are listed"
            if self._parts.more
            else ""
        )
        name = quote(Path(self._parts.path).name)
        outer.addWidget(Label(f"{name} holds {count_text(count)} {word}s{more}", 16, 600))
        outer.addLayout(both, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.ok)
        outer.addLayout(row)
        self.resize(px(1000), px(560))

    def _first(self) -> int:
        """The part with the most rows; the first where none was counted; all, of an archive."""
        if self._all:
            return 0
        counts = [part.rows or 0 for part in self._parts.parts]
        return counts.index(max(counts)) if counts else 0

    # ------------------------------------------------------------------ what is chosen

    def select(self, row: int) -> None:
        """Choose a line of the list."""
        self.table.selectionModel().setCurrentIndex(
            self._list.index(row, 0),
            QItemSelectionModel.SelectionFlag.ClearAndSelect
            | QItemSelectionModel.SelectionFlag.Rows,
        )

    def show_way(self, key: str) -> None:
        """Choose a table, or ask a query."""
        self.way.set_current(key)
        query = key == "query"
        self.table.setVisible(not query)
        self.query.setVisible(query)
        self.run.setVisible(query)
        if query and not self.query.toPlainText().strip():
            part = self.part()
            name = '"' + part.replace('"', '""') + '"'
            self.query.setPlainText(f"SELECT * FROM {name}" if part else "")
        self.look()

    def part(self) -> str:
        """Return the name of the chosen part; empty for all of them."""
        at = self.table.currentIndex().row() - len(self._all)
        return self._parts.parts[at].name if 0 <= at < len(self._parts.parts) else ""

    def chosen_path(self) -> str:
        """Return what would be opened."""
        inner = self.part()
        if self.way.current() == "query":
            inner = as_part(self.query.toPlainText()[:MAX_QUERY])
        return f"{self._parts.path}{INNER}{inner}" if inner else self._parts.path

    def _typed(self) -> None:
        empty = None if self.query.toPlainText().strip() else "Write a query first."
        self.ok.set_reason(empty, "Open it as the data set.")
        self.run.set_reason(empty, "Ask the query, for its first rows.")

    # ------------------------------------------------------------------ looking

    def look(self) -> None:
        """Show the first rows of what is chosen."""
        self._wait.stop()
        if self._job is not None:
            self.session.cancel(self._job)
            self._job = None
        path = self.chosen_path()
        query = self.way.current() == "query"
        if path == self._parts.path:
            what = "All files are read one after the other; they must have the same columns."
            self.story.setText(what if self._all else "Write a query first.")
            self.model.set_cells((), ())
            self.problem.hide()
            self.ok.set_reason(None if self._all else "Write a query first.", "Open all of them.")
            return
        self.story.setText("Looking at the first rows…")
        jobs: list[Job] = []

        def seen(found: HeadPage) -> None:
            if jobs and self._job is jobs[0]:
                self._show(found)

        def failed(sentence: str) -> None:
            if jobs and self._job is jobs[0]:
                self._wrong(sentence)

        self._job = self.session.preview_part(path, seen, failed)
        jobs.append(self._job)
        if self._job.state == "failed":
            self._wrong(NO_ENGINE)
        elif not query:
            self.ok.set_reason(None, "Open it as the data set.")

    def _show(self, found: HeadPage) -> None:
        self.problem.hide()
        rows = len(found.rows)
        columns = f"{count_text(len(found.columns))} column{'' if len(found.columns) == 1 else 's'}"
        first = f"the first {count_text(rows)} rows" if rows else "no rows"
        self.story.setText(f"{columns}; {first}.")
        self.model.set_cells(found.columns, found.rows)
        self.rows.set_widths(self.model.widths())
        self.ok.set_reason(None if rows else "There are no rows in it.", "Open it as the data set.")

    def _wrong(self, sentence: str) -> None:
        self.story.setText("")
        self.problem.set_text(sentence)
        self.problem.show()
        self.model.set_cells((), ())
        self.ok.set_reason(sentence, "Open it as the data set.")

    def _ended(self, result: int) -> None:
        self._wait.stop()
        path = self.chosen_path()
        if self._job is not None:
            self.session.cancel(self._job)
            self._job = None
        if result == QDialog.DialogCode.Accepted:
            self._chosen(path)


def as_part(query: str) -> str:
    """Return a query as it can stand behind a file's name: no path may tidy up its slashes."""
    pieces = " ".join(query.split("\n")).strip().split("'")
    for at, piece in enumerate(pieces):
        # Between quotation marks a text is cut in two and joined by the database.
        apart = "/' || '" if at % 2 else "/ "
        pieces[at] = re.sub(r"/(?=[/.])", apart, piece)
    return "'".join(pieces)


def _cells(part: Part) -> list[str]:
    def told(count: int | None) -> str:
        return "" if count is None else count_text(count)

    return [part.name, told(part.rows), told(part.columns)]


def _member(part: Part) -> list[str]:
    return [part.name, "" if part.size is None else size_text(part.size)]
