"""The table of figures that Model Lab is held to, measured side by side in one run.

Each benchmark beside this file that has ``measure(options) -> Iterable[Figure]`` is a part of the
table (figures.py says what that means, word for word: read it before writing one). A part runs in
a process of its own: one that fails, hangs or takes the interpreter with it loses none of the
others, and what it had measured until then is kept. RESULTS.json and RESULTS.md are written anew
after every part, so that a run that is interrupted can go on with ``--resume``; ``--only PART``
measures one part again and keeps the others.

Run with ``python packaging/dev.py bench``. A machine that does nothing else gives figures worth
keeping: how busy it was when a part began is noted with the part.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

import figures
import peers
from figures import Figure, as_text, missing

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = Path(__file__).parent
ORDER = ("linear", "trees", "detectors", "engine", "big", "window")
LIMIT = 1200.0
"""Seconds after which a part is given up."""
ROWS = {"big": 2_000_000}
"""Rows of a part for which the usual number would take too long."""
QUICK = "**Of the quick form, at least in parts: it shows that all works, and is no measurement.**"
PACKAGES = (
    "modellab", "numpy", "scipy", "pyarrow", "pandas", "river", "scikit-learn",
    "PySide6-Essentials", "pyqtgraph", "Cython",
)  # fmt: skip
WANTED: dict[str, tuple[tuple[str, str, float, bool], ...]] = {
    "linear": (
        ("Linear, online scaling, 10 columns, against river", "x", 250.0, False),
        ("Linear, online scaling, 10 columns, against river, with AVX2", "x", 300.0, False),
        (
            "Linear, no scaling, 10 columns, against Vowpal Wabbit from its cache file",
            "x",
            15.0,
            False,
        ),
        ("64 learning rates in one pass against one, 10 columns, scaling online", "x", 20.0, True),
    ),
    "trees": (
        ("Hoeffding tree, 10 columns, against MOA's command line", "x", 30.0, False),
        ("Hoeffding tree, 10 columns, against river", "x", 200.0, False),
        (
            "Adaptive random forest, 10 trees, 10 columns, against MOA's command line",
            "x",
            15.0,
            False,
        ),
        ("Adaptive random forest, 10 trees, 10 columns, against river", "x", 50.0, False),
    ),
    "engine": (
        ("Whole replay of stored rows, 10 columns, one linear lane", "rows/s", 5e6, False),
        ("Whole replay of stored rows, 10 columns, 8 linear lanes", "rows/s", 1.5e6, False),
    ),
}
"""What a part must tell, with unit, target and whether that is a greatest value: a line of the
table says so when it did not."""


# ---------------------------------------------------------------- machine


def processor() -> str:
    """The processor's name, as its maker calls it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    if sys.platform == "darwin":
        told = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=False,
        )
        return told.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()


def load() -> float | None:
    """How many processes wanted to run in the last minute; None where nobody counts."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def machine() -> dict[str, Any]:
    """What this runs on: the machine and the versions, not whose it is."""
    import psutil

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    versions |= peers.versions()
    for peer in ("vowpalwabbit", "MOA", "Java"):
        versions.setdefault(peer, "not installed")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


# ---------------------------------------------------------------- measuring


def parts(folder: Path) -> dict[str, Path]:
    """The benchmarks that belong to the table, in its order."""
    found = {
        path.stem.removeprefix("bench_"): path
        for path in sorted(folder.glob("bench_*.py"))
        if re.search(r"^def measure\(", path.read_text("utf-8"), re.MULTILINE)
    }
    known = [name for name in ORDER if name in found]
    return {name: found[name] for name in [*known, *(n for n in found if n not in known)]}


def end_family(child: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, and those that it started."""
    import psutil

    if child.poll() is not None:
        return
    family = psutil.Process(child.pid)
    for member in [*family.children(recursive=True), family]:
        member.kill()
    child.wait()


def run_part(name: str, path: Path, given: list[str], limit: float) -> dict[str, Any]:
    """Run one benchmark in a process of its own; what it measured, and how it ended."""
    started, busy = time.monotonic(), load()
    failed = ""
    with tempfile.TemporaryDirectory(prefix="modellab-bench-") as folder:
        told = Path(folder, "figures.jsonl")
        child = subprocess.Popen([sys.executable, str(path), *given, "--json", str(told)])
        try:
            code = child.wait(limit)
            failed = f"it ended with status {code}" if code else ""
        except subprocess.TimeoutExpired:
            failed = f"it was given up after {limit:.0f} seconds"
        finally:
            end_family(child)
        measured = figures.read(told)
    have = {figure.name for figure in measured}
    why = failed or ("left out of the quick form" if "--quick" in given else "it was not told")
    measured += [
        missing(line, why, unit, target, at_most)
        for line, unit, target, at_most in WANTED.get(name, ())
        if line not in have
    ]
    if failed:
        print(f"  {name}: {failed}", flush=True)
    return {
        "options": given,
        "seconds": round(time.monotonic() - started, 1),
        "load_before": busy,
        "failed": failed,
        "figures": [asdict(figure) for figure in measured],
    }


def sound(part: dict[str, Any] | None, given: list[str]) -> bool:
    """Whether a part in the file needn't be measured again."""
    return part is not None and not part["failed"] and part["options"] == given


# ---------------------------------------------------------------- telling


def told_line(figure: Figure, judged: bool = True) -> str:
    """One figure as a line of the table; small sizes are not judged by its target."""
    wanted, reached, sides = "", "", ""
    if figure.target is not None:
        wanted = f"{'≤' if figure.at_most else '≥'} {as_text(figure.target)}"
    if figure.reached is not None and judged:
        reached = "yes" if figure.reached else "**no**"
    value = "not measured" if figure.value is None else f"{as_text(figure.value)} {figure.unit}"
    if figure.own is not None and figure.peer is not None:
        sides = f"{as_text(figure.own)} / {as_text(figure.peer)} {figure.sides}"
    right = (
        f"{figure.own_right:.2f} / {figure.peer_right:.2f}"
        if figure.own_right is not None and figure.peer_right is not None
        else ""
    )
    cells = (figure.name, value, wanted, reached, sides, right, figure.note)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def told_table(title: str, found: Iterable[Figure], judged: bool = True) -> list[str]:
    """A titled table of figures; nothing without figures."""
    lines = [told_line(figure, judged) for figure in found]
    if not lines:
        return []
    return [
        f"## {title}",
        "",
        "| figure | measured | wanted | reached | own / peer | right %, own / peer | remark |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *lines,
        "",
    ]


def as_markdown(results: dict[str, Any]) -> str:
    """The whole file for a reader."""
    about = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    found = {
        name: [Figure(**figure) for figure in part["figures"]]
        for name, part in results["parts"].items()
    }
    wanted = [figure for part in found.values() for figure in part if figure.target is not None]
    quick = any("--quick" in part["options"] for part in results["parts"].values())
    reached = [figure for figure in wanted if figure.reached]
    unknown = [figure for figure in wanted if figure.value is None]
    lines = [
        "# Benchmarks",
        "",
        "Made by `python3 packaging/dev.py bench`. Medians; ratios are measured side by side, in",
        "turn; `own / peer` are the two sides, and accuracy is over rows that both have seen.",
        "",
        f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB, "
        f"{about['system']}, Python {about['python']}; {versions}.",
        "",
        QUICK
        if quick
        else f"{len(reached)} of {len(wanted)} targets reached, {len(unknown)} not measured.",
        "",
        *told_table("Targets", wanted, judged=not quick),
    ]
    for name, part in found.items():
        title = f"{name.capitalize()}: further figures"
        lines += told_table(title, (figure for figure in part if figure.target is None))
    lines += ["## The parts of the run", "", "| part | options | seconds | load before | ended |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for name, part in results["parts"].items():
        ended = part["failed"] or "well"
        options = " ".join(part["options"]) or "as usual"
        busy = "" if part["load_before"] is None else f"{part['load_before']:.2f}"
        lines.append(f"| {name} | {options} | {part['seconds']:.0f} | {busy} | {ended} |")
    return "\n".join([*lines, ""])


def write(results: dict[str, Any], out: Path) -> None:
    """Both files, so far."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    (out / "RESULTS.json").write_text(text, encoding="utf-8")
    (out / "RESULTS.md").write_text(as_markdown(results), encoding="utf-8")


def read_results(out: Path) -> dict[str, Any]:
    """The parts that were measured before; none when there is no such file."""
    try:
        found = json.loads((out / "RESULTS.json").read_text("utf-8"))["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


# ---------------------------------------------------------------- command line


def parser() -> argparse.ArgumentParser:
    """The options of the whole table."""
    wanted = figures.arguments("The table of figures, measured.")
    wanted.add_argument("--only", nargs="+", metavar="PART", help="measure these parts again")
    wanted.add_argument("--resume", action="store_true", help="measure what is missing or failed")
    wanted.add_argument("--peers", action="store_true", help="fetch the peers first")
    wanted.add_argument("--limit", type=float, default=LIMIT, help="seconds for a part")
    wanted.add_argument("--out", type=Path, help="folder of the results")
    return wanted


def handed_on(given: argparse.Namespace, part: str) -> list[str]:
    """The options that a part is started with."""
    rows = given.rows or (None if given.quick else ROWS.get(part))
    found = ["--quick"] if given.quick else []
    for option, value in (("rows", rows), ("rounds", given.rounds)):
        found += [f"--{option}", str(value)] if value else []
    return found


def main(argv: list[str] | None = None) -> int:
    """Measure, write after every part, and print; 1 when a part failed."""
    given = parser().parse_args(argv)
    out = given.out or (FOLDER.parent.parent / "artifacts" / "bench" if given.quick else FOLDER)
    known = parts(FOLDER)
    unknown = [name for name in given.only or () if name not in known]
    if unknown:
        print(f"There is no part {unknown[0]}. Known: {', '.join(known)}.", file=sys.stderr)
        return 2
    if given.peers:
        peers.fetch()
    handed = {name: handed_on(given, name) for name in known}
    before = read_results(out) if given.only or given.resume else {}
    kept = {name: before[name] for name in known if name in before}
    chosen = [
        name
        for name in known
        if name in (given.only or known)
        and not (given.resume and sound(kept.get(name), handed[name]))
    ]
    about = machine()
    started = time.monotonic()
    for number, name in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {name}", flush=True)
        kept[name] = run_part(name, known[name], handed[name], given.limit)
        ordered = {part: kept[part] for part in known if part in kept}
        write({"machine": about, "parts": ordered}, out)
    print(f"\n{(out / 'RESULTS.md').read_text('utf-8')}" if chosen else "Nothing to measure.")
    print(f"{time.monotonic() - started:.0f} seconds.")
    return int(any(kept[name]["failed"] for name in chosen))


if __name__ == "__main__":
    sys.exit(main())
