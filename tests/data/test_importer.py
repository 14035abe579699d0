"""The store: what is written, found again, evicted, sorted; cancelling; bounded memory."""

from __future__ import annotations

import errno
import gc
import re
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.data import feeds, importer, leases
from modellab.data.importer import import_dataset
from modellab.data.store import BATCH_ROWS, Store, segment_name
from modellab.errors import Cancelled, DataError


def put(folder: Path, text: str | bytes, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def stores(cache: Path) -> list[Path]:
    return sorted((cache / "stores").iterdir())


def test_kinds_values_and_facts(tmp_path: Path) -> None:
    text = (
        "n,c,flag,when,words\n"
        "1,a,yes,2020-01-01,Some words that are long enough to be a text\n"
        ",b,no,2020-01-02,Other words that are long enough to be a text\n"
        "2.5,a,,,\n"
    )
    text += "".join(f"{k},b,yes,2020-02-01,Words number {k} of this column of texts\n"
                    for k in range(97))  # fmt: skip
    store = import_dataset(put(tmp_path, text), cache=tmp_path)
    assert [c.kind for c in store.columns] == ["number", "category", "boolean", "time", "text"]
    table = store.read(0, 3)
    assert table.column("n").to_pylist() == [1.0, None, 2.5]
    assert table.column("c").to_pylist() == ["a", "b", "a"]
    assert table.column("flag").to_pylist() == [True, False, None]
    assert [str(v)[:10] for v in table.column("when").to_pylist()] == [
        "2020-01-01", "2020-01-02", "None",
    ]  # fmt: skip
    assert table.column("words").to_pylist()[2] is None
    assert [c.missing for c in store.columns] == [1, 0, 1, 1, 1]
    assert [c.nullable for c in store.columns] == [True, False, True, True, True]
    assert store.levels("c") == ["a", "b"]
    assert store.levels("flag") == ["no", "yes"]
    assert (store.n_rows, store.name, store.bad_row_count) == (100, "x.csv", 0)
    assert store.bad_rows == []
    assert store.read(98, 200).num_rows == 2
    assert store.read(50, 50).schema == table.schema
    with pytest.raises(DataError, match=r"“x.csv” has no column “word”. Did you mean “words”\?"):
        store.column("word")


def test_unfit_values_are_counted_with_their_first_line(tmp_path: Path) -> None:
    lines = ["a,b"] + [f"{k},x" for k in range(1000)]
    lines[500] = "oops,x"
    lines[400] = "1,x,too many"
    lines[900] = "inf,x"
    store = import_dataset(put(tmp_path, "\n".join(lines)), cache=tmp_path)
    a = store.column("a")
    assert (a.kind, a.unfit, a.unfit_line, a.unfit_text, a.unfit_file) == (
        "number", 1, 501, "oops", "x.csv",
    )  # fmt: skip
    assert (a.infinite, a.missing, store.n_rows) == (1, 2, 999)
    assert [(b.line, b.reason) for b in store.bad_rows] == [(401, "3 cells instead of 2")]
    spooled = store.bad_rows_path.read_text().splitlines()
    assert spooled == ["file,line,reason,text", 'x.csv,401,3 cells instead of 2,"1,x,too many"']


def test_any_range_over_several_batches(tmp_path: Path) -> None:
    n = 2 * BATCH_ROWS + 1234
    table = pa.table({"i": np.arange(n), "c": [f"k{k % 7}" for k in range(n)]})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=10_000)
    store = import_dataset(tmp_path / "x.parquet", cache=tmp_path)
    for start, stop in ((0, n), (BATCH_ROWS - 1, BATCH_ROWS + 1), (n - 5, n + 5), (-3, 2), (7, 3)):
        got = store.read(start, stop)
        low, high = max(start, 0), max(min(stop, n), 0)
        assert got.column("i").to_pylist() == list(map(float, range(low, high)))
        assert got.column("c").to_pylist() == [f"k{k % 7}" for k in range(low, high)]
    only = store.read(10, 20, ["c", "i"])
    assert only.column_names == ["c", "i"]
    assert len(store._rows.batch(0)) == BATCH_ROWS


def test_other_kinds_are_served_by_conversion(tmp_path: Path) -> None:
    text = "n,c,b,t\n1,10,yes,2020-01-01\n2,x,no,2020-01-02 12:00\n,3,,\n1,10,no,2020-01-01\n"
    store = import_dataset(put(tmp_path, text), cache=tmp_path)

    def as_kind(name: str, kind: Any) -> list[Any]:
        return store.column_as(name, kind, 0, 4).to_pylist()

    assert [c.kind for c in store.columns] == ["number", "category", "boolean", "time"]
    assert as_kind("n", "category") == ["1", "2", None, "1"]
    assert store.levels("n", "category") == ["1", "2"]
    assert as_kind("n", "text") == ["1", "2", None, "1"]
    assert as_kind("n", "boolean") == [True, None, None, True]
    assert as_kind("c", "number") == [10.0, None, 3.0, 10.0]
    assert as_kind("b", "number") == [1.0, 0.0, None, 0.0]
    assert as_kind("b", "category") == ["yes", "no", None, "no"]
    assert as_kind("t", "text") == ["2020-01-01", "2020-01-02 12:00:00", None, "2020-01-01"]
    assert as_kind("t", "number")[0] == 1577836800.0
    assert as_kind("t", "category")[3] == "2020-01-01"
    assert store.read(0, 4, kinds={"n": "text"}).column("c").to_pylist() == ["10", "x", "3", "10"]
    codes = store.column_as("n", "category", 3, 4)
    assert codes.indices.to_pylist() == [0]  # one dictionary for all ranges


def test_a_chosen_kind_gets_back_what_detection_lost(tmp_path: Path) -> None:
    lines = ["a,b", *(f"00{k % 9},{k}" for k in range(300)), "gone,1"]
    path = put(tmp_path, "\n".join(lines))
    store = import_dataset(path, cache=tmp_path)
    assert store.column("a").kind == "number"
    assert store.column("a").unfit == 1
    # Nothing is lost for b: the same store serves it.
    same = import_dataset(path, kinds={"b": "category"}, cache=tmp_path)
    assert same.path == store.path
    other = import_dataset(path, kinds={"a": "category"}, cache=tmp_path)
    assert other.path != store.path
    assert other.column("a").kind == "category"
    assert other.column("a").missing == 0
    assert other.levels("a")[:2] == ["000", "001"] or "gone" in other.levels("a")
    assert "gone" in other.levels("a")


def test_the_same_content_is_read_once(tmp_path: Path) -> None:
    path = put(tmp_path, "a\n1\n2\n")
    told: list[float] = []
    first = import_dataset(path, cache=tmp_path, progress=lambda d, t, s="": told.append(d / t))
    assert told == sorted(told)
    assert told[-1] == 1.0
    again: list[float] = []
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    path.rename(moved / "x.csv")
    second = import_dataset(
        moved / "x.csv", cache=tmp_path, progress=lambda d, t, s="": again.append(d)
    )
    assert second.path == first.path
    assert again == []
    assert second.source_paths == [str(moved / "x.csv")]
    (moved / "x.csv").write_text("a\n1\n3\n")
    assert import_dataset(moved / "x.csv", cache=tmp_path).path != first.path


def test_a_broken_store_is_made_again(tmp_path: Path) -> None:
    path = put(tmp_path, "a\n1\n2\n")
    store = import_dataset(path, cache=tmp_path)
    store.close()
    (store.path / segment_name(0)).write_bytes(b"ARROW1 no more")
    with pytest.raises(DataError, match="is not complete: open the data file again"):
        Store(store.path)
    assert import_dataset(path, cache=tmp_path).read(0, 2).column("a").to_pylist() == [1.0, 2.0]


@pytest.mark.parametrize("when", [0, 1, 2])
def test_cancelling_leaves_nothing_behind(tmp_path: Path, when: int) -> None:
    path = put(tmp_path, "a,b\n" + "1,x\n" * 1_200_000)
    calls = 0

    def give_up(done: float, total: float, text: str = "") -> None:
        nonlocal calls
        calls += 1
        if calls > when:
            raise Cancelled

    with pytest.raises(Cancelled):
        import_dataset(path, cache=tmp_path, progress=give_up)
    assert stores(tmp_path) == []


def test_a_file_that_changes_or_vanishes_meanwhile(tmp_path: Path) -> None:
    path = put(tmp_path, "a,b\n" + "1,x\n" * 600_000)

    def grow(done: float, total: float, text: str = "") -> None:
        with path.open("a") as file:
            file.write("2,y\n")

    with pytest.raises(DataError, match=r"“x.csv” changed while it was being read: open it again"):
        import_dataset(path, cache=tmp_path, progress=grow)

    def vanish(done: float, total: float, text: str = "") -> None:
        path.unlink(missing_ok=True)

    with pytest.raises(DataError, match=r"“x.csv” disappeared while it was being read\."):
        import_dataset(path, cache=tmp_path, progress=vanish)
    assert stores(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n", "“x.csv” has a header but no rows below it."),
        ("a,b\n1\n2\n", "No row of “x.csv” can be read: in line 2 there is 1 cell instead of 2."),
    ],
)
def test_no_rows(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        import_dataset(put(tmp_path, text), cache=tmp_path)
    assert caught.value.sentence == sentence
    assert stores(tmp_path) == []


def test_no_rows_in_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"“x.parquet” has columns but no rows\."):
        import_dataset(tmp_path / "x.parquet", cache=tmp_path)


def test_a_western_european_file_is_read_as_such(tmp_path: Path) -> None:
    text = "Straße,n\n" + "".join(f"Köln {k % 3},{k}\n" for k in range(200))
    store = import_dataset(put(tmp_path, text.encode("cp1252")), cache=tmp_path)
    assert store.names == ["Straße", "n"]
    assert store.levels("Straße") == ["Köln 0", "Köln 1", "Köln 2"]
    assert store.bad_row_count == 0
    assert store.warnings == [
        "“x.csv” is not UTF-8: it is read as Windows-1252 (Western European)."
    ]
    # One odd byte in a UTF-8 file costs one row instead.
    data = "é,n\n".encode() + b"".join(f"é{k % 3},{k}\n".encode() for k in range(500)) + b"\xe9,1\n"
    store = import_dataset(put(tmp_path, data), cache=tmp_path)
    assert store.bad_row_count == 1
    assert store.levels("é") == ["é0", "é1", "é2"]


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "a\n1\n")

    def no_space(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(importer.leases, "write_json", no_space)
        with pytest.raises(DataError, match="There is not enough room on the disk to store"):
            import_dataset(path, cache=tmp_path)
    usage = type("Usage", (), {"free": 3})
    monkeypatch.setattr(importer.shutil, "disk_usage", lambda path: usage)
    # What little there is room for is an index of the rows.
    store = import_dataset(path, cache=tmp_path)
    assert store.read(0, 1).column("a").to_pylist() == [1.0]
    assert re.search(r"not enough room .* \(about 1 MB\)", store.warnings[0])
    assert stores(tmp_path) == [store.path]


def test_the_oldest_unused_store_goes_first(tmp_path: Path) -> None:
    paths = [put(tmp_path, f"a\n{k}\n5\n", f"{k}.csv") for k in range(4)]
    opened = [import_dataset(path, cache=tmp_path) for path in paths[:3]]
    import os

    for age, store in enumerate(opened):
        os.utime(store.path, (1000 + age, 1000 + age))
    opened[1].close()
    opened[2].close()
    last = import_dataset(paths[3], cache=tmp_path, budget_bytes=1)
    # The first is still open here, the last was just made.
    assert set(stores(tmp_path)) == {opened[0].path, last.path}
    assert opened[0].read(0, 2).column("a").to_pylist() == [0.0, 5.0]
    assert leases.used_bytes(tmp_path) > 0
    opened[0].close()
    last.close()
    assert len(leases.clear(tmp_path)) == 2
    assert stores(tmp_path) == []


def test_leases_of_dead_processes_do_not_count(tmp_path: Path) -> None:
    store = import_dataset(put(tmp_path, "a\n1\n2\n"), cache=tmp_path)
    store.close()
    (store.path / "lease-999999999-dead").touch()
    part = tmp_path / "stores" / "k.part-999999999-dead"
    part.mkdir()
    assert leases.clear(tmp_path) == [store.path.name]
    assert stores(tmp_path) == []


def test_two_who_import_at_once_get_the_same_store(tmp_path: Path) -> None:
    path = put(tmp_path, "a,b\n" + "1,x\n" * 100_000)
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: import_dataset(path, cache=tmp_path), range(3)))
    assert len({store.path for store in found}) == 1
    assert stores(tmp_path) == [found[0].path]
    assert all(store.read(99_999, 100_000).num_rows == 1 for store in found)


def test_sorting_is_stable_and_found_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = BATCH_ROWS + 5000
    days = rng.integers(0, 300, n)
    lines = ["t,i"]
    lines += [
        f"{np.datetime64('2020-01-01') + int(d)},{k}" if k % 1000 else f",{k}"
        for k, d in enumerate(days)
    ]
    path = put(tmp_path, "\n".join(lines))
    store = import_dataset(path, cache=tmp_path)
    first = store.column("t").out_of_order
    known = np.array([k for k in range(n) if k % 1000])
    drops = np.flatnonzero(np.diff(days[known]) < 0)
    assert first == known[drops[0] + 1]
    ordered = import_dataset(path, sort_by="t", cache=tmp_path)
    assert ordered.n_rows == n
    expected = np.concatenate(
        [known[np.argsort(days[known], kind="stable")], np.arange(0, n, 1000)]
    )
    got = ordered.column_as("i", "number", 0, n).to_numpy().astype(int)
    assert got.tolist() == expected.tolist()
    assert ordered.column("t").out_of_order is None
    assert ordered.meta.sort_by == "t"
    assert ordered.meta.sorted_missing == len(range(0, n, 1000))
    assert import_dataset(path, sort_by="t", cache=tmp_path).path == ordered.path
    # What is in order already is not copied.
    in_order = put(tmp_path, "t,i\n2020-01-01,1\n2020-01-02,2\n", "y.csv")
    assert (
        import_dataset(in_order, sort_by="t", cache=tmp_path).path
        == import_dataset(in_order, cache=tmp_path).path
    )


def test_order_is_checked_across_chunks_and_gaps(tmp_path: Path) -> None:
    n = 2 * BATCH_ROWS
    stamps = np.arange(n) * 1000
    stamps[BATCH_ROWS] = stamps[BATCH_ROWS - 1] - 1
    table = pa.table({"t": pa.array(stamps, pa.timestamp("ms"))})
    pq.write_table(table, tmp_path / "x.parquet")
    assert import_dataset(tmp_path / "x.parquet", cache=tmp_path).column("t").out_of_order == (
        BATCH_ROWS
    )


def test_memory_does_not_follow_the_size_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "CSV_BLOCK", 2**19)  # so that both have more than are in work
    values = np.random.default_rng(1).normal(size=5000)
    block = "".join(
        f"{x:.6f},{k % 99},name {k % 50},2020-01-01T00:{k % 60:02d}:00,a text of words {x:.9f}\n"
        for k, x in enumerate(values)
    )

    def peak(times: int) -> int:
        path = tmp_path / f"{times}.csv"
        with path.open("w") as file:
            file.write("x,w,c,t,s\n")
            for _ in range(times):
                file.write(block)
        gc.collect()
        highest = 0

        def watch(done: float, total: float, text: str = "") -> None:
            nonlocal highest
            highest = max(highest, pa.total_allocated_bytes())

        start = pa.total_allocated_bytes()
        tracemalloc.start()
        import_dataset(path, cache=tmp_path, progress=watch).close()
        python = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest - start + python

    small, large = peak(20), peak(60)  # about 7 and 21 MB
    assert small > 2**20
    assert large < 1.3 * small + 2**21
