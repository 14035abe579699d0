"""The window's end of the engine process: starts it, sends commands, collects answers.

One thread reads. Nothing piles up: telemetry comes only for a `Ready` that was sent, of a job's
progress only the newest is kept, and all other answers are bounded by the commands sent.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import deque
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from modellab.errors import LabError
from modellab.replay.growing_protocol import RowsReady
from modellab.replay.process import end_worker, start_worker, talk_quickly
from modellab.replay.protocol import (
    Ack,
    Command,
    JobDone,
    JobFailed,
    JobProgress,
    Shutdown,
    Telemetry,
    read_reply,
    write_frame,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from modellab.replay.protocol import AnyReply

STDERR_LINES = 200


class EngineDied(msgspec.Struct, frozen=True):
    """The engine process ended without being asked to; comes once, as the last answer.

    Attributes
    ----------
    exit_code
        Its exit status; negative: minus the number of the signal that ended it.
    sentence
        What the person is told.
    stderr
        The last lines that it wrote to standard error, for the log.
    """

    exit_code: int
    sentence: str
    stderr: str

    @property
    def reason(self) -> str:
        """The sentence, and below it what the engine wrote last."""
        return f"{self.sentence}\n{self.stderr}".strip()


Answer = Ack | JobProgress | JobDone | JobFailed | RowsReady | EngineDied


class EngineClient:
    """Starts an engine process and talks to it.

    Parameters
    ----------
    on_wake
        Called (from the reading thread, without arguments) when there is something to take; it
        must return at once.
    """

    def __init__(self, on_wake: Callable[[], None] | None = None) -> None:
        self._on_wake = on_wake
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._answers: list[Answer] = []
        # Telemetry tells what changed since the one before: none may be dropped for a newer one.
        self._telemetry: deque[Telemetry] = deque()
        self._next_id = 1
        self._stopping = False
        self._died: EngineDied | None = None
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the engine process; returns before it is ready (commands wait in the pipe).

        Raises
        ------
        OSError
            If no process can be started.
        """
        if self._process is not None:
            raise LabError("This engine was started before: make a new client.")
        self._process = start_worker("engine")
        talk_quickly(cast("BinaryIO | None", self._process.stdout))
        for work in (self._read_errors, self._read_replies):
            thread = threading.Thread(target=work, name=f"engine-{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    @property
    def alive(self) -> bool:
        """Whether the engine process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of the engine."""
        return None if self._process is None else self._process.pid

    @property
    def exit_reason(self) -> str | None:
        """Why the engine ended by itself; None while it runs and after `stop`."""
        return None if self._died is None else self._died.sentence

    def send(self, command: Command) -> int:
        """Send a command and return its id, by which its answers are known.

        To a dead engine nothing is sent; `poll` then tells (once) that it died.
        """
        with self._sending:
            number, self._next_id = self._next_id, self._next_id + 1
            if self._process is not None and self._process.stdin is not None:
                # Should it be gone: the reading thread finds out and says so.
                with contextlib.suppress(OSError, ValueError):
                    write_frame(
                        self._process.stdin,  # type: ignore[arg-type]
                        msgspec.structs.replace(command, id=number),
                    )
            return number

    def poll(self) -> list[Answer]:
        """Take the answers that came since the last call, in order."""
        with self._lock:
            taken, self._answers = self._answers, []
        return taken

    def next_telemetry(self) -> Telemetry | None:
        """Take the oldest telemetry that was not taken yet; None if there is none."""
        with self._lock:
            return self._telemetry.popleft() if self._telemetry else None

    def stop(self, seconds: float = 1.0) -> None:
        """End the engine: ask, wait up to `seconds`, kill. Safe to call again."""
        self._stopping = True
        if self._process is None:
            return
        if self._process.poll() is None:
            self.send(Shutdown())
        end_worker(self._process, seconds)
        self._finish()

    def kill(self) -> None:
        """End the engine at once."""
        self._stopping = True
        if self._process is not None:
            self._process.kill()
            end_worker(self._process)
            self._finish()

    def _finish(self) -> None:
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(2.0)
        assert self._process is not None
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _read_errors(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        try:
            for line in self._process.stderr:
                self._stderr.append(line.decode(errors="replace"))
        except (OSError, ValueError):
            pass  # closed under us by `kill`

    def _read_replies(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        broken = ""
        try:
            while (reply := read_reply(self._process.stdout)) is not None:  # type: ignore[arg-type]
                self._take(reply)
        except (LabError, msgspec.DecodeError) as error:  # before its base class ValueError
            broken = f"It sent something that cannot be understood ({error})."
            self._process.kill()
        except (OSError, ValueError):
            pass  # closed under us by `kill`
        code = self._process.wait()
        if not self._stopping:
            self._threads[0].join(2.0)
            died = EngineDied(code, f"{_ending(code)} {broken}".strip(), "".join(self._stderr))
            with self._lock:
                self._died = died
                self._answers.append(died)
            self._wake()

    def _take(self, reply: AnyReply) -> None:
        with self._lock:
            if isinstance(reply, Telemetry):
                self._telemetry.append(reply)
            elif not (isinstance(reply, JobProgress) and self._refreshed(reply)):
                self._answers.append(reply)
        self._wake()

    def _refreshed(self, progress: JobProgress) -> bool:
        """Put newer progress in the place of what was not yet taken."""
        for index, answer in enumerate(self._answers):
            if isinstance(answer, JobProgress) and answer.id == progress.id:
                self._answers[index] = progress
                return True
        return False

    def _wake(self) -> None:
        if self._on_wake is not None:
            self._on_wake()


def _ending(code: int) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"The engine process was ended by the system ({name})."
    return f"The engine process ended unexpectedly (exit status {code})."
