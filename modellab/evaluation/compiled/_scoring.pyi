import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

def class_rows(
    y: Ints,
    guess: Ints,
    proba: Floats,
    majority: Bytes,
    nochange: Bytes,
    clip: float,
    out: Floats,
) -> None: ...
def window_sums(
    values: Floats,
    window: int,
    count: int,
    prefix: float,
    run: Floats,
    suffix: Floats,
    out: Floats,
) -> float: ...
def fading_means(
    values: Floats,
    up: Floats,
    down: Floats,
    at: int,
    before: Floats,
    within: Floats,
    out: Floats,
) -> int: ...
def running_means(values: Floats, total: float, count: int, out: Floats) -> float: ...
def over_counts(sums: Floats, count: int, most: int) -> None: ...
def totals(rows: Floats, weights: Floats, sums: int, classes: int, out: Floats) -> None: ...
def append_totals(
    rows: Floats,
    waiting: Floats,
    waits: int,
    weights: Floats,
    sums: int,
    classes: int,
    before: Floats,
    scratch: Floats,
) -> int: ...
def fill_series(buckets: Floats, base: int, width: int, start: int, values: Floats) -> None: ...
def fill_tiles(
    sums: Floats, counts: Ints, base: int, width: int, start: int, losses: Floats
) -> None: ...
def chosen_rows(
    key: int, level: int, start: int, losses: Floats, positions: Ints, kept: Floats
) -> int: ...
def majorities(
    y: Ints, before: Ints, counts: Ints, late: Ints, now: Ints, common: Ints, last: Ints
) -> None: ...
def curve_places(ordered: Floats, positive: Floats) -> int: ...
