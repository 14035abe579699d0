"""The Deploy page: the stream is replayed through the lanes, live, and steered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from modellab.gui.decide.offer import VerdictOffer
from modellab.gui.deploy.events import EventsCard
from modellab.gui.deploy.fault_dialog import FaultDialog
from modellab.gui.deploy.inspector import Inspector
from modellab.gui.deploy.lane_cards import LaneList
from modellab.gui.deploy.lane_dialog import ForkDialog, LaneDialog
from modellab.gui.deploy.quarantine_dialog import QuarantineDialog
from modellab.gui.deploy.reasons import DeployReasons
from modellab.gui.deploy.rollback_dialog import RollbackDialog, why_no_rollback
from modellab.gui.deploy.row_menu import row_menu
from modellab.gui.deploy.settings_dialog import ReplaySettings
from modellab.gui.deploy.side import STRIP, Side
from modellab.gui.deploy.start import StartPanel
from modellab.gui.deploy.timeline import Timeline
from modellab.gui.deploy.transport import Transport
from modellab.gui.kit import Banner, ProgressLine, count_text
from modellab.gui.pages.base import Page
from modellab.gui.settings import settings
from modellab.gui.theme import px, theme_hub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtGui import QKeyEvent, QResizeEvent

    from modellab.experiment import LaneSpec
    from modellab.gui.actions import Action

NUMBERS_MS = 120
"""Figures are read by people: so often are they brought up to date."""
WIDE = 1400
"""Width of the window, at 100 % text, from which there is room for more."""
LEFT_WIDTH, RIGHT_WIDTH = 272, 336
GAP = 12


class DeployPage(DeployReasons, Page):
    """Transport, timeline, lanes, plots, inspector and events of one replay."""

    id = "deploy"
    title = "Deploy"
    icon = "rocket-launch"

    def build(self) -> Iterator[None]:
        # The plots bring what paints them with them.
        from modellab.gui.deploy.plot_stack import PlotStack

        session = self.session
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._numbers = QTimer(self)
        self._numbers.setSingleShot(True)
        self._number_parts = (self._show_cards, self._show_timeline, self._show_settings)
        self._part = 0
        self._numbers.setInterval(NUMBERS_MS // len(self._number_parts))
        self._numbers.timeout.connect(self._show_numbers)
        self._on_screen = False
        self._faults: FaultDialog | None = None
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.stack = QStackedWidget()
        outer.addWidget(self.stack)
        self.start = StartPanel(session)
        self.stack.addWidget(self.start)
        yield
        self.replay = QWidget()
        self.stack.addWidget(self.replay)
        whole = QVBoxLayout(self.replay)
        whole.setContentsMargins(px(16), 0, px(16), px(14))
        whole.setSpacing(px(10))
        self.transport = Transport(session)
        whole.addWidget(self.transport)
        yield
        self.banner = Banner("warning", "")
        self.banner.hide()
        self.progress = ProgressLine()
        self.progress.hide()
        self.offer = VerdictOffer(session)
        self.timeline = Timeline()
        for widget in (self.banner, self.progress, self.offer, self.timeline):
            whole.addWidget(widget)
        self.middle = QSplitter(Qt.Orientation.Horizontal)
        whole.addWidget(self.middle, 1)
        self.middle.setChildrenCollapsible(False)
        self.middle.setHandleWidth(px(GAP))
        yield
        self.lanes = LaneList(session)
        self.left = Side("Lanes", self.lanes, "Ctrl+B", left=True, least=240, most=360)
        self.lanes.head.addWidget(self.left.fold)
        self.middle.addWidget(self.left)
        yield
        self.plots = PlotStack(session)
        self.plots.setMinimumWidth(px(340))
        self.middle.addWidget(self.plots)
        yield
        yield from self._fill_right()
        for at, stretch in enumerate((0, 1, 0)):
            self.middle.setStretchFactor(at, stretch)
        self._usual_sizes()
        self._restore()
        QWidget.setTabOrder(self.transport, self.timeline)
        yield
        self._connect()
        self._structure()

    def _fill_right(self) -> Iterator[None]:
        right = QWidget()
        self.right = Side(
            "Lane settings and events", right, "Ctrl+Alt+B", left=False, least=0, most=420
        )
        self.middle.addWidget(self.right)
        self.right.fold.setParent(self.right)  # until the events have a heading
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(GAP))
        # The inspector takes what it needs, the events the rest.
        self.inspector = Inspector(self.session)
        self.inspector.setMinimumHeight(px(120))
        column.addWidget(self.inspector, 1000)
        yield
        self.events = EventsCard(self.session)
        self.events.add_action(self.right.fold)
        column.addWidget(self.events, 1)
        # Only now: how wide it is at most depends on what it holds.
        self.right.set_least(304)
        yield

    def _usual_sizes(self) -> None:
        self._widths = [px(LEFT_WIDTH), px(RIGHT_WIDTH)]
        self._share_width()

    def _share_width(self) -> None:
        """Give the plots what folded sides leave; a splitter does not do that by itself."""
        left = px(STRIP) if self.left.folded else self._widths[0]
        right = px(STRIP) if self.right.folded else self._widths[1]
        rest = max(px(340), self.middle.width() - left - right - 2 * px(GAP))
        self.middle.setSizes([left, rest, right])

    def _sides_changed(self) -> None:
        self._share_width()
        self._remember()

    def _splitter_moved(self) -> None:
        left, _, right = self.middle.sizes()
        for at, (side, width) in enumerate(((self.left, left), (self.right, right))):
            if not side.folded:
                self._widths[at] = width
        self._remember()

    def _connect(self) -> None:
        bar = self.transport
        bar.play_clicked.connect(self.toggle_play)
        bar.end_clicked.connect(self.run_to_end)
        bar.step_clicked.connect(self.step_row)
        bar.chunk_clicked.connect(self.step_chunk)
        bar.restart_clicked.connect(self.restart)
        bar.faults_clicked.connect(self.open_faults)
        bar.settings_clicked.connect(self.open_settings)
        self.timeline.seek_wanted.connect(lambda row: self.session.seek(int(row)))
        self.timeline.look_wanted.connect(self._look_at)
        self.timeline.menu_wanted.connect(self._open_row_menu)
        for plot in self.plots.plots:
            plot.menu_wanted.connect(self._open_row_menu)
        self.events.row_chosen.connect(self._look_at)
        self.plots.view.listen(self._range_moved)
        self.lanes.add_wanted.connect(self.add_lane)
        self.lanes.edit_wanted.connect(self.edit_lane)
        self.lanes.fork_wanted.connect(self.fork_lane)
        self.lanes.rollback_wanted.connect(self.roll_back_lane)
        self.inspector.rollback_wanted.connect(self.roll_back_lane)
        self.inspector.quarantine_wanted.connect(self.show_quarantine)
        self.inspector.fork_wanted.connect(self.fork_lane)
        self.inspector.edit_wanted.connect(self.edit_lane)
        self.progress.cancelled.connect(self._cancel)
        self.offer.wanted.connect(lambda: self.go_to.emit("decide"))
        self.left.folded_changed.connect(lambda _on: self._sides_changed())
        self.right.folded_changed.connect(lambda _on: self._sides_changed())
        self.middle.splitterMoved.connect(lambda _at, _which: self._splitter_moved())
        theme_hub().theme_changed.connect(self._themed)
        self.watch("deployment", self._structure)
        self.watch("telemetry", self._news)
        self.watch("jobs", self._jobs)
        for topic in ("experiment", "profile", "trainings", "engine"):
            self.watch(topic, self._state)

    # ------------------------------------------------------------------ the page

    def available(self) -> str | None:
        if self.session.experiment is None:
            return "Open data first."
        return None

    def shown(self) -> None:
        self._on_screen = True
        self._structure()
        if self.focusWidget() is None or not self.isAncestorOf(self.focusWidget()):
            target = self.start.button if self.session.deployment is None else self.transport.play
            target.setFocus(Qt.FocusReason.OtherFocusReason)

    def hidden(self) -> None:
        self._on_screen = False
        self._numbers.stop()
        self.plots.rest()

    def status(self) -> list[str]:
        live = self.session.deployment
        if live is None:
            return []
        lanes = sum(not lane.baseline for lane in live.lanes.values())
        baselines = len(live.lanes) - lanes
        texts = [
            f"{lanes} lane{'s' if lanes != 1 else ''} on the same rows, "
            f"{baselines} baseline{'s' if baselines != 1 else ''}"
        ]
        delay = live.experiment.evaluation.label_delay
        if not delay:
            texts.append("labels arrive with each row")
        elif isinstance(delay, int):
            texts.append(f"labels arrive {count_text(delay)} rows late")
        else:
            texts.append(f"labels arrive {delay} late")
        return texts

    def take_down(self) -> None:
        self.hidden()
        if self._faults is not None:
            self._faults.close()
        self.inspector.changes.flush()
        if self._watching:  # the first time
            theme_hub().theme_changed.disconnect(self._themed)
        super().take_down()

    def reset_layout(self) -> None:
        for side in (self.left, self.right):
            side.set_folded(False)
        for panel in self.plots.panels:
            panel.set_folded(False)
        self.plots.reset_heights()
        self._usual_sizes()
        self._fit()
        self._remember()

    # ------------------------------------------------------------------ layout

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.complete:
            self._fit()
            self._share_width()

    def _fit(self) -> None:
        """Leave out what a small window has no room for."""
        window = self.window()
        wide = window.width() >= px(WIDE)
        self.lanes.set_sparks(wide)
        self.left.set_least(240 if wide else 208)
        rest = self.height() - px(72 + 92 + 3 * 10 + 14)
        rest -= self.banner.height() if self.banner.isVisibleTo(self) else 0
        rest -= self.offer.sizeHint().height() if self.offer.isVisibleTo(self) else 0
        self.plots.fold_for_height(rest)
        self._split_right()

    def _split_right(self) -> None:
        """Give the inspector at most what it needs."""
        high = max(px(120), self.inspector.wanted_height())
        if high != self.inspector.maximumHeight():
            self.inspector.setMaximumHeight(high)

    def _remember(self) -> None:
        value = {
            "widths": self._widths,
            "left": self.left.folded,
            "right": self.right.folded,
        }
        settings().remember_layout("deploy", json.dumps(value))

    def _restore(self) -> None:
        try:
            value = json.loads(settings().layout("deploy") or "{}")
            widths = [int(width) for width in value.get("widths", [])]
            folded = bool(value.get("left")), bool(value.get("right"))
        except (ValueError, TypeError, AttributeError):
            return
        self.left.set_folded(folded[0])
        self.right.set_folded(folded[1])
        if len(widths) == 2 and all(width > 0 for width in widths):
            self._widths = widths
        self._share_width()

    def toggle_left(self) -> None:
        """Fold the lanes to a strip, or unfold them."""
        self.left.set_folded(not self.left.folded)
        self._sides_changed()

    def toggle_right(self) -> None:
        """Fold settings and events to a strip, or unfold them."""
        self.right.set_folded(not self.right.folded)
        self._sides_changed()

    def _themed(self) -> None:
        self._structure()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and self.complete:
            self._fit()

    # ------------------------------------------------------------------ showing

    def _structure(self) -> None:
        """Lanes, state or selection changed."""
        live = self.session.deployment
        begins = live is not None and self.stack.currentWidget() is self.start
        self.stack.setCurrentWidget(self.start if live is None else self.replay)
        self._state()
        if begins and self._on_screen:
            # The button that was pressed is gone; what comes next has the focus.
            self.transport.play.setFocus(Qt.FocusReason.OtherFocusReason)
        if live is None:
            self.start.refresh()
            return
        self.lanes.structure_changed()
        self.plots.structure_changed()
        self.inspector.show_lane()
        self.events.show_lanes()
        self.events.show_events()
        self._show_timeline()
        self._split_right()

    def _state(self) -> None:
        """What can be done, and what to say above the plots."""
        if self.session.deployment is None:
            self._refresh_start()
            return
        self.transport.show_state()
        self.offer.refresh()
        self._say()

    def _refresh_start(self) -> None:
        # Another page is on screen while a file is opened; `shown` brings this up to date.
        if self.isVisible() or self.isWindow():
            self.start.refresh()

    def _say(self) -> None:
        session = self.session
        lost, live = session.interrupted, session.deployment
        busy = session.job_of("deploy") is not None
        if lost is not None and not busy:
            where = count_text(lost.position)
            self.banner.set_text(
                f"The engine stopped at row {where}. What you see is what was known by then; "
                "everything up to the last checkpoint can be taken up again, to the same bits.",
                "error",
            )
            self.banner.set_actions(
                [
                    (
                        f"Continue from row {where}",
                        "Start from the last checkpoint and replay up to this row.",
                        session.continue_replay,
                    )
                ]
            )
            self.banner.show()
        elif session.deployment_stale and not busy:
            self.banner.set_text(
                "Data, split, evaluation or prices were changed since this deployment. What you "
                "see belongs to the experiment as it was.",
                "warning",
            )
            self.banner.set_actions(
                [("Deploy anew", "Build the deployment again, with the changes.", session.deploy)]
            )
            self.banner.show()
        else:
            self.banner.hide()
        if live is not None:
            self.timeline.show_deployment(live, busy=session.job_of("seek", "lane") is not None)

    def _jobs(self) -> None:
        if self.session.deployment is None:
            self._refresh_start()
            return
        job = self.session.job_of("deploy", "seek", "lane")
        if job is None:
            if self.progress.active():
                self.progress.finish()
        else:
            if not self.progress.active():
                self.progress.start(job.title)
            text = f"{job.title} · {job.text}" if job.text else job.title
            self.progress.set_progress(job.fraction, text)
        self._state()
        self.lanes.add.setEnabled(self.why_no_lane() is None)

    def _cancel(self) -> None:
        job = self.session.job_of("deploy", "seek", "lane")
        if job is not None:
            self.session.cancel(job)

    def _news(self) -> None:
        if self._on_screen:
            self.plots.changed()
            if not self._numbers.isActive():
                self._numbers.start()
        else:
            self.plots.recorder.take(self.session.deployment)

    def _show_numbers(self) -> None:
        """Bring the next part of the figures up to date: all at once would hold up a frame."""
        if self.session.deployment is None:
            return
        self._number_parts[self._part]()
        self._part = (self._part + 1) % len(self._number_parts)
        if self._part:
            self._numbers.start()

    def _show_cards(self) -> None:
        self.lanes.numbers_changed()
        self.transport.show_state()

    def _show_settings(self) -> None:
        self.inspector.show_lane()
        self.events.show_events()
        self._split_right()

    def show_all(self) -> None:
        """Bring everything on the page up to date at once (for pictures and tests)."""
        self._structure()
        self.plots.draw_now()

    def _show_timeline(self) -> None:
        busy = self.session.job_of("seek", "lane") is not None
        self.timeline.show_deployment(self.session.deployment, busy=busy)
        self._range_moved()

    def _range_moved(self) -> None:
        view = self.plots.view
        whole = view.follow and view.span == "all"
        self.timeline.show_range(None if whole else (view.low, view.high))

    def _look_at(self, row: object) -> None:
        view = self.plots.view
        place = int(row)  # type: ignore[call-overload]
        view.bring_into_sight(place)
        view.set_hover(place)

    # ------------------------------------------------------------------ doing

    def toggle_play(self) -> None:
        """Play, or pause."""
        live = self.session.deployment
        if live is not None and live.playing:
            self.session.pause()
        else:
            self.session.play()

    def run_to_end(self) -> None:
        """Play what is left as fast as the lanes can."""
        self.session.set_speed("max", 1000.0)
        self.session.play()

    def step_row(self) -> None:
        """Replay one row."""
        self.session.step(1)

    def step_chunk(self) -> None:
        """Replay one chunk."""
        live = self.session.deployment
        if live is not None:
            self.session.step(live.experiment.replay.chunk_rows)

    def restart(self) -> None:
        """Go back to the deployment point."""
        self.session.restart()

    def add_lane(self) -> LaneDialog:
        """Ask for another lane."""
        dialog = LaneDialog(self.session, parent=self)
        dialog.accepted_lane.connect(self.session.add_lane)
        dialog.open()
        return dialog

    def edit_lane(self, name: str) -> LaneDialog | None:
        """Ask how to change a lane."""
        live = self.session.deployment
        if live is None or name not in live.lanes:
            return None
        dialog = LaneDialog(self.session, live.lanes[name].spec, parent=self)

        def decided(spec: LaneSpec) -> None:
            self.session.replace_lane(name, spec)

        dialog.accepted_lane.connect(decided)
        dialog.open()
        return dialog

    def fork_lane(self, name: str) -> ForkDialog | None:
        """Ask for the name of a fork that begins here."""
        live = self.session.deployment
        if live is None or name not in live.lanes:
            return None
        dialog = ForkDialog(self.session, name, parent=self)
        dialog.accepted_name.connect(lambda fork: self.session.fork(name, fork))
        dialog.open()
        return dialog

    def roll_back_lane(self, name: str) -> RollbackDialog | None:
        """Ask to which row a lane goes back."""
        if why_no_rollback(self.session, name) is not None:
            return None
        dialog = RollbackDialog(self.session, name, self.plots.view.pinned, parent=self)
        dialog.accepted_row.connect(lambda row: self.session.roll_back(name, row))
        dialog.open()
        return dialog

    def open_faults(self) -> FaultDialog:
        """Open the window that lets faults loose, beside the stream."""
        if self._faults is None:
            self._faults = FaultDialog(self.session, parent=self)
            self._faults.finished.connect(lambda _code: self._faults_closed())
        self._faults.show()
        self._faults.raise_()
        self._faults.activateWindow()
        return self._faults

    def _faults_closed(self) -> None:
        self._faults = None

    def show_quarantine(self, name: str) -> QuarantineDialog:
        """Show the rows that a lane's guard kept back."""
        dialog = QuarantineDialog(self.session, name, parent=self)
        dialog.open()
        return dialog

    def open_settings(self) -> ReplaySettings:
        """Ask how drift is watched, when labels come, and what things cost."""
        dialog = ReplaySettings(self.session, parent=self)
        dialog.open()
        return dialog

    def _open_row_menu(self, row: object, at: object) -> None:
        if self.session.deployment is not None:
            menu = row_menu(self, int(row))  # type: ignore[call-overload]
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(at)  # type: ignore[arg-type]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Not a shortcut of the window: Space must still press the button that has the focus.
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if event.key() == Qt.Key.Key_Space and plain and self.why_no_play() is None:
            self.toggle_play()
            event.accept()
            return
        super().keyPressEvent(event)

    # ------------------------------------------------------------------ actions

    def actions_offered(self) -> list[Action]:
        from modellab.gui.deploy.offers import offered

        return offered(self)
