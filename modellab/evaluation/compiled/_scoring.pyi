import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

def window_sums(
    values: Floats,
    window: int,
    count: int,
    prefix: float,
    run: Floats,
    suffix: Floats,
    out: Floats,
) -> float: ...
def fill_series(buckets: Floats, base: int, width: int, start: int, values: Floats) -> None: ...
def merge_series(old: Floats, merged: Floats, base: int, count: int) -> int: ...
def fill_tiles(
    sums: Floats, counts: Ints, base: int, width: int, start: int, losses: Floats
) -> None: ...
def choose_rows(key: int, level: int, start: int, positions: Ints) -> int: ...
def wrong_rows(value: Ints, y: Ints, out: Floats) -> None: ...
def both_right(
    y: Ints,
    upto: Ints,
    first: int,
    labels: Ints,
    counts: Ints,
    late: Ints,
    now: Ints,
    right: Bytes,
) -> None: ...
def majorities(
    y: Ints, before: Ints, counts: Ints, late: Ints, now: Ints, common: Ints, last: Ints
) -> None: ...
