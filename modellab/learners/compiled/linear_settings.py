"""Settings of the compiled linear models: words, ranges, checks, and their places in the arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CLASSIFICATION_LOSSES = ("log", "hinge", "squared_hinge", "modified_huber", "perceptron")
REGRESSION_LOSSES = ("squared", "huber", "epsilon_insensitive")
LOSSES = CLASSIFICATION_LOSSES + REGRESSION_LOSSES
PASSIVE_AGGRESSIVE = ("pa", "pa1", "pa2")
SCHEDULES = ("constant", "invscaling", "optimal", "adagrad", "adam", "ftrl", *PASSIVE_AGGRESSIVE)
PASSIVE_LOSSES = ("hinge", "epsilon_insensitive")
PENALTIES = ("none", "l2", "l1", "elasticnet")
SCALES = ("none", "online")
MULTICLASS = ("one against the rest", "softmax")

RATES: tuple[float, ...] = (
    0.0001,
    0.00031622776601683794,
    0.001,
    0.0031622776601683794,
    0.01,
    0.031622776601683794,
    0.1,
    0.31622776601683794,
    1.0,
)
"""The step sizes carried along with `track_rates`: powers of ten and the points half-way."""

RATES_WINDOW = 5000
"""The carried rates are compared over so many rows, the last ones whose label has come."""

ASKED_MOST = 65536
"""So many rows may wait for their label before the oldest is left out of that comparison."""

LANES = 12
BLOCK = 2048
"""Rows that the compiled loop goes over before it writes their answers, as in _linear.pyx."""

# Places in the arrays `counters`, `choices` and `settings`, as in _linear.pyx.
COUNTERS = (
    "steps",
    "scaled",
    "waiting",
    "skipped",
    "asked_first",
    "asked",
    "errors_next",
    "errors",
    "moment_steps",
    "averaged",
)
CHOICES = (
    "loss",
    "schedule",
    "penalty",
    "scale",
    "fit_intercept",
    "regression",
    "track_rates",
    "multiclass",
    "average",
)
SETTINGS = (
    "learning_rate",
    "alpha",
    "l1_ratio",
    "epsilon",
    "power_t",
    "optimal_start",
    "clip",
    "beta_1",
    "beta_2",
    "ftrl_beta",
)
WORDS = {
    "loss": LOSSES,
    "schedule": SCHEDULES,
    "penalty": PENALTIES,
    "scale": SCALES,
    "multiclass": MULTICLASS,
}
FLAGS = ("fit_intercept", "track_rates", "average")
STEEPEST = 1e12
"""The slope of a loss is cut off here, as in scikit-learn, unless `clip` says sooner."""
NUMBERS = (
    "learning_rate",
    "alpha",
    "l1_ratio",
    "epsilon",
    "power_t",
    "beta_1",
    "beta_2",
    "ftrl_beta",
)
FIXED = ("loss", "scale", "fit_intercept", "multiclass", "average")
# What a state carries, with the arrays that only AdaGrad or the carried rates need.
MODEL_ARRAYS = ("weights", "squares", "mean", "variance", "inverse")
MOMENT_ARRAYS = ("moments", "bias_moments")
AVERAGE_ARRAYS = ("average", "bias_average")
RATE_ARRAYS = ("rate_weights", "rate_bias", "rate_squares", "rate_bias_squares")


def checked_parameters(parameters: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    """Return settings in their own types; raise ValueError with the name of a wrong one."""
    checked = dict(parameters)
    for name, words in WORDS.items():
        if checked[name] not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}")
    for name in FLAGS:
        if not isinstance(checked[name], (bool, np.bool_)):
            raise ValueError(f"{name} must be true or false")
        checked[name] = bool(checked[name])
    for name in NUMBERS:
        value = checked[name]
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise ValueError(f"{name} must be a number")
        value = float(value)
        if not 0.0 <= value <= 1e6:
            raise ValueError(f"{name} must be between 0 and 1000000")
        checked[name] = value
    _check_together(checked, outputs)
    return checked


def _check_together(checked: Mapping[str, Any], outputs: int) -> None:
    """What one setting says of another."""
    if not 0.0 <= float(checked["clip"]) <= STEEPEST:
        raise ValueError(f"clip must be between 0 and {STEEPEST:.0f}")
    if checked["learning_rate"] == 0.0:
        raise ValueError("learning_rate must be above 0")
    if checked["l1_ratio"] > 1.0:
        raise ValueError("l1_ratio must be between 0 and 1")
    if checked["schedule"] == "optimal" and checked["alpha"] == 0.0:
        raise ValueError("the schedule optimal needs alpha above 0")
    if not (1e-6 <= checked["beta_1"] < 1.0 and 1e-6 <= checked["beta_2"] < 1.0):
        raise ValueError("beta_1 and beta_2 must be between 0.000001 and 1, and not 1")
    if checked["schedule"] in PASSIVE_AGGRESSIVE and checked["loss"] not in PASSIVE_LOSSES:
        raise ValueError(
            f"the schedule {checked['schedule']} needs the loss hinge (for classes) or "
            "epsilon_insensitive (for numbers)"
        )
    if checked["multiclass"] == "softmax" and checked["loss"] != "log":
        raise ValueError("softmax needs the loss log")
    if checked["loss"] in REGRESSION_LOSSES and outputs != 1:
        raise ValueError(f"the loss {checked['loss']} has one output")


def carries(parameters: Mapping[str, Any]) -> bool:
    """Whether the nine step sizes are carried along: asked for, and there is a plain one."""
    return bool(
        parameters["track_rates"]
        and parameters["schedule"] in ("constant", "invscaling", "adagrad")
        and parameters["multiclass"] != "softmax"
        and not parameters["average"]
    )


def step_size(parameters: Mapping[str, Any], settings: NDArray[np.float64], t: int) -> float:
    """*eta* of step *t* (adagrad, adam, ftrl: before each weight's own share of it).

    `settings` are the numbers among `parameters`, as the compiled loops take them.
    With "pa1" and "pa2" it is the limit *C*, with "pa", which has none, 1.
    """
    p, start = parameters, settings[SETTINGS.index("optimal_start")]
    if p["schedule"] == "optimal":
        return float(1.0 / (p["alpha"] * (float(start) + t - 1.0)))
    if p["schedule"] == "invscaling":
        return float(p["learning_rate"] / t ** p["power_t"])
    return 1.0 if p["schedule"] == "pa" else float(p["learning_rate"])
