"""Fields with a label, numbers with a unit, and a line of progress."""

from __future__ import annotations

import math
from time import monotonic
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from modellab.gui.kit.bars import QuietBar
from modellab.gui.kit.buttons import PlainButton
from modellab.gui.kit.text import MINUS, ElidedLabel, Label, describe, duration_text, short_number
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS = (1.0, 2.0, 5.0, 10.0)


def parse_number(text: str) -> float | None:
    """Return the number typed, or None: ``1,000``, ``1e-4``, ``−0.5``, ``2k``, ``1.5 M``."""
    raw = text.strip().replace(MINUS, "-").replace("\N{NO-BREAK SPACE}", "").replace(",", "")
    raw = raw.replace(" ", "").replace("_", "")
    factor = 1.0
    if raw[-1:] in {"k", "K"}:
        raw, factor = raw[:-1], 1e3
    elif raw[-1:] == "M":
        raw, factor = raw[:-1], 1e6
    try:
        value = float(raw) * factor
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class NumberField(QDoubleSpinBox):
    """A number with its unit, thousands separated; typed values take effect on Enter or on leaving.

    Parameters
    ----------
    name, tip
        Accessible name and explanation.
    value, minimum, maximum
        The value and its range, both ends included.
    unit
        Shown after the number, such as ``rows`` or ``%``.
    decimals
        Digits after the point; 0 for whole numbers.
    log
        Step through 1, 2, 5, 10, 20 ... and show as many digits as the value needs.
    """

    committed = Signal(float)
    """The person entered another value (not sent by `set_number`)."""

    def __init__(
        self,
        name: str,
        tip: str,
        *,
        value: float = 0.0,
        minimum: float = 0.0,
        maximum: float = 1e9,
        unit: str = "",
        decimals: int = 0,
        step: float = 1.0,
        log: bool = False,
        committed: Callable[[float], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        self._log, self._places, self._unit = log, decimals, unit
        super().__init__(parent)
        describe(self, name, tip)
        self.setKeyboardTracking(False)
        self.setDecimals(15 if log else decimals)
        self.setRange(minimum, maximum)
        self.setSingleStep(step)
        self.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # The style sheet's padding does not reach a spin box's own line edit.
        self.lineEdit().setTextMargins(px(6), 0, 0, 0)
        self.setSuffix(f" {unit}" if unit else "")
        self.setValue(value)
        self._say_unit()
        self.valueChanged.connect(self._say_unit)
        self.valueChanged.connect(self.committed)
        if committed is not None:
            self.committed.connect(committed)

    def number(self) -> float:
        """Return the value."""
        return self.value()

    def whole(self) -> int:
        """Return the value as a whole number."""
        return round(self.value())

    def set_number(self, value: float) -> None:
        """Show `value` without sending `committed`."""
        blocked = self.blockSignals(True)
        self.setValue(value)
        self._say_unit()
        self.blockSignals(blocked)

    def _say_unit(self) -> None:
        """One row, many rows."""
        if self._unit == "rows":
            suffix = " row" if self.value() == 1 else " rows"
            if suffix != self.suffix():
                self.setSuffix(suffix)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Set the range; a value that must move into it is no entry of the person's."""
        blocked = self.blockSignals(True)
        super().setRange(minimum, maximum)
        self.blockSignals(blocked)

    def textFromValue(self, value: float) -> str:
        if self._log:
            return short_number(value, 6)
        text = f"{abs(value):,.{self._places}f}"
        negative = value < 0 and float(text.replace(",", "")) != 0
        return (MINUS if negative else "") + text

    def _bare(self, text: str) -> str:
        for unit in (self.suffix().strip(), self._unit, "row" if self._unit == "rows" else ""):
            if unit and text.rstrip().endswith(unit):
                return text.rstrip()[: -len(unit)]
        return text

    def valueFromText(self, text: str) -> float:
        value = parse_number(self._bare(text))
        return self.value() if value is None else value

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        bare = self._bare(text)
        value = parse_number(bare)
        if value is not None and self.minimum() <= value <= self.maximum():
            return QValidator.State.Acceptable, text, position
        partial = set(bare.strip()) <= set("0123456789.,+-eEkKM_ " + MINUS)
        state = QValidator.State.Intermediate if partial else QValidator.State.Invalid
        return state, text, position

    def fixup(self, text: str) -> str:
        value = parse_number(self._bare(text))
        value = self.value() if value is None else min(self.maximum(), max(self.minimum(), value))
        return self.textFromValue(value) + self.suffix()

    def stepBy(self, steps: int) -> None:
        if not self._log:
            super().stepBy(steps)
            return
        value = self.value()
        for _ in range(abs(steps)):
            value = _next_step(value, up=steps > 0, least=max(self.minimum(), 1e-12))
        self.setValue(value)
        self.selectAll()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # The wheel scrolls the page, unless the field is being edited.
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


def _next_step(value: float, *, up: bool, least: float) -> float:
    """Return the neighbour of `value` in 1, 2, 5, 10, 20, 50 ..."""
    if value <= 0:
        return least if up else 0.0
    exponent = math.floor(math.log10(value) + 1e-9)
    base = 10.0**exponent
    share = value / base
    if up:
        ahead = next(s for s in (*_STEPS, 20.0) if s > share * (1 + 1e-9))
    else:
        ahead = next(s for s in (5.0, 2.0, 1.0, 0.5, 0.2) if s < share * (1 - 1e-9))
    return float(f"{ahead * base:.12g}")


class LabeledField(QWidget):
    """A field under (or beside) its label; an error sentence appears under it when there is one."""

    def __init__(
        self,
        label: str,
        field: QWidget,
        *,
        hint: str = "",
        beside: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.field = field
        """The field itself."""
        self.label = Label(label, 12 if not beside else 13, 400, "second" if not beside else "")
        """The label; its mnemonic (``&``) moves the focus to the field."""
        self.label.setBuddy(field)
        if not field.accessibleName():
            field.setAccessibleName(label.replace("&", ""))
        self.label.setToolTip(field.toolTip())
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(4)
        if beside:
            row = QHBoxLayout()
            row.setSpacing(8)
            row.addWidget(self.label, 1)
            row.addWidget(field)
            outer.addLayout(row)
        else:
            outer.addWidget(self.label)
            outer.addWidget(field)
        self._hint_text = hint
        self._hint = Label(hint, 12, 400, "second", wrap=True)
        outer.addWidget(self._hint)
        if not beside:
            # Beside a higher neighbour it stays at the top: labels stand in one line.
            outer.addStretch(1)
        self._hint.setVisible(bool(hint))

    def set_hint(self, hint: str) -> None:
        """Show a line of help under the field."""
        self._hint_text = hint
        self.set_error("")

    def set_error(self, sentence: str) -> None:
        """Show what is wrong under the field, or nothing."""
        self._hint.setText(sentence or self._hint_text)
        self._hint.set_tone("alarm" if sentence else "second")
        self._hint.setVisible(bool(sentence or self._hint_text))
        if bool(self.field.property("wrong")) != bool(sentence):
            self.field.setProperty("wrong", bool(sentence))
            self.field.style().unpolish(self.field)
            self.field.style().polish(self.field)


class ProgressLine(QWidget):
    """Work in progress: what, how far, how long still, and *Cancel*."""

    cancelled = Signal()

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = ElidedLabel("", 12, 500)
        self._rest = Label("", 12, 400, "second")
        self._bar = QuietBar()
        self.cancel = PlainButton("Cancel", "Stop this work; what was there before stays.")
        """The cancel button."""
        self.cancel.clicked.connect(self._cancel)
        column = QVBoxLayout()
        column.setSpacing(5)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self._label, 1)
        top.addWidget(self._rest)
        column.addLayout(top)
        column.addWidget(self._bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addLayout(column, 1)
        row.addWidget(self.cancel)
        self._began = 0.0
        self._active = False

    def start(self, label: str, *, can_cancel: bool = True) -> None:
        """Begin: show `label` and an undetermined bar until the first `set_progress`."""
        self._began, self._active = monotonic(), True
        self._label.setText(label)
        self._rest.setText("")
        self._bar.set_share(None)
        self._bar.setAccessibleName(label)
        self.cancel.setVisible(can_cancel)
        self.cancel.set_text("Cancel")
        self.cancel.setEnabled(True)
        self.show()

    def set_progress(self, fraction: float | None, label: str | None = None) -> None:
        """Show the share done, 0 to 1 (None: not known), and the estimate that follows from it."""
        if label is not None and label != self._label.text():
            self._label.setText(label)
        if fraction is None or not math.isfinite(fraction):
            self._bar.set_share(None)
            self._rest.setText("")
            return
        share = min(1.0, max(0.0, fraction))
        self._bar.set_share(share)
        passed = monotonic() - self._began
        estimate = ""
        # The first half second says nothing about the rest.
        if 0.02 < share < 1.0 and passed > 0.5:
            estimate = f" · {duration_text(passed / share * (1 - share))} left"
        rest = f"{share * 100:.0f} %{estimate}"
        if rest != self._rest.text():
            self._rest.setText(rest)

    def finish(self) -> None:
        """End: the line hides itself."""
        self._active = False
        self.hide()

    def active(self) -> bool:
        """Return whether work is going on."""
        return self._active

    def _cancel(self) -> None:
        self.cancel.set_text("Cancelling…")
        self.cancel.setEnabled(False)
        self.cancelled.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange and self.isEnabled() and self._active:
            self.cancel.setEnabled(True)
