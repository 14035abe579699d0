"""Detectors on river's bundled series whose change points people have marked.

The table of all of them is printed by ``tests/benchmarks/bench_annotated_series.py``; here, that
what people see is found: those series whose marks fit river's rows one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river.drift import datasets

from modellab.evaluation.detectors import make_detector
from modellab.evaluation.drift_scores import AlarmScore, score_alarms

TOLERANCE = 30
PAGE_HINKLEY = {"threshold": 5.0, "min_instances": 10, "delta": 0.1}
KSWIN = {"window_size": 40, "stat_size": 15, "alpha": 0.001}


def scores(series: Any, column: str | None, detector: str, params: dict[str, Any]) -> list[Any]:
    """Scores by the marks of each annotator who made any."""
    raw = np.array([y[column] if column else y for _, y in series], float)
    first = raw[: len(raw) // 5]
    values = (raw - first.mean()) / first.std()
    watcher = make_detector(detector, params)
    alarms: list[int] = []
    at = 0
    while (found := watcher.update(values[at:])) >= 0:
        at += found + 1
        alarms.append(at - 1)
    marks = [known for known in series.annotations.values() if known]
    found_by = [score_alarms(alarms, known, 0, len(raw), TOLERANCE) for known in marks]
    assert len(found_by) >= 4
    return found_by


def mean(found: list[AlarmScore], name: str) -> float:
    values = [getattr(score, name) for score in found]
    return float(np.mean([value for value in values if value is not None]))


@pytest.mark.parametrize(
    ("series", "column", "detector", "params", "recall", "delay", "false"),
    [
        (datasets.RunLog, "Pace", "page_hinkley", PAGE_HINKLEY, 0.95, 5, 6),
        (datasets.RunLog, "Pace", "kswin", KSWIN, 0.7, 15, 6),
        (datasets.Occupancy, "V4", "adwin", {"clock": 1}, 0.8, 20, 5),
        (datasets.Occupancy, "V4", "kswin", KSWIN, 0.85, 15, 12),
        (datasets.AirlinePassengers, None, "kswin", KSWIN, 0.7, 15, 3),
        (datasets.UKCoalEmploy, None, "page_hinkley", PAGE_HINKLEY, 0.65, 10, 3),
    ],
)
def test_what_people_marked_is_found(
    series: Any,
    column: str | None,
    detector: str,
    params: dict[str, Any],
    recall: float,
    delay: float,
    false: float,
) -> None:
    found = scores(series(), column, detector, params)
    assert mean(found, "recall") >= recall
    assert mean(found, "delay") <= delay
    assert mean(found, "false_per_1000") <= false
    assert all(score.detected + score.missed <= score.known for score in found)
