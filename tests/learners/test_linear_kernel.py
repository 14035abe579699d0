"""The compiled loops against scikit-learn, river, exact arithmetic, and themselves in pieces."""

from __future__ import annotations

import itertools
import math
import re
import struct
import threading
import time
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import modellab.learners.compiled as compiled
from modellab.learners.compiled import _math
from modellab.learners.compiled import kernel as kernel_module
from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.linear_settings import (
    CLASSIFICATION_LOSSES,
    LOSSES,
    MULTICLASS,
    PASSIVE_AGGRESSIVE,
    PASSIVE_LOSSES,
    PENALTIES,
    RATES,
    REGRESSION_LOSSES,
    SCHEDULES,
)

SKLEARN_LOSS = {"log": "log_loss", "squared": "squared_error"}
TOLERANCE = 1e-9


def stream(loss: str, n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a linear truth and noise; labels 0 and 1, or numbers."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d))
    value = rows @ rng.normal(size=d) + rng.normal(size=n)
    return rows, (value > 0.3).astype(np.float64) if loss in CLASSIFICATION_LOSSES else value


def now(n: int) -> np.ndarray:
    """Arrivals without delay."""
    return np.arange(1, n + 1)


def bits(kernel: LinearKernel) -> bytes:
    """Everything a kernel holds, as bytes."""
    state = kernel.state_dict()
    names = sorted(k for k, v in state.items() if isinstance(v, np.ndarray))
    return b"".join(name.encode() + state[name].tobytes() for name in names)


# ------------------------------------------------------------------ elementary functions


def exp(x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    _math.exp(x, out)
    return out


def log(x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    _math.log(x, out)
    return out


def ulps_apart(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.view(np.int64) - b.view(np.int64)).max())


def test_exp_is_within_one_ulp_of_the_c_library() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [
            rng.uniform(-745.1, 709.7, 100_000),
            rng.uniform(-745.1, -600.0, 20_000),
            rng.uniform(-1.0, 1.0, 50_000),
            rng.normal(0.0, 1e-8, 5_000),
        ]
    )
    reference = np.array([math.exp(v) for v in x.tolist()])
    assert ulps_apart(exp(x), reference) <= 1


def test_exp_error_against_exact_arithmetic() -> None:
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(-708.0, 709.7, 4_000), rng.uniform(-0.01, 0.01, 4_000)])
    worst = 0.0
    with localcontext() as context:
        context.prec = 40
        for v, got in zip(x.tolist(), exp(x).tolist(), strict=True):
            exact = Decimal(v).exp()
            worst = max(worst, float(abs(Decimal(got) - exact) / Decimal(math.ulp(got))))
    assert worst <= 0.51


def test_exp_special_values() -> None:
    x = np.array([0.0, -0.0, math.inf, -math.inf, math.nan, 709.78, 709.79, 1e308, -745.14, -1e308])
    got = exp(x)
    assert got[0] == got[1] == 1.0
    assert got[2] == math.inf
    assert got[3] == 0.0
    assert math.isnan(got[4])
    assert got[5] == math.exp(709.78)
    assert got[6] == got[7] == math.inf
    assert got[8] == got[9] == 0.0
    # The smallest numbers, where a result has few bits left.
    assert exp(np.array([-745.13]))[0] == math.exp(-745.13) == 5e-324


def test_log_is_within_one_ulp_of_exact_arithmetic() -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate(
        [
            np.exp(rng.uniform(-700.0, 700.0, 3_000)),
            rng.uniform(0.5, 2.0, 3_000),
            1.0 + rng.normal(0.0, 1e-6, 500),
            np.array([5e-324, 1e-310, 1.7e308]),
        ]
    )
    with localcontext() as context:
        context.prec = 40
        for v, got in zip(x.tolist(), log(x).tolist(), strict=True):
            error = abs(Decimal(got) - Decimal(v).ln())
            assert error <= Decimal(math.ulp(got)), v
    special = log(np.array([1.0, 0.0, -1.0, math.inf, math.nan]))
    assert special[0] == 0.0
    assert special[1] == -math.inf
    assert math.isnan(special[2])
    assert special[3] == math.inf
    assert math.isnan(special[4])


def test_the_table_of_exp_is_what_its_comment_says() -> None:
    text = (Path(compiled.__file__).parent / "_exp_table.h").read_text(encoding="ascii")
    entries = [int(word, 16) for word in re.findall(r"0x([0-9a-f]{16})u", text)]

    def double(pattern: int) -> float:
        return float(struct.unpack("<d", struct.pack("<Q", pattern))[0])

    assert len(entries) == 256
    with localcontext() as context:
        context.prec = 60
        ln2 = Decimal(2).ln()
        for j in range(128):
            exact = (ln2 * j / 128).exp()
            rounded = float(exact)
            assert double(entries[2 * j + 1]) == rounded
            assert double(entries[2 * j]) == float((exact - Decimal(rounded)) / Decimal(rounded))
        high = float(re.search(r"STEP_HIGH (\S+)", text)[1])  # type: ignore[index]
        low = float(re.search(r"STEP_LOW (\S+)", text)[1])  # type: ignore[index]
        assert low == float(ln2 / 128 - Decimal(high))
        assert float(re.search(r"PER_UNIT (\S+)", text)[1]) == float(128 / ln2)  # type: ignore[index]
    # So few bits that a whole number of 21 bits times it is exact.
    assert int(math.ldexp(math.frexp(high)[0], 53)) % 2**32 == 0


def test_elementary_functions_refuse_buffers_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="length"):
        _math.exp(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="shape"):
        _math.class_probabilities(np.zeros((3, 1)), np.zeros((3, 1)), False)


# ------------------------------------------------------------------ equal to scikit-learn


def sklearn_weights(
    loss: str, rows: np.ndarray, y: np.ndarray, **given: Any
) -> tuple[np.ndarray, np.ndarray]:
    """What `partial_fit` learns when it is fed one row at a time."""
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    name = SKLEARN_LOSS.get(loss, loss)
    if loss in CLASSIFICATION_LOSSES:
        model = SGDClassifier(loss=name, **given)
        classes = np.arange(int(y.max()) + 1) if y.max() > 0 else np.array([0, 1])
        labels = y.astype(np.int64)
        for i in range(len(rows)):
            model.partial_fit(rows[i : i + 1], labels[i : i + 1], classes=classes)
    else:
        model = SGDRegressor(loss=name, **given)
        for i in range(len(rows)):
            model.partial_fit(rows[i : i + 1], y[i : i + 1])
    return model.coef_.reshape(-1, rows.shape[1]), model.intercept_


@pytest.mark.parametrize("schedule", ["constant", "invscaling", "optimal"])
@pytest.mark.parametrize("loss", LOSSES)
def test_equals_sklearn_fed_one_row_at_a_time(loss: str, schedule: str) -> None:
    # "optimal" starts with a step of 1/(alpha t0): with a small alpha some losses are chaotic then,
    # and no two orders of additions agree. The squared losses need the largest alpha.
    alpha = {"constant": 0.01, "invscaling": 0.01, "optimal": 0.05}[schedule]
    if schedule == "optimal" and loss in ("squared_hinge", "squared"):
        alpha = 2.0
    rows, y = stream(loss, 100, 11)
    for penalty in PENALTIES:
        reference, intercept = sklearn_weights(
            loss,
            rows,
            y,
            penalty=None if penalty == "none" else penalty,
            alpha=alpha,
            l1_ratio=0.3,
            epsilon=0.2,
            learning_rate=schedule,
            eta0=0.03,
            power_t=0.4,
        )
        kernel = LinearKernel(
            11,
            loss=loss,
            schedule=schedule,
            penalty=penalty,
            alpha=alpha,
            l1_ratio=0.3,
            epsilon=0.2,
            learning_rate=0.03,
            power_t=0.4,
        )
        kernel.learn(rows, y)
        assert np.abs(reference).max() > 1e-3
        assert np.abs(kernel.weights - reference).max() <= TOLERANCE, penalty
        assert np.abs(kernel.intercept - intercept).max() <= TOLERANCE, penalty


def test_l1_equals_sklearn_and_sets_weights_to_zero() -> None:
    rows, y = stream("log", 400, 6, seed=4)
    rows = np.hstack([rows, np.random.default_rng(5).normal(size=(400, 6))])
    reference, _ = sklearn_weights(
        "log", rows, y, penalty="l1", alpha=0.3, learning_rate="constant", eta0=0.05
    )
    kernel = LinearKernel(12, penalty="l1", alpha=0.3, learning_rate=0.05)
    kernel.learn(rows, y)
    assert np.array_equal(kernel.weights == 0.0, reference == 0.0)
    assert 0 < int((reference == 0.0).sum()) < 12


def test_strong_penalty_equals_sklearn() -> None:
    # eta * alpha above 1 would turn the weights around: they are set to zero instead.
    rows, y = stream("hinge", 60, 3)
    given: dict[str, Any] = {"penalty": "l2", "alpha": 30.0}
    reference, intercept = sklearn_weights(
        "hinge", rows, y, learning_rate="constant", eta0=0.1, **given
    )
    kernel = LinearKernel(3, loss="hinge", learning_rate=0.1, **given)
    kernel.learn(rows, y)
    assert np.abs(kernel.weights - reference).max() <= TOLERANCE
    assert np.abs(kernel.intercept - intercept).max() <= TOLERANCE


@pytest.mark.parametrize("loss", CLASSIFICATION_LOSSES)
def test_several_classes_equal_sklearn_one_against_the_rest(loss: str) -> None:
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(150, 5))
    y = np.argmax(rows @ rng.normal(size=(5, 4)) + rng.normal(size=(150, 4)), axis=1).astype(float)
    reference, intercept = sklearn_weights(
        loss, rows, y, alpha=0.001, learning_rate="invscaling", eta0=0.1
    )
    kernel = LinearKernel(
        5, 4, loss=loss, alpha=0.001, schedule="invscaling", learning_rate=0.1, power_t=0.5
    )
    kernel.learn(rows, y)
    assert reference.shape == (4, 5)
    assert np.abs(kernel.weights - reference).max() <= TOLERANCE
    assert np.abs(kernel.intercept - intercept).max() <= TOLERANCE


def test_without_intercept_equals_sklearn() -> None:
    rows, y = stream("huber", 120, 4)
    reference, intercept = sklearn_weights(
        "huber", rows, y, learning_rate="constant", eta0=0.1, fit_intercept=False
    )
    kernel = LinearKernel(4, loss="huber", learning_rate=0.1, fit_intercept=False)
    kernel.learn(rows, y)
    assert np.abs(kernel.weights - reference).max() <= TOLERANCE
    assert kernel.intercept[0] == intercept[0] == 0.0


@pytest.mark.parametrize("loss", ["squared", "squared_hinge", "log"])
def test_steep_losses_are_cut_off_like_sklearn(loss: str) -> None:
    rows, y = stream(loss, 40, 3)
    rows *= 1e5
    reference, _ = sklearn_weights(loss, rows, y, learning_rate="constant", eta0=0.5, penalty=None)
    kernel = LinearKernel(3, loss=loss, learning_rate=0.5, penalty="none")
    scores = kernel.run(rows, rows, y, now(40))
    assert np.isfinite(scores).all()
    assert np.isfinite(kernel.weights).all()
    assert np.allclose(kernel.weights, reference, rtol=1e-6)
    assert np.abs(reference).max() > (1e15 if loss != "log" else 1e3)


# ------------------------------------------------------------------ equal to river


def as_dicts(rows: np.ndarray) -> list[dict[int, float]]:
    return [dict(enumerate(row)) for row in rows.tolist()]


@pytest.mark.parametrize(("penalty", "alpha"), [("none", 0.0), ("l2", 0.003)])
def test_equals_river_logistic_regression_with_scaler(penalty: str, alpha: float) -> None:
    from river import linear_model, optim, preprocessing

    rows, y = stream("log", 1500, 6)
    rows = rows * np.array([1.0, 50.0, 0.01, 1.0, 3.0, 1.0]) + np.array([0, 1000, 0, -5, 2, 0])
    rows[:, 5] = 7.0  # a column that never varies
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(
        optim.SGD(0.02),
        l2=alpha if penalty == "l2" else 0.0,
        intercept_lr=0.02,
    )
    kernel = LinearKernel(
        6,
        penalty=penalty,
        alpha=alpha,
        learning_rate=0.02,
        scale="online",
    )
    proba = np.empty((1500, 2))
    scores = kernel.run(rows, rows, y, now(1500))
    _math.class_probabilities(scores, proba, False)
    for i, x in enumerate(as_dicts(rows)):
        assert abs(model.predict_proba_one(x)[True] - proba[i, 1]) <= TOLERANCE
        assert model.predict_one(x) == (scores[i, 0] > 0)
        model.learn_one(x, bool(y[i]))
    learned = model["LogisticRegression"]
    reference = np.array([learned.weights[j] for j in range(6)])
    assert np.abs(reference).max() > 0.1
    assert np.abs(kernel.weights[0] - reference).max() <= TOLERANCE
    assert abs(kernel.intercept[0] - learned.intercept) <= TOLERANCE
    count, mean, variance = kernel.scaler
    scaler = model["StandardScaler"]
    assert count == 1500
    assert np.allclose(mean, [scaler.means[j] for j in range(6)], rtol=1e-12)
    assert np.allclose(variance, [scaler.vars[j] for j in range(6)], rtol=1e-9)


def test_equals_river_linear_regression_with_scaler() -> None:
    from river import linear_model, optim, preprocessing

    rows, y = stream("squared", 1500, 5)
    rows = rows * 20.0 + 100.0
    model = preprocessing.StandardScaler() | linear_model.LinearRegression(
        optim.SGD(0.01), intercept_lr=0.01, l2=0.02
    )
    # river's squared loss has twice the slope, and its L2 is not doubled with it.
    kernel = LinearKernel(5, loss="squared", learning_rate=0.02, alpha=0.01, scale="online")
    scores = kernel.run(rows, rows, y, now(1500))
    for i, x in enumerate(as_dicts(rows)):
        assert abs(model.predict_one(x) - scores[i, 0]) <= TOLERANCE
        model.learn_one(x, y[i])
    learned = model["LinearRegression"]
    reference = np.array([learned.weights[j] for j in range(5)])
    assert np.abs(kernel.weights[0] - reference).max() <= TOLERANCE


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_adagrad_equals_river(l2: float) -> None:
    from river import linear_model, optim, preprocessing

    rows, y = stream("log", 1200, 5)
    # The intercept is one more weight: in river, a column of ones (L2 would hold it back).
    with_ones = np.hstack([rows, np.ones((1200, 1))])
    plain = linear_model.LogisticRegression(optim.AdaGrad(0.1), l2=l2, intercept_lr=0.0)
    kernel = LinearKernel(
        5, schedule="adagrad", learning_rate=0.1, penalty="l2", alpha=l2, fit_intercept=l2 == 0.0
    )
    kernel.learn(rows, y)
    for i, x in enumerate(as_dicts(with_ones if l2 == 0.0 else rows)):
        plain.learn_one(x, bool(y[i]))
    assert np.abs(kernel.weights[0] - [plain.weights[j] for j in range(5)]).max() <= TOLERANCE
    if l2 == 0.0:
        assert abs(kernel.intercept[0] - plain.weights[5]) <= TOLERANCE

    scaled = preprocessing.StandardScaler() | linear_model.LinearRegression(
        optim.AdaGrad(0.1), loss=optim.losses.Huber(0.1), intercept_lr=0.0
    )
    kernel = LinearKernel(
        5,
        loss="huber",
        epsilon=0.1,
        schedule="adagrad",
        learning_rate=0.1,
        penalty="none",
        fit_intercept=False,
        scale="online",
    )
    kernel.learn(rows, y)
    for i, x in enumerate(as_dicts(rows)):
        scaled.learn_one(x, y[i])
    learned = scaled["LinearRegression"].weights
    assert np.abs(kernel.weights[0] - [learned[j] for j in range(5)]).max() <= TOLERANCE


def test_mini_batches_equal_river_learn_many() -> None:
    import pandas as pd
    from river import linear_model, optim, preprocessing

    rows, y = stream("log", 700, 4)
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(
        optim.SGD(0.3), l2=0.01, intercept_lr=0.3
    )
    frame, labels = pd.DataFrame(rows, columns=list("abcd")), pd.Series(y.astype(bool))
    for at in range(0, 700, 32):  # the last group is smaller
        model.learn_many(frame[at : at + 32], labels[at : at + 32])
    kernel = LinearKernel(4, learning_rate=0.3, alpha=0.01, scale="online")
    assert kernel.learn(rows, y, batch=32) == 22
    learned = model["LogisticRegression"]
    assert np.abs(kernel.weights[0] - [learned.weights[j] for j in "abcd"]).max() <= TOLERANCE
    assert abs(kernel.intercept[0] - learned.intercept) <= TOLERANCE


# ------------------------------------------------------------------ a plain Python twin


def taught(kernel: LinearKernel, rows: np.ndarray, y: np.ndarray, group: int) -> None:
    for at in range(0, len(rows), group):
        kernel.learn(rows[at : at + group], y[at : at + group], batch=group)


def twin(
    rows: np.ndarray, learn: np.ndarray, y: np.ndarray, upto: np.ndarray, every: int, batch: int
) -> np.ndarray:
    """The label schedule in its plainest form: predict with what was learned, then collect."""
    kernel = LinearKernel(rows.shape[1], scale="online", learning_rate=0.1)
    scores, collected, arrived = [], [], 0
    for i in range(len(rows)):
        scores.append(kernel.predict(rows[i : i + 1])[0])
        while arrived < upto[i]:
            collected.append(arrived)
            arrived += 1
            if len(collected) == every:
                taught(kernel, learn[collected], y[collected], batch)
                collected = []
    return np.array(scores)


@pytest.mark.parametrize(("every", "batch"), [(1, 1), (5, 1), (7, 3), (4, 8), (50, 50)])
@pytest.mark.parametrize("delay", [0, 1, 13])
def test_label_schedule_equals_its_plainest_form(every: int, batch: int, delay: int) -> None:
    rows, y = stream("log", 120, 3)
    upto = np.maximum(now(120) - delay, 0)
    kernel = LinearKernel(3, scale="online", learning_rate=0.1)
    scores = kernel.run(rows, rows[: 120 - delay], y[: 120 - delay], upto, every=every, batch=batch)
    assert np.array_equal(scores, twin(rows, rows, y, upto, every, batch))
    assert kernel.waiting == (120 - delay) % every


def test_nothing_is_learned_before_its_label_has_come() -> None:
    rows, y = stream("log", 200, 3)
    upto = np.maximum(now(200) - 30, 0)
    kernel = LinearKernel(3, learning_rate=0.1)
    changed = y.copy()
    changed[100] = 1.0 - changed[100]
    first = kernel.run(rows, rows[:170], y[:170], upto)
    second = LinearKernel(3, learning_rate=0.1).run(rows, rows[:170], changed[:170], upto)
    # The label of row 100 comes after row 130 was predicted: no sooner does anything differ.
    assert np.array_equal(first[:131], second[:131])
    assert not np.array_equal(first[131], second[131])
    assert np.all(first[:31] == 0.0)


def test_a_prediction_never_knows_its_own_label() -> None:
    rows, y = stream("squared", 100, 4)
    for i in (0, 41, 99):
        changed = y.copy()
        changed[i] += 100.0
        first = LinearKernel(4, loss="squared", scale="online").run(rows, rows, y, now(100))
        second = LinearKernel(4, loss="squared", scale="online").run(rows, rows, changed, now(100))
        assert np.array_equal(first[: i + 1], second[: i + 1])
        assert i == 99 or not np.array_equal(first[i + 1], second[i + 1])


# ------------------------------------------------------------------ any split, any restart


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(1, 90))
    loss = draw(st.sampled_from(LOSSES))
    fitting = [s for s in SCHEDULES if loss in PASSIVE_LOSSES or s not in PASSIVE_AGGRESSIVE]
    return {
        "multiclass": draw(st.sampled_from(MULTICLASS if loss == "log" else MULTICLASS[:1])),
        "average": draw(st.booleans()),
        "n": n,
        "loss": loss,
        "outputs": draw(st.sampled_from([1, 3])) if loss in CLASSIFICATION_LOSSES else 1,
        "features": draw(st.integers(1, 19)),
        "schedule": draw(st.sampled_from(fitting)),
        "penalty": draw(st.sampled_from(PENALTIES)),
        "scale": draw(st.sampled_from(["none", "online"])),
        "track_rates": draw(st.booleans()),
        "every": draw(st.integers(1, 20)),
        "batch": draw(st.integers(1, 9)),
        "delays": draw(st.lists(st.integers(0, 25), min_size=n, max_size=n)),
        "bad": draw(st.sets(st.integers(0, n - 1), max_size=3)),
        "cuts": draw(st.sets(st.integers(0, n), max_size=6)),
        "seed": draw(st.integers(0, 2**31)),
    }


def prepared(given: dict[str, Any]) -> tuple[LinearKernel, np.ndarray, np.ndarray, np.ndarray]:
    n, d = given["n"], given["features"]
    rng = np.random.default_rng(given["seed"])
    rows = rng.normal(size=(n, d))
    rows[sorted(given["bad"]), 0] = [np.nan, np.inf, -1e200][: len(given["bad"])]
    if given["loss"] in REGRESSION_LOSSES:
        y = rng.normal(size=n) * 10.0
    else:
        y = rng.integers(0, max(2, given["outputs"]), n).astype(float)
    upto = np.maximum.accumulate(np.maximum(now(n) - np.array(given["delays"]), 0))
    kernel = LinearKernel(
        d,
        given["outputs"],
        loss=given["loss"],
        schedule=given["schedule"],
        multiclass=given["multiclass"],
        average=given["average"],
        penalty=given["penalty"],
        alpha=0.01,
        learning_rate=0.1,
        scale=given["scale"],
        track_rates=given["track_rates"],
        rates_window=17,
    )
    return kernel, rows, y, upto


def in_pieces(
    kernel: LinearKernel,
    given: dict[str, Any],
    rows: np.ndarray,
    y: np.ndarray,
    upto: np.ndarray,
    *,
    reload: bool = False,
) -> tuple[np.ndarray, LinearKernel]:
    parts = []
    edges = [0, *sorted(given["cuts"]), given["n"]]
    for start, stop in itertools.pairwise(edges):
        before = int(upto[start - 1]) if start else 0
        end = int(upto[stop - 1]) if stop > start else before
        # Copies: the rows of a call need not be the same memory as those of another.
        parts.append(
            kernel.run(
                rows[start:stop].copy(),
                rows[before:end].copy(),
                y[before:end],
                upto[start:stop] - before,
                every=given["every"],
                batch=given["batch"],
            )
        )
        if reload:
            state = kernel.state_dict()
            kernel = prepared(given)[0]
            kernel.load_state(state)
    return np.concatenate(parts), kernel


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_any_split_into_calls_and_any_restart_gives_the_same_bits(given: dict[str, Any]) -> None:
    whole, rows, y, upto = prepared(given)
    scores = whole.run(
        rows, rows[: upto[-1]], y[: upto[-1]], upto, every=given["every"], batch=given["batch"]
    )
    pieces, split = in_pieces(prepared(given)[0], given, rows, y, upto)
    restarted, again = in_pieces(prepared(given)[0], given, rows, y, upto, reload=True)
    assert scores.tobytes() == pieces.tobytes() == restarted.tobytes()
    assert bits(whole) == bits(split) == bits(again)
    assert np.isfinite(whole.weights).all()


@settings(max_examples=40, deadline=None)
@given(scenarios())
def test_carried_rates_never_touch_the_model(given: dict[str, Any]) -> None:
    scores = []
    for carry in (False, True):
        kernel, rows, y, upto = prepared({**given, "track_rates": carry})
        scores.append(in_pieces(kernel, given, rows, y, upto)[0])
    assert scores[0].tobytes() == scores[1].tobytes()


def test_a_state_is_a_copy_and_only_of_plain_values() -> None:
    kernel = LinearKernel(3, track_rates=True)
    rows, y = stream("log", 50, 3)
    kernel.run(rows, rows, y, now(50), every=7)
    state = kernel.state_dict()
    frozen = {k: v.copy() for k, v in state.items() if isinstance(v, np.ndarray)}
    kernel.run(rows, rows, y, now(50), every=7)
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            assert value.tobytes() == frozen[name].tobytes(), name
        else:
            plain = value.values() if isinstance(value, dict) else [value]
            assert all(type(part) in (int, float, bool, str) for part in plain), name


def test_a_state_of_another_model_is_refused() -> None:
    state = LinearKernel(3).state_dict()
    for other in (LinearKernel(4), LinearKernel(3, 4), LinearKernel(3, loss="hinge")):
        with pytest.raises(ValueError, match="another model"):
            other.load_state(state)


# ------------------------------------------------------------------ settings between rows


def test_changing_the_learning_rate_keeps_weights_and_steps() -> None:
    rows, y = stream("log", 100, 3)
    kernel = LinearKernel(3, schedule="invscaling", learning_rate=0.1)
    kernel.learn(rows[:50], y[:50])
    before = kernel.weights
    kernel.set_parameter("learning_rate", 0.02)
    assert np.array_equal(kernel.weights, before)
    assert kernel.steps == 50
    assert kernel.step_size == pytest.approx(0.02 / math.sqrt(51))
    kernel.learn(rows[50:51], y[50:51])
    z = rows[50]
    p = 1.0 / (1.0 + math.exp(-(before[0] @ z + kernel_intercept(rows[:50], y[:50]))))
    expected = (
        before[0] * (1.0 - 0.02 / math.sqrt(51) * 0.0001) - 0.02 / math.sqrt(51) * (p - y[50]) * z
    )
    assert np.abs(kernel.weights[0] - expected).max() < 1e-14


def kernel_intercept(rows: np.ndarray, y: np.ndarray) -> float:
    kernel = LinearKernel(rows.shape[1], schedule="invscaling", learning_rate=0.1)
    kernel.learn(rows, y)
    return float(kernel.intercept[0])


def test_settings_that_are_wrong_are_named() -> None:
    for name, value in [
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("alpha", -1.0),
        ("l1_ratio", 1.5),
        ("schedule", "linear"),
        ("penalty", "l3"),
        ("track_rates", 1),
        ("power_t", "0.5"),
    ]:
        kernel = LinearKernel(2)
        with pytest.raises(ValueError, match=name):
            kernel.set_parameter(name, value)
        kernel.learn(np.ones((1, 2)), np.ones(1))  # still usable
    with pytest.raises(ValueError, match="alpha above 0"):
        LinearKernel(2, schedule="optimal", alpha=0.0)
    for name in ("loss", "scale", "fit_intercept"):
        with pytest.raises(ValueError, match="cannot change"):
            LinearKernel(2).set_parameter(name, "hinge")
    with pytest.raises(ValueError, match="one output"):
        LinearKernel(2, 3, loss="squared")


def test_shapes_that_do_not_fit_are_refused() -> None:
    kernel = LinearKernel(2)
    rows, y = np.zeros((3, 2)), np.zeros(3)
    with pytest.raises(ValueError, match="columns"):
        kernel.predict(np.zeros((3, 1)))
    with pytest.raises(ValueError, match="fit the rows"):
        kernel.learn(rows, y[:2])
    for upto in ([1, 2, 4], [2, 1, 3], [-1, 0, 0]):
        with pytest.raises(ValueError, match="upto"):
            kernel.run(rows, rows, y, np.array(upto))
    with pytest.raises(ValueError, match="at least 1"):
        kernel.run(rows, rows, y, now(3), every=0)
    assert kernel.run(rows[:0], rows[:0], y[:0], now(0)).shape == (0, 1)


def test_frozen_rows_are_predicted_but_never_learned() -> None:
    rows, y = stream("log", 90, 3)
    kernel = LinearKernel(3, scale="online")
    kernel.run(rows[:30], rows[:30], y[:30], now(30), every=4)
    assert kernel.waiting == 2
    before = kernel.weights, kernel.scaler
    scores = kernel.run(rows[30:60], rows[30:60], y[30:60], now(30), every=4, frozen=True)
    assert np.array_equal(scores, kernel.predict(rows[30:60]))
    assert np.array_equal(kernel.weights, before[0])
    assert kernel.scaler[0] == before[1][0] == 28
    assert kernel.waiting == 0
    kernel.run(rows[60:], rows[60:], y[60:], now(30), every=4)
    assert kernel.scaler[0] == 28 + 28


def test_cadence_can_change_while_rows_wait() -> None:
    rows, y = stream("log", 40, 3)
    kernel = LinearKernel(3)
    kernel.run(rows[:10], rows[:10], y[:10], now(10), every=100)
    assert (kernel.steps, kernel.waiting) == (0, 10)
    kernel.run(rows[10:11], rows[10:11], y[10:11], now(1), every=1)
    assert (kernel.steps, kernel.waiting) == (11, 0)
    reference = LinearKernel(3)
    reference.learn(rows[:11], y[:11])
    assert np.array_equal(kernel.weights, reference.weights)


# ------------------------------------------------------------------ rows that cannot be learned


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e200, -1e101])
@pytest.mark.parametrize("scale", ["none", "online"])
def test_values_out_of_range_are_predicted_as_average_and_not_learned(
    value: float, scale: str
) -> None:
    rows, y = stream("log", 60, 3)
    rows += 5.0
    clean = LinearKernel(3, scale=scale)
    clean.learn(np.delete(rows, 30, axis=0), np.delete(y, 30))
    before = LinearKernel(3, scale=scale)
    before.learn(rows[:30], y[:30])
    rows[30, 1] = value
    kernel = LinearKernel(3, scale=scale)
    scores = kernel.run(rows, rows, y, now(60))
    assert np.array_equal(kernel.weights, clean.weights)
    assert kernel.skipped == 1
    average = rows[30].copy()
    average[1] = before.scaler[1][1] if scale == "online" else 0.0
    assert scores[30, 0] == pytest.approx(before.predict(average[None])[0, 0], rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "label"),
    [("log", math.nan), ("log", 2.0), ("log", -1.0), ("log", 0.5), ("squared", math.inf)],
)
def test_labels_out_of_range_are_not_learned(loss: str, label: float) -> None:
    rows, y = stream(loss, 20, 2)
    y[7] = label
    kernel = LinearKernel(2, loss=loss, track_rates=True)
    kernel.run(rows, rows, y, now(20))
    assert kernel.skipped == 1
    assert kernel.steps == 19
    found = kernel.rates()
    assert found is not None
    assert found[2] == 19


def test_one_class_only_leaves_a_usable_model() -> None:
    rows, _ = stream("log", 300, 3)
    for loss in CLASSIFICATION_LOSSES:
        for label in (0.0, 1.0):
            kernel = LinearKernel(3, loss=loss, scale="online")
            scores = kernel.run(rows, rows, np.full(300, label), now(300))
            # The first rows are near even, and once it is learned it stays.
            assert np.isfinite(scores).all()
            if loss != "perceptron" or label == 1.0:
                assert np.all((scores[200:, 0] > 0) == (label == 1.0))


# ------------------------------------------------------------------ the carried rates


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    "given",
    [
        {"schedule": "constant", "penalty": "l2"},
        {"schedule": "invscaling", "penalty": "elasticnet"},
        {"schedule": "adagrad", "penalty": "l1"},
    ],
)
@pytest.mark.parametrize(("every", "batch", "delay"), [(1, 1, 0), (6, 4, 9)])
def test_each_carried_rate_does_what_a_model_with_that_rate_does(
    outputs: int, given: dict[str, Any], every: int, batch: int, delay: int
) -> None:
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(400, 4)) * 3.0
    y = np.argmax(rows[:, : max(2, outputs)] + rng.normal(size=(400, max(2, outputs))), axis=1)
    upto = np.maximum(now(400) - delay, 0)
    end = int(upto[-1])
    given = {**given, "alpha": 0.001, "scale": "online"}
    call = {"every": every, "batch": batch}
    kernel = LinearKernel(4, outputs, **given, track_rates=True, rates_window=250)
    kernel.run(rows, rows[:end], y[:end], upto, **call)
    found = kernel.rates()
    assert found is not None
    rates, errors, count = found
    assert count == 250
    for g, rate in enumerate(rates):
        alone = LinearKernel(4, outputs, **given, learning_rate=float(rate))
        scores = alone.run(rows, rows[:end], y[:end], upto, **call)
        guess = (scores[:, 0] > 0) if outputs == 1 else np.argmax(scores, axis=1)
        wrong = (guess != y)[:end]
        assert errors[g] == wrong[-250:].mean(), rate
        weights = kernel.state_dict()["rate_weights"][:, :, g]
        assert np.abs(weights - alone.weights).max() <= 1e-9 * (1.0 + np.abs(weights).max())
    assert kernel.best_rate() == rates[np.argmin(errors)]


def test_rates_of_a_regression_are_compared_by_absolute_error() -> None:
    rows, y = stream("squared", 300, 3)
    kernel = LinearKernel(3, loss="squared", track_rates=True, rates_window=100)
    kernel.run(rows, rows, y, now(300))
    found = kernel.rates()
    assert found is not None
    for g, rate in enumerate(RATES[:-1]):
        alone = LinearKernel(3, loss="squared", learning_rate=rate)
        scores = alone.run(rows, rows, y, now(300))
        assert found[1][g] == pytest.approx(np.abs(scores[:, 0] - y)[-100:].mean(), rel=1e-6)
    assert kernel.best_rate() == pytest.approx(0.01, rel=3.0)


def test_rates_are_scored_by_the_row_even_if_some_labels_never_come() -> None:
    rows, y = stream("log", 200, 3)
    labelled = np.flatnonzero(np.arange(200) % 3 != 1)
    upto = np.searchsorted(labelled, np.maximum(now(200) - 20, 0))
    end = int(upto[-1])
    kernel = LinearKernel(3, track_rates=True)
    kernel.run(rows, rows[labelled[:end]], y[labelled[:end]], upto)
    found = kernel.rates()
    assert found is not None
    assert found[2] == end
    alone = LinearKernel(3, learning_rate=RATES[4])
    scores = alone.run(rows, rows[labelled[:end]], y[labelled[:end]], upto)
    wrong = ((scores[:, 0] > 0) != y)[labelled[:end]]
    assert found[1][4] == wrong.mean()


def test_labels_of_rows_never_predicted_are_learned_but_not_scored() -> None:
    rows, y = stream("log", 100, 3)
    kernel = LinearKernel(3, track_rates=True)
    kernel.learn(rows[:50], y[:50])
    assert kernel.rates()[2] == 0  # type: ignore[index]
    assert kernel.best_rate() is None
    kernel.run(rows[50:60], rows[:50], y[:50], np.full(10, 50))
    assert kernel.rates()[2] == 0  # type: ignore[index]
    assert kernel.steps == 100


def test_rates_that_never_get_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_module, "ASKED_MOST", 64)
    rows, y = stream("log", 300, 2)
    kernel = LinearKernel(2, track_rates=True)
    for at in range(0, 300, 7):
        part = rows[at : at + 7]
        kernel.run(part, rows[:0], y[:0], np.zeros(len(part), np.int64))
    assert len(kernel.state_dict()["asked_key"]) == 64
    # The labels of the last 64 rows still count, those of older rows no longer.
    kernel.run(rows[:1], rows[200:300], y[200:300], np.array([100]))
    assert kernel.rates()[2] == 63  # type: ignore[index]


def test_rates_switched_on_later_start_from_the_weights_of_then() -> None:
    rows, y = stream("log", 200, 3)
    kernel = LinearKernel(3, learning_rate=0.1)
    kernel.run(rows[:100], rows[:100], y[:100], now(100))
    assert kernel.rates() is None
    kernel.set_parameter("track_rates", True)
    weights = kernel.state_dict()["rate_weights"]
    assert np.array_equal(weights[0, :, 3], kernel.weights[0])
    kernel.run(rows[100:], rows[100:], y[100:], now(100))
    found = kernel.rates()
    assert found is not None
    assert found[2] == 100
    # The carried 0.1 goes the same way as the model's own 0.1.
    assert np.abs(kernel.state_dict()["rate_weights"][0, :, 6] - kernel.weights[0]).max() < 1e-12
    kernel.set_parameter("schedule", "optimal")
    assert kernel.rates() is None
    kernel.set_parameter("track_rates", False)
    kernel.set_parameter("schedule", "constant")
    assert kernel.rates() is None
    assert "rate_weights" not in kernel.state_dict()


# ------------------------------------------------------------------ memory


def test_room_for_waiting_rows_follows_need() -> None:
    kernel = LinearKernel(3)
    rows, y = stream("log", 500, 3)
    kernel.run(rows, rows, y, now(500), every=10**9)
    assert kernel.waiting == 500
    assert kernel.state_dict()["waiting"].shape == (500, 3)
    assert kernel._arrays["waiting"].nbytes < 100_000


def test_a_loop_lets_other_threads_run() -> None:
    rows, y = stream("log", 300_000, 20)
    kernel = LinearKernel(20, scale="online", track_rates=True)
    shares = []
    for _ in range(3):  # the machine may be busy with something else
        times: list[float] = []

        def work(times: list[float] = times) -> None:
            times.append(time.perf_counter())
            kernel.run(rows, rows, y, now(300_000))
            times.append(time.perf_counter())

        thread = threading.Thread(target=work)
        thread.start()
        longest, last = 0.0, time.perf_counter()
        while len(times) < 2:
            turn = time.perf_counter()
            longest, last = max(longest, turn - last), turn
        thread.join()
        shares.append(longest / (times[1] - times[0]))
    # With the lock held, one turn would last as long as the whole loop.
    assert min(shares) < 0.5
