"""Growing at any row: the results are those of a replay that had all rows from its beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from every_policy import BAYES, FAULTS, LINEAR, ROWS, TRAIN, experiment, make_csv
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from test_every_policy import outcome, play, same

from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.experiment import (
    ChampionPolicy,
    DataSpec,
    DriftSpec,
    EvaluationSpec,
    Experiment,
    Intervention,
    LaneSpec,
    MemorySet,
    OnlinePolicy,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
    replace,
)
from modellab.experiment_faults import LabelDelay, Outage
from modellab.replay.growing import Growth, settled_upto
from modellab.replay.replay import Replay

FIRST = TRAIN + 1100
"""Rows of the shorter data sets: at least so many, so that all that the journal does is in them."""


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_csv(tmp_path_factory.mktemp("stream") / "stream.csv")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def whole(csv: Path, cache: Path) -> Store:
    return import_dataset([str(csv)], cache=cache)


def first_rows(csv: Path, cache: Path, rows: int) -> Store:
    """A data set of the first rows alone."""
    lines = csv.read_text().splitlines(keepends=True)
    part = cache / f"first-{rows}.csv"
    part.write_text("".join(lines[: rows + 1]))
    return import_dataset([str(part)], cache=cache)


def ready(csv: Path, **changes: Any) -> Experiment:
    """All policies and faults; the stream has no other end than that of the rows."""
    made = experiment(csv, replay=ReplaySpec(limit=0, seed=4))
    faults = [fault for fault in FAULTS if fault.start < FIRST]
    return replace(made, fault=faults, **changes)  # type: ignore[no-any-return]


def grown(
    made: Experiment, cache: Path, csv: Path, whole: Store, rows: int, at: int, **named: Any
) -> dict[str, Any]:
    """Replay over the first rows up to `at`, then over all of them to the end."""
    replay = Replay(made, first_rows(csv, cache, rows), **named)
    try:
        replay.prepare()
        replay.advance(min(at, rows))
        before = replay.position
        found = Growth(replay, whole).finish()
    finally:
        replay.close()
    try:
        assert found.position == before
        found.advance(found.stop)
        assert found.position == ROWS
        return outcome(found)
    finally:
        found.close()


@pytest.fixture(scope="module")
def reference(csv: Path, whole: Store) -> dict[str, Any]:
    return play(Replay(ready(csv), whole), 8192)


def test_what_looks_far_ahead_begins_anew(
    csv: Path, cache: Path, whole: Store, reference: dict[str, Any]
) -> None:
    made = ready(csv)
    part = Replay(made, first_rows(csv, cache, FIRST))
    assert settled_upto(part.context, made, FIRST) < TRAIN
    part.close()
    same(grown(made, cache, csv, whole, FIRST, FIRST), reference)


# ------------------------------------------------------------------ from checkpoints

LONG, LONG_TRAIN = 6000, 700
LONG_LANES = [
    LaneSpec("Static", StaticPolicy(), BAYES),
    LaneSpec("Spans", ScheduledPolicy(every="40h", delay="5h", downtime=True), BAYES),
    LaneSpec("Rows", ScheduledPolicy(every=500, test_rows=60, delay=90), BAYES),
    LaneSpec("Champion", ChampionPolicy(LINEAR, window=80, cooldown="11h"), LINEAR),
    LaneSpec("Online", OnlinePolicy(every=7), LINEAR),
]


LANES_BY_NAME = {lane.name: lane for lane in LONG_LANES}


@pytest.fixture(scope="module")
def long_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A row every ten minutes, some at the same time; the rule turns round twice."""
    path = tmp_path_factory.mktemp("long") / "long.csv"
    rng = np.random.default_rng(5)
    lines = ["when,a,b,group,label"]
    for i in range(LONG):
        a, b = rng.normal(), rng.normal()
        group = "wxyz"[int(rng.integers(0, 4))]
        up = (a if i // 3000 % 2 else -a) + 0.5 * b + 0.6 * (group == "x") > 0.2 * rng.normal()
        day, minute = divmod(i // 2 * 20, 1440)
        when = f"2020-{1 + day // 28:02d}-{1 + day % 28:02d}T{minute // 60:02d}:{minute % 60:02d}"
        label = "" if i % 211 == 7 else ("yes" if up else "no")
        lines.append(f"{when}:00,{a:.5f},{b:.5f},{group},{label}")
    path.write_text("\n".join(lines) + "\n")
    return path


def long_experiment(csv: Path, delay: int | str) -> Experiment:
    return Experiment(
        data=DataSpec(path=str(csv), target="label", time="when"),
        split=SplitSpec(train=LONG_TRAIN),
        evaluation=EvaluationSpec(window=150, label_delay=delay, memory_set=MemorySet(100, 500)),
        replay=ReplaySpec(seed=4),
        drift=DriftSpec(detector="ddm", window=120, every=110, false_alarm_every=2000),
        lane=LONG_LANES,
        fault=[LabelDelay(start=3180, stop=3300, delay=25), Outage(start=3350, stop=3420)],
        intervention=[
            Intervention(1050, "Online", fork="Fork"),
            Intervention(1100, "Fork", set={"frozen": True}),
            Intervention(2333, "Online", rollback=1101),
            Intervention(4000, "Rows", set={"every": 450}),
        ],
    )


def check_growing(made: Experiment, whole: Store, part: Store, before: int) -> dict[str, Any]:
    """Grow so many rows before the end of the part, go back and play to the end."""
    rows = part.n_rows
    replay = Replay(made, part)
    assert replay.checkpoints is not None
    replay.checkpoints.spacing = 256
    replay.prepare()
    replay.advance(rows - before)
    trained = [b for b in replay.checkpoints.points if b.position == LONG_TRAIN]
    growth = Growth(replay, whole)
    settled = settled_upto(growth.new.context, replay.as_replayed(), rows)
    assert LONG_TRAIN < settled < rows
    found = growth.finish()
    replay.close()
    try:
        assert found.position == rows - before
        assert found.checkpoints is replay.checkpoints
        # It was not begun anew: what was saved at the deployment point is still there.
        assert [b for b in found.checkpoints.points if b.position == LONG_TRAIN] == trained
        found.seek(LONG_TRAIN + 333)  # back into what was replayed when there were fewer rows
        found.advance(found.stop)
        return outcome(found)
    finally:
        found.close()


@pytest.mark.parametrize(("delay", "rows", "before"), [(3, 4800, 0), ("2h", 5632, 1500)])
def test_growing_goes_on_from_a_checkpoint_and_changes_no_number(
    long_csv: Path, cache: Path, delay: int | str, rows: int, before: int
) -> None:
    whole = import_dataset([str(long_csv)], cache=cache)
    made = long_experiment(long_csv, delay)
    expected = play(Replay(made, whole), 8192)
    same(check_growing(made, whole, first_rows(long_csv, cache, rows), before), expected)


def light(csv: Path) -> Experiment:
    return replace(  # type: ignore[no-any-return]
        long_experiment(csv, "2h"),
        lane=[LANES_BY_NAME["Online"], LANES_BY_NAME["Champion"]],
        intervention=[Intervention(1050, "Online", fork="Fork")],
    )


@pytest.fixture(scope="module")
def light_reference(long_csv: Path, cache: Path) -> dict[str, Any]:
    return play(Replay(light(long_csv), import_dataset([str(long_csv)], cache=cache)), 8192)


@settings(max_examples=2, phases=[Phase.explicit, Phase.generate])
@example(rows=4097, before=1)
@given(rows=st.integers(4000, LONG - 1), before=st.integers(0, 900))
def test_growing_anywhere_changes_no_number(
    long_csv: Path, cache: Path, light_reference: dict[str, Any], rows: int, before: int
) -> None:
    whole = import_dataset([str(long_csv)], cache=cache)
    part = first_rows(long_csv, cache, rows)
    same(check_growing(light(long_csv), whole, part, before), light_reference)
