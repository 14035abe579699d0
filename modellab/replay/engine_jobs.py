"""The engine's jobs: reading data, profiles, pages of rows, trainings, results."""

from __future__ import annotations

import csv
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab.errors import DataError, ExperimentError, LabError, quote
from modellab.replay import warm
from modellab.replay.data_jobs import COMMANDS as DATA
from modellab.replay.data_jobs import DataJobs
from modellab.replay.engine_growing import (
    FirstRows,
    ReplayGrowth,
    check_kinds,
    forget_unsettled,
    summary_of,
    told,
)
from modellab.replay.engine_verdict import COMMANDS as VERDICTS
from modellab.replay.engine_verdict import VerdictJobs
from modellab.replay.growing_protocol import GrowReplay, UseRows
from modellab.replay.protocol import (
    BadRowsPage,
    DataSummary,
    Deploy,
    OpenData,
    ProfileData,
    ProfileSummary,
    ReadBadRows,
    ReadRows,
    RowsPage,
    TrainModel,
    WriteResults,
    Written,
)
from modellab.replay.session_folder import JournalLine, SessionFolder
from modellab.replay.task import TaskProcess, TrainTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.data.growing import PartialStore
    from modellab.data.store import Store
    from modellab.experiment import Experiment
    from modellab.learners.base import Progress
    from modellab.replay.engine_out import Job, Outbox
    from modellab.replay.player import Player
    from modellab.replay.replay import Replay
    from modellab.replay.services import Services

PAGE_ROWS = 1000
CHECKPOINT_SECONDS = 4.0
"""Between two checkpoints of play: each holds up rows and answers, and to replay what lies between
takes less time than it was played in."""
MOST_REST = 0.5
"""Seconds that work beside a replay rests at most between two pieces."""

NO_DATA = "Open data first."


class Jobs:
    """Does the work that is not the replay itself, on a few threads of its own.

    Parameters
    ----------
    player
        The thread that owns the replay.
    services
        What the rooms above do, which this one must not import.
    outbox
        Where news of an import go.
    """

    def __init__(self, player: Player, services: Services, outbox: Outbox) -> None:
        self._player = player
        self._services = services
        self._verdicts = VerdictJobs(player, services)
        self._looks = DataJobs(self._current, self._store_for)
        self._first = FirstRows(outbox, self._take)
        self._growth = ReplayGrowth(player)
        self._store: Store | None = None
        self._opened: OpenData | None = None
        self._guard = threading.Lock()
        self._imports = ThreadPoolExecutor(1, "import")
        self._data = ThreadPoolExecutor(1, "data")
        self._pages = ThreadPoolExecutor(1, "pages")
        self._trainings = ThreadPoolExecutor(1, "training")
        self._deployments = ThreadPoolExecutor(2, "deploy")
        self._task = TaskProcess()

    def start(self, command: Any, job: Job) -> None:
        """Start the job that a command asks for."""
        if isinstance(command, OpenData):
            self._imports.submit(job.run, lambda job: self._open(command, job))
        elif isinstance(command, ProfileData):
            self._data.submit(job.run, lambda job: self._profile(command, job))
        elif isinstance(command, ReadRows):
            self._pages.submit(job.run, lambda _: self._rows(command))
        elif isinstance(command, ReadBadRows):
            self._pages.submit(job.run, lambda _: self._bad_rows(command))
        elif isinstance(command, TrainModel):
            self._trainings.submit(job.run, lambda job: self._train(command, job))
        elif isinstance(command, Deploy):
            self._deployments.submit(self._deploy_and_answer, command, job)
        elif isinstance(command, WriteResults):
            self._player.post(lambda: self._results(command, job))
        elif isinstance(command, VERDICTS):
            self._verdicts.start(command, job)
        elif isinstance(command, DATA):
            self._looks.start(command, job)
        elif isinstance(command, UseRows):
            self._pages.submit(job.run, lambda _: self._first.use(self._current()))
        elif isinstance(command, GrowReplay):
            self._deployments.submit(self._grow, job)

    # ------------------------------------------------------------------ data

    def _open(self, command: OpenData, job: Job) -> DataSummary:
        begin = time.perf_counter()
        self._first.begin()
        growing = None
        if command.growing is not None and command.sort_by is None:
            growing = self._first.watch(command, job, begin)
        store = _import(command, job, growing, self._first.giving_way(job.progress))
        summary = summary_of(store, time.perf_counter() - begin)
        self._take(store, command)
        self._first.begin()  # all rows are there: the first ones alone are not needed any more
        return summary

    def _take(self, store: Store, command: OpenData) -> None:
        """Let a store be the open data set."""
        with self._guard:
            # Other jobs may still read the former store: it is closed when the last one lets go.
            self._store, self._opened = store, command
        self._task.warm_up()

    def _current(self) -> Store:
        with self._guard:
            if self._store is None:
                raise DataError(NO_DATA)
            return self._store

    def _store_for(self, experiment: Experiment, job: Job) -> Store:
        """Return the open store if it is the experiment's; else open its data."""
        data = experiment.data
        sort_by = data.time if data.sort else None
        with self._guard:
            store, opened = self._store, self._opened
        how = (sort_by, data.reading)
        if store is not None and opened is not None and (opened.sort_by, opened.reading) == how:
            named = [str(Path(p)) for p in data.paths]
            if named in ([str(Path(p)) for p in opened.paths], store.source_paths):
                if store.unfinished:
                    check_kinds(store, data.kinds)
                    return store
                if opened.kinds == data.kinds:
                    return store
        wanted = OpenData(paths=data.paths, kinds=data.kinds, sort_by=sort_by, reading=data.reading)
        return _import(wanted, job)

    def _profile(self, command: ProfileData, job: Job) -> ProfileSummary:
        from modellab.replay.profiling import profiled

        store = self._store_for(command.experiment, job)
        with self._first.first():
            found = profiled(store, command.experiment, self._unhurried(job))
        # The person looks at the data now: what a deployment needs is loaded meanwhile.
        self._deployments.submit(warm.load, *warm.BATCH, *warm.ONLINE)
        return found

    def _unhurried(self, job: Job) -> Progress:
        """Return a progress for work beside the replay: it rests while rows run by."""
        last = time.monotonic()

        def progress(done: float, total: float, text: str = "") -> None:
            nonlocal last
            job.progress(done, total, text)
            if self._player.playing:
                time.sleep(min(2.0 * (time.monotonic() - last), MOST_REST))
            last = time.monotonic()

        return progress

    def _rows(self, command: ReadRows) -> RowsPage:
        store = self._current()
        start = max(command.start, 0)
        stop = min(command.stop, start + PAGE_ROWS)
        return RowsPage(start=start, cells=cells(store, start, stop))

    def _bad_rows(self, command: ReadBadRows) -> BadRowsPage:
        store = self._current()
        if command.save_to is not None:
            target = Path(command.save_to)
            try:
                shutil.copyfile(store.bad_rows_path, target)
            except OSError as error:
                raise LabError(f"{quote(target)} cannot be written: {error.strerror}.") from error
        rows: list[tuple[str, int, str, str]] = []
        if store.bad_row_count:
            with store.bad_rows_path.open(newline="", encoding="utf-8") as file:
                reader = csv.reader(file)
                next(reader)
                for index, (name, line, reason, text) in enumerate(reader):
                    if index >= min(command.stop, command.start + PAGE_ROWS):
                        break
                    if index >= command.start:
                        rows.append((name, int(line), reason, text))
        return BadRowsPage(start=command.start, total=store.bad_row_count, rows=rows)

    # ------------------------------------------------------------------ models

    def _train(self, command: TrainModel, job: Job) -> dict[str, Any]:
        job.progress(0, 0, "Starting")
        store = self._store_for(command.experiment, job)
        job.on_cancel = lambda: self._task.kill(job.id)
        task = TrainTask(
            id=job.id,
            experiment=command.experiment,
            store=str(store.path),
            learner=command.learner,
        )
        try:
            with self._first.first():
                return self._task.do(task, job.progress, job.cancelled)
        finally:
            job.on_cancel = None

    def _deploy_and_answer(self, command: Deploy, job: Job) -> None:
        """Build the replay beside the present one; hand it to the player, which answers."""
        replay: Replay | None = None
        try:
            with self._first.first():
                replay, folder, seconds, warnings = self._deploy(command, job)
        except Exception as error:  # noqa: BLE001  # told to the person; the engine goes on
            job.fail(error)
            return
        self._player.post(lambda: self._installed(replay, folder, seconds, warnings, job))

    def _deploy(self, command: Deploy, job: Job) -> tuple[Replay, SessionFolder, float, list[str]]:
        from modellab.replay.replay import Replay

        begin = time.perf_counter()
        job.progress(0, 0, "Opening the data")
        store = self._store_for(command.experiment, job)
        warnings: list[str] = []
        try:
            folder = SessionFolder(Path(command.session_dir))
        except OSError as error:
            raise LabError(
                f"The folder {quote(command.session_dir, 200)} cannot be written: {error.strerror}."
            ) from error
        experiment, resume = command.experiment, command.resume
        prices = rows = None
        if resume:
            restored = folder.restored(experiment)
            if restored is None:
                resume = False
                warnings.append(
                    "The last checkpoint is of no use, so the replay was done again from its start."
                )
            else:
                experiment, prices, rows = restored.experiment, restored.prices, restored.rows
        replay = Replay(
            experiment,
            store,
            workers=command.workers,
            session_dir=folder.folder,
            progress=job.progress,
            find=self._verdicts.finder(store, job),
        )
        if replay.checkpoints is not None:
            replay.checkpoints.pause = CHECKPOINT_SECONDS
        try:
            if resume and rows is not None and rows < store.n_rows:
                forget_unsettled(replay, rows)
                folder.append(JournalLine(rows=store.n_rows))
            replay.prepare(job.progress, resume=resume)
            if not resume:
                folder.begin(replay.as_replayed(), store.n_rows)
            if prices is not None:
                replay.set_prices(prices)
            replay.context.calibrated(job.progress)
            if command.position is not None:
                replay.seek(command.position, job.progress)
            if job.cancelled.is_set():
                job.progress(0, 0)
        except BaseException:
            replay.close()
            raise
        return replay, folder, time.perf_counter() - begin, warnings

    def _installed(
        self,
        replay: Replay,
        folder: SessionFolder,
        seconds: float,
        warnings: list[str],
        job: Job,
    ) -> None:
        if job.cancelled.is_set():
            replay.close()
            return
        self._player.install(replay, folder)
        job.done(told(replay, seconds, warnings))

    def _grow(self, job: Job) -> None:
        """Let the replay go on over the rows that are open now; the player answers."""
        try:
            store = self._current()
        except LabError as error:
            job.fail(error)
            return
        with self._first.first():
            self._growth.grow(store, job)

    # ------------------------------------------------------------------ results

    def _results(self, command: WriteResults, job: Job) -> None:
        """Take the numbers between two slices; write them on another thread."""
        from modellab.replay.run import collect

        replay = self._player.replay
        if replay is None:
            job.fail(ExperimentError("Nothing is deployed yet."))
            return
        try:
            result = collect(replay)
        except Exception as error:  # noqa: BLE001  # told to the person
            job.fail(error)
            return
        result.seconds = self._player.seconds
        found = self._verdicts.found(replay)

        def write(_: Job) -> Written:
            files = self._services.write_results(result, Path(command.folder), **found)
            return Written(folder=command.folder, files=files)

        self._data.submit(job.run, write)


def _import(
    command: OpenData,
    job: Job,
    growing: Callable[[PartialStore], None] | None = None,
    progress: Progress | None = None,
) -> Store:
    from modellab.data.importer import import_dataset

    return import_dataset(
        list(command.paths),
        kinds=command.kinds,
        sort_by=command.sort_by,
        progress=progress or job.progress,
        reading=command.reading,
        growing=growing,
    )


def cells(store: Store, start: int, stop: int) -> list[list[str | None]]:
    """Rows as display texts, missing ones None."""
    from modellab.data.convert import as_texts

    table = store.read(start, stop)
    columns = [
        [text for chunk in column.chunks for text in as_texts(chunk).to_pylist()]
        for column in table.columns
    ]
    return [list(row) for row in zip(*columns, strict=True)]
