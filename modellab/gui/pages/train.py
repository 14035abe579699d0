"""The Train page: choose a learner, set it, train it; what was trained is kept and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from modellab.experiment import LearnerSpec, Scalar
from modellab.gui.actions import Action
from modellab.gui.kit import (
    Banner,
    Card,
    EmptyState,
    Label,
    LabeledField,
    LinkButton,
    PageHead,
    Pill,
    PlainButton,
    PrimaryButton,
    ProgressLine,
    QuietButton,
    count_text,
    describe,
)
from modellab.gui.pages.data_times import date_text
from modellab.gui.pages.lazy import LazyPage
from modellab.gui.pages.rate_map import RateMapBox
from modellab.gui.pages.report_facts import metric_words
from modellab.gui.pages.scroll import scrolled
from modellab.gui.pages.train_compare import CompareCard
from modellab.gui.pages.train_form import ParameterForm
from modellab.gui.pages.train_learners import Item, LearnerList, items_for, sentence
from modellab.gui.pages.train_list import TrainingList
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modellab.learners.base import CatalogueEntry


class _Facts(QWidget):
    """What the next training reads: label and value in two columns."""

    def __init__(self, names: dict[str, str]) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        self._values: dict[str, Label] = {}
        for row, (key, name) in enumerate(names.items()):
            grid.addWidget(Label(name, 12, 400, "second"), row, 0, Qt.AlignmentFlag.AlignTop)
            value = Label("", 12, 500, wrap=True)
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, row, 1)
            self._values[key] = value

    def set(self, key: str, text: str) -> None:
        """Show another value."""
        self._values[key].setText(text)
        self._values[key].setAccessibleName(text)


EXAMPLES = {
    ("sklearn", "classification"): "svm.SVC",
    ("sklearn", "regression"): "svm.SVR",
    ("river", "classification"): "tree.HoeffdingTreeClassifier",
    ("river", "regression"): "tree.HoeffdingTreeRegressor",
}
"""A class to name, by kind and task."""


class TrainPage(LazyPage):
    """Left: learners. Middle: settings and the Train button. Right: trainings and a comparison."""

    id = "train"
    title = "Train"
    icon = "brain"

    def build(self) -> Iterator[None]:
        self._kind = ""
        self._params: dict[str, dict[str, Scalar]] = {}
        self._classes: dict[str, str] = {}
        self._entry: CatalogueEntry | None = None
        self._listed: tuple[str, bool] | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 16, 16, 12)
        outer.setSpacing(12)
        self.to_test = PlainButton(
            "Continue to Test",
            "See how good the chosen model is, and where it is wrong.",
            icon="arrow-right",
            clicked=lambda: self.go_to.emit("test"),
        )
        self.head = PageHead("brain", "Train", "", [self.to_test])
        outer.addWidget(self.head)
        columns = QHBoxLayout()
        columns.setSpacing(12)
        outer.addLayout(columns, 1)
        card = Card("Learner", "", margin=8)
        columns.addWidget(card, 2)
        self._fill_learners(card)
        yield
        self.reset = QuietButton(
            "Reset",
            "Set all settings of this learner back to the usual values.",
            icon="arrow-counter-clockwise",
            clicked=self._reset,
        )
        self.settings_card = Card("Settings", "", [self.reset])
        columns.addWidget(self.settings_card, 3)
        yield from self._fill_settings(self.settings_card)
        side = QWidget()
        columns.addWidget(side, 3)
        yield from self._fill_right(side)
        # What takes longest of what is shown: learners, and the settings of the usual one.
        self._list_learners()
        yield
        self.watch_all("data", "profile", "experiment", "trainings", "jobs")
        self.refresh()

    def _fill_learners(self, card: Card) -> None:
        card.setMinimumWidth(px(228))
        card.setMaximumWidth(px(276))
        self.learners = LearnerList()
        self.learners.chosen.connect(self._choose)
        card.body.setContentsMargins(6, 0, 6, 8)
        card.body.addWidget(self.learners)

    def _fill_settings(self, card: Card) -> Iterator[None]:
        card.setMaximumWidth(px(560))
        card.body.setContentsMargins(16, 0, 4, 12)
        inner = QWidget()
        card.body.addWidget(scrolled(inner))
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 12, 0)
        column.setSpacing(12)
        self.story = Label("", 13, 400, "second", wrap=True)
        self.pills = QHBoxLayout()
        self.pills.setSpacing(6)
        self.banner = Banner("warning", "")
        self.banner.hide()
        self.class_name = QLineEdit()
        tip = (
            "Name of a class in the library, with its module: it is looked up there and only there."
        )
        describe(self.class_name, "Class", tip)
        self.class_name.textEdited.connect(self._edited)
        self.by_name = LabeledField("Class", self.class_name)
        self.form = ParameterForm()
        self.form.changed.connect(self._edited)
        column.addWidget(self.story)
        column.addLayout(self.pills)
        column.addWidget(self.banner)
        column.addWidget(self.by_name)
        column.addWidget(self.form)
        yield
        self.rates = RateMapBox(self.session)
        self.rates.rate_chosen.connect(self._rate_chosen)
        column.addWidget(self.rates)
        self.none = Label("This learner has nothing to set.", 13, 400, "second")
        column.addWidget(self.none)
        column.addStretch(1)
        yield

    def _fill_right(self, side: QWidget) -> Iterator[None]:
        side.setMinimumWidth(px(330))
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        change = LinkButton(
            "Change",
            "Change target, split and columns on the Data page.",
            clicked=lambda: self.go_to.emit("data"),
        )
        card = Card("What it trains on", "", [change])
        column.addWidget(card)
        self._fill_train_card(card)
        yield
        self.list_card = Card("Trainings", "")
        column.addWidget(self.list_card, 4)
        self.list_card.body.setContentsMargins(10, 0, 10, 10)
        self.list = TrainingList()
        self.list.chosen.connect(self.session.choose)
        self.list.removed.connect(self.session.remove_training)
        self.nothing = EmptyState(
            "chart-bar",
            "No model yet",
            "Train one: its scores are kept here, beside those that you train later.",
        )
        self.list_card.body.addWidget(self.list, 1)
        self.list_card.body.addWidget(self.nothing, 1)
        yield
        self.compare = CompareCard(self.session)
        column.addWidget(self.compare, 5)
        yield

    def _fill_train_card(self, card: Card) -> None:
        self.facts = _Facts(
            {
                "target": "Predicts",
                "rows": "Trains on",
                "test": "Held back to test",
                "columns": "From",
                "mode": "Reads",
            }
        )
        card.body.addWidget(self.facts)
        self.train_button = PrimaryButton(
            "Train",
            "Train the chosen learner and test it on the rows held back. The window stays usable.",
            icon="play",
            clicked=self.train,
        )
        self.train_button.setMinimumHeight(px(40))
        self.progress = ProgressLine()
        self.progress.cancelled.connect(self._cancel)
        self.progress.hide()
        self.reason = Label("", 12, 400, "warning", wrap=True)
        card.body.addSpacing(4)
        card.body.addWidget(self.train_button)
        card.body.addWidget(self.progress)
        card.body.addWidget(self.reason)

    # ------------------------------------------------------------------ page

    def available(self) -> str | None:
        return None if self.session.data is not None else "Open data first."

    def status(self) -> list[str]:
        count = len(self.session.trainings)
        chosen = self.session.chosen
        told = (
            [f"{count} training{'s' if count != 1 else ''}"] if count else ["nothing trained yet"]
        )
        if chosen is not None:
            told.append(f"chosen: {chosen.name}")
        return told

    def actions_offered(self) -> list[Action]:
        return [
            Action(
                "train.train",
                "&Train",
                "Train the learner chosen on the Train page and test it on the rows held back.",
                self.train,
                shortcut="Ctrl+T",
                icon="brain",
                menu="Run",
                enabled=self._why_not,
            ),
            Action(
                "train.cancel",
                "&Cancel the training",
                "Stop the training that is going on; earlier trainings stay.",
                self._cancel,
                icon="x-circle",
                menu="Run",
                enabled=lambda: (
                    None if self.session.job_of("train") else "Nothing is being trained."
                ),
            ),
        ]

    # ------------------------------------------------------------------ what is shown

    def refresh(self) -> None:
        """Show what the session holds."""
        session = self.session
        self._list_learners()
        self._show_rates()
        self._show_facts()
        self.list.show_trainings(session.trainings, session.chosen, session.experiment)
        have = bool(session.trainings)
        self.list.setVisible(have)
        self.nothing.setVisible(not have)
        told = ""
        if session.chosen is not None:
            score = metric_words(session.chosen.report.metric).title.lower()
            told = f"{score} on the test part; the chosen one goes live"
        self.list_card.set_subtitle(told)
        self.compare.refresh()
        self.to_test.set_reason(
            None if session.chosen is not None else "Train a model first.",
            "See how good the chosen model is, and where it is wrong.",
        )
        self._show_job()
        self.status_changed.emit()

    def _list_learners(self) -> None:
        from modellab.learners.catalogue import for_task

        session = self.session
        chunks = session.experiment is not None and session.experiment.training.mode == "chunks"
        wanted = (session.task_kind, chunks)
        if wanted == self._listed:
            return
        self._listed = wanted
        items = items_for(for_task(session.task_kind), *wanted)
        kind = self.learners.set_items(items, self._kind or self._usual(wanted[0]))
        if kind is not None:
            self._choose(kind)

    @staticmethod
    def _usual(task: str) -> str:
        from modellab.lanes import default_learner

        return default_learner(task).kind

    def _choose(self, kind: str) -> None:
        from modellab.learners.catalogue import BY_NAME, parameters_for

        item = self.learners.current_item()
        if item is None or item.entry is None:
            return
        self._kind, self._entry = kind, item.entry
        entry = item.entry
        self.settings_card.set_title("Settings", entry.title)
        self.story.setText(entry.story)
        parameters = parameters_for(kind, self.session.task_kind)
        self.form.set_parameters(parameters, self._params.get(kind, {}))
        self.by_name.setVisible(kind in BY_NAME)
        if kind in BY_NAME:
            self.class_name.setText(self._classes.get(kind, ""))
            self.class_name.setPlaceholderText(EXAMPLES[kind, self.session.task_kind])
        self.none.setVisible(not parameters and kind not in BY_NAME)
        self._show_pills(item)
        self.banner.set_text(item.why_not)
        self.banner.setVisible(bool(item.why_not))
        self._edited()

    def _show_pills(self, item: Item) -> None:
        while (old := self.pills.takeAt(0)) is not None:
            if (widget := old.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        entry = item.entry
        assert entry is not None
        family = {"compiled": "compiled here"}.get(entry.family, entry.family)
        told = [Pill(family, tip="Where the learner comes from.")]
        if entry.online:
            tip = "After its training it can learn on from every new row (online lanes)."
            told.append(Pill("goes on learning", "ok", tip=tip))
        else:
            why = sentence(entry.why_not.get("online", "it learns from all rows at once."))
            told.append(Pill("trained anew each time", tip=why))
        if entry.chunks:
            told.append(
                Pill("out of core", "ok", tip="It can be trained on more than fits memory.")
            )
        for pill in told:
            self.pills.addWidget(pill)
        self.pills.addStretch(1)

    def _edited(self) -> None:
        if self._entry is not None:
            self._params[self._kind] = self.form.values()
            self._classes[self._kind] = self.class_name.text().strip()
        modified = self.form.modified()
        why = None if modified else "All settings are as usual."
        self.reset.set_reason(why, "Set all settings of this learner back to the usual values.")
        self._show_rates()
        self._show_job()

    def _show_rates(self) -> None:
        if self._entry is None or self._kind != "linear":
            self.rates.set_learner(None, None, None)
            return
        rate = self.form.row("learning_rate").value()
        learner = LearnerSpec(self._kind, None, self.form.values())
        number = float(rate) if isinstance(rate, int | float) else None
        self.rates.set_learner(self.session.experiment, learner, number)

    def _rate_chosen(self, rate: float) -> None:
        self.form.row("learning_rate").set_value(rate)
        self._edited()

    def _reset(self) -> None:
        self.form.reset_all()

    def _show_facts(self) -> None:
        session = self.session
        experiment, data = session.experiment, session.data
        if experiment is None or data is None:
            return
        profile = session.profile
        rows = session.train_rows
        if profile is not None and not session.profile_stale and not profile.error:
            rows, test = profile.train_rows, profile.test_rows
        else:
            test = round(rows * experiment.split.test)
        end = session.time_at(max(rows - 1, 0))
        until = f", until {date_text(end)}" if end is not None and rows else ""
        spec = experiment.data
        task = "a class" if session.task_kind == "classification" else "a number"
        self.facts.set("target", f"{spec.target} ({task})")
        sample = experiment.training.sample_rows
        used = rows - test
        taken = f" (a sample of {count_text(sample)})" if 0 < sample < used else ""
        self.facts.set("rows", f"{count_text(used)} rows{taken}")
        self.facts.set("test", f"the next {count_text(test)} rows{until}")
        names = [
            c.name for c in data.columns if c.name != spec.target and c.name not in spec.ignore
        ]
        many = "column" if len(names) == 1 else "columns"
        self.facts.set("columns", f"{count_text(len(names))} {many}")
        if experiment.training.mode == "chunks":
            passes = experiment.training.passes
            mode = f"in chunks of {count_text(experiment.training.chunk_rows)} rows"
            mode += f", {passes} passes" if passes > 1 else ", one pass"
        else:
            mode = "all rows in memory"
        self.facts.set("mode", mode)
        self.head.set_title(
            "Train", f"{data.name} · predicts {spec.target} · {count_text(rows)} training rows"
        )

    def _why_not(self) -> str | None:
        item = self.learners.current_item()
        if item is not None and item.why_not:
            return item.why_not
        if self.by_name.isVisibleTo(self) and not self.class_name.text().strip():
            return "Name the class to train."
        return self.session.why_no_training

    def _show_job(self) -> None:
        job = self.session.job_of("train")
        self.train_button.setVisible(job is None)
        if job is not None:
            if not self.progress.active():
                self.progress.start(job.title)
            self.progress.set_progress(job.fraction, job.text or job.title)
            self.reason.hide()
            return
        if self.progress.active():
            self.progress.finish()
        why = self._why_not()
        title = f"Train {self._entry.title}" if self._entry is not None else "Train"
        self.train_button.set_text(title)
        self.train_button.set_reason(
            why, "Train the chosen learner and test it on the rows held back."
        )
        self.reason.setText(why or "")
        self.reason.setVisible(bool(why))

    # ------------------------------------------------------------------ what is done

    def train(self) -> None:
        """Train the chosen learner."""
        if self._entry is None or self._why_not() is not None:
            return
        named = self.class_name.text().strip() if self.by_name.isVisibleTo(self) else None
        self.session.train(LearnerSpec(self._kind, named or None, self.form.values()))

    def _cancel(self) -> None:
        job = self.session.job_of("train")
        if job is not None:
            self.session.cancel(job)
