"""The ``.mlab`` file: an experiment in one zip, with its results and a picture of it.

Members: ``experiment.toml``, ``data.json`` (where the data are), ``trainings.json`` (the window's
list of trainings), ``results/``, ``thumbnail.png``, and with embedded data ``data/``. Reading takes
only these names, holds to limits of size, follows no path out of the archive, and knows no pickle.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from modellab.data.places import INNER, names_data, split_inner
from modellab.errors import ExperimentError, LabError, quote
from modellab.experiment import Experiment, replace
from modellab.experiment_file import MAX_FILE, dump, loads
from modellab.experiment_paths import absolute, data_paths, rebase, relative
from modellab.paths import cache_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPERIMENT, DATA, THUMBNAIL = "experiment.toml", "data.json", "thumbnail.png"
TRAININGS = "trainings.json"
RESULTS_FOLDER, DATA_FOLDER = "results/", "data/"
MAX_MEMBERS = 10_000
MAX_MANIFEST = 4 * 2**20
MAX_THUMBNAIL = 16 * 2**20
MAX_RESULT = 8 * 2**30
MAX_EMBEDDED = 64 * 2**30
_PIECE = 2**20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
_EPOCH = (1980, 1, 1, 0, 0, 0)


class DataReference(msgspec.Struct, omit_defaults=True):
    """Where one data file (or folder, or glob) was.

    `path` is relative to the ``.mlab`` file where they were near each other; `embedded` names the
    member of the archive that holds a copy, `part` the sheet, table, query or member of it that is
    meant.
    """

    path: str
    absolute: str
    size: int | None = None
    embedded: str | None = None
    part: str | None = None


class Manifest(msgspec.Struct, omit_defaults=True):
    """What ``data.json`` holds: references in the experiment's order, the data's fingerprint."""

    files: list[DataReference]
    fingerprint: str | None = None


@dataclass(frozen=True)
class Mlab:
    """An opened ``.mlab`` file.

    Attributes
    ----------
    path
        The file.
    experiment
        With absolute data paths, as far as the data were found; else where they last were.
    manifest
        What is known of the data.
    missing
        Paths of data that are neither where they were nor embedded: ask where they went.
    results
        Names of the files of results.
    thumbnail
        The picture (PNG), if there is one.
    """

    path: Path
    experiment: Experiment
    manifest: Manifest
    missing: list[Path] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    thumbnail: bytes | None = None


# ---------------------------------------------------------------- writing


def write_mlab(
    path: Path,
    experiment: Experiment,
    *,
    base: Path | None = None,
    results: Path | None = None,
    thumbnail: bytes | None = None,
    trainings: bytes | None = None,
    fingerprint: str | None = None,
    embed: bool = False,
) -> None:
    """Write a ``.mlab`` file: all of it, or nothing.

    Parameters
    ----------
    path
        The file; replaced if it is there.
    experiment
        The experiment, journal included.
    base
        Folder that its data paths are relative to (those that are not absolute).
    results
        A results folder to put in.
    thumbnail
        A picture, PNG.
    trainings
        The list of trainings, as JSON of the window's making.
    fingerprint
        The data's fingerprint, if known.
    embed
        Put the data files in too.

    Raises
    ------
    LabError
        If it cannot be written, or data to be embedded cannot be read.
    """
    base = base or path.parent
    places = data_paths(experiment, base)
    manifest = Manifest(
        [_reference(place, path.parent, embed, index) for index, place in enumerate(places)],
        fingerprint,
    )
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            text = dump(rebase(experiment, base, path.parent))
            _put(archive, EXPERIMENT, text.encode())
            _put(archive, DATA, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
            if trainings is not None:
                _put(archive, TRAININGS, trainings)
            if thumbnail is not None:
                _put(archive, THUMBNAIL, thumbnail)
            if results is not None:
                for file in sorted(results.iterdir()):
                    if file.is_file():
                        _put_file(archive, RESULTS_FOLDER + file.name, file)
            for place, told in zip(places, manifest.files, strict=True):
                if told.embedded is not None:
                    _put_file(archive, told.embedded, split_inner(place)[0])
        beside.replace(path)
    except OSError as error:
        raise LabError(
            f"{quote(path, 200)} cannot be written: {error.strerror or error}."
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def _reference(place: Path, folder: Path, embed: bool, index: int) -> DataReference:
    file, part = split_inner(place)
    is_file = file.is_file()
    if embed and not is_file:
        raise LabError(f"{quote(place, 200)} is no file, so it cannot be embedded.")
    return DataReference(
        path=relative(place, folder),
        absolute=absolute(place).as_posix(),
        size=file.stat().st_size if is_file else None,
        # The number keeps two files of one name apart.
        embedded=f"{DATA_FOLDER}{index}-{file.name}" if embed else None,
        part=part or None,
    )


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_info(name), content)


def _put_file(archive: zipfile.ZipFile, name: str, file: Path) -> None:
    with file.open("rb") as source, archive.open(_info(name), "w", force_zip64=True) as target:
        while piece := source.read(_PIECE):
            target.write(piece)


def _info(name: str) -> zipfile.ZipInfo:
    """Header of a member; with no clock in it, equal content gives equal files."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


# ---------------------------------------------------------------- reading


def read_mlab(path: Path) -> Experiment:
    """Read the experiment of a ``.mlab`` file, with absolute data paths; see `open_mlab`."""
    return open_mlab(path).experiment


def open_mlab(path: Path) -> Mlab:
    """Read a ``.mlab`` file and look for its data: relative to it, where they were, embedded.

    Data that are found nowhere are in `missing`; everything else is there all the same.

    Raises
    ------
    ExperimentError
        If it is no such file, damaged, or breaks a limit.
    """
    with _Archive(path) as archive:
        text = archive.read(EXPERIMENT, MAX_FILE)
        if text is None:
            raise ExperimentError(f"{quote(path.name)} holds no experiment.")
        try:
            experiment = loads(text.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ExperimentError(f"{quote(path.name)} is damaged.") from error
        except ExperimentError as error:
            raise ExperimentError(f"In {quote(path.name)}: {error.sentence}") from error
        raw = archive.read(DATA, MAX_MANIFEST)
        try:
            manifest = Manifest([]) if raw is None else msgspec.json.decode(raw, type=Manifest)
        except msgspec.MsgspecError as error:
            raise ExperimentError(
                f"{quote(path.name)} is damaged: {DATA} cannot be read.", detail=str(error)
            ) from error
        found, missing = _find_data(archive, experiment, manifest)
        return Mlab(
            path=path,
            experiment=_with_paths(experiment, found),
            manifest=manifest,
            missing=missing,
            results=archive.names_in(RESULTS_FOLDER),
            thumbnail=archive.read(THUMBNAIL, MAX_THUMBNAIL),
        )


def read_trainings(path: Path, limit: int) -> bytes | None:
    """Return ``trainings.json`` of a ``.mlab`` file as it stands; None if there is none.

    Apart from `open_mlab`, so that a damaged list does not keep the experiment from opening.

    Raises
    ------
    ExperimentError
        If the file is damaged, or the member is larger than `limit` bytes.
    """
    with _Archive(path) as archive:
        return archive.read(TRAININGS, limit)


def extract_results(path: Path, folder: Path, names: Sequence[str] | None = None) -> list[Path]:
    """Write the results of a ``.mlab`` file into a folder and return the files.

    Raises
    ------
    ExperimentError
        If the file is damaged or breaks a limit.
    """
    with _Archive(path) as archive:
        wanted = archive.names_in(RESULTS_FOLDER) if names is None else list(names)
        return [
            archive.extract(RESULTS_FOLDER + name, folder / name, MAX_RESULT) for name in wanted
        ]


def _with_paths(experiment: Experiment, places: list[Path]) -> Experiment:
    texts = [place.as_posix() for place in places]
    data = replace(experiment.data, path=texts[0] if len(texts) == 1 else texts)
    changed: Experiment = replace(experiment, data=data)
    return changed


def _find_data(
    archive: _Archive, experiment: Experiment, manifest: Manifest
) -> tuple[list[Path], list[Path]]:
    found, missing = [], []
    for index, place in enumerate(data_paths(experiment, archive.path.parent)):
        told = manifest.files[index] if index < len(manifest.files) else None
        here: Path | None = place if names_data(place) else None
        if here is None and told is not None:
            was = Path(told.absolute)
            if was.is_absolute() and names_data(was):
                here = was
            elif told.embedded is not None and told.embedded in archive.names:
                file = archive.unpack(told.embedded)
                here = Path(f"{file}{INNER}{told.part}") if told.part else file
        if here is None:
            missing.append(place)
        found.append(here or place)
    return found, missing


class _Archive:
    """A zip file that is trusted in nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> _Archive:
        path = self.path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError as error:
            raise ExperimentError(f"There is no file {quote(path, 200)}.") from error
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ExperimentError(
                f"{quote(path.name)} is no Model Lab file, or it is damaged.", detail=str(error)
            ) from error
        names = self._zip.namelist()
        if len(names) > MAX_MEMBERS:
            self._zip.close()
            raise ExperimentError(f"{quote(path.name)} holds far too many files to be ours.")
        bad = next((name for name in names if not _inside(name)), None)
        if bad is not None:
            self._zip.close()
            raise ExperimentError(
                f"{quote(path.name)} was not opened: it names a path outside itself ({quote(bad)})."
            )
        self.names = frozenset(names)
        return self

    def __exit__(self, *args: object) -> None:
        self._zip.close()

    def names_in(self, folder: str) -> list[str]:
        """Plain names of the members of a folder."""
        rest = [name[len(folder) :] for name in self.names if name.startswith(folder)]
        return sorted(name for name in rest if name and "/" not in name)

    def read(self, name: str, limit: int) -> bytes | None:
        """Content of a small member; None if there is none."""
        if name not in self.names:
            return None
        try:
            with self._zip.open(name) as member:
                content = member.read(limit + 1)
        except (*_BROKEN, OSError) as error:
            raise self._damaged(name, error) from error
        if len(content) > limit:
            raise self._too_large(name)
        return content

    def extract(self, name: str, target: Path, limit: int) -> Path:
        """Write a member to a file."""
        if name not in self.names:
            raise ExperimentError(f"{quote(self.path.name)} holds no {quote(name)}.")
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._zip.open(name) as member, part.open("wb") as file:
                size = 0
                while piece := member.read(_PIECE):
                    size += len(piece)
                    if size > limit:
                        raise self._too_large(name)
                    file.write(piece)
            part.replace(target)
        except _BROKEN as error:
            raise self._damaged(name, error) from error
        except OSError as error:
            raise ExperimentError(
                f"{quote(target, 200)} cannot be written: {error.strerror or error}."
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return target

    def unpack(self, name: str) -> Path:
        """Copy an embedded data file into the cache, under its hash."""
        folder = cache_dir() / "embedded"
        plain = PurePosixPath(name).name.partition("-")[2]
        fresh = self.extract(name, folder / f"{os.getpid()}-{plain}", MAX_EMBEDDED)
        with fresh.open("rb") as file:
            key = hashlib.file_digest(file, "sha256").hexdigest()[:32]
        target = folder / key / plain
        target.parent.mkdir(exist_ok=True)
        fresh.replace(target)
        return target

    def _damaged(self, name: str, error: Exception) -> ExperimentError:
        return ExperimentError(
            f"{quote(self.path.name)} is damaged: {quote(name)} cannot be read.", detail=str(error)
        )

    def _too_large(self, name: str) -> ExperimentError:
        return ExperimentError(f"{quote(name)} in {quote(self.path.name)} is too large.")


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not (
        path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name
    )
