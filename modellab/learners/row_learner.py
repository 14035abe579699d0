"""Compiled learners that take rows one at a time, behind the protocol of all learners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.errors import LearnerError, quote
from modellab.learners.base import Inputs, Prediction, Progress, Rows, View, no_progress
from modellab.learners.compiled.calls import check_arrivals
from modellab.learners.passes import go_over
from modellab.learners.settings import check_value, resolve, unknown_setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from modellab.learners.base import Floats, Ints, Parameter
    from modellab.learners.compiled._loop import RowLoop


@dataclass(frozen=True)
class Method:
    """What one kind of compiled learner is made of.

    Attributes
    ----------
    title
        What it is called in messages.
    parameters
        Its settings.
    make
        ``make(inputs, classes, settings) -> RowLoop``: a model that has learned nothing; `classes`
        is 1 for regression, else at least 2.
    settings
        ``settings(values, inputs) -> dict``: from the person's settings to those of the model.
    read
        ``read(model) -> dict``: what can be plotted over time.
    size
        ``size(model) -> int``: bytes of the model.
    """

    title: str
    parameters: tuple[Parameter, ...]
    make: Callable[[Inputs, int, dict[str, Any]], RowLoop]
    settings: Callable[[Mapping[str, Any], Inputs], dict[str, Any]]
    read: Callable[[Any], dict[str, float]]
    size: Callable[[Any], int]


class RowLearner:
    """A compiled model that learns and answers row by row, exactly in order.

    A fit is one pass over the rows in their order. Before anything was learned all classes have
    equal shares, which answers the first class; the number is 0. `every` rows are collected before
    they are learned, each by itself: `batch` has no meaning here.

    Parameters
    ----------
    method
        What it is made of.
    inputs
        The encoded columns (ordinal view), the task and the seed.
    params
        Settings by name.

    Raises
    ------
    LearnerError
        If a setting is unknown or out of range, there is no column, or the compiled part is
        missing.
    """

    view: View = "ordinal"

    def __init__(self, method: Method, inputs: Inputs, params: Mapping[str, Any]) -> None:
        self._method = method
        self._inputs = inputs
        self._values = resolve(method.title, method.parameters, params, inputs.task.kind)
        if not inputs.names:
            raise LearnerError(f"{method.title} needs at least one feature column.")
        self._classes = inputs.task.n_classes if inputs.task.kind == "classification" else 0
        # A target with one class is learned as one of two, so that it still is a class.
        self._outputs = max(self._classes, 2) if self._classes else 1
        try:
            self._core = method.make(inputs, self._outputs, method.settings(self._values, inputs))
        except ImportError as error:
            raise LearnerError(
                f"{method.title} is compiled code that has not been built here. Install Model Lab "
                "again, or run: python packaging/build_hook.py",
                detail=repr(error),
            ) from error

    # ------------------------------------------------------------------ training

    fit_passes = 1
    """Passes with which `fit_chunks` gives the bits that `fit` gives."""

    def fit(self, rows: Rows, y: NDArray[Any], progress: Progress = no_progress) -> None:
        """Train from scratch: one pass over rows (n, d) in their order."""
        self._fit(lambda: [(rows, y)], 1, progress, len(y))

    def fit_chunks(
        self, chunks: Callable[[], Any], passes: int, progress: Progress = no_progress
    ) -> None:
        """Train from scratch out of core: `passes` passes, the same bits as all rows at once."""
        self._fit(chunks, passes, progress, 0)

    def _fit(self, chunks: Callable[[], Any], passes: int, progress: Progress, total: int) -> None:
        self._core.reset()
        title = self._method.title
        go_over(lambda x, y, _: self.learn(x, y), chunks, passes, progress, total, title)

    def learn(self, rows: Rows, y: NDArray[Any], batch: int = 1) -> int:
        """Learn rows (n, d) in order, one at a time; return how many."""
        before = self._core.learned
        self._core.learn(self._rows(rows), np.ascontiguousarray(y, np.float64))
        return self._core.learned - before

    def run(
        self,
        rows: Floats,
        learn_rows: Floats,
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
        rows = self._rows(rows)
        learn_rows = rows if same else self._rows(learn_rows)
        y = np.ascontiguousarray(learn_y, np.float64)
        upto = np.ascontiguousarray(upto, np.int64)
        check_arrivals(upto, len(rows), len(learn_rows), len(y), every)
        codes, out = self._room(len(rows))
        before = self._core.learned
        self._core.run(rows, learn_rows, y, upto, every, frozen, codes, out)
        return self._prediction(codes, out), self._core.learned - before

    # ------------------------------------------------------------------ predictions

    def predict(self, rows: Rows) -> Prediction:
        """Predict each row (n, d); never changes the learner."""
        codes, out = self._room(len(rows))
        self._core.predict(self._rows(rows), codes, out)
        return self._prediction(codes, out)

    def _room(self, n: int) -> tuple[Ints, Floats]:
        return np.empty(n if self._classes else 0, np.int64), np.empty((n, self._outputs))

    def _rows(self, rows: Rows) -> Floats:
        given = np.ascontiguousarray(rows, np.float64)
        if given.ndim != 2 or given.shape[1] != self._core.columns:
            raise ValueError(f"rows must have {self._core.columns} columns")
        return given

    def _prediction(self, codes: Ints, out: Floats) -> Prediction:
        if not self._classes:
            return Prediction(out[:, 0])
        if self._classes == 1:
            return Prediction(np.zeros(len(codes), np.int64), np.ones((len(codes), 1)))
        return Prediction(codes, out)

    # ------------------------------------------------------------------ what it is

    def parameters(self) -> dict[str, float]:
        """What can be plotted over time."""
        return self._method.read(self._core)

    @property
    def skipped(self) -> int:
        """Rows that could not be learned: a label that is not finite or not a class."""
        return self._core.skipped

    def settings(self) -> dict[str, float | str | bool | None]:
        """The settings that can be changed during a replay, with their values."""
        return {p.name: self._values[p.name] for p in self._known() if p.live}

    def set(self, name: str, value: float | str | bool) -> None:
        """Change a setting from the next row on; what was learned stays.

        Raises
        ------
        LearnerError
            If there is no such live setting, or the value is not allowed.
        """
        known = {p.name: p for p in self._known()}
        live = {n: p for n, p in known.items() if p.live}
        title = self._method.title
        if name not in live:
            if name in known:
                raise LearnerError(
                    f"{title}: {quote(name)} cannot be changed while it runs; "
                    "it takes a new training."
                )
            raise LearnerError(unknown_setting(title, name, live))
        values = {**self._values, name: check_value(title, live[name], value)}
        self._core.configure(self._method.settings(values, self._inputs))
        self._values = values

    def _known(self) -> list[Parameter]:
        return [p for p in self._method.parameters if p.name in self._values]

    # ------------------------------------------------------------------ state in and out

    def state(self) -> bytes:
        """All state, waiting rows and settings included, as plain values."""
        return msgspec.msgpack.encode({"values": self._values, "core": self._core.state()})

    def load_state(self, state: bytes) -> None:
        """Take over a state made by `state`; going on from it gives the same bits.

        Raises
        ------
        LearnerError
            If it is not the state of a learner with these settings.
        """
        before = self._core.state()
        try:
            whole = msgspec.msgpack.decode(state)
            values = {name: whole["values"][name] for name in self._values}
            fixed = {p.name for p in self._known() if not p.live}
            if any(values[name] != self._values[name] for name in fixed):
                raise ValueError("other settings")
            self._core.load_state(whole["core"])
        except (ValueError, KeyError, TypeError, OverflowError, msgspec.MsgspecError) as error:
            self._core.load_state(before)
            raise LearnerError(
                f"This is not the state of a learner with the settings of {self._method.title}.",
                detail=repr(error),
            ) from error
        self._core.configure(self._method.settings(values, self._inputs))
        self._values = values

    def size_bytes(self) -> int:
        """Bytes of the model itself: nodes, leaves and their statistics."""
        return self._method.size(self._core)
