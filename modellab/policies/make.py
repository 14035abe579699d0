"""From a lane's values to its policy at work; and which learner goes under which policy."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from modellab.errors import quote
from modellab.experiment import (
    ChampionPolicy,
    CostAwarePolicy,
    HindsightPolicy,
    OnlinePolicy,
    OutOfCorePolicy,
    ScheduledPolicy,
    StaticPolicy,
    TriggeredPolicy,
)
from modellab.learners.catalogue import entry as catalogue_entry

if TYPE_CHECKING:
    from modellab.experiment import LaneSpec, LearnerSpec
    from modellab.experiment import Policy as PolicySpec
    from modellab.learners.base import CatalogueEntry, Learner, TaskKind
    from modellab.policies.base import Policy, Surroundings

_CLASSES: dict[type, tuple[str, str]] = {
    StaticPolicy: ("static", "Static"),
    ScheduledPolicy: ("scheduled", "Scheduled"),
    TriggeredPolicy: ("triggered", "Triggered"),
    CostAwarePolicy: ("cost_aware", "CostAware"),
    OnlinePolicy: ("online", "Online"),
    OutOfCorePolicy: ("out_of_core", "OutOfCore"),
    ChampionPolicy: ("champion", "Champion"),
    HindsightPolicy: ("hindsight", "Hindsight"),
}


def make(spec: LaneSpec, learner: Learner, around: Surroundings) -> Policy:
    """Make the policy of a lane, behind its guard if it has one.

    Parameters
    ----------
    spec
        The lane.
    learner
        A learner of the lane's settings; `Policy.prepare` trains it.
    around
        The replay that it runs in.

    Raises
    ------
    ExperimentError
        If a span of time is asked for and there is no time column.
    """
    module, name = _CLASSES[type(spec.policy)]
    made: Any = getattr(importlib.import_module(f"modellab.policies.{module}"), name)
    policy: Policy = made(spec.policy, learner, around)
    if spec.guard is None:
        return policy
    guard: Any = importlib.import_module("modellab.policies.guard")
    guarded: Policy = guard.Guarded(policy, spec.guard, around)
    return guarded


def why_not(
    policy: PolicySpec, entry: CatalogueEntry, task_kind: TaskKind, has_training_window: bool
) -> str | None:
    """Why a learner cannot go under a policy; None if it can.

    Parameters
    ----------
    policy
        The policy's settings.
    entry
        The learner's line of the catalogue.
    task_kind, has_training_window
        Of the experiment.

    Returns
    -------
    What follows the learner's name in a sentence: ``"cannot learn online: ..."``.
    """
    reason = _task_reason(entry, task_kind)
    if reason is None and _learns(policy) and not entry.online:
        reason = f"cannot learn online: {_because(entry, 'online', _ALL_AT_ONCE)}"
    if reason is None and isinstance(policy, OutOfCorePolicy):
        reason = _out_of_core_reason(entry, has_training_window)
    if reason is None and isinstance(policy, ChampionPolicy | TriggeredPolicy):
        reason = _challenger_reason(policy.challenger, task_kind)
    if reason is None and not has_training_window:
        reason = _cold_reason(policy, entry)
    return reason


_ALL_AT_ONCE = "it can only be trained all at once."


def _because(entry: CatalogueEntry, what: str, usual: str) -> str:
    return entry.why_not.get(what, usual)


def _task_reason(entry: CatalogueEntry, task_kind: TaskKind) -> str | None:
    if task_kind in entry.tasks:
        return None
    usual = f"it does {' and '.join(entry.tasks)} only."
    return f"cannot do {task_kind}: {_because(entry, task_kind, usual)}"


def _learns(policy: PolicySpec) -> bool:
    """Whether the lane's own learner must learn online under this policy."""
    if isinstance(policy, OutOfCorePolicy):
        return policy.then == "online"
    if isinstance(policy, TriggeredPolicy):  # a champion that cannot is shadowed all the same
        return policy.learn and policy.action != "switch"
    return isinstance(policy, OnlinePolicy)


def _out_of_core_reason(entry: CatalogueEntry, has_training_window: bool) -> str | None:
    if not entry.chunks:
        usual = "it needs all rows at once."
        return f"cannot be trained out of core: {_because(entry, 'chunks', usual)}"
    if not has_training_window:
        return (
            "cannot be trained out of core first: there is no training window. Choose the online "
            "policy, or move the split."
        )
    return None


def _challenger_reason(challenger: LearnerSpec | None, task_kind: TaskKind) -> str | None:
    if challenger is None:
        return None
    line = catalogue_entry(challenger)
    reason = _task_reason(line, task_kind)
    return f"cannot have the challenger {quote(line.title)}, which {reason}" if reason else None


def _cold_reason(policy: PolicySpec, entry: CatalogueEntry) -> str | None:
    """Why a policy never gets a first model after a cold start."""
    if isinstance(policy, TriggeredPolicy) and not (policy.learn and entry.online):
        needed = {"any": 1, "all": len(policy.when)}.get(str(policy.combine), policy.combine)
        rows = sum(condition.kind == "rows" for condition in policy.when)
        if policy.action != "retrain" or rows < int(needed):
            return (
                "would never get a first model: there is no training window, and without a model "
                "there are no errors to act on. Add a condition on rows alone, or move the split."
            )
    if isinstance(policy, ChampionPolicy):
        others = catalogue_entry(policy.challenger)
        if not (policy.learn and (entry.online or others.online)):
            return (
                "would never answer: there is no training window, and neither learner learns "
                "online here."
            )
    return None
