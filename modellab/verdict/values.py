"""What a verdict consists of, as plain values: for the window, `summary.json` and the terminal."""

from __future__ import annotations

from typing import Literal

import msgspec

Sure = Literal["clear", "likely", "tie", "too early"]


class Interval(msgspec.Struct, frozen=True):
    """A measured value with its confidence interval."""

    value: float
    low: float
    high: float


class DriftScore(msgspec.Struct, frozen=True):
    """How well a lane's alarms found the drifts that are known to be there.

    `delay`: mean rows from a drift to the alarm that found it; None if none was found.
    `false_per_1000`: false alarms per 1,000 rows.
    """

    known: int
    detected: int
    missed: int
    alarms: int
    false_alarms: int
    recall: float | None
    delay: float | None
    false_per_1000: float


class LaneRow(msgspec.Struct):
    """One line of the table of lanes.

    Attributes
    ----------
    error
        Mean loss per scored row (error rate, or absolute error), with its interval.
    difference
        Mean loss less that of the recommended lane, on the same rows, with its interval; None for
        the recommended lane itself and where there is none.
    p_value, mcnemar_p
        Of the Diebold-Mariano test (corrected by Holm over the lanes), and of McNemar's test on
        0/1 errors (None for regression), against the recommended lane.
    outcome
        Against the recommended lane: ``best`` is that lane itself.
    model_bytes, rows_stored
        Present size of the deployed model; most rows kept for retraining at any time.
    staleness_rows
        Mean number of rows from the newest row that the model had learned to the one it predicted.
    sensitivity
        By kind of fault: how much the mean loss rose when the same rows were replayed with it.
    regret
        Total cost less that of the hindsight optimum.
    pareto
        No deployable lane is better both in error and in the cost of its upkeep.
    upkeep
        Total cost less the cost of errors.
    """

    name: str
    policy: str
    learner: str
    baseline: bool
    deployable: bool
    rows: int
    error: Interval | None = None
    difference: Interval | None = None
    p_value: float | None = None
    mcnemar_p: float | None = None
    outcome: Literal["best", "better", "tie", "worse", "unknown"] = "unknown"
    updates: int = 0
    retrains: int = 0
    redeploys: int = 0
    rollbacks: int = 0
    alarms: int = 0
    quarantined: int = 0
    downtime_rows: int = 0
    downtime_seconds: float = 0.0
    cpu_seconds: dict[str, float] = {}
    model_bytes: int = 0
    rows_stored: int = 0
    staleness_rows: float | None = None
    forgetting: float | None = None
    sensitivity: dict[str, float] = {}
    drift: DriftScore | None = None
    cost: dict[str, float] = {}
    upkeep: float = 0.0
    regret: float | None = None
    pareto: bool = False


class PriceBar(msgspec.Struct):
    """Which lane would be recommended at other values of one price, all else unchanged.

    `segments`: (from, to, lane) in order, without gaps, from `low` to `high`.
    """

    price: Literal["error", "retrain", "cpu_hour", "downtime_hour"]
    now: float
    low: float
    high: float
    segments: list[tuple[float, float, str]] = []


class HindsightPoint(msgspec.Struct):
    """The best schedule with exactly so many retrains, all the stream known.

    `error`: mean loss per row; `upkeep`: cost of retrains and their compute; `at`: positions.
    """

    retrains: int
    error: float
    upkeep: float
    total: float
    at: list[int] = []


class Hindsight(msgspec.Struct):
    """The hindsight optimum of one learner on a grid, and the best for each number of retrains.

    Attributes
    ----------
    learner
        Its name.
    grid
        Possible positions of retrains.
    at, total
        The positions that cost least, and what that costs in all.
    keeps
        What each of these retrains keeps to train on: ``"all"``, or the newest so many rows.
    tried, left_out
        What was tried to be kept at every position; what lanes keep that was not, to bound the
        work.
    stop
        End of the rows that it was found on.
    points
        The best for each number of retrains.
    fit_seconds
        CPU seconds of the fits that it took to find it.
    losses, fit_cpu, predict_cpu
        What other prices need: entry [k][s] is the sum of losses of model k on segment s, from its
        own segment on; CPU seconds of the training of each model; CPU seconds of all predictions of
        one model.
    begins, model_keeps
        The segment with which each model begins (model 0: 0; one of segment s is trained at
        ``grid[s - 1]``; empty: model k begins with segment k), and what it keeps.
    failed
        Models that could not be trained.
    rows
        Rows that were scored.
    """

    learner: str
    grid: list[int]
    at: list[int]
    total: float
    stop: int
    points: list[HindsightPoint] = []
    fit_seconds: float = 0.0
    losses: list[list[float]] = []
    fit_cpu: list[float] = []
    predict_cpu: float = 0.0
    failed: list[int] = []
    rows: int = 0
    keeps: list[int | str] = []
    tried: list[int | str] = []
    left_out: list[int | str] = []
    begins: list[int] = []
    model_keeps: list[int | str] = []


class Verdict(msgspec.Struct):
    """Which policy to deploy, why, and how sure.

    Attributes
    ----------
    recommended
        Name of a lane; None when there is nothing to recommend yet.
    sentence
        The answer in one sentence of plain words.
    sure
        ``clear``: its error is lower beyond chance, and its cost agrees. ``likely``: it costs
        least, and that is not beyond chance against all others. ``tie``: the data do not decide,
        and it is the simplest. ``too early``: too few rows.
    reasons, warnings
        Further sentences: the evidence, and what to beware of.
    level
        Of the tests and intervals: 0.05 means 95 % intervals.
    unit
        What an error is: ``error rate`` or ``absolute error``.
    rows
        Rows on which the lanes were compared.
    runner_up
        The next deployable lane by total cost.
    """

    recommended: str | None
    sentence: str
    sure: Sure
    reasons: list[str]
    warnings: list[str]
    level: float
    unit: str
    rows: int
    lanes: list[LaneRow] = []
    prices: dict[str, float] = {}
    price_bars: list[PriceBar] = []
    runner_up: str | None = None
    hindsight: Hindsight | None = None
