"""What if on the Deploy page: the window for faults, spans in plots, rolling back, settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_bench import N_ROWS, DeployBench
from page_contract import controls
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest

from modellab.experiment_faults import (
    FAULT_KINDS,
    DriftFault,
    LabelDelay,
    LabelNoise,
    MissingValues,
    Outage,
    UnitError,
    fault_kind,
)
from modellab.gui.deploy.lines import marks, shades
from modellab.replay.protocol import Inject, RemoveFault, Rollback, Seek


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
    bench.play_to(500, state="paused")
    made.show_all()
    yield made
    made.hidden()
    made.take_down()
    made.close()
    bench.session.close(keep=False)


class TestFaultDialog:
    def test_injects_what_is_entered_from_the_next_row_on(
        self, page: Any, bench: DeployBench
    ) -> None:
        dialog = page.open_faults()
        dialog.choose("label_noise")
        dialog.form.rate.setValue(35)
        dialog.form.only.set_current("up")
        dialog.form.duration.setValue(120)
        assert dialog.ok.text() == "Inject from row 500 on"
        QTest.mouseClick(dialog.ok, Qt.MouseButton.LeftButton)
        bench.bench.settle()
        assert bench.engine.last(Inject).fault == LabelNoise(
            start=500, stop=620, rate=0.35, only="up"
        )
        assert len(dialog.list.buttons) == 1
        assert page.open_faults() is dialog

    def test_every_kind_makes_a_fault_or_says_why_not(self, page: Any) -> None:
        for kind in FAULT_KINDS:
            self._makes_a_fault(page.open_faults(), kind)

    @staticmethod
    def _makes_a_fault(dialog: Any, kind: str) -> None:
        reason = dialog.form.why_no_kind(kind)
        row = next(
            r
            for r in range(dialog.kinds.count())
            if dialog.kinds.item(r).data(Qt.ItemDataRole.UserRole) == kind
        )
        enabled = bool(dialog.kinds.item(row).flags() & Qt.ItemFlag.ItemIsEnabled)
        assert enabled == (reason is None)
        dialog.choose(kind)
        assert dialog.ok.isEnabled() == (reason is None)
        if reason is None:
            assert fault_kind(dialog.form.fault(500)) == kind
            assert dialog.form.fault(500).stop == 2500
        else:
            assert kind == "swapped_columns"  # the data have one column of each kind
            assert "same kind" in dialog.why.text()

    def test_settings_that_belong_to_a_choice_come_with_it(self, page: Any) -> None:
        form = page.open_faults().form
        form.set_kind("drift")
        assert form.holders["columns"].isHidden()
        assert form.holders["width"].isHidden()
        form.how.button("permute").click()
        form.shape.button("gradual").click()
        form.columns.choose(["price"])
        form.change_rows.setValue(77)
        form.forever.setChecked(True)
        assert form.fault(500) == DriftFault(
            start=500, stop=None, how="permute", shape="gradual", width=77, columns=["price"]
        )

    def test_later_and_with_delays(self, page: Any) -> None:
        dialog = page.open_faults()
        dialog.choose("label_delay")
        dialog.form.delay.set_value("12h")
        dialog.form.after.setValue(100)
        assert dialog.form.fault(500) == LabelDelay(start=600, stop=2600, delay="12h")
        dialog.form.after.setValue(N_ROWS)
        assert not dialog.ok.isEnabled()
        assert "after the end" in dialog.why.text()

    def test_columns_of_the_data_without_target_and_time(self, page: Any) -> None:
        dialog = page.open_faults()
        dialog.choose("missing_values")
        popup = dialog.form.columns.open_list()
        names = [popup._model.item(r).data() for r in range(popup._model.rowCount())]
        assert names == ["price", "day"]
        popup._model.item(1).setCheckState(Qt.CheckState.Checked)
        assert dialog.form.fault(500).columns == ["day"]
        popup._all()
        assert dialog.form.fault(500) == MissingValues(start=500, stop=2500, rate=0.2)
        dialog.choose("unit_error")
        assert dialog.form.fault(500) == UnitError(start=500, stop=2500, column="price")

    def test_a_fault_is_removed_from_the_list(self, page: Any, bench: DeployBench) -> None:
        bench.session.inject(Outage(start=510, stop=530))
        bench.bench.settle()
        dialog = page.open_faults()
        assert "to come" in _texts(dialog.list)
        bench.play_to(520, state="paused")
        assert "going on" in _texts(dialog.list)
        QTest.mouseClick(dialog.list.buttons[0], Qt.MouseButton.LeftButton)
        bench.bench.settle()
        assert bench.engine.count(RemoveFault) == 1
        assert dialog.list.buttons == []

    def test_at_the_end_there_is_nothing_to_inject(self, page: Any, bench: DeployBench) -> None:
        bench.play_to(N_ROWS, state="finished")
        dialog = page.open_faults()
        assert not dialog.ok.isEnabled()
        assert "at its end" in dialog.why.text()

    def test_closed_it_listens_no_more(self, page: Any, bench: DeployBench, settle: Any) -> None:
        dialog = page.open_faults()
        dialog.close()
        settle()
        assert dialog._ends == []
        bench.play_to(600)
        assert page.open_faults() is not dialog

    def test_every_control_is_named_and_explained(self, page: Any, bench: DeployBench) -> None:
        dialog = page.open_faults()
        bench.session.inject(Outage(start=510, stop=530))
        bench.bench.settle()
        for kind in FAULT_KINDS:
            dialog.choose(kind)
            for control in controls(dialog):
                assert control.accessibleName(), control
                assert control.accessibleDescription() or control.toolTip(), control


def _texts(widget: Any) -> str:
    from modellab.gui.kit import ElidedLabel

    return " | ".join(label.text() for label in widget.findChildren(ElidedLabel))


class TestSpans:
    def test_faults_are_shaded_in_every_plot_and_counted(
        self, page: Any, bench: DeployBench, picture: Any
    ) -> None:
        bench.session.inject(LabelNoise(start=500, stop=560, rate=0.2))
        bench.session.inject(Outage(start=600))
        bench.bench.settle()
        bench.play_to(700, state="paused")
        page.show_all()
        for plot in page.plots.plots:
            assert [(s.start, s.stop, s.kind) for s in plot.shades] == [
                (500, 560, "fault"),
                (600, N_ROWS, "outage"),
            ]
        assert page.plots.error_plot.shades[0].text == "20 % of labels wrong"
        assert ("fault", 2) in page.timeline.counts()
        assert "20 % of labels wrong, rows 500 – 559" in page.timeline.tip_at(
            page.timeline.x_of(530)
        )
        # It is seen: the same place without the fault has another colour.
        plot = page.plots.cost_plot
        shaded = picture(plot, "fault-shaded")
        bench.live.experiment = bench.session.experiment = _without_faults(bench)
        page.show_all()
        plain = picture(plot, "fault-plain")
        area, x = plot.area(), round(plot.x_of(530))
        heights = range(int(area.top()) + 4, int(area.bottom()) - 8)
        assert sum(shaded.pixel(x, y) != plain.pixel(x, y) for y in heights) > 10

    def test_a_lane_that_is_down_is_shaded_in_its_colour(
        self, page: Any, bench: DeployBench
    ) -> None:
        event = bench.retrained(520)
        event.values.update(downtime=True, serves_from=580)
        bench.play_to(700, state="paused")
        bench.session.select_lane("Static")
        page.show_all()
        (shade,) = shades(bench.live)
        assert (shade.start, shade.stop, shade.kind, shade.strip) == (520, 580, "down", True)
        bench.session.select_lane("Retrained")
        (shade,) = shades(bench.live)
        assert not shade.strip
        assert shade.text == "Retrained: down"

    def test_signs_of_every_kind_differ_in_shape(self, qapp: Any, looks: None) -> None:
        from PySide6.QtCore import QPointF
        from PySide6.QtGui import QImage, QPainter

        from modellab.gui.plots.parts import MARK_WORDS, paint_mark

        shapes = {}
        for kind in MARK_WORDS:
            image = QImage(24, 24, QImage.Format.Format_ARGB32)
            image.fill(0)
            painter = QPainter(image)
            paint_mark(painter, kind, QPointF(12, 12), "#C83E0A", 12)
            painter.end()
            # Shapes only: where anything opaque was painted, whatever its colour.
            shapes[kind] = bytes(
                image.pixelColor(x, y).alpha() > 128 for y in range(24) for x in range(24)
            )
        assert all(any(shape) for shape in shapes.values())
        hollow = {"reject", "retrain"}
        others = [shape for kind, shape in shapes.items() if kind not in hollow]
        assert len(set(others)) == len(others)

    def test_alarms_of_other_lanes_have_no_line(self, page: Any, bench: DeployBench) -> None:
        bench.session.select_lane("Online")
        bench.happened(420, "Online", "drift", "ADWIN")
        bench.happened(430, "Static", "drift", "ADWIN")
        bench.happened(440, "Static", "rollback", "by hand", to=410)
        bench.happened(450, "Static", "rollback", "by itself", to=420, automatic=True)
        bench.play_to(500)
        found = [(m.kind, m.position, m.strong) for m in marks(bench.live)]
        assert found == [
            ("drift", 420, True),
            ("drift", 430, False),
            ("rollback", 440, True),
            ("rollback", 450, False),
        ]


def _without_faults(bench: DeployBench) -> Any:
    from modellab.experiment import replace

    return replace(bench.live.experiment, fault=[])


class TestRollback:
    def test_dialog_offers_rows_worth_going_back_to(self, page: Any, bench: DeployBench) -> None:
        bench.session.inject(LabelNoise(start=520, stop=560))
        bench.bench.settle()
        bench.happened(540, "Online", "drift", "ADWIN")
        bench.play_to(700, state="paused")
        page.show_all()
        dialog = page.roll_back_lane("Online")
        texts = [link.text() for link in dialog.links]
        assert any(text.startswith("Row 520, before “20 % of labels wrong”") for text in texts)
        assert any(text.startswith("Row 540, before its last alarm") for text in texts)
        QTest.mouseClick(dialog.links[-1], Qt.MouseButton.LeftButton)
        row = dialog.row.whole()
        assert f"Row {row:,}" in dialog.links[-1].text()
        dialog.accept_row()
        bench.bench.settle()
        sent = bench.engine.last(Rollback)
        assert (sent.lane, sent.to) == ("Online", row)

    def test_rows_outside_the_replay_cannot_be_entered(self, page: Any) -> None:
        dialog = page.roll_back_lane("Online")
        assert (dialog.row.minimum(), dialog.row.maximum()) == (200, 499)
        dialog.reject()

    def test_from_the_menu_of_a_row(self, page: Any, bench: DeployBench) -> None:
        from modellab.gui.deploy.row_menu import row_menu

        bench.session.select_lane("Online")
        menu = row_menu(page, 321)
        entry = next(a for a in menu.actions() if a.text().startswith("Roll Online back to here"))
        entry.trigger()
        assert bench.engine.last(Rollback).to == 321
        next(a for a in menu.actions() if a.text() == "Go back to row 321").trigger()
        assert bench.engine.last(Seek).position == 321
        future = row_menu(page, 500)
        entry = next(a for a in future.actions() if a.text().startswith("Roll "))
        assert not entry.isEnabled()
        assert "replayed" in entry.toolTip()

    def test_a_right_click_asks_for_the_row_under_it(self, page: Any) -> None:
        asked: list[int] = []
        for source in (page.plots.error_plot, page.timeline):
            source.menu_wanted.disconnect()
            source.menu_wanted.connect(lambda row, _at: asked.append(row))
        plot, line = page.plots.error_plot, page.timeline
        for widget, x, y in (
            (plot.viewport(), plot.x_of(300), plot.area().center().y()),
            (line, line.x_of(300), line.band().center().y()),
        ):
            at = QPoint(round(x), round(y))
            event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, widget.mapToGlobal(at))
            from PySide6.QtWidgets import QApplication

            QApplication.sendEvent(widget, event)
        assert all(abs(row - 300) <= 1 for row in asked)
        assert len(asked) == 2

    def test_lane_menu_and_inspector_offer_it(self, page: Any, bench: DeployBench) -> None:
        texts = [a.text() for a in page.lanes.menu_for("Online").actions()]
        assert "Roll back…" in texts
        bench.play_to(200, state="paused")
        bench.session.select_lane("Online")
        page.show_all()
        assert not page.inspector.back.isEnabled()
        assert "Nothing has been replayed" in page.inspector.back.accessibleDescription()


class TestSettings:
    def test_drift_delay_and_prices_in_one_undo(self, page: Any, bench: DeployBench) -> None:
        before = bench.session.experiment
        dialog = page.open_settings()
        assert not dialog.ok.isEnabled()
        dialog.detector.choice.set_current("ddm")
        dialog.detector._chosen()
        dialog.detector._fields["drift_threshold"].setValue(2.5)
        dialog.false_alarm.setValue(5000)
        dialog.delay.set_value(24)
        dialog.prices["retrain"].setValue(25)
        dialog._check()
        assert "deploy anew" in dialog.note.text()
        dialog.accept_changes()
        bench.bench.settle()
        now = bench.session.experiment
        assert (now.drift.detector, now.drift.settings) == ("ddm", {"drift_threshold": 2.5})
        assert now.drift.false_alarm_every == 5000
        assert now.evaluation.label_delay == 24
        assert now.prices.retrain == 25
        assert page.banner.isVisible()
        bench.session.undo()
        assert bench.session.experiment == before

    def test_usual_settings_of_a_detector_are_not_written(self, page: Any) -> None:
        dialog = page.open_settings()
        dialog.detector.choice.set_current("kswin")
        dialog.detector._chosen()
        assert dialog.detector.params() == {}
        dialog.detector.choice.set_current("none")
        dialog.detector._chosen()
        assert dialog.why_not() is None
        assert dialog.entered(dialog.session.experiment).drift.detector == "none"

    def test_usual_settings_are_river_s(self) -> None:
        import inspect

        from river import drift
        from river.drift import binary

        from modellab.experiment_policies import DETECTOR_SETTINGS
        from modellab.gui.deploy.detector_form import _WORDS, USUAL

        classes = {
            "adwin": drift.ADWIN,
            "ddm": binary.DDM,
            "eddm": binary.EDDM,
            "hddm_a": binary.HDDMA,
            "hddm_w": binary.HDDMW,
            "page_hinkley": drift.PageHinkley,
            "kswin": drift.KSWIN,
        }
        for name, usual in USUAL.items():
            assert set(usual) == set(DETECTOR_SETTINGS[name])
            assert set(usual) <= set(_WORDS)
            for key, parameter in inspect.signature(classes[name]).parameters.items():
                if key in usual:
                    assert usual[key] == parameter.default, (name, key)
