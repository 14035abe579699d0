"""The window opened once for ``modellab --smoke-test``: made, painted, every page shown, closed."""

from __future__ import annotations

import time

from PySide6.QtCore import QSize

from modellab.errors import LabError

PATIENCE = 60.0
"""Seconds until the window must have painted."""


def paint_window() -> str:
    """Open the window, show the start page, picture it, close it; say what was seen.

    Raises
    ------
    LabError
        If it does not open, or paints nothing but one colour.
    """
    from modellab.gui.app import make_application, open_window
    from modellab.gui.notify import notifications

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
        return f"{window.width()} × {window.height()} pixels on {app.platformName()}"
    finally:
        window.close()
        app.window = None
        notifications().uninstall()
