"""File dialogs: what to open, where to save. They never block the window's event loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QWidget

from modellab.data.endings import READABLE

if TYPE_CHECKING:
    from collections.abc import Callable

_ALL = "All files (*)"
_DATA = " ".join(f"*{ending}" for ending in READABLE)
OPEN_FILTERS = (
    f"Data and experiments ({_DATA} *.mlab *.toml)",
    f"Data ({_DATA})",
    "Experiments (*.mlab *.toml)",
    _ALL,
)
SAVE_FILTERS = (
    "Experiment with trainings and results (*.mlab)",
    "Experiment only, as text (*.toml)",
)


def _dialog(parent: QWidget, title: str) -> QFileDialog:
    dialog = QFileDialog(parent, title)
    dialog.finished.connect(dialog.deleteLater)
    return dialog


def ask_open(
    parent: QWidget, done: Callable[[list[Path]], object], folder: Path | None = None
) -> QFileDialog:
    """Ask for files to open; `done` gets them, in the order of their names."""
    dialog = _dialog(parent, "Open")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    dialog.setNameFilters(list(OPEN_FILTERS))
    if folder is not None and folder.is_dir():
        dialog.setDirectory(str(folder))
    dialog.filesSelected.connect(lambda names: done(sorted(Path(name) for name in names)))
    dialog.open()
    return dialog


def ask_save(
    parent: QWidget, done: Callable[[Path], object], name: str, folder: Path | None = None
) -> QFileDialog:
    """Ask where to save an experiment that may be called `name`."""
    dialog = _dialog(parent, "Save experiment")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(list(SAVE_FILTERS))
    dialog.setDefaultSuffix("mlab")
    dialog.filterSelected.connect(
        lambda chosen: dialog.setDefaultSuffix("toml" if "toml" in chosen else "mlab")
    )
    if folder is not None and folder.is_dir():
        dialog.setDirectory(str(folder))
    dialog.selectFile(name)
    dialog.fileSelected.connect(lambda chosen: done(Path(chosen)))
    dialog.open()
    return dialog


def ask_folder(parent: QWidget, title: str, done: Callable[[Path], object]) -> QFileDialog:
    """Ask for a folder to write into."""
    dialog = _dialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(lambda chosen: done(Path(chosen)))
    dialog.open()
    return dialog


def locate_data(parent: QWidget, experiment: Path) -> list[Path] | None:
    """Ask where the data of an experiment file are now, and wait for the answer."""
    names, _ = QFileDialog.getOpenFileNames(
        parent,
        f"Where are the data of {experiment.name}?",
        str(experiment.parent),
        f"{OPEN_FILTERS[1]};;{_ALL}",
    )
    return sorted(Path(name) for name in names) or None
