"""Champion and challenger: roles change on evidence, and seldom without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from policy_bench import (
    BATCH,
    BAYES,
    LINEAR,
    Bench,
    abrupt,
    events,
    exact,
    lane,
    moved,
    play,
    steady,
)

from modellab.experiment import ChampionPolicy, OnlinePolicy, StaticPolicy
from modellab.policies.champion import LOOKS, Champion
from modellab.policies.takeover import takeover_p

ROWS, TRAIN, AT = 6000, 600, 2500


def test_the_challenger_takes_over_after_a_drift_that_it_follows() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BATCH)
    made = lane(bench, ChampionPolicy(challenger=LINEAR, window=400))
    wrong = play(made, TRAIN, ROWS) != bench.y[TRAIN:]
    (switch,) = events(made, "switch")
    # After the drift the challenger needs some rows to learn, and 400 to look at.
    assert AT < switch.position <= AT + 600
    assert switch.values["p_value"] < 0.01 / LOOKS
    assert switch.values["challenger_error"] < switch.values["champion_error"]
    assert switch.text.startswith("Linear, online takes over: error ")
    assert wrong[-3000:].mean() < 0.12
    static = play(lane(bench, StaticPolicy()), TRAIN, switch.position)
    assert (static != bench.y[TRAIN : switch.position]).tolist() == wrong[
        : switch.position - TRAIN
    ].tolist()
    assert made.learner_spec() == LINEAR
    assert made.trained_to == ROWS


@pytest.mark.parametrize("demote", [True, False])
def test_roles_change_back_unless_that_is_not_wanted(demote: bool) -> None:
    x, y = abrupt(ROWS, AT)
    y[4200:] = 1 - y[4200:]  # the concept of old is back: the champion of old is right at once
    spec = ChampionPolicy(challenger=LINEAR, window=300, cooldown=500, demote=demote)
    made: Any = lane(Bench(x, y, TRAIN, BATCH), spec)
    play(made, TRAIN, 4200)
    made.other.set("frozen", True)  # else it follows
    play(made, 4200, ROWS)
    switches = events(made, "switch")
    expected = ["Linear, online", "Logistic regression"]
    assert [e.values["to"] for e in switches] == expected[: 1 + demote]
    assert not demote or 4200 < switches[1].position < 4700


def equal_lanes(seed: int, autocorrelated: bool) -> int:
    """How often two learners that are wrong as often as each other change roles."""
    rng = np.random.default_rng(seed)
    rows = 4000
    if autocorrelated:  # difficulty that comes and goes, the same for both
        hard = np.repeat(rng.random(rows // 50) < 0.3, 50)
    else:
        hard = rng.random(rows) < 0.3
    y = np.zeros(rows, dtype=np.int64)
    x = np.stack([hard * (rng.random(rows) < 0.5), hard * (rng.random(rows) < 0.5)], axis=1)

    class Column:
        """Answers what its column says."""

        view = "raw"

        def __init__(self, k: int) -> None:
            self.k = k

        def fit(self, rows: Any, labels: Any) -> None:
            return

        def predict(self, rows: Any) -> Any:
            from modellab.learners.base import Prediction

            return Prediction(rows[:, self.k].astype(np.int64))

    bench = Bench(x.astype(float), y, 0, BATCH)
    bench.build = lambda spec=None: Column(0 if spec is None else 1)  # type: ignore[method-assign,assignment,return-value]
    made: Any = Champion(
        ChampionPolicy(challenger=BAYES, window=500, level=0.05, cooldown=0, learn=False),
        Column(0),  # type: ignore[arg-type]
        bench,  # type: ignore[arg-type]
    )
    for side in made.sides:
        side.present = True
    play(made, 0, rows)
    return len(events(made, "switch"))


@pytest.mark.parametrize("autocorrelated", [False, True])
def test_equal_learners_rarely_change_roles(autocorrelated: bool) -> None:
    """At level 0.05 in as many rows as the window is long, 8 of them here: at most 0.4 a run."""
    switches = [equal_lanes(seed, autocorrelated) for seed in range(60)]
    assert sum(switches) / (60 * 8) <= 0.05
    assert sum(switches) > 0  # else the test would be no test at all


def test_the_p_value_is_uniform_for_equal_and_small_for_better() -> None:
    rng = np.random.default_rng(2)
    equal = np.array([takeover_p(rng.normal(size=900), 0.0) for _ in range(2000)])
    assert abs((equal < 0.05).mean() - 0.05) < 0.015
    assert takeover_p(rng.normal(0.3, 1.0, 900), 0.0) < 1e-6
    assert takeover_p(rng.normal(0.3, 1.0, 900), 0.3) > 0.01
    assert takeover_p(np.ones(100), 0.5) == 0.0
    assert takeover_p(np.zeros(100), 0.0) == 1.0
    assert takeover_p(np.ones(1), 0.0) == 1.0


def test_a_margin_must_be_won_by() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BATCH)
    made = lane(bench, ChampionPolicy(challenger=LINEAR, window=400, margin=0.99))
    play(made, TRAIN, ROWS)
    assert not events(made, "switch")


def test_a_champion_without_a_model_yields() -> None:
    bench = Bench(*steady(2000), 0, BATCH)
    made = lane(bench, ChampionPolicy(challenger=LINEAR))
    answers = play(made, 0, 2000)
    (switch,) = events(made, "switch")
    assert switch.position == 0
    assert switch.text == "Linear, online answers: the champion has no model"
    alone = Bench(*steady(2000), 0, LINEAR)
    assert answers.tolist() == play(lane(alone, OnlinePolicy()), 0, 2000).tolist()


def test_states_hold_both_sides_whoever_is_champion() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BATCH)
    spec = ChampionPolicy(challenger=LINEAR, window=400)
    made = lane(bench, spec)
    play(made, TRAIN, 4000)
    assert made.learner_spec() == LINEAR
    again = moved(made, bench, spec)
    assert again.learner_spec() == LINEAR
    assert play(made, 4000, ROWS).tolist() == play(again, 4000, ROWS).tolist()
    assert exact(made) == exact(again)


def test_a_roll_back_across_a_change_of_roles() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BATCH)
    made = lane(bench, ChampionPolicy(challenger=LINEAR, window=400))
    play(made, TRAIN, 2000)
    blob, saved = made.learner.state(), made.state()
    play(made, 2000, 4000)
    assert made.learner_spec() == LINEAR
    made.roll_back(blob, saved)
    assert made.learner_spec() is None
    expected = made.learner.predict(bench.x[4000:4100]).value
    assert play(made, 4000, 4100).tolist() == expected.tolist()
    assert made.counters.rollbacks == 1


def test_settings_that_can_be_changed() -> None:
    bench = Bench(*steady(ROWS), TRAIN, BATCH)
    made = lane(bench, ChampionPolicy(challenger=LINEAR))
    assert sorted(made.settings()) == ["cooldown", "demote", "level", "margin", "window"]
    play(made, TRAIN, 1500)
    made.set("window", 100)
    assert made.recent.size == 100
    made.set("demote", False)
    assert made.settings()["demote"] is False
