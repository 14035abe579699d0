"""Costs are the sum of what was used, each at its price."""

from __future__ import annotations

from modellab.evaluation.costs import Spent, cost, costs
from modellab.experiment import PriceSpec

PRICES = PriceSpec(error=2.0, retrain=50.0, cpu_hour=3.6, downtime_hour=10.0)


def test_the_total_is_the_sum_of_the_items() -> None:
    found = cost(Spent(errors=7, retrains=2, cpu_seconds=500.0, downtime_seconds=1800.0), PRICES)
    assert found == {
        "errors": 14.0,
        "retrains": 100.0,
        "cpu": 0.5,
        "downtime": 5.0,
        "total": 119.5,
    }


def test_lanes_are_priced_one_by_one() -> None:
    spent = {"Static": Spent(errors=3), "Online": Spent(errors=1, cpu_seconds=1000.0)}
    found = costs(spent, PRICES)
    assert list(found) == ["Static", "Online"]
    assert found["Static"]["total"] == 6.0
    assert found["Online"]["total"] == 3.0


def test_by_default_only_errors_cost() -> None:
    assert cost(Spent(errors=1.5, retrains=9, cpu_seconds=1e6), PriceSpec())["total"] == 1.5
