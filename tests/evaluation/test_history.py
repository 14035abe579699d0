"""Histories stay bounded, lose no extreme, and are the same however they were filled."""

from __future__ import annotations

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.evaluation.history import (
    ParameterHistory,
    ParameterView,
    Series,
    SeriesArrays,
    SeriesView,
)


def same(one: SeriesArrays, two: SeriesArrays) -> None:
    assert one.width == two.width
    for name in ("starts", "mean", "min", "max", "last", "count"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name


def make_values(n: int, seed: int, gaps: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n)
    values[rng.random(n) < gaps] = np.nan
    return values


@given(
    first=st.integers(0, 5000),
    n=st.integers(1, 700),
    capacity=st.sampled_from([2, 3, 8, 64, 4096]),
    seed=st.integers(0, 99),
    gaps=st.sampled_from([0.0, 0.3, 0.99]),
    cuts=st.lists(st.integers(0, 700), max_size=12),
)
@settings(max_examples=100)
def test_any_split_gives_the_same_buckets_and_views(
    first: int, n: int, capacity: int, seed: int, gaps: float, cuts: list[int]
) -> None:
    values = make_values(n, seed, gaps)
    whole = Series(capacity)
    whole.append(first, values)
    series, view = Series(capacity), SeriesView()
    edges = [0, *sorted(min(c, n) for c in cuts), n]
    for k, (a, b) in enumerate(itertools.pairwise(edges)):
        series.append(first + a, values[a:b])
        if k % 2:
            again = Series(capacity)
            again.load_state(pickle.loads(pickle.dumps(series.state())))
            series = again
        if k % 3 != 2:
            view.apply(series.delta(view.version))
            arrays = series.arrays()
            assert view.starts.tobytes() == arrays.starts.tobytes()
            assert view.mean.tobytes() == arrays.mean.tobytes()
            assert view.max.tobytes() == arrays.max.tobytes()
            assert view.width == arrays.width
    same(series.arrays(), whole.arrays())
    rowwise = Series(capacity)
    for i, value in enumerate(values):
        rowwise.append(first + i, np.array([value]))
    same(rowwise.arrays(), whole.arrays())


@given(
    first=st.integers(0, 3000),
    n=st.integers(1, 900),
    capacity=st.sampled_from([2, 5, 32]),
    seed=st.integers(0, 99),
)
def test_buckets_hold_what_their_rows_hold(first: int, n: int, capacity: int, seed: int) -> None:
    values = make_values(n, seed, 0.3)
    series = Series(capacity)
    series.append(first, values)
    found = series.arrays()
    assert len(found.starts) <= capacity
    assert found.width & (found.width - 1) == 0
    positions = np.arange(first, first + n)
    assert found.starts[0] == first
    np.testing.assert_array_equal(np.unique(positions // found.width), found.starts // found.width)
    for k, start in enumerate(found.starts.tolist()):
        rows = values[positions // found.width == start // found.width]
        rows = rows[~np.isnan(rows)]
        assert found.count[k] == len(rows)
        if len(rows):
            assert found.mean[k] == pytest.approx(rows.mean(), rel=1e-12)
            assert (found.min[k], found.max[k], found.last[k]) == (rows.min(), rows.max(), rows[-1])
        else:
            for array in (found.mean, found.min, found.max, found.last):
                assert math.isnan(array[k])


def test_the_width_is_the_least_that_is_enough() -> None:
    series = Series(4)
    series.append(6, np.zeros(4))
    assert series.arrays().starts.tolist() == [6, 7, 8, 9]
    series.append(10, np.ones(1))
    assert series.width == 2
    assert series.arrays().starts.tolist() == [6, 8, 10]
    assert series.arrays().centres.tolist() == [6.5, 8.5, 10.5]
    assert series.arrays().mean.tolist() == [0, 0, 1]


def test_rows_may_be_skipped_but_not_repeated() -> None:
    series = Series(16)
    series.append(0, np.ones(3))
    series.append(7, np.ones(1))
    assert series.arrays().count.tolist() == [1, 1, 1, 0, 0, 0, 0, 1]
    with pytest.raises(ValueError, match="there already"):
        series.append(7, np.ones(1))
    series.append(10**9, np.ones(1))
    assert series.width == 2**26
    assert len(series) <= 16


def test_a_delta_holds_only_what_changed() -> None:
    series = Series(4096)
    series.append(0, np.zeros(10_000))
    version = series.version
    assert len(series.delta(version).starts) <= 1
    series.append(10_000, np.ones(100))
    news = series.delta(version)
    assert len(news.starts) <= 100 // series.width + 2
    view = SeriesView()
    with pytest.raises(ValueError, match="do not follow"):
        view.apply(news)
    view.apply(series.delta(0))
    assert len(view) == len(series.arrays().starts)


def test_a_series_restored_to_an_earlier_state_is_sent_whole() -> None:
    series, view = Series(64), SeriesView()
    series.append(0, np.zeros(20))
    state = series.state()
    series.append(20, np.ones(20))
    view.apply(series.delta(0))
    series.load_state(state)
    series.append(20, np.full(25, 2.0))
    view.apply(series.delta(view.version))
    assert view.mean.tolist() == [0.0] * 20 + [2.0] * 25


def test_memory_does_not_grow() -> None:
    series = Series(64)
    series.append(0, np.zeros(1024))
    size = len(pickle.dumps(series.state()))
    for at in range(1024, 2_000_000, 65_536):
        series.append(at, np.zeros(65_536))
    assert len(pickle.dumps(series.state())) <= 2 * size


def test_infinite_values_do_no_harm() -> None:
    series = Series(4)
    series.append(0, np.array([np.inf, 1.0, -np.inf, 2.0, 3.0]))
    found = series.arrays()
    assert found.max.tolist() == [np.inf, 2.0, 3.0]
    assert found.min.tolist() == [1.0, -np.inf, 3.0]


# ---------------------------------------------------------------- parameters


def weights(position: int) -> dict[str, float]:
    found = {"a": float(position), "b": -1.0}
    return found | {"late": 2.0} if position > 5000 else found


@given(
    start=st.integers(0, 3000),
    n=st.integers(0, 20_000),
    capacity=st.sampled_from([2, 5, 16]),
    restore=st.integers(0, 20_000),
)
def test_snapshots_depend_on_positions_only(
    start: int, n: int, capacity: int, restore: int
) -> None:
    every_row, few = ParameterHistory(capacity), ParameterHistory(capacity)
    view = ParameterView()
    for position in range(start, start + n, 64):
        if every_row.due(position):
            every_row.record(position, weights(position))
    position = few.next_due(start)
    while position < start + n:
        # Only the multiples of 64 from the start on were asked above.
        if (position - start) % 64 == 0:
            few.record(position, weights(position))
            view.apply(few.delta(view.version))
        if position >= restore:
            again = ParameterHistory(capacity)
            again.load_state(pickle.loads(pickle.dumps(few.state())))
            few, restore = again, 10**9
        position = few.next_due(position + 1)
    one, two = every_row.arrays(), few.arrays()
    np.testing.assert_array_equal(one.positions, two.positions)
    np.testing.assert_array_equal(one.values, two.values)
    assert one.names == two.names
    assert len(one.positions) <= capacity
    np.testing.assert_array_equal(view.positions, two.positions)
    np.testing.assert_array_equal(view.values, two.values)
    for position, row in zip(one.positions.tolist(), one.values, strict=True):
        taken = weights(position)
        for name, value in zip(one.names, row.tolist(), strict=True):
            assert value == taken[name] if name in taken else math.isnan(value)
    if n > 0:
        assert one.positions[0] == start
        assert (one.positions[1:] % few.stride == 0).all()


def test_the_largest_parameters_are_kept() -> None:
    history = ParameterHistory(max_parameters=3)
    history.record(0, {"a": 1.0, "b": -5.0, "c": math.nan, "d": 2.0, "e": -0.5})
    assert history.arrays().names == ("a", "b", "d")
    assert history.left_out == 2
    history.record(256, {"f": 100.0, "b": 1.0})
    assert history.arrays().names == ("a", "b", "d")
    assert history.arrays().values[1].tolist()[1] == 1.0
    assert history.left_out == 1


def test_names_that_appear_later_have_gaps_before() -> None:
    history, view = ParameterHistory(), ParameterView()
    history.record(0, {"a": 1.0})
    view.apply(history.delta(0))
    history.record(256, {"b": 3.0})
    view.apply(history.delta(view.version))
    assert view.names == ("a", "b")
    np.testing.assert_array_equal(view.values, [[1.0, math.nan], [math.nan, 3.0]])


def test_snapshots_only_go_forward_and_only_when_due() -> None:
    history = ParameterHistory()
    history.record(100, {"a": 1.0})
    history.record(200, {"a": 2.0})
    assert history.arrays().positions.tolist() == [100]
    with pytest.raises(ValueError, match="already"):
        history.record(100, {"a": 1.0})
    history.record(256, {"a": 2.0})
    version = history.version
    history.record(512, {"a": 3.0})
    assert history.delta(version).positions.tolist() == [512]
    with pytest.raises(ValueError, match="do not follow"):
        ParameterView().apply(history.delta(version))


def test_a_model_without_parameters_has_empty_snapshots() -> None:
    history, view = ParameterHistory(), ParameterView()
    history.record(0, {})
    view.apply(history.delta(0))
    assert view.values.shape == (1, 0)
