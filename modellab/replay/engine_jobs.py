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
from modellab.replay.engine_verdict import COMMANDS as VERDICTS
from modellab.replay.engine_verdict import VerdictJobs
from modellab.replay.protocol import (
    BadRowsPage,
    ColumnSummary,
    DataSummary,
    Deploy,
    Deployed,
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
from modellab.replay.session_folder import SessionFolder
from modellab.replay.task import TaskProcess, TrainTask
from modellab.replay.telemetry import sampled_times

if TYPE_CHECKING:
    from modellab.data.store import Store
    from modellab.experiment import Experiment
    from modellab.replay.engine_out import Job
    from modellab.replay.player import Player
    from modellab.replay.replay import Replay
    from modellab.replay.services import Services

PAGE_ROWS = 1000

NO_DATA = "Open data first."


class Jobs:
    """Does the work that is not the replay itself, on a few threads of its own.

    Parameters
    ----------
    player
        The thread that owns the replay.
    services
        What the rooms above do, which this one must not import.
    """

    def __init__(self, player: Player, services: Services) -> None:
        self._player = player
        self._services = services
        self._verdicts = VerdictJobs(player, services)
        self._looks = DataJobs(self._current, self._store_for)
        self._store: Store | None = None
        self._opened: OpenData | None = None
        self._guard = threading.Lock()
        self._data = ThreadPoolExecutor(1, "data")
        self._pages = ThreadPoolExecutor(1, "pages")
        self._trainings = ThreadPoolExecutor(1, "training")
        self._deployments = ThreadPoolExecutor(2, "deploy")
        self._task = TaskProcess()

    def start(self, command: Any, job: Job) -> None:
        """Start the job that a command asks for."""
        if isinstance(command, OpenData):
            self._data.submit(job.run, lambda job: self._open(command, job))
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

    # ------------------------------------------------------------------ data

    def _open(self, command: OpenData, job: Job) -> DataSummary:
        from modellab.data.dataset import guess_target, guess_time
        from modellab.replay.context import memory_budget

        begin = time.perf_counter()
        store = _import(command, job)
        target, reason = guess_target(store)
        summary = DataSummary(
            name=store.name,
            paths=store.source_paths,
            format=store.meta.format,
            size_bytes=store.size_bytes,
            n_rows=store.n_rows,
            fingerprint=store.fingerprint,
            columns=[ColumnSummary(c.name, c.kind, c.reason) for c in store.columns],
            bad_rows=store.bad_row_count,
            warnings=list(store.warnings),
            guessed_target=target,
            guessed_target_reason=reason,
            guessed_time=guess_time(store),
            read_seconds=time.perf_counter() - begin,
            memory_bytes=8 * store.n_rows * len(store.columns),
            memory_budget=memory_budget(),
        )
        with self._guard:
            # Other jobs may still read the former store: it is closed when the last one lets go.
            self._store, self._opened = store, command
        self._task.warm_up()
        return summary

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
        how = (sort_by, data.kinds, data.reading)
        same = opened is not None and (opened.sort_by, opened.kinds, opened.reading) == how
        if store is not None and opened is not None and same:
            named = [str(Path(p)) for p in data.paths]
            if named in ([str(Path(p)) for p in opened.paths], store.source_paths):
                return store
        wanted = OpenData(paths=data.paths, kinds=data.kinds, sort_by=sort_by, reading=data.reading)
        return _import(wanted, job)

    def _profile(self, command: ProfileData, job: Job) -> ProfileSummary:
        from modellab.replay.profiling import profiled

        store = self._store_for(command.experiment, job)
        found = profiled(store, command.experiment, job.progress)
        # The person looks at the data now: what a deployment needs is loaded meanwhile.
        self._deployments.submit(warm.load, *warm.BATCH, *warm.ONLINE)
        return found

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
            return self._task.do(task, job.progress, job.cancelled)
        finally:
            job.on_cancel = None

    def _deploy_and_answer(self, command: Deploy, job: Job) -> None:
        """Build the replay beside the present one; hand it to the player, which answers."""
        replay: Replay | None = None
        try:
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
        prices = None
        if resume:
            restored = folder.restored(experiment)
            if restored is None:
                resume = False
                warnings.append(
                    "The last checkpoint is of no use, so the replay was done again from its start."
                )
            else:
                experiment, prices = restored.experiment, restored.prices
        replay = Replay(
            experiment,
            store,
            workers=command.workers,
            session_dir=folder.folder,
            progress=job.progress,
            find=self._verdicts.finder(store, job),
        )
        try:
            replay.prepare(job.progress, resume=resume)
            if not resume:
                folder.begin(replay.as_replayed())
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
        from modellab.learners.catalogue import entry

        self._player.install(replay, folder)
        context = replay.context
        views = sorted({entry(spec.learner).view for spec in replay.experiment.lane})
        job.done(
            Deployed(
                experiment=replay.as_replayed(),
                baselines=list(replay.baselines),
                train_rows=replay.train_rows,
                stop=replay.stop,
                n_rows=context.n_rows,
                position=replay.position,
                times_ns=sampled_times(context.n_rows, context.stream.times),
                fit_seconds=seconds,
                encoded={view: list(context.encoder.names(view)) for view in views},
                warnings=warnings,
            )
        )

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


def _import(command: OpenData, job: Job) -> Store:
    from modellab.data.importer import import_dataset

    return import_dataset(
        list(command.paths),
        kinds=command.kinds,
        sort_by=command.sort_by,
        progress=job.progress,
        reading=command.reading,
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
