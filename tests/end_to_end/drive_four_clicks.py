"""Who only wants the verdict: ``python drive_four_clicks.py DATA FOLDER``.

Drops a file, takes every default, and counts the clicks until the Decide page says its sentence.
Seconds since the drop and the clicks go to ``seen.json``, pictures of the screen lie beside.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from drive_window import Person, drive
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget


class InHurry(Person):
    """Clicks as little as possible."""

    def click(self, widget: QWidget, place: QPoint | None = None) -> None:
        super().click(widget, place)
        self.seen["clicks"].append(widget.accessibleName())

    def stage(self, what: str, ready: Callable[[], object]) -> None:
        """Wait until `ready`, and note how long after the drop that was."""
        self.until(what, ready)
        self.seen["seconds"][what] = round(time.monotonic() - self.dropped, 2)

    def walk(self) -> None:
        """Everything, from the file to the verdict."""
        self.seen |= {"clicks": [], "seconds": {}}
        self.until("the window", lambda: self.window is not None and self.window._painted)
        self.window.resize(1440, 900)
        pages = ("data", "deploy", "decide")
        self.until("the pages", lambda: all(p in self.window._pages for p in pages))
        session = self.session
        session.subscribe("message", lambda m: self.seen["messages"].append(m.text))
        self.dropped = time.monotonic()
        self.drop()
        self.stage("the data", lambda: self.window.current_page == "data" and session.profile)
        self.stage("the deployment is possible", lambda: session.why_no_deploy is None)
        self.picture("2-data")
        self.click(self.window.rail.button("deploy"))
        page: Any = self.window.page("deploy")
        self.click(page.start.button)
        self.stage("the first models", lambda: session.deployment is not None)
        live = session.deployment
        self.until("the way to the end", lambda: page.transport.to_end.isVisible())
        self.picture("3-ready")
        self.click(page.transport.to_end)
        self.until("half the stream", lambda: live.position > (live.train_rows + live.stop) // 2)
        # The show goes on at full speed, too.
        self.seen["playing"] = live.playing
        self.seen["drawn_at"] = live.position
        self.until("curves", lambda: page.plots.error_plot.lines)
        if live.playing:
            self.picture("4-playing")
        self.stage("the last row", lambda: live.position >= live.stop)
        self.until("the offer", lambda: page.offer.button.isVisible())
        self.picture("5-end")
        self.click(page.offer.button)
        decide: Any = self.window.page("decide")
        state = session.verdict_state
        told = decide.verdict.sentence
        self.stage(
            "the verdict", lambda: state.verdict and told.isVisible() and "Deploy" in told.text()
        )
        self.picture("6-verdict")
        self.seen |= {
            "platform": self.app.platformName(),
            "page": self.window.current_page,
            "sentence": state.verdict.sentence,
            "shown": told.text(),
            "recommended": state.verdict.recommended,
            "rows": live.stop,
        }


if __name__ == "__main__":
    sys.exit(drive(InHurry, sys.argv[1:]))
