"""Unsaved sessions on disk, offered at the next start; reading and writing experiment files."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import msgspec

from modellab import paths
from modellab.errors import ExperimentError, quote
from modellab.experiment import Experiment
from modellab.gui.session_training import Training
from modellab.replay.protocol import TrainingResult

ORPHAN_SECONDS = 3 * 86_400
"""Checkpoints of a session that left no note are deleted after three days."""


class _Note(msgspec.Struct):
    """What is kept beside the experiment: who wrote it, what it is called, where its replay was."""

    title: str
    when: float
    pid: int
    pid_started: float
    path: str | None = None
    position: int | None = None
    replay_dir: str | None = None


class _KeptTraining(msgspec.Struct):
    id: int
    index: int
    when: float
    result: TrainingResult
    experiment: Experiment


@dataclass(frozen=True)
class Recoverable:
    """An unsaved session of an earlier run.

    `path`: the file it was last saved as, if any; `position`: where its replay was.
    """

    id: str
    title: str
    when: float
    path: Path | None
    position: int | None
    replay_dir: str | None


class Autosave:
    """Keeps one session's experiment (journal included) and trainings in the state folder."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._last: tuple[object, ...] | None = None

    def write(
        self,
        experiment: Experiment,
        title: str,
        trainings: list[Training],
        path: Path | None,
        position: int | None,
        replay_dir: str | None,
    ) -> bool:
        """Write what changed since the last call; returns whether anything was written."""
        now = (experiment, title, [t.id for t in trainings], path, position)
        if now == self._last:
            return False
        folder = _folder()
        kept_trainings = self._last is not None and self._last[2] == now[2]
        if not kept_trainings:
            kept = [_KeptTraining(t.id, t.index, t.when, t.result, t.experiment) for t in trainings]
            _write(folder / f"{self.id}.trainings", msgspec.msgpack.encode(kept))
        from modellab.experiment_file import dump

        _write(folder / f"{self.id}.toml", dump(experiment).encode())
        pid = os.getpid()
        note = _Note(
            title=title,
            when=time.time(),
            pid=pid,
            pid_started=_started(pid) or 0.0,
            path=str(path) if path else None,
            position=position,
            replay_dir=replay_dir,
        )
        # Last, because a session counts as there when its note is.
        _write(folder / f"{self.id}.json", msgspec.json.encode(note))
        self._last = now
        return True

    def remove(self) -> None:
        """Forget what was written (after a save, or when the person does not want it)."""
        discard(self.id)
        self._last = None

    def begin_anew(self) -> None:
        """Leave what was written where it is and go on under another name."""
        self.id = uuid.uuid4().hex[:12]
        self._last = None


def recoverable(own: str = "") -> list[Recoverable]:
    """Unsaved sessions whose program has ended, newest first (without session `own`)."""
    found = []
    for file in _folder().glob("*.json"):
        try:
            note = msgspec.json.decode(file.read_bytes(), type=_Note)
        except (OSError, msgspec.MsgspecError):
            continue
        alive = note.pid != os.getpid() and _started(note.pid) == note.pid_started
        if alive or file.stem == own or not file.with_suffix(".toml").exists():
            continue
        path = Path(note.path) if note.path else None
        found.append(
            Recoverable(file.stem, note.title, note.when, path, note.position, note.replay_dir)
        )
    return sorted(found, key=lambda r: -r.when)


def read(session: Recoverable) -> tuple[Experiment, list[Training], str]:
    """Return an unsaved session's experiment, its trainings, and why these cannot be read.

    The last is empty when all is well: lost trainings are no reason to lose the experiment too.

    Raises
    ------
    LabError
        The experiment cannot be read.
    """
    from modellab.experiment_file import load

    folder = _folder()
    experiment = load(folder / f"{session.id}.toml")
    trainings: list[Training] = []
    file = folder / f"{session.id}.trainings"
    if file.exists():
        try:
            kept = msgspec.msgpack.decode(file.read_bytes(), type=list[_KeptTraining])
        except (OSError, msgspec.MsgspecError) as error:
            return experiment, [], str(error)
        trainings = [Training(k.id, k.index, k.result, k.experiment, k.when) for k in kept]
    return experiment, trainings, ""


def discard(session_id: str) -> None:
    """Delete an unsaved session."""
    folder = _folder()
    note = folder / f"{session_id}.json"
    replay_dir = None
    if note.exists():
        try:
            replay_dir = msgspec.json.decode(note.read_bytes(), type=_Note).replay_dir
        except (OSError, msgspec.MsgspecError):
            replay_dir = None
    for suffix in (".json", ".toml", ".trainings"):
        (folder / f"{session_id}{suffix}").unlink(missing_ok=True)
    if replay_dir is not None:
        remove_replay(Path(replay_dir))


def remove_replay(folder: Path) -> None:
    """Delete a replay's checkpoints; only inside the cache's own folder."""
    home = paths.cache_dir() / "replays"
    if folder.parent.parent == home or folder.parent == home:
        shutil.rmtree(folder, ignore_errors=True)


def clean_replays() -> None:
    """Delete the checkpoints of sessions that are long over and were not kept."""
    home = paths.cache_dir() / "replays"
    kept = {file.stem for file in _folder().glob("*.json")}
    if not home.is_dir():
        return
    for folder in home.iterdir():
        try:
            old = time.time() - folder.stat().st_mtime > ORPHAN_SECONDS
        except OSError:
            continue
        if old and folder.name not in kept:
            remove_replay(folder)


def _folder() -> Path:
    folder = paths.state_dir() / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path: Path, content: bytes) -> None:
    """Replace a file whole, so that a crash leaves the old one or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def _started(pid: int) -> float | None:
    """When a process began; None when there is none of that number."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def read_experiment(path: Path) -> Experiment:
    """Read the experiment of a ``.toml`` or ``.mlab`` file; the data's paths become absolute.

    Raises
    ------
    LabError
        It cannot be read, or is no experiment.
    """
    from modellab.experiment_paths import rebase

    if path.exists() and not path.is_file():
        # To open a pipe that nobody writes to would never come back.
        raise ExperimentError(f"{quote(path.name)} is not a file, so it holds no experiment.")
    if path.suffix.lower() == ".mlab":
        from modellab.export.mlab import read_mlab

        return read_mlab(path)
    from modellab.experiment_file import load

    return rebase(load(path), path.parent, None)


def write_experiment(
    experiment: Experiment,
    path: Path,
    fingerprint: str | None = None,
    results: Path | None = None,
    trainings: bytes | None = None,
    thumbnail: bytes | None = None,
) -> None:
    """Write a ``.toml`` or ``.mlab`` file; the data's paths become relative where they are near.

    Parameters
    ----------
    fingerprint
        Of the data, if known.
    results
        A results folder to put into a ``.mlab`` file.
    trainings
        The list of trainings for a ``.mlab`` file; a ``.toml`` file holds the experiment alone.
    thumbnail
        A picture (PNG) for a ``.mlab`` file.

    Raises
    ------
    LabError
        It cannot be written.
    """
    from modellab.experiment_paths import rebase

    if path.suffix.lower() == ".mlab":
        from modellab.export.mlab import write_mlab

        write_mlab(
            path,
            experiment,
            fingerprint=fingerprint,
            results=results,
            trainings=trainings,
            thumbnail=thumbnail,
        )
        return
    from modellab.experiment_file import save

    save(rebase(experiment, path.parent, path.parent), path)
