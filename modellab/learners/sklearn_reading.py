"""What a fitted scikit-learn estimator can show: weights, sizes of trees, importance of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.learners.weights import MOST_WEIGHTS, largest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def parameters(estimator: Any, names: Sequence[str], classes: Sequence[object]) -> dict[str, float]:
    """What can be plotted over time.

    Linear models: weights by encoded column (several classes: ``"class: column"``) and the
    intercept. Trees: depth, leaves, nodes, columns used. Forests: trees, mean depth, nodes, leaves,
    columns used. Boosting: trees, leaves, depth. Neighbours: rows kept. Networks: the norm of
    each layer's weights. Naive Bayes: each class's share.
    """
    weights = coefficients(estimator, names, classes)
    if len(weights) > MOST_WEIGHTS:
        weights = largest(weights)
    if weights:
        return weights | _intercepts(estimator, classes)
    trees = _trees(estimator)
    if trees:
        return _forest(trees) if hasattr(estimator, "estimators_") else _tree(trees[0])
    if hasattr(estimator, "_predictors"):
        return _boosting(estimator)
    if hasattr(estimator, "coefs_"):
        return {
            f"norm of layer {i}": float(np.linalg.norm(layer))
            for i, layer in enumerate(estimator.coefs_, start=1)
        }
    if hasattr(estimator, "n_samples_fit_"):
        return {"rows kept": float(estimator.n_samples_fit_)}
    if hasattr(estimator, "class_prior_"):
        return {
            f"share of {classes[int(code)]}": float(p)
            for code, p in zip(estimator.classes_, estimator.class_prior_, strict=True)
        }
    if hasattr(estimator, "support_vectors_"):
        return {"support vectors": float(len(estimator.support_vectors_))}
    return {}


def coefficients(
    estimator: Any, names: Sequence[str], classes: Sequence[object]
) -> dict[str, float]:
    """Weights of a linear model by encoded column; empty for others."""
    given = _array(estimator, "coef_")
    if given is None or given.size == 0 or given.size % len(names):
        return {}
    rows = given.reshape(-1, len(names))
    if len(rows) == 1:
        return dict(zip(names, rows[0].tolist(), strict=True))
    prefixes = _prefixes(estimator, classes, len(rows))
    return {
        f"{prefix}{name}": weight
        for prefix, row in zip(prefixes, rows.tolist(), strict=True)
        for name, weight in zip(names, row, strict=True)
    }


def _intercepts(estimator: Any, classes: Sequence[object]) -> dict[str, float]:
    given = _array(estimator, "intercept_")
    if given is None:
        return {}
    values = np.atleast_1d(given).ravel()
    if len(values) == 1:
        return {"intercept": float(values[0])}
    prefixes = _prefixes(estimator, classes, len(values))
    return {f"{p}intercept": float(v) for p, v in zip(prefixes, values, strict=True)}


def _prefixes(estimator: Any, classes: Sequence[object], count: int) -> list[str]:
    codes = getattr(estimator, "classes_", None)
    if codes is not None and len(codes) == count:
        return [f"{classes[int(code)]}: " for code in codes]
    return [f"{i}: " for i in range(1, count + 1)]


def _array(estimator: Any, name: str) -> NDArray[np.float64] | None:
    try:
        value = getattr(estimator, name, None)
    except AttributeError:
        return None
    if value is None or isinstance(value, list):
        return None
    dense = value.toarray() if hasattr(value, "toarray") else value
    array = np.asarray(dense)
    return array.astype(np.float64) if array.dtype.kind in "fiu" else None


def importance(estimator: Any, names: Sequence[str]) -> dict[str, float] | None:
    """The estimator's own importances (mean decrease in impurity; Breiman 2001), if it has any."""
    given = _array(estimator, "feature_importances_")
    if given is None or len(given) != len(names):
        return None
    return dict(zip(names, given.tolist(), strict=True))


def _trees(estimator: Any) -> list[Any]:
    if hasattr(estimator, "tree_"):
        return [estimator.tree_]
    members = getattr(estimator, "estimators_", None)
    if members is None:
        return []
    flat = [m for m in np.asarray(members, dtype=object).ravel() if hasattr(m, "tree_")]
    return [m.tree_ for m in flat]


def _tree(tree: Any) -> dict[str, float]:
    return {
        "depth": float(tree.max_depth),
        "leaves": float(tree.n_leaves),
        "nodes": float(tree.node_count),
        "features used": float(len(np.unique(tree.feature[tree.feature >= 0]))),
    }


def _forest(trees: list[Any]) -> dict[str, float]:
    used = np.unique(np.concatenate([t.feature[t.feature >= 0] for t in trees]))
    return {
        "trees": float(len(trees)),
        "mean depth": float(np.mean([t.max_depth for t in trees])),
        "nodes": float(sum(t.node_count for t in trees)),
        "leaves": float(sum(t.n_leaves for t in trees)),
        "features used": float(len(used)),
    }


def _boosting(estimator: Any) -> dict[str, float]:
    trees = [tree for rounds in estimator._predictors for tree in rounds]
    if not trees:
        return {"trees": 0.0}
    return {
        "trees": float(len(trees)),
        "leaves": float(sum(tree.get_n_leaf_nodes() for tree in trees)),
        "mean depth": float(np.mean([tree.get_max_depth() for tree in trees])),
    }
