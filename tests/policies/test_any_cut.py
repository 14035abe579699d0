"""Whatever the chunks and wherever a checkpoint is taken, a policy does the same to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_bench import BATCH, BAYES, LINEAR, Bench, abrupt, concepts, exact, lane, moved, play

from modellab.experiment import (
    ChampionPolicy,
    Condition,
    CostAwarePolicy,
    HindsightPolicy,
    LearnerSpec,
    OutOfCorePolicy,
    PriceSpec,
    ScheduledPolicy,
    TriggeredPolicy,
)
from modellab.policies import watched

ROWS, TRAIN = 2400, 400
DRIFT = Condition(drift="adwin")
ROWS_600 = Condition(rows=600)
WINDOW = Condition(error=0.1, rows=20)

CASES: dict[str, tuple[LearnerSpec, Any]] = {
    "scheduled, alarm, downtime": (
        BAYES,
        ScheduledPolicy(every=311, keep="alarm", test_rows=80, delay=47, downtime=True),
    ),
    "triggered by drift": (
        BATCH,
        TriggeredPolicy(when=[DRIFT], keep="alarm", test_rows=60, cooldown=90, delay=35),
    ),
    "costs, since the alarm": (
        BATCH,
        CostAwarePolicy(keep="alarm", test_rows=60, cooldown=90, window=60, price_retrain=20.0),
    ),
    "the better of two, tried again": (
        BATCH,
        TriggeredPolicy(
            when=[DRIFT, WINDOW],
            keep="better",
            collect=120,
            test_rows=70,
            cooldown=90,
            delay=9,
            level=0.001,
        ),
    ),
    "triggered by two of three": (
        BAYES,
        TriggeredPolicy(
            when=[DRIFT, ROWS_600, WINDOW],
            combine=2,
            within=150,
            cooldown=50,
            test_rows=60,
            downtime=True,
            delay=20,
        ),
    ),
    "triggered by features or error": (
        BAYES,
        TriggeredPolicy(when=[Condition(features=2), WINDOW], cooldown=120, test_rows=60),
    ),
    "alerts": (
        LINEAR,
        TriggeredPolicy(
            when=[DRIFT, WINDOW, Condition(rows=70)], action="alert", learn=True, cooldown=30
        ),
    ),
    "retrained and online": (
        LINEAR,
        TriggeredPolicy(when=[DRIFT, ROWS_600], learn=True, cooldown=60, test_rows=90, delay=21),
    ),
    "reset": (
        LearnerSpec("linear", params={"learning_rate": 0.005}),
        TriggeredPolicy(when=[DRIFT, WINDOW], action="reset", learn=True, cooldown=100),
    ),
    "switch": (
        BATCH,
        TriggeredPolicy(
            when=[DRIFT, WINDOW],
            action="switch",
            challenger=LINEAR,
            learn=True,
            cooldown=200,
            collect=150,
            level=0.2,
        ),
    ),
    "switch, none learns": (
        BAYES,
        TriggeredPolicy(when=[DRIFT], action="switch", challenger=BATCH, cooldown=200, collect=90),
    ),
    "avoidable": (
        BAYES,
        CostAwarePolicy(window=150, cooldown=80, price_retrain=30.0, test_rows=60, delay=12),
    ),
    "forecast": (
        BAYES,
        CostAwarePolicy(
            method="forecast",
            window=100,
            horizon=500,
            risk=0.8,
            cooldown=50,
            price_retrain=40.0,
            test_rows=60,
        ),
    ),
    "hindsight": (BAYES, HindsightPolicy(at=[900, 901, 1024, 2000], keep=500)),
    "out of core, online": (LINEAR, OutOfCorePolicy(passes=2, chunk_rows=100, every=3)),
    "out of core, static": (LINEAR, OutOfCorePolicy(chunk_rows=100, then="static", orders=2)),
    "champion": (
        BATCH,
        ChampionPolicy(challenger=LINEAR, window=160, cooldown=100, level=0.05),
    ),
    "champion, none learns": (
        BAYES,
        ChampionPolicy(challenger=BATCH, window=160, learn=False, level=0.4),
    ),
}


def bench_for(spec: LearnerSpec, delay: int, times: bool) -> Bench:
    rng = np.random.default_rng(5)
    x, y = abrupt(ROWS, 1300, noise=0.1)
    y[rng.random(ROWS) < 0.05] = -1
    y[:TRAIN] = np.maximum(y[:TRAIN], 0)
    return Bench(
        x,
        y,
        TRAIN,
        spec,
        delay=delay,
        times=np.cumsum(rng.integers(0, 3, ROWS)) if times else None,
        prices=PriceSpec(error=1.0, retrain=30.0),
        test_rows=80,
        alarms={500: 0, 900: 1, 1400: 3, 1900: 3, 2100: 0, 2300: 2},
    )


@pytest.mark.parametrize("name", CASES)
@given(
    cuts=st.lists(st.integers(TRAIN + 1, ROWS - 1), max_size=25),
    saved=st.integers(TRAIN + 1, ROWS - 1),
    delay=st.sampled_from([0, 1, 130]),
    times=st.booleans(),
)
@settings(max_examples=4)
def test_the_same_bits(name: str, cuts: list[int], saved: int, delay: int, times: bool) -> None:
    learner, spec = CASES[name]
    bench = bench_for(learner, delay, times)
    whole = lane(bench, spec)
    expected = play(whole, TRAIN, ROWS)

    cut = lane(bench, spec)
    assert play(cut, TRAIN, ROWS, cuts).tobytes() == expected.tobytes()
    assert cut.events == whole.events
    assert exact(cut) == exact(whole)
    assert cut.learner.state() == whole.learner.state()

    first = lane(bench, spec)
    head = play(first, TRAIN, saved, cuts)
    second = moved(first, bench, spec)
    tail = play(second, saved, ROWS)
    assert np.concatenate([head, tail]).tobytes() == expected.tobytes()
    assert second.events == whole.events
    assert exact(second) == exact(whole)
    assert second.trained_to == whole.trained_to
    assert second.rows_stored(ROWS) == whole.rows_stored(ROWS)


@pytest.mark.parametrize("name", ["retrained and online", "reset", "switch"])
def test_a_learner_too_heavy_to_keep_goes_row_by_row(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, spec = CASES[name]
    found = []
    for limit in (watched.HEAVY, -1):
        monkeypatch.setattr(watched, "HEAVY", limit)
        policy = lane(bench_for(learner, 30, False), spec)
        found.append((play(policy, TRAIN, ROWS).tobytes(), policy.events, exact(policy)))
    assert found[0] == found[1]


def test_every_case_does_something() -> None:
    """Else the test above would prove nothing."""
    for name, (learner, spec) in CASES.items():
        policy = lane(bench_for(learner, 0, False), spec)
        play(policy, TRAIN, ROWS)
        acted = [e for e in policy.events if e.kind not in ("drift",)]
        assert acted or name == "out of core, online", name


def test_row_by_row_is_the_same_for_numbers() -> None:
    """Absolute errors are no whole numbers: sums must not depend on the cuts either."""
    x, _ = concepts(ROWS, np.zeros(ROWS))
    y = x[:, 0] + 0.1 * x[:, 1] + np.where(np.arange(ROWS) > 1300, 3.0, 0.0) * x[:, 1]
    specs = [
        TriggeredPolicy(when=[Condition(error=0.3, rows=5), DRIFT], test_rows=50, cooldown=100),
        CostAwarePolicy(window=90, price_retrain=20.0, cooldown=70, test_rows=50),
        CostAwarePolicy(method="forecast", window=90, price_retrain=20.0, test_rows=50),
        ChampionPolicy(
            challenger=LearnerSpec("linear", params={"loss": "huber", "learning_rate": 0.1}),
            window=100,
            level=0.1,
        ),
    ]
    for spec in specs:
        found = []
        for cuts in ([], range(TRAIN + 1, ROWS)):
            policy = lane(Bench(x, y, TRAIN, LearnerSpec("ridge"), test_rows=80), spec)
            found.append((play(policy, TRAIN, ROWS, cuts).tobytes(), policy.events))
        assert found[0] == found[1]
        assert found[0][1], spec
