"""The learning-rate map: many linear models that differ in their step size, in one pass.

Every model does exactly what `modellab.learners.compiled.kernel.LinearKernel` does with that
learning rate and the same settings, to the bit; they share the row, the scaler and the step number.
Labels come at once and each row is a step of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.linear_arrays import blank_arrays, write_settings
from modellab.learners.compiled.linear_settings import COUNTERS, SETTINGS
from modellab.learners.compiled.rate_errors import RateErrors
from modellab.learners.compiled.twins import loops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from modellab.learners.compiled._rate_map import Core

    Floats = NDArray[np.float64]

_OF_EACH = ("weights", "squares", "moments", "average")
_BIAS_OF_EACH = ("bias", "bias_squares", "bias_moments", "bias_average")
_SHARED = ("counters", "mean", "variance", "inverse")


class RateMap(RateErrors):
    """Linear models side by side, one for each learning rate.

    Parameters
    ----------
    features, outputs
        As of `LinearKernel`.
    rates
        The learning rates (R,), each above 0.
    parameters
        Further settings of `LinearKernel`; not `learning_rate`, and `track_rates` has no effect.

    Raises
    ------
    ValueError
        For a wrong setting or rate, no rate at all, or a schedule without a learning rate.
    """

    def __init__(
        self, features: int, outputs: int, rates: Sequence[float] | Floats, **parameters: Any
    ) -> None:
        super().__init__(rates, parameters)
        parameters = {**parameters, "track_rates": False}
        every = [
            LinearKernel(1, outputs, **{**parameters, "learning_rate": rate}).parameters
            for rate in self.rates.tolist()
        ]
        self.features, self.outputs = features, outputs
        self._every = every
        self._arrays: dict[str, Any] = {}
        self._core: Core | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything learned."""
        one = blank_arrays(self.outputs, self.features)
        arrays: dict[str, Any] = dict(one)
        for name in (*_OF_EACH, *_BIAS_OF_EACH, "score", "steep"):
            arrays[name] = np.zeros((len(self.rates), *one[name].shape))
        arrays["settings"] = np.zeros((len(self.rates), len(SETTINGS)))
        for row, parameters in zip(arrays["settings"], self._every, strict=True):
            write_settings({**one, "settings": row}, parameters, self.outputs)
        arrays["features"] = self.features
        arrays["lanes"] = np.zeros(self._lanes_size(one["weights"].shape[1]))
        self._arrays = arrays
        self._errors = np.zeros(len(self.rates))
        self._asked = 0
        self._core = None

    def _lanes_size(self, width: int) -> int:
        """Room in which the compiled loop lays all models side by side, see `_rate_map.pyx`."""
        stride = -(-len(self.rates) // 8) * 8
        k, d = self.outputs, self.features
        return (k * d + k + 2) * stride + 8 * k + 2 * 16 * width

    @property
    def weights(self) -> Floats:
        """Copy of the weights that predict, (R, K, d)."""
        name = "average" if self._every[0]["average"] else "weights"
        return np.array(self._arrays[name][..., : self.features])

    @property
    def intercepts(self) -> Floats:
        """Copy of the intercepts that predict, (R, K)."""
        return np.array(self._arrays["bias_average" if self._every[0]["average"] else "bias"])

    @property
    def skipped(self) -> int:
        """Rows never learned: a value that is not finite, or a label out of range."""
        return int(self._arrays["counters"][COUNTERS.index("skipped")])

    def learn(self, rows: Floats, y: Floats) -> None:
        """Learn rows (n, d) with labels (n,) in order, without scoring."""
        self._run(rows, y, np.zeros(len(self.rates)), False)

    def run(self, rows: Floats, y: Floats) -> Floats:
        """Answer each row, score the answer, then learn the row.

        Parameters
        ----------
        rows, y
            (n, d) and (n,): class codes or numbers. A row without a usable label is neither scored
            nor learned; one with a value that is not finite is scored and not learned.

        Returns
        -------
        ndarray
            Mean error of each rate over these rows (R,); NaN where none was scored.
        """
        errors = np.zeros(len(self.rates))
        asked = self._run(rows, y, errors, True)
        return self._scored(errors, asked)

    def _run(self, rows: Floats, y: Floats, errors: Floats, ask: bool) -> int:
        rows = np.ascontiguousarray(rows, np.float64)
        y = np.ascontiguousarray(y, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"rows must have {self.features} columns")
        if y.shape != (len(rows),):
            raise ValueError("labels do not fit the rows")
        if self._core is None:
            core: Core = loops("_rate_map").Core(self._arrays)
            self._core = core
        return self._core.run(rows, y, errors, ask)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened, as copies."""
        state = {name: self._arrays[name].copy() for name in (*_OF_EACH, *_BIAS_OF_EACH, *_SHARED)}
        state.update(
            rates=self.rates.copy(),
            parameters=dict(self._every[0]),
            errors=self._errors.copy(),
            asked=self._asked,
        )
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state made by `state_dict`.

        Raises
        ------
        ValueError
            If it is of a map of another shape, other rates or settings.
        """
        if (
            not np.array_equal(state["rates"], self.rates)
            or dict(state["parameters"]) != self._every[0]
            or np.shape(state["weights"]) != self._arrays["weights"].shape
        ):
            raise ValueError("the state is of another map")
        self.reset()
        for name in (*_OF_EACH, *_BIAS_OF_EACH, *_SHARED):
            self._arrays[name][...] = state[name]
        self._errors[...] = state["errors"]
        self._asked = int(state["asked"])
