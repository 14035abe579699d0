"""How each of many learning rates erred so far: what the maps of dense and sparse rows share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NO_RATE = ("optimal", "pa")


class RateErrors:
    """Learning rates, and the errors of their models.

    Parameters
    ----------
    rates
        The learning rates (R,), each above 0.
    parameters
        Settings of the models.

    Raises
    ------
    ValueError
        For no rate at all, a rate among the settings, or a schedule without a learning rate.
    """

    def __init__(self, rates: Sequence[float] | Floats, parameters: Mapping[str, Any]) -> None:
        self.rates = np.array(rates, np.float64)
        if self.rates.ndim != 1 or not len(self.rates):
            raise ValueError("at least one learning rate is needed")
        if "learning_rate" in parameters:
            raise ValueError("the learning rates are given by rates")
        if parameters.get("schedule") in _NO_RATE:
            raise ValueError(f"the schedule {parameters['schedule']} has no learning rate")
        self._errors = np.zeros(len(self.rates))
        self._asked = 0

    @property
    def asked(self) -> int:
        """Rows answered and scored so far."""
        return self._asked

    @property
    def errors(self) -> Floats:
        """Mean error of each rate over the rows scored: error rate, or absolute error; (R,)."""
        return self._mean(self._errors, self._asked)

    @property
    def best(self) -> float | None:
        """The rate with the least error, the smallest of equals; None before the first row."""
        return float(self.rates[int(np.argmin(self._errors))]) if self._asked else None

    def _scored(self, errors: Floats, asked: int) -> Floats:
        """Add the summed errors (R,) of some rows; return their means, NaN where none is scored."""
        self._errors += errors
        self._asked += asked
        return self._mean(errors, asked)

    def _mean(self, errors: Floats, asked: int) -> Floats:
        return errors / asked if asked else np.full(len(self.rates), np.nan)
