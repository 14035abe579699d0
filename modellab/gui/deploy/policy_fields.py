"""The settings of every policy in plain words, and the grid of fields that they are edited in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QWidget

from modellab.gui.deploy.setting_boxes import narrow, set_switch
from modellab.gui.deploy.settings_rows import SpanField
from modellab.gui.kit import LabeledField, NumberField, ToggleSwitch, describe
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modellab.experiment import Scalar

Shape = Literal["rows", "span", "keep", "number", "whole", "optional", "switch", "choice"]


@dataclass(frozen=True)
class Setting:
    """One setting: its name in files, what it is called, what it does with the exact term."""

    name: str
    title: str
    tip: str
    shape: Shape
    low: float = 0.0
    high: float = 1e9
    options: tuple[tuple[str, str], ...] = ()
    usual: float = 1.0
    off: str = ""


_MARGIN = Setting(
    "margin", "Margin of error",
    "The new model serves unless its error on the test is worse by more than this.",
    "number", 0.0, 1e15,
)  # fmt: skip
_LEVEL = Setting(
    "level", "Chance of a mistake",
    "Below 1, the new model serves only if a paired test on the test rows says so at this level: "
    "0.05 is wrong once in twenty times. 1: the better mean is enough.", "number", 1e-9, 1.0,
)  # fmt: skip
_COOLDOWN = Setting(
    "cooldown", "Rest between",
    "Rows, or a span such as 12h, that must pass after one action before the next (cool-down).",
    "span",
)  # fmt: skip
_COLLECT = Setting(
    "collect", "Collect first",
    "Right after an alarm there is nothing yet to learn from, or to judge a challenger by: a "
    "retrain on what came since the alarm, or a switch, waits for so many labelled rows.",
    "rows", 1,
)  # fmt: skip
CYCLE: tuple[Setting, ...] = (
    Setting("keep", "Train on",
            "“all” rows known by then, a number of the newest rows, “alarm”: what came since the "
            "last drift alarm, or “better”: that, or eight times as many rows, whichever tests "
            "better.", "keep", 1),
    Setting("test_rows", "Test on newest",
            "The newest labelled rows, held out to compare the new model with the one that runs; "
            "0: no test.", "rows"),
    _MARGIN,
    _LEVEL,
    Setting("delay", "Serves after",
            "Rows or a span of event time until the new model serves; 0 means at once.", "span"),
    Setting("downtime", "Nothing serves meanwhile",
            "Until the new model serves, the baseline answers (downtime).", "switch"),
)  # fmt: skip
_LEARN = (
    Setting("every", "Update every",
            "Learn after so many labelled rows have come, not after each (cadence).", "rows", 1),
    Setting("batch", "Mini-batch",
            "Rows that one step of learning takes together.", "rows", 1),
    Setting("frozen", "Begin frozen",
            "Predict but learn nothing, until it is thawed in the inspector.", "switch"),
)  # fmt: skip
SETTINGS: dict[str, tuple[Setting, ...]] = {
    "static": (),
    "scheduled": (
        Setting("every", "Retrain every",
                "Rows, or a span of event time such as 12h, 7d or 4w.", "span", 1),
        *CYCLE,
    ),
    "triggered": (
        _COOLDOWN,
        Setting("warmup", "Quiet at first",
                "Rows or a span after the deployment in which nothing is done (warm-up).", "span"),
        Setting("within", "A condition holds for",
                "Rows for which a condition counts as holding after it last did; matters where "
                "several are needed.", "rows", 1),
        _COLLECT,
        *CYCLE,
    ),
    "cost_aware": (
        Setting("method", "Reckoned by",
                "Errors that a retrain would have avoided so far, against its price; or a forecast "
                "of them, with how unsure it is.", "choice",
                options=(("avoidable", "avoidable errors"), ("forecast", "a forecast"))),
        Setting("window", "Error measured over", "Rows over which an error is measured.",
                "rows", 1, 1e7),
        Setting("horizon", "Looks ahead", "Rows ahead that the forecast covers (horizon).",
                "rows", 1),
        Setting("risk", "Caution",
                "Which quantile of the forecast counts: 0.5 is the middle; higher retrains sooner "
                "(risk level).", "number", 0.001, 0.999),
        _COOLDOWN,
        Setting("price_error", "Price of an error", "Instead of the experiment's price.",
                "optional", 0.0, 1e15, off="as set"),
        Setting("price_retrain", "Price of a retrain", "Instead of the experiment's price.",
                "optional", 0.0, 1e15, off="as set"),
        _COLLECT,
        *CYCLE,
    ),
    "online": _LEARN,
    "out_of_core": (
        Setting("passes", "Passes", "How often the training window is gone through.",
                "whole", 1, 1000),
        Setting("chunk_rows", "Rows in a chunk", "A larger chunk needs more memory.",
                "rows", 1, 1e8),
        Setting("orders", "Other orders tried",
                "The training is repeated with the chunks in so many other orders; how far the "
                "test errors lie apart is told as an event (order sensitivity).", "whole", 0, 100),
        Setting("shuffle", "Chunks in random order",
                "A seeded order, another one in every pass.", "switch"),
        Setting("then", "Afterwards it", "What becomes of it once the stream begins.", "choice",
                options=(("online", "learns online"), ("static", "stays as it is"))),
        *_LEARN,
    ),
    "champion": (
        Setting("window", "Compared over", "Newest labelled rows on which the two are compared.",
                "rows", 10, 1e7),
        Setting("margin", "Better by more than",
                "The challenger's error must be lower by more than this.", "number", 0.0, 1e15),
        Setting("level", "Chance of a mistake",
                "Level of the paired test: how often an equal challenger may take over.",
                "number", 1e-9, 0.5),
        _COOLDOWN,
        Setting("learn", "Both learn online", "Where they can.", "switch"),
        Setting("demote", "May change back", "The former champion becomes the challenger.",
                "switch"),
    ),
}  # fmt: skip
GUARD: tuple[Setting, ...] = (
    Setting("range", "Skip rows out of range",
            "Rows with a feature outside the training range, widened by this factor, are not "
            "learned.", "optional", 1.0, 1e15, usual=1.5, off="no"),
    Setting("loss", "Skip rows of great loss",
            "Rows whose loss exceeds this share of the latest losses are not learned (quantile).",
            "optional", 0.5, 0.999999, usual=0.99, off="no"),
    Setting("rollback", "Roll back by itself",
            "When the error exceeds that of the best earlier state by this margin, the lane goes "
            "back to it.", "optional", 0.0, 1e15, usual=0.05, off="no"),
    Setting("clip", "Limit one step",
            "No gradient is larger, for learners that have gradients (gradient clipping).",
            "optional", 1e-12, 1e15, usual=1.0, off="no"),
    Setting("window", "Error measured over", "Newest rows for loss and error.", "rows", 10, 1e7),
    Setting("check_every", "Checked every", "Rows between two looks for a rollback.", "rows", 1),
)  # fmt: skip


class OptionalNumber(QWidget):
    """A number that may be left out, by a check box before it."""

    committed = Signal(object)
    """float, or None."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.box = QCheckBox()
        describe(self.box, f"{setting.title}: on", f"{setting.tip}\nOff: {setting.off}.")
        self.field = NumberField(
            setting.title,
            setting.tip,
            value=setting.usual,
            minimum=setting.low,
            maximum=setting.high,
            log=True,
            committed=lambda _v: self.committed.emit(self.value()),
        )
        narrow(self.field)
        self.field.setEnabled(False)
        self.box.toggled.connect(self._toggled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(6))
        row.addWidget(self.box)
        row.addWidget(self.field, 1)
        self.setFocusProxy(self.box)

    def _toggled(self, on: bool) -> None:
        self.field.setEnabled(on)
        self.committed.emit(self.value())

    def value(self) -> float | None:
        """Return the number, or None."""
        return self.field.number() if self.box.isChecked() else None

    def set_value(self, value: float | None) -> None:
        """Show a value without a signal."""
        blocked = self.box.blockSignals(True)
        self.box.setChecked(value is not None)
        self.box.blockSignals(blocked)
        self.field.setEnabled(value is not None)
        if value is not None and not self.field.hasFocus():
            self.field.set_number(value)


class SettingsGrid(QWidget):
    """Fields for settings, so many beside each other.

    Parameters
    ----------
    settings
        What is edited.
    columns
        Fields in a row.
    """

    changed = Signal(str, object)
    """The person changed a setting: its name and its new value."""

    def __init__(
        self, settings: Sequence[Setting], columns: int = 3, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.settings = tuple(settings)
        self.fields: dict[str, QWidget] = {}
        self.holders: dict[str, LabeledField] = {}
        self._columns = columns
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(px(10))
        self._grid.setVerticalSpacing(px(8))
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)
        for setting in self.settings:
            field = self._make(setting)
            if not isinstance(field, ToggleSwitch | OptionalNumber):
                narrow(field)
            self.fields[setting.name] = field
            self.holders[setting.name] = LabeledField(setting.title, field, parent=self)
        self._place()

    def _place(self, names: Sequence[str] | None = None) -> None:
        wanted = [s.name for s in self.settings if names is None or s.name in names]
        for holder in self.holders.values():
            self._grid.removeWidget(holder)
        for at, name in enumerate(wanted):
            self._grid.addWidget(self.holders[name], at // self._columns, at % self._columns)
        for name, holder in self.holders.items():
            holder.setVisible(name in wanted)

    def show_only(self, names: Sequence[str]) -> None:
        """Show only these settings, closed up."""
        if set(names) != {n for n, h in self.holders.items() if not h.isHidden()}:
            self._place(names)

    def _make(self, setting: Setting) -> QWidget:
        name, tip = setting.name, f"{setting.tip}\nIn files: {setting.name}."

        def tell(value: object) -> None:
            self.changed.emit(name, value)

        if setting.shape == "span":
            field = SpanField(setting.title, tip, least=int(setting.low))
            field.committed.connect(tell)
            return field
        if setting.shape == "keep":
            field = SpanField(setting.title, tip, words="all alarm better", spans=False)
            field.committed.connect(tell)
            return field
        if setting.shape == "switch":
            return ToggleSwitch(setting.title, tip, toggled=tell)
        if setting.shape == "choice":
            return ChoiceField(setting.title, tip, list(setting.options), chosen=tell)
        if setting.shape == "optional":
            optional = OptionalNumber(setting)
            optional.committed.connect(tell)
            return optional
        whole = setting.shape in ("rows", "whole")
        return NumberField(
            setting.title,
            tip,
            minimum=setting.low,
            maximum=setting.high,
            unit="rows" if setting.shape == "rows" else "",
            log=not whole,
            committed=lambda value: tell(round(value) if whole else value),
        )

    def value(self, name: str) -> Any:
        """Return what is entered for a setting."""
        field = self.fields[name]
        if isinstance(field, SpanField | OptionalNumber):
            return field.value()
        if isinstance(field, ToggleSwitch):
            return field.isChecked()
        if isinstance(field, ChoiceField):
            return field.current()
        assert isinstance(field, NumberField)
        shape = next(s.shape for s in self.settings if s.name == name)
        return field.whole() if shape in ("rows", "whole") else field.number()

    def values(self) -> dict[str, Any]:
        """Return all that is entered."""
        return {name: self.value(name) for name in self.fields}

    def set_values(self, values: Mapping[str, Scalar | None]) -> None:
        """Show values without a signal; what is being edited stays as it is."""
        for name, field in self.fields.items():
            if name not in values:
                continue
            value: Any = values[name]
            if isinstance(field, SpanField | OptionalNumber):
                field.set_value(value)
            elif isinstance(field, ToggleSwitch):
                set_switch(field, bool(value))
            elif isinstance(field, ChoiceField):
                field.set_current(str(value))
            elif isinstance(field, NumberField) and not field.hasFocus():
                field.set_number(float(value))

    def set_colour(self, colour: str) -> None:
        """Paint switches that are on in a lane's colour."""
        for field in self.fields.values():
            if isinstance(field, ToggleSwitch):
                field.set_colour(colour)
