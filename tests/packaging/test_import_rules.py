"""What is really loaded at start-up: the contracts see import lines, these see the process."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import modellab

HEAVY = ("pandas", "sklearn", "river", "scipy", "pyarrow")
QT = ("PySide6", "pyqtgraph", "qtawesome")

PROBE = """
import importlib, json, sys
names, watched = json.loads(sys.argv[1])
culprits = {}
for name in names:
    importlib.import_module(name)
    for module in watched:
        if module in sys.modules and module not in culprits:
            culprits[module] = name
print(json.dumps(culprits))
"""


def first_importers(names: list[str], watched: tuple[str, ...]) -> dict[str, str]:
    """Import `names` in a fresh process; which of them first brought each of `watched`."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps([names, watched])],
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def modules() -> list[str]:
    found = pkgutil.walk_packages([str(Path(modellab.__file__).parent)], "modellab.")
    return sorted(module.name for module in found)


def test_the_window_loads_nothing_heavy() -> None:
    names = [name for name in modules() if name.split(".")[1] == "gui"]
    assert names
    assert first_importers(names, HEAVY) == {}


def test_only_the_window_loads_qt() -> None:
    names = [name for name in modules() if name.split(".")[1] != "gui"]
    assert first_importers(names, QT) == {}


def test_the_package_itself_costs_nothing() -> None:
    assert first_importers(["modellab"], (*HEAVY, *QT, "numpy", "msgspec", "typer")) == {}
