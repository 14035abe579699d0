"""The Data page: what is in the file, what is predicted, where training ends, what to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSplitter, QVBoxLayout, QWidget

from modellab.data.endings import PART_ENDINGS
from modellab.errors import ExperimentError
from modellab.experiment import Experiment, replace
from modellab.gui.actions import Action
from modellab.gui.data.column_dialog import ColumnDialog
from modellab.gui.data.export_dialog import ExportDialog
from modellab.gui.data.reading_dialog import ReadingDialog
from modellab.gui.kit import (
    Banner,
    Card,
    EmptyState,
    Label,
    LinkButton,
    PageHead,
    Pill,
    PlainButton,
    PrimaryButton,
    ProgressLine,
    count_text,
    describe,
    duration_text,
    size_text,
    tip_text,
)
from modellab.gui.pages import data_edits as edits
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.pages.data_bad_rows import BadRowsDialog
from modellab.gui.pages.data_columns import ColumnsTable
from modellab.gui.pages.data_facts import column_facts, roles_text
from modellab.gui.pages.data_growing import GrowingBanner
from modellab.gui.pages.data_notes import NotesCard
from modellab.gui.pages.data_reading import ReadingCard
from modellab.gui.pages.data_remedies import note_views
from modellab.gui.pages.data_rows import RowsCard
from modellab.gui.pages.data_split import SplitCard
from modellab.gui.pages.lazy import LazyPage
from modellab.gui.pages.scroll import scrolled
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtGui import QResizeEvent

    from modellab.gui.pages.data_edits import Edit
    from modellab.gui.session_jobs import Job


NO_DATA = (
    "No data yet",
    "Drop a CSV or Parquet file anywhere on the window, or open one.",
)


class DataPage(LazyPage):
    """Left: columns and rows. Right: split, worth knowing, reading."""

    id = "data"
    title = "Data"
    icon = "table"

    def build(self) -> Iterator[None]:
        self.kept_notes: set[str] = set()
        self._kept_for = ""
        self._target_names: list[str] = []
        self._shared_for = ""
        self._split_moved = False
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 16, 16, 12)
        outer.setSpacing(12)
        self.head = PageHead("table", "Data")
        outer.addWidget(self.head)
        self._fill_head()
        yield
        self.progress = ProgressLine()
        self.progress.cancelled.connect(self._cancel)
        self.progress.hide()
        outer.addWidget(self.progress)
        self.growing = GrowingBanner(self.session)
        outer.addWidget(self.growing)
        self.wrong = Banner("error", "")
        self.wrong.hide()
        outer.addWidget(self.wrong)
        self.empty = EmptyState(
            "table",
            *NO_DATA,
            action="Open…",
            tip="Open a data file or an experiment.",
            clicked=lambda: self.run_action.emit("file.open"),
        )
        outer.addWidget(self.empty, 1)
        self.content = QWidget()
        outer.addWidget(self.content, 1)
        columns = QHBoxLayout(self.content)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(12)
        yield
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        columns.addWidget(self.splitter, 1)
        yield from self._fill_left()
        inner = QWidget()
        area = scrolled(inner)
        area.setFixedWidth(px(376))
        columns.addWidget(area)
        yield from self._fill_right(inner)
        self.watch_all("data", "profile", "experiment")
        self.watch("jobs", self._show_job)
        self.refresh()

    def _fill_head(self) -> None:
        self.target = ChoiceField(
            "Predicts",
            "The target: the column that models learn to predict.",
            chosen=self._set_target,
        )
        self.target.setFixedWidth(px(160))
        self.guess = Pill("a guess", "warning")
        self.confirm = LinkButton(
            "That is right",
            "Keep this target; the mark goes away.",
            clicked=self.session.confirm_target,
        )
        box = QWidget()
        self.head.add_action(box)
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 8, 0)
        row.setSpacing(8)
        label = Label("Predicts", 13, 400, "second")
        label.setBuddy(self.target)
        for widget in (label, self.target, self.guess, self.confirm):
            row.addWidget(widget)
        other = PlainButton(
            "Open…",
            "Open another data file or experiment. Files can also be dropped anywhere.",
            icon="folder-open",
            clicked=lambda: self.run_action.emit("file.open"),
        )
        self.forward = PrimaryButton(
            "Continue to Train",
            "Choose a learner and train it on the training window.",
            icon="arrow-right",
            clicked=lambda: self.go_to.emit("train"),
        )
        for button in (other, self.forward):
            self.head.add_action(button)

    def _fill_left(self) -> Iterator[None]:
        self.finder = QLineEdit()
        self.finder.setPlaceholderText("Find a column")
        self.finder.setClearButtonEnabled(True)
        self.finder.setFixedWidth(px(170))
        describe(self.finder, "Find a column", "Show only columns whose name contains this.")
        self.how_read = LinkButton(
            "How the file was read…",
            "See and change what was found out: delimiter, decimal sign, encoding, header, words "
            "for missing values.",
            clicked=self.show_reading,
        )
        self.other_part = LinkButton(
            "Another part…",
            "Choose another sheet, table or member of this file, or ask a query.",
            clicked=self.choose_part,
        )
        split = self.splitter
        split.setChildrenCollapsible(False)
        split.setHandleWidth(12)
        split.splitterMoved.connect(self._splitter_moved)
        links = [self.how_read, self.other_part]
        self.columns_card = Card("Columns", "", [*links, self.finder])
        self.columns_card.body.setContentsMargins(8, 0, 8, 8)
        self.columns_card.setMinimumHeight(px(150))
        split.addWidget(self.columns_card)
        yield
        self.columns = ColumnsTable()
        self.columns_card.body.addWidget(self.columns)
        self.finder.textChanged.connect(self.columns.set_filter)
        self.columns.role_chosen.connect(self._set_role)
        self.columns.kind_chosen.connect(self._set_kind)
        self.columns.ignore_wanted.connect(self._ignore)
        self.columns.details_wanted.connect(self.show_column)
        yield
        self.rows_card = RowsCard(self.session)
        self.rows_card.bad.clicked.connect(self.show_bad_rows)
        self.rows_card.setMinimumHeight(px(130))
        split.addWidget(self.rows_card)
        split.setStretchFactor(0, 1)
        split.setStretchFactor(1, 1)
        yield

    def _fill_right(self, inner: QWidget) -> Iterator[None]:
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.split = SplitCard(self.session)
        self.split.split_moved.connect(self._split_moving)
        self.split.split_wanted.connect(self._set_split)
        self.split.test_wanted.connect(self._set_test)
        self.split.sort_wanted.connect(self._set_sort)
        column.addWidget(self.split)
        yield
        self.notes = NotesCard()
        column.addWidget(self.notes)
        yield
        self.reading = ReadingCard(self.session)
        self.reading.wanted.connect(self._set_training)
        column.addWidget(self.reading)
        column.addStretch(1)
        yield

    def _splitter_moved(self) -> None:
        self._split_moved = True

    def _share_height(self) -> None:
        """Give the columns what they need, up to three fifths; the rows take the rest."""
        data = self.session.data
        total = self.splitter.height() - self.splitter.handleWidth()
        if data is None or total < 100:
            return
        needed = px(42 + 34 + 14) + px(38) * len(data.columns)
        columns = max(px(150), min(needed, round(total * 0.6)))
        self.splitter.setSizes([columns, total - columns])
        self._shared_for = data.fingerprint

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.complete and not self._split_moved:
            self._share_height()

    # ------------------------------------------------------------------ page

    def available(self) -> str | None:
        have = self.session.data is not None or self.session.job_of("open") is not None
        return None if have else "Open data first."

    def status(self) -> list[str]:
        data = self.session.data
        if data is None:
            return []
        which = "all" if data.whole else "the first"
        told = [f"kinds detected from {which} {count_text(data.n_rows)} rows"]
        if data.bad_rows:
            told.append(f"{count_text(data.bad_rows)} rows set aside")
        return told

    def actions_offered(self) -> list[Action]:
        def with_data() -> str | None:
            return None if self.session.data is not None else "Open data first."

        def with_bad() -> str | None:
            data = self.session.data
            if data is None:
                return "Open data first."
            return None if data.bad_rows else "No row was set aside."

        def with_parts() -> str | None:
            if self.session.data is None:
                return "Open data first."
            return None if self._has_parts() else "The file holds one table only."

        return [
            Action(
                "data.reading",
                "&How the file was read…",
                "See and change how the file was read, with its first rows.",
                self.show_reading,
                menu="File",
                group=2,
                enabled=with_data,
            ),
            Action(
                "data.part",
                "Another s&heet or table…",
                "Choose another part of this file, or ask a database a query.",
                self.choose_part,
                menu="File",
                group=2,
                enabled=with_parts,
            ),
            Action(
                "data.export",
                "&Export the data…",
                "Write all rows as Parquet or CSV.",
                self.export,
                menu="File",
                group=2,
                enabled=with_data,
            ),
            Action(
                "data.bad_rows",
                "Rows that were set &aside…",
                "Show the rows that could not be read, with the reason, and save them.",
                self.show_bad_rows,
                icon="rows",
                menu="View",
                group=5,
                enabled=with_bad,
            ),
            Action(
                "data.split",
                "Rows at the &split",
                "Show the rows where the training window ends and the stream begins.",
                lambda: self.rows_card.show_place("split"),
                menu="View",
                group=5,
                enabled=with_data,
            ),
            Action(
                "data.find",
                "&Find a column",
                "Show only the columns whose name contains what you type.",
                self.finder.setFocus,
                shortcut="Ctrl+F",
                menu="Edit",
                group=5,
                enabled=with_data,
            ),
        ]

    # ------------------------------------------------------------------ what is shown

    def refresh(self) -> None:
        """Show what the session holds."""
        session = self.session
        data, experiment = session.data, session.experiment
        have = data is not None and experiment is not None
        self.content.setVisible(have)
        self.empty.setVisible(not have)
        if not have:
            self._show_empty()
        self.head.setVisible(have or session.job_of("open") is not None)
        self._show_job()
        if data is None or experiment is None:
            self.wrong.hide()
            return
        if self._kept_for != data.fingerprint:
            self._kept_for = data.fingerprint
            self.kept_notes.clear()
        if self._shared_for != data.fingerprint:
            self._split_moved = False
            self._share_height()
        self._show_head()
        session.ask_comparison()
        facts = column_facts(session)
        self.columns.source.set_columns(facts)
        share = session.train_rows / data.n_rows if data.n_rows else 0.0
        self.columns.source.set_split(share)
        self.other_part.setVisible(self._has_parts())
        self.columns_card.set_subtitle(f"{roles_text(facts)} · shaded part = training window")
        self.rows_card.refresh()
        if session.wanted_row is not None:
            row, session.wanted_row = session.wanted_row, None
            self.rows_card.show_row(row, context=2)
        self.split.refresh()
        self.reading.refresh()
        profiled = session.profile is not None and not session.profile_stale
        views = note_views(session, self)
        error = session.profile.error if session.profile is not None else None
        found = "Known once there is something to predict." if error else "Nothing stands out."
        self.notes.set_notes(views, found if profiled else "The columns are being looked at.")
        self._show_guess()
        self.wrong.set_text(error or "")
        self.wrong.setVisible(bool(error))
        self.forward.set_reason(error, "Choose a learner and train it on the training window.")
        self.status_changed.emit()

    def _show_empty(self) -> None:
        job = self.session.job_of("open")
        if job is None:
            self.empty.set_text(*NO_DATA)
        else:
            told = "Rows and columns appear here as soon as they are known."
            self.empty.set_text(f"{job.title}…", told)
        if self.empty.button is not None:
            self.empty.button.setVisible(job is None)

    def _show_head(self) -> None:
        data, experiment = self.session.data, self.session.experiment
        assert data is not None
        assert experiment is not None
        facts = [
            f"{'' if data.whole else 'first '}{count_text(data.n_rows)} rows",
            f"{count_text(len(data.columns))} columns",
            size_text(data.size_bytes),
        ]
        if experiment.data.sort:
            facts.append(f"sorted by {experiment.data.time}")
        facts.append(f"read in {duration_text(data.read_seconds)}")
        self.head.set_title(data.name, " · ".join(facts))

    def _show_guess(self) -> None:
        session = self.session
        data, experiment = session.data, session.experiment
        assert data is not None
        assert experiment is not None
        names = [c.name for c in data.columns]
        if names != self._target_names:
            self._target_names = names
            texts = [" ".join(n[:80].split()) for n in names]
            self.target.set_options(list(zip(names, texts, strict=True)))
        self.target.set_current(experiment.data.target)
        guessed = session.target_guessed
        self.guess.setVisible(guessed)
        self.confirm.setVisible(guessed)
        reason = data.guessed_target_reason.rstrip(".")
        self.guess.setToolTip(tip_text(f"Nobody chose the target yet: {reason}."))

    def _show_job(self) -> None:
        self.growing.refresh()
        job = self._job()
        if job is None:
            if self.progress.active():
                self.progress.finish()
            return
        # A profile that is there in a moment needs no bar.
        quick = job.kind == "profile" and self.session.profile is not None
        if quick and job.seconds() < 0.4:
            return
        label = job.title if job.kind == "profile" or not job.text else f"{job.title}: {job.text}"
        if not self.progress.active():
            self.progress.start(label)
        self.progress.set_progress(job.fraction, label)
        self.head.setVisible(True)

    def _job(self) -> Job | None:
        """Return the work that the page waits for; what reads on has a line of its own."""
        job = self.session.job_of("open")
        if job is None or job.usable:
            job = self.session.job_of("profile")
        return job

    def _cancel(self) -> None:
        job = self._job()
        if job is not None:
            self.session.cancel(job)

    # ------------------------------------------------------------------ what is done

    def apply(self, edit: Edit, merge: str = "") -> None:
        """Take over an edit; what is not valid is told and changes nothing."""
        try:
            self.session.edit(edit.text, edit.experiment, merge=merge)
        except ExperimentError as error:
            self.session.tell("warning", error.sentence)
            self.refresh()

    def _experiment(self) -> Experiment:
        experiment = self.session.experiment
        assert experiment is not None
        return experiment

    def _set_role(self, column: str, role: str) -> None:
        if role == self.session.role_of(column):
            if role == "target":
                self.session.confirm_target()
            return
        edit = edits.with_role(self._experiment(), column, role)
        if isinstance(edit, str):
            self.session.tell("info", edit)
        else:
            self.apply(edit)

    def _set_target(self, column: str) -> None:
        self._set_role(column, "target")

    def _set_kind(self, column: str, kind: str) -> None:
        data = self.session.data
        if data is None or kind == self.session.kind_of(column):
            return
        detected = next(c.kind for c in data.columns if c.name == column)
        self.apply(edits.with_kind(self._experiment(), column, kind, detected))  # type: ignore[arg-type]

    def _ignore(self, columns: list[str]) -> None:
        self.apply(edits.without(self._experiment(), columns))

    def _split_moving(self, rows: int) -> None:
        total = max(1, self.session.n_rows)
        self.columns.source.set_split(rows / total)

    def _set_split(self, rows: int) -> None:
        if rows != self.session.train_rows:
            self.apply(edits.with_split(self._experiment(), rows), merge="split")
        else:
            self.refresh()

    def _set_test(self, share: float) -> None:
        self.apply(edits.with_test_share(self._experiment(), round(share, 4)), merge="test")

    def _set_sort(self, sort: bool) -> None:
        self.apply(edits.with_sort(self._experiment(), sort))

    def _set_training(self, spec: object, text: str) -> None:
        experiment = self._experiment()
        self.apply(edits.Edit(text, replace(experiment, training=spec)), merge=text)

    def keep_note(self, note_id: str) -> None:
        """Hide a note until other data are opened."""
        self.kept_notes.add(note_id)
        self.refresh()

    def show_column(self, name: str) -> None:
        """Tell more about a column."""
        if self.session.kind_of(name) is None:
            return
        ColumnDialog(self.session, name, self._set_kind, self).open()

    def _has_parts(self) -> bool:
        data = self.session.data
        if data is None or len(data.paths) != 1:
            return False
        return data.paths[0].partition("::")[0].lower().endswith(PART_ENDINGS)

    def show_reading(self) -> None:
        """Show how the file was read, to be changed."""
        data = self.session.data
        if data is not None:
            ReadingDialog(self.session, data.paths, self.session.reading, self).open()

    def choose_part(self) -> None:
        """Ask for another part of the file."""
        data = self.session.data
        if data is not None and self._has_parts():
            path = data.paths[0].partition("::")[0]
            self.session.choose_part(path, lambda chosen: self.session.open_paths([chosen]))

    def export(self) -> None:
        """Ask as what the data are to be written, and where."""
        if self.session.data is not None:
            ExportDialog(self.session, self).open()

    def show_bad_rows(self) -> None:
        """Open the viewer of rows that were set aside."""
        BadRowsDialog(self.session, self).open()
