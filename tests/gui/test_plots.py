"""Live plots: what is kept of the data, where labels go, how ranges move, what is painted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from modellab.gui.plots import live_paint
from modellab.gui.plots.labels import push_apart
from modellab.gui.plots.mark_groups import MarkGroups
from modellab.gui.plots.parts import HeatMap, LiveLine, Mark
from modellab.gui.plots.series import AutoRange, Recording, decimate, decimate_all
from modellab.gui.plots.ticks import (
    date_ticks,
    full_date,
    nice_step,
    number_ticks,
    short_texts,
    tick_texts,
)
from modellab.gui.plots.view_range import ViewRange

DAY = 86_400 * 10**9


class TestDecimate:
    @given(
        st.integers(1, 5000),
        st.integers(1, 400),
        st.floats(0, 1),
        st.integers(0, 2**31),
        st.booleans(),
    )
    def test_keeps_extremes_ends_and_order(
        self, count: int, pixels: int, share: float, seed: int, gaps: bool
    ) -> None:
        rng = np.random.default_rng(seed)
        x = np.arange(count) * 3.0 + 7
        y = rng.normal(size=count)
        if gaps:
            y[rng.random(count) < 0.01] = np.nan
        low = x[0] + share * 0.5 * (x[-1] - x[0])
        dx, dy = decimate(x, y, low, x[-1], pixels)
        assert np.all(np.diff(dx) > 0)
        assert len(dx) <= 3 * pixels + 9
        # Every point is one of the series.
        at = np.searchsorted(x, dx)
        np.testing.assert_array_equal(dy, y[at])
        inside = (x >= low) & (x <= x[-1])
        shown = (dx >= low) & (dx <= x[-1])
        if np.isfinite(y[inside]).any():
            assert np.nanmax(dy[shown]) == np.nanmax(y[inside])
            assert np.nanmin(dy[shown]) == np.nanmin(y[inside])
        assert dx[-1] == x[-1]

    @given(
        st.integers(1, 3000),
        st.integers(1, 400),
        st.floats(0, 0.9),
        st.integers(0, 2**31),
    )
    def test_several_lines_at_once_are_what_each_would_be(
        self, count: int, pixels: int, share: float, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        x = np.arange(count) * 3.0 + 7
        ys = rng.normal(size=(3, count))
        low, high = x[0] + share * 0.5 * (x[-1] - x[0]), x[0] + 0.9 * (x[-1] - x[0])
        several, values = decimate_all(x, ys, low, high, pixels)
        assert several.shape == values.shape
        for dx, dy, y in zip(several, values, ys, strict=True):
            wanted, _ = decimate(x, y, low, high, pixels)
            assert np.all(np.diff(dx) >= 0)
            np.testing.assert_array_equal(dy, y[np.searchsorted(x, dx)])
            # Where a group is cut at either end, all of it stays.
            extra = np.setdiff1d(dx, wanted)
            assert np.isin(wanted, dx).all()
            size = -(-len(x[(x >= low) & (x <= high)]) // pixels) + 1
            assert len(extra) <= 2 * size

    def test_a_gap_stays_a_gap(self) -> None:
        x = np.arange(4000.0)
        y = np.sin(x / 100)
        y[2000] = np.nan
        dx, dy = decimate(x, y, 0, 3999, 200)
        assert len(dx) < 700
        assert np.isnan(dy[dx == 2000]).all()
        assert np.isnan(dy).sum() == 1

    def test_a_growing_series_does_not_shimmer(self) -> None:
        y = np.random.default_rng(1).normal(size=6000)
        x = np.arange(6000.0)
        before, _ = decimate(x[:5600], y[:5600], 0, 5999, 300)
        after, _ = decimate(x[:5601], y[:5601], 0, 5999, 300)
        early = 5000.0
        np.testing.assert_array_equal(before[before < early], after[after < early])


class TestRecording:
    @given(st.lists(st.integers(1, 500), min_size=1, max_size=400))
    def test_is_bounded_and_its_end_is_true(self, steps: list[int]) -> None:
        made = Recording(("cost", "time"), capacity=32)
        position = 0
        for step in steps:
            position += step
            made.add(position, position * 2.0, -1.0 * position)
        assert len(made) <= 32
        assert made.x[-1] == position
        assert made.values("cost")[-1] == position * 2.0
        assert np.all(np.diff(made.x) > 0)
        # What is kept was recorded, and the beginning stays.
        np.testing.assert_array_equal(made.values("cost"), made.x * 2.0)
        assert made.x[0] == steps[0]

    def test_covers_the_whole_range_evenly(self) -> None:
        made = Recording(("v",), capacity=64)
        for position in range(100_000):
            made.add(position, float(position))
        assert np.diff(made.x).max() < 100_000 / 64 * 4.5

    def test_going_back_forgets(self) -> None:
        made = Recording(("v",))
        for position in range(0, 100, 10):
            made.add(position, 1.0)
        made.forget_after(45)
        assert made.x.tolist() == [0, 10, 20, 30, 40]
        made.add(20, 5.0)
        assert made.x.tolist() == [0, 10, 20]
        assert made.values("v")[-1] == 5.0

    def test_the_same_again_is_no_change(self) -> None:
        made = Recording(("v",))
        made.add(5, 1.0)
        version = made.version
        made.add(5, 1.0)
        assert made.version == version


class TestAutoRange:
    def test_grows_at_once_and_shrinks_slowly(self) -> None:
        made = AutoRange()
        made.update([np.array([0.0, 1.0])], 0.0)
        assert made.update([np.array([0.0, 3.0])], 0.01)
        assert made.high > 3.0
        assert not made.update([np.array([0.0, 1.0])], 0.02)
        high = made.high
        made.update([np.array([0.0, 1.0])], 1.0)
        assert 1.0 < made.high < high
        for step in range(20):
            made.update([np.array([0.0, 1.0])], 2.0 + step)
        assert made.high < 1.3

    def test_one_outlier_does_not_set_it(self) -> None:
        values = np.full(1000, 0.2) + np.linspace(0, 0.05, 1000)
        values[10] = 50.0
        made = AutoRange()
        made.update([values], 0.0)
        assert made.high < 1.0

    def test_the_present_value_is_in_sight(self) -> None:
        values = np.full(1000, 0.2)
        values[-1] = 5.0
        made = AutoRange()
        made.update([values], 0.0)
        assert made.low <= 5.0 <= made.high

    @pytest.mark.parametrize("values", [[], [math.nan], [3.0], [0.0, 0.0], [1.0, 1.0], [-5.0]])
    @pytest.mark.parametrize("limits", [(None, None), (0.0, 1.0)])
    def test_always_has_a_width(self, values: list[float], limits: Any) -> None:
        made = AutoRange(limits=limits)
        made.update([np.array(values)], 0.0)
        assert made.high > made.low

    def test_floor(self) -> None:
        made = AutoRange(floor=0.0)
        made.update([np.array([5.0, 9.0])], 0.0)
        assert made.low == 0.0


class TestPushApart:
    @given(
        st.lists(st.floats(0, 300), min_size=1, max_size=14),
        st.floats(1, 30),
    )
    def test_apart_inside_and_in_order(self, wanted: list[float], gap: float) -> None:
        places = push_apart(wanted, gap, 0.0, 300.0)
        order = sorted(range(len(wanted)), key=lambda i: wanted[i])
        inner = [places[i] for i in order]
        room = min(gap, 300.0 / max(1, len(wanted) - 1))
        assert all(b - a >= room - 1e-6 for a, b in itertools.pairwise(inner))
        assert all(-1e-6 <= p <= 300.0 + 1e-6 for p in places)

    def test_what_has_room_stays(self) -> None:
        assert push_apart([10.0, 100.0, 50.0], 15.0, 0.0, 200.0) == [10.0, 100.0, 50.0]

    def test_neighbours_share_the_move(self) -> None:
        assert push_apart([100.0, 100.0], 20.0, 0.0, 200.0) == [90.0, 110.0]


class TestTicks:
    @given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 12))
    def test_round_and_inside(self, low: float, span: float, count: int) -> None:
        ticks = number_ticks(low, low + span, count)
        assert len(ticks) <= 2 * count + 2
        slack = 1e-6 * nice_step(span, count) + 1e-9 * abs(low)
        assert all(low - slack <= t <= low + span + slack for t in ticks)

    def test_words(self) -> None:
        assert tick_texts([0.0, 0.25, 0.5]) == ["0.00", "0.25", "0.50"]
        assert tick_texts([0.0, 500.0, 1000.0]) == ["0", "500", "1,000"]
        assert tick_texts([0.0, 20_000.0, 40_000.0]) == ["0", "20\N{NO-BREAK SPACE}k",
                                                         "40\N{NO-BREAK SPACE}k"]  # fmt: skip
        assert tick_texts([-1.0, 0.0]) == ["−1", "0"]

    @pytest.mark.parametrize("days", [0.001, 0.1, 1, 10, 100, 1000, 20_000])
    def test_dates(self, days: float) -> None:
        low = 867_715_200 * 10**9
        found = date_ticks(low, low + int(days * DAY), 8, lambda ns: ns // 10**9)
        assert 2 <= len(found) <= 40
        assert all(words for _, words in found)
        rows = [row for row, _ in found]
        assert rows == sorted(set(rows))

    def test_full_date(self) -> None:
        assert full_date(888_852_600 * 10**9) == "Mon 2 Mar 1998, 15:30"
        assert full_date(None) == ""


class TestViewRange:
    def make(self) -> ViewRange:
        view = ViewRange()
        view.set_stream(1000, 5000, 50_000)
        return view

    def test_follows_until_moved(self) -> None:
        view = self.make()
        assert view.low == 1000
        assert view.high >= 5000
        view.pan(-200)
        low, high = view.low, view.high
        assert not view.follow
        assert not view.set_stream(1000, 9000, 50_000)
        assert (view.low, view.high) == (low, high)
        view.set_follow(True)
        assert view.high >= 9000

    def test_spans(self) -> None:
        view = self.make()
        view.set_stream(1000, 30_000, 50_000)
        view.set_span("2k")
        assert view.low == 28_000
        view.set_stream(1000, 30_100, 50_000)
        assert view.low == 28_100

    def test_zoom_keeps_its_centre(self) -> None:
        view = self.make()
        view.zoom(0.5, 2000.0)
        share = (2000.0 - view.low) / (view.high - view.low)
        assert share == pytest.approx(1000 / ((5000 - 1000) / 0.8), abs=0.01)

    @given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
    def test_something_is_always_in_sight(self, low: float, span: float) -> None:
        view = self.make()
        view.place(low, low + span)
        assert view.high > view.low
        assert view.low < view.head
        assert view.high > view.start

    def test_cursors_stay_in_the_stream(self) -> None:
        view = self.make()
        view.set_hover(80_000)
        assert view.hover == 5000
        view.pin(4500)
        view.set_stream(1000, 4000, 50_000)
        assert view.hover is None
        assert view.pinned is None


@pytest.fixture
def plot(qtbot: Any, looks: None) -> Iterator[Any]:
    from modellab.gui.plots.live import LivePlot

    view = ViewRange()
    view.room = 0.012
    made = LivePlot("Error", "The error.", view, date_of=lambda _row: "3 Jul 1997",
                    words=lambda v: f"{v:.3f}")  # fmt: skip
    qtbot.addWidget(made)
    view.set_stream(0, 4000, 10_000)
    view.listen(made.refresh)
    made.resize(800, 300)
    made.show()
    QApplication.processEvents()
    yield made
    made.close()


def line(key: str, level: float, colour: str, **rest: Any) -> LiveLine:
    x = np.arange(0, 4000, 4.0)
    return LiveLine(key, key, x, np.full(len(x), level), colour, **rest)


def colours_at(plot: Any, x: float, y: float, reach: int = 3) -> set[str]:
    image = plot.grab().toImage()
    return {
        image.pixelColor(round(x), round(y) + d).name()
        for d in range(-reach, reach + 1)
        if 0 <= round(y) + d < image.height()
    }


def points_of(plot: Any, key: str) -> list[Any]:
    """The points of a line as they are painted, in pixels."""
    return [p for c in plot._curves if c.key == key for s in c.stretches for p in s.toList()]


class TestLivePlot:
    def test_lines_are_where_their_values_are(self, plot: Any) -> None:
        plot.set_lines([line("a", 0.2, "#008763"), line("b", 0.4, "#1668b3")])
        plot.refresh()
        plot.grab()
        x = plot.x_of(2000)
        # Grid lines lie beside, so that the line's own colour is asked for.
        near = {c.lower() for c in colours_at(plot, x + 0.5, plot.y_of(0.2))}
        far = {c.lower() for c in colours_at(plot, x + 0.5, plot.y_of(0.3))}
        assert any(_close(c, "#008763") for c in near)
        assert not any(_close(c, "#008763") or _close(c, "#1668b3") for c in far)

    def test_a_gap_is_not_bridged(self, plot: Any) -> None:
        broken = line("a", 0.2, "#008763")
        broken.y[400:600] = np.nan
        plot.set_lines([broken, line("b", 0.4, "#1668b3")])
        plot.refresh()
        plot.grab()
        row = plot.x_of(2003) + 3
        assert not any(_close(c, "#008763") for c in colours_at(plot, row, plot.y_of(0.2)))
        before = plot.x_of(1203) + 3
        assert any(_close(c, "#008763") for c in colours_at(plot, before, plot.y_of(0.2)))

    def test_a_diverging_line_is_cut(self, plot: Any) -> None:
        wild = line("a", 0.2, "#008763")
        wild.y[500:] = 0.2 * 1e3 ** np.arange(len(wild.y) - 500, dtype=float).clip(0, 90)
        wild.y[700:] = np.inf
        wild.y[800] = -np.inf
        plot.set_lines([wild, line("b", 0.4, "#1668b3")])
        plot.refresh()
        plot.grab()
        low, high = plot.y_range()
        assert np.isfinite([low, high]).all()
        drawn = [p.y() for p in points_of(plot, "a")]
        assert np.isfinite(drawn).all()
        assert min(drawn) >= plot.y_of(high + 20 * (high - low)) - 1e-6
        assert live_paint.readout_words(plot) == ""

    def test_few_points_reach_qt(self, plot: Any) -> None:
        x = np.arange(100_000.0) * 0.04
        y = np.random.default_rng(0).normal(size=100_000)
        plot.set_lines([LiveLine("a", "a", x, y, "#008763", strong=True)])
        plot.refresh()
        wide = plot.area().width()
        assert 2 * wide - 200 <= len(points_of(plot, "a")) <= 2 * wide + 200

    def test_a_line_that_is_gone_is_not_drawn(self, plot: Any) -> None:
        plot.set_lines([line("a", 0.2, "#008763"), line("b", 0.4, "#1668b3")])
        plot.refresh()
        assert [curve.key for curve in plot._curves] == ["a", "b"]
        plot.set_lines([line("b", 0.4, "#1668b3")])
        plot.refresh()
        assert [curve.key for curve in plot._curves] == ["b"]

    def test_labels_wait_only_while_rows_run_by(self, plot: Any) -> None:
        told: list[float] = []

        def words(value: float) -> str:
            told.append(value)
            return f"{value:.3f}"

        plot.words = words

        def shown(level: float, *, hurried: bool, turn: bool = False) -> list[float]:
            told.clear()
            plot.hurried, plot.label_turn = hurried, turn
            plot.set_lines([line("a", level, "#008763"), line("b", 0.4, "#1668b3")])
            plot.refresh()
            plot.grab()
            return list(told)

        assert shown(0.2, hurried=False) == [0.2, 0.4]
        assert shown(0.21, hurried=True) == []
        assert shown(0.22, hurried=False) == [0.22, 0.4]
        # Another range: what was written stands elsewhere now.
        assert shown(0.9, hurried=True) == [0.9, 0.4]

    def test_a_missing_value_breaks_the_line(self, plot: Any) -> None:
        gap = line("a", 0.2, "#008763")
        gap.y[300:400] = np.nan
        gap.y[350] = 0.2
        plot.set_lines([gap])
        plot.refresh()
        (curve,) = plot._curves
        ends = [(s.first().x(), s.last().x()) for s in curve.stretches]
        assert len(ends) == 3
        assert ends[0][1] == pytest.approx(plot.x_of(gap.x[299]), abs=2)
        assert ends[1][1] - ends[1][0] == pytest.approx(1.0)
        assert ends[2][0] == pytest.approx(plot.x_of(gap.x[400]), abs=2)

    def test_readout_is_sorted_and_has_differences(self, plot: Any) -> None:
        rising = line("b", 0.0, "#1668b3")
        rising.y[:] = np.linspace(0, 1, len(rising.y))
        plot.set_lines([line("a", 0.2, "#008763"), rising])
        plot.refresh()
        plot.view.set_hover(3000)
        plot.view.pin(1000)
        rows = live_paint.readout_rows(plot)
        assert [r[0].name for r in rows] == ["b", "a"]
        assert rows[0][1] - rows[0][2] == pytest.approx(0.5, abs=0.01)
        assert live_paint.readout_words(plot).startswith("Row 3,000, 3 Jul 1997: b 0.751")

    def test_keyboard(self, plot: Any) -> None:
        plot.set_lines([line("a", 0.2, "#008763")])
        plot.setFocus()
        QTest.keyClick(plot, Qt.Key.Key_Left)
        first = plot.view.hover
        assert first is not None
        assert first < 4000
        QTest.keyClick(plot, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
        assert plot.view.hover == first - 1
        QTest.keyClick(plot, Qt.Key.Key_Return)
        assert plot.view.pinned == first - 1
        wide = plot.view.high - plot.view.low
        QTest.keyClick(plot, Qt.Key.Key_Plus)
        assert plot.view.high - plot.view.low < wide
        assert not plot.view.follow
        QTest.keyClick(plot, Qt.Key.Key_Escape)
        assert plot.view.hover is None
        assert plot.view.pinned is None
        QTest.keyClick(plot, Qt.Key.Key_End)
        assert plot.view.follow

    def test_drag_pans_and_click_pins(self, plot: Any) -> None:
        plot.set_lines([line("a", 0.2, "#008763")])
        y = int(plot.area().center().y())
        place = QPoint(round(plot.x_of(2000)), y)
        QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert abs(plot.view.pinned - 2000) < 10
        assert plot.view.follow
        low = plot.view.low
        QTest.mousePress(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseMove(plot.viewport(), place - QPoint(100, 0))
        QTest.mouseRelease(plot.viewport(), Qt.MouseButton.LeftButton, pos=place - QPoint(100, 0))
        assert plot.view.low > low
        assert not plot.view.follow
        assert abs(plot.view.pinned - 2000) < 10

    def test_the_mouse_moves_the_crosshair(self, plot: Any) -> None:
        plot.set_lines([line("a", 0.2, "#008763")])
        y = int(plot.area().center().y())
        QTest.mouseMove(plot.viewport(), QPoint(round(plot.x_of(1500)), y))
        assert abs(plot.view.hover - 1500) < 10
        assert plot.shows_readout
        # Over the labels there are no rows.
        QTest.mouseMove(plot.viewport(), QPoint(plot.viewport().width() - 10, y))
        assert plot.view.hover is None

    def wheel(self, plot: Any, at: QPointF, turn: int) -> None:
        event = QWheelEvent(
            at,
            QPointF(plot.viewport().mapToGlobal(at.toPoint())),
            QPoint(),
            QPoint(0, 120 * turn),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        plot.wheelEvent(event)

    def test_wheel_zooms_rows_and_over_the_axis_values(self, plot: Any) -> None:
        plot.set_lines([line("a", 0.2, "#008763"), line("b", 0.4, "#1668b3")])
        plot.refresh()
        middle = plot.area().center()
        wide = plot.view.high - plot.view.low
        self.wheel(plot, middle, 1)
        assert plot.view.high - plot.view.low == pytest.approx(0.8 * wide)
        low, high = plot.y_range()
        self.wheel(plot, QPointF(10, middle.y()), 1)
        assert plot.manual is not None
        assert plot.y_range()[1] - plot.y_range()[0] == pytest.approx(0.85 * (high - low))
        # Never re-zoomed after the person did.
        plot.set_lines([line("a", 9.0, "#008763")])
        plot.refresh()
        assert plot.y_range() == plot.manual
        plot.follow_y()
        plot.refresh()
        assert plot.y_range()[0] <= 9.0 <= plot.y_range()[1]

    def test_untrusted_names_are_plain(self, plot: Any) -> None:
        plot.set_lines([line("<b>bold</b>\nnext", 0.2, "#008763")])
        plot.refresh()
        plot.view.set_hover(100)
        plot.shows_readout = True
        assert "<b>bold</b>" in live_paint.readout_words(plot)
        plot.grab()  # painting it must not raise

    def test_heat_map_shows_signs_by_colour(self, plot: Any) -> None:
        at = np.arange(0, 4000, 40.0)
        values = np.stack([np.full(len(at), 1.0), np.full(len(at), -1.0)], axis=1)
        plot.heat = HeatMap(["up", "down"], at, values, 1.0, "v1")
        plot.refresh()
        plot.grab()
        image = plot.grab().toImage()
        area = plot.area()
        x = round(plot.x_of(2100))
        top = image.pixelColor(x, round(area.top() + area.height() * 0.25))
        bottom = image.pixelColor(x, round(area.top() + area.height() * 0.75))
        assert top.red() > top.blue()
        assert bottom.blue() > bottom.red()

    def test_marks_are_painted_by_shape(self, plot: Any) -> None:
        plot.set_lines([line("a", 0.2, "#008763")])
        plot.refresh()
        plot.grab()
        x, y = plot.x_of(2000), plot.area().bottom() - 4
        plot.marks = [Mark(2000, "retrain", "a", "#1668b3")]
        plot.refresh()
        assert any(_close(c, "#1668b3") for c in colours_at(plot, x, y, 1))
        plot.marks = [Mark(2000, "reject", "a", "#1668b3")]
        plot.refresh()
        assert not any(_close(c, "#1668b3") for c in colours_at(plot, x, y + 0.5, 0))

    def test_a_dragged_handle_is_one_change(self, plot: Any) -> None:
        steps = [("0.01", "0.02"), ("0.02", "0.5"), ("0.5", "1")]
        marks = [
            Mark(2000 + 10 * i, "change", "a", "#1668b3", f"you: rate {old} → {new}", "rate")
            for i, (old, new) in enumerate(steps)
        ]
        later = Mark(3500, "change", "a", "#1668b3", "you: rate 1 → 2", "rate")
        other = Mark(2010, "change", "a", "#1668b3", "you: every 1 → 2", "every")
        groups = MarkGroups([*marks[:2], other, marks[2], later]).groups(plot.x_of)
        counts = {group.text(): group.count for group in groups}
        assert counts == {
            "you: rate 0.01 → 1": 3,
            "you: every 1 → 2": 1,
            "you: rate 1 → 2": 1,
        }
        assert groups[-1].text() == "you: rate 1 → 2"
        near = MarkGroups([marks[0], later]).groups(plot.x_of, high=plot.x_of(3000))
        assert [group.last for group in near] == [marks[0]]

    def test_thousands_of_alarms_are_as_many_signs_as_there_is_room_for(self, plot: Any) -> None:
        plot.view.set_stream(0, 8000, 8000)
        alarms = [
            Mark(at, "drift", str(at % 12), "#1668b3", strong=False) for at in range(0, 8000, 2)
        ]
        groups = MarkGroups(alarms).groups(plot.x_of)
        # Crowded: apart enough for the number beside each.
        assert 5 < len(groups) <= plot.area().width() / 40 + 2
        assert sum(group.count for group in groups) == len(alarms)
        # They stand still while the view moves.
        before = {group.last.position for group in groups}
        plot.view.pan(3)
        after = {group.last.position for group in MarkGroups(alarms).groups(plot.x_of)}
        assert before == after

    def test_follows_the_theme(self, plot: Any) -> None:
        from modellab.gui.theme import DARK, theme_hub

        plot.set_lines([line("a", 0.2, "#008763")])
        plot.refresh()
        theme_hub().set_mode("dark")
        plot.grab()
        image = plot.grab().toImage()
        colour = image.pixelColor(image.width() - 5, image.height() // 2)
        assert colour.name().lower() == DARK.surface.lower()


def _close(one: str, other: str, reach: int = 150) -> bool:
    """Whether two colours are near: lines are antialiased."""
    a = [int(one[i : i + 2], 16) for i in (1, 3, 5)]
    b = [int(other[i : i + 2], 16) for i in (1, 3, 5)]
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) < reach


def test_labels_of_large_values_are_short() -> None:
    values = [0.12345, 9_999.0, 129_708.0, -12_345.0, 999_960.0, 2_500_000.0, 3.2e9]
    minus = "\N{MINUS SIGN}"
    wanted = ["0.123", "9,999", "129.7 k", f"{minus}12.3 k", "1.0 M", "2.5 M", "3.2 G"]
    assert short_texts(values) == wanted
