"""Faults that are injected into a running replay, or taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.data.faults import check_faults
from modellab.errors import ExperimentError
from modellab.experiment import replace
from modellab.experiment_faults import check_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.experiment import Fault
    from modellab.learners.base import Progress
    from modellab.replay.replay import Replay


def inject(replay: Replay, fault: Fault) -> Fault:
    """See `Replay.inject`."""
    start = max(fault.start, replay.position)
    if fault.stop is not None and fault.stop <= start:
        raise ExperimentError(
            f"The fault would be over at row {fault.stop:,}, before the present row, "
            f"{replay.position:,}."
        )
    made: Fault = replace(fault, start=start)
    check_fault(made)
    _set(replay, [*replay.experiment.fault, made])
    if replay.checkpoints is not None:
        replay.checkpoints.forget_after(start)
    return made


def remove_fault(replay: Replay, index: int, progress: Progress, told: Callable[[], None]) -> None:
    """See `Replay.remove_fault`."""
    faults = list(replay.experiment.fault)
    if not 0 <= index < len(faults):
        raise ExperimentError(f"There is no fault number {index + 1}.")
    gone = faults.pop(index)
    here, start = replay.position, max(gone.start, replay.train_rows)
    store = replay.checkpoints
    begun = start < here and (gone.stop is None or gone.stop > start)
    if begun and store is None:
        raise ExperimentError("This replay keeps no checkpoints, so it can't go back.")
    _set(replay, faults)
    if store is not None:
        store.forget_after(start)
    if begun:
        replay.restore(start, progress)
    told()
    if begun:
        replay.seek(here, progress)


def _set(replay: Replay, faults: list[Fault]) -> None:
    check_faults(faults, replay.context.dataset)
    replay.experiment = replace(replay.experiment, fault=faults)
    for host in replay.hosts:
        host.call("set_faults", faults)
