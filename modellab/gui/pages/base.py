"""What every page of the window is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modellab.gui.actions import Action
    from modellab.gui.session import Session


class Page(QWidget):
    """One page: a view of the session, made by the window after its first paint.

    A page binds to the session with `watch` and shows what is there whenever it is told; it must
    cope with an empty session. What is on it is made by `build`, in parts of a few milliseconds:
    the window does other things between them.

    Inside, the outer is made before the inner, and put where it belongs before it is filled: Qt
    works out the style of all that a widget holds each time that it gets another parent.

    Parameters
    ----------
    session
        The session that the page shows.
    parent
        The widget that it belongs to.
    whole
        Make all of it now. Otherwise `make_part` is to be called until it returns False.
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

    def __init__(
        self, session: Session, parent: QWidget | None = None, *, whole: bool = True
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._watching: list[Callable[[], None]] = []
        self.setAccessibleName(f"{self.title} page")
        self.complete = False
        """Whether all parts are made; events come before that, too."""
        self._parts = self.build()
        while whole and self.make_part():
            pass

    def build(self) -> Iterator[None]:
        """Make what is on the page; each time it yields, something else may come between."""
        yield from ()

    def make_part(self) -> bool:
        """Make the next part; return whether there is more to make."""
        if next(self._parts, self) is self:
            self.complete = True
        return not self.complete

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
        self.stop_watching()

    def give_up(self) -> None:
        """Forget what is not made yet: it will not be wanted."""
        self._parts = iter(())
        self.stop_watching()

    def stop_watching(self) -> None:
        """Hear no more of the session."""
        for stop in self._watching:
            stop()
        self._watching.clear()
