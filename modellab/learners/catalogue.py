"""The catalogue of learners: what there is, what it can do, and how to build it.

Importing it imports no library of models: those are loaded when a learner is built, or when a class
is looked up by its name.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from modellab.errors import LearnerError, nearest, quote
from modellab.learners import river_entries, sklearn_entries
from modellab.learners.base import CatalogueEntry, Inputs, Learner, Parameter, TaskKind, View
from modellab.learners.baselines import (
    Baseline,
    LastValue,
    MajorityClass,
    NoChange,
    RunningMean,
)
from modellab.learners.compiled_entries import COMPILED_ENTRIES
from modellab.learners.linear import ENTRY as LINEAR_ENTRY
from modellab.learners.linear import view_of as linear_view
from modellab.learners.river_entries import RIVER_ENTRIES
from modellab.learners.settings import parameters_for as narrowed
from modellab.learners.settings import resolve
from modellab.learners.sklearn_entries import SKLEARN_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modellab.experiment import LearnerSpec

BY_NAME = ("sklearn", "river")
"""The kinds that need a class name."""


def _baseline_builder(make: type[Baseline]) -> Callable[[Inputs, Mapping[str, Any]], Learner]:
    def build(inputs: Inputs, params: Mapping[str, Any]) -> Learner:
        resolve(make.title, (), params, inputs.task.kind)
        learner: Any = make(inputs)
        return learner  # type: ignore[no-any-return]

    return build


def _baseline(
    kind: str, make: type[Baseline], task: TaskKind, story: str, instead: str
) -> CatalogueEntry:
    other: TaskKind = "regression" if task == "classification" else "classification"
    return CatalogueEntry(
        kind=kind,
        title=make.title,
        tasks=(task,),
        family="baseline",
        online=True,
        chunks=True,
        view="raw",
        story=story,
        parameters=(),
        build=_baseline_builder(make),
        why_not={other: f"its counterpart for {other} is {instead}."},
    )


_ENTRIES = (
    LINEAR_ENTRY,
    *COMPILED_ENTRIES,
    *SKLEARN_ENTRIES,
    *RIVER_ENTRIES,
    _baseline(
        "majority_class",
        MajorityClass,
        "classification",
        "Always the most frequent class so far: what any model must beat.",
        "the running mean",
    ),
    _baseline(
        "no_change",
        NoChange,
        "classification",
        "The last label that has arrived: hard to beat where labels come in runs.",
        "the last value",
    ),
    _baseline(
        "running_mean",
        RunningMean,
        "regression",
        "The mean of the target so far: what any model must beat.",
        "the majority class",
    ),
    _baseline(
        "last_value",
        LastValue,
        "regression",
        "The last value that has arrived: hard to beat where the target moves slowly.",
        "no change",
    ),
)

CATALOGUE: Mapping[str, CatalogueEntry] = {e.kind: e for e in _ENTRIES}
"""All learners by the kind used in experiment files, in the order in which they are offered."""


def entry(learner: LearnerSpec | str) -> CatalogueEntry:
    """The catalogue's line for a learner; for a class by name, what that class can do.

    Parameters
    ----------
    learner
        A kind, or a learner of an experiment (the view may depend on its settings).

    Raises
    ------
    LearnerError
        If there is no such kind or class; the nearest is named.
    """
    kind = learner if isinstance(learner, str) else learner.kind
    found = CATALOGUE.get(kind)
    if found is None:
        like = nearest(kind, CATALOGUE)
        hint = f"; did you mean {quote(like)}?" if like else "; see “modellab learners”."
        raise LearnerError(f"There is no learner called {quote(kind)}{hint}")
    if isinstance(learner, str):
        return found
    name = learner.class_name
    if kind not in BY_NAME:
        if name is not None:
            raise LearnerError(
                f"{found.title} takes no class name; only the kinds river and sklearn do."
            )
        if kind == "linear":
            return dataclasses.replace(found, view=linear_view(learner.params))
        return found
    if not name:
        example = "tree.HoeffdingTreeClassifier" if kind == "river" else "svm.SVC"
        raise LearnerError(f'A {kind} learner needs a class, such as class = "{example}".')
    by_name = river_entries.by_name if kind == "river" else sklearn_entries.by_name
    return by_name(found, name)


def view_of(learner: LearnerSpec) -> View:
    """How a learner wants its rows: what `Inputs.names` must be the names of."""
    return entry(learner).view


def for_task(task: TaskKind) -> tuple[CatalogueEntry, ...]:
    """Learners that do a task, in the order in which they are offered."""
    return tuple(e for e in CATALOGUE.values() if task in e.tasks)


def parameters_for(kind: str, task: TaskKind) -> tuple[Parameter, ...]:
    """The editable settings of a learner for a task, with their choices narrowed to it."""
    return narrowed(entry(kind).parameters, task)


def build(learner: LearnerSpec, inputs: Inputs) -> Learner:
    """Build a new, untrained learner.

    Raises
    ------
    LearnerError
        If the kind, the class or a setting is unknown (the nearest known is named), a value is out
        of range, or the learner does not do the task.
    """
    found = entry(learner)
    if inputs.task.kind not in found.tasks:
        reason = found.why_not.get(inputs.task.kind, f"it does {' and '.join(found.tasks)} only.")
        raise LearnerError(f"{found.title} cannot do {inputs.task.kind}: {reason}")
    if inputs.sparse_from is not None and not found.sparse and found.family != "baseline":
        reason = found.why_not.get("text", "it takes only tables without text columns.")
        raise LearnerError(
            f"{found.title} cannot read text columns: {reason} Choose another learner, or ignore "
            "the text columns."
        )
    params: dict[str, Any] = dict(learner.params)
    if learner.class_name is not None:
        params["class"] = learner.class_name
    return found.build(inputs, params)


def as_plain() -> list[dict[str, Any]]:
    """The catalogue as plain values: what ``modellab learners --json`` prints."""
    return [
        {
            "name": e.kind,
            "title": e.title,
            "family": e.family,
            "tasks": list(e.tasks),
            "online": e.online,
            "chunks": e.chunks,
            "view": e.view,
            "story": e.story,
            "why_not": dict(e.why_not),
            "parameters": [_plain(p) for p in e.parameters],
        }
        for e in CATALOGUE.values()
    ]


def _plain(parameter: Parameter) -> dict[str, Any]:
    values = dataclasses.asdict(parameter)
    values["choices"] = list(parameter.choices)
    if parameter.kind != "choice":
        del values["choices"]
    return values
