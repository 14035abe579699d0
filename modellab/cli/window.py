"""Opening the window from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path


def open_in_window(
    files: list[Path], *, sample: str | None, page: str | None, theme: str | None
) -> int:
    """Open the window and return its exit status.

    Raises
    ------
    LabError
        If Qt cannot be loaded here.
    """
    try:
        from modellab.gui.app import run_window
    except ImportError as error:
        raise LabError(
            f"The window cannot be opened: {error}. Without a window, use modellab run; "
            "modellab doctor tells what is missing.",
        ) from error
    return run_window(files, sample=sample, ready=page == "deploy", theme=theme)
