"""Values per second of the compiled drift detectors against river's classes, on the same rows.

Both must give the same alarms, or the benchmark stops. The two take turns, and the median of the
ratios is told, so that a busy machine slows both alike. Run with ``python packaging/dev.py bench
detectors``, or this file itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import figures
import numpy as np
from figures import Figure, Options, in_turn
from river import drift

from modellab.evaluation.detectors import make_detector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OWN_ROWS = 400_000
RIVER_ROWS = {"kswin": 600}
CLASSES: dict[str, Any] = {
    "adwin": drift.ADWIN,
    "ddm": drift.binary.DDM,
    "eddm": drift.binary.EDDM,
    "hddm_a": drift.binary.HDDMA,
    "hddm_w": drift.binary.HDDMW,
    "page_hinkley": drift.PageHinkley,
    "kswin": drift.KSWIN,
}


def stream(rows: int) -> np.ndarray:
    """Wrong (1) and right (0), whose rate changes every 20,000 rows."""
    rng = np.random.default_rng(0)
    rates = np.repeat(rng.uniform(0.1, 0.5, -(-rows // 20_000)), 20_000)[:rows]
    return (rng.random(rows) < rates).astype(np.float64)


def river_run(name: str, values: np.ndarray) -> tuple[float, list[int]]:
    """Seconds of CPU, and the alarms, of river's class."""
    detector = CLASSES[name](**({"seed": 0} if name == "kswin" else {}))
    given = values.tolist()
    alarms = []
    start = time.thread_time()
    for i, value in enumerate(given):
        detector.update(value)
        if detector.drift_detected:
            alarms.append(i)
    return time.thread_time() - start, alarms


def own_run(name: str, values: np.ndarray) -> tuple[float, list[int]]:
    """Seconds of CPU, and the alarms, of the compiled loop, fed in blocks of 1,024."""
    detector = make_detector(name, {})
    alarms = []
    start = time.thread_time()
    for first in range(0, len(values), 1024):
        block = values[first : first + 1024]
        at = 0
        while at < len(block) and (found := detector.update(block[at:])) >= 0:
            at += found + 1
            alarms.append(first + at - 1)
    return time.thread_time() - start, alarms


def against_river(name: str) -> Callable[[Options], Iterator[Figure]]:
    """One detector, in turn."""

    def group(options: Options) -> Iterator[Figure]:
        few = RIVER_ROWS.get(name, 10_000) // (10 if options.quick else 1)
        values = stream(few if options.quick else OWN_ROWS)
        if river_run(name, values[:few])[1] != own_run(name, values[:few])[1]:
            raise SystemExit(f"{name}: other alarms than river's: this compares unlike things.")
        own, river, ratio = in_turn(
            lambda: len(values) / own_run(name, values)[0],
            lambda: few / river_run(name, values[:few])[0],
            options.rounds,
        )
        yield Figure(
            f"Detector {name}, against river",
            ratio,
            "x",
            own=own,
            peer=river,
            sides="values/s",
            note="the same alarms",
        )

    group.__doc__ = f"Detector {name}, against river"
    return group


def measure(options: Options) -> Iterator[Figure]:
    """Every detector."""
    yield from figures.each(options, *map(against_river, CLASSES))


if __name__ == "__main__":
    figures.main(measure)
