"""One registry of actions: what the person can do, with its words, shortcut, and why not now.

It feeds the menus, the command palette, buttons bound to actions, and the page of shortcuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QMenu, QMenuBar, QWidget

from modellab.gui.kit.text import describe, tip_text
from modellab.gui.theme import icon as themed_icon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MENUS = ("File", "Edit", "View", "Run", "Lanes", "Window", "Help")
"""Menus in their order; an action names one of them, or ``View/Theme`` for a submenu."""


def _portable(text: str) -> str:
    """Return a shortcut in Qt's portable form; empty when it is none."""
    return QKeySequence(text).toString(QKeySequence.SequenceFormat.PortableText)


@cache
def _native(text: str) -> str:
    """Return a shortcut as this system writes it."""
    return QKeySequence(text).toString(QKeySequence.SequenceFormat.NativeText)


def always() -> str | None:
    """Return None: an action that can always be used."""
    return None


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the person can do.

    Parameters
    ----------
    id
        Its name in code, such as ``file.open``.
    title
        What menus say, with an ellipsis when it asks for more. A mnemonic ``&`` is allowed.
    tip
        One sentence that explains it to an analyst.
    shortcut
        In Qt's portable form, such as ``Ctrl+Shift+P``; further ones in `more_shortcuts`.
    icon
        A Phosphor name, or empty.
    menu
        Where it stands: one of `MENUS`, or with a submenu; empty: palette and buttons only.
    callback
        What is done.
    enabled
        None when it can be done now, else the sentence that says why not.
    group
        Actions of one group stand together; a line is drawn between groups.
    checked
        For actions that are on or off: whether it is on now.
    exclusive
        For checked actions of which one is on at a time: the name they share.
    page
        Id of the page that the action belongs to (the window fills it in). Actions of two pages may
        share a shortcut: it then does what belongs to the page on screen.
    """

    id: str
    title: str
    tip: str
    callback: Callable[[], object]
    shortcut: str = ""
    icon: str = ""
    menu: str = ""
    enabled: Callable[[], str | None] = always
    group: int = 0
    checked: Callable[[], bool] | None = None
    exclusive: str = ""
    more_shortcuts: tuple[str, ...] = field(default=())
    page: str = ""

    @property
    def name(self) -> str:
        """The title without mnemonic mark."""
        return self.title.replace("&&", "\0").replace("&", "").replace("\0", "&")

    @property
    def full_name(self) -> str:
        """The name with its submenu before it: ``Theme: Dark``."""
        return f"{self.menu.split('/', 1)[1]}: {self.name}" if "/" in self.menu else self.name

    @property
    def shortcuts(self) -> tuple[str, ...]:
        """All shortcuts, the shown one first."""
        return ((self.shortcut,) if self.shortcut else ()) + self.more_shortcuts

    @property
    def shortcut_text(self) -> str:
        """The first shortcut as this system writes it."""
        return _native(self.shortcut)


class ActionRegistry(QObject):
    """All actions of a window.

    Every action's shortcut works at any time: one that cannot be done now says why (`refused`).
    """

    refused = Signal(str, str)
    """Id of an action that was asked for but cannot be done, and the sentence that says why."""
    ran = Signal(str)
    """Id of an action after it was done."""
    refreshed = Signal()
    """Buttons were brought up to date."""

    def __init__(self, window: QWidget | None = None) -> None:
        super().__init__(window)
        self._window = window
        self._actions: dict[str, Action] = {}
        self._qactions: dict[str, QAction] = {}
        self._keys: dict[str, list[str]] = {}
        self._page = ""
        self._groups: dict[str, QActionGroup] = {}
        self._buttons: list[tuple[QAbstractButton, str]] = []
        self._menus: list[QMenu] = []

    # ------------------------------------------------------------------ filling

    def add(self, action: Action) -> QAction:
        """Register `action` and return its ``QAction``.

        Raises
        ------
        ValueError
            The id, or a shortcut, is taken; or the action has no tip.
        """
        if action.id in self._actions:
            raise ValueError(f"the action {action.id!r} is registered twice")
        if not action.tip.strip():
            raise ValueError(f"the action {action.id!r} has no tip")
        if action.menu and action.menu.split("/")[0] not in MENUS:
            raise ValueError(f"the action {action.id!r} names an unknown menu {action.menu!r}")
        keys: list[str] = []
        for text in action.shortcuts:
            key = _portable(text)
            if not key:
                raise ValueError(f"{text!r} is no shortcut (action {action.id!r})")
            for other in self._keys.get(key, []):
                if not action.page or self._actions[other].page in ("", action.page):
                    raise ValueError(f"{key} is taken by {other!r} (action {action.id!r})")
            keys.append(key)
        self._actions[action.id] = action
        for key in keys:
            self._keys.setdefault(key, []).append(action.id)
        made = QAction(action.title, self)
        made.setObjectName(action.id)
        made.setToolTip(tip_text(action.tip))
        made.setStatusTip(action.tip)
        made.setMenuRole(QAction.MenuRole.NoRole)
        if action.icon:
            made.setIcon(themed_icon(action.icon, "second"))
        if action.checked is not None:
            made.setCheckable(True)
            made.setChecked(action.checked())
            if action.exclusive:
                self._group(action.exclusive).addAction(made)
        made.triggered.connect(lambda: self.run(action.id))
        if self._window is not None:
            # Shortcuts work although the menu was never opened.
            self._window.addAction(made)
        self._qactions[action.id] = made
        shared = {other for key in keys for other in self._keys[key]}
        self._give_shortcuts(shared or {action.id})
        return made

    def set_page(self, page_id: str) -> None:
        """Tell which page is on screen: it has the shortcuts that pages share."""
        if page_id != self._page:
            self._page = page_id
            self._give_shortcuts()

    def _give_shortcuts(self, to: set[str] | None = None) -> None:
        """Give these actions (None: all) the shortcuts that are theirs on this page."""
        for action in self._actions.values():
            if to is not None and action.id not in to:
                continue
            mine = [
                QKeySequence(text)
                for text in action.shortcuts
                if len(self._keys[_portable(text)]) == 1 or action.page == self._page
            ]
            made = self._qactions.get(action.id)
            if made is not None and made.shortcuts() != mine:
                made.setShortcuts(mine)

    def _group(self, name: str) -> QActionGroup:
        if name not in self._groups:
            self._groups[name] = QActionGroup(self)
        return self._groups[name]

    # ------------------------------------------------------------------ asking

    def __iter__(self) -> Iterator[Action]:
        # Of those there are now: asking one may make a page, which brings actions of its own.
        return iter(tuple(self._actions.values()))

    def __contains__(self, action_id: str) -> bool:
        return action_id in self._actions

    def get(self, action_id: str) -> Action:
        """Return the action with this id (KeyError when there is none)."""
        return self._actions[action_id]

    def qaction(self, action_id: str) -> QAction:
        """Return the ``QAction`` of an id (KeyError when there is none)."""
        return self._qactions[action_id]

    def reason(self, action_id: str) -> str | None:
        """Return why the action cannot be done now, or None."""
        return self._actions[action_id].enabled()

    # ------------------------------------------------------------------ doing

    def run(self, action_id: str) -> bool:
        """Do the action, or say why not (`refused`); returns whether it was done."""
        action = self._actions[action_id]
        why = action.enabled()
        if why is not None:
            self._show_checked(action)
            self.refused.emit(action_id, why)
            return False
        action.callback()
        self.refresh()
        self.ran.emit(action_id)
        return True

    # ------------------------------------------------------------------ showing

    def fill_menu_bar(self, bar: QMenuBar) -> None:
        """Build the menus of `bar` from all actions registered so far; empty menus are left out."""
        bar.clear()
        for old in self._menus:
            old.deleteLater()
        self._menus.clear()
        for title in MENUS:
            inside = [a for a in self if a.menu.split("/")[0] == title]
            if not inside:
                continue
            menu = self._new_menu(title, bar)
            bar.addMenu(menu)
            submenus: dict[str, QMenu] = {}
            group: int | None = None
            for action in sorted(inside, key=lambda a: a.group):
                if group is not None and action.group != group:
                    menu.addSeparator()
                group = action.group
                target = menu
                if "/" in action.menu:
                    name = action.menu.split("/", 1)[1]
                    if name not in submenus:
                        submenus[name] = self._new_menu(name, menu)
                        menu.addMenu(submenus[name])
                    target = submenus[name]
                target.addAction(self._qactions[action.id])

    def _new_menu(self, title: str, parent: QWidget) -> QMenu:
        menu = QMenu(f"&{title}" if title in MENUS else title, parent)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(lambda: self._opening(menu))
        menu.aboutToHide.connect(lambda: self._closing(menu))
        self._menus.append(menu)
        return menu

    def menu(self, action_ids: list[str], parent: QWidget) -> QMenu:
        """Return a menu of some actions (an empty id is a line), for a button or a right click."""
        menu = QMenu(parent)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(lambda: self._opening(menu))
        menu.aboutToHide.connect(lambda: self._closing(menu))
        for action_id in action_ids:
            if action_id:
                menu.addAction(self._qactions[action_id])
            else:
                menu.addSeparator()
        return menu

    def _opening(self, menu: QMenu) -> None:
        for entry in menu.actions():
            action = self._actions.get(entry.objectName())
            if action is None:
                continue
            why = action.enabled()
            entry.setEnabled(why is None)
            entry.setToolTip(tip_text(action.tip if why is None else f"{action.tip}\n{why}"))
            self._show_checked(action)

    def _closing(self, menu: QMenu) -> None:
        # Greyed only while it can be seen: a disabled QAction would swallow its shortcut silently.
        for entry in menu.actions():
            if entry.objectName() in self._actions:
                entry.setEnabled(True)

    def _show_checked(self, action: Action) -> None:
        if action.checked is not None:
            made = self._qactions[action.id]
            blocked = made.blockSignals(True)
            made.setChecked(action.checked())
            made.blockSignals(blocked)

    def bind(self, button: QAbstractButton, action_id: str, *, words: bool = False) -> None:
        """Let `button` do the action; `refresh` keeps its state and its tooltip true.

        Parameters
        ----------
        button
            A button that has its icon or text already.
        action_id
            Which action.
        words
            Also take the action's title as the button's text.
        """
        if words:
            button.setText(self._actions[action_id].title)
        button.clicked.connect(lambda: self.run(action_id))
        button.destroyed.connect(lambda: self._forget(button))
        self._buttons.append((button, action_id))
        self._refresh_button(button, self._actions[action_id])

    def _forget(self, button: QAbstractButton) -> None:
        self._buttons = [pair for pair in self._buttons if pair[0] is not button]

    def _refresh_button(self, button: QAbstractButton, action: Action) -> None:
        why = action.enabled()
        tip = action.tip
        if action.shortcut:
            tip = f"{tip}\n{action.shortcut_text}"
        name = button.accessibleName() or action.name
        describe(button, name, tip if why is None else f"{tip}\n{why}")
        button.setEnabled(why is None)
        if action.checked is not None and button.isCheckable():
            blocked = button.blockSignals(True)
            button.setChecked(action.checked())
            button.blockSignals(blocked)

    def refresh(self) -> None:
        """Bring bound buttons and check marks up to date: call it when the state has changed."""
        for button, action_id in self._buttons:
            self._refresh_button(button, self._actions[action_id])
        for action in self._actions.values():
            self._show_checked(action)
        self.refreshed.emit()
