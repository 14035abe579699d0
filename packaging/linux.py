"""The frozen program for Linux: a `.deb`, and a portable archive with an install script."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import bill
from freeze import installed_mb
from setup_env import SetupError
from stamp import ROOT

DESKTOP = ROOT / "packaging" / "desktop"
# There is no address yet that mail can be sent to: .invalid is reserved for just that.
MAINTAINER = "Model Lab developers <developers@modellab.invalid>"
PLACES = {
    "modellab.desktop": "applications/modellab.desktop",
    "modellab-mime.xml": "mime/packages/modellab.xml",
    "modellab.svg": "icons/hicolor/scalable/apps/modellab.svg",
    "modellab.metainfo.xml": "metainfo/io.github.modellab.ModelLab.metainfo.xml",
}
# Loaded by name while the program runs, so that no file names them: fonts, and how windows look.
RECOMMENDS = ["shared-mime-info", "desktop-file-utils", "xdg-desktop-portal"]
# ldconfig's answer is not asked: these are what Qt loads with dlopen.
LOADED_BY_NAME = ["libegl1", "libgl1"]


@dataclass(frozen=True)
class Extras:
    """What is packed beside the program."""

    version: str
    licences: str
    bill: str
    """The bill of materials."""
    icons: Path
    """Folder of the sign's pictures, by size."""


def share(target: Path, extras: Extras) -> None:
    """Write what a desktop needs below `target` (``.../share``)."""
    shutil.copytree(extras.icons, target / "icons" / "hicolor", dirs_exist_ok=True)
    for name, place in PLACES.items():
        path = target / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DESKTOP / name, path)
    compressed(target / "man" / "man1" / "modellab.1.gz", (DESKTOP / "modellab.1").read_bytes())
    about = target / "doc" / "modellab"
    about.mkdir(parents=True, exist_ok=True)
    (about / "copyright").write_text(bill.summary(extras.licences), encoding="utf-8")
    (about / "modellab.cdx.json").write_text(extras.bill, encoding="utf-8")
    text = f"modellab ({extras.version}) unstable; urgency=low\n\n  * See the README.\n\n"
    text += f" -- {MAINTAINER}  Thu, 01 Jan 2026 00:00:00 +0000\n"
    compressed(about / "changelog.gz", text.encode())


def compressed(path: Path, content: bytes) -> None:
    """Write gzip without a clock in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 9, mtime=0))


def modes(tree: Path) -> None:
    """Give every file the mode that it has in an installed system."""
    for top, folders, names in os.walk(tree):
        for name in folders:
            (Path(top) / name).chmod(0o755)
        for name in names:
            path = Path(top) / name
            if path.is_symlink():
                continue
            runs = path.stat().st_mode & 0o100 and (".so" not in name)
            path.chmod(0o755 if runs else 0o644)


def depends(program: Path, work: Path) -> list[str]:
    """Debian packages whose libraries the program's own libraries ask for, with versions.

    Raises
    ------
    SetupError
        If a library cannot be found: the package would not run, so none is made.
    """
    tool = shutil.which("dpkg-shlibdeps")
    if tool is None:
        raise SetupError("Making a .deb needs dpkg-shlibdeps: apt-get install dpkg-dev.")
    folder = work / "shlibdeps"
    (folder / "debian").mkdir(parents=True, exist_ok=True)
    (folder / "debian" / "control").write_text(
        "Source: modellab\n\nPackage: modellab\nArchitecture: any\n"
    )
    libraries = [p for p in program.rglob("*.so*") if p.is_file() and not p.is_symlink()]
    places = sorted({str(path.parent) for path in libraries})
    # Ours need no package: a library that is nowhere is still an error.
    command = [
        tool,
        "-O",
        "-xmodellab",
        "--ignore-missing-info",
        *(f"-l{place}" for place in places),
    ]
    command += [str(program / "modellab"), *map(str, libraries)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = re.search(r"^shlibs:Depends=(.+)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or found is None:
        wrong = [line for line in done.stderr.splitlines() if "error" in line][-8:]
        raise SetupError(
            "The libraries that the program needs could not be told:\n" + "\n".join(wrong)
        )
    named = found.group(1).split(", ")
    known = {name.split()[0] for name in named}
    return named + [name for name in LOADED_BY_NAME if name not in known]


def control(version: str, architecture: str, needed: list[str], megabytes: float) -> str:
    """The package's control file."""
    return (
        f"Package: modellab\nVersion: {version}\nArchitecture: {architecture}\n"
        f"Maintainer: {MAINTAINER}\nInstalled-Size: {int(megabytes * 1e6 / 1024)}\n"
        f"Depends: {', '.join(needed)}\nRecommends: {', '.join(RECOMMENDS)}\n"
        "Section: science\nPriority: optional\n"
        "Description: see how a model holds up once it is deployed\n"
        " Drop a data set, train a model on its first part, and deploy it: the rest is\n"
        " replayed row by row, as if it arrived live. Several ways to keep the model\n"
        " fresh run side by side over the same stream, with their errors, parameters\n"
        " and costs plotted as they go.\n"
    )


def deb(program: Path, extras: Extras, out: Path, work: Path, level: int) -> Path:
    """Make the `.deb` of a frozen program; return its path."""
    version = extras.version
    tree = work / "deb"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(program, tree / "usr" / "lib" / "modellab", symlinks=True)
    share(tree / "usr" / "share", extras)
    overrides = tree / "usr" / "share" / "lintian" / "overrides" / "modellab"
    overrides.parent.mkdir(parents=True)
    shutil.copyfile(DESKTOP / "lintian-overrides", overrides)
    (tree / "usr" / "bin").mkdir(parents=True)
    (tree / "usr" / "bin" / "modellab").symlink_to("../lib/modellab/modellab")
    modes(tree)
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    needed = depends(tree / "usr" / "lib" / "modellab", work)
    (tree / "DEBIAN").mkdir()
    text = control(version, architecture, needed, installed_mb(tree / "usr"))
    (tree / "DEBIAN" / "control").write_text(text, encoding="utf-8")
    path = out / f"modellab_{version}_{architecture}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", f"-z{level}", "--build"]
    done = subprocess.run(
        [*command, str(tree), str(path)], capture_output=True, text=True, check=False
    )
    shutil.rmtree(tree)
    if done.returncode != 0:
        raise SetupError(f"dpkg-deb could not make the package: {done.stderr.strip()[-500:]}")
    return path


def portable(program: Path, extras: Extras, out: Path, level: int) -> Path:
    """Make the archive that needs no administrator: the program and `install.sh`."""
    name = f"modellab-{extras.version}-linux-{os.uname().machine}"
    path = out / f"{name}.tar.xz"
    staging = out / f".{name}"
    share(staging / "share", extras)
    shutil.copyfile(DESKTOP / "install.sh", staging / "install.sh")
    modes(staging)
    (staging / "install.sh").chmod(0o755)

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = 0
        return member

    xz = shutil.which("xz")
    if xz is None:
        raise SetupError("Packing needs xz: apt-get install xz-utils.")
    with path.open("wb") as file:
        packer = subprocess.Popen(
            [xz, f"-{level}", "-T0", "-c"], stdin=subprocess.PIPE, stdout=file
        )
        with tarfile.open(fileobj=packer.stdin, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            archive.add(staging, arcname=name, filter=plain)
            archive.add(program, arcname=f"{name}/lib/modellab", filter=plain)
        if packer.stdin is not None:
            packer.stdin.close()
        if packer.wait() != 0:
            raise SetupError("xz could not pack the portable archive.")
    shutil.rmtree(staging)
    return path
