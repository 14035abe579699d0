"""What a verdict rests on. `LaneEvidence` itself is in the evaluation room: lanes give it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modellab.evaluation.evidence import LaneEvidence
from modellab.experiment import (
    HindsightPolicy,
    OnlinePolicy,
    OutOfCorePolicy,
    TriggeredPolicy,
)

if TYPE_CHECKING:
    from modellab.experiment import LaneSpec

__all__ = [
    "KnownDrifts",
    "LaneEvidence",
    "deployable",
    "learner_name",
    "policy_name",
    "upkeep_rank",
]

_RANKS = {
    "static": 0.0,
    "scheduled": 2.0,
    "triggered": 3.0,
    "cost_aware": 4.0,
    "online": 5.0,
    "champion": 7.0,
}
_GUARDED = 0.5


@dataclass(frozen=True)
class KnownDrifts:
    """Positions of drifts that are known to be there, to score alarms by.

    An alarm within `tolerance` rows after a drift found it. `start`, `stop`: rows replayed.
    """

    positions: list[int] = field(default_factory=list)
    tolerance: int = 5000
    start: int = 0
    stop: int = 0


def policy_name(spec: LaneSpec) -> str:
    """Name of the lane's policy as it stands in a file, such as ``cost_aware``."""
    return str(type(spec.policy).__struct_config__.tag)


def learner_name(spec: LaneSpec) -> str:
    """Name of the lane's learner as it stands in a file."""
    return spec.learner.class_name or spec.learner.kind


def deployable(lane: LaneEvidence) -> bool:
    """Whether the lane could be deployed: no baseline, and no hindsight."""
    return not lane.baseline and not isinstance(lane.spec.policy, HindsightPolicy)


def upkeep_rank(spec: LaneSpec) -> float:
    """How much work it is to keep a policy running; of lanes that tie, the least is recommended.

    In this order: *static* (nothing to do); out of core, then static (the first training takes care
    with chunks, nothing after it); *scheduled* (a job at known times); *triggered* (someone must
    watch what it watches, and jobs come when they come); *cost-aware* (that, and prices and a
    forecast to believe in); *online* (every row changes the model: it must be watched, guarded and
    rolled back); out of core, then online (both); *champion and challenger* (two models). A guard
    is one thing more to set up. An online lane that is frozen counts as static.
    """
    policy = spec.policy
    guarded = _GUARDED if spec.guard is not None else 0.0
    if isinstance(policy, OutOfCorePolicy):
        still = policy.then == "static" or policy.frozen
        return (1.0 if still else 6.0) + guarded
    if isinstance(policy, OnlinePolicy) and policy.frozen:
        return guarded
    if isinstance(policy, TriggeredPolicy) and policy.learn:
        return 6.5 + guarded
    return _RANKS.get(policy_name(spec), 9.0) + guarded
