"""A linear learner looked at in the middle of a run is what a run up to there leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modellab.learners.base import Inputs, Prediction, Task, looks_back
from modellab.learners.linear import LinearLearner

TWO = Task("classification", ("no", "yes"))
THREE = Task("classification", ("a", "b", "c"))
NUMBER = Task("regression")
CASES: list[tuple[Task, dict[str, Any]]] = [
    (TWO, {}),
    (TWO, {"scale": "none", "track_rates": False}),
    (TWO, {"loss": "modified_huber", "schedule": "optimal"}),
    (TWO, {"loss": "hinge", "schedule": "invscaling"}),
    (TWO, {"average": True, "learning_rate": 0.5}),
    (THREE, {"multiclass": "softmax"}),
    (THREE, {"learning_rate": 5.0}),
    (NUMBER, {"loss": "squared", "target": "standardise"}),
]
N = 2600  # more than the loop writes the answers of in one go
AT = (1, 2, 77, 1000, 2048, 2049, 2600)


def learner(task: Task, params: dict[str, Any]) -> LinearLearner:
    made = LinearLearner(Inputs(tuple("abcdefghij"), task), params)
    rows, y = stream(task, 50, 1)
    made.fit(rows, y)
    return made


def stream(task: Task, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 10)) * np.geomspace(0.1, 40.0, 10)
    value = rows.sum(axis=1) + 5.0 * rng.normal(size=n)
    if task.kind == "regression":
        return rows, value
    return rows, np.digitize(value, [0.0] if task is TWO else [-20.0, 20.0])


def same(a: Prediction, b: Prediction) -> bool:
    if a.value.tobytes() != b.value.tobytes() or (a.proba is None) != (b.proba is None):
        return False
    return a.proba is None or b.proba is None or a.proba.tobytes() == b.proba.tobytes()


@pytest.mark.parametrize(("task", "params"), CASES, ids=str)
def test_a_look_is_what_a_shorter_run_leaves(task: Task, params: dict[str, Any]) -> None:
    rows, y = stream(task, N, 2)
    rows[500, 3], rows[1500] = np.nan, 1e30  # not learned; and scores that are far out
    asked = stream(task, 30, 3)[0]
    looked, stepped = learner(task, params), learner(task, params)
    assert looks_back(looked)
    predicted, updates, looks = looked.run_looked(rows, y, np.array(AT), 1)
    assert len(predicted) == N
    assert len(looks) == len(AT)
    at = made = 0
    for upto, look in zip(AT, looks, strict=True):
        n = upto - at
        part, more = stepped.run(
            rows[at:upto], rows[at:upto], y[at:upto], np.arange(1, n + 1), 1, 1, False
        )
        assert same(part, predicted[at:upto])
        assert look.parameters() == stepped.parameters()
        assert same(look.predict(asked), stepped.predict(asked))
        at, made = upto, made + more
    assert updates == made == N - 1
    assert looked.state() == stepped.state()


def test_a_look_stays_what_it_was() -> None:
    rows, y = stream(TWO, 400, 4)
    model = learner(TWO, {"schedule": "invscaling"})
    _, _, (look,) = model.run_looked(rows, y, np.array([200]), 1)
    before, said = look.parameters(), look.predict(rows)
    model.set("learning_rate", 0.7)
    model.set("track_rates", False)
    model.run_looked(rows, y, np.array([], np.int64), 1)
    model.fit(rows[:9], y[:9])
    assert look.parameters() == before != model.parameters()
    assert same(look.predict(rows), said)


def test_rows_that_wait_are_learned_with_the_first() -> None:
    rows, y = stream(TWO, 300, 5)
    looked, stepped = learner(TWO, {}), learner(TWO, {})
    for model in (looked, stepped):
        model.run(rows[:7], rows[:7], y[:7], np.arange(1, 8), 100, 1, False)
    own, labels = rows[7:], y[7:]
    predicted, updates, _ = looked.run_looked(own, labels, np.array([293]), 4)
    part, more = stepped.run(own, own, labels, np.arange(1, 294), 1, 4, False)
    assert same(part, predicted)
    assert updates == more == 2 + 292
    assert looked.state() == stepped.state()


@pytest.mark.parametrize("at", [[0], [5, 5], [7, 3], [11]])
def test_looks_out_of_place_are_refused(at: list[int]) -> None:
    rows, y = stream(TWO, 10, 6)
    with pytest.raises(ValueError, match="looks"):
        learner(TWO, {}).run_looked(rows, y, np.array(at), 1)


def test_sparse_rows_are_learned_without_looks() -> None:
    sparse = LinearLearner(Inputs(("a", "b"), TWO, sparse_from=1), {"track_rates": False})
    assert not looks_back(sparse)
    with pytest.raises(TypeError, match="sparse"):
        sparse.run_looked(np.zeros((1, 2)), np.zeros(1), np.array([1]), 1)
    assert not looks_back(object())
