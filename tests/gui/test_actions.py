from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenuBar, QPushButton, QWidget

from modellab.gui.actions import Action, ActionRegistry

pytestmark = pytest.mark.usefixtures("looks")


class Lab:
    def __init__(self):
        self.done = []
        self.why = {}

    def action(self, name, **more):
        values = {
            "title": f"&{name}",
            "tip": f"Does {name}.",
            "callback": lambda: self.done.append(name),
            "enabled": lambda: self.why.get(name),
        }
        return Action(id=name, **{**values, **more})


@pytest.fixture
def lab():
    return Lab()


@pytest.fixture
def registry(qapp):
    return ActionRegistry()


def test_an_action_is_done_or_refused_with_its_reason(lab, registry, qtbot):
    registry.add(lab.action("save"))
    assert registry.run("save")
    lab.why["save"] = "Open data first."
    with qtbot.waitSignal(registry.refused) as told:
        assert not registry.run("save")
    assert told.args == ["save", "Open data first."]
    assert lab.done == ["save"]


def test_asking_an_action_may_bring_another(lab, registry):
    def late():
        if "late" not in registry:
            registry.add(lab.action("late"))

    registry.add(lab.action("early", enabled=late))
    assert [(action.id, action.enabled()) for action in registry] == [("early", None)]
    assert [action.id for action in registry] == ["early", "late"]


def test_ids_shortcuts_and_tips_are_checked(lab, registry):
    registry.add(lab.action("open", shortcut="Ctrl+O", more_shortcuts=("Ctrl+Alt+O",)))
    with pytest.raises(ValueError, match="twice"):
        registry.add(lab.action("open"))
    with pytest.raises(ValueError, match=r"Ctrl\+O is taken by 'open'"):
        registry.add(lab.action("other", shortcut="ctrl+o"))
    with pytest.raises(ValueError, match=r"Alt\+O is taken"):
        registry.add(lab.action("third", more_shortcuts=("Alt+Ctrl+O",)))
    with pytest.raises(ValueError, match="no tip"):
        registry.add(lab.action("silent", tip=" "))
    with pytest.raises(ValueError, match="unknown menu"):
        registry.add(lab.action("lost", menu="Nowhere"))
    with pytest.raises(ValueError, match="no shortcut"):
        registry.add(lab.action("odd", shortcut="Ctrl+Nonsense"))
    assert [action.id for action in registry] == ["open"]


def test_pages_may_share_a_shortcut_that_follows_the_page(lab, registry):
    registry.add(lab.action("quit", shortcut="Ctrl+Q"))
    registry.add(lab.action("find", shortcut="Ctrl+F", page="data"))
    registry.add(lab.action("fork", shortcut="Ctrl+F", more_shortcuts=("F5",), page="deploy"))
    with pytest.raises(ValueError, match="taken by 'find'"):
        registry.add(lab.action("again", shortcut="Ctrl+F", page="data"))
    with pytest.raises(ValueError, match="taken by 'find'"):
        registry.add(lab.action("everywhere", shortcut="Ctrl+F"))
    with pytest.raises(ValueError, match="taken by 'quit'"):
        registry.add(lab.action("leave", shortcut="Ctrl+Q", page="data"))

    def keys(action_id):
        return [key.toString() for key in registry.qaction(action_id).shortcuts()]

    assert (keys("quit"), keys("find"), keys("fork")) == (["Ctrl+Q"], [], ["F5"])
    registry.set_page("data")
    assert (keys("find"), keys("fork")) == (["Ctrl+F"], ["F5"])
    registry.set_page("deploy")
    assert (keys("find"), keys("fork")) == ([], ["Ctrl+F", "F5"])


def test_a_shortcut_works_and_a_refused_one_says_why(lab, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    registry = ActionRegistry(window)
    registry.add(lab.action("save", shortcut="Ctrl+S"))
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    ctrl = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(window, Qt.Key.Key_S, ctrl)
    assert lab.done == ["save"]
    lab.why["save"] = "Not now."
    with qtbot.waitSignal(registry.refused):
        qtbot.keyClick(window, Qt.Key.Key_S, ctrl)


def fill(lab, registry, bar):
    registry.add(lab.action("open", menu="File", shortcut="Ctrl+O"))
    registry.add(lab.action("save", menu="File", group=1))
    registry.add(lab.action("dark", menu="View/Theme", checked=lambda: True, exclusive="t"))
    registry.add(lab.action("hidden"))
    registry.fill_menu_bar(bar)


def test_menus_are_built_in_order_and_empty_ones_left_out(lab, registry, qtbot):
    bar = QMenuBar()
    qtbot.addWidget(bar)
    fill(lab, registry, bar)
    menus = [entry.menu() for entry in bar.actions()]
    assert [menu.title() for menu in menus] == ["&File", "&View"]
    file_menu, view = menus
    assert [a.objectName() for a in file_menu.actions() if not a.isSeparator()] == ["open", "save"]
    assert sum(a.isSeparator() for a in file_menu.actions()) == 1
    assert [a.menu().title() for a in view.actions()] == ["Theme"]


def test_an_open_menu_greys_and_explains_what_cannot_be_done(lab, registry, qtbot):
    bar = QMenuBar()
    qtbot.addWidget(bar)
    fill(lab, registry, bar)
    menu = bar.actions()[0].menu()
    lab.why["save"] = "Open data <first>."
    menu.aboutToShow.emit()
    save = registry.qaction("save")
    assert not save.isEnabled()
    assert "Open data &lt;first&gt;." in save.toolTip()
    menu.aboutToHide.emit()
    assert save.isEnabled(), "its shortcut must reach the registry"


def test_check_marks_show_the_truth(lab, registry, qtbot):
    state = {"dark": False}

    def turn():
        state["dark"] = True

    registry.add(lab.action("dark", checked=lambda: state["dark"], callback=turn))
    assert not registry.qaction("dark").isChecked()
    registry.run("dark")
    assert registry.qaction("dark").isChecked()
    lab.why["dark"] = "No."
    registry.qaction("dark").trigger()
    assert registry.qaction("dark").isChecked()


def test_bound_buttons_follow(lab, registry, qtbot):
    registry.add(lab.action("go", shortcut="Ctrl+G"))
    button = QPushButton()
    qtbot.addWidget(button)
    registry.bind(button, "go", words=True)
    assert button.text() == "&go"
    assert "Ctrl+G" in button.accessibleDescription()
    button.click()
    assert lab.done == ["go"]
    lab.why["go"] = "Train first."
    registry.refresh()
    assert not button.isEnabled()
    assert "Train first." in button.accessibleDescription()
    assert button.accessibleName() == "go"


def test_a_deleted_button_is_forgotten(lab, registry, qtbot):
    registry.add(lab.action("go"))
    button = QPushButton()
    registry.bind(button, "go")
    button.deleteLater()
    qtbot.waitUntil(lambda: not registry._buttons)
    registry.refresh()


def test_a_menu_for_a_button_has_lines_and_the_same_actions(lab, registry, qtbot):
    host = QWidget()
    qtbot.addWidget(host)
    registry.add(lab.action("a"))
    registry.add(lab.action("b"))
    menu = registry.menu(["a", "", "b"], host)
    assert [entry.isSeparator() for entry in menu.actions()] == [False, True, False]
    menu.actions()[2].trigger()
    assert lab.done == ["b"]


def test_names_without_mnemonics():
    action = Action("x", "Save && &close", "t", lambda: None, menu="View/Theme")
    assert action.name == "Save & close"
    assert action.full_name == "Theme: Save & close"
    assert action.shortcut_text == ""
