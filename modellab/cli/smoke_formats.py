"""The smoke test's files: one of each format and packing, written and read back.

Each is read by a library of its own, and some by a process of their own: what an installed
program may lack shows here, and not when somebody drops such a file.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sqlite3
import zipfile
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape

from modellab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 60
NAMES = ("amount", "place")
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def formats(folder: Path) -> str:
    """Write and read a small table in every format; say how many.

    Raises
    ------
    LabError
        If one cannot be read, or comes back with other rows, naming it.
    """
    folder.mkdir()
    for name, write in WRITERS.items():
        path = folder / f"table.{name}"
        try:
            write(path)
            rows, total = _read(path)
        except LabError:
            raise
        except Exception as error:
            raise LabError(
                f"{path.name} cannot be used: {type(error).__name__}: {error}"
            ) from error
        if (rows, total) != (ROWS, float(sum(_amounts()))):
            raise LabError(f"{path.name} was read as {rows} rows whose sum is {total:g}.")
    return f"{len(WRITERS)} kinds of files read"


def _amounts() -> list[int]:
    return [3 * row + 1 for row in range(ROWS)]


def _table() -> list[tuple[int, str]]:
    return [(amount, f"p{amount % 4}") for amount in _amounts()]


def _read(path: Path) -> tuple[int, float]:
    """Read all rows; return how many and the sum of the first column."""
    import pyarrow.compute as pc

    from modellab.data.opening import open_source

    rows, total = 0, 0.0
    for chunk in open_source(path).chunks():
        rows += chunk.batch.num_rows
        total += pc.sum(pc.cast(chunk.batch.column(0), "float64")).as_py()
    return rows, total


# ---------------------------------------------------------------- the files


def _csv() -> bytes:
    lines = [",".join(NAMES), *(f"{amount},{place}" for amount, place in _table())]
    return "".join(f"{line}\n" for line in lines).encode()


def _text(pack: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: _put(path, pack(_csv()))


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.csv", _csv())


def _arrow_codec(name: Literal["zstd", "lz4"]) -> Callable[[bytes], bytes]:
    def pack(content: bytes) -> bytes:
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, name) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()

    return pack


def _json(path: Path) -> None:
    rows = [dict(zip(NAMES, row, strict=True)) for row in _table()]
    _put(path, json.dumps(rows).encode())


def _json_lines(path: Path) -> None:
    rows = (json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in _table())
    _put(path, "".join(rows).encode())


def _arff(path: Path) -> None:
    head = "@relation t\n@attribute amount numeric\n@attribute place {p0,p1,p2,p3}\n@data\n"
    _put(path, (head + "".join(f"{amount},{place}\n" for amount, place in _table())).encode())


def _libsvm(path: Path) -> None:
    lines = (f"{amount} 1:{amount} 2:0.5\n" for amount, _ in _table())
    _put(path, "".join(lines).encode())


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (amount INTEGER, place TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", _table())
    connection.close()


def _duckdb(path: Path) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t (amount INTEGER, place VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", _table())


def _arrow_file(kind: Literal["parquet", "uncompressed", "zstd"]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import pyarrow as pa
        import pyarrow.feather as feather
        import pyarrow.parquet as pq

        columns = list(zip(*_table(), strict=True))
        table = pa.table(dict(zip(NAMES, map(list, columns), strict=True)))
        if kind == "parquet":
            pq.write_table(table, path)
        else:
            feather.write_feather(table, str(path), compression=kind)

    return write


def _workbook(path: Path) -> None:
    """Write a workbook as Excel does, with no more in it than must be."""

    def cell(value: object) -> str:
        if isinstance(value, int):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'

    rows = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in [NAMES, *_table()])
    types = (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>'
        f'<Override PartName="/xl/sheet.xml" ContentType="{_CONTENT}.worksheet+xml"/></Types>'
    )
    book = (
        f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="t" sheetId="1" r:id="a"/></sheets></workbook>'
    )
    parts = {
        "[Content_Types].xml": types,
        "_rels/.rels": _relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": _relation("worksheet", "sheet.xml"),
        "xl/sheet.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>{rows}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}')


def _relation(kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="a" Type="{_OFFICE}/{kind}" Target="{target}"/></Relationships>'
    )


WRITERS: dict[str, Callable[[Path], None]] = {
    "csv": _text(bytes),
    "csv.gz": _text(gzip.compress),
    "csv.bz2": _text(bz2.compress),
    "csv.xz": _text(lzma.compress),
    "csv.zst": _text(_arrow_codec("zstd")),
    "csv.lz4": _text(_arrow_codec("lz4")),
    "zip": _zip,
    "json": _json,
    "jsonl": _json_lines,
    "arff": _arff,
    "libsvm": _libsvm,
    "parquet": _arrow_file("parquet"),
    "arrow": _arrow_file("uncompressed"),
    "feather": _arrow_file("zstd"),
    "sqlite": _sqlite,
    "duckdb": _duckdb,
    "xlsx": _workbook,
}
"""How a file of each ending is made."""
