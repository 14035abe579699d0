from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
import warnings

import pytest
from PySide6.QtCore import QTimer, Slot, qWarning
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QWidget

from modellab.errors import Cancelled, DataError
from modellab.gui import toasts as toasts_module
from modellab.gui.crash import CrashGuard, take_crash_reports
from modellab.gui.kit import LinkButton
from modellab.gui.notify import Notice, NotificationManager
from modellab.gui.toasts import DetailDialog, ToastArea

pytestmark = pytest.mark.usefixtures("looks")


class Listener(QWidget):
    def __init__(self):
        super().__init__()
        self.notices = []
        self.threads = []

    @Slot(object)
    def take(self, notice):
        self.notices.append(notice)
        self.threads.append(threading.current_thread())

    @property
    def texts(self):
        return [notice.text for notice in self.notices]


@pytest.fixture
def ear(qtbot):
    made = Listener()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def manager(tmp_path):
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning)
    made = NotificationManager(tmp_path)
    made.install()
    yield made
    made.uninstall()
    assert (
        sys.excepthook,
        threading.excepthook,
        sys.unraisablehook,
        warnings.showwarning,
    ) == before


def log_of(manager):
    return manager.log_file.read_text(encoding="utf-8")


def test_notices_wait_until_somebody_listens(qtbot, ear, manager):
    manager.info("Early.")
    qtbot.waitUntil(lambda: len(manager._waiting) == 1)
    manager.listen(ear.take)
    assert ear.texts == ["Early."]
    manager.warning("Late.", detail="more")
    qtbot.waitUntil(lambda: len(ear.notices) == 2)
    assert ear.notices[1] == Notice("warning", "Late.", "more")


def test_an_error_of_ours_is_told_in_its_own_words(qtbot, ear, manager):
    manager.listen(ear.take)
    try:
        raise DataError("“x.csv” has no rows.", detail="line 0")
    except DataError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    qtbot.waitUntil(lambda: bool(ear.notices))
    assert ear.notices == [Notice("error", "“x.csv” has no rows.", "line 0")]
    assert "test_an_error_of_ours" in log_of(manager)


def test_an_unexpected_error_is_calm_and_its_trace_is_on_demand(qtbot, ear, manager):
    manager.listen(ear.take)
    try:
        _ = {}["no such key"]
    except KeyError as error:
        manager.exception(error, "The Data page could not be opened.")
    qtbot.waitUntil(lambda: bool(ear.notices))
    (notice,) = ear.notices
    assert notice.text.startswith("The Data page could not be opened. Something went wrong")
    assert "KeyError" not in notice.text
    assert "KeyError: 'no such key'" in notice.detail


def test_cancelling_is_no_error(qtbot, ear, manager):
    manager.listen(ear.take)
    manager.exception(Cancelled())
    manager.info("Next.")
    qtbot.waitUntil(lambda: bool(ear.notices))
    assert ear.texts == ["Next."]


def test_a_thread_s_error_arrives_in_the_window_s_thread(qtbot, ear, manager):
    manager.listen(ear.take)

    def fail():
        raise DataError("A thread failed.")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: bool(ear.notices))
    assert ear.texts == ["A thread failed."]
    assert ear.threads == [threading.main_thread()]


def test_a_slot_s_error_reaches_the_manager(qtbot, ear, manager):
    manager.listen(ear.take)

    def fail():
        raise DataError("A slot failed.")

    with qtbot.captureExceptions():
        sys.excepthook, ours = NotificationHookOf(manager), sys.excepthook
        QTimer.singleShot(0, fail)
        qtbot.waitUntil(lambda: bool(ear.notices))
        sys.excepthook = ours
    assert ear.texts == ["A slot failed."]


def NotificationHookOf(manager):
    from modellab.gui.notify import _Hook

    return _Hook(manager.exception)


def test_the_same_again_is_not_shown_again_at_once(qtbot, ear, manager, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("modellab.gui.notify.time.monotonic", lambda: clock[0])
    manager.listen(ear.take)
    for _ in range(50):
        manager.error("Paint failed.")
    manager.error("Another.")
    qtbot.waitUntil(lambda: len(ear.notices) == 2)
    clock[0] += 60
    manager.error("Paint failed.")
    qtbot.waitUntil(lambda: len(ear.notices) == 3)
    assert ear.texts == ["Paint failed.", "Another.", "Paint failed."]


def test_warnings_and_qt_messages_go_to_the_log_alone(qtbot, ear, manager):
    manager.listen(ear.take)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = manager._warning
        warnings.warn("old habits", DeprecationWarning, stacklevel=1)
    qWarning("a warning of Qt")
    qWarning("This plugin does not support raise()")
    text = log_of(manager)
    assert "old habits" in text
    assert "Qt: a warning of Qt" in text
    assert "does not support" not in text
    assert ear.notices == []


def test_an_interrupt_is_left_to_python(manager, capsys, ear):
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert "KeyboardInterrupt" in capsys.readouterr().err
    assert "KeyboardInterrupt" not in log_of(manager)


def test_pyqtgraph_does_not_take_the_hook():
    """In a process of its own, where pyqtgraph is surely imported after the hook is in place."""
    code = """
        import sys
        from PySide6.QtWidgets import QApplication
        app = QApplication([])
        from modellab.gui.notify import NotificationManager
        manager = NotificationManager()
        manager.install()
        ours = sys.excepthook
        import pyqtgraph
        assert sys.excepthook is ours
        manager.uninstall()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cannot_be_written_is_no_obstacle(qtbot, ear, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    manager = NotificationManager(blocked / "state")
    manager.install()
    try:
        manager.listen(ear.take)
        qtbot.waitUntil(lambda: bool(ear.notices))
        assert "No log is kept" in ear.texts[0]
    finally:
        manager.uninstall()
    assert not [h for h in logging.getLogger("modellab").handlers if h.get_name() == "lab"]


# ---------------------------------------------------------------- toasts


@pytest.fixture
def area(qtbot):
    host = QWidget()
    # A toast under the mouse stays: the mouse is put where none is shown.
    QCursor.setPos(1, 1)
    host.setGeometry(0, 0, 900, 600)
    qtbot.addWidget(host)
    host.show()
    made = ToastArea(host)
    yield made
    made.clear()
    host.close()


def test_toasts_stack_in_the_corner_and_follow_it(area, qtbot):
    area.show_notice(Notice("info", "One."))
    area.show_notice(Notice("error", "Two. " * 30))
    first, second = area.toasts()
    assert second.geometry().bottom() < 600
    assert first.geometry().bottom() < second.geometry().top()
    assert second.geometry().right() <= 900
    for toast in (first, second):
        assert toast._text.height() >= toast._text.heightForWidth(toast._text.width())
    area.host.resize(500, 400)
    assert second.geometry().right() < 500
    assert second.geometry().bottom() < 400


def test_only_so_many_toasts(area):
    for number in range(9):
        area.show_notice(Notice("error", f"{number}"))
    assert [toast.notice.text for toast in area.toasts()] == ["5", "6", "7", "8"]


def test_information_goes_by_itself_and_errors_stay(area, qtbot, monkeypatch):
    monkeypatch.setitem(toasts_module._SECONDS, "info", 0.02)
    area.show_notice(Notice("error", "Stays."))
    area.show_notice(Notice("info", "Goes."))
    qtbot.waitUntil(lambda: len(area.toasts()) == 1)
    assert area.toasts()[0].notice.text == "Stays."
    assert not area.toasts()[0]._timer.isActive()


def test_a_toast_s_way_out_and_details(area, qtbot):
    done = []
    area.show_notice(
        Notice("error", "It failed.", "trace <b>", "Try again", lambda: done.append(1))
    )
    (toast,) = area.toasts()
    links = {link.text(): link for link in toast.findChildren(LinkButton)}
    links["Details"].click()
    dialog = area.host.findChild(DetailDialog)
    assert dialog.text.toPlainText() == "trace <b>"
    dialog.accept()
    links["Try again"].click()
    assert done == [1]
    assert area.toasts() == []


# ---------------------------------------------------------------- crashes


def test_a_clean_run_leaves_nothing(tmp_path):
    guard = CrashGuard(tmp_path, "1.0")
    assert list(tmp_path.iterdir())
    guard.close()
    guard.close()
    assert list(tmp_path.iterdir()) == []
    assert take_crash_reports(tmp_path) == []


def run_guarded(folder, ending):
    code = f"""
        import faulthandler, os, pathlib
        from modellab.gui.crash import CrashGuard
        guard = CrashGuard(pathlib.Path({str(folder)!r}), "9.9")
        {ending}
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)


def test_a_fault_is_found_at_the_next_start_with_its_stack(tmp_path):
    run_guarded(tmp_path, "faulthandler._sigsegv()")
    (report,) = take_crash_reports(tmp_path)
    assert report.faulted
    assert "Model Lab 9.9" in report.text
    assert "File" in report.text
    assert report.path.exists()
    assert take_crash_reports(tmp_path) == [], "it is offered once"


def test_a_killed_run_is_told_from_a_fault(tmp_path):
    run_guarded(tmp_path, "os._exit(9)")
    (report,) = take_crash_reports(tmp_path)
    assert not report.faulted


def test_old_reports_make_room(tmp_path):
    for number in range(9):
        file = tmp_path / f"crash-{number}.txt"
        file.write_text("old")
        os.utime(file, (number, number))
    take_crash_reports(tmp_path)
    assert sorted(file.stem for file in tmp_path.iterdir()) == [f"crash-{n}" for n in range(4, 9)]


def test_a_living_process_is_left_alone(tmp_path):
    (tmp_path / f"running-{os.getppid()}.txt").write_text("alive")
    (tmp_path / "running-notes.txt").write_text("not ours")
    assert take_crash_reports(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 2
