"""CSV files: layout, quotation marks, bad rows with their lines, encodings."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from modellab.data import csv_records
from modellab.data.csv_records import cut_blocks
from modellab.data.csv_source import NOT_UTF8, CsvSource
from modellab.data.opening import open_source
from modellab.data.source import BadRow
from modellab.errors import DataError


def read(path: Path) -> tuple[list[list[str]], list[BadRow], list[int]]:
    """All good rows as texts, the bad rows, and the line of every good row."""
    source = open_source(path)
    bad: list[BadRow] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    for chunk in source.chunks(bad.append):
        columns = [column.to_pylist() for column in chunk.batch.columns]
        rows += [list(row) for row in zip(*columns, strict=True)]
        lines += [chunk.line_of(k) for k in range(len(chunk.batch))]
    return rows, bad, lines


def put(folder: Path, content: str | bytes, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_layout_reads_alike(
    tmp_path: Path, delimiter: str, end: str, mark: bytes, packed: bool
) -> None:
    records = [["name", "size"], ["a b", "1"], ["ü", "2.5"], ["", "3"]]
    data = mark + (end.join(delimiter.join(r) for r in records) + end).encode()
    path = put(tmp_path, gzip.compress(data) if packed else data)
    source = open_source(path)
    rows, bad, lines = read(path)
    assert [c.name for c in source.columns] == ["name", "size"]
    assert source.options["delimiter"] == delimiter
    assert rows == records[1:]
    assert bad == []
    assert lines == [2, 3, 4]


def test_last_line_needs_no_end_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    rows, bad, lines = read(put(tmp_path, "\n\na,b\n1,2\n\n\n3,4"))
    assert rows == [["1", "2"], ["3", "4"]]
    assert bad == []
    assert lines == [4, 7]


def test_quoted_cells_hold_delimiters_marks_and_line_ends(tmp_path: Path) -> None:
    text = 'a,b\n"1,5","say ""hi"""\n"two\nlines",x\n"","\r\n"\nlast,row\n'
    rows, bad, lines = read(put(tmp_path, text))
    assert rows == [["1,5", 'say "hi"'], ["two\nlines", "x"], ["", "\r\n"], ["last", "row"]]
    assert bad == []
    assert lines == [2, 3, 5, 7]


def test_ragged_rows_are_set_aside_with_their_line(tmp_path: Path) -> None:
    text = 'a,b,c\n1,2,3\n1,2\n"x\ny",2,3\n4,5,6,7\n\n8,9,10\n'
    rows, bad, lines = read(put(tmp_path, text))
    assert rows == [["1", "2", "3"], ["x\ny", "2", "3"], ["8", "9", "10"]]
    assert lines == [2, 4, 8]
    assert bad == [
        BadRow("x.csv", 3, "2 cells instead of 3", "1,2"),
        BadRow("x.csv", 6, "4 cells instead of 3", "4,5,6,7"),
    ]


def test_undecodable_bytes_cost_one_row(tmp_path: Path) -> None:
    data = b'a,b\n1,2\nx\xffy,3\n"q\nr",4\n5\n6,7\n'
    rows, bad, lines = read(put(tmp_path, data))
    assert rows == [["1", "2"], ["q\nr", "4"], ["6", "7"]]
    assert lines == [2, 4, 7]
    assert [(b.line, b.reason) for b in bad] == [(3, NOT_UTF8), (6, "1 cell instead of 2")]
    assert bad[0].text == "x\ufffdy,3"


def test_an_unclosed_mark_costs_at_most_its_own_row(tmp_path: Path) -> None:
    good = [f"{k},text {k},end" for k in range(2000)]
    lines = ["a,b,c", *good[:1000], '7,"never closed,end', '8,"also open', *good[1000:]]
    rows, bad, _ = read(put(tmp_path, "\n".join(lines) + "\n"))
    assert [r for r in rows if r[1].startswith("text")] == [line.split(",") for line in good]
    # The first of the two has three cells as it stands; the second has not.
    assert ["7", '"never closed', "end"] in rows
    assert [(b.line, b.text) for b in bad] == [(1003, '8,"also open')]
    assert bad[0].reason == "a quotation mark is not closed"


def test_marks_inside_a_text_are_text(tmp_path: Path) -> None:
    text = 'kind\ttext\nham\t"Yes," she said\nham\t5" disc\nspam\tplain\nham\t"all of it"\n'
    rows, bad, _ = read(put(tmp_path, text, "x.tsv"))
    assert rows == [
        ["ham", '"Yes," she said'], ["ham", '5" disc'], ["spam", "plain"], ["ham", "all of it"],
    ]  # fmt: skip
    assert bad == []


def test_text_after_a_closing_mark_is_named(tmp_path: Path) -> None:
    rows, bad, _ = read(put(tmp_path, 'a,b\n1,2\n"x, y" z,3\n4,5\n'))
    assert rows == [["1", "2"], ["4", "5"]]
    assert [(b.line, b.reason) for b in bad] == [(3, "text follows a closing quotation mark")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_block_size_changes_no_record(size: int) -> None:
    text = b'1,"a\n""b""",x\r\n2,,y\n\n3,"c,d","e"\n4,"f" g,h\n5,i,"\n"\n6,j\n'
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        piece = text[at : at + count]
        at += count
        return piece

    lines: list[int] = []
    for block in cut_blocks(take, b",", 3, 1, size):
        lines += (
            block.lines + [b[0] for b in block.bad]
            if block.rows is not None
            else (block.record_lines())
        )
    assert lines == [1, 3, 5, 6, 7, 9]


def test_a_line_without_end_is_no_table(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(csv_records, "MAX_LINE", 2**16)
    path = put(tmp_path, "a,b\n1,2\n" + "x" * 5_000_000)
    with pytest.raises(DataError, match=r"“x.csv” is not a table: line 3 is longer"):
        read(path)


def test_no_header_gives_numbered_names(tmp_path: Path) -> None:
    source = open_source(put(tmp_path, "0,tcp,1.5\n0,udp,2\n"))
    assert [c.name for c in source.columns] == ["column_1", "column_2", "column_3"]
    assert source.warnings == [
        "“x.csv” has no header: its columns are called column_1 to column_3."
    ]
    rows, _, lines = read(tmp_path / "x.csv")
    assert (len(rows), lines) == (2, [1, 2])


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Label,SMS\nham,Go on\nspam,Win\n", True),  # words over words that do not come again
        ("ham,Go on\nspam,Win\nham,Ok\n", False),  # the first cell comes again
        ("x,y\n1,2\n", True),
        ("2020-01-01,a\n2020-01-02,b\n", False),
        ("0,1,2\n0.3,0.4,0.5\n", True),  # names that count
        ("a,b\n", True),
    ],
)
def test_header_or_not(tmp_path: Path, text: str, header: bool) -> None:
    source = open_source(put(tmp_path, text))
    assert isinstance(source, CsvSource)
    assert source.layout.has_header is header


def test_r_row_names_have_a_column_of_their_own(tmp_path: Path) -> None:
    source = open_source(put(tmp_path, "a,b\nr1,1,2\nr2,3,4\n"))
    assert [c.name for c in source.columns] == ["row", "a", "b"]
    assert "one name fewer than its rows have cells" in source.warnings[0]


def test_semicolons_win_over_decimal_commas(tmp_path: Path) -> None:
    source = open_source(put(tmp_path, "a;b\n1,5;2,5\n3,5;4,5\n"))
    assert [c.name for c in source.columns] == ["a", "b"]


def test_names_are_made_different(tmp_path: Path) -> None:
    source = open_source(put(tmp_path, "x,x, x ,x_2,\n1,2,3,4,5\n"))
    assert [c.name for c in source.columns] == ["x", "x_3", "x_4", "x_2", "column_5"]
    assert source.warnings[0] == (
        "“x.csv” has more than one column called “x”: column 2 is called “x_3” here."
    )
    assert len(source.warnings) == 2


def test_truncated_gzip_says_where_it_breaks_off(tmp_path: Path) -> None:
    import random

    rng = random.Random(1)
    text = "a,b\n" + "".join(f"{rng.random()},{k}\n" for k in range(100_000))
    packed = gzip.compress(text.encode())
    path = put(tmp_path, packed[: len(packed) // 2], "x.csv.gz")
    with pytest.raises(DataError, match=r"damaged gzip file: it breaks off after line \d"):
        read(path)


def test_a_mark_or_blank_lines_at_the_start_of_a_block(tmp_path: Path) -> None:
    block = 2**21
    filler = "x" * 1000 + ",1\n"
    count = block // len(filler) - 1
    lead = "y" * (block - count * len(filler) - 3) + ",2\n"  # fills the first block up
    marked = "\ufeffz,3\n"
    rest = "y" * (block - count * len(filler) - len(marked.encode()) - 3) + ",4\n"
    text = "a,b\n" + filler * count + lead + marked + filler * count + rest + "\n" * 5000
    rows, bad, _ = read(put(tmp_path, text))
    assert bad == []
    assert len(rows) == 2 * count + 3
    assert rows[count + 1] == ["\ufeffz", "3"]


def test_windows_text_can_be_asked_for(tmp_path: Path) -> None:
    path = put(tmp_path, "Größe,n\n“ü”,1\nß\u20ac,2\n".encode("cp1252"))
    source = CsvSource(path, encoding="cp1252")
    assert [c.name for c in source.columns] == ["Größe", "n"]
    rows = [row for chunk in source.chunks() for row in chunk.batch.column(0).to_pylist()]
    assert rows == ["“ü”", "ß€"]
