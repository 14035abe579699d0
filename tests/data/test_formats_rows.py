"""What each format does with bad rows, odd values, names and choices."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import sys
import zipfile
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.data import duckdb_source, json_source, sqlite_source
from modellab.data.endings import READABLE
from modellab.data.importer import import_dataset
from modellab.data.opening import names_data, open_source, split_inner
from modellab.data.source import BadRow
from modellab.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def read(path: object) -> tuple[dict[str, list[object]], list[int], list[BadRow], list[str]]:
    """Columns, the line of every row, the bad rows and the warnings."""
    source = open_source(path)  # type: ignore[arg-type]
    bad: list[BadRow] = []
    columns: dict[str, list[object]] = {column.name: [] for column in source.columns}
    lines: list[int] = []
    for chunk in source.chunks(bad.append):
        for name, values in chunk.batch.to_pydict().items():
            columns[name] += values
        lines += [chunk.line_of(k) for k in range(len(chunk.batch))]
    return columns, lines, bad, source.warnings


def put(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_json_lines_set_aside_with_their_line(tmp_path: Path) -> None:
    text = b'{"a": 1, "b": "x"}\n\n{oops\n[1]\n{"a": 2, "b": "\xff"}\n{"b": null, "a": 1e3}\n'
    columns, lines, bad, _ = read(put(tmp_path, "x.jsonl", text))
    assert columns == {"a": ["1", "1e3"], "b": ["x", None]}
    assert lines == [1, 6]
    assert [(row.line, row.reason) for row in bad] == [
        (3, "the line is not valid JSON"),
        (4, "the line is no JSON object"),
        (5, "bytes that are not UTF-8 text"),
    ]
    assert bad[0].text == "{oops"


def test_json_keeps_digits_and_flattens_objects(tmp_path: Path) -> None:
    text = '[{"n": 123456789012345678901234567890, "o": {"p": {"q": true}, "l": [1, "ü"]}},\n'
    text += ' 7,\n {"n": NaN, "s": "\\ud800x", "o": {}}]'
    columns, lines, bad, _ = read(put(tmp_path, "x.json", text))
    assert columns == {
        "n": ["123456789012345678901234567890", "NaN"],
        "o.p.q": ["true", None],
        "o.l": ['["1", "ü"]', None],
        "s": [None, "?x"],
        "o": [None, "{}"],
    }
    assert lines == [1, 3]
    assert [(row.line, row.reason) for row in bad] == [(2, "the element is no JSON object")]


def test_a_key_that_comes_too_late_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_source, "SCAN_BYTES", 2**21)
    line = json.dumps({"a": "x" * 1000}) + "\n"
    path = put(tmp_path, "x.jsonl", line * 3000 + '{"a": "y", "late": 1}\n')
    columns, _, _, warnings = read(path)
    assert list(columns) == ["a"]
    assert len(columns["a"]) == 3001
    assert warnings == [
        "The key “late” comes up for the first time in line 3,001 of “x.jsonl”: it is left out, as "
        "the columns are collected from the first 2 MB."
    ]


def test_a_long_json_array_is_read_in_chunks(tmp_path: Path) -> None:
    rows = [{"k": k, "t": "z" * 60} for k in range(40_000)]
    path = put(tmp_path, "x.json", json.dumps(rows, indent=1))
    columns, lines, _, _ = read(path)
    assert columns["k"] == [str(k) for k in range(40_000)]
    assert lines == [2 + 4 * k for k in range(40_000)]
    assert len(list(open_source(path).chunks())) > 1


def test_arff_dense_sparse_quoted_and_weighted(tmp_path: Path) -> None:
    text = (
        "% c\n@RELATION x\n@ATTRIBUTE 'a b' NUMERIC\n@attribute c {low, 'very high'}\n"
        "@attribute s string\n\n@DATA\n1,low,'it\\'s'\n% between\n?, 'very high', \"two, words\"\n"
        "2,high,x\n1,low\n{0 5, 2 'z'}\n{1 'very high'}\n3,low,y,{0.5}\n"
    )
    path = put(tmp_path, "x.arff", text)
    columns, lines, bad, warnings = read(path)
    assert columns == {
        "a b": ["1", None, "5", "0", "3"],
        "c": ["low", "very high", "low", "very high", "low"],
        "s": ["it's", "two, words", "z", "0", "y"],
    }
    assert lines == [8, 10, 13, 14, 15]
    assert [(row.line, row.reason) for row in bad] == [
        (11, "“high” is no declared value of “c”"),
        (12, "2 cells instead of 3"),
    ]
    assert warnings == ["The rows of “x.arff” have weights: they are left out."]


@pytest.mark.skipif(not (SHARED / "electricity.arff").exists(), reason="needs the shared data")
def test_electricity_as_arff_is_electricity_as_csv(tmp_path: Path) -> None:
    with (
        import_dataset(SHARED / "electricity.arff", cache=tmp_path) as arff,
        import_dataset(SHARED / "electricity.csv", cache=tmp_path) as text,
    ):
        assert arff.n_rows == text.n_rows == 45_312
        assert arff.column("day").kind == "category"
        assert arff.names == text.names
        for name in ("date", "period", "nswprice", "transfer"):
            assert arff.read(0, 45_312)[name].equals(text.read(0, 45_312)[name])
        assert arff.bad_row_count == 0


def test_libsvm_from_one_and_from_zero(tmp_path: Path) -> None:
    text = "+1 1:0.5 3:2 # note\n# whole line\n-1 qid:4 2:1e2\noops 1:2\n0 2:x\n"
    columns, lines, bad, _ = read(put(tmp_path, "x.svm", "1 1:1 2:1\n" * 20 + text))
    assert list(columns) == ["label", "feature_1", "feature_2", "feature_3"]
    assert [columns[name][-2:] for name in columns] == [[1, -1], [0.5, 0], [0, 100], [2, 0]]
    assert lines[-2:] == [21, 23]
    assert [row.line for row in bad] == [24, 25]
    columns, _, _, _ = read(put(tmp_path, "y.svm", "1 0:7 1:8\n2 1:9\n"))
    assert columns == {"label": [1, 2], "feature_0": [7, 0], "feature_1": [8, 9]}


def test_sqlite_tables_views_queries_and_odd_values(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    connection = sqlite3.connect(path)
    connection.execute('CREATE TABLE "odd ""name""" (a, a2 TEXT)')
    connection.executemany(
        'INSERT INTO "odd ""name""" VALUES (?, ?)',
        [(1, "x"), (2.5, None), (b"\x01\xff", "ü"), (2**60, ""), (float("inf"), "=1+1")],
    )
    connection.execute('CREATE VIEW v AS SELECT a FROM "odd ""name""" WHERE a = 1')
    connection.commit()
    connection.close()
    before = path.read_bytes()
    columns, lines, _, _ = read(f'{path}::odd "name"')
    assert columns["a"] == ["1", "2.5", "01ff", str(2**60), "inf"]
    assert columns["a2"] == ["x", None, "ü", "", "=1+1"]
    assert lines == [1, 2, 3, 4, 5]
    assert read(f"{path}::v")[0] == {"a": ["1"]}
    query = f"{path}::SELECT a * 2 AS twice FROM v"
    assert read(query)[0] == {"twice": ["2"]}
    source = open_source(query)
    assert source.paths == [Path(query)]
    assert source.fingerprint != open_source(f"{path}::v").fingerprint
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.sqlite"]


def test_a_query_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_source, "PATIENCE", 0.2)
    path = tmp_path / "x.sqlite"
    sqlite3.connect(path).executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)").close()
    endless = "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k FROM n) SELECT count(*) FROM n"
    with pytest.raises(DataError, match="gave no rows for 0 seconds and was stopped"):
        list(open_source(f"{path}::{endless}").chunks())


def test_duckdb_reaches_no_other_file(tmp_path: Path) -> None:
    put(tmp_path, "other.csv", "a\n1\n")
    path = tmp_path / "x.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1::HUGEINT h, [1] l, INTERVAL 1 DAY i, 'x' s")
    columns, _, _, warnings = read(path)
    assert columns == {"h": [1], "s": ["x"]}
    assert len(warnings) == 2
    assert read(f"{path}::SELECT s || 'y' AS z FROM t")[0] == {"z": ["xy"]}
    for query in (f"SELECT * FROM '{tmp_path}/other.csv'", "SELECT * FROM glob('/*')"):
        with pytest.raises(DataError, match="Only SELECT is allowed"):
            open_source(f"{path}::{query}")


def test_a_sheet_is_chosen_by_name_and_empty_ones_do_not_count(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "empty"
    sheet = book.create_sheet("rows")
    for row in ([], [], ["a", "b"], [1, "=2+2"], [], [2.5, True]):
        sheet.append(row)
    path = tmp_path / "x.xlsx"
    book.save(path)
    columns, lines, _, _ = read(path)
    assert columns == {"a": ["1", "2.5"], "b": [None, "true"]}
    assert lines == [4, 6]
    assert open_source(path).name == "x.xlsx"
    named = open_source(f"{path}::rows")
    assert named.name == "x.xlsx::rows"
    assert open_source(named.paths).fingerprint == named.fingerprint


def test_hive_folders_give_columns_with_missing_and_escaped_values(tmp_path: Path) -> None:
    for year, month in (("2020", "a%20b"), ("2020", "__HIVE_DEFAULT_PARTITION__"), ("2019", "c")):
        folder = tmp_path / "set" / f"year={year}" / f"month={month}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"x": [1.5]}), folder / "0.parquet")
    put(tmp_path / "set", "_SUCCESS", "")
    columns, _, _, _ = read(tmp_path / "set")
    assert columns == {
        "x": [1.5, 1.5, 1.5],
        "year": ["2019", "2020", "2020"],
        "month": ["c", None, "a b"],
    }
    with import_dataset(tmp_path / "set", cache=tmp_path / "cache") as store:
        assert store.column("year").kind == "number"
        assert store.name == "set"


def test_what_is_named_and_what_is_part_of_a_name(tmp_path: Path) -> None:
    strange = put(tmp_path, "a::b.csv", "x,y\n1,2\n")
    assert split_inner(strange) == (strange, "")
    assert read(strange)[0]["x"] == ["1"]
    book = put(tmp_path, "c.zip", b"")
    assert split_inner(f"{book}::a::b") == (book, "a::b")
    assert names_data(f"{book}::a::b")
    assert names_data(tmp_path / "*.csv")
    assert not names_data(tmp_path / "no.csv")
    assert not names_data(f"{tmp_path}/no.sqlite::t")


def test_only_known_endings_make_up_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "x\n1\n")
    put(tmp_path, "notes.md", "# x\n")
    put(tmp_path, "_tmp.csv", "y\n1\n")
    assert [p.name for p in open_source(tmp_path).paths] == ["a.csv"]
    assert all(ending.startswith(".") for ending in READABLE)


def test_some_hundred_mutations_are_rows_or_a_sentence(tmp_path: Path) -> None:
    place = Path(__file__).parents[1] / "benchmarks" / "fuzz_formats.py"
    spec = importlib.util.spec_from_file_location("fuzz_formats", place)
    assert spec is not None
    assert spec.loader is not None
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    found = {label: fuzz.read(path) for label, path in fuzz.mutations(tmp_path, 228, seed=2)}
    assert len(found) == 228
    assert set(found.values()) == {"rows", "sentence"}, found


def test_zip_members_of_other_texts(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jsonl", '{"a": 1}\n{"a": 2}\n')
    assert open_source(path).format == "JSON lines"
    assert read(path)[0] == {"a": ["1", "2"]}


@pytest.mark.parametrize(
    "dies",
    ["import os; os.abort()", "import sys; sys.stdout.write('null\\n'); sys.stdout.flush(); 1 / 0"],
)
def test_a_database_that_kills_its_reader_is_told_as_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    path = tmp_path / "x.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    monkeypatch.setattr(duckdb_source, "_command", lambda: [sys.executable, "-c", dies])
    with pytest.raises(DataError) as caught:
        open_source(path)
    assert caught.value.sentence == ("“x.duckdb” is a damaged DuckDB database: it cannot be read.")
