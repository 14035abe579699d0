"""The best schedule of retrains, when it is known what each candidate would have cost.

There are B possible positions, which cut the stream into B + 1 segments. Model 0 is there from the
start; model k (1 to B) is trained where segment k begins. Of each, the loss on every segment from
its own on is known. A schedule is a set of positions; it costs the losses of whichever model is the
newest in each segment, and what the trainings of its models cost. Where several models can be
trained at a position (on other rows), the schedule says which.

Solved by dynamic programming over the newest model, in O(B^2) for the best of all and O(B^3) for
the best of each number of retrains (Bellman 1957; as in the search for change points). Of schedules
that cost the same, the one with fewer and later retrains is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


def run_costs(losses: Floats, begins: Ints | None = None) -> Floats:
    """Cost of model k from its own segment up to before segment s.

    Parameters
    ----------
    losses
        (M, B + 1): of model k on segment s; entries before its own segment are not looked at.
    begins
        (M,): the segment of each model; None: model k begins with segment k.

    Returns
    -------
    Floats
        (M, B + 2): entry [k, s] sums up to segment s - 1; infinite before that.
    """
    count, n = losses.shape
    begins = np.arange(count) if begins is None else begins
    found = np.full((count, n + 1), np.inf)
    for k, own in enumerate(begins):
        found[k, own + 1 :] = np.cumsum(losses[k, own:])
    return found


def best_schedules(
    losses: Floats, retrain: Floats, begins: Ints | None = None
) -> list[tuple[float, list[int]]]:
    """Cheapest schedule for each number of retrains, 0 to B: cost, and numbers of the models.

    Parameters
    ----------
    losses
        (M, B + 1), as in `run_costs`, in money. Model 0 is the only one of segment 0.
    retrain
        (M,): what training each model costs; entry 0 is not counted.
    begins
        (M,), as in `run_costs`. A segment without a model cannot begin with a retrain.
    """
    count, n = losses.shape
    begins = np.arange(count) if begins is None else begins
    paid = retrain.copy()
    paid[0] = 0.0
    each = run_costs(losses, begins) + paid[:, None]
    # run[k, s], model[k, s]: the cheapest of segment k's models from there to before segment s.
    run = np.full((n, n + 1), np.inf)
    model = np.zeros((n, n + 1), dtype=np.int64)
    for k in range(count):
        own = begins[k]
        better = each[k] < run[own]
        run[own, better], model[own, better] = each[k, better], k
    # total[k]: cheapest way to come to where segment k begins, after so many retrains.
    total = np.full(n, np.inf)
    total[0] = 0.0
    steps: list[Ints] = []
    found: list[tuple[float, list[int]]] = []
    for number in range(n):
        ends = total + run[:, n]
        last = int(ends.argmin())
        found.append((float(ends[last]), _back(steps, last, model)))
        if number == n - 1:
            break
        ways = total[:, None] + run[:, :n]  # from segment j to the beginning of segment k
        before = ways.argmin(axis=0)
        following = ways[before, np.arange(n)]
        following[0] = np.inf
        steps.append(before)
        total = following
    return found


def best_schedule(
    losses: Floats, retrain: Floats, begins: Ints | None = None
) -> tuple[float, list[int]]:
    """Cheapest schedule of all: its cost, and the numbers of the models trained, in order."""
    every = best_schedules(losses, retrain, begins)
    least = min(cost for cost, _ in every)
    return next(one for one in every if one[0] <= least)


def schedule_cost(
    losses: Floats, retrain: Floats, models: list[int], begins: Ints | None = None
) -> float:
    """Cost of one schedule."""
    count, n = losses.shape
    begins = np.arange(count) if begins is None else begins
    run = run_costs(losses, begins)
    chain = [0, *models]
    ends = [*(int(begins[k]) for k in models), n]
    total = sum(float(run[k, s]) for k, s in zip(chain, ends, strict=True))
    return total + sum(float(retrain[k]) for k in models)


def _back(steps: list[Ints], last: int, model: Ints) -> list[int]:
    """Models of the way that ends in segment `last`'s, without model 0."""
    models: list[int] = []
    until = model.shape[1] - 1
    for before in reversed(steps):
        models.append(int(model[last, until]))
        last, until = int(before[last]), last
    return models[::-1]
