"""One feature column watched for drift: its cells, its test statistic and its PSI.

The values of a column are put into cells that are fixed once, on the training window; everything
after that works on counts of cells. Cell 0 holds the missing values.

Numbers: the cells lie between at most `CUTS` of the training window's quantiles (all its values if
they are fewer). The statistic is that of Kolmogorov and Smirnov: the largest distance between the
distribution functions of the window and of the training window, at those points, where a missing
value counts as smaller than any number (so a change of their share moves the functions apart too).
For a text the number is its length in characters.

Categories and booleans: a cell for each level of which at least `EXPECTED` are expected in a
window, one for all rarer and unseen ones together, and one for the missing ones. The statistic is
Pearson's chi-square, ``sum (n - e)^2 / max(e, 1)`` with the `e` expected by the training window's
shares (at least 1, so that a single value never seen before does not weigh without limit).

PSI, the population stability index, is ``sum (p - q) ln(p / q)`` over cells (for numbers: tenths of
the training window and the missing ones) with shares ``(count + 1/2) / (rows + cells / 2)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modellab.data.arrow import arrow
from modellab.evaluation.compiled import _cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from modellab.experiment import Kind

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Codes = NDArray[np.uint8]

CUTS = 128
EXPECTED = 5.0
LEVELS = 200
"""At most so many levels have a cell of their own."""

KS = "Kolmogorov-Smirnov"
KS_LENGTH = "Kolmogorov-Smirnov on the text length"
CHI_SQUARE = "chi-square"


class WatchedColumn(Protocol):
    """Cells and statistic of one column.

    Attributes
    ----------
    test
        Name of the test.
    cells
        Number of cells K.
    power
        The statistic to this power is roughly normal where nothing changed.
    spread_power
        The statistic grows with the variance of the shares to this power.
    """

    test: str
    cells: int
    power: float
    spread_power: float

    def codes(self, values: Any) -> Codes:
        """Cells of an Arrow array of values, uint8 (n,)."""

    def count(self, values: Any, edges: Ints, counts: Ints) -> None:
        """Add to `counts` (e, K) how many rows of each run of an Arrow array lie in each cell.

        `edges` (e + 1,): where runs begin and the last ends, never falling, within `values`.
        """

    def settle(self, counts: Floats) -> None:
        """Take the counts (K,) of the training window as what is expected."""

    def statistic(self, shares: Floats, expected: Floats | None = None) -> Floats:
        """Test statistic (m,) of windows with these shares of cells (m, K).

        `expected`: shares (K,) to compare with, those of the training window unless given.
        """

    def compared(self, counts: Ints, rows: Floats) -> tuple[Floats, Floats, Floats]:
        """Test statistic (m,) of windows, and what their PSI is of: see `stability`.

        `counts` (m, K) of cells, `rows` (m,) in all. Returned are counts (m, c) of coarser cells,
        and those of the training window (c,), too.
        """

    def least(self) -> tuple[float, float]:
        """Statistics that one and a few odd rows would make in an otherwise constant column."""

    def most(self) -> float:
        """A statistic above which the window has next to nothing in common with training."""


def watch(kind: Kind, values: Iterable[Any], window: int) -> WatchedColumn | None:
    """Fix the cells of a column by a sample of its training window.

    Parameters
    ----------
    kind
        Its kind. A column of times is not watched: its values are always new.
    values
        Arrow arrays of the sample, in order; gone through once.
    window
        Rows of the windows that will be compared.

    Returns
    -------
    WatchedColumn or None
        None for a column that cannot be watched.
    """
    if kind in ("number", "text"):
        return _Number(np.concatenate([_numbers(part) for part in values]), kind, window)
    if kind in ("category", "boolean"):
        return _Category(values, window)
    return None


def only_moves_on(codes: Codes, cells: int) -> bool:
    """Whether a column only ever rises or falls along the training window (a counter, a date).

    Its values are always new, and no window of the training window shows that. A column of fewer
    than 20 cells may be in order by chance, or constant.
    """
    if cells < 20:
        return False
    steps = np.diff(codes.astype(np.int16))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _numbers(values: Any) -> Floats:
    """Values of an Arrow array as float64, NaN where missing; of texts the length."""
    pa, pc = arrow()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = pc.utf8_length(values)
    if not pa.types.is_float64(values.type):
        values = pc.cast(values, pa.float64())
    if values.null_count:
        values = pc.fill_null(values, np.nan)
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)


def stability(counts: Sequence[Floats], expected: Sequence[Floats]) -> list[Floats]:
    """Population stability index (m,) of each of d columns in m windows.

    `counts` of cells, d times (m, c), and of the training window, d times (c,); c may differ.
    """
    found: dict[int, Floats] = {}
    cells = np.array([len(own) for own in expected])
    for c in np.unique(cells).tolist():
        of = np.flatnonzero(cells == c).tolist()
        n, own = np.stack([counts[k] for k in of]), np.stack([expected[k] for k in of])
        # Counts are whole numbers: their sum is exact in any order.
        p = (n + 0.5) / (n.sum(axis=2) + 0.5 * c)[:, :, None]
        q = ((own + 0.5) / (own.sum(axis=1) + 0.5 * c)[:, None])[:, None, :]
        found.update(zip(of, ((p - q) * np.log(p / q)).sum(axis=2), strict=True))
    return [found[k] for k in range(len(counts))]


class _Number:
    """A column of numbers, or of texts by their length."""

    power = 2.0 / 3.0
    spread_power = 0.5

    def __init__(self, sample: Floats, kind: Kind, window: int) -> None:
        self.test = KS if kind == "number" else KS_LENGTH
        self._window = window
        present = np.sort(sample[~np.isnan(sample)])
        cuts = np.unique(present)
        if len(cuts) > CUTS:
            at = np.linspace(0.0, len(present) - 1.0, CUTS).astype(np.int64)
            cuts = np.unique(present[at])
        self._cells = _cells.NumberCells(cuts)
        self.cells = len(cuts) + 2

    def codes(self, values: Any) -> Codes:
        found = np.empty(len(values), np.uint8)
        self._cells.cells(np.ascontiguousarray(_numbers(values)), found)
        return found

    def count(self, values: Any, edges: Ints, counts: Ints) -> None:
        self._cells.count(np.ascontiguousarray(_numbers(values)), edges, counts)

    def settle(self, counts: Floats) -> None:
        self._expected = counts / counts.sum()
        # Tenths of the present values; the missing ones apart.
        present = np.cumsum(counts[1:])
        total = present[-1]
        before = np.concatenate([[0.0], present[:-1]])
        tenth = np.minimum(before * 10.0 / total if total else before, 9.0).astype(np.int64)
        _, self._coarse = np.unique(np.concatenate([[-1], tenth]), return_index=True)
        self._counts = self._tenths(counts[None].astype(np.int64))[0]

    def _tenths(self, counts: Ints) -> Floats:
        found = np.empty((len(counts), len(self._coarse)))
        _cells.sums_of_cells(counts, self._coarse, found)
        return found

    def statistic(self, shares: Floats, expected: Floats | None = None) -> Floats:
        apart = shares - (self._expected if expected is None else expected)
        # The last cell closes both functions at 1.
        found: Floats = np.abs(np.cumsum(apart, axis=1)[:, :-1]).max(axis=1)
        return found

    def compared(self, counts: Ints, rows: Floats) -> tuple[Floats, Floats, Floats]:
        statistic = np.empty(len(counts))
        _cells.furthest_apart(counts, rows, self._expected, statistic)
        return statistic, self._tenths(counts), self._counts

    def least(self) -> tuple[float, float]:
        return 2.0 / self._window, 4.0 / self._window

    def most(self) -> float:
        return 0.95


class _Category:
    """A column of categories, or of booleans."""

    test = CHI_SQUARE
    power = 1.0 / 3.0
    spread_power = 1.0

    def __init__(self, values: Iterable[Any], window: int) -> None:
        pa, pc = arrow()
        self._window = window
        totals: dict[str, int] = {}
        rows = 0
        for part in values:
            rows += len(part)
            for entry in pc.value_counts(_texts(part)):
                text = entry["values"].as_py()
                if text is not None:
                    totals[text] = totals.get(text, 0) + entry["counts"].as_py()
        ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        kept = [text for text, n in ranked if n * window >= EXPECTED * rows][:LEVELS]
        self._levels = pa.array(kept, pa.large_string())
        self.cells = len(kept) + 2
        self._dictionary: Any = None
        self._lookup = np.zeros(1, np.uint8)

    def codes(self, values: Any) -> Codes:
        pa, pc = arrow()
        if not pa.types.is_dictionary(values.type):
            return self._cells_of(_texts(values))
        if len(values.dictionary) > 1000 + 4 * len(values) and not self._same(values.dictionary):
            return self._cells_of(_texts(values))
        if not self._same(values.dictionary):
            # The store has one dictionary for all rows: its cells are looked up once. It is kept,
            # so that nothing else can come to lie where it is.
            cells = self._cells_of(pc.cast(values.dictionary, pa.large_string()))
            self._lookup = np.append(cells, np.uint8(0))  # -1, missing: the last
            self._dictionary = values.dictionary
        indices = values.indices
        if indices.null_count:
            indices = pc.fill_null(indices, -1)
        found: Codes = self._lookup[indices.to_numpy(zero_copy_only=False)]
        return found

    def count(self, values: Any, edges: Ints, counts: Ints) -> None:
        _cells.count_cells(self.codes(values), edges, counts)

    def _same(self, dictionary: Any) -> bool:
        known = self._dictionary
        return known is not None and _place(known) == _place(dictionary)

    def _cells_of(self, texts: Any) -> Codes:
        pa, pc = arrow()
        # Cell 1: present, but rare or never seen.
        found = pc.add(pc.index_in(texts, value_set=self._levels), pa.scalar(2, pa.int32()))
        found = pc.if_else(texts.is_valid(), pc.fill_null(found, 1), 0)
        return np.asarray(found.to_numpy(zero_copy_only=False)).astype(np.uint8)

    def settle(self, counts: Floats) -> None:
        self._counts = counts
        self._expected = counts / counts.sum()

    def statistic(self, shares: Floats, expected: Floats | None = None) -> Floats:
        expected = self._window * (self._expected if expected is None else expected)
        apart = np.square(shares * self._window - expected)
        found: Floats = (apart / np.maximum(expected, 1.0)).sum(axis=1)
        return found

    def compared(self, counts: Ints, rows: Floats) -> tuple[Floats, Floats, Floats]:
        found = counts.astype(np.float64)
        return self.statistic(found / rows[:, None]), found, self._counts

    def least(self) -> tuple[float, float]:
        return 1.0, 3.0

    def most(self) -> float:
        # All rows of the window in the rarest level that has a cell of its own.
        if self.cells == 2:
            return float(self._window)
        only = np.zeros((1, self.cells))
        only[0, 2 + int(np.argmin(self._expected[2:]))] = 1.0
        return max(0.95 * float(self.statistic(only)[0]), 4.0)


def _place(array: Any) -> tuple[int, ...]:
    """Where an Arrow array lies in memory: the same place, the same values."""
    buffers = [0 if buffer is None else buffer.address for buffer in array.buffers()]
    return (array.offset, len(array), *buffers)


def _texts(values: Any) -> Any:
    """Values of an Arrow array as texts."""
    pa, pc = arrow()
    if pa.types.is_dictionary(values.type):
        # Only the levels that occur: a dictionary may be much larger than the rows looked at.
        used = pc.unique(values.indices.drop_null())
        levels = pc.cast(values.dictionary.take(used), pa.large_string())
        return levels.take(pc.index_in(values.indices, value_set=used))
    return pc.cast(values, pa.large_string())
