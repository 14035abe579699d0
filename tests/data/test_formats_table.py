"""The same rows in every format are the same data set."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import math
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from openpyxl.cell import WriteOnlyCell

from modellab.data.importer import import_dataset
from modellab.data.opening import open_source
from modellab.data.store import Store

ROWS = 10_000
NAMES = ["number", "whole", "big", "part", "colour", "words", "when", "zoned", "switch", "naïve ü"]

Row = list[Any]
_WORDS = [
    'She said "no", twice', "line one\nline two", "comma, semicolon; bar | tab\there",
    "naïve café ☕",
    "日本語のテキスト", "it's 'quoted'", "=1+1", "<b>not bold</b>", "back\\slash", "# no comment",
    "{brace}", "100 % sure", "\u202eright to left", "a" * 300,
]  # fmt: skip


def _rows() -> list[Row]:
    """Rows of every kind; None is missing, "" an empty text (which counts as missing)."""
    zone = timezone(timedelta(hours=5, minutes=30))
    first = datetime(1950, 1, 1, 3, 4, 5)
    rows: list[Row] = []
    for k in range(ROWS):
        number: float | None = (k * 37 % 1009 - 500) / 8
        if k % 50 == 7:
            number = None
        elif k % 211 == 11:
            number = math.inf if k % 2 else -math.inf
        rows.append(
            [
                number,
                k - 1500,
                (2**53 - 1 - k) * (-1) ** k,
                None if k % 3 == 0 else round(1e9 + k * 0.001, 3),
                [None, "", "red", "grün", "blue ☂", "dark, grey"][k % 6],
                f"{_WORDS[k % len(_WORDS)]} {k}",
                first + timedelta(days=5 * k, microseconds=1000 * (k % 7)),
                datetime(1965, 6, 1, 12, tzinfo=zone) + timedelta(hours=31 * k),
                ["yes", "no", None][k % 3],
                f"code {k % 40}",
            ]
        )
    return rows


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _csv(rows: list[Row], delimiter: str = ",", decimal: str = ".", end: str = "\r\n") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(NAMES)
    for row in rows:
        cells = [_text(value) for value in row]
        for place in (0, 3):
            cells[place] = cells[place].replace(".", decimal)
        writer.writerow(cells)
    return out.getvalue()


def _table(rows: list[Row]) -> pa.Table:
    columns = dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))
    return pa.table(columns)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return repr(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _objects(rows: list[Row]) -> list[dict[str, Any]]:
    return [dict(zip(NAMES, map(_plain, row), strict=True)) for row in rows]


def _arff(rows: list[Row]) -> str:
    def quoted(text: str) -> str:
        text = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return "'" + text.replace("\t", "\\t") + "'"

    kinds = ["numeric"] * 4 + ["{'red','grün','blue ☂','dark, grey'}", "string", "date", "date",
                               "{yes,no}", "string"]  # fmt: skip
    lines = ["% written by the test", "@RELATION 'all kinds'", ""]
    lines += [f"@attribute {quoted(n)} {k}" for n, k in zip(NAMES, kinds, strict=True)]
    lines.append("@DATA")
    for row in rows:
        cells = [_text(value) for value in row]
        lines.append(
            ",".join(
                "?" if not c else c if isinstance(v, (int, float)) else quoted(c)
                for c, v in zip(cells, row, strict=True)
            )
        )
    return "\n".join(lines) + "\n"


def _xlsx(path: Path, rows: list[Row]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.append(NAMES)
    for row in rows:
        # A workbook knows neither zones nor infinity, and few digits of a second: those are texts.
        cells = [_text(value) if _as_text(value) else value for value in row]
        # "=1+1 ..." would be a formula.
        sheet.append([_cell(sheet, c) if isinstance(c, str) else c for c in cells])
    book.save(path)


def _cell(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell


def _as_text(value: Any) -> bool:
    return isinstance(value, datetime) or (isinstance(value, float) and math.isinf(value))


def _ods(path: Path, rows: list[Row]) -> None:
    def cell(value: Any) -> str:
        if value in (None, ""):
            return "<table:table-cell/>"
        if isinstance(value, (int, float)) and not _as_text(value):
            return f'<table:table-cell office:value-type="float" office:value="{value!r}"/>'
        # The library loses the element <text:tab/>, so a tab stands for itself here.
        lines = escape(_text(value)).split("\n")
        shown = "".join(f"<text:p>{line}</text:p>" for line in lines)
        return f'<table:table-cell office:value-type="string">{shown}</table:table-cell>'

    urn = "urn:oasis:names:tc:opendocument:xmlns"
    body = "".join(
        f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in [NAMES, *rows]
    )
    filler = (
        '<table:table-row table:number-rows-repeated="1040000">'
        '<table:table-cell table:number-columns-repeated="16000"/></table:table-row>'
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content '
        f'xmlns:office="{urn}:office:1.0" xmlns:table="{urn}:table:1.0" '
        f'xmlns:text="{urn}:text:1.0">'
        f'<office:body><office:spreadsheet><table:table table:name="data">{body}{filler}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    manifest = (
        f'<?xml version="1.0"?><manifest:manifest xmlns:manifest="{urn}:manifest:1.0">'
        '<manifest:file-entry manifest:full-path="/" '
        'manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/></manifest:manifest>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)


def _sqlite(path: Path, rows: list[Row]) -> None:
    connection = sqlite3.connect(path)
    named = ", ".join(f'"{name}"' for name in NAMES)
    connection.execute(f"CREATE TABLE data ({named})")
    marks = ", ".join("?" * len(NAMES))
    connection.executemany(
        f"INSERT INTO data VALUES ({marks})",
        [[_text(v) if isinstance(v, datetime) else v for v in row] for row in rows],
    )
    connection.commit()
    connection.close()


def _duckdb(path: Path, rows: list[Row]) -> None:
    with duckdb.connect(str(path)) as connection:
        table = _table(rows)
        connection.register("given", table)
        connection.execute("CREATE TABLE data AS SELECT * FROM given")


def _ipc(path: Path, rows: list[Row], stream: bool) -> None:
    table = _table(rows)
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as file, make(file, table.schema) as out:
        out.write_table(table, max_chunksize=700)


def _zip(path: Path, text: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("any/data.csv", text)


def _zstd(path: Path, data: bytes) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.CompressedOutputStream(file, "zstd") as out:
        out.write(data)


def _hive(path: Path, rows: list[Row]) -> None:
    table = _table(rows)
    for part in range(3):
        folder = path / f"piece={part}"
        folder.mkdir(parents=True)
        start, stop = (-(-len(rows) * k // 3) for k in (part, part + 1))
        pq.write_table(table.slice(start, stop - start), folder / "0.parquet")


def _split(path: Path, rows: list[Row]) -> None:
    path.mkdir()
    for part in range(12):
        here = rows[part * len(rows) // 12 : (part + 1) * len(rows) // 12]
        (path / f"part-{part}.csv").write_text(_csv(here), newline="")


Writer = Callable[[Path, list[Row]], object]
FORMATS: dict[str, Writer] = {
    "csv": lambda p, r: p.write_text(_csv(r), newline=""),
    "tsv": lambda p, r: p.write_text(_csv(r, "\t", end="\n"), newline=""),
    "semicolon.csv": lambda p, r: p.write_text(_csv(r, ";", ","), newline=""),
    "bar.csv": lambda p, r: p.write_text(_csv(r, "|"), newline=""),
    "mark.csv": lambda p, r: p.write_bytes(_csv(r).encode("utf-8-sig")),
    "utf16.csv": lambda p, r: p.write_bytes(_csv(r).encode("utf-16")),
    "comments.csv": lambda p, r: p.write_text("# one\n# two\n" + _csv(r), newline=""),
    "csv.gz": lambda p, r: p.write_bytes(gzip.compress(_csv(r).encode())),
    "csv.bz2": lambda p, r: p.write_bytes(bz2.compress(_csv(r).encode())),
    "csv.xz": lambda p, r: p.write_bytes(lzma.compress(_csv(r).encode(), preset=0)),
    "csv.zst": lambda p, r: _zstd(p, _csv(r).encode()),
    "zip": lambda p, r: _zip(p, _csv(r)),
    "parquet": lambda p, r: pq.write_table(_table(r), p, row_group_size=1000),
    "arrow": lambda p, r: _ipc(p, r, stream=False),
    "arrows": lambda p, r: _ipc(p, r, stream=True),
    "feather": lambda p, r: feather.write_feather(_table(r), str(p), compression="zstd"),
    "jsonl": lambda p, r: p.write_text(
        "".join(json.dumps(o, ensure_ascii=False) + "\n" for o in _objects(r))
    ),
    "jsonl.gz": lambda p, r: p.write_bytes(
        gzip.compress("\n".join(map(json.dumps, _objects(r))).encode())
    ),
    "json": lambda p, r: p.write_text(json.dumps(_objects(r))),
    "pretty.json": lambda p, r: p.write_text(json.dumps(_objects(r), indent=2, ensure_ascii=False)),
    "arff": lambda p, r: p.write_text(_arff(r)),
    "xlsx": _xlsx,
    "ods": _ods,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
    "folder": _split,
    "hive": _hive,
}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return _rows()


@pytest.fixture(scope="module")
def expected(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    folder = tmp_path_factory.mktemp("table")
    FORMATS["csv"](folder / "data.csv", rows)
    with import_dataset(folder / "data.csv", cache=folder / "cache") as store:
        return _content(store)


def _content(store: Store) -> dict[str, list[Any]]:
    table = store.read(0, store.n_rows)
    found: dict[str, list[Any]] = {
        name: table[name].cast(pa.int64()).to_pylist()
        if store.column(name).kind == "time"
        else table[name].to_pylist()
        for name in store.names
    }
    found["kinds"] = [store.column(name).kind for name in store.names]
    found["levels"] = [store.column(name).levels for name in store.names]
    found["infinite"] = [store.column(name).infinite for name in store.names]
    return found


def test_what_the_rows_are(rows: list[Row], expected: dict[str, list[Any]]) -> None:
    assert expected["kinds"] == [
        "number", "number", "number", "number", "category", "text", "time", "time", "boolean",
        "category",
    ]  # fmt: skip
    for place, name in enumerate(NAMES[:4]):
        for row, value in zip(rows, expected[name], strict=True):
            missing = row[place] is None or math.isinf(row[place])
            assert value == (None if missing else float(row[place]))
    assert expected["big"][1] == -float(2**53 - 2)
    assert expected["colour"] == [row[4] or None for row in rows]
    assert expected["words"] == [row[5] for row in rows]
    assert expected["switch"] == [{"yes": True, "no": False, None: None}[row[8]] for row in rows]
    zero = datetime(1970, 1, 1)
    micro = timedelta(microseconds=1)
    assert expected["when"] == [round((row[6] - zero) / micro) * 1000 for row in rows]
    zoned = datetime(1970, 1, 1, tzinfo=UTC)
    assert expected["zoned"][0] == round((rows[0][7] - zoned) / timedelta(seconds=1)) * 10**9 < 0


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_data_set(
    name: str, rows: list[Row], expected: dict[str, list[Any]], tmp_path: Path
) -> None:
    path = tmp_path / f"data.{name}"
    FORMATS[name](path, rows)
    with import_dataset(path, cache=tmp_path / "cache") as store:
        found = _content(store)
        names = list(store.names)
    if name == "hive":
        assert found.pop("piece") == [k * 3 // ROWS for k in range(ROWS)]
        names.remove("piece")
        for about in ("kinds", "levels", "infinite"):
            found[about].pop()
    assert names == NAMES
    for column in ("kinds", "levels", "infinite", *NAMES):
        assert found[column] == expected[column], column


@pytest.mark.parametrize("name", FORMATS)
def test_content_alone_makes_the_fingerprint(name: str, rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / f"data.{name}"
    FORMATS[name](path, rows[:60])
    first = open_source(path)
    again = open_source(first.paths if len(first.paths) == 1 else path)
    assert again.fingerprint == first.fingerprint
    assert [column.name for column in again.columns] == [column.name for column in first.columns]
    assert again.name == first.name


def test_the_numbers_are_the_same_in_libsvm(
    rows: list[Row], expected: dict[str, list[Any]], tmp_path: Path
) -> None:
    path = tmp_path / "data.svm"
    path.write_text("".join(f"{row[1]} 1:{row[2]} 2:{row[3] or 0!r}\n" for row in rows))
    with import_dataset(path, cache=tmp_path / "cache") as store:
        table = store.read(0, store.n_rows)
    assert table["label"].to_pylist() == expected["whole"]
    assert table["feature_1"].to_pylist() == expected["big"]
    # The format knows no missing values: what is not there is nothing.
    assert table["feature_2"].to_pylist() == [value or 0.0 for value in expected["part"]]
