"""The catalogue's lines for compiled trees and their kin; nothing compiled is loaded before use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab.learners.base import CatalogueEntry, Inputs, Learner, Parameter, TaskKind
from modellab.learners.compiled import trees
from modellab.learners.row_learner import Method, RowLearner

if TYPE_CHECKING:
    from collections.abc import Mapping

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
)
