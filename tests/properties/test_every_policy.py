"""The invariants of the replay with every policy, guards, every fault and rollbacks at once."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from every_policy import (
    FAULTS,
    JOURNAL,
    LANES,
    LIMIT,
    ROWS,
    TRAIN,
    experiment,
    make_csv,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.experiment import (
    EvaluationSpec,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    ReplaySpec,
    replace,
)
from modellab.experiment_faults import LabelNoise, Outage
from modellab.policies.base import MEASURED
from modellab.replay.replay import Replay
from modellab.replay.run import drift_checks


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_csv(tmp_path_factory.mktemp("stream") / "stream.csv")


@pytest.fixture(scope="module")
def store(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset([str(csv)], cache=tmp_path_factory.mktemp("cache"))


def outcome(replay: Replay) -> dict[str, Any]:
    """Every number of a replay that must not depend on how it was played."""
    evidence = {found.name: found for found in replay.evidence()}
    found: dict[str, Any] = {}
    for name, lane in replay.lanes(metrics=True).items():
        losses = evidence[name].losses
        found[name] = {
            "metrics": lane.metrics,
            "counters": {k: v for k, v in lane.counters.items() if not k.startswith("cpu")},
            "forgetting": lane.forgetting,
            "series": pickle.dumps(replay.ask(name, "series")),
            "losses": [losses.width, losses.sums.tobytes(), losses.counts.tobytes()],
            "rows": [losses.sample_positions.tobytes(), losses.sample_losses.tobytes()],
            "alarms": evidence[name].alarms,
            "staleness": lane.staleness,
            "stored": lane.rows_stored,
            "down": lane.down,
            "cost": lane.cost,
            "regret": lane.regret,
            "quarantine": replay.ask(name, "quarantine"),
        }
    found["events"] = [
        (name, e.position, e.kind, e.text, {k: v for k, v in e.values.items() if k not in MEASURED})
        for name, e in replay.events()
    ]
    checks = drift_checks(replay.context, replay.position)
    assert checks is not None
    found["features"] = [checks.positions.tobytes(), checks.score.tobytes(), checks.psi.tobytes()]
    return found


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare lane by lane, so that a failure can be read."""
    assert list(found) == list(expected)
    for name, told in expected.items():
        if isinstance(told, dict):
            for key, value in told.items():
                assert found[name][key] == value, (name, key)
        else:
            assert found[name] == told, name


def play(made: Replay, chunk: int) -> dict[str, Any]:
    try:
        made.prepare()
        while not made.finished:
            made.advance(made.position + chunk)
        return outcome(made)
    finally:
        made.close()


@pytest.fixture(scope="module")
def reference(csv: Path, store: Store) -> dict[str, Any]:
    return play(Replay(experiment(csv), store), 8192)


def test_the_reference_is_worth_comparing_with(reference: dict[str, Any]) -> None:
    kinds = {kind for _, _, kind, _, _ in reference["events"]}
    assert kinds >= {
        "retrain", "reject", "redeploy", "drift", "rollback", "switch", "reset", "quarantine",
        "warning", "fault", "fault_end", "intervention", "fork",
    }  # fmt: skip
    counters = {name: told["counters"] for name, told in reference.items() if name in NAMES}
    for name in ("Scheduled", "Triggered", "Cost", "Forecast", "Hindsight", "Guarded retrain"):
        assert counters[name]["retrains"] >= 2, name
    for name in ("Scheduled", "Triggered"):
        assert counters[name]["downtime_rows"] > 0, name
        assert counters[name]["downtime_seconds"] > 0, name
    for name in ("Online", "Batches", "Champion", "Scheduled", "Guarded retrain"):
        assert counters[name]["rollbacks"] > 0, name
    assert counters["Online"]["quarantined"] > 0
    assert len({tuple(told["losses"][1:]) for n, told in reference.items() if n in NAMES}) > 12


NAMES = [lane.name for lane in LANES]


@pytest.mark.parametrize("chunk", [7, 97])
def test_chunk_size_changes_no_number(
    csv: Path, store: Store, reference: dict[str, Any], chunk: int
) -> None:
    same(play(Replay(experiment(csv), store), chunk), reference)


def test_workers_change_no_number(csv: Path, store: Store, reference: dict[str, Any]) -> None:
    same(play(Replay(experiment(csv), store, workers=2), 512), reference)


@settings(max_examples=2)
@given(stops=st.lists(st.integers(0, LIMIT), min_size=1, max_size=3))
def test_pauses_and_seeks_change_no_number(
    csv: Path, store: Store, reference: dict[str, Any], stops: list[int]
) -> None:
    replay = Replay(experiment(csv), store)
    replay.prepare()
    for stop in stops:
        replay.seek(TRAIN + stop)
        assert replay.position == TRAIN + stop
        replay.checkpoint()  # so that the next seek begins in the middle
    replay.advance(replay.stop)
    same(outcome(replay), reference)


def test_what_is_done_live_is_what_the_journal_replays(
    csv: Path, store: Store, reference: dict[str, Any]
) -> None:
    live = Replay(experiment(csv, intervention=[], fault=[]), store)
    live.prepare()
    doings = [(fault.start, 0, fault) for fault in FAULTS]
    doings += [(entry.position, 1, entry) for entry in JOURNAL]
    for position, _, made in sorted(doings, key=lambda d: d[:2]):
        live.advance(position)
        if position % 3 == 0:
            live.checkpoint()
        if not hasattr(made, "lane"):
            assert live.inject(made) == made
        elif made.fork is not None:
            live.fork(made.lane, made.fork)
        elif made.rollback is not None:
            assert live.rollback(made.lane, made.rollback) == made
        else:
            live.intervene(made.lane, made.set)
    live.advance(live.stop)
    assert live.journal == JOURNAL
    assert live.experiment.fault == FAULTS
    same(outcome(live), reference)
    live.seek(1390)  # a checkpoint that knows nothing of the rollbacks after it
    live.advance(live.stop)
    same(outcome(live), reference)


def test_a_fault_taken_back_never_was(csv: Path, store: Store, tmp_path: Path) -> None:
    kept = [fault for k, fault in enumerate(FAULTS) if k != 2]
    plain = play(Replay(experiment(csv, fault=kept), store), 8192)
    replay = Replay(experiment(csv), store, session_dir=tmp_path)
    replay.prepare()
    replay.advance(1450)
    told: list[int] = []
    replay.remove_fault(2, told=lambda: told.append(replay.position))
    assert told == [TRAIN]
    assert replay.position == 1450
    replay.advance(replay.stop)
    same(outcome(replay), plain)


def test_a_killed_replay_goes_on_from_its_checkpoint(
    csv: Path, store: Store, reference: dict[str, Any], tmp_path: Path
) -> None:
    first = Replay(experiment(csv), store, session_dir=tmp_path)
    first.prepare()
    first.advance(1340)
    first.checkpoint()
    first.advance(1500)  # lost with the process
    second = Replay(experiment(csv), store, session_dir=tmp_path)
    second.prepare(resume=True)
    assert second.position == 1340
    second.advance(second.stop)
    same(outcome(second), reference)


class Spy:
    """Stands in the way of a learner and notes what it is asked."""

    def __init__(self, inner: Any, seen: list[tuple[str, int]], stamp: dict[float, int]) -> None:
        self._inner, self._seen, self._stamp = inner, seen, stamp
        self.view = inner.view

    def __getattr__(self, name: str) -> Any:
        if name == "run":
            raise AttributeError(name)
        return getattr(self._inner, name)

    def _note(self, what: str, rows: Any) -> None:
        self._seen += [(what, self._stamp[row["b"]]) for row in rows]

    def predict(self, rows: Any) -> Any:
        self._note("predict", rows)
        return self._inner.predict(rows)

    def learn(self, rows: Any, y: Any, batch: int = 1) -> int:
        self._note("learn", rows)
        return int(self._inner.learn(rows, y, batch))


OUT, BACK = 1000, 1060
DELAYED = {0: 0, 25: 25, "3h": 18}
"""Rows by which labels are late: rows come every ten minutes."""


@pytest.mark.parametrize("backlog", ["arrives", "lost"])
@pytest.mark.parametrize("delay", list(DELAYED))
def test_nothing_is_learned_before_its_label_arrived_or_in_an_outage(
    csv: Path, store: Store, delay: int | str, backlog: Any
) -> None:
    lane = LaneSpec("Tree", OnlinePolicy(every=2), LearnerSpec("hoeffding_tree"))
    replay = Replay(
        experiment(
            csv,
            lane=[lane],
            intervention=[],
            fault=[Outage(start=OUT, stop=BACK, backlog=backlog)],
            replay=ReplaySpec(limit=600),
            evaluation=EvaluationSpec(label_delay=delay, memory_set=MemorySet(rows=0)),
        ),
        store,
    )
    replay.prepare()
    runner = replay.hosts[0].lanes["Tree"]  # type: ignore[union-attr]
    seen: list[tuple[str, int]] = []
    stamp = {v: i for i, v in enumerate(replay.store.read(0, ROWS, ["b"])["b"].to_pylist())}
    assert len(stamp) == ROWS
    runner.policy.learner = Spy(runner.policy.learner, seen, stamp)
    learned: list[tuple[int, int]] = []
    while not replay.finished:
        before = len(seen)
        replay.advance(replay.position + 1)
        learned += [(replay.position - 1, at) for what, at in seen[before:] if what == "learn"]
    rows = [at for _, at in learned]
    assert rows == sorted(set(rows))
    assert min(rows) >= TRAIN
    late = DELAYED[delay]
    for when, at in learned:
        assert at + late <= when
        assert not OUT <= when < BACK, "the outage lets nothing through"
    held = range(OUT - late, BACK - late)
    through = set(rows) & set(held)
    assert not through if backlog == "lost" else len(through) >= len(held) - 3
    assert len(rows) > 400


def test_what_is_learned_is_what_arrived_and_what_counts_is_true(csv: Path, store: Store) -> None:
    """All labels arrive wrong: a lane that learns them errs; one that does not, does not."""
    spec = next(lane for lane in LANES if lane.name == "Static")
    learner = LearnerSpec("linear", params={"learning_rate": 0.3})
    online = LaneSpec("Online", OnlinePolicy(), learner)
    wrong = [LabelNoise(start=TRAIN, rate=1.0)]
    quiet = experiment(csv, lane=[spec, online], intervention=[], fault=wrong)
    replay = Replay(replace(quiet, replay=ReplaySpec(limit=440)), store)
    replay.prepare()
    replay.advance(replay.stop)
    lanes = replay.lanes()
    assert lanes["Static"].error is not None
    assert lanes["Online"].error is not None
    assert lanes["Static"].error < 0.2
    assert lanes["Online"].error > 0.6
