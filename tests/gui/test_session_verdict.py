"""The verdict in the session: when it is asked for, what is newest, what is stale."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from scripted_engine import N_ROWS
from verdict_bench import VerdictBench, verdict

from modellab.experiment import CostAwarePolicy, LaneSpec, LearnerSpec, replace
from modellab.gui.session_verdict import QUIET_SECONDS
from modellab.replay.protocol import (
    Ack,
    AddLane,
    CancelJob,
    FindHindsight,
    JobFailed,
    Judge,
    MeasureSensitivity,
)


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Any) -> Any:
    made = VerdictBench(gui_bench, tmp_path)
    yield made
    made.session.close(keep=False)


@pytest.fixture
def clock(bench: Any) -> Any:
    class Clock:
        now = 100.0

        def __call__(self) -> float:
            return self.now

    made = Clock()
    bench.state._clock = made
    return made


def test_nothing_is_asked_while_nobody_looks(bench: Any) -> None:
    bench.play_to(400, state="paused")
    assert bench.count() == 0
    bench.state.open()
    bench.bench.settle()
    assert bench.count() == 1
    assert bench.state.verdict == verdict(bench.prices)
    assert bench.state.position == 400
    assert bench.state.stale is None
    assert not bench.state.behind


def test_nothing_is_asked_before_a_row_was_replayed(bench: Any) -> None:
    bench.state.open()
    bench.bench.settle()
    assert bench.count() == 0


def test_the_same_moment_is_judged_once(bench: Any) -> None:
    bench.state.open()
    for _ in range(3):
        bench.play_to(400, state="paused")
    assert bench.count() == 1


def test_while_it_plays_it_is_asked_at_intervals_and_at_the_end_at_once(
    bench: Any, clock: Any
) -> None:
    bench.state.open()
    bench.play_to(300)
    assert bench.count() == 1
    clock.now += QUIET_SECONDS / 2
    bench.play_to(310)
    assert bench.count() == 1
    assert bench.state.behind
    clock.now += QUIET_SECONDS
    bench.play_to(320)
    assert bench.count() == 2
    bench.play_to(330, state="paused")
    assert bench.count() == 3
    assert bench.state.position == 330


def test_one_question_at_a_time_and_the_newest_prices_win(bench: Any) -> None:
    bench.state.open()
    bench.play_to(400, state="paused")
    before = bench.count()
    bench.holding = True
    for price in (2.0, 3.0, 4.0):
        bench.state.set_prices(error=price)
    bench.bench.settle()
    assert bench.count() == before + 1
    assert bench.engine.last(Judge).prices.error == 2.0
    bench.release()
    assert bench.count() == before + 2
    assert bench.engine.last(Judge).prices.error == 4.0
    bench.release()
    assert bench.count() == before + 2
    assert bench.state.verdict.prices["error"] == 4.0
    assert bench.state.stale is None


def test_prices_do_not_make_the_deployment_stale(bench: Any) -> None:
    bench.play_to(400, state="paused")
    bench.state.set_prices(retrain=25.0)
    bench.bench.settle()
    assert not bench.session.deployment_stale
    assert bench.live.experiment.prices.retrain == 25.0
    assert bench.count() == 1  # handed over although nobody looks


def test_prices_can_be_undone(bench: Any) -> None:
    bench.state.open()
    bench.play_to(400, state="paused")
    usual = bench.session.experiment.prices
    bench.state.set_prices(error=7.0)
    bench.bench.settle()
    bench.session.undo()
    bench.bench.settle()
    assert bench.session.experiment.prices == usual
    assert bench.prices == usual
    assert bench.state.verdict.prices["error"] == usual.error


def test_a_failure_is_told_and_the_old_verdict_stays(bench: Any) -> None:
    bench.state.open()
    bench.play_to(400, state="paused")
    old = bench.state.verdict

    def fail(_command: Judge, number: int) -> list[Any]:
        return [Ack(id=number), JobFailed(id=number, sentence="It cannot be judged.")]

    bench.engine.answers[Judge] = fail
    bench.play_to(500, state="paused")
    assert bench.state.problem == "It cannot be judged."
    assert bench.state.verdict is old
    assert bench.count() == 2  # not again and again


def test_changed_lanes_make_it_stale_until_it_is_judged_anew(bench: Any) -> None:
    bench.state.open()
    bench.play_to(400, state="paused")
    bench.holding = True
    bench.session.add_lane(LaneSpec("Another", bench.live.lanes["Static"].spec.policy,
                                    LearnerSpec("linear")))  # fmt: skip
    bench.engine.replies.append(msgspec.structs.replace(_done(bench.engine.last(AddLane).id)))
    bench.bench.settle()
    assert bench.state.stale == "Lanes, settings or faults were changed since this verdict."
    bench.release()
    assert bench.state.stale is None


def _done(number: int) -> Any:
    from modellab.replay.protocol import JobDone

    return JobDone(id=number, result={})


def test_a_dead_engine_leaves_the_verdict_as_it_was(bench: Any) -> None:
    bench.state.open()
    bench.play_to(400, state="paused")
    bench.engine.die()
    bench.bench.settle()
    assert bench.state.verdict is not None
    assert "gone" in bench.state.stale
    assert bench.state.why_no_prices is not None
    assert bench.state.why_no_hindsight is not None


def test_other_data_forget_the_verdict(bench: Any, tmp_path: Any) -> None:
    bench.state.open()
    bench.play_to(400, state="paused")
    bench.bench.open(tmp_path / "other.csv")
    assert bench.session.deployment is None
    assert bench.state.verdict is None


def test_an_answer_for_an_earlier_deployment_is_not_taken(bench: Any) -> None:
    bench.state.open()
    bench.holding = True
    bench.play_to(400, state="paused")
    bench.session.deploy()
    bench.bench.settle()
    bench.release()
    assert bench.state.verdict is None


def test_hindsight_begins_by_itself_once_at_the_end(bench: Any) -> None:
    bench.verdict = lambda prices: verdict(prices, hindsight=None)
    bench.state.open()
    bench.play_to(500, state="paused")
    assert bench.engine.count(FindHindsight) == 0
    bench.finish()
    assert bench.engine.count(FindHindsight) == 1
    job = bench.session.job_of("hindsight")
    bench.session.cancel(job)
    bench.bench.settle()
    assert bench.engine.last(CancelJob).job == job.id
    assert bench.session.job_of("hindsight") is None
    assert bench.state.hindsight_problem == ""
    bench.play_to(N_ROWS, state="finished")
    assert bench.engine.count(FindHindsight) == 1


def test_hindsight_does_not_begin_while_nobody_looks(bench: Any) -> None:
    bench.verdict = lambda prices: verdict(prices, hindsight=None)
    bench.finish()
    assert bench.engine.count(FindHindsight) == 0


def test_a_found_optimum_is_a_lane_and_judged(bench: Any) -> None:
    bench.verdict = lambda prices: verdict(
        prices, **({} if bench.with_hindsight else {"hindsight": None})
    )
    bench.state.open()
    bench.finish()
    asked = bench.count()
    bench.end_long()
    assert "In hindsight" in bench.live.lanes
    assert [x.name for x in bench.session.experiment.lane].count("In hindsight") == 1
    assert bench.count() > asked
    assert bench.state.verdict.hindsight is not None
    bench.state.find_hindsight()
    bench.end_long()
    assert [x.name for x in bench.session.experiment.lane].count("In hindsight") == 1


def test_a_failed_computation_says_why(bench: Any) -> None:
    bench.verdict = lambda prices: verdict(prices, hindsight=None)
    bench.engine.answers[FindHindsight] = lambda _c, n: [
        Ack(id=n), JobFailed(id=n, sentence="There is not enough memory for the models.")
    ]  # fmt: skip
    bench.state.open()
    bench.finish()
    assert bench.state.hindsight_problem.startswith("There is not enough memory")


def test_sensitivity_is_judged_when_it_is_measured(bench: Any) -> None:
    bench.state.open()
    bench.play_to(400, state="paused")
    asked = bench.count()
    assert bench.state.measure_sensitivity() is not None
    assert bench.state.why_no_sensitivity == "It is being measured."
    assert bench.state.measure_sensitivity() is None
    bench.end_long()
    assert bench.engine.count(MeasureSensitivity) == 1
    assert bench.count() == asked + 1


def test_hindsight_needs_the_whole_stream(bench: Any) -> None:
    bench.play_to(400, state="paused")
    assert "whole stream" in bench.state.why_no_hindsight
    assert bench.state.find_hindsight() is None


def test_lanes_that_decided_by_other_prices_are_named(bench: Any) -> None:
    live = bench.live
    lane = LaneSpec("Thrifty", CostAwarePolicy(), LearnerSpec("linear"))
    live.experiment = replace(live.experiment, lane=[*live.experiment.lane, lane])
    assert bench.state.decided_at_other_prices == []
    bench.state.set_prices(retrain=99.0)
    assert bench.state.decided_at_other_prices == ["Thrifty"]
    assert bench.state.why_not_by_these_prices is None
    asked: list[tuple[str, dict[str, Any]]] = []
    bench.session.intervene = lambda lane, /, **changes: asked.append((lane, changes))
    bench.state.decide_by_these_prices()
    assert asked == [("Thrifty", {"price_retrain": 99.0})]
    bench.finish()
    assert "deploy anew" in bench.state.why_not_by_these_prices


def test_found_dates_do_not_outlive_their_replay(bench: Any) -> None:
    from modellab.experiment import HindsightPolicy

    bench.verdict = lambda prices: verdict(prices, hindsight=None)
    bench.state.open()
    bench.finish()
    bench.end_long()
    own = LaneSpec("Mine", HindsightPolicy(at=[300], searched=True), LearnerSpec("linear"))
    session = bench.session
    session._set_experiment(replace(session.experiment, lane=[*session.experiment.lane, own]))
    session.deploy()
    bench.bench.settle()
    names = [lane.name for lane in session.experiment.lane]
    assert {"In hindsight", "Mine"} <= set(names)  # nothing that matters was changed
    spec = session.experiment.split
    session.edit("Split", replace(session.experiment, split=replace(spec, train=0.4)))
    bench.bench.settle()
    session.deploy()
    bench.bench.settle()
    lanes = {lane.name: lane for lane in session.experiment.lane}
    assert "In hindsight" not in lanes
    assert lanes["Mine"].policy == HindsightPolicy()
