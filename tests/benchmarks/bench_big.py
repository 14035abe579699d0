"""Data larger than memory: how soon its rows are seen, how fast it is read, and how much it takes.

A made CSV and the same rows as Parquet (big_data.py; ``--rows 10000000`` is about 1 GB of CSV,
``--rows 104000000`` 10 GB) are looked at, imported beside what the reading library alone needs for
the same file in the same run, profiled, trained on in chunks and replayed by one linear lane beside
the usual baselines. Every step is a process of its own, so that its peak of memory is its own: all
of it (RSS, with pages of files that the system may take back at any time) and what is the process's
alone (anonymous pages).

``MODELLAB_BIG_STEM`` names files that are there already (``/data/big`` for ``/data/big.csv`` and
``/data/big.parquet``). Their first tenth is then measured as well, so that it can be said whether
memory grows with the data. ``MODELLAB_BIG_REPLAY`` is how many rows are replayed at most (20
million, so that 10 GB are done within a quarter of an hour; 0: all). ``MODELLAB_BIG_LIMIT`` limits
the address space of each step, in MB (Linux).
Run with ``python packaging/dev.py bench big``, or this file itself.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

import figures
from figures import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from figures import Options

ROW_BYTES = 95.6
REPLAYED = 20_000_000
FLAT = 1.25
"""Peak memory of ten times the data may be so many times as much, and still be called the same."""
EXPERIMENT = """
modellab = 1
[data]
path = "{path}"
target = "late"
time = "time"
ignore = ["unit", "load"]
[split]
train = {train}
[replay]
limit = {limit}
[[lane]]
name = "{policy}"
[lane.learner]
kind = "linear"
[lane.policy]
kind = "{policy}"
"""


class Peak:
    """Most memory of this process between two points of time, in MB."""

    def __init__(self) -> None:
        self.anonymous = self.resident = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _look(self) -> None:
        try:
            lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        except OSError:
            return
        found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
        anonymous = int(found.get("RssAnon", 0)) / 1024
        self.anonymous = max(self.anonymous, anonymous)
        self.resident = max(self.resident, anonymous + int(found.get("RssFile", 0)) / 1024)

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self._look()

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()


def read_csv(path: Path, home: Path) -> int:
    """The reading library alone: a pyarrow data set of one CSV file."""
    import pyarrow.dataset as ds

    return sum(len(batch) for batch in ds.dataset(path, format="csv").to_batches())


def read_parquet(path: Path, home: Path) -> int:
    """The reading library alone: batches of a Parquet file."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        return sum(len(batch) for batch in file.iter_batches(65_536))


def first_rows(path: Path, home: Path) -> int:
    """The first rows, as the window asks for them."""
    from modellab.data.preview import preview

    return len(preview(path).rows)


def imported(path: Path, home: Path) -> int:
    """Into the store."""
    from modellab.data.importer import import_dataset

    with import_dataset(path, cache=home / "cache") as store:
        return store.n_rows


def profiled(path: Path, home: Path) -> int:
    """All columns of the store."""
    from modellab.data.importer import import_dataset
    from modellab.data.profile import profile

    with import_dataset(path, cache=home / "cache") as store:
        profile(store, train_rows=store.n_rows // 2, target="late")
        return store.n_rows


def _run(path: Path, home: Path, policy: str, share: float) -> int:
    from modellab.data.importer import import_dataset
    from modellab.experiment_file import loads
    from modellab.replay.run import run_experiment

    with import_dataset(path, cache=home / "cache") as store:
        rows = store.n_rows
    train = int(rows * share)
    limit = int(os.environ.get("MODELLAB_BIG_REPLAY", REPLAYED))
    text = EXPERIMENT.format(path=path.as_posix(), train=train, policy=policy, limit=limit)
    if policy == "out_of_core":
        text += 'chunk_rows = 100000\nthen = "static"\n'
    result = run_experiment(loads(text), base=path.parent)
    return train if policy == "out_of_core" else result.position - result.train_rows


def trained(path: Path, home: Path) -> int:
    """On nine tenths of the rows, in chunks; the rest is replayed by the model as it is."""
    return _run(path, home, "out_of_core", 0.9)


def replayed(path: Path, home: Path) -> int:
    """Rows from the first thousandth on, by one linear lane that learns."""
    return _run(path, home, "online", 0.001)


STEPS: dict[str, Callable[[Path, Path], int]] = {
    step.__name__: step
    for step in (read_csv, read_parquet, first_rows, imported, profiled, trained, replayed)
}


def once(name: str, path: Path, home: Path) -> dict[str, Any]:
    """One step in this process: seconds, rows and peaks of memory."""

    import modellab.data.importer
    import modellab.data.preview  # noqa: F401

    os.environ["MODELLAB_HOME"] = str(home)
    clock, start = time.process_time(), time.perf_counter()
    with Peak() as peak:
        rows = STEPS[name](path, home)
        seconds = time.perf_counter() - start
    return {
        "rows": rows,
        "seconds": seconds,
        "cpu": time.process_time() - clock,
        "peak": peak.resident,
        "anonymous": peak.anonymous,
    }


def step(name: str, path: Path, home: Path) -> dict[str, Any]:
    """`once` in a process of its own, its address space limited if that is asked for."""
    command = [sys.executable, __file__, "--step", name, str(path), str(home)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ.copy())
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def _memory(name: str, found: dict[str, Any]) -> Iterator[Figure]:
    note = f"{found['anonymous']:,.0f} MB of it the process's alone" if found["peak"] else ""
    yield Figure(f"{name}: peak memory", found["peak"] or None, "MB", 2048, True, note=note)


def measure(options: Options) -> Iterator[Figure]:
    """Look at, import, profile, train on and replay one large file in both formats."""
    # Not in the steps' processes: it loads Arrow, whose memory is the lab's to choose.
    import big_data

    stem = os.environ.get("MODELLAB_BIG_STEM")
    if stem:
        paths = [Path(f"{stem}.csv"), Path(f"{stem}.parquet")]
    else:
        csv, parquet, _ = big_data.write(options.folder, int(options.rows * ROW_BYTES))
        paths = [csv, parquet]
    for path in paths:
        peaks: dict[str, float] = {}
        yield from _of_file(path, options, peaks)
        if not stem:
            continue
        small: dict[str, float] = {}
        tenth = big_data.first_tenth(path, options.folder)
        yield from _of_file(tenth, options, small)
        tenth.unlink()
        for what in peaks:
            yield Figure(
                f"{_named(path)} against its first tenth: {what}: peak memory",
                peaks[what] / max(small[what], 1.0),
                "x",
                FLAT,
                at_most=True,
                own=peaks[what],
                peer=small[what],
                sides="MB",
            )


def _named(path: Path) -> str:
    size = path.stat().st_size / 1e9
    return f"{'CSV' if path.suffix == '.csv' else 'Parquet'} of {size:.2g} GB"


def _of_file(path: Path, options: Options, peaks: dict[str, float]) -> Iterator[Figure]:
    """All steps with one file; `peaks` gets the peak memory of each, in MB."""
    name = _named(path)
    reader = "read_csv" if path.suffix == ".csv" else "read_parquet"
    homes = [options.folder / f"{path.stem}{path.suffix}-{k}" for k in range(options.rounds)]
    seen = [step("first_rows", path, homes[0]) for _ in range(options.rounds)]
    seconds = statistics.median(found["seconds"] for found in seen)
    clock = statistics.median(found["cpu"] for found in seen)
    note = f"{clock:.2f} s of the processor"
    yield Figure(f"{name}: first rows", seconds, "s", 1.0, at_most=True, note=note)
    pairs = []
    for home in homes:
        pairs.append((step("imported", path, home), step(reader, path, home)))
        if home != homes[0]:
            _remove(home)
    own = statistics.median(a["rows"] / a["seconds"] for a, _ in pairs)
    peer = statistics.median(b["rows"] / b["seconds"] for _, b in pairs)
    ratio = statistics.median(b["seconds"] / a["seconds"] for a, b in pairs)
    spent = statistics.median(b["cpu"] / a["cpu"] for a, b in pairs)
    yield Figure(
        f"{name}: import against the reading library alone",
        ratio,
        "x",
        0.7,
        own=own,
        peer=peer,
        note=f"{spent:.2f} x by time of the processor",
    )
    yield from _memory(f"{name}: import", pairs[-1][0])
    peaks["import"] = pairs[-1][0]["peak"]
    # What is in the store is the same for both formats.
    steps = STORE_STEPS if path.suffix == ".csv" else {}
    for kind, what in steps.items():
        found = step(kind, path, homes[0])
        rate = found["rows"] / found["seconds"]
        note = f"{found['rows']:,} rows"
        yield Figure(f"{name}: {what}", rate, "rows/s", note=note)
        yield from _memory(f"{name}: {what}", found)
        peaks[what] = found["peak"]
    _remove(homes[0])


STORE_STEPS = {"profiled": "profile", "trained": "train in chunks", "replayed": "replay"}


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _limit() -> None:
    limit = os.environ.get("MODELLAB_BIG_LIMIT")
    if limit:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(limit) * 2**20, resource.RLIM_INFINITY))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        _limit()
        print(json.dumps(once(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
    else:
        figures.main(measure)
