"""The engine in a process of its own, talked to as the window does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_talk import deployed, opened, played_out

from modellab.experiment import (
    DataSpec,
    Experiment,
    LearnerSpec,
    SplitSpec,
    replace,
)
from modellab.replay.protocol import (
    BadRowsPage,
    CancelJob,
    Deploy,
    JobFailed,
    OpenData,
    ProfileData,
    ProfileSummary,
    ReadBadRows,
    ReadRows,
    RowsPage,
    TrainingResult,
    TrainModel,
)

# ---------------------------------------------------------------- data


def test_opens_data_and_shows_its_rows(shared_engine: Any, flights: Path) -> None:
    found = opened(shared_engine, flights)
    assert (found.name, found.n_rows, found.bad_rows) == ("flights.csv", 6000, 0)
    assert found.guessed_time == "time"
    assert {c.name: c.kind for c in found.columns}["carrier"] == "category"
    page = shared_engine.job(ReadRows(start=5990, stop=7000), RowsPage)
    assert (page.start, len(page.cells)) == (5990, 10)
    header, *lines = flights.read_text().splitlines()
    names = header.replace('"', "").split(",")
    line = lines[5990].replace('"', "").split(",")
    assert page.cells[0][names.index("dest")] == line[names.index("dest")]
    assert shared_engine.job(ReadRows(start=0, stop=5000), RowsPage).cells[999:] != []


def test_profiles_columns_and_tells_what_does_not_fit(
    shared_engine: Any, experiment: Experiment
) -> None:
    opened(shared_engine, Path(experiment.data.paths[0]))
    found = shared_engine.job(ProfileData(experiment=experiment), ProfileSummary)
    assert (found.task, found.train_rows, found.n_rows) == ("classification", 2000, 6000)
    assert len(found.columns) == 20
    assert found.times_ns == sorted(found.times_ns)
    wrong = replace(experiment, data=replace(experiment.data, target="lat"))
    told = shared_engine.job(ProfileData(experiment=wrong), ProfileSummary)
    assert "lat" in told.error
    assert len(told.columns) == 20


def test_bad_rows_are_shown_and_saved(shared_engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("a,b\n" + "1,2\n" * 50 + "1,2,3\n" + "4,5\n" * 50)
    assert opened(shared_engine, path).bad_rows == 1
    saved = tmp_path / "set aside.csv"
    page = shared_engine.job(ReadBadRows(save_to=str(saved)), BadRowsPage)
    assert page.total == 1
    assert page.rows[0][1] == 52
    assert "1,2,3" in saved.read_text()
    failed = shared_engine.failure(ReadBadRows(save_to=str(tmp_path / "no" / "x.csv")))
    assert "cannot be written" in failed.sentence


BAD_FILES = {
    "empty": b"",
    "header only": b"a,b,y\n",
    "binary": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_one_sentence_and_the_engine_goes_on(
    shared_engine: Any, flights: Path, tmp_path: Path, name: str
) -> None:
    opened(shared_engine, flights)
    path = tmp_path / f"{name}.csv"
    path.write_bytes(BAD_FILES[name])
    failed = shared_engine.failure(OpenData(paths=[str(path)]))
    assert path.name in failed.sentence
    assert "\n" not in failed.sentence
    assert not failed.cancelled
    # What was open is still open.
    assert shared_engine.job(ReadRows(start=0, stop=1), RowsPage).cells


def test_a_missing_file_is_one_sentence(shared_engine: Any, tmp_path: Path) -> None:
    failed = shared_engine.failure(OpenData(paths=[str(tmp_path / "gone.csv")]))
    assert "gone.csv" in failed.sentence


BAD_COLUMNS = {
    "one class": ("x,y\n" + "1,no\n2,no\n" * 100, "y", "y"),
    "no target": ("x,y\n" + "1,a\n2,b\n" * 100, "z", "z"),
    "all missing": ("x,y\n" + "1,\n2,\n" * 100, "y", "y"),
}


@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_a_target_that_cannot_be_learned_is_one_sentence(
    shared_engine: Any, tmp_path: Path, name: str
) -> None:
    text, target, word = BAD_COLUMNS[name]
    path = tmp_path / "data.csv"
    path.write_text(text)
    opened(shared_engine, path)
    wrong = Experiment(data=DataSpec(path=str(path), target=target))
    for command in (
        TrainModel(experiment=wrong, learner=LearnerSpec("logistic_regression")),
        Deploy(experiment=wrong, session_dir=str(tmp_path / "s")),
    ):
        failed = shared_engine.failure(command)
        assert word in failed.sentence
        assert "mistake" not in failed.sentence
    assert word in shared_engine.job(ProfileData(experiment=wrong), ProfileSummary).error


def test_odd_columns_are_no_obstacle(shared_engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    lines = [f"{i % 7},{i % 5},,{'ab'[i % 2]}" for i in range(400)]
    path.write_text("x,x,empty,y\n" + "\n".join(lines) + "\n")
    found = opened(shared_engine, path)
    assert len({column.name for column in found.columns}) == 4
    assert found.warnings
    experiment = Experiment(data=DataSpec(path=str(path), target="y"), split=SplitSpec(train=200))
    deployed(shared_engine, experiment, tmp_path / "s")
    assert played_out(shared_engine).position == 400


# ---------------------------------------------------------------- training


def test_trains_and_tests(shared_engine: Any, experiment: Experiment) -> None:
    opened(shared_engine, Path(experiment.data.paths[0]))
    command = TrainModel(experiment=experiment, learner=LearnerSpec("decision_tree"))
    found = shared_engine.job(command, TrainingResult)
    assert found.title == "Decision tree"
    assert 0 < found.rows <= 1600
    assert found.report["rows"] == 400


def test_a_training_is_given_up_at_once(shared_engine: Any, experiment: Experiment) -> None:
    opened(shared_engine, Path(experiment.data.paths[0]))
    slow = LearnerSpec("random_forest", None, {"n_estimators": 2000})
    number = shared_engine.client.send(TrainModel(experiment=experiment, learner=slow))
    shared_engine.wait(lambda: any(p.id == number for p in shared_engine.progress))
    shared_engine.client.send(CancelJob(job=number))
    ended = shared_engine.finish(number)
    assert isinstance(ended, JobFailed)
    assert ended.cancelled
    # The next training finds a new process, and is given up before it has begun.
    number = shared_engine.client.send(TrainModel(experiment=experiment, learner=slow))
    shared_engine.client.send(CancelJob(job=number))
    assert shared_engine.finish(number).cancelled
    # No answer of those is taken for this one's.
    quick = TrainModel(experiment=experiment, learner=LearnerSpec("naive_bayes"))
    assert shared_engine.job(quick, TrainingResult).title == "Naive Bayes"


def test_a_training_that_cannot_be_is_one_sentence(
    shared_engine: Any, experiment: Experiment
) -> None:
    opened(shared_engine, Path(experiment.data.paths[0]))
    failed = shared_engine.failure(
        TrainModel(experiment=experiment, learner=LearnerSpec("logistic_regresion"))
    )
    assert "logistic_regression" in failed.sentence
