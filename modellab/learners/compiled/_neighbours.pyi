from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellab.learners.compiled._loop import RowLoop

class NeighboursCore(RowLoop):
    def __init__(
        self, category: NDArray[np.int32], outputs: int, settings: dict[str, Any]
    ) -> None: ...
