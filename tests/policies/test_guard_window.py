"""The exact quantile of the values before each value, against its definition."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modellab.policies.guard_window import QuantileWindow, RowValues


def over_by_definition(values: np.ndarray, window: int, level: float) -> np.ndarray:
    rank = math.ceil(level * window - 1e-9)
    over = np.zeros(len(values), dtype=bool)
    for i in range(window, len(values)):
        over[i] = values[i] > np.sort(values[i - window : i])[rank - 1]
    return over


@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(10, 300),
    level=st.sampled_from([0.5, 0.8, 0.95, 0.99, 0.999999]),
    distinct=st.sampled_from([2, 7, 10**9]),
    cuts=st.lists(st.integers(0, 900), max_size=6),
)
def test_a_value_is_compared_with_those_before_it(
    seed: int, window: int, level: float, distinct: int, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, distinct, 900) / 7.0
    values[400:450] += rng.integers(0, 3)
    expected = over_by_definition(values, window, level)
    now, parts = QuantileWindow(window, level), []
    for part in np.split(values, sorted(cuts)):
        before = now.values.copy()
        over, then = now.judge(part)
        np.testing.assert_array_equal(now.values, before)  # looking changes nothing
        parts.append(over)
        now = then
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    np.testing.assert_array_equal(now.values, values[-window:])
    assert now.quantile == np.sort(values[-window:])[now.rank - 1]


def test_nothing_exceeds_before_the_window_is_full() -> None:
    window = QuantileWindow(10, 0.9)
    over, window = window.judge(np.array([1.0, 50.0, 2.0]))
    assert not over.any()
    assert window.quantile == math.inf


@given(
    puts=st.lists(
        st.tuples(st.integers(-5, 30), st.integers(1, 40), st.integers(0, 25)), max_size=25
    )
)
def test_row_values_are_a_dictionary_of_rows(puts: list[tuple[int, int, int]]) -> None:
    kept = RowValues(100)
    expected: dict[int, float] = {}
    start, stop, value = 100, 100, 0.0
    for back, count, drop in puts:
        row = max(stop - back, start)
        values = value + np.arange(count, dtype=float)
        value += count
        kept.put(row, values)
        expected = {r: v for r, v in expected.items() if r < row}
        expected |= dict(zip(range(row, row + count), values, strict=True))
        stop = row + count
        start = min(start + drop, stop)
        kept.drop(start)
        assert (kept.start, kept.stop) == (start, stop)
        wanted = [expected.get(r, math.nan) for r in range(start, stop + 3)]
        np.testing.assert_array_equal(kept.values(start, stop + 3), wanted)
        fresh = RowValues(0)
        fresh.load_state(kept.state())
        np.testing.assert_array_equal(fresh.values(start, stop), wanted[:-3])


def test_rows_that_were_not_put_are_missing_values() -> None:
    kept = RowValues(10)
    kept.put(12, np.array([1.0, 2.0]))
    kept.put(16, np.array([3.0]))
    np.testing.assert_array_equal(
        kept.values(10, 18), [np.nan, np.nan, 1.0, 2.0, np.nan, np.nan, 3.0, np.nan]
    )
    kept.drop(30)
    assert (kept.start, kept.stop) == (30, 30)
    kept.put(28, np.arange(4.0))  # what lies before is forgotten
    np.testing.assert_array_equal(kept.values(30, 32), [2.0, 3.0])


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, float("inf")]), max_size=80),
    st.integers(1, 20),
    st.sampled_from([0.5, 0.9, 1.0]),
)
def test_the_first_that_exceeds_is_the_first_of_all(
    values: list[float], window: int, level: float
) -> None:
    given_values = np.array(values)
    over, after = QuantileWindow(window, level).judge(given_values)
    first, before = QuantileWindow(window, level).first_over(given_values)
    assert first == (int(np.argmax(over)) if over.any() else -1)
    upto = QuantileWindow(window, level).judge(given_values[:first])[1] if over.any() else after
    assert before.values.tolist() == upto.values.tolist()
    assert before.quantile == upto.quantile
