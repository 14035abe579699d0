"""Retrains when staying stale is expected to cost more than a retrain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.sums import WindowSums, running_sums
from modellab.policies.base import Floats, PolicyEvent, Surroundings
from modellab.policies.watched import Watched

if TYPE_CHECKING:
    from modellab.experiment import CostAwarePolicy, Scalar
    from modellab.learners.base import Learner
    from modellab.policies.own_errors import Arrived

TILES = 8
"""The forecast looks back at so many windows at most."""


class Course:
    """The course of the present model's error: what a decision on costs is made of.

    Attributes
    ----------
    fresh
        What the error is when the model is fresh: the mean over its first `window` labelled rows,
        right after the (re)training. NaN until these are known. A retrain that did not bring the
        error at least half the way back to it leaves it as it was before.
    patience
        Doubles with each such retrain in a row, else 1: so many times as much must be at stake
        before the next one. What cannot be repaired is not paid for for ever, and what was
        retrained too early, on too little that is new, is tried again.
    avoidable
        Errors above that: the sum of ``window error - fresh`` over the rows that followed, never
        below 0 (what was better than fresh for a while is no credit against what gets worse; the
        reflection is Page's, 1954).
    tiles
        Mean errors of the last `TILES` whole windows, one after the other.
    scatter
        Variance of the errors in the newest of them.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.fresh = math.nan
        self.patience = 1
        self.before = math.nan  # window error when the last retrain was called for
        self.now = math.nan
        self.restart()

    def called(self) -> None:
        """A retrain is called for."""
        self.before = self.now

    def restart(self) -> None:
        """Another model answers, or the one that did has prevailed."""
        self.sums = WindowSums(self.window)
        self.squares = WindowSums(self.window)
        self._total = 0.0
        self._lowest = 0.0
        self.tiles: list[float] = []
        self.scatter = 0.0

    @property
    def avoidable(self) -> float:
        """Errors that a fresh model would not have made."""
        return self._total - self._lowest

    @property
    def rows(self) -> int:
        """Labelled rows that the model answered."""
        return self.sums.count

    def update(self, losses: Floats) -> Floats:
        """Take in the next losses (n,), none of them NaN; return what was avoidable after each."""
        before = self.sums.count
        means = self.sums.update(losses) / self.window
        counts = np.arange(before + 1, before + 1 + len(losses))
        whole = np.flatnonzero(counts % self.window == 0)
        if before < self.window and len(whole):
            self._first_window(float(means[whole[0]]))
        if len(means):
            self.now = float(means[-1])
        self.tiles = [*self.tiles, *means[whole].tolist()][-TILES:]
        squares = self.squares.update(losses * losses) / self.window
        if len(whole):
            newest = int(whole[-1])
            self.scatter = max(float(squares[newest]) - float(means[newest]) ** 2, 0.0)
        out = np.zeros(len(losses))
        late = counts > self.window
        if late.any():
            totals = running_sums(np.array([self._total]), (means[late] - self.fresh)[None, :])[0]
            lowest = np.minimum(np.minimum.accumulate(totals), self._lowest)
            out[late] = totals - lowest
            self._total, self._lowest = float(totals[-1]), float(lowest[-1])
        return out

    def _first_window(self, error: float) -> None:
        """Take note whether the retrain helped, now that the first window is whole."""
        if error - self.fresh > 0.5 * (self.before - self.fresh):  # False where one is NaN
            self.patience = min(2 * self.patience, 1 << 40)
        else:
            self.fresh, self.patience = error, 1
        self.before = math.nan

    def forecast(self, horizon: int, risk: float, bounded: bool) -> float:
        """Mean error over the next `horizon` rows if nothing is done, at quantile `risk`.

        A straight line through the tiles, extrapolated to the middle of the horizon, with the
        quantile of Student's t around it (the line's uncertainty, and the scatter of a mean over
        the horizon). With fewer than three tiles there is no line yet: the newest tile is the
        forecast, with the normal quantile for the mean of a window.
        """
        level = np.array(self.tiles)
        n = len(level)
        if n < 3:
            from scipy.stats import norm

            spread = math.sqrt(self.scatter / self.window)
            value = float(level[-1]) + float(norm.ppf(risk)) * spread
        else:
            from scipy.stats import t

            x = np.arange(n) - (n - 1) / 2
            slope = float(x @ level) / float(x @ x)
            ahead = (n - 1) / 2 + 0.5 + horizon / (2 * self.window)
            point = float(level.mean()) + slope * ahead
            rest = level - level.mean() - slope * x
            variance = float(rest @ rest) / (n - 2)
            spread = math.sqrt(variance * (1 / n + ahead**2 / float(x @ x) + self.window / horizon))
            value = point + float(t.ppf(risk, n - 2)) * spread
        return min(max(value, 0.0), 1.0) if bounded else max(value, 0.0)

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        return {
            "sums": self.sums.state(),
            "squares": self.squares.state(),
            "scatter": self.scatter,
            "fresh": self.fresh,
            "patience": self.patience,
            "before": self.before,
            "now": self.now,
            "total": self._total,
            "lowest": self._lowest,
            "tiles": list(self.tiles),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.sums.load_state(state["sums"])
        self.squares.load_state(state["squares"])
        self.scatter = state["scatter"]
        self.fresh, self.patience = state["fresh"], state["patience"]
        self.before, self.now = state["before"], state["now"]
        self._total, self._lowest = state["total"], state["lowest"]
        self.tiles = list(state["tiles"])


class CostAware(Watched):
    """Retrains when the expected cost of staying stale exceeds the price of a retrain.

    ``avoidable``: the errors since the last retrain that a fresh model would not have made (see
    `Course`), times the price of an error, exceed the price of a retrain. The idea is that of
    Mahadevan and Mathioudakis (2024) and of Modyn's cost triggers (2025). ``forecast``: the mean
    error forecast for the next `horizon` rows at quantile `risk`, less the fresh one, times these
    rows, times the price of an error does (Regol et al. 2025); decided after every `window`
    labelled rows. Either may demand more where retrains did not help (`Course.patience`). For
    regression an error costs its absolute value times the price.

    After a cold start the first training comes after `window` labelled rows.
    """

    live = frozenset(
        {
            "horizon",
            "risk",
            "cooldown",
            "price_error",
            "price_retrain",
            "keep",
            "test_rows",
            "margin",
            "level",
            "delay",
            "downtime",
        }
    )

    def __init__(self, spec: CostAwarePolicy, learner: Learner, around: Surroundings) -> None:
        super().__init__(spec, learner, around)
        self.course = Course(spec.window)
        self.labelled = 0  # rows with a label, while there is no model
        self._told_free = False
        self._cause = ""

    @property
    def price_error(self) -> float:
        """What an error costs."""
        given = self.spec.price_error
        return float(self.around.prices.error if given is None else given)

    @property
    def price_retrain(self) -> float:
        """What a retrain costs."""
        given = self.spec.price_retrain
        return float(self.around.prices.retrain if given is None else given)

    def settings(self) -> dict[str, Scalar]:
        """Present values of the settings that can be changed; prices as they hold."""
        prices: dict[str, Scalar] = {
            "price_error": self.price_error,
            "price_retrain": self.price_retrain,
        }
        return {**super().settings(), **prices}

    def _watch(self, arrived: Arrived, armed: int) -> int | None:
        if not self._told_free and self.price_retrain == 0:
            self._told_free = True
            text = (
                "A retrain costs nothing here, so this lane retrains as often as its cool-down "
                "allows whenever its error has risen: give prices.retrain what a retrain costs."
            )
            self.events.append(PolicyEvent(arrived.start, "warning", text))
        if not self.has_model:
            return self._watch_cold(arrived, armed)
        if armed > arrived.stop:
            self._consume(arrived, armed)
            return None
        saved = self.course.state()
        found = self._consume(arrived, armed)
        if found is not None and found < arrived.stop:
            self.course.load_state(saved)
            self._consume(arrived.until(found), armed)
        return found

    def _watch_cold(self, arrived: Arrived, armed: int) -> int | None:
        places = np.arange(arrived.start + 1, arrived.stop + 1)
        counts = self.labelled + np.concatenate([[0], np.cumsum(arrived.known)])
        upto = np.searchsorted(arrived.positions, places, side="right")
        ready = (counts[upto] >= self.spec.window) & (places >= armed)
        self.labelled = int(counts[-1])  # begins anew with an action
        if not ready.any():
            return None
        self._cause = f"First training: {self.spec.window:,} labelled rows"
        return int(places[np.argmax(ready)])

    def _consume(self, arrived: Arrived, armed: int) -> int | None:
        """Take in the errors; first position from `armed` on at which a retrain pays, or None."""
        here = ~np.isnan(arrived.losses)
        positions = arrived.positions[here]
        losses = arrived.losses[here]
        if self.spec.method == "forecast":
            return self._forecast(losses, positions, armed)
        avoidable = self.course.update(losses)
        patience = self.course.patience
        pays = (avoidable * self.price_error > self.price_retrain * patience) & (positions >= armed)
        # All that is known at a position counts, be it several labels.
        last = np.append(positions[1:] != positions[:-1], True) if len(positions) else pays
        pays &= last
        if not pays.any():
            return None
        first = int(np.argmax(pays))
        self._cause = (
            f"Avoidable errors of {avoidable[first]:,.4g} cost more than a retrain: the error was "
            f"{self.course.fresh:.4g} when the model was fresh"
        )
        return int(positions[first])

    def _forecast(self, losses: Floats, positions: Any, armed: int) -> int | None:
        """Window by window, whether a retrain pays over the next `horizon` rows."""
        spec, course = self.spec, self.course
        done = 0
        while done < len(losses):
            take = min(len(losses) - done, spec.window - course.rows % spec.window)
            course.update(losses[done : done + take])
            done += take
            position = int(positions[done - 1])
            if course.rows % spec.window or course.rows == spec.window or position < armed:
                continue
            bounded = self.around.task.kind == "classification"
            expected = course.forecast(spec.horizon, spec.risk, bounded)
            stale = (expected - course.fresh) * spec.horizon
            if stale * self.price_error > self.price_retrain * course.patience:
                self._cause = (
                    f"Error of {expected:.4g} forecast for the next {spec.horizon:,} rows, "
                    f"{course.fresh:.4g} when the model was fresh: a retrain costs less"
                )
                return position
        return None

    def _action(self, at: int) -> None:
        self.course.called()
        self.labelled = 0
        self._begin_cycle(at, self._cause)

    def _kept(self, at: int) -> None:
        self.course.restart()

    def _model_changed(self, at: int, error: float = np.nan) -> None:
        super()._model_changed(at, error)
        self.course.restart()

    def state(self) -> dict[str, Any]:
        """Everything but the learner."""
        own = {
            "course": self.course.state(),
            "labelled": self.labelled,
            "told_free": self._told_free,
            "cause": self._cause,
        }
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        super().load_state(state)
        self.course.load_state(state["course"])
        self.labelled = state["labelled"]
        self._told_free, self._cause = state["told_free"], state["cause"]
