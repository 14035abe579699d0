"""The table of figures that Model Lab is held to, measured side by side in one run.

Each benchmark gives its figures through ``measure(options) -> Iterable[Figure]``; figures.py says
what that means, word for word, and gives it a command line: read it before writing one.

Every figure is a ratio against a peer that works on the same rows with the same settings, the two
in turn, or rows per second of a whole replay. Written to RESULTS.md and RESULTS.json beside this
file. Peers that are not installed are left out, and the table says so: river; Vowpal Wabbit (its
Python package); MOA, when MODELLAB_MOA names a moa.jar and there is Java. Run with
``python packaging/dev.py bench``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import bench_linear
import bench_trees

from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.rate_map import RateMap

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parent
VERSIONS = ("numpy", "river", "scikit-learn", "vowpalwabbit", "pyarrow", "pandas", "Cython")
TREES = {
    "Hoeffding tree": (200.0, 30.0),
    "Adaptive random forest, 10 trees": (50.0, 15.0),
}
Row = dict[str, Any]


def row(figure: str, value: float, target: float | None, unit: str, **more: Any) -> Row:
    """One line of the table; a target is a least value, except for the map of rates."""
    return {"figure": figure, "value": value, "unit": unit, "target": target, **more}


def in_turn(
    one: Callable[[], float], other: Callable[[], float], rounds: int
) -> tuple[float, float, float]:
    """Medians of both, and the median of the ratios one / other."""
    pairs = [(one(), other()) for _ in range(rounds)]
    median = statistics.median
    return (
        median(a for a, _ in pairs),
        median(b for _, b in pairs),
        median(a / b for a, b in pairs),
    )


def linear_rows(rounds: int) -> list[Row]:
    """The linear model with online scaling against river's pipeline."""
    x, y = bench_linear.stream(200_000, 10)
    few = bench_linear.RIVER_ROWS[10]
    own, river, ratio = in_turn(
        lambda: bench_linear.rate(bench_linear.own_scores, x, y),
        lambda: bench_linear.rate(bench_linear.river_scores, x[:few], y[:few]),
        rounds,
    )
    ours, theirs = (
        100.0 * float(((run(x[:few], y[:few])[1] > 0.5) == y[:few]).mean())
        for run in (bench_linear.own_scores, bench_linear.river_scores)
    )
    return [
        row(
            "Linear, online scaling, 10 columns, against river",
            ratio,
            250.0,
            "x",
            own=own,
            peer=river,
            own_right=ours,
            peer_right=theirs,
        )
    ]


def rate_rows(rounds: int) -> list[Row]:
    """64 learning rates in one pass against one."""
    found = []
    for scale, target in (("online", 20.0), ("none", 20.0)):
        x, y = bench_linear.stream(20_000, 10)
        upto = np.arange(1, len(y) + 1)

        def many(x: Any = x, y: Any = y, scale: str = scale) -> float:
            rates = RateMap(10, 1, np.geomspace(1e-4, 1.0, 64), scale=scale)
            start = time.thread_time()
            rates.run(x, y)
            return time.thread_time() - start

        def one(x: Any = x, y: Any = y, scale: str = scale, upto: Any = upto) -> float:
            kernel = LinearKernel(10, scale=scale)
            start = time.thread_time()
            kernel.run(x, x, y, upto)
            return time.thread_time() - start

        all_of_them, single, ratio = in_turn(many, one, 2 * rounds + 1)
        found.append(
            row(
                f"64 learning rates against one, 10 columns, scaling {scale} (at most)",
                ratio,
                target,
                "x the time",
                own=len(y) / all_of_them,
                peer=len(y) / single,
                at_most=True,
            )
        )
    return found


def tree_rows(rounds: int, jar: str | None) -> list[Row]:
    """Trees and forests against river, and against MOA where it is."""
    found = []
    for pair in bench_trees.pairs():
        if pair.name not in TREES:
            continue
        x, y = bench_trees.stream(pair.task, pair.rows, 10)
        few = pair.few
        own, river, ratio = in_turn(
            lambda p=pair, x=x, y=y: len(y) / bench_trees.of_ours(p, x, y)[0],
            lambda p=pair, x=x, y=y, n=few: n / bench_trees.of_river(p.theirs(), x[:n], y[:n])[0],
            rounds,
        )
        right = [
            bench_trees.score(pair.task, y[:few], answers)
            for answers in (
                bench_trees.of_ours(pair, x[:few], y[:few])[1],
                bench_trees.of_river(pair.theirs(), x[:few], y[:few])[1],
            )
        ]
        more = {"own_right": right[0], "peer_right": right[1]}
        name, (least, of_moa) = f"{pair.name}, 10 columns, against", TREES[pair.name]
        found.append(row(f"{name} river", ratio, least, "x", own=own, peer=river, **more))
        if jar and pair.moa:
            n = 100_000 if "Forest" not in pair.moa else 20_000
            x, y = bench_trees.stream(pair.task, n, 10)
            rate, right_moa = bench_trees.of_moa(jar, pair.moa, x, y)
            seconds, answers = bench_trees.of_ours(pair, x, y)
            more = {"own_right": bench_trees.score(pair.task, y, answers), "peer_right": right_moa}
            mine = n / seconds
            found.append(
                row(
                    f"{name} MOA's own clock", mine / rate, of_moa, "x", own=mine, peer=rate, **more
                )
            )
    return found


def run_rows(rows: int, rounds: int) -> list[Row]:
    """A whole `modellab run` over stored rows: replay, metrics and history, start-up excluded."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from modellab.experiment_file import loads
    from modellab.replay.run import run_experiment

    with tempfile.TemporaryDirectory() as folder:
        os.environ["MODELLAB_HOME"] = folder
        x, y = bench_linear.stream(rows, 10)
        columns = {f"x{j}": x[:, j] for j in range(10)} | {"y": np.where(y > 0, "yes", "no")}
        pq.write_table(pa.table(columns), Path(folder, "rows.parquet"))
        rates: dict[int, list[float]] = {1: [], 8: []}
        for turn in range(rounds + 1):
            for lanes, found in rates.items():
                text = 'modellab = 1\n[data]\npath = "rows.parquet"\ntarget = "y"\n'
                text += "[split]\ntrain = 1000\n"
                for i in range(lanes):
                    text += f'[[lane]]\nname = "L{i}"\n[lane.learner]\nkind = "linear"\n'
                    text += f"learning_rate = {0.001 * (i + 1)}\n"
                    text += '[lane.policy]\nkind = "online"\n'
                result = run_experiment(loads(text), base=Path(folder))
                if turn:  # the first one imports the rows into the store
                    found.append((rows - 1000) / result.seconds)
    targets = {1: 5e6, 8: 1.5e6}
    return [
        row(
            f"Whole replay of {rows:,} stored rows, 10 columns, {lanes} linear lane(s)",
            statistics.median(found),
            targets[lanes],
            "rows/s",
        )
        for lanes, found in rates.items()
    ]


def machine() -> dict[str, Any]:
    """What this ran on: the processor, not whose it is."""
    name = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    versions = {}
    for package in VERSIONS:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": versions,
    }


def as_markdown(about: dict[str, Any], found: list[Row], left_out: list[str]) -> str:
    """The table for a reader."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        "Made by `python3 packaging/dev.py bench`; medians of interleaved rounds, one run.",
        "",
        f"{about['processor']}, {about['cores']} cores, {about['system']}, Python "
        f"{about['python']}, load at the end {about['load']}. {versions}.",
        "",
        "| figure | measured | wanted | reached | rows/s, own / peer | right %, own / peer |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in found:
        reached = r["value"] <= r["target"] if r.get("at_most") else r["value"] >= r["target"]
        speeds = f"{r['own']:,.0f} / {r['peer']:,.0f}" if "own" in r else ""
        right = f"{r['own_right']:.2f} / {r['peer_right']:.2f}" if "own_right" in r else ""
        value = f"{r['value']:,.0f}" if r["value"] >= 100 else f"{r['value']:.1f}"
        lines.append(
            f"| {r['figure']} | {value} {r['unit']} | {r['target']:,.0f} | "
            f"{'yes' if reached else 'no'} | {speeds} | {right} |"
        )
    if left_out:
        lines += ["", *(f"Left out: {text}" for text in left_out)]
    return "\n".join([*lines, ""])


def main(argv: list[str] | None = None) -> None:
    """Measure, write, and print."""
    wanted = argparse.ArgumentParser(description="The table of figures, measured.")
    wanted.add_argument("--rows", type=int, default=1_000_000, help="rows of the whole replay")
    wanted.add_argument("--rounds", type=int, default=3)
    wanted.add_argument("--out", type=Path, default=FOLDER, help="folder of the results")
    given = wanted.parse_args(argv)
    jar = os.environ.get("MODELLAB_MOA")
    jar = jar if jar and shutil.which("java") else None
    left_out = [
        "the linear model against Vowpal Wabbit from its cache file: not measured by this script."
    ]
    if not jar:
        left_out.append("MOA: MODELLAB_MOA does not name a moa.jar, or there is no Java.")
    found = [*linear_rows(given.rounds), *rate_rows(given.rounds)]
    found += tree_rows(given.rounds, jar)
    found += run_rows(given.rows, given.rounds)
    about = machine()
    text = as_markdown(about, found, left_out)
    whole = {"machine": about, "figures": found, "left_out": left_out}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "RESULTS.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (given.out / "RESULTS.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
