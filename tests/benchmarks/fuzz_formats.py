"""Mutates good files of every format and opens them: no crash, no hang, no memory blow-up.

    python tests/benchmarks/fuzz_formats.py --mutations 20000 --seed 1

Each mutation is read to its end in a worker process, which may take `--seconds` and `--memory` MB.
A worker that dies, hangs or grows is a finding, as is any error that is not one sentence. The
mutations depend on the seed alone; a finding is told with its format and number, and
``--only csv:17`` makes that one again.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import lzma
import multiprocessing
import random
import resource
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

Make = Callable[[Path], object]
_ROWS = 400


def _csv() -> str:
    lines = ["id,name,amount,when,flag"]
    for k in range(_ROWS):
        name = ['"a, ""b"""', "größe", "plain", '"two\nlines"', ""][k % 5]
        lines.append(f"{k},{name},{k / 7:.4f},1969-12-{k % 28 + 1:02d},{'yes' if k % 2 else 'no'}")
    return "\n".join(lines) + "\n"


def _objects() -> list[dict[str, object]]:
    return [
        {"id": k, "name": f"größe {k % 5}", "x": k / 7, "n": {"a": k, "b": [1, k]}, "y": k % 2 == 0}
        for k in range(_ROWS)
    ]


def _table() -> object:
    import pyarrow as pa

    return pa.table(
        {
            "id": list(range(_ROWS)),
            "name": [None if k % 9 == 0 else f"größe {k % 5}" for k in range(_ROWS)],
            "level": pa.array([f"l{k % 3}" for k in range(_ROWS)]).dictionary_encode(),
            "x": [k / 7 for k in range(_ROWS)],
            "when": pa.array([k * 10**9 for k in range(_ROWS)], pa.timestamp("ns", "UTC")),
            "flag": [k % 2 == 0 for k in range(_ROWS)],
        }
    )


def _arff() -> str:
    head = "@relation r\n@attribute a numeric\n@attribute 'b c' {x,'y z'}\n"
    head += "@attribute s string\n@data\n"
    rows = [f"{k},{'x' if k % 2 else chr(39) + 'y z' + chr(39)},'it\\'s {k}'" for k in range(_ROWS)]
    return head + "\n".join(rows) + "\n{0 5, 2 'sparse'}\n"


def _sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a INTEGER, b TEXT, c REAL)")
    rows = [(k, f"text {k}", k / 7) for k in range(_ROWS)]
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()


def _duckdb(path: Path) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT range a, 'b' || range b FROM range({_ROWS})")


def _parquet(path: Path, compression: str) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_table(), path, row_group_size=100, compression=compression)


def _ipc(path: Path, stream: bool) -> None:
    import pyarrow as pa

    table = _table()
    with pa.OSFile(str(path), "wb") as file:
        make = pa.ipc.new_stream if stream else pa.ipc.new_file
        with make(file, table.schema) as out:  # type: ignore[attr-defined]
            out.write_table(table, max_chunksize=100)


def _zip(path: Path, method: int) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.csv", _csv())
        archive.writestr("b.csv", _csv())


def _xlsx(path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for k in range(_ROWS):
        book.active.append([k, f"text {k % 9}", k / 7] if k else ["a", "b", "c"])
    book.save(path)
    _stored(path)


def _stored(path: Path) -> None:
    """Pack a workbook without compression, so that mutations reach its text."""
    with zipfile.ZipFile(path) as old:
        parts = [(info.filename, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(path, "w") as new:
        for name, data in parts:
            new.writestr(name, data)


def _zstd(path: Path) -> None:
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file, pa.CompressedOutputStream(file, "zstd") as out:
        out.write(_csv().encode())


SEEDS: dict[str, Make] = {
    "csv": lambda p: p.write_text(_csv()),
    "csv.utf16": lambda p: p.write_bytes(_csv().encode("utf-16")),
    "csv.gz": lambda p: p.write_bytes(gzip.compress(_csv().encode(), mtime=0)),
    "csv.bz2": lambda p: p.write_bytes(bz2.compress(_csv().encode())),
    "csv.xz": lambda p: p.write_bytes(lzma.compress(_csv().encode())),
    "csv.zst": _zstd,
    "zip": lambda p: _zip(p, zipfile.ZIP_DEFLATED),
    "zip.stored": lambda p: _zip(p, zipfile.ZIP_STORED),
    "jsonl": lambda p: p.write_text("\n".join(map(json.dumps, _objects()))),
    "json": lambda p: p.write_text(json.dumps(_objects(), indent=1, ensure_ascii=False)),
    "parquet": lambda p: _parquet(p, "zstd"),
    "plain.parquet": lambda p: _parquet(p, "none"),
    "arrow": lambda p: _ipc(p, stream=False),
    "arrows": lambda p: _ipc(p, stream=True),
    "arff": lambda p: p.write_text(_arff()),
    "svm": lambda p: p.write_text(
        "".join(f"{k % 2} 1:{k} 3:{k / 7:.3f} 9:1e-3\n" for k in range(_ROWS))
    ),
    "xlsx": _xlsx,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}

_SPICE = (
    b"\x00", b"\xff" * 8, b'"', b"'", b"\n", b"\r", b",", b"{", b"}", b"[" * 40, b"\\",
    b"999999999999", b"-1", b"\xef\xbb\xbf", b"1e999", b"\xc3", b"%", b"#",
    b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"@data\n", b"::", b" " * 50,
    b'r="XFD1048576"',
)  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with one to eight changes."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        at = rng.randrange(len(found) + 1)
        # The beginnings and ends of files say most about them.
        if rng.random() < 0.4:
            at = min(at, rng.randrange(200)) if rng.random() < 0.5 else len(found) - at % 200
            at = max(0, min(at, len(found)))
        size = rng.choice((1, 1, 2, 4, 8, 64, 700))
        what = rng.randrange(8)
        if what == 0 and found:
            place = min(at, len(found) - 1)
            found[place] ^= 1 << rng.randrange(8)
        elif what == 1:
            found[at : at + size] = rng.randbytes(size)
        elif what == 2:
            del found[at : at + size]
        elif what == 3:
            found[at:at] = rng.choice(_SPICE)
        elif what == 4:
            spice = rng.choice(_SPICE)
            found[at : at + len(spice)] = spice
        elif what == 5:
            found[at:at] = found[at : at + size] * rng.choice((1, 2, 30))
        elif what == 6:
            found[at : at + size] = bytes(size)
        elif rng.random() < 0.3:
            del found[at:]
    return bytes(found)


def read(path: Path) -> str:
    """Read a file as an import would; returns ``rows`` or ``sentence``, or what is wrong."""
    from modellab.data.importer import import_dataset
    from modellab.errors import DataError

    try:
        import_dataset(path, cache=path.parent / "cache").close()
    except DataError as error:
        good = error.sentence.endswith(".") and "\n" not in error.sentence
        return "sentence" if good else f"no sentence: {error.sentence!r}"
    except Exception as error:  # noqa: BLE001 - any other error is what is looked for
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"[:400]
    return "rows"


def _work(link: Connection, memory: int) -> None:
    import shutil

    resource.setrlimit(resource.RLIMIT_AS, (memory * 2**20, memory * 2**20))
    while (path := link.recv()) is not None:
        link.send(read(path))
        shutil.rmtree(path.parent / "cache", ignore_errors=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        link.send(peak)


class _Worker:
    """A process that reads files, made anew when it dies or hangs."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._memory), daemon=True)
        self._process.start()
        theirs.close()
        self._fresh = True

    def read(self, path: Path, seconds: float) -> tuple[str, int]:
        self._link.send(path)
        # The first file waits for the libraries to be imported, too.
        limit, self._fresh = seconds + (60 if self._fresh else 0), False
        try:
            if self._link.poll(limit):
                return self._link.recv(), self._link.recv()
            found = f"hangs for more than {seconds:.0f} s"
        except (EOFError, OSError):
            self._process.join(10)
            found = f"the process died with {self._process.exitcode}"
        self.close()
        self._start()
        return found, 0

    def close(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._link.close()


def mutations(folder: Path, count: int, seed: int, only: str = "") -> Iterator[tuple[str, Path]]:
    """Write one mutated file after the other; yields its name, as `only` takes it, and its path."""
    seeds: dict[str, bytes] = {}
    for ending, make in SEEDS.items():
        path = folder / f"good.{ending}"
        make(path)
        seeds[ending] = path.read_bytes()
    names = list(SEEDS)
    for number in range(count):
        ending = names[number % len(names)]
        label = f"{ending}:{number}"
        if only in ("", label):
            path = folder / f"x.{ending}"
            path.write_bytes(mutate(seeds[ending], random.Random(f"{seed} {label}")))
            yield label, path


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mutations", type=int, default=2000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--memory", type=int, default=6000, help="address space in MB")
    options.add_argument("--only", default="")
    options.add_argument("--keep", type=Path, help="folder for the files of findings")
    asked = options.parse_args()
    counts: Counter[str] = Counter()
    findings: list[str] = []
    peak, slowest, start = 0, (0.0, ""), time.monotonic()
    worker = _Worker(asked.memory)
    with tempfile.TemporaryDirectory() as folder:
        given = mutations(Path(folder), asked.mutations, asked.seed, asked.only)
        for label, path in given:
            begun = time.monotonic()
            found, used = worker.read(path, asked.seconds)
            slowest = max(slowest, (time.monotonic() - begun, label))
            peak = max(peak, used)
            counts[found if found in ("rows", "sentence") else "finding"] += 1
            if found not in ("rows", "sentence"):
                findings.append(f"{label}: {found}")
                print(findings[-1], flush=True)
                if asked.keep:
                    asked.keep.mkdir(parents=True, exist_ok=True)
                    (asked.keep / label.replace(":", "_")).write_bytes(path.read_bytes())
    worker.close()
    passed = time.monotonic() - start
    print(
        f"{sum(counts.values()):,} mutations in {passed:.0f} s: {counts['rows']:,} read, "
        f"{counts['sentence']:,} refused with a sentence, {len(findings)} findings; "
        f"peak {peak:,} MB, slowest {slowest[0]:.1f} s ({slowest[1]})"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
