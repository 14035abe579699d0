"""Values after the training window that it does not hold: categories exactly, words of texts."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from modellab.data.arrow import arrow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modellab.data.dataset import Dataset

    Stretches = Sequence[tuple[int, int]]

_ROWS = 65_536
TEXT_STRETCHES = 16
"""Of texts so many of the stretches are looked at."""
EXAMPLES = 5


class Unseen(msgspec.Struct, frozen=True):
    """What of the rows after the training window is new to it.

    Attributes
    ----------
    count, of
        Cells (of texts: words) that are new, and those that were looked at.
    different
        How many different ones they are.
    examples
        The most frequent of them.
    rows
        Rows that were looked at.
    """

    count: int = 0
    of: int = 0
    different: int = 0
    examples: list[str] = []
    rows: int = 0


def unseen_categories(
    dataset: Dataset, name: str, after: Stretches, tell: Callable[[], None]
) -> Unseen:
    """Count cells of a category whose value no row of the training window has.

    Every row of the window is looked at, and the stretches `after` it. `tell` is called now and
    then and may raise `Cancelled`.
    """
    _, pc = arrow()
    store = dataset.store
    levels = store.levels(name, "category")
    known = np.zeros(len(levels) + 1, bool)
    for start in range(0, dataset.train_rows, _ROWS):
        stop = min(start + _ROWS, dataset.train_rows)
        cells = store.column_as(name, "category", start, stop).indices
        known[pc.unique(cells).fill_null(len(levels)).to_numpy(zero_copy_only=False)] = True
        tell()
    counts = np.zeros(len(levels), np.int64)
    for start, stop in after:
        cells = store.column_as(name, "category", start, stop).indices.drop_null()
        counts += np.bincount(cells.to_numpy(), minlength=len(levels))
    new = np.flatnonzero((counts > 0) & ~known[:-1])
    frequent = new[np.argsort(-counts[new], kind="stable")][:EXAMPLES]
    return Unseen(
        count=int(counts[new].sum()),
        of=int(counts.sum()),
        different=len(new),
        examples=[levels[int(code)] for code in frequent],
        rows=sum(stop - start for start, stop in after),
    )


def unseen_words(
    dataset: Dataset, name: str, before: Stretches, after: Stretches, tell: Callable[[], None]
) -> Unseen:
    """Count words of a text that no row looked at in the training window holds.

    Words are those of the encoder (`modellab.data.text.analyser`), one by one.
    """
    from modellab.data.text import analyser

    words_of = analyser(1, 0)

    def texts(parts: Stretches) -> Iterator[str]:
        step = max(1, -(-len(parts) // TEXT_STRETCHES))
        for start, stop in islice(parts, 0, None, step):
            tell()
            for text in dataset.store.column_as(name, "text", start, stop).to_pylist():
                yield text or ""

    known = {word for text in texts(before) for word in words_of(text)}
    found: Counter[str] = Counter()
    count = rows = 0
    for text in texts(after):
        rows += 1
        words = words_of(text)
        count += len(words)
        found.update(word for word in words if word not in known)
    frequent = sorted(found, key=lambda word: (-found[word], word))[:EXAMPLES]
    return Unseen(found.total(), count, len(found), frequent, rows)
