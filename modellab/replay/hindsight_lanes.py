"""Lanes that follow the hindsight optimum: where their positions come from, and regret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from modellab.errors import ExperimentError, quote
from modellab.experiment import HindsightPolicy, replace
from modellab.learners.base import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modellab.experiment import Experiment, LaneSpec, LearnerSpec, PriceSpec
    from modellab.replay.context import Context
    from modellab.replay.lane_state import LaneState


NOT_FOUND = (
    "Lane {} follows the hindsight optimum, which has not been found yet: give its positions (at), "
    "or find it first."
)


class FindHindsight(Protocol):
    """Finds the hindsight optimum; of the verdict room, given by whoever starts a replay."""

    def __call__(
        self,
        context: Context,
        learner: LearnerSpec,
        *,
        grid: int,
        keep: int | str,
        prices: PriceSpec,
        progress: Progress = no_progress,
    ) -> Any:
        """Return something with `at` and `keeps` (see `verdict.values.Hindsight`)."""
        ...


def waits(spec: LaneSpec) -> bool:
    """Whether the lane's positions have yet to be found."""
    policy = spec.policy
    return isinstance(policy, HindsightPolicy) and not policy.searched and not policy.at


def with_positions(
    experiment: Experiment, context: Context, find: FindHindsight | None, progress: Progress
) -> Experiment:
    """Return the experiment with the positions of all its hindsight lanes.

    Raises
    ------
    ExperimentError
        If some have yet to be found, and there is nothing to find them with.
    """
    lanes: list[LaneSpec] = []
    for spec in experiment.lane:
        if not waits(spec):
            lanes.append(spec)
            continue
        if find is None:
            raise ExperimentError(NOT_FOUND.format(quote(spec.name)))
        lanes.append(found_lane(spec, context, find, progress))
    return replace(experiment, lane=lanes)  # type: ignore[no-any-return]


def found_lane(
    spec: LaneSpec, context: Context, find: FindHindsight, progress: Progress
) -> LaneSpec:
    """Return a hindsight lane with the positions that are best."""
    policy = spec.policy
    assert isinstance(policy, HindsightPolicy)
    found = find(
        context,
        spec.learner,
        grid=policy.grid,
        keep=policy.keep,
        prices=context.experiment.prices,
        progress=progress,
    )
    at = [int(position) for position in found.at]
    known = replace(policy, at=at, keeps=list(found.keeps), searched=True)
    return replace(spec, policy=known)  # type: ignore[no-any-return]


def tell_regret(lanes: Mapping[str, LaneState]) -> None:
    """Set every lane's regret: its total cost less that of the cheapest hindsight lane."""
    costs = [s.cost["total"] for s in lanes.values() if isinstance(s.spec.policy, HindsightPolicy)]
    if costs:
        best = min(costs)
        for state in lanes.values():
            state.regret = state.cost["total"] - best
