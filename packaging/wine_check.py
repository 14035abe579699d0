"""`setup.exe` tried under Wine: `python3 packaging/wine_check.py SETUP.exe [--root FOLDER]`.

Silent install, smoke test, silent uninstall, leftovers; as root, in a Debian 13 of its own, with
Wine 10. It shows that script, launchers and set of files are right; it is not Windows.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import wine_shims
from clean_root import Inside, mounted, own_mirror, run
from setup_env import SetupError, say

SUITE = "trixie"
USER = "drive_c/users/root"
PROGRAM = f"{USER}/AppData/Local/Programs/ModelLab"
LINK = f"{USER}/AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Model Lab.lnk"
KEYS = (
    r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\ModelLab",
    r"HKCU\Software\Classes\ModelLab.Experiment",
    r"HKCU\Software\Classes\ModelLab.Table",
)
INSTALLED_PROGRAM = r"C:\users\root\AppData\Local\Programs\ModelLab"


def make_root(root: Path) -> None:
    """Make a Debian with Wine."""
    wine = root / "usr" / "bin" / "wine"
    if wine.exists() or wine.is_symlink():  # which leads nowhere from outside
        return
    if shutil.which("mmdebstrap") is None:
        raise SetupError("Trying setup.exe needs: apt-get install mmdebstrap")
    say(f"  a Debian ({SUITE}) with Wine ...")
    wanted = "wine,wine64,fontconfig,fonts-dejavu-core"
    command = ["mmdebstrap", "--variant=minbase", f"--include={wanted}", SUITE, str(root)]
    run([*command, *own_mirror()], "make a Debian with Wine", 1800)


class Wine:
    """Runs Windows programs in the root."""

    def __init__(self, root: Path) -> None:
        self._inside = Inside(root)
        self.prefix = root / "root" / "wine"
        self._base: dict[str, str] = {
            "WINEPREFIX": "/root/wine",
            "WINEDEBUG": "-all",
            "HOME": "/root",
        }

    def __call__(self, *command: str, fails: bool = False, **environment: str) -> str:
        """Run a program; return what it printed.

        Raises
        ------
        SetupError
            If it ends with another status than 0, unless `fails` says that it may.
        """
        words = self._words("wine", *command, **environment)
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=1500, check=False
        )
        if done.returncode != 0 and not fails:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
            raise SetupError(f"{tail}\n{command[0]} ended with {done.returncode} under Wine.")
        return done.stdout if done.returncode == 0 else ""

    def wait(self) -> None:
        """Wait until nothing of Windows runs any more."""
        run(self._words("wineserver", "-w"), "wait for Wine", 300)

    def _words(self, *command: str, **environment: str) -> list[str]:
        settings = [f"{key}={value}" for key, value in {**self._base, **environment}.items()]
        return self._inside.command("env", *settings, *command)


def check(setup: Path, root: Path) -> None:
    """Install, try, remove.

    Raises
    ------
    SetupError
        With the step that failed.
    """
    make_root(root)
    with ExitStack() as stack:
        stack.enter_context(mounted(root))
        wine = Wine(root)
        shutil.rmtree(wine.prefix, ignore_errors=True)
        stack.callback(shutil.rmtree, wine.prefix, True)
        shutil.copyfile(setup, root / "root" / "setup.exe")
        stack.callback((root / "root" / "setup.exe").unlink, True)
        say("  Wine's own set-up ...")
        wine("wineboot", "-i", WINEDLLOVERRIDES="mscoree,mshtml=")
        wine.wait()
        before = files(wine.prefix)
        say("  silent install ...")
        wine("/root/setup.exe", "/S")
        wine.wait()
        program = wine.prefix / PROGRAM
        for place in ("Model Lab.exe", "modellab.exe", "python/python.exe", "uninstall.exe"):
            if not (program / place).is_file():
                raise SetupError(f"The installer left no {place}.")
        if not (wine.prefix / LINK).is_file():
            raise SetupError("The installer made no entry in the start menu.")
        if "ModelLab.Experiment" not in wine("reg", "query", r"HKCU\Software\Classes\.mlab", "/ve"):
            raise SetupError(".mlab files do not belong to Model Lab.")
        offered = wine("reg", "query", r"HKCU\Software\Classes\.csv\OpenWithProgids")
        if "ModelLab.Table" not in offered:
            raise SetupError("Model Lab does not offer itself for CSV files.")
        smoke(wine, root, program)
        say("  silent install over it, and silent uninstall ...")
        wine("/root/setup.exe", "/S")
        wine.wait()
        wine(rf"{INSTALLED_PROGRAM}\uninstall.exe", "/S")
        wine.wait()
        left = [path for path in sorted(files(wine.prefix) - before) if "modellab" in path.lower()]
        left += [key for key in KEYS if wine("reg", "query", key, fails=True)]
        if wine("reg", "query", r"HKCU\Software\Classes\.csv\OpenWithProgids", fails=True):
            left.append(".csv")
        if (wine.prefix / LINK).exists():
            left.append(LINK)
        if left:
            raise SetupError(f"The uninstaller left: {', '.join(left[:5])}")
        say("  leftovers: none")


def smoke(wine: Wine, root: Path, program: Path) -> None:
    """Run the smoke test of the installed program, with the stand-ins beside Python."""
    python = program / "python"
    before = files(program)
    own = next((root / "usr/lib").glob("*/wine/x86_64-windows/ucrtbase.dll"))
    qt = python / "Lib" / "site-packages" / "PySide6" / "Qt6Core.dll"
    made = wine_shims.make(own, qt, python)
    say("  smoke test of the installed program ...")
    try:
        told = wine(
            rf"{INSTALLED_PROGRAM}\modellab.exe",
            "--smoke-test",
            WINEDLLOVERRIDES="ucrtbase,icuuc=n,b;mscoree,mshtml=",
        )
    finally:
        for path in made:
            path.unlink()
    wine.wait()
    for line in told.splitlines():
        say(f"    {line}")
    last = told.splitlines()[-1] if told else "no words"
    if not last.startswith("ok ("):
        raise SetupError(f"The smoke test under Wine ended with: {last}")
    written = sorted(files(program) - before)
    if written:
        raise SetupError(f"The program wrote into its own folder: {written[0]}")


def files(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="wine_check.py", description=__doc__.splitlines()[0])
    parser.add_argument("setup", type=Path)
    parser.add_argument("--root", type=Path, help="folder of the Debian, used again")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="modellab-wine-") as name:
            check(arguments.setup.absolute(), (arguments.root or Path(name) / "root").absolute())
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
