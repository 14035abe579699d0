"""The builds of one loop for different processors give the same bits, and one row after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modellab.learners.compiled import _math, twins
from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.rate_map import RateMap

CASES: list[dict[str, Any]] = [
    {"scale": "online", "track_rates": True},
    {"scale": "online", "penalty": "elasticnet", "schedule": "invscaling", "alpha": 0.01},
    {"loss": "squared", "clip": 1.5, "track_rates": True},
    {"loss": "hinge", "scale": "online", "schedule": "pa1"},
    {"loss": "log", "schedule": "adagrad", "average": True, "penalty": "l1"},
    {"outputs": 3, "scale": "online", "track_rates": True},
    {"scale": "online", "track_rates": True, "schedule": "invscaling", "learning_rate": 0.5},
    {"scale": "online", "track_rates": True, "schedule": "adagrad", "penalty": "elasticnet"},
    {"loss": "hinge", "track_rates": True, "penalty": "l1", "alpha": 0.01},
    {"loss": "huber", "scale": "online", "track_rates": True, "fit_intercept": False},
    {"outputs": 3, "multiclass": "softmax", "schedule": "ftrl"},
]
COLUMNS = (1, 7, 10, 13, 20)  # one to four groups of four, which stay in registers, and more
OF_MAPS = ("scale", "penalty", "schedule", "alpha", "loss", "clip", "average", "multiclass")


def stream(case: dict[str, Any], d: int, n: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Rows with missing and enormous values, scores far out, a label that is none."""
    rng = np.random.default_rng(d)
    rows = rng.normal(size=(n, d)) * rng.uniform(0.1, 30.0, d)
    value = rows.sum(axis=1) + rng.normal(size=n)
    y = (
        value
        if case.get("loss") in ("squared", "huber")
        else np.digitize(value, [0.0]).astype(float)
    )
    if case.get("outputs") == 3:
        y = np.digitize(value, [-5.0, 5.0]).astype(float)
    rows[11, 0], rows[50, d - 1], rows[90] = np.nan, 1e200, 1e6
    y[30], y[70] = np.nan, 17.0
    return rows, y


def kernel(case: dict[str, Any], d: int) -> LinearKernel:
    given = dict(case)
    return LinearKernel(d, given.pop("outputs", 1), **{"learning_rate": 0.05, **given})


def same(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        if isinstance(value, np.ndarray):
            assert value.tobytes() == two[name].tobytes(), name
        else:
            assert value == two[name], name


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_builds_give_the_same_bits(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not twins.loops("_linear").__name__.endswith(twins.SUFFIX):
        pytest.skip("there is one build only on this processor")
    for d in COLUMNS:
        rows, y = stream(case, d)
        states, scores, maps = [], [], []
        for which in ("base", "best"):
            monkeypatch.setenv(twins.VARIABLE, which)
            one = kernel(case, d)
            scores.append(one.run(rows, rows, y, np.arange(1, len(y) + 1)))
            states.append(one.state_dict())
            given = {k: v for k, v in case.items() if k in OF_MAPS}
            many = RateMap(d, case.get("outputs", 1), np.geomspace(1e-4, 1.0, 11), **given)
            many.run(rows, y)
            maps.append(many.state_dict())
        assert scores[0].tobytes() == scores[1].tobytes()
        same(*states)
        same(*maps)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("scaled", [True, False])
def test_both_builds_find_the_same_neighbours(
    outputs: int, scaled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not twins.loops("_neighbours").__name__.endswith(twins.SUFFIX):
        pytest.skip("there is one build only on this processor")
    rng = np.random.default_rng(outputs)
    n = 400
    for d in COLUMNS:
        rows = rng.normal(size=(n, d)) * rng.uniform(0.1, 30.0, d)
        rows[rng.random(rows.shape) < 0.1] = np.nan
        rows[:, -1] = rng.integers(-1, 3, n)
        codes = np.zeros(d, np.int32)
        codes[-1] = 3
        y = rng.integers(0, max(2, outputs), n).astype(float)
        given = {"window": 70, "neighbours": 7, "by_distance": True, "scaled": scaled}
        found = []
        for which in ("base", "best"):
            monkeypatch.setenv(twins.VARIABLE, which)
            core = twins.loops("_neighbours").NeighboursCore(codes, outputs, given)
            answers, out = np.zeros(n, np.int64), np.empty((n, outputs))
            core.run(rows, rows, y, np.arange(1, n + 1), 1, False, answers, out)
            found.append((answers.tobytes(), out.tobytes()))
        assert found[0] == found[1]


def test_the_plain_build_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(twins.VARIABLE, "base")
    assert twins.loops("_linear").__name__.endswith("._linear")
    monkeypatch.delenv(twins.VARIABLE)
    assert twins.loops("_linear").__name__.endswith("_avx2") <= _math.has_avx2()


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("late", [0, 3])
def test_a_run_is_one_row_after_another(case: dict[str, Any], late: int) -> None:
    # Rows are taken in one ahead of the weights where one label follows each: nobody can tell.
    for d in COLUMNS:
        rows, y = stream(case, d)
        n = len(y)
        upto = np.maximum(np.arange(1, n + 1) - late, 0)
        upto[100:110] = upto[99]  # labels stay away, then come at once
        whole, single = kernel(case, d), kernel(case, d)
        scores = whole.run(rows, rows, y, upto)
        alone = []
        arrived = 0
        for i in range(n):
            one = slice(i, i + 1)
            if "track_rates" in case:  # they are asked in `run` alone
                came = slice(arrived, upto[i])
                count = np.array([upto[i] - arrived])
                alone.append(single.run(rows[one], rows[came].copy(), y[came].copy(), count))
            else:
                alone.append(single.predict(rows[one]))
                single.learn(rows[arrived : upto[i]], y[arrived : upto[i]])
            arrived = int(upto[i])
        assert scores.tobytes() == np.concatenate(alone).tobytes()
        same(whole.state_dict(), single.state_dict())
