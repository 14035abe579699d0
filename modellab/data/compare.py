"""Every column in the training window and in the rest, and what the target does at each value.

From evenly spaced stretches of both parts, so that it takes bounded time and memory for any length.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.arrow import Array, arrow
from modellab.data.profile_parts import finite
from modellab.data.source import ReadProgress, no_progress
from modellab.data.unseen import Unseen, unseen_categories, unseen_words
from modellab.experiment import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modellab.data.dataset import Dataset

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

STRETCHES = 64
STRETCH_ROWS = 1024
"""At most so many stretches of so many rows are looked at in each part."""
BARS = 10
MAX_COLUMNS = 1000
MAX_CLASSES = 6
SHIFT = 0.1
"""Below this distance, parts count as alike however sure it is that they differ."""


class Bar(msgspec.Struct, frozen=True):
    """A value, or a range of values.

    Attributes
    ----------
    label
        It, as a person reads it; ``missing`` and ``others`` stand at the end.
    train, rest
        Its share of the rows of either part.
    target
        Regression: the target's mean, as the only one. Classes: the share of each class of
        `Comparison.classes`. Empty where no row seen has a label.
    """

    label: str
    train: float
    rest: float
    target: list[float] = []


class Comparison(msgspec.Struct, frozen=True):
    """One column in the training window and after it.

    Attributes
    ----------
    name, kind
        The column, and the kind it is used as.
    bars
        Its values.
    distance
        Half the sum of the differences of the shares (total variation): 0 alike, 1 nothing in
        common.
    shifted
        It is more than `SHIFT`, and more than chance among so few rows would make it.
    train_seen, rest_seen
        Rows looked at.
    classes
        What the shares of `Bar.target` are of; empty for a mean.
    unseen
        Categories and texts: what is new after the training window.
    """

    name: str
    kind: Kind
    bars: list[Bar]
    distance: float
    shifted: bool
    train_seen: int
    rest_seen: int
    classes: list[str] = []
    unseen: Unseen | None = None


def compare(
    dataset: Dataset, columns: Sequence[str] | None = None, progress: ReadProgress = no_progress
) -> list[Comparison]:
    """Compare the training window with the rest, column by column.

    Parameters
    ----------
    dataset
        The data with their roles and kinds.
    columns
        Names; the first `MAX_COLUMNS` if None. Of texts only what is `unseen` is told.
    progress
        Told columns done; may raise `Cancelled`.

    Returns
    -------
    list of Comparison
        Empty where there is no training window, or nothing after it.
    """
    store, train = dataset.store, dataset.train_rows
    if not 0 < train < dataset.n_rows:
        return []
    parts = (_stretches(0, train), _stretches(train, dataset.n_rows))
    names = list(columns) if columns is not None else store.names[:MAX_COLUMNS]
    labels = [dataset.labels(a, b) for part in parts for a, b in part]
    target, classes = _targets(np.concatenate(labels), dataset)
    found = []
    for number, name in enumerate(names):
        progress(number, len(names), name)
        kind = dataset.kinds.get(name, store.column(name).kind)

        def tell(number: int = number, name: str = name) -> None:
            progress(number, len(names), name)

        if kind == "text":
            new = unseen_words(dataset, name, *parts, tell)
            seen = [sum(stop - start for start, stop in part) for part in parts]
            found.append(Comparison(name, kind, [], 0.0, False, seen[0], seen[1], unseen=new))
            continue
        pieces = [
            [store.column_as(name, kind, start, stop) for start, stop in part] for part in parts
        ]
        own = name == dataset.target
        one = _compared(name, kind, pieces, None if own else target, [] if own else classes)
        if kind == "category":
            new = unseen_categories(dataset, name, parts[1], tell)
            one = msgspec.structs.replace(one, unseen=new)
        found.append(one)
    return found


def _stretches(start: int, stop: int) -> list[tuple[int, int]]:
    """Evenly spaced stretches of rows; all of them where they are few."""
    rows = stop - start
    if rows <= STRETCHES * STRETCH_ROWS:
        return [(a, min(a + STRETCH_ROWS, stop)) for a in range(start, stop, STRETCH_ROWS)]
    step = (rows - STRETCH_ROWS) / (STRETCHES - 1)
    places = [start + round(k * step) for k in range(STRETCHES)]
    return [(place, place + STRETCH_ROWS) for place in places]


def _targets(labels: NDArray[Any], dataset: Dataset) -> tuple[Floats, list[str]]:
    """The target of the rows seen, (n, classes or 1), NaN where it is missing."""
    if dataset.task.kind == "regression":
        return np.asarray(labels, np.float64)[:, None], []
    counts = np.bincount(labels[labels >= 0], minlength=len(dataset.task.classes))
    # The most frequent ones, in the order of their codes.
    chosen = np.sort(np.argsort(-counts, kind="stable")[:MAX_CLASSES])
    hits = (labels[:, None] == chosen[None, :]).astype(np.float64)
    hits[labels < 0] = np.nan
    return hits, [_class_text(dataset.task.classes[code]) for code in chosen]


def _class_text(label: str | bool | int | float) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)


def _compared(
    name: str,
    kind: Kind,
    pieces: list[list[Array]],
    target: Floats | None,
    classes: list[str],
) -> Comparison:
    pa, _ = arrow()
    whole = pa.chunked_array([piece for part in pieces for piece in part])
    train_rows = sum(len(piece) for piece in pieces[0])
    if kind in ("number", "time"):
        codes, words = _binned(whole, kind)
    else:
        codes, words = _valued(whole)
    size = len(words)
    train = np.bincount(codes[:train_rows], minlength=size)
    rest = np.bincount(codes[train_rows:], minlength=size)
    rest_rows = len(codes) - train_rows
    shares = train / train_rows, rest / rest_rows
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    filled = int(np.count_nonzero(train + rest))
    # What two samples of one distribution differ by: about sqrt(bars / (2 pi)) of a share's error.
    chance = 3.0 * np.sqrt(max(1, filled - 1) / (2 * np.pi) * (1 / train_rows + 1 / rest_rows))
    means = _means(codes, size, target)
    bars = [
        Bar(word, float(shares[0][k]), float(shares[1][k]), means[k])
        for k, word in enumerate(words)
        if train[k] or rest[k]
    ]
    shifted = distance > max(SHIFT, float(chance))
    return Comparison(name, kind, bars, distance, shifted, train_rows, rest_rows, classes)


def _means(codes: Ints, size: int, target: Floats | None) -> list[list[float]]:
    if target is None:
        return [[] for _ in range(size)]
    known = ~np.isnan(target[:, 0])
    count = np.bincount(codes[known], minlength=size)
    sums = [np.bincount(codes[known], column[known], minlength=size) for column in target.T]
    return [[float(total[k] / count[k]) for total in sums] if count[k] else [] for k in range(size)]


def _binned(whole: Any, kind: Kind) -> tuple[Ints, list[str]]:
    """Codes of ranges of equal width between the 1 % and 99 % quantiles; the ends are open."""
    pa, pc = arrow()
    if kind == "time":
        values = pc.divide(pc.cast(pc.cast(whole, pa.int64()), pa.float64(), safe=False), 1e9)
    else:
        values = whole
    floats = np.asarray(values.combine_chunks().to_numpy(zero_copy_only=False), np.float64)
    there = np.isfinite(floats)
    missing = ~there
    distinct = np.unique(floats[there])
    if len(distinct) <= BARS and kind == "number":
        words = [f"{value:.6g}" for value in distinct]
        codes = np.searchsorted(distinct, np.where(there, floats, np.inf))
        return _with_missing(codes, words, missing)
    low, high = (float(v) for v in np.quantile(floats[there], (0.01, 0.99)))
    if not high > low:
        low, high = float(distinct[0]), float(distinct[-1])
    edges = np.linspace(low, high, BARS + 1)[1:-1]
    codes = np.searchsorted(edges, np.where(there, floats, 0.0), side="right")
    shown = [_day(edge) if kind == "time" else _number(edge, high - low) for edge in edges]
    words = [f"below {shown[0]}"]
    words += [f"{a} to {b}" for a, b in itertools.pairwise(shown)]
    words += [f"{shown[-1]} and above"]
    return _with_missing(codes, words, missing)


def _number(value: float, span: float) -> str:
    digits = max(0, min(8, 2 - int(np.floor(np.log10(span))))) if finite(span) else 2
    return f"{value:,.{digits}f}" if digits < 8 else f"{value:.3g}"


def _day(seconds: float) -> str:
    stamp = np.datetime64(round(seconds), "s")
    return str(stamp)[:16].replace("T", " ")


def _valued(whole: Any) -> tuple[Ints, list[str]]:
    """Codes of the most frequent values; the others together."""
    _, pc = arrow()
    plain = whole.combine_chunks()
    if hasattr(plain, "dictionary"):
        words = [str(word) for word in plain.dictionary.to_pylist()]
        raw = plain.indices.fill_null(-1)
    else:
        words = ["false", "true"]
        raw = pc.fill_null(pc.cast(plain, "int8"), -1)
    codes = np.asarray(raw.to_numpy(zero_copy_only=False), np.int64)
    missing = codes < 0
    counts = np.bincount(codes[~missing], minlength=len(words))
    chosen = np.argsort(-counts, kind="stable")[:BARS]
    chosen = chosen[counts[chosen] > 0]
    place = np.full(len(words) + 1, len(chosen), np.int64)
    place[chosen] = np.arange(len(chosen))
    kept = [words[code] for code in chosen]
    return _with_missing(place[codes], [*kept, "others"], missing)


def _with_missing(
    codes: Any, words: list[str], missing: NDArray[np.bool_]
) -> tuple[Ints, list[str]]:
    found = np.where(missing, len(words), codes).astype(np.int64)
    return found, [*words, "missing"]
