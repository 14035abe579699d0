"""What is handed out: budget, checksums, licences, bill of materials, what a desktop is told."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from configparser import ConfigParser
from pathlib import Path

import pytest

import bill
import freeze
import installer
import linux
from modellab import __version__
from modellab.cli import COMMANDS
from setup_env import SetupError

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="for Linux")
SITE = Path(sysconfig.get_path("purelib"))


def test_the_version_is_the_programs() -> None:
    assert freeze.version() == __version__


def test_what_is_over_the_budget_is_told() -> None:
    most = installer.budget()
    fits = {"a.deb": most.download_mb}
    quick = {"first window, warm": most.first_window_warm_s}
    assert installer.over_budget(fits, {"linux": most.installed_mb}, quick) == []
    told = installer.over_budget(
        {**fits, "b.tar.xz": most.download_mb + 0.6},
        {"linux": most.installed_mb + 1},
        {"first window, cold": most.first_window_cold_s + 0.1},
    )
    assert len(told) == 3
    assert told[0].startswith("b.tar.xz")
    assert f"{most.installed_mb + 1:.0f} MB" in told[1]
    assert "cold" in told[2]


def test_the_budget_is_the_one_that_was_agreed() -> None:
    assert installer.budget() == installer.Budget(130.0, 450.0, 1.5, 3.0)


def test_the_readmes_table_is_replaced_between_its_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    shutil.copy(installer.README, readme)
    before = readme.read_text(encoding="utf-8")
    seconds = {"first window, warm": 0.5, "build": 600.0}
    told = installer.table({"a.deb": 100.0, "b.whl": 3.0}, {"linux": 400.0}, seconds)
    installer.keep_table(readme, told)
    installer.keep_table(readme, told)
    text = readme.read_text(encoding="utf-8")
    assert text.count("| `a.deb` | 100.0 MB | 130 MB |") == 1
    assert "| `b.whl` | 3.0 MB |  |" in text
    assert "| first window, warm | 0.50 s | 1.5 s |" in text
    assert "| building all of it | 10 min | |" in text
    assert text.partition(installer.BEGIN)[0] == before.partition(installer.BEGIN)[0]
    assert text.partition(installer.END)[2] == before.partition(installer.END)[2]
    readme.write_text("no marks")
    with pytest.raises(SetupError, match="marks"):
        installer.keep_table(readme, told)


def test_checksums_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "b.whl").write_bytes(b"two")
    (tmp_path / "a.deb").write_bytes(b"one")
    installer.checksums(tmp_path)
    installer.checksums(tmp_path)
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    wanted = [(b"one", "a.deb"), (b"two", "b.whl")]
    assert lines == [f"{hashlib.sha256(text).hexdigest()}  {name}" for text, name in wanted]


def test_a_library_is_listed_exactly_if_a_file_of_it_is_shipped() -> None:
    files = {SITE / "msgspec" / "__init__.py", SITE / "numpy" / "__init__.py"}
    # Only a record of it, as `modellab doctor` reads: that is not the library.
    files.add(next(SITE.glob("river-*.dist-info")) / "METADATA")
    found = {part.name.lower(): part for part in bill.libraries(SITE, files)}
    assert set(found) == {"msgspec", "numpy"}
    assert "BSD" in found["numpy"].licence
    assert any("NumPy Developers" in text for text in found["numpy"].texts.values())
    listed = bill.licence_list(list(found.values()))
    assert "NumPy Developers" in listed


def test_qt_is_taken_under_the_lgpl_and_its_text_is_there() -> None:
    name = next(SITE.glob("PySide6/QtCore*"))
    found = {part.name.lower(): part for part in bill.libraries(SITE, {name})}
    (part,) = found.values()
    assert "LGPL" in part.licence
    listed = bill.licence_list([part])
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in listed
    short = bill.summary(listed)
    assert "PySide6_Essentials" in short
    assert "LICENCES.txt" in short
    assert "GENERAL PUBLIC LICENSE" not in short
    assert "GNU GENERAL PUBLIC LICENSE" in listed
    assert "Commercial.txt" not in listed


def test_python_is_listed_with_its_licence(tmp_path: Path) -> None:
    (tmp_path / "COLLECT-00.toc").write_text("([], 'folder', 1)")
    (tmp_path / "PYZ-00.toc").write_text("('/o', [])")
    (python,) = bill.parts(tmp_path, SITE)
    assert python.name == "cpython"
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in "".join(python.texts.values())


def test_a_library_without_a_text_of_its_licence_stops_the_list(tmp_path: Path) -> None:
    info = tmp_path / "bare-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: bare\nVersion: 1.0\nLicense: MIT\n"
    )
    (info / "RECORD").write_text("bare.py,,\n")
    with pytest.raises(SetupError, match="text of its licence"):
        bill.libraries(tmp_path, {tmp_path / "bare.py"})


def test_the_bill_is_cyclonedx_and_names_every_part() -> None:
    found = [
        bill.Part("Some_Lib", "1.0", "MIT", "pypi"),
        bill.Part("libz1", "1.2", "see its text", "deb"),
    ]
    told = json.loads(bill.cyclonedx("0.1.0", found))
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.5")
    assert [c["purl"] for c in told["components"]] == [
        "pkg:pypi/some-lib@1.0",
        "pkg:deb/debian/libz1@1.2",
    ]
    assert told["dependencies"][0]["dependsOn"] == [c["bom-ref"] for c in told["components"]]
    assert bill.cyclonedx("0.1.0", found) == bill.cyclonedx("0.1.0", list(found))


def test_the_freezers_lists_are_read(tmp_path: Path) -> None:
    (tmp_path / "COLLECT-00.toc").write_text("([('a/b.so', '/x/b.so', 'BINARY')], 'folder', 1)")
    (tmp_path / "PYZ-00.toc").write_text("('/o', [('m', '/x/m.py', 'PYMODULE')])")
    assert bill.shipped(tmp_path) == {Path("/x/b.so"), Path("/x/m.py")}


# ---------------------------------------------------------------- what a desktop is told


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Something in the place of the frozen program."""
    folder = tmp_path / "frozen" / "modellab"
    (folder / "_internal").mkdir(parents=True)
    (folder / "modellab").write_text("#!/bin/sh\necho started as $0\n")
    (folder / "modellab").chmod(0o755)
    (folder / "_internal" / "data.txt").write_text("data")
    return folder


@pytest.fixture
def extras(tmp_path: Path) -> linux.Extras:
    icon = tmp_path / "icons" / "48x48" / "apps" / "modellab.png"
    icon.parent.mkdir(parents=True)
    icon.write_bytes(b"a picture")
    return linux.Extras("1.0", "licences\n", "{}\n", tmp_path / "icons")


def test_experiments_belong_to_it_and_tables_do_not() -> None:
    entry = ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment,method-assign]
    entry.read(linux.DESKTOP / "modellab.desktop", encoding="utf-8")
    offered = entry["Desktop Entry"]["MimeType"].strip(";").split(";")
    space = "{http://www.freedesktop.org/standards/shared-mime-info}"
    types = ET.parse(linux.DESKTOP / "modellab-mime.xml").getroot()
    patterns = {
        kind.get("type"): [glob.get("pattern") for glob in kind.iter(f"{space}glob")]
        for kind in types
    }
    assert patterns["application/x-modellab-experiment"] == ["*.mlab"]
    assert set(offered) == {*patterns, "text/csv"}
    about = ET.parse(linux.DESKTOP / "modellab.metainfo.xml").getroot()
    # It provides what is its own only.
    assert [e.text for e in about.iter("mediatype")] == ["application/x-modellab-experiment"]


def test_the_manual_page_names_every_command() -> None:
    text = (linux.DESKTOP / "modellab.1").read_text(encoding="utf-8")
    (listed,) = re.findall(r"commands are\n((?:\.BR .+\n)+)", text)
    assert set(re.findall(r"[a-z]{3,}", listed)) - {"and"} == set(COMMANDS)


@linux_only
def test_the_portable_archive_installs_and_leaves_nothing(
    program: Path, extras: linux.Extras, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    made = linux.portable(program, extras, out, 0)
    assert [path.name for path in out.iterdir()] == [made.name]
    shutil.unpack_archive(made, tmp_path / "unpacked")
    (folder,) = (tmp_path / "unpacked").iterdir()
    home = tmp_path / "a home"
    kept = home / ".config" / "modellab" / "preferences.toml"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")

    def script(*arguments: str) -> None:
        environment = {**os.environ, "HOME": str(home)}
        subprocess.run([folder / "install.sh", *arguments], env=environment, check=True)

    script()
    script()  # over an older one
    command = home / ".local" / "bin" / "modellab"
    told = subprocess.run([command], capture_output=True, text=True, check=True).stdout
    assert told.startswith("started as")
    entry = (home / ".local" / "share" / "applications" / "modellab.desktop").read_text()
    assert f'Exec="{command}" %F' in entry
    script("--remove")
    made_by_tools = ("mime", "mimeinfo.cache")
    left = [
        path
        for path in home.rglob("*")
        if path.is_file() and not any(part in path.parts for part in made_by_tools)
    ]
    assert left == [kept]


@linux_only
@pytest.mark.skipif(shutil.which("dpkg-shlibdeps") is None, reason="needs dpkg-dev")
def test_the_deb_declares_what_it_needs(
    program: Path, extras: linux.Extras, tmp_path: Path
) -> None:
    shutil.copy("/bin/true", program / "modellab")
    made = linux.deb(program, extras, tmp_path, tmp_path / "work", 0)
    told = subprocess.run(
        ["dpkg-deb", "--field", made, "Package", "Version", "Depends", "Recommends"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "libc6 (>=" in told
    assert "libegl1" in told
    listed = subprocess.run(
        ["dpkg-deb", "--contents", made], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert all("root/root" in line for line in listed)
    ends = " ".join(listed)
    for place in linux.PLACES.values():
        assert f"./usr/share/{place}" in ends
    assert "./usr/share/icons/hicolor/48x48/apps/modellab.png" in ends
    assert "./usr/bin/modellab -> ../lib/modellab/modellab" in ends
    # Nothing outside /usr, so removing it leaves nothing behind.
    assert {line.split()[5].split("/")[1] for line in listed} <= {"", "usr"}


@linux_only
@pytest.mark.skipif(shutil.which("dpkg-shlibdeps") is None, reason="needs dpkg-dev")
def test_an_unknown_library_stops_the_deb(program: Path, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    source = tmp_path / "a.c"
    source.write_text("int nowhere(void); int f(void) { return nowhere(); }")
    (tmp_path / "n.c").write_text("int nowhere(void) { return 1; }")
    subprocess.run(
        [
            "gcc",
            "-shared",
            "-o",
            tmp_path / "libnowhere.so.7",
            "-Wl,-soname,libnowhere.so.7",
            tmp_path / "n.c",
        ],
        check=True,
    )
    subprocess.run(
        [
            "gcc",
            "-shared",
            "-o",
            program / "_internal" / "a.so",
            source,
            tmp_path / "libnowhere.so.7",
        ],
        check=True,
    )
    shutil.copy("/bin/true", program / "modellab")
    with pytest.raises(SetupError, match="libnowhere"):
        linux.depends(program, tmp_path / "work")
