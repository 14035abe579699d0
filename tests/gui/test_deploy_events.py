"""What happened on the Deploy page: events by kind and in full, notes on cards, the inspector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from deploy_bench import DeployBench

from modellab.experiment import (
    ChampionPolicy,
    Condition,
    GuardSpec,
    LaneSpec,
    LearnerSpec,
    PriceSpec,
    TriggeredPolicy,
    replace,
)
from modellab.gui.deploy.event_details import EventDetails, detail_lines
from modellab.gui.deploy.events import EventsCard
from modellab.gui.deploy.inspector import Inspector
from modellab.gui.deploy.lane_cards import LaneList
from modellab.replay.protocol import Intervene, QuarantinePage, ReadQuarantine


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Path, looks: None) -> DeployBench:
    return DeployBench(gui_bench, tmp_path)


@pytest.fixture
def card(bench: DeployBench, qtbot: Any) -> EventsCard:
    made = EventsCard(bench.session)
    qtbot.addWidget(made)
    bench.retrained(300)
    bench.retrained(350, 2, better=False)
    bench.happened(320, "Online", "drift", "ADWIN: the error has risen")
    bench.happened(330, "Online", "drift", "ADWIN: the error has risen")
    bench.happened(340, "", "fault", "Outage")
    bench.play_to(400)
    made.show_lanes()
    made.show_events()
    return made


class TestKinds:
    def test_those_that_occur_are_offered_with_their_number(self, card: EventsCard) -> None:
        texts = [a.text() for a in card.kinds_menu().actions() if a.text()]
        assert texts == [
            "All kinds",
            "2 drift alarms",
            "1 retrain",
            "1 retrain, old model kept",
            "1 fault",
        ]

    def test_left_out_kinds_are_not_listed_and_come_back(self, card: EventsCard) -> None:
        menu = card.kinds_menu()
        next(a for a in menu.actions() if a.text() == "2 drift alarms").setChecked(False)
        assert [card.model.event_at(r).kind for r in range(card.model.rowCount())] == [
            "reject",
            "fault",
            "retrain",
        ]
        assert card._subtitle.text() == "3 of 5"
        assert "drift alarms" in card.kinds.accessibleDescription()
        menu = card.kinds_menu()
        next(a for a in menu.actions() if a.text() == "All kinds").trigger()
        assert card.model.rowCount() == 5

    def test_everything_left_out_says_so(self, card: EventsCard) -> None:
        card.leave_out(frozenset({"drift", "retrain", "reject", "fault"}))
        assert "left out" in card.empty.text()
        assert not card.empty.isHidden()

    def test_what_concerns_all_lanes_is_in_every_lane_s_list(self, card: EventsCard) -> None:
        card._filter_chosen("Retrained")
        kinds = [card.model.event_at(r).kind for r in range(card.model.rowCount())]
        assert kinds == ["reject", "fault", "retrain"]
        assert "all lanes" in str(card.model.index(1).data())


class TestDetails:
    def test_a_retrain_tells_test_cause_delay_and_cost(self, bench: DeployBench) -> None:
        event = bench.retrained(300)
        event.values.update(
            cause="Drift alarm of ADWIN on the error",
            serves_from=330,
            downtime=True,
            fit_seconds=36.0,
        )
        live = bench.live
        live.experiment = replace(live.experiment, prices=PriceSpec(retrain=25.0, cpu_hour=100.0))
        lines = dict(detail_lines(event, bench.session))
        assert lines["Why"] == "Drift alarm of ADWIN on the error"
        assert lines["Rows trained on"] == "150, from 0 to before 280"
        assert lines["Error of the new model"] == "0.200"
        assert lines["Error of the running model"] == "0.210"
        assert lines["Difference, new less running"] == "−0.010"
        assert lines["Outcome"] == (
            "deployed from row 330 on, 30 rows later; nothing served meanwhile"
        )
        assert lines["It cost"].startswith("26,")  # 25, and 36 s of an hour at 100

    def test_a_rejected_one_says_that_the_old_model_was_kept(self, bench: DeployBench) -> None:
        event = bench.retrained(300, better=False)
        event.values.update(p_value=0.0312, other_error=0.25)
        lines = dict(detail_lines(event, bench.session))
        assert lines["Outcome"] == "the old model was kept"
        assert lines["p-value that it is better"] == "0.031"
        assert lines["Error with another length of memory"] == "0.250"

    def test_other_events_in_words_and_as_plain_text(self, bench: DeployBench, qtbot: Any) -> None:
        from PySide6.QtCore import Qt

        from modellab.gui.kit import Label

        event = bench.happened(
            320, "Online", "rollback", "Rolled back", to=250, best_error=0.1, automatic=True,
            cause="<b>x</b>",
        )  # fmt: skip
        assert detail_lines(event, bench.session) == [
            ("To", "250"),
            ("Error of the state gone back to", "0.100"),
            ("By itself", "yes"),
            ("Why", "<b>x</b>"),
        ]
        dialog = EventDetails(event, bench.session)
        qtbot.addWidget(dialog)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        labels = dialog.findChildren(Label)
        assert "<b>x</b>" in [label.text() for label in labels]
        assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels)


class TestCards:
    def test_notes_tell_alarms_quarantine_regret_and_staleness(
        self, bench: DeployBench, qtbot: Any
    ) -> None:
        lanes = LaneList(bench.session)
        qtbot.addWidget(lanes)
        bench.play_to(400)
        lanes.structure_changed()
        assert lanes.cards["Static"].notes.isHidden()
        news = bench.live.lanes["Static"].news
        news.alarms, news.quarantined, news.regret, news.staleness = 1, 12, 34.0, 5600.0
        news.forgetting = 0.04
        lanes.numbers_changed()
        card = lanes.cards["Static"]
        assert card.notes.text() == "1 alarm · 12 kept back · regret 34 · 5,600 rows stale"
        assert "Forgetting 0.04" in card.notes.toolTip()
        assert card.shield.isHidden()

    def test_a_lane_that_is_down_says_so(self, bench: DeployBench, qtbot: Any) -> None:
        lanes = LaneList(bench.session)
        qtbot.addWidget(lanes)
        bench.play_to(400)
        lanes.structure_changed()
        bench.live.lanes["Retrained"].news.down = True
        lanes.numbers_changed()
        assert lanes.cards["Retrained"].status.text() == "Down: the baseline answers."
        assert not lanes.cards["Retrained"].status.isHidden()

    def test_a_guard_is_shown(self, bench: DeployBench, qtbot: Any) -> None:
        lanes = LaneList(bench.session)
        qtbot.addWidget(lanes)
        view = bench.live.lanes["Online"]
        view.spec = replace(view.spec, guard=GuardSpec(loss=0.99))
        bench.play_to(400)
        lanes.structure_changed()
        assert not lanes.cards["Online"].shield.isHidden()
        assert "1 % of rows" in lanes.cards["Online"].shield.toolTip()


class TestInspector:
    def show(self, bench: DeployBench, qtbot: Any, spec: LaneSpec, **settings: Any) -> Inspector:
        made = Inspector(bench.session)
        qtbot.addWidget(made)
        bench.session.add_lane(spec)
        bench.bench.settle()
        bench.settings[spec.name] = settings
        bench.session.select_lane(spec.name)
        bench.play_to(400, state="paused")
        made.show_lane()
        return made

    def test_conditions_and_what_can_be_changed_in_flight(
        self, bench: DeployBench, qtbot: Any
    ) -> None:
        policy = TriggeredPolicy(
            when=[Condition(drift="adwin"), Condition(rows=500)], combine="all"
        )
        spec = LaneSpec("Watched", policy, LearnerSpec("linear"))
        made = self.show(bench, qtbot, spec, cooldown=1000, margin=0.0, downtime=False)
        assert made.policy.words.text() == (
            "Retrained when all of these hold:\n·  ADWIN alarm\n·  500 new rows"
        )
        grid = made.policy.grids["triggered"]
        shown = {name for name, holder in grid.holders.items() if not holder.isHidden()}
        assert shown == {"cooldown", "margin", "downtime"}
        grid.fields["margin"].setValue(0.02)
        bench.bench.settle()
        assert bench.engine.last(Intervene).set == {"margin": 0.02}

    def test_a_challenger_is_named(self, bench: DeployBench, qtbot: Any) -> None:
        policy = ChampionPolicy(challenger=LearnerSpec("naive_bayes"))
        spec = LaneSpec("Contest", policy, LearnerSpec("linear"))
        made = self.show(bench, qtbot, spec, level=0.01)
        assert made.policy.words.text().startswith("Challenger: Naive Bayes")
        assert made.guard.isHidden()

    def test_what_a_guard_kept_back_can_be_seen(self, bench: DeployBench, qtbot: Any) -> None:
        from PySide6.QtCore import Qt

        from modellab.gui.deploy.quarantine_dialog import QuarantineDialog

        spec = LaneSpec(
            "Safe", TriggeredPolicy(), LearnerSpec("linear"), GuardSpec(range=2.0, rollback=0.1)
        )
        made = self.show(bench, qtbot, spec)
        assert "Nothing was kept back yet" in made.guard.words.text()
        assert made.guard.rows.isHidden()
        bench.live.lanes["Safe"].news.quarantined = 2
        made.show_lane()
        assert "2 rows were kept back" in made.guard.words.text()
        asked: list[str] = []
        made.quarantine_wanted.connect(asked.append)
        made.guard.rows.click()
        assert asked == ["Safe"]
        bench.engine.results[ReadQuarantine] = QuarantinePage(
            start=0, total=2, columns=["price"],
            rows=[(210, "out of range", ["9"]), (222, "loss", [None])],
        )  # fmt: skip
        dialog = QuarantineDialog(bench.session, "Safe")
        qtbot.addWidget(dialog)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        bench.bench.settle()
        model = dialog.table.model()
        assert [model.index(1, c).data() for c in range(3)] == ["222", "loss", "–"]
        assert dialog.story.text().startswith("2 rows looked wrong")
        dialog.save_to("kept.csv")
        assert bench.engine.last(ReadQuarantine).save_to == "kept.csv"
        bench.bench.settle()
        assert bench.session.last_message.text == "2 rows were written to kept.csv."
