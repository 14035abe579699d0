"""Profiles: equal to what NumPy and pandas say of the whole column, in bounded pieces."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.data import profile as profile_module
from modellab.data.importer import import_dataset
from modellab.data.profile import ColumnProfile, profile
from modellab.data.profile_parts import Distinct, Moments, hash_numbers, hash_texts, histogram
from modellab.data.samples import sample_path
from modellab.data.store import BATCH_ROWS, Store
from modellab.errors import Cancelled

ROWS = BATCH_ROWS + 12_345


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    number = rng.lognormal(size=ROWS)
    number[rng.random(ROWS) < 0.1] = np.nan
    number[:50] = np.nan
    late_varying = np.where(np.arange(ROWS) < 40_000, 3.0, rng.integers(0, 5, ROWS))
    return pd.DataFrame(
        {
            "number": number,
            "whole": rng.integers(-3, 4, ROWS),
            "group": rng.choice(list("abcdef"), ROWS, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1]),
            "flag": rng.random(ROWS) < np.linspace(0, 1, ROWS),
            "when": pd.Timestamp("2021-03-01") + pd.to_timedelta(np.arange(ROWS), "min"),
            "late": late_varying,
            "nothing": np.full(ROWS, np.nan),
            "words": [f"sentence number {k % 7000} of the text column" for k in range(ROWS)],
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("profile")
    pq.write_table(pa.Table.from_pandas(frame), folder / "x.parquet")
    return import_dataset(folder / "x.parquet", cache=folder)


@pytest.fixture(scope="module")
def profiles(store: Store) -> dict[str, ColumnProfile]:
    return {p.name: p for p in profile(store, train_rows=30_000, target="flag")}


def test_numbers(frame: pd.DataFrame, profiles: dict[str, ColumnProfile]) -> None:
    p, truth = profiles["number"], frame["number"]
    assert p.missing == truth.isna().sum()
    assert p.missing_share == pytest.approx(truth.isna().mean())
    assert p.mean == pytest.approx(truth.mean(), rel=1e-12)
    assert p.std == pytest.approx(truth.std(ddof=0), rel=1e-10)
    assert (p.minimum, p.maximum) == (truth.min(), truth.max())
    assert not p.sampled
    for share, value in p.quantiles:
        assert value == pytest.approx(truth.quantile(share), rel=1e-12)
    assert not p.distinct_exact
    assert p.distinct == pytest.approx(truth.nunique(), rel=0.05)
    assert p.first_present == truth.first_valid_index()
    bars = p.histogram
    assert bars is not None
    assert sum(bars.counts) + bars.below + bars.above == truth.count()
    inside = truth[(truth >= bars.edges[3]) & (truth < bars.edges[4])]
    assert bars.counts[3] == len(inside)
    assert bars.edges[-1] < truth.max()  # the long tail does not squeeze the bars


def test_course_is_the_mean_of_equal_stretches(
    frame: pd.DataFrame, profiles: dict[str, ColumnProfile]
) -> None:
    at = np.arange(ROWS) * 160 // ROWS
    means = frame["number"].groupby(at).mean()
    assert profiles["number"].course == pytest.approx(means.tolist(), rel=1e-11)
    gaps = frame["number"].isna().groupby(at).mean()
    assert profiles["number"].course_missing == pytest.approx(gaps.tolist(), abs=1e-12)
    flags = frame["flag"].groupby(at).mean()
    assert profiles["flag"].course == pytest.approx(flags.tolist(), rel=1e-11)
    assert profiles["flag"].course_what == "share of “true”"
    lead = (frame["group"] == "a").groupby(at).mean()  # more levels than are followed at once
    assert profiles["group"].course == pytest.approx(lead.tolist(), rel=1e-11)
    assert profiles["group"].course_what == "share of “a”"


def test_whole_numbers_have_a_bar_each(
    frame: pd.DataFrame, profiles: dict[str, ColumnProfile]
) -> None:
    p = profiles["whole"]
    assert (p.distinct, p.distinct_exact) == (7, True)
    assert p.histogram is not None
    assert p.histogram.counts == frame["whole"].value_counts().sort_index().tolist()
    assert p.histogram.edges == [k - 0.5 for k in range(-3, 5)]


def test_categories_and_the_target_by_value(
    frame: pd.DataFrame, profiles: dict[str, ColumnProfile]
) -> None:
    p = profiles["group"]
    counts = frame["group"].value_counts()
    assert {t.label: t.count for t in p.top} == counts.to_dict()
    assert p.top[0].share == pytest.approx(counts["a"] / ROWS)
    assert (p.other, p.distinct) == (0, 6)
    by_value = frame["flag"].groupby(frame["group"]).mean()
    assert {t.label: t.target for t in p.top} == pytest.approx(by_value.to_dict())
    assert all(t.target is None for t in profiles["flag"].top)


def test_times_texts_and_nothing(frame: pd.DataFrame, profiles: dict[str, ColumnProfile]) -> None:
    when = profiles["when"]
    assert when.minimum_text == "2021-03-01"
    assert when.maximum_text == str(frame["when"].iloc[-1])
    assert when.minimum == pd.Timestamp("2021-03-01").timestamp()
    assert (when.first, when.last) == ("2021-03-01", str(frame["when"].iloc[-1]))
    words = profiles["words"]
    assert (words.distinct, words.distinct_exact) == (7000, True)
    assert words.course_what == "mean length in characters"
    nothing = profiles["nothing"]
    assert (nothing.missing, nothing.distinct, nothing.mean, nothing.histogram) == (
        ROWS, 0, None, None,
    )  # fmt: skip
    assert set(nothing.course) == {None}
    assert (nothing.first_present, nothing.first_change, nothing.first) == (None, None, "")


def test_where_a_value_first_changes(
    frame: pd.DataFrame, profiles: dict[str, ColumnProfile], store: Store
) -> None:
    change = int(np.flatnonzero(frame["late"] != 3.0)[0])
    assert profiles["late"].first_change == change
    assert profiles["late"].constant_in_training
    assert not profiles["whole"].constant_in_training
    again = {p.name: p for p in profile(store, train_rows=change + 1)}
    assert not again["late"].constant_in_training
    assert not {p.name: p for p in profile(store)}["nothing"].constant_in_training


def test_other_kinds_and_plain_values(store: Store) -> None:
    found = {p.name: p for p in profile(store, kinds={"whole": "category", "group": "text"})}
    assert found["whole"].kind == "category"
    assert sum(t.count for t in found["whole"].top) == ROWS
    assert found["group"].distinct == 6
    text = msgspec.json.encode(list(found.values()))
    assert msgspec.json.decode(text, type=list[ColumnProfile]) == list(found.values())


def test_large_columns_are_sampled_evenly(
    store: Store, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_module, "SAMPLE_ROWS", 1000)
    monkeypatch.setattr(profile_module, "EXACT_DISTINCT", 5)
    store.memo.clear()
    found = {p.name: p for p in profile(store)}
    store.memo.clear()
    every = -(-ROWS // 1000)
    sample = frame["number"].iloc[::every].dropna()
    p = found["number"]
    assert p.sampled
    assert dict(p.quantiles)[0.5] == pytest.approx(sample.median(), rel=1e-12)
    assert p.mean == pytest.approx(frame["number"].mean())  # of all rows all the same
    assert (found["whole"].distinct_exact, found["group"].distinct_exact) == (False, True)


def test_progress_and_cancelling(store: Store) -> None:
    store.memo.clear()
    told: list[float] = []
    profile(store, progress=lambda done, total, text="": told.append(done / total))
    assert told == sorted(told)
    assert told[-1] == 1.0
    store.memo.clear()

    def stop(done: float, total: float, text: str = "") -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        profile(store, progress=stop)
    assert not store.memo


def test_a_profile_is_quick(tmp_path: Path) -> None:
    store = import_dataset(sample_path("flights"), cache=tmp_path)
    begin = time.process_time()
    assert len(profile(store)) == 20
    assert time.process_time() - begin < 10  # about one second; machines under load take longer
    begin = time.process_time()
    profile(store)
    assert time.process_time() - begin < 0.1


# ---------------------------------------------------------------- pieces
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 7))
def test_moments_do_not_depend_on_the_cuts(values: list[float], size: int) -> None:
    moments = Moments()
    for start in range(0, len(values), size):
        moments.update(np.array(values[start : start + size]))
    assert moments.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert moments.std == pytest.approx(np.std(values), rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=80), st.booleans())
def test_every_value_is_in_one_bar(values: list[float], whole: bool) -> None:
    if whole:
        values = [float(np.floor(v)) for v in values]
    bars = histogram(np.sort(np.array(values, float)), whole)
    if not values:
        assert bars is None
        return
    assert bars is not None
    assert len(bars.edges) == len(bars.counts) + 1
    assert bars.edges == sorted(bars.edges)
    assert sum(bars.counts) + bars.below + bars.above == len(values)


@pytest.mark.parametrize("count", [3, 10_000, 10_001, 200_000])
def test_distinct_counts(count: int) -> None:
    distinct = Distinct(10_000)
    numbers = np.arange(count, dtype=float)
    for start in range(0, count, 30_000):
        piece = numbers[start : start + 30_000]
        distinct.update(hash_numbers(np.concatenate([piece, piece])))
    assert distinct.exact == (count <= 10_000)
    assert distinct.count == (count if count <= 10_000 else pytest.approx(count, rel=0.05))


def test_hashes_are_the_same_everywhere() -> None:
    assert hash_numbers(np.array([1.0])).tolist() == [_splitmix(1.0)]
    assert hash_numbers(np.array([0.0])) == hash_numbers(np.array([-0.0]))
    first: Any = hash_texts(pa.array(["a", "b", "a"]))
    assert first[0] == first[2] != first[1]


def _splitmix(value: float) -> int:
    import struct

    x = struct.unpack("<Q", struct.pack("<d", value))[0]
    mask = 2**64 - 1
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)
