"""Steps of many blocks, threads and foresight change no number."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.experiment import (
    DataSpec,
    EvaluationSpec,
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
    replace,
)
from modellab.experiment_policies import HindsightPolicy
from modellab.policies.base import Policy, block_end
from modellab.replay import lane as lane_module
from modellab.replay.context import Context
from modellab.replay.hosts import LaneHost
from modellab.replay.replay import Replay
from modellab.replay.strides import STRIDE, step_end

ROWS, TRAIN = 12_000, 900


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbers and two targets; from row 5,000 to 7,100 some labels are missing."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS, 4))
    score = x @ [1.0, -2.0, 0.5, 0.0] + rng.normal(size=ROWS)
    names = np.where(score > 0, "yes", "no").astype(object)
    gone = np.arange(5000, 7100)[rng.random(2100) < 0.2]
    names[[*gone, 7167]] = None  # 7,167 is the last row of its block
    x[rng.integers(0, ROWS, 50), 1] = np.nan
    number = score.copy()
    number[gone] = np.nan
    table = pa.table(
        {f"x{j}": pa.array(x[:, j], from_pandas=True) for j in range(4)}
        | {"name": pa.array(names), "number": pa.array(number, from_pandas=True)}
    )
    found = tmp_path_factory.mktemp("strides") / "rows.parquet"
    pq.write_table(table, found)
    return found


@pytest.fixture(scope="module")
def store(path: Path) -> Store:
    return import_dataset([path])


def made(path: Path, target: str = "name", delay: int | str = 0) -> Experiment:
    other = "number" if target == "name" else "name"
    linear = LearnerSpec("linear", None, {"loss": "log" if target == "name" else "huber"})
    tree = "compiled_hoeffding_tree" if target == "name" else "compiled_regression_tree"
    return Experiment(
        data=DataSpec(path=str(path), target=target, ignore=[other]),
        split=SplitSpec(train=TRAIN),
        evaluation=EvaluationSpec(window=300, label_delay=delay, memory_set=MemorySet(100, 700)),
        lane=[
            LaneSpec("Online", OnlinePolicy(), linear),
            LaneSpec("Static", StaticPolicy(), linear),
            LaneSpec("Tree", OnlinePolicy(), LearnerSpec(tree)),
            LaneSpec("Groups", OnlinePolicy(every=5, batch=2), linear),
            LaneSpec("Retrained", ScheduledPolicy(every=3000, keep=2000, delay=700), linear),
            LaneSpec("Weekly", ScheduledPolicy(every=3072, keep="all"), linear),
            LaneSpec("Alarmed", ScheduledPolicy(every=2500, keep="alarm"), linear),
            LaneSpec("Best", HindsightPolicy(at=[4096, 9001], keeps=[500, "all"]), linear),
        ],
        intervention=[
            Intervention(3333, "Online", {"learning_rate": 0.3}),
            Intervention(4000, "Tree", {"frozen": True}),
            Intervention(4500, "Tree", {"frozen": False}),
        ],
    )


def played(experiment: Experiment, store: Store, chunk: int, **how: Any) -> dict[str, Any]:
    """What every lane is at the end, but for clocks and for how often it was called."""
    foresee = how.pop("foresee", False)
    replay = Replay(experiment, store, checkpoints=False, **how)
    replay.prepare()
    if foresee:
        replay.foresee()
    while not replay.finished:
        replay.advance(replay.position + chunk)
    host = replay.hosts[0]
    assert isinstance(host, LaneHost)
    found: dict[str, Any] = {}
    for name, runner in host.lanes.items():
        blobs = runner.state()
        rest = pickle.loads(blobs["rest"])
        for policy in (rest["policy"], rest["policy"].get("inner", {})):
            policy.update(version=0, cache=None)
            counters = policy.get("counters", {}).items()
            policy["counters"] = {key: value for key, value in counters if "cpu" not in key}
        found[name] = blobs["learner"], rest
    replay.close()
    return found


def same(one: Any, other: Any) -> bool:
    """Equal to the bit, whatever lies inside."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(
            one, other, equal_nan=one.dtype.kind == "f"
        )
    if isinstance(one, float):
        return bool(one == other or (one != one and other != other))
    return bool(one == other)


@pytest.mark.parametrize(
    ("target", "delay"),
    [("name", 0), ("name", 40), ("number", 0)],
    ids=["classes", "late", "numbers"],
)
def test_long_steps_give_what_steps_of_a_block_give(
    path: Path, store: Store, target: str, delay: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = made(path, target, delay)
    steps: list[int] = []

    def noted(policy: Policy, context: Context, position: int, stop: int) -> int:
        end = step_end(policy, context, position, stop)
        steps.append(end - position)
        return end

    monkeypatch.setattr(lane_module, "step_end", noted)
    long = played(experiment, store, ROWS)
    assert max(steps) > 4 * 1024  # else this shows nothing
    cut = played(experiment, store, 1777, threads=2)
    monkeypatch.setattr(lane_module, "step_end", lambda policy, context, at, stop: block_end(at))
    short = played(experiment, store, ROWS)
    for name, (learner, rest) in short.items():
        for others in (long, cut):
            assert others[name][0] == learner, name
            for part, value in rest.items():
                assert same(others[name][1][part], value), (name, part)


def test_what_is_foreseen_is_what_is_left_at_the_end(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = made(path)
    small = lane_module.ParameterHistory

    def history(**given: Any) -> Any:
        return small(**{**given, "capacity": 7})

    monkeypatch.setattr(lane_module, "ParameterHistory", history)
    seen, foreseen = (played(experiment, store, 5000, foresee=flag) for flag in (False, True))
    for name, (learner, rest) in seen.items():
        assert foreseen[name][0] == learner
        for part, value in rest.items():
            assert same(foreseen[name][1][part], value), (name, part)
    assert len(seen["Online"][1]["parameters"]["positions"]) > 3


def test_threads_give_the_same_and_tell_what_went_wrong(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = replace(made(path), intervention=[])
    alone = played(experiment, store, STRIDE)
    beside = played(experiment, store, STRIDE, threads=3)
    assert list(alone) == list(beside)
    assert all(same(alone[name], beside[name]) for name in alone)

    def broken(*args: object) -> None:
        raise ValueError("this lane is broken")

    monkeypatch.setattr(lane_module.LaneRunner, "_evaluate", broken)
    with pytest.raises(ValueError, match="this lane is broken"):
        played(experiment, store, STRIDE, threads=3)
