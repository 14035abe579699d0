"""A page that is brought up to date only while it can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.gui.pages.base import Page

if TYPE_CHECKING:
    from PySide6.QtGui import QShowEvent


class LazyPage(Page):
    """Calls `refresh` at changes of the watched topics; once, when shown, for those while hidden.

    Steering a replay changes the experiment many times a second: pages behind must not pay for it.
    """

    _pending = False

    def watch_all(self, *topics: str) -> None:
        """Call `refresh` at every change of these topics."""
        for topic in topics:
            self.watch(topic, self._changed)

    def refresh(self) -> None:
        """Show what the session holds."""
        raise NotImplementedError

    def _changed(self) -> None:
        if self.isWindow() or self.isVisible():
            self._pending = False
            self.refresh()
        else:
            self._pending = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._pending:
            self._pending = False
            self.refresh()
