"""Learners of scikit-learn: fitted in batch, and online where they have `partial_fit`."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.sparse import as_matrix
from modellab.errors import LabError, LearnerError, quote
from modellab.learners import pickling, sklearn_reading, sklearn_training
from modellab.learners.base import Inputs, Prediction, Progress, Rows, View, no_progress
from modellab.learners.threads import single_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from modellab.learners.sklearn_make import Recipe

WARNINGS_KEPT = 20


class SklearnLearner:
    """One scikit-learn estimator behind the protocol.

    Labels are class codes of the task. Classes that the training rows lack get probability 0; where
    the training rows hold one class only, an estimator that refuses is replaced by the constant
    prediction of that class.

    Parameters
    ----------
    title
        What the learner is called in messages.
    inputs
        The encoded columns, the task and the seed.
    recipe
        Makes a fresh estimator with what goes with it.

    Attributes
    ----------
    warnings
        What scikit-learn warned of during the last fit, as sentences.
    heavy
        Predictions are slow (neighbours, kernels).
    """

    def __init__(self, title: str, inputs: Inputs, recipe: Callable[[], Recipe]) -> None:
        single_thread()
        self._title = title
        self._inputs = inputs
        self._recipe = recipe
        self._made = recipe()
        single_thread(again=True)
        self.view: View = self._made.view
        self._estimator: Any = None
        self._constant: int | None = None
        self._target = (0.0, 1.0)
        self._seen: tuple[int, float, float] | None = None
        self._settings: dict[str, float] = {}
        self._size: int | None = None
        self.warnings: list[str] = []
        self.heavy = self._made.heavy
        self.online = hasattr(self._made.estimator, "partial_fit")

    @property
    def estimator(self) -> Any:
        """The fitted estimator, or None."""
        return self._estimator

    # ------------------------------------------------------------------ training
    def fit(self, rows: Rows, y: NDArray[Any], progress: Progress = no_progress) -> None:
        """Train from scratch on all rows at once.

        Raises
        ------
        LearnerError
            If there is no row, or the estimator cannot be trained on these.
        """
        if len(y) == 0:
            raise LearnerError(f"{self._title} cannot be trained: there is no row with a label.")
        single_thread()
        self._start()
        estimator = self._made.estimator
        rows, y = self._kept(as_matrix(rows), np.asarray(y))
        y = self._scaled_target(y)
        with self._told("trained"):
            single = self._classification and len(np.unique(y)) == 1
            if single:
                self._constant = int(y[0])
            if self._classification and self.online and self._lacks_classes(y):
                # Also after a single class, so that learning can go on from here.
                sklearn_training.fit_by_parts(
                    estimator, rows, y, self._classes, self._inputs.seed, progress
                )
            elif not single:
                sklearn_training.fit(estimator, rows, y, progress)
        self._estimator = estimator

    def fit_chunks(
        self, chunks: Callable[[], Any], passes: int, progress: Progress = no_progress
    ) -> None:
        """Train from scratch out of core with `partial_fit`, `passes` times over the chunks.

        Raises
        ------
        LearnerError
            If the estimator has no `partial_fit`.
        """
        if not self.online:
            raise LearnerError(
                f"{self._title} needs all rows at once; train it on a sample, or choose a learner "
                "that can be trained in chunks."
            )
        single_thread()
        self._start()
        estimator = self._made.estimator
        # Counting learners would only count every row again.
        counts = type(estimator).__module__.startswith("sklearn.naive_bayes")
        total = 0
        with self._told("trained"):
            for turn in range(1 if counts else passes):
                done = 0
                for rows, y in chunks():
                    if len(y) == 0:
                        continue
                    y = self._scaled_target(y) if total + done == 0 else self._to_scale(y)
                    self._partial_fit(estimator, as_matrix(rows), y)
                    done += len(y)
                    progress(turn * total + done, total * passes, f"{done:,} rows read")
                total = done
        if total == 0:
            raise LearnerError(f"{self._title} cannot be trained: there is no row with a label.")
        self._estimator = estimator

    def learn(self, rows: Rows, y: NDArray[Any], batch: int = 1) -> int:
        """Learn from `rows` in order, `batch` rows in each call of `partial_fit`.

        An update that would make a weight infinite is refused: the weights stay as they were, and
        `warnings` says so.
        """
        if not self.online:
            raise LearnerError(
                f"{self._title} cannot learn row by row; retrain it on a schedule instead."
            )
        if len(y) == 0:
            return 0
        single_thread()
        if self._estimator is None:
            self._start()
            self._estimator = self._made.estimator
            self._seen = (0, 0.0, 0.0)
        self._size = None
        self._constant = None
        updates = 0
        with self._told("updated", keep=False):
            for start in range(0, len(y), batch):
                part = slice(start, start + batch)
                before = sklearn_training.weights(self._estimator)
                self._follow_target(y[part])
                try:
                    self._partial_fit(
                        self._estimator, as_matrix(rows[part]), self._to_scale(y[part])
                    )
                    updates += 1
                except ValueError as error:
                    if "finite" not in str(error) and "overflow" not in str(error):
                        raise
                    sklearn_training.put_back(self._estimator, before)
                    self._warn(
                        f"{self._title}: an update that would have made the weights infinite was "
                        "refused; use a smaller step size."
                    )
        return updates

    def _partial_fit(self, estimator: Any, rows: Rows, y: NDArray[Any]) -> None:
        if self._made.batch_size is not None:
            estimator.batch_size = min(self._made.batch_size, len(y))
        classes = self._classes if self._classification else None
        sklearn_training.partial_fit(estimator, rows, y, classes)

    def _start(self) -> None:
        self._made = self._recipe()
        for name, value in self._settings.items():
            self._made.live[name](self._made.estimator, value)
        self._estimator = None
        self._constant = None
        self._target = (0.0, 1.0)
        self._seen = None
        self._size = None
        self.warnings = []

    def _kept(self, rows: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        limit = self._made.max_rows
        if limit is not None and len(y) > limit:
            chosen = np.linspace(0, len(y) - 1, limit).round().astype(np.int64)
            rows, y = rows[chosen], y[chosen]
        estimator = self._made.estimator
        if getattr(estimator, "n_neighbors", None) is not None:
            estimator.n_neighbors = min(estimator.n_neighbors, len(y))
        if self._made.batch_size is not None:
            estimator.batch_size = min(self._made.batch_size, len(y))
        return rows, y

    def _scaled_target(self, y: NDArray[Any]) -> NDArray[Any]:
        if self._made.scale_target and not self._classification:
            scale = float(np.std(y))
            self._target = (float(np.mean(y)), scale if scale > 0 else 1.0)
        return self._to_scale(y)

    def _follow_target(self, y: NDArray[Any]) -> None:
        """After a cold start: mean and deviation of all targets so far (Welford 1962)."""
        if self._seen is None or self._classification or not self._made.scale_target:
            return
        count, mean, squares = self._seen
        for value in y.tolist():
            count += 1
            step = value - mean
            mean += step / count
            squares += step * (value - mean)
        self._seen = (count, mean, squares)
        scale = (squares / count) ** 0.5
        self._target = (mean, scale if scale > 0 else 1.0)

    def _to_scale(self, y: NDArray[Any]) -> NDArray[Any]:
        mean, scale = self._target
        return y if self._classification else (y - mean) / scale

    # ------------------------------------------------------------------ predictions
    def predict(self, rows: Rows) -> Prediction:
        """Predict each row; -1 or NaN while nothing was learned."""
        n = len(rows)
        single_thread()
        if self._constant is not None:
            return self._always(n, self._constant)
        if self._estimator is None or n == 0:
            return self._always(n, None)
        rows = as_matrix(rows)
        with self._told("asked", keep=False):
            if not self._classification:
                mean, scale = self._target
                value = np.asarray(self._estimator.predict(rows), dtype=np.float64).ravel()
                return Prediction(value if scale == 1.0 and mean == 0.0 else value * scale + mean)
            return self._classify(rows)

    def _classify(self, rows: Rows) -> Prediction:
        estimator = self._estimator
        codes = np.asarray(estimator.classes_, dtype=np.int64)
        proba = None
        if hasattr(estimator, "predict_proba"):
            given = estimator.predict_proba(rows)
            proba = np.zeros((len(given), self._inputs.task.n_classes))
            proba[:, codes] = given
            if self._made.own_view_of_proba:
                return Prediction(codes[np.argmax(given, axis=1)], proba)
        return Prediction(np.asarray(estimator.predict(rows), dtype=np.int64), proba)

    def _always(self, n: int, code: int | None) -> Prediction:
        if not self._classification:
            return Prediction(np.full(n, np.nan))
        value = np.full(n, -1 if code is None else code, dtype=np.int64)
        if not hasattr(self._made.estimator, "predict_proba"):
            return Prediction(value)
        proba = np.full((n, self._inputs.task.n_classes), np.nan if code is None else 0.0)
        if code is not None:
            proba[:, code] = 1.0
        return Prediction(value, proba)

    # ------------------------------------------------------------------ what it is
    def parameters(self) -> dict[str, float]:
        """Coefficients by encoded column, or size and depth of trees, or norms of layers."""
        if self._estimator is None or self._constant is not None:
            return {}
        return sklearn_reading.parameters(
            self._estimator, self._inputs.names, self._inputs.task.classes
        )

    @property
    def coefficients(self) -> dict[str, float]:
        """The weights of a linear model by encoded column; empty for other models."""
        if self._estimator is None or self._constant is not None:
            return {}
        return sklearn_reading.coefficients(
            self._estimator, self._inputs.names, self._inputs.task.classes
        )

    @property
    def feature_importance(self) -> dict[str, float] | None:
        """What trees gained by each encoded column (sums to 1); None for other models."""
        if self._estimator is None or self._constant is not None:
            return None
        return sklearn_reading.importance(self._estimator, self._inputs.names)

    def set(self, name: str, value: float | str | bool) -> None:
        """Change a live setting.

        Raises
        ------
        LearnerError
            If there is no such live setting or the value is not a positive number.
        """
        change = self._made.live.get(name)
        if change is None:
            raise LearnerError(
                f"{self._title}: {quote(name)} cannot be changed while it runs; "
                "it takes a new training."
            )
        if isinstance(value, (bool, str)) or not 0 < value < float("inf"):
            raise LearnerError(f"{self._title}: {name} must be a number above 0, not {value}.")
        change(self._made.estimator, float(value))
        if self._estimator is not None:
            change(self._estimator, float(value))
        self._settings[name] = float(value)

    def state(self) -> bytes:
        """The fitted estimator, pickled; only ever read back by this program's own processes."""
        return pickling.dumps(
            {
                "estimator": self._estimator,
                "constant": self._constant,
                "target": self._target,
                "seen": self._seen,
                "settings": self._settings,
                "warnings": self.warnings,
            },
        )

    def load_state(self, state: bytes) -> None:
        """Take over a state made by `state`."""
        kept = pickling.loads(state)
        self._start()
        self._estimator = kept["estimator"]
        self._constant = kept["constant"]
        self._target = kept["target"]
        self._seen = kept["seen"]
        self._settings = dict(kept["settings"])
        for name, value in self._settings.items():
            self._made.live[name](self._made.estimator, value)
        self.warnings = list(kept["warnings"])

    def size_bytes(self) -> int:
        """Length of the state."""
        if self._size is None:
            self._size = len(self.state())
        return self._size

    # ------------------------------------------------------------------ helpers
    @property
    def _classification(self) -> bool:
        return self._inputs.task.kind == "classification"

    @property
    def _classes(self) -> NDArray[np.int64]:
        return np.arange(self._inputs.task.n_classes, dtype=np.int64)

    def _lacks_classes(self, y: NDArray[Any]) -> bool:
        return len(np.unique(y)) < self._inputs.task.n_classes

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings and len(self.warnings) < WARNINGS_KEPT:
            self.warnings.append(sentence)

    @contextmanager
    def _told(self, what: str, keep: bool = True) -> Iterator[None]:
        """Turn warnings into sentences, and the library's errors into `LearnerError`."""
        import sklearn

        with (
            warnings.catch_warnings(record=True) as caught,
            np.errstate(all="ignore"),
            sklearn.config_context(skip_parameter_validation=what != "trained"),
        ):
            warnings.simplefilter("always")
            try:
                yield
            except (LabError, MemoryError):
                raise
            except Exception as error:
                reason = _first_sentence(str(error)) or type(error).__name__
                raise LearnerError(
                    f"{self._title} could not be {what}: {reason}", detail=repr(error)
                ) from error
        if keep:
            for warning in caught:
                self._warn(f"{self._title}: {_warning_sentence(warning)}")


def _warning_sentence(warning: warnings.WarningMessage) -> str:
    if warning.category.__name__ == "ConvergenceWarning":
        return (
            "training stopped at its greatest number of iterations before it had settled; "
            "allow more iterations, or scale the columns."
        )
    return _first_sentence(str(warning.message))


def _first_sentence(text: str) -> str:
    line = " ".join(text.split())
    head, _, _ = line.partition(". ")
    head = head[:300].rstrip(".")
    return f"{head}." if head else ""


def build(
    title: str,
    inputs: Inputs,
    settings: Mapping[str, Any],
    make: Callable[[Any, Mapping[str, Any], int], Recipe],
) -> SklearnLearner:
    """Make a learner from a recipe of `sklearn_make` and checked settings."""
    values = dict(settings)
    seed = inputs.seed % (1 << 32)
    return SklearnLearner(title, inputs, lambda: make(inputs.task.kind, values, seed))
