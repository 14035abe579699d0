"""From values to policies, and why a learner cannot go under one."""

from __future__ import annotations

from typing import Any

import pytest
from policy_bench import BATCH, LINEAR, Bench, steady

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
)
from modellab.learners.catalogue import CATALOGUE
from modellab.learners.catalogue import entry as catalogue_entry
from modellab.policies.guard import Guarded
from modellab.policies.make import make, why_not

TREE = CATALOGUE["decision_tree"]
ONLINE = CATALOGUE["linear"]


def test_every_policy_of_an_experiment_is_made() -> None:
    names = []
    for kind, spec in POLICIES.items():
        policy: Any = spec(challenger=LINEAR) if kind == "champion" else spec()
        bench: Any = Bench(*steady(500), 100)
        made = make(LaneSpec("a", policy, LINEAR), bench.build(), bench)
        assert made.spec is policy
        names.append(type(made).__name__)
    assert names == [
        "Static",
        "Scheduled",
        "Triggered",
        "CostAware",
        "Online",
        "OutOfCore",
        "Champion",
        "Hindsight",
    ]


def test_a_guard_goes_around_it() -> None:
    bench: Any = Bench(*steady(500), 100)
    spec = LaneSpec("a", OnlinePolicy(), LINEAR, GuardSpec(loss=0.99))
    assert isinstance(make(spec, bench.build(), bench), Guarded)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (StaticPolicy(), None),
        (ScheduledPolicy(), None),
        (CostAwarePolicy(), None),
        (HindsightPolicy(), None),
        (TriggeredPolicy(), None),
        (TriggeredPolicy(action="switch", challenger=LINEAR, learn=True), None),
        (ChampionPolicy(challenger=LINEAR), None),
        (OnlinePolicy(), "cannot learn online: "),
        (TriggeredPolicy(learn=True), "cannot learn online: "),
        (TriggeredPolicy(learn=True, action="reset"), "cannot learn online: "),
        (OutOfCorePolicy(), "cannot learn online: "),
        (OutOfCorePolicy(then="static"), "cannot be trained out of core: "),
        (
            ChampionPolicy(challenger=LearnerSpec("ridge")),
            "cannot have the challenger “Ridge regression”, which cannot do classification: ",
        ),
    ],
)
def test_what_goes_under_which_policy(policy: Any, words: str | None) -> None:
    reason = why_not(policy, TREE, "classification", True)
    if words is None:
        assert reason is None
    else:
        assert reason is not None
        assert reason.startswith(words)
        assert reason.endswith(".")
    assert why_not(policy, ONLINE, "classification", True) is None or isinstance(
        policy, ChampionPolicy
    )


def test_the_task_comes_first() -> None:
    reason = why_not(OnlinePolicy(), CATALOGUE["ridge"], "classification", True)
    assert reason is not None
    assert reason.startswith("cannot do classification: ")


@pytest.mark.parametrize(
    ("policy", "learner", "possible"),
    [
        (ScheduledPolicy(), BATCH, True),
        (CostAwarePolicy(), BATCH, True),
        (TriggeredPolicy(), BATCH, False),
        (TriggeredPolicy(when=[Condition(rows=50)]), BATCH, True),
        (TriggeredPolicy(when=[Condition(rows=50), Condition(error=0.1)]), BATCH, True),
        (
            TriggeredPolicy(when=[Condition(rows=50), Condition(error=0.1)], combine="all"),
            BATCH,
            False,
        ),
        (TriggeredPolicy(when=[Condition(rows=50)], action="alert"), BATCH, False),
        (TriggeredPolicy(learn=True), LINEAR, True),
        (ChampionPolicy(challenger=BATCH), BATCH, False),
        (ChampionPolicy(challenger=LINEAR), BATCH, True),
        (ChampionPolicy(challenger=LINEAR, learn=False), BATCH, False),
        (OutOfCorePolicy(), LINEAR, False),
        (OnlinePolicy(), LINEAR, True),
    ],
)
def test_what_can_begin_from_nothing(policy: Any, learner: LearnerSpec, possible: bool) -> None:
    reason = why_not(policy, catalogue_entry(learner), "classification", False)
    assert (reason is None) == possible
    if reason is not None:
        assert "no training window" in reason


def test_every_learner_of_the_catalogue_says_why_not() -> None:
    """Each reason is a whole sentence, whatever the learner."""
    for line in CATALOGUE.values():
        for task in line.tasks:
            for policy in (OnlinePolicy(), OutOfCorePolicy(), TriggeredPolicy(learn=True)):
                reason = why_not(policy, line, task, True)
                needs_chunks = isinstance(policy, OutOfCorePolicy) and not line.chunks
                assert (reason is not None) == (not line.online or needs_chunks)
                assert reason is None or reason.endswith(".")
