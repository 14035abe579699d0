"""How much a lane suffers from bad data: the same rows again, once for each kind of fault.

The first rows of the stream are replayed as they are, then again with each fault from a fifth of
them on; told is by how much the mean loss rose, over all of them, against what is true. Everything
is seeded, so a rise is the fault's doing and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.errors import Cancelled, ExperimentError, LabError, nearest, quote
from modellab.experiment import FAULT_KINDS, replace
from modellab.experiment_faults import (
    DriftFault,
    DuplicatedRows,
    FeatureNoise,
    LabelDelay,
    LabelNoise,
    MissingValues,
    Outage,
    SwappedColumns,
    UnitError,
)
from modellab.learners.base import no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.data.store import Store
    from modellab.experiment import Experiment, Fault
    from modellab.learners.base import Progress

ROWS = 5000
"""Rows of the stream that are replayed, at most."""
COLUMNS = 3
"""A unit error is tried on so many number columns, one at a time; the worst counts."""
KINDS = ("label_noise", "missing_values", "unit_error")
_PIECES = 8


def measure(
    experiment: Experiment,
    store: Store,
    kinds: Sequence[str] = (),
    progress: Progress = no_progress,
    *,
    rows: int = ROWS,
) -> dict[str, dict[str, float]]:
    """Measure the rise of the mean loss, by lane and by kind of fault.

    Parameters
    ----------
    experiment
        As replayed; its own faults stay. Lanes that follow the hindsight optimum are left out.
    store
        Its data.
    kinds
        Kinds of faults; empty: label noise, missing values and a unit error. A kind that these data
        cannot have (a unit error without a number column) is left out.
    progress
        Told how far it is.
    rows
        Rows of the stream that are replayed, at most.

    Raises
    ------
    ExperimentError
        If there is no such kind, or the experiment does not fit its data.
    """
    wanted = list(kinds) or list(KINDS)
    for kind in wanted:
        if kind not in FAULT_KINDS:
            near = nearest(kind, FAULT_KINDS)
            hint = f" Did you mean {near}?" if near else ""
            raise ExperimentError(f"There is no fault called {quote(kind)}.{hint}")
    plain = _shortened(experiment, store, rows)
    trials = [(kind, fault) for kind in wanted for fault in _faults(kind, plain, store)]
    parts = float(len(trials) + 1)

    def part(index: int, text: str) -> Progress:
        def told(done: float, total: float, text: str = text) -> None:
            progress(index + (done / total if total else 0.0), parts, text)

        return told

    before = _losses(plain, store, part(0, "Replaying as it is"))
    found: dict[str, dict[str, float]] = {name: {} for name in before}
    for index, (kind, fault) in enumerate(trials, 1):
        text = f"Replaying with {kind.replace('_', ' ')}"
        faulty = replace(plain, fault=[*plain.fault, fault])
        try:
            after = _losses(faulty, store, part(index, text))
        except Cancelled:
            raise
        except LabError:
            continue  # these data cannot have this fault
        for name, value in after.items():
            if name in before:
                rise = value - before[name]
                found[name][kind] = max(rise, found[name].get(kind, rise))
    return found


def _shortened(experiment: Experiment, store: Store, rows: int) -> Experiment:
    """Return the experiment on the first rows of its stream, without hindsight."""
    from modellab.experiment import HindsightPolicy
    from modellab.replay.context import build_context

    complete = build_context(experiment, store).experiment
    limit = complete.replay.limit
    limit = min(limit, rows) if limit else rows
    lanes = [lane for lane in complete.lane if not isinstance(lane.policy, HindsightPolicy)]
    names = {lane.name for lane in lanes}
    journal = [e for e in complete.intervention if e.lane in names or e.fork is not None]
    shorter: Experiment = replace(
        complete,
        lane=lanes,
        intervention=journal,
        replay=replace(complete.replay, limit=limit),
    )
    return shorter


def _losses(experiment: Experiment, store: Store, progress: Progress) -> dict[str, float]:
    """Mean loss of each lane (baselines too)."""
    from modellab.replay.replay import Replay

    replay = Replay(experiment, store, checkpoints=False)
    try:
        replay.prepare()
        first, stop = replay.train_rows, replay.stop
        for k in range(1, _PIECES + 1):
            progress(k - 1, _PIECES)
            replay.advance(first + (stop - first) * k // _PIECES)
        means = {one.name: one.losses.mean for one in replay.evidence()}
        return {name: mean for name, mean in means.items() if mean is not None}
    finally:
        replay.close()


def _faults(kind: str, experiment: Experiment, store: Store) -> list[Fault]:
    """Return the fault of a kind, or several of which the worst counts; none if it cannot be."""
    from modellab.data.dataset import Dataset

    dataset = Dataset.build(store, experiment.data, experiment.split)
    train = dataset.train_rows
    end = min(dataset.n_rows, train + experiment.replay.limit)
    start = train + (end - train) // 5
    numbers = [name for name in dataset.features if dataset.kinds[name] == "number"]
    if kind == "unit_error":
        step = max(1, len(numbers) // COLUMNS)
        return [UnitError(start=start, column=name) for name in numbers[::step][:COLUMNS]]
    if kind == "swapped_columns":
        return [SwappedColumns(start=start, columns=numbers[:2])] if len(numbers) > 1 else []
    third = (end - start) // 3
    made: dict[str, Fault] = {
        "label_noise": LabelNoise(start=start, rate=0.05),
        "feature_noise": FeatureNoise(start=start, rate=1.0, scale=0.5),
        "missing_values": MissingValues(start=start, rate=0.1),
        "label_delay": LabelDelay(start=start, delay=1000),
        "outage": Outage(start=start, stop=start + max(1, third)),
        "duplicated_rows": DuplicatedRows(start=start, rate=0.1),
        "drift": DriftFault(start=start + third),
    }
    return [made[kind]]
