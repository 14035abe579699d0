"""Our compiled modules for 64-bit Windows, built on Linux with mingw-w64.

For the rehearsal of the Windows installer only. The shipped one takes a wheel that was built on
Windows with Microsoft's compiler (see `.github/workflows/installers.yml`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from build_hook import DIRECTIVES, FLAGS_UNIX, SOURCES, module_names
from setup_env import SetupError

COMPILER = "x86_64-w64-mingw32-gcc"
HERE = Path(__file__).resolve().parent / "windows"


def suffix() -> str:
    """End of a module's name on Windows, for the minor version that runs this."""
    return ".cp{}{}-win_amd64.pyd".format(*sys.version_info[:2])


def headers(work: Path) -> Path:
    """Lay out Python's headers with `pyconfig.h` for Windows; return the folder."""
    folder = work / "include"
    if not folder.exists():
        shutil.copytree(sysconfig.get_paths()["include"], folder)
        shutil.copyfile(HERE / "pyconfig.h", folder / "pyconfig.h")
    return folder


def build(root: Path, dll: Path, target: Path, work: Path, python: str = sys.executable) -> None:
    """Compile every Cython module of `root` for Windows and put them below `target`.

    Parameters
    ----------
    root
        Folder that holds `modellab/`.
    dll
        ``python3XX.dll`` of the Python they are for: the linker takes its names from it.
    target
        Where the modules go, at the same relative paths.
    work
        Folder for what is between.
    python
        An interpreter that has Cython.

    Raises
    ------
    SetupError
        If Cython or the compiler fails or is not there.
    """
    if shutil.which(COMPILER) is None:
        raise SetupError(
            f"Building for Windows needs: apt-get install gcc-mingw-w64-x86-64 ({COMPILER})."
        )
    wanted = "python{}{}.dll".format(*sys.version_info[:2])
    if dll.name.lower() != wanted:
        raise SetupError(f"{dll.name} is of another Python than the one that builds: {wanted}.")
    include = headers(work)
    code = work / "c"
    code.mkdir(parents=True, exist_ok=True)
    options = [f"-X{name}={value}" for name, value in DIRECTIVES.items()]
    for name in module_names(root):
        place = name.replace(".", "/")
        source = code / f"{place}.c"
        source.parent.mkdir(parents=True, exist_ok=True)
        command = [python, "-m", "cython", "-3", *options, f"{place}.pyx", "-o", str(source)]
        _run(command, root, f"translate {name}")
        made = target / f"{place}{suffix()}"
        made.parent.mkdir(parents=True, exist_ok=True)
        command = [COMPILER, "-shared", *FLAGS_UNIX, "-DNDEBUG", f"-I{include}"]
        command += [f"-I{root / folder}" for folder in SOURCES]
        command += [str(source), str(dll), "-static-libgcc", "-s", "-o", str(made)]
        _run(command, root, f"compile {name} for Windows")


def _run(command: list[str], folder: Path, what: str) -> None:
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise SetupError(f"{tail}\nCould not {what}.")
