"""Reading a file twice: the first pass decides what each column is, the second converts and writes.

Any source can be read so. `modellab.data.one_pass` is faster where it can be used, and hands over
what it found out where it cannot.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from modellab.data.arrow import Array, arrow
from modellab.data.bad_rows import BadRowsFile
from modellab.data.convert import Converted, convert
from modellab.data.csv_source import NOT_UTF8
from modellab.data.kinds import Detected, KindDetector, NeedsRecount
from modellab.data.segments import NoSegments, SegmentWriter
from modellab.data.store import BAD_ROWS_FILE, StoredColumn
from modellab.data.takers import Taker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from modellab.data.growing import Growth
    from modellab.data.source import BadRow, Chunk, ReadProgress, Source
    from modellab.experiment import Kind

KEPT_BAD = 10


class Scan:
    """What a pass over all rows found out.

    Attributes
    ----------
    detected
        What each column is.
    n_rows, bad_count, undecodable
        Good rows; rows set aside, and those of them that are no UTF-8.
    bad
        The first rows set aside.
    """

    def __init__(self) -> None:
        self.detected: dict[str, Detected] = {}
        self.n_rows = 0
        self.bad_count = 0
        self.undecodable = 0
        self.bad: list[BadRow] = []

    def note_bad(self, row: BadRow) -> None:
        """Count a row that was set aside."""
        self.bad_count += 1
        self.undecodable += row.reason == NOT_UTF8
        if len(self.bad) < KEPT_BAD:
            self.bad.append(row)


def scan(
    source: Source,
    fresh: Callable[..., KindDetector],
    forced: Mapping[str, Kind],
    told: ReadProgress,
) -> Scan:
    """First pass: what each column is, the number of rows, and the first bad rows.

    Parameters
    ----------
    source
        The files.
    fresh
        Makes the detector of a column, by its name; ``recount=True``: one that counts all texts.
    forced
        Kinds to store columns as, whatever their values look like.
    told
        Told bytes done of bytes to do.
    """
    found = Scan()
    detectors = {column.name: fresh(column.name) for column in source.columns}
    with _threads() as threads:
        for chunk in source.chunks(found.note_bad, told):
            found.n_rows += len(chunk.batch)
            deque(threads.map(KindDetector.update, detectors.values(), chunk.batch.columns), 0)
    for name, detector in detectors.items():
        try:
            found.detected[name] = detector.finish(forced.get(name))
        except NeedsRecount:
            continue
    recount(source, found.detected, fresh, forced, told)
    return found


def recount(
    source: Source,
    detected: dict[str, Detected],
    fresh: Callable[..., KindDetector],
    forced: Mapping[str, Kind],
    told: ReadProgress,
) -> None:
    """Decide on the columns that are not yet in `detected` by counting all their texts."""
    names = [column.name for column in source.columns if column.name not in detected]
    if not names:
        return
    detectors = {name: fresh(name, recount=True) for name in names}
    for chunk in source.chunks(None, told):
        for name, detector in detectors.items():
            detector.update(chunk.batch.column(name))
    for name, detector in detectors.items():
        detected[name] = detector.finish(forced.get(name))


class _KnownTaker(Taker):
    """Converts a column whose kind is known."""

    def __init__(self, name: str, found: Detected, missing: Sequence[str]) -> None:
        super().__init__(name, found, KindDetector(), missing, text=True)
        pa, _ = arrow()
        self._found = found
        self._all_levels = pa.array(found.levels or [], pa.string())

    def take(self, chunk: Chunk, values: Array, position: int) -> Array:
        """Return the values of a chunk's column as they stand in a segment."""
        pa, _ = arrow()
        done: Converted = convert(
            values, self.kind, self._all_levels, self.comma, missing=self._missing_texts
        )
        kept = self._counted(values, done, position, chunk.line_of, chunk.file)
        return kept.indices if pa.types.is_dictionary(kept.type) else kept

    def entry(self) -> StoredColumn:
        """Return the column's entry in the store."""
        return self.finished(self._found)


def write(
    source: Source,
    detected: Mapping[str, Detected],
    missing: Sequence[str],
    part: Path,
    told: ReadProgress,
    keep: bool = True,
    growth: Growth | None = None,
) -> tuple[int, int, list[StoredColumn], int]:
    """Second pass: convert and write all rows (without `keep`: only count what is in them).

    `growth` is shown the rows in complete segments.

    Returns
    -------
    tuple
        Rows written, rows set aside, the columns, and batches of a segment.
    """
    takers = [_KnownTaker(column.name, detected[column.name], missing) for column in source.columns]
    names, kinds = [taker.name for taker in takers], [taker.kind for taker in takers]
    share = 0.0

    def show(rows: int) -> None:
        if growth is not None:
            bad_rows.flushed()
            growth.offer(
                rows,
                writer.batches,
                lambda: [taker.entry() for taker in takers],
                bad_rows.count,
                share,
                settled=True,
            )

    def noted(done: float, total: float, text: str = "") -> None:
        nonlocal share
        share = done / max(total, 1.0)
        told(done, total, text)

    with (
        SegmentWriter(part, names, kinds, on_commit=show) if keep else NoSegments() as writer,
        BadRowsFile(part / BAD_ROWS_FILE) as bad_rows,
        _threads() as threads,
    ):
        for chunk in source.chunks(bad_rows, noted):
            at, each = itertools.repeat(writer.rows), itertools.repeat(chunk)
            columns = chunk.batch.columns
            writer.add(list(threads.map(_KnownTaker.take, takers, each, columns, at)))
    return writer.rows, bad_rows.count, [taker.entry() for taker in takers], writer.batches


def _threads() -> ThreadPoolExecutor:
    """Threads for columns side by side: each has its own counts, so their order is no matter."""
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), "import")
