"""The compiled loops against scikit-learn, river, exact arithmetic, and themselves in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from linear_rows import now, stream

from modellab.learners.compiled import _math
from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.linear_settings import (
    CLASSIFICATION_LOSSES,
    LOSSES,
    PENALTIES,
)

SKLEARN_LOSS = {"log": "log_loss", "squared": "squared_error"}
TOLERANCE = 1e-9


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
