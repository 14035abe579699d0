"""What a person changes on the Data page, as new experiments with the words of the undo step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modellab.errors import quote
from modellab.experiment import KINDS, Experiment, Kind, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

ROLES = ("feature", "target", "time", "ignored")

KIND_TEXTS: dict[str, tuple[str, str]] = {
    "number": ("number", "hash"),
    "category": ("category", "tag"),
    "text": ("text", "text-aa"),
    "time": ("date-time", "calendar-blank"),
    "boolean": ("yes or no", "toggle-right"),
}
"""Words and icon of every kind."""

ROLE_TEXTS: dict[str, tuple[str, str]] = {
    "feature": ("feature", "arrow-right"),
    "target": ("target", "target"),
    "time": ("time", "clock"),
    "ignored": ("ignored", "eye-slash"),
}
"""Words and icon of every role."""

assert set(KIND_TEXTS) == set(KINDS)


@dataclass(frozen=True)
class Edit:
    """A change: what undo will call it, and the experiment after it."""

    text: str
    experiment: Experiment


def with_role(experiment: Experiment, column: str, role: str) -> Edit | str:
    """Give a column a role; returns a sentence instead where that cannot be."""
    data = experiment.data
    if column == data.target:
        return "Something must be predicted: give another column the role target instead."
    ignore = [c for c in data.ignore if c != column]
    time = None if data.time == column else data.time
    target = data.target
    if role == "target":
        target = column
    elif role == "time":
        time = column
    elif role == "ignored":
        ignore.append(column)
    text = {
        "target": f"Predict {quote(column)}",
        "time": f"Take {quote(column)} as the time",
        "ignored": f"Ignore {quote(column)}",
        "feature": f"Use {quote(column)} as a feature",
    }[role]
    spec = replace(data, target=target, time=time, ignore=ignore)
    if time is None and data.sort:
        spec = replace(spec, sort=False)
    return Edit(text, replace(experiment, data=spec))


def with_kind(experiment: Experiment, column: str, kind: Kind, detected: str) -> Edit:
    """Take a column as another kind; the detected one needs no entry."""
    kinds = {k: v for k, v in experiment.data.kinds.items() if k != column}
    if kind != detected:
        kinds[column] = kind
    data = replace(experiment.data, kinds=kinds)
    words = KIND_TEXTS[kind][0]
    return Edit(f"Take {quote(column)} as {words}", replace(experiment, data=data))


def without(experiment: Experiment, columns: Iterable[str]) -> Edit:
    """Ignore columns (never the target)."""
    data = experiment.data
    names = [c for c in columns if c != data.target and c not in data.ignore]
    time = None if data.time in names else data.time
    spec = replace(data, ignore=[*data.ignore, *names], time=time)
    what = quote(names[0]) if len(names) == 1 else f"{len(names)} columns"
    return Edit(f"Ignore {what}", replace(experiment, data=spec))


def with_split(experiment: Experiment, rows: int) -> Edit:
    """End the training window after so many rows."""
    split = replace(experiment.split, train=rows)
    return Edit("Move the split", replace(experiment, split=split))


def with_test_share(experiment: Experiment, share: float) -> Edit:
    """Hold back another share of the training window for the test."""
    split = replace(experiment.split, test=share)
    return Edit("Change the test part", replace(experiment, split=split))


def with_sort(experiment: Experiment, sort: bool) -> Edit:
    """Put the rows in time order, or leave them as in the file."""
    data = replace(experiment.data, sort=sort)
    text = "Sort by time" if sort else "Keep the file's order"
    return Edit(text, replace(experiment, data=data))
