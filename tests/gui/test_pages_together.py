"""The real pages in the real window: their actions, words and sizes fit together."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from PySide6.QtWidgets import QApplication

from modellab.gui.stages import PAGES
from modellab.gui.theme import font


@pytest.fixture
def whole(window, qtbot):
    qtbot.waitUntil(lambda: len(window._pages) + len(window._failed) == len(PAGES) + 1)
    return window


def test_every_page_can_be_made(whole):
    assert whole._failed == {}
    assert [spec.id for spec in PAGES if spec.id not in whole._pages] == []
    assert [toast.notice.text for toast in whole.toasts.toasts()] == []


@pytest.mark.parametrize("spec", PAGES, ids=lambda spec: spec.id)
def test_a_page_copes_with_what_comes_between_its_parts(spec, gui_bench, qtbot, tmp_path, looks):
    gui_bench.open(tmp_path / "prices.csv")
    before = QApplication.topLevelWidgets()
    page = spec.make(gui_bench.session, whole=False)
    qtbot.addWidget(page)
    parts = 0
    while page.make_part():
        parts += 1
        page.resize(900 + parts, 600)
        page.grab()  # brings the new size to it
        page.setFont(font(12 + parts % 2))
        gui_bench.session.tell("info", "Something else.")
        gui_bench.session.topics.publish("data")
        # Closed now, the window would leave these behind.
        new = [widget for widget in QApplication.topLevelWidgets() if widget not in before]
        assert [type(w) for w in new if w.parent() is None and w is not page] == []
    assert parts, "made in one go"
    assert page.complete
    page.take_down()


def test_modules_named_to_come_before_a_page_are_there():
    assert [name for spec in PAGES for name in spec.before if find_spec(name) is None] == []


def test_on_every_page_every_shortcut_does_one_thing(whole, gui_bench, tmp_path):
    gui_bench.deployed(tmp_path / "prices.csv")
    for spec in PAGES:
        whole.registry.set_page(spec.id)
        keys = [
            key.toString()
            for action in whole.registry
            for key in whole.registry.qaction(action.id).shortcuts()
        ]
        assert len(keys) == len(set(keys)), spec.id


def test_every_action_is_explained_and_its_refusal_is_a_sentence(whole):
    for action in whole.registry:
        assert action.tip.rstrip().endswith("."), action.id
        why = action.enabled()
        assert why is None or why.rstrip().endswith("."), action.id


def test_the_window_keeps_its_size_on_every_page(whole, gui_bench, qtbot, tmp_path, settle):
    gui_bench.deployed(tmp_path / "prices.csv")
    settle()
    whole.resize(1280, 720)
    for spec in PAGES:
        if whole.show_page(spec.id):
            settle()
            assert (whole.width(), whole.height()) == (1280, 720), spec.id
