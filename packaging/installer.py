"""All that is handed out, built from a clean copy of the sources and tested on the way.

sdist, wheel, frozen program, `.deb`, portable archive, licences, bill of materials, checksums.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bill
import freeze
import linux
from setup_env import SetupError, say
from stamp import ROOT

DOWNLOAD_MB, INSTALLED_MB = 130.0, 450.0
"""The budget: an installer over it is not handed out."""
README = ROOT / "README.md"
BEGIN, END = "<!-- sizes: begin -->", "<!-- sizes: end -->"


def build(out: Path, level: int, keep: bool) -> int:
    """Build everything into `out`; return the exit status.

    Parameters
    ----------
    out
        Folder for the results; what an earlier build left there goes.
    level
        Of xz: 6 for what is handed out, lower for trying.
    keep
        Leave the unpacked frozen program in `out`, too.
    """
    started = time.monotonic()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    version = freeze.version()
    with tempfile.TemporaryDirectory(prefix="modellab-installer-") as name:
        work = Path(name)
        say("Environment ...")
        python = freeze.make_environment(work)
        say("sdist and wheel ...")
        sdist, wheel = freeze.make_wheel(python, out, work)
        install = [str(python), "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
        freeze.do([*install, str(wheel)], "install the wheel", work)
        freeze.smoke([str(python), "-P", "-m", "modellab"], "the wheel", work)
        say("Frozen program ...")
        program = freeze.freeze(python, work)
        freeze.smoke([str(program / "modellab")], "the frozen program", work)
        site = freeze.do(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            "find the libraries",
            work,
        ).strip()
        found = bill.parts(work / "freezing" / "modellab", Path(site))
        licences = bill.licence_list(found)
        (out / "LICENCES.txt").write_text(licences, encoding="utf-8")
        (out / "modellab.cdx.json").write_text(bill.cyclonedx(version, found), encoding="utf-8")
        (program / "LICENCES.txt").write_text(licences, encoding="utf-8")
        made = [sdist, wheel]
        if sys.platform.startswith("linux"):
            say("Portable archive ...")
            made.append(linux.portable(program, version, licences, out, level))
            if shutil.which("dpkg-deb"):
                say(".deb ...")
                made.append(linux.deb(program, version, licences, out, work, level))
        installed = freeze.installed_mb(program)
        start = start_seconds(program / "modellab")
        if keep or not sys.platform.startswith("linux"):
            shutil.copytree(program, out / "modellab", symlinks=True)
    checksums(out)
    rows = [(path.name, path.stat().st_size / 1e6) for path in made]
    told = table(rows, installed, start, time.monotonic() - started)
    (out / "sizes.md").write_text(told, encoding="utf-8")
    say(told)
    wrong = over_budget(rows, installed)
    for sentence in wrong:
        say(sentence)
    if not wrong and level >= 6:
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


def over_budget(rows: list[tuple[str, float]], installed: float) -> list[str]:
    """Say what is larger than the budget allows."""
    wrong = [
        f"{name} has {size:.0f} MB; the budget is {DOWNLOAD_MB:.0f}."
        for name, size in rows
        if size > DOWNLOAD_MB
    ]
    if installed > INSTALLED_MB:
        wrong.append(f"{installed:.0f} MB are installed; the budget is {INSTALLED_MB:.0f}.")
    return wrong


def table(rows: list[tuple[str, float]], installed: float, start: float, seconds: float) -> str:
    """The table of sizes for the README."""
    lines = ["| built | value | budget |", "| --- | --- | --- |"]
    for name, size in rows:
        limit = f"{DOWNLOAD_MB:.0f} MB" if name.endswith((".deb", ".tar.xz")) else ""
        lines.append(f"| `{name}` | {size:.1f} MB | {limit} |")
    lines.append(f"| installed | {installed:.0f} MB | {INSTALLED_MB:.0f} MB |")
    lines.append(f"| `modellab --version`, warm | {start:.2f} s | |")
    lines.append(f"| building all of it | {seconds / 60:.0f} min | |")
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
