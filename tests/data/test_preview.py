"""A look at a file before it is read: what was found out, doubts, words for missing, parts."""

from __future__ import annotations

import sqlite3
import zipfile
from pathlib import Path

import pytest

from modellab.data.parts import Part, parts_of
from modellab.data.preview import head_of, preview
from modellab.errors import DataError
from modellab.experiment import ReadingSpec


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_what_was_found_out_is_told(tmp_path: Path) -> None:
    lines = [f"{k};{k},5;{('NA', 'x', '-999', '?')[k % 4]}" for k in range(40)]
    text = "# made by hand\na;b;c\n" + "\n".join(lines) + "\n1;2\n"
    seen = preview(written(tmp_path / "a.csv", text), rows=3)
    assert (seen.delimiter, seen.quote, seen.decimal, seen.encoding) == (";", '"', ",", "utf-8")
    assert (seen.comment, seen.header, seen.delimited, seen.whole) == ("#", True, True, True)
    assert seen.columns == ["a", "b", "c"]
    assert seen.kinds == ["number", "number", "category"]
    assert seen.rows == [["0", "0,5", None], ["1", "1,5", "x"], ["2", "2,5", "-999"]]
    assert seen.lines == [3, 4, 5]
    assert (seen.seen, seen.bad_seen) == (40, 1)
    assert [(bad.line, bad.reason) for bad in seen.bad] == [(43, "2 cells instead of 3")]
    assert [(word.text, word.cells, word.used) for word in seen.missing] == [
        ("?", 10, True), ("NA", 10, True), ("-999", 10, False), ("9999", 0, False),
    ][:3]  # fmt: skip
    assert any("2%" in doubt for doubt in seen.doubts)


def test_what_is_told_is_done_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "a;b\nNA;1\nx;-999\n")
    told = ReadingSpec(delimiter=",", header=False)
    seen = preview(path, told)
    assert (seen.columns, seen.rows) == (["column_1"], [["a;b"], ["NA;1"], ["x;-999"]])
    assert seen.doubts == []  # what the person chose is not doubted
    seen = preview(path, ReadingSpec(missing=["-999", "absent"]))
    assert seen.rows == [["NA", "1"], ["x", None]]
    assert [(word.text, word.cells, word.used) for word in seen.missing] == [
        ("-999", 1, True), ("absent", 0, True), ("NA", 1, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "encoding", "doubt"),
    [
        ("a/b/c\n1/x/3\n2/y/4\n", "utf-8", "Only one column was found"),
        ("a,b\n" + "ä,1\nö,2\n" * 20, "latin-1", "read as Windows-1252"),
        ("a,b\n" + "1,x\n" * 40 + "1,2,3\n" * 5, "utf-8", "11% of the rows seen cannot be read"),
        ("1,2\n3,4\n5,6\n", "utf-8", "No header was found"),
        ("a;b\n1,500;x\n250;y\n", "utf-8", "perhaps they stand between thousands"),
    ],
)
def test_doubts_are_told(tmp_path: Path, text: str, encoding: str, doubt: str) -> None:
    (found,) = preview(written(tmp_path / "a.csv", text, encoding)).doubts
    assert doubt in found


def test_thousands_and_single_marks_are_told(tmp_path: Path) -> None:
    text = "a;b\n" + "'1.234.567,8';'x; y'\n'12,5';'z'\n" * 3
    seen = preview(written(tmp_path / "a.csv", text))
    assert (seen.thousands, seen.quote, seen.decimal, seen.delimiter) == (".", "'", ",", ";")
    assert seen.kinds[0] == "number"
    assert seen.rows[0] == ["1.234.567,8", "x; y"]  # as the file has them
    assert len(seen.warnings) == 2
    seen = preview(tmp_path / "a.csv", ReadingSpec(thousands="none"))
    assert (seen.thousands, seen.kinds[0]) == ("", "category")


def test_a_sure_file_and_other_formats_give_no_doubts(tmp_path: Path) -> None:
    assert preview(written(tmp_path / "a.csv", "a,b\nx,1\ny,2\n")).doubts == []
    seen = preview(written(tmp_path / "a.jsonl", '{"a": 1, "b": "NA"}\n{"a": 2, "b": "x"}\n'))
    assert (seen.delimited, seen.doubts, seen.rows) == (False, [], [["1", None], ["2", "x"]])


def test_only_the_beginning_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modellab.data.preview.LOOKED_ROWS", 1000)
    text = "a,b\n" + "".join(f"{k},{'x' * 2000}\n" for k in range(4000))
    seen = preview(written(tmp_path / "a.csv", text), rows=5)
    assert (seen.seen, seen.whole, len(seen.rows)) == (1000, False, 5)
    assert len(seen.rows[0][1] or "") == 500


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of every kind that holds several tables."""
    import duckdb
    import openpyxl

    folder = tmp_path_factory.mktemp("several")
    with sqlite3.connect(folder / "a.sqlite") as base:
        base.execute("CREATE TABLE people (name TEXT, age INTEGER)")
        base.executemany("INSERT INTO people VALUES (?, ?)", [(f"p{k}", k) for k in range(30)])
        base.execute('CREATE TABLE "odd "" name" (x)')
        base.execute("CREATE VIEW grown AS SELECT * FROM people WHERE age > 17")
        base.execute("CREATE VIEW broken AS SELECT * FROM gone")
    base.close()
    with duckdb.connect(str(folder / "a.duckdb")) as duck:
        duck.execute("CREATE TABLE t AS SELECT range AS a, 'x' AS b FROM range(25)")
        duck.execute("CREATE VIEW v AS SELECT a FROM t")
    book = openpyxl.Workbook()
    book.active.title = "First"
    for k in range(11):
        book.active.append(["a", "b"] if not k else [k, f"t{k}"])
    book.create_sheet("Empty")
    book.create_sheet("Second").append(["only", "a", "header"])
    book.save(folder / "a.xlsx")
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("one.csv", "a,b\n1,2\n")
        archive.writestr("folder/two.csv", "a,b\n3,4\n")
        archive.writestr("__MACOSX/one.csv", "nothing")
    return folder


def test_parts_are_listed_with_their_rows(several: Path) -> None:
    found = parts_of(several / "a.sqlite")
    assert found is not None
    assert (found.kind, found.queries, found.together) == ("table", True, False)
    assert found.parts == [
        Part("people", 30, 2), Part('odd " name', 0, 1), Part("grown", 12, 2), Part("broken"),
    ]  # fmt: skip
    found = parts_of(several / "a.duckdb")
    assert found is not None
    assert (found.queries, found.parts) == (True, [Part("t", 25, 2), Part("v")])
    found = parts_of(several / "a.xlsx")
    assert found is not None
    assert (found.kind, found.queries) == ("sheet", False)
    assert found.parts == [Part("First", 11, 2), Part("Empty", 0, 0), Part("Second", 1, 3)]
    found = parts_of(several / "a.zip")
    assert found is not None
    assert (found.kind, found.together) == ("file", True)
    assert found.parts == [Part("one.csv", size=8), Part("folder/two.csv", size=8)]


def test_a_file_of_one_table_has_no_parts(tmp_path: Path) -> None:
    assert parts_of(written(tmp_path / "a.csv", "a,b\n1,2\n")) is None
    with pytest.raises(DataError, match="no longer there"):
        parts_of(tmp_path / "gone.xlsx")


def test_the_first_rows_of_a_part_or_a_query(several: Path) -> None:
    assert head_of(f"{several}/a.sqlite::people", 2) == (
        ["name", "age"], [["p0", "0"], ["p1", "1"]],
    )  # fmt: skip
    query = "SELECT age * 2 AS twice FROM people ORDER BY age DESC"
    assert head_of(f"{several}/a.sqlite::{query}", 1) == (["twice"], [["58"]])
    assert head_of(f"{several}/a.zip::folder/two.csv", 9) == (["a", "b"], [["3", "4"]])
    assert head_of(f"{several}/a.xlsx::First", 1) == (["a", "b"], [["1", "t1"]])
    before = (several / "a.sqlite").read_bytes()
    for harm in ("DELETE FROM people", "SELECT 1; DROP TABLE people", "SELECT load_extension('x')"):
        with pytest.raises(DataError):
            head_of(f"{several}/a.sqlite::{harm}", 1)
    assert (several / "a.sqlite").read_bytes() == before
