"""Lane cards: numbers, the best, what is done from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_bench import DeployBench
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from modellab.gui.deploy import words
from modellab.replay.protocol import AddLane, RemoveLane, Watch


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Path, looks: None) -> Iterator[DeployBench]:
    made = DeployBench(gui_bench, tmp_path)
    yield made
    made.session.close(keep=False)


@pytest.fixture
def cards(bench: DeployBench, qtbot: Any) -> Any:
    from modellab.gui.deploy.lane_cards import LaneList

    made = LaneList(bench.session)
    qtbot.addWidget(made)
    made.resize(272, 800)
    bench.play_to(600)
    made.structure_changed()
    made.show()
    return made


def test_lanes_of_one_hue_have_different_signs(bench: DeployBench) -> None:
    lanes = bench.live.lanes
    first, fifth = (words.lane_style(lanes[name]) for name in ("Static", "Online tree"))
    assert first[0] == fifth[0]
    assert first[1] != fifth[1]
    assert words.chip_kind(lanes["Static"]) == "lane"
    assert words.chip_kind(lanes["Online tree"]) == "fork"
    assert words.chip_kind(lanes["No change"]) == "baseline"


def test_one_card_for_every_lane_in_order(cards: Any, bench: DeployBench) -> None:
    names = ["Static", "Retrained", "On alarm", "Online", "Online tree"]
    names += ["Majority class", "No change"]
    assert list(cards.cards) == names
    heights = [cards.cards[name].y() for name in names]
    assert heights == sorted(heights)
    assert len(set(heights)) == len(names)


def test_numbers_and_the_best(cards: Any, bench: DeployBench) -> None:
    live = bench.live
    best = live.best()
    for name, card in cards.cards.items():
        error = live.lanes[name].news.error
        assert card.error.text() == f"{error:.3f}"
        if not card.baseline:
            assert card.best.isVisible() == (name == best.name)
            gap = error - best.news.error
            assert card.difference.text() == ("" if name == best.name else f"{gap:+.3f}")
    assert "400 updates" in cards.cards["Online"].work.text()
    assert "4 retrains, 4 deployed" in cards.cards["Retrained"].work.text()
    assert "no updates" in cards.cards["Static"].work.text()


def test_colours_are_the_lanes_own(cards: Any, bench: DeployBench) -> None:
    from modellab.gui.theme import theme

    styles = [words.lane_style(lane) for lane in bench.live.lanes.values()]
    assert len(set(styles)) == len(styles)
    bench.session.fork("Online", "Bolder")
    bench.bench.settle()
    parent, fork = bench.live.lanes["Online"], bench.live.lanes["Bolder"]
    assert words.lane_style(fork)[0] == words.lane_style(parent)[0]
    assert words.lane_style(fork)[1]
    assert words.lane_style(parent) == (theme().lanes[parent.index], ())


def test_a_click_selects_and_watches(cards: Any, bench: DeployBench) -> None:
    QTest.mouseClick(cards.cards["Static"], Qt.MouseButton.LeftButton)
    assert bench.live.selected == "Static"
    assert bench.engine.last(Watch).lane == "Static"
    cards.structure_changed()
    assert cards.cards["Static"].selected()
    assert not cards.cards["Online"].selected()
    # By keyboard too, and a baseline has nothing to select.
    QTest.keyClick(cards.cards["Retrained"], Qt.Key.Key_Return)
    assert bench.live.selected == "Retrained"
    QTest.mouseClick(cards.cards["No change"], Qt.MouseButton.LeftButton)
    assert bench.live.selected == "Retrained"


def test_the_eye_hides(cards: Any, bench: DeployBench) -> None:
    QTest.mouseClick(cards.cards["No change"].eye, Qt.MouseButton.LeftButton)
    assert bench.live.lanes["No change"].hidden
    cards.structure_changed()
    assert cards.cards["No change"].eye.accessibleName() == "Show No change"
    QTest.keyClick(cards.cards["No change"], Qt.Key.Key_H)
    assert not bench.live.lanes["No change"].hidden


def entry(menu: Any, title: str) -> Any:
    return next(a for a in menu.actions() if a.text() == title)


def test_the_menu(cards: Any, bench: DeployBench) -> None:
    menu = cards.menu_for("Static")
    assert all(a.isEnabled() for a in menu.actions() if a.text())
    entry(menu, "Duplicate").trigger()
    bench.bench.settle()
    assert bench.engine.last(AddLane).lane.name == "Static 2"
    entry(menu, "Remove").trigger()
    bench.bench.settle()
    assert bench.engine.last(RemoveLane).name == "Static"
    bench.session.fork("Online", "Bolder")
    bench.bench.settle()
    assert not entry(cards.menu_for("Bolder"), "Edit…").isEnabled()


def test_lanes_come_and_go(cards: Any, bench: DeployBench) -> None:
    bench.session.remove_lane("Static")
    bench.bench.settle()
    cards.structure_changed()
    assert "Static" not in cards.cards
    bench.session.undo()
    bench.bench.settle()
    cards.structure_changed()
    assert "Static" in cards.cards


def test_a_hostile_name_is_plain_text(cards: Any, bench: DeployBench) -> None:
    name = "<img src=x><b>bold</b>"
    bench.session.fork("Online", name)
    bench.bench.settle()
    cards.structure_changed()
    card = cards.cards[name]
    assert card.title.textFormat() == Qt.TextFormat.PlainText
    assert "<b>" not in card.eye.toolTip()
    assert "<b>" not in card.more.toolTip()


@pytest.mark.parametrize(
    ("value", "said"),
    [(1, "row"), (20_000, "20,000 rows"), ("7d", "7 days"), ("1h", "hour"), ("1d 12h", "1d 12h")],
)
def test_spans_in_words(value: Any, said: str) -> None:
    assert words.span_words(value) == said


def test_errors_in_words() -> None:
    assert words.error_text(0.12345, "classification") == "0.123"
    assert words.error_text(1234.5, "regression") == "1,234"
    assert words.error_text(37.0, "regression") == "37.00"
    assert words.error_text(0.04, "regression") == "0.04000"
    assert words.error_text(0.0, "regression") == "0"
    assert words.error_text(None, "regression") == "–"
    assert words.difference_text(0.039, "classification") == "+0.039"
