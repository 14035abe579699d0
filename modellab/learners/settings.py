"""Settings of learners: checked against the catalogue, with sentences that say what is allowed."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from modellab.errors import LearnerError, nearest, quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modellab.learners.base import Parameter, TaskKind

CLASSIFICATION_LOSSES = ("log", "hinge", "squared_hinge", "modified_huber", "perceptron")
REGRESSION_LOSSES = ("squared", "huber", "epsilon_insensitive")

_ONLY: Mapping[str, TaskKind] = {
    "class_weight": "classification",
    "multiclass": "classification",
    "split_criterion": "classification",
    "var_smoothing": "classification",
}
"""Settings that one task alone knows, in whichever learner they appear."""


def parameters_for(parameters: Sequence[Parameter], task: TaskKind) -> tuple[Parameter, ...]:
    """The settings of a learner that make sense for `task`, their choices narrowed to it."""
    return tuple(_narrowed(p, task) for p in parameters if _ONLY.get(p.name, task) == task)


REGRESSION_RATE = 0.001
"""Greatest default of a live step size for numbers.

A step on the squared loss overshoots, and the weights explode, as soon as the step size times the
squared length of a row exceeds 2; a single outlier of 30 deviations makes that 900.
"""


def _narrowed(parameter: Parameter, task: TaskKind) -> Parameter:
    if parameter.name == "learning_rate" and parameter.live and task == "regression":
        slow = min(float(parameter.default or 0.0), REGRESSION_RATE)
        return dataclasses.replace(parameter, default=slow)
    if parameter.name != "loss":
        return parameter
    allowed = CLASSIFICATION_LOSSES if task == "classification" else REGRESSION_LOSSES
    other = REGRESSION_LOSSES if task == "classification" else CLASSIFICATION_LOSSES
    choices = tuple(c for c in parameter.choices if c not in other)
    default = parameter.default
    if default == "auto" or default in other:
        choices = tuple(c for c in choices if c != "auto")
        default = next(c for c in allowed if c in choices)
    return dataclasses.replace(parameter, choices=choices, default=default)


def resolve(
    title: str, parameters: Sequence[Parameter], params: Mapping[str, Any], task: TaskKind
) -> dict[str, Any]:
    """Check given settings and add the defaults of the others.

    Parameters
    ----------
    title
        What the learner is called in messages.
    parameters
        All settings of the learner.
    params
        Settings given, by name. ``"auto"`` and ``"none"`` stand for the default and for "not set".
    task
        The task it will do.

    Raises
    ------
    LearnerError
        If a name is unknown (the nearest known one is named), is for the other task, or a value is
        of a wrong type or out of range.
    """
    known = {p.name: p for p in parameters_for(parameters, task)}
    everything = {p.name for p in parameters}
    for name in params:
        if name in known:
            continue
        if name in everything:
            raise LearnerError(f"{title} has the setting {quote(name)} only for {_ONLY[name]}.")
        raise LearnerError(unknown_setting(title, name, known))
    wishes = {p.name for p in parameters if "auto" in p.choices}
    return {
        name: p.default
        if name not in params or (name in wishes and params[name] == "auto")
        else check_value(title, p, params[name])
        for name, p in known.items()
    }


def unknown_setting(title: str, name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """The sentence for a setting that a learner does not have."""
    sentence = f"{title} has no setting called {quote(name)}"
    like = nearest(name, known)
    if like is not None:
        return f"{sentence}; did you mean {quote(like)}?"
    if not known:
        return f"{sentence}: it has none."
    return f"{sentence}. It has: {', '.join(sorted(known))}."


def check_value(title: str, parameter: Parameter, value: Any) -> Any:
    """Return `value` in the setting's own type.

    Raises
    ------
    LearnerError
        If the type is wrong or the value is out of range; the sentence says what is allowed.
    """
    where = f"{title}: {parameter.name}"
    if value is None or (parameter.optional and value == "none"):
        if parameter.optional:
            return None
        raise LearnerError(f"{where} needs a value.")
    if parameter.kind == "bool":
        if not isinstance(value, bool):
            raise LearnerError(f"{where} must be true or false, not {quote(value)}.")
        return value
    if parameter.kind == "choice":
        if value not in parameter.choices or not isinstance(value, str):
            allowed = ", ".join(parameter.choices)
            raise LearnerError(f"{where} must be one of {allowed}, not {quote(value)}.")
        return value
    return _number(where, parameter, value)


def _number(where: str, parameter: Parameter, value: Any) -> int | float:
    whole = parameter.kind == "int"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        wanted = "a whole number" if whole else "a number"
        raise LearnerError(f"{where} must be {wanted}, not {quote(value)}.")
    if not math.isfinite(value) or (whole and value != int(value)):
        wanted = "a whole number" if whole else "a finite number"
        raise LearnerError(f"{where} must be {wanted}, not {value}.")
    low = -math.inf if parameter.low is None else parameter.low
    high = math.inf if parameter.high is None else parameter.high
    if not low <= value <= high:
        raise LearnerError(
            f"{where} must be between {parameter.low:g} and {parameter.high:g}, not {value:g}."
            if parameter.low is not None and parameter.high is not None
            else f"{where} must be {'at least' if value < low else 'at most'} "
            f"{low if value < low else high:g}, not {value:g}."
        )
    return int(value) if whole else float(value)
