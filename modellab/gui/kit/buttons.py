"""Buttons, segments and switches. Every one has its name and its explanation from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFrame,
    QGridLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from modellab.gui.kit.text import describe
from modellab.gui.theme import icon as themed_icon
from modellab.gui.theme import mix, px, set_font, set_size, theme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Button(QPushButton):
    kind = "plain"
    weight = 600
    icon_role = "text"

    def __init__(
        self,
        text: str,
        tip: str,
        *,
        icon: str = "",
        clicked: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self.setProperty("kind", self.kind)
        set_font(self, 13, self.weight)
        describe(self, text, tip)
        if icon:
            self.set_icon(icon)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAutoDefault(False)
        if clicked is not None:
            self.clicked.connect(lambda: clicked())

    def set_icon(self, name: str) -> None:
        """Show the Phosphor icon `name` before the text."""
        self.setIcon(themed_icon(name, self.icon_role))
        # Style sheets know no gap between icon and text: the icon is made wider instead.
        self.setIconSize(QSize(px(16) + (px(5) if self.text() else 0), px(16)))

    def set_text(self, text: str, tip: str | None = None) -> None:
        """Change what the button says, for eyes and screen readers alike."""
        self.setText(text)
        describe(self, text, self.accessibleDescription() if tip is None else tip)

    def set_reason(self, reason: str | None, tip: str) -> None:
        """Enable the button with `tip`, or disable it and say why not."""
        self.setEnabled(reason is None)
        describe(self, self.text(), tip if reason is None else f"{tip}\n{reason}")


class PrimaryButton(_Button):
    """The one ink-filled button of a region."""

    kind = "primary"
    icon_role = "on_ink"


class PlainButton(_Button):
    """An outlined button."""

    kind = "plain"


class QuietButton(_Button):
    """A button without an outline, for rows of lesser actions."""

    kind = "quiet"
    weight = 500
    icon_role = "second"


class LinkButton(_Button):
    """A button that reads as a link."""

    kind = "link"
    icon_role = "link"

    def __init__(
        self,
        text: str,
        tip: str,
        *,
        icon: str = "",
        clicked: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, tip, icon=icon, clicked=clicked, parent=parent)
        set_font(self, 12, 600)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)


class IconButton(QToolButton):
    """A square button that is only an icon."""

    def __init__(
        self,
        icon: str,
        name: str,
        tip: str,
        *,
        on_icon: str | None = None,
        checkable: bool = False,
        outlined: bool = False,
        size: int = 32,
        role: str = "second",
        clicked: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("kind", "outlined" if outlined else "icon")
        self._role = role
        self.setCheckable(checkable)
        set_size(self, size, size)
        self.setIconSize(QSize(px(size * 0.5 + 1), px(size * 0.5 + 1)))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.set_icon(icon, on_icon)
        describe(self, name, tip)
        if clicked is not None:
            self.clicked.connect(lambda: clicked())

    def set_icon(self, icon: str, on_icon: str | None = None) -> None:
        """Show the Phosphor icon `icon`, and `on_icon` while checked."""
        self.setIcon(themed_icon(icon, self._role, on=on_icon))


class _Segment(QPushButton):
    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        wide = metrics.horizontalAdvance(self.text().replace("&", "")) + px(22)
        if not self.icon().isNull():
            wide += self.iconSize().width() + px(6)
        return QSize(wide, px(26))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class SegmentedControl(QFrame):
    """One of a few choices, side by side.

    The segments are real exclusive buttons: Tab reaches the chosen one, arrow keys choose another.

    Parameters
    ----------
    name
        What is chosen, for screen readers.
    options
        ``(key, text, tip)`` of every segment, in order.
    per_row
        Segments in one row, where they need several; 0: all in one.
    """

    changed = Signal(str)
    """The person chose the segment with this key."""

    def __init__(
        self,
        name: str,
        options: Sequence[tuple[str, str, str]],
        *,
        current: str | None = None,
        changed: Callable[[str], object] | None = None,
        per_row: int = 0,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("kind", "segments")
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        layout = QGridLayout(self)
        per_row = per_row or len(options)
        layout.setContentsMargins(3, 3, 3, 3)
        layout.setSpacing(2)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._keys: list[str] = []
        for key, text, tip in options:
            button = _Segment(text)
            button.setCheckable(True)
            button.setProperty("kind", "segment")
            button.setAutoDefault(False)
            set_font(button, 12, 500)
            describe(button, f"{name}: {text}", tip)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            self._group.addButton(button, len(self._keys))
            at = len(self._keys)
            self._keys.append(key)
            layout.addWidget(button, at // per_row, at % per_row)
        self.set_current(current if current is not None else self._keys[0])
        self._group.idToggled.connect(self._toggled)
        if changed is not None:
            self.changed.connect(changed)

    def _toggled(self, number: int, checked: bool) -> None:
        if checked:
            self._keep_focus_order()
            self.changed.emit(self._keys[number])

    def current(self) -> str:
        """Return the key of the chosen segment."""
        return self._keys[self._group.checkedId()]

    def set_current(self, key: str) -> None:
        """Choose a segment without sending `changed`."""
        blocked = self._group.blockSignals(True)
        self._group.button(self._keys.index(key)).setChecked(True)
        self._group.blockSignals(blocked)
        self._keep_focus_order()

    def _keep_focus_order(self) -> None:
        """Let Tab reach the chosen segment only, as with radio buttons."""
        for button in self._group.buttons():
            chosen = button.isChecked()
            button.setFocusPolicy(
                Qt.FocusPolicy.StrongFocus if chosen else Qt.FocusPolicy.ClickFocus
            )

    def button(self, key: str) -> QPushButton:
        """Return the button of segment `key`."""
        button = self._group.button(self._keys.index(key))
        assert isinstance(button, QPushButton)
        return button

    def set_reason(self, key: str, reason: str | None, tip: str) -> None:
        """Enable the segment `key` with `tip`, or disable it and say why not."""
        button = self.button(key)
        button.setEnabled(reason is None)
        describe(button, button.accessibleName(), tip if reason is None else f"{tip}\n{reason}")


class ToggleSwitch(QCheckBox):
    """An on/off switch (a check box to keyboard and screen readers)."""

    def __init__(
        self,
        name: str,
        tip: str,
        *,
        checked: bool = False,
        toggled: Callable[[bool], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        describe(self, name, tip)
        self._colour = "ok"
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setChecked(checked)
        if toggled is not None:
            self.toggled.connect(toggled)

    def set_colour(self, colour: str) -> None:
        """Paint the on state in `colour`: a colour token's name or ``#RRGGBB``."""
        self._colour = colour
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(px(34) + 6, px(18) + 6)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, pos: object) -> bool:
        return True

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        super().mousePressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        wide, high = px(34), px(18)
        track = QRectF((self.width() - wide) / 2, (self.height() - high) / 2, wide, high)
        chosen = self._colour if self._colour.startswith("#") else getattr(tokens, self._colour)
        colour = chosen if self.isChecked() else tokens.border
        if not self.isEnabled():
            colour = mix(colour, tokens.surface, 0.5)
        elif self.underMouse():
            colour = mix(colour, tokens.text, 0.08)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(track, high / 2, high / 2)
        knob = high - 4
        left = track.right() - knob - 2 if self.isChecked() else track.left() + 2
        painter.setBrush(
            QColor("#FFFFFF" if not tokens.dark or self.isChecked() else tokens.second)
        )
        painter.drawEllipse(QRectF(left, track.top() + 2, knob, knob))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(tokens.link), 2))
            painter.drawRoundedRect(track.adjusted(-2, -2, 2, 2), high / 2 + 2, high / 2 + 2)
