"""Pages that are being made, part by part, while the window does other things between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from modellab.gui.pages.base import Page
    from modellab.gui.session import Session
    from modellab.gui.stages import PageSpec


class Making:
    """The pages that were begun.

    Parameters
    ----------
    session
        What the pages show.
    parent
        The widget that they are going to be in.
    """

    def __init__(self, session: Session, parent: QWidget) -> None:
        self._session, self._parent = session, parent
        self._begun: dict[str, Page] = {}

    def part(self, spec: PageSpec) -> Page | None:
        """Begin a page, or make its next part; return it once it is complete.

        Whatever goes wrong with the page is raised, and the page is forgotten.
        """
        page = self._begun.get(spec.id)
        try:
            if page is None:
                page = self._begun[spec.id] = spec.make(self._session, self._parent, whole=False)
                # What is not complete must not come on screen together with what it is in.
                page.hide()
            elif not page.make_part():
                return self._begun.pop(spec.id)
        except BaseException:
            self.drop(spec.id)
            raise
        return None

    def drop(self, page_id: str) -> None:
        """Forget a page that was begun."""
        page = self._begun.pop(page_id, None)
        if page is not None:
            page.give_up()
            page.deleteLater()

    def drop_all(self) -> None:
        """Forget all pages that were begun: the window closes."""
        for page_id in list(self._begun):
            self.drop(page_id)
