"""The `.deb` tried where nothing is: a bare Debian 12, made for it by debootstrap.

Installed with nothing but its declared dependencies, over an older version that a person has used;
smoke-tested offscreen and, by an ordinary user, on a virtual screen; pictured; its first window
timed; removed; and the files that are then there compared with those before.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Iterator, Optional

import system_libs
from setup_env import SetupError, say

SUITE = "bookworm"
PERSON = "analyst"
BROUGHT = ["shared-mime-info", "desktop-file-utils", "hicolor-icon-theme"]
"""What a desktop has anyway: with them, files of types and menus are really written and removed."""
SCREEN = "1440x900x24"
PATIENCE = 120.0
QUIET = 8
"""Looks at the screen, two seconds apart, that are the same once a page has done its work."""
# What apt and dpkg themselves write; the dynamic linker's list follows from what is installed, the
# system's list of its fonts is made by the first program of root's that draws.
NOT_OURS = re.compile(
    r"^(var/(lib|cache)/(apt|dpkg|debconf|fontconfig)/|var/log/|etc/ld\.so\.cache|tmp/|run/)"
)


class CannotTry(SetupError):
    """There is no clean Debian here, for a reason that is not the package's."""


def run(command: list[str], what: str, timeout: float = 900.0) -> str:
    """Run a command; return what it printed.

    Raises
    ------
    SetupError
        If it fails or takes too long.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"Could not {what}: it took over {timeout:.0f} seconds.") from error
    if done.returncode != 0:
        tail = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise SetupError("\n".join([*tail, f"Could not {what}."]))
    return done.stdout


def check(deb: Path, out: Path, root: Path) -> dict[str, float]:
    """Try a package in a clean root; return the seconds that its first window took.

    Parameters
    ----------
    deb
        The package.
    out
        Where the picture and the report go.
    root
        Folder of the clean root: made if it is not there, else used again.

    Raises
    ------
    CannotTry
        If this machine can make no clean Debian.
    SetupError
        With the step that failed; what is left behind is such a failure.
    """
    if os.geteuid() != 0:
        raise CannotTry("A clean Debian root can only be made by root: run this with sudo.")
    lacking = system_libs.packages_of(system_libs.check_needs())
    if lacking:
        raise CannotTry(f"Trying the .deb needs: apt-get install {' '.join(lacking)}")
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)  # a temporary folder is closed to the ordinary user who is tried in it
    must_mount(root)
    try:
        make_root(root)
    except SetupError as error:
        raise CannotTry(f"There is no bare Debian to try the .deb in: {error}") from error
    with ExitStack() as stack:
        stack.enter_context(mounted(root))
        place = root / "packages"
        place.mkdir(exist_ok=True)
        stack.callback(shutil.rmtree, place, True)
        older = older_version(deb, place)
        shutil.copyfile(deb, place / deb.name)
        inside = Inside(root)
        say("  dependencies, and an older version ...")
        inside("apt-get", "update")
        install = ["apt-get", "install", "-y", "--no-install-recommends"]
        inside(*install, *BROUGHT)
        inside(*install, f"/packages/{older.name}")
        inside("dpkg", "--purge", "modellab")
        if not (root / "home" / PERSON).exists():
            inside("useradd", "--create-home", "--shell", "/bin/sh", PERSON)
        before = files(root)
        inside(*install, f"/packages/{older.name}")
        kept = use_it(inside, root)
        say("  this version over it ...")
        inside(*install, f"/packages/{deb.name}")
        changed = [path.name for path, text in kept.items() if path.read_bytes() != text]
        if changed:
            raise SetupError(f"Installing over an older version changed {changed[0]}.")
        inside("modellab", "--version")
        check_types(root)
        say("  smoke test, offscreen ...")
        expect_ok(inside("modellab", "--smoke-test", QT_QPA_PLATFORM="offscreen"))
        inside("modellab", "learners")
        inside("modellab", "doctor", QT_QPA_PLATFORM="offscreen")
        seconds = on_a_screen(inside, root, out)
        say("  removing it ...")
        inside("dpkg", "--purge", "modellab")
        left = sorted(files(root) - before)
        gone = sorted(before - files(root))
        (out / "leftovers.txt").write_text("".join(f"{name}\n" for name in left) or "none\n")
        if left or gone:
            raise SetupError(f"Removing the package left or took: {', '.join((left + gone)[:5])}")
        lost = [path.name for path in kept if not path.exists()]
        if lost:
            raise SetupError(f"Removing the package took the person's {lost[0]}.")
        say("  leftovers: none")
    return seconds


# ---------------------------------------------------------------- the root


def must_mount(root: Path) -> None:
    """Find out, before anything is downloaded, whether file systems can be mounted here.

    Raises
    ------
    CannotTry
        If not, as in most containers.
    """
    with tempfile.TemporaryDirectory(dir=root, prefix=".mount-") as name:
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "tmpfs", name], capture_output=True, text=True, check=False
        )
        if tried.returncode != 0:
            raise CannotTry(
                "The .deb cannot be tried in a clean Debian: this machine lets nobody mount file "
                f"systems ({tried.stderr.strip()[:200]})."
            )
        subprocess.run(["umount", name], check=True)


def make_root(root: Path) -> None:
    """Make a bare Debian, with the package source that this machine uses."""
    if (root / "etc" / "debian_version").exists():
        return
    say(f"  a bare Debian ({SUITE}) ...")
    command = ["debootstrap", "--variant=minbase", SUITE, str(root)]
    run([*command, *own_mirror()], "make a bare Debian")
    # No service starts in there.
    policy = root / "usr" / "sbin" / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


def own_mirror() -> list[str]:
    """The address that this machine's apt takes Debian's packages from, if it names one."""
    if platform.freedesktop_os_release().get("ID") != "debian":  # Ubuntu's archive has none
        return []
    for folder in (Path("/etc/apt/sources.list.d"), Path("/etc/apt")):
        for path in sorted([*folder.glob("*.sources"), *folder.glob("sources.list")]):
            text = path.read_text(encoding="utf-8", errors="replace")
            found = re.search(r"^(?:URIs: |deb (?:\[.*\] )?)(\S+)", text, re.MULTILINE)
            if found:
                return [found.group(1)]
    return []


@contextmanager
def mounted(root: Path) -> Iterator[None]:
    """Give the root what programs expect of a kernel, and this machine's screens."""
    screens = root / "tmp" / ".X11-unix"
    screens.mkdir(parents=True, exist_ok=True)
    mounts = [
        (["-t", "proc", "proc"], root / "proc"),
        (["--bind", "/dev"], root / "dev"),
        (["-t", "tmpfs", "-o", "mode=1777", "tmpfs"], root / "dev" / "shm"),
        (["--bind", "/tmp/.X11-unix"], screens),  # where every X server listens
    ]
    Path("/tmp/.X11-unix").mkdir(mode=0o1777, exist_ok=True)
    with ExitStack() as stack:
        # One of a shared tree would be unmounted with ours.
        for options, place in mounts:
            run(["mount", *options, str(place)], "give the clean root a kernel")
            stack.callback(subprocess.run, ["umount", str(place)], check=False)
        yield


class Inside:
    """Runs commands in the root, with nothing of this machine's environment."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def command(self, *command: str, person: bool = False, **environment: str) -> list[str]:
        """The whole command line of what runs inside."""
        home = f"/home/{PERSON}" if person else "/root"
        base = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": home, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
        }  # fmt: skip
        words = [f"{key}={value}" for key, value in {**base, **environment}.items()]
        user = ["--userspec", f"{PERSON}:{PERSON}"] if person else []
        return ["chroot", *user, str(self._root), "/usr/bin/env", "-i", "-C", "/", *words, *command]

    def __call__(self, *command: str, person: bool = False, **environment: str) -> str:
        """Run a command inside; return what it printed."""
        words = self.command(*command, person=person, **environment)
        return run(words, f"run “{' '.join(command)[:80]}” in the clean root")


def files(root: Path) -> set[str]:
    """Every path in the root that a package can be blamed for."""
    found: set[str] = set()
    for top, folders, names in os.walk(root):
        relative = Path(top).relative_to(root).as_posix()
        if relative == ".":
            folders[:] = [f for f in folders if f not in ("proc", "dev", "sys", "home", "packages")]
            relative = ""
        for name in (*folders, *names):
            path = f"{relative}/{name}".lstrip("/")
            if not NOT_OURS.match(path + "/"):
                found.add(path)
    return {path for path in found if not path.startswith("root/")}


# ---------------------------------------------------------------- what is tried


def older_version(deb: Path, folder: Path) -> Path:
    """Make the package that an earlier release would have been: the same, with a lower version."""
    unpacked = folder / "older"
    run(["dpkg-deb", "-R", str(deb), str(unpacked)], "unpack the package")
    control = unpacked / "DEBIAN" / "control"
    text = re.sub(r"^Version: .*$", "Version: 0.0.1", control.read_text(), flags=re.MULTILINE)
    control.write_text(text)
    # Something that only the older one had: it must be gone after the newer one.
    (unpacked / "usr" / "lib" / "modellab" / "of-the-older-one").write_text("old")
    made = folder / "modellab_0.0.1.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(unpacked), str(made)]
    run(command, "pack an older version")
    shutil.rmtree(unpacked)
    return made


def use_it(inside: Inside, root: Path) -> dict[Path, bytes]:
    """Be a person who has preferences and an experiment; return both files."""
    home = root / "home" / PERSON
    samples = "/usr/lib/modellab/_internal/modellab/resources/samples/flights.parquet"
    made = f"/home/{PERSON}/mine.toml"
    inside("modellab", "new", samples, "--target", "dep_delay", "-o", made, "--force", person=True)
    settings = home / ".config" / "modellab" / "settings.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('{"version": 1, "preferences": {"theme": "light", "text_scale": 1.1}}\n')
    inside("chown", "-R", f"{PERSON}:{PERSON}", f"/home/{PERSON}")
    kept = (settings, root / made.lstrip("/"))
    return {path: path.read_bytes() for path in kept}


def check_types(root: Path) -> None:
    """Look at what desktops are told: whose files these are, and what is offered only."""
    if (root / "usr" / "lib" / "modellab" / "of-the-older-one").exists():
        raise SetupError("A file of the older version is still there.")
    share = root / "usr" / "share"
    globs = (share / "mime" / "globs2").read_text()
    if ":application/x-modellab-experiment:*.mlab" not in globs:
        raise SetupError(".mlab files are not known to the desktop.")
    cache = (share / "applications" / "mimeinfo.cache").read_text()
    for kind in ("application/x-modellab-experiment", "text/csv"):
        if f"{kind}=modellab.desktop;" not in cache:
            raise SetupError(f"The desktop does not offer Model Lab for {kind}.")
    for name in ("mimeapps.list", "defaults.list"):
        path = share / "applications" / name
        if path.exists() and "modellab" in path.read_text():
            raise SetupError(f"The package makes itself the first choice in {name}.")


def expect_ok(told: str) -> None:
    """Look at the last line of a smoke test.

    Raises
    ------
    SetupError
        If it is not an ok.
    """
    last = told.splitlines()[-1] if told else "no words"
    if not last.startswith("ok ("):
        raise SetupError(f"The smoke test of the installed program ended with: {last}")
    say(f"    {last}")


def on_a_screen(inside: Inside, root: Path, out: Path) -> dict[str, float]:
    """Run the smoke test and the window on a virtual screen, as an ordinary user; picture it."""
    with Screen() as screen:
        say("  smoke test on a virtual screen ...")
        expect_ok(inside("modellab", "--smoke-test", person=True, DISPLAY=screen.name))
        say("  the window ...")
        seconds = {}
        forget(root)
        seconds["cold"] = window_seconds(inside, screen, [], None)
        seconds["warm"] = min(window_seconds(inside, screen, [], None) for _ in range(3))
        say(f"    first window: {seconds['cold']:.2f} s cold, {seconds['warm']:.2f} s warm")
        sample = ["open", "--sample", "flights", "--page", "deploy"]
        window_seconds(inside, screen, sample, out / "window.png")
    return seconds


def forget(root: Path) -> None:
    """Take the program's files, and the libraries it uses, out of the system's memory."""
    os.sync()
    for folder in ("usr/lib", "usr/share/fonts", "etc/fonts"):
        for path in (root / folder).rglob("*"):
            if path.is_file() and not path.is_symlink():
                handle = os.open(path, os.O_RDONLY)
                try:
                    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(handle)


def window_seconds(
    inside: Inside, screen: Screen, arguments: list[str], picture: Optional[Path]
) -> float:
    """Start the program; return the seconds until its window is there and painted.

    With `picture` the program is left to finish its page, then pictured. It is ended as a session
    does it: its window is closed.
    """
    command = inside.command("modellab", *arguments, person=True, DISPLAY=screen.name)
    begin = time.monotonic()
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: screen.colours() > 8 or program.poll() is not None, "The window", 0.02)
        taken = time.monotonic() - begin
        if picture is not None and program.poll() is None:
            screen.picture(picture)
    finally:
        program.terminate()
        try:
            _, told = program.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            program.kill()
            raise SetupError("The window did not close when it was asked to.") from None
    if program.returncode != 0:
        words = told.decode(errors="replace")[-300:]
        raise SetupError(f"The window ended with the status {program.returncode}: {words}")
    return taken


class Screen:
    """A virtual screen, of a number that is free."""

    def __enter__(self) -> Screen:
        reader, writer = os.pipe()
        command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", SCREEN, "-ac", "-noreset"]
        self._server = subprocess.Popen(
            [*command, "-nolisten", "tcp"],
            pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writer)
        with os.fdopen(reader) as told:
            number = told.readline().strip()
        if not number:
            raise SetupError("The virtual screen (Xvfb) did not start.")
        self.name = f":{number}"
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.terminate()
        self._server.wait()

    def shows(self) -> bytes:
        """Give what it shows, three bytes for each pixel."""
        command = ["import", "-silent", "-window", "root", "-depth", "8", "rgb:-"]
        environment = {**os.environ, "DISPLAY": self.name}
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        if done.returncode != 0:
            raise SetupError(f"The screen cannot be pictured: {done.stderr.decode()[-300:]}")
        return done.stdout

    def colours(self) -> int:
        """How many colours it shows, looked at coarsely."""
        raw = self.shows()
        return len({raw[i : i + 3] for i in range(0, len(raw) - 2, 3 * 53)})

    def picture(self, path: Path) -> None:
        """Take a picture once it has shown the same for a while, or after two minutes."""
        last, same = b"", 0
        for _ in range(60):
            now = self.shows()
            same = same + 1 if now == last else 0
            last = now
            if same == QUIET:
                break
            time.sleep(2.0)
        command = ["import", "-silent", "-window", "root", str(path)]
        run(["env", f"DISPLAY={self.name}", *command], "take a picture")


def wait_for(condition: object, what: str, step: float = 0.05) -> None:
    """Wait until `condition` holds.

    Raises
    ------
    SetupError
        If it does not within two minutes.
    """
    end = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            raise SetupError(f"{what} did not appear.")
        time.sleep(step)
