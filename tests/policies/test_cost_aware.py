"""Cost-aware policies retrain where, and only where, it pays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_bench import BAYES, Bench, abrupt, events, lane, play, recurring, slow, steady

from modellab.experiment import CostAwarePolicy, PriceSpec
from modellab.policies.cost_aware import TILES, Course

ROWS, TRAIN = 8000, 1000


def run(stream: Any, prices: PriceSpec, **spec: Any) -> Any:
    bench = Bench(*stream, TRAIN, BAYES, prices=prices)
    made = lane(bench, CostAwarePolicy(**{"window": 300, "test_rows": 100, "keep": 1500, **spec}))
    answers = play(made, TRAIN, ROWS)
    made.wrong = answers != bench.y[TRAIN:]
    return made


def first(made: Any) -> float:
    told = events(made, "retrain", "reject")
    return told[0].position if told else np.inf


@pytest.mark.parametrize("method", ["avoidable", "forecast"])
@pytest.mark.parametrize("stream", [abrupt(ROWS, 4000), slow(ROWS, 2.0)])
def test_dearer_errors_make_it_retrain_earlier(method: str, stream: Any) -> None:
    found = [
        first(run(stream, PriceSpec(error=price, retrain=100.0), method=method))
        for price in (0.01, 0.5, 1.0, 3.0)
    ]
    assert found[0] == np.inf
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[1]
    assert found[-1] > TRAIN + 300


@given(period=st.integers(500, 4000), noise=st.floats(0.0, 0.3))
@settings(max_examples=15)
def test_it_never_retrains_where_a_retrain_costs_more_than_all_errors(
    period: int, noise: float
) -> None:
    stream = recurring(ROWS, period, noise=noise)
    made = run(stream, PriceSpec(error=2.0, retrain=1e9))
    price = 2.0 * float(made.wrong.sum())
    assert made.counters.retrains == 0
    again = run(stream, PriceSpec(error=2.0, retrain=price + 1e-6))
    assert again.counters.retrains == 0


def test_no_forecast_pays_beyond_its_horizon() -> None:
    made = run(
        recurring(ROWS, 1500),
        PriceSpec(error=1.0, retrain=2001.0),
        method="forecast",
        horizon=2000,
        risk=0.999,
    )
    assert made.counters.retrains == 0  # 2,000 errors at most are to be saved


def test_without_drift_it_does_not_retrain_and_with_it_it_pays() -> None:
    prices = PriceSpec(error=1.0, retrain=200.0)
    for method in ("avoidable", "forecast"):
        assert run(steady(ROWS), prices, method=method).counters.retrains == 0
        made = run(abrupt(ROWS, 4000), prices, method=method, keep=600)
        retrains = made.counters.retrains
        static = run(abrupt(ROWS, 4000), PriceSpec(error=1.0, retrain=1e9))
        assert retrains >= 1
        assert made.wrong.sum() + 200.0 * retrains < static.wrong.sum()


def test_a_retrain_that_came_too_early_is_tried_again() -> None:
    """Of 400 rows kept, few are new when the first one pays: it repairs nothing."""
    made = run(abrupt(ROWS, 4000), PriceSpec(error=1.0, retrain=20.0), keep=400)
    told = events(made, "retrain", "reject")
    assert told[0].position < 4150
    assert len(told) >= 2
    assert made.wrong[-2000:].mean() < 0.12


def test_what_cannot_be_repaired_is_not_paid_for_for_ever() -> None:
    rng = np.random.default_rng(1)
    x, y = steady(ROWS)
    noisy = np.arange(ROWS) > 2500
    y = np.where(noisy & (rng.random(ROWS) < 0.4), 1 - y, y)
    made = run((x, y), PriceSpec(error=1.0, retrain=20.0))
    # Some 0.35 avoidable errors a row: a retrain every 60 rows if it never learned.
    assert 2 <= made.counters.retrains <= 8
    assert made.course.patience >= 4


def test_a_higher_risk_level_retrains_no_later() -> None:
    prices = PriceSpec(error=1.0, retrain=250.0)
    found = [
        first(run(slow(ROWS, 2.5), prices, method="forecast", risk=risk))
        for risk in (0.1, 0.5, 0.9, 0.99)
    ]
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0]


def test_prices_of_its_own_come_first_and_can_be_changed() -> None:
    bench = Bench(*abrupt(ROWS, 4000), TRAIN, BAYES, prices=PriceSpec(error=0.0, retrain=5.0))
    made = lane(bench, CostAwarePolicy(window=300, price_error=1.0, test_rows=100))
    assert made.settings()["price_error"] == 1.0
    assert made.settings()["price_retrain"] == 5.0
    made.set("price_retrain", 1e9)
    play(made, TRAIN, 5000)
    assert made.counters.retrains == 0
    made.set("price_retrain", 100.0)
    play(made, 5000, 5010)
    assert events(made, "retrain", "reject")[0].position == 5001
    assert "cost more than a retrain" in events(made, "retrain", "reject")[0].values["cause"]


def test_a_free_retrain_is_told() -> None:
    made = run(steady(ROWS), PriceSpec(retrain=0.0), cooldown=2000)
    told = events(made, "warning")
    assert len(told) == 1
    assert told[0].text.startswith("A retrain costs nothing here")
    assert 1 <= made.counters.retrains <= 4


def test_after_a_cold_start_the_first_training_waits_for_a_window_of_labels() -> None:
    bench = Bench(*steady(ROWS), 0, BAYES, delay=40, prices=PriceSpec(retrain=1e6))
    made = lane(bench, CostAwarePolicy(window=300, test_rows=50))
    answers = play(made, 0, 2000)
    event = events(made, "retrain")[0]
    assert event.position == 340
    assert event.values["cause"] == "First training: 300 labelled rows"
    assert set(answers[:340]) == {-1}
    assert -1 not in answers[340:]
    assert made.counters.retrains == 1


@given(
    losses=st.lists(st.floats(0, 10), min_size=1, max_size=120),
    window=st.integers(1, 12),
    cuts=st.sets(st.integers(1, 119), max_size=6),
)
def test_the_course_of_errors_by_its_definition(
    losses: list[float], window: int, cuts: set[int]
) -> None:
    course = Course(window)
    got: list[float] = []
    edges = [0, *sorted(c for c in cuts if c < len(losses)), len(losses)]
    for a, b in pairwise(edges):
        saved = course.state()
        course = Course(window)
        course.load_state(saved)
        got += course.update(np.array(losses[a:b])).tolist()
    total = 0.0
    fresh = float(np.mean(losses[:window]))
    for i, value in enumerate(got):
        if i >= window:
            total = max(0.0, total + float(np.mean(losses[i - window + 1 : i + 1])) - fresh)
        assert value == pytest.approx(total, abs=1e-9)
    whole = [float(np.mean(losses[k : k + window])) for k in range(0, len(losses), window)]
    whole = whole[: len(losses) // window]
    assert course.tiles == pytest.approx(whole[-TILES:])


def test_a_forecast_extrapolates_the_line_and_widens_with_risk() -> None:
    course = Course(100)
    for level in (0.1, 0.12, 0.14, 0.16):
        losses = np.zeros(100)
        losses[: round(level * 100)] = 1.0
        course.update(losses)
    # The next 200 rows: their middle lies 1.5 windows after the middle of the newest one.
    assert course.forecast(200, 0.5, True) == pytest.approx(0.16 + 1.5 * 0.02)
    course.update(np.repeat([0.0, 1.0], [75, 25]))
    steps = [course.forecast(200, risk, True) for risk in (0.1, 0.5, 0.9)]
    assert steps == sorted(steps)
    assert course.forecast(10**6, 0.5, True) == 1.0
    assert course.forecast(10**6, 0.5, False) > 1.0
