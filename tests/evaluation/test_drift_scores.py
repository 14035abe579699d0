"""Alarms against known drifts, by hand."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from modellab.evaluation.drift_scores import AlarmScore, score_alarms
from modellab.verdict.values import DriftScore


def test_found_missed_and_false() -> None:
    score = score_alarms(
        alarms=[50, 1100, 1150, 1600, 3400],
        known=[1000, 2000, 3000],
        start=0,
        stop=5000,
        tolerance=500,
    )
    assert score == AlarmScore(
        known=3,
        detected=2,  # 1000 by 1100, 3000 by 3400
        missed=1,
        alarms=5,
        false_alarms=2,  # 50 and 1600; 1150 is of the same episode as 1100
        recall=2 / 3,
        delay=250.0,
        false_per_1000=0.4,
    )


def test_the_ends_of_an_episode() -> None:
    def found(alarm: int) -> int:
        return score_alarms([alarm], [100], 0, 1000, 50).detected

    assert [found(99), found(100), found(150), found(151)] == [0, 1, 1, 0]


def test_an_episode_ends_where_the_next_drift_begins() -> None:
    score = score_alarms([250], [100, 200], 0, 1000, 500)
    assert (score.detected, score.missed, score.delay) == (1, 1, 50.0)
    assert score_alarms([199, 200], [100, 200], 0, 1000, 500).delay == 49.5


def test_a_running_episode_is_not_missed_yet() -> None:
    running = score_alarms([], [900], 0, 1000, 500)
    assert (running.known, running.detected, running.missed, running.recall) == (1, 0, 0, None)
    assert score_alarms([], [900], 0, 1400, 500).missed == 0
    over = score_alarms([], [900], 0, 1401, 500)
    assert (over.missed, over.recall) == (1, 0.0)


def test_only_the_rows_looked_at_count() -> None:
    score = score_alarms([10, 150, 900], [20, 100, 950], 100, 900, 100)
    assert (score.known, score.alarms, score.detected, score.false_alarms) == (1, 1, 1, 0)
    nothing = score_alarms([], [], 500, 500, 10)
    assert nothing == AlarmScore(0, 0, 0, 0, 0, None, None, 0.0)


def test_order_and_repetition_do_not_matter() -> None:
    a = score_alarms([7, 300, 7, 120], [250, 100, 100], 0, 400, 60)
    assert a == score_alarms([300, 120, 7], [100, 250], 0, 400, 60)
    assert a.alarms == 3


def test_it_fits_into_a_verdict() -> None:
    score = score_alarms([5], [1], 0, 10, 6)
    fields = {name: getattr(score, name) for name in DriftScore.__struct_fields__}
    assert set(fields) == set(AlarmScore.__dataclass_fields__)
    assert msgspec.convert(fields, DriftScore).delay == 4.0


@given(st.lists(st.integers(0, 400)), st.lists(st.integers(0, 400)), st.integers(1, 100))
def test_everything_is_counted_once(alarms: list[int], known: list[int], tolerance: int) -> None:
    score = score_alarms(alarms, known, 50, 350, tolerance)
    assert score.known == len({d for d in known if 50 <= d < 350})
    assert score.alarms == len({a for a in alarms if 50 <= a < 350})
    assert score.detected + score.missed <= score.known
    assert 0 <= score.false_alarms <= score.alarms
    # False alarms by the definition itself: no drift at most `tolerance` rows before.
    drifts = [d for d in known if 50 <= d < 350]
    false = [
        a for a in set(alarms) if 50 <= a < 350 and not any(0 <= a - d <= tolerance for d in drifts)
    ]
    assert score.false_alarms == len(false)
