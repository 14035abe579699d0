"""``modellab --smoke-test``: the main job done once, with the real engine process.

What an installed program is tested with: that nothing was left out of it. Everything happens in a
temporary folder, and nothing of the person's is touched.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from modellab.cli.smoke_formats import formats
from modellab.errors import LabError, quote
from modellab.experiment import Experiment, LearnerSpec, OnlinePolicy, SplitSpec, replace
from modellab.replay.client import EngineClient, EngineDied
from modellab.replay.failure import as_detail, as_sentence
from modellab.replay.process import limit_threads
from modellab.replay.protocol import (
    Ack,
    Command,
    DataSummary,
    Deploy,
    Deployed,
    Fork,
    Intervene,
    JobDone,
    JobFailed,
    Judge,
    OpenData,
    Play,
    Ready,
    Step,
    Telemetry,
    TrainingResult,
    TrainModel,
    WriteResults,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modellab.learners.base import CatalogueEntry

Result = TypeVar("Result", bound=msgspec.Struct)

ROWS, TRAIN_ROWS, FIRST_STEP = 3000, 1000, 900
"""Rows that the sample is cut to; of them those to train on; rows replayed before the changes."""
PATIENCE = 120.0
"""Seconds that one answer of the engine may take."""
RATE = 0.03
FORK = "Fork"
CHANGES = 3
"""In the journal: the new rate, the fork, the fork's own rate."""
BY_NAME = {"sklearn": "neighbors.RadiusNeighborsClassifier", "river": "rules.AMRules"}
"""Classes that are only ever found by their name: what a frozen program is apt to leave out."""


class SmokeFailed(LabError):
    """A step of the smoke test did not do what it should."""


def smoke_test() -> int:
    """Do the main job, a line for each step; return the exit status.

    Raises
    ------
    LabError
        With the step that failed and why.
    """
    limit_threads()
    started = time.monotonic()
    with _home_of_its_own() as folder:
        for title, step in _steps(folder):
            begin = time.monotonic()
            try:
                told = step()
            except Exception as error:  # whatever it is, it is told with its step
                raise SmokeFailed(
                    f"The smoke test failed at “{title}”: {as_sentence(error)}",
                    detail=as_detail(error),
                ) from error
            _say(f"{title + ':':<18}{told} ({time.monotonic() - begin:.1f} s)")
    _say(f"ok ({time.monotonic() - started:.1f} s)")
    return 0


def _say(line: str) -> None:
    # A program without a console has no standard output on Windows; its exit status tells.
    if sys.stdout is not None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


@contextmanager
def _home_of_its_own() -> Iterator[Path]:
    """Give a folder for all that is written, and remove it afterwards."""
    before = os.environ.get("MODELLAB_HOME")
    with tempfile.TemporaryDirectory(
        prefix="modellab-smoke-", ignore_cleanup_errors=os.name == "nt"
    ) as name:
        os.environ["MODELLAB_HOME"] = str(Path(name) / "home")
        try:
            yield Path(name)
        finally:
            if before is None:
                os.environ.pop("MODELLAB_HOME", None)
            else:
                os.environ["MODELLAB_HOME"] = before


def _steps(folder: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "Learners", learners
    yield "Files", lambda: formats(folder / "files")
    job = MainJob(folder)
    try:
        yield "Open a sample", job.open
        yield "Train", job.train
        yield "Deploy", job.deploy
        yield "Replay", job.replay
        yield "Change a lane", job.change
        yield "Fork a lane", job.fork
        yield "Verdict", job.judge
        yield "Save and reopen", job.save
        yield "Kill the engine", job.kill
        yield "Go on", job.go_on
        yield "Report", job.report
    finally:
        job.close()
    yield "Window", window


# ---------------------------------------------------------------- the engine


class Engine:
    """Talks to an engine process and waits for what it answers."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self.client = EngineClient(self._woken.set)
        self.client.start()
        self._answers: list[Any] = []
        self._last: Telemetry | None = None

    def do(self, command: Command) -> Ack:
        """Send a command; return its acknowledgement.

        Raises
        ------
        LabError
            If it is refused, or the engine ends or says nothing for too long.
        """
        answer = self._answer(self.client.send(command), (Ack,))
        if answer.error is not None:
            raise SmokeFailed(answer.error)
        return answer  # type: ignore[no-any-return]

    def job(self, command: Command, kind: type[Result]) -> Result:
        """Do a job and return its result."""
        return msgspec.convert(self.raw_job(command), kind)

    def raw_job(self, command: Command) -> dict[str, Any]:
        """Do a job and return its result as plain values."""
        number = self.client.send(command)
        ended = self._answer(number, (JobDone, JobFailed), refusals=True)
        if isinstance(ended, Ack):
            raise SmokeFailed(ended.error or "")
        if isinstance(ended, JobFailed):
            raise SmokeFailed(ended.sentence, detail=ended.detail)
        return ended.result  # type: ignore[no-any-return]

    def until(self, found: Callable[[Telemetry], bool]) -> Telemetry:
        """Wait for telemetry of that kind."""
        self.client.send(Ready())
        self._last = None
        told: list[Telemetry] = []

        def right() -> bool:
            if self._last is not None and found(self._last):
                told.append(self._last)
            return bool(told)

        self._wait(right)
        return told[0]

    def died(self) -> EngineDied:
        """Wait for the engine's end, which was not asked for."""

        def gone() -> EngineDied | None:
            return next((a for a in self._answers if isinstance(a, EngineDied)), None)

        self._wait(gone, alive=False)
        return gone() or EngineDied(0, "", "")

    def _answer(self, number: int, kinds: tuple[type, ...], refusals: bool = False) -> Any:
        def found() -> Any:
            for answer in self._answers:
                if getattr(answer, "id", None) != number:
                    continue
                refused = refusals and isinstance(answer, Ack) and answer.error is not None
                if isinstance(answer, kinds) or refused:
                    return answer
            return None

        self._wait(found)
        return found()

    def _wait(self, found: Callable[[], Any], alive: bool = True) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            self._woken.clear()
            self._answers += self.client.poll()
            while (told := self.client.next_telemetry()) is not None:
                self._last = told
                self.client.send(Ready())
                if found():
                    return
            if found():
                return
            for answer in self._answers:
                if alive and isinstance(answer, EngineDied):
                    raise SmokeFailed(answer.sentence, detail=answer.stderr)
            left = end - time.monotonic()
            if left <= 0:
                raise SmokeFailed(f"The engine said nothing for {PATIENCE:.0f} seconds.")
            self._woken.wait(min(left, 1.0))


# ---------------------------------------------------------------- the steps


class MainJob:
    """The main job in steps; each says in words what came of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._session = folder / "session"
        self._engine = Engine()
        self._experiment = _experiment(folder / "flights.parquet")
        self._lane = ""
        self._position = 0

    def close(self) -> None:
        """End the engine."""
        self._engine.client.stop()

    def open(self) -> str:
        """Cut the flights sample to a few rows and read them."""
        import pyarrow.parquet as pq

        from modellab.data.samples import sample_path

        path = self._folder / "flights.parquet"
        pq.write_table(pq.read_table(sample_path("flights")).slice(0, ROWS), path)
        found = self._engine.job(OpenData(paths=[str(path)]), DataSummary)
        _same("rows read", found.n_rows, ROWS)
        return f"{found.n_rows:,} rows, {len(found.columns)} columns"

    def train(self) -> str:
        """Train a batch model in a task process and test it."""
        learner = LearnerSpec("logistic_regression")
        command = TrainModel(experiment=self._experiment, learner=learner)
        result = self._engine.job(command, TrainingResult)
        return f"{result.title} on {result.rows:,} rows"

    def deploy(self) -> str:
        """Deploy the default lanes over two worker processes."""
        deployed = self._deployed(resume=False)
        _same("the deployment point", deployed.position, TRAIN_ROWS)
        self._experiment = deployed.experiment
        lanes = [lane.name for lane in deployed.experiment.lane]
        online = [
            lane.name
            for lane in deployed.experiment.lane
            if isinstance(lane.policy, OnlinePolicy) and lane.learner.kind == "linear"
        ]
        if not online:
            raise SmokeFailed("None of the default lanes is a linear model that learns online.")
        self._lane = online[0]
        return f"{len(lanes)} lanes and {len(deployed.baselines)} baselines"

    def _deployed(self, resume: bool) -> Deployed:
        command = Deploy(
            experiment=self._experiment,
            session_dir=str(self._session),
            workers=2,
            resume=resume,
            position=self._position if resume else None,
        )
        return self._engine.job(command, Deployed)

    def replay(self) -> str:
        """Replay some rows; every lane must have predicted."""
        self._engine.do(Step(rows=FIRST_STEP))
        self._position = TRAIN_ROWS + FIRST_STEP
        told = self._engine.until(lambda t: t.position >= self._position and t.state == "paused")
        silent = [lane.name for lane in told.lanes if lane.cumulative is None]
        if silent:
            raise SmokeFailed(f"The lane {quote(silent[0])} predicted nothing.")
        return f"{FIRST_STEP:,} rows, to row {told.position:,}"

    def change(self) -> str:
        """Change the learning rate of the lane that learns online."""
        done = self._engine.do(Intervene(lane=self._lane, set={"learning_rate": RATE}))
        _same("the change's position", done.position, self._position)
        return f"{self._lane}: learning rate {RATE}"

    def fork(self) -> str:
        """Fork it, with another rate."""
        self._engine.do(Fork(lane=self._lane, name=FORK, set={"learning_rate": RATE / 10}))
        told = self._engine.until(lambda t: any(lane.name == FORK for lane in t.lanes))
        rates = {lane.name: lane.settings.get("learning_rate") for lane in told.lanes}
        _same("the lane's rate", rates[self._lane], RATE)
        _same("the fork's rate", rates[FORK], RATE / 10)
        return f"{FORK} of {self._lane}"

    def judge(self) -> str:
        """Ask for the verdict at this position."""
        from modellab.verdict.values import Verdict

        verdict = msgspec.convert(self._engine.raw_job(Judge()), Verdict)
        return f"{len(verdict.lanes)} lanes judged"

    def save(self) -> str:
        """Save the experiment with its results, and open it again."""
        from modellab.export.mlab import open_mlab, write_mlab
        from modellab.replay.session_folder import SessionFolder

        results = self._folder / "results"
        self._engine.job(WriteResults(folder=str(results)), Written)
        restored = SessionFolder(self._session).restored(self._experiment)
        if restored is None:
            raise SmokeFailed("The journal of the deployment cannot be read.")
        path = self._folder / "smoke.mlab"
        write_mlab(path, restored.experiment, results=results)
        opened = open_mlab(path)
        _same("the experiment", opened.experiment, restored.experiment)
        _same("changes in the journal", len(opened.experiment.intervention), CHANGES)
        return f"{path.name}, {path.stat().st_size // 1024:,} kB"

    def kill(self) -> str:
        """Kill the engine; that must be noticed and told."""
        import psutil

        process = psutil.Process(self._engine.client.pid)
        process.kill()
        died = self._engine.died()
        self._engine.client.stop()
        return died.sentence

    def go_on(self) -> str:
        """Start another engine from the session's folder; nothing may be lost."""
        self._engine = Engine()
        deployed = self._deployed(resume=True)
        _same("the position", deployed.position, self._position)
        _same("changes kept", len(deployed.experiment.intervention), CHANGES)
        self._engine.do(Play(mode="max"))
        told = self._engine.until(lambda t: t.state == "finished")
        _same("the end", told.position, ROWS)
        _same("the fork", any(lane.name == FORK for lane in told.lanes), True)
        return f"to row {told.position:,}"

    def report(self) -> str:
        """Write the results folder."""
        folder = self._folder / "report"
        written = self._engine.job(WriteResults(folder=str(folder)), Written)
        empty = [name for name in ("summary.json", "history.parquet") if not _filled(folder / name)]
        if empty:
            raise SmokeFailed(f"The report lacks {empty[0]}.")
        return f"{len(written.files)} files"


def _experiment(path: Path) -> Experiment:
    """The experiment that the sample opens with, on a cut of its rows."""
    from modellab.data.samples import sample_experiment

    whole = sample_experiment("flights")
    # As files of experiments name it, on Windows too: what is reopened must be the same.
    cut: Experiment = replace(
        whole, data=replace(whole.data, path=path.as_posix()), split=SplitSpec(train=TRAIN_ROWS)
    )
    return cut


def learners() -> str:
    """Fit every learner of the catalogue on a few rows, for each of its tasks."""
    import numpy as np

    from modellab.experiment import stream_rng
    from modellab.learners.base import Inputs, Task
    from modellab.learners.catalogue import CATALOGUE, build

    tasks = {
        "classification": Task("classification", ("no", "yes"), "y"),
        "regression": Task("regression", (), "y"),
    }
    names = ("a", "b")
    values = stream_rng(1, "smoke", 0).normal(size=(80, 2))
    targets = {
        "classification": (values[:, 0] > 0).astype(np.int64),
        "regression": values[:, 0] + values[:, 1],
    }
    for entry in CATALOGUE.values():
        for task in _tasks_of(entry):
            spec = LearnerSpec(entry.kind, BY_NAME.get(entry.kind))
            view = _view(spec)
            rows = _rows(values, names, view)
            learner = build(spec, Inputs(names, tasks[task]))
            try:
                learner.fit(rows, targets[task])
                predicted = len(learner.predict(rows))
            except LabError:
                raise
            except Exception as error:
                raise SmokeFailed(
                    f"{entry.title} cannot be used for {task}: {type(error).__name__}: {error}"
                ) from error
            _same(f"predictions of {entry.title}", predicted, len(values))
    return f"all {len(CATALOGUE)} of the catalogue fit and predict"


def _tasks_of(entry: CatalogueEntry) -> Sequence[str]:
    """Tasks to try: of a kind that takes classes by name, the one its example here does."""
    return {"sklearn": ("classification",), "river": ("regression",)}.get(entry.kind, entry.tasks)


def _view(spec: LearnerSpec) -> str:
    from modellab.learners.catalogue import view_of

    return view_of(spec)


def _rows(values: Any, names: Sequence[str], view: str) -> Any:
    if view == "dict":
        return [dict(zip(names, map(float, row), strict=True)) for row in values]
    return values


def window() -> str:
    """Open the window, let it paint, and close it; drawn into memory where there is no display."""
    from modellab.cli.window import DISPLAYS

    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in DISPLAYS):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    try:
        from modellab.gui.smoke import paint_window
    except ImportError as error:
        raise SmokeFailed(f"The window cannot be loaded: {error}.") from error
    return paint_window()


def _filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise SmokeFailed(f"{what} should be {wanted!s:.200}, not {found!s:.200}.")
