"""What leaves the engine: answers in one stream, and jobs that can be given up."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from modellab.errors import Cancelled
from modellab.replay.failure import as_detail, as_log, as_sentence
from modellab.replay.protocol import (
    Ack,
    JobDone,
    JobFailed,
    JobProgress,
    Reply,
    write_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.experiment import Fault, Intervention

Result = msgspec.Struct | dict[str, Any] | None

PROGRESS_SECONDS = 1 / 30


class Outbox:
    """Sends answers, from any thread, one whole frame after another."""

    def __init__(self, writer: BinaryIO) -> None:
        self._writer = writer
        self._lock = threading.Lock()

    def send(self, reply: Reply) -> None:
        """Send one answer; ends the process when nobody is left to read it."""
        try:
            with self._lock:
                write_frame(self._writer, reply)
        except OSError:
            # The window is gone. Lane workers and the task process see their input close.
            os._exit(0)

    def ack(
        self,
        number: int,
        position: int = 0,
        error: str | None = None,
        entry: Intervention | None = None,
        fault: Fault | None = None,
    ) -> None:
        """Acknowledge a command."""
        self.send(Ack(id=number, position=position, error=error, entry=entry, fault=fault))


class Job:
    """A job under way: answered once, by whoever is first to end it."""

    def __init__(self, number: int, outbox: Outbox, ended: Callable[[int], None]) -> None:
        self.id = number
        self.cancelled = threading.Event()
        self.on_cancel: Callable[[], None] | None = None
        self.at_once = True
        self._outbox = outbox
        self._ended = ended
        self._lock = threading.Lock()
        self._open = True
        self._told = 0.0
        self._text = ""

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Report progress, at most 30 times a second; raises `Cancelled` once it was given up."""
        if self.cancelled.is_set():
            raise Cancelled
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS or text != self._text:
            self._told, self._text = now, text
            self._outbox.send(JobProgress(id=self.id, done=done, total=total, text=text))

    def cancel(self) -> None:
        """Give it up. Unless its work must first be taken back, it is answered now."""
        self.cancelled.set()
        act = self.on_cancel
        if act is not None:
            act()
        if self.at_once:
            self.fail(Cancelled())

    def done(self, result: Result) -> None:
        """Answer that it ended well."""
        built: dict[str, Any] = {}
        if result is not None:
            built = msgspec.to_builtins(result, builtin_types=(bytes,), enc_hook=_plain)
        self._end(JobDone(id=self.id, result=built))

    def fail(self, error: BaseException) -> None:
        """Answer that it failed, with a sentence."""
        given_up = isinstance(error, Cancelled)
        if not given_up and not self.cancelled.is_set():
            print(as_log(error), file=sys.stderr)  # noqa: T201  # the engine's log
        self._end(
            JobFailed(
                id=self.id,
                sentence=as_sentence(error),
                detail="" if given_up else as_detail(error),
                cancelled=given_up,
            )
        )

    def run(self, work: Callable[[Job], Result]) -> None:
        """Do the work and answer."""
        try:
            if self.cancelled.is_set():
                raise Cancelled
            result = work(self)
        except Exception as error:  # noqa: BLE001  # told to the person; the engine goes on
            self.fail(error)
        else:
            self.done(result)

    def refused(self) -> None:
        """Forget it: its command was refused, which is the answer."""
        with self._lock:
            self._open = False
        self._ended(self.id)

    def _end(self, reply: JobDone | JobFailed) -> None:
        with self._lock:
            first, self._open = self._open, False
        if first:
            self._ended(self.id)
            self._outbox.send(reply)


def _plain(value: Any) -> Any:
    """Turn a number or array of numpy into Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise NotImplementedError(f"a {type(value).__name__} cannot be sent")
