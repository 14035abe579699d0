"""Verdicts made by hand, and an engine that answers with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy_bench import DeployBench
from scripted_engine import N_ROWS, result_of

from modellab.experiment import HindsightPolicy, LaneSpec, LearnerSpec, PriceSpec
from modellab.replay.protocol import (
    Ack,
    FindHindsight,
    HindsightFound,
    JobDone,
    Judge,
    MeasureSensitivity,
    SensitivityMeasured,
)
from modellab.verdict.values import (
    DriftScore,
    Hindsight,
    HindsightPoint,
    Interval,
    LaneRow,
    PriceBar,
    Verdict,
)

USUAL = {
    # name: policy, error, updates, retrains, cpu, bytes, staleness, forgetting
    "Online": ("online", 0.132, 30_918, 0, 10.8, 4_100, 1.0, 0.006),
    "No change": ("static", 0.147, 0, 0, 0.1, 0, None, None),
    "Retrained": ("scheduled", 0.152, 0, 15, 356.0, 118_000, 3400.0, 0.001),
    "Online tree": ("online", 0.157, 30_918, 0, 13.7, 61_000, 1.0, 0.004),
    "Static": ("static", 0.217, 0, 0, 0.4, 31_000, 15_900.0, 0.0),
    "Majority class": ("static", 0.425, 0, 0, 0.1, 0, None, None),
}
BASELINES = ("No change", "Majority class", "Running mean", "Last value")
ROWS = 30_918


def interval(value: float, half: float) -> Interval:
    return Interval(value, value - half, value + half)


def lane_row(
    like: str, best: str = "Online", prices: PriceSpec | None = None, **rest: Any
) -> LaneRow:
    policy, error, updates, retrains, cpu, size, stale, forgot = USUAL[like]
    prices = prices or PriceSpec(error=0.5, retrain=25, cpu_hour=0.4, downtime_hour=60)
    down = 1800.0 if retrains else 0.0
    cost = {
        "errors": error * ROWS * prices.error,
        "retrains": retrains * prices.retrain,
        "cpu": cpu / 3600 * prices.cpu_hour,
        "downtime": down / 3600 * prices.downtime_hour,
    }
    gap = error - USUAL[best][1]
    values: dict[str, Any] = {
        "name": like,
        "policy": policy,
        "learner": "Logistic regression",
        "baseline": like in BASELINES,
        "deployable": like not in BASELINES,
        "rows": ROWS,
        "error": interval(error, 0.005),
        "difference": None if like == best else interval(gap, 0.004),
        "p_value": None if like == best else 0.0004,
        "mcnemar_p": None if like == best else 1e-9,
        "outcome": "best" if like == best else "worse" if gap > 0 else "better",
        "updates": updates,
        "retrains": retrains,
        "redeploys": retrains - 1 if retrains else 0,
        "downtime_seconds": down,
        "downtime_rows": 40 if down else 0,
        "cpu_seconds": {"predict": cpu * 0.3, "learn": cpu * 0.7},
        "model_bytes": size,
        "staleness_rows": stale,
        "forgetting": forgot,
        "sensitivity": {"label_noise": 0.034 - gap / 4, "missing_values": 0.01},
        "drift": DriftScore(4, 4, 0, 6, 2, 1.0, 900.0, 0.06),
        "cost": cost,
        "upkeep": cost["retrains"] + cost["cpu"] + cost["downtime"],
        "regret": sum(cost.values()) - 2600,
        "pareto": like == best,
    }
    return LaneRow(**{**values, **rest})


def hindsight() -> Hindsight:
    points = [
        HindsightPoint(n, 0.146 + 0.071 * 0.62**n, 25.0 * n + 0.8, 2200 + 1200 * 0.6**n, [300] * n)
        for n in (*range(7), 8, 10, 12, 15, 18)
    ]
    return Hindsight("Logistic regression", list(range(200, 1000, 67)), [300, 500], 2600.0,
                     1000, points, 80.0)  # fmt: skip


def bars(prices: PriceSpec) -> list[PriceBar]:
    return [
        PriceBar("error", prices.error, 0.001, 10, [(0.001, 0.02, "Static"), (0.02, 10, "Online")]),
        PriceBar("retrain", prices.retrain, 0, 500, [(0, 500, "Online")]),
        PriceBar(
            "cpu_hour", prices.cpu_hour, 0, 1000,
            [(0, 200, "Online"), (200, 700, "Retrained"), (700, 1000, "Static")],
        ),
        PriceBar("downtime_hour", prices.downtime_hour, 0, 500, [(0, 500, "Online")]),
    ]  # fmt: skip


def verdict(prices: PriceSpec | None = None, **rest: Any) -> Verdict:
    """The verdict of the mock screen."""
    prices = prices or PriceSpec(error=0.5, retrain=25, cpu_hour=0.4, downtime_hour=60)
    values: dict[str, Any] = {
        "recommended": "Online",
        "sentence": "Deploy Online.",
        "sure": "clear",
        "reasons": [
            "It made 609 fewer errors than Retrained on the same 30,918 rows, at 1/33 of the "
            "compute.",
            "It beats repeating the last label by 456 errors.",
        ],
        "warnings": ["Sensitive to bad labels: with 5 % flipped, its error rose by 0.034."],
        "level": 0.05,
        "unit": "error rate",
        "rows": ROWS,
        "lanes": [lane_row(name, prices=prices) for name in USUAL],
        "prices": {
            "error": prices.error,
            "retrain": prices.retrain,
            "cpu_hour": prices.cpu_hour,
            "downtime_hour": prices.downtime_hour,
        },
        "price_bars": bars(prices),
        "runner_up": "Retrained",
        "hindsight": hindsight(),
    }
    return Verdict(**{**values, **rest})


def tie(prices: PriceSpec | None = None) -> Verdict:
    rows = [
        lane_row(name, "Static", prices, error=interval(0.21 + k * 0.001, 0.006),
                 difference=None if name == "Static" else interval(k * 0.001, 0.004),
                 outcome="best" if name == "Static" else "tie", p_value=0.4, sensitivity={},
                 regret=None, drift=None)
        for k, name in enumerate(["Static", "Retrained", "Online", "Online tree"])
    ]  # fmt: skip
    return verdict(
        prices,
        recommended="Static",
        sure="tie",
        sentence="Nothing separates the four lanes: keep it simple and deploy Static, which needs "
        "no upkeep.",
        reasons=["No difference of errors is beyond chance on these rows."],
        warnings=[],
        lanes=rows,
        runner_up="Online",
        hindsight=None,
    )


def too_early(prices: PriceSpec | None = None) -> Verdict:
    rows = [
        lane_row(name, "Online", prices, error=None, difference=None, outcome="unknown",
                 p_value=None, mcnemar_p=None, staleness_rows=None, forgetting=None,
                 sensitivity={}, regret=None, drift=None, rows=12, pareto=False)
        for name in USUAL
    ]  # fmt: skip
    return verdict(
        prices,
        recommended=None,
        sure="too early",
        sentence="Too early: 12 rows say nothing yet.",
        reasons=[],
        warnings=[],
        rows=12,
        lanes=rows,
        runner_up=None,
        hindsight=None,
        price_bars=[],
    )


class VerdictBench(DeployBench):
    """A deployed session whose engine judges by `self.verdict`, a function of the prices."""

    def __init__(self, bench: Any, tmp_path: Path) -> None:
        super().__init__(bench, tmp_path)
        self.verdict: Any = verdict
        self.engine.answers[Judge] = self._judge
        self.engine.answers[FindHindsight] = self._hindsight
        self.engine.answers[MeasureSensitivity] = self._sensitivity
        self.prices = self.live.experiment.prices
        self.holding = False
        self.held: list[tuple[Any, int]] = []
        self.with_hindsight = False

    @property
    def state(self) -> Any:
        return self.session.verdict_state

    def _judge(self, command: Judge, number: int) -> list[Any]:
        if command.prices is not None:
            self.prices = command.prices
        if self.holding:
            self.held.append((command, number))
            return [Ack(id=number, position=self.engine.position)]
        return [Ack(id=number, position=self.engine.position), self.answer(number)]

    def answer(self, number: int) -> JobDone:
        return JobDone(id=number, result=result_of(self.verdict(self.prices)))

    def release(self) -> None:
        """Answer what was held back."""
        for _command, number in self.held:
            self.engine.replies.append(self.answer(number))
        self.held.clear()
        self.bench.settle()

    def _hindsight(self, _command: FindHindsight, number: int) -> list[Any]:
        return self._long(number)

    def _sensitivity(self, _command: MeasureSensitivity, number: int) -> list[Any]:
        return self._long(number)

    def _long(self, number: int) -> list[Any]:
        command = self.engine.sent[-1]
        self.engine.waiting[number] = command
        return [Ack(id=number, position=self.engine.position)]

    def end_long(self) -> None:
        """Let the long computations end."""
        for number, command in list(self.engine.waiting.items()):
            value: Any = None
            if isinstance(command, FindHindsight):
                self.with_hindsight = True
                lane = LaneSpec(
                    "In hindsight", HindsightPolicy(at=[300], searched=True), LearnerSpec("linear")
                )
                value = HindsightFound(hindsight=result_of(hindsight()), lane=lane)
            elif isinstance(command, MeasureSensitivity):
                value = SensitivityMeasured(rise={"Online": {"label_noise": 0.034}})
            if value is not None:
                del self.engine.waiting[number]
                self.engine.replies.append(JobDone(id=number, result=result_of(value)))
        self.bench.settle()

    def finish(self) -> None:
        """Play to the end of the stream."""
        self.play_to(N_ROWS, state="finished")

    def count(self, kind: type = Judge) -> int:
        return int(self.engine.count(kind))


__all__ = ["VerdictBench", "hindsight", "lane_row", "tie", "too_early", "verdict"]
