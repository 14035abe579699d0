"""How each scikit-learn learner is made from its settings. scikit-learn is imported when one is."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from modellab.errors import LearnerError
from modellab.learners import gates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modellab.learners.base import TaskKind, View

Params: TypeAlias = "Mapping[str, Any]"
Live: TypeAlias = "Callable[[Any, float], None]"


@dataclass(frozen=True)
class Recipe:
    """One estimator, and how this program handles it.

    Attributes
    ----------
    estimator
        Fresh, unfitted.
    view
        How it wants its rows.
    live
        Settings that can change in flight, each with what to do.
    own_view_of_proba
        Its `predict` is the most probable class of its `predict_proba`, so one call serves both.
    max_rows
        It keeps at most so many training rows; None: all.
    scale_target
        Regression: it trains on a standardised target.
    heavy
        Predictions cost much more than a matrix product.
    batch_size
        It takes gradient steps over so many rows (fewer where there are fewer rows).
    """

    estimator: Any
    view: View
    live: Mapping[str, Live] = field(default_factory=dict)
    own_view_of_proba: bool = False
    max_rows: int | None = None
    scale_target: bool = False
    heavy: bool = False
    batch_size: int | None = None


def _weight(p: Params) -> str | None:
    return "balanced" if p.get("class_weight") == "balanced" else None


def logistic_regression(task: TaskKind, p: Params, seed: int) -> Recipe:
    """Logistic regression with an L2 penalty, solved by L-BFGS."""
    from sklearn.linear_model import LogisticRegression

    return Recipe(
        LogisticRegression(
            C=p["C"], max_iter=p["max_iter"], class_weight=_weight(p), random_state=seed
        ),
        "scaled",
    )


def naive_bayes(task: TaskKind, p: Params, seed: int) -> Recipe:
    """Gaussian naive Bayes."""
    from sklearn.naive_bayes import GaussianNB

    return Recipe(GaussianNB(var_smoothing=p["var_smoothing"]), "scaled")


def decision_tree(task: TaskKind, p: Params, seed: int) -> Recipe:
    """A CART tree."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    common = {
        "max_depth": p["max_depth"],
        "min_samples_leaf": p["min_samples_leaf"],
        "max_leaf_nodes": p["max_leaf_nodes"],
        "random_state": seed,
    }
    if task == "classification":
        estimator = DecisionTreeClassifier(class_weight=_weight(p), **common)
        return Recipe(estimator, "ordinal", own_view_of_proba=True)
    return Recipe(DecisionTreeRegressor(**common), "ordinal")


def random_forest(task: TaskKind, p: Params, seed: int) -> Recipe:
    """Breiman's random forest."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    common = {
        "n_estimators": p["n_estimators"],
        "max_depth": p["max_depth"],
        "min_samples_leaf": p["min_samples_leaf"],
        "max_features": {"all": 1.0, "third": 1 / 3}.get(p["max_features"], p["max_features"]),
        "random_state": seed,
        "n_jobs": 1,
    }
    if task == "classification":
        estimator = RandomForestClassifier(class_weight=_weight(p), **common)
        return Recipe(estimator, "ordinal", own_view_of_proba=True)
    return Recipe(RandomForestRegressor(**common), "ordinal")


def hist_gradient_boosting(task: TaskKind, p: Params, seed: int) -> Recipe:
    """Histogram-based gradient boosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    common = {
        name: p[name]
        for name in (
            "learning_rate",
            "max_iter",
            "max_leaf_nodes",
            "max_depth",
            "min_samples_leaf",
            "l2_regularization",
            "early_stopping",
        )
    } | {"random_state": seed}
    if task == "classification":
        estimator = HistGradientBoostingClassifier(class_weight=_weight(p), **common)
        return Recipe(estimator, "ordinal", own_view_of_proba=True)
    return Recipe(HistGradientBoostingRegressor(**common), "ordinal")


def linear_svm(task: TaskKind, p: Params, seed: int) -> Recipe:
    """A linear support vector machine, solved in the primal (liblinear)."""
    from sklearn.svm import LinearSVC

    return Recipe(
        LinearSVC(
            C=p["C"],
            max_iter=p["max_iter"],
            dual=False,
            class_weight=_weight(p),
            random_state=seed,
        ),
        "scaled",
    )


def knn(task: TaskKind, p: Params, seed: int) -> Recipe:
    """The nearest of the kept training rows."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    make = KNeighborsClassifier if task == "classification" else KNeighborsRegressor
    return Recipe(
        make(n_neighbors=p["n_neighbors"], weights=p["weights"], n_jobs=1),
        "scaled",
        own_view_of_proba=True,
        max_rows=p["max_rows"],
        heavy=True,
    )


def mlp(task: TaskKind, p: Params, seed: int) -> Recipe:
    """A multi-layer perceptron trained by Adam."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    make = MLPClassifier if task == "classification" else MLPRegressor
    return Recipe(
        make(
            hidden_layer_sizes=(p["units"],) * p["layers"],
            learning_rate_init=p["learning_rate"],
            alpha=p["alpha"],
            max_iter=p["epochs"],
            batch_size=p["batch_size"],
            random_state=seed,
        ),
        "scaled",
        live={"learning_rate": _set_mlp_rate},
        own_view_of_proba=True,
        scale_target=True,
        batch_size=p["batch_size"],
    )


def _set_mlp_rate(estimator: Any, value: float) -> None:
    estimator.learning_rate_init = value
    optimizer = getattr(estimator, "_optimizer", None)
    if optimizer is not None:
        optimizer.learning_rate_init = value


_SGD_LOSSES = {
    "log": "log_loss",
    "squared": "squared_error",
}


def linear_sgd(task: TaskKind, p: Params, seed: int) -> Recipe:
    """A linear model trained row by row by stochastic gradient descent."""
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    loss = p["loss"]
    common = {
        "loss": _SGD_LOSSES.get(loss, loss),
        "eta0": p["learning_rate"],
        "learning_rate": p["schedule"],
        "power_t": p["power_t"],
        "penalty": None if p["penalty"] == "none" else p["penalty"],
        "alpha": p["alpha"],
        "l1_ratio": p["l1_ratio"],
        "epsilon": p["epsilon"],
        "max_iter": p["passes"],
        "random_state": seed,
    }
    make = SGDClassifier if task == "classification" else SGDRegressor
    return Recipe(make(**common), "scaled", live={"learning_rate": _set_sgd_rate})


def _set_sgd_rate(estimator: Any, value: float) -> None:
    if estimator.learning_rate == "optimal":
        raise LearnerError(
            "Linear SGD: the schedule “optimal” sets its own step size; "
            "choose the schedule “constant” to set it by hand."
        )
    estimator.eta0 = value


def ridge(task: TaskKind, p: Params, seed: int) -> Recipe:
    """Least squares with an L2 penalty."""
    from sklearn.linear_model import Ridge

    return Recipe(Ridge(alpha=p["alpha"]), "scaled")


def generic(task: TaskKind, p: Params, seed: int) -> Recipe:
    """Any public scikit-learn classifier or regressor, by name.

    Raises
    ------
    LearnerError
        If the class or a setting is not allowed or unknown, or a value is refused.
    """
    given = dict(p)
    name = str(given.pop("class", ""))
    found = gates.sklearn_class(name, task)
    title = f"scikit-learn's {name}"
    gates.check_scalars(title, given)
    gates.check_names(title, found, given)
    if any(
        q.default is q.empty and q.kind is q.POSITIONAL_OR_KEYWORD
        for q in inspect.signature(found).parameters.values()
    ):
        raise LearnerError(f"{title} is built from other estimators, which a file cannot name.")
    known = inspect.signature(found).parameters
    if "random_state" in known:
        given.setdefault("random_state", seed)
    if "n_jobs" in known:
        given["n_jobs"] = 1
    given.pop("verbose", None)
    estimator = found(**given)
    _validate(title, estimator)
    return Recipe(estimator, generic_view(name), heavy=name.startswith(_HEAVY))


_HEAVY = ("neighbors.", "svm.SVC", "svm.NuSV", "svm.SVR", "gaussian_process.", "kernel_ridge.")


def generic_view(name: str) -> View:
    """The view that a scikit-learn class gets: category codes for trees, one-hot for the rest."""
    return "ordinal" if name.startswith(("tree.", "ensemble.")) else "scaled"


def _validate(title: str, estimator: Any) -> None:
    check = getattr(estimator, "_validate_params", None)
    if check is None:
        return
    try:
        check()
    except ValueError as error:
        raise LearnerError(f"{title}: {str(error).strip().rstrip('.')}.") from error
