"""``modellab doctor``: what a bug report needs."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import tempfile
from ctypes.util import find_library
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

from modellab import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARIES = (
    "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "river", "msgspec", "rich",
    "PySide6_Essentials", "pyqtgraph",
)  # fmt: skip
QT_LIBRARIES = ("EGL", "GL", "xkbcommon", "xkbcommon-x11", "xcb-cursor", "fontconfig", "dbus-1")
COMPILED = "modellab.learners.compiled"

Line = tuple[str, str, bool]


def show_doctor() -> int:
    """Print the report; return 0 if all is well, else 1."""
    from rich.table import Table

    from modellab.cli import show

    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column()
    well = True
    for title, text, good in report():
        well &= good
        table.add_row(title, show.plain(text), style=None if good else "bold red")
    console = show.out()
    console.print(table)
    console.print("All is well." if well else "Lines in red (or marked !) need attention.")
    return 0 if well else 1


def report() -> list[Line]:
    """Lines of the report: title, text, whether it is as it should be."""
    lines: list[Line] = [
        ("Model Lab", __version__, True),
        ("Python", f"{platform.python_version()} ({platform.python_implementation()})", True),
        ("System", f"{platform.system()} {platform.release()}, {platform.machine()}", True),
        ("Program", "frozen" if getattr(sys, "frozen", False) else "from source or a wheel", True),
    ]
    lines += [_library(name) for name in LIBRARIES]
    lines += [_cores(), _memory(), _display()]
    missing = _missing_qt_libraries()
    if missing is not None:
        text = "all found" if not missing else "! not found: " + ", ".join(missing)
        lines.append(("Qt's system libraries", text, not missing))
    lines += _compiled()
    from modellab import paths

    for title, folder in (
        ("Preferences", paths.config_dir),
        ("Cache", paths.cache_dir),
        ("State", paths.state_dir),
    ):
        lines.append(_folder(title, folder))
    return lines


def _library(name: str) -> Line:
    try:
        return name, metadata.version(name), True
    except metadata.PackageNotFoundError:
        frozen = bool(getattr(sys, "frozen", False))
        return name, "version not recorded" if frozen else "! not installed", frozen


def _cores() -> Line:
    import psutil

    physical = psutil.cpu_count(logical=False)
    return "Cores", f"{os.cpu_count()} logical, {physical or 'unknown'} physical", True


def _memory() -> Line:
    import psutil

    from modellab.replay.context import memory_budget

    found = psutil.virtual_memory()
    text = (
        f"{found.total / 1e9:.1f} GB, {found.available / 1e9:.1f} GB free; "
        f"budget {memory_budget() / 1e9:.1f} GB"
    )
    return "Memory", text, True


def _display() -> Line:
    if not sys.platform.startswith("linux"):
        return "Display", "the system's", True
    names = ("WAYLAND_DISPLAY", "DISPLAY", "QT_QPA_PLATFORM")
    told = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]
    # No display is no fault: everything but the window works without.
    return "Display", ", ".join(told) or "none (the window needs one; all else does not)", True


def _missing_qt_libraries() -> list[str] | None:
    """Qt's system libraries that are not there; None where Qt brings all it needs."""
    if not sys.platform.startswith("linux"):
        return None
    return [f"lib{name}" for name in QT_LIBRARIES if find_library(name) is None]


def _compiled() -> list[Line]:
    """Whether each compiled module of the learners can be loaded."""
    package = importlib.import_module(COMPILED)
    endings = tuple(EXTENSION_SUFFIXES)
    names = sorted(
        {
            path.name.partition(".")[0]
            for folder in package.__path__
            for path in Path(folder).iterdir()
            if path.name.endswith(endings)
        }
    )
    if not names:
        return [("Compiled parts", "! none found: install the program again", False)]
    lines = []
    for name in names:
        title = f"Compiled: {name.strip('_')}"
        try:
            importlib.import_module(f"{COMPILED}.{name}")
        except ImportError as error:
            lines.append((title, f"! cannot be loaded: {error}", False))
        else:
            lines.append((title, "loaded", True))
    return lines


def _folder(title: str, place: Callable[[], Path]) -> Line:
    try:
        folder = place()
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return title, f"! {error}", False
    return title, str(folder), True
