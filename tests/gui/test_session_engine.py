"""The session on the real engine process: what the scripted one only plays."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from modellab.experiment import LaneSpec, LearnerSpec, OnlinePolicy, SplitSpec, replace
from modellab.gui.session import Session
from modellab.gui.session_topics import Message

ROWS = 4000
LANES = [
    LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear", params={"learning_rate": 0.05})),
    LaneSpec("Bayes", OnlinePolicy(), LearnerSpec("online_naive_bayes")),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set whose rule turns round half-way, with two bad rows."""
    path = tmp_path_factory.mktemp("data") / "prices <b>.csv"
    rng = random.Random(3)
    lines = ["when,a,b,city,y"]
    for i in range(ROWS):
        a, b = rng.gauss(0, 1), rng.gauss(0, 1)
        up = (a + 0.3 * b + rng.gauss(0, 0.4)) * (1 if i < ROWS // 2 else -1) > 0
        day, minute = divmod(i, 480)
        stamp = f"2024-01-{1 + day:02d} {minute // 60:02d}:{minute % 60:02d}:00"
        city = rng.choice("ABC")
        lines.append(f"{stamp},{a:.4f},{b:.4f},{city},{'up' if up else 'down'}")
        if i in (100, 200):
            lines.append("broken")
    path.write_text("\n".join(lines) + "\n")
    return path


class Real:
    def __init__(self) -> None:
        self.session = Session()
        self.messages: list[Message] = []
        self.session.subscribe("message", self.messages.append)

    def until(self, ready: Callable[[], object], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end, [m.text for m in self.messages]
            if not self.session.pump():
                time.sleep(0.005)  # the engine is another process: there is nothing to wait on

    def settle(self) -> None:
        self.until(lambda: not self.session.jobs and not self.session._acks)

    def at(self, position: int) -> None:
        live = self.session.deployment
        self.until(lambda: live.position >= position and live.state != "playing")

    def errors(self) -> list[str]:
        return [m.text for m in self.messages if m.kind == "error"]


@pytest.fixture
def real() -> Iterator[Real]:
    made = Real()
    yield made
    made.session.close(keep=False)


def curve(real: Real, lane: str) -> Any:
    return real.session.deployment.lanes[lane].curves["error"]


def test_from_a_file_to_a_steered_replay_and_back_after_a_crash(
    real: Real, data: Path, tmp_path: Path
) -> None:
    session = real.session
    session.open_paths([data])
    real.settle()
    assert session.data.n_rows == ROWS
    assert session.data.bad_rows == 2
    assert session.experiment.data.target == "y"
    assert session.experiment.data.time == "when"
    assert {c["name"] for c in session.profile.columns} == {"when", "a", "b", "city", "y"}
    assert session.task_kind == "classification"
    assert session.row_at(session.time_at(2500)) == pytest.approx(2500, abs=30)

    pages: list[Any] = []
    session.read_rows(10, 12, pages.append)
    session.read_bad_rows(0, 10, pages.append)
    real.settle()
    assert len(pages[0].cells) == 2
    assert pages[0].cells[0][4] in ("up", "down")
    assert pages[1].total == 2
    assert pages[1].rows[0][3] == "broken"
    session.save_bad_rows(tmp_path / "bad.csv")
    real.settle()
    assert "broken" in (tmp_path / "bad.csv").read_text()

    session.edit("Split", replace(session.experiment, split=SplitSpec(train=1000)))
    session.edit("Ignore b", _ignoring(session, "b"))
    session.undo()
    real.settle()
    assert session.profile.train_rows == 1000

    session.train(LearnerSpec("logistic_regression", params={"C": 0.5}))
    real.settle()
    report = session.chosen.report
    assert report.value < 0.35
    assert report.confusion is not None
    assert {i.column for i in report.importance} >= {"a", "b"}

    session.edit("Lanes", replace(session.experiment, lane=LANES))
    session.choose(None)
    session.deploy()
    real.settle()
    assert not real.errors(), real.messages
    live = session.deployment
    assert list(live.lanes)[:2] == ["Online", "Bayes"]
    assert sum(v.baseline for v in live.lanes.values()) == 2
    assert (live.position, live.stop) == (1000, ROWS)

    session.step(1100)
    real.at(2100)
    assert len(curve(real, "Online")) > 0
    session.intervene("Online", learning_rate=0.5)
    real.settle()
    assert session.experiment.intervention[-1].position == 2100
    session.step(900)
    real.at(3000)
    before = live.lanes["Online"].news.cumulative
    assert live.parameters.lane == "Online"
    assert "a" in " ".join(live.parameters.names)
    assert any(e.kind == "intervention" for e in live.events)

    engines = [p for p in psutil.Process().children() if "engine" in " ".join(p.cmdline())]
    assert engines
    os.kill(engines[0].pid, signal.SIGKILL)
    real.until(lambda: session.interrupted is not None and not session.jobs)
    assert real.messages[-1].action == "Continue from row 3,000"
    assert live.lost
    real.messages[-1].run()
    real.settle()
    real.until(lambda: session.deployment.lanes["Online"].news is not None)
    again = session.deployment
    assert again.position == 3000
    assert again.lanes["Online"].news.cumulative == before
    assert session.experiment.intervention[-1].set == {"learning_rate": 0.5}

    place = tmp_path / "mine.mlab"
    assert session.save(place)
    kept = session.experiment
    other = Real()
    try:
        other.session.open_paths([place])
        other.settle()
        assert other.session.experiment == kept
        assert [t.report for t in other.session.trainings] == [report]
        other.session.deploy()
        other.settle()
        other.session.seek(3000)
        other.settle()
        there = other.session.deployment
        other.until(lambda: there.position == 3000 and there.state == "paused")
        # The same experiment, data and journal: the same numbers to the last bit.
        assert other.session.deployment.lanes["Online"].news.cumulative == before
    finally:
        other.session.close(keep=False)
    assert not real.errors()


def _ignoring(session: Session, column: str) -> Any:
    return replace(session.experiment, data=replace(session.experiment.data, ignore=[column]))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("header.csv", b"a,b,y\n"),
        ("binary.csv", bytes(range(256)) * 40),
        ("twice.csv", b"a,a,y\n1,2,x\n3,4,z\n"),
        ("gone.csv", None),
    ],
)
def test_a_bad_file_gives_one_sentence_and_leaves_what_was_open(
    real: Real, data: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    session = real.session
    session.open_paths([data])
    real.settle()
    before = session.experiment
    bad = tmp_path / name
    if content is not None:
        bad.write_bytes(content)
    session.open_paths([bad])
    real.settle()
    if name == "twice.csv":  # renamed, and said so
        assert session.data.name == name
        assert len({c.name for c in session.data.columns}) == 3
        return
    assert len(real.errors()) == 1
    assert real.errors()[0].endswith(".")
    assert session.experiment == before
    assert session.engine_alive
    pages: list[Any] = []
    session.read_rows(0, 2, pages.append)
    real.settle()
    assert len(pages[0].cells) == 2


def test_one_class_and_missing_columns_are_told_and_nothing_dies(
    real: Real, tmp_path: Path
) -> None:
    path = tmp_path / "poor.csv"
    path.write_text("a,nothing,y\n" + "".join(f"{i},,same\n" for i in range(300)))
    session = real.session
    session.open_paths([path])
    real.settle()
    data = replace(session.experiment.data, target="y")
    session.edit("Predict y", replace(session.experiment, data=data))
    real.settle()
    assert "only one value" in session.profile.error
    assert session.why_no_training == session.profile.error
    assert session.train(LearnerSpec("logistic_regression")) is None
    assert session.engine_alive
    assert not real.errors()


def test_a_cancelled_training_ends_soon_and_the_engine_goes_on(real: Real, data: Path) -> None:
    session = real.session
    session.open_paths([data])
    real.settle()
    job = session.train(LearnerSpec("random_forest", params={"n_estimators": 2000}))
    real.until(lambda: job.text != "" or not job.running)
    session.cancel(job)
    real.until(lambda: not job.running)
    assert job.state == "cancelled"
    session.train(LearnerSpec("naive_bayes"))
    real.settle()
    assert [t.learner.kind for t in session.trainings] == ["naive_bayes"]
