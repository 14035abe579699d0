"""Work in a process of its own, so that giving it up is killing it: ``--worker task``.

A fit inside scikit-learn cannot be asked to stop. The engine therefore sends it to one task process
that is kept warm; cancelling kills that process, and the next task starts another. What takes long
beside the replay (the hindsight optimum, sensitivity) goes to a second one.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from modellab.errors import Cancelled, LabError
from modellab.experiment import Experiment, LearnerSpec
from modellab.replay import warm
from modellab.replay.failure import as_detail, as_sentence
from modellab.replay.process import end_worker, frame_streams, start_worker
from modellab.replay.protocol import (
    AnyReply,
    JobDone,
    JobFailed,
    JobProgress,
    read_reply,
    write_frame,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from modellab.learners.base import Progress
    from modellab.replay.services import Services


class TrainTask(msgspec.Struct, tag="train", kw_only=True):
    """Train a learner and test it -> `TrainingResult`."""

    id: int
    experiment: Experiment
    store: str
    learner: LearnerSpec


class HindsightTask(msgspec.Struct, tag="hindsight", kw_only=True):
    """Find the hindsight optimum -> what `Services.hindsight` gives."""

    id: int
    experiment: Experiment
    store: str
    learner: LearnerSpec | None
    grid: int
    keep: int | str


class SensitivityTask(msgspec.Struct, tag="sensitivity", kw_only=True):
    """Measure how much lanes suffer from faults -> ``{"rise": ...}``."""

    id: int
    experiment: Experiment
    store: str
    kinds: list[str]


Task = TrainTask | HindsightTask | SensitivityTask

_decoder = msgspec.msgpack.Decoder(Task)


def main(services: Callable[[], Services]) -> int:
    """Do tasks, one after another, until the engine goes away.

    `services` is called when a task first needs what the rooms above this one do.
    """
    reader, writer = frame_streams()
    sending = threading.Lock()

    def send(reply: AnyReply) -> None:
        with sending:
            write_frame(writer, reply)

    from modellab.replay.protocol import read_body

    warm.load(*warm.BATCH)
    while (body := read_body(reader)) is not None:
        task = _decoder.decode(body)

        def progress(done: float, total: float, text: str = "", number: int = task.id) -> None:
            send(JobProgress(id=number, done=done, total=total, text=text))

        try:
            send(JobDone(id=task.id, result=_do(task, services, progress)))
        except Exception as error:  # noqa: BLE001  # told to the person
            send(JobFailed(id=task.id, sentence=as_sentence(error), detail=as_detail(error)))
    return 0


def _do(task: Task, services: Callable[[], Services], progress: Progress) -> dict[str, Any]:
    from modellab.data.store import Store
    from modellab.replay.training import train_and_test

    store = Store(Path(task.store))
    if isinstance(task, TrainTask):
        trained = train_and_test(task.experiment, store, task.learner, progress)
        built: dict[str, Any] = msgspec.to_builtins(trained)
        return built
    if isinstance(task, HindsightTask):
        return services().hindsight(
            task.experiment, store, task.learner, task.grid, task.keep, progress
        )
    return {"rise": services().sensitivity(task.experiment, store, task.kinds, progress)}


_LOST: dict[type, str] = {
    TrainTask: (
        "The training was ended by the system, most likely for want of memory: "
        "train in chunks, on a sample, or choose another learner."
    ),
    HindsightTask: (
        "The search for the hindsight optimum was ended by the system, most likely for want of "
        "memory: train on a sample, or choose another learner."
    ),
    SensitivityTask: (
        "The measurement with bad data was ended by the system, most likely for want of memory: "
        "try again with fewer lanes."
    ),
}


class TaskProcess:
    """The engine's end of the task process; one task at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._busy = threading.Lock()
        self._guard = threading.Lock()
        self._current = -1

    def warm_up(self) -> None:
        """Start the process if there is none, so that the next task finds it ready."""
        with self._guard:
            self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = start_worker("task", quiet=True)
        return self._process

    def do(self, task: Task, progress: Progress, cancelled: threading.Event) -> dict[str, Any]:
        """Do a task in the process; return its result as builtins.

        Parameters
        ----------
        task
            What to do; its `store` is the folder of the data's store.
        progress
            Told how far it is; may raise `Cancelled`.
        cancelled
            Set before `kill` is called.

        Raises
        ------
        Cancelled
            After `kill`, or when `progress` says so.
        LabError
            With the sentence of what went wrong.
        """
        with self._busy:
            with self._guard:
                if cancelled.is_set():
                    raise Cancelled
                process = self._started()
                self._current = task.id
            try:
                reply = _exchange(process, task, progress)
            except BaseException:
                # Answers of a task that nobody waits for must not be taken for the next one's.
                process.kill()
                end_worker(process)
                raise
            if isinstance(reply, JobDone):
                return reply.result
            if isinstance(reply, JobFailed):
                raise LabError(reply.sentence, detail=reply.detail)
            end_worker(process)
            if cancelled.is_set():
                raise Cancelled
            raise LabError(_LOST[type(task)])

    def kill(self, number: int) -> None:
        """Give up a task, if it is under way."""
        with self._guard:
            if self._process is not None and self._current == number:
                self._process.kill()


def _exchange(process: subprocess.Popen[bytes], task: Task, progress: Progress) -> AnyReply | None:
    """Send a task and return its last answer; None when the process ended."""
    try:
        write_frame(process.stdin, task)  # type: ignore[arg-type]
        while isinstance(reply := read_reply(process.stdout), JobProgress):  # type: ignore[arg-type]
            progress(reply.done, reply.total, reply.text)
    except OSError:
        return None
    return reply
