"""The lanes that an experiment has when nobody chose any: one of each way to keep a model alive."""

from __future__ import annotations

from modellab.experiment import (
    Condition,
    Experiment,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    ScheduledPolicy,
    StaticPolicy,
    TriggeredPolicy,
    replace,
)

_NICE_SPANS = (("1h", 1), ("6h", 6), ("1d", 24), ("7d", 168), ("30d", 720), ("90d", 2160))
_HOUR_NS = 3600 * 10**9

MAJORITY, NO_CHANGE = "Majority class", "No change"
TREES = {
    "classification": "compiled_hoeffding_adaptive_tree",
    "regression": "compiled_regression_tree",
}
"""The tree that learns online when nobody chose one."""
MEAN, LAST = "Running mean", "Last value"


def default_learner(task: str, mode: str = "memory") -> LearnerSpec:
    """Return the learner that is trained when nobody chose one; `mode` as in `[training]`."""
    if mode == "chunks":
        return LearnerSpec("linear_sgd")
    return LearnerSpec("logistic_regression" if task == "classification" else "ridge")


def default_lanes(
    task: str, learner: LearnerSpec | None = None, *, stream_rows: int, span_ns: int = 0
) -> list[LaneSpec]:
    """Return the default lanes: static, retrained on schedule and on alarm, online linear and tree.

    Parameters
    ----------
    task
        ``"classification"`` or ``"regression"``.
    learner
        The trained learner that goes live (else `default_learner`).
    stream_rows
        Rows of the stream: the retrained lane retrains about ten times.
    span_ns
        Event time from the first to the last row of the stream, 0 if there is no time column.
    """
    learner = learner or default_learner(task)
    every = _interval(stream_rows, span_ns)
    # After a drift what came before it misleads; after a bad week it is sorely missed. So both are
    # tried, on a test part that a week does not decide, and only what is better beyond chance is
    # deployed: what was too little to tell by is tried again on more.
    collect = max(500, stream_rows // 50)
    alarm = TriggeredPolicy(
        when=[Condition(drift="adwin")],
        keep="better",
        level=0.01,
        collect=collect,
        test_rows=max(1000, collect // 2),
        cooldown=max(2000, stream_rows // 25),
    )
    # Squared loss diverges where rare categories, standardised, become large: Huber's does not.
    online = LearnerSpec("linear", params={"loss": "log", "learning_rate": 0.01, "scale": "online"})
    if task == "regression":
        online = replace(
            online,
            params={**online.params, "loss": "huber", "epsilon": 1.0, "learning_rate": 0.002},
        )
    return [
        LaneSpec("Static", StaticPolicy(), learner),
        LaneSpec("Retrained", ScheduledPolicy(every=every), learner),
        LaneSpec("On alarm", alarm, learner),
        LaneSpec("Online", OnlinePolicy(), online),
        LaneSpec("Online tree", OnlinePolicy(), LearnerSpec(TREES[task])),
    ]


def _interval(stream_rows: int, span_ns: int) -> int | str:
    hours = span_ns / _HOUR_NS
    for text, length in _NICE_SPANS:
        if 4 <= hours / length <= 16:
            return text
    return round_down(stream_rows // 10)


def round_down(rows: int) -> int:
    """Rows with one digit that is not 0, at least 1: 3,456 is 3,000."""
    rows = max(rows, 1)
    unit: int = 10 ** (len(str(rows)) - 1)
    return rows // unit * unit


def baseline_lanes(task: str, taken: list[str]) -> list[LaneSpec]:
    """Return the baselines for a task, renamed where their names are taken."""
    wanted = (
        [(MAJORITY, "majority_class"), (NO_CHANGE, "no_change")]
        if task == "classification"
        else [(MEAN, "running_mean"), (LAST, "last_value")]
    )
    lanes = []
    for name, kind in wanted:
        free = name
        while free in taken:
            free += " (baseline)"
        lanes.append(LaneSpec(free, OnlinePolicy(), LearnerSpec(kind)))
    return lanes


def with_default_lanes(
    experiment: Experiment, task: str, *, stream_rows: int, span_ns: int
) -> Experiment:
    """Return the experiment with the default lanes, if it lists none of its own."""
    if experiment.lane:
        return experiment
    learner = default_learner(task, experiment.training.mode)
    lanes = default_lanes(task, learner, stream_rows=stream_rows, span_ns=span_ns)
    return replace(experiment, lane=lanes)  # type: ignore[no-any-return]
