"""Compiled row learners behind the protocol: every kind, from the catalogue's line."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from modellab.errors import LearnerError
from modellab.experiment import LearnerSpec
from modellab.learners.base import Inputs, Learner, PrequentialLearner, Task
from modellab.learners.catalogue import CATALOGUE, build, parameters_for
from modellab.learners.row_learner import RowLearner

KINDS = [
    (e.kind, task)
    for e in CATALOGUE.values()
    if e.family == "compiled" and e.kind != "linear"
    for task in e.tasks
]
# Counts of words, and ratings, are other data than these: see their own tests.
OTHER_DATA = ("compiled_multinomial_bayes", "compiled_matrix_factorisation")
NAMES = ("a", "b", "c")


def stream(task, n=1500, seed=0, classes=3):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.normal(size=n) * 50, rng.integers(-1, 4, n)])
    x = np.ascontiguousarray(x, float)
    if task == "regression":
        return x, 10 * x[:, 0] + (x[:, 2] > 1) * 5 + rng.normal(size=n)
    return x, np.minimum((x[:, 0] > 0).astype(np.int64) + (x[:, 2] > 2), classes - 1)


def make(kind, task, classes=3, seed=4, **params):
    names = tuple("pqrs"[:classes]) if task == "classification" else ()
    inputs = Inputs(NAMES, Task(task, names, "y"), seed, codes=(0, 0, 4))
    return build(LearnerSpec(kind, params=params), inputs)


def fast(kind):
    """Settings with which little trees split within a short stream."""
    names = {p.name for p in CATALOGUE[kind].parameters}
    wanted = {"grace_period": 50, "delta": 0.01, "tau": 0.2, "window": 200}
    return {name: value for name, value in wanted.items() if name in names}


def arrivals(n, lag):
    return np.maximum(np.arange(1, n + 1) - lag, 0)


def run(learner, x, y, cuts=(), lag=0, every=1):
    """Predictions and the number of updates, cut into calls; labels arrive `lag` rows late."""
    n = len(y)
    upto = arrivals(n, lag)
    edges = [0, *cuts, n]
    value, proba, updates = [], [], 0
    for a, b in itertools.pairwise(edges):
        known = int(upto[a - 1]) if a else 0
        ends = upto[a:b] - known
        rows = x[a:b]
        arriving = x[known : upto[b - 1]] if b > a else x[:0]
        if lag == 0:
            arriving = rows
        found, made = learner.run(
            rows, arriving, y[known : known + len(arriving)], ends, every, 1, False
        )
        value.append(found.value)
        proba.append(found.value if found.proba is None else found.proba)
        updates += made
    return np.concatenate(value), np.concatenate(proba), updates


@pytest.mark.parametrize(("kind", "task"), [k for k in KINDS if k[0] not in OTHER_DATA])
def test_it_learns_and_beats_the_baseline(kind, task):
    x, y = stream(task)
    learner = make(kind, task, **fast(kind))
    assert isinstance(learner, Learner)
    assert isinstance(learner, PrequentialLearner)
    assert isinstance(learner, RowLearner)
    value, proba, updates = run(learner, x, y)
    assert updates == len(y)
    late = slice(750, None)
    if task == "classification":
        assert value.dtype == np.int64
        assert proba.shape == (len(y), 3)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)
        assert (value == proba.argmax(axis=1)).all()
        assert (value == y)[late].mean() > 0.75
    else:
        assert np.abs(value - y)[late].mean() < 0.6 * np.abs(y - y.mean())[late].mean()
    told = learner.parameters()
    assert told
    assert all(isinstance(v, float) for v in told.values())
    assert 0 < learner.size_bytes() < 50_000_000


@pytest.mark.parametrize(("kind", "task"), KINDS)
@pytest.mark.parametrize(("lag", "every"), [(0, 1), (7, 1), (0, 10), (40, 25)])
def test_the_same_bits_however_it_is_cut(kind, task, lag, every):
    x, y = stream(task, 600)
    one, other = (make(kind, task, **fast(kind)) for _ in range(2))
    expected = run(one, x, y, (), lag, every)
    found = run(other, x, y, (1, 2, 130, 131, 500), lag, every)
    for a, b in zip(expected, found, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert one.state() == other.state()


@pytest.mark.parametrize("seen", ["all classes", "one class"])
@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_the_same_bits_with_missing_cells_and_one_class(kind, task, seen):
    x, y = stream(task, 450)
    rng = np.random.default_rng(3)
    x[rng.random(x.shape) < 0.15] = np.nan
    x[60], x[61, 1], x[62, 0] = np.nan, np.inf, 1e200
    if seen == "one class":
        y = np.full(450, 2 if task == "classification" else 7.5, y.dtype)
    one, other, third = (make(kind, task, **fast(kind)) for _ in range(3))
    expected = run(one, x, y, lag=3)
    found = run(other, x, y, (1, 61, 62, 63, 300), lag=3)
    for a, b in zip(expected, found, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert np.isfinite(expected[0]).all()
    first = run(third, x[:200], y[:200])
    third.load_state(third.state())  # and a restart in mid-stream
    rest = run(third, x[200:], y[200:])
    whole = run(make(kind, task, **fast(kind)), x, y)
    assert np.concatenate([first[1], rest[1]]).tobytes() == whole[1].tobytes()
    assert one.state() == other.state()


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_waiting_rows_travel_with_the_state(kind, task):
    x, y = stream(task, 400)
    one, other = (make(kind, task, **fast(kind)) for _ in range(2))
    run(one, x[:215], y[:215], every=50)
    other.load_state(one.state())
    a, b = (run(m, x[215:], y[215:], every=50) for m in (one, other))
    assert a[1].tobytes() == b[1].tobytes()
    assert a[2] == 200
    assert one.state() == other.state()


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_frozen_learns_nothing(kind, task):
    x, y = stream(task, 300)
    learner = make(kind, task, **fast(kind))
    learner.fit(x[:200], y[:200])
    before = learner.state()
    prediction, updates = learner.run(x, x, y, arrivals(300, 0), 1, 1, True)
    assert updates == 0
    assert learner.state() == before
    assert (prediction.value == learner.predict(x).value).all()


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_fit_in_chunks_is_fit(kind, task):
    x, y = stream(task, 500)
    whole, chunks = (make(kind, task, **fast(kind)) for _ in range(2))
    whole.learn(x, y)  # forgotten by the fit
    told = []
    whole.fit(x, y, lambda done, total, text="": told.append(done / total))
    assert told[-1] == 1.0
    parts = [(x[a : a + 130], y[a : a + 130]) for a in range(0, 500, 130)]
    chunks.fit_chunks(lambda: parts, 1)
    assert whole.state() == chunks.state()
    chunks.fit_chunks(lambda: parts, 2)
    assert len(chunks.predict(x)) == 500
    with pytest.raises(LearnerError, match="no row with a label"):
        chunks.fit_chunks(list, 1)


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_prediction_never_changes_it(kind, task):
    x, y = stream(task, 300)
    learner = make(kind, task, **fast(kind))
    assert np.isfinite(learner.predict(x).value).all()  # before anything was learned
    learner.fit(x, y)
    before = learner.state()
    a = learner.predict(x)
    b = np.concatenate([learner.predict(x[:7]).value, learner.predict(x[7:]).value])
    assert a.value.tobytes() == b.tobytes()
    assert learner.state() == before
    assert len(learner.predict(x[:0])) == 0


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_one_class_or_one_value_and_missing_cells(kind, task):
    x, y = stream(task, 400)
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    x[5] = np.nan
    constant = np.zeros(400, y.dtype)
    learner = make(kind, task, **fast(kind))
    value, _, _ = run(learner, x, constant)
    assert (value == 0).all()
    other = make(kind, task, **fast(kind))
    value, proba, _ = run(other, x, y)
    assert np.isfinite(value).all()
    assert np.isfinite(proba).all()
    if task == "classification":
        lonely = make(kind, task, classes=1, **fast(kind))
        value, proba, _ = run(lonely, x, constant)
        assert (value == 0).all()
        assert proba.shape == (400, 1)
        assert (proba == 1).all()


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_settings_are_checked_and_live_ones_move(kind, task):
    x, y = stream(task, 400)
    learner = make(kind, task)
    for p in parameters_for(kind, task):
        if not p.live:
            with pytest.raises(LearnerError, match="cannot be changed while it runs"):
                learner.set(p.name, p.default)
            continue
        learner.fit(x, y)
        before = learner.state()
        offered = [*p.choices, p.low, p.high, not p.default]
        other = next(v for v in offered if v is not None and v != p.default)
        learner.set(p.name, other)
        assert learner.settings()[p.name] == other
        learner.set(p.name, "none" if p.default is None else p.default)
        assert learner.state() == before
    with pytest.raises(LearnerError, match="no setting called"):
        learner.set("zzz", 1)
    with pytest.raises(LearnerError, match="no setting called"):
        make(kind, task, zzz=1)


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_states_of_others_are_refused(kind, task):
    x, y = stream(task, 200)
    learner = make(kind, task, **fast(kind))
    learner.fit(x, y)
    before = learner.state()
    names = ("a", "b") if task == "classification" else ()
    narrow = build(LearnerSpec(kind), Inputs(("one",), Task(task, names, "y"), 4))
    for wrong in (b"", b"nonsense", narrow.state()):
        with pytest.raises(LearnerError, match="not the state of a learner"):
            learner.load_state(wrong)
    assert learner.state() == before


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_wrong_shapes_are_refused(kind, task):
    x, y = stream(task, 20)
    learner = make(kind, task)
    with pytest.raises(ValueError, match="columns"):
        learner.predict(x[:, :2])
    with pytest.raises(ValueError, match="do not fit"):
        learner.run(x, x, y[:-1], arrivals(20, 0), 1, 1, False)
    with pytest.raises(ValueError, match="upto"):
        learner.run(x, x, y, arrivals(20, 0)[::-1].copy(), 1, 1, False)
    with pytest.raises(LearnerError, match="at least one feature"):
        build(LearnerSpec(kind), Inputs((), Task(task, ("a", "b"), "y"), 4))


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_damaged_states_are_refused_or_harmless(kind, task):
    """Whatever a disk did to a state: a sentence, or a model that answers; never a crash."""
    x, y = stream(task, 400)
    learner = make(kind, task, **fast(kind))
    run(learner, x, y, every=30)
    good = learner.state()
    rng = np.random.default_rng(9)
    refused = 0
    for _ in range(150):
        bad = bytearray(good)
        for at in rng.integers(0, len(bad), rng.integers(1, 40)):
            bad[at] = rng.integers(0, 256)
        victim = make(kind, task, **fast(kind))
        try:
            victim.load_state(bytes(bad))
        except LearnerError:
            refused += 1
        run(victim, x[:60], y[:60])
    assert refused > 0
