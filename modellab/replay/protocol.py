"""The messages between the window and the engine process, and how they travel.

Frames are four bytes of length (big endian) and a msgpack body, over the engine's standard input
and output. Every command carries an `id` and is answered by exactly one `Ack` that names the
position at which it took effect. Commands that start a *job* (import, profile, train, deploy,
write results) are acknowledged at once and later answered by exactly one `JobDone` or `JobFailed`
with the same `id`, with any number of `JobProgress` before it.

Telemetry is credited: the engine sends a `Telemetry` for each `Ready` of the window, and at most
two are on their way. So nothing can pile up however slow the window or fast the stream is.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import msgspec
import numpy as np

from modellab.errors import LabError
from modellab.experiment import (
    Experiment,
    Fault,
    Intervention,
    Kind,
    LaneSpec,
    LearnerSpec,
    PriceSpec,
    ReadingSpec,
    Scalar,
)
from modellab.replay.data_protocol import DataCommand
from modellab.replay.growing_protocol import GrowingCommand, RowsReady
from modellab.replay.protocol_base import Command as Command
from modellab.replay.protocol_base import Reply as Reply

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_FRAME = 256 * 2**20
SpeedMode = Literal["rows", "time", "max"]
ReplayState = Literal["idle", "preparing", "paused", "playing", "finished"]


class OpenData(Command):
    """Job: import the files into the store (or map the cached one) -> `DataSummary`.

    `growing`: from so many rows on they may be used while it goes on (`RowsReady`); None: not.
    """

    paths: list[str]
    kinds: dict[str, Kind] = {}
    sort_by: str | None = None
    reading: ReadingSpec = ReadingSpec()
    growing: int | None = None


class ProfileData(Command):
    """Job: profile the open data for this experiment -> `ProfileSummary`."""

    experiment: Experiment


class ReadRows(Command):
    """Job (quick): cells of at most 1,000 rows [start, stop) as texts -> `RowsPage`."""

    start: int
    stop: int


class ReadBadRows(Command):
    """Job (quick): rows that were set aside -> `BadRowsPage`; `save_to` also writes all as CSV."""

    start: int = 0
    stop: int = 200
    save_to: str | None = None


class TrainModel(Command):
    """Job: fit on the training window less its test part, test there -> `TrainingResult`."""

    experiment: Experiment
    learner: LearnerSpec


class Deploy(Command):
    """Job: build the replay at the deployment point, fit first models -> `Deployed`.

    `resume`: the session folder has checkpoints of this same experiment; the replay goes on from
    the last one and is played up to `position`.
    """

    experiment: Experiment
    session_dir: str
    workers: int = 1
    resume: bool = False
    position: int | None = None


class WriteResults(Command):
    """Job: write the results folder as `modellab run --out` does -> `Written`."""

    folder: str


class CancelJob(Command):
    """Cancel the job with id `job`, or the rollback (no effect once it has ended)."""

    job: int


class Play(Command):
    """Play at `rate` rows per second (mode ``rows``), times real time (``time``), or ``max``."""

    mode: SpeedMode = "rows"
    rate: float = 1000.0


class Pause(Command):
    """Stop at the next position reached."""


class Step(Command):
    """Replay `rows` rows, then pause."""

    rows: int = 1


class Seek(Command):
    """Go to `position` (a job): to the deployment point or anywhere, exactly as if replayed."""

    position: int


class Intervene(Command):
    """Change settings of a lane from the present position on; becomes a journal entry."""

    lane: str
    set: dict[str, Scalar]


class Fork(Command):
    """Begin a new lane `name` here with the state of `lane`, then with settings `set`."""

    lane: str
    name: str
    set: dict[str, Scalar] = {}


class Rollback(Command):
    """Make the model of `lane` again what it was at the earlier position `to`; a journal entry.

    Acknowledged when it is done. Until then settings and play can be changed, all else waits, and
    `CancelJob` with the id of this command gives it up.
    """

    lane: str
    to: int


class Inject(Command):
    """Let this fault happen (`start` at or after the present position; it is moved there if not).

    The `Ack` tells the fault as it was added to the experiment.
    """

    fault: Fault


class RemoveFault(Command):
    """Take back fault number `index` of the experiment.

    Job: where it has already begun, the replay goes back to its start and comes back here.
    """

    index: int


class Judge(Command):
    """Job (quick): the verdict at the present position -> `modellab.verdict.values.Verdict`.

    With `prices`, at these instead of the experiment's, which become the experiment's prices.
    """

    prices: PriceSpec | None = None


class FindHindsight(Command):
    """Job: find the hindsight optimum in a process beside the replay -> `HindsightFound`.

    The lane that follows it is added to the replay, and later verdicts tell every lane's regret.
    """

    learner: LearnerSpec | None = None
    grid: int = 12
    keep: int | str = "any"


class MeasureSensitivity(Command):
    """Job: replay the lanes again in a process beside the replay, once for each fault.

    -> `SensitivityMeasured`; later verdicts hold it. `kinds`: of faults; empty: label noise,
    missing values and a unit error.
    """

    kinds: list[str] = []


class ReadQuarantine(Command):
    """Job (quick): rows that a guard kept back -> `QuarantinePage`; `save_to`: all as CSV."""

    lane: str
    start: int = 0
    stop: int = 200
    save_to: str | None = None


class AddLane(Command):
    """Job: add a lane; it is replayed from the deployment point up to the present position."""

    lane: LaneSpec


class RemoveLane(Command):
    """Remove a lane (or a fork)."""

    name: str


class Watch(Command):
    """Send the parameters of `lane` with the telemetry (None: of no lane)."""

    lane: str | None


class Ready(Command):
    """The last telemetry was taken: send the next. `reset` asks for all curves anew."""

    reset: bool = False


class Shutdown(Command):
    """End the engine process."""


AnyCommand = (
    OpenData
    | ProfileData
    | ReadRows
    | ReadBadRows
    | TrainModel
    | Deploy
    | WriteResults
    | CancelJob
    | Play
    | Pause
    | Step
    | Seek
    | Intervene
    | Fork
    | Rollback
    | Inject
    | RemoveFault
    | Judge
    | FindHindsight
    | MeasureSensitivity
    | ReadQuarantine
    | AddLane
    | RemoveLane
    | Watch
    | Ready
    | Shutdown
    | DataCommand
    | GrowingCommand
)


class Ack(Reply):
    """The command took effect at `position`, or was refused with a sentence in `error`."""

    id: int
    position: int = 0
    error: str | None = None
    entry: Intervention | None = None
    fault: Fault | None = None


class JobProgress(Reply):
    """How far a job is; `total` 0: not known."""

    id: int
    done: float
    total: float
    text: str = ""


class JobDone(Reply):
    """A job ended well; `result` is the struct named in the command's docstring, as builtins."""

    id: int
    result: dict[str, Any]


class JobFailed(Reply):
    """A job ended with a sentence; `cancelled` when the person asked for it."""

    id: int
    sentence: str
    detail: str = ""
    cancelled: bool = False


class CurveDelta(msgspec.Struct):
    """News of one bucketed curve: replace everything from bucket `from_index` on.

    Arrays are float64/int64 little-endian bytes of equal length; see `pack` and `unpack`.
    `start` holds the first position of each bucket, `width` the rows per bucket.
    """

    width: int
    from_index: int
    start: bytes
    mean: bytes


class LaneNews(msgspec.Struct):
    """The present state of one lane, and news of its curve (``error``, as windowed)."""

    name: str
    baseline: bool
    status: str
    error: float | None
    cumulative: float | None
    updates: int
    retrains: int
    redeploys: int
    cpu_predict: float
    cpu_learn: float
    cpu_fit: float
    model_bytes: int
    cost: float
    settings: dict[str, Scalar]
    rates: dict[str, Any] | None
    curves: dict[str, CurveDelta]
    rollbacks: int = 0
    rejected: int = 0
    downtime_rows: int = 0
    alarms: int = 0
    quarantined: int = 0
    rows_stored: int = 0
    staleness: float | None = None
    forgetting: float | None = None
    regret: float | None = None
    down: bool = False
    metrics: dict[str, dict[str, float | None]] | None = None


class ParameterNews(msgspec.Struct):
    """Parameters of the watched lane: snapshots from `from_index` on, values row by row."""

    lane: str
    names: list[str]
    from_index: int
    positions: bytes
    values: bytes


class FeatureDriftNews(msgspec.Struct):
    """The heat map of feature drift: checks from `from_index` on.

    `positions` int64 (m,); `score` float64 (m, columns) row by row: the statistic divided by its
    calibrated threshold, so that above 1 is an alarm (NaN: not told); `psi` likewise, plain.
    `tests`: for each column the name of its test; `threshold`: the calibrated one.
    """

    columns: list[str]
    tests: list[str]
    threshold: list[float]
    from_index: int
    positions: bytes
    score: bytes
    psi: bytes


class EventRecord(msgspec.Struct, omit_defaults=True):
    """Something that happened in a lane at a position (also a line of `events.jsonl`).

    `kind`: ``retrain``, ``redeploy``, ``reject``, ``drift`` (an alarm), ``rollback``, ``switch``
    (challenger and champion change places), ``reset``, ``quarantine``, ``fault``, ``fault_end``,
    ``intervention``, ``fork``, ``warning``. What concerns all lanes has the lane ``""``.
    """

    position: int
    lane: str
    kind: str
    text: str
    values: dict[str, Any] = {}


class Telemetry(Reply):
    """All the window needs to draw the present moment; bounded whatever the stream's length."""

    sequence: int
    state: ReplayState
    position: int
    train_rows: int
    stop: int
    time_ns: int | None
    rows_per_second: float
    memory_mb: float
    busy: str
    lanes: list[LaneNews]
    parameters: ParameterNews | None
    events: list[EventRecord]
    events_from: int
    curves_reset: bool = False
    feature_drift: FeatureDriftNews | None = None


AnyReply = Ack | JobProgress | JobDone | JobFailed | Telemetry | RowsReady


class ColumnSummary(msgspec.Struct):
    """One column as the window shows it before the profile is there."""

    name: str
    kind: Kind
    reason: str


class DataSummary(msgspec.Struct):
    """Result of `OpenData`; `whole`: these are all rows of the files."""

    name: str
    paths: list[str]
    format: str
    size_bytes: int
    n_rows: int
    fingerprint: str
    columns: list[ColumnSummary]
    bad_rows: int
    warnings: list[str]
    guessed_target: str
    guessed_target_reason: str
    guessed_time: str | None
    read_seconds: float
    memory_bytes: int
    memory_budget: int
    whole: bool = True


class ProfileSummary(msgspec.Struct):
    """Result of `ProfileData`: column profiles, notes, and the split in rows and times."""

    columns: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    task: str
    classes: list[str]
    train_rows: int
    test_rows: int
    n_rows: int
    times_ns: list[int]
    error: str | None = None


class RowsPage(msgspec.Struct):
    """Result of `ReadRows`: a list of cells for each row; None is missing."""

    start: int
    cells: list[list[str | None]]


class BadRowsPage(msgspec.Struct):
    """Result of `ReadBadRows`: (file, line, reason, text)."""

    start: int
    total: int
    rows: list[tuple[str, int, str, str]]


class TrainingResult(msgspec.Struct):
    """Result of `TrainModel`: the learner, its test report (see `evaluation.testing`), times."""

    learner: LearnerSpec
    title: str
    report: dict[str, Any]
    fit_seconds: float
    rows: int
    features: int
    warnings: list[str]


class Deployed(msgspec.Struct):
    """Result of `Deploy`: the experiment as it is replayed, default lanes included."""

    experiment: Experiment
    baselines: list[str]
    train_rows: int
    stop: int
    n_rows: int
    position: int
    times_ns: list[int]
    fit_seconds: float
    encoded: dict[str, list[str]]
    warnings: list[str]


class HindsightFound(msgspec.Struct):
    """Result of `FindHindsight`: what was found, and the lane that was added for it."""

    hindsight: dict[str, Any]
    lane: LaneSpec


class SensitivityMeasured(msgspec.Struct):
    """Result of `MeasureSensitivity`: rise of the mean loss, by lane and by kind of fault."""

    rise: dict[str, dict[str, float]]


class QuarantinePage(msgspec.Struct):
    """Result of `ReadQuarantine`: (position, reason, cells in the order of `columns`)."""

    start: int
    total: int
    columns: list[str]
    rows: list[tuple[int, str, list[str | None]]]


class Written(msgspec.Struct):
    """Result of `WriteResults`."""

    folder: str
    files: list[str]


_command_decoder = msgspec.msgpack.Decoder(AnyCommand)
_reply_decoder = msgspec.msgpack.Decoder(AnyReply)
_encoder = msgspec.msgpack.Encoder()


def write_frame(stream: BinaryIO, message: Command | Reply) -> None:
    """Write one message and flush."""
    body = _encoder.encode(message)
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def read_body(stream: BinaryIO) -> bytes | None:
    """Read the body of the next frame; None when the other side is gone."""
    head = _exactly(stream, 4)
    if head is None:
        return None
    (length,) = struct.unpack(">I", head)
    if length > MAX_FRAME:
        raise LabError("A message between the window and the engine is too large.")
    return _exactly(stream, length)


def _exactly(stream: BinaryIO, length: int) -> bytes | None:
    parts: list[bytes] = []
    while length:
        part = stream.read(length)
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def read_command(stream: BinaryIO) -> AnyCommand | None:
    """Read the next command; None when the window is gone."""
    body = read_body(stream)
    return None if body is None else _command_decoder.decode(body)


def read_reply(stream: BinaryIO) -> AnyReply | None:
    """Read the next reply; None when the engine is gone."""
    body = read_body(stream)
    return None if body is None else _reply_decoder.decode(body)


def pack(values: NDArray[Any]) -> bytes:
    """Array as little-endian bytes (float64 or int64)."""
    dtype = "<i8" if values.dtype.kind in "iu" else "<f8"
    return np.ascontiguousarray(values, dtype=dtype).tobytes()


def unpack(data: bytes, kind: Literal["f", "i"] = "f") -> NDArray[Any]:
    """Array of bytes made by `pack` (read-only view)."""
    return np.frombuffer(data, dtype="<i8" if kind == "i" else "<f8")
