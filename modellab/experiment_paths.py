"""The data files that an experiment names, relative to its own file."""

from __future__ import annotations

import os
from pathlib import Path

from modellab.experiment import Experiment, replace


def data_paths(experiment: Experiment, base: Path) -> list[Path]:
    """Paths of the experiment's data set, absolute, in order; `base` is its file's folder.

    A folder or a glob stays one: what it stands for is known to `modellab.data.source`.
    """
    return [absolute(base / Path(text).expanduser()) for text in experiment.data.paths]


def with_data(experiment: Experiment, paths: list[Path], base: Path | None) -> Experiment:
    """Name the data files relative to `base` where they lie in it or near it, else absolutely."""
    texts = [relative(path, base) for path in paths]
    data = replace(experiment.data, path=texts[0] if len(texts) == 1 else texts)
    changed: Experiment = replace(experiment, data=data)
    return changed


def rebase(experiment: Experiment, old: Path | None, new: Path | None) -> Experiment:
    """Name the same data from another folder (when saving elsewhere); globs stay globs."""
    start = old or Path.cwd()
    paths = [start / Path(text).expanduser() for text in experiment.data.paths]
    return with_data(experiment, paths, new)


def absolute(path: Path) -> Path:
    """`path` made absolute and tidy, symbolic links left as the person named them."""
    return Path(os.path.normpath(path.absolute()))


def relative(path: Path, base: Path | None) -> str:
    """`path` as text relative to `base`; absolute where it is no near neighbour or has no base."""
    full = absolute(path)
    if base is None:
        return full.as_posix()
    try:
        text = Path(os.path.relpath(full, absolute(base))).as_posix()
    except ValueError:  # another drive
        return full.as_posix()
    # Two folders up and more is no neighbour: such a path breaks as soon as either side moves.
    return full.as_posix() if text.startswith("../../") else text
