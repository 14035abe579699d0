"""The wheel and the sdist: what they hold, and that the wheel runs away from the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import build_hook
from stamp import ROOT, venv_python

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
BUILDER = """
import sys
from hatchling.builders.{kind} import {name}
sys.stdout.write(next({name}(sys.argv[1]).build(directory=sys.argv[2], versions=["standard"])))
"""

STEPS = (
    "Learners", "Files", "Open a sample", "Train", "Deploy", "Replay", "Change a lane",
    "Fork a lane", "Verdict", "Save and reopen", "Kill the engine", "Go on", "Report", "Window",
)  # fmt: skip
"""What the smoke test tells of."""


def built(kind: str, folder: Path) -> Path:
    """Build in a process of its own, as a front end does."""
    code = BUILDER.format(kind=kind, name=f"{kind.capitalize()}Builder")
    ended = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), str(folder)],
        cwd=ROOT,
        env={**os.environ, build_hook.REUSE: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return Path(ended.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("sdist", tmp_path_factory.mktemp("sdist"))


def sources() -> set[str]:
    """Paths of all Python files of the package, as git or a person would list them."""
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / "modellab").rglob("*.py")}


def test_the_wheel_holds_the_package_its_resources_and_compiled_modules(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = archive.read(
            next(n for n in names if n.endswith("entry_points.txt"))
        ).decode()
    assert sources() <= names
    for path in (ROOT / "resources").rglob("*"):
        if path.is_file():
            inside = "modellab/resources/" + path.relative_to(ROOT / "resources").as_posix()
            assert inside in names
    # Those for AVX2 too, where the system has them.
    modules = [*build_hook.module_names(ROOT), *build_hook.twin_names(ROOT)]
    compiled = {name.replace(".", "/") + SUFFIX for name in modules}
    assert compiled == {n for n in names if n.endswith((".so", ".pyd"))}
    # One machine, one Python: never taken for a wheel that fits everywhere.
    assert not wheel.name.endswith("-any.whl")
    assert "modellab = modellab.cli:main" in entry_points
    assert "modellab-gui = modellab.__main__:main" in entry_points


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for name in names:
            assert str(ROOT).encode() not in archive.read(name), name
    allowed = re.compile(r"(modellab|modellab-[^/]+\.dist-info)/")
    assert [name for name in names if not allowed.match(name)] == []
    assert [n for n in names if re.search(r"__pycache__|(^|/)tests?/|\.mlab$|\.c$", n)] == []
    assert wheel.stat().st_size < 12e6


def test_the_sdist_can_be_built_from(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert sources() <= names
    needed = {
        "pyproject.toml",
        "README.md",
        "packaging/build_hook.py",
        "packaging/constraints.txt",
        "resources/samples/flights.parquet",
        *(f"{name.replace('.', '/')}.pyx" for name in build_hook.module_names(ROOT)),
    }
    assert needed <= names
    # Every machine compiles its own.
    assert [n for n in names if n.endswith((".so", ".pyd", ".pyc"))] == []


def test_no_folder_of_this_machines_python_is_linked_in() -> None:
    command = ["gcc", "-shared", "-L/p/lib", "-Wl,-rpath,/p/lib", "-Wl,-R/p", "-Wl,-O1"]
    assert build_hook.without_rpath(command) == ["gcc", "-shared", "-L/p/lib", "-Wl,-O1"]


@pytest.mark.end_to_end
def test_the_wheel_does_the_main_job_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    # Its dependencies are those of this environment: what is not seen there is this repository,
    # whose editable install is a line in a .pth file, and such files are not read a second time.
    # With dependencies of its own the same is done by `dev.py installer`, which has the time.
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(venv)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DISPLAY")
    }
    environment |= {"MODELLAB_HOME": str(home), "TMPDIR": str(work), "TEMP": str(work)}
    command = [str(venv_python(venv)), "-P", "-m", "modellab"]
    where = subprocess.run(
        [str(venv_python(venv)), "-P", "-c", "import modellab; print(modellab.__file__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(venv)
    ended = subprocess.run(
        [*command, "--smoke-test"],
        cwd=tmp_path,
        env={**environment, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    *lines, last = ended.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(STEPS)
    assert last.startswith("ok (")
    # The person's own folders were not touched, and the temporary one is gone.
    assert list(home.iterdir()) == []
    assert [path.name for path in work.iterdir() if path.name.startswith("modellab-smoke")] == []
