"""The data files that an experiment names, relative to its own file."""

from __future__ import annotations

import os
from pathlib import Path

from modellab.errors import DataError, quote
from modellab.experiment import Experiment, replace

_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".csv.gz", ".tsv.gz")


def data_paths(experiment: Experiment, base: Path) -> list[Path]:
    """Files of the experiment's data set, absolute and in order; `base` is its file's folder.

    A folder stands for the data files in it, a glob for what it matches, both sorted by name.

    Raises
    ------
    DataError
        If a file is not there, or a folder or glob holds none.
    """
    found: list[Path] = []
    for text in experiment.data.paths:
        path = base / Path(text).expanduser()
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.name.lower().endswith(_SUFFIXES))
            if not inside:
                raise DataError(f"The folder {quote(path)} holds no data files.")
            found += inside
        elif path.exists():
            found.append(path)
        elif any(sign in text for sign in "*?["):
            full = absolute(path)
            matched = sorted(Path(full.anchor).glob(str(full.relative_to(full.anchor))))
            if not matched:
                raise DataError(f"No file matches {quote(text)}.")
            found += matched
        else:
            raise DataError(f"The data file {quote(path, 200)} is not there. Say where it went.")
    return [absolute(path) for path in found]


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
