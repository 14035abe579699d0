"""Rows per second of a whole replay of stored rows, and where its time goes.

A store of numeric columns is made once (columns of different scales, a linear truth that drifts
half-way), then replayed from its deployment point to its end with one and with eight compiled
linear lanes, baselines, metrics, history, drift detector and feature checks as usual; once more
without the nine learning rates that each carries along. Importing, fitting and calibrating are not
counted. Every replay is a process of its own, so that its peak of memory is its own. Run with
``python packaging/dev.py bench engine``, or this file itself:
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
from typing import TYPE_CHECKING

import figures
import numpy as np
from figures import Figure, Options, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 2_000_000
COLUMNS = 10
TRAIN = 1000
TARGETS = {1: 5e6, 8: 1.5e6}
"""Rows per second that are wanted with so many lanes."""
MEMORY_MB = 600.0


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


def experiment(lanes: int, more: str = "", rates: bool = True) -> str:
    """Text of an experiment with so many linear lanes; `rates`: each carries nine more along."""
    text = 'modellab = 1\n[data]\npath = "rows.parquet"\ntarget = "y"\n'
    text += f"[split]\ntrain = {TRAIN}\n{more}"
    for i in range(lanes):
        text += f'[[lane]]\nname = "L{i}"\n[lane.learner]\nkind = "linear"\n'
        text += f"learning_rate = {0.001 * (i + 1)}\n"
        text += "" if rates else "track_rates = false\n"
        text += '[lane.policy]\nkind = "online"\n'
    return text


def replay_once(
    folder: Path, lanes: int, workers: int, parts: Path | None, rates: bool = True
) -> dict[str, float]:
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
    text = experiment(lanes, rates=rates)
    result = run.run_experiment(loads(text), base=folder, workers=workers)
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


def in_process(folder: Path, lanes: int, workers: int, rates: bool = True) -> dict[str, float]:
    """`replay_once` in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(folder), "--lanes", str(lanes)]
    command += ["--workers", str(workers), "--once", *([] if rates else ["--plain"])]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ.copy())
    found: dict[str, float] = json.loads(told.stdout)
    return found


def show_parts(path: Path) -> None:
    """Print the functions in which a replay spent its time."""
    import pstats

    pstats.Stats(str(path)).sort_stats("tottime").print_stats(45)


def measure(options: Options) -> Iterator[Figure]:
    """Whole replays with one and with eight lanes, in turn."""
    make_rows(options.folder, options.rows)
    in_process(options.folder, 1, 1)  # imports the rows into the store
    kinds = [(lanes, rates) for rates in (True, False) for lanes in TARGETS]
    found: dict[tuple[int, bool], list[dict[str, float]]] = {kind: [] for kind in kinds}
    failed: dict[tuple[int, bool], str] = {}
    for _ in range(options.rounds):
        for kind, runs in found.items():
            try:
                runs.append(in_process(options.folder, kind[0], 1, kind[1]))
            except subprocess.CalledProcessError as error:  # the others are told nevertheless
                failed[kind] = f"a replay ended with status {error.returncode}"
    for kind, runs in found.items():
        yield from told(*kind, runs, failed.get(kind))


def told(
    lanes: int, rates: bool, runs: list[dict[str, float]], failed: str | None
) -> Iterator[Figure]:
    """What was measured with so many lanes, or why it was not.

    What is wanted is wanted of lanes as they are by default; without the carried learning rates it
    is told beside it.
    """
    memory = f"Peak of memory of a replay with {lanes} linear lanes"
    most = rates and lanes == max(TARGETS)
    wanted = TARGETS[lanes] if rates else None
    if failed is not None:
        yield missing(name_of(lanes, rates), failed, "rows/s", wanted)
        if most:
            yield missing(memory, failed, "MB", MEMORY_MB, at_most=True)
        return
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    yield Figure(
        name_of(lanes, rates),
        middle["rate"],
        "rows/s",
        wanted,
        note=f"{middle['rows']:,.0f} rows; learning takes "
        f"{middle['learning'] / middle['cpu']:.0%} of the processor's time; start-up of "
        f"{middle['start_up']:.1f} s excluded",
    )
    if most:
        yield Figure(memory, middle["peak_mb"], "MB", MEMORY_MB, at_most=True)


def name_of(lanes: int, rates: bool = True) -> str:
    """What a figure is called."""
    who = "one linear lane" if lanes == 1 else f"{lanes} linear lanes"
    more = "" if rates else ", no other learning rates carried along"
    return f"Whole replay of stored rows, {COLUMNS} columns, {who}{more}"


def by_hand(argv: list[str] | None = None) -> None:
    """Tell one replay, or its parts: for whoever looks for what takes the time."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--rows", type=int, default=ROWS)
    wanted.add_argument("--lanes", type=int, default=1)
    wanted.add_argument("--workers", type=int, default=1)
    wanted.add_argument("--folder", type=Path, help="where the rows are, or shall be")
    wanted.add_argument("--parts", action="store_true", help="profile one replay")
    wanted.add_argument("--plain", action="store_true", help="carry no other learning rates")
    wanted.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    given = wanted.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["MODELLAB_HOME"] = str(folder / "home")
        if not (folder / "rows.parquet").exists():
            make_rows(folder, given.rows)
        if given.once:
            print(
                json.dumps(replay_once(folder, given.lanes, given.workers, None, not given.plain))
            )
            return
        in_process(folder, 1, 1)
        parts = Path(scratch, "parts") if given.parts else None
        found = replay_once(folder, given.lanes, given.workers, parts, not given.plain)
        print(json.dumps(found, indent=1))
        if parts is not None:
            show_parts(parts)


if __name__ == "__main__":
    if {"--once", "--parts", "--lanes", "--folder"}.intersection(sys.argv):
        by_hand()
    else:
        figures.main(measure)
