from __future__ import annotations

import importlib.util
import os
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest

from modellab.errors import ExperimentError
from modellab.experiment import (
    Experiment,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    SplitSpec,
    StaticPolicy,
    replace,
)
from modellab.gui import session_saving as saving
from modellab.gui.session import Session
from modellab.gui.session_deployment import CurveView, row_at, time_at
from modellab.gui.session_topics import Message
from modellab.gui.session_training import differences
from modellab.replay import protocol as p


def _load(name: str) -> ModuleType:
    """Import a helper that lies beside this file (test folders are no packages)."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


scripted = _load("scripted_engine")


class Bench:
    """A session on scripted engines, with all that it told."""

    def __init__(self) -> None:
        self.engines: list[Any] = []
        self.prepare: list[Any] = []
        self.session = Session(self._make)
        self.told: list[str] = []
        self.messages: list[Message] = []
        for topic in ("data", "profile", "experiment", "trainings", "deployment", "telemetry"):
            self.session.subscribe(topic, lambda topic=topic: self.told.append(topic))
        self.session.subscribe("message", self.messages.append)

    def _make(self) -> Any:
        engine = self.prepare.pop(0) if self.prepare else scripted.ScriptedEngine()
        self.engines.append(engine)
        return engine

    @property
    def engine(self) -> Any:
        return self.engines[-1]

    def settle(self) -> None:
        for _ in range(50):
            if not self.session.pump():
                return
        raise AssertionError("the session never comes to rest")

    def open(self, path: Path) -> Session:
        path.write_text("a,b\n1,2\n")
        self.session.open_paths([path])
        self.settle()
        return self.session

    def deployed(self, path: Path) -> Session:
        session = self.open(path)
        session.deploy()
        self.settle()
        return session

    def feed(self, position: int, **rest: Any) -> None:
        names = [n for n, v in self.session.deployment.lanes.items() if not v.baseline]
        lanes = [scripted.lane_news(n) for n in names]
        self.engine.position = position
        self.engine.telemetry = scripted.telemetry(position, lanes, **{"reset": True, **rest})
        self.settle()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "prices.csv"


# ---------------------------------------------------------------- opening and editing


def test_the_engine_starts_only_when_it_is_needed(bench: Bench, csv: Path) -> None:
    assert bench.engines == []
    assert bench.session.pump() is False
    bench.open(csv)
    assert len(bench.engines) == 1


def test_opening_data_guesses_target_and_time_and_profiles(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    assert session.experiment == Experiment(
        data=replace(session.experiment.data, path=str(csv), target="class", time="when"),
        split=SplitSpec(train=0.2),
    )
    assert session.target_guessed
    assert session.profile is not None
    assert session.train_rows == 200
    assert session.stream_rows == 800
    assert not session.dirty
    assert session.title == "prices.csv"
    session.confirm_target()
    assert not session.target_guessed


def test_a_file_that_cannot_be_read_leaves_what_was_open(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    before = session.experiment
    bench.engine.answers[p.OpenData] = lambda c, n: [
        p.Ack(id=n),
        p.JobFailed(id=n, sentence="There are no rows in “x.csv”."),
    ]
    session.open_paths([csv.with_name("x.csv")])
    bench.settle()
    assert session.experiment is before
    assert bench.messages[-1].text == "There are no rows in “x.csv”."


def test_edits_can_be_undone_and_redone(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    start = session.experiment
    session.edit("Ignore day", replace(start, data=replace(start.data, ignore=["day"])))
    session.edit("Move the split", replace(session.experiment, split=SplitSpec(train=300)))
    assert session.undo_text == "Move the split"
    session.undo()
    assert session.experiment.split == start.split
    assert session.experiment.data.ignore == ["day"]
    session.undo()
    assert session.experiment == start
    assert session.undo_text is None
    session.redo()
    session.redo()
    assert session.experiment.split.train == 300
    assert session.redo_text is None
    assert session.dirty


def test_edits_of_one_drag_are_one_step_back(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    start = session.experiment
    for rows in (210, 260, 333):
        split = replace(session.experiment.split, train=rows)
        session.edit("Move the split", replace(session.experiment, split=split), merge="split")
    session.undo()
    assert session.experiment == start
    session.redo()
    assert session.experiment.split.train == 333


def test_an_edit_that_is_not_valid_changes_nothing(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    start = session.experiment
    wrong = replace(start, data=replace(start.data, ignore=["class"]))
    with pytest.raises(ExperimentError, match=r"data\.target"):
        session.edit("Ignore class", wrong)
    assert session.experiment is start
    assert session.undo_text is None


def test_choosing_a_target_ends_the_guess_and_undo_brings_it_back(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    data = replace(session.experiment.data, target="price")
    session.edit("Predict price", replace(session.experiment, data=data))
    assert not session.target_guessed
    session.undo()
    assert session.target_guessed


def test_of_many_wishes_for_a_profile_only_the_newest_is_done(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    bench.engine.held.add(p.ProfileData)
    done = bench.engine.count(p.ProfileData)
    for rows in (300, 310, 320, 330):
        split = replace(session.experiment.split, train=rows)
        session.edit("Move the split", replace(session.experiment, split=split))
    assert bench.engine.count(p.ProfileData) == done + 1
    assert session.profile_stale
    bench.settle()  # the first is cancelled, and the newest wish is sent
    assert bench.engine.count(p.ProfileData) == done + 2
    assert bench.engine.last(p.ProfileData).experiment.split.train == 330
    bench.engine.finish()
    bench.settle()
    assert session.profile.train_rows == 330
    assert not session.profile_stale


def test_sorting_by_time_reads_the_data_again_and_keeps_trainings(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    session.train(LearnerSpec("ridge"))
    bench.settle()
    data = replace(session.experiment.data, sort=True)
    session.edit("Sort by time", replace(session.experiment, data=data))
    bench.settle()
    assert bench.engine.last(p.OpenData).sort_by == "when"
    assert len(session.trainings) == 1
    assert session.trainings[0].stale(session.experiment)
    session.undo()
    bench.settle()
    assert bench.engine.last(p.OpenData).sort_by is None
    assert not session.trainings[0].stale(session.experiment)


def test_a_subscription_can_be_ended(bench: Bench, csv: Path) -> None:
    seen: list[int] = []
    end = bench.session.subscribe("data", lambda: seen.append(1))
    bench.open(csv)
    assert seen
    end()
    count = len(seen)
    bench.open(csv)
    assert len(seen) == count


def test_one_pump_tells_a_topic_once(bench: Bench, csv: Path) -> None:
    csv.write_text("a\n1\n")
    bench.session.open_paths([csv])
    bench.told.clear()
    bench.session.pump()
    assert bench.told.count("data") == 1
    assert bench.told.count("experiment") == 1


# ---------------------------------------------------------------- rows


def test_rows_are_read_by_callback_and_none_when_it_fails(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    pages: list[Any] = []
    session.read_rows(10, 13, pages.append)
    bench.settle()
    assert [row[0] for row in pages[0].cells] == ["10", "11", "12"]
    bench.engine.answers[p.ReadRows] = lambda c, n: [p.Ack(id=n, error="gone")]
    session.read_rows(0, 5, pages.append)
    bench.settle()
    assert pages[1] is None
    assert session.running_jobs == []


def test_bad_rows_are_read_and_saved(bench: Bench, csv: Path, tmp_path: Path) -> None:
    session = bench.open(csv)
    pages: list[Any] = []
    session.read_bad_rows(0, 100, pages.append)
    session.save_bad_rows(tmp_path / "bad.csv")
    bench.settle()
    assert pages[0].total == 2
    assert bench.engine.last(p.ReadBadRows).save_to == str(tmp_path / "bad.csv")
    assert "bad.csv" in bench.messages[-1].text


# ---------------------------------------------------------------- trainings


def test_trainings_are_kept_chosen_and_told_stale(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    session.train(LearnerSpec("logistic_regression", params={"C": 1.0}))
    bench.settle()
    session.train(LearnerSpec("logistic_regression", params={"C": 0.1}))
    bench.settle()
    first, second = session.trainings
    assert session.chosen is second
    assert (first.index, second.index) == (0, 1)
    assert differences(first, second) == [("C", "1", "0.1")]
    session.edit("Move the split", replace(session.experiment, split=SplitSpec(train=0.4)))
    assert first.stale(session.experiment)
    session.undo()
    assert not first.stale(session.experiment)
    session.choose(first.id)
    assert session.chosen is first
    session.remove_training(first.id)
    assert session.trainings == [second]
    assert session.chosen is second
    session.undo()
    assert session.trainings == [first, second]


def test_only_one_training_at_a_time_and_it_can_be_cancelled(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    bench.engine.held.add(p.TrainModel)
    job = session.train(LearnerSpec("ridge"))
    assert session.why_no_training == "A model is being trained."
    assert session.train(LearnerSpec("ridge")) is None
    session.cancel(job)
    session.cancel(job)
    assert bench.engine.count(p.CancelJob) == 1
    bench.settle()
    assert session.trainings == []
    assert session.why_no_training is None


def test_a_failed_training_says_why(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    bench.engine.answers[p.TrainModel] = lambda c, n: [
        p.Ack(id=n),
        p.JobProgress(id=n, done=1, total=4, text="Fitting"),
        p.JobFailed(id=n, sentence="The target has one class only.", detail="trace"),
    ]
    session.train(LearnerSpec("ridge"))
    bench.settle()
    assert (bench.messages[-1].kind, bench.messages[-1].detail) == ("error", "trace")
    assert session.job_of("train") is None


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
    assert len(curve.mean) == len(curve.low) == len(curve.high) == 12
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


# ---------------------------------------------------------------- a dead engine


def test_a_dead_engine_is_replaced_and_the_replay_can_go_on(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    bench.feed(640)
    folder = session.deployment.session_dir
    bench.engine.held.add(p.TrainModel)
    session.train(LearnerSpec("ridge"))
    bench.engine.die()
    bench.settle()
    assert len(bench.engines) == 2
    assert bench.engine.count(p.OpenData) == 1
    assert session.deployment.lost
    assert session.deployment.position == 640  # the past stays on screen
    assert session.job_of("train") is None
    last = bench.messages[-1]
    assert last.action == "Continue from row 640"
    assert "640" in last.text
    session.play()  # nothing to play yet
    assert bench.engine.count(p.Play) == 0
    last.run()
    bench.settle()
    command = bench.engine.last(p.Deploy)
    assert (command.resume, command.position, command.session_dir) == (True, 640, folder)
    assert not session.deployment.lost
    assert session.deployment.position == 640
    assert session.interrupted is None


def test_an_engine_that_keeps_dying_is_not_started_for_ever(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    for _ in range(4):
        bench.engine.die()
        bench.settle()
    assert session.engine_state == "down"
    assert len(bench.engines) == 4
    session.train(LearnerSpec("ridge"))
    assert bench.messages[-1].action == "Start the engine again"
    bench.messages[-1].run()
    bench.settle()
    assert session.engine_state == "ready"
    assert len(bench.engines) == 5
    assert session.experiment is not None


def test_an_engine_that_cannot_be_started_is_told(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    broken = scripted.ScriptedEngine()
    broken.fail_to_start = True
    bench.prepare.append(broken)
    bench.engine.die()
    bench.settle()
    assert session.engine_state == "down"
    assert bench.messages[-1].kind == "error"


# ---------------------------------------------------------------- saving and recovering


def test_a_saved_experiment_opens_again(bench: Bench, csv: Path, tmp_path: Path) -> None:
    session = bench.deployed(csv)
    bench.feed(300)
    session.intervene("Online", learning_rate=0.2)
    bench.settle()
    place = tmp_path / "mine.toml"
    assert session.dirty
    assert session.save(place)
    assert not session.dirty
    assert session.title == "mine.toml"
    assert 'path = "prices.csv"' in place.read_text()
    kept = session.experiment
    other = Bench()
    other.session.open_paths([place])
    other.settle()
    assert other.session.experiment == kept
    assert not other.session.dirty
    assert not other.session.target_guessed


def test_a_saved_mlab_holds_the_results_so_far(bench: Bench, csv: Path, tmp_path: Path) -> None:
    session = bench.deployed(csv)
    place = tmp_path / "mine.mlab"
    session.save(place)
    bench.settle()
    assert bench.engine.count(p.WriteResults) == 0  # nothing was replayed yet
    bench.feed(300)
    session.save(place)
    with zipfile.ZipFile(place) as file:  # there at once, without results
        assert "results/summary.json" not in file.namelist()
    bench.settle()
    with zipfile.ZipFile(place) as file:
        assert "results/summary.json" in file.namelist()
    assert not Path(bench.engine.last(p.WriteResults).folder).exists()
    other = Bench()
    other.session.open_paths([place])
    other.settle()
    assert other.session.experiment == session.experiment


def test_an_experiment_whose_data_moved_asks_where_they_are(
    bench: Bench, csv: Path, tmp_path: Path
) -> None:
    session = bench.open(csv)
    place = tmp_path / "mine.toml"
    session.save(place)
    moved = tmp_path / "elsewhere.csv"
    csv.rename(moved)
    other = Bench()
    engine = scripted.ScriptedEngine()
    usual = engine.send

    def send(command: Any) -> int:
        if isinstance(command, p.OpenData) and not Path(command.paths[0]).exists():
            engine.answers[p.OpenData] = lambda c, n: [p.Ack(id=n, error="It is not there.")]
        else:
            engine.answers.clear()
        return usual(command)

    engine.send = send
    other.prepare.append(engine)
    other.session.locate = lambda _path: [moved]
    other.session.open_experiment(place)
    other.settle()
    assert other.session.experiment is None
    assert other.messages[-1].action == "Locate…"
    other.messages[-1].run()
    other.settle()
    assert other.session.experiment.data.path == str(moved)


def test_a_file_that_is_no_experiment_gives_one_sentence(bench: Bench, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[data]\npath = 3\n")
    bench.session.open_paths([wrong])
    assert bench.messages[-1].kind == "error"
    assert bench.session.experiment is None


def test_unsaved_work_is_offered_at_the_next_start(bench: Bench, csv: Path) -> None:
    session = bench.deployed(csv)
    session.train(LearnerSpec("ridge"))
    bench.settle()
    bench.feed(400)
    session.intervene("Online", learning_rate=0.2)
    bench.settle()
    kept = session.experiment
    session.close()
    _pretend_it_ended()
    other = Bench()
    found = other.session.recoverable()
    assert [(r.title, r.position) for r in found] == [("prices.csv", 400)]
    other.session.recover(found[0])
    other.settle()
    assert other.session.experiment == kept
    assert [t.title for t in other.session.trainings] == ["Ridge"]
    assert other.session.dirty
    assert other.session.interrupted.position == 400
    assert other.messages[-1].action == "Continue from row 400"
    other.session.close(keep=False)
    assert other.session.recoverable() == []


def test_lost_trainings_do_not_take_the_experiment_with_them(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    session.train(LearnerSpec("ridge"))
    bench.settle()
    kept = session.experiment
    session.close()
    _pretend_it_ended()
    (file,) = saving._folder().glob("*.trainings")
    file.write_bytes(file.read_bytes()[:100])
    other = Bench()
    other.session.recover()
    other.settle()
    assert other.session.experiment == kept
    assert other.session.trainings == []
    assert [m.text for m in other.messages] == [
        "The trainings of the unsaved session cannot be read: train them again."
    ]
    other.session.close(keep=False)


def test_a_session_of_a_running_program_is_not_offered(bench: Bench, csv: Path) -> None:
    session = bench.open(csv)
    session.edit("Move", replace(session.experiment, split=SplitSpec(train=0.5)))
    assert session.autosave()
    assert not session.autosave()  # nothing new
    assert Bench().session.recoverable() != []  # the same process: its other window closed
    note = next((saving._folder()).glob("*.json"))
    raw = msgspec.json.decode(note.read_bytes())
    raw["pid"] = 1
    raw["pid_started"] = saving._started(1)
    note.write_bytes(msgspec.json.encode(raw))
    assert Bench().session.recoverable() == []


def test_saving_ends_the_recovery_copy(bench: Bench, csv: Path, tmp_path: Path) -> None:
    session = bench.open(csv)
    session.edit("Move", replace(session.experiment, split=SplitSpec(train=0.5)))
    session.autosave()
    session.save(tmp_path / "a.toml")
    session.close()
    assert Bench().session.recoverable() == []


def test_opening_other_data_keeps_unsaved_work(bench: Bench, csv: Path, tmp_path: Path) -> None:
    session = bench.open(csv)
    session.edit("Move", replace(session.experiment, split=SplitSpec(train=0.5)))
    kept = session.experiment
    bench.open(tmp_path / "other.csv")
    assert session.title == "other.csv"
    message = bench.messages[-1]
    assert message.action == "Go back to it"
    message.run()
    bench.settle()
    assert session.experiment == kept


def test_looking_at_data_leaves_nothing_behind(bench: Bench, csv: Path) -> None:
    bench.open(csv).close()
    assert list(saving._folder().iterdir()) == []


def _pretend_it_ended() -> None:
    for note in saving._folder().glob("*.json"):
        raw = msgspec.json.decode(note.read_bytes())
        raw["pid_started"] = 1.0
        note.write_bytes(msgspec.json.encode(raw))


# ---------------------------------------------------------------- small things


def test_time_and_row_are_each_others_inverse() -> None:
    times = np.asarray([0, 100, 500, 1000], np.int64)
    assert time_at(times, 301, 0) == 0
    assert time_at(times, 301, 300) == 1000
    assert time_at(times, 301, 50) == 50
    assert row_at(times, 301, 50) == 50
    assert row_at(times, 301, -5) == 0
    assert row_at(times, 301, 10**6) == 300
    assert time_at(np.empty(0, np.int64), 301, 5) is None
    assert row_at(np.empty(0, np.int64), 301, 5) is None


def test_results_are_written_for_a_replay_only(bench: Bench, csv: Path, tmp_path: Path) -> None:
    session = bench.open(csv)
    assert session.write_results(tmp_path) is None
    session.deploy()
    bench.settle()
    session.write_results(tmp_path)
    bench.settle()
    assert bench.engine.last(p.WriteResults).folder == str(tmp_path)
    assert "1 file was" in bench.messages[-1].text
