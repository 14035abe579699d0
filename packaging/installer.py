"""All that is handed out, built from a clean copy of the sources and tested on the way.

sdist, wheel, frozen program, `.deb`, portable archive, `setup.exe`, licences, bill of materials,
checksums.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import bill
import clean_root
import freeze
import linux
import macos
import windows_setup
from setup_env import SetupError, say
from stamp import ROOT

README = ROOT / "packaging" / "README.md"
BEGIN, END = "<!-- sizes: begin -->", "<!-- sizes: end -->"
SMALL = 6
"""Level of xz for what is handed out."""


@dataclass(frozen=True)
class Budget:
    """What an installer may weigh, in MB, and how long its first window may take, in seconds."""

    download_mb: float
    installed_mb: float
    first_window_warm_s: float
    first_window_cold_s: float


def budget(path: Path = ROOT / "packaging" / "budget.toml") -> Budget:
    """Read the budget."""
    return Budget(**tomllib.loads(path.read_text(encoding="utf-8")))


@dataclass
class Wanted:
    """What is asked of a build."""

    out: Path
    level: int = SMALL
    keep: bool = False
    """Leave the unpacked frozen program there, too."""
    work: Optional[Path] = None
    """Folder for what is between, used again by the next build; None: a temporary one."""
    windows: bool = False
    """Also `setup.exe`; on Linux a rehearsal of it."""
    python_zip: Optional[Path] = None
    """python.org's embeddable Python for it."""
    check: bool = False
    """Try the `.deb` in a clean Debian."""
    root: Optional[Path] = None
    """Folder of that Debian, used again; None: a temporary one."""
    only_try: bool = False
    """Nothing to hand out: the frozen program and its `.deb`, tried where that can be done."""


@dataclass
class Made:
    """What was built and measured."""

    files: list[Path] = field(default_factory=list)
    installed: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def build(wanted: Wanted) -> int:
    """Build everything; return the exit status."""
    started = time.monotonic()
    out = wanted.out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    made = Made()
    with ExitStack() as stack:
        work = wanted.work
        if work is None:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modellab-build-")))
        work.mkdir(parents=True, exist_ok=True)
        version = freeze.version()
        say("Environment ...")
        python = freeze.make_environment(work)
        say("sdist and wheel ...")
        sdist, wheel = freeze.make_wheel(python, out, work)
        made.files += [sdist, wheel]
        install = [str(python), "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
        freeze.do([*install, "--force-reinstall", str(wheel)], "install the wheel", work)
        freeze.smoke([str(python), "-P", "-m", "modellab"], "the wheel", work)
        if sys.platform == "win32" and wanted.only_try:
            say("On Windows that is all: setup.exe holds this wheel, not a frozen program.")
        elif sys.platform == "win32":
            windows(wanted, made, work, python, version, wheel)
        else:
            frozen(wanted, made, work, python, version)
            if wanted.windows:
                windows(wanted, made, work, python, version, None)
    checksums(out)
    made.seconds["build"] = time.monotonic() - started
    if wanted.check:
        try_it(wanted, made)
    return finish(wanted, made)


def frozen(wanted: Wanted, made: Made, work: Path, python: Path, version: str) -> None:
    """The frozen program and what is made of it."""
    out = wanted.out
    say("Frozen program ...")
    program = freeze.freeze(python, work)
    command = program / "modellab"
    freeze.smoke([str(command)], "the frozen program", work)
    site = freeze.do(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        "find the libraries",
        work,
    ).strip()
    found = bill.parts(work / "freezing" / "modellab", Path(site))
    licences = bill.licence_list(found)
    told = bill.cyclonedx(version, found)
    (out / "LICENCES.txt").write_text(licences, encoding="utf-8")
    (out / "modellab.cdx.json").write_text(told, encoding="utf-8")
    (program / "LICENCES.txt").write_text(licences, encoding="utf-8")
    made.installed[sys.platform] = freeze.installed_mb(program)
    made.seconds["--version, warm"] = start_seconds(command)
    if sys.platform == "darwin" and wanted.only_try:
        return
    if sys.platform == "darwin":
        say("dmg ...")
        made.files.append(macos.dmg(work / "frozen" / "Model Lab.app", version, out, python, work))
        return
    extras = linux.Extras(version, licences, told, work / "icons" / "hicolor")
    if not wanted.only_try:
        say("Portable archive ...")
        made.files.append(linux.portable(program, extras, out, wanted.level))
    if shutil.which("dpkg-deb"):
        say(".deb ...")
        made.files.append(linux.deb(program, extras, out, work, wanted.level))
    if wanted.keep:
        shutil.copytree(program, out / "modellab", symlinks=True)


def windows(
    wanted: Wanted, made: Made, work: Path, python: Path, version: str, wheel: Optional[Path]
) -> None:
    """`setup.exe`: the one that is handed out, or on Linux a rehearsal."""
    say("setup.exe for Windows ...")
    folder = work / "windows"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    quick = wanted.level < SMALL
    made.files.append(
        windows_setup.build(wanted.out, folder, python, version, wheel, wanted.python_zip, quick)
    )
    made.installed["Windows"] = freeze.installed_mb(folder / "payload")


def try_it(wanted: Wanted, made: Made) -> None:
    """Try the `.deb` in a clean Debian; where there can be none, say so if that is enough."""
    try:
        made.seconds.update(check(made, wanted.out, wanted.root))
    except clean_root.CannotTry as error:
        if not wanted.only_try:
            raise
        say(f"{error}\nWhat was built has passed its smoke test above; that is all here.")


def check(made: Made, out: Path, root: Optional[Path]) -> dict[str, float]:
    """Try the `.deb` of a build in a clean Debian."""
    debs = [path for path in made.files if path.suffix == ".deb"]
    if not debs:
        raise clean_root.CannotTry("There is no .deb to try: making one needs dpkg-deb.")
    return check_deb(debs[0], out, root)


def check_deb(deb: Path, out: Path, root: Optional[Path]) -> dict[str, float]:
    """Try a `.deb` in a clean Debian; return the seconds of its first window."""
    say(f"{deb.name} in a clean Debian ...")
    with ExitStack() as stack:
        if root is None:
            temporary = tempfile.TemporaryDirectory(prefix="modellab-debian-")
            root = Path(stack.enter_context(temporary))
        seconds = clean_root.check(deb, out, root)
    return {f"first window, {state}": taken for state, taken in seconds.items()}


def finish(wanted: Wanted, made: Made) -> int:
    """Tell sizes and times, keep them, and compare them with the budget."""
    sizes = {path.name: path.stat().st_size / 1e6 for path in made.files}
    told = table(sizes, made.installed, made.seconds)
    (wanted.out / "sizes.md").write_text(told, encoding="utf-8")
    figures = {"files_mb": sizes, "installed_mb": made.installed, "seconds": made.seconds}
    (wanted.out / "sizes.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    say(told)
    small = wanted.level >= SMALL
    # Of times, only those of a machine that does nothing else are judged.
    seconds = {} if wanted.only_try else made.seconds
    wrong = over_budget(sizes if small else {}, made.installed, seconds)
    for sentence in wrong:
        say(sentence)
    if not wrong and small and sys.platform.startswith("linux"):
        keep_table(README, told)
    return int(bool(wrong))


def start_seconds(program: Path) -> float:
    """Seconds that ``--version`` takes when everything has been read once."""
    taken = []
    for _ in range(3):
        begin = time.monotonic()
        subprocess.run([str(program), "--version"], capture_output=True, check=True)
        taken.append(time.monotonic() - begin)
    return min(taken)


def over_budget(
    sizes: dict[str, float], installed: dict[str, float], seconds: dict[str, float]
) -> list[str]:
    """Say what is larger, or takes longer, than the budget allows."""
    most = budget()
    wrong = [
        f"{name} has {size:.0f} MB; the budget is {most.download_mb:.0f}."
        for name, size in sizes.items()
        if size > most.download_mb
    ]
    wrong += [
        f"{size:.0f} MB are installed on {system}; the budget is {most.installed_mb:.0f}."
        for system, size in installed.items()
        if size > most.installed_mb
    ]
    limits = {"warm": most.first_window_warm_s, "cold": most.first_window_cold_s}
    wrong += [
        f"The first window took {seconds[f'first window, {state}']:.2f} s {state}; "
        f"the budget is {limit:.1f}."
        for state, limit in limits.items()
        if seconds.get(f"first window, {state}", 0.0) > limit
    ]
    return wrong


def table(sizes: dict[str, float], installed: dict[str, float], seconds: dict[str, float]) -> str:
    """The table of sizes and times for the README."""
    most = budget()
    lines = ["| built | value | budget |", "| --- | --- | --- |"]
    for name, size in sizes.items():
        packed = name.endswith((".deb", ".tar.xz", ".exe", ".dmg"))
        limit = f"{most.download_mb:.0f} MB" if packed else ""
        lines.append(f"| `{name}` | {size:.1f} MB | {limit} |")
    for system, size in installed.items():
        lines.append(f"| installed, {system} | {size:.0f} MB | {most.installed_mb:.0f} MB |")
    limits = {
        "first window, warm": most.first_window_warm_s,
        "first window, cold": most.first_window_cold_s,
    }
    for name, taken in seconds.items():
        if name == "build":
            lines.append(f"| building all of it | {taken / 60:.0f} min | |")
            continue
        limit = f"{limits[name]:.1f} s" if name in limits else ""
        lines.append(f"| {name} | {taken:.2f} s | {limit} |")
    return "\n".join(lines) + "\n"


def keep_table(readme: Path, told: str) -> None:
    """Put the table between its marks in the README.

    Raises
    ------
    SetupError
        If the marks are not there.
    """
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SetupError(f"{readme.name} has lost the marks of the table of sizes.")
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    readme.write_text(f"{head}{BEGIN}\n{told}{END}{tail}", encoding="utf-8")


def checksums(out: Path) -> None:
    """Write ``SHA256SUMS`` of all files in `out`, as `sha256sum -c` reads it."""
    lines = []
    for path in sorted(out.iterdir()):
        if path.is_file() and path.name != "SHA256SUMS":
            with path.open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
