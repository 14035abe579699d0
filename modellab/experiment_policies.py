"""Learners, policies and guards of a lane as plain values, and their checks.

What they mean is told in `modellab.policies`, and by EVALUATION's table of policies.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from modellab.errors import nearest, quote
from modellab.experiment_values import (
    Scalar,
    Value,
    check_range,
    check_rows_or_span,
    check_setting,
    require,
)


class LearnerSpec(Value, frozen=True):
    """A learner of the catalogue with its settings; `class_name` for ``river`` and ``sklearn``."""

    kind: str
    class_name: str | None = None
    params: dict[str, Scalar] = {}


DetectorName = Literal["adwin", "ddm", "eddm", "hddm_a", "hddm_w", "page_hinkley", "kswin"]

DETECTOR_SETTINGS: dict[str, dict[str, tuple[float, float]]] = {
    "adwin": {
        "delta": (1e-12, 1),
        "clock": (1, 10**6),
        "max_buckets": (1, 100),
        "min_window_length": (1, 10**6),
        "grace_period": (1, 10**6),
    },
    "ddm": {
        "warm_start": (1, 10**6),
        "warning_threshold": (0, 100),
        "drift_threshold": (0, 100),
    },
    "eddm": {"warm_start": (1, 10**6), "alpha": (0, 1), "beta": (0, 1)},
    "hddm_a": {"drift_confidence": (1e-12, 1), "warning_confidence": (1e-12, 1)},
    "hddm_w": {
        "drift_confidence": (1e-12, 1),
        "warning_confidence": (1e-12, 1),
        "lambda_val": (0, 1),
    },
    "page_hinkley": {
        "min_instances": (1, 10**6),
        "delta": (0, 10**6),
        "threshold": (0, 10**9),
        "alpha": (0, 1),
    },
    "kswin": {"alpha": (1e-12, 1), "window_size": (2, 10**6), "stat_size": (1, 10**6)},
}
"""Settings of the drift detectors, named as in river, with the range that is allowed."""


class Condition(Value, frozen=True):
    """One reason to act: exactly one of `drift`, `features`, `error` and `rows` decides which.

    `drift`: an alarm of this detector on the lane's own error, which has risen (`params`: the
    detector's settings, written beside it in a file). `features`: so many feature columns are in
    alarm (see `DriftSpec`). `error`: the window error is above the test error by this margin, for
    `rows` rows in a row (1 unless set). `rows` alone: so many new labelled rows since the last
    action.
    """

    drift: DetectorName | None = None
    features: int | None = None
    error: float | None = None
    rows: int | None = None
    params: dict[str, Scalar] = {}

    @property
    def kind(self) -> Literal["drift", "features", "error", "rows"]:
        """Which condition it is."""
        if self.drift is not None:
            return "drift"
        if self.features is not None:
            return "features"
        return "rows" if self.error is None else "error"


class StaticPolicy(Value, frozen=True, tag_field="kind", tag="static"):
    """Never changes the deployed model."""


class ScheduledPolicy(Value, frozen=True, tag_field="kind", tag="scheduled"):
    """Retrains every `every` rows or span of event time: collect, merge, retrain, test, redeploy.

    `keep`: ``"all"``, the newest so many rows, ``"alarm"``: what came since the last drift alarm,
    or ``"better"``: that, or eight times as many rows, whichever tests better. `test_rows`: newest
    labelled rows held out to test the new model against the running one. `margin`: redeploy if its
    error is not worse by more. `level`: below 1, a paired test at this level must say so, too.
    `delay`: rows or span until the new model serves. `downtime`: until then nothing serves, and the
    baseline answers.
    """

    every: int | str = 20_000
    keep: int | str = "all"
    test_rows: int = 1000
    margin: float = 0.0
    level: float = 1.0
    delay: int | str = 0
    downtime: bool = False


class TriggeredPolicy(Value, frozen=True, tag_field="kind", tag="triggered"):
    """Acts when conditions hold (`combine`: any, all, or at least so many of them).

    A condition counts as holding for `within` rows after it last did. Never sooner than `warmup`
    after the deployment and `cooldown` after the last action. `action`: ``retrain`` (the cycle of
    `ScheduledPolicy`), ``alert`` (an event, nothing else), ``reset`` (begin to learn online from
    nothing; needs `learn`), ``switch`` (the `challenger`, which shadows, takes over). `learn`: the
    model also learns online in between. `keep` and what follows as for `ScheduledPolicy`, but that
    a retrain learns from what came since the alarm unless told otherwise. With `keep` ``"alarm"``
    or ``"better"``, a cycle first collects: it retrains once `collect` labelled rows have come
    since the alarm; with a `level`, what is rejected is tried again on twice as many.
    """

    when: list[Condition] = msgspec.field(default_factory=lambda: [Condition(drift="adwin")])
    combine: Literal["any", "all"] | int = "any"
    within: int = 1000
    cooldown: int | str = 1000
    warmup: int | str = 0
    collect: int = 500
    action: Literal["retrain", "alert", "reset", "switch"] = "retrain"
    challenger: LearnerSpec | None = None
    learn: bool = False
    keep: int | str = "alarm"
    test_rows: int = 1000
    margin: float = 0.0
    level: float = 1.0
    delay: int | str = 0
    downtime: bool = False


class CostAwarePolicy(Value, frozen=True, tag_field="kind", tag="cost_aware"):
    """Retrains when staying stale is expected to cost more than a retrain.

    `method`: ``avoidable`` sums the errors above those right after the last retrain, times the
    price of an error; ``forecast`` extrapolates them `horizon` rows ahead, and takes the forecast
    at quantile `risk`. `window`: rows over which an error is measured. Prices are those of the
    experiment unless given here. `collect`: as for `TriggeredPolicy`.
    """

    method: Literal["avoidable", "forecast"] = "avoidable"
    window: int = 1000
    horizon: int = 5000
    risk: float = 0.5
    cooldown: int | str = 1000
    collect: int = 500
    price_error: float | None = None
    price_retrain: float | None = None
    keep: int | str = "all"
    test_rows: int = 1000
    margin: float = 0.0
    level: float = 1.0
    delay: int | str = 0
    downtime: bool = False


class OnlinePolicy(Value, frozen=True, tag_field="kind", tag="online"):
    """Learns after every `every` labelled rows, in mini-batches of `batch`; may be `frozen`."""

    every: int = 1
    batch: int = 1
    frozen: bool = False


class OutOfCorePolicy(Value, frozen=True, tag_field="kind", tag="out_of_core"):
    """First training in chunks of `chunk_rows`, `passes` times over, then online or static.

    `shuffle`: the chunks come in a seeded order, another one in every pass. `orders`: so many other
    orders are tried, too, and how far their test errors lie apart is told (an event).
    """

    passes: int = 1
    chunk_rows: int = 8192
    shuffle: bool = True
    orders: int = 0
    then: Literal["online", "static"] = "online"
    every: int = 1
    batch: int = 1
    frozen: bool = False


class ChampionPolicy(Value, frozen=True, tag_field="kind", tag="champion"):
    """Two learners: the lane's own answers, the `challenger` shadows it on the same rows.

    The challenger takes over when its error over the last `window` labelled rows is lower by more
    than `margin` and a paired test at `level` says so; then the roles are changed (`demote`: and
    may change back). `learn`: both learn online where they can. `cooldown`: rows between changes.
    """

    challenger: LearnerSpec
    window: int = 2000
    margin: float = 0.0
    level: float = 0.01
    cooldown: int | str = 2000
    learn: bool = True
    demote: bool = True


class HindsightPolicy(Value, frozen=True, tag_field="kind", tag="hindsight"):
    """Not deployable: retrains at the positions that are best when all the stream is known.

    `grid`: possible positions, evenly spaced. `keep`: as for `ScheduledPolicy`, or ``"any"``: each
    retrain keeps what is best of all that the retraining lanes of the experiment keep. `at`: the
    positions found, `keeps`: what each of them keeps (empty: `keep`); computed when empty (then
    `searched` is false).
    """

    grid: int = 12
    keep: int | str = "any"
    at: list[int] = []
    keeps: list[int | str] = []
    searched: bool = False


Policy = (
    StaticPolicy
    | ScheduledPolicy
    | TriggeredPolicy
    | CostAwarePolicy
    | OnlinePolicy
    | OutOfCorePolicy
    | ChampionPolicy
    | HindsightPolicy
)
POLICIES: dict[str, type[msgspec.Struct]] = {
    "static": StaticPolicy,
    "scheduled": ScheduledPolicy,
    "triggered": TriggeredPolicy,
    "cost_aware": CostAwarePolicy,
    "online": OnlinePolicy,
    "out_of_core": OutOfCorePolicy,
    "champion": ChampionPolicy,
    "hindsight": HindsightPolicy,
}
POLICY_KINDS = tuple(POLICIES)
RETRAINING = (ScheduledPolicy, TriggeredPolicy, CostAwarePolicy)
"""Policies with the cycle collect, merge, retrain, test, redeploy."""
SINCE_ALARM = ("alarm", "better")
"""Values of `keep` for which it matters when the last drift alarm was."""


class GuardSpec(Value, frozen=True):
    """What protects a lane that learns from bad rows (`guard` of a lane).

    `range`: skip rows with a feature outside the training range widened by this factor. `loss`:
    skip rows whose loss exceeds this quantile of the last `window` losses. `rollback`: go back to
    the best earlier state, looked for every `check_every` rows, when the error over the last
    `window` rows exceeds that state's by this margin. `clip`: no gradient is larger (learners that
    have gradients). Skipped rows are kept, counted and can be exported (quarantine).
    """

    range: float | None = None
    loss: float | None = None
    rollback: float | None = None
    clip: float | None = None
    window: int = 1000
    check_every: int = 1000


# ---------------------------------------------------------------- checks


def check_policy(policy: Policy, where: str = "") -> None:
    """Check the settings of a policy; `where` comes before their names in sentences.

    Raises
    ------
    ExperimentError
        With a sentence that names the setting and says what is allowed.
    """
    if isinstance(policy, ScheduledPolicy):
        check_rows_or_span(f"{where}every", policy.every, 1)
    if isinstance(policy, OnlinePolicy | OutOfCorePolicy):
        check_range(f"{where}every", policy.every, 1, 10**9)
        check_range(f"{where}batch", policy.batch, 1, 10**9)
    if isinstance(policy, OutOfCorePolicy):
        check_range(f"{where}passes", policy.passes, 1, 1000)
        check_range(f"{where}chunk_rows", policy.chunk_rows, 1, 10**8)
        check_range(f"{where}orders", policy.orders, 0, 100)
    if isinstance(policy, RETRAINING):
        _check_cycle(policy, where)
    if isinstance(policy, TriggeredPolicy):
        _check_triggered(policy, where)
    if isinstance(policy, CostAwarePolicy):
        _check_cost_aware(policy, where)
    if isinstance(policy, ChampionPolicy):
        _check_champion(policy, where)
    if isinstance(policy, HindsightPolicy):
        check_range(f"{where}grid", policy.grid, 1, 1000)
        for keep in [policy.keep, *policy.keeps]:
            if keep != "any":
                _check_keep(keep, where)
        for position in policy.at:
            check_range(f"{where}at", position, 0, 10**15)
        require(
            sorted(set(policy.at)) == policy.at,
            f"{where}at must hold positions in order, each once.",
        )
        require(
            not policy.at or len(policy.keeps) in (0, len(policy.at)),
            f"{where}keeps must say for each position of at what is kept, or be left out.",
        )


def _check_cycle(policy: ScheduledPolicy | TriggeredPolicy | CostAwarePolicy, where: str) -> None:
    if not isinstance(policy, ScheduledPolicy):
        check_range(f"{where}collect", policy.collect, 1, 10**12)
    check_rows_or_span(f"{where}delay", policy.delay, 0)
    check_range(f"{where}test_rows", policy.test_rows, 0, 10**9)
    check_range(f"{where}margin", policy.margin, 0.0, 1e15)
    check_range(f"{where}level", policy.level, 1e-9, 1.0)
    _check_keep(policy.keep, where)


def _check_keep(keep: int | str, where: str) -> None:
    if isinstance(keep, str):
        require(
            keep in ("all", *SINCE_ALARM),
            f'{where}keep must be "all", "alarm" (what came since the last alarm), "better" '
            "(that, or eight times as many rows: what tests better) or a number of rows.",
        )
    else:
        check_range(f"{where}keep", keep, 1, 10**15)


def _check_triggered(policy: TriggeredPolicy, where: str) -> None:
    require(
        bool(policy.when) or policy.action == "alert",
        f"{where}when is empty: name at least one condition.",
    )
    for condition in policy.when:
        check_condition(condition, f"{where}when: ")
    if isinstance(policy.combine, int):
        check_range(f"{where}combine", policy.combine, 1, max(1, len(policy.when)))
    check_range(f"{where}within", policy.within, 1, 10**9)
    check_rows_or_span(f"{where}cooldown", policy.cooldown, 0)
    check_rows_or_span(f"{where}warmup", policy.warmup, 0)
    require(
        policy.action != "switch" or policy.challenger is not None,
        f'{where}action = "switch" needs a challenger: name the learner that takes over.',
    )
    require(
        policy.action != "reset" or policy.learn,
        f'{where}action = "reset" begins to learn online from nothing: it needs learn = true.',
    )
    if policy.challenger is not None:
        check_learner(policy.challenger, f"{where}challenger")


def check_condition(condition: Condition, where: str = "") -> None:
    """Check one condition of a triggered policy; raises `ExperimentError`."""
    named = [condition.drift, condition.features, condition.error]
    given = sum(value is not None for value in named)
    require(
        given == 1 or (given == 0 and condition.rows is not None),
        f"{where}each condition names exactly one of drift, features, error and rows.",
    )
    require(
        condition.rows is None or condition.kind in ("error", "rows"),
        f"{where}rows goes with error, or stands alone.",
    )
    if condition.features is not None:
        check_range(f"{where}features", condition.features, 1, 10**6)
    if condition.error is not None:
        check_range(f"{where}error", condition.error, 0.0, 1e15)
    if condition.rows is not None:
        check_range(f"{where}rows", condition.rows, 1, 10**15)
    if condition.drift is None:
        require(not condition.params, f"{where}only a drift detector has settings of its own.")
    else:
        check_detector(condition.drift, condition.params, where)


def check_detector(name: str, params: dict[str, Scalar], where: str = "") -> None:
    """Check the settings of a drift detector; raises `ExperimentError`."""
    known = DETECTOR_SETTINGS[name]
    for key, value in params.items():
        if key not in known:
            near = nearest(key, known)
            hint = f"did you mean {near}?" if near else f"known: {', '.join(known)}."
            require(False, f"{where}{name} has no setting {quote(key)}; {hint}")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        require(number, f"{where}{key} must be a number.")
        check_range(f"{where}{key}", float(value), *known[key])


def _check_cost_aware(policy: CostAwarePolicy, where: str) -> None:
    check_range(f"{where}window", policy.window, 1, 10**7)
    check_range(f"{where}horizon", policy.horizon, 1, 10**9)
    check_range(f"{where}risk", policy.risk, 0.001, 0.999)
    check_rows_or_span(f"{where}cooldown", policy.cooldown, 0)
    for name in ("price_error", "price_retrain"):
        price = getattr(policy, name)
        if price is not None:
            check_range(f"{where}{name}", price, 0.0, 1e15)


def _check_champion(policy: ChampionPolicy, where: str) -> None:
    check_range(f"{where}window", policy.window, 10, 10**7)
    check_range(f"{where}margin", policy.margin, 0.0, 1e15)
    check_range(f"{where}level", policy.level, 1e-9, 0.5)
    check_rows_or_span(f"{where}cooldown", policy.cooldown, 0)
    check_learner(policy.challenger, f"{where}challenger")


def check_learner(learner: LearnerSpec, where: str) -> None:
    """Check that the settings of a learner are finite; the catalogue checks the rest."""
    for key, value in learner.params.items():
        check_setting(where, key, value)


def check_guard(guard: GuardSpec, where: str = "") -> None:
    """Check the settings of a guard; raises `ExperimentError`."""
    if guard.range is not None:
        check_range(f"{where}guard.range", guard.range, 1.0, 1e15)
    if guard.loss is not None:
        check_range(f"{where}guard.loss", guard.loss, 0.5, 0.999999)
    if guard.rollback is not None:
        check_range(f"{where}guard.rollback", guard.rollback, 0.0, 1e15)
    if guard.clip is not None:
        check_range(f"{where}guard.clip", guard.clip, 1e-12, 1e15)
    check_range(f"{where}guard.window", guard.window, 10, 10**7)
    check_range(f"{where}guard.check_every", guard.check_every, 1, 10**9)
