from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from session_bench import Bench

from modellab.errors import ExperimentError
from modellab.experiment import (
    Experiment,
    LearnerSpec,
    SplitSpec,
    replace,
)
from modellab.gui.session_training import differences
from modellab.replay import protocol as p


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
