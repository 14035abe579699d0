"""The hindsight optimum against real replays of the same learner on the same grid."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.errors import ExperimentError
from modellab.experiment import (
    DataSpec,
    DriftSpec,
    EvaluationSpec,
    Experiment,
    HindsightPolicy,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    PriceSpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
    TriggeredPolicy,
    replace,
)
from modellab.experiment_faults import DriftFault, LabelNoise
from modellab.replay.context import build_context
from modellab.replay.replay import Replay
from modellab.replay.run import open_data
from modellab.verdict.hindsight import (
    at_prices,
    chosen_learner,
    find_hindsight,
    grid_positions,
    hindsight_lane,
    tried_keeps,
    with_hindsight_lane,
)
from modellab.verdict.schedule import schedule_cost
from modellab.verdict.values import Hindsight

TRAIN, ROWS, GRID = 300, 2800, 4  # segments of 500 rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hindsight")
    rng = np.random.default_rng(1)
    x = rng.standard_normal((ROWS, 3))
    score = x @ [1.0, -0.5, 0.2] + 0.6 * rng.standard_normal(ROWS)
    label = np.where(score > 0, "yes", "no")
    columns = {f"x{k}": x[:, k] for k in range(3)}
    pq.write_table(pa.table({**columns, "y": label}), folder / "classes.parquet")
    pq.write_table(pa.table({**columns, "y": 10 * score}), folder / "numbers.parquet")
    return folder


def _experiment(data: Path, kind: str, **more: object) -> Experiment:
    return Experiment(
        data=DataSpec(path=f"{kind}.parquet", target="y"),
        baselines=False,
        split=SplitSpec(train=more.pop("train", TRAIN)),
        evaluation=EvaluationSpec(
            label_delay=more.pop("delay", 0), memory_set=MemorySet(rows=0)
        ),
        drift=DriftSpec(detector="none", features=False),
        fault=[DriftFault(start=1200), LabelNoise(start=500, stop=1500, rate=0.2)],
        prices=more.pop("prices", PriceSpec(error=1.0, retrain=12.0)),
        lane=more.pop("lane"),
    )  # fmt: skip


def _learner(kind: str) -> LearnerSpec:
    return LearnerSpec("logistic_regression" if kind == "classes" else "ridge")


def _found(experiment: Experiment, data: Path, learner: LearnerSpec, keep: int | str) -> Hindsight:
    context = build_context(experiment, open_data(experiment, data))
    return find_hindsight(context, learner, grid=GRID, keep=keep, prices=experiment.prices)


@pytest.mark.parametrize(
    ("kind", "keep", "delay", "train"),
    [("classes", "all", 0, TRAIN), ("numbers", 600, 150, TRAIN), ("classes", 600, 0, 0)],
)
def test_replays_of_all_schedules_cost_what_was_reckoned_and_none_less(
    data: Path, kind: str, keep: int | str, delay: int, train: int
) -> None:
    learner = _learner(kind)
    grid = grid_positions(train, ROWS, GRID)
    schedules = [
        list(models)
        for count in range(GRID + 1)
        for models in itertools.combinations(range(1, GRID + 1), count)
    ]
    lanes = [
        LaneSpec(
            f"{models}",
            HindsightPolicy(grid=GRID, keep=keep, at=[grid[k - 1] for k in models], searched=True),
            learner,
        )
        for models in schedules
    ]
    if train and keep == "all" and not delay:
        lanes.append(LaneSpec("On a schedule", ScheduledPolicy(every=500, test_rows=0), learner))
    experiment = _experiment(data, kind, delay=delay, train=train, lane=lanes)
    found = _found(experiment, data, learner, keep)
    assert found.grid == grid

    replay = Replay(experiment, open_data(experiment, data), checkpoints=False)
    try:
        replay.prepare()
        replay.advance(replay.stop)
        costs = {one.name: one.losses.total + 12.0 * one.counters["retrains"]
                 for one in replay.evidence()}  # fmt: skip
    finally:
        replay.close()
    losses = np.array(found.losses)
    for models in schedules:
        reckoned = schedule_cost(losses, np.full(GRID + 1, 12.0), models)
        if not train:  # the lane gives no answer before its first model; reckoned is the baseline's
            unanswered = losses[0, : models[0]] if models else losses[0]
            costs[f"{models}"] += unanswered.sum()
        assert costs[f"{models}"] == pytest.approx(reckoned)
    assert found.total == pytest.approx(min(costs.values()))
    for point in found.points:
        of_as_many = [costs[f"{m}"] for m in schedules if len(m) == point.retrains]
        assert point.total == pytest.approx(min(of_as_many))
        assert len(point.at) == point.retrains
    if "On a schedule" in costs:
        assert costs["On a schedule"] == pytest.approx(costs["[1, 2, 3, 4]"])
    assert found.at  # the drift is worth a retrain
    # After a cold start nothing can answer the first row, the baseline either.
    assert found.rows == ROWS - max(train, 1)


def test_what_is_kept_may_differ_from_retrain_to_retrain(data: Path) -> None:
    """All schedules times all that each of their retrains may keep: none costs less."""
    learner = _learner("classes")
    keeps: list[int | str] = ["all", 300]
    lanes = [
        LaneSpec("All", ScheduledPolicy(every=500, test_rows=0), learner),
        LaneSpec("Few", ScheduledPolicy(every=500, test_rows=0, keep=300), learner),
        LaneSpec("Another", ScheduledPolicy(every=500, keep=50), LearnerSpec("naive_bayes")),
    ]
    grid = grid_positions(TRAIN, ROWS, GRID)
    plans = [
        tuple(zip(at, chosen, strict=True))
        for count in range(3)
        for at in itertools.combinations(grid, count)
        for chosen in itertools.product(keeps, repeat=count)
    ]
    tried = [
        LaneSpec(
            f"{plan}",
            HindsightPolicy(
                grid=GRID, at=[p for p, _ in plan], keeps=[k for _, k in plan], searched=True
            ),
            learner,
        )
        for plan in plans
    ]
    experiment = _experiment(data, "classes", lane=[*lanes, *tried])
    found = _found(experiment, data, learner, "any")
    assert found.tried == keeps
    assert found.left_out == []
    assert len(found.keeps) == len(found.at)
    best = hindsight_lane(experiment, learner, found, "any")
    replay = Replay(
        replace(experiment, lane=[*experiment.lane, best]),
        open_data(experiment, data),
        checkpoints=False,
    )
    try:
        replay.prepare()
        replay.advance(replay.stop)
        costs = {one.name: one.losses.total + 12.0 * one.counters["retrains"]
                 for one in replay.evidence()}  # fmt: skip
    finally:
        replay.close()
    assert costs[best.name] == pytest.approx(found.total)
    others = [cost for name, cost in costs.items() if name not in (best.name, "Another")]
    assert found.total <= min(others) + 1e-9
    alone = [_found(experiment, data, learner, keep) for keep in keeps]
    assert found.total <= min(one.total for one in alone) + 1e-9
    for point in found.points[:3]:  # brute force over dates and what is kept
        as_many = [costs[f"{plan}"] for plan in plans if len(plan) == point.retrains]
        assert point.total == pytest.approx(min(as_many))
    assert [one.total for one in alone] != [found.total] * len(keeps)


def test_what_is_tried_is_bounded() -> None:
    ridge = LearnerSpec("ridge")
    lanes = [
        LaneSpec(f"{keep}", ScheduledPolicy(keep=keep), ridge)
        for keep in ("all", 900, 100, 500, 700, 300, 800)
    ]
    lanes.append(LaneSpec("Alarm", TriggeredPolicy(keep="alarm"), LearnerSpec("lasso")))
    experiment = Experiment(data=DataSpec(path="x", target="y"), lane=lanes)
    assert tried_keeps(experiment, ridge, 40) == (["all", 100, 300, 500, 700, 800], [900])
    assert tried_keeps(experiment, LearnerSpec("lasso"), 40) == (["all", 40, 160], [])
    assert tried_keeps(experiment, LearnerSpec("knn"), 40) == (["all"], [])
    assert tried_keeps(experiment, ridge, 40, 700) == ([700], [])


def test_other_prices_need_no_other_fits(data: Path) -> None:
    learner = _learner("classes")
    experiment = _experiment(data, "classes", lane=[LaneSpec("S", StaticPolicy(), learner)])
    found = _found(experiment, data, learner, "all")
    never = at_prices(found, PriceSpec(error=1.0, retrain=1e6))
    assert never.at == []
    often = at_prices(found, PriceSpec(error=1.0))
    assert len(often.at) >= len(found.at)
    assert often.total == pytest.approx(
        min(point.error for point in often.points) * found.rows
    )  # fmt: skip
    compute = at_prices(found, PriceSpec(error=1.0, cpu_hour=3600.0))
    assert compute.points[0].upkeep == pytest.approx(found.fit_cpu[0] + found.predict_cpu)
    nothing = at_prices(found, PriceSpec(error=0.0))
    assert nothing.total == 0
    assert nothing.at == often.at  # without a price, errors alone decide
    assert at_prices(often, experiment.prices) == found


def test_progress_is_told_and_a_model_at_a_time_is_kept(data: Path) -> None:
    learner = _learner("numbers")
    experiment = _experiment(data, "numbers", lane=[LaneSpec("S", StaticPolicy(), learner)])
    context = build_context(experiment, open_data(experiment, data))
    told: list[tuple[float, float, str]] = []
    find_hindsight(
        context, learner, grid=3, prices=PriceSpec(),
        progress=lambda done, total, text="": told.append((done, total, text)),
    )  # fmt: skip
    done = [one[0] for one in told]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 4)
    assert "as of row" in told[0][2]
    with pytest.raises(ExperimentError, match="at least one position"):
        find_hindsight(context, learner, grid=0, prices=PriceSpec())


def test_the_lane_takes_a_free_name_and_the_learner_that_retrains() -> None:
    tree, ridge = LearnerSpec("tree"), LearnerSpec("ridge")
    lanes = [
        LaneSpec("Hindsight", OnlinePolicy(), LearnerSpec("linear")),
        LaneSpec("Static", StaticPolicy(), tree),
        LaneSpec("Weekly", ScheduledPolicy(), ridge),
    ]
    experiment = Experiment(data=DataSpec(path="x", target="y"), lane=lanes)
    assert chosen_learner(experiment) == ridge
    assert chosen_learner(Experiment(data=experiment.data, lane=lanes[:2])) == tree
    with pytest.raises(ExperimentError, match="no lane"):
        chosen_learner(Experiment(data=experiment.data))
    added = with_hindsight_lane(experiment, 7)
    assert added.lane[:3] == lanes
    assert added.lane[3] == LaneSpec("Hindsight 2", HindsightPolicy(grid=7), ridge)
    assert with_hindsight_lane(added, 9).lane[3].policy.grid == 9
    assert len(with_hindsight_lane(added, 9).lane) == 4
    found = Hindsight(learner="ridge", grid=[5, 9], at=[9], total=1.0, stop=20)
    lane = hindsight_lane(experiment, ridge, found, 100)
    assert lane.name == "Hindsight 2"
    assert lane.policy == HindsightPolicy(grid=2, keep=100, at=[9], searched=True)


def test_positions_cut_the_stream_evenly() -> None:
    assert grid_positions(100, 600, 4) == [200, 300, 400, 500]
    assert grid_positions(0, 3, 12) == [1, 2]
    assert grid_positions(10, 11, 5) == []
