"""Where the disk has no room for a store, rows come from the file: the same, to the bit."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.data import feeds, json_source
from modellab.data.importer import import_dataset
from modellab.data.store import BATCH_ROWS, Store
from modellab.errors import DataError
from modellab.experiment import ReadingSpec
from modellab.experiment_file import loads
from modellab.replay.replay import Replay
from modellab.replay.run import collect

if TYPE_CHECKING:
    from pathlib import Path

ROWS = BATCH_ROWS + 9000
TINY = 100_000
"""Bytes that stores may take: far too few."""


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a word among its numbers, a bad row, and other values late."""
    path = tmp_path_factory.mktemp("streamed") / "x.csv"
    rng = np.random.default_rng(4)
    x = rng.normal(size=ROWS).round(4)
    late = np.where(x + rng.normal(size=ROWS) > 0, "yes", "no")
    odd = {500: "1,2", 40_000: "2020-01-01 00:00:00,broken,n/a,P1,yes,0", 60_000: ""}
    with path.open("w") as file:
        file.write("when,x,gaps,place,late,bit\n")
        for k in range(ROWS):
            stamp = np.datetime64("2020-01-01T00:00:00") + np.timedelta64(k, "s")
            place = "Q7" if k == ROWS - 5 else f"P{k % 40}"
            row = f"{stamp},{x[k]},{k if k % 3 else ''},{place},{late[k]},{k % 2}"
            file.write(odd.get(k, row) + "\n")
    return path


@pytest.fixture(scope="module")
def parquet(csv: Path) -> Path:
    """Typed rows in several groups."""
    k = np.arange(ROWS)
    table = pa.table(
        {
            "when": pa.array(k * 10**9, pa.timestamp("ns")),
            "x": pa.array(k / 7, mask=k % 11 == 0),
            "n": k % 300,
            "place": [f"P{v % 40}" for v in k],
            "story": [f"a long story about the number {v}" for v in k],
        }
    )
    path = csv.with_suffix(".parquet")
    pq.write_table(table, path, row_group_size=20_000)
    return path


@pytest.fixture(scope="module")
def pairs(
    csv: Path, parquet: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Store, Store]]:
    """The store and the streamed rows of each file."""
    folder = tmp_path_factory.mktemp("pairs")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeds, "CSV_BLOCK", 2**18)
        for path in (csv, parquet):
            stored = import_dataset(path, cache=folder / "stored")
            streamed = import_dataset(path, cache=folder / "streamed", budget_bytes=TINY)
            found[path.suffix] = (stored, streamed)
    return found


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_the_same_rows_in_any_order(
    ending: str, pairs: dict[str, tuple[Store, Store]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "CSV_BLOCK", 2**18)
    stored, streamed = pairs[ending]
    assert streamed.meta.streamed
    assert not list(streamed.path.glob("*.arrow"))
    plain = [msgspec.structs.replace(column, order=None) for column in stored.columns]
    assert [msgspec.structs.replace(c, order=None) for c in streamed.columns] == plain
    assert streamed.bad_rows == stored.bad_rows
    # To the end, back to the beginning, into the middle, over the end of a batch.
    for start, stop in [(0, ROWS), (3, 9), (40_000, 41_000), (BATCH_ROWS - 5, BATCH_ROWS + 5)]:
        assert streamed.read(start, stop).equals(stored.read(start, stop))
    as_text = streamed.column_as("x", "text", 70_000, 70_010)
    assert as_text.equals(stored.column_as("x", "text", 70_000, 70_010))


def test_it_says_so_and_is_found_again(csv: Path, pairs: dict[str, tuple[Store, Store]]) -> None:
    _, streamed = pairs[".csv"]
    (sentence,) = streamed.warnings
    assert sentence.startswith("There is not enough room on the disk to store the data (about ")
    assert sentence.endswith(
        "The rows are read from the file itself: it must stay where it is, and going back in it "
        "takes longer."
    )
    again = import_dataset(csv, cache=streamed.path.parent.parent, budget_bytes=TINY)
    assert again.path == streamed.path
    again.close()


def test_a_replay_gives_the_same(
    csv: Path, pairs: dict[str, tuple[Store, Store]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "CSV_BLOCK", 2**18)
    text = (
        f'modellab = 1\n[data]\npath = "{csv.name}"\ntarget = "late"\n[split]\ntrain = 60000\n'
        '[[lane]]\nname = "L"\n[lane.learner]\nkind = "linear"\n[lane.policy]\nkind = "online"\n'
    )
    found = []
    for store in pairs[".csv"]:
        replay = Replay(loads(text), store)
        replay.prepare()
        replay.advance(replay.stop)
        replay.seek(62_000)  # back to where the file was read long ago
        replay.advance(replay.stop)
        found.append(collect(replay).lanes[0].metrics)
        replay.close()
    assert found[0] == found[1]


def test_a_file_that_changed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{k},w{k % 9}\n" for k in range(5000)))
    store = import_dataset(path, cache=tmp_path / "cache", budget_bytes=1000)
    assert store.meta.streamed
    path.write_text("a,b\n" + "1,w1\n" * 5001)
    with pytest.raises(DataError, match=r"“x\.csv” changed"):
        store.read(0, 10)
    with pytest.raises(DataError, match=r"“x\.csv” changed since it was opened: open it again"):
        Store(store.path)
    assert import_dataset(path, cache=tmp_path / "cache", budget_bytes=1000).n_rows == 5001


def same(
    path: Path | str, folder: Path, budget: int = 1000, **how: Any
) -> tuple[list[dict[str, Any]], Store]:
    """Read a file with and without room: the same rows. Returns them."""
    stored = import_dataset(path, cache=folder / "stored", **how)
    streamed = import_dataset(path, cache=folder / "streamed", budget_bytes=budget, **how)
    assert (stored.meta.streamed, streamed.meta.streamed) == (False, True)
    rows = stored.n_rows
    for start, stop in [(0, rows), (rows // 2, rows), (1, 3), (rows - 2, rows)]:
        assert streamed.read(start, stop).equals(stored.read(start, stop))
    told = [msgspec.structs.replace(column, order=None) for column in stored.columns]
    assert [msgspec.structs.replace(column, order=None) for column in streamed.columns] == told
    assert streamed.bad_rows == stored.bad_rows
    # Another process would open it by its folder.
    with Store(streamed.path) as again:
        assert again.read(2, 9).equals(stored.read(2, 9))
    found: list[dict[str, Any]] = stored.read(0, rows).to_pylist()
    stored.close()
    return found, streamed


def lines(count: int = 3000) -> str:
    return "a,b,c\n" + "".join(
        f"{k if k % 7 else 'word'},{('NA', '-9', 'x y')[k % 3]},{k % 5}\n" for k in range(count)
    )


def test_kinds_that_were_chosen_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    numbers = "".join(f"{k % 9:03},{k if k != 700 else 'n/k'}\n" for k in range(3000))
    path.write_text("code,mixed\n" + numbers)
    rows, streamed = same(path, tmp_path, kinds={"code": "category", "mixed": "text"})
    assert rows[1] == {"code": "001", "mixed": "1"}
    assert rows[700] == {"code": "007", "mixed": "n/k"}
    assert streamed.levels("code")[:2] == ["000", "001"]
    assert len(streamed.warnings) == 1


@pytest.mark.parametrize(
    ("text", "how", "first"),
    [
        (lines(), {"missing": ["-9", "word"]}, {"a": None, "b": "NA", "c": 0.0}),
        (lines().replace(",", "||"), {"delimiter": "||"}, {"a": "word", "b": None, "c": 0.0}),
        (lines().replace("x y", "'x, y'"), {"quote": "single"}, {"a": "word", "b": None, "c": 0}),
        (lines().replace("\n", "\r"), {}, {"a": "word", "b": None, "c": 0.0}),
        ("a;b\n" + "1.234.567,5;'x'\n1.234,25;'y;z'\n" * 900, {}, {"a": 1234567.5, "b": "x"}),
    ],
)
def test_whatever_is_done_to_cells_is_done_to_streamed_ones(
    text: str, how: dict[str, Any], first: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    rows, _ = same(path, tmp_path, reading=ReadingSpec(**how))
    assert rows[0] == first


def test_every_format_can_be_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_source, "_ARRAY_ROWS", 700)
    objects = [{"a": k / 4, "b": f"w{k % 4}", "c": f"text number {k}"} for k in range(3000)]
    table = pa.Table.from_pylist(objects)
    (tmp_path / "x.json").write_text(json.dumps(objects))
    # The last row cannot be read, and is told of all the same.
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, objects)) + "\n{oops\n")
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(lines().encode()))
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), table.schema) as out:
        out.write_table(table, max_chunksize=700)
    with sqlite3.connect(tmp_path / "x.sqlite") as base:
        base.execute("CREATE TABLE t (a, b, c)")
        base.executemany("INSERT INTO t VALUES (?, ?, ?)", [tuple(o.values()) for o in objects])
        base.execute("CREATE TABLE u (a)")
    base.close()
    for part in range(2):
        (tmp_path / "hive" / f"piece={part}").mkdir(parents=True)
        pq.write_table(
            table.slice(part * 1500, 1500), tmp_path / "hive" / f"piece={part}/x.parquet"
        )
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("one.csv", lines(1000))
        archive.writestr("two.csv", lines(900))
    names = ["x.json", "x.jsonl", "x.csv.gz", "x.arrow", "x.sqlite::t", "hive", "x.zip",
             "x.zip::two.csv", "x.sqlite::SELECT a / 2 AS half, b FROM t WHERE a > 3"]  # fmt: skip
    for name in names:
        rows, streamed = same(tmp_path / name, tmp_path / name.partition(":")[2][:4] / "c")
        assert len(rows) == streamed.n_rows > 800
        streamed.close()


def test_sorting_needs_room_and_says_so(csv: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        import_dataset(csv, cache=tmp_path, budget_bytes=TINY, sort_by="x", kinds={"x": "time"})
    assert caught.value.sentence == (
        "There is not enough room on the disk to sort the rows by “x”, which takes a sorted copy "
        f"of them: make room in “{tmp_path / 'stores'}”, choose another cache folder, or sort the "
        "file itself and open it again."
    )
