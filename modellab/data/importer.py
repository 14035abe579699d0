"""Reading a data set into a store, in bounded memory; finding stores again.

A store that was made before from the same content is found by its fingerprint. What a killed
process had read of a file is gone on with.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from modellab.data import leases
from modellab.data.arrow import Array, Table, arrow
from modellab.data.convert import MISSING_TEXTS, ONLY_EMPTY
from modellab.data.growing import Growth
from modellab.data.kinds import KindDetector
from modellab.data.one_pass import (
    Outcome,
    changed_since,
    read_note,
    read_once,
)
from modellab.data.opening import open_source, split_inner
from modellab.data.reading_source import ToldSource, points_group, recoded, rewrites
from modellab.data.segments import SegmentWriter
from modellab.data.source import (
    WHOLE_HASH_BYTES,
    BadRow,
    FileState,
    ReadProgress,
    Source,
    no_progress,
)
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
from modellab.data.streamed import INDEX_FILE, IndexedSource, note_asked, states_of
from modellab.data.two_passes import Scan, recount, scan, write
from modellab.errors import DataError, quote
from modellab.experiment_reading import ReadingSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from modellab.data.growing import PartialStore
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
    growing: Callable[[PartialStore], None] | None = None,
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
    growing
        Given a snapshot of the rows written so far, to be opened as a store, after segments are
        complete (about every 260,000 rows) and at most twice a second, on this thread: it should
        return soon; what it raises ends the import. The rows are in file order even where they are
        to be sorted; `PartialStore` says what may still change. Not called where a store is found
        ready, where rows are not copied, and where the disk knows no hard links.

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
    how = (folder, progress, reading, budget_bytes, growing)
    store = _found_or_built(source, paths, {}, *how)
    forced = _forced(store, kinds or {})
    if forced:
        no_room = store.meta.streamed
        store.close()
        store = _found_or_built(source, paths, forced, *how, no_room=no_room)
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
    asked: str | Path | Sequence[str | Path],
    forced: Mapping[str, Kind],
    folder: Path,
    progress: ReadProgress,
    reading: ReadingSpec,
    budget: int,
    growing: Callable[[PartialStore], None] | None,
    no_room: bool = False,
) -> Store:
    # The encoding follows from the content, so it is no part of the key.
    options = sorted((k, v) for k, v in source.options.items() if not k.endswith("encoding"))
    key = _key(source.fingerprint, source.name, options, sorted(forced.items()), _dates(source))
    _notice_changes(source, key, folder)
    found = _opened(folder / key)
    if found is not None:
        return found
    if not no_room:
        try:
            return _built(
                folder,
                key,
                lambda part: _import(
                    source,
                    forced,
                    part,
                    progress,
                    reading,
                    _Room(part, budget),
                    None if growing is None else Growth(growing, part),
                ),
            )
        except NoRoom as error:
            source.warnings.append(
                f"{error.sentence.partition(':')[0]}. The rows are read from the file itself: it "
                "must stay where it is, and going back in it takes longer."
            )

    def index(part: Path) -> None:
        _import(source, forced, part, progress, reading, None)
        note_asked(part, asked)

    key = _key(key, "streamed", states_of(source))
    return _opened(folder / key) or _built(folder, key, index)


def _dates(source: Source) -> list[int]:
    """Dates of the files that are too large to be hashed whole: what changed inside shows there."""
    states = [FileState.of(split_inner(path)[0]) for path in source.paths]
    return [state.modified_ns for state in states if state.size > WHOLE_HASH_BYTES]


def _notice_changes(source: Source, key: str, folder: Path) -> None:
    """Say so if a file is another one than when its import was interrupted."""
    for part in leases.abandoned(folder):
        note = None if part.name.startswith(key) else read_note(part)
        if note is not None and [path for path, *_ in note.states] == [
            str(path.absolute()) for path in source.paths
        ]:
            if note.states != states_of(source):
                source.warnings.append(changed_since(source))
            shutil.rmtree(part, ignore_errors=True)


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


class NoRoom(DataError):
    """The disk, or what may be taken of it, has no room for a store."""


class _Room:
    """How much may be written: what is free, and what stores may take."""

    def __init__(self, part: Path, budget: int) -> None:
        self._part = part
        self._budget = budget

    def __call__(self, need: int) -> None:
        """Raise `NoRoom` if so many bytes do not fit."""
        if min(shutil.disk_usage(self._part).free, self._budget) < need:
            raise no_room(self._part.parent, need)


def _any_room(need: int) -> None:
    """Ask for nothing: no row is written."""


def no_room(folder: Path, need: int = 0) -> NoRoom:
    """Return the sentence for a full disk."""
    amount = f" (about {max(need // 2**20, 1):,} MB)" if need else ""
    return NoRoom(
        f"There is not enough room on the disk to store the data{amount} in {quote(folder, 200)}: "
        "make room, or choose another cache folder."
    )


def _import(
    source: Source,
    forced: Mapping[str, Kind],
    part: Path,
    told: ReadProgress,
    reading: ReadingSpec,
    room: _Room | None,
    growth: Growth | None = None,
) -> None:
    """Read a source into a store's folder: once if it is as its first rows promise, else twice.

    `room`: asked whether a copy of the rows may be kept; None: only an index of them is.
    `growth`: shown the rows in complete segments.
    """
    size = source.size_bytes
    missing = MISSING_TEXTS if reading.missing is None else ONLY_EMPTY
    fresh = partial(_detector, _comma_allowed(source, reading), missing, reading, _typed(source))

    def meta_of(
        n_rows: int = 0, bad_count: int = 0, columns: Sequence[StoredColumn] = (), batches: int = 1
    ) -> StoreMeta:
        return StoreMeta(
            version=STORE_VERSION,
            name=source.name,
            format=source.format,
            fingerprint=source.fingerprint,
            source_paths=[str(path.absolute()) for path in source.paths],
            size_bytes=size,
            n_rows=n_rows,
            columns=list(columns),
            warnings=list(source.warnings),
            bad_row_count=bad_count,
            own_missing=reading.missing is not None,
            segment_batches=batches,
            streamed=room is None,
            reading=msgspec.to_builtins(reading),
        )

    def write_meta(n_rows: int, bad_count: int, columns: list[StoredColumn], batches: int) -> None:
        _write_index(part, rows, found, columns)
        leases.write_json(part / META_FILE, meta_of(n_rows, bad_count, columns, batches))
        (part / leases.NOTE_FILE).unlink(missing_ok=True)
        told(size, size)

    rows: Source = source
    found: Scan | Outcome | None = None
    if growth is not None:
        growth.begin(meta_of())
    if not forced and not rewrites(source):
        plain = source.source if isinstance(source, ToldSource) else source
        found = read_once(
            plain, fresh, missing, part, told, room or _any_room, room is not None, growth
        )
    if found is None:
        rows = source if room is not None else IndexedSource(source)
        found = scan(rows, fresh, forced, lambda done, _, text="": told(done, 2 * size, text))
    if found.undecodable > _RECODE_SHARE * (found.n_rows + found.bad_count):
        other = recoded(source, reading)
        if other is not None:
            _clear(part)
            _import(other, forced, part, told, reading, room, growth)
            return
    if not found.n_rows:
        raise _no_rows(source, found.bad)
    if isinstance(found, Outcome) and found.columns is not None:
        write_meta(found.n_rows, found.bad_count, found.columns, found.segment_batches)
        return

    def second(done: float, total: float, text: str = "") -> None:
        told(size + done, size + total, text)

    recount(rows, found.detected, fresh, forced, second)
    # Texts take about their size in the file, everything else at most 9 bytes.
    texts = any(column.kind == "text" for column in found.detected.values())
    (room or _any_room)(9 * found.n_rows * len(found.detected) + (size if texts else 0))
    _clear(part)
    if growth is not None and isinstance(found, Outcome):
        growth.again()
    written, bad_count, columns, batches = write(
        rows, found.detected, missing, part, second, room is not None, growth
    )
    if written != found.n_rows:
        raise DataError(
            f"{quote(source.name)} changed while it was being read: open it again when it is "
            "complete."
        )
    write_meta(written, bad_count, columns, batches)


def _write_index(
    part: Path, rows: Source, found: Scan | Outcome | None, columns: Sequence[StoredColumn]
) -> None:
    """Write where the rows are, if they are not in the store themselves."""
    index = found.index if isinstance(found, Outcome) else None
    if isinstance(rows, IndexedSource):
        index = rows.index()
    if found is not None and index is not None:
        commas = [found.detected[column.name].decimal_comma for column in columns]
        index = msgspec.structs.replace(index, commas=commas)
        (part / INDEX_FILE).write_bytes(msgspec.msgpack.encode(index))


def _clear(part: Path) -> None:
    for file in part.iterdir():
        file.unlink()


def _comma_allowed(source: Source, reading: ReadingSpec) -> bool:
    """Whether a comma may be the decimal sign."""
    if reading.decimal is not None:
        return reading.decimal == ","
    if points_group(source):
        return True
    delimiters = [value for key, value in source.options.items() if key.endswith("delimiter")]
    return bool(delimiters) and "," not in delimiters


def _typed(source: Source) -> dict[str, bool]:
    # Texts of a file that declares no types may be anything; declared texts are meant as texts.
    return {column.name: column.type is not None for column in source.columns}


def _detector(
    comma: bool,
    missing: Sequence[str],
    reading: ReadingSpec,
    typed: Mapping[str, bool],
    name: str,
    recount: bool = False,
) -> KindDetector:
    """Return a fresh detector for a column."""
    meant = reading.decimal == ","
    return KindDetector(typed[name], comma, recount, comma_meant=meant, missing=missing)


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


def _as_filed(values: Array) -> Array:
    """Values as they stand in a segment."""
    pa, _ = arrow()
    return values.indices if pa.types.is_dictionary(values.type) else values


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
    if store.meta.streamed:
        raise NoRoom(
            f"There is not enough room on the disk to sort the rows by {quote(by)}, which takes a "
            f"sorted copy of them: make room in {quote(part.parent, 200)}, choose another cache "
            "folder, or sort the file itself and open it again."
        )
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
