"""Which cell a number lies in, and how many of each there are in windows: against NumPy."""

from __future__ import annotations

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
    _cells.number_cells(values, cuts, out)
    return out


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
@given(st.integers(0, 3000), st.integers(1, 256), st.integers(0, 2**32), st.integers(0, 12))
def test_windows_hold_what_they_hold(rows: int, count: int, seed: int, windows: int) -> None:
    """Apart, one inside the other, and overlapping by little and by much."""
    rng = np.random.default_rng(seed)
    held = rng.integers(0, count, rows).astype(np.uint8)
    starts = np.sort(rng.integers(0, rows + 1, windows))
    stops = np.maximum.accumulate(np.maximum(starts, rng.integers(0, rows + 1, windows)))
    counts = np.zeros((windows, count), np.int64)
    _cells.window_counts(held, starts, stops, counts)
    for start, stop, found in zip(starts, stops, counts, strict=True):
        assert np.array_equal(found, np.bincount(held[start:stop], minlength=count))


def test_what_does_not_fit_is_refused() -> None:
    out = np.zeros(3, np.uint8)
    with pytest.raises(ValueError, match="no room"):
        _cells.number_cells(np.zeros(4), np.zeros(1), out)
    with pytest.raises(ValueError, match="255 cuts"):
        _cells.number_cells(np.zeros(3), np.arange(255.0), out)
    one, two = np.array([1], np.int64), np.array([2], np.int64)
    for held, starts, stops in (
        (np.array([0, 9, 0], np.uint8), one, two),  # a cell that is not counted
        (out, one, np.array([4], np.int64)),
        (out, two, one),
        (out, np.array([1, 0], np.int64), np.array([2, 3], np.int64)),
    ):
        with pytest.raises(ValueError, match="outside"):
            _cells.window_counts(held, starts, stops, np.zeros((len(starts), 3), np.int64))
    with pytest.raises(ValueError, match="in number"):
        _cells.window_counts(out, one, two, np.zeros((2, 3), np.int64))
