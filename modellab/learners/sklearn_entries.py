"""The catalogue's lines for scikit-learn. scikit-learn is imported when a learner is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab.learners import sklearn_params as settings
from modellab.learners.base import CatalogueEntry, Inputs, Learner, Parameter, TaskKind, View
from modellab.learners.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BOTH: tuple[TaskKind, ...] = ("classification", "regression")
CLASSES: tuple[TaskKind, ...] = ("classification",)
NUMBERS: tuple[TaskKind, ...] = ("regression",)

_AT_ONCE = "it looks at all training rows at once; retrain it on a schedule instead."
_NO_CHUNKS = "it needs all training rows in memory at once."


def _builder(
    recipe: str, title: str, parameters: tuple[Parameter, ...]
) -> Callable[[Inputs, Mapping[str, Any]], Learner]:
    def build(inputs: Inputs, params: Mapping[str, Any]) -> Learner:
        values = resolve(title, parameters, params, inputs.task.kind)
        from modellab.learners import sklearn_family, sklearn_make

        return sklearn_family.build(title, inputs, values, getattr(sklearn_make, recipe))

    return build


def _entry(
    kind: str,
    title: str,
    tasks: tuple[TaskKind, ...],
    view: View,
    story: str,
    parameters: tuple[Parameter, ...],
    why_not: Mapping[str, str] | None = None,
    *,
    online: bool = False,
    sparse: bool = False,
) -> CatalogueEntry:
    reasons = dict(why_not or {})
    if not online:
        reasons = {"online": _AT_ONCE, "chunks": _NO_CHUNKS} | reasons
    return CatalogueEntry(
        kind=kind,
        title=title,
        tasks=tasks,
        family="scikit-learn",
        online=online,
        chunks=online,
        view=view,
        story=story,
        parameters=parameters,
        build=_builder(kind, title, parameters),
        why_not=reasons,
        sparse=sparse,
    )


def _build_generic(inputs: Inputs, params: Mapping[str, Any]) -> Learner:
    from modellab.learners import sklearn_family, sklearn_make

    title = f"scikit-learn's {params.get('class', '')}"
    return sklearn_family.build(title, inputs, params, sklearn_make.generic)


SKLEARN_ENTRIES = (
    _entry(
        "logistic_regression",
        "Logistic regression",
        CLASSES,
        "scaled",
        "A weighted sum of the columns, turned into a probability. Hard to beat as a first model, "
        "and its weights can be read.",
        settings.LOGISTIC_REGRESSION,
        {"regression": "it predicts classes; for numbers choose ridge regression."},
        sparse=True,
    ),
    _entry(
        "ridge",
        "Ridge regression",
        NUMBERS,
        "scaled",
        "A weighted sum of the columns with small weights. The first model to try for a number.",
        settings.RIDGE,
        {"classification": "it predicts numbers; for classes choose logistic regression."},
        sparse=True,
    ),
    _entry(
        "naive_bayes",
        "Naive Bayes",
        CLASSES,
        "scaled",
        "One bell curve for each column and class, as if columns were unrelated. "
        "Very fast, and it can learn row by row; its probabilities are too sure of themselves.",
        settings.NAIVE_BAYES,
        {
            "regression": "it predicts classes only.",
            "text": "it takes every word for a number with a bell curve.",
        },
        online=True,
    ),
    _entry(
        "decision_tree",
        "Decision tree",
        BOTH,
        "ordinal",
        "A chain of yes/no questions about single columns. Easy to explain; small changes in the "
        "data can give quite another tree.",
        settings.DECISION_TREE,
        {
            "online": "a grown tree cannot take in new rows; choose a Hoeffding tree, which can, "
            "or retrain on a schedule."
        },
    ),
    _entry(
        "random_forest",
        "Random forest",
        BOTH,
        "ordinal",
        "Many trees, each grown on other rows and columns, vote. Good with hardly any tuning; "
        "large in memory.",
        settings.RANDOM_FOREST,
        {
            "online": "grown trees cannot take in new rows; choose an adaptive random forest, "
            "which can, or retrain on a schedule."
        },
    ),
    _entry(
        "hist_gradient_boosting",
        "Gradient boosting",
        BOTH,
        "ordinal",
        "Each small tree corrects the errors of those before it. Often the most accurate on "
        "tables, and quick to train.",
        settings.HIST_GRADIENT_BOOSTING,
    ),
    _entry(
        "linear_svm",
        "Linear SVM",
        CLASSES,
        "scaled",
        "The straight boundary with the widest margin between two classes. It gives no "
        "probabilities.",
        settings.LINEAR_SVM,
        {
            "regression": "it predicts classes; for numbers choose ridge regression.",
            "online": "it is solved for all rows at once; linear SGD with the hinge loss is the "
            "same model, learned row by row.",
        },
        sparse=True,
    ),
    _entry(
        "knn",
        "Nearest neighbours",
        BOTH,
        "scaled",
        "The most similar training rows vote. It learns nothing in advance, so each prediction "
        "looks at all rows it keeps.",
        settings.KNN,
        {
            "online": "its index is built for all rows at once; choose the sliding-window "
            "neighbours, which keep the newest rows."
        },
        sparse=True,
    ),
    _entry(
        "mlp",
        "Neural network",
        BOTH,
        "scaled",
        "A multi-layer perceptron: layers of weighted sums with kinks between. It can bend to any "
        "shape, needs many rows, and can go on learning row by row.",
        settings.MLP,
        online=True,
        sparse=True,
    ),
    _entry(
        "linear_sgd",
        "Linear SGD",
        BOTH,
        "scaled",
        "A linear model learned one row after the other by gradient steps, as scikit-learn does. "
        "The compiled linear model does the same much faster.",
        settings.LINEAR_SGD,
        online=True,
        sparse=True,
    ),
    CatalogueEntry(
        kind="sklearn",
        title="scikit-learn, by name",
        tasks=BOTH,
        family="scikit-learn",
        online=True,
        chunks=True,
        view="scaled",
        story="Any classifier or regressor of scikit-learn, by module and class, such as "
        "ensemble.ExtraTreesClassifier, with its own settings.",
        parameters=(),
        build=_build_generic,
        sparse=True,
    ),
)


def by_name(entry: CatalogueEntry, name: str) -> CatalogueEntry:
    """The line of the catalogue for one scikit-learn class, looked up by name.

    Raises
    ------
    LearnerError
        If there is no such class.
    """
    import dataclasses

    from modellab.learners import gates, sklearn_make

    found = gates.sklearn_class(name)
    online = hasattr(found, "partial_fit")
    return dataclasses.replace(
        entry,
        title=found.__name__,
        tasks=gates.sklearn_tasks(found),
        online=online,
        chunks=online,
        view=sklearn_make.generic_view(name),
        why_not={} if online else {"online": _AT_ONCE, "chunks": _NO_CHUNKS},
    )
