"""`setup.exe` tried under Wine: `python3 packaging/wine_check.py SETUP.exe [--root FOLDER]`.

Silent install over an older version that a person has used, smoke test, silent uninstall, and
what is left; as root, in a Debian 13 of its own, with Wine 10. It shows that script, launchers and
set of files are right; it is not Windows.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import windows_setup
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
OFFERED = (".csv", ".parquet", ".arff")
OF_THE_OLDER_ONE = "python/of-the-older-one"
# What Wine itself writes while programs run; and the copy from which NSIS runs an uninstaller,
# which Windows removes when it starts next.
OF_WINE = re.compile(
    r"^(\w+\.reg|\.update-timestamp|drive_c/windows/|drive_c/users/root/AppData/Local/Temp/~nsu)"
)
NSIS_ICON = Path("/usr/share/nsis/Contrib/Graphics/Icons/modern-install.ico")
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
        say("  silent install of an older version, used by a person ...")
        wine(rf"/root/{older_version(root / 'root', stack).name}", "/S")
        wine.wait()
        program = wine.prefix / PROGRAM
        expect_files(program, ["uninstall.exe", OF_THE_OLDER_ONE])
        expect_in("0.0.1", wine("reg", "query", KEYS[0], "/v", "DisplayVersion"))
        kept = use_it(wine.prefix)
        say("  silent install of this version over it ...")
        wine("/root/setup.exe", "/S")
        wine.wait()
        expect_files(
            program, ["Model Lab.exe", "modellab.exe", "python/python.exe", "uninstall.exe"]
        )
        if (program / OF_THE_OLDER_ONE).exists():
            raise SetupError("A file of the older version is still there.")
        expect_files(wine.prefix, [LINK])
        expect_in(version_of(setup), wine("reg", "query", KEYS[0], "/v", "DisplayVersion"))
        told = wine("reg", "query", r"HKCU\Software\Classes\.mlab", "/ve")
        expect_in("ModelLab.Experiment", told)
        opens = r"HKCU\Software\Classes\ModelLab.Experiment\shell\open\command"
        expect_in(rf'"{INSTALLED_PROGRAM}\Model Lab.exe" "%1"', wine("reg", "query", opens, "/ve"))
        for ending in OFFERED:
            offered = wine("reg", "query", rf"HKCU\Software\Classes\{ending}\OpenWithProgids")
            expect_in("ModelLab.Table", offered)
            own = wine("reg", "query", rf"HKCU\Software\Classes\{ending}", "/ve", fails=True)
            if "ModelLab" in own:
                raise SetupError(f"The installer makes itself the first choice for {ending}.")
        smoke(wine, root, program)
        say("  silent uninstall ...")
        wine(rf"{INSTALLED_PROGRAM}\uninstall.exe", "/S")
        wine.wait()
        left = sorted(files(wine.prefix) - before)
        left = [path for path in left if not OF_WINE.match(path) and wine.prefix / path not in kept]
        left += [key for key in KEYS if wine("reg", "query", key, fails=True)]
        for ending in (".mlab", *OFFERED):
            if "ModelLab" in wine(
                "reg", "query", rf"HKCU\Software\Classes\{ending}", "/s", fails=True
            ):
                left.append(ending)
        if left:
            raise SetupError(f"The uninstaller left: {', '.join(left[:5])}")
        changed = [p.name for p, text in kept.items() if not p.exists() or p.read_bytes() != text]
        if changed:
            raise SetupError(f"The person's {changed[0]} was changed or removed.")
        say("  leftovers: none; preferences and experiment are as they were")


def expect_files(folder: Path, places: list[str]) -> None:
    """Look whether what was installed is there."""
    for place in places:
        if not (folder / place).is_file():
            raise SetupError(f"The installer left no {place}.")


def expect_in(wanted: str, told: str) -> None:
    """Look for a value in what the registry holds."""
    if wanted not in told:
        raise SetupError(f"The registry should hold {wanted}, not: {told.strip()[-200:]}")


def version_of(setup: Path) -> str:
    """Version in the name of a `setup.exe`."""
    return setup.name.split("-")[1]


def older_version(folder: Path, stack: ExitStack) -> Path:
    """Make the `setup.exe` of an earlier release: the same script, with next to nothing in it."""
    payload = folder / "older"
    stack.callback(shutil.rmtree, payload, True)
    (payload / OF_THE_OLDER_ONE).parent.mkdir(parents=True)
    (payload / OF_THE_OLDER_ONE).write_text("old")
    (payload / "LICENCES.txt").write_text("none\n")
    made = windows_setup.pack(payload, folder, "0.0.1", NSIS_ICON, rehearsal=True, quick=True)
    stack.callback(made.unlink, True)
    return made


def use_it(prefix: Path) -> dict[Path, bytes]:
    """Be a person who has preferences and an experiment; return both files."""
    settings = prefix / USER / "AppData/Local/modellab/settings.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('{"version": 1, "preferences": {"theme": "light", "text_scale": 1.1}}\n')
    experiment = prefix / USER / "Documents" / "mine.mlab"
    experiment.parent.mkdir(parents=True, exist_ok=True)
    experiment.write_bytes(b"an experiment")
    return {path: path.read_bytes() for path in (settings, experiment)}


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
