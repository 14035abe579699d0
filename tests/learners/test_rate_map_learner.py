"""The map of a linear learner: every rate errs as a learner with that rate does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modellab.data.task import Task
from modellab.errors import LearnerError
from modellab.learners.base import Inputs
from modellab.learners.linear import LinearLearner
from modellab.learners.rate_map import RateMap

NAMES = ("a", "b", "c")


def inputs(kind: str, **given: Any) -> Inputs:
    classes = ("no", "yes") if kind == "classification" else ()
    return Inputs(NAMES, Task(kind, classes, "y"), **given)


def stream(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(n, 3)) * [1.0, 20.0, 0.1] + 5.0
    return rows, (rows - 5.0) @ [1.0, -0.05, 10.0] + rng.normal(size=n)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_every_rate_errs_as_its_own_learner(kind: Any) -> None:
    rows, value = stream()
    y = (value > 0).astype(np.int64) if kind == "classification" else value * 40 + 300
    train, params = slice(0, 100), {"schedule": "invscaling", "alpha": 0.001}
    unit, centre = (1.0, 0.0) if kind == "classification" else (y[train].std(), y[train].mean())
    many = RateMap(inputs(kind), params, centre=centre, unit=unit)
    many.learn(rows[train], y[train])
    assert many.error_by_rate() == {}
    assert many.best is None
    many.run(rows[100:250], y[100:250])
    many.run(rows[250:], y[250:])
    assert many.rows == 300
    assert len(many.rates) == 64
    found = many.error_by_rate()
    for rate in many.rates[::21].tolist():
        one = LinearLearner(inputs(kind), {**params, "learning_rate": rate})
        one.fit(rows[train], y[train])
        told, _ = one.run(rows[100:], rows[100:], y[100:], np.arange(1, 301), 1, 1, False)
        wrong = told.value != y[100:] if kind == "classification" else np.abs(told.value - y[100:])
        assert found[rate] == pytest.approx(np.mean(wrong), rel=1e-9)
    assert many.best == min(found, key=lambda rate: (found[rate], rate))


def test_what_has_no_map_is_told() -> None:
    with pytest.raises(LearnerError, match="optimal takes no learning rate"):
        RateMap(inputs("classification"), {"schedule": "optimal"})
    with pytest.raises(LearnerError, match="averaged weights don't go with"):
        RateMap(inputs("classification", sparse_from=1), {"average": True, "penalty": "l1"})
    with pytest.raises(LearnerError, match="above 0"):
        RateMap(inputs("classification"), {}, np.zeros(2))
