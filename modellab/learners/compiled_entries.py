"""The catalogue's lines for compiled trees and their kin; nothing compiled is loaded before use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modellab.learners.base import CatalogueEntry, Inputs, Learner, Parameter, TaskKind
from modellab.learners.compiled import forests, trees
from modellab.learners.compiled_parameters import (
    ADAPTS,
    ALARM,
    BIAS_L2,
    BINARY,
    BOOTSTRAP,
    COLUMNS,
    CRITERION,
    DELTA,
    DEPTH,
    DRIFT_ROWS,
    FACTOR_CLIP,
    FACTOR_L2,
    FACTOR_RATE,
    FACTORS,
    FADING,
    GRACE,
    LEAF_RATE,
    LEAVES,
    MEMORY,
    MODELS,
    NEIGHBOURS,
    NUMBER_LEAVES,
    SCALED,
    SWITCH,
    TAU,
    VOTES,
    WARNING,
    WEIGHT,
    WINDOW,
)
from modellab.learners.multinomial import ENTRY as MULTINOMIAL_ENTRY
from modellab.learners.row_learner import Method, RowLearner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modellab.learners.compiled._loop import RowLoop


def tree_settings(values: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
    """A tree's own settings from a person's."""
    given: dict[str, Any] = {
        "answer": values["leaf_prediction"],
        "seed": inputs.seed % 2**63,
        "most_bytes": (values["max_size"] or 0.0) * 1e6,
    }
    if inputs.task.kind == "regression":
        given |= {"regression": True, "leaf_rate": values["leaf_learning_rate"]}
    else:
        given |= {"criterion": values["split_criterion"], "binary": values["binary_split"]}
    same = ("grace_period", "delta", "tau", "max_depth")
    given |= {name: values[name] for name in same}
    if "adwin_delta" in values:
        given |= {
            "adaptive": values.get("adapts", True),
            "watch_delta": values["adwin_delta"],
            "bootstrap": values.get("bootstrap_sampling", False),
            "switch_rows": values["drift_window_threshold"],
            "switch_significance": values["switch_significance"],
        }
    return trees.tree_settings(**given)


def _make_tree(inputs: Inputs, classes: int, settings: dict[str, Any]) -> RowLoop:
    from modellab.learners.compiled import _trees

    return _trees.TreeCore(trees.slots_of(len(inputs.names), inputs.codes), classes, settings)


def _read_tree(core: RowLoop) -> dict[str, float]:
    nodes, leaves, active, depth, splits = core.measure()[:5]
    return {
        "depth": float(depth),
        "leaves": float(leaves),
        "nodes": float(nodes),
        "splits made": float(splits),
        "leaves that learn": float(active),
    }


def _read_adaptive(core: RowLoop) -> dict[str, float]:
    spares, switches = core.measure()[5:7]
    return {
        **_read_tree(core),
        "spare branches begun": float(spares),
        "branches replaced": float(switches),
    }


def _tree_bytes(core: RowLoop) -> int:
    return int(core.measure()[7])


_HOEFFDING = Method(
    "Hoeffding tree",
    (GRACE, DELTA, TAU, DEPTH, CRITERION, LEAVES, BINARY, MEMORY),
    _make_tree,
    tree_settings,
    _read_tree,
    _tree_bytes,
)
_ADAPTIVE = Method(
    "Hoeffding adaptive tree",
    (
        GRACE,
        DELTA,
        TAU,
        DEPTH,
        CRITERION,
        LEAVES,
        BINARY,
        MEMORY,
        ALARM,
        DRIFT_ROWS,
        SWITCH,
        BOOTSTRAP,
    ),
    _make_tree,
    tree_settings,
    _read_adaptive,
    _tree_bytes,
)


def _forest_settings(adapts: str) -> Callable[[Mapping[str, Any], Inputs], dict[str, Any]]:
    def settings(values: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
        size = values["max_size"]
        columns = len(inputs.names)
        wanted = max(1, round(values.get("max_features", 1.0) * columns))
        own = {
            "criterion": values["split_criterion"],
            "binary": values["binary_split"],
            "answer": values["leaf_prediction"],
            "seed": inputs.seed % 2**63,
            "most_bytes": (size or 0.0) * 1e6 / values["n_models"],
            "subset": wanted if wanted < columns else 0,
        }
        own |= {name: values[name] for name in ("grace_period", "delta", "tau", "max_depth")}
        given: dict[str, Any] = {
            "n_models": values["n_models"],
            "mean_weight": values["lambda_value"],
            "adapts": adapts,
            "weighted": adapts == "own",
        }
        if "adwin_delta" in values:
            given["alarm_delta"] = values["adwin_delta"]
        if "warning_delta" in values:
            given["warning_delta"] = values["warning_delta"]
        return forests.forest_settings(own, **given)

    return settings


def _make_forest(inputs: Inputs, classes: int, settings: dict[str, Any]) -> RowLoop:
    from modellab.learners.compiled import _forests

    return _forests.ForestCore(trees.slots_of(len(inputs.names), inputs.codes), classes, settings)


def _read_forest(core: RowLoop) -> dict[str, float]:
    count, depth, leaves, nodes, growing, warnings, alarms, replaced, _ = core.measure()
    told = {"trees": count, "mean depth": depth, "leaves": leaves, "nodes": nodes}
    if alarms or warnings:
        told |= {"young trees": growing, "alarms": alarms}
    return {name: float(value) for name, value in {**told, "trees replaced": replaced}.items()}


def _forest_bytes(core: RowLoop) -> int:
    return int(core.measure()[8])


def _forest(
    title: str, adapts: str, first: tuple[Parameter, ...], last: tuple[Parameter, ...]
) -> Method:
    parameters = (*first, TAU, DEPTH, CRITERION, LEAVES, BINARY, MEMORY, *last)
    settings = _forest_settings(adapts)
    return Method(title, parameters, _make_forest, settings, _read_forest, _forest_bytes)


_FOREST = _forest(
    "Adaptive random forest",
    "own",
    (MODELS, replace(GRACE, default=50), replace(DELTA, default=0.01)),
    (COLUMNS, WEIGHT, replace(ALARM, default=0.001), WARNING),
)
_LEVERAGING = _forest("Leveraging bagging", "worst", (MODELS, GRACE, DELTA), (WEIGHT, ALARM))
_BAGGING = _forest(
    "Online bagging", "nothing", (MODELS, GRACE, DELTA), (replace(WEIGHT, default=1.0),)
)


def _neighbour_settings(values: Mapping[str, Any], _inputs: Inputs) -> dict[str, Any]:
    return {
        "window": values["window"],
        "neighbours": values["n_neighbors"],
        "by_distance": values["weights"] == "distance",
        "scaled": values["scale"],
    }


def _make_neighbours(inputs: Inputs, classes: int, settings: dict[str, Any]) -> RowLoop:
    """The nearest kept rows by squared differences, summed over the columns.

    A number's difference is in deviations of all rows so far; another category counts 1, and so
    does a number that is missing in either row (a missing category is a category of its own).
    """
    import numpy as np

    from modellab.learners.compiled.twins import loops

    codes = np.array(inputs.codes or (0,) * len(inputs.names), np.int32)
    core: RowLoop = loops("_neighbours").NeighboursCore(codes, classes, settings)
    return core


_NEIGHBOURS = Method(
    "Sliding-window neighbours",
    (NEIGHBOURS, WINDOW, VOTES, SCALED),
    _make_neighbours,
    _neighbour_settings,
    lambda core: {"rows kept": float(core.measure()[0])},
    lambda core: int(core.measure()[1]),
)


def _bayes_settings(values: Mapping[str, Any], _inputs: Inputs) -> dict[str, Any]:
    # Naive Bayes is a Hoeffding tree that never splits.
    return trees.tree_settings(answer="naive_bayes", max_depth=0, fading=values["fading"])


def _read_bayes(core: Any) -> dict[str, float]:
    weights = core.bayes()
    return {
        "rows learned": float(core.learned),
        "rows remembered": float(sum(weights)),
        "classes seen": float(sum(w > 0 for w in weights)),
    }


_BAYES = Method(
    "Naive Bayes (online)", (FADING,), _make_tree, _bayes_settings, _read_bayes, _tree_bytes
)


_REGRESSION = Method(
    "Regression tree (online)",
    (
        GRACE,
        DELTA,
        TAU,
        DEPTH,
        NUMBER_LEAVES,
        LEAF_RATE,
        MEMORY,
        ADAPTS,
        ALARM,
        DRIFT_ROWS,
        SWITCH,
    ),
    _make_tree,
    tree_settings,
    _read_adaptive,
    _tree_bytes,
)


def _factor_settings(values: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
    return {
        "factors": values["n_factors"],
        "seed": inputs.seed % 2**63,
        "eta": values["learning_rate"],
        "l2": values["l2"],
        "l2_bias": values["l2_bias"],
        "clip": values["clip"],
    }


def _make_factors(inputs: Inputs, _classes: int, settings: dict[str, Any]) -> RowLoop:
    """Users and items are the first two category columns; without them their part is 0."""
    from modellab.learners.compiled import _factors

    found = [(at, n) for at, n in enumerate(inputs.codes) if n]
    (user, users), (item, items) = [*found, (-1, 0), (-1, 0)][:2]
    return _factors.FactorsCore(len(inputs.names), user, item, users, items, settings)


def _read_factors(core: RowLoop) -> dict[str, float]:
    mean, users, items, _, _ = core.measure()
    return {"mean": mean, "users": float(users), "items": float(items)}


_FACTORS = Method(
    "Matrix factorisation (online)",
    (FACTORS, FACTOR_RATE, FACTOR_L2, BIAS_L2, FACTOR_CLIP),
    _make_factors,
    _factor_settings,
    _read_factors,
    lambda core: int(core.measure()[4]),
)


_INSTEAD: Mapping[TaskKind, str] = {
    "regression": "use the online regression tree, or one of river's.",
    "classification": "use the Hoeffding trees.",
}


def _entry(kind: str, method: Method, tasks: tuple[TaskKind, ...], story: str) -> CatalogueEntry:
    def build(inputs: Inputs, params: Mapping[str, Any]) -> Learner:
        return RowLearner(method, inputs, params)

    every: tuple[TaskKind, ...] = ("classification", "regression")
    return CatalogueEntry(
        kind=kind,
        title=method.title,
        tasks=tasks,
        family="compiled",
        online=True,
        chunks=True,
        view="ordinal",
        story=story,
        parameters=method.parameters,
        build=build,
        why_not={t: _INSTEAD[t] for t in every if t not in tasks},
    )


COMPILED_ENTRIES = (
    _entry(
        "compiled_hoeffding_adaptive_tree",
        _ADAPTIVE,
        ("classification",),
        "A tree that grows row by row and replaces branches whose errors rise. Made for data that "
        "drift, and as fast as compiled code is.",
    ),
    _entry(
        "compiled_hoeffding_tree",
        _HOEFFDING,
        ("classification",),
        "A tree that grows row by row, splitting when sure enough. It never unlearns a split. "
        "Hundreds of times faster than an interpreted one.",
    ),
    _entry(
        "compiled_adaptive_forest",
        _FOREST,
        ("classification",),
        "Ten Hoeffding trees on random columns and rows, each with a drift alarm of its own and a "
        "replacement growing beside it. Accurate under drift.",
    ),
    _entry(
        "compiled_leveraging_bagging",
        _LEVERAGING,
        ("classification",),
        "Hoeffding trees that learn each row several times at random; the worst is made anew when "
        "an alarm sounds.",
    ),
    _entry(
        "compiled_online_bagging",
        _BAGGING,
        ("classification",),
        "Hoeffding trees that each learn a sample of the rows, drawn row by row, and vote. "
        "Steadier than one tree; it never unlearns.",
    ),
    _entry(
        "compiled_naive_bayes",
        _BAYES,
        ("classification",),
        "A bell curve for each number and a table for each category, by class, updated row by row. "
        "Very fast; with fading it forgets.",
    ),
    _entry(
        "compiled_window_knn",
        _NEIGHBOURS,
        ("classification", "regression"),
        "The most similar of the newest rows vote. It forgets by itself, and is a hard baseline "
        "under drift.",
    ),
    _entry(
        "compiled_regression_tree",
        _REGRESSION,
        ("regression",),
        "A tree for numbers that grows row by row, with a linear model in each leaf, and replaces "
        "branches whose errors rise (after FIMT-DD).",
    ),
    MULTINOMIAL_ENTRY,
    _entry(
        "compiled_matrix_factorisation",
        _FACTORS,
        ("regression",),
        "For ratings: the first two category columns are users and items, each with an average and "
        "hidden traits that are learned row by row. Other columns are not looked at.",
    ),
)
