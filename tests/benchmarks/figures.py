"""What every benchmark gives the table: figures of one shape, and a command line of its own.

A benchmark is a module ``bench_NAME.py`` beside this file with one function::

    def measure(options: Options) -> Iterable[Figure]:

It yields a `Figure` as soon as it is measured (a list will do as well), so that what was measured
before something broke is kept. It measures less when ``options.quick`` is set: under five seconds
in all, on small data, only to show that it works. Scratch files go into ``options.folder``, which
exists, is empty and is thrown away; MODELLAB_HOME lies beside it. What cannot be measured here (a
peer that is not installed, no Java) is yielded as `missing`, never left out. Groups of figures that
may fail one by one go through `each`. It ends with::

    if __name__ == "__main__":
        figures.main(measure)

and is then run alone with ``python packaging/dev.py bench NAME`` (``--quick``, ``--rows``,
``--rounds``, ``--json FILE``). The whole table is made by table.py, which starts each benchmark in
a process of its own.

Pairs are measured in turn, side by side (`in_turn`), and the median of the ratios is told.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True)
class Options:
    """What a benchmark is asked for.

    Attributes
    ----------
    rows
        Rows of whole replays, of an import and the like.
    rounds
        How often each thing is measured; the median is told.
    quick
        Only show that it works: tiny data, one round.
    folder
        An empty scratch folder; the caller throws it away.
    """

    rows: int = 10_000_000
    rounds: int = 3
    quick: bool = False
    folder: Path = Path()


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    name
        What was measured, with its sizes: "Hoeffding tree, 10 columns, against river".
    value
        The median, in `unit`; None when it could not be measured, and `note` says why.
    unit
        "x", "rows/s", "ms", "MB", "s" ...
    target
        What is wanted: a least value, or with `at_most` a greatest; None for a figure that
        is only told.
    own, peer
        Both sides of a ratio, in `sides` (rows per second unless said).
    own_right, peer_right
        Accuracy in per cent over the same rows.
    note
        One sentence a reader needs for judging the figure.
    """

    name: str
    value: float | None
    unit: str
    target: float | None = None
    at_most: bool = False
    own: float | None = None
    peer: float | None = None
    sides: str = "rows/s"
    own_right: float | None = None
    peer_right: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without a target or a value."""
        if self.target is None or self.value is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


def missing(
    name: str, why: str, unit: str = "x", target: float | None = None, at_most: bool = False
) -> Figure:
    """A line that says what could not be measured here, and why."""
    return Figure(name, None, unit, target, at_most, note=why)


def in_turn(
    one: Callable[[], float], other: Callable[[], float], rounds: int
) -> tuple[float, float, float]:
    """Medians of both, and the median of the ratios one / other, measured in turn."""
    pairs = [(one(), other()) for _ in range(rounds)]
    median = statistics.median
    return (
        median(a for a, _ in pairs),
        median(b for _, b in pairs),
        median(a / b for a, b in pairs),
    )


def each(options: Options, *groups: Callable[[Options], Iterable[Figure]]) -> Iterator[Figure]:
    """The figures of one group after the other; one that fails is told, and the next goes on."""
    for group in groups:
        try:
            yield from group(options)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told in the table
            traceback.print_exc()
            about = (group.__doc__ or group.__name__).splitlines()[0].rstrip(".")
            yield missing(about, f"it failed: {type(error).__name__}: {error}")


def as_text(value: float) -> str:
    """A number in a reader's digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def line(figure: Figure) -> str:
    """One figure for the terminal."""
    if figure.value is None:
        return f"{figure.name}: not measured: {figure.note}"
    text = f"{figure.name}: {as_text(figure.value)} {figure.unit}"
    if figure.target is not None:
        least = "at most" if figure.at_most else "at least"
        text += f" ({least} {as_text(figure.target)} wanted, "
        text += "reached)" if figure.reached else "NOT reached)"
    return text


def read(path: Path) -> list[Figure]:
    """The figures that `main` wrote so far, one per line; none when there is no file."""
    if not path.is_file():
        return []
    return [Figure(**json.loads(text)) for text in path.read_text("utf-8").splitlines()]


def arguments(about: str) -> argparse.ArgumentParser:
    """The options that every benchmark takes."""
    wanted = argparse.ArgumentParser(description=about)
    wanted.add_argument("--rows", type=int, help="rows of whole replays and imports")
    wanted.add_argument("--rounds", type=int, help="how often each thing is measured")
    wanted.add_argument("--quick", action="store_true", help="only show that it works")
    return wanted


def options(given: argparse.Namespace, folder: Path) -> Options:
    """The options from a command line."""
    rows = given.rows or (20_000 if given.quick else Options.rows)
    return Options(rows, given.rounds or (1 if given.quick else 3), given.quick, folder)


def main(measure: Callable[[Options], Iterable[Figure]], argv: list[str] | None = None) -> None:
    """Run one benchmark from the command line, printing each figure as it comes."""
    wanted = arguments("One benchmark; without options the sizes of the record.")
    wanted.add_argument("--json", type=Path, help="also write the figures here, one per line")
    given = wanted.parse_args(argv)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="modellab-bench-") as folder:
        os.environ["MODELLAB_HOME"] = str(Path(folder, "home"))
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        for figure in measure(options(given, scratch)):
            shown = replace(figure, target=None) if given.quick else figure
            print(f"  {time.monotonic() - start:6.1f} s  {line(shown)}", flush=True)
            if given.json:
                with given.json.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(figure)) + "\n")


def per_cent(right: Any) -> float:
    """How many of an array of yes and no are yes."""
    return 100.0 * float(right.mean())


if __name__ == "__main__":
    sys.exit("This is no benchmark; it is what they share.")
