"""Triggered policies on streams whose truth is known."""

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
    concepts,
    events,
    lane,
    play,
    recurring,
    slow,
    steady,
)

from modellab.errors import ExperimentError
from modellab.experiment import (
    Condition,
    LearnerSpec,
    ScheduledPolicy,
    StaticPolicy,
    TriggeredPolicy,
)

ROWS, TRAIN, AT = 9000, 1000, 4000
DRIFT = Condition(drift="adwin")


def error(bench: Bench, policy: Any, stop: int = ROWS) -> tuple[Any, np.ndarray]:
    """Play a lane; return it, and whether it was wrong, row by row."""
    made = lane(bench, policy)
    answers = play(made, bench.train_rows, stop)
    return made, answers != bench.y[bench.train_rows : stop]


def test_without_drift_nothing_is_done() -> None:
    bench = Bench(*steady(ROWS), TRAIN, BATCH)
    made, wrong = error(bench, TriggeredPolicy(when=[Condition(drift="adwin")]))
    _, static = error(bench, StaticPolicy())
    assert made.counters.retrains == 0
    assert (wrong == static).all()


def test_an_abrupt_drift_is_found_and_repaired() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BATCH)
    spec = TriggeredPolicy(when=[DRIFT], keep="alarm", test_rows=100, cooldown=200)
    made, wrong = error(bench, spec)
    _, static = error(bench, StaticPolicy())
    alarm = events(made, "drift")[0]
    retrain = events(made, "retrain", "reject")[0]
    assert AT < alarm.position < AT + 200
    # There is nothing to learn from yet when it alarms: it collects first.
    assert retrain.position == alarm.position + 499
    assert retrain.values["first_row"] == alarm.values["row"]
    assert (retrain.values["rows"], retrain.values["test_rows"]) == (400, 100)
    assert retrain.values["cause"] == (
        f"Drift alarm of ADWIN on the error at row {alarm.position:,}; then 500 rows were collected"
    )
    assert static[-2000:].mean() > 0.9
    assert wrong[-2000:].mean() < 0.1
    assert made.counters.alarms == len(events(made, "drift"))


def test_without_collecting_the_old_rows_win() -> None:
    """Why: a model of all rows, right after the alarm, is the old model."""
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BATCH)
    made, wrong = error(bench, TriggeredPolicy(when=[DRIFT], keep="all", test_rows=20))
    first = events(made, "retrain", "reject")[0]
    assert first.position == events(made, "drift")[0].position
    assert wrong[-2000:].mean() > 0.5


def test_a_slow_drift_is_followed() -> None:
    bench = Bench(*slow(ROWS), TRAIN, BATCH)
    spec = TriggeredPolicy(
        when=[DRIFT, Condition(error=0.05, rows=50)], keep=800, test_rows=100, cooldown=500
    )
    made, wrong = error(bench, spec)
    _, static = error(bench, StaticPolicy())
    assert made.counters.redeploys >= 4
    assert wrong.mean() < 0.5 * static.mean()


def test_a_recurring_drift_is_answered_by_switching_back_and_forth() -> None:
    x, y = recurring(ROWS, 2000)
    x = np.column_stack([x, np.where(np.arange(ROWS) < TRAIN, 1.0, -1.0)])
    bench = Bench(x, y, TRAIN, BATCH)
    flipped = LearnerSpec("sklearn", class_name="dummy.DummyClassifier")
    bench_build = bench.build

    class Opposite:
        """Answers the opposite of what the lane's learner was taught."""

        def __init__(self) -> None:
            self.inner = bench_build(BATCH)
            self.view = self.inner.view

        def fit(self, rows: Any, labels: Any) -> None:
            self.inner.fit(rows, labels)

        def predict(self, rows: Any) -> Any:
            found = self.inner.predict(rows)
            found.value = 1 - found.value
            return found

    bench.build = lambda spec=None: Opposite() if spec == flipped else bench_build(spec)  # type: ignore[method-assign,assignment]
    spec = TriggeredPolicy(when=[DRIFT], action="switch", challenger=flipped, cooldown=300)
    made, wrong = error(bench, spec)
    switches = events(made, "switch")
    places = [e.position for e in switches]
    assert [p // 2000 for p in places] == [1, 2, 3, 4]
    assert all(p % 2000 < 220 for p in places)  # the alarm, then 62 rows that both answered
    assert wrong.mean() < 0.1
    for event in switches:
        assert event.values["rows"] == 62
        assert event.values["challenger_error"] < event.values["champion_error"]
    assert made.counters.rejected == 0


@pytest.mark.parametrize("level", [1.0, 0.05])
def test_an_alarm_is_no_reason_to_switch_to_what_is_no_better(level: float) -> None:
    """A quarter of the labels turn to noise: the alarm is right, and so is who stays."""
    x, y = steady(ROWS)
    noisy = (np.arange(ROWS) >= AT) & (np.random.default_rng(3).random(ROWS) < 0.25)
    constant = LearnerSpec("sklearn", class_name="dummy.DummyClassifier")
    spec = TriggeredPolicy(
        when=[DRIFT], action="switch", challenger=constant, collect=400, level=level
    )
    made, _ = error(Bench(x, np.where(noisy, 1 - y, y), TRAIN, BATCH), spec)
    rejects = events(made, "reject")
    assert not events(made, "switch")
    assert made.counters.rejected == len(rejects) >= 1
    assert made.counters.retrains == 0
    first = rejects[0]
    assert AT < first.position < AT + 800
    assert first.values["rows"] == 400
    assert first.values["challenger_error"] > first.values["champion_error"] > 0.15
    assert first.text.startswith("Dummy")
    assert "does not take over: error " in first.text
    if level < 1.0:
        assert [e.values["rows"] for e in rejects[:3]] == [400, 800, 1600]


def test_the_question_before_a_switch_is_put_over_the_rows_both_answered() -> None:
    """Labels come 120 rows late; only rows from the alarm on count, and each of them once."""
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BATCH, delay=120)
    spec = TriggeredPolicy(
        when=[DRIFT], action="switch", challenger=LINEAR, learn=True, collect=800, cooldown=20_000
    )
    made, _ = error(bench, spec)
    (switch,) = events(made, "switch")
    alarm = events(made, "drift")[0].position
    rows = switch.values["rows"]
    assert rows in (100, 200, 400, 800)
    assert switch.position == alarm + rows + 120
    answers = play(lane(bench, StaticPolicy()), TRAIN, ROWS)
    wrong = (answers != bench.y[TRAIN:])[alarm - TRAIN : alarm - TRAIN + rows]
    assert switch.values["champion_error"] == pytest.approx(wrong.mean())


@pytest.mark.parametrize("detector", ["adwin", "page_hinkley", "kswin"])
@pytest.mark.parametrize("action", ["switch", "reset", "retrain"])
def test_an_error_that_falls_calls_for_nothing(detector: Any, action: Any) -> None:
    """Noise of the labels goes away: it is told, and the model that got better stays."""
    x, y = steady(ROWS, noise=0.02)
    rng = np.random.default_rng(4)
    y = np.where((np.arange(ROWS) < AT) & (rng.random(ROWS) < 0.4), 1 - y, y)
    steep = {"threshold": 80.0} if detector == "page_hinkley" else {}
    if detector == "kswin":
        steep = {"alpha": 1e-7, "window_size": 600, "stat_size": 150}
    spec = TriggeredPolicy(
        when=[Condition(drift=detector, params=steep)],
        action=action,
        challenger=BAYES if action == "switch" else None,
        learn=action == "reset",
    )
    made, _ = error(Bench(x, y, TRAIN, LINEAR), spec)
    told = events(made, "drift")
    assert [e.values["risen"] for e in told] == [False] * made.counters.alarms
    assert AT < told[0].position < AT + 600
    assert told[0].text.endswith(": the error has fallen")
    assert [e.kind for e in made.events] == ["drift"] * len(told)
    assert made.alarm_rows == []


def test_what_is_kept_goes_back_to_the_last_rise() -> None:
    """The classes are as before from row 5000 on: a schedule keeps what came since the rise."""
    rows = np.arange(ROWS)
    x, y = concepts(ROWS, np.where((rows >= 3000) & (rows < 5000), np.pi, 0.0))
    made, _ = error(Bench(x, y, TRAIN, BAYES), ScheduledPolicy(every=5900, keep="alarm"))
    (retrain,) = events(made, "retrain", "reject")
    assert len(made.alarm_rows) == 1
    assert 3000 < made.alarm_rows[0] == retrain.values["first_row"] < 3200


def test_alarms_act_from_the_row_on_when_the_label_is_known() -> None:
    x, y = abrupt(ROWS, AT, noise=0.0)
    spec = TriggeredPolicy(when=[DRIFT], keep=500, test_rows=0)
    at = {}
    for delay in (0, 300):
        made, _ = error(Bench(x, y, TRAIN, BAYES, delay=delay), spec)
        at[delay] = events(made, "retrain")[0].position
        assert events(made, "drift")[0].values["row"] == at[delay] - delay - 1
    assert at[300] - at[0] == 300


def test_labels_that_come_a_day_late_do_not_call_twice_for_the_same_drift() -> None:
    """Errors of the model that is gone say nothing about the one that serves."""
    x, y = abrupt(ROWS, AT)
    times = np.arange(ROWS) * 60
    bench = Bench(x, y, TRAIN, BAYES, delay=24 * 3600, times=times)  # 1440 rows
    spec = TriggeredPolicy(when=[DRIFT], keep="alarm", test_rows=0, cooldown=100, delay="1h")
    made, wrong = error(bench, spec)
    retrains = events(made, "retrain")
    assert AT + 1940 < retrains[0].position < AT + 2100
    assert retrains[0].values["serves_from"] == retrains[0].position + 60
    assert events(made, "redeploy")[0].position == retrains[0].position + 60
    # The second alarm can only come of rows that the second model answered.
    assert all(e.position > retrains[0].values["serves_from"] + 1440 for e in retrains[1:])
    assert wrong[-500:].mean() < 0.3


def test_conditions_on_rows_error_and_features() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BAYES, test_rows=200, alarms={2000: 1, 6000: 2})
    by_rows, _ = error(bench, TriggeredPolicy(when=[Condition(rows=1500)], cooldown=1))
    assert [e.position for e in events(by_rows, "retrain", "reject")] == [
        2500,
        4000,
        5500,
        7000,
        8500,
    ]
    above = Condition(error=0.2, rows=30)
    by_error, _ = error(bench, TriggeredPolicy(when=[above], keep="all", test_rows=50))
    first = events(by_error, "retrain", "reject")[0]
    assert AT + 30 < first.position < AT + 120
    assert first.values["cause"].startswith("Window error")
    by_features, _ = error(bench, TriggeredPolicy(when=[Condition(features=2)], cooldown=1))
    assert [e.position for e in events(by_features, "retrain", "reject")] == [6000]


def test_cooldown_and_warmup() -> None:
    bench = Bench(*steady(ROWS), TRAIN, BAYES, times=np.arange(ROWS) * 2)
    spec = TriggeredPolicy(when=[Condition(rows=1)], cooldown="1h", warmup=500, test_rows=100)
    made, _ = error(bench, spec)
    places = [e.position for e in events(made, "retrain", "reject")]
    assert places == list(range(1500, ROWS, 1800))
    with pytest.raises(ExperimentError):
        made.set("cooldown", "soon")
    made.set("cooldown", 700)
    assert made.settings()["cooldown"] == 700


def test_no_second_cycle_begins_while_a_model_waits() -> None:
    bench = Bench(*steady(ROWS), TRAIN, BAYES)
    spec = TriggeredPolicy(when=[Condition(rows=100)], cooldown=1, delay=950, margin=1.0)
    made, _ = error(bench, spec)
    places = [e.position for e in events(made, "retrain")]
    # Each model serves from 950 rows later on; the next row's errors are the first of its own.
    assert places[:3] == [1100, 2051, 3002]


def test_alerts_tell_and_do_nothing_else() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BAYES, test_rows=200)
    spec = TriggeredPolicy(when=[Condition(error=0.3)], action="alert", cooldown=1)
    made, wrong = error(bench, spec)
    _, static = error(bench, StaticPolicy())
    told = events(made, "warning")
    assert len(told) == 1  # it goes on holding: told once
    assert told[0].text.startswith("Alert: Window error")
    assert AT < told[0].position < AT + 120
    assert (wrong == static).all()
    assert (made.counters.retrains, made.rows_stored(5000)) == (0, 0)


def test_a_reset_forgets_and_learns_anew() -> None:
    slow_learner = LearnerSpec("linear", params={"learning_rate": 0.002, "schedule": "invscaling"})
    bench = Bench(*abrupt(ROWS, AT, noise=0.0), TRAIN, slow_learner)
    kept = lane(bench, TriggeredPolicy(when=[], action="alert", learn=True))
    wrong_kept = play(kept, TRAIN, ROWS) != bench.y[TRAIN:]
    made, wrong = error(
        bench, TriggeredPolicy(when=[DRIFT], action="reset", learn=True, cooldown=3000)
    )
    reset = events(made, "reset")[0]
    assert AT < reset.position < AT + 200
    after = reset.position - TRAIN
    assert wrong[after : after + 1000].mean() < wrong_kept[after : after + 1000].mean() - 0.05
    assert made.trained_to == ROWS


def test_a_retrained_model_learns_on_from_where_its_training_ended() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, LINEAR)
    spec = TriggeredPolicy(when=[Condition(rows=1200)], learn=True, test_rows=150, margin=1.0)
    made = lane(bench, spec)
    play(made, TRAIN, 2200)
    updates = made.counters.updates
    assert updates == 1200
    play(made, 2200, 2201)
    retrain = events(made, "retrain")[0]
    assert retrain.position == 2200
    # Held out are the newest rows; the running model's error there is that of its predictions.
    assert (retrain.values["last_row"], retrain.values["test_rows"]) == (2050, 150)
    assert retrain.values["old_error"] is not None
    # Those rows are learned, too, as soon as the new model serves.
    assert made.counters.updates - updates == 151
    assert made.trained_to == 2201


def test_the_running_online_model_is_tested_on_what_it_answered() -> None:
    x, y = steady(4000)
    bench = Bench(x, y, TRAIN, LINEAR)
    made = lane(bench, TriggeredPolicy(when=[Condition(rows=2000)], learn=True, test_rows=400))
    wrong = play(made, TRAIN, 3001) != y[TRAIN:3001]
    values = events(made, "retrain", "reject")[0].values
    assert values["old_error"] == pytest.approx(wrong[1600:2000].mean())


def test_the_challenger_that_learns_alongside_takes_over() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, BATCH)
    spec = TriggeredPolicy(
        when=[DRIFT], action="switch", challenger=LINEAR, learn=True, cooldown=20_000
    )
    made, wrong = error(bench, spec)
    switch = events(made, "switch")[0]
    assert AT < switch.position < AT + 350
    assert switch.text.startswith("Linear, online takes over: error ")
    assert made.learner_spec() == LINEAR
    assert wrong[-3000:].mean() < 0.1
    assert made.counters.updates == ROWS - TRAIN


def test_after_a_cold_start_rows_call_for_the_first_model() -> None:
    bench = Bench(*steady(3000), 0, BAYES)
    made = lane(bench, TriggeredPolicy(when=[Condition(rows=400)], cooldown=1, test_rows=50))
    assert not made.has_model
    answers = play(made, 0, 3000)
    assert set(answers[:400]) == {-1}
    assert set(answers[400:]) == {0, 1}
    first = events(made, "retrain")[0]
    assert first.values["new_error"] is not None
    assert first.text == (
        f"Retrain 1: test error {first.values['new_error']:.4g}, no model before it, deployed"
    )


def test_a_roll_back_lets_the_model_be_what_it_was() -> None:
    bench = Bench(*abrupt(ROWS, AT), TRAIN, LINEAR)
    made = lane(bench, TriggeredPolicy(when=[DRIFT], learn=True, keep=500, test_rows=50))
    play(made, TRAIN, 3000)
    blob, saved = made.learner.state(), made.state()
    play(made, 3000, 3500)
    version = made.version
    made.roll_back(blob, saved)
    assert made.learner.state() == blob
    assert made.version > version
    assert (made.counters.rollbacks, made.trained_to) == (1, 3000)
    play(made, 3500, 3600)
    assert made.trained_to == 3600
