"""The engine killed, work given up, the window closed: told in plain words, and nothing is lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Test folders are no packages: helpers that lie here are imported by their bare names.
_HERE = str(Path(__file__).parent)
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)

from live_window import LiveWindow, live_window, prices  # noqa: E402

from modellab.experiment import (  # noqa: E402
    Experiment,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    ScheduledPolicy,
    SplitSpec,
    replace,
)
from modellab.export.results import LANE_MEASURED, MEASURED, write_results  # noqa: E402
from modellab.gui.kit.buttons import LinkButton  # noqa: E402
from modellab.replay.run import run_experiment  # noqa: E402

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]

ROWS = 3000
LANES = [
    LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear", params={"learning_rate": 0.05})),
    LaneSpec(
        "Retrained",
        ScheduledPolicy(every=500, test_rows=100),
        LearnerSpec("logistic_regression", params={"max_iter": 50}),
    ),
]
SLOW = LearnerSpec("mlp", params={"units": 200, "layers": 2, "epochs": 2000})


@pytest.fixture
def live(qapp: Any) -> Iterator[LiveWindow]:
    """A window of one test's own: engines die in it."""
    with live_window() as made:
        yield made


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file that takes a moment to read."""
    path = tmp_path / "big.csv"
    path.write_text("a,b,y\n" + "1,2.5,up\n3,4.5,down\n2,1.5,up\n" * 300_000)
    return path


def opened(live: LiveWindow, path: Path) -> Experiment:
    """Open prices with two lanes and a training window of 1,000 rows."""
    live.open(path)
    live.rest()
    session = live.session
    assert session.data.paths == [str(path)]
    changed = replace(session.experiment, split=SplitSpec(train=1000), lane=LANES)
    session.edit("Lanes and split", changed)
    live.rest()
    live.clear()
    return session.experiment


def under_way(live: LiveWindow, kind: str) -> Any:
    """Wait until a job of this kind does something, and return it."""

    def found() -> Any:
        jobs = [job for job in live.session.running_jobs if job.kind == kind]
        return next((job for job in jobs if job.text or job.done > 0), None)

    return live.until(found)


def played_to(live: LiveWindow, position: int) -> None:
    live.until(
        lambda: (
            live.session.deployment.position >= position
            and live.session.deployment.state != "playing"
        )
    )


def link(live: LiveWindow, words: str) -> Callable[[], None]:
    """Return the press on a link that is on screen."""
    found = [b for b in live.window.findChildren(LinkButton) if b.isVisible() and b.text() == words]
    assert found, words
    return found[0].click


def numbers(folder: Path) -> dict[str, Any]:
    """All that a replay gave, but for what was measured with a clock."""
    files = ("history.parquet", "parameters.parquet", "events.jsonl")
    found: dict[str, Any] = {name: (folder / name).read_bytes() for name in files}
    summary = json.loads((folder / "summary.json").read_text())
    for key in MEASURED:
        del summary[key]
    for lane in summary["lanes"]:
        for key in LANE_MEASURED:
            del lane[key]
    found["summary"] = summary
    return found


# ---------------------------------------------------------------- the engine is killed


def test_killed_while_it_reads_trains_and_deploys(
    live: LiveWindow, big: Path, tmp_path: Path
) -> None:
    session, window = live.session, live.window
    before = opened(live, prices(tmp_path / "prices.csv", ROWS))
    data = session.data
    live.open(big)
    under_way(live, "open")
    dead = live.engine_pid
    live.kill_engine()
    toast = live.toast("stopped")
    live.rest()
    assert live.said() == ["The engine stopped while reading big.csv and was started again."]
    assert "SIGKILL" in toast.notice.detail
    assert live.engine_pid != dead
    # What was open is open in the new engine too, and the reading can be had again.
    assert (session.data, session.experiment) == (data, before)
    toast._act()
    live.until(lambda: session.data.name == "big.csv")
    live.rest()
    assert session.n_rows == 900_000

    session.recover(next(kept.id for kept in session.recoverable()))
    live.until(lambda: session.data.name == "prices.csv")
    live.rest()
    assert session.experiment == before
    live.clear()
    assert window.show_page("train")
    session.train(SLOW)
    under_way(live, "train")
    live.kill_engine()
    toast = live.toast("stopped")
    live.rest()
    assert live.said() == ["The engine stopped while training and was started again."]
    assert session.trainings == []
    toast._act()
    under_way(live, "train")
    session.cancel(session.job_of("train"))
    live.rest()
    session.train(LearnerSpec("naive_bayes"))
    live.rest()
    assert [t.learner.kind for t in session.trainings] == ["naive_bayes"]

    live.clear()
    session.deploy()
    under_way(live, "deploy")
    live.kill_engine()
    toast = live.toast("stopped")
    live.rest()
    (told,) = live.said()
    assert told == "The engine stopped while switching to deployment and was started again."
    toast._act()
    live.rest()
    assert session.deployment.position == 1000
    assert window.show_page("deploy")
    assert len(session.trainings) == 1


def test_killed_in_a_replay_it_goes_on_to_the_same_numbers(
    live: LiveWindow, tmp_path: Path
) -> None:
    session, window = live.session, live.window
    opened(live, prices(tmp_path / "prices.csv", ROWS))
    session.deploy()
    live.rest()
    assert window.show_page("deploy")
    session.step(500)
    played_to(live, 1500)
    session.intervene("Online", learning_rate=0.3)
    session.fork("Online", "Fork", learning_rate=0.01)
    live.rest()
    # Killed while it plays, and while it is told something.
    session.set_speed("rows", 2000)
    session.play()
    live.until(lambda: session.deployment.position > 1700)
    session.intervene("Online", learning_rate=0.1)
    live.until(lambda: len(session.experiment.intervention) > 3)
    live.clear()
    live.kill_engine()
    live.toast("stopped")
    live.rest()
    at = session.interrupted.position
    where = f"{at:,}"
    (told,) = live.said()
    assert told == f"The engine stopped and was started again. The replay was at row {where}."
    journal = session.experiment.intervention
    # In place, too: the message in the corner goes away by itself.
    live.window.toasts.clear()
    assert f"The engine stopped at row {where}." in live.banners()[0]
    assert window.status.state() == "Stream interrupted"
    assert not window.page("deploy").transport.play.isEnabled()
    session.play()
    live.rest()
    link(live, f"Continue from row {where}")()
    live.until(lambda: session.deployment is not None and not session.deployment.lost)
    live.rest()
    played_to(live, at)
    assert session.deployment.position == at
    assert session.interrupted is None
    assert live.banners() == []
    assert session.experiment.intervention == journal
    assert [e.lane for e in journal] == ["Online", "Online", "Fork", "Online"]
    assert "Fork" in session.deployment.lanes
    # To the end, and compared with a replay that nothing disturbed.
    session.set_speed("max", 0)
    session.play()
    played_to(live, ROWS)
    session.write_results(tmp_path / "here")
    live.rest()
    write_results(run_experiment(session.experiment, base=tmp_path), tmp_path / "there")
    assert numbers(tmp_path / "here") == numbers(tmp_path / "there")


def test_an_engine_that_keeps_dying_is_left_alone_until_told(
    live: LiveWindow, tmp_path: Path
) -> None:
    session = live.session
    before = opened(live, prices(tmp_path / "prices.csv", ROWS))
    for _ in range(3):
        dead = live.engine_pid
        live.kill_engine()
        live.until(lambda: session.engine_alive and live.engine_pid != dead)  # noqa: B023
    live.clear()
    live.kill_engine()
    toast = live.toast("keeps stopping")
    live.rest()
    assert live.said() == [toast.notice.text]
    assert "was not started again. What you did is kept." in toast.notice.text
    assert session.engine_state == "down"
    assert live.window.status.state() == "The engine is not running"
    # Every wish is answered with the way out; nothing is thrown away.
    live.window.toasts.clear()
    session.train(LearnerSpec("naive_bayes"))
    assert "Start the engine again" in live.toast().notice.action
    assert session.experiment == before
    assert live.window.registry.get("run.restart_engine").enabled() is None
    live.window.registry.run("run.restart_engine")
    live.until(lambda: session.engine_alive)
    live.rest()
    session.train(LearnerSpec("naive_bayes"))
    live.rest()
    assert len(session.trainings) == 1


# ---------------------------------------------------------------- work is given up


def test_what_is_given_up_ends_and_leaves_nothing(
    live: LiveWindow, big: Path, tmp_path: Path
) -> None:
    session = live.session
    before = opened(live, prices(tmp_path / "prices.csv", ROWS))
    kept = session.data

    def importing() -> Any:
        live.open(big)
        return under_way(live, "open")

    def training() -> Any:
        session.train(SLOW)
        return under_way(live, "train")

    def deploying() -> Any:
        lanes = [LaneSpec("Slow", OnlinePolicy(), LearnerSpec("linear")), *LANES]
        lanes.append(LaneSpec("Deep", ScheduledPolicy(every=500), SLOW))
        session.edit("Slow lanes", replace(session.experiment, lane=lanes))
        live.rest()
        session.deploy()
        return under_way(live, "deploy")

    for start in (importing, training, deploying):
        job = start()
        live.window.registry.run("run.cancel")
        live.until(lambda: not job.running)  # noqa: B023
        assert job.state == "cancelled"
        live.rest()
        assert live.said() == []
        assert session.data is kept
        assert session.deployment is None
        assert session.trainings == []
    session.undo()
    assert session.experiment == before
    live.rest()
    session.deploy()
    live.rest()
    assert session.deployment.position == 1000


# ---------------------------------------------------------------- the window is closed


def test_unsaved_work_is_offered_at_the_next_start_and_goes_on(qapp: Any, tmp_path: Path) -> None:
    path = prices(tmp_path / "prices.csv", ROWS)
    with live_window() as first:
        session = first.session
        opened(first, path)
        session.train(LearnerSpec("decision_tree"))
        first.rest()
        session.choose(None)
        session.deploy()
        first.rest()
        session.step(400)
        played_to(first, 1400)
        session.intervene("Online", learning_rate=0.2)
        first.rest()
        session.step(200)
        played_to(first, 1600)
        experiment, trained = session.experiment, session.trainings[0].result
        assert len(experiment.intervention) == 1
    with live_window() as second:
        session, window = second.session, second.window
        (offer,) = second.banners()
        assert offer.startswith("“prices.csv” was not saved")
        assert "The stream was at row 1,600." in offer
        link(second, "Open it again")()
        second.until(lambda: session.data is not None)
        second.rest()
        assert session.experiment == experiment
        assert [t.result for t in session.trainings] == [trained]
        assert session.dirty
        # Offered in passing, and in its place.
        assert second.said() == ["The unsaved session is open again. The replay was at row 1,600."]
        second.clear()
        assert window.show_page("deploy")
        second.rest()
        (told,) = second.banners()
        assert told.startswith("This replay was at row 1,600 when it was left.")
        link(second, "Continue from row 1,600")()
        second.until(lambda: session.deployment is not None)
        second.rest()
        played_to(second, 1600)
        assert session.deployment.experiment.intervention == experiment.intervention
        session.set_speed("max", 0)
        session.play()
        played_to(second, ROWS)
        session.write_results(tmp_path / "here")
        second.rest()
        assert session.save(tmp_path / "kept.mlab")
        second.rest()
    write_results(run_experiment(experiment, base=tmp_path), tmp_path / "there")
    assert numbers(tmp_path / "here") == numbers(tmp_path / "there")
    with live_window() as third:
        # What was saved is not offered: it is in the recent list.
        assert third.banners() == []
        third.open(tmp_path / "kept.mlab")
        third.rest()
        assert third.session.experiment.intervention == experiment.intervention
