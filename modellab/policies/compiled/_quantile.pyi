import numpy as np
from numpy.typing import NDArray

def judge(
    values: NDArray[np.float64],
    order: NDArray[np.float64],
    rank: int,
    part: NDArray[np.float64],
    over: NDArray[np.uint8],
    first: bool,
) -> int: ...
