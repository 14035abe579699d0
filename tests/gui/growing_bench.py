"""A session on an engine in this process, which reads a file as far as the test lets it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellab.__main__ import _services
from modellab.data import feeds, growing, one_pass, segments
from modellab.data.growing import PartialStore
from modellab.errors import Cancelled, DataError
from modellab.gui.session import Session
from modellab.gui.session_topics import Message
from modellab.replay import engine_growing, engine_jobs
from modellab.replay.engine import Engine
from modellab.replay.engine_out import Job, Outbox
from modellab.replay.process import end_worker
from modellab.replay.protocol import Command, Reply, Telemetry

BATCH = segments.BATCH_ROWS
ROWS = 3 * BATCH + 20_000


class _Box(Outbox):
    def __init__(self, take: Callable[[Reply], None]) -> None:
        self._take = take

    def send(self, reply: Reply) -> None:
        self._take(reply)


class LocalEngine:
    """The engine's threads in this process, as a client of it is asked."""

    def __init__(self) -> None:
        self.alive = True
        self._lock = threading.Lock()
        self._replies: list[Any] = []
        self._telemetry: list[Telemetry] = []
        self._numbers = 0
        self.engine = Engine(_Box(self._take), _services())

    def _take(self, reply: Reply) -> None:
        with self._lock:
            (self._telemetry if isinstance(reply, Telemetry) else self._replies).append(reply)

    def start(self) -> None:
        pass

    def send(self, command: Command) -> int:
        self._numbers += 1
        command.id = self._numbers
        self.engine.take(command)
        return self._numbers

    def poll(self) -> list[Any]:
        with self._lock:
            taken, self._replies = self._replies, []
        return taken

    def next_telemetry(self) -> Telemetry | None:
        with self._lock:
            return self._telemetry.pop(0) if self._telemetry else None

    def stop(self) -> None:
        """End what a real engine would end with its process."""
        self.alive = False
        for job in list(self.engine._running.values()):
            job.cancel()
        jobs = self.engine._jobs
        pools = (jobs._imports, jobs._data, jobs._pages, jobs._trainings, jobs._deployments)
        for pool in pools:
            pool.shutdown(cancel_futures=True)
        for task in (jobs._task, jobs._verdicts._task):
            if getattr(task, "_process", None) is not None:
                end_worker(task._process)
        if self.engine._player.replay is not None:
            self.engine._player.replay.close()


class Held:
    """Reading waits after every piece until `go`; `fail` lets it end with a sentence there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pieces = threading.Semaphore(0)
        self._wrong = ""
        self.open = False
        read = engine_jobs._import
        monkeypatch.setattr(one_pass, "SMALL_BYTES", 0)
        monkeypatch.setattr(feeds, "CSV_BLOCK", 2**18)
        monkeypatch.setattr(segments, "SEGMENT_BATCHES", 1)
        monkeypatch.setattr(growing, "INTERVAL", 0.0)
        monkeypatch.setattr(growing, "_SHARE_OF_TIME", 1e9)
        monkeypatch.setattr(engine_growing, "WORTH_SECONDS", -1.0)

        def held(command: Any, job: Job, ready: Any = None, progress: Any = None) -> Any:
            if ready is None:
                return read(command, job, None, progress)

            def wait(partial: PartialStore) -> None:
                ready(partial)
                while not self.open and not self._pieces.acquire(timeout=0.02):
                    if job.cancelled.is_set():
                        raise Cancelled
                if self._wrong:
                    raise DataError(self._wrong)

            return read(command, job, wait, progress)

        monkeypatch.setattr(engine_jobs, "_import", held)

    def go(self) -> None:
        """Let the next piece be read."""
        self._pieces.release()

    def finish(self) -> None:
        """Let all be read."""
        self.open = True

    def fail(self, sentence: str) -> None:
        """Let reading end here."""
        self._wrong = sentence
        self._pieces.release()


class GrowingBench:
    """The session, what it told, and the hold on its reading."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = Held(monkeypatch)
        self.local: LocalEngine | None = None
        self.session = Session(self._make)
        self.messages: list[Message] = []
        self.session.subscribe("message", self.messages.append)

    def _make(self) -> LocalEngine:
        self.local = LocalEngine()
        return self.local

    @property
    def replay(self) -> Any:
        assert self.local is not None
        return self.local.engine._player.replay

    def until(self, ready: Callable[[], object], seconds: float = 40.0) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end, [m.text for m in self.messages]
            if not self.session.pump():
                time.sleep(0.002)  # other threads work: there is nothing to wait on

    def rows(self, count: int) -> None:
        """Wait until the data set has so many rows and is profiled."""
        session = self.session
        self.until(
            lambda: (
                session.n_rows == count
                and not session.profile_stale
                and session.profile is not None
                and session.profile.n_rows == count
            )
        )

    def open(self, path: Path) -> Session:
        self.session.open_paths([path])
        self.rows(BATCH)
        return self.session

    def told(self, word: str) -> list[str]:
        return [m.text for m in self.messages if word in m.text]

    def close(self) -> None:
        self.held.finish()
        self.session.close(keep=False)


def make_csv(path: Path, *, odd: str = "", other: str = "") -> Path:
    """Rows whose rule turns round; `odd`: a word late in column b; `other`: a late class."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, ROWS)).round(3)
    turn = np.where(np.arange(ROWS) // 30_000 % 2, 1.0, -1.0)
    up = turn * a + 0.4 * b + rng.normal(scale=0.3, size=ROWS) > 0
    group = np.array(list("wxyz"))[rng.integers(0, 4, ROWS)]
    lines = [
        f"{x},{y},{g},{'up' if u else 'down'}" for x, y, g, u in zip(a, b, group, up, strict=True)
    ]
    if odd:
        for k in range(2 * BATCH, ROWS, 2):
            lines[k] = f"{a[k]},{odd}{k % 9},{group[k]},up"
    if other:
        for k in range(2 * BATCH + 5_000, ROWS, 50):
            lines[k] = f"{a[k]},{b[k]},{group[k]},{other}"
    path.write_text("a,b,group,move\n" + "\n".join(lines) + "\n")
    return path
