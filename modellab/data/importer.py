"""Reading a data set once into a store: two passes over the files, in bounded memory.

The first pass decides what each column is, over all its values; the second converts and writes. A
store that was made before from the same content is found again by its fingerprint.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import itertools
import os
import shutil
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from modellab.data import leases
from modellab.data.arrow import Array, Table, arrow
from modellab.data.convert import (
    MISSING_TEXTS,
    ONLY_EMPTY,
    Converted,
    as_texts,
    convert,
)
from modellab.data.csv_source import NOT_UTF8
from modellab.data.kinds import Detected, KindDetector, NeedsRecount
from modellab.data.opening import open_source
from modellab.data.reading_source import recoded
from modellab.data.segments import SegmentWriter
from modellab.data.source import BadRow, Chunk, ReadProgress, Source, no_progress
from modellab.data.store import (
    BAD_ROWS_FILE,
    BATCH_ROWS,
    META_FILE,
    STORE_VERSION,
    OrderCheck,
    Store,
    StoredColumn,
    StoreMeta,
)
from modellab.errors import DataError, quote
from modellab.experiment_reading import ReadingSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from modellab.experiment import Kind

_RECODE_SHARE = 0.01
"""Above this share of rows that are not UTF-8, the file is read as Windows-1252."""


def import_dataset(
    paths: str | Path | Sequence[str | Path],
    *,
    kinds: Mapping[str, Kind] | None = None,
    sort_by: str | None = None,
    cache: Path | None = None,
    progress: ReadProgress = no_progress,
    budget_bytes: int = leases.DEFAULT_BUDGET,
    reading: ReadingSpec | None = None,
) -> Store:
    """Read data files into a store, or find the store that was made of them before.

    Parameters
    ----------
    paths
        A file, several files, a folder, or a glob pattern: one data set.
    kinds
        Kinds that the experiment chose. A column is stored by the kind its values speak for, and
        served as another kind on reading; only where that would lose what the file says (words in
        a column of numbers that is wanted as a category) is it stored as text or category.
    sort_by
        Name of a time column: the rows are sorted by it, stably; rows without a time come last.
    cache
        Folder to keep stores in instead of the person's own cache folder.
    progress
        Told bytes done of bytes to do; may raise `Cancelled`.
    budget_bytes
        Disk space for all stores; those not used for longest are deleted first.
    reading
        What the person said about how texts are written (`[data.reading]`).

    Raises
    ------
    DataError
        If the files cannot be read, hold no rows, change meanwhile, or the disk is full.
    Cancelled
        If `progress` raises it; nothing is left behind.
    """
    reading = reading or ReadingSpec()
    source = open_source(paths, reading)
    folder = leases.stores_folder(cache)
    store = _found_or_built(source, {}, folder, progress, reading)
    forced = _forced(store, kinds or {})
    if forced:
        store.close()
        store = _found_or_built(source, forced, folder, progress, reading)
    if sort_by is not None:
        store = _sorted_store(store, sort_by, kinds or {}, folder, progress)
    leases.evict(folder, budget_bytes, store.path)
    # The same content may have been read from another folder before.
    here = [str(path.absolute()) for path in source.paths]
    store.meta = msgspec.structs.replace(store.meta, source_paths=here)
    return store


def _forced(store: Store, kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    return {
        column.name: kinds[column.name]
        for column in store.columns
        if kinds.get(column.name) in ("category", "text")
        and column.kind not in ("category", "text")
        and not column.lossless
    }


def _key(*parts: object) -> str:
    text = msgspec.json.encode([STORE_VERSION, *parts])
    return hashlib.sha256(text).hexdigest()[:32]


def _found_or_built(
    source: Source,
    forced: Mapping[str, Kind],
    folder: Path,
    progress: ReadProgress,
    reading: ReadingSpec,
) -> Store:
    # The encoding follows from the content, so it is no part of the key.
    options = sorted((k, v) for k, v in source.options.items() if not k.endswith("encoding"))
    key = _key(source.fingerprint, source.name, options, sorted(forced.items()))
    return _opened(folder / key) or _built(
        folder, key, lambda part: _import(source, forced, part, progress, reading)
    )


def _opened(folder: Path) -> Store | None:
    """Open a store that may be there; a broken one is deleted."""
    if not folder.is_dir():
        return None
    try:
        return Store(folder)
    except DataError:
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _built(folder: Path, key: str, build: Callable[[Path], None]) -> Store:
    """Build a store in a folder of its own, which gets its name only when complete."""
    try:
        part = leases.part_folder(folder, key)
        try:
            build(part)
            leases.complete(part, folder / key)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room(folder) from error
        raise DataError(
            f"The data cannot be stored in {quote(folder, 200)}: {error.strerror or error}.",
            detail=str(error),
        ) from error
    return Store(folder / key)


def no_room(folder: Path, need: int = 0) -> DataError:
    """Return the sentence for a full disk."""
    amount = f" (about {max(need // 2**20, 1):,} MB)" if need else ""
    return DataError(
        f"There is not enough room on the disk to store the data{amount} in {quote(folder, 200)}: "
        "make room, or choose another cache folder."
    )


def _import(
    source: Source,
    forced: Mapping[str, Kind],
    part: Path,
    told: ReadProgress,
    reading: ReadingSpec,
) -> None:
    size = source.size_bytes
    scanned, source = _detect(
        source, forced, lambda done, _, text="": told(done, 2 * size, text), reading
    )
    detected, n_rows, bad = scanned
    if not n_rows:
        raise _no_rows(source, bad)
    # Texts take about their size in the file, everything else at most 9 bytes.
    texts = any(found.kind == "text" for found in detected.values())
    need = 9 * n_rows * len(detected) + (size if texts else 0)
    if shutil.disk_usage(part).free < need:
        raise no_room(part.parent, need)
    missing = _missing_texts(reading)
    columns = [
        _ColumnWriter(column.name, detected[column.name], missing) for column in source.columns
    ]
    names = [column.name for column in columns]
    kinds = [column.found.kind for column in columns]
    with (
        SegmentWriter(part, names, kinds) as writer,
        _BadRows(part / BAD_ROWS_FILE) as bad_rows,
        _threads() as threads,
    ):
        rows = source.chunks(bad_rows, lambda done, _, text="": told(size + done, 2 * size, text))
        for chunk in rows:
            at = itertools.repeat(writer.rows)
            each = itertools.repeat(chunk)
            take = _ColumnWriter.take
            arrays = list(threads.map(take, columns, each, chunk.batch.columns, at))
            writer.add([_as_filed(array) for array in arrays])
    if writer.rows != n_rows:
        raise DataError(
            f"{quote(source.name)} changed while it was being read: open it again when it is "
            "complete."
        )
    meta = StoreMeta(
        version=STORE_VERSION,
        name=source.name,
        format=source.format,
        fingerprint=source.fingerprint,
        source_paths=[str(path.absolute()) for path in source.paths],
        size_bytes=size,
        n_rows=n_rows,
        columns=[column.finished() for column in columns],
        warnings=source.warnings,
        bad_row_count=bad_rows.count,
        own_missing=reading.missing is not None,
        segment_batches=writer.batches,
    )
    leases.write_json(part / META_FILE, meta)
    told(2 * size, 2 * size)


_Scanned = tuple[dict[str, Detected], int, list[BadRow]]


def _detect(
    source: Source, forced: Mapping[str, Kind], told: ReadProgress, reading: ReadingSpec
) -> tuple[_Scanned, Source]:
    """First pass: what each column is, the number of rows, and the first bad rows."""
    names = [column.name for column in source.columns]
    delimiters = [value for key, value in source.options.items() if key.endswith("delimiter")]
    comma = bool(delimiters) and "," not in delimiters
    meant = reading.decimal == ","
    if reading.decimal is not None:
        comma = meant
    missing = _missing_texts(reading)
    # Texts of a file that declares no types may be anything; declared texts are meant as texts.
    typed = {column.name: column.type is not None for column in source.columns}
    bad: list[BadRow] = []
    undecodable = 0
    set_aside = 0

    def note_bad(row: BadRow) -> None:
        nonlocal undecodable, set_aside
        set_aside += 1
        undecodable += row.reason == NOT_UTF8
        if len(bad) < 10:
            bad.append(row)

    detectors = {
        name: KindDetector(typed[name], comma, comma_meant=meant, missing=missing) for name in names
    }
    n_rows = 0
    with _threads() as threads:
        for chunk in source.chunks(note_bad, told):
            n_rows += len(chunk.batch)
            deque(threads.map(KindDetector.update, detectors.values(), chunk.batch.columns), 0)
    not_utf8 = undecodable > _RECODE_SHARE * (n_rows + set_aside)
    again_as = recoded(source, reading) if not_utf8 else None
    if again_as is not None:
        return _detect(again_as, forced, told, reading)
    detected: dict[str, Detected] = {}
    again: list[str] = []
    for name, detector in detectors.items():
        try:
            detected[name] = detector.finish(forced.get(name))
        except NeedsRecount:
            again.append(name)
    if again:
        detectors = {
            name: KindDetector(typed[name], comma, True, comma_meant=meant, missing=missing)
            for name in again
        }
        for chunk in source.chunks(None, told):
            for name, detector in detectors.items():
                detector.update(chunk.batch.column(name))
        for name, detector in detectors.items():
            detected[name] = detector.finish(forced.get(name))
    return (detected, n_rows, bad), source


def _missing_texts(reading: ReadingSpec) -> Sequence[str]:
    """What stands for a missing value; the words that the person named are gone by now."""
    return MISSING_TEXTS if reading.missing is None else ONLY_EMPTY


def _threads() -> ThreadPoolExecutor:
    """Threads for columns side by side: each has its own counts, so their order is no matter."""
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), "import")


def _no_rows(source: Source, bad: list[BadRow]) -> DataError:
    name = quote(source.name)
    if bad:
        first = bad[0]
        return DataError(
            f"No row of {name} can be read: in line {first.line:,} there is {first.reason}."
            if first.reason[0].isdigit()
            else f"No row of {name} can be read: in line {first.line:,}, {first.reason}."
        )
    if source.format == "CSV":
        return DataError(f"{name} has a header but no rows below it.")
    return DataError(f"{name} has columns but no rows.")


class _ColumnWriter:
    """Converts one column chunk by chunk and keeps count of what did not fit."""

    def __init__(self, name: str, found: Detected, missing: Sequence[str]) -> None:
        self.name = name
        self._missing_texts = missing
        self.found = found
        pa, _ = arrow()
        self._levels = pa.array(found.levels or [], pa.string())
        self.missing = 0
        self.unfit = 0
        self.infinite = 0
        self.first: tuple[int, str, str] | None = None
        self.order = OrderCheck()

    def take(self, chunk: Chunk, values: Array, position: int) -> Array:
        """Return the stored values of a chunk's column."""
        found = self.found
        done: Converted = convert(
            values,
            found.kind,
            self._levels,
            found.decimal_comma,
            missing=self._missing_texts,
        )
        self.missing += done.values.null_count
        self.infinite += done.infinite
        if done.unfit is not None:
            rows = np.flatnonzero(done.unfit)
            self.unfit += len(rows)
            if self.first is None:
                row = int(rows[0])
                text = str(as_texts(values[row : row + 1])[0].as_py())
                self.first = (chunk.line_of(row), text[:200], chunk.file)
        if self.found.kind == "time":
            self.order.update(done.values, position)
        return done.values

    def finished(self) -> StoredColumn:
        """Return the column's entry in the store."""
        found = self.found
        line, text, file = self.first or (None, "", "")
        return StoredColumn(
            name=self.name,
            kind=found.kind,
            reason=found.reason,
            nullable=self.missing > 0,
            levels=found.levels,
            missing=self.missing,
            few_numbers=found.few_numbers,
            whole=found.whole,
            low=found.low,
            high=found.high,
            inexact=found.inexact,
            lossless=found.lossless,
            unfit=self.unfit,
            unfit_line=line,
            unfit_text=text,
            unfit_file=file,
            infinite=self.infinite,
            missing_words=found.missing_words,
            out_of_order=self.order.first,
        )


def _as_filed(values: Array) -> Array:
    """Values as they stand in a segment."""
    pa, _ = arrow()
    return values.indices if pa.types.is_dictionary(values.type) else values


class _BadRows:
    """Spools bad rows to a CSV file, so that any number of them takes no memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="", encoding="utf-8", errors="replace")
        self._out = csv.writer(self._file)
        self._out.writerow(["file", "line", "reason", "text"])
        self.count = 0

    def __call__(self, row: BadRow) -> None:
        self._out.writerow([row.file, row.line, row.reason, row.text])
        self.count += 1

    def __enter__(self) -> _BadRows:
        return self

    def __exit__(self, *args: object) -> None:
        self._file.close()


def _sorted_store(
    store: Store, by: str, kinds: Mapping[str, Kind], folder: Path, told: ReadProgress
) -> Store:
    """Return a copy of the store in the order of a time column, or itself if it is in order.

    The times alone are sorted in memory (16 bytes a row); the rows are then gathered in batches.
    """
    column = store.column(by)
    kind: Kind = kinds.get(by, column.kind)
    if kind == "time" and column.kind == "time" and not column.missing and (
        column.out_of_order is None
    ):  # fmt: skip
        return store
    key = _key(store.path.name, "sorted", by, kind)
    found = _opened(folder / key)
    if found is None:
        found = _built(folder, key, lambda part: _sort(store, by, kind, part, told))
    store.close()
    return found


def _sort(store: Store, by: str, kind: Kind, part: Path, told: ReadProgress) -> None:
    pa, pc = arrow()
    size = sum(file.stat().st_size for file in store.path.iterdir())
    if shutil.disk_usage(part).free < size:
        raise no_room(part.parent, size)
    times = store.column_as(by, kind, 0, store.n_rows)
    if kind == "time":
        times = pc.cast(times, pa.int64())
    order = pc.array_sort_indices(times, order="ascending", null_placement="at_end")
    # Arrow's sort of one array is stable: ties keep file order.
    missing = times.null_count
    del times
    checks = {column.name: OrderCheck() for column in store.columns if column.kind == "time"}
    with SegmentWriter(part, store.names, [column.kind for column in store.columns]) as writer:
        for start in range(0, store.n_rows, BATCH_ROWS):
            wanted = order[start : start + BATCH_ROWS].to_numpy(zero_copy_only=False)
            rows = _gathered(store, np.asarray(wanted, np.int64))
            for name, check in checks.items():
                check.update(rows.column(name).combine_chunks(), start)
            writer.add([_as_filed(column.combine_chunks()) for column in rows.columns])
            done = min(start + BATCH_ROWS, store.n_rows) / store.n_rows
            told(done * store.size_bytes, store.size_bytes, "Sorting")
    bad_rows = store.bad_rows_path
    if bad_rows.exists():
        shutil.copy(bad_rows, part / BAD_ROWS_FILE)
    columns = [
        msgspec.structs.replace(
            column,
            out_of_order=checks[column.name].first if column.name in checks else None,
            order=None,
        )
        for column in store.columns
    ]
    meta = msgspec.structs.replace(store.meta, columns=columns, sort_by=by, sorted_missing=missing,
        segment_batches=writer.batches,
    )  # fmt: skip
    leases.write_json(part / META_FILE, meta)


def _gathered(store: Store, wanted: NDArray[np.int64]) -> Table:
    """Rows by position, in the order wanted.

    Taken batch by batch: Arrow's own `take` would first copy all texts of the store together.
    """
    pa, _ = arrow()
    by_batch = np.argsort(wanted, kind="stable")
    ordered = wanted[by_batch]
    first = int(ordered[0]) // BATCH_ROWS
    pieces = []
    for number in range(first, int(ordered[-1]) // BATCH_ROWS + 1):
        begin = number * BATCH_ROWS
        low, high = np.searchsorted(ordered, [begin, begin + BATCH_ROWS])
        if low < high:
            batch = store.read(begin, begin + BATCH_ROWS)
            pieces.append(batch.take(pa.array(ordered[low:high] - begin)))
    places = np.empty_like(by_batch)
    places[by_batch] = np.arange(len(by_batch))
    return pa.concat_tables(pieces).combine_chunks().take(pa.array(places)).combine_chunks()
