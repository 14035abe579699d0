"""Replays in the engine process: the same numbers as without one, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from engine_talk import NUMBERS, deployed, headless, opened, played, played_out, results

from modellab.experiment import (
    DriftSpec,
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    replace,
)
from modellab.replay.client import EngineDied
from modellab.replay.protocol import (
    Ack,
    AddLane,
    CancelJob,
    Deploy,
    Deployed,
    Fork,
    Intervene,
    JobDone,
    JobFailed,
    OpenData,
    Pause,
    Play,
    ReadRows,
    Ready,
    RemoveLane,
    Seek,
    Step,
    TrainModel,
    Watch,
    WriteResults,
    unpack,
)
from modellab.replay.run import run_experiment

# ---------------------------------------------------------------- the replay


def test_the_window_and_the_command_line_give_the_same_numbers(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    done = deployed(shared_engine, experiment, tmp_path / "session")
    assert (done.train_rows, done.stop, done.position) == (2000, 5000, 2000)
    assert len(done.baselines) == 2
    shared_engine.do(Play(mode="rows", rate=4000))
    shared_engine.until(lambda t: t.position > 2500)
    assert shared_engine.do(Pause()).error is None
    played(shared_engine, 1)
    played(shared_engine, 100)
    played_out(shared_engine)
    assert results(shared_engine, tmp_path / "window") == headless(experiment, tmp_path / "plain")


def test_interventions_and_forks_are_replayed_as_they_were_made(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, experiment, tmp_path / "session")
    played(shared_engine, 700)
    made = shared_engine.do(Intervene(lane="Online", set={"learning_rate": 0.5}))
    assert made.entry == Intervention(2700, "Online", {"learning_rate": 0.5})
    assert made.position == 2700
    played(shared_engine, 333)
    forked = shared_engine.do(Fork(lane="Online", name="Slower", set={"learning_rate": 0.001}))
    assert forked.entry == Intervention(3033, "Online", fork="Slower")
    shared_engine.do(Intervene(lane="Online", set={"frozen": True}))
    told = played_out(shared_engine)
    by_name = {lane.name: lane for lane in told.lanes}
    assert by_name["Online"].settings["frozen"] is True
    assert by_name["Slower"].cumulative != by_name["Online"].cumulative
    shown = [(e.position, e.lane, e.kind) for t in shared_engine.telemetry for e in t.events]
    assert (2700, "Online", "intervention") in shown
    assert (3033, "Slower", "fork") in shown
    journal = [
        made.entry,
        forked.entry,
        Intervention(3033, "Slower", {"learning_rate": 0.001}),
        Intervention(3033, "Online", {"frozen": True}),
    ]
    again = headless(replace(experiment, intervention=journal), tmp_path / "plain")
    assert results(shared_engine, tmp_path / "window") == again


def test_going_back_and_on_again_changes_nothing(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, experiment, tmp_path / "session")
    played(shared_engine, 1500)
    shared_engine.do(Intervene(lane="Online", set={"learning_rate": 0.2}))
    played_out(shared_engine)
    first = results(shared_engine, tmp_path / "first")
    shared_engine.job(Seek(position=2600))
    told = shared_engine.until(lambda t: t.position == 2600 and not t.busy and t.lanes)
    assert told.state == "paused"
    played_out(shared_engine)
    assert results(shared_engine, tmp_path / "second") == first


def test_a_lane_added_late_is_as_if_it_had_been_there(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    extra = LaneSpec("Extra", OnlinePolicy(every=3), LearnerSpec("linear"))
    deployed(shared_engine, experiment, tmp_path / "session")
    played(shared_engine, 1234)
    shared_engine.job(AddLane(lane=extra))
    assert shared_engine.do(RemoveLane(name="Static")).error is None
    played_out(shared_engine)
    lanes = [lane for lane in experiment.lane if lane.name != "Static"]
    other = headless(replace(experiment, lane=[*lanes, extra]), tmp_path / "plain")
    mine = results(shared_engine, tmp_path / "window")

    def by_name(found: dict[str, Any]) -> dict[str, Any]:
        return {lane["name"]: lane for lane in found["summary"]["lanes"]}

    assert by_name(mine) == by_name(other)


def test_two_processes_give_the_same_bits(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    tree = LaneSpec("Tree", OnlinePolicy(), LearnerSpec("river", "naive_bayes.GaussianNB"))
    wider = replace(
        experiment,
        lane=[*experiment.lane, tree],
        replay=replace(experiment.replay, limit=1200),
        drift=DriftSpec(window=500, every=500),  # so that there is a check
    )
    deployed(shared_engine, wider, tmp_path / "session", workers=2)
    played(shared_engine, 500)
    shared_engine.do(Intervene(lane="Tree", set={"every": 2}))
    played_out(shared_engine)
    entry = Intervention(2500, "Tree", {"every": 2})
    plain = headless(replace(wider, intervention=[entry]), tmp_path / "plain")
    assert results(shared_engine, tmp_path / "window") == plain


def test_what_is_not_possible_is_refused_in_words(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    timeless = replace(experiment, data=replace(experiment.data, time=None))
    deployed(shared_engine, timeless, tmp_path / "session")
    refused = {
        "no lane called": Intervene(lane="Nobody", set={"learning_rate": 1.0}),
        "no setting called": Intervene(lane="Online", set={"learning_rat": 1.0}),
        "taken": Fork(lane="Online", name="Static"),
        "no time column": Play(mode="time", rate=10.0),
        "greater than 0": Play(mode="rows", rate=0.0),
        "at least one row": Step(rows=0),
        "There is no lane": RemoveLane(name="Nobody"),
    }
    for words, command in refused.items():
        answer = shared_engine.do(command)
        assert words in (answer.error or "")
        assert answer.position == 2000
        assert answer.entry is None
    # Nothing of it was done or written down.
    assert "learning" not in (tmp_path / "session" / "journal.jsonl").read_text().split("\n")[1]
    assert played_out(shared_engine).position == 5000


def test_everything_is_refused_before_anything_is_deployed(engine: Any) -> None:
    for command in (Play(), Pause(), Step(), Seek(position=3), RemoveLane(name="x")):
        assert engine.do(command).error == "Nothing is deployed yet."
    assert "Open data first" in engine.failure(ReadRows(start=0, stop=1)).sentence
    assert "deployed" in engine.failure(WriteResults(folder="x")).sentence


def test_event_time_sets_the_pace(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, experiment, tmp_path / "session")
    shared_engine.do(Play(mode="time", rate=2e5))
    told = shared_engine.until(lambda t: t.position > 2100)
    assert told.time_ns is not None
    shared_engine.do(Pause())


def test_a_fast_stream_cannot_pile_up(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, experiment, tmp_path / "session")
    shared_engine.credit = False
    shared_engine.do(Watch(lane="Online"))
    shared_engine.do(Play(mode="max"))
    # One is told for the credit that was given; then silence until the next is asked for.
    seen = len(shared_engine.telemetry)
    try:
        while shared_engine.do(Watch(lane="Online")).position == 2000:
            pass
        answer = shared_engine.do(Pause())
    finally:
        shared_engine.credit = True
    assert len(shared_engine.telemetry) <= seen + 1
    shared_engine.client.send(Ready())
    assert shared_engine.until(lambda t: t.state == "paused").position == answer.position


def test_news_of_curves_add_up_to_the_curves(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, experiment, tmp_path / "session")
    first = len(shared_engine.telemetry) - 1
    shared_engine.do(Watch(lane="Online"))
    shared_engine.do(Play(mode="rows", rate=6000))
    shared_engine.until(lambda t: t.state == "finished")
    start, mean = np.empty(0, np.int64), np.empty(0)
    names, rows = [], np.empty(0, np.int64)
    for told in shared_engine.telemetry[first:]:
        lane = next(lane for lane in told.lanes if lane.name == "Online")
        if "error" in lane.curves:
            delta = lane.curves["error"]
            start = np.append(start[: delta.from_index], unpack(delta.start, "i"))
            mean = np.append(mean[: delta.from_index], unpack(delta.mean))
        if told.parameters is not None:
            at = told.parameters.from_index
            names = told.parameters.names
            rows = np.append(rows[:at], unpack(told.parameters.positions, "i"))
    result = run_experiment(experiment, base=Path("/"))
    online = next(lane for lane in result.lanes if lane.name == "Online")
    np.testing.assert_array_equal(start, online.history["error"].start)
    np.testing.assert_array_equal(mean, online.history["error"].mean)
    assert names == online.parameters.names
    np.testing.assert_array_equal(rows, online.parameters.positions)


def test_a_file_that_vanishes_does_not_stop_the_replay(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.csv"
    shutil.copyfile(experiment.data.paths[0], copy)
    mine = replace(experiment, data=replace(experiment.data, path=str(copy)))
    deployed(shared_engine, mine, tmp_path / "session")
    played(shared_engine, 100)
    copy.unlink()
    assert played_out(shared_engine).position == 5000
    shared_engine.job(Deploy(experiment=mine, session_dir=str(tmp_path / "again")), Deployed)
    # Only when it must be read again is it missed.
    assert "copy.csv" in shared_engine.failure(OpenData(paths=[str(copy)])).sentence


def test_a_deployment_can_be_given_up(
    shared_engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, experiment, tmp_path / "first")
    slow = LaneSpec(
        "Forest",
        experiment.lane[0].policy,
        LearnerSpec("random_forest", None, {"n_estimators": 2000}),
    )
    command = Deploy(
        experiment=replace(experiment, lane=[slow]), session_dir=str(tmp_path / "second")
    )
    number = shared_engine.client.send(command)
    shared_engine.wait(lambda: any(p.id == number for p in shared_engine.progress))
    shared_engine.client.send(CancelJob(job=number))
    assert shared_engine.finish(number).cancelled
    # The replay that was there is there still.
    assert [lane.name for lane in played_out(shared_engine).lanes][:3] == [
        "Static",
        "Retrained",
        "Online",
    ]


# ---------------------------------------------------------------- its end


def _wait_for_death(engine: Any) -> EngineDied:
    died: EngineDied = engine.wait(
        lambda: next((a for a in engine.answers if isinstance(a, EngineDied)), None)
    )
    return died


def test_a_killed_engine_goes_on_where_it_was_with_the_same_numbers(
    engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    session = tmp_path / "session"
    extra = LaneSpec("Extra", OnlinePolicy(), LearnerSpec("linear", None, {"alpha": 0.01}))
    deployed(engine, experiment, session)
    played(engine, 800)
    engine.do(Intervene(lane="Online", set={"learning_rate": 0.3}))
    engine.job(AddLane(lane=extra))
    played(engine, 200)
    engine.do(Fork(lane="Online", name="Fork", set={"learning_rate": 0.01}))
    engine.do(Play(mode="max"))
    reached = engine.until(lambda t: t.position > 3500).position
    engine.do(Intervene(lane="Extra", set={"learning_rate": 0.07}))
    os.kill(engine.client.pid, signal.SIGKILL)
    assert _wait_for_death(engine).exit_code != 0
    last = json.loads((session / "journal.jsonl").read_text().splitlines()[-1])
    position = last["intervention"]["position"]
    assert position >= reached

    other = type(engine)()
    other.client.start()
    try:
        done = deployed(other, experiment, session, resume=True, position=position)
        assert done.position == position
        assert [lane.name for lane in done.experiment.lane][-1] == "Extra"
        assert len(done.experiment.intervention) == 4
        assert not done.warnings
        played_out(other)
        found = results(other, tmp_path / "window")
    finally:
        other.client.stop()
    plain = headless(done.experiment, tmp_path / "plain")
    for key in ("summary", *NUMBERS):
        assert found[key] == plain[key], key


def test_checkpoints_of_another_experiment_are_not_used(
    engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    deployed(engine, experiment, tmp_path / "session")
    played(engine, 500)
    changed = replace(experiment, split=replace(experiment.split, train=1500))
    done = deployed(engine, changed, tmp_path / "session", resume=True)
    assert (done.position, len(done.warnings)) == (1500, 1)


def test_no_process_outlives_the_window(
    engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    tree = LaneSpec("Tree", OnlinePolicy(), LearnerSpec("river", "linear_model.LogisticRegression"))
    deployed(engine, replace(experiment, lane=[tree]), tmp_path / "session", workers=2)
    engine.job(TrainModel(experiment=experiment, learner=LearnerSpec("naive_bayes")))
    family = psutil.Process(engine.client.pid)
    workers = family.children(recursive=True)
    assert len(workers) >= 2
    engine.do(Play(mode="max"))
    # As if the window had been killed: nobody says goodbye.
    engine.client._process.stdin.close()
    gone, alive = psutil.wait_procs([family, *workers], timeout=20)
    assert not alive
    assert len(gone) == 1 + len(workers)


def test_a_long_training_ends_with_its_engine(engine: Any, experiment: Experiment) -> None:
    opened(engine, Path(experiment.data.paths[0]))
    slow = LearnerSpec("random_forest", None, {"n_estimators": 2000})
    number = engine.client.send(TrainModel(experiment=experiment, learner=slow))
    engine.wait(lambda: any(p.id == number and "ncod" in p.text for p in engine.progress))
    workers = psutil.Process(engine.client.pid).children()
    engine.client.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert workers
    assert not alive


def test_a_lost_lane_worker_ends_the_engine_so_that_it_can_go_on(
    engine: Any, experiment: Experiment, tmp_path: Path
) -> None:
    tree = LaneSpec("Tree", OnlinePolicy(), LearnerSpec("river", "linear_model.LogisticRegression"))
    deployed(engine, replace(experiment, lane=[tree]), tmp_path / "session", workers=2)
    played(engine, 10)
    for child in psutil.Process(engine.client.pid).children():
        if "host" in child.cmdline():
            child.kill()
    engine.client.send(Play(mode="max"))
    assert _wait_for_death(engine).exit_code == 70


def test_messages_that_make_no_sense_end_the_engine(engine: Any) -> None:
    engine.do(Pause())
    engine.client._process.stdin.write(b"\x00\x00\x00\x03abc")
    engine.client._process.stdin.flush()
    died = _wait_for_death(engine)
    assert died.exit_code == 2
    assert "cannot be understood" in died.stderr


def test_a_job_is_answered_once(shared_engine: Any, flights: Path) -> None:
    number = shared_engine.client.send(OpenData(paths=[str(flights)]))
    shared_engine.client.send(CancelJob(job=number))
    last = shared_engine.client.send(CancelJob(job=number))
    shared_engine.finish(number)
    shared_engine.answer(last, Ack)
    shared_engine.do(Pause())
    ends = [
        a for a in shared_engine.answers if isinstance(a, JobDone | JobFailed) and a.id == number
    ]
    assert len(ends) == 1
