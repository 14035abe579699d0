"""A theme as a ``QPalette`` for the Fusion style."""

from __future__ import annotations

from PySide6.QtGui import QColor, QPalette

from modellab.gui.theme.tokens import Theme, mix


def qt_palette(theme: Theme) -> QPalette:
    """Return the palette that Fusion's own drawing and every plain widget follow."""
    palette = QPalette()
    role = QPalette.ColorRole
    normal = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.surface,
        role.AlternateBase: theme.sub,
        role.Text: theme.text,
        role.Button: theme.surface,
        role.ButtonText: theme.text,
        role.BrightText: theme.alarm,
        role.PlaceholderText: theme.third,
        role.ToolTipBase: theme.surface,
        role.ToolTipText: theme.text,
        role.Highlight: theme.link,
        role.HighlightedText: "#FFFFFF" if not theme.dark else theme.on_ink,
        role.Link: theme.link,
        role.LinkVisited: theme.link,
        role.Light: mix(theme.surface, "#FFFFFF", 0.2),
        role.Midlight: theme.sub,
        role.Mid: theme.border,
        role.Dark: theme.third,
        role.Shadow: "#000000",
        role.Accent: theme.link,
    }
    for which, colour in normal.items():
        palette.setColor(which, QColor(colour))
    disabled = QPalette.ColorGroup.Disabled
    faint = QColor(mix(theme.third, theme.surface, 0.35))
    for which in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(disabled, which, faint)
    palette.setColor(disabled, role.Highlight, QColor(theme.selected))
    palette.setColor(disabled, role.Base, QColor(theme.sub))
    return palette
