"""An import that was killed goes on where it was; what it left is believed only if it is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from modellab.data import feeds, leases, one_pass, segments
from modellab.data.importer import import_dataset
from modellab.data.segments import BATCH_ROWS, segment_name

if TYPE_CHECKING:
    from pathlib import Path

    from modellab.data.store import Store

ROWS = 2 * BATCH_ROWS + 30_000
CHILD = """
import sys, time
from pathlib import Path
from modellab.data import feeds, one_pass, segments
from modellab.data.importer import import_dataset
one_pass.SMALL_BYTES, feeds.CSV_BLOCK, segments.SEGMENT_BATCHES = 0, 2**17, 1

def wait(done, total, text=""):
    if list(Path(sys.argv[2]).glob("stores/*/so_far.msgpack")) and done > total * 0.9:
        print("now", flush=True)
        time.sleep(600)

import_dataset(sys.argv[1], cache=Path(sys.argv[2]), progress=wait)
"""


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_pass, "SMALL_BYTES", 0)
    monkeypatch.setattr(feeds, "CSV_BLOCK", 2**17)
    monkeypatch.setattr(segments, "SEGMENT_BATCHES", 1)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file, and the cache that a killed import of it left."""
    folder = tmp_path_factory.mktemp("killed")
    path, cache = folder / "x.csv", folder / "cache"
    odd = {70_000: "70000,broken,P1,n/a", 80_000: "only one cell", 90_000: "90000,1.5,elsewhere,7"}
    with path.open("w") as file:
        file.write("number,half,place,gaps\n")
        for k in range(ROWS):
            file.write(odd.get(k, f"{k},{k / 2},P{k % 30},{k if k % 3 else ''}") + "\n")
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(cache)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "now\n"
    child.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    child.wait()
    child.stdout.close()
    return path, cache


@pytest.fixture
def left(killed: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path, Path]:
    """A copy of the file, its cache, and the half made store in it."""
    import shutil

    cache = tmp_path / "cache"
    shutil.copytree(killed[1], cache)
    (part,) = leases.abandoned(cache / "stores")
    return killed[0], cache, part


def facts(store: Store) -> tuple[object, ...]:
    rows = [column.to_pylist() for column in store.read(0, store.n_rows).columns]
    return store.columns, rows, store.bad_rows, store.n_rows


@pytest.fixture(scope="module")
def whole(
    killed: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[object, ...]:
    """What an import that nothing interrupted gives."""
    return facts(import_dataset(killed[0], cache=tmp_path_factory.mktemp("whole")))


def firsts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that are there when writing begins, noted at each beginning."""
    found: list[int] = []
    real = segments.SegmentWriter.__init__

    def noted(self: object, *args: object, **more: object) -> None:
        real(self, *args, **more)  # type: ignore[arg-type]
        found.append(self.committed)  # type: ignore[attr-defined]

    monkeypatch.setattr(segments.SegmentWriter, "__init__", noted)
    return found


def test_it_goes_on_where_it_was(
    left: tuple[Path, Path, Path], whole: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache, part = left
    begun = firsts(monkeypatch)
    told: list[str] = []
    store = import_dataset(path, cache=cache, progress=lambda _, __, text="": told.append(text))
    assert begun == [2 * BATCH_ROWS]
    assert told[0] == "Checking what was read before"
    assert facts(store) == whole
    assert store.column("half").unfit_line == 70_002
    assert store.warnings == []
    assert not part.exists()
    assert not (store.path / leases.NOTE_FILE).exists()


@pytest.mark.parametrize("damage", ["cut off", "gone", "note", "bad rows"])
def test_what_is_not_whole_is_read_again(
    damage: str,
    left: tuple[Path, Path, Path],
    whole: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, cache, part = left
    file = part / segment_name(1)
    if damage == "cut off":
        os.truncate(file, file.stat().st_size - 1000)
    elif damage == "gone":
        file.unlink()
    elif damage == "note":
        os.truncate(part / leases.NOTE_FILE, 100)
    else:
        os.truncate(part / "bad_rows.csv", 3)
    begun = firsts(monkeypatch)
    assert facts(import_dataset(path, cache=cache)) == whole
    assert begun == [0]


def test_a_file_that_changed_meanwhile_is_noticed(
    left: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache, part = left
    text = path.read_text()
    before = path.stat()
    path.write_text(text.replace("P7", "Q7"))
    begun = firsts(monkeypatch)
    try:
        store = import_dataset(path, cache=cache)
    finally:
        path.write_text(text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert begun == [0]
    assert "Q7" in store.levels("place")
    assert store.warnings == [
        "“x.csv” changed after its import was interrupted: it was read again from its beginning."
    ]
    assert not part.exists()


def test_half_made_stores_count_in_the_budget(left: tuple[Path, Path, Path]) -> None:
    _, cache, part = left
    stores = cache / "stores"
    assert leases.evict(stores, 2**40, stores / "none") == []
    assert part.exists()
    assert leases.clear(cache) == [part.name]
    assert not part.exists()
