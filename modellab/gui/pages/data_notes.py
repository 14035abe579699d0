"""Worth knowing: what will matter about the data, each with what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from modellab.gui.kit import Card, IconLabel, Label, LinkButton, count_text
from modellab.gui.pages.flow import FlowLayout

if TYPE_CHECKING:
    from collections.abc import Callable

ICONS = {
    "warning": ("warning-fill", "warning"),
    "info": ("info-fill", "link"),
    "rows": ("rows", "second"),
    "ok": ("check-circle-fill", "ok"),
    "error": ("warning-octagon-fill", "alarm"),
}


@dataclass(frozen=True)
class NoteView:
    """One note: `actions` are (words, explanation, what is done)."""

    kind: str
    title: str
    text: str
    actions: tuple[tuple[str, str, Callable[[], object]], ...] = field(default=(), compare=False)

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it another note on screen."""
        return (self.kind, self.title, self.text, tuple(a[0] for a in self.actions))


class _Note(QWidget):
    def __init__(self, note: NoteView) -> None:
        super().__init__()
        picture, role = ICONS.get(note.kind, ICONS["info"])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(IconLabel(picture, size=17, role=role), 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        title = Label(note.title, 13, 600, wrap=True)
        words.addWidget(title)
        if note.text:
            words.addWidget(Label(note.text, 12, 400, "second", wrap=True))
        if note.actions:
            links = [LinkButton(text, tip, clicked=act) for text, tip, act in note.actions]
            words.addLayout(FlowLayout(links))
        row.addLayout(words, 1)
        self.setAccessibleName(f"{note.title}. {note.text}")


class NotesCard(Card):
    """The notes, most important first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Worth knowing", "", spacing=14, parent=parent)
        self._shown: list[tuple[object, ...]] | None = None
        self._empty = Label("", 12, 400, "second", wrap=True)
        self.body.addWidget(self._empty)
        self._notes: list[_Note] = []

    def set_notes(self, notes: list[NoteView], empty: str) -> None:
        """Show other notes; `empty` is said when there are none."""
        self._empty.setText(empty)
        self._empty.setVisible(not notes)
        keys = [note.key for note in notes]
        if keys == self._shown:
            return
        self._shown = keys
        for old in self._notes:
            self.body.removeWidget(old)
            old.hide()
            old.deleteLater()
        self._notes = [_Note(note) for note in notes]
        for widget in self._notes:
            self.body.addWidget(widget)
        self.set_subtitle(count_text(len(notes)) if notes else "")
