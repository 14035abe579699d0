"""When a triggered lane acts: its conditions, and how many of them must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from modellab.experiment import Condition
from modellab.gui.deploy.detector_form import DetectorForm
from modellab.gui.deploy.setting_boxes import narrow
from modellab.gui.kit import (
    IconButton,
    Label,
    LabeledField,
    NumberField,
    PlainButton,
    SegmentedControl,
)
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS = [
    ("drift", "a drift alarm on its error"),
    ("features", "columns drift"),
    ("error", "its error is too high"),
    ("rows", "enough new rows came"),
]
MOST = 8


class ConditionRow(QFrame):
    """One condition: which, and its numbers."""

    changed = Signal()
    removed = Signal(object)

    def __init__(self, condition: Condition, parent: QWidget | None = None) -> None:
        super().__init__(parent)

        def number(title: str, tip: str, value: float, **rest: Any) -> NumberField:
            field = NumberField(
                title, tip, value=value, committed=lambda _v: self.changed.emit(), **rest
            )
            narrow(field)
            return field

        self.kind = ChoiceField(
            "Condition", "What must happen.", _KINDS, chosen=lambda _key: self._chosen()
        )
        self.detector = DetectorForm()
        self.detector.changed.connect(self.changed)
        self.features = number(
            "Columns in alarm", "At least so many columns drift.", 1, minimum=1, maximum=1e6
        )
        self.error = number(
            "Above the test error by",
            "The window error lies above the error on the test part by this margin.",
            0.05,
            maximum=1e15,
            log=True,
        )
        self.error_rows = number(
            "For so many rows",
            "So many rows one after the other.",
            1,
            minimum=1,
            maximum=1e15,
            unit="rows",
        )
        self.rows = number(
            "New labelled rows",
            "Since the last action.",
            20_000,
            minimum=1,
            maximum=1e15,
            unit="rows",
        )
        self._bodies: dict[str, QWidget] = {
            "drift": self.detector,
            "features": _beside(("Columns in alarm, at least", self.features)),
            "error": _beside(
                ("Above the test error by", self.error), ("For rows in a row", self.error_rows)
            ),
            "rows": _beside(("New labelled rows since", self.rows)),
        }
        self.remove = IconButton(
            "trash",
            "Remove this condition",
            "Take this condition out.",
            size=28,
            clicked=lambda: self.removed.emit(self),
        )
        top = QHBoxLayout()
        top.setSpacing(px(8))
        top.addWidget(self.kind, 1)
        top.addWidget(self.remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(10), px(8), px(8), px(10))
        column.setSpacing(px(8))
        column.addLayout(top)
        for body in self._bodies.values():
            column.addWidget(body)
        self.setProperty("kind", "card")
        self._show(condition)

    def _show(self, condition: Condition) -> None:
        self.kind.set_current(condition.kind)
        if condition.drift is not None:
            self.detector.set_detector(condition.drift, condition.params)
        if condition.features is not None:
            self.features.set_number(condition.features)
        if condition.error is not None:
            self.error.set_number(condition.error)
            self.error_rows.set_number(condition.rows or 1)
        elif condition.rows is not None:
            self.rows.set_number(condition.rows)
        self._show_body()

    def _chosen(self) -> None:
        self._show_body()
        self.changed.emit()

    def _show_body(self) -> None:
        for key, body in self._bodies.items():
            body.setVisible(key == self.kind.current())

    def condition(self) -> Condition:
        """Return what is entered."""
        kind = self.kind.current()
        if kind == "drift":
            name: Any = self.detector.detector()
            return Condition(drift=name, params=self.detector.params())
        if kind == "features":
            return Condition(features=self.features.whole())
        if kind == "error":
            rows = self.error_rows.whole()
            return Condition(error=self.error.number(), rows=rows if rows > 1 else None)
        return Condition(rows=self.rows.whole())


class ConditionsForm(QWidget):
    """All conditions, and whether any, all, or at least so many of them must hold."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[ConditionRow] = []
        self.combine = SegmentedControl(
            "Conditions that must hold",
            [
                ("any", "any of them", "One that holds is enough."),
                ("all", "all of them", "All must hold at once."),
                ("least", "at least", "So many must hold at once."),
            ],
            changed=lambda _key: self._combined(),
        )
        self.least = NumberField(
            "At least so many",
            "So many conditions must hold at once.",
            value=2,
            minimum=1,
            maximum=MOST,
            committed=lambda _v: self.changed.emit(),
        )
        self.least.setFixedWidth(px(64))
        self.add = PlainButton(
            "Add a condition",
            "Another reason to act.",
            icon="plus",
            clicked=self.add_condition,
        )
        self._head = QWidget()
        head = QHBoxLayout(self._head)
        head.setContentsMargins(0, 0, 0, 0)
        head.setSpacing(px(8))
        head.addWidget(Label("It acts when", 12, 400, "second"))
        head.addWidget(self.combine)
        head.addWidget(self.least)
        head.addWidget(Label("hold", 12, 400, "second"))
        head.addStretch(1)
        self._column = QVBoxLayout()
        self._column.setSpacing(px(8))
        below = QHBoxLayout()
        below.addWidget(self.add)
        below.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(px(8))
        outer.addWidget(self._head)
        outer.addLayout(self._column)
        outer.addLayout(below)
        self.set_conditions([Condition(drift="adwin")], "any")

    def set_conditions(self, conditions: Sequence[Condition], combine: str | int) -> None:
        """Show these."""
        for row in list(self.rows):
            self._take(row)
        for condition in conditions:
            self._put(condition)
        self.combine.set_current(combine if isinstance(combine, str) else "least")
        self._show()
        if isinstance(combine, int):
            self.least.set_number(combine)

    def conditions(self) -> list[Condition]:
        """Return what is entered."""
        return [row.condition() for row in self.rows]

    def combination(self) -> Any:
        """Return ``any``, ``all`` or a number."""
        key = self.combine.current()
        return self.least.whole() if key == "least" and len(self.rows) > 1 else _word(key)

    def _put(self, condition: Condition) -> None:
        row = ConditionRow(condition)
        row.changed.connect(self.changed)
        row.removed.connect(self._removed)
        self.rows.append(row)
        self._column.addWidget(row)

    def _take(self, row: ConditionRow) -> None:
        self.rows.remove(row)
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()

    def add_condition(self) -> None:
        """Add another one: of a kind that is not there yet."""
        present = {row.kind.current() for row in self.rows}
        kind = next((k for k, _ in _KINDS if k not in present), "drift")
        usual = {
            "drift": Condition(drift="adwin"),
            "features": Condition(features=1),
            "error": Condition(error=0.05),
            "rows": Condition(rows=20_000),
        }
        self._put(usual[kind])
        self._show()
        self.rows[-1].kind.setFocus()
        self.changed.emit()

    def _removed(self, row: object) -> None:
        if isinstance(row, ConditionRow):
            self._take(row)
            self._show()
            self.add.setFocus()
            self.changed.emit()

    def _combined(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        self._head.setVisible(len(self.rows) > 1)
        self.least.setVisible(self.combine.current() == "least")
        self.least.setRange(1, max(1, len(self.rows)))
        self.add.setEnabled(len(self.rows) < MOST)


def _word(key: str) -> str:
    return key if key in ("any", "all") else "any"


def _beside(*fields: tuple[str, QWidget]) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(px(10))
    for title, field in fields:
        row.addWidget(LabeledField(title, field), 1)
    if len(fields) == 1:
        row.addStretch(1)
    return holder
