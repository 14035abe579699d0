"""What is noted beside a lane's scores: staleness, downtime, alarms, single losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.evaluation.detectors import make_detector
from modellab.experiment import (
    DriftSpec,
    EvaluationSpec,
    Experiment,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    PriceSpec,
    ReplaySpec,
    ScheduledPolicy,
    StaticPolicy,
    replace,
)
from modellab.experiment_faults import LabelNoise
from modellab.replay.replay import Replay

BAYES = LearnerSpec("naive_bayes")
ONLINE = LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear"))


@pytest.fixture(scope="module")
def store(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset(experiment.data.paths, cache=tmp_path_factory.mktemp("cache"))


def done(experiment: Experiment, store: Store, **changes: Any) -> tuple[Replay, dict[str, Any]]:
    """A replay of 1,300 rows that was played to its end, and all answers by lane."""
    wanted = replace(experiment, replay=ReplaySpec(limit=1300), **changes)
    replay = Replay(wanted, store, checkpoints=False)
    replay.prepare()
    answers: dict[str, list[Any]] = {}

    def collect(pieces: dict[str, Any]) -> None:
        for name, parts in pieces.items():
            answers.setdefault(name, []).extend(p.value for _, _, p in parts)

    replay.advance(replay.stop, collect)
    return replay, {name: np.concatenate(parts) for name, parts in answers.items()}


@pytest.mark.parametrize("delay", [0, 30])
def test_staleness_is_how_old_the_newest_learned_row_is(
    experiment: Experiment, store: Store, delay: int
) -> None:
    retrained = ScheduledPolicy(every=500, test_rows=0, delay=100)
    lanes = [LaneSpec("Static", StaticPolicy(), BAYES), ONLINE, LaneSpec("R", retrained, BAYES)]
    late = EvaluationSpec(label_delay=delay, memory_set=MemorySet(rows=0))
    replay, _ = done(experiment, store, lane=lanes, evaluation=late)
    told = replay.lanes()
    rows = np.arange(1300)
    assert told["Static"].staleness == rows.mean()
    assert told["Online"].staleness == np.minimum(rows, delay).mean()
    trained = np.select([rows >= 1100, rows >= 600], [1000 - delay, 500 - delay], 0)
    assert told["R"].staleness == pytest.approx((rows - trained).mean())
    assert told["Majority class"].staleness is None
    assert told["Static"].rows_stored == 0
    assert told["R"].rows_stored == 3300


def test_downtime_is_told_in_event_time_and_costs(experiment: Experiment, store: Store) -> None:
    policy = ScheduledPolicy(every=600, test_rows=0, delay=50, downtime=True)
    replay, _ = done(
        experiment,
        store,
        lane=[LaneSpec("R", policy, BAYES)],
        prices=PriceSpec(error=0.0, downtime_hour=7.0),
    )
    lane = replay.lanes()["R"]
    times = replay.context.stream.times(0, replay.context.n_rows)
    assert times is not None
    spans = [times[at + 50] - times[at] for at in (2600, 3200)]
    assert lane.counters["downtime_rows"] == 100
    assert lane.counters["downtime_seconds"] == sum(int(s) for s in spans) / 1e9
    assert lane.cost["total"] == pytest.approx(7.0 * lane.counters["downtime_seconds"] / 3600)


@pytest.mark.parametrize("delay", [0, 45])
def test_alarms_come_when_the_label_did(experiment: Experiment, store: Store, delay: int) -> None:
    """The detector sees errors by labels as they arrive, and no sooner."""
    replay, answers = done(
        experiment,
        store,
        lane=[ONLINE],
        evaluation=EvaluationSpec(label_delay=delay, memory_set=MemorySet(rows=0)),
        drift=DriftSpec(detector="ddm", features=False),
        fault=[LabelNoise(start=2500, stop=2700, rate=1.0)],
    )
    stream = replay.context.stream
    seen = stream.seen(2000, 3300 - delay)
    wrong = (answers["Online"][: len(seen)] != seen).astype(float)
    wrong[seen < 0] = np.nan
    detector = make_detector("ddm", {})
    expected, at = [], 0
    while at < len(wrong):
        alarm = detector.update(wrong[at:])
        if alarm < 0:
            break
        at += alarm + 1
        expected.append(2000 + at + delay)
    evidence = {found.name: found for found in replay.evidence()}
    assert expected
    assert any(2500 < at < 2700 + delay + 50 for at in expected)
    assert evidence["Online"].alarms == expected
    assert replay.lanes()["Online"].counters["alarms"] == len(expected)
    told = [e for name, e in replay.events() if (name, e.kind) == ("Online", "drift")]
    assert {e.text for e in told} == {"DDM: the error has risen"}  # it sees nothing else
    assert all(e.values["risen"] for e in told)
    events = [e.position for e in told]
    assert events == expected
    assert evidence["Majority class"].alarms == []


def test_losses_are_against_what_is_true(experiment: Experiment, store: Store) -> None:
    noise = [LabelNoise(start=2000, rate=1.0)]
    replay, answers = done(experiment, store, lane=[ONLINE], fault=noise)
    truth = replay.context.stream.labels(2000, 3300)
    evidence = {found.name: found for found in replay.evidence()}
    losses = evidence["Online"].losses
    there = truth >= 0
    wrong = (answers["Online"] != truth).astype(float)
    assert losses.rows == there.sum()
    assert losses.sums.sum() == wrong[there].sum()
    np.testing.assert_array_equal(losses.sample_positions, np.arange(2000, 3300))
    np.testing.assert_array_equal(losses.sample_losses[there], wrong[there])
    assert replay.lanes()["Online"].cumulative == pytest.approx(wrong[there].mean())
