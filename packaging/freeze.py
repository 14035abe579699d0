"""The frozen program: Model Lab's wheel and its run-time libraries in one folder (PyInstaller).

Everything is built in a folder of its own: the sdist, from it the wheel, an environment with the
pinned dependencies and that wheel, and from it the program. Each is tested by `--smoke-test`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from setup_env import SetupError, child_environment, explain_pip, say
from stamp import LOCK, ROOT, venv_python

FREEZER = ["pyinstaller==6.22.3", "pyinstaller-hooks-contrib==2026.9"]
SPEC = ROOT / "packaging" / "modellab.spec"


def do(command: list[str], what: str, folder: Path, **environment: str) -> str:
    """Run one step; return what it printed.

    Raises
    ------
    SetupError
        If it fails, with its last lines.
    """
    env = child_environment(**environment)
    env.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        text = done.stdout + done.stderr
        tail = "".join(f"    {line}\n" for line in text.splitlines()[-15:])
        raise SetupError(f"{tail}Could not {what}. {explain_pip(text)}")
    return done.stdout


def make_environment(work: Path) -> Path:
    """Make an environment with the pinned dependencies and the freezer; return its Python."""
    venv = work / "venv"
    done = venv / "of-this-lock"
    wanted = hashlib.sha256(LOCK.read_bytes() + " ".join(FREEZER).encode()).hexdigest()
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return venv_python(venv)
    shutil.rmtree(venv, ignore_errors=True)
    do([sys.executable, "-m", "venv", str(venv)], "make an environment", work)
    python = str(venv_python(venv))
    pip = [python, "-m", "pip", "install", "-q", "--no-input"]
    say("  dependencies ...")
    locked = [*pip, "--no-compile", "--require-hashes", "-r", str(LOCK)]
    do(locked, "install the dependencies", work)
    do([*pip, *FREEZER], "install PyInstaller", work)
    done.write_text(wanted, encoding="utf-8")
    return venv_python(venv)


def make_wheel(python: Path, out: Path, work: Path) -> tuple[Path, Path]:
    """Build the sdist into `out`, and from it, unpacked elsewhere, the wheel; return both."""
    hatch = [str(python), "-m", "hatchling", "build", "-d", str(out)]
    do([*hatch, "-t", "sdist"], "build the sdist", ROOT)
    (sdist,) = out.glob("modellab-*.tar.gz")
    shutil.rmtree(work / "sdist", ignore_errors=True)
    shutil.unpack_archive(sdist, work / "sdist", filter="data")
    (unpacked,) = (work / "sdist").iterdir()
    do([*hatch, "-t", "wheel"], "build the wheel", unpacked)
    (wheel,) = out.glob("modellab-*.whl")
    return sdist, wheel


def smoke(command: list[str], what: str, work: Path) -> None:
    """Do the main job with a program that was built.

    Raises
    ------
    SetupError
        If it does not say ok.
    """
    home = work / "smoke-home"
    told = do(
        [*command, "--smoke-test"],
        f"pass the smoke test of {what}",
        work,
        MODELLAB_HOME=str(home),
        QT_QPA_PLATFORM="offscreen",
    )
    last = told.splitlines()[-1] if told else ""
    if not last.startswith("ok ("):
        raise SetupError(f"The smoke test of {what} ended without an ok: {last or 'no words'}.")
    say(f"  smoke test of {what}: {last}")


def freeze(python: Path, work: Path) -> Path:
    """Freeze the wheel that is installed in `python`'s environment; return the folder."""
    icons = [str(python), str(ROOT / "packaging" / "icons.py"), str(work / "icons")]
    do(icons, "draw icons", work)
    command = [str(python), "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    command += ["--distpath", str(work / "frozen"), "--workpath", str(work / "freezing")]
    do([*command, str(SPEC)], "freeze the program", work)
    folder = work / "frozen" / "modellab"
    slim(folder)
    return folder


def slim(folder: Path) -> None:
    """Take out what the program runs without: symbols for debuggers, second copies of libraries."""
    if not sys.platform.startswith("linux"):
        return
    without_icu_data(folder)
    libraries = [p for p in sorted(folder.rglob("*.so*")) if p.is_file() and not p.is_symlink()]
    tool = shutil.which("strip")
    if tool is None:
        raise SetupError("Making the program small needs strip: apt-get install binutils.")
    for library in libraries:
        strip(tool, library)
    first: dict[bytes, Path] = {}
    for library in libraries:
        with library.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        known = first.setdefault(digest, library)
        # An extension module is looked for by its own name; a library may be a link to another.
        if known is not library and ".cpython-" not in library.name:
            library.unlink()
            library.symlink_to(os.path.relpath(known, library.parent))


def without_icu_data(folder: Path) -> None:
    """Put an empty library in the place of ICU's data; see desktop/no_icu_data.c."""
    for library in folder.rglob("libicudata.so.*"):
        if library.is_symlink():
            continue
        number = library.name.rpartition(".")[2]
        source = ROOT / "packaging" / "desktop" / "no_icu_data.c"
        command = ["gcc", "-shared", "-O2", "-nostdlib", f"-DNAME=icudt{number}_dat"]
        command += [f"-Wl,-soname,{library.name}", "-o", str(library), str(source)]
        library.unlink()
        do(command, "make an ICU without data", folder)


def strip(tool: str, library: Path) -> None:
    """Strip one library; left as it is where that would break it.

    Libraries that were added to wheels afterwards have segments that strip moves off their pages.
    """
    lighter = library.with_name(library.name + ".stripped")
    done = subprocess.run(
        [tool, "--strip-unneeded", "-o", str(lighter), str(library)],
        capture_output=True,
        check=False,
    )
    if done.returncode == 0 and on_pages(lighter):
        shutil.copymode(library, lighter)
        lighter.replace(library)
    else:
        lighter.unlink(missing_ok=True)


def on_pages(library: Path) -> bool:
    """Whether the loader can map a 64-bit library: its segments lie on pages of the file."""
    content = library.read_bytes()
    if content[:5] != b"\x7fELF\x02":
        return False
    (start,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    for number in range(count):
        kind, _, offset, address = struct.unpack_from("<IIQQ", content, start + number * size)
        (align,) = struct.unpack_from("<Q", content, start + number * size + 48)
        if kind == 1 and align > 1 and (address - offset) % align:  # PT_LOAD
            return False
    return True


def installed_mb(folder: Path) -> float:
    """Size of all files below a folder, in MB (10^6 bytes); links count nothing."""
    files = (Path(top) / name for top, _, names in os.walk(folder) for name in names)
    return sum(path.stat().st_size for path in files if not path.is_symlink()) / 1e6


def version() -> str:
    """Model Lab's version."""
    text = (ROOT / "modellab" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)
    if found is None:
        raise SetupError("modellab/__init__.py tells no version.")
    return found.group(1)
