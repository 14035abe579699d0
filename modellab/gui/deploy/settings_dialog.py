"""Settings of the replay: how drift is watched, when labels arrive, what things cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from modellab.errors import ExperimentError
from modellab.experiment import DriftSpec, Experiment, PriceSpec, check, replace
from modellab.gui.deploy.detector_form import DetectorForm
from modellab.gui.deploy.setting_boxes import narrow
from modellab.gui.deploy.settings_rows import SpanField
from modellab.gui.kit import (
    Banner,
    Label,
    LabeledField,
    NumberField,
    PlainButton,
    PrimaryButton,
    Rule,
    ToggleSwitch,
)
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.session import Session

_PRICES = {
    "error": ("A wrong answer", "What one wrong answer costs; for numbers, one unit of error."),
    "retrain": ("A retrain", "What one retrain costs beyond its compute: people, checks, risk."),
    "cpu_hour": ("An hour of compute", "One CPU hour of predicting, learning and fitting."),
    "downtime_hour": ("An hour of downtime", "One hour of event time in which nothing serves."),
}


class ReplaySettings(QDialog):
    """Edits of the experiment that belong to the replay; one undo takes them back."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setWindowTitle("Settings of the replay")
        self.detector = DetectorForm(none=True)
        self.detector.changed.connect(self._check)

        def number(title: str, tip: str, **rest: Any) -> NumberField:
            field = NumberField(title, tip, committed=lambda _v: self._check(), **rest)
            narrow(field)
            return field

        rows: dict[str, Any] = {"unit": "rows", "minimum": 1, "maximum": 1e9}
        self.features = ToggleSwitch(
            "Watch the feature columns",
            "Compare every column's newest rows with the training window: numbers by "
            "Kolmogorov-Smirnov, categories by chi-square.",
            toggled=lambda _on: self._check(),
        )
        self.false_alarm = number(
            "One false alarm per",
            "How often an alarm without a cause is accepted, over all columns together. The "
            "threshold of each column follows from it, by a bootstrap on the training window.",
            unit="rows",
            minimum=1,
            maximum=1e15,
        )
        self.newest = number(
            "Newest rows compared",
            "More rows see smaller changes, and later.",
            unit="rows",
            minimum=10,
            maximum=1e7,
        )
        self.every = number("Checked every", "Rows between two checks of the columns.", **rows)
        self.tolerance = number(
            "An alarm counts within",
            "For streams whose changes are known: an alarm within so many rows after a change "
            "found it (tolerance).",
            unit="rows",
            minimum=1,
            maximum=1e12,
        )
        self.delay = SpanField(
            "Labels arrive after",
            "Rows, or a span of event time such as 12h or 7d; 0: with the row itself. Lanes learn "
            "and alarms ring only when a label has come.",
            least=0,
        )
        self.delay.committed.connect(lambda _v: self._check())
        self.prices = {
            name: number(title, tip, minimum=0.0, maximum=1e15, log=True)
            for name, (title, tip) in _PRICES.items()
        }
        self.problem = Banner("warning", "")
        self.note = Label("", 12, 400, "second", wrap=True)
        self.ok = PrimaryButton("Change", "Change the experiment.", clicked=self.accept_changes)
        self.cancel = PlainButton("Cancel", "Leave everything as it is.", clicked=self.reject)
        self._build()
        self._fill()
        self._check()

    def _build(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, px(12), 0)
        column.setSpacing(px(10))
        column.addWidget(Label("Drift in the error of each lane", 13, 600))
        column.addWidget(self.detector)
        column.addWidget(Rule())
        column.addWidget(Label("Drift in the feature columns", 13, 600))
        column.addWidget(LabeledField("Watch the feature columns", self.features, beside=True))
        column.addWidget(
            _grid(
                [
                    ("One false alarm per", self.false_alarm),
                    ("Newest rows compared", self.newest),
                    ("Checked every", self.every),
                    ("An alarm counts within", self.tolerance),
                ],
                2,
            )
        )
        column.addWidget(Rule())
        column.addWidget(Label("Labels", 13, 600))
        column.addWidget(_grid([("Labels arrive after", self.delay)], 2))
        column.addWidget(Rule())
        column.addWidget(Label("What things cost, in any one currency", 13, 600))
        column.addWidget(_grid([(_PRICES[n][0], f) for n, f in self.prices.items()], 2))
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(inside)
        scroll.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        scroll.setAccessibleName("Settings of the replay")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(px(20), px(18), px(12), px(14))
        outer.setSpacing(px(12))
        outer.addWidget(scroll, 1)
        outer.addWidget(self.problem)
        outer.addWidget(self.note)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.ok)
        outer.addLayout(row)
        self.resize(px(560), px(640))

    def _fill(self) -> None:
        experiment = self.session.experiment
        if experiment is None:
            return
        drift = experiment.drift
        self.detector.set_detector(drift.detector, drift.settings)
        self.features.setChecked(drift.features)
        self.false_alarm.set_number(drift.false_alarm_every)
        self.newest.set_number(drift.window)
        self.every.set_number(drift.every)
        self.tolerance.set_number(drift.tolerance)
        self.delay.set_value(experiment.evaluation.label_delay)
        for name, field in self.prices.items():
            field.set_number(getattr(experiment.prices, name))

    def entered(self, experiment: Experiment) -> Experiment:
        """Return the experiment with what is entered."""
        name: Any = self.detector.detector()
        drift = DriftSpec(
            detector=name,
            settings=self.detector.params(),
            features=self.features.isChecked(),
            window=self.newest.whole(),
            every=self.every.whole(),
            false_alarm_every=self.false_alarm.whole(),
            known=experiment.drift.known,
            tolerance=self.tolerance.whole(),
        )
        evaluation = replace(experiment.evaluation, label_delay=self.delay.value())
        prices = PriceSpec(**{key: field.number() for key, field in self.prices.items()})
        return replace(experiment, drift=drift, evaluation=evaluation, prices=prices)

    def why_not(self) -> str | None:
        """Return why this cannot be so, or None."""
        experiment = self.session.experiment
        if experiment is None:
            return "Open data first."
        new = self.entered(experiment)
        if new == experiment:
            return "Nothing was changed."
        try:
            check(replace(new, intervention=[]))
        except ExperimentError as error:
            return error.sentence
        return None

    def _check(self) -> None:
        for field in (self.false_alarm, self.newest, self.every, self.tolerance):
            field.setEnabled(self.features.isChecked())
        self.tolerance.setEnabled(True)
        why = self.why_not()
        quiet = why in (None, "Nothing was changed.")
        self.problem.setVisible(not quiet)
        if not quiet:
            self.problem.set_text(why or "")
        self.ok.set_reason(why, "Change the experiment.")
        experiment, live = self.session.experiment, self.session.deployment
        note = ""
        if experiment is not None and live is not None and why is None:
            new = self.entered(experiment)
            if (new.drift, new.evaluation) != (experiment.drift, experiment.evaluation):
                note = "What is on screen stays until you deploy anew; prices count at once."
            else:
                note = "Prices count at once: no row needs replaying."
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def accept_changes(self) -> None:
        """Decide."""
        experiment = self.session.experiment
        if experiment is not None and self.why_not() is None:
            self.session.edit("Change settings of the replay", self.entered(experiment))
            self.accept()


def _grid(fields: list[tuple[str, QWidget]], columns: int) -> QWidget:
    holder = QWidget()
    grid = QGridLayout(holder)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(px(12))
    grid.setVerticalSpacing(px(8))
    for at, (title, field) in enumerate(fields):
        narrow(field)
        grid.addWidget(LabeledField(title, field), at // columns, at % columns)
    for column in range(columns):
        grid.setColumnStretch(column, 1)
    return holder
