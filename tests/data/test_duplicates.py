"""Rows that are there more than once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.data import duplicates
from modellab.data.duplicates import duplicate_rows
from modellab.data.importer import import_dataset
from modellab.data.notes import worth_knowing
from modellab.data.profile import profile
from modellab.experiment import DataSpec

CELL = st.tuples(
    st.sampled_from([0.0, -0.0, 1.5, None]),
    st.sampled_from(["a", "b", None]),
    st.sampled_from(["long text one", "long text two", None]),
    st.sampled_from([True, False, None]),
    st.sampled_from([0, 10**9, None]),
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(CELL, min_size=2, max_size=30))
def test_as_counted_one_by_one(
    rows: list[tuple[object, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    class Rows:
        n_rows = len(rows)

        def read(self, start: int, stop: int) -> pa.Table:
            number, level, text, flag, when = zip(*rows[start:stop], strict=True)
            return pa.table(
                {
                    "number": pa.array(number, pa.float64()),
                    "level": pa.array(level, pa.string()).dictionary_encode(),
                    "text": pa.array(text, pa.large_string()),
                    "flag": pa.array(flag, pa.bool_()),
                    "when": pa.array(when, pa.timestamp("ns", "UTC")),
                }
            )

    seen: dict[tuple[object, ...], int] = {}
    again = [(k, seen[row]) for k, row in enumerate(rows) if seen.setdefault(row, k) != k]
    first, of = again[0] if again else (None, None)
    found = duplicate_rows(Rows())  # type: ignore[arg-type]
    assert (found.count, found.looked, found.first, found.of) == (
        len(again), len(rows), first, of,
    )  # fmt: skip


def made(path: Path, rows: int, twice: int) -> Path:
    x = np.random.default_rng(1).normal(size=rows)
    x[twice] = x[twice - 3]
    late = np.arange(rows) % 2 == 0
    late[twice] = late[twice - 3]
    pq.write_table(pa.table({"x": x, "late": late}), path)
    return path


def test_it_is_worth_knowing(tmp_path: Path) -> None:
    with import_dataset(made(tmp_path / "a.parquet", 900, 500), cache=tmp_path) as store:
        notes = worth_knowing(store, profile(store), DataSpec(path="a", target="late"), 300)
    (note,) = [note for note in notes if note.id == "duplicates"]
    assert (note.severity, note.title) == ("info", "1 row is there more than once")
    assert note.text == (
        "1 row equals an earlier one in every column; the first is row 500, which equals row 497. "
        "They are replayed as they are."
    )


def test_what_chance_makes_is_not_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    few = {"a": rng.integers(0, 30, 2000), "b": rng.integers(0, 30, 2000).astype(float)}
    pq.write_table(pa.table(few), tmp_path / "a.parquet")
    with import_dataset(tmp_path / "a.parquet", cache=tmp_path) as store:
        found = duplicate_rows(store)
        assert found.count > 1000
        assert found.by_chance == pytest.approx(2000**2 / 2 / 900, rel=0.05)
        notes = worth_knowing(store, profile(store), DataSpec(path="a", target="a"), 500)
    assert "duplicates" not in {note.id for note in notes}


def test_of_many_rows_stretches_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "LOOKED_ROWS", 400)
    monkeypatch.setattr(duplicates, "_STRETCH", 100)
    with import_dataset(made(tmp_path / "a.parquet", 1000, 50), cache=tmp_path) as store:
        found = duplicate_rows(store)
        assert (found.count, found.looked, found.first, found.of) == (1, 400, 50, 47)
    stretches = list(duplicates._stretches(1000))
    assert stretches == [(0, 100), (300, 400), (600, 700), (900, 1000)]
