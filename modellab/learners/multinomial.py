"""Multinomial naive Bayes, compiled, behind the protocol of all learners.

What is computed (McCallum and Nigam 1998; Manning, Raghavan and Schuetze 2008, chapter 13; river's
``naive_bayes.MultinomialNB`` given the cells above 0): the share of class *c* is in proportion to
``P(c) * product over the columns j of P(j | c)^x_j`` with ``P(c)`` its share of the rows and
``P(j | c) = (N_jc + alpha) / (N_c + alpha V)``; *N_jc* is the sum of column *j* over the rows of
class *c*, *N_c* that over all columns, and *V* is how many columns have ever held more than 0. A
class that was never seen has no share; before the first row all have the same. With fading every
count is multiplied by it at each further row, *V* is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.sparse import SparseRows, join_rows
from modellab.errors import LearnerError
from modellab.learners.base import (
    CatalogueEntry,
    Inputs,
    Parameter,
    Prediction,
    Progress,
    Rows,
    View,
    no_progress,
)
from modellab.learners.compiled.calls import cells, check_arrivals, check_cells
from modellab.learners.compiled_parameters import FADING
from modellab.learners.packing import packed, unpacked
from modellab.learners.passes import go_over
from modellab.learners.settings import check_value, resolve, unknown_setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from modellab.learners.base import Floats, Ints
    from modellab.learners.compiled._counts import Core

TITLE = "Multinomial naive Bayes"
_LARGEST = 1e100
_ARRAYS = ("table", "classes", "totals", "shared", "known")

PARAMETERS = (
    Parameter(
        "alpha",
        "Smoothing",
        "float",
        1.0,
        low=1e-6,
        high=1000.0,
        log=True,
        live=True,
        help="As if every word had been seen so often in every class: a word that is new to a "
        "class does not rule that class out.",
    ),
    FADING,
)


class MultinomialBayes:
    """Counts of words by class, learned row by row; exact test-then-train in compiled code.

    Where there are texts, only their words count: one length of a text outweighs all its words. A
    row with a value that is not finite is predicted without it and never learned, nor is one
    whose label is no class; values below 0 count as 0. `every` rows are collected before they are
    learned, each by itself: `batch` has no meaning here.

    Parameters
    ----------
    inputs
        The encoded columns (dense, or sparse where there are texts) and the task.
    params
        Settings, see `PARAMETERS`.

    Raises
    ------
    LearnerError
        If a setting is unknown or out of range, there is no column, or the compiled part is
        missing.
    """

    view: View = "raw"

    def __init__(self, inputs: Inputs, params: Mapping[str, Any]) -> None:
        self._values = resolve(TITLE, PARAMETERS, params, inputs.task.kind)
        if not inputs.names:
            raise LearnerError(f"{TITLE} needs at least one feature column.")
        self._inputs = inputs
        self._width = len(inputs.names)
        self._words_from = inputs.sparse_from or 0
        # A target with one class is learned as one of two, so that it still is a class.
        self._outputs = max(inputs.task.n_classes, 2)
        self._reset()

    def _reset(self) -> None:
        k = self._outputs
        self._arrays: dict[str, Any] = {
            "table": np.zeros((self._width, k)),
            "classes": np.zeros(k),
            "totals": np.zeros(k),
            "shared": np.array([1.0, 0.0, 0.0, 0.0]),
            "known": np.zeros(self._width, np.uint8),
        }
        self._learned = self._skipped = 0
        self._waiting: tuple[SparseRows, Ints] | None = None
        self._renew()

    def _renew(self) -> None:
        self._arrays["shared"][2:] = self._values["alpha"], self._values["fading"]
        try:
            from modellab.learners.compiled import _counts
        except ImportError as error:
            raise LearnerError(
                f"{TITLE} is compiled code that has not been built here. Install Model Lab again, "
                "or run: python packaging/build_hook.py",
                detail=repr(error),
            ) from error
        self._core: Core = _counts.Core(self._arrays)

    # ------------------------------------------------------------------ training

    def fit(self, rows: Rows, y: NDArray[Any], progress: Progress = no_progress) -> None:
        """Train from scratch: one pass over the rows in their order."""
        self._fit(lambda: [(rows, y)], 1, progress, len(y))

    def fit_chunks(
        self, chunks: Callable[[], Any], passes: int, progress: Progress = no_progress
    ) -> None:
        """Train from scratch out of core: `passes` passes, the same bits as all rows at once."""
        self._fit(chunks, passes, progress, 0)

    def _fit(self, chunks: Callable[[], Any], passes: int, progress: Progress, total: int) -> None:
        self._reset()
        go_over(lambda x, y, _: self.learn(x, y), chunks, passes, progress, total, TITLE)

    def learn(self, rows: Rows, y: NDArray[Any], batch: int = 1) -> int:
        """Learn what waits, then the rows, in order, one at a time; return how many."""
        queue, labels = self._queue(self._sparse(rows), y, len(y))
        self._waiting = None
        self._core.learn(*cells(queue), labels)
        self._learned += len(labels)
        return len(labels)

    def _queue(self, rows: SparseRows, y: NDArray[Any], stop: int) -> tuple[SparseRows, Ints]:
        """Rows that wait and the usable ones of the first `stop` that come, with their labels."""
        rows, y = rows[:stop], np.asarray(y, np.float64)[:stop]
        good = self._usable(rows, y)
        if not good.all():
            self._skipped += int(np.count_nonzero(~good))
            rows, y = rows[good], y[good]
        labels = y.astype(np.int64)
        if self._waiting is None:
            return rows, labels
        return join_rows([self._waiting[0], rows]), np.concatenate([self._waiting[1], labels])

    def _usable(self, rows: SparseRows, y: Floats) -> NDArray[np.bool_]:
        good = (y >= 0.0) & (y < self._outputs) & (y == np.floor(y))
        bad = ~(np.abs(rows.values) <= _LARGEST)
        if bad.any():
            good[np.searchsorted(rows.ends, np.flatnonzero(bad), side="right") - 1] = False
        return np.asarray(good, np.bool_)

    def run(
        self,
        rows: Rows,
        learn_rows: Rows,
        learn_y: NDArray[Any],
        upto: Ints,
        every: int,
        batch: int,
        frozen: bool,
    ) -> tuple[Prediction, int]:
        """Predict each row, then learn what has arrived (see `PrequentialLearner.run`).

        Rows that wait for an update are let go when a label arrives while frozen.
        """
        same = rows is learn_rows
        rows = self._sparse(rows)
        learn_rows = rows if same else self._sparse(learn_rows)
        upto = np.ascontiguousarray(upto, np.int64)
        check_arrivals(upto, len(rows), len(learn_rows), len(learn_y), every)
        out = np.empty((len(rows), self._outputs))
        last = int(upto[-1]) if len(upto) else 0
        if frozen or not len(rows):
            if last:
                self._waiting = None
            self._core.run(*cells(rows), *cells(rows), _NONE, np.zeros_like(upto), out)
            return self._prediction(out), 0
        y = np.asarray(learn_y, np.float64)
        waited = 0 if self._waiting is None else len(self._waiting[1])
        counts = np.zeros(last + 1, np.int64)
        np.cumsum(self._usable(learn_rows[:last], y[:last]), out=counts[1:])
        queue, labels = self._queue(learn_rows, y, last)
        learned = (waited + counts[upto]) // every * every
        # Should `every` have been lowered, what waits falls due with the next label, not before.
        learned[counts[upto] == 0] = 0
        self._core.run(*cells(rows), *cells(queue), labels, learned, out)
        done = int(learned[-1])
        left = len(labels) - done
        self._waiting = (queue[done:], labels[done:]) if left else None
        self._learned += done
        return self._prediction(out), done

    # ------------------------------------------------------------------ predictions

    def predict(self, rows: Rows) -> Prediction:
        """Predict each row; never changes the learner."""
        given = cells(self._sparse(rows))
        out = np.empty((len(rows), self._outputs))
        self._core.run(*given, *given, _NONE, np.zeros(len(rows), np.int64), out)
        return self._prediction(out)

    def _prediction(self, out: Floats) -> Prediction:
        if self._inputs.task.n_classes < 2:
            return Prediction(np.zeros(len(out), np.int64), np.ones((len(out), 1)))
        return Prediction(np.argmax(out, axis=1).astype(np.int64), out)

    def _sparse(self, rows: Rows) -> SparseRows:
        given: SparseRows
        if isinstance(rows, SparseRows):
            given = rows
            if self._words_from:
                values = np.where(rows.columns < self._words_from, 0.0, rows.values)
                given = SparseRows(values, rows.columns, rows.ends, rows.width, rows.dense)
        else:
            table = np.ascontiguousarray(rows, np.float64)
            if table.ndim != 2:
                raise ValueError("rows must have two dimensions")
            at, columns = np.nonzero(table)
            ends = np.searchsorted(at, np.arange(len(table) + 1)).astype(np.int64)
            width = table.shape[1]
            given = SparseRows(table[at, columns], columns.astype(np.int32), ends, width, width)
        if given.width != self._width:
            raise ValueError(f"rows must have {self._width} columns")
        return given

    # ------------------------------------------------------------------ what it is

    def parameters(self) -> dict[str, float]:
        """What can be plotted over time."""
        factor, words = self._arrays["shared"][:2]
        classes = self._arrays["classes"]
        return {
            "rows learned": float(self._learned),
            "rows remembered": float(classes.sum() * factor),
            "classes seen": float(np.count_nonzero(classes)),
            "columns used": float(words),
        }

    @property
    def skipped(self) -> int:
        """Rows that could not be learned: a value that is not finite, or a label out of range."""
        return self._skipped

    def settings(self) -> dict[str, float | str | bool | None]:
        """The settings that can be changed during a replay, with their values."""
        return dict(self._values)

    def set(self, name: str, value: float | str | bool) -> None:
        """Change a setting from the next row on; what was learned stays.

        Raises
        ------
        LearnerError
            If there is no such setting, or the value is not allowed.
        """
        known = {p.name: p for p in PARAMETERS}
        if name not in known:
            raise LearnerError(unknown_setting(TITLE, name, known))
        self._values = {**self._values, name: check_value(TITLE, known[name], value)}
        self._renew()

    # ------------------------------------------------------------------ state in and out

    def state(self) -> bytes:
        """All state, waiting rows and settings included, as plain values."""
        whole: dict[str, Any] = {name: self._arrays[name] for name in _ARRAYS}
        whole |= {"values": self._values, "learned": self._learned, "skipped": self._skipped}
        if self._waiting is not None:
            rows, labels = self._waiting
            names = ("values", "columns", "ends")
            whole["waiting"] = dict(zip(names, cells(rows), strict=True))
            whole["waiting_labels"] = labels
        return msgspec.msgpack.encode(packed(whole))

    def load_state(self, state: bytes) -> None:
        """Take over a state made by `state`; going on from it gives the same bits.

        Raises
        ------
        LearnerError
            If it is not the state of a learner with these settings.
        """
        try:
            whole = unpacked(msgspec.msgpack.decode(state))
            values = {p.name: check_value(TITLE, p, whole["values"][p.name]) for p in PARAMETERS}
            arrays = {name: whole[name] for name in _ARRAYS}
            for name, array in arrays.items():
                _check_counts(name, array, self._arrays[name])
            waiting = None
            if "waiting" in whole:
                rows = SparseRows(**whole["waiting"], width=self._width, dense=self._width)
                labels = whole["waiting_labels"]
                check_cells(rows, len(labels))
                if not ((labels >= 0) & (labels < self._outputs)).all():
                    raise ValueError("the labels that wait do not fit")
                waiting = (rows, labels)
            counts = int(whole["learned"]), int(whole["skipped"])
        except (
            ArithmeticError,
            AttributeError,
            KeyError,
            LearnerError,
            LookupError,
            TypeError,
            ValueError,
            msgspec.MsgspecError,
        ) as error:
            raise LearnerError(
                f"This is not the state of a learner with the settings of {TITLE}.",
                detail=repr(error),
            ) from error
        self._values, self._arrays, self._waiting = values, arrays, waiting
        self._learned, self._skipped = counts
        self._renew()

    def size_bytes(self) -> int:
        """Bytes of the model itself: counts that are 0 need no place."""
        return 12 * int(np.count_nonzero(self._arrays["table"])) + 16 * self._outputs


_NONE = np.zeros(0, np.int64)


def _check_counts(name: str, array: Any, mine: NDArray[Any]) -> None:
    """Raise ValueError where an array of a state cannot be what it is to be."""
    if array.shape != mine.shape or array.dtype != mine.dtype:
        raise ValueError(f"{name} does not fit")
    if not (np.isfinite(array) & (array >= 0)).all() or (name == "shared" and array[0] == 0.0):
        raise ValueError(f"{name} is no count")


def build(inputs: Inputs, params: Mapping[str, Any]) -> MultinomialBayes:
    """Make the learner; raises `LearnerError` for a wrong setting."""
    return MultinomialBayes(inputs, params)


ENTRY = CatalogueEntry(
    kind="compiled_multinomial_bayes",
    title=TITLE,
    tasks=("classification",),
    family="compiled",
    online=True,
    chunks=True,
    view="raw",
    story="Counts how often each word, or how much of each column, comes with each class: the "
    "classic for texts. Very fast; values below 0 count as 0; with fading it forgets.",
    parameters=PARAMETERS,
    build=build,
    why_not={"regression": "it weighs classes against one another; use the linear model."},
    sparse=True,
)
