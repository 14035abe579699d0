"""The only door through which a file may name a class: public estimators of two libraries.

An experiment file may say ``class = "tree.HoeffdingTreeClassifier"``. The name is looked up in a
fixed list of public modules of river or scikit-learn; nothing else can be imported, no private name
reached, and no setting can be anything but a number, a truth value or a text.
"""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from typing import TYPE_CHECKING, Any

from modellab.errors import LearnerError, nearest, quote
from modellab.learners.settings import unknown_setting
from modellab.learners.threads import single_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modellab.learners.base import TaskKind

SKLEARN_MODULES = (
    "calibration",
    "cross_decomposition",
    "discriminant_analysis",
    "dummy",
    "ensemble",
    "gaussian_process",
    "isotonic",
    "kernel_ridge",
    "linear_model",
    "naive_bayes",
    "neighbors",
    "neural_network",
    "semi_supervised",
    "svm",
    "tree",
)
RIVER_MODULES = (
    "conf",
    "drift",
    "dummy",
    "ensemble",
    "facto",
    "forest",
    "imblearn",
    "linear_model",
    "misc",
    "model_selection",
    "multiclass",
    "naive_bayes",
    "neighbors",
    "preprocessing",
    "rules",
    "tree",
)
_NAME = re.compile(r"([a-z][a-z_]*)\.([A-Z][A-Za-z0-9]*)")
Scalar = bool | int | float | str


def sklearn_class(name: str, task: TaskKind | None = None) -> type[Any]:
    """Return the scikit-learn classifier or regressor called `name`, as ``"svm.SVC"``.

    Parameters
    ----------
    name
        Public module and class.
    task
        The task it must do; None: either.

    Raises
    ------
    LearnerError
        If there is no such public class, or it does not do the task.
    """
    single_thread()
    found = _look_up("scikit-learn", "sklearn", SKLEARN_MODULES, name)
    single_thread(again=True)
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    if not issubclass(found, BaseEstimator) or not issubclass(
        found, (ClassifierMixin, RegressorMixin)
    ):
        raise LearnerError(f"scikit-learn's {quote(name)} is neither a classifier nor a regressor.")
    _check_task("scikit-learn", name, sklearn_tasks(found), task)
    return found


def sklearn_tasks(found: type[Any]) -> tuple[TaskKind, ...]:
    """The tasks that a scikit-learn class does."""
    from sklearn.base import ClassifierMixin, RegressorMixin

    tasks: list[TaskKind] = []
    if issubclass(found, ClassifierMixin):
        tasks.append("classification")
    if issubclass(found, RegressorMixin):
        tasks.append("regression")
    return tuple(tasks)


def river_class(name: str, task: TaskKind | None = None) -> type[Any]:
    """Return the river classifier or regressor called `name`, as ``"tree.SGTClassifier"``.

    Raises
    ------
    LearnerError
        If there is no such public class, it is abstract or predicts several targets, or it does
        not do the task.
    """
    found = _look_up("river", "river", RIVER_MODULES, name)
    from river import base

    if not issubclass(found, (base.Classifier, base.Regressor)):
        raise LearnerError(f"river's {quote(name)} is neither a classifier nor a regressor.")
    if issubclass(found, base.MultiTargetRegressor):
        raise LearnerError(f"river's {quote(name)} predicts several targets; here there is one.")
    _check_task("river", name, river_tasks(found), task)
    return found


def river_tasks(found: type[Any]) -> tuple[TaskKind, ...]:
    """The tasks that a river class does."""
    from river import base

    tasks: list[TaskKind] = []
    if issubclass(found, base.Classifier):
        tasks.append("classification")
    if issubclass(found, base.Regressor):
        tasks.append("regression")
    return tuple(tasks)


def public_names(library: str) -> tuple[str, ...]:
    """All ``module.Class`` names of ``"sklearn"`` or ``"river"`` that the gate lets through."""
    modules, gate = (
        (SKLEARN_MODULES, sklearn_class) if library == "sklearn" else (RIVER_MODULES, river_class)
    )
    names = []
    for module in modules:
        for name in sorted(_exported(_module(library, module))):
            try:
                gate(f"{module}.{name}")
            except LearnerError:
                continue
            names.append(f"{module}.{name}")
    return tuple(names)


def check_scalars(title: str, params: Mapping[str, Any]) -> None:
    """Refuse settings that are anything but numbers, truth values or texts.

    Raises
    ------
    LearnerError
        Naming the setting.
    """
    for name, value in params.items():
        if not isinstance(value, (bool, int, float, str)):
            raise LearnerError(
                f"{title}: {quote(name)} must be a number, true or false, or a text."
            )


def check_names(title: str, found: type[Any], params: Mapping[str, Any]) -> None:
    """Refuse settings that the class does not take.

    Raises
    ------
    LearnerError
        Naming the nearest known setting.
    """
    known = [
        p.name
        for p in inspect.signature(found).parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    for name in params:
        if name not in known:
            raise LearnerError(unknown_setting(title, name, known))


def _look_up(title: str, package: str, modules: tuple[str, ...], name: str) -> type[Any]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise LearnerError(
            f"{quote(name)} is not the name of a {title} class: "
            'write the module and the class, such as "tree.'
            + ('DecisionTreeClassifier".' if package == "sklearn" else 'HoeffdingTreeClassifier".')
        )
    module_name, class_name = match.groups()
    if module_name not in modules:
        like = nearest(module_name, modules)
        hint = f"; did you mean {quote(like)}?" if like else "."
        raise LearnerError(f"There are no {title} learners in a module {quote(module_name)}{hint}")
    module = _module(package, module_name)
    exported = _exported(module)
    found = getattr(module, class_name, None) if class_name in exported else None
    if (
        not inspect.isclass(found)
        or inspect.isabstract(found)
        or found.__module__.partition(".")[0] != package
    ):
        like = nearest(class_name, exported)
        hint = f"; did you mean {quote(f'{module_name}.{like}')}?" if like else "."
        raise LearnerError(f"{title} has no learner called {quote(name)}{hint}")
    return found


def _module(package: str, name: str) -> Any:
    with warnings.catch_warnings():
        # Deprecations that a library announces while being imported are not the person's.
        warnings.simplefilter("ignore")
        return importlib.import_module(f"{package}.{name}")


def _exported(module: Any) -> list[str]:
    names = getattr(module, "__all__", None)
    if names is None:
        own = module.__name__
        names = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == own]
    return [n for n in names if n[:1].isupper()]


def _check_task(title: str, name: str, tasks: tuple[TaskKind, ...], task: TaskKind | None) -> None:
    if task is not None and task not in tasks:
        raise LearnerError(
            f"{title}'s {quote(name)} does {' and '.join(tasks)}, but the target asks for {task}."
        )
