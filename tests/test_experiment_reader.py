"""Policies, guards, faults and drift as they stand in a file."""

from __future__ import annotations

import msgspec
import pytest

from modellab.errors import ExperimentError
from modellab.experiment import (
    FAULT_KINDS,
    FAULTS,
    ChampionPolicy,
    Condition,
    CostAwarePolicy,
    DriftSpec,
    Experiment,
    GuardSpec,
    HindsightPolicy,
    Intervention,
    LearnerSpec,
    OutOfCorePolicy,
    TriggeredPolicy,
    fault_kind,
)
from modellab.experiment_faults import DriftFault, LabelNoise, Outage, SwappedColumns, UnitError
from modellab.experiment_file import dump, loads, set_value

TEXT = """\
[data]
path = "a.csv"
target = "y"

[drift]
detector = "page_hinkley"
settings = { threshold = 20.0 }
false_alarm_every = 50000
known = [100, 2000]

[[lane]]
name = "Alarm"
learner = "logistic_regression"
guard = { range = 3.0, loss = 0.99, rollback = 0.1 }
[lane.policy]
kind = "triggered"
when = [
    { drift = "adwin", delta = 0.01 }, { error = 0.05, rows = 500 }, { rows = 9000 },
    { features = 2 },
]
combine = 2
cooldown = "2h"
keep = "alarm"

[[lane]]
name = "Cost"
policy = { kind = "cost_aware", method = "forecast", risk = 0.9, price_retrain = 40.0 }
learner = "logistic_regression"

[[lane]]
name = "Core"
policy = { kind = "out_of_core", passes = 3, orders = 4, then = "static" }
learner = "linear_sgd"

[[lane]]
name = "Duel"
policy = { kind = "champion", challenger = { kind = "linear", learning_rate = 0.1 }, window = 500 }
learner = "linear"

[[lane]]
name = "Best"
policy = { kind = "hindsight", grid = 6, at = [10, 20], searched = true }
learner = "logistic_regression"

[[fault]]
kind = "label_noise"
start = 300
stop = 400
rate = 0.5
only = "yes"

[[fault]]
kind = "unit_error"
start = 500
column = "x 1"

[[fault]]
kind = "swapped_columns"
start = 500
columns = ["a", "b"]

[[fault]]
kind = "outage"
start = 600
stop = 700
backlog = "lost"

[[fault]]
kind = "drift"
start = 700
how = "permute"
shape = "recurring"
width = 50

[[intervention]]
position = 900
lane = "Alarm"
rollback = 800
"""


def test_every_policy_guard_and_fault_is_read() -> None:
    experiment = loads(TEXT)
    lanes = {lane.name: lane for lane in experiment.lane}
    assert lanes["Alarm"].policy == TriggeredPolicy(
        when=[
            Condition(drift="adwin", params={"delta": 0.01}),
            Condition(error=0.05, rows=500),
            Condition(rows=9000),
            Condition(features=2),
        ],
        combine=2,
        cooldown="2h",
        keep="alarm",
    )
    assert [c.kind for c in lanes["Alarm"].policy.when] == ["drift", "error", "rows", "features"]
    assert lanes["Alarm"].guard == GuardSpec(range=3.0, loss=0.99, rollback=0.1)
    assert lanes["Cost"].policy == CostAwarePolicy("forecast", risk=0.9, price_retrain=40.0)
    assert lanes["Core"].policy == OutOfCorePolicy(passes=3, orders=4, then="static")
    challenger = LearnerSpec("linear", params={"learning_rate": 0.1})
    assert lanes["Duel"].policy == ChampionPolicy(challenger, window=500)
    assert lanes["Best"].policy == HindsightPolicy(grid=6, at=[10, 20], searched=True)
    assert experiment.drift == DriftSpec(
        "page_hinkley", {"threshold": 20.0}, false_alarm_every=50_000, known=[100, 2000]
    )
    assert experiment.fault == [
        LabelNoise(start=300, stop=400, rate=0.5, only="yes"),
        UnitError(start=500, column="x 1"),
        SwappedColumns(start=500, columns=["a", "b"]),
        Outage(start=600, stop=700, backlog="lost"),
        DriftFault(start=700, how="permute", shape="recurring", width=50),
    ]
    assert experiment.intervention == [Intervention(900, "Alarm", rollback=800)]


def test_what_is_written_is_read_again() -> None:
    experiment = loads(TEXT)
    assert loads(dump(experiment)) == experiment
    assert dump(loads(dump(experiment))) == dump(experiment)


def test_messages_carry_all_of_it() -> None:
    experiment = loads(TEXT)
    sent = msgspec.msgpack.encode(experiment)
    assert msgspec.msgpack.decode(sent, type=Experiment) == experiment


def test_every_kind_of_fault_knows_its_name() -> None:
    made = {
        "unit_error": {"column": "a"},
        "swapped_columns": {"columns": ["a", "b"]},
    }
    for kind in FAULT_KINDS:
        assert fault_kind(FAULTS[kind](start=1, **made.get(kind, {}))) == kind


def test_a_setting_deep_inside_is_changed() -> None:
    experiment = loads(TEXT)
    changed = set_value(experiment, "lane.Alarm.policy.cooldown=500")
    assert changed.lane[0].policy.cooldown == 500
    changed = set_value(changed, "lane.Alarm.guard.loss=0.9")
    assert changed.lane[0].guard == GuardSpec(range=3.0, loss=0.9, rollback=0.1)
    changed = set_value(changed, "lane.Alarm.policy.combine=1")
    changed = set_value(changed, 'lane.Alarm.policy.when=[{drift="ddm"}]')
    assert changed.lane[0].policy.when == [Condition(drift="ddm")]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("delta = 0.01", "delt = 0.01", "adwin has no setting “delt”; did you mean delta?"),
        ("delta = 0.01", "delta = 7", "must lie between"),
        ("delta = 0.01", "error = 0.1", "exactly one of drift, features, error and rows"),
        ('drift = "adwin"', 'drift = "adwim"', "must be one of adwin, ddm"),
        ("{ rows = 9000 }", "{ row = 9000 }", r"when\[2\].*did you mean.*rows"),
        ("{ rows = 9000 }", "7", r"when\[2\] .*must be a table with one of"),
        ("combine = 2", "combine = 9", "must lie between 1 and 4"),
        ('keep = "alarm"', 'keep = "some"', "keep must be"),
        ("loss = 0.99", "loss = 0.2", "guard.loss is 0.2"),
        ("loss = 0.99", "lost = 0.99", "did you mean.*loss"),
        ('keep = "alarm"', 'action = "switch"', "needs a challenger"),
        ('keep = "alarm"', 'action = "reset"', "needs learn = true"),
        ("passes = 3", "passes = 0", "passes is 0"),
        ("window = 500", "window = 5", "window is 5"),
        ("at = [10, 20]", "at = [20, 10]", "in order"),
        ("risk = 0.9", "risk = 1.0", "risk is 1"),
        ('kind = "label_noise"', 'kind = "label_nose"', "must be one of label_noise"),
        ("rate = 0.5", "rate = 1.5", "fault label_noise: rate is 1.5"),
        ("stop = 400", "stop = 300", "stop must lie after start"),
        ('columns = ["a", "b"]', 'columns = ["a", "a"]', "two different columns"),
        ('column = "x 1"', "", r"fault\[1\].column is missing"),
        ('backlog = "lost"', 'backlog = "gone"', "one of arrives, lost"),
        ("settings = { threshold", "settings = { treshold", "did you mean threshold"),
        ("known = [100, 2000]", "known = [2000, 100]", "known must be in order"),
        ("rollback = 800", "rollback = 901", "rollback at row 900"),
    ],
)
def test_what_is_wrong_is_told(old: str, new: str, told: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(ExperimentError, match=told):
        loads(TEXT.replace(old, new))
