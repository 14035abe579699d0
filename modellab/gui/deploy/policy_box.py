"""The inspector's boxes for policies of every kind and for what guards a lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from modellab.experiment import POLICIES, ChampionPolicy, ScheduledPolicy, TriggeredPolicy
from modellab.gui.deploy.policy_fields import SETTINGS, SettingsGrid
from modellab.gui.deploy.words import (
    ACTION_WORDS,
    condition_words,
    guard_words,
    learner_words,
)
from modellab.gui.kit import Label, LinkButton, Rule, count_text
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.deploy.settings_rows import Sender
    from modellab.gui.session_deployment import LaneView

_ONLINE = frozenset({"every", "batch", "frozen"})
POLICY_SETTINGS = frozenset(s.name for group in SETTINGS.values() for s in group)
"""Names of settings that belong to policies, not to learners."""


class PolicyBox(QWidget):
    """What the policy waits for, and those of its settings that can be changed in flight."""

    def __init__(self, sender: Sender, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sender = sender
        self.words = Label("", 12, 400, "second", wrap=True)
        self.grids: dict[str, SettingsGrid] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(px(8))
        self._column.addWidget(self.words)

    def show_lane(self, lane: LaneView, colour: str) -> None:
        """Show the settings as the engine has them; hidden where another box does."""
        policy = lane.spec.policy
        key = next((k for k, kind in POLICIES.items() if isinstance(policy, kind)), "")
        words = policy_story(lane)
        if self.words.text() != words:
            self.words.setText(words)
        self.words.setVisible(bool(words))
        settings = lane.news.settings if lane.news is not None else {}
        known = [] if isinstance(policy, ScheduledPolicy) else SETTINGS.get(key, ())
        shown = [s.name for s in known if s.name in settings and s.name not in _ONLINE]
        for name, grid in self.grids.items():
            grid.setVisible(name == key and bool(shown))
        if shown:
            grid = self._grid(key)
            grid.show_only(shown)
            grid.set_colour(colour)
            grid.set_values({n: settings[n] for n in shown if not self._sender.held(n)})
            grid.show()
        self.setVisible(bool(words) or bool(shown))

    def _grid(self, key: str) -> SettingsGrid:
        if key not in self.grids:
            grid = SettingsGrid(SETTINGS[key], columns=2)
            grid.changed.connect(lambda name, value: self._sender.change_now(name, value))
            self.grids[key] = grid
            self._column.addWidget(grid)
        return self.grids[key]


def policy_story(lane: LaneView) -> str:
    """Return what a policy with conditions or a challenger waits for, a line each."""
    policy = lane.spec.policy
    if isinstance(policy, ChampionPolicy):
        return f"Challenger: {learner_words(policy.challenger)}, on the same rows, unseen."
    if not isinstance(policy, TriggeredPolicy):
        return ""
    act = ACTION_WORDS[policy.action].capitalize()
    if len(policy.when) == 1:
        return f"{act} on: {condition_words(policy.when[0])}."
    how = {"any": "any", "all": "all"}.get(str(policy.combine), f"at least {policy.combine}")
    lines = [f"{act} when {how} of these hold:"]
    return "\n".join([*lines, *(f"·  {condition_words(c)}" for c in policy.when)])


class GuardBox(QWidget):
    """What guards the lane, and what it kept back."""

    rows_wanted = Signal()

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = Label("", 12, 400, "second", wrap=True)
        self.rows = LinkButton(
            "Show them",
            "The rows that were not learned, why, and a way to save them.",
            clicked=self.rows_wanted.emit,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(6))
        column.addWidget(Rule())
        column.addWidget(self.words)
        column.addWidget(self.rows)

    def show_lane(self, lane: LaneView) -> None:
        """Show what the guard does; hidden where there is none."""
        guard, news = lane.spec.guard, lane.news
        kept = news.quarantined if news is not None else 0
        self.setVisible(guard is not None)
        if guard is None:
            return
        words = guard_words(guard)
        one = "row was" if kept == 1 else "rows were"
        words += (
            f"\n{count_text(kept)} {one} kept back." if kept else "\nNothing was kept back yet."
        )
        if self.words.text() != words:
            self.words.setText(words)
        self.rows.setVisible(kept > 0)
