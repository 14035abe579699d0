"""The replay on real flights: what it refuses, what it leaves alone, and how it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.errors import ExperimentError, LabError, LearnerError
from modellab.experiment import (
    Experiment,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
    TrainSpec,
    replace,
)
from modellab.learners.catalogue import build
from modellab.policies.base import NEVER
from modellab.replay.context import Context, build_context
from modellab.replay.hosts import RemoteHost
from modellab.replay.replay import Replay
from modellab.replay.training import train_and_test

ONLINE = LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear"))
STATIC = LaneSpec("Static", StaticPolicy(), LearnerSpec("logistic_regression"))


@pytest.fixture(scope="module")
def store(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset(experiment.data.paths, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def small(experiment: Experiment) -> Experiment:
    return replace(  # type: ignore[no-any-return]
        experiment, lane=[STATIC, ONLINE], replay=ReplaySpec(limit=1500), intervention=[]
    )


@pytest.fixture
def context(small: Experiment, store: Store) -> Context:
    return build_context(small, store)


# -- the context


def test_a_span_ends_at_the_first_row_that_late(context: Context) -> None:
    times = context.stream.times(0, context.n_rows)
    assert times is not None
    day = 86_400 * 10**9
    found = context.position_at(100, 0, day)
    assert times[found] >= times[100] + day
    assert times[found - 1] < times[100] + day
    assert context.position_at(100, 7, 0) == 107
    assert context.position_at(context.n_rows - 1, 0, day) == NEVER


def test_a_span_without_a_time_column_is_told(small: Experiment, store: Store) -> None:
    data = replace(small.data, time=None, ignore=[*small.data.ignore, "time"])
    weekly = LaneSpec("Weekly", ScheduledPolicy(every="7d"), STATIC.learner)
    replay = Replay(replace(small, data=data, lane=[weekly]), store)
    with pytest.raises(ExperimentError, match="no column is the time"):
        replay.prepare()


def test_a_fit_beyond_the_memory_budget_is_refused_with_what_to_do(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELLAB_MEMORY_BUDGET", "10000")
    with pytest.raises(LearnerError, match=r"memory budget.*in chunks.*sample"):
        context.fit(context.build(STATIC.learner), 0, context.train_rows)


def test_a_sample_is_evenly_spaced_and_fits_the_budget(
    small: Experiment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled = build_context(replace(small, training=TrainSpec(sample_rows=50)), store)
    monkeypatch.setenv("MODELLAB_MEMORY_BUDGET", "100000")
    assert sampled.fit(sampled.build(STATIC.learner), 0, sampled.train_rows) == 50


def test_chunks_need_a_learner_that_can(small: Experiment, store: Store) -> None:
    chunked = replace(small, training=TrainSpec(mode="chunks", chunk_rows=300, passes=2))
    with pytest.raises(ExperimentError, match="cannot be trained out of core"):
        Replay(chunked, store)
    linear = replace(chunked, lane=[LaneSpec("SGD", StaticPolicy(), LearnerSpec("linear_sgd"))])
    replay = Replay(linear, store)
    replay.prepare()
    replay.advance(replay.stop)
    state = replay.lanes(metrics=True)["SGD"]
    assert state.metrics is not None
    assert state.metrics["cumulative"]["accuracy"] > 0.6  # type: ignore[operator]


def test_the_loss_of_a_model_is_its_share_of_errors(context: Context) -> None:
    learner = context.build(STATIC.learner)
    context.fit(learner, 0, 900)
    y = context.stream.labels(900, 1400)
    value = learner.predict(context.stream.rows(learner.view, 900, 1400)).value
    assert context.loss(learner, 900, 1400) == pytest.approx(float(np.mean(value != y)))


def test_no_rows_to_replay_is_told(small: Experiment, store: Store) -> None:
    whole = replace(small, split=SplitSpec(train=store.n_rows - 1))
    assert Replay(whole, store).stop == store.n_rows
    with pytest.raises(LabError):
        Replay(replace(small, split=SplitSpec(train=store.n_rows)), store)


# -- what a person does


@pytest.fixture
def replay(small: Experiment, store: Store) -> Replay:
    made = Replay(small, store)
    made.prepare()
    made.advance(made.train_rows + 300)
    return made


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": -1.0},
        {"learning_rate": 0.5, "every": 0},
        {"no_such_thing": 1},
        {"frozen": "perhaps"},
    ],
)
def test_a_refused_change_changes_nothing(replay: Replay, changes: dict[str, Any]) -> None:
    before = replay.lanes()["Online"].settings
    with pytest.raises(LabError):
        replay.intervene("Online", changes)
    assert replay.lanes()["Online"].settings == before
    assert replay.journal == []
    replay.advance(replay.stop)


def test_lanes_and_forks_have_names_of_their_own(replay: Replay) -> None:
    with pytest.raises(ExperimentError, match="no lane called"):
        replay.intervene("Nobody", {"learning_rate": 0.1})
    replay.fork("Online", "Fork")
    for name in ("Fork", "Static", " "):
        with pytest.raises(ExperimentError):
            replay.fork("Online", name)
    with pytest.raises(ExperimentError, match="already a lane"):
        replay.add_lane(ONLINE)
    with pytest.raises(ExperimentError, match="its fork"):
        replay.remove_lane("Online")
    replay.remove_lane("Fork")
    replay.remove_lane("Online")
    assert replay.names() == ["Static", "Majority class", "No change"]
    replay.advance(replay.stop)


def test_a_fork_with_settings_that_are_refused_leaves_nothing(replay: Replay) -> None:
    with pytest.raises(LabError):
        replay.fork("Online", "Bold", {"learning_rate": "fast"})
    assert "Bold" not in replay.names()
    assert replay.journal == []


def test_a_lane_that_cannot_be_trained_is_not_there(replay: Replay) -> None:
    names = replay.names()
    wrong = LaneSpec("Wrong", OnlinePolicy(), LearnerSpec("random_forest"))
    with pytest.raises(ExperimentError, match="cannot learn online"):
        replay.add_lane(wrong)
    assert replay.names() == names


def test_going_back_without_checkpoints_is_told(small: Experiment, store: Store) -> None:
    plain = Replay(small, store, checkpoints=False)
    plain.prepare()
    plain.advance(plain.train_rows + 10)
    with pytest.raises(ExperimentError, match="no checkpoints"):
        plain.seek(plain.train_rows)


def test_changing_the_past_changes_the_future(replay: Replay) -> None:
    replay.advance(replay.stop)
    undisturbed = replay.lanes()["Online"].cumulative
    replay.seek(replay.train_rows + 100)
    replay.intervene("Online", {"learning_rate": 1.0})
    replay.advance(replay.stop)
    disturbed = replay.lanes()["Online"].cumulative
    assert disturbed != undisturbed
    replay.seek(replay.train_rows)
    replay.advance(replay.stop)
    assert replay.lanes()["Online"].cumulative == disturbed


def test_events_tell_the_cycle_and_what_was_done(small: Experiment, store: Store) -> None:
    weekly = LaneSpec("Weekly", ScheduledPolicy(every=400, test_rows=100), STATIC.learner)
    made = Replay(replace(small, lane=[weekly, ONLINE]), store)
    made.prepare()
    made.advance(made.train_rows + 500)
    made.intervene("Online", {"learning_rate": 0.2})
    made.advance(made.stop)
    events = made.events()
    positions = [event.position for _, event in events]
    assert positions == sorted(positions)
    kinds = {(name, event.kind) for name, event in events}
    assert ("Online", "intervention") in kinds
    assert kinds & {("Weekly", "retrain"), ("Weekly", "reject")}
    cycle = [e for name, e in events if name == "Weekly" and e.kind in ("retrain", "reject")]
    assert [e.position for e in cycle] == [made.train_rows + 400 * k for k in (1, 2, 3)]
    for event in cycle:
        values = event.values
        assert values["last_row"] + values["test_rows"] == event.position
        assert values["deployed"] == (values["new_error"] <= values["old_error"])


def test_a_lane_process_that_dies_is_told(small: Experiment, store: Store) -> None:
    tree = LaneSpec("Tree", OnlinePolicy(), LearnerSpec("hoeffding_tree"))
    made = Replay(replace(small, lane=[ONLINE, tree]), store, workers=2)
    try:
        made.prepare()
        remote = made.hosts[1]
        assert isinstance(remote, RemoteHost)
        made.advance(made.train_rows + 50)
        remote.process.kill()
        with pytest.raises(LabError, match="ended unexpectedly"):
            made.advance(made.stop)
    finally:
        made.close()


# -- training


def test_a_training_is_tested_on_rows_it_has_not_seen(small: Experiment, store: Store) -> None:
    result = train_and_test(small, store, STATIC.learner)
    context = build_context(small, store)
    cut = context.train_rows - context.dataset.test_rows
    assert result.rows == cut
    assert result.title == "Logistic regression"
    assert result.fit_seconds > 0
    again = train_and_test(small, store, STATIC.learner)
    assert again.report["scores"] == result.report["scores"]


def test_what_cannot_be_trained_is_told_without_a_lane(small: Experiment, store: Store) -> None:
    cold = replace(small, split=SplitSpec(train=0))
    with pytest.raises(ExperimentError, match="cold start"):
        train_and_test(cold, store, STATIC.learner)
    chunked = replace(small, training=TrainSpec(mode="chunks"))
    with pytest.raises(ExperimentError, match=r"^Random forest cannot be trained out of core"):
        train_and_test(chunked, store, LearnerSpec("random_forest"))
    with pytest.raises(LabError):
        build(
            LearnerSpec("ridge", params={"alpha": "much"}),
            build_context(small, store).inputs("scaled"),
        )


def test_a_cold_start_begins_without_an_answer(
    small: Experiment, store: Store, tmp_path: Path
) -> None:
    cold = replace(small, split=SplitSpec(train=0))
    made = Replay(cold, store, session_dir=tmp_path)
    made.prepare()
    made.advance(200)
    lanes = made.lanes(metrics=True)
    assert lanes["Static"].error is None  # never trained: it has nothing to say
    assert lanes["No change"].error is not None
    assert lanes["Online"].counters["updates"] == 200
