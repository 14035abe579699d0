"""Guarded policies on streams where it is known which rows are bad."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from modellab.data.importer import import_dataset
from modellab.experiment import (
    ChampionPolicy,
    Condition,
    DataSpec,
    EvaluationSpec,
    Experiment,
    Fault,
    GuardSpec,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    OutOfCorePolicy,
    Policy,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
    TriggeredPolicy,
)
from modellab.experiment_faults import DriftFault, FeatureNoise, LabelNoise, Outage, UnitError
from modellab.learners import linear
from modellab.learners.base import Inputs, Task
from modellab.policies.base import PolicyEvent, block_end
from modellab.policies.guard import Guarded
from modellab.policies.guard_judge import KEPT, losses_of
from modellab.policies.make import make
from modellab.replay.context import Context, build_context
from modellab.replay.surroundings import LaneSurroundings

if TYPE_CHECKING:
    from modellab.data.store import Store

N, T, LAST = 12_000, 2000, 5500
LINEAR = LearnerSpec("linear", params={"learning_rate": 0.05})
RIVER = LearnerSpec("river", class_name="linear_model.LogisticRegression")
FOREST = LearnerSpec("sklearn", class_name="tree.DecisionTreeClassifier", params={"max_depth": 4})
BURST = LabelNoise(start=6000, stop=6300, rate=0.95)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Store]]:
    """A linear boundary with some noise, and a linear target: the same features."""
    folder = tmp_path_factory.mktemp("guard")
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 4))
    score = x @ np.array([2.0, -1.0, 1.5, 0.0]) + 0.7 * rng.normal(size=N)
    found = {}
    for name, y in (("classes", (score > 0).astype(int)), ("amounts", np.round(score, 5))):
        path = folder / f"{name}.csv"
        lines = ["a,b,c,d,y"]
        lines += [
            ",".join([*(f"{v:.5f}" for v in row), str(label)])
            for row, label in zip(x, y, strict=True)
        ]
        path.write_text("\n".join(lines) + "\n")
        found[name] = (str(path), import_dataset([path], cache=folder / "cache"))
    return found


def context(
    stores: Any,
    *faults: Fault,
    delay: int = 0,
    name: str = "classes",
    train: int = T,
    limit: int = 0,
) -> Context:
    path, store = stores[name]
    return build_context(
        Experiment(
            data=DataSpec(path=path, target="y"),
            split=SplitSpec(train=train),
            evaluation=EvaluationSpec(label_delay=delay),
            replay=ReplaySpec(limit=limit),
            fault=list(faults),
        ),
        store,
    )


class Run:
    """A policy played over the stream, with extra cuts if wanted."""

    def __init__(
        self,
        context: Context,
        guard: GuardSpec | None,
        policy: Policy | None = None,
        learner: LearnerSpec = LINEAR,
        stop: int = N,
        cuts: Any = (),
        saves: Any = (),
    ) -> None:
        self.context = context
        self.spec = LaneSpec("lane", policy or OnlinePolicy(), learner, guard)
        self.policy: Any = self.made()
        self.policy.prepare()
        self.events: list[PolicyEvent] = []
        self.values = np.empty(0)
        at = context.train_rows
        for end in self._ends(at, stop, cuts):
            if at in saves:
                blob, rest = self.policy.learner.state(), pickle.dumps(self.policy.state())
                told = self.policy.events
                self.policy = self.made()
                self.policy.prepare()
                self.policy.restore(blob, pickle.loads(rest))
                self.policy.events = told
            part = self.policy.step(at, end)
            assert len(part) == end - at
            self.values = np.concatenate([self.values, part.value])
            self.events += self.policy.events
            self.policy.events = []
            at = end

    def made(self) -> Any:
        around = LaneSurroundings(self.context, self.spec.learner)
        return make(self.spec, around.build(), around)

    @staticmethod
    def _ends(at: int, stop: int, cuts: Any) -> list[int]:
        blocks = []
        while at < stop:
            at = min(block_end(at), stop)
            blocks.append(at)
        return sorted({*blocks, *(c for c in cuts if c > T and c < stop)})

    def error(self, start: int, stop: int) -> float:
        first = self.context.train_rows
        true = self.context.stream.labels(start, stop)
        values = self.values[start - first : stop - first]
        if self.context.task.kind == "classification":
            return float(np.mean(values != true))
        return float(np.mean(np.abs(values - true)))

    def of(self, kind: str) -> list[PolicyEvent]:
        return [event for event in self.events if event.kind == kind]


# ---------------------------------------------------------------- label noise


@pytest.mark.parametrize("delay", [0, 400])
def test_a_burst_of_wrong_labels_spoils_an_unguarded_lane_only(stores: Any, delay: int) -> None:
    spoilt = context(stores, BURST, delay=delay)
    usual = Run(context(stores, delay=delay), None).error(6000 + delay, 6500 + delay)
    unguarded = Run(spoilt, None)
    guarded = Run(spoilt, GuardSpec(loss=0.9, window=4000))
    first, last = 6000 + delay, 6500 + delay
    assert usual < 0.13
    assert unguarded.error(first, last) > usual + 0.15
    assert guarded.error(first, last) < usual + 0.03
    assert unguarded.error(3000, 6000) == pytest.approx(guarded.error(3000, 6000), abs=0.02)
    kept_back = {q.position for q in guarded.policy.quarantine}
    assert np.mean([row in kept_back for row in range(6000, 6300)]) > 0.7


@pytest.mark.parametrize("delay", [0, 400])
def test_a_spoilt_model_becomes_what_it_was(stores: Any, delay: int) -> None:
    spoilt = context(stores, LabelNoise(start=6000, stop=7000, rate=1.0), delay=delay)
    slow = LearnerSpec("linear", params={"learning_rate": 0.01})
    guard = GuardSpec(rollback=0.1, window=300, check_every=100)
    unguarded, guarded = Run(spoilt, None, learner=slow), Run(spoilt, guard, learner=slow)
    backs = guarded.of("rollback")
    assert 6000 + delay < backs[0].position <= 6200 + delay
    assert all(back.values["automatic"] and back.values["to"] < 6000 for back in backs)
    assert 2 <= len(backs) == guarded.policy.counters.rollbacks <= 3  # ever rarer
    after = 7000 + delay
    assert unguarded.error(after, after + 300) > 0.4
    assert guarded.error(after, after + 300) < 0.15


def test_a_drift_that_stays_ends_the_rollbacks(stores: Any) -> None:
    drifted = context(stores, DriftFault(start=5000))
    guard = GuardSpec(rollback=0.2, window=300, check_every=100)
    run = Run(drifted, guard)
    assert 1 <= len(run.of("rollback")) <= 3
    assert run.error(9000, N) < 0.13
    waits = np.diff([event.position for event in run.of("rollback")])
    assert (np.diff(waits) >= 0).all()


def test_rolling_back_keeps_settings_that_a_person_changed(stores: Any) -> None:
    spoilt = context(stores, LabelNoise(start=6000, stop=6500, rate=1.0))
    run = Run(spoilt, GuardSpec(rollback=0.1, window=500, check_every=500), stop=6000)
    run.policy.set("learning_rate", 0.031)
    for at in range(6000, 7000, 40):
        run.policy.step(at, min(at + 40, block_end(at)))
        if at + 40 > block_end(at):
            run.policy.step(block_end(at), at + 40)
    assert run.policy.counters.rollbacks == 1
    assert run.policy.learner.settings()["learning_rate"] == 0.031


def test_errors_before_a_rollback_by_hand_do_not_count(stores: Any) -> None:
    """The guard would go back at the next look; a person did so just before it."""
    spoilt = context(stores, LabelNoise(start=6000, stop=6500, rate=1.0))
    guard = GuardSpec(rollback=0.1, window=500, check_every=700)
    run = Run(spoilt, guard, stop=6100)
    good = Run(spoilt, guard, stop=6000).policy
    blob, saved = good.learner.state(), good.state()
    for by_hand in (False, True):
        policy = run.made()
        policy.prepare()
        policy.restore(run.policy.learner.state(), run.policy.state())
        for start, stop in ((6100, 6144), (6144, 6500)):
            policy.step(start, stop)
        if by_hand:
            policy.roll_back(blob, saved)
        before = policy.counters.rollbacks
        policy.step(6500, 6901)  # it looks at 2,000 + 7 times 700 rows
        assert policy.counters.rollbacks == before + (not by_hand)


def test_a_noisy_retrain_is_spared_by_leaving_rows_out(stores: Any) -> None:
    spoilt = context(stores, LabelNoise(start=3000, stop=4500, rate=1.0, only="1"))
    often = ScheduledPolicy(every=2500, keep=2500, test_rows=0)
    guard = GuardSpec(loss=0.6, window=900)
    unguarded, guarded = Run(spoilt, None, often), Run(spoilt, guard, often)
    assert unguarded.error(4500, 6500) > guarded.error(4500, 6500) + 0.02
    told = guarded.of("retrain")[0].values
    kept_back = [q.position for q in guarded.policy.quarantine if q.position < 4500]
    inside = [p for p in kept_back if told["first_row"] <= p < told["last_row"]]
    assert len(inside) > 300
    assert unguarded.of("retrain")[0].values["rows"] == told["rows"] + len(inside)


# ---------------------------------------------------------------- range


@pytest.mark.parametrize("learner", [LINEAR, RIVER], ids=["compiled", "river"])
def test_rows_out_of_range_are_not_learned(stores: Any, learner: LearnerSpec) -> None:
    spoilt = context(stores, UnitError(start=4000, stop=4030, column="b", factor=1e5))
    stop = 5200
    unguarded = Run(spoilt, None, learner=learner, stop=stop)
    guarded = Run(spoilt, GuardSpec(range=1.5), learner=learner, stop=stop)
    assert [q.position for q in guarded.policy.quarantine] == list(range(4000, 4030))
    assert guarded.policy.quarantined == {"range": 30, "loss": 0}
    assert guarded.policy.counters.quarantined == 30
    low, high = np.min, np.max
    b = spoilt.stream.numbers(0, T)[:, 1]
    middle, half = (low(b) + high(b)) / 2, (high(b) - low(b)) / 2
    one = guarded.policy.quarantine[0]
    assert (one.reason, one.column) == ("range", "b")
    assert one.value == spoilt.stream.numbers(4000, 4001)[0, 1]
    assert one.low == pytest.approx(middle - 1.5 * half)
    assert one.high == pytest.approx(middle + 1.5 * half)
    assert one.sentence.startswith("b is ")
    (event,) = guarded.of("quarantine")
    assert event.position == 4096
    assert event.values == {"rows": 30, "loss": 0, "range": 30, "total": 30}
    assert guarded.error(4030, stop) < 0.13
    if learner is LINEAR:  # river's answer to such numbers depends on its own clipping
        assert unguarded.error(4030, stop) > guarded.error(4030, stop) + 0.04


def test_a_guarded_lane_learns_what_an_unguarded_one_learns_of_the_others(stores: Any) -> None:
    rows = slice(4000, 4030)
    spoilt = context(stores, UnitError(start=4000, stop=4030, column="b", factor=1e5))
    lost = context(
        stores,
        UnitError(start=4000, stop=4030, column="b", factor=1e5),
        Outage(start=4000, stop=4030, backlog="lost"),
    )
    guarded, deaf = Run(spoilt, GuardSpec(range=1.5)), Run(lost, None)
    assert (lost.stream.seen(rows.start, rows.stop) == -1).all()
    np.testing.assert_array_equal(guarded.values, deaf.values)
    assert guarded.policy.learner.state() == deaf.policy.learner.state()


def test_rows_kept_back_in_a_last_block_that_is_cut_short_are_told(stores: Any) -> None:
    bad = UnitError(start=4000, stop=4180, column="b", factor=1e5)
    run = Run(context(stores, bad, limit=2150), GuardSpec(range=1.5), stop=4150)
    assert [(e.position, e.values["rows"]) for e in run.of("quarantine")] == [
        (4096, 96),
        (4150, 54),
    ]
    assert run.policy.counters.quarantined == 150


# ---------------------------------------------------------------- too much kept back


@pytest.mark.parametrize("delay", [0, 300])
@pytest.mark.parametrize(
    ("policy", "learner"),
    [
        (OnlinePolicy(), LINEAR),
        (OnlinePolicy(every=5), RIVER),
        (ScheduledPolicy(every=900), FOREST),
    ],
)
def test_a_guard_that_keeps_back_most_rows_says_so_once(
    stores: Any, policy: Policy, learner: LearnerSpec, delay: int
) -> None:
    drifted = [UnitError(start=a, stop=b, column="c", factor=50.0) for a, b in SPANS]
    guard = GuardSpec(range=1.5)
    run = Run(context(stores, *drifted, delay=delay), guard, policy, learner, 9000)
    out = {row for a, b in SPANS for row in range(a, b)} & {
        q.position for q in run.policy.quarantine
    }
    expected, count, rising = [], 0, False
    for row in range(T, 9000 - delay):
        count += (row in out) - (row - 1000 in out)
        if not rising and count > 500:
            expected.append(row)
        rising = count > 250 if rising else count > 500
    told = [e for e in run.of("warning") if "row" in e.values]
    assert [e.values["row"] for e in told] == expected
    assert len(expected) == 2
    for event in told:
        assert event.values["column"] == "c"
        assert "may be drift rather than bad data" in event.text
        assert event.position == min(block_end(event.values["row"] + delay), 9000)
    cuts = [2600, expected[0] - 1, expected[0], expected[0] + delay + 1, 5000, 7777]
    cut = Run(context(stores, *drifted, delay=delay), guard, policy, learner, 9000, cuts, cuts[1:4])
    assert cut.events == run.events


SPANS = [(2500, 4500), (4600, 5300), (7000, 9000)]
"""The pause of 100 rows is no recovery, that of 1,700 is."""


# ---------------------------------------------------------------- by the definition


def by_definition(
    context: Context, guard: GuardSpec, policy: OnlinePolicy, learner: LearnerSpec
) -> tuple[np.ndarray, list[int]]:
    """One row after the other: predict, judge what has arrived, learn what is left of it."""
    around = LaneSurroundings(context, learner)
    model = around.build()
    around.first_fit(model)
    answers: list[Any] = []
    losses: dict[int, float] = {}
    history: list[float] = []
    skipped, waiting, known = [], [], T
    rank = math.ceil((guard.loss or 1.0) * guard.window - 1e-9)
    numbers = context.stream.numbers(0, N)
    low, high = np.nanmin(numbers[:T], axis=0), np.nanmax(numbers[:T], axis=0)
    middle, half = (low + high) / 2, (high - low) / 2 * (guard.range or np.inf)
    for i in range(T, LAST):
        answer = model.predict(around.rows(model.view, i, i + 1))
        answers.append(answer.value[0])
        label = around.labels(i, i + 1)
        loss = losses_of(context.task, label, answer)
        assert loss is not None
        losses[i] = float(loss[0])
        upto = int(around.label_upto(i, i + 1)[0])
        for j in range(known, upto):
            if np.isnan(losses[j]):
                continue
            out = guard.loss is not None and len(history) >= guard.window
            out = out and losses[j] > sorted(history[-guard.window :])[rank - 1]
            history.append(losses[j])
            if out or (np.abs(numbers[j] - middle) > half).any():
                skipped.append(j)
                continue
            waiting.append(j)
            if len(waiting) == policy.every:
                rows = np.concatenate([around.rows(model.view, k, k + 1) for k in waiting])
                y = np.concatenate([around.labels(k, k + 1) for k in waiting])
                model.learn(rows, y, policy.batch)
                waiting = []
        known = max(known, upto)
    return np.array(answers), skipped


@pytest.mark.parametrize(
    ("delay", "policy", "name"),
    [
        (0, OnlinePolicy(), "classes"),
        (37, OnlinePolicy(), "classes"),
        (5, OnlinePolicy(every=7, batch=3), "classes"),
        (0, OnlinePolicy(every=2), "amounts"),
    ],
)
def test_it_does_what_the_definition_says(
    stores: Any, delay: int, policy: OnlinePolicy, name: str
) -> None:
    spoilt = context(
        stores,
        LabelNoise(start=3000, stop=3200, rate=0.8, scale=5.0),
        FeatureNoise(start=3500, stop=4300, rate=0.05, scale=5.0),
        Outage(start=4000, stop=4100),
        Outage(start=4700, stop=4750, backlog="lost"),
        delay=delay,
        name=name,
    )
    guard = GuardSpec(loss=0.97, range=1.2, window=500)
    learner = LearnerSpec(
        "linear",
        params={
            "learning_rate": 0.02,
            "track_rates": False,
            "loss": "log" if name == "classes" else "huber",
        },
    )
    run = Run(spoilt, guard, policy, learner, LAST)
    values, skipped = by_definition(spoilt, guard, policy, learner)
    assert [q.position for q in run.policy.quarantine] == skipped
    assert min(run.policy.quarantined.values()) > 5
    np.testing.assert_array_equal(run.values, values)


# ---------------------------------------------------------------- cuts and states

POLICIES: list[tuple[Policy, LearnerSpec]] = [
    (OnlinePolicy(), LINEAR),
    (OnlinePolicy(every=3, batch=2), LINEAR),
    (OnlinePolicy(every=5), RIVER),
    (OutOfCorePolicy(chunk_rows=1024), LINEAR),
    (ScheduledPolicy(every=700, keep=1500, test_rows=200), FOREST),
    (
        TriggeredPolicy(
            when=[Condition(drift="ddm"), Condition(rows=600)],
            learn=True,
            cooldown=300,
            test_rows=100,
            keep=900,
        ),
        LINEAR,
    ),
    (TriggeredPolicy(when=[Condition(rows=500)], cooldown=0, keep=900, test_rows=100), FOREST),
    (ChampionPolicy(challenger=FOREST, window=300, cooldown=100), LINEAR),
]


@pytest.mark.parametrize(("policy", "learner"), POLICIES)
@given(
    cuts=st.lists(st.integers(T, 3700), max_size=12),
    saves=st.lists(st.integers(T, 3700), max_size=3),
    delay=st.sampled_from([0, 150]),
)
@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_result_depends_on_how_the_stream_is_cut(
    stores: Any,
    policy: Policy,
    learner: LearnerSpec,
    cuts: list[int],
    saves: list[int],
    delay: int,
) -> None:
    bad = [
        LabelNoise(start=2500, stop=2700, rate=0.9),
        UnitError(start=3100, stop=3160, column="a", factor=20.0),
        DriftFault(start=3450),
    ]
    guard = GuardSpec(range=1.5, loss=0.95, rollback=0.05, window=200, check_every=70)
    stop = 3700
    whole = Run(context(stores, *bad, delay=delay), guard, policy, learner, stop)
    extra = [*range(2600, 2612), *cuts, *saves]
    cut = Run(context(stores, *bad, delay=delay), guard, policy, learner, stop, extra, saves)
    np.testing.assert_array_equal(cut.values, whole.values)
    assert cut.events == whole.events
    assert cut.policy.quarantine == whole.policy.quarantine
    assert cut.policy.quarantined == whole.policy.quarantined
    exact = ("updates", "retrains", "redeploys", "rollbacks", "quarantined")
    for name in exact:
        assert getattr(cut.policy.counters, name) == getattr(whole.policy.counters, name)
    if learner is LINEAR and not isinstance(policy, ChampionPolicy):  # pickles of trees may differ
        assert cut.policy.learner.state() == whole.policy.learner.state()
    assert whole.of("quarantine")
    if isinstance(policy, OnlinePolicy):
        assert whole.of("rollback")


def test_a_frozen_lane_keeps_no_row_back(stores: Any) -> None:
    spoilt = context(stores, BURST)
    run = Run(spoilt, GuardSpec(loss=0.9, window=500, range=1.0), OnlinePolicy(frozen=True))
    assert run.policy.quarantined == {"range": 0, "loss": 0}
    static = Run(spoilt, None, StaticPolicy())
    np.testing.assert_array_equal(run.values, static.values)


def test_all_are_counted_and_the_first_kept(stores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEPT == 10_000
    monkeypatch.setattr("modellab.policies.guard_judge.KEPT", 50)
    run = Run(context(stores), GuardSpec(loss=0.9, window=200))
    assert len(run.policy.quarantine) == 50
    assert run.policy.quarantined["loss"] == run.policy.counters.quarantined > 500
    positions = [q.position for q in run.policy.quarantine]
    assert positions == sorted(set(positions))
    assert all(q.value > q.high for q in run.policy.quarantine)


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("clip", [0.5, 3.0, 0.0])
def test_a_clipped_step_is_as_long_as_the_limit_says(clip: float) -> None:
    settings_ = {
        "loss": "squared",
        "learning_rate": 0.1,
        "alpha": 0.0,
        "scale": "none",
        "target": "as it is",
    }
    learner = linear.build(Inputs(("a", "b"), Task("regression", (), "y")), settings_)
    learner.set("clip", clip)
    rows = np.array([[1.0, -2.0], [3.0, 0.5]])
    learner.learn(rows, np.array([1000.0, 0.25]))
    weights, bias = np.zeros(2), 0.0
    for row, y in zip(rows, (1000.0, 0.25), strict=True):
        slope = row @ weights + bias - y
        slope = float(np.clip(slope, -clip, clip)) if clip else slope
        weights, bias = weights - 0.1 * slope * row, bias - 0.1 * slope
    parameters = learner.parameters()
    assert [parameters["a"], parameters["b"]] == pytest.approx(weights.tolist())
    assert parameters["intercept"] == pytest.approx(bias)


def test_clipped_gradients_keep_wild_numbers_from_spoiling_a_model(stores: Any) -> None:
    wild = context(stores, LabelNoise(start=4000, stop=4100, rate=0.2, scale=1e4), name="amounts")
    squared = LearnerSpec("linear", params={"loss": "squared", "learning_rate": 0.005})
    free, clipped = (Run(wild, g, learner=squared, stop=5000) for g in (None, GuardSpec(clip=1.0)))
    assert clipped.policy.learner.settings()["clip"] == 1.0
    assert not clipped.of("warning")
    assert free.error(4100, 5000) > 10 * clipped.error(4100, 5000)
    assert clipped.error(4100, 5000) < clipped.error(3000, 4000) + 0.1
    again = Run(wild, GuardSpec(clip=1.0), ScheduledPolicy(every=700), squared, 5000)
    assert again.policy.counters.redeploys > 0
    assert again.policy.learner.settings()["clip"] == 1.0


# ---------------------------------------------------------------- what it cannot do, in words


@pytest.mark.parametrize(
    ("guard", "policy", "learner", "train", "said"),
    [
        (GuardSpec(loss=0.9), StaticPolicy(), LINEAR, T, "never learns"),
        (GuardSpec(range=2.0), OnlinePolicy(), LINEAR, 0, "no training window"),
        (GuardSpec(clip=1.0), OnlinePolicy(), RIVER, T, "has no such setting"),
        (
            GuardSpec(loss=0.9),
            OnlinePolicy(),
            LearnerSpec("linear", params={"loss": "hinge"}),
            T,
            "no probabilities",
        ),
    ],
)
def test_what_a_guard_cannot_do_is_told_once(
    stores: Any, guard: GuardSpec, policy: Policy, learner: LearnerSpec, train: int, said: str
) -> None:
    run = Run(context(stores, train=train), guard, policy, learner, stop=train + 2500)
    prepared = Run(context(stores, train=train), None, policy, learner, stop=train + 2500)
    assert isinstance(run.policy, Guarded)
    told = [event.text for event in run.of("warning")]
    assert [said in text for text in told] == [True]
    np.testing.assert_array_equal(run.values, prepared.values)


# ---------------------------------------------------------------- outages


def test_no_new_model_serves_during_an_outage(stores: Any) -> None:
    policy = ScheduledPolicy(every=1000, delay=300, test_rows=0)
    cut_off = context(stores, Outage(start=3200, stop=3900))
    run, usual = (
        Run(cut_off, None, policy, stop=4200),
        Run(context(stores), None, policy, stop=4200),
    )
    assert [e.position for e in usual.of("redeploy")] == [3300]
    assert [e.position for e in run.of("redeploy")] == [3900]
    cuts = [3199, 3200, 3300, 3310, 3899, 3900]
    again = Run(cut_off, None, policy, stop=4200, cuts=cuts, saves=[3310])
    np.testing.assert_array_equal(again.values, run.values)
    assert again.events == run.events
