"""Which cell a number lies in, and how many of each there are in runs of rows: against NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.evaluation.compiled import _cells

NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1.0, 5e-324, -5e-324, 1e308, -1e308, np.inf, -np.inf, np.nan]),
)


def cells(values: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    out = np.full(len(values), 255, np.uint8)
    _cells.NumberCells(cuts).cells(values, out)
    return out


def counted(held: np.ndarray, edges: np.ndarray, count: int) -> np.ndarray:
    parts = [held[a:b] for a, b in itertools.pairwise(edges)]
    return np.array([np.bincount(part, minlength=count) for part in parts], np.int64).reshape(
        -1, count
    )


def plain(values: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    found = np.searchsorted(cuts, values, side="left") + 1
    found[np.isnan(values)] = 0
    return found.astype(np.uint8)


@settings(max_examples=150, deadline=None)
@given(st.lists(NUMBERS, max_size=150), st.lists(NUMBERS, max_size=140), st.integers(1, 40))
def test_any_numbers_and_cuts(cut_at: list[float], drawn: list[float], times: int) -> None:
    """Few values and many; the cuts themselves and their neighbours among them."""
    cuts = np.unique([c for c in cut_at if not np.isnan(c)] or [0.0])
    with np.errstate(all="ignore"):
        near = np.concatenate([cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)])
    values = np.tile(np.concatenate([drawn, near]), times)
    assert np.array_equal(cells(values, cuts), plain(values, cuts))


@pytest.mark.parametrize("shape", ["normal", "cauchy", "exponential", "lognormal", "whole", "one"])
@pytest.mark.parametrize("count", [1, 3, 50, 128, 254])
def test_usual_numbers(shape: str, count: int) -> None:
    """With the table of places and without, wherever the cuts lie."""
    rng = np.random.default_rng(count)
    draw = {
        "normal": rng.normal,
        "cauchy": lambda size: rng.standard_cauchy(size),
        "exponential": lambda size: rng.exponential(size=size),
        "lognormal": lambda size: rng.lognormal(0.0, 6.0, size),
        "whole": lambda size: rng.integers(0, 40, size).astype(float),
        "one": lambda size: np.full(size, 3.5),
    }[shape]
    values = draw(size=5003)
    values[::17] = np.nan
    present = np.sort(values[~np.isnan(values)][:3000])
    cuts = np.unique(present[np.linspace(0, len(present) - 1, count).astype(int)])
    assert np.array_equal(cells(values, cuts), plain(values, cuts))
    assert np.array_equal(cells(values[:7], cuts), plain(values[:7], cuts))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 3000), st.integers(1, 256), st.integers(0, 2**32), st.integers(1, 12))
def test_runs_hold_what_they_hold(rows: int, count: int, seed: int, edges: int) -> None:
    """Of any length, none among them; rows before the first and after the last are left out."""
    rng = np.random.default_rng(seed)
    held = rng.integers(0, count, rows).astype(np.uint8)
    at = np.sort(rng.integers(0, rows + 1, edges))
    counts = rng.integers(0, 9, (edges - 1, count))  # what is there is added to
    wanted = counts + counted(held, at, count)
    _cells.count_cells(held, at, counts)
    assert np.array_equal(counts, wanted)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 3000),
    st.sampled_from([1, 2, 3, 60, 254]),
    st.integers(0, 2**32),
    st.integers(1, 12),
    st.floats(0.0, 3.0),
)
def test_numbers_are_counted_in_their_cells(
    rows: int, count: int, seed: int, edges: int, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    values = np.exp(spread * rng.normal(size=rows))
    values[rng.random(rows) < 0.1] = np.nan
    cuts = np.unique(np.exp(spread * rng.normal(size=count)))
    at = np.sort(rng.integers(0, rows + 1, edges))
    counts = np.zeros((edges - 1, len(cuts) + 2), np.int64)
    _cells.NumberCells(cuts).count(values, at, counts)
    assert np.array_equal(counts, counted(plain(values, cuts), at, len(cuts) + 2))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(2, 256), st.integers(0, 2**32))
def test_distances_and_sums_are_those_of_numpy_to_the_bit(m: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 500, (m, k))
    rows = counts.sum(axis=1).clip(1).astype(np.float64)
    expected = rng.dirichlet(np.ones(k))
    found = np.empty(m)
    _cells.furthest_apart(counts, rows, expected, found)
    along = np.cumsum(counts.astype(np.float64) / rows[:, None] - expected, axis=1)
    assert np.array_equal(found, np.abs(along[:, :-1]).max(axis=1))
    starts = np.unique(np.append(0, rng.integers(0, k, 10)))
    sums = np.empty((m, len(starts)))
    _cells.sums_of_cells(counts, starts, sums)
    assert np.array_equal(sums, np.add.reduceat(counts, starts, axis=1))


def test_what_does_not_fit_is_refused() -> None:
    out = np.zeros(3, np.uint8)
    with pytest.raises(ValueError, match="no room"):
        _cells.NumberCells(np.zeros(1)).cells(np.zeros(4), out)
    with pytest.raises(ValueError, match="255 cuts"):
        _cells.NumberCells(np.arange(255.0))
    counts = np.zeros((1, 3), np.int64)
    for at in ([0, 4], [2, 1], [-1, 2]):
        edges = np.array(at, np.int64)
        with pytest.raises(ValueError, match="outside"):
            _cells.count_cells(out, edges, counts)
        with pytest.raises(ValueError, match="outside"):
            _cells.NumberCells(np.zeros(1)).count(np.zeros(3), edges, counts)
    whole = np.array([0, 3], np.int64)
    for refused in (
        lambda: _cells.count_cells(np.array([0, 9, 0], np.uint8), whole, counts),
        lambda: _cells.count_cells(out, whole, np.zeros((2, 3), np.int64)),
        lambda: _cells.NumberCells(np.zeros(1)).count(np.zeros(3), whole, counts[:, :2].copy()),
        lambda: _cells.furthest_apart(counts, np.ones(2), np.ones(3), np.ones(1)),
        lambda: _cells.sums_of_cells(counts, np.array([0, 3]), np.ones((1, 2))),
        lambda: _cells.sums_of_cells(counts, np.array([1, 2]), np.ones((1, 2))),
    ):
        with pytest.raises(ValueError, match="cells"):
            refused()
