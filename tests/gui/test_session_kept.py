from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import scripted_engine as scripted
from gui_bench import GuiBench

from modellab.experiment import LearnerSpec, SplitSpec, replace
from modellab.gui import session_kept as kept
from modellab.gui.session_topics import Message
from modellab.gui.session_training import Training
from modellab.replay import protocol as p

TREE = LearnerSpec("linear", None, {"alpha": 0.01})
BAYES = LearnerSpec("naive_bayes")


class Bench(GuiBench):
    """A session on scripted engines, with the sentences it told."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.session.subscribe("message", self.messages.append)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "prices.csv"


def trained(csv: Path, *learners: LearnerSpec) -> Bench:
    bench = Bench()
    bench.open(csv)
    for learner in learners:
        bench.session.train(learner)
        bench.settle()
    return bench


def opened(path: Path) -> Bench:
    bench = Bench()
    bench.session.open_paths([path])
    bench.settle()
    return bench


def told(training: Training) -> tuple[object, ...]:
    return (
        training.id,
        training.index,
        training.when,
        training.result,
        training.report,
        training.experiment.data,
        training.experiment.split,
        training.experiment.replay.seed,
    )


def rewritten(path: Path, change: Any) -> None:
    """Write the archive anew with another ``trainings.json``."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["trainings.json"] = change(members["trainings.json"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_trainings_come_back_with_the_mlab(csv: Path, tmp_path: Path) -> None:
    bench = trained(csv, TREE, BAYES)
    session = bench.session
    session.edit("Move the split", replace(session.experiment, split=SplitSpec(train=0.5)))
    bench.settle()
    session.train(BAYES)
    bench.settle()
    assert session.dirty
    place = tmp_path / "mine.mlab"
    assert session.save(place)
    assert not session.dirty
    other = opened(place)
    assert [told(t) for t in other.session.trainings] == [told(t) for t in session.trainings]
    assert other.session.chosen is other.session.trainings[-1]
    stale = [t.stale(other.session.experiment) for t in other.session.trainings]
    assert stale == [True, True, False]
    assert not other.session.dirty
    other.session.train(TREE)
    other.settle()
    assert other.session.trainings[-1].id == 4
    assert other.session.dirty
    other.session.remove_training(4)
    assert not other.session.dirty  # as the file has it


def test_a_regression_report_comes_back(csv: Path, tmp_path: Path) -> None:
    bench = trained(csv)
    experiment = bench.session.experiment
    data = replace(experiment.data, target="price")
    bench.session.edit("Another target", replace(experiment, data=data))
    bench.settle()
    bench.session.train(TREE)
    bench.settle()
    assert bench.session.trainings[0].report.residuals is not None
    bench.session.save(tmp_path / "mine.mlab")
    found = opened(tmp_path / "mine.mlab").session.trainings
    assert [told(t) for t in found] == [told(t) for t in bench.session.trainings]


def test_a_toml_file_holds_the_experiment_alone(csv: Path, tmp_path: Path) -> None:
    session = trained(csv, TREE).session
    place = tmp_path / "mine.toml"
    assert session.save(place)
    assert not session.dirty
    assert "training" not in place.read_text().replace("[training]", "")
    assert opened(place).session.trainings == []
    assert session.save(tmp_path / "mine.mlab")
    assert len(opened(tmp_path / "mine.mlab").session.trainings) == 1


def test_without_trainings_there_is_no_member(csv: Path, tmp_path: Path) -> None:
    trained(csv).session.save(tmp_path / "mine.mlab")
    with zipfile.ZipFile(tmp_path / "mine.mlab") as archive:
        assert "trainings.json" not in archive.namelist()
    assert opened(tmp_path / "mine.mlab").messages == []


def test_data_that_were_moved_do_not_make_trainings_stale(csv: Path, tmp_path: Path) -> None:
    bench = trained(csv, TREE)
    place = tmp_path / "mine.mlab"
    bench.session.save(place)
    moved = tmp_path / "elsewhere" / "p.csv"
    moved.parent.mkdir()
    csv.rename(moved)
    other = Bench()
    other.session.open_experiment(place, [moved])
    other.settle()
    training = other.session.trainings[0]
    assert training.experiment.data.paths == [str(moved)]
    assert not training.stale(other.session.experiment)


def test_results_that_come_later_leave_the_trainings_in(csv: Path, tmp_path: Path) -> None:
    bench = trained(csv, TREE)
    bench.session.deploy()
    bench.settle()
    bench.feed(300)
    place = tmp_path / "mine.mlab"
    bench.session.save(place)
    bench.settle()
    assert bench.engine.count(p.WriteResults) == 1
    with zipfile.ZipFile(place) as archive:
        assert {"results/summary.json", "trainings.json"} <= set(archive.namelist())


def _change(**changes: Any) -> Any:
    def change(content: bytes) -> bytes:
        file = json.loads(content)
        file["trainings"][0].update(changes)
        return json.dumps(file).encode()

    return change


def _report(**changes: Any) -> Any:
    def change(content: bytes) -> bytes:
        file = json.loads(content)
        file["trainings"][0]["report"].update(changes)
        return json.dumps(file).encode()

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-10],
        lambda content: b"",
        lambda content: b"\xff\xfe",
        lambda content: b"[" * 100_000,
        lambda content: content.replace(b'"version":1', b'"version":2'),
        lambda content: content + b" " * kept.MAX_BYTES,
        _change(id=0),
        _change(id=2),
        _change(when=1e300),
        _change(code="import os"),
        _change(title=""),
        _change(rows=-1),
        _change(learner={"kind": "of the future"}),
        _change(learner={"kind": "linear", "params": {"alpha": [1]}}),
        _change(split={"train": 0.2, "test": 7.0}),
        _report(scores=[]),
        _report(start=9, stop=3),
        _report(rows=2**60),
        _report(task="ranking"),
        _report(confusion={"labels": ["a", "b"], "counts": [[1, 2], [3]]}),
        _report(roc=[{"label": "a", "x": [0, 1], "y": [0], "area": 1}]),
        _report(worst=[{"position": -4, "true": 1, "predicted": 2, "loss": 1}]),
    ],
)
def test_trainings_that_are_broken_are_left_out_with_one_sentence(
    csv: Path, tmp_path: Path, change: Any
) -> None:
    bench = trained(csv, TREE, BAYES)
    place = tmp_path / "mine.mlab"
    bench.session.save(place)
    assert len(opened(place).session.trainings) == 2
    rewritten(place, change)
    other = opened(place)
    assert other.session.experiment == bench.session.experiment
    assert other.session.trainings == []
    assert [m.kind for m in other.messages] == ["warning"]
    assert "trainings in “mine.mlab” cannot be read" in other.messages[0].text
    assert other.messages[0].detail


def test_a_damaged_member_does_not_keep_the_experiment_from_opening(
    csv: Path, tmp_path: Path
) -> None:
    bench = trained(csv, TREE)
    place = tmp_path / "mine.mlab"
    bench.session.save(place)
    with zipfile.ZipFile(place) as archive:
        info = archive.getinfo("trainings.json")
    whole = bytearray(place.read_bytes())
    at = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    whole[at] ^= 0x55
    place.write_bytes(bytes(whole))
    other = opened(place)
    assert other.session.experiment == bench.session.experiment
    assert other.session.trainings == []
    assert [m.kind for m in other.messages] == ["warning"]


def test_of_too_many_trainings_the_newest_are_saved(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = trained(csv, TREE, BAYES, TREE)
    content, count = kept.encode_trainings(bench.session.trainings)
    assert content is not None
    assert count == 3
    monkeypatch.setattr(kept, "MAX_BYTES", len(content) - 200)
    place = tmp_path / "mine.mlab"
    assert bench.session.save(place)
    assert "only the newest 2 were saved" in bench.messages[-1].text
    assert [t.id for t in opened(place).session.trainings] == [2, 3]


def test_the_scripted_report_has_all_parts() -> None:
    # What the tests above tell of shapes holds for reports that have them.
    assert {"confusion", "roc", "worst"} <= set(scripted.report("classification"))
