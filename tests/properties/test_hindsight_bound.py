"""No schedule of retrains on the grid of the hindsight optimum, and no static lane, costs less."""

from __future__ import annotations

from itertools import chain, combinations
from pathlib import Path

import pytest
from every_policy import TRAIN, experiment, make_csv

from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.experiment import (
    EvaluationSpec,
    Experiment,
    HindsightPolicy,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    PriceSpec,
    ReplaySpec,
    ScheduledPolicy,
    StaticPolicy,
    replace,
)
from modellab.experiment_faults import LabelNoise, Outage
from modellab.replay.replay import Replay
from modellab.verdict.hindsight import find_hindsight

GRID = [TRAIN + 300 * k for k in (1, 2, 3)]
TREE = LearnerSpec("decision_tree", params={"max_depth": 4})


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_csv(tmp_path_factory.mktemp("stream") / "stream.csv")


@pytest.fixture(scope="module")
def store(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset([str(csv)], cache=tmp_path_factory.mktemp("cache"))


def tried(csv: Path, keep: int | str, prices: PriceSpec, *, faulty: bool) -> Experiment:
    """Every schedule on the grid, those that a schedule or standing still comes to, the best."""
    schedules = chain.from_iterable(combinations(GRID, n) for n in range(4))
    lanes = [
        LaneSpec(
            f"at {list(at)}", HindsightPolicy(grid=3, keep=keep, at=list(at), searched=True), TREE
        )
        for at in schedules
    ]
    lanes += [
        LaneSpec("Static", StaticPolicy(), TREE),
        LaneSpec("Every 300", ScheduledPolicy(every=300, test_rows=0, keep=keep), TREE),
        LaneSpec("Every 600", ScheduledPolicy(every=600, test_rows=0, keep=keep), TREE),
        LaneSpec("Best", HindsightPolicy(grid=3, keep=keep), TREE),
    ]
    faults = [LabelNoise(start=950, stop=1010, rate=0.8), Outage(start=1290, stop=1310)]
    return experiment(
        csv,
        lane=lanes,
        intervention=[],
        fault=faults if faulty else [],
        prices=prices,
        replay=ReplaySpec(limit=1200),
        evaluation=EvaluationSpec(label_delay=3, memory_set=MemorySet(rows=0)),
    )


@pytest.mark.parametrize(
    ("keep", "retrain", "faulty"), [("all", 4.0, True), (400, 15.0, False), (250, 0.0, True)]
)
def test_nothing_on_the_grid_beats_it(
    csv: Path, store: Store, keep: int | str, retrain: float, faulty: bool
) -> None:
    prices = PriceSpec(error=1.0, retrain=retrain)
    wanted = tried(csv, keep, prices, faulty=faulty)
    replay = Replay(wanted, store, checkpoints=False, find=find_hindsight)
    replay.prepare()
    replay.advance(replay.stop)
    lanes = {n: lane for n, lane in replay.lanes().items() if not lane.baseline}
    totals = {name: lane.cost["total"] for name, lane in lanes.items()}
    assert min(totals.values()) == totals["Best"]
    found = find_hindsight(replay.context, TREE, grid=3, keep=keep, prices=prices)
    assert found.grid == GRID
    assert found.total == pytest.approx(totals["Best"])
    assert totals["Every 300"] == totals[f"at {GRID}"]
    assert totals["Every 600"] == totals[f"at {GRID[1:2]}"]
    assert totals["Static"] == totals["at []"]
    for name, lane in lanes.items():
        assert lane.regret == pytest.approx(totals[name] - totals["Best"])
    assert len(set(totals.values())) >= 4


def test_nothing_on_the_grid_beats_it_whatever_it_keeps(csv: Path, store: Store) -> None:
    """Lanes that keep unlike numbers of rows: the optimum tries them all, and none costs less."""
    prices = PriceSpec(error=1.0, retrain=3.0)
    wanted = tried(csv, "any", prices, faulty=True)
    lanes: list[LaneSpec] = [
        lane
        for lane in wanted.lane
        if not isinstance(lane.policy, HindsightPolicy) or not lane.policy.searched
    ]
    for keep in (120, 300, 700, "all"):
        for every in (300, 600):
            policy = ScheduledPolicy(every=every, test_rows=0, keep=keep)
            lanes.append(LaneSpec(f"{keep} every {every}", policy, TREE))
    lanes = [lane for lane in lanes if not lane.name.startswith("Every")]
    replay = Replay(replace(wanted, lane=lanes), store, checkpoints=False, find=find_hindsight)
    replay.prepare()
    replay.advance(replay.stop)
    states = {n: lane for n, lane in replay.lanes().items() if not lane.baseline}
    totals = {name: state.cost["total"] for name, state in states.items()}
    assert min(totals.values()) == totals["Best"]
    assert all(state.regret is not None and state.regret >= 0 for state in states.values())
    policy = states["Best"].spec.policy
    assert isinstance(policy, HindsightPolicy)
    assert len(policy.keeps) == len(policy.at) >= 1
    # It is a better yardstick than what keeps everything.
    only = find_hindsight(replay.context, TREE, grid=3, keep="all", prices=prices)
    assert totals["Best"] < only.total
