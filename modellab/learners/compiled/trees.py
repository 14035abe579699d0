"""Hoeffding trees learned row by row: settings, state and calls of the compiled loops.

What is computed (Domingos and Hulten 2000; Gama, Rocha and Medas 2003; the choices are MOA's):

1. *Down the tree.* A number goes left if it is at most the threshold. A category has its own
   branch, or goes left if it is the one asked for. A missing value (not a number, infinite, or
   beyond 1e100) goes where the most rows went.
2. *Answer of a leaf.* ``majority``: shares of the classes there. ``naive_bayes``: prior times a
   bell curve for each number (sample variance; a column that never varied in a class allows that
   one value only) times (weight + 1) / (weight of the class + slots) for each category; what is
   missing is left out; a class that the leaf has not seen itself is out. ``adaptive``: whichever of
   the two has been right more often in this leaf (naive Bayes if equal). It is worked out with
   logarithms, so that many columns cannot underflow.
3. *Learning.* Weighted running mean and squares (West 1979) and extremes of each number, weights of
   each category, by class; a missing value is left out of its own column only.
4. *Splitting.* When a leaf's weight has grown by `grace_period` and it has seen two classes, each
   column offers its best split: for a number ten thresholds spaced evenly between the extremes,
   with the bell curves saying how much of each class lies below; for a category one branch for each
   (not if `binary`), or one against the rest. A split that leaves 1 % or less on one side is none.
   The leaf splits when the best column's merit exceeds the second's (or 0, which is not to split)
   by more than ``bound = sqrt(R^2 ln(1 / delta) / 2n)``, or when the bound is below `tau`; ``R`` is
   1 for Gini and log2 of the classes seen (at least 2) for information gain. The children begin
   with the class weights that the split gives them, and with no statistics.
5. *Adaptive trees* (Bifet and Gavalda 2009): every question watches the errors of what is below it
   by ADWIN. When they rise, a spare tree begins to grow beside it from the same rows; once both
   have been tested on more than `switch_rows` rows, the better one stays: the spare if its error is
   lower by more than ``sqrt(2 e (1 - e) ln(2 / switch_significance) (1 / n + 1 / m))``, the old one
   if it is the spare's that is higher by so much. Answers come from the main tree alone. With
   `bootstrap`, a row counts max(1, k) times, k drawn from Poisson(1). A spare has no spares of its
   own.
6. *Memory bound.* When the tree would grow beyond `most_bytes`, the leaf with the least weight
   outside its majority class gives its statistics up, answers by majority from then on and splits
   no more.

7. *Regression* (after FIMT-DD; Ikonomovska, Gama and Dzeroski 2011). A leaf answers with the
   ``mean`` of its target, with a ``linear`` model, or ``adaptive``, with whichever has had the
   smaller squared error of late (faded by 0.99); never beyond the targets seen so far. The linear
   model takes numbers in deviations of all rows so far (0 where missing, at most 10), and each
   category's own weight; it is learned by normalised steps, ``w += leaf_rate e z / (1 + |z|^2)``,
   and handed on to the children of a split. Candidates are the edges of 40 bins over each number
   (from 3 deviations below the mean to 3 above when the column's first 100 rows are in; a child
   takes over its part of the parent's), and each category against the rest; the merit is the
   reduction of the standard deviation. The leaf splits when the second column's merit is below ``1
   - bound`` of the best, or the bound below `tau`, with ``bound = sqrt(ln(1 / delta) / 2n)`` and at
   least 5 rows and 1 % on each side. An adaptive tree watches absolute errors in units of four
   deviations of the target, cut off at 1. At the memory bound the tree stops growing.

Trees are the same to the bit on every system, whatever the chunks that rows come in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modellab.learners.compiled._trees import TreeCore

CRITERIA = ("info_gain", "gini")
NUMBER_ANSWERS = ("mean", "linear", "adaptive")
ANSWERS = ("majority", "naive_bayes", "adaptive")
MOST_CODES = 32
"""So many codes of a category, the most frequent ones, are told apart; the others are one more."""
DEEPEST = 100
DEFAULTS: Mapping[str, Any] = {
    "criterion": "info_gain",
    "answer": "adaptive",
    "grace_period": 200,
    "delta": 1e-7,
    "tau": 0.05,
    "max_depth": None,
    "fading": 1.0,
    "regression": False,
    "leaf_rate": 0.1,
    "binary": False,
    "most_bytes": 0.0,
    "adaptive": False,
    "bootstrap": False,
    "watch_delta": 0.002,
    "switch_significance": 0.05,
    "switch_rows": 300,
    "subset": 0,
    "seed": 0,
    "stream": 0,
}
"""Every setting of a tree.

`most_bytes` 0: no bound. `subset`: so many columns are drawn for each leaf (0: all). `fading`: what
a leaf has learned counts so much with each further row that it learns (naive Bayes alone is a tree
of depth 0). `seed` and `stream` name the random numbers. The rest is told above.
"""


def slots_of(columns: int, codes: Sequence[int]) -> np.ndarray:
    """Slots of each column, int32 (columns,): 0 for a number; see `Inputs.codes`."""
    if not codes:
        return np.zeros(columns, np.int32)
    if len(codes) != columns:
        raise ValueError("codes do not fit the columns")
    return np.array([min(n, MOST_CODES) + 1 if n else 0 for n in codes], np.int32)


def tree_settings(**given: Any) -> dict[str, Any]:
    """Settings in the form that the compiled part takes, defaults added."""
    settings = {**DEFAULTS, **given}
    settings["criterion"] = CRITERIA.index(settings["criterion"])
    answers = NUMBER_ANSWERS if settings["regression"] else ANSWERS
    settings["answer"] = answers.index(settings["answer"])
    if settings["max_depth"] is None:
        settings["max_depth"] = DEEPEST
    for name in ("grace_period", "switch_rows", "most_bytes"):
        settings[name] = float(settings[name])
    return settings


def tree(columns: int, classes: int, codes: Sequence[int] = (), **given: Any) -> TreeCore:
    """A tree that has learned nothing.

    Parameters
    ----------
    columns
        Number of columns *d* of the rows, float64 (n, d).
    classes
        Number of classes, at least 2; 1 for regression.
    codes
        As `Inputs.codes`.
    given
        Settings, see `DEFAULTS`.

    Raises
    ------
    ValueError
        If `codes` do not fit.
    """
    from modellab.learners.compiled import _trees

    return _trees.TreeCore(
        slots_of(columns, codes), classes, tree_settings(regression=classes == 1, **given)
    )
