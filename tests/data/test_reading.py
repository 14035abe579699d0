"""`[data.reading]`: what the person says of a text file is done, told, and part of what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.data.csv_letters import Letters
from modellab.data.importer import import_dataset
from modellab.data.opening import open_source
from modellab.data.store import Store
from modellab.errors import DataError, ExperimentError
from modellab.experiment import ReadingSpec, check
from modellab.experiment_file import dump, loads, set_value

EXPERIMENT = '[data]\npath = "a.csv"\ntarget = "b"\n'


def opened(tmp_path: Path, content: str | bytes, **how: Any) -> Store:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return import_dataset(path, cache=tmp_path / "cache", reading=ReadingSpec(**how))


def rows(store: Store) -> list[list[Any]]:
    return [list(row.values()) for row in store.read(0, store.n_rows).to_pylist()]


@pytest.mark.parametrize(
    ("content", "how", "names", "expected"),
    [
        ("a;b,c\n1;2,5\n3;4,5\n", {"delimiter": ";"}, ["a", "b,c"], [[1, 2.5], [3, 4.5]]),
        ("a,b;c\n1,2;5\n3,4;5\n", {"delimiter": "comma"}, ["a", "b;c"],
         [[1, "2;5"], [3, "4;5"]]),
        ("a||b\n1||x|y\n2||z\n", {"delimiter": "||"}, ["a", "b"], [[1, "x|y"], [2, "z"]]),
        ("a§b\n1§\"x§y\"\n2§z\n", {"delimiter": "§"}, ["a", "b"], [[1, "x§y"], [2, "z"]]),
        ("a,b\n1,'x,\"y'\n2,'it''s'\n", {"quote": "'"}, ["a", "b"], [[1, 'x,"y'], [2, "it's"]]),
        ('a,b\n1,"x\n2,y"\n', {"quote": "none"}, ["a", "b"], [[1, '"x'], [2, 'y"']]),
        ('a,b\n1,"2,5"\n3,"4,5"\n', {"decimal": ","}, ["a", "b"], [[1, 2.5], [3, 4.5]]),
        ("a;b\n1;2,5\n3;4,5\n", {"decimal": "."}, ["a", "b"], [[1, "2,5"], [3, "4,5"]]),
        ("a;b\n1,500;x\n2,250;y\n", {"thousands": "comma"}, ["a", "b"], [[1500, "x"], [2250, "y"]]),
        ('a,b\n"1.500",x\n"2,5",y\n', {"thousands": ".", "decimal": ","}, ["a", "b"],
         [[1500, "x"], [2.5, "y"]]),
        ("a;b\n1,234,567;x\n2,250;y\n", {"thousands": "none"}, ["a", "b"],
         [["1,234,567", "x"], ["2,250", "y"]]),
        ("a,b\n'x',2\n'y',3\n", {"quote": "double"}, ["a", "b"], [["'x'", 2], ["'y'", 3]]),
        ("x,y\nu,v\nw,u\n", {"header": False}, ["column_1", "column_2"],
         [["x", "y"], ["u", "v"], ["w", "u"]]),
        ("1,2\n3,4\n5,7\n", {"header": True}, ["1", "2"], [[3, 4], [5, 7]]),
        ("a,b\n%1,2\n3,4\n5,8\n", {"comment": "%"}, ["a", "b"], [[3, 4], [5, 8]]),
        ("% made by hand\na,b\n1,2\n3,4\n", {"comment": "%"}, ["a", "b"], [[1, 2], [3, 4]]),
        ("a,b\nx,2\n#y,4\n", {"comment": ""}, ["a", "b"], [["x", 2], ["#y", 4]]),
        ("a,b\nNA,-999\nDE,2\nnone,5\n", {"missing": ["-999"]}, ["a", "b"],
         [["NA", None], ["DE", 2], ["none", 5]]),
        ("a,b\nunknown,1\n x ,2\n,5\n", {"missing": ["unknown"]}, ["a", "b"],
         [[None, 1], ["x", 2], [None, 5]]),
        ("a,b\nä,1\nö,2\n".encode("cp437"), {"encoding": "cp437"}, ["a", "b"],
         [["ä", 1], ["ö", 2]]),
        ("a,b\n日,1\n本,2\n".encode("shift_jis"), {"encoding": "shift_jis"}, ["a", "b"],
         [["日", 1], ["本", 2]]),
        ("\ufeffa,b\nx,1\ny,2\n".encode(), {"encoding": "utf-8-sig"}, ["a", "b"],
         [["x", 1], ["y", 2]]),
    ],
)  # fmt: skip
def test_a_text_is_read_as_told(
    tmp_path: Path, content: str | bytes, how: dict[str, Any], names: list[str], expected: Any
) -> None:
    with opened(tmp_path, content, **how) as store:
        assert store.names == names
        assert rows(store) == expected
        assert store.bad_row_count == 0


NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("cells", "delimiter", "expected", "sign"),
    [
        (["1,234,567", "12", "-1,234"], ";", [1234567, 12, -1234], ","),
        (["1,234.5", "999", "1,000,000"], ";", [1234.5, 999, 1000000], ","),
        (['"1,234"', '"56,789"', "12"], ",", [1234, 56789, 12], ","),
        (["1.234.567,8", "12,5", "1.234"], ";", [1234567.8, 12.5, 1234], "."),
        (['"1.234,5"', '"12,5"', "999"], ",", [1234.5, 12.5, 999], "."),
        (["1 234 567", "12", " -1 234 "], ";", [1234567, 12, -1234], " "),
        ([f"1{NBSP}234{NBSP}567,5", "12,25", "\u2009"], ";", [1234567.5, 12.25, None], " "),
        (["1'234", "56\u2019789.5", "NA"], ",", [1234, 56789.5, None], "'"),
    ],
)
def test_signs_between_thousands_are_found_out(
    cells: list[str], delimiter: str, expected: list[float | None], sign: str, tmp_path: Path
) -> None:
    lines = [f"{cell}{delimiter}w{k % 7}{delimiter}{k}" for k, cell in enumerate(cells * 40)]
    text = delimiter.join("abc") + "\n" + "\n".join(lines) + "\n"
    with opened(tmp_path, text) as store:
        assert store.column("a").kind == "number"
        assert [row[0] for row in rows(store)] == expected * 40
        assert [row[2] for row in rows(store)] == list(range(len(cells) * 40))
        (warning,) = [w for w in store.warnings if "thousands" in w]
        assert "in the numbers of “a” are taken as signs between thousands" in warning
    # Said to be what was found out, it gives the same numbers.
    with opened(tmp_path, text, thousands=sign) as told:
        assert [row[0] for row in rows(told)] == expected * 40
        assert not any("thousands" in w for w in told.warnings)


@pytest.mark.parametrize(
    "cells",
    [
        ["192.168.178.101", "192.168.178.102"],  # addresses
        ["1.234", "12.500", "0.125"],  # three decimals
        ["1,234", "2,345"],  # a decimal comma, perhaps
        ["1,234,56", "12,34,567"],
        ["+49 170 123", "1 234 567"],
        ["2020 001", "2020 002"],
        ["1 234", "5000"],
        ["1,234,567", "about 5"],
    ],
)
def test_what_may_be_something_else_stays(cells: list[str], tmp_path: Path) -> None:
    text = "a;b\n" + "".join(f"{cell};{k}\n" for k, cell in enumerate(cells * 40))
    with opened(tmp_path, text) as store:
        assert not any("thousands" in w for w in store.warnings)
        shown = store.column_as("a", "text", 0, 2).to_pylist()
        assert [float(t.replace(",", ".")) if _plain(t) else t for t in shown] == [
            float(t.replace(",", ".")) if _plain(t) else t for t in cells[:2]
        ]


def _plain(text: str) -> bool:
    return text.replace(",", "", 1).replace(".", "", 1).isdigit()


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("'a','b c'\n'x, y',1\n'it''s',2\n'\"z\"',3\n", ["a", "b c"],
         [["x, y", 1], ["it's", 2], ['"z"', 3]]),
        ("a;b\n'1,5';'x'\n'2,5';'y;z'\n", ["a", "b"], [[1.5, "x"], [2.5, "y;z"]]),
        ("a,b\r\n'x','1'\r\n'y','3'\r\n", ["a", "b"], [["x", 1], ["y", 3]]),
    ],
)  # fmt: skip
def test_single_quotation_marks_are_found_out(
    text: str, names: list[str], expected: list[list[Any]], tmp_path: Path
) -> None:
    with opened(tmp_path, text) as store:
        assert (store.names, rows(store)) == (names, expected)
        assert any("single quotation marks" in warning for warning in store.warnings)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n'tis,1\nit's,2\n'em,4\n",
        "a,b\n'x',1\n\"y, z\",2\n",
        "a,b\n'x' and y,1\nz,2\n",
        "a,b\n'x',1\ny,2\nz,3\nu,5\n",
    ],
)
def test_an_apostrophe_is_no_quotation_mark(text: str, tmp_path: Path) -> None:
    with opened(tmp_path, text) as store:
        assert "'" in rows(store)[0][0]
        assert not any("quotation" in warning for warning in store.warnings)


def test_two_columns_with_decimal_commas_are_not_cut_at_them(tmp_path: Path) -> None:
    with opened(tmp_path, "a;b\n" + "".join(f"{k};{k},5\n" for k in range(400))) as store:
        assert store.names == ["a", "b"]
        assert rows(store)[3] == [3, 3.5]


def test_a_large_archive_of_several_texts_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zipfile

    monkeypatch.setattr("modellab.data.one_pass.SMALL_BYTES", 100)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("one.csv", "two.csv"):
            archive.writestr(name, "a,b\n" + "".join(f"{k},w{k % 3}\n" for k in range(500)))
    with import_dataset(tmp_path / "x.zip", cache=tmp_path / "cache") as store:
        assert (store.n_rows, rows(store)[501]) == (1000, [1, "w1"])


def test_what_was_said_is_part_of_what_the_data_are(tmp_path: Path) -> None:
    text = "a;b\n1;2,5\n3;NA\n"
    found = {}
    for how in ({}, {"decimal": "."}, {"delimiter": ";"}, {"missing": ["NA"]}, {"missing": []}):
        with opened(tmp_path, text, **how) as store:
            found[str(how)] = (store.fingerprint, store.path)
    assert len(set(found.values())) == 5
    # Two ways of saying the same are one data set, and its store is found again.
    with opened(tmp_path, text, delimiter="semicolon") as store:
        assert (store.fingerprint, store.path) == found["{'delimiter': ';'}"]


def test_named_words_hold_for_other_kinds_too(tmp_path: Path) -> None:
    with opened(tmp_path, "a,b\nNA,-999\nDE,2\nNA,5\n", missing=["-999"]) as store:
        assert store.column("b").missing == 1
        assert store.column_as("a", "text", 0, 3).to_pylist() == ["NA", "DE", "NA"]
        assert store.levels("a") == ["DE", "NA"]


def test_undecodable_rows_are_set_aside_in_any_encoding(tmp_path: Path) -> None:
    content = "a,b\n日,1\n本,2\n".encode("shift_jis") + b"\x81\xff,3\n"
    with opened(tmp_path, content, encoding="shift_jis") as store:
        assert rows(store) == [["日", 1], ["本", 2]]
        (bad,) = store.bad_rows
        assert (bad.line, bad.reason) == (4, "bytes that are not shift_jis text")
    # Said to be UTF-8, it is not read as Windows-1252 for all that.
    with opened(tmp_path, "a,b\nx,1\nä,2\n".encode("latin-1"), encoding="utf-8") as store:
        assert (store.n_rows, store.bad_row_count) == (1, 1)


def test_bad_rows_are_told_as_the_file_has_them(tmp_path: Path) -> None:
    with opened(tmp_path, "a||b\n1||'x'\n2||'y'||3\n4||\"z\n", delimiter="||", quote="'") as store:
        assert rows(store) == [[1, "x"], [4, '"z']]
        assert [(bad.line, bad.text) for bad in store.bad_rows] == [(3, "2||'y'||3")]


def test_a_file_that_is_no_text_has_nothing_to_choose(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": ["x", "NA", "-"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError) as caught:
        open_source(tmp_path / "a.parquet", ReadingSpec(delimiter=";"))
    assert caught.value.sentence == (
        "“a.parquet” is a Parquet file, which has no delimiter to choose: leave "
        "data.reading.delimiter away."
    )
    # Words for missing values are its texts' matter as well.
    told = ReadingSpec(missing=["-"])
    with import_dataset(tmp_path / "a.parquet", cache=tmp_path / "c", reading=told) as store:
        assert rows(store) == [["x"], ["NA"], [None]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("data.reading.delimiter=", "must be 1 to 8 characters or one of comma, semicolon"),
        ("data.reading.delimiter=tabs", "did you mean tab?"),
        ('data.reading.delimiter="\\n"', "must not hold a line end"),
        ("data.reading.delimitr=tab", "did you mean data.reading.delimiter?"),
        ("data.reading.quote=ab", "must be one ASCII character, or one of double, single, none"),
        ("data.reading.quote=x", "must not be a letter, a digit or a blank"),
        ("data.reading.decimal=;", 'must be "." or ","'),
        ("data.reading.encoding=utf8x", "did you mean utf-8?"),
        ("data.reading.encoding=zlib", "is no character encoding"),
        ("data.reading.comment=#########", "at most 8 characters of one line"),
        ("data.reading.header=maybe", "must be true or false"),
        ("data.reading.thousands=dot", "must be one of comma, point, blank, apostrophe, none"),
        ("data.reading.missing=NA", "must be a list, each of it a text"),
    ],
)
def test_what_is_not_allowed_is_said(change: str, words: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        set_value(loads(EXPERIMENT), change)
    assert words in caught.value.sentence
    assert caught.value.sentence.endswith((".", "?"))


def test_signs_must_differ() -> None:
    for table in (
        'thousands = "comma"\ndecimal = ","',
        'delimiter = "\'"\nquote = "\'"',
        'delimiter = ";"\ncomment = ";"',
    ):
        with pytest.raises(ExperimentError, match="also"):
            loads(EXPERIMENT + f"[data.reading]\n{table}\n")


def test_it_is_written_and_read_again() -> None:
    told = ReadingSpec(";", "none", ",", "cp1252", "%", False, ["-999", "n/a"], "point")
    text = EXPERIMENT + (
        '[data.reading]\ndelimiter = ";"\nquote = "none"\ndecimal = ","\nencoding = "cp1252"\n'
        'comment = "%"\nheader = false\nmissing = ["-999", "n/a"]\n'
        'thousands = "point"\n'
    )
    experiment = loads(text)
    assert experiment.data.reading == told
    assert loads(dump(experiment)) == check(experiment)
    assert loads(EXPERIMENT).data.reading == ReadingSpec()


LETTERS = st.text(st.sampled_from("ab'\"|§\n,"), max_size=40)


@settings(max_examples=200, deadline=None)
@given(
    text=LETTERS,
    delimiter=st.sampled_from([None, ",", "|", "||", "§", "|§|"]),
    mark=st.sampled_from(['"', "'", ""]),
    cuts=st.lists(st.integers(1, 5), max_size=20),
)
def test_rewriting_is_undone_wherever_the_text_is_cut(
    text: str, delimiter: str | None, mark: str, cuts: list[int]
) -> None:
    letters = Letters(delimiter, mark)
    rewrite, data, pieces = letters.rewriter(), text.encode(), []
    for cut in cuts:
        pieces.append(rewrite(data[:cut], False))
        data = data[cut:]
    pieces.append(rewrite(data, True))
    assert b"".join(pieces).decode() == letters.to_read(text)
    assert letters.back(letters.to_read(text)) == text


def test_the_command_line_says_how_to_read(
    tmp_path: Path, capsys: Any, modellab_home: Path
) -> None:
    import json

    from modellab.cli.data import show_profile, write_new

    path = tmp_path / "a.csv"
    path.write_text("a|b\n" + "".join(f"{k},5|{'x' if k % 3 else '-'}\n" for k in range(30)))
    read = ["delimiter=bar", "decimal=,", 'missing=["-"]']
    show_profile(path, target="b", as_json=True, read=read)
    told = {column["name"]: column for column in json.loads(capsys.readouterr().out)["columns"]}
    assert (told["a"]["kind"], told["b"]["missing"]) == ("number", 10)
    write_new(path, target="a", time=None, train=None, output=Path("-"), force=False, read=read)
    assert loads(capsys.readouterr().out).data.reading == ReadingSpec(
        "bar", None, ",", missing=["-"]
    )
    with pytest.raises(ExperimentError, match="did you mean"):
        show_profile(path, target=None, as_json=True, read=["delimitr=bar"])


def test_a_replay_reads_as_told(tmp_path: Path, modellab_home: Path) -> None:
    from modellab.replay.run import open_data

    (tmp_path / "a.csv").write_text("1|2,5\n3|4,5\n")
    text = '[data]\npath = "a.csv"\ntarget = "column_2"\n[data.reading]\nheader = false\n'
    experiment = set_value(loads(text), "data.reading.delimiter=|")
    with open_data(experiment, tmp_path) as store:
        assert rows(store) == [[1, 2.5], [3, 4.5]]
