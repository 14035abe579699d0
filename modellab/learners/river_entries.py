"""The catalogue's lines for river. River is imported when a learner is built."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from modellab.learners.base import CatalogueEntry, Inputs, Learner, Parameter, TaskKind
from modellab.learners.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GRACE = Parameter(
    "grace_period",
    "Rows between split attempts",
    "int",
    200,
    low=1,
    high=100_000,
    log=True,
    unit="rows",
    help="How many rows a leaf sees before it looks for a split again.",
)
_DELTA = Parameter(
    "delta",
    "Doubt allowed in a split",
    "float",
    1e-7,
    low=1e-12,
    high=0.5,
    log=True,
    help="The chance of splitting on the wrong column. Small values wait for more rows.",
)
_TAU = Parameter(
    "tau",
    "Tie threshold",
    "float",
    0.05,
    low=0.0,
    high=1.0,
    help="Two columns that are closer than this count as equally good, and the tree splits.",
)
_DEPTH = Parameter(
    "max_depth",
    "Greatest depth",
    "int",
    None,
    low=1,
    high=100,
    unit="levels",
    optional=True,
    help="How many questions in a row the tree may ask.",
)
_CRITERION = Parameter(
    "split_criterion",
    "What makes a good split",
    "choice",
    "info_gain",
    choices=("info_gain", "gini", "hellinger"),
    help="Hellinger copes best with rare classes.",
)
_SWITCH = Parameter(
    "switch_significance",
    "Doubt allowed in a replacement",
    "float",
    0.05,
    low=0.001,
    high=0.5,
    log=True,
    help="A branch is replaced when the new one is better at this level of significance.",
)
_DRIFT_ROWS = Parameter(
    "drift_window_threshold",
    "Rows before a replacement",
    "int",
    300,
    low=10,
    high=100_000,
    log=True,
    unit="rows",
    help="How many rows a new branch must have seen before it may replace the old one.",
)


def _models(low: int = 1) -> Parameter:
    return Parameter(
        "n_models",
        "Trees",
        "int",
        10,
        low=low,
        high=200,
        log=True,
        help="More trees are steadier and take proportionally longer.",
    )


_LAMBDA = Parameter(
    "lambda_value",
    "Weight of a row, on average",
    "int",
    6,
    low=1,
    high=50,
    help="Each tree learns each row about so many times (Poisson), so that trees differ.",
)
_RATE = Parameter(
    "learning_rate",
    "Step size",
    "float",
    0.01,
    low=1e-6,
    high=10.0,
    log=True,
    live=True,
    help="How far one row moves the weights. Large follows change fast, and noise.",
)
_OPTIMIZER = Parameter(
    "optimizer",
    "Optimiser",
    "choice",
    "SGD",
    choices=("SGD", "AdaGrad", "Adam", "RMSProp", "Momentum"),
    help="SGD: plain steps; the others give each weight a step size of its own, or momentum.",
)
_SCALE = Parameter(
    "scale",
    "Scale numbers online",
    "bool",
    True,
    help="Standardise each number by the mean and spread of the rows so far.",
)
_NEIGHBOURS = Parameter(
    "n_neighbors",
    "Neighbours",
    "int",
    5,
    low=1,
    high=500,
    log=True,
    help="How many of the most similar kept rows vote.",
)
_WINDOW = Parameter(
    "window",
    "Rows kept",
    "int",
    1000,
    low=10,
    high=50_000,
    log=True,
    unit="rows",
    help="Only the newest so many rows are kept; each prediction looks at all of them.",
)

_ADAPTS: Mapping[str, Mapping[TaskKind, str]] = {
    "hoeffding_tree": {
        "classification": "tree.HoeffdingTreeClassifier",
        "regression": "tree.HoeffdingTreeRegressor",
    },
    "hoeffding_adaptive_tree": {
        "classification": "tree.HoeffdingAdaptiveTreeClassifier",
        "regression": "tree.HoeffdingAdaptiveTreeRegressor",
    },
    "extremely_fast_tree": {"classification": "tree.ExtremelyFastDecisionTreeClassifier"},
    "adaptive_random_forest": {
        "classification": "forest.ARFClassifier",
        "regression": "forest.ARFRegressor",
    },
    "mondrian_forest": {
        "classification": "forest.AMFClassifier",
        "regression": "forest.AMFRegressor",
    },
    "random_patches": {
        "classification": "ensemble.SRPClassifier",
        "regression": "ensemble.SRPRegressor",
    },
    "leveraging_bagging": {"classification": "ensemble.LeveragingBaggingClassifier"},
    "river_linear": {
        "classification": "linear_model.LogisticRegression",
        "regression": "linear_model.LinearRegression",
    },
    "passive_aggressive": {
        "classification": "linear_model.PAClassifier",
        "regression": "linear_model.PARegressor",
    },
    "alma": {"classification": "linear_model.ALMAClassifier"},
    "online_naive_bayes": {"classification": "tree.HoeffdingTreeClassifier"},
    "sliding_window_knn": {
        "classification": "neighbors.KNNClassifier",
        "regression": "neighbors.KNNRegressor",
    },
    "adaptive_rules": {"regression": "rules.AMRules"},
}
"""The river class behind each kind and task."""

_FIXED: Mapping[str, Mapping[str, Any]] = {
    # A Hoeffding tree that never splits is naive Bayes with a bell curve for each number and a
    # table for each category; river's GaussianNB would put bell curves on one-hot columns.
    "online_naive_bayes": {"grace_period": 10**9, "leaf_prediction": "nb"},
}
"""Settings that make the river class what the kind is called."""


def river_name(kind: str, task: TaskKind) -> str:
    """The river class behind a kind of the catalogue."""
    return _ADAPTS[kind][task]


def _builder(
    kind: str, title: str, parameters: tuple[Parameter, ...]
) -> Callable[[Inputs, Mapping[str, Any]], Learner]:
    def build(inputs: Inputs, params: Mapping[str, Any]) -> Learner:
        values = resolve(title, parameters, params, inputs.task.kind)
        from modellab.learners import river_family

        name = _ADAPTS[kind][inputs.task.kind]
        return river_family.build(title, inputs, name, {**values, **_FIXED.get(kind, {})})

    return build


def _entry(kind: str, title: str, story: str, parameters: tuple[Parameter, ...]) -> CatalogueEntry:
    tasks = tuple(_ADAPTS[kind])
    missing: dict[str, str] = {
        t: f"river has it for {tasks[0]} only." for t in _OTHER if t not in tasks
    }
    return CatalogueEntry(
        kind=kind,
        title=title,
        tasks=tasks,
        family="river",
        online=True,
        chunks=True,
        view="dict",
        story=story,
        parameters=parameters,
        build=_builder(kind, title, parameters),
        why_not=missing,
    )


_OTHER: tuple[TaskKind, ...] = ("classification", "regression")


def _build_generic(inputs: Inputs, params: Mapping[str, Any]) -> Learner:
    from modellab.learners import river_family

    rest = {k: v for k, v in params.items() if k != "class"}
    name = str(params.get("class", ""))
    return river_family.build(f"river's {name}", inputs, name, rest)


RIVER_ENTRIES = (
    _entry(
        "hoeffding_adaptive_tree",
        "Hoeffding adaptive tree (river)",
        "A tree that grows row by row and replaces branches whose errors rise. Made for data that "
        "drift.",
        (_GRACE, _DELTA, _TAU, _DEPTH, _CRITERION, _DRIFT_ROWS, _SWITCH),
    ),
    _entry(
        "hoeffding_tree",
        "Hoeffding tree (river)",
        "A tree that grows row by row, splitting when sure enough. It never unlearns a split.",
        (_GRACE, _DELTA, _TAU, _DEPTH, _CRITERION),
    ),
    _entry(
        "extremely_fast_tree",
        "Extremely fast decision tree",
        "A Hoeffding tree that splits as soon as it helps, and takes back those that do not. Slow.",
        (_GRACE, _DELTA, _TAU, _DEPTH, _CRITERION),
    ),
    _entry(
        "adaptive_random_forest",
        "Adaptive random forest (river)",
        "Ten Hoeffding trees, each with a drift alarm of its own and a replacement growing beside "
        "it. Accurate under drift, and slow.",
        (
            _models(),
            dataclasses.replace(_GRACE, default=50),
            dataclasses.replace(_DELTA, default=0.01),
            _TAU,
            _DEPTH,
            _CRITERION,
            _LAMBDA,
        ),
    ),
    _entry(
        "random_patches",
        "Streaming random patches",
        "Hoeffding trees on random columns and rows, each with a drift alarm. Like the adaptive "
        "forest; slow.",
        (_models(), dataclasses.replace(_LAMBDA, name="lam")),
    ),
    _entry(
        "leveraging_bagging",
        "Leveraging bagging (river)",
        "Hoeffding trees that learn each row several times at random; the worst is replaced when "
        "an alarm sounds.",
        (
            _models(2),
            dataclasses.replace(_LAMBDA, name="w", kind="float", default=6.0),
            Parameter(
                "adwin_delta",
                "Doubt allowed in an alarm",
                "float",
                0.002,
                low=1e-6,
                high=0.5,
                log=True,
                help="Small values give fewer false alarms and later true ones.",
            ),
        ),
    ),
    _entry(
        "mondrian_forest",
        "Mondrian forest",
        "Trees that cut space at random and average all their prunings. Strong on few columns; "
        "they keep growing.",
        (
            Parameter(
                "n_estimators",
                "Trees",
                "int",
                10,
                low=1,
                high=200,
                log=True,
                help="More trees are steadier and take proportionally longer.",
            ),
            Parameter(
                "max_nodes",
                "Nodes of a tree, at most",
                "int",
                None,
                low=3,
                high=10_000_000,
                log=True,
                optional=True,
                help="Bounds the memory; a full tree goes on learning without new cuts.",
            ),
        ),
    ),
    _entry(
        "river_linear",
        "Linear model (river)",
        "Logistic or linear regression by gradient steps, as river does it. The compiled linear "
        "model does the same hundreds of times faster.",
        (
            _RATE,
            _OPTIMIZER,
            Parameter(
                "l2",
                "L2 penalty",
                "float",
                0.0,
                low=0.0,
                high=10.0,
                help="Pulls the weights towards zero.",
            ),
            Parameter(
                "intercept_lr",
                "Step size of the intercept",
                "float",
                0.01,
                low=0.0,
                high=10.0,
                help="The intercept follows the share of the classes with a step of its own.",
            ),
            _SCALE,
        ),
    ),
    _entry(
        "passive_aggressive",
        "Passive-aggressive",
        "A linear model that moves just far enough to correct each error. Quick to follow change, "
        "and noise.",
        (
            Parameter(
                "C",
                "Aggressiveness",
                "float",
                1.0,
                low=1e-6,
                high=1000.0,
                log=True,
                help="The longest step allowed for one error.",
            ),
            _SCALE,
        ),
    ),
    _entry(
        "alma",
        "ALMA",
        "A linear model that looks for a wide margin with steps that shrink at each error "
        "(Gentile 2001).",
        (
            Parameter(
                "alpha",
                "Margin given up",
                "float",
                0.9,
                low=0.01,
                high=1.0,
                help="1 asks for no margin; small values for nearly the widest.",
            ),
            _SCALE,
        ),
    ),
    _entry(
        "online_naive_bayes",
        "Naive Bayes (online, river)",
        "A bell curve for each number and a table for each category, by class, updated row by row. "
        "Fast; it never forgets.",
        (),
    ),
    _entry(
        "sliding_window_knn",
        "Sliding-window neighbours (river)",
        "The most similar of the newest rows vote. It forgets by itself, and is a hard baseline "
        "under drift.",
        (_NEIGHBOURS, _WINDOW, _SCALE),
    ),
    _entry(
        "adaptive_rules",
        "Adaptive rules",
        "Rules that grow row by row, each with a drift alarm and a small linear model (AMRules).",
        (
            Parameter(
                "n_min",
                "Rows between expansions",
                "int",
                200,
                low=10,
                high=100_000,
                log=True,
                unit="rows",
                help="How many rows a rule sees before it looks for another condition.",
            ),
            _DELTA,
            _TAU,
        ),
    ),
    CatalogueEntry(
        kind="river",
        title="River, by name",
        tasks=_OTHER,
        family="river",
        online=True,
        chunks=True,
        view="dict",
        story="Any classifier or regressor of river, by module and class, such as "
        "ensemble.AdaBoostClassifier, with its own settings.",
        parameters=(),
        build=_build_generic,
    ),
)


def by_name(entry: CatalogueEntry, name: str) -> CatalogueEntry:
    """The line of the catalogue for one river class, looked up by name.

    Raises
    ------
    LearnerError
        If there is no such class.
    """
    from modellab.learners import gates

    found = gates.river_class(name)
    return dataclasses.replace(entry, title=found.__name__, tasks=gates.river_tasks(found))
