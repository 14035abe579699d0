from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def fill_numbers(
    arrays: Sequence[NDArray[np.float64]],
    numbers: NDArray[np.float64],
    places: NDArray[np.int64],
    flagged: NDArray[np.uint8],
    scaled: bool,
    out: NDArray[np.float64],
) -> None: ...
