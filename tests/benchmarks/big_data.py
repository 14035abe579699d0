"""Made data of any size, as CSV and as Parquet, for the benchmark of what does not fit in memory.

One row is about 96 bytes of CSV: a time, three categories (6, 40 and 4,000 levels), five decimal
numbers (one with 2 % missing), four whole numbers, a yes/no target. Every block of `BLOCK_ROWS`
rows follows from its number alone; but for the times, every eighth is the same, which makes ten
gigabytes as fast as the disk takes them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_ROWS = 250_000
_KINDS_OF_BLOCK = 8
_START = np.datetime64("2015-01-01T00:00:00", "s")


@cache
def _values(number: int) -> tuple[pa.Table, pa.Array]:
    """The columns beside the time, and each row of them as a line of text."""
    rng = np.random.Generator(np.random.Philox(key=[number, 7]))
    rows = BLOCK_ROWS
    first = rng.normal(20.0, 8.0, rows).round(2)
    second = rng.exponential(3.0, rows).round(4)
    third = rng.uniform(-1.0, 1.0, rows).round(6)
    wave = np.sin(number + np.arange(rows) / 40_000.0)
    risk = 0.4 * (first - 20.0) / 8.0 + wave * third + rng.normal(0.0, 0.7, rows)

    def names(prefix: str, count: int) -> pa.Array:
        levels = pa.array([f"{prefix}{k:04d}" for k in range(count)])
        return levels.take(pa.array(rng.integers(0, count, rows)))

    table = pa.table(
        {
            "carrier": names("C", 6),
            "place": names("P", 40),
            "unit": names("U", 4000),
            "temperature": first,
            "wait": second,
            "angle": third,
            "load": pa.array((risk * 10).round(3), mask=rng.random(rows) < 0.02),
            "ratio": rng.beta(2.0, 5.0, rows).round(5),
            "count": rng.integers(0, 300, rows),
            "distance": rng.integers(40, 5000, rows),
            "number": rng.integers(0, 2_000_000, rows),
            "day": rng.integers(0, 7, rows),
            "late": pc.if_else(pa.array(risk > 0.5), "yes", "no"),
        }
    )
    sink = pa.BufferOutputStream()
    pcsv.write_csv(table, sink, pcsv.WriteOptions(include_header=False, quoting_style="none"))
    lines = sink.getvalue().to_pybytes().decode().splitlines(keepends=True)
    return table, pa.array(lines)


def block(number: int, rows: int = BLOCK_ROWS) -> tuple[pa.Table, pa.Array]:
    """Rows ``[number * BLOCK_ROWS, ... + rows)`` of the endless data set, and their lines."""
    at = number * BLOCK_ROWS + np.arange(rows)
    times = pa.array(_START + at.astype("timedelta64[s]"))
    table, lines = _values(number % _KINDS_OF_BLOCK)
    whole = pc.binary_join_element_wise(times.cast(pa.string()), lines.slice(0, rows), ",")
    return table.slice(0, rows).add_column(0, "time", times), whole


def write(folder: Path, size_bytes: int, stem: str = "big") -> tuple[Path, Path, int]:
    """Write both files until the CSV has `size_bytes`; returns their paths and the rows."""
    table_path, packed_path = folder / f"{stem}.csv", folder / f"{stem}.parquet"
    number = rows = 0
    schema = block(0, 1)[0].schema
    with (
        table_path.open("wb") as text,
        pq.ParquetWriter(packed_path, schema, compression="zstd", compression_level=1) as packed,
    ):
        text.write((",".join(schema.names) + "\n").encode())
        while text.tell() < size_bytes:
            left = size_bytes - text.tell()
            piece, lines = block(number, min(BLOCK_ROWS, left // 90 + 1))
            _, offsets, data = lines.buffers()
            end = int(np.frombuffer(offsets, np.int32)[len(lines)])
            text.write(memoryview(data)[:end])
            packed.write_table(piece)
            rows += len(piece)
            number += 1
            if len(piece) < BLOCK_ROWS:
                break
    return table_path, packed_path, rows


def first_tenth(path: Path, folder: Path) -> Path:
    """Write the first tenth of a file that `write` made (whole lines, whole row groups)."""
    out = folder / f"{path.stem}-tenth{path.suffix}"
    if path.suffix == ".csv":
        left = path.stat().st_size // 10
        with path.open("rb") as source, out.open("wb") as target:
            while left > 0 and (piece := source.read(min(left, 2**24))):
                target.write(piece)
                left -= len(piece)
            target.write(source.readline())
        return out
    with pq.ParquetFile(path) as packed:
        count = max(1, packed.num_row_groups // 10)
        with pq.ParquetWriter(
            out, packed.schema_arrow, compression="zstd", compression_level=1
        ) as target_file:
            for number in range(count):
                target_file.write_table(packed.read_row_group(number))
    return out
