"""How many rows a lane may be taken ahead in one step, without any result being another.

A step lies in one block, because policies that act in between look at their lane there. Three kinds
of lanes may take many blocks in a step, so that what a step costs is spread over more rows: models
that never change, models that are replaced at positions known beforehand (up to there), and
compiled learners that learn each row at once. What all lanes find
out alike about the same rows is found out once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.stream import BLOCK
from modellab.learners.base import runs_rows
from modellab.policies.base import block_end
from modellab.policies.cycle import Cycle
from modellab.policies.hindsight import Hindsight
from modellab.policies.online import Online
from modellab.policies.scheduled import Scheduled
from modellab.policies.static import Static

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellab.evaluation.references import References
    from modellab.policies.base import Policy
    from modellab.replay.context import Context

    Right = tuple[NDArray[np.bool_], NDArray[np.bool_]]

_STILL = (Scheduled, Hindsight)
"""Policies whose model is another only at positions that are known beforehand."""
STRIDE = 64 * BLOCK
"""Most rows of a step."""
_CELLS = 2**18
_KEPT = 4 * STRIDE  # rows: lanes are scored when others are further on


def strides(policy: Policy) -> bool:
    """Whether steps of more than a block may give what steps of a block give (see `step_end`).

    Such lanes need nothing of the process but what may be asked for from several threads.
    """
    return type(policy) in _STILL or single_model(policy)


def single_model(policy: Policy) -> bool:
    """Whether one model serves to the end, that stays as it is or learns each row at once."""
    if type(policy) is Static:
        return True
    if type(policy) is not Online or policy.guard is not None:
        return False
    learns_at_once = policy.spec.every == 1 and not policy.spec.frozen and not policy.waiting
    return learns_at_once and runs_rows(policy.learner)


def step_end(policy: Policy, context: Context, position: int, stop: int) -> int:
    """Where a step from `position` on ends at the latest, of a lane on its way to `stop`."""
    end = block_end(position)
    # Probabilities of many classes take much room.
    rows = min(STRIDE, max(_CELLS // max(context.task.n_classes, 1) // BLOCK, 1) * BLOCK)
    stop = min(stop, (position // rows + 1) * rows)
    if stop <= end or not strides(policy):
        return end
    if type(policy) is Static:
        return stop
    if not context.stream.prompt:
        return end
    if isinstance(policy, Cycle):
        # Blocks in which something is done, or right after them, are gone through one by one.
        return max(min(stop, (policy.still_to(position) - 1) // BLOCK * BLOCK), end)
    if policy.next_row != position:  # type: ignore[attr-defined]
        return end
    return context.shared.labelled_to(position, stop)


class Shared:
    """What is the same for all lanes of a process at the same rows. Safe for several threads.

    Parameters
    ----------
    context
        The stream and what belongs to it.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._labelled: deque[tuple[int, int, int]] = deque(maxlen=64)  # from, to, looked to
        self._rows = 0  # of all that is in:
        self._right: OrderedDict[tuple[int, int], tuple[Right, dict[str, Any]]] = OrderedDict()

    def labelled_to(self, position: int, stop: int) -> int:
        """Furthest end of a block, up to `stop`, before which every row has a label.

        At least the end of the block of `position`.
        """
        with self._lock:
            # Lanes come one after the other, each from the beginning.
            for first, upto, last in reversed(self._labelled):
                if first <= position < upto and (last == stop or upto < min(last, stop)):
                    return max(upto, block_end(position))
            first = position // BLOCK * BLOCK
            upto = self._look(first, stop)
            self._labelled.append((first, upto, stop))
        return max(upto, block_end(position))

    def _look(self, start: int, stop: int) -> int:
        y = self._context.stream.seen(start, stop)
        missing = ~np.isfinite(y) if y.dtype.kind == "f" else y < 0
        if not missing.any():
            return stop
        return (start + int(np.argmax(missing))) // BLOCK * BLOCK

    def references_right(self, references: References, start: int, stop: int) -> Right:
        """Whether majority class and last label known are right at [start, stop), row by row.

        `references` stand at `start` and are brought to `stop`. All lanes that were at `start`
        know the same labels there.
        """
        key = start, stop
        with self._lock:
            found = self._right.get(key)
            if found is None:
                stream = self._context.stream
                labels = stream.labels(start, stop)
                if stream.prompt and stream.truthful and references.known == start:
                    right = references.right_at_once(labels)
                else:
                    upto = np.maximum(stream.label_upto(start, stop), references.known)
                    arrived = stream.seen(references.known, int(upto[-1]))
                    right = references.right(upto, arrived, labels)
                self._right[key] = right, references.state()
                self._rows += stop - start
                while self._rows > _KEPT and len(self._right) > 1:
                    (first, last), _ = self._right.popitem(last=False)
                    self._rows -= last - first
                return right
        references.load_state(found[1])
        return found[0]

    def forget(self) -> None:
        """Labels arrive otherwise from now on."""
        with self._lock:
            self._labelled.clear()
            self._right.clear()
            self._rows = 0


__all__ = ["STRIDE", "Shared", "single_model", "step_end", "strides"]
