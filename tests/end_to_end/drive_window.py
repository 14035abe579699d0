"""A hand and an eye for the real program: ``python drive_window.py DATA FOLDER``.

It starts the program as ``modellab DATA`` would, without files, and then does what a person does:
drops a file, trains, deploys, plays, moves the learning rate. What it saw goes to ``seen.json``,
pictures of the screen lie beside.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

PATIENCE = 120.0


class Person:
    """Does one thing after the other in the window."""

    def __init__(self, app: Any, data: Path, folder: Path) -> None:
        self.app, self.data, self.folder = app, data, folder
        self.seen: dict[str, Any] = {"pictures": [], "messages": []}

    @property
    def window(self) -> Any:
        return self.app.window

    @property
    def session(self) -> Any:
        return self.window.session

    def until(self, what: str, ready: Callable[[], object]) -> None:
        """Let the program run until `ready`."""
        end = time.monotonic() + PATIENCE
        while not ready():
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain: {what}")
            QTest.qWait(5)

    def click(self, widget: QWidget, place: QPoint | None = None) -> None:
        """Press and release the left button on a widget that can be seen."""
        assert widget.isVisible(), widget
        assert widget.isEnabled(), widget
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mouseClick(widget, left, none, place or widget.rect().center())
        QTest.qWait(20)

    def picture(self, name: str) -> None:
        """Keep what the screen shows."""
        QTest.qWait(150)
        path = self.folder / f"{name}.png"
        grabbed = self.window.screen().grabWindow(self.window.winId())
        assert grabbed.save(str(path)), path
        self.seen["pictures"].append(path.name)

    def drop(self) -> None:
        """Drop the file on the middle of the window."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(self.data))])
        copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
        none = Qt.KeyboardModifier.NoModifier
        middle = self.window.rect().center()
        enter = QDragEnterEvent(middle, copy, data, left, none)
        QApplication.sendEvent(self.window.windowHandle(), enter)
        self.picture("1-dragged")
        assert self.window.overlay.isVisible()
        event = QDropEvent(QPointF(middle), copy, data, left, none)
        QApplication.sendEvent(self.window.windowHandle(), event)

    # ------------------------------------------------------------------ the way

    def walk(self) -> None:
        """Everything, from the file to the changed curve."""
        self.until("the window", lambda: self.window is not None and self.window._painted)
        self.window.resize(1440, 900)
        pages = ("data", "train", "test", "deploy")
        self.until("the pages", lambda: all(p in self.window._pages for p in pages))
        self.session.subscribe("message", lambda m: self.seen["messages"].append(m.text))
        self.drop()
        self.until("the data page", lambda: self.window.current_page == "data")
        self.until(
            "the profile", lambda: self.session.profile is not None and not self.session.jobs
        )
        self.picture("2-data")
        self.click(self.window.rail.button("train"))
        train = self.window.page("train")
        self.click(train.train_button)
        self.until("the training", lambda: bool(self.session.trainings))
        self.click(self.window.rail.button("test"))
        self.picture("3-test")
        self.click(self.window.rail.button("deploy"))
        page = self.window.page("deploy")
        self.picture("4-before")
        self.click(page.start.button)
        self.until("the deployment", lambda: self.session.deployment is not None)
        self.until("the first news", lambda: bool(page.plots.recorder.lanes))
        self.picture("5-ready")
        self.replay(page)

    def replay(self, page: Any) -> None:
        """Play, move the learning rate, play on."""
        live = self.session.deployment
        rate = page.transport.rate
        rate.setFocus()
        rate.lineEdit().selectAll()
        QTest.keyClicks(rate.lineEdit(), "900")
        QTest.keyClick(rate.lineEdit(), Qt.Key.Key_Return)
        self.click(page.transport.play)
        self.until("some rows", lambda: live.position >= live.train_rows + 700)
        # The stream waits while the hand goes to the slider: a busy machine's hand is slow.
        self.pause(page)
        self.click(page.lanes.cards["Online"], QPoint(60, 40))
        self.until("the lane's settings", lambda: page.inspector.rate.slider.isVisible())
        self.click(page.transport.play)
        self.until("rows again", lambda: live.playing)
        before = live.lanes["Online"].news.settings["learning_rate"]
        self.picture("6-playing")
        self.drag(page.inspector.rate.slider, 1.0)
        self.until("the journal entry", lambda: bool(live.experiment.intervention))
        self.until("the event", lambda: bool(live.events))
        self.until("the mark", lambda: bool(page.plots.error_plot.marks))
        self.until(
            "the rate", lambda: live.lanes["Online"].news.settings["learning_rate"] != before
        )
        at = live.experiment.intervention[-1].position
        self.until("rows after it", lambda: live.position >= min(at + 900, live.stop))
        if live.playing:
            self.pause(page)
        QTest.qWait(300)
        page.show_all()
        self.picture("7-changed")
        self.tell(page, before)
        plot = page.plots.error_plot
        QTest.mouseMove(plot.viewport(), plot.area().center().toPoint())
        self.until("the crosshair", lambda: page.plots.view.hover is not None)
        self.seen["hover"] = page.plots.view.hover
        self.picture("8-readout")
        saved = self.folder / "experiment.toml"
        assert self.session.save(saved)

    def pause(self, page: Any) -> None:
        """Press the button that pauses, and wait until it is so."""
        live = self.session.deployment
        self.click(page.transport.play)
        self.until("the pause", lambda: not live.playing and not self.session._acks)

    def drag(self, slider: Any, value: float) -> None:
        """Drag the handle of a slider to a value, in many small moves."""
        start, end = slider._x_of_value(slider.real()), slider._x_of_value(value)
        y = 16
        left = Qt.MouseButton.LeftButton
        none = Qt.KeyboardModifier.NoModifier
        QTest.mousePress(slider, left, none, QPoint(round(start), y))
        for step in range(1, 26):
            QTest.mouseMove(slider, QPoint(round(start + (end - start) * step / 25), y))
            QTest.qWait(8)
        QTest.mouseRelease(slider, left, none, QPoint(round(end), y))

    def tell(self, page: Any, before: float) -> None:
        """Note what is on screen and in the journal."""
        live = self.session.deployment
        curve = live.lanes["Online"].curves["error"]
        self.seen |= {
            "platform": self.app.platformName(),
            "position": live.position,
            "train_rows": live.train_rows,
            "rate_before": before,
            "rate_after": live.lanes["Online"].news.settings["learning_rate"],
            "journal": [
                {"position": e.position, "lane": e.lane, "set": dict(e.set)}
                for e in live.experiment.intervention
            ],
            "marks": [
                {"position": m.position, "kind": m.kind, "lane": m.lane, "text": m.text}
                for m in page.plots.error_plot.marks
            ],
            "events": [{"position": e.position, "kind": e.kind} for e in live.events],
            "event_list": page.events.model.rowCount(),
            "undo": self.session.undo_text,
            "curve": {"start": curve.start.tolist(), "mean": curve.mean.tolist()},
            "lines": [line.key for line in page.plots.error_plot.lines],
        }


def drive(kind: type[Person], arguments: list[str]) -> int:
    """Start the program and let a person of this kind loose on it."""
    from modellab.gui.app import make_application, run_window

    data, folder = Path(arguments[0]), Path(arguments[1])
    app = make_application()
    person = kind(app, data, folder)
    failed: list[str] = []

    def go() -> None:
        try:
            person.walk()
        except BaseException:  # noqa: BLE001 - the test reads it
            failed.append(traceback.format_exc())
            if person.window is not None:
                person.window.grab().save(str(folder / "failed.png"))
        finally:
            (folder / "seen.json").write_text(json.dumps({**person.seen, "failed": failed}))
            if person.window is not None:
                person.window.close()
            else:
                app.quit()

    QTimer.singleShot(0, app, go)
    return run_window([])


if __name__ == "__main__":
    sys.exit(drive(Person, sys.argv[1:]))
