"""Which rows a guarded model does not learn, and why: the judge and its quarantine."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modellab.data.stream import BLOCK
from modellab.policies.base import Surroundings, labelled
from modellab.policies.guard_columns import TrainingRange
from modellab.policies.guard_flood import Flood
from modellab.policies.guard_window import QuantileWindow, RowValues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.experiment import GuardSpec
    from modellab.learners.base import Floats, Ints, Prediction, Task

    Mask = NDArray[np.bool_]

KEPT = 10_000
"""So many rows are kept with reason and value; all are counted."""
_READ_ROWS = 65_536
_RANGE_BLOCKS = 8


class Quarantined(NamedTuple):
    """A row that was not learned.

    Attributes
    ----------
    position
        The row.
    reason
        ``"range"`` or ``"loss"``.
    value
        The value outside the range, or the loss.
    low, high
        What would have been allowed (`low` of a loss is 0).
    column
        The column outside its range, or ``""``.
    """

    position: int
    reason: str
    value: float
    low: float
    high: float
    column: str = ""

    @property
    def sentence(self) -> str:
        """The reason in words, as plain text."""
        if self.reason == "range":
            return (
                f"{self.column} is {self.value:,.6g}, outside {self.low:,.6g} to {self.high:,.6g}"
            )
        return f"loss {self.value:,.4g}, more than {self.high:,.4g}"


class Ranges:
    """The training range of every number column, widened.

    Raw values as they arrive count, not encoded ones, so that a sentence can name them. The range
    [low, high] of the training window becomes [m - f h, m + f h] with its middle m and half its
    width h. A missing value bars nothing, and neither does a column whose range there says nothing
    of the rows to come (see `guard_columns`): it hardly varied, or it only ever grew or fell.

    Parameters
    ----------
    around
        The replay.
    factor
        f, at least 1.
    """

    def __init__(self, around: Surroundings, factor: float) -> None:
        self._around = around
        self._blocks: OrderedDict[int, Mask] = OrderedDict()
        self.names: tuple[str, ...] = ()
        bounds = [
            (start, min(start + _READ_ROWS, around.train_rows))
            for start in range(0, around.train_rows, _READ_ROWS)
        ]
        seen: TrainingRange | None = None
        for start, stop in bounds:
            self.names, values = around.numbers(start, stop)
            if seen is None:
                seen = TrainingRange(len(self.names))
            seen.take(values)
        for start, stop in bounds:
            assert seen is not None
            seen.count(around.numbers(start, stop)[1])
        self.low, self.high = (np.empty(0), np.empty(0)) if seen is None else seen.widened(factor)
        self.unguarded = {} if seen is None else seen.unguarded(self.names)

    def outside(self, start: int, stop: int) -> Mask:
        """Rows of [start, stop) with a value outside its range."""
        if not len(self.names) or start >= stop:
            return np.zeros(stop - start, dtype=bool)
        first, last = start // BLOCK, (stop - 1) // BLOCK
        parts = []
        for k in range(first, last + 1):
            if k not in self._blocks:
                end = min((k + 1) * BLOCK, self._around.n_rows)
                values = self._around.numbers(k * BLOCK, end)[1]
                far = (values < self.low) | (values > self.high)
                self._blocks[k] = np.asarray(far.any(axis=1), dtype=np.bool_)
                if len(self._blocks) > _RANGE_BLOCKS:
                    self._blocks.popitem(last=False)
            parts.append(self._blocks[k][max(0, start - k * BLOCK) : stop - k * BLOCK])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def most_outside(self, rows: Ints) -> str:
        """Name the column in which most of these rows lie outside; "" if none does."""
        rows = rows[rows > rows[-1] - _READ_ROWS]
        first = int(rows[0])
        values = self._around.numbers(first, int(rows[-1]) + 1)[1][rows - first]
        counts = np.count_nonzero((values < self.low) | (values > self.high), axis=0)
        return self.names[int(np.argmax(counts))] if counts.any() else ""

    def forget(self) -> None:
        """The rows have changed (a fault)."""
        self._blocks.clear()

    def reasons(self, start: int, at: Ints) -> list[Quarantined]:
        """Tell for each of the rows start + `at` of the column farthest outside, in its widths."""
        if not len(at):
            return []
        values = self._around.numbers(start, start + int(at[-1]) + 1)[1][at]
        with np.errstate(invalid="ignore"):
            far = np.fmax(values - self.high, self.low - values) / (self.high - self.low)
        worst = np.nanargmax(far, axis=1).tolist()
        return [
            Quarantined(
                start + row,
                "range",
                float(values[i, k]),
                float(self.low[k]),
                float(self.high[k]),
                self.names[k],
            )
            for i, (row, k) in enumerate(zip(at.tolist(), worst, strict=True))
        ]


class Judge:
    """Decides in order of the rows which of them a model learns.

    A row is left out if a number feature lies outside its `Ranges`, or if its loss, at the
    prediction made when it came, exceeds the quantile ``guard.loss`` of the last ``guard.window``
    losses before it (those of rows left out included, so that what has become usual is learned).
    The loss is the log loss of the class that arrived, or the absolute error; classes without
    probabilities cannot be judged by it. Nothing is left out by its loss before there are
    ``guard.window`` losses.

    All is a function of the rows and predictions before, whatever pieces they come in.

    Attributes
    ----------
    judged
        Rows before it are decided.
    count
        Rows left out so far, by reason: ``{"range": .., "loss": ..}``.
    quarantine
        The first `KEPT` of them.
    blind
        Whether the loss cannot judge: the learner gives no probabilities.
    flood
        Whether more than half of the last `ARRIVED` rows with a label were left out, and what to
        say of it.
    """

    def __init__(self, spec: GuardSpec, around: Surroundings, ranges: Ranges | None) -> None:
        self.spec, self._around, self._ranges = spec, around, ranges
        self.by_loss = spec.loss is not None
        self.blind = False
        self.judged = around.train_rows
        self.count = {"range": 0, "loss": 0}
        self.quarantine: list[Quarantined] = []
        self._losses = RowValues(around.train_rows)
        self._window = QuantileWindow(spec.window, spec.loss or 1.0)
        self._skips = array("q")
        self.flood = Flood()
        self._looked: tuple[int, int, Mask, QuantileWindow] | None = None

    def record(self, start: int, prediction: Prediction) -> None:
        """Rows from `start` on were predicted like this (again, perhaps)."""
        if not self.by_loss or self.blind:
            return
        self._looked = None
        labels = self._around.labels(start, start + len(prediction))
        losses = losses_of(self._around.task, labels, prediction)
        if losses is None:
            self.blind = True
            return
        self._losses.put(start, losses)

    @property
    def only_by_loss(self) -> bool:
        """Whether nothing but its loss keeps a row back."""
        return self.by_loss and not self.blind and self._ranges is None

    def judge_at_once(self, start: int, labels: NDArray[Any], prediction: Prediction) -> int:
        """Decide rows from `start` = `judged` on, whose labels are known as soon as they are there.

        What `record`, `refused` and `settle` do one after the other, where nothing but the loss
        keeps a row back and no label is missing.

        Returns
        -------
        The first row to be left out, counted from `start`: rows up to it are decided. -1: none is,
        and all are.
        """
        losses = losses_of(self._around.task, labels, prediction)
        if losses is None:
            self.blind = True
            losses = np.full(len(labels), np.nan)
        known = np.flatnonzero(~np.isnan(losses))
        first, window = self._window.first_over(losses[known])
        done = len(losses)
        if first >= 0:
            first = int(known[first])
            done = first + 1
            self._skips.append(start + first)
            self.count["loss"] += 1
            if len(self.quarantine) < KEPT:
                kept = Quarantined(
                    start + first, "loss", float(losses[first]), 0.0, window.quantile
                )
                self.quarantine.append(kept)
            window = window.judge(losses[first:done])[1]
        if first >= 0 or self.flood.count:
            bad = np.zeros(done, dtype=bool)
            bad[first:] = first >= 0
            self.flood.take(start + np.arange(done), bad)
        self.judged, self._window, self._looked = start + done, window, None
        self._losses.drop(start + done)
        return first

    def barred(self, start: int, stop: int) -> Mask:
        """Rows of [start, stop) that are left out by their features alone."""
        if self._ranges is None:
            return np.zeros(stop - start, dtype=bool)
        return self._ranges.outside(start, stop)

    def refused(self, stop: int) -> Mask:
        """Rows of [judged, stop) whose loss is too large, as far as they were predicted."""
        return self._look(max(stop, self.judged))[0]

    def _look(self, stop: int) -> tuple[Mask, QuantileWindow]:
        if self._looked is not None and self._looked[:2] == (self.judged, stop):
            return self._looked[2], self._looked[3]
        over = np.zeros(stop - self.judged, dtype=bool)
        window = self._window
        if self.by_loss and stop > self.judged:
            losses = self._known_losses(self.judged, stop)
            known = ~np.isnan(losses)
            over[known], window = window.judge(losses[known])
        self._looked = (self.judged, stop, over, window)
        return over, window

    def _known_losses(self, start: int, stop: int) -> Floats:
        """Losses of rows [start, stop); NaN without a prediction or a label.

        A label that was to come may have been lost since the row was predicted.
        """
        losses = self._losses.values(start, stop)
        there = labelled(self._around.task, self._around.labels(start, stop))
        return losses if there.all() else np.where(there, losses, np.nan)

    def settle(self, stop: int, *, learning: bool = True) -> None:
        """Decide the rows before `stop`, whose labels have arrived.

        Without `learning` nothing would be learned anyway: losses count, nobody is quarantined.
        """
        start = self.judged
        if stop <= start:
            return
        over, window = self._look(stop)
        if learning:
            out = self.barred(start, stop)
            bad = over | out
            if bad.any() or self.flood.count:
                there = labelled(self._around.task, self._around.labels(start, stop))
                bad &= there
                if bad.any():
                    self._keep(start, np.flatnonzero(bad), out)
                self.flood.take(start + np.flatnonzero(there), bad[there])
        self.judged, self._window, self._looked = stop, window, None
        self._losses.drop(stop)

    def _keep(self, start: int, at: Ints, out: Mask) -> None:
        self._skips.extend((at + start).tolist())
        far = int(np.count_nonzero(out[at]))
        self.count["range"] += far
        self.count["loss"] += len(at) - far
        losses = self._known_losses(start, start + len(out))
        window, done = self._window, 0  # the window as it was before row start + done
        at = at[: max(0, KEPT - len(self.quarantine))]
        ranged = iter([] if self._ranges is None else self._ranges.reasons(start, at[out[at]]))
        for k in at.tolist():
            if out[k]:
                self.quarantine.append(next(ranged))
                continue
            before = losses[done:k]
            window, done = window.judge(before[~np.isnan(before)])[1], k
            self.quarantine.append(
                Quarantined(start + k, "loss", float(losses[k]), 0.0, window.quantile)
            )

    def left_out(self, start: int, stop: int) -> Ints:
        """Positions in [start, stop) that were decided to be left out."""
        skips = np.frombuffer(self._skips, dtype=np.int64)
        low, high = np.searchsorted(skips, [start, stop]).tolist()
        found = skips[low:high].copy()
        del skips  # an array that is looked at can't grow
        return found

    def mask(self, start: int, stop: int) -> Mask:
        """Rows of [start, stop) left out: as decided, and beyond that by their features alone."""
        out = np.zeros(stop - start, dtype=bool)
        out[self.left_out(start, min(stop, self.judged)) - start] = True
        first = max(start, self.judged)
        if first < stop:
            out[first - start :] = self.barred(first, stop)
        return out

    @property
    def total(self) -> int:
        """Rows left out so far."""
        return len(self._skips)

    def rows_changed(self) -> None:
        """What arrives has changed (a fault): what was looked up ahead is void."""
        self._looked = None
        if self._ranges is not None:
            self._ranges.forget()

    def state(self) -> dict[str, Any]:
        """Plain values and arrays."""
        return {
            "judged": self.judged,
            "count": dict(self.count),
            "quarantine": list(self.quarantine),
            "losses": self._losses.state(),
            "window": self._window.values.copy(),
            "skips": self._skips.tobytes(),
            "blind": self.blind,
            "flood": self.flood.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.judged, self.count = state["judged"], dict(state["count"])
        self.quarantine = list(state["quarantine"])
        self._losses.load_state(state["losses"])
        self._window = QuantileWindow(
            self.spec.window, self.spec.loss or 1.0, np.array(state["window"], dtype=np.float64)
        )
        self._skips = array("q", state["skips"])
        self.blind = state["blind"]
        self.flood.load_state(state["flood"])
        self.rows_changed()


def losses_of(task: Task, labels: NDArray[Any], prediction: Prediction) -> Floats | None:
    """Loss of each row, float64 (n,): log loss of the class that arrived, or absolute error.

    NaN without a label or an answer; None where classes come without probabilities. Probabilities
    are clipped to [1e-15, 1].
    """
    if task.kind == "regression":
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.abs(prediction.value - labels), dtype=np.float64)
    if prediction.proba is None:
        return None if (prediction.value >= 0).any() else np.full(len(labels), np.nan)
    given = prediction.proba[np.arange(len(labels)), np.maximum(labels, 0)]
    losses = -np.log(np.clip(given, 1e-15, 1.0))
    losses[labels < 0] = np.nan
    return np.asarray(losses, dtype=np.float64)
