from __future__ import annotations

from pathlib import Path

import pytest
from page_contract import controls
from PySide6.QtWidgets import QFileDialog, QWidget

from modellab.gui.actions import Action, ActionRegistry
from modellab.gui.dialogs import files
from modellab.gui.dialogs.preferences import PreferencesDialog
from modellab.gui.dialogs.shortcuts import WORDS, AboutDialog, HelpDialog, versions_text
from modellab.gui.settings import Preferences, Settings

pytestmark = pytest.mark.usefixtures("looks")


@pytest.fixture
def host(qtbot):
    made = QWidget()
    made.resize(900, 700)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


@pytest.fixture
def preferences(host, tmp_path):
    store = Settings(tmp_path / "settings.json")
    dialog = PreferencesDialog(store, host)
    dialog.show()
    yield dialog, store
    dialog.close()


def test_every_preference_takes_effect_at_once(preferences):
    dialog, store = preferences
    dialog.theme.button("dark").click()
    dialog.text_size.button("1.25").click()
    dialog.memory.setValue(50)
    assert store.preferences == Preferences(theme="dark", text_scale=1.25, memory_share=0.5)
    assert "from the next start" in dialog._memory_row.text.text()


def test_usual_values_come_back(preferences):
    dialog, store = preferences
    store.change(theme="dark", memory_share=0.9)
    dialog._usual()
    assert store.preferences == Preferences()
    assert dialog.memory.number() == 25
    assert dialog.theme.current() == "system"


def test_kept_data_are_measured_and_cleared(host, tmp_path):
    from modellab.data import leases

    store = leases.stores_folder() / "old"
    store.mkdir()
    (store / "part.arrow").write_bytes(b"x" * 5_000_000)
    dialog = PreferencesDialog(Settings(tmp_path / "s.json"), host)
    assert dialog._cache_row.text.text().startswith("5.0 MB")
    dialog.clear.click()
    assert not store.exists()
    assert dialog._cache_row.text.text().startswith("0 bytes")
    dialog.close()


def test_controls_of_the_dialogs_are_named_and_explained(preferences, host):
    dialog, _ = preferences
    for window in (dialog, HelpDialog(ActionRegistry(), host), AboutDialog(host)):
        assert controls(window)
        for control in controls(window):
            assert control.accessibleName(), control
            assert control.accessibleDescription() or control.toolTip(), control.accessibleName()


def test_help_lists_every_action_and_every_word(host):
    registry = ActionRegistry()
    for name, menu in (("open", "File"), ("dark", "View/Theme"), ("odd", "")):
        registry.add(Action(name, name.title(), f"Tip of {name}.", print, menu=menu))
    dialog = HelpDialog(registry, host)
    assert dialog.listed() == ["Open", "Theme: Dark", "Odd"]
    dialog.field.setText("dark")
    assert dialog.listed() == ["Theme: Dark"]
    dialog.field.setText("zzz")
    assert dialog.listed() == []
    dialog.field.clear()
    dialog.show_words()
    assert dialog.listed() == [word for word, _ in WORDS]
    dialog.close()


def test_about_names_the_versions(host):
    text = versions_text()
    assert text.startswith("Model Lab ")
    assert "Qt 6." in text
    AboutDialog(host).close()


def open_dialog(host):
    found = host.findChildren(QFileDialog)
    assert len(found) == 1
    return found[0]


def test_files_to_open_come_sorted(host, tmp_path):
    got = []
    files.ask_open(host, got.append, tmp_path)
    dialog = open_dialog(host)
    dialog.filesSelected.emit([str(tmp_path / "b.csv"), str(tmp_path / "a.csv")])
    assert got == [[tmp_path / "a.csv", tmp_path / "b.csv"]]
    dialog.close()


def test_the_ending_follows_the_kind_chosen(host, tmp_path):
    got = []
    files.ask_save(host, got.append, "x.mlab", tmp_path)
    dialog = open_dialog(host)
    assert dialog.defaultSuffix() == "mlab"
    dialog.filterSelected.emit(files.SAVE_FILTERS[1])
    assert dialog.defaultSuffix() == "toml"
    dialog.fileSelected.emit(str(tmp_path / "x.toml"))
    assert got == [tmp_path / "x.toml"]
    dialog.close()


def test_a_folder_for_results(host, tmp_path):
    got = []
    files.ask_folder(host, "Write into", got.append)
    dialog = open_dialog(host)
    dialog.fileSelected.emit(str(tmp_path))
    assert got == [tmp_path]
    dialog.close()


def test_locating_moved_data(host, tmp_path, monkeypatch):
    answers = [([str(tmp_path / "a.csv")], ""), ([], "")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *a: answers.pop(0))
    assert files.locate_data(host, Path("x.toml")) == [tmp_path / "a.csv"]
    assert files.locate_data(host, Path("x.toml")) is None
