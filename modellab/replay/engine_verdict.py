"""The engine's jobs around a verdict: judging, hindsight, sensitivity, rows kept back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec

from modellab.errors import ExperimentError
from modellab.experiment import LaneSpec, PriceSpec, replace
from modellab.experiment_values import check_range
from modellab.learners.base import no_progress
from modellab.replay.protocol import (
    FindHindsight,
    HindsightFound,
    Judge,
    MeasureSensitivity,
    ReadQuarantine,
    SensitivityMeasured,
)
from modellab.replay.quarantine import quarantine_page
from modellab.replay.services import Moment
from modellab.replay.session_folder import JournalLine
from modellab.replay.task import HindsightTask, SensitivityTask, TaskProcess

if TYPE_CHECKING:
    from modellab.data.store import Store
    from modellab.experiment import Fault, LearnerSpec
    from modellab.learners.base import Progress
    from modellab.replay.context import Context
    from modellab.replay.engine_out import Job
    from modellab.replay.hindsight_lanes import FindHindsight as Find
    from modellab.replay.player import Player
    from modellab.replay.replay import Replay
    from modellab.replay.services import Services

NOTHING_DEPLOYED = "Nothing is deployed yet."
CHANGED = "Another deployment has taken the place of the one that this was for."

COMMANDS = (Judge, FindHindsight, MeasureSensitivity, ReadQuarantine)


class VerdictJobs:
    """Does them: what is quick between two slices of play, the rest beside the replay.

    Parameters
    ----------
    player
        The thread that owns the replay.
    services
        What the rooms above do.
    """

    def __init__(self, player: Player, services: Services) -> None:
        self._player = player
        self._services = services
        self._judging = ThreadPoolExecutor(1, "verdict")
        self._beside = ThreadPoolExecutor(1, "beside")
        self._task = TaskProcess()
        self._found = _Found()

    def start(self, command: Any, job: Job) -> None:
        """Start the job that a command asks for."""
        self._player.post(lambda: self._start(command, job))

    def _start(self, command: Any, job: Job) -> None:
        """Begin on the player's thread, where the replay may be asked."""
        replay = self._player.replay
        if replay is None:
            job.fail(ExperimentError(NOTHING_DEPLOYED))
            return
        try:
            if isinstance(command, Judge):
                self._judge(command, replay, job)
            elif isinstance(command, FindHindsight):
                self._hindsight(command, replay, job)
            elif isinstance(command, MeasureSensitivity):
                self._sensitivity(command, replay, job)
            elif isinstance(command, ReadQuarantine):
                page = quarantine_page(replay, command)
                job.done(page)
        except Exception as error:  # noqa: BLE001  # told to the person; the engine goes on
            job.fail(error)

    # ------------------------------------------------------------------ the verdict

    def _judge(self, command: Judge, replay: Replay, job: Job) -> None:
        if command.prices is not None:
            check_prices(command.prices)
            replay.set_prices(command.prices)
            self._player.write(JournalLine(prices=command.prices))
            self._player.tell()
        moment = Moment.of(replay)
        known = self._found.of(replay)

        def judge(_: Job) -> dict[str, Any]:
            return self._services.judge(moment, moment.prices, known.hindsight, known.rise)

        self._judging.submit(job.run, judge)

    # ------------------------------------------------------------------ beside the replay

    def _hindsight(self, command: FindHindsight, replay: Replay, job: Job) -> None:
        task = HindsightTask(
            id=job.id,
            experiment=replay.as_replayed(),
            store=str(replay.store.path),
            learner=command.learner,
            grid=command.grid,
            keep=command.keep,
        )
        self._beside.submit(self._find_and_add, task, replay, self._found.of(replay), job)

    def _find_and_add(self, task: HindsightTask, replay: Replay, known: _Known, job: Job) -> None:
        try:
            found = self._do(task, job)
            lane = msgspec.convert(found["lane"], LaneSpec)
        except Exception as error:  # noqa: BLE001  # told to the person; the engine goes on
            job.fail(error)
            return
        job.at_once = False  # a lane half added is taken out again before the answer goes
        self._player.post(lambda: self._add(found["hindsight"], lane, replay, known, job))

    def _add(
        self,
        hindsight: dict[str, Any],
        lane: LaneSpec,
        replay: Replay,
        known: _Known,
        job: Job,
    ) -> None:
        if self._player.replay is not replay:
            job.fail(ExperimentError(CHANGED))
            return

        def add(job: Job) -> HindsightFound:
            self._player.add_lane(lane, replay, job)
            known.hindsight = hindsight  # of no use any more if the faults changed meanwhile
            return HindsightFound(hindsight=hindsight, lane=lane)

        job.run(add)
        self._player.tell()

    def found(self, replay: Replay) -> dict[str, Any]:
        """Return what was found of a replay beside it, as `write_results` takes it."""
        known = self._found.of(replay)
        return {"hindsight": known.hindsight, "sensitivity": known.rise}

    def _sensitivity(self, command: MeasureSensitivity, replay: Replay, job: Job) -> None:
        task = SensitivityTask(
            id=job.id,
            experiment=replay.as_replayed(),
            store=str(replay.store.path),
            kinds=command.kinds,
        )
        known = self._found.of(replay)

        def measure(job: Job) -> SensitivityMeasured:
            found = msgspec.convert(self._do(task, job), SensitivityMeasured)
            known.rise = found.rise
            return found

        self._beside.submit(job.run, measure)

    def _do(self, task: HindsightTask | SensitivityTask, job: Job) -> dict[str, Any]:
        job.progress(0, 0, "Starting")
        job.on_cancel = lambda: self._task.kill(job.id)
        try:
            return self._task.do(task, job.progress, job.cancelled)
        finally:
            job.on_cancel = None

    def finder(self, store: Store, job: Job) -> Find:
        """Give what finds the hindsight optimum for a replay that is being built by `job`."""

        def find(
            context: Context,
            learner: LearnerSpec,
            *,
            grid: int,
            keep: int | str,
            prices: PriceSpec,
            progress: Progress = no_progress,
        ) -> Any:
            del progress  # the job's own
            experiment = replace(context.experiment, prices=prices)
            task = HindsightTask(
                id=job.id,
                experiment=experiment,
                store=str(store.path),
                learner=learner,
                grid=grid,
                keep=keep,
            )
            found = self._do(task, job)["hindsight"]
            return SimpleNamespace(at=found["at"], keeps=found["keeps"])

        return find


class _Known:
    """What was found of a replay as it is now."""

    def __init__(self) -> None:
        self.hindsight: dict[str, Any] | None = None
        self.rise: dict[str, dict[str, float]] | None = None


class _Found:
    """What was found of the present replay; forgotten with it, and when its faults change."""

    def __init__(self) -> None:
        self._replay: Replay | None = None
        self._faults: list[Fault] = []
        self._known = _Known()

    def of(self, replay: Replay) -> _Known:
        faults = list(replay.experiment.fault)
        if replay is not self._replay or faults != self._faults:
            self._replay, self._faults, self._known = replay, faults, _Known()
        return self._known


def check_prices(prices: PriceSpec) -> None:
    """Check prices that were typed in; raises `ExperimentError`."""
    for field in msgspec.structs.fields(PriceSpec):
        check_range(f"prices.{field.name}", getattr(prices, field.name), 0.0, 1e15)
