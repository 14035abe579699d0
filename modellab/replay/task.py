"""Work in a process of its own, so that giving it up is killing it: ``--worker task``.

A fit inside scikit-learn cannot be asked to stop. The engine therefore sends it to one task process
that is kept warm; cancelling kills that process, and the next task starts another.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

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
    TrainingResult,
    read_reply,
    write_frame,
)

if TYPE_CHECKING:
    import subprocess

    from modellab.learners.base import Progress


class Task(msgspec.Struct, tag=True, kw_only=True):
    """Train a learner and test it; answered like a job."""

    id: int
    experiment: Experiment
    learner: LearnerSpec
    store: str


_decoder = msgspec.msgpack.Decoder(Task)


def main() -> int:
    """Do tasks, one after another, until the engine goes away."""
    reader, writer = frame_streams()
    sending = threading.Lock()

    def send(reply: AnyReply) -> None:
        with sending:
            write_frame(writer, reply)

    from modellab.data.store import Store
    from modellab.replay.protocol import read_body
    from modellab.replay.training import train_and_test

    warm.load(*warm.BATCH)
    while (body := read_body(reader)) is not None:
        task = _decoder.decode(body)

        def progress(done: float, total: float, text: str = "", number: int = task.id) -> None:
            send(JobProgress(id=number, done=done, total=total, text=text))

        try:
            store = Store(Path(task.store))
            result = train_and_test(task.experiment, store, task.learner, progress)
            send(JobDone(id=task.id, result=msgspec.to_builtins(result)))
        except Exception as error:  # noqa: BLE001  # told to the person
            send(JobFailed(id=task.id, sentence=as_sentence(error), detail=as_detail(error)))
    return 0


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

    def train(
        self,
        number: int,
        experiment: Experiment,
        learner: LearnerSpec,
        store: str,
        progress: Progress,
        cancelled: threading.Event,
    ) -> TrainingResult:
        """Train and test `learner` in the task process.

        Parameters
        ----------
        number, experiment, learner, store
            The task; `store` is the folder of the data's store.
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
                self._current = number
            task = Task(id=number, experiment=experiment, learner=learner, store=store)
            try:
                reply = _exchange(process, task, progress)
            except BaseException:
                # Answers of a task that nobody waits for must not be taken for the next one's.
                process.kill()
                end_worker(process)
                raise
            if isinstance(reply, JobDone):
                return msgspec.convert(reply.result, TrainingResult)
            if isinstance(reply, JobFailed):
                raise LabError(reply.sentence, detail=reply.detail)
            end_worker(process)
            if cancelled.is_set():
                raise Cancelled
            raise LabError(
                "The training was ended by the system, most likely for want of memory: "
                "train in chunks, on a sample, or choose another learner."
            )

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
