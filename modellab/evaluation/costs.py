"""What a lane costs, in the experiment's currency.

``total = errors x price + retrains x price + CPU hours x price + downtime hours x price``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modellab.experiment import PriceSpec


@dataclass(frozen=True)
class Spent:
    """What a lane has used up.

    Attributes
    ----------
    errors
        Wrong predictions; for regression, the sum of absolute errors.
    retrains
        Offline retrainings, whether redeployed or not.
    cpu_seconds
        Predict, learn and fit together.
    downtime_seconds
        Event time in which nothing served.
    """

    errors: float = 0.0
    retrains: int = 0
    cpu_seconds: float = 0.0
    downtime_seconds: float = 0.0


def cost(spent: Spent, prices: PriceSpec) -> dict[str, float]:
    """Cost by item (``errors``, ``retrains``, ``cpu``, ``downtime``) and ``total``, their sum."""
    items = {
        "errors": spent.errors * prices.error,
        "retrains": spent.retrains * prices.retrain,
        "cpu": spent.cpu_seconds / 3600.0 * prices.cpu_hour,
        "downtime": spent.downtime_seconds / 3600.0 * prices.downtime_hour,
    }
    return {**items, "total": sum(items.values())}


def costs(spent: dict[str, Spent], prices: PriceSpec) -> dict[str, dict[str, float]]:
    """Cost of each lane by name."""
    return {lane: cost(used, prices) for lane, used in spent.items()}
