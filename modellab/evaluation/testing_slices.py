"""Where the errors are: the error by the values of each column."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.evaluation.testing_values import ColumnSlices, Slice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

RANGES = 10
VALUES_SHOWN = 20
LABEL_LENGTH = 60
Z95 = 1.959963984540054


@dataclass(frozen=True)
class Values:
    """The values of one column at the test rows.

    Attributes
    ----------
    kind
        number, category, text, time or boolean.
    numbers
        Numbers and times (nanoseconds) as float64 (n,), NaN missing; None for others.
    codes, levels
        Others: int64 (n,), -1 missing, and what the codes mean.
    """

    kind: str
    numbers: Floats | None = None
    codes: Ints | None = None
    levels: Sequence[str] = ()


def slices(name: str, values: Values, loss: Floats, error: Floats | None) -> ColumnSlices | None:
    """Error by value or by range of values of one column.

    Parameters
    ----------
    name, values
        The column at the scored rows.
    loss
        (n,) 0/1 errors, or absolute errors.
    error
        Regression: prediction less truth; None for classification.

    Returns
    -------
    None where the column says nothing: fewer than two slices.
    """
    groups, labels = _numbers(values) if values.numbers is not None else _codes(values)
    found = []
    between = 0.0
    overall = float(loss.mean()) if len(loss) else 0.0
    for group, label in enumerate(labels):
        rows = np.flatnonzero(groups == group)
        if not len(rows):
            continue
        part = loss[rows]
        mean = float(part.mean())
        low, high = wilson(int(part.sum()), len(part)) if error is None else _interval(part, mean)
        bias = None if error is None else float(error[rows].mean())
        found.append(Slice(label, len(rows), mean, low, high, bias))
        between += len(rows) * (mean - overall) ** 2
    if len(found) < 2:
        return None
    total = float(np.square(loss - overall).sum())
    return ColumnSlices(name, values.kind, found, between / total if total > 0 else 0.0)


def wilson(hits: int, rows: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if rows == 0:
        return 0.0, 1.0
    share = hits / rows
    z2 = Z95 * Z95
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z95 * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows * rows)) / (1 + z2 / rows)
    return max(0.0, middle - half), min(1.0, middle + half)


def _interval(part: Floats, mean: float) -> tuple[float, float]:
    if len(part) < 2:
        return mean, mean
    half = Z95 * float(part.std(ddof=1)) / math.sqrt(len(part))
    return mean - half, mean + half


def _numbers(values: Values) -> tuple[Ints, list[str]]:
    """Group of each row, and what the groups are called: single values, or ranges by quantiles."""
    numbers = values.numbers
    assert numbers is not None
    write = _time if values.kind == "time" else _number
    missing = np.isnan(numbers)
    present = numbers[~missing]
    distinct = np.unique(present)
    groups = np.full(len(numbers), -1, dtype=np.int64)
    if len(distinct) <= RANGES:
        groups[~missing] = np.searchsorted(distinct, present)
        labels = [write(v) for v in distinct.tolist()]
    else:
        cuts = np.unique(np.quantile(present, np.arange(1, RANGES) / RANGES, method="inverted_cdf"))
        cuts = cuts[cuts < distinct[-1]]
        # A row belongs to the first range whose upper end is not below it.
        groups[~missing] = np.searchsorted(cuts, present, side="left")
        ends = [*cuts.tolist(), float(distinct[-1])]
        labels = [f"up to {write(ends[0])}"]
        labels += [f"{write(a)} to {write(b)}" for a, b in itertools.pairwise(ends)]
    if missing.any():
        groups[missing] = len(labels)
        labels.append("missing")
    return groups, labels


def _codes(values: Values) -> tuple[Ints, list[str]]:
    """Group of each row: the most frequent values, the others together, and missing ones."""
    codes = values.codes
    assert codes is not None
    counts = np.bincount(codes[codes >= 0], minlength=len(values.levels))
    order = np.argsort(-counts, kind="stable")
    kept = [int(k) for k in order[:VALUES_SHOWN] if counts[k] > 0]
    place = np.full(len(values.levels) + 1, len(kept), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    labels = [_cut(values.levels[k]) for k in kept]
    if int((counts > 0).sum()) > len(kept):
        labels.append("other values")
    place[-1] = len(labels)
    if (codes < 0).any():
        labels.append("missing")
    return place[codes], labels


def _cut(text: str) -> str:
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.4g}"


def _time(value: float) -> str:
    return str(np.datetime64(int(value), "ns").astype("datetime64[m]")).replace("T", " ")


def read_values(array: Any, kind: str) -> Values:
    """The values of an Arrow array of a stored kind.

    Parameters
    ----------
    array
        float64, boolean, timestamp, dictionary or string array.
    kind
        Its kind.
    """
    if kind == "number":
        return Values(kind, numbers=np.asarray(array.to_numpy(zero_copy_only=False), np.float64))
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "time":
        numbers = pc.cast(pc.cast(array, pa.int64()), pa.float64(), safe=False)
        return Values(kind, numbers=np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64))
    if kind == "boolean":
        codes = pc.fill_null(pc.cast(array, pa.int64()), -1)
        return Values(
            kind, codes=np.asarray(codes.to_numpy(zero_copy_only=False)), levels=("false", "true")
        )
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    codes = pc.fill_null(pc.cast(array.indices, pa.int64()), -1)
    levels = [str(level) for level in array.dictionary.to_pylist()]
    return Values(
        kind, codes=np.asarray(codes.to_numpy(zero_copy_only=False), np.int64), levels=levels
    )
