"""A lane's losses along the stream, kept so that lanes can be compared on the same rows.

Two records, both of bounded size. *Tiles*: sum and number of the losses of consecutive rows; where
two lanes have the same tiles, the differences of their sums are the paired differences. *Sample*:
the losses of single rows, at positions that a hash of the seed and the position chooses: the same
rows in every lane, all of them as long as there is room.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.compiled import _scoring

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["LossArrays", "LossTrack", "coarser", "empty_losses", "position_hash"]

TILES = 8192
SAMPLE = 131_072
_NO_LOSS = 255  # of a state of 0/1 losses: neither


@dataclass(frozen=True)
class LossArrays:
    """Losses of one lane.

    Attributes
    ----------
    width
        Rows in a tile, a power of two. Tiles begin at multiples of it.
    starts
        First position of each tile, int64 (m,), without gaps.
    sums, counts
        Sum of the losses in it, float64 (m,), and how many there are, int64 (m,): rows without a
        label or without an answer have none.
    sample_positions, sample_losses
        Single rows, int64 (k,) ascending and float64 (k,); NaN where a row has no loss.
    """

    width: int
    starts: Ints
    sums: Floats
    counts: Ints
    sample_positions: Ints
    sample_losses: Floats

    @property
    def rows(self) -> int:
        """Rows that have a loss."""
        return int(self.counts.sum())

    @property
    def total(self) -> float:
        """Sum of all losses: for classification, the number of errors."""
        return float(self.sums.sum())

    @property
    def mean(self) -> float | None:
        """Mean loss per row that has one; None if there is none."""
        return self.total / self.rows if self.rows else None


def empty_losses() -> LossArrays:
    """Return the losses of a lane that has not seen a row."""
    none, no = np.zeros(0, dtype=np.int64), np.zeros(0)
    return LossArrays(1, none, no, none, none, no)


def coarser(losses: LossArrays, width: int) -> LossArrays:
    """Return the same losses in tiles of `width` rows, a multiple of the present width."""
    if width == losses.width or not len(losses.starts):
        return losses
    number = losses.starts // width
    first = np.concatenate([[0], np.flatnonzero(np.diff(number)) + 1])
    return LossArrays(
        width,
        number[first] * width,
        np.add.reduceat(losses.sums, first),
        np.add.reduceat(losses.counts, first),
        losses.sample_positions,
        losses.sample_losses,
    )


def seed_key(seed: int) -> int:
    """What the hash of a position adds for a seed, below 2**64."""
    return (int(seed) * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % (1 << 64)


def position_hash(seed: int, positions: Ints) -> NDArray[np.uint64]:
    """Hash of each position, uint64 (n,): the finaliser of SplitMix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed_key(seed))
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return hashed


@lru_cache(maxsize=8)
def _chosen_rows(seed: int, level: int, start: int, n: int) -> Ints:
    """Positions of the rows of `n` from `start` on that a sample of this level keeps.

    The same in all lanes, which come one after the other: not to be changed.
    """
    positions = np.empty(n, dtype=np.int64)
    count = _scoring.choose_rows(seed_key(seed), level, start, positions)
    chosen = positions[:count].copy() if count < n else positions
    chosen.setflags(write=False)
    return chosen


class LossTrack:
    """The losses of one lane, added row after row; the same bits however they are cut into calls.

    Parameters
    ----------
    start
        Position of the first row.
    seed
        Chooses the rows of the sample; lanes that are to be compared have the same one.
    capacity
        Largest number of tiles, at least 2: when there would be more, their width doubles.
    sample
        Largest number of single rows: when there would be more, half of them are let go, and half
        of those that follow are not kept.
    """

    def __init__(self, start: int, seed: int, capacity: int = TILES, sample: int = SAMPLE) -> None:
        self.start, self.end = start, start
        self.seed = seed
        self.capacity, self.sample = capacity, sample
        self.width = 1
        self._base = start  # number of the first tile
        self._sums = np.zeros(capacity)
        self._counts = np.zeros(capacity, dtype=np.int64)
        self._level = 0  # of all rows, one in 2 ** level is kept in the sample
        self._kept = 0
        self._positions = np.empty(min(sample, 1024), dtype=np.int64)
        self._losses = np.empty(min(sample, 1024))

    def update(self, start: int, losses: Floats) -> None:
        """Add the losses (n,) of the rows from `start` on; NaN where a row has none.

        Raises
        ------
        ValueError
            If `start` is not the row after the last one added.
        """
        if start != self.end:
            raise ValueError(f"the next row is {self.end}, not {start}")
        losses = np.ascontiguousarray(losses, dtype=np.float64)
        at, stop = start, start + len(losses)
        while at < stop:
            room = (self._base + self.capacity) * self.width
            if at >= room:
                self._widen()
                continue
            upto = min(stop, room)
            self._fill(at, losses[at - start : upto - start])
            at = upto
        self._keep(start, losses)
        self.end = stop

    def _fill(self, start: int, losses: Floats) -> None:
        # One addition after the other, in the order of the rows.
        _scoring.fill_tiles(self._sums, self._counts, self._base, self.width, start, losses)

    def _widen(self) -> None:
        """Merge tiles two by two."""
        self.width *= 2
        first = self._base % 2  # an odd first tile is the second half of its pair
        self._base //= 2
        for values in (self._sums, self._counts):
            n = len(values)
            lined = np.zeros(n + first + (n + first) % 2, dtype=values.dtype)
            lined[first : first + n] = values
            merged = lined[0::2] + lined[1::2]
            values[:] = 0
            values[: len(merged)] = merged

    def _keep(self, start: int, losses: Floats) -> None:
        at, n = 0, len(losses)
        while at < n:
            chosen = _chosen_rows(self.seed, self._level, start + at, n - at)
            # As many as there is room for, and the one too many that makes it thin.
            chosen = chosen[: self.sample + 1 - self._kept]
            kept = self._kept + len(chosen)
            if kept > len(self._positions):
                self._make_room(kept)
            self._positions[self._kept : kept] = chosen
            self._losses[self._kept : kept] = losses[chosen - start]
            self._kept = kept
            if kept <= self.sample:
                return
            at = int(chosen[-1]) - start + 1
            while self._kept > self.sample:
                self._thin()

    def _make_room(self, more: int) -> None:
        """Room for so many rows of the sample: at most for one too many."""
        size = min(max(more, 2 * self._kept, 1024), self.sample + 1)
        positions, losses = np.empty(size, dtype=np.int64), np.empty(size)
        positions[: self._kept] = self._positions[: self._kept]
        losses[: self._kept] = self._losses[: self._kept]
        self._positions, self._losses = positions, losses

    def _thin(self) -> None:
        self._level += 1
        kept = self._chosen(self._positions[: self._kept])
        count = int(kept.sum())
        self._positions[:count] = self._positions[: self._kept][kept]
        self._losses[:count] = self._losses[: self._kept][kept]
        self._kept = count

    def _chosen(self, positions: Ints) -> NDArray[np.bool_]:
        hashed = position_hash(self.seed, positions)
        chosen: NDArray[np.bool_] = hashed < np.uint64(1 << (64 - self._level))
        return chosen

    # ------------------------------------------------------------------ reading and keeping

    def arrays(self) -> LossArrays:
        """All that is kept (copies)."""
        n = -(-self.end // self.width) - self._base if self.end > self.start else 0
        return LossArrays(
            self.width,
            (self._base + np.arange(n, dtype=np.int64)) * self.width,
            self._sums[:n].copy(),
            self._counts[:n].copy(),
            self._positions[: self._kept].copy(),
            self._losses[: self._kept].copy(),
        )

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays, small where losses are 0 or 1."""
        n = -(-self.end // self.width) - self._base if self.end > self.start else 0
        positions, losses = self._positions[: self._kept], self._losses[: self._kept]
        missing = np.isnan(losses)
        kept = losses.copy()
        if bool(np.all(missing | (losses == 0) | (losses == 1))):
            kept = np.where(missing, _NO_LOSS, losses).astype(np.uint8)
        return {
            "start": self.start,
            "end": self.end,
            "width": self.width,
            "base": self._base,
            "level": self._level,
            "sums": self._sums[:n].copy(),
            "counts": self._counts[:n].copy(),
            # Without a gap, positions need not be told.
            "positions": positions.copy() if self._level else None,
            "losses": kept,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state of a track with the same seed, capacity and sample."""
        self.start, self.end = state["start"], state["end"]
        self.width, self._base, self._level = state["width"], state["base"], state["level"]
        self._sums = np.zeros(self.capacity)
        self._counts = np.zeros(self.capacity, dtype=np.int64)
        n = len(state["sums"])
        self._sums[:n], self._counts[:n] = state["sums"], state["counts"]
        losses = np.asarray(state["losses"])
        small = losses.dtype == np.uint8
        self._losses = losses.astype(np.float64)
        if small:
            self._losses[losses == _NO_LOSS] = np.nan
        self._kept = len(self._losses)
        positions = state["positions"]
        if positions is None:
            positions = np.arange(self.start, self.start + self._kept, dtype=np.int64)
        self._positions = np.array(positions, dtype=np.int64)
