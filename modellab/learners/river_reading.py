"""What a river model can show: weights, and the size and depth of trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def parameters(model: Any, classes: Sequence[object]) -> dict[str, float]:
    """What can be plotted over time.

    Linear models: weights by column (several classes: ``"class: column"``) and the intercept.
    Trees: depth, leaves, nodes, columns used. Ensembles of trees: trees, mean depth, leaves,
    nodes, columns used. Other models: nothing.
    """
    weights = coefficients(model, classes)
    if weights:
        return weights | _intercepts(model, classes)
    trees = _trees(model)
    if not trees:
        return {}
    used = {f: None for tree in trees for f in _features(tree)}
    totals = {
        "leaves": float(sum(_count(tree, "n_leaves") for tree in trees)),
        "nodes": float(sum(_count(tree, "n_nodes") for tree in trees)),
        "features used": float(len(used)),
    }
    depths = [_count(tree, "height") for tree in trees]
    if not isinstance(model, Iterable):
        return {"depth": float(depths[0]), **totals}
    return {"trees": float(len(trees)), "mean depth": sum(depths) / len(depths), **totals}


def coefficients(model: Any, classes: Sequence[object]) -> dict[str, float]:
    """Weights of a linear model by column; empty for others."""
    members = _one_against_rest(model)
    if members is not None:
        return {
            f"{classes[int(label)]}: {name}": weight
            for label, member in members
            for name, weight in coefficients(member, classes).items()
        }
    given = getattr(model, "weights", None)
    if not isinstance(given, dict):
        return {}
    found: dict[str, float] = {}
    for name, weight in given.items():
        # Softmax regression keeps one dictionary of weights for each class.
        if isinstance(weight, dict):
            for column, value in weight.items():
                found[f"{classes[int(name)]}: {column}"] = float(value)
        elif isinstance(weight, (int, float)):
            found[str(name)] = float(weight)
    return found


def _intercepts(model: Any, classes: Sequence[object]) -> dict[str, float]:
    members = _one_against_rest(model)
    if members is not None:
        return {
            f"{classes[int(label)]}: {name}": value
            for label, member in members
            for name, value in _intercepts(member, classes).items()
        }
    value = getattr(model, "intercept", None)
    return {"intercept": float(value)} if isinstance(value, (int, float)) else {}


def _one_against_rest(model: Any) -> list[tuple[Any, Any]] | None:
    if type(model).__name__ != "OneVsRestClassifier":
        return None
    return sorted(model.classifiers.items(), key=lambda item: int(item[0]))


def _is_tree(model: Any) -> bool:
    return hasattr(model, "n_nodes") and hasattr(model, "height")


def _trees(model: Any, depth: int = 0) -> list[Any]:
    """The trees of a tree or of an ensemble of nothing but trees."""
    if _is_tree(model):
        return [model]
    if depth >= 4:
        return []
    if isinstance(model, Iterable) and not isinstance(model, (str, dict)):
        members = [_trees(member, depth + 1) for member in model]
        return [tree for trees in members for tree in trees] if all(members) else []
    # Members of random patches and adaptive forests sit inside a wrapper.
    for name in ("model", "classifier", "regressor"):
        inner = getattr(model, name, None)
        if inner is not None and inner is not model:
            return _trees(inner, depth + 1)
    return []


def _count(tree: Any, name: str) -> int:
    value = getattr(tree, name)
    return int(value) if value else 0


def _features(tree: Any) -> Iterator[object]:
    """Columns that the tree's splits ask for."""
    root = getattr(tree, "_root", None)
    pending = [root] if root is not None else []
    while pending:
        node = pending.pop()
        children = getattr(node, "children", None)
        if children is None:
            continue
        feature = getattr(node, "feature", None)
        if feature is not None:
            yield feature
        pending.extend(children.values() if isinstance(children, dict) else children)
