from typing import Any

import numpy as np
from numpy.typing import NDArray

class Core:
    def __init__(self, state: dict[str, NDArray[Any]]) -> None: ...
    def run(
        self,
        rows: NDArray[np.float64],
        learn_rows: NDArray[np.float64],
        learn_y: NDArray[np.float64],
        upto: NDArray[np.int64],
        every: int,
        batch: int,
        frozen: bool,
        scores: NDArray[np.float64],
    ) -> None: ...
    def run_looked(
        self,
        rows: NDArray[np.float64],
        y: NDArray[np.float64],
        batch: int,
        at: NDArray[np.int64],
        looks: NDArray[np.float64],
        steps: NDArray[np.int64],
        scores: NDArray[np.float64],
        answers: NDArray[np.int64],
        shares: NDArray[np.float64],
        huber: bool,
    ) -> None: ...
    def learn(
        self,
        rows: NDArray[np.float64],
        y: NDArray[np.float64],
        batch: int,
        hold_scaler: bool,
    ) -> None: ...
    def predict(self, rows: NDArray[np.float64], scores: NDArray[np.float64]) -> None: ...
    def predict_at(
        self,
        rows: NDArray[np.float64],
        look: NDArray[np.float64],
        room: NDArray[np.float64],
        scores: NDArray[np.float64],
    ) -> None: ...
