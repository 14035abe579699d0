"""The stamp: what is done again after which change, and what is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import stamp


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small copy of what the package's build depends on."""
    root = tmp_path / "project"
    (root / "modellab" / "fast").mkdir(parents=True)
    (root / "packaging").mkdir()
    shutil.copy(stamp.ROOT / "pyproject.toml", root)
    (root / "modellab" / "__init__.py").write_text('__version__ = "1"\n')
    (root / "modellab" / "fast" / "_sum.pyx").write_text("def total(): return 1\n")
    (root / "packaging" / "build_hook.py").write_text("FLAGS = []\n")
    return root


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("modellab/fast/_sum.pyx", "return 1", "return 2"),
        ("packaging/build_hook.py", "[]", "['-O3']"),
        ("modellab/__init__.py", '"1"', '"2"'),
        ("pyproject.toml", '"rich>=14"', '"rich>=15"'),
        ("pyproject.toml", "modellab.cli:main", "modellab.cli:other"),
    ],
)
def test_a_change_that_the_build_sees_builds_again(
    project: Path, name: str, old: str, new: str
) -> None:
    before = stamp.package_digest(project)
    edit(project / name, old, new)
    assert stamp.package_digest(project) != before


def test_a_new_compiled_module_builds_again(project: Path) -> None:
    before = stamp.package_digest(project)
    (project / "modellab" / "fast" / "_more.pxd").write_text("cdef int x\n")
    assert stamp.package_digest(project) != before


def test_linter_settings_and_python_code_build_nothing(project: Path) -> None:
    before = stamp.package_digest(project)
    edit(project / "pyproject.toml", "line-length = 100", "line-length = 101")
    (project / "modellab" / "new.py").write_text("x = 1\n")
    assert stamp.package_digest(project) == before


def test_a_project_that_moved_is_installed_again(project: Path, tmp_path: Path) -> None:
    before = stamp.package_digest(project)
    assert stamp.package_digest(project.rename(tmp_path / "elsewhere")) != before


def test_line_ends_of_the_lock_do_not_matter(tmp_path: Path) -> None:
    unix, windows = tmp_path / "unix.txt", tmp_path / "windows.txt"
    unix.write_bytes(b"a==1\nb==2\n")
    windows.write_bytes(b"a==1\r\nb==2\r\n")
    assert stamp.dependencies_digest(unix) == stamp.dependencies_digest(windows)
    unix.write_bytes(b"a==1\nb==3\n")
    assert stamp.dependencies_digest(unix) != stamp.dependencies_digest(windows)


@pytest.mark.parametrize(
    "built",
    [
        "_sum.cpython-311-x86_64-linux-gnu.so",
        "_sum.cpython-311-darwin.so",
        "_sum.cp311-win_amd64.pyd",
    ],
)
def test_a_built_module_counts_for_its_own_python_only(project: Path, built: str) -> None:
    source = project / "modellab" / "fast" / "_sum.pyx"
    assert stamp.unbuilt("cp311", project) == [source]
    (source.parent / built).write_bytes(b"")
    assert stamp.unbuilt("cp311", project) == []
    assert stamp.unbuilt("cp312", project) == [source]


def test_a_similar_name_is_another_module(project: Path) -> None:
    (project / "modellab" / "fast" / "_summary.cpython-311-darwin.so").write_bytes(b"")
    assert len(stamp.unbuilt("cp311", project)) == 1


def test_the_stamp_is_read_as_written(tmp_path: Path) -> None:
    written = stamp.Stamp("i", "d", "p", ["libegl1"])
    written.write(tmp_path)
    assert stamp.Stamp.read(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == [stamp.STAMP_NAME]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"other": 1}', "null"])
def test_a_damaged_stamp_is_no_stamp(tmp_path: Path, text: str) -> None:
    (tmp_path / stamp.STAMP_NAME).write_text(text)
    assert stamp.Stamp.read(tmp_path) == stamp.Stamp()


def test_no_interpreter_no_digest(tmp_path: Path) -> None:
    assert stamp.interpreter_digest(tmp_path) == ""
    (tmp_path / "pyvenv.cfg").write_text("version = 3.11.2\n")
    assert stamp.interpreter_digest(tmp_path) == ""  # a base Python that was removed
    python = stamp.venv_python(tmp_path)
    python.parent.mkdir()
    python.write_bytes(b"")
    assert stamp.interpreter_digest(tmp_path) != ""


def test_the_python_of_an_environment(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")
    assert stamp.python_tag(tmp_path) == "cp312"
