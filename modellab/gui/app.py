"""The application: Qt's set-up, the window, and what a start has to offer.

Nothing heavy is imported before the first paint: pages and their plots come after it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QCoreApplication, QEvent, QLocale, QTimer
from PySide6.QtGui import QFileOpenEvent, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QApplication

from modellab import __version__, paths
from modellab.gui.crash import CrashGuard, take_crash_reports
from modellab.gui.notify import notifications
from modellab.gui.settings import settings
from modellab.gui.theme import LIGHT, apply_theme, theme_hub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.gui.crash import CrashReport
    from modellab.gui.theme import Mode
    from modellab.gui.window import MainWindow


class LabApplication(QApplication):
    """The application; macOS hands files to open to it as events."""

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__(list(arguments))
        self.window: MainWindow | None = None
        self.setApplicationName("modellab")
        self.setApplicationDisplayName("Model Lab")
        self.setApplicationVersion(__version__)
        self.setDesktopFileName("modellab")

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and self.window is not None and event.file():
            self.window.open_files([Path(event.file())])
            return True
        return super().event(event)


def sign_icon() -> QIcon:
    """Return the program's sign as the window's icon."""
    from modellab.gui.header import paint_sign

    icon = QIcon()
    for ratio in (1, 2, 4, 8):
        pixmap = QPixmap(32 * ratio, 32 * ratio)
        pixmap.fill(LIGHT.surface)
        painter = QPainter(pixmap)
        painter.scale(ratio, ratio)
        painter.translate(3, 6)
        paint_sign(painter, LIGHT.text, LIGHT.lanes[0])
        painter.end()
        icon.addPixmap(pixmap)
    return icon


def make_application(arguments: Sequence[str] = ("modellab",)) -> LabApplication:
    """Return the application with style, theme, typeface and notification manager in place."""
    present = QCoreApplication.instance()
    app = present if isinstance(present, LabApplication) else LabApplication(arguments)
    # Numbers are read and written the same way everywhere; the words are English.
    QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.Country.UnitedKingdom))
    chosen = settings().preferences
    apply_theme(chosen.theme, chosen.text_scale)
    notifications().install()
    return app


def run_window(
    files: Sequence[str | Path] = (),
    *,
    sample: str | None = None,
    ready: bool = False,
    theme: str | None = None,
    arguments: Sequence[str] = ("modellab",),
) -> int:
    """Open the window, run until it is closed, and return the exit status.

    Parameters
    ----------
    files
        Data files (read as one data set) or one experiment to open.
    sample
        Id of a bundled sample to open instead.
    ready
        With `sample`: deploy its default lanes too, ready to play.
    theme
        ``"system"``, ``"light"`` or ``"dark"`` for this run, whatever the preferences say.
    arguments
        The program's arguments, for Qt's own options.
    """
    memory_for_engine()
    app = make_application(arguments)
    if theme in ("system", "light", "dark"):
        theme_hub().set_mode(cast("Mode", theme))
    crashes = take_crash_reports(paths.state_dir())
    guard = CrashGuard(paths.state_dir(), __version__)
    try:
        window = open_window(app, crashes)
        if files:
            QTimer.singleShot(0, window, lambda: window.open_files([Path(f) for f in files]))
        elif sample is not None:
            start = window.open_ready if ready else window.open_sample
            QTimer.singleShot(0, window, lambda: start(sample))
        # Python sees signals whenever the window's timer runs: unsaved work is kept then.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: window.close())
        status = app.exec()
        app.window = None
    finally:
        notifications().uninstall()
        guard.close()
    return int(status)


def open_window(app: LabApplication, crashes: Sequence[CrashReport] = ()) -> MainWindow:
    """Make the session and its window, and show it."""
    from modellab.gui.session import Session
    from modellab.gui.window import MainWindow

    session = Session(workers=settings().preferences.workers)
    window = MainWindow(session)
    window.setWindowIcon(sign_icon())
    app.window = window
    window.show()
    if crashes:
        QTimer.singleShot(0, window, lambda: offer_crashes(crashes))
    return window


def offer_crashes(crashes: Sequence[CrashReport]) -> None:
    """Tell of runs that ended badly, with what is known on demand."""
    last = crashes[-1]
    sentence = (
        "Model Lab stopped unexpectedly last time. Unsaved work is on the start page."
        if last.faulted
        else "Model Lab was ended from outside last time. Unsaved work is on the start page."
    )
    told = "\n\n".join(f"{crash.text}\nKept as {crash.path}" for crash in crashes)
    notifications().warning(
        sentence, detail=f"{told}\n\nNothing was sent. Copy this if you want to report it."
    )


def memory_for_engine() -> None:
    """Hand the memory preference to the engine processes, unless the environment sets another."""
    if os.environ.get("MODELLAB_MEMORY_BUDGET"):
        return
    import psutil

    share = settings().preferences.memory_share
    os.environ["MODELLAB_MEMORY_BUDGET"] = str(int(psutil.virtual_memory().total * share))


if __name__ == "__main__":
    sys.exit(run_window(sys.argv[1:]))
