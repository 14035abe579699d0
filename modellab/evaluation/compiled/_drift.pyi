import numpy as np
from numpy.typing import NDArray

def run(
    kind: int,
    settings: NDArray[np.float64],
    numbers: NDArray[np.float64],
    counters: NDArray[np.int64],
    table: NDArray[np.float64],
    words: NDArray[np.uint32],
    seeded: NDArray[np.uint32],
    values: NDArray[np.float64],
) -> int: ...
def reset(
    kind: int,
    numbers: NDArray[np.float64],
    counters: NDArray[np.int64],
    words: NDArray[np.uint32],
    seeded: NDArray[np.uint32],
) -> None: ...
