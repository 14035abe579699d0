"""The experiment: all that is needed to do a replay again, as plain validated values.

The values mirror the experiment file of FORMATS (`modellab = 1`). They have no behaviour: reading
and writing files is in `modellab.experiment_file`, what the values mean is told by the rooms above.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
import numpy as np

from modellab.errors import ExperimentError, quote

FORMAT_VERSION = 1

Kind = Literal["number", "category", "text", "time", "boolean"]
KINDS: tuple[Kind, ...] = ("number", "category", "text", "time", "boolean")

Scalar = bool | int | float | str

_NS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
    "w": 7 * 86400 * 10**9,
}
_ANY = 10**7
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ns|us|ms|s|min|m|h|d|w)\s*")


class _Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all parts of an experiment: frozen, strict."""


class DataSpec(_Value, frozen=True):
    """Which data, and what its columns are (`[data]`)."""

    path: str | list[str]
    target: str
    time: str | None = None
    ignore: list[str] = []
    kinds: dict[str, Kind] = {}
    sort: bool = False

    @property
    def paths(self) -> list[str]:
        """The path or paths as a list."""
        return [self.path] if isinstance(self.path, str) else list(self.path)


class SplitSpec(_Value, frozen=True):
    """Where the training window ends (`[split]`).

    `train`: a fraction in (0, 1), a number of rows, a date-time text, or 0 for a cold start.
    `test`: share of the training window, at its end, that the Test page scores on.
    `refit`: fit what is deployed on the whole window (else on the part before the test part).
    """

    train: int | float | str = 0.2
    test: float = 0.2
    refit: bool = True


class TrainSpec(_Value, frozen=True):
    """How the first, offline training reads its rows (`[training]`).

    `mode`: ``"memory"`` all rows at once, ``"chunks"`` out of core in runs of `chunk_rows`,
    `passes` times over. `sample_rows`: fit on an evenly spaced sample of so many rows (0: all).
    """

    mode: Literal["memory", "chunks"] = "memory"
    chunk_rows: int = 50_000
    passes: int = 1
    sample_rows: int = 0


class MemorySet(_Value, frozen=True):
    """The memory set on which forgetting is measured, and every how many rows it is scored."""

    rows: int = 2000
    every: int = 5000


class EvaluationSpec(_Value, frozen=True):
    """How errors are measured (`[evaluation]`)."""

    window: int = 1000
    fading: float = 0.999
    label_delay: int | str = 0
    memory_set: MemorySet = MemorySet()


class ReplaySpec(_Value, frozen=True):
    """How the stream is replayed (`[replay]`); `limit` rows of stream, 0 for all."""

    chunk_rows: int = 8192
    limit: int = 0
    seed: int = 0


class PriceSpec(_Value, frozen=True):
    """What things cost (`[prices]`), in any one currency."""

    error: float = 1.0
    retrain: float = 0.0
    cpu_hour: float = 0.0
    downtime_hour: float = 0.0


class StaticPolicy(_Value, frozen=True, tag_field="kind", tag="static"):
    """Never changes the deployed model."""


class ScheduledPolicy(_Value, frozen=True, tag_field="kind", tag="scheduled"):
    """Retrains every `every` rows or span of event time: collect, merge, retrain, test, redeploy.

    `keep`: ``"all"`` or the newest so many rows. `test_rows`: newest labelled rows held out to test
    the new model against the running one. `margin`: redeploy if its error is not worse by more.
    `delay`: rows or span until the new model serves.
    """

    every: int | str = 20_000
    keep: int | str = "all"
    test_rows: int = 1000
    margin: float = 0.0
    delay: int | str = 0


class OnlinePolicy(_Value, frozen=True, tag_field="kind", tag="online"):
    """Learns after every `every` labelled rows, in mini-batches of `batch`; may be `frozen`."""

    every: int = 1
    batch: int = 1
    frozen: bool = False


Policy = StaticPolicy | ScheduledPolicy | OnlinePolicy
POLICY_KINDS = ("static", "scheduled", "online")


class LearnerSpec(_Value, frozen=True):
    """A learner of the catalogue with its settings; `class_name` for ``river`` and ``sklearn``."""

    kind: str
    class_name: str | None = None
    params: dict[str, Scalar] = {}


class LaneSpec(_Value, frozen=True):
    """One learner under one policy (`[[lane]]`)."""

    name: str
    policy: Policy
    learner: LearnerSpec


class Intervention(_Value, frozen=True):
    """Something a person did (`[[intervention]]`); takes effect before row `position` is predicted.

    `set`: settings of the learner or of the policy with their new values (``learning_rate``,
    ``every``, ``batch``, ``frozen``, ...). `fork`: instead, a new lane of that name begins here
    with this lane's state.
    """

    position: int
    lane: str
    set: dict[str, Scalar] = {}
    fork: str | None = None


class Experiment(_Value, frozen=True):
    """The whole experiment. `lane` empty: the default lanes for the task are used."""

    data: DataSpec
    modellab: int = FORMAT_VERSION
    baselines: bool = True
    split: SplitSpec = SplitSpec()
    training: TrainSpec = TrainSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    replay: ReplaySpec = ReplaySpec()
    prices: PriceSpec = PriceSpec()
    lane: list[LaneSpec] = []
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


def parse_span(text: str, where: str = "A time span") -> int:
    """Nanoseconds of a span such as ``"2h"`` or ``"1d 12h"``.

    Raises
    ------
    ExperimentError
        If the text is no span.
    """
    total = 0.0
    at = 0
    while at < len(text):
        found = _SPAN.match(text, at)
        if found is None:
            break
        total += float(found[1]) * _NS[found[2]]
        at = found.end()
    if not text.strip() or at < len(text) or total <= 0:
        raise ExperimentError(
            f"{where} {quote(text)} is not understood: write a number and a unit, "
            "such as 90s, 30min, 2h, 7d or 1w."
        )
    return round(total)


def rows_or_span(value: int | str, where: str) -> tuple[int, int]:
    """Split ``rows or span`` into ``(rows, nanoseconds)``, one of which is 0."""
    if isinstance(value, str):
        return 0, parse_span(value, where)
    return int(value), 0


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
    _require(experiment.modellab == FORMAT_VERSION, _version_sentence(experiment.modellab))
    data, split, ev = experiment.data, experiment.split, experiment.evaluation
    _require(bool(data.paths) and all(data.paths), "data.path is empty: name a data file.")
    _require(bool(data.target), "data.target is empty: name the column to predict.")
    _require(data.time != data.target, "data.time and data.target name the same column.")
    _require(data.target not in data.ignore, "data.target is also listed in data.ignore.")
    if isinstance(split.train, float):
        _require(
            0 <= split.train < 1 or (split.train > 1 and split.train.is_integer()),
            "split.train must be a fraction between 0 and 1, a number of rows, or a date-time.",
        )
    if isinstance(split.train, int):
        _require(split.train >= 0, "split.train must not be negative.")
        _require(split.train <= 10**15, "split.train is too large a number of rows.")
    _range("split.test", split.test, 0.0, 0.9)
    _range("training.chunk_rows", experiment.training.chunk_rows, 1, 10**8)
    _range("training.passes", experiment.training.passes, 1, 1000)
    _range("training.sample_rows", experiment.training.sample_rows, 0, 10**12)
    _range("evaluation.window", ev.window, 1, 10**7)
    _range("evaluation.fading", ev.fading, 0.0, 1.0)
    _check_rows_or_span("evaluation.label_delay", ev.label_delay, 0)
    _range("evaluation.memory_set.rows", ev.memory_set.rows, 0, 100_000)
    _range("evaluation.memory_set.every", ev.memory_set.every, 1, 10**9)
    _range("replay.chunk_rows", experiment.replay.chunk_rows, 1, 10**8)
    _range("replay.limit", experiment.replay.limit, 0, 10**15)
    _range("replay.seed", experiment.replay.seed, 0, 2**63 - 1)
    for price in msgspec.structs.fields(PriceSpec):
        _range(f"prices.{price.name}", getattr(experiment.prices, price.name), 0.0, 1e15)
    _check_lanes(experiment)
    return experiment


def check_policy(policy: Policy, where: str = "") -> None:
    """Check the settings of a policy; `where` comes before their names in sentences.

    Raises
    ------
    ExperimentError
        With a sentence that names the setting and says what is allowed.
    """
    if isinstance(policy, OnlinePolicy):
        _range(f"{where}every", policy.every, 1, 10**9)
        _range(f"{where}batch", policy.batch, 1, 10**9)
    if isinstance(policy, ScheduledPolicy):
        _check_rows_or_span(f"{where}every", policy.every, 1)
        _check_rows_or_span(f"{where}delay", policy.delay, 0)
        _range(f"{where}test_rows", policy.test_rows, 0, 10**9)
        _range(f"{where}margin", policy.margin, 0.0, 1e15)
        if isinstance(policy.keep, str):
            _require(policy.keep == "all", f'{where}keep must be "all" or a number of rows.')
        else:
            _range(f"{where}keep", policy.keep, 1, 10**15)


def _check_lanes(experiment: Experiment) -> None:
    names: list[str] = []
    for lane in experiment.lane:
        _require(bool(lane.name.strip()), "A lane has no name.")
        _require(lane.name not in names, f"Two lanes are called {quote(lane.name)}.")
        names.append(lane.name)
        where = f"lane {quote(lane.name)}"
        check_policy(lane.policy, f"{where}: ")
        for key, value in lane.learner.params.items():
            _check_setting(where, key, value)
    last = 0
    for entry in experiment.intervention:
        _range("intervention.position", entry.position, 0, 10**15)
        _require(entry.position >= last, "The interventions are not in order of position.")
        last = entry.position
        if experiment.lane:
            _require(
                entry.lane in names,
                f"An intervention at row {entry.position:,} names lane {quote(entry.lane)}, "
                "which the experiment does not have.",
            )
        _require(
            bool(entry.set) != (entry.fork is not None),
            f"The intervention at row {entry.position:,} must have either set or fork.",
        )
        for key, value in entry.set.items():
            _check_setting(f"the intervention at row {entry.position:,}", key, value)
        if entry.fork is not None:
            _require(
                bool(entry.fork.strip()) and entry.fork not in names,
                f"A fork at row {entry.position:,} needs a name of its own.",
            )
            names.append(entry.fork)


def _check_setting(where: str, key: str, value: Scalar) -> None:
    if isinstance(value, float):
        _require(np.isfinite(value).item(), f"{where}: {key} must be a finite number.")
    elif isinstance(value, int):
        # What 64 bits cannot hold could not even be sent to the engine.
        _require(abs(value) < 2**63, f"{where}: {key} is too large a number.")


def _check_rows_or_span(where: str, value: int | str, low: int) -> None:
    if isinstance(value, str):
        parse_span(value, where)
    else:
        _range(where, value, low, 10**15)


def _range(where: str, value: float, low: float, high: float) -> None:
    inside = low <= value <= high  # False for NaN
    allowed = f"lie between {_shown(low)} and {_shown(high)}"
    if high >= _ANY and value < low:  # the upper bound only keeps overflows away
        allowed = f"be at least {_shown(low)}"
    _require(inside, f"{where} is {_shown(value)}, but must {allowed}.")


def _shown(value: float) -> str:
    return f"{value:,.15g}"


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ExperimentError(sentence)


def _version_sentence(version: int) -> str:
    return (
        f"This experiment is of format {version}; this Model Lab reads format {FORMAT_VERSION}: "
        "open it with a newer Model Lab."
    )
