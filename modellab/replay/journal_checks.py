"""A journal that comes with an experiment is refused before anything is trained, or followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.errors import ExperimentError, LabError, quote
from modellab.replay.lane import LaneRunner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.experiment import Experiment, Intervention
    from modellab.replay.context import Context


def check_journal(
    journal: Sequence[Intervention], experiment: Experiment, context: Context
) -> None:
    """Check that all journal entries of the experiment's lanes can be made.

    Raises
    ------
    ExperimentError
        With the sentence of the first that cannot.
    """
    learners = {spec.name: spec for spec in experiment.lane}
    tried: dict[str, LaneRunner] = {}
    for made in journal:
        if made.lane not in learners:
            continue  # of a lane that is added later
        if made.fork is not None:
            learners[made.fork] = learners[made.lane]
            continue
        if made.rollback is not None:
            _check_rollback(made, made.rollback, context.train_rows)
            continue
        if made.lane not in tried:
            tried[made.lane] = LaneRunner(learners[made.lane], context)
        for name, value in made.set.items():
            try:
                tried[made.lane].policy.set(name, value)
            except LabError as error:
                raise ExperimentError(
                    f"The intervention at row {made.position:,} in lane {quote(made.lane)} "
                    f"cannot be done: {error.sentence}"
                ) from error


def _check_rollback(made: Intervention, to: int, first: int) -> None:
    if to < first:
        raise ExperimentError(
            f"The rollback at row {made.position:,} in lane {quote(made.lane)} goes back to row "
            f"{to:,}, but the first model is deployed at row {first:,}."
        )
