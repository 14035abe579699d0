"""Files that cannot be opened, and files whose texts mean harm: for the tests of bad input."""

from __future__ import annotations

import csv
import gzip
import os
import random
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QAbstractListModel, QModelIndex
from PySide6.QtGui import Qt
from PySide6.QtWidgets import QAbstractItemView, QGraphicsTextItem, QGraphicsView, QLabel, QWidget

# Test folders are no packages: helpers that lie here are imported by their bare names.
_HERE = str(Path(__file__).parent)
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)


TOML = '[data]\npath = "prices.csv"\ntarget = "y"\n'
LONG, IMAGE = "x" * 10_000, "<img src='file:///x.png'>"


def text(name: str, content: str | bytes) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return [path]

    return make


def two_headers(folder: Path) -> list[Path]:
    return text("a.csv", "x,y\n1,2\n3,4\n")(folder) + text("b.csv", "x,z\n1,2\n3,4\n")(folder)


def broken_parquet(folder: Path) -> list[Path]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "half.parquet"
    pq.write_table(pa.table({"x": list(range(900)), "y": ["u", "d", "u"] * 300}), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return [path]


def holed_parquet(folder: Path) -> list[Path]:
    (path,) = broken_parquet(folder)
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": list(range(900))}), path)
    content = bytearray(path.read_bytes())
    content[20:200] = b"\xff" * 180
    path.write_bytes(content)
    return [path]


def folder_dropped(folder: Path) -> list[Path]:
    path = folder / "folder"
    path.mkdir()
    (path / "words.docx").write_text("no rows")
    return [path]


def pipe(name: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        if not hasattr(os, "mkfifo"):
            pytest.skip("this system has no named pipes")
        os.mkfifo(folder / name)
        return [folder / name]

    return make


def archive(name: str, **members: bytes) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        path = folder / name
        with zipfile.ZipFile(path, "w") as file:
            for member, content in members.items():
                file.writestr(member, content)
        return [path]

    return make


GZ = gzip.compress(random.Random(3).randbytes(30_000).hex().encode())
BAD: list[tuple[str, Callable[[Path], list[Path]], str]] = [
    ("empty file", text("a.csv", ""), "is empty"),
    ("only blanks", text("a.csv", " \n\n"), "is empty"),
    ("header only", text("a.csv", "a,b,y\n"), "a header but no rows"),
    ("binary", text("a.csv", random.Random(1).randbytes(20_000)), "not a text file"),
    ("NUL in a name", text("a.csv", "a\0,y\n1,u\n2,d\n"), "not a text file"),
    ("short gzip", text("a.csv.gz", gzip.compress(b"a,y\n1,u\n" * 90)[:12]), "damaged gzip file"),
    ("half gzip", text("a.csv.gz", gzip.compress(b"a,y\n") + GZ[: len(GZ) // 2]), "damaged gzip"),
    ("broken Parquet", broken_parquet, "damaged Parquet file"),
    ("hole in Parquet", holed_parquet, "is damaged"),
    ("no such file", lambda folder: [folder / "gone.csv"], "There is no file"),
    ("other columns", two_headers, "lacks the column"),
    ("pipe", pipe("a.csv"), "a pipe or a device"),
    ("pipe for an experiment", pipe("a.toml"), "is not a file"),
    ("folder", folder_dropped, "holds no data file"),
    ("unknown ending", text("a.docx", "words"), "cannot be read"),
    ("two experiments", lambda f: text("a.toml", TOML)(f) * 2, "One experiment at a time"),
    ("no TOML", text("a.toml", "this is = = no"), "not valid TOML"),
    ("empty TOML", text("a.toml", ""), "[data]"),
    ("unknown key", text("a.toml", TOML + "[split]\ntrian = 3\n"), "did you mean split.train"),
    ("binary TOML", text("a.toml", b"\xff\xfe\x00\x01" * 9), "not text in UTF-8"),
    ("newer version", text("a.toml", "modellab = 99\n" + TOML), "newer Model Lab"),
    ("data moved", text("a.toml", TOML.replace("prices", "moved")), "any more"),
    ("no zip", text("a.mlab", "PK\3\4 and so on"), "no Model Lab file"),
    ("outside", archive("a.mlab", **{"experiment.toml": TOML.encode(), "../out.csv": b"a"}),
     "names a path outside itself"),
    ("absolute", archive("a.mlab", **{"experiment.toml": TOML.encode(), "/etc/out": b"a"}),
     "names a path outside itself"),
    ("no experiment", archive("a.mlab", **{"data.json": b"{}"}), "holds no experiment"),
]  # fmt: skip


NAMES = ["<b>bold</b>", "line\nbreak", LONG, "=1+2", IMAGE, "a&b", "y"]
NOWHERE = QModelIndex()
TIP = Qt.ItemDataRole.ToolTipRole
MARKS = ("<b>bold", "<img", "<script", "<a href")


def hostile_row(i: int) -> list[Any]:
    return ["<b>bold</b><script>x</script>" if i % 2 else "<img src=x>",
            f"=cmd|' /C calc'!A{i % 3}", i * 7 % 31, "two\nlines",
            "<a href='file:///'>x</a>" * (i % 2), i % 3,
            "<b>bold up</b>" if i * 7 % 31 > 12 else "down"]  # fmt: skip


def hostile_csv(path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        writer.writerows(hostile_row(i) for i in range(400))
    return path


def hostile_parquet(path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*NAMES[:-1], "nul\0name", "y"]
    table = [hostile_row(i) for i in range(400)]
    columns = [[row[j] for row in table] for j in range(6)]
    columns += [["a\0b", "c"] * 200, [row[6] for row in table]]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), path)
    return path


def read_as_markup(root: QWidget) -> list[str]:
    """Texts of files that some widget below `root` would read as markup."""
    found: list[str] = []

    def look(words: Any, where: str) -> None:
        if isinstance(words, str) and Qt.mightBeRichText(words) and any(m in words for m in MARKS):
            found.append(f"{where}: {words[:80]!r}")

    for widget in [root, *root.findChildren(QWidget)]:
        name = type(widget).__name__
        if isinstance(widget, QLabel) and widget.textFormat() != Qt.TextFormat.PlainText:
            look(widget.text(), name)
        for words in (widget.toolTip(), widget.whatsThis()):
            look(words, f"tip of {name}")
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            model = widget.model()
            is_list = isinstance(model, QAbstractListModel)
            for column in range(1 if is_list else model.columnCount(NOWHERE)):
                look(model.headerData(column, Qt.Orientation.Horizontal, TIP), f"head of {name}")
                for row in range(min(model.rowCount(NOWHERE), 30)):
                    look(model.index(row, column).data(TIP), f"cell of {name}")
        if isinstance(widget, QGraphicsView) and widget.scene() is not None:
            for item in widget.scene().items():
                look(item.toolTip(), f"tip in {name}")
                if isinstance(item, QGraphicsTextItem) and "bold" in item.toPlainText():
                    plain = item.toPlainText()
                    if "<b>bold" not in plain:
                        found.append(f"text in {name}: {plain[:80]!r}")
    return found
