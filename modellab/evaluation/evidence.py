"""What a lane did, as the verdict needs it: losses to compare, and what it took to get them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modellab.evaluation.paired import LossArrays
    from modellab.experiment import LaneSpec


@dataclass(frozen=True)
class LaneEvidence:
    """Evidence on one lane.

    Attributes
    ----------
    name, spec, baseline
        Which lane it is; a baseline is there to compare with, and is never recommended.
    losses
        Of its rows, against what is true: 0/1 errors, or absolute errors.
    counters
        ``updates retrains redeploys rejected rollbacks downtime_rows alarms quarantined``; what is
        left out is 0.
    cpu
        CPU seconds by ``predict``, ``learn`` and ``fit``.
    bytes, rows_stored
        Present size of the deployed model; most rows kept for later training at any time.
    staleness
        Mean number of rows from the newest row that the model had learned to the one it predicted;
        None where that means nothing (baselines).
    forgetting
        Best score on the memory set so far less the present one; None if it was not measured.
    downtime_seconds
        Event time in which nothing served.
    alarms
        Positions of the drift alarms on its own error, ascending.
    """

    name: str
    spec: LaneSpec
    baseline: bool
    losses: LossArrays
    counters: Mapping[str, float] = field(default_factory=dict)
    cpu: Mapping[str, float] = field(default_factory=dict)
    bytes: int = 0
    rows_stored: int = 0
    staleness: float | None = None
    forgetting: float | None = None
    downtime_seconds: float = 0.0
    alarms: list[int] = field(default_factory=list)
