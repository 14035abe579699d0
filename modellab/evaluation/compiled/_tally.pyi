import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

class Core:
    ring: Floats
    before: Floats
    run: Floats
    suffix: Floats
    prefix: float
    total: float
    within: float
    faded: float
    weighed: float
    count: int
    place: int
    def __init__(
        self,
        fields: int,
        sums: int,
        classes: int,
        window: int,
        weights: Floats,
        up: Floats,
        down: Floats,
    ) -> None: ...
    def add_classes(
        self,
        y: Ints,
        guess: Ints,
        proba: Floats,
        logs: Floats,
        majority: Bytes,
        nochange: Bytes,
        out: Floats,
    ) -> None: ...
    def add_numbers(self, y: Floats, guess: Floats, origin: float, out: Floats) -> None: ...
    def fading(self) -> float: ...
    def within_ones(self) -> float: ...
    def last_totals(self, n: int, out: Floats) -> None: ...

def codes_there(y: Ints, guess: Ints, classes: int) -> bool: ...
def own_shares(y: Ints, proba: Floats, clip: float, out: Floats) -> None: ...
def totals(rows: Floats, weights: Floats, sums: int, classes: int, out: Floats) -> None: ...
def curve_places(negative: Floats, positive: Floats) -> int: ...
