"""Broken files of every format: one sentence each, never anything else."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.data import json_source, libsvm_source, packed_source, workbook_source
from modellab.data.importer import import_dataset
from modellab.errors import DataError

CSV = b"a,b\n" + b"".join(b"%d,%d\n" % (k, k * k % 97) for k in range(3000))
BINARY = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 4


def _table() -> pa.Table:
    return pa.table({"a": list(range(3000)), "t": [f"text {k}" for k in range(3000)]})


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(_table(), out, compression="none", row_group_size=500)
    return out.getvalue()


def _ipc(stream: bool) -> bytes:
    out = io.BytesIO()
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with make(out, _table().schema) as writer:
        writer.write_table(_table(), max_chunksize=500)
    return out.getvalue()


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return out.getvalue()


def _packed(codec: str, data: bytes = CSV) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, codec) as packer:
        packer.write(data)
    return bytes(out.getvalue())


def _workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _far() -> bytes:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1048576"] = 1, 2
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _patched(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A zip with one member changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            new.writestr(info.filename, change(content) if info.filename == name else content)
    return out.getvalue()


def _sqlite(*statements: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return write


def _duck(*statements: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                connection.execute(statement)

    return write


def _then(
    write: Callable[[Path], None], change: Callable[[bytes], bytes]
) -> Callable[[Path], None]:
    def both(path: Path) -> None:
        write(path)
        path.write_bytes(change(path.read_bytes()))

    return both


def _cut(data: bytes, share: float = 0.5) -> bytes:
    return data[: int(len(data) * share)]


def _flipped(data: bytes, at: float) -> bytes:
    place = int(len(data) * at)
    return data[:place] + bytes(b ^ 0x5A for b in data[place : place + 40]) + data[place + 40 :]


def _zeroed(data: bytes, start: int, stop: int) -> bytes:
    return data[:start] + bytes(stop - start) + data[stop:]


_SQL = _sqlite(
    "CREATE TABLE t (a, b)",
    "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 9000) "
    "INSERT INTO t SELECT k, 'text ' || k FROM n",
)
_DUCK = _duck("CREATE TABLE t AS SELECT range a, 'text ' || range b FROM range(90000)")
_TWO = _workbook({"One": [["a", "b"], [1, 2]], "Two": [["a", "b"], [3, 4]]})
_ONE = _workbook({"One": [["a", "b"], [1, 2]]})
_ARFF = b"@relation r\n@attribute a numeric\n@attribute c {x,y}\n@data\n"
_NOT_READ = "which is not read: save it as CSV (UTF-8) or Parquet."
_EMPTY = "is empty: it has neither a header nor rows."
_BROKEN_ARRAY = "Mend it, or save the rows as JSON lines, of which single ones may be broken."
_LIMIT = "was stopped: if it really is a table, unpack it first."

Case = tuple[str, "bytes | Callable[[Path], None]", str]
CASES: list[Case] = [
    # Nothing, or no table at all.
    ("nothing.csv", b"", f"“nothing.csv” {_EMPTY}"),
    ("blank.csv", b" \n\n \r\n", f"“blank.csv” {_EMPTY}"),
    ("mark.csv", b"\xef\xbb\xbf", f"“mark.csv” {_EMPTY}"),
    ("picture.csv", BINARY, "“picture.csv” is not a text file: it holds binary data, not rows of a "
     "table."),
    ("zeros.csv", bytes(1000), "“zeros.csv” is not a text file: it holds binary data, not rows of "
     "a table."),
    ("page.csv", b"<!DOCTYPE html><p>404", f"“page.csv” is a web page, {_NOT_READ}"),
    ("x.xml", b"<?xml version='1.0'?><a/>", f"“x.xml” is an XML file, {_NOT_READ}"),
    ("x.pdf", b"%PDF-1.7 ...", f"“x.pdf” is a PDF document, {_NOT_READ}"),
    ("x.h5", b"\x89HDF\r\n", f"“x.h5” is an HDF5 file, {_NOT_READ}"),
    ("x.orc", b"ORC...", f"“x.orc” is an ORC file, {_NOT_READ}"),
    ("x.7z", b"7z\xbc\xaf\x27\x1c", f"“x.7z” is a 7-Zip archive, {_NOT_READ}"),
    ("x.rar", b"Rar!\x1a", f"“x.rar” is a RAR archive, {_NOT_READ}"),
    ("x.pkl", b"\x80\x04\x95abc", f"“x.pkl” is a Python pickle, {_NOT_READ}"),
    ("x.sav", b"$FL2@(#)", f"“x.sav” is an SPSS file, {_NOT_READ}"),
    ("x.xls", b"\xd0\xcf\x11\xe0rest", f"“x.xls” is an old Excel workbook, {_NOT_READ}"),
    ("header.csv", b"a,b\n", "“header.csv” has a header but no rows below it."),
    ("ragged.csv", b"a,b\n1\n1,2,3\n4\n", "No row of “ragged.csv” can be read: "
     "in line 2 there is 1 cell instead of 2."),
    ("long.csv", b"x" * (2**26 + 2**22), "“long.csv” is not a table: line 1 is longer than 64 MB."),
    # Packed.
    ("x.csv.gz", _cut(gzip.compress(CSV)), "“x.csv.gz” is a damaged gzip file: it cannot be "
     "unpacked."),
    ("y.csv.gz", b"\x1f\x8bnot really", "“y.csv.gz” is a damaged gzip file: it cannot be "
     "unpacked."),
    ("e.csv.gz", gzip.compress(b""), f"“e.csv.gz” {_EMPTY}"),
    ("p.gz", gzip.compress(_parquet()), "“p.gz” is Parquet inside gzip: unpack it first."),
    ("b.gz", gzip.compress(BINARY), "“b.gz” is not a text file: it holds binary data, not rows of "
     "a table."),
    ("bomb.gz", gzip.compress(b"0,0\n" * 400_000), f"~“bomb.gz” unpacks to more than ~{_LIMIT}"),
    ("x.bz2", _cut(bz2.compress(CSV)), "“x.bz2” is a damaged bzip2 file: it cannot be unpacked."),
    ("y.bz2", b"BZh9garbage here", "“y.bz2” is a damaged bzip2 file: it cannot be unpacked."),
    ("bomb.bz2", bz2.compress(b"0,0\n" * 400_000), f"~“bomb.bz2” unpacks to more than ~{_LIMIT}"),
    ("x.xz", _cut(lzma.compress(CSV)), "“x.xz” is a damaged xz file: it cannot be unpacked."),
    ("y.xz", _flipped(lzma.compress(CSV), 0.4), "“y.xz” is a damaged xz file: it cannot be "
     "unpacked."),
    ("bomb.xz", lzma.compress(b"0,0\n" * 400_000, preset=0),
     f"~“bomb.xz” unpacks to more than ~{_LIMIT}"),
    ("x.zst", _cut(_packed("zstd")), "“x.zst” is a damaged zstd file: it cannot be unpacked."),
    ("y.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 50, "“y.zst” is a damaged zstd file: it cannot be "
     "unpacked."),
    ("bomb.zst", _packed("zstd", b"0,0\n" * 400_000),
     f"~“bomb.zst” unpacks to more than ~{_LIMIT}"),
    ("x.lz4", _cut(_packed("lz4")), "“x.lz4” is a damaged lz4 file: it cannot be unpacked."),
    ("x.zip", _cut(_zip(a_csv=CSV)), "“x.zip” is a damaged zip file: it cannot be unpacked."),
    ("y.zip", _flipped(_zip(a_csv=CSV), 0.4), "“y.zip” is a damaged zip file: it cannot be "
     "unpacked."),
    ("empty.zip", _zip(), "“empty.zip” is empty: there is no file in the archive."),
    ("two.zip", _zip(a_csv=b"a\n1\n", b_csv=b"b\n1\n"),
     "“two.zip::b.csv” does not fit “two.zip::a.csv”: it lacks the column “a”. Files read as one "
     "data set must have the same columns."),
    ("in.zip", _zip(a_parquet=_parquet()), "“in.zip” is Parquet inside zip: unpack it first."),
    ("inin.zip", _zip(a_zip=_zip(b_csv=CSV)), "“inin.zip” is a zip archive inside zip: unpack it "
     "first."),
    ("bomb.zip", _zip(a_csv=b"0,0\n" * 400_000), f"~“bomb.zip” unpacks to more than ~{_LIMIT}"),
    ("x.zip::no.csv", _zip(a_csv=CSV), "“x.zip” holds no file “no.csv”."),
    ("x.csv::part", CSV, "“x.csv” is a file of one table: leave “::part” away from its name."),
    # Typed columns.
    ("magic.parquet", b"PAR1 and then nothing", "“magic.parquet” is a damaged Parquet file: it "
     "cannot be read."),
    ("cut.parquet", _cut(_parquet()), "“cut.parquet” is a damaged Parquet file: it cannot be "
     "read."),
    ("page.parquet", _zeroed(_parquet(), 20_000, 24_000),
     "~“page.parquet” is damaged: it cannot be read beyond row ~"),
    ("x.arrow", _cut(_ipc(stream=False)), "“x.arrow” is a damaged Arrow file: it cannot be read."),
    ("y.arrow", b"ARROW1\0\0" + b"\xff" * 100, "“y.arrow” is a damaged Arrow file: it cannot be "
     "read."),
    ("x.arrows", _cut(_ipc(stream=True)), "~“x.arrows” is damaged: it cannot be read beyond row ~"),
    ("y.arrows", b"\xff\xff\xff\xff\x10\0\0\0" + b"\x77" * 50, "“y.arrows” is a damaged Arrow "
     "file: it cannot be read."),
    ("x.feather", b"FEA1\0\0\0\0" + bytes(100), "“x.feather” is a Feather file of the first "
     "version, which is not read: save it again with a newer library, or as Parquet."),
    # JSON.
    ("value.json", b'{"a": 1,\n "b": [1,\n 2]}', "“value.json” is one JSON value, not a list of "
     "rows: save the rows as an array of objects, or as JSON lines."),
    ("numbers.json", b"[1, 2, 3]", "“numbers.json” is one JSON value, not a list of rows: save the "
     "rows as an array of objects, or as JSON lines."),
    ("none.json", b"[]", "“none.json” holds no JSON object with a value: no row."),
    ("blank.json", b"[{}, {}]", "“blank.json” holds no JSON object with a value: no row."),
    ("cut.json", b'[{"a": 1},\n{"a": 2},\n{"a"', "“cut.json” is damaged: the array breaks off near "
     f"line 3. {_BROKEN_ARRAY}"),
    ("comma.json", b'[{"a": 1}\n{"a": 2}]', "“comma.json” is damaged: the JSON is not valid near "
     f"line 2. {_BROKEN_ARRAY}"),
    ("bad.json", b'[{"a": 1},\n{"a": wrong}]', "“bad.json” is damaged: the JSON is not valid near "
     f"line 2. {_BROKEN_ARRAY}"),
    ("after.json", b'[{"a": 1}] more', "“after.json” is damaged: text follows the end of the array "
     f"near line 1. {_BROKEN_ARRAY}"),
    ("latin.json", b'[{"a": "\xe9"}]', "“latin.json” is damaged: there are bytes that are not "
     f"UTF-8 text near line 1. {_BROKEN_ARRAY}"),
    ("deep.json", b'[{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
     f"“deep.json” is damaged: objects are nested too deeply near line 1. {_BROKEN_ARRAY}"),
    ("bad.jsonl", b"{oops}\n{oops}\n", "“bad.jsonl” holds no JSON object with a value: no row."),
    ("wide.jsonl", json.dumps({f"k{k}": k for k in range(2000)}).encode() + b"\n",
     "“wide.jsonl” has more than 1,000 different keys, which cannot be columns: save it with the "
     "keys as values."),
    # ARFF.
    ("nodata.arff", b"@relation r\n@attribute a numeric\n", "“nodata.arff” is no ARFF file that "
     "can be read: in line 2, there is no @data. Mend its header, or save it as CSV."),
    ("noattr.arff", b"@relation r\n@data\n1\n", "“noattr.arff” is no ARFF file that can be read: "
     "in line 2, there is no @attribute before @data. Mend its header, or save it as CSV."),
    ("type.arff", b"@relation r\n@attribute a colour\n@data\n", "“type.arff” is no ARFF file that "
     "can be read: in line 2, the attribute “a” has the unknown type “colour”. Mend its header, or "
     "save it as CSV."),
    ("brace.arff", b"@relation r\n@attribute a {x,y\n@data\n", "“brace.arff” is no ARFF file that "
     "can be read: in line 2, the values of “a” have no closing brace. Mend its header, or save it "
     "as CSV."),
    ("rel.arff", b"@relation r\n@attribute a relational\n@data\n", "“rel.arff” is no ARFF file "
     "that can be read: in line 2, the attribute “a” is relational, a table in itself, which is "
     "not read. Mend its header, or save it as CSV."),
    ("word.arff", b"@relation r\nhello\n@data\n", "“word.arff” is no ARFF file that can be read: "
     "in line 2, “hello” is neither @attribute nor @data. Mend its header, or save it as CSV."),
    ("level.arff", _ARFF + b"1,z\n", "No row of “level.arff” can be read: in line 5, “z” is no "
     "declared value of “c”."),
    ("quote.arff", _ARFF + b"1,'x\n", "No row of “quote.arff” can be read: in line 5, a quotation "
     "mark is not closed, or text follows it."),
    ("sparse.arff", _ARFF + b"{7 x}\n", "No row of “sparse.arff” can be read: in line 5, place 7 "
     "is beyond the last attribute."),
    ("open.arff", _ARFF + b"{0 1\n", "No row of “open.arff” can be read: in line 5, the sparse row "
     "has no closing brace."),
    ("rows.arff", _ARFF, "“rows.arff” has columns but no rows."),
    # LIBSVM.
    ("wide.svm", b"1 1:2\n0 99999999:1\n", "“wide.svm” has 99,999,999 features: up to 1,000 can be "
     "columns. Choose fewer, or keep the words the features were made of in a text column."),
    # Workbooks.
    ("cut.xlsx", _cut(_ONE, 0.9), "“cut.xlsx” is a damaged zip file: it cannot be unpacked."),
    ("flip.xlsx", _flipped(_ONE, 0.3), "“flip.xlsx” is a damaged Excel workbook: it cannot be "
     "read. Save it again, or save the sheet as CSV."),
    ("xml.xlsx", _patched(_ONE, "xl/workbook.xml", lambda x: x[:100]),
     "“xml.xlsx” is a damaged Excel workbook: it cannot be read. Save it again, or save the sheet "
     "as CSV."),
    ("sheet.xlsx", _patched(_ONE, "xl/worksheets/sheet1.xml", lambda x: b"<oops"),
     "“sheet.xlsx” is a damaged Excel workbook: it cannot be read. Save it again, or save the "
     "sheet as CSV."),
    ("two.xlsx", _TWO, "“two.xlsx” has several sheets: choose one by adding its name, as in "
     "“two.xlsx::One” (its sheets are “One”, “Two”)."),
    ("two.xlsx::Three", _TWO, "“two.xlsx” has no sheet “Three”: its sheets are “One”, “Two”."),
    ("empty.xlsx", _workbook({"One": []}), f"“empty.xlsx” {_EMPTY}"),
    ("far.xlsx", _far(), "“far.xlsx” is too large to be read as a workbook (more than 16,777,216 "
     "cells in a sheet, or 4 MB unpacked): save the sheet as CSV."),
    ("bomb.xlsx", _patched(_ONE, "xl/styles.xml", lambda x: bytes(2**23)),
     "“bomb.xlsx” is too large to be read as a workbook (more than 16,777,216 cells in a sheet, or "
     "4 MB unpacked): save the sheet as CSV."),
    ("x.xlsb", _zip(xl__workbook_bin=b"x"), "“x.xlsb” is a binary Excel workbook, which is not "
     "read: save it as .xlsx or CSV."),
    ("x.ods", _zip(mimetype=b"application/vnd.oasis.opendocument.spreadsheet",
                   content_xml=b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
     "“x.ods” is a damaged ODS workbook: it cannot be read. Save it again, or save the sheet as "
     "CSV."),
    # Databases.
    ("magic.sqlite", b"SQLite format 3\0" + b"\xff" * 600, "“magic.sqlite” is a damaged SQLite "
     "database: it cannot be read."),
    ("cut.sqlite", _then(_SQL, _cut), "~“cut.sqlite” is a damaged SQLite database: it cannot be "
     "read~"),
    ("page.sqlite", _then(_SQL, lambda d: _zeroed(d, 4096, 20_000)), "“page.sqlite” is a damaged "
     "SQLite database: it cannot be read."),
    ("none.sqlite", _sqlite("CREATE TABLE t (a)", "DROP TABLE t"), "“none.sqlite” is a database "
     "without a table."),
    ("two.sqlite", _sqlite("CREATE TABLE t (a)", "CREATE TABLE u (a)"), "“two.sqlite” has several "
     "tables: choose one by adding its name, as in “two.sqlite::t” (its tables are “t”, “u”)."),
    ("two.sqlite::v", _sqlite("CREATE TABLE t (a)", "CREATE TABLE u (a)"), "“two.sqlite” has no "
     "table “v”: its tables are “t”, “u”."),
    ("rows.sqlite", _sqlite("CREATE TABLE t (a)"), "“rows.sqlite” has columns but no rows."),
    ("q.sqlite::SELECT nope FROM t", _SQL, "The query of “q.sqlite” fails: “no such column: nope”. "
     "Only SELECT is allowed."),
    ("q.sqlite::WITH x AS (SELECT 1) DELETE FROM t", _SQL, "The query of “q.sqlite” fails: “not "
     "authorized”. Only SELECT is allowed."),
    ("q.sqlite::SELECT 1; DROP TABLE t", _SQL, "The query of “q.sqlite” fails: “You can only "
     "execute one statement at a time.”. Only SELECT is allowed."),
    ("magic.duckdb", bytes(8) + b"DUCK" + b"\xff" * 9000, "~“magic.duckdb” ~"),
    ("cut.duckdb", _then(_DUCK, lambda d: d[:13_000]), "~“cut.duckdb” is a damaged DuckDB "
     "database: it cannot be read~"),
    ("none.duckdb", _duck(), "“none.duckdb” is a database without a table."),
    ("two.duckdb", _duck("CREATE TABLE t (a INT)", "CREATE TABLE u (a INT)"), "“two.duckdb” has "
     "several tables: choose one by adding its name, as in “two.duckdb::t” (its tables are “t”, "
     "“u”)."),
    ("q.duckdb::SELECT nope FROM t", _DUCK, "~The query of “q.duckdb” fails: ~Only SELECT is "
     "allowed."),
    ("q.duckdb::SELECT 1 a; DROP TABLE t", _DUCK, "~The query of “q.duckdb” fails: ~Only SELECT is "
     "allowed."),
    ("q.duckdb::SELECT * FROM read_csv('/etc/passwd')", _DUCK, "~The query of “q.duckdb” fails: "
     "~Only SELECT is allowed."),
    ("nested.duckdb", _duck("CREATE TABLE t AS SELECT [1, 2] l"), "“nested.duckdb” has no column "
     "that can be used."),
]  # fmt: skip


def test_there_are_at_least_sixty_broken_files() -> None:
    assert len({name for name, _, _ in CASES}) >= 60


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, so small that files of a megabyte or two reach them."""
    monkeypatch.setattr(packed_source, "FREE_BYTES", 2**20)
    monkeypatch.setattr(packed_source, "MAX_RATIO", 50)
    monkeypatch.setattr(workbook_source, "MAX_UNPACKED", 2**22)
    monkeypatch.setattr(json_source, "MAX_COLUMNS", 1000)
    monkeypatch.setattr(libsvm_source, "MAX_FEATURES", 1000)


@pytest.mark.parametrize(("name", "content", "expected"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.usefixtures("small_limits")
def test_a_broken_file_gives_its_sentence(
    name: str, content: bytes | Callable[[Path], None], expected: str, tmp_path: Path
) -> None:
    path = tmp_path / name.partition("::")[0]
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(DataError) as caught:
        import_dataset(f"{tmp_path}/{name}", cache=tmp_path / "cache").close()
    told = caught.value.sentence
    assert "\n" not in told
    assert told.endswith(".")
    at = 0
    # Between tildes stand the parts that do not depend on versions and places.
    for part in expected.split("~") if expected.startswith("~") else []:
        assert part in told[at:]
        at = told.index(part, at) + len(part)
    assert expected.startswith("~") or told == expected
    after = sorted(p.name for p in tmp_path.iterdir() if p.name != "cache")
    assert after == before, "nothing is written beside the file"
