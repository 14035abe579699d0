"""The engine's part of data that grow: first rows used while a file is read, a replay that grows.

The importer hands over the rows that it has written, now and then. The first of them become the
engine's data set at once, where the rest will take a while; later ones when the window asks.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from modellab.errors import Cancelled, DataError, ExperimentError, quote
from modellab.replay.context import memory_budget
from modellab.replay.growing_protocol import RowsReady
from modellab.replay.protocol import ColumnSummary, DataSummary, Deployed
from modellab.replay.session_folder import JournalLine
from modellab.replay.telemetry import sampled_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modellab.data.growing import PartialStore
    from modellab.data.store import Store
    from modellab.experiment import Kind
    from modellab.learners.base import Progress
    from modellab.replay.engine_out import Job, Outbox
    from modellab.replay.player import Player
    from modellab.replay.protocol import OpenData
    from modellab.replay.replay import Replay

WORTH_SECONDS = 2.0
"""First rows are used only where the rest is expected to take longer than this."""
PAUSE_SECONDS = 0.25
"""The longest pause of an import that gives way."""

CHANGED = "Another deployment was built meanwhile."
NOTHING_DEPLOYED = "Nothing is deployed yet."


class FirstRows:
    """What an import under way has ready.

    Parameters
    ----------
    outbox
        Where news go.
    taken
        Takes a store over as the engine's data set.
    """

    def __init__(self, outbox: Outbox, taken: Callable[[Store, OpenData], None]) -> None:
        self._out = outbox
        self._taken = taken
        self._guard = threading.Lock()
        self._others = 0
        self._in_use = False
        self._newest: tuple[PartialStore, OpenData] | None = None

    def begin(self) -> None:
        """Forget the rows of an import before."""
        with self._guard:
            self._newest, self._in_use = None, False

    @contextmanager
    def first(self) -> Iterator[None]:
        """Do something that the person waits for: reading on takes half of its time meanwhile."""
        with self._guard:
            self._others += 1
        try:
            yield
        finally:
            with self._guard:
                self._others -= 1

    def giving_way(self, progress: Progress) -> Progress:
        """Return a progress for an import that gives way to what the person waits for."""
        before = time.perf_counter()

        def told(done: float, total: float, text: str = "") -> None:
            nonlocal before
            progress(done, total, text)
            if self._in_use and self._others:
                time.sleep(min(time.perf_counter() - before, PAUSE_SECONDS))
            before = time.perf_counter()

        return told

    def watch(self, command: OpenData, job: Job, begun: float) -> Callable[[PartialStore], None]:
        """Return what the importer calls with the rows that it has (on its own thread)."""
        used = False

        def ready(partial: PartialStore) -> None:
            nonlocal used
            if job.cancelled.is_set():
                raise Cancelled
            spent = time.perf_counter() - begun
            left = spent * (1 - partial.share) / max(partial.share, 1e-9)
            if not used and (left < WORTH_SECONDS or partial.n_rows < (command.growing or 1)):
                return
            with self._guard:
                before = self._newest
                if before is not None and before[0].n_rows >= partial.n_rows:
                    return  # it had to begin again and is not as far yet
                self._newest = partial, command
            summary = None
            if not used:
                store = partial.open()
                summary = msgspec.to_builtins(summary_of(store, spent))
                self._taken(store, command)
                used = self._in_use = True
            expected = max(round(partial.n_rows / max(partial.share, 1e-9)), partial.n_rows)
            self._out.send(
                RowsReady(id=job.id, rows=partial.n_rows, expected=expected, summary=summary)
            )

        return ready

    def use(self, current: Store) -> DataSummary:
        """Let the data set be all rows that are read by now."""
        with self._guard:
            newest = self._newest
        if current.unfinished and newest is not None and newest[0].n_rows > current.n_rows:
            current = newest[0].open()
            self._taken(current, newest[1])
        return summary_of(current, 0.0)


def summary_of(store: Store, seconds: float) -> DataSummary:
    """Tell what is in a store; `seconds`: so long it took to read."""
    from modellab.data.dataset import guess_target, guess_time

    target, reason = guess_target(store)
    return DataSummary(
        name=store.name,
        paths=store.source_paths,
        format=store.meta.format,
        size_bytes=store.size_bytes,
        n_rows=store.n_rows,
        fingerprint=store.fingerprint,
        columns=[ColumnSummary(c.name, c.kind, c.reason) for c in store.columns],
        bad_rows=store.bad_row_count,
        warnings=list(store.warnings),
        guessed_target=target,
        guessed_target_reason=reason,
        guessed_time=guess_time(store),
        read_seconds=seconds,
        memory_bytes=8 * store.n_rows * len(store.columns),
        memory_budget=memory_budget(),
        whole=not store.unfinished,
    )


def check_kinds(store: Store, kinds: Mapping[str, Kind]) -> None:
    """Check that the first rows can be served as these kinds.

    Raises
    ------
    DataError
        If the file must be read again for it, which waits until it was read once.
    """
    for column in store.columns:
        wanted = kinds.get(column.name, column.kind)
        texts = ("category", "text")
        if wanted in texts and column.kind not in texts and not column.lossless:
            raise DataError(
                f"Column {quote(column.name)} can be used as {wanted} only after the file was "
                "read to its end: wait for that, or choose another kind until then."
            )


class ReplayGrowth:
    """Lets the player's replay go on over more rows.

    Parameters
    ----------
    player
        The thread that owns the replay.
    """

    def __init__(self, player: Player) -> None:
        self._player = player

    def grow(self, store: Store, job: Job) -> None:
        """Make it ready beside the replay; the player then does the rest, which answers."""
        from modellab.replay.growing import Growth

        replay = self._player.replay
        if replay is None:
            job.fail(ExperimentError(NOTHING_DEPLOYED))
            return
        try:
            if store.fingerprint != replay.store.fingerprint or store.n_rows < replay.store.n_rows:
                raise ExperimentError(
                    "The data that are open now are not those of this deployment: deploy again."
                )
            if store.path == replay.store.path:
                job.done(told(replay, 0.0))
                return
            growth = Growth(replay, store, job.progress)
        except Exception as error:  # noqa: BLE001  # told to the person; the engine goes on
            job.fail(error)
            return
        self._player.post(lambda: self._finish(growth, job))

    def _finish(self, growth: object, job: Job) -> None:
        from modellab.replay.growing import Growth

        assert isinstance(growth, Growth)
        if self._player.replay is not growth.old:
            growth.give_up()
            job.fail(ExperimentError(CHANGED))
            return
        if job.cancelled.is_set():
            growth.give_up()
            return

        def finish(job: Job) -> Deployed:
            found = self._player.grow(growth, job)
            self._player.write(JournalLine(rows=found.context.n_rows))
            return told(found, 0.0)

        job.run(finish)


def forget_unsettled(replay: Replay, rows: int) -> None:
    """Leave out checkpoints of a replay over fewer rows that may not hold over all."""
    from modellab.replay.growing import settled_upto

    store = replay.checkpoints
    if store is not None and store.load_index():
        store.forget_after(settled_upto(replay.context, replay.experiment, rows))


def told(replay: Replay, seconds: float, warnings: list[str] | None = None) -> Deployed:
    """Tell what is deployed."""
    from modellab.learners.catalogue import entry

    context = replay.context
    views = sorted({entry(spec.learner).view for spec in replay.experiment.lane})
    return Deployed(
        experiment=replay.as_replayed(),
        baselines=list(replay.baselines),
        train_rows=replay.train_rows,
        stop=replay.stop,
        n_rows=context.n_rows,
        position=replay.position,
        times_ns=sampled_times(context.n_rows, context.stream.times),
        fit_seconds=seconds,
        encoded={view: list(context.encoder.names(view)) for view in views},
        warnings=warnings or [],
    )
