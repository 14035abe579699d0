"""Electricity from its first row, without any training: known numbers, and river's own."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modellab.experiment import (
    DataSpec,
    Experiment,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    ReplaySpec,
    SplitSpec,
    replace,
)
from modellab.replay.run import RunResult, run_experiment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.end_to_end

ROWS = 45_312
FEW = 6_000  # enough for every model below to have made thousands of mistakes


@pytest.fixture(scope="module")
def cold(electricity: Path) -> Experiment:
    """The cold start: no training window."""
    return Experiment(
        data=DataSpec(path=str(electricity), target="class"), split=SplitSpec(train=0)
    )


def lane(name: str, learner: LearnerSpec) -> LaneSpec:
    return LaneSpec(name, OnlinePolicy(), learner)


def accuracy(result: RunResult, name: str) -> float:
    found = next(lane for lane in result.lanes if lane.name == name)
    value = found.metrics["cumulative"]["accuracy"]
    assert value is not None
    return value


def rows_as_river_reads_them(path: Path, rows: int) -> Iterator[tuple[dict[str, float], str]]:
    with path.open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if number == rows:
                return
            label = row.pop("class")
            yield {name: float(value) for name, value in row.items()}, label


def test_the_baselines_have_the_accuracies_that_are_known(cold: Experiment) -> None:
    """57.53 % and 85.33 %: the class shares, and the share of labels equal to the one before."""
    result = run_experiment(
        replace(cold, lane=[lane("Online", LearnerSpec("linear"))]), base=Path()
    )
    assert (result.rows, result.train_rows, result.position) == (ROWS, 0, ROWS)
    assert round(100 * accuracy(result, "Majority class"), 2) == 57.53
    assert round(100 * accuracy(result, "No change"), 2) == 85.33
    # From the file itself; the first row, which no baseline can answer, is not scored.
    labels = [y for _, y in rows_as_river_reads_them(Path(cold.data.paths[0]), ROWS)]
    same = sum(a == b for a, b in itertools.pairwise(labels))
    assert accuracy(result, "No change") == same / (ROWS - 1)


def rivers_own() -> dict[str, tuple[Any, LearnerSpec]]:
    """River's own models and pipelines, and the learners that are to equal them."""
    from river import linear_model, naive_bayes, optim, preprocessing, tree

    scaled = preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.05))
    return {
        "Hoeffding tree": (
            tree.HoeffdingTreeClassifier(grace_period=50),
            LearnerSpec("river", "tree.HoeffdingTreeClassifier", {"grace_period": 50}),
        ),
        "Naive Bayes": (
            naive_bayes.GaussianNB(),
            LearnerSpec("river", "naive_bayes.GaussianNB"),
        ),
        "Logistic regression": (
            scaled,
            LearnerSpec("river", "linear_model.LogisticRegression", {"learning_rate": 0.05}),
        ),
        "Perceptron": (
            preprocessing.StandardScaler() | linear_model.Perceptron(),
            LearnerSpec("river", "linear_model.Perceptron"),
        ),
    }


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("Hoeffding tree", ROWS),
        ("Naive Bayes", FEW),
        ("Logistic regression", FEW),
        ("Perceptron", FEW),
    ],
)
def test_a_river_lane_equals_rivers_own_evaluation(cold: Experiment, name: str, rows: int) -> None:
    """Bifet's prequential accuracy, to the last digit."""
    from river import metrics
    from river.evaluate import progressive_val_score

    model, learner = rivers_own()[name]
    experiment = replace(cold, lane=[lane(name, learner)], replay=ReplaySpec(limit=rows))
    result = run_experiment(replace(experiment, baselines=False), base=Path())
    stream = rows_as_river_reads_them(Path(cold.data.paths[0]), rows)
    # River's two-class linear models know True and False only.
    if name in ("Logistic regression", "Perceptron"):
        stream = ((x, y == "UP") for x, y in stream)  # type: ignore[misc]
    theirs = progressive_val_score(stream, model, metrics.Accuracy()).get()
    assert 0.6 < theirs < 0.95
    assert accuracy(result, name) == theirs
