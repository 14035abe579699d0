"""Rows that are already in a store that is being made can be opened like any store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from modellab.data import feeds, growing, leases, one_pass, segments
from modellab.data.growing import PartialStore
from modellab.data.importer import import_dataset
from modellab.data.segments import BATCH_ROWS
from modellab.data.store import Store
from modellab.errors import DataError

ROWS = 3 * BATCH_ROWS + 5_000
ODD = {70_000: "70000,broken,2020-01-01 00:00:00,Z9,no", 80_000: "too,few"}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_pass, "SMALL_BYTES", 0)
    monkeypatch.setattr(feeds, "CSV_BLOCK", 2**18)
    monkeypatch.setattr(segments, "SEGMENT_BATCHES", 1)
    monkeypatch.setattr(growing, "INTERVAL", 0.0)
    monkeypatch.setattr(growing, "_SHARE_OF_TIME", 1e9)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("growing") / "x.csv"
    with path.open("w") as file:
        file.write("number,half,when,place,yes\n")
        for k in range(ROWS):
            # Later places sort before earlier ones, so that codes move while rows come in.
            place = f"P{9 - k // 30_000}"
            row = f"{k},{k / 2},2020-01-01 00:00:{k % 60:02},{place},{'yes' if k % 3 else 'no'}"
            file.write(ODD.get(k, row) + "\n")
    return path


def lines(store: Store, start: int, stop: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = store.read(start, stop).to_pylist()
    return rows


def test_snapshots_are_the_first_rows_of_the_finished_store(made: Path, tmp_path: Path) -> None:
    seen: list[PartialStore] = []
    store = import_dataset(made, cache=tmp_path, growing=seen.append)
    assert [one.n_rows for one in seen] == [BATCH_ROWS, 2 * BATCH_ROWS, 3 * BATCH_ROWS]
    assert [one.attempt for one in seen] == [0, 0, 0]
    assert 0 < seen[0].share < seen[1].share <= seen[2].share <= 1
    assert seen[0].kinds == {column.name: column.kind for column in store.columns}
    # The import is over and its folder has another name by now.
    for one in seen:
        with one.open() as partial:
            assert partial.unfinished
            assert not store.unfinished
            assert partial.n_rows == one.n_rows
            for start in range(0, one.n_rows, 20_000):
                stop = min(start + 300, one.n_rows)
                assert lines(partial, start, stop) == lines(store, start, stop)
    with seen[0].open() as first:
        levels = first.column("place").levels
        assert levels is not None
        assert {"P7", "P8", "P9"} <= set(levels) < set(store.column("place").levels or [])
    with seen[1].open() as second:
        assert second.column("half").unfit == 1
        assert second.bad_rows == store.bad_rows[: second.bad_row_count] != []


def test_nothing_is_copied_and_nothing_is_left(made: Path, tmp_path: Path) -> None:
    seen: list[PartialStore] = []
    store = import_dataset(made, cache=tmp_path, growing=seen.append)
    name = segments.segment_name(0)
    assert (seen[0].path / name).samefile(store.path / name)
    opened = seen[1].open()
    seen[0].close()
    assert not seen[0].path.exists()
    with pytest.raises(DataError):
        seen[0].open()
    folder = opened.path
    seen.clear()
    # Held by the open store alone.
    assert lines(opened, 5, 6)[0]["number"] == 5.0
    assert folder.is_dir()
    opened.close()
    assert not folder.exists()
    assert [entry for entry in (tmp_path / "stores").iterdir() if entry != store.path] == []


def test_a_finished_store_and_one_found_again_show_nothing(made: Path, tmp_path: Path) -> None:
    import_dataset(made, cache=tmp_path).close()
    seen: list[PartialStore] = []
    import_dataset(made, cache=tmp_path, growing=seen.append).close()
    assert seen == []


def test_what_it_raises_ends_the_import(made: Path, tmp_path: Path) -> None:
    kept: list[PartialStore] = []

    def stop(partial: PartialStore) -> None:
        kept.append(partial)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(made, cache=tmp_path, growing=stop)
    with kept[0].open() as store:
        assert lines(store, 7, 8)[0]["number"] == 7.0


def test_parquet_and_sources_read_twice(made: Path, tmp_path: Path) -> None:
    table = pyarrow.csv.read_csv(
        made,
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=lambda row: "skip"),
        convert_options=pyarrow.csv.ConvertOptions(column_types={"half": pyarrow.string()}),
    )
    pq.write_table(table, tmp_path / "x.parquet")
    with (tmp_path / "x.jsonl").open("w") as file:
        for k in range(BATCH_ROWS + 10):
            file.write(json.dumps({"a": k, "b": f"word{k % 3}"}) + "\n")
    for name, rows in (("x.parquet", 3 * BATCH_ROWS), ("x.jsonl", BATCH_ROWS)):
        seen: list[PartialStore] = []
        store = import_dataset(tmp_path / name, cache=tmp_path, growing=seen.append)
        assert seen[-1].n_rows == rows
        assert seen[-1].settled == (name == "x.jsonl")
        with seen[-1].open() as partial:
            assert lines(partial, rows - 9, rows) == lines(store, rows - 9, rows)
        assert seen[-1].kinds == {column.name: column.kind for column in store.columns}


def test_another_kind_deep_in_the_file_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    with path.open("w") as file:
        file.write("a,b\n")
        for k in range(3 * BATCH_ROWS):
            file.write(f"{k if k < 2 * BATCH_ROWS else 'x'},{k}\n")
    seen: list[PartialStore] = []
    store = import_dataset(path, cache=tmp_path, growing=seen.append)
    assert store.column("a").kind == "text"
    assert [(one.attempt, one.settled, one.kinds["a"]) for one in seen] == [
        (0, False, "number"),
        (0, False, "number"),
        (0, False, "number"),
        (1, True, "text"),
        (1, True, "text"),
        (1, True, "text"),
    ]
    with seen[0].open() as first:
        assert lines(first, 3, 4) == [{"a": 3.0, "b": 3.0}]


def test_another_process_keeps_a_snapshot(made: Path, tmp_path: Path) -> None:
    seen: list[PartialStore] = []
    import_dataset(made, cache=tmp_path, growing=seen.append).close()
    child = """
import sys
from modellab.data.store import Store
store = Store(sys.argv[1])
print(store.read(0, 1).to_pylist()[0]["number"], flush=True)
input()
print(store.read(65_535, 65_536).to_pylist()[0]["number"], flush=True)
"""
    path = seen[0].path
    with subprocess.Popen(
        [sys.executable, "-c", child, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "0.0\n"
        seen[0].close()
        assert path.is_dir()
        assert other.communicate("\n")[0] == "65535.0\n"
    # Its process is living: kept; when none has it open, a later look deletes it.
    leases.drop_partial(path)
    assert not path.exists()
