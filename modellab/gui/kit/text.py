"""Words on screen: plain-text labels, escaped tooltips, figures, numbers as people write them."""

from __future__ import annotations

import html
import math

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from modellab.gui.theme import set_font

_BETWEEN = " \N{MIDDLE DOT} "
MINUS = "\N{MINUS SIGN}"


def tip_text(text: str) -> str:
    """Return `text` as a tooltip that wraps: escaped, so that it can never be read as markup."""
    if not text:
        return ""
    lines = "<br>".join(html.escape(line) for line in text.splitlines())
    return f"<qt>{lines}</qt>"


def one_line(text: str, limit: int = 200) -> str:
    """Return the beginning of a text with line breaks as blanks: names in files may have them."""
    return " ".join(text[:limit].split())


def describe(widget: QWidget, name: str, tip: str) -> None:
    """Give `widget` its accessible name, and `tip` as tooltip and accessible description.

    Both are plain text, whatever they contain.
    """
    plain = name.replace("&", "")
    # Said again only when it differs: screen readers announce every change.
    if widget.accessibleName() != plain:
        widget.setAccessibleName(plain)
    if widget.accessibleDescription() != tip:
        widget.setAccessibleDescription(tip)
    markup = tip_text(tip)
    if widget.toolTip() != markup:
        widget.setToolTip(markup)


def count_text(value: float) -> str:
    """Return a whole number with thousands separated: ``45,312``."""
    whole = round(value)
    return f"{abs(whole):,}" if whole >= 0 else f"{MINUS}{abs(whole):,}"


def number_text(value: float, digits: int = 3, *, signed: bool = False) -> str:
    """Return `value` with `digits` decimals and a true minus sign; an en dash for NaN."""
    if math.isnan(value):
        return "\N{EN DASH}"
    if math.isinf(value):
        return ("+" if signed and value > 0 else MINUS if value < 0 else "") + "\N{INFINITY}"
    text = f"{abs(value):,.{digits}f}"
    negative = value < 0 and float(text.replace(",", "")) != 0
    return (MINUS if negative else "+" if signed else "") + text


def short_number(value: float, significant: int = 4) -> str:
    """Return `value` in few characters: ``0.0001``, ``12,500``, ``1e\N{MINUS SIGN}7``."""
    if math.isnan(value):
        return "\N{EN DASH}"
    if math.isinf(value):
        return MINUS + "\N{INFINITY}" if value < 0 else "\N{INFINITY}"
    size = abs(value)
    if value == 0:
        return "0"
    if size >= 1e9 or size < 1e-5:
        mantissa, exponent = f"{size:.{significant - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        sign = MINUS if int(exponent) < 0 else ""
        text = f"{mantissa}e{sign}{abs(int(exponent))}"
    else:
        decimals = max(0, significant - 1 - math.floor(math.log10(size)))
        text = f"{size:,.{decimals}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
    return (MINUS if value < 0 else "") + text


def duration_text(seconds: float) -> str:
    """Return a span of time in at most two units: ``0.4 s``, ``1 min 08 s``, ``3 h 20 min``."""
    if math.isnan(seconds) or seconds < 0:
        return "\N{EN DASH}"
    if math.isinf(seconds):
        return "\N{INFINITY}"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def size_text(size: float) -> str:
    """Return a number of bytes: ``3.1 MB``."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 999.5:
            return (
                f"{value:.0f} {unit}" if value >= 99.5 or unit == "bytes" else f"{value:.1f} {unit}"
            )
        value /= 1000
    return f"{value:.1f} TB"


class Label(QLabel):
    """Plain text of a given size, weight and tone (a colour that the style sheet names)."""

    def __init__(
        self,
        text: str = "",
        size: int = 13,
        weight: int = 400,
        tone: str = "",
        *,
        wrap: bool = False,
        tabular: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        set_font(self, size, weight, tabular=tabular)
        self.setWordWrap(wrap)
        if tone:
            self.setProperty("tone", tone)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show another text; the same again costs nothing, where Qt would lay everything out."""
        if text != self.text():
            super().setText(text)

    def set_tone(self, tone: str) -> None:
        """Change the tone: ``""``, second, third, link, ok, warning, alarm or on_ink."""
        if self.property("tone") != tone:
            self.setProperty("tone", tone)
            self.style().unpolish(self)
            self.style().polish(self)


class FigureLabel(Label):
    """A number that changes many times a second.

    It keeps its width while what it shows has room and is not much shorter: for every text of
    another label all layouts around it are made anew.
    """

    _SLACK = 14

    def setText(self, text: str) -> None:
        if text != self.text():
            super().setText(text)
            self._hold()

    def _needed(self) -> QSize:
        """Return the size of the text: a label's own hint is never less than what it was given."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + 2, metrics.height())

    def _hold(self) -> None:
        wanted = self._needed()
        have = self.minimumWidth()
        fits = wanted.width() <= have <= wanted.width() + self._SLACK
        if not fits or wanted.height() != self.minimumHeight():
            self.setFixedSize(wanted)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange) and self.text():
            self.setFixedSize(self._needed())


class ElidedLabel(Label):
    """One line that gives way: what does not fit is cut, and the whole text is in the tooltip.

    Of a text of parts (``a · b · c``) the last ones are left out whole, so that no number is cut.
    """

    def __init__(
        self,
        text: str = "",
        size: int = 13,
        weight: int = 400,
        tone: str = "",
        *,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        tabular: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        self._mode = mode
        self._tip = ""
        self._fitted: tuple[object, str] = (None, "")
        super().__init__(text, size, weight, tone, tabular=tabular, parent=parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(24)

    def setText(self, text: str) -> None:
        if text != self.text():
            super().setText(text)
            self._refresh_tip()

    def set_tip(self, tip: str) -> None:
        """Show `tip` (plain) also when nothing is cut."""
        self._tip = tip
        self._refresh_tip()

    def _one_line(self) -> str:
        return " ".join(self.text().split())

    def elided(self) -> bool:
        """Return whether some of the text is cut at the present width."""
        return self.fontMetrics().horizontalAdvance(self._one_line()) > self.contentsRect().width()

    def shown_text(self) -> str:
        """Return what is painted at the present width."""
        text, room = self._one_line(), self.contentsRect().width()
        key = (text, room, self.font().key())
        if key != self._fitted[0]:
            metrics = self.fontMetrics()
            if self._mode == Qt.TextElideMode.ElideRight:
                while _BETWEEN in text and metrics.horizontalAdvance(text) > room:
                    text = text.rpartition(_BETWEEN)[0]
            self._fitted = (key, metrics.elidedText(text, self._mode, room))
        return self._fitted[1]

    def _refresh_tip(self) -> None:
        parts = [self.text()] if self.elided() else []
        if self._tip:
            parts.append(self._tip)
        tip = tip_text("\n".join(parts))
        if tip != self.toolTip():
            self.setToolTip(tip)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refresh_tip()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._one_line()) + 4, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(24, self.fontMetrics().height() + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        rect = self.contentsRect()
        text = self.shown_text()
        self.style().drawItemText(
            painter,
            rect,
            int(self.alignment()) | int(Qt.TextFlag.TextSingleLine),
            self.palette(),
            self.isEnabled(),
            text,
            self.foregroundRole(),
        )


class StatFigure(QWidget):
    """A figure with a caption under it."""

    def __init__(
        self,
        value: str,
        caption: str,
        *,
        size: int = 20,
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._value = FigureLabel(value, size, 600)
        self._caption = Label(caption, 12, 400, "second")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._value)
        layout.addWidget(self._caption)
        self.setAccessibleName(f"{caption}: {value}")
        if tip:
            self.setToolTip(tip_text(tip))
            self.setAccessibleDescription(tip)

    def set_value(self, value: str, caption: str | None = None) -> None:
        """Show another value (and caption)."""
        if caption is None and value == self._value.text():
            return
        self._value.setText(value)
        if caption is not None:
            self._caption.setText(caption)
        self.setAccessibleName(f"{self._caption.text()}: {value}")

    def value(self) -> str:
        """Return the figure as shown."""
        return self._value.text()

    def set_tone(self, tone: str) -> None:
        """Colour the figure by tone."""
        self._value.set_tone(tone)
