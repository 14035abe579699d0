import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

def number_cells(values: Floats, cuts: Floats, out: Bytes) -> None: ...
def window_counts(cells: Bytes, starts: Ints, stops: Ints, counts: Ints) -> None: ...
