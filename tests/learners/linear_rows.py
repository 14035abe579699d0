"""Rows and bits of linear kernels, for the tests beside this."""

from __future__ import annotations

import numpy as np

from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.linear_settings import (
    CLASSIFICATION_LOSSES,
)


def stream(loss: str, n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a linear truth and noise; labels 0 and 1, or numbers."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d))
    value = rows @ rng.normal(size=d) + rng.normal(size=n)
    return rows, (value > 0.3).astype(np.float64) if loss in CLASSIFICATION_LOSSES else value


def now(n: int) -> np.ndarray:
    """Arrivals without delay."""
    return np.arange(1, n + 1)


def bits(kernel: LinearKernel) -> bytes:
    """Everything a kernel holds, as bytes."""
    state = kernel.state_dict()
    names = sorted(k for k, v in state.items() if isinstance(v, np.ndarray))
    return b"".join(name.encode() + state[name].tobytes() for name in names)
