"""What every test gets: a home of its own, the shared data when present, and leak checks."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# Before anything imports Qt: draw into memory unless the person wants to watch.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).resolve().parent.parent

# The same examples in every run: a red run can be repeated, and time is bounded.
settings.register_profile(
    "ci",
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# For a long look by hand: HYPOTHESIS_PROFILE=thorough.
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


# ---------------------------------------------------------------- places
@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep fixtures of a wider scope away from the person's own folders too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELLAB_HOME", str(tmp_path_factory.mktemp("session-home")))
        yield


@pytest.fixture(autouse=True)
def modellab_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give each test empty settings, cache and state folders of its own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MODELLAB_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets that are not part of the project; skips without it."""
    shared = Path(os.environ.get("MODELLAB_SHARED") or ROOT.parent / "shared")
    if not (shared / "data").is_dir():
        pytest.skip("the shared data folder is not here (MODELLAB_SHARED names it)")
    return shared / "data"


@pytest.fixture(scope="session")
def electricity(shared_data: Path) -> Path:
    """The electricity data (45,312 half hours, up or down); skips without it."""
    path = shared_data / "electricity.csv"
    if not path.is_file():
        pytest.skip("electricity.csv is not in the shared data folder")
    return path


# ---------------------------------------------------------------- leaks
def _uses_qt(request: pytest.FixtureRequest) -> bool:
    return not {"qapp", "qtbot"}.isdisjoint(request.fixturenames)


def _child_ids() -> set[int]:
    """Ids of this process's direct children."""
    tasks = Path("/proc/self/task")
    if tasks.is_dir():  # the kernel's own list: a hundred times faster than asking every process
        found: set[int] = set()
        for task in tasks.iterdir():
            try:
                found.update(int(word) for word in (task / "children").read_text().split())
            except OSError:  # a thread that just ended, or a kernel without this file
                continue
        return found
    return {child.pid for child in psutil.Process().children()}


def _left_children(before: set[int]) -> list[psutil.Process]:
    """New child processes that are still alive after a moment to end in."""
    left = []
    for pid in _child_ids() - before:
        try:
            child = psutil.Process(pid)
            line = " ".join(child.cmdline())
        except psutil.Error:
            continue
        if child.status() == psutil.STATUS_ZOMBIE or "multiprocessing.resource_tracker" in line:
            continue
        left.append(child)
    _, alive = psutil.wait_procs(left, timeout=5)
    return alive


@pytest.fixture(autouse=True)
def _no_child_left() -> Iterator[None]:
    """Fail a test that leaves an engine, a worker or any other process behind."""
    before = _child_ids()
    yield
    alive = _left_children(before)
    lines = [" ".join(child.cmdline()) for child in alive]
    for child in alive:
        child.kill()
    psutil.wait_procs(alive, timeout=5)
    if lines:
        pytest.fail("left running: " + "; ".join(lines))


@pytest.fixture(autouse=True)
def _no_qt_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a Qt test that leaves a window, an active timer or a running thread behind."""
    if not _uses_qt(request):
        yield
        return
    request.getfixturevalue("qapp")
    from PySide6.QtWidgets import QApplication

    before = list(QApplication.topLevelWidgets())
    # What is there already is set apart, so that looking through what the test made is cheap.
    gc.freeze()
    try:
        yield
        left = _qt_leftovers(before)
    finally:
        gc.unfreeze()
    if left:
        pytest.fail("left behind: " + "; ".join(left))


def _qt_leftovers(before: list[Any]) -> list[str]:
    import shiboken6
    from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
    from PySide6.QtWidgets import QApplication

    def flush() -> None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()

    flush()
    gc.collect()  # widgets without a parent go with the last Python reference
    flush()
    left = []
    for widget in QApplication.topLevelWidgets():
        # Qt keeps one tooltip label for the whole program.
        if widget in before or widget.metaObject().className() == "QTipLabel":
            continue
        left.append(f"window {type(widget).__name__} {widget.objectName()!r}")
        widget.deleteLater()
    for made in gc.get_objects():
        if not isinstance(made, QTimer | QThread) or not shiboken6.isValid(made):
            continue
        if isinstance(made, QTimer):
            if made.isActive():
                left.append(f"active timer of {made.parent()!r}")
                made.stop()
        elif made.isRunning() and made is not QThread.currentThread():
            left.append(f"running thread {made!r}")
            made.quit()
            made.wait(2000)
    flush()
    return left


# ---------------------------------------------------------------- artefacts
@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Folder for pictures and other things to look at after a run."""
    folder = Path(os.environ.get("MODELLAB_ARTIFACTS") or ROOT / "artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_report_header() -> str:
    """Say what the run was made with."""
    return f"python {sys.version.split()[0]}, hypothesis: {settings.default.max_examples} examples"
