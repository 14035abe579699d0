"""Two parts of river made the same in every process, without a change to what its models answer."""

from __future__ import annotations

import random
from typing import Any


class FirstSeen(dict[Any, None]):
    """A set that iterates in the order in which its members came.

    River's splitter for categories keeps them in a set and takes the first of equally good splits;
    a set of texts has another order in every process.
    """

    def add(self, member: Any) -> None:
        """Add a member."""
        self[member] = None


class RandomOnDemand:
    """A generator of random numbers that is made when it is first drawn from.

    River gives every distribution an unseeded one of 2.5 kB, and its trees keep a distribution for
    each column, class and leaf, which they never draw from: most of a tree's size was that noise.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        made = self.__dict__.setdefault("made", random.Random(0))
        return getattr(made, name)


def apply() -> None:
    """Put both into river (once per process)."""
    from river.proba.base import Distribution
    from river.tree.splitter.nominal_splitter_classif import NominalSplitterClassif

    if getattr(Distribution, "_on_demand", False):
        return
    make = NominalSplitterClassif.__init__

    def ordered(self: Any) -> None:
        make(self)
        self._att_values = FirstSeen()

    def seeded(self: Any, seed: int | None = None) -> None:
        self.seed = seed
        self._rng = RandomOnDemand() if seed is None else random.Random(seed)

    NominalSplitterClassif.__init__ = ordered
    Distribution.__init__ = seeded
    Distribution._on_demand = True
