"""The settings of one fault: what goes wrong, how much, where, from when on and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from modellab.errors import ExperimentError
from modellab.experiment_faults import FAULTS, Fault, check_fault
from modellab.gui.deploy.column_picker import ColumnPicker
from modellab.gui.deploy.fault_words import KINDS
from modellab.gui.deploy.setting_boxes import narrow
from modellab.gui.deploy.settings_rows import SpanField
from modellab.gui.kit import Label, LabeledField, NumberField, SegmentedControl, ToggleSwitch
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.session import Session

DURATION = 2000
SHOWN: dict[str, tuple[str, ...]] = {
    "label_noise": ("rate", "only", "scale"),
    "missing_values": ("rate", "columns"),
    "feature_noise": ("rate", "scale", "columns"),
    "unit_error": ("column", "factor"),
    "swapped_columns": ("first", "second"),
    "duplicated_rows": ("rate",),
    "label_delay": ("delay",),
    "outage": ("backlog",),
    "drift": ("how", "shape", "width", "columns"),
}
_RATES = {"label_noise": 20, "missing_values": 20, "feature_noise": 100, "duplicated_rows": 10}
_RATE_TITLES = {
    "label_noise": "Labels that are wrong",
    "missing_values": "Cells that are empty",
    "feature_noise": "Cells that are disturbed",
    "duplicated_rows": "Rows sent twice",
}


def feature_columns(session: Session) -> list[tuple[str, str]]:
    """Return name and kind of every column that the learners read, in the order of the data."""
    data, live = session.data, session.deployment
    if data is None or live is None:
        return []
    spec = live.experiment.data
    left_out = {spec.target, spec.time, *spec.ignore}
    kinds = spec.kinds
    return [(c.name, kinds.get(c.name, c.kind)) for c in data.columns if c.name not in left_out]


class FaultForm(QWidget):
    """What is entered for one fault; `fault` makes it."""

    changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.kind = "label_noise"
        self.story = Label("", 13, 400, "second", wrap=True)
        self.fields: dict[str, QWidget] = {}
        self.holders: dict[str, LabeledField] = {}
        self._rates: dict[str, float] = dict(_RATES)
        self._make()
        self._build()
        self.set_session()
        self.set_kind(self.kind)

    # ------------------------------------------------------------------ building

    def _number(self, title: str, tip: str, value: float, **rest: Any) -> NumberField:
        return NumberField(
            title, tip, value=value, committed=lambda _v: self.changed.emit(), **rest
        )

    def _choice(self, title: str, tip: str, options: list[tuple[str, str]]) -> ChoiceField:
        return ChoiceField(title, tip, options, chosen=lambda _k: self.changed.emit())

    def _make(self) -> None:
        tell = self.changed.emit
        self.rate = self._number(
            "Share", "How many of them, at random (rate).", 20, maximum=100, unit="%"
        )
        self.rate.committed.connect(self._rate_entered)
        self.scale = self._number(
            "Size of the noise",
            "In standard deviations of the training window (scale).",
            1.0,
            maximum=1e9,
            log=True,
        )
        self.only = self._choice(
            "Which labels", "Only labels of this class arrive wrong (one-sided noise).", []
        )
        self.columns = ColumnPicker("Columns", "In which columns; none ticked means all.")
        self.columns.picked.connect(lambda _names: tell())
        self.column = self._choice("Column", "The number column that arrives wrong.", [])
        self.factor = self._number(
            "Times", "What the numbers are multiplied by.", 1000, minimum=-1e15, maximum=1e15,
            log=True,
        )  # fmt: skip
        self.first = self._choice("Column", "One of the two columns.", [])
        self.first.chosen.connect(lambda _k: self._fill_second())
        self.second = self._choice("Swapped with", "A column of the same kind.", [])
        self.delay = SpanField(
            "Labels come later by", "Rows, or a span of event time such as 12h or 7d.", least=0
        )
        self.delay.set_value(1000)
        self.delay.committed.connect(lambda _v: tell())
        self.backlog = SegmentedControl(
            "Afterwards the backlog",
            [
                ("arrives", "arrives at once", "All labels held back come in order."),
                ("lost", "is lost", "The labels of these rows never come."),
            ],
            changed=lambda _k: tell(),
        )
        self.how = SegmentedControl(
            "What changes",
            [
                ("relabel", "the labels", "Classes get each other's labels; numbers are mirrored."),
                ("permute", "the columns", "Columns of one kind get each other's values."),
            ],
            changed=lambda _k: self._show_fields(),
        )
        self.shape = SegmentedControl(
            "How",
            [
                ("sudden", "at once", "From one row to the next (sudden drift)."),
                ("gradual", "bit by bit", "More and more often (gradual drift)."),
                ("recurring", "comes and goes", "Again and again (recurring drift)."),
            ],
            changed=lambda _k: self._show_fields(),
        )
        self.change_rows = self._number(
            "Rows of the change",
            "How many rows the change takes, or each coming and going lasts.",
            5000,
            minimum=1,
            maximum=1e12,
            unit="rows",
        )
        self.after = self._number(
            "Begins after", "0: with the next row that comes.", 0, maximum=1e12, unit="rows"
        )
        self.duration = self._number(
            "Lasts", "Rows for which it goes on.", DURATION, minimum=1, maximum=1e12, unit="rows"
        )
        self.forever = ToggleSwitch(
            "To the end of the stream",
            "It does not stop by itself.",
            toggled=lambda _on: self._duration_toggled(),
        )

    def _build(self) -> None:
        titles = {
            "rate": "Share",
            "scale": "Size of the noise",
            "only": "Which labels",
            "columns": "Columns",
            "column": "Column",
            "factor": "Times",
            "first": "Column",
            "second": "Swapped with",
            "delay": "Labels come later by",
            "backlog": "Afterwards the backlog",
            "how": "What changes",
            "shape": "How",
            "width": "Rows of the change",
        }
        for name, title in titles.items():
            field = self.change_rows if name == "width" else getattr(self, name)
            if isinstance(field, NumberField | SpanField | ChoiceField):
                narrow(field)
            self.fields[name] = field
            self.holders[name] = LabeledField(title, field, parent=self)
        narrow(self.after, self.duration)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(px(12))
        self._grid.setVerticalSpacing(px(10))
        for column in (0, 1):
            self._grid.setColumnStretch(column, 1)
        when = QGridLayout()
        when.setHorizontalSpacing(px(12))
        when.addWidget(LabeledField("Begins after", self.after), 0, 0)
        when.addWidget(LabeledField("Lasts", self.duration), 0, 1)
        for column in (0, 1):
            when.setColumnStretch(column, 1)
        end = QHBoxLayout()
        end.addStretch(1)
        end.addWidget(LabeledField("to the end of the stream", self.forever, beside=True))
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(0, 0, 0, 0)
        column_.setSpacing(px(10))
        column_.addWidget(self.story)
        column_.addLayout(self._grid)
        column_.addLayout(when)
        column_.addLayout(end)

    # ------------------------------------------------------------------ what is offered

    def set_session(self) -> None:
        """Offer the columns and classes that the data have now."""
        columns = feature_columns(self.session)
        self.columns.set_columns([name for name, _ in columns])
        self._kinds = dict(columns)
        numbers = [name for name, kind in columns if kind == "number"]
        self.column.set_options([(n, n) for n in numbers], numbers[0] if numbers else None)
        pairs = [n for n, kind in columns if sum(k == kind for _, k in columns) > 1]
        self.first.set_options([(n, n) for n in pairs], pairs[0] if pairs else None)
        self._fill_second()
        profile = self.session.profile
        classes = list(profile.classes) if profile is not None else []
        self.only.set_options([("", "of all classes"), *((c, f"of “{c}”") for c in classes)], "")
        self._classes = bool(classes)

    def _fill_second(self) -> None:
        first = self.first.current()
        kind = self._kinds.get(first)
        others = [n for n, k in self._kinds.items() if k == kind and n != first]
        now = self.second.current()
        self.second.set_options(
            [(n, n) for n in others], now if now in others else (others[0] if others else None)
        )

    def why_no_kind(self, kind: str) -> str | None:
        """Return why there can be no fault of this kind in these data, or None."""
        if kind == "unit_error" and not self.column.count():
            return "There is no number column."
        if kind == "swapped_columns" and not self.first.count():
            return "No two columns are of the same kind."
        if kind in ("missing_values", "feature_noise") and not self._kinds:
            return "There are no feature columns."
        return None

    def set_kind(self, kind: str) -> None:
        """Show the settings of this kind."""
        self.kind = kind
        title, story, term = KINDS[kind]
        self.story.setText(story)
        self.story.setToolTip(f"Exact term: {term}.")
        self.setAccessibleName(f"Settings of the fault: {title}")
        if kind in self._rates:
            self.rate.set_number(self._rates[kind])
            self.holders["rate"].label.setText(_RATE_TITLES[kind])
        self._show_fields()

    def _rate_entered(self, value: float) -> None:
        self._rates[self.kind] = value

    def _wanted(self) -> list[str]:
        names = list(SHOWN[self.kind])
        if self.kind == "label_noise":
            names.remove("scale" if self._classes else "only")
        if self.kind == "drift":
            if self.how.current() == "relabel":
                names.remove("columns")
            if self.shape.current() == "sudden":
                names.remove("width")
        return names

    def _show_fields(self) -> None:
        wanted = self._wanted()
        for holder in self.holders.values():
            self._grid.removeWidget(holder)
            holder.hide()
        line = column = 0
        for name in wanted:
            holder = self.holders[name]
            wide = isinstance(self.fields[name], SegmentedControl)
            if wide and column:
                line, column = line + 1, 0
            self._grid.addWidget(holder, line, column, 1, 2 if wide else 1)
            holder.show()
            column += 2 if wide else 1
            if column > 1:
                line, column = line + 1, 0
        self.changed.emit()

    def _duration_toggled(self) -> None:
        self.duration.setEnabled(not self.forever.isChecked())
        self.changed.emit()

    # ------------------------------------------------------------------ what is entered

    def fault(self, position: int) -> Fault:
        """Return the fault as entered, beginning at `position` or later."""
        start = position + self.after.whole()
        stop = None if self.forever.isChecked() else start + self.duration.whole()
        values: dict[str, Any] = {"start": start, "stop": stop}
        for name in self._wanted():
            values.update(self._value(name))
        if self.kind == "swapped_columns":
            values["columns"] = [values.pop("first"), values.pop("second")]
        if "only" in values:
            values["only"] = values["only"] or None
        return FAULTS[self.kind](**values)  # type: ignore[return-value]

    def _value(self, name: str) -> dict[str, Any]:
        field = self.fields[name]
        if name == "rate":
            return {"rate": round(self.rate.number() / 100, 9)}
        if name == "width":
            return {"width": self.change_rows.whole()}
        if isinstance(field, NumberField):
            return {name: field.number()}
        if isinstance(field, ColumnPicker):
            return {name: field.names()}
        assert isinstance(field, ChoiceField | SegmentedControl | SpanField)
        return {name: field.value() if isinstance(field, SpanField) else field.current()}

    def why_not(self, position: int, last: int) -> str | None:
        """Return why this fault cannot be injected, or None."""
        reason = self.why_no_kind(self.kind)
        if reason is not None:
            return reason
        fault = self.fault(position)
        if fault.start >= last:
            return "It would begin after the end of the stream."
        try:
            check_fault(fault, "")
        except ExperimentError as error:
            return error.sentence
        return None
