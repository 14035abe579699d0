"""Where Model Lab keeps its own files on this machine."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path


def _root(kind: str) -> Path:
    home = os.environ.get("MODELLAB_HOME")
    if home:
        return Path(home) / kind
    import platformdirs

    dirs = platformdirs.PlatformDirs("modellab", appauthor=False)
    return Path(
        {
            "config": dirs.user_config_dir,
            "cache": dirs.user_cache_dir,
            "state": dirs.user_state_dir,
        }[kind]
    )


def config_dir() -> Path:
    """Folder of preferences, window layout and the recent list (created on use)."""
    return _made(_root("config"))


def cache_dir() -> Path:
    """Folder of stores and checkpoints: all of it can be made again."""
    return _made(_root("cache"))


def state_dir() -> Path:
    """Folder of logs, crash files and unsaved sessions."""
    return _made(_root("state"))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def resources() -> Path:
    """Folder of icons, samples and help texts: inside a wheel, or beside the package."""
    inside = Path(str(files("modellab") / "resources"))
    if inside.is_dir():
        return inside
    return Path(__file__).resolve().parent.parent / "resources"
