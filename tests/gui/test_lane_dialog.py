"""The lane dialog: every policy with its settings, conditions, challenger and guard; refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_bench import DeployBench
from page_contract import controls
from PySide6.QtCore import Qt

from modellab.experiment import (
    POLICIES,
    ChampionPolicy,
    Condition,
    CostAwarePolicy,
    GuardSpec,
    HindsightPolicy,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    OutOfCorePolicy,
    ScheduledPolicy,
    StaticPolicy,
    TriggeredPolicy,
    check_policy,
)
from modellab.experiment_policies import check_guard
from modellab.gui.deploy.policy_fields import GUARD, SETTINGS
from modellab.gui.deploy.policy_form import KINDS

LINEAR = LearnerSpec("linear")
OTHERS = [
    StaticPolicy(),
    ScheduledPolicy(every="7d", keep=5000, test_rows=0, margin=0.25, delay="12h", downtime=True),
    TriggeredPolicy(
        when=[
            Condition(drift="ddm", params={"drift_threshold": 2.5}),
            Condition(features=3),
            Condition(error=0.1, rows=50),
            Condition(rows=700),
        ],
        combine=2,
        within=30,
        cooldown="1d",
        warmup=100,
        keep="alarm",
        test_rows=10,
        margin=0.5,
        delay=7,
        downtime=True,
        learn=True,
    ),
    TriggeredPolicy(action="reset", learn=True, combine="all"),
    TriggeredPolicy(
        action="switch", challenger=LearnerSpec("naive_bayes"), combine="any", learn=False
    ),
    TriggeredPolicy(action="alert", when=[Condition(drift="kswin")]),
    CostAwarePolicy(
        method="forecast",
        window=50,
        horizon=77,
        risk=0.9,
        cooldown=5,
        price_error=2.0,
        price_retrain=30.0,
        keep=100,
    ),
    OnlinePolicy(every=7, batch=5, frozen=True),
    OutOfCorePolicy(
        passes=3, chunk_rows=100, shuffle=False, orders=4, then="static", every=2, batch=3
    ),
    ChampionPolicy(
        challenger=LearnerSpec("naive_bayes"),
        window=300,
        margin=0.01,
        level=0.05,
        cooldown="2d",
        learn=False,
        demote=False,
    ),
]


@pytest.fixture
def form(looks: None, qtbot: Any) -> Any:
    from modellab.gui.deploy.policy_form import PolicyForm

    made = PolicyForm()
    qtbot.addWidget(made)
    made.set_task("classification")
    return made


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Path, looks: None) -> Iterator[DeployBench]:
    made = DeployBench(gui_bench, tmp_path)
    made.play_to(400, state="paused")
    yield made
    made.session.close(keep=False)


@pytest.fixture
def dialog(bench: DeployBench, qtbot: Any) -> Any:
    from modellab.gui.deploy.lane_dialog import LaneDialog

    made = LaneDialog(bench.session)
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(made)
    made.show()
    return made


def test_every_policy_comes_back_as_it_was_shown(form: Any) -> None:
    for policy in OTHERS:
        form.set_policy(policy)
        assert form.policy() == policy
        check_policy(form.policy())


def test_usual_policies_are_as_experiments_have_them(form: Any) -> None:
    form.set_policy(StaticPolicy())
    for key in KINDS:
        form.choose(key)
        made = form.policy()
        usual: Any = POLICIES[key]
        expected = usual(challenger=form.challenger.spec()) if key == "champion" else usual()
        assert made == expected
        check_policy(made)


def test_every_setting_of_a_policy_can_be_edited() -> None:
    elsewhere = {"when", "combine", "action", "challenger", "learn"}
    for key, settings in SETTINGS.items():
        fields = set(POLICIES[key].__struct_fields__)
        wanted = fields - elsewhere if key == "triggered" else fields - {"challenger"}
        assert {s.name for s in settings} == wanted, key
    assert {s.name for s in GUARD} == set(GuardSpec.__struct_fields__)
    # Hindsight is no way to run a lane: it is found on the Decide page.
    assert set(KINDS) == set(POLICIES) - {"hindsight"}


def test_a_lane_of_hindsight_keeps_it_until_another_is_chosen(form: Any) -> None:
    known = HindsightPolicy(at=[300, 500], searched=True)
    form.set_policy(known)
    assert form.policy() == known
    form.choose("online")
    assert form.policy() == OnlinePolicy()


def test_guards_come_back_as_they_were_shown(form: Any) -> None:
    for guard in (None, GuardSpec(range=2.0, clip=5.0, window=50), GuardSpec(loss=0.9)):
        form.set_guard(guard)
        assert form.guard() == guard
    form.set_guard(None)
    form.guarded.setChecked(True)
    # Switched on it does something.
    guard = form.guard()
    assert guard.loss == 0.99
    assert guard.rollback == 0.05
    check_guard(guard)


class TestConditions:
    def test_are_added_removed_and_counted(self, form: Any) -> None:
        form.choose("triggered")
        conditions = form.conditions
        assert [c.kind for c in conditions.conditions()] == ["drift"]
        conditions.add_condition()
        conditions.add_condition()
        assert [c.kind for c in conditions.conditions()] == ["drift", "features", "error"]
        conditions.combine.button("least").click()
        conditions.least.setValue(3)
        assert form.policy().combine == 3
        conditions.rows[1].remove.click()
        assert [c.kind for c in conditions.conditions()] == ["drift", "error"]
        assert form.policy().combine == 2  # not more than there are
        check_policy(form.policy())
        conditions.combine.button("all").click()
        assert form.policy().combine == "all"

    def test_each_kind_has_its_numbers(self, form: Any) -> None:
        row = form.conditions.rows[0]
        for kind, condition in (
            ("features", Condition(features=1)),
            ("error", Condition(error=0.05)),
            ("rows", Condition(rows=20_000)),
            ("drift", Condition(drift="adwin")),
        ):
            row.kind.set_current(kind)
            row._chosen()
            assert row.condition() == condition
            shown = [key for key, body in row._bodies.items() if not body.isHidden()]
            assert shown == [kind]

    def test_detector_settings_differ_from_the_usual_or_are_not_written(self, form: Any) -> None:
        detector = form.conditions.rows[0].detector
        assert detector.params() == {}
        detector._fields["delta"].setValue(0.01)
        assert detector.params() == {"delta": 0.01}
        detector.choice.set_current("page_hinkley")
        detector._chosen()
        assert detector.params() == {}
        detector.choice.set_current("adwin")
        detector._chosen()
        assert detector.params() == {"delta": 0.01}  # remembered


class TestRefusals:
    def test_of_the_catalogue_are_told(self, dialog: Any) -> None:
        dialog.learners.choose("random_forest")
        for key in ("online", "out_of_core"):
            assert not dialog.policy.kind.button(key).isEnabled()
            told = dialog.policy.kind.button(key).accessibleDescription()
            assert "cannot" in told
        assert dialog.policy.kind.button("scheduled").isEnabled()
        dialog.policy.choose("triggered")
        dialog.policy.learn.setChecked(True)
        assert not dialog.ok.isEnabled()
        assert "cannot learn online" in dialog.problem.text()
        dialog.policy.learn.setChecked(False)
        assert dialog.ok.isEnabled(), dialog.why_not()

    def test_of_the_experiment_are_told(self, dialog: Any) -> None:
        dialog.policy.choose("triggered")
        dialog.policy.conditions.rows[0].remove.click()
        assert not dialog.ok.isEnabled()
        assert "at least one condition" in dialog.problem.text()
        dialog.policy.action.button("alert").click()
        assert dialog.ok.isEnabled(), dialog.why_not()

    def test_nothing_heavy_is_loaded(self, dialog: Any) -> None:
        import subprocess
        import sys

        code = (
            "import sys; import modellab.gui.deploy.lane_dialog, modellab.policies.make; "
            "import modellab.gui.pages.deploy; "
            "print([m for m in ('pandas','sklearn','river','scipy','pyarrow') "
            "if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
        )
        assert done.stdout.strip() == "[]"


def test_the_lane_that_is_decided_on(dialog: Any) -> None:
    got: list[LaneSpec] = []
    dialog.accepted_lane.connect(got.append)
    dialog.policy.choose("champion")
    dialog.policy.challenger.choice.set_current("naive_bayes")
    dialog.policy.challenger._chosen()
    dialog.policy.guarded.setChecked(True)
    dialog.name.setText("Contest")
    dialog._name_edited()
    dialog.accept_lane()
    (lane,) = got
    assert lane.name == "Contest"
    assert lane.policy == ChampionPolicy(challenger=LearnerSpec("naive_bayes"))
    assert lane.guard is not None


def test_every_control_is_named_and_explained(dialog: Any) -> None:
    dialog.policy.guarded.setChecked(True)
    for key in KINDS:
        dialog.policy.choose(key)
        for control in controls(dialog):
            assert control.accessibleName(), control
            assert control.accessibleDescription() or control.toolTip(), control.accessibleName()


def test_lanes_of_every_policy_in_words() -> None:
    from modellab.gui.deploy.words import lane_sentence, policy_title, policy_words

    for policy in [*OTHERS, HindsightPolicy()]:
        spec = LaneSpec("x", policy, LINEAR, GuardSpec(loss=0.9))
        assert policy_words(policy)
        assert policy_title(policy)
        assert lane_sentence(spec)
    assert policy_words(OTHERS[2]) == (
        "retrained on 2 of: DDM alarm, 3 drifting columns, error 0.1 above the test's, 700 new rows"
    )
