"""What every learner can do: one protocol for all families of learners."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeGuard, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from modellab.data.task import Task as Task  # noqa: TC001  # part of this protocol
from modellab.data.task import TaskKind as TaskKind  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

View = Literal["scaled", "raw", "ordinal", "dict"]
"""How a learner wants its rows.

``scaled``: dense float64, numbers imputed and standardised on the training window, categories
one-hot.
``raw``: the same, numbers imputed but not scaled (for learners that scale online).
``ordinal``: dense float64, numbers imputed, one code column per category (for trees).
``dict``: a list of ``{column: value}`` with floats, strings and booleans (river).
"""


@dataclass(frozen=True)
class Inputs:
    """The columns that a learner will see in its view.

    Attributes
    ----------
    names
        Names of the encoded columns, in order (for ``dict``: the keys).
    task
        The task.
    seed
        Seed of the learner's own randomness.
    sparse_from
        Rows come as `modellab.data.sparse.SparseRows`, and the columns from here on are words of
        texts; None: rows come as arrays (or dicts).
    codes
        In the ordinal view, for each column 0 (a number) or how many codes its category has; empty
        where all columns are numbers.
    """

    names: tuple[str, ...]
    task: Task
    seed: int = 0
    sparse_from: int | None = None
    codes: tuple[int, ...] = ()


@dataclass
class Prediction:
    """Predictions for `n` consecutive rows.

    Attributes
    ----------
    value
        Classification: int64 class codes (n,), -1 where the learner gave no answer.
        Regression: float64 (n,), NaN where it gave none.
    proba
        Classification: float64 (n, K), rows of NaN where there are no probabilities; None when the
        learner never has any. Regression: None.
    """

    value: NDArray[Any]
    proba: Floats | None = None

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, rows: slice) -> Prediction:
        return Prediction(self.value[rows], None if self.proba is None else self.proba[rows])


def join(parts: Sequence[Prediction]) -> Prediction:
    """Put consecutive predictions together."""
    if len(parts) == 1:
        return parts[0]
    proba = None
    if any(p.proba is not None for p in parts):
        width = next(p.proba.shape[1] for p in parts if p.proba is not None)
        proba = np.concatenate(
            [np.full((len(p), width), np.nan) if p.proba is None else p.proba for p in parts]
        )
    return Prediction(np.concatenate([p.value for p in parts]), proba)


Rows = Any
"""Encoded rows in the learner's view: ndarray (n, d), `SparseRows`, or a list of n dicts."""


class Progress(Protocol):
    """Told how far a long piece of work is; raises `Cancelled` when the person gave up."""

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """Report `done` of `total` (any unit)."""
        ...


def no_progress(done: float, total: float, text: str = "") -> None:
    """Tell nobody."""


@runtime_checkable
class Learner(Protocol):
    """A model: fits offline, learns a little more, predicts, shows its parameters.

    Labels are int64 codes in ``[0, K)`` for classification and float64 for regression; rows without
    a label never reach `fit` or `learn`.
    """

    view: View

    def fit(self, rows: Rows, y: NDArray[Any], progress: Progress = no_progress) -> None:
        """Train from scratch, offline, on all rows at once (forgets what was learned before)."""
        ...

    def fit_chunks(
        self, chunks: Callable[[], Any], passes: int, progress: Progress = no_progress
    ) -> None:
        """Train from scratch out of core.

        `chunks()` gives an iterator of ``(rows, y)``, anew for each pass.

        Raises
        ------
        LearnerError
            If the learner cannot be trained in chunks.
        """
        ...

    def learn(self, rows: Rows, y: NDArray[Any], batch: int = 1) -> int:
        """Learn a little more from `rows`, in order, in groups of `batch`.

        Returns
        -------
        The number of updates.

        Raises
        ------
        LearnerError
            If the learner cannot learn online.
        """
        ...

    def predict(self, rows: Rows) -> Prediction:
        """Predict each row; never changes the learner."""
        ...

    def parameters(self) -> dict[str, float]:
        """What can be plotted over time: weights by feature name, or tree size, depth, ..."""
        ...

    def set(self, name: str, value: float | str | bool) -> None:
        """Change a setting in flight (learning rate, ...), keeping what was learned.

        Raises
        ------
        LearnerError
            If the learner has no such setting, or the value is out of range.
        """
        ...

    def state(self) -> bytes:
        """All of the learner's state."""
        ...

    def load_state(self, state: bytes) -> None:
        """Take over a state made by `state` of a learner built with the same settings."""
        ...

    def size_bytes(self) -> int:
        """Approximate size of the model in bytes (the length of its state unless known better)."""
        ...


@runtime_checkable
class Snapshots(Protocol):
    """A learner that can be taken back within a run at less than the price of a whole state."""

    def snapshot(self) -> Any:
        """Copy of all that learning changes, for `restore` of this very object."""
        ...

    def restore(self, snapshot: Any) -> None:
        """Be again what `snapshot` was taken of, to the bit; no setting changed meanwhile."""
        ...


@runtime_checkable
class PrequentialLearner(Protocol):
    """A learner with its own exact loop over rows (the compiled ones)."""

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
        """Predict each row, then learn what has arrived.

        Parameters
        ----------
        rows
            Rows to predict, float64 (n, d).
        learn_rows, learn_y
            Labelled rows that arrive during this segment, in order of arrival, (m, d) and (m,).
        upto
            int64 (n,), non-decreasing, ``upto[-1] == m``: after row *i* was predicted, the first
            ``upto[i]`` of the arriving rows are available.
        every, batch
            Update after every `every` available rows, in groups of `batch`. Rows that wait for the
            next update are kept inside the learner between calls, so any split into calls gives
            the same bits.
        frozen
            True: arriving rows are neither learned nor kept.

        Returns
        -------
        The predictions for `rows`, and the number of updates made.
        """
        ...


_RUNS_ROWS: dict[type, bool] = {}


def runs_rows(learner: object) -> TypeGuard[PrequentialLearner]:
    """Whether a learner is a `PrequentialLearner` (asked of its class once: asking takes long)."""
    kind = type(learner)
    if kind not in _RUNS_ROWS:
        _RUNS_ROWS[kind] = isinstance(learner, PrequentialLearner)
    return _RUNS_ROWS[kind]


class Look(Protocol):
    """What a learner was after one of the rows that it has learned.

    Nothing that the learner does later touches it: it may be asked on another thread.
    """

    def parameters(self) -> dict[str, float]:
        """What `Learner.parameters` would have given there, to the bit."""
        ...

    def predict(self, rows: Rows) -> Prediction:
        """What `Learner.predict` would have given there, to the bit."""
        ...


@runtime_checkable
class LooksBack(Protocol):
    """A learner that notes in its own loop what it is at given rows (the compiled linear ones)."""

    @property
    def can_look(self) -> bool:
        """Whether this very learner does; its class may serve another form of rows, too."""
        ...

    def run_looked(
        self, rows: Floats, y: NDArray[Any], at: Ints, batch: int
    ) -> tuple[Prediction, int, Sequence[Look]]:
        """Predict each row, then learn it at once: `run` of rows whose labels come at once.

        Parameters
        ----------
        rows, y
            Rows, float64 (n, d), and their labels (n,).
        at
            Increasing numbers of rows, each from 1 to n: the learner is looked at after so many.
        batch
            As in `PrequentialLearner.run`, for rows that still wait for an update.

        Returns
        -------
        The predictions, the number of updates made, and a look for each of `at`.
        """
        ...


_LOOKS_BACK: dict[type, bool] = {}


def looks_back(learner: object) -> TypeGuard[LooksBack]:
    """Whether a learner is a `LooksBack` that can look (of its class it is asked once)."""
    kind = type(learner)
    if kind not in _LOOKS_BACK:
        _LOOKS_BACK[kind] = isinstance(learner, LooksBack)
    return _LOOKS_BACK[kind] and cast("LooksBack", learner).can_look


@dataclass(frozen=True)
class Parameter:
    """A setting of a learner that a person may edit.

    `kind` is ``"float"``, ``"int"``, ``"bool"`` or ``"choice"``; `log` wants a logarithmic slider;
    `live` says that it can be changed during a replay; `unit` and `help` are shown.
    """

    name: str
    title: str
    kind: Literal["float", "int", "bool", "choice"]
    default: float | int | bool | str | None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    log: bool = False
    live: bool = False
    optional: bool = False
    help: str = ""


@dataclass(frozen=True)
class CatalogueEntry:
    """One line of the catalogue of learners.

    Attributes
    ----------
    kind
        The name used in experiment files.
    title
        What the window calls it.
    tasks
        Tasks that it does.
    family
        ``"compiled"``, ``"scikit-learn"``, ``"river"`` or ``"baseline"``.
    online, chunks
        Can learn row by row; can be trained out of core.
    why_not
        For what it cannot do (``"online"``, ``"chunks"``, ``"regression"``, ...), a sentence why.
    parameters
        Editable settings with ranges.
    view
        How it wants its rows.
    story
        One or two sentences for an analyst.
    sparse
        Takes sparse rows, as texts give them (matters for the linear views only).
    build
        ``build(inputs, params) -> Learner``; raises `LearnerError` for a wrong parameter.
    """

    kind: str
    title: str
    tasks: tuple[TaskKind, ...]
    family: str
    online: bool
    chunks: bool
    view: View
    story: str
    parameters: tuple[Parameter, ...]
    build: Callable[[Inputs, Mapping[str, Any]], Learner]
    why_not: Mapping[str, str] = field(default_factory=dict)
    sparse: bool = False
