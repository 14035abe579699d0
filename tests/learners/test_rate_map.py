"""Many learning rates in one pass: each is to the bit what a model with that rate alone is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.rate_map import RateMap

RATES = np.geomspace(1e-4, 1.0, 64)
CASES: list[dict[str, Any]] = [
    {},
    {"scale": "online"},
    {"scale": "online", "penalty": "elasticnet", "alpha": 0.01, "schedule": "invscaling"},
    {"schedule": "adagrad", "penalty": "l1"},
    {"schedule": "adam", "scale": "online"},
    {"schedule": "ftrl", "penalty": "elasticnet", "alpha": 0.5},
    {"schedule": "pa1", "loss": "hinge"},
    {"schedule": "pa2", "loss": "epsilon_insensitive"},
    {"loss": "squared", "scale": "online", "clip": 1.0},
    {"average": True},
    {"average": True, "scale": "online"},
    {"outputs": 3},
    {"outputs": 3, "multiclass": "softmax", "scale": "online"},
]


def stream(loss: str, outputs: int, n: int = 260, d: int = 10) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(n, d))
    value = rows @ rng.normal(size=d) + rng.normal(size=n)
    rows[17, 2], rows[40, 9] = np.nan, 1e200
    if loss in ("squared", "epsilon_insensitive"):
        y = value
    else:
        y = np.digitize(value, [0.0] if outputs == 1 else [-1.0, 1.0]).astype(np.float64)
    y[30] = np.nan
    return rows, y


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_rate_equals_a_model_of_its_own_to_the_bit(case: dict[str, Any]) -> None:
    given = dict(case)
    outputs = given.pop("outputs", 1)
    loss = given.get("loss", "log")
    rows, y = stream(loss, outputs)
    many = RateMap(10, outputs, RATES, **given)
    found = many.run(rows, y)
    good = np.isfinite(y)
    assert many.asked == good.sum()
    for i in range(0, 64, 9):
        one = LinearKernel(10, outputs, learning_rate=float(RATES[i]), **given)
        scores = one.run(rows, rows, y, np.arange(1, len(y) + 1))
        assert many.weights[i].tobytes() == one.weights.tobytes()
        assert many.intercepts[i].tobytes() == one.intercept.tobytes()
        if one.regression:
            errors = np.abs(scores[:, 0] - y)
        elif outputs == 1:
            errors = (scores[:, 0] > 0) != y
        else:
            errors = scores.argmax(axis=1) != y
        assert found[i] == pytest.approx(errors[good].mean(), rel=1e-12)
        assert many.skipped == one.skipped == 3
    assert many.best == RATES[int(np.argmin(found))]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_cut_and_any_restart_gives_the_same_bits(case: dict[str, Any]) -> None:
    given = dict(case)
    outputs = given.pop("outputs", 1)
    rows, y = stream(given.get("loss", "log"), outputs, 120)

    def made() -> RateMap:
        return RateMap(10, outputs, RATES[::16], **given)

    whole, pieces = made(), made()
    whole.run(rows, y)
    for start, stop in ((0, 1), (1, 50), (50, 50), (50, 120)):
        pieces.run(rows[start:stop].copy(), y[start:stop].copy())
        again = made()
        again.load_state(pieces.state_dict())
        pieces = again
    for name, value in whole.state_dict().items():
        other = pieces.state_dict()[name]
        if isinstance(value, np.ndarray) and name != "errors":
            assert value.tobytes() == other.tobytes(), name
    assert np.allclose(whole.errors, pieces.errors, rtol=1e-13)


def test_learning_first_scores_nothing_and_teaches_the_same() -> None:
    rows, y = stream("log", 1)
    one, two = RateMap(10, 1, RATES[:4], scale="online"), RateMap(10, 1, RATES[:4], scale="online")
    one.run(rows, y)
    two.learn(rows, y)
    assert one.weights.tobytes() == two.weights.tobytes()
    assert two.asked == 0
    assert two.best is None
    assert np.isnan(two.errors).all()


def test_wrong_calls_are_named() -> None:
    for rates, given, says in (
        ([], {}, "at least one"),
        ([0.1, 0.0], {}, "above 0"),
        ([0.1], {"learning_rate": 0.2}, "given by rates"),
        ([0.1], {"schedule": "optimal"}, "has no learning rate"),
        ([0.1], {"schedule": "pa", "loss": "hinge"}, "has no learning rate"),
    ):
        with pytest.raises(ValueError, match=says):
            RateMap(3, 1, rates, **given)
    some = RateMap(3, 1, [0.1])
    with pytest.raises(ValueError, match="3 columns"):
        some.run(np.zeros((2, 4)), np.zeros(2))
    with pytest.raises(ValueError, match="do not fit"):
        some.run(np.zeros((2, 3)), np.zeros(3))
    with pytest.raises(ValueError, match="another map"):
        some.load_state(RateMap(3, 1, [0.2]).state_dict())
