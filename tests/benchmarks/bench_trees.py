"""Rows per second of the compiled trees and their kin against river's, in one run.

The same rows, the same settings, test-then-train one row at a time; the two take turns, CPU time of
the thread is counted, and the median of the ratios is told, so that a busy machine slows both
alike. What each got right stands beside it, over the rows that both have seen, so that nobody can
be fast by doing less. With MODELLAB_MOA naming a moa.jar (and Java), MOA's own command line runs on
the same rows too; its time is its own CPU clock. Run with ``python packaging/dev.py bench trees``,
or this file itself.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.experiment import LearnerSpec
from modellab.learners.base import Inputs, Task
from modellab.learners.catalogue import build

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
COLUMNS = (10, 50)
MOA_ROWS = 100_000


@dataclass(frozen=True)
class Pair:
    """Two of a kind: the compiled learner, river's, and MOA's command if there is one.

    `rows` are those of the compiled one at 10 columns; `few` those that river gets.
    """

    name: str
    kind: str
    theirs: Callable[[], Any]
    rows: int
    few: int
    moa: str | None = None
    task: str = "classification"
    params: dict[str, Any] | None = None


def pairs() -> list[Pair]:
    """What is compared; all settings are the libraries' own defaults where nothing is said."""
    from river import ensemble, forest, neighbors, preprocessing, tree

    return [
        Pair(
            "Hoeffding tree",
            "compiled_hoeffding_tree",
            tree.HoeffdingTreeClassifier,
            200_000,
            4000,
            "trees.HoeffdingTree",
        ),
        Pair(
            "Hoeffding adaptive tree",
            "compiled_hoeffding_adaptive_tree",
            lambda: tree.HoeffdingAdaptiveTreeClassifier(seed=1),
            100_000,
            2000,
            "trees.HoeffdingAdaptiveTree",
        ),
        Pair(
            "Naive Bayes",
            "compiled_naive_bayes",
            lambda: tree.HoeffdingTreeClassifier(grace_period=10**9, leaf_prediction="nb"),
            200_000,
            4000,
            "bayes.NaiveBayes",
        ),
        Pair(
            "Adaptive random forest, 10 trees",
            "compiled_adaptive_forest",
            lambda: forest.ARFClassifier(n_models=10, seed=1),
            20_000,
            400,
            "(meta.AdaptiveRandomForest -s 10)",
        ),
        Pair(
            "Leveraging bagging, 10 trees",
            "compiled_leveraging_bagging",
            lambda: ensemble.LeveragingBaggingClassifier(
                tree.HoeffdingTreeClassifier(), n_models=10, seed=1
            ),
            20_000,
            400,
        ),
        Pair(
            "Neighbours, 5 of 1,000",
            "compiled_window_knn",
            lambda: (
                preprocessing.StandardScaler()
                | neighbors.KNNClassifier(5, engine=neighbors.LazySearch(window_size=1000))
            ),
            10_000,
            1500,
        ),
        Pair(
            "Regression tree",
            "compiled_regression_tree",
            lambda: preprocessing.StandardScaler() | tree.HoeffdingTreeRegressor(),
            100_000,
            2000,
            task="regression",
            params={"adapts": False},
        ),
    ]


def stream(task: str, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes in the first columns make the class or the number; it changes half-way."""
    rng = np.random.default_rng(columns)
    x = rng.normal(size=(rows, columns))
    turned = np.where(np.arange(rows) < rows // 2, 1.0, -1.0)
    level = (x[:, 0] > 0.3) * 2.0 - (x[:, 1] > 0) * (x[:, 2] < 0.5) * 3.0 + turned * x[:, 3]
    if task == "regression":
        return x, level + 0.3 * rng.normal(size=rows)
    return x, (level + 0.3 * rng.normal(size=rows) > 0).astype(np.int64)


def of_river(model: Any, x: np.ndarray, y: np.ndarray) -> tuple[float, list[Any]]:
    """Seconds of CPU, and what was answered."""
    rows = [dict(enumerate(row)) for row in x.tolist()]
    labels = y.tolist()
    found = []
    start = time.thread_time()
    for row, label in zip(rows, labels, strict=True):
        found.append(model.predict_one(row))
        model.learn_one(row, label)
    return time.thread_time() - start, found


def of_ours(pair: Pair, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds of CPU, and what was answered."""
    names = tuple(f"x{j}" for j in range(x.shape[1]))
    classes = (0, 1) if pair.task == "classification" else ()
    task: Any = Task(pair.task, classes, "y")  # type: ignore[arg-type]
    learner: Any = build(LearnerSpec(pair.kind, params=pair.params or {}), Inputs(names, task, 1))
    upto = np.arange(1, len(y) + 1)
    start = time.thread_time()
    found, _ = learner.run(x, x, y, upto, 1, 1, False)
    return time.thread_time() - start, found.value


def score(task: str, y: np.ndarray, answers: Any) -> float:
    """Per cent right, or mean absolute error."""
    if task == "regression":
        return float(np.abs(np.array([a or 0.0 for a in answers]) - y).mean())
    return 100.0 * float(np.mean([a == b for a, b in zip(answers, y.tolist(), strict=True)]))


def of_moa(jar: str, command: str, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Rows per second by MOA's own clock, and per cent right."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.arff")
        with path.open("w") as file:
            print("@relation r", *(f"@attribute x{j} numeric" for j in range(x.shape[1])), sep="\n",
                  file=file)  # fmt: skip
            print("@attribute y {0,1}\n@data", file=file)
            for row, label in zip(x.tolist(), y.tolist(), strict=True):
                print(*map(repr, row), label, sep=",", file=file)
        task = (
            f"EvaluatePrequential -l {command} -s (ArffFileStream -f {path}) "
            f"-e (BasicClassificationPerformanceEvaluator) -f {len(y)} -q {len(y)}"
        )
        done = subprocess.run(
            ["java", "-cp", jar, "moa.DoTask", task], capture_output=True, text=True, check=True
        )
    head, values = (line.split(",") for line in done.stdout.strip().splitlines()[-2:])
    told = dict(zip(head, values, strict=False))
    seconds = float(told["evaluation time (cpu seconds)"])
    return len(y) / seconds, float(told["classifications correct (percent)"])


def compare(pair: Pair, columns: int, jar: str | None) -> None:
    """Print one line."""
    shrink = columns / COLUMNS[0]
    x, y = stream(pair.task, int(pair.rows / shrink), columns)
    few = int(pair.few / math.sqrt(shrink))
    ratios, river, own = [], [], []
    theirs: Any = []
    for _ in range(ROUNDS):
        seconds, theirs = of_river(pair.theirs(), x[:few], y[:few])
        river.append(few / seconds)
        seconds, _ = of_ours(pair, x, y)
        own.append(len(y) / seconds)
        ratios.append(own[-1] / river[-1])
    ours = of_ours(pair, x[:few], y[:few])[1]
    median = statistics.median
    print(
        f"{pair.name:34s} {columns:3d} {median(river):10,.0f} {median(own):12,.0f} "
        f"{median(ratios):7.0f}x {score(pair.task, y[:few], theirs):8.2f} "
        f"{score(pair.task, y[:few], ours):8.2f}",
        end="",
    )
    if jar and pair.moa:
        x, y = stream(pair.task, MOA_ROWS if "Forest" not in pair.moa else MOA_ROWS // 5, columns)
        rate, right = of_moa(jar, pair.moa, x, y)
        seconds, found = of_ours(pair, x, y)
        mine = len(y) / seconds
        print(f" | {rate:9,.0f} {mine / rate:6.0f}x {right:6.2f} {score(pair.task, y, found):6.2f}")
    else:
        print()


def main() -> None:
    """Print the table."""
    jar = os.environ.get("MODELLAB_MOA")
    print(
        f"{'':34s} {'col':>3s} {'river r/s':>10s} {'compiled r/s':>12s} {'ratio':>8s} "
        f"{'river %':>8s} {'own %':>8s}" + (" | MOA r/s, ratio, MOA %, own %" if jar else "")
    )
    for pair in pairs():
        for columns in COLUMNS:
            compare(pair, columns, jar)


if __name__ == "__main__":
    main()
