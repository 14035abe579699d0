"""What the engine is given: it may not import the rooms above it (see `modellab.__main__`).

All take and give plain values that the engine's messages can carry.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from modellab.data.store import Store
    from modellab.evaluation.evidence import LaneEvidence
    from modellab.experiment import Experiment, LearnerSpec, PriceSpec
    from modellab.learners.base import Progress
    from modellab.replay.replay import Replay
    from modellab.replay.run import RunResult
    from modellab.replay.services import Moment
    from modellab.verdict.values import Hindsight, Verdict


def known_drifts(experiment: Experiment, start: int = 0, stop: int | None = None) -> list[int]:
    """Positions of drifts that are known: annotated, or made by a fault; ascending.

    Faults act on the rows [start, stop) that were replayed: a drift that recurs without an end does
    so up to `stop`.
    """
    from modellab.data.faults import drift_positions

    return sorted({*experiment.drift.known, *drift_positions(experiment.fault, start, stop)})


def judge(
    evidence: Sequence[LaneEvidence],
    experiment: Experiment,
    *,
    task_kind: str,
    start: int,
    stop: int,
    prices: PriceSpec | None = None,
    hindsight: Hindsight | Mapping[str, Any] | None = None,
    sensitivity: Mapping[str, Mapping[str, float]] | None = None,
) -> Verdict:
    """Judge the lanes of a replay of rows [start, stop), at the experiment's prices or others."""
    import msgspec

    from modellab.verdict.evidence import KnownDrifts
    from modellab.verdict.judge import judge as judged
    from modellab.verdict.values import Hindsight as HindsightValue

    if hindsight is not None and not isinstance(hindsight, HindsightValue):
        hindsight = msgspec.convert(hindsight, HindsightValue)
    # Rounded as in summary.json, so that the same verdict can be made from the files.
    lanes = [
        dataclasses.replace(one, cpu={key: round(value, 6) for key, value in one.cpu.items()})
        for one in evidence
    ]
    return judged(
        lanes,
        prices=prices or experiment.prices,
        task_kind=task_kind,
        seed=experiment.replay.seed,
        hindsight=hindsight,
        sensitivity=sensitivity,
        known=KnownDrifts(
            known_drifts(experiment, start, stop), experiment.drift.tolerance, start, stop
        ),
    )  # fmt: skip


def judge_replay(
    replay: Replay | Moment,
    prices: PriceSpec | None = None,
    hindsight: Mapping[str, Any] | None = None,
    sensitivity: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, Any]:
    """Judge a replay at its present position; a `Verdict` as builtins."""
    import msgspec

    verdict = judge(
        replay.evidence(),
        replay.experiment,
        task_kind=replay.context.task.kind,
        start=replay.train_rows,
        stop=replay.position,
        prices=prices or replay.prices,
        hindsight=hindsight,
        sensitivity=sensitivity,
    )
    built: dict[str, Any] = msgspec.to_builtins(verdict)
    return built


def find_hindsight(
    experiment: Experiment,
    store: Store,
    learner: LearnerSpec | None,
    grid: int,
    keep: int | str,
    progress: Progress,
) -> dict[str, Any]:
    """Find the hindsight optimum; ``{"hindsight": Hindsight, "lane": LaneSpec}`` as builtins.

    `learner` None: that of the first lane that retrains, else of a static one.
    """
    import msgspec

    from modellab.replay.context import build_context
    from modellab.verdict.hindsight import chosen_learner, hindsight_lane
    from modellab.verdict.hindsight import find_hindsight as find

    context = build_context(experiment, store)
    complete = context.experiment
    learner = learner or chosen_learner(complete)
    found = find(
        context, learner, grid=grid, keep=keep, prices=experiment.prices, progress=progress
    )  # fmt: skip
    lane = hindsight_lane(complete, learner, found, keep)
    return {"hindsight": msgspec.to_builtins(found), "lane": msgspec.to_builtins(lane)}


def measure_sensitivity(
    experiment: Experiment, store: Store, kinds: Sequence[str], progress: Progress
) -> dict[str, dict[str, float]]:
    """Measure the rise of the mean loss, by lane and by kind of fault."""
    from modellab.verdict.sensitivity import measure

    return measure(experiment, store, kinds, progress)


def write_results(
    result: RunResult,
    folder: Path,
    *,
    hindsight: Mapping[str, Any] | None = None,
    sensitivity: Mapping[str, Mapping[str, float]] | None = None,
) -> list[str]:
    """Write a results folder, verdict included, and return the names of its files."""
    from modellab.export.results import write_results as write

    return write(result, folder, hindsight=hindsight, sensitivity=sensitivity)


@dataclass(frozen=True)
class Services:
    """The functions themselves; each imports what it needs when it is first called."""

    write_results: Callable[..., list[str]] = field(default=write_results)
    judge: Callable[..., dict[str, Any]] = field(default=judge_replay)
    hindsight: Callable[..., dict[str, Any]] = field(default=find_hindsight)
    sensitivity: Callable[..., dict[str, dict[str, float]]] = field(default=measure_sensitivity)
