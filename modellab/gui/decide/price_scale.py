"""Where a price lies on its bar: a scale that begins at zero and reaches far (no Qt)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modellab.verdict.values import PriceBar


@dataclass(frozen=True, slots=True)
class PriceScale:
    """Maps prices in [`low`, `high`] to [0, 1]: logarithmic, near zero linear below `soft`."""

    low: float
    high: float
    soft: float

    @classmethod
    def of(cls, bar: PriceBar) -> PriceScale:
        """Return the scale of a bar: its present price is not pressed to an end."""
        high = max(bar.high, bar.now, bar.low)
        if not high > bar.low:
            high = bar.low + 1.0
        if bar.low > 0:
            return cls(bar.low, high, 0.0)
        near = bar.now if bar.now > 0 else high / 20
        return cls(0.0, high, max(near / 4, high * 1e-6))

    def share(self, price: float) -> float:
        """Return the place of a price, clipped to the bar."""
        price = min(self.high, max(self.low, price))
        if self.soft > 0:
            return math.log1p(price / self.soft) / math.log1p(self.high / self.soft)
        return math.log(price / self.low) / math.log(self.high / self.low)

    def price(self, share: float) -> float:
        """Return the price at a place, in three figures: nobody means more of them."""
        share = min(1.0, max(0.0, share))
        if self.soft > 0:
            value = self.soft * math.expm1(share * math.log1p(self.high / self.soft))
        else:
            value = self.low * math.exp(share * math.log(self.high / self.low))
        rounded = float(f"{value:.3g}")
        return min(self.high, max(self.low, rounded))


def winner_at(bar: PriceBar, price: float) -> str:
    """Return the lane that would be recommended at a price; empty outside the bar."""
    for low, high, lane in bar.segments:
        if low <= price <= high:
            return lane
    return ""


def merged(segments: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Return segments with neighbours of the same lane as one."""
    found: list[tuple[float, float, str]] = []
    for low, high, lane in segments:
        if found and found[-1][2] == lane:
            found[-1] = (found[-1][0], high, lane)
        else:
            found.append((low, high, lane))
    return found
