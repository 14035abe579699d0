"""Detectors on the series of river whose change points people have marked.

The series and the marks come from the Turing Change Point Dataset (van den Burg and Williams 2020).
Left out are the three whose marks do not fit river's rows one by one: Apple and Brent are marked on
a thinned series, Bitcoin on a shorter one. Values are counted in standard deviations from the mean
of the first fifth; each annotator's marks are scored apart and the scores averaged over those who
marked anything. Detectors look at the values themselves: at what a model that always predicts the
first fifth's mean would get wrong, with its sign.

Run with ``python packaging/dev.py bench annotated_series``, or this file itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from river.drift import datasets

from modellab.evaluation.detectors import Detector, make_detector
from modellab.evaluation.drift_scores import AlarmScore, score_alarms

SERIES: dict[str, tuple[Any, str | None]] = {
    "airline passengers": (datasets.AirlinePassengers, None),
    "occupancy (V4, CO2)": (datasets.Occupancy, "V4"),
    "occupancy (V1, temperature)": (datasets.Occupancy, "V1"),
    "run log (pace)": (datasets.RunLog, "Pace"),
    "UK coal employment": (datasets.UKCoalEmploy, None),
}
DETECTORS: dict[str, dict[str, Any]] = {
    "adwin": {"clock": 1},
    "page_hinkley": {"threshold": 5.0, "min_instances": 10, "delta": 0.1},
    "kswin": {"window_size": 40, "stat_size": 15, "alpha": 0.001},
}
TOLERANCE = 30


def series(name: str) -> tuple[np.ndarray, list[list[int]]]:
    """Values (n,) of a series, and the marks of each annotator who made any."""
    made, column = SERIES[name][0](), SERIES[name][1]
    raw = [target[column] if column else target for _, target in made]
    values = np.array(raw, np.float64)
    first = values[: len(values) // 5]
    values = (values - np.nanmean(first)) / (np.nanstd(first) or 1.0)
    return values, [list(marks) for marks in made.annotations.values() if marks]


def alarms_of(detector: Detector, values: np.ndarray) -> list[int]:
    """All alarms."""
    alarms: list[int] = []
    at = 0
    while (found := detector.update(values[at:])) >= 0:
        at += found + 1
        alarms.append(at - 1)
    return alarms


def scores(name: str, detector: str) -> list[AlarmScore]:
    """The score by each annotator's marks."""
    values, marks = series(name)
    alarms = alarms_of(make_detector(detector, DETECTORS[detector]), values)
    return [score_alarms(alarms, known, 0, len(values), TOLERANCE) for known in marks]


def mean(values: list[float | None]) -> str:
    """Mean of what there is."""
    there = [value for value in values if value is not None]
    return f"{sum(there) / len(there):8.2f}" if there else "       -"


def main() -> None:
    """Print the table."""
    print(f"An alarm within {TOLERANCE} rows after a mark found it; means over annotators.")
    print(
        "series                       detector       rows  alarms   recall   missed    delay  false"
    )
    for name in SERIES:
        rows = len(series(name)[0])
        for detector in DETECTORS:
            found = scores(name, detector)
            print(
                f"{name:28s} {detector:13s} {rows:5d} {found[0].alarms:7d}"
                f" {mean([s.recall for s in found])} {mean([float(s.missed) for s in found])}"
                f" {mean([s.delay for s in found])} {mean([s.false_per_1000 for s in found])}"
            )
    print("false: false alarms per 1,000 rows.")


if __name__ == "__main__":
    main()
