"""Worker processes of this program: how they are started, and how they use their streams.

Every worker is this program started again with ``--worker <kind>``; it talks in frames over its
standard input and output, and ends when its input closes. No Qt, no numpy: cheap to import.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO, cast

WORKERS = ("engine", "task", "host")
PARENT_SECONDS = 0.5
PIPE_BYTES = 1 << 20
SWITCH_SECONDS = 0.0005
NICE = 3
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "BLIS_NUM_THREADS",
)
"""Linear algebra with several threads rounds differently with every number of cores."""


def worker_command(kind: str, *arguments: str) -> list[str]:
    """Command line that starts a worker process.

    Parameters
    ----------
    kind
        One of `WORKERS`.
    arguments
        Passed on to the worker.
    """
    if kind not in WORKERS:
        raise ValueError(f"no worker of kind {kind}")
    if getattr(sys, "frozen", False):
        return [sys.executable, "--worker", kind, *arguments]
    # -P: a data folder in which the program was started must not shadow a module.
    return [sys.executable, "-P", "-m", "modellab", "--worker", kind, *arguments]


def worker_environment() -> dict[str, str]:
    """Environment of a worker: this code is found first, one linear algebra thread."""
    environment = dict(os.environ)
    environment.update(dict.fromkeys(ONE_THREAD, "1"))
    if not getattr(sys, "frozen", False):
        root = str(Path(__file__).resolve().parent.parent.parent)
        known = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = root + (os.pathsep + known if known else "")
    return environment


def start_worker(kind: str, *arguments: str, quiet: bool = False) -> subprocess.Popen[bytes]:
    """Start a worker with pipes to its standard streams.

    Parameters
    ----------
    kind, arguments
        As in `worker_command`.
    quiet
        Leave its standard error with ours instead of piping it.

    Raises
    ------
    OSError
        If no process can be started.
    """
    return subprocess.Popen(
        worker_command(kind, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if quiet else subprocess.PIPE,
        env=worker_environment(),
        # No console window flashes up on Windows. A Ctrl+C in the terminal is the parent's matter.
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        start_new_session=os.name == "posix",
    )


def talk_quickly(pipe: BinaryIO | None = None) -> None:
    """Let threads that talk to another process wait little for those that compute in this one.

    A thread that waits for Python's lock asks for it after half a millisecond, not after five; and
    a pipe, where that can be set, takes a whole report at once instead of 64 KB at a time, each of
    which would have to wait for the lock at the other end.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    if pipe is not None and sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # more than this person may have: the usual size then
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def give_way() -> None:
    """Let the window go first where there is not enough for both; what we start does so, too."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            import psutil

            psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            os.nice(NICE)


def end_worker(process: subprocess.Popen[bytes], seconds: float = 1.0) -> None:
    """Close a worker's input, wait a little, then kill it; safe to call again."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # what was not sent no longer matters
            process.stdin.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def die_with_parent() -> None:
    """End this worker soon after the process that started it, even in the middle of a long fit."""
    parent = os.getppid()
    thread = threading.Thread(target=_watch, args=(parent,), name="parent watch", daemon=True)
    thread.start()


def _watch(parent: int) -> None:
    if os.name == "posix":  # an orphan is given another parent at once
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
    else:
        import psutil

        with contextlib.suppress(psutil.Error):
            started = psutil.Process(parent)
            while started.is_running():
                time.sleep(PARENT_SECONDS)
    os._exit(0)


def limit_threads() -> None:
    """One thread for linear algebra in this process; call before numpy is imported."""
    for name in ONE_THREAD:
        os.environ[name] = "1"


def frame_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take over standard input and output for frames.

    Descriptor 1 is pointed at standard error afterwards, so that whatever a library prints, from
    Python or from C, cannot get between the frames; descriptor 0 at nothing.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(0, os.O_BINARY)
        msvcrt.setmode(1, os.O_BINARY)
    reader = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
    writer = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return reader, cast("BinaryIO", WholeWriter(writer))


class WholeWriter:
    """Unbuffered output that writes all of what it is given (a raw pipe may take only a part)."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            view = view[self._raw.write(view) :]
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered."""
