from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Columns = NDArray[np.int32]
Ints = NDArray[np.int64]

class Core:
    def __init__(self, state: dict[str, Any]) -> None: ...
    def run(
        self,
        values: Floats,
        columns: Columns,
        ends: Ints,
        learn_values: Floats,
        learn_columns: Columns,
        learn_ends: Ints,
        labels: Ints,
        upto: Ints,
        out: Floats,
    ) -> None: ...
    def learn(self, values: Floats, columns: Columns, ends: Ints, labels: Ints) -> None: ...
