"""How long a frame of the Deploy page takes: 8 lanes, 3 plots of 4,096 buckets, a drift map of
40 columns, 2 faults, 25 retrains and as many alarms as are given (25); target 16 ms.

Offscreen raster painting in the plots' usual size at 1600 x 1000. Every frame moves the head, so
that all curves are reduced and drawn anew. CPU time of the window's thread is printed beside wall
time: the difference is what others took of the machine.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from modellab.gui.plots.drift_map import DriftMap
from modellab.gui.plots.live import LivePlot
from modellab.gui.plots.parts import LiveLine, Mark, Shade
from modellab.gui.plots.row_axis import RowAxis
from modellab.gui.plots.view_range import ViewRange
from modellab.gui.session_deployment import FeatureDriftView
from modellab.gui.theme import apply_theme, theme
from modellab.replay.protocol import FeatureDriftNews, pack

LANES, BUCKETS, WIDTH = 8, 4096, 64
FRAMES = 120
COLUMNS = 40
START = 20_000


def lines(seed: int, roughness: float) -> list[LiveLine]:
    rng = np.random.default_rng(seed)
    x = START + np.arange(BUCKETS) * float(WIDTH)
    made = []
    for number in range(LANES):
        noise = np.convolve(rng.normal(size=BUCKETS), np.ones(15) / 15, "same") * roughness
        colour, dash = theme().lane_style(number)
        y = 0.2 + 0.02 * number + noise
        made.append(LiveLine(str(number), f"Lane {number}", x, y, colour, dash, number == 0))
    return made


def drift() -> FeatureDriftView:
    at = np.arange(START, START + BUCKETS * WIDTH, 2000)
    score = np.random.default_rng(5).gamma(2.0, 0.3, (len(at), COLUMNS))
    names = [f"column {i}" for i in range(COLUMNS)]
    view = FeatureDriftView()
    view.apply(
        FeatureDriftNews(
            columns=names,
            tests=["chi-square"] * COLUMNS,
            threshold=[0.1] * COLUMNS,
            from_index=0,
            positions=pack(at),
            score=pack(score),
            psi=pack(score),
        )
    )
    return view


def main(alarms: int = 25) -> int:
    app = QApplication.instance() or QApplication([])
    apply_theme("light")
    view = ViewRange()
    view.room = 0.012
    holder = QWidget()
    column = QVBoxLayout(holder)
    plots = []
    rows = np.linspace(START, START + BUCKETS * WIDTH, alarms).astype(int).tolist()
    marks = [Mark(START + 9000 * k, "retrain", "1", theme().lanes[1]) for k in range(25)]
    marks += [Mark(at, "drift", str(at % 8), theme().lanes[at % 4], strong=False) for at in rows]
    marks.sort(key=lambda mark: mark.position)
    shades = [
        Shade(START + 40_000, START + 80_000, "20 % of labels wrong"),
        Shade(START + 120_000, START + 150_000, "outage", "outage"),
    ]
    for number, share in enumerate((33, 22, 17)):
        plot = LivePlot("Plot", "A plot.", view, date_of=lambda _row: "3 Jul 1997")
        plot.set_lines(lines(number, (0.04, 0.02, 0.002)[number]))
        plot.marks, plot.shades = marks, shades
        column.addWidget(plot, share)
        plots.append(plot)
    heat = DriftMap("Drift", "A map.", view, date_of=lambda _row: "3 Jul 1997")
    heat.show_drift(drift())
    heat.shades = shades
    column.addWidget(heat, 17)
    column.addWidget(RowAxis(view, lambda _row, _span: "Mar 1997"))
    holder.resize(846, 730)
    head = START + BUCKETS * WIDTH
    view.set_stream(START, head, 2 * head)
    holder.show()
    app.processEvents()
    wall, used = [], []
    for frame in range(FRAMES):
        view.set_stream(START, head - (FRAMES - frame) * WIDTH, 2 * head)
        begin, thread = time.perf_counter(), time.thread_time()
        for plot in (*plots, heat):
            plot.refresh()
        app.processEvents()
        wall.append((time.perf_counter() - begin) * 1000)
        used.append((time.thread_time() - thread) * 1000)
    points = sum(len(i.xData) for p in plots for c in p._curves.values() for i in c.items)
    print(f"frames {FRAMES}, lanes {LANES}, plots {len(plots)}, buckets {BUCKETS}, points {points}")
    for name, values in (("wall", wall), ("cpu", used)):
        worst = sorted(values)[int(0.95 * len(values))]
        print(f"{name:5} median {statistics.median(values):5.1f} ms   95 % {worst:5.1f} ms")
    holder.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(text) for text in sys.argv[1:2])))
