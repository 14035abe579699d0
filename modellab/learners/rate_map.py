"""The learning-rate map of a linear lane: how every rate would have done on the same rows.

One pass over the rows teaches a model for each rate, each to the bit what a lane with that rate
alone would be: at about ten times the price of one where rows are dense
(`modellab.learners.compiled.rate_map`), at the price of as many where they are mostly zeros
(`modellab.learners.compiled.sparse_rate_map`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.errors import LearnerError
from modellab.learners.compiled.rate_map import RateMap as DenseMap
from modellab.learners.compiled.sparse_rate_map import SparseRateMap
from modellab.learners.linear import PARAMETERS, TITLE, view_of
from modellab.learners.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.learners.base import Floats, Inputs, Rows, View

RATES = 64
LEAST, MOST = 1e-5, 10.0

WHY_NOT = {
    "optimal": "the schedule optimal takes no learning rate.",
    "pa": "the schedule pa takes no learning rate.",
}
"""Why some linear learners have no map."""


def why_not(params: Mapping[str, Any]) -> str | None:
    """Return why a linear learner with these settings has no map; None if it has one."""
    return WHY_NOT.get(str(params.get("schedule", "constant")))


class RateMap:
    """Linear learners side by side that differ in their learning rate alone.

    Labels come at once: each row is answered, scored and learned before the next.

    Parameters
    ----------
    inputs
        The encoded columns and the task.
    params
        Settings of the linear learner; its learning rate, `track_rates` and `passes` have no
        effect.
    rates
        The learning rates (R,); None: 64 from 0.00001 to 10, evenly on a logarithmic scale.
    centre, unit
        What a number to predict is centred on and divided by, as the lane does.

    Raises
    ------
    LearnerError
        If a setting is unknown or out of range, or there is no map for it (see `why_not`).
    """

    def __init__(
        self,
        inputs: Inputs,
        params: Mapping[str, Any],
        rates: Floats | None = None,
        *,
        centre: float = 0.0,
        unit: float = 1.0,
    ) -> None:
        values = resolve(TITLE, PARAMETERS, params, inputs.task.kind)
        if not inputs.names:
            raise LearnerError(f"{TITLE} needs at least one feature column.")
        reason = why_not(values)
        if reason is not None:
            raise LearnerError(f"There is no learning-rate map here: {reason}")
        for name in ("passes", "target", "learning_rate", "track_rates"):
            values.pop(name)
        if rates is None:
            rates = np.geomspace(LEAST, MOST, RATES)
        outputs = inputs.task.n_classes if inputs.task.n_classes > 2 else 1
        self.view: View = view_of(values)
        self._centre, self._unit = centre, unit
        try:
            self._kernel: DenseMap | SparseRateMap
            if inputs.sparse_from is None:
                self._kernel = DenseMap(len(inputs.names), outputs, rates, **values)
            else:
                self._kernel = SparseRateMap(
                    len(inputs.names), outputs, inputs.sparse_from, rates, **values
                )
        except ValueError as error:
            raise LearnerError(f"{TITLE}: {error}.") from error

    @property
    def rates(self) -> Floats:
        """The learning rates (R,)."""
        return self._kernel.rates.copy()

    @property
    def rows(self) -> int:
        """Rows answered and scored so far."""
        return self._kernel.asked

    def learn(self, rows: Rows, y: NDArray[Any]) -> None:
        """Teach every rate rows (n, d) with labels (n,) in order, without scoring: a training."""
        self._kernel.learn(rows, self._inward(y))

    def run(self, rows: Rows, y: NDArray[Any]) -> Floats:
        """Answer, score and learn each row; return the mean error of each rate over these (R,)."""
        return self._kernel.run(rows, self._inward(y)) * self._unit

    def error_by_rate(self) -> dict[float, float]:
        """Mean error of each rate over all rows scored: error rate, or absolute error.

        Empty before the first row.
        """
        if not self.rows:
            return {}
        errors = self._kernel.errors * self._unit
        return dict(zip(self._kernel.rates.tolist(), errors.tolist(), strict=True))

    @property
    def best(self) -> float | None:
        """The rate with the least error, the smallest of equals; None before the first row."""
        return self._kernel.best

    def _inward(self, y: NDArray[Any]) -> Floats:
        y = np.asarray(y, np.float64)
        return y if self._unit == 1.0 and self._centre == 0.0 else (y - self._centre) / self._unit
