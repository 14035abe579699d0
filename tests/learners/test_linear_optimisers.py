"""Adam, FTRL, passive-aggressive steps, averaged weights and softmax against their references."""

from __future__ import annotations

import collections
import math
from typing import Any

import numpy as np
import pytest

from modellab.learners.compiled import _math
from modellab.learners.compiled.kernel import LinearKernel

TOLERANCE = 1e-9


def stream(classes: int, n: int = 1200, d: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a linear truth and noise; class codes, or numbers where `classes` is 0."""
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(n, d))
    values = rows @ rng.normal(size=(d, max(1, classes))) + rng.normal(size=(n, max(1, classes)))
    if classes == 0:
        return rows, values[:, 0]
    if classes == 2:
        return rows, (values[:, 0] > 0.3).astype(np.float64)
    return rows, values.argmax(axis=1).astype(np.float64)


def as_dicts(rows: np.ndarray) -> list[dict[int, float]]:
    return [dict(enumerate(row)) for row in rows.tolist()]


@pytest.mark.parametrize(("l2", "scale"), [(0.0, "none"), (0.01, "none"), (0.0, "online")])
def test_adam_equals_river(l2: float, scale: str) -> None:
    from river import linear_model, optim, preprocessing

    rows, y = stream(2)
    plain = linear_model.LogisticRegression(optim.Adam(0.05, 0.8, 0.99), l2=l2, intercept_lr=0.0)
    # The intercept is one more weight: in river, a column of ones (L2 would hold it back).
    own = l2 == 0.0 and scale == "none"
    theirs = np.hstack([rows, np.ones((len(rows), 1))]) if own else rows
    scaler = preprocessing.StandardScaler()
    for x, label in zip(as_dicts(theirs), y, strict=True):
        if scale == "online":
            scaler.learn_one(x)
            x = scaler.transform_one(x)
        plain.learn_one(x, bool(label))
    kernel = LinearKernel(
        5,
        schedule="adam",
        learning_rate=0.05,
        beta_1=0.8,
        beta_2=0.99,
        alpha=l2,
        fit_intercept=own,
        scale=scale,
    )
    kernel.learn(rows, y)
    assert np.abs(kernel.weights[0] - [plain.weights[j] for j in range(5)]).max() <= TOLERANCE
    if own:
        assert abs(kernel.intercept[0] - plain.weights[5]) <= TOLERANCE


def mcmahan(
    rows: np.ndarray, y: np.ndarray, rate: float, beta: float, l1: float, l2: float
) -> np.ndarray:
    """Algorithm 1 of McMahan et al. 2013 for logistic regression, as it is printed there."""
    d = rows.shape[1]
    z, n, w = np.zeros(d), np.zeros(d), np.zeros(d)

    def weights() -> np.ndarray:
        return np.where(
            np.abs(z) <= l1, 0.0, -(z - np.sign(z) * l1) / ((beta + np.sqrt(n)) / rate + l2)
        )

    for x, label in zip(rows, y, strict=True):
        w = weights()
        g = (1.0 / (1.0 + math.exp(-float(w @ x))) - label) * x
        sigma = (np.sqrt(n + g * g) - np.sqrt(n)) / rate
        z += g - sigma * w
        n += g * g
    return weights()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
def test_ftrl_equals_the_paper(l1_ratio: float) -> None:
    rows, y = stream(2)
    kernel = LinearKernel(
        5,
        schedule="ftrl",
        learning_rate=0.3,
        ftrl_beta=0.7,
        penalty="elasticnet",
        alpha=20.0,
        l1_ratio=l1_ratio,
        fit_intercept=False,
    )
    kernel.learn(rows, y)
    expected = mcmahan(rows, y, 0.3, 0.7, 20.0 * l1_ratio, 20.0 * (1.0 - l1_ratio))
    assert np.abs(kernel.weights[0] - expected).max() <= TOLERANCE
    if l1_ratio in (0.0, 1.0):
        assert (kernel.weights[0] == 0.0).any() == (l1_ratio == 1.0)


def test_ftrl_equals_river_without_l1() -> None:
    from river import linear_model, optim

    rows, y = stream(2)
    own = optim.FTRLProximal(alpha=0.2, beta=1.5, l1=0.0, l2=0.5)
    model = linear_model.LogisticRegression(own, intercept_lr=0.0)
    for x, label in zip(as_dicts(rows), y, strict=True):
        # river takes the slope at the weights of the step before: bring them up to date first.
        own._step_with_dict(model._weights, dict.fromkeys(x, 0.0))
        model.learn_one(x, bool(label))
    kernel = LinearKernel(
        5, schedule="ftrl", learning_rate=0.2, ftrl_beta=1.5, alpha=0.5, fit_intercept=False
    )
    kernel.learn(rows, y)
    expected = [-own.z[j] / ((1.5 + math.sqrt(own.n[j])) / 0.2 + 0.5) for j in range(5)]
    assert np.abs(kernel.weights[0] - expected).max() <= TOLERANCE


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_passive_aggressive_equals_river(mode: int) -> None:
    from river import linear_model

    rows, y = stream(2)
    model = linear_model.PAClassifier(C=0.05, mode=mode)
    kernel = LinearKernel(5, loss="hinge", schedule=("pa", "pa1", "pa2")[mode], learning_rate=0.05)
    kernel.run(rows, rows, y, np.arange(1, len(y) + 1))
    for x, label in zip(as_dicts(rows), y, strict=True):
        model.learn_one(x, bool(label))
    assert np.abs(kernel.weights[0] - [model.weights[j] for j in range(5)]).max() <= TOLERANCE
    assert abs(kernel.intercept[0] - model.intercept) <= TOLERANCE


@pytest.mark.parametrize("schedule", ["pa", "pa1", "pa2"])
def test_passive_aggressive_of_numbers_equals_sklearn(schedule: str) -> None:
    # Not river's: its loss takes numbers for classes (2 y - 1). Without a limit is a huge limit.
    from sklearn.linear_model import SGDRegressor

    rows, y = stream(0, 500)
    model = SGDRegressor(
        loss="epsilon_insensitive",
        epsilon=0.2,
        penalty=None,
        learning_rate="pa2" if schedule == "pa2" else "pa1",
        eta0=1e9 if schedule == "pa" else 0.05,
        shuffle=False,
    )
    for i in range(len(y)):
        model.partial_fit(rows[i : i + 1], y[i : i + 1])
    kernel = LinearKernel(
        5, loss="epsilon_insensitive", epsilon=0.2, schedule=schedule, learning_rate=0.05
    )
    kernel.learn(rows, y)
    assert np.abs(kernel.weights[0] - model.coef_).max() <= TOLERANCE
    assert abs(kernel.intercept[0] - model.intercept_[0]) <= TOLERANCE


@pytest.mark.parametrize("schedule", ["pa1", "pa2"])
def test_passive_aggressive_of_several_classes_equals_sklearn(schedule: str) -> None:
    from sklearn.linear_model import SGDClassifier

    rows, y = stream(3, 500)
    model = SGDClassifier(
        loss="hinge", penalty=None, learning_rate=schedule, eta0=0.1, shuffle=False
    )
    for i in range(len(y)):
        model.partial_fit(rows[i : i + 1], y[i : i + 1], classes=[0.0, 1.0, 2.0])
    kernel = LinearKernel(5, 3, loss="hinge", schedule=schedule, learning_rate=0.1)
    kernel.learn(rows, y)
    assert np.abs(kernel.weights - model.coef_).max() <= TOLERANCE
    assert np.abs(kernel.intercept - model.intercept_).max() <= TOLERANCE


@pytest.mark.parametrize("schedule", ["constant", "invscaling"])
@pytest.mark.parametrize("classes", [2, 3])
def test_averaged_weights_equal_sklearn(schedule: str, classes: int) -> None:
    from sklearn.linear_model import SGDClassifier

    rows, y = stream(classes, 500)
    for n in (1, 2, 10, 100, 500):
        # One call for all rows: between calls scikit-learn forgets the intercept not averaged.
        model = SGDClassifier(
            loss="log_loss",
            alpha=0.01,
            learning_rate=schedule,
            eta0=0.1,
            average=True,
            shuffle=False,
        )
        model.partial_fit(rows[:n], y[:n], classes=np.arange(float(classes)))
        kernel = LinearKernel(
            5,
            1 if classes == 2 else 3,
            schedule=schedule,
            learning_rate=0.1,
            alpha=0.01,
            average=True,
        )
        kernel.run(rows[:n], rows[:n], y[:n], np.arange(1, n + 1))
        assert np.abs(kernel.weights - model.coef_).max() <= TOLERANCE
        assert np.abs(kernel.intercept - model.intercept_).max() <= TOLERANCE
        found, expected = kernel.predict(rows), model.decision_function(rows)
        assert np.abs(found - expected.reshape(found.shape)).max() <= TOLERANCE


def test_softmax_equals_river() -> None:
    from river import linear_model, optim
    from river.utils.math import softmax

    rows, y = stream(4)
    model = linear_model.SoftmaxRegression(optim.SGD(0.1), l2=0.01)
    for label in range(4):  # river meets a class when it comes; here all are known at the start
        model.optimizers[label] = optim.SGD(0.1)
        model.weights[label] = collections.defaultdict(float)
    for x, label in zip(as_dicts(rows), y, strict=True):
        model.learn_one(x, int(label))
    kernel = LinearKernel(
        5, 4, multiclass="softmax", learning_rate=0.1, alpha=0.01, fit_intercept=False
    )
    kernel.learn(rows, y)
    expected = [[model.weights[c][j] for j in range(5)] for c in range(4)]
    assert np.abs(kernel.weights - expected).max() <= TOLERANCE
    proba = np.empty((10, 4))
    _math.softmax(kernel.predict(rows[:10]), proba)
    for i, x in enumerate(as_dicts(rows[:10])):
        scores = {c: sum(model.weights[c][j] * x[j] for j in x) for c in range(4)}
        theirs = softmax(scores)
        assert max(abs(proba[i, c] - theirs[c]) for c in range(4)) <= TOLERANCE


def test_softmax_survives_enormous_scores() -> None:
    out = np.empty((1, 3))
    _math.softmax(np.array([[1e300, -1e300, 1e300]]), out)
    assert out.tolist() == [[0.5, 0.0, 0.5]]


def test_softmax_of_two_classes_is_the_logistic_model() -> None:
    rows, y = stream(2, 300)
    one, two = LinearKernel(5, 1, multiclass="softmax"), LinearKernel(5, 1)
    one.learn(rows, y)
    two.learn(rows, y)
    assert one.weights.tobytes() == two.weights.tobytes()


@pytest.mark.parametrize("schedule", ["adam", "ftrl"])
def test_a_change_of_schedule_in_flight_moves_no_weight(schedule: str) -> None:
    rows, y = stream(2, 400)
    kernel = LinearKernel(5, learning_rate=0.05, penalty="elasticnet", alpha=0.01)
    kernel.learn(rows[:200], y[:200])
    before = kernel.predict(rows)
    kernel.set_parameter("schedule", schedule)
    kernel.learn(rows[200:201] * 1e-9, y[200:201])  # a row that hardly says anything
    kernel.set_parameter("learning_rate", 0.02)
    if schedule == "ftrl":
        kernel.learn(rows[200:201] * 1e-9, y[200:201])
        kernel.set_parameter("schedule", "constant")
        kernel.learn(rows[200:201] * 1e-9, y[200:201])
        assert np.abs(kernel.weights[0]).max() > 0.1
        shift = np.abs(kernel.predict(rows) - before).max()
        assert shift < 0.1  # the intercept alone learns from a row of nothing
    else:
        assert np.isfinite(kernel.weights).all()
        fresh = LinearKernel(5, learning_rate=0.05, schedule="adam")
        assert fresh.step_size == 0.05


def test_ftrl_restarted_from_weights_keeps_them_exactly_in_place() -> None:
    rows, y = stream(2, 200)
    kernel = LinearKernel(5, learning_rate=0.05, fit_intercept=False, alpha=0.01)
    kernel.learn(rows, y)
    before = kernel.weights
    kernel.set_parameter("schedule", "ftrl")
    kernel.set_parameter("penalty", "l1")
    kernel.learn(np.zeros((1, 5)), y[:1])  # no gradient at all
    assert np.abs(kernel.weights - before).max() <= 1e-12


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"schedule": "pa1"}, "needs the loss hinge"),
        ({"schedule": "pa", "loss": "squared"}, "epsilon_insensitive"),
        ({"multiclass": "softmax", "loss": "hinge"}, "needs the loss log"),
        ({"schedule": "adam", "beta_1": 1.0}, "beta_1 and beta_2"),
        ({"average": 1}, "true or false"),
    ],
)
def test_settings_that_do_not_go_together_are_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        LinearKernel(3, **given)


def test_average_and_softmax_stay_what_they_are() -> None:
    kernel = LinearKernel(3, 3)
    for name, value in (("average", True), ("multiclass", "softmax")):
        with pytest.raises(ValueError, match="cannot change"):
            kernel.set_parameter(name, value)


def test_a_state_made_before_there_were_moments_is_taken_over() -> None:
    rows, y = stream(2, 100)
    kernel = LinearKernel(5)
    kernel.learn(rows, y)
    state = kernel.state_dict()
    state["counters"] = state["counters"][:8]
    for name in ("beta_1", "beta_2", "ftrl_beta", "multiclass", "average"):
        del state["parameters"][name]
    other = LinearKernel(5)
    other.load_state(state)
    assert other.weights.tobytes() == kernel.weights.tobytes()
    assert other.steps == kernel.steps
