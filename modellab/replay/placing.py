"""Which process computes which lane. It changes no number, only how long one waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from modellab.errors import Cancelled
from modellab.learners.catalogue import entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.experiment import LaneSpec, LearnerSpec
    from modellab.learners.base import Progress

_WEIGHT = {"river": 4, "scikit-learn": 1}
"""Rough share of a processor by family; compiled learners and baselines cost next to nothing."""


def weight(learner: LearnerSpec) -> int:
    """How heavy a learner is to replay, roughly."""
    return _WEIGHT.get(entry(learner).family, 0)


def place(lanes: Sequence[LaneSpec], workers: int) -> dict[str, int]:
    """Give every lane a process: 0 is the engine's own, the others are worker processes.

    Lanes with the same learner stay together, so that it is fitted once. The heaviest go first,
    each to the process with the least to do, worker processes before the engine's own.
    """
    groups: dict[bytes, list[LaneSpec]] = {}
    for spec in lanes:
        groups.setdefault(msgspec.msgpack.encode(spec.learner), []).append(spec)
    heavy = [g for g in groups.values() if weight(g[0].learner)]
    heavy.sort(key=lambda g: -weight(g[0].learner))
    places = max(1, min(workers, len(heavy) + 1))
    load = [0] * places
    home = {spec.name: 0 for spec in lanes}
    order = [*range(1, places), 0]
    for group in heavy:
        chosen = min(order, key=lambda i: load[i])
        load[chosen] += weight(group[0].learner) * len(group)
        home.update((spec.name, chosen) for spec in group)
    used = sorted({0, *home.values()})
    return {name: used.index(at) for name, at in home.items()}


class SharedProgress:
    """One progress out of several lanes that are trained at the same time.

    `lane(name)` gives the progress of one lane. Once the person gave up, every lane hears of it.
    """

    def __init__(self, progress: Progress, lanes: Sequence[str]) -> None:
        self._progress = progress
        self._shares = dict.fromkeys(lanes, 0.0)
        self._lock = threading.Lock()
        self._cancelled = False

    def lane(self, name: str) -> Progress:
        """Return the progress of one lane."""

        def tell(done: float, total: float, text: str = "") -> None:
            with self._lock:
                if self._cancelled:
                    raise Cancelled
                self._shares[name] = done / total if total else self._shares[name]
                try:
                    self._progress(
                        sum(self._shares.values()),
                        len(self._shares),
                        f"{name}: {text}" if text else f"Training {name}",
                    )
                except Cancelled:
                    self._cancelled = True
                    raise

        return tell
