"""Which learner challenges the lane's own, with its settings folded away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from modellab.experiment import LearnerSpec
from modellab.gui.kit import Label, LabeledField, PlainButton
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.pages.train_form import ParameterForm
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.experiment import Scalar


class ChallengerForm(QWidget):
    """The other learner: it answers in the shadow, on the same rows."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._task = "classification"
        self._class_name: str | None = None
        self._kept: dict[str, dict[str, Scalar]] = {}
        self.choice = ChoiceField(
            "Challenger",
            "The learner that shadows the lane's own: it answers the same rows, and nobody sees "
            "its answers until it takes over.",
            chosen=lambda _key: self._chosen(),
        )
        self.more = PlainButton("Its settings", "Settings of the challenger.")
        self.more.setProperty("kind", "quiet")
        self.more.set_icon("caret-right")
        self.form = ParameterForm(help_lines=False)
        self.more.clicked.connect(lambda: self._open(self.form.isHidden()))
        self.form.changed.connect(self.changed)
        self.story = Label("", 12, 400, "second", wrap=True)
        row = QHBoxLayout()
        row.setSpacing(px(10))
        row.addWidget(LabeledField("Challenger", self.choice), 1)
        row.addWidget(self.more, 0, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(6))
        column.addLayout(row)
        column.addWidget(self.story)
        column.addWidget(self.form)
        self.form.hide()

    def set_task(self, task: str) -> None:
        """Offer the learners for a task."""
        from modellab.learners.catalogue import BY_NAME, CATALOGUE

        self._task = task
        now = self.choice.current()
        entries = [
            e
            for e in CATALOGUE.values()
            if task in e.tasks and e.family != "baseline" and e.kind not in BY_NAME
        ]
        entries.sort(key=lambda e: e.title)
        options = [(e.kind, e.title) for e in entries]
        kinds = [kind for kind, _ in options]
        usual = "hoeffding_tree" if "hoeffding_tree" in kinds else kinds[0]
        self.choice.set_options(options, now if now in kinds else usual)
        self._show({})

    def set_spec(self, spec: LearnerSpec | None) -> None:
        """Show a challenger; None leaves what is shown."""
        if spec is None:
            return
        if self.choice.findData(spec.kind) < 0:
            # A class by name that a file asked for: it can be kept, not made here.
            self.choice.addItem(spec.class_name or spec.kind, spec.kind)
        self._class_name = spec.class_name
        self.choice.set_current(spec.kind)
        self._kept[spec.kind] = dict(spec.params)
        self._show(spec.params)

    def spec(self) -> LearnerSpec:
        """Return what is entered."""
        from modellab.learners.catalogue import BY_NAME

        kind = self.choice.current()
        if kind in BY_NAME:
            return LearnerSpec(kind, self._class_name, self._kept.get(kind, {}))
        return LearnerSpec(kind, None, self.form.values())

    def _chosen(self) -> None:
        self._show(self._kept.get(self.choice.current(), {}))
        self.changed.emit()

    def _show(self, params: dict[str, Scalar]) -> None:
        from modellab.learners.catalogue import BY_NAME, CATALOGUE, parameters_for

        kind = self.choice.current()
        entry = CATALOGUE.get(kind)
        self.story.setText(entry.story if entry is not None else "")
        known = entry is not None and kind not in BY_NAME and self._task in entry.tasks
        self.form.set_parameters(parameters_for(kind, self._task) if known else (), params)  # type: ignore[arg-type]
        self.more.setVisible(known)

    def _open(self, opened: bool) -> None:
        self.form.setVisible(opened)
        self.more.set_icon("caret-down" if opened else "caret-right")
