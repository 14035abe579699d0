"""A replay over first rows and what may become of it when more are there."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.errors import Cancelled, DataError, ExperimentError
from modellab.experiment import (
    DataSpec,
    EvaluationSpec,
    Experiment,
    Fault,
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
from modellab.experiment_faults import Outage
from modellab.replay import engine_growing
from modellab.replay.context import build_context
from modellab.replay.engine_growing import FirstRows, check_kinds, forget_unsettled
from modellab.replay.growing import Growth, check_same, settled_upto
from modellab.replay.growing_words import kinds_changed
from modellab.replay.replay import Replay
from modellab.replay.session_folder import JournalLine, SessionFolder

ROWS, FIRST, TRAIN = 6000, 4500, 500
LINEAR = LearnerSpec("linear", None, {"learning_rate": 0.05})
LANES = [
    LaneSpec("Static", StaticPolicy(), LearnerSpec("naive_bayes")),
    LaneSpec("Retrained", ScheduledPolicy(every=600, test_rows=100), LINEAR),
    LaneSpec("Online", OnlinePolicy(), LINEAR),
]


def lines(rows: int) -> list[str]:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, ROWS)).round(4)
    up = np.where(np.arange(ROWS) > 3000, a, -a) + 0.3 * b > 0
    found = [f"{a[i]},{b[i]},{'pqr'[i % 3]},{'up' if up[i] else 'down'}" for i in range(rows)]
    return ["a,b,c,y", *found]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("growing")


def stored(home: Path, name: str, text: list[str]) -> Store:
    path = home / f"{name}.csv"
    path.write_text("\n".join(text) + "\n")
    return import_dataset([str(path)], cache=home)


@pytest.fixture(scope="module")
def whole(home: Path) -> Store:
    return stored(home, "whole", lines(ROWS))


@pytest.fixture(scope="module")
def first(home: Path) -> Store:
    return stored(home, "first", lines(FIRST))


def experiment(home: Path, **changes: Any) -> Experiment:
    made = Experiment(
        data=DataSpec(path=str(home / "whole.csv"), target="y"),
        split=SplitSpec(train=TRAIN),
        evaluation=EvaluationSpec(window=200, label_delay=5, memory_set=MemorySet(50, 500)),
        lane=LANES,
        intervention=[Intervention(900, "Online", set={"learning_rate": 0.1})],
    )
    return replace(made, **changes)  # type: ignore[no-any-return]


def outcome(replay: Replay) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, lane in replay.lanes(metrics=True).items():
        counters = {k: v for k, v in lane.counters.items() if not k.startswith("cpu")}
        events = [(e.position, e.kind, e.text) for e in replay.ask(name, "events")]
        found[name] = (lane.metrics, counters, pickle.dumps(replay.ask(name, "series")), events)
    return found


@pytest.fixture(scope="module")
def expected(home: Path, whole: Store) -> dict[str, Any]:
    replay = Replay(experiment(home), whole)
    replay.prepare()
    replay.advance(replay.stop)
    return outcome(replay)


def test_an_engine_that_died_on_first_rows_goes_on_over_all(
    home: Path, first: Store, whole: Store, expected: dict[str, Any], tmp_path: Path
) -> None:
    folder = SessionFolder(tmp_path)
    made = experiment(home)
    one = Replay(made, first, session_dir=tmp_path)
    one.prepare()
    folder.begin(one.as_replayed(), first.n_rows)
    one.advance(FIRST)
    one.checkpoint()
    one.close()
    restored = folder.restored(made)
    assert restored is not None
    assert restored.rows == FIRST
    other = Replay(restored.experiment, whole, session_dir=tmp_path)
    forget_unsettled(other, FIRST)
    folder.append(JournalLine(rows=whole.n_rows))
    other.prepare(resume=True)
    # What was saved at the end of the first rows, where labels still waited, is not gone on from.
    assert other.position < FIRST - 2000
    other.advance(other.stop)
    assert outcome(other) == expected
    again = folder.restored(made)
    assert again is not None
    assert again.rows == ROWS


def test_lanes_in_other_processes_grow_and_what_was_done_meanwhile_is_kept(
    home: Path, first: Store, whole: Store
) -> None:
    lane = LaneSpec("River", OnlinePolicy(every=50), LearnerSpec("online_naive_bayes"))
    forest = LaneSpec("Tree", ScheduledPolicy(every=900), LearnerSpec("decision_tree"))
    made = experiment(home, lane=[*LANES, forest])
    old = Replay(made, first, workers=2)
    old.prepare()
    old.advance(1200)
    growth = Growth(old, whole)
    old.advance(1500)  # it plays on while the new one is made
    old.intervene("Online", {"learning_rate": 0.01})
    old.add_lane(lane)
    old.remove_lane("Static")
    grown = growth.finish()
    old.close()
    assert grown.position == 1500
    assert grown.names() == ["Retrained", "Online", "Tree", "Majority class", "No change", "River"]
    grown.advance(grown.stop)
    found, done = outcome(grown), grown.as_replayed()
    grown.close()
    fresh = Replay(done, whole)
    fresh.prepare()
    fresh.advance(fresh.stop)
    want = outcome(fresh)
    fresh.close()
    assert {name: found[name] for name in want} == want


def test_growing_that_is_given_up_leaves_the_replay_as_it_was(
    home: Path, first: Store, whole: Store
) -> None:
    old = Replay(experiment(home), first)
    old.prepare()
    old.advance(FIRST)
    before = outcome(old)

    def stop(done: float, total: float, text: str = "") -> None:
        if text == "Replaying":
            raise Cancelled

    growth = Growth(old, whole)
    with pytest.raises(Cancelled):
        growth.finish(stop)
    assert old.position == old.stop == FIRST
    assert outcome(old) == before
    old.seek(2000)
    old.advance(FIRST)
    assert outcome(old) == before
    again = Growth(old, whole).finish()
    assert again.position == FIRST


def test_an_outage_that_lasts_to_the_end_is_replayed_again(home: Path, whole: Store) -> None:
    fault: Fault = Outage(start=1000, stop=None)
    context = build_context(experiment(home), whole)
    usual = settled_upto(context, experiment(home), FIRST)
    assert 1000 < usual < FIRST - 2000
    assert settled_upto(context, experiment(home, fault=[fault]), FIRST) == 999
    over: Fault = Outage(start=1000, stop=1100)
    assert settled_upto(context, experiment(home, fault=[over]), FIRST) > 1100
    assert settled_upto(context, experiment(home), 1500) < TRAIN


@pytest.mark.parametrize(
    ("row", "text", "sentence"),
    [
        (5000, "1,2,p,flat", "Later rows hold other classes of “y”: “flat”."),
        (20, "9,9,p,up", "the columns are encoded otherwise"),
        (800, "9,9,p,up", "its first rows are not what they were"),
    ],
)
def test_later_rows_that_make_another_data_set_are_told(
    home: Path, first: Store, row: int, text: str, sentence: str
) -> None:
    changed = lines(ROWS)
    changed[row + 1] = text
    other = stored(home, f"other-{row}", changed)
    old = Replay(experiment(home), first)
    old.prepare()
    with pytest.raises(ExperimentError, match="Train and deploy again") as caught:
        Growth(old, other)
    assert sentence in caught.value.sentence
    old.advance(FIRST)
    assert old.finished


def test_a_column_of_another_kind_is_named(home: Path, first: Store) -> None:
    words = lines(ROWS)
    words[FIRST + 1 :] = [f"1,word {i % 7},p,up" for i in range(ROWS - FIRST)]
    one = build_context(experiment(home), first)
    other = build_context(experiment(home), stored(home, "words", words))
    with pytest.raises(
        ExperimentError, match="another kind of a column: “b” is text, not a number"
    ):
        check_same(one, other, FIRST)
    many = kinds_changed([(f"c{i}", "number", None) for i in range(5)])
    assert many.endswith("“c2” is not there, and 2 more.")


def test_a_kind_that_needs_the_file_again_waits_for_its_end(home: Path) -> None:
    text = lines(2000)
    text[700] = "oops,1,p,up"
    store = stored(home, "oops", text)
    assert store.column("a").kind == "number"
    check_kinds(store, {"a": "number", "c": "text"})
    check_kinds(store, {"b": "text"})
    with pytest.raises(DataError, match="“a” can be used as category only after"):
        check_kinds(store, {"a": "category"})


def test_an_import_gives_way_to_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(engine_growing.time, "sleep", slept.append)
    rows = FirstRows(None, lambda *_: None)  # type: ignore[arg-type]  # nothing is told here
    told: list[float] = []
    progress = rows.giving_way(lambda done, *_: told.append(done))
    with rows.first():
        progress(1.0, 9.0)  # nobody can use anything yet: reading is all that is waited for
    rows._in_use = True
    progress(2.0, 9.0)
    assert not slept
    with rows.first():
        progress(3.0, 9.0)
    assert len(slept) == 1
    assert 0 < slept[0] <= engine_growing.PAUSE_SECONDS
    progress(4.0, 9.0)
    assert len(slept) == 1
    assert told == [1.0, 2.0, 3.0, 4.0]
