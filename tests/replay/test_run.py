"""The headless replay and its predictions."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from modellab.errors import Cancelled, DataError, ExperimentError, LearnerError
from modellab.experiment import (
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    StaticPolicy,
    replace,
)
from modellab.experiment_file import set_value
from modellab.learners.base import Prediction, Task
from modellab.replay.predictions import GROUP, PredictionFile
from modellab.replay.run import RunProgress, run_experiment

BASE = Path("/")


def test_everything_that_came_of_it_is_there(experiment: Experiment) -> None:
    told: list[RunProgress] = []
    result = run_experiment(experiment, base=BASE, progress=told.append)
    assert (result.rows, result.train_rows, result.stop) == (6000, 2000, 5000)
    assert (result.position, result.interrupted) == (5000, False)
    names = [lane.name for lane in result.lanes]
    assert names[:3] == ["Static", "Retrained", "Online"]
    assert [lane.baseline for lane in result.lanes] == [False] * 3 + [True] * 2
    for lane in result.lanes:
        assert lane.rows == 3000
        assert set(lane.metrics) == {"cumulative", "window", "fading"}
        assert lane.metrics["cumulative"]["accuracy"] is not None
        start = lane.history["error"].start
        assert start[0] == 2000
        assert (np.diff(start) > 0).all()
        assert (lane.history["error"].low <= lane.history["error"].high).all()
        assert len(lane.parameters.positions) == len(lane.parameters.values)
    online, retrained = result.lanes[2], result.lanes[1]
    assert online.updates == 3000
    # At 3,000 and 4,000; at 5,000 the replay is over.
    assert retrained.retrains == 2
    assert {event.kind for _, event in result.events} >= {"retrain"}
    stages = [step.stage for step in told]
    assert stages == sorted(stages, key=["import", "train", "replay"].index)
    assert told[-1].done == told[-1].total == 3000
    assert set(told[-1].lanes or {}) == set(names)


def test_predictions_are_those_that_were_scored(experiment: Experiment, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    result = run_experiment(experiment, base=BASE, predictions=path)
    table = pq.read_table(path).to_pandas()
    assert len(table) == 5 * 3000
    for lane in result.lanes:
        mine = table[table.lane == lane.name]
        assert (mine.position.to_numpy() == np.arange(2000, 5000)).all()
        right = (mine.y_true == mine.y_pred).mean()
        assert right == pytest.approx(lane.metrics["cumulative"]["accuracy"], abs=1e-12)
    online = table[table.lane == "Online"]
    proba = np.array(online.proba.tolist())
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    classes = np.array(["false", "true"])
    assert pq.read_schema(path).metadata[b"classes"] == b'["false", "true"]'
    assert (classes[proba.argmax(axis=1)] == online.y_pred).mean() > 0.999


def test_predictions_of_numbers(experiment: Experiment, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    data = replace(experiment.data, target="arr_delay", ignore=["dep_delay", "late"])
    lane = LaneSpec("Ridge", StaticPolicy(), LearnerSpec("ridge"))
    numbers = replace(experiment, data=data, lane=[lane])
    result = run_experiment(numbers, base=BASE, predictions=path)
    table = pq.read_table(path).to_pandas()
    mine = table[table.lane == "Ridge"]
    assert mine.proba.isna().all()
    error = (mine.y_true - mine.y_pred).abs().mean()
    assert error == pytest.approx(result.lanes[0].metrics["cumulative"]["mae"])
    assert "mae" in result.lanes[0].history


@pytest.mark.parametrize("cut", [1, 7, 1000, 40_000])
def test_a_file_of_predictions_does_not_depend_on_the_pieces(tmp_path: Path, cut: int) -> None:
    task = Task("classification", ("no", "yes"), "y")
    rows, start = 2 * GROUP + 100, GROUP - 50
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, rows)
    proba = rng.random((rows, 2))
    proba[::17] = np.nan
    made = Prediction(rng.integers(0, 2, rows), proba)

    def written(size: int) -> bytes:
        path = tmp_path / f"{size}.parquet"
        file = PredictionFile(path, task, start)
        for at in range(0, rows, size):
            piece = slice(at, at + size)
            one: Any = (start + at, labels[piece], made[piece])
            file.take({"A": [one], "B": [one]})
        file.close()
        return path.read_bytes()

    whole = written(cut)
    assert whole == written(GROUP)
    table = pq.read_table(tmp_path / f"{cut}.parquet")
    assert table.num_rows == 2 * rows
    first = table.slice(0, 1).to_pylist()[0]
    assert first["position"] == start
    assert first["proba"] is None
    assert table["y_true"].null_count == 2 * int((labels < 0).sum())


def test_given_up_in_the_middle_it_tells_what_was_done(
    experiment: Experiment, tmp_path: Path
) -> None:
    cancel = threading.Event()

    def stop(told: RunProgress) -> None:
        if told.stage == "replay":
            cancel.set()

    path = tmp_path / "p.parquet"
    small = set_value(experiment, "replay.chunk_rows=50")
    result = run_experiment(small, base=BASE, progress=stop, cancel=cancel, predictions=path)
    assert result.interrupted
    assert 2000 < result.position < 5000
    assert {lane.rows for lane in result.lanes} == {result.position - 2000}
    assert pq.read_table(path).num_rows == 5 * (result.position - 2000)


def test_given_up_before_the_first_row_there_is_no_result(experiment: Experiment) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        run_experiment(experiment, base=BASE, cancel=cancel)


def test_the_default_lanes_can_be_changed_before_they_start(experiment: Experiment) -> None:
    def changed(complete: Experiment) -> Experiment:
        return set_value(complete, "lane.Online.learner.learning_rate=0.3")

    few = replace(experiment, lane=[], replay=replace(experiment.replay, limit=100))
    result = run_experiment(few, base=BASE, prepared=changed)
    rates = {lane.name: lane.spec.learner.params.get("learning_rate") for lane in result.lanes}
    assert rates["Online"] == 0.3
    assert len(result.experiment.lane) == 5


def test_a_journal_in_the_experiment_is_followed(experiment: Experiment) -> None:
    frozen = Intervention(2100, "Online", {"frozen": True})
    result = run_experiment(replace(experiment, intervention=[frozen]), base=BASE)
    online = result.lanes[2]
    assert online.updates == 100
    assert any(event.kind == "intervention" for lane, event in result.events if lane == "Online")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("data.target=lat", ExperimentError, "late"),
        ("data.path=nowhere.csv", DataError, "nowhere.csv"),
        ("split.train=1000000", ExperimentError, "rows"),
        ("lane.Static.learner.kind=logistic_regresion", LearnerError, "logistic_regression"),
        ("lane.Static.learner.C=-1.0", LearnerError, "C"),
        ("lane.Static.learner.D=1.0", LearnerError, "D"),
        ("lane.Static.policy=online", ExperimentError, "online"),
        ("evaluation.label_delay=2x", ExperimentError, "2x"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    experiment: Experiment, change: str, error: type[Exception], words: str
) -> None:
    with pytest.raises((DataError, ExperimentError, LearnerError), match=words) as caught:
        run_experiment(set_value(experiment, change), base=BASE)
    assert isinstance(caught.value, error)
    assert "\n" not in str(caught.value)
