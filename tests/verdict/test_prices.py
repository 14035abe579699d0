"""Prices change the winner exactly where the bars say, by the verdict's own rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modellab.experiment import PriceSpec, replace
from modellab.verdict.evidence import deployable
from modellab.verdict.judge import judge
from modellab.verdict.prices import price_bars, round_up
from modellab.verdict.ranking import PRICES, Comparisons, Ranking

KINDS = ["static", "scheduled", "online"]
ERRORS = [0.30, 0.25, 0.22, 0.21, 0.20, 0.195]


def _lanes(make, seed: int, count: int) -> list:
    rng = np.random.default_rng(seed)
    return [
        make.lane(
            f"Lane {k}",
            make.errors(int(rng.integers(50)), 600, ERRORS[int(rng.integers(len(ERRORS)))]),
            KINDS[int(rng.integers(3))],
            counters={"retrains": int(rng.integers(0, 30))},
            cpu={"fit": float(rng.random() * 1000)},
            downtime_seconds=float(rng.integers(0, 3) * 600),
        )
        for k in range(count)
    ]


def _ranking(lanes: list) -> Ranking:
    comparisons = Comparisons(lanes, 0.05, 0)
    return Ranking(comparisons, [k for k, lane in enumerate(lanes) if deployable(lane)])


def _name_at(ranking: Ranking, prices: PriceSpec) -> str:
    return ranking.comparisons.lanes[ranking.choose(prices).recommended].name


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(2, 6),
    error=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    retrain=st.sampled_from([0.0, 1.0, 7.0]),
    cpu=st.sampled_from([0.0, 20.0]),
    down=st.sampled_from([0.0, 50.0]),
)
def test_the_winner_changes_exactly_at_the_switching_points(
    make, seed: int, count: int, error: float, retrain: float, cpu: float, down: float
) -> None:
    prices = PriceSpec(error=error, retrain=retrain, cpu_hour=cpu, downtime_hour=down)
    ranking = _ranking(_lanes(make, seed, count))
    for bar in price_bars(ranking, prices):
        assert bar.segments[0][0] == bar.low == 0.0
        assert bar.segments[-1][1] == bar.high
        assert bar.now == getattr(prices, bar.price)
        assert bar.now < bar.high
        for before, after in zip(bar.segments, bar.segments[1:], strict=False):
            assert before[1] == after[0]
            assert before[2] != after[2]
        for low, high, lane in bar.segments:
            step = (high - low) * 1e-6
            for value in (low + step, (low + high) / 2, high - step):
                assert _name_at(ranking, replace(prices, **{bar.price: value})) == lane


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), value=st.floats(1e-3, 1e3), which=st.sampled_from(PRICES))
def test_no_switch_is_missed(make, seed: int, value: float, which: str) -> None:
    prices = PriceSpec(error=1.0, retrain=2.0, cpu_hour=10.0, downtime_hour=5.0)
    ranking = _ranking(_lanes(make, seed, 5))
    bar = next(b for b in price_bars(ranking, prices) if b.price == which)
    value = min(value, bar.high * 0.999)
    lane = next(name for low, high, name in bar.segments if low <= value <= high)
    edges = [edge for low, high, _ in bar.segments for edge in (low, high)]
    if min(abs(value - edge) for edge in edges) > 1e-9 * bar.high:
        assert _name_at(ranking, replace(prices, **{which: value})) == lane


def test_the_switching_point_is_where_costs_agree_beyond_chance(make) -> None:
    lanes = [
        make.lane("Static", make.errors(1, 10_000, 0.25)),
        make.lane("Daily", make.errors(2, 10_000, 0.20), "scheduled", counters={"retrains": 100}),
    ]
    verdict = judge(lanes, prices=PriceSpec(), task_kind="classification")
    pair = next(row for row in verdict.lanes if row.name == "Static").difference
    bar = next(b for b in verdict.price_bars if b.price == "retrain")
    assert [lane for _, _, lane in bar.segments] == ["Daily", "Static"]
    # Daily wins for sure as long as even the least it may save pays for its retrains.
    assert bar.segments[0][1] == pytest.approx(pair.low * 10_000 / 100)
    assert bar.high >= 2 * bar.segments[0][1]
    told = [text for text in verdict.reasons if text.startswith("If a retrain costs more than")]
    assert told[0].endswith("take Static instead.")


def test_where_no_price_matters_the_bars_are_whole_and_of_a_sensible_length(make) -> None:
    lanes = [make.lane("Only", make.errors(1, 1000, 0.2))]
    verdict = judge(lanes, prices=PriceSpec(error=0.5), task_kind="classification")
    shown = {bar.price: (bar.high, bar.segments) for bar in verdict.price_bars}
    assert shown["error"] == (10.0, [(0.0, 10.0, "Only")])
    assert shown["retrain"] == (100.0, [(0.0, 100.0, "Only")])
    assert shown["cpu_hour"][0] == 10.0
    assert "No other price within reach would change the recommendation." in verdict.reasons


def test_ends_of_bars_are_round() -> None:
    assert [round_up(v) for v in (1, 1.1, 3, 6, 20, 0.004)] == pytest.approx(
        [1, 2, 5, 10, 20, 0.005]
    )
