"""Looks: colours, palette, style sheet, typeface and icons."""

from __future__ import annotations

from modellab.gui.theme.fonts import font, px
from modellab.gui.theme.hub import Mode, ThemeHub, apply_theme, theme, theme_hub
from modellab.gui.theme.icons import icon, icon_pixmap, paint_icon
from modellab.gui.theme.scaled import set_font, set_height, set_size
from modellab.gui.theme.tokens import DARK, LIGHT, Dash, Theme, contrast, mix

__all__ = [
    "DARK",
    "LIGHT",
    "Dash",
    "Mode",
    "Theme",
    "ThemeHub",
    "apply_theme",
    "contrast",
    "font",
    "icon",
    "icon_pixmap",
    "mix",
    "paint_icon",
    "px",
    "set_font",
    "set_height",
    "set_size",
    "theme",
    "theme_hub",
]
