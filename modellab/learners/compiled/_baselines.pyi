import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

def majorities(
    y: Ints,
    upto: Ints | None,
    counts: Ints,
    late: Ints,
    value: Ints,
    proba: NDArray[np.float64],
) -> None: ...
def last_labels(y: Ints, upto: Ints | None, last: int, value: Ints) -> int: ...
