"""Settings of a lane as controls: what is typed or dragged acts at once, once per frame at most."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from modellab.errors import LabError
from modellab.experiment import parse_span
from modellab.gui.kit import count_text, describe, parse_number
from modellab.gui.theme import set_font, set_height

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QKeyEvent

    from modellab.experiment import Scalar
    from modellab.gui.session import Session

FRAME_MS = 16
DRAG_MS = 80
"""While a handle is dragged, a change is sent so often: each is a line of the journal."""
HOLD_SECONDS = 0.5
"""After a change by hand, older news do not move the control back for so long."""


class Sender(QObject):
    """Sends changes of one lane to the session: never two in a frame, and always the last one."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._lane: str | None = None
        self._waiting: dict[str, Scalar] = {}
        self._touched: dict[str, float] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.flush)
        self._sent = -1e9

    def set_lane(self, lane: str | None) -> None:
        """Send to this lane from now on; what waits for another one is sent first."""
        if lane != self._lane:
            self.flush()
            self._lane = lane
            self._touched.clear()

    def change(self, name: str, value: Scalar) -> None:
        """Change a setting soon: with the next frame, or a little later during a drag."""
        self._waiting[name] = value
        self._touched[name] = time.monotonic()
        if not self._timer.isActive():
            passed = (time.monotonic() - self._sent) * 1000
            self._timer.start(max(FRAME_MS, round(DRAG_MS - min(passed, DRAG_MS))))

    def change_now(self, name: str, value: Scalar) -> None:
        """Change a setting at once: the handle was let go, or a value was entered."""
        self._waiting[name] = value
        self._touched[name] = time.monotonic()
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        self._timer.stop()
        waiting, self._waiting = self._waiting, {}
        if waiting and self._lane is not None:
            self._sent = time.monotonic()
            self._session.intervene(self._lane, **waiting)

    def held(self, name: str) -> bool:
        """Whether news about this setting may be older than what was just done."""
        if name in self._waiting:
            return True
        return time.monotonic() - self._touched.get(name, -1e9) < HOLD_SECONDS


class SpanField(QLineEdit):
    """A number of rows, or a span of event time such as ``7d``; takes effect on Enter or leaving.

    Parameters
    ----------
    words
        Words that are allowed instead, such as ``all``, with blanks between them.
    least
        The least number of rows.
    """

    committed = Signal(object)
    """The value entered: int rows, or a text."""

    def __init__(
        self,
        name: str,
        tip: str,
        *,
        words: str = "",
        spans: bool = True,
        least: int = 1,
        committed: Callable[[Scalar], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        describe(self, name, tip)
        set_font(self, 13)
        set_height(self, 30)
        self._words, self._spans, self._least = words.split(), spans, least
        self._value: int | str = least
        self.editingFinished.connect(self._finish)
        self.textEdited.connect(lambda: self._mark(self.parsed(self.text()) is None))
        if committed is not None:
            self.committed.connect(committed)

    def value(self) -> int | str:
        """Return the value."""
        return self._value

    def set_value(self, value: int | str) -> None:
        """Show a value (not while it is being edited)."""
        if value == self._value and self.text():
            return
        self._value = value
        if not self.isModified() or not self.hasFocus():
            self._show()

    def _show(self) -> None:
        value = self._value
        self.setText(f"{count_text(value)} rows" if isinstance(value, int) else value)
        self.setModified(False)
        self._mark(False)

    def parsed(self, text: str) -> int | str | None:
        """Return what a text means; None when it means nothing."""
        raw = text.strip().lower()
        if raw in self._words:
            return raw
        bare = raw.removesuffix("rows").removesuffix("row").strip()
        number = parse_number(bare) if bare else None
        if number is not None:
            whole = round(number)
            return whole if abs(number - whole) < 1e-9 and whole >= self._least else None
        if not self._spans:
            return None
        try:
            parse_span(raw)
        except LabError:
            return None
        return raw

    def _mark(self, wrong: bool) -> None:
        if bool(self.property("wrong")) != wrong:
            self.setProperty("wrong", wrong)
            self.style().unpolish(self)
            self.style().polish(self)

    def _finish(self) -> None:
        if not self.isModified():
            return
        value = self.parsed(self.text())
        if value is None or value == self._value:
            self._show()
            return
        self._value = value
        self._show()
        self.committed.emit(value)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        from PySide6.QtCore import Qt

        if event.key() == Qt.Key.Key_Escape and self.isModified():
            self._show()
            self.selectAll()
            event.accept()
            return
        super().keyPressEvent(event)
