"""Drift detectors on the stream of a lane's losses, fed block by block.

ADWIN (Bifet and Gavalda 2007), DDM (Gama et al. 2004), EDDM (Baena-Garcia et al. 2006), HDDM-A and
HDDM-W (Frias-Blanco et al. 2014), Page-Hinkley (Page 1954) and KSWIN (Raab et al. 2020), with the
settings, the defaults and, to the row, the alarms of river's classes (compiled loops:
`modellab.evaluation.compiled`).

What a detector says depends on the values and their order only, never on how they were cut into
calls. KSWIN draws its samples from a generator that begins anew with every reset (as river's class
with ``seed=0``), so it says the same each time.

Losses without an upper bound
-----------------------------
All but KSWIN (which looks at ranks only) expect losses in [0, 1]. With ``bounded=False`` the first
`SCALE_ROWS` values after each reset only set the scale, and the detector sees ``clip(value / s, 0,
1)`` of those that follow, where `s` is twice their 0.9 quantile. EDDM, which knows right and wrong
only, takes a scaled value of one half or more (a loss above that quantile) as wrong. Where the
quantile is 0, any loss above 0 counts as 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modellab.errors import ExperimentError, nearest, quote
from modellab.evaluation.detectors_compiled import CompiledDetector
from modellab.experiment_policies import DETECTOR_SETTINGS, DetectorName, check_detector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.experiment_values import Scalar

SCALE_ROWS = 256
"""So many values set the scale of losses that have no upper bound."""
SCALE_QUANTILE = 0.9

DEFAULTS: dict[str, dict[str, float]] = {
    "adwin": {
        "delta": 0.002,
        "clock": 32,
        "max_buckets": 5,
        "min_window_length": 5,
        "grace_period": 10,
    },
    "ddm": {"warm_start": 30, "warning_threshold": 2.0, "drift_threshold": 3.0},
    "eddm": {"warm_start": 30, "alpha": 0.95, "beta": 0.9},
    "hddm_a": {"drift_confidence": 0.001, "warning_confidence": 0.005},
    "hddm_w": {"drift_confidence": 0.001, "warning_confidence": 0.005, "lambda_val": 0.05},
    "page_hinkley": {"min_instances": 30, "delta": 0.005, "threshold": 50.0, "alpha": 0.9999},
    "kswin": {"alpha": 0.005, "window_size": 100, "stat_size": 30},
}
"""Settings of each detector when none are given (river's)."""

_WHOLE = frozenset(
    {
        "clock",
        "max_buckets",
        "min_window_length",
        "grace_period",
        "warm_start",
        "min_instances",
        "window_size",
        "stat_size",
    }
)


class Detector(Protocol):
    """What watches one stream of numbers for a change of its mean or distribution."""

    def update(self, values: NDArray[np.float64]) -> int:
        """Feed values (n,) in order, NaN skipped; stop at an alarm.

        Returns
        -------
        int
            Index of the value at which it alarms (those after it are not consumed), or -1. The
            next value that is fed after an alarm finds the detector as new.
        """

    @property
    def warning(self) -> bool:
        """Whether it is in its warning zone now (False for detectors that have none)."""

    @property
    def risen(self) -> bool:
        """Whether the values rose where it has just alarmed; False before the first alarm.

        To be asked before another value is fed.
        """

    @property
    def estimate(self) -> float | None:
        """Mean of the values as the detector sees it now.

        None before the first one, and for EDDM on losses without a bound.
        """

    def reset(self) -> None:
        """Forget all."""

    def state(self) -> dict[str, Any]:
        """Return all there is to know, as plain values and arrays."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` of a detector with the same settings gave."""


def make_detector(
    name: DetectorName | str, params: Mapping[str, Scalar], bounded: bool = True
) -> Detector:
    """Make a drift detector.

    Parameters
    ----------
    name
        One of `modellab.experiment_policies.DETECTOR_SETTINGS`.
    params
        Its settings; those left out have their defaults.
    bounded
        Whether all values lie in [0, 1], as errors of a classification do; if not they are scaled
        (see the module).

    Raises
    ------
    ExperimentError
        If there is no such detector, or a setting is unknown, out of range or at odds with
        another one.
    """
    settings = detector_settings(name, params)
    detector: Detector = CompiledDetector(name, settings)
    if bounded or name == "kswin":
        return detector
    return _Scaled(detector, binary=name == "eddm")


def detector_settings(name: str, params: Mapping[str, Scalar]) -> dict[str, float]:
    """Return all settings of a detector, checked; raises `ExperimentError` as `make_detector`."""
    if name not in DETECTOR_SETTINGS:
        like = nearest(name, DETECTOR_SETTINGS)
        hint = f"did you mean {like}?" if like else f"known: {', '.join(DETECTOR_SETTINGS)}."
        raise ExperimentError(f"There is no drift detector called {quote(name)}; {hint}")
    check_detector(name, dict(params), "")
    settings: dict[str, float] = {**DEFAULTS[name], **{k: float(v) for k, v in params.items()}}
    for key in settings:
        if key not in _WHOLE:
            continue
        if settings[key] != int(settings[key]):
            raise ExperimentError(
                f"{name}: {key} is {settings[key]:g}, but must be a whole number."
            )
        settings[key] = int(settings[key])
    if name == "eddm" and settings["alpha"] < settings["beta"]:
        raise ExperimentError(
            f"eddm: alpha (where it warns) is {settings['alpha']:g}, but must not be below beta "
            f"(where it alarms), which is {settings['beta']:g}."
        )
    if name == "kswin" and settings["window_size"] < 2 * settings["stat_size"]:
        raise ExperimentError(
            f"kswin: window_size is {settings['window_size']:,}, but must be at least twice "
            f"stat_size, which is {settings['stat_size']:,}."
        )
    return settings


class _Scaled:
    """A detector of values in [0, 1], fed with losses that have no upper bound."""

    def __init__(self, inner: Detector, binary: bool) -> None:
        self._inner = inner
        self._binary = binary
        self.reset()

    def reset(self) -> None:
        self._inner.reset()
        self._first = np.empty(SCALE_ROWS)
        self._held = 0
        self._scale = -1.0
        self._alarmed = False

    def update(self, values: NDArray[np.float64]) -> int:
        values = np.asarray(values, np.float64)
        if self._alarmed and not np.isnan(values).all():
            self.reset()
        start = 0
        if self._scale < 0.0:
            start = self._learn_scale(values)
            if self._scale < 0.0:
                return -1
        found = self._inner.update(self._scaled(values[start:]))
        if found < 0:
            return -1
        self._alarmed = True
        return start + found

    def _learn_scale(self, values: NDArray[np.float64]) -> int:
        """Take values until the scale is known; return how many were taken."""
        present = np.flatnonzero(~np.isnan(values))[: SCALE_ROWS - self._held]
        self._first[self._held : self._held + len(present)] = values[present]
        self._held += len(present)
        if self._held < SCALE_ROWS:
            return len(values)
        self._scale = 2.0 * float(np.quantile(self._first, SCALE_QUANTILE))
        return int(present[-1]) + 1 if len(present) else 0

    def _scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._scale > 0.0:
            scaled = np.clip(values / self._scale, 0.0, 1.0)
        else:
            scaled = np.where(np.isnan(values), np.nan, values > 0.0)
        if self._binary:
            scaled = np.where(np.isnan(scaled), np.nan, scaled >= 0.5)
        return np.ascontiguousarray(scaled, np.float64)

    @property
    def warning(self) -> bool:
        return self._inner.warning

    @property
    def risen(self) -> bool:
        return self._inner.risen

    @property
    def estimate(self) -> float | None:
        if self._binary:
            return None
        inner = self._inner.estimate if self._scale >= 0.0 else None
        if inner is None:
            return float(self._first[: self._held].mean()) if self._held else None
        return inner * (self._scale or 1.0)

    def state(self) -> dict[str, Any]:
        return {
            "inner": self._inner.state(),
            "first": self._first[: self._held].copy(),
            "scale": self._scale,
            "alarmed": self._alarmed,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._inner.load_state(state["inner"])
        first = state["first"]
        self._held = len(first)
        self._first[: self._held] = first
        self._scale, self._alarmed = float(state["scale"]), bool(state["alarmed"])
