import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

class Core:
    codes: Bytes
    shares: Floats
    before: Floats
    within: float
    faded: float
    weighed: float
    count: int
    wrong: int
    recent: int
    place: int
    shared: bool
    def __init__(self, window: int, weights: Floats, up: Floats, down: Floats) -> None: ...
    def add(
        self,
        y: Ints,
        guess: Ints,
        proba: Floats,
        logs: Floats,
        majority: Bytes,
        nochange: Bytes,
        losses: Floats,
        out: Floats,
        error: Floats,
        cumulative: Floats,
        base: int,
        width: int,
        start: int,
    ) -> tuple[int, int]: ...
    def fading(self) -> float: ...
    def last_totals(self, n: int, out: Floats) -> None: ...
    def last_shares(self, n: int, negative: Floats, positive: Floats) -> tuple[int, int]: ...

def own_shares(y: Ints, proba: Floats, clip: float, out: Floats) -> None: ...
