"""The journal on disk."""

from __future__ import annotations

from pathlib import Path

from modellab.experiment import (
    DataSpec,
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    PriceSpec,
    StaticPolicy,
    replace,
)
from modellab.experiment_faults import LabelNoise, Outage
from modellab.replay.session_folder import NAME, JournalLine, SessionFolder

A = LaneSpec("A", OnlinePolicy(), LearnerSpec("linear"))
B = LaneSpec("B", StaticPolicy(), LearnerSpec("ridge"))
EXPERIMENT = Experiment(data=DataSpec(path="x.csv", target="y"), lane=[A])


def test_what_happened_is_there_again(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "new" / "folder")
    assert folder.restored(EXPERIMENT) is None
    folder.begin(EXPERIMENT)
    restored = folder.restored(EXPERIMENT)
    assert restored is not None
    assert restored.experiment == EXPERIMENT
    late = Intervention(20, "A", {"alpha": 1.0})
    fork = Intervention(10, "A", fork="F")
    early = Intervention(10, "F", {"alpha": 2.0})
    for line in (
        JournalLine(intervention=late),
        JournalLine(intervention=fork),  # made after going back
        JournalLine(intervention=early),
        JournalLine(added=B),
    ):
        folder.append(line)
    found = SessionFolder(tmp_path / "new" / "folder").restored(EXPERIMENT)
    assert found is not None
    assert found.experiment.lane == [A, B]
    assert found.experiment.intervention == [fork, early, late]
    folder.append(JournalLine(removed="F"))
    folder.append(JournalLine(removed="A"))
    found = folder.restored(EXPERIMENT)
    assert found is not None
    assert (found.experiment.lane, found.experiment.intervention) == ([B], [])


def test_a_line_cut_off_by_the_end_is_left_out(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    folder.begin(EXPERIMENT)
    folder.append(JournalLine(intervention=Intervention(1, "A", {"alpha": 1.0})))
    folder.append(JournalLine(intervention=Intervention(2, "A", {"alpha": 2.0})))
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[:-9])
    found = folder.restored(EXPERIMENT)
    assert found is not None
    assert [entry.position for entry in found.experiment.intervention] == [1]


def test_the_data_may_have_moved_but_nothing_else_changed(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    folder.begin(EXPERIMENT)
    moved = replace(EXPERIMENT, data=DataSpec(path="/elsewhere/x.csv", target="y"))
    found = folder.restored(moved)
    assert found is not None
    assert found.experiment == moved
    for other in (
        replace(EXPERIMENT, data=DataSpec(path="x.csv", target="z")),
        replace(EXPERIMENT, baselines=False),
        replace(EXPERIMENT, replay=replace(EXPERIMENT.replay, seed=1)),
        replace(EXPERIMENT, split=replace(EXPERIMENT.split, train=0.3)),
    ):
        assert folder.restored(other) is None


def test_faults_and_prices_are_there_again(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    given = replace(EXPERIMENT, fault=[Outage(start=5, stop=9)])
    folder.begin(given)
    noise = LabelNoise(start=100, rate=0.5)
    for line in (
        JournalLine(fault=noise),
        JournalLine(prices=PriceSpec(error=2.0)),
        JournalLine(fault_removed=0),
        JournalLine(intervention=Intervention(120, "A", rollback=50)),
        JournalLine(prices=PriceSpec(error=3.0)),
    ):
        folder.append(line)
    # The window may have other faults and prices by now: what was deployed counts.
    found = folder.restored(replace(EXPERIMENT, prices=PriceSpec(error=9.0)))
    assert found is not None
    assert found.experiment.fault == [noise]
    assert found.experiment.prices == PriceSpec()
    assert found.prices == PriceSpec(error=3.0)
    assert [entry.rollback for entry in found.experiment.intervention] == [50]
