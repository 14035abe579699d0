"""What is missing on the system, and the one sentence about it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import system_libs
from system_libs import Need

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux libraries")


@linux
def test_the_dynamic_linker_is_asked() -> None:
    missing = system_libs.missing_libraries(["libc.so.6", "libmodellab-none.so.7"])
    assert missing == ["libmodellab-none.so.7"]


@linux
def test_missing_libraries_become_packages() -> None:
    def probe(names: Iterable[str]) -> list[str]:
        return [name for name in names if name in ("libEGL.so.1", "libxcb-cursor.so.0")]

    needs = system_libs.qt_needs(tests=False, probe=probe)
    assert system_libs.packages_of(needs) == ["libegl1", "libxcb-cursor0"]
    assert [need.purpose for need in needs] == ["drawing", "the window"]


@linux
def test_screen_programs_are_needed_by_tests_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_libs.shutil, "which", lambda name: None)
    assert system_libs.qt_needs(tests=False, probe=lambda names: []) == []
    needs = system_libs.qt_needs(tests=True, probe=lambda names: [])
    assert system_libs.packages_of(needs) == ["xvfb", "xauth", "xdotool"]


@linux
def test_what_packing_and_trying_take_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_dpkg(name: str) -> str | None:
        return "/usr/bin/dpkg" if name == "dpkg" else None

    monkeypatch.setattr(system_libs.shutil, "which", only_dpkg)
    wayland = ["libwayland-cursor0", "libwayland-egl1"]
    pack = ["dpkg-dev", "binutils", "xz-utils"]

    def packages(windows: bool) -> list[str]:
        return system_libs.packages_of(system_libs.packing_needs(windows, probe=list))

    assert packages(windows=False) == [*wayland, *pack]
    assert packages(windows=True) == [*wayland, *pack, "nsis", "gcc-mingw-w64-x86-64"]
    tried = system_libs.packages_of(system_libs.check_needs())
    assert tried == ["debootstrap", "xvfb", "imagemagick"]
    # Without dpkg no Debian package is made.
    monkeypatch.setattr(system_libs.shutil, "which", lambda name: None)
    assert system_libs.packing_needs(windows=True, probe=list) == []
    assert system_libs.check_needs() == []


def test_one_command_for_everything() -> None:
    needs = [Need("a", "gcc", ""), Need("b", "libegl1", ""), Need("c", "gcc", "")]
    advice = system_libs.advice(needs, apt=True)
    assert advice.count("apt-get install") == 1
    assert advice.endswith("--no-install-recommends gcc libegl1")


def test_without_apt_the_pieces_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    advice = system_libs.advice([Need("libEGL.so.1", "libegl1", "")], apt=False)
    assert "libEGL.so.1" in advice
    assert "apt-get" not in advice


@linux
def test_a_bare_debian_python_lists_all_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(system_libs.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(system_libs.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(system_libs.shutil, "which", lambda name: None)
    version = "python{}.{}".format(*sys.version_info[:2])
    packages = system_libs.packages_of(system_libs.python_needs())
    assert packages == [f"{version}-venv", f"{version}-dev", "gcc", "libc6-dev"]


def test_apt_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "apt-get"
    fake.write_text("#!/bin/sh\necho 'E: Unable to locate package' >&2\nexit 100\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    if sys.platform == "win32":
        pytest.skip("no shell scripts here")
    assert not system_libs.apt_install(["nothing"], said.append)
    assert said[-1].endswith("E: Unable to locate package")
