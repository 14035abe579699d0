"""The compiled linear family behind the protocol of all learners."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.errors import LearnerError, quote
from modellab.learners.base import (
    CatalogueEntry,
    Inputs,
    Parameter,
    Prediction,
    Progress,
    Rows,
    View,
    no_progress,
)
from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.linear_looks import run_looked
from modellab.learners.compiled.linear_settings import MULTICLASS, PENALTIES, SCALES, SCHEDULES
from modellab.learners.compiled.sparse_kernel import SparseKernel
from modellab.learners.linear_answers import LinearAnswers, LinearLook
from modellab.learners.packing import packed, unpacked
from modellab.learners.passes import go_over
from modellab.learners.settings import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    check_value,
    resolve,
    unknown_setting,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from modellab.learners.base import Floats, Ints

TITLE = "Linear, online"

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "loss",
        "Loss",
        "choice",
        "log",
        choices=CLASSIFICATION_LOSSES + REGRESSION_LOSSES,
        help="What a wrong answer costs while learning. log is logistic regression and gives "
        "probabilities; hinge is a linear support vector machine; squared is least squares; "
        "huber and epsilon_insensitive mind outliers less.",
    ),
    Parameter(
        "learning_rate",
        "Learning rate",
        "float",
        0.01,
        low=1e-6,
        high=10.0,
        log=True,
        live=True,
        help="How far one update moves the weights. Larger follows change faster and is noisier.",
    ),
    Parameter(
        "schedule",
        "Schedule",
        "choice",
        "constant",
        choices=SCHEDULES,
        live=True,
        help="How the learning rate falls: constant stays; invscaling divides by a power of the "
        "step number; optimal starts high and falls as 1/step (it ignores the learning rate); "
        "adagrad gives each weight its own falling rate; adam also smooths the direction; ftrl "
        "(FTRL-Proximal) does best where many columns are rarely used, and sets weights to 0 with "
        "l1. pa, pa1, pa2 are passive-aggressive: as far as each row needs, for the losses hinge "
        "and epsilon_insensitive; the learning rate is their limit C (pa has none), and they have "
        "no penalty. With columns of text, adagrad and adam touch only those that a row has.",
    ),
    Parameter(
        "penalty",
        "Penalty",
        "choice",
        "l2",
        choices=PENALTIES,
        live=True,
        help="What keeps the weights small: l2 shrinks all of them, l1 sets many to exactly 0, "
        "elasticnet mixes both.",
    ),
    Parameter(
        "alpha",
        "Strength of the penalty",
        "float",
        0.0001,
        low=0.0,
        high=10.0,
        log=True,
        live=True,
        help="0 means no penalty.",
    ),
    Parameter(
        "l1_ratio",
        "Share of L1",
        "float",
        0.15,
        low=0.0,
        high=1.0,
        live=True,
        help="For elasticnet: 0 is l2 alone, 1 is l1 alone.",
    ),
    Parameter(
        "epsilon",
        "Epsilon",
        "float",
        0.1,
        low=0.0,
        high=1e6,
        unit="of the target",
        live=True,
        help="In deviations of the target if that is standardised, else in its unit. For huber: "
        "errors beyond this count in proportion, not squared. For "
        "epsilon_insensitive: smaller errors count nothing.",
    ),
    Parameter(
        "power_t",
        "Power of the schedule",
        "float",
        0.5,
        low=0.0,
        high=2.0,
        live=True,
        help="For invscaling: learning rate / step number to this power.",
    ),
    Parameter(
        "beta_1",
        "Memory of the direction",
        "float",
        0.9,
        low=1e-6,
        high=0.999999,
        live=True,
        help="For adam: how much of its mean gradient stays at each step (beta 1).",
    ),
    Parameter(
        "beta_2",
        "Memory of the size",
        "float",
        0.999,
        low=1e-6,
        high=0.999999,
        live=True,
        help="For adam: how much of its mean squared gradient stays at each step (beta 2).",
    ),
    Parameter(
        "ftrl_beta",
        "Caution of the first steps",
        "float",
        1.0,
        low=0.0,
        high=1000.0,
        live=True,
        help="For ftrl: larger makes its first steps smaller (beta).",
    ),
    Parameter(
        "multiclass",
        "Several classes",
        "choice",
        "one against the rest",
        choices=MULTICLASS,
        help="For three classes and more. one against the rest: a model for each class on its own. "
        "softmax: all together, so that their probabilities fit; with the loss log.",
    ),
    Parameter(
        "average",
        "Average the weights",
        "bool",
        False,
        help="Predict with the mean of the weights after every step so far: steadier where nothing "
        "changes, slow to follow where it does. With columns of text not beside l1 or elasticnet, "
        "unless the schedule is adagrad, adam or ftrl.",
    ),
    Parameter(
        "clip",
        "Clip",
        "float",
        0.0,
        low=0.0,
        high=1e12,
        live=True,
        help="The slope of the loss at a row is cut off here, so that one row cannot move the "
        "weights far. 0 means no limit. In deviations of the target if that is standardised.",
    ),
    Parameter(
        "target",
        "Target",
        "choice",
        "standardise",
        choices=("standardise", "as it is"),
        help="For regression. standardise: the target less its mean over the training window, "
        "divided by its deviation there, so that one learning rate suits minutes and millions. "
        "Without a training window it stays as it is.",
    ),
    Parameter("fit_intercept", "Intercept", "bool", True, help="Learn a constant term."),
    Parameter(
        "scale",
        "Scaling",
        "choice",
        "online",
        choices=SCALES,
        help="online: a running mean and deviation of each column, learned from the stream as the "
        "weights are. none: the scaling of the training window stays.",
    ),
    Parameter(
        "passes",
        "Passes over the training window",
        "int",
        1,
        low=1,
        high=1000,
        help="How often the first training goes through the rows, always in their order.",
    ),
    Parameter(
        "track_rates",
        "Compare learning rates",
        "bool",
        True,
        live=True,
        help="Carry nine learning rates from 0.0001 to 1 along in the same pass and mark the one "
        "that did best over the last 5,000 labelled rows. It never changes the model itself. With "
        "constant, invscaling and adagrad; not with softmax or averaged weights.",
    ),
)


class LinearLearner:
    """A linear model learned row by row by stochastic gradient descent, in compiled code.

    The arithmetic is described in `modellab.learners.compiled.kernel`. A fit is `passes` passes
    over the rows in their order, one step for each row; with ``scale="online"`` the scaler takes
    the rows in during the first pass only. Before anything was learned every score is 0, which
    answers the first class (probability one half each) or the number 0, as river's models do.

    Parameters
    ----------
    inputs
        The encoded columns and the task.
    params
        Settings, see `PARAMETERS`.

    Attributes
    ----------
    view
        ``"raw"`` when it scales online, else ``"scaled"``.

    Raises
    ------
    LearnerError
        If a setting is unknown or out of range, there is no column to learn from, or the compiled
        part is missing.
    """

    def __init__(self, inputs: Inputs, params: Mapping[str, Any]) -> None:
        values = resolve(TITLE, PARAMETERS, params, inputs.task.kind)
        if not inputs.names:
            raise LearnerError(f"{TITLE} needs at least one feature column.")
        self._inputs = inputs
        self._passes: int = values.pop("passes")
        wanted = values.pop("target") == "standardise"
        self._standardise = wanted and inputs.task.kind == "regression"
        self._centre, self._unit = 0.0, 1.0
        self.view: View = "raw" if values["scale"] == "online" else "scaled"
        classes = inputs.task.n_classes
        outputs = classes if classes > 2 else 1
        self._kernel: LinearKernel | SparseKernel
        with _told():
            if inputs.sparse_from is None:
                self._kernel = LinearKernel(len(inputs.names), outputs, **values)
            else:
                self._kernel = SparseKernel(
                    len(inputs.names), outputs, inputs.sparse_from, **values
                )
        self._compiled()
        softmax = outputs > 1 and values["multiclass"] == "softmax"
        self._answers = LinearAnswers(inputs, outputs, values["loss"], softmax)

    # ------------------------------------------------------------------ training

    def fit(self, rows: Rows, y: NDArray[Any], progress: Progress = no_progress) -> None:
        """Train from scratch: `passes` passes over rows (n, d) in their order."""
        self._fit(lambda: [(rows, y)], self._passes, progress, len(y))

    @property
    def reads_labels_first(self) -> bool:
        """Whether `fit_chunks` goes over all labels once before its first pass."""
        return self._standardise

    @property
    def fit_passes(self) -> int:
        """Passes with which `fit_chunks` gives the bits that `fit` gives; 0 if it does not."""
        return 0 if self._standardise else self._passes

    def fit_chunks(
        self, chunks: Callable[[], Any], passes: int, progress: Progress = no_progress
    ) -> None:
        """Train from scratch out of core, as `fit` does on all rows at once.

        The same bits for classes; for regression up to the rounding of the target's mean.
        """
        self._fit(chunks, passes, progress, 0)

    def _fit(self, chunks: Callable[[], Any], passes: int, progress: Progress, total: int) -> None:
        self._kernel.reset()
        if self._standardise:
            self._centre, self._unit = mean_and_deviation(y for _, y in chunks())

        def learn(rows: Rows, y: NDArray[Any], turn: int) -> None:
            self._kernel.learn(rows, self._inward(y), hold_scaler=turn > 0)

        go_over(learn, chunks, passes, progress, total, TITLE)

    def learn(self, rows: Rows, y: NDArray[Any], batch: int = 1) -> int:
        """Learn rows (n, d) in order, one step for every `batch` of them; return the steps."""
        return self._kernel.learn(rows, self._inward(y), batch)

    def _inward(self, y: NDArray[Any]) -> NDArray[Any]:
        """Labels as the kernel learns them."""
        if self._unit == 1.0 and self._centre == 0.0:
            return y
        return (y - self._centre) / self._unit

    def run(
        self,
        rows: Floats,
        learn_rows: Floats,
        learn_y: NDArray[Any],
        upto: Ints,
        every: int,
        batch: int,
        frozen: bool,
    ) -> tuple[Prediction, int]:
        """Predict each row, then learn what has arrived (see `PrequentialLearner.run`).

        Rows that wait for an update are let go when a label arrives while frozen.
        """
        before = self._kernel.steps
        scores = self._kernel.run(
            rows, learn_rows, self._inward(learn_y), upto, every=every, batch=batch, frozen=frozen
        )
        return self._prediction(scores), self._kernel.steps - before

    @property
    def can_look(self) -> bool:
        """Whether `run_looked` can be asked: of rows that are arrays."""
        return isinstance(self._kernel, LinearKernel)

    def run_looked(
        self, rows: Floats, y: NDArray[Any], at: Ints, batch: int
    ) -> tuple[Prediction, int, list[LinearLook]]:
        """Predict each row, then learn it at once (see `LooksBack.run_looked`)."""
        kernel, answers = self._kernel, self._answers
        if not isinstance(kernel, LinearKernel):
            raise TypeError("sparse rows are learned without looks")
        before, made = kernel.steps, answers.room_for_two(len(rows))
        scores, noted = run_looked(kernel, rows, self._inward(y), at, batch, made)
        found = self._prediction(scores) if made is None else Prediction(*made)
        centre, unit = self._centre, self._unit
        looks = [LinearLook(answers, centre, unit, look) for look in noted]
        return found, kernel.steps - before, looks

    # ------------------------------------------------------------------ predictions

    def predict(self, rows: Rows) -> Prediction:
        """Predict each row (n, d); never changes the learner."""
        return self._prediction(self._kernel.predict(rows))

    def _prediction(self, scores: Floats) -> Prediction:
        return self._answers.of(scores, self._centre, self._unit)

    # ------------------------------------------------------------------ what it is

    def parameters(self) -> dict[str, float]:
        """Weights and intercepts by name of the column (and class), and the size of the next step.

        With ``scale="online"`` the weights are those of the standardised columns.
        """
        kernel = self._kernel
        return self._answers.named(kernel.weights, kernel.intercept, kernel.step_size)

    @property
    def coefficients(self) -> dict[str, float]:
        """Weights by name of the encoded column, for several classes by class and column."""
        return self._answers.coefficients(self._kernel.weights)

    def rates(self) -> dict[str, Any] | None:
        """How the carried learning rates did over the last rows; None when none are carried.

        Returns
        -------
        dict or None
            ``rates``: list of 9; ``errors``: their mean errors (error rate, or absolute error),
            None before the first; ``rows``: over how many rows; ``best``: the best rate, or None.
        """
        found = self._kernel.rates()
        if found is None:
            return None
        rates, errors, rows = found
        return {
            "rates": rates.tolist(),
            "errors": [None if math.isnan(e) else e * self._unit for e in errors.tolist()],
            "rows": rows,
            "best": float(rates[int(np.argmin(errors))]) if rows else None,
        }

    @property
    def skipped(self) -> int:
        """Rows that could not be learned (not finite, or a label out of range)."""
        return self._kernel.skipped

    # ------------------------------------------------------------------ settings in flight

    def settings(self) -> dict[str, float | str | bool]:
        """The settings that can be changed during a replay, with their values."""
        return {p.name: self._kernel.parameter(p.name) for p in PARAMETERS if p.live}

    def set(self, name: str, value: float | str | bool) -> None:
        """Change a setting at the next row to be learned; weights, step count and scaler stay.

        Raises
        ------
        LearnerError
            If there is no such live setting, or the value is not allowed.
        """
        live = {p.name: p for p in PARAMETERS if p.live}
        if name not in live:
            if any(p.name == name for p in PARAMETERS):
                raise LearnerError(
                    f"{TITLE}: {quote(name)} cannot be changed while it runs; "
                    "it takes a new training."
                )
            raise LearnerError(unknown_setting(TITLE, name, live))
        with _told():
            self._kernel.set_parameter(name, check_value(TITLE, live[name], value))

    # ------------------------------------------------------------------ state in and out

    def state(self) -> bytes:
        """All state (settings, weights, scaler, waiting rows, carried rates) as plain values."""
        whole = {"kernel": self._kernel.state_dict(), "target": [self._centre, self._unit]}
        return msgspec.msgpack.encode(packed(whole))

    def load_state(self, state: bytes) -> None:
        """Take over a state made by `state`; going on from it gives the same bits.

        Raises
        ------
        LearnerError
            If it is not the state of a linear learner with these settings.
        """
        try:
            whole = unpacked(msgspec.msgpack.decode(state))
            self._kernel.load_state(whole["kernel"])
            self._centre, self._unit = whole["target"]
        except (ValueError, KeyError, TypeError, AttributeError, msgspec.MsgspecError) as error:
            raise LearnerError(
                f"This is not the state of a learner with the settings of {TITLE}.",
                detail=repr(error),
            ) from error

    def snapshot(self) -> Any:
        """Copy of the kernel's arrays, for `restore` of this very object."""
        kernel = self._kernel
        return kernel.state_dict() if isinstance(kernel, SparseKernel) else kernel.snapshot()

    def restore(self, snapshot: Any) -> None:
        """Be again what `snapshot` was taken of; settings must not have changed meanwhile."""
        if isinstance(self._kernel, SparseKernel):
            self._kernel.load_state(snapshot)
        else:
            self._kernel.restore(snapshot)

    def size_bytes(self) -> int:
        """Bytes that a deployed model needs: weights, intercepts, and the scaler, if any."""
        d, k = self._kernel.features, self._kernel.outputs
        if isinstance(self._kernel, SparseKernel):  # weights that are 0 need no place
            return 12 * int(np.count_nonzero(self._kernel.weights)) + 8 * k
        scaler = 2 * d + 1 if self._kernel.parameter("scale") == "online" else 0
        return 8 * (k * (d + 1) + scaler)

    @staticmethod
    def _compiled() -> None:
        try:
            from modellab.learners.compiled import _linear, _math, _sparse  # noqa: F401
        except ImportError as error:
            raise LearnerError(
                f"{TITLE} is compiled code that has not been built here. Install Model Lab again, "
                "or run: python packaging/build_hook.py",
                detail=repr(error),
            ) from error


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the kernel says about a setting into a sentence for a person."""
    try:
        yield
    except ValueError as error:
        raise LearnerError(f"{TITLE}: {error}.") from error


def mean_and_deviation(parts: Iterator[NDArray[Any]]) -> tuple[float, float]:
    """Mean and standard deviation over all parts (Chan et al. 1979); a deviation of 0 gives 1."""
    count, mean, squares = 0, 0.0, 0.0
    for part in parts:
        y = part[np.isfinite(part)]
        if not len(y):
            continue
        own = float(y.mean())
        step = own - mean
        total = count + len(y)
        squares += float(np.square(y - own).sum()) + step * step * count * len(y) / total
        mean += step * len(y) / total
        count = total
    deviation = math.sqrt(squares / count) if count else 0.0
    return mean, deviation or 1.0


def view_of(params: Mapping[str, Any]) -> View:
    """Return the view that a learner with these settings takes."""
    return "raw" if params.get("scale", "online") == "online" else "scaled"


def build(inputs: Inputs, params: Mapping[str, Any]) -> LinearLearner:
    """Make a compiled linear learner; raises `LearnerError` for a wrong setting."""
    return LinearLearner(inputs, params)


ENTRY = CatalogueEntry(
    kind="linear",
    title=TITLE,
    tasks=("classification", "regression"),
    family="compiled",
    online=True,
    chunks=True,
    view="raw",
    story="A linear model that learns from every row as it comes, hundreds of times faster than an "
    "interpreted one. Its learning rate can be moved while it runs.",
    parameters=PARAMETERS,
    build=build,
    sparse=True,
)
