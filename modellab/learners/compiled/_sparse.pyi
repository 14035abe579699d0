from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

class Core:
    def __init__(self, state: dict[str, Any]) -> None: ...
    def predict(
        self, values: Floats, columns: NDArray[np.int32], ends: NDArray[np.int64], scores: Floats
    ) -> None: ...
    def run(
        self,
        values: Floats,
        columns: NDArray[np.int32],
        ends: NDArray[np.int64],
        learn_values: Floats,
        learn_columns: NDArray[np.int32],
        learn_ends: NDArray[np.int64],
        learn_y: Floats,
        upto: NDArray[np.int64],
        scores: Floats,
    ) -> None: ...
    def learn(
        self,
        values: Floats,
        columns: NDArray[np.int32],
        ends: NDArray[np.int64],
        y: Floats,
        batch: int,
        hold_scaler: bool,
    ) -> None: ...
    def level(self) -> None: ...
