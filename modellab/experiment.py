"""The experiment: all that is needed to do a replay again, as plain validated values.

The values mirror the experiment file of FORMATS (`modellab = 1`). They have no behaviour: reading
and writing files is in `modellab.experiment_file`, what the values mean is told by the rooms above.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np

from modellab.errors import ExperimentError, quote
from modellab.experiment_faults import FAULT_KINDS, FAULTS, Fault, check_fault, fault_kind
from modellab.experiment_policies import (
    POLICIES,
    POLICY_KINDS,
    ChampionPolicy,
    Condition,
    CostAwarePolicy,
    DetectorName,
    GuardSpec,
    HindsightPolicy,
    LearnerSpec,
    OnlinePolicy,
    OutOfCorePolicy,
    Policy,
    ScheduledPolicy,
    StaticPolicy,
    TriggeredPolicy,
    check_detector,
    check_guard,
    check_learner,
    check_policy,
)
from modellab.experiment_reading import ReadingSpec, check_reading
from modellab.experiment_values import (
    KINDS,
    Kind,
    Scalar,
    Value,
    check_range,
    check_rows_or_span,
    check_setting,
    parse_span,
    require,
    rows_or_span,
)

FORMAT_VERSION = 1


class TextSpec(Value, frozen=True):
    """How text columns are encoded for linear learners.

    Runs of up to `words` words, and of 3 up to `characters` characters inside words (0: none), are
    hashed into `columns` columns; `tfidf` weighs them by how rare they were in training.
    """

    words: int = 2
    characters: int = 0
    columns: int = 65_536
    tfidf: bool = True


class EncodingSpec(Value, frozen=True):
    """How categories and times are encoded, where the usual way is not wanted.

    Attributes
    ----------
    hashed
        Into so many columns are hashed the levels of a category beyond the 40 most frequent, new
        ones included; 0: they share one column.
    elapsed
        Whether times also tell what has elapsed since the start. The stream lies beyond all that
        training saw of it.
    ordered
        By category column: its levels from the lowest to the highest.
    """

    hashed: int = 0
    elapsed: bool = False
    ordered: dict[str, list[str]] = {}


class DataSpec(Value, frozen=True):
    """Which data, and what its columns are (`[data]`)."""

    path: str | list[str]
    target: str
    time: str | None = None
    ignore: list[str] = []
    kinds: dict[str, Kind] = {}
    sort: bool = False
    text: TextSpec = TextSpec()
    encoding: EncodingSpec = EncodingSpec()
    reading: ReadingSpec = ReadingSpec()

    @property
    def paths(self) -> list[str]:
        """The path or paths as a list."""
        return [self.path] if isinstance(self.path, str) else list(self.path)


class SplitSpec(Value, frozen=True):
    """Where the training window ends (`[split]`).

    `train`: a fraction in (0, 1), a number of rows, a date-time text, or 0 for a cold start.
    `test`: share of the training window, at its end, that the Test page scores on.
    `refit`: fit what is deployed on the whole window (else on the part before the test part).
    """

    train: int | float | str = 0.2
    test: float = 0.2
    refit: bool = True


class TrainSpec(Value, frozen=True):
    """How the first, offline training reads its rows (`[training]`).

    `mode`: ``"memory"`` all rows at once, ``"chunks"`` out of core in runs of `chunk_rows`,
    `passes` times over. `sample_rows`: fit on an evenly spaced sample of so many rows (0: all).
    """

    mode: Literal["memory", "chunks"] = "memory"
    chunk_rows: int = 50_000
    passes: int = 1
    sample_rows: int = 0


class MemorySet(Value, frozen=True):
    """The memory set on which forgetting is measured, and every how many rows it is scored."""

    rows: int = 2000
    every: int = 5000


class EvaluationSpec(Value, frozen=True):
    """How errors are measured (`[evaluation]`)."""

    window: int = 1000
    fading: float = 0.999
    label_delay: int | str = 0
    memory_set: MemorySet = MemorySet()


class ReplaySpec(Value, frozen=True):
    """How the stream is replayed (`[replay]`); `limit` rows of stream, 0 for all."""

    chunk_rows: int = 8192
    limit: int = 0
    seed: int = 0


class DriftSpec(Value, frozen=True):
    """What watches for drift (`[drift]`), in every lane and in the features.

    `detector` on each lane's error (``none``: no detector), with its `settings`. `features`: every
    column's last `window` rows are compared with the training window every `every` rows; the
    threshold is calibrated on the training window so that one false alarm comes per
    `false_alarm_every` rows. `known`: positions of drifts that are known to be there (of a made
    or annotated stream), to score alarms by: one within `tolerance` rows after it found it.
    """

    detector: DetectorName | Literal["none"] = "adwin"
    settings: dict[str, Scalar] = {}
    features: bool = True
    window: int = 2000
    every: int = 2000
    false_alarm_every: int = 100_000
    known: list[int] = []
    tolerance: int = 5000


class PriceSpec(Value, frozen=True):
    """What things cost (`[prices]`), in any one currency."""

    error: float = 1.0
    retrain: float = 0.0
    cpu_hour: float = 0.0
    downtime_hour: float = 0.0


class LaneSpec(Value, frozen=True):
    """One learner under one policy (`[[lane]]`)."""

    name: str
    policy: Policy
    learner: LearnerSpec
    guard: GuardSpec | None = None


class Intervention(Value, frozen=True):
    """Something a person did (`[[intervention]]`); takes effect before row `position` is predicted.

    `set`: settings of the learner or of the policy with their new values (``learning_rate``,
    ``every``, ``batch``, ``frozen``, ...). `fork`: instead, a new lane of that name begins here
    with this lane's state. `rollback`: instead, the lane's model becomes again what it was at that
    earlier position.
    """

    position: int
    lane: str
    set: dict[str, Scalar] = {}
    fork: str | None = None
    rollback: int | None = None


class Experiment(Value, frozen=True):
    """The whole experiment. `lane` empty: the default lanes for the task are used."""

    data: DataSpec
    modellab: int = FORMAT_VERSION
    baselines: bool = True
    split: SplitSpec = SplitSpec()
    training: TrainSpec = TrainSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    replay: ReplaySpec = ReplaySpec()
    drift: DriftSpec = DriftSpec()
    prices: PriceSpec = PriceSpec()
    lane: list[LaneSpec] = []
    fault: list[Fault] = []
    intervention: list[Intervention] = []

    def lane_named(self, name: str) -> LaneSpec:
        """Return the lane called `name`; raises `ExperimentError` if there is none."""
        for lane in self.lane:
            if lane.name == name:
                return lane
        raise ExperimentError(f"There is no lane called {quote(name)}.")


def replace(value: Any, **changes: Any) -> Any:
    """Return a copy of a frozen value with some fields changed."""
    return msgspec.structs.replace(value, **changes)


def stream_rng(seed: int, purpose: str, position: int = 0) -> np.random.Generator:
    """Random numbers keyed by seed, purpose and position (Philox; Salmon et al. 2011).

    The same key gives the same numbers whatever was drawn before, so no order of calls matters.
    """
    tag = 0
    for byte in purpose.encode():
        tag = (tag * 1_000_003 + byte) % (1 << 64)
    key = np.array([(int(seed) ^ (tag << 1)) % (1 << 64), tag], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, int(position)]))


def check(experiment: Experiment) -> Experiment:
    """Check what types alone cannot: ranges, unique names, lanes that interventions name.

    Raises
    ------
    ExperimentError
        With a sentence that names the key and says what is allowed.
    """
    require(experiment.modellab == FORMAT_VERSION, _version_sentence(experiment.modellab))
    data, split, ev = experiment.data, experiment.split, experiment.evaluation
    require(bool(data.paths) and all(data.paths), "data.path is empty: name a data file.")
    require(bool(data.target), "data.target is empty: name the column to predict.")
    require(data.time != data.target, "data.time and data.target name the same column.")
    require(data.target not in data.ignore, "data.target is also listed in data.ignore.")
    check_range("data.text.words", data.text.words, 0, 5)
    check_range("data.text.characters", data.text.characters, 0, 10)
    require(
        data.text.words + data.text.characters > 0,
        "data.text: words and characters cannot both be 0.",
    )
    check_range("data.text.columns", data.text.columns, 16, 2**20)
    check_range("data.encoding.hashed", data.encoding.hashed, 0, 4096)
    for name, levels in data.encoding.ordered.items():
        require(
            2 <= len(levels) == len(set(levels)),
            f"data.encoding.ordered must list two or more different levels of {quote(name)}.",
        )
    check_reading(data.reading)
    if isinstance(split.train, float):
        require(
            0 <= split.train < 1 or (split.train > 1 and split.train.is_integer()),
            "split.train must be a fraction between 0 and 1, a number of rows, or a date-time.",
        )
    if isinstance(split.train, int):
        require(split.train >= 0, "split.train must not be negative.")
        require(split.train <= 10**15, "split.train is too large a number of rows.")
    check_range("split.test", split.test, 0.0, 0.9)
    check_range("training.chunk_rows", experiment.training.chunk_rows, 1, 10**8)
    check_range("training.passes", experiment.training.passes, 1, 1000)
    check_range("training.sample_rows", experiment.training.sample_rows, 0, 10**12)
    check_range("evaluation.window", ev.window, 1, 10**7)
    check_range("evaluation.fading", ev.fading, 0.0, 1.0)
    check_rows_or_span("evaluation.label_delay", ev.label_delay, 0)
    check_range("evaluation.memory_set.rows", ev.memory_set.rows, 0, 100_000)
    check_range("evaluation.memory_set.every", ev.memory_set.every, 1, 10**9)
    check_range("replay.chunk_rows", experiment.replay.chunk_rows, 1, 10**8)
    check_range("replay.limit", experiment.replay.limit, 0, 10**15)
    check_range("replay.seed", experiment.replay.seed, 0, 2**63 - 1)
    for price in msgspec.structs.fields(PriceSpec):
        check_range(f"prices.{price.name}", getattr(experiment.prices, price.name), 0.0, 1e15)
    _check_drift(experiment.drift)
    for fault in experiment.fault:
        check_fault(fault, f"fault {fault_kind(fault)}: ")
    _check_lanes(experiment)
    return experiment


def _check_drift(drift: DriftSpec) -> None:
    check_range("drift.window", drift.window, 10, 10**7)
    check_range("drift.every", drift.every, 1, 10**9)
    check_range("drift.false_alarm_every", drift.false_alarm_every, 1, 10**15)
    check_range("drift.tolerance", drift.tolerance, 1, 10**12)
    if drift.detector == "none":
        require(not drift.settings, "drift.settings belong to a detector, and there is none.")
    else:
        check_detector(drift.detector, drift.settings, "drift.settings: ")
    for position in drift.known:
        check_range("drift.known", position, 0, 10**15)
    require(drift.known == sorted(drift.known), "drift.known must be in order.")


def _check_lanes(experiment: Experiment) -> None:
    names: list[str] = []
    for lane in experiment.lane:
        require(bool(lane.name.strip()), "A lane has no name.")
        require(lane.name not in names, f"Two lanes are called {quote(lane.name)}.")
        names.append(lane.name)
        where = f"lane {quote(lane.name)}"
        check_policy(lane.policy, f"{where}: ")
        check_learner(lane.learner, where)
        if lane.guard is not None:
            check_guard(lane.guard, f"{where}: ")
    last = 0
    for entry in experiment.intervention:
        check_range("intervention.position", entry.position, 0, 10**15)
        require(entry.position >= last, "The interventions are not in order of position.")
        last = entry.position
        if experiment.lane:
            require(
                entry.lane in names,
                f"An intervention at row {entry.position:,} names lane {quote(entry.lane)}, "
                "which the experiment does not have.",
            )
        require(
            bool(entry.set) + (entry.fork is not None) + (entry.rollback is not None) == 1,
            f"The intervention at row {entry.position:,} must have one of set, fork and rollback.",
        )
        if entry.rollback is not None:
            check_range(
                f"The rollback at row {entry.position:,}", entry.rollback, 0, entry.position
            )
        for key, value in entry.set.items():
            check_setting(f"the intervention at row {entry.position:,}", key, value)
        if entry.fork is not None:
            require(
                bool(entry.fork.strip()) and entry.fork not in names,
                f"A fork at row {entry.position:,} needs a name of its own.",
            )
            names.append(entry.fork)


def _version_sentence(version: int) -> str:
    return (
        f"This experiment is of format {version}; this Model Lab reads format {FORMAT_VERSION}: "
        "open it with a newer Model Lab."
    )


__all__ = [
    "FAULTS",
    "FAULT_KINDS",
    "FORMAT_VERSION",
    "KINDS",
    "POLICIES",
    "POLICY_KINDS",
    "ChampionPolicy",
    "Condition",
    "CostAwarePolicy",
    "DataSpec",
    "DetectorName",
    "DriftSpec",
    "EncodingSpec",
    "EvaluationSpec",
    "Experiment",
    "Fault",
    "GuardSpec",
    "HindsightPolicy",
    "Intervention",
    "Kind",
    "LaneSpec",
    "LearnerSpec",
    "MemorySet",
    "OnlinePolicy",
    "OutOfCorePolicy",
    "Policy",
    "PriceSpec",
    "ReadingSpec",
    "ReplaySpec",
    "Scalar",
    "ScheduledPolicy",
    "SplitSpec",
    "StaticPolicy",
    "TextSpec",
    "TrainSpec",
    "TriggeredPolicy",
    "check",
    "check_policy",
    "fault_kind",
    "parse_span",
    "replace",
    "rows_or_span",
    "stream_rng",
]
