"""The hindsight optimum: the schedule of retrains that costs least, all the stream known.

It is not deployable: it is the yardstick. On a grid of possible positions one candidate model is
trained at each, as the hindsight policy does it (on what `keep` keeps of the labels that had
arrived by then), and scored on every later segment against what is true. The best schedule follows
from these numbers alone (see `schedule`), so it follows other prices at once.

No schedule of retrains of the same learner on the same grid that trains on the same rows costs
less. A policy that retrains elsewhere, on other rows, or learns online in between, can. After a
cold start there is no model before the first position: the baseline's errors are reckoned there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from modellab.data.stream import BLOCK
from modellab.errors import ExperimentError, LabError
from modellab.experiment import HindsightPolicy, LaneSpec, StaticPolicy
from modellab.experiment_policies import RETRAINING
from modellab.learners.base import no_progress
from modellab.verdict.schedule import best_schedules
from modellab.verdict.values import Hindsight, HindsightPoint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.experiment import Experiment, LearnerSpec, PriceSpec
    from modellab.learners.base import Learner, Progress
    from modellab.replay.context import Context

    Floats = NDArray[np.float64]

LANE = "Hindsight"
DEFAULT_GRID = 12


def grid_positions(start: int, stop: int, grid: int) -> list[int]:
    """Positions that cut [start, stop) into ``grid + 1`` segments of about equal length."""
    found = start + np.arange(1, grid + 1, dtype=np.int64) * (stop - start) // (grid + 1)
    return [int(p) for p in np.unique(found) if p > max(start, 0)]


def chosen_learner(experiment: Experiment) -> LearnerSpec:
    """Learner to find the optimum of: of the first lane that retrains, else of a static one.

    Raises
    ------
    ExperimentError
        If there is no lane but the baselines.
    """
    lanes = [lane for lane in experiment.lane if not isinstance(lane.policy, HindsightPolicy)]
    for kinds in (RETRAINING, (StaticPolicy,), (object,)):
        for lane in lanes:
            if isinstance(lane.policy, kinds):
                return lane.learner
    raise ExperimentError("There is no lane whose learner could be retrained in hindsight.")


def hindsight_lane(
    experiment: Experiment, learner: LearnerSpec, found: Hindsight, keep: int | str
) -> LaneSpec:
    """Return a lane that follows the schedule that was found; its name is not taken yet."""
    policy = HindsightPolicy(
        grid=max(1, len(found.grid)), keep=keep, at=list(found.at), searched=True
    )  # fmt: skip
    return LaneSpec(name=_free_name(experiment), policy=policy, learner=learner)


def with_hindsight_lane(experiment: Experiment, grid: int) -> Experiment:
    """Return the experiment with a lane of the optimum, yet to be found on so many positions.

    Lanes of it that are there already, and have yet to be found, get this grid instead.
    """
    from modellab.experiment import replace

    lanes, waiting = [], False
    for lane in experiment.lane:
        policy = lane.policy
        if isinstance(policy, HindsightPolicy) and not policy.searched and not policy.at:
            waiting = True
            lane = replace(lane, policy=replace(policy, grid=grid))
        lanes.append(lane)
    if not waiting:
        policy = HindsightPolicy(grid=grid)
        lanes.append(LaneSpec(_free_name(experiment), policy, chosen_learner(experiment)))
    changed: Experiment = replace(experiment, lane=lanes)
    return changed


def _free_name(experiment: Experiment) -> str:
    taken = {lane.name for lane in experiment.lane}
    names = (f"{LANE} {k}" if k > 1 else LANE for k in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def find_hindsight(
    context: Context,
    learner: LearnerSpec,
    *,
    grid: int = DEFAULT_GRID,
    keep: int | str = "all",
    prices: PriceSpec,
    progress: Progress = no_progress,
) -> Hindsight:
    """Find the best schedule of retrains of a learner; one model is in memory at a time.

    Parameters
    ----------
    context
        Of the replay, faults included; the stream up to its end is looked at.
    learner
        What is trained.
    grid
        Number of possible positions.
    keep
        Rows to train on: ``"all"`` or ``"alarm"`` all labels known, a number: the newest so many.
    prices
        What errors, retrains and compute cost.
    progress
        Told how many models are done.

    Raises
    ------
    ExperimentError, LearnerError
        If the learner cannot be built, or not be trained on the training window.
    """
    from modellab.learners.catalogue import entry

    if grid < 1:
        raise ExperimentError("The grid of the hindsight optimum needs at least one position.")
    positions = grid_positions(context.train_rows, context.stop, grid)
    # A model that is ready during an outage serves once the link is back.
    serves = [min(context.stream.next_link(p), context.stop) for p in positions]
    edges = [context.train_rows, *serves, context.stop]
    trained = [context.train_rows, *positions]
    n = len(positions) + 1
    losses = np.zeros((n, n))
    fit_cpu = np.zeros(n)
    failed: list[int] = []
    predict_cpu, predicted, rows = 0.0, 0, 0
    title = entry(learner).title
    for k in range(n):
        told = f"Training {title} as of row {trained[k]:,}"
        progress(k, n, told)
        model: Learner | None = context.build(learner)
        begin = time.thread_time()
        try:
            if not _train(context, learner, model, k, trained[k], keep):
                model = None
        except LabError:
            if k == 0:
                raise
            failed.append(k)
            continue
        fit_cpu[k] = time.thread_time() - begin
        for s in range(k, n):
            begin = time.thread_time()
            losses[k, s], scored = _score(context, learner, model, edges[s], edges[s + 1])
            predict_cpu += time.thread_time() - begin
            predicted += edges[s + 1] - edges[s]
            rows += scored if k == 0 else 0
            progress(k + (s + 1 - k) / (n - k), n, told)
    stream = context.stop - context.train_rows
    found = Hindsight(
        learner=learner.class_name or learner.kind,
        grid=positions,
        at=[],
        total=0.0,
        stop=context.stop,
        fit_seconds=float(fit_cpu.sum()),
        losses=[[float(v) for v in row] for row in losses],
        fit_cpu=[float(v) for v in fit_cpu],
        predict_cpu=predict_cpu / predicted * stream if predicted else 0.0,
        failed=failed,
        rows=rows,
    )
    return at_prices(found, prices)


def _train(
    context: Context,
    spec: LearnerSpec,
    model: Learner | None,
    number: int,
    position: int,
    keep: int | str,
) -> bool:
    """Train model `number`; return whether there is one (none before a cold start's first)."""
    assert model is not None
    if number == 0:
        context.first_fit(spec, model)
        return context.train_rows > 0
    known = int(context.stream.label_upto(position - 1, position)[-1])
    start = max(0, known - keep) if isinstance(keep, int) else 0
    context.fit(model, start, known)
    return True


def _score(
    context: Context, spec: LearnerSpec, model: Learner | None, start: int, stop: int
) -> tuple[float, int]:
    """Sum of the losses of a model on rows [start, stop), and how many there are."""
    from modellab.replay.surroundings import LaneSurroundings

    total, count = 0.0, 0
    common = LaneSurroundings(context, spec)
    at = start
    while at < stop:
        # As a lane is predicted: in pieces that end with the blocks.
        end = min(stop, (at // BLOCK + 1) * BLOCK)
        if model is None:
            answers = common.baseline(at, end)
        else:
            answers = model.predict(context.stream.rows(model.view, at, end))
        lost = context.losses(answers, context.stream.labels(at, end))
        there = ~np.isnan(lost)
        total += float(lost[there].sum())
        count += int(there.sum())
        at = end
    return total, count


def at_prices(found: Hindsight, prices: PriceSpec) -> Hindsight:
    """Return the optimum, and the best for each number of retrains, at these prices."""
    losses = np.array(found.losses, dtype=np.float64)
    fit_cpu = np.array(found.fit_cpu, dtype=np.float64)
    if not len(losses):
        return found
    free = not any((prices.error, prices.retrain, prices.cpu_hour))
    per_cpu = prices.cpu_hour / 3600.0
    retrain = prices.retrain + per_cpu * fit_cpu
    retrain[found.failed] = np.inf
    always = per_cpu * (float(fit_cpu[0]) + found.predict_cpu)
    weight = 1.0 if free else prices.error  # without a price, errors alone decide
    points = []
    for cost, models in best_schedules(weight * losses, retrain):
        if not np.isfinite(cost):
            continue
        lost = _losses_of(losses, models)
        upkeep = always + float(retrain[models].sum())
        points.append(
            HindsightPoint(
                retrains=len(models),
                error=lost / found.rows if found.rows else 0.0,
                upkeep=upkeep,
                total=prices.error * lost + upkeep,
                at=[found.grid[k - 1] for k in models],
            )
        )
    best = min(points, key=lambda p: (p.error if free else p.total, p.retrains))
    return Hindsight(
        learner=found.learner,
        grid=found.grid,
        at=best.at,
        total=best.total,
        stop=found.stop,
        points=points,
        fit_seconds=found.fit_seconds,
        losses=found.losses,
        fit_cpu=found.fit_cpu,
        predict_cpu=found.predict_cpu,
        failed=found.failed,
        rows=found.rows,
    )


def _losses_of(losses: Floats, models: list[int]) -> float:
    chain = [0, *models]
    ends = [*models, len(losses)]
    return float(sum(losses[k, k:s].sum() for k, s in zip(chain, ends, strict=True)))
