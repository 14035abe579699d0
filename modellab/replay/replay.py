"""The replay: all lanes over the stream, with journal, checkpoints, seeking and forking."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from modellab.errors import ExperimentError, quote
from modellab.experiment import (
    Experiment,
    Fault,
    Intervention,
    LaneSpec,
    PriceSpec,
    Scalar,
    check,
    replace,
)
from modellab.lanes import baseline_lanes
from modellab.learners.base import Progress, no_progress
from modellab.policies.base import PolicyEvent
from modellab.replay.checkpoints import CheckpointStore
from modellab.replay.context import build_context
from modellab.replay.fault_events import fault_events
from modellab.replay.faulting import inject, remove_fault
from modellab.replay.hindsight_lanes import (
    NOT_FOUND,
    FindHindsight,
    tell_regret,
    waits,
    with_positions,
)
from modellab.replay.hosts import Host, LaneHost, Pieces, RemoteHost
from modellab.replay.journal_checks import check_journal
from modellab.replay.lane_checks import check_lane
from modellab.replay.placing import SharedProgress, place, weight
from modellab.replay.rollbacks import complete, drive, pin_steps, wanted

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from modellab.data.store import Store
    from modellab.evaluation.evidence import LaneEvidence
    from modellab.replay.lane_state import LaneState
    from modellab.replay.rollbacks import Told

Collect = Callable[[dict[str, Pieces]], None]


class Replay:
    """A deployment: a deterministic replay of the stream through several lanes.

    Parameters
    ----------
    experiment
        What is replayed; without lanes, the default ones for the task are taken.
    store
        The data.
    workers
        Processes that compute lanes, this one included. Changes no number.
    session_dir
        Folder for checkpoints; None keeps them in memory.
    checkpoints
        Whether to keep any (a headless run that never seeks needs none).
    find
        Finds the hindsight optimum, for lanes of it whose positions are not given.
    threads
        Threads of this process for lanes of compiled loops. Changes no number.

    Raises
    ------
    DataError, ExperimentError, LearnerError
        When the experiment does not fit the data.
    """

    def __init__(
        self,
        experiment: Experiment,
        store: Store,
        *,
        workers: int = 1,
        session_dir: Path | None = None,
        checkpoints: bool = True,
        progress: Progress = no_progress,
        find: FindHindsight | None = None,
        threads: int = 1,
    ) -> None:
        self.store = store
        self.context = build_context(experiment, store, progress=progress)
        self.experiment = with_positions(self.context.experiment, self.context, find, progress)
        self.context.experiment = self.experiment
        self.journal: list[Intervention] = list(self.experiment.intervention)
        self.checkpoints = CheckpointStore(session_dir) if checkpoints else None
        self.baselines: list[str] = []
        self.order: list[tuple[LaneSpec, bool]] = [(s, False) for s in self.experiment.lane]
        if self.experiment.baselines:
            taken = [s.name for s in self.experiment.lane]
            taken += [e.fork for e in self.journal if e.fork is not None]
            for spec in baseline_lanes(self.context.task.kind, taken):
                self.order.append((spec, True))
                self.baselines.append(spec.name)
        for spec, _ in self.order:
            check_lane(spec, self.context)
        if not experiment.lane:
            check(self.experiment)  # once more: now the default lanes are known
        check_journal(self.journal, self.experiment, self.context)
        self.position = self.context.train_rows
        self.home: dict[str, int] = {}
        self.forked: dict[str, Intervention] = {}
        self.hosts: list[Host] = [LaneHost(self.context, threads)]
        self._workers = max(1, workers)
        self._prepared = False

    # -- facts

    @property
    def train_rows(self) -> int:
        """The deployment point T."""
        return self.context.train_rows

    @property
    def stop(self) -> int:
        """End of the replay, exclusive."""
        return self.context.stop

    @property
    def finished(self) -> bool:
        """Whether all rows were replayed."""
        return self.position >= self.stop

    def names(self) -> list[str]:
        """Lanes in order: the experiment's, the baselines, the forks."""
        return list(self.home)

    # -- preparation

    def prepare(self, progress: Progress = no_progress, *, resume: bool = False) -> None:
        """Train the first models, offline; with `resume`, go on from the newest checkpoint.

        Raises
        ------
        LearnerError
            When a model cannot be trained.
        """
        self._start_hosts()
        resume = resume and self.checkpoints is not None and self.checkpoints.load_index()
        for spec, baseline in self.order:
            self._add(spec, baseline)
        if resume and self._resume():
            self._prepared = True
            return
        self._train_all(progress)
        self._prepared = True
        self._save_checkpoint()  # before forks: what is saved is as on arrival
        self._fork_due()

    def _add(self, spec: LaneSpec, baseline: bool) -> None:
        name = spec.name
        self._call(name, "add", spec, baseline, self._entries(name), wanted(self.journal, name))

    def _start_hosts(self) -> None:
        self.home = place([spec for spec, _ in self.order], self._workers)
        count = max(self.home.values(), default=0)
        if count:
            state = self.context.encoder.state()
            with ThreadPoolExecutor(count) as pool:
                self.hosts += pool.map(
                    lambda _: RemoteHost(self.experiment, self.store, state), range(count)
                )

    def _train_all(self, progress: Progress) -> None:
        """Train the first models, those of different processes at the same time."""
        models = [spec.name for spec, baseline in self.order if not baseline]
        shared = SharedProgress(progress, models)

        def train(number: int) -> None:
            for spec, _ in self.order:
                if self.home[spec.name] == number:
                    tell = shared.lane(spec.name) if spec.name in models else no_progress
                    tell(0, 1)
                    self._train(spec.name, tell)
                    tell(1, 1)

        with ThreadPoolExecutor(len(self.hosts)) as pool:
            for done in [pool.submit(train, i) for i in range(len(self.hosts))]:
                done.result()

    def _resume(self) -> bool:
        assert self.checkpoints is not None
        if self.checkpoints.holding(self.stop, [s.name for s, _ in self.order]) is None:
            return False
        self.restore(self.stop)
        return True

    # -- playing

    def foresee(self) -> None:
        """Nobody looks at the lanes before the end: their histories need not hold more until then.

        Once `prepare` is done. Changes nothing of what there is at the end; a replay that is given
        up before has coarser parameters and samples of its metrics.
        """
        for host in self.hosts:
            host.call("foresee")

    def advance(self, to: int, collect: Collect | None = None) -> None:
        """Replay up to position `to` (not beyond the end), journal entries included."""
        to = min(to, self.stop)
        while self.position < to:
            end = min(to, self._next_fork())
            if self.checkpoints is not None:
                end = min(end, self.checkpoints.next_due(self.position))
            self._advance_all(end, collect)
            self.position = end
            if self.checkpoints is not None and self.checkpoints.due(end, self.train_rows):
                self._save_checkpoint()
            self._fork_due()

    def _advance_all(self, end: int, collect: Collect | None) -> None:
        busy = [h for i, h in enumerate(self.hosts) if i in self.home.values()]
        wanted = collect is not None
        remote = [h for h in busy if isinstance(h, RemoteHost)]
        for worker in remote:
            worker.begin("advance", end, None, wanted)
        pieces: dict[str, Pieces] = {}
        try:
            for host in busy:
                if isinstance(host, LaneHost):
                    pieces.update(host.advance(end, None, wanted))
        finally:  # an answer that is not taken would be taken for the next one
            for worker in remote:
                pieces.update(worker.finish())
        if collect is not None:
            collect({name: pieces[name] for name in self.home if name in pieces})

    def _next_fork(self) -> int:
        waiting = [
            e.position
            for e in self.journal
            if e.fork is not None and e.fork not in self.home and e.position > self.position
        ]
        return min(waiting, default=self.stop)

    def _fork_due(self) -> None:
        for made in self.journal:
            if made.fork and made.fork not in self.home and made.position <= self.position:
                self._make_fork(made)

    def _make_fork(self, made: Intervention) -> None:
        self._call(made.lane, "settle", made.lane, self.entries_before(made))
        self._add_fork(made, self._call(made.lane, "state", made.lane))

    def _add_fork(
        self, made: Intervention, state: dict[str, bytes], saved_at: int | None = None
    ) -> None:
        """Add a fork with its parent's state, or with its own of a checkpoint at `saved_at`."""
        assert made.fork is not None
        spec = replace(self._spec(made.lane), name=made.fork)
        self.home[made.fork] = self.home[made.lane]
        self.forked[made.fork] = made
        whole = saved_at is not None
        if saved_at is not None:
            state = complete(self, made.fork, state, saved_at)
        pins = wanted(self.journal, made.fork)
        self._call(made.fork, "fork", state, spec, self._entries(made.fork), whole, pins)

    def entries_before(self, made: Intervention) -> int:
        """How many entries its parent lane has in the journal before a fork."""
        index = next(i for i, e in enumerate(self.journal) if e is made)
        return sum(1 for e in self.journal[:index] if e.lane == made.lane and e.fork is None)

    # -- what a person does

    def intervene(self, lane: str, changes: dict[str, Scalar]) -> Intervention:
        """Change settings of a lane from the present position on; return the journal entry.

        Raises
        ------
        LabError
            If there is no such lane or setting, or the value is not allowed.
        """
        self._changeable(lane)
        made: Intervention = self._call(lane, "intervene", lane, changes)
        self._insert(made)
        return made

    def rollback(self, lane: str, to: int, progress: Progress = no_progress) -> Intervention:
        """Make the model of a lane again what it was at `to`; return the journal entry.

        Raises
        ------
        LabError
            If there is no such lane, or `to` is not before the present position.
        """
        return drive(self.rolling_back(lane, to), progress)

    def rolling_back(self, lane: str, to: int) -> Generator[Told, None, Intervention]:
        """Do `rollback` in pieces; see `pin_steps` for what may be done between two of them."""
        self._changeable(lane)
        if not self.train_rows <= to < self.position:
            raise ExperimentError(
                f"A model can be rolled back to a row from {self.train_rows:,} on and before the "
                f"present row, {self.position:,}; not to row {to:,}."
            )
        pin = yield from pin_steps(self, lane, to)
        made: Intervention = self._call(lane, "roll_back", lane, to, pin)
        self._insert(made)
        return made

    def fork(self, lane: str, name: str, changes: dict[str, Scalar] | None = None) -> Intervention:
        """Begin a new lane here with the state of `lane`; its past equals its parent's."""
        self._changeable(lane)
        if not name.strip() or name in self.home or any(e.fork == name for e in self.journal):
            raise ExperimentError(f"The fork needs a name of its own; {quote(name)} is taken.")
        made = Intervention(self.position, lane, fork=name)
        self._insert(made)
        self._make_fork(made)
        if changes:
            try:
                self.intervene(name, changes)
            except Exception:
                self.remove_lane(name)
                raise
        return made

    def add_lane(self, spec: LaneSpec, progress: Progress = no_progress) -> None:
        """Add a lane and replay it from the deployment point up to the present position."""
        if spec.name in self.home:
            raise ExperimentError(f"There is already a lane called {quote(spec.name)}.")
        check_lane(spec, self.context)
        if waits(spec):
            raise ExperimentError(NOT_FOUND.format(quote(spec.name)))
        self.home[spec.name] = self._least_busy() if weight(spec.learner) else 0
        try:
            self._add(spec, False)
            self._train(spec.name, progress)
            if self.checkpoints is not None:
                blobs = self._call(spec.name, "state", spec.name)
                self.checkpoints.add_lane(self.train_rows, spec.name, blobs)
            self._catch_up(spec.name, progress)
        except BaseException:
            self._call(spec.name, "remove", spec.name)
            del self.home[spec.name]
            raise
        self.order.append((spec, False))
        self.experiment = replace(self.experiment, lane=[*self.experiment.lane, spec])

    def _least_busy(self) -> int:
        load = [0] * len(self.hosts)
        for name, at in self.home.items():
            load[at] += weight(self._spec(name).learner)
        return min(reversed(range(len(load))), key=lambda i: load[i])

    def _catch_up(self, name: str, progress: Progress) -> None:
        at = self.train_rows
        total = self.position - at
        saved = [p.position for p in self.checkpoints.points] if self.checkpoints else []
        while at < self.position:
            ends = [p for p in saved if p > at]
            at = min(at + 4096, self.position, *ends)
            self._call(name, "advance", at, [name], False)
            if self.checkpoints is not None and at in saved:
                self.checkpoints.add_lane(at, name, self._call(name, "state", name))
            progress(at - self.train_rows, total, f"Replaying {name} up to the present row")

    def remove_lane(self, name: str) -> None:
        """Remove a lane and its journal entries.

        Raises
        ------
        ExperimentError
            If other lanes were forked from it: their past needs it.
        """
        self._known(name)
        forks = [f for f, made in self.forked.items() if made.lane == name]
        if forks:
            raise ExperimentError(
                f"{quote(name)} cannot be removed while its fork {quote(forks[0])} is there: "
                "remove the fork first, or hide the lane."
            )
        self._call(name, "remove", name)
        del self.home[name]
        self.forked.pop(name, None)
        self.order = [(s, b) for s, b in self.order if s.name != name]
        self.baselines = [b for b in self.baselines if b != name]
        self.journal = [e for e in self.journal if name not in (e.lane, e.fork)]
        lanes = [s for s in self.experiment.lane if s.name != name]
        self.experiment = replace(self.experiment, lane=lanes)
        if self.checkpoints is not None:
            self.checkpoints.forget_lane(name)

    # -- faults and prices

    def inject(self, fault: Fault) -> Fault:
        """Let a fault happen from the present position on (or later); return it as it was added.

        Raises
        ------
        ExperimentError
            If it does not fit the data, or would be over before the present position.
        """
        return inject(self, fault)

    def remove_fault(
        self,
        index: int,
        progress: Progress = no_progress,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """Take back a fault; where it has begun, go back to its start and come here again.

        Parameters
        ----------
        index
            Its number in the experiment.
        progress
            Of coming back; when it is given up, the replay stays where it is by then.
        told
            Called once the fault is gone, before coming back: to write it down.

        Raises
        ------
        ExperimentError
            If there is no such fault, or no checkpoint to go back to.
        """
        remove_fault(self, index, progress, told)

    def set_prices(self, prices: PriceSpec) -> None:
        """Count costs at these prices; what policies decide by stays as it was deployed."""
        for host in self.hosts:
            host.call("set_prices", prices)

    @property
    def prices(self) -> PriceSpec:
        """Prices that costs are counted at."""
        return self.context.prices

    def as_replayed(self) -> Experiment:
        """The experiment with all that was done to it since it was deployed."""
        found: Experiment = replace(
            self.experiment, intervention=list(self.journal), prices=self.prices
        )
        return found

    # -- time travel

    def seek(self, position: int, progress: Progress = no_progress) -> None:
        """Go to `position`: the nearest checkpoint before it, then replay; as if never sought."""
        if self.checkpoints is None:
            raise ExperimentError("This replay keeps no checkpoints, so it can't go back.")
        position = min(max(position, self.train_rows), self.stop)
        if position < self.position:
            self.restore(position, progress)
        begin = self.position
        while self.position < position:
            self.advance(min(self.position + 4096, position))
            progress(self.position - begin, position - begin, "Replaying")

    def restore(self, position: int, progress: Progress = no_progress) -> None:
        """Load the newest checkpoint at or before `position` that holds every lane."""
        assert self.checkpoints is not None
        plain = [n for n in self.home if n not in self.forked]
        point = self.checkpoints.holding(position, plain)
        if point is None:
            raise ExperimentError("There is no checkpoint to go back to.")
        at = point.position
        blobs = {n: self.checkpoints.blobs(point, n) for n in plain}
        blobs = {n: complete(self, n, found, at, None, progress) for n, found in blobs.items()}
        for name in list(self.forked):
            self._call(name, "remove", name)
            del self.home[name], self.forked[name]
        for name in plain:
            pins = wanted(self.journal, name)
            self._call(name, "load", name, blobs[name], self._entries(name), pins)
        for made in self.journal:
            if made.fork and made.fork in point.lanes:
                self._add_fork(made, self.checkpoints.blobs(point, made.fork), at)
        self.position = point.position
        self._fork_due()

    def _save_checkpoint(self, *, passing: bool = False) -> None:
        if self.checkpoints is None:
            return
        states = {name: self._call(name, "state", name) for name in self.home}
        self.checkpoints.save(self.position, states, passing=passing)

    def checkpoint(self) -> None:
        """Save a checkpoint here, now; it takes the place of the last one made so."""
        self._save_checkpoint(passing=True)

    # -- telling

    def lanes(self, *, metrics: bool = False, size: bool = True) -> dict[str, LaneState]:
        """Present state of all lanes, in order."""
        found: dict[str, LaneState] = {}
        for host in self.hosts:
            found.update(host.call("describe", metrics, size))
        lanes = {name: found[name] for name in self.home}
        tell_regret(lanes)
        return lanes

    def evidence(self) -> list[LaneEvidence]:
        """What a verdict needs to know of all lanes, in order."""
        found: dict[str, LaneEvidence] = {}
        for host in self.hosts:
            found.update(host.call("evidence"))
        return [found[name] for name in self.home]

    def curves(self, since: dict[str, dict[str, int]]) -> dict[str, dict[str, Any]]:
        """News of all lanes' curves since the versions given."""
        found: dict[str, dict[str, Any]] = {}
        for host in self.hosts:
            found.update(host.call("curves", since))
        return {name: found[name] for name in self.home}

    def ask(self, name: str, method: str, *args: Any) -> Any:
        """Ask one lane's host (``parameters``, ``series``, ``metric_samples``, ``events``)."""
        self._known(name)
        return self._call(name, method, name, *args)

    def events(self, start: dict[str, int] | None = None) -> list[tuple[str, PolicyEvent]]:
        """Events of all lanes in order of position, with the lane's name.

        `start`: for each lane the number of its events to leave out. What faults do concerns all
        lanes: that is told of the lane ``""``.
        """
        known = start or {}
        faults = fault_events(self.experiment.fault, self.train_rows, self.position)
        found = [("", event) for event in faults[known.get("", 0) :]]
        for name in self.home:
            found += [(name, e) for e in self._call(name, "events", name, known.get(name, 0))]
        for name, made in self.forked.items():
            if name not in known:
                text = f"You forked {made.lane}"
                found.append((name, PolicyEvent(made.position, "fork", text)))
        order = ["", *self.home]
        return sorted(found, key=lambda p: (p[1].position, order.index(p[0])))

    def close(self) -> None:
        """End the worker processes."""
        for host in self.hosts:
            host.close()

    # -- inside

    def _entries(self, name: str) -> list[Intervention]:
        return [e for e in self.journal if e.lane == name and e.fork is None]

    def _insert(self, made: Intervention) -> None:
        at = sum(1 for e in self.journal if e.position <= made.position)
        self.journal.insert(at, made)
        if self.checkpoints is not None:
            self.checkpoints.forget_after(made.position)

    def _spec(self, name: str) -> LaneSpec:
        for spec, _ in self.order:
            if spec.name == name:
                return spec
        made = self.forked[name]
        return replace(self._spec(made.lane), name=name)  # type: ignore[no-any-return]

    def _known(self, name: str) -> None:
        if name not in self.home:
            raise ExperimentError(f"There is no lane called {quote(name)}.")

    def _changeable(self, name: str) -> None:
        self._known(name)
        if name in self.baselines:
            raise ExperimentError(
                f"{quote(name)} is a baseline: it stays as it is, so that lanes can be compared "
                "with it."
            )

    def ask_host(self, lane: str, method: str, *args: Any) -> Any:
        """Ask the host of a lane."""
        return self._call(lane, method, *args)

    def shadow(self, lane: str, state: dict[str, bytes], *, whole: bool) -> None:
        """Begin to replay a lane again from `state`, beside the others (see `LaneHost.shadow`)."""
        pins = wanted(self.journal, lane)
        self._call(lane, "shadow", state, self._spec(lane), self._entries(lane), whole, pins)

    def _call(self, lane: str, method: str, *args: Any) -> Any:
        return self.hosts[self.home[lane]].call(method, *args)

    def _train(self, lane: str, progress: Progress) -> None:
        host = self.hosts[self.home[lane]]
        if isinstance(host, RemoteHost):
            host.begin("prepare", lane)
            host.finish(progress)
        else:
            host.prepare(lane, progress)
