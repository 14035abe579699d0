"""A snapshot makes a learner again what it was, to the bit, whatever it learned meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from modellab.learners import linear
from modellab.learners.base import Inputs, Snapshots, Task


@pytest.mark.parametrize("every", [1, 70])
def test_going_on_from_a_snapshot_gives_the_same_bits(every: int) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(900, 3))
    y = (x[:, 0] > 0).astype(np.int64)
    task = Task("classification", ("a", "b"), "y")
    learner = linear.build(Inputs(("a", "b", "c"), task, 1), {})
    assert isinstance(learner, Snapshots)

    def run(start: int, stop: int) -> bytes:
        rows, upto = x[start:stop], np.arange(1, stop - start + 1)
        found, _ = learner.run(rows, rows, y[start:stop], upto, every, 1, False)
        return found.value.tobytes() + np.asarray(found.proba).tobytes()

    run(0, 100)
    taken, state = learner.snapshot(), learner.state()
    for stop in (160, 900):  # the second needs more room
        first = run(100, stop)
        assert learner.state() != state
        learner.restore(taken)
        assert learner.state() == state
        assert run(100, stop) == first
        learner.restore(taken)
