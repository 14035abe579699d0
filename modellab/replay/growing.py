"""A deployment over the first rows of a data set goes on over more of them.

What a lane has in hand is what it would have if all rows had been there from the beginning, as long
as nothing that it asked for lay beyond the rows that were there. `settled_upto` tells how far that
holds without a doubt. From there on it is replayed again, over all rows; where no checkpoint lies
before that, everything is. So the results are those of a replay that had all rows from its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.stream import BLOCK
from modellab.errors import ExperimentError, LabError, quote
from modellab.experiment import HindsightPolicy, LearnerSpec, replace
from modellab.experiment_faults import Outage
from modellab.experiment_values import parse_span
from modellab.learners.base import Progress, no_progress
from modellab.replay.growing_words import AGAIN, classes_changed, kinds_changed
from modellab.replay.hosts import LaneHost
from modellab.replay.lane_checks import check_lane
from modellab.replay.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modellab.data.dataset import Dataset
    from modellab.data.store import Store
    from modellab.experiment import Experiment
    from modellab.replay.context import Context

_COMPARED_ROWS = 65_536
_WIDEST = 2**62


# ------------------------------------------------------------------ how far it does not matter


def settled_upto(context: Context, experiment: Experiment, rows: int) -> int:
    """Last position of a replay over the first `rows` rows that is as it would be over all.

    Parameters
    ----------
    context
        Of all rows.
    experiment
        As it was replayed, journal included.
    rows
        Rows that were there.

    Returns
    -------
    int
        Less than the deployment point if there is no such position. What policies, guards and
        faults may look ahead by is taken from their settings, all of them added up, so that this
        is rather too early than too late.
    """
    ahead, span = _looks_ahead(experiment)
    ahead += 2 * BLOCK
    least = context.train_rows

    def inside(position: int) -> bool:
        at = position + ahead
        return at < rows and (not span or context.position_at(at, 0, span) < rows)

    low, high = least - 1, max(rows, least)
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if inside(middle) else (low, middle)
    for fault in experiment.fault:
        # While it lasts, the first row after it is what is waited for.
        if isinstance(fault, Outage) and (fault.stop is None or fault.stop > low):
            low = min(low, fault.start - 1)
    return low


def _looks_ahead(experiment: Experiment) -> tuple[int, int]:
    """Return by how many rows, and by how much event time (ns), lanes may look ahead at most."""
    lanes = [_total((lane.policy, lane.guard)) for lane in experiment.lane]
    rows = max((found[0] for found in lanes), default=0)
    span = max((found[1] for found in lanes), default=0)
    faults = [replace(fault, start=0, stop=None) for fault in experiment.fault]
    changes = [list(entry.set.values()) for entry in experiment.intervention]
    more, longer = _total([experiment.evaluation.label_delay, faults, changes])
    return min(rows + more, _WIDEST), min(span + longer, _WIDEST)


def _total(settings: Any) -> tuple[int, int]:
    """Return all rows and all spans of time that settings name, added up."""
    rows = span = 0
    for value in _leaves(settings):
        if isinstance(value, str):
            try:
                span += parse_span(value, "")
            except LabError:
                continue  # a name, no span of time
        else:
            rows += max(value, 0)
    return rows, span


def _leaves(value: Any) -> Iterator[int | str]:
    """Yield numbers of rows and texts in settings; what a learner is made of looks nowhere."""
    if isinstance(value, bool | LearnerSpec):
        return
    if isinstance(value, int | str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, dict):
        yield from _leaves(list(value.values()))
    elif isinstance(value, msgspec.Struct):
        skipped = ("at",) if isinstance(value, HindsightPolicy) else ()
        for field in value.__struct_fields__:
            if field not in skipped:
                yield from _leaves(getattr(value, field))


# ------------------------------------------------------------------ whether it is the same data set


def check_same(old: Context, new: Context, upto: int) -> None:
    """Check that what was trained and replayed on the first rows holds for all of them.

    Parameters
    ----------
    old, new
        Contexts of the first rows and of all rows.
    upto
        Rows before this one were used.

    Raises
    ------
    ExperimentError
        If later rows make another data set of it: another kind of a column, another class, other
        values. The sentence says which, and to train again.
    """
    _check_kinds(old.dataset, new.dataset)
    before, after = old.dataset.task, new.dataset.task
    if before != after:
        raise ExperimentError(f"{_other_task(old.dataset, new.dataset)} {AGAIN}")
    if old.train_rows != new.train_rows:
        raise ExperimentError(
            f"The training window has {new.train_rows:,} rows now, not {old.train_rows:,}. {AGAIN}"
        )
    for name in old.dataset.kinds:
        if old.dataset.kinds[name] == "time" and _unit(old.dataset, name) != _unit(
            new.dataset, name
        ):
            raise ExperimentError(
                f"Later rows show that column {quote(name)} counts its time in "
                f"{_unit(new.dataset, name)}, not in {_unit(old.dataset, name)}. {AGAIN}"
            )
    if not _equal(old.encoder.state(), new.encoder.state()):
        raise ExperimentError(
            f"With all rows read, the columns are encoded otherwise than before. {AGAIN}"
        )
    if not same_rows(old.dataset, new.dataset, upto):
        raise ExperimentError(
            f"The file had to be read otherwise for the sake of later rows, so its first rows are "
            f"not what they were. {AGAIN}"
        )


def _check_kinds(old: Dataset, new: Dataset) -> None:
    used = [*old.features, old.target, *([old.time] if old.time else [])]
    found = [(name, old.kinds[name], new.kinds.get(name)) for name in used]
    changed = [(n, a, b) for n, a, b in found if a != b and not (n == old.time and b is not None)]
    if changed:
        raise ExperimentError(f"{kinds_changed(changed)} {AGAIN}")


def _other_task(old: Dataset, new: Dataset) -> str:
    if old.task.kind == new.task.kind == "classification":
        return classes_changed(
            old.target, [str(c) for c in old.task.classes], [str(c) for c in new.task.classes]
        )
    return f"Later rows show that {quote(old.target)} is to be predicted by {new.task.kind}."


def _unit(dataset: Dataset, name: str) -> str:
    stored = dataset.store.column(name)
    return dataset.store.time_unit(name) if stored.kind == "number" else ""


def _equal(one: Any, other: Any) -> bool:
    """Whether two states of plain values and arrays are the same to the bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(_equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.tobytes() == other.tobytes())
    return bool(one == other or (one != one and other != other))  # both no number


def same_rows(old: Dataset, new: Dataset, stop: int) -> bool:
    """Whether rows [0, stop) hold the same values: at once where they lie in the same files."""
    one, other = old.store, new.store
    segment = _shared_rows(one, other)
    for start in range(0, stop, _COMPARED_ROWS):
        if start + _COMPARED_ROWS <= segment:
            continue
        end = min(start + _COMPARED_ROWS, stop)
        before = one.read(start, end, kinds=old.kinds)
        after = other.read(start, end, kinds=old.kinds)
        for name in before.column_names:
            if not _same_values(before.column(name), after.column(name)):
                return False
    return True


def _same_values(one: Any, other: Any) -> bool:
    from modellab.data.arrow import arrow

    pa, _ = arrow()
    if pa.types.is_dictionary(one.type):  # the codes of a snapshot are its own
        one, other = (values.cast(pa.string()) for values in (one, other))
    return bool(one.combine_chunks().equals(other.combine_chunks()))


def _shared_rows(one: Store, other: Store) -> int:
    """How many of the first rows lie in files that both stores have."""
    from modellab.data.store import BATCH_ROWS, segment_name

    per = one.meta.segment_batches * BATCH_ROWS
    if other.meta.segment_batches != one.meta.segment_batches or [
        (c.name, c.kind) for c in one.columns
    ] != [(c.name, c.kind) for c in other.columns]:
        return 0
    rows = 0
    while rows < one.n_rows:
        name = segment_name(rows // per)
        try:
            if not (one.path / name).samefile(other.path / name):
                break
        except OSError:
            break
        rows += per
    return rows


# ------------------------------------------------------------------ the replay


class Growth:
    """A replay of the first rows on its way to become one of all rows.

    Made beside the replay, which may play on; `finish` is called where it is not played.

    Parameters
    ----------
    old
        The replay as it is.
    store
        All rows (or more of them).
    progress
        Told what is going on.

    Raises
    ------
    LabError
        If the rows make another data set; the replay stays as it is.
    """

    def __init__(self, old: Replay, store: Store, progress: Progress = no_progress) -> None:
        self.old = old
        rows = old.context.n_rows
        as_deployed = replace(old.experiment, intervention=list(old.journal))
        self.new = Replay(
            as_deployed,
            store,
            workers=old._workers,
            checkpoints=False,
            progress=progress,
            threads=_threads(old),
        )
        try:
            progress(0, 0, "Comparing the rows")
            check_same(old.context, self.new.context, rows)
            self.new.context.first_fits.update(old.context.first_fits)
            self.new.context.calibrated(progress)
            self.new._start_hosts()
        except BaseException:
            self.new.close()
            raise

    def finish(self, progress: Progress = no_progress) -> Replay:
        """Bring the new replay to where the old one is, and return it.

        When that is given up, or cannot be done, the old one is what it was.
        """
        old, new = self.old, self.new
        try:
            self._take_over()
            settled = settled_upto(new.context, old.as_replayed(), old.context.n_rows)
            if old.checkpoints is None:
                raise ExperimentError("This replay keeps no checkpoints, so it cannot grow.")
            if old.position <= settled:
                old.checkpoint()
            old.checkpoints.forget_after(settled)
            new.checkpoints = old.checkpoints
            self._bring(min(old.position, settled), progress)
            new.seek(old.position, progress)
        except BaseException:
            if new.checkpoints is not None:
                new.checkpoints.forget_after(old.context.n_rows - 1)
            self.give_up()
            raise
        return new

    def give_up(self) -> None:
        """End what was begun; the old replay goes on."""
        self.new.close()

    def _take_over(self) -> None:
        """Take over what was done to the old replay while the new one was made."""
        old, new = self.old, self.new
        for spec, _ in old.order:
            check_lane(spec, new.context)
        new.order, new.baselines = list(old.order), list(old.baselines)
        new.journal = list(old.journal)
        names = [spec.name for spec, _ in new.order]
        new.home = {name: new.home.get(name, 0) for name in names}
        new.experiment = old.experiment
        if new.context.experiment.fault != old.experiment.fault:
            for host in new.hosts:
                host.call("set_faults", old.experiment.fault)
        new.set_prices(old.prices)

    def _bring(self, position: int, progress: Progress) -> None:
        """Go to the newest checkpoint at or before `position`; if there is none, begin anew."""
        new = self.new
        assert new.checkpoints is not None
        plain = [spec.name for spec, _ in new.order]
        for spec, baseline in new.order:
            new._add(spec, baseline)
        new._prepared = True
        if new.checkpoints.holding(position, plain) is not None:
            new.restore(position, progress)
            return
        new._train_all(progress)
        new.checkpoints.forget_after(-1)
        new._save_checkpoint()
        new._fork_due()


def _threads(replay: Replay) -> int:
    first = replay.hosts[0]
    return first._threads if isinstance(first, LaneHost) else 1


__all__ = ["Growth", "check_same", "same_rows", "settled_upto"]
