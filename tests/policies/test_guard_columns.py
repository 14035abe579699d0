"""Which columns of the training window have a range worth guarding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.policies.guard_columns import USUAL, TrainingRange
from modellab.policies.guard_flood import Flood


def learned(values: Any, cuts: Any = ()) -> TrainingRange:
    values = np.asarray(values, dtype=float)
    values = values if values.ndim == 2 else values[:, None]
    parts = np.split(values, sorted(cuts))
    found = TrainingRange(values.shape[1])
    for part in parts:
        found.take(part)
    for part in parts:
        found.count(part)
    return found


def test_columns_of_a_training_window() -> None:
    rng = np.random.default_rng(1)
    n = 2000
    asleep = np.where(np.arange(n) < 1940, 0.25, rng.random(n))  # it wakes up at the end
    values = np.column_stack(
        [
            rng.normal(size=n),
            asleep,
            np.arange(n) // 48,
            -np.sqrt(np.arange(n)),
            np.full(n, 3.0),
            np.full(n, np.nan),
            np.where(rng.random(n) < 0.9, 0.0, rng.exponential(size=n)),  # mostly 0, but not often
        ]
    )
    names = ("noise", "asleep", "day", "fall", "constant", "empty", "spend")
    found = learned(values, [700, 1400])
    assert found.unguarded(names) == {
        "asleep": "hardly varies in it",
        "day": "only ever grows in it",
        "fall": "only ever falls in it",
        "constant": "hardly varies in it",
        "empty": "hardly varies in it",
    }
    low, high = found.widened(2.0)
    assert np.isinf(low[1:6]).all()
    assert np.isinf(high[1:6]).all()
    for k in (0, 6):
        a, b = values[:, k].min(), values[:, k].max()
        assert (low[k], high[k]) == pytest.approx(((3 * a - b) / 2, (3 * b - a) / 2))


@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), min_size=1, max_size=80),
    rare=st.lists(st.integers(0, 200), max_size=6),
    cuts=st.lists(st.integers(0, 200), max_size=6),
    mostly=st.booleans(),
)
def test_the_usual_value_by_its_definition(
    values: list[float], rare: list[int], cuts: list[int], mostly: bool
) -> None:
    if mostly:
        column = np.full(100, 1.0)
        for k, place in enumerate(rare):
            column[place % 100] = values[k % len(values)]
    else:
        column = np.array(values)
    cuts = [c % len(column) for c in cuts]
    present = column[~np.isnan(column)]
    shares = [float(np.mean(present == v)) for v in np.unique(present)]
    still = not shares or max(shares) >= USUAL
    grows = len(present) >= 30 and (np.diff(present) >= 0).all()
    falls = len(present) >= 30 and (np.diff(present) <= 0).all()
    bounds = learned(column, cuts).widened(1.0)
    expected = bool(still or grows or falls)
    assert bool(np.isinf(bounds[0][0])) == expected
    if not expected:
        assert (bounds[0][0], bounds[1][0]) == (present.min(), present.max())


@given(
    blocks=st.lists(st.tuples(st.booleans(), st.integers(1, 900)), min_size=1, max_size=9),
    cuts=st.lists(st.integers(1, 5000), max_size=12),
    save=st.booleans(),
)
def test_floods_by_their_definition(
    blocks: list[tuple[bool, int]], cuts: list[int], save: bool
) -> None:
    flags = np.repeat([b for b, _ in blocks], [n for _, n in blocks])
    expected, rising = [], False
    counts = np.cumsum(flags)
    counts = counts - np.concatenate([np.zeros(1000, int), counts])[: len(counts)]
    for row, count in enumerate(counts.tolist()):
        if not rising and count > 500:
            expected.append(row)
        rising = count > 250 if rising else count > 500
    flood, told = Flood(), []
    for part in np.split(np.arange(len(flags)), sorted(c for c in cuts if c < len(flags))):
        flood.take(part, flags[part])
        if flood.row >= 0:
            told.append(flood.row)
            flood.row = -1
        if save:
            fresh = Flood()
            fresh.load_state(flood.state())
            flood = fresh
    # Of two that begin before one is told, the last is.
    assert set(told) <= set(expected)
    assert expected[-1:] == told[-1:]
    assert flood.rising == rising
    assert flood.count == counts[-1]
