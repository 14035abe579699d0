"""Small real data, and an engine process to talk to."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from modellab.experiment import (
    DataSpec,
    EvaluationSpec,
    Experiment,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
)
from modellab.paths import resources
from modellab.replay.client import EngineClient, EngineDied
from modellab.replay.protocol import (
    Ack,
    Command,
    JobDone,
    JobFailed,
    JobProgress,
    Ready,
    Telemetry,
)

# Helpers that lie here are imported by their bare names: test folders are no packages.
_HERE = str(Path(__file__).parent)
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)

PATIENCE = 60.0


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 6,000 flights of the sample, as CSV."""
    import pyarrow.csv

    table = pq.read_table(resources() / "samples" / "flights.parquet").slice(0, 6000)
    path = tmp_path_factory.mktemp("data") / "flights.csv"
    pyarrow.csv.write_csv(table, path)
    return path


@pytest.fixture(scope="session")
def experiment(flights: Path) -> Experiment:
    """Three lanes and the baselines on the small flights."""
    logistic = LearnerSpec("logistic_regression", None, {"max_iter": 50})
    return Experiment(
        data=DataSpec(
            path=str(flights), target="late", time="time", ignore=["dep_delay", "arr_delay"]
        ),
        split=SplitSpec(train=2000),
        evaluation=EvaluationSpec(window=200, memory_set=MemorySet(200, 1000)),
        replay=ReplaySpec(limit=3000),
        lane=[
            LaneSpec("Static", StaticPolicy(), logistic),
            LaneSpec("Retrained", ScheduledPolicy(every=1000, test_rows=200), logistic),
            LaneSpec(
                "Online", OnlinePolicy(), LearnerSpec("linear", None, {"learning_rate": 0.05})
            ),
        ],
    )


class Driver:
    """Talks to an engine process as the window does."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self.client = EngineClient(self._woken.set)
        self.answers: list[Any] = []
        self.telemetry: list[Telemetry] = []
        self.progress: list[JobProgress] = []
        self.credit = True

    def pump(self) -> None:
        """Take what came; grant the next telemetry."""
        self._woken.clear()
        for answer in self.client.poll():
            (self.progress if isinstance(answer, JobProgress) else self.answers).append(answer)
        while (told := self.client.next_telemetry()) is not None:
            self.telemetry.append(told)
            if self.credit:
                self.client.send(Ready())

    def wait(self, found: Callable[[], Any]) -> Any:
        """Pump until `found()` is something."""
        end = time.monotonic() + PATIENCE
        while True:
            self.pump()
            result = found()
            if result:
                return result
            left = end - time.monotonic()
            assert left > 0, f"nothing came; last: {self.answers[-3:]}"
            self._woken.wait(min(left, 1.0))

    def answer(self, number: int, *kinds: type) -> Any:
        """Wait for the answer of one of these kinds to a command."""

        def found() -> Any:
            for answer in self.answers:
                assert not isinstance(answer, EngineDied), answer.reason
                if isinstance(answer, kinds) and answer.id == number:
                    return answer
            return None

        return self.wait(found)

    def do(self, command: Command) -> Ack:
        """Send a command and wait for its acknowledgement."""
        return self.answer(self.client.send(command), Ack)  # type: ignore[no-any-return]

    def finish(self, number: int) -> JobDone | JobFailed:
        """Wait for a job's end."""
        return self.answer(number, JobDone, JobFailed)  # type: ignore[no-any-return]

    def job(self, command: Command, kind: type[Any] | None = None) -> Any:
        """Do a job that must end well; return its result as `kind`."""
        ended = self.finish(self.client.send(command))
        assert isinstance(ended, JobDone), ended
        return None if kind is None else msgspec.convert(ended.result, kind)

    def failure(self, command: Command) -> JobFailed:
        """Do a job that must fail."""
        ended = self.finish(self.client.send(command))
        assert isinstance(ended, JobFailed)
        return ended

    def until(self, found: Callable[[Telemetry], bool]) -> Telemetry:
        """Wait for telemetry of some kind, newer than what came before."""
        first = len(self.telemetry)
        return self.wait(lambda: next((t for t in self.telemetry[first:] if found(t)), None))  # type: ignore[no-any-return]


@pytest.fixture
def engine() -> Iterator[Driver]:
    """An engine process for one test."""
    driver = Driver()
    driver.client.start()
    yield driver
    driver.client.stop()


@pytest.fixture(scope="module")
def shared_engine() -> Iterator[Driver]:
    """An engine process for all tests of a module."""
    driver = Driver()
    driver.client.start()
    yield driver
    driver.client.stop()
