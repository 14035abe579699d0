"""Asking the engine for the map of learning rates (no Qt)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.gui.session_core import struct_of
from modellab.gui.session_training import training_key
from modellab.replay.data_protocol import MapRates, RatesMapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.experiment import Experiment, LearnerSpec
    from modellab.gui.session import Session
    from modellab.gui.session_jobs import Job

KIND = "rates"
WITHOUT = {
    "optimal": "The schedule “optimal” sets the rate by itself.",
    "pa": "The schedule “pa” takes no learning rate.",
}
"""Schedules that heed no learning rate."""


def why_no_map(learner: LearnerSpec) -> str | None:
    """Return why a linear learner has no map; None if it has one."""
    return WITHOUT.get(str(learner.params.get("schedule", "constant")))


def map_key(experiment: Experiment, learner: LearnerSpec) -> tuple[object, ...]:
    """What decides what a map shows: data, window, and all settings but the rate itself."""
    params = {k: v for k, v in learner.params.items() if k not in ("learning_rate", "track_rates")}
    return (*training_key(experiment), learner.kind, tuple(sorted(params.items())))


def map_rates(
    session: Session,
    experiment: Experiment,
    learner: LearnerSpec,
    done: Callable[[RatesMapped], None],
    failed: Callable[[str], None],
) -> Job:
    """Compute the error of 64 learning rates over the training window.

    `failed` gets a sentence, empty when it was cancelled.
    """
    return session.start_job(
        MapRates(experiment=experiment, learner=learner),
        KIND,
        "Trying 64 learning rates",
        on_done=lambda result: done(struct_of(RatesMapped, result)),
        on_failed=lambda sentence, _detail, cancelled: failed("" if cancelled else sentence),
    )
