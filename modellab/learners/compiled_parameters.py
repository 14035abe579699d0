"""Settings that compiled trees and their kin share."""

from __future__ import annotations

from modellab.learners.base import Parameter
from modellab.learners.compiled import trees

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
    True,
    help="Categories are split one against the rest. Else one may get a branch for each value, "
    "which leaves few rows to each.",
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
NEIGHBOURS = Parameter(
    "n_neighbors",
    "Neighbours",
    "int",
    5,
    low=1,
    high=500,
    log=True,
    live=True,
    help="How many of the most similar kept rows vote.",
)
WINDOW = Parameter(
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
VOTES = Parameter(
    "weights",
    "Votes",
    "choice",
    "distance",
    choices=("uniform", "distance"),
    live=True,
    help="uniform: every neighbour has one vote. distance: nearer ones have more, in proportion "
    "to 1 / distance.",
)
SCALED = Parameter(
    "scale",
    "Scale numbers online",
    "bool",
    True,
    live=True,
    help="Measure each number in deviations of the rows so far, else in its own unit.",
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
NUMBER_LEAVES = Parameter(
    "leaf_prediction",
    "Answer of a leaf",
    "choice",
    "adaptive",
    choices=trees.NUMBER_ANSWERS,
    help="The mean of the leaf's rows, its own linear model, or whichever of the two has had the "
    "smaller error of late.",
)
LEAF_RATE = Parameter(
    "leaf_learning_rate",
    "Step size of the linear models",
    "float",
    0.1,
    low=0.001,
    high=1.0,
    log=True,
    live=True,
    help="How far one row moves a leaf's linear model: 1 fits that row exactly.",
)
ADAPTS = Parameter(
    "adapts",
    "Replaces branches",
    "bool",
    True,
    help="A branch whose errors rise gets a rival that grows beside it; the better one stays.",
)
FACTORS = Parameter(
    "n_factors",
    "Factors",
    "int",
    10,
    low=0,
    high=500,
    help="How many hidden traits each user and each item has. 0 leaves their averages alone.",
)
FACTOR_RATE = Parameter(
    "learning_rate",
    "Learning rate",
    "float",
    0.01,
    low=1e-5,
    high=1.0,
    log=True,
    live=True,
    help="How far one row moves averages and traits. Larger follows change faster and is noisier.",
)
FACTOR_L2 = Parameter(
    "l2",
    "Strength of the penalty",
    "float",
    0.02,
    low=0.0,
    high=10.0,
    live=True,
    help="Keeps the traits small, so that few rows do not say too much.",
)
BIAS_L2 = Parameter(
    "l2_bias",
    "The same for averages",
    "float",
    0.0,
    low=0.0,
    high=10.0,
    live=True,
    help="Keeps what is added for a user or an item small.",
)
FACTOR_CLIP = Parameter(
    "clip",
    "Clip",
    "float",
    100.0,
    low=1e-3,
    high=1e12,
    log=True,
    live=True,
    help="Twice the error of a row is cut off here, so that one row cannot move much.",
)
