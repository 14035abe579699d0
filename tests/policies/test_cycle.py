"""The retraining cycle: delays in rows and time, downtime, what is kept, what is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from policy_bench import BATCH, BAYES, Bench, abrupt, events, lane, play, recurring, steady

from modellab.errors import ExperimentError
from modellab.experiment import (
    Condition,
    HindsightPolicy,
    ScheduledPolicy,
    TriggeredPolicy,
    replace,
)
from modellab.policies.base import PolicyEvent
from modellab.policies.hindsight import Hindsight

ROWS, TRAIN = 4000, 500


def scheduled(bench: Bench, **spec: Any) -> Any:
    return lane(bench, ScheduledPolicy(**spec))


def test_the_event_of_a_retrain_tells_the_whole_cycle() -> None:
    bench = Bench(*abrupt(ROWS, 800), TRAIN, BAYES)
    made = scheduled(bench, every=1000, keep=600, test_rows=200, delay=40, downtime=True)
    play(made, TRAIN, 1600)
    event = events(made, "retrain")[0]
    values = dict(event.values)
    assert values.pop("fit_seconds") >= 0.0
    old = bench.loss(lane(bench, ScheduledPolicy()).learner, 1300, 1500)
    fresh = bench.build()
    bench.fit(fresh, 900, 1300)
    assert values == {
        "retrain": 1,
        "cause": "Due every 1,000 rows",
        "rows": 400,
        "first_row": 900,
        "last_row": 1300,
        "test_rows": 200,
        "new_error": pytest.approx(bench.loss(fresh, 1300, 1500)),
        "old_error": pytest.approx(old),
        "deployed": True,
        "serves_from": 1540,
        "downtime": True,
    }
    assert event.position == 1500
    again = [learner.predict(bench.x).value.tolist() for learner in (made.learner, fresh)]
    assert again[0] == again[1]
    assert made.trained_to == 1300


def test_while_nothing_serves_the_baseline_answers() -> None:
    x, y = steady(ROWS)
    y[:] = np.where(np.arange(ROWS) < 1400, y, 1)  # the majority becomes 1 for good
    bench = Bench(x, y, TRAIN, BAYES)
    made = scheduled(bench, every=1000, test_rows=100, delay=70, downtime=True, margin=1.0)
    answers = play(made, TRAIN, ROWS)
    down = [(1500, 1570), (2500, 2570), (3500, 3570)]
    assert made.down_spans == down
    assert made.counters.downtime_rows == 210
    for start, stop in down:
        expected = bench.baseline(start, stop).value
        assert answers[start - TRAIN : stop - TRAIN].tolist() == expected.tolist()
    up = lane(bench, ScheduledPolicy(every=1000, test_rows=100, delay=70, margin=1.0))
    same = play(up, TRAIN, ROWS) == answers
    outside = np.ones(ROWS, dtype=bool)
    for start, stop in down:
        outside[start:stop] = False
    assert same[outside[TRAIN:]].all()
    assert not up.down_spans


def test_a_rejected_model_was_down_for_as_long() -> None:
    bench = Bench(*recurring(ROWS, 1400), TRAIN, BAYES)
    made = scheduled(bench, every=1500, keep=400, test_rows=150, delay=60, downtime=True)
    play(made, TRAIN, 2040)
    assert made.down  # in the midst of it
    play(made, 2040, 2100)
    assert not made.down
    assert made.down_spans == [(2000, 2060)]


def test_a_delay_in_time_ends_at_the_first_row_that_is_as_late() -> None:
    times = np.arange(ROWS) * 30
    bench = Bench(*steady(ROWS), TRAIN, BAYES, times=times)
    made = scheduled(bench, every="10h", delay="1h", test_rows=100, margin=1.0)
    play(made, TRAIN, ROWS)
    # Ten hours are 1200 rows of 30 seconds, one hour is 120 of them.
    assert [e.position for e in events(made, "retrain")] == [1700, 2900]
    assert [e.position for e in events(made, "redeploy")] == [1820, 3020]
    assert events(made, "retrain")[0].values["cause"] == "Due every 10h"


def test_a_model_that_would_serve_after_the_end_never_does() -> None:
    bench = Bench(*steady(ROWS), TRAIN, BAYES, times=np.arange(ROWS))
    made = scheduled(bench, every=3000, delay="30d", downtime=True)
    play(made, TRAIN, ROWS)
    event = events(made, "retrain", "reject")[0]
    assert event.values["serves_from"] is None
    assert made.counters.redeploys == 0
    assert made.down_spans == [(3500, ROWS)]


def test_a_schedule_keeps_what_came_since_an_alarm_of_its_own() -> None:
    bench = Bench(*abrupt(ROWS, 1200), TRAIN, BAYES)
    made = scheduled(bench, every=1500, keep="alarm", test_rows=100)
    play(made, TRAIN, ROWS)
    first = events(made, "retrain")[0]
    assert first.position == 2000
    assert 1200 <= first.values["first_row"] < 1300
    assert first.values["new_error"] < 0.15 < first.values["old_error"]
    assert not events(made, "drift")  # it tells no alarms: they only say what to keep
    without = scheduled(Bench(*steady(ROWS), TRAIN, BAYES), every=1500, keep="alarm")
    play(without, TRAIN, 2100)
    assert events(without, "retrain", "reject")[0].values["first_row"] == 0


def test_keep_can_become_alarm_while_it_runs() -> None:
    bench = Bench(*abrupt(ROWS, 1800), TRAIN, BAYES)
    made = scheduled(bench, every=2500, test_rows=100)
    play(made, TRAIN, 1500)
    made.set("keep", "alarm")
    play(made, 1500, ROWS)
    assert 1800 <= events(made, "retrain")[0].values["first_row"] < 1900


def test_rows_that_must_be_stored() -> None:
    bench = Bench(*steady(ROWS), TRAIN, BAYES, delay=100)
    assert scheduled(bench, every=900).rows_stored(2000) == 2000
    # The newest 300 labelled rows, and 100 whose labels are still to come.
    assert scheduled(bench, every=900, keep=300).rows_stored(2000) == 400
    assert scheduled(bench, every=900, keep=300).rows_stored(TRAIN) == 300


def test_hindsight_retrains_at_its_positions_and_asks_nobody() -> None:
    bench = Bench(*abrupt(ROWS, 2000), TRAIN, BATCH, delay=50)
    made = lane(bench, HindsightPolicy(at=[300, 1024, 2300, 2301], keep=800))
    assert isinstance(made, Hindsight)
    answers = play(made, TRAIN, ROWS)
    assert bench.fits == [(0, TRAIN), (174, 974), (1450, 2250), (1451, 2251)]
    assert [e.position for e in made.events] == [1024, 1024, 2300, 2300, 2301, 2301]
    assert (made.counters.retrains, made.counters.redeploys, made.counters.rejected) == (3, 3, 0)
    for start, stop, (a, b) in [(500, 1024, (0, 500)), (2301, ROWS, (1451, 2251))]:
        learner = bench.build()
        bench.fit(learner, a, b)
        expected = learner.predict(bench.x[start:stop]).value
        assert answers[start - TRAIN : stop - TRAIN].tolist() == expected.tolist()


def test_events_are_equal_whatever_the_machine_measured() -> None:
    one = PolicyEvent(5, "retrain", "t", {"rows": 3, "fit_seconds": 0.1})
    assert one == PolicyEvent(5, "retrain", "t", {"rows": 3, "fit_seconds": 0.2})
    assert one != PolicyEvent(5, "retrain", "t", {"rows": 4, "fit_seconds": 0.1})


def test_a_span_needs_a_time_column() -> None:
    class NoTime(Bench):
        def position_at(self, start: int, rows: int, span_ns: int) -> int:
            if span_ns:
                raise ExperimentError("no column is the time")
            return start + rows

    bench = NoTime(*steady(ROWS), TRAIN, BAYES)
    for more in ({"cooldown": "1h"}, {"warmup": "1h"}, {"delay": "1h"}):
        with pytest.raises(ExperimentError, match="no column is the time"):
            lane(bench, TriggeredPolicy(**more))  # type: ignore[arg-type]
    made = lane(bench, TriggeredPolicy())
    for name in ("cooldown", "delay"):
        before = made.settings()
        with pytest.raises(ExperimentError, match="no column is the time"):
            made.set(name, "1h")
        assert made.settings() == before


def test_with_a_level_a_stretch_of_luck_is_no_reason_to_change() -> None:
    """Nothing drifts: new models are better or worse by chance, and half of them are better."""
    found = {}
    for level in (1.0, 0.01):
        x, y = steady(8000, noise=0.2)
        bench = Bench(x, y, TRAIN, BAYES)
        made = scheduled(bench, every=700, keep=450, test_rows=150, level=level)
        play(made, TRAIN, 8000)
        found[level] = made.counters
        assert made.counters.retrains == 10
        for event in events(made, "reject", "retrain"):
            p_value = event.values.get("p_value")
            assert (p_value is not None) == (level < 1.0)
            if p_value is not None:
                worse = event.values["new_error"] > event.values["old_error"]
                assert (event.kind == "reject") == (worse or p_value >= level)
                assert event.text.endswith("it may be chance") == (
                    event.kind == "reject" and not worse
                )
    assert found[1.0].redeploys >= 3
    assert found[0.01].redeploys == 0


def test_what_tests_better_is_deployed_of_two_lengths_of_memory() -> None:
    """After a drift what came before it misleads; after a bad week it is sorely missed."""
    spec = TriggeredPolicy(
        when=[Condition(drift="adwin")], keep="better", collect=300, cooldown=300, level=0.05
    )
    drifted = lane(Bench(*abrupt(ROWS, 2000), TRAIN, BATCH), spec)
    play(drifted, TRAIN, ROWS)
    first = events(drifted, "retrain")[0]
    assert first.values["first_row"] > 2000
    assert first.values["other_error"] > first.values["new_error"] + 0.1
    assert first.values["p_value"] < 0.05

    rng = np.random.default_rng(2)
    x = rng.normal(size=(ROWS, 30))  # many columns: 150 rows are few to learn from
    y = np.asarray((x @ rng.normal(size=30) > 0) ^ (rng.random(ROWS) < 0.05), dtype=np.int64)
    x[:TRAIN, :15] = rng.normal(size=(TRAIN, 15))  # what the first model could learn little of
    bad = np.arange(ROWS) >= 2000
    y[bad] = np.where(rng.random(bad.sum()) < 0.3, 1 - y[bad], y[bad])
    week = lane(Bench(x, y, TRAIN, BATCH), spec)
    play(week, TRAIN, ROWS)
    tried = events(week, "retrain", "reject")
    assert tried
    assert tried[0].values["first_row"] < 1000
    assert tried[0].values["other_error"] >= tried[0].values["new_error"]


def test_what_was_rejected_is_tried_again_on_twice_as_many_rows() -> None:
    """Right after the drift 60 rows do not show that the new model is better; more do."""
    spec = TriggeredPolicy(
        when=[Condition(drift="adwin")], collect=80, cooldown=3000, level=1e-6, test_rows=500
    )
    made = lane(Bench(*abrupt(ROWS, 2000, noise=0.2), TRAIN, BATCH), spec)
    play(made, TRAIN, ROWS)
    tried = events(made, "retrain", "reject")
    assert [e.kind for e in tried] == ["reject"] * (len(tried) - 1) + ["retrain"]
    assert len(tried) >= 2
    alarm = tried[0].values["first_row"]
    spans = [e.position - alarm for e in tried]
    assert spans == [80 * 2**k for k in range(len(tried))]
    assert tried[0].values["cause"].endswith("80 rows were collected")
    assert all(e.values["cause"].endswith("tried again on more rows") for e in tried[1:])
    assert made.collecting is None
    once = lane(Bench(*abrupt(ROWS, 2000, noise=0.2), TRAIN, BATCH), replace(spec, level=1.0))
    play(once, TRAIN, ROWS)
    assert len(events(once, "retrain", "reject")) == 1
