from typing import Any

import numpy as np
from numpy.typing import NDArray

class Core:
    def __init__(self, state: dict[str, Any]) -> None: ...
    def run(
        self,
        rows: NDArray[np.float64],
        y: NDArray[np.float64],
        errors: NDArray[np.float64],
        ask: bool,
    ) -> int: ...
