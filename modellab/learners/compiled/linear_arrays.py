"""The arrays of a compiled linear model: made, and brought in line with its settings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.learners.compiled.linear_settings import (
    AVERAGE_ARRAYS,
    CHOICES,
    COUNTERS,
    MOMENT_ARRAYS,
    REGRESSION_LOSSES,
    SETTINGS,
    STEEPEST,
    WORDS,
    carries,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def width_of(features: int) -> int:
    """Columns in memory: whole groups of eight, the rest of them 0."""
    return -(-features // 8) * 8


def blank_arrays(outputs: int, features: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a model that has learned nothing, without those of carried rates."""
    k, width = outputs, width_of(features)
    arrays: dict[str, NDArray[Any]] = {
        "counters": np.zeros(len(COUNTERS), np.int64),
        "choices": np.zeros(len(CHOICES), np.int64),
        "settings": np.zeros(len(SETTINGS)),
        "weights": np.zeros((k, width)),
        "squares": np.zeros((k, width)),
        "bias": np.zeros(k),
        "bias_squares": np.zeros(k),
        "moments": np.zeros((k, width)),
        "bias_moments": np.zeros(k),
        "average": np.zeros((k, width)),
        "bias_average": np.zeros(k),
        "mean": np.zeros(width),
        "variance": np.zeros(width),
        "inverse": np.zeros(width),
        "waiting": np.zeros((1, features)),
        "waiting_y": np.zeros(1),
        "z": np.zeros(width),
        "ahead": np.zeros((8, width)),
        "score": np.zeros(k),
        "steep": np.zeros(k),
        "gradient": np.zeros((k, width)),
        "bias_gradient": np.zeros(k),
    }
    arrays["counters"][COUNTERS.index("steps")] = 1
    return arrays


def more_arrays(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Arrays that only some settings need, and a state only then has."""
    moments = MOMENT_ARRAYS if parameters["schedule"] in ("adam", "ftrl") else ()
    return moments + (AVERAGE_ARRAYS if parameters["average"] else ())


def write_settings(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], outputs: int
) -> None:
    """Put checked settings where the compiled loops look for them."""
    p = parameters
    choices, settings = arrays["choices"], arrays["settings"]
    for place, name in enumerate(CHOICES):
        if name == "multiclass":
            choices[place] = p[name] == "softmax" and outputs > 1
        elif name in WORDS:
            choices[place] = WORDS[name].index(p[name])
        elif name == "regression":
            choices[place] = p["loss"] in REGRESSION_LOSSES
        elif name == "track_rates":
            choices[place] = carries(p)
        else:
            choices[place] = p[name]
    for place, name in enumerate(SETTINGS):
        settings[place] = p.get(name, 0.0)  # optimal_start is no setting of its own
    settings[SETTINGS.index("clip")] = p["clip"] or STEEPEST
    if p["schedule"] == "optimal":
        first = math.sqrt(1.0 / math.sqrt(p["alpha"]))
        settings[SETTINGS.index("optimal_start")] = 1.0 / (first * p["alpha"])


def prepare_moments(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], before: str
) -> None:
    """After a change of settings in flight: Adam starts anew, FTRL from the weights of now.

    Parameters
    ----------
    arrays
        Of the model; changed in place. No weight changes.
    parameters
        As they are now.
    before
        The schedule before the change.
    """
    p, now = parameters, parameters["schedule"]
    if before != now and {before, now} & {"adam", "ftrl"}:
        for name in (*MOMENT_ARRAYS, "squares", "bias_squares"):
            arrays[name][...] = 0.0
        arrays["counters"][COUNTERS.index("moment_steps")] = 0
    if now != "ftrl":
        return
    share = {"l1": 1.0, "l2": 0.0, "none": 0.0, "elasticnet": p["l1_ratio"]}[p["penalty"]]
    l1 = p["alpha"] * share
    l2 = 0.0 if p["penalty"] == "none" else p["alpha"] * (1.0 - share)
    for w, z, n, one, two in (
        ("weights", "moments", "squares", l1, l2),
        ("bias", "bias_moments", "bias_squares", 0.0, 0.0),
    ):
        value = arrays[w]
        held = value * ((p["ftrl_beta"] + np.sqrt(arrays[n])) / p["learning_rate"] + two)
        kept = np.clip(arrays[z], -one, one)  # a weight of 0 stays 0
        arrays[z][...] = np.where(value == 0.0, kept, -held - np.sign(value) * one)
