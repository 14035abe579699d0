"""Whether a learner does the task, and can be kept under a policy: checked before any training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.errors import ExperimentError, quote
from modellab.experiment import ChampionPolicy, LaneSpec, LearnerSpec, TriggeredPolicy
from modellab.experiment_policies import RETRAINING, HindsightPolicy
from modellab.learners.catalogue import entry
from modellab.policies.make import why_not

if TYPE_CHECKING:
    from modellab.replay.context import Context


def check_lane(spec: LaneSpec, context: Context) -> None:
    """Check that the learner does the task and supports the policy (a training has no lane name).

    Raises
    ------
    ExperimentError
        With the catalogue's reason.
    """
    where = f"Lane {quote(spec.name)}: " if spec.name else ""
    policy = spec.policy
    line = entry(spec.learner)
    reason = why_not(policy, line, context.task.kind, context.train_rows > 0)
    if reason is not None:
        raise ExperimentError(f"{where}{line.title} {reason}")
    if context.experiment.training.mode != "chunks":
        return
    retrains = isinstance(policy, (*RETRAINING, HindsightPolicy))
    if context.train_rows or retrains:
        _check_chunks(spec.learner, where)
    challenger = getattr(policy, "challenger", None)
    trains_it = isinstance(policy, ChampionPolicy | TriggeredPolicy) and context.train_rows
    if challenger is not None and trains_it:
        _check_chunks(challenger, f"{where}the challenger ")


def _check_chunks(learner: LearnerSpec, where: str) -> None:
    line = entry(learner)
    if not line.chunks and line.family != "baseline":
        reason = line.why_not.get("chunks", "it needs all rows at once.")
        raise ExperimentError(
            f"{where}{line.title} cannot be trained out of core: {reason} Train it in memory on a "
            "sample, or choose another learner."
        )
