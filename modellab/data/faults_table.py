"""Faults of features: each takes the rows as they would arrive without it and spoils them.

They act on Arrow tables before anything is encoded, so encoders, unseen categories and the watch
over features see what a model sees. Only rows of the fault's range change, and a row changes by its
position alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.arrow import arrow
from modellab.data.encoding import boolean_array, number_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.data.faults_draws import Draws, TrainingFacts
    from modellab.experiment_faults import DriftFault

    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

Read = Callable[[int, int, list[str]], Any]
"""``read(start, stop, columns)``: rows as they arrive without this fault."""


class Stage:
    """One fault of the features, over rows [start, stop)."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop

    def touches(self, start: int, stop: int, columns: list[str]) -> bool:
        """Whether any of these cells may change."""
        return max(start, self.start) < min(stop, self.stop) and bool(columns)

    def table(self, start: int, stop: int, columns: list[str], read: Read) -> Any:
        """Return rows [start, stop) with this fault."""
        raise NotImplementedError

    def within(self, start: int, stop: int) -> tuple[int, int]:
        """Return the part of [start, stop) that lies in the fault's range."""
        return max(start, self.start), min(stop, self.stop)

    def spread(self, part: Mask, start: int, stop: int) -> Mask:
        """Widen a mask over `within(start, stop)` to one over [start, stop)."""
        low, high = self.within(start, stop)
        whole = np.zeros(stop - start, dtype=bool)
        whole[low - start : high - start] = part
        return whole


class Cells(Stage):
    """Changes cells of some columns, each by what stands in it."""

    def __init__(self, start: int, stop: int, columns: tuple[str, ...]) -> None:
        super().__init__(start, stop)
        self.columns = columns

    def touches(self, start: int, stop: int, columns: list[str]) -> bool:
        """Whether any of these cells may change."""
        return super().touches(start, stop, [c for c in columns if c in self.columns])

    def table(self, start: int, stop: int, columns: list[str], read: Read) -> Any:
        """Return rows [start, stop) with this fault."""
        table = read(start, stop, columns)
        for k, name in enumerate(columns):
            if name in self.columns:
                table = table.set_column(k, name, self.cells(name, table.column(k), start, stop))
        return table

    def cells(self, name: str, values: Any, start: int, stop: int) -> Any:
        """Return the cells of one column."""
        raise NotImplementedError


class Missing(Cells):
    """Cells are missing, each with chance `rate`."""

    def __init__(
        self, start: int, stop: int, columns: tuple[str, ...], rate: float, draws: Draws
    ) -> None:
        super().__init__(start, stop, columns)
        self._rate, self._draws = rate, draws

    def cells(self, name: str, values: Any, start: int, stop: int) -> Any:
        """Return the cells of one column."""
        pa, _ = arrow()
        hit = self._draws.uniform(f"missing {name}", *self.within(start, stop)) < self._rate
        gone = self.spread(hit, start, stop)
        return _one(values).take(pa.array(np.arange(len(gone)), mask=gone))


class Noise(Cells):
    """Numbers get normal noise, categories and booleans another value, each with chance `rate`."""

    def __init__(
        self,
        start: int,
        stop: int,
        kinds: Mapping[str, str],
        rate: float,
        scale: float,
        draws: Draws,
        facts: TrainingFacts,
    ) -> None:
        super().__init__(start, stop, tuple(kinds))
        self._kinds, self._rate, self._scale = kinds, rate, scale
        self._draws, self._facts = draws, facts

    def cells(self, name: str, values: Any, start: int, stop: int) -> Any:
        """Return the cells of one column."""
        low, high = self.within(start, stop)
        hit = self.spread(
            self._draws.uniform(f"chance {name}", low, high) < self._rate, start, stop
        )
        if not hit.any():
            return values
        kind = self._kinds[name]
        if kind == "number":
            noise = np.zeros(stop - start)
            noise[low - start : high - start] = self._draws.normal(f"noise {name}", low, high)
            spoilt = number_array(values) + noise * (self._scale * self._facts.deviation(name))
            return _numbers(np.where(hit, spoilt, number_array(values)))
        if kind == "boolean":
            pa, _ = arrow()
            codes = boolean_array(values)
            codes = np.where(hit & (codes >= 0), 1 - codes, codes)
            return pa.chunked_array([pa.array(codes == 1, mask=codes < 0)])
        pick = np.zeros(stop - start)
        pick[low - start : high - start] = self._draws.uniform(f"other {name}", low, high)
        return self._other(name, values, hit, pick)

    def _other(self, name: str, values: Any, hit: Mask, pick: NDArray[np.float64]) -> Any:
        """Replace categories by another one that occurs in the training window."""
        pa, pc = arrow()
        levels = pa.array(self._facts.levels(name), pa.string())
        # After a swap the column may come with another dictionary: codes are those of `levels`.
        texts = _one(values)
        found = pc.index_in(pc.cast(texts.dictionary, pa.string()), value_set=levels)
        own = (
            found.take(texts.indices).cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        )
        hit = hit & texts.is_valid().to_numpy(zero_copy_only=False)
        others = len(levels) - (own >= 0)
        hit &= others > 0
        code = np.minimum((pick * others).astype(np.int64), np.maximum(others - 1, 0))
        code += (own >= 0) & (code >= own)
        code[~hit] = 0
        if not hit.any():
            return values
        theirs = pa.DictionaryArray.from_arrays(
            pa.array(code, pa.int32()), levels.cast(texts.type.value_type)
        )
        return merge(hit, pa.chunked_array([texts]), pa.chunked_array([theirs]))


class Unit(Cells):
    """A number column arrives in another unit."""

    def __init__(self, start: int, stop: int, column: str, factor: float) -> None:
        super().__init__(start, stop, (column,))
        self._factor = factor

    def cells(self, name: str, values: Any, start: int, stop: int) -> Any:
        """Return the cells of the column."""
        low, high = self.within(start, stop)
        numbers = number_array(values).copy()
        with np.errstate(over="ignore"):  # too large a number is missing, as in a file
            numbers[low - start : high - start] *= self._factor
        return _numbers(numbers)


class Moved(Stage):
    """Columns arrive in each other's place, in the rows that `active` tells.

    Parameters
    ----------
    start, stop
        Range.
    sources
        Which column each column gets its values from.
    active
        ``active(start, stop)``: mask over rows that all lie in the range.
    """

    def __init__(
        self,
        start: int,
        stop: int,
        sources: Mapping[str, str],
        active: Callable[[int, int], Mask],
    ) -> None:
        super().__init__(start, stop)
        self._sources, self._active = dict(sources), active

    def touches(self, start: int, stop: int, columns: list[str]) -> bool:
        """Whether any of these cells may change."""
        return super().touches(start, stop, [c for c in columns if c in self._sources])

    def table(self, start: int, stop: int, columns: list[str], read: Read) -> Any:
        """Return rows [start, stop) with this fault."""
        moved = self.spread(self._active(*self.within(start, stop)), start, stop)
        if not moved.any():
            return read(start, stop, columns)
        more = [self._sources[c] for c in columns if c in self._sources]
        needed = list(dict.fromkeys([*columns, *more]))
        before = read(start, stop, needed)
        table = before.select(columns)
        for k, name in enumerate(columns):
            if name in self._sources:
                theirs = before.column(self._sources[name])
                column = theirs if moved.all() else merge(moved, before.column(name), theirs)
                table = table.set_column(k, name, column)
        return table


class Duplicates(Stage):
    """A row is delivered again in place of the one that follows it, with chance `rate`."""

    def __init__(self, start: int, stop: int, sources: Sources) -> None:
        super().__init__(start, stop)
        self._sources = sources

    def table(self, start: int, stop: int, columns: list[str], read: Read) -> Any:
        """Return rows [start, stop) with this fault."""
        pa, _ = arrow()
        table = read(start, stop, columns)
        source = self._sources.of(start, stop)
        first = int(source[0])
        if first < start:
            # What is repeated may have come long before: one row at most.
            table = pa.concat_tables([read(first, first + 1, columns), table])
            index = np.where(source < start, 0, source - start + 1)
        else:
            index = source - start
        return table.unify_dictionaries().combine_chunks().take(pa.array(index))


class Sources:
    """Which row is delivered at each position of a fault of duplicated rows.

    The first row of the range is always its own. Memory: one number per block of rows looked at.
    """

    def __init__(self, start: int, stop: int, rate: float, draws: Draws, block: int) -> None:
        self._start, self._stop, self._rate = start, stop, rate
        self._draws, self._block = draws, block
        self._last_own: dict[int, int] = {}

    def of(self, start: int, stop: int) -> Ints:
        """Return the row delivered at each of [start, stop), non-decreasing."""
        rows = np.arange(start, stop, dtype=np.int64)
        low, high = max(start, self._start), min(stop, self._stop)
        if low >= high:
            return rows
        own = self._own(low, high)
        before = low if own[0] else self._find(low)
        kept = np.where(own, rows[low - start : high - start], before)
        rows[low - start : high - start] = np.maximum.accumulate(kept)
        return rows

    def _own(self, low: int, high: int) -> Mask:
        """Whether each row of [low, high), within the range, is itself delivered."""
        own = self._draws.uniform("chance", low, high) >= self._rate
        if low == self._start:
            own[0] = True
        return own

    def _find(self, position: int) -> int:
        """Last row before `position` that is itself delivered."""
        if self._rate >= 1.0:
            return self._start
        low = max(position // self._block * self._block, self._start)
        at = np.flatnonzero(self._own(low, position)) if low < position else np.empty(0, int)
        if len(at):
            return low + int(at[-1])
        block = position // self._block - 1
        while True:
            if block not in self._last_own:
                low = max(block * self._block, self._start)
                at = np.flatnonzero(self._own(low, (block + 1) * self._block))
                self._last_own[block] = low + int(at[-1]) if len(at) else -1
            if self._last_own[block] >= 0:
                return self._last_own[block]
            block -= 1


class Concept:
    """When the new concept of a drift holds, row by row."""

    def __init__(self, fault: DriftFault, draws: Draws) -> None:
        self._fault, self._draws = fault, draws

    def active(self, start: int, stop: int) -> Mask:
        """Return where it holds, for rows [start, stop) of the fault's range."""
        fault = self._fault
        age = np.arange(start, stop, dtype=np.int64) - fault.start
        if fault.shape == "recurring":
            return np.asarray(age // fault.width % 2 == 0, dtype=np.bool_)
        if fault.shape == "sudden" or start - fault.start >= fault.width:
            return np.ones(stop - start, dtype=bool)
        return self._draws.uniform("concept", start, stop) < (age + 0.5) / fault.width


def merge(where: Mask, ours: Any, theirs: Any) -> Any:
    """Return the cells of `theirs` where the mask is true, of `ours` elsewhere."""
    pa, _ = arrow()
    rows = np.arange(len(where)) + np.where(where, len(where), 0)
    both = pa.chunked_array([*ours.chunks, *theirs.chunks]).unify_dictionaries()
    return pa.chunked_array([_one(both).take(pa.array(rows))])


def _one(values: Any) -> Any:
    """One array of a chunked array (with one dictionary)."""
    pa, _ = arrow()
    if values.num_chunks == 1:
        return values.chunk(0)
    whole = values.unify_dictionaries().combine_chunks()
    return whole if isinstance(whole, pa.Array) else whole.chunk(0)


def _numbers(values: NDArray[np.float64]) -> Any:
    pa, _ = arrow()
    return pa.chunked_array([pa.array(values, mask=~np.isfinite(values))])
