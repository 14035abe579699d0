"""A store while it is being made: the rows written so far, to be opened and read like any store.

After a segment is complete, its files are linked (not copied) into a folder of their own, with a
description of what is known so far. That folder is a store like any other: it never changes, any
process can open it by its path, and it stays readable when the import is over, was cancelled, or
had to begin again.
"""

from __future__ import annotations

import os
import shutil
import weakref
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from modellab.data import leases
from modellab.data.segments import BATCH_ROWS, segment_name
from modellab.data.store import BAD_ROWS_FILE, META_FILE, Store, StoredColumn, StoreMeta

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modellab.experiment import Kind

INTERVAL = 0.5
"""At least so many seconds lie between two snapshots."""
_SHARE_OF_TIME = 0.05
"""Making snapshots takes at most about this share of an import's time."""


class PartialStore:
    """The first rows of a data set whose import goes on: a snapshot that never changes.

    Its folder is deleted when neither this object nor a store that it opened is used any more.

    Attributes
    ----------
    path
        Its folder: ``Store(path)`` opens it, in this process or another.
    n_rows
        Rows in it: the first ones of the files, in their order.
    columns
        The columns as known so far. Counts are of all rows read so far, some more than `n_rows`.
    settled
        Whether the kinds are final. While they are not, the rest of the file may still speak for
        another kind; the finished store then has that one.
    attempt
        Counts from 0; larger after the import had to begin again (more values than a category can
        have, another encoding, another kind), so that there may be fewer rows than before.
    share
        How much of the source is read, from 0 to 1.
    """

    def __init__(
        self,
        path: Path,
        n_rows: int,
        columns: Sequence[StoredColumn],
        settled: bool,
        attempt: int,
        share: float,
    ) -> None:
        self.path = path
        self.n_rows = n_rows
        self.columns = tuple(columns)
        self.settled = settled
        self.attempt = attempt
        self.share = share
        self._finalizer = weakref.finalize(self, leases.drop_partial, path)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Kind of each column as it is stored."""
        return {column.name: column.kind for column in self.columns}

    def open(self) -> Store:
        """Open the rows as a store; the folder stays at least until that store is let go.

        Raises
        ------
        DataError
            If the folder is gone (`close` was called).
        """
        store = Store(self.path)
        store.partial = self
        return store

    def close(self) -> None:
        """Delete the folder now, if no process has it open."""
        self._finalizer()


class Growth:
    """Makes snapshots of a store that is being written and hands them over.

    Parameters
    ----------
    tell
        Gets each snapshot, on the thread that imports; what it raises ends the import.
    part
        Folder that is being written.
    """

    def __init__(self, tell: Callable[[PartialStore], None], part: Path) -> None:
        self._tell = tell
        self._part = part
        self._meta: StoreMeta | None = None
        self._attempt = -1
        self._next = 0.0

    def begin(self, meta: StoreMeta) -> None:
        """Begin (again): what is known of the store before its first row."""
        self._meta = meta
        self._attempt += 1

    def again(self) -> None:
        """Begin again with the same source."""
        self._attempt += 1

    def offer(
        self,
        rows: int,
        batches: int,
        columns: Callable[[], list[StoredColumn]],
        bad_count: int,
        share: float,
        settled: bool = False,
    ) -> None:
        """Hand over the rows in complete segments, unless that was done just now.

        Parameters
        ----------
        rows, batches
            Rows in complete segments, and batches of a segment.
        columns
            Tells the columns as known so far.
        bad_count
            Rows set aside whose file is flushed.
        share
            How much of the source is read, from 0 to 1.
        settled
            Whether the kinds are final.
        """
        begun = monotonic()
        if not rows or self._meta is None or begun < self._next:
            return
        meta = msgspec.structs.replace(
            self._meta,
            n_rows=rows,
            columns=columns(),
            bad_row_count=bad_count,
            segment_batches=batches,
            unfinished=True,
        )
        path = self._linked(meta)
        if path is None:
            self._meta = None
            return
        partial = PartialStore(path, rows, meta.columns, settled, self._attempt, share)
        took = monotonic() - begun
        self._next = begun + max(INTERVAL, took / _SHARE_OF_TIME)
        self._tell(partial)

    def _linked(self, meta: StoreMeta) -> Path | None:
        """Make a folder of links; None where the disk's file system knows none."""
        path = leases.partial_folder(self._part)
        try:
            for number in range(-(-meta.n_rows // (meta.segment_batches * BATCH_ROWS))):
                name = segment_name(number)
                os.link(self._part / name, path / name)
            if meta.bad_row_count:
                os.link(self._part / BAD_ROWS_FILE, path / BAD_ROWS_FILE)
            leases.write_json(path / META_FILE, meta)
        except OSError:
            with suppress(OSError):
                shutil.rmtree(path, ignore_errors=True)
            return None
        return path
