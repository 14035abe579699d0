"""The drift detectors as compiled loops: settings and states of `modellab.evaluation.compiled`.

A state is five arrays: `numbers` and `counters` (what the method keeps), `table` (ADWIN's buckets,
KSWIN's window), `words` (KSWIN's random generator) and, unchanging, `settings`. The places in them
are named in ``_drift.pyx``.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

KINDS = ("adwin", "ddm", "eddm", "hddm_a", "hddm_w", "page_hinkley", "kswin")
"""Names in the order of the kernel's codes."""

_SHARED = 3  # counters: alarmed (see `_ROSE`), warning, seen
_ROSE = 2
_ADWIN_ROWS = 64
_COUNTERS = _SHARED + 1 + _ADWIN_ROWS
_NUMBERS = 8
_STATE = ("numbers", "counters", "table", "words")
# Where `estimate` stands in `numbers` (ADWIN, EDDM and KSWIN have other ways).
_MEAN = 0


class CompiledDetector:
    """A detector of `modellab.evaluation.detectors.Detector` for values in [0, 1].

    Parameters
    ----------
    name
        One of `KINDS`.
    settings
        All its settings, checked.
    """

    def __init__(self, name: str, settings: Mapping[str, float]) -> None:
        from modellab.evaluation.compiled import _drift

        self._run, self._reset = _drift.run, _drift.reset
        self._name = name
        self._kind = KINDS.index(name)
        self._settings = np.array(_prepared(name, settings), np.float64)
        self._numbers = np.zeros(_NUMBERS)
        self._counters = np.zeros(_COUNTERS, np.int64)
        table, words = _room(name, settings)
        self._table = np.zeros(max(table, 1))
        self._words = np.zeros(max(words, 1), np.uint32)
        self._seeded = np.zeros(0, np.uint32)
        if name == "kswin":
            self._seeded = np.array(random.Random(0).getstate()[1], np.uint32)
        self.reset()

    def update(self, values: NDArray[np.float64]) -> int:
        """Feed values (n,) up to the first alarm; return its index, or -1."""
        return self._run(
            self._kind,
            self._settings,
            self._numbers,
            self._counters,
            self._table,
            self._words,
            self._seeded,
            np.ascontiguousarray(values, np.float64),
        )

    @property
    def warning(self) -> bool:
        """Whether it is in its warning zone now."""
        return bool(self._counters[1])

    @property
    def risen(self) -> bool:
        """Whether the alarm just given is of a rise.

        ADWIN: the mean of the values that it keeps exceeds that of the whole window before the
        alarm. Page-Hinkley: the sum for rises went further than the one for falls. KSWIN: the mean
        of the newest `stat_size` values exceeds that of those before them in its window. The others
        look for rises only (EDDM: errors that come closer together).
        """
        return bool(self._counters[0] == _ROSE)

    @property
    def estimate(self) -> float | None:
        """Mean of the values as the method sees it now, None before the first one.

        ADWIN: of its window. EDDM: one over the mean distance of errors. HDDM-W: the fading mean.
        KSWIN: of its window. The others: of all values since the last reset.
        """
        seen = int(self._counters[2])
        if not seen:
            return None
        if self._name == "adwin":
            return float(self._numbers[0] / self._numbers[2])
        if self._name == "eddm":
            return 1.0 / float(self._numbers[_MEAN]) if self._numbers[_MEAN] > 0.0 else 0.0
        if self._name == "kswin":
            window = int(self._settings[0])
            return float(self._table[: min(seen, window)].mean())
        return float(self._numbers[_MEAN])

    def reset(self) -> None:
        """Forget all."""
        self._reset(self._kind, self._numbers, self._counters, self._words, self._seeded)

    def state(self) -> dict[str, Any]:
        """Return the arrays of the state, copied."""
        found = {name: getattr(self, f"_{name}").copy() for name in _STATE}
        if self._name == "adwin":  # what lies behind a row's buckets depends on how values came
            there = self._counters[_SHARED + 1 :]
            places = found["table"].reshape(2, _ADWIN_ROWS, -1)
            places[:, np.arange(places.shape[2]) >= there[:, None]] = 0.0
        return found

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state of a detector with the same settings."""
        for name in _STATE:
            getattr(self, f"_{name}")[:] = state[name]


def _prepared(name: str, settings: Mapping[str, float]) -> list[float]:
    """Settings in the kernel's order, with what depends on nothing else worked out."""
    if name == "adwin":
        keys = ("delta", "clock", "max_buckets", "min_window_length", "grace_period")
        return [settings[key] for key in keys]
    if name == "ddm":
        return [settings[k] for k in ("warm_start", "warning_threshold", "drift_threshold")]
    if name == "eddm":
        return [settings[k] for k in ("warm_start", "alpha", "beta")]
    if name == "page_hinkley":
        return [settings[k] for k in ("min_instances", "delta", "threshold", "alpha")]
    if name == "kswin":
        size = int(settings["stat_size"])
        # Python's random.sample draws from a pool up to this population, else from a set.
        pool = 21 + (4 ** math.ceil(math.log(size * 3, 4)) if size > 5 else 0)
        apart = steps_of_alarm(size, settings["alpha"])
        return [settings["window_size"], size, apart, pool]
    drift, warn = settings["drift_confidence"], settings["warning_confidence"]
    if name == "hddm_a":
        return _logs(1.0 / drift, 2.0 / drift, 2.0 / warn)
    return [*_logs(1.0 / drift, 1.0 / warn), settings["lambda_val"]]


def _logs(*values: float) -> list[float]:
    from modellab.learners.compiled import _math

    x = np.array(values)
    out = np.empty_like(x)
    _math.log(x, out)
    return [float(value) for value in out]


def _room(name: str, settings: Mapping[str, float]) -> tuple[int, int]:
    """Length of `table` and of `words`."""
    if name == "adwin":
        return 2 * _ADWIN_ROWS * (int(settings["max_buckets"]) + 1), 0
    if name == "kswin":
        window, size = int(settings["window_size"]), int(settings["stat_size"])
        return window + 2 * size, 625 + window - size
    return 0, 0


def steps_of_alarm(size: int, alpha: float) -> int:
    """Smallest distance of the staircases of two samples of `size` values at which KSWIN alarms.

    In steps of 1 / `size`: it alarms where the p-value of the Kolmogorov-Smirnov test (exact up to
    10,000 values, as scipy decides) is at most `alpha` and the distance is above 0.1. Equal sizes
    make the p-value a function of that whole number alone, so it is looked up once by bisection.
    """
    import warnings

    from scipy.stats import ks_2samp

    values = np.arange(size, dtype=np.float64)

    def alarms(steps: int) -> bool:
        with warnings.catch_warnings():  # as river: where the exact way fails, scipy says so
            warnings.simplefilter("ignore", RuntimeWarning)
            p = ks_2samp(values, values + steps, method="auto").pvalue
        return bool(p <= alpha) and 10 * steps > size

    low, high = 0, size + 1
    while low + 1 < high:
        middle = (low + high) // 2
        if alarms(middle):
            high = middle
        else:
            low = middle
    return high
