"""The settings of a made stream: which, how long, how it drifts, and where."""

from __future__ import annotations

from typing import get_args

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QVBoxLayout, QWidget

from modellab.data.synthetic import KINDS, Shape, StreamSpec, check_stream
from modellab.errors import DataError, quote
from modellab.gui.kit import Label, LabeledField, NumberField, count_text, describe
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.theme import px

SHAPES: dict[str, tuple[str, str]] = {
    "abrupt": ("abrupt (at once)", "at each change the next rule holds"),
    "gradual": ("gradual (ever more often)", "the next rule holds more and more often"),
    "incremental": ("incremental (the rule moves)", "the rule moves a little with each row"),
    "recurring": ("recurring (two take turns)", "two rules take turns"),
    "none": ("none", "nothing changes"),
}
assert tuple(sorted(SHAPES)) == tuple(sorted(get_args(Shape)))


class StreamForm(QWidget):
    """Fields for a `StreamSpec`; what cannot be made is said."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._kind = next(iter(KINDS))

        def number(name: str, tip: str, **rest: object) -> NumberField:
            return NumberField(name, tip, committed=lambda _v: self._show(), **rest)  # type: ignore[arg-type]

        self.rows = number(
            "Rows", "How long the stream is.", minimum=100, maximum=1e9, unit="rows", step=1000
        )
        self.drift = ChoiceField(
            "Drift", "How the rule behind the target changes.", chosen=lambda _key: self._show()
        )
        self.at = QLineEdit()
        self.at.setPlaceholderText("the usual places")
        describe(
            self.at,
            "Changes at rows",
            "Rows where the changes begin, separated by commas, such as 10000, 20000. Empty: in "
            "the middle, or for recurring drift at each eighth.",
        )
        self.at.editingFinished.connect(self._show)
        self.width_ = number(
            "A change takes", "Rows from the old rule to the new one.", minimum=1, maximum=1e9,
            unit="rows", step=100,
        )  # fmt: skip
        self.noise = number(
            "Wrong classes", "Share of rows whose class is another than the rule says.",
            minimum=0, maximum=50, unit="%", step=1,
        )  # fmt: skip
        self.seed = number("Seed", "Of everything random: equal seeds give equal rows.",
                           minimum=0, maximum=2**31 - 1)  # fmt: skip
        for field, value in (
            (self.rows, 20_000), (self.width_, 2000), (self.noise, 0), (self.seed, 1),
        ):  # fmt: skip
            field.set_number(value)
        self.told = Label("", 13, 400, "second", wrap=True)
        self.fields = [
            LabeledField("&Rows", self.rows),
            LabeledField("&Drift", self.drift),
            LabeledField("&Changes at rows", self.at),
            LabeledField("A change &takes", self.width_),
            LabeledField("&Wrong classes", self.noise),
            LabeledField("S&eed", self.seed),
        ]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(10))
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(16))
        grid.setVerticalSpacing(px(10))
        for place, labelled in enumerate(self.fields):
            grid.addWidget(labelled, place // 2, place % 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        column.addLayout(grid)
        column.addWidget(self.told)
        self.set_kind(self._kind)

    def set_kind(self, kind: str) -> None:
        """Make another stream; a drift that it cannot have becomes an abrupt one."""
        self._kind = kind
        able = [key for key in SHAPES if key != "incremental" or KINDS[kind].incremental]
        now = self.drift.current()
        self.drift.set_options(
            [(key, SHAPES[key][0]) for key in able], now if now in able else able[0]
        )
        self._show()

    def positions(self) -> tuple[int, ...]:
        """Return the rows that were written; raises `DataError` for what is no list of them."""
        text = self.at.text().replace(" ", "").replace("_", "").strip(",")
        if not text:
            return ()
        try:
            return tuple(int(part) for part in text.split(","))
        except ValueError as error:
            raise DataError(
                f"{quote(self.at.text())} is not understood: write rows separated by commas."
            ) from error

    def spec(self) -> StreamSpec:
        """Return the stream; raises `DataError` if it cannot be made."""
        drift = next(shape for shape in get_args(Shape) if shape == self.drift.current())
        return check_stream(
            StreamSpec(
                self._kind,
                rows=self.rows.whole(),
                drift=drift,
                at=() if drift == "none" else self.positions(),
                width=self.width_.whole(),
                noise=0.0 if KINDS[self._kind].task == "regression" else self.noise.number() / 100,
                seed=self.seed.whole(),
            )
        )

    def problem(self) -> str | None:
        """Why it cannot be made; None when it can."""
        try:
            self.spec()
        except DataError as error:
            return error.sentence
        return None

    def _show(self) -> None:
        shape = self.drift.current()
        self.fields[2].setEnabled(shape != "none")
        self.fields[3].setEnabled(shape in ("gradual", "incremental"))
        self.fields[4].setEnabled(KINDS[self._kind].task != "regression")
        wrong = self.problem()
        if wrong is not None:
            self.told.setText(wrong)
        else:
            spec = self.spec()
            rows = ", ".join(count_text(at) for at in spec.positions)
            many = "row" if len(spec.positions) == 1 else "rows"
            where = f" Changes begin at {many} {rows}; plots mark them." if rows else ""
            what = SHAPES[shape][1]
            self.told.setText(f"{what[0].upper()}{what[1:]}.{where}")
        self.told.set_tone("second" if wrong is None else "alarm")
        self.changed.emit()
