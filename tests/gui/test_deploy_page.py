"""The Deploy page: what it sends, what it shows, and how it fits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_bench import N_ROWS, RATES, TRAIN, DeployBench
from page_contract import PageContract
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from modellab.experiment import replace
from modellab.replay.protocol import Fork, Intervene, Pause, Play, RemoveLane, Seek, Step


class TestDeployContract(PageContract):
    def make(self, bench: Any) -> Any:
        from modellab.gui.pages.deploy import DeployPage

        return DeployPage(bench.session)

    def fill(self, bench: Any, tmp_path: Path) -> None:
        made = DeployBench(bench, tmp_path)
        made.rates = {"rates": RATES, "errors": [0.2] * 9, "rows": 300, "best": 0.1}
        made.retrained(400)
        made.retrained(520, 2, better=False)
        made.happened(600, "Online", "intervention", "You set learning_rate 0.01 → 0.05",
                      learning_rate=0.05)  # fmt: skip
        made.play_to(700)


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Path, looks: None) -> DeployBench:
    return DeployBench(gui_bench, tmp_path)


@pytest.fixture
def page(bench: DeployBench, qtbot: Any) -> Iterator[Any]:
    from modellab.gui.pages.deploy import DeployPage

    made = DeployPage(bench.session)
    qtbot.addWidget(made)
    made.resize(1500, 900)
    made.show()
    made.shown()
    yield made
    made.hidden()
    made.take_down()
    made.close()
    bench.session.close(keep=False)


class TestBefore:
    @pytest.fixture
    def start(self, gui_bench: Any, qtbot: Any, looks: None, tmp_path: Path) -> Iterator[Any]:
        from modellab.gui.pages.deploy import DeployPage

        gui_bench.open(tmp_path / "prices.csv")
        made = DeployPage(gui_bench.session)
        qtbot.addWidget(made)
        made.show()
        made.shown()
        yield made
        made.take_down()
        gui_bench.session.close(keep=False)

    def test_tells_what_will_run_and_starts_it(self, start: Any, gui_bench: Any) -> None:
        from modellab.replay.protocol import Deploy

        said = [name for name, _ in start.start._shown[0]]
        assert said == [
            "Static",
            "Retrained",
            "On alarm",
            "Online",
            "Online tree",
            "Baselines",
        ]
        assert "201 to 1,000" in start.start.story.text()
        gui_bench.engine.held.add(Deploy)
        QTest.mouseClick(start.start.button, Qt.MouseButton.LeftButton)
        gui_bench.settle()
        assert gui_bench.engine.count(Deploy) == 1
        assert start.start.progress.active()
        assert start.start.button.isHidden()
        gui_bench.engine.finish()
        gui_bench.settle()
        assert start.stack.currentWidget() is start.replay

    def test_is_out_of_reach_without_data(self, gui_bench: Any, qtbot: Any, looks: None) -> None:
        from modellab.gui.pages.deploy import DeployPage

        made = DeployPage(gui_bench.session)
        qtbot.addWidget(made)
        assert made.available() == "Open data first."
        assert not made.start.button.isEnabled()
        made.take_down()


class TestTransport:
    def test_play_pause_step_stop(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(300, state="paused")
        page.show_all()
        QTest.mouseClick(page.transport.play, Qt.MouseButton.LeftButton)
        assert bench.engine.count(Play) == 1
        bench.play_to(400)
        page.show_all()
        assert page.transport.play.accessibleName() == "Pause"
        QTest.mouseClick(page.transport.play, Qt.MouseButton.LeftButton)
        assert bench.engine.count(Pause) == 1
        QTest.mouseClick(page.transport.step, Qt.MouseButton.LeftButton)
        assert bench.engine.last(Step).rows == 1
        QTest.mouseClick(page.transport.chunk, Qt.MouseButton.LeftButton)
        assert bench.engine.last(Step).rows == bench.live.experiment.replay.chunk_rows
        QTest.mouseClick(page.transport.restart, Qt.MouseButton.LeftButton)
        assert bench.engine.last(Seek).position == TRAIN

    def test_run_to_the_end(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(300, state="paused")
        page.show_all()
        bar = page.transport
        assert bar.to_end.isVisible()
        assert not bar.left.isVisible()
        QTest.mouseClick(bar.to_end, Qt.MouseButton.LeftButton)
        assert bench.engine.last(Play).mode == "max"
        page.show_all()
        assert bar.mode.current() == "max"
        # While it plays, what is left to wait stands in its place.
        bench.play_to(400)
        page.show_all()
        assert not bar.to_end.isVisible()
        assert bar.left.isVisible()
        bench.play_to(N_ROWS, state="finished")
        page.show_all()
        assert not bar.to_end.isVisible()

    def test_space_plays_unless_a_button_has_it(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(300, state="paused")
        page.show_all()
        QTest.keyClick(page, Qt.Key.Key_Space)
        assert bench.engine.count(Play) == 1
        # On a button, Space presses that button.
        QTest.keyClick(page.transport.step, Qt.Key.Key_Space)
        assert bench.engine.count(Step) == 1
        assert bench.engine.count(Play) == 1

    def test_speed(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(300)
        page.show_all()
        page.transport.sliders["rows"].setValue(page.transport.sliders["rows"].maximum())
        assert (bench.engine.last(Play).mode, bench.engine.last(Play).rate) == ("rows", 100_000.0)
        assert page.transport.rate.number() == 100_000.0
        QTest.mouseClick(page.transport.mode.button("max"), Qt.MouseButton.LeftButton)
        assert bench.engine.last(Play).mode == "max"
        assert not page.transport.rate.isEnabled()
        QTest.mouseClick(page.transport.mode.button("time"), Qt.MouseButton.LeftButton)
        assert bench.engine.last(Play).mode == "time"

    def test_real_time_needs_a_time_column(self, page: Any, bench: DeployBench) -> None:
        bench.live.times_ns = bench.live.times_ns[:0]
        page.show_all()
        assert not page.transport.mode.button("time").isEnabled()
        assert "no time column" in page.transport.mode.button("time").toolTip()

    def test_says_where_it_is(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(700, rows_per_second=100.0)
        page.show_all()
        assert page.transport.position.text() == "700"
        assert page.transport.of_rows.text() == "of 1,000 rows"
        assert page.transport.left.value() == "3.0 s"
        bench.play_to(N_ROWS, state="finished")
        page.show_all()
        assert "nd of the stream" in page.transport.date.text()
        assert not page.transport.play.isEnabled()


class TestWhatHappened:
    def test_a_change_is_marked_journalled_and_undone(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(500)
        bench.session.select_lane("Online")
        bench.play_to(520)
        page.show_all()
        page.inspector.rate.field.set_number(0.2)
        page.inspector.rate.field.committed.emit(0.2)
        bench.bench.settle()
        sent = bench.engine.last(Intervene)
        assert (sent.lane, sent.set) == ("Online", {"learning_rate": 0.2})
        entry = bench.live.experiment.intervention[-1]
        assert (entry.position, entry.set) == (520, {"learning_rate": 0.2})
        bench.apply_sent()
        bench.happened(520, "Online", "intervention", "You set learning_rate 0.05 → 0.2",
                       learning_rate=0.2)  # fmt: skip
        bench.play_to(600)
        page.show_all()
        marks = page.plots.error_plot.marks
        assert [(m.position, m.kind) for m in marks] == [(520, "change")]
        assert "learning rate 0.05 → 0.2" in marks[0].text
        assert page.timeline.counts() == [("change", 1)]
        assert page.events.model.rowCount() == 1
        bench.session.undo()
        bench.bench.settle()
        assert bench.engine.last(Intervene).set == {"learning_rate": 0.05}
        assert len(bench.live.experiment.intervention) == 2

    def test_choosing_an_event_shows_its_row(self, page: Any, bench: DeployBench) -> None:
        bench.retrained(400)
        bench.play_to(900)
        page.plots.view.place(700, 900)
        page.show_all()
        page.events.list.setCurrentIndex(page.events.model.index(0))
        assert page.plots.view.hover == 400
        assert page.plots.view.low <= 400 <= page.plots.view.high

    def test_a_retrain_opens_its_test(self, page: Any, bench: DeployBench, qtbot: Any) -> None:
        from modellab.gui.kit import Label

        bench.retrained(400)
        bench.play_to(500)
        page.show_all()
        dialog = page.events.open_details(page.events.model.index(0))
        texts = [label.text() for label in dialog.findChildren(Label)]
        assert "Error of the new model" in texts
        assert "0.200" in texts
        assert "0.210" in texts
        dialog.close()

    def test_events_of_one_lane(self, page: Any, bench: DeployBench) -> None:
        bench.retrained(400)
        bench.happened(450, "Online", "intervention", "You set every 1 → 2", every=2)
        bench.play_to(500)
        page.show_all()
        assert page.events.model.rowCount() == 2
        page.events._filter_chosen("Online")
        assert page.events.model.rowCount() == 1
        assert "Online" in page.events.model.index(0).data()

    def test_the_handle_goes_back_exactly(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(800, state="paused")
        page.show_all()
        line = page.timeline
        y = int(line.band().center().y())
        QTest.mousePress(line, Qt.MouseButton.LeftButton, pos=QPoint(round(line.x_of(800)), y))
        QTest.mouseMove(line, QPoint(round(line.x_of(500)), y))
        QTest.mouseRelease(line, Qt.MouseButton.LeftButton, pos=QPoint(round(line.x_of(500)), y))
        assert abs(bench.engine.last(Seek).position - 500) <= 1
        bench.bench.settle()
        bench.play_to(500, state="paused")
        page.show_all()
        assert page.plots.recorder.lanes["Online"].x[-1] == 500

    def test_a_dead_engine_can_be_continued(self, page: Any, bench: DeployBench) -> None:
        from modellab.gui.kit import LinkButton
        from modellab.replay.protocol import Deploy

        bench.play_to(600)
        bench.engine.die()
        bench.bench.settle()
        page.show_all()
        assert page.banner.isVisible()
        assert "row 600" in page.banner.text()
        assert not page.transport.play.isEnabled()
        links = page.banner.findChildren(LinkButton)
        link = next(b for b in links if b.text() == "Continue from row 600")
        QTest.mouseClick(link, Qt.MouseButton.LeftButton)
        assert bench.engine.last(Deploy).resume
        assert bench.engine.last(Deploy).position == 600

    def test_a_changed_experiment_makes_it_stale(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(300)
        experiment = bench.session.experiment
        evaluation = replace(experiment.evaluation, label_delay=24)
        bench.session.edit("Change delay", replace(experiment, evaluation=evaluation))
        bench.bench.settle()
        assert page.banner.isVisible()
        assert "were changed since" in page.banner.text()
        bench.session.undo()
        bench.bench.settle()
        assert not page.banner.isVisible()


class TestLanes:
    def test_hidden_lanes_are_not_drawn(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(500)
        page.show_all()
        assert "Static" in [line.key for line in page.plots.error_plot.lines]
        QTest.mouseClick(page.lanes.cards["Static"].eye, Qt.MouseButton.LeftButton)
        page.show_all()
        assert "Static" not in [line.key for line in page.plots.error_plot.lines]
        assert "Static" not in [line.key for line in page.plots.cost_plot.lines]
        assert bench.engine.count(RemoveLane) == 0

    def test_fork(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(500)
        page.show_all()
        dialog = page.fork_lane("Online")
        dialog.name.setText("Static")
        assert not dialog.ok.isEnabled()
        dialog.name.setText("Bolder")
        assert dialog.ok.isEnabled()
        dialog.accept_fork()
        bench.bench.settle()
        assert bench.engine.last(Fork).name == "Bolder"
        assert bench.live.lanes["Bolder"].fork_of == "Online"
        page.show_all()
        assert "Bolder" in page.lanes.cards

    def test_a_fork_does_not_tell_its_parents_past(self, page: Any, bench: DeployBench) -> None:
        from modellab.gui.deploy.lines import own_events

        bench.play_to(500)
        bench.session.fork("Online", "Bolder")
        bench.bench.settle()
        bench.settings["Bolder"] = dict(bench.settings_of("Online"))
        bench.happened(400, "Bolder", "intervention", "You set every 1 → 2", every=2)
        bench.happened(500, "Bolder", "fork", "You forked Online")
        bench.play_to(600)
        assert [e.position for e in own_events(bench.live) if e.lane == "Bolder"] == [500]

    def test_add_and_edit_through_the_dialog(self, page: Any, bench: DeployBench) -> None:
        from modellab.experiment import OnlinePolicy
        from modellab.replay.protocol import AddLane

        bench.play_to(400, state="paused")
        dialog = page.add_lane()
        dialog.learners.choose("naive_bayes")
        assert dialog.name.text()
        dialog.policy.choose("online")
        dialog.name.setText("Bayes")
        dialog._name_edited()
        assert dialog.ok.isEnabled(), dialog.why_not()
        dialog.accept_lane()
        bench.bench.settle()
        added = bench.engine.last(AddLane).lane
        assert (added.name, added.learner.kind) == ("Bayes", "naive_bayes")
        assert isinstance(added.policy, OnlinePolicy)
        dialog = page.edit_lane("Bayes")
        assert not dialog.ok.isEnabled()
        dialog.policy.grids["online"].fields["every"].set_number(5)
        dialog._check()
        dialog.accept_lane()
        bench.bench.settle()
        assert bench.engine.last(AddLane).lane.policy.every == 5
        assert bench.engine.last(RemoveLane).name == "Bayes"

    def test_a_class_by_name(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(400, state="paused")
        dialog = page.add_lane()
        assert dialog.by_name.isHidden()
        dialog.learners.choose("river")
        assert "Name the class" in dialog.why_not()
        assert not dialog.ok.isEnabled()
        dialog.class_name.setText("tree.HoeffdingTreeClassifier")
        dialog._class_edited()
        assert dialog.name.text() == "HoeffdingTreeClassifier"
        assert dialog.ok.isEnabled(), dialog.why_not()
        assert dialog.spec().learner.class_name == "tree.HoeffdingTreeClassifier"
        dialog.reject()

    def test_what_cannot_learn_online_says_so(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(400, state="paused")
        dialog = page.add_lane()
        dialog.learners.choose("random_forest")
        button = dialog.policy.kind.button("online")
        assert not button.isEnabled()
        assert dialog.policy.kind.current() == "static"
        assert "cannot learn online" in dialog.policy.story.text()
        dialog.reject()


class TestLayout:
    def test_parameters_are_chosen_by_name(self, page: Any, bench: DeployBench) -> None:
        bench.session.select_lane("Online")
        bench.play_to(400)
        page.show_all()
        assert page.plots.chooser.text() == "8 of 12"
        popup = page.plots.chooser.open_list()
        popup.filter.setText("column 11")
        assert popup._proxy.rowCount() == 1
        popup.filter.clear()
        for row in range(12):
            popup._model.item(row).setCheckState(Qt.CheckState.Unchecked)
        popup._model.item(11).setCheckState(Qt.CheckState.Checked)
        page.plots.draw_now()
        assert [line.name for line in page.plots.parameter_plot.lines] == ["column 11"]
        popup._largest()
        page.plots.draw_now()
        assert len(page.plots.parameter_plot.lines) == 8
        # As colours there is room for all.
        page.plots.mode.button("heat").click()
        page.plots.draw_now()
        assert page.plots.chooser.text() == "12 of 12"

    def test_the_table_tells_what_the_plot_shows(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(400)
        page.show_all()
        panel = page.plots.error_panel
        panel.table_button.click()
        model = panel.table.model()
        headings = [model.headerData(c, Qt.Orientation.Horizontal) for c in range(4)]
        assert headings == ["Row", "Date", "Static", "Retrained"]
        assert model.index(0, 0).data() == "399"
        shown = page.plots.error_plot.lines[0]
        assert model.index(0, 2).data() == f"{shown.y[-1]:.3f}"
        bench.play_to(500)
        page.show_all()
        assert panel.table.model().index(0, 0).data() == "499"
        panel.table_button.click()
        assert panel.body.currentWidget() is panel.plot

    def test_low_windows_fold_cost_then_parameters(
        self, page: Any, bench: DeployBench, settle: Any
    ) -> None:
        bench.play_to(400)
        assert not page.plots.cost_panel.folded
        page.resize(1200, 652)
        page.show_all()
        settle()
        assert (page.width(), page.height()) == (1200, 652)
        assert page.events.height() >= 100
        assert page.plots.cost_panel.folded
        assert not page.plots.parameter_panel.folded
        page.resize(1200, 540)
        page.show_all()
        assert page.plots.parameter_panel.folded
        page.resize(1500, 900)
        page.show_all()
        assert not page.plots.cost_panel.folded
        assert not page.plots.parameter_panel.folded

    def test_narrow_windows_leave_out_the_lesser(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(400)
        page.resize(1200, 652)
        page.show_all()
        assert not page.transport.speed.isVisible()
        assert not page.lanes.cards["Online"].spark.isVisible()
        page.resize(1500, 900)
        page.show_all()
        assert page.transport.speed.isVisible()
        assert page.lanes.cards["Online"].spark.isVisible()

    def test_sides_fold_to_strips_and_are_remembered(
        self, page: Any, bench: DeployBench, qtbot: Any
    ) -> None:
        from modellab.gui.pages.deploy import DeployPage

        before = page.plots.width()
        QTest.mouseClick(page.left.fold, Qt.MouseButton.LeftButton)
        assert page.left.folded
        qtbot.waitUntil(lambda: page.plots.width() > before)
        assert page.left.width() <= 42
        other = DeployPage(bench.session)
        qtbot.addWidget(other)
        assert other.left.folded
        assert not other.right.folded
        other.take_down()

    def test_a_slow_frame_makes_the_next_one_wait(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(400)
        page.show_all()
        plots = page.plots
        plots._frame.stop()
        plots.frame_ms = 2.0
        plots.request()
        assert plots._frame.interval() <= 16
        plots._frame.stop()
        plots.frame_ms = 40.0
        plots._drawn_at = time.perf_counter()
        plots.request()
        assert 60 <= plots._frame.interval() <= 100
        # What is asked for meanwhile does not make it sooner or later.
        before = plots._frame.interval()
        plots.request()
        assert plots._frame.interval() == before

    def test_large_text_fits(self, page: Any, bench: DeployBench, picture: Any) -> None:
        from modellab.gui.theme import theme_hub

        bench.play_to(400)
        theme_hub().set_text_scale(1.4)
        try:
            page.show_all()
            picture(page, "deploy-large-text")
            for panel in page.plots.panels:
                assert panel.header.height() >= 1.3 * 42
                area = panel.plot.area()
                assert area.left() >= 1.3 * 48
                assert area.right() < panel.plot.width()
        finally:
            theme_hub().set_text_scale(1.0)

    def test_nothing_is_drawn_while_hidden(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(400)
        page.show_all()
        page.hidden()
        drawn = page.plots._drawn_at
        bench.play_to(600)
        assert not page.plots._frame.isActive()
        assert not page._numbers.isActive()
        assert page.plots._drawn_at == drawn
        # What was not drawn is not lost.
        assert page.plots.recorder.lanes["Online"].x[-1] == 600


def test_status_tells_lanes_and_labels(page: Any, bench: DeployBench) -> None:
    assert page.status() == ["5 lanes on the same rows, 2 baselines", "labels arrive with each row"]
