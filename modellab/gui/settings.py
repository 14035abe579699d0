"""Preferences, recent files and the window's layout: one small JSON file, and no Qt.

A file that cannot be read never stops the program: it is put aside and the usual values are taken.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from modellab.paths import config_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE_NAME = "settings.json"
MOST_RECENT = 12
"""Entries that the recent list keeps."""

Share = Annotated[float, msgspec.Meta(ge=0.02, le=0.9)]
TextScale = Annotated[float, msgspec.Meta(ge=0.9, le=1.5)]
Address = Annotated[str, msgspec.Meta(max_length=2000)]


class Preferences(msgspec.Struct, kw_only=True):
    """What the person can choose for all experiments."""

    theme: Literal["system", "light", "dark"] = "system"
    text_scale: TextScale = 1.0
    memory_share: Share = 0.25
    """Share of this computer's memory that training may use."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Processes that the lanes of a replay are spread over."""
    update_address: Address = ""
    """Where “Check for updates” reads; empty: nowhere, it is off."""


class RecentItem(msgspec.Struct, kw_only=True, frozen=True):
    """A file that was opened: a data set, an experiment, or a sample by its id."""

    path: str
    kind: Literal["data", "experiment"] = "data"
    detail: str = ""
    when: str = ""
    """ISO time in UTC of the last use."""


class _File(msgspec.Struct, kw_only=True):
    version: int = 1
    preferences: Preferences = msgspec.field(default_factory=Preferences)
    recent: list[RecentItem] = msgspec.field(default_factory=list)
    layout: dict[str, str] = msgspec.field(default_factory=dict)


class Settings:
    """The settings file of this machine's user.

    Parameters
    ----------
    path
        The file; ``settings.json`` in the configuration folder unless given.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path if path is not None else config_dir() / FILE_NAME
        self.problem: str | None = None
        """A sentence when the file could not be read and the usual values were taken."""
        self._file = self._load()
        self._listeners: list[Callable[[], object]] = []

    def _load(self) -> _File:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return _File()
        except OSError as error:
            self.problem = (
                f"The preferences cannot be read ({error.strerror}): usual values are used."
            )
            return _File()
        try:
            return msgspec.json.decode(raw, type=_File)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            aside = self._path.with_suffix(".broken.json")
            with contextlib.suppress(OSError):
                self._path.replace(aside)
            self.problem = (
                "The preferences file was damaged, so the usual values are used; "
                f"it was kept as {aside.name}."
            )
            return _File()

    def save(self) -> None:
        """Write the file, whole or not at all.

        Raises
        ------
        OSError
            The folder cannot be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(self._file), indent=1))
        part.replace(self._path)

    def listen(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call `callback` after every change; returns what ends that."""
        self._listeners.append(callback)

        def stop() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return stop

    def _changed(self) -> None:
        # A full or read-only disk must not disturb the work: the values hold for this run.
        with contextlib.suppress(OSError):
            self.save()
        for callback in list(self._listeners):
            callback()

    # ------------------------------------------------------------------ preferences

    @property
    def preferences(self) -> Preferences:
        """The preferences in force (a copy: change them with `change`)."""
        return msgspec.structs.replace(self._file.preferences)

    def change(self, **values: Any) -> None:
        """Change preferences by name and save.

        Raises
        ------
        msgspec.ValidationError
            A value is out of its range or of another type; nothing is changed.
        """
        known = msgspec.structs.asdict(self._file.preferences)
        unknown = set(values) - set(known)
        if unknown:
            raise KeyError(f"no preference is called {min(unknown)!r}")
        checked = msgspec.convert({**known, **values}, Preferences)
        if checked != self._file.preferences:
            self._file.preferences = checked
            self._changed()

    # ------------------------------------------------------------------ recent files

    @property
    def recent(self) -> list[RecentItem]:
        """What was opened, newest first."""
        return list(self._file.recent)

    def add_recent(
        self,
        path: str,
        kind: Literal["data", "experiment"] = "data",
        detail: str = "",
        when: datetime | None = None,
    ) -> None:
        """Put `path` at the top of the recent list."""
        moment = (when or datetime.now(UTC)).astimezone(UTC)
        item = RecentItem(
            path=path, kind=kind, detail=detail, when=moment.isoformat(timespec="seconds")
        )
        others = [old for old in self._file.recent if old.path != path]
        self._file.recent = [item, *others][:MOST_RECENT]
        self._changed()

    def forget_recent(self, path: str) -> None:
        """Take one file off the recent list."""
        self._file.recent = [old for old in self._file.recent if old.path != path]
        self._changed()

    def clear_recent(self) -> list[RecentItem]:
        """Empty the recent list and return what was in it, for undo."""
        before, self._file.recent = self._file.recent, []
        self._changed()
        return before

    def restore_recent(self, items: list[RecentItem]) -> None:
        """Put back a recent list."""
        self._file.recent = list(items)[:MOST_RECENT]
        self._changed()

    # ------------------------------------------------------------------ layout

    def layout(self, name: str) -> str:
        """Return what was remembered of the layout of `name`; empty when nothing was."""
        return self._file.layout.get(name, "")

    def remember_layout(self, name: str, value: str) -> None:
        """Remember the layout of `name` (a base64 text or a few numbers)."""
        if self._file.layout.get(name) != value:
            self._file.layout[name] = value
            with contextlib.suppress(OSError):
                self.save()

    def reset_layout(self) -> None:
        """Forget every remembered layout."""
        self._file.layout.clear()
        self._changed()


_settings: Settings | None = None


def settings() -> Settings:
    """Return the settings of this process, read at first use."""
    global _settings
    if _settings is None:
        _settings = Settings()
    return _settings


def use_settings(other: Settings | None) -> None:
    """Use other settings from now on (None: read them again at the next use)."""
    global _settings
    _settings = other
