from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellab.learners.compiled._loop import RowLoop

class ForestCore(RowLoop):
    def __init__(
        self, slots: NDArray[np.int32], classes: int, settings: dict[str, Any]
    ) -> None: ...

def weights_of_rows(seed: int, member: int, mean: float, out: NDArray[np.float64]) -> None: ...
