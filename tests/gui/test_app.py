from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import psutil

from modellab.gui import app as app_module
from modellab.gui.crash import CrashReport
from modellab.gui.notify import notifications
from modellab.gui.settings import settings


def run(code: str, home) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "MODELLAB_HOME": str(home)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_window_is_up_before_plots_and_data_libraries_are_loaded(modellab_home):
    seen = run(
        """
        import sys
        from PySide6.QtCore import QTimer
        from modellab.gui import app, window
        heavy = {"pyqtgraph", "pandas", "sklearn", "river", "scipy", "pyarrow", "qtawesome"}
        def painted(self):
            print(sorted(heavy & set(sys.modules)))
            QTimer.singleShot(0, self, self.close)
        window.MainWindow._after_first_paint = painted
        print(app.run_window())
        """,
        modellab_home,
    )
    assert seen.split("\n")[:2] == ["[]", "0"]
    assert not list((modellab_home / "state").glob("running-*"))


def test_a_run_that_ended_badly_is_told_at_the_next_start(modellab_home, qtbot, looks):
    told = []
    notifications().noticed.connect(told.append)
    notifications()._heard = True
    file = modellab_home / "crash-1.txt"
    app_module.offer_crashes([CrashReport(file, "Fatal Python error: Segmentation fault\n  File")])
    qtbot.waitUntil(lambda: len(told) == 1)
    assert told[0].text.startswith("Model Lab stopped unexpectedly")
    assert "Segmentation fault" in told[0].detail
    app_module.offer_crashes([CrashReport(file, "Model Lab 1.0")])
    qtbot.waitUntil(lambda: len(told) == 2)
    assert "ended from outside" in told[1].text


def test_the_memory_preference_reaches_the_engine(monkeypatch, modellab_home):
    monkeypatch.delenv("MODELLAB_MEMORY_BUDGET", raising=False)
    settings().change(memory_share=0.5)
    app_module.memory_for_engine()
    total = psutil.virtual_memory().total
    assert int(os.environ["MODELLAB_MEMORY_BUDGET"]) == int(total * 0.5)
    monkeypatch.setenv("MODELLAB_MEMORY_BUDGET", "12345")
    app_module.memory_for_engine()
    assert os.environ["MODELLAB_MEMORY_BUDGET"] == "12345"


def test_the_sign_is_drawn(qtbot, looks):
    picture = app_module.sign_icon().pixmap(64, 64).toImage()
    colours = {picture.pixelColor(x, y).name() for x in range(64) for y in range(64)}
    assert len(colours) > 3
