"""The build of the compiled learners: what goes where, and what is said when it cannot be."""

from __future__ import annotations

import importlib.machinery
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HOOK = ROOT / "packaging" / "build_hook.py"
FOLDER = "modellab/learners/compiled"

DRIVER = """
import importlib.util, json, sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("build_hook", sys.argv[1])
hook_module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hook_module)
hook = hook_module.CustomBuildHook(sys.argv[2], {}, None, None, sys.argv[2], sys.argv[3])
data = {"force_include": {}}
hook.initialize(sys.argv[4], data)
there = [Path(path).is_file() for path in data["force_include"]]
hook.finalize(sys.argv[4], data, "")
left = [Path(path).exists() for path in data["force_include"]]
print(json.dumps([data, there, left]))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with one small module of the package."""
    for tool in ("Cython", "setuptools", "hatchling"):
        pytest.importorskip(tool)
    folder = tmp_path / "tree" / FOLDER
    folder.mkdir(parents=True)
    for name in ("_math.pyx", "_math.pxd", "_exp_table.h", "_cpu.h"):
        shutil.copy(ROOT / FOLDER / name, folder / name)
    (folder / "__init__.py").touch()
    (folder.parent / "__init__.py").touch()
    (folder.parent.parent / "__init__.py").touch()
    return tmp_path / "tree"


def run_hook(
    tree: Path, target: str, version: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, str(HOOK), str(tree), target, version],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def built_in(tree: Path) -> list[Path]:
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    return [path for path in (tree / FOLDER).iterdir() if path.name.endswith(suffixes)]


def test_a_wheel_gets_the_modules_and_the_tree_stays_clean(tree: Path) -> None:
    before = sorted(tree.rglob("*"))
    done = run_hook(tree, "wheel", "standard")
    assert done.returncode == 0, done.stderr
    data, there, left = json.loads(done.stdout)
    assert data["pure_python"] is False
    assert data["infer_tag"] is True
    assert [Path(to).parent.as_posix() for to in data["force_include"].values()] == [FOLDER]
    assert there == [True]
    assert left == [False]
    assert sorted(tree.rglob("*")) == before


def test_an_editable_install_builds_in_place_and_an_sdist_builds_nothing(tree: Path) -> None:
    done = run_hook(tree, "sdist", "standard")
    assert (done.returncode, built_in(tree)) == (0, [])
    done = run_hook(tree, "wheel", "editable")
    assert done.returncode == 0, done.stderr
    assert len(built_in(tree)) == 1
    # A module that says where it was built would differ from machine to machine.
    assert str(tree).encode() not in built_in(tree)[0].read_bytes()
    code = (
        "import numpy as np, sys; sys.path.insert(0, sys.argv[1])\n"
        "from modellab.learners.compiled import _math\n"
        "out = np.empty(1); _math.exp(np.zeros(1), out); assert out[0] == 1.0\n"
        "assert _math.__file__.startswith(sys.argv[1]), _math.__file__"
    )
    subprocess.run([sys.executable, "-c", code, str(tree)], check=True, cwd=tree)


def test_without_a_compiler_it_says_what_to_install(tree: Path) -> None:
    done = run_hook(tree, "wheel", "standard", CC="/nowhere/cc")
    assert done.returncode != 0
    assert "need a C compiler" in done.stderr
    assert "apt-get install gcc" in done.stderr


def test_a_mistake_in_a_source_is_told_as_such(tree: Path) -> None:
    (tree / FOLDER / "_math.pyx").write_text("def broken(:\n", encoding="utf-8")
    done = run_hook(tree, "wheel", "standard")
    assert done.returncode != 0
    assert "could not be built" in done.stderr
    assert "apt-get" not in done.stderr
