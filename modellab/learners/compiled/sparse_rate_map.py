"""The learning-rate map of rows that are mostly zeros: one model for each rate, chunk by chunk.

Every model is a `modellab.learners.compiled.sparse_kernel.SparseKernel` of its own, so that it is
to the bit what a lane with that rate would be. They go over the same cells one after the other
while these are near the processor; there is no passage over the weights to be shared, since a row
touches few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.learners.compiled.rate_errors import RateErrors
from modellab.learners.compiled.sparse_kernel import SparseKernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modellab.data.sparse import SparseRows

    Floats = NDArray[np.float64]

CHUNK = 1024
"""Rows that all models take in before the next."""
_LARGEST = 1e100


class SparseRateMap(RateErrors):
    """Linear models on sparse rows, one for each learning rate.

    Parameters
    ----------
    features, outputs, dense
        As of `SparseKernel`.
    rates
        The learning rates (R,), each above 0.
    parameters
        Further settings of `SparseKernel`; not `learning_rate`, and `track_rates` has no effect.

    Raises
    ------
    ValueError
        For a wrong setting or rate, no rate at all, or a schedule without a learning rate.
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        dense: int,
        rates: Sequence[float] | Floats,
        **parameters: Any,
    ) -> None:
        super().__init__(rates, parameters)
        settings = {**parameters, "track_rates": False}
        self._models = [
            SparseKernel(features, outputs, dense, **{**settings, "learning_rate": rate})
            for rate in self.rates.tolist()
        ]

    @property
    def weights(self) -> Floats:
        """Copy of the weights that predict, (R, K, d)."""
        return np.array([model.weights for model in self._models])

    @property
    def intercepts(self) -> Floats:
        """Copy of the intercepts that predict, (R, K)."""
        return np.array([model.intercept for model in self._models])

    @property
    def skipped(self) -> int:
        """Rows never learned: a value that is not finite, or a label out of range."""
        return self._models[0].skipped

    def learn(self, rows: SparseRows, y: Floats) -> None:
        """Learn rows with labels (n,) in order, without scoring."""
        for start in range(0, len(y), CHUNK):
            own = slice(start, start + CHUNK)
            part, labels = rows[own], y[own]
            for model in self._models:
                model.learn(part, labels)

    def run(self, rows: SparseRows, y: Floats) -> Floats:
        """Answer each row, score the answer, then learn the row.

        Parameters
        ----------
        rows, y
            n rows, and (n,) class codes or numbers. A row without a usable label is neither scored
            nor learned; one with a value that is not finite is scored and not learned.

        Returns
        -------
        ndarray
            Mean error of each rate over these rows (R,); NaN where none was scored.
        """
        y = np.ascontiguousarray(y, np.float64)
        if y.shape != (len(rows),):
            raise ValueError("labels do not fit the rows")
        errors = np.zeros(len(self.rates))
        asked = 0
        for start in range(0, len(y), CHUNK):
            own = slice(start, start + CHUNK)
            part, labels = rows[own], y[own]
            upto = np.arange(1, len(labels) + 1, dtype=np.int64)
            good = self._labelled(labels)
            asked += int(np.count_nonzero(good))
            for i, model in enumerate(self._models):
                losses = self._losses(model.run(part, part, labels, upto), labels)[good]
                # One after the other, so that no cut into calls changes a bit.
                errors[i] = np.add.accumulate(np.concatenate([errors[i : i + 1], losses]))[-1]
        return self._scored(errors, asked)

    def _labelled(self, y: Floats) -> NDArray[np.bool_]:
        model = self._models[0]
        if model.regression:
            return np.asarray(np.abs(y) <= _LARGEST)
        last = max(model.outputs - 1.0, 1.0)
        return np.asarray((y >= 0.0) & (y <= last) & (y == np.floor(y)))

    def _losses(self, scores: Floats, y: Floats) -> Floats:
        if self._models[0].regression:
            losses: Floats = np.abs(scores[:, 0] - y)
            return losses
        one = scores.shape[1] == 1
        answers = scores[:, 0] > 0.0 if one else np.argmax(scores, axis=1)
        return np.asarray(answers != y, dtype=np.float64)
