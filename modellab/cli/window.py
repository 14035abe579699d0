"""Opening the window from the command line."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from modellab.errors import ExperimentError, LabError, nearest, quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def open_in_window(
    files: list[Path],
    *,
    sample: str | None,
    page: str | None,
    theme: str | None,
    commands: Sequence[str] = (),
) -> int:
    """Open the window and return its exit status.

    `commands`: what a first word that names no file may have been meant to be.

    Raises
    ------
    ExperimentError
        If there is no such file.
    LabError
        If there is no display, or Qt cannot be loaded here.
    """
    from modellab.data.places import names_data

    for path in files:
        if not names_data(path):
            near = nearest(str(path), commands)
            hint = f" Did you mean the command {quote(near)}?" if near else ""
            raise ExperimentError(f"There is no file {quote(path, 200)}.{hint}")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in DISPLAYS):
        # Qt itself would abort the process.
        raise LabError(
            "There is no display to open the window on. Without one, use modellab run, or "
            "modellab demo for a first look."
        )
    try:
        from modellab.gui.app import run_window
    except ImportError as error:
        raise LabError(
            f"The window cannot be opened: {error}. Without a window, use modellab run; "
            "modellab doctor tells what is missing.",
        ) from error
    return run_window(files, sample=sample, ready=page == "deploy", theme=theme)
