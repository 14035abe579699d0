"""The dialog that makes or changes a lane: learner, when its model changes, name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from modellab.errors import ExperimentError, LabError
from modellab.experiment import (
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    Policy,
    StaticPolicy,
    check,
    replace,
)
from modellab.gui.deploy.policy_form import PolicyForm
from modellab.gui.deploy.words import learner_words, task_of
from modellab.gui.kit import (
    Banner,
    Card,
    Label,
    LabeledField,
    PlainButton,
    PrimaryButton,
    Rule,
    describe,
)
from modellab.gui.kit.areas import UprightArea
from modellab.gui.pages.rate_map import RateMapBox
from modellab.gui.pages.train_form import ParameterForm
from modellab.gui.pages.train_learners import LearnerList, items_for
from modellab.gui.session_replay import free_name
from modellab.gui.theme import px, set_font, set_height

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.learners.base import CatalogueEntry


class LaneDialog(QDialog):
    """Makes a lane, or changes the one that is given.

    Parameters
    ----------
    session
        Whose deployment gets the lane.
    lane
        The lane to change; None for another one.
    """

    accepted_lane = Signal(object)
    """The `LaneSpec` that the person decided on."""

    def __init__(
        self, session: Session, lane: LaneSpec | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._lane = lane
        self._named = lane is not None
        self._kept: dict[str, dict[str, Any]] = {}
        self._classes: dict[str, str] = {}
        self._entry: CatalogueEntry | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Add lane" if lane is None else f"Edit lane {lane.name}")
        self.resize(px(900), px(640))
        self.learners = LearnerList()
        self.learners.chosen.connect(self._learner_chosen)
        self.form = ParameterForm(help_lines=False)
        self.form.changed.connect(self._check)
        self.rates = RateMapBox(session)
        self.rates.rate_chosen.connect(self._rate_chosen)
        self.story = Label("", 12, 400, "second", wrap=True)
        self.heading = Label("", 16, 600)
        self.policy = PolicyForm()
        self.policy.why_not = self._why_no_policy
        self.policy.changed.connect(self._check)
        self.class_name = QLineEdit()
        describe(
            self.class_name,
            "Class",
            "Module and class as the library names them, such as tree.HoeffdingTreeClassifier.",
        )
        set_font(self.class_name, 13)
        set_height(self.class_name, 30)
        self.class_name.textEdited.connect(self._class_edited)
        self.by_name = LabeledField("Class", self.class_name)
        self.name = QLineEdit()
        describe(self.name, "Name of the lane", "How cards, plots and results call it.")
        set_font(self.name, 13)
        set_height(self.name, 30)
        self.name.textEdited.connect(self._name_edited)
        self.problem = Banner("warning", "")
        self.ok = PrimaryButton(
            "Add lane" if lane is None else "Replay with this",
            "The lane is replayed from the deployment point up to the present row.",
            clicked=self.accept_lane,
        )
        self.cancel = PlainButton("Cancel", "Leave everything as it is.", clicked=self.reject)
        self._build()
        self._fill()

    def _build(self) -> None:
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(px(4), 0, px(14), px(8))
        column.setSpacing(px(10))
        column.addWidget(self.heading)
        column.addWidget(self.story)
        column.addWidget(self.by_name)
        column.addWidget(LabeledField("Name", self.name))
        column.addWidget(Rule())
        column.addWidget(Label("When the model changes", 13, 600))
        column.addWidget(self.policy)
        column.addWidget(Rule())
        column.addWidget(Label("Settings of the learner", 13, 600))
        column.addWidget(self.form)
        column.addWidget(self.rates)
        column.addStretch(1)
        scroll = UprightArea(right)
        scroll.setAccessibleName("The chosen learner")
        self.learners.setFixedWidth(px(290))
        row = QHBoxLayout()
        row.setSpacing(px(16))
        listed = Card(margin=6)
        listed.body.addWidget(self.learners)
        row.addWidget(listed)
        row.addWidget(scroll, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(px(16), px(16), px(16), px(14))
        outer.setSpacing(px(12))
        outer.addLayout(row, 1)
        outer.addWidget(self.problem)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.ok)
        outer.addLayout(buttons)

    def _fill(self) -> None:
        from modellab.learners.catalogue import CATALOGUE

        task = task_of(self.session)
        chunks = False
        if self.session.experiment is not None:
            chunks = self.session.experiment.training.mode == "chunks"
        lane = self._lane
        start = lane.learner if lane is not None else LearnerSpec("linear")
        if lane is not None:
            self._kept[start.kind] = dict(start.params)
            self._classes[start.kind] = start.class_name or ""
            self.name.setText(lane.name)
        kind = self.learners.set_items(items_for(CATALOGUE.values(), task, chunks), start.kind)
        policy: Policy = lane.policy if lane is not None else OnlinePolicy()
        self.policy.set_task(task)
        self.policy.set_policy(StaticPolicy())
        if kind is not None:
            self._show_learner(kind)
        self.policy.set_policy(policy)
        self.policy.set_guard(lane.guard if lane is not None else None)
        self.policy.refresh_reasons()
        self._check()

    def _learner_chosen(self, kind: str) -> None:
        if self._entry is not None:
            if not self.class_name.text():
                self._kept[self._entry.kind] = self.form.values()
            self._classes[self._entry.kind] = self.class_name.text()
        self._show_learner(kind)
        self._check()

    def _show_learner(self, kind: str) -> None:
        from modellab.learners.catalogue import BY_NAME, CATALOGUE, parameters_for

        self._entry = CATALOGUE[kind]
        self.by_name.setVisible(kind in BY_NAME)
        self.class_name.setText(self._classes.get(kind, "") if kind in BY_NAME else "")
        task = task_of(self.session)
        self.heading.setText(self._entry.title)
        self.story.setText(self._entry.story)
        shown = parameters_for(kind, task) if task in self._entry.tasks else ()
        self.form.set_parameters(shown, self._kept.get(kind, {}))
        self.policy.refresh_reasons()
        if not self._named:
            self.name.setText(self._free(learner_words(self._learner())))

    def _why_no_policy(self, policy: Policy) -> str | None:
        """Why the chosen learner cannot go under a policy, as the catalogue says."""
        entry, live = self._entry, self.session.deployment
        if entry is None or live is None:
            return None
        from modellab.policies.make import why_not

        task: Any = task_of(self.session)
        try:
            return why_not(policy, entry, task, live.train_rows > 0)
        except LabError as error:
            return error.sentence

    def _class_edited(self) -> None:
        if not self._named:
            self.name.setText(self._free(learner_words(self._learner())))
        self._check()

    def _free(self, name: str) -> str:
        live = self.session.deployment
        return free_name(name, list(live.lanes) if live is not None else [])

    def _name_edited(self) -> None:
        self._named = bool(self.name.text().strip())
        self._check()

    def _learner(self) -> LearnerSpec:
        entry = self._entry
        assert entry is not None
        class_name = self.class_name.text().strip() or None
        params: dict[str, Any] = self.form.values()
        if class_name is not None:
            # Settings of a class by name have no form: they stay as they were.
            params = self._kept.get(entry.kind, {})
        return LearnerSpec(entry.kind, class_name, params)

    def spec(self) -> LaneSpec:
        """Return what is entered."""
        name = self.name.text().strip()
        return LaneSpec(name, self.policy.policy(), self._learner(), self.policy.guard())

    def why_not(self) -> str | None:
        """Return why this lane cannot be made, or None."""
        live = self.session.deployment
        item = self.learners.current_item()
        if live is None or self._entry is None:
            return "There is no deployment."
        if item is not None and item.why_not:
            return item.why_not
        spec = self.spec()
        if self.by_name.isVisibleTo(self) and not spec.learner.class_name:
            # Whether there is such a class is the engine's to say: the library is not loaded here.
            return "Name the class of the learner."
        if not spec.name:
            return "The lane needs a name."
        reason = self._why_no_policy(spec.policy)
        if reason is not None:
            return f"{self._entry.title} {reason}"
        others = [n for n in live.lanes if self._lane is None or n != self._lane.name]
        if spec.name in others:
            return f"There is another lane called “{spec.name}”."
        if self._lane is not None and spec == self._lane:
            return "Nothing was changed."
        lanes = [lane for lane in live.experiment.lane if lane.name in others]
        try:
            check(replace(live.experiment, lane=[*lanes, spec], intervention=[]))
        except ExperimentError as error:
            return error.sentence
        return None

    def _show_rates(self) -> None:
        live = self.session.deployment
        if live is None or self._entry is None or self._entry.kind != "linear":
            self.rates.set_learner(None, None, None)
            return
        rate = self.form.row("learning_rate").value()
        number = float(rate) if isinstance(rate, int | float) else None
        self.rates.set_learner(live.experiment, self._learner(), number)

    def _rate_chosen(self, rate: float) -> None:
        self.form.row("learning_rate").set_value(rate)
        self._check()

    def _check(self) -> None:
        self._show_rates()
        why = self.why_not()
        quiet = why in (None, "Nothing was changed.")
        self.problem.setVisible(not quiet)
        if not quiet:
            self.problem.set_text(why or "")
        tip = "The lane is replayed from the deployment point up to the present row."
        self.ok.set_reason(why, tip)

    def accept_lane(self) -> None:
        """Decide."""
        if self.why_not() is None:
            self.accepted_lane.emit(self.spec())
            self.accept()


class ForkDialog(QDialog):
    """Asks for the name of a fork."""

    accepted_name = Signal(str)

    def __init__(self, session: Session, lane: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Fork {lane}")
        live = session.deployment
        names = list(live.lanes) if live is not None else []
        self._taken = set(names)
        self.name = QLineEdit(free_name(f"{lane} · fork", names))
        describe(self.name, "Name of the fork", "How cards, plots and results call it.")
        set_font(self.name, 13)
        set_height(self.name, 30)
        self.field = LabeledField("Name", self.name)
        self.ok = PrimaryButton(
            "Fork here", "The new lane begins here with this one's model.", clicked=self.accept_fork
        )
        self.ok.setDefault(True)
        cancel = PlainButton("Cancel", "Leave everything as it is.", clicked=self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(20), px(18), px(20), px(16))
        column.setSpacing(px(12))
        column.addWidget(Label(f"Fork {lane}", 16, 600))
        words = (
            "A second lane begins at this row with the same model. Change its settings to see what "
            "would have come of it, beside this one."
        )
        column.addWidget(Label(words, 13, 400, "second", wrap=True))
        column.addWidget(self.field)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.ok)
        column.addLayout(row)
        self.setMinimumWidth(px(420))
        self.name.textChanged.connect(lambda _text: self._check())
        self.name.selectAll()
        self.name.setFocus()

    def _check(self) -> None:
        name = self.name.text().strip()
        wrong = ""
        if not name:
            wrong = "The fork needs a name."
        elif name in self._taken:
            wrong = "There is a lane of this name."
        self.field.set_error(wrong)
        self.ok.setEnabled(not wrong)

    def accept_fork(self) -> None:
        """Decide."""
        name = self.name.text().strip()
        if name and name not in self._taken:
            self.accepted_name.emit(name)
            self.accept()
