"""While a file is read, its first rows are looked at, trained on and played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from growing_bench import BATCH, ROWS, GrowingBench, make_csv

from modellab.experiment import LaneSpec, LearnerSpec, OnlinePolicy, ScheduledPolicy, replace
from modellab.export.results import write_results
from modellab.replay.run import collect, run_experiment

LINEAR = LearnerSpec("linear", None, {"learning_rate": 0.05})
NUMBERS = ("history.parquet", "losses.parquet", "parameters.parquet", "events.jsonl")


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_csv(tmp_path_factory.mktemp("growing") / "moves.csv")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, modellab_home: Path) -> Iterator[GrowingBench]:
    made = GrowingBench(monkeypatch)
    yield made
    made.close()


def lanes(bench: GrowingBench) -> None:
    """Two lanes that are soon done with many rows."""
    session = bench.session
    assert session.experiment is not None
    chosen = [
        LaneSpec("Online", OnlinePolicy(), LINEAR),
        LaneSpec("Retrained", ScheduledPolicy(every=20_000, test_rows=500), LINEAR),
    ]
    session.edit("Lanes", replace(session.experiment, lane=chosen))


def deployed(bench: GrowingBench) -> Any:
    lanes(bench)
    bench.session.deploy()
    bench.until(lambda: bench.session.deployment is not None)
    bench.session.set_speed("max", 1.0)
    return bench.session.deployment


def test_the_first_rows_are_a_data_set_while_the_rest_is_read(
    bench: GrowingBench, csv: Path
) -> None:
    session = bench.open(csv)
    assert session.data is not None
    assert not session.data.whole
    assert session.growth.reading
    assert session.growth.words().startswith(f"{BATCH:,} of about ")
    assert session.experiment is not None
    assert session.experiment.split.train == 10_000
    assert session.profile is not None
    assert session.profile.train_rows == 10_000
    assert session.why_no_training is None
    assert session.why_no_deploy is None
    pages: list[Any] = []
    session.read_rows(BATCH - 3, BATCH + 10, pages.append)
    bench.until(lambda: pages)
    assert len(pages[0].cells) == 3
    session.train(LINEAR)
    bench.until(lambda: session.trainings)
    assert session.trainings[0].result.rows == 8_000
    bench.held.finish()
    bench.rows(ROWS)
    assert session.data.whole
    assert not session.growth.reading
    assert session.experiment.split.train == 10_000
    assert not session.trainings[0].stale(session.experiment)
    offered = [m for m in bench.messages if "still the first 10,000 rows" in m.text]
    assert [m.action for m in offered] == ["Make it 20 % of all rows"]
    assert offered[0].run is not None
    offered[0].run()
    assert session.experiment.split.train == 0.2
    assert session.trainings[0].stale(session.experiment)


def test_a_replay_goes_on_over_rows_that_came_as_if_they_had_always_been_there(
    bench: GrowingBench, csv: Path, tmp_path: Path
) -> None:
    session = bench.open(csv)
    live = deployed(bench)
    assert (live.n_rows, live.stop) == (BATCH, BATCH)
    assert live.coming >= BATCH
    session.play()
    bench.until(lambda: live.state == "finished")
    assert live.position == BATCH
    session.intervene("Online", learning_rate=0.02)
    bench.until(lambda: live.experiment.intervention)
    bench.held.go()  # the replay is at the end of what was there: it takes the rows and plays on
    bench.until(lambda: live.position == 2 * BATCH and live.state == "finished")
    assert session.n_rows == 2 * BATCH
    assert session.deployment is live
    bench.held.finish()
    bench.until(lambda: live.position == ROWS and live.state == "finished")
    assert live.coming == 0
    assert not session.deployment_stale
    assert not bench.told("cannot")
    grown = collect(bench.replay)
    write_results(grown, tmp_path / "grown")
    write_results(run_experiment(bench.replay.as_replayed(), base=Path("/")), tmp_path / "whole")
    for name in NUMBERS:
        assert (tmp_path / "grown" / name).read_bytes() == (
            tmp_path / "whole" / name
        ).read_bytes(), name
    assert [e.position for e in bench.replay.journal] == [BATCH]


def test_what_is_read_by_now_can_be_taken_at_any_time(bench: GrowingBench, csv: Path) -> None:
    session = bench.open(csv)
    live = deployed(bench)
    bench.held.go()
    bench.until(lambda: session.growth.rows == 2 * BATCH)
    assert session.growth.waiting_rows == BATCH
    assert session.n_rows == BATCH
    session.growth.use_rows()
    bench.rows(2 * BATCH)
    bench.until(lambda: live.n_rows == 2 * BATCH)
    assert live.state == "paused"


def test_reading_that_is_stopped_leaves_what_was_read_and_can_be_gone_on_with(
    bench: GrowingBench, csv: Path
) -> None:
    session = bench.open(csv)
    bench.held.go()
    bench.until(lambda: session.growth.rows == 2 * BATCH)
    assert session.growth.job is not None
    session.cancel(session.growth.job)
    bench.rows(2 * BATCH)
    assert session.data is not None
    assert not session.data.whole
    assert not session.growth.reading
    assert bench.told(f"Its first {2 * BATCH:,} rows are the data set.")
    session.train(LINEAR)
    bench.until(lambda: session.trainings)
    bench.held.finish()
    session.growth.read_on()
    assert session.why_no_training is None
    bench.rows(ROWS)
    assert session.data.whole
    assert session.growth.problem == ""
    assert not session.trainings[0].stale(session.experiment)


def test_a_failure_deep_in_the_file_leaves_what_was_read(bench: GrowingBench, csv: Path) -> None:
    session = bench.open(csv)
    bench.held.go()
    bench.until(lambda: session.growth.rows == 2 * BATCH)
    bench.held.fail("“moves.csv” ends in the middle of a row.")
    bench.rows(2 * BATCH)
    assert "ends in the middle of a row. Its first 131,072 rows" in session.growth.problem
    assert [m.kind for m in bench.messages if "in the middle" in m.text] == ["error"]
    deployed(bench)
    assert session.deployment is not None
    assert session.deployment.n_rows == 2 * BATCH


def test_a_column_that_turns_out_to_be_another_kind_is_said_and_trained_again(
    bench: GrowingBench, tmp_path: Path
) -> None:
    session = bench.open(make_csv(tmp_path / "odd.csv", odd="level "))
    session.train(LINEAR)
    bench.until(lambda: session.trainings)
    live = deployed(bench)
    session.step(5_000)
    bench.until(lambda: live.position == 15_000)
    assert session.kind_of("b") == "number"
    bench.held.finish()
    bench.rows(ROWS)
    assert session.kind_of("b") != "number"
    told = bench.told("Later rows show another kind of a column: “b”")
    assert len(told) == 1
    assert told[0].endswith("Train and deploy again to go on with all rows.")
    assert session.trainings[0].stale(session.experiment)
    assert session.deployment_stale
    assert (live.n_rows, live.position) == (BATCH, 15_000)
    session.play()  # it still is a replay of the rows that were there
    bench.until(lambda: live.state == "finished")
    assert live.position == BATCH
    session.deploy()
    bench.until(lambda: session.deployment is not live)
    assert session.deployment is not None
    assert session.deployment.n_rows == ROWS


def test_a_class_that_comes_later_is_said_and_trained_again(
    bench: GrowingBench, tmp_path: Path
) -> None:
    session = bench.open(make_csv(tmp_path / "other.csv", other="flat"))
    session.train(LINEAR)
    bench.until(lambda: session.trainings)
    live = deployed(bench)
    bench.held.finish()
    bench.rows(ROWS)
    assert bench.told("Later rows hold other classes of “move”: “flat”.")
    bench.until(lambda: session.job_of("grow") is None)
    assert session.trainings[0].stale(session.experiment)
    assert session.deployment_stale
    assert live.n_rows == BATCH


def test_a_split_by_share_waits_for_all_rows(
    bench: GrowingBench, csv: Path, tmp_path: Path
) -> None:
    session = bench.open(csv)
    assert session.experiment is not None
    share = replace(session.experiment, split=replace(session.experiment.split, train=0.3))
    by_rows = replace(session.experiment, split=replace(session.experiment.split, train=60_000))
    from modellab.gui.session_data import Opening
    from modellab.gui.session_growing import first_use

    assert first_use(Opening(share, None, None, [])) is None
    assert first_use(Opening(by_rows, None, None, [])) == 75_000
    place = tmp_path / "saved.toml"
    session.edit("Split", by_rows)
    assert session.save(place)  # saved while it grows: the split is a number of rows
    assert "train = 60000" in place.read_text().replace("60_000", "60000")


def pages(bench: GrowingBench, settle: Callable[[], None]) -> Any:
    from modellab.gui.window import MainWindow

    window = MainWindow(bench.session)
    window.resize(1280, 720)
    window.show()
    settle()
    return window


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_pages_tell_that_rows_are_being_read(
    bench: GrowingBench,
    csv: Path,
    looks: None,
    settle: Callable[[], None],
    picture: Callable[..., Any],
    mode: str,
) -> None:
    from modellab.gui.theme import theme_hub

    theme_hub().set_mode(mode)
    window = pages(bench, settle)
    try:
        session = bench.open(csv)
        window.show_page("data")
        settle()
        page = window.page("data")
        assert page.growing.isVisible()
        assert page.growing.text().startswith(f"First {BATCH:,} rows")
        assert "rows read" in page.growing.text()
        assert "first 65,536 rows" in page.head._facts.text().replace("\u202f", ",")
        picture(window, f"growing-data-{mode}")
        live = deployed(bench)
        session.play()
        bench.until(lambda: live.state == "finished")
        window.show_page("deploy")
        settle()
        offer = window.page("deploy").offer
        assert "it goes on when more are" in offer.words.text()
        timeline = window.page("deploy").timeline
        assert timeline.band().right() < timeline.width() - 100
        picture(window, f"growing-deploy-{mode}")
        session.cancel(session.growth.job)
        bench.until(lambda: not session.growth.reading)
        window.show_page("data")
        settle()
        assert page.growing.on.isVisible()
        assert not page.growing.stop.isVisible()
        picture(window, f"growing-stopped-{mode}")
        assert timeline.band().right() > timeline.width() - 100
        bench.held.finish()
        page.growing.on.click()
        bench.rows(ROWS)
        settle()
        assert not page.growing.isVisible()
    finally:
        window.close()
        window.deleteLater()
