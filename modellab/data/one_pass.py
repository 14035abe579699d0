"""Reading a file once: kinds are found out while its rows are converted and written.

The kinds that the first rows speak for are taken at their word; blocks are parsed on all cores and
put after one another. Where the whole file speaks for another kind, `read_once` says so, and the
file is read once more. After each segment that is whole, a note is left by which an import that
was killed goes on.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from modellab.data.arrow import arrow
from modellab.data.bad_rows import BadRowsFile
from modellab.data.feeds import Columns, Feed, Job, Mark, Piece, feeds_of
from modellab.data.kinds import Detected, KindDetector, NeedsRecount
from modellab.data.leases import NOTE_FILE
from modellab.data.segments import BATCH_ROWS, NoSegments, SegmentReader, SegmentWriter
from modellab.data.store import BAD_ROWS_FILE, StoredColumn
from modellab.data.streamed import Index, states_of
from modellab.data.takers import NeedsTexts, Taker, TooManyLevels, taker_for
from modellab.errors import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from modellab.data.growing import Growth
    from modellab.data.source import BadRow, ReadProgress, Source

SMALL_BYTES = 2**22
"""Smaller files are read twice at once: there is nothing to gain."""
LOOKED_ROWS = 2**12
"""So many rows of the first block say how to begin."""
_NOTE_VERSION = 2
_AHEAD = 3


class Plan(msgspec.Struct, frozen=True):
    """What the first rows of a column speak for, so that reading can go on the same way."""

    found: Detected
    as_text: bool = False


class Note(msgspec.Struct, frozen=True):
    """What an interrupted import needs to go on.

    Attributes
    ----------
    states, options
        Path, size and date of the files; how they are read.
    rows, batches
        Rows in whole segments, and batches of a segment.
    mark, mark_row
        A block at or before these rows' end, and the row at which it begins.
    counted
        The last block that the counts hold: that one, or one after it.
    takers
        The counts of the columns.
    texts
        Columns known to have too many different values for codes.
    bad_count, bad_bytes, undecodable
        Rows set aside, the size of their file, and those of them that are no UTF-8.
    bad_first
        The first of them.
    """

    version: int
    states: list[tuple[str, int, int]]
    options: dict[str, str]
    rows: int
    batches: int
    mark: Mark
    mark_row: int
    counted: Mark
    takers: list[dict[str, Any]]
    texts: list[str]
    bad_count: int
    bad_bytes: int
    undecodable: int


@dataclass(frozen=True)
class Outcome:
    """What came of reading a file once.

    Attributes
    ----------
    n_rows, bad_count, undecodable
        Rows stored; rows set aside, and those of them that are no UTF-8.
    bad
        The first rows set aside.
    columns
        The columns; None if what was written is of no use, because some are another kind.
    detected
        What each column is; lacks those whose values have to be counted again.
    segment_batches
        Batches of a segment.
    index
        Where the rows are in the files, if they were not written.
    """

    n_rows: int
    bad_count: int
    undecodable: int
    bad: list[BadRow]
    columns: list[StoredColumn] | None
    detected: dict[str, Detected]
    segment_batches: int
    index: Index | None


def read_note(part: Path) -> Note | None:
    """Return the note in a half made store, if there is one of this version."""
    try:
        note = msgspec.msgpack.decode((part / NOTE_FILE).read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError):
        return None
    return note if note.version == _NOTE_VERSION else None


def changed_since(source: Source) -> str:
    """Say that an interrupted import could not be gone on with."""
    return (
        f"{quote(source.name)} changed after its import was interrupted: it was read again from "
        "its beginning."
    )


def read_once(
    source: Source,
    fresh: Callable[[str], KindDetector],
    missing: Sequence[str],
    part: Path,
    told: ReadProgress,
    room: Callable[[int], None],
    keep: bool = True,
    growth: Growth | None = None,
) -> Outcome | None:
    """Read a source into segments, or go on with what was left in the folder.

    Parameters
    ----------
    source
        The files.
    fresh
        Makes the detector of a column.
    missing
        Texts that stand for a missing value.
    part
        Folder to write to.
    told
        Told bytes done of bytes to do; may raise `Cancelled`.
    room
        Asked whether there is room for so many bytes; may raise `DataError`.
    keep
        Whether rows are written; else only an index of them is.
    growth
        Shown the rows in complete segments.

    Returns
    -------
    Outcome or None
        None if the source cannot be read this way, or is small.
    """
    if keep and source.size_bytes < SMALL_BYTES:
        return None
    feeds = feeds_of(source)
    if feeds is None:
        return None
    reading = _Reading(source, feeds, fresh, missing, part, told, keep, growth)
    while True:
        try:
            return reading.run(room)
        except TooManyLevels as found:
            reading.texts.append(found.name)
            reading.forget()
            if growth is not None:
                growth.again()


class _Reading:
    """One reading of a source, perhaps begun before by another process."""

    def __init__(
        self,
        source: Source,
        feeds: list[Feed],
        fresh: Callable[[str], KindDetector],
        missing: Sequence[str],
        part: Path,
        told: ReadProgress,
        keep: bool,
        growth: Growth | None = None,
    ) -> None:
        self._keep = keep
        self._growth = growth
        self._source = source
        self._feeds = feeds
        self._fresh = fresh
        self._missing = missing
        self._part = part
        self._told = told
        self._workers = min(4, os.cpu_count() or 1)
        self.texts: list[str] = []
        # About how many rows the first block promises for all.
        self._promised = 0

    def forget(self) -> None:
        """Throw away what was written."""
        for file in self._part.iterdir():
            file.unlink()

    # The first rows

    def _takers(self) -> list[Taker]:
        """Look at the first block and decide how to take each column."""
        pa, _ = arrow()
        names = [column.name for column in self._source.columns]
        text = [column.type is None for column in self._source.columns]
        first: Piece | None = None
        size = self._source.size_bytes
        plain = Columns([pa.string()] * len(names), self._missing)
        for job in self._jobs(None, plain):
            first = job.careful()
            if rows := len(first.columns[0]):
                self._promised = int(rows * size / max(job.done, 1.0))
                break
        takers = []
        for k, name in enumerate(names):
            values = first.columns[k][:LOOKED_ROWS] if first else pa.array([], pa.string())
            detector = self._fresh(name)
            detector.update(values)
            found = detector.finish("text" if name in self.texts else None)
            takers.append(
                taker_for(
                    name,
                    values,
                    found,
                    lambda name=name: self._fresh(name),  # type: ignore[misc]
                    self._missing,
                    text[k],
                    name in self.texts,
                )
            )
        return takers

    def _jobs(self, start: Mark | None, columns: Columns) -> Iterator[Job]:
        first = start.part if start else 0
        for number in range(first, len(self._feeds)):
            yield from self._feeds[number].jobs(start if number == first else None, columns)

    # All rows

    def run(self, room: Callable[[int], None]) -> Outcome:
        """Read on to the end."""
        note = self._note()
        if note is not None:
            self.texts = list(note.texts)
        takers = self._takers()
        if note is not None:
            for taker, state in zip(takers, note.takers, strict=True):
                taker.load_state(state)
        else:
            self.forget()
            texts = any(taker.kind == "text" for taker in takers)
            # Texts take about their size in the file, everything else at most 9 bytes.
            size = self._source.size_bytes if texts else 0
            room(9 * self._promised * len(takers) + size)
        return self._read(takers, note)

    def _read(self, takers: list[Taker], note: Note | None) -> Outcome:
        part, undecodable = self._part, note.undecodable if note else 0
        counted_before = note is not None
        row = note.mark_row if note else 0
        bad: list[BadRow] = []
        marks: deque[tuple[Mark, int]] = deque()
        sizes = [size for _, size, _ in states_of(self._source)]

        def leave_note(rows: int) -> None:
            while len(marks) > 1 and marks[1][1] <= rows:
                marks.popleft()
            left = Note(
                version=_NOTE_VERSION,
                states=states_of(self._source),
                options=self._source.options,
                rows=rows,
                batches=writer.batches,
                mark=marks[0][0],
                mark_row=marks[0][1],
                counted=job.mark,
                takers=[taker.state() for taker in takers],
                texts=self.texts,
                bad_count=spool.count,
                bad_bytes=spool.flushed(),
                undecodable=undecodable,
            )
            fresh = part / f"{NOTE_FILE}.new"
            fresh.write_bytes(msgspec.msgpack.encode(left))
            fresh.replace(part / NOTE_FILE)
            show(rows)

        def show(rows: int) -> None:
            if self._growth is not None:
                self._growth.offer(
                    rows,
                    writer.batches,
                    lambda: [taker.so_far() for taker in takers],
                    spool.count,
                    (float(sum(sizes[: job.mark.part])) + job.done) / self._source.size_bytes,
                )

        names = [taker.name for taker in takers]
        committed = note.rows if note else 0
        kinds = [taker.kind for taker in takers]
        index: list[tuple[int, Mark]] = []
        with (
            SegmentWriter(part, names, kinds, committed, leave_note)
            if self._keep
            else NoSegments() as writer,
            BadRowsFile(
                part / BAD_ROWS_FILE,
                note.bad_bytes if note else 0,
                note.bad_count if note else 0,
            ) as spool,
        ):
            columns = Columns.of(takers, self._missing)
            for job, piece, prepared in self._parsed(note.mark if note else None, takers, columns):
                size = len(piece.columns[0])
                marks.append((job.mark, row))
                if not self._keep and size:
                    marks.clear()
                    index.append((row, job.mark))
                if counted_before:
                    arrays = [
                        taker.again(done) for taker, done in zip(takers, prepared, strict=True)
                    ]
                else:
                    arrays = [
                        taker.absorb(done, row, piece.words.get(k, 0), piece.line_of, piece.file)
                        for k, (taker, done) in enumerate(zip(takers, prepared, strict=True))
                    ]
                    for k in piece.zeros:
                        takers[k].detector.mark_leading_zeros()
                    for one in piece.bad:
                        spool(one)
                    bad += piece.bad[: 10 - len(bad)]
                    undecodable += piece.undecodable
                if note is not None and job.mark == note.counted:
                    counted_before = False
                if committed and row < committed:
                    spool.flushed()
                    show(committed)
                skip = min(max(committed - row, 0), size)
                row += size
                writer.add([array.slice(skip) for array in arrays] if skip else arrays)
                before = float(sum(sizes[: job.mark.part]))
                self._told(before + job.done, self._source.size_bytes)
            n_rows = writer.rows
        for feed in self._feeds:
            feed.verify()
        detected: dict[str, Detected] = {}
        for taker in takers:
            taker.close()
            with suppress(NeedsRecount):
                detected[taker.name] = taker.detector.finish()
        misfits = {t.name for t in takers if t.name not in detected or not t.fits(detected[t.name])}
        return Outcome(
            n_rows=n_rows,
            bad_count=spool.count,
            undecodable=undecodable,
            bad=bad,
            columns=[t.finished(detected[t.name]) for t in takers] if not misfits else None,
            detected=detected,
            segment_batches=writer.batches,
            index=None if self._keep else self._index(misfits, takers, index),
        )

    def _index(
        self, misfits: set[str], takers: list[Taker], marks: list[tuple[int, Mark]]
    ) -> Index:
        """Where the rows are, and how they are to be parsed."""
        return Index(
            states=states_of(self._source),
            options=self._source.options,
            rows=[row for row, _ in marks],
            marks=[mark for _, mark in marks],
            types=["" if t.name in misfits else str(t.parsed_type) for t in takers],
        )

    def _parsed(
        self, start: Mark | None, takers: list[Taker], columns: Columns
    ) -> Iterator[tuple[Job, Piece, list[Any]]]:
        """Parse blocks beside each other; yield them in order."""

        def work(job: Job) -> tuple[Piece, list[Any]]:
            piece = job.run()
            try:
                return piece, _prepared(piece, takers)
            except NeedsTexts:
                piece = job.careful()
                return piece, _prepared(piece, takers)

        with ThreadPoolExecutor(self._workers, "import") as pool:
            waiting: deque[tuple[Job, Future[tuple[Piece, list[Any]]]]] = deque()
            try:
                for job in self._jobs(start, columns):
                    waiting.append((job, pool.submit(work, job)))
                    if len(waiting) > self._workers + _AHEAD:
                        done, future = waiting.popleft()
                        yield done, *future.result()
                while waiting:
                    done, future = waiting.popleft()
                    yield done, *future.result()
            finally:
                for _, future in waiting:
                    future.cancel()

    # What another process left

    def _note(self) -> Note | None:
        """Return the note of an interrupted import if what it tells of is whole."""
        note = read_note(self._part)
        if note is None or note.options != self._source.options:
            return None
        if note.states != states_of(self._source):
            self._source.warnings.append(changed_since(self._source))
            return None
        return note if self._whole(note) else None

    def _whole(self, note: Note) -> bool:
        """Look at all that was written: every batch there, and in good order."""
        pa, _ = arrow()
        try:
            reader = SegmentReader(self._part, note.rows, note.batches)
            for number in range(note.rows // BATCH_ROWS):
                self._told(0.0, self._source.size_bytes, "Checking what was read before")
                reader.batch(number).validate(full=True)
        except (OSError, pa.ArrowException):
            return False
        return (self._part / BAD_ROWS_FILE).stat().st_size >= note.bad_bytes


def _prepared(piece: Piece, takers: list[Taker]) -> list[Any]:
    return [taker.prepare(values) for taker, values in zip(takers, piece.columns, strict=True)]
