"""Learners of river: online by nature, one row at a time."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.errors import LabError, LearnerError, quote
from modellab.learners import pickling, river_fixes, river_make, river_reading
from modellab.learners.base import Inputs, Prediction, Progress, Rows, View, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from modellab.learners.base import Ints

REPORT_EVERY = 1024


class RiverLearner:
    """One river model behind the protocol.

    Class codes go to river as labels (as ``False`` and ``True`` where a model knows two classes
    only): small integers keep the order of river's sets the same in every process, and equal labels
    give the numbers that river itself gives. What stands before the model is decided by the first
    row: see `river_make.pipeline`.

    Parameters
    ----------
    title
        What the learner is called in messages.
    inputs
        The columns (keys of the rows), the task and the seed.
    make
        Makes a fresh model with what goes with it.
    """

    view: View = "dict"

    def __init__(self, title: str, inputs: Inputs, make: Callable[[], river_make.Made]) -> None:
        river_fixes.apply()
        self._title = title
        self._inputs = inputs
        self._make = make
        self._made = make()
        self._model: Any = None
        self._settings: dict[str, float] = {}
        self._waiting: tuple[list[Any], list[Any]] = ([], [])
        self._label: Callable[[Any], Any] = bool if self._made.truth_values else int
        self._set_ways()
        self._size: int | None = None
        self.warnings: list[str] = []
        self.heavy = True
        if self._classification is False:
            self._label = float

    def _set_ways(self) -> None:
        """Find out how the model answers: by probabilities, by labels, or both."""
        from river import base

        kind = type(self._made.model)
        self._has_proba = (
            self._classification and kind.predict_proba_one is not base.Classifier.predict_proba_one
        )
        self._own_label = not self._has_proba or kind.predict_one is not base.Classifier.predict_one

    @property
    def model(self) -> Any:
        """The river model with its pipeline; None before the first row."""
        return self._model

    # ------------------------------------------------------------------ training
    def fit(self, rows: Rows, y: NDArray[Any], progress: Progress = no_progress) -> None:
        """Learn all rows in order, from scratch."""
        self.fit_chunks(lambda: [(rows, y)], 1, progress)

    def fit_chunks(
        self, chunks: Callable[[], Any], passes: int, progress: Progress = no_progress
    ) -> None:
        """Learn all chunks in order, `passes` times, from scratch."""
        self._start()
        total = 0
        for turn in range(passes):
            done = 0
            for rows, y in chunks():
                for start in range(0, len(y), REPORT_EVERY):
                    stop = start + REPORT_EVERY
                    self.learn(rows[start:stop], y[start:stop])
                    done += len(y[start:stop])
                    progress(turn * total + done, total * passes, f"{done:,} rows learned")
            total = done
        if total == 0:
            raise LearnerError(f"{self._title} cannot be trained: there is no row with a label.")

    def learn(self, rows: Rows, y: NDArray[Any], batch: int = 1) -> int:
        """Learn `rows` one by one, in order (`batch` has no meaning for river)."""
        if len(y) == 0:
            return 0
        self._ready(rows)
        self._size = None
        learn_one, label = self._model.learn_one, self._label
        with self._told("learn a row"):
            for row, value in zip(rows, y.tolist(), strict=True):
                learn_one(row, label(value))
        return len(y)

    def _start(self) -> None:
        self._made = self._make()
        self._model = None
        self._waiting = ([], [])
        self._size = None

    def _ready(self, rows: Rows) -> None:
        if self._model is None:
            self._model = river_make.pipeline(self._made, rows[0])
            for name, value in self._settings.items():
                self._apply(name, value)

    # ------------------------------------------------------------------ predictions
    def predict(self, rows: Rows) -> Prediction:
        """Predict each row with river's own meaning of its label."""
        n = len(rows)
        if n:
            self._ready(rows)
        with self._told("predict a row"):
            if not self._classification:
                value = [_number(self._model.predict_one(row)) for row in rows]
                return Prediction(np.array(value, dtype=np.float64))
            answers = [self._answer(row) for row in rows]
        return self._prediction(answers)

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
        """Predict each row, then learn what has arrived (see `PrequentialLearner.run`)."""
        if not len(rows):
            return self.predict(rows), 0
        self._ready(rows)
        self._size = None
        learn_one = self._model.learn_one
        answer = self._answer if self._classification else self._model.predict_one
        label = self._label
        labels = learn_y.tolist()
        waiting_rows, waiting_y = self._waiting
        answers: list[Any] = []
        updates = arrived = 0
        with self._told("learn a row"):
            for row, until in zip(rows, upto.tolist(), strict=True):
                answers.append(answer(row))
                if frozen:
                    continue
                while arrived < until:
                    if every == 1 and not waiting_y:
                        learn_one(learn_rows[arrived], label(labels[arrived]))
                        updates += 1
                    else:
                        waiting_rows.append(learn_rows[arrived])
                        waiting_y.append(label(labels[arrived]))
                    arrived += 1
                    if waiting_y and len(waiting_y) >= every:
                        for x, y in zip(waiting_rows, waiting_y, strict=True):
                            learn_one(x, y)
                        updates += len(waiting_y)
                        waiting_rows.clear()
                        waiting_y.clear()
        if self._classification:
            return self._prediction(answers), updates
        return Prediction(np.array([_number(a) for a in answers], dtype=np.float64)), updates

    def _answer(self, row: Mapping[str, Any]) -> tuple[Any, dict[Any, float] | None]:
        """Label and probabilities of one row, each asked for once."""
        proba = None
        if self._has_proba:
            try:
                proba = self._model.predict_proba_one(row)
            except NotImplementedError:
                # A wrapper promises probabilities that the model inside does not have.
                self._has_proba = False
                self._own_label = True
        if self._own_label:
            return self._model.predict_one(row), proba
        # What river's own Classifier.predict_one does.
        return (max(proba, key=proba.__getitem__) if proba else None), proba

    def _prediction(self, answers: list[tuple[Any, dict[Any, float] | None]]) -> Prediction:
        value = np.array([-1 if a is None else int(a) for a, _ in answers], dtype=np.int64)
        if not self._has_proba:
            return Prediction(value)
        proba = np.full((len(answers), self._inputs.task.n_classes), np.nan)
        for row, (_, given) in zip(proba, answers, strict=True):
            if given:
                row[:] = 0.0
                for label, p in given.items():
                    row[int(label)] = p
        return Prediction(value, proba)

    # ------------------------------------------------------------------ what it is
    def parameters(self) -> dict[str, float]:
        """Weights of linear models by column, or size and depth of trees."""
        if self._model is None:
            return {}
        return river_reading.parameters(
            river_make.last_step(self._model), self._inputs.task.classes
        )

    @property
    def coefficients(self) -> dict[str, float]:
        """The weights of a linear model by column; empty for other models."""
        if self._model is None:
            return {}
        return river_reading.coefficients(
            river_make.last_step(self._model), self._inputs.task.classes
        )

    def set(self, name: str, value: float | str | bool) -> None:
        """Change the step size of a model with an optimiser, keeping what was learned.

        Raises
        ------
        LearnerError
            If the model has no such live setting or the value is not a positive number.
        """
        if name != "learning_rate" or not _optimizers(self._made.model):
            raise LearnerError(
                f"{self._title}: {quote(name)} cannot be changed while it runs; "
                "it takes a new training."
            )
        if isinstance(value, (bool, str)) or not 0 < value < float("inf"):
            raise LearnerError(f"{self._title}: {name} must be a number above 0, not {value}.")
        self._settings[name] = float(value)
        if self._model is not None:
            self._apply(name, float(value))

    def _apply(self, name: str, value: float) -> None:
        from river import optim

        for optimizer in _optimizers(river_make.last_step(self._model)):
            optimizer.lr = optim.schedulers.Constant(value)

    def state(self) -> bytes:
        """The model, pickled; only ever read back by this program's own processes."""
        return pickling.dumps(
            {"model": self._model, "settings": self._settings, "waiting": self._waiting},
        )

    def load_state(self, state: bytes) -> None:
        """Take over a state made by `state`."""
        kept = pickling.loads(state)
        self._start()
        self._model = kept["model"]
        self._settings = dict(kept["settings"])
        self._waiting = kept["waiting"]

    def size_bytes(self) -> int:
        """Length of the state (river's own count walks every object and is slower)."""
        if self._size is None:
            self._size = len(self.state())
        return self._size

    # ------------------------------------------------------------------ helpers
    @property
    def _classification(self) -> bool:
        return self._inputs.task.kind == "classification"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                yield
            except (LabError, MemoryError):
                raise
            except Exception as error:
                reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
                raise LearnerError(
                    f"{self._title} could not {what}: {reason}.", detail=repr(error)
                ) from error


def _number(answer: Any) -> float:
    return float("nan") if answer is None else float(answer)


def _optimizers(model: Any) -> list[Any]:
    """Optimisers of a linear model, or of the linear models inside a one-vs-rest model."""
    inside = [model]
    if hasattr(model, "classifiers") and hasattr(model, "classifier"):
        inside = [model.classifier, *model.classifiers.values()]
    return [m.optimizer for m in inside if hasattr(getattr(m, "optimizer", None), "lr")]


def build(title: str, inputs: Inputs, name: str, params: Mapping[str, Any]) -> RiverLearner:
    """Make a learner of the river class called `name`."""
    # A setting without a value is left to river's own default.
    values = {name: value for name, value in params.items() if value is not None}
    return RiverLearner(title, inputs, lambda: river_make.make(inputs, name, values))
