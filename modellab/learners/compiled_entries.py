"""The catalogue's lines for compiled trees and their kin; nothing compiled is loaded before use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modellab.learners.base import CatalogueEntry, Inputs, Learner, Parameter, TaskKind
from modellab.learners.compiled import forests, trees
from modellab.learners.row_learner import Method, RowLearner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modellab.learners.compiled._loop import RowLoop

GRACE = Parameter(
    "grace_period",
    "Rows between split attempts",
    "int",
    200,
    low=1,
    high=100_000,
    log=True,
    unit="rows",
    live=True,
    help="How many rows a leaf sees before it looks for a split again.",
)
DELTA = Parameter(
    "delta",
    "Doubt allowed in a split",
    "float",
    1e-7,
    low=1e-12,
    high=0.5,
    log=True,
    live=True,
    help="The chance of splitting on the wrong column. Small values wait for more rows.",
)
TAU = Parameter(
    "tau",
    "Tie threshold",
    "float",
    0.05,
    low=0.0,
    high=1.0,
    live=True,
    help="Two columns that are closer than this count as equally good, and the tree splits.",
)
DEPTH = Parameter(
    "max_depth",
    "Greatest depth",
    "int",
    None,
    low=1,
    high=trees.DEEPEST,
    unit="levels",
    live=True,
    optional=True,
    help="How many questions in a row the tree may ask.",
)
CRITERION = Parameter(
    "split_criterion",
    "What makes a good split",
    "choice",
    "info_gain",
    choices=trees.CRITERIA,
    help="How the mix of classes before and after a split is compared: information gain, or the "
    "Gini index.",
)
LEAVES = Parameter(
    "leaf_prediction",
    "Answer of a leaf",
    "choice",
    "adaptive",
    choices=trees.ANSWERS,
    help="The majority class, naive Bayes on the rows of the leaf, or whichever of the two has "
    "been right more often there.",
)
BINARY = Parameter(
    "binary_split",
    "Two branches only",
    "bool",
    False,
    help="Categories are split one against the rest, never into a branch for each.",
)
MEMORY = Parameter(
    "max_size",
    "Memory, at most",
    "float",
    100.0,
    low=0.01,
    high=10_000.0,
    log=True,
    unit="MB",
    live=True,
    optional=True,
    help="Beyond it, the leaves with least to gain give up their statistics and stop splitting.",
)
SWITCH = Parameter(
    "switch_significance",
    "Doubt allowed in a replacement",
    "float",
    0.05,
    low=0.001,
    high=0.5,
    log=True,
    live=True,
    help="A branch is replaced when the new one is better at this level of significance.",
)
DRIFT_ROWS = Parameter(
    "drift_window_threshold",
    "Rows before a replacement",
    "int",
    300,
    low=10,
    high=100_000,
    log=True,
    unit="rows",
    live=True,
    help="How many rows a new branch must have seen before it may replace the old one.",
)
ALARM = Parameter(
    "adwin_delta",
    "Doubt allowed in an alarm",
    "float",
    0.002,
    low=1e-6,
    high=0.5,
    log=True,
    live=True,
    help="When a branch's errors count as risen. Small values give fewer false alarms and later "
    "true ones.",
)
BOOTSTRAP = Parameter(
    "bootstrap_sampling",
    "Weights drawn at random",
    "bool",
    True,
    help="Each row counts once or several times, drawn by lot: the tree grows faster.",
)


FADING = Parameter(
    "fading",
    "Fading",
    "float",
    1.0,
    low=0.9,
    high=1.0,
    live=True,
    help="What was learned counts so much with each further row: 1 never forgets, 0.999 remembers "
    "about the last thousand rows.",
)
MODELS = Parameter(
    "n_models",
    "Trees",
    "int",
    10,
    low=1,
    high=200,
    log=True,
    help="More trees are steadier and take proportionally longer.",
)
WEIGHT = Parameter(
    "lambda_value",
    "Weight of a row, on average",
    "float",
    6.0,
    low=0.1,
    high=50.0,
    live=True,
    help="Each tree learns each row about so many times (Poisson), so that trees differ.",
)
COLUMNS = Parameter(
    "max_features",
    "Share of columns",
    "float",
    0.6,
    low=0.01,
    high=1.0,
    help="Each leaf looks at so large a share of the columns, drawn by lot.",
)
WARNING = Parameter(
    "warning_delta",
    "Doubt allowed in a warning",
    "float",
    0.01,
    low=1e-6,
    high=0.5,
    log=True,
    live=True,
    help="At a warning a young tree begins to learn beside the old one.",
)


def tree_settings(values: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
    """A tree's own settings from a person's."""
    given: dict[str, Any] = {
        "criterion": values["split_criterion"],
        "answer": values["leaf_prediction"],
        "seed": inputs.seed % 2**63,
        "most_bytes": (values["max_size"] or 0.0) * 1e6,
        "binary": values["binary_split"],
    }
    same = ("grace_period", "delta", "tau", "max_depth")
    given |= {name: values[name] for name in same}
    if "adwin_delta" in values:
        given |= {
            "adaptive": True,
            "watch_delta": values["adwin_delta"],
            "bootstrap": values["bootstrap_sampling"],
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
    parameters = (*first, TAU, DEPTH, CRITERION, LEAVES, MEMORY, *last)
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
        why_not={t: f"the compiled one does {tasks[0]} only." for t in every if t not in tasks},
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
)
