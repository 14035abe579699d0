"""Training from scratch of learners that learn row by row: passes over rows in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab.errors import LearnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from modellab.learners.base import Progress, Rows

FIT_ROWS = 16384
"""So many rows are learned between two reports of progress during a fit."""


def pieces(rows: Rows, y: NDArray[Any]) -> Iterator[tuple[Rows, NDArray[Any]]]:
    """Yield rows and labels in pieces of `FIT_ROWS`."""
    for at in range(0, len(y), FIT_ROWS):
        yield rows[at : at + FIT_ROWS], y[at : at + FIT_ROWS]


def go_over(
    learn: Callable[[Rows, NDArray[Any], int], object],
    chunks: Callable[[], Any],
    passes: int,
    progress: Progress,
    total: int,
    title: str,
) -> None:
    """Let a learner that has just been reset go over the rows.

    Parameters
    ----------
    learn
        ``learn(rows, y, turn)``: learn these rows; `turn` is the number of the pass, from 0.
    chunks
        Gives the rows and labels of one pass, chunk by chunk.
    passes
        How many passes.
    progress
        Told after every piece; may raise to cancel.
    total
        Rows of a pass, 0 where that is not known yet.
    title
        What the learner is called in messages.

    Raises
    ------
    LearnerError
        If there is no row.
    """
    for turn in range(passes):
        done = 0
        for chunk, labels in chunks():
            for rows, y in pieces(chunk, labels):
                learn(rows, y, turn)
                done += len(y)
                progress(turn * total + done, passes * total, f"{done:,} rows learned")
        if done == 0:
            raise LearnerError(f"{title} cannot be trained: there is no row with a label.")
        total = done
