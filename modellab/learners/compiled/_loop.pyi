from typing import Any

import numpy as np
from numpy.typing import NDArray

class RowLoop:
    columns: int
    outputs: int
    learned: int
    skipped: int
    waiting: int
    def run(
        self,
        rows: NDArray[np.float64],
        learn_rows: NDArray[np.float64],
        learn_y: NDArray[np.float64],
        upto: NDArray[np.int64],
        every: int,
        frozen: bool,
        codes: NDArray[np.int64],
        out: NDArray[np.float64],
    ) -> None: ...
    def learn(self, rows: NDArray[np.float64], y: NDArray[np.float64]) -> None: ...
    def predict(
        self, rows: NDArray[np.float64], codes: NDArray[np.int64], out: NDArray[np.float64]
    ) -> None: ...
    def configure(self, settings: dict[str, Any]) -> None: ...
    def reset(self) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def load_state(self, state: dict[str, Any]) -> None: ...
    def measure(self) -> tuple[float, ...]: ...
