#!/usr/bin/env python3
"""One script for the whole development set-up: `python3 packaging/dev.py --help`.

Standard library only. Makes a virtual environment with the pinned dependencies, builds the package
into it, and runs the program, the checks, the benchmarks or the screenshots there.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):
    import subprocess

    def _runs(name: str) -> bool:
        try:
            return subprocess.run([name, "-V"], capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    _newer = [name for name in ("python3.13", "python3.12", "python3.11") if _runs(name)]
    sys.exit(
        "Model Lab needs Python 3.11 or later; this is {}.{}. {}".format(
            *sys.version_info[:2],
            "Run it with {} instead.".format(_newer[0])
            if _newer
            else "Install a newer Python and run this again with it.",
        )
    )

import argparse
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import setup_env
import system_libs
from setup_env import SetupError, child_environment, say
from stamp import LOCK, ROOT, venv_python

LOCK_HEADER = """\
# Every dependency, pinned: names, versions and hashes, for every system and Python from 3.11 on.
# Made from pyproject.toml by `python3 packaging/dev.py lock`; not edited by hand.
"""
EXPERIMENTS = (".toml", ".mlab")


def call(command: list[str], **environment: str) -> int:
    """Run `command` with the environment's settings; its exit status, 130 when interrupted."""
    try:
        return subprocess.run(command, env=child_environment(**environment), check=False).returncode
    except KeyboardInterrupt:
        return 130


# ---------------------------------------------------------------- run
def has_display() -> bool:
    """Whether a window can be opened here."""
    if not sys.platform.startswith("linux"):
        return True
    if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
        return False
    wayland = os.environ.get("WAYLAND_DISPLAY")
    if wayland:
        path = Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere")) / wayland
        if path.exists():
            return True
    display = os.environ.get("DISPLAY", "")
    if not display:
        return False
    return not display.startswith(":") or _answers(display[1:].split(".")[0])


def _answers(number: str) -> bool:
    """Whether the local X server of that number takes connections."""
    path = f"/tmp/.X11-unix/X{number}"  # where every X server listens
    for address in (path, "\0" + path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(address)
            except OSError:
                continue
            return True
    return False


def run_command(python: str, display: bool, files: list[str]) -> list[str]:
    """What `run` starts: the window with `files` or the sample; headless, its replay."""
    program = [python, "-m", "modellab"]
    if display:
        return program + (files or ["--sample", "flights", "--page", "deploy"])
    if not files:
        return [*program, "demo", "--out", str(ROOT / "artifacts" / "demo")]
    if files[0].lower().endswith(EXPERIMENTS):
        return [*program, "run", *files]
    return [*program, "profile", *files]


def run(arguments: argparse.Namespace) -> int:
    """Open the window; without a display, replay without one."""
    python = str(setup_env.ensure())
    display = has_display()
    if not display:
        say("There is no display here, so this runs without a window.")
    return call(run_command(python, display, arguments.files))


# ---------------------------------------------------------------- checks
def lint_steps(python: str) -> list[tuple[str, list[str]]]:
    """The linters, import contracts and types, each with its command."""
    contracts = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    # The build hook subclasses what setuptools and hatchling leave untyped.
    found = sorted((ROOT / "packaging").glob("*.py"))
    scripts = [str(path) for path in found if path.name != "build_hook.py"]
    return [
        ("style (ruff check)", [python, "-m", "ruff", "check"]),
        ("format (ruff format)", [python, "-m", "ruff", "format", "--check"]),
        ("import contracts", [python, "-c", contracts]),
        ("types (mypy)", [python, "-m", "mypy"]),
        ("types of packaging/", [python, "-m", "mypy", *scripts]),
    ]


def run_steps(steps: list[tuple[str, list[str]]], **environment: str) -> int:
    """Run every step, whatever the ones before it said; sum up; 1 when any failed."""
    results: list[tuple[str, int, float]] = []
    for title, command in steps:
        say(f"\n== {title}")
        started = time.monotonic()
        code = call(command, **environment)
        results.append((title, code, time.monotonic() - started))
        if code == 130:
            say("Interrupted.")
            return 130
    say("\n== summary")
    for title, code, seconds in results:
        say(f"  {'ok    ' if code == 0 else 'FAILED'}  {title:<24} {seconds:7.1f} s")
    return int(any(code for _, code, _ in results))


def offscreen() -> dict[str, str]:
    """Qt draws into memory unless told otherwise."""
    return {"QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM") or "offscreen"}


def test(arguments: argparse.Namespace) -> int:
    """Linters, import contracts, types and all tests."""
    python = str(setup_env.ensure(tests=True))
    os.chdir(ROOT)
    tests = ("tests (pytest)", [python, "-m", "pytest", *side_by_side(arguments.pytest)])
    return run_steps([*lint_steps(python), tests], **offscreen())


def side_by_side(given: list[str]) -> list[str]:
    """Arguments for pytest: a process for each core, unless `given` says or forbids otherwise."""
    watched = {"-s", "--pdb", "--trace", "--collect-only", "--co", "no:xdist"}
    told = any(text.startswith(("-n", "--numprocesses", "--dist")) for text in given)
    cores = min(os.cpu_count() or 1, 8)
    if told or cores == 1 or watched.intersection(given):
        return given
    # A process takes neighbours, which share fixtures, and helps the other when it is through.
    return ["-n", str(cores), "--dist", "worksteal", *given]


def lint(_arguments: argparse.Namespace) -> int:
    """Linters, import contracts and types."""
    python = str(setup_env.ensure())
    os.chdir(ROOT)
    return run_steps(lint_steps(python))


def bench(arguments: argparse.Namespace) -> int:
    """Measure the table of figures, or run the benchmarks named."""
    python = str(setup_env.ensure())
    os.chdir(ROOT)
    folder = ROOT / "tests" / "benchmarks"
    handed = bench_options(arguments)
    if not arguments.names:
        return call([python, str(folder / "table.py"), *handed])
    scripts = sorted(folder.glob("bench_*.py"))
    chosen = [path for path in scripts if _named(path, arguments.names)]
    if not chosen:
        known = ", ".join(path.stem.removeprefix("bench_") for path in scripts) or "none"
        raise SetupError(f"There is no such benchmark. Known: {known}.")
    return run_steps([(path.stem, [python, str(path), *handed]) for path in chosen])


def bench_options(arguments: argparse.Namespace) -> list[str]:
    """The options of `bench` that were given, for whom they are handed on to."""
    handed = []
    for name in ("quick", "resume", "peers"):
        handed += [f"--{name}"] if getattr(arguments, name) else []
    for name in ("rows", "rounds", "out"):
        value = getattr(arguments, name)
        handed += [] if value is None else [f"--{name}", str(value)]
    return handed + (["--only", *arguments.only] if arguments.only else [])


def _named(path: Path, names: list[str]) -> bool:
    return any(path.stem in (name, f"bench_{name}") for name in names)


def shots(arguments: argparse.Namespace) -> int:
    """Take pictures of every page."""
    python = str(setup_env.ensure())
    folder = Path(arguments.folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return call([python, "-m", "modellab.gui.shots", str(folder)], **offscreen())


# ---------------------------------------------------------------- set-up and lock
def setup(_arguments: argparse.Namespace) -> int:
    """Bring the environment up to date and do nothing else."""
    python = setup_env.ensure(tests=True)
    say(f"Ready: {python}")
    return 0


def lock(arguments: argparse.Namespace) -> int:
    """Pin every dependency anew from pyproject.toml, keeping the versions that still fit."""
    with tempfile.TemporaryDirectory() as folder:
        tool = Path(folder) / "venv"
        subprocess.run([sys.executable, "-m", "venv", str(tool)], check=True)
        python = str(venv_python(tool))
        subprocess.run([python, "-m", "pip", "install", "-q", "uv"], check=True)
        draft = Path(folder) / "constraints.txt"
        if LOCK.exists():
            draft.write_bytes(LOCK.read_bytes())
        command = [python, "-m", "uv", "pip", "compile", str(ROOT / "pyproject.toml")]
        command += ["--group", "build", "--group", "test", "--group", "lint"]
        command += ["--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"]
        command += ["--no-header", "--no-annotate", "--no-emit-index-url", "-o", str(draft)]
        command += ["--upgrade"] if arguments.upgrade else []
        done = subprocess.run(command, cwd=ROOT, check=False)
        if done.returncode != 0:
            raise SetupError("uv could not find versions that fit together; it says why above.")
        LOCK.write_text(LOCK_HEADER + draft.read_text(encoding="utf-8"), encoding="utf-8")
    say(f"Written: {LOCK.relative_to(ROOT)}")
    return 0


def installer(arguments: argparse.Namespace) -> int:
    """Build and test what is handed out: wheel, frozen program, packages, licences, checksums."""
    import installer as build  # only here: it knows the tools of a release

    out = Path(arguments.folder).absolute()
    root = Path(arguments.root).absolute() if arguments.root else None
    if arguments.deb:
        setup_env.provide(system_libs.check_needs(), required=True)
        out.mkdir(parents=True, exist_ok=True)
        for name, taken in build.check_deb(Path(arguments.deb).absolute(), out, root).items():
            say(f"{name}: {taken:.2f} s")
        return 0
    for_building(arguments.windows)
    if arguments.check:
        setup_env.provide(system_libs.check_needs(), required=True)
    return build.build(
        build.Wanted(
            out=out,
            level=0 if arguments.quick else build.SMALL,
            keep=arguments.keep,
            work=Path(arguments.work).absolute() if arguments.work else None,
            windows=arguments.windows,
            python_zip=Path(arguments.python_zip).absolute() if arguments.python_zip else None,
            check=arguments.check,
            root=root,
        )
    )


def frozen(arguments: argparse.Namespace) -> int:
    """Build the frozen program, packed fast, and try it: what a check of every change can do."""
    import installer as build  # only here: it knows the tools of a release

    for_building(windows=False)
    setup_env.provide(system_libs.check_needs(), required=False)
    with tempfile.TemporaryDirectory(prefix="modellab-frozen-") as folder:
        out = Path(arguments.folder).absolute() if arguments.folder else Path(folder) / "dist"
        return build.build(build.Wanted(out=out, level=0, check=True, only_try=True))


def for_building(windows: bool) -> None:
    """See that the system has what building takes; as root on Debian, install it."""
    if system_libs.has_apt():  # some shells of root do not look where programs for root are
        os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    needs = system_libs.python_needs() + system_libs.qt_needs(tests=False)
    setup_env.provide([*needs, *system_libs.packing_needs(windows)], required=True)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="dev.py", description="Model Lab's development commands.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, does: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=does, description=does)
        command.set_defaults(do=globals()[name])
        return command

    add("setup", "make or update the environment, nothing else")
    one = add("run", "open Model Lab on the flights sample, or on FILES")
    one.add_argument("files", nargs="*", metavar="FILE", help="a data set or an experiment")
    one = add("test", "linters, import contracts, types and all tests")
    one.add_argument("pytest", nargs=argparse.REMAINDER, help="arguments for pytest")
    add("lint", "linters, import contracts and types")
    one = add("bench", "measure the table in tests/benchmarks/RESULTS.md, or run those named")
    one.add_argument("names", nargs="*", metavar="NAME", help="these benchmarks, not the table")
    one.add_argument("--quick", action="store_true", help="only show that it works, in a minute")
    one.add_argument("--rows", type=int, help="rows of the whole replays")
    one.add_argument("--rounds", type=int, help="how often each thing is measured")
    one.add_argument("--only", nargs="+", metavar="PART", help="these parts of the table again")
    one.add_argument("--resume", action="store_true", help="what the table lacks, or what failed")
    one.add_argument("--peers", action="store_true", help="fetch Vowpal Wabbit and MOA first")
    one.add_argument("--out", type=Path, help="folder of the table")
    one = add("shots", "screenshots of every page, light and dark, into a folder")
    one.add_argument("folder", nargs="?", default=str(ROOT / "artifacts" / "shots"))
    one = add("installer", "wheel, frozen program, .deb, portable archive; built and tested")
    one.add_argument("folder", nargs="?", default=str(ROOT / "dist"))
    one.add_argument("--quick", action="store_true", help="pack fast instead of small")
    one.add_argument("--keep", action="store_true", help="leave the frozen program unpacked, too")
    one.add_argument("--work", help="folder for what is between, used again by the next build")
    one.add_argument(
        "--windows", action="store_true", help="also setup.exe; on Linux a rehearsal of it"
    )
    one.add_argument("--python-zip", help="python.org's embeddable Python for setup.exe")
    one.add_argument(
        "--check", action="store_true", help="try the .deb in a clean Debian (as root)"
    )
    one.add_argument("--deb", help="build nothing: try this .deb in a clean Debian (as root)")
    one.add_argument("--root", help="folder of that Debian, used again by the next check")
    one = add("frozen", "the frozen program alone, packed fast; tried in a clean Debian if it can")
    one.add_argument("folder", nargs="?", help="keep package, picture and leftovers there")
    one = add("lock", "pin every dependency anew (needs the package index)")
    one.add_argument("--upgrade", action="store_true", help="also take newer versions that fit")
    return top


def main(argv: list[str] | None = None) -> int:
    """Do what the command line says."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.do(arguments))
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; run it again to go on.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
