"""Rows per second of the compiled trees and their kin against river's and MOA's, in one run.

The same rows, the same settings, test-then-train one row at a time; the two take turns, CPU time of
the thread is counted, and the median of the ratios is told, so that a busy machine slows both
alike. What each got right stands beside it, over the rows that both have seen, so that nobody can
be fast by doing less. MOA's own command line runs on the same rows, read from an ARFF file; its
time is its own CPU clock, which leaves out the start of the Java machine. CapyMOA drives the same
classes of MOA, more slowly than that command line does, so MOA stands for both. Run with ``python
packaging/dev.py bench trees``, or this file itself.
"""

from __future__ import annotations

import math
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import figures
import numpy as np
import peers
from figures import Figure, Options, in_turn, missing

from modellab.experiment import LearnerSpec
from modellab.learners.base import Inputs, Task
from modellab.learners.catalogue import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLUMNS = (10, 50)
MOA_ROWS = 100_000
TARGETS = {
    "Hoeffding tree": (200.0, 30.0),
    "Adaptive random forest, 10 trees": (50.0, 15.0),
}
"""At 10 columns, against river and against MOA."""


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


class Moa:
    """MOA's command line on one stream, written to an ARFF file once.

    Parameters
    ----------
    jar
        MOA.
    x, y
        Rows (n, columns) and classes 0 or 1 (n,).
    place
        A folder for the file.
    """

    def __init__(self, jar: Path, x: np.ndarray, y: np.ndarray, place: Path) -> None:
        self.jar, self.rows = jar, len(y)
        self.path = place / "rows.arff"
        names = [f"@attribute x{j} numeric" for j in range(x.shape[1])]
        with self.path.open("w") as file:
            print("@relation r", *names, "@attribute y {0,1}", "@data", sep="\n", file=file)
            for row, label in zip(x.tolist(), y.tolist(), strict=True):
                print(*map(repr, row), label, sep=",", file=file)

    def run(self, command: str) -> tuple[float, float]:
        """Rows per second by its own CPU clock, and per cent right."""
        task = (
            f"EvaluatePrequential -l {command} -s (ArffFileStream -f {self.path}) "
            f"-e (BasicClassificationPerformanceEvaluator) -f {self.rows} -q {self.rows}"
        )
        done = subprocess.run(
            ["java", "-cp", str(self.jar), "moa.DoTask", task],
            capture_output=True,
            text=True,
            check=True,
        )
        head, values = (line.split(",") for line in done.stdout.strip().splitlines()[-2:])
        told = dict(zip(head, values, strict=False))
        seconds = float(told["evaluation time (cpu seconds)"])
        return self.rows / seconds, float(told["classifications correct (percent)"])


def against_river(pair: Pair, columns: int, options: Options) -> Figure:
    """One pair, in turn."""
    shrink = columns / COLUMNS[0]
    few = int(pair.few / math.sqrt(shrink)) // (20 if options.quick else 1)
    x, y = stream(pair.task, few if options.quick else int(pair.rows / shrink), columns)
    own, river, ratio = in_turn(
        lambda: len(y) / of_ours(pair, x, y)[0],
        lambda: few / of_river(pair.theirs(), x[:few], y[:few])[0],
        options.rounds,
    )
    ours, theirs = (
        score(pair.task, y[:few], answers)
        for answers in (
            of_ours(pair, x[:few], y[:few])[1],
            of_river(pair.theirs(), x[:few], y[:few])[1],
        )
    )
    counted = pair.task == "classification"
    return Figure(
        f"{pair.name}, {columns} columns, against river",
        ratio,
        "x",
        TARGETS.get(pair.name, (None, None))[0] if columns == COLUMNS[0] else None,
        own=own,
        peer=river,
        own_right=ours if counted else None,
        peer_right=theirs if counted else None,
        note="" if counted else f"mean absolute error {ours:.3f} / {theirs:.3f}",
    )


def against_moa(pair: Pair, columns: int, options: Options) -> Figure:
    """One pair, in turn, by MOA's own clock."""
    name = f"{pair.name}, {columns} columns, against MOA's command line"
    target = TARGETS.get(pair.name, (None, None))[1] if columns == COLUMNS[0] else None
    why, jar = peers.why_no_moa(), peers.moa_jar()
    if why is not None or jar is None or pair.moa is None:
        return missing(name, why or "it has none", "x", target)
    n = MOA_ROWS // (5 if "Forest" in pair.moa else 1)
    n //= 100 if options.quick else columns // COLUMNS[0]
    x, y = stream(pair.task, n, columns)
    moa, command, right = Moa(jar, x, y, options.folder), pair.moa, []

    def theirs_once() -> float:
        speed, told = moa.run(command)
        right.append(told)
        return speed

    own, theirs, ratio = in_turn(lambda: n / of_ours(pair, x, y)[0], theirs_once, options.rounds)
    return Figure(
        name,
        ratio,
        "x",
        target,
        own=own,
        peer=theirs,
        own_right=score(pair.task, y, of_ours(pair, x, y)[1]),
        peer_right=right[-1],
        note=f"{n:,} rows; by MOA's own CPU clock",
    )


def river_group(columns: int) -> Callable[[Options], Iterator[Figure]]:
    """Everything against river with so many columns."""

    def group(options: Options) -> Iterator[Figure]:
        for pair in pairs():
            yield against_river(pair, columns, options)

    group.__doc__ = f"Trees, {columns} columns, against river"
    return group


def moa_group(columns: int) -> Callable[[Options], Iterator[Figure]]:
    """Everything that MOA has, with so many columns."""

    def group(options: Options) -> Iterator[Figure]:
        for pair in pairs():
            few = ("Hoeffding tree",) if options.quick else TARGETS if columns > 10 else None
            if pair.moa is not None and (few is None or pair.name in few):
                yield against_moa(pair, columns, options)

    group.__doc__ = f"Trees, {columns} columns, against MOA's command line"
    return group


def measure(options: Options) -> Iterator[Figure]:
    """Every figure of the trees and their kin."""
    sizes = COLUMNS[:1] if options.quick else COLUMNS
    groups = [group(columns) for group in (river_group, moa_group) for columns in sizes]
    yield from figures.each(options, *groups)


if __name__ == "__main__":
    figures.main(measure)
