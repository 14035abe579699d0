"""The timeline: what lies where, what the handle does, what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_bench import N_ROWS, TRAIN, DeployBench
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Path, looks: None) -> Iterator[DeployBench]:
    made = DeployBench(gui_bench, tmp_path)
    yield made
    made.session.close(keep=False)


@pytest.fixture
def line(bench: DeployBench, qtbot: Any) -> Any:
    from modellab.gui.deploy.timeline import Timeline

    made = Timeline()
    qtbot.addWidget(made)
    made.resize(1032, 92)
    made.show()
    bench.play_to(700)
    made.show_deployment(bench.live)
    return made


def centre(line: Any, row: float) -> QPoint:
    return QPoint(round(line.x_of(row)), round(line.band().center().y()))


def test_rows_and_pixels(line: Any) -> None:
    band = line.band()
    assert line.x_of(0) == band.left()
    assert line.x_of(N_ROWS) == pytest.approx(band.right())
    assert line.row_of(line.x_of(432)) == 432
    # The handle never leaves the stream.
    assert line.row_of(0) == TRAIN
    assert line.row_of(5000) == N_ROWS


def test_training_past_and_future_look_different(line: Any) -> None:
    line.grab()
    image = line.grab().toImage()
    y = round(line.band().top()) + 3

    def colour(row: float) -> str:
        return image.pixelColor(round(line.x_of(row)), y).name()

    assert len({colour(30), colour(450), colour(960)}) == 3


def test_dragging_asks_for_the_row_where_it_is_put_down(line: Any, qtbot: Any) -> None:
    asked: list[int] = []
    line.seek_wanted.connect(asked.append)
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(line, left, pos=centre(line, 700))
    QTest.mouseMove(line, centre(line, 650))
    QTest.mouseMove(line, centre(line, 400))
    assert asked == []
    assert abs(line.handle_row() - 400) <= 1
    QTest.mouseRelease(line, left, pos=centre(line, 400))
    assert len(asked) == 1
    assert abs(asked[0] - 400) <= 1


def test_a_click_elsewhere_only_looks(line: Any) -> None:
    asked: list[int] = []
    looked: list[int] = []
    line.seek_wanted.connect(asked.append)
    line.look_wanted.connect(looked.append)
    QTest.mouseClick(line, Qt.MouseButton.LeftButton, pos=centre(line, 300))
    assert asked == []
    assert abs(looked[0] - 300) <= 1
    # There is nothing to look at in the future.
    QTest.mouseClick(line, Qt.MouseButton.LeftButton, pos=centre(line, 950))
    assert looked[1] == 700


def test_keyboard(line: Any) -> None:
    asked: list[int] = []
    line.seek_wanted.connect(asked.append)
    line.setFocus()
    QTest.keyClick(line, Qt.Key.Key_Left)
    QTest.keyClick(line, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    held = line.handle_row()
    assert held == 700 - 4 - 1
    QTest.keyClick(line, Qt.Key.Key_Escape)
    assert line.handle_row() == 700
    QTest.keyClick(line, Qt.Key.Key_Home)
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert asked == [TRAIN]


def test_it_cannot_be_moved_while_something_is_replayed(line: Any, bench: DeployBench) -> None:
    asked: list[int] = []
    line.seek_wanted.connect(asked.append)
    line.show_deployment(bench.live, busy=True)
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(line, left, pos=centre(line, 700))
    QTest.mouseMove(line, centre(line, 400))
    QTest.mouseRelease(line, left, pos=centre(line, 400))
    assert asked == []


def test_counts_and_tips(line: Any, bench: DeployBench) -> None:
    bench.retrained(400)
    bench.retrained(500, 2, better=False)
    bench.happened(600, "Online", "intervention", "You set learning_rate 0.1 → <b>0.2</b>",
                   learning_rate=0.2)  # fmt: skip
    bench.play_to(720)
    line.show_deployment(bench.live)
    assert line.counts() == [("retrain", 1), ("reject", 1), ("change", 1)]
    tip = line.tip_at(line.x_of(600))
    assert "learning rate 0.1" in tip
    assert "Drag the handle" in line.tip_at(line.x_of(250))


def test_a_mark_of_a_hidden_lane_is_not_shown(line: Any, bench: DeployBench) -> None:
    bench.retrained(400)
    bench.play_to(720)
    bench.session.hide_lane("Retrained")
    line.show_deployment(bench.live)
    assert line.counts() == []
