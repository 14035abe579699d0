"""The weights of a model that has very many: which of them are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_WEIGHTS = 4096
"""Of a model with more weights, as one of texts, only the `LARGEST` are told."""
LARGEST = 200


def largest(weights: Mapping[str, float]) -> dict[str, float]:
    """Return the `LARGEST` weights by absolute value, in the order of their columns."""
    sizes = -np.abs(np.fromiter(weights.values(), float, len(weights)))
    chosen = np.sort(np.argsort(sizes, kind="stable")[:LARGEST])
    names = list(weights)
    return {names[k]: weights[names[k]] for k in chosen.tolist()}
