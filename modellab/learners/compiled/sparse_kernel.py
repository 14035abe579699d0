"""Linear models on sparse rows (words of texts), learned row by row: settings, state and calls.

The arithmetic is that of `modellab.learners.compiled.kernel`, in another order of operations: L2
shrinks all weights by one common factor, L1 cuts a weight when its column is next touched by all
that was due since (lazily, as Langford et al. 2009 and Tsuruoka et al. 2009 do), and a weight's
share of the averages is summed up then, too, so that a step costs as much as its row has cells.

The differences: with AdaGrad a penalty acts only on the columns that a row has; with Adam these
are the only ones whose means move (the lazy form of PyTorch's ``SparseAdam``); averages don't go
with an L1 that is cut lazily; of the columns only the first `dense` are scaled online, words stay
as they are; and no learning rates are carried along.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.sparse import SparseRows, join_rows
from modellab.learners.compiled.calls import cells, check_arrivals, check_cells
from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.linear_arrays import prepare_moments
from modellab.learners.compiled.linear_settings import (
    CHOICES,
    COUNTERS,
    FIXED,
    REGRESSION_LOSSES,
    SETTINGS,
    checked_parameters,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.learners.compiled._sparse import Core

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_KEPT = ("counters", "shared", "v", "cut", "bias", "bias_squares")
_SCALER = ("mean", "variance", "inverse")
_MEANS = ("sums", "since", "bias_sums")
_LARGEST = 1e100
_SKIPPED = COUNTERS.index("skipped")
_EARLIER = ("steps", "scaled", "skipped")
"""The counters that states of earlier versions have."""


class SparseKernel:
    """A linear model on sparse rows, with the calls of `LinearKernel`.

    Parameters
    ----------
    features
        Number of columns *d*.
    outputs
        Number of weight vectors *K*.
    dense
        The first columns, those of numbers, categories and times.
    parameters
        Settings as of `LinearKernel`; `track_rates` has no effect.

    Raises
    ------
    ValueError
        For a word, number or combination that is not allowed; the text names it.
    """

    def __init__(self, features: int, outputs: int, dense: int, **parameters: Any) -> None:
        self.features, self.outputs, self.dense = features, outputs, dense
        self._parameters = LinearKernel(1, outputs, **parameters).parameters
        _check_sparse(self._parameters)
        self._arrays: dict[str, Any] = {}
        self._core: Core | None = None
        self._waiting: list[tuple[SparseRows, Floats]] = []
        self._n_waiting = 0
        self.reset()

    # ------------------------------------------------------------------ what it is

    @property
    def regression(self) -> bool:
        """Whether the loss is for numbers, not classes."""
        return self._parameters["loss"] in REGRESSION_LOSSES

    @property
    def weights(self) -> Floats:
        """Copy of the weights that predict, (K, d): with `average` the averaged ones."""
        factor, cuts, mass = self._arrays["shared"]
        v = self._arrays["v"]
        if self._parameters["average"]:
            whole = self._arrays["sums"] + v * (mass - self._arrays["since"])
            return np.asarray(whole / max(self._count("averaged"), 1))
        due = np.maximum(np.abs(v) - (cuts - self._arrays["cut"]), 0.0)
        return np.asarray(factor * np.sign(v) * due)

    @property
    def intercept(self) -> Floats:
        """Copy of the intercepts that predict, (K,)."""
        if self._parameters["average"]:
            return np.asarray(self._arrays["bias_sums"] / max(self._count("averaged"), 1))
        return np.array(self._arrays["bias"])

    @property
    def steps(self) -> int:
        """Steps made so far."""
        return self._count("steps") - 1

    @property
    def skipped(self) -> int:
        """Rows never learned: a value that is not finite, or a label out of range."""
        return self._count("skipped")

    @property
    def waiting(self) -> int:
        """Rows collected for the next update."""
        return self._n_waiting

    @property
    def step_size(self) -> float:
        """Size of the next step (with AdaGrad before it is divided for each weight)."""
        p, step = self._parameters, self.steps + 1
        if p["schedule"] == "optimal":
            start = 1.0 / (math.sqrt(1.0 / math.sqrt(p["alpha"])) * p["alpha"])
            return 1.0 / float(p["alpha"] * (start + step - 1.0))
        if p["schedule"] == "invscaling":
            return float(p["learning_rate"] / step ** p["power_t"])
        return 1.0 if p["schedule"] == "pa" else float(p["learning_rate"])

    def parameter(self, name: str) -> Any:
        """Return the present value of a setting."""
        return self._parameters[name]

    def set_parameter(self, name: str, value: Any) -> None:
        """Change a setting at the next step; weights and scaler stay.

        Raises
        ------
        ValueError
            If there is no such setting, it cannot change, or the value is not allowed.
        """
        if name not in self._parameters:
            raise ValueError(f"there is no setting {name}")
        if name in FIXED:
            raise ValueError(f"{name} cannot change once weights have been learned")
        before = self._parameters["schedule"]
        changed = checked_parameters({**self._parameters, name: value}, self.outputs)
        _check_sparse(changed)
        if changed["schedule"] != before:
            self._ready().level()  # what waits was due under the schedule of before
        self._parameters = changed
        self._make_room()
        self._write_settings()
        prepare_moments({**self._arrays, "weights": self._arrays["v"]}, changed, before)

    def rates(self) -> None:
        """No learning rates are carried along on sparse rows."""

    def best_rate(self) -> None:
        """No learning rates are carried along on sparse rows."""

    # ------------------------------------------------------------------ learning

    def reset(self) -> None:
        """Forget everything learned."""
        k, d, dense = self.outputs, self.features, max(1, self.dense)
        average = self._parameters["average"]
        self._arrays = {
            "dense": self.dense,
            "counters": np.zeros(len(COUNTERS), np.int64),
            "choices": np.zeros(len(CHOICES), np.int64),
            "settings": np.zeros(len(SETTINGS)),
            "shared": np.array([1.0, 0.0, 0.0]),
            "v": np.zeros((k, d)),
            "squares": np.zeros((k, 1)),
            "moments": np.zeros((k, 1)),
            "cut": np.zeros(d),
            "sums": np.zeros((k, d if average else 1)),
            "since": np.zeros(d if average else 1),
            "x": np.zeros(dense),
            "z": np.zeros(dense),
            "gradient": np.zeros((k, d)),
            "touched": np.zeros(d, np.int32),
            "stamp": np.zeros(d, np.int32),
        }
        for name in ("bias", "bias_squares", "bias_moments", "bias_sums", "bias_gradient"):
            self._arrays[name] = np.zeros(k)
        for name in ("score", "steep"):
            self._arrays[name] = np.zeros(k)
        for name in _SCALER:
            self._arrays[name] = np.zeros(dense)
        self._arrays["counters"][COUNTERS.index("steps")] = 1
        self._waiting, self._n_waiting = [], 0
        self._make_room()
        self._write_settings()

    def _count(self, name: str) -> int:
        return int(self._arrays["counters"][COUNTERS.index(name)])

    def _own(self) -> tuple[str, ...]:
        """Arrays that only some settings need, and a state only then has."""
        schedule = self._parameters["schedule"]
        found: tuple[str, ...] = ("squares",) if schedule in ("adagrad", "adam", "ftrl") else ()
        found += ("moments", "bias_moments") if schedule in ("adam", "ftrl") else ()
        return found + (_MEANS if self._parameters["average"] else ())

    def _make_room(self) -> None:
        for name in ("squares", "moments"):
            if name in self._own() and self._arrays[name].shape[1] < self.features:
                self._arrays[name] = np.zeros((self.outputs, self.features))
        self._core = None

    def run(
        self,
        rows: Any,
        learn_rows: Any,
        learn_y: Floats,
        upto: Ints,
        *,
        every: int = 1,
        batch: int = 1,
        frozen: bool = False,
    ) -> Floats:
        """Predict each of the `SparseRows`, then learn what arrived (see `LinearKernel.run`)."""
        scores = np.empty((len(rows), self.outputs))
        learn_y = np.ascontiguousarray(learn_y, np.float64)
        upto = np.ascontiguousarray(upto, np.int64)
        check_arrivals(upto, len(rows), len(learn_rows), len(learn_y), min(every, batch))
        if not len(rows):
            return scores
        if frozen:
            if upto[-1] > 0:
                self._waiting, self._n_waiting = [], 0
            self._predict(rows, scores)
        elif every == 1 and batch == 1 and not self._n_waiting:
            one, two = cells(rows), cells(learn_rows)
            self._ready().run(*one, *two, learn_y, upto, scores)
        else:
            self._run_in_groups(rows, learn_rows, learn_y, upto, every, batch, scores)
        return scores

    def _run_in_groups(
        self,
        rows: SparseRows,
        learn_rows: SparseRows,
        learn_y: Floats,
        upto: Ints,
        every: int,
        batch: int,
        scores: Floats,
    ) -> None:
        good = self._usable(learn_rows, learn_y)
        counts = np.concatenate([[0], np.cumsum(good)])
        predicted = taken = 0
        while True:
            # The next update falls due with the arrival of usable row number `wanted`.
            wanted = counts[taken] + max(1, every - self._n_waiting)
            arrival = int(np.searchsorted(counts, wanted))
            after = int(np.searchsorted(upto, arrival)) + 1 if arrival <= upto[-1] else len(rows)
            self._predict(rows[predicted:after], scores[predicted:after])
            predicted = after
            if arrival > upto[-1]:
                break
            self._take(learn_rows, learn_y, good, taken, arrival)
            taken = arrival
            if self._n_waiting >= every:
                self._learn_waiting(batch)
        self._take(learn_rows, learn_y, good, taken, int(upto[-1]))

    def _take(
        self, rows: SparseRows, y: Floats, good: NDArray[np.bool_], start: int, stop: int
    ) -> None:
        chosen = start + np.flatnonzero(good[start:stop])
        self._arrays["counters"][_SKIPPED] += stop - start - len(chosen)
        if len(chosen):
            self._waiting.append((rows[chosen], y[chosen]))
            self._n_waiting += len(chosen)

    def _learn_waiting(self, batch: int) -> None:
        rows = join_rows([part for part, _ in self._waiting])
        y = np.concatenate([part for _, part in self._waiting])
        self._waiting, self._n_waiting = [], 0
        self._ready().learn(*cells(rows), y, batch, False)

    def learn(
        self, rows: SparseRows, y: Floats, batch: int = 1, *, hold_scaler: bool = False
    ) -> int:
        """Learn rows with labels (n,) now, in groups of `batch`; return the steps made.

        Rows that wait since an earlier `run` are learned first.
        """
        before = self.steps
        if self._waiting:
            self._learn_waiting(batch)
        y = np.ascontiguousarray(y, np.float64)
        good = self._usable(rows, y)
        if not good.all():
            self._arrays["counters"][_SKIPPED] += int(np.count_nonzero(~good))
            rows, y = rows[good], y[good]
        self._ready().learn(*cells(rows), y, batch, hold_scaler)
        return self.steps - before

    def predict(self, rows: SparseRows) -> Floats:
        """Decision values (n, K); changes nothing."""
        scores = np.empty((len(rows), self.outputs))
        self._predict(rows, scores)
        return scores

    def _predict(self, rows: SparseRows, scores: Floats) -> None:
        self._ready().predict(*cells(rows), scores)

    def _usable(self, rows: SparseRows, y: Floats) -> NDArray[np.bool_]:
        if self.regression:
            good = np.abs(y) <= _LARGEST
        else:
            last = 1.0 if self.outputs == 1 else self.outputs - 1.0
            good = (y >= 0.0) & (y <= last) & (y == np.floor(y))
        bad = ~(np.abs(rows.values) <= _LARGEST)
        if bad.any():
            row_of = np.searchsorted(rows.ends, np.flatnonzero(bad), side="right") - 1
            good = good.copy()
            good[row_of] = False
        return np.asarray(good, dtype=np.bool_)

    # ------------------------------------------------------------------ state in and out

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened: settings, and copies of arrays."""
        state: dict[str, Any] = {
            "shape": [self.features, self.outputs, self.dense],
            "parameters": dict(self._parameters),
        }
        for name in (*_KEPT, *_SCALER, *self._own()):
            state[name] = self._arrays[name].copy()
        if self._waiting:
            rows = join_rows([part for part, _ in self._waiting])
            names = ("values", "columns", "ends")
            copies = [np.copy(part) for part in cells(rows)]
            state["waiting"] = dict(zip(names, copies, strict=True))
            state["waiting_y"] = np.concatenate([part for _, part in self._waiting])
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state made by `state_dict`.

        Raises
        ------
        ValueError
            If the state is of a model of another shape, loss or scaling.
        """
        parameters = checked_parameters({**self._parameters, **state["parameters"]}, self.outputs)
        same = all(parameters[name] == self._parameters[name] for name in FIXED)
        if not same or list(state["shape"]) != [self.features, self.outputs, self.dense]:
            raise ValueError("the state is of another model")
        self._parameters = parameters
        self.reset()
        for name in (*_KEPT[2:], *_SCALER, *self._own()):
            value = np.asarray(state[name], np.float64)
            if value.shape != self._arrays[name].shape:
                raise ValueError(f"{name} of the state has another shape")
            self._arrays[name][...] = value
        counters = np.asarray(state["counters"], np.int64)
        earlier = len(counters) == len(_EARLIER)
        places = [COUNTERS.index(name) for name in (_EARLIER if earlier else COUNTERS)]
        self._arrays["counters"][places] = counters
        shared = np.asarray(state["shared"])
        self._arrays["shared"][: len(shared)] = shared
        if "waiting" in state:
            rows = SparseRows(**state["waiting"], width=self.features, dense=self.dense)
            check_cells(rows, len(state["waiting_y"]))
            self._waiting = [(rows, np.array(state["waiting_y"]))]
            self._n_waiting = len(rows)
        self._core = None

    def _write_settings(self) -> None:
        # The dense kernel knows the places and the start of the schedule "optimal".
        model = LinearKernel(1, self.outputs, **{**self._parameters, "track_rates": False})
        self._arrays["choices"][:] = model.choices
        self._arrays["settings"][:] = model.settings

    def _ready(self) -> Core:
        if self._core is None:
            from modellab.learners.compiled import _sparse

            self._core = _sparse.Core(self._arrays)
        return self._core


def _check_sparse(parameters: Mapping[str, Any]) -> None:
    """Raise ValueError for what only the dense kernel has."""
    lazily = parameters["schedule"] in ("constant", "invscaling", "optimal")
    if parameters["average"] and lazily and parameters["penalty"] in ("l1", "elasticnet"):
        raise ValueError(
            "averaged weights don't go with the penalties l1 and elasticnet for columns of text, "
            "unless the schedule is adagrad, adam or ftrl"
        )
