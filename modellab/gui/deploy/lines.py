"""From the deployment to lines and marks: what the three plots show (no widgets)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import numpy as np

from modellab.gui.deploy.fault_words import fault_shades
from modellab.gui.deploy.words import change_words, cpu_seconds, lane_style, rollback_words
from modellab.gui.plots.parts import HeatMap, LiveLine, Mark, MarkKind, Shade
from modellab.gui.plots.series import Recording
from modellab.gui.theme import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.gui.session_deployment import Deployment, LaneView
    from modellab.replay.protocol import EventRecord

Quantity = Literal["cost", "compute", "updates"]
RECORDED: tuple[Quantity, ...] = ("cost", "compute", "updates")
MOST_LINES = 8
MOST_CELLS = 40


class Recorder:
    """What lanes cost along the stream, noted whenever the window is told of it."""

    def __init__(self) -> None:
        self._of: Deployment | None = None
        self.lanes: dict[str, Recording] = {}

    def take(self, live: Deployment | None) -> None:
        """Note the present state of all lanes; another deployment begins anew."""
        if live is not self._of:
            self._of, self.lanes = live, {}
        if live is None:
            return
        for name in [n for n in self.lanes if n not in live.lanes]:
            del self.lanes[name]
        for name, lane in live.lanes.items():
            news = lane.news
            if news is None:
                continue
            recording = self.lanes.get(name)
            if recording is None:
                recording = self.lanes[name] = Recording(RECORDED)
            recording.forget_after(live.position)
            recording.add(live.position, news.cost, cpu_seconds(lane), float(news.updates))


def error_lines(live: Deployment) -> list[LiveLine]:
    """Return the windowed error of every lane that is shown."""
    lines = []
    start, ends = np.empty(0, np.int64), np.empty(0)
    width = 0
    for lane in live.lanes.values():
        if lane.hidden:
            continue
        curve = lane.curves.get("error")
        if curve is None or not len(curve):
            continue
        # Lanes that began together have the same buckets: their rows are one array.
        if width != curve.width or not np.array_equal(start, curve.start):
            start, width = curve.start, curve.width
            # A bucket is known at its end; the last one ends at the present row.
            ends = np.minimum(start + (width - 1), max(live.position - 1, 0)).astype(np.float64)
        lines.append(_lane_line(live, lane, ends, curve.mean))
    return lines


def _lane_line(live: Deployment, lane: LaneView, x: np.ndarray, y: np.ndarray) -> LiveLine:
    colour, dash = lane_style(lane)
    return LiveLine(lane.name, lane.name, x, y, colour, dash, strong=lane.name == live.selected)


def cost_lines(live: Deployment, recorder: Recorder, quantity: Quantity) -> list[LiveLine]:
    """Return money, CPU seconds or updates so far of every lane that is shown."""
    lines = []
    for name, lane in live.lanes.items():
        recording = recorder.lanes.get(name)
        if lane.hidden or recording is None or not len(recording):
            continue
        lines.append(_lane_line(live, lane, recording.x, recording.values(quantity)))
    return lines


def largest(names: Sequence[str], values: np.ndarray, count: int) -> list[str]:
    """Return the names of the `count` largest last values by size, in the order of `names`."""
    if not len(values):
        return list(names[:count])
    sizes = np.nan_to_num(np.abs(values[-1]), nan=-1.0)
    chosen = np.argsort(-sizes, kind="stable")[:count]
    return [names[i] for i in sorted(chosen.tolist())]


def parameter_lines(live: Deployment, chosen: Sequence[str] | None) -> list[LiveLine]:
    """Return the parameters of the selected lane: those chosen, else the largest by size.

    A parameter keeps its colour while the set that is shown stays the same.
    """
    view = live.parameters
    if not len(view):
        return []
    present = set(view.names)
    names = [n for n in chosen if n in present] if chosen is not None else []
    if not names:
        names = largest(view.names, view.values, MOST_LINES)
    at = {name: i for i, name in enumerate(view.names)}
    x = view.positions.astype(np.float64)
    lines = []
    for number, name in enumerate(names):
        dash = () if number < MOST_LINES else ((3.0, 2.0),)[0]
        colour = theme().parameter_colour(number)
        lines.append(LiveLine(f"p{number}", name, x, view.values[:, at[name]], colour, dash))
    return lines


def heat_map(live: Deployment, chosen: Sequence[str] | None) -> HeatMap | None:
    """Return the parameters of the selected lane as colours, the largest on top."""
    view = live.parameters
    if not len(view):
        return None
    names = list(chosen or []) or largest(view.names, view.values, MOST_CELLS)
    at = {name: i for i, name in enumerate(view.names)}
    names = [n for n in names if n in at]
    last = np.nan_to_num(np.abs(view.values[-1]), nan=-1.0)
    names.sort(key=lambda name: -last[at[name]])
    values = view.values[:, [at[name] for name in names]]
    finite = np.abs(values[np.isfinite(values)])
    place = int(0.98 * (finite.size - 1))
    limit = float(np.partition(finite, place)[place]) if finite.size else 1.0
    return HeatMap(
        names, view.positions.astype(np.float64), values, limit or 1.0, (view.version, tuple(names))
    )


class Story:
    """What there is to tell of one replay, in order of position; it grows with the events.

    A fork does not tell what its parent went through before it, and a model that serves at once
    after its retrain is not told twice.

    Attributes
    ----------
    events
        What is told. Not to be changed by who reads it.
    generation
        Another number whenever more changed than that events were added.
    """

    def __init__(self) -> None:
        self.events: list[EventRecord] = []
        self.generation = 0
        self._taken = 0
        self._last: EventRecord | None = None
        self._began: dict[str, int] = {}
        self._retrained: set[tuple[str, int]] = set()

    def take(self, live: Deployment) -> None:
        """Take what happened since the last call."""
        began = {e.fork: e.position for e in live.experiment.intervention if e.fork is not None}
        taken, events = self._taken, live.events
        grown = taken <= len(events) and (not taken or events[taken - 1] is self._last)
        if not grown or began != self._began:
            self.events, self._retrained, taken = [], set(), 0
            self._began, self.generation = began, self.generation + 1
        new = events[taken:] if taken else events
        if not new:
            return
        self._taken, self._last = len(events), events[-1]
        retrained = self._retrained
        retrained.update((e.lane, e.position) for e in new if e.kind == "retrain")
        for event in new:
            if event.position >= began.get(event.lane, 0) and not (
                event.kind == "redeploy" and (event.lane, event.position) in retrained
            ):
                self.events.append(event)


_stories: WeakKeyDictionary[Deployment, Story] = WeakKeyDictionary()


def story(live: Deployment) -> Story:
    """Return what there is to tell of a replay up to now."""
    found = _stories.get(live)
    if found is None:
        found = _stories[live] = Story()
    found.take(live)
    return found


def own_events(live: Deployment) -> list[EventRecord]:
    """Return what there is to tell, in order of position. Not to be changed by who reads it."""
    return story(live).events


EVENT_KINDS: dict[str, MarkKind] = {
    "drift": "drift",
    "retrain": "retrain",
    "reject": "reject",
    "redeploy": "redeploy",
    "switch": "switch",
    "rollback": "rollback",
    "reset": "reset",
    "quarantine": "quarantine",
    "intervention": "change",
    "fault": "fault",
    "fault_end": "fault",
    "fork": "fork",
    "warning": "warning",
}


ON_PLOT = frozenset(EVENT_KINDS.values()) - {"fault"}
"""Faults are shaded, not marked."""


class Marks:
    """The marks of one replay; only what happened since the last call is made into new ones."""

    def __init__(self) -> None:
        self._key: object = None
        self._found: list[Mark] = []
        self._taken = 0

    def of(self, live: Deployment) -> list[Mark]:
        """Return what happened, in order of position; of hidden lanes nothing.

        The same list as before while nothing happened; the first ones are the same while only
        more came.
        """
        told = story(live)
        shown = [(n, v.hidden, v.index, v.fork_of, v.baseline) for n, v in live.lanes.items()]
        key = (id(live), told.generation, shown, live.selected, theme().name)
        if key != self._key:
            self._key, self._found, self._taken = key, [], 0
        new = told.events[self._taken :]
        if not new:
            return self._found
        self._taken = len(told.events)
        several = sum(not v.baseline for v in live.lanes.values()) > 1
        made = [m for m in (_mark(live, event, several) for event in new) if m is not None]
        if made:
            self._found = [*self._found, *made]
            self._found.sort(key=lambda mark: mark.position)
        return self._found


def marks(live: Deployment) -> list[Mark]:
    """Return what happened, in order of position; of hidden lanes nothing."""
    return Marks().of(live)


def _mark(live: Deployment, event: EventRecord, several: bool) -> Mark | None:
    """Return the mark of an event; None where it has none."""
    kind = EVENT_KINDS.get(event.kind)
    view = live.lanes.get(event.lane)
    if kind not in ON_PLOT or (view is not None and view.hidden):
        return None
    colour = lane_style(view)[0] if view is not None else theme().second
    text = ""
    if kind == "change":
        text = change_words(event, lane=several)
    elif kind == "rollback":
        text = rollback_words(event, lane=several)
    elif kind == "fork":
        parent = view.fork_of if view is not None else None
        text = f"{event.lane}: fork of {parent}" if parent else f"{event.lane}: fork"
    what = ", ".join(event.values) if kind == "change" else ""
    by_itself = kind == "drift" or bool(event.values.get("automatic"))
    strong = not by_itself or event.lane in ("", live.selected)
    return Mark(event.position, kind, event.lane, colour, text, what, strong)


def down_shades(live: Deployment) -> list[Shade]:
    """Return when nothing served, in lanes that are shown; of the selected one at full height."""
    found = []
    for event in live.events:
        view = live.lanes.get(event.lane)
        serves = event.values.get("serves_from")
        if not event.values.get("downtime") or not isinstance(serves, int):
            continue
        if view is None or view.hidden or serves <= event.position:
            continue
        own = event.lane == live.selected
        text = f"{event.lane}: down" if own else ""
        colour = lane_style(view)[0]
        found.append(Shade(event.position, serves, text, "down", colour, strip=not own))
    return found


def shades(live: Deployment) -> list[Shade]:
    """Return all spans in which something was not as usual."""
    return [*fault_shades(live), *down_shades(live)]
