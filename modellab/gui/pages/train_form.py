"""A form made from a learner's `Parameter` values: title, unit, range, help, way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QWidget

from modellab.gui.kit import IconButton, Label, NumberField, ToggleSwitch, describe, short_number
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modellab.experiment import Scalar
    from modellab.learners.base import Parameter

FIELD_WIDTH = 160
OPTIONAL_WIDTH = 196
"""With a switch before the field."""


def range_text(parameter: Parameter) -> str:
    """What may be entered, and what is usual, in a line."""
    parts = []
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.low is not None and parameter.high is not None:
        low, high = short_number(parameter.low), short_number(parameter.high)
        parts.append(f"From {low} to {high}{unit}.")
    parts.append(f"Usual: {value_text(parameter, parameter.default)}.")
    if parameter.live:
        parts.append("Can be changed while the stream runs.")
    return " ".join(parts)


def value_text(parameter: Parameter, value: Scalar | None) -> str:
    """Return a value as it is shown."""
    if value is None:
        return "no limit"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return short_number(float(value), 6) + (f" {parameter.unit}" if parameter.unit else "")
    return choice_text(str(value))


def choice_text(choice: str) -> str:
    """Return a choice's key in words."""
    return choice.replace("_", " ")


class _Row:
    """The widgets of one parameter; `value` None: as usual (only where the usual is no value)."""

    def __init__(
        self, parameter: Parameter, value: Scalar | None, changed: Callable[[], None]
    ) -> None:
        self.parameter = parameter
        self._changed = changed
        tip = f"{parameter.help}\n{range_text(parameter)}".strip()
        self.field = self._make(parameter, value, tip)
        self.switch: QCheckBox | None = None
        self.holder = self.field
        if parameter.default is None:
            self._add_switch(parameter, value, tip)
        self.reset = IconButton(
            "arrow-counter-clockwise",
            f"Reset {parameter.title}",
            f"Back to the usual value: {value_text(parameter, parameter.default)}.",
            size=26,
            clicked=self.to_default,
        )
        policy = self.reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(policy)
        self.tell()

    def _make(self, parameter: Parameter, value: Scalar | None, tip: str) -> QWidget:
        shown = value if value is not None else parameter.default
        if parameter.kind == "bool":
            return ToggleSwitch(
                parameter.title, tip, checked=bool(shown), toggled=lambda _on: self._touched()
            )
        if parameter.kind == "choice":
            options = [(c, choice_text(c)) for c in parameter.choices]
            return ChoiceField(
                parameter.title,
                tip,
                options,
                current=str(shown),
                chosen=lambda _key: self._touched(),
            )
        low = parameter.low if parameter.low is not None else -1e12
        high = parameter.high if parameter.high is not None else 1e12
        start = shown if isinstance(shown, int | float) else max(low, min(high, 10.0))
        whole = parameter.kind == "int"
        return NumberField(
            parameter.title,
            tip,
            value=float(start),
            minimum=float(low),
            maximum=float(high),
            unit=parameter.unit,
            decimals=0 if whole else 4,
            step=1.0 if whole else max((high - low) / 100, 1e-4),
            log=parameter.log and not whole,
            committed=lambda _value: self._touched(),
        )

    def _add_switch(self, parameter: Parameter, value: Scalar | None, tip: str) -> None:
        self.switch = QCheckBox("no limit")
        describe(self.switch, f"{parameter.title}: no limit", tip)
        self.switch.setChecked(value is None)
        self.field.setEnabled(value is not None)
        self.switch.toggled.connect(self._switched)
        self.holder = QWidget()
        row = QHBoxLayout(self.holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.switch)
        row.addWidget(self.field, 1)

    def _switched(self, none: bool) -> None:
        self.field.setEnabled(not none)
        self._touched()

    def _touched(self) -> None:
        self.tell()
        self._changed()

    def value(self) -> Scalar | None:
        """Return what is entered."""
        if self.switch is not None and self.switch.isChecked():
            return None
        field = self.field
        if isinstance(field, ToggleSwitch):
            return field.isChecked()
        if isinstance(field, ChoiceField):
            return field.current()
        assert isinstance(field, NumberField)
        return field.whole() if self.parameter.kind == "int" else field.number()

    def set_value(self, value: Scalar | None) -> None:
        """Show a value without telling anyone."""
        if self.switch is not None:
            blocked = self.switch.blockSignals(True)
            self.switch.setChecked(value is None)
            self.switch.blockSignals(blocked)
            self.field.setEnabled(value is not None)
        field = self.field
        if value is not None:
            if isinstance(field, ToggleSwitch):
                blocked = field.blockSignals(True)
                field.setChecked(bool(value))
                field.blockSignals(blocked)
            elif isinstance(field, ChoiceField):
                field.set_current(str(value))
            elif isinstance(field, NumberField):
                field.set_number(float(value))
        self.tell()

    def to_default(self) -> None:
        """Go back to the usual value."""
        self.set_value(self.parameter.default)
        self._changed()

    def modified(self) -> bool:
        """Whether another value than the usual one is entered."""
        value, usual = self.value(), self.parameter.default
        if isinstance(value, float) and isinstance(usual, int | float):
            return abs(value - usual) > 1e-12 * max(1.0, abs(usual))
        return value != usual

    def tell(self) -> None:
        if hasattr(self, "reset"):
            self.reset.setVisible(self.modified())


class ParameterForm(QWidget):
    """All settings of one learner.

    Parameters
    ----------
    help_lines
        Whether each setting's help is written under its title (else only in the tooltip).
    """

    changed = Signal()
    """The person changed a setting."""

    def __init__(self, *, help_lines: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[str, _Row] = {}
        self._help_lines = help_lines
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(0, 1)

    def set_parameters(
        self, parameters: tuple[Parameter, ...], values: Mapping[str, Scalar]
    ) -> None:
        """Show other settings, with these values (what is not told is as usual)."""
        while (item := self._grid.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.setParent(None)
                old.deleteLater()
        self._rows = {}
        for at, parameter in enumerate(parameters):
            row = _Row(parameter, values.get(parameter.name, parameter.default), self.changed.emit)
            self._rows[parameter.name] = row
            title = Label(parameter.title, 13, 500, wrap=True)
            title.setBuddy(row.field)
            title.setToolTip(row.field.toolTip())
            if not isinstance(row.field, ToggleSwitch):
                row.holder.setFixedWidth(px(FIELD_WIDTH if row.switch is None else OPTIONAL_WIDTH))
            line = at * 3
            self._grid.setRowMinimumHeight(line + 2, px(14))
            self._grid.addWidget(title, line, 0)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            self._grid.addWidget(row.holder, line, 1, right)
            self._grid.addWidget(row.reset, line, 2)
            if self._help_lines and parameter.help:
                words = Label(parameter.help, 12, 400, "second", wrap=True)
                self._grid.addWidget(words, line + 1, 0, 1, 2)

    def values(self) -> dict[str, Scalar]:
        """Return the settings that are not as usual."""
        found: dict[str, Scalar] = {}
        for name, row in self._rows.items():
            value = row.value()
            if row.modified() and value is not None:
                found[name] = value
        return found

    def row(self, name: str) -> _Row:
        """Return the widgets of a setting."""
        return self._rows[name]

    def reset_all(self) -> None:
        """Set everything back to the usual."""
        for row in self._rows.values():
            row.set_value(row.parameter.default)
        self.changed.emit()

    def modified(self) -> bool:
        """Whether anything is not as usual."""
        return any(row.modified() for row in self._rows.values())
