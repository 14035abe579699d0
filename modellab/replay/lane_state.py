"""What can be told of a lane at its present position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modellab.learners.base import Prediction

if TYPE_CHECKING:
    from modellab.experiment import LaneSpec, Scalar
    from modellab.policies.base import Policy

Metrics = dict[str, dict[str, float | None]]

Sink = Callable[[int, NDArray[Any], Prediction], None]
"""Called with (first position, labels, predictions) of every piece, in order."""

Snapshots = tuple[list[str], NDArray[np.int64], NDArray[np.float64]]
"""Values by name at some positions: names, positions (m,), values (m, len(names))."""


@dataclass
class PolicyThen:
    """What is noted of a policy at the end of a step, when it may be further on already.

    Attributes
    ----------
    has_model, trained_to
        As the policy told.
    down_spans
        Spans that were answered by the baseline: taken away from the policy.
    """

    has_model: bool
    trained_to: int
    stored: int
    down_spans: list[tuple[int, int]]

    @classmethod
    def of(cls, policy: Policy, stop: int) -> PolicyThen:
        """Look at a policy that is at `stop`."""
        spans, policy.down_spans = policy.down_spans, []
        return cls(policy.has_model, policy.trained_to, policy.rows_stored(stop), spans)

    def rows_stored(self, position: int) -> int:
        """Rows that it kept for later training at the end of the step."""
        del position
        return self.stored


@dataclass
class LaneState:
    """The present state of a lane.

    Attributes
    ----------
    settings
        What can be changed, with its present value; None where it is not set.
    counters
        All of `policies.base.Counters` by name.
    cost
        By item and ``total``, at the present prices (see `evaluation.costs`).
    rows_stored
        Most rows that had to be kept for training at any time.
    staleness
        Mean number of rows from the newest row that the model had learned to the one it predicted;
        None before the first row, and where there is no model.
    regret
        Total cost less that of the hindsight optimum's lane here; None without one.
    down
        Nothing serves now: the baseline answers.
    """

    spec: LaneSpec
    baseline: bool
    position: int
    status: str
    error: float | None
    cumulative: float | None
    settings: dict[str, Scalar | None]
    counters: dict[str, float]
    model_bytes: int
    cost: dict[str, float]
    forgetting: float | None
    rates: dict[str, Any] | None
    metrics: Metrics | None = None
    rows_stored: int = 0
    staleness: float | None = None
    regret: float | None = None
    down: bool = False
