"""A file read once gives the store that reading it twice gives, whatever it holds and wherever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.data import feeds, importer, one_pass
from modellab.data.importer import import_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from modellab.data.store import Store

ROWS = 1500
HEADER = "when,plain,whole,holes,code,flag,digit,place,name,story"
CLEAN = (
    "2020-01-{day:02d} 10:00:{s:02d},{x:.3f},{k},{gap},0{d}7,{yes},{bit},P{p},N{n},"
    "a text of words about {k} and more of it"
)


def line(k: int) -> str:
    """One row of every kind."""
    return CLEAN.format(
        day=k % 28 + 1,
        s=k % 60,
        x=k / 7,
        k=k,
        gap="" if k % 5 == 0 else "NA" if k % 7 == 0 else k * 0.5,
        d=k % 9,
        yes="yes" if k % 3 else "no",
        bit=k % 2,
        p=k % 40,
        n=k % 45,
    )


def rows(change: dict[int, str] | None = None) -> str:
    """The lines of a file; some of them changed."""
    changed = change or {}
    return "\n".join([HEADER, *(changed.get(k, line(k)) for k in range(ROWS))]) + "\n"


def cell(k: int, column: int, text: str) -> dict[int, str]:
    """Row `k` with another cell."""
    cells = line(k).split(",")
    cells[column] = text
    return {k: ",".join(cells)}


def facts(store: Store) -> tuple[object, ...]:
    """All that a store says and holds."""
    columns = [msgspec.structs.replace(column, order=None) for column in store.columns]
    values = [column.to_pylist() for column in store.read(0, store.n_rows).columns]
    return columns, values, store.bad_rows, store.n_rows, store.warnings


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks and segments out of little data."""
    monkeypatch.setattr(one_pass, "SMALL_BYTES", 0)
    monkeypatch.setattr(one_pass, "LOOKED_ROWS", 64)
    monkeypatch.setattr(feeds, "CSV_BLOCK", 20_000)
    monkeypatch.setattr(feeds, "ROWS", 500)


def both(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, bool]:
    """Import once and twice, compare; returns the first, and whether one pass was enough."""
    written = []
    real = importer.write

    def noted(*args: object) -> object:
        written.append(args)
        return real(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(importer, "write", noted)
        once = import_dataset(path, cache=tmp_path / "once")
    with monkeypatch.context() as patch:
        patch.setattr(one_pass, "SMALL_BYTES", 2**40)
        twice = import_dataset(path, cache=tmp_path / "twice")
    assert facts(once) == facts(twice)
    return once, not written


def cells(*odd: tuple[int, str]) -> dict[int, str]:
    """One row after another, each with another cell of a column."""
    return {
        k: text
        for n, (c, value) in enumerate(odd)
        for k, text in cell(900 + 40 * n, c, value).items()
    }


ODD = {
    "clean": ({}, True),
    "numbers": (cells((1, "n/a"), (1, "broken"), (1, "inf"), (1, "nan"), (2, " 17 "), (2, "+42"),
                      (2, "123456789012345678901"), (3, "1.5e3"), (3, "  ")), True),
    "a leading zero": (cells((2, "0042")), True),
    "words": (cells((7, "elsewhere"), (7, " P3 "), (7, "null"), (7, "Zürich – 北京"),
                    (5, "")), True),
    "times": (cells((0, "2020/02/03"), (0, "soon"), (0, "1200-01-01"), (0, "")), True),
    "bad rows": ({900: "1,2,3", 950: "", 1000: line(1) + ",more"}, True),
    "quoted": (cells((7, '"P1, P2"'), (2, '"0042"'), (1, '""'), (1, '"n/a"')), True),
    "unclosed": (cells((7, '"P1')), True),
    "bytes": (cells((7, "caf\udce9")), True),
    "third truth": (cells((5, "maybe")), False),
    "bits no more": (cells((6, "2")), False),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_one_pass_gives_what_two_give(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, enough = ODD[name]
    path = tmp_path / "x.csv"
    path.write_bytes(rows(change).encode("utf-8", "surrogateescape"))
    store, once = both(path, tmp_path, monkeypatch)
    assert once == enough
    assert [column.kind for column in store.columns][:5] == [
        "time", "number", "number", "number", "number"
    ]  # fmt: skip


def test_what_breaks_deep_in_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(rows({**cell(1200, 1, "broken"), **cell(1300, 1, "n/a"), 1400: "1,2"}))
    store = import_dataset(path, cache=tmp_path)
    column = store.column("plain")
    assert (column.kind, column.unfit, column.missing, column.missing_words) == ("number", 1, 2, 1)
    assert (column.unfit_line, column.unfit_text, column.unfit_file) == (1202, "broken", "x.csv")
    assert [(row.line, row.reason) for row in store.bad_rows] == [(1402, "2 cells instead of 10")]
    assert store.read(1199, 1202, ["whole"]).column(0).to_pylist() == [1199, 1200, 1201]
    assert store.read(1200, 1201, ["plain"]).column(0).to_pylist() == [None]


def test_parquet_in_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = ROWS
    k = np.arange(n)
    floats = k / 3.0
    floats[1200] = np.nan
    floats[1300] = np.inf
    table = pa.table(
        {
            "t": pa.array(k * 1_000_000, pa.timestamp("us")),
            "x": floats,
            "i": pa.array(k % 1000, mask=k % 11 == 0),
            "day": pa.array(k.astype(np.int32), pa.int32()).cast(pa.date32()),
            "b": k % 2 == 0,
            "c": pa.array([f"P{v % 40}" if v % 13 else None for v in k]),
            "d": pa.array([f"P{v % 40}" for v in k]).dictionary_encode(),
            "s": pa.array([f"{v} is the number of a text that is long" for v in k]),
            "dec": pa.array([str(v) + ".5" for v in k]).cast(pa.decimal128(9, 1)),
            "digits": pa.array([str(v % 30) for v in k]),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=700)
    _, once = both(tmp_path / "x.parquet", tmp_path, monkeypatch)
    assert once


def test_several_files_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.csv").write_text(rows(cell(100, 1, f"word {number}")))
    store, once = both(folder, tmp_path, monkeypatch)
    assert once
    assert store.n_rows == 3 * ROWS
    assert store.column("plain").unfit_file == "0.csv"


def test_too_many_levels_begin_again_as_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("takers", "kinds"):
        monkeypatch.setattr(f"modellab.data.{room}.MAX_LEVELS", 42)
    path = tmp_path / "x.csv"
    path.write_text(rows())
    store, once = both(path, tmp_path, monkeypatch)
    assert once
    assert store.column("name").kind == "text"
