"""When a lane's model changes: the policy with all its settings, and what guards it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from modellab.experiment import (
    POLICIES,
    ChampionPolicy,
    GuardSpec,
    HindsightPolicy,
    LearnerSpec,
    OnlinePolicy,
    Policy,
    StaticPolicy,
    TriggeredPolicy,
)
from modellab.gui.deploy.challenger_form import ChallengerForm
from modellab.gui.deploy.conditions import ConditionsForm
from modellab.gui.deploy.policy_fields import GUARD, SETTINGS, SettingsGrid
from modellab.gui.deploy.setting_boxes import set_switch
from modellab.gui.kit import Label, LabeledField, SegmentedControl, ToggleSwitch
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: dict[str, tuple[str, str]] = {
    "static": (
        "Static",
        "Is trained once, on the training window, and never changes.",
    ),
    "scheduled": (
        "On a schedule",
        "A printed textbook with new editions: from time to time it is retrained on what is known, "
        "tested against the one that runs, and then serves (scheduled batch retraining).",
    ),
    "triggered": (
        "On an alarm",
        "Is retrained when something tells that it went stale: a drift alarm, a high error, "
        "drifting columns, enough new rows (triggered).",
    ),
    "cost_aware": (
        "When it pays",
        "Is retrained when staying stale is expected to cost more than a retrain (cost-aware).",
    ),
    "online": (
        "Online",
        "An encyclopedia that anyone may correct: it learns from rows as their labels come.",
    ),
    "out_of_core": (
        "In chunks",
        "A large meal in slices: the first training reads the window chunk by chunk, so that "
        "it need not fit into memory (out-of-core); then it learns online or stays.",
    ),
    "champion": (
        "Challenger",
        "Two learners: one answers, the other shadows it on the same rows and takes over once a "
        "test says that it is better (champion and challenger).",
    ),
}
_ACTIONS = [
    ("retrain", "retrain", "Collect, retrain, test, redeploy."),
    ("alert", "tell only", "An event, nothing else."),
    ("reset", "begin anew", "Forget everything and learn online from nothing."),
    ("switch", "switch", "A challenger that shadows takes over."),
]


class PolicyForm(QWidget):
    """A policy and a guard; `policy` and `guard` return what is entered."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.why_not: Callable[[Policy], str | None] = lambda _policy: None
        """Why the lane's learner cannot go under a policy; set by whoever knows the learner."""
        self.hindsight: HindsightPolicy | None = None
        self.kind = SegmentedControl(
            "When the model changes",
            [(key, title, story) for key, (title, story) in KINDS.items()],
            current="static",
            changed=lambda _key: self._chosen(),
            per_row=4,
        )
        self.story = Label("", 12, 400, "second", wrap=True)
        self.grids = {key: SettingsGrid(settings) for key, settings in SETTINGS.items()}
        for grid in self.grids.values():
            grid.changed.connect(lambda _name, _value: self._entered())
        self.conditions = ConditionsForm()
        self.conditions.changed.connect(self.changed)
        self.action = SegmentedControl(
            "What it does then", _ACTIONS, changed=lambda _key: self._entered()
        )
        self.learn = ToggleSwitch(
            "Learns online in between",
            "The model also learns from every row (learn).",
            toggled=lambda _on: self._entered(),
        )
        self.challenger = ChallengerForm()
        self.challenger.changed.connect(self.changed)
        self._action = LabeledField("What it does then", self.action)
        self._learn = LabeledField("Learns online in between", self.learn, beside=True)
        self.guarded = ToggleSwitch(
            "Guard against bad rows",
            "Skip rows that look wrong, keep them apart (quarantine), and go back when the error "
            "rises.",
            toggled=lambda _on: self._guard_toggled(),
        )
        self.guard_grid = SettingsGrid(GUARD)
        self.guard_grid.changed.connect(lambda _name, _value: self.changed.emit())
        self._build()
        self.set_policy(StaticPolicy())
        self.set_guard(None)

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(8))
        column.addWidget(self.kind, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.story)
        column.addWidget(self.conditions)
        column.addWidget(self._action)
        column.addWidget(self._learn)
        column.addWidget(self.challenger)
        for grid in self.grids.values():
            column.addWidget(grid)
        column.addSpacing(px(4))
        column.addWidget(LabeledField("Guard against bad rows", self.guarded, beside=True))
        column.addWidget(self.guard_grid)

    # ------------------------------------------------------------------ policy

    def set_task(self, task: str) -> None:
        """Offer the challengers for a task."""
        self.challenger.set_task(task)

    def set_policy(self, policy: Policy) -> None:
        """Show a policy; the forms of the others show what is usual."""
        self.hindsight = policy if isinstance(policy, HindsightPolicy) else None
        for key, grid in self.grids.items():
            kind = POLICIES[key]
            known = policy if isinstance(policy, kind) else _usual(key)
            grid.set_values({s.name: getattr(known, s.name) for s in grid.settings})
        triggered = policy if isinstance(policy, TriggeredPolicy) else TriggeredPolicy()
        self.conditions.set_conditions(triggered.when, triggered.combine)
        self.action.set_current(triggered.action)
        set_switch(self.learn, triggered.learn)
        if isinstance(policy, TriggeredPolicy | ChampionPolicy):
            self.challenger.set_spec(policy.challenger)
        key = next((k for k in KINDS if isinstance(policy, POLICIES[k])), "static")
        self.kind.set_current(key)
        self._show()

    def policy(self) -> Policy:
        """Return what is entered."""
        return self.hindsight if self.hindsight is not None else self.made(self.kind.current())

    def made(self, key: str) -> Policy:
        """Return the policy of this kind with what is entered for it."""
        values: dict[str, Any] = self.grids[key].values()
        if key == "triggered":
            action = self.action.current()
            values.update(
                when=self.conditions.conditions(),
                combine=self.conditions.combination(),
                action=action,
                learn=self.learn.isChecked() or action == "reset",
                challenger=self.challenger.spec() if action == "switch" else None,
            )
        elif key == "champion":
            values["challenger"] = self.challenger.spec()
        return POLICIES[key](**values)  # type: ignore[return-value]

    def refresh_reasons(self) -> None:
        """Offer what the learner can do, and say why not where it cannot."""
        for key, (_title, story) in KINDS.items():
            self.kind.set_reason(key, self._reason(key), story)
        if not self.kind.button(self.kind.current()).isEnabled():
            self.kind.set_current("static")
        self._show()

    def _reason(self, key: str) -> str | None:
        """Why no policy of this kind fits: of chunks, the kind that stays may."""
        made = self.made(key)
        reason = self.why_not(made)
        if key == "out_of_core" and reason is not None:
            from modellab.experiment import replace

            if self.why_not(replace(made, then="static")) is None:
                return None
        if key == "triggered" and reason is not None:
            return None  # told below the form: another action or condition may do
        return reason

    def choose(self, key: str) -> None:
        """Choose a kind of policy as if by hand."""
        self.kind.set_current(key)
        self._chosen()

    def _chosen(self) -> None:
        self.hindsight = None
        self._show()
        self.changed.emit()

    def _entered(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        key = self.kind.current()
        triggered = key == "triggered"
        action = self.action.current()
        words = KINDS[key][1]
        refused = [
            f"{KINDS[k][0]}: it {why}" for k in ("online",) if (why := self._reason(k)) is not None
        ]
        self.story.setText("\n".join([words, *refused]))
        for name, grid in self.grids.items():
            grid.setVisible(name == key and bool(grid.settings))
        self.conditions.setVisible(triggered)
        self._action.setVisible(triggered)
        self._learn.setVisible(triggered and action != "reset")
        self.challenger.setVisible(key == "champion" or (triggered and action == "switch"))
        if triggered:
            cycle = ("collect", "keep", "test_rows", "margin", "level", "delay", "downtime")
            asks = ("collect", "margin", "level")  # before it switches
            more = {"retrain": cycle, "switch": asks}.get(action, ())
            shown = ["cooldown", "warmup", "within", *more]
            self.grids[key].show_only(shown)
        if key == "cost_aware":
            forecast = self.grids[key].value("method") == "forecast"
            left_out: tuple[str, ...] = () if forecast else ("horizon", "risk")
            self.grids[key].show_only([s.name for s in SETTINGS[key] if s.name not in left_out])
        if key == "out_of_core":
            learns = self.grids[key].value("then") == "online"
            left_out = () if learns else ("every", "batch", "frozen")
            self.grids[key].show_only([s.name for s in SETTINGS[key] if s.name not in left_out])

    # ------------------------------------------------------------------ guard

    def set_guard(self, guard: GuardSpec | None) -> None:
        """Show a guard, or none."""
        shown = guard or GuardSpec()
        self.guard_grid.set_values({s.name: getattr(shown, s.name) for s in GUARD})
        set_switch(self.guarded, guard is not None)
        self.guard_grid.setVisible(guard is not None)

    def guard(self) -> GuardSpec | None:
        """Return what is entered; None: no guard."""
        return GuardSpec(**self.guard_grid.values()) if self.guarded.isChecked() else None

    def _guard_toggled(self) -> None:
        on = self.guarded.isChecked()
        if on and self.guard() == GuardSpec():
            self.guard_grid.set_values({"loss": 0.99, "rollback": 0.05})
        self.guard_grid.setVisible(on)
        self.changed.emit()


def _usual(key: str) -> Policy:
    if key == "champion":
        return ChampionPolicy(challenger=LearnerSpec("linear"))
    return OnlinePolicy() if key == "online" else POLICIES[key]()  # type: ignore[return-value]
