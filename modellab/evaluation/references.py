"""The references along the stream: what one would predict without looking at the features.

Classification: the majority class, and no change (the last label known). Regression: the running
mean, and the last value. They know what a lane knows: the labels of the training window, and each
later label once it has arrived. Before any label is known they give no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.compiled import _scoring
from modellab.evaluation.sums import running_sums

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.data.task import Task

    Ints = NDArray[np.int64]

_AT_ONCE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class ReferencePredictions:
    """What the references predict for n rows.

    Attributes
    ----------
    common
        Majority class, int64 codes (n,), -1 for no answer; or mean, float64 (n,), NaN for none.
        Between classes that are as frequent, the one that was seen first (as in river).
    last
        Last label known, likewise.
    """

    common: NDArray[Any]
    last: NDArray[Any]

    def correct(self, y: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether each is right, given the class codes (n,); False at rows without a label."""
        return (self.common == y) & (y >= 0), (self.last == y) & (y >= 0)


class References:
    """Both references of a task; what they give does not depend on how the stream is cut.

    Feed the training window's labels to `learn`, in order, then ask `predict` for row after row.

    Parameters
    ----------
    task
        The task.
    """

    def __init__(self, task: Task) -> None:
        self._is_classification = task.kind == "classification"
        self.known = 0
        """The labels of all rows before this position have been taken in."""
        self._counts = np.zeros(task.n_classes, dtype=np.int64)
        self._seen: list[int] = []  # classes in order of their first label
        self._sum = 0.0
        self._n = 0
        self._common: float = -1 if self._is_classification else np.nan
        self._last: float = self._common

    def learn(self, y: NDArray[Any]) -> None:
        """Take in the next labels (n,), missing ones included, without predicting anything."""
        if self._is_classification:
            self._majorities(y, np.empty(0, dtype=np.int64))
            self.known += len(y)
        elif len(y):
            common, last = self._along(y)
            self._common, self._last = common[-1].item(), last[-1].item()
            self.known += len(y)

    def predict(self, upto: Ints, y: NDArray[Any]) -> ReferencePredictions:
        """Predict the next rows, each from the labels known before it.

        Parameters
        ----------
        upto
            int64 (n,): for each row, the exclusive end of the labels known after it was predicted
            (`EncodedStream.label_upto`); the first rows asked for are predicted from what is known
            now.
        y
            The labels of rows ``[known, upto[-1])``, those that arrive meanwhile.
        """
        n = len(upto)
        if n == 0:
            return ReferencePredictions(*(np.empty(0, dtype=self._dtype) for _ in range(2)))
        if int(upto[-1]) - self.known != len(y):
            raise ValueError(f"labels [{self.known}, {upto[-1]}) are wanted, {len(y)} were given")
        # Before row i, what had arrived after row i - 1.
        before = np.empty(n, dtype=np.int64)
        before[0] = 0
        before[1:] = upto[:-1] - self.known
        if self._is_classification:
            found = ReferencePredictions(*self._majorities(y, before))
            self.known = int(upto[-1])
            return found
        common, last = self._along(y)
        found = ReferencePredictions(common[before], last[before])
        self._common, self._last = common[-1].item(), last[-1].item()
        self.known = int(upto[-1])
        return found

    def right_at_once(self, labels: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether both are right at the next rows, where each label arrives right after its row.

        What ``right(upto, labels, labels)`` tells, with `upto` going up by one; for rows from
        `known` on.
        """
        right = np.empty((2, len(labels)), dtype=np.uint8)
        if len(labels):
            late, now = self._places()
            codes = np.ascontiguousarray(labels, dtype=np.int64)
            _scoring.both_right(codes, _AT_ONCE, 0, codes, self._counts, late, now, right)
            self._take_over(late, now)
            self.known += len(labels)
        return right[0].view(np.bool_), right[1].view(np.bool_)

    def right(
        self, upto: Ints, y: Ints, labels: Ints
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether majority class and last label are right at the next rows of a classification.

        What ``predict(upto, y).correct(labels)`` tells, at once.
        """
        if len(upto) and int(upto[-1]) - self.known != len(y):
            raise ValueError(f"labels [{self.known}, {upto[-1]}) are wanted, {len(y)} were given")
        right = np.empty((2, len(upto)), dtype=np.uint8)
        if len(upto):
            late, now = self._places()
            codes, truth = (np.ascontiguousarray(c, dtype=np.int64) for c in (y, labels))
            _scoring.both_right(codes, upto, self.known, truth, self._counts, late, now, right)
            self._take_over(late, now)
            self.known = int(upto[-1])
        return right[0].view(np.bool_), right[1].view(np.bool_)

    @property
    def _dtype(self) -> type:
        return np.int64 if self._is_classification else np.float64

    def _majorities(self, y: NDArray[Any], before: Ints) -> tuple[Ints, Ints]:
        """Majority class and last label after the first ``before[i]`` labels; all are taken in.

        A class's count only ever grows, so the majority is the largest of the counts just counted.
        """
        late, now = self._places()
        common, last = np.empty_like(before), np.empty_like(before)
        labels = np.ascontiguousarray(y, dtype=np.int64)
        _scoring.majorities(labels, before, self._counts, late, now, common, last)
        self._take_over(late, now)
        return common, last

    def _places(self) -> tuple[Ints, Ints]:
        """After how many others each class was first seen (-1: not yet), and the answers of now."""
        late = np.full(len(self._counts), -1, dtype=np.int64)
        late[self._seen] = np.arange(len(self._seen))
        return late, np.array([self._common, self._last], dtype=np.int64)

    def _take_over(self, late: Ints, now: Ints) -> None:
        seen = int(np.count_nonzero(late >= 0))
        if seen > len(self._seen):
            order = np.argsort(late, kind="stable")
            self._seen = order[len(late) - seen :].tolist()
        self._common, self._last = now.tolist()

    def _along(self, y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and last value from what is known now, and after each of the labels: (n + 1,)."""
        present = np.isfinite(y)
        labels: NDArray[Any] = y[present].astype(self._dtype, copy=False)
        after = np.zeros(len(y) + 1, dtype=np.int64)
        np.cumsum(present, out=after[1:])
        last = np.concatenate([np.array([self._last]), labels])
        common = np.concatenate([np.array([self._common]), self._means(labels)])
        return common[after], last[after]

    def _means(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean after each label."""
        if not len(labels):
            return labels
        with np.errstate(over="ignore", invalid="ignore"):
            sums = running_sums(np.array([self._sum]), labels[None, :])[0]
            means: NDArray[np.float64] = sums / np.arange(self._n + 1, self._n + len(labels) + 1)
        self._sum = float(sums[-1])
        self._n += len(labels)
        return means

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "known": self.known,
            "counts": self._counts.tolist(),
            "seen": list(self._seen),
            "sum": self._sum,
            "n": self._n,
            "common": self._common,
            "last": self._last,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state of references of the same task."""
        self.known = state["known"]
        self._counts = np.array(state["counts"], dtype=np.int64)
        self._seen = list(state["seen"])
        self._sum, self._n = state["sum"], state["n"]
        self._common, self._last = state["common"], state["last"]
