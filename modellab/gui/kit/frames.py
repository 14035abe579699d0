"""Cards, rules, page heads, pills, chips, empty states and banners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from modellab.gui.kit.buttons import IconButton, LinkButton, PrimaryButton
from modellab.gui.kit.heads import HeadRow
from modellab.gui.kit.text import ElidedLabel, Label, tip_text
from modellab.gui.theme import font, mix, paint_icon, px, set_size, theme
from modellab.gui.theme.icons import role_colour

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Rule(QFrame):
    """A hairline."""

    def __init__(self, *, vertical: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "rule")
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)


class IconLabel(QWidget):
    """An icon that is only looked at; it takes the theme's colours by itself."""

    def __init__(
        self, icon: str, *, size: int = 16, role: str = "text", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._icon, self._role = icon, role
        set_size(self, size, size)

    def set_icon(self, icon: str, role: str | None = None) -> None:
        """Show another icon (and colour role)."""
        self._icon = icon
        self._role = role or self._role
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        colour = role_colour(self._role)
        if not self.isEnabled():
            colour = mix(colour, theme().surface, 0.5)
        paint_icon(painter, self._icon, QRectF(self.rect()), colour)


class IconTile(QWidget):
    """An icon in a rounded tile: outlined on pages, filled in the drop zone."""

    def __init__(
        self, icon: str, *, size: int = 46, filled: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._icon, self._filled = icon, filled
        set_size(self, size, size)

    def set_icon(self, icon: str) -> None:
        """Show another icon."""
        self._icon = icon
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(QColor(tokens.selected if self._filled else tokens.surface))
        painter.setPen(Qt.PenStyle.NoPen if self._filled else QPen(QColor(tokens.hairline), 1))
        radius = 12.0 if self._filled else 8.0
        painter.drawRoundedRect(rect, radius, radius)
        inset = self.width() * 0.29
        paint_icon(painter, self._icon, rect.adjusted(inset, inset, -inset, -inset), tokens.text)


class Card(QFrame):
    """A surface with an optional header (title, subtitle, actions at the right) and a body layout.

    Put widgets into `body` (a vertical layout); further header widgets with `add_action`.
    """

    def __init__(
        self,
        title: str = "",
        subtitle: str = "",
        actions: Sequence[QWidget] = (),
        *,
        margin: int = 16,
        spacing: int = 8,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("kind", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        self._title = Label(title, 14, 600)
        self._subtitle = ElidedLabel(subtitle, 12, 400, "second")
        self._fill = QWidget()
        self.header = HeadRow(self._title, self._subtitle, self._fill)
        """The header row; hidden when the card was made without title and actions."""
        self.header.setContentsMargins(margin, 8, 10 if actions else margin, 4)
        # Only now: a widget without a parent that is made visible opens as a window.
        self._subtitle.setVisible(bool(subtitle))
        self._fill.setVisible(not subtitle)
        for action in actions:
            self.header.add(action)
        self.header.setMinimumHeight(px(42))
        outer.addWidget(self.header)
        self.header.setVisible(bool(title) or bool(actions))
        inner = QWidget()
        self.body = QVBoxLayout(inner)
        """Where the card's content goes."""
        top = 2 if title or actions else margin
        self.body.setContentsMargins(margin, top, margin, margin)
        self.body.setSpacing(spacing)
        outer.addWidget(inner, 1)
        if title:
            self.setAccessibleName(title)

    def title(self) -> str:
        """Return the title."""
        return self._title.text()

    def set_title(self, title: str, subtitle: str | None = None) -> None:
        """Change title (and subtitle)."""
        self._title.setText(title)
        self.setAccessibleName(title)
        self.header.setVisible(True)
        if subtitle is not None:
            self.set_subtitle(subtitle)

    def set_subtitle(self, subtitle: str) -> None:
        """Change the subtitle."""
        self._subtitle.setText(subtitle)
        self._subtitle.setVisible(bool(subtitle))
        self._fill.setVisible(not subtitle)

    def add_action(self, widget: QWidget) -> None:
        """Put `widget` at the right end of the header."""
        self.header.add(widget)
        self.header.setVisible(True)


class PageHead(QWidget):
    """The head of a page: icon tile, title, one line of facts, actions at the right."""

    def __init__(
        self,
        icon: str,
        title: str,
        facts: str = "",
        actions: Sequence[QWidget] = (),
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self.tile = IconTile(icon)
        self._title = ElidedLabel(title, 20, 600, tabular=False)
        self._facts = ElidedLabel(facts, 13, 400, "second")
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addStretch(1)
        words.addWidget(self._title)
        words.addWidget(self._facts)
        words.addStretch(1)
        row.addWidget(self.tile)
        row.addLayout(words, 1)
        self._row = row
        for action in actions:
            self.add_action(action)

    def set_title(self, title: str, facts: str | None = None) -> None:
        """Change title (and facts)."""
        self._title.setText(title)
        if facts is not None:
            self._facts.setText(facts)

    def set_facts(self, facts: str) -> None:
        """Change the line of facts."""
        self._facts.setText(facts)

    def add_action(self, widget: QWidget) -> None:
        """Put `widget` at the right end; buttons become 36 px high here."""
        if widget.property("kind") in {"primary", "plain"}:
            widget.setFixedHeight(px(36))
        self._row.addWidget(widget)


Tone = Literal["neutral", "ok", "warning", "alarm"]


class Pill(QWidget):
    """A short word in a tinted capsule: a tone, or a lane's own colour with `set_colour`."""

    def __init__(self, text: str, tone: Tone = "neutral", *, tip: str = "") -> None:
        super().__init__()
        self._text = ""
        self._colour, self._neutral = "second", True
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setToolTip(tip_text(tip))
        self.setText(text)
        self.set_tone(tone)

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(font(11, 600))
        return QSize(metrics.horizontalAdvance(self._text) + px(18), metrics.height() + px(6))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def text(self) -> str:
        """Return the word."""
        return self._text

    def setText(self, text: str) -> None:
        """Show another word."""
        self._text = text
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def set_tone(self, tone: Tone) -> None:
        """Change the tone."""
        self.set_colour("second" if tone == "neutral" else tone)
        self._neutral = tone == "neutral"

    def set_colour(self, colour: str) -> None:
        """Use a colour token's name or ``#RRGGBB``."""
        self._colour, self._neutral = colour, False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = role_colour(self._colour)
        fill = tokens.selected if self._neutral else mix(tokens.surface, colour, 0.14)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(fill))
        radius = self.height() / 2
        painter.drawRoundedRect(QRectF(self.rect()), radius, radius)
        painter.setFont(font(11, 600))
        painter.setPen(QColor(tokens.lane_text(colour)))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._text)


class LaneChip(QWidget):
    """A lane's colour: a filled square, half filled for a fork, a dashed line for a baseline."""

    def __init__(
        self,
        colour: str,
        kind: Literal["lane", "fork", "baseline"] = "lane",
        *,
        size: int = 12,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._colour, self._kind = colour, kind
        self._side = size
        set_size(self, size + (4 if kind == "baseline" else 0), size)

    def set_colour(self, colour: str) -> None:
        """Change the colour (``#RRGGBB`` or a colour token's name)."""
        self._colour = colour
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = QColor(role_colour(self._colour))
        rect = QRectF(self.rect())
        if self._kind == "baseline":
            pen = QPen(colour, 2)
            pen.setDashPattern([2.5, 1.2])
            painter.setPen(pen)
            middle = rect.center().y()
            painter.drawLine(0, round(middle), round(rect.width()), round(middle))
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        if self._kind == "lane":
            painter.drawRoundedRect(rect, 3, 3)
            return
        painter.save()
        painter.setClipRect(rect.adjusted(0, rect.height() / 2, 0, 0))
        painter.drawRoundedRect(rect, 3, 3)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 1.5))
        painter.drawRoundedRect(rect.adjusted(0.75, 0.75, -0.75, -0.75), 3, 3)


class EmptyState(QWidget):
    """What is shown where nothing is yet: why, and the way on."""

    def __init__(
        self,
        icon: str,
        title: str,
        text: str,
        *,
        action: str = "",
        tip: str = "",
        clicked: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._title = Label(title, 16, 600)
        self._text = Label(text, 13, 400, "second", wrap=True)
        for words in (self._title, self._text):
            words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text.setMaximumWidth(px(440))
        self._text.setMinimumWidth(px(240))
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addStretch(1)
        centre = Qt.AlignmentFlag.AlignHCenter
        self._tile = IconTile(icon, size=56, filled=True)
        layout.addWidget(self._tile, 0, centre)
        layout.addSpacing(4)
        layout.addWidget(self._title, 0, centre)
        # Between stretches, not aligned: an aligned label is not given the height it wraps to.
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._text, 100)
        row.addStretch(1)
        layout.addLayout(row)
        self.button: PrimaryButton | None = None
        """The action's button, where there is one."""
        if action:
            self.button = PrimaryButton(action, tip, clicked=clicked)
            layout.addSpacing(4)
            layout.addWidget(self.button, 0, centre)
        layout.addStretch(1)

    def set_text(self, title: str, text: str, icon: str | None = None) -> None:
        """Change what it says."""
        self._title.setText(title)
        self._text.setText(text)
        if icon:
            self._tile.set_icon(icon)


Severity = Literal["info", "ok", "warning", "error"]
SEVERITY_ICONS = {
    "info": ("info-fill", "link"),
    "ok": ("check-circle-fill", "ok"),
    "warning": ("warning-fill", "warning"),
    "error": ("warning-octagon-fill", "alarm"),
}


class Banner(QFrame):
    """One sentence in its place, with ways out as links."""

    closed = Signal()

    def __init__(
        self,
        severity: Severity,
        text: str,
        actions: Sequence[tuple[str, str, Callable[[], object]]] = (),
        *,
        title: str = "",
        closable: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._severity: Severity = severity
        row = QHBoxLayout(self)
        row.setContentsMargins(px(12), px(8), px(10), px(8))
        row.setSpacing(px(10))
        self._icon = IconLabel(SEVERITY_ICONS[severity][0], role=SEVERITY_ICONS[severity][1])
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        self._title = Label(title, 13, 600, wrap=True)
        self._text = Label(text, 12 if title else 13, 400, "second" if title else "", wrap=True)
        words.addWidget(self._title)
        words.addWidget(self._text)
        # In a widget of its own: an empty layout would keep its neighbours narrow.
        self._link_row = QWidget()
        self._links = QHBoxLayout(self._link_row)
        self._links.setContentsMargins(0, 0, 0, 0)
        self._links.setSpacing(14)
        words.addWidget(self._link_row)
        row.addLayout(words, 1)
        self._title.setVisible(bool(title))
        self.set_actions(actions)
        if closable:
            row.addWidget(
                IconButton("x", "Dismiss", "Close this message.", size=24, clicked=self._close),
                0,
                Qt.AlignmentFlag.AlignTop,
            )
        self.setAccessibleName(f"{severity}: {title} {text}".strip())

    def text(self) -> str:
        """Return the sentence."""
        return self._text.text()

    def set_text(
        self, text: str, severity: Severity | None = None, title: str | None = None
    ) -> None:
        """Say something else."""
        self._text.setText(text)
        if title is not None:
            self._title.setText(title)
            self._title.setVisible(bool(title))
        if severity is not None:
            self._severity = severity
            self._icon.set_icon(*SEVERITY_ICONS[severity])
        self.setAccessibleName(f"{self._severity}: {self._title.text()} {text}".strip())
        self.update()

    def set_actions(self, actions: Sequence[tuple[str, str, Callable[[], object]]]) -> None:
        """Offer other ways out: ``(text, tip, callback)`` each."""
        while (item := self._links.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for text, tip, callback in actions:
            self._links.addWidget(LinkButton(text, tip, clicked=callback))
        self._links.addStretch(1)
        self._link_row.setVisible(bool(actions))

    def _close(self) -> None:
        self.hide()
        self.closed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        fill = (
            tokens.warning_surface
            if self._severity == "warning"
            else mix(tokens.surface, role_colour(SEVERITY_ICONS[self._severity][1]), 0.09)
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(fill))
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
