"""The encoded stream: rows, labels, times and label arrivals by position.

Rows are encoded in whole blocks that begin at multiples of `BLOCK`, whatever range is asked for, so
that what a position holds never depends on how it was asked for. Faults change what arrives, never
rows of the training window.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.arrivals import Arrivals, RowArrivals, TimeArrivals
from modellab.data.encoding import number_array
from modellab.data.faults import Faults, check_faults
from modellab.data.pages import OldPages, Page
from modellab.data.sparse import SparseRows, join_rows
from modellab.errors import ExperimentError
from modellab.experiment import rows_or_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from modellab.data.categories import View
    from modellab.data.dataset import Dataset
    from modellab.data.encoder import Encoder
    from modellab.experiment import Fault

    Rows = Any

BLOCK = 1024
"""Rows in a block; everything is computed in pieces that end at multiples of it."""
_CACHE_BYTES = 64 * 2**20  # for each view
_READ_BLOCKS = 64
_SPARSE_CELLS = 400  # taken for a row of hashed words
_LABEL_PAGES = 4
_PAGED = ("scaled", "raw", "ordinal")


class EncodedStream:
    """A data set as learners see it. Several threads may ask for rows, labels and times.

    Parameters
    ----------
    dataset
        The data set.
    encoder
        Fitted on its training window.
    label_delay
        Rows, or a span of event time as in the experiment file (``"2h"``).
    cache_blocks
        At most so many encoded blocks are kept for each view (fewer when they are wide: 64 MB).
    faults
        What goes wrong on the way to the model, in the order in which it acts.
    seed
        Of the experiment: what is random in faults is keyed by it.

    Raises
    ------
    ExperimentError
        If the delay is a span of time and the data set has no time column, or a fault does not fit
        the data.
    """

    def __init__(
        self,
        dataset: Dataset,
        encoder: Encoder,
        label_delay: int | str = 0,
        cache_blocks: int = 64,
        faults: Sequence[Fault] = (),
        seed: int = 0,
    ) -> None:
        self.dataset = dataset
        self.encoder = encoder
        self.n_rows = dataset.n_rows
        self.train_rows = dataset.train_rows
        rows, span = rows_or_span(label_delay, "evaluation.label_delay")
        self._seed = seed
        self._usual: Arrivals
        if span:
            if dataset.time is None:
                raise ExperimentError(
                    "evaluation.label_delay is a span of time, but there is no time column: "
                    "name one, or give the delay in rows."
                )
            self._usual = TimeArrivals(self._known_times, self.n_rows, self.train_rows, span)
        else:
            self._usual = RowArrivals(self.n_rows, self.train_rows, rows)
        self._cache_blocks = max(1, cache_blocks)
        self._blocks: dict[str, OrderedDict[int, Rows]] = {}
        self._labels: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._answers: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._lock = threading.RLock()
        self._soon = (0, 0)
        self._pages: dict[str, tuple[Page, ...]] = {}  # the newest first
        self._ahead: dict[str, Page] = {}
        self._old = OldPages()
        self.faults: tuple[Fault, ...] = ()
        self._faults: Faults | None = None
        self._arrivals: Arrivals = self._usual
        self._without: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.number_columns = tuple(n for n in dataset.features if dataset.kinds[n] == "number")
        if faults:
            self.set_faults(faults)

    # ------------------------------------------------------------ faults

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Let these faults act from now on, in place of those before; caches are dropped.

        What was asked before is not told again. A fault that begins where a replay is changes
        nothing before that; one to be ended there should be given that `stop`, not be taken away.

        Raises
        ------
        ExperimentError
            If a fault does not fit the data; those before stay.
        """
        check_faults(faults, self.dataset)
        found: Faults | None = None
        if faults:
            facts = None if self._faults is None else self._faults.facts
            found = Faults(faults, self.dataset, self._seed, self._usual, self._known_times, facts)
        self.faults = tuple(faults)
        self._faults = found
        self._arrivals = self._usual if found is None else found.arrivals
        self._blocks.clear()
        self._labels.clear()
        self._answers.clear()
        self._pages.clear()
        self._ahead.clear()

    @property
    def prompt(self) -> bool:
        """Whether each label is known as soon as its row was predicted."""
        usual = self._usual
        return self._arrivals is usual and isinstance(usual, RowArrivals) and not usual.delay

    @property
    def truthful(self) -> bool:
        """Whether labels arrive as they are true: `seen` gives what `labels` gives."""
        return self._faults is None or not self._faults.answers

    # ------------------------------------------------------------ pages

    def soon(self, start: int, stop: int) -> None:
        """Know that rows [start, stop) will be asked for, by several lanes one after the other.

        They are then encoded many blocks at a time, and kept until others are, or none are to come
        (`start` is `stop`). Changes no value.
        """
        first, last = start // BLOCK, -(-stop // BLOCK)
        with self._lock:
            self._soon = (first, last) if last - first > 1 else (0, 0)
            if start == stop:
                done = [p[0] for name, p in self._pages.items() if name in _PAGED]
                done += [page for name, page in self._ahead.items() if name in _PAGED]
                self._old.rest(page.values for page in done)
                self._pages.clear()
                self._ahead.clear()

    def encode_ahead(self, views: Sequence[View], start: int, stop: int) -> None:
        """Encode the page of rows [start, stop) before it is asked for: from another thread.

        Nothing is done where rows of a view have no pages.
        """
        first, last = start // BLOCK, -(-stop // BLOCK)
        faults = self._faults
        labels = np.asarray(self._truth(first * BLOCK, min(last * BLOCK, self.n_rows)))
        made: list[tuple[str, NDArray[Any]]] = [("labels", labels)]
        for view in views:
            if view == "dict" or self.encoder.sparse(view) or last - first > self._room(view):
                continue
            made.append((view, self._encoded_page(view, first, last)))
        with self._lock:
            if self._faults is not faults:
                return
            for name, values in made:
                values.flags.writeable = False
                self._ahead[name] = Page(first * BLOCK, min(last * BLOCK, self.n_rows), values)

    def page_rows(self, views: Iterable[View]) -> int:
        """Rows of a page: so many are kept at once of rows that will be asked for soon."""
        return BLOCK * min((self._room(view) for view in views), default=_READ_BLOCKS)

    def _page(self, name: str, start: int, stop: int, make: Callable[[int, int], Any]) -> Any:
        """Rows [start, stop) out of a page of the rows that come soon; None if it holds others.

        `make(first, last)`: blocks [first, last) as one array; called where there is none yet.
        """
        pages = self._pages.get(name, ())
        for page in pages:
            if page.start <= start < stop <= page.stop:
                return page.values[start - page.start : stop - page.start]
        first, last = self._soon
        if not first * BLOCK <= start < stop <= last * BLOCK:
            return None
        encoded = name in _PAGED
        begin = start // BLOCK
        upto = min(begin + (self._room(name) if encoded else _READ_BLOCKS), last)  # type: ignore[arg-type]
        ready = self._ahead.get(name)
        fits = ready is not None and ready.start <= start < stop <= ready.stop
        if not fits and stop > upto * BLOCK:
            return None
        # Of labels, those before are kept: lanes are scored when their models are further on.
        before = () if encoded else pages[: _LABEL_PAGES - 1]
        gone = self._pages.pop(name, ())  # its place is needed
        if encoded and gone:
            self._old.add(gone[0].values)
            del gone, pages
        if ready is not None and fits:
            page = self._ahead.pop(name)
        else:
            values = make(begin, upto)
            values.flags.writeable = False
            page = Page(begin * BLOCK, min(upto * BLOCK, self.n_rows), values)
        self._pages[name] = (page, *before)
        return page.values[start - page.start : stop - page.start]

    def _encoded_page(self, view: View, first: int, last: int) -> NDArray[np.float64]:
        start, stop = first * BLOCK, min(last * BLOCK, self.n_rows)
        with self._lock:
            out = self._old.room((stop - start, len(self.encoder.names(view))))
        self.encoder.fill(self._source(start, stop), view, out)
        return out

    def next_link(self, position: int) -> int:
        """Return the first row, from `position` on, that lies in no outage: updates get through.

        N if the outage lasts to the end.
        """
        return position if self._faults is None else self._faults.next_link(position)

    # ------------------------------------------------------------ rows

    def read(self, start: int, stop: int, columns: Sequence[str] | None = None) -> Any:
        """Rows [start, stop) as they arrive, before encoding: a table in the data set's kinds.

        `columns`: source columns in the order wanted; those that are encoded if None. Only features
        have faults here (for labels see `seen`).
        """
        self._check(start, stop)
        names = list(self.encoder.columns if columns is None else columns)
        if self._faults is None or not self._faults.features or start == stop:
            kinds = {name: self.dataset.kinds[name] for name in names}
            return self.dataset.store.read(start, stop, columns=names, kinds=kinds)
        return self._faults.table(start, stop, names)

    def numbers(self, start: int, stop: int) -> NDArray[np.float64]:
        """Number features of rows [start, stop) as they arrive, before encoding.

        Returns
        -------
        float64 (n, d), one column for each of `number_columns`, NaN where missing.
        """
        table = self.read(start, stop, self.number_columns)
        out = np.empty((stop - start, len(self.number_columns)))
        for k in range(len(self.number_columns)):
            out[:, k] = number_array(table.column(k))
        return out

    @contextmanager
    def without(self, positions: NDArray[np.int64]) -> Iterator[None]:
        """Leave these rows (absolute positions in order) out of `matrix` and `chunks` meanwhile."""
        before = self._without
        self._without = positions
        try:
            yield
        finally:
            self._without = before

    def _source(self, start: int, stop: int) -> Any:
        """Rows [start, stop) as the encoder takes them."""
        if self._faults is None or not self._faults.features:
            return self.dataset.store.read(
                start, stop, columns=list(self.encoder.columns), kinds=self.encoder.kinds
            )
        return self._faults.table(start, stop, self.encoder.columns)

    def rows(self, view: View, start: int, stop: int) -> Rows:
        """Encoded rows [start, stop): read-only float64 (n, d), `SparseRows`, or a list of n dicts.

        The dicts are shared with later calls and must not be changed.
        """
        self._check(start, stop)
        with self._lock:
            return self._rows(view, start, stop)

    def _rows(self, view: View, start: int, stop: int) -> Rows:
        first, last = start // BLOCK, max(start, stop - 1) // BLOCK
        if view != "dict" and not self.encoder.sparse(view):
            found = self._page(view, start, stop, lambda a, b: self._encoded_page(view, a, b))
            if found is not None:
                return found
        if first == last:
            if start == stop:
                return self._empty(view)
            block = next(self._encoded(view, first, last + 1))
            return block[start - first * BLOCK : stop - first * BLOCK]
        if view == "dict":
            dicts: list[dict[str, Any]] = []
            for k, block in enumerate(self._encoded(view, first, last + 1), first):
                dicts += block[max(0, start - k * BLOCK) : stop - k * BLOCK]
            return dicts
        if self.encoder.sparse(view):
            blocks = enumerate(self._encoded(view, first, last + 1), first)
            return join_rows([b[max(0, start - k * BLOCK) : stop - k * BLOCK] for k, b in blocks])
        out = np.empty((stop - start, len(self.encoder.names(view))))
        at = 0
        for k, block in enumerate(self._encoded(view, first, last + 1), first):
            part = block[max(0, start - k * BLOCK) : stop - k * BLOCK]
            out[at : at + len(part)] = part
            at += len(part)
        out.flags.writeable = False
        return out

    def _empty(self, view: View) -> Rows:
        if self.encoder.sparse(view):
            width = len(self.encoder.names(view))
            return SparseRows(np.empty(0), np.empty(0, np.int32), np.zeros(1, np.int64), width, 0)
        return [] if view == "dict" else np.empty((0, len(self.encoder.names(view))))

    def _check(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.n_rows:
            raise IndexError(f"rows [{start}, {stop}) of {self.n_rows}")

    def _encoded(self, view: View, first: int, last: int) -> Iterator[Rows]:
        """Blocks [first, last), from the cache or encoded; a long range leaves the cache alone."""
        with self._lock:
            yield from self._encoded_blocks(view, first, last)

    def _encoded_blocks(self, view: View, first: int, last: int) -> Iterator[Rows]:
        cache = self._blocks.setdefault(view, OrderedDict())
        room = self._room(view)
        at = first
        while at < last:
            if at in cache:
                cache.move_to_end(at)
                yield cache[at]
                at += 1
                continue
            end = at + 1
            while end < last and end - at < _READ_BLOCKS and end not in cache:
                end += 1
            for k, block in zip(range(at, end), self._encode(view, at, end), strict=True):
                if last - first <= room:
                    cache[k] = block
                    if len(cache) > room:
                        cache.popitem(last=False)
                yield block
            at = end

    def _room(self, view: View) -> int:
        cell = 120 if view == "dict" else 8  # bytes
        width = max(1, len(self.encoder.names(view)))
        if self.encoder.sparse(view):
            width = min(width, _SPARSE_CELLS)
        return max(1, min(self._cache_blocks, _CACHE_BYTES // (BLOCK * width * cell)))

    def _encode(self, view: View, first: int, last: int) -> Iterator[Rows]:
        start, stop = first * BLOCK, min(last * BLOCK, self.n_rows)
        table = self._source(start, stop)
        for at in range(0, stop - start, BLOCK):
            block = self.encoder.transform(table.slice(at, BLOCK), view)
            if isinstance(block, np.ndarray):
                block.flags.writeable = False
            yield block

    def unseen(self, start: int, stop: int) -> dict[str, int]:
        """Count cells of rows [start, stop) whose category the training window did not hold."""
        self._check(start, stop)
        totals = dict.fromkeys((n for n, k in self.encoder.kinds.items() if k == "category"), 0)
        for at in range(start, stop, _READ_BLOCKS * BLOCK):
            table = self._source(at, min(at + _READ_BLOCKS * BLOCK, stop))
            for name, count in self.encoder.unseen(table).items():
                totals[name] += count
        return totals

    # ------------------------------------------------------------ labels and times

    def labels(self, start: int, stop: int) -> NDArray[Any]:
        """Labels of rows [start, stop) as they are true: int64 codes, -1 missing; or float64, NaN.

        They include relabelling drifts, and no other fault.
        """
        return self._label_blocks("labels", self._labels, self._truth, start, stop)

    def seen(self, start: int, stop: int) -> NDArray[Any]:
        """Labels of rows [start, stop) as they arrive: noise included, missing where they are lost.

        When they arrive is told by `label_upto`.
        """
        if self._faults is None or not self._faults.answers:
            return self.labels(start, stop)
        return self._label_blocks("seen", self._answers, self._faults.seen, start, stop)

    def _truth(self, start: int, stop: int) -> NDArray[Any]:
        if self._faults is None or not self._faults.truths:
            return np.asarray(self.dataset.labels(start, stop))
        return self._faults.truth(start, stop)

    def _label_blocks(
        self,
        name: str,
        cache: OrderedDict[int, NDArray[Any]],
        read: Callable[[int, int], NDArray[Any]],
        start: int,
        stop: int,
    ) -> NDArray[Any]:
        self._check(start, stop)
        with self._lock:
            page = self._page(
                name, start, stop, lambda a, b: read(a * BLOCK, min(b * BLOCK, self.n_rows))
            )
            return self._of_blocks(cache, read, start, stop) if page is None else page

    def _of_blocks(
        self,
        cache: OrderedDict[int, NDArray[Any]],
        read: Callable[[int, int], NDArray[Any]],
        start: int,
        stop: int,
    ) -> NDArray[Any]:
        first, last = start // BLOCK, max(start, stop - 1) // BLOCK
        if last - first >= self._cache_blocks:
            return read(start, stop)
        parts = []
        for k in range(first, last + 1):
            if k in cache:
                cache.move_to_end(k)
            else:
                block = read(k * BLOCK, min((k + 1) * BLOCK, self.n_rows))
                block.flags.writeable = False
                cache[k] = block
                if len(cache) > self._cache_blocks:
                    cache.popitem(last=False)
            parts.append(cache[k][max(0, start - k * BLOCK) : stop - k * BLOCK])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def times(self, start: int, stop: int) -> NDArray[np.int64] | None:
        """Event times of rows [start, stop) as int64 nanoseconds; None without a time column."""
        self._check(start, stop)
        with self._lock:
            return self.dataset.times(start, stop)

    def _known_times(self, start: int, stop: int) -> NDArray[np.int64]:
        times = self.dataset.times(start, stop)
        if times is None:
            raise TypeError("the data set has no times")
        return times

    def label_upto(self, start: int, stop: int) -> NDArray[np.int64]:
        """For each row in [start, stop), the exclusive end of the labels known after it.

        Returns
        -------
        int64 (n,), absolute positions, non-decreasing. After row *i* was predicted, the labels of
        all rows before ``upto[i]`` are known. Never less than T: all labels of the training
        window are known when the first model is deployed. Without a delay ``upto[i] = i + 1``.
        """
        self._check(start, stop)
        with self._lock:
            return self._arrivals.upto(start, stop)

    def next_known(self, position: int) -> int:
        """Return the first row, from `position` on, after which the label of `position` is known.

        That is `position` itself without a delay and in the training window, and N when the label
        arrives after the last row. This is the least *i* >= `position` with
        ``label_upto(i) > position``.
        """
        self._check(position, position + 1)
        with self._lock:
            return self._arrivals.arrival(position)

    # ------------------------------------------------------------ for a fit

    def matrix(
        self, view: View, start: int, stop: int, keep: NDArray[Any] | None = None
    ) -> tuple[Rows, NDArray[Any]]:
        """Rows of [start, stop) whose label arrives, all at once, and their labels as they arrive.

        Parameters
        ----------
        view, start, stop
            What to read; the caller sees to it that it fits in memory.
        keep
            Only these: a boolean mask (stop - start,), or absolute positions in increasing order.

        Returns
        -------
        float64 (m, d) or a list of m dicts, and m labels.
        """
        self._check(start, stop)
        if keep is None or keep.dtype == np.bool_:
            at = np.arange(start, stop) if keep is None else np.flatnonzero(keep) + start
            y = self._answer(start, stop)[at - start]
        else:
            at, y = keep, self._answers_at(keep)
        chosen = labelled(y) & ~np.isin(at, self._without)
        at, y = at[chosen], y[chosen]
        if view == "dict":
            found: list[dict[str, Any]] = []
            for positions, block in self._chosen_blocks(view, at):
                found += [block[k] for k in positions.tolist()]
            return found, y
        if self.encoder.sparse(view):
            parts = [block[rows] for rows, block in self._chosen_blocks(view, at)]
            return join_rows(parts) if parts else self._empty(view), y
        out = np.empty((len(at), len(self.encoder.names(view))))
        done = 0
        for positions, block in self._chosen_blocks(view, at):
            out[done : done + len(positions)] = block[positions]
            done += len(positions)
        return out, y

    def answers(self, start: int, stop: int) -> NDArray[Any]:
        """Labels that `matrix` gives with the rows of [start, stop): nothing is encoded."""
        self._check(start, stop)
        y = self._answer(start, stop)
        chosen = labelled(y)
        low, high = np.searchsorted(self._without, [start, stop]).tolist()
        chosen[self._without[low:high] - start] = False
        return np.asarray(y[chosen])

    def _answer(self, start: int, stop: int) -> NDArray[Any]:
        """Labels of any range as they arrive, past the cache."""
        if self._faults is None or start == stop:
            return np.asarray(self.dataset.labels(start, stop))
        return self._faults.seen(start, stop)

    def _answers_at(self, at: NDArray[np.int64]) -> NDArray[Any]:
        """Labels of rows in order: a few of a long stream are found without all of its labels."""
        pieces = np.split(at, np.flatnonzero(np.diff(at // (64 * BLOCK))) + 1)
        read = [self._answer(int(p[0]), int(p[-1]) + 1)[p - p[0]] for p in pieces if len(p)]
        return np.concatenate(read) if read else self._answer(0, 0)

    def _chosen_blocks(
        self, view: View, at: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], Rows]]:
        """Blocks that hold some of the positions `at`, with the rows wanted of each."""
        if not len(at):
            return
        blocks, starts = np.unique(at // BLOCK, return_index=True)
        stops = [*starts[1:].tolist(), len(at)]
        runs = np.split(np.arange(len(blocks)), np.flatnonzero(np.diff(blocks) != 1) + 1)
        for run in runs:
            first, last = int(blocks[run[0]]), int(blocks[run[-1]]) + 1
            for k, block in zip(run.tolist(), self._encoded(view, first, last), strict=True):
                yield at[starts[k] : stops[k]] - blocks[k] * BLOCK, block

    def chunks(
        self, view: View, start: int, stop: int, rows: int
    ) -> Iterator[tuple[Rows, NDArray[Any]]]:
        """Rows of [start, stop) that have a label, in chunks.

        The chunks end at multiples of `rows` rounded up to whole blocks; chunks without any label
        are left out.
        """
        self._check(start, stop)
        step = max(1, -(-rows // BLOCK)) * BLOCK
        at = start
        while at < stop:
            end = min((at // step + 1) * step, stop)
            found, y = self.matrix(view, at, end)
            if len(y):
                yield found, y
            at = end


def labelled(y: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows have a label: codes that are not -1, numbers that are finite."""
    return np.isfinite(y) if y.dtype.kind == "f" else y >= 0
