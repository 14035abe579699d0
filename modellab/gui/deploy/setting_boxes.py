"""The boxes of the inspector: learning rate, online learning, schedule, further settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from modellab.gui.deploy.settings_rows import Sender, SpanField
from modellab.gui.kit import (
    Label,
    LabeledField,
    LogSlider,
    NumberField,
    Rule,
    ToggleSwitch,
    count_text,
    short_number,
)
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.experiment import Scalar
    from modellab.gui.session_deployment import LaneView
    from modellab.learners.base import Parameter

RATE_LOW, RATE_HIGH = 1e-4, 1.0
_SCHEDULES = {
    "constant": "constant",
    "invscaling": "falling",
    "optimal": "optimal",
    "adagrad": "AdaGrad",
}
_PENALTIES = {"none": "none", "l2": "L2", "l1": "L1", "elasticnet": "elastic net"}


class RateBox(QWidget):
    """The learning rate: slider on a log scale, number field, schedule, and the best-rate mark."""

    def __init__(self, sender: Sender, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sender = sender
        tip = (
            "How far one update moves the model. Larger follows change faster and is noisier. "
            "It takes effect at the next row that is learned."
        )
        self.field = NumberField(
            "Learning rate",
            tip,
            value=0.05,
            minimum=1e-6,
            maximum=10.0,
            log=True,
            committed=lambda v: self._typed(v),
        )
        self.field.setFixedWidth(px(76))
        self.schedule = ChoiceField(
            "Schedule of the learning rate",
            "Whether the rate stays, falls with the number of updates, or is kept per feature.",
            list(_SCHEDULES.items()),
            chosen=lambda key: self._sender.change_now("schedule", key),
        )
        self.schedule.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.slider = LogSlider(
            "Learning rate",
            tip,
            minimum=RATE_LOW,
            maximum=RATE_HIGH,
            changed=self._dragged,
        )
        self.slider.value_committed.connect(self._let_go)
        self.best = Label("", 12, 400, "second", wrap=True)
        self.best.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.track = ToggleSwitch(
            "Compare learning rates",
            "Carry nine learning rates along in the same pass and mark the one that did best over "
            "the last rows. It never changes the model itself.",
            toggled=lambda on: self._sender.change_now("track_rates", on),
        )
        self._track_row = LabeledField("Compare with other rates", self.track, beside=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(4))
        top = QHBoxLayout()
        top.setSpacing(px(8))
        name = Label("Learning rate η", 13, 600)
        name.setBuddy(self.field)
        top.addWidget(name)
        top.addStretch(1)
        top.addWidget(self.field)
        top.addWidget(self.schedule, 20)
        column.addLayout(top)
        column.addWidget(self.slider)
        column.addWidget(self.best)
        column.addWidget(self._track_row)

    def _dragged(self, value: float) -> None:
        self.field.set_number(value)
        self._sender.change("learning_rate", value)

    def _let_go(self, value: float) -> None:
        if self._sender.held("learning_rate"):
            self._sender.flush()

    def _typed(self, value: float) -> None:
        self.slider.set_real(value)
        self._sender.change_now("learning_rate", value)

    def show_lane(self, lane: LaneView, colour: str) -> None:
        """Show the settings as the engine has them, unless they are being moved."""
        settings = lane.news.settings if lane.news is not None else {}
        rate = settings.get("learning_rate")
        self.slider.set_colour(colour)
        self.track.set_colour(colour)
        moving = self.slider.isSliderDown() or self._sender.held("learning_rate")
        if isinstance(rate, int | float) and not moving:
            if float(rate) != self.slider.real():
                self.slider.set_real(float(rate))
            if not self.field.hasFocus() and float(rate) != self.field.number():
                self.field.set_number(float(rate))
        schedule = settings.get("schedule")
        self.schedule.setVisible(schedule is not None)
        if schedule is not None and not self._sender.held("schedule"):
            self.schedule.set_current(str(schedule))
        own = schedule == "optimal"
        self.slider.setEnabled(not own)
        self.field.setEnabled(not own)
        tracked = settings.get("track_rates")
        news = lane.news
        if tracked and news is not None and news.rates is None and news.updates:
            tracked = None  # a model of words carries none along, whatever was asked
        self._track_row.setVisible(tracked is not None)
        if tracked is not None and not self._sender.held("track_rates"):
            set_switch(self.track, bool(tracked))
        self._show_best(lane, bool(tracked), own)

    def _show_best(self, lane: LaneView, tracked: bool, own: bool) -> None:
        rates = lane.news.rates if lane.news is not None else None
        best = rates.get("best") if rates else None
        words = ""
        if rates and isinstance(best, int | float):
            rows = count_text(float(rates.get("rows") or 0))
            words = (
                f"▾ {short_number(float(best), 3)} would have been best over the last {rows} rows"
            )
        elif tracked and not own:
            words = "The best rate appears once some rows were learned."
        if own:
            words = "This schedule sets the rate by itself: it does not heed the slider."
        if words != self.best.text():
            self.best.setText(words)
            # Always room for two lines: else all that is under it would move with every number.
            self.best.setMinimumHeight(2 * self.best.fontMetrics().lineSpacing())
        self.best.setVisible(bool(words))
        mark = float(best) if isinstance(best, int | float) and not own else None
        self.slider.set_mark(mark, words)


class OnlineBox(QWidget):
    """When an online lane learns: every k rows, in mini-batches; its penalty; freeze."""

    def __init__(self, sender: Sender, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sender = sender

        def whole(name: str, title: str, tip: str) -> NumberField:
            return NumberField(
                title,
                tip,
                value=1,
                minimum=1,
                maximum=1_000_000,
                unit="rows",
                committed=lambda v: sender.change_now(name, round(v)),
            )

        self.every = whole(
            "every", "Update every", "Learn after so many labelled rows have come, not after each."
        )
        self.batch = whole("batch", "Mini-batch", "Rows that one step of learning takes together.")
        self.alpha = NumberField(
            "Strength of the penalty",
            "Keeps weights small; 0 means no penalty.",
            minimum=0.0,
            maximum=10.0,
            log=True,
            committed=lambda v: sender.change_now("alpha", v),
        )
        self.frozen = ToggleSwitch(
            "Freeze learning",
            "The model predicts on but learns nothing, until it is thawed.",
            toggled=lambda on: sender.change_now("frozen", on),
        )
        self._alpha_label = LabeledField("Penalty", self.alpha)
        narrow(self.every, self.batch, self.alpha)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(8))
        grid.setVerticalSpacing(px(8))
        grid.addWidget(LabeledField("Update every", self.every), 0, 0)
        grid.addWidget(LabeledField("Mini-batch", self.batch), 0, 1)
        grid.addWidget(self._alpha_label, 0, 2)
        grid.addWidget(Rule(), 1, 0, 1, 3)
        grid.addWidget(LabeledField("Freeze learning", self.frozen, beside=True), 2, 0, 1, 3)
        for column in range(3):
            grid.setColumnStretch(column, 1)

    def show_lane(self, lane: LaneView, colour: str) -> None:
        """Show the settings as the engine has them."""
        settings = lane.news.settings if lane.news is not None else {}
        self.frozen.set_colour(colour)
        for name, field in (("every", self.every), ("batch", self.batch), ("alpha", self.alpha)):
            value = settings.get(name)
            idle = not field.hasFocus() and not self._sender.held(name)
            if isinstance(value, int | float) and idle and field.number() != float(value):
                field.set_number(float(value))
        alpha = settings.get("alpha")
        self._alpha_label.setVisible(alpha is not None)
        penalty = str(settings.get("penalty", ""))
        self._alpha_label.label.setText(_PENALTIES.get(penalty, "Penalty"))
        self.alpha.setEnabled(penalty != "none")
        if "frozen" in settings and not self._sender.held("frozen"):
            set_switch(self.frozen, bool(settings["frozen"]))


class ScheduleBox(QWidget):
    """When a lane is retrained, on what, and when the new model serves."""

    def __init__(self, sender: Sender, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sender = sender
        self.every = SpanField(
            "Retrain every",
            "Rows, or a span of event time such as 12h, 7d or 4w.",
            committed=lambda v: sender.change_now("every", v),
        )
        self.keep = SpanField(
            "Train on",
            "All rows known by then, or so many of the newest: “all” or a number of rows.",
            words="all",
            spans=False,
            committed=lambda v: sender.change_now("keep", v),
        )
        self.test_rows = NumberField(
            "Test on",
            "The newest labelled rows, held out to compare the new model with the one that runs.",
            maximum=1e9,
            unit="rows",
            committed=lambda v: sender.change_now("test_rows", round(v)),
        )
        self.margin = NumberField(
            "Margin",
            "The new model serves unless its error is worse by more than this.",
            maximum=1e9,
            log=True,
            committed=lambda v: sender.change_now("margin", v),
        )
        self.delay = SpanField(
            "Serve after",
            "Rows or a span of event time until the new model serves; 0 means at once.",
            least=0,
            committed=lambda v: sender.change_now("delay", v),
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(8))
        grid.setVerticalSpacing(px(8))
        fields = (
            ("Retrain every", self.every),
            ("Train on", self.keep),
            ("Test on newest", self.test_rows),
            ("Margin of error", self.margin),
            ("Serve after", self.delay),
        )
        for number, (title, field) in enumerate(fields):
            grid.addWidget(LabeledField(title, field), number // 2, number % 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        narrow(*(field for _, field in fields))

    def show_lane(self, lane: LaneView) -> None:
        """Show the settings as the engine has them."""
        settings = lane.news.settings if lane.news is not None else {}
        for name, field in (("every", self.every), ("keep", self.keep), ("delay", self.delay)):
            value = settings.get(name)
            if isinstance(value, int | str) and not self._sender.held(name):
                field.set_value(value)
        for name, number in (("test_rows", self.test_rows), ("margin", self.margin)):
            value = settings.get(name)
            idle = not number.hasFocus() and not self._sender.held(name)
            if isinstance(value, int | float) and idle and number.number() != float(value):
                number.set_number(float(value))


class MoreBox(QWidget):
    """Further settings of the learner that can be changed in flight, from its catalogue entry."""

    SHOWN_ABOVE = frozenset({"learning_rate", "schedule", "track_rates", "alpha"})

    def __init__(self, sender: Sender, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sender = sender
        self._fields: dict[str, QWidget] = {}
        self._of: tuple[str, ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(px(8))

    def show_lane(self, lane: LaneView) -> None:
        """Show the settings as the engine has them; hidden when there are none."""
        from modellab.learners.catalogue import CATALOGUE

        settings = lane.news.settings if lane.news is not None else {}
        entry = CATALOGUE.get(lane.spec.learner.kind)
        live: list[Parameter] = [
            p
            for p in (entry.parameters if entry is not None else ())
            if p.live and p.name in settings and p.name not in self.SHOWN_ABOVE
        ]
        names = (lane.name, *(p.name for p in live))
        if names != self._of:
            self._of = names
            self._make(live)
        self.setVisible(bool(live))
        for parameter in live:
            if not self._sender.held(parameter.name):
                self._show(self._fields[parameter.name], settings[parameter.name])

    def _make(self, live: list[Parameter]) -> None:
        while (item := self._column.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self._fields.clear()
        for parameter in live:
            field = self._field(parameter)
            if not isinstance(field, ToggleSwitch):
                field.setFixedWidth(px(132))
            self._fields[parameter.name] = field
            self._column.addWidget(LabeledField(parameter.title, field, beside=True))

    def _field(self, p: Parameter) -> QWidget:
        def send(value: Scalar) -> None:
            self._sender.change_now(p.name, value)

        if p.kind == "choice":
            options = [(c, _PENALTIES.get(c, c.replace("_", " "))) for c in p.choices]
            return ChoiceField(p.title, p.help, options, chosen=send)
        if p.kind == "bool":
            return ToggleSwitch(p.title, p.help, toggled=send)
        whole = p.kind == "int"
        return NumberField(
            p.title,
            p.help,
            minimum=p.low if p.low is not None else -1e9,
            maximum=p.high if p.high is not None else 1e9,
            log=not whole,
            committed=lambda value: send(round(value) if whole else value),
        )

    def _show(self, field: QWidget, value: Scalar) -> None:
        if isinstance(field, ToggleSwitch):
            set_switch(field, bool(value))
        elif isinstance(field, ChoiceField):
            field.set_current(str(value))
        elif isinstance(field, NumberField) and not field.hasFocus():
            field.set_number(float(value))


def narrow(*fields: QWidget) -> None:
    """Let fields share a narrow row: what their widest number needs does not count."""
    for field in fields:
        field.setMinimumWidth(px(60))
        field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)


def set_switch(switch: ToggleSwitch, on: bool) -> None:
    """Show a switch on or off without telling anyone."""
    if switch.isChecked() != on:
        blocked = switch.blockSignals(True)
        switch.setChecked(on)
        switch.blockSignals(blocked)
        switch.update()
