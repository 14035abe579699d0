"""The hindsight optimum: the schedule of retrains that costs least, all the stream known.

It is not deployable: it is the yardstick. On a grid of possible positions one candidate model is
trained at each for everything that the retraining lanes of its learner keep (`tried_keeps`), as the
hindsight policy does it: on what is kept of the labels that had arrived by then. Each is scored on
every later segment against what is true. The best schedule, and what each of its retrains keeps,
follows from these numbers alone (see `schedule`), so it follows other prices at once.

No schedule of retrains of the same learner on the same grid that keeps any of what was tried, be it
another thing each time, costs less. A policy that retrains elsewhere, on other rows (holds some
out to test on, or keeps exactly what came since an alarm), or learns online in between, can. After
a cold start there is no model before the first position: the baseline's errors are reckoned there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from modellab.data.stream import BLOCK
from modellab.errors import ExperimentError, LabError
from modellab.experiment import HindsightPolicy, LaneSpec, StaticPolicy
from modellab.experiment_policies import RETRAINING, SINCE_ALARM
from modellab.learners.base import no_progress
from modellab.verdict.schedule import best_schedules, schedule_cost
from modellab.verdict.values import Hindsight, HindsightPoint

if TYPE_CHECKING:
    from modellab.experiment import Experiment, LearnerSpec, PriceSpec
    from modellab.learners.base import Learner, Progress
    from modellab.replay.context import Context

LANE = "Hindsight"
DEFAULT_GRID = 12
MOST_KEEPS = 6
"""So many ways to keep rows are tried at most: the work is as many times the grid's."""


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


def tried_keeps(
    experiment: Experiment, learner: LearnerSpec, segment: int, keep: int | str = "any"
) -> tuple[list[int | str], list[int | str]]:
    """Return what is tried to be kept, and what lanes keep beyond that.

    Everything, and each number of rows that a lane keeps which retrains this learner. ``"alarm"``
    depends on the very schedule that is looked for; the newest segment and the newest four of
    `segment` rows stand for it. At most `MOST_KEEPS`: everything first, then the fewest rows.

    Parameters
    ----------
    keep
        Of the policy: other than ``"any"``, only that.
    """
    asked = [keep]
    if keep == "any":
        asked = [
            lane.policy.keep
            for lane in experiment.lane
            if isinstance(lane.policy, RETRAINING) and lane.learner == learner
        ]
    numbers = {one for one in asked if isinstance(one, int)}
    if any(one in SINCE_ALARM for one in asked):
        numbers |= {max(1, segment), max(1, 4 * segment)}
    every: list[int | str] = [] if isinstance(keep, int) else ["all"]
    every += sorted(numbers)
    return every[:MOST_KEEPS], every[MOST_KEEPS:]


def hindsight_lane(
    experiment: Experiment, learner: LearnerSpec, found: Hindsight, keep: int | str
) -> LaneSpec:
    """Return a lane that follows the schedule that was found; its name is not taken yet."""
    policy = HindsightPolicy(
        grid=max(1, len(found.grid)),
        keep=keep,
        at=list(found.at),
        keeps=list(found.keeps),
        searched=True,
    )
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
    keep: int | str = "any",
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
        Rows to train on, as in `HindsightPolicy` (see `tried_keeps`).
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
    segment = (context.stop - context.train_rows) // (len(positions) + 1)
    tried, left_out = tried_keeps(context.experiment, learner, segment, keep)
    models = _models(context, trained, tried)
    n, count = len(positions) + 1, len(models)
    losses = np.zeros((count, n))
    fit_cpu = np.zeros(count)
    failed: list[int] = []
    predict_cpu, predicted, rows = 0.0, 0, 0
    title = entry(learner).title
    for k, (own, start, known, _) in enumerate(models):
        told = f"Training {title} as of row {trained[own]:,}"
        if start and own:
            told += f" on the newest {known - start:,} rows"
        progress(k, count, told)
        fresh = context.build(learner)
        begin = time.thread_time()
        try:
            if own:
                context.fit(fresh, start, known)
            else:
                context.first_fit(learner, fresh)
        except LabError:
            if k == 0:
                raise
            failed.append(k)
            continue
        fit_cpu[k] = time.thread_time() - begin
        model = fresh if own or context.train_rows else None  # none before a cold start's first
        for s in range(own, n):
            begin = time.thread_time()
            losses[k, s], scored = _score(context, learner, model, edges[s], edges[s + 1])
            predict_cpu += time.thread_time() - begin
            predicted += edges[s + 1] - edges[s]
            rows += scored if k == 0 else 0
            progress(k + (s + 1 - own) / (n - own), count, told)
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
        tried=tried,
        left_out=left_out,
        begins=[one[0] for one in models],
        model_keeps=[one[3] for one in models],
    )
    return at_prices(found, prices)


def _models(
    context: Context, trained: list[int], tried: list[int | str]
) -> list[tuple[int, int, int, int | str]]:
    """Models to train: segment, first row, end of the labels known, and what that keeps.

    What keeps the same rows at a position as another is left out there.
    """
    found: list[tuple[int, int, int, int | str]] = [(0, 0, 0, "all")]
    for own, position in enumerate(trained[1:], start=1):
        known = int(context.stream.label_upto(position - 1, position)[-1])
        starts: set[int] = set()
        for keep in tried:
            start = max(0, known - keep) if isinstance(keep, int) else 0
            if start not in starts:
                found.append((own, start, known, keep))
            starts.add(start)
    return found


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
    begins = np.array(found.begins or range(len(losses)), dtype=np.int64)
    free = not any((prices.error, prices.retrain, prices.cpu_hour))
    per_cpu = prices.cpu_hour / 3600.0
    retrain = prices.retrain + per_cpu * fit_cpu
    retrain[found.failed] = np.inf
    always = per_cpu * (float(fit_cpu[0]) + found.predict_cpu)
    weight = 1.0 if free else prices.error  # without a price, errors alone decide
    points, chosen = [], []
    for cost, models in best_schedules(weight * losses, retrain, begins):
        if not np.isfinite(cost):
            continue
        lost = schedule_cost(losses, np.zeros(len(losses)), models, begins)
        upkeep = always + float(retrain[models].sum())
        points.append(
            HindsightPoint(
                retrains=len(models),
                error=lost / found.rows if found.rows else 0.0,
                upkeep=upkeep,
                total=prices.error * lost + upkeep,
                at=[found.grid[begins[k] - 1] for k in models],
            )
        )
        chosen.append(models)
    which = min(
        range(len(points)),
        key=lambda k: (points[k].error if free else points[k].total, points[k].retrains),
    )
    keeps = [found.model_keeps[k] for k in chosen[which]] if found.model_keeps else []
    best = points[which]
    return msgspec.structs.replace(found, at=best.at, total=best.total, points=points, keeps=keeps)
