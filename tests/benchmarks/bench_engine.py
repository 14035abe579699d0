"""Rows per second of a whole replay of stored rows, and where its time goes.

A store of numeric columns is made once (columns of different scales, a linear truth that drifts
half-way), then replayed from its deployment point to its end with one and with eight compiled
linear lanes, baselines, metrics, history, drift detector and feature checks as usual. Importing,
fitting and calibrating are not counted. Every replay is a process of its own, so that its peak of
memory is its own. Run with ``python packaging/dev.py bench engine``, or this file itself:
``bench_engine.py --rows 2000000 --lanes 1 --parts`` tells the parts of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

ROUNDS = 3
ROWS = 2_000_000
COLUMNS = 10
TRAIN = 1000
TARGETS = {1: 5e6, 8: 1.5e6}


def make_rows(folder: Path, rows: int, columns: int = COLUMNS) -> Path:
    """Write the rows as a Parquet file, in pieces; return its path."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(columns)
    scale, shift = rng.uniform(0.1, 50.0, columns), rng.normal(size=columns)
    truths = rng.normal(size=(2, columns))
    path = folder / "rows.parquet"
    writer = None
    for at in range(0, rows, 500_000):
        n = min(500_000, rows - at)
        x = rng.normal(size=(n, columns))
        y = x @ truths[int(at >= rows // 2)] + rng.normal(size=n) > 0
        named = {f"x{j}": x[:, j] * scale[j] + shift[j] for j in range(columns)}
        table = pa.table(named | {"y": np.where(y, "yes", "no")})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return path


def experiment(lanes: int, more: str = "") -> str:
    """Text of an experiment with so many linear lanes."""
    text = 'modellab = 1\n[data]\npath = "rows.parquet"\ntarget = "y"\n'
    text += f"[split]\ntrain = {TRAIN}\n{more}"
    for i in range(lanes):
        text += f'[[lane]]\nname = "L{i}"\n[lane.learner]\nkind = "linear"\n'
        text += f"learning_rate = {0.001 * (i + 1)}\n"
        text += '[lane.policy]\nkind = "online"\n'
    return text


def replay_once(folder: Path, lanes: int, workers: int, parts: Path | None) -> dict[str, float]:
    """Replay the rows of `folder`; seconds, rows per second and the peak of memory."""
    from modellab.experiment_file import loads
    from modellab.replay import run

    read = run._play
    if parts is not None:  # the profile of the replay alone
        import cProfile

        def profiled(*args: object) -> None:
            profile = cProfile.Profile()
            profile.runcall(read, *args)
            profile.dump_stats(parts)

        run._play = profiled  # type: ignore[assignment]
    clock = time.process_time()
    result = run.run_experiment(loads(experiment(lanes)), base=folder, workers=workers)
    clock = time.process_time() - clock
    rows = result.position - result.train_rows
    own = [lane for lane in result.lanes if not lane.baseline]
    return {
        "rows": rows,
        "seconds": result.seconds,
        "rate": rows / result.seconds,
        "start_up": result.train_seconds,
        "cpu": clock,
        "learning": sum(sum(lane.cpu_seconds.values()) for lane in own),
        "peak_mb": run.peak_memory_mb(),
    }


def in_process(folder: Path, lanes: int, workers: int) -> dict[str, float]:
    """`replay_once` in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(folder), "--lanes", str(lanes)]
    command += ["--workers", str(workers), "--once"]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ.copy())
    found: dict[str, float] = json.loads(told.stdout)
    return found


def show_parts(path: Path) -> None:
    """Print the functions in which a replay spent its time."""
    import pstats

    pstats.Stats(str(path)).sort_stats("tottime").print_stats(45)


def main(argv: list[str] | None = None) -> None:
    """Print the table, or the parts of one replay."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--rows", type=int, default=ROWS)
    wanted.add_argument("--rounds", type=int, default=ROUNDS)
    wanted.add_argument("--lanes", type=int, default=0, help="of one replay; 0: one, then eight")
    wanted.add_argument("--workers", type=int, default=1)
    wanted.add_argument("--folder", type=Path, help="where the rows are, or shall be")
    wanted.add_argument("--parts", action="store_true", help="profile one replay")
    wanted.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    given = wanted.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["MODELLAB_HOME"] = str(folder / "home")
        if not (folder / "rows.parquet").exists():
            make_rows(folder, given.rows)
        if given.once:
            print(json.dumps(replay_once(folder, given.lanes, given.workers, None)))
            return
        in_process(folder, 1, 1)  # imports the rows into the store
        if given.parts:
            parts = Path(scratch, "parts")
            print(replay_once(folder, given.lanes or 1, given.workers, parts))
            show_parts(parts)
            return
        print("lanes        rows      rows/s      wanted   learning   peak MB   start-up s")
        for lanes in [given.lanes] if given.lanes else list(TARGETS):
            found = [in_process(folder, lanes, given.workers) for _ in range(given.rounds)]
            middle = {k: statistics.median(f[k] for f in found) for k in found[0]}
            print(
                f"{lanes:5d} {middle['rows']:11,.0f} {middle['rate']:11,.0f} "
                f"{TARGETS.get(lanes, 0.0):11,.0f} {middle['learning'] / middle['cpu']:10.0%} "
                f"{middle['peak_mb']:9.0f} {middle['start_up']:12.1f}"
            )


if __name__ == "__main__":
    main()
