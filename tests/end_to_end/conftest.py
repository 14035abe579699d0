"""What every test of the real program gets: a virtual screen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modellab.replay.process import worker_environment


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    """A virtual screen of its own; skips where there is no Xvfb."""
    if not sys.platform.startswith("linux") or shutil.which("Xvfb") is None:
        pytest.skip("there is no Xvfb here")
    told, tells = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(tells), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
        pass_fds=[tells],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(tells)
    with os.fdopen(told) as pipe:
        number = pipe.readline().strip()
    if not number:
        server.wait(10)
        pytest.skip("Xvfb does not start here")
    yield f":{number}"
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="session")
def driven(screen: str, artifacts: Path) -> Callable[[str, Path], dict[str, Any]]:
    """A person's way through the real program: what the driver saw, with pictures kept."""

    def drive(driver: str, data: Path) -> dict[str, Any]:
        folder = data.parent
        ended = subprocess.run(
            [sys.executable, str(Path(__file__).with_name(f"{driver}.py")), str(data), str(folder)],
            capture_output=True,
            text=True,
            env={
                **worker_environment(),
                "DISPLAY": screen,
                "QT_QPA_PLATFORM": "xcb",
                "MODELLAB_HOME": str(folder / "home"),
            },
            check=False,
            timeout=280,
        )
        for picture in sorted(folder.glob("*.png")):
            shutil.copyfile(picture, artifacts / f"{driver.removeprefix('drive_')}-{picture.name}")
        place = folder / "seen.json"
        assert place.is_file(), ended.stderr[-3000:]
        told: dict[str, Any] = json.loads(place.read_text())
        assert not told["failed"], "\n".join(told["failed"]) + ended.stderr[-3000:]
        assert ended.returncode == 0, ended.stderr[-3000:]
        return {**told, "folder": folder}

    return drive
