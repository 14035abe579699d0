"""The inspector: what is moved acts at once, once a frame, and the last value always arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_bench import RATES, DeployBench
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from modellab.gui.deploy import settings_rows
from modellab.replay.protocol import Intervene


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Path, looks: None) -> Iterator[DeployBench]:
    made = DeployBench(gui_bench, tmp_path)
    made.play_to(400)
    made.session.select_lane("Online")
    made.play_to(500)
    yield made
    made.session.close(keep=False)


@pytest.fixture
def inspector(bench: DeployBench, qtbot: Any) -> Any:
    from modellab.gui.deploy.inspector import Inspector

    made = Inspector(bench.session)
    qtbot.addWidget(made)
    made.resize(336, 560)
    made.show()
    made.show_lane()
    yield made
    made.changes.flush()


def sent(bench: DeployBench) -> list[dict[str, Any]]:
    return [c.set for c in bench.engine.sent if isinstance(c, Intervene)]


class TestLearningRate:
    def test_shows_what_the_engine_has(self, inspector: Any, bench: DeployBench) -> None:
        assert inspector.rate.slider.real() == 0.05
        assert inspector.rate.field.number() == 0.05
        assert inspector.rate.schedule.current() == "constant"

    def test_a_drag_sends_one_command_a_frame_and_the_last_value(
        self, inspector: Any, bench: DeployBench, qtbot: Any
    ) -> None:
        slider = inspector.rate.slider
        left = Qt.MouseButton.LeftButton
        start, end = slider._x_of_value(0.05), slider._x_of_value(1.0)
        QTest.mousePress(slider, left, pos=QPoint(round(start), 16))
        for step in range(1, 60):
            x = start + (end - start) * step / 59
            QTest.mouseMove(slider, QPoint(round(x), 16))
        # All of it within one frame: nothing was sent yet.
        assert len(sent(bench)) <= 1
        QTest.mouseRelease(slider, left, pos=QPoint(round(end), 16))
        bench.bench.settle()
        assert 1 <= len(sent(bench)) <= 3
        assert sent(bench)[-1] == {"learning_rate": 1.0}
        assert inspector.rate.field.number() == 1.0

    def test_the_timer_sends_without_letting_go(
        self, inspector: Any, bench: DeployBench, qtbot: Any
    ) -> None:
        slider = inspector.rate.slider
        QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(40, 16))
        qtbot.waitUntil(lambda: len(sent(bench)) == 1)
        assert sent(bench)[-1]["learning_rate"] == slider.real()
        QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(40, 16))

    def test_a_long_drag_is_few_lines_of_the_journal(
        self, inspector: Any, bench: DeployBench
    ) -> None:
        sender = inspector.changes
        sender.change("learning_rate", 0.1)
        assert sender._timer.interval() == settings_rows.FRAME_MS
        sender.flush()
        # The next one of the same drag waits longer, and later ones join it.
        sender.change("learning_rate", 0.2)
        assert settings_rows.FRAME_MS < sender._timer.interval() <= settings_rows.DRAG_MS
        sender.change("learning_rate", 0.3)
        assert len(sent(bench)) == 1
        sender.flush()
        bench.bench.settle()
        assert sent(bench)[-1] == {"learning_rate": 0.3}

    def test_older_news_do_not_move_the_handle_back(
        self, inspector: Any, bench: DeployBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inspector.rate.slider.setValue(inspector.rate.slider.maximum())
        inspector.changes.flush()
        inspector.show_lane()  # the engine still says 0.05
        assert inspector.rate.slider.real() == 1.0
        monkeypatch.setattr(settings_rows, "HOLD_SECONDS", 0.0)
        bench.bench.settle()
        bench.apply_sent()
        bench.play_to(520)
        inspector.show_lane()
        assert inspector.rate.slider.real() == 1.0

    def test_keyboard_and_field(self, inspector: Any, bench: DeployBench) -> None:
        inspector.rate.slider.setFocus()
        QTest.keyClick(inspector.rate.slider, Qt.Key.Key_Right)
        bench.bench.settle()
        assert sent(bench)[-1]["learning_rate"] == pytest.approx(0.0561, abs=2e-4)
        field = inspector.rate.field
        field.setFocus()
        field.lineEdit().selectAll()
        QTest.keyClicks(field.lineEdit(), "0.2")
        QTest.keyClick(field.lineEdit(), Qt.Key.Key_Return)
        bench.bench.settle()
        assert sent(bench)[-1] == {"learning_rate": 0.2}
        assert inspector.rate.slider.real() == 0.2

    def test_the_best_rate_is_marked_and_said(self, inspector: Any, bench: DeployBench) -> None:
        bench.rates = {"rates": RATES, "errors": [0.2] * 9, "rows": 5000, "best": 0.1}
        bench.play_to(540)
        inspector.show_lane()
        said = inspector.rate.best.text()
        assert said == "▾ 0.1 would have been best over the last 5,000 rows"
        assert inspector.rate.slider._mark == 0.1
        bench.rates = None
        bench.play_to(560)
        inspector.show_lane()
        assert inspector.rate.slider._mark is None

    def test_a_schedule_of_its_own_rests_the_slider(
        self, inspector: Any, bench: DeployBench
    ) -> None:
        bench.settings_of("Online")["schedule"] = "optimal"
        bench.play_to(540)
        inspector.show_lane()
        assert not inspector.rate.slider.isEnabled()
        assert not inspector.rate.field.isEnabled()
        assert "by itself" in inspector.rate.best.text()
        bench.settings_of("Online")["schedule"] = "adagrad"
        bench.play_to(560)
        inspector.show_lane()
        assert inspector.rate.slider.isEnabled()

    def test_a_model_that_carries_none_is_not_said_to(
        self, inspector: Any, bench: DeployBench
    ) -> None:
        bench.rates = None
        bench.play_to(800)
        inspector.show_lane()
        assert inspector.rate._track_row.isHidden()
        assert inspector.rate.best.isHidden()

    def test_tracking_can_be_switched_off(self, inspector: Any, bench: DeployBench) -> None:
        inspector.rate.track.click()
        assert sent(bench)[-1] == {"track_rates": False}


class TestSettings:
    def test_online(self, inspector: Any, bench: DeployBench) -> None:
        inspector.online.every.setValue(10)
        bench.bench.settle()
        inspector.online.batch.setValue(5)
        bench.bench.settle()
        inspector.online.alpha.setValue(0.01)
        bench.bench.settle()
        inspector.online.frozen.click()
        bench.bench.settle()
        assert sent(bench) == [{"every": 10}, {"batch": 5}, {"alpha": 0.01}, {"frozen": True}]
        assert isinstance(sent(bench)[0]["every"], int)

    def test_more_settings_come_from_the_catalogue(
        self, inspector: Any, bench: DeployBench
    ) -> None:
        assert inspector.more.isHidden()
        inspector.more_button.click()
        assert inspector.more.isVisible()
        assert list(inspector.more._fields) == ["penalty"]
        inspector.more._fields["penalty"].chosen.emit("l1")
        assert sent(bench)[-1] == {"penalty": "l1"}

    def test_scheduled(self, inspector: Any, bench: DeployBench) -> None:
        bench.session.select_lane("Retrained")
        bench.play_to(520)
        inspector.show_lane()
        assert inspector.rate.isHidden()
        assert inspector.online.isHidden()
        box = inspector.schedule
        assert box.every.text() == "50 rows"
        for field, typed, meant in (
            (box.every, "7d", {"every": "7d"}),
            (box.keep, "2k", {"keep": 2000}),
            (box.delay, "0", None),
            (box.delay, "100", {"delay": 100}),
        ):
            before = len(sent(bench))
            field.setFocus()
            field.selectAll()
            QTest.keyClicks(field, typed)
            QTest.keyClick(field, Qt.Key.Key_Return)
            bench.bench.settle()
            assert (sent(bench)[-1] if len(sent(bench)) > before else None) == meant

    def test_what_is_no_span_is_not_sent(self, inspector: Any, bench: DeployBench) -> None:
        bench.session.select_lane("Retrained")
        bench.play_to(520)
        inspector.show_lane()
        field = inspector.schedule.every
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, "soon")
        assert field.property("wrong")
        QTest.keyClick(field, Qt.Key.Key_Return)
        assert sent(bench) == []
        assert field.text() == "50 rows"

    def test_static_says_why_there_is_nothing(self, inspector: Any, bench: DeployBench) -> None:
        bench.session.select_lane("Static")
        bench.play_to(520)
        inspector.show_lane()
        assert inspector.rate.isHidden()
        assert "never changes" in inspector.note.text()
        assert inspector.fork.isEnabled()

    def test_a_change_on_its_way_goes_to_the_lane_it_was_made_for(
        self, inspector: Any, bench: DeployBench
    ) -> None:
        inspector.rate.slider.setValue(inspector.rate.slider.maximum())
        bench.session.select_lane("Online tree")
        bench.play_to(520)
        inspector.show_lane()
        commands = [c for c in bench.engine.sent if isinstance(c, Intervene)]
        assert {c.lane for c in commands} == {"Online"}
        assert commands[-1].set == {"learning_rate": 1.0}

    def test_a_lost_engine_takes_no_changes(self, inspector: Any, bench: DeployBench) -> None:
        bench.engine.die()
        bench.bench.settle()
        inspector.show_lane()
        assert not inspector.rate.isEnabled()
        assert not inspector.fork.isEnabled()
        assert "gone" in inspector.note.text()
