"""How long the window does not answer: pages made, a file opened, a deployment, a verdict.

Each round is a process of its own with the real window (1600 x 1000, drawn into memory) and the
real engine, from the first paint on. A timer beats every two milliseconds; the longest time between
two beats within a step is told. The file is the bundled one of flights.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

import figures
from figures import Figure, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = (1600, 1000)
BEAT_MS = 2
REST_MS = 500
PLAYED = 15_000
"""Rows that are replayed before the verdict."""
MOST = 50.0
STEPS = {
    "pages": "while the pages are made",
    "open": "while a file is opened",
    "deploy": "while it is deployed",
    "play": "while the replay begins",
    "verdict": "until the first verdict is shown",
}


class Beats:
    """The longest time between two beats, by step, and what the thread worked in it."""

    def __init__(self) -> None:
        from PySide6.QtCore import QTimer

        self.longest: dict[str, tuple[float, float]] = {}
        self._step = ""
        self._last: tuple[float, float] | None = None
        self._timer = QTimer()
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.perf_counter(), time.thread_time()
        if self._last is not None:
            gap = (now[0] - self._last[0]) * 1000 - BEAT_MS
            worked = (now[1] - self._last[1]) * 1000
            self.longest[self._step] = max(self.longest[self._step], (gap, worked))
        self._last = now

    def step(self, name: str) -> None:
        """What comes now belongs to this step."""
        self._step, self._last = name, None
        self.longest[name] = 0.0, 0.0


def wait(ready: Callable[[], object], seconds: float = 60.0) -> None:
    """Let the window live until `ready`, and then until it rests.

    Raises
    ------
    TimeoutError
        It did not become so in time.
    """
    from PySide6.QtCore import QEventLoop, QTimer

    loop, end = QEventLoop(), time.monotonic() + seconds
    look = QTimer()
    look.setInterval(5)
    look.timeout.connect(lambda: loop.quit() if ready() or time.monotonic() > end else None)
    look.start()
    loop.exec()
    look.stop()
    if time.monotonic() > end:
        raise TimeoutError("the window did not get there in time")
    QTimer.singleShot(REST_MS, loop.quit)
    loop.exec()


def work(quick: bool) -> dict[str, tuple[float, float]]:
    """Go through the steps; returns milliseconds of the longest block, and of the work in it."""
    from modellab.data.samples import sample_path
    from modellab.gui.app import make_application
    from modellab.gui.session import Session
    from modellab.gui.stages import PAGES
    from modellab.gui.window import MainWindow

    make_application()
    session = Session()
    window: Any = MainWindow(session)
    window.resize(*SIZE)
    beats = Beats()
    beats.step("pages")
    window.show()
    wait(lambda: len(window._pages) + len(window._failed) > len(PAGES))
    if not quick:
        beats.step("open")
        session.open_paths([sample_path("flights")])
        wait(lambda: session.data and session.profile and not session.jobs)
        window.show_page("deploy")
        wait(lambda: True)
        beats.step("deploy")
        session.deploy()
        wait(lambda: session.deployment is not None)
        live: Any = session.deployment
        beats.step("play")
        session.set_speed("max", 1.0)
        session.play()
        wait(lambda: live.position > live.train_rows + PLAYED)
        session.pause()
        wait(lambda: not live.playing)
        beats.step("verdict")
        window.show_page("decide")
        state = session.verdict_state
        wait(lambda: state.verdict is not None and not state.asking)
    session.close(keep=False)
    window.close()
    return beats.longest


def one_round(options: Options, number: int) -> dict[str, tuple[float, float]]:
    """One process."""
    command = [sys.executable, str(Path(__file__)), "--work", *(["--quick"] * options.quick)]
    env = os.environ | {
        "QT_QPA_PLATFORM": "offscreen",
        "QT_SCALE_FACTOR": "1",
        "MODELLAB_HOME": str(options.folder / f"home-{number}"),
    }
    # As for a person: what was compiled once is not compiled again at each start.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, tuple[float, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(options: Options) -> Iterator[Figure]:
    """Yield the longest block of each step."""
    rounds = [one_round(options, number) for number in range(options.rounds)]
    for step, words in STEPS.items():
        name = f"Window: longest time that it did not answer {words}"
        if step not in rounds[0]:
            yield figures.missing(name, "left out of the quick form", "ms", MOST, at_most=True)
            continue
        gap = statistics.median(found[step][0] for found in rounds)
        worked = statistics.median(found[step][1] for found in rounds)
        note = f"{worked:.0f} ms of it are the window's own work"
        yield Figure(name, gap, "ms", MOST, at_most=True, note=note)


if __name__ == "__main__":
    if "--work" in sys.argv:
        print(json.dumps(work("--quick" in sys.argv)))
        sys.stdout.flush()
        os._exit(0)
    figures.main(measure)
