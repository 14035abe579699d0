"""The current theme, and how it changes: by the person, or with the system."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from modellab.gui.theme import fonts
from modellab.gui.theme.palette import qt_palette
from modellab.gui.theme.scaled import rescale
from modellab.gui.theme.stylesheet import stylesheet
from modellab.gui.theme.tokens import DARK, LIGHT, Theme

Mode = Literal["system", "light", "dark"]


class ThemeHub(QObject):
    """Holds the current theme and puts it on the application.

    ``theme_changed`` is sent after palette and style sheet are in place; whatever keeps colours
    of its own (plot pens, rendered pictures) takes them again from `theme`.
    """

    theme_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._mode: Mode = "system"
        self._theme = LIGHT
        self._follows = False
        self._applied: tuple[Theme, float] | None = None

    @property
    def mode(self) -> Mode:
        """What the person chose: ``system``, ``light`` or ``dark``."""
        return self._mode

    @property
    def theme(self) -> Theme:
        """The theme in force."""
        return self._theme

    def set_mode(self, mode: Mode) -> None:
        """Choose the theme: a fixed one, or the one the system asks for."""
        self._mode = mode
        hints = QGuiApplication.styleHints()
        if not self._follows:
            hints.colorSchemeChanged.connect(self._system_changed)
            self._follows = True
        # For title bars and native dialogs; a bare X server ignores it.
        if mode == "system":
            hints.unsetColorScheme()
        else:
            wanted = Qt.ColorScheme.Dark if mode == "dark" else Qt.ColorScheme.Light
            hints.setColorScheme(wanted)
        self._apply()

    def set_text_scale(self, preference: float) -> None:
        """Set the person's text size (1.0 is usual) on top of what the system asks for."""
        before = fonts.text_scale()
        fonts.set_text_scale(preference * fonts.system_text_scale())
        if fonts.text_scale() != before:
            self._apply()
            rescale()

    def toggle(self) -> None:
        """Turn from light to dark or back, and stay there."""
        self.set_mode("light" if self._theme.dark else "dark")

    @Slot()
    def _system_changed(self) -> None:
        if self._mode == "system":
            self._apply()

    def _wanted(self) -> Theme:
        if self._mode != "system":
            return DARK if self._mode == "dark" else LIGHT
        return DARK if system_is_dark() else LIGHT

    def _apply(self) -> None:
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            raise RuntimeError("The theme needs a QApplication.")
        wanted = (self._wanted(), fonts.text_scale())
        # A style sheet is costly to set: every widget is polished again.
        if wanted == self._applied and app.styleSheet():
            return
        self._theme, _ = self._applied = wanted
        app.setFont(fonts.font(13))
        app.setPalette(qt_palette(self._theme))
        app.setStyleSheet(stylesheet(self._theme, fonts.px))
        self.theme_changed.emit()


def system_is_dark() -> bool:
    """Return whether the system asks for a dark theme (light where it says nothing)."""
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


_hub: ThemeHub | None = None


def theme_hub() -> ThemeHub:
    """Return the one hub of this process, made at first use."""
    global _hub
    if _hub is None:
        _hub = ThemeHub()
    return _hub


def theme() -> Theme:
    """Return the theme in force (light before the application has chosen one)."""
    return _hub.theme if _hub is not None else LIGHT


def apply_theme(mode: Mode = "system", text_scale: float = 1.0) -> None:
    """Put style, palette, font and style sheet on the application, before the first window."""
    app = QApplication.instance()
    if isinstance(app, QApplication):
        app.setStyle("Fusion")
    fonts.load_fonts()
    fonts.set_text_scale(text_scale * fonts.system_text_scale())
    theme_hub().set_mode(mode)
