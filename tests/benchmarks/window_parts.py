"""What bench_window.py measures, run in a process of its own: ``window_parts.py FOLDER ROWS``.

It prints one line of JSON. With ``--profile FILE`` the window's thread is profiled while the
replay runs at full speed.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

LANES, COLUMNS, TRAIN = 8, 10, 2000
SIZE = (1600, 1000)
BEAT_MS = 2
SLOW_ROWS = 1000.0
SECONDS = 5.0
CHANGES = 120


def first_window() -> None:
    """Open the window and leave as soon as it was painted."""
    from PySide6.QtCore import QEvent, QObject

    from modellab.gui.app import make_application, open_window

    app = make_application()

    class Painted(QObject):
        """Ends the process at the first paint."""

        def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint:
                os._exit(0)
            return False

    window = open_window(app)
    watch = Painted()
    window.installEventFilter(watch)
    app.exec()


def make_rows(path: Path, rows: int) -> None:
    """Write numeric columns whose truth turns half-way, in pieces."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(4)
    truths = rng.normal(size=(2, COLUMNS))
    writer = None
    for at in range(0, rows, 250_000):
        n = min(250_000, rows - at)
        x = rng.normal(size=(n, COLUMNS))
        y = x @ truths[int(at >= rows // 2)] + rng.normal(size=n) > 0
        named = {f"x{j}": x[:, j] for j in range(COLUMNS)}
        table = pa.table(named | {"y": np.where(y, "yes", "no")})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def experiment(path: Path) -> Any:
    """Eight linear lanes at eight learning rates."""
    from modellab.experiment import (
        DataSpec,
        Experiment,
        LaneSpec,
        LearnerSpec,
        OnlinePolicy,
        SplitSpec,
    )

    lanes = [
        LaneSpec(
            f"Lane {i + 1}",
            OnlinePolicy(),
            LearnerSpec("linear", None, {"learning_rate": 0.001 * 2**i}),
        )
        for i in range(LANES)
    ]
    data = DataSpec(path=str(path), target="y")
    return Experiment(data=data, split=SplitSpec(train=TRAIN), lane=lanes)


class Bench:
    """The window with a deployed replay."""

    def __init__(self, folder: Path, rows: int) -> None:
        from PySide6.QtCore import QTimer

        from modellab.experiment_file import save
        from modellab.gui.app import make_application
        from modellab.gui.session import Session
        from modellab.gui.window import MainWindow

        self.app = make_application()
        self.session = Session()
        self.window = MainWindow(self.session)
        self.window.resize(*SIZE)
        self.window.show()
        make_rows(folder / "rows.parquet", rows)
        save(experiment(folder / "rows.parquet"), folder / "bench.toml")
        self.wait(lambda: self.session.engine_state == "ready", 30)
        self.session.open_experiment(folder / "bench.toml")
        self.wait(lambda: self.session.data and self.session.why_no_deploy is None, 600)
        self.session.deploy()
        self.wait(lambda: self.session.deployment is not None, 600)
        self.window.show_page("deploy")
        self.page: Any = self.window.page("deploy")
        self.frames: list[float] = []
        self.costs: list[float] = []
        self.beats: list[float] = []
        self.beat = QTimer()
        self.beat.setInterval(BEAT_MS)
        self.beat.timeout.connect(lambda: self.beats.append(time.perf_counter()))
        self._watch_frames()

    def _watch_frames(self) -> None:
        """Note when the plots were drawn: the end of the error plot's painting."""
        plot = self.page.plots.error_plot
        painted = type(plot).paintEvent

        def paint(event: Any) -> None:
            painted(plot, event)
            self.frames.append(time.perf_counter())
            self.costs.append(self.page.plots.frame_ms)

        plot.paintEvent = paint

    def wait(self, ready: Callable[[], object], seconds: float) -> None:
        """Let the window live until `ready`.

        Raises
        ------
        TimeoutError
            It did not become so in time.
        """
        from PySide6.QtCore import QEventLoop

        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                raise TimeoutError("the window did not get there in time")
            self.app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.001)

    def run_for(self, seconds: float, mode: str, rate: float) -> float:
        """Play for a while or to the end with the event loop as it is; returns rows a second."""
        from PySide6.QtCore import QTimer

        live = self.session.deployment
        assert live is not None
        self.session.set_speed(mode, rate)  # type: ignore[arg-type]
        self.session.play()
        self.wait(lambda: live.playing, 20)
        # What comes in the first moments belongs to the start.
        self.wait(lambda: live.position > live.train_rows + 3000 or rate <= SLOW_ROWS, 20)
        self.frames.clear()
        self.costs.clear()
        self.beats.clear()
        begin, row = time.perf_counter(), live.position
        self.beat.start()
        over = QTimer()
        over.setInterval(10)
        over.timeout.connect(
            lambda: (
                self.app.exit()
                if not live.playing or time.perf_counter() - begin > seconds
                else None
            )
        )
        over.start()
        self.app.exec()
        over.stop()
        self.beat.stop()
        spent = time.perf_counter() - begin
        rows = live.position - row
        self.session.pause()
        self.wait(lambda: not live.playing, 20)
        return rows / spent

    def back(self) -> None:
        """Go back to the deployment point."""
        live = self.session.deployment
        assert live is not None
        self.session.restart()
        self.wait(lambda: live.position == live.train_rows, 60)
        self.wait(lambda: not self.session.jobs, 60)


def full_speed(bench: Bench, found: dict[str, Any]) -> None:
    """Frames while the engine replays as fast as it can."""
    worked = time.thread_time()
    found["rate"] = bench.run_for(2 * SECONDS, "max", 1.0)
    worked = (time.thread_time() - worked) * 1000
    gaps = np.diff(bench.frames) * 1000
    beats = np.diff(bench.beats) * 1000
    found["frames"] = len(bench.frames)
    found["frame_median"] = float(np.median(gaps)) if len(gaps) else None
    found["frame_p99"] = float(np.quantile(gaps, 0.99)) if len(gaps) else None
    found["block"] = float(beats.max()) - BEAT_MS if len(beats) else None
    found["frame_work"] = worked / max(1, len(bench.frames))
    found["load"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    found["frame_cost"] = float(np.median(bench.costs)) if bench.costs else None


def slow(bench: Bench, found: dict[str, Any]) -> None:
    """Frames at 1,000 rows a second."""
    bench.run_for(SECONDS, "rows", SLOW_ROWS)
    gaps = np.diff(bench.frames)
    found["fps"] = float(1 / gaps.mean()) if len(gaps) else 0.0


def slider(bench: Bench, found: dict[str, Any]) -> None:
    """From a learning rate that is set to the position at which the engine says it holds."""
    from modellab.replay.protocol import Ack

    session, live = bench.session, bench.session.deployment
    assert live is not None
    took: list[float] = []
    taken = session._intervened
    sent = 0.0

    def intervened(lane: str, ack: Ack) -> None:
        took.append((time.perf_counter() - sent) * 1000)
        taken(lane, ack)

    session._intervened = intervened  # type: ignore[method-assign]
    session.set_speed("max", 1.0)
    session.play()
    bench.wait(lambda: live.playing, 20)
    for number in range(CHANGES):
        if not live.playing:
            bench.back()
            session.play()
            bench.wait(lambda: live.playing, 20)
        sent = time.perf_counter()
        session.intervene("Lane 1", learning_rate=0.001 + 0.0001 * (number % 50))
        want = number + 1
        bench.wait(lambda want=want: len(took) >= want, 20)  # type: ignore[misc]
    session._intervened = taken  # type: ignore[method-assign]
    session.pause()
    bench.wait(lambda: not live.playing, 20)
    found["slider_median"] = float(np.median(took))
    found["slider_p99"] = float(np.quantile(took, 0.99))


def long_history(bench: Bench) -> None:
    """Make the deployment one of ten million rows: as many buckets as the engine would tell."""
    from modellab.replay.protocol import CurveDelta, pack

    live = bench.session.deployment
    assert live is not None
    live.n_rows = live.stop = live.position = 10_000_000
    width = 2442
    start = np.arange(live.train_rows, live.stop, width)
    rng = np.random.default_rng(7)
    for lane in live.lanes.values():
        mean = 0.2 + rng.normal(0, 0.03, len(start))
        lane.curves["error"].apply(CurveDelta(width, 0, pack(start), pack(mean)))


def zoom(bench: Bench, found: dict[str, Any]) -> None:
    """The wheel over the error plot of ten million rows, to the plots drawn again."""
    long_history(bench)
    page = bench.page
    page.show_all()
    view = page.plots.view
    steps = iter(range(1000))

    def turn() -> None:
        step = next(steps)
        view.zoom(0.8 if step % 20 < 10 else 1.25, 4_000_000.0 + 100_000.0 * (step % 7))
        page.plots.draw_now()
        bench.app.processEvents()  # paints what is to be painted, once

    note(found, "zoom", turn, 40, worst=True)


def note(
    found: dict[str, Any],
    key: str,
    act: Callable[[], object],
    times: int = 9,
    *,
    worst: bool = False,
) -> None:
    """Keep median (or greatest) milliseconds of something, and what this thread worked for it."""
    act()
    took, worked = [], []
    for _ in range(times):
        begin, cpu = time.perf_counter(), time.thread_time()
        act()
        worked.append((time.thread_time() - cpu) * 1000)
        took.append((time.perf_counter() - begin) * 1000)
    found[key] = float(max(took) if worst else np.median(took))
    found[f"{key}_cpu"] = float(max(worked) if worst else np.median(worked))


def deploy_page(bench: Bench, found: dict[str, Any]) -> None:
    """The whole page: every number, every card, all plots."""

    def draw() -> None:
        bench.page.show_all()
        bench.window.update()
        bench.app.processEvents()

    note(found, "deploy", draw)


def decide_page(bench: Bench, found: dict[str, Any]) -> None:
    """Prices moved on the Decide page."""
    session, window = bench.session, bench.window
    state = session.verdict_state
    window.show_page("decide")
    bench.wait(lambda: state.verdict is not None and not state.asking, 240)
    page: Any = window.page("decide")

    def draw() -> None:
        page._refresh()
        page.update()
        bench.app.processEvents()

    note(found, "decide", draw)
    took = []
    for number in range(12):
        before = state.verdict
        begin = time.perf_counter()
        state.set_prices(error=2.0 + number % 3)
        bench.wait(lambda before=before: state.verdict is not before, 20)  # type: ignore[misc]
        bench.app.processEvents()
        took.append((time.perf_counter() - begin) * 1000)
    found["reprice"] = float(np.median(took))


def drift_map(bench: Bench, found: dict[str, Any]) -> None:
    """Forty columns, a thousand checks."""
    from modellab.gui.plots.drift_map import DriftMap
    from modellab.gui.plots.view_range import ViewRange
    from modellab.gui.session_deployment import FeatureDriftView
    from modellab.replay.protocol import FeatureDriftNews, pack

    at = np.arange(2000, 2_002_000, 2000)
    score = np.random.default_rng(1).gamma(2.0, 0.3, (len(at), 40))
    seen = FeatureDriftView()
    seen.apply(
        FeatureDriftNews(
            columns=[f"column {i}" for i in range(40)],
            tests=["chi-square"] * 40,
            threshold=[0.1] * 40,
            from_index=0,
            positions=pack(at),
            score=pack(score),
            psi=pack(score),
        )
    )
    view = ViewRange()
    heat = DriftMap("Drift", "A map.", view, date_of=lambda _row: "")
    heat.resize(846, 160)
    view.set_stream(0, 2_002_000, 2_002_000)
    heat.show_drift(seen)
    heat.show()
    bench.app.processEvents()

    def draw() -> None:
        view.set_stream(0, view.head - 2000, 2_002_000)
        heat.refresh()
        bench.app.processEvents()

    note(found, "drift", draw, 20)
    heat.close()


def main(folder: Path, rows: int, profile: Path | None) -> None:
    """Measure everything and print it."""
    import logging

    logging.disable(logging.CRITICAL)
    found: dict[str, Any] = {}
    bench = Bench(folder, rows)
    if profile is not None:
        import cProfile

        kept = cProfile.Profile()
        kept.runcall(full_speed, bench, found)
        kept.dump_stats(profile)
    else:
        full_speed(bench, found)
        decide_page(bench, found)
        bench.window.show_page("deploy")
        bench.back()
        slow(bench, found)
        slider(bench, found)
        zoom(bench, found)
        deploy_page(bench, found)
        drift_map(bench, found)
    bench.session.close(keep=False)
    bench.window.close()
    print(json.dumps(found))


if __name__ == "__main__":
    given = sys.argv[1:]
    wanted = Path(given[given.index("--profile") + 1]) if "--profile" in given else None
    try:
        main(Path(given[0]), int(given[1]), wanted)
    except Exception:  # noqa: BLE001 - the window's own hook would show it to nobody
        traceback.print_exc()
        sys.exit(1)
