"""The conditions of a triggered policy: when each holds, to the row, and when they do together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from modellab.evaluation.detectors import Detector, make_detector
from modellab.evaluation.sums import WindowSums
from modellab.policies.base import NEVER, Surroundings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.experiment import Condition, TriggeredPolicy
    from modellab.policies.own_errors import Arrived

    Bools = NDArray[np.bool_]

DETECTOR_TITLES = {
    "adwin": "ADWIN",
    "ddm": "DDM",
    "eddm": "EDDM",
    "hddm_a": "HDDM-A",
    "hddm_w": "HDDM-W",
    "page_hinkley": "Page-Hinkley",
    "kswin": "KSWIN",
}
_NOT_YET = -NEVER


@dataclass(frozen=True)
class Alarm:
    """A detector's alarm: known from `position` on, by the error on `row`; which way that went."""

    position: int
    row: int
    detector: str
    estimate: float | None
    risen: bool

    @property
    def words(self) -> str:
        """What it says."""
        return f"{self.detector}: the error has {'risen' if self.risen else 'fallen'}"


class Watcher(ABC):
    """Watches one condition. Positions are those before which something is known."""

    momentary: ClassVar[bool] = True
    """Whether it holds at moments (so that an action uses it up), or for as long as it is so."""

    @abstractmethod
    def held(self, arrived: Arrived) -> Bools:
        """Whether it holds at each of the positions (start, stop], (n,)."""

    @abstractmethod
    def words(self) -> str:
        """Why it held last, as part of a sentence."""

    def prepare(self) -> None:
        """Do what takes long, before the replay."""
        return

    def acted(self, position: int) -> None:
        """Something was done at `position`: what counts since then begins anew."""
        del position

    def restart(self, error: float) -> None:
        """Another model answers now; `error`: that of its test, NaN if it had none."""
        del error

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""


class DriftWatcher(Watcher):
    """A drift detector on the model's own errors.

    It holds where the error has risen. Where it fell, the detector begins anew, as after any alarm,
    and that is told; but it calls for nothing.
    """

    def __init__(self, condition: Condition, around: Surroundings) -> None:
        assert condition.drift is not None
        self.title = DETECTOR_TITLES[condition.drift]
        bounded = around.task.kind == "classification"
        self.detector: Detector = make_detector(condition.drift, condition.params, bounded)
        self.alarms: list[Alarm] = []

    def held(self, arrived: Arrived) -> Bools:
        """Whether it alarms because the error has risen."""
        out = np.zeros(arrived.stop - arrived.start, dtype=bool)
        done = 0
        while (found := self.detector.update(arrived.losses[done:])) >= 0:
            done += found + 1
            position = int(arrived.positions[done - 1])
            row = arrived.first + done - 1
            one = self.detector
            self.alarms.append(Alarm(position, row, self.title, one.estimate, one.risen))
            out[position - arrived.start - 1] |= one.risen
        return out

    def words(self) -> str:
        """Name the detector."""
        return f"drift alarm of {self.title} on the error"

    def restart(self, error: float) -> None:
        """The errors of another model are another story."""
        self.detector.reset()

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        return {"detector": self.detector.state(), "alarms": list(self.alarms)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.detector.load_state(state["detector"])
        self.alarms = list(state["alarms"])


class ErrorWatcher(Watcher):
    """The window error lies above the test error by a margin, for so many rows in a row.

    It is known once the present model answered a whole window of rows. Without a test error, the
    error of the model's first window stands in for it.
    """

    momentary = False

    def __init__(self, condition: Condition, around: Surroundings) -> None:
        assert condition.error is not None
        self.margin = condition.error
        self.rows = condition.rows or 1
        self.around = around
        self.sums = WindowSums(around.window)
        self.reference: float | None = None  # not asked for yet
        self.streak = 0
        self.now = np.nan

    def prepare(self) -> None:
        """Find the first model's test error."""
        self.reference = self.around.first_test_error()

    def held(self, arrived: Arrived) -> Bools:
        """Whether the error is too high, and has been for long enough."""
        if self.reference is None:
            self.prepare()
        assert self.reference is not None
        here = ~np.isnan(arrived.losses)
        before = self.sums.count
        means = self.sums.update(arrived.losses[here]) / self.sums.window
        whole = np.arange(before + 1, self.sums.count + 1) >= self.sums.window
        if np.isnan(self.reference) and whole.any():
            self.reference = float(means[np.argmax(whole)])
        high = whole & (means > self.reference + self.margin)
        # How many in a row, after each: the distance to the last row that was not too high.
        order = np.arange(len(high))
        low = np.maximum.accumulate(np.where(high, -1, order))
        streaks = np.where(high, order - low + np.where(low < 0, self.streak, 0), 0)
        out = np.zeros(arrived.stop - arrived.start, dtype=bool)
        if len(high):
            at = arrived.positions[here] - arrived.start - 1
            latest = np.searchsorted(at, np.arange(len(out)), side="right") - 1
            out = np.where(latest >= 0, streaks[latest] >= self.rows, self.streak >= self.rows)
            self.streak, self.now = int(streaks[-1]), float(means[-1])
        else:
            out[:] = self.streak >= self.rows
        return np.asarray(out, dtype=bool)

    def words(self) -> str:
        """Tell the error and what it is compared with."""
        return (
            f"window error {self.now:.4g}, above {self.reference:.4g} by more than "
            f"{self.margin:.4g}"
        )

    def acted(self, position: int) -> None:
        """Count anew."""
        self.streak = 0

    def restart(self, error: float) -> None:
        """Another model, another window; and its own test error, if it has one."""
        self.sums = WindowSums(self.sums.window)
        self.streak = 0
        if not np.isnan(error):
            self.reference = error

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        return {
            "sums": self.sums.state(),
            "reference": self.reference,
            "streak": self.streak,
            "now": self.now,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.sums.load_state(state["sums"])
        self.reference, self.streak = state["reference"], state["streak"]
        self.now = state["now"]


class RowsWatcher(Watcher):
    """So many new labelled rows since the last action."""

    def __init__(self, condition: Condition) -> None:
        assert condition.rows is not None
        self.rows = condition.rows
        self.count = 0

    def held(self, arrived: Arrived) -> Bools:
        """Whether there are enough."""
        counts = self.count + np.concatenate([[0], np.cumsum(arrived.known)])
        places = np.arange(arrived.start + 1, arrived.stop + 1)
        upto = np.searchsorted(arrived.positions, places, side="right")
        self.count = int(counts[-1])
        return np.asarray(counts[upto] >= self.rows, dtype=bool)

    def words(self) -> str:
        """Tell how many."""
        return f"{self.rows:,} new labelled rows"

    def acted(self, position: int) -> None:
        """Count anew."""
        self.count = 0

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"count": self.count}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.count = state["count"]


class FeaturesWatcher(Watcher):
    """So many feature columns are in alarm.

    They are compared with the training window for ever, so a change that stays goes on alarming
    after the model was trained anew. After an action it holds again only when more columns are in
    alarm than then, or once it had ceased to hold.
    """

    momentary = False

    def __init__(self, condition: Condition, around: Surroundings) -> None:
        assert condition.features is not None
        self.columns = condition.features
        self.around = around
        self.used = 0  # columns in alarm at the last action, while they are
        self.now = 0

    def held(self, arrived: Arrived) -> Bools:
        """Whether enough columns are in alarm."""
        out = np.zeros(arrived.stop - arrived.start, dtype=bool)
        at = arrived.start + 1
        while at <= arrived.stop:
            end = min(self.around.next_feature_check(at), arrived.stop + 1)
            self.now = self.around.feature_alarms(at)
            if self.now < self.columns:
                self.used = 0
            out[at - arrived.start - 1 : end - arrived.start - 1] = (
                self.now >= self.columns and self.now > self.used
            )
            at = end
        return out

    def words(self) -> str:
        """Tell how many columns."""
        return f"{self.now:,} feature column{'s' if self.now != 1 else ''} in alarm"

    def acted(self, position: int) -> None:
        """What is in alarm now has been acted on."""
        self.now = self.around.feature_alarms(position)
        self.used = self.now if self.now >= self.columns else 0

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"used": self.used, "now": self.now}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        self.used, self.now = state["used"], state["now"]


def watcher(condition: Condition, around: Surroundings) -> Watcher:
    """Make what watches a condition."""
    if condition.kind == "drift":
        return DriftWatcher(condition, around)
    if condition.kind == "error":
        return ErrorWatcher(condition, around)
    if condition.kind == "rows":
        return RowsWatcher(condition)
    return FeaturesWatcher(condition, around)


class Conditions:
    """All conditions of a triggered policy.

    A condition counts as holding at the `within` rows from where it last did. They are met where
    any, all, or at least so many of them count.
    """

    def __init__(self, spec: TriggeredPolicy, around: Surroundings) -> None:
        self.watchers = [watcher(condition, around) for condition in spec.when]
        self.last = [_NOT_YET] * len(self.watchers)
        self.edge = spec.action == "alert"
        self.told = False  # an alert was given, and what it told of still holds

    @property
    def has_detector(self) -> bool:
        """Whether one of them is a drift detector."""
        return any(isinstance(w, DriftWatcher) for w in self.watchers)

    def prepare(self) -> None:
        """Do what takes long, before the replay."""
        for one in self.watchers:
            one.prepare()

    def watch(self, arrived: Arrived, spec: TriggeredPolicy, armed: int) -> int | None:
        """Go on to the first position in (start, stop], from `armed` on, at which they are met.

        Returns
        -------
        That position: nothing that is known later was taken in. None: all was taken in.
        """
        if not self.watchers:
            return None
        saved = self.state() if armed <= arrived.stop else None
        found = self._consume(arrived, spec, armed)
        if found is not None and found < arrived.stop:
            assert saved is not None
            self.load_state(saved)
            self._consume(arrived.until(found), spec, armed)
        return found

    def _consume(self, arrived: Arrived, spec: TriggeredPolicy, armed: int) -> int | None:
        places = np.arange(arrived.start + 1, arrived.stop + 1)
        counting = np.zeros(len(places), dtype=np.int64)
        for k, one in enumerate(self.watchers):
            held = one.held(arrived)
            last = np.maximum.accumulate(np.where(held, places, self.last[k]))
            last = np.maximum(last, self.last[k])
            counting += places - last < spec.within
            self.last[k] = int(last[-1])
        met = counting >= self._needed(spec)
        may = met & (places >= armed)
        if self.edge:
            if self.told:  # not before they ceased to be met
                may &= np.maximum.accumulate(~met)
            self.told = self.told and bool(met.all())
        return int(places[np.argmax(may)]) if may.any() else None

    def _needed(self, spec: TriggeredPolicy) -> int:
        if isinstance(spec.combine, int):
            return spec.combine
        return 1 if spec.combine == "any" else len(self.watchers)

    def words(self, position: int, within: int) -> str:
        """Why they are met at `position`."""
        counting = [
            one.words()
            for one, last in zip(self.watchers, self.last, strict=True)
            if position - last < within
        ]
        text = " and ".join(counting)
        return text[:1].upper() + text[1:]

    def take_alarms(self) -> list[Alarm]:
        """Return the alarms since the last call, in order of position."""
        found = []
        for one in self.watchers:
            if isinstance(one, DriftWatcher):
                found += one.alarms
                one.alarms = []
        return sorted(found, key=lambda alarm: alarm.position)

    def acted(self, position: int) -> None:
        """Something was done at `position`."""
        for k, one in enumerate(self.watchers):
            if one.momentary or not self.edge:
                one.acted(position)
                self.last[k] = _NOT_YET
        self.told = self.edge

    def restart(self, error: float) -> None:
        """Another model answers now; `error`: that of its test, NaN if it had none."""
        for k, one in enumerate(self.watchers):
            one.restart(error)
            if isinstance(one, DriftWatcher | ErrorWatcher):
                self.last[k] = _NOT_YET

    def state(self) -> dict[str, Any]:
        """Everything, as plain values and arrays."""
        return {
            "watchers": [one.state() for one in self.watchers],
            "last": list(self.last),
            "told": self.told,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        for one, saved in zip(self.watchers, state["watchers"], strict=True):
            one.load_state(saved)
        self.last = list(state["last"])
        self.told = state["told"]
