"""Ensembles of Hoeffding trees learned row by row: settings of the compiled loops.

What is computed, for a row and its class, in each of the `n_models` trees:

1. *Answer.* The shares of the classes that the trees give are averaged; with `weighted`, each tree
   counts as much as its share of right answers since it was made (1 while it has none).
2. *Bootstrap on line* (Oza and Russell 2001): the tree learns the row with weight *k* drawn from
   Poisson(`mean_weight`), a function of seed, tree and row number alone; not at all when *k* is 0.
3. *Change.* ``adapts`` says what is done when ADWIN finds that a tree's errors, each told before it
   learned the row, have risen: ``nothing``; ``worst``, the tree with the most errors in its window
   is made anew (leveraging bagging, Bifet, Holmes and Pfahringer 2010); ``own``, as in the adaptive
   random forest (Gomes et al. 2017): at a warning (`warning_delta`) a young tree begins to learn
   beside the tree, at an alarm (`alarm_delta`) it takes over, or a new one where none has begun.
4. *Random columns.* With ``subset`` in the trees' settings every leaf looks at as many columns
   only, drawn when the leaf is made, for its splits and its naive Bayes alike.

The trees are those of `modellab.learners.compiled.trees`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab.learners.compiled.trees import slots_of, tree_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modellab.learners.compiled._forests import ForestCore

ADAPTS = ("nothing", "worst", "own")
DEFAULTS: Mapping[str, Any] = {
    "n_models": 10,
    "adapts": "own",
    "weighted": True,
    "mean_weight": 6.0,
    "alarm_delta": 0.001,
    "warning_delta": 0.01,
}


def forest_settings(tree: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Settings in the form that the compiled part takes, defaults added; `tree`: the trees' own."""
    settings = {**DEFAULTS, **given}
    settings["adapts"] = ADAPTS.index(settings["adapts"])
    return {**settings, "tree": tree_settings(**tree)}


def forest(
    columns: int,
    classes: int,
    codes: Sequence[int] = (),
    tree: Mapping[str, Any] | None = None,
    **given: Any,
) -> ForestCore:
    """An ensemble that has learned nothing; see `trees.tree` for the arguments."""
    from modellab.learners.compiled import _forests

    return _forests.ForestCore(
        slots_of(columns, codes), classes, forest_settings(tree or {}, **given)
    )
