from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from modellab.gui.actions import Action, ActionRegistry
from modellab.gui.palette import CommandPalette, match_score

pytestmark = pytest.mark.usefixtures("looks")


@given(st.text(min_size=1, max_size=20), st.text(max_size=10), st.text(max_size=10))
def test_what_is_contained_is_found(word, before, after):
    assert match_score(word, before + word + after) is not None


def test_better_matches_come_first():
    texts = ["Open…", "Reopen closed", "Overlay prediction lines", "Save as…"]
    scores = {text: match_score("open", text) for text in texts}
    assert scores["Save as…"] is None
    assert scores["Open…"] < scores["Reopen closed"]
    assert match_score("th dark", "Theme: Dark") is not None
    assert match_score("", "anything") == 0
    assert match_score("dk", "Dark") > match_score("ark", "Dark")


@pytest.fixture
def lab(qtbot):
    window = QWidget()
    window.resize(900, 600)
    qtbot.addWidget(window)
    registry = ActionRegistry(window)
    done = []
    for name, why in (
        ("Open", None),
        ("Save", "Open data first."),
        ("Save as", None),
        ("Quit", None),
    ):
        registry.add(
            Action(
                name, name, f"{name} it.", lambda n=name: done.append(n), enabled=lambda w=why: w
            )
        )
    palette = CommandPalette(registry, window)
    window.show()
    palette.show_over()
    yield palette, registry, done, qtbot
    palette.close()
    window.close()


def test_it_lists_all_and_puts_what_cannot_be_done_last_with_the_reason(lab):
    palette, *_ = lab
    assert palette.shown() == [
        ("Open", None),
        ("Save as", None),
        ("Quit", None),
        ("Save", "Open data first."),
    ]
    index = palette._model.index(3)
    spoken = index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "Save, not now: Open data first."


def test_typing_narrows_and_enter_does_it(lab):
    palette, _, done, qtbot = lab
    qtbot.keyClicks(palette.field, "sav")
    assert [name for name, _ in palette.shown()] == ["Save as", "Save"]
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert done == ["Save as"]
    assert not palette.isVisible()


def test_arrows_move_and_stop_at_the_ends(lab):
    palette, _, done, qtbot = lab
    for _ in range(2):
        qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    assert palette.list.currentIndex().row() == 2
    qtbot.keyClick(palette.field, Qt.Key.Key_PageDown)
    assert palette.list.currentIndex().row() == 3
    qtbot.keyClick(palette.field, Qt.Key.Key_PageUp)
    assert palette.list.currentIndex().row() == 0
    qtbot.keyClick(palette.field, Qt.Key.Key_Enter)
    assert done == ["Open"]


def test_a_refused_command_is_asked_all_the_same_so_that_the_window_can_say_why(lab):
    palette, registry, done, qtbot = lab
    with qtbot.waitSignal(registry.refused) as told:
        palette._run(palette._model.index(3))
    assert told.args == ["Save", "Open data first."]
    assert done == []


def test_nothing_found_is_said(lab):
    palette, _, done, qtbot = lab
    qtbot.keyClicks(palette.field, "zzzz")
    assert palette.shown() == []
    assert palette._none.isVisible()
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert done == []
    qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
    assert not palette.isVisible()
    palette.show_over()
    assert palette.field.text() == ""
    assert len(palette.shown()) == 4


def test_a_click_does_it(lab):
    palette, _, done, qtbot = lab
    place = palette.list.visualRect(palette._model.index(2)).center()
    qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert done == ["Quit"]


def test_long_reasons_are_painted_within_the_row(lab, picture):
    palette, registry, _, _ = lab
    registry.add(Action("long", "x " * 200, "t", lambda: None, enabled=lambda: "why " * 200 + "."))
    palette.show_over()
    image = picture(palette, "palette")
    assert image.width() == palette.width()
