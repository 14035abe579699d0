"""The replay as the window sees it: lanes with their curves, events, parameters of one lane."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.experiment import Experiment, LaneSpec, LearnerSpec, StaticPolicy, replace
from modellab.replay.protocol import (
    CurveDelta,
    Deployed,
    EventRecord,
    FeatureDriftNews,
    LaneNews,
    ParameterNews,
    ReplayState,
    SpeedMode,
    Telemetry,
    unpack,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _spliced(old: NDArray[Any], at: int, new: NDArray[Any]) -> NDArray[Any]:
    return new if at == 0 else np.concatenate([old[:at], new])


class CurveView:
    """One bucketed curve: arrays of equal length, one entry per bucket.

    Attributes
    ----------
    start
        int64, first position of each bucket.
    mean
        float64; NaN where nothing is known.
    width
        Rows per bucket.
    version
        Grows with every change, so that a plot can tell whether to draw again.
    """

    def __init__(self) -> None:
        self.width = 1
        self.start: NDArray[np.int64] = np.empty(0, np.int64)
        self.mean: NDArray[np.float64] = np.empty(0)
        self.version = 0

    def __len__(self) -> int:
        return len(self.start)

    def apply(self, delta: CurveDelta) -> None:
        """Replace everything from bucket ``delta.from_index`` on."""
        at = min(delta.from_index, len(self.start))
        self.width = delta.width
        self.start = _spliced(self.start, at, unpack(delta.start, "i"))
        self.mean = _spliced(self.mean, at, unpack(delta.mean))
        self.version += 1


class ParameterView:
    """Parameters of the watched lane: `positions` int64 (n,), `values` float64 (n, len(names))."""

    def __init__(self) -> None:
        self.lane: str | None = None
        self.names: list[str] = []
        self.positions: NDArray[np.int64] = np.empty(0, np.int64)
        self.values: NDArray[np.float64] = np.empty((0, 0))
        self.version = 0

    def __len__(self) -> int:
        return len(self.positions)

    def clear(self, lane: str | None) -> None:
        """Begin anew for `lane`."""
        self.lane, self.names = lane, []
        self.positions, self.values = np.empty(0, np.int64), np.empty((0, 0))
        self.version += 1

    def apply(self, news: ParameterNews) -> None:
        """Take snapshots from ``news.from_index`` on; other names or another lane begin anew."""
        positions = unpack(news.positions, "i")
        values = unpack(news.values).reshape(len(positions), len(news.names))
        same = news.lane == self.lane and news.names == self.names
        at = min(news.from_index, len(self.positions)) if same else 0
        self.lane, self.names = news.lane, list(news.names)
        self.positions = _spliced(self.positions, at, positions)
        self.values = _spliced(self.values, at, values)
        self.version += 1


class FeatureDriftView:
    """How far each feature column has moved from the training window, check by check.

    Attributes
    ----------
    columns, tests, thresholds
        Name, test and calibrated threshold of each column.
    positions
        int64 (m,), rows at which it was checked.
    score, psi
        float64 (m, columns): statistic divided by threshold (above 1: alarm), and PSI; NaN: not
        told.
    """

    def __init__(self) -> None:
        self.clear()
        self.version = 0

    def __len__(self) -> int:
        return len(self.positions)

    def clear(self) -> None:
        """Forget everything."""
        self.columns: list[str] = []
        self.tests: list[str] = []
        self.thresholds: list[float] = []
        self.positions: NDArray[np.int64] = np.empty(0, np.int64)
        self.score: NDArray[np.float64] = np.empty((0, 0))
        self.psi: NDArray[np.float64] = np.empty((0, 0))
        self.version = getattr(self, "version", 0) + 1

    def apply(self, news: FeatureDriftNews) -> None:
        """Take checks from ``news.from_index`` on; other columns begin anew."""
        if news.columns != self.columns:
            self.clear()
            self.columns = list(news.columns)
        self.tests, self.thresholds = list(news.tests), list(news.threshold)
        shape = (-1, max(1, len(self.columns)))
        positions = unpack(news.positions, "i")
        at = min(news.from_index, len(self.positions))
        self.positions = _spliced(self.positions, at, positions)
        score = unpack(news.score).reshape(shape)
        psi = unpack(news.psi).reshape(shape)
        self.score = _spliced(self.score, at, score) if len(self.score) else score
        self.psi = _spliced(self.psi, at, psi) if len(self.psi) else psi
        self.version += 1

    def cut(self, position: int) -> None:
        """Leave out what lies after `position`: the replay went back."""
        keep = int(np.searchsorted(self.positions, position, side="right"))
        if keep < len(self.positions):
            self.positions = self.positions[:keep]
            self.score, self.psi = self.score[:keep], self.psi[:keep]
            self.version += 1


@dataclass
class LaneView:
    """One lane.

    Attributes
    ----------
    spec
        Its learner and policy (for a baseline: a static lane of that name).
    index
        Number of its colour: among the lanes, or among the baselines. A fork has its parent's.
    baseline, hidden
        Whether it is a baseline; whether the person hid it.
    fork_of
        Name of the lane that it was forked from.
    news
        The newest state of it; None before the first telemetry.
    curves
        By name: ``error`` (windowed).
    """

    spec: LaneSpec
    index: int
    baseline: bool = False
    hidden: bool = False
    fork_of: str | None = None
    news: LaneNews | None = None
    curves: dict[str, CurveView] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec.name


class Deployment:
    """A replay: what the Deploy page shows.

    Attributes
    ----------
    experiment
        The experiment as it is replayed; lanes and journal grow with what the person does.
    state, position, stop, n_rows, train_rows
        The state of the replay; rows ``[train_rows, stop)`` are replayed, `n_rows` are in the data.
    time_ns
        Event time at `position`; None without a time column.
    speed_mode, speed_rate
        The speed that was asked for; `rows_per_second` is the measured one.
    lanes
        By name, in order: lanes, forks, baselines.
    selected
        Name of the lane whose parameters are watched.
    events
        All events so far, in order of position.
    feature_drift
        What the heat map of feature drift shows.
    encoded
        View -> names of the encoded columns.
    session_dir
        Folder of the checkpoints.
    """

    def __init__(self, done: Deployed, session_dir: str) -> None:
        self.experiment: Experiment = done.experiment
        self.session_dir = session_dir
        self.state: ReplayState = "paused"
        self.position = done.position
        self.train_rows = done.train_rows
        self.stop = done.stop
        self.n_rows = done.n_rows
        self.time_ns: int | None = None
        self.times_ns: NDArray[np.int64] = np.asarray(done.times_ns, np.int64)
        self.speed_mode: SpeedMode = "rows"
        self.speed_rate = 1000.0
        self.rows_per_second = 0.0
        self.memory_mb = 0.0
        self.busy = ""
        self.fit_seconds = done.fit_seconds
        self.encoded = done.encoded
        self.warnings = list(done.warnings)
        self.events: list[EventRecord] = []
        self.parameters = ParameterView()
        self.feature_drift = FeatureDriftView()
        self.lanes: dict[str, LaneView] = {}
        self.selected: str | None = None
        self.lost = False
        """True after its engine died: what is shown is the past."""
        self.recorded = False
        """True where it is read from a results folder: nothing more comes."""
        self.outgrown = False
        """True where rows that came later made another data set: it stays as it is."""
        self.coming = 0
        """About how many rows there will be when all are read; 0: all are there."""
        self._fresh = False
        for spec in done.experiment.lane:
            self.add_lane(spec)
        for entry in done.experiment.intervention:
            if entry.fork is not None and entry.position <= done.position:
                self.add_fork(entry.lane, entry.fork)
        for number, name in enumerate(done.baselines):
            self.lanes[name] = LaneView(_baseline_spec(name), number, baseline=True)

    def grow(self, done: Deployed) -> None:
        """Go on over more rows."""
        self.n_rows, self.stop = done.n_rows, done.stop
        self.times_ns = np.asarray(done.times_ns, np.int64)

    @property
    def playing(self) -> bool:
        """Whether rows are being replayed."""
        return self.state == "playing"

    @property
    def started(self) -> bool:
        """Whether any stream row was replayed."""
        return self.position > self.train_rows

    def time_at(self, position: int) -> int | None:
        """Event time (ns since 1970, UTC) near `position`; None without a time column."""
        return time_at(self.times_ns, self.n_rows, position)

    def best(self) -> LaneView | None:
        """The lane (no baseline, not hidden) with the least error now."""
        known = [
            lane
            for lane in self.lanes.values()
            if not lane.baseline
            and not lane.hidden
            and lane.news is not None
            and lane.news.error is not None
        ]
        return min(known, key=lambda lane: lane.news.error, default=None)  # type: ignore[union-attr,arg-type,return-value]

    def add_lane(
        self, spec: LaneSpec, fork_of: str | None = None, index: int | None = None
    ) -> None:
        """Add a lane before the baselines; a name that is there keeps its place and colour."""
        if spec.name in self.lanes:
            self.lanes[spec.name].spec = spec
            return
        if index is None:
            used = {v.index for v in self.lanes.values() if not v.baseline and v.fork_of is None}
            index = next(i for i in range(len(used) + 1) if i not in used)
        baselines = {n: v for n, v in self.lanes.items() if v.baseline}
        lanes = {n: v for n, v in self.lanes.items() if not v.baseline}
        lanes[spec.name] = LaneView(spec, index, fork_of=fork_of)
        self.lanes = lanes | baselines

    def add_fork(self, parent: str, name: str) -> None:
        """Add a lane that begins with the state of `parent`, in its colour."""
        if parent in self.lanes:
            origin = self.lanes[parent]
            spec = replace(origin.spec, name=name)
            self.add_lane(spec, fork_of=parent, index=origin.index)

    def remove_lane(self, name: str) -> None:
        """Take a lane out."""
        self.lanes.pop(name, None)
        if self.selected == name:
            self.selected = None

    def apply(self, news: Telemetry) -> bool:
        """Take over telemetry; returns whether the structure changed (lanes came or went).

        Telemetry of an earlier replay that was still under way is passed over: the first one taken
        is the one that begins all curves anew.
        """
        if not self._fresh and not news.curves_reset:
            return False
        self._fresh = True
        self.state, self.position, self.stop = news.state, news.position, news.stop
        self.train_rows, self.time_ns = news.train_rows, news.time_ns
        self.rows_per_second, self.memory_mb = news.rows_per_second, news.memory_mb
        self.busy = news.busy
        changed = False
        for lane in news.lanes:
            view = self.lanes.get(lane.name)
            if view is None:
                view = self._unknown(lane)
                changed = True
            view.news = lane
            if news.curves_reset:
                view.curves.clear()
            for name, delta in lane.curves.items():
                view.curves.setdefault(name, CurveView()).apply(delta)
        names = {lane.name for lane in news.lanes}
        for name in [n for n, v in self.lanes.items() if v.news is not None and n not in names]:
            self.remove_lane(name)
            changed = True
        del self.events[news.events_from :]
        self.events.extend(news.events)
        if news.parameters is not None and news.parameters.lane == self.selected:
            self.parameters.apply(news.parameters)
        if news.curves_reset and news.feature_drift is None:
            self.feature_drift.cut(news.position)
        if news.feature_drift is not None:
            self.feature_drift.apply(news.feature_drift)
        return changed

    def _unknown(self, news: LaneNews) -> LaneView:
        if news.baseline:
            number = sum(v.baseline for v in self.lanes.values())
            self.lanes[news.name] = LaneView(_baseline_spec(news.name), number, baseline=True)
        else:
            parent = self._parent_of(news.name)
            if parent is not None:
                self.add_fork(parent, news.name)
            else:
                spec = LaneSpec(news.name, StaticPolicy(), LearnerSpec("unknown"))
                for known in self.experiment.lane:
                    if known.name == news.name:
                        spec = known
                self.add_lane(spec)
        return self.lanes[news.name]

    def _parent_of(self, fork: str) -> str | None:
        for entry in self.experiment.intervention:
            if entry.fork == fork and entry.lane in self.lanes:
                return entry.lane
        return None


def time_at(times_ns: NDArray[np.int64], n_rows: int, position: int) -> int | None:
    """Interpolate at `position` in times evenly spaced over rows 0 to ``n_rows - 1``."""
    if len(times_ns) == 0:
        return None
    if len(times_ns) == 1 or n_rows < 2:
        return int(times_ns[0])
    at = min(max(position, 0), n_rows - 1) * (len(times_ns) - 1) / (n_rows - 1)
    low = min(int(at), len(times_ns) - 2)
    step = int(times_ns[low + 1]) - int(times_ns[low])
    return int(times_ns[low]) + round(step * (at - low))


def row_at(times_ns: NDArray[np.int64], n_rows: int, when: int) -> int | None:
    """Return the row near event time `when`, the inverse of `time_at`; None without times."""
    if len(times_ns) == 0:
        return None
    if len(times_ns) == 1 or n_rows < 2:
        return 0
    high = int(np.searchsorted(times_ns, when, side="left"))
    if high <= 0:
        return 0
    if high >= len(times_ns):
        return n_rows - 1
    before, after = int(times_ns[high - 1]), int(times_ns[high])
    share = (when - before) / (after - before) if after > before else 0.0
    return round((high - 1 + share) * (n_rows - 1) / (len(times_ns) - 1))


def _baseline_spec(name: str) -> LaneSpec:
    return LaneSpec(name=name, policy=StaticPolicy(), learner=LearnerSpec(kind="baseline"))
