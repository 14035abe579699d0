"""Checkpoints: the whole state of a replay at some positions, few enough to keep."""

from __future__ import annotations

import hashlib
import math
import shutil
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

KEEP = 24
SPACING = 32_768


FORMAT = 2
"""What states are made of: those of another number cannot be read, and the replay is done again."""


class Checkpoint(msgspec.Struct):
    """Where each lane's two blobs are (by their hash), at a position."""

    position: int
    lanes: dict[str, dict[str, str]]


class Index(msgspec.Struct):
    """The checkpoints of a folder."""

    format: int
    points: list[Checkpoint]


class CheckpointStore:
    """Keeps checkpoints in a folder, or in memory.

    Blobs are stored once under their hash, so a model that never changes costs its size once.
    The first checkpoint (the deployment point) is never dropped; when there are more than `KEEP`,
    the spacing doubles.

    Parameters
    ----------
    folder
        Where to keep them; None keeps them in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.spacing = SPACING
        self.pause = 0.0
        """Seconds between two that fall due: they are left out where rows run by fast."""
        self._saved = -math.inf
        self.points: list[Checkpoint] = []
        self._passing: int | None = None
        self._memory: dict[str, bytes] = {}
        if folder is not None:
            (folder / "blobs").mkdir(parents=True, exist_ok=True)

    def load_index(self) -> bool:
        """Read the folder's index; False when there is none that can be used."""
        if self.folder is None:
            return False
        try:
            text = (self.folder / "checkpoints.json").read_bytes()
            index = msgspec.json.decode(text, type=Index)
        except (OSError, msgspec.MsgspecError):
            return False
        if index.format != FORMAT:
            return False
        self.points = [p for p in index.points if all(self._whole(b) for b in p.lanes.values())]
        return bool(self.points)

    def _whole(self, blobs: dict[str, str]) -> bool:
        return all(self._path(h).is_file() for h in blobs.values())

    def due(self, position: int, first: int) -> bool:
        """Whether a checkpoint falls due at `position` of a replay that began at `first`."""
        if position == first or position % self.spacing:
            return position == first
        return time.monotonic() - self._saved >= self.pause

    def next_due(self, position: int) -> int:
        """First position after `position` at which one falls due."""
        return (position // self.spacing + 1) * self.spacing

    def save(
        self, position: int, lanes: dict[str, dict[str, bytes]], *, passing: bool = False
    ) -> None:
        """Keep the states of all lanes at `position`.

        `passing`: for safety between two that are due; the next such one takes its place.
        """
        if passing:
            self.points = [p for p in self.points if p.position != self._passing]
            taken = any(p.position == position for p in self.points)
            self._passing = None if taken else position
        elif position == self._passing:
            self._passing = None
        point = Checkpoint(
            position,
            {name: {k: self._put(v) for k, v in blobs.items()} for name, blobs in lanes.items()},
        )
        self.points = [p for p in self.points if p.position != position]
        self.points.append(point)
        self.points.sort(key=lambda p: p.position)
        self._thin()
        self._write_index()
        self._saved = time.monotonic()

    def holding(self, position: int, lanes: list[str]) -> Checkpoint | None:
        """Newest checkpoint at or before `position` that has all of `lanes`."""
        for point in reversed(self.points):
            if point.position <= position and all(name in point.lanes for name in lanes):
                return point
        return None

    def blobs(self, point: Checkpoint, lane: str) -> dict[str, bytes]:
        """State of a lane in a checkpoint."""
        return {key: self._get(name) for key, name in point.lanes[lane].items()}

    def add_lane(self, position: int, lane: str, blobs: dict[str, bytes]) -> None:
        """Put the state of one lane into the checkpoint at `position`, if there is one."""
        for point in self.points:
            if point.position == position:
                point.lanes[lane] = {k: self._put(v) for k, v in blobs.items()}
        self._write_index()

    def forget_lane(self, lane: str) -> None:
        """Drop a lane from all checkpoints."""
        for point in self.points:
            point.lanes.pop(lane, None)
        self._write_index()

    def forget_after(self, position: int) -> None:
        """Drop the checkpoints after `position`: the past has been changed."""
        self.points = [p for p in self.points if p.position <= position]
        self._write_index()

    def remove(self) -> None:
        """Delete everything."""
        self.points = []
        self._memory = {}
        if self.folder is not None:
            shutil.rmtree(self.folder / "blobs", ignore_errors=True)
            (self.folder / "checkpoints.json").unlink(missing_ok=True)

    def _thin(self) -> None:
        while len(self.points) > KEEP:
            self.spacing *= 2
            first, last = self.points[0], self.points[-1]
            self.points = [
                p for p in self.points if p is first or p is last or p.position % self.spacing == 0
            ]

    def _put(self, blob: bytes) -> str:
        name = hashlib.blake2b(blob, digest_size=16).hexdigest()
        if self.folder is None:
            self._memory[name] = blob
            return name
        path = self._path(name)
        if not path.is_file():
            part = path.with_suffix(".part")
            part.write_bytes(blob)
            part.replace(path)
        return name

    def _get(self, name: str) -> bytes:
        return self._memory[name] if self.folder is None else self._path(name).read_bytes()

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / "blobs" / name

    def _write_index(self) -> None:
        used = {h for p in self.points for blobs in p.lanes.values() for h in blobs.values()}
        if self.folder is None:
            self._memory = {h: self._memory[h] for h in sorted(used)}
            return
        part = self.folder / "checkpoints.json.part"
        part.write_bytes(msgspec.json.encode(Index(FORMAT, self.points)))
        part.replace(self.folder / "checkpoints.json")
        for path in (self.folder / "blobs").iterdir():
            if path.name not in used:
                path.unlink(missing_ok=True)
