"""The heat map of feature drift: what is painted, told, and reached by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest

from modellab.gui.session_deployment import FeatureDriftView
from modellab.replay.protocol import FeatureDriftNews, pack


def view_of(score: np.ndarray, positions: np.ndarray, names: list[str]) -> FeatureDriftView:
    view = FeatureDriftView()
    view.apply(
        FeatureDriftNews(
            columns=names,
            tests=["Kolmogorov-Smirnov"] * len(names),
            threshold=[0.05] * len(names),
            from_index=0,
            positions=pack(positions),
            score=pack(score),
            psi=pack(score / 10),
        )
    )
    return view


@pytest.fixture
def plot(qtbot: Any, looks: None) -> Iterator[Any]:
    from modellab.gui.plots.drift_map import DriftMap
    from modellab.gui.plots.view_range import ViewRange

    rows = ViewRange()
    made = DriftMap("Feature drift", "tip", rows, date_of=lambda _row: "")
    qtbot.addWidget(made)
    made.resize(800, 160)
    made.show()
    rows.set_stream(0, 1000, 1000)
    return made


POSITIONS = np.arange(100, 1000, 100)


def drift() -> FeatureDriftView:
    score = np.full((len(POSITIONS), 4), 0.2)
    score[4:6, 1] = 1.5  # in alarm from row 500 to row 700
    score[:2, 3] = np.nan
    return view_of(score, POSITIONS, ["a", "b", "c <b>", "d"])


def pixel(image: Any, plot: Any, row: float, column: int) -> Any:
    area = plot.area()
    high = area.height() / 4
    return image.pixelColor(round(plot.x_of(row)), round(area.top() + (column + 0.5) * high))


def test_alarms_have_a_bar_and_not_only_a_colour(plot: Any, picture: Any) -> None:
    from modellab.gui.plots.drift_map import BAR

    plot.show_drift(drift())
    plot.refresh()
    image = picture(plot, "drift-map")
    assert pixel(image, plot, 600, 1).name() == BAR.lower()
    for row, column in ((600, 0), (450, 1), (750, 1)):
        assert pixel(image, plot, row, column).name() != BAR.lower()
    # Not told stays the ground, and so does what lies before the first check.
    ground = pixel(image, plot, 50, 0)
    assert pixel(image, plot, 150, 3) == ground
    assert pixel(image, plot, 350, 3) != ground


def test_colours_grow_lighter_and_end_at_twice_the_threshold() -> None:
    from modellab.gui.plots.drift_map import score_colours

    scores = np.array([[0.0, 0.5, 1.0, 1.5, 2.0, 9.0, np.nan]])
    packed = score_colours(scores, 2.0)[0]
    light = [
        0.2126 * (c >> 16 & 255) + 0.7152 * (c >> 8 & 255) + 0.0722 * (c & 255)
        for c in packed[:5].tolist()
    ]
    assert light == sorted(light)
    assert light[-1] - light[0] > 120
    assert packed[4] == packed[5]
    assert packed[6] == 0


def test_the_cell_under_the_mouse_is_told_in_words(plot: Any) -> None:
    plot.show_drift(drift())
    plot.refresh()
    area = plot.area()
    at = QPointF(plot.x_of(620), area.top() + area.height() * 0.375)
    none = Qt.MouseButton.NoButton
    plot.mouseMoveEvent(
        QMouseEvent(QMouseEvent.Type.MouseMove, at, at, none, none, Qt.KeyboardModifier.NoModifier)
    )
    assert (plot.column, plot.view.hover) == (1, 620)
    assert plot.cell_words(620, 1) == [
        "Kolmogorov-Smirnov 0.075, threshold 0.05",
        "PSI 0.15, checked at row 600",
        "1.50 × its threshold: an alarm",
    ]
    assert plot.cell_words(620, 0)[-1] == "0.20 × its threshold: no alarm"
    assert plot.cell_words(150, 3)[-1] == "Cannot be told here."
    assert plot.cell_words(50, 1) == []


def test_the_keyboard_reaches_every_cell(plot: Any) -> None:
    plot.show_drift(drift())
    plot.refresh()
    QTest.keyClick(plot, Qt.Key.Key_Down)
    assert plot.column == 0
    assert plot.view.hover == 1000
    QTest.keyClick(plot, Qt.Key.Key_Up)
    assert plot.column == 3
    QTest.keyClick(plot, Qt.Key.Key_Up)
    assert plot.accessibleDescription().startswith("c <b> at row 1,000: Kolmogorov-Smirnov")
    QTest.keyClick(plot, Qt.Key.Key_Left)
    assert plot.view.hover < 1000


def test_nothing_is_drawn_anew_without_news(plot: Any) -> None:
    view = drift()
    plot.show_drift(view)
    heat = plot.heat
    plot.show_drift(view)
    assert plot.heat is heat
    view.cut(650)
    plot.show_drift(view)
    assert plot.heat is not heat
    assert len(plot.heat.positions) == 6
    view.clear()
    plot.show_drift(view)
    assert plot.heat is None


def test_checks_that_came_since_the_last_drawing_do_no_harm(plot: Any, qtbot: Any) -> None:
    seen = drift()
    plot.show_drift(seen)
    plot.refresh()
    later = view_of(np.full((3, 4), 0.3), np.array([1000, 1100, 1200]), seen.columns)
    seen.positions = np.concatenate([seen.positions, later.positions])
    seen.score = np.concatenate([seen.score, later.score])
    seen.psi = np.concatenate([seen.psi, later.psi])
    plot.view.set_stream(0, 1300, 1300)
    with qtbot.captureExceptions() as raised:
        plot.grab()
    assert raised == []
