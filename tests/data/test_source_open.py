"""Opening: what is refused and in which words, folders and patterns, fingerprints."""

from __future__ import annotations

import gzip
import os
from decimal import Decimal
from pathlib import Path, PureWindowsPath

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.data import source as source_module
from modellab.data.opening import open_source
from modellab.data.places import slashes
from modellab.data.source import FileState, fingerprint_of
from modellab.errors import DataError


def sentence(path: object) -> str:
    with pytest.raises(DataError) as caught:
        open_source(path)  # type: ignore[arg-type]
    text = caught.value.sentence
    assert text.endswith(".")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("e.csv", b"", "“e.csv” is empty: it has neither a header nor rows."),
        ("b.csv", b" \n\n", "“b.csv” is empty: it has neither a header nor rows."),
        ("z.csv.gz", gzip.compress(b""), "“z.csv.gz” is empty: it has neither a header nor rows."),
        (
            "p.csv",
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)),
            "“p.csv” is not a text file: it holds binary data, not rows of a table.",
        ),
        (
            "x.csv",
            b"PK\x03\x04rest",
            "“x.csv” is a damaged zip file: it cannot be unpacked.",
        ),
        (
            "x.xls",
            b"\xd0\xcf\x11\xe0rest",
            "“x.xls” is an old Excel workbook, which is not read: "
            "save it as CSV (UTF-8) or Parquet.",
        ),
        ("t.gz", b"\x1f\x8bnot really", "“t.gz” is a damaged gzip file: it cannot be unpacked."),
        (
            "d.parquet",
            b"PAR1 and then nothing",
            "“d.parquet” is a damaged Parquet file: it cannot be read.",
        ),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert sentence(tmp_path / name) == expected


def test_missing_files_folders_and_patterns(tmp_path: Path) -> None:
    assert sentence(tmp_path / "no.csv").startswith("There is no file “no.csv” in “")
    (tmp_path / "empty").mkdir()
    assert sentence(tmp_path / "empty") == (
        "The folder “empty” holds no data file that can be read: choose the files themselves."
    )
    assert sentence(f"{tmp_path}/*.csv").startswith("No file matches “")
    assert sentence([]) == "No data file was named."


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n")
    path.chmod(0)
    assert sentence(path) == "“x.csv” may not be read: permission denied."


def test_wrong_extensions_are_read_by_content(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("a,b\n1,2\n")
    text = open_source(tmp_path / "x.parquet")
    assert text.format == "CSV"
    assert text.warnings == ["“x.parquet” is not Parquet but text: it is read as CSV."]
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.csv")
    assert open_source(tmp_path / "x.csv").format == "Parquet"


def test_folders_and_patterns_read_files_in_counting_order(tmp_path: Path) -> None:
    for k in (10, 2, 1):
        (tmp_path / f"part-{k}.csv").write_text(f"a,b\n{k},x\n")
    (tmp_path / ".hidden.csv").write_text("z\n1\n")
    (tmp_path / "notes.md").write_text("no data")
    for paths in (tmp_path, f"{tmp_path}/part-*.csv"):
        source = open_source(paths)
        rows = [v for chunk in source.chunks() for v in chunk.batch.column("a").to_pylist()]
        assert rows == ["1", "2", "10"]
    assert open_source(tmp_path).name == tmp_path.name
    assert open_source(f"{tmp_path}/part-*.csv").name == "part-1.csv + 2 more"


def test_files_of_one_data_set_must_fit(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("y,x\n20,10\n")
    (tmp_path / "c.csv").write_text("x,z\n1,2\n")
    (tmp_path / "d.csv").write_text("x,y,z\n1,2,3\n")
    pq.write_table(pa.table({"x": [1], "y": [2]}), tmp_path / "e.parquet")
    both = open_source([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert [v for c in both.chunks() for v in c.batch.column("x").to_pylist()] == ["1", "10"]
    assert both.size_bytes == sum((tmp_path / n).stat().st_size for n in ("a.csv", "b.csv"))
    assert sentence([tmp_path / "a.csv", tmp_path / "c.csv"]) == (
        "“c.csv” does not fit “a.csv”: it lacks the column “y”. "
        "Files read as one data set must have the same columns."
    )
    assert "it has a column “z” more" in sentence([tmp_path / "a.csv", tmp_path / "d.csv"])
    assert "must have one format" in sentence([tmp_path / "a.csv", tmp_path / "e.parquet"])


def test_fingerprint_follows_the_content_alone(tmp_path: Path) -> None:
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    a.write_text("x\n1\n")
    b.write_text("x\n1\n")
    os.utime(b, (1, 1))
    assert fingerprint_of(a) == fingerprint_of(b)
    b.write_text("x\n2\n")
    assert fingerprint_of(a) != fingerprint_of(b)


def test_large_files_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "WHOLE_HASH_BYTES", 1000)
    monkeypatch.setattr(source_module, "_SAMPLE_BYTES", 100)
    path = tmp_path / "x.csv"
    content = bytearray(b"0123456789" * 2000)
    path.write_bytes(content)
    before = fingerprint_of(path)
    assert fingerprint_of(path) == before
    for place in (0, len(content) - 1):
        content[place] ^= 1
        path.write_bytes(content)
        assert fingerprint_of(path) != before
        content[place] ^= 1
    path.write_bytes(content + b"9")
    assert fingerprint_of(path) != before


def test_a_changed_or_vanished_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a\n" + "1\n" * 10)
    state = FileState.of(path)
    state.verify()
    path.write_text("a\n" + "1\n" * 11)
    with pytest.raises(DataError, match=r"“x.csv” changed while it was being read"):
        state.verify()
    path.unlink()
    with pytest.raises(DataError, match=r"“x.csv” disappeared while it was being read."):
        state.verify()


def test_parquet_columns_that_cannot_be_used_are_left_out(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2], "l": [[1], [2, 3]], "d": [Decimal("1.50"), None]})
    pq.write_table(table, tmp_path / "x.parquet")
    source = open_source(tmp_path / "x.parquet")
    assert [c.name for c in source.columns] == ["a", "d"]
    assert "Column “l” of “x.parquet” holds list<" in source.warnings[0]
    assert sum(len(c.batch) for c in source.chunks()) == 2
    pq.write_table(pa.table({"l": [[1]]}), tmp_path / "y.parquet")
    assert sentence(tmp_path / "y.parquet") == "“y.parquet” has no column that can be used."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="a pipe or a device"):
        open_source(pipe)
    with pytest.raises(DataError, match="a pipe or a device"):
        open_source(Path(os.devnull))


def test_slashes_of_a_part_survive_paths_of_windows() -> None:
    query = "SELECT a / b AS half FROM t WHERE day = '2020/01/02'"
    path = str(PureWindowsPath(f"C:/data/x.sqlite::{query}"))
    assert "\\" in path.partition("::")[2]
    assert slashes(path.partition("::")[2], "\\") == query
    assert slashes("folder\\two.csv", "\\") == "folder/two.csv"
    assert slashes("a\\b", "/") == "a\\b"
