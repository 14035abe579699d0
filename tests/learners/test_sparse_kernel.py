"""The sparse linear kernel against the dense one (which is checked against other libraries)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.data.sparse import SparseRows, beside
from modellab.data.task import Task
from modellab.errors import LearnerError
from modellab.experiment import LearnerSpec
from modellab.learners.base import Inputs
from modellab.learners.catalogue import build
from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.sparse_kernel import SparseKernel

WIDTH = 40


def rows_of(n: int, seed: int, dense: int = 0) -> tuple[SparseRows, np.ndarray]:
    rng = np.random.default_rng(seed)
    words = rng.random((n, WIDTH - dense)) * (rng.random((n, WIDTH - dense)) < 0.15)
    numbers = rng.normal(3.0, 2.0, (n, dense))
    rows = beside(numbers, [scipy.sparse.csr_matrix(words)])
    return rows, np.hstack([numbers, words])


def kernels(outputs: int, dense: int = 0, **how: Any) -> tuple[SparseKernel, LinearKernel]:
    return SparseKernel(WIDTH, outputs, dense, **how), LinearKernel(WIDTH, outputs, **how)


@pytest.mark.parametrize("schedule", ["constant", "invscaling", "optimal", "adagrad"])
@pytest.mark.parametrize("penalty", ["none", "l2", "l1", "elasticnet"])
@pytest.mark.parametrize(
    ("loss", "outputs"), [("log", 1), ("hinge", 3), ("huber", 1), ("modified_huber", 1)]
)
@pytest.mark.parametrize("batch", [1, 4])
def test_it_learns_what_the_dense_kernel_learns(
    schedule: str, penalty: str, loss: str, outputs: int, batch: int
) -> None:
    if schedule == "adagrad" and penalty != "none":
        pytest.skip("there a penalty acts on the columns of a row only")
    how = {"schedule": schedule, "penalty": penalty, "loss": loss, "learning_rate": 0.3}
    sparse, dense = kernels(outputs, alpha=0.003, **how)
    rows, table = rows_of(400, 1)
    rng = np.random.default_rng(2)
    y = rng.normal(size=400) if loss == "huber" else rng.integers(0, max(2, outputs), 400) * 1.0
    assert sparse.learn(rows, y, batch) == dense.learn(table, y, batch)
    # The first steps of "optimal" are huge; where the slope follows them, so do rounding errors.
    loose = 1e4 if (loss, schedule) == ("modified_huber", "optimal") else 1.0
    near = {"rtol": 1e-9 * loose, "atol": 1e-11 * loose}
    np.testing.assert_allclose(sparse.weights, dense.weights, **near)
    np.testing.assert_allclose(sparse.intercept, dense.intercept, **near)
    np.testing.assert_allclose(sparse.predict(rows), dense.predict(table), **near)
    assert sparse.step_size == pytest.approx(dense.step_size, rel=1e-12)


@pytest.mark.parametrize("every", [1, 7])
def test_numbers_beside_words_are_scaled_online(every: int) -> None:
    """Dense columns are standardised as the dense kernel does; words stay as they are."""
    rows, table = rows_of(300, 3, dense=2)
    y = (np.random.default_rng(4).random(300) < 0.4) * 1.0
    upto = np.arange(1, 301)
    sparse = SparseKernel(WIDTH, 1, 2, scale="online", penalty="none", loss="log")
    got = sparse.run(rows, rows, y, upto, every=every, batch=every)
    # The dense kernel without scaling, fed with columns that were standardised by hand.
    dense = LinearKernel(WIDTH, 1, scale="none", penalty="none", loss="log")
    seen = np.empty((0, 2))
    want = []
    for at in range(0, 300, every):
        part = slice(at, min(at + every, 300))
        mean, std = (seen.mean(0), seen.std(0)) if len(seen) else (np.zeros(2), np.full(2, np.inf))
        ready = table[part].copy()
        ready[:, :2] = (ready[:, :2] - mean) / np.where(std > 0, std, np.inf)
        want.append(dense.predict(ready))
        if part.stop - part.start < every:
            break
        seen = table[: part.stop, :2]
        std = seen.std(0)
        ready = table[part].copy()
        ready[:, :2] = (ready[:, :2] - seen.mean(0)) / np.where(std > 0, std, np.inf)
        dense.learn(ready, y[part], every)
    np.testing.assert_allclose(got, np.concatenate(want), rtol=1e-7, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_split_into_calls_gives_the_same_bits(draw: st.DataObject) -> None:
    n = 60
    rows, _ = rows_of(n, 5, dense=1)
    y = (np.random.default_rng(6).random(n) < 0.5) * 1.0
    y[7] = np.nan  # never learned
    delay = draw.draw(st.integers(0, 9))
    every = draw.draw(st.integers(1, 8))
    batch = draw.draw(st.integers(1, 5))
    how = {
        "scale": draw.draw(st.sampled_from(["none", "online"])),
        "penalty": draw.draw(st.sampled_from(["l2", "l1", "elasticnet"])),
        "schedule": draw.draw(st.sampled_from(["constant", "adagrad", "optimal", "adam", "ftrl"])),
        "alpha": 0.01,
        "average": draw.draw(st.booleans()),
    }
    if how["average"] and how["schedule"] in ("constant", "optimal"):
        how["penalty"] = "l2"
    upto = np.maximum(np.arange(1, n + 1) - delay, 0)

    def replayed(cuts: list[int]) -> tuple[bytes, Any]:
        kernel = SparseKernel(WIDTH, 1, 1, loss="log", **how)
        found = []
        for a, b in zip([0, *cuts], [*cuts, n], strict=True):
            if a == b:
                continue
            lo, hi = int(upto[a - 1]) if a else 0, int(upto[b - 1])
            scores = kernel.run(
                rows[a:b], rows[lo:hi], y[lo:hi], upto[a:b] - lo, every=every, batch=batch
            )
            found.append(scores.tobytes())
            again = SparseKernel(WIDTH, 1, 1, loss="log", **how)
            again.load_state(kernel.state_dict())
            kernel = again
        return b"".join(found), kernel.weights.tolist()

    cuts = sorted(draw.draw(st.lists(st.integers(0, n), max_size=5)))
    assert replayed(cuts) == replayed([])


@pytest.mark.parametrize("penalty", ["none", "l2", "l1", "elasticnet"])
@pytest.mark.parametrize(("loss", "outputs"), [("log", 1), ("hinge", 3), ("huber", 1)])
@pytest.mark.parametrize("batch", [1, 4])
def test_ftrl_is_that_of_the_dense_kernel(
    penalty: str, loss: str, outputs: int, batch: int
) -> None:
    check_alike(outputs, batch, schedule="ftrl", penalty=penalty, loss=loss, alpha=0.05)


@pytest.mark.parametrize("schedule", ["pa", "pa1", "pa2"])
@pytest.mark.parametrize(
    ("loss", "outputs"), [("hinge", 1), ("hinge", 3), ("epsilon_insensitive", 1)]
)
@pytest.mark.parametrize("average", [False, True])
def test_passive_aggressive_steps_are_those_of_the_dense_kernel(
    schedule: str, loss: str, outputs: int, average: bool
) -> None:
    check_alike(outputs, 1, schedule=schedule, loss=loss, average=average)


@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adagrad", "ftrl"])
@pytest.mark.parametrize("penalty", ["none", "l2"])
@pytest.mark.parametrize("multiclass", ["one against the rest", "softmax"])
@pytest.mark.parametrize("batch", [1, 4])
def test_averages_and_softmax_are_those_of_the_dense_kernel(
    schedule: str, penalty: str, multiclass: str, batch: int
) -> None:
    if schedule == "adagrad" and penalty != "none":
        pytest.skip("there a penalty acts on the columns of a row only")
    how = {"schedule": schedule, "penalty": penalty, "multiclass": multiclass}
    check_alike(3, batch, average=False, **how)
    check_alike(3, batch, average=True, **how)


def test_averages_outlast_a_shrinking_that_is_worked_in() -> None:
    # So strong an L2 that the common factor is worked into the weights every few rows.
    how = {"schedule": "constant", "penalty": "l2", "alpha": 30.0, "learning_rate": 0.01}
    check_alike(1, 1, average=True, loss="squared", **how)


def check_alike(outputs: int, batch: int, **how: Any) -> None:
    """Learn the same rows by both kernels and compare all they say."""
    how = {"learning_rate": 0.3, "alpha": 0.003, "clip": 5.0, **how}
    sparse, dense = kernels(outputs, 2, **how)
    rows, table = rows_of(300, 1, dense=2)
    rng = np.random.default_rng(2)
    y = rng.integers(0, max(2, outputs), 300) * 1.0
    if dense.regression:
        y = table[:, 4] * 3.0 + rng.normal(size=300)
    for part in (slice(0, 90), slice(90, 300)):
        assert sparse.learn(rows[part], y[part], batch) == dense.learn(table[part], y[part], batch)
        near = {"rtol": 1e-9, "atol": 1e-11}
        np.testing.assert_allclose(sparse.weights, dense.weights, **near)
        np.testing.assert_allclose(sparse.intercept, dense.intercept, **near)
        np.testing.assert_allclose(sparse.predict(rows), dense.predict(table), **near)
    assert np.abs(dense.weights).max() > 1e-4
    assert sparse.step_size == pytest.approx(dense.step_size, rel=1e-12)


@pytest.mark.parametrize("penalty", ["none", "l2", "l1"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_adam_moves_the_columns_of_a_row_alone(penalty: str, outputs: int) -> None:
    how = {"schedule": "adam", "penalty": penalty, "alpha": 0.01, "learning_rate": 0.05}
    sparse = SparseKernel(WIDTH, outputs, 0, loss="log", **how)
    rows, table = rows_of(300, 4)
    y = np.random.default_rng(3).integers(0, max(2, outputs), 300)
    sparse.learn(rows, y * 1.0)
    weights, bias = np.zeros((outputs, WIDTH)), np.zeros(outputs)
    means, squares = np.zeros((2, outputs, WIDTH + 1))
    for t, (x, label) in enumerate(zip(table, y, strict=True), 1):
        eta = 0.05 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        has = np.append(x != 0.0, True)
        target = np.array([label]) if outputs == 1 else np.arange(outputs) == label
        slope = 1 / (1 + np.exp(-(weights @ x + bias))) - target
        penalised = weights * (0.01 if penalty == "l2" else 0.0)
        g = np.column_stack([slope[:, None] * x + penalised, slope])
        means[:, has] = 0.9 * means[:, has] + 0.1 * g[:, has]
        squares[:, has] = 0.999 * squares[:, has] + 0.001 * g[:, has] ** 2
        own = eta / (np.sqrt(squares) + 1e-8)
        moved = weights - own[:, :-1] * means[:, :-1]
        cut = own[:, :-1] * (0.01 if penalty == "l1" else 0.0)
        moved = np.sign(moved) * np.maximum(np.abs(moved) - cut, 0.0)
        weights = np.where(has[:-1], moved, weights)
        bias = bias - own[:, -1] * means[:, -1]
    np.testing.assert_allclose(sparse.weights, weights, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(sparse.intercept, bias, rtol=1e-9, atol=1e-11)


def test_adam_is_that_of_the_dense_kernel_where_every_row_has_every_column() -> None:
    table = np.random.default_rng(1).random((200, WIDTH)) + 0.1
    rows = beside(np.empty((200, 0)), [scipy.sparse.csr_matrix(table)])
    y = (table[:, 0] > table[:, 1]) * 1.0
    for average in (False, True):
        sparse, dense = kernels(1, schedule="adam", penalty="elasticnet", average=average)
        sparse.learn(rows, y)
        dense.learn(table, y)
        np.testing.assert_allclose(sparse.weights, dense.weights, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(sparse.predict(rows), dense.predict(table), rtol=1e-9)


@pytest.mark.parametrize("before", ["constant", "adagrad", "adam", "ftrl"])
@pytest.mark.parametrize("now", ["constant", "adagrad", "adam", "ftrl"])
def test_a_change_in_flight_moves_no_weight(before: str, now: str) -> None:
    rows, table = rows_of(300, 1)
    y = (table[:, 3] > table[:, 5]) * 1.0
    sparse, dense = kernels(1, schedule=before, penalty="elasticnet", alpha=0.01)
    sparse.learn(rows[:150], y[:150])
    kept = sparse.weights
    sparse.set_parameter("learning_rate", 0.02)
    sparse.set_parameter("schedule", now)
    np.testing.assert_allclose(sparse.weights, kept, rtol=1e-12, atol=1e-15)
    sparse.learn(rows[150:], y[150:])
    assert np.isfinite(sparse.weights).all()
    if {before, now} <= {"constant", "ftrl"}:  # the others differ in what a penalty acts on
        dense.learn(table[:150], y[:150])
        dense.set_parameter("learning_rate", 0.02)
        dense.set_parameter("schedule", now)
        dense.learn(table[150:], y[150:])
        np.testing.assert_allclose(sparse.weights, dense.weights, rtol=1e-9, atol=1e-12)


def test_one_class_seen_and_averages_of_nothing() -> None:
    rows, _ = rows_of(60, 2)
    for how in ({"schedule": "ftrl"}, {"average": True}, {"schedule": "adam"}):
        sparse = SparseKernel(WIDTH, 1, 0, loss="log", **how)
        assert (sparse.predict(rows) == 0.0).all()
        sparse.run(rows, rows, np.ones(60), np.arange(1, 61))
        assert (sparse.predict(rows) > 0.0).all()
        three = SparseKernel(WIDTH, 3, 0, loss="log", multiclass="softmax", **how)
        three.learn(rows, np.full(60, 2.0))
        assert (three.predict(rows).argmax(axis=1) == 2).all()


def test_what_does_not_go_together_is_told() -> None:
    with pytest.raises(ValueError, match="averaged weights don't go with"):
        SparseKernel(WIDTH, 1, 0, average=True, penalty="l1")
    kernel = SparseKernel(WIDTH, 1, 0, average=True, penalty="l1", schedule="ftrl")
    with pytest.raises(ValueError, match="averaged weights don't go with"):
        kernel.set_parameter("schedule", "constant")
    assert kernel.parameter("schedule") == "ftrl"
    with pytest.raises(ValueError, match="cannot change"):
        kernel.set_parameter("average", False)
    with pytest.raises(ValueError, match="there is no setting"):
        kernel.set_parameter("speed", 1.0)


def test_states_of_earlier_versions_are_taken_over_and_damaged_ones_refused() -> None:
    rows, _ = rows_of(40, 3)
    y = np.arange(40) % 2 * 1.0
    kernel = SparseKernel(WIDTH, 1, 0, loss="log")
    kernel.run(rows, rows, y, np.arange(1, 41), every=7, batch=1)
    state = kernel.state_dict()
    places = [0, 1, 3]  # steps, scaled, skipped
    earlier = {**state, "counters": state["counters"][places], "shared": state["shared"][:2]}
    other = SparseKernel(WIDTH, 1, 0, loss="log")
    other.load_state({**earlier, "squares": np.zeros((1, 1))})
    assert other.steps == kernel.steps
    assert other.predict(rows).tobytes() == kernel.predict(rows).tobytes()
    waiting = state["waiting"]
    far = {**waiting, "columns": waiting["columns"] + np.int32(WIDTH)}
    for damaged in ({"v": state["v"][:, :5]}, {"cut": np.zeros(3)}, {"waiting": far}):
        with pytest.raises(ValueError, match=r"another shape|do not fit"):
            SparseKernel(WIDTH, 1, 0, loss="log").load_state({**state, **damaged})


def test_a_frozen_model_learns_nothing_and_lets_go_what_waits() -> None:
    rows, _ = rows_of(20, 8)
    y = np.arange(20) % 2 * 1.0
    kernel = SparseKernel(WIDTH, 1, 0, loss="log")
    kernel.run(rows, rows, y, np.arange(1, 21), every=50, batch=50)
    assert kernel.waiting == 20
    before = kernel.weights
    kernel.run(rows, rows, y, np.arange(1, 21), every=50, batch=50, frozen=True)
    assert kernel.waiting == 0
    assert np.array_equal(kernel.weights, before)


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    rows, table = rows_of(30, 9)
    bad = SparseRows(rows.values.copy(), rows.columns, rows.ends, rows.width, rows.dense)
    bad.values[bad.ends[4]] = np.inf
    y = np.arange(30) % 2 * 1.0
    y[9] = np.nan
    one, other = kernels(1, loss="log")
    one.learn(bad, y)
    good = np.ones(30, bool)
    good[[4, 9]] = False
    other.learn(table[good], y[good])
    assert one.skipped == 2
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-9, atol=1e-12)
    assert np.isfinite(one.predict(bad)).all()


def test_the_learner_of_the_catalogue_takes_texts() -> None:
    names = ("x", *(f"words: w{k}" for k in range(WIDTH - 1)))
    task = Task("classification", ("ham", "spam"), "label")
    inputs = Inputs(names, task, 0, 1)
    rows, _ = rows_of(200, 10, dense=1)
    spam = (rows.csr()[:, 5].toarray().ravel() > 0).astype(np.int64)
    learner = build(LearnerSpec("linear", params={"learning_rate": 0.5, "passes": 5}), inputs)
    learner.fit(rows, spam)
    told = learner.parameters()
    assert max((n for n in names), key=lambda n: told[n]) == names[5]
    assert (learner.predict(rows).value == spam).mean() > 0.95
    again = build(LearnerSpec("linear", params={"learning_rate": 0.5}), inputs)
    again.load_state(learner.state())
    assert again.predict(rows).proba.tobytes() == learner.predict(rows).proba.tobytes()
    assert learner.rates() is None
    learner.set("learning_rate", 0.1)
    assert learner.settings()["learning_rate"] == 0.1
    learner.set("schedule", "adagrad")
    learner.learn(rows, spam)
    with pytest.raises(LearnerError, match="cannot read text columns"):
        build(LearnerSpec("naive_bayes"), inputs)
