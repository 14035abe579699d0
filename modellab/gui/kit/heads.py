"""The header of a card: a title, and actions that go under it where they would cut it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent


class HeadRow(QWidget):
    """Title at the left, actions at the right; in two rows where one is too narrow.

    Parameters
    ----------
    title, subtitle
        Widgets of the left side; the subtitle gives way.
    fill
        Takes the room between where there is no subtitle.
    """

    def __init__(self, title: QWidget, subtitle: QWidget, fill: QWidget) -> None:
        super().__init__()
        self._title, self._subtitle = title, subtitle
        self._actions: list[QWidget] = []
        self._under = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.row = QHBoxLayout()
        """The first row."""
        self._second = QHBoxLayout()
        for row in (self.row, self._second):
            row.setSpacing(8)
            column.addLayout(row)
        self.row.addWidget(title)
        self.row.addWidget(subtitle, 1)
        self.row.addWidget(fill, 1)
        self._second.addStretch(1)

    def add(self, action: QWidget) -> None:
        """Put `action` at the right end."""
        self._actions.append(action)
        (self._second if self._under else self.row).addWidget(action)

    def _wide(self) -> tuple[int, int]:
        """Return how wide title and actions are."""
        title = 0 if self._title.isHidden() else self._title.minimumSizeHint().width()
        shown = [action for action in self._actions if not action.isHidden()]
        return title, sum(a.minimumSizeHint().width() + 8 for a in shown)

    def minimumSizeHint(self) -> QSize:
        margins = self.contentsMargins()
        around = margins.left() + margins.right()
        return QSize(max(self._wide()) + around, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._arrange()
        return super().event(event)

    def _arrange(self) -> None:
        title, actions = self._wide()
        under = bool(title) and title + actions > self.contentsRect().width()
        if under == self._under:
            return
        self._under = under
        for action in self._actions:
            (self._second if under else self.row).addWidget(action)
        self.updateGeometry()
