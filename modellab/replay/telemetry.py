"""What the window is told of a replay: the present state, and news since it was last told."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.replay.protocol import (
    CurveDelta,
    EventRecord,
    FeatureDriftNews,
    LaneNews,
    ParameterNews,
    ReplayState,
    Telemetry,
    pack,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from modellab.replay.lane_state import LaneState
    from modellab.replay.replay import Replay

METRICS_SECONDS = 0.4
PARAMETERS_SECONDS = 0.2
MEMORY_SECONDS = 1.0
SIZE_SECONDS = 2.0
TIMES_READ = 4096
DRIFT_SECONDS = 0.03


class Reporter:
    """Builds telemetry; remembers what the window has.

    Costly parts (all metrics, parameters) are told a few times a second while playing, and always
    when `settled`; memory and the sizes of models now and then.
    """

    def __init__(self) -> None:
        self.watched: str | None = None
        self._sequence = 0
        self._slow = 0.0
        self._sized = 0.0
        self._size_cost = 0.0
        self._parameters_told = 0.0
        self._memory = (0.0, 0.0)
        self._lanes: list[LaneNews] = []
        self._versions: dict[str, dict[str, int]] = {}
        self._event_counts: dict[str, int] = {}
        self._events = 0
        self._extra: list[EventRecord] = []
        self._parameters = 0  # version that the window has; 0: nothing
        self._times: tuple[int, NDArray[np.int64]] = (0, np.empty(0, np.int64))
        self._reset = True
        self._drift = 0  # checks of the features that the window has
        self._drift_from = 0  # where the next one is looked for
        self.more = False
        """Whether there was more to tell than one report takes."""

    def forget(self) -> None:
        """Send everything anew: another replay, another time, or lanes came or went."""
        self._versions = {}
        self._event_counts = {}
        self._events = 0
        self._parameters = 0
        self._times = (0, np.empty(0, np.int64))
        self._slow = self._parameters_told = 0.0
        self._drift = self._drift_from = 0
        self._reset = True

    def watch(self, lane: str | None) -> None:
        """Send the parameters of this lane from now on."""
        self.watched = lane
        self._parameters = 0
        self._parameters_told = 0.0

    def add_event(self, record: EventRecord) -> None:
        """Tell something that no lane did (it is not kept over a `forget`)."""
        self._extra.append(record)

    def build(
        self,
        replay: Replay | None,
        *,
        state: ReplayState,
        rows_per_second: float = 0.0,
        busy: str = "",
        settled: bool = True,
        talk: bool = True,
    ) -> Telemetry:
        """Tell the present state.

        Parameters
        ----------
        replay
            The deployment; None if there is none.
        settled
            Nothing is going on: tell the costly parts too.
        talk
            False: the replay is in the middle of something and must not be asked; lanes are told
            as they last were.
        """
        self._sequence += 1
        reset = False
        parameters: ParameterNews | None = None
        drift: FeatureDriftNews | None = None
        self.more = False
        events: list[EventRecord] = []
        first = self._events
        if replay is not None and talk:
            reset, self._reset = self._reset, False
            self._lanes = self._lane_news(replay, settled)
            first, events = self._event_news(replay)
            parameters = self._parameter_news(replay, settled)
            drift = self._drift_news(replay)
            lanes = self._lanes
        else:
            for news in self._lanes:
                news.curves = {}
            lanes = self._lanes if replay is not None else []
        return Telemetry(
            sequence=self._sequence,
            state=state,
            position=0 if replay is None else replay.position,
            train_rows=0 if replay is None else replay.train_rows,
            stop=0 if replay is None else replay.stop,
            time_ns=None if replay is None else self._time_at(replay, replay.position),
            rows_per_second=rows_per_second,
            memory_mb=self._memory_mb(),
            busy=busy,
            lanes=lanes,
            parameters=parameters,
            events=events,
            events_from=first,
            curves_reset=reset,
            feature_drift=drift,
        )

    def _lane_news(self, replay: Replay, settled: bool) -> list[LaneNews]:
        now = time.monotonic()
        slow = settled or now - self._slow >= METRICS_SECONDS
        if slow:
            self._slow = now
        states = replay.lanes(metrics=slow, size=self._size_due(now))
        self._size_cost = time.monotonic() - now if self._sized == now else self._size_cost
        curves = replay.curves(self._versions)
        news = []
        for name, state in states.items():
            self._versions[name] = {c: delta.version for c, delta in curves[name].items()}
            # Drawn is the windowed error only: a long history is told anew whenever it widens.
            news.append(lane_news(name, state, {"error": curve_delta(curves[name]["error"])}))
        for name in [n for n in self._versions if n not in states]:
            del self._versions[name]
        return news

    def _size_due(self, now: float) -> bool:
        """Whether models are measured: their whole state is written for it, which may take long."""
        due = now - self._sized >= max(SIZE_SECONDS, 20 * self._size_cost)
        if due:
            self._sized = now
        return due

    def _event_news(self, replay: Replay) -> tuple[int, list[EventRecord]]:
        new = replay.events(self._event_counts)
        for name in ["", *replay.names()]:
            self._event_counts.setdefault(name, 0)
        records = []
        for name, event in new:
            if event.kind != "fork":  # a fork's own mark is no event of its lane
                self._event_counts[name] += 1
            records.append(
                EventRecord(event.position, name, event.kind, event.text, dict(event.values))
            )
        records += self._extra
        self._extra = []
        first = self._events
        self._events += len(records)
        return first, records

    def _parameter_news(self, replay: Replay, settled: bool) -> ParameterNews | None:
        lane, now = self.watched, time.monotonic()
        if lane is None or lane not in replay.home:
            return None
        if not settled and now - self._parameters_told < PARAMETERS_SECONDS:
            return None
        self._parameters_told = now
        delta = replay.ask(lane, "parameters_since", self._parameters)
        if delta.version == self._parameters:
            return None
        self._parameters = delta.version
        return ParameterNews(
            lane=lane,
            names=list(delta.names),
            from_index=delta.from_index,
            positions=pack(delta.positions),
            values=pack(delta.values),
        )

    def _drift_news(self, replay: Replay) -> FeatureDriftNews | None:
        """Checks of the features that fell due since the last report, a few at a time."""
        watch = replay.context.feature_drift
        if watch is None:
            return None
        begin = time.monotonic()
        since = max(self._drift_from, replay.train_rows)
        found: list[Any] = []
        for check in watch.between(since, replay.position):
            found.append(check)
            self._drift_from = check.position
            if time.monotonic() - begin > DRIFT_SECONDS:
                self.more = watch.next_check(check.position) <= replay.position
                break
        if not found:
            return None
        first, self._drift = self._drift, self._drift + len(found)
        return FeatureDriftNews(
            columns=list(watch.columns),
            tests=list(watch.tests),
            threshold=[float(t) for t in watch.thresholds],
            from_index=first,
            positions=pack(np.array([check.position for check in found], dtype=np.int64)),
            score=pack(np.array([check.score for check in found])),
            psi=pack(np.array([check.psi for check in found])),
        )

    def _time_at(self, replay: Replay, position: int) -> int | None:
        """Event time in ns at `position` (at the end: of the last row); None without times."""
        last = replay.context.n_rows - 1
        at = min(position, last)
        start, known = self._times
        if not start <= at < start + len(known):
            read = replay.context.stream.times(at, min(at + TIMES_READ, last + 1))
            if read is None:
                return None
            start, known = self._times = (at, read)
        return int(known[at - start])

    def _memory_mb(self) -> float:
        now = time.monotonic()
        if now - self._memory[0] >= MEMORY_SECONDS:
            self._memory = (now, memory_mb())
        return self._memory[1]


def lane_news(name: str, state: LaneState, curves: dict[str, CurveDelta]) -> LaneNews:
    """Tell a lane's present state as a message."""
    counters = state.counters
    return LaneNews(
        name=name,
        baseline=state.baseline,
        status=state.status,
        error=state.error,
        cumulative=state.cumulative,
        updates=int(counters["updates"]),
        retrains=int(counters["retrains"]),
        redeploys=int(counters["redeploys"]),
        cpu_predict=counters["cpu_predict"],
        cpu_learn=counters["cpu_learn"],
        cpu_fit=counters["cpu_fit"],
        model_bytes=state.model_bytes,
        cost=state.cost["total"],
        # A setting that is not set is not told.
        settings={name: value for name, value in state.settings.items() if value is not None},
        rates=state.rates,
        curves=curves,
        metrics=state.metrics,
        rollbacks=int(counters["rollbacks"]),
        rejected=int(counters["rejected"]),
        downtime_rows=int(counters["downtime_rows"]),
        alarms=int(counters["alarms"]),
        quarantined=int(counters["quarantined"]),
        rows_stored=state.rows_stored,
        staleness=state.staleness,
        forgetting=state.forgetting,
        regret=state.regret,
        down=state.down,
    )


def curve_delta(delta: Any) -> CurveDelta:
    """Turn a series' news (`evaluation.history.SeriesDelta`) into a message."""
    return CurveDelta(
        width=delta.width,
        from_index=delta.from_index,
        start=pack(delta.starts),
        mean=pack(delta.mean),
    )


def sampled_times(
    n_rows: int, times: Callable[[int, int], NDArray[np.int64] | None], count: int = 1000
) -> list[int]:
    """Event times of evenly spaced rows, first and last included; empty without a time column."""
    rows = np.unique(np.linspace(0, n_rows - 1, min(count, n_rows)).round().astype(np.int64))
    found = [times(int(at), int(at) + 1) for at in rows]
    return [int(t[0]) for t in found if t is not None]


def memory_mb() -> float:
    """Memory that the engine and its workers hold, in MB (10**6 bytes)."""
    import psutil

    own = psutil.Process(os.getpid())
    total = own.memory_info().rss
    for child in own.children():
        try:
            total += child.memory_info().rss
        except psutil.Error:  # ended just now
            continue
    return total / 1e6
