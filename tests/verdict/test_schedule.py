"""The best schedule equals brute force, is beaten by no other, and is retrainopt's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.verdict.schedule import best_schedule, best_schedules, run_costs, schedule_cost

GRID = 12


def _problem(seed: int, n: int, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    age = np.maximum(np.arange(n)[None, :] - np.arange(n)[:, None], 0)
    losses = rng.random((n, n)) * 10 + age * rng.random((n, n)) * 4
    retrain = rng.random(n) * 20
    if whole:  # many schedules cost the same
        losses, retrain = losses.round(), retrain.round()
    losses[np.tril_indices(n, -1)] = np.nan  # a model does not serve before it is trained
    return losses, retrain


def _brute_force(losses: np.ndarray, retrain: np.ndarray) -> dict[int, float]:
    """Least cost for each number of retrains, over all schedules."""
    n = len(losses)
    found: dict[int, float] = {}
    for count in range(n):
        for models in itertools.combinations(range(1, n), count):
            total, newest = 0.0, 0
            for segment in range(n):
                if segment in models:
                    newest = segment
                    total += retrain[segment]
                total += losses[newest, segment]
            found[count] = min(found.get(count, np.inf), total)
    return found


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), whole=st.booleans())
def test_twelve_positions_equal_brute_force(seed: int, whole: bool) -> None:
    losses, retrain = _problem(seed, GRID + 1, whole)
    truth = _brute_force(losses, retrain)  # of all 4,096 schedules
    for count, (cost, models) in enumerate(best_schedules(losses, retrain)):
        assert cost == pytest.approx(truth[count])
        assert len(models) == count
        assert schedule_cost(losses, retrain, models) == pytest.approx(cost)
    cost, models = best_schedule(losses, retrain)
    assert cost == pytest.approx(min(truth.values()))
    # Of equal ones, that with the fewest retrains.
    assert len(models) == min(c for c, v in truth.items() if v == pytest.approx(cost, abs=1e-9))


@settings(deadline=None, max_examples=200)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 16), data=st.data())
def test_no_schedule_is_better(seed: int, n: int, data: st.DataObject) -> None:
    losses, retrain = _problem(seed, n, False)
    best, _ = best_schedule(losses, retrain)
    models = data.draw(st.sets(st.integers(1, n - 1))) if n > 1 else set()
    assert schedule_cost(losses, retrain, sorted(models)) >= best - 1e-9


def test_runs_begin_where_a_model_is_trained() -> None:
    run = run_costs(np.array([[1.0, 2.0], [np.nan, 5.0]]))
    assert run.tolist() == [[np.inf, 1.0, 3.0], [np.inf, np.inf, 5.0]]


def test_a_model_that_could_not_be_trained_is_never_taken() -> None:
    losses = np.array([[1.0, 9.0, 9.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    cost, models = best_schedule(losses, np.array([0.0, np.inf, 1.0]))
    assert (cost, models) == (12.0, [2])


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), weight=st.floats(0.01, 100))
def test_retrainopt_finds_the_same(seed: int, weight: float) -> None:
    dp = pytest.importorskip("retrainopt.core.dp")
    losses, retrain = _problem(seed, GRID + 1, False)
    n = len(losses)
    # Its steps are our segments; a model trained at step k serves from that step on.
    states = {
        (-1, 0): {"future_losses": {s: float(losses[0, s]) for s in range(n)}},
        **{
            (k, 1): {
                "training_cost": float(retrain[k]),
                "future_losses": {s: float(losses[k, s]) for s in range(k, n)},
            }
            for k in range(1, n)
        },
    }
    cost, decisions, *_ = dp.solve_exact_schedule(n, states, loss_cost_weight=weight)
    theirs = [k for k, one in enumerate(decisions) if one.action.value == "retrain"]
    ours, models = best_schedule(weight * losses, retrain)
    assert ours == pytest.approx(cost)
    assert models == theirs


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), n=st.integers(2, 5), ways=st.integers(1, 3))
def test_brute_force_over_several_models_at_a_position(seed: int, n: int, ways: int) -> None:
    rng = np.random.default_rng(seed)
    begins = np.array([0, *np.repeat(np.arange(1, n), rng.integers(0, ways + 1, n - 1))])
    losses = rng.integers(0, 9, (len(begins), n)).astype(float)
    retrain = rng.integers(0, 6, len(begins)).astype(float)
    by_count: dict[int, float] = {}
    for count in range(n):
        for models in itertools.combinations(range(1, len(begins)), count):
            if len({int(begins[k]) for k in models}) == count:
                cost = schedule_cost(losses, retrain, list(models), begins)
                by_count[count] = min(by_count.get(count, np.inf), cost)
    found = best_schedules(losses, retrain, begins)
    assert {k: cost for k, (cost, _) in enumerate(found) if np.isfinite(cost)} == by_count
    for k, (cost, models) in enumerate(found):
        if np.isfinite(cost):
            assert len(models) == k
            assert schedule_cost(losses, retrain, models, begins) == cost
