"""Lanes are spread over processes by weight, equal learners together."""

from __future__ import annotations

import pytest

from modellab.errors import Cancelled
from modellab.experiment import LaneSpec, LearnerSpec, OnlinePolicy, StaticPolicy
from modellab.replay.placing import SharedProgress, place

LANES = [
    LaneSpec("Static", StaticPolicy(), LearnerSpec("logistic_regression")),
    LaneSpec("Again", StaticPolicy(), LearnerSpec("logistic_regression")),
    LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear")),
    LaneSpec("Tree", OnlinePolicy(), LearnerSpec("hoeffding_tree")),
    LaneSpec("No change", OnlinePolicy(), LearnerSpec("no_change")),
]


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_everyone_has_a_place(workers: int) -> None:
    home = place(LANES, workers)
    assert list(home) == [lane.name for lane in LANES]
    assert home["Static"] == home["Again"]
    assert home["Online"] == home["No change"] == 0
    used = set(home.values())
    assert used == set(range(len(used)))
    assert len(used) <= workers


def test_the_heaviest_leaves_first() -> None:
    assert set(place(LANES, 1).values()) == {0}
    two = place(LANES, 2)
    assert two["Tree"] == 1
    assert two["Static"] == 0
    three = place(LANES, 3)
    assert three["Tree"] != three["Static"]
    assert 0 not in (three["Tree"], three["Static"])


def test_progress_of_all_lanes_is_one() -> None:
    told: list[tuple[float, float]] = []
    shared = SharedProgress(lambda done, total, text="": told.append((done, total)), ["a", "b"])
    a, b = shared.lane("a"), shared.lane("b")
    a(1, 2)
    b(0, 0, "no idea how far")
    b(4, 4)
    a(2, 2)
    assert told == [(0.5, 2), (0.5, 2), (1.5, 2), (2.0, 2)]


def test_giving_up_reaches_every_lane() -> None:
    def give_up(done: float, total: float, text: str = "") -> None:
        raise Cancelled

    shared = SharedProgress(give_up, ["a", "b"])
    with pytest.raises(Cancelled):
        shared.lane("a")(1, 2)
    with pytest.raises(Cancelled):
        shared.lane("b")(0, 2)
