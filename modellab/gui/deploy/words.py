"""Lanes in words and colours: what cards, plots, inspector and events say of them (no widgets)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from modellab.errors import LabError
from modellab.experiment import (
    ChampionPolicy,
    CostAwarePolicy,
    HindsightPolicy,
    OnlinePolicy,
    OutOfCorePolicy,
    ScheduledPolicy,
    TriggeredPolicy,
)
from modellab.gui.kit.text import count_text, number_text, short_number
from modellab.gui.theme import theme

if TYPE_CHECKING:
    from modellab.experiment import (
        Condition,
        GuardSpec,
        LaneSpec,
        LearnerSpec,
        Policy,
        Scalar,
    )
    from modellab.gui.session import Session
    from modellab.gui.session_deployment import LaneView
    from modellab.gui.theme.tokens import Dash
    from modellab.replay.protocol import EventRecord

SETTING_WORDS = {
    "learning_rate": "learning rate",
    "track_rates": "comparing of rates",
    "every": "update every",
    "batch": "mini-batch",
    "frozen": "freeze",
    "alpha": "penalty strength",
    "l1_ratio": "share of L1",
    "power_t": "power of the schedule",
    "test_rows": "rows to test on",
    "keep": "rows to keep",
    "collect": "rows to collect",
    "level": "level of the test",
    "cooldown": "cool-down",
    "warmup": "warm-up",
    "within": "rows a condition holds",
    "combine": "conditions needed",
    "horizon": "rows ahead",
    "delay": "delay",
    "price_error": "price of an error",
    "price_retrain": "price of a retrain",
}
DETECTOR_TITLES = {
    "adwin": "ADWIN",
    "ddm": "DDM",
    "eddm": "EDDM",
    "hddm_a": "HDDM-A",
    "hddm_w": "HDDM-W",
    "page_hinkley": "Page-Hinkley",
    "kswin": "KSWIN",
}
BASELINE_WORDS = {
    "Majority class": "the most frequent class so far",
    "No change": "repeats the last label",
    "Running mean": "the mean so far",
    "Last value": "repeats the last value",
}
_LINEAR_WORDS = {
    "log": "Logistic regression",
    "hinge": "Linear SVM",
    "squared_hinge": "Linear SVM, squared hinge",
    "modified_huber": "Linear, modified Huber",
    "perceptron": "Perceptron",
    "squared": "Linear regression",
    "huber": "Linear regression, Huber",
    "epsilon_insensitive": "Linear support vectors",
}
_UNITS = {"h": "hour", "d": "day", "w": "week", "min": "minute", "m": "minute", "s": "second"}


def lane_style(lane: LaneView) -> tuple[str, Dash]:
    """Return the colour (``#RRGGBB``) and the dash of a lane, the same everywhere."""
    if lane.baseline:
        return theme().baseline_style(lane.index)
    if lane.fork_of is not None:
        return theme().fork_style(lane.index)
    return theme().lane_style(lane.index)


def chip_kind(lane: LaneView) -> Literal["lane", "fork", "baseline"]:
    """Return which sign a lane has: half a square where a dash tells it from another lane."""
    if lane.baseline:
        return "baseline"
    return "fork" if lane.fork_of is not None or lane_style(lane)[1] else "lane"


def learner_words(learner: LearnerSpec) -> str:
    """Return the learner's title."""
    if learner.kind == "linear":
        loss = str(learner.params.get("loss", "log"))
        return _LINEAR_WORDS.get(loss, "Linear")
    if learner.class_name:
        return learner.class_name.rsplit(".", 1)[-1]
    from modellab.learners.catalogue import entry

    try:
        return entry(learner.kind).title
    except LabError:
        return learner.kind.replace("_", " ").capitalize()


def span_words(value: int | str) -> str:
    """Return an interval of rows or of event time in words."""
    if isinstance(value, int):
        return "row" if value == 1 else f"{count_text(value)} rows"
    text = str(value).strip()
    for unit, name in _UNITS.items():
        number = text[: -len(unit)]
        if text.endswith(unit) and number.isdigit():
            return name if int(number) == 1 else f"{int(number):,} {name}s"
    return text


def policy_words(policy: Policy, settings: dict[str, Scalar] | None = None) -> str:
    """Return when a lane's model changes, with the settings of the moment."""
    now: dict[str, Any] = settings or {}
    if isinstance(policy, ScheduledPolicy):
        return f"every {span_words(now.get('every', policy.every))}"
    if isinstance(policy, OnlinePolicy):
        if now.get("frozen", policy.frozen):
            return "frozen"
        every = int(now.get("every", policy.every))
        return f"every {span_words(every)}"
    if isinstance(policy, TriggeredPolicy):
        return f"{ACTION_WORDS[policy.action]} on {conditions_words(policy)}"
    if isinstance(policy, CostAwarePolicy):
        return "retrained when that pays"
    if isinstance(policy, OutOfCorePolicy):
        passes = "once" if policy.passes == 1 else f"{policy.passes} times"
        if now.get("frozen", policy.frozen):
            return f"in chunks {passes}, frozen"
        return f"in chunks {passes}, then {policy.then}"
    if isinstance(policy, ChampionPolicy):
        return f"challenged by {learner_words(policy.challenger)}"
    if isinstance(policy, HindsightPolicy):
        return f"best schedule of {policy.grid}"
    return "trained once"


ACTION_WORDS = {
    "retrain": "retrained",
    "alert": "tells only",
    "reset": "begins anew",
    "switch": "switches",
}


def condition_words(condition: Condition) -> str:
    """Return one reason to act in a few words."""
    if condition.drift is not None:
        return f"{DETECTOR_TITLES[condition.drift]} alarm"
    if condition.features is not None:
        one = condition.features == 1
        return "a drifting column" if one else f"{condition.features} drifting columns"
    if condition.error is not None:
        return f"error {short_number(condition.error, 3)} above the test's"
    return f"{count_text(condition.rows or 0)} new rows"


def conditions_words(policy: TriggeredPolicy) -> str:
    """Return all reasons of a triggered policy in a line."""
    if not policy.when:
        return "nothing"
    words = [condition_words(condition) for condition in policy.when]
    if len(words) == 1:
        return words[0]
    if policy.combine == "all":
        return " and ".join(words)
    if policy.combine == "any" or policy.combine == 1:
        return " or ".join(words)
    return f"{policy.combine} of: {', '.join(words)}"


def guard_words(guard: GuardSpec) -> str:
    """Return what a guard does in a sentence."""
    parts = []
    if guard.range is not None:
        parts.append(f"skips rows beyond {short_number(guard.range, 3)} × the training range")
    if guard.loss is not None:
        share = short_number((1 - guard.loss) * 100, 3)
        parts.append(f"skips the {share} % of rows with the greatest loss")
    if guard.rollback is not None:
        margin = short_number(guard.rollback, 3)
        parts.append(f"rolls back when the error is {margin} above its best")
    if guard.clip is not None:
        parts.append(f"limits one step to {short_number(guard.clip, 3)}")
    if not parts:
        return "Guarded, with nothing switched on."
    return f"Guarded: it {', '.join(parts)}."


def lane_words(lane: LaneView) -> str:
    """Return learner and policy of a lane in a line."""
    if lane.baseline:
        return BASELINE_WORDS.get(lane.name, "baseline")
    settings = lane.news.settings if lane.news is not None else None
    parts = [learner_words(lane.spec.learner), policy_words(lane.spec.policy, settings)]
    rate = (settings or {}).get("learning_rate", lane.spec.learner.params.get("learning_rate"))
    if isinstance(lane.spec.policy, OnlinePolicy) and isinstance(rate, int | float):
        parts.append(f"η {short_number(float(rate), 3)}")
    return ", ".join(parts)


def work_words(lane: LaneView) -> str:
    """Return what a lane did so far: updates, retrains, CPU seconds."""
    news = lane.news
    if news is None:
        return "not replayed yet"
    seconds = cpu_seconds(lane)
    used = f"{seconds:.1f}" if seconds < 99.95 else count_text(seconds)
    if isinstance(lane.spec.policy, ScheduledPolicy | CostAwarePolicy | HindsightPolicy) or (
        isinstance(lane.spec.policy, TriggeredPolicy) and lane.spec.policy.action == "retrain"
    ):
        done = (
            f"{count_text(news.retrains)} retrain{'s' if news.retrains != 1 else ''}, "
            f"{count_text(news.redeploys)} deployed"
        )
    elif news.updates or isinstance(lane.spec.policy, OnlinePolicy):
        done = f"{count_text(news.updates)} update{'s' if news.updates != 1 else ''}"
    else:
        done = "no updates"
    return f"{done} · {used} CPU s"


def notes_words(lane: LaneView) -> tuple[str, str]:
    """Return what else happened to a lane in a line, and the same at length for the tooltip."""
    news = lane.news
    if news is None or lane.baseline:
        return "", ""
    short: list[str] = []
    long: list[str] = []

    def tell(count: float | None, brief: str, full: str) -> None:
        if count:
            short.append(brief)
            long.append(full)

    alarms, kept = count_text(news.alarms), count_text(news.quarantined)
    one = news.alarms == 1
    tell(news.alarms, f"{alarms} alarm{'' if one else 's'}", f"{alarms} drift alarms on its error.")
    tell(news.quarantined, f"{kept} kept back", f"{kept} rows kept back by its guard (quarantine).")
    back = count_text(news.rollbacks)
    one = news.rollbacks == 1
    tell(news.rollbacks, f"{back} rollback{'' if one else 's'}", f"Rolled back {back} times.")
    if news.regret is not None:
        regret = short_number(news.regret, 3)
        tell(1, f"regret {regret}", f"Regret {regret}: total cost less that of hindsight.")
    learns = news.updates > 0
    if news.staleness is not None and not learns:
        old = count_text(news.staleness)
        tell(news.staleness, f"{old} rows stale", f"Its newest lesson was {old} rows old, mean.")
    if news.forgetting is not None and news.forgetting >= 0.005:
        lost = short_number(news.forgetting, 2)
        long.append(f"Forgetting {lost}: so much it lost on rows of the training window.")
    if news.downtime_rows:
        down = count_text(news.downtime_rows)
        tell(1, f"{down} rows down", f"In {down} rows nothing served (downtime).")
    return " · ".join(short), "\n".join(long)


def cpu_seconds(lane: LaneView) -> float:
    """Return the CPU seconds that a lane used for predicting, learning and fitting."""
    news = lane.news
    return 0.0 if news is None else news.cpu_predict + news.cpu_learn + news.cpu_fit


def task_of(session: Session) -> str:
    """Return ``classification`` or ``regression``, as the profile says."""
    if session.profile is not None and session.profile.task in ("classification", "regression"):
        return session.profile.task
    live = session.deployment
    if live is not None and any(name in live.lanes for name in ("Running mean", "Last value")):
        return "regression"
    return "classification"


def error_text(value: float | None, task: str) -> str:
    """Return an error: a share with three decimals, or a mean absolute error."""
    if value is None:
        return "–"
    if task == "classification":
        return number_text(value)
    if not 0.001 <= abs(value) < 1e6:
        return short_number(value, 4)
    # Four figures, and the zeros among them stay: 37.00 beside 35.88.
    return number_text(value, max(0, 3 - math.floor(math.log10(abs(value)))))


def difference_text(value: float, task: str) -> str:
    """Return a difference of errors with its sign."""
    if task == "classification":
        return number_text(value, signed=True)
    return ("+" if value > 0 else "") + short_number(value, 3)


def error_unit(task: str) -> str:
    """Return what the error is, for headers."""
    return "share wrong" if task == "classification" else "mean absolute error"


def value_words(value: object) -> str:
    """Return a setting's value in words."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return short_number(float(value), 4)
    return str(value)


def event_text(event: EventRecord) -> str:
    """Return an event's text with settings named as the window names them."""
    text = event.text
    if event.kind == "intervention":
        for name in event.values:
            text = text.replace(f"{name} ", f"{SETTING_WORDS.get(name, name.replace('_', ' '))} ")
    return text


def event_line(event: EventRecord, task: str, *, lane: bool = False) -> str:
    """Return an event in as few words as the list has room for."""
    values = event.values
    new, old = values.get("new_error"), values.get("old_error")
    if event.kind in ("retrain", "reject") and "retrain" in values:
        outcome = "deployed" if event.kind == "retrain" else "kept old"
        tested = "untested"
        if new is not None and old is not None:
            tested = f"{error_text(new, task)} vs {error_text(old, task)}"
        text = f"Retrain {values['retrain']}: {tested} → {outcome}"
    else:
        text = event_text(event).removeprefix("You set ")
    return f"{event.lane}: {text}" if lane and event.lane else text


def change_words(event: EventRecord, *, lane: bool = False) -> str:
    """Return a change by the person for a mark: ``you: learning rate 0.01 → 0.05``."""
    text = event_text(event).removeprefix("You set ").strip()
    return f"you, {event.lane}: {text}" if lane else f"you: {text}"


def rollback_words(event: EventRecord, *, lane: bool = False) -> str:
    """Return a rollback for a mark: whose, and back to which row."""
    to = event.values.get("to", event.values.get("rollback"))
    text = f"back to {count_text(to)}" if isinstance(to, int) else "rolled back"
    return f"{event.lane} {text}" if lane else text


POLICY_TITLES: dict[type, str] = {
    ScheduledPolicy: "Retrained on a schedule",
    TriggeredPolicy: "Acts on alarms",
    CostAwarePolicy: "Retrained when it pays",
    OnlinePolicy: "Learns online",
    OutOfCorePolicy: "Trained in chunks",
    ChampionPolicy: "Champion and challenger",
    HindsightPolicy: "Best in hindsight",
}


def policy_title(policy: Policy) -> str:
    """Return a policy's name."""
    return POLICY_TITLES.get(type(policy), "Static")


def lane_sentence(spec: LaneSpec) -> str:
    """Return what a lane will do, for the start of the page."""
    learner, policy = learner_words(spec.learner), spec.policy
    guarded = ", guarded against bad rows" if spec.guard is not None else ""
    if isinstance(policy, ScheduledPolicy):
        every = span_words(policy.every)
        return f"{learner}, retrained every {every}, tested before it serves{guarded}"
    if isinstance(policy, OnlinePolicy):
        return f"{learner}, learns from every row it has predicted{guarded}"
    if isinstance(policy, TriggeredPolicy):
        act = ACTION_WORDS[policy.action]
        return f"{learner}, {act} on {conditions_words(policy)}{guarded}"
    if isinstance(policy, CostAwarePolicy):
        return f"{learner}, retrained when staying stale costs more than a retrain{guarded}"
    if isinstance(policy, OutOfCorePolicy):
        then = "then learns online" if policy.then == "online" else "then stays as it is"
        return f"{learner}, trained in chunks, {then}{guarded}"
    if isinstance(policy, ChampionPolicy):
        other = learner_words(policy.challenger)
        return f"{learner}, shadowed by {other}, which takes over when it is better{guarded}"
    if isinstance(policy, HindsightPolicy):
        return f"{learner}, retrained at the rows that are best once all is known"
    return f"{learner}, trained once and left as it is{guarded}"
