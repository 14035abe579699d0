"""The window: frames at full speed, the answer to a slider, to a zoom, to a price; its start.

Everything is measured in processes of their own with the real window and the real engine, once
drawing into memory and, where an X server answers, once on the screen; no GPU is used. Eight
compiled linear lanes and two baselines are replayed, with the Deploy page at 1600 x 1000: error,
parameters, feature drift, cost, the timeline and the row axis. Where no screen is named and there
is an Xvfb, one is started for as long as it takes.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

import figures
from figures import Figure, Options, each, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 2_000_000
"""Rows of the stream that is replayed at full speed."""
PARTS = Path(__file__).parent / "window_parts.py"
WANTED: dict[str, tuple[str, str, float | None]] = {
    # key: name, unit, most
    "frame_median": ("frame interval at full speed, median", "ms", 33.0),
    "frame_p99": ("frame interval at full speed, 99th percentile", "ms", 50.0),
    "block": ("longest time that the window did not answer, at full speed", "ms", 50.0),
    "frame_cost": ("preparing and painting the plots of a frame, median", "ms", None),
    "frame_work": ("work of the window's thread for each frame, all in all", "ms CPU", None),
    "slider_p99": ("slider to acknowledged position, 99th percentile", "ms", 50.0),
    "slider_median": ("slider to acknowledged position, median", "ms", None),
    "zoom": ("zooming into a history of 10 million rows, slowest of 40", "ms", 50.0),
    "reprice": ("price set, to the Decide page ranked and drawn again", "ms", 100.0),
    "decide": ("drawing the Decide page again", "ms", 50.0),
    "drift": ("drawing the drift map of 40 columns and 1,000 checks again", "ms", 50.0),
    "deploy": ("drawing the whole Deploy page again", "ms", 50.0),
}


@contextmanager
def some_screen() -> Iterator[None]:
    """The screen that DISPLAY names, or else an Xvfb of our own, if there is one."""
    server = shutil.which("Xvfb")
    if os.environ.get("DISPLAY") or server is None:
        yield
        return
    command = [server, "-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert child.stdout is not None
        number = child.stdout.readline().strip()  # told when it takes windows; nothing if it ended
        if number:
            os.environ["DISPLAY"] = f":{number}"
        yield
    finally:
        os.environ.pop("DISPLAY", None)
        child.terminate()
        child.wait()


def has_screen() -> bool:
    """Whether an X server takes a window here."""
    if not os.environ.get("DISPLAY"):
        return False
    check = "from PySide6.QtGui import QGuiApplication as A; A([])"
    env = os.environ | {"QT_QPA_PLATFORM": "xcb"}
    done = subprocess.run(
        [sys.executable, "-c", check], env=env, capture_output=True, check=False, timeout=60
    )
    return done.returncode == 0


def parts(options: Options, platform: str) -> dict[str, Any]:
    """All measurements of one platform, in a process of its own."""
    rows = min(options.rows, ROWS)
    folder = options.folder / platform
    folder.mkdir()
    command = [sys.executable, str(PARTS), str(folder), str(rows)]
    env = os.environ | {
        "QT_QPA_PLATFORM": platform,
        "MODELLAB_HOME": str(folder / "home"),
        "QT_SCALE_FACTOR": "1",
    }
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def told(found: dict[str, Any], where: str) -> Iterator[Figure]:
    """The figures of one platform."""
    speed = f"{found['frames']} frames, 8 lanes at {found['rate']:,.0f} rows/s"
    speed += f", {found['load']:.1f} processes wanted a core"
    for key, (name, unit, most) in WANTED.items():
        note = speed if key.startswith("frame") or key == "block" else ""
        if f"{key}_cpu" in found:
            note = f"{found[f'{key}_cpu']:.1f} ms of it are the window's own work"
        yield Figure(f"Window, {where}: {name}", found[key], unit, most, at_most=True, note=note)
    yield Figure(
        f"Window, {where}: frames per second at 1,000 rows/s", found["fps"], "frames/s", 60.0
    )


def left_out(where: str, why: str) -> Iterator[Figure]:
    """Lines for a platform on which nothing was measured."""
    for name, unit, most in WANTED.values():
        yield missing(f"Window, {where}: {name}", why, unit, most, at_most=True)


def offscreen(options: Options) -> Iterator[Figure]:
    """Window drawn into memory."""
    if options.quick:
        yield from left_out("in memory", "left out of the quick form")
        return
    yield from told(parts(options, "offscreen"), "in memory")


def screen(options: Options) -> Iterator[Figure]:
    """Window on a screen."""
    if options.quick:
        yield from left_out("on a screen", "left out of the quick form")
        return
    with some_screen():
        if has_screen():
            yield from told(parts(options, "xcb"), "on a screen")
        else:
            yield from left_out("on a screen", "no X server")


def timed(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Milliseconds from start to end of a process, and those that it computed for."""
    before, begin = os.times(), time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - begin, os.times()
    used = after.children_user - before.children_user
    used += after.children_system - before.children_system
    return took * 1000, used * 1000


def starts(options: Options) -> Iterator[Figure]:
    """Start-up, warm, from source."""
    rounds = 1 if options.quick else 2 * options.rounds + 1
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env |= {"QT_QPA_PLATFORM": "offscreen", "MODELLAB_HOME": str(options.folder / "home")}
    env["PYTHONPATH"] = str(PARTS.parent)
    python = sys.executable
    bare = [python, "-c", "pass"]
    runs = {
        "import modellab": ([python, "-c", "import modellab"], 50.0),
        "modellab --help": ([python, "-m", "modellab", "--help"], 150.0),
        "First window, warm, from source": (
            [python, "-c", "import window_parts; window_parts.first_window()"],
            1000.0,
        ),
    }
    for name, (command, most) in runs.items():
        if options.quick and "window" in name:
            yield missing(name, "left out of the quick form", "ms", most, at_most=True)
            continue
        timed(command, env)  # warms
        # Python itself and the program in turn: what an import takes is the difference.
        pairs = [(timed(bare, env), timed(command, env)) for _ in range(rounds)]
        own = name == "import modellab"
        took = statistics.median(whole[0] - (none[0] if own else 0.0) for none, whole in pairs)
        used = statistics.median(whole[1] - (none[1] if own else 0.0) for none, whole in pairs)
        python_ms = statistics.median(none[0] for none, _ in pairs)
        note = f"{used:.0f} ms of it computing"
        note += f"; Python itself, {python_ms:.0f} ms, {'taken off' if own else 'included'}"
        yield Figure(name, took, "ms", most, at_most=True, note=note)


def measure(options: Options) -> Iterator[Figure]:
    """Start-up, then the window in memory and on a screen."""
    yield from each(options, starts, offscreen, screen)


if __name__ == "__main__":
    figures.main(measure)
