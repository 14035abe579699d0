"""Whatever the faults: the same bits however asked, no leak, labels only when they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.importer import import_dataset
from modellab.data.stream import BLOCK, EncodedStream
from modellab.experiment import DataSpec, Fault, SplitSpec, parse_span
from modellab.experiment_faults import (
    DriftFault,
    DuplicatedRows,
    FeatureNoise,
    LabelDelay,
    LabelNoise,
    MissingValues,
    Outage,
    SwappedColumns,
    UnitError,
)

N, T = 3 * BLOCK + 300, 700


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return build(tmp_path_factory.mktemp("stream_faults"))


def build(folder: Path) -> Dataset:
    rng = np.random.default_rng(11)
    clock, lines = 0, ["when,a,b,c,d,y"]
    for _ in range(N):
        clock += int(rng.choice([0, 1, 1, 2, 90]))  # minutes, with gaps
        when = f"2024-{1 + clock // 40320:02d}-{1 + clock // 1440 % 28:02d} "
        when += f"{clock // 60 % 24:02d}:{clock % 60:02d}:00"
        a = "" if rng.random() < 0.1 else f"{rng.normal():.4f}"
        c, d = (["p", "q", "r", ""][int(rng.integers(4))] for _ in range(2))
        y = "" if rng.random() < 0.05 else ["n", "y"][int(rng.integers(2))]
        lines.append(f"{when},{a},{rng.normal():.4f},{c},{d},{y}")
    path = folder / "data.csv"
    path.write_text("\n".join(lines) + "\n")
    store = import_dataset([path], cache=folder / "cache")
    spec = DataSpec(path=str(path), target="y", time="when")
    return Dataset.build(store, spec, SplitSpec(train=T))


starts = st.integers(0, N - 1)
lengths = st.one_of(st.none(), st.integers(1, N))


def some(kind: Any, **settings_: Any) -> st.SearchStrategy[Any]:
    def made(start: int, length: int | None, **values: Any) -> Any:
        stop = None if length is None else max(start + length, T + 1)
        return kind(start=start, stop=stop, **values)

    return st.builds(made, starts, lengths, **settings_)


rates = st.sampled_from([0.0, 0.2, 0.9, 1.0])
delays = st.one_of(st.integers(0, 2000), st.sampled_from(["1min", "3h", "5d"]))
faults = st.lists(
    st.one_of(
        some(LabelNoise, rate=rates, only=st.sampled_from([None, "y"])),
        some(FeatureNoise, rate=rates),
        some(MissingValues, rate=rates, columns=st.sampled_from([[], ["a", "c"]])),
        some(UnitError, column=st.sampled_from(["a", "b"])),
        some(SwappedColumns, columns=st.sampled_from([["a", "b"], ["c", "d"]])),
        some(DuplicatedRows, rate=rates),
        some(LabelDelay, delay=delays),
        some(Outage, backlog=st.sampled_from(["arrives", "lost"])),
        some(
            DriftFault,
            how=st.sampled_from(["permute", "relabel"]),
            shape=st.sampled_from(["sudden", "gradual", "recurring"]),
            width=st.integers(1, 900),
        ),
    ),
    max_size=4,
)
usual_delays = st.one_of(st.integers(0, 900), st.sampled_from(["2min", "4h"]))
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def ranges(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(min(a, b), max(a, b)) for a, b in pairs]


@given(
    listed=faults,
    asked=st.lists(st.tuples(st.integers(0, N), st.integers(0, N)), min_size=1, max_size=4),
    view=st.sampled_from(["raw", "scaled", "ordinal", "dict"]),
    delay=usual_delays,
    seed=st.integers(0, 3),
)
@quick
def test_any_range_gives_the_same_bits(
    data: Dataset,
    listed: list[Fault],
    asked: list[tuple[int, int]],
    view: Any,
    delay: int | str,
    seed: int,
) -> None:
    encoder = Encoder.fit(data, 0, T, 0)
    whole = EncodedStream(data, encoder, delay, faults=listed, seed=seed)
    rows, seen, true = whole.rows(view, 0, N), whole.seen(0, N), whole.labels(0, N)
    upto, table = whole.label_upto(0, N), whole.read(0, N, ["d", "a", "c"])
    other = EncodedStream(data, encoder, delay, cache_blocks=1, faults=listed, seed=seed)
    for start, stop in ranges(asked):
        part = other.rows(view, start, stop)
        if view == "dict":
            assert part == rows[start:stop]
        else:
            assert part.tobytes() == rows[start:stop].tobytes()
        assert other.seen(start, stop).tobytes() == seen[start:stop].tobytes()
        assert other.labels(start, stop).tobytes() == true[start:stop].tobytes()
        np.testing.assert_array_equal(other.label_upto(start, stop), upto[start:stop])
        cells = other.read(start, stop, ["a"]).column(0).to_pylist()
        assert cells == table.column("a").slice(start, stop - start).to_pylist()
        numbers = other.numbers(start, stop)
        np.testing.assert_array_equal(numbers, whole.numbers(0, N)[start:stop])
        if view != "dict":
            fitted, y = other.matrix(view, start, stop)
            known = np.flatnonzero(seen[start:stop] >= 0) + start
            assert fitted.tobytes() == rows[known].tobytes()
            np.testing.assert_array_equal(y, seen[known])


@given(listed=faults, delay=usual_delays, seed=st.integers(0, 3))
@quick
def test_no_fault_leaks_into_the_training_window(
    data: Dataset, listed: list[Fault], delay: int | str, seed: int
) -> None:
    encoder = Encoder.fit(data, 0, T, 0)
    clean = EncodedStream(data, encoder, delay)
    stream = EncodedStream(data, encoder, delay, faults=listed, seed=seed)
    for view in ("raw", "dict"):
        before, after = clean.rows(view, 0, T), stream.rows(view, 0, T)
        assert (before == after) if view == "dict" else before.tobytes() == after.tobytes()
    np.testing.assert_array_equal(clean.labels(0, T), stream.labels(0, T))
    np.testing.assert_array_equal(clean.labels(0, T), stream.seen(0, T))
    np.testing.assert_array_equal(clean.label_upto(0, T), stream.label_upto(0, T))
    assert clean.read(0, T).equals(stream.read(0, T))
    for start, stop in [(f.start, f.stop or N) for f in listed]:
        untouched = [i for i in (T, start - 1, stop, N - 1) if T <= i < N]
        untouched = [i for i in untouched if all(not f.start <= i < (f.stop or N) for f in listed)]
        for i in untouched:
            assert clean.read(i, i + 1).to_pylist() == stream.read(i, i + 1).to_pylist()
            assert clean.labels(i, i + 1) == stream.labels(i, i + 1)


def arrivals(data: Dataset, delay: int | str, listed: list[Fault]) -> tuple[np.ndarray, np.ndarray]:
    """By the definition, label by label: the row after which each is known (N: none), what is lost.

    Between two rows the clock stands still, and it never runs backwards.
    """
    clock = np.maximum.accumulate(np.asarray(data.times(0, N)))

    def later(row: int, by: int | str) -> int:
        if row >= N:
            return N
        if isinstance(by, int):
            return min(row + by, N)
        return max(row, int(np.searchsorted(clock, clock[row] + parse_span(by))))

    when = [later(j, delay) for j in range(N)]
    lost = np.zeros(N, dtype=bool)
    for fault in listed:
        start, stop = max(fault.start, T), min(fault.stop or N, N)
        if isinstance(fault, LabelDelay):
            for j in range(start, stop):
                when[j] = later(when[j], fault.delay)
            for j in range(T + 1, N):
                when[j] = max(when[j], when[j - 1])
        elif isinstance(fault, Outage):
            for j in range(T, N):
                if start <= when[j] < stop:
                    when[j] = stop
                    lost[j] |= fault.backlog == "lost"
    return np.array(when), lost


@given(
    listed=st.lists(
        st.one_of(
            some(LabelDelay, delay=delays),
            some(Outage, backlog=st.sampled_from(["arrives", "lost"])),
        ),
        max_size=3,
    ),
    delay=usual_delays,
)
@settings(quick, max_examples=25)
def test_labels_come_when_the_definition_says(
    data: Dataset, listed: list[Fault], delay: int | str
) -> None:
    stream = EncodedStream(data, Encoder.fit(data, 0, T, 0), delay, faults=listed)
    when, lost = arrivals(data, delay, listed)
    upto = stream.label_upto(0, N)
    assert (np.diff(upto) >= 0).all()
    assert (upto <= np.maximum(np.arange(N) + 1, T)).all()  # no label before its row
    assert (upto >= T).all()
    expected = T + np.searchsorted(when[T:], np.arange(N), side="right")
    np.testing.assert_array_equal(upto, np.maximum(expected, T))
    for j in {T, T + 1, 1000, 1024, 2500, N - 1}:
        assert stream.next_known(j) == when[j]
    assert (stream.seen(0, N)[lost] == -1).all()
    np.testing.assert_array_equal(stream.seen(0, N)[~lost], stream.labels(0, N)[~lost])


@given(listed=faults, delay=usual_delays)
@quick
def test_known_labels_never_become_unknown(
    data: Dataset, listed: list[Fault], delay: int | str
) -> None:
    stream = EncodedStream(data, Encoder.fit(data, 0, T, 0), delay, faults=listed)
    upto = stream.label_upto(0, N)
    assert (np.diff(upto) >= 0).all()
    assert ((upto >= T) & (upto <= np.maximum(np.arange(N) + 1, T))).all()


def test_rows_can_be_left_out_of_fits(data: Dataset) -> None:
    stream = EncodedStream(data, Encoder.fit(data, 0, T, 0))
    whole, y = stream.matrix("raw", 100, 2000)
    known = np.flatnonzero(stream.seen(100, 2000) >= 0) + 100
    out = known[[0, 5, 700, len(known) - 1]]
    with stream.without(np.r_[3, out, 2500]):
        fewer, less = stream.matrix("raw", 100, 2000)
        chunked = np.concatenate([rows for rows, _ in stream.chunks("raw", 100, 2000, 1024)])
    kept = ~np.isin(known, out)
    np.testing.assert_array_equal(fewer, whole[kept])
    np.testing.assert_array_equal(less, y[kept])
    np.testing.assert_array_equal(chunked, fewer)
    np.testing.assert_array_equal(stream.matrix("raw", 100, 2000)[0], whole)
