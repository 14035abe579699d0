"""The encoded stream: the same bits however it is asked, and labels when they arrive."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.encoding import NO_TIME
from modellab.data.importer import import_dataset
from modellab.data.stream import BLOCK, EncodedStream
from modellab.errors import ExperimentError
from modellab.experiment import DataSpec, SplitSpec, parse_span

N, T = 5 * BLOCK + 100, 1500


class CountingStore:
    """A table with the interface of a store that notes which ranges were read."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.reads: list[tuple[int, int]] = []

    def read(self, start: int, stop: int, columns: Any = None, kinds: Any = None) -> pa.Table:
        assert 0 <= start < stop <= self.table.num_rows
        self.reads.append((start, stop))
        part = self.table.slice(start, stop - start)
        return part if columns is None else part.select(list(columns))


def data_set(
    n: int = N, train: int = T, times: Any = None, labels: Any = None, seed: int = 0
) -> Any:
    rng = np.random.default_rng(seed)
    table = pa.table(
        {
            "x": pa.array(np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))),
            "c": pa.array(np.array(["a", "b", "c"])[rng.integers(0, 3, n)]).dictionary_encode(),
        }
    )
    if labels is None:
        labels = rng.integers(-1, 2, n)
    return SimpleNamespace(
        store=CountingStore(table),
        features=("x", "c"),
        kinds={"x": "number", "c": "category"},
        time=None if times is None else "t",
        text=None,
        encoding=None,
        n_rows=n,
        train_rows=train,
        times=lambda a, b: None if times is None else times[a:b],
        labels=lambda a, b: labels[a:b],
        all_labels=labels,
    )


DATA = data_set()
ENCODER = Encoder.fit(DATA, 0, T, seed=0)


def whole(view: Any) -> Any:
    return ENCODER.transform(DATA.store.table, view)


@given(
    asked=st.lists(st.tuples(st.integers(0, N), st.integers(0, N)), min_size=1, max_size=6),
    view=st.sampled_from(["scaled", "raw", "ordinal", "dict"]),
    cache=st.sampled_from([1, 2, 64]),
)
@settings(max_examples=30)
def test_rows_and_labels_do_not_depend_on_how_they_are_asked(
    asked: list[tuple[int, int]], view: Any, cache: int
) -> None:
    stream = EncodedStream(DATA, ENCODER, cache_blocks=cache)
    expected = whole(view)
    for one, other in asked:
        start, stop = min(one, other), max(one, other)
        rows = stream.rows(view, start, stop)
        if view == "dict":
            assert rows == expected[start:stop]
        else:
            assert rows.tobytes() == expected[start:stop].tobytes()
            assert rows.shape == (stop - start, expected.shape[1])
        np.testing.assert_array_equal(stream.labels(start, stop), DATA.all_labels[start:stop])


@pytest.mark.parametrize("view", ["scaled", "raw", "ordinal"])
def test_a_page_is_used_again_once_nobody_has_it(view: Any) -> None:
    """Rows that somebody still has stay what they are; others lie where pages were before."""
    stream = EncodedStream(DATA, ENCODER, cache_blocks=1)
    expected = whole(view)
    held: list[tuple[int, Any]] = []
    places: list[int] = []
    for turn in range(3):
        for at in range(0, N - 2 * BLOCK, BLOCK):
            stream.soon(at, at + 2 * BLOCK)
            stream.encode_ahead([view], at, at + BLOCK)
            rows = stream.rows(view, at, at + BLOCK)
            places.append(rows.ctypes.data)
            if turn == 0:
                held.append((at, rows))
            assert rows.tobytes() == expected[at : at + BLOCK].tobytes()
            with pytest.raises(ValueError, match="read-only"):
                rows[0, 0] = 1.0
        stream.soon(0, 0)
    for at, rows in held:
        assert rows.tobytes() == expected[at : at + BLOCK].tobytes()
    first = set(places[: len(held)])
    assert len(first) == len(held)  # all of them are still held
    later = places[len(held) :]
    assert first.isdisjoint(later)
    assert len(set(later)) <= 4


def test_blocks_are_whole_and_encoded_once() -> None:
    data = data_set()
    stream = EncodedStream(data, ENCODER)
    for start in range(0, N, 100):
        stream.rows("raw", start, min(start + 100, N))
    starts = [a for a, _ in data.store.reads]
    assert starts == list(range(0, N, BLOCK))
    assert data.store.reads[-1] == (5 * BLOCK, N)


def test_the_cache_is_bounded_and_a_long_read_leaves_it_alone() -> None:
    data = data_set()
    stream = EncodedStream(data, ENCODER, cache_blocks=2)
    stream.rows("raw", 0, 10)
    stream.rows("raw", BLOCK, BLOCK + 10)
    data.store.reads.clear()
    stream.rows("raw", 0, N)
    assert data.store.reads == [(2 * BLOCK, N)]
    data.store.reads.clear()
    stream.rows("raw", 0, 2 * BLOCK)
    assert data.store.reads == []
    stream.rows("raw", 2 * BLOCK, 2 * BLOCK + 1)
    stream.rows("raw", 0, 1)
    assert data.store.reads == [(2 * BLOCK, 3 * BLOCK), (0, BLOCK)]


def test_rows_can_not_be_overwritten() -> None:
    stream = EncodedStream(DATA, ENCODER)
    for start, stop in ((0, 10), (0, N)):
        with pytest.raises(ValueError, match="read-only"):
            stream.rows("raw", start, stop)[0, 0] = 1.0


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (5, 4), (0, N + 1)])
def test_a_range_outside_the_data_is_refused(start: int, stop: int) -> None:
    stream = EncodedStream(DATA, ENCODER)
    with pytest.raises(IndexError):
        stream.rows("raw", start, stop)
    with pytest.raises(IndexError):
        stream.labels(start, stop)


def test_without_a_delay_a_label_is_known_after_its_own_row() -> None:
    stream = EncodedStream(DATA, ENCODER)
    np.testing.assert_array_equal(stream.label_upto(T, N), np.arange(T + 1, N + 1))
    np.testing.assert_array_equal(stream.label_upto(T - 5, T), np.full(5, T))
    assert stream.next_known(T + 3) == T + 3


@pytest.mark.parametrize("delay", [1, 7, 3000, 10**9])
def test_a_delay_in_rows(delay: int) -> None:
    stream = EncodedStream(DATA, ENCODER, label_delay=delay)
    rows = np.arange(N)
    np.testing.assert_array_equal(stream.label_upto(0, N), np.maximum(T, rows + 1 - delay))
    assert stream.next_known(T) == min(T + delay, N)
    assert stream.next_known(T - 1) == T - 1


def test_a_delay_in_time_needs_times() -> None:
    with pytest.raises(ExperimentError, match="no time column"):
        EncodedStream(DATA, ENCODER, label_delay="2h")


def slow_upto(times: np.ndarray, train: int, span: int) -> list[int]:
    """Straight from the definition, row by row."""
    n = len(times)
    clock, latest = [], None
    for t in times.tolist():
        latest = t if latest is None else max(latest, t)
        clock.append(None if latest == NO_TIME else latest)
    found = []
    for i in range(n):
        known = 0
        for j in range(i + 1):
            if clock[i] is None or (clock[j] is not None and clock[i] < clock[j] + span):
                break
            known = j + 1
        found.append(max(known, train))
    return found


HOUR = 3600 * 10**9


@given(
    steps=st.lists(
        st.sampled_from([0, 1, HOUR // 2, HOUR, 5 * HOUR, -HOUR, None]), min_size=1, max_size=90
    ),
    train=st.integers(0, 30),
    span=st.sampled_from(["1ns", "30min", "1h", "3h", "10000w"]),
    cuts=st.lists(st.integers(0, 90), max_size=4),
    stride=st.sampled_from([4, 8, 1024]),
)
def test_a_delay_in_time_is_by_the_definition(
    steps: list[int | None], train: int, span: str, cuts: list[int], stride: int
) -> None:
    moment, times = 10**18, []
    for step in steps:
        moment += step or 0
        times.append(NO_TIME if step is None else moment)
    n, clock = len(times), np.array(times, dtype=np.int64)
    train = min(train, n)
    data = data_set(n, train, clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modellab.data.arrivals._STRIDE", stride)
        patch.setattr("modellab.data.arrivals._SCAN", 2 * stride)
        stream = EncodedStream(data, ENCODER, label_delay=span)
        expected = slow_upto(clock, train, parse_span(span))
        # Asked in pieces, back to front.
        edges = sorted({0, n, *[c for c in cuts if c < n]})
        for start, stop in reversed(list(itertools.pairwise(edges))):
            assert stream.label_upto(start, stop).tolist() == expected[start:stop]
        assert expected == sorted(expected)
        fresh = EncodedStream(data, ENCODER, label_delay=span)
        for j in range(n):
            first = next((i for i in range(j, n) if expected[i] > j), n)
            assert fresh.next_known(j) == first


def test_a_delay_in_time_reads_only_around_where_it_is_asked() -> None:
    n = 300 * BLOCK
    asked: list[int] = []
    times = np.arange(n, dtype=np.int64) * HOUR
    data = data_set(n, 0, times)
    data.times = lambda a, b: (asked.append(b - a), times[a:b])[1]
    stream = EncodedStream(data, ENCODER, label_delay="100d")
    stream.label_upto(n - BLOCK, n)
    assert max(asked) <= 64 * BLOCK
    asked.clear()
    ends = stream.label_upto(n - 2 * BLOCK, n - BLOCK)
    np.testing.assert_array_equal(ends, np.arange(n - 2 * BLOCK, n - BLOCK) + 1 - 2400)
    assert sum(asked) <= 4 * BLOCK


@given(
    start=st.integers(0, N),
    length=st.integers(0, N),
    view=st.sampled_from(["raw", "dict"]),
    seed=st.integers(0, 99),
    how=st.sampled_from(["all", "mask", "positions"]),
)
@settings(max_examples=25)
def test_a_matrix_holds_the_rows_with_labels(
    start: int, length: int, view: Any, seed: int, how: str
) -> None:
    stop = min(N, start + length)
    stream = EncodedStream(DATA, ENCODER)
    mask = np.random.default_rng(seed).random(stop - start) < 0.05
    if how == "all":
        mask[:] = True
    keep = {"all": None, "mask": mask, "positions": np.flatnonzero(mask) + start}[how]
    before = mask.copy()
    rows, y = stream.matrix(view, start, stop, keep)
    at = [p for p in range(start, stop) if mask[p - start] and DATA.all_labels[p] >= 0]
    np.testing.assert_array_equal(mask, before)
    np.testing.assert_array_equal(y, DATA.all_labels[at])
    expected = whole(view)
    if view == "dict":
        assert rows == [expected[p] for p in at]
    else:
        np.testing.assert_array_equal(rows, expected[np.array(at, dtype=int)])


def test_few_rows_of_a_long_stream_are_found_without_all_its_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = 200_000
    data = data_set(long, 0, labels=np.arange(float(long)))
    asked: list[int] = []
    labels = data.labels
    monkeypatch.setattr(data, "labels", lambda a, b: asked.append(b - a) or labels(a, b))
    rows, y = EncodedStream(data, ENCODER).matrix("raw", 0, long, np.array([3, 9, 150_000]))
    assert len(rows) == 3
    assert y.tolist() == [3.0, 9.0, 150_000.0]
    assert sum(asked) < 100
    assert len(EncodedStream(data, ENCODER).matrix("raw", 0, long, np.empty(0, int))[1]) == 0


def test_regression_labels_may_be_missing() -> None:
    y = np.array([1.0, np.nan, 3.0, np.inf])
    data = data_set(4, 0, labels=y)
    stream = EncodedStream(data, ENCODER)
    rows, kept = stream.matrix("raw", 0, 4)
    assert kept.tolist() == [1.0, 3.0]
    np.testing.assert_array_equal(rows, stream.rows("raw", 0, 4)[[0, 2]])


@pytest.mark.parametrize("size", [1, 1024, 1500, 10**6])
def test_chunks_put_together_are_the_matrix(size: int) -> None:
    stream = EncodedStream(DATA, ENCODER)
    parts = list(stream.chunks("scaled", 100, N - 7, size))
    rows, y = stream.matrix("scaled", 100, N - 7)
    assert np.concatenate([p[0] for p in parts]).tobytes() == rows.tobytes()
    np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), y)
    step = -(-size // BLOCK) * BLOCK
    assert len(parts) == len(range(0, N - 7, step))


def test_chunks_without_labels_are_left_out() -> None:
    labels = np.full(N, -1)
    labels[2000] = 1
    stream = EncodedStream(data_set(labels=labels), ENCODER)
    parts = list(stream.chunks("raw", 0, N, BLOCK))
    assert [p[1].tolist() for p in parts] == [[1]]


def test_unseen_categories_are_counted_by_range() -> None:
    letters = np.array(["a"] * T + ["new"] * 10 + ["a"] * (N - T - 10))
    data = data_set()
    data.store.table = data.store.table.set_column(1, "c", pa.array(letters).dictionary_encode())
    stream = EncodedStream(data, Encoder.fit(data, 0, T, seed=0))
    assert stream.unseen(0, T) == {"c": 0}
    assert stream.unseen(0, N) == {"c": 10}
    assert stream.unseen(T + 3, T + 5) == {"c": 2}


def test_an_empty_range_is_empty_in_every_view() -> None:
    stream = EncodedStream(DATA, ENCODER)
    assert stream.rows("dict", N, N) == []
    assert stream.rows("raw", 5, 5).shape == (0, len(ENCODER.names("raw")))
    assert stream.label_upto(N, N).tolist() == []
    assert stream.matrix("raw", 7, 7)[0].shape == (0, len(ENCODER.names("raw")))


# ---------------------------------------------------------------- with a real store


def written(path: Path, n: int) -> Path:
    """A CSV file with a column of each kind, some values missing."""
    rng = np.random.default_rng(7)
    lines = ["when,temp,carrier,wet,late"]
    for k in range(n):
        when = f"2024-01-{1 + k // 480 % 28:02d} {k // 20 % 24:02d}:{k % 20 * 3:02d}:00"
        temp = "" if rng.random() < 0.1 else f"{rng.normal(10, 3):.3f}"
        carrier = (
            "" if rng.random() < 0.05 else str(rng.choice(["AA", "UA", "B6"], p=[0.5, 0.3, 0.2]))
        )
        wet = str(rng.choice(["true", "false"]))
        late = "" if rng.random() < 0.1 else str(rng.choice(["yes", "no"]))
        lines.append(f"{when},{temp},{carrier},{wet},{late}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_from_a_file_to_encoded_rows(tmp_path: Path) -> None:
    n = 3000
    path = written(tmp_path / "late.csv", n)
    frame = pd.read_csv(path)
    with import_dataset(path) as store:
        spec = DataSpec(path=str(path), target="late", time="when")
        dataset = Dataset.build(store, spec, SplitSpec(train=1000))
        encoder = Encoder.fit(dataset, 0, dataset.train_rows, seed=0)
        stream = EncodedStream(dataset, encoder, label_delay="1h")
        assert encoder.names("raw") == (
            "temp",
            "temp missing",
            "carrier = AA",
            "carrier = UA",
            "carrier = B6",
            "carrier missing",
            "carrier other",
            "wet",
            "when: hour of day (sin)",
            "when: hour of day (cos)",
        )
        rows = stream.rows("raw", 0, n)
        train = frame.iloc[:1000]
        np.testing.assert_array_equal(rows[:, 0], frame.temp.fillna(train.temp.median()))
        np.testing.assert_array_equal(rows[:, 2] == 1, frame.carrier == "AA")
        np.testing.assert_array_equal(rows[:, 5] == 1, frame.carrier.isna())
        np.testing.assert_array_equal(rows[:, 7] == 1, frame.wet)
        hours = stream.rows("ordinal", 0, n)[:, -1]
        clock = pd.to_datetime(frame.when).dt
        np.testing.assert_allclose(hours, clock.hour + clock.minute / 60)
        y = stream.labels(0, n)
        np.testing.assert_array_equal(y == 1, frame.late == "yes")
        np.testing.assert_array_equal(y == -1, frame.late.isna())
        # Twenty rows an hour: the label of a row is known twenty rows later.
        np.testing.assert_array_equal(
            stream.label_upto(1000, n), np.maximum(1000, np.arange(1000, n) - 19)
        )
        moments = stream.times(5, 7)
        assert moments is not None
        np.testing.assert_array_equal(
            moments.view("datetime64[ns]"), pd.to_datetime(frame.when).iloc[5:7].to_numpy()
        )


def test_electricity_goes_to_river_as_it_is(electricity: Path) -> None:
    with import_dataset(electricity) as store:
        spec = DataSpec(path=str(electricity), target="class", kinds={"day": "number"})
        dataset = Dataset.build(store, spec, SplitSpec(train=0))
        stream = EncodedStream(dataset, Encoder.fit(dataset, 0, 0, seed=0))
        rows = stream.rows("dict", 0, dataset.n_rows)
        assert len(rows) == 45_312
        frame = pd.read_csv(electricity).drop(columns="class").astype(float)
        assert rows[::1000] == frame.iloc[::1000].to_dict("records")
