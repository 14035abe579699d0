"""The development environment: made once, checked in milliseconds afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Optional

import stamp
import system_libs
from stamp import LOCK, ROOT, Stamp, venv_python

LOG_NAME = "modellab-setup.log"


class SetupError(Exception):
    """Something that stops the set-up, as a sentence with what to do."""


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def venv_folder() -> Path:
    """Where the environment is: `.venv` in the project, or what MODELLAB_VENV says."""
    return Path(os.environ.get("MODELLAB_VENV") or ROOT / ".venv").absolute()


def child_environment(**extra: str) -> dict[str, str]:
    """The environment variables for what runs inside the virtual environment."""
    dropped = {
        "PYTHONDONTWRITEBYTECODE",  # compiled modules make the second start fast
        "PYTHONHOME",
        "PYTHONPATH",
        "__PYVENV_LAUNCHER__",
    }
    env = {key: value for key, value in os.environ.items() if key not in dropped}
    env.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_USER="0", PYTHONUNBUFFERED="1")
    env["VIRTUAL_ENV"] = str(venv_folder())
    env.update(extra)
    return env


# ---------------------------------------------------------------- making it
def ensure(tests: bool = False) -> Path:
    """Bring the environment up to date; return its interpreter.

    Parameters
    ----------
    tests
        Also ask for the system programs that the tests need.

    Raises
    ------
    SetupError
        With a sentence that says what to do.
    """
    venv = venv_folder()
    found = Stamp.read(venv)
    wanted = Stamp(
        stamp.interpreter_digest(venv), stamp.dependencies_digest(), stamp.package_digest()
    )
    same = bool(wanted.interpreter) and found.interpreter == wanted.interpreter
    installed = same and found.dependencies == wanted.dependencies
    built = installed and found.package == wanted.package and not _unbuilt(venv)
    if not built:
        provide(system_libs.python_needs(), required=True)
    wanted.missing = found.missing
    if not built or found.missing or tests:
        wanted.missing = provide(system_libs.qt_needs(tests), required=False)
    if built:
        if wanted != found:
            wanted.write(venv)
        return venv_python(venv)

    started = time.monotonic()
    # An environment that somebody made by hand is taken over; one of another interpreter is not.
    if not same and (found.interpreter or not _usable(venv)):
        _make_venv(venv)
    wanted.interpreter = stamp.interpreter_digest(venv)
    log = venv / LOG_NAME
    log.write_text("", encoding="utf-8")
    if not installed:
        say(
            f"Installing the pinned dependencies into {venv} "
            "(about 270 MB to download the first time) ..."
        )
        _pip(venv, ["install", "--require-hashes", "-r", str(LOCK)], "install the dependencies")
        Stamp(wanted.interpreter, wanted.dependencies, "", wanted.missing).write(venv)
    say("Building Model Lab's compiled learners ...")
    editable = ["install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    _pip(venv, editable, "build Model Lab")
    left = _unbuilt(venv)
    if left:
        raise SetupError(
            f"The build left {left[0].relative_to(ROOT)} without a compiled module. "
            f"Its output is in {log}"
        )
    _compile_bytecode(venv)
    wanted.write(venv)
    say(f"The environment is ready ({time.monotonic() - started:.0f} s).")
    return venv_python(venv)


def _unbuilt(venv: Path) -> list[Path]:
    return stamp.unbuilt(stamp.python_tag(venv))


def _usable(venv: Path) -> bool:
    """Whether `venv` has a Python that is new enough, and pip."""
    python = venv_python(venv)
    if not python.exists():
        return False
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    done = subprocess.run([str(python), "-c", check], capture_output=True, check=False)
    return done.returncode == 0


def provide(needs: list[system_libs.Need], required: bool) -> list[str]:
    """Install `needs` where this may; else say how. Return the packages still missing."""
    packages = system_libs.packages_of(needs)
    if not needs:
        return []
    apt = system_libs.has_apt()
    if apt and system_libs.is_root() and system_libs.apt_install(packages, say):
        if required and system_libs.python_needs():
            raise SetupError(
                f"{sys.executable} still lacks {system_libs.python_needs()[0].name}: the system's "
                "packages serve the system's Python. Run this with /usr/bin/python3 instead."
            )
        return []
    sentence = system_libs.advice(needs, apt)
    if required:
        rest = system_libs.qt_needs(tests=True)
        if apt and rest:
            sentence = system_libs.advice([*needs, *rest], apt)
        raise SetupError(sentence)
    say(sentence)
    say("Going on without; windows or pictures may fail until then.")
    return packages


def _make_venv(venv: Path) -> None:
    clear = venv.exists() and any(venv.iterdir())
    if clear and not (venv / "pyvenv.cfg").exists():
        raise SetupError(
            f"{venv} exists and is not a virtual environment. Move it away, or set MODELLAB_VENV "
            "to another folder."
        )
    say(f"Making a virtual environment in {venv} ...")
    base = getattr(sys, "_base_executable", None) or sys.executable  # never the one cleared
    command = [base, "-m", "venv", *(["--clear"] if clear else []), str(venv)]
    done = subprocess.run(
        command, env=child_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise SetupError(
            f"Python could not make a virtual environment in {venv}: "
            f"{lines[-1] if lines else 'no reason given'}. Is the folder writable?"
        )


# What pip says, and what it means to a person; the first that fits.
_PIP_TROUBLE = (
    (
        r"No space left on device|Errno 28",
        "The disk is full. About 1.5 GB are needed; make room and run this again.",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "A downloaded file is not the pinned one. Try again; if it stays so, do not install it.",
    ),
    (
        r"command '.*(gcc|cc|clang|cl\.exe)' failed|Microsoft Visual C\+\+ .* is required",
        "The C compiler failed.",
    ),
    (
        r"NewConnectionError|ConnectTimeout|ReadTimeout|Temporary failure|ProxyError|SSLError",
        "The package index could not be reached. Check the connection (or pip's own settings "
        "for a mirror or proxy) and run this again; what was downloaded is kept.",
    ),
    (
        r"No matching distribution found for (\S+)",
        "There is no pinned build for this Python and system. Python 3.11 to 3.13 on Windows, "
        "macOS 13 or Linux with glibc 2.34 (Debian 12) or later have one.",
    ),
)


def explain_pip(text: str) -> str:
    """What went wrong in a pip run, in words; empty when nothing known is found."""
    for pattern, words in _PIP_TROUBLE:
        if re.search(pattern, text):
            return words
    return ""


_WHEEL = re.compile(
    r"\s*(?:Downloading|Using cached) (?:\S*/)?([^\s/-]+)-(\d[^\s-]*)-\S+\.whl(?: \((.+)\))?$"
)


def progress_line(line: str) -> Optional[str]:
    """Shorten a line of pip's output to what a person waits for (a megabyte or more), or None."""
    found = _WHEEL.match(line.rstrip())
    if found and (found.group(3) or "").endswith("MB"):
        return "  {} {} ({})".format(*found.groups())
    if line.startswith("Installing collected packages") and line.count(",") > 5:
        return "  unpacking ..."
    return None


def _pip(venv: Path, arguments: list[str], what: str) -> None:
    """Run pip in the environment: all of its output into the log, its progress on the screen."""
    log = venv / LOG_NAME
    command = [str(venv_python(venv)), "-m", "pip", *arguments, "--no-input", "--progress-bar=off"]
    collected: list[str] = []
    with (
        log.open("a", encoding="utf-8") as file,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        for line in process.stdout or ():
            file.write(line)
            collected.append(line)
            short = progress_line(line)
            if short:
                say(short)
    if process.returncode != 0:
        text = "".join(collected)
        tail = "".join("    " + line for line in collected[-12:])
        words = explain_pip(text) or "The reason is in pip's last lines above."
        raise SetupError(f"{tail}Could not {what}. {words} All of pip's output: {log}")


def _compile_bytecode(venv: Path) -> None:
    """Compile the package's own modules, so that not even the first start has to."""
    command = [str(venv_python(venv)), "-m", "compileall", "-q", "-j", "0", str(ROOT / "modellab")]
    subprocess.run(command, env=child_environment(), capture_output=True, check=False)
