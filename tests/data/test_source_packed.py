"""Packed and oddly encoded texts: every packing, archives, bombs, comments, rare delimiters."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from modellab.data import packed_source
from modellab.data.importer import import_dataset
from modellab.data.opening import open_source
from modellab.errors import DataError

TEXT = "name,n\n" + "".join(f"größe {k % 7},{k}\n" for k in range(5000))


def _arrow(codec: str) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as out:
            out.write(data)
        return bytes(sink.getvalue())

    return pack


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": _arrow("zstd"),
    "lz4": _arrow("lz4"),
    "zip": lambda data: zipped(("inner/x.csv", data)),
}


def values(path: object, column: str) -> list[object]:
    source = open_source(path)  # type: ignore[arg-type]
    return [v for chunk in source.chunks() for v in chunk.batch.column(column).to_pylist()]


def sentence(path: object) -> str:
    with pytest.raises(DataError) as caught:
        for _ in open_source(path).chunks():  # type: ignore[arg-type]
            pass
    return caught.value.sentence


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_reads_alike(tmp_path: Path, packing: str) -> None:
    path = tmp_path / f"x.csv.{packing}"
    path.write_bytes(PACKINGS[packing](TEXT.encode()))
    source = open_source(path)
    assert source.format == "CSV"
    assert source.name == path.name
    assert source.paths == [path]
    lines = [chunk.line_of(k) for chunk in source.chunks() for k in range(len(chunk.batch))]
    assert lines == list(range(2, 5002))
    assert values(path, "n") == [str(k) for k in range(5000)]
    assert values(path, "name")[3] == "größe 3"


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst"])
def test_packed_streams_after_one_another_are_one_text(tmp_path: Path, packing: str) -> None:
    half = len(TEXT) // 2
    parts = [TEXT[:half].encode(), TEXT[half:].encode()]
    path = tmp_path / "x"
    path.write_bytes(b"".join(map(PACKINGS[packing], parts)))
    assert len(values(path, "n")) == 5000


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst", "lz4"])
def test_a_packed_file_that_breaks_off_says_where(tmp_path: Path, packing: str) -> None:
    long = "a,b\n" + "".join(f"{k},{k * 7919 % 100_003}\n" for k in range(150_000))
    path = tmp_path / f"x.csv.{packing}"
    data = PACKINGS[packing](long.encode())
    path.write_bytes(data[: len(data) * 2 // 3])
    told = sentence(path)
    assert told.startswith(f"“x.csv.{packing}” is a damaged ")
    assert "it breaks off after line" in told


def test_one_of_several_members_and_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(
        zipped(
            ("b.csv", b"n\n3\n"), ("a.csv", b"n\n1\n2\n"), ("__MACOSX/a.csv", b"x"), (".d", b"x")
        )
    )
    whole = open_source(path)
    assert whole.name == "all.zip"
    assert values(path, "n") == ["3", "1", "2"]
    one = open_source(f"{path}::a.csv")
    assert one.name == "all.zip::a.csv"
    assert values(f"{path}::a.csv", "n") == ["1", "2"]
    assert one.fingerprint != open_source(f"{path}::b.csv").fingerprint
    assert values(whole.paths, "n") == ["3", "1", "2"]
    assert sentence(f"{path}::c.csv") == "“all.zip” holds no file “c.csv”."
    assert "leave “::x” away" in sentence(_plain(tmp_path))


def _plain(folder: Path) -> str:
    (folder / "p.csv").write_text("a,b\n1,2\n")
    return f"{folder / 'p.csv'}::x"


def test_an_archive_touches_nothing_outside_it(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret.csv").write_text("n\n99\n")
    path = inner / "x.zip"
    path.write_bytes(zipped(("../secret.csv", b"n\n1\n")))
    assert values(path, "n") == ["1"]
    assert values(f"{path}::../secret.csv", "n") == ["1"]
    assert (tmp_path / "secret.csv").read_text() == "n\n99\n"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["inner", "secret.csv", "x.zip"]


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_bomb_is_stopped(tmp_path: Path, packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_source, "FREE_BYTES", 2**20)
    monkeypatch.setattr(packed_source, "MAX_RATIO", 50)
    path = tmp_path / "x.csv"
    path.write_bytes(PACKINGS[packing](b"a,b\n" + b"0,0\n" * 400_000))
    told = sentence(path)
    assert told.startswith("“x.csv” unpacks to more than ")
    assert told.endswith("was stopped: if it really is a table, unpack it first.")


def test_a_locked_archive_and_an_empty_one(tmp_path: Path) -> None:
    data = bytearray(zipped(("x.csv", b"a\n1\n")))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(magic) + at] |= 1
    (tmp_path / "l.zip").write_bytes(data)
    assert sentence(tmp_path / "l.zip") == "“l.zip” is locked with a password: unpack it first."
    (tmp_path / "e.zip").write_bytes(zipped())
    assert sentence(tmp_path / "e.zip") == "“e.zip” is empty: there is no file in the archive."


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_with_and_without_a_mark(tmp_path: Path, codec: str, packed: bool) -> None:
    data = TEXT.encode(codec)
    path = tmp_path / "x.csv"
    path.write_bytes(gzip.compress(data) if packed else data)
    assert [c.name for c in open_source(path).columns] == ["name", "n"]
    assert values(path, "name")[:2] == ["größe 0", "größe 1"]
    assert values(path, "n") == [str(k) for k in range(5000)]


def test_comment_lines_are_no_rows_and_keep_the_count_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('# made by hand\n# twice\na,b\n1,"x\n# no comment"\n# between\n2,y\n')
    source = open_source(path)
    (chunk,) = source.chunks()
    assert chunk.batch.to_pydict() == {"a": ["1", "2"], "b": ["x\n# no comment", "y"]}
    assert [chunk.line_of(0), chunk.line_of(1)] == [4, 7]
    assert source.warnings == ["Lines of “x.csv” that begin with # are taken as comments."]


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("# date;price\n2020-01-01;1,5\n2020-01-02;2,5\n", ["date", "price"], "2020-01-01"),
        ("#a,b\nx,y\nz,w\n", ["a", "b"], "x"),
        ("# one, two\na,b\n1,2\n3,4\n", ["a", "b"], "1"),
        ("#a\n#b\n", ["#a"], "#b"),
    ],
)
def test_a_header_behind_a_comment_sign(
    tmp_path: Path, text: str, names: list[str], first: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    assert [c.name for c in open_source(path).columns] == names
    assert values(path, names[0])[0] == first


@pytest.mark.parametrize("delimiter", ["^", "~", "\x01", "\x1f"])
def test_rare_delimiters(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "x.txt"
    path.write_text(delimiter.join("ab") + "\n" + f"word one{delimiter}1\n" * 20)
    assert open_source(path).options["delimiter"] == delimiter


def test_blanks_and_colons_cut_numbers_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("1 2.5 3 4\n" * 20)
    assert open_source(path).options["delimiter"] == " "
    for text in ("when\n" + "2020-01-01 10:00:00\n" * 20, "t\n" + "hello my dear world\n" * 20):
        path.write_text(text)
        assert len(open_source(path).columns) == 1


def test_a_decimal_comma_beside_a_semicolon(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.bz2"
    path.write_bytes(bz2.compress(b"a;b\n" + b"1,5;x\n-0,25;y\n" * 10))
    with import_dataset(path, cache=tmp_path / "cache") as store:
        assert store.column("a").kind == "number"
        assert store.read(0, 2)["a"].to_pylist() == [1.5, -0.25]
