"""The invariants of the replay: what must change no number, and what no model may see."""

from __future__ import annotations

import functools
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
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
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
    replace,
)
from modellab.replay import lane_watch
from modellab.replay.replay import Replay

ROWS = 5000


def make_csv(path: Path, rows: int, seed: int = 3) -> Path:
    """Drifting stream: two numbers, a category, a time; some values and labels are missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2))
    group = rng.integers(0, 4, rows)
    sign = np.where(np.arange(rows) < rows * 0.6, 1.0, -1.0)
    y = (sign * x[:, 0] + 0.5 * x[:, 1] + 0.6 * (group == 2) + 0.3 * rng.normal(size=rows)) > 0
    lines = ["when,a,b,group,label"]
    for i in range(rows):
        a = "" if i % 97 == 5 else f"{x[i, 0]:.6f}"
        label = "" if i % 211 == 7 else ("yes" if y[i] else "no")
        day, minute = divmod(i * 10, 1440)
        when = f"2020-01-{day % 28 + 1:02d}T{minute // 60:02d}:{minute % 60:02d}:00"
        if day >= 28:
            when = f"2020-02-{(day - 28) % 28 + 1:02d}T{minute // 60:02d}:{minute % 60:02d}:00"
        lines.append(f"{when},{a},{x[i, 1]:.3f}{i:05d},{'wxyz'[group[i]]},{label}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_csv(tmp_path_factory.mktemp("stream") / "stream.csv", ROWS)


@pytest.fixture(scope="module")
def store(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset([str(csv)], cache=tmp_path_factory.mktemp("cache"))


LANES = [
    LaneSpec("Static", StaticPolicy(), LearnerSpec("logistic_regression")),
    LaneSpec(
        "Retrained",
        ScheduledPolicy(every=500, test_rows=150, keep=1500, delay=37),
        LearnerSpec("decision_tree", params={"max_depth": 5}),
    ),
    LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear", params={"loss": "log"})),
    LaneSpec("Batches", OnlinePolicy(every=13, batch=5), LearnerSpec("linear_sgd")),
    LaneSpec("Tree", OnlinePolicy(every=3), LearnerSpec("hoeffding_tree")),
]


def make(csv: Path, **changes: Any) -> Experiment:
    plain = Experiment(
        data=DataSpec(path=str(csv), target="label", time="when"),
        split=SplitSpec(train=1100),
        evaluation=EvaluationSpec(window=300, memory_set=MemorySet(rows=200, every=700)),
        lane=LANES,
        intervention=[
            Intervention(1400, "Online", set={"learning_rate": 0.2}),
            Intervention(1500, "Batches", set={"every": 4}),
            Intervention(1700, "Online", set={"frozen": True}),
            Intervention(1800, "Online", fork="Thawed"),
            Intervention(1800, "Thawed", set={"frozen": False}),
            Intervention(2100, "Online", set={"frozen": False}),
        ],
        replay=ReplaySpec(limit=1700),
    )
    return replace(plain, **changes)  # type: ignore[no-any-return]


def outcome(replay: Replay) -> dict[str, Any]:
    """Every number of a replay that must not depend on how it was played."""
    found: dict[str, Any] = {}
    for name, lane in replay.lanes(metrics=True).items():
        counters = {k: v for k, v in lane.counters.items() if not k.startswith("cpu")}
        series = replay.ask(name, "series")
        names, positions, values = replay.ask(name, "parameters")
        found[name] = {
            "metrics": lane.metrics,
            "counters": counters,
            "forgetting": lane.forgetting,
            "series": pickle.dumps(series),
            "parameters": (names, positions.tobytes(), values.tobytes()),
            "events": [(e.position, e.kind, e.text) for e in replay.ask(name, "events")],
        }
    return found


def play(
    experiment: Experiment, store: Store, chunk: int, *, workers: int = 1
) -> tuple[dict[str, Any], list[Any]]:
    replay = Replay(experiment, store, workers=workers)
    seen: list[Any] = []

    def collect(pieces: dict[str, Any]) -> None:
        for name, parts in pieces.items():
            for at, _, p in parts:
                proba = b"" if p.proba is None else p.proba.tobytes()
                seen.append((name, at, p.value.tobytes(), proba, len(p)))

    try:
        replay.prepare()
        while not replay.finished:
            replay.advance(replay.position + chunk, collect)
        return outcome(replay), seen
    finally:
        replay.close()


@pytest.fixture(scope="module")
def played(csv: Path, store: Store) -> tuple[dict[str, Any], list[Any]]:
    return play(make(csv), store, 8192)


@pytest.fixture(scope="module")
def reference(played: tuple[dict[str, Any], list[Any]]) -> dict[str, Any]:
    return played[0]


def rows_of(seen: list[Any]) -> dict[str, tuple[bytes, bytes]]:
    """All predictions of each lane, put together."""
    values: dict[str, list[bytes]] = {}
    probas: dict[str, list[bytes]] = {}
    for name, _, value, proba, _ in seen:
        values.setdefault(name, []).append(value)
        probas.setdefault(name, []).append(proba)
    return {n: (b"".join(values[n]), b"".join(probas[n])) for n in values}


@pytest.mark.parametrize("chunk", [1, 100, 777])
def test_chunk_size_changes_no_number_and_no_prediction(
    csv: Path, store: Store, played: tuple[dict[str, Any], list[Any]], chunk: int
) -> None:
    reference, predicted = played
    found, seen = play(make(csv), store, chunk)
    assert found == reference
    assert rows_of(seen) == rows_of(predicted)


def test_workers_change_no_number(csv: Path, store: Store, reference: dict[str, Any]) -> None:
    found, _ = play(make(csv), store, 512, workers=2)
    assert found == reference


@settings(max_examples=5)
@given(stops=st.lists(st.integers(0, 1700), min_size=1, max_size=4))
def test_pauses_and_seeks_change_no_number(
    csv: Path, store: Store, reference: dict[str, Any], stops: list[int]
) -> None:
    replay = Replay(make(csv), store)
    replay.prepare()
    for stop in stops:
        replay.seek(1100 + stop)
        assert replay.position == 1100 + stop
    replay.advance(replay.stop)
    assert outcome(replay) == reference


def test_a_forks_past_is_its_parents(csv: Path, store: Store, reference: dict[str, Any]) -> None:
    replay = Replay(make(csv, intervention=[]), store)
    replay.prepare()
    replay.advance(1800)
    replay.fork("Online", "Twin")
    replay.advance(2800)
    found = outcome(replay)
    twin, online = found["Twin"], found["Online"]
    assert twin["series"] == online["series"]
    assert twin["metrics"] == online["metrics"]
    assert twin["parameters"] == online["parameters"]


def test_what_is_done_live_is_what_the_journal_replays(
    csv: Path, store: Store, reference: dict[str, Any]
) -> None:
    planned = make(csv).intervention
    live = Replay(make(csv, intervention=[]), store)
    live.prepare()
    for entry in planned:
        live.advance(entry.position)
        if entry.fork is not None:
            live.fork(entry.lane, entry.fork)
        else:
            live.intervene(entry.lane, entry.set)
    live.advance(live.stop)
    assert live.journal == planned
    assert outcome(live) == reference


def test_a_lane_added_late_is_as_if_it_had_always_been_there(
    csv: Path, store: Store, reference: dict[str, Any]
) -> None:
    replay = Replay(make(csv, lane=LANES[:3]), store)
    replay.prepare()
    replay.advance(1999)
    for spec in LANES[3:]:
        replay.add_lane(spec)
    replay.journal = make(csv).intervention
    replay.seek(1100)
    replay.advance(replay.stop)
    assert outcome(replay) == reference


def test_a_killed_replay_goes_on_from_its_checkpoint(
    csv: Path, store: Store, reference: dict[str, Any], tmp_path: Path
) -> None:
    first = Replay(make(csv), store, session_dir=tmp_path)
    first.prepare()
    first.advance(2200)
    first.checkpoint()
    first.advance(2400)  # lost with the process
    second = Replay(make(csv), store, session_dir=tmp_path)
    second.prepare(resume=True)
    assert second.position == 2200
    second.advance(second.stop)
    assert outcome(second) == reference


class Spy:
    """Stands in the way of one lane's learner and notes what it is asked."""

    def __init__(self, inner: Any, seen: list[tuple[str, int]], stamp: dict[float, int]) -> None:
        self._inner = inner
        self._seen = seen
        self._stamp = stamp
        self.view = inner.view

    def __getattr__(self, name: str) -> Any:
        if name == "run":
            raise AttributeError(name)
        return getattr(self._inner, name)

    def _positions(self, rows: Any) -> list[int]:
        return [self._stamp[r["b"]] for r in rows]

    def predict(self, rows: Any) -> Any:
        self._seen += [("predict", p) for p in self._positions(rows)]
        return self._inner.predict(rows)

    def learn(self, rows: Any, y: Any, batch: int = 1) -> int:
        self._seen += [("learn", p) for p in self._positions(rows)]
        return int(self._inner.learn(rows, y, batch))


class RunSpy(Spy):
    """The same for a learner that loops over the rows itself: notes what it is handed, and when."""

    def run(
        self, rows: Any, learn_rows: Any, learn_y: Any, upto: Any, *settings: Any
    ) -> tuple[Any, int]:
        tested, taught = self._positions(rows), self._positions(learn_rows)
        given = 0
        for position, count in zip(tested, upto.tolist(), strict=True):
            self._seen.append(("predict", position))
            self._seen += [("learn", p) for p in taught[given:count]]
            given = count
        assert given == len(taught)
        found: tuple[Any, int] = self._inner.run(rows, learn_rows, learn_y, upto, *settings)
        return found


@pytest.mark.parametrize("spy", [Spy, RunSpy])
@pytest.mark.parametrize("delay", [0, 25, "3h"])
def test_no_row_is_learned_before_it_was_predicted_or_its_label_arrived(
    csv: Path, store: Store, delay: int | str, spy: type[Spy]
) -> None:
    lane = LaneSpec("Tree", OnlinePolicy(every=2), LearnerSpec("hoeffding_tree"))
    experiment = make(
        csv,
        lane=[lane],
        intervention=[],
        replay=ReplaySpec(limit=400),
        evaluation=EvaluationSpec(label_delay=delay, memory_set=MemorySet(rows=0)),
    )
    replay = Replay(experiment, store)
    replay.prepare()
    runner = replay.hosts[0].lanes["Tree"]  # type: ignore[union-attr]
    seen: list[tuple[str, int]] = []
    values = replay.store.read(0, ROWS, ["b"])["b"].to_pylist()
    stamp = {value: i for i, value in enumerate(values)}
    assert len(stamp) == ROWS
    runner.policy.learner = spy(runner.policy.learner, seen, stamp)
    while not replay.finished:
        replay.advance(replay.position + 64)
    wait = {0: 0, 25: 25, "3h": 18}[delay]  # rows come every ten minutes
    newest = -1
    learned: set[int] = set()
    for what, position in seen:
        if what == "predict":
            newest = max(newest, position)
        else:
            assert position >= replay.train_rows
            assert position <= newest - wait
            assert position not in learned
            learned.add(position)
    assert len(learned) > 300


def test_the_encoder_sees_the_training_window_only(csv: Path, store: Store, tmp_path: Path) -> None:
    text = csv.read_text().splitlines()
    spoiled = [
        *text[:1101],
        *[line.replace("w", "new").replace("0.", "9.") for line in text[1101:]],
    ]
    other = tmp_path / "other.csv"
    other.write_text("\n".join(spoiled) + "\n")
    second = import_dataset([str(other)], cache=tmp_path / "cache")
    spec = make(csv)
    states = [
        Encoder.fit(Dataset.build(s, spec.data, spec.split), 0, 1100, 0).state()
        for s in (store, second)
    ]
    assert pickle.dumps(states[0]) == pickle.dumps(states[1])


def test_memory_does_not_grow_with_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once all caches and histories are full (two pages, 140,000 rows), more rows take no more.

    Single losses would go on being kept up to 131,072 rows: here fewer.
    """
    fewer = functools.partial(lane_watch.LossTrack, sample=16_384)
    monkeypatch.setattr(lane_watch, "LossTrack", fewer)
    path = make_csv(tmp_path / "long.csv", 215_000)
    store = import_dataset([str(path)], cache=tmp_path / "cache")
    lanes, whole = [LANES[0], LANES[2]], ReplaySpec(limit=210_000)
    experiment = make(path, lane=lanes, intervention=[], replay=whole)
    replay = Replay(experiment, store, checkpoints=False)
    replay.prepare()
    peaks = []
    tracemalloc.start()
    for stop in (replay.train_rows + 140_000, replay.stop):
        tracemalloc.reset_peak()
        replay.advance(stop)
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.05 + 500_000
