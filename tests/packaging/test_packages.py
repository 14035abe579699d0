"""What packages are made of: the sign, small libraries, a Debian to try in, setup.exe's parts."""

from __future__ import annotations

import ctypes
import io
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

import clean_root
import cross_build
import freeze
import icons
import installer
import linux
import windows_setup
from setup_env import SetupError
from stamp import ROOT

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="for Linux")


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"needs {tool}")


# ---------------------------------------------------------------- the sign


def test_the_sign_comes_in_every_systems_form(qapp, tmp_path: Path) -> None:
    icons.write(tmp_path)
    for size in icons.LINUX:
        picture = QImage(str(tmp_path / f"hicolor/{size}x{size}/apps/modellab.png"))
        assert (picture.width(), picture.height()) == (size, size)
        assert picture.pixelColor(size // 2, size // 4).alpha() == 255
    ico = (tmp_path / "modellab.ico").read_bytes()
    _, kind, count = struct.unpack_from("<HHH", ico)
    assert (kind, count) == (1, len(icons.WINDOWS))
    for number, size in enumerate(icons.WINDOWS):
        length, place = struct.unpack_from("<II", ico, 6 + 16 * number + 8)
        assert QImage.fromData(ico[place : place + length]).width() == size
    assert QImage(str(tmp_path / "modellab.ico")).width() > 0  # Qt reads it, too
    icns = io.BytesIO((tmp_path / "modellab.icns").read_bytes())
    assert icns.read(4) == b"icns"
    assert struct.unpack(">I", icns.read(4))[0] == len(icns.getvalue())
    found = []
    while head := icns.read(8):
        found.append(QImage.fromData(icns.read(struct.unpack(">I", head[4:])[0] - 8)).width())
    assert found == sorted(icons.MACOS)


# ---------------------------------------------------------------- made small


@pytest.fixture
def library(tmp_path: Path) -> Path:
    if shutil.which("gcc") is None or shutil.which("strip") is None:
        pytest.skip("needs gcc and binutils")
    source = tmp_path / "a.c"
    source.write_text(
        "static int deep(int x) { return 3 * x; }\nint three(int x) { return deep(x); }"
    )
    made = tmp_path / "program" / "libs" / "liba.so.1"
    made.parent.mkdir(parents=True)
    subprocess.run(["gcc", "-g", "-shared", "-fPIC", source, "-o", made], check=True)
    return made


@linux_only
def test_libraries_lose_symbols_and_second_copies_and_still_load(library: Path) -> None:
    folder = library.parent.parent
    second = folder / "other" / "liba.so.1"
    module = folder / "other" / "a.cpython-311-x86_64-linux-gnu.so"
    second.parent.mkdir()
    shutil.copy(library, second)
    shutil.copy(library, module)
    before = library.stat().st_size
    freeze.slim(folder)
    assert library.stat().st_size < before
    assert not library.is_symlink()
    assert not module.is_symlink()
    assert second.is_symlink()
    assert not second.readlink().is_absolute()
    assert second.resolve() == library.resolve()
    assert ctypes.CDLL(str(second)).three(14) == 42
    assert [p for p in folder.rglob("*") if p.name.endswith(".stripped")] == []


@linux_only
def test_a_library_off_its_pages_is_told(library: Path) -> None:
    assert freeze.on_pages(library)
    content = bytearray(library.read_bytes())
    (start,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    loaded = [
        start + n * size for n in range(count)
        if struct.unpack_from("<I", content, start + n * size)[0] == 1
    ]  # fmt: skip
    (offset,) = struct.unpack_from("<Q", content, loaded[-1] + 8)
    struct.pack_into("<Q", content, loaded[-1] + 8, offset + 8)
    library.write_bytes(content)
    assert not freeze.on_pages(library)
    library.write_bytes(b"no library")
    assert not freeze.on_pages(library)


@linux_only
def test_icus_data_become_an_empty_library_of_the_same_name(library: Path) -> None:
    folder = library.parent
    data = folder / "libicudata.so.73"
    library.rename(data)
    freeze.without_icu_data(folder)
    table = (ctypes.c_uint8 * 32).in_dll(ctypes.CDLL(str(data)), "icudt73_dat")
    assert bytes(table[:4]) == b"\x20\x00\xda\x27"
    assert data.stat().st_size < 20_000


# ---------------------------------------------------------------- the clean Debian


@linux_only
@needs("dpkg-deb")
def test_an_older_version_is_the_same_with_a_lower_number(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr" / "lib" / "modellab").mkdir(parents=True)
    (tree / "usr" / "lib" / "modellab" / "here").write_text("x")
    needed = ["libc6"]
    (tree / "DEBIAN" / "control").write_text(linux.control("1.2.3", "amd64", needed, 1.0))
    deb = tmp_path / "new.deb"
    subprocess.run(["dpkg-deb", "--build", tree, deb], check=True, capture_output=True)
    made = clean_root.older_version(deb, tmp_path)
    told = subprocess.run(
        ["dpkg-deb", "--field", made, "Package", "Version"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert told == "Package: modellab\nVersion: 0.0.1\n"
    listed = subprocess.run(
        ["dpkg-deb", "--contents", made], capture_output=True, text=True, check=True
    ).stdout
    assert "of-the-older-one" in listed
    assert "/here" in listed


def test_every_file_counts_but_those_of_the_packager(tmp_path: Path) -> None:
    for name in (
        "usr/lib/modellab/left", "var/lib/dpkg/info/modellab.list", "var/cache/apt/x",
        "var/cache/modellab/x", "home/analyst/mine.toml", "proc/1/x", "etc/modellab.conf",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    found = {name for name in clean_root.files(tmp_path) if (tmp_path / name).is_file()}
    assert found == {"usr/lib/modellab/left", "var/cache/modellab/x", "etc/modellab.conf"}


@linux_only
def test_a_machine_that_cannot_mount_is_told_before_anything_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refuses = tmp_path / "bin" / "mount"
    refuses.parent.mkdir()
    refuses.write_text("#!/bin/sh\necho 'mount: permission denied.' >&2\nexit 32\n")
    refuses.chmod(0o755)
    monkeypatch.setenv("PATH", str(refuses.parent))
    with pytest.raises(clean_root.CannotTry, match=r"lets nobody mount.*permission denied"):
        clean_root.must_mount(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_another_systems_archive_is_not_asked_for_a_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clean_root.platform, "freedesktop_os_release", lambda: {"ID": "ubuntu"})
    assert clean_root.own_mirror() == []


def test_only_a_quick_try_goes_without_a_clean_debian(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = installer.Made(files=[tmp_path / "modellab_1_amd64.deb"])
    why: list[SetupError] = [clean_root.CannotTry("There is none."), SetupError("It fails.")]

    def check(deb: Path, out: Path, root: Path) -> dict[str, float]:
        raise why[0]

    monkeypatch.setattr(clean_root, "check", check)
    quick = installer.Wanted(tmp_path, check=True, only_try=True)
    installer.try_it(quick, made)
    assert "There is none." in capsys.readouterr().out
    with pytest.raises(SetupError, match="There is none"):
        installer.try_it(installer.Wanted(tmp_path, check=True), made)
    # A package that fails there is a failure, of a quick try too.
    del why[0]
    with pytest.raises(SetupError, match="It fails"):
        installer.try_it(quick, made)


def test_a_smoke_test_without_an_ok_is_a_failure() -> None:
    clean_root.expect_ok("Train: x\nok (3.0 s)\n")
    for told in ("", "Train: x\n", "ok (3.0 s)\nError\n"):
        with pytest.raises(SetupError, match="smoke test"):
            clean_root.expect_ok(told)


@needs("desktop-file-validate")
def test_the_menu_entry_is_valid() -> None:
    command = ["desktop-file-validate", "--no-hints", linux.DESKTOP / "modellab.desktop"]
    subprocess.run(command, check=True)


@needs("appstreamcli")
def test_the_appstream_data_are_valid() -> None:
    path = linux.DESKTOP / "modellab.metainfo.xml"
    subprocess.run(["appstreamcli", "validate", "--no-net", path], check=True)


# ---------------------------------------------------------------- setup.exe


@needs("makensis")
@pytest.mark.usefixtures("qapp")
def test_the_script_of_setup_compiles_without_a_warning(tmp_path: Path) -> None:
    windows_setup.compile_script(tmp_path)
    (made,) = tmp_path.glob("*-setup.exe")
    assert "rehearsal" in made.name
    assert made.read_bytes()[:2] == b"MZ"


@needs(cross_build.COMPILER)
def test_the_launchers_compile_without_a_warning(tmp_path: Path) -> None:
    for extra in ([], ["-DCONSOLE"]):
        command = [cross_build.COMPILER, "-Wall", "-Wextra", "-Werror", "-municode", *extra]
        command += [
            "-static",
            str(windows_setup.HERE / "launcher.c"),
            "-o",
            str(tmp_path / "l.exe"),
        ]
        subprocess.run(command, check=True)


@needs(cross_build.COMPILER)
def test_pythons_headers_fit_windows(tmp_path: Path) -> None:
    include = cross_build.headers(tmp_path)
    source = tmp_path / "m.c"
    source.write_text(
        "#include <Python.h>\n"
        '_Static_assert(sizeof(Py_hash_t) == 8 && PYLONG_BITS_IN_DIGIT == 30, "layout");\n'
        "PyMODINIT_FUNC PyInit_m(void) { return PyLong_FromSsize_t(PY_SSIZE_T_MAX); }\n"
    )
    command = [cross_build.COMPILER, "-c", "-Wall", f"-I{include}", str(source)]
    made = tmp_path / "m.o"
    subprocess.run([*command, "-o", str(made)], check=True)
    assert made.stat().st_size > 0


def test_only_pythons_own_archive_goes_under_its_name(tmp_path: Path) -> None:
    for name, words in ((windows_setup.PYTHON_ZIP, "is not python.org"), ("x.zip", "must be")):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("python.exe", "x")
        with pytest.raises(SetupError, match=words):
            windows_setup.lay_python(tmp_path / "python", path)


def test_an_archive_cannot_write_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cp311/../../evil.exe", "x")
    with pytest.raises(SetupError, match="odd place"):
        windows_setup.lay_python(tmp_path / "in" / "python", path)
    assert not list(tmp_path.glob("evil*"))


def test_what_goes_and_what_stays_on_windows(tmp_path: Path) -> None:
    stays = [
        "PySide6/__init__.py", "PySide6/QtWidgets.pyd", "PySide6/Qt6Svg.dll",
        "PySide6/QtOpenGL.pyd", "PySide6/Qt6OpenGLWidgets.dll",
        "PySide6/plugins/platforms/qwindows.dll", "numpy/_core/tests/_natype.py",
        "river/datasets/base.py", "pyarrow/arrow.dll", "modellab/__main__.py",
        "qtawesome/fonts/phosphor-1.3.0.ttf", "_duckdb.cp311-win_amd64.pyd",
    ]  # fmt: skip
    goes = [
        "PySide6/Qt6Quick.dll", "PySide6/opengl32sw.dll", "PySide6/QtSql.pyd", "bin/f2py.exe",
        "numpy/linalg/tests/test_linalg.py", "pyarrow/arrow_flight.dll", "scipy/x.pxd",
        "pyarrow/include/arrow/api.h", "qtawesome/fonts/fontawesome6-solid.ttf",
        "sklearn/datasets/images/a.jpg", "PySide6/qml/QtQuick/qmldir",
    ]  # fmt: skip
    for name in stays + goes:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    windows_setup.prune(tmp_path)
    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert left == set(stays)
    assert not (tmp_path / "PySide6" / "qml").exists()


def test_python_files_become_compiled_ones(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text("value = 42\n")
    windows_setup.compiled(tmp_path)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["__init__.pyc"]
    command = [
        sys.executable,
        "-I",
        "-c",
        "import sys; sys.path.insert(0, sys.argv[1]); import p; print(p.value)",
    ]
    told = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=True)
    assert told.stdout == "42\n"


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("0.1.0", ["0", "1", "0", "0"]),
        ("1.2.3.4.5", ["1", "2", "3", "4"]),
        ("2", ["2", "0", "0", "0"]),
    ],
)
def test_windows_wants_four_numbers(version: str, numbers: list[str]) -> None:
    assert windows_setup.four(version) == numbers


def test_what_stands_in_under_wine_is_never_shipped() -> None:
    for name in ("windows_setup.py", "installer.py", "cross_build.py", "windows/modellab.nsi"):
        text = (ROOT / "packaging" / name).read_text(encoding="utf-8")
        for word in ("shims", "icuuc", "ucrtbase", "complex.c"):
            assert word not in text, name
