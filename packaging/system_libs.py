"""What Qt and the build need from the operating system, and how to get it.

Only Debian's and Ubuntu's package names are known here (measured on a bare Debian 12); elsewhere
the missing pieces are named by their own names.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Optional


@dataclass(frozen=True)
class Need:
    """One thing of the system: what it is called, its Debian package, and what it is for."""

    name: str
    package: str
    purpose: str


# Shared libraries that PySide6-Essentials loads and does not bring along.
OFFSCREEN = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
}
XCB = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libX11-xcb.so.1": "libx11-xcb1",
}
# Programs with which the end-to-end tests make a screen of their own.
TEST_PROGRAMS = {"Xvfb": "xvfb", "xauth": "xauth", "xdotool": "xdotool"}

# What packing the frozen program takes: dpkg-shlibdeps wants to see every library that any of its
# files asks for, those of Qt's Wayland plugin, too.
PACKING = {"libwayland-cursor.so.0": "libwayland-cursor0", "libwayland-egl.so.1": "libwayland-egl1"}
PACKING_PROGRAMS = {"dpkg-shlibdeps": "dpkg-dev", "strip": "binutils", "xz": "xz-utils"}
WINDOWS_PROGRAMS = {"makensis": "nsis", "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64"}
# What trying the .deb in a clean Debian takes.
CHECK_PROGRAMS = {"debootstrap": "debootstrap", "Xvfb": "xvfb", "import": "imagemagick"}

# Loading is the only question whose answer is the dynamic linker's own; a process of its own,
# so that nothing stays loaded here.
_PROBE = """
import ctypes, sys
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
    except OSError:
        print(name)
"""


def missing_libraries(names: Iterable[str]) -> list[str]:
    """Those of the shared libraries `names` that this system cannot load."""
    wanted = list(names)
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *wanted], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return []
    return [name for name in wanted if name in done.stdout.split()]


def compiler() -> Optional[str]:
    """The C compiler that setuptools would use here, or None."""
    if os.name == "nt":
        return "msvc" if _has_visual_studio() else None
    configured = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    for name in (str(configured).split()[0], "cc", "gcc", "clang"):
        found = shutil.which(name)
        if found:
            return found
    return None


def _has_visual_studio() -> bool:
    roots = (os.environ.get("PROGRAMFILES(X86)"), os.environ.get("PROGRAMFILES"))
    return shutil.which("cl") is not None or any(
        root and (Path(root) / "Microsoft Visual Studio" / "Installer" / "vswhere.exe").exists()
        for root in roots
    )


def python_needs() -> list[Need]:
    """What is missing to make an environment and compile with this Python."""
    version = "python{}.{}".format(*sys.version_info[:2])
    needs = []
    importlib.invalidate_caches()  # it may just have been installed
    if importlib.util.find_spec("ensurepip") is None:
        needs.append(Need("Python's venv and ensurepip", f"{version}-venv", "the environment"))
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        needs.append(Need("Python.h", f"{version}-dev", "compiling"))
    if compiler() is None:
        needs.append(Need("a C compiler", "gcc", "compiling"))
        if sys.platform.startswith("linux"):
            needs.append(Need("the C library's headers", "libc6-dev", "compiling"))
    return needs


def qt_needs(
    tests: bool, probe: Callable[[Iterable[str]], list[str]] = missing_libraries
) -> list[Need]:
    """Which of Qt's system libraries (and, for tests, screen programs) are missing on Linux."""
    if not sys.platform.startswith("linux"):
        return []
    known = {**OFFSCREEN, **XCB}
    needs = [
        Need(name, known[name], "the window" if name in XCB else "drawing") for name in probe(known)
    ]
    if tests:
        needs += _lacking(TEST_PROGRAMS, "the tests that need a screen")
    return needs


def packing_needs(
    windows: bool, probe: Callable[[Iterable[str]], list[str]] = missing_libraries
) -> list[Need]:
    """What is missing to pack the frozen program on Debian, and for `setup.exe`."""
    if not _is_debian():
        return []
    programs = {**PACKING_PROGRAMS, **(WINDOWS_PROGRAMS if windows else {})}
    libraries = [Need(name, PACKING[name], "packing") for name in probe(PACKING)]
    return libraries + _lacking(programs, "packing")


def check_needs() -> list[Need]:
    """What is missing to try the `.deb` in a clean Debian."""
    return _lacking(CHECK_PROGRAMS, "trying the package") if _is_debian() else []


def _is_debian() -> bool:
    return sys.platform.startswith("linux") and shutil.which("dpkg") is not None


def _lacking(programs: dict[str, str], purpose: str) -> list[Need]:
    return [
        Need(program, package, purpose)
        for program, package in programs.items()
        if shutil.which(program) is None
    ]


def has_apt() -> bool:
    """Whether packages come from apt here."""
    return shutil.which("apt-get") is not None


def is_root() -> bool:
    """Whether this process may install system packages."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def packages_of(needs: Iterable[Need]) -> list[str]:
    """The Debian packages for `needs`, each once, in order."""
    return list(dict.fromkeys(need.package for need in needs))


def apt_command(packages: list[str], sudo: bool) -> str:
    """The one command that a person can paste."""
    prefix = "sudo " if sudo else ""
    return (
        f"{prefix}apt-get update && {prefix}apt-get install -y --no-install-recommends "
        + " ".join(packages)
    )


def advice(needs: list[Need], apt: bool) -> str:
    """Say in one sentence what is missing and what to do about it."""
    names = ", ".join(need.name for need in needs)
    if apt:
        return f"Missing on this system: {names}. Run:\n  {apt_command(packages_of(needs), True)}"
    if os.name == "nt":
        return (
            f"Missing on this system: {names}. Install the Visual Studio Build Tools with "
            "'Desktop development with C++', then run this again."
        )
    if sys.platform == "darwin":
        return f"Missing on this system: {names}. Run: xcode-select --install"
    return f"Missing on this system: {names}. Install them with the system's package manager."


def apt_install(packages: list[str], say: Callable[[str], None]) -> bool:
    """Install `packages` as root; False (with the reason said) when apt does not manage it."""
    say(f"Installing system packages: {' '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wait = ["-o", "DPkg::Lock::Timeout=120"]
    update = ["apt-get", *wait, "-q", "update"]
    install = ["apt-get", *wait, "-q", "install", "-y", "--no-install-recommends", *packages]
    for command in (update, install):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0 and command is install:
            lines = (done.stderr or done.stdout).strip().splitlines()[-3:]
            say("apt-get could not install them: " + " ".join(lines))
            return False
    return True
