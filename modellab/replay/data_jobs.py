"""The engine's jobs about data: looks at files that are not open, samples, exports."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from modellab.replay.data_protocol import (
    COMMANDS,
    CompareColumns,
    Compared,
    DataCommand,
    ExportData,
    FetchSample,
    HeadPage,
    ListParts,
    MakeStream,
    MapRates,
    PartsFound,
    PreviewFile,
    PreviewPart,
    SampleReady,
)
from modellab.replay.protocol import Written

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.data.store import Store
    from modellab.experiment import Experiment
    from modellab.replay.engine_out import Job

__all__ = ["COMMANDS", "DataJobs"]

MAX_ROWS = 1000


class DataJobs:
    """Does them, on threads of its own: a look waits for no download.

    Parameters
    ----------
    current
        Gives the store that is open, or raises `DataError`.
    store_for
        Gives the store of an experiment's data, opened if need be.
    """

    def __init__(
        self, current: Callable[[], Store], store_for: Callable[[Experiment, Job], Store]
    ) -> None:
        self._current = current
        self._store_for = store_for
        self._looks = ThreadPoolExecutor(2, "look")
        self._long = ThreadPoolExecutor(2, "sample")

    def start(self, command: DataCommand, job: Job) -> None:
        """Start the job that a command asks for."""
        threads = self._long
        if isinstance(command, PreviewFile | ListParts | PreviewPart):
            threads = self._looks
        threads.submit(job.run, lambda job: self._do(command, job))

    def _do(self, command: DataCommand, job: Job) -> Any:
        if isinstance(command, PreviewFile):
            from modellab.data.preview import preview

            return preview(command.path, command.reading, min(command.rows, MAX_ROWS), job.progress)
        if isinstance(command, ListParts):
            from modellab.data.parts import parts_of

            found = parts_of(command.path)
            return PartsFound(None if found is None else msgspec.to_builtins(found))
        if isinstance(command, PreviewPart):
            from modellab.data.preview import head_of

            columns, rows = head_of(command.path, min(command.rows, MAX_ROWS), job.progress)
            return HeadPage(columns, list(rows))
        if isinstance(command, CompareColumns):
            return self._compare(command, job)
        if isinstance(command, ExportData):
            return self._export(command, job)
        if isinstance(command, MakeStream):
            return _made(command, job)
        if isinstance(command, MapRates):
            from modellab.replay.rate_map_jobs import map_rates

            return map_rates(command, self._store_for(command.experiment, job), job.progress)
        return _fetched(command, job)

    def _compare(self, command: CompareColumns, job: Job) -> Compared:
        from modellab.data.compare import compare
        from modellab.data.dataset import Dataset

        experiment = command.experiment
        store = self._store_for(experiment, job)
        dataset = Dataset.build(store, experiment.data, experiment.split)
        found = compare(dataset, progress=job.progress)
        return Compared([msgspec.to_builtins(one) for one in found])

    def _export(self, command: ExportData, job: Job) -> Written:
        from modellab.data.exporting import export_data

        store = self._current()
        files = export_data(
            store,
            Path(command.path),
            kinds=command.kinds,
            neutralise=command.neutralise,
            bad_rows=command.bad_rows,
            progress=job.progress,
        )
        return Written(folder=str(files[0].parent), files=[file.name for file in files])


def _made(command: MakeStream, job: Job) -> SampleReady:
    from modellab.data.gallery import gallery_folder
    from modellab.data.synthetic import StreamSpec, made_experiment

    spec = StreamSpec(
        command.kind,
        rows=command.rows,
        drift=command.drift,
        at=tuple(command.at),
        width=command.width,
        noise=command.noise,
        seed=command.seed,
    )
    return SampleReady(made_experiment(spec, gallery_folder() / "streams", job.progress))


def _fetched(command: FetchSample, job: Job) -> SampleReady:
    from modellab.data.gallery import prepare

    return SampleReady(prepare(command.sample, progress=job.progress))
