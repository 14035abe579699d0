"""Rows per second of the compiled linear family against its peers, in one run on the same rows.

All do the same arithmetic: predict, (scale,) learn, row by row. Their predictions are compared, and
a peer that answers something else is a failed measurement. The two take turns, and the median of
the ratios is told, so that a busy machine slows both alike. Against river and scikit-learn, which
like the compiled loop work in one thread, its CPU time is counted; Vowpal Wabbit reads its cache
file in a second thread, so with it both are timed by the clock on the wall. 64 learning rates in
one pass are set against one. Run with ``python packaging/dev.py bench linear``, or this file.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import figures
import numpy as np
import peers
from figures import Figure, Options, in_turn, missing, per_cent

from modellab.learners.compiled import _math
from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.rate_map import RateMap
from modellab.learners.compiled.twins import SUFFIX, loops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE = 0.01
RIVER_ROWS = {10: 4000, 50: 1200, 200: 400}
OWN_ROWS = {10: 200_000, 50: 50_000, 200: 15_000}
WABBIT_ROWS = 500_000
OWN_PASSES = 8
TARGETS = {10: 250.0}
TARGET_AVX2 = 300.0


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
        optim.SGD(RATE), intercept_lr=RATE
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
    settings = {"scale": "online", "penalty": "none", "learning_rate": RATE, **given}
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


def sklearn_scores(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds of CPU, and the probability of class 1 for each row, by scikit-learn, unscaled."""
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(loss="log_loss", penalty=None, learning_rate="constant", eta0=RATE)
    found = np.empty(len(x))
    found[0] = 0.5
    start = time.thread_time()
    model.partial_fit(x[:1], y[:1], classes=[0.0, 1.0])
    for i in range(1, len(x)):
        found[i] = model.predict_proba(x[i : i + 1])[0, 1]
        model.partial_fit(x[i : i + 1], y[i : i + 1])
    return time.thread_time() - start, found


def alike(own: np.ndarray, theirs: np.ndarray, apart: float) -> None:
    """Stop the measurement when two that should do the same don't."""
    worst = float(np.abs(own - theirs).max())
    if not worst < apart:
        raise SystemExit(f"The two differ by {worst:g}: this compares unlike things.")


def loop() -> str:
    """Which build of the loop ran."""
    return "with AVX2" if loops("_linear").__name__.endswith(SUFFIX) else "without AVX2"


def against_river(options: Options) -> Iterator[Figure]:
    """Online scaling: river's pipeline in progressive validation."""
    for columns in [10] if options.quick else OWN_ROWS:
        few = RIVER_ROWS[columns] // (10 if options.quick else 1)
        x, y = stream(few if options.quick else OWN_ROWS[columns], columns)
        own, river, ratio = in_turn(
            lambda x=x, y=y: rate(own_scores, x, y),
            lambda x=x, y=y, n=few: rate(river_scores, x[:n], y[:n]),
            options.rounds,
        )
        ours = own_scores(x[:few], y[:few])[1]
        theirs = river_scores(x[:few], y[:few])[1]
        alike(ours, theirs, 1e-9)
        yield Figure(
            f"Linear, online scaling, {columns} columns, against river",
            ratio,
            "x",
            TARGETS.get(columns),
            own=own,
            peer=river,
            own_right=per_cent((ours > 0.5) == y[:few]),
            peer_right=per_cent((theirs > 0.5) == y[:few]),
            note=f"the same probabilities to 1e-9; {loop()}",
        )
        if columns in TARGETS:
            name = f"Linear, online scaling, {columns} columns, against river, with AVX2"
            if loop() == "with AVX2":
                yield Figure(name, ratio, "x", TARGET_AVX2, own=own, peer=river)
            else:
                yield missing(name, "the loop that ran is the one without AVX2", "x", TARGET_AVX2)


def against_sklearn(options: Options) -> Iterator[Figure]:
    """No scaling: scikit-learn taught one row at a time."""
    few = 100 if options.quick else 1000
    x, y = stream(few if options.quick else 200_000, 10)
    x = x / 10.0  # unscaled, these columns would make the steps overflow
    own, theirs, ratio = in_turn(
        lambda: rate(plain_scores, x, y),
        lambda: rate(sklearn_scores, x[:few], y[:few]),
        options.rounds,
    )
    ours, other = plain_scores(x[:few], y[:few])[1], sklearn_scores(x[:few], y[:few])[1]
    alike(ours, other, 1e-9)
    yield Figure(
        "Linear, no scaling, 10 columns, against scikit-learn (partial_fit of one row)",
        ratio,
        "x",
        own=own,
        peer=theirs,
        own_right=per_cent((ours > 0.5) == y[:few]),
        peer_right=per_cent((other > 0.5) == y[:few]),
        note="the same probabilities to 1e-9",
    )


def against_wabbit(options: Options) -> Iterator[Figure]:
    """No scaling: Vowpal Wabbit from its cache file."""
    name = "Linear, no scaling, 10 columns, against Vowpal Wabbit from its cache file"
    why = peers.why_no_wabbit()
    if why is not None:
        yield missing(name, why, "x", 15.0)
        return
    x, y = stream(2000 if options.quick else WABBIT_ROWS, 10)
    x = x / 10.0
    wabbit = peers.Wabbit(x, y, RATE, options.folder)
    try:
        own, theirs, ratio = in_turn(
            lambda: len(y) / own_seconds(x, y), lambda: len(y) / wabbit.seconds(), options.rounds
        )
        ours, other = plain_scores(x, y)[1], wabbit.probabilities()
    finally:
        wabbit.close()
    alike(ours, other, 1e-3)
    yield Figure(
        name,
        ratio,
        "x",
        15.0,
        own=own,
        peer=theirs,
        own_right=per_cent((ours > 0.5) == y),
        peer_right=per_cent((other > 0.5) == y),
        note="the same probabilities to 1e-3 (it works in single precision); wall clock, and it "
        "reads a file where Model Lab's loop has its rows in memory",
    )


def plain_scores(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """`own_scores` without scaling."""
    return own_scores(x, y, scale="none")


def own_seconds(x: np.ndarray, y: np.ndarray) -> float:
    """Seconds on the wall of the unscaled loop: the mean of some, since one is soon over."""
    start = time.perf_counter()
    for _ in range(OWN_PASSES):
        plain_scores(x, y)
    return (time.perf_counter() - start) / OWN_PASSES


def against_one_rate(options: Options) -> Iterator[Figure]:
    """64 learning rates in one pass against one."""
    x, y = stream(500 if options.quick else 20_000, 10)
    upto = np.arange(1, len(y) + 1)
    for scale in ("online", "none"):

        def many(scale: str = scale) -> float:
            rates = RateMap(10, 1, np.geomspace(1e-4, 1.0, 64), scale=scale)
            start = time.thread_time()
            rates.run(x, y)
            return time.thread_time() - start

        def one(scale: str = scale) -> float:
            kernel = LinearKernel(10, scale=scale)
            start = time.thread_time()
            kernel.run(x, x, y, upto)
            return time.thread_time() - start

        all_of_them, single, ratio = in_turn(many, one, 2 * options.rounds + 1)
        yield Figure(
            f"64 learning rates in one pass against one, 10 columns, scaling {scale}",
            ratio,
            "x the time",
            20.0,
            at_most=True,
            own=len(y) / all_of_them,
            peer=len(y) / single,
        )


def measure(options: Options) -> Iterator[Figure]:
    """Every figure of the linear family."""
    yield from figures.each(
        options, against_river, against_wabbit, against_sklearn, against_one_rate
    )


if __name__ == "__main__":
    figures.main(measure)
