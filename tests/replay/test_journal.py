"""A journal that comes with an experiment: followed whole, or refused before the training."""

from __future__ import annotations

from typing import Any

import pytest

from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.errors import ExperimentError
from modellab.experiment import (
    Experiment,
    Intervention,
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
from modellab.replay.replay import Replay

ONLINE = LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear"))
WEEKLY = LaneSpec("Weekly", ScheduledPolicy(every=300, test_rows=100), LearnerSpec("naive_bayes"))


@pytest.fixture(scope="module")
def store(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset(experiment.data.paths, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def small(experiment: Experiment) -> Experiment:
    return replace(  # type: ignore[no-any-return]
        experiment, lane=[ONLINE, WEEKLY], replay=ReplaySpec(limit=900), intervention=[]
    )


def done(experiment: Experiment, store: Store) -> Replay:
    made = Replay(experiment, store, checkpoints=False)
    made.prepare()
    made.advance(made.stop)
    return made


@pytest.mark.parametrize(
    ("lane", "changes", "words"),
    [
        ("Online", {"learning_rte": 0.1}, "did you mean “learning_rate”"),
        ("Online", {"learning_rate": -1.0}, "learning_rate must be between"),
        ("Online", {"every": 2.5}, "every is 2.5, but must be a whole number"),
        ("Weekly", {"every": -5}, "every is -5, but must be at least 1"),
        ("Weekly", {"delay": "soon"}, "delay “soon” is not understood"),
        ("Weekly", {"var_smoothing": 0.1}, "cannot be changed while it runs"),
    ],
)
def test_a_change_that_cannot_be_made_is_told_before_the_replay(
    small: Experiment, store: Store, lane: str, changes: dict[str, Any], words: str
) -> None:
    wrong = replace(small, intervention=[Intervention(2000, lane, changes)])
    with pytest.raises(ExperimentError, match=words) as caught:
        Replay(wrong, store)
    assert caught.value.sentence.startswith(
        f"The intervention at row 2,000 in lane “{lane}” cannot be done: "
    )


def test_a_forks_changes_are_tried_too(small: Experiment, store: Store) -> None:
    journal = [
        Intervention(2000, "Online", fork="A"),
        Intervention(2100, "A", fork="B"),
        Intervention(2100, "B", {"every": 0}),
    ]
    with pytest.raises(ExperimentError, match=r"in lane “B” cannot be done: every is 0"):
        Replay(replace(small, intervention=journal), store)


@pytest.mark.parametrize(
    "made",
    [
        Intervention(2000, "Onlin", {"every": 2}),
        Intervention(2000, "Onlin", fork="Fork"),
        Intervention(2000, "Online", fork="Static"),
        Intervention(2000, "Majority class", {"frozen": True}),
    ],
)
def test_lanes_that_the_default_ones_are_not_are_told(
    small: Experiment, store: Store, made: Intervention
) -> None:
    with pytest.raises(ExperimentError, match=r"does not have|a name of its own"):
        Replay(replace(small, lane=[], intervention=[made]), store)


def test_a_fork_may_be_called_as_a_baseline_is(small: Experiment, store: Store) -> None:
    position = Replay(small, store).train_rows + 200
    made = Intervention(position, "Online", fork="No change")
    replay = done(replace(small, intervention=[made]), store)
    assert replay.names() == [
        "Online", "Weekly", "Majority class", "No change (baseline)", "No change",
    ]  # fmt: skip
    lanes = replay.lanes()
    assert lanes["No change"].spec.learner == ONLINE.learner
    assert lanes["No change (baseline)"].baseline


def test_a_baseline_stays_as_it_is(small: Experiment, store: Store) -> None:
    replay = Replay(small, store)
    replay.prepare()
    with pytest.raises(ExperimentError, match="is a baseline: it stays as it is"):
        replay.intervene("No change", {"frozen": True})
    with pytest.raises(ExperimentError, match="is a baseline"):
        replay.fork("No change", "Mine")
    assert replay.journal == []


def test_of_several_changes_all_are_made_or_none(small: Experiment, store: Store) -> None:
    plain = done(small, store)
    replay = Replay(small, store, checkpoints=False)
    replay.prepare()
    half = Intervention(replay.train_rows + 300, "Online", {"every": 7, "learning_rte": 0.5})
    # What `Replay` would have refused at its start comes to the lane some other way.
    replay.hosts[0].lanes["Online"].journal.append(half)  # type: ignore[union-attr]
    replay.advance(replay.stop)
    event = next(e for n, e in replay.events() if n == "Online" and e.kind == "warning")
    assert event.position == half.position
    assert event.text.startswith("Not changed: ")
    assert replay.lanes()["Online"].settings["every"] == 1
    assert replay.lanes()["Online"].cumulative == plain.lanes()["Online"].cumulative


# -- a cold start


@pytest.mark.parametrize("learner", ["linear", "hoeffding_tree", "naive_bayes"])
def test_nobody_answers_before_a_model_is_trained(
    small: Experiment, store: Store, learner: str
) -> None:
    lanes = [
        LaneSpec("Never", StaticPolicy(), LearnerSpec(learner)),
        LaneSpec("Later", ScheduledPolicy(every=400), LearnerSpec(learner)),
    ]
    replay = Replay(replace(small, split=SplitSpec(train=0), lane=lanes), store)
    replay.prepare()
    replay.advance(400)
    states = replay.lanes()
    assert states["Never"].cumulative is None
    assert states["Later"].cumulative is None
    replay.advance(500)
    states = replay.lanes()
    assert states["Never"].cumulative is None
    assert states["Later"].cumulative is not None
    told = [(name, e.kind, e.text) for name, e in replay.events()]
    assert told[0] == (
        "Never",
        "warning",
        "There is no training window, so this lane has no model and gives no answer.",
    )
    # There was nothing to compare the first model with.
    first = next(e for name, e in replay.events() if e.kind == "retrain")
    assert first.values["old_error"] is None


def test_retrains_out_of_core_need_a_learner_that_can(small: Experiment, store: Store) -> None:
    lane = LaneSpec("Forest", ScheduledPolicy(every=100), LearnerSpec("random_forest"))
    cold = replace(small, split=SplitSpec(train=0), training=TrainSpec(mode="chunks"), lane=[lane])
    with pytest.raises(ExperimentError, match="cannot be trained out of core"):
        Replay(cold, store)


def test_what_a_training_warns_of_is_an_event(small: Experiment, store: Store) -> None:
    hasty = LearnerSpec("logistic_regression", None, {"max_iter": 1})
    replay = Replay(replace(small, lane=[LaneSpec("Hasty", StaticPolicy(), hasty)]), store)
    replay.prepare()
    name, event = replay.events()[0]
    assert (name, event.kind, event.position) == ("Hasty", "warning", replay.train_rows)
    assert "Logistic regression" in event.text
