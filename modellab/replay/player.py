"""The thread that owns the replay: it plays, and does in between what the window asks."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modellab.errors import ExperimentError, LabError
from modellab.experiment import Intervention
from modellab.replay.engine_out import PROGRESS_SECONDS
from modellab.replay.failure import as_log, as_sentence
from modellab.replay.hosts import worker_lost, worker_processes
from modellab.replay.pace import Pace
from modellab.replay.protocol import (
    AddLane,
    Command,
    EventRecord,
    Fork,
    Inject,
    Intervene,
    JobProgress,
    Pause,
    Play,
    Ready,
    RemoveFault,
    RemoveLane,
    Rollback,
    Seek,
    Step,
    Watch,
)
from modellab.replay.run import paced
from modellab.replay.session_folder import JournalLine
from modellab.replay.telemetry import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from modellab.experiment import Fault, LaneSpec
    from modellab.replay.engine_out import Job, Outbox
    from modellab.replay.growing import Growth
    from modellab.replay.protocol import ReplayState
    from modellab.replay.replay import Replay
    from modellab.replay.rollbacks import Told
    from modellab.replay.session_folder import SessionFolder

_AT_ONCE = (Pause, Play, Step, Watch, Intervene)
"""Commands that are done while a rollback is under way."""
SLICE_SECONDS = 0.02
FEW_ROWS, LONG_SECONDS = 64, 0.1
"""So few rows may take longer: every slice has a cost of its own, which smaller ones only multiply.
On a busy machine slices would otherwise shrink to single rows, and never get anywhere."""
MORE_ROWS = 4
"""At full speed a slice may have so many times as many rows: long steps cost less."""
MOST_STARVED = 2.5
TICK_SECONDS = 1 / 60
FRAME_SECONDS = 1 / 60
MOST_REPORTS = 2
"""So many reports may be on their way: one is shown while the next is made."""
NOT_YET = 0.002
"""What is due so soon is done at once: rows and their report share a turn."""
SAFE_SECONDS = 5.0
LANE_LOST = 70

NOTHING_DEPLOYED = "Nothing is deployed yet."
GIVEN_UP = "The rollback was given up: the lane goes on as it was."


@dataclass
class Rolling:
    """A rollback under way: its command, and what does it piece by piece."""

    command: Rollback
    steps: Generator[Told, None, Intervention]
    held: list[Callable[[], None]] = field(default_factory=list)
    """What was asked meanwhile and must wait for its end."""


class Player:
    """Plays a replay in short slices; between two slices commands take effect.

    A rollback by hand may have to replay a lane up to where it goes back to. That is done in
    slices, too, while the replay stands still: settings are changed, play is begun or ended (for
    when it is done), and it can be given up. Whatever else is asked for waits.

    Parameters
    ----------
    outbox
        Where answers go.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._out = outbox
        self._wake = threading.Condition()
        self._inbox: deque[tuple[Callable[[], None], bool]] = deque()
        self._credit = 1
        self._reset_wanted = False
        self.replay: Replay | None = None
        self._folder: SessionFolder | None = None
        self._reporter = Reporter()
        self._pace: Pace | None = None
        self._target: int | None = None
        self._rows = 64
        self._busy = ""
        self._rolling: Rolling | None = None
        self._told = 0.0
        self._news = True
        self._sent = 0.0
        self._cost = 0.0
        self._sliced = 0.0
        self.seconds = 0.0
        """Time that the present replay was played for."""
        self._saved = 0.0
        self._save_cost = 0.0
        self._speed: deque[tuple[float, int]] = deque(maxlen=64)
        self.thread = threading.Thread(target=self._loop, name="player", daemon=True)

    # ------------------------------------------------------------------ from other threads

    def take(self, command: Command, job: Job | None = None) -> None:
        """Queue a command (and its job); it is acknowledged when it takes effect."""
        self._post(lambda: self._handle(command, job), isinstance(command, _AT_ONCE))

    def post(self, work: Callable[[], None]) -> None:
        """Have `work` done between two slices, but not while a rollback is under way."""
        self._post(work, False)

    def _post(self, work: Callable[[], None], at_once: bool) -> None:
        with self._wake:
            self._inbox.append((work, at_once))
            self._wake.notify()

    def give_up(self, number: int) -> None:
        """Give up the rollback that this command asked for, if it is under way."""
        self._post(lambda: self._given_up(number), True)

    def ready(self, command: Ready) -> None:
        """Grant the next telemetry: at once, whatever the replay is doing."""
        with self._wake:
            self._credit = min(self._credit + 1, MOST_REPORTS)
            self._reset_wanted |= command.reset
            self._wake.notify()
        self._out.ack(command.id, self.position)

    @property
    def position(self) -> int:
        """Position of the replay as last known; 0 without one."""
        replay = self.replay
        return 0 if replay is None else replay.position

    @property
    def playing(self) -> bool:
        """Whether rows are being replayed."""
        return self._playing

    def make_way(self) -> None:
        """Stop playing, and give up a rollback: another deployment is on its way."""

        def make_way() -> None:
            self._stop_playing()
            if self._rolling is not None:
                self._given_up(self._rolling.command.id)

        self._post(make_way, True)

    def install(self, replay: Replay, folder: SessionFolder) -> None:
        """Take over a prepared replay in place of the present one (on the player's thread)."""
        old, self.replay = self.replay, replay
        self._folder = folder
        self._stop_playing()
        self._rows = 64
        self.seconds = 0.0
        self._saved = time.monotonic()
        self._reporter.watch(None)
        self._structure_changed()
        if old is not None:
            old.close()

    def grow(self, growth: Growth, job: Job) -> Replay:
        """Let the replay become one of more rows and go on as it did (on the player's thread)."""
        playing, target, self._pace, self._target = self._pace, self._target, None, None

        def progress(done: float, total: float, text: str = "") -> None:
            job.progress(done, total, text)
            self._at_work(text)

        old = growth.old
        try:
            self.replay = growth.finish(progress)
            old.close()
        finally:
            assert self.replay is not None
            if playing is not None:
                self._play(Play(mode=playing.mode, rate=playing.rate), self.replay)
            self._target = target
            self._busy = ""
            self._structure_changed()
        return self.replay

    # ------------------------------------------------------------------ the loop

    def _loop(self) -> None:
        while True:
            work = self._next_work()
            if work is not None:
                self._work(*work)
            elif self._rolling is not None:
                self._roll_on(self._rolling)
            elif self._playing and self._tick() == 0.0:
                self._slice()
            self._report()

    def _work(self, work: Callable[[], None], at_once: bool) -> None:
        if self._rolling is None or at_once:
            work()
        else:
            self._rolling.held.append(work)

    def _next_work(self) -> tuple[Callable[[], None], bool] | None:
        with self._wake:
            if not self._inbox:
                self._wake.wait(self._patience())
            return self._inbox.popleft() if self._inbox else None

    def _patience(self) -> float | None:
        """Seconds to wait for a command before there is something else to do."""
        if self._rolling is not None:
            return 0.0
        waits = []
        now = time.monotonic()
        if self._playing and self.replay is not None:
            waits.append(self._tick())
        if self._credit and (self._news or self._reset_wanted):
            waits.append(max(self._sent + self._interval() - now, 0.0))
        return min(waits, default=None)

    def _tick(self) -> float:
        """Seconds until more rows are to be played."""
        pace, now = self._pace, time.monotonic()
        if self.replay is None or pace is None or pace.mode == "max" or self._target is not None:
            return 0.0
        tick = self._sliced + TICK_SECONDS - NOT_YET - now
        return max(pace.wait(self.replay.position, now), tick, 0.0)

    def _interval(self) -> float:
        """Seconds between two reports: a screen's rate, or slower where they are costly.

        At a speed that was set there is time left between the rows; at full speed reports take it.
        """
        paced = self._pace is not None and self._pace.mode != "max"
        return max(FRAME_SECONDS, (1.5 if paced else 4.0) * self._cost)

    @property
    def _playing(self) -> bool:
        return self._pace is not None or self._target is not None

    @property
    def _state(self) -> ReplayState:
        if self.replay is None:
            return "idle"
        if self._playing:
            return "playing"
        return "finished" if self.replay.finished else "paused"

    def _slice(self) -> None:
        replay = self.replay
        assert replay is not None
        self._sliced = now = time.monotonic()
        goal = replay.stop
        if self._target is not None:
            goal = min(goal, self._target)
        elif self._pace is not None:
            if self._pace.behind(replay.position, now):
                self._pace.rebase(replay.position, now)
            goal = min(goal, max(self._pace.due(replay.position, now), replay.position))
            if goal == replay.position and self._pace.wait(replay.position, now) == 0:
                goal = min(replay.position + 1, replay.stop)
        to = min(goal, replay.position + self._rows)
        if to > replay.position:
            if not self._advance(replay, to, now):
                return
            if self._target is not None and replay.position >= self._target:
                self._target = None
        if replay.finished:
            self._stop_playing()

    def _advance(self, replay: Replay, to: int, begin: float) -> bool:
        rows = to - replay.position
        worked = time.process_time()
        try:
            replay.advance(to)
        except Exception as error:  # noqa: BLE001  # told to the person; the engine goes on
            self._stop_playing()
            self._failed(error)
            return False
        seconds = time.monotonic() - begin
        self.seconds += seconds
        if rows == self._rows or seconds > SLICE_SECONDS:
            most = replay.experiment.replay.chunk_rows
            if self._pace is not None and self._pace.mode == "max":
                most *= MORE_ROWS
            wanted = SLICE_SECONDS if rows > FEW_ROWS else LONG_SECONDS
            if not worker_processes(replay.hosts):
                # Where others take the processor, fewer rows at a time are not done sooner.
                work = time.process_time() - worked
                seconds = min(seconds, max(work, seconds / MOST_STARVED))
            self._rows = paced(rows, seconds, wanted, most)
        self._speed.append((begin + seconds, replay.position))
        self._news = True
        self._save_now_and_then(replay)
        return True

    def _save_now_and_then(self, replay: Replay) -> None:
        """Save a checkpoint every few seconds of play, more rarely where that takes long."""
        now = time.monotonic()
        if now - self._saved < max(SAFE_SECONDS, 20 * self._save_cost):
            return
        try:
            replay.checkpoint()
        except OSError as error:
            sentence = (
                f"No checkpoint could be saved ({error.strerror}): if the engine stops, "
                "more will have to be replayed."
            )
            self._reporter.add_event(EventRecord(replay.position, "", "warning", sentence))
        self._saved = time.monotonic()
        self._save_cost = self._saved - now

    def _failed(self, error: BaseException) -> None:
        print(as_log(error), file=sys.stderr)  # noqa: T201  # the engine's log
        replay = self.replay
        if replay is not None and worker_lost(replay.hosts):
            # A lane worker is gone with the state of its lanes: only a checkpoint brings them back,
            # and the window knows how to go on from one when this process ends.
            sys.stderr.flush()
            os._exit(LANE_LOST)
        position = 0 if replay is None else replay.position
        self._reporter.add_event(EventRecord(position, "", "warning", as_sentence(error)))
        self._news = True

    def _stop_playing(self) -> None:
        self._pace = self._target = None
        self._speed.clear()
        self._news = True

    def _structure_changed(self) -> None:
        # A fork or a rollback takes its time, which says nothing of the speed of play.
        self._speed.clear()
        self._reporter.forget()
        self._news = True

    # ------------------------------------------------------------------ commands

    def _handle(self, command: Command, job: Job | None) -> None:
        replay = self.replay
        if replay is None:
            if job is not None:
                job.refused()
            self._out.ack(command.id, 0, NOTHING_DEPLOYED)
            return
        try:
            if isinstance(command, Rollback):
                self._rolling = Rolling(command, replay.rolling_back(command.lane, command.to))
                return  # acknowledged when it is done
            made = self._do(command, replay, job)
        except LabError as error:
            self._out.ack(command.id, replay.position, error.sentence)
        except Exception as error:  # noqa: BLE001  # told to the person; the engine goes on
            self._failed(error)
            self._out.ack(command.id, replay.position, as_sentence(error))
        else:
            if job is None:
                if isinstance(made, Intervention) or made is None:
                    self._out.ack(command.id, replay.position, entry=made)
                else:
                    self._out.ack(command.id, replay.position, fault=made)
        self._news = True

    def _do(self, command: Command, replay: Replay, job: Job | None) -> Intervention | Fault | None:
        if isinstance(command, Play):
            self._play(command, replay)
        elif isinstance(command, Pause):
            self._stop_playing()
        elif isinstance(command, Step):
            if command.rows < 1:
                raise ExperimentError("A step has at least one row.")
            self._pace = None
            self._target = min(replay.position + command.rows, replay.stop)
        elif isinstance(command, Watch):
            self._reporter.watch(command.lane)
        elif isinstance(command, Intervene):
            made = replay.intervene(command.lane, command.set)
            self.write(JournalLine(intervention=made))
            return made
        elif isinstance(command, Inject):
            fault = replay.inject(command.fault)
            self.write(JournalLine(fault=fault))
            self._structure_changed()
            return fault
        elif isinstance(command, Fork):
            return self._fork(command, replay)
        elif isinstance(command, RemoveLane):
            replay.remove_lane(command.name)
            self.write(JournalLine(removed=command.name))
            self._structure_changed()
        elif isinstance(command, Seek | AddLane | RemoveFault):
            assert job is not None
            self._out.ack(command.id, replay.position)
            job.run(lambda job: self._long(command, replay, job))
        return None

    def _play(self, command: Play, replay: Replay) -> None:
        if replay.finished:
            return
        if command.mode != "max" and not command.rate > 0:
            raise ExperimentError("The speed must be greater than 0.")
        times = replay.context.stream.times
        at = replay.position
        if command.mode == "time" and times(at, at + 1) is None:
            raise ExperimentError(
                "There is no time column, so there is no real time to play by: "
                "choose rows per second."
            )
        self._target = None
        n_rows = replay.context.n_rows
        self._pace = Pace(
            command.mode,
            command.rate,
            at,
            time.monotonic(),
            lambda start, stop: times(min(start, n_rows), min(stop, n_rows)),
        )

    def _fork(self, command: Fork, replay: Replay) -> Intervention:
        made = replay.fork(command.lane, command.name, command.set)
        self.write(JournalLine(intervention=made))
        for entry in replay.journal:
            if entry.lane == command.name and entry.position == made.position:
                self.write(JournalLine(intervention=entry))
        self._structure_changed()
        return made

    def _long(self, command: Seek | AddLane | RemoveFault, replay: Replay, job: Job) -> None:
        """Go somewhere, add a lane or take a fault back: a while, during which reports go on."""
        playing, self._pace, self._target = self._pace, None, None

        def progress(done: float, total: float, text: str = "") -> None:
            job.progress(done, total, text)
            self._at_work(text)

        try:
            if isinstance(command, Seek):
                replay.seek(command.position, progress)
            elif isinstance(command, RemoveFault):
                line = JournalLine(fault_removed=command.index)
                replay.remove_fault(command.index, progress, lambda: self.write(line))
            else:
                replay.add_lane(command.lane, progress)
                self.write(JournalLine(added=command.lane))
        finally:
            if playing is not None and not isinstance(command, Seek):
                playing.rebase(replay.position, time.monotonic())
                self._pace = playing
            self._busy = ""
            self._speed.clear()
            self._structure_changed()

    def _roll_on(self, rolling: Rolling) -> None:
        """Do the next piece of a rollback."""
        replay, number = self.replay, rolling.command.id
        assert replay is not None
        try:
            done, total, text = next(rolling.steps)
        except StopIteration as end:
            made: Intervention = end.value
            self._rolled(rolling)
            try:
                self.write(JournalLine(intervention=made))
            except LabError as error:
                self._out.ack(number, replay.position, error.sentence, entry=made)
            else:
                self._out.ack(number, replay.position, entry=made)
        except LabError as error:
            self._rolled(rolling)
            self._out.ack(number, replay.position, error.sentence)
        except Exception as error:  # noqa: BLE001  # told to the person; the engine goes on
            self._rolled(rolling)
            self._failed(error)
            self._out.ack(number, replay.position, as_sentence(error))
        else:
            self._busy = text
            self._tell_progress(number, done, total, text)
        self._news = True

    def _tell_progress(self, number: int, done: float, total: float, text: str) -> None:
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._out.send(JobProgress(id=number, done=done, total=total, text=text))

    def _rolled(self, rolling: Rolling) -> None:
        """A rollback is over: what waited for its end comes before all that was asked later."""
        rolling.steps.close()
        self._rolling, self._busy = None, ""
        if self._pace is not None and self.replay is not None:
            self._pace.rebase(self.replay.position, time.monotonic())
        with self._wake:
            self._inbox.extendleft((work, False) for work in reversed(rolling.held))

    def _given_up(self, number: int) -> None:
        rolling = self._rolling
        if rolling is not None and rolling.command.id == number:
            self._rolled(rolling)
            self._out.ack(number, self.position, GIVEN_UP)
            self._news = True

    def add_lane(self, lane: LaneSpec, replay: Replay, job: Job) -> None:
        """Add a lane that a job found (on the player's thread)."""
        self._long(AddLane(lane=lane), replay, job)

    def tell(self) -> None:
        """Have something to report (on the player's thread)."""
        self._news = True

    def _at_work(self, text: str) -> None:
        """Report that the replay is in the middle of something."""
        self._busy = text or "Working"
        self._news = True
        self._report(talk=False)

    def write(self, line: JournalLine) -> None:
        """Write down what was done (on the player's thread)."""
        if self._folder is not None:
            try:
                self._folder.append(line)
            except OSError as error:
                raise LabError(
                    f"The journal cannot be written ({error.strerror}): what you did took effect, "
                    "but would be lost if the engine stopped."
                ) from error

    # ------------------------------------------------------------------ reports

    def _report(self, *, talk: bool = True) -> None:
        begin, worked = time.monotonic(), time.thread_time()
        with self._wake:
            due = (
                self._credit > 0
                and (self._news or self._reset_wanted)
                and begin - self._sent >= self._interval() - NOT_YET
            )
            if not due:
                return
            self._credit -= 1
            reset, self._reset_wanted = self._reset_wanted, False
        if reset:
            self._reporter.forget()
        self._news = False
        try:
            told = self._reporter.build(
                self.replay,
                state="preparing" if self._busy else self._state,
                rows_per_second=self._rows_per_second(),
                busy=self._busy,
                settled=not self._playing,
                talk=talk,
            )
        except Exception as error:  # noqa: BLE001  # told to the person; the engine goes on
            self._credit += 1
            self._stop_playing()
            self._failed(error)
            self._news = False
            return
        self._out.send(told)
        self._news = self._news or self._reporter.more
        self._sent = begin
        self._cost = 0.5 * self._cost + 0.5 * (time.thread_time() - worked)

    def _rows_per_second(self) -> float:
        if len(self._speed) < 2 or not self._playing:
            return 0.0
        (first, low), (last, high) = self._speed[0], self._speed[-1]
        return (high - low) / (last - first) if last > first else 0.0
