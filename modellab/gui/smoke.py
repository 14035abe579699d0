"""The window opened once for ``modellab --smoke-test``: made, painted, every page shown, closed."""

from __future__ import annotations

import time

from PySide6.QtCore import QSize

from modellab.errors import LabError

PATIENCE = 60.0
"""Seconds until the window must have painted."""


def paint_window() -> str:
    """Open the window, picture the start page, make every other page, close it; say what was seen.

    Raises
    ------
    LabError
        If it does not open, paints nothing but one colour, or a page cannot be made.
    """
    from modellab.gui.app import make_application, open_window
    from modellab.gui.notify import notifications
    from modellab.gui.stages import PAGES

    app = make_application()
    begin = time.monotonic()
    window = open_window(app)
    try:
        while not window.isVisible() or time.monotonic() - begin < 0.2:
            app.processEvents()
            if time.monotonic() - begin > PATIENCE:
                raise LabError("The window did not open.")
            time.sleep(0.005)
        picture = window.grab().toImage().scaled(QSize(64, 48))
        colours = {picture.pixel(x, y) for x in range(64) for y in range(48)}
        if len(colours) < 2:
            raise LabError("The window painted nothing.")
        # Plots come with the pages, not with the window.
        for spec in PAGES:
            page = spec.make(window.session)
            page.resize(window.size())
            page.grab()
            page.deleteLater()
        shown = f"{window.width()} × {window.height()} pixels on {app.platformName()}"
        return f"{shown}, {len(PAGES)} pages"
    finally:
        window.close()
        app.window = None
        notifications().uninstall()
