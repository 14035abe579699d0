"""Rows per second of the compiled linear family against river, in one run on the same rows.

Both do the same arithmetic (river's order of predict, scale, learn): their predictions are compared
at the end. The two take turns, and the median of the ratios is told, so that a busy machine slows
both alike. Run with ``python packaging/dev.py bench linear``, or this file itself.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

from modellab.learners.compiled import _math
from modellab.learners.compiled.kernel import LinearKernel

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
RIVER_ROWS = {10: 4000, 50: 1200, 200: 400}
OWN_ROWS = {10: 200_000, 50: 50_000, 200: 15_000}


def stream(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of different scales, a linear truth that drifts half-way, noisy labels."""
    rng = np.random.default_rng(columns)
    x = rng.normal(size=(rows, columns))
    truth = np.where(
        np.arange(rows)[:, None] < rows // 2,
        rng.normal(size=columns)[None],
        rng.normal(size=columns)[None],
    )
    y = ((x * truth).sum(axis=1) + rng.normal(size=rows) > 0).astype(np.float64)
    return np.ascontiguousarray(x * rng.uniform(0.1, 50.0, columns) + rng.normal(size=columns)), y


def river_scores(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds of CPU, and the probability of class 1 for each row, by river."""
    from river import linear_model, optim, preprocessing

    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(
        optim.SGD(0.01), intercept_lr=0.01
    )
    rows = [dict(enumerate(row)) for row in x.tolist()]
    labels = [bool(label) for label in y]
    found = np.empty(len(rows))
    start = time.thread_time()
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        found[i] = model.predict_proba_one(row)[True]
        model.learn_one(row, label)
    return time.thread_time() - start, found


def own_scores(x: np.ndarray, y: np.ndarray, **given: bool | str) -> tuple[float, np.ndarray]:
    """Seconds of CPU, and the probability of class 1 for each row, by the compiled loop."""
    settings = {"scale": "online", "penalty": "none", "learning_rate": 0.01, **given}
    kernel = LinearKernel(x.shape[1], **settings)  # type: ignore[arg-type]
    upto = np.arange(1, len(x) + 1)
    start = time.thread_time()
    scores = kernel.run(x, x, y, upto)
    seconds = time.thread_time() - start
    proba = np.empty((len(x), 2))
    _math.class_probabilities(scores, proba, False)
    return seconds, proba[:, 1]


def rate(run: Callable[..., tuple[float, np.ndarray]], x: np.ndarray, y: np.ndarray) -> float:
    """Rows per second."""
    return len(x) / run(x, y)[0]


def main() -> None:
    """Print the table."""
    print("columns   river rows/s   compiled rows/s    ratio   unscaled rows/s   nine rates rows/s")
    for columns, own_rows in OWN_ROWS.items():
        x, y = stream(own_rows, columns)
        few = RIVER_ROWS[columns]
        ratios, river, own, plain, carried = [], [], [], [], []
        for _ in range(ROUNDS):
            river.append(rate(river_scores, x[:few], y[:few]))
            own.append(rate(own_scores, x, y))
            ratios.append(own[-1] / river[-1])
            plain.append(rate(lambda a, b: own_scores(a, b, scale="none"), x, y))
            carried.append(rate(lambda a, b: own_scores(a, b, track_rates=True), x, y))
        apart = np.abs(river_scores(x[:few], y[:few])[1] - own_scores(x[:few], y[:few])[1]).max()
        if not apart < 1e-9:
            raise SystemExit(f"The two differ by {apart:g}: this compares unlike things.")
        median = statistics.median
        print(
            f"{columns:7d} {median(river):14,.0f} {median(own):17,.0f} {median(ratios):7.0f}x"
            f" {median(plain):17,.0f} {median(carried):19,.0f}"
        )


if __name__ == "__main__":
    main()
