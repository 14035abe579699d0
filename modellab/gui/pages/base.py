"""What every page of the window is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.gui.actions import Action
    from modellab.gui.session import Session


class Page(QWidget):
    """One page: a view of the session, made by the window after its first paint.

    A page binds to the session with `watch` and shows what is there whenever it is told; it must
    cope with an empty session. Plots are imported inside the page's methods, so that the window
    is up before pyqtgraph is loaded.

    Parameters
    ----------
    session
        The session that the page shows.
    """

    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    icon: ClassVar[str] = ""

    go_to = Signal(str)
    """Ask the window to show the page with this id."""
    run_action = Signal(str)
    """Ask the window to do the action with this id (it says why when it cannot be done)."""
    status_changed = Signal()
    """What `status` returns has changed."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._watching: list[Callable[[], None]] = []
        self.setAccessibleName(f"{self.title} page")

    def available(self) -> str | None:
        """Return None when the page can be reached, else the sentence that says why not yet."""
        return None

    def shown(self) -> None:
        """The page is on screen from now on."""

    def hidden(self) -> None:
        """The page is no longer on screen: timers rest."""

    def status(self) -> list[str]:
        """Return short texts for the middle of the status bar while the page is shown."""
        return []

    def actions_offered(self) -> list[Action]:
        """Return the page's own actions for menus and palette; asked once, after it was made."""
        return []

    def watch(self, topic: str, callback: Callable[..., object]) -> None:
        """Call `callback` at every change of a topic, until the page is taken down."""
        self._watching.append(self.session.subscribe(topic, callback))

    def reset_layout(self) -> None:
        """Give the page's panels their usual sizes again."""

    def take_down(self) -> None:
        """End all subscriptions: the window closes."""
        for stop in self._watching:
            stop()
        self._watching.clear()
