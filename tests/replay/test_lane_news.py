"""A lane's state as the message that the window reads."""

from __future__ import annotations

import msgspec

from modellab.experiment import LaneSpec, LearnerSpec, OnlinePolicy
from modellab.policies.base import Counters
from modellab.replay.lane_state import LaneState
from modellab.replay.protocol import LaneNews
from modellab.replay.telemetry import lane_news


def test_a_setting_that_is_not_set_is_not_told() -> None:
    state = LaneState(
        spec=LaneSpec("Tree", OnlinePolicy(), LearnerSpec("hoeffding_adaptive_tree")),
        baseline=False,
        position=5,
        status="",
        error=None,
        cumulative=None,
        settings={"max_depth": None, "every": 1},  # type: ignore[dict-item]
        counters=vars(Counters()),
        model_bytes=1,
        cost={"total": 0.0},
        forgetting=None,
        rates=None,
    )
    body = msgspec.msgpack.encode(lane_news("Tree", state, {}))
    assert msgspec.msgpack.decode(body, type=LaneNews).settings == {"every": 1}
