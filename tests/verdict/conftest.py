"""Evidence made of arrays: what lanes would have given, with the answer known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modellab.evaluation.evidence import LaneEvidence
from modellab.evaluation.paired import LossTrack
from modellab.experiment import (
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    ScheduledPolicy,
    StaticPolicy,
)

POLICIES = {"static": StaticPolicy(), "scheduled": ScheduledPolicy(), "online": OnlinePolicy()}


def slow_series(rng: np.random.Generator, n: int, persistence: float) -> np.ndarray:
    """A standard normal series with this autocorrelation from row to row."""
    from scipy.signal import lfilter

    noise = rng.standard_normal(n)
    noise[0] /= np.sqrt(1 - persistence**2)
    return lfilter([np.sqrt(1 - persistence**2)], [1, -persistence], noise)


class Maker:
    """Makes lanes."""

    start = 1000

    def losses(self, values: np.ndarray) -> Any:
        track = LossTrack(self.start, 0)
        track.update(self.start, np.asarray(values, dtype=np.float64))
        return track.arrays()

    def lane(self, name: str, values: np.ndarray, policy: Any = "static", **more: Any) -> Any:
        baseline = more.pop("baseline", None)
        learner = LearnerSpec(baseline or "logistic_regression")
        spec = LaneSpec(
            name,
            POLICIES[policy] if isinstance(policy, str) else policy,
            learner,
            more.pop("guard", None),
        )
        return LaneEvidence(
            name=name,
            spec=spec,
            baseline=baseline is not None,
            losses=self.losses(values),
            **more,
        )

    def errors(self, seed: int, n: int, rate: float, persistence: float = 0.0) -> np.ndarray:
        """0/1 losses with this rate."""
        from scipy.stats import norm

        rng = np.random.default_rng(seed)
        return (slow_series(rng, n, persistence) < norm.ppf(rate)).astype(float)


@pytest.fixture
def make() -> Maker:
    return Maker()
