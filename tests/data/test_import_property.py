"""Any table comes back out of the store as it went into the file."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from modellab.data import csv_source
from modellab.data.convert import MISSING_TEXTS
from modellab.data.csv_records import one_by_one
from modellab.data.importer import import_dataset

CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12
) | st.sampled_from(["", "NA", '"', '""', "a,b", "x\ny", "\r\n", "1", "2.5", "ü;|\t"])


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(2, 4))
    return draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=12))


def written(rows: list[list[str]], delimiter: str, ends: str) -> bytes:
    out = io.StringIO()
    header = [f"name {k}" for k in range(len(rows[0]))]
    writer = csv.writer(out, delimiter=delimiter, lineterminator=ends, quoting=csv.QUOTE_ALL)
    csv.writer(out, delimiter=delimiter, lineterminator=ends).writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def kept(cell: str) -> str | None:
    return None if cell.strip() in MISSING_TEXTS else cell


@given(tables(), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_round_trip_through_csv(
    rows: list[list[str]], delimiter: str, ends: str, packed: bool
) -> None:
    data = written(rows, delimiter, ends)
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("x.csv.gz" if packed else "x.csv")
        path.write_bytes(gzip.compress(data) if packed else data)
        names = [f"name {k}" for k in range(len(rows[0]))]
        as_text = dict.fromkeys(names, "text")
        store = import_dataset(path, kinds=as_text, cache=Path(folder))  # type: ignore[arg-type]
        assert store.bad_row_count == 0
        assert store.names == names
        assert store.n_rows == len(rows)
        for k, name in enumerate(names):
            column = store.column(name)
            got = store.column_as(name, "text", 0, len(rows)).to_pylist()
            cells = [row[k] for row in rows]
            if column.kind == "text":
                assert got == [kept(cell) for cell in cells]
            elif column.kind == "category":  # blanks around a category are no part of it
                expected = [None if kept(c) is None else c.strip() for c in cells]
                assert got == expected
            elif column.kind == "number":
                numbers = store.column_as(name, "number", 0, len(rows)).to_pylist()
                assert numbers == [None if kept(c) is None else float(c) for c in cells]
        # Any range is that slice of the whole.
        whole = store.read(0, len(rows))
        for start in range(len(rows) + 1):
            assert store.read(start, start + 3).to_pydict() == whole.slice(start, 3).to_pydict()
        store.close()


@given(tables(), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_both_parsers_agree(rows: list[list[str]], delimiter: str, ends: str) -> None:
    """What Arrow reads at once, the record reader reads one by one."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=ends).writerows(rows)
    data = out.getvalue().encode()
    block, used = one_by_one(data, delimiter.encode(), len(rows[0]), 1, True, trusted=True)
    assert used == len(data)
    assert block.bad == []
    assert [[cell.decode() for cell in row] for row in block.rows or []] == rows
    expected = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))
    assert [row for row in expected if row] == rows


@given(st.lists(st.binary(max_size=30).filter(lambda b: b"\x00" not in b), max_size=8))
def test_no_bytes_break_the_reader(pieces: list[bytes]) -> None:
    """Whatever a file holds: rows are read or set aside, each line once, nothing else happens."""
    body = b"a,b\n1,2\n" + b"\n".join(pieces)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(body)
        source = csv_source.CsvSource(path)
        bad: list[int] = []
        lines: list[int] = []
        for chunk in source.chunks(lambda row: bad.append(row.line)):
            lines += [chunk.line_of(k) for k in range(len(chunk.batch))]
        assert lines == sorted(set(lines))
        assert not set(lines) & set(bad)
        assert max([*lines, *bad], default=0) <= body.count(b"\n") + 1
