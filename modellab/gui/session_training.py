"""Trainings: models that were trained and tested, kept so that they can be compared."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from modellab.evaluation.testing_values import TestReport

if TYPE_CHECKING:
    from modellab.experiment import Experiment, LearnerSpec
    from modellab.replay.protocol import TrainingResult


def training_key(experiment: Experiment) -> tuple[object, ...]:
    """What of an experiment decides what a training gives: data, split, way of reading, seed."""
    return (experiment.data, experiment.split, experiment.training, experiment.replay.seed)


def deployment_key(experiment: Experiment) -> tuple[object, ...]:
    """What of an experiment decides what a replay gives, lanes and journal apart."""
    return (
        *training_key(experiment),
        experiment.evaluation,
        experiment.drift,
        experiment.prices,
        experiment.replay.limit,
        experiment.baselines,
    )


@dataclass(eq=False)
class Training:
    """One training.

    `index` is the number of its colour; `key` what it was trained on (see `training_key`).
    """

    id: int
    index: int
    result: TrainingResult
    experiment: Experiment
    when: float = field(default_factory=time.time)
    outgrown: bool = False
    """Whether rows that came later made another data set of what it was trained on."""

    @property
    def learner(self) -> LearnerSpec:
        """The learner with its settings."""
        return self.result.learner

    @property
    def title(self) -> str:
        """What the catalogue calls it."""
        return self.result.title

    @property
    def name(self) -> str:
        """Title and number: what tells it from its neighbours."""
        return f"{self.id} · {self.title}"

    @cached_property
    def report(self) -> TestReport:
        """The test report."""
        return msgspec.convert(self.result.report, TestReport)

    def stale(self, experiment: Experiment | None) -> bool:
        """Whether data, split or way of reading were changed since."""
        if experiment is None or self.outgrown:
            return True
        return training_key(experiment) != training_key(self.experiment)


def differences(one: Training, other: Training) -> list[tuple[str, str, str]]:
    """What was set differently in two trainings: (setting, in `one`, in `other`), in words."""
    rows: list[tuple[str, str, str]] = []

    def tell(name: str, a: object, b: object) -> None:
        if a != b:
            rows.append((name, _shown(a), _shown(b)))

    tell("learner", one.title, other.title)
    a, b = one.learner.params, other.learner.params
    for key in [*a, *(k for k in b if k not in a)]:
        tell(key.replace("_", " "), a.get(key), b.get(key))
    x, y = one.experiment, other.experiment
    tell("data", ", ".join(x.data.paths), ", ".join(y.data.paths))
    tell("target", x.data.target, y.data.target)
    tell("time column", x.data.time, y.data.time)
    tell("ignored columns", ", ".join(x.data.ignore), ", ".join(y.data.ignore))
    for key in [*x.data.kinds, *(k for k in y.data.kinds if k not in x.data.kinds)]:
        tell(f"kind of {key}", x.data.kinds.get(key), y.data.kinds.get(key))
    tell("training window", x.split.train, y.split.train)
    tell("test part", x.split.test, y.split.test)
    tell("read", x.training.mode, y.training.mode)
    tell("chunk rows", x.training.chunk_rows, y.training.chunk_rows)
    tell("passes", x.training.passes, y.training.passes)
    tell("sample rows", x.training.sample_rows, y.training.sample_rows)
    tell("rows trained on", one.result.rows, other.result.rows)
    tell("columns after encoding", one.result.features, other.result.features)
    return rows


def _shown(value: object) -> str:
    if value is None:
        return "as usual"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) or "none"
