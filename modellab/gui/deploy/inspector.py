"""The inspector: the selected lane's settings; what is moved here acts from the present row on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from modellab.experiment import HindsightPolicy, ScheduledPolicy, StaticPolicy
from modellab.gui.deploy.policy_box import POLICY_SETTINGS, GuardBox, PolicyBox
from modellab.gui.deploy.rollback_dialog import why_no_rollback
from modellab.gui.deploy.setting_boxes import MoreBox, OnlineBox, RateBox, ScheduleBox
from modellab.gui.deploy.settings_rows import Sender
from modellab.gui.deploy.words import chip_kind, lane_style, learner_words, policy_title
from modellab.gui.kit import (
    Card,
    ElidedLabel,
    Label,
    LaneChip,
    PlainButton,
)
from modellab.gui.kit.areas import UprightArea
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.gui.session_deployment import LaneView


BACK_TIP = (
    "Make this lane's model again what it was at an earlier row; the stream goes on. Also in the "
    "menu of a row, in plots and timeline."
)


class Inspector(Card):
    """The card of the selected lane."""

    fork_wanted = Signal(str)
    edit_wanted = Signal(str)
    rollback_wanted = Signal(str)
    quarantine_wanted = Signal(str)

    def __init__(self, session: Session, *, parent: QWidget | None = None) -> None:
        super().__init__(margin=0, parent=parent)
        self.session = session
        self.setAccessibleName("Selected lane")
        self.body.setContentsMargins(0, 0, 0, 0)
        self.changes = Sender(session, self)
        self._lane: str | None = None
        self._more_closed = True
        self.chip = LaneChip("second")
        self.heading = ElidedLabel("", 16, 600)
        self.learner = ElidedLabel("", 12, 400, "second")
        self.rate = RateBox(self.changes)
        self.online = OnlineBox(self.changes)
        self.schedule = ScheduleBox(self.changes)
        self.policy = PolicyBox(self.changes)
        self.guard = GuardBox()
        self.guard.rows_wanted.connect(lambda: self._ask(self.quarantine_wanted))
        self.more = MoreBox(self.changes)
        self.more_button = PlainButton(
            "More settings", "Further settings of the learner that can be changed in flight."
        )
        self.more_button.setProperty("kind", "quiet")
        self.more_button.set_icon("caret-right")
        self.more_button.clicked.connect(lambda: self._open_more(self._more_closed))
        self.note = Label("", 12, 400, "second", wrap=True)
        self.fork = PlainButton(
            "Fork",
            "Begin a second lane here with this one's model, to try other settings beside it.",
            icon="git-branch",
            clicked=lambda: self._ask(self.fork_wanted),
        )
        self.edit = PlainButton(
            "Edit…",
            "Change learner, policy or name; the lane is replayed anew from the deployment point.",
            icon="pencil-simple",
            clicked=lambda: self._ask(self.edit_wanted),
        )
        self.back = PlainButton(
            "Roll back",
            BACK_TIP,
            icon="arrow-counter-clockwise",
            clicked=lambda: self._ask(self.rollback_wanted),
        )
        self._build()
        self.show_lane()

    def _build(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(px(16), px(12), px(12), px(12))
        column.setSpacing(px(10))
        self._head = head = QHBoxLayout()
        head.setSpacing(px(10))
        head.addWidget(self.chip)
        head.addWidget(self.heading, 1)
        words = QVBoxLayout()
        words.setSpacing(px(1))
        words.addLayout(head)
        words.addWidget(self.learner)
        column.addLayout(words)
        for box in (self.rate, self.online, self.schedule, self.policy, self.guard):
            column.addWidget(box)
        column.addWidget(self.note)
        column.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.more)
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addWidget(self.fork, 1)
        row.addWidget(self.back, 1)
        row.addWidget(self.edit, 1)
        column.addLayout(row)
        column.addStretch(1)
        scroll = UprightArea(inside)
        scroll.setAccessibleName("Settings of the selected lane")
        self.area = scroll
        self.inside = inside
        self.body.addWidget(scroll)

    def _boxes(self) -> tuple[QWidget, ...]:
        return (self.rate, self.online, self.schedule, self.policy, self.guard, self.more)

    def _ask(self, signal: SignalInstance) -> None:
        if self._lane is not None:
            signal.emit(self._lane)

    def _open_more(self, opened: bool) -> None:
        self._more_closed = not opened
        self.more_button.set_icon("caret-down" if opened else "caret-right")
        self.show_lane()

    def wanted_height(self) -> int:
        """Return the height at which nothing needs scrolling."""
        return self.inside.sizeHint().height() + 4

    def show_lane(self) -> None:
        """Show the selected lane as the engine has it."""
        live = self.session.deployment
        lane = live.lanes.get(live.selected or "") if live is not None else None
        name = lane.name if lane is not None else None
        if name != self._lane:
            self._lane = name
            self.changes.set_lane(name)
        if live is None or lane is None:
            self.heading.setText("No lane")
            self.learner.setText("Choose one at the left.")
            for box in self._boxes():
                box.hide()
            self.more_button.hide()
            for button in (self.fork, self.back, self.edit):
                button.setEnabled(False)
            return
        colour, _ = lane_style(lane)
        self._show_head(lane, colour)
        settings = lane.news.settings if lane.news is not None else {}
        policy = lane.spec.policy
        learns = "frozen" in settings
        self.rate.setVisible(learns and "learning_rate" in settings)
        self.online.setVisible(learns)
        self.schedule.setVisible(isinstance(policy, ScheduledPolicy))
        more = learns and any(
            k not in self.more.SHOWN_ABOVE and k not in POLICY_SETTINGS for k in settings
        )
        self.more_button.setVisible(more)
        if learns:
            self.rate.show_lane(lane, colour)
            self.online.show_lane(lane, colour)
        self.schedule.show_lane(lane)
        self.policy.show_lane(lane, colour)
        self.guard.show_lane(lane)
        if more and not self._more_closed:
            self.more.show_lane(lane)
        else:
            self.more.hide()
        note = ""
        if isinstance(policy, StaticPolicy):
            note = (
                "This lane was trained once, before the stream, and never changes: it shows what "
                "happens when nobody looks after a model."
            )
        elif isinstance(policy, HindsightPolicy):
            note = (
                "This lane knows the whole stream beforehand: nobody can deploy it. It is the "
                "yardstick for all the others (regret)."
            )
        if live.lost:
            note = "The engine that ran this replay is gone: what is shown is the past."
        self.note.setText(note)
        self.note.setVisible(bool(note))
        for widget in self._boxes():
            widget.setEnabled(not live.lost)
        self.back.set_reason(why_no_rollback(self.session, lane.name), BACK_TIP)
        self.fork.setEnabled(not live.lost)
        self.edit.set_reason(
            "A fork goes on from its parent: edit that one." if lane.fork_of is not None else None,
            "Change learner, policy or name; the lane is replayed anew from the deployment point.",
        )
        if live.lost:
            self.edit.setEnabled(False)

    def _show_head(self, lane: LaneView, colour: str) -> None:
        if self.heading.text() != lane.name:
            self.heading.setText(lane.name)
        words = f"{learner_words(lane.spec.learner)} · {policy_title(lane.spec.policy).lower()}"
        if lane.fork_of is not None:
            words = f"{learner_words(lane.spec.learner)} · fork of {lane.fork_of}"
        if self.learner.text() != words:
            self.learner.setText(words)
        if self.chip.property("shown") != (colour + chip_kind(lane)):
            fresh = LaneChip(colour, chip_kind(lane))
            fresh.setProperty("shown", colour + chip_kind(lane))
            self._head.replaceWidget(self.chip, fresh)
            self.chip.hide()
            self.chip.deleteLater()
            self.chip = fresh
