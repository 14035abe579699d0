"""The baselines: exact with late labels, whatever the cut."""

from __future__ import annotations

import csv
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.errors import LearnerError
from modellab.experiment import LearnerSpec
from modellab.learners.base import Inputs, Learner, PrequentialLearner, Task, looks_back
from modellab.learners.catalogue import build, entry

CLASSES = ("a", "b", "c")
KINDS = ["majority_class", "no_change", "running_mean", "last_value"]


def make(kind):
    task = entry(kind).tasks[0]
    classes = CLASSES if task == "classification" else ()
    return build(LearnerSpec(kind), Inputs(("x",), Task(task, classes, "y"), 0))


def labels_for(kind, values):
    if entry(kind).tasks[0] == "classification":
        return np.array(values, dtype=np.int64)
    return np.array(values, dtype=np.float64) * 1.7 - 0.3


def by_hand(kind, known):
    """What a baseline says when these labels are known."""
    if not len(known):
        return -1 if kind in ("majority_class", "no_change") else np.nan
    if kind == "majority_class":
        seen = list(dict.fromkeys(known.tolist()))
        return max(seen, key=known.tolist().count)  # of equally frequent ones, the first seen
    if kind == "running_mean":
        total = 0.0
        for value in known:
            total += value
        return total / len(known)
    return known[-1]


@pytest.mark.parametrize("kind", KINDS)
@given(
    train=st.lists(st.integers(0, 2), max_size=6),
    stream=st.lists(st.integers(0, 2), min_size=1, max_size=40),
    delay=st.integers(0, 9),
    cuts=st.lists(st.integers(1, 39), max_size=4, unique=True),
    every=st.integers(1, 5),
)
def test_exact_with_late_labels_and_any_cut(kind, train, stream, delay, cuts, every):
    before, y = labels_for(kind, train), labels_for(kind, stream)
    n = len(y)
    learner = make(kind)
    assert isinstance(learner, Learner)
    assert isinstance(learner, PrequentialLearner)
    if train:
        learner.fit(np.zeros((len(before), 1)), before)
    known = np.clip(np.arange(1, n + 1) - delay, 0, None)
    edges = [0, *sorted(c for c in cuts if c < n), n]
    found, updates, taken = [], 0, 0
    for a, b in itertools.pairwise(edges):
        end = int(known[b - 1])
        rows = np.zeros((b - a, 1))
        prediction, count = learner.run(
            rows, np.zeros((end - taken, 1)), y[taken:end], known[a:b] - taken, every, 1, False
        )
        updates += count
        taken = end
        found.append(prediction.value)
        other = make(kind)  # half-way states carry on in another learner
        other.load_state(learner.state())
        learner = other
    wanted = [by_hand(kind, np.concatenate([before, y[: max(0, i - delay)]])) for i in range(n)]
    assert np.array_equal(np.concatenate(found), np.array(wanted), equal_nan=True)
    assert updates == int(known[-1])


@given(
    train=st.lists(st.integers(0, 1), max_size=6),
    stream=st.lists(st.integers(0, 1), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 59), max_size=3, unique=True),
    delay=st.sampled_from([0, 0, 1]),
)
def test_two_classes_to_the_bit(train, stream, cuts, delay):
    """With labels that are known at once, as most are, and late ones; ties go to the first seen."""
    task = Task("classification", ("a", "b"), "y")
    learner = build(LearnerSpec("majority_class"), Inputs(("x",), task, 0))
    before, y = np.array(train, np.int64), np.array(stream, np.int64)
    if train:
        learner.fit(np.zeros((len(before), 1)), before)
    edges = [0, *sorted(c for c in cuts if c < len(y)), len(y)]
    value, proba, taken = [], [], 0
    for a, b in itertools.pairwise(edges):
        upto = np.maximum(np.arange(a + 1, b + 1) - delay, 0)
        labels = y[taken : upto[-1]]
        found, _ = learner.run(np.zeros((b - a, 1)), labels, labels, upto - taken, 1, 1, False)
        taken = int(upto[-1])
        value += found.value.tolist()
        proba += found.proba.tolist()
    for i in range(len(y)):
        known = np.concatenate([before, y[: max(0, i - delay)]])
        assert value[i] == by_hand("majority_class", known)
        shares = [(known == c).sum() / len(known) if len(known) else np.nan for c in (0, 1)]
        assert np.array_equal(proba[i], shares, equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_learn_and_predict_by_hand_is_the_same(kind):
    y = labels_for(kind, [2, 0, 0, 1, 1, 1, 2])
    one, other = make(kind), make(kind)
    run = one.run(np.zeros((7, 1)), np.zeros((7, 1)), y, np.arange(1, 8), 1, 1, False)[0]
    for i in range(7):
        alone = other.predict(np.zeros((1, 1)))
        assert np.array_equal(alone.value[0], run.value[i], equal_nan=True)
        if run.proba is not None:
            assert np.array_equal(alone.proba[0], run.proba[i], equal_nan=True)
        assert other.learn(np.zeros((1, 1)), y[i : i + 1]) == 1
    assert one.state() == other.state()
    assert one.parameters() == other.parameters()
    third = make(kind)
    third.fit_chunks(lambda: ((None, y[i : i + 2]) for i in range(0, 7, 2)), 5)
    assert third.state() == one.state()
    assert one.size_bytes() == len(one.state())


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_stays_as_it_is(kind):
    learner = make(kind)
    learner.fit(None, labels_for(kind, [1, 1, 0]))
    before = learner.state()
    y = labels_for(kind, [2] * 20)
    rows = np.zeros((20, 1))
    prediction, updates = learner.run(rows, rows, y, np.arange(1, 21), 1, 1, True)
    assert updates == 0
    assert learner.state() == before
    assert len(set(prediction.value.tolist())) == 1


def test_probabilities_of_the_majority_are_shares():
    learner = make("majority_class")
    learner.fit(None, np.array([0, 2, 2, 1]))
    assert learner.predict(np.zeros((2, 1))).proba.tolist() == [[0.25, 0.25, 0.5]] * 2
    assert learner.parameters() == {"share of a": 0.25, "share of b": 0.25, "share of c": 0.5}
    assert make("no_change").predict(np.zeros((2, 1))).proba is None


def test_no_settings():
    for kind in KINDS:
        with pytest.raises(LearnerError, match="no setting"):
            make(kind).set("learning_rate", 0.1)
        given = Inputs(("x",), Task(entry(kind).tasks[0], CLASSES, "y"), 0)
        with pytest.raises(LearnerError, match="no setting called “window”"):
            build(LearnerSpec(kind, params={"window": 5}), given)


def test_electricity_from_a_cold_start(electricity):
    """57.53 % and 85.33 % (Zliobaite 2013; river's dummy models), the first row unanswered."""
    from river import dummy

    with electricity.open(newline="") as file:
        texts = [row["class"] for row in csv.DictReader(file)]
    y = np.array([("DOWN", "UP").index(t) for t in texts])
    rows = np.zeros((len(y), 1))
    for kind, wanted, own in (
        ("majority_class", 57.53, dummy.PriorClassifier()),
        ("no_change", 85.33, dummy.NoChangeClassifier()),
    ):
        learner = build(LearnerSpec(kind), Inputs(("x",), Task("classification", ("D", "U"), "y")))
        value = learner.run(rows, rows, y, np.arange(1, len(y) + 1), 1, 1, False)[0].value
        assert value[0] == -1
        assert (value[1:] >= 0).all()
        right = value == y
        assert round(100 * right[1:].mean(), 2) == wanted
        assert round(100 * right.mean(), 2) == wanted
        for i in range(2000):
            said = own.predict_one({})
            assert value[i] == (-1 if said is None else said)
            own.learn_one({}, int(y[i]))


@pytest.mark.parametrize("kind", KINDS)
@given(
    train=st.lists(st.integers(0, 2), max_size=6),
    stream=st.lists(st.integers(0, 2), min_size=1, max_size=40),
    data=st.data(),
)
def test_looks_show_what_it_was_after_so_many_rows(kind, train, stream, data):
    y = labels_for(kind, stream)
    n = len(y)
    at = sorted(data.draw(st.sets(st.integers(1, n))))
    whole, cut = make(kind), make(kind)
    for learner in (whole, cut):
        learner._take(labels_for(kind, train))
    assert looks_back(whole)
    rows = np.zeros((n, 1))
    predicted, updates, looks = whole.run_looked(rows, y, np.array(at, dtype=np.int64), 1)
    assert updates == n
    done = 0
    for end, look in zip(at, looks, strict=True):
        part, _ = cut.run(
            rows[done:end], rows[done:end], y[done:end], np.arange(1, end - done + 1), 1, 1, False
        )
        np.testing.assert_array_equal(part.value, predicted.value[done:end])
        assert look.parameters() == cut.parameters()
        assert look.state() == cut.state()
        np.testing.assert_array_equal(look.predict(rows).value, cut.predict(rows).value)
        done = end
