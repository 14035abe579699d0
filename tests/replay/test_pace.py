"""How far a replay should be at a speed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modellab.replay.pace import Pace
from modellab.replay.run import paced

SECOND = 10**9


def no_times(start: int, stop: int) -> None:
    return None


def test_rows_per_second() -> None:
    pace = Pace("rows", 100.0, 50, 10.0, no_times)
    assert pace.due(50, 10.0) == 50
    assert pace.due(50, 10.5) == 100
    assert pace.wait(50, 10.0) == 0.01
    assert pace.wait(60, 10.0) == 0.11
    assert pace.wait(50, 11.0) == 0.0
    assert not pace.behind(100, 10.5)
    assert pace.behind(80, 10.5)
    pace.rebase(80, 10.5)
    assert pace.due(80, 10.5) == 80


def test_a_row_that_is_waited_for_is_due() -> None:
    for rate in (0.3, 1.0, 7.0, 333.0, 12345.678):
        pace = Pace("rows", rate, 0, 0.0, no_times)
        now = 0.0
        for position in range(200):
            now += pace.wait(position, now)
            assert pace.due(position, now) >= position + 1


def test_event_time_has_gaps_and_steps_back() -> None:
    times = np.array([0, 0, 10, 5, 100, 100, 101]) * SECOND

    def read(start: int, stop: int) -> np.ndarray:
        return times[start:stop]

    pace = Pace("time", 10.0, 0, 0.0, read)
    assert pace.due(0, 0.0) == 2  # both rows of the first moment
    assert pace.wait(2, 0.0) == 1.0
    # A row that is earlier than the one before it comes with it.
    assert pace.due(2, 1.0) == 4
    assert pace.due(4, 9.9) == 4
    assert pace.due(4, 10.0) == 6
    assert pace.due(7, 20.0) == 7
    assert pace.wait(7, 20.0) == 0.0


def test_as_fast_as_possible_never_waits() -> None:
    pace = Pace("max", 1.0, 5, 0.0, no_times)
    assert pace.due(5, 0.0) > 10**9
    assert pace.wait(5, 0.0) == 0.0
    assert not pace.behind(5, 1e6)


@given(st.integers(1, 10**6), st.floats(0, 100), st.floats(0.001, 1), st.integers(1, 10**6))
def test_pieces_keep_within_their_bounds(
    rows: int, seconds: float, wanted: float, most: int
) -> None:
    found = paced(rows, seconds, wanted, most)
    assert 1 <= found <= most
    assert found <= 2 * rows
