"""River models by name, with the pipelines and the parts they need. River is imported when used."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from modellab.errors import LearnerError, nearest, quote
from modellab.learners import gates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modellab.learners.base import Inputs, TaskKind

Preparation = Literal["none", "one-hot", "scale"]
"""What stands before a model: nothing, one-hot categories, or also scaled numbers."""

_TAKES_CATEGORIES = (
    "dummy.",
    "tree.HoeffdingTreeClassifier",
    "tree.HoeffdingAdaptiveTreeClassifier",
    "tree.ExtremelyFastDecisionTreeClassifier",
    "tree.LASTClassifier",
    "tree.SGTClassifier",
    "tree.SGTRegressor",
    "forest.ARFClassifier",
)
_TAKES_RAW_NUMBERS = ("naive_bayes.", "forest.AMF")
# What stands before these is decided by the model inside.
_WRAPPERS = ("ensemble.", "drift.", "multiclass.", "imblearn.", "preprocessing.", "conf.")
_PARTS = ("model", "classifier", "regressor", "leaf_model", "pred_model", "meta_classifier")
_DETECTORS = ("drift_detector", "warning_detector")
NEIGHBOURS_KEPT = 1000


@dataclass(frozen=True)
class Made:
    """A fresh river model.

    Attributes
    ----------
    model
        The model without its pipeline.
    prepare
        What it needs before it.
    truth_values
        It knows two classes only and wants ``False`` and ``True`` for the codes 0 and 1.
    sparse
        It takes absent columns for zeros, so one-hot columns need not be spelled out.
    leaves
        A regression tree or forest: it splits on categories as they are, but has linear models in
        its leaves that take numbers only.
    """

    model: Any
    prepare: Preparation
    truth_values: bool
    sparse: bool
    leaves: bool


def make(inputs: Inputs, name: str, params: Mapping[str, Any]) -> Made:
    """Build the river classifier or regressor called `name`, as ``"tree.SGTClassifier"``.

    Parameters
    ----------
    inputs
        Task and seed; a model that takes a `seed` gets it unless `params` has one.
    name
        Public module and class.
    params
        Numbers, truth values and texts. ``scale`` (true, false, ``"auto"``) overrules what stands
        before the model; ``learning_rate`` and ``optimizer`` (a name in ``river.optim``) set the
        optimiser of linear models; ``model`` (and other parts) may name another river class.

    Raises
    ------
    LearnerError
        If the class or a setting is unknown, refused, or missing.
    """
    task = inputs.task.kind
    found = gates.river_class(name, task)
    title = f"river's {name}"
    gates.check_scalars(title, params)
    given = dict(params)
    scale = given.pop("scale", "auto")
    if scale not in (True, False, "auto") or isinstance(scale, (int, float)) is not isinstance(
        scale, bool
    ):
        raise LearnerError(f"{title}: scale must be true, false or “auto”, not {quote(scale)}.")
    given.pop("verbose", None)
    if "engine" in inspect.signature(found).parameters:
        given["engine"] = _neighbours(given.pop("window", NEIGHBOURS_KEPT))
    known = inspect.signature(found).parameters
    part = next((str(given[p]) for p in _PARTS[:3] if p in given), None)
    arguments = _arguments(title, found, given, inputs)
    if "seed" in known:
        arguments.setdefault("seed", inputs.seed % (1 << 32))
    try:
        model = found(**arguments)
    except (TypeError, ValueError, NotImplementedError, RuntimeError, ImportError) as error:
        raise LearnerError(
            f"{title} cannot be built: {_line(error)}", detail=repr(error)
        ) from error
    leaves = scale == "auto" and "leaf_model" in known and "leaf_model" not in given
    return _finish(model, name, part, scale, inputs, leaves)


def _finish(
    model: Any, name: str, part: str | None, scale: Any, inputs: Inputs, leaves: bool
) -> Made:
    truth_values = False
    many = name.startswith("multiclass.") or getattr(model, "_multiclass", False)
    if inputs.task.kind == "classification" and not many:
        if inputs.task.n_classes > 2:
            from river import multiclass

            model = multiclass.OneVsRestClassifier(model)
        else:
            truth_values = True
    prepare = _preparation(name, part, inputs.task.kind)
    if scale is True:
        prepare = "scale"
    elif scale is False and prepare == "scale":
        prepare = "one-hot"
    linear = name.startswith("linear_model.") or (part or "").startswith("linear_model.")
    sparse = linear and not name.startswith("ensemble.SRP")
    return Made(model, prepare, truth_values, sparse, leaves)


def _preparation(name: str, part: str | None, task: TaskKind) -> Preparation:
    if name.startswith(_WRAPPERS):
        name = part or _default_part(name, task)
    if name.startswith(_TAKES_CATEGORIES):
        return "none"
    return "one-hot" if name.startswith(_TAKES_RAW_NUMBERS) else "scale"


def _default_part(name: str, task: TaskKind) -> str:
    """The model inside a wrapper that needs one: a tree where many make sense, else linear."""
    if name.startswith(("ensemble.Stacking", "ensemble.Voting", "ensemble.EWA")):
        return "linear_model."
    if name.startswith(("multiclass.", "imblearn.", "preprocessing.", "conf.", "model_selection.")):
        return (
            "linear_model.LogisticRegression"
            if task == "classification"
            else "linear_model.LinearRegression"
        )
    return (
        "tree.HoeffdingTreeClassifier"
        if task == "classification"
        else "tree.HoeffdingTreeRegressor"
    )


def _arguments(
    title: str, found: type[Any], given: dict[str, Any], inputs: Inputs
) -> dict[str, Any]:
    signature = inspect.signature(found).parameters
    arguments = _with_optimizer(title, found, given)
    gates.check_names(title, found, arguments)
    for name, value in list(arguments.items()):
        if isinstance(value, str) and name in _PARTS:
            arguments[name] = make(inputs, value, {}).model
        elif isinstance(value, str) and name in _DETECTORS:
            arguments[name] = _detector(title, value)
    path = f"{found.__module__.split('.')[1]}.{found.__name__}"
    for name, parameter in signature.items():
        if name in arguments or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.default is parameter.empty:
            arguments[name] = _default(title, path, name, inputs)
    return arguments


def _neighbours(rows: Any) -> Any:
    """Exact search over the newest rows: river's default engine draws unseeded random numbers."""
    from river import neighbors

    if isinstance(rows, (bool, float, str)) or rows < 1:
        raise LearnerError(f"window must be a number of rows above 0, not {quote(rows)}.")
    return neighbors.LazySearch(window_size=rows)


def _with_optimizer(title: str, found: type[Any], given: dict[str, Any]) -> dict[str, Any]:
    known = inspect.signature(found).parameters
    if "optimizer" not in known or not {"optimizer", "learning_rate"} & set(given):
        return given
    arguments = dict(given)
    name = arguments.pop("optimizer", "SGD")
    from river import optim

    # Newton's method and the averager are built from other things than a step size.
    names = [n for n in optim.__all__ if n[:1].isupper() and n not in ("Newton", "Averager")]
    by_name = {n.lower(): n for n in names if hasattr(getattr(optim, n), "_step_with_dict")}
    if not isinstance(name, str) or name.lower() not in by_name:
        like = nearest(str(name).lower(), by_name)
        hint = f"; did you mean {quote(by_name[like])}?" if like else "."
        raise LearnerError(f"{title}: river has no optimiser called {quote(name)}{hint}")
    make_optimizer = getattr(optim, by_name[name.lower()])
    rate = arguments.pop("learning_rate", None)
    if rate is not None and (isinstance(rate, (bool, str)) or rate <= 0):
        raise LearnerError(f"{title}: learning_rate must be a number above 0, not {quote(rate)}.")
    arguments["optimizer"] = make_optimizer() if rate is None else make_optimizer(rate)
    return arguments


def _detector(title: str, name: str) -> Any:
    from river import base, drift

    listed: dict[str, Any] = {
        n: getattr(module, n, None) for module in (drift, drift.binary) for n in module.__all__
    }
    kinds = (base.DriftDetector, base.BinaryDriftDetector)
    names = [n for n, d in listed.items() if inspect.isclass(d) and issubclass(d, kinds)]
    if name not in names:
        raise LearnerError(
            f"{title}: river has no drift detector called {quote(name)}; "
            f"it has {', '.join(sorted(names))}."
        )
    return listed[name]()


def _default(title: str, path: str, name: str, inputs: Inputs) -> Any:
    """A sensible part for a setting that the class demands and a file cannot express."""
    task = inputs.task.kind
    if name in ("model", "classifier", "regressor"):
        return make(inputs, _default_part(path, task), {}).model
    if name == "meta_classifier":
        return make(inputs, "linear_model.LogisticRegression", {}).model
    if name == "models":
        return [make(inputs, each, {}).model for each in _SEVERAL[task]]
    if name == "desired_dist":
        count = inputs.task.n_classes
        return dict.fromkeys(range(count), 1.0 / count)
    from river import bandit, metrics, stats

    if name == "statistic":
        return stats.Mean()
    if name == "metric":
        return metrics.Accuracy() if task == "classification" else metrics.MAE()
    if name == "policy":
        return bandit.EpsilonGreedy(
            epsilon=0.1, decay=0.001, burn_in=100, seed=inputs.seed % (1 << 32)
        )
    raise LearnerError(f"{title} needs the setting {quote(name)}.")


_SEVERAL: Mapping[TaskKind, tuple[str, ...]] = {
    "classification": (
        "linear_model.LogisticRegression",
        "tree.HoeffdingTreeClassifier",
        "naive_bayes.GaussianNB",
    ),
    "regression": (
        "linear_model.LinearRegression",
        "tree.HoeffdingTreeRegressor",
        "neighbors.KNNRegressor",
    ),
}


def pipeline(made: Made, row: Mapping[str, Any]) -> Any:
    """Put before the model what the columns of `row` call for.

    Numbers are scaled online (river's `StandardScaler`), texts and truth values one-hot encoded.
    With numbers alone the result is ``StandardScaler() | model`` or the bare model, so that it
    equals river's own evaluation of the same pipeline to the last digit. Regression trees take
    categories as they are; the linear models in their leaves then get the scaled numbers alone.
    """
    from river import compose, preprocessing

    if made.prepare == "none":
        return made.model
    numbers = any(isinstance(v, float) for v in row.values())
    others = any(not isinstance(v, float) for v in row.values())
    scale = made.prepare == "scale"
    if not others:
        return preprocessing.StandardScaler() | made.model if scale else made.model
    if made.leaves and numbers:
        from river import linear_model

        # One-hot columns would make the leaves' linear models long, and every row slow.
        made.model.leaf_model = compose.SelectType(float) | linear_model.LinearRegression()
        scaled = compose.SelectType(float) | preprocessing.StandardScaler()
        return (scaled + compose.SelectType(str, bool)) | made.model
    encode = preprocessing.OneHotEncoder(drop_zeros=made.sparse)
    if not numbers:
        return encode | made.model
    left = compose.SelectType(float)
    if scale:
        left = left | preprocessing.StandardScaler()
    return (left + (compose.SelectType(str, bool) | encode)) | made.model


def last_step(model: Any) -> Any:
    """The model at the end of a pipeline, or the model itself."""
    from river import compose

    return model._last_step if isinstance(model, compose.Pipeline) else model


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") + "."
