"""Predictions of all lanes, written to a Parquet file as they are made, in bounded memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.learners.base import join

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from modellab.learners.base import Prediction, Task
    from modellab.replay.hosts import Pieces

GROUP = 16_384


class PredictionFile:
    """Columns ``position, lane, y_true, y_pred, proba``; a row for each lane and row of the stream.

    Rows are grouped by spans of `GROUP` positions that begin at multiples of it, within a group by
    lane, so the file's bytes do not depend on how the replay was cut into pieces. Classification:
    labels as text (missing: null), `proba` the list of all classes' probabilities in the order of
    ``classes`` in the file's metadata. Regression: numbers, `proba` null.

    Parameters
    ----------
    path
        File to write; replaced if it is there.
    task
        The task.
    start
        First position.
    """

    def __init__(self, path: Path, task: Task, start: int) -> None:
        import pyarrow.parquet as pq

        pa = _arrow()
        self._task = task
        self._end = (start // GROUP + 1) * GROUP
        self._waiting: dict[str, Pieces] = {}
        classes = [label_text(label) for label in task.classes]
        label = pa.string() if task.kind == "classification" else pa.float64()
        self._schema = pa.schema(
            [
                ("position", pa.int64()),
                ("lane", pa.string()),
                ("y_true", label),
                ("y_pred", label),
                ("proba", pa.list_(pa.float64())),
            ],
            metadata={"classes": json.dumps(classes)},
        )
        self._labels = pa.array([*classes, None], type=label) if classes else None
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def take(self, made: dict[str, Pieces]) -> None:
        """Take predictions by lane: ``(first position, labels, predictions)``, in order."""
        for name, pieces in made.items():
            self._waiting.setdefault(name, []).extend(pieces)
        reached = min((_stop(pieces) for pieces in self._waiting.values() if pieces), default=0)
        while reached >= self._end:
            self._write(self._end)
            self._end += GROUP

    def close(self) -> None:
        """Write what waits and end the file."""
        while any(self._waiting.values()):
            self._write(self._end)
            self._end += GROUP
        self._writer.close()

    def _write(self, end: int) -> None:
        tables = []
        for name, pieces in self._waiting.items():
            now: Pieces = []
            later: Pieces = []
            for at, labels, prediction in pieces:
                cut = min(max(end - at, 0), len(labels))
                if cut:
                    now.append((at, labels[:cut], prediction[:cut]))
                if cut < len(labels):
                    later.append((at + cut, labels[cut:], prediction[cut:]))
            self._waiting[name] = later
            if now:
                labels = np.concatenate([piece[1] for piece in now])
                tables.append(self._table(name, now[0][0], labels, join([p[2] for p in now])))
        if tables:
            import pyarrow as pa

            self._writer.write_table(
                pa.concat_tables(tables).combine_chunks(), row_group_size=2**20
            )

    def _table(self, name: str, at: int, labels: NDArray[Any], made: Prediction) -> Any:
        pa = _arrow()
        rows = len(labels)
        return pa.table(
            [
                pa.array(np.arange(at, at + rows, dtype=np.int64)),
                pa.array([name] * rows, pa.string()),
                self._values(labels),
                self._values(made.value),
                _lists(made.proba, rows),
            ],
            schema=self._schema,
        )

    def _values(self, values: NDArray[Any]) -> Any:
        pa = _arrow()
        if self._labels is None:
            return pa.array(values, pa.float64(), mask=np.isnan(values))
        return self._labels.take(pa.array(np.where(values < 0, len(self._labels) - 1, values)))


def label_text(label: str | bool | int | float) -> str:
    """Write a class label as text."""
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def _stop(pieces: Pieces) -> int:
    at, labels, _ = pieces[-1]
    return at + len(labels)


def _lists(proba: NDArray[np.float64] | None, rows: int) -> Any:
    """Probabilities as lists; null where a learner gave none."""
    pa = _arrow()
    kind = pa.list_(pa.float64())
    if proba is None:
        return pa.nulls(rows, kind)
    missing = np.isnan(proba).any(axis=1)
    width = np.where(missing, 0, proba.shape[1])
    offsets = pa.array(np.concatenate([[0], np.cumsum(width)]).astype(np.int32))
    values = pa.array(np.ascontiguousarray(proba[~missing]).ravel())
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array(missing))


def _arrow() -> Any:
    """The library, imported when the first prediction is written; its stubs are too narrow."""
    import pyarrow as pa

    return pa
