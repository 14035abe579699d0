"""The notification manager: everything that goes wrong anywhere ends here, in words and in the log.

It owns ``sys.excepthook``, ``threading.excepthook``, ``sys.unraisablehook``, Python warnings and
Qt's messages. Whatever thread they come from, they reach the window through a queued signal.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
import warnings
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    Qt,
    QtMsgType,
    Signal,
    Slot,
    qInstallMessageHandler,
)

from modellab.errors import Cancelled, LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

LOG_NAME = "modellab.log"
_LOG_BYTES = 1_000_000
_LOG_FILES = 3
REPEAT_SECONDS = 5.0
"""The same message within this time is counted, not shown again."""
_UNEXPECTED = (
    "Something went wrong inside Model Lab. Your work is kept; if the window behaves oddly, "
    "save and start it again."
)
_QUIET_QT = (
    # The offscreen plugin says so for every window.
    "This plugin does not support",
    # Wayland compositors refuse to be told where windows go, and raising them.
    "Wayland does not support QWindow::requestActivate",
)

log = logging.getLogger("modellab.gui")

Severity = Literal["info", "ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell the person.

    `text` is a plain sentence; `detail` is shown on demand; `action` (with `run`) is a way out.
    """

    severity: Severity
    text: str
    detail: str = ""
    action: str = ""
    run: Callable[[], object] | None = None


class _Hook:
    """Our ``sys.excepthook``.

    It says that it is pyqtgraph's handler: pyqtgraph replaces any other hook when it is imported.
    """

    def __init__(self, take: Callable[[BaseException, str], None]) -> None:
        self._take = take

    def __call__(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error or kind(), trace)
            return
        value = error if error is not None else kind()
        if trace is not None and value.__traceback__ is None:
            value = value.with_traceback(trace)
        self._take(value, "")

    def implements(self, interface: str | None = None) -> bool | list[str]:
        return ["ExceptionHandler"] if interface is None else interface == "ExceptionHandler"


class NotificationManager(QObject):
    """Collects notices from every thread and hands them to the window one by one.

    Until somebody listens to `noticed`, notices wait (the start of the program may fail, too).
    """

    noticed = Signal(object)
    """A `Notice`, in the window's thread; repeats within `REPEAT_SECONDS` are left out."""
    _posted = Signal(object)

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._handler: logging.Handler | None = None
        self._before: dict[str, Any] = {}
        self._installed = False
        self._last: dict[tuple[str, str], float] = {}
        self._waiting: list[Notice] = []
        self._heard = False
        self._lock = threading.Lock()
        self._posted.connect(self._take, Qt.ConnectionType.QueuedConnection)

    # ------------------------------------------------------------------ hooks

    @property
    def log_file(self) -> Path | None:
        """The log file, once the manager is installed with a folder."""
        return None if self._folder is None else self._folder / LOG_NAME

    def install(self) -> None:
        """Take over the hooks and open the log file (no obstacle if it cannot be written)."""
        if self._installed:
            return
        self._installed = True
        self._open_log()
        self._before = {
            "except": sys.excepthook,
            "thread": threading.excepthook,
            "unraisable": sys.unraisablehook,
            "warning": warnings.showwarning,
        }
        sys.excepthook = _Hook(self.exception)
        threading.excepthook = self._thread_exception
        sys.unraisablehook = self._unraisable
        warnings.showwarning = self._warning
        self._before["qt"] = qInstallMessageHandler(self._qt_message)

    def uninstall(self) -> None:
        """Give the hooks back and close the log file."""
        if not self._installed:
            return
        self._installed = False
        sys.excepthook = self._before["except"]
        threading.excepthook = self._before["thread"]
        sys.unraisablehook = self._before["unraisable"]
        warnings.showwarning = self._before["warning"]
        qInstallMessageHandler(self._before["qt"])
        if self._handler is not None:
            logging.getLogger("modellab").removeHandler(self._handler)
            self._handler.close()
            self._handler = None

    def _open_log(self) -> None:
        file = self.log_file
        if file is None:
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handler = RotatingFileHandler(
                file, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES - 1, encoding="utf-8"
            )
        except OSError as error:
            self.post(Notice("warning", f"No log is kept: {file} cannot be written.", str(error)))
            return
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger("modellab")
        root.addHandler(handler)
        if root.level == logging.NOTSET:
            root.setLevel(logging.INFO)
        self._handler = handler

    # ------------------------------------------------------------------ sources

    def exception(self, error: BaseException, context: str = "") -> None:
        """Tell of an exception, from any thread: a `LabError` in its own words."""
        if isinstance(error, Cancelled):
            return
        trace = "".join(traceback.format_exception(error))
        if isinstance(error, LabError):
            log.warning("%s\n%s", error.sentence, trace)
            self.post(Notice("error", error.sentence, error.detail))
            return
        log.error("%s\n%s", context or "unexpected error", trace)
        self.post(Notice("error", f"{context} {_UNEXPECTED}".strip(), trace))

    def _thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
            self.exception(args.exc_value)

    def _unraisable(self, args: sys.UnraisableHookArgs) -> None:
        trace = "".join(traceback.format_exception(args.exc_value)) if args.exc_value else ""
        log.error("%s: %r\n%s", args.err_msg or "unraisable", args.object, trace)

    def _warning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        log.warning("%s", warnings.formatwarning(message, category, filename, lineno, line).strip())

    def _qt_message(self, kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        if any(text.startswith(start) for start in _QUIET_QT):
            return
        levels = {
            QtMsgType.QtDebugMsg: logging.DEBUG,
            QtMsgType.QtInfoMsg: logging.INFO,
            QtMsgType.QtWarningMsg: logging.WARNING,
        }
        log.log(levels.get(kind, logging.ERROR), "Qt: %s", text)
        if kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg):
            self.post(Notice("error", _UNEXPECTED, text))

    # ------------------------------------------------------------------ delivery

    def post(self, notice: Notice) -> None:
        """Hand over a notice, from any thread."""
        self._posted.emit(notice)

    def info(self, text: str, **more: Any) -> None:
        """Tell something that is good to know."""
        self.post(Notice("info", text, **more))

    def warning(self, text: str, **more: Any) -> None:
        """Tell of something that may need a look."""
        self.post(Notice("warning", text, **more))

    def error(self, text: str, **more: Any) -> None:
        """Tell of something that did not work."""
        self.post(Notice("error", text, **more))

    @Slot(object)
    def _take(self, notice: Notice) -> None:
        now = time.monotonic()
        key = (notice.severity, notice.text)
        with self._lock:
            last = self._last.get(key)
            self._last[key] = now
            if len(self._last) > 200:
                self._last = {k: t for k, t in self._last.items() if now - t < REPEAT_SECONDS}
        # A model that fails while it is painted would otherwise fill the screen.
        if last is not None and now - last < REPEAT_SECONDS:
            return
        if not self._heard:
            self._waiting.append(notice)
            return
        self.noticed.emit(notice)

    def listen(self, callback: Callable[[Notice], object]) -> None:
        """Deliver notices to `callback`, a slot of a QObject in the window's thread."""
        self.noticed.connect(callback)
        self._heard = True
        waiting, self._waiting = self._waiting, []
        for notice in waiting:
            self.noticed.emit(notice)


_manager: NotificationManager | None = None


def notifications() -> NotificationManager:
    """Return the one manager of this process, made at first use."""
    global _manager
    if _manager is None:
        from modellab.paths import state_dir

        _manager = NotificationManager(state_dir())
    return _manager
