"""The real pages in the real window: their actions, words and sizes fit together."""

from __future__ import annotations

import pytest

from modellab.gui.stages import PAGES


@pytest.fixture
def whole(window, qtbot):
    qtbot.waitUntil(lambda: len(window._pages) + len(window._failed) == len(PAGES) + 1)
    return window


def test_every_page_can_be_made(whole):
    assert whole._failed == {}
    assert [spec.id for spec in PAGES if spec.id not in whole._pages] == []
    assert [toast.notice.text for toast in whole.toasts.toasts()] == []


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
