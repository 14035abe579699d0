"""Which drift detector, and its settings; only what differs from the usual is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from modellab.experiment_policies import DETECTOR_SETTINGS
from modellab.gui.deploy.setting_boxes import narrow
from modellab.gui.deploy.words import DETECTOR_TITLES
from modellab.gui.kit import Label, LabeledField, NumberField, PlainButton
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modellab.experiment import Scalar

STORIES = {
    "adwin": "Keeps a window of errors as long as it agrees with itself; a good first choice.",
    "ddm": "Alarms when the error rises well above its least level so far; for sudden changes.",
    "eddm": "Watches the distance between errors; for slow changes.",
    "hddm_a": "Compares averages with a bound that holds for any distribution; for sudden changes.",
    "hddm_w": "The same with weighted averages, newest rows first; for slow changes.",
    "page_hinkley": "Adds up what lies above the mean so far; a classic of quality control.",
    "kswin": "Compares the newest errors with a sample of those before (Kolmogorov-Smirnov).",
    "none": "No detector watches the error.",
}
_WORDS: dict[str, tuple[str, str]] = {
    "delta": ("Sensitivity δ", "Chance of a false alarm that is accepted; smaller: fewer alarms."),
    "clock": ("Checked every", "Rows between two checks (clock)."),
    "max_buckets": ("Buckets", "Buckets of one size that are kept (max_buckets)."),
    "min_window_length": ("Least part", "Rows that each part must have (min_window_length)."),
    "grace_period": ("Grace period", "Rows before the first check."),
    "warm_start": ("Warm-up", "Rows before the first alarm (warm_start)."),
    "warning_threshold": ("Warns at", "Standard deviations above the least level."),
    "drift_threshold": ("Alarms at", "Standard deviations above the least level."),
    "alpha": ("α", "For EDDM the warning level, for Page-Hinkley the forgetting, for KSWIN the "
              "chance of a false alarm in a test."),
    "beta": ("Alarms below β", "Level of the distance between errors that is an alarm."),
    "drift_confidence": ("Alarm confidence", "Chance of a false alarm; smaller: fewer alarms."),
    "warning_confidence": ("Warning confidence", "The same for warnings, which come sooner."),
    "lambda_val": ("Weight of the newest λ", "Larger: recent rows count more."),
    "min_instances": ("Warm-up", "Rows before the first alarm (min_instances)."),
    "threshold": ("Alarms at λ", "Sum of deviations that is an alarm; larger: fewer alarms."),
    "window_size": ("Window", "Rows that are kept (window_size)."),
    "stat_size": ("Newest rows", "Rows that are compared with the rest (stat_size)."),
}  # fmt: skip
USUAL: dict[str, dict[str, float]] = {
    "adwin": {
        "delta": 0.002,
        "clock": 32,
        "max_buckets": 5,
        "min_window_length": 5,
        "grace_period": 10,
    },
    "ddm": {"warm_start": 30, "warning_threshold": 2.0, "drift_threshold": 3.0},
    "eddm": {"warm_start": 30, "alpha": 0.95, "beta": 0.9},
    "hddm_a": {"drift_confidence": 0.001, "warning_confidence": 0.005},
    "hddm_w": {"drift_confidence": 0.001, "warning_confidence": 0.005, "lambda_val": 0.05},
    "page_hinkley": {"min_instances": 30, "delta": 0.005, "threshold": 50.0, "alpha": 0.9999},
    "kswin": {"alpha": 0.005, "window_size": 100, "stat_size": 30},
}
"""River's own defaults."""
_WHOLE = {
    "clock", "max_buckets", "min_window_length", "grace_period", "warm_start", "min_instances",
    "window_size", "stat_size",
}  # fmt: skip


class DetectorForm(QWidget):
    """A choice of detectors with their settings below it.

    Parameters
    ----------
    none
        Also offer to have none.
    columns
        Fields beside each other.
    """

    changed = Signal()

    def __init__(
        self, *, none: bool = False, columns: int = 3, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        options = [(name, title) for name, title in DETECTOR_TITLES.items()]
        if none:
            options.append(("none", "none"))
        self.choice = ChoiceField(
            "Drift detector",
            "What watches the error as it becomes known, row by row.",
            options,
            current="adwin",
            chosen=lambda _key: self._chosen(),
        )
        self.story = Label("", 12, 400, "second", wrap=True)
        self._columns = columns
        self._fields: dict[str, NumberField] = {}
        self._kept: dict[str, dict[str, Scalar]] = {}
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(px(10))
        self._grid.setVerticalSpacing(px(8))
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)
        self.more = PlainButton("Its settings", "Settings of the detector; usual ones will do.")
        self.more.setProperty("kind", "quiet")
        self.more.set_icon("caret-right")
        self._inner = QWidget()
        self.more.clicked.connect(lambda: self._open(self._inner.isHidden()))
        self._inner.setLayout(self._grid)
        self._grid.setContentsMargins(0, 0, 0, 0)
        top = QHBoxLayout()
        top.setSpacing(px(8))
        top.addWidget(self.choice, 1)
        top.addWidget(self.more)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(px(6))
        outer.addLayout(top)
        outer.addWidget(self.story)
        outer.addWidget(self._inner)
        self._inner.hide()
        self.set_detector("adwin", {})

    def detector(self) -> str:
        """Return the name of the detector; ``none`` for none."""
        return self.choice.current()

    def params(self) -> dict[str, Scalar]:
        """Return the settings that are not as usual."""
        name = self.detector()
        found: dict[str, Scalar] = {}
        for key, field in self._fields.items():
            value: float = field.whole() if key in _WHOLE else field.number()
            if abs(value - USUAL[name][key]) > 1e-12 * max(1.0, abs(value)):
                found[key] = value
        return found

    def set_detector(self, name: str, params: Mapping[str, Scalar]) -> None:
        """Show a detector with its settings, without a signal."""
        self.choice.set_current(name)
        self._kept[name] = dict(params)
        self._show()
        self._open(bool(params))

    def _open(self, opened: bool) -> None:
        self._inner.setVisible(opened and self.detector() != "none")
        self.more.set_icon("caret-down" if opened else "caret-right")

    def _chosen(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self._fields = {}
        name = self.detector()
        self.story.setText(STORIES.get(name, ""))
        self.more.setVisible(name != "none")
        params = self._kept.get(name, {})
        for at, (key, usual) in enumerate(USUAL.get(name, {}).items()):
            title, tip = _WORDS[key]
            low, high = DETECTOR_SETTINGS[name][key]
            given = params.get(key, usual)
            field = NumberField(
                title,
                f"{tip}\nUsual: {usual:g}. In files: {key}.",
                value=float(given),
                minimum=low,
                maximum=high,
                log=key not in _WHOLE,
                committed=lambda _v: self._entered(),
            )
            narrow(field)
            self._fields[key] = field
            self._grid.addWidget(
                LabeledField(title, field), at // self._columns, at % self._columns
            )

    def _entered(self) -> None:
        self._kept[self.detector()] = self.params()
        self.changed.emit()
