"""Export: what is written is read back as the same, and no cell is a formula on request."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from modellab.data.exporting import export_data, harmless
from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.errors import Cancelled, DataError

HARM = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\ttab", "fine", "a=b", 'quo"te, and\nline']


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("export")
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["=name", "n", "when", "flag", "word"])
        for k in range(400):
            number = "" if k % 7 == 0 else repr(-k / 7)
            when = f"{1960 + k % 90}-03-0{k % 9 + 1}T10:00:00.{k % 10}"
            flag = ("yes", "no")[k % 2]
            out.writerow([f"{HARM[k % 8]} {k}", number, when, flag, HARM[k % 8]])
            if k % 100 == 50:
                out.writerow(["=bad", "too", "few"])
    with import_dataset(folder / "a.csv", cache=folder / "cache") as opened:
        assert [c.kind for c in opened.columns] == ["text", "number", "time", "boolean", "category"]
        yield opened


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_what_is_written_is_read_back_as_the_same(
    ending: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modellab.data.exporting.ROWS", 150)
    path = tmp_path / f"out{ending}"
    assert export_data(store, path) == [path]
    kinds = {column.name: column.kind for column in store.columns}
    with import_dataset(path, cache=tmp_path / "c") as again:
        found = again.read(0, again.n_rows, kinds=kinds)
        # Blanks around a category are no part of it.
        assert found.to_pylist() == store.read(0, store.n_rows).to_pylist()


def test_no_cell_is_a_formula_on_request(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    written = export_data(store, path, neutralise=True, bad_rows=True)
    assert [file.name for file in written] == ["out.csv", "out.bad_rows.csv"]
    for file in written:
        with file.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.reader(opened))
        for row in rows:
            for at, cell in enumerate(row):
                number = file is path and at == 1
                assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
    with path.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.reader(opened))
    assert rows[0][0] == "'=name"
    assert {row[4] for row in rows[1:]} == {harmless(text).strip() for text in HARM} - {
        "'\ttab"
    } | {"tab"}
    assert float(rows[2][1]) == -1 / 7  # numbers stay numbers
    with written[1].open(newline="", encoding="utf-8") as opened:
        bad = list(csv.reader(opened))
    assert len(bad) == 5
    assert bad[1][3] == "'=bad,too,few"


def test_without_asking_nothing_is_changed(store: Store, tmp_path: Path) -> None:
    (path,) = export_data(store, tmp_path / "out.csv")
    with path.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.reader(opened))
    assert rows[0][0] == "=name"
    assert rows[1][0] == "=1+1 0"


def test_what_cannot_be_written_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"end its name in \.parquet or \.csv"):
        export_data(store, tmp_path / "out.xlsx")
    with pytest.raises(DataError, match="the data set itself"):
        export_data(store, Path(store.source_paths[0]))
    with pytest.raises(DataError, match="cannot be written"):
        export_data(store, tmp_path / "no" / "out.csv")


def test_cancelling_leaves_the_old_file(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def stop(done: float, total: float, text: str = "") -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        export_data(store, path, progress=stop)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("out.csv", "old")]


def test_the_command_line_exports(store: Store, tmp_path: Path, modellab_home: Path) -> None:
    from modellab.cli.data import export_file
    from modellab.errors import LabError

    given = {"neutralise": True, "bad_rows": True, "read": ["delimiter=comma"]}
    out = tmp_path / "out.csv"
    export_file(Path(store.source_paths[0]), out, force=False, **given)  # type: ignore[arg-type]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.bad_rows.csv", "out.csv"]
    with pytest.raises(LabError, match="add --force"):
        export_file(Path(store.source_paths[0]), out, force=False, **given)  # type: ignore[arg-type]
