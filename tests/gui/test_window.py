from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout

from modellab.errors import DataError
from modellab.gui import window as window_module
from modellab.gui.actions import Action
from modellab.gui.pages.base import Page
from modellab.gui.settings import settings
from modellab.gui.theme import theme, theme_hub
from modellab.gui.window import PAGES, MainWindow, PageSpec, stage_done

CTRL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier


class StubPage(Page):
    """A page of a few lines, in the place of the real ones: the window alone is the subject."""

    def build(self):
        self.events = []
        layout = QVBoxLayout(self)
        yield
        layout.addWidget(QLabel(self.id))

    def available(self):
        return None if self.session.experiment is not None else "Open data first."

    def shown(self):
        self.events.append("shown")

    def hidden(self):
        self.events.append("hidden")

    def status(self):
        return [f"about {self.id}", "more"]

    def actions_offered(self):
        if self.id != "deploy":
            return []
        return [Action("run.go", "&Go", "Go on.", lambda: self.events.append("go"), menu="Run")]


def stub(spec):
    return type(f"Stub{spec.id}", (StubPage,), {"id": spec.id, "title": spec.title})


@pytest.fixture(autouse=True)
def _stub_pages(monkeypatch):
    kinds = {spec.id: stub(spec) for spec in PAGES}
    real = PageSpec.make

    def make(self, session, parent=None, *, whole=True):
        if self.id in kinds:
            return kinds[self.id](session, parent, whole=whole)
        return real(self, session, parent, whole=whole)

    monkeypatch.setattr(PageSpec, "make", make)


@pytest.fixture
def opened(window, gui_bench, qtbot, tmp_path):
    file = tmp_path / "prices.csv"
    file.write_text("a,b\n1,2\n")
    window.open_files([file])
    qtbot.waitUntil(lambda: window.current_page == "data")
    gui_bench.settle()
    window._refresh()
    return window


# ---------------------------------------------------------------- pages and rail


def test_it_opens_on_the_start_page_and_makes_the_others_afterwards(window, qtbot):
    assert window.current_page == "welcome"
    assert not window.rail.isVisible()
    qtbot.waitUntil(lambda: len(window._pages) == len(PAGES) + 1)
    assert window.windowTitle() == "Model Lab"
    assert window.header.document() == ("", "")


def test_stages_that_cannot_be_reached_say_why(window, qtbot):
    assert window.show_page("deploy") is False
    assert window.status.middle() == "Open data first."
    assert window.current_page == "welcome"
    button = window.rail.button("train")
    qtbot.waitUntil(lambda: button.state == "not reached")
    assert "Open data first." in button.accessibleDescription()
    assert "not yet" in button.accessibleName()


def test_opening_a_file_leads_to_the_data_page(opened):
    assert opened.rail.isVisible()
    assert opened.header.document() == ("prices.csv", "Not saved yet")
    assert opened.windowTitle() == "prices.csv – Model Lab"
    assert opened.rail.button("data").state == "current"
    assert opened.rail.button("train").state == "open"
    assert opened.status.middle() == "about data · more"
    assert [Path(item.path).name for item in settings().recent] == ["prices.csv"]
    assert settings().recent[0].detail == "1,000 rows · 4 columns"


def test_pages_are_told_when_they_are_shown_and_hidden(opened):
    data, train = opened.page("data"), opened.page("train")
    assert data.events == ["shown"]
    opened.show_page("train")
    opened.show_page("train")
    assert data.events == ["shown", "hidden"]
    assert train.events == ["shown"]
    train.go_to.emit("deploy")
    assert opened.current_page == "deploy"


def test_the_rail_by_keyboard(opened, qtbot):
    opened.activateWindow()
    qtbot.waitUntil(opened.isActiveWindow)
    qtbot.keyClick(opened, Qt.Key.Key_4, ALT)
    assert opened.current_page == "deploy"
    qtbot.keyClick(opened, Qt.Key.Key_0, ALT)
    assert opened.current_page == "welcome"
    qtbot.keyClick(opened, Qt.Key.Key_2, ALT)
    button = opened.rail.button("test")
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert opened.current_page == "test"


def test_stages_behind_the_person_are_ticked(opened, gui_bench):
    session = gui_bench.session
    assert not stage_done(session, "data")
    session.deploy()
    gui_bench.settle()
    opened.show_page("deploy")
    opened._refresh()
    assert opened.rail.button("data").state == "done"
    assert not stage_done(session, "train")
    assert not stage_done(session, "deploy")
    gui_bench.feed(session.deployment.stop)
    assert stage_done(session, "deploy")


class BrokenPage(StubPage):
    """Fails at its second part, when it listens already."""

    def build(self):
        self.watch("data", self.hidden)
        yield from super().build()
        raise DataError("The train page is broken.")


def test_a_page_that_fails_does_not_take_the_window_with_it(
    gui_bench, qtbot, looks, monkeypatch, modellab_home
):
    def make(self, session, parent=None, *, whole=True):
        kind = BrokenPage if self.id == "train" else stub(self)
        return kind(session, parent, whole=whole)

    monkeypatch.setattr(PageSpec, "make", make)
    made = MainWindow(gui_bench.session)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: "train" in made._failed)
    qtbot.waitUntil(lambda: bool(made.toasts.toasts()))
    assert made.toasts.toasts()[0].notice.text == "The train page is broken."
    assert made.show_page("train") is False
    heard = gui_bench.session.topics._callbacks["data"]
    assert not any(isinstance(getattr(call, "__self__", None), BrokenPage) for call in heard)
    made.close()


def test_asking_whether_a_page_can_be_reached_makes_none(gui_bench, qtbot, looks, modellab_home):
    made = MainWindow(gui_bench.session)
    qtbot.addWidget(made)
    made._refresh()
    assert made.why_not("decide") == "Open data first."
    assert list(made._pages) == ["welcome"]
    made.close()


def test_pages_are_made_in_parts_and_completed_at_once_when_one_goes_there(window, monkeypatch):
    monkeypatch.setattr(window._timer, "isActive", lambda: False)  # nothing more by itself
    for page_id in ("data", "deploy"):
        window._pages.pop(page_id, None)
    spec = window._specs["deploy"]
    for _ in range(2):
        window._make_part(spec)
    assert "deploy" not in window._pages
    half = window._making._begun["deploy"]
    assert not half.complete
    assert half.isHidden()
    window.grab()  # a picture of the window tells its size to whatever is in it
    page = window.page("deploy")
    assert page is half
    assert page.complete
    assert page.findChildren(QLabel)
    window._make_part(window._specs["data"])
    window.close()
    assert not window._making._begun


def test_a_page_brings_its_own_actions_into_menu_and_palette(window, qtbot):
    qtbot.waitUntil(lambda: "run.go" in window.registry)
    menus = {entry.text(): entry.menu() for entry in window.header.menu_bar.actions()}
    assert "run.go" in [action.objectName() for action in menus["&Run"].actions()]
    window.registry.run("run.go")
    assert window.page("deploy").events[-1] == "go"


# ---------------------------------------------------------------- actions


def test_every_action_is_explained_and_its_refusal_is_a_sentence(window):
    actions = list(window.registry)
    assert len(actions) > 25
    for action in actions:
        assert action.tip.endswith("."), action.id
        assert action.icon == "" or action.id
        why = action.enabled()
        assert why is None or why.endswith("."), action.id
    shortcuts = [key for action in actions for key in action.shortcuts]
    assert len(shortcuts) == len(set(shortcuts))


def test_undo_and_redo_say_what(opened, gui_bench):
    session = gui_bench.session
    assert opened.registry.reason("edit.undo") == "There is nothing to undo."
    from modellab.experiment import SplitSpec, replace

    session.edit("Move the split", replace(session.experiment, split=SplitSpec(train=0.5)))
    opened.registry.run("edit.undo")
    assert opened.status.middle() == "Undone: Move the split."
    assert session.train_rows == 200
    opened.registry.run("edit.redo")
    assert opened.status.middle() == "Done again: Move the split."
    assert session.train_rows == 500


def test_saving_asks_once_and_then_knows(opened, gui_bench, tmp_path, monkeypatch):
    asked = []
    target = tmp_path / "mine.toml"
    monkeypatch.setattr(
        window_module.files,
        "ask_save",
        lambda parent, done, name, folder: (asked.append(name), done(target)),
    )
    opened.registry.run("file.save")
    assert asked == ["prices.mlab"]
    assert target.exists()
    opened._refresh()
    assert opened.header.document() == ("mine.toml", "Saved")
    opened.registry.run("file.save")
    assert asked == ["prices.mlab"]
    assert [item.kind for item in settings().recent] == ["experiment", "data"]
    from modellab.experiment import SplitSpec, replace

    session = gui_bench.session
    session.edit("Move the split", replace(session.experiment, split=SplitSpec(train=0.5)))
    opened._refresh()
    assert opened.header.document() == ("mine.toml", "Edited")


def test_nothing_can_be_saved_before_there_is_something(window, qtbot):
    with qtbot.waitSignal(window.registry.refused):
        window.registry.run("file.save")
    assert window.status.middle() == "Open data first."


def test_the_theme_is_turned_and_remembered(window):
    window.registry.run("view.theme.toggle")
    assert theme().dark
    assert settings().preferences.theme == "dark"
    assert "light" in window.header.theme_button.accessibleName()
    window.registry.run("view.theme.light")
    assert not theme().dark
    assert window.registry.qaction("view.theme.light").isChecked()
    assert not window.registry.qaction("view.theme.dark").isChecked()


def test_text_gets_larger_up_to_a_limit(window, qtbot):
    try:
        for _ in range(9):
            window.registry.run("view.larger")
        assert settings().preferences.text_scale == 1.5
        assert window.registry.reason("view.larger") == "This is the limit."
        assert window.header.height() == 60
        window.registry.run("view.usual")
        assert window.header.height() == 40
        window.registry.run("view.smaller")
        assert window.registry.reason("view.smaller") == "This is the limit."
    finally:
        theme_hub().set_text_scale(1.0)


def test_the_palette_opens_by_both_shortcuts_and_closes(window, qtbot):
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    for key, modifier in (
        (Qt.Key.Key_K, CTRL),
        (Qt.Key.Key_P, CTRL | Qt.KeyboardModifier.ShiftModifier),
    ):
        qtbot.keyClick(window, key, modifier)
        assert window._palette.isVisible()
        window._palette.close()


def test_recent_files_are_in_the_menu(window, tmp_path):
    file_menu = window.header.menu_bar.actions()[0].menu()
    recent = next(a.menu() for a in file_menu.actions() if a.text() == "Open &recent")
    recent.aboutToShow.emit()
    assert [a.text() for a in recent.actions()] == ["Nothing was opened yet"]
    (tmp_path / "a&b.csv").write_text("x")
    settings().add_recent(str(tmp_path / "gone.csv"))
    settings().add_recent(str(tmp_path / "a&b.csv"))
    recent.aboutToShow.emit()
    assert [(a.text(), a.isEnabled()) for a in recent.actions()] == [
        ("a&&b.csv", True),
        ("gone.csv", False),
    ]


# ---------------------------------------------------------------- the session


def test_messages_of_the_session_become_toasts(window, gui_bench, qtbot):
    done = []
    gui_bench.session.tell("error", "It failed.", action="Again", run=lambda: done.append(1))
    qtbot.waitUntil(lambda: bool(window.toasts.toasts()))
    notice = window.toasts.toasts()[0].notice
    assert (notice.severity, notice.text, notice.action) == ("error", "It failed.", "Again")
    assert window.registry.reason("window.dismiss") is None
    window.registry.run("window.dismiss")
    assert window.toasts.toasts() == []


def test_the_status_bar_shows_work_and_can_cancel_it(window, gui_bench, qtbot, tmp_path):
    from modellab.replay.protocol import OpenData

    gui_bench.session.start_engine()
    gui_bench.engine.held.add(OpenData)
    (tmp_path / "big.csv").write_text("a\n")
    window.open_files([tmp_path / "big.csv"])
    qtbot.waitUntil(lambda: window.status.state() == "Reading big.csv")
    assert window.status.cancel.isVisible()
    window.status.cancel.click()
    qtbot.waitUntil(lambda: window.status.state() == "Ready")
    assert not window.status.cancel.isVisible()
    assert window.current_page == "welcome"


def test_the_status_bar_follows_the_stream(opened, gui_bench):
    gui_bench.session.deploy()
    gui_bench.settle()
    gui_bench.feed(400)
    opened._refresh()
    assert opened.status.state() == "Streaming"
    gui_bench.feed(500, state="paused")
    opened._refresh()
    assert opened.status.state() == "Stream paused"


def test_a_sample_ready_to_play_ends_on_the_deploy_page(window, gui_bench, qtbot):
    window.open_ready("flights")
    qtbot.waitUntil(lambda: window.current_page == "deploy")
    qtbot.waitUntil(lambda: gui_bench.session.deployment is not None)
    assert gui_bench.session.sample == "flights"
    assert settings().recent == [], "samples are always on the start page"


def test_a_sample_whose_deployment_fails_ends_on_the_data_page(
    window, gui_bench, qtbot, monkeypatch
):
    from modellab.replay.protocol import Ack, Deploy, JobFailed

    def available(self):
        return None if self.session.deployment is not None else "Deploy first."

    monkeypatch.setattr(type(window.page("deploy")), "available", available)
    gui_bench.session.start_engine()
    gui_bench.engine.answers[Deploy] = lambda command, number: [
        Ack(id=number),
        JobFailed(id=number, sentence="There is no memory left."),
    ]
    window.open_ready("flights")
    qtbot.waitUntil(lambda: window.current_page == "data")
    qtbot.waitUntil(lambda: bool(window.toasts.toasts()))
    assert window.toasts.toasts()[0].notice.text == "There is no memory left."


def test_a_theme_for_this_run_alone_outlives_other_changes(window, tmp_path):
    theme_hub().set_mode("dark")
    settings().add_recent(str(tmp_path / "a.csv"))
    assert theme().dark
    assert settings().preferences.theme == "system"
    window.registry.run("view.theme.system")
    assert theme_hub().mode == "system"


def test_a_sample_opens_on_the_data_page(window, qtbot):
    window.open_sample("flights_delay")
    qtbot.waitUntil(lambda: window.current_page == "data")


def test_the_timer_rests_when_nothing_happens(window, qtbot):
    qtbot.waitUntil(lambda: window._timer.interval() == window_module.REST_MS)
    window.hide()
    window._tick()
    assert window._timer.interval() == window_module.HIDDEN_MS


def test_preferences_reach_the_session(window, gui_bench):
    settings().change(workers=1)
    assert gui_bench.session.workers == 1
    settings().change(theme="dark", workers=2)
    assert gui_bench.session.workers == 2
    assert theme().dark


# ---------------------------------------------------------------- life


def test_closing_keeps_unsaved_work_and_the_window_s_place(
    gui_bench, qtbot, looks, tmp_path, monkeypatch
):
    from modellab.experiment import SplitSpec, replace

    made = MainWindow(gui_bench.session)
    qtbot.addWidget(made)
    made.resize(1300, 777)
    made.show()
    session = gui_bench.open(tmp_path / "prices.csv")
    session.edit("Move the split", replace(session.experiment, split=SplitSpec(train=0.5)))
    kept = []
    real = session.autosave
    monkeypatch.setattr(session, "autosave", lambda: kept.append(real()))
    made.close()
    assert kept == [True]
    assert not gui_bench.session.engine_alive
    assert not made._timer.isActive()
    restored = []
    monkeypatch.setattr(MainWindow, "restoreGeometry", lambda self, data: restored.append(data))
    again = MainWindow(gui_bench.session)
    qtbot.addWidget(again)
    assert restored == [made.saveGeometry()]
    again.registry.run("window.reset_layout")
    assert (again.width(), again.height()) == (1280, 800)
    again.close()


def test_it_is_usable_at_the_least_size(window, opened):
    window.resize(1280, 720)
    QApplication.processEvents()
    assert (window.width(), window.height()) == (1280, 720)
    right = window.header.theme_button
    corner = right.mapTo(window, right.rect().topRight())
    assert corner.x() <= 1280
    assert window.stack.width() == 1280 - window.rail.width()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_pictures_of_the_window(window, opened, picture, mode):
    theme_hub().set_mode(mode)
    window.resize(1280, 720)
    window.show_page("train")
    image = picture(window, f"window-{mode}")
    assert image.pixelColor(600, 5).name() == theme().surface.lower()
    assert image.pixelColor(600, 300).name() == theme().window.lower()


def test_closing_twice_is_closing_once(window: MainWindow) -> None:
    assert window.close()
    assert window.close()
