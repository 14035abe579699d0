"""Linear models learned row by row: settings, state and calls of the compiled loops.

What is computed, for the row *x* with label *y*, step number *t* (from 1) and step size *eta*:

1. *Predict*: ``score = w . z + b`` where *z* is *x*, or *x* standardised with the running mean
   and (population) deviation of the rows learned so far (``scale="online"``); a column whose
   deviation is still 0 counts as 0.
2. *Scale*: when the row is to be learned, mean and variance take it in first (Welford 1962); the
   step uses *z* on the new statistics. This is the order of river's
   ``StandardScaler | LogisticRegression``.
3. *Step*: ``w <- w max(0, 1 - eta l2) - eta g z``, ``b <- b - eta g`` with *g* the slope of the
   loss at the score, cut off at 1e12 as in scikit-learn; the intercept is not penalised. Then L1:
   every weight moves towards 0 by ``eta l1`` and stops there (truncated gradient, Langford et al.
   2009). This is Tsuruoka's cumulative penalty with its state (u, q) reset at every row:
   scikit-learn resets it at every call of ``partial_fit``, so feeding it one row at a time is the
   same thing. ``l2 = alpha (1 - l1_ratio)`` and ``l1 = alpha l1_ratio``, where the ratio is 1 for
   "l1" and 0 for "l2".

A mini-batch of *b* rows is one step: the scaler takes in all *b* rows, then the mean gradient of
the rows on the new statistics is followed, and the penalty applied once (river's ``learn_many``).

Step sizes: *constant* ``eta0``; *invscaling* ``eta0 / t^power_t``; *optimal*
``1 / (alpha (t0 + t - 1))`` with ``t0 = 1 / (alpha sqrt(1 / sqrt(alpha)))`` (Bottou's heuristic,
scikit-learn's definition: eta0 is not used); *adagrad* ``eta0 / sqrt(G_j + 1e-8)`` with ``G_j`` the
sum of the squared gradients of weight *j*, the L2 part included (Duchi et al. 2011, river's
``optim.AdaGrad``); there the intercept is one more weight, and L1 uses each weight's own step size.

*adam* (Kingma and Ba 2015, in the efficient order of its section 2): the running means *m* of the
gradients and *v* of their squares, L2 part included, ``w <- w - eta_t m / (sqrt(v) + 1e-8)`` with
``eta_t = eta0 sqrt(1 - beta_2^t) / (1 - beta_1^t)``; L1 as with adagrad. *ftrl* (FTRL-Proximal,
McMahan et al. 2013, algorithm 1): the weight is ``-tz(z, l1) / ((beta + sqrt(n)) / eta0 + l2)``
where *tz* moves towards 0, *n* is the sum of squared gradients and *z* the sum of the gradients
less what the past steps held. In both the intercept is one more weight without penalty.
*pa*, *pa1*, *pa2* (Crammer et al. 2006): the least change of the weights that brings the loss
(hinge, or epsilon-insensitive) of the row to 0: its size *tau* is ``loss / |z|^2``; with *pa1* at
most *C*; with *pa2* ``loss / (|z|^2 + 1 / (2 C))``. *C* is `learning_rate`, as in scikit-learn;
there is no penalty, and the intercept moves by *tau* without counting in the length.

`average`: what predicts is the mean of the weights after each step so far (Polyak and Juditsky
1992; scikit-learn's ``average=True``); the steps themselves are those without it.

Several classes: one weight vector for each, taught one against the rest, or (softmax) together:
the slope of class *c* is its probability ``e^score_c / sum e^score``, less 1 if it is the row's.
Two classes share one vector, which makes both the same.
The derivative of the squared loss is ``p - y`` (scikit-learn's half squared error; river's is
twice that).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.learners.compiled.calls import check_arrivals
from modellab.learners.compiled.linear_arrays import (
    blank_arrays,
    more_arrays,
    prepare_moments,
    write_settings,
)
from modellab.learners.compiled.linear_settings import (
    ASKED_MOST,
    COUNTERS,
    FIXED,
    LANES,
    MODEL_ARRAYS,
    RATE_ARRAYS,
    RATES,
    RATES_WINDOW,
    REGRESSION_LOSSES,
    carries,
    checked_parameters,
    step_size,
)
from modellab.learners.compiled.twins import loops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from modellab.learners.compiled._linear import Core

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


BITS = 1 << np.arange(len(RATES), dtype=np.uint16)
"""The bit of each carried rate in what is kept of a row: 1 where its answer was wrong."""


class LinearKernel:
    """A linear model and everything needed to go on learning it.

    Parameters
    ----------
    features
        Number of columns *d*, at least 1.
    outputs
        Number of weight vectors *K*: 1 for regression and for two classes, else the number of
        classes.
    loss, schedule, penalty, scale
        Words from `LOSSES`, `SCHEDULES`, `PENALTIES`, `SCALES`.
    learning_rate
        *eta0*, above 0.
    alpha, l1_ratio
        Strength of the penalty (0 or more; above 0 for the schedule "optimal") and its L1 share.
    epsilon
        Where "huber" turns linear; half the width of the tube of "epsilon_insensitive".
    power_t
        Exponent of "invscaling", 0 or more.
    fit_intercept
        False keeps the intercept at 0.
    track_rates
        Carry the step sizes `RATES` along: each has weights of its own, learned from the same rows
        by the same rule. They never touch the model's own weights. With "constant", "invscaling"
        and "adagrad" only, one against the rest, and without `average` (any rates with any
        settings: `modellab.learners.compiled.rate_map`).
    rates_window
        Over how many rows the carried rates are compared.
    clip
        The slope of the loss at a row is cut off at this size; 0 (and never more than `STEEPEST`)
        means no limit. It does not act on "pa", "pa1" and "pa2", which have their own.
    beta_1, beta_2
        Fading factors of Adam's two means, below 1.
    ftrl_beta
        *beta* of "ftrl": how small its first steps are.
    multiclass
        A word from `MULTICLASS`; softmax needs the loss "log".
    average
        Predict with the averaged weights.

    Raises
    ------
    ValueError
        For a word, number or combination that is not allowed; the text names it.

    Notes
    -----
    Rows are float64 (n, d), C order. A row with a value that is not finite, or beyond 1e100 in
    size, is predicted as if that value were average (0 without scaling), and never learned; so is a
    row whose label is not finite or not a class code. `skipped` counts them.
    """

    def __init__(
        self,
        features: int,
        outputs: int = 1,
        *,
        loss: str = "log",
        learning_rate: float = 0.01,
        schedule: str = "constant",
        penalty: str = "l2",
        alpha: float = 0.0001,
        l1_ratio: float = 0.15,
        epsilon: float = 0.1,
        power_t: float = 0.5,
        fit_intercept: bool = True,
        scale: str = "none",
        track_rates: bool = False,
        rates_window: int = RATES_WINDOW,
        clip: float = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        ftrl_beta: float = 1.0,
        multiclass: str = "one against the rest",
        average: bool = False,
    ) -> None:
        if features < 1:
            raise ValueError("features is below 1")
        if outputs < 1:
            raise ValueError("outputs is below 1")
        if rates_window < 1:
            raise ValueError("rates_window is below 1")
        self.features = features
        self.outputs = outputs
        self.rates_window = rates_window
        self._parameters: dict[str, Any] = {
            "loss": loss,
            "learning_rate": learning_rate,
            "schedule": schedule,
            "penalty": penalty,
            "alpha": alpha,
            "l1_ratio": l1_ratio,
            "epsilon": epsilon,
            "power_t": power_t,
            "fit_intercept": fit_intercept,
            "scale": scale,
            "track_rates": track_rates,
            "clip": clip,
            "beta_1": beta_1,
            "beta_2": beta_2,
            "ftrl_beta": ftrl_beta,
            "multiclass": multiclass,
            "average": average,
        }
        self._parameters = checked_parameters(self._parameters, outputs)
        self._core: Core | None = None
        self._arrays: dict[str, NDArray[Any]] = {}
        self.reset()

    # ------------------------------------------------------------------ what it is

    @property
    def regression(self) -> bool:
        """Whether the loss is for numbers, not classes."""
        return self._parameters["loss"] in REGRESSION_LOSSES

    @property
    def weights(self) -> Floats:
        """Copy of the weights that predict, (K, d): with `average` the averaged ones."""
        name = "average" if self._parameters["average"] else "weights"
        return self._arrays[name][:, : self.features].copy()

    @property
    def intercept(self) -> Floats:
        """Copy of the intercepts that predict, (K,)."""
        return self._arrays["bias_average" if self._parameters["average"] else "bias"].copy()

    @property
    def scaler(self) -> tuple[int, Floats, Floats]:
        """Rows seen by the scaler, and copies of its means and (population) variances, (d,)."""
        d = self.features
        return (
            self._count("scaled"),
            self._arrays["mean"][:d].copy(),
            self._arrays["variance"][:d].copy(),
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """Copy of all settings."""
        return dict(self._parameters)

    @property
    def choices(self) -> Ints:
        """Words and switches among the settings, as the compiled loops take them."""
        return self._arrays["choices"].copy()

    @property
    def settings(self) -> Floats:
        """Numbers among the settings, as the compiled loops take them."""
        return self._arrays["settings"].copy()

    @property
    def steps(self) -> int:
        """Steps made so far."""
        return self._count("steps") - 1

    @property
    def waiting(self) -> int:
        """Labelled rows collected for the next update."""
        return self._count("waiting")

    @property
    def skipped(self) -> int:
        """Rows that could not be learned: a value or label that is not finite or not in range."""
        return self._count("skipped")

    @property
    def step_size(self) -> float:
        """*eta* of the next step (see `linear_settings.step_size`)."""
        return step_size(self._parameters, self.settings, self._count("steps"))

    def parameter(self, name: str) -> Any:
        """Return a setting's value."""
        return self._parameters[name]

    def set_parameter(self, name: str, value: object) -> None:
        """Change a setting between two rows; weights, step count and scaler stay.

        Parameters
        ----------
        name
            Any of the constructor's settings but those in `FIXED`, which say what the weights mean.
            `track_rates` true starts every carried rate from the weights of now.
        value
            The new value.

        Raises
        ------
        ValueError
            If there is no such setting, it cannot change, or the value is not allowed.
        """
        if name not in self._parameters:
            raise ValueError(f"there is no setting {name}")
        if name in FIXED:
            raise ValueError(f"{name} cannot change once weights have been learned")
        before = self._parameters
        self._parameters = checked_parameters({**before, name: value}, self.outputs)
        if carries(before) != carries(self._parameters):
            self._make_rates(from_weights=True)
        self._write_settings()
        prepare_moments(self._arrays, self._parameters, before["schedule"])

    # ------------------------------------------------------------------ learning

    def reset(self) -> None:
        """Forget everything learned."""
        self._arrays = blank_arrays(self.outputs, self.features)
        self._make_rates(from_weights=False)
        self._write_settings()

    def run(
        self,
        rows: Floats,
        learn_rows: Floats,
        learn_y: Floats,
        upto: Ints,
        *,
        every: int = 1,
        batch: int = 1,
        frozen: bool = False,
    ) -> Floats:
        """Predict each row, then learn what has arrived: exact test-then-train, row by row.

        Parameters
        ----------
        rows
            Rows to predict, (n, d).
        learn_rows, learn_y
            Labelled rows in order of arrival, (m, d), and their labels as float64 (m,): class codes
            or numbers. Without label delay, `learn_rows` is `rows` and ``upto[i] = i + 1``.
        upto
            (n,), non-decreasing: so many of the labelled rows have arrived once row *i* was
            predicted. Rows beyond ``upto[-1]`` are not touched.
        every, batch
            Arriving rows are collected until there are `every` of them, then learned in order in
            groups of `batch` (the last may be smaller). What waits is kept between calls: any split
            of the same rows into calls gives the same bits.
        frozen
            Arriving rows are neither learned nor kept, and rows that wait are let go.

        Returns
        -------
        ndarray
            Decision values (n, K).

        Raises
        ------
        ValueError
            If shapes do not fit, `upto` decreases or points beyond `learn_rows`, or `every` or
            `batch` is below 1.
        """
        rows, learn_rows = self.checked(rows), self.checked(learn_rows)
        learn_y = np.ascontiguousarray(learn_y, np.float64)
        upto = np.ascontiguousarray(upto, np.int64)
        if every < 1 or batch < 1:
            raise ValueError("every and batch must be at least 1")
        check_arrivals(upto, len(rows), len(learn_rows), len(learn_y))
        scores = np.empty((len(rows), self.outputs))
        if len(rows):
            self._make_room(int(upto[-1]), every, len(rows))
            self._ready().run(rows, learn_rows, learn_y, upto, every, batch, frozen, scores)
        return scores

    def learn(self, rows: Floats, y: Floats, batch: int = 1, *, hold_scaler: bool = False) -> int:
        """Learn rows (n, d) with labels (n,) now, in groups of `batch`; return the steps made.

        Rows that wait since an earlier `run` are learned first. `hold_scaler` keeps the scaler as
        it is: for further passes over rows that it has taken in already.
        """
        rows = self.checked(rows)
        y = np.ascontiguousarray(y, np.float64)
        if y.shape != (len(rows),):
            raise ValueError("labels do not fit the rows")
        if batch < 1:
            raise ValueError("batch must be at least 1")
        before = self.steps
        self._make_room(len(rows), batch, 0)
        self._ready().learn(rows, y, batch, hold_scaler)
        return self.steps - before

    def predict(self, rows: Floats) -> Floats:
        """Decision values (n, K) of rows (n, d); changes nothing."""
        rows = self.checked(rows)
        scores = np.empty((len(rows), self.outputs))
        self._ready().predict(rows, scores)
        return scores

    # ------------------------------------------------------------------ the carried rates

    def rates(self) -> tuple[Floats, Floats, int] | None:
        """How the carried step sizes did on the last rows.

        Returns
        -------
        tuple or None
            The step sizes (9,), their mean errors (9,) over the last `rates_window` rows predicted
            in `run` whose label has come (error rate for classes, absolute error for numbers; NaN
            before the first), and over how many rows. None when no rates are carried.
        """
        if not carries(self._parameters):
            return None
        count = self._count("errors")
        if count == 0:
            return np.array(RATES), np.full(len(RATES), math.nan), 0
        return np.array(RATES), self._errors().mean(axis=0), count

    def best_rate(self) -> float | None:
        """Return the carried step size with the least error, the smallest of equals, if known."""
        found = self.rates()
        if found is None or found[2] == 0:
            return None
        return float(found[0][int(np.argmin(found[1]))])

    # ------------------------------------------------------------------ state in and out

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened: settings, and copies of arrays."""
        waiting = self.waiting
        state: dict[str, Any] = {
            "features": self.features,
            "outputs": self.outputs,
            "rates_window": self.rates_window,
            "parameters": dict(self._parameters),
            "counters": self._arrays["counters"].copy(),
            "bias": self._arrays["bias"].copy(),
            "bias_squares": self._arrays["bias_squares"].copy(),
            "waiting": self._arrays["waiting"][:waiting].copy(),
            "waiting_y": self._arrays["waiting_y"][:waiting].copy(),
        }
        for name in (*MODEL_ARRAYS, *more_arrays(self._parameters)):
            array = self._arrays[name]
            whole = array.ndim == 1 and name not in MODEL_ARRAYS
            state[name] = array.copy() if whole else array[..., : self.features].copy()
        if carries(self._parameters):
            for name in RATE_ARRAYS:
                state[name] = self._arrays[name].copy()
            state["errors"] = self._errors()
            ring = self._asked_in_order()
            state["asked_key"] = self._arrays["asked_key"][ring]
            state["asked_value"] = self._arrays["asked_value"][ring]
            state["counters"][COUNTERS.index("asked_first")] = 0
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
        if not same or (state["features"], state["outputs"]) != (self.features, self.outputs):
            raise ValueError("the state is of another model")
        self.rates_window = int(state["rates_window"])
        self._parameters = parameters
        self.reset()
        arrays = self._arrays
        # The counters say how full the rings are, so room is made before they are taken over.
        counters = np.asarray(state["counters"], np.int64)
        n_waiting = len(state["waiting"])
        arrays["waiting"] = np.zeros((max(n_waiting, 1), self.features))
        arrays["waiting_y"] = np.zeros(max(n_waiting, 1))
        arrays["waiting"][:n_waiting] = state["waiting"]
        arrays["waiting_y"][:n_waiting] = state["waiting_y"]
        for name in ("bias", "bias_squares"):
            arrays[name][...] = state[name]
        for name in MODEL_ARRAYS:
            arrays[name][..., : self.features] = state[name]
        for name in more_arrays(parameters):
            arrays[name][..., : np.shape(state[name])[-1]] = state[name]
        if carries(parameters):
            for name in RATE_ARRAYS:
                arrays[name][..., : np.shape(state[name])[-1]] = state[name]
            errors = np.asarray(state["errors"])
            if self.regression:
                arrays["errors"][: len(errors)] = errors
            else:
                arrays["wrong"][: len(errors)] = errors.astype(np.uint16) @ BITS
            self._resize_ring(max(len(state["asked_key"]), 1))
            arrays["asked_key"][: len(state["asked_key"])] = state["asked_key"]
            arrays["asked_value"][: len(state["asked_key"])] = state["asked_value"]
        arrays["counters"][: len(counters)] = counters  # a state made earlier has fewer of them
        self._core = None

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of all arrays."""
        return {name: array.copy() for name, array in self._arrays.items()}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Take over a `snapshot` of this very model, whose settings have not changed since."""
        for name, array in snapshot.items():
            if self._arrays[name].shape == array.shape:
                self._arrays[name][...] = array
            else:  # room was made meanwhile
                self._arrays[name] = array.copy()
                self._core = None

    # ------------------------------------------------------------------ inside

    def _count(self, name: str) -> int:
        return int(self._arrays["counters"][COUNTERS.index(name)])

    def checked(self, rows: Floats) -> Floats:
        """Rows (n, d) as the compiled loops take them; ValueError where they do not fit."""
        rows = np.ascontiguousarray(rows, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"rows must have {self.features} columns")
        return rows

    def ready_for(self, rows: int) -> Core:
        """Return the compiled loops, with room for so many rows that are learned at once."""
        self._make_room(rows, 1, rows)
        return self._ready()

    def _ready(self) -> Core:
        if self._core is None:
            core: Core = loops("_linear").Core(self._arrays)
            self._core = core
        return self._core

    def _write_settings(self) -> None:
        write_settings(self._arrays, self._parameters, self.outputs)

    def _make_rates(self, *, from_weights: bool) -> None:
        carried = carries(self._parameters)
        k, d = (self.outputs, self.features) if carried else (1, 1)
        arrays = self._arrays
        arrays["rates"] = np.array(RATES + (0.0,) * (LANES - len(RATES)))
        for name in ("rate_weights", "rate_squares", "rate_gradient"):
            arrays[name] = np.zeros((k, d, LANES))
        for name in ("rate_bias", "rate_bias_squares", "rate_bias_gradient"):
            arrays[name] = np.zeros((k, LANES))
        for name in ("rate_score", "rate_asked", "rate_update"):
            arrays[name] = np.zeros((k, LANES))
        window = self.rates_window if carried else 1
        arrays["errors"] = np.zeros((window if self.regression else 1, len(RATES)))
        arrays["wrong"] = np.zeros(1 if self.regression else window, np.uint16)
        arrays["asked_key"] = np.zeros(1, np.uint64)
        arrays["asked_value"] = np.zeros((1, len(RATES)))
        for name in ("asked_first", "asked", "errors_next", "errors"):
            arrays["counters"][COUNTERS.index(name)] = 0
        if carried and from_weights:
            arrays["rate_weights"][...] = arrays["weights"][:, :d, None]
            arrays["rate_squares"][...] = arrays["squares"][:, :d, None]
            arrays["rate_bias"][...] = arrays["bias"][:, None]
            arrays["rate_bias_squares"][...] = arrays["bias_squares"][:, None]
        self._core = None

    def _errors(self) -> NDArray[Any]:
        """Copy of the errors of the carried rates, (rows, 9): distances, or 0 and 1 as uint8."""
        count = self._count("errors")
        if self.regression:
            return self._arrays["errors"][:count].copy()
        wrong: NDArray[Any] = self._arrays["wrong"][:count, None] & BITS
        return (wrong > 0).astype(np.uint8)

    def _make_room(self, arriving: int, every: int, asking: int) -> None:
        """Enough room for the rows that can come to wait in one call (never more than needed)."""
        waiting = self.waiting
        need = min(max(every, waiting + 1), waiting + arriving)
        room = len(self._arrays["waiting"])
        if need > room:
            more = max(need, min(2 * room, every)) - room
            for name in ("waiting", "waiting_y"):
                array = self._arrays[name]
                extra = np.zeros((more, *array.shape[1:]))
                self._arrays[name] = np.concatenate([array, extra])
            self._core = None
        if asking and carries(self._parameters):
            need = min(self._count("asked") + asking, ASKED_MOST)
            room = len(self._arrays["asked_key"])
            if need > room:
                self._resize_ring(min(max(need, 2 * room), ASKED_MOST))

    def _asked_in_order(self) -> Ints:
        count, first = self._count("asked"), self._count("asked_first")
        return (first + np.arange(count)) % len(self._arrays["asked_key"])

    def _resize_ring(self, room: int) -> None:
        ring = self._asked_in_order()
        for name in ("asked_key", "asked_value"):
            old = self._arrays[name]
            new = np.zeros((room, *old.shape[1:]), old.dtype)
            new[: len(ring)] = old[ring]
            self._arrays[name] = new
        self._arrays["counters"][COUNTERS.index("asked_first")] = 0
        self._core = None
