"""The headless replay: an experiment from its first row to its last, and what came of it."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.errors import Cancelled, quote
from modellab.experiment_paths import data_paths
from modellab.learners.base import no_progress
from modellab.replay.feature_checks import ChecksBeside, DriftChecks, drift_checks

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from modellab.data.store import Store
    from modellab.evaluation.evidence import LaneEvidence
    from modellab.evaluation.paired import LossArrays
    from modellab.experiment import Experiment, LaneSpec
    from modellab.learners.base import Progress, Task
    from modellab.policies.base import PolicyEvent
    from modellab.replay.hindsight_lanes import FindHindsight
    from modellab.replay.lane_state import LaneState
    from modellab.replay.replay import Replay

    Metrics = dict[str, dict[str, float | None]]
    Step = Callable[["Replay"], None]

PIECE_SECONDS = 0.4
CHUNKS = 32
"""Most chunks between two looks at how far it is: nobody waits at a slider."""
MOST = 2**24
"""Most rows of a piece where no prediction is kept."""


@dataclass(frozen=True)
class Curve:
    """A bucketed curve: int64 first positions of the buckets, float64 mean, least and greatest."""

    start: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class Snapshots:
    """Values by name at some positions: int64 (m,), float64 (m, len(names))."""

    names: list[str]
    positions: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class LaneResult:
    """What a lane did; `history` by metric, `metrics` by ``cumulative``, ``window``, ``fading``.

    `evidence`: what a verdict needs to know of it, single losses and alarms among that. `regret`:
    against the hindsight optimum's lane, None without one. `quarantine`: position and reason of
    the rows that its guard kept back (as many as are kept; all are counted in `quarantined`).
    `rates`: how the learning rates that it carried along did over the last rows, None without any.
    """

    spec: LaneSpec
    baseline: bool
    rows: int
    metrics: Metrics
    updates: int
    retrains: int
    redeploys: int
    rollbacks: int
    downtime_rows: int
    cpu_seconds: dict[str, float]
    model_bytes: int
    cost: dict[str, float]
    forgetting: float | None
    history: dict[str, Curve]
    parameters: Snapshots
    evidence: LaneEvidence
    rejected: int = 0
    alarms: int = 0
    quarantined: int = 0
    downtime_seconds: float = 0.0
    rows_stored: int = 0
    staleness: float | None = None
    regret: float | None = None
    quarantine: list[tuple[int, str]] = field(default_factory=list)
    rates: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The lane's name."""
        return self.spec.name

    @property
    def losses(self) -> LossArrays:
        """Its losses, in tiles and row by row."""
        return self.evidence.losses


@dataclass
class RunResult:
    """All that came of a replay.

    Attributes
    ----------
    experiment
        As replayed: default lanes included, with the whole journal.
    position
        First row that was not replayed.
    seconds
        The replay's own time, gathering what came of it included; `import_seconds` and
        `train_seconds` were before it.
    interrupted
        Whether it was given up before its end. Then parameters and samples of metrics are fewer.
    warnings
        Sentences about the data: how they were read, their order, what of the journal has no row.
    feature_drift
        None where features are not watched.
    """

    experiment: Experiment
    task: Task
    store: Store
    rows: int
    train_rows: int
    stop: int
    position: int
    lanes: list[LaneResult]
    events: list[tuple[str, PolicyEvent]]
    seconds: float = 0.0
    import_seconds: float = 0.0
    train_seconds: float = 0.0
    interrupted: bool = False
    warnings: list[str] = field(default_factory=list)
    feature_drift: DriftChecks | None = None


@dataclass
class RunProgress:
    """What a headless run tells while it goes on: `stage` is import, train or replay."""

    stage: str
    done: float
    total: float
    text: str = ""
    lanes: dict[str, LaneState] | None = None


def open_data(experiment: Experiment, base: Path, progress: Progress = no_progress) -> Store:
    """Import the experiment's data set, or map its store if that is there.

    Raises
    ------
    DataError
        If a file is missing or cannot be read.
    """
    from modellab.data.importer import import_dataset

    data = experiment.data
    return import_dataset(
        data_paths(experiment, base),
        kinds=data.kinds,
        sort_by=data.time if data.sort else None,
        progress=progress,
        reading=data.reading,
    )


def run_experiment(
    experiment: Experiment,
    *,
    base: Path,
    workers: int = 1,
    progress: Callable[[RunProgress], None] | None = None,
    predictions: Path | None = None,
    cancel: threading.Event | None = None,
    prepared: Callable[[Experiment], Experiment] | None = None,
    find: FindHindsight | None = None,
) -> RunResult:
    """Replay an experiment from its deployment point to its end.

    Parameters
    ----------
    experiment
        What to replay.
    base
        Folder that its data paths are relative to.
    workers
        Processes that compute lanes; changes no number.
    progress
        Told a few times a second how far it is.
    predictions
        Parquet file to write all predictions to, as they are made.
    cancel
        When set, the replay stops soon, and what was done so far is the result.
    prepared
        Last changes to the experiment, once its default lanes are known.
    find
        Finds the hindsight optimum (`modellab.verdict.hindsight.find_hindsight`), for lanes of it
        whose positions the experiment does not give.

    Raises
    ------
    DataError, ExperimentError, LearnerError
        When the experiment does not fit its data.
    Cancelled
        When it was given up before the first row was replayed.
    """
    from modellab.replay.context import build_context
    from modellab.replay.replay import Replay

    tell = progress or (lambda _: None)

    def stage(name: str) -> Progress:
        def told(done: float, total: float, text: str = "") -> None:
            if cancel is not None and cancel.is_set():
                raise Cancelled
            tell(RunProgress(name, done, total, text))

        return told

    began = time.perf_counter()
    store = open_data(experiment, base, stage("import"))
    imported = time.perf_counter()
    if prepared is not None:
        experiment = prepared(build_context(experiment, store).experiment)
    replay = Replay(
        experiment,
        store,
        workers=workers,
        checkpoints=False,
        progress=stage("train"),
        find=find,
        threads=os.cpu_count() or 1,
    )
    checks = None
    try:
        replay.prepare(stage("train"))
        replay.context.calibrated(stage("train"))
        replay.foresee()
        checks = ChecksBeside(replay.context)
        trained = time.perf_counter()
        _play(replay, tell, predictions, cancel, checks)
        result = collect(replay, checks)
        result.seconds = time.perf_counter() - trained
        result.import_seconds = imported - began
        result.train_seconds = trained - imported
        return result
    finally:
        if checks is not None:
            checks.close()
        replay.close()


def _play(
    replay: Replay,
    tell: Callable[[RunProgress], None],
    predictions: Path | None,
    cancel: threading.Event | None,
    checks: ChecksBeside,
) -> None:
    from modellab.replay.predictions import PredictionFile
    from modellab.replay.process import SWITCH_SECONDS
    from modellab.replay.strides import STRIDE

    total = replay.stop - replay.train_rows
    # Predictions are collected piece by piece.
    most = CHUNKS * replay.experiment.replay.chunk_rows if predictions is not None else MOST
    rows = min(most, 256)
    told = 0.0
    sink = None
    if predictions is not None:
        sink = PredictionFile(predictions, replay.context.task, replay.train_rows)
    turns = sys.getswitchinterval()
    sys.setswitchinterval(min(turns, SWITCH_SECONDS))  # threads that compute wait for each other
    try:
        while not replay.finished and not (cancel is not None and cancel.is_set()):
            begin = time.perf_counter()
            to = replay.position + rows
            if rows > STRIDE:  # whole steps
                to -= to % STRIDE
            checks.to(min(to, replay.stop))
            replay.advance(to, sink.take if sink is not None else None)
            now = time.perf_counter()
            # Pieces of about equal time: any piece gives the same numbers.
            rows = paced(rows, now - begin, PIECE_SECONDS, most)
            if now - told > PIECE_SECONDS or replay.finished:
                told = now
                done = replay.position - replay.train_rows
                tell(RunProgress("replay", done, total, lanes=replay.lanes(size=False)))
    finally:
        sys.setswitchinterval(turns)
        if sink is not None:
            sink.close()


def paced(rows: int, seconds: float, wanted: float, most: int) -> int:
    """Rows of the next piece, so that it takes about `wanted` seconds; at most twice as many."""
    if seconds <= 0:
        return min(2 * rows, most)
    return max(1, min(int(rows * min(wanted / seconds, 2.0)), most))


def collect(replay: Replay, checks: ChecksBeside | None = None) -> RunResult:
    """Gather what a replay gave up to its present position.

    `checks`: of the features up to there, where they were begun; else they are done now.
    """
    context = replay.context
    evidence = {found.name: found for found in replay.evidence()}
    lanes = [
        _lane_result(replay, name, state, evidence[name])
        for name, state in replay.lanes(metrics=True).items()
    ]
    return RunResult(
        experiment=replay.as_replayed(),
        task=context.task,
        store=replay.store,
        rows=context.n_rows,
        train_rows=replay.train_rows,
        stop=replay.stop,
        position=replay.position,
        lanes=lanes,
        events=replay.events(),
        interrupted=not replay.finished,
        warnings=_warnings(replay),
        feature_drift=checks.finish() if checks else drift_checks(context, replay.position),
    )


def _warnings(replay: Replay) -> list[str]:
    """What a person should know of the data before believing the numbers."""
    store, dataset = replay.store, replay.context.dataset
    told = list(store.warnings)
    if store.bad_row_count:
        bad = store.bad_row_count
        told.append(
            f"{bad:,} rows could not be read and were set aside."
            if bad > 1
            else "One row could not be read and was set aside."
        )
    row = dataset.first_out_of_order
    if row is not None and dataset.time is not None:
        told.append(
            f"Rows are not in order of time: row {row:,} is earlier than one before it, by "
            f"{quote(dataset.time)}. They are replayed as they are; data.sort = true sorts them."
        )
    late = [e for e in replay.journal if e.position > dataset.n_rows]
    if late:
        told.append(
            f"The intervention at row {late[0].position:,} was not made: the data have "
            f"{dataset.n_rows:,} rows."
        )
    return told


def _lane_result(replay: Replay, name: str, state: LaneState, evidence: LaneEvidence) -> LaneResult:
    counters = state.counters
    names, positions, values = replay.ask(name, "parameters")
    return LaneResult(
        spec=state.spec,
        baseline=state.baseline,
        rows=state.position - replay.train_rows,
        metrics=state.metrics or {},
        updates=int(counters["updates"]),
        retrains=int(counters["retrains"]),
        redeploys=int(counters["redeploys"]),
        rollbacks=int(counters["rollbacks"]),
        downtime_rows=int(counters["downtime_rows"]),
        cpu_seconds={key: counters[f"cpu_{key}"] for key in ("predict", "learn", "fit")},
        model_bytes=state.model_bytes,
        cost=state.cost,
        forgetting=state.forgetting,
        history=_history(replay, name),
        parameters=Snapshots(names, positions, values),
        evidence=evidence,
        rejected=int(counters["rejected"]),
        alarms=int(counters["alarms"]),
        quarantined=int(counters["quarantined"]),
        downtime_seconds=float(counters["downtime_seconds"]),
        rows_stored=state.rows_stored,
        staleness=state.staleness,
        regret=state.regret,
        quarantine=replay.ask(name, "quarantine")[1],
        rates=state.rates,
    )


def _history(replay: Replay, name: str) -> dict[str, Curve]:
    """Curves of a lane by metric: the bucketed error, and samples of all window metrics."""
    shown = "error" if replay.context.task.kind == "classification" else "mae"
    series = replay.ask(name, "series")
    found = {
        shown: _curve(series["error"]),
        f"cumulative_{shown}": _curve(series["cumulative"]),
    }
    names, positions, values = replay.ask(name, "metric_samples")
    for index, metric in enumerate(names):
        if metric not in found:
            column = np.ascontiguousarray(values[:, index])
            found[metric] = Curve(positions, column, column, column)
    return found


def _curve(arrays: Any) -> Curve:
    return Curve(arrays.starts, arrays.mean, arrays.min, arrays.max)


def peak_memory_mb() -> float:
    """Most memory that this process ever held, in MB (10**6 bytes)."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
