"""The live plots in one card: error, parameters of the selected lane, feature drift, costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QSplitter, QVBoxLayout, QWidget

from modellab.gui.deploy import lines as made
from modellab.gui.deploy.chooser import ParameterChooser
from modellab.gui.deploy.plot_panel import HEAD, PlotPanel
from modellab.gui.deploy.words import error_text, error_unit, task_of
from modellab.gui.kit import (
    IconButton,
    QuietButton,
    SegmentedControl,
    count_text,
    describe,
    number_text,
    short_number,
)
from modellab.gui.plots.drift_map import DriftMap, ScaleKey
from modellab.gui.plots.live import LivePlot
from modellab.gui.plots.row_axis import RowAxis
from modellab.gui.plots.series import AutoRange
from modellab.gui.plots.ticks import date_words, full_date, short_date
from modellab.gui.plots.view_range import Span, ViewRange
from modellab.gui.session_deployment import time_at
from modellab.gui.theme import px, set_height

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QResizeEvent

    from modellab.gui.plots.parts import Mark, Shade
    from modellab.gui.session import Session
    from modellab.gui.session_deployment import Deployment

FRAME_MS = 16
SLOW_FRAME_MS = 11.0
CLOSE_SECONDS = 0.15
"""Frames that are closer than this may leave what they show of lesser things to the next one."""
SHARE = 1.6
"""Frames that take long come so many times as far apart as they take: the engine needs the rest."""
HEIGHTS = (33, 22, 17, 17)
NARROW = 640
ROOM = 0.012
_PINNED = ("push-pin", "push-pin-fill")


class PlotStack(QFrame):
    """The card; `changed` is called by the page whenever the session has news.

    Drawing has a governor: a frame that takes long makes the next one wait.
    """

    def __init__(self, session: Session, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setProperty("kind", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.view = ViewRange()
        self.view.room = ROOM
        self.recorder = made.Recorder()
        self.quantity: made.Quantity = "cost"
        self.chosen: dict[str, list[str]] = {}
        """Parameters that the person chose, by lane."""
        self.heat = False
        self._whole = False
        self._marks_key: object = None
        self._marks_of = made.Marks()
        self._marks_kept: list[Mark] = []
        """What the marks were made of, kept so that its identity tells."""
        self._marks_made: tuple[list[Mark], list[Mark], list[Mark]] = ([], [], [])
        self._shades: list[Shade] = []
        self._cost_said: object = None
        self._parameters_of: str | None = None
        self._narrow = False
        self._live: Deployment | None = None
        self._auto_folded: set[str] = set()
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.setTimerType(Qt.TimerType.PreciseTimer)
        self._frame.timeout.connect(self._next_frame)
        self._drawn_at = 0.0
        self._turn = 0
        self.frame_ms = 0.0
        """Milliseconds that the last frame took, preparation and painting."""
        self._build()
        self.view.listen(self._view_changed)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self.spans = SegmentedControl(
            "Rows shown",
            [
                ("all", "all so far", "All rows that were replayed so far."),
                ("10k", "last 10 k", "The last 10,000 rows, moving with the stream."),
                ("2k", "last 2 k", "The last 2,000 rows, moving with the stream."),
            ],
            changed=self._span_chosen,
        )
        self.follow = QuietButton(
            "Follow",
            "Keep the newest row in sight. It rests once you move the plots yourself.\nEnd",
            icon="push-pin-fill",
        )
        self.follow.setCheckable(True)
        self.follow.setChecked(True)
        self.follow.clicked.connect(self._follow_clicked)
        self.error_plot = LivePlot(
            "Error of every lane",
            "Drag or use Ctrl and arrows to move, the wheel or + and − to zoom, arrows for the "
            "crosshair, Enter or a click to pin it, End to follow again.",
            self.view,
            date_of=self.date_of,
            axis_range=AutoRange(limits=(0.0, None)),
        )
        self.error_plot.mark_texts = True
        self.error_plot.shows_readout = True
        self.alarms = IconButton(
            "bell-ringing",
            "Alarms of all lanes",
            "Draw the drift alarms of all lanes that are shown, not only those of the selected "
            "one. Where many stand together, a number tells how many they are.",
            checkable=True,
            size=28,
        )
        self.alarms.toggled.connect(self._alarms_toggled)
        self.error_panel = PlotPanel(
            "Error", self.error_plot, [self.spans, self.follow, self.alarms]
        )
        self.mode = SegmentedControl(
            "Parameters as",
            [
                ("lines", "lines", "A line for each parameter."),
                ("heat", "heat map", "Colours for up to 40 parameters at once."),
            ],
            changed=self._mode_chosen,
        )
        self.chooser = ParameterChooser()
        self.chooser.chosen.connect(self._parameters_chosen)
        self.parameter_plot = LivePlot(
            "Parameters of the selected lane",
            "How the model's parameters moved along the stream.",
            self.view,
            date_of=self.date_of,
            words=self._parameter_words,
        )
        self.parameter_plot.zero_line = True
        self.parameter_panel = PlotPanel(
            "Model parameters", self.parameter_plot, [self.mode, self.chooser]
        )
        self.chooser.counted.connect(self.parameter_panel.fit)
        self.quantities = SegmentedControl(
            "What is added up",
            [
                ("cost", "cost", "Money so far, by the prices of the experiment."),
                ("compute", "compute", "CPU seconds so far: predicting, learning and fitting."),
                ("updates", "updates", "Updates of the model so far."),
            ],
            changed=self._quantity_chosen,
        )
        self.cost_plot = LivePlot(
            "Cost of every lane",
            "What every lane has cost so far.",
            self.view,
            date_of=self.date_of,
            axis_range=AutoRange(floor=0.0),
        )
        self.cost_panel = PlotPanel("Cost so far", self.cost_plot, [self.quantities])
        self.drift_plot = DriftMap(
            "Feature drift",
            "How far every column has moved from the training window. Arrows move the crosshair, "
            "Up and Down choose a column.",
            self.view,
            date_of=self.date_of,
            words=lambda v: f"{short_number(v, 2)}×",
        )
        self.drift_panel = PlotPanel("Feature drift", self.drift_plot, [ScaleKey()])
        self.panels = (
            self.error_panel,
            self.parameter_panel,
            self.drift_panel,
            self.cost_panel,
        )
        self.plots = tuple(panel.plot for panel in self.panels)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(1)
        for panel, _share in zip(self.panels, HEIGHTS, strict=True):
            self.splitter.addWidget(panel)
            panel.setMinimumHeight(px(HEAD + 60))
            panel.plot.readout_wanted.connect(self._readout_here)
            panel.folded_changed.connect(self._folded_by_hand)
        # So low it can be: what has no room is folded, by `fold_for_height`.
        self.setMinimumHeight(px(4 * HEAD + 2 * 60 + 46))
        self.axis = RowAxis(self.view, self._axis_date)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 2, 1, 6)
        column.setSpacing(0)
        column.addWidget(self.splitter, 1)
        column.addWidget(self.axis)
        self.reset_heights()
        for control in (self.spans, self.mode, self.quantities):
            set_height(control, 30)
        set_height(self.follow, 28)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < px(NARROW)
        if narrow != self._narrow:
            self._narrow = narrow
            self.follow.setText("" if narrow else "Follow")
            self.follow.set_icon(_PINNED[self.view.follow])
            short = {"all": "all", "10k": "10 k", "2k": "2 k"}
            full = {"all": "all so far", "10k": "last 10 k", "2k": "last 2 k"}
            for key, words in (short if narrow else full).items():
                self.spans.button(key).setText(words)
                self.spans.button(key).updateGeometry()

    def reset_heights(self) -> None:
        """Share the height as usual."""
        self.splitter.setSizes([share * 10 for share in HEIGHTS])

    # ------------------------------------------------------------------ dates

    def _time(self, row: int) -> int | None:
        live = self._live
        if live is None or not len(live.times_ns):
            return None
        return time_at(live.times_ns, live.n_rows, row)

    def date_of(self, row: int) -> str:
        """Return the date of a row as the readout shows it."""
        live = self._live
        when = self._time(row)
        if live is None or when is None:
            return ""
        wide = self.view.high - self.view.low
        if self._span_ns(wide) < 40 * 86_400 * 10**9:
            return full_date(when)
        return short_date(when)

    def _axis_date(self, row: int, span: float) -> str:
        live = self._live
        if live is None or row >= live.n_rows:
            return ""
        if span <= 0:  # the crosshair's chip
            span = min((self.view.high - self.view.low) / 40, 3000)
        return date_words(self._time(row), self._span_ns(span))

    def _span_ns(self, rows: float) -> int:
        live = self._live
        if live is None or not len(live.times_ns) or live.n_rows < 2:
            return 0
        low = int(max(0, self.view.low))
        first, last = self._time(low), self._time(min(low + max(1, int(rows)), live.n_rows - 1))
        return 0 if first is None or last is None else max(0, last - first)

    # ------------------------------------------------------------------ choices

    def _span_chosen(self, key: str) -> None:
        span: Span = key  # type: ignore[assignment]
        for plot in self.plots:
            plot.follow_y()
        self.view.set_span(span)

    def set_span(self, span: Span) -> None:
        """Show this much, as if chosen in the header."""
        self.spans.set_current(span)
        self._span_chosen(span)

    def _follow_clicked(self, on: bool) -> None:
        if on:
            for plot in self.plots:
                plot.follow_y()
        self.view.set_follow(on)

    def toggle_follow(self) -> None:
        """Follow the head, or stay."""
        self._follow_clicked(not self.view.follow)

    def _alarms_toggled(self, _on: bool) -> None:
        self._marks_key = None
        self.request()

    def _mode_chosen(self, key: str) -> None:
        self.heat = key == "heat"
        self.request()

    def _parameters_chosen(self, names: list[str] | None) -> None:
        live = self.session.deployment
        if live is None or live.selected is None:
            return
        if names:
            self.chosen[live.selected] = names
        else:
            self.chosen.pop(live.selected, None)
        self.parameter_plot.follow_y()
        self.request()

    def _quantity_chosen(self, key: str) -> None:
        self.quantity = key  # type: ignore[assignment]
        self.cost_plot.follow_y()
        self.request()

    def _readout_here(self) -> None:
        wanted = self.sender()
        for plot in self.plots:
            plot.shows_readout = plot is wanted

    def _folded_by_hand(self) -> None:
        self._auto_folded.clear()
        self._make_room(self.sender())
        self.request()

    def _make_room(self, opened: object) -> None:
        """Fold the lesser plots where one that was unfolded leaves them no room."""
        room = self.splitter.height()
        for panel in (self.cost_panel, self.drift_panel, self.parameter_panel):
            needed = sum(px(HEAD if p.folded else HEAD + 60) + 1 for p in self.panels)
            if needed <= room:
                return
            if panel is not opened and not panel.folded:
                panel.set_folded(True)

    def fold_for_height(self, height: int) -> None:
        """Fold cost, drift, then parameters where it is low; unfold what was folded so."""
        wanted: set[str] = set()
        room = height - px(36) - 10
        if room < 4 * px(HEAD + 96):
            wanted.add("cost")
        if room < px(HEAD) + 3 * px(HEAD + 96):
            wanted.add("drift")
        if room < 2 * px(HEAD) + 2 * px(HEAD + 76):
            wanted.add("parameters")
        panels = {
            "cost": self.cost_panel,
            "drift": self.drift_panel,
            "parameters": self.parameter_panel,
        }
        for key, panel in panels.items():
            if key in wanted and not panel.folded:
                panel.set_folded(True)
                self._auto_folded.add(key)
            elif key not in wanted and key in self._auto_folded:
                panel.set_folded(False)
                self._auto_folded.discard(key)

    # ------------------------------------------------------------------ what is shown

    def structure_changed(self) -> None:
        """Lanes, selection or state changed: what headers say, and all lines."""
        live = self.session.deployment
        fresh = live is not self._live
        self._live = live
        if live is None:
            return
        if fresh:
            self.view.set_stream(live.train_rows, live.position, live.stop)
            self.view.set_hover(None)
            self.view.pin(None)
            self.view.set_span("all")
            self.spans.set_current("all")
            for plot in self.plots:
                plot.follow_y()
        self._say_what()
        self.changed()

    def _say_what(self) -> None:
        live = self._live
        if live is None:
            return
        task = task_of(self.session)
        window = count_text(live.experiment.evaluation.window)
        unit = error_unit(task)
        self.error_panel.set_title("Error", f"{unit} · test-then-train · window {window} rows")
        self.error_plot.words = lambda v: error_text(v, task)
        self.error_plot.axis_range.limits = (0.0, 1.0 if task == "classification" else None)
        self.error_plot.empty_text = (
            "Press play: each row is predicted first, and then its label is shown to the lanes."
        )
        name = live.selected or "no lane"
        self.parameter_panel.set_title("Model parameters", self._parameter_subtitle(name))
        self.parameter_plot.empty_text = (
            "This lane's model has no parameters that can be drawn."
            if live.started
            else "The parameters of the selected lane appear as the stream runs."
        )
        self._say_drift(live)
        self._say_cost(live)

    def _say_drift(self, live: Deployment) -> None:
        spec = live.experiment.drift
        self.drift_panel.set_title(
            "Feature drift",
            f"columns against the training window · last {count_text(spec.window)} rows · one "
            f"false alarm per {count_text(spec.false_alarm_every)} rows",
        )
        if not spec.features:
            words = "The columns are not watched: switch it on in the settings of the replay."
        elif not live.train_rows:
            words = "Without a training window there is nothing to compare the columns with."
        elif live.recorded and not len(live.feature_drift):
            words = "These results hold no checks of the columns: replay the experiment to see any."
        else:
            words = f"The columns are compared first after {count_text(spec.window)} rows."
        self.drift_plot.empty_text = words

    def _parameter_subtitle(self, name: str) -> str:
        live = self._live
        view = live.lanes.get(name) if live is not None else None
        if view is None:
            return name
        kind = view.spec.learner.kind
        what = "size, depth, features used" if "tree" in kind or "forest" in kind else "weights"
        if kind == "linear":
            what = "weights of the standardised columns"
        return f"{name} · {what}"

    def _say_cost(self, live: Deployment) -> None:
        prices = live.experiment.prices
        if (prices, self.quantity) == self._cost_said:
            return
        self._cost_said = (prices, self.quantity)
        if self.quantity == "cost":
            parts = [f"errors × {short_number(prices.error)}"]
            if prices.retrain:
                parts.append(f"retrains × {short_number(prices.retrain)}")
            if prices.cpu_hour:
                parts.append(f"CPU hours × {short_number(prices.cpu_hour)}")
            self.cost_panel.set_title("Cost so far", " + ".join(parts))
            self.cost_plot.words = lambda v: _money(v)
        elif self.quantity == "compute":
            self.cost_panel.set_title("Compute so far", "CPU seconds: predict, learn, fit")
            self.cost_plot.words = lambda v: f"{short_number(v, 3)} s"
        else:
            self.cost_panel.set_title("Updates so far", "updates of the model")
            self.cost_plot.words = lambda v: count_text(v)
        describe(self.cost_plot, f"{self.quantity} of every lane", "What every lane has cost.")
        self.cost_plot.setToolTip("")

    def changed(self) -> None:
        """There is news: draw with the next frame."""
        self.recorder.take(self.session.deployment)
        self.request()

    def request(self) -> None:
        """Draw soon: at once, or when the last frame has been paid for."""
        if self._frame.isActive() or not self.isVisible():
            return
        passed = (time.perf_counter() - self._drawn_at) * 1000
        pause = FRAME_MS if self.frame_ms < SLOW_FRAME_MS else min(100.0, SHARE * self.frame_ms)
        self._frame.start(max(0, round(pause - passed)))

    def rest(self) -> None:
        """Stop drawing: the page is hidden."""
        self._frame.stop()

    def draw_now(self) -> None:
        """Draw all of it at once (for pictures and tests)."""
        self._frame.stop()
        self._draw(hurried=False)

    def _view_changed(self) -> None:
        if self.follow.isChecked() != self.view.follow:
            self.follow.setChecked(self.view.follow)
            self.follow.set_icon(_PINNED[self.view.follow])
        self.request()

    def _next_frame(self) -> None:
        live = self.session.deployment
        close = time.perf_counter() - self._drawn_at < CLOSE_SECONDS
        self._draw(hurried=close and live is not None and live.playing)

    def _draw(self, *, hurried: bool) -> None:
        live = self.session.deployment
        if live is None or live is not self._live:
            return
        began = time.perf_counter()
        self.view.set_stream(live.train_rows, live.position, live.stop)
        everything, of_selected, by_hand = self._marks(live)
        self._turn = (self._turn + 1) % len(self.plots)
        for number, plot in enumerate(self.plots):
            plot.shades, plot.hurried = self._shades, hurried
            plot.label_turn = number == self._turn
        # While rows run by, the plots under the first take turns: two frames are one of theirs.
        rests: tuple[PlotPanel, ...] = ()
        if hurried:
            even = self._turn % 2 == 0
            rests = (self.parameter_panel,) if even else (self.drift_panel, self.cost_panel)
        if self.error_panel.needs_drawing() or self.error_panel.table_button.isChecked():
            self.error_plot.set_lines(made.error_lines(live))
            self.error_plot.marks = everything
        if not self.parameter_panel.folded and self.parameter_panel not in rests:
            self._set_parameters(live)
            self.parameter_plot.marks = of_selected
        if not self.drift_panel.folded and self.drift_panel not in rests:
            self.drift_plot.show_drift(live.feature_drift)
        if not self.cost_panel.folded and self.cost_panel not in rests:
            self._say_cost(live)
            found = made.cost_lines(live, self.recorder, self.quantity) if live.started else []
            self.cost_plot.set_lines(found)
            self.cost_plot.empty_text = "What the lanes cost adds up as the stream runs."
            self.cost_plot.marks = by_hand
        for panel in self.panels:
            if panel in rests:
                continue
            if panel.needs_drawing():
                panel.plot.refresh()
            else:
                panel.update_table()
        if self.cost_panel not in rests:
            self.axis.update()
        self._drawn_at = time.perf_counter()
        painting = sum(p.plot.paint_ms for p in self.panels if p not in rests and p.needs_drawing())
        self.frame_ms = (self._drawn_at - began) * 1000 + painting

    def _marks(self, live: Deployment) -> tuple[list[Mark], list[Mark], list[Mark]]:
        """Return all marks, the selected lane's, and those by hand; made anew when some came."""
        everything = self._marks_of.of(live)
        faults = tuple(live.experiment.fault)
        last = live.events[-1] if live.events else None
        selected = live.selected
        key = (id(everything), len(live.events), id(last), selected, faults, live.stop)
        if key != self._marks_key:
            self._marks_key, self._marks_kept = key, everything
            self._shades = made.shades(live)
            by_hand = [m for m in everything if m.kind in ("change", "rollback")]
            of_lane = [m for m in everything if m.lane == selected]
            if not self.alarms.isChecked():
                # Five lanes have hundreds of alarms: the timeline tells of the others.
                everything = [m for m in everything if m.strong or m.kind != "drift"]
            self._marks_made = everything, of_lane, by_hand
        return self._marks_made

    def _parameter_words(self, value: float) -> str:
        if self._whole:  # sizes and depths of trees
            return count_text(value)
        return _signed(value)

    def _set_parameters(self, live: Deployment) -> None:
        chosen = self.chosen.get(live.selected or "")
        found = made.parameter_lines(live, chosen)
        self.parameter_plot.set_lines(found)
        if live.selected != self._parameters_of:
            self._parameters_of = live.selected
            self.parameter_plot.follow_y()
        self._whole = bool(found) and all(
            bool(np.all((line.y[-50:] == np.round(line.y[-50:])) | np.isnan(line.y[-50:])))
            for line in found
        )
        self.parameter_plot.axis_range.floor = 0.0 if self._whole else None
        self.parameter_plot.heat = made.heat_map(live, chosen) if self.heat else None
        shown: Sequence[str] = [line.name for line in found]
        if self.parameter_plot.heat is not None:
            shown = self.parameter_plot.heat.names
        self.chooser.set_counts(live.parameters.names, shown)


def _signed(value: float) -> str:
    if abs(value) >= 1000 or (value and abs(value) < 0.0095):
        return ("+" if value > 0 else "") + short_number(value, 3)
    return number_text(value, 2, signed=True)


def _money(value: float) -> str:
    return count_text(value) if abs(value) >= 100 else short_number(value, 3)
