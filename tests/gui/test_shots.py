"""Pictures of the Deploy page from a results folder, and the folder read back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellab.errors import LabError
from modellab.experiment import (
    DataSpec,
    DriftSpec,
    Experiment,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    ScheduledPolicy,
    SplitSpec,
)

ROWS, TRAIN = 1200, 400


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A small run and its results."""
    from modellab.export.results import write_results
    from modellab.replay.run import run_experiment

    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(2)
    a = rng.normal(size=ROWS)
    lines = ["a,b,y"]
    for i in range(ROWS):
        flip = 1 if i < 800 else -1
        lines.append(f"{a[i]:.4f},{rng.normal():.4f},{'up' if flip * a[i] > 0 else 'down'}")
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    experiment = Experiment(
        data=DataSpec(path=str(folder / "data.csv"), target="y"),
        split=SplitSpec(train=TRAIN),
        drift=DriftSpec(window=200, every=200),
        lane=[
            LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear", None, {"loss": "log"})),
            LaneSpec("Weekly", ScheduledPolicy(every=200, test_rows=50), LearnerSpec("linear")),
        ],
    )
    result = run_experiment(experiment, base=folder)
    out = folder / "results"
    write_results(result, out)
    return result, out


def test_what_was_written_is_read(run: tuple[Any, Path]) -> None:
    from modellab.export.recorded import read_recorded

    result, out = run
    found = read_recorded(out)
    assert found.summary["stream_rows"] == ROWS - TRAIN
    for lane in result.lanes:
        curve = found.curves[lane.name]["error"]
        np.testing.assert_array_equal(curve.start, lane.history["error"].start)
        np.testing.assert_array_equal(curve.mean, lane.history["error"].mean)
        if lane.parameters.names:
            taken = found.parameters[lane.name]
            assert taken.names == list(lane.parameters.names)
            np.testing.assert_array_equal(taken.values, lane.parameters.values)
    assert len(found.events) == len(result.events)


def test_a_folder_without_results_is_one_sentence(tmp_path: Path) -> None:
    from modellab.export.recorded import read_recorded

    with pytest.raises(LabError, match="cannot be read"):
        read_recorded(tmp_path)


def test_the_recorded_session_tells_what_the_run_told(run: tuple[Any, Path]) -> None:
    from modellab.gui.recorded_session import recorded_session

    result, out = run
    live = recorded_session(result.experiment, out).deployment
    assert live is not None
    assert (live.position, live.train_rows) == (ROWS, TRAIN)
    assert live.selected == "Online"
    for lane in result.lanes:
        news = live.lanes[lane.name].news
        assert news is not None
        assert news.updates == lane.updates
        assert news.error == lane.metrics["window"]["error"]
    assert live.lanes["Weekly"].news.settings["every"] == 200  # type: ignore[union-attr]
    assert sum(e.kind in ("retrain", "reject") for e in live.events) == 3
    checks = result.feature_drift
    assert len(checks.positions)
    assert live.feature_drift.columns == checks.columns
    assert live.feature_drift.thresholds == checks.thresholds
    np.testing.assert_array_equal(live.feature_drift.positions, checks.positions)
    np.testing.assert_array_equal(live.feature_drift.score, checks.score)
    np.testing.assert_array_equal(live.feature_drift.psi, checks.psi)
    told = {lane.name: lane.rates for lane in result.lanes}
    assert told["Online"]["best"] is not None
    assert live.lanes["Online"].news.rates == told["Online"]  # type: ignore[union-attr]


def test_results_of_before_say_what_they_do_not_hold(
    run: tuple[Any, Path], tmp_path: Path, qtbot: Any, looks: None
) -> None:
    from modellab.gui.deploy.plot_stack import PlotStack
    from modellab.gui.recorded_session import recorded_session

    result, out = run
    old = tmp_path / "old"
    shutil.copytree(out, old)
    (old / "feature_drift.parquet").unlink()
    told = json.loads((old / "summary.json").read_text())
    for lane in told["lanes"]:
        lane.pop("rates", None)
    (old / "summary.json").write_text(json.dumps(told))
    session = recorded_session(result.experiment, old)
    live = session.deployment
    assert live is not None
    assert not len(live.feature_drift)
    assert "track_rates" not in live.lanes["Online"].news.settings  # type: ignore[union-attr]
    stack = PlotStack(session)
    qtbot.addWidget(stack)
    stack.structure_changed()
    assert "hold no checks" in stack.drift_plot.empty_text


def test_the_picture_shows_the_lanes(
    run: tuple[Any, Path], tmp_path: Path, qtbot: Any, looks: None
) -> None:
    from PySide6.QtGui import QImage

    from modellab.gui.shots import deploy_picture
    from modellab.gui.theme import LIGHT

    result, out = run
    path = tmp_path / "deploy.png"
    deploy_picture(result.experiment, out, path, size=(1280, 800))
    image = QImage(str(path))
    assert (image.width(), image.height()) == (1280, 800)
    colours = {
        image.pixelColor(x, y).name().lower()
        for x in range(0, image.width(), 2)
        for y in range(0, image.height(), 2)
    }
    # Cards and thick lines hold the pure colours of both lanes.
    assert LIGHT.lanes[0].lower() in colours
    assert LIGHT.lanes[1].lower() in colours


def test_costs_follow_from_the_errors(run: tuple[Any, Path], qtbot: Any, looks: None) -> None:
    from modellab.gui.recorded_session import fill_costs, recorded_session
    from modellab.gui.window import MainWindow

    result, out = run
    session = recorded_session(result.experiment, out)
    window = MainWindow(session)
    fill_costs(window)
    page: Any = window.page("deploy")
    recording = page.plots.recorder.lanes["Online"]
    lane = next(lane for lane in result.lanes if lane.name == "Online")
    assert recording.x[-1] == ROWS
    # A bucket's mean is over its rows: the end is near, not at, the sum.
    assert recording.values("cost")[-1] == pytest.approx(lane.cost["total"], rel=0.02)
    assert np.all(np.diff(recording.values("cost")) >= -1.0)
    window.close()
    window.deleteLater()


def test_no_picture_without_results(tmp_path: Path, qtbot: Any, looks: None) -> None:
    from modellab.gui.shots import deploy_picture

    experiment = Experiment(data=DataSpec(path="x.csv", target="y"))
    with pytest.raises(LabError):
        deploy_picture(experiment, tmp_path, tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    from modellab.gui.shots import main

    assert main([]) == 2
    assert "FOLDER" in capsys.readouterr().err


def test_a_recorded_run_shows_its_verdict(run: tuple[Any, Path], qtbot: Any, looks: None) -> None:
    from modellab.gui.pages.decide import DecidePage
    from modellab.gui.recorded_session import recorded_session

    result, out = run
    session = recorded_session(result.experiment, out)
    state = session.verdict_state
    assert state.verdict is not None
    assert {row.name for row in state.verdict.lanes} == {lane.name for lane in result.lanes}
    page = DecidePage(session)
    qtbot.addWidget(page)
    page.show()
    page.shown()
    assert page.available() is None
    assert page.lanes.table.model().rowCount() == len(result.lanes)
    assert not page.prices.fields["error"].isEnabled()
    assert "recorded run" in page.prices.fields["error"].toolTip()
    assert state.stale is None
    assert not session.jobs
    page.hidden()
    page.take_down()
