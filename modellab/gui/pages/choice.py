"""A combo box for plain texts that leaves the mouse wheel to the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QWidget

from modellab.gui.kit import describe
from modellab.gui.theme import icon as themed_icon

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtGui import QWheelEvent


class ChoiceField(QComboBox):
    """One of several keys, each shown as a text.

    Parameters
    ----------
    options
        ``(key, text)`` or ``(key, text, icon)`` of every choice.
    """

    chosen = Signal(str)
    """The person chose this key (not sent by `set_current`)."""

    def __init__(
        self,
        name: str,
        tip: str,
        options: Sequence[tuple[str, ...]] = (),
        *,
        current: str | None = None,
        chosen: Callable[[str], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        describe(self, name, tip)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.set_options(options, current)
        self.activated.connect(lambda at: self.chosen.emit(str(self.itemData(at))))
        if chosen is not None:
            self.chosen.connect(chosen)

    def set_options(self, options: Sequence[tuple[str, ...]], current: str | None = None) -> None:
        """Offer other choices, without a signal."""
        blocked = self.blockSignals(True)
        self.clear()
        for key, text, *picture in options:
            if picture:
                self.addItem(themed_icon(picture[0], "second"), text, key)
            else:
                self.addItem(text, key)
        self.blockSignals(blocked)
        if current is not None:
            self.set_current(current)

    def current(self) -> str:
        """Return the chosen key; empty when there is none."""
        return str(self.currentData() or "")

    def set_current(self, key: str) -> None:
        """Choose a key without a signal; an unknown one leaves nothing chosen."""
        blocked = self.blockSignals(True)
        self.setCurrentIndex(self.findData(key))
        self.blockSignals(blocked)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
