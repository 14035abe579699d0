"""Spans of event time in files whose rows are out of order or have no time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from modellab.data.importer import import_dataset
from modellab.experiment import (
    DataSpec,
    Experiment,
    LaneSpec,
    LearnerSpec,
    ScheduledPolicy,
    SplitSpec,
    replace,
)
from modellab.policies.base import NEVER
from modellab.replay.context import Context, build_context
from modellab.replay.replay import Replay

HOUR = 3600 * 10**9


@pytest.fixture
def shuffled(tmp_path: Path) -> Experiment:
    """4,000 half hours in no order at all, some without a time."""
    rng = np.random.default_rng(3)
    start = np.datetime64("2024-01-01T00:00")
    lines = ["when,x,y"]
    for number, minutes in enumerate(rng.permutation(4000) * 30):
        when = "" if number % 50 == 49 else str(start + np.timedelta64(int(minutes), "m"))
        lines.append(f"{when},{rng.normal():.3f},{'ab'[rng.integers(2)]}")
    path = tmp_path / "shuffled.csv"
    path.write_text("\n".join(lines) + "\n")
    weekly = LaneSpec("Weekly", ScheduledPolicy(every="7d"), LearnerSpec("naive_bayes"))
    return Experiment(
        data=DataSpec(path=str(path), target="y", time="when"),
        split=SplitSpec(train=100),
        lane=[weekly],
    )


@pytest.fixture
def context(shuffled: Experiment) -> Context:
    return build_context(shuffled, import_dataset([Path(shuffled.data.paths[0])]))


def test_the_clock_is_the_latest_time_so_far(context: Context) -> None:
    times = context.stream.times(0, context.n_rows)
    assert times is not None
    clock = np.maximum.accumulate(times)
    for start in (0, 1, 57, 1030, 3000, 3999):
        for hours in (1, 24, 24 * 40):
            later = np.flatnonzero(clock >= clock[start] + hours * HOUR)
            expected = int(later[0]) if len(later) else NEVER
            assert context.position_at(start, 0, hours * HOUR) == expected


def test_a_shuffled_file_does_not_retrain_at_every_row(shuffled: Experiment) -> None:
    replay = Replay(shuffled, import_dataset([Path(shuffled.data.paths[0])]), checkpoints=False)
    replay.prepare()
    replay.advance(replay.stop)
    # 84 days in the file, most of them gone by before the stream begins.
    assert replay.lanes()["Weekly"].counters["retrains"] <= 12


@pytest.mark.parametrize(
    ("target", "learner"), [("y", "linear"), ("x", "linear"), ("y", "linear_sgd")]
)
def test_every_pass_reads_the_chunks_in_its_own_order(
    shuffled: Experiment, target: str, learner: str
) -> None:
    """As when the chunks were handed over one by one, in that order."""
    other = replace(shuffled, data=replace(shuffled.data, target=target), split=SplitSpec(3900))
    whole = build_context(other, import_dataset([Path(shuffled.data.paths[0])]))
    asked: list[tuple[int, int]] = []
    orders = [[3, 0, 2, 1], [1, 3, 0, 2]]

    def order(turn: int, n_chunks: int) -> list[int]:
        asked.append((turn, n_chunks))
        return orders[turn]

    spec = LearnerSpec("linear") if learner == "linear" else LearnerSpec(learner)
    found, expected = whole.build(spec), whole.build(spec)
    assert whole.fit_chunks(found, 0, 3900, 1000, 2, order) == 3900
    assert sorted(set(asked)) == [(0, 4), (1, 4)]
    edges = [0, 1024, 2048, 3072, 3900]
    queue = [orders[0], orders[1]]
    if getattr(expected, "reads_labels_first", False):
        queue.insert(0, orders[0])

    def chunks() -> Any:
        for i in queue.pop(0):
            yield whole.stream.matrix(expected.view, edges[i], edges[i + 1])

    expected.fit_chunks(chunks, 2)
    rows = whole.stream.rows(found.view, 3900, 4000)
    np.testing.assert_array_equal(found.predict(rows).value, expected.predict(rows).value)
    assert found.parameters() == expected.parameters()


@pytest.mark.parametrize("learner", ["linear", "compiled_hoeffding_tree"])
def test_many_rows_are_learned_in_pieces_with_the_same_bits(
    shuffled: Experiment, learner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {"passes": 2} if learner == "linear" else {}
    spec = LearnerSpec(learner, params=parameters)
    here = build_context(
        replace(shuffled, split=SplitSpec(3900)), import_dataset([Path(shuffled.data.paths[0])])
    )
    whole, pieces, asked = here.build(spec), here.build(spec), []
    real = here.stream.matrix
    monkeypatch.setattr(here.stream, "matrix", lambda *a: asked.append(a[1:3]) or real(*a))
    assert here.fit(whole, 10, 3900) == 3890
    assert asked == [(10, 3900)]
    monkeypatch.setattr("modellab.replay.context.WHOLE_BYTES", 0)
    monkeypatch.setattr("modellab.replay.context.PIECE_ROWS", 1024)
    assert here.fit(pieces, 10, 3900) == 3890
    assert asked[1:5] == [(10, 1024), (1024, 2048), (2048, 3072), (3072, 3900)]
    assert msgspec.msgpack.encode(pieces.state()) == msgspec.msgpack.encode(whole.state())


@pytest.mark.parametrize("target", ["x", "y"])
def test_what_looks_at_labels_alone_has_nothing_encoded(
    shuffled: Experiment, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(
        shuffled, data=replace(shuffled.data, target=target), split=SplitSpec(3900), lane=[]
    )
    here = build_context(other, import_dataset([Path(shuffled.data.paths[0])]))
    for name in ("majority_class", "no_change") if target == "y" else ("running_mean",):
        whole, pieces = here.build(LearnerSpec(name)), here.build(LearnerSpec(name))
        here.fit(whole, 10, 3900)
        with monkeypatch.context() as patch:
            patch.setattr("modellab.replay.context.WHOLE_BYTES", 0)
            patch.setattr("modellab.replay.context.PIECE_ROWS", 1000)
            patch.setattr(here.stream, "matrix", None)
            assert here.fit(pieces, 10, 3900) == 3890
        assert pieces.state() == whole.state()
