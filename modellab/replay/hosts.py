"""Where lanes run: in this process, or in a worker process; the same code and the same numbers."""

from __future__ import annotations

import contextlib
import pickle
import struct
import subprocess
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from numpy.typing import NDArray

from modellab.errors import LabError
from modellab.learners.base import Prediction, Progress, View, no_progress
from modellab.replay.beside import Beside, Errand
from modellab.replay.context import Context, build_context
from modellab.replay.lane import LaneRunner
from modellab.replay.process import start_worker
from modellab.replay.strides import strides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from modellab.data.store import Store
    from modellab.evaluation.evidence import LaneEvidence
    from modellab.evaluation.history import SeriesArrays, SeriesDelta
    from modellab.evaluation.parameter_history import ParameterDelta
    from modellab.experiment import (
        Experiment,
        Fault,
        Intervention,
        LaneSpec,
        PriceSpec,
        Scalar,
    )
    from modellab.policies.base import PolicyEvent
    from modellab.replay.lane_state import LaneState, Snapshots

GRACE_SECONDS = 0.5
_WORTH_THREADS = 16_384
"""Rows of all lanes together below which threads would cost more than they bring."""
Pieces = list[tuple[int, NDArray[Any], Prediction]]


class LaneHost:
    """The lanes of one process. All arguments and results of its methods can be pickled.

    Parameters
    ----------
    context
        The stream and what belongs to it.
    threads
        So many threads take lanes ahead that need nothing but compiled loops (see `strides`).
        Changes no number.
    """

    def __init__(self, context: Context, threads: int = 1) -> None:
        self.context = context
        self._threads = max(1, threads)
        self._pool: ThreadPoolExecutor | None = None
        self.lanes: dict[str, LaneRunner] = {}
        self._shadow: LaneRunner | None = None

    def add(
        self,
        spec: LaneSpec,
        baseline: bool,
        journal: list[Intervention],
        pins: Sequence[int] = (),
    ) -> None:
        """Add an untrained lane at the deployment point."""
        self.lanes[spec.name] = LaneRunner(
            spec, self.context, baseline=baseline, journal=journal, pins=pins
        )

    def prepare(self, name: str, progress: Progress = no_progress) -> None:
        """Train a lane's first model."""
        self.lanes[name].prepare(progress)

    def advance(
        self, stop: int, names: list[str] | None = None, collect: bool = False
    ) -> dict[str, Pieces]:
        """Replay lanes up to `stop`; with `collect`, return their predictions piece by piece."""
        lanes = [self.lanes[name] for name in (list(self.lanes) if names is None else names)]
        out: dict[str, Pieces] = {lane.spec.name: [] for lane in lanes}
        stream = self.context.stream
        at = min((lane.position for lane in lanes), default=stop)
        beside: dict[str, Beside] = {}
        try:
            while at < stop:
                views = self._views(lanes)
                rows = stream.page_rows(views)
                end = min(stop, (at // rows + 1) * rows)
                stream.soon(at, end)
                ahead = self._encode_ahead(views, end, min(stop, end + rows), lanes)
                self._advance_all(lanes, end, out if collect else None, beside)
                if ahead is not None:
                    self._until(ahead, beside)
                at = end
        finally:
            self._finish(beside.values())
        stream.soon(0, 0)
        return out if collect else {}

    @staticmethod
    def _views(lanes: list[LaneRunner]) -> list[View]:
        """In what views lanes look at rows; some look at labels alone."""
        found = [lane.learner for lane in lanes]
        looking = [learner for learner in found if not getattr(learner, "labels_only", False)]
        return list(dict.fromkeys(learner.view for learner in looking or found))

    def _encode_ahead(
        self, views: list[View], start: int, stop: int, lanes: list[LaneRunner]
    ) -> Errand | None:
        """Begin to encode the rows that come next, while lanes are at those before."""
        if stop - start < _WORTH_THREADS or not self._far(lanes, start):
            return None
        return self._begin(lambda: self.context.stream.encode_ahead(views, start, stop))

    def _begin(self, work: Callable[[], None]) -> Errand:
        """Have a piece of work done, by another thread if one comes to it first."""
        errand = Errand(work)
        self._threaded().submit(errand.run)
        return errand

    def _far(self, lanes: list[LaneRunner], stop: int) -> list[LaneRunner]:
        """Lanes to be taken to `stop` beside the others; none where threads would not pay."""
        far = [lane for lane in lanes if strides(lane.policy)]
        enough = sum(stop - lane.position for lane in far) >= _WORTH_THREADS
        return far if self._threads > 1 and enough else []

    def _threaded(self) -> ThreadPoolExecutor:
        """Threads beside the present one, which does its share."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads - 1, "lanes")
        return self._pool

    @staticmethod
    def _finish(begun: Iterable[Beside | Errand]) -> None:
        """Wait until all that was begun is done; raise what went wrong first."""
        errors: list[BaseException] = []
        for one in begun:
            try:
                one.finish()
            except BaseException as error:  # noqa: BLE001  # the others go on until they are done
                errors.append(error)
        if errors:
            raise errors[0]

    def _advance_all(
        self,
        lanes: list[LaneRunner],
        stop: int,
        out: dict[str, Pieces] | None,
        beside: dict[str, Beside],
    ) -> None:
        """Take lanes ahead up to `stop`: those that may, beside the others."""
        far = self._far(lanes, stop)
        begun = []
        for lane in far:
            aside = beside.setdefault(lane.spec.name, Beside(self._threaded()))
            begun.append(self._begin(partial(self._advance, lane, stop, out, aside)))
        try:
            for lane in lanes:
                if lane not in far:
                    if lane.spec.name in beside:  # it went on beside the others before
                        beside[lane.spec.name].finish()
                    self._advance(lane, stop, out)
            for errand in begun:
                self._until(errand, beside)
        finally:
            self._finish(begun)

    @staticmethod
    def _until(errand: Errand, beside: dict[str, Beside]) -> None:
        """Return when an errand is done, doing other work meanwhile if somebody is at it."""
        errand.run()
        for aside in beside.values():
            if errand.done:
                break
            aside.help()
        errand.finish()

    def _advance(
        self,
        lane: LaneRunner,
        stop: int,
        out: dict[str, Pieces] | None,
        beside: Beside | None = None,
    ) -> None:
        if out is None:
            lane.advance(stop, beside=beside)
            return
        pieces = out[lane.spec.name]
        lane.advance(stop, lambda at, labels, made: pieces.append((at, labels, made)), beside)

    def foresee(self) -> None:
        """Leave out of the lanes' histories what is dropped by the end: nobody looks before it."""
        for lane in self.lanes.values():
            lane.foresee()

    def intervene(self, name: str, changes: dict[str, Scalar]) -> Intervention:
        """Change settings of a lane at its position."""
        return self.lanes[name].intervene(changes)

    def fork(
        self,
        state: dict[str, bytes],
        spec: LaneSpec,
        journal: list[Intervention],
        whole: bool,
        pins: Sequence[int] = (),
    ) -> None:
        """Add a lane that begins with the state of another, or (`whole`) goes on from its own."""
        self.lanes[spec.name] = self._loaded(state, spec, journal, whole, pins)

    def _loaded(
        self,
        state: dict[str, bytes],
        spec: LaneSpec,
        journal: list[Intervention],
        whole: bool,
        pins: Sequence[int],
    ) -> LaneRunner:
        lane = LaneRunner(spec, self.context, pins=pins)
        lane.load_state(state)
        lane.journal = list(journal)
        if not whole:
            lane.applied = 0
        return lane

    def shadow(
        self,
        state: dict[str, bytes],
        spec: LaneSpec,
        journal: list[Intervention],
        whole: bool,
        pins: Sequence[int],
    ) -> None:
        """Begin to replay a lane again from `state`, beside the lanes that are here."""
        self._shadow = self._loaded(state, spec, journal, whole, pins)

    def shadow_to(self, stop: int) -> None:
        """Replay the shadow up to `stop`."""
        assert self._shadow is not None
        self._shadow.advance(stop)

    def shadow_state(self, settled: int) -> dict[str, bytes]:
        """State of the shadow once `settled` journal entries were applied; it is gone then."""
        lane, self._shadow = self._shadow, None
        assert lane is not None
        lane.settle(settled)
        return lane.state()

    def roll_back(self, name: str, to: int, pin: bytes) -> Intervention:
        """Make a lane's model what it was at position `to`."""
        return self.lanes[name].roll_back(to, pin)

    def set_faults(self, faults: list[Fault]) -> None:
        """Let these faults happen from the present position on."""
        self.context.set_faults(faults)
        for lane in self.lanes.values():
            lane.rows_changed()

    def set_prices(self, prices: PriceSpec) -> None:
        """Count costs at these prices."""
        self.context.prices = prices

    def evidence(self) -> dict[str, LaneEvidence]:
        """Tell what a verdict needs to know of all lanes."""
        return {name: lane.evidence() for name, lane in self.lanes.items()}

    def settle(self, name: str, count: int) -> None:
        """Apply a lane's first `count` journal entries now (they fall due at its position)."""
        self.lanes[name].settle(count)

    def remove(self, name: str) -> None:
        """Remove a lane."""
        self.lanes.pop(name, None)

    def state(self, name: str) -> dict[str, bytes]:
        """Whole state of a lane."""
        return self.lanes[name].state()

    def load(
        self,
        name: str,
        state: dict[str, bytes],
        journal: list[Intervention],
        pins: Sequence[int] = (),
    ) -> int:
        """Put a lane into a former state, with the journal as it is now; return its position."""
        lane = self.lanes[name]
        lane.load_state(state)
        lane.journal = list(journal)
        lane.pins = list(pins)
        return lane.position

    def describe(self, metrics: bool = False, size: bool = True) -> dict[str, LaneState]:
        """Tell the present state of all lanes."""
        return {n: lane.describe(metrics=metrics, size=size) for n, lane in self.lanes.items()}

    def curves(self, since: dict[str, dict[str, int]]) -> dict[str, dict[str, SeriesDelta]]:
        """News of the curves that are drawn since the versions that the asker has."""
        out = {}
        for name, lane in self.lanes.items():
            have = since.get(name, {})
            out[name] = {"error": lane.error.delta(have.get("error", 0))}
        return out

    def parameters(self, name: str) -> Snapshots:
        """Snapshots of a lane's parameters: names, positions (m,), values (m, p)."""
        found = self.lanes[name].parameters.arrays()
        return list(found.names), found.positions, found.values

    def parameters_since(self, name: str, version: int) -> ParameterDelta:
        """News of a lane's parameters since a version (0: all)."""
        return self.lanes[name].parameters.delta(version)

    def metric_samples(self, name: str) -> Snapshots:
        """Samples of a lane's window metrics: names, positions (m,), values (m, p)."""
        found = self.lanes[name].samples.arrays()
        return list(found.names), found.positions, found.values

    def series(self, name: str) -> dict[str, SeriesArrays]:
        """Bucketed curves of a lane as arrays."""
        lane = self.lanes[name]
        return {"error": lane.error.arrays(), "cumulative": lane.cumulative.arrays()}

    def events(self, name: str, start: int = 0) -> list[PolicyEvent]:
        """Events of a lane from index `start` on."""
        return self.lanes[name].events[start:]

    def quarantine(self, name: str) -> tuple[int, list[tuple[int, str]]]:
        """Rows that a lane's guard kept back: how many, and position and reason of the first."""
        return self.lanes[name].quarantine()

    # -- the same interface as a remote host

    def call(self, method: str, *args: Any) -> Any:
        """Do `method` and return its result."""
        return getattr(self, method)(*args)

    def close(self) -> None:
        """End the threads, if there are any."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def send(stream: BinaryIO, message: Any) -> None:
    """Write one pickled frame between our own processes."""
    body = pickle.dumps(message, protocol=5)
    stream.write(struct.pack(">Q", len(body)) + body)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one frame; raises `EOFError` when the other side is gone."""
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    (length,) = struct.unpack(">Q", head)
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return pickle.loads(body)


class RemoteHost:
    """Lanes in a worker process that maps the same store.

    Parameters
    ----------
    experiment
        The experiment.
    store
        The store, mapped anew by the worker.
    encoder_state
        The encoder fitted by this process.
    """

    def __init__(self, experiment: Experiment, store: Store, encoder_state: dict[str, Any]) -> None:
        self.process = start_worker("host")
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self._in: BinaryIO = self.process.stdin  # type: ignore[assignment]
        self._out: BinaryIO = self.process.stdout  # type: ignore[assignment]
        self._errors: deque[str] = deque(maxlen=20)
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()
        self.begin("open", experiment, str(store.path), encoder_state)
        self.finish()

    def _read_errors(self) -> None:
        stream = self.process.stderr
        if stream is not None:
            for line in stream:
                self._errors.append(line.decode(errors="replace").rstrip())

    def begin(self, method: str, *args: Any) -> None:
        """Start `method` in the worker."""
        try:
            send(self._in, (method, args))
        except OSError as error:
            raise self._died() from error

    def finish(self, progress: Progress = no_progress) -> Any:
        """Wait for the result of what was begun."""
        while True:
            try:
                kind, value = receive(self._out)
            except (EOFError, OSError) as error:
                raise self._died() from error
            if kind == "progress":
                progress(*value)
            elif kind == "failed":
                raise value
            else:
                return value

    def call(self, method: str, *args: Any) -> Any:
        """Do `method` in the worker and wait."""
        self.begin(method, *args)
        return self.finish()

    def close(self) -> None:
        """End the worker process."""
        for stream in (self._in, self._out):
            with contextlib.suppress(OSError):
                stream.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._drain.join(2)
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _died(self) -> LabError:
        return LabError(
            "A process that computes lanes has ended unexpectedly; the system may have been short "
            "of memory. Try again, with fewer workers if it happens twice.",
            detail="\n".join(self._errors),
        )


Host = LaneHost | RemoteHost


def worker_processes(hosts: Iterable[Host]) -> list[subprocess.Popen[bytes]]:
    """Other processes in which lanes run."""
    return [host.process for host in hosts if isinstance(host, RemoteHost)]


def worker_lost(hosts: Iterable[Host]) -> bool:
    """Whether such a process has ended; waits a little, as its pipes close before it is gone."""
    for process in worker_processes(hosts):
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return True
    return False


def serve(source: BinaryIO, sink: BinaryIO, open_store: Callable[[Path], Store]) -> None:
    """Serve one `RemoteHost` until it goes away (the body of ``--worker host``)."""
    host: LaneHost | None = None

    def progress(done: float, total: float, text: str = "") -> None:
        send(sink, ("progress", (done, total, text)))

    while True:
        try:
            method, args = receive(source)
        except (EOFError, OSError):
            return
        try:
            if method == "open":
                experiment, path, encoder_state = args
                context = build_context(
                    experiment, open_store(Path(path)), encoder_state=encoder_state
                )
                host = LaneHost(context)
                result: Any = None
            elif method == "prepare" and host is not None:
                host.prepare(args[0], progress)
                result = None
            else:
                result = getattr(host, method)(*args)
        except LabError as error:
            send(sink, ("failed", error))
        except Exception as error:  # noqa: BLE001  # told to the engine, which tells the person
            import traceback

            wrong = LabError(
                f"A lane failed: {type(error).__name__}: {error}", detail=traceback.format_exc()
            )
            send(sink, ("failed", wrong))
        else:
            send(sink, ("done", result))


__all__ = [
    "Host",
    "LaneHost",
    "Pieces",
    "RemoteHost",
    "serve",
    "worker_lost",
    "worker_processes",
]
