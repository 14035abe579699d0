"""The best schedule of retrains, when it is known what each candidate would have cost.

There are B possible positions, which cut the stream into B + 1 segments. Model 0 is there from the
start; model k (1 to B) is trained where segment k begins. Of each, the loss on every segment from
its own on is known. A schedule is a set of positions; it costs the losses of whichever model is the
newest in each segment, and what the trainings of its models cost.

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


def run_costs(losses: Floats) -> Floats:
    """Cost of model k from its own segment up to before segment s.

    Parameters
    ----------
    losses
        (B + 1, B + 1): of model k on segment s; entries with s < k are not looked at.

    Returns
    -------
    Floats
        (B + 1, B + 2): entry [k, s] sums segments k to s - 1; infinite where s <= k.
    """
    n = len(losses)
    found = np.full((n, n + 1), np.inf)
    for k in range(n):
        found[k, k + 1 :] = np.cumsum(losses[k, k:])
    return found


def best_schedules(losses: Floats, retrain: Floats) -> list[tuple[float, list[int]]]:
    """Cheapest schedule for each number of retrains, 0 to B: cost, and numbers of the models.

    Parameters
    ----------
    losses
        (B + 1, B + 1), as in `run_costs`, in money.
    retrain
        (B + 1,): what training each model costs; entry 0 is not counted.
    """
    n = len(losses)
    run = run_costs(losses)
    # total[k]: cheapest way to come to where model k is trained, after so many retrains.
    total = np.full(n, np.inf)
    total[0] = 0.0
    steps: list[NDArray[np.int64]] = []
    found: list[tuple[float, list[int]]] = []
    for count in range(n):
        ends = total + run[:, n]
        last = int(ends.argmin())
        found.append((float(ends[last]), _back(steps, last)))
        if count == n - 1:
            break
        ways = total[:, None] + run[:, :n]  # from model j to the beginning of segment k
        before = ways.argmin(axis=0)
        following = ways[before, np.arange(n)] + retrain
        following[0] = np.inf
        steps.append(before)
        total = following
    return found


def best_schedule(losses: Floats, retrain: Floats) -> tuple[float, list[int]]:
    """Cheapest schedule of all: its cost, and the numbers of the models trained, ascending."""
    every = best_schedules(losses, retrain)
    least = min(cost for cost, _ in every)
    return next(one for one in every if one[0] <= least)


def schedule_cost(losses: Floats, retrain: Floats, models: list[int]) -> float:
    """Cost of one schedule."""
    n = len(losses)
    run = run_costs(losses)
    chain = [0, *models]
    total = sum(float(run[k, s]) for k, s in zip(chain, [*models, n], strict=True))
    return total + sum(float(retrain[k]) for k in models)


def _back(steps: list[NDArray[np.int64]], last: int) -> list[int]:
    models = []
    for before in reversed(steps):
        models.append(last)
        last = int(before[last])
    return models[::-1]
