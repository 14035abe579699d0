"""A bar of progress that waits for its turn to be painted."""

from __future__ import annotations

from PySide6.QtWidgets import QProgressBar, QWidget

_WHOLE = 1000


class QuietBar(QProgressBar):
    """A bar without text.

    Qt's own paints itself, and with it whatever else is to be painted on the page, the moment that
    its value changes; this one is painted with everything else.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextVisible(False)
        self.setRange(0, _WHOLE)
        self.setValue(0)

    def set_share(self, share: float | None) -> None:
        """Show the share done, 0 to 1; None: not known."""
        most = 0 if share is None else _WHOLE
        value = -1 if share is None else round(min(1.0, max(0.0, share)) * _WHOLE)
        if most == self.maximum() and (most == 0 or value == self.value()):
            return
        self.setUpdatesEnabled(False)
        self.setRange(0, most)
        if most:
            self.setValue(value)
        self.setUpdatesEnabled(True)
