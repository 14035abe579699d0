"""What a linear model was after given rows: noted by its compiled loop, asked later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.learners.compiled.linear_arrays import width_of
from modellab.learners.compiled.linear_settings import BLOCK, step_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.learners.compiled._linear import Core
    from modellab.learners.compiled.kernel import LinearKernel

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class KernelLook:
    """A model as it was: what predicts, and the size of its next step.

    Attributes
    ----------
    core
        The compiled loops of the model.
    parameters, settings
        Its settings at that time, and the numbers among them as the loops take them.
    outputs, features
        Weight vectors *K* and columns *d*.
    noted
        Weights (K, width), intercepts (K,), means and inverse deviations (width,), one after the
        other.
    t
        Number of the next step.
    """

    core: Core
    parameters: Mapping[str, Any]
    settings: Floats
    outputs: int
    features: int
    noted: Floats
    t: int

    @property
    def weights(self) -> Floats:
        """The weights that predict, (K, d)."""
        width = width_of(self.features)
        whole = self.noted[: self.outputs * width].reshape(self.outputs, width)
        return whole[:, : self.features]

    @property
    def intercept(self) -> Floats:
        """The intercepts that predict, (K,)."""
        start = self.outputs * width_of(self.features)
        return self.noted[start : start + self.outputs]

    @property
    def step_size(self) -> float:
        """`LinearKernel.step_size` of then."""
        return step_size(self.parameters, self.settings, self.t)

    def predict(self, rows: Floats) -> Floats:
        """Decision values (n, K) of rows (n, d), to the bit those of then."""
        rows = np.ascontiguousarray(rows, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"rows must have {self.features} columns")
        scores = np.empty((len(rows), self.outputs))
        room = np.zeros(width_of(self.features) + self.outputs)
        self.core.predict_at(rows, self.noted, room, scores)
        return scores


def run_looked(
    kernel: LinearKernel,
    rows: Floats,
    y: Floats,
    at: Ints,
    batch: int = 1,
    answers: tuple[Ints, Floats] | None = None,
) -> tuple[Floats, list[KernelLook]]:
    """Predict each row, then learn it: `LinearKernel.run` without delay, with looks meanwhile.

    Parameters
    ----------
    kernel
        The model.
    rows, y
        Rows (n, d) and their labels (n,).
    at
        Increasing numbers of rows, 1 to n, after which the model is looked at.
    batch
        As in `LinearKernel.run`, for rows that wait since an earlier call.
    answers
        For two classes and the loss "log" or "modified_huber": where the class codes (n,) and the
        probabilities (n, 2) go, instead of the decision values.

    Returns
    -------
    Decision values (n, K), with `answers` no more than room for some, and the looks.

    Raises
    ------
    ValueError
        If shapes do not fit, `at` does not increase, or `batch` is below 1.
    """
    rows, y = kernel.checked(rows), np.ascontiguousarray(y, np.float64)
    at = np.ascontiguousarray(at, np.int64)
    n, k, d = len(rows), kernel.outputs, kernel.features
    if y.shape != (n,) or batch < 1:
        raise ValueError("labels do not fit the rows, or batch is below 1")
    if len(at) and (at[0] < 1 or at[-1] > n or bool((at[1:] <= at[:-1]).any())):
        raise ValueError("the places of the looks must increase, from 1 to the number of rows")
    width = width_of(d)
    noted, steps = np.empty((len(at), k * width + k + 2 * width)), np.empty(len(at), np.int64)
    scores = np.empty((n if answers is None else min(n, BLOCK), k))
    values, shares = answers or (np.empty(0, np.int64), np.empty((0, 2)))
    p, core = kernel.parameters, kernel.ready_for(n)
    huber = p["loss"] == "modified_huber"
    core.run_looked(rows, y, batch, at, noted, steps, scores, values, shares, huber)
    settings = kernel.settings
    found = zip(noted, steps.tolist(), strict=True)
    return scores, [KernelLook(core, p, settings, k, d, look, t) for look, t in found]
