"""Training scikit-learn estimators with progress, where their own way of training allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.experiment import stream_rng

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.learners.base import Progress

STEPS = 20
BOOSTING_STEPS = 5
"""Boosting sorts the rows into bins again in each step, so it takes few."""


def fit(estimator: Any, rows: NDArray[Any], y: NDArray[Any], progress: Progress) -> None:
    """Fit on all rows; the result is the one of a plain ``estimator.fit(rows, y)``.

    Forests and boosting grow in steps (`warm_start` continues the same random numbers), networks
    report each epoch; for the others the progress is indeterminate (a total of 0).
    """
    module = type(estimator).__module__
    if module.startswith("sklearn.ensemble._forest"):
        _grow(estimator, "n_estimators", rows, y, progress, STEPS)
    elif module.startswith("sklearn.ensemble._hist") and estimator.early_stopping is False:
        _grow(estimator, "max_iter", rows, y, progress, BOOSTING_STEPS)
    elif module.startswith("sklearn.neural_network"):
        _fit_epochs(estimator, rows, y, progress)
    else:
        progress(0, 0, f"{len(y):,} rows")
        estimator.fit(rows, y)


def _grow(
    estimator: Any, count: str, rows: NDArray[Any], y: NDArray[Any], progress: Progress, steps: int
) -> None:
    total = getattr(estimator, count)
    kept = estimator.warm_start
    progress(0, total, "trees")
    try:
        estimator.warm_start = True
        for grown in range(1, steps + 1):
            # Never fewer than one tree more, so small forests take fewer steps.
            size = max(1, total * grown // steps)
            if grown > 1 and size == getattr(estimator, count):
                continue
            setattr(estimator, count, size)
            estimator.fit(rows, y)
            progress(size, total, "trees")
    finally:
        setattr(estimator, count, total)
        estimator.warm_start = kept


def _fit_epochs(estimator: Any, rows: NDArray[Any], y: NDArray[Any], progress: Progress) -> None:
    # The method is called once after each epoch; it is the only place to look in from outside.
    name = "_update_no_improvement_count"
    after_epoch = getattr(estimator, name, None)
    total = estimator.max_iter
    progress(0, total, "epochs")
    if after_epoch is None:
        estimator.fit(rows, y)
        return
    epochs = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal epochs
        epochs += 1
        progress(epochs, total, "epochs")
        return after_epoch(*args, **kwargs)

    setattr(estimator, name, counted)
    try:
        estimator.fit(rows, y)
    finally:
        estimator.__dict__.pop(name, None)


def fit_by_parts(
    estimator: Any,
    rows: NDArray[Any],
    y: NDArray[Any],
    classes: NDArray[np.int64],
    seed: int,
    progress: Progress,
) -> None:
    """Fit with `partial_fit`, which unlike `fit` can be told of classes that the rows lack.

    As many passes as the estimator's own `max_iter` (one for those that count), each in a seeded
    random order.
    """
    passes = int(getattr(estimator, "max_iter", 1) or 1)
    for turn in range(passes):
        progress(turn, passes, "passes")
        order = (
            np.arange(len(y))
            if passes == 1
            else stream_rng(seed, "fit_by_parts", turn).permutation(len(y))
        )
        partial_fit(estimator, rows[order], y[order], classes)


def partial_fit(
    estimator: Any, rows: NDArray[Any], y: NDArray[Any], classes: NDArray[np.int64] | None
) -> None:
    """One call of `partial_fit`, rows taken in the order given.

    Gaussian naive Bayes smooths by the variance of the rows of one call, which for one row is
    nothing: a variance of 0 would make every probability NaN. It gets the same share of the
    greatest variance learned so far instead.
    """
    shuffle = getattr(estimator, "shuffle", None)
    if shuffle:
        estimator.shuffle = False
    try:
        if classes is None:
            estimator.partial_fit(rows, y)
        else:
            estimator.partial_fit(rows, y, classes=classes)
    finally:
        if shuffle:
            estimator.shuffle = shuffle
    variances = getattr(estimator, "var_", None)
    if variances is not None and hasattr(estimator, "var_smoothing"):
        least = estimator.var_smoothing * (float(variances.max()) or 1.0)
        if least > 0:
            np.maximum(variances, least, out=variances)


_WEIGHTS = ("coef_", "intercept_", "coefs_", "intercepts_", "t_")


def weights(estimator: Any) -> dict[str, Any]:
    """Copies of the weights that `partial_fit` changes in place."""
    kept: dict[str, Any] = {}
    for name in _WEIGHTS:
        value = estimator.__dict__.get(name)
        if isinstance(value, np.ndarray):
            kept[name] = value.copy()
        elif isinstance(value, list):
            kept[name] = [layer.copy() for layer in value]
        elif value is not None:
            kept[name] = value
    return kept


def put_back(estimator: Any, kept: dict[str, Any]) -> None:
    """Undo what a failed `partial_fit` did to the weights."""
    for name in _WEIGHTS:
        if name in kept:
            setattr(estimator, name, kept[name])
        else:
            estimator.__dict__.pop(name, None)
    # A network's optimiser holds infinite moments now; it is made anew at the next update.
    estimator.__dict__.pop("_optimizer", None)
