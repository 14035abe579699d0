"""How a file is read: what was found out, changeable, with the first rows read anew at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from modellab.errors import ExperimentError, quote
from modellab.experiment import ReadingSpec, replace
from modellab.experiment_reading import check_reading
from modellab.gui.data.cells import CellsModel
from modellab.gui.data.reading_form import ReadingForm
from modellab.gui.kit import (
    Banner,
    DataTable,
    Label,
    LinkButton,
    PlainButton,
    PrimaryButton,
    count_text,
)
from modellab.gui.pages.text_model import TextModel
from modellab.gui.session_core import NO_ENGINE
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.data.preview import Preview
    from modellab.gui.session import Session
    from modellab.gui.session_jobs import Job

TYPING_MS = 250
"""After so long without a change the file is read anew."""


class ReadingDialog(QDialog):
    """Settings at the left, rows at the right; every change is read at once.

    Parameters
    ----------
    session
        Looks at the file, and opens it.
    paths
        The data set's files; the first is looked at.
    reading
        What was said so far.
    """

    def __init__(
        self,
        session: Session,
        paths: Sequence[str],
        reading: ReadingSpec,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._paths = list(paths)
        self._job: Job | None = None
        self.setWindowTitle("How the file is read")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.form = ReadingForm()
        self.form.set_reading(reading)
        self.story = Label("Looking at the first rows…", 13, 400, "second", wrap=True)
        self.doubts = Banner("warning", "")
        self.doubts.hide()
        self.rows = DataTable("First rows", "The first rows, as they are read with these settings.")
        self.model = CellsModel(self)
        self.rows.setModel(self.model)
        self.bad_title = Label("Cannot be read", 13, 600)
        self.bad = DataTable("Rows that cannot be read", "With the line and the reason.")
        self._bad_model = TextModel(("Line", "Reason", "Text"), self)
        self.bad.setModel(self._bad_model)
        self.bad.set_widths([72, 240, 200], stretch=2)
        self.ok = PrimaryButton(
            "Read it like this", "Read the whole file with these settings.", clicked=self.accept
        )
        self.cancel = PlainButton("Cancel", "Leave everything as it is.", clicked=self.reject)
        self.reset = LinkButton(
            "Find everything out again",
            "Forget what was said here; everything is found out from the file.",
            clicked=lambda: self.set_reading(ReadingSpec()),
        )
        self._build()
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(TYPING_MS)
        self._wait.timeout.connect(self.look)
        self.form.changed.connect(self._wait.start)
        self.finished.connect(self._ended)
        self._before = reading
        self.look()

    def _build(self) -> None:
        left = QScrollArea()
        left.setWidgetResizable(True)
        left.setFrameShape(QFrame.Shape.NoFrame)
        left.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inner = QWidget()
        box = QVBoxLayout(inner)
        box.setContentsMargins(0, 0, px(14), 0)
        box.addWidget(self.form)
        left.setWidget(inner)
        left.viewport().setAutoFillBackground(False)
        inner.setAutoFillBackground(False)
        left.setFixedWidth(px(296))
        left.setAccessibleName("How the file is read: settings")
        right = QVBoxLayout()
        right.setSpacing(px(8))
        right.addWidget(self.story)
        right.addWidget(self.doubts)
        right.addWidget(self.rows, 3)
        right.addWidget(self.bad_title)
        right.addWidget(self.bad, 1)
        self.bad.setMaximumHeight(px(150))
        self.bad_title.hide()
        self.bad.hide()
        both = QHBoxLayout()
        both.setSpacing(px(16))
        both.addWidget(left)
        both.addLayout(right, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(px(20), px(16), px(20), px(14))
        outer.setSpacing(px(12))
        names = quote(Path(self._paths[0]).name)
        more = f" and {count_text(len(self._paths) - 1)} more" if len(self._paths) > 1 else ""
        outer.addWidget(Label(f"How {names}{more} is read", 16, 600))
        outer.addLayout(both, 1)
        row = QHBoxLayout()
        row.addWidget(self.reset)
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.ok)
        outer.addLayout(row)
        self.resize(px(1080), px(640))

    # ------------------------------------------------------------------ looking

    def set_reading(self, reading: ReadingSpec) -> None:
        """Show other settings, and read with them."""
        self.form.set_reading(reading)
        self.look()

    def look(self) -> None:
        """Read the first rows with what is set now."""
        self._wait.stop()
        reading = self.form.reading()
        try:
            check_reading(reading)
        except ExperimentError as error:
            self._wrong(error.sentence.replace("data.reading.", ""))
            return
        if self._job is not None:
            self.session.cancel(self._job)
        job: list[Job] = []

        def newest() -> bool:
            return bool(job) and self._job is job[0]

        def seen(found: Preview) -> None:
            if newest():
                self._show(found)

        def failed(sentence: str) -> None:
            if newest():
                self._wrong(sentence)

        self._job = self.session.preview_file(self._paths[0], reading, seen, failed)
        job.append(self._job)
        if self._job.state == "failed":
            self._wrong(NO_ENGINE)

    def _wrong(self, sentence: str) -> None:
        self.doubts.set_text(sentence)
        self.doubts.show()
        self.story.setText("So it cannot be read.")
        self.model.set_cells((), ())
        self._show_bad([], "")
        self.ok.set_reason(sentence, "Read the whole file with these settings.")

    def _show(self, found: Preview) -> None:
        self.form.show_found(found)
        seen = found.seen + found.bad_seen
        rows = f"{count_text(seen)} row{'' if seen == 1 else 's'}"
        part = "All of its" if found.whole else "The first"
        columns = len(found.columns)
        bad = f"; {count_text(found.bad_seen)} cannot be read" if found.bad_seen else ""
        self.story.setText(
            f"{part} {rows} were looked at: {count_text(columns)} "
            f"column{'' if columns == 1 else 's'}{bad}."
        )
        self.doubts.set_text(" ".join(found.doubts))
        self.doubts.setVisible(bool(found.doubts))
        self.model.set_cells(found.columns, found.rows, kinds=found.kinds, lines=found.lines)
        self.rows.set_widths(self.model.widths())
        more = (
            f", the first {count_text(len(found.bad))}" if len(found.bad) < found.bad_seen else ""
        )
        title = f"Cannot be read: {count_text(found.bad_seen)}{more}"
        self._show_bad([(f"{b.line:,}", b.reason, b.text) for b in found.bad], title)
        nothing = "There is no row that can be read." if not found.seen else None
        self.ok.set_reason(nothing, "Read the whole file with these settings.")

    def _show_bad(self, rows: list[tuple[str, str, str]], title: str) -> None:
        self._bad_model.set_rows(rows, right={0})
        self.bad_title.setText(title)
        self.bad_title.setVisible(bool(rows))
        self.bad.setVisible(bool(rows))

    # ------------------------------------------------------------------ doing it

    def _ended(self, result: int) -> None:
        self._wait.stop()
        if self._job is not None:
            self.session.cancel(self._job)
            self._job = None
        if result == QDialog.DialogCode.Accepted:
            self._read()

    def _read(self) -> None:
        reading, session = self.form.reading(), self.session
        data, experiment = session.data, session.experiment
        opened = data is not None and (
            self._paths == data.paths
            or (experiment is not None and self._paths == experiment.data.paths)
        )
        if not opened or experiment is None:
            session.open_paths(self._paths, reading)
        elif reading != experiment.data.reading:
            try:
                spec = replace(experiment.data, reading=reading)
                session.edit("Change how the file is read", replace(experiment, data=spec))
            except ExperimentError as error:
                session.tell("warning", error.sentence)
