from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import scripted_engine as scripted
from session_bench import Bench

from modellab.experiment import (
    LearnerSpec,
    SplitSpec,
    replace,
)
from modellab.gui import session_saving as saving
from modellab.gui.session_deployment import row_at, time_at
from modellab.replay import protocol as p


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "prices.csv"


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
