from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scripted_engine as scripted
from session_bench import Bench

from modellab.experiment import (
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    SplitSpec,
    StaticPolicy,
    replace,
)
from modellab.gui.session_deployment import CurveView
from modellab.replay import protocol as p


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "prices.csv"


# ---------------------------------------------------------------- deployment


def test_deploying_fills_the_lanes_with_the_chosen_learner(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    learner = LearnerSpec("decision_tree", params={"max_depth": 5})
    session.train(learner)
    bench.settle()
    session.deploy()
    bench.settle()
    assert session.experiment.lane[0].learner == learner
    names = list(session.deployment.lanes)
    assert names[-2:] == ["Majority class", "No change"]
    assert session.deployment.lanes["No change"].baseline
    assert [session.deployment.lanes[n].index for n in names[:4]] == [0, 1, 2, 3]
    assert session.deployment.selected == "Online"
    assert bench.engine.last(p.Watch).lane == "Online"
    assert bench.engine.last(p.Ready).reset
    # Another training goes live in the place of the former one.
    other = LearnerSpec("naive_bayes")
    session.train(other)
    bench.settle()
    session.deploy()
    bench.settle()
    learners = [lane.learner for lane in session.experiment.lane]
    assert other in learners
    assert learner not in learners


def test_lanes_of_ones_own_are_kept_when_another_model_goes_live(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    mine = LaneSpec("Mine", OnlinePolicy(), LearnerSpec("linear"))
    session.edit("Lanes", replace(session.experiment, lane=[mine]))
    session.train(LearnerSpec("ridge"))
    bench.settle()
    session.deploy()
    bench.settle()
    assert [(x.name, x.learner.kind) for x in session.experiment.lane] == [
        ("Ridge", "ridge"),
        ("Mine", "linear"),
    ]


def test_telemetry_moves_position_curves_events_and_parameters(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    live = session.deployment
    bench.feed(
        300,
        events=[scripted.event(250), scripted.event(280)],
        parameters=scripted.parameters("Online", [200, 250]),
    )
    assert (live.position, live.state, live.time_ns) == (300, "playing", 300 * scripted.HOUR_NS)
    assert live.started
    assert live.playing
    assert len(live.lanes["Static"].curves["error"]) == 10
    assert [e.position for e in live.events] == [250, 280]
    assert live.parameters.names == ["price", "day=1"]
    news = [
        scripted.lane_news(n, curves={"error": scripted.curve(290, 320, from_index=9)})
        for n in live.lanes
        if not live.lanes[n].baseline
    ]
    bench.engine.telemetry = scripted.telemetry(
        320,
        news,
        events=[scripted.event(310)],
        events_from=1,
        parameters=scripted.parameters("Online", [250, 320], from_index=1),
    )
    bench.settle()
    curve = live.lanes["Static"].curves["error"]
    assert curve.start.tolist() == list(range(200, 320, 10))
    assert len(curve.mean) == len(curve.start) == 12
    assert [e.position for e in live.events] == [250, 310]
    assert live.parameters.positions.tolist() == [200, 250, 320]
    np.testing.assert_allclose(live.parameters.values[:, 1], [-20.0, -25.0, -32.0])
    assert "telemetry" in bench.told


def test_every_telemetry_is_answered_with_ready(bench: Bench, csv: Path) -> None:
    bench.deployed(csv)
    ready = bench.engine.count(p.Ready)
    bench.feed(250)
    assert bench.engine.count(p.Ready) == ready + 1


def test_telemetry_of_the_replay_before_is_passed_over(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    bench.feed(900, reset=False)
    assert session.deployment.position == 200
    bench.feed(210)
    assert session.deployment.position == 210


def test_going_back_shortens_curves() -> None:
    curve = CurveView()
    curve.apply(scripted.curve(0, 100))
    curve.apply(scripted.curve(30, 50, from_index=3))
    assert curve.start.tolist() == [0, 10, 20, 30, 40]
    curve.apply(scripted.curve(0, 60, width=20))
    assert (curve.start.tolist(), curve.width) == ([0, 20, 40], 20)


def test_transport_sends_what_was_asked(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    session.set_speed("time", 60.0)
    assert bench.engine.count(p.Play) == 0
    session.play()
    assert (bench.engine.last(p.Play).mode, bench.engine.last(p.Play).rate) == ("time", 60.0)
    bench.feed(250)
    session.set_speed("max", 1.0)  # takes effect at once while playing
    assert bench.engine.last(p.Play).mode == "max"
    session.pause()
    session.step(8192)
    session.seek(400)
    assert bench.engine.last(p.Step).rows == 8192
    assert bench.engine.last(p.Seek).position == 400
    bench.settle()
    session.restart()
    assert bench.engine.last(p.Seek).position == 200


def test_an_intervention_is_in_the_journal_and_can_be_taken_back(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    bench.feed(300)
    session.intervene("Online", learning_rate=0.2)
    bench.settle()
    entry = session.experiment.intervention[-1]
    assert (entry.position, entry.lane, entry.set) == (300, "Online", {"learning_rate": 0.2})
    assert session.deployment.experiment.intervention == session.experiment.intervention
    assert session.undo_text == "Set learning rate of Online"
    bench.feed(350)
    session.undo()
    bench.settle()
    assert session.experiment.intervention[-1].set == {"learning_rate": 0.05}
    assert session.experiment.intervention[-1].position == 350
    assert session.dirty


def test_a_dragged_slider_never_queues_up(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    bench.feed(300)
    before = bench.engine.count(p.Intervene)
    for step in range(1, 40):
        session.intervene("Online", learning_rate=step / 100)
    assert bench.engine.count(p.Intervene) == before + 1
    bench.settle()
    assert bench.engine.count(p.Intervene) == before + 2
    assert bench.engine.last(p.Intervene).set == {"learning_rate": 0.39}
    # Entries of one position are one entry: the last value counts.
    assert len(session.experiment.intervention) == 1
    session.undo()
    bench.settle()
    assert session.experiment.intervention[-1].set == {"learning_rate": 0.05}


def test_lanes_are_added_removed_and_brought_back(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    bench.feed(300)
    spec = LaneSpec("Tree", StaticPolicy(), LearnerSpec("decision_tree"))
    session.add_lane(spec)
    bench.settle()
    assert "Tree" in session.deployment.lanes
    assert session.experiment.lane[-1] == spec
    assert list(session.deployment.lanes)[-1] == "No change"
    session.undo()
    bench.settle()
    assert "Tree" not in session.deployment.lanes
    session.remove_lane("Online")
    bench.settle()
    assert [x.name for x in session.experiment.lane] == [
        "Static",
        "Retrained",
        "On alarm",
        "Online tree",
    ]
    assert session.deployment.selected == "Static"
    session.undo()
    bench.settle()
    assert "Online" in session.deployment.lanes
    assert session.deployment.lanes["Online"].index == 3  # its colour again
    session.duplicate_lane("Online")
    bench.settle()
    assert "Online 2" in session.deployment.lanes


def test_a_lane_is_replaced_under_another_name(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    new = LaneSpec("Slow", OnlinePolicy(every=10), LearnerSpec("linear"))
    session.replace_lane("Online", new)
    bench.settle()
    assert "Online" not in session.deployment.lanes
    assert session.deployment.lanes["Slow"].spec == new
    assert session.deployment.lanes["Slow"].index == 3


def test_a_fork_has_its_parents_colour_and_its_removal_cleans_the_journal(
    bench: Bench, csv: Path
) -> None:
    session = bench.deployed(csv)
    bench.feed(300)
    session.fork("Online", "Online · fast", learning_rate=0.5)
    bench.settle()
    fork = session.deployment.lanes["Online · fast"]
    assert (fork.fork_of, fork.index) == ("Online", session.deployment.lanes["Online"].index)
    assert session.experiment.intervention[0].fork == "Online · fast"
    assert session.experiment.intervention[1].set == {"learning_rate": 0.5}
    session.remove_lane("Online · fast")
    bench.settle()
    assert session.experiment.intervention == []
    assert "Online · fast" not in session.deployment.lanes


def test_default_lanes_of_the_engine_take_the_trained_learner(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)  # without a training: the usual learner
    assert session.experiment.lane[0].learner.kind == "logistic_regression"
    session.train(LearnerSpec("naive_bayes"))
    bench.settle()
    session.deploy()
    bench.settle()
    assert [x.name for x in session.experiment.lane] == [
        "Static",
        "Retrained",
        "On alarm",
        "Online",
        "Online tree",
    ]
    assert session.experiment.lane[0].learner.kind == "naive_bayes"


def test_a_journal_from_an_earlier_replay_is_told_and_can_be_forgotten(
    bench: Bench, csv: Path
) -> None:
    session = bench.deployed(csv)
    bench.feed(300)
    session.intervene("Online", learning_rate=0.2)
    bench.settle()
    session.deploy()
    bench.settle()
    assert "made again at its row" in bench.messages[-1].text
    bench.messages[-1].run()
    bench.settle()
    assert session.experiment.intervention == []
    assert bench.engine.last(p.Deploy).experiment.intervention == []


def test_what_is_no_data_set_is_not_deployed(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    session.profile.error = "There is nothing to predict."
    assert session.why_no_deploy == session.why_no_training == "There is nothing to predict."
    assert session.deploy() is None
    assert bench.engine.count(p.Deploy) == 0


def test_checkpoints_go_when_nothing_is_kept(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    folder = Path(session.deployment.session_dir)
    assert folder.is_dir()
    session.deploy()
    bench.settle()
    assert not folder.exists()
    newer = Path(session.deployment.session_dir)
    old = newer.parent.parent / "longover"
    old.mkdir()
    os.utime(old, (0, 0))
    session.recoverable()
    assert not old.exists()
    session.close(keep=True)
    assert newer.is_dir()
    other = Bench().session
    other._autosave.id = session._autosave.id
    other.close(keep=False)
    assert not newer.exists()


def test_hidden_lanes_stay_hidden_when_deployed_again(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    session.hide_lane("Static")
    session.deploy()
    bench.settle()
    assert session.deployment.lanes["Static"].hidden


def test_the_deployment_is_stale_after_a_change_that_matters(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    assert not session.deployment_stale
    session.edit("Move the split", replace(session.experiment, split=SplitSpec(train=0.5)))
    assert session.deployment_stale
    session.undo()
    assert not session.deployment_stale


def test_a_refused_command_is_told(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    bench.engine.answers[p.Step] = lambda c, n: [p.Ack(id=n, error="The stream has ended.")]
    session.step(1)
    bench.settle()
    assert bench.messages[-1].text == "The stream has ended."
